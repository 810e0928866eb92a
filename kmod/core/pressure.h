/* SPDX-License-Identifier: GPL-2.0 */
/* The system's memory pressure: one shrinker for all trackers. */
#ifndef _MEMQUOTA_PRESSURE_H
#define _MEMQUOTA_PRESSURE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

struct memquota_tracker;

/**
 * struct memquota_pressure - the system's memory pressure on a tracker
 * @bytes: what the system wants and the tracker has not given
 * @node: in memquota_holders; holders_lock
 * @sampling: a task takes a sample; that task owns the fields after @sampled
 * @givable_part: what can be given of the total, in 1024ths; READ_ONCE
 * @exhausted: jiffies at which a run found too little to give, or 0; READ_ONCE
 * @sampled: jiffies of the last sample, or 0; READ_ONCE
 * @next_id: id of the account with which the next sample begins
 * @seen_bytes: what the sampled participants held
 * @givable_bytes: what those of them held that can give
 */
struct memquota_pressure {
	atomic64_t bytes;
	struct list_head node;
	bool sampling;
	u32 givable_part;
	unsigned long exhausted;
	unsigned long sampled;
	u64 next_id;
	u64 seen_bytes;
	u64 givable_bytes;
};

u64 memquota_pressure_givable(struct memquota_tracker *t);
void memquota_pressure_add(struct memquota_tracker *t, u64 bytes);
u64 memquota_pressure_count(void);
void memquota_pressure_scan(u64 target);
void memquota_pressure_settle(struct memquota_tracker *t, u64 bytes,
			      bool exhausted);
int memquota_pressure_init(void);
void memquota_pressure_exit(void);

#endif /* _MEMQUOTA_PRESSURE_H */
