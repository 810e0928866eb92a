// SPDX-License-Identifier: GPL-2.0
/* How much a run of reclaim asks, and how long it waits: rules R4 to R9, R12. */
#include "harness.h"
#include "internals.h"

/* For actor.then of atomic actors: stay inside until *@arg is set. */
static void spin_until_set(struct actor *actor)
{
	unsigned long end = jiffies + 5 * HZ;
	bool *set = actor->arg;

	while (!READ_ONCE(*set) && time_before(jiffies, end))
		cpu_relax();
}

/* What one caller retries counts for max - low_water at most. */
static void t9_a_caller_that_retries_closes_few(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = HIGH, .high = HIGH,
					   .low_water = LOW_WATER });
	struct actor *holder = lone_actor(test, t, TRIMS, 0);
	struct actor *caller = lone_actor(test, t, 0, 0);
	struct actor *actors[18];
	unsigned int i, closed = 0;
	bool retried = false;

	need_cpus(test, 2);
	for (i = 0; i < 18; i++) {
		actors[i] = lone_actor(test, t, MEMQUOTA_COLLAPSING, i + 1);
		actor_charge(actors[i], SZ_1M);
	}
	/* The run begins with the first refusal, and trims until the last. */
	holder->arg = &retried;
	holder->then = spin_until_set;
	actor_charge(holder, HIGH - 18 * SZ_1M);
	for (i = 0; i < 1000;)
		i += memquota_try_charge(&caller->p, SZ_16K,
					 GFP_ATOMIC) == -EDQUOT;
	WRITE_ONCE(retried, true);
	settle_below(test, t, LOW_WATER);
	for (i = 0; i < 18; i++)
		closed += is_closed(actors[i]->account);
	/* Down to low_water, and the refused bytes again. */
	KUNIT_EXPECT_GE(test, closed, 10);
	KUNIT_EXPECT_LE(test, closed, 11);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t9_a_caller_that_retries_closes_few),
	{}
};

MEMQUOTA_SUITE(memquota_rounds, cases);
