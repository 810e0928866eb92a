// SPDX-License-Identifier: GPL-2.0
/* Accounts: rules A1 to A8. */
#include "harness.h"
#include "internals.h"

static void a1_accounts_hold_nothing_themselves(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL);
	struct memquota_account *child = new_account(test, t, parent);
	struct actor *actor = new_actor(test, child, 0, 1);
	struct memquota_account_usage usage;

	actor_charge(actor, SZ_1M);
	memquota_tracker_drain(t);
	memquota_account_usage(child, &usage);
	KUNIT_EXPECT_EQ(test, usage.held, SZ_1M);
	KUNIT_EXPECT_EQ(test, usage.max, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_FALSE(test, usage.closed);
	memquota_account_usage(parent, &usage);
	KUNIT_EXPECT_EQ(test, usage.held, 0);
}

static void a2_last_put_closes(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *one = new_actor(test, a, 0, 1);
	struct actor *two = new_actor(test, a, 0, 2);
	struct actor *other = lone_actor(test, t, 0, 3);
	struct memquota_usage usage;

	actor_charge(one, SZ_1M);
	actor_charge(two, SZ_1M);
	actor_charge(other, SZ_1M);
	put_account(test, a);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&one->p, 1, GFP_KERNEL),
			-ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&two->p, SZ_1M, GFP_ATOMIC),
			-ESTALE);
	memquota_charge(&one->p, SZ_1M);
	memquota_uncharge(&two->p, SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_held(&one->p), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.accounts, 1);
}

static void a2_all_references_keep_it_open(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = new_actor(test, a, 0, 1);

	KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(a), a);
	memquota_account_put(a);
	KUNIT_EXPECT_FALSE(test, is_closed(a));
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SZ_64K, GFP_KERNEL), 0);
}

static void charge_one(unsigned int cpu, void *arg)
{
	actor_charge(arg, 1);
}

static void charge_pages(unsigned int cpu, void *arg)
{
	struct actor *actor = arg;
	unsigned int i;

	for (i = 0; i < 64; i++)
		memquota_charge(&actor->p, 100);
}

/* Closing voids what caches hold; each CPU then discards its own. */
static void a2_void_caches_count_nowhere(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = new_actor(test, a, 0, 1);

	run_on_all_cpus(test, charge_one, actor);
	put_account(test, a);
	run_on_all_cpus(test, charge_pages, actor);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	memquota_leave(&actor->p);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void a2_no_walk_passes_a_closed_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *closed = new_actor(test, a, 0, 9);
	struct actor *open = lone_actor(test, t, 0, 1);

	actor_charge(closed, SZ_1M);
	put_account(test, a);
	actor_charge(open, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GT(test, count_asks(open), 0);
	KUNIT_EXPECT_EQ(test, count_asks(closed), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&closed->looks), 0);
}

static void a3_a_weak_handle_finds_its_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *one = new_account(test, t, NULL);
	struct memquota_account *two = new_account(test, t, NULL);
	struct memquota_account *found;
	u64 id = memquota_account_id(one);

	KUNIT_EXPECT_NE(test, id, memquota_account_id(two));
	found = memquota_account_lookup(t, id);
	KUNIT_EXPECT_PTR_EQ(test, found, one);
	/* A handle from a lookup keeps the account open, too. */
	put_account(test, one);
	KUNIT_EXPECT_FALSE(test, is_closed(found));
	memquota_account_put(found);
	EXPECT_PTR_ERR(test, memquota_account_lookup(t, id), -ESTALE);
}

static void a3_ids_are_never_used_twice(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a;
	u64 id, last = 0;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		a = memquota_account_create(t, NULL, GFP_KERNEL, "a");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
		id = memquota_account_id(a);
		KUNIT_EXPECT_GT(test, id, last);
		last = id;
		memquota_account_put(a);
	}
	EXPECT_PTR_ERR(test, memquota_account_lookup(t, last + 1000000),
		       -ESTALE);
	EXPECT_PTR_ERR(test, memquota_account_lookup(t, U64_MAX), -ESTALE);
}

static void a3_a_weak_handle_is_for_its_tracker(struct kunit *test)
{
	struct memquota_tracker *one = new_default_sized_tracker(test);
	struct memquota_tracker *two = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, one, NULL);

	KUNIT_EXPECT_TRUE(test,
			  IS_ERR(memquota_account_lookup(two, memquota_account_id(a))));
}

static void a4_an_account_can_have_several_parents(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *mother = new_account(test, t, NULL);
	struct memquota_account *father = new_account(test, t, NULL);
	struct memquota_account *child = new_account(test, t, mother);

	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(child, father), 0);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(child, father),
			-EEXIST);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(child, mother),
			-EEXIST);
}

static void a4_circles_are_refused(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *b = new_account(test, t, a);
	struct memquota_account *c = new_account(test, t, b);

	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, a), -ELOOP);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, b), -ELOOP);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, c), -ELOOP);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(c, a), 0);
}

static void a4_parents_that_cannot_be(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_tracker *other = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *stranger = new_account(test, other, NULL);
	struct memquota_account *closed = closed_account(test, t);

	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, stranger), -EXDEV);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, closed), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(closed, a), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(NULL, a), 0);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(NULL, NULL), 0);
	EXPECT_PTR_ERR(test,
		       memquota_account_create(t, stranger, GFP_KERNEL, "a"),
		       -EXDEV);
	EXPECT_PTR_ERR(test,
		       memquota_account_create(t, closed, GFP_KERNEL, "a"),
		       -ESTALE);
}

/* Reclaim does not close an account with a parent that was refused. */
static void a4_a_refused_call_changes_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *b = new_account(test, t, a);
	struct actor *in_a = new_actor(test, a, MEMQUOTA_COLLAPSING, 1);
	struct actor *in_b = new_actor(test, b, MEMQUOTA_COLLAPSING, 2);
	struct memquota_usage usage;

	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, b), -ELOOP);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(b, a), -EEXIST);
	actor_charge(in_a, 10 * SZ_1M);
	actor_charge(in_b, 11 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(b));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(a));
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.accounts, 1);
}

struct pair {
	struct memquota_account *one;
	struct memquota_account *two;
	atomic_t arrived;
	int results[2];
};

static void add_one_way(unsigned int cpu, void *arg)
{
	unsigned int i = cpu != cpumask_first(cpu_online_mask);
	struct pair *pair = arg;

	if (i && cpu != cpumask_last(cpu_online_mask))
		return;
	atomic_inc(&pair->arrived);
	while (atomic_read(&pair->arrived) < 2)
		cpu_relax();
	pair->results[i] = i ?
		memquota_account_add_parent(pair->one, pair->two) :
		memquota_account_add_parent(pair->two, pair->one);
}

static void a4_racing_calls_make_no_circle(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct pair *pair = new_zeroed(test, struct pair);
	unsigned int i;

	need_cpus(test, 2);
	for (i = 0; i < 50; i++) {
		pair->one = new_account(test, t, NULL);
		pair->two = new_account(test, t, NULL);
		atomic_set(&pair->arrived, 0);
		run_on_all_cpus(test, add_one_way, pair);
		KUNIT_EXPECT_EQ(test, pair->results[0] + pair->results[1],
				-ELOOP);
		KUNIT_EXPECT_EQ(test, pair->results[0] * pair->results[1], 0);
	}
}

static void a5_a_child_does_not_keep_its_parent(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL);
	struct memquota_account *child = new_account(test, t, parent);
	struct actor *actor = new_actor(test, parent, 0, 1);

	actor_charge(actor, SZ_1M);
	put_account(test, parent);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(child));
}

static void a5_a_parent_does_not_keep_its_child(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL);
	struct memquota_account *child = new_account(test, t, parent);
	struct actor *actor = new_actor(test, child, 0, 1);

	actor_charge(actor, SZ_1M);
	put_account(test, child);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESTALE);
	KUNIT_EXPECT_FALSE(test, is_closed(parent));
}

static void a5_closing_cuts_the_links(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *elder = new_account(test, t, NULL);
	struct memquota_account *middle = new_account(test, t, elder);
	struct memquota_account *younger = new_account(test, t, middle);
	struct actor *old = new_actor(test, elder, MEMQUOTA_COLLAPSING, 2);
	struct actor *young = new_actor(test, younger, MEMQUOTA_COLLAPSING, 1);

	put_account(test, middle);
	actor_charge(young, 10 * SZ_1M);
	actor_charge(old, 11 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(elder));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(young), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(younger));
}

/* Closing one takes 0.2 ms on kernels with many checkers. */
#define CLOSINGS	(IS_ENABLED(CONFIG_PROVE_LOCKING) || \
			 IS_ENABLED(CONFIG_KCSAN) ? 20000 : 100000)

static void a5_bookkeeping_of_a_parent_is_bounded(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL), *child;
	unsigned int i, most = 0;
	struct memquota_usage usage;

	for (i = 0; i < CLOSINGS; i++) {
		child = memquota_account_create(t, parent, GFP_KERNEL, "c%u",
						i);
		if (IS_ERR(child))
			break;
		memquota_account_put(child);
		if (i % 1000 == 0) {
			most = max(most, account_children(parent));
			cond_resched();
		}
	}
	KUNIT_EXPECT_EQ(test, i, CLOSINGS);
	KUNIT_EXPECT_LE(test, most, 64);
	EXPECT_SETTLES(test, !account_children(parent));
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.accounts, 1);
}

/*
 * The same with preemption off, so that the worker does not run. PREEMPT_RT does
 * not allow to allocate then.
 */
static void a5_creating_takes_apart_what_was_closed(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL), *child;
	unsigned int i, most = 0;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
	for (i = 0; i < 1000; i++) {
		child = memquota_account_create(t, parent, GFP_ATOMIC, "c%u",
						i);
		if (!IS_ERR(child))
			memquota_account_put(child);
		most = max(most, account_children(parent));
	}
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
	KUNIT_EXPECT_LE(test, most, 8);
}

static void a6_handles_saturate(struct kunit *test)
{
	struct memquota_tracker *t;
	struct memquota_account *a;
	unsigned int handles;

	needs_warnings(test);
	t = new_default_sized_tracker(test);
	a = new_account(test, t, NULL);
	handles = account_handles(a);
	kunit_warning_suppress(test) {
		account_set_handles(a, INT_MAX);
		KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(a), a);
		memquota_account_put(a);
		KUNIT_EXPECT_FALSE(test, is_closed(a));
		KUNIT_EXPECT_GT(test, account_handles(a), INT_MAX);
	}
	account_set_handles(a, handles);
}

static void a6_counters_saturate(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;

	account_set_refused(actor->account, U64_MAX - 1);
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(actor->account, SZ_64K),
			0);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SZ_128K, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SZ_128K, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&actor->p, SZ_128K, GFP_KERNEL),
			-EDQUOT);
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_EQ(test, usage.refused, U64_MAX);
}

static void a6_reclaims_saturate(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;

	/* Free little per call, so that there are some twenty calls. */
	actor->per_call = SZ_256K;
	account_set_reclaims(actor->account, U64_MAX - 2);
	actor_charge(actor, HIGH + SZ_64K);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GT(test, count_asks(actor), 3);
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_EQ(test, usage.reclaims, U64_MAX);
}

static void a5_a_closed_account_makes_no_circle(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *b, *c;
	unsigned int i;

	/* The links of a closed account count as cut before its cleanup. */
	for (i = 0; i < 100; i++) {
		b = memquota_account_create(t, a, GFP_KERNEL, "b");
		c = memquota_account_create(t, b, GFP_KERNEL, "c");
		memquota_account_put(b);
		KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, c), 0);
		memquota_account_put(c);
	}
}

static void a7_the_closed_account_refuses(struct kunit *test)
{
	struct memquota_account *closed = &memquota_closed_account;
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = idle_actor(test, 0);
	struct memquota_account_usage usage;

	KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(closed), closed);
	memquota_account_put(closed);
	/* The static account does not count its handles. */
	memquota_account_put(closed);
	KUNIT_EXPECT_EQ(test,
			actor_join(actor, closed, GFP_KERNEL), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, closed), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(closed, a), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(closed, 1), -ESTALE);
	EXPECT_PTR_ERR(test,
		       memquota_account_create(t, closed, GFP_KERNEL, "a"),
		       -ESTALE);
	memquota_account_usage(closed, &usage);
	KUNIT_EXPECT_TRUE(test, usage.closed);
	KUNIT_EXPECT_EQ(test, usage.held, 0);
	KUNIT_EXPECT_TRUE(test,
			  IS_ERR(memquota_account_lookup(t, memquota_account_id(closed))));
}

static void a7_the_closed_participant_refuses(struct kunit *test)
{
	struct memquota_participant p = MEMQUOTA_PARTICIPANT_CLOSED;

	KUNIT_EXPECT_EQ(test, memquota_try_charge(&p, 1, GFP_KERNEL), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_try_charge_wait(&p, 1, 1), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_activate(&p), -ESTALE);
	memquota_charge(&p, SZ_1M);
	memquota_uncharge(&p, SZ_1M);
	memquota_uncharge_all(&p);
	memquota_set_oldest(&p, 1);
	KUNIT_EXPECT_EQ(test, memquota_held(&p), 0);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(&p));
	memquota_leave(&p);
}

static void a8_a_closed_account_refuses(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *closed = closed_account(test, t);
	struct actor *actor = idle_actor(test, 0);

	KUNIT_EXPECT_EQ(test,
			actor_join(actor, closed, GFP_KERNEL), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESTALE);
	KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(closed), closed);
	KUNIT_EXPECT_TRUE(test, is_closed(closed));
	memquota_account_put(closed);
	KUNIT_EXPECT_TRUE(test, is_closed(closed));
	EXPECT_PTR_ERR(test,
		       memquota_account_lookup(t, memquota_account_id(closed)),
		       -ESTALE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a1_accounts_hold_nothing_themselves),
	KUNIT_CASE(a2_last_put_closes),
	KUNIT_CASE(a2_all_references_keep_it_open),
	KUNIT_CASE(a2_void_caches_count_nowhere),
	KUNIT_CASE(a2_no_walk_passes_a_closed_account),
	KUNIT_CASE(a3_a_weak_handle_finds_its_account),
	KUNIT_CASE(a3_ids_are_never_used_twice),
	KUNIT_CASE(a3_a_weak_handle_is_for_its_tracker),
	KUNIT_CASE(a4_an_account_can_have_several_parents),
	KUNIT_CASE(a4_circles_are_refused),
	KUNIT_CASE(a4_parents_that_cannot_be),
	KUNIT_CASE(a4_a_refused_call_changes_nothing),
	KUNIT_CASE(a4_racing_calls_make_no_circle),
	KUNIT_CASE(a5_a_child_does_not_keep_its_parent),
	KUNIT_CASE(a5_a_parent_does_not_keep_its_child),
	KUNIT_CASE(a5_closing_cuts_the_links),
	KUNIT_CASE_SLOW(a5_bookkeeping_of_a_parent_is_bounded),
	KUNIT_CASE(a5_creating_takes_apart_what_was_closed),
	KUNIT_CASE(a6_handles_saturate),
	KUNIT_CASE(a6_counters_saturate),
	KUNIT_CASE(a6_reclaims_saturate),
	KUNIT_CASE(a5_a_closed_account_makes_no_circle),
	KUNIT_CASE(a7_the_closed_account_refuses),
	KUNIT_CASE(a7_the_closed_participant_refuses),
	KUNIT_CASE(a8_a_closed_account_refuses),
	{}
};

MEMQUOTA_SUITE(memquota_account, cases);
