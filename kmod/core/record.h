/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of records and accounts, keys and names. */
#ifndef _MEMQUOTA_RECORD_H
#define _MEMQUOTA_RECORD_H

#include <linux/lockdep.h>
#include <linux/sched/mm.h>
#include <linux/stdarg.h>
#include "core.h"

/* The records of participants that count nothing. */
extern struct memquota_record memquota_disabled_record;
extern struct memquota_record memquota_left_record;

extern atomic64_t memquota_failed_joins;

u64 memquota_new_key(void);
u64 memquota_new_key_with(unsigned int low);
__printf(2, 0)
void memquota_format_name(char *name, const char *fmt, va_list args);

/*
 * Report a context that @gfp does not allow, also if nothing is allocated. With
 * PREEMPT_RT allocating takes locks that sleep, whatever @gfp says.
 */
static inline void memquota_might_alloc(gfp_t gfp)
{
	might_alloc(gfp);
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		lockdep_assert_preemption_enabled();
}

struct memquota_account *memquota_account_alloc(struct memquota_tracker *t,
						gfp_t gfp);
void memquota_account_unref(struct memquota_account *account);

struct memquota_record *
memquota_record_alloc(struct memquota_account *a, struct memquota_participant *p,
		      const struct memquota_ops *ops, gfp_t gfp);
struct memquota_private *
memquota_private_alloc(struct memquota_tracker *t, struct memquota_participant *p,
		       memquota_reclaim_fn reclaim,
		       const struct memquota_ops *ops, struct module *owner,
		       gfp_t gfp);
void memquota_record_free(struct memquota_record *r);
void memquota_record_discard(struct memquota_record *r);

int memquota_records_init(void);
void memquota_records_exit(void);

/* Let reclaim ask the participant, unless a second step of joining follows. */
static inline void memquota_record_set_active(struct memquota_record *r)
{
	lockdep_assert_held(&r->account->home->lock);
	WRITE_ONCE(r->active, !(r->ops->flags & MEMQUOTA_INACTIVE));
}

/* Return the slot of this CPU in which charges look for the record. */
static inline struct memquota_slot *
memquota_slot_local(const struct memquota_record *r)
{
	return &this_cpu_ptr(&memquota_cpu)->slots[READ_ONCE(r->slot)];
}

static inline void memquota_record_unref(struct memquota_record *r)
{
	if (!(atomic64_sub_return(RECORD_REF, &r->word) & RECORD_REFS))
		memquota_record_free(r);
}

#endif /* _MEMQUOTA_RECORD_H */
