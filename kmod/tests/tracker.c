// SPDX-License-Identifier: GPL-2.0
/*
 * Trackers: rules T1, T3, T4 and T6 to T9. Limits (T2, T5) are in limits.c,
 * waiting for quota (T10) in wait.c.
 */
#include <linux/cpu.h>
#include <linux/sched.h>
#include <uapi/linux/sched/types.h>
#include "../core/total.h"
#include "harness.h"
#include "internals.h"

static void t1_trackers_are_independent(struct kunit *test)
{
	struct memquota_tracker *one = new_default_sized_tracker(test);
	struct memquota_tracker *two = new_default_sized_tracker(test);
	struct actor *in_one = lone_actor(test, one, 0, 1);
	struct actor *in_two = lone_actor(test, two, 0, 2);

	actor_charge(in_two, 3 * SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(one), 0);
	KUNIT_EXPECT_EQ(test, exact_total(two), 3 * SZ_1M);

	actor_charge(in_one, HIGH + SZ_1M);
	settle_below(test, one, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(in_two), 0);
	KUNIT_EXPECT_EQ(test, count_runs(two), 0);
}

static void t1_names_are_taken_once(struct kunit *test)
{
	struct memquota_tracker *one, *two;

	one = memquota_tracker_create("kunit-name", NULL, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, one);
	two = memquota_tracker_create("kunit-name", NULL, 0);
	KUNIT_EXPECT_TRUE(test, IS_ERR(two));
	memquota_tracker_destroy(one);
}

struct spread {
	struct kunit *test;
	struct actor **actors;
	unsigned int nr;
	size_t bytes;
};

static void charge_each(unsigned int cpu, void *arg)
{
	struct spread *s = arg;
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		actor_charge(s->actors[i], s->bytes);
}

static void uncharge_each(unsigned int cpu, void *arg)
{
	struct spread *s = arg;
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		actor_uncharge(s->actors[i], s->bytes);
}

static struct spread *new_spread(struct kunit *test, struct memquota_tracker *t,
				 unsigned int nr, size_t bytes)
{
	struct spread *s = new_zeroed(test, struct spread);

	s->actors = kunit_kcalloc(test, nr, sizeof(*s->actors), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->actors);
	s->bytes = bytes;
	for (; s->nr < nr; s->nr++)
		s->actors[s->nr] = lone_actor(test, t, 0, s->nr);
	return s;
}

static void expect_bound(struct kunit *test, struct memquota_tracker *t,
			 u64 sum)
{
	u64 now = read_total(t);

	KUNIT_EXPECT_GE(test, now, sum);
	KUNIT_EXPECT_LE(test, now, sum + cache_bound(t));
}

static void t3_total_is_high_by_the_caches_at_most(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spread *s = new_spread(test, t, 200, 100);
	u64 each = s->nr * s->bytes;

	run_on_all_cpus(test, charge_each, s);
	expect_bound(test, t, num_online_cpus() * each);
	run_on_all_cpus(test, uncharge_each, s);
	expect_bound(test, t, 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void t3_the_bound_follows_low_water(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .high = SZ_1M,
					   .low_water = SZ_256K });
	struct spread *s = new_spread(test, t, 50, 100);

	KUNIT_EXPECT_LE(test, cache_bound(t), SZ_32K);
	run_on_all_cpus(test, charge_each, s);
	expect_bound(test, t, num_online_cpus() * s->nr * s->bytes);
}

static void t3_draining_makes_it_exact(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spread *s = new_spread(test, t, 10, 33);

	run_on_all_cpus(test, charge_each, s);
	KUNIT_EXPECT_EQ(test, exact_total(t),
			num_online_cpus() * s->nr * s->bytes);
}

/* Uncharging on another CPU must not make the total too low. */
static void t3_total_is_never_low(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spread *s = new_spread(test, t, 3, 5000);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		run_on_cpu(test, cpumask_first(cpu_online_mask), charge_each,
			   s);
		KUNIT_EXPECT_GE(test, read_total(t), s->nr * s->bytes);
		run_on_cpu(test, cpumask_last(cpu_online_mask), uncharge_each,
			   s);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

#ifdef CONFIG_HOTPLUG_CPU
static void t3_offline_cpu_is_drained(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spread *s = new_spread(test, t, 3, 100);
	unsigned int cpu = cpumask_last(cpu_online_mask);

	need_cpus(test, 2);
	run_on_cpu(test, cpu, charge_each, s);
	KUNIT_EXPECT_GT(test, read_total(t), 300);
	KUNIT_ASSERT_EQ(test, remove_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, read_total(t), 300);
	KUNIT_ASSERT_EQ(test, add_cpu(cpu), 0);
	run_on_cpu(test, cpu, uncharge_each, s);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}
#endif

struct hog {
	bool running;
	bool stop;
};

static void hog_cpu(struct runner *runner)
{
	struct hog *hog = runner->arg;

	set_cpus_allowed_ptr(current,
			     cpumask_of(cpumask_last(cpu_online_mask)));
	sched_set_fifo(current);
	WRITE_ONCE(hog->running, true);
	while (!READ_ONCE(hog->stop))
		cpu_relax();
	sched_set_normal(current, 0);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static void t3_nothing_waits_for_a_real_time_task(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spread *s = new_spread(test, t, 3, 100);
	unsigned int cpu = cpumask_last(cpu_online_mask);
	struct runner runner;
	struct hog hog = {};

	need_cpus(test, 2);
	run_on_cpu(test, cpu, charge_each, s);
	set_cpus_allowed_ptr(current,
			     cpumask_of(cpumask_first(cpu_online_mask)));
	runner_start(test, &runner, hog_cpu, &hog);
	if (settled(READ_ONCE(hog.running)))
		memquota_tracker_drain(t);
	KUNIT_EXPECT_EQ(test, read_total(t), 300);
	KUNIT_EXPECT_FALSE(test, runner_ended(&runner));
	WRITE_ONCE(hog.stop, true);
	runner_join(test, &runner);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* All calls on a disabled tracker, or on NULL. */
static void expect_disabled(struct kunit *test, struct memquota_tracker *t)
{
	struct actor *actor = idle_actor(test, 0);
	struct memquota_account_usage account_usage;
	struct memquota_account *a, *other;
	struct memquota_usage usage;

	a = memquota_account_create(t, NULL, GFP_KERNEL, "none");
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(a), a);
	memquota_account_put(a);
	other = memquota_account_lookup(t, memquota_account_id(a));
	KUNIT_EXPECT_FALSE(test, IS_ERR(other));
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, a), 0);
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(a, 1), 0);

	KUNIT_EXPECT_EQ(test,
			actor_join(actor, a, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), 0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 100, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SIZE_MAX, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge_wait(&actor->p, 100, 1), 0);
	memquota_charge(&actor->p, SIZE_MAX);
	memquota_uncharge(&actor->p, SIZE_MAX);
	memquota_uncharge_all(&actor->p);
	memquota_set_oldest(&actor->p, 1);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(&actor->p));
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	memquota_leave(&actor->p);

	memquota_account_usage(a, &account_usage);
	KUNIT_EXPECT_EQ(test, account_usage.held, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_EQ(test, account_usage.max, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_FALSE(test, account_usage.closed);
	memquota_tracker_drain(t);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.total, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_DISABLED);
	memquota_account_put(other);
	memquota_account_put(a);
}

static void t4_null_handle_counts_nothing(struct kunit *test)
{
	const struct memquota_limits limits = { .high = HIGH };

	expect_disabled(test, NULL);
	KUNIT_EXPECT_EQ(test,
			memquota_tracker_configure(NULL, &limits, 0, NULL), 0);
	memquota_tracker_destroy(NULL);
}

static void t4_a_disabled_parent_is_none(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent, *a;
	struct memquota_tracker *off;

	off = memquota_tracker_create("kunit-disabled", NULL,
				      MEMQUOTA_TRACKER_DISABLED);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, off);
	parent = memquota_account_create(off, NULL, GFP_KERNEL, "parent");
	KUNIT_EXPECT_NULL(test, parent);
	a = memquota_account_create(t, parent, GFP_KERNEL, "child");
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, a);
	/* Rule A4: one that is added must count. */
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, parent), -EINVAL);
	memquota_account_put(a);
	memquota_tracker_destroy(off);
}

static void t4_disabled_tracker_counts_nothing(struct kunit *test)
{
	struct memquota_tracker *t;

	t = memquota_tracker_create("kunit-disabled",
				    &(struct memquota_limits){ .max = SZ_1M },
				    MEMQUOTA_TRACKER_DISABLED);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t));
	expect_disabled(test, t);
	memquota_tracker_destroy(t);
}

/* All calls on a tracker that refuses everything. */
static void expect_refusal(struct kunit *test, struct memquota_tracker *t,
			   struct actor *actor, u64 id, int err)
{
	const struct memquota_limits limits = { .high = HIGH };
	struct actor *other = idle_actor(test, 0);

	EXPECT_SETTLES(test,
		       memquota_try_charge(&actor->p, 1, GFP_KERNEL) == err);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, SZ_1M, GFP_ATOMIC),
			err);
	KUNIT_EXPECT_EQ(test, memquota_try_charge_wait(&actor->p, SZ_1M, 1),
			err);
	EXPECT_PTR_ERR(test, memquota_account_create(t, NULL, GFP_KERNEL, "a"),
		       err);
	EXPECT_PTR_ERR(test,
		       memquota_account_create(t, actor->account, GFP_KERNEL,
					       "a"), err);
	KUNIT_EXPECT_EQ(test,
			actor_join(other, actor->account, GFP_KERNEL),
			err);
	KUNIT_EXPECT_EQ(test,
			memquota_account_add_parent(actor->account,
						    actor->account), err);
	EXPECT_PTR_ERR(test, memquota_account_lookup(t, id), err);
	KUNIT_EXPECT_EQ(test, memquota_tracker_configure(t, &limits, 0, NULL),
			err);
	memquota_uncharge(&actor->p, SZ_1K);
	memquota_uncharge_all(&actor->p);
}

static void t6_poisoned_tracker_refuses(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	needs_warnings(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	actor_charge(actor, SZ_1M);
	kunit_warning_suppress(test) {
		memquota_tracker_poison(t, "of a test");
		memquota_tracker_poison(t, "of a test, again");
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, tracker_state(t), MEMQUOTA_POISONED);
	expect_refusal(test, t, actor, memquota_account_id(actor->account),
		       -ENOTRECOVERABLE);
	memquota_leave(&actor->p);
}

static void t6_a_total_below_zero_poisons(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	needs_warnings(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	actor_charge(actor, SZ_1M);
	kunit_warning_suppress(test) {
		tracker_corrupt_total(t, -SZ_512K);
		actor_uncharge(actor, SZ_1M);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, tracker_state(t), MEMQUOTA_POISONED);
}

static void t7_destroying_closes_the_accounts(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(actor, SZ_1M);
	destroy_tracker(test, t);
	/* A handle keeps the memory of its account. */
	KUNIT_EXPECT_TRUE(test, is_closed(actor->account));
	expect_refusal(test, t, actor, memquota_account_id(actor->account),
		       -ESHUTDOWN);
	memquota_leave(&actor->p);
}

/* What has left belongs to no account whose state could come first. */
static void expect_left(struct kunit *test, struct actor *actor)
{
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, memquota_try_charge_wait(&actor->p, 1, 1),
			-ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, memquota_participant_error(&actor->p),
			-ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), -ESHUTDOWN);
}

static void t7_order_of_errors(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor, *leaver, *member;
	struct memquota_account *closed;

	needs_warnings(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 2);
	leaver = lone_actor(test, t, 0, 3);
	member = new_actor(test, new_account(test, t, NULL), 0, 4);
	closed = closed_account(test, t);

	memquota_leave(&leaver->p);
	expect_left(test, leaver);
	/* It was part of an account that is closed now. */
	memquota_leave(&member->p);
	put_account(test, member->account);
	expect_left(test, member);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(closed, closed),
			-ESTALE);
	kunit_warning_suppress(test)
		memquota_tracker_poison(t, "of a test");
	expect_left(test, leaver);
	expect_left(test, member);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(closed, closed),
			-ENOTRECOVERABLE);
	EXPECT_PTR_ERR(test,
		       memquota_account_lookup(t, memquota_account_id(closed)),
		       -ENOTRECOVERABLE);
	destroy_tracker(test, t);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(closed, closed),
			-ESHUTDOWN);
	EXPECT_PTR_ERR(test,
		       memquota_account_lookup(t, memquota_account_id(closed)),
		       -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESHUTDOWN);
}

static const u64 too_many[] = {
	SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - SZ_1M, (u64)S64_MAX + 1, S64_MAX,
	1ULL << 62, (1ULL << 62) - SZ_1M, 1ULL << 48, 1ULL << 46,
};

static void t8_overflow_changes_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	unsigned int i;

	actor_charge(actor, SZ_1M);
	for (i = 0; i < ARRAY_SIZE(too_many); i++) {
		KUNIT_EXPECT_EQ(test,
				memquota_try_charge(&actor->p, too_many[i],
						    GFP_KERNEL), -EOVERFLOW);
		KUNIT_EXPECT_EQ(test,
				memquota_try_charge(&actor->p, too_many[i],
						    GFP_ATOMIC), -EOVERFLOW);
		memquota_charge(&actor->p, too_many[i]);
		KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
		KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), SZ_1M);
	}
	actor_uncharge(actor, SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void t9_passing_max_is_refused(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;

	actor->per_call = 0;
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, SZ_1M, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_ATOMIC),
			-EDQUOT);
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_EQ(test, usage.refused, 2);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	memquota_uncharge(&actor->p, SZ_1M);
}

static void t9_charge_counts_above_max(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor->per_call = 0;
	memquota_charge(&actor->p, 3 * SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 3 * SZ_1M);
	memquota_uncharge(&actor->p, 3 * SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void t9_caches_are_drained_before_refusing(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = 16 * SZ_1M });
	struct spread *s = new_spread(test, t, 3, 100);
	struct actor *actor = lone_actor(test, t, 0, 9);
	u64 left = 16 * SZ_1M - num_online_cpus() * 300;

	run_on_all_cpus(test, charge_each, s);
	msleep(20);	/* since the last drain */
	KUNIT_EXPECT_GT(test, read_total(t), 16 * SZ_1M - left);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, left, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, read_total(t), 16 * SZ_1M);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
}

static void t9_a_drain_serves_all_for_10_ms(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = 16 * SZ_1M });
	struct spread *s = new_spread(test, t, 3, 100);
	struct actor *actor = lone_actor(test, t, 0, 9);
	u64 exact = num_online_cpus() * 300;

	/* A part of the caches for each CPU: dividing them drains, too. */
	need_cpus(test, 2);
	run_on_all_cpus(test, charge_each, s);
	/* A charge above max starts no reclaim, which would drain. */
	tracker_set_drained(t, jiffies + 60 * HZ);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, SZ_32M, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_GT(test, read_total(t), exact);
	tracker_set_drained(t, jiffies - max(HZ / 100, 1));
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, SZ_32M, GFP_ATOMIC),
			-EDQUOT);
	KUNIT_EXPECT_GT(test, read_total(t), exact);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, SZ_32M, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, read_total(t), exact);
	KUNIT_EXPECT_LE(test, jiffies - tracker_drained(t), 60 * HZ);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
}

static void t9_refusal_starts_reclaim(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = 4 * SZ_1M });
	struct actor *holder = lone_actor(test, t, 0, 2);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(holder, 4 * SZ_1M);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(holder), 0);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SZ_512K, GFP_KERNEL),
			-EDQUOT);
	/* The refused bytes count for low_water, 3 MiB. */
	settle_below(test, t, 3 * SZ_1M - SZ_512K);
	KUNIT_EXPECT_GT(test, count_asks(holder), 0);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SZ_512K, GFP_KERNEL), 0);
}

static void t9_account_max_limits_its_own(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL);
	struct memquota_account *child = new_account(test, t, parent);
	struct actor *one = new_actor(test, parent, 0, 1);
	struct actor *two = new_actor(test, parent, 0, 2);
	struct actor *other = new_actor(test, child, 0, 3);

	KUNIT_EXPECT_EQ(test, memquota_account_set_max(parent, SZ_1M), 0);
	actor_charge(other, 2 * SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&one->p, SZ_512K, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&two->p, SZ_512K, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&two->p, 1, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&one->p, 1, GFP_ATOMIC),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&other->p, SZ_1M, GFP_KERNEL),
			0);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
	KUNIT_EXPECT_EQ(test,
			count_asks(one) + count_asks(two) + count_asks(other),
			0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 4 * SZ_1M);
}

static void t9_being_at_a_limit_can_be_asked(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = 2 * SZ_1M });
	struct actor *one = lone_actor(test, t, 0, 1);
	struct actor *two = lone_actor(test, t, 0, 2);

	KUNIT_EXPECT_EQ(test, memquota_account_set_max(one->account, SZ_1M), 0);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(&one->p));
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&one->p, SZ_1M, GFP_KERNEL),
			0);
	KUNIT_EXPECT_TRUE(test, memquota_at_limit(&one->p));
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(&two->p));
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&two->p, SZ_1M, GFP_KERNEL),
			0);
	KUNIT_EXPECT_TRUE(test, memquota_at_limit(&two->p));
	memquota_uncharge(&one->p, SZ_1M);
	memquota_tracker_drain(t);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(&one->p));
}

struct full {
	struct memquota_tracker *t;
	struct actor *actor;
	atomic64_t got;
	u64 highest;
};

static void charge_until_refused(unsigned int cpu, void *arg)
{
	struct full *full = arg;
	unsigned int i, size;
	u64 now;

	for (i = 0; i < share_of(3000); i++) {
		size = 1 + (i * 37) % 1500;
		if (!memquota_try_charge(&full->actor->p, size, GFP_ATOMIC))
			atomic64_add(size, &full->got);
		now = read_total(full->t);
		if (now > READ_ONCE(full->highest))
			WRITE_ONCE(full->highest, now);
	}
}

static void t9_max_is_never_passed(struct kunit *test)
{
	struct full *full = new_zeroed(test, struct full);

	full->t = new_tracker(test, &(struct memquota_limits){ .max = SZ_1M });
	full->actor = lone_actor(test, full->t, 0, 1);
	full->actor->per_call = 0;
	run_on_all_cpus(test, charge_until_refused, full);
	KUNIT_EXPECT_LE(test, full->highest, SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(full->t), atomic64_read(&full->got));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t1_trackers_are_independent),
	KUNIT_CASE(t1_names_are_taken_once),
	KUNIT_CASE(t3_total_is_high_by_the_caches_at_most),
	KUNIT_CASE(t3_the_bound_follows_low_water),
	KUNIT_CASE(t3_draining_makes_it_exact),
	KUNIT_CASE(t3_total_is_never_low),
#ifdef CONFIG_HOTPLUG_CPU
	KUNIT_CASE(t3_offline_cpu_is_drained),
#endif
	KUNIT_CASE(t3_nothing_waits_for_a_real_time_task),
	KUNIT_CASE(t4_null_handle_counts_nothing),
	KUNIT_CASE(t4_disabled_tracker_counts_nothing),
	KUNIT_CASE(t4_a_disabled_parent_is_none),
	KUNIT_CASE(t6_poisoned_tracker_refuses),
	KUNIT_CASE(t6_a_total_below_zero_poisons),
	KUNIT_CASE(t7_destroying_closes_the_accounts),
	KUNIT_CASE(t7_order_of_errors),
	KUNIT_CASE(t8_overflow_changes_nothing),
	KUNIT_CASE(t9_passing_max_is_refused),
	KUNIT_CASE(t9_charge_counts_above_max),
	KUNIT_CASE(t9_caches_are_drained_before_refusing),
	KUNIT_CASE(t9_a_drain_serves_all_for_10_ms),
	KUNIT_CASE(t9_refusal_starts_reclaim),
	KUNIT_CASE(t9_account_max_limits_its_own),
	KUNIT_CASE(t9_being_at_a_limit_can_be_asked),
	KUNIT_CASE(t9_max_is_never_passed),
	{}
};

MEMQUOTA_SUITE(memquota_tracker, cases);
