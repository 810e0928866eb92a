// SPDX-License-Identifier: GPL-2.0
/* Range allocators: rules F1, F2, F4, F5, F7 and F8, and X1. */
#include <linux/sched.h>
#include "range_helpers.h"

static void f1_offsets_are_units_and_never_zero(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 64 * UNIT);
	unsigned int i;

	for (i = 1; i < 64; i++)
		KUNIT_EXPECT_EQ(test, take_block(test, range, 1 + i % UNIT),
				i * UNIT);
	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
	expect_free(test, range, NULL, 0);
}

static void f1_sizes_are_rounded_up(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 64 * UNIT);

	KUNIT_EXPECT_EQ(test, take_block(test, range, 1), 1 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), 2 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT + 1), 3 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 2 * UNIT), 5 * UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, 57 * UNIT });
	/* Freeing rounds up, too. */
	put_block(test, range, 3 * UNIT, UNIT + 1);
	EXPECT_FREE(test, range, { 3 * UNIT, 2 * UNIT }, { 7 * UNIT, 57 * UNIT });
}

static void f2_the_bump_region_comes_first(struct kunit *test)
{
	static const u32 units[] = { 9, 2, 3 };
	struct memquota_range *range = new_range(test, 0);

	fill_with_holes(test, range, units, 3);
	/* The bump region, 9 units at 1, although 2 and 3 would fit better. */
	KUNIT_EXPECT_EQ(test, take_block(test, range, 5 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 2 * UNIT), 6 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 2 * UNIT), 8 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 2 * UNIT), 11 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 3 * UNIT), 14 * UNIT);
	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
}

static void f2_what_is_left_of_it_goes_back(struct kunit *test)
{
	static const u32 units[] = { 5, 9, 4 };
	struct memquota_range *range = new_range(test, 0);

	fill_with_holes(test, range, units, 3);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 5 * UNIT), 1 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 5 * UNIT), 7 * UNIT);
	EXPECT_FREE(test, range, { 12 * UNIT, 4 * UNIT }, { 17 * UNIT, 4 * UNIT });
	/* Both have 4 units; the bump region is the first. */
	KUNIT_EXPECT_EQ(test, take_block(test, range, 1 * UNIT), 12 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 4 * UNIT), 17 * UNIT);
	EXPECT_FREE(test, range, { 13 * UNIT, 3 * UNIT });
	KUNIT_EXPECT_EQ(test, try_take(range, 4 * UNIT), -ENOSPC);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 3 * UNIT), 13 * UNIT);
}

static void f2_the_smallest_that_fits_the_lowest_of_equals(struct kunit *test)
{
	static const u32 units[] = { 5, 3, 4, 3, 2 };
	struct memquota_range *range = new_range(test, 0);

	fill_with_holes(test, range, units, 5);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 3 * UNIT), 7 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 3 * UNIT), 16 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 3 * UNIT), 11 * UNIT);
	/* One unit is left of that block; the smallest that fits has 2. */
	KUNIT_EXPECT_EQ(test, take_block(test, range, 2 * UNIT), 20 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 1 * UNIT), 14 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 1 * UNIT), 1 * UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 4 * UNIT });
}

/* Lengths that share a bin, and lengths around its ends. */
static void f2_among_long_blocks_as_well(struct kunit *test)
{
	static const u32 units[] = { 128, 90, 65, 129, 90, 64, 70, 127 };
	static const struct { u32 units, at; } takes[] = {
		{ 71, 130 },			/* 90, the lower one */
		{ 89, 130 + 91 + 66 + 130 },	/* 90 */
		{ 65, 130 + 91 },
		{ 65, 130 + 91 + 66 + 130 + 91 + 65 },	/* 70 */
		{ 65, 130 + 91 + 66 + 130 + 91 + 65 + 71 },	/* 127 */
		{ 64, 130 + 91 + 66 + 130 + 91 },
		{ 64, 1 },			/* 128 */
		{ 65, 130 + 91 + 66 },		/* 129 */
	};
	struct memquota_range *range = new_range(test, 0);
	unsigned int i;

	fill_with_holes(test, range, units, 8);
	for (i = 0; i < ARRAY_SIZE(takes); i++) {
		/* The bump region comes first: use it up. */
		while (range->bump.end - range->bump.start >= takes[i].units)
			take_block(test, range, takes[i].units * UNIT);
		KUNIT_EXPECT_EQ(test,
				take_block(test, range, takes[i].units * UNIT),
				takes[i].at * UNIT);
	}
}

#ifdef CONFIG_FAILSLAB
static void f5_without_memory_nothing_changes(struct kunit *test)
{
	static const u32 units[] = { 5, 3, 4 };
	struct yard *yard = new_yard(test, GFP_NOWAIT | __GFP_NOWARN);
	struct memquota_range *range = &yard->range;

	fill_with_holes(test, range, units, 3);
	/* As if no record were set aside. */
	range->credit = 0;
	KUNIT_EXPECT_EQ(test, take_without_memory(range, 3 * UNIT), -ENOMEM);
	KUNIT_EXPECT_EQ(test, take_without_memory(range, 1 * UNIT), -ENOMEM);
	EXPECT_FREE(test, range, { 1 * UNIT, 5 * UNIT }, { 7 * UNIT, 3 * UNIT },
		    { 11 * UNIT, 4 * UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 16);
	/* -ENOSPC comes before any allocation. */
	KUNIT_EXPECT_EQ(test, take_without_memory(range, SZ_1M), -ENOSPC);
	KUNIT_EXPECT_EQ(test, try_take(range, 3 * UNIT), 0);
}
#endif

static void f4_a_byte_at_a_time(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);
	struct memquota_range *range = &yard->range;
	unsigned int i;

	for (i = 1; i <= 10 * UNIT; i++) {
		KUNIT_EXPECT_EQ(test, memquota_range_add(range, 1), 0);
		KUNIT_EXPECT_EQ(test, range->capacity_bytes, i);
		KUNIT_EXPECT_EQ(test, exact_total(yard->t), i);
		if (i < 2 * UNIT)
			expect_free(test, range, NULL, 0);
		else
			expect_free(test, range, &(struct part){
				UNIT, rounddown(i, UNIT) - UNIT }, 1);
	}
}

static void f4_capacity_comes_while_blocks_are_live(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 0);

	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, UNIT), 0);
	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 1), 0);
	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, UNIT - 1), 0);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, UNIT), 0);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), 2 * UNIT);
	put_block(test, range, UNIT, UNIT);
	put_block(test, range, 2 * UNIT, UNIT);
	EXPECT_FREE(test, range, { UNIT, 2 * UNIT });
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, UNIT), 0);
	EXPECT_FREE(test, range, { UNIT, 3 * UNIT });
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 0), 0);
	EXPECT_FREE(test, range, { UNIT, 3 * UNIT });
}

static void f4_new_capacity_merges_at_the_end(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	/* The last block is allocated, ... */
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, UNIT), 0);
	EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT }, { 10 * UNIT, UNIT });
	/* ... it is free, ... */
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 2 * UNIT), 0);
	EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT }, { 10 * UNIT, 3 * UNIT });
	/* ... it is the bump region, ... */
	put_block(test, range, 7 * UNIT, 3 * UNIT);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 3 * UNIT), 0);
	EXPECT_FREE(test, range, { 5 * UNIT, 11 * UNIT });
	KUNIT_EXPECT_EQ(test, take_block(test, range, 11 * UNIT), 5 * UNIT);
	/* ... it is the bump region, and empty. */
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, UNIT), 0);
	EXPECT_FREE(test, range, { 16 * UNIT, UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 16);
}

/* Capacity that is added in two steps. */
static void check_capacity(struct kunit *test, u64 capacity, u64 first)
{
	struct memquota_range *range = new_range(test, first);
	u64 end = rounddown(min(capacity, ALL), UNIT);

	KUNIT_EXPECT_EQ(test, memquota_range_add(range, capacity - first), 0);
	KUNIT_EXPECT_EQ(test, range->capacity_bytes, capacity);
	expect_free(test, range, &(struct part){ UNIT, end - UNIT }, 1);
	KUNIT_EXPECT_EQ(test, take_block(test, range, end - 2 * UNIT), UNIT);
	expect_free(test, range, &(struct part){ end - UNIT, UNIT }, 1);
	KUNIT_EXPECT_EQ(test, try_take(range, 2 * UNIT), -ENOSPC);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), end - UNIT);
	KUNIT_EXPECT_EQ(test, try_take(range, 1), -ENOSPC);
	expect_free(test, range, NULL, 0);
	/* The bump region is at the end, where offsets wrap. */
	put_block(test, range, UNIT, end - 2 * UNIT);
	put_block(test, range, end - UNIT, UNIT);
	expect_free(test, range, &(struct part){ UNIT, end - UNIT }, 1);
	KUNIT_EXPECT_EQ(test, take_block(test, range, end - UNIT), UNIT);
}

static void f4_around_what_32_bits_address(struct kunit *test)
{
	static const u64 capacities[] = {
		ALL - 33, ALL - 32, ALL - 17, ALL - 16, ALL - 15, ALL - 1, ALL,
		ALL + 1, ALL + 15, ALL + 16, 2 * ALL, 1000 * ALL,
	};
	static const u64 firsts[] = { 0, 1, UNIT, ALL / 2, ALL - 33 };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(capacities); i++)
		for (j = 0; j < ARRAY_SIZE(firsts); j++)
			check_capacity(test, capacities[i], firsts[j]);
}

static void f4_beyond_32_bits_it_is_counted(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);
	struct memquota_range *range = &yard->range;
	u64 capacity = ALL - 1;

	KUNIT_EXPECT_EQ(test, memquota_range_add(range, capacity), 0);
	for (; capacity < ALL + 100; capacity++) {
		KUNIT_EXPECT_EQ(test, range->capacity_bytes, capacity);
		KUNIT_EXPECT_EQ(test, exact_total(yard->t), capacity);
		expect_free(test, range, &(struct part){
			UNIT, rounddown(min(capacity, ALL), UNIT) - UNIT }, 1);
		KUNIT_EXPECT_EQ(test, memquota_range_add(range, 1), 0);
	}
}

static void f4_a_capacity_that_would_wrap_is_refused(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 100);

	KUNIT_EXPECT_EQ(test, memquota_range_add(range, SIZE_MAX), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, SIZE_MAX - 99),
			-EOVERFLOW);
	KUNIT_EXPECT_EQ(test, range->capacity_bytes, 100);
	EXPECT_FREE(test, range, { UNIT, 5 * UNIT });
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, SIZE_MAX - 100), 0);
	KUNIT_EXPECT_EQ(test, range->capacity_bytes, SIZE_MAX);
	EXPECT_FREE(test, range, { UNIT, ALL - UNIT });
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 1), -EOVERFLOW);
}

static void f5_what_cannot_fit_changes_nothing(struct kunit *test)
{
	static const u32 sizes[] = {
		9 * UNIT + 1, 10 * UNIT, 11 * UNIT, SZ_1M, U32_MAX / 2,
		U32_MAX - UNIT, U32_MAX - UNIT + 1, U32_MAX - UNIT + 2, U32_MAX,
	};
	struct memquota_range *range = new_range(test, 10 * UNIT);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_EQ(test, try_take(range, sizes[i]), -ENOSPC);
		EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
	}
	/* With the bump region in the middle. */
	range = bump_in_the_middle(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_EQ(test, try_take(range, sizes[i]), -ENOSPC);
		EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT });
		KUNIT_EXPECT_EQ(test, range->bump.start, 5);
	}
}

static void f5_sums_that_would_wrap(struct kunit *test)
{
	struct memquota_range *range = new_range(test, ALL);

	KUNIT_EXPECT_EQ(test, try_take(range, U32_MAX), -ENOSPC);
	KUNIT_EXPECT_EQ(test, try_take(range, U32_MAX - UNIT + 2), -ENOSPC);
	EXPECT_FREE(test, range, { UNIT, ALL - UNIT });
	/* All but one unit; then offset + size is beyond 32 bits. */
	KUNIT_EXPECT_EQ(test, take_block(test, range, ALL - 2 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, try_take(range, 2 * UNIT), -ENOSPC);
	KUNIT_EXPECT_EQ(test, try_take(range, U32_MAX), -ENOSPC);
	EXPECT_FREE(test, range, { ALL - UNIT, UNIT });
}

static void f5_alignment(struct kunit *test)
{
	static const u32 good[] = { 1, 2, 4, 8, 16 };
	static const u32 bad[] = { 0, 3, 5, 12, 15, 17, 24, 32, 4096, BIT(31),
				   U32_MAX };
	struct memquota_range *range = new_range(test, 10 * UNIT);
	u32 offset = 7;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test,
				memquota_range_alloc(range, 1, bad[i], &offset),
				-EINVAL);
		/* -EINVAL comes before -ENOSPC. */
		KUNIT_EXPECT_EQ(test,
				memquota_range_alloc(range, SZ_1M, bad[i],
						     &offset), -EINVAL);
	}
	KUNIT_EXPECT_EQ(test, offset, 7);
	EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ(test,
				memquota_range_alloc(range, 1, good[i],
						     &offset), 0);
		KUNIT_EXPECT_EQ(test, offset % UNIT, 0);
	}
}

static void f5_nothing_is_no_block(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 2 * UNIT);

	KUNIT_EXPECT_EQ(test, try_take(range, 0), -EINVAL);
	EXPECT_FREE(test, range, { UNIT, UNIT });
	take_block(test, range, 1);
	KUNIT_EXPECT_EQ(test, try_take(range, 0), -EINVAL);
}

static void f7_free_blocks_come_in_order(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);
	u32 offset = 0, size = 0;

	put_block(test, range, 7 * UNIT, UNIT);
	put_block(test, range, UNIT, UNIT);
	put_block(test, range, 3 * UNIT, 2 * UNIT);
	EXPECT_FREE(test, range, { UNIT, UNIT }, { 3 * UNIT, 2 * UNIT },
		    { 7 * UNIT, UNIT });
	/* Change the range between the calls. */
	KUNIT_EXPECT_TRUE(test,
			  memquota_range_next_free(range, &offset, &size));
	put_block(test, range, 2 * UNIT, UNIT);
	KUNIT_EXPECT_TRUE(test,
			  memquota_range_next_free(range, &offset, &size));
	KUNIT_EXPECT_EQ(test, offset, 7 * UNIT);
	put_block(test, range, 8 * UNIT, 2 * UNIT);
	KUNIT_EXPECT_FALSE(test,
			   memquota_range_next_free(range, &offset, &size));
	KUNIT_EXPECT_EQ(test, offset, 7 * UNIT);
}

/* Set a field, run the check, and restore the field. */
static void expect_finds(struct kunit *test, struct memquota_range *range,
			 const char *text, void *field, const void *value,
			 size_t size)
{
	const char *found;
	u64 old;

	KUNIT_ASSERT_LE(test, size, sizeof(old));
	memcpy(&old, field, size);
	memcpy(field, value, size);
	found = memquota_range_check(range);
	memcpy(field, &old, size);
	KUNIT_EXPECT_STREQ(test, found ?: "", text);
	KUNIT_EXPECT_PTR_EQ(test, memquota_range_check(range), NULL);
}

#define EXPECT_FINDS(test, range, text, field, value)			\
({									\
	typeof(field) finds_value = (value);				\
									\
	expect_finds(test, range, text, &(field), &finds_value,		\
		     sizeof(finds_value));				\
})

static void f7_the_check_finds_what_is_wrong(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);
	struct memquota_block *low, *high, *bump = &range->bump;

	put_block(test, range, 2 * UNIT, UNIT);
	put_block(test, range, 5 * UNIT, UNIT);
	put_block(test, range, 8 * UNIT, UNIT);
	/* The bump region is empty, at the end. */
	low = rb_entry(rb_first(&range->blocks), struct memquota_block,
		       by_offset);
	high = rb_entry(rb_prev(&bump->by_offset), struct memquota_block,
			by_offset);
	EXPECT_FINDS(test, range, "a free block is empty", low->end, 2);
	EXPECT_FINDS(test, range, "a free block is empty", low->end, 1);
	EXPECT_FINDS(test, range, "a free block is out of bounds", low->start,
		     0);
	EXPECT_FINDS(test, range, "a free block is out of bounds", bump->end,
		     11);
	EXPECT_FINDS(test, range, "free blocks overlap, or are out of order",
		     high->start, 4);
	EXPECT_FINDS(test, range, "free blocks touch", bump->start, 9);
	EXPECT_FINDS(test, range, "a free block is not in its bin", high->end,
		     10);
	EXPECT_FINDS(test, range, "a free block is not in its bin", low->key,
		     1);
	EXPECT_FINDS(test, range, "a free block is not in its bin", low->start,
		     1);
	EXPECT_FINDS(test, range, "what is below the bump region is not known",
		     range->below, 8);
	EXPECT_FINDS(test, range, "the bins do not agree with the free blocks",
		     range->filled[0], 0);
	EXPECT_FINDS(test, range, "the bins do not agree with the free blocks",
		     range->filled[0], 3);
	EXPECT_FINDS(test, range, "the bins do not agree with the free blocks",
		     range->bins[0].rb_leftmost, &high->by_length);
	EXPECT_FINDS(test, range, "too few records are set aside",
		     range->spare, NULL);
	EXPECT_FINDS(test, range, "too few records are set aside",
		     range->credit, S8_MAX);
}

#ifdef CONFIG_MEMQUOTA_DEBUG
static void f7_freeing_what_is_not_allocated_is_caught(struct kunit *test)
{
	static const struct part bad[] = {
		{ 0, 1 }, { 0, UNIT },			/* no block starts at 0 */
		{ 2 * UNIT, UNIT }, { 2 * UNIT, 5 },	/* free */
		{ 1 * UNIT, 2 * UNIT }, { 1 * UNIT, 3 * UNIT },
		{ 1 * UNIT, 9 * UNIT },
		{ 5 * UNIT, UNIT }, { 6 * UNIT, UNIT },	/* the bump region */
		{ 4 * UNIT, UNIT + 1 }, { 6 * UNIT, 2 * UNIT },
		{ 3 * UNIT, 8 },		/* freed already */
		{ 9 * UNIT, 2 * UNIT }, { 10 * UNIT, UNIT },	/* outside */
		{ 9 * UNIT, U32_MAX }, { ALL - UNIT, UNIT },
		{ 7 * UNIT + 1, 1 }, { 7 * UNIT + 8, UNIT },
		{ 7 * UNIT, 0 },
	};
	struct memquota_range *range;
	unsigned int i;

	needs_warnings(test);
	range = bump_in_the_middle(test);
	put_block(test, range, 2 * UNIT, 2 * UNIT);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		kunit_warning_suppress(test) {
			memquota_range_free(range, bad[i].offset, bad[i].size);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
		EXPECT_FREE(test, range, { 2 * UNIT, 2 * UNIT },
			    { 5 * UNIT, 2 * UNIT });
	}
}

static void f7_the_check_runs_after_each_operation(struct kunit *test)
{
	struct memquota_range *range;
	u32 below;

	needs_warnings(test);
	range = bump_in_the_middle(test);
	below = range->below;
	range->below = 1;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, try_take(range, UNIT), 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		memquota_range_free(range, 5 * UNIT, UNIT);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
		KUNIT_EXPECT_EQ(test, memquota_range_add(range, 1), 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 3);
	}
	range->below = below;
}
#endif

static void f8_capacity_is_charged(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);
	struct memquota_range *range = &yard->range;

	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 100001), 0);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 100001);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 7), 0);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 100008);
	/* Allocating charges nothing. */
	take_block(test, range, 1000);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 100008);
	memquota_range_destroy(range);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 0);
	KUNIT_EXPECT_EQ(test, memquota_held(&yard->p), 0);
	memquota_range_init(range, &yard->p, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, memquota_range_add(range, 5), 0);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 5);
}

static void expect_refused(struct kunit *test, struct yard *yard, int err,
			   size_t bytes)
{
	u64 total = exact_total(yard->t);

	KUNIT_EXPECT_EQ(test, memquota_range_add(&yard->range, bytes), err);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), total);
	KUNIT_EXPECT_EQ(test, yard->range.capacity_bytes, SZ_64K);
	EXPECT_FREE(test, &yard->range, { UNIT, SZ_64K - UNIT });
}

static void f8_a_refused_charge_adds_none(struct kunit *test)
{
	struct yard *yard = charged_yard(test, &(struct memquota_limits){
		.max = SZ_1M, .high = SZ_1M, .low_water = SZ_512K });

	KUNIT_EXPECT_EQ(test, memquota_range_add(&yard->range, SZ_64K), 0);
	/* The tracker's max. */
	expect_refused(test, yard, -EDQUOT, SZ_1M);
	/* The account's. */
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(yard->account, SZ_128K),
			0);
	expect_refused(test, yard, -EDQUOT, SZ_64K + 1);
	/* The counter would wrap. */
	expect_refused(test, yard, -EOVERFLOW, SIZE_MAX);
	KUNIT_EXPECT_EQ(test, memquota_range_add(&yard->range, SZ_64K), 0);
	EXPECT_FREE(test, &yard->range, { UNIT, SZ_128K - UNIT });
}

static void f8_a_closed_account_adds_none(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);

	KUNIT_EXPECT_EQ(test, memquota_range_add(&yard->range, SZ_64K), 0);
	put_account(test, yard->account);
	memquota_tracker_drain(yard->t);
	expect_refused(test, yard, -ESTALE, SZ_64K);
	/* Existing capacity stays usable. */
	KUNIT_EXPECT_EQ(test, take_block(test, &yard->range, SZ_4K), UNIT);
}

/* The bulk functions of the slab need interrupts on. */
static void x1_with_interrupts_off(struct kunit *test)
{
	struct yard *yard = new_yard(test, GFP_ATOMIC);
	struct memquota_range *range = &yard->range;
	unsigned int i;
	int err;

	KUNIT_ASSERT_EQ(test, memquota_range_add(range, SZ_64K), 0);
	begin_atomic();
	for (i = 0, err = 0; i < 300 && !err; i++)
		err = try_take(range, UNIT);
	for (; i; i--)
		memquota_range_free(range, (301 - i) * UNIT, UNIT);
	KUNIT_EXPECT_EQ(test, irqs_disabled(),
			!IS_ENABLED(CONFIG_PREEMPT_RT));
	end_atomic();
	KUNIT_EXPECT_EQ(test, err, 0);
	EXPECT_FREE(test, range, { UNIT, SZ_64K - UNIT });
}

static struct kunit_case cases[] = {
	KUNIT_CASE(f1_offsets_are_units_and_never_zero),
	KUNIT_CASE(f1_sizes_are_rounded_up),
	KUNIT_CASE(f2_the_bump_region_comes_first),
	KUNIT_CASE(f2_what_is_left_of_it_goes_back),
	KUNIT_CASE(f2_the_smallest_that_fits_the_lowest_of_equals),
	KUNIT_CASE(f2_among_long_blocks_as_well),
#ifdef CONFIG_FAILSLAB
	KUNIT_CASE(f5_without_memory_nothing_changes),
#endif
	KUNIT_CASE(f4_a_byte_at_a_time),
	KUNIT_CASE(f4_capacity_comes_while_blocks_are_live),
	KUNIT_CASE(f4_new_capacity_merges_at_the_end),
	KUNIT_CASE(f4_around_what_32_bits_address),
	KUNIT_CASE(f4_beyond_32_bits_it_is_counted),
	KUNIT_CASE(f4_a_capacity_that_would_wrap_is_refused),
	KUNIT_CASE(f5_what_cannot_fit_changes_nothing),
	KUNIT_CASE(f5_sums_that_would_wrap),
	KUNIT_CASE(f5_alignment),
	KUNIT_CASE(f5_nothing_is_no_block),
	KUNIT_CASE(f7_free_blocks_come_in_order),
	KUNIT_CASE(f7_the_check_finds_what_is_wrong),
#ifdef CONFIG_MEMQUOTA_DEBUG
	KUNIT_CASE(f7_freeing_what_is_not_allocated_is_caught),
	KUNIT_CASE(f7_the_check_runs_after_each_operation),
#endif
	KUNIT_CASE(f8_capacity_is_charged),
	KUNIT_CASE(f8_a_refused_charge_adds_none),
	KUNIT_CASE(f8_a_closed_account_adds_none),
	KUNIT_CASE(x1_with_interrupts_off),
	{}
};

MEMQUOTA_SUITE(memquota_range, cases);
