// SPDX-License-Identifier: GPL-2.0
/* Arenas in reclaim: rules N13, R5, R6 and R12, and the end of P8. */
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include "../memory/arena_core.h"
#include "../core/core.h"
#include "harness.h"

/* An allocation that fills a chunk of the largest class. */
#define LARGEST		(MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)

static const struct memquota_arena_config dropped_when_asked = {
	.max_normal_alloc = LARGEST,
	.collapse = memquota_arena_drop,
};

static u64 held(struct memquota_arena *arena)
{
	return stats_of(arena).held_bytes;
}

/* The coarse clock goes on. */
static void pass_time(void)
{
	msleep(2 * MSEC_PER_SEC / HZ + 1);
}

/* Charge as the newest of all, so that everybody else goes first. */
static struct actor *press(struct kunit *test, struct memquota_tracker *t,
			   u64 bytes)
{
	struct actor *presser = lone_actor(test, t, 0, 0);

	presser->arrival_ns = U64_MAX - 1;
	actor_charge(presser, bytes);
	return presser;
}

static void fill(struct kunit *test, struct memquota_arena *arena,
		 unsigned int chunks)
{
	while (chunks--)
		got(test, memquota_arena_alloc(arena, LARGEST, 1));
}

/* More chunks than are given up at once. */
#define MANY	176

static void **many_refs(struct kunit *test, struct memquota_arena *arena)
{
	void **refs = kunit_kcalloc(test, MANY, sizeof(*refs), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, refs);
	for (i = 0; i < MANY; i++)
		refs[i] = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	return refs;
}

static void r12_what_arenas_cache_goes_first(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, &dropped_when_asked);
	struct actor *oldest = lone_actor(test, t, 0, 9);
	void **refs = many_refs(test, arena);
	unsigned int i;

	/* All came back but the first, which is in use. */
	memset(refs[0], 1, LARGEST);
	for (i = 1; i < MANY; i++)
		memquota_ref_put(refs[i]);
	KUNIT_EXPECT_EQ(test, held(arena), MANY * SZ_64K);
	actor_charge(oldest, 10 * SZ_1M);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(oldest), 0);
	KUNIT_EXPECT_EQ(test, runs(t), 0);
	/* The current one stays, too. */
	KUNIT_EXPECT_EQ(test, held(arena), SZ_128K);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_1M + SZ_128K);
	KUNIT_EXPECT_NULL(test, memchr_inv(refs[0], 1, LARGEST));
	KUNIT_EXPECT_FALSE(test, IS_ERR(memquota_arena_alloc(arena, LARGEST, 1)));
	memquota_ref_put(refs[0]);
}

static void r12_memory_pressure_trims(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &dropped_when_asked);
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };
	unsigned int i;

	if (!t->reclaim.shrinker)
		kunit_skip(test, "no shrinker");
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	sc.nr_to_scan = SZ_1M / PAGE_SIZE;
	sc.nr_scanned = sc.nr_to_scan;
	t->reclaim.shrinker->scan_objects(t->reclaim.shrinker, &sc);
	EXPECT_SETTLES(test, held(arena) == 0);
	settle(test, t);
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
}

static void r6_without_collapse_only_the_cache_is_taken(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){ .max_normal_alloc = LARGEST });
	struct actor *presser;

	fill(test, arena, 20);
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	pass_time();
	presser = press(test, t, HIGH);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_GT(test, asked(presser), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(account));
	KUNIT_EXPECT_EQ(test, held(arena), 20 * SZ_64K);
	fill(test, arena, 1);
}

static void r5_dropping_closes_the_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account, &dropped_when_asked);
	void *ref = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	char *plain = got(test, memquota_arena_alloc(arena, LARGEST, 1));
	void *big = got(test, memquota_arena_alloc_ref(arena, SZ_1M, 1));

	got(test, memquota_arena_alloc(arena, SZ_128K, 1));
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	memset(ref, 1, LARGEST);
	memset(plain, 2, LARGEST);
	memset(big, 3, SZ_1M);
	pass_time();
	press(test, t, HIGH);
	ASSERT_SETTLES(test, is_closed(account));
	settle(test, t);
	/* What it cached went back; the rest is as it was. */
	KUNIT_EXPECT_EQ(test, held(arena), 3 * SZ_64K + SZ_1M + SZ_4K + SZ_128K + SZ_4K);
	KUNIT_EXPECT_NULL(test, memchr_inv(ref, 1, LARGEST));
	KUNIT_EXPECT_NULL(test, memchr_inv(plain, 2, LARGEST));
	KUNIT_EXPECT_NULL(test, memchr_inv(big, 3, SZ_1M));
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_alloc(arena, 1, 1)));
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_alloc_ref(arena, SZ_1M, 1)));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_arena_preallocate(arena, 1));
	/* Nothing is cached any more, nor kept by a reset. */
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, held(arena), 2 * SZ_64K + SZ_1M + SZ_4K + SZ_128K + SZ_4K);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, held(arena), SZ_1M + SZ_4K);
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_alloc(arena, 1, 1)));
	KUNIT_EXPECT_NULL(test, memchr_inv(big, 3, SZ_1M));
	memquota_ref_put(big);
	KUNIT_EXPECT_EQ(test, held(arena), 0);
}

/* Whoever gives up an arena need not be reclaim. */
static void r5_dropping_by_oneself(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &dropped_when_asked);
	char *first = got(test, memquota_arena_alloc(arena, 1, 1));
	unsigned int i;

	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	memquota_arena_drop(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	/* What is left of the current chunk. */
	KUNIT_EXPECT_PTR_EQ(test, first + 1, memquota_arena_alloc(arena, 447, 1));
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_alloc(arena, 1, 1)));
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* An owner that serialises, and gives up everything when asked. */
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

static struct owner *new_owner(struct kunit *test, struct memquota_account *account,
			       void (*collapse)(struct memquota_arena *arena),
			       u64 (*oldest)(struct memquota_arena *arena))
{
	struct owner *owner = kunit_kzalloc(test, sizeof(*owner), GFP_KERNEL);
	struct memquota_arena_config config = {
		.gfp = GFP_ATOMIC,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT,
		.account = account,
		.max_normal_alloc = LARGEST,
		.collapse = collapse,
		.oldest = oldest,
	};

	KUNIT_ASSERT_NOT_NULL(test, owner);
	spin_lock_init(&owner->lock);
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_init(&owner->arena, &config, "owner"));
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
	struct owner *owner = new_owner(test, account, reset_under_the_lock, NULL);

	/* Until there is too much of it, and it is asked. */
	runner_start(test, &owner->runner, alloc_until_refused, NULL);
	runner_join(test, &owner->runner);
	KUNIT_EXPECT_EQ(test, owner->runner.result, -ESTALE);
	ASSERT_SETTLES(test, is_closed(account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, owner->resets, 1);
	memquota_arena_reset(&owner->arena);
	KUNIT_EXPECT_EQ(test, held(&owner->arena), 0);
	memquota_arena_destroy(&owner->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Two arenas that are dropped when asked, one older than the other. */
struct pair {
	struct memquota_tracker *t;
	struct memquota_account *accounts[2];
	struct memquota_arena *arenas[2];
	void *refs[2];
};

static struct pair new_pair(struct kunit *test)
{
	struct pair pair = { .t = new_default_sized_tracker(test) };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		pair.accounts[i] = new_account(test, pair.t, NULL);
		pair.arenas[i] = new_arena(test, pair.accounts[i], &dropped_when_asked);
		pair.refs[i] = got(test, memquota_arena_alloc_ref(pair.arenas[i],
								  LARGEST, 1));
		fill(test, pair.arenas[i], 48);
		pass_time();
	}
	return pair;
}

static bool one_is_closed(struct pair *pair)
{
	return is_closed(pair->accounts[0]) || is_closed(pair->accounts[1]);
}

/* Each holds 3 MiB; one of them is to go, and it is enough. */
static void expect_victim(struct kunit *test, struct pair *pair, unsigned int i)
{
	configure(test, pair->t, 0, HIGH, HIGH - SZ_1M);
	pass_time();
	press(test, pair->t, HIGH - 5 * SZ_1M);
	ASSERT_SETTLES(test, one_is_closed(pair));
	KUNIT_EXPECT_TRUE(test, is_closed(pair->accounts[i]));
	settle(test, pair->t);
	memquota_ref_put(pair->refs[0]);
	memquota_ref_put(pair->refs[1]);
}

static void n13_the_older_chunk_is_the_victim(struct kunit *test)
{
	struct pair pair = new_pair(test);

	/* However much came since. */
	fill(test, pair.arenas[0], 1);
	expect_victim(test, &pair, 0);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[1]));
}

static void n13_what_came_back_is_not_old(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct pair pair = { .t = t };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		pair.accounts[i] = new_account(test, t, NULL);
		pair.arenas[i] = new_arena(test, pair.accounts[i], &dropped_when_asked);
	}
	/* References only: first, second, first again. */
	pair.refs[0] = got(test, memquota_arena_alloc_ref(pair.arenas[0], LARGEST, 1));
	pass_time();
	fill(test, pair.arenas[1], 48);
	pass_time();
	fill(test, pair.arenas[0], 48);
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
	fill(test, pair.arenas[0], 48);
	expect_victim(test, &pair, 1);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[0]));
}

/* A one-shot is in use from the moment at which it was allocated. */
static void n13_one_shots_have_an_age(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct pair pair = { .t = t };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		pair.accounts[i] = new_account(test, t, NULL);
		pair.arenas[i] = new_arena(test, pair.accounts[i], &dropped_when_asked);
	}
	got(test, memquota_arena_alloc(pair.arenas[1], 3 * SZ_1M, 1));
	pass_time();
	fill(test, pair.arenas[0], 48);
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
	owner = new_owner(test, pair.accounts[1], memquota_arena_drop, told_oldest);
	fill(test, pair.arenas[0], 48);
	pass_time();
	fill(test, &owner->arena, 48);
	owner->oldest_ns = 1;
	expect_victim(test, &pair, 1);
	KUNIT_EXPECT_FALSE(test, is_closed(pair.accounts[0]));
	memquota_arena_destroy(&owner->arena);
}

static void linger(struct memquota_arena *arena)
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
	struct owner *owner = new_owner(test, account, linger, NULL);
	void *ref = got(test, memquota_arena_alloc_ref(&owner->arena, LARGEST, 1));

	fill(test, &owner->arena, 10);
	pass_time();
	press(test, t, HIGH);
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
	struct owner *owner = new_owner(test, account, memquota_arena_destroy, NULL);

	fill(test, &owner->arena, 48);
	pass_time();
	press(test, t, HIGH);
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

/* References keep the books, not the arena. */
static void p8_no_callback_after_the_end(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct owner *owner = new_owner(test, account, must_not_be_called, nor_this);
	void **refs = many_refs(test, &owner->arena);
	unsigned int i;

	memquota_arena_destroy(&owner->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), MANY * SZ_64K);
	pass_time();
	press(test, t, HIGH);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(owner->inside));
	for (i = 0; i < MANY; i++)
		memquota_ref_put(refs[i]);
}

#define GENERATIONS	30

/* Arenas come, are used and go while reclaim trims and collapses them. */
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
		config.account = memquota_account_create(t, NULL, GFP_KERNEL, "a");
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

	/* The kthread may come when they have gone; or trimming is enough. */
	do
		run_on_all_cpus(test, come_and_go, t);
	while (!READ_ONCE(t->reclaim.run) && ++round < 50);
	settle(test, t);
	KUNIT_EXPECT_GT(test, READ_ONCE(t->reclaim.run), 0);
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
