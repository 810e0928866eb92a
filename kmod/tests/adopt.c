// SPDX-License-Identifier: GPL-2.0
/* Adopting memquota in a few lines, also without memory: rules P12 and X2. */
#include <linux/rcupdate.h>
#include "harness.h"
#include "internals.h"

static void uncharge_wanted(struct memquota_participant *p,
			    const struct memquota_request *request)
{
	memquota_uncharge(p, min(request->want_bytes, memquota_held(p)));
}

static void p12_adopting_is_a_few_lines(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};
	u64 before = exact_total(t);

	memquota_join(&p, uncharge_wanted, "object %d", 1);
	memquota_charge(&p, SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_1M);
	memquota_uncharge(&p, SZ_512K);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_512K);
	KUNIT_EXPECT_EQ(test, memquota_held(&p), SZ_512K);
	memquota_leave(&p);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
}

static void p12_a_private_account_is_reclaimed_in_part(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};

	memquota_join(&p, uncharge_wanted, "object %d", 1);
	memquota_charge(&p, 10 * SZ_1M);
	set_limits(test, t, 0, 4 * SZ_1M, 2 * SZ_1M);
	settle_below(test, t, 2 * SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&p, SZ_64K, GFP_KERNEL), 0);
	KUNIT_EXPECT_GT(test, memquota_held(&p), SZ_512K);
	memquota_leave(&p);
	memquota_barrier();
}

static void p12_more_than_one_callback(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct actor *actor = idle_actor(test, SLEEPING);

	memquota_join_private(&actor->p, &actor->ops, GFP_KERNEL, "object");
	actor_charge(actor, 10 * SZ_1M);
	set_limits(test, t, 0, 4 * SZ_1M, 2 * SZ_1M);
	settle_below(test, t, 2 * SZ_1M);
	KUNIT_EXPECT_GT(test, count_asks(actor), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&actor->looks), 0);
}

static void p12_many_come_and_go(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};
	struct memquota_usage before, after;
	unsigned int i;

	memquota_tracker_usage(t, &before);
	for (i = 0; i < 10000; i++) {
		memquota_join(&p, uncharge_wanted, "object %u", i);
		memquota_charge(&p, 100);
		memquota_leave(&p);
	}
	memquota_tracker_usage(t, &after);
	KUNIT_EXPECT_EQ(test, after.participants, before.participants);
	EXPECT_SETTLES(test, ({
		memquota_tracker_usage(t, &after);
		after.accounts == before.accounts; }));
}

#ifdef CONFIG_FAILSLAB
#define JOINS	200

/* Join while slab allocations that may not sleep fail. */
static void join_without_memory(struct memquota_participant *p)
{
	start_failing(1);
	memquota_join(p, uncharge_wanted, "object");
	stop_failing();
}

static void p12_a_reserve_serves_where_memory_cannot_be_had(struct kunit *test)
{
	struct memquota_participant *ps;
	unsigned int i, joined = 0, err;
	struct memquota_tracker *t;

	ps = kunit_kcalloc(test, JOINS, sizeof(*ps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ps);
	/* Memory of earlier tests must not refill the reserve meanwhile, ... */
	t = borrow_default_tracker(test);
	memquota_tracker_drain(t);
	ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
	for (i = 0; i < 3; i++)
		rcu_barrier();
	/* ... and with interrupts off nothing else refills it. */
	begin_atomic();
	for (i = 0; i < JOINS; i++)
		join_without_memory(&ps[i]);
	end_atomic();
	for (i = 0; i < JOINS; i++) {
		err = -memquota_try_charge(&ps[i], 100, GFP_KERNEL);
		KUNIT_EXPECT_TRUE(test, !err || err == ESTALE);
		joined += !err;
	}
	KUNIT_EXPECT_GT(test, joined, 0);
	KUNIT_EXPECT_LT(test, joined, JOINS);
	/* A participant that could not join counts nothing and may retry. */
	memquota_charge(&ps[JOINS - 1], SZ_1M);
	memquota_uncharge(&ps[JOINS - 1], SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_held(&ps[JOINS - 1]), 0);
	if (joined < JOINS)
		memquota_join(&ps[JOINS - 1], uncharge_wanted, "object");
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&ps[JOINS - 1], 1, GFP_KERNEL), 0);
	for (i = 0; i < JOINS; i++)
		memquota_leave(&ps[i]);
}

/* Let each allocation of each call fail once. */
static void x2_failed_allocations_change_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL), *child;
	struct actor *actor = idle_actor(test, SLEEPING);
	unsigned int nth, failed = 0;
	struct memquota_usage usage;
	bool done;
	int err;

	/* Checkers allocate, too, and survive a failure: it is not counted. */
	for (nth = 1, done = false; nth < 20 && !done; nth++) {
		start_failing(nth);
		child = memquota_account_create(t, parent,
						GFP_ATOMIC | __GFP_NOWARN, "c");
		done = !stop_failing();
		if (IS_ERR(child)) {
			EXPECT_PTR_ERR(test, child, -ENOMEM);
			failed++;
		}
		memquota_account_put(child);
	}
	KUNIT_EXPECT_GE(test, failed, 1);
	failed = 0;
	for (nth = 1, done = false; nth < 20 && !done; nth++) {
		start_failing(nth);
		err = memquota_join_account(&actor->p, parent, &actor->ops,
					    GFP_ATOMIC | __GFP_NOWARN, "a");
		done = !stop_failing();
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			failed++;
		} else {
			memquota_leave(&actor->p);
		}
		KUNIT_EXPECT_TRUE(test, memquota_try_charge(&actor->p, 1,
							    GFP_KERNEL));
	}
	KUNIT_EXPECT_GE(test, failed, 1);
	EXPECT_SETTLES(test, ({
		memquota_tracker_usage(t, &usage);
		usage.accounts == 1 && usage.participants == 0; }));
}
#endif

static struct kunit_case cases[] = {
	KUNIT_CASE(p12_adopting_is_a_few_lines),
	KUNIT_CASE(p12_a_private_account_is_reclaimed_in_part),
	KUNIT_CASE(p12_more_than_one_callback),
	KUNIT_CASE(p12_many_come_and_go),
#ifdef CONFIG_FAILSLAB
	KUNIT_CASE(p12_a_reserve_serves_where_memory_cannot_be_had),
	KUNIT_CASE(x2_failed_allocations_change_nothing),
#endif
	{}
};

MEMQUOTA_SUITE(memquota_adopt, cases);
