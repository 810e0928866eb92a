// SPDX-License-Identifier: GPL-2.0
/* Range allocators: rules F1 to F8. */
#include <linux/bitmap.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <memquota/range.h>
#include "harness.h"

#define UNIT		MEMQUOTA_RANGE_UNIT
#define ALL		((u64)1 << 32)	/* what 32 bits address */

/* A range, and a participant that its capacity can be charged to. */
struct yard {
	struct memquota_range range;
	struct memquota_participant p;
	struct memquota_account *account;
	struct memquota_tracker *t;
};

struct part {
	u32 offset;
	u32 size;
};

static void close_yard(void *data)
{
	struct yard *yard = data;

	memquota_range_destroy(&yard->range);
	memquota_leave(&yard->p);
}

static struct yard *new_yard(struct kunit *test, gfp_t gfp)
{
	struct yard *yard = kunit_kzalloc(test, sizeof(*yard), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, yard);
	memquota_range_init(&yard->range, NULL, gfp);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, close_yard, yard));
	return yard;
}

/* A range that is charged to nobody. */
static struct memquota_range *new_range(struct kunit *test, size_t bytes)
{
	struct yard *yard = new_yard(test, GFP_KERNEL);

	KUNIT_ASSERT_EQ(test, 0, memquota_range_add(&yard->range, bytes));
	return &yard->range;
}

static void plain_reclaim(struct memquota_participant *p,
			  const struct memquota_request *request)
{
}

static const struct memquota_ops plain_ops = {
	.reclaim = plain_reclaim,
	.owner = THIS_MODULE,
};

static struct yard *charged_yard(struct kunit *test,
				 const struct memquota_limits *limits)
{
	struct yard *yard = new_yard(test, GFP_KERNEL);

	yard->t = new_tracker(test, limits);
	yard->account = new_account(test, yard->t, NULL);
	KUNIT_ASSERT_EQ(test, 0,
			memquota_join_account(&yard->p, yard->account,
					      &plain_ops, GFP_KERNEL, "yard"));
	memquota_range_init(&yard->range, &yard->p, GFP_KERNEL);
	return yard;
}

static u32 take(struct kunit *test, struct memquota_range *range, u32 size)
{
	u32 offset = 0;

	KUNIT_EXPECT_EQ(test, 0, memquota_range_alloc(range, size, 1, &offset));
	KUNIT_EXPECT_PTR_EQ(test, memquota_range_check(range), NULL);
	return offset;
}

static void put(struct kunit *test, struct memquota_range *range, u32 offset,
		u32 size)
{
	memquota_range_free(range, offset, size);
	KUNIT_EXPECT_PTR_EQ(test, memquota_range_check(range), NULL);
}

static int try_take(struct memquota_range *range, u32 size)
{
	u32 offset;

	return memquota_range_alloc(range, size, 1, &offset);
}

/* The free blocks are these, in this order. */
static void expect_free(struct kunit *test, struct memquota_range *range,
			const struct part *parts, unsigned int nr)
{
	u32 offset = 0, size = 0;
	unsigned int i;

	KUNIT_EXPECT_PTR_EQ(test, memquota_range_check(range), NULL);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_TRUE(test, memquota_range_next_free(range, &offset,
								 &size));
		KUNIT_EXPECT_EQ(test, offset, parts[i].offset);
		KUNIT_EXPECT_EQ(test, size, parts[i].size);
	}
	KUNIT_EXPECT_FALSE(test, memquota_range_next_free(range, &offset, &size));
}

#define EXPECT_FREE(test, range, ...)					\
({									\
	static const struct part parts[] = { __VA_ARGS__ };		\
									\
	expect_free(test, range, parts, ARRAY_SIZE(parts));		\
})

static unsigned int nr_spare(const struct memquota_range *range)
{
	const struct memquota_block *b;
	unsigned int n = 0;

	for (b = range->spare; b; b = b->spare)
		n++;
	return n;
}

static void f1_offsets_are_units_and_never_zero(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 64 * UNIT);
	unsigned int i;

	for (i = 1; i < 64; i++)
		KUNIT_EXPECT_EQ(test, take(test, range, 1 + i % UNIT), i * UNIT);
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
	expect_free(test, range, NULL, 0);
}

static void f1_sizes_are_rounded_up(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 64 * UNIT);

	KUNIT_EXPECT_EQ(test, take(test, range, 1), 1 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), 2 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT + 1), 3 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 2 * UNIT), 5 * UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, 57 * UNIT });
	/* What was rounded up comes back whole. */
	put(test, range, 3 * UNIT, UNIT + 1);
	EXPECT_FREE(test, range, { 3 * UNIT, 2 * UNIT }, { 7 * UNIT, 57 * UNIT });
}

/* A block for each size, one unit apart; then the bump region is empty. */
static void fill_with_holes(struct kunit *test, struct memquota_range *range,
			    const u32 *units, unsigned int nr)
{
	u32 holes[8], all = 0;
	unsigned int i;

	KUNIT_ASSERT_LE(test, nr, ARRAY_SIZE(holes));
	for (i = 0; i < nr; i++)
		all += units[i] + 1;
	KUNIT_ASSERT_EQ(test, 0, memquota_range_add(range, (all + 1) * UNIT));
	for (i = 0; i < nr; i++) {
		holes[i] = take(test, range, units[i] * UNIT);
		take(test, range, UNIT);
	}
	expect_free(test, range, NULL, 0);
	for (i = 0; i < nr; i++)
		put(test, range, holes[i], units[i] * UNIT);
}

static void f2_the_bump_region_comes_first(struct kunit *test)
{
	static const u32 units[] = { 9, 2, 3 };
	struct memquota_range *range = new_range(test, 0);

	fill_with_holes(test, range, units, 3);
	/* Of 9 units, at 1; 2 and 3 units, that would fit better, can wait. */
	KUNIT_EXPECT_EQ(test, take(test, range, 5 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 2 * UNIT), 6 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 2 * UNIT), 8 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 2 * UNIT), 11 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 3 * UNIT), 14 * UNIT);
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
}

static void f2_what_is_left_of_it_goes_back(struct kunit *test)
{
	static const u32 units[] = { 5, 9, 4 };
	struct memquota_range *range = new_range(test, 0);

	fill_with_holes(test, range, units, 3);
	KUNIT_EXPECT_EQ(test, take(test, range, 5 * UNIT), 1 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 5 * UNIT), 7 * UNIT);
	EXPECT_FREE(test, range, { 12 * UNIT, 4 * UNIT }, { 17 * UNIT, 4 * UNIT });
	/* Both are of 4 units; the bump region, used up, is the first. */
	KUNIT_EXPECT_EQ(test, take(test, range, 1 * UNIT), 12 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 4 * UNIT), 17 * UNIT);
	EXPECT_FREE(test, range, { 13 * UNIT, 3 * UNIT });
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 4 * UNIT));
	KUNIT_EXPECT_EQ(test, take(test, range, 3 * UNIT), 13 * UNIT);
}

static void f2_the_smallest_that_fits_the_lowest_of_equals(struct kunit *test)
{
	static const u32 units[] = { 5, 3, 4, 3, 2 };
	struct memquota_range *range = new_range(test, 0);

	fill_with_holes(test, range, units, 5);
	KUNIT_EXPECT_EQ(test, take(test, range, 3 * UNIT), 7 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 3 * UNIT), 16 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 3 * UNIT), 11 * UNIT);
	/* One unit is left of that; of the others 2 is the smallest. */
	KUNIT_EXPECT_EQ(test, take(test, range, 2 * UNIT), 20 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 1 * UNIT), 14 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 1 * UNIT), 1 * UNIT);
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
		/* Whatever the bump region has that would do is taken first. */
		while (range->bump.end - range->bump.start >= takes[i].units)
			take(test, range, takes[i].units * UNIT);
		KUNIT_EXPECT_EQ(test, take(test, range, takes[i].units * UNIT),
				takes[i].at * UNIT);
	}
}

/* Three blocks of different sizes; what follows them is free, or allocated. */
static void free_in_order(struct kunit *test, const unsigned int *order,
			  unsigned int nr, bool rest_is_free)
{
	struct memquota_range *range = new_range(test, 10 * UNIT);
	u32 offsets[3], rest = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		offsets[i] = take(test, range, (i + 1) * UNIT);
	if (!rest_is_free)
		rest = take(test, range, (9 - nr * (nr + 1) / 2) * UNIT);
	for (i = 0; i < nr; i++)
		put(test, range, offsets[order[i]], (order[i] + 1) * UNIT);
	if (rest)
		put(test, range, rest, 10 * UNIT - rest);
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
		KUNIT_EXPECT_EQ(test, take(test, range, UNIT), UNIT);
		put(test, range, UNIT, UNIT);
		EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
	}
}

/* One unit each: a, b, c, ... at 1, 2, 3, ... */
static struct memquota_range *full_range(struct kunit *test, unsigned int nr)
{
	struct memquota_range *range = new_range(test, (nr + 1) * UNIT);
	unsigned int i;

	for (i = 1; i <= nr; i++)
		KUNIT_EXPECT_EQ(test, take(test, range, UNIT), i * UNIT);
	return range;
}

static void f3_blocks_merge_with_both_neighbours(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);

	put(test, range, 2 * UNIT, UNIT);
	put(test, range, 6 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, UNIT }, { 6 * UNIT, UNIT });
	put(test, range, 3 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 2 * UNIT }, { 6 * UNIT, UNIT });
	put(test, range, 5 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 2 * UNIT }, { 5 * UNIT, 2 * UNIT });
	put(test, range, 4 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 5 * UNIT });
}

/* The bump region is what is left of a block in the middle: 5 to 6. */
static struct memquota_range *bump_in_the_middle(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);

	put(test, range, 4 * UNIT, 3 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), 4 * UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 5);
	return range;
}

static void f3_the_bump_region_merges_below(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	put(test, range, 4 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 4 * UNIT, 3 * UNIT });
	put(test, range, 2 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, UNIT }, { 4 * UNIT, 3 * UNIT });
	put(test, range, 3 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 2 * UNIT, 5 * UNIT });
	/* All of it is the bump region. */
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), 2 * UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 4 * UNIT), 3 * UNIT);
}

static void f3_the_bump_region_merges_above(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	put(test, range, 7 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 3 * UNIT });
	put(test, range, 9 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 3 * UNIT }, { 9 * UNIT, UNIT });
	put(test, range, 8 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 5 * UNIT });
	KUNIT_EXPECT_EQ(test, take(test, range, 5 * UNIT), 5 * UNIT);
}

static void f3_an_empty_bump_region_merges(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	KUNIT_EXPECT_EQ(test, take(test, range, 2 * UNIT), 5 * UNIT);
	expect_free(test, range, NULL, 0);
	/* It stands between 6 and 7. */
	put(test, range, 7 * UNIT, UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 7);
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), 7 * UNIT);
	put(test, range, 7 * UNIT, UNIT);
	put(test, range, 5 * UNIT, 2 * UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 3 * UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 5);
}

/* What is left of the old bump region must not be lost among its neighbours. */
static void f3_the_old_bump_region_merges(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 20 * UNIT);

	KUNIT_EXPECT_EQ(test, take(test, range, 10 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, take(test, range, 4 * UNIT), 11 * UNIT);
	put(test, range, UNIT, 10 * UNIT);
	/* From the block of 10; 5 units at 15 go back. */
	KUNIT_EXPECT_EQ(test, take(test, range, 6 * UNIT), UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, 4 * UNIT }, { 15 * UNIT, 5 * UNIT });
	put(test, range, 11 * UNIT, 4 * UNIT);
	EXPECT_FREE(test, range, { 7 * UNIT, 13 * UNIT });
	KUNIT_EXPECT_EQ(test, take(test, range, 13 * UNIT), 7 * UNIT);
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
			put(test, range, offset, 5);
		for (offset = 2 * UNIT; offset + UNIT <= capacities[i];
		     offset += 2 * UNIT)
			put(test, range, offset, 5);
		offset = 0;
		size = 0;
		KUNIT_EXPECT_TRUE(test, memquota_range_next_free(range, &offset,
								 &size));
		KUNIT_EXPECT_GT(test, size + 2 * UNIT, capacities[i]);
		KUNIT_EXPECT_FALSE(test, memquota_range_next_free(range, &offset,
								  &size));
	}
}

/* Blocks come and go; what stays set aside is bounded. */
static void f3_records_are_given_back(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 0);
	unsigned int i, pass;

	KUNIT_ASSERT_EQ(test, 0, memquota_range_add(range, 501 * UNIT));
	for (pass = 0; pass < 3; pass++) {
		for (i = 1; i <= 500; i++)
			KUNIT_EXPECT_EQ(test, 0, try_take(range, UNIT));
		KUNIT_EXPECT_GE(test, nr_spare(range), 500);
		for (i = 1; i <= 500; i++) {
			u32 at = pass == 0 ? i : pass == 1 ? 501 - i :
				 i * 7 % 501;

			memquota_range_free(range, at * UNIT, UNIT);
		}
		KUNIT_EXPECT_LE(test, nr_spare(range), S8_MAX);
		EXPECT_FREE(test, range, { UNIT, 500 * UNIT });
	}
}

#ifdef CONFIG_FAILSLAB
static int take_without_memory(struct memquota_range *range, u32 size)
{
	int err;

	current->fail_nth = 1;
	err = try_take(range, size);
	current->fail_nth = 0;
	return err;
}

static void f3_freeing_works_without_memory(struct kunit *test)
{
	struct yard *yard = new_yard(test, GFP_NOWAIT | __GFP_NOWARN);
	struct memquota_range *range = &yard->range;
	unsigned int i, nr = 0;

	KUNIT_ASSERT_EQ(test, 0, memquota_range_add(range, 1000 * UNIT));
	/* Nothing is set aside yet. */
	KUNIT_EXPECT_EQ(test, -ENOMEM, take_without_memory(range, UNIT));
	EXPECT_FREE(test, range, { UNIT, 999 * UNIT });
	for (i = 0; i < 100; i++)
		take(test, range, UNIT);
	while (!take_without_memory(range, UNIT))
		nr++;
	nr += 100;
	KUNIT_EXPECT_LT(test, nr, 500);
	KUNIT_EXPECT_EQ(test, -ENOMEM, take_without_memory(range, UNIT));
	/* Not even from a block that is not the bump region. */
	KUNIT_EXPECT_EQ(test, range->bump.start, nr + 1);
	expect_free(test, range,
		    &(struct part){ (nr + 1) * UNIT, (999 - nr) * UNIT }, 1);
	current->fail_nth = 1;
	for (i = 2; i <= nr; i += 2)
		memquota_range_free(range, i * UNIT, UNIT);
	for (i = 1; i <= nr; i += 2)
		memquota_range_free(range, i * UNIT, UNIT);
	/* Nobody asked for memory, or it would count. */
	KUNIT_EXPECT_EQ(test, current->fail_nth, 1);
	current->fail_nth = 0;
	EXPECT_FREE(test, range, { UNIT, 999 * UNIT });
}

static void f5_without_memory_nothing_changes(struct kunit *test)
{
	static const u32 units[] = { 5, 3, 4 };
	struct yard *yard = new_yard(test, GFP_NOWAIT | __GFP_NOWARN);
	struct memquota_range *range = &yard->range;

	fill_with_holes(test, range, units, 3);
	/* As if as many blocks again were allocated elsewhere. */
	range->credit = 0;
	KUNIT_EXPECT_EQ(test, -ENOMEM, take_without_memory(range, 3 * UNIT));
	KUNIT_EXPECT_EQ(test, -ENOMEM, take_without_memory(range, 1 * UNIT));
	EXPECT_FREE(test, range, { 1 * UNIT, 5 * UNIT }, { 7 * UNIT, 3 * UNIT },
		    { 11 * UNIT, 4 * UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 16);
	/* What does not fit is told before memory is looked for. */
	KUNIT_EXPECT_EQ(test, -ENOSPC, take_without_memory(range, SZ_1M));
	KUNIT_EXPECT_EQ(test, 0, try_take(range, 3 * UNIT));
}
#endif

static void f4_a_byte_at_a_time(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);
	struct memquota_range *range = &yard->range;
	unsigned int i;

	for (i = 1; i <= 10 * UNIT; i++) {
		KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 1));
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

	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, UNIT));
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, UNIT - 1));
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, UNIT));
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), 2 * UNIT);
	put(test, range, UNIT, UNIT);
	put(test, range, 2 * UNIT, UNIT);
	EXPECT_FREE(test, range, { UNIT, 2 * UNIT });
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, UNIT));
	EXPECT_FREE(test, range, { UNIT, 3 * UNIT });
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 0));
	EXPECT_FREE(test, range, { UNIT, 3 * UNIT });
}

static void f4_new_capacity_merges_at_the_end(struct kunit *test)
{
	struct memquota_range *range = bump_in_the_middle(test);

	/* The last block is allocated. */
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, UNIT));
	EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT }, { 10 * UNIT, UNIT });
	/* It is free. */
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 2 * UNIT));
	EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT }, { 10 * UNIT, 3 * UNIT });
	/* It is the bump region. */
	put(test, range, 7 * UNIT, 3 * UNIT);
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 3 * UNIT));
	EXPECT_FREE(test, range, { 5 * UNIT, 11 * UNIT });
	KUNIT_EXPECT_EQ(test, take(test, range, 11 * UNIT), 5 * UNIT);
	/* That is empty. */
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, UNIT));
	EXPECT_FREE(test, range, { 16 * UNIT, UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 16);
}

/* What such a capacity gives, however it comes. */
static void check_capacity(struct kunit *test, u64 capacity, u64 first)
{
	struct memquota_range *range = new_range(test, first);
	u64 end = rounddown(min(capacity, ALL), UNIT);

	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, capacity - first));
	KUNIT_EXPECT_EQ(test, range->capacity_bytes, capacity);
	expect_free(test, range, &(struct part){ UNIT, end - UNIT }, 1);
	KUNIT_EXPECT_EQ(test, take(test, range, end - 2 * UNIT), UNIT);
	expect_free(test, range, &(struct part){ end - UNIT, UNIT }, 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 2 * UNIT));
	KUNIT_EXPECT_EQ(test, take(test, range, UNIT), end - UNIT);
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 1));
	expect_free(test, range, NULL, 0);
	/* The bump region is at the very end, where offsets wrap. */
	put(test, range, UNIT, end - 2 * UNIT);
	put(test, range, end - UNIT, UNIT);
	expect_free(test, range, &(struct part){ UNIT, end - UNIT }, 1);
	KUNIT_EXPECT_EQ(test, take(test, range, end - UNIT), UNIT);
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

	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, capacity));
	for (; capacity < ALL + 100; capacity++) {
		KUNIT_EXPECT_EQ(test, range->capacity_bytes, capacity);
		KUNIT_EXPECT_EQ(test, exact_total(yard->t), capacity);
		expect_free(test, range, &(struct part){
			UNIT, rounddown(min(capacity, ALL), UNIT) - UNIT }, 1);
		KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 1));
	}
}

static void f4_a_capacity_that_would_wrap_is_refused(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 100);

	KUNIT_EXPECT_EQ(test, -EOVERFLOW, memquota_range_add(range, SIZE_MAX));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, memquota_range_add(range, SIZE_MAX - 99));
	KUNIT_EXPECT_EQ(test, range->capacity_bytes, 100);
	EXPECT_FREE(test, range, { UNIT, 5 * UNIT });
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, SIZE_MAX - 100));
	KUNIT_EXPECT_EQ(test, range->capacity_bytes, SIZE_MAX);
	EXPECT_FREE(test, range, { UNIT, ALL - UNIT });
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, memquota_range_add(range, 1));
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
		KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, sizes[i]));
		EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
	}
	/* With the bump region anywhere. */
	range = bump_in_the_middle(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, sizes[i]));
		EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT });
		KUNIT_EXPECT_EQ(test, range->bump.start, 5);
	}
}

static void f5_sums_that_would_wrap(struct kunit *test)
{
	struct memquota_range *range = new_range(test, ALL);

	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, U32_MAX));
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, U32_MAX - UNIT + 2));
	EXPECT_FREE(test, range, { UNIT, ALL - UNIT });
	/* All but one unit; then offset + size is beyond 32 bits. */
	KUNIT_EXPECT_EQ(test, take(test, range, ALL - 2 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, 2 * UNIT));
	KUNIT_EXPECT_EQ(test, -ENOSPC, try_take(range, U32_MAX));
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
		KUNIT_EXPECT_EQ(test, -EINVAL,
				memquota_range_alloc(range, 1, bad[i], &offset));
		/* Before it is found that nothing fits. */
		KUNIT_EXPECT_EQ(test, -EINVAL,
				memquota_range_alloc(range, SZ_1M, bad[i],
						     &offset));
	}
	KUNIT_EXPECT_EQ(test, offset, 7);
	EXPECT_FREE(test, range, { UNIT, 9 * UNIT });
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ(test, 0,
				memquota_range_alloc(range, 1, good[i], &offset));
		KUNIT_EXPECT_EQ(test, offset % UNIT, 0);
	}
}

static void f5_nothing_is_no_block(struct kunit *test)
{
	struct memquota_range *range = new_range(test, 2 * UNIT);

	KUNIT_EXPECT_EQ(test, -EINVAL, try_take(range, 0));
	EXPECT_FREE(test, range, { UNIT, UNIT });
	take(test, range, 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, try_take(range, 0));
}

static void f7_free_blocks_come_in_order(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);
	u32 offset = 0, size = 0;

	put(test, range, 7 * UNIT, UNIT);
	put(test, range, UNIT, UNIT);
	put(test, range, 3 * UNIT, 2 * UNIT);
	EXPECT_FREE(test, range, { UNIT, UNIT }, { 3 * UNIT, 2 * UNIT },
		    { 7 * UNIT, UNIT });
	/* It changes while it is gone through. */
	KUNIT_EXPECT_TRUE(test, memquota_range_next_free(range, &offset, &size));
	put(test, range, 2 * UNIT, UNIT);
	KUNIT_EXPECT_TRUE(test, memquota_range_next_free(range, &offset, &size));
	KUNIT_EXPECT_EQ(test, offset, 7 * UNIT);
	put(test, range, 8 * UNIT, 2 * UNIT);
	KUNIT_EXPECT_FALSE(test, memquota_range_next_free(range, &offset, &size));
	KUNIT_EXPECT_EQ(test, offset, 7 * UNIT);
}

/* Set a field, see what the check says, and set it back. */
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

	put(test, range, 2 * UNIT, UNIT);
	put(test, range, 5 * UNIT, UNIT);
	put(test, range, 8 * UNIT, UNIT);
	/* The bump region is empty, at the end. */
	low = rb_entry(rb_first(&range->blocks), struct memquota_block,
		       by_offset);
	high = rb_entry(rb_prev(&bump->by_offset), struct memquota_block,
			by_offset);
	EXPECT_FINDS(test, range, "a free block is empty", low->end, 2);
	EXPECT_FINDS(test, range, "a free block is empty", low->end, 1);
	EXPECT_FINDS(test, range, "a free block is out of bounds", low->start, 0);
	EXPECT_FINDS(test, range, "a free block is out of bounds", bump->end, 11);
	EXPECT_FINDS(test, range, "free blocks overlap, or are out of order",
		     high->start, 4);
	EXPECT_FINDS(test, range, "free blocks touch", bump->start, 9);
	EXPECT_FINDS(test, range, "a free block is not in its bin", high->end, 10);
	EXPECT_FINDS(test, range, "a free block is not in its bin", low->key, 1);
	EXPECT_FINDS(test, range, "a free block is not in its bin", low->start, 1);
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
		{ 0, 1 }, { 0, UNIT },			/* 0 is none */
		{ 2 * UNIT, UNIT }, { 2 * UNIT, 5 },	/* it is free */
		{ 1 * UNIT, 2 * UNIT }, { 1 * UNIT, 3 * UNIT },
		{ 1 * UNIT, 9 * UNIT },
		{ 5 * UNIT, UNIT }, { 6 * UNIT, UNIT },	/* the bump region */
		{ 4 * UNIT, UNIT + 1 }, { 6 * UNIT, 2 * UNIT },
		{ 3 * UNIT, 8 },		/* again */
		{ 9 * UNIT, 2 * UNIT }, { 10 * UNIT, UNIT },	/* outside */
		{ 9 * UNIT, U32_MAX }, { ALL - UNIT, UNIT },
		{ 7 * UNIT + 1, 1 }, { 7 * UNIT + 8, UNIT },
		{ 7 * UNIT, 0 },
	};
	struct memquota_range *range;
	unsigned int i;

	needs_warnings(test);
	range = bump_in_the_middle(test);
	put(test, range, 2 * UNIT, 2 * UNIT);
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
		KUNIT_EXPECT_EQ(test, 0, try_take(range, UNIT));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		memquota_range_free(range, 5 * UNIT, UNIT);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
		KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 1));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 3);
	}
	range->below = below;
}
#endif

static void f8_capacity_is_charged(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);
	struct memquota_range *range = &yard->range;

	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 100001));
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 100001);
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 7));
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 100008);
	/* It is the capacity that is charged, not what is allocated. */
	take(test, range, 1000);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 100008);
	memquota_range_destroy(range);
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 0);
	KUNIT_EXPECT_EQ(test, memquota_held(&yard->p), 0);
	memquota_range_init(range, &yard->p, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(range, 5));
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), 5);
}

static void expect_refused(struct kunit *test, struct yard *yard, int err,
			   size_t bytes)
{
	u64 total = exact_total(yard->t);

	KUNIT_EXPECT_EQ(test, err, memquota_range_add(&yard->range, bytes));
	KUNIT_EXPECT_EQ(test, exact_total(yard->t), total);
	KUNIT_EXPECT_EQ(test, yard->range.capacity_bytes, SZ_64K);
	EXPECT_FREE(test, &yard->range, { UNIT, SZ_64K - UNIT });
}

static void f8_a_refused_charge_adds_none(struct kunit *test)
{
	struct yard *yard = charged_yard(test, &(struct memquota_limits){
		.max = SZ_1M, .high = SZ_1M, .low_water = SZ_512K });

	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(&yard->range, SZ_64K));
	/* The tracker's max. */
	expect_refused(test, yard, -EDQUOT, SZ_1M);
	/* The account's. */
	KUNIT_EXPECT_EQ(test, 0,
			memquota_account_set_max(yard->account, SZ_128K));
	expect_refused(test, yard, -EDQUOT, SZ_64K + 1);
	/* Not what was asked for, but the counter. */
	expect_refused(test, yard, -EOVERFLOW, SIZE_MAX);
	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(&yard->range, SZ_64K));
	EXPECT_FREE(test, &yard->range, { UNIT, SZ_128K - UNIT });
}

static void f8_a_closed_account_adds_none(struct kunit *test)
{
	struct yard *yard = charged_yard(test, NULL);

	KUNIT_EXPECT_EQ(test, 0, memquota_range_add(&yard->range, SZ_64K));
	put_account(test, yard->account);
	memquota_tracker_drain(yard->t);
	expect_refused(test, yard, -ESTALE, SZ_64K);
	/* What there is can be used on. */
	KUNIT_EXPECT_EQ(test, take(test, &yard->range, SZ_4K), UNIT);
}

/*
 * A model: a bit for each unit, and where the bump region starts. The race
 * detector is slow, and has nothing to find in one thread.
 */
#define MODEL_UNITS	4096
#define MODEL_STEPS	(IS_ENABLED(CONFIG_KCSAN) ? 2000 : 100000)

struct model {
	struct memquota_range *range;
	struct rnd_state rnd;
	DECLARE_BITMAP(used, MODEL_UNITS);
	u32 bump;
	u32 capacity;
	u32 most;	/* bytes that a block can have */
	unsigned int nr;
	struct part live[MODEL_UNITS];
};

static u32 dice(struct model *m, u32 sides)
{
	return prandom_u32_state(&m->rnd) % sides;
}

static u32 run_end(struct model *m, u32 start)
{
	return find_next_bit(m->used, MODEL_UNITS, start);
}

/* Where a block of so many units has to be; 0: nowhere. */
static u32 model_place(struct model *m, u32 units)
{
	u32 start, end, best = 0, shortest = U32_MAX;

	if (run_end(m, m->bump) - m->bump >= units)
		return m->bump;
	for (start = find_first_zero_bit(m->used, MODEL_UNITS);
	     start < MODEL_UNITS;
	     start = find_next_zero_bit(m->used, MODEL_UNITS, end)) {
		end = run_end(m, start);
		if (end - start >= units && end - start < shortest) {
			shortest = end - start;
			best = start;
		}
	}
	return best;
}

/* The bump region reaches as far down as it is free. Unit 0 never is. */
static void model_lower_bump(struct model *m)
{
	m->bump = find_last_bit(m->used, m->bump) + 1;
}

static const char *model_alloc(struct model *m)
{
	u32 size = dice(m, dice(m, 20) ? m->most : 10 * m->most) + 1;
	u32 units = DIV_ROUND_UP(size, UNIT), place = model_place(m, units);
	u32 offset = 0;
	int err = memquota_range_alloc(m->range, size, 1 << dice(m, 5), &offset);

	if (!place)
		return err == -ENOSPC ? NULL : "it should not have fitted";
	if (err)
		return "it should have fitted";
	if (offset != place * UNIT)
		return "it should be elsewhere";
	bitmap_set(m->used, place, units);
	m->bump = place + units;
	m->live[m->nr++] = (struct part){ offset, size };
	return NULL;
}

static const char *model_free(struct model *m)
{
	u32 n = dice(m, m->nr);
	struct part part = m->live[n];

	memquota_range_free(m->range, part.offset, part.size);
	m->live[n] = m->live[--m->nr];
	bitmap_clear(m->used, part.offset / UNIT,
		     DIV_ROUND_UP(part.size, UNIT));
	model_lower_bump(m);
	return NULL;
}

static const char *model_add(struct model *m)
{
	u32 bytes = min(dice(m, 1000), MODEL_UNITS * UNIT - m->capacity);
	u32 from = max(m->capacity / UNIT, 1U), to;

	if (memquota_range_add(m->range, bytes))
		return "capacity was refused";
	m->capacity += bytes;
	to = m->capacity / UNIT;
	if (from < to)
		bitmap_clear(m->used, from, to - from);
	model_lower_bump(m);
	return NULL;
}

static const char *model_compare(struct model *m)
{
	const char *wrong = memquota_range_check(m->range);
	u32 offset = 0, size = 0, start, end, blocks = 0;

	if (wrong)
		return wrong;
	for (start = find_first_zero_bit(m->used, MODEL_UNITS);
	     start < MODEL_UNITS;
	     start = find_next_zero_bit(m->used, MODEL_UNITS, end)) {
		end = run_end(m, start);
		if (!memquota_range_next_free(m->range, &offset, &size))
			return "a free block is missing";
		if (offset != start * UNIT || size != (end - start) * UNIT)
			return "a free block is different";
		blocks += start != m->bump;
	}
	if (memquota_range_next_free(m->range, &offset, &size))
		return "there is a free block too many";
	if (blocks + nr_spare(m->range) != m->nr + m->range->credit)
		return "records are not as many as they should be";
	return NULL;
}

/* It fills up, is emptied again by and by, and grows meanwhile. */
static const char *model_step(struct model *m, unsigned int step)
{
	bool fills = step / 500 % 2 == 0;
	u32 number = dice(m, 100);

	if (number < 4)
		return model_add(m);
	if (!m->nr || number < (fills ? 70 : 34))
		return model_alloc(m);
	return model_free(m);
}

static void run_model(struct kunit *test, struct model *m, u32 most,
		      unsigned int seed)
{
	const char *wrong;
	unsigned int i;

	*m = (struct model){
		.range = new_range(test, 0), .most = most, .bump = 1 };
	bitmap_fill(m->used, MODEL_UNITS);
	prandom_seed_state(&m->rnd, seed);
	for (i = 0; i < MODEL_STEPS; i++) {
		wrong = model_step(m, i) ?: model_compare(m);
		if (wrong)
			KUNIT_FAIL_AND_ABORT(test, "seed %u, step %u: %s", seed,
					     i, wrong);
		if (i % 1000 == 0)
			cond_resched();
	}
	while (m->nr)
		model_free(m);
	wrong = model_compare(m);
	KUNIT_EXPECT_STREQ(test, wrong ?: "", "");
	expect_free(test, m->range, &(struct part){
		UNIT, rounddown(m->capacity, UNIT) - UNIT }, 1);
}

static void run_models(struct kunit *test, u32 most)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int seed;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (seed = 1; seed <= 4; seed++)
		run_model(test, m, most, seed);
}

static void f2_f3_as_a_model_says_short_blocks(struct kunit *test)
{
	run_models(test, 300);
}

static void f2_f3_as_a_model_says_medium_blocks(struct kunit *test)
{
	run_models(test, 1024);
}

static void f2_f3_as_a_model_says_long_blocks(struct kunit *test)
{
	run_models(test, 6000);
}

/* Where the bulk functions of the slab are not allowed. */
static void x1_with_interrupts_off(struct kunit *test)
{
	struct yard *yard = new_yard(test, GFP_ATOMIC);
	struct memquota_range *range = &yard->range;
	unsigned int i;
	int err;

	KUNIT_ASSERT_EQ(test, 0, memquota_range_add(range, SZ_64K));
	local_irq_disable();
	for (i = 0, err = 0; i < 300 && !err; i++)
		err = try_take(range, UNIT);
	for (; i; i--)
		memquota_range_free(range, (301 - i) * UNIT, UNIT);
	KUNIT_EXPECT_TRUE(test, irqs_disabled());
	local_irq_enable();
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
	KUNIT_CASE_SLOW(f2_f3_as_a_model_says_short_blocks),
	KUNIT_CASE_SLOW(f2_f3_as_a_model_says_medium_blocks),
	KUNIT_CASE_SLOW(f2_f3_as_a_model_says_long_blocks),
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
