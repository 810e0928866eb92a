// SPDX-License-Identifier: GPL-2.0
/*
 * Tests that make a kthread of memquota warn. The kernel reports the warning,
 * so they run in a boot of their own and are skipped in all others.
 */
#include <linux/panic.h>
#include "harness.h"
#include "internals.h"

static void only_if_wanted(struct kunit *test)
{
	if (!memquota_splat)
		kunit_skip(test, "in a boot of its own");
}

/* The total is above what all participants hold, and none can be asked. */
static void r9_a_total_that_is_too_high_poisons(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	tracker_corrupt_total(t, 2 * HIGH);
	actor_charge(actor, SZ_1M);
	EXPECT_SETTLES(test, tracker_state(t) == MEMQUOTA_POISONED);
	EXPECT_SETTLES(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL) ==
			     -ENOTRECOVERABLE);
}

static void charge_from_here(struct actor *actor)
{
	memquota_charge(&actor->p, 1);
	memquota_uncharge(&actor->p, 1);
}

static void p10_charging_from_a_callback_is_reported(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	if (!IS_ENABLED(CONFIG_MEMQUOTA_DEBUG))
		kunit_skip(test, "only debug builds look");
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	actor->then = charge_from_here;
	actor_charge(actor, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
}

/* As an object has that is cloned from one that has joined. */
static void p8_leaving_with_a_copy_is_refused(struct kunit *test)
{
	struct memquota_participant copy;
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	actor_charge(actor, SZ_1M);
	copy = actor->p;
	memquota_leave(&copy);
	KUNIT_EXPECT_EQ(test, memquota_participant_error(&copy), -ESTALE);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), SZ_1M);
}

static struct kunit_case cases[] = {
	/* First, so that the kernel has not warned yet. */
	KUNIT_CASE(p10_charging_from_a_callback_is_reported),
	KUNIT_CASE(p8_leaving_with_a_copy_is_refused),
	KUNIT_CASE_SLOW(r9_a_total_that_is_too_high_poisons),
	{}
};

MEMQUOTA_SUITE(memquota_splat, cases);
