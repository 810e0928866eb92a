// SPDX-License-Identifier: GPL-2.0
/* What the tests of range allocators share: see range_helpers.h. */
#include "range_helpers.h"

static void close_yard(void *data)
{
	struct yard *yard = data;

	memquota_range_destroy(&yard->range);
	memquota_leave(&yard->p);
}

struct yard *new_yard(struct kunit *test, gfp_t gfp)
{
	struct yard *yard = new_zeroed(test, struct yard);

	memquota_range_init(&yard->range, NULL, gfp);
	KUNIT_ASSERT_EQ(test, kunit_add_action(test, close_yard, yard), 0);
	return yard;
}

/* A range without a charge. */
struct memquota_range *new_range(struct kunit *test, size_t bytes)
{
	struct yard *yard = new_yard(test, GFP_KERNEL);

	KUNIT_ASSERT_EQ(test, memquota_range_add(&yard->range, bytes), 0);
	return &yard->range;
}

static void reclaim_nothing(struct memquota_participant *p,
			    const struct memquota_request *request)
{
}

static const struct memquota_ops plain_ops = {
	.reclaim = reclaim_nothing,
	.owner = THIS_MODULE,
};

struct yard *charged_yard(struct kunit *test,
			  const struct memquota_limits *limits)
{
	struct yard *yard = new_yard(test, GFP_KERNEL);

	yard->t = new_tracker(test, limits);
	yard->account = new_account(test, yard->t, NULL);
	KUNIT_ASSERT_EQ(test,
			memquota_join_account(&yard->p, yard->account,
					      &plain_ops, GFP_KERNEL, "yard"),
			0);
	memquota_range_init(&yard->range, &yard->p, GFP_KERNEL);
	return yard;
}

u32 take_block(struct kunit *test, struct memquota_range *range, u32 size)
{
	u32 offset = 0;

	KUNIT_EXPECT_EQ(test, memquota_range_alloc(range, size, 1, &offset), 0);
	KUNIT_EXPECT_PTR_EQ(test, memquota_range_check(range), NULL);
	return offset;
}

void put_block(struct kunit *test, struct memquota_range *range, u32 offset,
	       u32 size)
{
	memquota_range_free(range, offset, size);
	KUNIT_EXPECT_PTR_EQ(test, memquota_range_check(range), NULL);
}

int try_take(struct memquota_range *range, u32 size)
{
	u32 offset;

	return memquota_range_alloc(range, size, 1, &offset);
}

/* Expect these free blocks, in this order. */
void expect_free(struct kunit *test, struct memquota_range *range,
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
	KUNIT_EXPECT_FALSE(test,
			   memquota_range_next_free(range, &offset, &size));
}

unsigned int count_spare(const struct memquota_range *range)
{
	const struct memquota_block *b;
	unsigned int n = 0;

	for (b = range->spare; b; b = b->spare)
		n++;
	return n;
}

/* Free a block of each size, one unit apart, and empty the bump region. */
void fill_with_holes(struct kunit *test, struct memquota_range *range,
		     const u32 *units, unsigned int nr)
{
	u32 holes[8], all = 0;
	unsigned int i;

	KUNIT_ASSERT_LE(test, nr, ARRAY_SIZE(holes));
	for (i = 0; i < nr; i++)
		all += units[i] + 1;
	KUNIT_ASSERT_EQ(test, memquota_range_add(range, (all + 1) * UNIT), 0);
	for (i = 0; i < nr; i++) {
		holes[i] = take_block(test, range, units[i] * UNIT);
		take_block(test, range, UNIT);
	}
	expect_free(test, range, NULL, 0);
	for (i = 0; i < nr; i++)
		put_block(test, range, holes[i], units[i] * UNIT);
}

/* Blocks of one unit at 1, 2, 3, ... */
struct memquota_range *full_range(struct kunit *test, unsigned int nr)
{
	struct memquota_range *range = new_range(test, (nr + 1) * UNIT);
	unsigned int i;

	for (i = 1; i <= nr; i++)
		KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), i * UNIT);
	return range;
}

/* The bump region is the rest of a block in the middle: units 5 and 6. */
struct memquota_range *bump_in_the_middle(struct kunit *test)
{
	struct memquota_range *range = full_range(test, 9);

	put_block(test, range, 4 * UNIT, 3 * UNIT);
	KUNIT_EXPECT_EQ(test, take_block(test, range, UNIT), 4 * UNIT);
	EXPECT_FREE(test, range, { 5 * UNIT, 2 * UNIT });
	KUNIT_EXPECT_EQ(test, range->bump.start, 5);
	return range;
}

int take_without_memory(struct memquota_range *range, u32 size)
{
	int err;

	start_failing(1);
	err = try_take(range, size);
	stop_failing();
	return err;
}
