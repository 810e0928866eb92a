// SPDX-License-Identifier: GPL-2.0
/* Arenas of one owner, what they hand out and keep: rules N1 to N5. */
#include <linux/sizes.h>
#include <memquota/arena.h>
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "anywhere.h"

static void n1_what_is_handed_out_is_apart(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	unsigned char *memory, *last = NULL;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		memory = must_get(test, memquota_arena_alloc(arena, 64, 8));
		memset(memory, i, 64);
		if (last)
			KUNIT_ASSERT_EQ(test, last[63], (unsigned char)(i - 1));
		last = memory;
	}
	KUNIT_EXPECT_GE(test, exact_total(t), 640000);
	memquota_arena_reset(arena);
}

static void n1_to_the_end_of_a_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	char *first = must_alloc(test, arena, 1);
	size_t left = arena_room_left(arena);
	char *last;

	KUNIT_EXPECT_EQ(test, left, SZ_512 - MEMQUOTA_CHUNK_HEADER - 1);
	last = must_alloc(test, arena, left);
	KUNIT_EXPECT_PTR_EQ(test, last, first + 1);
	KUNIT_EXPECT_EQ(test, arena_room_left(arena), 0);
	memset(first, 1, left + 1);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
	/* Aligning the cursor of a full chunk must not pass its end. */
	last = must_get(test, memquota_arena_alloc(arena, 1, SZ_512));
	*last = 2;
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 2);
	KUNIT_EXPECT_TRUE(test, is_filled_with(first, 1, left + 1));
}

static void n2_references_outlive_the_arena(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	static void *memory[300];
	void *big;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(memory); i++)
		memory[i] =
			must_get(test, memquota_arena_alloc_ref(arena, 300, 8));
	big = must_get(test, memquota_arena_alloc_ref(arena, SZ_1M + 1, 8));
	end_arena(test, arena);
	for (i = 0; i < ARRAY_SIZE(memory); i++) {
		memset(memory[i], i, 300);
		memquota_ref_put(memory[i]);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M + SZ_4K);
	memquota_ref_put(big);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void n2_a_further_reference_keeps_it(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	char *ref = must_alloc_ref(test, arena, 100);

	/* Any address inside names the reference. */
	memquota_ref_get(ref + 99);
	memquota_ref_put(ref + 50);
	memset(ref, 3, 100);
	end_arena(test, arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	KUNIT_EXPECT_TRUE(test, is_filled_with(ref, 3, 100));
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Plain memory of the current chunk, of a retired one, and of one-shots. */
static void n2_get_makes_plain_memory_last(struct kunit *test)
{
	static const size_t sizes[] = { 400, 400, SZ_128K, 8 * SZ_1M, 100 };
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	char *plain[ARRAY_SIZE(sizes)];
	u64 left;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		plain[i] = must_alloc(test, arena, sizes[i]);
		memset(plain[i], i, sizes[i]);
		memquota_ref_get(plain[i]);
	}
	memquota_arena_reset(arena);
	for (i = 0; i < 1000; i++)
		memset(must_alloc(test, arena, 500), 0xff, 500);
	end_arena(test, arena);
	for (i = ARRAY_SIZE(sizes) - 1; i >= 0; i--) {
		KUNIT_EXPECT_TRUE(test, is_filled_with(plain[i], i, sizes[i]));
		left = exact_total(t);
		memquota_ref_put(plain[i]);
		KUNIT_EXPECT_LE(test, exact_total(t), left);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void put_four_refs(void *arg)
{
	void **refs = arg;
	unsigned int i;

	for (i = 0; i < 4; i++)
		memquota_ref_put(refs[i]);
}

/* Chunks below and above a page, one-shots, and what must sleep to be freed. */
static void n2_put_anywhere(struct kunit *test)
{
	static const enum context contexts[] = {
		IN_PLACE, IN_IRQ_WORK, IN_TASKLET, UNDER_A_RAW_SPINLOCK };
	struct memquota_tracker *t = new_tracker(test, NULL);
	void **refs = zalloc_or_abort(test, 4 * sizeof(*refs));
	struct memquota_arena *arena;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(contexts); i++) {
		arena = roomy_arena(test, t);
		refs[0] = must_alloc_ref(test, arena, 448);
		refs[1] = must_alloc_ref(test, arena, LARGEST);
		refs[2] = must_alloc_ref(test, arena, SZ_128K);
		refs[3] = must_alloc_ref(test, arena, 8 * SZ_1M);
		KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(refs[3]));
		/* Before the arena ends, and after. */
		if (i % 2)
			end_arena(test, arena);
		run_in_context(test, contexts[i / 2], put_four_refs, refs);
		if (i % 2)
			KUNIT_EXPECT_EQ(test, exact_total(t), 0);
		else
			end_arena(test, arena);
		KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	}
}

static void n2_what_is_no_memory_is_ignored(struct kunit *test)
{
	static const long no_memory[] = {
		0, (long)ZERO_SIZE_PTR, -1, -ENOMEM, -EDQUOT, -MAX_ERRNO };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(no_memory); i++) {
		memquota_ref_get((void *)no_memory[i]);
		memquota_ref_put((void *)no_memory[i]);
	}
}

static void n3_handing_out_touches_no_counter(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *first = must_alloc_ref(test, arena, 40);
	unsigned int i;

	for (i = 1; i < 10; i++)
		must_alloc_ref(test, arena, 40);
	KUNIT_EXPECT_EQ(test, chunk_refs(first), MEMQUOTA_SURPLUS);
	memquota_ref_put(first);
	KUNIT_EXPECT_EQ(test, chunk_refs(first), MEMQUOTA_SURPLUS - 1);
	memquota_ref_get(first);
	memquota_ref_get(first);
	KUNIT_EXPECT_EQ(test, chunk_refs(first), MEMQUOTA_SURPLUS + 1);
	/* Replacing the chunk leaves what is real: ten, and one by get(). */
	must_alloc(test, arena, 400);
	KUNIT_EXPECT_EQ(test, chunk_refs(first), 11);
	for (i = 0; i < 11; i++)
		memquota_ref_put(first);
}

static void n4_references_only(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *one, *two, *other;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	one = must_get(test, memquota_arena_alloc_ref(arena, SZ_32K, 8));
	two = must_get(test, memquota_arena_alloc_ref(arena, 7, 1024));
	other = must_alloc_ref(test, arena, LARGEST);
	memquota_ref_put(one);
	memquota_ref_put(other);
	must_alloc_ref(test, arena, LARGEST);
	/* One reference keeps the chunk from being used again. */
	KUNIT_EXPECT_PTR_NE(test, memquota_chunk_of(two),
			    arena->core->stores->current_chunk);
	memquota_ref_put(two);
	memquota_ref_put(other);
	two = must_alloc(test, arena, LARGEST);
	KUNIT_EXPECT_PTR_EQ(test, memquota_chunk_of(two),
			    memquota_chunk_of(one));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 3);
}

static void n4_plain_memory_stays_until_reset(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	char *before, *plain, *after;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	before = must_alloc_ref(test, arena, 100);
	plain = must_alloc(test, arena, 1);
	after = must_alloc_ref(test, arena, 100);
	*plain = 42;
	arena_use_up(test, arena, true);
	memquota_ref_put(before);
	memquota_ref_put(after);
	memquota_ref_put(after + 100);
	for (i = 0; i < 5; i++)
		memset(must_alloc(test, arena, LARGEST), 0, LARGEST);
	KUNIT_EXPECT_EQ(test, *plain, 42);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
	memquota_arena_reset(arena);
	for (i = 0; i < 5; i++)
		must_alloc(test, arena, LARGEST);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 6);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 5);
}

static void n5_reset_rewinds_the_current_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	void *first, *second, *ref;
	unsigned int i;
	u64 held;

	/* Reset an arena that has no chunk yet. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	first = must_get(test, memquota_arena_alloc(arena, 40, 8));
	second = must_get(test, memquota_arena_alloc_ref(arena, 40, 8));
	memquota_ref_put(second);
	held = exact_total(t);
	for (i = 0; i < 100; i++) {
		memquota_arena_reset(arena);
		KUNIT_EXPECT_PTR_EQ(test,
				    memquota_arena_alloc_ref(arena, 40, 8),
				    first);
		memquota_ref_get(first);
		KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, 40, 8),
				    second);
		ref = must_get(test, memquota_arena_alloc_ref(arena, 40, 8));
		memquota_ref_put(first);
		memquota_ref_put(ref);
		memquota_ref_put(first);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), held);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 0);
}

static void
n5_reset_lets_the_current_chunk_go_to_its_references(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *ref, *plain;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	plain = must_alloc(test, arena, 100);
	ref = must_alloc_ref(test, arena, 100);
	memset(ref, 5, 100);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, chunk_refs(ref), 1);
	memset(must_alloc(test, arena, LARGEST), 0, LARGEST);
	KUNIT_EXPECT_TRUE(test, is_filled_with(ref, 5, 100));
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_128K);
	/* The reset has ended its plain memory, so the put frees the chunk. */
	memquota_ref_put(ref);
	KUNIT_EXPECT_PTR_EQ(test, memquota_arena_alloc(arena, LARGEST, 1),
			    plain);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_128K);
}

static void n5_older_chunks_go_back_to_the_cache(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	unsigned int i;
	void *escaped;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	must_alloc(test, arena, SZ_32K);
	escaped = must_alloc_ref(test, arena, 10);
	memset(escaped, 7, 10);
	for (i = 0; i < 9; i++)
		must_alloc(test, arena, LARGEST);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_64K);
	memquota_arena_reset(arena);
	/* The current chunk and eight cached ones; the tenth is referenced. */
	for (i = 0; i < 9; i++)
		memset(must_alloc(test, arena, LARGEST), 0, LARGEST);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_64K);
	KUNIT_EXPECT_TRUE(test, is_filled_with(escaped, 7, 10));
	memquota_ref_put(escaped);
	must_alloc(test, arena, LARGEST);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_64K);
	KUNIT_EXPECT_EQ(test, stats_of(arena).since_reset.chunks, 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).since_reset.cache_hits, 9);
}

static void n5_reset_ends_one_shots(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	void *ref, *kept;

	ref = must_alloc_ref(test, arena, SZ_128K);
	kept = must_alloc(test, arena, SZ_256K);
	memquota_ref_get(kept);
	must_alloc(test, arena, SZ_1M);
	must_alloc(test, arena, 8 * SZ_1M);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_128K + SZ_256K + 2 * SZ_4K);
	memquota_arena_reset(arena);
	memquota_ref_put(ref);
	memset(kept, 1, SZ_256K);
	memquota_ref_put(kept);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(n1_what_is_handed_out_is_apart),
	KUNIT_CASE(n1_to_the_end_of_a_chunk),
	KUNIT_CASE(n2_references_outlive_the_arena),
	KUNIT_CASE(n2_a_further_reference_keeps_it),
	KUNIT_CASE(n2_get_makes_plain_memory_last),
	KUNIT_CASE(n2_put_anywhere),
	KUNIT_CASE(n2_what_is_no_memory_is_ignored),
	KUNIT_CASE(n3_handing_out_touches_no_counter),
	KUNIT_CASE(n4_references_only),
	KUNIT_CASE(n4_plain_memory_stays_until_reset),
	KUNIT_CASE(n5_reset_rewinds_the_current_chunk),
	KUNIT_CASE(n5_reset_lets_the_current_chunk_go_to_its_references),
	KUNIT_CASE(n5_older_chunks_go_back_to_the_cache),
	KUNIT_CASE(n5_reset_ends_one_shots),
	{}
};

MEMQUOTA_SUITE(memquota_arena, cases);
