// SPDX-License-Identifier: GPL-2.0
/* How much a run of reclaim asks, and how long it waits: rules R4 to R9, R12. */
#include "harness.h"
#include "internals.h"

/* What one caller retries counts once in a run. */
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
	u64 runs;

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
	/* Down to low_water, and what one charge wants. */
	KUNIT_EXPECT_GE(test, closed, 5);
	KUNIT_EXPECT_LE(test, closed, 6);
	/* What it is refused after that run starts another. */
	actor_charge(holder, HIGH - exact_total(t));
	runs = count_runs(t);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&caller->p, SZ_16K, GFP_ATOMIC),
			-EDQUOT);
	EXPECT_SETTLES(test, count_runs(t) > runs);
	settle(test, t);
}

/* Each answers never, and holds a byte. */
static void u5_silent_ones_delay_no_other(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *next = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);
	unsigned long begin;
	unsigned int i;

	for (i = 0; i < 60; i++) {
		struct actor *silent = lone_actor(test, t, SLEEPING, 100 + i);

		silent->result = ANSWERS_LATER;
		silent->per_call = 0;
		actor_charge(silent, 1);
	}
	begin = jiffies;
	actor_charge(next, HIGH + SZ_1M);
	EXPECT_SETTLES(test, is_closed(next->account));
	/* By 100 ms each it would be 6 s. */
	KUNIT_EXPECT_LE(test, jiffies - begin, 2 * HZ);
}

/* Those that hold what is wanted are waited for, ten times in a run. */
static void r4_a_run_waits_ten_times_at_most(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .high = 50 * SZ_1M,
					   .low_water = 49 * SZ_1M });
	struct actor *next = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1);
	unsigned long begin;
	unsigned int i;

	for (i = 0; i < 40; i++) {
		struct actor *silent = lone_actor(test, t, SLEEPING, 100 + i);

		silent->result = ANSWERS_LATER;
		silent->per_call = 0;
		actor_charge(silent, SZ_1M + SZ_128K);
	}
	settle(test, t);
	begin = jiffies;
	actor_charge(next, 50 * SZ_1M + SZ_64K - 40 * (SZ_1M + SZ_128K));
	EXPECT_SETTLES(test, is_closed(next->account));
	/* By 100 ms each it would be 4 s. */
	KUNIT_EXPECT_GE(test, jiffies - begin, HZ / 2);
	KUNIT_EXPECT_LE(test, jiffies - begin, 5 * HZ / 2);
}

/* Next to a stuck oldest, another task charges and uncharges. */
struct traffic {
	struct actor *actor;
	bool stop;
};

static void run_traffic(struct runner *runner)
{
	struct traffic *traffic = runner->arg;

	while (!READ_ONCE(traffic->stop)) {
		actor_charge(traffic->actor, SZ_64K);
		actor_uncharge(traffic->actor, SZ_64K);
		cond_resched();
	}
}

/* Take a while, in which the traffic goes on. */
static void dawdle(struct actor *actor)
{
	mdelay(1);
}

static void r6_what_others_uncharge_is_no_progress(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *stuck = lone_actor(test, t, 0, 9);
	struct actor *next = lone_actor(test, t, 0, 5);
	struct traffic traffic = { .actor = stuck };
	struct runner runner;

	need_cpus(test, 2);
	stuck->per_call = 0;
	stuck->then = dawdle;
	actor_charge(stuck, SZ_1M);
	runner_start(test, &runner, run_traffic, &traffic);
	msleep(20);
	actor_charge(next, HIGH);
	EXPECT_SETTLES(test, read_total(t) <= LOW_WATER + SZ_128K);
	WRITE_ONCE(traffic.stop, true);
	runner_join(test, &runner);
	settle(test, t);
	KUNIT_EXPECT_GE(test, count_asks(stuck), 1);
	KUNIT_EXPECT_LE(test, count_asks(stuck), 10 * tracker_run(t));
	KUNIT_EXPECT_GT(test, count_asks(next), 1);
}

/* For actor.then: the oldest data is a bit younger. */
static void grow_younger(struct actor *actor)
{
	WRITE_ONCE(actor->arrival_ns, actor->arrival_ns + 1);
}

static void free_a_byte_a_time(struct kunit *test, unsigned int flags)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *slow = lone_actor(test, t, flags, 900);
	struct actor *next = lone_actor(test, t, 0, 5);

	slow->per_call = 1;
	slow->then = grow_younger;
	actor_charge(slow, HIGH / 2);
	actor_charge(next, HIGH / 2 + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GE(test, count_asks(slow), 8);
	KUNIT_EXPECT_LE(test, count_asks(slow), 64 * tracker_run(t));
}

static void r6_a_byte_a_time_is_asked_few_times(struct kunit *test)
{
	free_a_byte_a_time(test, 0);
	free_a_byte_a_time(test, SLEEPING);
}

/* Little at a time is enough where no other participant has data. */
static void r6_a_page_a_time_gets_there(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *slow = lone_actor(test, t, 0, 900);

	slow->per_call = SZ_4K;
	slow->then = grow_younger;
	actor_charge(slow, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
}

#define ITEM	1500

/*
 * For actor.then: free items of 1500 bytes that arrived in turn with another
 * actor's, as old and as many as is asked for.
 */
static void free_items(struct actor *actor)
{
	u64 want = READ_ONCE(actor->request.want_bytes), freed = 0;
	u64 until = READ_ONCE(actor->request.until_ns);

	while (freed < want && READ_ONCE(actor->arrival_ns) <= until) {
		if (!actor_free(actor, ITEM))
			break;
		freed += ITEM;
		WRITE_ONCE(actor->arrival_ns, actor->arrival_ns + 2);
	}
}

static void share_with_another(struct kunit *test, unsigned int flags)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actors[2];
	unsigned int i;
	u64 left[2];

	for (i = 0; i < 2; i++) {
		actors[i] = lone_actor(test, t, flags, 900);
		actors[i]->arrival_ns += i;
		actors[i]->per_call = 0;
		actors[i]->then = free_items;
	}
	for (i = 0; i < 2; i++)
		actor_charge(actors[i], HIGH / 2 + SZ_256K);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_runs(t), 1);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_LE(test, count_asks(actors[i]), 64);
		left[i] = atomic64_read(&actors[i]->held);
	}
	KUNIT_EXPECT_LE(test, left[0], left[1] + SZ_1M);
	KUNIT_EXPECT_LE(test, left[1], left[0] + SZ_1M);
	KUNIT_EXPECT_GT(test, exact_total(t), LOW_WATER - SZ_512K);
}

static void r6_items_in_turn_are_freed_by_few_questions(struct kunit *test)
{
	share_with_another(test, 0);
	share_with_another(test, SLEEPING);
}

/* Each round asks all of the account, and not as many rounds as there are. */
static void r6_busy_ones_of_an_account_are_asked_once(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *next = lone_actor(test, t, 0, 1);
	struct actor *busy[100];
	unsigned int i, asks = 0;

	for (i = 0; i < 100; i++) {
		busy[i] = new_actor(test, a, i % 2 ? 0 : SLEEPING, 200 + i);
		busy[i]->per_call = 0;
		actor_charge(busy[i], SZ_32K);
	}
	actor_charge(next, HIGH);
	settle_below(test, t, LOW_WATER);
	for (i = 0; i < 100; i++)
		asks += count_asks(busy[i]);
	KUNIT_EXPECT_GE(test, asks, 100);
	KUNIT_EXPECT_LE(test, asks, 1000);
}

/* The owner has charged, and stores the object a little later. */
static void r7_what_is_stored_late_is_found_soon(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 9);
	u64 arrival_ns = actor->arrival_ns;
	unsigned long begin;

	WRITE_ONCE(actor->arrival_ns, MEMQUOTA_NO_DATA);
	actor_charge(actor, HIGH + SZ_1M);
	ASSERT_SETTLES(test, atomic_read(&actor->looks));
	WRITE_ONCE(actor->arrival_ns, arrival_ns);
	begin = jiffies;
	EXPECT_SETTLES(test, count_asks(actor));
	KUNIT_EXPECT_LE(test, jiffies - begin, HZ / 2);
	settle_below(test, t, LOW_WATER);
}

/* Beside one that collapses, a partial one is not asked for ever. */
static void r5_asking_for_everything_ends(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *collapsing = new_actor(test, a, MEMQUOTA_COLLAPSING, 9);
	struct actor *slow = new_actor(test, a, 0, 8);

	slow->per_call = 1;
	actor_charge(slow, SZ_128K);
	actor_charge(collapsing, HIGH);
	EXPECT_SETTLES(test, is_closed(a));
	settle(test, t);
	KUNIT_EXPECT_LE(test, count_asks(slow), 200);
}

/* A participant whose trim() always says that there is more. */
#define TRIMS_ENOUGH	100000

static bool trim_some(struct memquota_participant *p)
{
	struct actor *actor = container_of(p, struct actor, p);

	actor_free(actor, actor->per_call);
	return atomic_inc_return(&actor->trims) < TRIMS_ENOUGH;
}

static struct actor *endless_trimmer(struct kunit *test,
				     struct memquota_tracker *t, u64 per_call)
{
	struct actor *actor = idle_actor(test, 0);

	actor->account = new_account(test, t, NULL);
	actor->arrival_ns = ktime_get_coarse_ns();
	actor->per_call = per_call;
	actor->ops.trim = trim_some;
	KUNIT_ASSERT_EQ(test, actor_join(actor, actor->account, GFP_KERNEL), 0);
	return actor;
}

static void r12_trimming_ends_at_low_water(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *trimmer = endless_trimmer(test, t, SZ_16K);

	actor_charge(trimmer, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GT(test, exact_total(t), LOW_WATER - SZ_512K);
	KUNIT_EXPECT_EQ(test, count_asks(trimmer), 0);
}

static void r12_trimming_for_nothing_ends(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *trimmer = endless_trimmer(test, t, 0);
	struct actor *next = lone_actor(test, t, 0, 900);

	actor_charge(trimmer, SZ_4K);
	actor_charge(next, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_LE(test, atomic_read(&trimmer->trims),
			200 * tracker_run(t));
}

/* A run asks so many of those again that the runs before found busy. */
#define BUSY_PER_RUN	4096

static void r11_busy_ones_are_asked_by_turns(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	const unsigned int nr = BUSY_PER_RUN + 500;
	struct actor *next = lone_actor(test, t, 0, 1);
	struct actor **busy;
	unsigned int i, run, asks = 0;

	busy = kunit_kcalloc(test, nr, sizeof(*busy), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, busy);
	for (i = 0; i < nr; i++) {
		busy[i] = lone_actor(test, t, 0, 10000 - i);
		busy[i]->per_call = 0;
		actor_charge(busy[i], 1);
	}
	for (run = 0; run < 3; run++) {
		actor_charge(next, HIGH + SZ_1M - read_total(t));
		settle_below(test, t, LOW_WATER);
	}
	for (i = 0; i < nr; i++) {
		asks += count_asks(busy[i]);
		KUNIT_EXPECT_GE(test, count_asks(busy[i]), 2);
	}
	KUNIT_EXPECT_EQ(test, count_runs(t), 3);
	KUNIT_EXPECT_LE(test, asks, nr + 2 * BUSY_PER_RUN);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t9_a_caller_that_retries_closes_few),
	KUNIT_CASE(u5_silent_ones_delay_no_other),
	KUNIT_CASE_SLOW(r4_a_run_waits_ten_times_at_most),
	KUNIT_CASE(r5_asking_for_everything_ends),
	KUNIT_CASE(r6_what_others_uncharge_is_no_progress),
	KUNIT_CASE(r6_a_byte_a_time_is_asked_few_times),
	KUNIT_CASE(r6_a_page_a_time_gets_there),
	KUNIT_CASE(r6_items_in_turn_are_freed_by_few_questions),
	KUNIT_CASE(r6_busy_ones_of_an_account_are_asked_once),
	KUNIT_CASE(r7_what_is_stored_late_is_found_soon),
	KUNIT_CASE_SLOW(r11_busy_ones_are_asked_by_turns),
	KUNIT_CASE(r12_trimming_ends_at_low_water),
	KUNIT_CASE(r12_trimming_for_nothing_ends),
	{}
};

MEMQUOTA_SUITE(memquota_rounds, cases);
