// SPDX-License-Identifier: GPL-2.0
/*
 * The total of a tracker.
 *
 * The total is above the CPUs' shares: a share that runs dry takes bytes from it,
 * and one that grows too full gives them back.
 */
#include <linux/export.h>
#include <linux/rculist.h>
#include <linux/workqueue.h>
#include "total.h"
#include "trace.h"

struct workqueue_struct *memquota_wq;
struct workqueue_struct *memquota_reclaim_wq;

static struct memquota_tracker *default_tracker;

/**
 * DOC: Trackers that the shrinker visits
 *
 * memquota_holders has the trackers whose total is not 0, and some whose total
 * has fallen to 0 since the shrinker was called. The shrinker walks it in an RCU
 * read-side section, so a tracker is freed a grace period after it was removed.
 *
 * A charge raises the total, with a full barrier, before it reads
 * holds. memquota_holders_remove() clears that, with a full barrier,
 * before it reads the total. So a tracker that holds something is in the list,
 * or is about to be added.
 *
 * A tracker may be added again before the grace period is over. A walk that
 * stands on it then goes on at the end of the list, and leaves out the others
 * once.
 */
LIST_HEAD(memquota_holders);
static DEFINE_RAW_SPINLOCK(holders_lock);

/**
 * memquota_default_tracker - return the tracker that counts from load on
 *
 * Context: any.
 * Return: a handle that is valid as long as memquota is loaded. The caller must
 * not destroy it. Where memquota is built in, it is null until subsys_initcall().
 */
struct memquota_tracker *memquota_default_tracker(void)
{
	return READ_ONCE(default_tracker);
}
EXPORT_SYMBOL_GPL(memquota_default_tracker);

void memquota_set_default_tracker(struct memquota_tracker *t)
{
	WRITE_ONCE(default_tracker, t);
}

/* Freeing a tracker sleeps, and an RCU callback may drop the last reference. */
void memquota_tracker_unref(struct memquota_tracker *t)
{
	/* After a grace period, since the shrinker may look at the tracker. */
	if (refcount_dec_and_test(&t->refs))
		queue_rcu_work(memquota_wq, &t->free);
}

/*
 * Have the tracker's worker run now, or once more if it is running: there is
 * news for reclaim. Any context but NMI, hard interrupts on PREEMPT_RT included.
 * The caller must not hold the scheduler's locks; charges queue
 * tracker->irq_work instead.
 */
void memquota_reclaim_kick(struct memquota_tracker *t)
{
	mod_delayed_work(memquota_reclaim_wq, &t->reclaim.work, 0);
}

/*
 * Have the tracker refuse charges and joins, since memory use must not go on
 * unbounded when the accounting is wrong (rule T6). Any context but NMI.
 */
void memquota_tracker_poison(struct memquota_tracker *t, const char *why)
{
	if (cmpxchg(&t->state, MEMQUOTA_COUNTING, MEMQUOTA_POISONED) !=
	    MEMQUOTA_COUNTING)
		return;
	WARN(1, "memquota: tracker %s: poisoned: %s\n", t->name, why);
	WRITE_ONCE(t->waitq.check_all, true);
	WRITE_ONCE(t->reclaim.draining, true);
	irq_work_queue(&t->irq_work);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_tracker_poison);

void memquota_total_sub(struct memquota_tracker *t, u64 bytes)
{
	s64 total = atomic64_sub_return(bytes, &t->total);

	if (unlikely(total < 0))
		memquota_tracker_poison(t, "total below zero");
	memquota_watch_total_fell(&t->watch, total);
	trace_memquota_total(t, -(s64)bytes);
	/* Pairs with set_current_state() in waiter_wait(). */
	if (unlikely(READ_ONCE(t->waitq.nr_queued)))
		irq_work_queue(&t->irq_work);
}

static noinline void holders_add(struct memquota_tracker *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&holders_lock, flags);
	if (!t->holds && READ_ONCE(t->state) != MEMQUOTA_GONE) {
		WRITE_ONCE(t->holds, true);
		list_add_tail_rcu(&t->pressure.node, &memquota_holders);
	}
	raw_spin_unlock_irqrestore(&holders_lock, flags);
}

/* Remove a tracker that holds nothing, or is gone. Any context but NMI. */
void memquota_holders_remove(struct memquota_tracker *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&holders_lock, flags);
	if (!t->holds)
		goto out;
	WRITE_ONCE(t->holds, false);
	/* Pairs with the exchange in memquota_total_add(). */
	smp_mb();
	if (memquota_tracker_total(t) && READ_ONCE(t->state) != MEMQUOTA_GONE)
		WRITE_ONCE(t->holds, true);
	else
		list_del_rcu(&t->pressure.node);
out:
	raw_spin_unlock_irqrestore(&holders_lock, flags);
}

/*
 * Have the first task in the account's queue woken; and with @check_all, each
 * task of the account whose wait has ended. Any context but NMI. The caller has
 * a full barrier between what it changed and this call. It holds a reference to
 * the account, or has interrupts off.
 */
void memquota_account_notify_waiters(struct memquota_account *a, bool check_all)
{
	struct memquota_account_waitq *aq = READ_ONCE(a->waitq);

	if (!aq || !(check_all ? READ_ONCE(aq->nr) : READ_ONCE(aq->nr_queued)))
		return;
	if (check_all)
		WRITE_ONCE(aq->check_all, true);
	/* Full barriers, here and in waitq_wake_notified(). */
	if (xchg(&aq->is_notified, true))
		return;
	/* Without a reference no task waits. */
	if (!refcount_inc_not_zero(&a->refs))
		return;
	llist_add(&aq->notified, &a->tracker->waitq.notified);
	irq_work_queue(&a->tracker->irq_work);
}

/*
 * Add @need bytes to the total, and @extra if that passes no limit. Return
 * whether @need could be added; *@added is the sum of what was.
 */
bool memquota_total_add(struct memquota_tracker *t, u64 need, u64 extra,
			bool refusable, u64 *added)
{
	s64 total = atomic64_read(&t->total);
	u64 max = READ_ONCE(t->max);
	u64 limit = refusable ? min(max, MEMQUOTA_TOTAL_MAX) :
				MEMQUOTA_TOTAL_MAX;
	u64 add;

	*added = 0;
	do {
		add = need + extra;
		if (total + add > max)
			add = need;
		if (total + add > limit)
			return false;
		if (!add)
			return true;
	} while (!atomic64_try_cmpxchg(&t->total, &total, total + add));

	*added = add;
	total += add;
	trace_memquota_total(t, add);
	/* Racy: of two new peaks that are stored at once the lower may stay. */
	if (total > READ_ONCE(t->peak))
		WRITE_ONCE(t->peak, total);
	/*
	 * The exchange is a full barrier, so that the total is raised before
	 * @holds and @awake are read. Pairs with the barriers in
	 * memquota_holders_remove() and worker_rearm().
	 */
	if (unlikely(!READ_ONCE(t->holds)))
		holders_add(t);
	if (unlikely(total > READ_ONCE(t->high)) &&
	    !READ_ONCE(t->reclaim.awake))
		irq_work_queue(&t->irq_work);
	memquota_watch_total_rose(&t->watch, total);
	return true;
}
