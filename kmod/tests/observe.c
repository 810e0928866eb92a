// SPDX-License-Identifier: GPL-2.0
/* What debugfs shows: accounts and their tree, caches, arenas, past runs. */
#include <memquota/arena.h>
#include "../core/audit.h"
#include "../core/callback.h"
#include "../core/history.h"
#include "../debug/arena_debugfs.h"
#include "../debug/tree.h"
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "harness.h"
#include "internals.h"

static struct memquota_tree *new_tree(struct kunit *test,
				      struct memquota_tracker *t)
{
	struct memquota_tree *tree = new_zeroed(test, struct memquota_tree);

	KUNIT_ASSERT_EQ(test, memquota_tree_build(t, tree), 0);
	return tree;
}

static void expect_line(struct kunit *test, const struct memquota_tree *tree,
			size_t i, struct memquota_account *a, u32 depth,
			enum memquota_place place)
{
	KUNIT_ASSERT_LT(test, i, tree->nr_lines);
	KUNIT_EXPECT_EQ(test, tree->lines[i].id, memquota_account_id(a));
	KUNIT_EXPECT_EQ(test, tree->lines[i].depth, depth);
	KUNIT_EXPECT_EQ(test, tree->lines[i].place, place);
}

static void a4_tree_has_an_account_below_each_parent(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *top = new_account(test, t, NULL);
	struct memquota_account *left = new_account(test, t, top);
	struct memquota_account *right = new_account(test, t, top);
	struct memquota_account *both = new_account(test, t, left);
	struct memquota_account *below = new_account(test, t, both);
	struct memquota_account *late = new_account(test, t, NULL);
	struct memquota_tree *tree;

	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(both, right), 0);
	/* A parent may be younger. */
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(right, late), 0);
	tree = new_tree(test, t);
	KUNIT_EXPECT_EQ(test, tree->nr_lines, 8);
	expect_line(test, tree, 0, top, 0, MEMQUOTA_ONCE);
	expect_line(test, tree, 1, left, 1, MEMQUOTA_ONCE);
	expect_line(test, tree, 2, both, 2, MEMQUOTA_FIRST);
	expect_line(test, tree, 3, below, 3, MEMQUOTA_ONCE);
	expect_line(test, tree, 4, right, 1, MEMQUOTA_FIRST);
	expect_line(test, tree, 5, both, 2, MEMQUOTA_AGAIN);
	expect_line(test, tree, 6, late, 0, MEMQUOTA_ONCE);
	expect_line(test, tree, 7, right, 1, MEMQUOTA_AGAIN);
	memquota_tree_free(tree);
}

/* There are 2^62 paths to the last of these 64 accounts. */
static void a4_tree_of_any_graph_is_no_longer_than_its_links(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *accounts[64];
	struct memquota_tree *tree;
	unsigned int i;

	new_graph(test, t, accounts, 64);
	tree = new_tree(test, t);
	KUNIT_EXPECT_EQ(test, tree->nr_lines, 1 + 64 * 63 / 2);
	for (i = 0; i < 64; i++)
		expect_line(test, tree, i, accounts[i], i,
			    i > 1 ? MEMQUOTA_FIRST : MEMQUOTA_ONCE);
	for (i = 64; i < tree->nr_lines; i++) {
		KUNIT_EXPECT_EQ(test, tree->lines[i].place, MEMQUOTA_AGAIN);
		KUNIT_EXPECT_LE(test, tree->lines[i].depth,
				tree->lines[i - 1].depth + 1);
	}
	memquota_tree_free(tree);
}

static void a5_tree_of_closed_accounts_has_no_links(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *top = new_account(test, t, NULL);
	struct memquota_account *middle = new_account(test, t, top);
	struct memquota_account *low = new_account(test, t, middle);
	struct memquota_tree *tree;
	bool found[3] = {};
	size_t i;

	put_account(test, middle);
	tree = new_tree(test, t);
	for (i = 0; i < tree->nr_lines; i++) {
		found[0] |= tree->lines[i].id == memquota_account_id(top);
		found[1] |= tree->lines[i].id == memquota_account_id(low);
		if (tree->lines[i].id == memquota_account_id(low))
			KUNIT_EXPECT_EQ(test, tree->lines[i].depth, 0);
	}
	KUNIT_EXPECT_TRUE(test, found[0] && found[1]);
	memquota_tree_free(tree);
}

static void view_with_arrival(struct memquota_account *a, struct memquota_account_view *view)
{
	memquota_view_account(a, view);
	if (view->age_ns != MEMQUOTA_NO_DATA)
		view->age_ns = ktime_get_coarse_ns() - view->age_ns;
}

static void p11_account_is_as_old_as_its_oldest_participant(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account_view view;
	struct actor *actors[3];
	u64 before, after;
	unsigned int i;

	view_with_arrival(a, &view);
	KUNIT_EXPECT_EQ(test, view.usage.participants, 0);
	KUNIT_EXPECT_EQ(test, view.age_ns, MEMQUOTA_NO_DATA);

	for (i = 0; i < 3; i++)
		actors[i] = new_actor(test, a, 0, 10 + i);
	view_with_arrival(a, &view);
	KUNIT_EXPECT_EQ(test, view.usage.participants, 3);
	KUNIT_EXPECT_EQ(test, view.age_ns, MEMQUOTA_NO_DATA);

	actor_charge(actors[0], 100);
	actor_charge(actors[1], 100);
	/* The age is right to a tick of the coarse clock. */
	before = ktime_get_coarse_ns();
	memquota_view_account(a, &view);
	after = ktime_get_coarse_ns();
	KUNIT_EXPECT_GE(test, view.age_ns, before - actors[1]->arrival_ns);
	KUNIT_EXPECT_LE(test, view.age_ns, after - actors[1]->arrival_ns);
	KUNIT_EXPECT_GE(test, view.usage.held, 200);

	WRITE_ONCE(actors[1]->arrival_ns, MEMQUOTA_NO_DATA);
	before = ktime_get_coarse_ns();
	memquota_view_account(a, &view);
	after = ktime_get_coarse_ns();
	KUNIT_EXPECT_GE(test, view.age_ns, before - actors[0]->arrival_ns);
	KUNIT_EXPECT_LE(test, view.age_ns, after - actors[0]->arrival_ns);

	memquota_leave(&actors[0]->p);
	view_with_arrival(a, &view);
	KUNIT_EXPECT_EQ(test, view.usage.participants, 2);
	KUNIT_EXPECT_EQ(test, view.age_ns, MEMQUOTA_NO_DATA);
}

static void p2_looking_asks_nobody_before_the_second_step(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = new_actor(test, a, MEMQUOTA_INACTIVE, 5);
	struct memquota_account_view view;

	actor_charge(actor, SZ_64K);
	view_with_arrival(a, &view);
	KUNIT_EXPECT_EQ(test, view.age_ns, MEMQUOTA_NO_DATA);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->looks), 0);
	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), 0);
	view_with_arrival(a, &view);
	KUNIT_EXPECT_NE(test, view.age_ns, MEMQUOTA_NO_DATA);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->looks), 1);
}

static void count_for_ever(struct runner *runner)
{
	u64 sum, total;

	while (!READ_ONCE(runner->result)) {
		memquota_audit(runner->arg, &sum, &total);
		cond_resched();
	}
}

/* Audits rotate the list of records; a view must find each nevertheless. */
static void
r11_looking_and_walking_do_not_disturb_each_other(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_account_view view;
	struct actor *actors[100];
	struct runner runner = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(actors); i++) {
		actors[i] = new_actor(test, a, 0, 1);
		actor_charge(actors[i], 10);
	}
	runner_start(test, &runner, count_for_ever, t);
	for (i = 0; i < 300; i++) {
		struct actor *oldest = actors[i % ARRAY_SIZE(actors)];
		u64 arrival = oldest->arrival_ns;

		WRITE_ONCE(oldest->arrival_ns, 1);
		memquota_view_account(a, &view);
		KUNIT_EXPECT_GE(test, view.age_ns,
				ktime_get_coarse_ns() - NSEC_PER_SEC);
		WRITE_ONCE(oldest->arrival_ns, arrival);
	}
	WRITE_ONCE(runner.result, 1);
	runner_join(test, &runner);
}

struct placed {
	struct actor *actor;
	size_t bytes;
};

static void charge_placed(unsigned int cpu, void *arg)
{
	struct placed *p = arg;

	actor_charge(p->actor, p->bytes);
}

static void view_account(struct runner *runner)
{
	struct memquota_account_view view;

	memquota_view_account(runner->arg, &view);
}

static void r11_readers_hold_one_reference_together(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	unsigned int i, idle, most = 0;
	struct runner *runners;

	actor_charge(actor, 100);
	idle = participant_slots(&actor->p);
	runners = zalloc_or_abort(test, 8 * sizeof(*runners));
	/* Have all of them wait in the middle of their walk. */
	memquota_callbacks_begin();
	for (i = 0; i < 8; i++)
		runner_start(test, &runners[i], view_account, actor->account);
	for (i = 0; i < 100; i++) {
		usleep_range(1000, 2000);
		most = max(most, participant_slots(&actor->p));
	}
	memquota_callbacks_end();
	for (i = 0; i < 8; i++)
		runner_join(test, &runners[i]);
	KUNIT_EXPECT_EQ(test, most, idle + 1);
	KUNIT_EXPECT_EQ(test, participant_slots(&actor->p), idle);
}

static void t3_caches_are_shown_where_they_are(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_tracker *other = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 7);
	struct memquota_cpu_view *view =
		new_zeroed(test, struct memquota_cpu_view);
	struct placed placed = { .actor = actor, .bytes = 100 };
	unsigned int cpu = cpumask_last(cpu_online_mask), i;
	u64 sum = 0;

	run_on_cpu(test, cpu, charge_placed, &placed);
	memquota_view_cpu(t, cpu, view);
	KUNIT_ASSERT_EQ(test, view->nr, 1);
	KUNIT_EXPECT_STREQ(test, view->slots[0].name, "actor-7");
	KUNIT_EXPECT_EQ(test, view->slots[0].account_id,
			memquota_account_id(actor->account));
	KUNIT_EXPECT_FALSE(test, view->slots[0].is_void);
	KUNIT_EXPECT_EQ(test, view->slots[0].bytes + 100,
			memquota_held(&actor->p));
	memquota_view_cpu(other, cpu, view);
	KUNIT_EXPECT_EQ(test, view->nr, 0);

	for_each_possible_cpu(i) {
		memquota_view_cpu(t, i, view);
		sum += view->share_bytes;
	}
	KUNIT_EXPECT_EQ(test, sum + memquota_held(&actor->p), read_total(t));

	put_account(test, actor->account);
	memquota_view_cpu(t, cpu, view);
	KUNIT_ASSERT_EQ(test, view->nr, 1);
	KUNIT_EXPECT_TRUE(test, view->slots[0].is_void);
	memquota_tracker_drain(t);
	memquota_view_cpu(t, cpu, view);
	KUNIT_EXPECT_EQ(test, view->nr, 0);
	KUNIT_EXPECT_EQ(test, view->share_bytes, 0);
}

static struct memquota_past_run *past_run(struct kunit *test,
					  struct memquota_tracker *t,
					  u64 number)
{
	struct memquota_past_run *run =
		new_zeroed(test, struct memquota_past_run);

	KUNIT_ASSERT_TRUE(test, memquota_history_get(t, number, run));
	return run;
}

static void expect_victim(struct kunit *test,
			  const struct memquota_past_victim *v,
			  struct actor *actor, const char *name, u64 freed)
{
	KUNIT_EXPECT_EQ(test, v->account_id,
			memquota_account_id(actor->account));
	KUNIT_EXPECT_STREQ(test, v->account, account_name(actor->account));
	KUNIT_EXPECT_STREQ(test, v->participant, name);
	KUNIT_EXPECT_EQ(test, v->freed_bytes, freed);
}

static void
r10_past_runs_tell_who_was_asked_and_what_it_freed(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_past_run *run;
	struct actor *partial, *collapsing, *sleeping;

	run = new_zeroed(test, struct memquota_past_run);
	KUNIT_EXPECT_FALSE(test, memquota_history_get(t, 0, run));
	collapsing = lone_actor(test, t, MEMQUOTA_COLLAPSING, 9);
	sleeping = lone_actor(test, t, SLEEPING, 8);
	partial = lone_actor(test, t, 0, 7);
	actor_charge(collapsing, SZ_1M);
	actor_charge(sleeping, SZ_2M);
	actor_charge(partial, HIGH);
	settle_below(test, t, LOW_WATER);

	run = past_run(test, t, 0);
	KUNIT_EXPECT_EQ(test, run->number, 1);
	KUNIT_EXPECT_EQ(test, run->state, MEMQUOTA_REACHED);
	KUNIT_EXPECT_GT(test, run->from_bytes, HIGH);
	KUNIT_EXPECT_LE(test, run->to_bytes, LOW_WATER);
	KUNIT_EXPECT_EQ(test, run->limits.high, HIGH);
	KUNIT_EXPECT_EQ(test, run->limits.low_water, LOW_WATER);
	KUNIT_EXPECT_EQ(test, run->limits.max, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_EQ(test, run->refused_bytes, 0);
	KUNIT_ASSERT_EQ(test, run->nr_victims, 3);
	KUNIT_EXPECT_EQ(test, run->victims[0].asks, 1);
	KUNIT_EXPECT_GE(test, run->victims[0].freed_bytes, SZ_1M);
	KUNIT_EXPECT_GE(test, run->victims[0].age_ns, 9 * NSEC_PER_USEC);
	expect_victim(test, &run->victims[0], collapsing, "actor-9",
		      run->victims[0].freed_bytes);
	expect_victim(test, &run->victims[1], sleeping, "actor-8", SZ_2M);
	/* Rule R6, 256 KiB per call: one victim, asked again. */
	KUNIT_EXPECT_EQ(test, run->victims[2].asks, count_asks(partial));
	KUNIT_EXPECT_GT(test, run->victims[2].asks, 1);
	KUNIT_EXPECT_EQ(test, run->asks, run->victims[0].asks +
					 run->victims[1].asks +
					 run->victims[2].asks);
	KUNIT_EXPECT_EQ(test, run->freed_bytes,
			run->victims[0].freed_bytes +
			run->victims[1].freed_bytes +
			run->victims[2].freed_bytes);
	KUNIT_EXPECT_FALSE(test, memquota_history_get(t, 2, run));
}

static void r10_past_runs_are_the_last_ones(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_past_run *run;
	struct actor *actor = lone_actor(test, t, 0, 1);
	u64 first, number;
	int i;

	for (i = 0; i < MEMQUOTA_PAST_RUNS + 3; i++) {
		actor_charge(actor, HIGH + SZ_1M - exact_total(t));
		ASSERT_SETTLES(test, read_total(t) <= LOW_WATER);
		settle(test, t);
	}
	run = past_run(test, t, 0);
	first = run->number;
	/* A run may find the actor between charging and storing. */
	KUNIT_EXPECT_GE(test, first, 4);
	for (number = 0; memquota_history_get(t, number, run);
	     number = run->number + 1)
		KUNIT_EXPECT_EQ(test, run->nr_victims, 1);
	KUNIT_EXPECT_EQ(test, number, first + MEMQUOTA_PAST_RUNS);
}

/* Runs that ask no participant, one per second, count as one. */
static void r10_past_runs_that_asked_nobody_are_replaced(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_past_run *run;
	struct actor *actor = lone_actor(test, t, 0, 1);

	run = new_zeroed(test, struct memquota_past_run);
	WRITE_ONCE(actor->arrival_ns, MEMQUOTA_NO_DATA);
	actor_charge(actor, HIGH + SZ_1K);
	ASSERT_SETTLES(test,
		       memquota_history_get(t, 0, run) &&
		       run->state != MEMQUOTA_RUNNING);
	KUNIT_EXPECT_EQ(test, run->number, 1);
	KUNIT_EXPECT_EQ(test, run->asks, 0);
	WRITE_ONCE(actor->arrival_ns, 1);
	ASSERT_SETTLES(test, read_total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GE(test, tracker_run(t), 2);
	run = past_run(test, t, 0);
	KUNIT_EXPECT_EQ(test, run->number, 1);
	KUNIT_EXPECT_EQ(test, run->state, MEMQUOTA_REACHED);
	KUNIT_EXPECT_FALSE(test, memquota_history_get(t, 2, run));
}

static struct memquota_arena_core *core_named(const char *name)
{
	struct memquota_arena_core *core;
	u64 id = 0;

	while ((core = memquota_core_next(id)) && strcmp(core->name, name)) {
		id = core->id + 1;
		memquota_core_unref(core);
	}
	return core;
}

static bool is_listed(const char *name)
{
	struct memquota_arena_core *core = core_named(name);

	if (core)
		memquota_core_unref(core);
	return core;
}

static void c8_arenas_are_listed_as_long_as_they_hold_memory(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT | MEMQUOTA_ARENA_PERCPU,
		.account = a,
	};
	struct memquota_arena_stats stats, own;
	struct memquota_arena_core *core;
	struct memquota_arena arena;
	void *memory;

	KUNIT_ASSERT_EQ(test,
			memquota_arena_init(&arena, &config, "kunit-listed"),
			0);
	memory = memquota_arena_alloc_ref(&arena, 300, 8);
	KUNIT_EXPECT_FALSE(test, IS_ERR(memory));
	KUNIT_EXPECT_FALSE(test,
			   IS_ERR(memquota_arena_alloc(&arena, SZ_64K, 8)));
	core = core_named("kunit-listed");
	KUNIT_EXPECT_PTR_EQ(test, core, arena.core);
	if (core) {
		memquota_core_stats(core, &stats);
		memquota_arena_stats(&arena, &own);
		KUNIT_EXPECT_EQ(test, memcmp(&stats, &own, sizeof(own)), 0);
		KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 1);
		KUNIT_EXPECT_PTR_EQ(test, memquota_arena_account(core), a);
		memquota_core_unref(core);
	}
	memquota_arena_destroy(&arena);
	core = core_named("kunit-listed");
	KUNIT_EXPECT_NOT_NULL(test, core);
	if (core) {
		memquota_core_stats(core, &stats);
		KUNIT_EXPECT_EQ(test, stats.held_bytes, 512);
		KUNIT_EXPECT_NULL(test, core->arena);
		memquota_core_unref(core);
	}
	memquota_ref_put(memory);
	EXPECT_SETTLES(test, !is_listed("kunit-listed"));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a4_tree_has_an_account_below_each_parent),
	KUNIT_CASE(a4_tree_of_any_graph_is_no_longer_than_its_links),
	KUNIT_CASE(a5_tree_of_closed_accounts_has_no_links),
	KUNIT_CASE(p11_account_is_as_old_as_its_oldest_participant),
	KUNIT_CASE(p2_looking_asks_nobody_before_the_second_step),
	KUNIT_CASE(r11_looking_and_walking_do_not_disturb_each_other),
	KUNIT_CASE(r11_readers_hold_one_reference_together),
	KUNIT_CASE(t3_caches_are_shown_where_they_are),
	KUNIT_CASE(r10_past_runs_tell_who_was_asked_and_what_it_freed),
	KUNIT_CASE(r10_past_runs_are_the_last_ones),
	KUNIT_CASE(r10_past_runs_that_asked_nobody_are_replaced),
	KUNIT_CASE(c8_arenas_are_listed_as_long_as_they_hold_memory),
	{}
};

MEMQUOTA_SUITE(memquota_observe, cases);
