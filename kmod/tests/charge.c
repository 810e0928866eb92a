// SPDX-License-Identifier: GPL-2.0
/* Charging and uncharging, and the CPUs' caches: rules P3 to P7. */
#include <linux/cpu.h>
#include "harness.h"

/* 1000 participants in turn get no slot: the CPU's share serves them. */
static void charge_in_turn(unsigned int cpu, void *arg)
{
	struct actor **actors = arg;
	struct memquota_tracker *t = actors[0]->arg;
	u64 last = read_total(t), now;
	unsigned int i, visits = 0;

	for (i = 0; i < 5000; i++) {
		actor_charge(actors[i % 1000], 100);
		now = read_total(t);
		visits += now != last;
		last = now;
	}
	actors[0]->arrival_ns = visits;
}

static void p3_the_total_is_visited_rarely(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor **actors;
	unsigned int i;

	actors = kunit_kcalloc(test, 1000, sizeof(*actors), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, actors);
	for (i = 0; i < 1000; i++)
		actors[i] = lone_actor(test, t, 0, 1);
	actors[0]->arg = t;
	run_on_cpu(test, cpumask_first(cpu_online_mask), charge_in_turn,
		   actors);
	/* 500000 bytes are about 30 shares, and the first ones are smaller. */
	KUNIT_EXPECT_LE(test, actors[0]->arrival_ns, 60);
	KUNIT_EXPECT_EQ(test, exact_total(t), 500000);
}

struct visits {
	struct actor *actor;
	unsigned int visits;
};

static void charge_and_count_visits(unsigned int cpu, void *arg)
{
	struct visits *v = arg;
	u64 last = memquota_held(&v->actor->p), now;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		actor_charge(v->actor, 64);
		now = memquota_held(&v->actor->p);
		v->visits += now != last;
		last = now;
	}
}

static void p3_most_charges_touch_the_slot_alone(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct visits v = { .actor = lone_actor(test, t, 0, 1) };

	run_on_cpu(test, cpumask_last(cpu_online_mask),
		   charge_and_count_visits, &v);
	KUNIT_EXPECT_LE(test, v.visits, 10000 * 64 / 4096);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10000 * 64);
}

static void p4_a_total_above_high_refuses_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor->per_call = 0;
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, HIGH + SZ_1M,
					    GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, HIGH, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 2 * HIGH + SZ_1M);
	memquota_uncharge_all(&actor->p);
	settle(test, t);
}

static void p5_charge_and_uncharge_are_exact(struct kunit *test)
{
	static const size_t sizes[] = {
		0, 1, 63, 4095, 4096, 4097, 12287, 12288, 12289, 16383, 16384,
		16385, 65536, 1000000, SZ_4M };
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		actor_charge(actor, sizes[i]);
		sum += sizes[i];
		KUNIT_EXPECT_EQ(test, exact_total(t), sum);
		KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), sum);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		actor_uncharge(actor, sizes[i]);
		sum -= sizes[i];
		KUNIT_EXPECT_EQ(test, exact_total(t), sum);
	}
}

static void p5_never_joined_does_nothing(struct kunit *test)
{
	struct memquota_participant p = {};

	KUNIT_EXPECT_EQ(test, memquota_try_charge(&p, 1, GFP_KERNEL), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&p, SZ_1M, GFP_ATOMIC),
			-ESTALE);
	memquota_charge(&p, SZ_1M);
	memquota_uncharge(&p, SZ_1M);
	memquota_uncharge_all(&p);
	KUNIT_EXPECT_EQ(test, memquota_held(&p), 0);
	memquota_leave(&p);
}

static void p5_after_leaving_does_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(actor, 100);
	memquota_leave(&actor->p);
	memquota_charge(&actor->p, SZ_1M);
	memquota_uncharge(&actor->p, SZ_1M);
	memquota_uncharge_all(&actor->p);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void p5_rejoining_counts_anew(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	unsigned int i;

	for (i = 0; i < 10; i++) {
		actor_charge(actor, 1000);
		KUNIT_EXPECT_EQ(test, exact_total(t), 1000);
		memquota_leave(&actor->p);
		KUNIT_EXPECT_EQ(test, exact_total(t), 0);
		KUNIT_EXPECT_EQ(test,
				actor_join(actor, actor->account, GFP_KERNEL),
				0);
	}
}

static void charge_some(unsigned int cpu, void *arg)
{
	actor_charge(arg, 100 + cpu);
}

static void uncharge_some(unsigned int cpu, void *arg)
{
	memquota_uncharge(&((struct actor *)arg)->p, 10);
}

static void p5_everything_in_one_call(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct actor *other = lone_actor(test, t, 0, 2);

	actor_charge(other, SZ_64K);
	run_on_all_cpus(test, charge_some, actor);
	run_on_all_cpus(test, uncharge_some, actor);
	memquota_uncharge_all(&actor->p);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K);
	memquota_charge(&actor->p, 100);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K + 100);
	memquota_uncharge_all(&actor->p);
	memquota_uncharge_all(&actor->p);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K);
}

static void p5_uncharging_too_much_harms_nobody_else(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor, *other;
	struct memquota_usage usage;

	needs_warnings(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	other = lone_actor(test, t, 0, 2);
	actor_charge(other, SZ_1M);
	actor_charge(actor, 1000);
	memquota_tracker_drain(t);
	kunit_warning_suppress(test) {
		memquota_uncharge(&actor->p, SZ_1M);
		memquota_tracker_drain(t);
#ifdef CONFIG_MEMQUOTA_DEBUG
		/* A second warning comes when the slot gives back. */
		KUNIT_EXPECT_GE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 1);
#endif
	}
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	KUNIT_EXPECT_EQ(test, memquota_held(&other->p), SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_COUNTING);
	actor_charge(actor, 500);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M + 500);
}

/* Rule T6: no call with a wrong size poisons. */
static void p5_uncharging_any_size_is_survived(struct kunit *test)
{
	static const u64 sizes[] = { SIZE_MAX, S64_MAX, 1ULL << 62, 1ULL << 46 };
	struct memquota_tracker *t;
	struct actor *actor;
	struct memquota_usage usage;
	unsigned int i;

	needs_warnings(test);
	t = new_tracker(test, NULL);
	actor = lone_actor(test, t, 0, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memquota_charge(&actor->p, SZ_1M);
		kunit_warning_suppress(test) {
			memquota_uncharge(&actor->p, sizes[i]);
			memquota_tracker_drain(t);
		}
		KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	}
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_COUNTING);
}

static void p5_full_caches_give_back_most(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	unsigned int i;

	actor_charge(actor, 10 * SZ_1M);
	for (i = 0; i < 10 * 1024; i++)
		actor_uncharge(actor, SZ_1K);
	KUNIT_EXPECT_LE(test, read_total(t), cache_bound(t));
}

static void p6_sums_agree_after_anything(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actors[7];
	u32 seed = 1, bytes;
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < 7; i++)
		actors[i] = lone_actor(test, t, 0, i);
	for (i = 0; i < 20000; i++) {
		struct actor *actor = actors[(seed >> 8) % 7];

		seed = seed * 1664525 + 1013904223;
		bytes = (seed >> 20) << ((seed >> 16) % 7);
		if (seed >> 31)
			actor_charge(actor, bytes);
		else
			actor_free(actor, bytes);
	}
	for (i = 0; i < 7; i++)
		sum += atomic64_read(&actors[i]->held);
	KUNIT_EXPECT_GE(test, read_total(t), sum);
	memquota_tracker_drain(t);
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, memquota_held(&actors[i]->p),
				atomic64_read(&actors[i]->held));
	KUNIT_EXPECT_EQ(test, read_total(t), sum);
}

static void charge_and_free(unsigned int cpu, void *arg)
{
	struct actor *actor = arg;
	unsigned int i;

	for (i = 0; i < share_of(5000); i++) {
		actor_charge(actor, 1 + i % 3000);
		actor_free(actor, i % 2500);
	}
}

static void p7_one_participant_on_all_cpus(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);

	run_on_all_cpus(test, charge_and_free, actor);
	KUNIT_EXPECT_EQ(test, exact_total(t), atomic64_read(&actor->held));
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p),
			atomic64_read(&actor->held));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p3_the_total_is_visited_rarely),
	KUNIT_CASE(p3_most_charges_touch_the_slot_alone),
	KUNIT_CASE(p4_a_total_above_high_refuses_nothing),
	KUNIT_CASE(p5_charge_and_uncharge_are_exact),
	KUNIT_CASE(p5_never_joined_does_nothing),
	KUNIT_CASE(p5_after_leaving_does_nothing),
	KUNIT_CASE(p5_rejoining_counts_anew),
	KUNIT_CASE(p5_everything_in_one_call),
	KUNIT_CASE(p5_uncharging_too_much_harms_nobody_else),
	KUNIT_CASE(p5_uncharging_any_size_is_survived),
	KUNIT_CASE(p5_full_caches_give_back_most),
	KUNIT_CASE(p6_sums_agree_after_anything),
	KUNIT_CASE(p7_one_participant_on_all_cpus),
	{}
};

MEMQUOTA_SUITE(memquota_charge, cases);
