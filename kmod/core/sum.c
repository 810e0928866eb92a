// SPDX-License-Identifier: GPL-2.0
/*
 * An account's list of records: walks over it, and what the records hold.
 *
 * A walk drops the lock after MEMQUOTA_BATCH records (rule R11). It stands in
 * account->walks meanwhile, and a record that is removed from the list moves the
 * walks that would visit it next on to the record behind it. So a walk visits
 * each record that is in the list throughout exactly once. Records are added at
 * the head, where no walk comes any longer.
 */
#include <linux/export.h>
#include <linux/sched.h>
#include "sum.h"

struct record_walk {
	struct hlist_node node;		/* in account->walks; home->lock */
	struct list_head *next;		/* to be visited next; home->lock */
};

/* Have the account's word count a record. */
static void record_count_locked(struct memquota_record *r)
{
	struct memquota_account *a = r->account;
	u64 old, held;

	lockdep_assert_held(&a->home->lock);
	for (;;) {
		old = atomic64_read(&r->word);
		if (old & RECORD_COUNTED)
			return;
		held = old & RECORD_ENDED ? 0 : memquota_word_used(old);
		/* First, so that the word is never below its part of the sum. */
		atomic64_add(held, &a->word);
		if (atomic64_cmpxchg(&r->word, old, old | RECORD_COUNTED |
						    RECORD_SLOW) == old)
			return;
		atomic64_sub(held, &a->word);
	}
}

/* Add a record to its account's list. */
void memquota_record_enlist_locked(struct memquota_record *r)
{
	struct memquota_account *a = r->account;

	lockdep_assert_held(&a->home->lock);
	list_add(&r->siblings, &a->records);
	WRITE_ONCE(a->nr_records, a->nr_records + 1);
	if (unlikely(a->counted))
		record_count_locked(r);
}

/* Remove a record from its account's list, unless it has been removed. */
void memquota_record_delist_locked(struct memquota_record *r)
{
	struct memquota_account *a = r->account;
	struct record_walk *walk;

	lockdep_assert_held(&a->home->lock);
	if (list_empty(&r->siblings))
		return;
	hlist_for_each_entry(walk, &a->walks, node)
		if (walk->next == &r->siblings)
			walk->next = r->siblings.next;
	list_del_init(&r->siblings);
	WRITE_ONCE(a->nr_records, a->nr_records - 1);
}

/*
 * Call @visit for each record of an account, with home->lock held. The caller has
 * a reference to the account. Any context but NMI, unless it @may_sleep.
 */
void memquota_walk_records(struct memquota_account *a,
			   void (*visit)(struct memquota_record *r, void *arg),
			   void *arg, bool may_sleep)
{
	struct record_walk walk;
	struct list_head *at;
	unsigned long flags;
	unsigned int n = 0;

	raw_spin_lock_irqsave(&a->home->lock, flags);
	hlist_add_head(&walk.node, &a->walks);
	walk.next = a->records.next;
	while (walk.next != &a->records) {
		at = walk.next;
		walk.next = at->next;
		visit(list_entry(at, struct memquota_record, siblings), arg);
		if (++n % MEMQUOTA_BATCH)
			continue;
		raw_spin_unlock_irqrestore(&a->home->lock, flags);
		if (may_sleep)
			cond_resched();
		raw_spin_lock_irqsave(&a->home->lock, flags);
	}
	hlist_del(&walk.node);
	raw_spin_unlock_irqrestore(&a->home->lock, flags);
}

static void record_visit_count(struct memquota_record *r, void *unused)
{
	record_count_locked(r);
}

/*
 * Have the account's word count what its records hold, from now on: their charges
 * and uncharges then take the slow way. Any context but NMI.
 */
void memquota_account_count(struct memquota_account *a)
{
	unsigned long flags;

	/* Pairs with the release below. */
	if (smp_load_acquire(&a->counted) == ACCOUNT_COUNTED)
		return;
	raw_spin_lock_irqsave(&a->home->lock, flags);
	if (a->counted == ACCOUNT_UNCOUNTED)
		WRITE_ONCE(a->counted, ACCOUNT_COUNTS_NEW);
	raw_spin_unlock_irqrestore(&a->home->lock, flags);
	memquota_walk_records(a, record_visit_count, NULL, false);
	raw_spin_lock_irqsave(&a->home->lock, flags);
	/* Pairs with the acquires here and in memquota_account_held(). */
	smp_store_release(&a->counted, ACCOUNT_COUNTED);
	raw_spin_unlock_irqrestore(&a->home->lock, flags);
}

static void record_visit_add(struct memquota_record *r, void *sum)
{
	u64 word = atomic64_read(&r->word);

	if (!(word & RECORD_ENDED))
		*(u64 *)sum += memquota_word_used(word);
}

/*
 * Return what the records of an account hold, in bytes, but for those that have
 * left or that closing has marked. Any context but NMI, unless it @may_sleep.
 */
u64 memquota_account_sum(struct memquota_account *a, bool may_sleep)
{
	u64 sum = 0;

	memquota_walk_records(a, record_visit_add, &sum, may_sleep);
	return sum;
}

/* Return what an account holds, in bytes; 0 if it is closed. Any context but NMI. */
u64 memquota_account_held(struct memquota_account *a)
{
	u64 word;

	if (memquota_account_closed(a))
		return 0;
	/* Pairs with the release in memquota_account_count(). */
	if (smp_load_acquire(&a->counted) != ACCOUNT_COUNTED)
		return memquota_account_sum(a, false);
	word = atomic64_read(&a->word);
	return word & ACCOUNT_CLOSED ? 0 : word & ACCOUNT_USED;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_account_held);
