// SPDX-License-Identifier: GPL-2.0
/*
 * Measure charges and uncharges in the patterns in which owners make them: of
 * many participants, and apart in time.
 *
 * A pattern is a cycle of operations, drawn before the measurement. Operation i
 * charges the participant order[i], and uncharges the one that was charged
 * @later operations before. Peers run the same cycle. An empty loop that only
 * computes the addresses is subtracted.
 *
 * To add a pattern, add a case with its struct bench_pattern. To add a peer,
 * add what it does instead of a charge and an uncharge.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include "patterns.h"

/* --- Halves of an operation --- */

/* Do to the object of operation @at. */
typedef void (*half_fn)(struct pattern_state *s, unsigned int at);

static __always_inline void do_nothing(struct pattern_state *s, unsigned int at)
{
	asm volatile("" : : "r" (object_at(s, at)), "r" (s->bytes) : "memory");
}

static __always_inline void do_charge(struct pattern_state *s, unsigned int at)
{
	memquota_charge(&object_at(s, at)->participant, s->bytes);
}

static __always_inline void do_uncharge(struct pattern_state *s,
					unsigned int at)
{
	memquota_uncharge(&object_at(s, at)->participant, s->bytes);
}

static __always_inline void do_not_send(struct pattern_state *s,
					unsigned int at)
{
	asm volatile("" : : "r" (queue_at(s, at)), "r" (item_at(s, at)),
			    "r" (s->bytes) : "memory");
}

static __always_inline void do_not_receive(struct pattern_state *s,
					   unsigned int at)
{
	asm volatile("" : : "r" (queue_at(s, at)) : "memory");
}

static __always_inline void do_send(struct pattern_state *s, unsigned int at)
{
	WARN_ON_ONCE(memquota_queue_send(queue_at(s, at), item_at(s, at),
					 s->bytes, GFP_NOWAIT));
}

static __always_inline void do_receive(struct pattern_state *s, unsigned int at)
{
	memquota_queue_recv(queue_at(s, at));
}

static __always_inline void do_add(struct pattern_state *s, unsigned int at)
{
	atomic64_add_return(s->bytes, &object_at(s, at)->counter);
}

static __always_inline void do_sub(struct pattern_state *s, unsigned int at)
{
	atomic64_sub_return(s->bytes, &object_at(s, at)->counter);
}

static __always_inline void do_count_up(struct pattern_state *s,
					unsigned int at)
{
	percpu_counter_add_batch(&s->counter, s->bytes, 1 << 20);
}

static __always_inline void do_count_down(struct pattern_state *s,
					  unsigned int at)
{
	percpu_counter_add_batch(&s->counter, -(s64)s->bytes, 1 << 20);
}

static __always_inline void do_kmalloc(struct pattern_state *s, unsigned int at)
{
	s->memory[at] = kmalloc(s->bytes, GFP_KERNEL);
}

static __always_inline void do_kmalloc_accounted(struct pattern_state *s,
						 unsigned int at)
{
	s->memory[at] = kmalloc(s->bytes, GFP_KERNEL_ACCOUNT);
}

static __always_inline void do_kfree(struct pattern_state *s, unsigned int at)
{
	kfree(s->memory[at]);
}

/* --- Loops --- */

/* Owners charge and uncharge in different functions: hence the barriers. */
static __always_inline u64 run_cycle(struct bench *b, unsigned long n,
				     half_fn charge, half_fn uncharge)
{
	struct pattern_state *s = b->private;
	unsigned int in = s->in, out = s->out;
	u64 start = bench_clock(), elapsed;

	do {
		if (charge) {
			charge(s, in);
			barrier();
			if (++in == CYCLE)
				in = 0;
		}
		if (uncharge) {
			uncharge(s, out);
			barrier();
			if (++out == CYCLE)
				out = 0;
		}
		bench_mark(BENCH_MARK_OPERATION);
	} while (--n);
	elapsed = bench_clock() - start;
	s->in = in;
	s->out = out;
	return elapsed;
}

#define PATTERN_LOOP(name, charge, uncharge)				\
static noinline u64 loop_pattern_##name(struct bench *b, unsigned long n) \
{									\
	return run_cycle(b, n, charge, uncharge);			\
}

PATTERN_LOOP(empty, do_nothing, do_nothing)
PATTERN_LOOP(empty_half, do_nothing, NULL)
PATTERN_LOOP(both, do_charge, do_uncharge)
PATTERN_LOOP(charge, do_charge, NULL)
PATTERN_LOOP(uncharge, NULL, do_uncharge)
PATTERN_LOOP(atomic, do_add, do_sub)
PATTERN_LOOP(atomic_add, do_add, NULL)
PATTERN_LOOP(atomic_sub, NULL, do_sub)
PATTERN_LOOP(counter, do_count_up, do_count_down)
PATTERN_LOOP(kmalloc, do_kmalloc, do_kfree)
PATTERN_LOOP(kmalloc_accounted, do_kmalloc_accounted, do_kfree)
PATTERN_LOOP(queue, do_send, do_receive)
PATTERN_LOOP(empty_queue, do_not_send, do_not_receive)

/* Have another CPU uncharge a cycle, or charge one. */
static void uncharge_cycle(void *state)
{
	unsigned int at;

	for (at = 0; at < CYCLE; at++)
		do_uncharge(state, at);
}

static void charge_cycle(void *state)
{
	unsigned int at;

	for (at = 0; at < CYCLE; at++)
		do_charge(state, at);
}

static void call_elsewhere(void (*function)(void *state), struct bench *b)
{
	unsigned int cpu = get_cpu();

	smp_call_function_single(cpumask_any_but(cpu_online_mask, cpu),
				 function, b->private, true);
	put_cpu();
}

static void uncharge_elsewhere(struct bench *b)
{
	call_elsewhere(uncharge_cycle, b);
}

static void charge_elsewhere(struct bench *b)
{
	call_elsewhere(charge_cycle, b);
}

typedef u64 (*loop_fn)(struct bench *b, unsigned long n);

/*
 * Have one thread of a pair charge what the other uncharges. They swap their
 * jobs after each reading, so that nothing adds up. A thread without a partner
 * does both. Each thread of a pair does its half twice as often, so that a
 * thread's time is that of a charge and an uncharge.
 */
static u64 run_in_pairs(struct bench *b, unsigned long n, loop_fn both,
			loop_fn charge, loop_fn uncharge)
{
	struct pattern_state *s = b->private;
	unsigned int thread = b - b->first, in = s->in, out = s->out;
	u64 elapsed;

	if ((thread ^ 1) >= b->threads)
		return both(b, n);
	s->swap = !s->swap;
	elapsed = (s->swap == (thread & 1) ? charge : uncharge)(b, 2 * n);
	s->in = in;
	s->out = out;
	return elapsed;
}

static u64 loop_pattern_pair(struct bench *b, unsigned long n)
{
	return run_in_pairs(b, n, loop_pattern_both, loop_pattern_charge,
			    loop_pattern_uncharge);
}

static u64 loop_pattern_pair_atomic(struct bench *b, unsigned long n)
{
	return run_in_pairs(b, n, loop_pattern_atomic, loop_pattern_atomic_add,
			    loop_pattern_atomic_sub);
}

/* --- Cases --- */

#define PATTERN(...)							\
	.setup = bench_pattern_setup,					\
	.teardown = bench_pattern_teardown,				\
	.pattern = &(const struct bench_pattern){ __VA_ARGS__ }

#define BOTH								\
	.loop = loop_pattern_both,					\
	.empty = loop_pattern_empty

/*
 * Each participant once, with nothing of it in the caches. What participants
 * hold grows, or shrinks, from reading to reading.
 */
#define CHARGES								\
	.loop = loop_pattern_charge,					\
	.empty = loop_pattern_empty_half,				\
	.cold = true

#define UNCHARGES							\
	.loop = loop_pattern_uncharge,					\
	.empty = loop_pattern_empty_half,				\
	.cold = true

static const struct bench_case pattern_cases[] = {
	{
		.name = "peer_atomic_50_later",
		.loop = loop_pattern_atomic,
		.empty = loop_pattern_empty,
		PATTERN(.owners = OWNERS_PLAIN, .later = 50),
		.nr = 1,
	}, {
		.name = "peer_atomic_16_random_50_later",
		.loop = loop_pattern_atomic,
		.empty = loop_pattern_empty,
		PATTERN(.owners = OWNERS_PLAIN, .later = 50),
		.nr = 16,
	}, {
		/*
		 * By its construction, one locked instruction, one line and one
		 * miss of each cache: a check of the plugin.
		 */
		.name = "peer_atomic_add_10000",
		.loop = loop_pattern_atomic_add,
		.empty = loop_pattern_empty_half,
		PATTERN(.owners = OWNERS_PLAIN, .in_turn = true),
		.nr = 10000,
		.cold = true,
	}, {
		.name = "peer_percpu_counter_50_later",
		.loop = loop_pattern_counter,
		.empty = loop_pattern_empty,
		PATTERN(.owners = OWNERS_PLAIN, .later = 50),
		.nr = 1,
	}, {
		/* What memcg adds to kmalloc() and kfree() */
		.name = "peer_memcg_50_later",
		.loop = loop_pattern_kmalloc_accounted,
		.empty = loop_pattern_kmalloc,
		PATTERN(.owners = OWNERS_PLAIN, .later = 50, .bytes = 64),
		.nr = 1,
	}, {
		.name = "peer_memcg_packet_50_later",
		.loop = loop_pattern_kmalloc_accounted,
		.empty = loop_pattern_kmalloc,
		PATTERN(.owners = OWNERS_PLAIN, .later = 50),
		.nr = 1,
	}, {
		.name = "charge_uncharge_50_later",
		BOTH,
		PATTERN(.later = 50),
		.nr = 1,
		.peer = "peer_percpu_counter_50_later",
	}, {
		.name = "charge_uncharge_4_random_50_later",
		BOTH,
		PATTERN(.later = 50),
		.nr = 4,
		.peer = "peer_memcg_50_later",
	}, {
		.name = "charge_uncharge_16_random_50_later",
		BOTH,
		PATTERN(.later = 50),
		.nr = 16,
		.peer = "peer_memcg_50_later",
	}, {
		.name = "charge_uncharge_1000_random_50_later",
		BOTH,
		PATTERN(.later = 50),
		.nr = 1000,
		.peer = "peer_memcg_50_later",
	}, {
		.name = "charge_uncharge_8_of_10000_100_later",
		BOTH,
		PATTERN(.hot = 8, .later = 100),
		.nr = 10000,
		.cold = true,
		.peer = "peer_memcg_50_later",
	}, {
		.name = "charge_10000_private",
		CHARGES,
		PATTERN(.in_turn = true),
		.nr = 10000,
		.peer = "peer_atomic_add_10000",
	}, {
		.name = "uncharge_10000_private",
		UNCHARGES,
		PATTERN(.in_turn = true, .advance = true),
		.nr = 10000,
		.peer = "peer_atomic_add_10000",
	}, {
		.name = "charge_10000_of_one_account",
		CHARGES,
		PATTERN(.owners = OWNERS_ONE_ACCOUNT, .in_turn = true),
		.nr = 10000,
		.peer = "peer_atomic_add_10000",
	}, {
		.name = "uncharge_10000_of_one_account",
		UNCHARGES,
		PATTERN(.owners = OWNERS_ONE_ACCOUNT, .in_turn = true,
			.advance = true),
		.nr = 10000,
		.peer = "peer_atomic_add_10000",
	}, {
		.name = "queue_16_random_50_later",
		.loop = loop_pattern_queue,
		.empty = loop_pattern_empty_queue,
		PATTERN(.owners = OWNERS_QUEUES, .later = 50),
		.nr = 16,
		.peer = "peer_memcg_50_later",
	},
};

/* What one CPU charges another one uncharges. */
#define CHARGES_FOR_ANOTHER						\
	.loop = loop_pattern_charge,					\
	.empty = loop_pattern_empty_half,				\
	.rewind = uncharge_elsewhere,					\
	.quiet = true,							\
	PATTERN(.advance = true)

#define UNCHARGES_OF_ANOTHER						\
	.loop = loop_pattern_uncharge,					\
	.empty = loop_pattern_empty_half,				\
	.rewind = charge_elsewhere,					\
	.quiet = true,							\
	PATTERN(.advance = true)

static const struct bench_case two_cpu_cases[] = {
	{
		.name = "charge_1_for_other_cpu",
		CHARGES_FOR_ANOTHER,
		.nr = 1,
	}, {
		.name = "uncharge_1_of_other_cpu",
		UNCHARGES_OF_ANOTHER,
		.nr = 1,
	}, {
		.name = "charge_16_for_other_cpu",
		CHARGES_FOR_ANOTHER,
		.nr = 16,
	}, {
		.name = "uncharge_16_of_other_cpu",
		UNCHARGES_OF_ANOTHER,
		.nr = 16,
	}, {
		.name = "charge_1000_for_other_cpu",
		CHARGES_FOR_ANOTHER,
		.nr = 1000,
	}, {
		.name = "uncharge_1000_of_other_cpu",
		UNCHARGES_OF_ANOTHER,
		.nr = 1000,
	},
};

/*
 * On several CPUs. Floors have no memory that CPUs share, or share it as the
 * pattern does: what one CPU charges another uncharges.
 */
#define FLOOR(...)							\
	.loop = loop_pattern_atomic,					\
	PATTERN(.owners = OWNERS_PLAIN, __VA_ARGS__)

#define PAIR								\
	.loop = loop_pattern_pair,					\
	PATTERN(.threads = THREADS_IN_PAIRS, .later = 50, .advance = true)

#define PAIR_FLOOR							\
	.loop = loop_pattern_pair_atomic,				\
	PATTERN(.owners = OWNERS_PLAIN, .threads = THREADS_IN_PAIRS,	\
		.later = 50)

const struct bench_case bench_pattern_shared_cases[] = {
	{
		.name = "peer_atomic_50_later",
		FLOOR(.later = 50),
		.nr = 1,
	}, {
		.name = "peer_atomic_16_random_50_later",
		FLOOR(.later = 50),
		.nr = 16,
	}, {
		.name = "peer_atomic_10000_50_later",
		FLOOR(.in_turn = true, .later = 50),
		.nr = 10000,
	}, {
		.name = "peer_atomic_producer_consumer_1",
		PAIR_FLOOR,
		.nr = 1,
	}, {
		.name = "peer_atomic_producer_consumer_16",
		PAIR_FLOOR,
		.nr = 16,
	}, {
		.name = "peer_atomic_producer_consumer_1000",
		PAIR_FLOOR,
		.nr = 1000,
	}, {
		.name = "charge_uncharge_50_later",
		BOTH,
		PATTERN(.later = 50),
		.nr = 1,
		.floor = "peer_atomic_50_later",
	}, {
		.name = "charge_uncharge_one_participant",
		BOTH,
		PATTERN(.threads = THREADS_TOGETHER, .later = 50),
		.nr = 1,
		.floor = "peer_atomic_50_later",
	}, {
		.name = "charge_uncharge_16_random_50_later",
		BOTH,
		PATTERN(.later = 50),
		.nr = 16,
		.floor = "peer_atomic_16_random_50_later",
	}, {
		.name = "charge_uncharge_10000_private",
		BOTH,
		PATTERN(.in_turn = true, .later = 50),
		.nr = 10000,
		.floor = "peer_atomic_10000_50_later",
	}, {
		.name = "charge_uncharge_10000_of_one_account",
		BOTH,
		PATTERN(.owners = OWNERS_ONE_ACCOUNT, .in_turn = true,
			.later = 50),
		.nr = 10000,
		.floor = "peer_atomic_10000_50_later",
	}, {
		.name = "producer_consumer_1",
		PAIR,
		.nr = 1,
		.floor = "peer_atomic_producer_consumer_1",
	}, {
		.name = "producer_consumer_16",
		PAIR,
		.nr = 16,
		.floor = "peer_atomic_producer_consumer_16",
	}, {
		.name = "producer_consumer_1000",
		PAIR,
		.nr = 1000,
		.floor = "peer_atomic_producer_consumer_1000",
	},
};

const size_t bench_nr_pattern_shared_cases =
	ARRAY_SIZE(bench_pattern_shared_cases);

int bench_patterns(void)
{
	return bench_run_cases(pattern_cases, ARRAY_SIZE(pattern_cases));
}

/* The plugin counts each CPU apart, so the caller must stay on one. */
int bench_two_cpus(void)
{
	if (num_online_cpus() < 2)
		return -ENODEV;
	return bench_run_cases(two_cpu_cases, ARRAY_SIZE(two_cpu_cases));
}
