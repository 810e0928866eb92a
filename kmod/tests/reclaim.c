// SPDX-License-Identifier: GPL-2.0
/* Reclaim: rules R1 to R12, and the two worked examples. */
#include <linux/shrinker.h>
#include "../core/core.h"
#include "harness.h"

/* Charge as the newest of all, so that everybody else goes first. */
static struct actor *press(struct kunit *test, struct memquota_tracker *t,
			   u64 bytes)
{
	struct actor *presser = lone_actor(test, t, MEMQUOTA_COLLAPSING, 0);

	presser->arrival_ns = U64_MAX - 1;
	actor_charge(presser, bytes);
	return presser;
}

static void r1_above_high_it_works_until_low_water(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor_charge(actor, HIGH - cache_bound(t));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor), 0);
	actor_charge(actor, cache_bound(t) + 1);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GT(test, exact_total(t), LOW_WATER - SZ_512K);
	KUNIT_EXPECT_EQ(test, runs(t), 1);
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
	KUNIT_EXPECT_GT(test, total(t), HIGH);
	configure(test, t, 0, HIGH, LOW_WATER);
	settle(test, t);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, asked(actor), 0);
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
	press(test, t, HIGH);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&actors[i]->turn), 6 - ages[i]);
}

/* What the index knows may be old: the arrival counts as of the look. */
static void r2_as_of_the_moment_of_the_look(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *one = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	struct actor *two = lone_actor(test, t, MEMQUOTA_COLLAPSING, 5);

	actor_charge(one, 6 * SZ_1M);
	actor_charge(two, 6 * SZ_1M);
	press(test, t, 8 * SZ_1M + SZ_512K);
	ASSERT_SETTLES(test, is_closed(one->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(two), 0);

	one = lone_actor(test, t, MEMQUOTA_COLLAPSING, 3);
	actor_charge(one, SZ_1M);
	WRITE_ONCE(two->arrival_ns, one->arrival_ns + 1);
	press(test, t, 5 * SZ_1M);
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
	KUNIT_EXPECT_EQ(test, asked(oldest), 1);
	KUNIT_EXPECT_EQ(test, asked(second), 1);
	KUNIT_EXPECT_EQ(test, asked(below), 1);
	KUNIT_EXPECT_EQ(test, asked(spared) + asked(sibling), 0);
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

	KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(bottom, right));
	KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(bottom, top));
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
	KUNIT_EXPECT_EQ(test, asked(in_top), 1);
	KUNIT_EXPECT_EQ(test, asked(in_left), 1);
	KUNIT_EXPECT_EQ(test, asked(in_right), 1);
	KUNIT_EXPECT_EQ(test, asked(in_bottom), 1);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* 64 accounts below each other, and each below all above it. */
static void r3_descendants_in_any_graph(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *accounts[64];
	struct actor *actors[64];
	unsigned int i, j;

	for (i = 0; i < 64; i++) {
		accounts[i] = new_account(test, t, i ? accounts[i - 1] : NULL);
		for (j = 0; j + 1 < i; j++)
			KUNIT_EXPECT_EQ(test, 0,
					memquota_account_add_parent(accounts[i],
								    accounts[j]));
		actors[i] = new_actor(test, accounts[i], MEMQUOTA_COLLAPSING, 99 - i);
		actor_charge(actors[i], SZ_1K);
	}
	press(test, t, HIGH);
	ASSERT_SETTLES(test, is_closed(accounts[63]));
	settle(test, t);
	for (i = 0; i < 64; i++)
		KUNIT_EXPECT_EQ(test, asked(actors[i]), 1);
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
	KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&third->p, 7 * SZ_1M, GFP_KERNEL));
	ASSERT_SETTLES(test, is_closed(child));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, is_closed(parent), parent_collapses);
	KUNIT_EXPECT_EQ(test, asked(in_parent), parent_collapses);
	KUNIT_EXPECT_EQ(test, asked(in_child), 1);
	KUNIT_EXPECT_EQ(test, asked(third), 0);
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
	KUNIT_EXPECT_EQ(test, runs(t), 0);
	for (age = 0; age <= 20; age++)
		KUNIT_EXPECT_EQ(test, asked(actors[age]), 0);

	KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&actors[20]->p,
						     SZ_1M + SZ_4K, GFP_KERNEL));
	ASSERT_SETTLES(test, is_closed(actors[14]->account));
	settle(test, t);
	for (age = 0; age <= 20; age++) {
		bool closed = is_closed(actors[age]->account);

		KUNIT_EXPECT_EQ(test, closed, age == 20 || (age >= 14 && age <= 18));
		left += !closed;
	}
	KUNIT_EXPECT_EQ(test, left, 15);
	KUNIT_EXPECT_EQ(test, exact_total(t), 14 * (SZ_1M + SZ_4K));
	KUNIT_EXPECT_EQ(test, runs(t), 1);
}

struct meeting {
	atomic_t present;
	unsigned int expected;
	bool missed;
};

static void meet(struct actor *actor)
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
		actors[i] = new_actor(test, a, SLEEPING | MEMQUOTA_COLLAPSING, i + 1);
		actors[i]->arg = &meeting;
		actors[i]->then = meet;
		actor_charge(actors[i], 2 * SZ_1M);
	}
	press(test, t, 11 * SZ_1M);
	EXPECT_SETTLES(test, atomic_read(&meeting.present) == 5);
	settle(test, t);
	for (i = 0; i < 5; i++)
		EXPECT_SETTLES(test, atomic_read(&actors[i]->puts) == 1);
	KUNIT_EXPECT_FALSE(test, meeting.missed);
}

/* The parameters are shortened for as long as the test runs. */
static void set_answer_ms(void *ms)
{
	WRITE_ONCE(memquota_answer_ms, (unsigned long)ms);
}

static void set_give_up_ms(void *ms)
{
	WRITE_ONCE(memquota_give_up_ms, (unsigned long)ms);
}

static void shorten(struct kunit *test, unsigned int answer_ms,
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
	actor_charge(mute, 4 * SZ_1M);
	actor_charge(next, HIGH);
	/* 100 ms, not 10 s. */
	EXPECT_SETTLES(test, is_closed(next->account));
	KUNIT_EXPECT_EQ(test, asked(mute), 1);
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

	shorten(test, 10, 50);
	mute->result = ANSWERS_LATER;
	mute->per_call = 0;
	actor_charge(mute, 4 * SZ_1M);
	actor_charge(next, HIGH);
	EXPECT_SETTLES(test, is_closed(next->account));
	settle(test, t);
	late = READ_ONCE(mute->request.id);
	/* Still counted, and its account lives. */
	KUNIT_EXPECT_FALSE(test, is_closed(mute->account));
	KUNIT_EXPECT_EQ(test, exact_total(t), 4 * SZ_1M);
	EXPECT_SETTLES(test, atomic_read(&mute->puts) == 1);
	/* A late answer is ignored, even that it could not. */
	memquota_reclaim_done(late, -EIO);
	KUNIT_EXPECT_FALSE(test, is_closed(mute->account));
	WRITE_ONCE(mute->result, 0);
}

struct stay {
	bool inside;
	bool go;
};

static void stay_inside(struct actor *actor)
{
	struct stay *stay = actor->arg;

	WRITE_ONCE(stay->inside, true);
	settled(READ_ONCE(stay->go));
}

static void r4_the_owner_stays_until_its_callback_returns(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *slow = lone_actor(test, t, SLEEPING, 9);
	struct actor *next = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);
	struct stay stay = {};

	shorten(test, 10, 50);
	slow->then = stay_inside;
	slow->arg = &stay;
	slow->per_call = 0;
	actor_charge(slow, 4 * SZ_1M);
	actor_charge(next, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(stay.inside));
	EXPECT_SETTLES(test, is_closed(next->account));
	msleep(100);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow->puts), 0);
	WRITE_ONCE(stay.go, true);
	EXPECT_SETTLES(test, atomic_read(&slow->puts) == atomic_read(&slow->gets));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(slow->account));
}

static void r5_collapsing_closes_at_once(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);

	/* It has not freed anything yet: all leaves the total, nevertheless. */
	actor->per_call = 0;
	actor_charge(actor, HIGH + SZ_1M);
	EXPECT_SETTLES(test, is_closed(actor->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_EXPECT_EQ(test, asked(actor), 1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(actor->request.want_bytes), U64_MAX);
	KUNIT_EXPECT_EQ(test, -ESTALE,
			memquota_try_charge(&actor->p, 1, GFP_KERNEL));
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
	press(test, t, HIGH - SZ_1M);
	EXPECT_SETTLES(test, is_closed(actor->account));
	ASSERT_SETTLES(test, asked(later));
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
	KUNIT_EXPECT_EQ(test, asked(collapsing), 1);
	/* Its uncharging counts no more: what it freed is what shows. */
	KUNIT_EXPECT_EQ(test, atomic64_read(&partial->held), 0);
	KUNIT_EXPECT_GE(test, asked(busy), 1);
	KUNIT_EXPECT_LE(test, asked(busy), 2);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void r6_told_how_much_and_until_when(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *one = lone_actor(test, t, 0, 9);
	struct actor *two = lone_actor(test, t, 0, 5);

	actor_charge(two, SZ_1M);
	actor_charge(one, HIGH);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(two), 0);
	KUNIT_EXPECT_GE(test, asked(one), 24);	/* 6 MiB, 256 KiB a call */
	KUNIT_EXPECT_LE(test, asked(one), 26);
	KUNIT_EXPECT_GT(test, READ_ONCE(one->request.want_bytes), 0);
	KUNIT_EXPECT_LE(test, READ_ONCE(one->request.want_bytes), SZ_256K);
	KUNIT_EXPECT_EQ(test, READ_ONCE(one->request.until_ns), two->arrival_ns);
	KUNIT_EXPECT_FALSE(test, is_closed(one->account));
}

static void r6_the_last_one_has_no_bound_in_time(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 9);

	actor_charge(actor, HIGH + 1);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, READ_ONCE(actor->request.until_ns), U64_MAX);
}

/* It gets younger as it is asked; then the other is the oldest. */
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
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	/* They take turns. */
	KUNIT_EXPECT_GE(test, asked(one), 8);
	KUNIT_EXPECT_GE(test, asked(two), 8);
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
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(busy), 1);
	KUNIT_EXPECT_GT(test, asked(next), 1);
	KUNIT_EXPECT_FALSE(test, is_closed(busy->account));
	KUNIT_EXPECT_EQ(test, memquota_held(&busy->p), 5 * SZ_1M);

	/* In the next run it is asked again. */
	before = asked(next);
	WRITE_ONCE(busy->per_call, U64_MAX);
	actor_charge(next, 6 * SZ_1M);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GT(test, asked(busy), 1);
	KUNIT_EXPECT_LE(test, asked(next), before + 6);
}

static void r6_a_sleeping_one_is_measured_too(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 9);
	struct actor *busy = lone_actor(test, t, SLEEPING, 10);

	busy->per_call = 0;
	actor_charge(busy, SZ_1M);
	actor_charge(actor, HIGH);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(busy), 1);
	KUNIT_EXPECT_GT(test, exact_total(t), LOW_WATER - SZ_512K);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
}

static void r7_no_data_is_no_candidate(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	struct actor *other = lone_actor(test, t, 0, 1);

	WRITE_ONCE(actor->arrival_ns, MEMQUOTA_NO_DATA);
	actor_charge(actor, SZ_1K);	/* but has not stored it yet */
	actor_charge(other, HIGH + SZ_1M);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor), 0);
	/* It has, meanwhile. */
	WRITE_ONCE(actor->arrival_ns, 1);
	actor_charge(other, 6 * SZ_1M);
	EXPECT_SETTLES(test, asked(actor));
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
	for (i = 0; i < 8 && !asked(liar); i++) {
		actor_charge(other, HIGH - total(t) + SZ_1M);
		EXPECT_SETTLES(test, total(t) <= LOW_WATER);
		settle(test, t);
		if (!i)
			KUNIT_EXPECT_EQ(test, asked(liar), 0);
		msleep(400);
	}
	KUNIT_EXPECT_EQ(test, asked(liar), 1);
	KUNIT_EXPECT_GE(test, i, 3);
}

static void leave_the_other(struct actor *actor)
{
	struct actor *other = xchg(&actor->arg, NULL);

	if (other)
		memquota_leave(&other->p);
}

static void r8_who_has_left_is_not_called(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *one = new_actor(test, a, MEMQUOTA_COLLAPSING, 1);
	struct actor *two = new_actor(test, a, MEMQUOTA_COLLAPSING, 1);

	one->arg = two;
	two->arg = one;
	one->then = leave_the_other;
	two->then = leave_the_other;
	actor_charge(one, HIGH / 2);
	actor_charge(two, HIGH / 2 + SZ_1M);
	EXPECT_SETTLES(test, asked(one) + asked(two));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(one) + asked(two), 1);
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
	ASSERT_SETTLES(test, asked(busy[0]));
	begin = jiffies;
	EXPECT_SETTLES(test, asked(busy[0]) >= 3);
	/* A second between runs, and the books are right all the same. */
	KUNIT_EXPECT_GE(test, jiffies - begin, 3 * HZ / 2);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_LE(test, asked(busy[i]), 4);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_COUNTING);
	for (i = 0; i < 3; i++)
		WRITE_ONCE(busy[i]->per_call, U64_MAX);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
}

static void r10_runs_are_counted(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		actor_charge(actor, HIGH - total(t) + SZ_1M);
		EXPECT_SETTLES(test, total(t) <= LOW_WATER);
		settle(test, t);
		KUNIT_EXPECT_EQ(test, runs(t), i);
	}
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_GT(test, usage.reclaims, 0);
	KUNIT_EXPECT_LE(test, usage.reclaims, asked(actor));
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
	press(test, t, 9 * SZ_1M);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	/* Each at most once in a run, and some again to tell until when. */
	KUNIT_EXPECT_LE(test, all_looks(actors, nr) - before, 2 * nr);
	KUNIT_EXPECT_EQ(test, asked(actors[0]), 1);
	KUNIT_EXPECT_EQ(test, asked(actors[nr - 1]), 0);

	/* Now their places are known: some per victim, not all per run. */
	before = all_looks(actors, nr);
	press(test, t, HIGH - total(t) + SZ_64K);
	ASSERT_SETTLES(test, runs(t) == 2);
	settle(test, t);
	KUNIT_EXPECT_LE(test, total(t), LOW_WATER);
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
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(idle), 0);
	/* Back again, it is a candidate again. */
	actor_charge(idle, 3 * SZ_1M);
	actor_charge(worker, 3 * SZ_1M);
	EXPECT_SETTLES(test, asked(idle));
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
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GE(test, atomic_read(&trims->trims), 1);
	KUNIT_EXPECT_EQ(test, asked(trims), 0);
	KUNIT_EXPECT_EQ(test, asked(oldest), 0);
}

static void r12_memory_pressure_asks_the_oldest(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *oldest = lone_actor(test, t, 0, 9);
	struct actor *younger = lone_actor(test, t, 0, 1);
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };

	actor_charge(oldest, 4 * SZ_1M);
	actor_charge(younger, 4 * SZ_1M);
	if (!t->reclaim.shrinker)
		kunit_skip(test, "no shrinker");
	KUNIT_EXPECT_GT(test, t->reclaim.shrinker->count_objects(t->reclaim.shrinker, &sc), 0);
	sc.nr_to_scan = SZ_1M / PAGE_SIZE;
	sc.nr_scanned = sc.nr_to_scan;
	t->reclaim.shrinker->scan_objects(t->reclaim.shrinker, &sc);
	EXPECT_SETTLES(test, total(t) <= 7 * SZ_1M + cache_bound(t));
	settle(test, t);
	KUNIT_EXPECT_GT(test, asked(oldest), 0);
	KUNIT_EXPECT_EQ(test, asked(younger), 0);
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
