// SPDX-License-Identifier: GPL-2.0
/*
 * Charges that a limit may refuse: what is tried before, and what a refusal has
 * reclaim do.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include "charge.h"
#include "record.h"

/*
 * Count a refusal. One by the tracker starts reclaim (rule T9), which counts
 * what it refused once for each participant and run: a caller that tries again
 * does not want more.
 */
static void record_note_refusal(struct memquota_record *r, u64 bytes, int by)
{
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = r->tracker;
	u16 end = READ_ONCE(t->reclaim.ends);

	atomic64_add_unless(&a->refused, 1, -1);
	/* Reclaim cannot make room for more than the limit itself. */
	if (by == REFUSED_BY_ACCOUNT || bytes > READ_ONCE(t->max) ||
	    READ_ONCE(r->victim.refused_end) == end)
		return;
	WRITE_ONCE(r->victim.refused_end, end);
	atomic64_add(bytes, &t->reclaim.refused_bytes);
	/* Pairs with the barrier in worker_rearm(). */
	smp_mb__after_atomic();
	if (!READ_ONCE(t->reclaim.awake))
		irq_work_queue(&t->irq_work);
}

/*
 * Give back what stands in the way of a refused charge on this CPU: the slots of
 * the account that refused it; or all that the CPU holds of the tracker, if that
 * is enough. Return whether anything was given back.
 */
static bool record_drain_local(struct memquota_record *r, u64 bytes, int by)
{
	struct memquota_tracker *t = r->tracker;

	if (by == REFUSED_BY_ACCOUNT)
		return memquota_account_drain_local(r->account);
	return memquota_drain_local_above(t, memquota_tracker_total(t) + bytes,
					  READ_ONCE(t->max));
}

int __memquota_try_charge(struct memquota_participant *p, size_t bytes,
			  gfp_t gfp)
{
	int err = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	struct memquota_account *a;
	struct memquota_record *r;
	unsigned long flags;

	if (likely(err <= 0))
		return err;
	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r && record_drain_local(r, bytes, err))
		err = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	local_irq_restore(flags);
	if (err > 0 && gfpflags_allow_blocking(gfp)) {
		a = memquota_account_of(p);
		if (!a)
			return -ESHUTDOWN;
		memquota_drain_shared(a->tracker);
		memquota_account_unref(a);
		err = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	}
	if (err <= 0)
		return err;
	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r)
		record_note_refusal(r, bytes, err);
	local_irq_restore(flags);
	return r ? -EDQUOT : -ESHUTDOWN;
}
EXPORT_SYMBOL_GPL(__memquota_try_charge);
