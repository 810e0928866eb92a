// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for quota (rule T10).
 *
 * A task waits in the queue of each limit that refused it, the account's or the
 * tracker's. A task that is first in its queues tries to charge. Of the tasks in
 * an account's queue only the first can be in the tracker's. While a task is in
 * a queue, refusable charges that miss their slot are refused at that limit, and
 * slots are not refilled: all slots of the tracker, or those of the account. So
 * only what a slot still has lets a charge overtake.
 */
#include <linux/export.h>
#include <linux/freezer.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include "account.h"
#include "charge.h"
#include "record.h"
#include "total.h"

/**
 * DOC: Waking the tasks that wait
 *
 * A task sleeps until one of these writes makes its charge possible, or ends
 * its wait. Each writer has a full barrier between its write and its look at
 * the queue::
 *
 *	write					barrier			wakes
 *	memquota_total_sub() lowers the total	atomic with result	T
 *	memquota_tracker_configure() sets max	waitq.lock, irq_work	T, all
 *	memquota_account_lose() lowers a word	atomic with result	A
 *	memquota_account_set_max()		smp_mb()		A, its
 *	memquota_account_close()		atomic with result	its
 *	memquota_tracker_poison()		cmpxchg			all
 *	memquota_tracker_destroy()		closes each account	its
 *
 *	T: the first task in the tracker's queue; A: the first task in the account's
 *	its, all: those tasks of the account, or of all accounts, whose wait has
 *	ended with an error
 *
 * The partner is set_current_state() in waiter_wait(). The task enters its
 * queues, has that barrier, then reads state and limits in wait_error(), and
 * words and total in memquota_charge_as(). So the task sees the write, or the
 * writer sees the task. A task that is refused by the other limit enters that
 * queue, and goes through all of this again before it sleeps. A task that
 * becomes the first is woken by the one that leaves, in the same critical
 * section of waitq.lock.
 *
 * No uncharge goes unnoticed, because no slot takes it up: record_visit() fills
 * the slots of an account with nothing while nr_queued of its queue is not zero,
 * and those of a whole tracker while slot_bytes is zero. A direct uncharge
 * settles the share while cpu_bytes is zero. Bytes that a CPU took into its cache
 * before that, or in a visit that had read the old size, lower nothing when they
 * are uncharged. For these alone the first task drains when it becomes the
 * first, and again after 10 ms, 20 ms, 40 ms and so on: one of the drains follows
 * the last such visit. slot_refill() moves bytes between such a slot and the
 * share without waking anything, and the same drain finds them.
 *
 * Writers may hold any lock, so they queue an irq_work. It wakes the first task
 * in the tracker's queue, and has a work item wake the tasks of accounts. The
 * work item takes references to up to MEMQUOTA_BATCH tasks under waitq.lock, and
 * wakes them after that lock was dropped. At most MEMQUOTA_BATCH entries are
 * looked at with interrupts off, however many tasks wait.
 *
 * A task can be frozen while it waits. A frozen task that becomes the first in a
 * queue is removed from it, so that it does not stop the tasks behind it. When
 * it thaws, it enters the queue again, as the last.
 */

/* How soon the first task in a queue repeats its first drain, in jiffies. */
#define DRAIN_AGAIN		max(HZ / 100, 1)

/* Return whether the task was in the tracker's queue. */
static bool waiter_leave_tracker_locked(struct memquota_tracker *t,
					struct memquota_waiter *w)
{
	struct memquota_waitq *q = &t->waitq;

	lockdep_assert_held(&q->lock);
	if (list_empty(&w->of_tracker))
		return false;
	list_del_init(&w->of_tracker);
	WRITE_ONCE(q->bytes, q->bytes - w->bytes);
	WRITE_ONCE(q->nr_queued, q->nr_queued - 1);
	if (!q->nr_queued)
		memquota_cache_limits(t);
	return true;
}

/* Return whether the task was in the account's queue. */
static bool waiter_leave_account_locked(struct memquota_account *a,
					struct memquota_waiter *w)
{
	lockdep_assert_held(&a->tracker->waitq.lock);
	if (list_empty(&w->of_account))
		return false;
	list_del_init(&w->of_account);
	WRITE_ONCE(a->waitq->nr_queued, a->waitq->nr_queued - 1);
	return true;
}

static bool waiter_is_frozen(const struct memquota_waiter *w)
{
	return READ_ONCE(w->task->__state) & TASK_FROZEN;
}

/*
 * Return the first task in the tracker's queue, or NULL. Remove up to
 * MEMQUOTA_BATCH frozen tasks before it. Each is woken, since on some kernels a
 * task sleeps on when it thaws.
 */
static struct memquota_waiter *
tracker_first_waiter_locked(struct memquota_tracker *t)
{
	struct memquota_waiter *w;
	unsigned int n = 0;

	while ((w = list_first_entry_or_null(&t->waitq.queue,
					     struct memquota_waiter,
					     of_tracker)) &&
	       n++ < MEMQUOTA_BATCH && waiter_is_frozen(w)) {
		waiter_leave_tracker_locked(t, w);
		wake_up_process(w->task);
	}
	return w;
}

/* Likewise for the account's queue. */
static struct memquota_waiter *
account_first_waiter_locked(struct memquota_account *a)
{
	struct memquota_waiter *w;
	unsigned int n = 0;

	while ((w = list_first_entry_or_null(&a->waitq->queue,
					     struct memquota_waiter,
					     of_account)) &&
	       n++ < MEMQUOTA_BATCH && waiter_is_frozen(w)) {
		waiter_leave_account_locked(a, w);
		wake_up_process(w->task);
	}
	return w;
}

/* A task that froze before it was woken is removed in the next call. */
static void tracker_wake_first_locked(struct memquota_tracker *t)
{
	struct memquota_waiter *w = tracker_first_waiter_locked(t);

	if (!w)
		return;
	wake_up_process(w->task);
	if (unlikely(waiter_is_frozen(w)))
		irq_work_queue(&t->irq_work);
}

static void account_wake_first_locked(struct memquota_account *a)
{
	struct memquota_waiter *w = account_first_waiter_locked(a);

	if (!w)
		return;
	wake_up_process(w->task);
	if (unlikely(waiter_is_frozen(w)))
		memquota_account_notify_waiters(a, false);
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

/*
 * Collect the next tasks of the account whose wait has ended, each with a
 * reference. Return whether there may be more.
 */
static bool account_collect_ended(struct memquota_account *a,
				  struct task_struct **tasks, unsigned int *nr)
{
	struct memquota_account_waitq *aq = a->waitq;
	struct memquota_waiter *w;
	unsigned int seen;

	*nr = 0;
	raw_spin_lock_irq(&a->tracker->waitq.lock);
	for (seen = 0; seen < MEMQUOTA_BATCH; seen++) {
		w = list_first_entry_or_null(&aq->tasks, struct memquota_waiter,
					     tasks);
		if (!w || w->walk == aq->walk)
			break;
		w->walk = aq->walk;
		list_move_tail(&w->tasks, &aq->tasks);
		if (wait_error(a, w->bytes))
			tasks[(*nr)++] = get_task_struct(w->task);
	}
	raw_spin_unlock_irq(&a->tracker->waitq.lock);
	return seen == MEMQUOTA_BATCH;
}

static void account_wake_ended(struct memquota_account *a)
{
	struct task_struct *tasks[MEMQUOTA_BATCH];
	unsigned int nr;
	bool more;

	a->waitq->walk++;
	do {
		more = account_collect_ended(a, tasks, &nr);
		while (nr) {
			wake_up_process(tasks[--nr]);
			put_task_struct(tasks[nr]);
		}
		cond_resched();
	} while (more);
}

/* The state or the limits of the tracker have changed. */
static void tracker_wake_ended(struct memquota_tracker *t)
{
	struct memquota_account *a;
	u64 id = 0;

	while ((a = memquota_account_next(t, id))) {
		id = a->id + 1;
		if (READ_ONCE(a->waitq))
			account_wake_ended(a);
		memquota_account_unref(a);
		cond_resched();
	}
}

static void waitq_wake_notified(struct work_struct *work)
{
	struct memquota_waitq *q = container_of(work, struct memquota_waitq,
						work);
	struct memquota_tracker *t = container_of(q, struct memquota_tracker,
						  waitq);
	struct memquota_account_waitq *aq, *next;
	struct memquota_account *a;

	if (xchg(&q->check_all, false) && READ_ONCE(q->nr))
		tracker_wake_ended(t);
	llist_for_each_entry_safe(aq, next, llist_del_all(&q->notified),
				  notified) {
		a = aq->account;
		/* From here on the account can be notified again. */
		xchg(&aq->is_notified, false);
		if (xchg(&aq->check_all, false))
			account_wake_ended(a);
		raw_spin_lock_irq(&q->lock);
		account_wake_first_locked(a);
		raw_spin_unlock_irq(&q->lock);
		memquota_account_unref(a);
		cond_resched();
	}
}

void memquota_waitq_setup(struct memquota_waitq *q)
{
	raw_spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->queue);
	init_llist_head(&q->notified);
	INIT_WORK(&q->work, waitq_wake_notified);
}

/*
 * Wake the first task in the tracker's queue, and the tasks of accounts that
 * were notified. Any context but NMI.
 */
void memquota_wake_waiters(struct memquota_tracker *t)
{
	struct memquota_waitq *q = &t->waitq;
	unsigned long flags;

	if (READ_ONCE(q->check_all) || !llist_empty(&q->notified))
		queue_work(memquota_wq, &q->work);
	if (!READ_ONCE(q->nr_queued))
		return;
	raw_spin_lock_irqsave(&q->lock, flags);
	tracker_wake_first_locked(t);
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

/* Return the account's queue, or NULL if there is no memory for one. */
static struct memquota_account_waitq *
account_waitq_get(struct memquota_account *a)
{
	struct memquota_account_waitq *aq = READ_ONCE(a->waitq), *other;
	raw_spinlock_t *lock = &a->tracker->waitq.lock;

	if (aq)
		return aq;
	aq = kzalloc(sizeof(*aq), GFP_KERNEL_ACCOUNT);
	if (!aq)
		return NULL;
	aq->account = a;
	aq->drained = jiffies - HZ;
	INIT_LIST_HEAD(&aq->queue);
	INIT_LIST_HEAD(&aq->tasks);
	raw_spin_lock_irq(lock);
	other = a->waitq;
	if (!other)
		/* Pairs with the address dependency of its readers. */
		smp_store_release(&a->waitq, aq);
	raw_spin_unlock_irq(lock);
	if (!other)
		return aq;
	kfree(aq);
	return other;
}

/* Enter the queue of the limit that refused the task, unless it is in it. */
static void waiter_enqueue(struct memquota_account *a,
			   struct memquota_waiter *w, int refused_by)
{
	struct memquota_account_waitq *aq = a->waitq;
	struct memquota_tracker *t = a->tracker;
	struct memquota_waitq *q = &t->waitq;
	bool entered = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	if (list_empty(&w->tasks)) {
		list_add_tail(&w->tasks, &aq->tasks);
		WRITE_ONCE(aq->nr, aq->nr + 1);
		WRITE_ONCE(q->nr, q->nr + 1);
	}
	if (refused_by == REFUSED_BY_ACCOUNT) {
		if (list_empty(&w->of_account)) {
			list_add_tail(&w->of_account, &aq->queue);
			WRITE_ONCE(aq->nr_queued, aq->nr_queued + 1);
		}
		/* Otherwise it would hold up tasks that only the tracker refused. */
		if (waiter_leave_tracker_locked(t, w))
			tracker_wake_first_locked(t);
	} else if (list_empty(&w->of_tracker)) {
		list_add_tail(&w->of_tracker, &q->queue);
		WRITE_ONCE(q->bytes, q->bytes + w->bytes);
		WRITE_ONCE(q->nr_queued, q->nr_queued + 1);
		if (q->nr_queued == 1)
			memquota_cache_limits(t);
		entered = true;
	}
	raw_spin_unlock_irqrestore(&q->lock, flags);
	/*
	 * Its bytes count as charged, so the total may now be above high. To look
	 * at reclaim.awake first would take another full barrier.
	 */
	if (entered)
		irq_work_queue(&t->irq_work);
}

static void waiter_dequeue(struct memquota_account *a,
			   struct memquota_waiter *w)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_waitq *q = &t->waitq;
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	list_del(&w->tasks);
	WRITE_ONCE(a->waitq->nr, a->waitq->nr - 1);
	WRITE_ONCE(q->nr, q->nr - 1);
	if (waiter_leave_tracker_locked(t, w))
		tracker_wake_first_locked(t);
	if (waiter_leave_account_locked(a, w))
		account_wake_first_locked(a);
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

static bool waiter_is_first(struct memquota_account *a,
			    struct memquota_waiter *w)
{
	struct memquota_tracker *t = a->tracker;
	unsigned long flags;
	bool first;

	raw_spin_lock_irqsave(&t->waitq.lock, flags);
	first = (list_empty(&w->of_tracker) ||
		 tracker_first_waiter_locked(t) == w) &&
		(list_empty(&w->of_account) ||
		 account_first_waiter_locked(a) == w);
	raw_spin_unlock_irqrestore(&t->waitq.lock, flags);
	return first;
}

static void waiter_reset_drain(struct memquota_waiter *w)
{
	w->drain_at = jiffies;
	w->drain_interval = DRAIN_AGAIN;
}

/* Drain what counts against the limit that refused the task, if it is time. */
static void waiter_drain(struct memquota_account *a, struct memquota_waiter *w,
			 int refused_by)
{
	if (time_before(jiffies, w->drain_at))
		return;
	if (refused_by == REFUSED_BY_ACCOUNT)
		memquota_account_drain(a);
	else
		memquota_drain_shared(a->tracker);
	w->drain_at = jiffies + w->drain_interval;
	w->drain_interval = min_t(unsigned long, 2 * w->drain_interval,
				  MAX_JIFFY_OFFSET / 2);
}

/* Return 0 or an errno. @refused_by is the limit that refused the charge. */
static int waiter_wait(struct memquota_participant *p,
		       struct memquota_account *a, struct memquota_waiter *w,
		       int refused_by, long timeout)
{
	unsigned long end = jiffies + timeout;
	bool forever = timeout == MAX_SCHEDULE_TIMEOUT, first;
	long left = timeout;
	int err;

	waiter_reset_drain(w);
	for (;;) {
		waiter_enqueue(a, w, refused_by);
		if (waiter_is_first(a, w))
			waiter_drain(a, w, refused_by);

		/* Pairs with the writers in DOC: Waking the tasks that wait. */
		set_current_state(TASK_KILLABLE | TASK_FREEZABLE);
		first = waiter_is_first(a, w);
		err = wait_error(a, w->bytes);
		if (!err)
			err = first ? memquota_charge_as(p, w->bytes,
							 CHARGE_WAITER) :
				      refused_by;
		if (err <= 0)
			break;
		if (err != refused_by) {
			__set_current_state(TASK_RUNNING);
			refused_by = err;
			waiter_reset_drain(w);
			continue;
		}
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		if (!forever)
			left = end - jiffies;
		if (left <= 0) {
			err = -ETIME;
			break;
		}
		schedule_timeout(first ? clamp_t(long, w->drain_at - jiffies, 1,
						 left) : left);
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

/**
 * memquota_try_charge_wait - charge, and wait at a hard limit
 * @p: the participant that will hold the memory
 * @bytes: how much to charge
 * @timeout: how long to wait where a hard limit refuses, in jiffies;
 *	MAX_SCHEDULE_TIMEOUT for as long as it takes
 *
 * Each limit serves the tasks that wait at it in the order of their arrival.
 * Meanwhile no CPU caches quota of that tracker, or of that account. Reclaim
 * counts bytes that wait for the tracker as charged.
 *
 * The task can be frozen while it waits, so it should hold no lock that other
 * tasks need before they can be frozen. A frozen task whose turn comes enters
 * the queue again when it thaws, as the last.
 *
 * Context: may sleep. Not from a callback of memquota's.
 *
 * Return:
 * * 0 - charged
 * * %-EDQUOT - @bytes is above the tracker's or the account's ``max``, at the
 *   call or after a ``max`` was changed, so that no reclaim can make room
 * * %-ETIME - a hard limit refused it, and still did after @timeout
 * * %-EINTR - a fatal signal is pending
 * * %-ENOMEM - it would have to wait, and memquota's own allocation failed
 * * another error of memquota_try_charge()
 */
int memquota_try_charge_wait(struct memquota_participant *p, size_t bytes,
			     long timeout)
{
	struct memquota_waiter w = { .task = current, .bytes = bytes };
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
	if (!err && !account_waitq_get(a))
		err = -ENOMEM;
	if (!err) {
		INIT_LIST_HEAD(&w.of_tracker);
		INIT_LIST_HEAD(&w.of_account);
		INIT_LIST_HEAD(&w.tasks);
		err = waiter_wait(p, a, &w, refused_by, timeout);
		waiter_dequeue(a, &w);
	}
	if (err == -ETIME || err == -EDQUOT)
		atomic64_add_unless(&a->refused, 1, -1);
	memquota_account_unref(a);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_try_charge_wait);
