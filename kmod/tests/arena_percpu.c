// SPDX-License-Identifier: GPL-2.0
/* Arenas that all CPUs use at once: rule N11. */
#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "harness.h"

#define PROCESS_TURNS	share_of(3000)
#define SOFTIRQ_PERIOD	(200 * NSEC_PER_USEC)
#define EXCHANGED	64

static const struct memquota_arena_config per_cpu = {
	.gfp = GFP_ATOMIC,
	.flags = MEMQUOTA_ARENA_PERCPU,
};

/* An allocation that knows its size and is full of its own address. */
struct thing {
	struct thing *next;
	size_t words;
	unsigned long word[];
};

/**
 * struct hall - an arena that all CPUs use, in process context and softirqs
 * @arena: the arena
 * @exchanged: references; a thread leaves its own and puts the one it finds
 * @plain: lists of plain memory per CPU, for process context and softirqs,
 *	checked between the rounds
 * @failures: number of failed allocations and damaged things
 * @served: number of softirqs
 */
struct hall {
	struct memquota_arena *arena;
	struct thing *exchanged[EXCHANGED];
	struct thing *plain[NR_CPUS][2];
	atomic_t failures;
	atomic_t served;
};

/* A periodic softirq. */
struct bell {
	struct hrtimer timer;
	struct hall *hall;
	unsigned int turn;
};

static bool is_sound(const struct thing *thing)
{
	size_t i;

	for (i = 0; i < thing->words; i++)
		if (thing->word[i] != (unsigned long)thing)
			return false;
	return true;
}

static struct thing *new_thing(struct hall *hall, unsigned int turn, bool ref)
{
	size_t words = turn % 67 == 0 ? 2500 : turn % 40, i;
	size_t size = sizeof(struct thing) + words * sizeof(long);
	struct thing *thing;

	thing = ref ? memquota_arena_alloc_ref_percpu(hall->arena, size, 8) :
		      memquota_arena_alloc_percpu(hall->arena, size, 8);
	if (IS_ERR(thing)) {
		atomic_inc(&hall->failures);
		return NULL;
	}
	thing->words = words;
	for (i = 0; i < words; i++)
		thing->word[i] = (unsigned long)thing;
	return thing;
}

static void take_turn(struct hall *hall, unsigned int turn)
{
	struct thing **plain, *thing = new_thing(hall, turn, turn % 3);

	if (!thing)
		return;
	if (turn % 3) {
		thing = xchg(&hall->exchanged[turn * 7 % EXCHANGED], thing);
		if (!thing)
			return;
		if (!is_sound(thing))
			atomic_inc(&hall->failures);
		memquota_ref_put(thing);
	} else {
		plain = &hall->plain[raw_smp_processor_id()]
				    [!!in_serving_softirq()];
		thing->next = *plain;
		*plain = thing;
	}
}

static enum hrtimer_restart bell_ring(struct hrtimer *timer)
{
	struct bell *bell = container_of(timer, struct bell, timer);
	unsigned int i;

	for (i = 0; i < 20; i++)
		take_turn(bell->hall, bell->turn++);
	atomic_inc(&bell->hall->served);
	hrtimer_forward_now(timer, SOFTIRQ_PERIOD);
	return HRTIMER_RESTART;
}

static void allocate_under_a_bell(unsigned int cpu, void *arg)
{
	struct bell bell = { .hall = arg, .turn = cpu };
	unsigned int i;

	hrtimer_setup_on_stack(&bell.timer, bell_ring, CLOCK_MONOTONIC,
			       HRTIMER_MODE_REL_PINNED_SOFT);
	hrtimer_start(&bell.timer, SOFTIRQ_PERIOD,
		      HRTIMER_MODE_REL_PINNED_SOFT);
	for (i = 0; i < PROCESS_TURNS; i++) {
		take_turn(arg, cpu * 1000 + i);
		if (i % 64 == 0)
			cond_resched();
	}
	hrtimer_cancel(&bell.timer);
	destroy_hrtimer_on_stack(&bell.timer);
}

static void check_plain(struct kunit *test, struct hall *hall)
{
	struct thing *thing;
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < 2; i++) {
			for (thing = hall->plain[cpu][i]; thing;
			     thing = thing->next)
				KUNIT_EXPECT_TRUE(test, is_sound(thing));
			hall->plain[cpu][i] = NULL;
		}
	}
}

static void n11_process_and_softirq_at_once(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct hall *hall = new_zeroed(test, struct hall);
	unsigned int round, i;
	struct thing *thing;

	hall->arena = lone_arena(test, t, &per_cpu);
	for (round = 0; round < 3; round++) {
		run_on_all_cpus(test, allocate_under_a_bell, hall);
		KUNIT_EXPECT_EQ(test, exact_total(t),
				stats_of(hall->arena).held_bytes);
		check_plain(test, hall);
		memquota_arena_reset(hall->arena);
		KUNIT_EXPECT_EQ(test, exact_total(t),
				stats_of(hall->arena).held_bytes);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&hall->failures), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&hall->served), 0);
	KUNIT_EXPECT_GT(test, stats_of(hall->arena).ever.cache_hits, 0);
	end_arena(test, hall->arena);
	KUNIT_EXPECT_GT(test, exact_total(t), 0);
	for (i = 0; i < EXCHANGED; i++) {
		thing = hall->exchanged[i];
		KUNIT_EXPECT_TRUE(test, !thing || is_sound(thing));
		memquota_ref_put(thing);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* The latest two references of each CPU. */
struct each_cpu {
	struct memquota_arena *arena;
	void *refs[NR_CPUS];
	void *last[NR_CPUS];
};

static void allocate_one(unsigned int cpu, void *arg)
{
	struct each_cpu *each = arg;

	each->last[cpu] = each->refs[cpu];
	each->refs[cpu] = memquota_arena_alloc_ref_percpu(each->arena, 100, 8);
}

static struct each_cpu *new_each_cpu(struct kunit *test,
				     struct memquota_tracker *t)
{
	struct each_cpu *each = new_zeroed(test, struct each_cpu);

	each->arena = lone_arena(test, t, &(struct memquota_arena_config){
		.flags = MEMQUOTA_ARENA_PERCPU });
	return each;
}

static void put_each(struct kunit *test, struct each_cpu *each)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		memquota_ref_put(must_get(test, each->refs[cpu]));
}

static void n11_each_cpu_has_its_own_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct each_cpu *each = new_each_cpu(test, t);
	unsigned int cpu, n = num_online_cpus();
	struct memquota_arena_stats stats;

	run_on_all_cpus(test, allocate_one, each);
	stats = stats_of(each->arena);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, n);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, n * SZ_512);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, n * (448 - 100));
	put_each(test, each);
	/* Resetting rewinds each of them. */
	memquota_arena_reset(each->arena);
	stats = stats_of(each->arena);
	KUNIT_EXPECT_EQ(test, stats.since_reset.chunks, 0);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, n * 448);
	run_on_all_cpus(test, allocate_one, each);
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_PTR_EQ(test, each->refs[cpu], each->last[cpu]);
	/* A reference keeps its chunk, but not those of other CPUs. */
	cpu = cpumask_first(cpu_online_mask);
	memquota_ref_get(each->refs[cpu]);
	put_each(test, each);
	memquota_arena_reset(each->arena);
	run_on_all_cpus(test, allocate_one, each);
	KUNIT_EXPECT_EQ(test, stats_of(each->arena).ever.chunks, n + 1);
	KUNIT_EXPECT_PTR_NE(test, each->refs[cpu], each->last[cpu]);
	memquota_ref_put(each->last[cpu]);
	put_each(test, each);
}

static void n11_preallocating_for_each_cpu(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct each_cpu *each = new_each_cpu(test, t);
	unsigned int n = num_online_cpus();

	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(each->arena, LARGEST),
			0);
	KUNIT_EXPECT_EQ(test, exact_total(t), n * SZ_64K);
	run_on_all_cpus(test, allocate_one, each);
	KUNIT_EXPECT_EQ(test, stats_of(each->arena).ever.chunks, n);
	KUNIT_EXPECT_EQ(test, stats_of(each->arena).ever.cache_hits, n);
	KUNIT_EXPECT_EQ(test, exact_total(t), n * SZ_64K);
	put_each(test, each);
}

/* The functions for one owner work on an arena per CPU, too. */
static void n11_all_functions_know_it(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = new_each_cpu(test, t)->arena;
	char *text;
	void *ref;

	migrate_disable();
	text = memquota_arena_strdup(arena, "per CPU");
	text = memquota_arena_realloc(arena, text, 8, 16, 1);
	migrate_enable();
	KUNIT_EXPECT_STREQ(test, (char *)must_get(test, text), "per CPU");
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
	must_get(test, memquota_arena_alloc(arena, 100, 8));
	ref = must_get(test, memquota_arena_zalloc_ref(arena, 100, SZ_4K));
	text = must_get(test, memquota_arena_asprintf(arena, "%40000d", 1));
	KUNIT_EXPECT_EQ(test, strlen(text), 40000);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), stats_of(arena).held_bytes);
	memquota_arena_drop(arena);
	memquota_arena_reset(arena);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_percpu(arena, 1, 1), -ESTALE);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

#ifdef CONFIG_FAILSLAB
/* The stores of all CPUs are large, so their allocation may sleep. */
static void n11_made_where_atomic_memory_is_short(struct kunit *test)
{
	struct memquota_arena_config config = per_cpu;
	struct memquota_arena arena;
	int err;

	config.flags |= MEMQUOTA_ARENA_IN_ACCOUNT;
	start_failing(1);
	err = memquota_arena_init(&arena, &config, "short");
	stop_failing();
	KUNIT_ASSERT_EQ(test, err, 0);
	memquota_arena_destroy(&arena);
}
#endif

/* The numbers of possible CPUs may have gaps. */
static void n11_numbers_that_no_cpu_has(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct each_cpu *each = new_each_cpu(test, t);
	struct memquota_arena_core *core = each->arena->core;
	unsigned int i;

	/* As if the last one were a gap: no allocation runs there. */
	for (i = core->nr_stores - 2; i < core->nr_stores; i++)
		core->stores[i].bump = NULL;
	run_on_cpu(test, cpumask_first(cpu_online_mask), allocate_one, each);
	memquota_arena_reset(each->arena);
	KUNIT_EXPECT_EQ(test, stats_of(each->arena).held_bytes, SZ_512);
	end_arena(test, each->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	memquota_ref_put(each->refs[cpumask_first(cpu_online_mask)]);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* One CPU trims and reads statistics while the others allocate. */
static void allocate_or_trim(unsigned int cpu, void *arg)
{
	struct hall *hall = arg;
	struct memquota_arena_core *core = hall->arena->core;
	unsigned int i;

	for (i = 0; i < PROCESS_TURNS; i++) {
		if (cpu != cpumask_first(cpu_online_mask)) {
			take_turn(hall, cpu * 1000 + i);
			continue;
		}
		memquota_store_trim(&core->stores[i % core->nr_stores]);
		if (stats_of(hall->arena).held_bytes > SZ_1G)
			atomic_inc(&hall->failures);
		cond_resched();
	}
}

static void n11_trimming_meanwhile(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct hall *hall = new_zeroed(test, struct hall);
	unsigned int i;

	hall->arena = lone_arena(test, t, &per_cpu);
	run_on_all_cpus(test, allocate_or_trim, hall);
	KUNIT_EXPECT_EQ(test, atomic_read(&hall->failures), 0);
	check_plain(test, hall);
	for (i = 0; i < EXCHANGED; i++)
		memquota_ref_put(hall->exchanged[i]);
	KUNIT_EXPECT_EQ(test, exact_total(t), stats_of(hall->arena).held_bytes);
}

/* One CPU drops the arena while all use it. */
static void allocate_or_drop(unsigned int cpu, void *arg)
{
	struct hall *hall = arg;
	unsigned int i;
	void *ref;

	for (i = 0; i < PROCESS_TURNS; i++) {
		ref = memquota_arena_alloc_ref_percpu(hall->arena, 1000, 8);
		memquota_ref_put(ref);
		if (i == PROCESS_TURNS / 2 &&
		    cpu == cpumask_first(cpu_online_mask))
			memquota_arena_drop(hall->arena);
	}
}

static void n11_dropping_meanwhile(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct hall *hall = new_zeroed(test, struct hall);
	void *memory = NULL;
	unsigned int i;

	hall->arena = lone_arena(test, t, &per_cpu);
	run_on_all_cpus(test, allocate_or_drop, hall);
	/* Current chunks still serve allocations. */
	for (i = 0; i < num_online_cpus() * SZ_64K / SZ_16K; i++) {
		memory = memquota_arena_alloc_percpu(hall->arena, SZ_16K, 1);
		if (IS_ERR(memory))
			break;
	}
	EXPECT_PTR_ERR(test, memory, -ESTALE);
	/* At most the current chunks are left, and none after a reset. */
	KUNIT_EXPECT_LE(test, exact_total(t), num_online_cpus() * SZ_64K);
	memquota_arena_reset(hall->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

#ifdef CONFIG_HOTPLUG_CPU
static void n11_an_offline_cpu_retires_its_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct each_cpu *each = new_each_cpu(test, t);
	unsigned int cpu = cpumask_last(cpu_online_mask);

	need_cpus(test, 2);
	run_on_cpu(test, cpu, allocate_one, each);
	must_get(test, each->refs[cpu]);
	memset(each->refs[cpu], 1, 100);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(each->arena, 1000), 0);
	KUNIT_ASSERT_EQ(test, remove_cpu(cpu), 0);
	/* Its cache is freed, referenced memory is not. */
	KUNIT_EXPECT_EQ(test, exact_total(t),
			SZ_512 + num_online_cpus() * SZ_2K);
	KUNIT_EXPECT_NULL(test, memchr_inv(each->refs[cpu], 1, 100));
	KUNIT_EXPECT_NULL(test,
			  each->arena->core->stores[2 * cpu].current_chunk);
	KUNIT_ASSERT_EQ(test, add_cpu(cpu), 0);
	run_on_cpu(test, cpu, allocate_one, each);
	memquota_ref_put(must_get(test, each->refs[cpu]));
	memquota_ref_put(each->last[cpu]);
}
#endif

static struct kunit_case cases[] = {
	KUNIT_CASE(n11_process_and_softirq_at_once),
	KUNIT_CASE(n11_each_cpu_has_its_own_chunk),
	KUNIT_CASE(n11_preallocating_for_each_cpu),
	KUNIT_CASE(n11_all_functions_know_it),
#ifdef CONFIG_FAILSLAB
	KUNIT_CASE(n11_made_where_atomic_memory_is_short),
#endif
	KUNIT_CASE(n11_numbers_that_no_cpu_has),
	KUNIT_CASE(n11_trimming_meanwhile),
	KUNIT_CASE(n11_dropping_meanwhile),
#ifdef CONFIG_HOTPLUG_CPU
	KUNIT_CASE(n11_an_offline_cpu_retires_its_chunk),
#endif
	{}
};

MEMQUOTA_SUITE(memquota_arena_percpu, cases);
