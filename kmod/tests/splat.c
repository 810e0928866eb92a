// SPDX-License-Identifier: GPL-2.0
/*
 * Tests that make a kthread of memquota's warn: the kernel is to report it, so
 * they have a boot of their own, and are skipped in all others.
 */
#include <linux/panic.h>
#include "../core/core.h"
#include "harness.h"

static void only_if_wanted(struct kunit *test)
{
	if (!memquota_splat)
		kunit_skip(test, "in a boot of its own");
}

static enum memquota_state state(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return usage.state;
}

/* The total says more than all hold together, and nobody can be asked. */
static void r9_a_total_that_is_too_high_poisons(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	atomic64_add(2 * HIGH, &t->total);
	actor_charge(actor, SZ_1M);
	EXPECT_SETTLES(test, state(t) == MEMQUOTA_POISONED);
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
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
}

static struct kunit_case cases[] = {
	/* First, so that the kernel has not warned yet. */
	KUNIT_CASE(p10_charging_from_a_callback_is_reported),
	KUNIT_CASE_SLOW(r9_a_total_that_is_too_high_poisons),
	{}
};

MEMQUOTA_SUITE(memquota_splat, cases);
