// SPDX-License-Identifier: GPL-2.0
/* Chunks: rules C1 to C9. */
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include "../core/core.h"
#include "../core/total.h"
#include "../memory/arena_core.h"
#include "harness.h"

/* The most that an allocation from a chunk of a class can have. */
#define LARGEST		(MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)

static u64 held(struct memquota_arena *arena)
{
	return stats_of(arena).held_bytes;
}

static struct memquota_store *store_of(struct memquota_arena *arena)
{
	return arena->core->stores;
}

/* What fits a chunk of the class exactly. */
static size_t room(unsigned int class)
{
	return memquota_class_bytes(class) - MEMQUOTA_CHUNK_HEADER;
}

static struct memquota_arena *roomy_arena(struct kunit *test,
					  struct memquota_tracker *t)
{
	return lone_arena(test, t, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST });
}

/* The arena's books are those of its account, to the byte. */
static void expect_held(struct kunit *test, struct memquota_tracker *t,
			struct memquota_arena *arena, u64 bytes)
{
	KUNIT_EXPECT_EQ(test, held(arena), bytes);
	KUNIT_EXPECT_EQ(test, exact_total(t), bytes);
}

static void trim(struct memquota_arena *arena)
{
	while (memquota_store_trim(store_of(arena)))
		;
}

static void c1_chunks_fill_their_class(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int class;
	unsigned long at;
	size_t bytes;

	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		bytes = memquota_class_bytes(class);
		arena = roomy_arena(test, t);
		at = (unsigned long)got(test, memquota_arena_alloc(arena, room(class), 1));
		expect_held(test, t, arena, bytes);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(at - MEMQUOTA_CHUNK_HEADER, bytes));
		KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 0);
		end_arena(test, arena);

		/* One byte more, and it is the next class. */
		arena = roomy_arena(test, t);
		memset(got(test, memquota_arena_zalloc(arena, room(class) + 1, 1)),
		       0, room(class) + 1);
		expect_held(test, t, arena, class + 1 < MEMQUOTA_CLASSES ?
			    2 * bytes : bytes + PAGE_SIZE);
		end_arena(test, arena);
	}
}

#define SMALL_ARENAS	200

struct pool_line {
	unsigned long pages;
	unsigned long used;
	unsigned long unused;
};

/* What the pools say of a class, over all nodes. */
static struct pool_line pool_of(struct kunit *test, unsigned int class)
{
	struct seq_file m = { .size = SZ_16K };
	unsigned long bytes, pages, used, unused;
	struct pool_line sum = {};
	unsigned int node;
	char *line;

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	memquota_chunk_show_pool(&m);
	for (line = strchr(m.buf, '\n'); line; line = strchr(line + 1, '\n')) {
		if (sscanf(line, " %u %lu %lu %lu %lu", &node, &bytes, &pages,
			   &used, &unused) != 5 ||
		    bytes != memquota_class_bytes(class))
			continue;
		sum.pages += pages;
		sum.used += used;
		sum.unused += unused;
		KUNIT_EXPECT_EQ(test, pages * PAGE_SIZE, used + unused);
	}
	return sum;
}

static void c1_small_chunks_are_cut_from_pages(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	static struct memquota_arena *arenas[SMALL_ARENAS];
	static unsigned char *memory[SMALL_ARENAS];
	struct pool_line before, after;
	unsigned int class, i;

	for (class = 0; class < MEMQUOTA_PAGE_CLASS; class++) {
		before = pool_of(test, class);
		for (i = 0; i < SMALL_ARENAS; i++) {
			arenas[i] = new_arena(test, account,
					      &(struct memquota_arena_config){});
			memory[i] = got(test, memquota_arena_alloc(arenas[i],
								   room(class), 1));
			memset(memory[i], i, room(class));
		}
		after = pool_of(test, class);
		KUNIT_EXPECT_EQ(test, after.used - before.used,
				SMALL_ARENAS * memquota_class_bytes(class));
		for (i = 0; i < SMALL_ARENAS; i++)
			KUNIT_EXPECT_NULL(test, memchr_inv(memory[i], i, room(class)));
		/* Every other one first, so that pages are half empty. */
		for (i = 0; i < SMALL_ARENAS; i += 2)
			end_arena(test, arenas[i]);
		for (i = 1; i < SMALL_ARENAS; i += 2)
			end_arena(test, arenas[i]);
		after = pool_of(test, class);
		KUNIT_EXPECT_EQ(test, after.used, before.used);
		if (!after.used)
			KUNIT_EXPECT_LE(test, after.pages,
					4 * num_online_nodes());
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

struct threshold {
	size_t max;
	size_t size;
	size_t align;
	unsigned int one_shots;
};

static const struct threshold thresholds[] = {
	{ 0, SZ_16K - 1, 1, 0 },
	{ 0, SZ_16K, 1, 0 },
	{ 0, SZ_16K + 1, 1, 1 },
	/* After a header of 64 bytes there is no padding yet. */
	{ 0, SZ_16K, 64, 0 },
	{ 0, SZ_16K + 1, 64, 1 },
	{ 0, SZ_16K - 64, 128, 0 },
	{ 0, SZ_16K - 63, 128, 1 },
	{ 0, SZ_16K - 4032, SZ_4K, 0 },
	{ 0, SZ_16K - 4031, SZ_4K, 1 },
	{ 0, 1, SZ_32K, 1 },
	{ 1, 1, 1, 0 },
	{ 1, 2, 1, 1 },
	{ 1, 1, 128, 1 },
	{ SZ_32K, 1, SZ_32K, 0 },
	{ SIZE_MAX, LARGEST, 1, 0 },
	{ SIZE_MAX, LARGEST + 1, 1, 1 },
	{ SZ_64K, LARGEST + 1, 1, 1 },
	{ SIZE_MAX, SZ_32K, SZ_32K, 0 },
	{ SIZE_MAX, SZ_32K + 1, SZ_32K, 1 },
};

static void c2_above_the_threshold_it_is_a_one_shot(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena_stats stats;
	struct memquota_arena *arena;
	const struct threshold *c;
	unsigned int i;
	void *memory;
	bool ref;

	for (i = 0; i < 2 * ARRAY_SIZE(thresholds); i++) {
		c = &thresholds[i / 2];
		ref = i % 2;
		arena = lone_arena(test, t, &(struct memquota_arena_config){
			.max_normal_alloc = c->max });
		memory = got(test, __memquota_arena_alloc(arena, c->size, c->align, ref));
		memset(memory, 1, c->size);
		stats = stats_of(arena);
		KUNIT_EXPECT_EQ_MSG(test, stats.ever.one_shots, c->one_shots,
				    "%zu of %zu, aligned to %zu", c->size,
				    c->max, c->align);
		KUNIT_EXPECT_EQ(test, stats.ever.chunks, !c->one_shots);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)memory, c->align));
		if (ref)
			memquota_ref_put(memory);
		end_arena(test, arena);
	}
	EXPECT_SETTLES(test, exact_total(t) == 0);
}

static void c2_one_shots_are_sized_to_fit(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){});
	void *memory;

	memory = got(test, memquota_arena_alloc_ref(arena, 5 * PAGE_SIZE -
						    MEMQUOTA_CHUNK_HEADER, 1));
	expect_held(test, t, arena, 5 * PAGE_SIZE);
	memquota_ref_put(memory);
	expect_held(test, t, arena, 0);
	memory = got(test, memquota_arena_alloc_ref(arena, 5 * PAGE_SIZE -
						    MEMQUOTA_CHUNK_HEADER + 1, 1));
	expect_held(test, t, arena, 6 * PAGE_SIZE);
	memquota_ref_put(memory);
	/* It is in no cache: the next is another. */
	expect_held(test, t, arena, 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 0);
}

static void c2_one_shots_never_displace_the_current_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){});
	char *before, *after, *big;

	before = got(test, memquota_arena_alloc(arena, 16, 1));
	big = got(test, memquota_arena_alloc(arena, SZ_32K, 1));
	after = got(test, memquota_arena_alloc(arena, 16, 1));
	KUNIT_EXPECT_PTR_EQ(test, after, before + 16);
	big = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 1));
	KUNIT_EXPECT_PTR_EQ(test, (char *)got(test, memquota_arena_alloc(arena, 16, 1)),
			    after + 16);
	memquota_ref_put(big);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
}

static void c2_what_fits_the_tail_is_served_there(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .max_normal_alloc = 16 });
	char *first, *large;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	first = got(test, memquota_arena_alloc(arena, 16, 1));
	large = got(test, memquota_arena_alloc(arena, LARGEST - 16, 1));
	KUNIT_EXPECT_PTR_EQ(test, large, first + 16);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 0);
	/* And there its room ends. */
	got(test, memquota_arena_alloc(arena, 17, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
}

static void c3_the_budget_is_kept_to_the_byte(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	void *ref;

	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = SZ_512 });
	got(test, memquota_arena_alloc(arena, room(0), 1));
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, 1, 1)), -EDQUOT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, SZ_32K, 1)), -EDQUOT);
	expect_held(test, t, arena, SZ_512);

	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = SZ_512 - 1 });
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, 1, 1)), -EDQUOT);
	KUNIT_EXPECT_EQ(test, held(arena), 0);

	/* The real size of a one-shot, after rounding. */
	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = 5 * PAGE_SIZE });
	ref = got(test, memquota_arena_alloc_ref(arena, 4 * PAGE_SIZE + 1, 1));
	KUNIT_EXPECT_EQ(test, held(arena), 5 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, 1, 1)), -EDQUOT);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, held(arena), 0);
	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = 5 * PAGE_SIZE - 1 });
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			PTR_ERR(memquota_arena_alloc(arena, 4 * PAGE_SIZE + 1, 1)));
	KUNIT_EXPECT_EQ(test, held(arena), 0);
}

static void c3_a_counter_that_would_wrap(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	static const size_t budgets[] = { 0, SIZE_MAX, LONG_MAX };
	struct memquota_arena *arena;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(budgets); i++) {
		arena = lone_arena(test, t, &(struct memquota_arena_config){
			.budget_bytes = budgets[i] });
		atomic_long_set(&arena->core->held_bytes, LONG_MAX - SZ_512 + 1);
		KUNIT_EXPECT_EQ(test, -EOVERFLOW,
				PTR_ERR(memquota_arena_alloc(arena, 1, 1)));
		KUNIT_EXPECT_EQ(test, held(arena), LONG_MAX - SZ_512 + 1);
		KUNIT_EXPECT_EQ(test, exact_total(t), 0);
		atomic_long_set(&arena->core->held_bytes, LONG_MAX - SZ_512);
		got(test, memquota_arena_alloc(arena, 1, 1));
		KUNIT_EXPECT_EQ(test, held(arena), LONG_MAX);
		atomic_long_sub(LONG_MAX - SZ_512, &arena->core->held_bytes);
		end_arena(test, arena);
		KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	}
}

static void c3_nothing_always_succeeds(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .budget_bytes = 1 });

	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 0, 1), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc_ref(arena, 0, 8), ZERO_SIZE_PTR);
	memquota_arena_drop(arena);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 0, 1), ZERO_SIZE_PTR);
	expect_held(test, t, arena, 0);
}

static void c3_what_is_cached_counts(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .budget_bytes = SZ_64K });

	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	expect_held(test, t, arena, SZ_64K);
	KUNIT_EXPECT_EQ(test, -EDQUOT, memquota_arena_preallocate(arena, LARGEST));
	expect_held(test, t, arena, SZ_64K);
	got(test, memquota_arena_alloc(arena, 1, 1));
	expect_held(test, t, arena, SZ_64K);
}

/* What nobody uses is in nobody's way: it goes before the arena is refused. */
static void c3_the_cache_makes_room(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){ .budget_bytes = SZ_64K });
	void *ref;

	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	ref = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
	memquota_ref_put(ref);
	end_arena(test, arena);

	/* Likewise with the account's limit. */
	KUNIT_ASSERT_EQ(test, 0, memquota_account_set_max(account, SZ_64K));
	arena = new_arena(test, account, &(struct memquota_arena_config){ .wait = HZ / 10 });
	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	ref = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 1));
	memquota_ref_put(ref);
	expect_held(test, t, arena, 0);
}

static void c4_a_refused_charge_leaves_the_arena_usable(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){});
	char *plain, *ref;

	plain = got(test, memquota_arena_alloc(arena, room(0) / 2, 1));
	ref = got(test, memquota_arena_alloc_ref(arena, room(0) / 2, 1));
	KUNIT_ASSERT_EQ(test, 0, memquota_account_set_max(account, SZ_512));
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	memset(plain, 1, room(0) / 2);
	memset(ref, 2, room(0) / 2);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, 1, 1)), -EDQUOT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc_ref(arena, SZ_1M, 1)), -EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 1), -EDQUOT);
	expect_held(test, t, arena, SZ_512);
	KUNIT_EXPECT_NULL(test, memchr_inv(plain, 1, room(0) / 2));
	KUNIT_EXPECT_NULL(test, memchr_inv(ref, 2, room(0) / 2));
	KUNIT_ASSERT_EQ(test, 0, memquota_account_set_max(account, MEMQUOTA_UNLIMITED));
	got(test, memquota_arena_alloc(arena, 1, 1));
	expect_held(test, t, arena, SZ_512 + SZ_1K);
	memquota_ref_put(ref);
	memquota_arena_reset(arena);
	trim(arena);
	expect_held(test, t, arena, SZ_1K);
}

/* What becomes of an arena whose tracker or account has gone. */
static void expect_over(struct kunit *test, struct memquota_arena *arena,
			void *plain, void *ref, int err)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, SZ_8K, 1)), err);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc_ref(arena, SZ_1M, 1)), err);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, SZ_8K), err);
	memset(plain, 1, 100);
	memset(ref, 1, 100);
	memquota_ref_put(ref);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc_ref(arena, SZ_1M, 1)), err);
}

static void c4_a_closed_account(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){});
	void *plain = got(test, memquota_arena_alloc(arena, 100, 1));
	void *ref = got(test, memquota_arena_alloc_ref(arena, 100, 1));

	put_account(test, account);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	expect_over(test, arena, plain, ref, -ESTALE);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* What it caches would be used for ever, and count nowhere. */
static void c4_a_closed_account_ends_the_cache(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	const struct memquota_arena_config roomy = { .max_normal_alloc = LARGEST };
	struct memquota_arena *arena = new_arena(test, account, &roomy);
	struct memquota_arena *other = new_arena(test, account, &roomy);
	void *refs[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		refs[i] = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	got(test, memquota_arena_alloc(other, LARGEST, 1));
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(other, LARGEST));
	put_account(test, account);
	for (i = 0; i < 3; i++)
		memquota_ref_put(refs[i]);
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_alloc_ref(arena, 100, 1)));
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, SZ_64K);
	memquota_ref_put(refs[3]);
	/* Nor does a reset begin anew. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, 0);
	memquota_arena_reset(other);
	KUNIT_EXPECT_EQ(test, stats_of(other).held_bytes, 0);
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_alloc(other, 100, 1)));
}

static void c4_a_destroyed_tracker(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){});
	void *plain = got(test, memquota_arena_alloc(arena, 100, 1));
	void *ref = got(test, memquota_arena_alloc_ref(arena, 100, 1));

	destroy_tracker(test, t);
	expect_over(test, arena, plain, ref, -ESHUTDOWN);
}

static void c4_a_poisoned_tracker(struct kunit *test)
{
	struct memquota_arena *arena;
	struct memquota_tracker *t;
	void *plain, *ref;

	needs_warnings(test);
	t = new_tracker(test, NULL);
	arena = lone_arena(test, t, &(struct memquota_arena_config){});
	plain = got(test, memquota_arena_alloc(arena, 100, 1));
	ref = got(test, memquota_arena_alloc_ref(arena, 100, 1));
	kunit_warning_suppress(test)
		memquota_tracker_poison(t, "of a test");
	expect_over(test, arena, plain, ref, -ENOTRECOVERABLE);
}

/* The next allocation of more than a page that may not sleep fails. */
static void let_pages_fail(struct kunit *test)
{
#ifdef CONFIG_FAIL_PAGE_ALLOC
	current->fail_nth = 1;
#else
	kunit_skip(test, "no fault injection");
#endif
}

static bool pages_did_fail(void)
{
#ifdef CONFIG_FAIL_PAGE_ALLOC
	unsigned int left = current->fail_nth;

	current->fail_nth = 0;
	return !left;
#else
	return false;
#endif
}

static void c4_no_memory_is_not_charged(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .gfp = GFP_ATOMIC });
	struct memquota_arena_stats stats;
	void *memory;

	let_pages_fail(test);
	memory = memquota_arena_alloc(arena, SZ_32K, 1);
	KUNIT_ASSERT_TRUE(test, pages_did_fail());
	KUNIT_EXPECT_EQ(test, PTR_ERR(memory), -ENOMEM);
	let_pages_fail(test);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, SZ_8K), -ENOMEM);
	KUNIT_ASSERT_TRUE(test, pages_did_fail());
	expect_held(test, t, arena, 0);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 0);
	KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 0);
	got(test, memquota_arena_alloc(arena, SZ_32K, 1));
}

/* More than there is; refused before anybody is reclaimed for it. */
static void c4_what_no_system_has(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){});

	KUNIT_EXPECT_EQ(test, -ENOMEM,
			PTR_ERR(memquota_arena_alloc(arena, SZ_1G * 1024UL, 1)));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			PTR_ERR(memquota_arena_alloc_ref(arena, LONG_MAX - SZ_4K, 1)));
	expect_held(test, t, arena, 0);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, runs(t), 0);
}

#define HANDED_OVER	20000
#define IN_FLIGHT	500

/* References on their way to those who put them; each is one of these. */
struct parcel {
	struct llist_node node;
	unsigned long check;
};

struct putters {
	struct memquota_arena *arena;
	struct llist_head parcels;
	atomic_t in_flight;
	atomic_t failures;
	bool ended;
};

static void put_parcels(struct putters *p)
{
	struct llist_node *list = llist_del_all(&p->parcels);
	struct parcel *parcel, *next;

	llist_for_each_entry_safe(parcel, next, list, node) {
		if (parcel->check != ~(unsigned long)parcel)
			atomic_inc(&p->failures);
		memquota_ref_put(parcel);
		atomic_dec(&p->in_flight);
	}
}

static void hand_over(struct putters *p)
{
	struct parcel *parcel;
	unsigned int i;

	for (i = 0; i < HANDED_OVER; i++) {
		/* Few to a chunk, so that chunks come back all the time. */
		parcel = memquota_arena_alloc_ref(p->arena, 100 + i % 1000, 8);
		if (IS_ERR(parcel)) {
			atomic_inc(&p->failures);
			break;
		}
		parcel->check = ~(unsigned long)parcel;
		atomic_inc(&p->in_flight);
		llist_add(&parcel->node, &p->parcels);
		while (atomic_read(&p->in_flight) > IN_FLIGHT)
			cond_resched();
	}
	WRITE_ONCE(p->ended, true);
}

static void hand_over_or_put(unsigned int cpu, void *arg)
{
	struct putters *p = arg;

	if (cpu == cpumask_first(cpu_online_mask))
		hand_over(p);
	while (!READ_ONCE(p->ended)) {
		put_parcels(p);
		cond_resched();
	}
	put_parcels(p);
}

static void c5_chunks_come_back_from_all_cpus_while_the_owner_refills(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct putters *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct memquota_arena_stats stats;

	if (num_online_cpus() == 1)
		kunit_skip(test, "one CPU");
	KUNIT_ASSERT_NOT_NULL(test, p);
	p->arena = lone_arena(test, t, &(struct memquota_arena_config){});
	run_on_all_cpus(test, hand_over_or_put, p);
	KUNIT_EXPECT_EQ(test, atomic_read(&p->failures), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&p->in_flight), 0);
	stats = stats_of(p->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), stats.held_bytes);
	KUNIT_EXPECT_GT(test, stats.ever.cache_hits, stats.ever.chunks);
	memquota_arena_reset(p->arena);
	trim(p->arena);
	expect_held(test, t, p->arena, SZ_64K);
	end_arena(test, p->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* A chunk of class 0 that only a reference keeps. */
static void *retired_ref(struct kunit *test, struct memquota_arena *arena)
{
	void *ref = got(test, memquota_arena_alloc_ref(arena, room(0), 1));

	KUNIT_ASSERT_EQ(test, memquota_chunk_of(ref)->class, 0);
	got(test, memquota_arena_alloc(arena, 1, 1));
	return ref;
}

static void c6_below_the_floor_nothing_is_kept(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *cached = retired_ref(test, arena);
	void *later = NULL;

	/* Chunks of 512 B, then of 1 KiB. The first comes back. */
	memquota_ref_put(cached);
	expect_held(test, t, arena, SZ_1K);
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 1);
	later = got(test, memquota_arena_alloc_ref(arena, room(2), 1));
	got(test, memquota_arena_alloc(arena, room(6), 1));
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 6);
	memquota_ref_put(later);
	KUNIT_EXPECT_EQ(test, held(arena), SZ_1K + SZ_32K);
	/* And it stays where it is. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 6);
	trim(arena);
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 6);
	expect_held(test, t, arena, SZ_32K);
}

static void c6_raising_lets_go_of_what_is_cached_below(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *refs[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		refs[i] = got(test, memquota_arena_alloc_ref(arena, room(3), 1));
	for (i = 0; i < 3; i++)
		memquota_ref_put(refs[i]);
	KUNIT_EXPECT_EQ(test, held(arena), SZ_4K + 2 * SZ_4K);
	got(test, memquota_arena_alloc(arena, room(7), 1));
	expect_held(test, t, arena, SZ_64K);
}

/* As by a CPU that has not seen the new floor. */
static void slip_in(struct kunit *test, struct memquota_arena *arena, void *ref)
{
	struct memquota_chunk *chunk = memquota_chunk_of(ref);

	KUNIT_ASSERT_TRUE(test, refcount_dec_and_test(&chunk->refs));
	llist_add(&chunk->back, &store_of(arena)->returned);
}

static void c6_stragglers_are_dropped_when_met(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *ref = retired_ref(test, arena);
	void *current_ref;

	got(test, memquota_arena_alloc(arena, room(7), 1));
	slip_in(test, arena, ref);
	expect_held(test, t, arena, SZ_512 + SZ_1K + SZ_64K);
	/* The next refill meets it. */
	got(test, memquota_arena_alloc(arena, room(7), 1));
	expect_held(test, t, arena, SZ_1K + 2 * SZ_64K);

	/* And so does trimming, without an owner. */
	arena = roomy_arena(test, t);
	ref = retired_ref(test, arena);
	current_ref = got(test, memquota_arena_alloc_ref(arena, room(7), 1));
	slip_in(test, arena, ref);
	trim(arena);
	KUNIT_EXPECT_EQ(test, held(arena), SZ_1K + SZ_64K);
	/* And the end of the arena. */
	ref = got(test, memquota_arena_alloc_ref(arena, room(7), 1));
	slip_in(test, arena, current_ref);
	end_arena(test, arena);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1K + 2 * SZ_64K);
}

/* A larger one that was preallocated is found behind those of the floor. */
static void c6_larger_chunks_are_cached_too(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);

	memquota_ref_put(got(test, memquota_arena_alloc_ref(arena, room(2), 1)));
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, room(2)));
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	/* The current one comes back first, as the third of them. */
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 3);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
	expect_held(test, t, arena, SZ_64K);
}

static void c7_each_success_raises_the_mark(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	unsigned int class;
	size_t left;
	u64 sum = 0;
	void *memory;

	for (class = 0; class < MEMQUOTA_CLASSES + 2; class++) {
		memory = got(test, memquota_arena_alloc(arena, 1, 1));
		KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class,
				min(class, MEMQUOTA_CLASSES - 1U));
		sum += memquota_chunk_of(memory)->bytes;
		KUNIT_EXPECT_EQ(test, held(arena), sum);
		/* Use it up; one-shots do not count. */
		left = arena->bump.limit - arena->bump.cursor;
		got(test, memquota_arena_alloc(arena, left, 1));
		sum += SZ_128K;
		got(test, memquota_arena_alloc(arena, SZ_128K - MEMQUOTA_CHUNK_HEADER, 1));
	}
}

static void c7_what_is_needed_wins_over_the_mark(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *memory = got(test, memquota_arena_alloc(arena, room(5), 1));

	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 5);
	memory = got(test, memquota_arena_alloc(arena, 1, 1));
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 1);
}

static void c7_the_smallest_that_fits_where_quota_is_short(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){
				.max_normal_alloc = LARGEST,
				.budget_bytes = SZ_64K + SZ_512 });
	void *memory;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
	memory = got(test, memquota_arena_alloc(arena, 1, 1));
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 0);
	expect_held(test, t, arena, SZ_64K + SZ_512);
	KUNIT_EXPECT_EQ(test, -EDQUOT, PTR_ERR(memquota_arena_alloc(arena, SZ_1K, 1)));
	end_arena(test, arena);

	/* Likewise by the account's limit. */
	arena = new_arena(test, account, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST });
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_ASSERT_EQ(test, 0, memquota_account_set_max(account, SZ_64K + SZ_1K));
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
	memory = got(test, memquota_arena_alloc(arena, room(1), 1));
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 1);
	expect_held(test, t, arena, SZ_64K + SZ_1K);
}

static void c7_the_smallest_that_fits_where_memory_is_short(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){
				.gfp = GFP_ATOMIC, .max_normal_alloc = LARGEST });
	void *memory;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
	let_pages_fail(test);
	memory = memquota_arena_alloc(arena, 1, 1);
	KUNIT_ASSERT_TRUE(test, pages_did_fail());
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(got(test, memory))->class, 0);
	expect_held(test, t, arena, SZ_64K + SZ_512);
	/* What needs that many has none. */
	let_pages_fail(test);
	memory = memquota_arena_alloc(arena, SZ_16K, 1);
	KUNIT_ASSERT_TRUE(test, pages_did_fail());
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(got(test, memory))->class, 6);
	expect_held(test, t, arena, SZ_64K + SZ_512 + SZ_32K);
}

static void c7_the_displaced_chunk_goes_first(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int class, i;
	void *ref;

	/* A budget of one chunk, all the time. */
	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		arena = lone_arena(test, t, &(struct memquota_arena_config){
			.max_normal_alloc = LARGEST,
			.budget_bytes = memquota_class_bytes(class) });
		for (i = 0; i < 5; i++) {
			ref = got(test, memquota_arena_alloc_ref(arena, room(class), 1));
			memquota_ref_put(ref);
		}
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 4);
		end_arena(test, arena);
	}
	/* Also when the next must be larger than the one that goes. */
	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST, .budget_bytes = SZ_64K });
	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		ref = memquota_arena_alloc_ref(arena, room(class), 1);
		memquota_ref_put(got(test, ref));
	}
	expect_held(test, t, arena, SZ_64K);
}

static void c7_preallocating_warms_the_cache(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int class;

	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		arena = roomy_arena(test, t);
		KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, room(class)));
		expect_held(test, t, arena, memquota_class_bytes(class));
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
		got(test, memquota_arena_alloc(arena, room(class), 1));
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 0);
		end_arena(test, arena);
	}
	arena = roomy_arena(test, t);
	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, 0));
	expect_held(test, t, arena, SZ_512);
	end_arena(test, arena);
}

/* Whatever came before: the next refill takes nothing from the system. */
static void c7_preallocating_less_than_the_mark(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	unsigned int i;
	u64 chunks;

	for (i = 0; i < 4; i++) {
		got(test, memquota_arena_alloc(arena, room(i), 1));
		KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, 1));
		chunks = stats_of(arena).ever.chunks;
		got(test, memquota_arena_alloc(arena, 1, 1));
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, chunks);
	}
	end_arena(test, arena);

	/* The floor is far above the mark. */
	arena = roomy_arena(test, t);
	got(test, memquota_arena_alloc(arena, room(7), 1));
	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, 1));
	got(test, memquota_arena_alloc(arena, 1, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
}

static void c7_preallocating_is_never_a_one_shot(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .max_normal_alloc = 1 });

	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, memquota_arena_preallocate(arena, LARGEST + 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, memquota_arena_preallocate(arena, SIZE_MAX));
	expect_held(test, t, arena, SZ_64K);
}

static void c8_what_is_referenced_outlives_the_arena(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *refs[MEMQUOTA_CLASSES + 2];
	unsigned int i;
	u64 left;

	for (i = 0; i < MEMQUOTA_CLASSES; i++)
		refs[i] = got(test, memquota_arena_alloc_ref(arena, room(i), 1));
	refs[i++] = got(test, memquota_arena_alloc_ref(arena, SZ_1M, 1));
	refs[i] = got(test, memquota_arena_alloc_ref(arena, 8 * SZ_1M, 1));
	left = held(arena);
	end_arena(test, arena);
	/* Each goes by itself, and is charged until then. */
	for (i = 0; i < ARRAY_SIZE(refs); i++) {
		KUNIT_EXPECT_EQ(test, exact_total(t), left);
		left -= memquota_chunk_of(refs[i])->bytes;
		memset(refs[i], i, 64);
		memquota_ref_put(refs[i]);
	}
	KUNIT_EXPECT_EQ(test, left, 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void c9_destroying_gives_back_what_nobody_references(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *ref, *kept;
	unsigned int i;

	/* Of each kind: cached, came back, retired, current, one-shots. */
	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	for (i = 0; i < 20; i++)
		got(test, memquota_arena_alloc(arena, SZ_16K, 1));
	ref = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	kept = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	got(test, memquota_arena_alloc(arena, SZ_1M, 1));
	got(test, memquota_arena_alloc(arena, 8 * SZ_1M, 1));
	got(test, memquota_arena_alloc(arena, 1, 1));
	memquota_ref_put(ref);
	end_arena(test, arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K);
	memquota_ref_put(kept);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);

	end_arena(test, roomy_arena(test, t));
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(c1_chunks_fill_their_class),
	KUNIT_CASE(c1_small_chunks_are_cut_from_pages),
	KUNIT_CASE(c2_above_the_threshold_it_is_a_one_shot),
	KUNIT_CASE(c2_one_shots_are_sized_to_fit),
	KUNIT_CASE(c2_one_shots_never_displace_the_current_chunk),
	KUNIT_CASE(c2_what_fits_the_tail_is_served_there),
	KUNIT_CASE(c3_the_budget_is_kept_to_the_byte),
	KUNIT_CASE(c3_a_counter_that_would_wrap),
	KUNIT_CASE(c3_nothing_always_succeeds),
	KUNIT_CASE(c3_what_is_cached_counts),
	KUNIT_CASE(c3_the_cache_makes_room),
	KUNIT_CASE(c4_a_refused_charge_leaves_the_arena_usable),
	KUNIT_CASE(c4_a_closed_account),
	KUNIT_CASE(c4_a_closed_account_ends_the_cache),
	KUNIT_CASE(c4_a_destroyed_tracker),
	KUNIT_CASE(c4_a_poisoned_tracker),
	KUNIT_CASE(c4_no_memory_is_not_charged),
	KUNIT_CASE(c4_what_no_system_has),
	KUNIT_CASE(c5_chunks_come_back_from_all_cpus_while_the_owner_refills),
	KUNIT_CASE(c6_below_the_floor_nothing_is_kept),
	KUNIT_CASE(c6_raising_lets_go_of_what_is_cached_below),
	KUNIT_CASE(c6_stragglers_are_dropped_when_met),
	KUNIT_CASE(c6_larger_chunks_are_cached_too),
	KUNIT_CASE(c7_each_success_raises_the_mark),
	KUNIT_CASE(c7_what_is_needed_wins_over_the_mark),
	KUNIT_CASE(c7_the_smallest_that_fits_where_quota_is_short),
	KUNIT_CASE(c7_the_smallest_that_fits_where_memory_is_short),
	KUNIT_CASE(c7_the_displaced_chunk_goes_first),
	KUNIT_CASE(c7_preallocating_warms_the_cache),
	KUNIT_CASE(c7_preallocating_less_than_the_mark),
	KUNIT_CASE(c7_preallocating_is_never_a_one_shot),
	KUNIT_CASE(c8_what_is_referenced_outlives_the_arena),
	KUNIT_CASE(c9_destroying_gives_back_what_nobody_references),
	{}
};

MEMQUOTA_SUITE(memquota_chunk, cases);
