/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trackers: independent quotas, each with its limits, its total and its
 * reclaim.
 *
 * A null handle is a disabled tracker: every call on it succeeds, and nothing is
 * counted (rule T4). Without CONFIG_MEMQUOTA all handles are null.
 */
#ifndef _MEMQUOTA_TRACKER_H
#define _MEMQUOTA_TRACKER_H

#include <linux/bits.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/types.h>

/* Bytes and state share words that one instruction exchanges. */
#if IS_REACHABLE(CONFIG_MEMQUOTA) && !defined(CONFIG_64BIT)
#error "memquota: the kernel is not 64-bit: enable CONFIG_64BIT, or build without CONFIG_MEMQUOTA"
#endif

/**
 * MEMQUOTA_CACHE_MAX - the most that one CPU holds in advance for one
 * participant, in bytes
 */
#define MEMQUOTA_CACHE_MAX	16384

/** MEMQUOTA_UNLIMITED - no limit */
#define MEMQUOTA_UNLIMITED	U64_MAX

/** MEMQUOTA_NAME_SIZE - bytes of a name with its NUL; longer names are cut */
#define MEMQUOTA_NAME_SIZE	32

/**
 * struct memquota_limits - the configuration of a tracker (rule T2)
 * @max: hard limit, in bytes: memquota_try_charge() does not pass it. Not set:
 *	%MEMQUOTA_UNLIMITED
 * @high: reclaim starts when the total is above it, in bytes. Not set: @max
 * @low_water: reclaim stops when the total is at or below it, in bytes. Not
 *	set: 75 % of @high, rounded down
 *
 * 0 stands for "not set". @max and @high are named after memory.max and
 * memory.high of cgroup v2, and act likewise.
 *
 * @max must not be below @high. @low_water must be at most 98 % of @high and at
 * least 163840 bytes, ten times %MEMQUOTA_CACHE_MAX. So the smallest @high is
 * 218454 bytes if @low_water is not set, and 167184 bytes if it is. While @high
 * is unlimited, @low_water cannot be set, not even to %MEMQUOTA_UNLIMITED.
 */
struct memquota_limits {
	u64 max;
	u64 high;
	u64 low_water;
};

/**
 * enum memquota_state - state of a tracker
 * @MEMQUOTA_DISABLED: counts nothing, refuses nothing
 * @MEMQUOTA_COUNTING: in use
 * @MEMQUOTA_POISONED: its bookkeeping contradicted itself (rule T6)
 * @MEMQUOTA_GONE: destroyed
 */
enum memquota_state {
	MEMQUOTA_DISABLED,
	MEMQUOTA_COUNTING,
	MEMQUOTA_POISONED,
	MEMQUOTA_GONE,
};

/**
 * struct memquota_usage - what a tracker holds, and its limits
 * @total: bytes charged, those in the CPUs' caches included;
 *	%MEMQUOTA_UNLIMITED if the tracker is disabled
 * @peak: the highest @total since the tracker was created, in bytes
 * @limits: the limits in force, derived ones filled in
 * @set: the limits as they were set; 0 for one that is derived
 * @reclaims: runs of reclaim that asked at least one participant
 * @accounts: open accounts
 * @participants: participants that have joined and not left
 * @state: state of the tracker
 */
struct memquota_usage {
	u64 total;
	u64 peak;
	struct memquota_limits limits;
	struct memquota_limits set;
	u64 reclaims;
	u64 accounts;
	u64 participants;
	enum memquota_state state;
};

/* The usage of a disabled tracker. */
#define MEMQUOTA_USAGE_DISABLED						\
	((struct memquota_usage) {					\
		.total = MEMQUOTA_UNLIMITED,				\
		.peak = MEMQUOTA_UNLIMITED,				\
		.limits = {						\
			.max = MEMQUOTA_UNLIMITED,			\
			.high = MEMQUOTA_UNLIMITED,			\
			.low_water = MEMQUOTA_UNLIMITED,		\
		},							\
		.state = MEMQUOTA_DISABLED,				\
	})

/* The values of these two are those of linux/memquota.h. */
/* For memquota_tracker_create(): the tracker never counts anything. */
#define MEMQUOTA_TRACKER_DISABLED	0x1
/* For memquota_tracker_create(): programs can have accounts in it (rule U1). */
#define MEMQUOTA_TRACKER_PROGRAMS	0x2

/* For memquota_tracker_configure(): validate, change nothing. */
#define MEMQUOTA_CHECK_ONLY		BIT(0)

struct memquota_tracker;

#if IS_REACHABLE(CONFIG_MEMQUOTA)

struct memquota_tracker *memquota_default_tracker(void);
struct memquota_tracker *
memquota_tracker_create(const char *name, const struct memquota_limits *limits,
			unsigned int flags);
void memquota_tracker_destroy(struct memquota_tracker *tracker);
int memquota_tracker_configure(struct memquota_tracker *tracker,
			       const struct memquota_limits *limits,
			       unsigned int flags, const char **reason);
void memquota_tracker_usage(struct memquota_tracker *tracker,
			    struct memquota_usage *usage);
void memquota_tracker_drain(struct memquota_tracker *tracker);
void __memquota_barrier(struct module *owner);

/**
 * memquota_barrier - wait until no callback of the calling module runs
 *
 * A module calls it in its exit function after its participants have left. When
 * it returns none of the module's callbacks is running, put() included. It does
 * not wait for sleeping callbacks of other modules, nor for answers: a request
 * that was not answered holds the module until it expires. If the module's init
 * function fails, nothing holds the module, so it answers all requests first,
 * and none of its callbacks may return -EAGAIN before init has succeeded.
 *
 * Context: may sleep; not from a callback.
 */
#define memquota_barrier()	__memquota_barrier(THIS_MODULE)

#else

static inline struct memquota_tracker *memquota_default_tracker(void)
{
	return NULL;
}

static inline struct memquota_tracker *
memquota_tracker_create(const char *name, const struct memquota_limits *limits,
			unsigned int flags)
{
	return NULL;
}

static inline void memquota_tracker_destroy(struct memquota_tracker *tracker)
{
}

static inline int
memquota_tracker_configure(struct memquota_tracker *tracker,
			   const struct memquota_limits *limits,
			   unsigned int flags, const char **reason)
{
	return 0;
}

static inline void memquota_tracker_usage(struct memquota_tracker *tracker,
					  struct memquota_usage *usage)
{
	*usage = MEMQUOTA_USAGE_DISABLED;
}

static inline void memquota_tracker_drain(struct memquota_tracker *tracker)
{
}

static inline void memquota_barrier(void)
{
}

#endif /* CONFIG_MEMQUOTA */
#endif /* _MEMQUOTA_TRACKER_H */
