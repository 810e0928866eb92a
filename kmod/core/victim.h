/* SPDX-License-Identifier: GPL-2.0 */
/* Choosing the victim. */
#ifndef _MEMQUOTA_VICTIM_H
#define _MEMQUOTA_VICTIM_H

#include "core.h"

/*
 * Return whether the present run may ask a participant whose record has @flags:
 * a run for the system spares participants that collapse, unless their owners
 * allow it (rule R12).
 */
static inline bool memquota_victim_may_be_asked(struct memquota_tracker *t,
						unsigned long flags)
{
	return !t->reclaim.present.for_system || flags & RECORD_GIVES;
}

struct memquota_record *memquota_victim_oldest(struct memquota_tracker *t);
bool memquota_victim_is_slow(struct memquota_tracker *t,
			     const struct memquota_record *r);
void memquota_victim_judge(struct memquota_tracker *t, struct memquota_record *r,
			   const struct memquota_question *question);
u64 memquota_victim_bound(struct memquota_tracker *t, u64 skip);

#endif /* _MEMQUOTA_VICTIM_H */
