/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues: the participant that most modules want, ready made. A FIFO of items
 * embedded in the caller's objects, each with a cost and an arrival time.
 */
#ifndef _MEMQUOTA_QUEUE_H
#define _MEMQUOTA_QUEUE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <memquota/participant.h>

/**
 * struct memquota_item - embedded in the caller's object
 * @next: the item that arrived after it; the queue's
 * @cost_bytes: what the object is charged with; set by memquota_queue_send()
 * @arrival_ns: when it was queued, on CLOCK_MONOTONIC_COARSE
 */
struct memquota_item {
	struct memquota_item *next;
	size_t cost_bytes;
	u64 arrival_ns;
};

struct memquota_queue;

/**
 * struct memquota_queue_hook - told why a queue ended, once
 * @node: place in the queue's list; the queue's
 * @ended: called with no lock held and bottom halves off. @reason is -EPIPE
 *	(the receiver is gone) or -ENOBUFS (reclaimed). It may free the hook;
 *	it must not call memquota_queue_unhook() for itself, nor destroy the
 *	queue.
 */
struct memquota_queue_hook {
	struct list_head node;
	void (*ended)(struct memquota_queue_hook *hook, int reason);
};

/* For memquota_queue_init(): reclaim takes the oldest items, the queue lives. */
#define MEMQUOTA_QUEUE_PARTIAL	BIT(0)

/**
 * struct memquota_queue - a FIFO under the quota
 * @lock: protects what follows the participant, and the items' fields; taken
 *	with interrupts off; nothing is called and nothing is charged under it
 * @participant: its participant
 * @head: the oldest item
 * @tail: the youngest item; of no meaning while there is none
 * @now_ns: arrival of items that are sent in the same jiffy as the last one
 * @now_jiffies: that jiffy
 * @hooks: whom to tell, in the order in which they registered
 * @telling: the hook that is being called
 * @reason: 0 while open; why it ended; written once, read without the lock as
 *	well
 * @wait: receivers and pollers
 * @free_item: frees an item that nobody will receive; const
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
	struct memquota_queue_hook *telling;
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
void memquota_queue_close(struct memquota_queue *queue);
void memquota_queue_collapse(struct memquota_queue *queue);
void memquota_queue_destroy(struct memquota_queue *queue);
void memquota_queue_hook(struct memquota_queue *queue,
			 struct memquota_queue_hook *hook);
void memquota_queue_unhook(struct memquota_queue *queue,
			   struct memquota_queue_hook *hook);

#endif /* _MEMQUOTA_QUEUE_H */
