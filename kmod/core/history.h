/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the last runs of reclaim did, for people.
 */
#ifndef _MEMQUOTA_HISTORY_H
#define _MEMQUOTA_HISTORY_H

#include <linux/spinlock.h>
#include <memquota/tracker.h>

struct memquota_record;

#define MEMQUOTA_PAST_RUNS	16
#define MEMQUOTA_PAST_VICTIMS	16

/* Where a run is, or how it ended. */
enum memquota_past_state {
	MEMQUOTA_RUNNING,
	MEMQUOTA_REACHED,	/* low_water, or what the system wanted */
	MEMQUOTA_GAVE_UP,	/* nobody left to ask; or the tracker ended */
};

/**
 * struct memquota_past_victim - a participant that was asked, once or often
 * @account_id: of its account
 * @want_bytes: what it was asked for at first
 * @freed_bytes: what that freed, in all
 * @age_ns: of its account's oldest data when it was asked first
 * @asks: how often it was asked
 * @account: the account's name
 * @participant: its own
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
 * @number: from 1, and growing
 * @began_ns: when, on CLOCK_MONOTONIC_COARSE
 * @took_ns: how long; so far, while it runs
 * @from_bytes: the total at its beginning, caches drained
 * @to_bytes: the total at its end
 * @limits: as they were at its beginning
 * @refused_bytes: what a hard limit had refused before it began
 * @pressure_bytes: what the system wanted
 * @freed_bytes: by its victims, those that are not in @victims included
 * @asks: how often anybody was asked
 * @state: where it is, or how it ended
 * @nr_victims: how many of @victims there are
 * @victims: the first that were asked
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
 * @lock: protects the rest. The kthread writes, and so does who ends a request
 *	to a sleeping victim; a reader copies one run. Innermost
 * @last: the number of the run that began last; only the kthread changes it
 * @runs: run n is at n modulo their number
 */
struct memquota_history {
	raw_spinlock_t lock;
	u64 last;
	struct memquota_past_run runs[MEMQUOTA_PAST_RUNS];
};

int memquota_history_init(struct memquota_tracker *t);
void memquota_history_exit(struct memquota_tracker *t);
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
