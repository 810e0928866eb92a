// SPDX-License-Identifier: GPL-2.0
/*
 * Which participants get a slot, and charges with and without one: rules T3, T8
 * and T9, P6, P7 and P11.
 */
#include <linux/prandom.h>
#include <linux/smp.h>
#include "../core/audit.h"
#include "harness.h"
#include "internals.h"

#define STRANGERS	10000

/* Of one CPU: as many busy participants as there are slots, and others. */
struct scene {
	struct kunit *test;
	struct memquota_tracker *t;
	struct actor *busy[MEMQUOTA_SLOTS];
	struct actor *extra;		/* without a slot at first */
	struct actor *stranger;		/* a new participant each time */
	struct memquota_account *a;	/* of strangers */
	unsigned int evictions;
	unsigned int failures;
	bool idle;			/* the busy ones do nothing */
};

static unsigned int busy_slots(const struct scene *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		n += participant_slots(&s->busy[i]->p);
	return n;
}

static void work_a_little(struct actor *actor)
{
	actor_charge(actor, 100);
	actor_uncharge(actor, 100);
}

static struct scene *new_scene_in(struct kunit *test, struct memquota_tracker *t)
{
	struct scene *s = new_zeroed(test, struct scene);
	unsigned int i;

	s->test = test;
	s->t = t;
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		s->busy[i] = lone_actor(test, s->t, 0, 1);
	s->extra = lone_actor(test, s->t, 0, 1);
	s->a = new_account(test, s->t, NULL);
	s->stranger = idle_actor(test, 0);
	return s;
}

static struct scene *new_scene(struct kunit *test)
{
	return new_scene_in(test, new_tracker(test, NULL));
}

/* Have each busy participant get a slot. */
static void scene_begin(struct scene *s)
{
	unsigned int i, j;

	for (j = 0; j < 2000 && busy_slots(s) < MEMQUOTA_SLOTS; j++)
		for (i = 0; i < MEMQUOTA_SLOTS; i++)
			work_a_little(s->busy[i]);
	s->failures += busy_slots(s) != MEMQUOTA_SLOTS;
}

static void run_here(struct kunit *test, void (*fn)(unsigned int cpu, void *arg),
		     void *arg)
{
	run_on_cpu(test, cpumask_first(cpu_online_mask), fn, arg);
}

static void charge_once(unsigned int cpu, void *arg)
{
	struct scene *s = arg;

	actor_charge(s->extra, 100);
	s->failures += participant_slots(&s->extra->p) != 1;
}

static void fill_share(unsigned int cpu, void *arg)
{
	struct scene *s = arg;

	work_a_little(s->busy[0]);
}

static void t3_a_first_charge_gets_a_slot(struct kunit *test)
{
	struct scene *s = new_scene(test);

	/* After a drain, a slot that was idle is for any again. */
	run_here(test, fill_share, s);
	exact_total(s->t);
	run_here(test, charge_once, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
}

static void meet_strangers(unsigned int cpu, void *arg)
{
	struct scene *s = arg;
	unsigned int i, j;

	scene_begin(s);
	for (i = 0; i < STRANGERS; i++) {
		s->failures += !!actor_join(s->stranger, s->a, GFP_KERNEL);
		work_a_little(s->stranger);
		for (j = 0; j < MEMQUOTA_SLOTS && !s->idle; j++)
			work_a_little(s->busy[j]);
		memquota_leave(&s->stranger->p);
		if (busy_slots(s) != MEMQUOTA_SLOTS)
			s->evictions++;
	}
}

static void t3_strangers_evict_no_busy_participant(struct kunit *test)
{
	struct scene *s = new_scene(test);

	run_here(test, meet_strangers, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
	KUNIT_EXPECT_EQ(test, s->evictions, 0);
	KUNIT_EXPECT_EQ(test, exact_total(s->t), 0);
}

static void t3_an_idle_slot_is_given_up(struct kunit *test)
{
	struct scene *s = new_scene(test);

	s->idle = true;
	run_here(test, meet_strangers, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
	KUNIT_EXPECT_EQ(test, busy_slots(s), 0);
}

static void miss_often(unsigned int cpu, void *arg)
{
	struct scene *s = arg;
	unsigned int i;

	scene_begin(s);
	for (i = 0; i < 2000 && !participant_slots(&s->extra->p); i++)
		work_a_little(s->extra);
}

static void t3_a_participant_that_misses_often_gets_a_slot(struct kunit *test)
{
	struct scene *s = new_scene(test);

	run_here(test, miss_often, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
	KUNIT_EXPECT_EQ(test, participant_slots(&s->extra->p), 1);
}

static void charge_contended(unsigned int cpu, void *arg)
{
	struct scene *s = arg;
	unsigned int i;

	for (i = 0; i < share_of(5000); i++)
		work_a_little(s->extra);
}

static void t3_a_contended_participant_gets_slots(struct kunit *test)
{
	struct scene *s = new_scene(test);

	EXPECT_SETTLES(test, (run_on_all_cpus(test, charge_contended, s),
			      participant_slots(&s->extra->p) ==
			      num_online_cpus()));
	KUNIT_EXPECT_EQ(test, exact_total(s->t), 0);
}

#define TRACKERS	3
#define SHARED		7

struct bounded {
	struct memquota_tracker *t[TRACKERS];
	struct actor *own[TRACKERS][NR_CPUS];
	struct actor *shared[TRACKERS][SHARED];
	unsigned int round;
};

static void use_all_trackers(unsigned int cpu, void *arg)
{
	struct bounded *b = arg;
	unsigned int i, k, n = share_of(600);
	struct rnd_state dice;
	struct actor *actor;
	u32 bytes;

	prandom_seed_state(&dice, b->round * nr_cpu_ids + cpu + 1);
	for (i = 0; i < n; i++) {
		k = prandom_u32_state(&dice) % TRACKERS;
		actor = i % 2 ? b->own[k][cpu] :
				b->shared[k][prandom_u32_state(&dice) % SHARED];
		bytes = prandom_u32_state(&dice);
		bytes %= bytes & BIT(20) ? 300 : 15000;
		if (i % 5 < 3)
			actor_charge(actor, bytes);
		else
			actor_free(actor, bytes);
	}
	for (i = 0; i < SHARED; i++)
		actor_free(b->shared[b->round % TRACKERS][i], SZ_1M);
	for (k = 0; k < TRACKERS; k++)
		actor_free(b->own[k][cpu], SZ_1M);
}

static u64 bounded_held(struct bounded *b, unsigned int k)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < SHARED; i++)
		sum += atomic64_read(&b->shared[k][i]->held);
	for_each_online_cpu(i)
		sum += atomic64_read(&b->own[k][i]->held);
	return sum;
}

static void t3_the_bound_holds_for_each_tracker(struct kunit *test)
{
	static const struct memquota_limits limits[TRACKERS] = {
		{ .high = SZ_64M, .low_water = SZ_32M },
		{ .high = SZ_64M, .low_water = 160 * SZ_1K },
		{ .high = SZ_64M, .low_water = SZ_1M },
	};
	struct bounded *b = new_zeroed(test, struct bounded);
	unsigned int i, k;
	u64 held;

	for (k = 0; k < TRACKERS; k++) {
		b->t[k] = new_tracker(test, &limits[k]);
		for (i = 0; i < SHARED; i++)
			b->shared[k][i] = lone_actor(test, b->t[k], 0, 1);
		for_each_online_cpu(i)
			b->own[k][i] = lone_actor(test, b->t[k], 0, 1);
	}
	for (b->round = 0; b->round < 30; b->round++) {
		run_on_all_cpus(test, use_all_trackers, b);
		for (k = 0; k < TRACKERS; k++) {
			held = bounded_held(b, k);
			KUNIT_EXPECT_GE(test, read_total(b->t[k]), held);
			KUNIT_EXPECT_LE(test, read_total(b->t[k]),
					held + cache_bound(b->t[k]));
		}
	}
	for (k = 0; k < TRACKERS; k++)
		KUNIT_EXPECT_EQ(test, exact_total(b->t[k]), bounded_held(b, k));
}

/* Return by how much the total is above what is held. */
static u64 scene_cached(const struct scene *s)
{
	u64 held = atomic64_read(&s->extra->held);
	unsigned int i;

	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		held += atomic64_read(&s->busy[i]->held);
	return read_total(s->t) - held;
}

/* The slots and the share that they leave: both as full as they can be. */
static void cache_much(unsigned int cpu, void *arg)
{
	u64 bound = cache_bound(((struct scene *)arg)->t);
	struct scene *s = arg;
	struct rnd_state dice;
	struct actor *actor;
	unsigned int i;

	prandom_seed_state(&dice, 1);
	for (i = 0; i < 10000; i++) {
		actor = i % 2 ? s->extra :
				s->busy[prandom_u32_state(&dice) % MEMQUOTA_SLOTS];
		if (i % 200 < 100)
			actor_charge(actor, prandom_u32_state(&dice) % 3000);
		else
			actor_free(actor, prandom_u32_state(&dice) % 3000);
		s->failures += scene_cached(s) > bound;
	}
}

static void t3_one_cpu_keeps_the_bound(struct kunit *test)
{
	/* So small that one CPU may cache all. */
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.high = SZ_64M, .low_water = 160 * SZ_1K });
	struct scene *s = new_scene_in(test, t);

	run_here(test, cache_much, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
	KUNIT_EXPECT_LE(test, scene_cached(s), cache_bound(s->t));
}

static void wait_for_much(struct runner *runner)
{
	struct actor *actor = runner->arg;

	runner->result = memquota_try_charge_wait(&actor->p, SZ_512K, 20 * HZ);
	if (!runner->result)
		atomic64_add(SZ_512K, &actor->held);
}

/* Charge all that can be had, of each participant, many times. */
static void charge_beside_a_waiter(unsigned int cpu, void *arg)
{
	struct scene *s = arg;
	unsigned int i, j;

	for (j = 0; j < 300; j++) {
		for (i = 0; i < MEMQUOTA_SLOTS; i++)
			if (!memquota_try_charge(&s->busy[i]->p, 1 + j % 50,
						 j % 2 ? GFP_ATOMIC : GFP_KERNEL)) {
				s->failures++;
				memquota_uncharge(&s->busy[i]->p, 1 + j % 50);
			}
		actor_uncharge(s->extra, 64);
	}
}

static void t9_no_charge_precedes_a_waiter(struct kunit *test)
{
	struct scene *s = new_scene(test);
	struct runner runner = {};
	unsigned int i;

	set_limits(test, s->t, SZ_1M, SZ_1M, SZ_512K);
	run_here(test, charge_once, s);
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		actor_charge(s->busy[i], 5000);
	s->extra->per_call = 0;
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		s->busy[i]->per_call = 0;
	actor_charge(s->extra, SZ_1M - MEMQUOTA_SLOTS * 5000 - 100);
	s->failures = 0;
	s->stranger->per_call = 0;
	KUNIT_ASSERT_EQ(test, actor_join(s->stranger, s->a, GFP_KERNEL), 0);
	runner_start(test, &runner, wait_for_much, s->stranger);
	ASSERT_SETTLES(test, tracker_waiting(s->t) == 1);
	run_on_all_cpus(test, charge_beside_a_waiter, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
	actor_uncharge(s->extra, SZ_512K);
	runner_join(test, &runner);
	KUNIT_EXPECT_EQ(test, runner.result, 0);
	actor_free(s->stranger, SZ_1M);
	settle(test, s->t);
}

/* Interleave charges that count above max with those that can be refused. */
static void t9_nothing_is_cached_above_max(struct kunit *test)
{
	struct scene *s = new_scene(test);
	unsigned int i, j;
	u64 held = 0;

	set_limits(test, s->t, SZ_1M, SZ_1M, SZ_512K);
	s->extra->per_call = 0;
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		s->busy[i]->per_call = 0;
	actor_charge(s->extra, SZ_1M);
	for (j = 0; j < 1000; j++)
		for (i = 0; i < MEMQUOTA_SLOTS; i++) {
			actor_charge(s->busy[i], 16000);
			actor_charge(s->extra, 10);
			actor_uncharge(s->busy[i], 16000);
			actor_uncharge(s->extra, 10);
			while (!memquota_try_charge(&s->busy[(i + 1) % MEMQUOTA_SLOTS]->p,
						    777, GFP_ATOMIC))
				held += 777;
		}
	KUNIT_EXPECT_LE(test, held, cache_bound(s->t));
	KUNIT_EXPECT_EQ(test, exact_total(s->t), SZ_1M + held);
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		memquota_uncharge_all(&s->busy[i]->p);
	settle(test, s->t);
}

static const u64 edges[] = {
	0, 1, 16383, 16384, 16385, SZ_64K, BIT_ULL(40), BIT_ULL(41) - SZ_1M,
};

static const u64 too_large[] = {
	BIT_ULL(41), BIT_ULL(42), BIT_ULL(62), S64_MAX, BIT_ULL(63), SIZE_MAX - 1,
	SIZE_MAX,
};

static void expect_edges(struct kunit *test, struct memquota_tracker *t,
			 struct memquota_participant *p, u64 before)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		KUNIT_EXPECT_EQ_MSG(test,
				    memquota_try_charge(p, edges[i], GFP_KERNEL),
				    0, "%llu", edges[i]);
		KUNIT_EXPECT_EQ_MSG(test, exact_total(t), before + edges[i],
				    "%llu", edges[i]);
		KUNIT_EXPECT_EQ(test, memquota_try_charge(p, BIT_ULL(41) - edges[i],
							  GFP_KERNEL),
				-EOVERFLOW);
		KUNIT_EXPECT_EQ(test, exact_total(t), before + edges[i]);
		memquota_uncharge(p, edges[i]);
		KUNIT_EXPECT_EQ(test, exact_total(t), before);
		memquota_charge(p, edges[i]);
		memquota_charge(p, BIT_ULL(41) - edges[i]);
		KUNIT_EXPECT_EQ_MSG(test, exact_total(t), before + edges[i],
				    "%llu", edges[i]);
		memquota_uncharge(p, edges[i]);
	}
	for (i = 0; i < ARRAY_SIZE(too_large); i++) {
		KUNIT_EXPECT_EQ_MSG(test,
				    memquota_try_charge(p, too_large[i], GFP_KERNEL),
				    -EOVERFLOW, "%llu", too_large[i]);
		memquota_charge(p, too_large[i]);
		KUNIT_EXPECT_EQ(test, exact_total(t), before);
	}
	KUNIT_EXPECT_EQ(test, memquota_held(p), 0);
}

/* What the CPU would cache besides does not count. */
static void t8_the_largest_charge(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	u64 largest = BIT_ULL(41) - 1;

	KUNIT_ASSERT_EQ(test, memquota_try_charge(&actor->p, largest, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), largest);
	memquota_uncharge(&actor->p, largest);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void t8_edges(struct kunit *test)
{
	struct scene *s = new_scene(test);

	expect_edges(test, s->t, &s->extra->p, 0);
	/* And where the account's word counts as well. */
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(s->extra->account,
						       BIT_ULL(60)), 0);
	expect_edges(test, s->t, &s->extra->p, 0);
}

/* The same, with all slots taken. */
static void charge_edges_directly(unsigned int cpu, void *arg)
{
	struct scene *s = arg;
	unsigned int i;
	u64 held = 0;

	scene_begin(s);
	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		actor_charge(s->extra, 100);
		s->failures += !!memquota_try_charge(&s->extra->p,
						     edges[i] / 2, GFP_KERNEL);
		s->failures += memquota_try_charge(&s->extra->p, BIT_ULL(41) -
						   edges[i] / 2, GFP_KERNEL) !=
			       -EOVERFLOW;
		held = memquota_held(&s->extra->p);
		s->failures += held < 100 + edges[i] / 2;
		memquota_uncharge(&s->extra->p, edges[i] / 2);
		actor_uncharge(s->extra, 100);
		for (unsigned int j = 0; j < MEMQUOTA_SLOTS; j++)
			work_a_little(s->busy[j]);
	}
	s->failures += participant_slots(&s->extra->p);
	s->failures += memquota_held(&s->extra->p) != 0;
}

static void t8_edges_without_a_slot(struct kunit *test)
{
	struct scene *s = new_scene(test);

	run_here(test, charge_edges_directly, s);
	KUNIT_EXPECT_EQ(test, s->failures, 0);
	KUNIT_EXPECT_EQ(test, exact_total(s->t), 0);
}

/* A debug kernel warns, so it needs a boot of its own. */
static void p3_uncharging_more_than_is_held(struct kunit *test)
{
	struct scene *s;

	if (!memquota_splat)
		kunit_skip(test, "a warning is wanted: splat=1");
	s = new_scene(test);
	actor_charge(s->busy[0], SZ_64K);
	actor_charge(s->extra, 100);
	memquota_tracker_drain(s->t);
	memquota_uncharge(&s->extra->p, 101);
	KUNIT_EXPECT_EQ(test, memquota_held(&s->extra->p), 0);
	KUNIT_EXPECT_EQ(test, exact_total(s->t), SZ_64K);
	memquota_charge(&s->extra->p, 100);
	memquota_tracker_drain(s->t);
	memquota_uncharge(&s->extra->p, SIZE_MAX);
	KUNIT_EXPECT_EQ(test, memquota_held(&s->extra->p), 0);
	KUNIT_EXPECT_EQ(test, exact_total(s->t), SZ_64K);
}

static void pass_ticks(unsigned int n)
{
	u64 end = ktime_get_coarse_ns() + n * TICK_NSEC;

	while (ktime_get_coarse_ns() < end)
		usleep_range(500, 1000);
}

struct aging {
	struct scene *s;
	u64 before, after, arrival, begun;
};

/* Emptied, and filled again after a pause. */
static void refill(unsigned int cpu, void *arg)
{
	struct aging *g = arg;
	struct memquota_participant *p = &g->s->stranger->p;

	if (g->s->extra)
		scene_begin(g->s);
	memquota_charge(p, 5000);
	pass_ticks(5);
	memquota_uncharge(p, 5000);
	if (!g->s->extra)
		memquota_tracker_drain(g->s->t);
	pass_ticks(5);
	g->before = ktime_get_coarse_ns();
	memquota_charge(p, 5000);
	g->after = ktime_get_coarse_ns();
	g->arrival = participant_arrival(p);
}

static void expect_refilled(struct kunit *test, bool direct)
{
	struct aging *g = new_zeroed(test, struct aging);

	g->s = new_scene(test);
	if (!direct)
		g->s->extra = NULL;
	g->s->stranger = lone_actor(test, g->s->t, UNTIMED, 0);
	run_here(test, refill, g);
	KUNIT_EXPECT_EQ(test, g->s->failures, 0);
	KUNIT_EXPECT_LE(test, g->arrival, g->after);
	KUNIT_EXPECT_GE(test, g->arrival, g->before - 2 * TICK_NSEC);
	memquota_uncharge_all(&g->s->stranger->p);
}

static void p11_what_fills_again_is_as_young_as_the_fill(struct kunit *test)
{
	expect_refilled(test, false);
	expect_refilled(test, true);
}

/* What is there is replaced over and over. */
static void alternate(unsigned int cpu, void *arg)
{
	struct aging *g = arg;
	struct memquota_participant *p = &g->s->stranger->p;
	unsigned int i, n = 0;
	u64 end;

	if (g->s->extra)
		scene_begin(g->s);
	memquota_charge(p, 500);
	g->begun = ktime_get_coarse_ns();
	end = g->begun + 40 * TICK_NSEC;
	while (ktime_get_coarse_ns() < end) {
		for (i = 0; i < 100; i++) {
			memquota_charge(p, 500);
			memquota_uncharge(p, 500);
		}
		if (n++ % 16 == 0)
			usleep_range(100, 200);
	}
	g->after = ktime_get_coarse_ns();
	g->arrival = participant_arrival(p);
}

static void p11_what_alternates_is_not_old(struct kunit *test)
{
	struct aging *g = new_zeroed(test, struct aging);
	unsigned int direct;

	for (direct = 0; direct < 2; direct++) {
		g->s = new_scene(test);
		if (!direct)
			g->s->extra = NULL;
		g->s->stranger = lone_actor(test, g->s->t, UNTIMED, 0);
		run_here(test, alternate, g);
		KUNIT_EXPECT_LE(test, g->arrival, g->after);
		KUNIT_EXPECT_GE(test, g->arrival, g->after - 20 * TICK_NSEC);
		memquota_uncharge_all(&g->s->stranger->p);
	}
}

#define PARTIES	7

struct interrupted {
	struct actor *actors[PARTIES];
	struct hrtimer timers[NR_CPUS];
	unsigned int ticks[NR_CPUS];
	bool stop;
};

static struct interrupted *interrupted;

/* What it keeps it counts in the actor. */
static enum hrtimer_restart charge_in_hrtimer(struct hrtimer *timer)
{
	struct interrupted *s = interrupted;
	unsigned int n = s->ticks[smp_processor_id()]++;
	struct actor *actor = s->actors[n % PARTIES];

	actor_charge(actor, n % 4000);
	if (n % 3)
		actor_uncharge(actor, n % 4000);
	else if (!memquota_try_charge(&actor->p, 50, GFP_ATOMIC))
		memquota_uncharge(&actor->p, 50);
	if (READ_ONCE(s->stop))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(30 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void charge_interrupted(unsigned int cpu, void *arg)
{
	struct interrupted *s = arg;
	unsigned int i;

	hrtimer_setup(&s->timers[cpu], charge_in_hrtimer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&s->timers[cpu], 0, HRTIMER_MODE_REL_PINNED_HARD);
	for (i = 0; i < share_of(60000); i++) {
		struct actor *actor = s->actors[i % PARTIES];
		u64 bytes = i % 5 ? i % 300 : i % 17000;

		memquota_charge(&actor->p, bytes);
		atomic64_add(bytes, &actor->held);
		if (i % 8)
			actor_uncharge(actor, bytes);
		if (i % 1000 == 0)
			actor_free(actor, SZ_64K);
	}
	hrtimer_cancel(&s->timers[cpu]);
}

static void p7_interrupts_charge_the_same_participants(struct kunit *test)
{
	struct interrupted *s = new_zeroed(test, struct interrupted);
	struct memquota_tracker *t = new_tracker(test, NULL);
	unsigned int i, ticks = 0;
	u64 sum = 0;

	interrupted = s;
	for (i = 0; i < PARTIES; i++)
		s->actors[i] = lone_actor(test, t, 0, 1);
	run_on_all_cpus(test, charge_interrupted, s);
	memquota_tracker_drain(t);
	for (i = 0; i < PARTIES; i++) {
		sum += atomic64_read(&s->actors[i]->held);
		KUNIT_EXPECT_EQ(test, memquota_held(&s->actors[i]->p),
				atomic64_read(&s->actors[i]->held));
	}
	for_each_online_cpu(i)
		ticks += s->ticks[i];
	kunit_info(test, "%u interrupts", ticks);
	KUNIT_EXPECT_GT(test, ticks, 100);
	KUNIT_EXPECT_EQ(test, exact_total(t), sum);
	KUNIT_EXPECT_EQ(test, memquota_check(t), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t3_a_first_charge_gets_a_slot),
	KUNIT_CASE(t3_strangers_evict_no_busy_participant),
	KUNIT_CASE(t3_an_idle_slot_is_given_up),
	KUNIT_CASE(t3_a_participant_that_misses_often_gets_a_slot),
	KUNIT_CASE(t3_a_contended_participant_gets_slots),
	KUNIT_CASE(t3_the_bound_holds_for_each_tracker),
	KUNIT_CASE(t3_one_cpu_keeps_the_bound),
	KUNIT_CASE(t9_no_charge_precedes_a_waiter),
	KUNIT_CASE(t9_nothing_is_cached_above_max),
	KUNIT_CASE(t8_the_largest_charge),
	KUNIT_CASE(t8_edges),
	KUNIT_CASE(t8_edges_without_a_slot),
	KUNIT_CASE(p3_uncharging_more_than_is_held),
	KUNIT_CASE(p11_what_fills_again_is_as_young_as_the_fill),
	KUNIT_CASE(p11_what_alternates_is_not_old),
	KUNIT_CASE(p7_interrupts_charge_the_same_participants),
	{}
};

MEMQUOTA_SUITE(memquota_slots, cases);
