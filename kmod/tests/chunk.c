// SPDX-License-Identifier: GPL-2.0
/* Chunks: their sizes, what they are charged, and refusals. Rules C1 to C4. */
#include <linux/seq_file.h>
#include "../core/total.h"
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "harness.h"
#include "internals.h"

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
		at = (unsigned long)must_alloc(test, arena, class_room(class));
		expect_arena_held(test, t, arena, bytes);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(at - MEMQUOTA_CHUNK_HEADER,
						   bytes));
		KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 0);
		end_arena(test, arena);

		/* One byte more needs the next class. */
		arena = roomy_arena(test, t);
		memset(must_get(test,
				memquota_arena_zalloc(arena,
						      class_room(class) + 1,
						      1)),
		       0, class_room(class) + 1);
		expect_arena_held(test, t, arena, class + 1 < MEMQUOTA_CLASSES ?
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

/* Sum up what debugfs shows of a class, over all nodes. */
static struct pool_line pool_of(struct kunit *test, unsigned int class)
{
	struct seq_file m = { .size = SZ_16K };
	unsigned long bytes, pages, used, unused;
	struct pool_line sum = {};
	unsigned int node;
	char *line;

	m.buf = zalloc_or_abort(test, m.size);
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
					      NULL);
			memory[i] =
				must_alloc(test, arenas[i], class_room(class));
			memset(memory[i], i, class_room(class));
		}
		after = pool_of(test, class);
		KUNIT_EXPECT_EQ(test, after.used - before.used,
				SMALL_ARENAS * memquota_class_bytes(class));
		for (i = 0; i < SMALL_ARENAS; i++)
			KUNIT_EXPECT_NULL(test, memchr_inv(memory[i], i,
							   class_room(class)));
		/* Destroy every other one first, so that pages are half empty. */
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
	/* The header has 64 bytes, so this alignment needs no padding. */
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
		memory = must_get(test, __memquota_arena_alloc(arena, c->size,
							       c->align, ref));
		memset(memory, 1, c->size);
		stats = stats_of(arena);
		KUNIT_EXPECT_EQ_MSG(test, stats.ever.one_shots, c->one_shots,
				    "%zu of %zu, aligned to %zu", c->size,
				    c->max, c->align);
		KUNIT_EXPECT_EQ(test, stats.ever.chunks, !c->one_shots);
		KUNIT_EXPECT_TRUE(test,
				  IS_ALIGNED((unsigned long)memory, c->align));
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
			NULL);
	void *memory;

	memory = must_alloc_ref(test, arena,
				5 * PAGE_SIZE - MEMQUOTA_CHUNK_HEADER);
	expect_arena_held(test, t, arena, 5 * PAGE_SIZE);
	memquota_ref_put(memory);
	expect_arena_held(test, t, arena, 0);
	memory = must_alloc_ref(test, arena,
				5 * PAGE_SIZE - MEMQUOTA_CHUNK_HEADER + 1);
	expect_arena_held(test, t, arena, 6 * PAGE_SIZE);
	memquota_ref_put(memory);
	/* One-shots are not cached. */
	expect_arena_held(test, t, arena, 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 0);
}

static void c2_one_shots_never_displace_the_current_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			NULL);
	char *before, *after, *big;

	before = must_alloc(test, arena, 16);
	big = must_alloc(test, arena, SZ_32K);
	after = must_alloc(test, arena, 16);
	KUNIT_EXPECT_PTR_EQ(test, after, before + 16);
	big = must_alloc_ref(test, arena, SZ_32K);
	KUNIT_EXPECT_PTR_EQ(test,
			    (char *)must_alloc(test, arena, 16),
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

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	first = must_alloc(test, arena, 16);
	large = must_alloc(test, arena, LARGEST - 16);
	KUNIT_EXPECT_PTR_EQ(test, large, first + 16);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 0);
	/* The chunk is full. */
	must_alloc(test, arena, 17);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
}

static void c3_the_budget_is_kept_to_the_byte(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	void *ref;

	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = SZ_512 });
	must_alloc(test, arena, class_room(0));
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -EDQUOT);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, SZ_32K, 1), -EDQUOT);
	expect_arena_held(test, t, arena, SZ_512);

	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = SZ_512 - 1 });
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -EDQUOT);
	KUNIT_EXPECT_EQ(test, arena_held(arena), 0);

	/* A one-shot counts with its rounded size. */
	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = 5 * PAGE_SIZE });
	ref = must_alloc_ref(test, arena, 4 * PAGE_SIZE + 1);
	KUNIT_EXPECT_EQ(test, arena_held(arena), 5 * PAGE_SIZE);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -EDQUOT);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, arena_held(arena), 0);
	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.budget_bytes = 5 * PAGE_SIZE - 1 });
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 4 * PAGE_SIZE + 1, 1),
		       -EDQUOT);
	KUNIT_EXPECT_EQ(test, arena_held(arena), 0);
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
		atomic_long_set(&arena->core->held_bytes,
				LONG_MAX - SZ_512 + 1);
		EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1),
			       -EOVERFLOW);
		KUNIT_EXPECT_EQ(test, arena_held(arena), LONG_MAX - SZ_512 + 1);
		KUNIT_EXPECT_EQ(test, exact_total(t), 0);
		atomic_long_set(&arena->core->held_bytes, LONG_MAX - SZ_512);
		must_alloc(test, arena, 1);
		KUNIT_EXPECT_EQ(test, arena_held(arena), LONG_MAX);
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

	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 0, 1),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc_ref(arena, 0, 8),
			    ZERO_SIZE_PTR);
	memquota_arena_drop(arena);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 0, 1),
			    ZERO_SIZE_PTR);
	expect_arena_held(test, t, arena, 0);
}

static void c3_what_is_cached_counts(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .budget_bytes = SZ_64K });

	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	expect_arena_held(test, t, arena, SZ_64K);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, LARGEST),
			-EDQUOT);
	expect_arena_held(test, t, arena, SZ_64K);
	must_alloc(test, arena, 1);
	expect_arena_held(test, t, arena, SZ_64K);
}

/* An arena frees what it caches before it is refused. */
static void c3_the_cache_makes_room(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){ .budget_bytes = SZ_64K });
	void *ref;

	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	ref = must_alloc_ref(test, arena, SZ_32K);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
	memquota_ref_put(ref);
	end_arena(test, arena);

	/* Likewise for the account's max. */
	KUNIT_ASSERT_EQ(test, memquota_account_set_max(account, SZ_64K), 0);
	arena = new_arena(test, account, &(struct memquota_arena_config){ .wait = HZ / 10 });
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	ref = must_alloc_ref(test, arena, SZ_32K);
	memquota_ref_put(ref);
	expect_arena_held(test, t, arena, 0);
}

static void c4_a_refused_charge_leaves_the_arena_usable(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			NULL);
	char *plain, *ref;

	plain = must_alloc(test, arena, class_room(0) / 2);
	ref = must_alloc_ref(test, arena, class_room(0) / 2);
	KUNIT_ASSERT_EQ(test, memquota_account_set_max(account, SZ_512), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	memset(plain, 1, class_room(0) / 2);
	memset(ref, 2, class_room(0) / 2);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 1, 1), -EDQUOT);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_ref(arena, SZ_1M, 1),
		       -EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 1), -EDQUOT);
	expect_arena_held(test, t, arena, SZ_512);
	KUNIT_EXPECT_NULL(test, memchr_inv(plain, 1, class_room(0) / 2));
	KUNIT_EXPECT_NULL(test, memchr_inv(ref, 2, class_room(0) / 2));
	KUNIT_ASSERT_EQ(test,
			memquota_account_set_max(account, MEMQUOTA_UNLIMITED),
			0);
	must_alloc(test, arena, 1);
	expect_arena_held(test, t, arena, SZ_512 + SZ_1K);
	memquota_ref_put(ref);
	memquota_arena_reset(arena);
	arena_trim(arena);
	expect_arena_held(test, t, arena, SZ_1K);
}

/* The tracker or account of the arena is gone. */
static void expect_over(struct kunit *test, struct memquota_arena *arena,
			void *plain, void *ref, int err)
{
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, SZ_8K, 1), err);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_ref(arena, SZ_1M, 1), err);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, SZ_8K), err);
	memset(plain, 1, 100);
	memset(ref, 1, 100);
	memquota_ref_put(ref);
	memquota_arena_reset(arena);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_ref(arena, SZ_1M, 1), err);
}

static void c4_a_closed_account(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			NULL);
	void *plain = must_alloc(test, arena, 100);
	void *ref = must_alloc_ref(test, arena, 100);

	put_account(test, account);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	expect_over(test, arena, plain, ref, -ESTALE);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Else the arena would go on using its cache, without a charge. */
static void c4_a_closed_account_ends_the_cache(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	const struct memquota_arena_config roomy = { .max_normal_alloc =
							     LARGEST };
	struct memquota_arena *arena = new_arena(test, account, &roomy);
	struct memquota_arena *other = new_arena(test, account, &roomy);
	void *refs[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		refs[i] = must_alloc_ref(test, arena, LARGEST);
	must_alloc(test, other, LARGEST);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(other, LARGEST), 0);
	put_account(test, account);
	for (i = 0; i < 3; i++)
		memquota_ref_put(refs[i]);
	EXPECT_PTR_ERR(test, memquota_arena_alloc_ref(arena, 100, 1), -ESTALE);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, SZ_64K);
	memquota_ref_put(refs[3]);
	/* A reset does not bring the arena back. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, 0);
	memquota_arena_reset(other);
	KUNIT_EXPECT_EQ(test, stats_of(other).held_bytes, 0);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(other, 100, 1), -ESTALE);
}

static void c4_a_destroyed_tracker(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			NULL);
	void *plain = must_alloc(test, arena, 100);
	void *ref = must_alloc_ref(test, arena, 100);

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
	arena = lone_arena(test, t, NULL);
	plain = must_alloc(test, arena, 100);
	ref = must_alloc_ref(test, arena, 100);
	kunit_warning_suppress(test)
		memquota_tracker_poison(t, "of a test");
	expect_over(test, arena, plain, ref, -ENOTRECOVERABLE);
}

static void c4_no_memory_is_not_charged(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .gfp = GFP_ATOMIC });
	struct memquota_arena_stats stats;
	void *memory;

	need_failing_pages(test);
	start_failing(1);
	memory = memquota_arena_alloc(arena, SZ_32K, 1);
	KUNIT_ASSERT_TRUE(test, stop_failing());
	EXPECT_PTR_ERR(test, memory, -ENOMEM);
	start_failing(1);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, SZ_8K),
			-ENOMEM);
	KUNIT_ASSERT_TRUE(test, stop_failing());
	expect_arena_held(test, t, arena, 0);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 0);
	KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 0);
	must_alloc(test, arena, SZ_32K);
}

/* Sizes beyond all memory fail before they start reclaim. */
static void c4_what_no_system_has(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t,
			NULL);

	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, SZ_1G * 1024UL, 1),
		       -ENOMEM);
	EXPECT_PTR_ERR(test,
		       memquota_arena_alloc_ref(arena, LONG_MAX - SZ_4K, 1),
		       -ENOMEM);
	expect_arena_held(test, t, arena, 0);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
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
	{}
};

MEMQUOTA_SUITE(memquota_chunk, cases);
