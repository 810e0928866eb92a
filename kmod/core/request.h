/* SPDX-License-Identifier: GPL-2.0 */
/* Requests to sleeping participants. */
#ifndef _MEMQUOTA_REQUEST_H
#define _MEMQUOTA_REQUEST_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <memquota/participant.h>
#include "lane.h"

struct memquota_record;
struct memquota_tracker;
struct task_struct;

/**
 * struct memquota_requests - the requests of a tracker
 * @nr_pending: requests that were issued, and neither finished nor expired
 * @list: those of them that were not answered, in the order of issue
 * @lanes: see DOC: Lanes
 */
struct memquota_requests {
	unsigned int nr_pending;	/* request_lock; READ_ONCE */
	struct list_head list;		/* request_lock */
	struct list_head lanes;		/* lanes_lock */
};

/*
 * struct memquota_sleeper - the requests to one sleeping participant
 *
 * Allocated when it joins, freed with its record.
 */
struct memquota_sleeper {
	struct memquota_record *record;		/* const */
	struct memquota_lane *lane;		/* const; NULL: a program's */
	struct delayed_work work;
	/* Const while issued. */
	struct memquota_request request;
	struct workqueue_struct *wq;
	u64 uncharged;				/* before it was issued */
	u64 run;				/* in which it was issued */
	unsigned long issued;			/* jiffies */
	/* request_lock */
	unsigned int state;
	int result;
	struct rb_node by_id;
	struct list_head node;			/* in tracker->requests.list */
#ifdef CONFIG_MEMQUOTA_DEBUG
	struct hlist_node called;		/* in called, while called */
	struct task_struct *task;
#endif
};

extern unsigned int memquota_answer_ms;
extern unsigned int memquota_give_up_ms;

bool memquota_request_issue(struct memquota_record *r, u64 want_bytes,
			    u64 until_ns);
long memquota_requests_expire(struct memquota_tracker *t, bool all);
struct memquota_sleeper *memquota_sleeper_alloc(struct memquota_record *r,
						gfp_t gfp);
void memquota_barrier_all(void);

static inline void memquota_sleeper_free(struct memquota_sleeper *s)
{
	if (!s)
		return;
	memquota_lane_unuse(s->lane);
	kfree(s);
}

#endif /* _MEMQUOTA_REQUEST_H */
