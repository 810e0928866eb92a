/* SPDX-License-Identifier: GPL-2.0 */
/* The kthread that reclaims, and what it keeps in a tracker and a record. */
#ifndef _MEMQUOTA_RECLAIM_H
#define _MEMQUOTA_RECLAIM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait.h>

struct memquota_tracker;
struct shrinker;
struct task_struct;

/**
 * struct memquota_reclaim - what a tracker's kthread works with
 * @awake: the kthread needs no waking; see DOC: Waking the kthread
 * @draining: the tracker was poisoned: the caches must be voided
 * @refused_bytes: what the tracker's max refused since the last run
 * @pressure_bytes: what the system's memory pressure asks for
 * @freed_bytes: what sleeping victims freed and no run has counted
 * @nr_runs: runs that asked at least one participant; for people
 * @wake: where the kthread sleeps
 * @thread: the kthread
 * @shrinker: tells of the system's memory pressure
 * @run: number of the run, never 0; the kthread's own
 * @suspicions: audits that failed in a row; the kthread's own
 * @round: number of the round; the kthread's own
 * @backoff_until: jiffies until which no participant is asked, if
 *	@backing_off; the kthread's own
 * @backing_off: the last run found no participant to ask; the kthread's own
 */
struct memquota_reclaim {
	bool awake;
	bool draining;
	atomic64_t refused_bytes;
	atomic64_t pressure_bytes;
	atomic64_t freed_bytes;
	u64 nr_runs;
	wait_queue_head_t wake;
	struct task_struct *thread;
	struct shrinker *shrinker;
	u32 run;
	unsigned int suspicions;
	u64 round;
	unsigned long backoff_until;
	bool backing_off;
};

/**
 * struct memquota_victim - what a round of reclaim notes in a record
 * @round: the last round that collected it; accounts.lock
 * @node: in the round's list; the kthread's own
 * @requested: a request was issued to it; the kthread's own
 * @refused_run: run since which a charge that was refused to it counts; racy
 */
struct memquota_victim {
	u64 round;
	struct list_head node;
	bool requested;
	u32 refused_run;
};

void memquota_reclaim_kick(struct memquota_tracker *t);
int memquota_reclaim_start(struct memquota_tracker *t);
void memquota_reclaim_stop(struct memquota_tracker *t);

#endif /* _MEMQUOTA_RECLAIM_H */
