/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of range allocators share. */
#ifndef _MEMQUOTA_TESTS_RANGE_HELPERS_H
#define _MEMQUOTA_TESTS_RANGE_HELPERS_H

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

struct yard *new_yard(struct kunit *test, gfp_t gfp);
struct yard *charged_yard(struct kunit *test,
			  const struct memquota_limits *limits);
struct memquota_range *new_range(struct kunit *test, size_t bytes);
struct memquota_range *full_range(struct kunit *test, unsigned int nr);
struct memquota_range *bump_in_the_middle(struct kunit *test);
void fill_with_holes(struct kunit *test, struct memquota_range *range,
		     const u32 *units, unsigned int nr);

u32 take_block(struct kunit *test, struct memquota_range *range, u32 size);
void put_block(struct kunit *test, struct memquota_range *range, u32 offset,
	       u32 size);
int try_take(struct memquota_range *range, u32 size);
int take_without_memory(struct memquota_range *range, u32 size);
unsigned int count_spare(const struct memquota_range *range);

void expect_free(struct kunit *test, struct memquota_range *range,
		 const struct part *parts, unsigned int nr);

#define EXPECT_FREE(test, range, ...)					\
({									\
	static const struct part parts[] = { __VA_ARGS__ };		\
									\
	expect_free(test, range, parts, ARRAY_SIZE(parts));		\
})

#endif /* _MEMQUOTA_TESTS_RANGE_HELPERS_H */
