// SPDX-License-Identifier: GPL-2.0
/*
 * Keys and ids of records and accounts, and joining and leaving on all CPUs.
 */
#include <linux/sort.h>
#include "../core/record.h"
#include "harness.h"

#define KEYS		5000

struct key_draw {
	u64 (*new_key)(unsigned int turn);
	u64 *keys;
};

static u64 any_key(unsigned int turn)
{
	return memquota_new_key();
}

static u64 key_with(unsigned int turn)
{
	return memquota_new_key_with(turn);
}

static void draw_keys(unsigned int cpu, void *arg)
{
	struct key_draw *draw = arg;
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		draw->keys[cpu * KEYS + i] = draw->new_key(i);
}

static int compare_keys(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void expect_distinct(struct kunit *test, u64 *numbers, size_t nr)
{
	size_t i, repeated = 0;

	sort(numbers, nr, sizeof(*numbers), compare_keys, NULL);
	KUNIT_EXPECT_NE(test, numbers[0], 0);
	for (i = 1; i < nr; i++)
		repeated += numbers[i] == numbers[i - 1];
	KUNIT_EXPECT_EQ(test, repeated, 0);
}

static void p5_keys_are_never_used_twice(struct kunit *test)
{
	size_t nr = num_online_cpus() * KEYS;
	struct key_draw draw = { .new_key = any_key };

	draw.keys = zalloc_or_abort(test, nr * sizeof(u64) * 2);
	run_on_all_cpus(test, draw_keys, &draw);
	draw.keys += nr;
	draw.new_key = key_with;
	run_on_all_cpus(test, draw_keys, &draw);
	draw.keys -= nr;
	expect_distinct(test, draw.keys, 2 * nr);
}

static void p5_a_key_has_the_low_part_that_was_wanted(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 3 * KEYS; i++)
		KUNIT_ASSERT_EQ(test, memquota_new_key_with(i * 7) % MEMQUOTA_KEY_EPOCHS,
				i * 7 % MEMQUOTA_KEY_EPOCHS);
}

static struct kunit_case life_cases[] = {
	KUNIT_CASE(p5_keys_are_never_used_twice),
	KUNIT_CASE(p5_a_key_has_the_low_part_that_was_wanted),
	{}
};

MEMQUOTA_SUITE(memquota_life, life_cases);
