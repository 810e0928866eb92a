// SPDX-License-Identifier: GPL-2.0
/*
 * Participants: joining and leaving.
 *
 * The life of a record, by the bits of its word and by its place in the index:
 *
 *	joined, inactive --activate--> active, nowhere
 *	active, nowhere --first miss that charges--> in the tree
 *	in the tree --looked at, holds nothing--> nowhere
 *	in the tree --asked, freed nothing--> passed over --end of run--> in the tree
 *	in the tree --asked, sleeping--> nowhere, until answered
 *	any of them --leave--> left: out of the index, void in the slots
 *
 * The struct memquota_participant in the owner's object is not touched by
 * memquota after memquota_leave() has returned.
 */
#include <linux/export.h>
#include <linux/mempool.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "core.h"

/* Joins that the reserve serves while the system gives no atomic memory. */
#define RESERVE			64

/* Keys that fit above the count of a slot's word. */
#define KEY_MAX			(BIT_ULL(64 - MEMQUOTA_KEY_SHIFT) - 1)

struct memquota_record memquota_disabled_record = { .flags = RECORD_STATIC };
struct memquota_record memquota_left_record = { .flags = RECORD_STATIC };
struct memquota_record memquota_closed_record = { .flags = RECORD_STATIC };
EXPORT_SYMBOL_GPL(memquota_closed_record);

atomic64_t memquota_failed_joins;

static atomic64_t last_key;
static struct kmem_cache *record_cache;
static struct kmem_cache *private_cache;
static mempool_t *private_pool;

/* Joins that need no callbacks of their own beyond the one that they name. */
static const struct memquota_ops plain_ops;

/* At ten million joins a second the keys last for 1.8 years; then none fits. */
u64 memquota_new_key(void)
{
	u64 key = atomic64_inc_return(&last_key);

	WARN_ONCE(key > KEY_MAX, "memquota: out of keys\n");
	return key;
}

const char *memquota_record_name(const struct memquota_record *r)
{
	return READ_ONCE(r->flags) & RECORD_PRIVATE ? r->account->name : r->name;
}

void memquota_private_free(struct memquota_private *private)
{
	mempool_free(private, private_pool);
}

/* Top the reserve up: what is freed to a pool that is short stays there. */
static void refill_reserve(struct work_struct *work)
{
	while (READ_ONCE(private_pool->curr_nr) < RESERVE) {
		void *private = kmem_cache_alloc(private_cache, GFP_KERNEL);

		if (!private)
			break;
		mempool_free(private, private_pool);
	}
}

static DECLARE_WORK(refill_work, refill_reserve);

static void queue_refill(struct irq_work *work)
{
	queue_work(memquota_wq, &refill_work);
}

static struct irq_work refill_irq_work = IRQ_WORK_INIT(queue_refill);

static struct memquota_private *private_alloc(gfp_t gfp)
{
	struct memquota_private *private;

	/* Never waits for the reserve, whatever the caller allows. */
	private = mempool_alloc(private_pool,
				(gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_NOWARN);
	if (unlikely(READ_ONCE(private_pool->curr_nr) < RESERVE))
		irq_work_queue(&refill_irq_work);
	return private;
}

static void record_free_rcu(struct rcu_head *rcu)
{
	struct memquota_record *r = container_of(rcu, struct memquota_record, rcu);
	struct memquota_account *a = r->account;

	kfree(r->sleeper);
	if (!(READ_ONCE(r->flags) & RECORD_PRIVATE))
		kmem_cache_free(record_cache, r);
	memquota_account_unref(a);
}

void memquota_record_free(struct memquota_record *r)
{
	call_rcu(&r->rcu, record_free_rcu);
}

/* A join is hardly more than this and memory: it is part of both kinds. */
static __always_inline void
record_init(struct memquota_record *r, struct memquota_account *a,
	    struct memquota_participant *p, memquota_reclaim_fn reclaim,
	    const struct memquota_ops *ops, struct module *owner)
{
	*r = (struct memquota_record) {
		.word = ATOMIC64_INIT(RECORD_REF),
		.key = memquota_new_key(),
		.account = a,
		.active = !(ops->flags & MEMQUOTA_INACTIVE),
		.participant = p,
		.reclaim = reclaim,
		.ops = ops,
		.owner = owner,
	};
	r->slot = r->key % MEMQUOTA_SLOTS;
	INIT_LIST_HEAD(&r->siblings);
	INIT_LIST_HEAD(&r->trimmers);
	if (ops->flags & MEMQUOTA_COLLAPSING)
		r->flags |= RECORD_COLLAPSING;
	if (ops->reclaim_sleeping)
		r->flags |= RECORD_SLEEPING;
	if (ops->flags & MEMQUOTA_PROGRAM)
		r->flags |= RECORD_PROGRAM;
	if (ops->oldest) {
		r->flags |= RECORD_SAYS_OLDEST;
		r->mark = RECORD_NOT_DERIVED;
	}
}

/* Formatting costs most of a join: names that are plain are copied. */
static __printf(2, 0)
void set_name(char *name, const char *fmt, va_list args)
{
	unsigned int i;

	for (i = 0; fmt[i] != '%'; i++) {
		if (!fmt[i] || i == MEMQUOTA_NAME_SIZE - 1) {
			name[i] = '\0';
			return;
		}
		name[i] = fmt[i];
	}
	vscnprintf(name, MEMQUOTA_NAME_SIZE, fmt, args);
}

/* Let charges find the record. The owner publishes its object afterwards. */
static void attach(struct memquota_participant *p, struct memquota_record *r)
{
	WRITE_ONCE(p->slot, memquota_slot_words(r->slot));
	rcu_assign_pointer(p->record, r);
	/* Who sees the key sees the slot and the record. */
	smp_store_release(&p->nkey, -(r->key << MEMQUOTA_KEY_SHIFT));
}

static bool ops_valid(const struct memquota_ops *ops)
{
	if (ops->flags & ~(MEMQUOTA_COLLAPSING | MEMQUOTA_INACTIVE |
			   MEMQUOTA_PROGRAM))
		return false;
	if (ops->reclaim_sleeping)
		return !ops->reclaim && ops->get && ops->put;
	return ops->reclaim;
}

static bool joined(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_protected(p->record, true);

	return r && !(READ_ONCE(r->flags) & RECORD_STATIC);
}

static void disable(struct memquota_participant *p)
{
	WRITE_ONCE(p->nkey, 0);
	rcu_assign_pointer(p->record, &memquota_disabled_record);
}

/**
 * memquota_join_account - make an object a participant of an account
 * @p: the field in the object, zeroed or left
 * @a: the account that it holds memory for; a null handle makes a disabled
 *	participant
 * @ops: its callbacks; they must stay until memquota_barrier() after leaving
 * @gfp: for memory of memquota's own
 * @fmt: printf format of the name that people will read, and its arguments
 *
 * With %MEMQUOTA_INACTIVE, the participant can charge at once, and is asked
 * nothing before memquota_activate().
 *
 * No reference on the owner's module is taken: a running callback holds one.
 *
 * Context: any that @gfp allows. The caller keeps it apart from
 * memquota_leave() of the same participant.
 *
 * Return: 0, or
 * -EINVAL: @ops has not exactly one reclaim callback, a sleeping one without
 * get and put, or unknown flags;
 * -EBUSY: @p has joined already;
 * -ENOMEM: out of memory;
 * -ESHUTDOWN, -ENOTRECOVERABLE, -ESTALE: the tracker was destroyed, is
 * poisoned, or the account is closed.
 */
int memquota_join_account(struct memquota_participant *p,
			  struct memquota_account *a,
			  const struct memquota_ops *ops, gfp_t gfp,
			  const char *fmt, ...)
{
	struct memquota_tracker *t;
	struct memquota_record *r;
	unsigned long flags;
	va_list args;
	int err;

	if (!ops_valid(ops))
		return -EINVAL;
	if (joined(p))
		return -EBUSY;
	if (!a) {
		disable(p);
		return 0;
	}
	if (a == &memquota_closed_account)
		return -ESTALE;
	t = a->tracker;
	memquota_take_apart(t, 2);

	r = kmem_cache_alloc(record_cache, gfp);
	if (!r)
		return -ENOMEM;
	record_init(r, a, p, ops->reclaim, ops, ops->owner);
	if (ops->reclaim_sleeping) {
		r->sleeper = memquota_sleeper_alloc(r, gfp);
		if (!r->sleeper) {
			err = -ENOMEM;
			goto out_free;
		}
	}
	va_start(args, fmt);
	set_name(r->name, fmt, args);
	va_end(args);

	memquota_account_ref(a);
	raw_spin_lock_irqsave(&t->lock, flags);
	err = memquota_account_error(a);
	if (!err) {
		list_add(&r->siblings, &a->records);
		WRITE_ONCE(a->nr_records, a->nr_records + 1);
		if (ops->trim)
			list_add(&r->trimmers, &t->trimmers);
		WRITE_ONCE(t->nr_records, t->nr_records + 1);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (err)
		goto out_unref;
	attach(p, r);
	return 0;

out_unref:
	memquota_account_unref(a);
out_free:
	kfree(r->sleeper);
	kmem_cache_free(record_cache, r);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_join_account);

static __printf(6, 0)
void join_private(struct memquota_participant *p, memquota_reclaim_fn reclaim,
		  const struct memquota_ops *ops, struct module *owner,
		  gfp_t gfp, const char *fmt, va_list args)
{
	struct memquota_tracker *t = memquota_default_tracker();
	struct memquota_private *private;
	struct memquota_account *a;
	struct memquota_record *r;

	if (WARN_ONCE(joined(p), "memquota: joining again without leaving\n"))
		return;
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED) {
		disable(p);
		return;
	}
	memquota_take_apart(t, 2);

	rcu_assign_pointer(p->record, NULL);
	private = private_alloc(gfp);
	if (!private)
		goto failed;
	a = &private->account;
	r = &private->record;
	memquota_account_init(a, t, true);
	record_init(r, a, p, reclaim, ops, owner);
	r->flags |= RECORD_PRIVATE;
	if (READ_ONCE(r->flags) & RECORD_SLEEPING) {
		r->sleeper = memquota_sleeper_alloc(r, gfp);
		if (!r->sleeper)
			goto failed_free;
	}
	set_name(a->name, fmt, args);
	memquota_account_ref(a);	/* the record's */
	list_add(&r->siblings, &a->records);
	if (memquota_account_publish(a, NULL, NULL))
		goto failed_free;
	attach(p, r);
	return;

failed_free:
	kfree(r->sleeper);
	memquota_tracker_unref(t);
	memquota_private_free(private);
failed:
	atomic64_inc(&memquota_failed_joins);
}

/* See memquota_join(). */
void __memquota_join(struct memquota_participant *p,
		     memquota_reclaim_fn reclaim, struct module *owner,
		     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	join_private(p, reclaim, &plain_ops, owner, GFP_NOWAIT, fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_GPL(__memquota_join);

/**
 * memquota_join_private - make an object a participant with an account of its own
 * @p: the field in the object, zeroed or left
 * @ops: its callbacks; they must stay until memquota_barrier() after leaving
 * @gfp: for memory of memquota's own
 * @fmt: printf format of the name that people will read, and its arguments
 *
 * As memquota_join(), with more than one callback: the account is in the
 * default tracker, and where it cannot be had, or @ops is not valid, the
 * participant is as one that never joined.
 *
 * Context: any that @gfp allows. The caller keeps it apart from
 * memquota_leave() of the same participant.
 */
void memquota_join_private(struct memquota_participant *p,
			   const struct memquota_ops *ops, gfp_t gfp,
			   const char *fmt, ...)
{
	va_list args;

	if (WARN_ON_ONCE(!ops_valid(ops)))
		return;
	va_start(args, fmt);
	join_private(p, ops->reclaim, ops, ops->owner, gfp, fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_GPL(memquota_join_private);

/**
 * memquota_activate - the second step of joining
 * @p: a participant that joined with %MEMQUOTA_INACTIVE
 *
 * From now on it may be asked. Where it fails the participant can only be
 * left.
 *
 * Context: any but NMI.
 * Return: 0, also where nothing is counted, or
 * -ESTALE: the account is closed, or reclaim chose it before this step;
 * -ESHUTDOWN: the tracker was destroyed, or the participant has left;
 * -ENOTRECOVERABLE: the tracker is poisoned.
 */
int memquota_activate(struct memquota_participant *p)
{
	struct memquota_record *r;
	struct memquota_tracker *t;
	unsigned long flags;
	int err;

	r = rcu_dereference_protected(p->record, true);
	if (r == &memquota_disabled_record)
		return 0;
	if (!r || r == &memquota_closed_record)
		return -ESTALE;
	if (r == &memquota_left_record)
		return -ESHUTDOWN;

	t = r->account->tracker;
	raw_spin_lock_irqsave(&t->lock, flags);
	err = memquota_account_error(r->account);
	if (!err && r->chosen)
		err = -ESTALE;
	if (!err)
		WRITE_ONCE(r->active, true);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	/* Pairs with gain(), which changes the word before it reads @active. */
	smp_mb();
	if (!err && memquota_record_used(r))
		memquota_index_insert(r);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_activate);

/**
 * memquota_leave - end a participation
 * @p: the participant; one that never joined or has left is allowed
 *
 * Gives back all that it still holds. After it returns no atomic callback runs
 * or will run for it, and the object may be freed: a running one is waited
 * for, by spinning, unless it is the caller. A sleeping reclaim is not waited
 * for; what its get() took protects the owner.
 *
 * Context: any but hard interrupts and NMI. The caller holds no lock that an
 * atomic callback of the participant takes. The caller keeps it apart from
 * joining and leaving of the same participant.
 */
void memquota_leave(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_protected(p->record, true);
	struct memquota_account *a;
	struct memquota_tracker *t;
	unsigned long flags;

	if (!r || READ_ONCE(r->flags) & RECORD_STATIC)
		return;
	WRITE_ONCE(p->nkey, 0);
	rcu_assign_pointer(p->record, &memquota_left_record);

	a = r->account;
	t = a->tracker;
	if (memquota_record_retire(r) & RECORD_INDEXED)
		memquota_index_remove(r);
	raw_spin_lock_irqsave(&t->lock, flags);
	/* Unless its account has been taken apart. */
	if (!list_empty(&r->siblings)) {
		list_del_init(&r->siblings);
		WRITE_ONCE(a->nr_records, a->nr_records - 1);
	}
	if (unlikely(!list_empty(&r->trimmers)))
		list_del_init(&r->trimmers);
	WRITE_ONCE(t->nr_records, t->nr_records - 1);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	memquota_wait_callback(r);
	if (READ_ONCE(r->flags) & RECORD_PRIVATE)
		memquota_account_put(a);
	memquota_record_unref(r);
}
EXPORT_SYMBOL_GPL(memquota_leave);

int memquota_participants_init(void)
{
	record_cache = KMEM_CACHE(memquota_record, 0);
	if (!record_cache)
		return -ENOMEM;
	private_cache = KMEM_CACHE(memquota_private, 0);
	if (!private_cache)
		goto out_record;
	private_pool = mempool_create_slab_pool(RESERVE, private_cache);
	if (!private_pool)
		goto out_private;
	BUILD_BUG_ON(sizeof(struct memquota_record) > 256 + MEMQUOTA_NAME_SIZE);
	BUILD_BUG_ON(sizeof(struct memquota_account) > 256 + MEMQUOTA_NAME_SIZE);
	return 0;

out_private:
	kmem_cache_destroy(private_cache);
out_record:
	kmem_cache_destroy(record_cache);
	return -ENOMEM;
}

/* After rcu_barrier(): nothing is on its way back. */
void memquota_participants_exit(void)
{
	irq_work_sync(&refill_irq_work);
	cancel_work_sync(&refill_work);
	mempool_destroy(private_pool);
	kmem_cache_destroy(private_cache);
	kmem_cache_destroy(record_cache);
}
