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
#include "reclaim.h"

struct memquota_record;
struct memquota_tracker;
struct task_struct;

/**
 * struct memquota_requests - the requests of a tracker
 * @nr_pending: requests that were issued, and neither finished nor expired
 * @late: how often memquota_requests_note_late() was called
 * @bytes: what the pending requests can bring back at most: all that is held
 * @late_bytes: the part of that from requests that were pending at that call
 * @list: those of them that were not answered, in the order of issue
 * @lanes: see DOC: Lanes
 */
struct memquota_requests {
	unsigned int nr_pending;	/* request_lock; READ_ONCE */
	u32 late;			/* request_lock */
	u64 bytes;			/* request_lock */
	u64 late_bytes;			/* request_lock */
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
	int retry_ms;				/* the work item's own */
	struct memquota_question question;	/* const but for freed */
	u64 bytes;				/* in requests.bytes */
	u32 late;				/* requests.late at the issue */
	bool answered;				/* and not judged */
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

bool memquota_request_issue(struct memquota_record *r,
			    const struct memquota_question *question);
bool memquota_request_take_answer(struct memquota_record *r,
				  struct memquota_question *answered);
u64 memquota_requests_bytes(struct memquota_tracker *t, bool late);
void memquota_requests_note_late(struct memquota_tracker *t);
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
