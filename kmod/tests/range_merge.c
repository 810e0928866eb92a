// SPDX-License-Identifier: GPL-2.0
/* How free blocks of a range merge: rule F3. */
#include "range_helpers.h"

/* Three blocks of different sizes; what follows them is free, or allocated. */
static void free_in_order(struct kunit *test, const unsigned int *order,
			  unsigned int nr, bool rest_is_free)
{
	struct memquota_range *range = new_range(test, 10 * UNIT);
	u32 offsets[3], rest = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		offsets[i] = take_block(test, range, (i + 1) * UNIT);
	if (!rest_is_free)
		rest = take_block(test, range, (9 - nr * (nr + 1) / 2) * UNIT);
	for (i = 0; i < nr; i++)
		put_block(test, range, offsets[order[i]],
			  (order[i] + 1) * UNIT);
	if (rest)
		put_block(test, range, rest, 10 * UNIT - rest);
	EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
}

static void f3_all_orders_of_two_and_three(struct kunit *test)
{
	static const unsigned int twos[][2] = { { 0, 1 }, { 1, 0 } };
	static const unsigned int threes[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(twos); i++) {
		free_in_order(test, twos[i], 2, true);
		free_in_order(test, twos[i], 2, false);
	}
	for (i = 0; i < ARRAY_SIZE(threes); i++) {
		free_in_order(test, threes[i], 3, true);
		free_in_order(test, threes[i], 3, false);
	}
}

static void f3_one_after_the_other(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 10 * UNIT);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), UNIT);
		put_block(test, range, UNIT, UNIT);
		EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
	}
}

static void f3_blocks_merge_with_both_neighbours(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);

	put_block(test, range, 2 * UNIT, UNIT);
	put_block(test, range, 6 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, UNIT }, { 6 * UNIT, UNIT });
	put_block(test, range, 3 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 2 * UNIT }, { 6 * UNIT, UNIT });
	put_block(test, range, 5 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 2 * UNIT }, { 5 * UNIT, 2 * UNIT });
	put_block(test, range, 4 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 5 * UNIT });
}

static void f3_the_bump_region_merges_below(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	put_block(test, range, 4 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 4 * UNIT, 3 * UNIT });
	put_block(test, range, 2 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, UNIT }, { 4 * UNIT, 3 * UNIT });
	put_block(test, range, 3 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 5 * UNIT });
	/* The bump region has grown to all of it. */
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), 2 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 4 * UNIT), 3 * UNIT);
}

static void f3_the_bump_region_merges_above(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	put_block(test, range, 7 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 3 * UNIT });
	put_block(test, range, 9 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 3 * UNIT }, { 9 * UNIT, UNIT });
	put_block(test, range, 8 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 5 * UNIT });
	KUNIT_EXPECT_EQ(test, take_block(test, range, 5 * UNIT), 5 * UNIT);
}

static void f3_an_empty_bump_region_merges(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	KUNIT_EXPECT_EQ(test, take_block(test, range, 2 * UNIT), 5 * UNIT);
	expect_free(test, range, NULL, 0);
	/* The empty bump region stands between 6 and 7. */
	put_block(test, range, 7 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 7);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), 7 * UNIT);
	put_block(test, range, 7 * UNIT, UNIT);
	put_block(test, range, 5 * UNIT, 2 * UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 3 * UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 5);
}

/* The rest of the old bump region must not be lost. */
static void f3_the_old_bump_region_merges(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 20 * UNIT);

	KUNIT_EXPECT_EQ(test, take_block(test, range, 10 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, 4 * UNIT), 11 * UNIT);
	put_block(test, range, UNIT, 10 * UNIT);
	/* From the block of 10; 5 units at 15 go back. */
	KUNIT_EXPECT_EQ(test, take_block(test, range, 6 * UNIT), UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, 4 * UNIT }, { 15 * UNIT, 5 * UNIT });
	put_block(test, range, 11 * UNIT, 4 * UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, 13 * UNIT });
	KUNIT_EXPECT_EQ(test, take_block(test, range, 13 * UNIT), 7 * UNIT);
}

static void f3_no_more_than_two_units_are_lost(struct kunit *test)
{
	static const u32 capacities[] = { 32, 33, 47, 48, 1000, 4095, 4096, 4097 };
	struct memquota_range *range;
	u32 offset, size;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		range = new_range(test, capacities[i]);
		while (!memquota_range_alloc(range, 5, 1, &offset))
			;
		for (offset = UNIT; offset + UNIT <= capacities[i];
		     offset += 2 * UNIT)
			put_block(test, range, offset, 5);
		for (offset = 2 * UNIT; offset + UNIT <= capacities[i];
		     offset += 2 * UNIT)
			put_block(test, range, offset, 5);
		offset = 0;
		size = 0;
		KUNIT_EXPECT_TRUE(test, memquota_range_next_free(range, &offset,
								 &size));
		KUNIT_EXPECT_GT(test, size + 2 * UNIT, capacities[i]);
		KUNIT_EXPECT_FALSE(test,
				   memquota_range_next_free(range, &offset,
							    &size));
	}
}

/* The number of records that are set aside stays bounded. */
static void f3_records_are_given_back(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 0);
	unsigned int i, pass;

	KUNIT_ASSERT_EQ(test, memquota_range_add(range, 501 * UNIT), 0);
	for (pass = 0; pass < 3; pass++) {
		for (i = 1; i <= 500; i++)
			KUNIT_EXPECT_EQ(test, try_take(range, UNIT), 0);
		KUNIT_EXPECT_GE(test, count_spare(range), 500);
		for (i = 1; i <= 500; i++) {
			u32 at = pass == 0 ? i : pass == 1 ? 501 - i :
				 i * 7 % 501;

			memquota_range_free(range, at * UNIT, UNIT);
		}
		KUNIT_EXPECT_LE(test, count_spare(range), S8_MAX);
		EXPECT_FREE(test, range, { UNIT, 500 * UNIT });
	}
}

#ifdef CONFIG_FAILSLAB
static void f3_freeing_works_without_memory(struct kunit *test)
{
	struct yard *yard = new_yard(test, GFP_NOWAIT | __GFP_NOWARN);
	struct memquota_range *range = &yard->range;
	unsigned int i, nr = 0;

	KUNIT_ASSERT_EQ(test, memquota_range_add(range, 1000 * UNIT), 0);
	/* No record is set aside yet. */
	KUNIT_EXPECT_EQ(test, take_without_memory(range, UNIT), -ENOMEM);
	EXPECT_FREE(test, range, { UNIT, 999 * UNIT });
	for (i = 0; i < 100; i++)
		take_block(test, range, UNIT);
	while (!take_without_memory(range, UNIT))
		nr++;
	nr += 100;
	KUNIT_EXPECT_LT(test, nr, 500);
	KUNIT_EXPECT_EQ(test, take_without_memory(range, UNIT), -ENOMEM);
	/* The bump region has not moved. */
	KUNIT_EXPECT_EQ(test, range->bump.start, nr + 1);
	expect_free(test, range,
		    &(struct part){ (nr + 1) * UNIT, (999 - nr) * UNIT }, 1);
	start_failing(1);
	for (i = 2; i <= nr; i += 2)
		memquota_range_free(range, i * UNIT, UNIT);
	for (i = 1; i <= nr; i += 2)
		memquota_range_free(range, i * UNIT, UNIT);
	/* No allocation was tried, or it would have failed. */
	KUNIT_EXPECT_FALSE(test, stop_failing());
	EXPECT_FREE(test, range, { UNIT, 999 * UNIT });
}
#endif

static struct kunit_case cases[] = {
	KUNIT_CASE(f3_all_orders_of_two_and_three),
	KUNIT_CASE(f3_one_after_the_other),
	KUNIT_CASE(f3_blocks_merge_with_both_neighbours),
	KUNIT_CASE(f3_the_bump_region_merges_below),
	KUNIT_CASE(f3_the_bump_region_merges_above),
	KUNIT_CASE(f3_an_empty_bump_region_merges),
	KUNIT_CASE(f3_the_old_bump_region_merges),
	KUNIT_CASE(f3_no_more_than_two_units_are_lost),
	KUNIT_CASE(f3_records_are_given_back),
#ifdef CONFIG_FAILSLAB
	KUNIT_CASE(f3_freeing_works_without_memory),
#endif
	{}
};

MEMQUOTA_SUITE(memquota_range_merge, cases);
