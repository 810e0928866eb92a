/* SPDX-License-Identifier: GPL-2.0 */
/* The workqueues that sleeping callbacks run in. */
#ifndef _MEMQUOTA_LANE_H
#define _MEMQUOTA_LANE_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/workqueue.h>

struct memquota_tracker;
struct module;

/**
 * struct memquota_lane - the workqueue of a module's sleeping participants in
 * one tracker
 * @owner: the module; const while a sleeper uses the lane
 * @tracker: const; outlives @setup
 * @wq: NULL until it is first needed, or @setup has run; then const
 * @refs: the tracker, each sleeper, and each walk over the lanes hold one
 * @siblings: in tracker->requests.lanes; lanes_lock
 * @lanes: in the list of all lanes; lanes_lock
 * @setup: allocates @wq
 */
struct memquota_lane {
	struct module *owner;
	struct memquota_tracker *tracker;
	struct workqueue_struct *wq;
	atomic_t refs;
	struct list_head siblings;
	struct list_head lanes;
	struct work_struct setup;
};

struct memquota_lane *memquota_lane_get(struct memquota_tracker *t,
					struct module *owner, gfp_t gfp);
struct workqueue_struct *memquota_lane_wq(struct memquota_lane *lane);
void memquota_lanes_flush(struct module *owner);
void memquota_lanes_flush_all(void);
void memquota_lanes_free(struct memquota_tracker *t);
int memquota_lanes_init(void);
void memquota_lanes_exit(void);

/* Drop a sleeper's reference. The tracker's own remains. */
static inline void memquota_lane_unuse(struct memquota_lane *lane)
{
	if (lane)
		atomic_dec(&lane->refs);
}

#endif /* _MEMQUOTA_LANE_H */
