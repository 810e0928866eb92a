// SPDX-License-Identifier: GPL-2.0
/*
 * Comparing a tracker's total with the sum of its parts.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "audit.h"
#include "record.h"
#include "sum.h"

/*
 * Return the sum over shares and records, walking accounts by id. *@agree says
 * whether each account's word, if it counts, is the sum of its records' words.
 */
static u64 audit_sum_parts(struct memquota_tracker *t, bool *agree)
{
	u64 id = 0, sum = memquota_shares_bytes(t), records, word;
	struct memquota_account *a;
	bool counted;

	*agree = true;
	while ((a = memquota_account_next(t, id))) {
		id = a->id + 1;
		/* Pairs with the release in memquota_account_count(). */
		counted = smp_load_acquire(&a->counted) == ACCOUNT_COUNTED;
		records = memquota_account_sum(a, true);
		word = atomic64_read(&a->word);
		if (counted && !(word & ACCOUNT_CLOSED))
			*agree &= (word & ACCOUNT_USED) == records;
		sum += records;
		memquota_account_unref(a);
		cond_resched();
	}
	return sum;
}

/*
 * Return whether the parts make up the total, less what caches may hold (rule
 * R9). A byte may move from a record that the walk has not reached to one that
 * it has passed, so what records gained since the walk began is added. What
 * moves from a record to a share that was already read is within the tolerance.
 * The total is read after the walk, and what records gained after that: a charge
 * raises the total first, with interrupts or preemption off, so a grace period
 * later it has counted what the record gained. May sleep.
 */
bool memquota_audit(struct memquota_tracker *t, u64 *sum, u64 *total)
{
	u64 gained = memquota_shares_gained(t);
	bool agree;

	*sum = audit_sum_parts(t, &agree);
	/* What has left a record by now is in a share, or has left the total. */
	synchronize_rcu();
	*total = memquota_tracker_total(t);
	synchronize_rcu();
	*sum += memquota_shares_gained(t) - gained;
	return *sum + memquota_cache_bound(t) >= *total;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_audit);

#ifdef CONFIG_MEMQUOTA_DEBUG
/*
 * Compare the total with the sum of its parts to the byte (rule P6). Return 0;
 * -EAGAIN if something was charged or uncharged meanwhile; or -EUCLEAN, and log
 * which side is wrong.
 */
int memquota_check(struct memquota_tracker *t)
{
	u64 gained = memquota_shares_gained(t), lost = memquota_shares_lost(t);
	u64 total = memquota_tracker_total(t), sum, shares;
	u64 open, joined, open_after, joined_after;
	bool agree;

	shares = memquota_shares_bytes(t);
	memquota_accounts_count(t, &open, &joined);
	sum = audit_sum_parts(t, &agree);
	memquota_accounts_count(t, &open_after, &joined_after);
	/* Each charge that was between a share and a record then has ended. */
	synchronize_rcu();
	if (shares != memquota_shares_bytes(t) ||
	    gained != memquota_shares_gained(t) ||
	    lost != memquota_shares_lost(t) ||
	    total != memquota_tracker_total(t) ||
	    open != open_after || joined != joined_after)
		return -EAGAIN;
	if (!agree)
		pr_err("%s: an account is not the sum of its participants\n",
		       t->name);
	if (sum != total)
		pr_err("%s: the total is %llu, its parts sum up to %llu\n",
		       t->name, total, sum);
	return agree && sum == total ? 0 : -EUCLEAN;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_check);
#endif
