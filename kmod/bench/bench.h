/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Types and functions that all benchmarks use.
 *
 * A case is a loop over the operation to measure. The loop itself reads the
 * clock before and after, so nothing else is counted. The clock is the time
 * stamp counter, which counts instructions under QEMU's -icount.
 */
#ifndef _MEMQUOTA_BENCH_H
#define _MEMQUOTA_BENCH_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/ktime.h>
#include <linux/types.h>
#include <memquota/participant.h>
#include "marks.h"

struct bench_pattern;
struct kmem_cache;

/* An owner's object: a participant, the bytes it holds, and their age. */
struct bench_object {
	struct memquota_participant participant;
	size_t held;
	u64 oldest_ns;
	atomic64_t counter;	/* of a peer */
} ____cacheline_aligned;

/* The objects of one thread, which shares none of them but the tracker. */
struct bench {
	struct memquota_tracker *tracker;
	struct memquota_tracker *own;	/* @tracker, if this thread made it */
	struct memquota_account *account;
	struct bench_object *objects;
	unsigned int nr;
	void *private;		/* owned by the case */
	/* For scaling: this is thread b - b->first of @threads in a reading. */
	struct bench *first;
	unsigned int threads;
};

/**
 * struct bench_case - an operation to measure
 * @name: name in the budgets and in the results
 * @loop: run the operation @n times; return the elapsed bench_clock() ticks
 * @empty: @loop without the operation, whose cost is subtracted; optional
 * @setup: prepare @loop; optional
 * @teardown: undo a @setup that succeeded; optional
 * @nr: number of participants for @setup
 * @per: operations in one iteration of @loop; 0 means 1
 * @times: iterations of @loop between two readings of the clock; 0 means 10000
 * @rewind: before each reading, while no thread runs @loop: undo what @times
 *	iterations did; for scaling, @times is then also the maximum. Optional
 * @cold: empty the simulated caches before each reading
 * @quiet: keep interrupts off during a reading, which must not sleep: where the
 *	clock does not count instructions, the least reading has interrupts too
 * @pattern: for patterns.c; optional
 * @peer: name of the case to compare with; optional
 * @floor: for scaling: name of the case whose slow-down is the reference
 */
struct bench_case {
	const char *name;
	u64 (*loop)(struct bench *b, unsigned long n);
	u64 (*empty)(struct bench *b, unsigned long n);
	int (*setup)(struct bench *b, const struct bench_case *c);
	void (*teardown)(struct bench *b);
	void (*rewind)(struct bench *b);
	unsigned int nr;
	unsigned int per;
	unsigned int times;
	bool cold;
	bool quiet;
	const struct bench_pattern *pattern;
	const char *peer;
	const char *floor;
};

/* Values are in thousandths. */
#define BENCH_UNIT		1000ULL

/* An absent value. */
#define BENCH_NONE		U64_MAX

struct bench_result {
	const char *name;
	u64 value;
	const char *unit;
	unsigned int cpus;
	unsigned int participants;	/* 0: irrelevant */
	const char *peer;
	u64 peer_value;
	u64 budget;			/* only if it depends on the machine */
	/* Numbers of sections between marks, from 1, and operations of each. */
	unsigned int section;
	unsigned int empty_section;
	unsigned long operations;
};

static __always_inline u64 bench_clock(void)
{
#ifdef __x86_64__
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
#else
	return ktime_get_ns();
#endif
}

/* Define a loop around the statements of a case. */
#define BENCH_LOOP(name, ...)						\
noinline u64 loop_##name(struct bench *b, unsigned long n)		\
{									\
	u64 start = bench_clock();					\
									\
	do {								\
		__VA_ARGS__;						\
	} while (--n);							\
	return bench_clock() - start;					\
}

/* bench.c */
extern bool bench_counts;	/* the clock counts instructions */
extern char *bench_only;	/* name of the only case to measure, or NULL */
void bench_report(const struct bench_result *result);
int bench_measure(const struct bench_case *c, struct bench_result *result);
int bench_run_cases(const struct bench_case *cases, size_t nr);
u64 bench_last_value(const char *name);
u64 bench_ticks_to_unit(u64 ticks);
const char *bench_unit(void);

static inline unsigned long bench_times(const struct bench_case *c)
{
	return c->times ?: 10000;
}

static inline u64 bench_per_op(const struct bench_case *c, u64 elapsed,
			       unsigned long times)
{
	return elapsed * BENCH_UNIT / times / (c->per ?: 1);
}

/* setup.c */
int bench_create_account(struct bench *b, const struct memquota_limits *limits);
void bench_destroy_account(struct bench *b);
int bench_setup_participants(struct bench *b, const struct bench_case *c);
void bench_teardown_participants(struct bench *b);
int bench_join_all(struct bench *b, unsigned int nr,
		   const struct memquota_ops *ops);
int bench_join_private(struct bench *b, unsigned int nr);
void bench_leave_all(struct bench *b);
extern const struct memquota_ops bench_ops, bench_plain_ops;

/* Groups, one per file. */
int bench_peers(void);
void bench_peers_exit(void);
int bench_arena(void);
int bench_charge(void);
int bench_objects(void);
int bench_index(void);
int bench_latency(void);
int bench_memory(void);
int bench_overhead(void);
int bench_participants(void);
int bench_patterns(void);
int bench_range(void);
int bench_scaling(void);
int bench_two_cpus(void);

extern const struct bench_case bench_peer_cases[];
extern const size_t bench_nr_peer_cases;
extern const struct bench_case bench_charge_cases[];
extern const size_t bench_nr_charge_cases;
extern const struct bench_case bench_object_cases[];
extern const size_t bench_nr_object_cases;
extern const struct bench_case bench_arena_shared_cases[];
extern const size_t bench_nr_arena_shared_cases;
extern const struct bench_case bench_pattern_shared_cases[];
extern const size_t bench_nr_pattern_shared_cases;

#endif /* _MEMQUOTA_BENCH_H */
