/* SPDX-License-Identifier: GPL-2.0 */
/* Watches: marks on a tracker's total or on an account's word. */
#ifndef _MEMQUOTA_WATCH_H
#define _MEMQUOTA_WATCH_H

#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct memquota_account;
struct memquota_tracker;

/**
 * struct memquota_mark - a mark on the use of a tracker or of an account
 * @above_bytes: the use above which the mark is crossed
 * @rearm_bytes: the use at or below which the mark is armed again; at most
 *	@above_bytes
 * @armed: the mark was not crossed since it was armed; watch->lock
 * @crossed: called once for each crossing, with watch->lock held; may sleep
 * @node: in watch->marks; watch->lock
 */
struct memquota_mark {
	u64 above_bytes;
	u64 rearm_bytes;
	bool armed;
	void (*crossed)(struct memquota_mark *mark);
	struct list_head node;
};

/* The marks on one use, and the processes that poll for an account's closing. */
struct memquota_watch {
	u64 above;		/* the lowest armed mark, else U64_MAX */
	s64 below;		/* 1 + the highest mark to rearm, else 0 */
	struct irq_work irq_work;
	struct work_struct work;
	struct mutex lock;		/* one walk of the marks at a time */
	struct list_head marks;		/* lock */
	wait_queue_head_t pollers;	/* on descriptors of participants */
	struct memquota_account *account;	/* NULL: the tracker's */
	struct memquota_tracker *tracker;
};

void memquota_watch_init(struct memquota_watch *w, struct memquota_tracker *t,
			 struct memquota_account *a);
struct memquota_watch *memquota_watch_account(struct memquota_account *a);
void memquota_watch_add(struct memquota_watch *w, struct memquota_mark *mark);
void memquota_watch_remove(struct memquota_watch *w,
			   struct memquota_mark *mark);
void memquota_watch_notify(struct memquota_watch *w);

/* The account's word has just become @use. Any context but NMI. */
static inline void memquota_watch_rose(struct memquota_watch *w, u64 use)
{
	if (unlikely(use > READ_ONCE(w->above)))
		memquota_watch_notify(w);
}

static inline void memquota_watch_fell(struct memquota_watch *w, s64 use)
{
	if (unlikely(use < READ_ONCE(w->below)))
		memquota_watch_notify(w);
}

/*
 * The tracker's total has just become @use. Its watch lives as long as the
 * tracker, so a notification needs no reference. Any context but NMI.
 */
static inline void memquota_watch_total_rose(struct memquota_watch *w, u64 use)
{
	if (unlikely(use > READ_ONCE(w->above)))
		irq_work_queue(&w->irq_work);
}

static inline void memquota_watch_total_fell(struct memquota_watch *w, s64 use)
{
	if (unlikely(use < READ_ONCE(w->below)))
		irq_work_queue(&w->irq_work);
}

/*
 * All participants of an account poll one queue. An exclusive waiter may wait
 * for another participant's event than this one, so wake all of them.
 */
static inline void memquota_wake_pollers(wait_queue_head_t *pollers,
					 __poll_t events)
{
	__wake_up(pollers, TASK_NORMAL, 0, poll_to_key(events));
}

#endif /* _MEMQUOTA_WATCH_H */
