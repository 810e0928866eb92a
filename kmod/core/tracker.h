/* SPDX-License-Identifier: GPL-2.0 */
/* Creating, finding and destroying trackers. */
#ifndef _MEMQUOTA_CORE_TRACKER_H
#define _MEMQUOTA_CORE_TRACKER_H

#include <linux/notifier.h>
#include "core.h"

/*
 * Tells higher layers of trackers, with the tracker as data. Called in process
 * context; MEMQUOTA_TRACKER_ADDED under trackers_lock.
 */
extern struct blocking_notifier_head memquota_tracker_notifier;

enum memquota_tracker_event {
	MEMQUOTA_TRACKER_ADDED,
	MEMQUOTA_TRACKER_REMOVED,
};

struct memquota_tracker *memquota_tracker_find(const char *name);
struct memquota_tracker *memquota_tracker_next(u64 id);
struct memquota_tracker *
memquota_tracker_new(const char *name, const struct memquota_limits *limits,
		     unsigned int flags, gfp_t gfp, bool programs_own,
		     const char **reason);
int memquota_tracker_destroy_named(const char *name);
void memquota_tracker_limits(struct memquota_tracker *t,
			     struct memquota_limits *limits);
void memquota_programs_trackers_destroy(void);
int memquota_trackers_init(const struct memquota_limits *limits,
			   unsigned int flags);
void memquota_trackers_exit(void);

#endif /* _MEMQUOTA_CORE_TRACKER_H */
