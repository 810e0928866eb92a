// SPDX-License-Identifier: GPL-2.0
/*
 * What owners ask about a participant, and say of the age of its data.
 */
#include <linux/export.h>
#include "charge.h"
#include "index.h"
#include "record.h"
#include "total.h"

/**
 * memquota_at_limit - ask whether a participant is at a hard limit
 * @p: the participant
 *
 * For owners that have an overflow path of their own.
 *
 * Context: any but NMI.
 * Return: whether the tracker's or the account's ``max`` is reached, so that
 * memquota_try_charge() is about to be refused; false if nothing is counted.
 */
bool memquota_at_limit(struct memquota_participant *p)
{
	struct memquota_account *a;
	struct memquota_tracker *t;
	struct memquota_record *r;
	unsigned long flags;
	bool limit = false;

	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r && !memquota_account_error(r->account)) {
		a = r->account;
		t = r->tracker;
		limit = memquota_tracker_total(t) >= READ_ONCE(t->max) ||
			memquota_account_used(a) >= READ_ONCE(a->max) ||
			READ_ONCE(t->waitq.nr_queued) ||
			memquota_account_queued(a);
	}
	local_irq_restore(flags);
	return limit;
}
EXPORT_SYMBOL_GPL(memquota_at_limit);

/**
 * memquota_held - return what a participant holds
 * @p: the participant
 *
 * Context: any but NMI.
 * Return: bytes, those in the CPUs' caches included; 0 if nothing is counted.
 */
u64 memquota_held(struct memquota_participant *p)
{
	struct memquota_record *r;
	unsigned long flags;
	u64 held = 0;

	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r && !memquota_account_error(r->account))
		held = memquota_record_used(r);
	local_irq_restore(flags);
	return held;
}
EXPORT_SYMBOL_GPL(memquota_held);

/**
 * memquota_participant_error - return why every charge would be refused
 * @p: the participant
 *
 * An owner can check it before work that ends with a charge. A hard limit is no
 * such reason, see memquota_at_limit().
 *
 * Context: any but NMI.
 * Return:
 * * 0 - only a hard limit can refuse a charge, or @p is disabled
 * * %-ESHUTDOWN - the tracker was destroyed, or @p has left
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed, or @p never joined
 */
int memquota_participant_error(struct memquota_participant *p)
{
	struct memquota_record *r;
	unsigned long flags;
	int err;

	local_irq_save(flags);
	r = rcu_dereference_sched(p->record);
	if (!r || READ_ONCE(r->flags) & RECORD_STATIC)
		err = memquota_static_record_error(r);
	else
		err = memquota_account_error(r->account) ?:
		      atomic64_read(&r->word) & RECORD_LEFT ? -ESHUTDOWN : 0;
	local_irq_restore(flags);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_participant_error);

/**
 * memquota_set_oldest - store when a participant's oldest data arrived
 * @p: the participant
 * @ns: time on CLOCK_MONOTONIC_COARSE in ns, or %MEMQUOTA_NO_DATA. A time
 *	before boot, a negative number, counts as 0. A time in the future makes
 *	@p the last to be asked
 *
 * For owners that would rather store the time than supply an ``oldest``
 * callback. From the first call on, reclaim uses the stored time instead of the
 * derived one. While there is data it should only move forward.
 *
 * Context: any but NMI.
 */
void memquota_set_oldest(struct memquota_participant *p, u64 ns)
{
	struct memquota_record *r;
	unsigned long flags;
	bool first;

	local_irq_save(flags);
	r = memquota_record_of(p);
	if (!r)
		goto out;
	first = !(READ_ONCE(r->flags) & RECORD_STORED);
	if (first) {
		memquota_mark_lock(r);
		set_bit(RECORD_STORED_BIT, &r->flags);
		memquota_mark_unlock(r, RECORD_NOT_DERIVED);
	}
	WRITE_ONCE(r->arrival_ns, memquota_arrival(ns));
	if (first)
		memquota_index_look_first(r);
out:
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(memquota_set_oldest);
