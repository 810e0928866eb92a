// SPDX-License-Identifier: GPL-2.0
/*
 * Watches: marks on a tracker's total or on an account's word, in bytes. A mark
 * is crossed when the use goes above it, and again only after the use was at or
 * below its rearm mark.
 *
 * A watch caches the two marks next to the use: the lowest armed one above it
 * and the highest to rearm below it. A charge or an uncharge compares the new
 * use with these two alone. If one is passed, it queues an irq_work, since its
 * caller may hold any lock (rule X1). The work item that follows walks all marks
 * and caches the next two. An account whose word has no ACCOUNT_SPECIAL, because
 * it never had a mark, is not compared at all.
 *
 * A charge raises the use, with a full barrier, before it reads the cached
 * marks; the walk writes the cached marks before it reads the use again. So
 * either the charge sees the new marks, or the walk sees the new use.
 */
#include <linux/kernel.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "record.h"
#include "sum.h"
#include "total.h"

/**
 * DOC: What keeps a watch
 *
 * A tracker's watch is part of the tracker. tracker_free() waits for its
 * irq_work and its work item. It has no marks by then, because each threshold
 * holds the tracker, so the walk queues no further one.
 *
 * An account's watch is freed with the account. memquota_watch_notify() takes a
 * reference to the account that watch_work() drops. The account still has one
 * at that time: the caller holds it, or is a charge in an RCU read-side section
 * with a record, whose reference to the account is dropped after a grace
 * period. After watch_irq_work() only the interrupt that ran it accesses the
 * irq_work. RCU frees the account's memory, and that interrupt is a read-side
 * section. The irq_work is a hard one, so this holds on PREEMPT_RT too.
 */

/**
 * DOC: Which charges compare
 *
 * The atomic operation that changes an account's word returns ACCOUNT_SPECIAL
 * with it. memquota_watch_add() sets that bit before it walks the marks. A
 * change that did not see the bit comes before it in the order of the word, so
 * the walk sees the change.
 */

/*
 * Never negative, though the total of a poisoned tracker may be: a negative use
 * would find no mark to cross or to arm, and the walk would never end.
 */
static u64 watch_use(struct memquota_watch *w)
{
	u64 word;

	if (!w->account)
		return max_t(s64, memquota_tracker_total(w->tracker), 0);
	word = atomic64_read(&w->account->word);
	return word & ACCOUNT_CLOSED ? 0 : word & ACCOUNT_USED;
}

/*
 * Queue a walk of the marks. Any context but NMI. An account's walk holds a
 * reference of the account until it is done.
 */
void memquota_watch_notify(struct memquota_watch *w)
{
	/* Without a reference the account is being freed, and its marks are gone. */
	if (w->account && !refcount_inc_not_zero(&w->account->refs))
		return;
	if (!irq_work_queue(&w->irq_work) && w->account)
		memquota_account_unref(w->account);
}

static void watch_irq_work(struct irq_work *irq_work)
{
	struct memquota_watch *w = container_of(irq_work, struct memquota_watch,
						irq_work);

	if (!queue_work(memquota_wq, &w->work) && w->account)
		memquota_account_unref(w->account);
}

static void watch_cache_marks(struct memquota_watch *w, u64 above, s64 below)
{
	lockdep_assert_held(&w->lock);
	WRITE_ONCE(w->above, above);
	WRITE_ONCE(w->below, below);
	/*
	 * Pairs with the atomic operations that raise or lower the use before
	 * the cached marks are read: see at the top.
	 */
	smp_mb();
}

/* Report the crossed marks, and cache the two next to the use. */
static void watch_walk_locked(struct memquota_watch *w)
{
	u64 use = watch_use(w), above = U64_MAX;
	struct memquota_mark *mark;
	s64 below = 0;

	lockdep_assert_held(&w->lock);
	list_for_each_entry(mark, &w->marks, node) {
		if (mark->armed && use > mark->above_bytes) {
			mark->armed = false;
			mark->crossed(mark);
		} else if (!mark->armed && use <= mark->rearm_bytes) {
			mark->armed = true;
		}
		if (mark->armed)
			above = min(above, mark->above_bytes);
		else
			below = max_t(s64, below, mark->rearm_bytes + 1);
		cond_resched();
	}
	watch_cache_marks(w, above, below);
	use = watch_use(w);
	if (use > above || (s64)use < below)
		memquota_watch_notify(w);
}

static void watch_work(struct work_struct *work)
{
	struct memquota_watch *w = container_of(work, struct memquota_watch,
						work);

	mutex_lock(&w->lock);
	watch_walk_locked(w);
	mutex_unlock(&w->lock);
	if (w->account) {
		if (memquota_account_closed(w->account))
			memquota_wake_pollers(&w->pollers, EPOLLHUP | EPOLLIN |
					      EPOLLRDNORM);
		memquota_account_unref(w->account);
	}
}

/* Initialize the watch of @a, or of @t where @a is NULL. */
void memquota_watch_init(struct memquota_watch *w, struct memquota_tracker *t,
			 struct memquota_account *a)
{
	w->above = U64_MAX;
	w->tracker = t;
	w->account = a;
	w->irq_work = IRQ_WORK_INIT_HARD(watch_irq_work);
	INIT_WORK(&w->work, watch_work);
	mutex_init(&w->lock);
	INIT_LIST_HEAD(&w->marks);
	init_waitqueue_head(&w->pollers);
}

/*
 * Return the watch of an account, allocated by the first call and freed with
 * the account; NULL if there is no memory for it. May sleep.
 */
struct memquota_watch *memquota_watch_account(struct memquota_account *a)
{
	struct memquota_watch *w, *other;

	/* Pairs with the exchange below. */
	w = smp_load_acquire(&a->watch);
	if (w)
		return w;
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return NULL;
	memquota_watch_init(w, a->tracker, a);
	/* A full barrier: a reader of the pointer sees the watch initialized. */
	other = cmpxchg(&a->watch, NULL, w);
	if (other) {
		kfree(w);
		return other;
	}
	return w;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_watch_account);

/* Add a mark, armed; it is crossed at once if the use is above it. May sleep. */
void memquota_watch_add(struct memquota_watch *w, struct memquota_mark *mark)
{
	if (w->account) {
		/* First, so that the use is all that the account holds. */
		memquota_account_count(w->account);
		/* A full barrier: a change that sees the bit sees the watch. */
		atomic64_fetch_or(ACCOUNT_SPECIAL, &w->account->word);
	}
	mutex_lock(&w->lock);
	mark->armed = true;
	list_add(&mark->node, &w->marks);
	watch_walk_locked(w);
	mutex_unlock(&w->lock);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_watch_add);

/* Remove a mark. Its @crossed is not called again. May sleep. */
void memquota_watch_remove(struct memquota_watch *w, struct memquota_mark *mark)
{
	mutex_lock(&w->lock);
	list_del(&mark->node);
	watch_walk_locked(w);
	mutex_unlock(&w->lock);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_watch_remove);
