// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for quota (rule T10).
 *
 * A task waits in the queue of each limit that refused it, the account's or the
 * tracker's. Of the tasks in an account's queue only the first can be in the
 * tracker's. A task that is first in its queues tries to charge. While any task
 * waits, charges that miss their slot are refused if they can be, so that only
 * cache slots let a charge overtake.
 */
#include <linux/export.h>
#include <linux/sched/signal.h>
#include "charge.h"
#include "record.h"

/* How often the first task in a queue drains the caches and tries, in jiffies. */
#define POLL_INTERVAL		max(HZ / 100, 1)

struct waiter {
	struct task_struct *task;
	u64 bytes;
	/* waitq->lock */
	struct list_head all;		/* in waitq->all */
	struct list_head of_tracker;	/* in waitq->tracker_queue */
	struct list_head of_account;	/* in account->waiters */
};

void memquota_waitq_setup(struct memquota_waitq *q)
{
	raw_spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->all);
	INIT_LIST_HEAD(&q->tracker_queue);
}

static void tracker_queue_wake_first(struct memquota_waitq *q)
{
	struct waiter *w = list_first_entry_or_null(&q->tracker_queue,
						    struct waiter, of_tracker);

	if (w)
		wake_up_process(w->task);
}

static void account_queue_wake_first(struct memquota_account *a)
{
	struct waiter *w = list_first_entry_or_null(&a->waiters, struct waiter,
						    of_account);

	if (w)
		wake_up_process(w->task);
}

/*
 * Wake the first task in the tracker's queue, since quota came free; or all
 * tasks if an account or the tracker has ended. Any context but NMI.
 */
void memquota_wake_waiters(struct memquota_tracker *t)
{
	struct memquota_waitq *q = &t->waitq;
	struct waiter *w;
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	if (xchg(&q->wake_all, false))
		list_for_each_entry(w, &q->all, all)
			wake_up_process(w->task);
	else
		tracker_queue_wake_first(q);
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

static void waiter_leave_tracker_locked(struct memquota_waitq *q,
					struct waiter *w)
{
	lockdep_assert_held(&q->lock);
	if (list_empty(&w->of_tracker))
		return;
	list_del_init(&w->of_tracker);
	WRITE_ONCE(q->bytes, q->bytes - w->bytes);
	tracker_queue_wake_first(q);
}

static void waiter_enqueue(struct memquota_account *a, struct waiter *w, int by)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_waitq *q = &t->waitq;
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	if (list_empty(&w->all)) {
		list_add_tail(&w->all, &q->all);
		WRITE_ONCE(q->nr, q->nr + 1);
		memquota_cache_limits(t);
	}
	if (by == REFUSED_BY_ACCOUNT) {
		if (list_empty(&w->of_account))
			list_add_tail(&w->of_account, &a->waiters);
		/* Otherwise it would hold up tasks that only the tracker refused. */
		waiter_leave_tracker_locked(q, w);
	}
	if (by == REFUSED_BY_TRACKER && list_empty(&w->of_tracker)) {
		list_add_tail(&w->of_tracker, &q->tracker_queue);
		WRITE_ONCE(q->bytes, q->bytes + w->bytes);
	}
	raw_spin_unlock_irqrestore(&q->lock, flags);
	/* Its bytes count as charged, so the total may now be above high. */
	if (!READ_ONCE(t->reclaim.awake))
		irq_work_queue(&t->irq_work);
}

static void waiter_dequeue(struct memquota_account *a, struct waiter *w)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_waitq *q = &t->waitq;
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	list_del(&w->all);
	WRITE_ONCE(q->nr, q->nr - 1);
	memquota_cache_limits(t);
	waiter_leave_tracker_locked(q, w);
	if (!list_empty(&w->of_account)) {
		list_del(&w->of_account);
		account_queue_wake_first(a);
	}
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

static bool waiter_is_first(struct memquota_account *a, struct waiter *w)
{
	struct memquota_waitq *q = &a->tracker->waitq;
	unsigned long flags;
	bool first;

	raw_spin_lock_irqsave(&q->lock, flags);
	first = (list_empty(&w->of_tracker) ||
		 list_first_entry(&q->tracker_queue, struct waiter,
				  of_tracker) == w) &&
		(list_empty(&w->of_account) ||
		 list_first_entry(&a->waiters, struct waiter, of_account) == w);
	raw_spin_unlock_irqrestore(&q->lock, flags);
	return first;
}

/*
 * Return why a task that waits for @bytes must end its wait: the account's
 * error, or -EDQUOT if no reclaim can make room for so much; or 0.
 */
static int wait_error(const struct memquota_account *a, u64 bytes)
{
	int err = memquota_account_error(a);

	if (!err && (bytes > READ_ONCE(a->max) ||
		     bytes > READ_ONCE(a->tracker->max)))
		err = -EDQUOT;
	return err;
}

/* Return 0 or an errno. @by is the limit that refused the charge. */
static int waiter_wait(struct memquota_participant *p,
		       struct memquota_account *a, u64 bytes, struct waiter *w,
		       int by, long timeout)
{
	unsigned long end = jiffies + timeout;
	bool forever = timeout == MAX_SCHEDULE_TIMEOUT;
	int err;

	for (;;) {
		waiter_enqueue(a, w, by);
		set_current_state(TASK_KILLABLE);
		if (waiter_is_first(a, w)) {
			__set_current_state(TASK_RUNNING);
			memquota_drain_shared(a->tracker);
			err = memquota_charge_as(p, bytes, CHARGE_WAITER);
			if (err <= 0)
				return err;
			by = err;
			set_current_state(TASK_KILLABLE);
			waiter_enqueue(a, w, by);
		}
		if (!forever)
			timeout = end - jiffies;
		err = wait_error(a, bytes);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (!err && timeout <= 0)
			err = -ETIME;
		if (err) {
			__set_current_state(TASK_RUNNING);
			return err;
		}
		schedule_timeout(waiter_is_first(a, w) ?
				 min_t(long, timeout, POLL_INTERVAL) : timeout);
	}
}

/**
 * memquota_try_charge_wait - charge, and wait at a hard limit
 * @p: the participant that will hold the memory
 * @bytes: how much to charge
 * @timeout: how long to wait where a hard limit refuses, in jiffies;
 *	MAX_SCHEDULE_TIMEOUT for as long as it takes
 *
 * Each limit serves the tasks that wait at it in the order of their arrival.
 * While any task waits, the CPUs' caches are drained every 10 ms. Reclaim counts
 * bytes that wait for the tracker as charged.
 *
 * Context: may sleep. Not from a callback of memquota's.
 *
 * Return:
 * * 0 - charged
 * * %-EDQUOT - @bytes is above the tracker's or the account's ``max``, at the
 *   call or after a ``max`` was changed, so that no reclaim can make room
 * * %-ETIME - a hard limit refused it, and still did after @timeout
 * * %-EINTR - a fatal signal is pending
 * * another error of memquota_try_charge()
 */
int memquota_try_charge_wait(struct memquota_participant *p, size_t bytes,
			     long timeout)
{
	struct waiter w = { .task = current, .bytes = bytes };
	struct memquota_account *a;
	int err, refused_by;

	might_sleep();
	memquota_debug_charge();
	if (!memquota_counts_nothing(p) &&
	    memquota_slot_take(READ_ONCE(p->slot) + MEMQUOTA_SLOT_AVAIL, p, bytes))
		return 0;
	refused_by = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	if (refused_by <= 0)
		return refused_by;
	a = memquota_account_of(p);
	if (!a)
		return -ESHUTDOWN;
	/* Keep a request that cannot be served out of the queues. */
	err = wait_error(a, bytes);
	if (!err) {
		INIT_LIST_HEAD(&w.all);
		INIT_LIST_HEAD(&w.of_tracker);
		INIT_LIST_HEAD(&w.of_account);
		err = waiter_wait(p, a, bytes, &w, refused_by, timeout);
		waiter_dequeue(a, &w);
	}
	if (err == -ETIME || err == -EDQUOT)
		atomic64_add_unless(&a->refused, 1, -1);
	memquota_account_unref(a);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_try_charge_wait);
