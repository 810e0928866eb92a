// SPDX-License-Identifier: GPL-2.0
/* The limits of a tracker: rules T2 and T5. */
#include "harness.h"
#include "internals.h"

static void expect_limits(struct kunit *test, struct memquota_tracker *t,
			  u64 max, u64 high, u64 low_water)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.limits.max, max);
	KUNIT_EXPECT_EQ(test, usage.limits.high, high);
	KUNIT_EXPECT_EQ(test, usage.limits.low_water, low_water);
}

static void t2_unset_limits_are_derived(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.limits.max, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_EQ(test, usage.limits.high, MEMQUOTA_UNLIMITED);

	set_limits(test, t, 0, 20 * SZ_1M, 0);
	expect_limits(test, t, MEMQUOTA_UNLIMITED, 20 * SZ_1M, 15 * SZ_1M);
	set_limits(test, t, 40 * SZ_1M, 0, 0);
	expect_limits(test, t, 40 * SZ_1M, 40 * SZ_1M, 30 * SZ_1M);
	set_limits(test, t, 40 * SZ_1M, 20 * SZ_1M, 0);
	expect_limits(test, t, 40 * SZ_1M, 20 * SZ_1M, 15 * SZ_1M);
	set_limits(test, t, 40 * SZ_1M, 0, 20 * SZ_1M);
	expect_limits(test, t, 40 * SZ_1M, 40 * SZ_1M, 20 * SZ_1M);
	set_limits(test, t, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, tracker_high(t), MEMQUOTA_UNLIMITED);
}

static const struct memquota_limits contradictions[] = {
	{ .low_water = SZ_1M },				/* high is unlimited */
	{ .low_water = MEMQUOTA_UNLIMITED },
	{ .high = MEMQUOTA_UNLIMITED, .low_water = MEMQUOTA_UNLIMITED },
	{ .high = HIGH, .low_water = MEMQUOTA_UNLIMITED },
	{ .high = 10 * SZ_1M, .low_water = 10 * SZ_1M },
	{ .high = 100 * SZ_1M, .low_water = 98 * SZ_1M + 1 },
	{ .high = SZ_1M, .low_water = 10 * MEMQUOTA_CACHE_MAX - 1 },
	{ .max = SZ_1M, .high = SZ_1M + 1 },
	{ .max = 10 * SZ_1M, .low_water = 10 * SZ_1M },
	/* Above 98 %, where rounding up would wrap. */
	{ .high = MEMQUOTA_UNLIMITED - 1, .low_water = MEMQUOTA_UNLIMITED - 1 },
	/* A byte less than the smallest. */
	{ .high = 218453 },
	{ .max = 218453 },
	{ .high = 167183, .low_water = 163840 },
};

static void t2_contradictions_are_refused(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	const struct memquota_limits *l;
	const char *reason;

	for (l = contradictions;
	     l < contradictions + ARRAY_SIZE(contradictions); l++) {
		reason = NULL;
		KUNIT_EXPECT_EQ(test,
				memquota_tracker_configure(t, l, 0, &reason),
				-EINVAL);
		KUNIT_EXPECT_NOT_NULL(test, reason);
		EXPECT_PTR_ERR(test, memquota_tracker_create("kunit-bad", l, 0),
			       -EINVAL);
		expect_limits(test, t, MEMQUOTA_UNLIMITED, HIGH, LOW_WATER);
	}
}

static void t2_bounds_themselves_are_allowed(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);

	set_limits(test, t, 0, 100 * SZ_1M, 98 * SZ_1M);
	set_limits(test, t, 0, SZ_1M, 10 * MEMQUOTA_CACHE_MAX);
	set_limits(test, t, SZ_1M, SZ_1M, 0);
}

static void t2_the_smallest_limits_are_accepted(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);

	set_limits(test, t, 0, 218454, 0);
	expect_limits(test, t, MEMQUOTA_UNLIMITED, 218454, 163840);
	set_limits(test, t, 218454, 0, 0);
	expect_limits(test, t, 218454, 218454, 163840);
	set_limits(test, t, 0, 167184, 163840);
	expect_limits(test, t, MEMQUOTA_UNLIMITED, 167184, 163840);
}

/* low_water is three quarters of high, rounded down. */
static void t2_a_derived_low_water_is_rounded_down(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	u64 most = MEMQUOTA_UNLIMITED - 1;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		set_limits(test, t, 0, 4 * SZ_1M + i, 0);
		expect_limits(test, t, MEMQUOTA_UNLIMITED, 4 * SZ_1M + i,
			      3 * SZ_1M + 3 * i / 4);
	}
	set_limits(test, t, 0, most, 0);
	expect_limits(test, t, MEMQUOTA_UNLIMITED, most,
		      most / 4 * 3 + most % 4 * 3 / 4);
}

/* The reason names the limit that was set, not one that is derived from it. */
static void t2_reasons_name_what_was_set(struct kunit *test)
{
	static const struct {
		struct memquota_limits limits;
		const char *begins;
	} wrong[] = {
		{ { .max = 10000 }, "max is below 218454 bytes: " },
		{ { .high = 10000 }, "high is below 218454 bytes: " },
		{ { .max = SZ_1M, .high = 10000 }, "high is below 218454 bytes: " },
		{ { .high = SZ_1M, .low_water = 10000 },
		  "low_water is below 163840 bytes: " },
		{ { .max = SZ_1M, .low_water = SZ_2M },
		  "low_water is above 98 % of high: " },
		{ { .low_water = SZ_1M },
		  "low_water is set while high is unlimited: " },
		{ { .max = SZ_1M, .high = SZ_2M }, "max is below high: " },
	};
	struct memquota_tracker *t = new_tracker(test, NULL);
	const char *reason;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		KUNIT_EXPECT_EQ(test,
				memquota_tracker_configure(t, &wrong[i].limits,
							   MEMQUOTA_CHECK_ONLY,
							   &reason), -EINVAL);
		KUNIT_ASSERT_NOT_NULL(test, reason);
		KUNIT_EXPECT_TRUE_MSG(test, strstarts(reason, wrong[i].begins),
				      "%s", reason);
		/* MEMQUOTA_IOCTL_REASON_SIZE */
		KUNIT_EXPECT_LT(test, strlen(reason), 64);
	}
}

static void expect_set(struct kunit *test, struct memquota_tracker *t,
		       u64 max, u64 high, u64 low_water)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.set.max, max);
	KUNIT_EXPECT_EQ(test, usage.set.high, high);
	KUNIT_EXPECT_EQ(test, usage.set.low_water, low_water);
}

static void t2_usage_tells_what_was_set(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);

	expect_set(test, t, 0, HIGH, LOW_WATER);
	set_limits(test, t, 40 * SZ_1M, 0, 0);
	expect_set(test, t, 40 * SZ_1M, 0, 0);
	set_limits(test, t, 40 * SZ_1M, 40 * SZ_1M, 30 * SZ_1M);
	expect_set(test, t, 40 * SZ_1M, 40 * SZ_1M, 30 * SZ_1M);
	set_limits(test, t, MEMQUOTA_UNLIMITED, 0, 0);
	expect_set(test, t, MEMQUOTA_UNLIMITED, 0, 0);
}

static void t5_lower_high_starts_reclaim(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(actor, 10 * SZ_1M);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
	set_limits(test, t, 0, 8 * SZ_1M, 4 * SZ_1M);
	settle_below(test, t, 4 * SZ_1M);
	KUNIT_EXPECT_GT(test, count_asks(actor), 0);
}

/* Rule R1, too: each round reads the limits again. */
static void t5_higher_low_water_ends_reclaim(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .high = 5 * SZ_1M,
					   .low_water = SZ_1M });
	struct actor *actors[5];
	bool raised = false;
	unsigned int i;

	need_cpus(test, 2);
	for (i = 0; i < 5; i++)
		actors[i] = lone_actor(test, t, MEMQUOTA_COLLAPSING, 5 - i);
	actors[0]->then = spin_until_set;
	actors[0]->arg = &raised;
	for (i = 0; i < 5; i++)
		actor_charge(actors[i], SZ_1M + 1);
	EXPECT_SETTLES(test, count_asks(actors[0]));
	set_limits(test, t, 0, 5 * SZ_1M, 4 * SZ_1M + SZ_64K);
	WRITE_ONCE(raised, true);
	settle(test, t);
	for (i = 1; i < 5; i++)
		KUNIT_EXPECT_EQ(test, count_asks(actors[i]), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 4 * (SZ_1M + 1));
}

static void t5_check_only_changes_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	const struct memquota_limits good = { .high = SZ_1M };
	const struct memquota_limits bad = { .low_water = SZ_1M };

	KUNIT_EXPECT_EQ(test,
			memquota_tracker_configure(t, &good,
						   MEMQUOTA_CHECK_ONLY, NULL),
			0);
	KUNIT_EXPECT_EQ(test,
			memquota_tracker_configure(t, &bad, MEMQUOTA_CHECK_ONLY,
						   NULL), -EINVAL);
	expect_limits(test, t, MEMQUOTA_UNLIMITED, HIGH, LOW_WATER);
}

static void t5_lifting_limits_goes_on_counting(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(actor, 10 * SZ_1M);
	set_limits(test, t, 0, 0, 0);
	actor_charge(actor, 90 * SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 100 * SZ_1M);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
}

static void t5_enabling_is_refused(struct kunit *test)
{
	struct memquota_tracker *t;
	const struct memquota_limits limits = { .high = HIGH };

	t = memquota_tracker_create("kunit-disabled", NULL,
				    MEMQUOTA_TRACKER_DISABLED);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
	KUNIT_EXPECT_EQ(test, memquota_tracker_configure(t, &limits, 0, NULL),
			-EOPNOTSUPP);
	memquota_tracker_destroy(t);
}

/* Rule T4, too: what a tracker without limits accepts. */
static void t5_a_disabled_tracker_accepts_no_limits(struct kunit *test)
{
	const struct memquota_limits unlimited = {
		.max = MEMQUOTA_UNLIMITED, .high = MEMQUOTA_UNLIMITED };
	const struct memquota_limits bad = { .high = 1 }, none = {};
	struct memquota_tracker *t;

	t = memquota_tracker_create("kunit-disabled", NULL,
				    MEMQUOTA_TRACKER_DISABLED);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
	KUNIT_EXPECT_EQ(test, memquota_tracker_configure(t, &none, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test,
			memquota_tracker_configure(t, &unlimited, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, memquota_tracker_configure(t, &bad, 0, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, tracker_state(t), MEMQUOTA_DISABLED);
	memquota_tracker_destroy(t);
}

static void t5_default_tracker_counts_from_load_on(struct kunit *test)
{
	struct memquota_tracker *t = memquota_default_tracker();
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_usage usage;
	u64 before = exact_total(t);

	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_COUNTING);
	KUNIT_EXPECT_EQ(test, usage.limits.max, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_EQ(test, usage.limits.high, MEMQUOTA_UNLIMITED);
	actor_charge(actor, SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_1M);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t2_unset_limits_are_derived),
	KUNIT_CASE(t2_contradictions_are_refused),
	KUNIT_CASE(t2_bounds_themselves_are_allowed),
	KUNIT_CASE(t2_the_smallest_limits_are_accepted),
	KUNIT_CASE(t2_a_derived_low_water_is_rounded_down),
	KUNIT_CASE(t2_reasons_name_what_was_set),
	KUNIT_CASE(t2_usage_tells_what_was_set),
	KUNIT_CASE(t5_lower_high_starts_reclaim),
	KUNIT_CASE(t5_higher_low_water_ends_reclaim),
	KUNIT_CASE(t5_check_only_changes_nothing),
	KUNIT_CASE(t5_lifting_limits_goes_on_counting),
	KUNIT_CASE(t5_enabling_is_refused),
	KUNIT_CASE(t5_a_disabled_tracker_accepts_no_limits),
	KUNIT_CASE(t5_default_tracker_counts_from_load_on),
	{}
};

MEMQUOTA_SUITE(memquota_limits, cases);
