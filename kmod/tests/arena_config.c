// SPDX-License-Identifier: GPL-2.0
/* How arenas are configured, waiting included: rules N12 and T10. */
#include <linux/bottom_half.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <memquota/arena.h>
#include "../memory/chunk.h"
#include "harness.h"
#include "internals.h"

static void n12_accounted_by_the_page(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .gfp = GFP_KERNEL_ACCOUNT });
	void *memory;

	memory = must_alloc(test, arena, 1);
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->bytes, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, exact_total(t), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 1), 0);
	KUNIT_EXPECT_GE(test, exact_total(t), 2 * PAGE_SIZE);
	memset(must_alloc(test, arena, 8 * SZ_1M), 0, 8 * SZ_1M);
	memset(must_alloc(test, arena, SZ_256K), 0, SZ_256K);
}

/* Allocate from chunks of all sizes, new and reused, and one-shots. */
static unsigned int failures_of(struct memquota_arena *arena)
{
	unsigned int i, failures = 0;
	void *memory;

	for (i = 0; i < 300; i++) {
		memory = memquota_arena_alloc_ref(arena, 900, 8);
		if (IS_ERR(memory)) {
			failures++;
			continue;
		}
		memset(memory, 1, 900);
		memquota_ref_put(memory);
		failures += IS_ERR(memquota_arena_alloc(arena, 100, 8));
	}
	failures += IS_ERR(memquota_arena_alloc(arena, SZ_32K, 8));
	failures += !!memquota_arena_preallocate(arena, 1000);
	memquota_arena_reset(arena);
	failures += IS_ERR(memquota_arena_alloc(arena, 100, 8));
	return failures;
}

static void n12_atomic_where_the_flags_say_so(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .gfp = GFP_ATOMIC });
	static DEFINE_SPINLOCK(lock);
	unsigned int failures;
	unsigned long flags;

	local_bh_disable();
	failures = failures_of(arena);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, failures, 0);

	begin_atomic();
	failures = failures_of(arena);
	end_atomic();
	KUNIT_EXPECT_EQ(test, failures, 0);

	spin_lock_irqsave(&lock, flags);
	failures = failures_of(arena);
	spin_unlock_irqrestore(&lock, flags);
	KUNIT_EXPECT_EQ(test, failures, 0);

	/* An allocation that needs vmalloc() fails. */
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 64 * SZ_1M, 1),
		       -ENOMEM);
	KUNIT_EXPECT_EQ(test, exact_total(t), stats_of(arena).held_bytes);
}

static void n12_on_a_node(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){
				.flags = MEMQUOTA_ARENA_ON_NODE, .node = 0 });
	static const size_t sizes[] = { 10, 5000, SZ_32K, 8 * SZ_1M };
	struct page *page;
	unsigned int i;
	void *memory;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memory = must_alloc(test, arena, sizes[i]);
		page = is_vmalloc_addr(memory) ? vmalloc_to_page(memory) :
						 virt_to_page(memory);
		KUNIT_EXPECT_EQ(test, page_to_nid(page), 0);
	}
}

static void n12_what_no_arena_can_be(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	const struct memquota_arena_config refused[] = {
		{ .gfp = GFP_KERNEL, .flags = BIT(3) },
		{ .gfp = GFP_KERNEL, .flags = BIT(31) },
		{ .gfp = GFP_KERNEL, .wait = -1 },
		{ .gfp = GFP_KERNEL | __GFP_HIGHMEM },
		{ .gfp = GFP_KERNEL | __GFP_DMA },
		{ .gfp = GFP_KERNEL | __GFP_DMA32 },
		{ .gfp = GFP_KERNEL | __GFP_MOVABLE },
		{ .gfp = GFP_KERNEL | __GFP_ZERO },
		{ .gfp = GFP_KERNEL | __GFP_COMP },
		{ .gfp = GFP_KERNEL, .flags = MEMQUOTA_ARENA_ON_NODE, .node = -1 },
		{ .gfp = GFP_KERNEL, .flags = MEMQUOTA_ARENA_ON_NODE,
		  .node = MAX_NUMNODES },
		{ .gfp = GFP_KERNEL, .flags = MEMQUOTA_ARENA_ON_NODE,
		  .node = INT_MAX },
	};
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena_config config;
	struct memquota_arena arena;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		config = refused[i];
		KUNIT_EXPECT_EQ_MSG(test,
				    memquota_arena_init(&arena, &config, "a"),
				    -EINVAL, "configuration %u", i);
		config.flags |= MEMQUOTA_ARENA_PERCPU |
				MEMQUOTA_ARENA_IN_ACCOUNT;
		config.account = account;
		KUNIT_EXPECT_EQ(test, memquota_arena_init(&arena, &config, "a"),
				-EINVAL);
	}
	/* Without MEMQUOTA_ARENA_ON_NODE, @node is ignored. */
	config = (struct memquota_arena_config){ .node = -7 };
	must_alloc(test, lone_arena(test, t, &config), 100);
}

static void n12_an_account_that_takes_nobody(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT,
		.account = closed_account(test, t),
	};
	struct memquota_arena arena;

	KUNIT_EXPECT_EQ(test, memquota_arena_init(&arena, &config, "a"),
			-ESTALE);
	config.flags |= MEMQUOTA_ARENA_PERCPU;
	KUNIT_EXPECT_EQ(test, memquota_arena_init(&arena, &config, "a"),
			-ESTALE);
	destroy_tracker(test, t);
	KUNIT_EXPECT_EQ(test, memquota_arena_init(&arena, &config, "a"),
			-ESHUTDOWN);
}

static void n12_a_null_handle_counts_nothing(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_arena *arena;
	u64 before = exact_total(t);
	void *ref;

	arena = new_arena(test, NULL, &(struct memquota_arena_config){
		.budget_bytes = SZ_2M, .wait = 1 });
	KUNIT_EXPECT_EQ(test, failures_of(arena), 0);
	KUNIT_EXPECT_GT(test, stats_of(arena).held_bytes, 0);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, SZ_2M, 1), -EDQUOT);
	ref = must_alloc_ref(test, arena, SZ_32K);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
	KUNIT_EXPECT_EQ(test, memquota_held(memquota_arena_participant(arena)),
			memquota_held(&(struct memquota_participant){}));
	end_arena(test, arena);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
}

static void n12_an_account_of_its_own(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_arena_config config = { .gfp = GFP_KERNEL };
	u64 before = exact_total(t);
	struct memquota_arena arena;
	void *ref;

	KUNIT_ASSERT_EQ(test, memquota_arena_init(&arena, &config, "own"), 0);
	ref = memquota_arena_alloc_ref(&arena, 448, 1);
	KUNIT_EXPECT_FALSE(test, IS_ERR(ref));
	KUNIT_EXPECT_FALSE(test,
			   IS_ERR(memquota_arena_alloc(&arena, SZ_1M, 1)));
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_512 + SZ_1M + SZ_4K);
	KUNIT_EXPECT_EQ(test, memquota_held(memquota_arena_participant(&arena)),
			SZ_512 + SZ_1M + SZ_4K);
	memquota_arena_destroy(&arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_512);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
}

static void t10_an_arena_waits_for_quota(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M });
	struct actor *holder = lone_actor(test, t, 0, 2);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .wait = HZ / 10 });
	unsigned long begin = jiffies;

	holder->per_call = 0;
	actor_charge(holder, SZ_1M);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -ETIME);
	KUNIT_EXPECT_GE(test, jiffies - begin, HZ / 10);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_ref(arena, SZ_32K, 1),
		       -ETIME);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, 0);
	KUNIT_EXPECT_EQ(test, tracker_waiting(t), 0);
	actor_uncharge(holder, SZ_64K);
	must_alloc(test, arena, 1);
	must_alloc(test, arena, SZ_32K);
}

static void t10_an_atomic_arena_does_not_wait(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M });
	struct actor *holder = lone_actor(test, t, 0, 2);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){
				.gfp = GFP_ATOMIC, .wait = HZ / 10 });
	void *memory, *big;

	holder->per_call = 0;
	actor_charge(holder, SZ_1M);
	local_bh_disable();
	memory = memquota_arena_alloc(arena, 1, 1);
	big = memquota_arena_alloc_ref_wait(arena, SZ_32K, 1, HZ);
	local_bh_enable();
	EXPECT_PTR_ERR(test, memory, -EDQUOT);
	EXPECT_PTR_ERR(test, big, -EDQUOT);
}

struct waiter {
	struct runner runner;
	struct memquota_arena *arena;
};

static void alloc_while_full(struct runner *runner)
{
	struct waiter *w = container_of(runner, struct waiter, runner);

	runner->result =
		PTR_ERR_OR_ZERO(memquota_arena_alloc(w->arena, 1000, 1));
}

static void t10_an_arena_waits_until_there_is_room(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M });
	struct waiter *w = new_zeroed(test, struct waiter);
	struct actor *holder = lone_actor(test, t, 0, 2);

	w->arena = lone_arena(test, t, &(struct memquota_arena_config){
		.wait = 60 * HZ });
	holder->per_call = 0;
	actor_charge(holder, SZ_1M);
	runner_start(test, &w->runner, alloc_while_full, NULL);
	EXPECT_SETTLES(test, tracker_waiting(t) > 0);
	KUNIT_EXPECT_FALSE(test, runner_ended(&w->runner));
	actor_uncharge(holder, SZ_64K);
	runner_join(test, &w->runner);
	KUNIT_EXPECT_EQ(test, w->runner.result, 0);
	KUNIT_EXPECT_EQ(test, stats_of(w->arena).held_bytes, SZ_2K);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(n12_accounted_by_the_page),
	KUNIT_CASE(n12_atomic_where_the_flags_say_so),
	KUNIT_CASE(n12_on_a_node),
	KUNIT_CASE(n12_what_no_arena_can_be),
	KUNIT_CASE(n12_an_account_that_takes_nobody),
	KUNIT_CASE(n12_a_null_handle_counts_nothing),
	KUNIT_CASE(n12_an_account_of_its_own),
	KUNIT_CASE(t10_an_arena_waits_for_quota),
	KUNIT_CASE(t10_an_atomic_arena_does_not_wait),
	KUNIT_CASE(t10_an_arena_waits_until_there_is_room),
	{}
};

MEMQUOTA_SUITE(memquota_arena_config, cases);
