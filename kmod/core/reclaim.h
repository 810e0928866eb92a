/* SPDX-License-Identifier: GPL-2.0 */
/* Reclaim: its worker, and what that keeps in a tracker and a record. */
#ifndef _MEMQUOTA_RECLAIM_H
#define _MEMQUOTA_RECLAIM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct memquota_tracker;

/**
 * struct memquota_run - a run of reclaim, and what it has done so far
 * @begun: it has begun and not ended
 * @for_limits: it must bring the total to low_water
 * @for_system: it frees @pressure bytes, and the limits want nothing
 * @waiting: it has asked, and waits for answers
 * @none_left: it waits because no participant is left to ask
 * @nr_pending: requests that were pending when it began to wait
 * @waits: times that answers were late while the total was above high
 * @wait_began: jiffies at which it began to wait
 * @next_round: jiffies at which answers are late
 * @began: jiffies at which it began, later by the time that it has waited
 * @wanted: bytes that were wanted when it began, or began anew
 * @pressure: bytes that the system wanted when it began
 * @refused: bytes that were refused, which count as charged
 * @freed: bytes that its victims freed
 * @trimmed: bytes that participants gave without loss
 * @victims: victims that it has asked
 */
struct memquota_run {
	bool begun;
	bool for_limits;
	bool for_system;
	bool waiting;
	bool none_left;
	unsigned int nr_pending;
	unsigned int waits;
	unsigned long wait_began;
	unsigned long next_round;
	unsigned long began;
	u64 wanted;
	u64 pressure;
	u64 refused;
	u64 freed;
	u64 trimmed;
	unsigned int victims;
};

/**
 * struct memquota_reclaim - what a tracker's reclaim works with
 * @awake: the worker will look at the total again; see DOC: Waking reclaim
 * @draining: the tracker was poisoned: the caches must be voided
 * @refused_bytes: what the tracker's max refused since the last run
 * @freed_bytes: what sleeping victims freed and no run has counted
 * @nr_runs: runs that asked at least one participant; for people
 * @work: the worker: a run, or the next part of it
 * @present: the run that has begun; the worker's own
 * @run: number of the run, never 0; the worker's own
 * @suspicions: audits that failed in a row; the worker's own
 * @round: number of the round; the worker's own
 * @backoff_until: jiffies until which no participant is asked, if
 *	@backing_off; the worker's own
 * @backing_off: the last run found no participant to ask; the worker's own
 * @look_again: a participant may be about to store data; the worker's own
 * @repeats: runs in a row that gave up and looked again soon; the worker's own
 * @unfinished: the last run will be gone on with after the back-off; READ_ONCE
 * @ends: how often a run has ended, or had nothing to do; never 0; READ_ONCE
 */
struct memquota_reclaim {
	bool awake;
	bool draining;
	atomic64_t refused_bytes;
	atomic64_t freed_bytes;
	u64 nr_runs;
	struct delayed_work work;
	struct memquota_run present;
	u32 run;
	unsigned int suspicions;
	u64 round;
	unsigned long backoff_until;
	bool backing_off;
	bool look_again;
	bool unfinished;
	u8 repeats;
	u16 ends;
};

/**
 * struct memquota_victim - what reclaim notes in a record
 * @round: the last round that collected it; home->lock
 * @node: in the round's list; the worker's own
 * @run: the run that @tries counts for; the worker's own
 * @tries: questions that brought back too little; the worker's own
 * @requested: a request was issued to it; the worker's own
 * @refused_end: reclaim.ends when a refusal counted last; racy
 */
struct memquota_victim {
	u64 round;
	struct list_head node;
	u32 run;
	u8 tries;
	bool requested;
	u16 refused_end;
};

/**
 * struct memquota_question - what a participant was asked, to judge its answer
 * @run: the run that asked it
 * @oldest: its data was the oldest, not only that of its account
 * @want_bytes: bytes that it was asked for
 * @until_ns: arrival up to which it was asked for data, in ns
 * @arrival_ns: if @oldest, when that arrived, in ns
 * @used: bytes that it held then
 * @freed: bytes that were uncharged meanwhile, by any task
 */
struct memquota_question {
	u32 run;
	bool oldest;
	u64 want_bytes;
	u64 until_ns;
	u64 arrival_ns;
	u64 used;
	u64 freed;
};

/* total.c */
extern struct workqueue_struct *memquota_reclaim_wq;

void memquota_reclaim_kick(struct memquota_tracker *t);

/* reclaim.c */
bool memquota_reclaim_needed(struct memquota_tracker *t);
bool memquota_reclaim_run(struct memquota_tracker *t);
void memquota_reclaim_abort(struct memquota_tracker *t);

/* worker.c */
void memquota_reclaim_setup(struct memquota_tracker *t);
void memquota_reclaim_wake(struct memquota_tracker *t);
void memquota_reclaim_stop(struct memquota_tracker *t);
int memquota_reclaim_init(void);
void memquota_reclaim_exit(void);

#endif /* _MEMQUOTA_RECLAIM_H */
