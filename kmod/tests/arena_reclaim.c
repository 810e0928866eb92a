// SPDX-License-Identifier: GPL-2.0
/* Arenas in reclaim: rules N13, R5, R6 and R12, and the end of P8. */
#include <linux/spinlock.h>
#include "../memory/chunk.h"
#include "harness.h"
#include "internals.h"

static const struct memquota_arena_config dropped_when_asked = {
	.max_normal_alloc = LARGEST,
	.collapse = memquota_arena_drop,
};

/* Wait until the coarse clock has advanced. */
static void pass_time(void)
{
	msleep(2 * MSEC_PER_SEC / HZ + 1);
}

static void fill_chunks(struct kunit *test, struct memquota_arena *arena,
			unsigned int chunks)
{
	while (chunks--)
		must_alloc(test, arena, LARGEST);
}

/* More chunks than one call of trim() frees. */
#define MANY	176

static void **many_refs(struct kunit *test, struct memquota_arena *arena)
{
	void **refs = kunit_kcalloc(test, MANY, sizeof(*refs), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, refs);
	for (i = 0; i < MANY; i++)
		refs[i] = must_alloc_ref(test, arena, LARGEST);
	return refs;
}

static void r12_what_arenas_cache_goes_first(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, &dropped_when_asked);
	struct actor *oldest = lone_actor(test, t, 0, 9);
	void **refs = many_refs(test, arena);
	unsigned int i;

	/* All references but the first are put. */
	memset(refs[0], 1, LARGEST);
	for (i = 1; i < MANY; i++)
		memquota_ref_put(refs[i]);
	KUNIT_EXPECT_EQ(test, arena_held(arena), MANY * SZ_64K);
	actor_charge(oldest, 10 * SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, count_asks(oldest), 0);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
	/* Enough was trimmed to reach low_water. */
	KUNIT_EXPECT_LE(test, arena_held(arena), LOW_WATER - 10 * SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_1M + arena_held(arena));
	KUNIT_EXPECT_NULL(test, memchr_inv(refs[0], 1, LARGEST));
	KUNIT_EXPECT_FALSE(test,
			   IS_ERR(memquota_arena_alloc(arena, LARGEST, 1)));
	memquota_ref_put(refs[0]);
}

static void r12_memory_pressure_trims(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &dropped_when_asked);
	unsigned int i;

	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_EQ(test,
				memquota_arena_preallocate(arena, LARGEST), 0);
	/* What a run gives beyond its target is not wanted again meanwhile. */
	EXPECT_SETTLES(test, (drop_caches(), arena_held(arena) == 0));
	settle(test, t);
	must_alloc(test, arena, LARGEST);
}

static void r6_without_collapse_only_the_cache_is_taken(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){ .max_normal_alloc = LARGEST });
	struct actor *presser;

	fill_chunks(test, arena, 20);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	pass_time();
	presser = press_total(test, t, 0, HIGH);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_GT(test, count_asks(presser), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(account));
	KUNIT_EXPECT_EQ(test, arena_held(arena), 20 * SZ_64K);
	fill_chunks(test, arena, 1);
}

static void r5_dropping_closes_the_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena =
		new_arena(test, account, &dropped_when_asked);
	void *ref = must_alloc_ref(test, arena, LARGEST);
	char *plain = must_alloc(test, arena, LARGEST);
	void *big = must_alloc_ref(test, arena, SZ_1M);

	must_alloc(test, arena, SZ_128K);
	must_alloc(test, arena, LARGEST);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	memset(ref, 1, LARGEST);
	memset(plain, 2, LARGEST);
	memset(big, 3, SZ_1M);
	pass_time();
	press_total(test, t, 0, HIGH);
	ASSERT_SETTLES(test, is_closed(account));
	settle(test, t);
	/* The cache was freed; the rest is unchanged. */
	KUNIT_EXPECT_EQ(test, arena_held(arena),
			3 * SZ_64K + SZ_1M + SZ_4K + SZ_128K + SZ_4K);
	KUNIT_EXPECT_NULL(test, memchr_inv(ref, 1, LARGEST));
	KUNIT_EXPECT_NULL(test, memchr_inv(plain, 2, LARGEST));
	KUNIT_EXPECT_NULL(test, memchr_inv(big, 3, SZ_1M));
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -ESTALE);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_ref(arena, SZ_1M, 1),
		       -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 1), -ESTALE);
	/* A dropped arena no longer caches, and a reset keeps no chunk. */
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, arena_held(arena),
			2 * SZ_64K + SZ_1M + SZ_4K + SZ_128K + SZ_4K);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, arena_held(arena), SZ_1M + SZ_4K);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -ESTALE);
	KUNIT_EXPECT_NULL(test, memchr_inv(big, 3, SZ_1M));
	memquota_ref_put(big);
	KUNIT_EXPECT_EQ(test, arena_held(arena), 0);
}

/* The owner may drop its arena, too. */
static void r5_dropping_by_oneself(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &dropped_when_asked);
	char *first = must_alloc(test, arena, 1);
	unsigned int i;

	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_EQ(test,
				memquota_arena_preallocate(arena, LARGEST), 0);
	memquota_arena_drop(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	/* The current chunk still serves allocations. */
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 447, 1),
			    first + 1);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -ESTALE);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* An owner with a lock of its own, which its callback takes. */
struct owner {
	struct memquota_arena arena;
	spinlock_t lock;	/* protects @arena and @resets */
	unsigned int resets;
	u64 oldest_ns;
	struct runner runner;
	bool inside;
	bool ended;
};

static struct owner *owner_of(struct memquota_arena *arena)
{
	return container_of(arena, struct owner, arena);
}

static struct owner *new_owner(struct kunit *test,
			       struct memquota_account *account,
			       void (*collapse)(struct memquota_arena *arena),
			       u64 (*oldest)(struct memquota_arena *arena))
{
	struct owner *owner = new_zeroed(test, struct owner);
	struct memquota_arena_config config = {
		.gfp = GFP_ATOMIC,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT,
		.account = account,
		.max_normal_alloc = LARGEST,
		.collapse = collapse,
		.oldest = oldest,
	};

	spin_lock_init(&owner->lock);
	KUNIT_ASSERT_EQ(test,
			memquota_arena_init(&owner->arena, &config, "owner"),
			0);
	return owner;
}

static void reset_under_the_lock(struct memquota_arena *arena)
{
	struct owner *owner = owner_of(arena);

	spin_lock_bh(&owner->lock);
	memquota_arena_reset(arena);
	owner->resets++;
	spin_unlock_bh(&owner->lock);
	memquota_arena_drop(arena);
}

static void alloc_until_refused(struct runner *runner)
{
	struct owner *owner = container_of(runner, struct owner, runner);
	void *memory;

	do {
		spin_lock_bh(&owner->lock);
		memory = memquota_arena_alloc(&owner->arena, 1000, 8);
		if (!IS_ERR(memory))
			memset(memory, 1, 1000);
		spin_unlock_bh(&owner->lock);
		cond_resched();
	} while (!IS_ERR(memory));
	runner->result = PTR_ERR(memory);
}

static void r5_collapsing_takes_the_owners_lock(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct owner *owner =
		new_owner(test, account, reset_under_the_lock, NULL);

	/* It allocates until reclaim has called it. */
	runner_start(test, &owner->runner, alloc_until_refused, NULL);
	runner_join(test, &owner->runner);
	KUNIT_EXPECT_EQ(test, owner->runner.result, -ESTALE);
	ASSERT_SETTLES(test, is_closed(account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, owner->resets, 1);
	memquota_arena_reset(&owner->arena);
	KUNIT_EXPECT_EQ(test, arena_held(&owner->arena), 0);
	memquota_arena_destroy(&owner->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Two arenas that drop when asked, one older than the other. */
struct pair {
	struct memquota_tracker *t;
	struct memquota_account *accounts[2];
	struct memquota_arena *arenas[2];
	void *refs[2];
};

static struct pair new_empty_pair(struct kunit *test)
{
	struct pair pair = { .t = new_default_sized_tracker(test) };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		pair.accounts[i] = new_account(test, pair.t, NULL);
		pair.arenas[i] = new_arena(test, pair.accounts[i],
					   &dropped_when_asked);
	}
	return pair;
}

static struct pair new_pair(struct kunit *test)
{
	struct pair pair = new_empty_pair(test);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		pair.refs[i] = must_alloc_ref(test, pair.arenas[i], LARGEST);
		fill_chunks(test, pair.arenas[i], 48);
		pass_time();
	}
	return pair;
}

static bool one_is_closed(struct pair *pair)
{
	return is_closed(pair->accounts[0]) || is_closed(pair->accounts[1]);
}

/* Each holds 3 MiB: reclaim must take one, and not the other. */
static void expect_victim(struct kunit *test, struct pair *pair, unsigned int i)
{
	set_limits(test, pair->t, 0, HIGH, HIGH - SZ_1M);
	pass_time();
	press_total(test, pair->t, 0, HIGH - 5 * SZ_1M);
	ASSERT_SETTLES(test, one_is_closed(pair));
	KUNIT_EXPECT_TRUE(test, is_closed(pair->accounts[i]));
	settle(test, pair->t);
	memquota_ref_put(pair->refs[0]);
	memquota_ref_put(pair->refs[1]);
}

static void n13_the_older_chunk_is_the_victim(struct kunit *test)
{
	struct pair pair = new_pair(test);

	/* Younger chunks do not make the arena younger. */
	fill_chunks(test, pair.arenas[0], 1);
	expect_victim(test, &pair, 0);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[1]));
}

static void n13_what_came_back_is_not_old(struct kunit *test)
{
	struct pair pair = new_empty_pair(test);

	/* References only: first, second, first again. */
	pair.refs[0] = must_alloc_ref(test, pair.arenas[0], LARGEST);
	pass_time();
	fill_chunks(test, pair.arenas[1], 48);
	pass_time();
	fill_chunks(test, pair.arenas[0], 48);
	memquota_ref_put(pair.refs[0]);
	pair.refs[0] = NULL;
	expect_victim(test, &pair, 1);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[0]));
}

static void n13_resetting_makes_young(struct kunit *test)
{
	struct pair pair = new_pair(test);

	memquota_ref_put(pair.refs[0]);
	pair.refs[0] = NULL;
	memquota_arena_reset(pair.arenas[0]);
	fill_chunks(test, pair.arenas[0], 48);
	expect_victim(test, &pair, 1);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[0]));
}

/* A one-shot is as old as its allocation. */
static void n13_one_shots_have_an_age(struct kunit *test)
{
	struct pair pair = new_empty_pair(test);

	must_alloc(test, pair.arenas[1], 3 * SZ_1M);
	pass_time();
	fill_chunks(test, pair.arenas[0], 48);
	expect_victim(test, &pair, 1);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[0]));
}

static u64 told_oldest(struct memquota_arena *arena)
{
	return READ_ONCE(owner_of(arena)->oldest_ns);
}

static void n13_the_owner_may_know_better(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct pair pair = { .t = t };
	struct owner *owner;

	pair.accounts[0] = new_account(test, t, NULL);
	pair.accounts[1] = new_account(test, t, NULL);
	pair.arenas[0] = new_arena(test, pair.accounts[0], &dropped_when_asked);
	owner = new_owner(test, pair.accounts[1], memquota_arena_drop,
			  told_oldest);
	fill_chunks(test, pair.arenas[0], 48);
	pass_time();
	fill_chunks(test, &owner->arena, 48);
	owner->oldest_ns = 1;
	expect_victim(test, &pair, 1);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[0]));
	memquota_arena_destroy(&owner->arena);
}

static void linger_and_drop(struct memquota_arena *arena)
{
	struct owner *owner = owner_of(arena);
	u64 until = ktime_get_ns() + 20 * NSEC_PER_MSEC;

	WRITE_ONCE(owner->inside, true);
	while (ktime_get_ns() < until)
		cpu_relax();
	memquota_arena_drop(arena);
	WRITE_ONCE(owner->ended, true);
}

static void p8_destroying_waits_for_the_callback(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct owner *owner = new_owner(test, account, linger_and_drop, NULL);
	void *ref = must_alloc_ref(test, &owner->arena, LARGEST);

	fill_chunks(test, &owner->arena, 10);
	pass_time();
	press_total(test, t, 0, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(owner->inside));
	memquota_arena_destroy(&owner->arena);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(owner->ended));
	memset(&owner->arena, 0xff, sizeof(owner->arena));
	memquota_ref_put(ref);
	settle(test, t);
}

static void p8_destroying_from_the_callback(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct owner *owner =
		new_owner(test, account, memquota_arena_destroy, NULL);

	fill_chunks(test, &owner->arena, 48);
	pass_time();
	press_total(test, t, 0, HIGH);
	ASSERT_SETTLES(test, is_closed(account));
	settle(test, t);
	KUNIT_EXPECT_LE(test, exact_total(t), LOW_WATER);
}

static void must_not_be_called(struct memquota_arena *arena)
{
	WRITE_ONCE(owner_of(arena)->inside, true);
}

static u64 nor_this(struct memquota_arena *arena)
{
	must_not_be_called(arena);
	return 1;
}

/* References keep the charge, not the arena. */
static void p8_no_callback_after_the_end(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct owner *owner =
		new_owner(test, account, must_not_be_called, nor_this);
	void **refs = many_refs(test, &owner->arena);
	unsigned int i;

	memquota_arena_destroy(&owner->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), MANY * SZ_64K);
	pass_time();
	press_total(test, t, 0, HIGH);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(owner->inside));
	for (i = 0; i < MANY; i++)
		memquota_ref_put(refs[i]);
}

#define GENERATIONS	share_of(30)

/* Create, use and destroy arenas while reclaim trims and drops them. */
static void come_and_go(unsigned int cpu, void *arg)
{
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT,
		.max_normal_alloc = LARGEST,
		.collapse = memquota_arena_drop,
	};
	struct memquota_tracker *t = arg;
	struct memquota_arena arena;
	unsigned int i, j, n;
	void *refs[8];

	for (i = 0; i < GENERATIONS; i++) {
		config.account =
			memquota_account_create(t, NULL, GFP_KERNEL, "a");
		if (IS_ERR(config.account))
			return;
		if (memquota_arena_init(&arena, &config, "a")) {
			memquota_account_put(config.account);
			continue;
		}
		for (n = 0; n < ARRAY_SIZE(refs); n++)
			refs[n] = memquota_arena_alloc_ref(&arena, LARGEST, 1);
		for (j = 0; j < 10; j++)
			memquota_arena_alloc(&arena, SZ_32K, 1);
		for (n = 0; n < ARRAY_SIZE(refs); n += 2)
			memquota_ref_put(refs[n]);
		memquota_arena_reset(&arena);
		memquota_arena_alloc(&arena, SZ_32K, 1);
		memquota_arena_destroy(&arena);
		for (n = 1; n < ARRAY_SIZE(refs); n += 2)
			memquota_ref_put(refs[n]);
		memquota_account_put(config.account);
	}
}

static void p8_destroying_while_reclaim_is_at_it(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.high = SZ_1M, .low_water = SZ_512K });
	unsigned int round = 0;

	/* Repeat until reclaim has met one: it may be late, or only trim. */
	do
		run_on_all_cpus(test, come_and_go, t);
	while (!tracker_run(t) && ++round < 50);
	settle(test, t);
	KUNIT_EXPECT_GT(test, tracker_run(t), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(r12_what_arenas_cache_goes_first),
	KUNIT_CASE(r12_memory_pressure_trims),
	KUNIT_CASE(r6_without_collapse_only_the_cache_is_taken),
	KUNIT_CASE(r5_dropping_closes_the_account),
	KUNIT_CASE(r5_dropping_by_oneself),
	KUNIT_CASE(r5_collapsing_takes_the_owners_lock),
	KUNIT_CASE(n13_the_older_chunk_is_the_victim),
	KUNIT_CASE(n13_what_came_back_is_not_old),
	KUNIT_CASE(n13_resetting_makes_young),
	KUNIT_CASE(n13_one_shots_have_an_age),
	KUNIT_CASE(n13_the_owner_may_know_better),
	KUNIT_CASE(p8_destroying_waits_for_the_callback),
	KUNIT_CASE(p8_destroying_from_the_callback),
	KUNIT_CASE(p8_no_callback_after_the_end),
	KUNIT_CASE_SLOW(p8_destroying_while_reclaim_is_at_it),
	{}
};

MEMQUOTA_SUITE(memquota_arena_reclaim, cases);
