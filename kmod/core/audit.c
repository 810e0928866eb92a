// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the books of a tracker agree.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/sched.h>
#include "core.h"

/* What sum_records() adds up. */
struct sum {
	u64 walk;
	u64 bytes;
};

static bool add_record(struct memquota_record *r, void *arg)
{
	struct sum *sum = arg;

	if (r->audited == sum->walk)
		return false;
	r->audited = sum->walk;
	/* What it held has left the account before. */
	if (!(atomic64_read(&r->word) & RECORD_LEFT))
		sum->bytes += memquota_record_used(r);
	return true;
}

static u64 sum_records(struct memquota_account *a, u64 walk)
{
	struct sum sum = { .walk = walk };

	memquota_walk_records(a, add_record, &sum);
	return sum.bytes;
}

/*
 * The sum over shares and records, the accounts walked by id. Sets *@agree
 * where each account's word is the sum of its records'.
 */
static u64 sum_parts(struct memquota_tracker *t, bool *agree)
{
	u64 id = 0, sum = memquota_shares_bytes(t), records, word, walk;
	struct memquota_account *a;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	walk = ++t->walk;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	*agree = true;
	while ((a = memquota_account_next(t, id))) {
		id = a->id + 1;
		records = sum_records(a, walk);
		word = atomic64_read(&a->word);
		if (!(word & ACCOUNT_CLOSED)) {
			*agree &= word == records;
			sum += records;
		}
		memquota_account_unref(a);
		cond_resched();
	}
	return sum;
}

/*
 * R9: whether the parts make up the total, but for T3's bound. What records
 * gained since the walk began is added, since a byte may go from a record that
 * the walk has not reached to one that it has passed; the total is read last.
 */
bool memquota_audit(struct memquota_tracker *t, u64 *sum, u64 *total)
{
	u64 gained = memquota_shares_gained(t);
	bool agree;

	*sum = sum_parts(t, &agree);
	*sum += memquota_shares_gained(t) - gained;
	*total = memquota_tracker_total(t);
	return *sum + memquota_cache_bound(t) >= *total;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_audit);

#ifdef CONFIG_MEMQUOTA_DEBUG
/*
 * P6, to the byte. Returns 0, -EAGAIN if something moved meanwhile, or
 * -EUCLEAN, having said which side is off.
 */
int memquota_check(struct memquota_tracker *t)
{
	u64 gained = memquota_shares_gained(t), lost = memquota_shares_lost(t);
	u64 total = memquota_tracker_total(t), sum;
	u64 open = READ_ONCE(t->nr_accounts), joined = READ_ONCE(t->nr_records);
	bool agree;

	sum = sum_parts(t, &agree);
	if (gained != memquota_shares_gained(t) ||
	    lost != memquota_shares_lost(t) ||
	    total != memquota_tracker_total(t) ||
	    open != READ_ONCE(t->nr_accounts) ||
	    joined != READ_ONCE(t->nr_records))
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
