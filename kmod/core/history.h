/* SPDX-License-Identifier: GPL-2.0 */
/* A log of the last reclaim runs, for people. */
#ifndef _MEMQUOTA_HISTORY_H
#define _MEMQUOTA_HISTORY_H

#include <linux/spinlock.h>
#include <memquota/tracker.h>

struct memquota_record;

#define MEMQUOTA_PAST_RUNS	16
#define MEMQUOTA_PAST_VICTIMS	16

/**
 * enum memquota_past_state - whether a run goes on, or how it ended
 * @MEMQUOTA_RUNNING: it goes on
 * @MEMQUOTA_REACHED: it reached low_water, or what the system wanted
 * @MEMQUOTA_GAVE_UP: no participant was left to ask, or the tracker ended
 */
enum memquota_past_state {
	MEMQUOTA_RUNNING,
	MEMQUOTA_REACHED,
	MEMQUOTA_GAVE_UP,
};

/**
 * struct memquota_past_victim - a participant that a run asked
 * @account_id: id of its account
 * @want_bytes: what it was first asked for
 * @freed_bytes: what it freed, in all
 * @age_ns: age of its account's oldest data when it was first asked
 * @asks: how often it was asked
 * @account: the account's name
 * @participant: the participant's name
 */
struct memquota_past_victim {
	u64 account_id;
	u64 want_bytes;
	u64 freed_bytes;
	u64 age_ns;
	u32 asks;
	char account[MEMQUOTA_NAME_SIZE];
	char participant[MEMQUOTA_NAME_SIZE];
};

/**
 * struct memquota_past_run - a run of reclaim
 * @number: its number, from 1
 * @began_ns: when it began, on CLOCK_MONOTONIC_COARSE
 * @took_ns: how long it took, or has taken so far
 * @from_bytes: the total at its beginning, caches drained
 * @to_bytes: the total at its end
 * @limits: the limits at its beginning
 * @refused_bytes: what a hard limit had refused before it began
 * @pressure_bytes: what the system's memory pressure asked for
 * @freed_bytes: what its victims freed, those that are not in @victims included
 * @asks: how often it asked a participant
 * @state: whether it goes on, or how it ended
 * @nr_victims: number of entries in @victims
 * @victims: the first participants that it asked
 */
struct memquota_past_run {
	u64 number;
	u64 began_ns;
	u64 took_ns;
	u64 from_bytes;
	u64 to_bytes;
	struct memquota_limits limits;
	u64 refused_bytes;
	u64 pressure_bytes;
	u64 freed_bytes;
	u64 asks;
	enum memquota_past_state state;
	unsigned int nr_victims;
	struct memquota_past_victim victims[MEMQUOTA_PAST_VICTIMS];
};

/**
 * struct memquota_history - the last runs of a tracker
 * @lock: protects the rest, and the entries. The worker writes, and so does the
 *	work item that finishes a request; a reader copies one run
 * @last: the number of the last run that is logged; only the worker changes it
 * @present: the number of the present run, or 0 if there was no memory to log
 *	it; the worker's own
 * @runs: run n is at index n modulo %MEMQUOTA_PAST_RUNS; NULL: never used
 */
struct memquota_history {
	raw_spinlock_t lock;
	u64 last;
	u64 present;
	struct memquota_past_run *runs[MEMQUOTA_PAST_RUNS];
};

void memquota_history_setup(struct memquota_history *h);
void memquota_history_free(struct memquota_history *h);
void memquota_history_begin(struct memquota_tracker *t, u64 from_bytes,
			    u64 refused_bytes, u64 pressure_bytes);
void memquota_history_asked(struct memquota_record *r, u64 want_bytes,
			    u64 arrival_ns);
void memquota_history_freed(struct memquota_record *r, u64 run, u64 bytes);
void memquota_history_end(struct memquota_tracker *t, bool reached);
u64 memquota_history_run(struct memquota_tracker *t);
bool memquota_history_get(struct memquota_tracker *t, u64 number,
			  struct memquota_past_run *run);

#endif /* _MEMQUOTA_HISTORY_H */
