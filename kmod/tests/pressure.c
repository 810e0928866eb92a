// SPDX-License-Identifier: GPL-2.0
/* The system's memory pressure: rule R12. */
#include "harness.h"
#include "internals.h"

#define NR_COLLAPSING	16

/* They have no limits, so nothing but pressure can have asked them. */
static void r12_pressure_collapses_no_account(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actors[NR_COLLAPSING];
	unsigned int i, closed = 0;

	for (i = 0; i < NR_COLLAPSING; i++) {
		actors[i] = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1 + i);
		actor_charge(actors[i], SZ_1M);
	}
	KUNIT_EXPECT_EQ(test, tracker_shrinkable(t), 0);
	drop_caches();
	settle(test, t);
	for (i = 0; i < NR_COLLAPSING; i++)
		closed += is_closed(actors[i]->account);
	KUNIT_EXPECT_EQ(test, closed, 0);
}

/* In one account: the partial participant gives, the other is spared. */
static void r12_pressure_asks_partial_ones_beside(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *collapsing = new_actor(test, a, MEMQUOTA_COLLAPSING, 9);
	struct actor *partial = new_actor(test, a, 0, 8);

	actor_charge(collapsing, SZ_1M);
	actor_charge(partial, SZ_1M);
	EXPECT_SETTLES(test, (drop_caches(),
			      memquota_held(&partial->p) <= SZ_64K));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(a));
	KUNIT_EXPECT_EQ(test, count_asks(collapsing), 0);
}

static void r12_pressure_collapses_where_the_owner_allows_it(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *spared = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	struct actor *oldest =
		lone_actor(test, t, MEMQUOTA_COLLAPSING |
				    MEMQUOTA_COLLAPSE_UNDER_PRESSURE, 8);
	struct actor *younger =
		lone_actor(test, t, MEMQUOTA_COLLAPSING |
				    MEMQUOTA_COLLAPSE_UNDER_PRESSURE, 7);

	actor_charge(spared, SZ_1M);
	actor_charge(oldest, SZ_1M);
	actor_charge(younger, SZ_1M);
	tracker_shrink(t, SZ_512K);
	EXPECT_SETTLES(test, is_closed(oldest->account));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(spared->account));
	KUNIT_EXPECT_FALSE(test, is_closed(younger->account));
	KUNIT_EXPECT_EQ(test, count_asks(spared), 0);
}

/* Nothing is counted for a while after a run that found nothing to take. */
static void r12_what_has_given_all_is_not_counted(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor =
		lone_actor(test, t, MEMQUOTA_COLLAPSING | TRIMS, 9);

	actor_charge(actor, SZ_1M);
	KUNIT_EXPECT_GT(test, tracker_shrinkable(t), SZ_512K);
	tracker_shrink(t, SZ_1M);
	EXPECT_SETTLES(test, atomic_read(&actor->trims) == 1);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, tracker_shrinkable(t), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
}

static void r12_pressure_is_divided_among_trackers(struct kunit *test)
{
	struct memquota_tracker *large = new_tracker(test, NULL);
	struct memquota_tracker *small = new_tracker(test, NULL);

	actor_charge(lone_actor(test, large, 0, 1), 12 * SZ_1M);
	actor_charge(lone_actor(test, small, 0, 9), 4 * SZ_1M);
	memquota_pressure_count();
	memquota_pressure_scan(4 * SZ_1M);
	settle_below(test, large, 9 * SZ_1M + SZ_256K);
	settle_below(test, small, 3 * SZ_1M + SZ_256K);
	KUNIT_EXPECT_GE(test, exact_total(large), 9 * SZ_1M - SZ_512K);
	KUNIT_EXPECT_GE(test, exact_total(small), 3 * SZ_1M - SZ_512K);
}

static void r12_trackers_that_hold_nothing_are_not_visited(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);

	KUNIT_EXPECT_FALSE(test, tracker_is_listed(t));
	actor_charge(actor, SZ_1M);
	KUNIT_EXPECT_TRUE(test, tracker_is_listed(t));
	memquota_pressure_count();
	KUNIT_EXPECT_TRUE(test, tracker_is_listed(t));
	actor_uncharge(actor, SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	memquota_pressure_count();
	KUNIT_EXPECT_FALSE(test, tracker_is_listed(t));
	actor_charge(actor, SZ_1M);
	KUNIT_EXPECT_TRUE(test, tracker_is_listed(t));
	KUNIT_EXPECT_GT(test, tracker_shrinkable(t), SZ_512K);
}

/* The first CPU charges, the others find the tracker empty time and again. */
struct race {
	struct actor *actor;
	struct memquota_tracker *t;
	unsigned int lost;	/* times that it held something and was not listed */
	bool ended;
};

static void charge_or_count(unsigned int cpu, void *arg)
{
	struct race *race = arg;
	unsigned int i;

	if (cpu != cpumask_first(cpu_online_mask)) {
		while (!READ_ONCE(race->ended)) {
			memquota_pressure_count();
			cond_resched();
		}
		return;
	}
	for (i = 0; i < share_of(4000); i++) {
		actor_charge(race->actor, SZ_64K);
		race->lost += !settled(tracker_is_listed(race->t));
		actor_uncharge(race->actor, SZ_64K);
		memquota_tracker_drain(race->t);
	}
	WRITE_ONCE(race->ended, true);
}

static void r12_a_tracker_that_holds_something_is_visited(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct race race = { .actor = lone_actor(test, t, 0, 1), .t = t };

	need_cpus(test, 2);
	run_on_all_cpus(test, charge_or_count, &race);
	KUNIT_EXPECT_EQ(test, race.lost, 0);
}

/* An old actor that has not answered: the test opens its gate. */
static struct actor *hanging_actor(struct kunit *test,
				   struct memquota_tracker *t,
				   struct gate *gate)
{
	struct actor *actor = lone_actor(test, t, SLEEPING, 9);

	actor->then = wait_at_gate;
	actor->arg = gate;
	actor_charge(actor, SZ_1M);
	return actor;
}

static void r12_pressure_does_not_add_up(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct gate gate = {};
	struct actor *younger = lone_actor(test, t, 0, 1);
	unsigned int i;

	hanging_actor(test, t, &gate);
	actor_charge(younger, 7 * SZ_1M);
	tracker_shrink(t, SZ_1M);
	EXPECT_SETTLES(test, READ_ONCE(gate.inside));
	for (i = 0; i < 32; i++)
		tracker_shrink(t, SZ_1M);
	KUNIT_EXPECT_LE(test, tracker_pressure(t), 8 * SZ_1M + cache_bound(t));
	WRITE_ONCE(gate.open, true);
	settle(test, t);
}

/* What others charge meanwhile is not wanted back. */
static void r12_pressure_ends_with_bytes_freed(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct gate gate = {};
	struct actor *oldest = hanging_actor(test, t, &gate);
	struct actor *younger = lone_actor(test, t, 0, 1);
	unsigned int answer_ms = memquota_answer_ms;

	actor_charge(younger, SZ_1M);
	/* Or the younger would be asked, too, while the oldest is held. */
	WRITE_ONCE(memquota_answer_ms, 60000);
	tracker_shrink(t, SZ_1M);
	EXPECT_SETTLES(test, READ_ONCE(gate.inside));
	actor_charge(younger, 7 * SZ_1M);
	WRITE_ONCE(gate.open, true);
	WRITE_ONCE(memquota_answer_ms, answer_ms);
	settle(test, t);
	KUNIT_EXPECT_GT(test, count_asks(oldest), 0);
	KUNIT_EXPECT_EQ(test, count_asks(younger), 0);
	KUNIT_EXPECT_GE(test, exact_total(t), 8 * SZ_1M);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(r12_pressure_collapses_no_account),
	KUNIT_CASE(r12_pressure_asks_partial_ones_beside),
	KUNIT_CASE(r12_pressure_collapses_where_the_owner_allows_it),
	KUNIT_CASE(r12_what_has_given_all_is_not_counted),
	KUNIT_CASE(r12_pressure_is_divided_among_trackers),
	KUNIT_CASE(r12_trackers_that_hold_nothing_are_not_visited),
	KUNIT_CASE(r12_a_tracker_that_holds_something_is_visited),
	KUNIT_CASE(r12_pressure_does_not_add_up),
	KUNIT_CASE(r12_pressure_ends_with_bytes_freed),
	{}
};

MEMQUOTA_SUITE(memquota_pressure, cases);
