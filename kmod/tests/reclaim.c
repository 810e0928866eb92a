// SPDX-License-Identifier: GPL-2.0
/* Reclaim: rules R1 to R12, and the two worked examples. */
#include "harness.h"
#include "internals.h"

static void r1_above_high_it_works_until_low_water(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(actor, HIGH - cache_bound(t));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
	actor_charge(actor, cache_bound(t) + 1);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GT(test, exact_total(t), LOW_WATER - SZ_512K);
	KUNIT_EXPECT_EQ(test, count_runs(t), 1);
}

static void charge_a_byte(unsigned int cpu, void *arg)
{
	actor_charge(arg, 1);
}

static void r1_caches_are_drained_before_anybody_is_asked(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_usage usage;
	unsigned int i;

	actor_charge(actor, HIGH - 10000);
	for (i = 0; i < 10; i++)
		run_on_all_cpus(test, charge_a_byte, lone_actor(test, t, 0, 2));
	KUNIT_EXPECT_GT(test, read_total(t), HIGH);
	set_limits(test, t, 0, HIGH, LOW_WATER);
	settle(test, t);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
	KUNIT_EXPECT_EQ(test, usage.reclaims, 0);
	KUNIT_EXPECT_EQ(test, exact_total(t),
			HIGH - 10000 + 10 * num_online_cpus());
}

static void r2_the_oldest_goes_first(struct kunit *test)
{
	static const unsigned int ages[] = { 3, 5, 1, 4, 2 };
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actors[5];
	unsigned int i;

	for (i = 0; i < 5; i++) {
		actors[i] = lone_actor(test, t, MEMQUOTA_COLLAPSING, ages[i]);
		actor_charge(actors[i], SZ_1M);
	}
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	settle_below(test, t, LOW_WATER);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&actors[i]->turn),
				6 - ages[i]);
}

/* The index may be stale: the arrival counts as oldest() returns it. */
static void r2_as_of_the_moment_of_the_look(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *one = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	struct actor *two = lone_actor(test, t, MEMQUOTA_COLLAPSING, 5);

	actor_charge(one, 6 * SZ_1M);
	actor_charge(two, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, 8 * SZ_1M + SZ_512K);
	ASSERT_SETTLES(test, is_closed(one->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(two), 0);

	one = lone_actor(test, t, MEMQUOTA_COLLAPSING, 3);
	actor_charge(one, SZ_1M);
	WRITE_ONCE(two->arrival_ns, one->arrival_ns + 1);
	press_total(test, t, MEMQUOTA_COLLAPSING, 5 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(one->account));
	ASSERT_SETTLES(test, is_closed(two->account));
	settle(test, t);
	KUNIT_EXPECT_LT(test, atomic_read(&one->turn), atomic_read(&two->turn));
}

static void r3_victims_are_the_account_and_all_below(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *top = new_account(test, t, NULL);
	struct memquota_account *middle = new_account(test, t, top);
	struct memquota_account *low = new_account(test, t, middle);
	struct memquota_account *beside = new_account(test, t, top);
	struct actor *spared = new_actor(test, top, MEMQUOTA_COLLAPSING, 1);
	struct actor *sibling = new_actor(test, beside, MEMQUOTA_COLLAPSING, 2);
	struct actor *oldest = new_actor(test, middle, MEMQUOTA_COLLAPSING, 9);
	struct actor *second = new_actor(test, middle, MEMQUOTA_COLLAPSING, 3);
	struct actor *below = new_actor(test, low, MEMQUOTA_COLLAPSING, 0);

	actor_charge(spared, 2 * SZ_1M);
	actor_charge(sibling, 2 * SZ_1M);
	actor_charge(oldest, 6 * SZ_1M);
	actor_charge(second, 6 * SZ_1M);
	actor_charge(below, 6 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(middle) && is_closed(low));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(oldest), 1);
	KUNIT_EXPECT_EQ(test, count_asks(second), 1);
	KUNIT_EXPECT_EQ(test, count_asks(below), 1);
	KUNIT_EXPECT_EQ(test, count_asks(spared) + count_asks(sibling), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(top) || is_closed(beside));
	KUNIT_EXPECT_EQ(test, exact_total(t), 4 * SZ_1M);
}

static void r3_descendants_each_once(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *top = new_account(test, t, NULL);
	struct memquota_account *left = new_account(test, t, top);
	struct memquota_account *right = new_account(test, t, top);
	struct memquota_account *bottom = new_account(test, t, left);
	struct actor *in_top, *in_left, *in_right, *in_bottom;

	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(bottom, right), 0);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(bottom, top), 0);
	in_top = new_actor(test, top, MEMQUOTA_COLLAPSING, 9);
	in_left = new_actor(test, left, MEMQUOTA_COLLAPSING, 3);
	in_right = new_actor(test, right, MEMQUOTA_COLLAPSING, 2);
	in_bottom = new_actor(test, bottom, MEMQUOTA_COLLAPSING, 1);
	actor_charge(in_left, 6 * SZ_1M);
	actor_charge(in_right, 6 * SZ_1M);
	actor_charge(in_bottom, 6 * SZ_1M);
	actor_charge(in_top, 6 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(top));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(in_top), 1);
	KUNIT_EXPECT_EQ(test, count_asks(in_left), 1);
	KUNIT_EXPECT_EQ(test, count_asks(in_right), 1);
	KUNIT_EXPECT_EQ(test, count_asks(in_bottom), 1);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* 64 accounts, each of them below all that are older. */
static void r3_descendants_in_any_graph(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *accounts[64];
	struct actor *actors[64];
	unsigned int i;

	new_graph(test, t, accounts, 64);
	for (i = 0; i < 64; i++) {
		actors[i] = new_actor(test, accounts[i], MEMQUOTA_COLLAPSING,
				      99 - i);
		actor_charge(actors[i], SZ_1K);
	}
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, is_closed(accounts[63]));
	settle(test, t);
	for (i = 0; i < 64; i++)
		KUNIT_EXPECT_EQ(test, count_asks(actors[i]), 1);
}

static void r3_family(struct kunit *test, unsigned int parent_age,
		      unsigned int child_age, bool parent_collapses)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL);
	struct memquota_account *child = new_account(test, t, parent);
	struct actor *in_parent, *in_child, *third;

	in_parent = new_actor(test, parent, MEMQUOTA_COLLAPSING, parent_age);
	in_child = new_actor(test, child, MEMQUOTA_COLLAPSING, child_age);
	third = lone_actor(test, t, MEMQUOTA_COLLAPSING, 0);
	actor_charge(in_parent, 7 * SZ_1M);
	actor_charge(in_child, 7 * SZ_1M);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&third->p, 7 * SZ_1M, GFP_KERNEL),
			0);
	ASSERT_SETTLES(test, is_closed(child));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, is_closed(parent), parent_collapses);
	KUNIT_EXPECT_EQ(test, count_asks(in_parent), parent_collapses);
	KUNIT_EXPECT_EQ(test, count_asks(in_child), 1);
	KUNIT_EXPECT_EQ(test, count_asks(third), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t),
			parent_collapses ? 7 * SZ_1M : 14 * SZ_1M);
}

static void r3_example_parent_and_child(struct kunit *test)
{
	r3_family(test, 2, 1, true);
	r3_family(test, 1, 2, false);
}

static void r5_example_of_21_accounts(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actors[21];
	unsigned int age, left = 0;
	u64 charged;

	for (age = 0; age <= 20; age++)
		actors[age] = lone_actor(test, t, MEMQUOTA_COLLAPSING, age);
	for (age = 0; age <= 18; age++)
		for (charged = 0; charged < SZ_1M + SZ_4K; charged += SZ_4K)
			actor_charge(actors[age], SZ_4K);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
	for (age = 0; age <= 20; age++)
		KUNIT_EXPECT_EQ(test, count_asks(actors[age]), 0);

	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actors[20]->p, SZ_1M + SZ_4K,
					    GFP_KERNEL), 0);
	ASSERT_SETTLES(test, is_closed(actors[14]->account));
	settle(test, t);
	for (age = 0; age <= 20; age++) {
		bool closed = is_closed(actors[age]->account);

		KUNIT_EXPECT_EQ(test, closed,
				age == 20 || (age >= 14 && age <= 18));
		left += !closed;
	}
	KUNIT_EXPECT_EQ(test, left, 15);
	KUNIT_EXPECT_EQ(test, exact_total(t), 14 * (SZ_1M + SZ_4K));
	KUNIT_EXPECT_EQ(test, count_runs(t), 1);
}

struct meeting {
	atomic_t present;
	unsigned int expected;
	bool missed;
};

static void meet_others(struct actor *actor)
{
	struct meeting *meeting = actor->arg;

	atomic_inc(&meeting->present);
	if (!settled(atomic_read(&meeting->present) >= meeting->expected))
		WRITE_ONCE(meeting->missed, true);
}

static void r4_sleeping_victims_are_asked_at_once(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct meeting meeting = { .expected = 5 };
	struct actor *actors[5];
	unsigned int i;

	for (i = 0; i < 5; i++) {
		actors[i] = new_actor(test, a, SLEEPING | MEMQUOTA_COLLAPSING,
				      i + 1);
		actors[i]->arg = &meeting;
		actors[i]->then = meet_others;
		actor_charge(actors[i], 2 * SZ_1M);
	}
	press_total(test, t, MEMQUOTA_COLLAPSING, 11 * SZ_1M);
	EXPECT_SETTLES(test, atomic_read(&meeting.present) == 5);
	settle(test, t);
	for (i = 0; i < 5; i++)
		EXPECT_SETTLES(test, atomic_read(&actors[i]->puts) == 1);
	KUNIT_EXPECT_FALSE(test, meeting.missed);
}

/* Shorten the timeouts of callbacks until the test ends. */
static void set_answer_ms(void *ms)
{
	WRITE_ONCE(memquota_answer_ms, (unsigned long)ms);
}

static void set_give_up_ms(void *ms)
{
	WRITE_ONCE(memquota_give_up_ms, (unsigned long)ms);
}

static void shorten_timeouts(struct kunit *test, unsigned int answer_ms,
			     unsigned int give_up_ms)
{
	kunit_add_action(test, set_answer_ms,
			 (void *)(unsigned long)memquota_answer_ms);
	kunit_add_action(test, set_give_up_ms,
			 (void *)(unsigned long)memquota_give_up_ms);
	WRITE_ONCE(memquota_answer_ms, answer_ms);
	WRITE_ONCE(memquota_give_up_ms, give_up_ms);
}

static void r4_without_an_answer_the_next_round_starts(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *mute = lone_actor(test, t, SLEEPING, 9);
	struct actor *next = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);

	mute->result = ANSWERS_LATER;
	mute->per_call = 0;
	/* It holds what is wanted, so its answer could be enough. */
	actor_charge(mute, 10 * SZ_1M);
	actor_charge(next, 11 * SZ_1M);
	/* Reclaim goes on after 100 ms, not 10 s. */
	ASSERT_SETTLES(test, is_closed(next->account));
	EXPECT_SETTLES(test, count_asks(mute) == 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mute->puts), 0);
	memquota_reclaim_done(READ_ONCE(mute->request.id), 0);
	WRITE_ONCE(mute->result, 0);
	EXPECT_SETTLES(test, atomic_read(&mute->puts) == 1);
	KUNIT_EXPECT_FALSE(test, is_closed(mute->account));
}

static void r4_who_does_not_answer_counts_as_busy(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *mute = lone_actor(test, t, SLEEPING, 9);
	struct actor *next = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);
	u64 late;

	shorten_timeouts(test, 10, 50);
	mute->result = ANSWERS_LATER;
	mute->per_call = 0;
	actor_charge(mute, 4 * SZ_1M);
	actor_charge(next, HIGH);
	EXPECT_SETTLES(test, is_closed(next->account));
	settle(test, t);
	late = READ_ONCE(mute->request.id);
	/* Its bytes still count, and its account is open. */
	KUNIT_EXPECT_FALSE(test, is_closed(mute->account));
	KUNIT_EXPECT_EQ(test, exact_total(t), 4 * SZ_1M);
	EXPECT_SETTLES(test, atomic_read(&mute->puts) == 1);
	/* A late answer is ignored, also an error. */
	memquota_reclaim_done(late, -EIO);
	KUNIT_EXPECT_FALSE(test, is_closed(mute->account));
	WRITE_ONCE(mute->result, 0);
}

static void r4_the_owner_stays_until_its_callback_returns(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *slow = lone_actor(test, t, SLEEPING, 9);
	struct actor *next = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);
	struct gate gate = {};

	shorten_timeouts(test, 10, 50);
	slow->then = wait_at_gate;
	slow->arg = &gate;
	slow->per_call = 0;
	actor_charge(slow, 4 * SZ_1M);
	actor_charge(next, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	EXPECT_SETTLES(test, is_closed(next->account));
	msleep(100);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow->puts), 0);
	WRITE_ONCE(gate.open, true);
	EXPECT_SETTLES(test, has_put_all(slow));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(slow->account));
}

static void r5_collapsing_closes_at_once(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);

	/* All that it holds leaves the total, although it frees nothing. */
	actor->per_call = 0;
	actor_charge(actor, HIGH + SZ_1M);
	EXPECT_SETTLES(test, is_closed(actor->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(actor->request.want_bytes), U64_MAX);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESTALE);
	memquota_uncharge(&actor->p, HIGH + SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void r5_an_error_collapses(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 2);
	struct actor *later = lone_actor(test, t, SLEEPING, 1);

	actor->result = -EIO;
	actor->per_call = 0;
	later->result = ANSWERS_LATER;
	later->per_call = 0;
	actor_charge(actor, 3 * SZ_1M);
	actor_charge(later, 3 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH - SZ_1M);
	EXPECT_SETTLES(test, is_closed(actor->account));
	ASSERT_SETTLES(test, count_asks(later));
	memquota_reclaim_done(READ_ONCE(later->request.id), -EIO);
	EXPECT_SETTLES(test, is_closed(later->account));
	settle(test, t);
	KUNIT_EXPECT_LE(test, exact_total(t), LOW_WATER);
}

static void r5_partial_ones_beside_are_asked_for_everything(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *collapsing = new_actor(test, a, MEMQUOTA_COLLAPSING, 3);
	struct actor *partial = new_actor(test, a, 0, 2);
	struct actor *busy = new_actor(test, a, 0, 1);

	busy->per_call = 0;
	actor_charge(partial, 5 * SZ_1M);
	actor_charge(busy, 5 * SZ_1M);
	actor_charge(collapsing, 12 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(a));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(collapsing), 1);
	/* The account is closed, so look at what the actor freed. */
	KUNIT_EXPECT_EQ(test, atomic64_read(&partial->held), 0);
	KUNIT_EXPECT_GE(test, count_asks(busy), 1);
	KUNIT_EXPECT_LE(test, count_asks(busy), 2);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void r6_told_how_much_and_until_when(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *one = lone_actor(test, t, 0, 9);
	struct actor *two = lone_actor(test, t, 0, 5);

	actor_charge(two, SZ_1M);
	actor_charge(one, HIGH);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(two), 0);
	KUNIT_EXPECT_GE(test, count_asks(one), 24);	/* 6 MiB / 256 KiB */
	/* One more for what the CPU that uncharges keeps in its share. */
	KUNIT_EXPECT_LE(test, count_asks(one), 27);
	KUNIT_EXPECT_GT(test, READ_ONCE(one->request.want_bytes), 0);
	KUNIT_EXPECT_LE(test, READ_ONCE(one->request.want_bytes), SZ_256K);
	KUNIT_EXPECT_EQ(test, READ_ONCE(one->request.until_ns),
			two->arrival_ns);
	KUNIT_EXPECT_FALSE(test, is_closed(one->account));
}

static void r6_the_last_one_has_no_bound_in_time(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 9);

	actor_charge(actor, HIGH + 1);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, READ_ONCE(actor->request.until_ns), U64_MAX);
}

/* Each call makes it younger, until the other is the oldest. */
static void grow_younger(struct actor *actor)
{
	WRITE_ONCE(actor->arrival_ns, actor->arrival_ns + 3 * NSEC_PER_USEC);
}

static void r6_asked_while_it_is_the_oldest(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *one = lone_actor(test, t, 0, 9);
	struct actor *two = lone_actor(test, t, 0, 5);

	one->then = grow_younger;
	two->then = grow_younger;
	actor_charge(one, HIGH / 2);
	actor_charge(two, HIGH / 2 + 1);
	settle_below(test, t, LOW_WATER);
	/* They take turns. */
	KUNIT_EXPECT_GE(test, count_asks(one), 8);
	KUNIT_EXPECT_GE(test, count_asks(two), 8);
}

static void r6_who_frees_nothing_is_passed_over(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *busy = lone_actor(test, t, 0, 9);
	struct actor *next = lone_actor(test, t, 0, 5);
	unsigned int before;

	busy->per_call = 0;
	actor_charge(busy, 5 * SZ_1M);
	actor_charge(next, HIGH - 4 * SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(busy), 1);
	KUNIT_EXPECT_GT(test, count_asks(next), 1);
	KUNIT_EXPECT_FALSE(test, is_closed(busy->account));
	KUNIT_EXPECT_EQ(test, memquota_held(&busy->p), 5 * SZ_1M);

	/* The next run asks it again. */
	before = count_asks(next);
	WRITE_ONCE(busy->per_call, U64_MAX);
	actor_charge(next, 6 * SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GT(test, count_asks(busy), 1);
	KUNIT_EXPECT_LE(test, count_asks(next), before + 6);
}

static void r6_a_sleeping_one_is_measured_too(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 9);
	struct actor *busy = lone_actor(test, t, SLEEPING, 10);

	busy->per_call = 0;
	actor_charge(busy, SZ_1M);
	actor_charge(actor, HIGH);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(busy), 1);
	KUNIT_EXPECT_GT(test, exact_total(t), LOW_WATER - SZ_512K);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
}

static void r7_no_data_is_no_candidate(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	struct actor *other = lone_actor(test, t, 0, 1);

	WRITE_ONCE(actor->arrival_ns, MEMQUOTA_NO_DATA);
	actor_charge(actor, SZ_1K);	/* not stored yet */
	actor_charge(other, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
	/* Now it is stored. */
	WRITE_ONCE(actor->arrival_ns, 1);
	actor_charge(other, 6 * SZ_1M);
	EXPECT_SETTLES(test, count_asks(actor));
	settle(test, t);
}

static void r7_holding_much_and_denying_it(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *liar = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	struct actor *other = lone_actor(test, t, 0, 1);
	unsigned int i;

	WRITE_ONCE(liar->arrival_ns, MEMQUOTA_NO_DATA);
	actor_charge(liar, SZ_1M);
	/* Several runs, more than a second in all. */
	for (i = 0; i < 8 && !count_asks(liar); i++) {
		actor_charge(other, HIGH - read_total(t) + SZ_1M);
		settle_below(test, t, LOW_WATER);
		if (!i)
			KUNIT_EXPECT_EQ(test, count_asks(liar), 0);
		msleep(400);
	}
	KUNIT_EXPECT_EQ(test, count_asks(liar), 1);
	KUNIT_EXPECT_GE(test, i, 3);
}

static void r8_who_has_left_is_not_called(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *one = new_actor(test, a, MEMQUOTA_COLLAPSING, 1);
	struct actor *two = new_actor(test, a, MEMQUOTA_COLLAPSING, 1);

	one->arg = two;
	two->arg = one;
	one->then = leave_other;
	two->then = leave_other;
	actor_charge(one, HIGH / 2);
	actor_charge(two, HIGH / 2 + SZ_1M);
	EXPECT_SETTLES(test, count_asks(one) + count_asks(two));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(one) + count_asks(two), 1);
}

static void r9_nobody_but_the_busy_backs_off(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *busy[3];
	struct memquota_usage usage;
	unsigned long begin;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		busy[i] = lone_actor(test, t, 0, i);
		busy[i]->per_call = 0;
		actor_charge(busy[i], HIGH / 3 + SZ_1M);
	}
	ASSERT_SETTLES(test, count_asks(busy[0]));
	begin = jiffies;
	EXPECT_SETTLES(test, count_asks(busy[0]) >= 3);
	/* A second between runs, and the counters stay right. */
	KUNIT_EXPECT_GE(test, jiffies - begin, 3 * HZ / 2);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_LE(test, count_asks(busy[i]), 4);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_COUNTING);
	for (i = 0; i < 3; i++)
		WRITE_ONCE(busy[i]->per_call, U64_MAX);
	settle_below(test, t, LOW_WATER);
}

static void r10_runs_are_counted(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		actor_charge(actor, HIGH - read_total(t) + SZ_1M);
		settle_below(test, t, LOW_WATER);
		KUNIT_EXPECT_EQ(test, count_runs(t), i);
	}
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_GT(test, usage.reclaims, 0);
	KUNIT_EXPECT_LE(test, usage.reclaims, count_asks(actor));
}

static unsigned int all_looks(struct actor **actors, unsigned int nr)
{
	unsigned int i, looks = 0;

	for (i = 0; i < nr; i++)
		looks += atomic_read(&actors[i]->looks);
	return looks;
}

static void r11_looks_are_few(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	const unsigned int nr = 3000;
	struct actor **actors;
	unsigned int i, before;

	actors = kunit_kcalloc(test, nr, sizeof(*actors), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, actors);
	for (i = 0; i < nr; i++) {
		actors[i] = lone_actor(test, t, MEMQUOTA_COLLAPSING, nr - i);
		actor_charge(actors[i], SZ_4K);
	}
	settle(test, t);
	before = all_looks(actors, nr);
	press_total(test, t, MEMQUOTA_COLLAPSING, 9 * SZ_1M);
	settle_below(test, t, LOW_WATER);
	/* Once each, and some again to find until_ns. */
	KUNIT_EXPECT_LE(test, all_looks(actors, nr) - before, 2 * nr);
	KUNIT_EXPECT_EQ(test, count_asks(actors[0]), 1);
	KUNIT_EXPECT_EQ(test, count_asks(actors[nr - 1]), 0);

	/* The index is up to date: a few per victim, not all per run. */
	before = all_looks(actors, nr);
	press_total(test, t, MEMQUOTA_COLLAPSING,
		    HIGH - read_total(t) + SZ_64K);
	ASSERT_SETTLES(test, count_runs(t) == 2);
	settle(test, t);
	KUNIT_EXPECT_LE(test, read_total(t), LOW_WATER);
	KUNIT_EXPECT_LE(test, all_looks(actors, nr) - before, 2 * nr);
}

static void r11_an_idle_oldest_stops_nobody(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *idle = lone_actor(test, t, 0, 9);
	struct actor *busy = lone_actor(test, t, 0, 8);
	struct actor *worker = lone_actor(test, t, 0, 1);

	busy->per_call = 0;
	actor_charge(idle, SZ_1M);
	actor_uncharge(idle, SZ_1M);
	actor_charge(busy, SZ_1M);
	actor_charge(worker, HIGH);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(idle), 0);
	/* With data again, it is a candidate again. */
	actor_charge(idle, 3 * SZ_1M);
	actor_charge(worker, 3 * SZ_1M);
	EXPECT_SETTLES(test, count_asks(idle));
	settle(test, t);
}

static void trim_all(struct actor *actor)
{
	actor_free(actor, 8 * SZ_1M);
}

static void r12_trimming_comes_first(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *trims = lone_actor(test, t, TRIMS, 1);
	struct actor *oldest = lone_actor(test, t, 0, 9);

	trims->then = trim_all;
	actor_charge(oldest, 10 * SZ_1M);
	actor_charge(trims, 11 * SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GE(test, atomic_read(&trims->trims), 1);
	KUNIT_EXPECT_EQ(test, count_asks(trims), 0);
	KUNIT_EXPECT_EQ(test, count_asks(oldest), 0);
}

static void r12_memory_pressure_asks_the_oldest(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *oldest = lone_actor(test, t, 0, 9);
	struct actor *younger = lone_actor(test, t, 0, 1);

	actor_charge(oldest, 4 * SZ_1M);
	actor_charge(younger, 4 * SZ_1M);
	KUNIT_EXPECT_GT(test, tracker_shrinkable(t), 0);
	tracker_shrink(t, SZ_1M);
	settle_below(test, t, 7 * SZ_1M + cache_bound(t));
	KUNIT_EXPECT_GT(test, count_asks(oldest), 0);
	KUNIT_EXPECT_EQ(test, count_asks(younger), 0);
	KUNIT_EXPECT_GE(test, exact_total(t), 6 * SZ_1M);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(r1_above_high_it_works_until_low_water),
	KUNIT_CASE(r1_caches_are_drained_before_anybody_is_asked),
	KUNIT_CASE(r2_the_oldest_goes_first),
	KUNIT_CASE(r2_as_of_the_moment_of_the_look),
	KUNIT_CASE(r3_victims_are_the_account_and_all_below),
	KUNIT_CASE(r3_descendants_each_once),
	KUNIT_CASE(r3_descendants_in_any_graph),
	KUNIT_CASE(r3_example_parent_and_child),
	KUNIT_CASE(r4_sleeping_victims_are_asked_at_once),
	KUNIT_CASE(r4_without_an_answer_the_next_round_starts),
	KUNIT_CASE(r4_who_does_not_answer_counts_as_busy),
	KUNIT_CASE(r4_the_owner_stays_until_its_callback_returns),
	KUNIT_CASE(r5_example_of_21_accounts),
	KUNIT_CASE(r5_collapsing_closes_at_once),
	KUNIT_CASE(r5_an_error_collapses),
	KUNIT_CASE(r5_partial_ones_beside_are_asked_for_everything),
	KUNIT_CASE(r6_told_how_much_and_until_when),
	KUNIT_CASE(r6_the_last_one_has_no_bound_in_time),
	KUNIT_CASE(r6_asked_while_it_is_the_oldest),
	KUNIT_CASE(r6_who_frees_nothing_is_passed_over),
	KUNIT_CASE(r6_a_sleeping_one_is_measured_too),
	KUNIT_CASE(r7_no_data_is_no_candidate),
	KUNIT_CASE_SLOW(r7_holding_much_and_denying_it),
	KUNIT_CASE(r8_who_has_left_is_not_called),
	KUNIT_CASE_SLOW(r9_nobody_but_the_busy_backs_off),
	KUNIT_CASE(r10_runs_are_counted),
	KUNIT_CASE(r11_looks_are_few),
	KUNIT_CASE(r11_an_idle_oldest_stops_nobody),
	KUNIT_CASE(r12_trimming_comes_first),
	KUNIT_CASE(r12_memory_pressure_asks_the_oldest),
	{}
};

MEMQUOTA_SUITE(memquota_reclaim, cases);
