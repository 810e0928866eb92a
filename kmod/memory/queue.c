// SPDX-License-Identifier: GPL-2.0
/*
 * Queues: a FIFO of items embedded in the caller's objects, each with a cost
 * and an arrival time.
 *
 * Charging comes before the queue's lock and uncharging after it, so that the
 * lock covers a few loads and stores only. What may happen in between is
 * harmless: a queue that ended since the charge is seen under the lock, and
 * the charge taken back; an item that was received and is still charged errs
 * towards too much.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/timekeeping.h>
#include <memquota/queue.h>

/* Items that partial reclaim takes while it holds the lock. */
#define BATCH			32

/* Free a list of items that nobody refers to any more; return what they cost. */
static u64 free_items(struct memquota_queue *q, struct memquota_item *item)
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

/*
 * Call the hooks, one by one, as they leave the list: a hook is either on it,
 * or being called, or done with, and memquota_queue_unhook() sees which.
 *
 * Bottom halves are off, so that whoever waits in memquota_queue_unhook() in a
 * softirq cannot have interrupted what it waits for. Where interrupts are off
 * nothing needs to be done, and may not.
 */
static void tell_hooks(struct memquota_queue *q, int reason)
{
	bool off = irqs_disabled();
	struct memquota_queue_hook *hook;
	unsigned long flags;

	if (!off)
		local_bh_disable();
	for (;;) {
		spin_lock_irqsave(&q->lock, flags);
		hook = list_first_entry_or_null(&q->hooks,
						struct memquota_queue_hook,
						node);
		if (hook)
			list_del_init(&hook->node);
		q->telling = hook;
		spin_unlock_irqrestore(&q->lock, flags);
		if (!hook)
			break;
		hook->ended(hook, reason);
	}
	if (!off)
		local_bh_enable();
}

/* The first to end the queue does all that follows from it. */
static void end_queue(struct memquota_queue *q, int reason)
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

	memquota_uncharge(&q->participant, free_items(q, items));
	/* Without a key: it wakes pollers whatever they wait for. */
	wake_up_all(&q->wait);
	tell_hooks(q, reason);
}

static void collapse(struct memquota_participant *p,
		     const struct memquota_request *request)
{
	memquota_queue_collapse(container_of(p, struct memquota_queue,
					     participant));
}

static void give_oldest(struct memquota_participant *p,
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
		for (end = &q->head; *end && n < BATCH && bytes < want;
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
		memquota_uncharge(p, free_items(q, items));
	} while (n == BATCH && want);
}

static u64 oldest(struct memquota_participant *p)
{
	return memquota_queue_oldest(container_of(p, struct memquota_queue,
						  participant));
}

/*
 * The callbacks are memquota's. The module that owns the queue, and with it
 * free_item, stays at least until memquota_queue_destroy() has returned, and
 * that waits for them.
 */
static const struct memquota_ops collapsing_ops = {
	.reclaim = collapse,
	.oldest = oldest,
	.owner = THIS_MODULE,
	.flags = MEMQUOTA_COLLAPSING,
};

static const struct memquota_ops partial_ops = {
	.reclaim = give_oldest,
	.oldest = oldest,
	.owner = THIS_MODULE,
};

/*
 * The coarse clock moves once a jiffy, and costs more to read than all that is
 * done under the lock. Where jiffies has moved and the clock is about to, the
 * arrival is a tick too old: a tie (R2). Under the lock, so that no item is
 * older than the one before it.
 */
static noinline void new_jiffy(struct memquota_queue *q, unsigned long now)
{
	q->now_jiffies = now;
	q->now_ns = ktime_get_coarse_ns();
}

static __always_inline u64 queue_now(struct memquota_queue *q)
{
	unsigned long now = READ_ONCE(jiffies);

	if (unlikely(q->now_jiffies != now))
		new_jiffy(q, now);
	return q->now_ns;
}

/**
 * memquota_queue_init - make a queue that is a participant of an account
 * @queue: the queue, zeroed or destroyed
 * @account: whom it holds memory for; a null handle makes a queue that counts
 *	nothing and is never reclaimed
 * @free_item: frees an item that nobody will receive: when the queue is
 *	closed or reclaimed. In any context that the queue is used in and
 *	with bottom halves off, no lock held.
 * @flags: %MEMQUOTA_QUEUE_PARTIAL: reclaim takes its oldest items, and the
 *	queue goes on. Otherwise reclaim ends it, and closes @account.
 * @gfp: for memory of memquota's own
 * @fmt: printf format of the participant's name, and its arguments
 *
 * Context: any that @gfp allows.
 *
 * Return: 0, or
 * -EINVAL: unknown flags;
 * -ENOMEM: out of memory;
 * -ESHUTDOWN, -ENOTRECOVERABLE, -ESTALE: the tracker was destroyed, is
 * poisoned, or the account is closed.
 * After a failure the queue is one that ended for that reason;
 * memquota_queue_destroy() is allowed and not needed.
 */
int memquota_queue_init(struct memquota_queue *queue,
			struct memquota_account *account,
			void (*free_item)(struct memquota_queue *queue,
					  struct memquota_item *item),
			unsigned int flags, gfp_t gfp, const char *fmt, ...)
{
	const struct memquota_ops *ops = flags & MEMQUOTA_QUEUE_PARTIAL ?
		&partial_ops : &collapsing_ops;
	struct va_format vaf = { .fmt = fmt };
	va_list args;
	int err = -EINVAL;

	*queue = (struct memquota_queue) { .free_item = free_item };
	spin_lock_init(&queue->lock);
	new_jiffy(queue, jiffies);
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

static noinline int give_back(struct memquota_queue *q,
			      struct memquota_item *item, int reason)
{
	memquota_uncharge(&q->participant, item->cost_bytes);
	return reason;
}

/* The second half of sending: the item's cost is charged. */
static __always_inline int enqueue(struct memquota_queue *q,
				   struct memquota_item *item)
{
	unsigned long flags;
	int reason;

	spin_lock_irqsave(&q->lock, flags);
	reason = q->reason;
	if (unlikely(reason)) {
		spin_unlock_irqrestore(&q->lock, flags);
		return give_back(q, item, reason);
	}
	item->arrival_ns = queue_now(q);
	item->next = NULL;
	if (q->head)
		q->tail->next = item;
	else
		q->head = item;
	q->tail = item;
	spin_unlock_irqrestore(&q->lock, flags);

	/* Pairs with the barrier of whoever adds itself and looks again. */
	if (unlikely(wq_has_sleeper(&q->wait)))
		wake_up_poll(&q->wait, EPOLLIN | EPOLLRDNORM);
	return 0;
}

/* A queue that ended says why, rather than what became of its account. */
static int refused(struct memquota_queue *q, int err)
{
	return READ_ONCE(q->reason) ?: err;
}

/**
 * memquota_queue_send - charge an item and queue it
 * @queue: the queue
 * @item: the item; after a failure still the caller's
 * @cost_bytes: the memory that it stands for; 0 where that is charged
 *	elsewhere, as an arena's is: then only the end of the queue refuses it
 * @gfp: whether draining the CPUs' caches may sleep before a hard limit
 *	refuses, see memquota_try_charge()
 *
 * Context: any but NMI, and any lock may be held, unless @gfp allows to sleep.
 *
 * Return: 0, or
 * -EPIPE: the receiver is gone;
 * -ENOBUFS: the queue was reclaimed;
 * -ESTALE: its account was closed, or is being reclaimed at this moment;
 * -EDQUOT, -EOVERFLOW, -ESHUTDOWN, -ENOTRECOVERABLE: as
 * memquota_try_charge() says.
 */
int memquota_queue_send(struct memquota_queue *queue,
			struct memquota_item *item, size_t cost_bytes,
			gfp_t gfp)
{
	int err = 0;

	/* Nothing would cost a visit, and keep quota in advance. */
	if (likely(cost_bytes))
		err = memquota_try_charge(&queue->participant, cost_bytes, gfp);
	if (unlikely(err))
		return refused(queue, err);
	item->cost_bytes = cost_bytes;
	return enqueue(queue, item);
}
EXPORT_SYMBOL_GPL(memquota_queue_send);

/**
 * memquota_queue_send_wait - wait at a hard limit, charge an item and queue it
 * @queue: the queue
 * @item: the item; after a failure still the caller's
 * @cost_bytes: the memory that it stands for
 * @timeout: how long to wait for reclaim, in jiffies
 *
 * Context: process, may sleep.
 *
 * Return: 0; what memquota_queue_send() returns, -EDQUOT apart;
 * -ETIME: still at the limit; -EINTR: a fatal signal.
 */
int memquota_queue_send_wait(struct memquota_queue *queue,
			     struct memquota_item *item, size_t cost_bytes,
			     long timeout)
{
	int err = memquota_try_charge_wait(&queue->participant, cost_bytes,
					   timeout);

	if (unlikely(err))
		return refused(queue, err);
	item->cost_bytes = cost_bytes;
	return enqueue(queue, item);
}
EXPORT_SYMBOL_GPL(memquota_queue_send_wait);

/**
 * memquota_queue_recv - take the oldest item
 * @queue: the queue
 *
 * The item is the caller's and is no longer charged. To sleep until there is
 * one: wait_event_interruptible(queue->wait, (item =
 * memquota_queue_recv(queue))).
 *
 * Context: any but NMI; any lock may be held.
 *
 * Return: the item; NULL: none at present; or an ERR_PTR() that says why there
 * will be none any more: -EPIPE: memquota_queue_close() was called; -ENOBUFS:
 * the queue was reclaimed, and what was in it is lost.
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
 * memquota_queue_readable - does a receiver have something to learn?
 * @queue: the queue
 *
 * For poll callbacks, after poll_wait() with the queue's wait.
 *
 * Context: any but NMI.
 *
 * Return: whether memquota_queue_recv() would return anything but NULL.
 */
bool memquota_queue_readable(struct memquota_queue *queue)
{
	unsigned long flags;
	bool ret;

	/*
	 * The lock is what orders this after poll_wait(): a sender that comes
	 * later sees who waits.
	 */
	spin_lock_irqsave(&queue->lock, flags);
	ret = queue->head || queue->reason;
	spin_unlock_irqrestore(&queue->lock, flags);
	return ret;
}
EXPORT_SYMBOL_GPL(memquota_queue_readable);

/**
 * memquota_queue_oldest - when the item arrived that will be received next
 * @queue: the queue
 *
 * Context: any but NMI.
 *
 * Return: the time on CLOCK_MONOTONIC_COARSE in ns, or %MEMQUOTA_NO_DATA.
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
 * memquota_queue_close - the receiver goes away
 * @queue: the queue
 *
 * Frees what is queued, gives back all that the queue holds, and makes sending
 * fail with -EPIPE. Does little on a queue that has ended already.
 *
 * Context: any but hard interrupts and NMI; never sleeps. The caller holds no
 * lock that free_item or a hook takes.
 */
void memquota_queue_close(struct memquota_queue *queue)
{
	end_queue(queue, -EPIPE);
	/*
	 * A sender that has charged and not yet looked at the queue finds that
	 * it ended; what it uncharges then is nobody's.
	 */
	memquota_leave(&queue->participant);
}
EXPORT_SYMBOL_GPL(memquota_queue_close);

/**
 * memquota_queue_collapse - end a queue as reclaim does
 * @queue: the queue
 *
 * Frees what is queued; senders, the receiver and hooks are told -ENOBUFS. For
 * the reclaim callback of another participant of the account, one that holds
 * what the items stand for: the account closes when the first of them was
 * asked, whether the queue was or not.
 *
 * Context: as memquota_queue_close(); callbacks of memquota's, too.
 */
void memquota_queue_collapse(struct memquota_queue *queue)
{
	end_queue(queue, -ENOBUFS);
}
EXPORT_SYMBOL_GPL(memquota_queue_collapse);

/**
 * memquota_queue_destroy - close a queue that nobody uses any more
 * @queue: the queue; afterwards it may be freed
 *
 * Waits by spinning for a reclaim that is running, and its hooks. Not from
 * a hook or free_item.
 *
 * Context: as memquota_queue_close().
 */
void memquota_queue_destroy(struct memquota_queue *queue)
{
	memquota_queue_close(queue);
	/* Nobody may sleep on what is about to be freed. */
	WARN_ON_ONCE(waitqueue_active(&queue->wait));
}
EXPORT_SYMBOL_GPL(memquota_queue_destroy);

/**
 * memquota_queue_hook - be told why a queue ended
 * @queue: the queue
 * @hook: the hook; it stays until it was called or
 *	memquota_queue_unhook() has returned
 *
 * It is called once; at once, before this returns, where the queue has ended.
 *
 * Context: any but hard interrupts and NMI, no lock held that the hook takes.
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
 * memquota_queue_unhook - be told no more
 * @queue: the queue
 * @hook: a hook that memquota_queue_hook() was called for
 *
 * Waits by spinning where the hook is being called.
 *
 * Context: any but hard interrupts and NMI, no lock held that the hook takes;
 * not from the hook itself.
 */
void memquota_queue_unhook(struct memquota_queue *queue,
			   struct memquota_queue_hook *hook)
{
	unsigned long flags;
	bool running;

	do {
		spin_lock_irqsave(&queue->lock, flags);
		list_del_init(&hook->node);
		running = queue->telling == hook;
		spin_unlock_irqrestore(&queue->lock, flags);
		if (running)
			cpu_relax();
	} while (running);
}
EXPORT_SYMBOL_GPL(memquota_queue_unhook);
