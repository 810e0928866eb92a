// SPDX-License-Identifier: GPL-2.0
/*
 * Measure charges and uncharges in the patterns in which owners make them: of
 * many participants, and apart in time.
 *
 * A pattern is a cycle of operations, drawn before the measurement. Operation i
 * charges the participant order[i], and uncharges the one that was charged @later
 * operations before. Peers run the same cycle. An empty loop that only computes
 * the addresses is subtracted.
 *
 * To add a pattern, add a case with its struct bench_pattern. To add a peer, add
 * what it does instead of a charge and an uncharge.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu_counter.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <memquota/queue.h>
#include "bench.h"

/* Operations in a cycle */
#define CYCLE		10000

/* What a charge is worth: a packet. */
#define PACKET		1500

/* Messages to send in turn: a divisor of CYCLE, and more than are queued. */
#define MESSAGES	100

/* Bytes to charge in advance where a loop uncharges more than it charges. */
#define ADVANCE		(8ULL * SZ_1G)

enum pattern_owners {
	OWNERS_PRIVATE,		/* participants with an account each */
	OWNERS_ONE_ACCOUNT,	/* participants of one account, all threads' */
	OWNERS_PLAIN,		/* objects of a peer, no participants */
	OWNERS_QUEUES,		/* queues of one account */
};

enum pattern_threads {
	THREADS_APART,		/* each thread has objects of its own */
	THREADS_TOGETHER,	/* all threads have the same objects */
	THREADS_IN_PAIRS,	/* one thread charges what another uncharges */
};

struct bench_pattern {
	enum pattern_owners owners;
	enum pattern_threads threads;
	/* Four of five operations go to the first so many; 0: to all alike. */
	unsigned int hot;
	/* Operations between a charge and its uncharge */
	unsigned int later;
	bool in_turn;		/* instead of at random */
	bool advance;		/* begin with ADVANCE charged */
	/* What is charged; 0: a packet */
	size_t bytes;
};

struct message {
	struct memquota_item item;
	char payload[64 - sizeof(struct memquota_item)];
};

struct state {
	const struct bench_pattern *pattern;
	unsigned int nr;
	unsigned int in;	/* next operation to charge */
	unsigned int out;	/* next operation to uncharge */
	bool swap;		/* the threads of a pair swap their jobs */
	size_t bytes;
	struct bench_object *objects;
	struct percpu_counter counter;
	struct memquota_queue *queues;
	struct message *messages;
	void **memory;		/* of each operation */
	u16 order[CYCLE];
};

/* --- Halves of an operation --- */

/* Do to the object of operation @at. */
typedef void (*half_fn)(struct state *s, unsigned int at);

static __always_inline struct bench_object *object_at(struct state *s,
						      unsigned int at)
{
	return &s->objects[s->order[at]];
}

static __always_inline void do_nothing(struct state *s, unsigned int at)
{
	asm volatile("" : : "r" (object_at(s, at)), "r" (s->bytes) : "memory");
}

static __always_inline void do_charge(struct state *s, unsigned int at)
{
	memquota_charge(&object_at(s, at)->participant, s->bytes);
}

static __always_inline void do_uncharge(struct state *s, unsigned int at)
{
	memquota_uncharge(&object_at(s, at)->participant, s->bytes);
}

static __always_inline struct memquota_queue *queue_at(struct state *s,
						       unsigned int at)
{
	return &s->queues[s->order[at]];
}

static __always_inline struct memquota_item *item_at(struct state *s,
						     unsigned int at)
{
	return &s->messages[at % MESSAGES].item;
}

static __always_inline void do_not_send(struct state *s, unsigned int at)
{
	asm volatile("" : : "r" (queue_at(s, at)), "r" (item_at(s, at)),
			    "r" (s->bytes) : "memory");
}

static __always_inline void do_not_receive(struct state *s, unsigned int at)
{
	asm volatile("" : : "r" (queue_at(s, at)) : "memory");
}

static __always_inline void do_send(struct state *s, unsigned int at)
{
	WARN_ON_ONCE(memquota_queue_send(queue_at(s, at), item_at(s, at),
					 s->bytes, GFP_NOWAIT));
}

static __always_inline void do_receive(struct state *s, unsigned int at)
{
	memquota_queue_recv(queue_at(s, at));
}

static __always_inline void do_add(struct state *s, unsigned int at)
{
	atomic64_add_return(s->bytes, &object_at(s, at)->counter);
}

static __always_inline void do_sub(struct state *s, unsigned int at)
{
	atomic64_sub_return(s->bytes, &object_at(s, at)->counter);
}

static __always_inline void do_count_up(struct state *s, unsigned int at)
{
	percpu_counter_add_batch(&s->counter, s->bytes, 1 << 20);
}

static __always_inline void do_count_down(struct state *s, unsigned int at)
{
	percpu_counter_add_batch(&s->counter, -(s64)s->bytes, 1 << 20);
}

static __always_inline void do_kmalloc(struct state *s, unsigned int at)
{
	s->memory[at] = kmalloc(s->bytes, GFP_KERNEL);
}

static __always_inline void do_kmalloc_accounted(struct state *s,
						 unsigned int at)
{
	s->memory[at] = kmalloc(s->bytes, GFP_KERNEL_ACCOUNT);
}

static __always_inline void do_kfree(struct state *s, unsigned int at)
{
	kfree(s->memory[at]);
}

/* --- Loops --- */

/* Owners charge and uncharge in different functions: hence the barriers. */
static __always_inline u64 run_cycle(struct bench *b, unsigned long n,
				     half_fn charge, half_fn uncharge)
{
	struct state *s = b->private;
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
	struct state *s = b->private;
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

/* --- Preparation --- */

static void queue_free_item(struct memquota_queue *queue,
			    struct memquota_item *item)
{
	/* It is part of state->messages. */
}

static void destroy_queues(struct bench *b, unsigned int nr)
{
	struct state *s = b->private;

	while (nr)
		memquota_queue_destroy(&s->queues[--nr]);
	kvfree(s->queues);
	kvfree(s->messages);
	bench_destroy_account(b);
}

static int create_queues(struct bench *b, unsigned int nr)
{
	const struct memquota_limits limits = { };
	struct state *s = b->private;
	int err = bench_create_account(b, &limits);
	unsigned int i = 0;

	if (err)
		return err;
	s->queues = kvcalloc(nr, sizeof(*s->queues), GFP_KERNEL);
	BUILD_BUG_ON(CYCLE % MESSAGES);
	s->messages = kvcalloc(MESSAGES, sizeof(*s->messages), GFP_KERNEL);
	err = s->queues && s->messages ? 0 : -ENOMEM;
	for (; !err && i < nr; i += !err)
		err = memquota_queue_init(&s->queues[i], b->account,
					  queue_free_item, 0, GFP_KERNEL,
					  "bench queue %u", i);
	if (err)
		destroy_queues(b, i);
	return err;
}

static void destroy_plain(struct bench *b)
{
	struct state *s = b->private;

	/* Free what the loops have not. */
	for (; s->memory && s->out != s->in; s->out = (s->out + 1) % CYCLE)
		kfree(s->memory[s->out]);
	vfree(s->memory);
	percpu_counter_destroy(&s->counter);
	vfree(b->objects);
}

static int create_plain(struct bench *b, unsigned int nr)
{
	struct state *s = b->private;

	b->objects = vzalloc(array_size(nr, sizeof(*b->objects)));
	s->memory = vzalloc(array_size(CYCLE, sizeof(*s->memory)));
	if (b->objects && s->memory &&
	    !percpu_counter_init(&s->counter, 0, GFP_KERNEL))
		return 0;
	vfree(s->memory);
	vfree(b->objects);
	return -ENOMEM;
}

static int create_one_account(struct bench *b, unsigned int nr)
{
	const struct memquota_limits limits = { };
	bool shared = b->first && b->first != b;
	int err = 0;

	if (shared)
		b->account = b->first->account;
	else
		err = bench_create_account(b, &limits);
	if (err)
		return err;
	err = bench_join_all(b, nr, &bench_plain_ops);
	if (err && !shared)
		bench_destroy_account(b);
	return err;
}

static int create_objects(struct bench *b)
{
	struct state *s = b->private;

	switch (s->pattern->owners) {
	case OWNERS_PRIVATE:
		return bench_join_private(b, s->nr);
	case OWNERS_ONE_ACCOUNT:
		return create_one_account(b, s->nr);
	case OWNERS_QUEUES:
		return create_queues(b, s->nr);
	case OWNERS_PLAIN:
		return create_plain(b, s->nr);
	}
	return -EINVAL;
}

static void destroy_objects(struct bench *b)
{
	struct state *s = b->private;

	switch (s->pattern->owners) {
	case OWNERS_PRIVATE:
		bench_leave_all(b);
		break;
	case OWNERS_ONE_ACCOUNT:
		bench_leave_all(b);
		if (!b->first || b->first == b)
			bench_destroy_account(b);
		break;
	case OWNERS_QUEUES:
		destroy_queues(b, s->nr);
		break;
	case OWNERS_PLAIN:
		destroy_plain(b);
		break;
	}
}

/* Return the thread whose objects this one uses, itself included. */
static struct bench *find_owner(struct bench *b, const struct bench_pattern *p)
{
	unsigned int thread = b->first ? b - b->first : 0;

	switch (p->threads) {
	case THREADS_APART:
		break;
	case THREADS_TOGETHER:
		return b - thread;
	case THREADS_IN_PAIRS:
		return b - (thread & 1);
	}
	return b;
}

static void draw_order(struct state *s)
{
	unsigned int i, among;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < CYCLE; i++) {
		among = s->nr;
		if (s->pattern->hot && prandom_u32_state(&rnd) % 5)
			among = s->pattern->hot;
		s->order[i] = s->pattern->in_turn ?
			      i % s->nr : prandom_u32_state(&rnd) % among;
	}
}

/* Begin in the middle: with the charges that the first operations uncharge. */
static void charge_in_advance(struct bench *b)
{
	struct state *s = b->private;
	const struct bench_pattern *p = s->pattern;
	unsigned int i;

	for (; s->in < p->later; s->in++) {
		if (p->owners == OWNERS_QUEUES)
			do_send(s, s->in);
		else if (p->owners != OWNERS_PLAIN)
			do_charge(s, s->in);
	}
	for (i = 0; p->advance && i < b->nr; i++)
		memquota_charge(&b->objects[i].participant,
				div_u64(ADVANCE, s->nr));
}

static int pattern_setup(struct bench *b, const struct bench_case *c)
{
	struct state *s = kvzalloc(sizeof(*s), GFP_KERNEL);
	struct bench *owner = find_owner(b, c->pattern);
	int err = 0;

	if (!s)
		return -ENOMEM;
	b->private = s;
	s->pattern = c->pattern;
	s->nr = c->nr;
	s->bytes = c->pattern->bytes ?: PACKET;
	if (owner == b)
		err = create_objects(b);
	if (err) {
		kvfree(s);
		return err;
	}
	s->objects = owner->objects;
	draw_order(s);
	charge_in_advance(b);
	return 0;
}

static void pattern_teardown(struct bench *b)
{
	struct state *s = b->private;

	if (find_owner(b, s->pattern) == b)
		destroy_objects(b);
	kvfree(s);
}

/* --- Cases --- */

#define PATTERN(...)							\
	.setup = pattern_setup,						\
	.teardown = pattern_teardown,					\
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
