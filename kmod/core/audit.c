// SPDX-License-Identifier: GPL-2.0
/*
 * Comparing a tracker's total with the sum of its parts.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "audit.h"
#include "graph.h"
#include "record.h"

struct audit_sum {
	u64 walk;
	u64 bytes;
};

static bool audit_add_record(struct memquota_record *r, void *arg)
{
	struct audit_sum *sum = arg;

	if (r->audited_walk == sum->walk)
		return false;
	r->audited_walk = sum->walk;
	/* What a participant that left held is no longer in its account. */
	if (!(atomic64_read(&r->word) & RECORD_LEFT))
		sum->bytes += memquota_record_used(r);
	return true;
}

static u64 audit_sum_records(struct memquota_account *a, u64 walk)
{
	struct audit_sum sum = { .walk = walk };

	memquota_walk_records(a, audit_add_record, &sum);
	return sum.bytes;
}

/*
 * Return the sum over shares and records, walking accounts by id. *@agree says
 * whether each account's word is the sum of its records' words.
 */
static u64 audit_sum_parts(struct memquota_tracker *t, bool *agree)
{
	u64 id = 0, sum = memquota_shares_bytes(t), records, word;
	u64 walk = memquota_walk_begin(t);
	struct memquota_account *a;

	*agree = true;
	while ((a = memquota_account_next(t, id))) {
		id = a->id + 1;
		records = audit_sum_records(a, walk);
		word = atomic64_read(&a->word);
		if (!(word & ACCOUNT_CLOSED)) {
			*agree &= (word & ACCOUNT_USED) == records;
			sum += records;
		}
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
 * raises the total first, with interrupts off, so a grace period later it has
 * counted what the record gained. May sleep.
 */
bool memquota_audit(struct memquota_tracker *t, u64 *sum, u64 *total)
{
	u64 gained = memquota_shares_gained(t);
	bool agree;

	*sum = audit_sum_parts(t, &agree);
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
	u64 total = memquota_tracker_total(t), sum;
	u64 open, joined, open_after, joined_after;
	bool agree;

	memquota_accounts_count(t, &open, &joined);
	sum = audit_sum_parts(t, &agree);
	memquota_accounts_count(t, &open_after, &joined_after);
	if (gained != memquota_shares_gained(t) ||
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
