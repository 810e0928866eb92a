// SPDX-License-Identifier: GPL-2.0
/*
 * What the calls of an arena return and count: growing, sizes and alignments,
 * statistics, copies. Rules N6 to N10.
 */
#include <linux/sizes.h>
#include <memquota/arena.h>
#include "../memory/chunk.h"
#include "harness.h"

static void n6_what_ends_at_the_cursor_grows_in_place(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	char *memory, *next;
	size_t size;

	memory = must_get(test, memquota_arena_realloc(arena, NULL, 0, 1, 1));
	for (size = 1; size < SZ_512 - MEMQUOTA_CHUNK_HEADER; size++) {
		memory[size - 1] = 9;
		KUNIT_ASSERT_PTR_EQ(test,
				    memquota_arena_realloc(arena, memory, size,
							   size + 1, 1),
				    memory);
	}
	KUNIT_EXPECT_EQ(test, arena_room_left(arena), 0);
	memory[size - 1] = 9;
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
	/* An allocation cannot grow past the end of its chunk. */
	next = must_get(test, memquota_arena_realloc(arena, memory, size,
						     size + 1, 1));
	KUNIT_EXPECT_PTR_NE(test, memory, next);
	KUNIT_EXPECT_TRUE(test, is_filled_with(next, 9, size));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 1);
	/* Shrinking changes nothing. */
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_realloc(arena, next, size + 1, 1, 1),
			    next);
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_realloc(arena, next, size + 1, 0, 1),
			    next);
	/* An allocation behind it keeps it from growing in place. */
	must_alloc(test, arena, 1);
	memory = must_get(test, memquota_arena_realloc(arena, next, size + 1,
						       size + 2, 1));
	KUNIT_EXPECT_PTR_NE(test, memory, next);
	KUNIT_EXPECT_TRUE(test, is_filled_with(memory, 9, size));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 2);
}

static void n6_growing_what_cannot_grow(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .budget_bytes = SZ_512 });
	char *memory = must_alloc(test, arena, 100);

	memset(memory, 8, 100);
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_realloc(arena, ZERO_SIZE_PTR, 0, 0,
						   1), ZERO_SIZE_PTR);
	EXPECT_PTR_ERR(test,
		       memquota_arena_realloc(arena, memory, 100, SIZE_MAX, 1),
		       -EOVERFLOW);
	EXPECT_PTR_ERR(test, memquota_arena_realloc(arena, memory, 100, 101, 3),
		       -EINVAL);
	EXPECT_PTR_ERR(test,
		       memquota_arena_realloc(arena, memory, 100, 101, SZ_64K),
		       -EINVAL);
	EXPECT_PTR_ERR(test,
		       memquota_arena_realloc(arena, memory, 100, SZ_1M, 1),
		       -EDQUOT);
	EXPECT_PTR_ERR(test,
		       memquota_arena_realloc_ref(arena, memory, 100, SZ_1K, 1),
		       -EDQUOT);
	KUNIT_EXPECT_TRUE(test, is_filled_with(memory, 8, 100));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
}

static void n6_references_grow_too(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	char *ref, *next;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	ref = must_get(test, memquota_arena_realloc_ref(arena, NULL, 0, 10, 1));
	memset(ref, 6, 10);
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_realloc_ref(arena, ref, 10, 4000, 1),
			    ref);
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_realloc_ref(arena, ref, 4000,
						       LARGEST, 1), ref);
	KUNIT_EXPECT_EQ(test, arena_room_left(arena), 0);
	/* Growing took no reference: the chunk has one. */
	memset(ref + 10, 6, LARGEST - 10);
	next = must_alloc_ref(test, arena, 16);
	KUNIT_EXPECT_EQ(test, chunk_refs(ref), 1);
	memquota_ref_put(ref);
	arena_use_up(test, arena, true);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc_ref(arena, 16, 1), ref);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
	memquota_ref_put(next);
	memquota_ref_put(next);

	/* An allocation that moves puts its old reference. */
	must_alloc_ref(test, arena, 16);
	memset(ref, 4, 16);
	memquota_ref_put(ref + 16);
	KUNIT_EXPECT_EQ(test, chunk_refs(ref), MEMQUOTA_SURPLUS - 1);
	next = must_get(test,
			memquota_arena_realloc_ref(arena, ref, 16, 32, 1));
	KUNIT_EXPECT_PTR_NE(test, ref, next);
	KUNIT_EXPECT_TRUE(test, is_filled_with(next, 4, 16));
	KUNIT_EXPECT_EQ(test, chunk_refs(ref), MEMQUOTA_SURPLUS - 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 1);
	memquota_ref_put(next);
	/* No reference is left, so the reset rewinds the chunk. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 16, 1), ref);
}

/* A one-shot never grows in place: it is not the current chunk. */
static void n6_one_shots_move(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	char *ref, *next;

	ref = must_alloc_ref(test, arena, SZ_32K);
	memset(ref, 1, SZ_32K);
	next = must_get(test, memquota_arena_realloc_ref(arena, ref, SZ_32K,
							 SZ_32K + 1, 1));
	KUNIT_EXPECT_PTR_NE(test, ref, next);
	KUNIT_EXPECT_TRUE(test, is_filled_with(next, 1, SZ_32K));
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_32K + SZ_4K);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 1);
	memquota_ref_put(next);
}

static void expect_aligned(struct kunit *test, struct memquota_arena *arena,
			   size_t align, bool ref)
{
	void *memory;

	memory = must_get(test, __memquota_arena_alloc(arena, 5, align, ref));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)memory, align));
	memset(memory, 1, 5);
	if (ref)
		memquota_ref_put(memory);
	memory = must_get(test, memquota_arena_alloc(arena, 33, align));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)memory, align));
	memset(memory, 1, 33);
}

static void n7_alignments(struct kunit *test)
{
	static const size_t refused[] = {
		0, 3, 6, 63, 513, SZ_32K + 1, SZ_64K, SZ_128K, SIZE_MAX,
		(SIZE_MAX >> 1) + 1 };
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int i, j;
	size_t align;

	for (i = 0; i < 4; i++) {
		arena = i & 1 ? roomy_arena(test, t) :
				lone_arena(test, t, NULL);
		for (align = 1; align <= SZ_32K; align *= 2)
			for (j = 0; j < 3; j++)
				expect_aligned(test, arena, align, i & 2);
		for (j = 0; j < ARRAY_SIZE(refused); j++) {
			EXPECT_PTR_ERR(test,
				       memquota_arena_alloc(arena, 1,
							    refused[j]),
				       -EINVAL);
			EXPECT_PTR_ERR(test,
				       memquota_arena_alloc_ref(arena, 1,
								refused[j]),
				       -EINVAL);
		}
		end_arena(test, arena);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void n7_sizes_at_both_ends(struct kunit *test)
{
	static const size_t huge[] = {
		SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63, SIZE_MAX - 64,
		SIZE_MAX - SZ_4K, SIZE_MAX - SZ_64K, SIZE_MAX - SZ_1M,
		(SIZE_MAX >> 1) + 1, SIZE_MAX >> 1, LONG_MAX - 63 };
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	unsigned int i, round;
	size_t align;
	void *memory;

	/* Without a current chunk, with one, and with one that is used up. */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(huge); i++) {
			for (align = 1; align <= SZ_32K; align *= 8) {
				memory = memquota_arena_alloc(arena, huge[i],
							      align);
				EXPECT_PTR_ERR(test, memory, -EOVERFLOW);
				memory = memquota_arena_alloc_ref(arena,
								  huge[i],
								  align);
				EXPECT_PTR_ERR(test, memory, -EOVERFLOW);
			}
		}
		KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 0, 1),
				    ZERO_SIZE_PTR);
		memory = memquota_arena_alloc_ref(arena, 0, SZ_32K);
		KUNIT_EXPECT_PTR_EQ(test, memory, ZERO_SIZE_PTR);
		EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, 0, 3),
			       -EINVAL);
		if (!round)
			must_alloc(test, arena, 10);
		else
			arena_use_up(test, arena, false);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
}

static void n7_arrays(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	void *memory;

	memory = must_get(test, memquota_arena_alloc_array(arena, 10, 40, 8));
	memset(memory, 1, 400);
	memory = must_get(test,
			  memquota_arena_alloc_array_ref(arena, 10, 40, 8));
	memset(memory, 1, 400);
	memquota_ref_put(memory);
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_alloc_array(arena, 0, SIZE_MAX, 8),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test,
			    memquota_arena_alloc_array_ref(arena, SIZE_MAX, 0,
							   8), ZERO_SIZE_PTR);
	EXPECT_PTR_ERR(test,
		       memquota_arena_alloc_array(arena, SIZE_MAX / 2 + 1, 2,
						  8), -EOVERFLOW);
	EXPECT_PTR_ERR(test,
		       memquota_arena_alloc_array_ref(arena, SIZE_MAX / 16 + 2,
						      16, 8), -EOVERFLOW);
}

/* From the first byte and the last, in chunks of each kind. */
static void n8_the_header_is_found_from_any_address(struct kunit *test)
{
	static const size_t sizes[] = {
		448, 960, 1984, 4032, 8128, 16320, 32704, 65472,
		65473, SZ_1M - 64, SZ_1M, 5 * SZ_1M, 9 * SZ_1M - 64 };
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_chunk *chunk;
	struct memquota_arena *arena;
	unsigned int i;
	char *memory;
	size_t at;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		arena = roomy_arena(test, t);
		memory = must_alloc(test, arena, sizes[i]);
		chunk = (void *)(memory - MEMQUOTA_CHUNK_HEADER);
		KUNIT_EXPECT_PTR_EQ(test,
				    memquota_chunk_of(memory + sizes[i] - 1),
				    chunk);
		for (at = 0; at < sizes[i]; at += 509)
			KUNIT_EXPECT_PTR_EQ(test,
					    memquota_chunk_of(memory + at),
					    chunk);
		KUNIT_EXPECT_EQ(test, chunk->bytes, stats_of(arena).held_bytes);
		end_arena(test, arena);
	}
}

static void n9_each_figure(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	struct memquota_arena_stats stats = stats_of(arena);
	char *memory, *big;

	KUNIT_EXPECT_NULL(test, memchr_inv(&stats, 0, sizeof(stats)));
	must_alloc(test, arena, 48);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, SZ_512);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 400);
	/* 400 bytes are left in the retired chunk, 523 in the current one. */
	memory = must_alloc_ref(test, arena, 437);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, SZ_512 + SZ_1K);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 400 + 523);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 2);
	big = must_alloc_ref(test, arena, SZ_32K);
	memory = must_get(test, memquota_arena_realloc_ref(arena, memory, 437,
							   438, 1));
	memory = must_get(test, memquota_arena_realloc_ref(arena, memory, 438,
							   SZ_1K, 1));
	/* The chunk that it moved from is below the floor: freed. */
	EXPECT_SETTLES(test, stats_of(arena).wasted_bytes == 400 + 960);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.held_bytes,
			SZ_512 + SZ_2K + SZ_32K + SZ_4K);
	KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 1);
	KUNIT_EXPECT_EQ(test, stats.ever.relocations, 1);
	KUNIT_EXPECT_EQ(test,
			memcmp(&stats.ever, &stats.since_reset,
			       sizeof(stats.ever)), 0);
	memquota_ref_put(big);

	memquota_arena_reset(arena);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 3);
	KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 1);
	KUNIT_EXPECT_EQ(test, stats.ever.relocations, 1);
	KUNIT_EXPECT_NULL(test, memchr_inv(&stats.since_reset, 0,
					   sizeof(stats.since_reset)));
	/* A reference keeps the current chunk; others are below the floor. */
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 960);
	memquota_ref_put(memory);
	/* The next chunk, of 4 KiB, raises the floor. */
	must_alloc(test, arena, 4032);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 0);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, SZ_4K);
	KUNIT_EXPECT_EQ(test, stats.since_reset.chunks, 1);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 4);
	KUNIT_EXPECT_EQ(test, stats.ever.cache_hits, 0);
}

static void n9_waste_and_hits(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *refs[4];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 0);
	for (i = 0; i < 4; i++)
		refs[i] = must_alloc_ref(test, arena, LARGEST - 1000);
	KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 4 * 1000);
	for (i = 0; i < 3; i++)
		memquota_ref_put(refs[i]);
	/* The next refill collects what has come back. */
	memquota_ref_put(refs[3]);
	refs[3] = must_alloc_ref(test, arena, LARGEST);
	KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 4);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, stats_of(arena).since_reset.cache_hits, 0);
	memquota_ref_put(refs[3]);
}

static void n10_zeroed(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	void *memory = must_alloc(test, arena, 400);

	memset(memory, 0xff, 400);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_zalloc(arena, 200, 1), memory);
	KUNIT_EXPECT_TRUE(test, is_filled_with(memory, 0, 200));
	KUNIT_EXPECT_TRUE(test, is_filled_with(memory + 200, 0xff, 200));
	memory = must_get(test, memquota_arena_zalloc_ref(arena, 200, 1));
	KUNIT_EXPECT_TRUE(test, is_filled_with(memory, 0, 200));
	memquota_ref_put(memory);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_zalloc(arena, 0, 1),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_zalloc_ref(arena, 0, 1),
			    ZERO_SIZE_PTR);
	EXPECT_PTR_ERR(test, memquota_arena_zalloc(arena, 1, 0), -EINVAL);
	EXPECT_PTR_ERR(test, memquota_arena_zalloc_ref(arena, SIZE_MAX, 1),
		       -EOVERFLOW);
}

static void n10_copies(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	static const char text[] = "what callers would write by hand";
	char *copy;

	copy = must_get(test, memquota_arena_strdup(arena, text));
	KUNIT_EXPECT_STREQ(test, copy, text);
	KUNIT_EXPECT_PTR_NE(test, (const char *)copy, &text[0]);
	copy = must_get(test, memquota_arena_strdup_ref(arena, text));
	KUNIT_EXPECT_STREQ(test, copy, text);
	memquota_ref_put(copy);
	KUNIT_EXPECT_STREQ(test,
			   must_get(test, memquota_arena_strdup(arena, "")),
			   "");
	KUNIT_EXPECT_NULL(test, memquota_arena_strdup(arena, NULL));
	KUNIT_EXPECT_NULL(test, memquota_arena_strdup_ref(arena, NULL));

	copy = must_get(test, memquota_arena_memdup(arena, text, 4, 64));
	KUNIT_EXPECT_EQ(test, memcmp(copy, text, 4), 0);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)copy, 64));
	copy = must_get(test, memquota_arena_memdup_ref(arena, text,
							sizeof(text), 1));
	KUNIT_EXPECT_STREQ(test, copy, text);
	memquota_ref_put(copy);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_memdup(arena, text, 0, 1),
			    ZERO_SIZE_PTR);
	EXPECT_PTR_ERR(test, memquota_arena_memdup(arena, text, 1, 0), -EINVAL);
}

static void n10_formatted(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	char *text;

	text = must_get(test, memquota_arena_asprintf(arena, "%s-%d", "n", 10));
	KUNIT_EXPECT_STREQ(test, text, "n-10");
	text = must_get(test, memquota_arena_asprintf(arena, "%s", ""));
	KUNIT_EXPECT_STREQ(test, text, "");
	text = must_get(test, memquota_arena_asprintf(arena, "%20000d|", 1));
	KUNIT_EXPECT_EQ(test, strlen(text), 20001);
	KUNIT_EXPECT_EQ(test, text[20000], '|');
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
	text = must_get(test, memquota_arena_asprintf_ref(arena, "%500d|", 1));
	KUNIT_EXPECT_EQ(test, strlen(text), 501);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, text[500], '|');
	memquota_ref_put(text);
	memquota_arena_drop(arena);
	memquota_arena_reset(arena);
	EXPECT_PTR_ERR(test, memquota_arena_asprintf(arena, "1"), -ESTALE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(n6_what_ends_at_the_cursor_grows_in_place),
	KUNIT_CASE(n6_growing_what_cannot_grow),
	KUNIT_CASE(n6_references_grow_too),
	KUNIT_CASE(n6_one_shots_move),
	KUNIT_CASE(n7_alignments),
	KUNIT_CASE(n7_sizes_at_both_ends),
	KUNIT_CASE(n7_arrays),
	KUNIT_CASE(n8_the_header_is_found_from_any_address),
	KUNIT_CASE(n9_each_figure),
	KUNIT_CASE(n9_waste_and_hits),
	KUNIT_CASE(n10_zeroed),
	KUNIT_CASE(n10_copies),
	KUNIT_CASE(n10_formatted),
	{}
};

MEMQUOTA_SUITE(memquota_arena_calls, cases);
