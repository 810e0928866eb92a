// SPDX-License-Identifier: GPL-2.0
/*
 * Queues: a FIFO of items embedded in the caller's objects, each with a cost
 * and an arrival time.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/timekeeping.h>
#include <memquota/queue.h>

/**
 * DOC: Locking and charging of a queue
 *
 * Sending charges before it takes the queue's lock, and receiving uncharges
 * after it has dropped the lock, so that the lock covers only a few loads and
 * stores. Two states can be seen in between, both harmless:
 *
 * - An item is charged, but the queue has ended meanwhile. The sender sees the
 *   end under the lock and uncharges the item.
 * - An item was received, but is still charged. The account then seems to hold
 *   more than it does, which errs on the safe side.
 */

/* Items that partial reclaim removes per lock hold. */
#define QUEUE_BATCH		32

/* Free a list of items that only the caller can reach; return their cost. */
static u64 queue_free_items(struct memquota_queue *q,
			    struct memquota_item *item)
{
	struct memquota_item *next;
	u64 bytes = 0;

	for (; item; item = next) {
		next = item->next;
		bytes += item->cost_bytes;
		q->free_item(q, item);
	}
	return bytes;
}

#ifdef CONFIG_PREEMPT_RT
/*
 * A task that spins in memquota_queue_unhook() may have preempted the task that
 * calls the hook, which would then never return. A lock lends it the priority.
 * A hook may end another queue, which lockdep would take for a recursion.
 */
static void queue_lock_hooks(struct memquota_queue *q)
{
	lockdep_off();
	spin_lock(&q->hooks_lock);
	lockdep_on();
}

static void queue_unlock_hooks(struct memquota_queue *q)
{
	lockdep_off();
	spin_unlock(&q->hooks_lock);
	lockdep_on();
}

static void queue_init_hooks_lock(struct memquota_queue *q)
{
	spin_lock_init(&q->hooks_lock);
}

static void queue_await_hook(struct memquota_queue *q)
{
	queue_lock_hooks(q);
	queue_unlock_hooks(q);
}
#else
static void queue_lock_hooks(struct memquota_queue *q)
{
}

static void queue_unlock_hooks(struct memquota_queue *q)
{
}

static void queue_init_hooks_lock(struct memquota_queue *q)
{
}

static void queue_await_hook(struct memquota_queue *q)
{
	cpu_relax();
}
#endif

/*
 * Remove the hooks from the list one by one and call each. A hook is thus
 * either on the list, or in @calling, or done, and memquota_queue_unhook() can
 * tell which.
 *
 * memquota_queue_unhook() may spin in a softirq until the call returns. Bottom
 * halves are off, so that this softirq cannot have interrupted the call.
 * Disabled interrupts keep softirqs off already, and local_bh_enable() is not
 * allowed there.
 */
static void queue_call_hooks(struct memquota_queue *q, int reason)
{
	bool off = irqs_disabled();
	struct memquota_queue_hook *hook;
	unsigned long flags;

	if (!off)
		local_bh_disable();
	queue_lock_hooks(q);
	for (;;) {
		spin_lock_irqsave(&q->lock, flags);
		hook = list_first_entry_or_null(&q->hooks,
						struct memquota_queue_hook,
						node);
		if (hook)
			list_del_init(&hook->node);
		q->calling = hook;
		spin_unlock_irqrestore(&q->lock, flags);
		if (!hook)
			break;
		hook->ended(hook, reason);
	}
	queue_unlock_hooks(q);
	if (!off)
		local_bh_enable();
}

/* End the queue. Only the first call for a queue has an effect. */
void __memquota_queue_end(struct memquota_queue *q, int reason)
{
	struct memquota_item *items;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	if (q->reason) {
		spin_unlock_irqrestore(&q->lock, flags);
		return;
	}
	WRITE_ONCE(q->reason, reason);
	items = q->head;
	q->head = NULL;
	spin_unlock_irqrestore(&q->lock, flags);

	memquota_uncharge(&q->participant, queue_free_items(q, items));
	/* Without a key, it wakes pollers of any event. */
	wake_up_all(&q->wait);
	queue_call_hooks(q, reason);
}
EXPORT_SYMBOL_GPL(__memquota_queue_end);

static void queue_reclaim_all(struct memquota_participant *p,
			      const struct memquota_request *request)
{
	memquota_queue_collapse(container_of(p, struct memquota_queue,
					     participant));
}

static void queue_reclaim_oldest(struct memquota_participant *p,
				 const struct memquota_request *request)
{
	struct memquota_queue *q =
		container_of(p, struct memquota_queue, participant);
	struct memquota_item **end, *items;
	u64 want = request->want_bytes, bytes;
	unsigned long flags;
	unsigned int n;

	do {
		bytes = 0;
		n = 0;
		spin_lock_irqsave(&q->lock, flags);
		for (end = &q->head; *end && n < QUEUE_BATCH && bytes < want;
		     end = &(*end)->next) {
			if ((*end)->arrival_ns > request->until_ns)
				break;
			bytes += (*end)->cost_bytes;
			n++;
		}
		items = NULL;
		if (n) {
			items = q->head;
			q->head = *end;
			*end = NULL;
		}
		spin_unlock_irqrestore(&q->lock, flags);
		want -= min(want, bytes);
		memquota_uncharge(p, queue_free_items(q, items));
	} while (n == QUEUE_BATCH && want);
}

static u64 queue_report_oldest(struct memquota_participant *p)
{
	return memquota_queue_oldest(container_of(p, struct memquota_queue,
						  participant));
}

/*
 * The owner is memquota, not the module that supplies free_item. That module
 * cannot go before memquota_queue_destroy() has returned, which waits for the
 * callbacks.
 */
static const struct memquota_ops queue_collapsing_ops = {
	.reclaim = queue_reclaim_all,
	.oldest = queue_report_oldest,
	.owner = THIS_MODULE,
	.flags = MEMQUOTA_COLLAPSING,
};

static const struct memquota_ops queue_partial_ops = {
	.reclaim = queue_reclaim_oldest,
	.oldest = queue_report_oldest,
	.owner = THIS_MODULE,
};

/*
 * Reading the coarse clock costs more than all other work under the lock, and
 * the clock advances once per jiffy only; so read it once per jiffy. If jiffies
 * has advanced and the clock is about to, arrivals are one tick too old, which
 * counts as a tie (rule R2). Under the lock, so that arrivals never decrease
 * along the queue.
 */
static noinline void queue_update_clock(struct memquota_queue *q,
					unsigned long now)
{
	q->now_jiffies = now;
	q->now_ns = ktime_get_coarse_ns();
}

static __always_inline u64 queue_read_clock(struct memquota_queue *q)
{
	unsigned long now = READ_ONCE(jiffies);

	if (unlikely(q->now_jiffies != now))
		queue_update_clock(q, now);
	return q->now_ns;
}

/**
 * memquota_queue_init - initialise a queue and make it a participant
 * @queue: the queue, zeroed or destroyed
 * @account: the account to charge. With a null handle the queue counts nothing
 *	and is never reclaimed.
 * @free_item: frees an item that is still queued when the queue is closed or
 *	reclaimed. Called in any context that the queue is used in, and with
 *	bottom halves off; no lock is held.
 * @flags: 0: reclaim ends the queue and closes @account.
 *	%MEMQUOTA_QUEUE_PARTIAL: reclaim frees the oldest items only.
 * @gfp: flags for allocating memquota's record of the participant
 * @fmt: printf format of the participant's name, and its arguments
 *
 * After an error the queue has ended, with the error as its reason. Calling
 * memquota_queue_destroy() is then allowed, but not necessary.
 *
 * Context: any that @gfp allows. With PREEMPT_RT only while preemption and
 * interrupts are on.
 *
 * Return:
 * * 0 - initialised
 * * %-EINVAL - @flags has unknown bits
 * * %-ENOMEM - out of memory
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed
 */
int memquota_queue_init(struct memquota_queue *queue,
			struct memquota_account *account,
			void (*free_item)(struct memquota_queue *queue,
					  struct memquota_item *item),
			unsigned int flags, gfp_t gfp, const char *fmt, ...)
{
	const struct memquota_ops *ops = flags & MEMQUOTA_QUEUE_PARTIAL ?
		&queue_partial_ops : &queue_collapsing_ops;
	struct va_format vaf = { .fmt = fmt };
	va_list args;
	int err = -EINVAL;

	*queue = (struct memquota_queue) { .free_item = free_item };
	spin_lock_init(&queue->lock);
	queue_init_hooks_lock(queue);
	queue_update_clock(queue, jiffies);
	INIT_LIST_HEAD(&queue->hooks);
	init_waitqueue_head(&queue->wait);
	if (!(flags & ~MEMQUOTA_QUEUE_PARTIAL)) {
		va_start(args, fmt);
		vaf.va = &args;
		err = memquota_join_account(&queue->participant, account, ops,
					    gfp, "%pV", &vaf);
		va_end(args);
	}
	if (err)
		queue->reason = err;
	return err;
}
EXPORT_SYMBOL_GPL(memquota_queue_init);

static noinline int queue_undo_charge(struct memquota_queue *q,
				      struct memquota_item *item, int reason)
{
	memquota_uncharge(&q->participant, item->cost_bytes);
	return reason;
}

/* Append an item whose cost is charged already. */
static __always_inline int queue_append_item(struct memquota_queue *q,
					     struct memquota_item *item)
{
	unsigned long flags;
	int reason;

	spin_lock_irqsave(&q->lock, flags);
	reason = q->reason;
	if (unlikely(reason)) {
		spin_unlock_irqrestore(&q->lock, flags);
		return queue_undo_charge(q, item, reason);
	}
	item->arrival_ns = queue_read_clock(q);
	item->next = NULL;
	if (q->head)
		q->tail->next = item;
	else
		q->head = item;
	q->tail = item;
	spin_unlock_irqrestore(&q->lock, flags);

	/*
	 * Pairs with the barrier of set_current_state() in a receiver that
	 * sleeps, and with the lock in memquota_queue_readable().
	 */
	if (unlikely(wq_has_sleeper(&q->wait)))
		wake_up_poll(&q->wait, EPOLLIN | EPOLLRDNORM);
	return 0;
}

/* Prefer the reason of the queue's end to the state of its account. */
static int queue_send_error(struct memquota_queue *q, int err)
{
	return READ_ONCE(q->reason) ?: err;
}

/**
 * memquota_queue_send - charge an item and queue it
 * @queue: the queue
 * @item: the item; the queue's once this returns 0, otherwise still the
 *	caller's
 * @cost_bytes: number of bytes to charge. 0 if the item's memory is charged
 *	elsewhere, for example by an arena; then only an ended queue refuses it.
 * @gfp: flags for the charge, see memquota_try_charge()
 *
 * Context: any but NMI; any lock but a raw spinlock may be held, unless @gfp
 * allows sleeping. With PREEMPT_RT only while preemption and interrupts are on.
 * Not from a reclaim callback.
 *
 * Return:
 * * 0 - queued
 * * %-EPIPE - the queue was closed
 * * %-ENOBUFS - the queue was reclaimed
 * * %-ESTALE - the queue's account is closed or being reclaimed
 * * %-EDQUOT - a hard limit would be exceeded
 * * %-EOVERFLOW - the queue would hold 2^41 bytes (2 TiB) or more, or the
 *   tracker's total would wrap
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 */
int memquota_queue_send(struct memquota_queue *queue,
			struct memquota_item *item, size_t cost_bytes,
			gfp_t gfp)
{
	int err = 0;

	/* A charge of 0 may still fetch quota for the CPU's cache in advance. */
	if (likely(cost_bytes))
		err = memquota_try_charge(&queue->participant, cost_bytes, gfp);
	if (unlikely(err))
		return queue_send_error(queue, err);
	item->cost_bytes = cost_bytes;
	return queue_append_item(queue, item);
}
EXPORT_SYMBOL_GPL(memquota_queue_send);

/**
 * memquota_queue_send_wait - charge an item, waiting at a hard limit, and queue it
 * @queue: the queue
 * @item: the item; the queue's once this returns 0, otherwise still the
 *	caller's
 * @cost_bytes: number of bytes to charge
 * @timeout: how long to wait for reclaim, in jiffies
 *
 * Context: process; may sleep.
 *
 * Return:
 * * 0 - queued
 * * %-EDQUOT - @cost_bytes is above a hard limit itself
 * * %-ETIME - @timeout has passed and the hard limit would still be exceeded
 * * %-EINTR - a fatal signal is pending
 * * any other error of memquota_queue_send()
 */
int memquota_queue_send_wait(struct memquota_queue *queue,
			     struct memquota_item *item, size_t cost_bytes,
			     long timeout)
{
	int err = memquota_try_charge_wait(&queue->participant, cost_bytes,
					   timeout);

	if (unlikely(err))
		return queue_send_error(queue, err);
	item->cost_bytes = cost_bytes;
	return queue_append_item(queue, item);
}
EXPORT_SYMBOL_GPL(memquota_queue_send_wait);

/**
 * memquota_queue_recv - remove and uncharge the oldest item
 * @queue: the queue
 *
 * The item is the caller's. To sleep until there is one:
 * wait_event_interruptible(queue->wait, (item = memquota_queue_recv(queue))).
 *
 * Context: any but NMI; any lock but a raw spinlock may be held. With PREEMPT_RT
 * only while preemption and interrupts are on.
 *
 * Return:
 * * the oldest item
 * * NULL - the queue is empty at present
 * * ERR_PTR(-EPIPE) - memquota_queue_close() was called
 * * ERR_PTR(-ENOBUFS) - the queue was reclaimed, and its items are lost
 * * any error of memquota_queue_init(), if that failed
 */
struct memquota_item *memquota_queue_recv(struct memquota_queue *queue)
{
	struct memquota_item *item;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = queue->head;
	if (unlikely(!item)) {
		item = queue->reason ? ERR_PTR(queue->reason) : NULL;
		spin_unlock_irqrestore(&queue->lock, flags);
		return item;
	}
	queue->head = item->next;
	spin_unlock_irqrestore(&queue->lock, flags);

	if (likely(item->cost_bytes))
		memquota_uncharge(&queue->participant, item->cost_bytes);
	return item;
}
EXPORT_SYMBOL_GPL(memquota_queue_recv);

/**
 * memquota_queue_readable - test whether receiving would return something
 * @queue: the queue
 *
 * For poll callbacks, after poll_wait() on the queue's wait.
 *
 * Context: as memquota_queue_recv().
 *
 * Return: true if memquota_queue_recv() would not return NULL.
 */
bool memquota_queue_readable(struct memquota_queue *queue)
{
	unsigned long flags;
	bool ret;

	/*
	 * The lock orders this after poll_wait(): a sender that takes it later
	 * sees the waiter in wq_has_sleeper().
	 */
	spin_lock_irqsave(&queue->lock, flags);
	ret = queue->head || queue->reason;
	spin_unlock_irqrestore(&queue->lock, flags);
	return ret;
}
EXPORT_SYMBOL_GPL(memquota_queue_readable);

/**
 * memquota_queue_oldest - return the arrival time of the oldest item
 * @queue: the queue
 *
 * Context: as memquota_queue_recv().
 *
 * Return: the time on CLOCK_MONOTONIC_COARSE in ns, or %MEMQUOTA_NO_DATA if
 * the queue is empty.
 */
u64 memquota_queue_oldest(struct memquota_queue *queue)
{
	u64 ns = MEMQUOTA_NO_DATA;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (queue->head)
		ns = queue->head->arrival_ns;
	spin_unlock_irqrestore(&queue->lock, flags);
	return ns;
}
EXPORT_SYMBOL_GPL(memquota_queue_oldest);

/**
 * memquota_queue_hook - register a hook for the end of a queue
 * @queue: the queue
 * @hook: the hook; must stay until it was called or memquota_queue_unhook() has
 *	returned
 *
 * The hook is called once. If the queue has ended already, it is called before
 * this function returns.
 *
 * Context: any but hard interrupts and NMI; no lock held that the hook takes.
 * With PREEMPT_RT only while preemption and interrupts are on.
 */
void memquota_queue_hook(struct memquota_queue *queue,
			 struct memquota_queue_hook *hook)
{
	unsigned long flags;
	int reason;

	spin_lock_irqsave(&queue->lock, flags);
	reason = queue->reason;
	if (reason)
		INIT_LIST_HEAD(&hook->node);
	else
		list_add_tail(&hook->node, &queue->hooks);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (!reason)
		return;

	if (irqs_disabled()) {
		hook->ended(hook, reason);
	} else {
		local_bh_disable();
		hook->ended(hook, reason);
		local_bh_enable();
	}
}
EXPORT_SYMBOL_GPL(memquota_queue_hook);

/**
 * memquota_queue_unhook - unregister a hook
 * @queue: the queue
 * @hook: a hook that memquota_queue_hook() was called for
 *
 * Spins while the hook is running on another CPU. It is not called afterwards
 * and may be freed.
 *
 * Context: as memquota_queue_hook(); not from the hook itself.
 */
void memquota_queue_unhook(struct memquota_queue *queue,
			   struct memquota_queue_hook *hook)
{
	unsigned long flags;
	bool running;

	do {
		spin_lock_irqsave(&queue->lock, flags);
		list_del_init(&hook->node);
		running = queue->calling == hook;
		spin_unlock_irqrestore(&queue->lock, flags);
		if (running)
			queue_await_hook(queue);
	} while (running);
}
EXPORT_SYMBOL_GPL(memquota_queue_unhook);
