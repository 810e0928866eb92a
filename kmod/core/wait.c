// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for quota (T10).
 *
 * Who waits stands in one queue per limit that refused: the account's, then
 * the tracker's, and in both only as the first of its account's. Only the first
 * of its queues tries to charge. While anyone
 * waits, charges that miss their slot are refused where they can be, so that
 * nobody is overtaken but from cache slots.
 */
#include <linux/export.h>
#include <linux/sched/signal.h>
#include "core.h"

/* How often the first in a queue drains the caches and tries. */
#define POLL_INTERVAL		max(HZ / 100, 1)

struct waiter {
	struct task_struct *task;
	u64 bytes;
	/* tracker->wait_lock */
	struct list_head all;		/* in tracker->all_waiters */
	struct list_head of_tracker;	/* in tracker->waiters */
	struct list_head of_account;	/* in account->waiters */
};

static void wake_first(struct list_head *queue, size_t offset)
{
	if (!list_empty(queue))
		wake_up_process(((struct waiter *)((void *)queue->next - offset))->task);
}

/* Quota came free: whoever is first for the tracker's tries. Any context. */
void memquota_wake_waiters(struct memquota_tracker *t)
{
	struct waiter *w;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->wait_lock, flags);
	if (xchg(&t->wake_everyone, false)) {
		list_for_each_entry(w, &t->all_waiters, all)
			wake_up_process(w->task);
	} else {
		wake_first(&t->waiters, offsetof(struct waiter, of_tracker));
	}
	raw_spin_unlock_irqrestore(&t->wait_lock, flags);
}

static void leave_tracker_queue(struct memquota_tracker *t, struct waiter *w)
{
	lockdep_assert_held(&t->wait_lock);
	if (list_empty(&w->of_tracker))
		return;
	list_del_init(&w->of_tracker);
	WRITE_ONCE(t->waiting_bytes, t->waiting_bytes - w->bytes);
	wake_first(&t->waiters, offsetof(struct waiter, of_tracker));
}

static void enqueue(struct memquota_account *a, struct waiter *w, int by)
{
	struct memquota_tracker *t = a->tracker;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->wait_lock, flags);
	if (list_empty(&w->all)) {
		list_add_tail(&w->all, &t->all_waiters);
		WRITE_ONCE(t->waiting, t->waiting + 1);
		memquota_cache_limits(t);
	}
	if (by == REFUSED_BY_ACCOUNT) {
		if (list_empty(&w->of_account))
			list_add_tail(&w->of_account, &a->waiters);
		/* Who waits for its account holds up nobody at the tracker's. */
		leave_tracker_queue(t, w);
	}
	if (by == REFUSED_BY_TRACKER && list_empty(&w->of_tracker)) {
		list_add_tail(&w->of_tracker, &t->waiters);
		/* What is larger than the whole makes nobody give. */
		if (w->bytes <= READ_ONCE(t->max))
			WRITE_ONCE(t->waiting_bytes, t->waiting_bytes + w->bytes);
		else
			w->bytes = 0;
	}
	raw_spin_unlock_irqrestore(&t->wait_lock, flags);
	/* Its bytes count as charged: reclaim may be due. */
	if (!READ_ONCE(t->awake))
		irq_work_queue(&t->irq_work);
}

static void dequeue(struct memquota_account *a, struct waiter *w)
{
	struct memquota_tracker *t = a->tracker;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->wait_lock, flags);
	list_del(&w->all);
	WRITE_ONCE(t->waiting, t->waiting - 1);
	memquota_cache_limits(t);
	leave_tracker_queue(t, w);
	if (!list_empty(&w->of_account)) {
		list_del(&w->of_account);
		wake_first(&a->waiters, offsetof(struct waiter, of_account));
	}
	raw_spin_unlock_irqrestore(&t->wait_lock, flags);
}

static bool is_first(struct memquota_account *a, struct waiter *w)
{
	struct memquota_tracker *t = a->tracker;
	unsigned long flags;
	bool first;

	raw_spin_lock_irqsave(&t->wait_lock, flags);
	first = (list_empty(&w->of_tracker) ||
		 list_first_entry(&t->waiters, struct waiter, of_tracker) == w) &&
		(list_empty(&w->of_account) ||
		 list_first_entry(&a->waiters, struct waiter, of_account) == w);
	raw_spin_unlock_irqrestore(&t->wait_lock, flags);
	return first;
}

/* Returns 0, an errno, or who refuses it still. */
static int wait_turn(struct memquota_participant *p, struct memquota_account *a,
		     u64 bytes, struct waiter *w, int by, long timeout)
{
	unsigned long end = jiffies + timeout;
	bool forever = timeout == MAX_SCHEDULE_TIMEOUT;
	int err;

	for (;;) {
		enqueue(a, w, by);
		set_current_state(TASK_KILLABLE);
		if (is_first(a, w)) {
			__set_current_state(TASK_RUNNING);
			memquota_drain_shared(a->tracker);
			err = memquota_charge_by(p, bytes, CHARGE_WAITER);
			if (err <= 0)
				return err;
			by = err;
			set_current_state(TASK_KILLABLE);
			enqueue(a, w, by);
		}
		if (!forever)
			timeout = end - jiffies;
		err = memquota_account_error(a);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (!err && timeout <= 0)
			err = -ETIME;
		if (err) {
			__set_current_state(TASK_RUNNING);
			return err;
		}
		schedule_timeout(is_first(a, w) ?
				 min_t(long, timeout, POLL_INTERVAL) : timeout);
	}
}

/**
 * memquota_try_charge_wait - record memory to be allocated, waiting for quota
 * @p: the participant that will hold it
 * @bytes: how much
 * @timeout: how long to wait where a hard limit refuses, in jiffies;
 *	MAX_SCHEDULE_TIMEOUT for as long as it takes
 *
 * Who waits is served in the order of arrival, for each limit. While anyone
 * waits the CPUs' caches are drained every 10 ms. Bytes that wait for the
 * tracker count as charged for reclaim.
 *
 * Context: may sleep. Not from a callback of memquota's.
 *
 * Return: 0, or
 * -ETIME: a hard limit, still so after @timeout;
 * -EINTR: a fatal signal came;
 * and what memquota_try_charge() returns but -EDQUOT.
 */
int memquota_try_charge_wait(struct memquota_participant *p, size_t bytes,
			     long timeout)
{
	struct waiter w = { .task = current, .bytes = bytes };
	struct memquota_account *a;
	int err;

	might_sleep();
	memquota_debug_charge();
	if (!memquota_counts_nothing(p) &&
	    memquota_slot_take(READ_ONCE(p->slot) + MEMQUOTA_SLOT_AVAIL, p, bytes))
		return 0;
	err = memquota_charge_by(p, bytes, CHARGE_REFUSABLE);
	if (err <= 0)
		return err;
	a = memquota_account_of(p);
	if (!a)
		return -ESHUTDOWN;
	INIT_LIST_HEAD(&w.all);
	INIT_LIST_HEAD(&w.of_tracker);
	INIT_LIST_HEAD(&w.of_account);
	err = wait_turn(p, a, bytes, &w, err, timeout);
	dequeue(a, &w);
	if (err == -ETIME)
		atomic64_add_unless(&a->refused, 1, -1);
	memquota_account_unref(a);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_try_charge_wait);
