/* SPDX-License-Identifier: GPL-2.0 */
/* What tests read and change inside the core: nothing else of it is theirs. */
#ifndef _MEMQUOTA_TESTS_INTERNALS_H
#define _MEMQUOTA_TESTS_INTERNALS_H

#include <linux/sched.h>
#include <linux/timekeeping.h>
#include "../core/core.h"

static inline u64 tracker_high(struct memquota_tracker *t)
{
	return READ_ONCE(t->high);
}

/* Runs of reclaim that have begun. */
static inline u32 tracker_run(struct memquota_tracker *t)
{
	return READ_ONCE(t->reclaim.run);
}

static inline bool tracker_is_idle(struct memquota_tracker *t)
{
	return !irq_work_is_busy(&t->irq_work) && !READ_ONCE(t->reclaim.awake) &&
	       memquota_tracker_total(t) <= READ_ONCE(t->high) &&
	       !atomic64_read(&t->reclaim.refused_bytes) &&
	       atomic64_read(&t->pressure.bytes) < PAGE_SIZE &&
	       !READ_ONCE(t->requests.nr_pending) &&
	       !work_busy(&t->reclaim.work.work);
}

/* All its closed accounts have been reaped. */
static inline bool tracker_is_cleaned_up(struct memquota_tracker *t)
{
	struct memquota_accounts *home;

	for (home = &t->accounts; home; home = memquota_home_next(t, home))
		if (!list_empty_careful(&home->closed))
			return false;
	return true;
}

/* Callers that wait for quota, in any queue. */
static inline unsigned int tracker_waiting(struct memquota_tracker *t)
{
	return READ_ONCE(t->waitq.nr);
}

/* Bytes that callers wait for in the queue of the tracker's max. */
static inline u64 tracker_waiting_bytes(struct memquota_tracker *t)
{
	return READ_ONCE(t->waitq.bytes);
}

/* The capacity of a slot: 0 while nothing is cached. */
static inline u32 tracker_slot_bytes(struct memquota_tracker *t)
{
	return READ_ONCE(t->slot_bytes);
}

static inline unsigned long tracker_drained(struct memquota_tracker *t)
{
	return READ_ONCE(t->drained);
}

/* Pretend that the last shared drain was at @when, in jiffies. */
static inline void tracker_set_drained(struct memquota_tracker *t,
				       unsigned long when)
{
	WRITE_ONCE(t->drained, when);
}

/* Make the total wrong. */
static inline void tracker_corrupt_total(struct memquota_tracker *t, s64 bytes)
{
	atomic64_add(bytes, &t->total);
}

/* Workqueues that its sleeping participants have. */
static inline unsigned int tracker_lanes(struct memquota_tracker *t)
{
	struct list_head *node;
	unsigned int n = 0;

	list_for_each(node, &t->requests.lanes)
		n++;
	return n;
}

/* Return what the shrinker counts of a tracker, in bytes. */
static inline u64 tracker_shrinkable(struct memquota_tracker *t)
{
	memquota_pressure_count();
	return memquota_pressure_givable(t);
}

/* Memory pressure: the kernel wants @bytes of this tracker. */
static inline void tracker_shrink(struct memquota_tracker *t, size_t bytes)
{
	memquota_pressure_count();
	memquota_pressure_add(t, bytes);
}

/* Return what the kernel wants of a tracker and has not got. */
static inline u64 tracker_pressure(struct memquota_tracker *t)
{
	return atomic64_read(&t->pressure.bytes);
}

/* Ask all trackers as drop_caches does: twice for all that is counted. */
static inline void drop_caches(void)
{
	unsigned long pages;

	for (pages = 2 * memquota_pressure_count() / PAGE_SIZE; pages >= 128;
	     pages -= 128)
		memquota_pressure_scan(128 * PAGE_SIZE);
}

static inline bool tracker_is_listed(struct memquota_tracker *t)
{
	return READ_ONCE(t->holds);
}

static inline unsigned int account_children(struct memquota_account *a)
{
	struct list_head *node;
	unsigned int n = 0;

	raw_spin_lock_irq(&a->tracker->accounts.lock);
	list_for_each(node, &a->children)
		n++;
	raw_spin_unlock_irq(&a->tracker->accounts.lock);
	return n;
}

/* Have @task wait for the account @n times, in no queue of a limit. */
static inline void account_add_waiters(struct memquota_account *a,
				       struct memquota_waiter *waiters,
				       unsigned int n, struct task_struct *task)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		waiters[i].task = task;
		raw_spin_lock_irq(&a->tracker->waitq.lock);
		list_add_tail(&waiters[i].tasks, &a->waitq->tasks);
		raw_spin_unlock_irq(&a->tracker->waitq.lock);
	}
}

static inline void account_remove_waiters(struct memquota_account *a,
					  struct memquota_waiter *waiters,
					  unsigned int n)
{
	while (n--) {
		raw_spin_lock_irq(&a->tracker->waitq.lock);
		list_del(&waiters[n].tasks);
		raw_spin_unlock_irq(&a->tracker->waitq.lock);
	}
}

/* Walks over the tasks that wait for the account. */
static inline u64 account_waiters_walk(struct memquota_account *a)
{
	return READ_ONCE(a->waitq->walk);
}

/* Walk number @walk has met all tasks. */
static inline bool account_waiters_walked(struct memquota_account *a, u64 walk)
{
	struct memquota_waiter *w;
	bool walked;

	/* A walk moves each task that it meets to the end. */
	raw_spin_lock_irq(&a->tracker->waitq.lock);
	w = list_first_entry(&a->waitq->tasks, struct memquota_waiter, tasks);
	walked = w->walk >= walk;
	raw_spin_unlock_irq(&a->tracker->waitq.lock);
	return walked;
}

/* Return how many of the tasks, which are in order, the last walk has met. */
static inline unsigned int
account_waiters_progress(struct memquota_account *a,
			 const struct memquota_waiter *waiters, unsigned int n)
{
	unsigned int low = 0, middle;

	raw_spin_lock_irq(&a->tracker->waitq.lock);
	while (low < n) {
		middle = low + (n - low) / 2;
		if (waiters[middle].walk == READ_ONCE(a->waitq->walk))
			low = middle + 1;
		else
			n = middle;
	}
	raw_spin_unlock_irq(&a->tracker->waitq.lock);
	return low;
}

static inline unsigned int account_handles(struct memquota_account *a)
{
	return refcount_read(&a->handles);
}

static inline void account_set_handles(struct memquota_account *a,
				       unsigned int n)
{
	refcount_set(&a->handles, n);
}

static inline unsigned int account_refs(struct memquota_account *a)
{
	return refcount_read(&a->refs);
}

static inline const char *account_name(struct memquota_account *a)
{
	return a->name;
}

static inline void account_set_refused(struct memquota_account *a, u64 n)
{
	atomic64_set(&a->refused, n);
}

static inline void account_set_reclaims(struct memquota_account *a, u64 n)
{
	atomic64_set(&a->reclaims, n);
}

/* Slots of all CPUs that bear the participant's key. */
static inline unsigned int participant_slots(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_protected(p->record, true);

	return (atomic64_read(&r->word) & RECORD_REFS) / RECORD_REF - 1;
}

/* Return when its oldest data arrived, as reclaim sees it, in ns. */
static inline u64 participant_arrival(struct memquota_participant *p)
{
	return memquota_record_arrival(rcu_dereference_protected(p->record, true));
}

#endif /* _MEMQUOTA_TESTS_INTERNALS_H */
