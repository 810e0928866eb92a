/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmarks' common part: what is measured, and how.
 *
 * A case is a loop over what is measured. It reads the clock itself, right
 * before and right after, so that nothing else is counted. The clock is the
 * time stamp counter: under QEMU's -icount it counts instructions.
 */
#ifndef _MEMQUOTA_BENCH_H
#define _MEMQUOTA_BENCH_H

#include <linux/cache.h>
#include <linux/ktime.h>
#include <linux/types.h>
#include <memquota/participant.h>

struct kmem_cache;

/* An owner's object: a participant, and what the owner knows of it. */
struct bench_object {
	struct memquota_participant participant;
	size_t held;
	u64 oldest_ns;
} ____cacheline_aligned;

/* What one thread works on; nothing in it is shared with another thread. */
struct bench {
	struct memquota_tracker *tracker;
	struct memquota_tracker *own;	/* the same, if it is not shared */
	struct memquota_account *account;
	struct bench_object *objects;
	unsigned int nr;
	void *private;		/* the case's own */
};

/**
 * struct bench_case - something that is measured
 * @name: as in the budgets and in the results
 * @loop: runs it @n times, and returns how long that took by bench_clock()
 * @setup: prepares; optional
 * @teardown: undoes a @setup that succeeded; optional
 * @nr: for @setup: how many participants
 * @per: operations that one time of the loop stands for; 0 is 1
 * @times: how often the loop runs between two readings of the clock; 0 is
 *	10 000
 * @rewind: for scaling: gives back what @times times of the loop use up, while
 *	no thread is in it; then @times is also the most. Optional
 * @peer: the case that it is compared with; optional
 * @floor: for scaling: the case whose slow-down this one's is set against
 */
struct bench_case {
	const char *name;
	u64 (*loop)(struct bench *b, unsigned long n);
	int (*setup)(struct bench *b, const struct bench_case *c);
	void (*teardown)(struct bench *b);
	void (*rewind)(struct bench *b);
	unsigned int nr;
	unsigned int per;
	unsigned int times;
	const char *peer;
	const char *floor;
};

/* Values have three decimals. */
#define BENCH_UNIT		1000ULL

/* No peer, no budget of its own. */
#define BENCH_NONE		U64_MAX

struct bench_result {
	const char *name;
	u64 value;
	const char *unit;
	unsigned int cpus;
	unsigned int participants;	/* 0: no matter */
	const char *peer;
	u64 peer_value;
	u64 budget;			/* only if it depends on the machine */
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

/* A loop of which nothing but the body is the case's own. */
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
extern char *bench_only;	/* the one case that is wanted, or NULL */
void bench_report(const struct bench_result *result);
int bench_measure(const struct bench_case *c, u64 *value);
int bench_run_cases(const struct bench_case *cases, size_t nr);
u64 bench_known(const char *name);
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
int bench_setup_participants(struct bench *b, const struct bench_case *c);
void bench_teardown_participants(struct bench *b);
int bench_join_all(struct bench *b, unsigned int nr,
		   const struct memquota_ops *ops);
void bench_leave_all(struct bench *b);
extern const struct memquota_ops bench_ops, bench_plain_ops;

/* Groups, one a file. */
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
int bench_range(void);
int bench_scaling(void);

extern const struct bench_case bench_peer_cases[];
extern const size_t bench_nr_peer_cases;
extern const struct bench_case bench_charge_cases[];
extern const size_t bench_nr_charge_cases;
extern const struct bench_case bench_object_cases[];
extern const size_t bench_nr_object_cases;
extern const struct bench_case bench_arena_shared_cases[];
extern const size_t bench_nr_arena_shared_cases;

#endif /* _MEMQUOTA_BENCH_H */
