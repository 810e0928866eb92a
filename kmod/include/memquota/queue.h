/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues: a complete participant. A FIFO of items embedded in the caller's
 * objects, each with a cost and an arrival time.
 */
#ifndef _MEMQUOTA_QUEUE_H
#define _MEMQUOTA_QUEUE_H

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <memquota/participant.h>

/**
 * struct memquota_item - embedded in the caller's object
 * @next: the next younger item
 * @cost_bytes: number of bytes charged for the object
 * @arrival_ns: when it was queued, on CLOCK_MONOTONIC_COARSE
 *
 * memquota_queue_send() sets all fields; the queue's lock protects them while
 * the item is queued.
 */
struct memquota_item {
	struct memquota_item *next;
	size_t cost_bytes;
	u64 arrival_ns;
};

struct memquota_queue;

/**
 * struct memquota_queue_hook - a function to call when a queue ends
 * @node: in the queue's list of hooks; the queue's lock protects it
 * @ended: called once, with no lock held and bottom halves off. @reason is
 *	-EPIPE (the queue was closed) or -ENOBUFS (it was reclaimed). It may
 *	free the hook; it must not call memquota_queue_unhook() for itself, nor
 *	memquota_queue_destroy().
 */
struct memquota_queue_hook {
	struct list_head node;
	void (*ended)(struct memquota_queue_hook *hook, int reason);
};

/* For memquota_queue_init(): reclaim frees the oldest items, not all. */
#define MEMQUOTA_QUEUE_PARTIAL	BIT(0)

/**
 * struct memquota_queue - a FIFO under the quota
 * @lock: protects @reason to @calling and the queued items; taken with
 *	interrupts off. Nothing is called or charged under it. It is no raw
 *	spinlock, so functions that take it must not be called under one.
 * @participant: its participant
 * @reason: 0 while the queue is open, then the errno of its end; written once,
 *	also read without the lock
 * @head: the oldest item
 * @tail: the youngest item; undefined while the queue is empty
 * @now_ns: arrival time of items that are sent during @now_jiffies
 * @now_jiffies: the jiffy in which @now_ns was read
 * @hooks: hooks that have not been called, in order of registration
 * @calling: the hook that is running, or NULL
 * @hooks_lock: held while hooks run; taken before @lock
 * @wait: wait queue of receivers and pollers; has a lock of its own
 * @free_item: frees an item that is still queued at the end; constant
 */
struct memquota_queue {
	spinlock_t lock;	/* see above */
	struct memquota_participant participant;
	int reason;
	struct memquota_item *head;
	struct memquota_item *tail;
	u64 now_ns;
	unsigned long now_jiffies;
	struct list_head hooks;
	struct memquota_queue_hook *calling;
#ifdef CONFIG_PREEMPT_RT
	spinlock_t hooks_lock;	/* see above */
#endif
	wait_queue_head_t wait;
	void (*free_item)(struct memquota_queue *queue,
			  struct memquota_item *item);
};

__printf(6, 7) int
memquota_queue_init(struct memquota_queue *queue,
		    struct memquota_account *account,
		    void (*free_item)(struct memquota_queue *queue,
				      struct memquota_item *item),
		    unsigned int flags, gfp_t gfp, const char *fmt, ...);
int __must_check memquota_queue_send(struct memquota_queue *queue,
				     struct memquota_item *item,
				     size_t cost_bytes, gfp_t gfp);
int __must_check memquota_queue_send_wait(struct memquota_queue *queue,
					  struct memquota_item *item,
					  size_t cost_bytes, long timeout);
struct memquota_item *memquota_queue_recv(struct memquota_queue *queue);
bool memquota_queue_readable(struct memquota_queue *queue);
u64 memquota_queue_oldest(struct memquota_queue *queue);
void memquota_queue_hook(struct memquota_queue *queue,
			 struct memquota_queue_hook *hook);
void memquota_queue_unhook(struct memquota_queue *queue,
			   struct memquota_queue_hook *hook);

void __memquota_queue_end(struct memquota_queue *queue, int reason);

/**
 * memquota_queue_close - end a queue because its receiver goes away
 * @queue: the queue
 *
 * Frees what is queued, leaves the account, and makes sending fail with
 * -EPIPE. On a queue that has ended already it only leaves the account.
 *
 * Context: as memquota_leave(), which it calls; never sleeps. The caller holds no
 * lock that free_item or a hook takes, and no raw spinlock.
 */
static inline void memquota_queue_close(struct memquota_queue *queue)
{
	__memquota_queue_end(queue, -EPIPE);
	/*
	 * A sender may have charged but not yet taken the queue's lock. It then
	 * finds that the queue has ended, and its uncharge does nothing.
	 */
	memquota_leave(&queue->participant);
}

/**
 * memquota_queue_collapse - end a queue as reclaim does
 * @queue: the queue
 *
 * Frees what is queued; senders, the receiver and hooks get -ENOBUFS. For the
 * reclaim callback of another participant of the same account, if that one
 * holds the items' memory: once one participant of an account was asked, the
 * account closes, even if the queue is not asked.
 *
 * Context: as memquota_queue_close(); also from reclaim callbacks.
 */
static inline void memquota_queue_collapse(struct memquota_queue *queue)
{
	__memquota_queue_end(queue, -ENOBUFS);
}

/**
 * memquota_queue_destroy - close a queue that is no longer in use
 * @queue: the queue; may be freed afterwards
 *
 * Spins until a running reclaim of the queue and its hooks have returned. No
 * task may sleep on the queue's wait. Not from a hook or free_item.
 *
 * Context: as memquota_queue_close().
 */
static inline void memquota_queue_destroy(struct memquota_queue *queue)
{
	memquota_queue_close(queue);
	/* A sleeper would wake from freed memory. */
	WARN_ON_ONCE(waitqueue_active(&queue->wait));
}

#endif /* _MEMQUOTA_QUEUE_H */
