// SPDX-License-Identifier: GPL-2.0
/* Arenas: rules N1 to N13. */
#include <linux/sizes.h>
#include <memquota/arena.h>
#include "harness.h"

static void n1_what_is_handed_out_is_apart(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){});
	unsigned char *memory, *last = NULL;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		memory = memquota_arena_alloc(arena, 64, 8);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memory);
		memset(memory, i, 64);
		if (last)
			KUNIT_ASSERT_EQ(test, last[63], (unsigned char)(i - 1));
		last = memory;
	}
	KUNIT_EXPECT_GE(test, exact_total(t), 640000);
	memquota_arena_reset(arena);
}

static void n2_references_outlive_the_arena(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT,
		.account = account,
	};
	struct memquota_arena arena;
	static void *memory[300];
	void *big;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_init(&arena, &config, "arena"));
	for (i = 0; i < ARRAY_SIZE(memory); i++) {
		memory[i] = memquota_arena_alloc_ref(&arena, 300, 8);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memory[i]);
	}
	big = memquota_arena_alloc_ref(&arena, SZ_1M + 1, 8);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, big);
	memquota_arena_destroy(&arena);
	for (i = 0; i < ARRAY_SIZE(memory); i++) {
		memset(memory[i], i, 300);
		memquota_ref_put(memory[i]);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M + SZ_4K);
	memquota_ref_put(big);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(n1_what_is_handed_out_is_apart),
	KUNIT_CASE(n2_references_outlive_the_arena),
	{}
};

MEMQUOTA_SUITE(memquota_arena, cases);
