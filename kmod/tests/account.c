// SPDX-License-Identifier: GPL-2.0
/* Accounts: rules A1 to A8. */
#include "../core/core.h"
#include "harness.h"

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
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_try_charge(&one->p, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ESTALE,
			memquota_try_charge(&two->p, SZ_1M, GFP_ATOMIC));
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
	KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&actor->p, SZ_64K, GFP_KERNEL));
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

/* What caches still hold for it is void: each CPU discards its own. */
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
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GT(test, asked(open), 0);
	KUNIT_EXPECT_EQ(test, asked(closed), 0);
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
	/* It is a handle: it keeps the account open. */
	put_account(test, one);
	KUNIT_EXPECT_FALSE(test, is_closed(found));
	memquota_account_put(found);
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_account_lookup(t, id)));
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
	KUNIT_EXPECT_EQ(test, -ESTALE,
			PTR_ERR(memquota_account_lookup(t, last + 1000000)));
	KUNIT_EXPECT_EQ(test, -ESTALE,
			PTR_ERR(memquota_account_lookup(t, U64_MAX)));
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

	KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(child, father));
	KUNIT_EXPECT_EQ(test, -EEXIST, memquota_account_add_parent(child, father));
	KUNIT_EXPECT_EQ(test, -EEXIST, memquota_account_add_parent(child, mother));
}

static void a4_circles_are_refused(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *b = new_account(test, t, a);
	struct memquota_account *c = new_account(test, t, b);

	KUNIT_EXPECT_EQ(test, -ELOOP, memquota_account_add_parent(a, a));
	KUNIT_EXPECT_EQ(test, -ELOOP, memquota_account_add_parent(a, b));
	KUNIT_EXPECT_EQ(test, -ELOOP, memquota_account_add_parent(a, c));
	KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(c, a));
}

static void a4_parents_that_cannot_be(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_tracker *other = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *stranger = new_account(test, other, NULL);
	struct memquota_account *closed = closed_account(test, t);

	KUNIT_EXPECT_EQ(test, -EXDEV, memquota_account_add_parent(a, stranger));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_account_add_parent(a, closed));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_account_add_parent(closed, a));
	KUNIT_EXPECT_EQ(test, -EINVAL, memquota_account_add_parent(a, NULL));
	KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(NULL, a));
	KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(NULL, NULL));
	KUNIT_EXPECT_EQ(test, -EXDEV,
			PTR_ERR(memquota_account_create(t, stranger, GFP_KERNEL, "a")));
	KUNIT_EXPECT_EQ(test, -ESTALE,
			PTR_ERR(memquota_account_create(t, closed, GFP_KERNEL, "a")));
}

/* The child of a refused parent is not reclaimed with it. */
static void a4_a_refused_call_changes_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *b = new_account(test, t, a);
	struct actor *in_a = new_actor(test, a, MEMQUOTA_COLLAPSING, 1);
	struct actor *in_b = new_actor(test, b, MEMQUOTA_COLLAPSING, 2);
	struct memquota_usage usage;

	KUNIT_EXPECT_EQ(test, -ELOOP, memquota_account_add_parent(a, b));
	KUNIT_EXPECT_EQ(test, -EEXIST, memquota_account_add_parent(b, a));
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
	struct pair *pair = kunit_kzalloc(test, sizeof(*pair), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pair);
	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU");
	for (i = 0; i < 50; i++) {
		pair->one = new_account(test, t, NULL);
		pair->two = new_account(test, t, NULL);
		atomic_set(&pair->arrived, 0);
		run_on_all_cpus(test, add_one_way, pair);
		KUNIT_EXPECT_EQ(test, pair->results[0] + pair->results[1], -ELOOP);
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
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_try_charge(&actor->p, 1, GFP_KERNEL));
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
	KUNIT_EXPECT_EQ(test, asked(young), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(younger));
}

static unsigned int count_children(struct memquota_account *a)
{
	struct list_head *node;
	unsigned int n = 0;

	raw_spin_lock_irq(&a->tracker->accounts.lock);
	list_for_each(node, &a->children)
		n++;
	raw_spin_unlock_irq(&a->tracker->accounts.lock);
	return n;
}

/* Kernels with many checkers take a fifth of a millisecond for each. */
#define CLOSINGS	(IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN) ? \
			 20000 : 100000)

static void a5_bookkeeping_of_a_parent_is_bounded(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL), *child;
	unsigned int i, most = 0;
	struct memquota_usage usage;

	for (i = 0; i < CLOSINGS; i++) {
		child = memquota_account_create(t, parent, GFP_KERNEL, "c%u", i);
		if (IS_ERR(child))
			break;
		memquota_account_put(child);
		if (i % 1000 == 0) {
			most = max(most, count_children(parent));
			cond_resched();
		}
	}
	KUNIT_EXPECT_EQ(test, i, CLOSINGS);
	KUNIT_EXPECT_LE(test, most, 64);
	EXPECT_SETTLES(test, !count_children(parent));
	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.accounts, 1);
}

/* The same where nobody else lets the worker run. */
static void a5_creating_takes_apart_what_was_closed(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL), *child;
	unsigned int i, most = 0;

	preempt_disable();
	for (i = 0; i < 1000; i++) {
		child = memquota_account_create(t, parent, GFP_ATOMIC, "c%u", i);
		if (!IS_ERR(child))
			memquota_account_put(child);
		most = max(most, count_children(parent));
	}
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
	handles = refcount_read(&a->handles);
	kunit_warning_suppress(test) {
		refcount_set(&a->handles, INT_MAX);
		KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(a), a);
		memquota_account_put(a);
		KUNIT_EXPECT_FALSE(test, is_closed(a));
		KUNIT_EXPECT_GT(test, refcount_read(&a->handles), INT_MAX);
	}
	refcount_set(&a->handles, handles);
}

static void a6_counters_saturate(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;

	atomic64_set(&actor->account->refused, -2);
	KUNIT_EXPECT_EQ(test, 0, memquota_account_set_max(actor->account, SZ_64K));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			memquota_try_charge(&actor->p, SZ_128K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			memquota_try_charge(&actor->p, SZ_128K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			memquota_try_charge(&actor->p, SZ_128K, GFP_KERNEL));
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_EQ(test, usage.refused, U64_MAX);
}

static void a6_reclaims_saturate(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_account_usage usage;

	/* Some twenty rounds of it. */
	actor->per_call = SZ_256K;
	atomic64_set(&actor->account->reclaims, -3);
	actor_charge(actor, HIGH + SZ_64K);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GT(test, asked(actor), 3);
	memquota_account_usage(actor->account, &usage);
	KUNIT_EXPECT_EQ(test, usage.reclaims, U64_MAX);
}

static void a5_a_closed_account_makes_no_circle(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account *b, *c;
	unsigned int i;

	/* At once, whether or not it has been taken apart already. */
	for (i = 0; i < 100; i++) {
		b = memquota_account_create(t, a, GFP_KERNEL, "b");
		c = memquota_account_create(t, b, GFP_KERNEL, "c");
		memquota_account_put(b);
		KUNIT_EXPECT_EQ(test, 0, memquota_account_add_parent(a, c));
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
	/* As often as it was used for initialising. */
	memquota_account_put(closed);
	KUNIT_EXPECT_EQ(test, -ESTALE,
			memquota_join_account(&actor->p, closed, &actor->ops,
					      GFP_KERNEL, "a"));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_account_add_parent(a, closed));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_account_add_parent(closed, a));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_account_set_max(closed, 1));
	KUNIT_EXPECT_EQ(test, -ESTALE,
			PTR_ERR(memquota_account_create(t, closed, GFP_KERNEL, "a")));
	memquota_account_usage(closed, &usage);
	KUNIT_EXPECT_TRUE(test, usage.closed);
	KUNIT_EXPECT_EQ(test, usage.held, 0);
	KUNIT_EXPECT_TRUE(test,
			  IS_ERR(memquota_account_lookup(t, memquota_account_id(closed))));
}

static void a7_the_closed_participant_refuses(struct kunit *test)
{
	struct memquota_participant p = MEMQUOTA_PARTICIPANT_CLOSED;

	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_try_charge(&p, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_try_charge_wait(&p, 1, 1));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_activate(&p));
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

	KUNIT_EXPECT_EQ(test, -ESTALE,
			memquota_join_account(&actor->p, closed, &actor->ops,
					      GFP_KERNEL, "a"));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_try_charge(&actor->p, 1, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(closed), closed);
	KUNIT_EXPECT_TRUE(test, is_closed(closed));
	memquota_account_put(closed);
	KUNIT_EXPECT_TRUE(test, is_closed(closed));
	KUNIT_EXPECT_EQ(test, -ESTALE,
			PTR_ERR(memquota_account_lookup(t, memquota_account_id(closed))));
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
