// SPDX-License-Identifier: GPL-2.0
/* Arenas of one owner: rules N1 to N10 and N12. */
#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <memquota/arena.h>
#include "../memory/arena_core.h"
#include "../core/core.h"
#include "harness.h"

/* The most that an allocation from a chunk of a class can have. */
#define LARGEST		(MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)

static const struct memquota_arena_config plain_config;

static struct memquota_arena *roomy_arena(struct kunit *test,
					  struct memquota_tracker *t)
{
	return lone_arena(test, t, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST });
}

static size_t room_left(struct memquota_arena *arena)
{
	return arena->bump.limit - arena->bump.cursor;
}

/* The next allocation needs another chunk. */
static void use_up(struct kunit *test, struct memquota_arena *arena, bool ref)
{
	size_t left = room_left(arena);

	if (left)
		got(test, __memquota_arena_alloc(arena, left, 1, ref));
}

static int refs_of(void *memory)
{
	return refcount_read(&memquota_chunk_of(memory)->refs);
}

static bool is_full_of(const void *memory, unsigned char c, size_t size)
{
	return !memchr_inv(memory, c, size);
}

static void n1_what_is_handed_out_is_apart(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	unsigned char *memory, *last = NULL;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		memory = got(test, memquota_arena_alloc(arena, 64, 8));
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
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	char *first = got(test, memquota_arena_alloc(arena, 1, 1));
	size_t left = room_left(arena);
	char *last;

	KUNIT_EXPECT_EQ(test, left, SZ_512 - MEMQUOTA_CHUNK_HEADER - 1);
	last = got(test, memquota_arena_alloc(arena, left, 1));
	KUNIT_EXPECT_PTR_EQ(test, last, first + 1);
	KUNIT_EXPECT_EQ(test, room_left(arena), 0);
	memset(first, 1, left + 1);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
	/* With nothing left, aligning the cursor goes nowhere either. */
	last = got(test, memquota_arena_alloc(arena, 1, SZ_512));
	*last = 2;
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 2);
	KUNIT_EXPECT_TRUE(test, is_full_of(first, 1, left + 1));
}

static void n2_references_outlive_the_arena(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	static void *memory[300];
	void *big;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(memory); i++)
		memory[i] = got(test, memquota_arena_alloc_ref(arena, 300, 8));
	big = got(test, memquota_arena_alloc_ref(arena, SZ_1M + 1, 8));
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
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	char *ref = got(test, memquota_arena_alloc_ref(arena, 100, 1));

	/* Any address in it will do. */
	memquota_ref_get(ref + 99);
	memquota_ref_put(ref + 50);
	memset(ref, 3, 100);
	end_arena(test, arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
	KUNIT_EXPECT_TRUE(test, is_full_of(ref, 3, 100));
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Plain memory of the current chunk, of a retired one, and of one-shots. */
static void n2_get_makes_plain_memory_last(struct kunit *test)
{
	static const size_t sizes[] = { 400, 400, SZ_128K, 8 * SZ_1M, 100 };
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	char *plain[ARRAY_SIZE(sizes)];
	u64 left;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		plain[i] = got(test, memquota_arena_alloc(arena, sizes[i], 1));
		memset(plain[i], i, sizes[i]);
		memquota_ref_get(plain[i]);
	}
	memquota_arena_reset(arena);
	for (i = 0; i < 1000; i++)
		memset(got(test, memquota_arena_alloc(arena, 500, 1)), 0xff, 500);
	end_arena(test, arena);
	for (i = ARRAY_SIZE(sizes) - 1; i >= 0; i--) {
		KUNIT_EXPECT_TRUE(test, is_full_of(plain[i], i, sizes[i]));
		left = exact_total(t);
		memquota_ref_put(plain[i]);
		KUNIT_EXPECT_LE(test, exact_total(t), left);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* References that are put from a context, once. */
struct putting {
	void *refs[4];
	struct irq_work irq_work;
	struct tasklet_struct tasklet;
	bool done;
};

static void put_all(struct putting *p)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p->refs); i++)
		memquota_ref_put(p->refs[i]);
	/* Pairs with the test: all that it did is seen. */
	smp_store_release(&p->done, true);
}

static void put_in_irq_work(struct irq_work *work)
{
	put_all(container_of(work, struct putting, irq_work));
}

static void put_in_tasklet(struct tasklet_struct *tasklet)
{
	put_all(container_of(tasklet, struct putting, tasklet));
}

static void put_in_hardirq(struct putting *p)
{
	init_irq_work(&p->irq_work, put_in_irq_work);
	p->irq_work.node.u_flags |= IRQ_WORK_HARD_IRQ;
	irq_work_queue(&p->irq_work);
	irq_work_sync(&p->irq_work);
}

static void put_in_softirq(struct putting *p)
{
	tasklet_setup(&p->tasklet, put_in_tasklet);
	tasklet_schedule(&p->tasklet);
}

static void put_under_a_raw_spinlock(struct putting *p)
{
	static DEFINE_RAW_SPINLOCK(lock);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	put_all(p);
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void (* const contexts[])(struct putting *p) = {
	put_all, put_in_hardirq, put_in_softirq, put_under_a_raw_spinlock,
};

/* Chunks below and above a page, one-shots, and what must sleep to be freed. */
static void n2_put_anywhere(struct kunit *test)
{
	struct putting *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < 2 * ARRAY_SIZE(contexts); i++) {
		arena = roomy_arena(test, t);
		p->refs[0] = got(test, memquota_arena_alloc_ref(arena, 448, 1));
		p->refs[1] = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
		p->refs[2] = got(test, memquota_arena_alloc_ref(arena, SZ_128K, 1));
		p->refs[3] = got(test, memquota_arena_alloc_ref(arena, 8 * SZ_1M, 1));
		KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p->refs[3]));
		p->done = false;
		/* Before the arena ends, and after. */
		if (i % 2)
			end_arena(test, arena);
		contexts[i / 2](p);
		/* Pairs with put_all(). */
		ASSERT_SETTLES(test, smp_load_acquire(&p->done));
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
	void *first = got(test, memquota_arena_alloc_ref(arena, 40, 1));
	unsigned int i;

	for (i = 1; i < 10; i++)
		got(test, memquota_arena_alloc_ref(arena, 40, 1));
	KUNIT_EXPECT_EQ(test, refs_of(first), MEMQUOTA_SURPLUS);
	memquota_ref_put(first);
	KUNIT_EXPECT_EQ(test, refs_of(first), MEMQUOTA_SURPLUS - 1);
	memquota_ref_get(first);
	memquota_ref_get(first);
	KUNIT_EXPECT_EQ(test, refs_of(first), MEMQUOTA_SURPLUS + 1);
	/* Settled when it is replaced: ten, and one by get(). */
	got(test, memquota_arena_alloc(arena, 400, 1));
	KUNIT_EXPECT_EQ(test, refs_of(first), 11);
	for (i = 0; i < 11; i++)
		memquota_ref_put(first);
}

static void n4_references_only(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *one, *two, *other;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	one = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 8));
	two = got(test, memquota_arena_alloc_ref(arena, 7, 1024));
	other = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	memquota_ref_put(one);
	memquota_ref_put(other);
	got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
	/* As long as there is one it stays. */
	KUNIT_EXPECT_PTR_NE(test, memquota_chunk_of(two),
			    arena->core->stores->current_chunk);
	memquota_ref_put(two);
	memquota_ref_put(other);
	two = got(test, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_EXPECT_PTR_EQ(test, memquota_chunk_of(two), memquota_chunk_of(one));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 3);
}

static void n4_plain_memory_stays_until_reset(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	char *before, *plain, *after;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	before = got(test, memquota_arena_alloc_ref(arena, 100, 1));
	plain = got(test, memquota_arena_alloc(arena, 1, 1));
	after = got(test, memquota_arena_alloc_ref(arena, 100, 1));
	*plain = 42;
	use_up(test, arena, true);
	memquota_ref_put(before);
	memquota_ref_put(after);
	memquota_ref_put(after + 100);
	for (i = 0; i < 5; i++)
		memset(got(test, memquota_arena_alloc(arena, LARGEST, 1)), 0, LARGEST);
	KUNIT_EXPECT_EQ(test, *plain, 42);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
	memquota_arena_reset(arena);
	for (i = 0; i < 5; i++)
		got(test, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 6);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 5);
}

static void n5_reset_rewinds_the_current_chunk(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	void *first, *second, *ref;
	unsigned int i;
	u64 held;

	/* There is nothing to reset yet. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	first = got(test, memquota_arena_alloc(arena, 40, 8));
	second = got(test, memquota_arena_alloc_ref(arena, 40, 8));
	memquota_ref_put(second);
	held = exact_total(t);
	for (i = 0; i < 100; i++) {
		memquota_arena_reset(arena);
		KUNIT_EXPECT_PTR_EQ(test, first, memquota_arena_alloc_ref(arena, 40, 8));
		memquota_ref_get(first);
		KUNIT_EXPECT_PTR_EQ(test, second, memquota_arena_alloc(arena, 40, 8));
		ref = got(test, memquota_arena_alloc_ref(arena, 40, 8));
		memquota_ref_put(first);
		memquota_ref_put(ref);
		memquota_ref_put(first);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), held);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 0);
}

static void n5_reset_lets_the_current_chunk_go_to_its_references(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *ref, *plain;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	plain = got(test, memquota_arena_alloc(arena, 100, 1));
	ref = got(test, memquota_arena_alloc_ref(arena, 100, 1));
	memset(ref, 5, 100);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, refs_of(ref), 1);
	memset(got(test, memquota_arena_alloc(arena, LARGEST, 1)), 0, LARGEST);
	KUNIT_EXPECT_TRUE(test, is_full_of(ref, 5, 100));
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_128K);
	/* Its plain memory ended at the reset: nothing else keeps it. */
	memquota_ref_put(ref);
	KUNIT_EXPECT_PTR_EQ(test, plain, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_128K);
}

static void n5_older_chunks_go_back_to_the_cache(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	unsigned int i;
	void *escaped;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	got(test, memquota_arena_alloc(arena, SZ_32K, 1));
	escaped = got(test, memquota_arena_alloc_ref(arena, 10, 1));
	memset(escaped, 7, 10);
	for (i = 0; i < 9; i++)
		got(test, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_64K);
	memquota_arena_reset(arena);
	/* The current one, eight of the cache; the tenth has a reference. */
	for (i = 0; i < 9; i++)
		memset(got(test, memquota_arena_alloc(arena, LARGEST, 1)), 0, LARGEST);
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_64K);
	KUNIT_EXPECT_TRUE(test, is_full_of(escaped, 7, 10));
	memquota_ref_put(escaped);
	got(test, memquota_arena_alloc(arena, LARGEST, 1));
	KUNIT_EXPECT_EQ(test, exact_total(t), 10 * SZ_64K);
	KUNIT_EXPECT_EQ(test, stats_of(arena).since_reset.chunks, 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).since_reset.cache_hits, 9);
}

static void n5_reset_ends_one_shots(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	void *ref, *kept;

	ref = got(test, memquota_arena_alloc_ref(arena, SZ_128K, 1));
	kept = got(test, memquota_arena_alloc(arena, SZ_256K, 1));
	memquota_ref_get(kept);
	got(test, memquota_arena_alloc(arena, SZ_1M, 1));
	got(test, memquota_arena_alloc(arena, 8 * SZ_1M, 1));
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_128K + SZ_256K + 2 * SZ_4K);
	memquota_arena_reset(arena);
	memquota_ref_put(ref);
	memset(kept, 1, SZ_256K);
	memquota_ref_put(kept);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, 0);
}

static void n6_what_ends_at_the_cursor_grows_in_place(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	char *memory, *next;
	size_t size;

	memory = got(test, memquota_arena_realloc(arena, NULL, 0, 1, 1));
	for (size = 1; size < SZ_512 - MEMQUOTA_CHUNK_HEADER; size++) {
		memory[size - 1] = 9;
		KUNIT_ASSERT_PTR_EQ(test, memory,
				    memquota_arena_realloc(arena, memory, size, size + 1, 1));
	}
	KUNIT_EXPECT_EQ(test, room_left(arena), 0);
	memory[size - 1] = 9;
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
	/* The chunk's end is an end. */
	next = got(test, memquota_arena_realloc(arena, memory, size, size + 1, 1));
	KUNIT_EXPECT_PTR_NE(test, memory, next);
	KUNIT_EXPECT_TRUE(test, is_full_of(next, 9, size));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 1);
	/* Less changes nothing. */
	KUNIT_EXPECT_PTR_EQ(test, next, memquota_arena_realloc(arena, next, size + 1, 1, 1));
	KUNIT_EXPECT_PTR_EQ(test, next, memquota_arena_realloc(arena, next, size + 1, 0, 1));
	/* Something came after it. */
	got(test, memquota_arena_alloc(arena, 1, 1));
	memory = got(test, memquota_arena_realloc(arena, next, size + 1, size + 2, 1));
	KUNIT_EXPECT_PTR_NE(test, memory, next);
	KUNIT_EXPECT_TRUE(test, is_full_of(memory, 9, size));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 2);
}

static void n6_growing_what_cannot_grow(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .budget_bytes = SZ_512 });
	char *memory = got(test, memquota_arena_alloc(arena, 100, 1));

	memset(memory, 8, 100);
	KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR,
			    memquota_arena_realloc(arena, ZERO_SIZE_PTR, 0, 0, 1));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			PTR_ERR(memquota_arena_realloc(arena, memory, 100, SIZE_MAX, 1)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(memquota_arena_realloc(arena, memory, 100, 101, 3)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(memquota_arena_realloc(arena, memory, 100, 101, SZ_64K)));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			PTR_ERR(memquota_arena_realloc(arena, memory, 100, SZ_1M, 1)));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			PTR_ERR(memquota_arena_realloc_ref(arena, memory, 100, SZ_1K, 1)));
	KUNIT_EXPECT_TRUE(test, is_full_of(memory, 8, 100));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
}

static void n6_references_grow_too(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	char *ref, *next;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	ref = got(test, memquota_arena_realloc_ref(arena, NULL, 0, 10, 1));
	memset(ref, 6, 10);
	KUNIT_EXPECT_PTR_EQ(test, ref, memquota_arena_realloc_ref(arena, ref, 10, 4000, 1));
	KUNIT_EXPECT_PTR_EQ(test, ref, memquota_arena_realloc_ref(arena, ref, 4000, LARGEST, 1));
	KUNIT_EXPECT_EQ(test, room_left(arena), 0);
	/* It is one reference, and the chunk served nothing else. */
	memset(ref + 10, 6, LARGEST - 10);
	next = got(test, memquota_arena_alloc_ref(arena, 16, 1));
	KUNIT_EXPECT_EQ(test, refs_of(ref), 1);
	memquota_ref_put(ref);
	use_up(test, arena, true);
	KUNIT_EXPECT_PTR_EQ(test, ref, memquota_arena_alloc_ref(arena, 16, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 0);
	memquota_ref_put(next);
	memquota_ref_put(next);

	/* Where it moves, the old reference is put. */
	got(test, memquota_arena_alloc_ref(arena, 16, 1));
	memset(ref, 4, 16);
	memquota_ref_put(ref + 16);
	KUNIT_EXPECT_EQ(test, refs_of(ref), MEMQUOTA_SURPLUS - 1);
	next = got(test, memquota_arena_realloc_ref(arena, ref, 16, 32, 1));
	KUNIT_EXPECT_PTR_NE(test, ref, next);
	KUNIT_EXPECT_TRUE(test, is_full_of(next, 4, 16));
	KUNIT_EXPECT_EQ(test, refs_of(ref), MEMQUOTA_SURPLUS - 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 1);
	memquota_ref_put(next);
	/* Nothing escaped. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_PTR_EQ(test, ref, memquota_arena_alloc(arena, 16, 1));
}

/* A one-shot never grows where it is: what is behind it is nobody's. */
static void n6_one_shots_move(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	char *ref, *next;

	ref = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 1));
	memset(ref, 1, SZ_32K);
	next = got(test, memquota_arena_realloc_ref(arena, ref, SZ_32K, SZ_32K + 1, 1));
	KUNIT_EXPECT_PTR_NE(test, ref, next);
	KUNIT_EXPECT_TRUE(test, is_full_of(next, 1, SZ_32K));
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_32K + SZ_4K);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.relocations, 1);
	memquota_ref_put(next);
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
	void *memory;

	for (i = 0; i < 4; i++) {
		arena = i & 1 ? roomy_arena(test, t) : lone_arena(test, t, &plain_config);
		for (align = 1; align <= SZ_32K; align *= 2) {
			for (j = 0; j < 3; j++) {
				memory = got(test, __memquota_arena_alloc(arena, 5, align, i & 2));
				KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)memory, align));
				memset(memory, 1, 5);
				if (i & 2)
					memquota_ref_put(memory);
				memory = got(test, memquota_arena_alloc(arena, 33, align));
				KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)memory, align));
				memset(memory, 1, 33);
			}
		}
		for (j = 0; j < ARRAY_SIZE(refused); j++) {
			KUNIT_EXPECT_EQ(test, -EINVAL,
					PTR_ERR(memquota_arena_alloc(arena, 1, refused[j])));
			KUNIT_EXPECT_EQ(test, -EINVAL,
					PTR_ERR(memquota_arena_alloc_ref(arena, 1, refused[j])));
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
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	unsigned int i, round;
	size_t align;
	void *memory;

	/* Without a current chunk, with one, and with one that is used up. */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(huge); i++) {
			for (align = 1; align <= SZ_32K; align *= 8) {
				memory = memquota_arena_alloc(arena, huge[i], align);
				KUNIT_EXPECT_EQ(test, -EOVERFLOW, PTR_ERR(memory));
				memory = memquota_arena_alloc_ref(arena, huge[i], align);
				KUNIT_EXPECT_EQ(test, -EOVERFLOW, PTR_ERR(memory));
			}
		}
		KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR, memquota_arena_alloc(arena, 0, 1));
		memory = memquota_arena_alloc_ref(arena, 0, SZ_32K);
		KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR, memory);
		KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR(memquota_arena_alloc(arena, 0, 3)));
		if (!round)
			got(test, memquota_arena_alloc(arena, 10, 1));
		else
			use_up(test, arena, false);
	}
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_512);
}

static void n7_arrays(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	void *memory;

	memory = got(test, memquota_arena_alloc_array(arena, 10, 40, 8));
	memset(memory, 1, 400);
	memory = got(test, memquota_arena_alloc_array_ref(arena, 10, 40, 8));
	memset(memory, 1, 400);
	memquota_ref_put(memory);
	KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR,
			    memquota_arena_alloc_array(arena, 0, SIZE_MAX, 8));
	KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR,
			    memquota_arena_alloc_array_ref(arena, SIZE_MAX, 0, 8));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			PTR_ERR(memquota_arena_alloc_array(arena, SIZE_MAX / 2 + 1, 2, 8)));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			PTR_ERR(memquota_arena_alloc_array_ref(arena, SIZE_MAX / 16 + 2, 16, 8)));
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
		memory = got(test, memquota_arena_alloc(arena, sizes[i], 1));
		chunk = (void *)(memory - MEMQUOTA_CHUNK_HEADER);
		KUNIT_EXPECT_PTR_EQ(test, memquota_chunk_of(memory + sizes[i] - 1), chunk);
		for (at = 0; at < sizes[i]; at += 509)
			KUNIT_EXPECT_PTR_EQ(test, memquota_chunk_of(memory + at), chunk);
		KUNIT_EXPECT_EQ(test, chunk->bytes, stats_of(arena).held_bytes);
		end_arena(test, arena);
	}
}

static void n9_each_figure(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	struct memquota_arena_stats stats = stats_of(arena);
	char *memory, *big;

	KUNIT_EXPECT_NULL(test, memchr_inv(&stats, 0, sizeof(stats)));
	got(test, memquota_arena_alloc(arena, 48, 1));
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, SZ_512);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 400);
	/* 400 are left in the retired one, and 523 in the current. */
	memory = got(test, memquota_arena_alloc_ref(arena, 437, 1));
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, SZ_512 + SZ_1K);
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 400 + 523);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 2);
	big = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 1));
	memory = got(test, memquota_arena_realloc_ref(arena, memory, 437, 438, 1));
	memory = got(test, memquota_arena_realloc_ref(arena, memory, 438, SZ_1K, 1));
	/* The chunk that it moved from is below the floor, and leaves. */
	EXPECT_SETTLES(test, stats_of(arena).wasted_bytes == 400 + 960);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.held_bytes, SZ_512 + SZ_2K + SZ_32K + SZ_4K);
	KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 1);
	KUNIT_EXPECT_EQ(test, stats.ever.relocations, 1);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&stats.ever, &stats.since_reset, sizeof(stats.ever)));
	memquota_ref_put(big);

	memquota_arena_reset(arena);
	stats = stats_of(arena);
	KUNIT_EXPECT_EQ(test, stats.ever.chunks, 3);
	KUNIT_EXPECT_EQ(test, stats.ever.one_shots, 1);
	KUNIT_EXPECT_EQ(test, stats.ever.relocations, 1);
	KUNIT_EXPECT_NULL(test, memchr_inv(&stats.since_reset, 0, sizeof(stats.since_reset)));
	/* The current one is kept by a reference, others are below the floor. */
	KUNIT_EXPECT_EQ(test, stats.wasted_bytes, 960);
	memquota_ref_put(memory);
	/* The next is of 4 KiB, and raises the floor. */
	got(test, memquota_arena_alloc(arena, 4032, 1));
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

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_preallocate(arena, LARGEST));
	KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 0);
	for (i = 0; i < 4; i++)
		refs[i] = got(test, memquota_arena_alloc_ref(arena, LARGEST - 1000, 1));
	KUNIT_EXPECT_EQ(test, stats_of(arena).wasted_bytes, 4 * 1000);
	for (i = 0; i < 3; i++)
		memquota_ref_put(refs[i]);
	/* Whoever needs a chunk notices. */
	memquota_ref_put(refs[3]);
	refs[3] = got(test, memquota_arena_alloc_ref(arena, LARGEST, 1));
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
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	void *memory = got(test, memquota_arena_alloc(arena, 400, 1));

	memset(memory, 0xff, 400);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_PTR_EQ(test, memory, memquota_arena_zalloc(arena, 200, 1));
	KUNIT_EXPECT_TRUE(test, is_full_of(memory, 0, 200));
	KUNIT_EXPECT_TRUE(test, is_full_of(memory + 200, 0xff, 200));
	memory = got(test, memquota_arena_zalloc_ref(arena, 200, 1));
	KUNIT_EXPECT_TRUE(test, is_full_of(memory, 0, 200));
	memquota_ref_put(memory);
	KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR, memquota_arena_zalloc(arena, 0, 1));
	KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR, memquota_arena_zalloc_ref(arena, 0, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR(memquota_arena_zalloc(arena, 1, 0)));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, PTR_ERR(memquota_arena_zalloc_ref(arena, SIZE_MAX, 1)));
}

static void n10_copies(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	static const char text[] = "what everybody writes otherwise";
	char *copy;

	copy = got(test, memquota_arena_strdup(arena, text));
	KUNIT_EXPECT_STREQ(test, copy, text);
	KUNIT_EXPECT_PTR_NE(test, (const char *)copy, &text[0]);
	copy = got(test, memquota_arena_strdup_ref(arena, text));
	KUNIT_EXPECT_STREQ(test, copy, text);
	memquota_ref_put(copy);
	KUNIT_EXPECT_STREQ(test, got(test, memquota_arena_strdup(arena, "")), "");
	KUNIT_EXPECT_NULL(test, memquota_arena_strdup(arena, NULL));
	KUNIT_EXPECT_NULL(test, memquota_arena_strdup_ref(arena, NULL));

	copy = got(test, memquota_arena_memdup(arena, text, 4, 64));
	KUNIT_EXPECT_EQ(test, 0, memcmp(copy, text, 4));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)copy, 64));
	copy = got(test, memquota_arena_memdup_ref(arena, text, sizeof(text), 1));
	KUNIT_EXPECT_STREQ(test, copy, text);
	memquota_ref_put(copy);
	KUNIT_EXPECT_PTR_EQ(test, ZERO_SIZE_PTR, memquota_arena_memdup(arena, text, 0, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR(memquota_arena_memdup(arena, text, 1, 0)));
}

static void n10_formatted(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t, &plain_config);
	char *text;

	text = got(test, memquota_arena_asprintf(arena, "%s-%d", "n", 10));
	KUNIT_EXPECT_STREQ(test, text, "n-10");
	text = got(test, memquota_arena_asprintf(arena, "%s", ""));
	KUNIT_EXPECT_STREQ(test, text, "");
	text = got(test, memquota_arena_asprintf(arena, "%20000d|", 1));
	KUNIT_EXPECT_EQ(test, strlen(text), 20001);
	KUNIT_EXPECT_EQ(test, text[20000], '|');
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 1);
	text = got(test, memquota_arena_asprintf_ref(arena, "%500d|", 1));
	KUNIT_EXPECT_EQ(test, strlen(text), 501);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, text[500], '|');
	memquota_ref_put(text);
	memquota_arena_drop(arena);
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, -ESTALE, PTR_ERR(memquota_arena_asprintf(arena, "1")));
}

static void n12_accounted_by_the_page(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .gfp = GFP_KERNEL_ACCOUNT });
	void *memory;

	memory = got(test, memquota_arena_alloc(arena, 1, 1));
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->bytes, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, exact_total(t), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, memquota_arena_preallocate(arena, 1));
	KUNIT_EXPECT_GE(test, exact_total(t), 2 * PAGE_SIZE);
	memset(got(test, memquota_arena_alloc(arena, 8 * SZ_1M, 1)), 0, 8 * SZ_1M);
	memset(got(test, memquota_arena_alloc(arena, SZ_256K, 1)), 0, SZ_256K);
}

/* From chunks of all sizes, reused ones and one-shots. */
static unsigned int failures_of(struct memquota_arena *arena)
{
	unsigned int i, failures = 0;
	void *memory;

	for (i = 0; i < 300; i++) {
		memory = memquota_arena_alloc_ref(arena, 900, 8);
		if (IS_ERR(memory)) {
			failures++;
			continue;
		}
		memset(memory, 1, 900);
		memquota_ref_put(memory);
		failures += IS_ERR(memquota_arena_alloc(arena, 100, 8));
	}
	failures += IS_ERR(memquota_arena_alloc(arena, SZ_32K, 8));
	failures += !!memquota_arena_preallocate(arena, 1000);
	memquota_arena_reset(arena);
	failures += IS_ERR(memquota_arena_alloc(arena, 100, 8));
	return failures;
}

static void n12_atomic_where_the_flags_say_so(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .gfp = GFP_ATOMIC });
	static DEFINE_SPINLOCK(lock);
	unsigned int failures;
	unsigned long flags;

	local_bh_disable();
	failures = failures_of(arena);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, failures, 0);

	local_irq_save(flags);
	failures = failures_of(arena);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, failures, 0);

	spin_lock_irqsave(&lock, flags);
	failures = failures_of(arena);
	spin_unlock_irqrestore(&lock, flags);
	KUNIT_EXPECT_EQ(test, failures, 0);

	/* What would have to be mapped cannot be had so. */
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			PTR_ERR(memquota_arena_alloc(arena, 64 * SZ_1M, 1)));
	KUNIT_EXPECT_EQ(test, exact_total(t), stats_of(arena).held_bytes);
}

static void n12_on_a_node(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){
				.flags = MEMQUOTA_ARENA_ON_NODE, .node = 0 });
	static const size_t sizes[] = { 10, 5000, SZ_32K, 8 * SZ_1M };
	struct page *page;
	unsigned int i;
	void *memory;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memory = got(test, memquota_arena_alloc(arena, sizes[i], 1));
		page = is_vmalloc_addr(memory) ? vmalloc_to_page(memory) :
						 virt_to_page(memory);
		KUNIT_EXPECT_EQ(test, page_to_nid(page), 0);
	}
}

static void n12_what_no_arena_can_be(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	const struct memquota_arena_config refused[] = {
		{ .gfp = GFP_KERNEL, .flags = BIT(3) },
		{ .gfp = GFP_KERNEL, .flags = BIT(31) },
		{ .gfp = GFP_KERNEL, .wait = -1 },
		{ .gfp = GFP_KERNEL | __GFP_HIGHMEM },
		{ .gfp = GFP_KERNEL | __GFP_DMA },
		{ .gfp = GFP_KERNEL | __GFP_DMA32 },
		{ .gfp = GFP_KERNEL | __GFP_MOVABLE },
		{ .gfp = GFP_KERNEL | __GFP_ZERO },
		{ .gfp = GFP_KERNEL | __GFP_COMP },
		{ .gfp = GFP_KERNEL, .flags = MEMQUOTA_ARENA_ON_NODE, .node = -1 },
		{ .gfp = GFP_KERNEL, .flags = MEMQUOTA_ARENA_ON_NODE,
		  .node = MAX_NUMNODES },
		{ .gfp = GFP_KERNEL, .flags = MEMQUOTA_ARENA_ON_NODE,
		  .node = INT_MAX },
	};
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena_config config;
	struct memquota_arena arena;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		config = refused[i];
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    memquota_arena_init(&arena, &config, "a"),
				    "configuration %u", i);
		config.flags |= MEMQUOTA_ARENA_PERCPU | MEMQUOTA_ARENA_IN_ACCOUNT;
		config.account = account;
		KUNIT_EXPECT_EQ(test, -EINVAL,
				memquota_arena_init(&arena, &config, "a"));
	}
	/* A node counts only if the flag says so. */
	config = (struct memquota_arena_config){ .node = -7 };
	got(test, memquota_arena_alloc(lone_arena(test, t, &config), 100, 1));
}

static void n12_an_account_that_takes_nobody(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT,
		.account = closed_account(test, t),
	};
	struct memquota_arena arena;

	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_arena_init(&arena, &config, "a"));
	config.flags |= MEMQUOTA_ARENA_PERCPU;
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_arena_init(&arena, &config, "a"));
	destroy_tracker(test, t);
	KUNIT_EXPECT_EQ(test, -ESHUTDOWN, memquota_arena_init(&arena, &config, "a"));
}

static void n12_a_null_handle_counts_nothing(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_arena *arena;
	u64 before = exact_total(t);
	void *ref;

	arena = new_arena(test, NULL, &(struct memquota_arena_config){
		.budget_bytes = SZ_2M, .wait = 1 });
	KUNIT_EXPECT_EQ(test, failures_of(arena), 0);
	KUNIT_EXPECT_GT(test, stats_of(arena).held_bytes, 0);
	KUNIT_EXPECT_EQ(test, -EDQUOT, PTR_ERR(memquota_arena_alloc(arena, SZ_2M, 1)));
	ref = got(test, memquota_arena_alloc_ref(arena, SZ_32K, 1));
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
	KUNIT_EXPECT_EQ(test, memquota_held(memquota_arena_participant(arena)),
			memquota_held(&(struct memquota_participant){}));
	end_arena(test, arena);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
}

static void n12_an_account_of_its_own(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_arena_config config = { .gfp = GFP_KERNEL };
	u64 before = exact_total(t);
	struct memquota_arena arena;
	void *ref;

	KUNIT_ASSERT_EQ(test, 0, memquota_arena_init(&arena, &config, "own"));
	ref = memquota_arena_alloc_ref(&arena, 448, 1);
	KUNIT_EXPECT_FALSE(test, IS_ERR(ref));
	KUNIT_EXPECT_FALSE(test, IS_ERR(memquota_arena_alloc(&arena, SZ_1M, 1)));
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_512 + SZ_1M + SZ_4K);
	KUNIT_EXPECT_EQ(test, memquota_held(memquota_arena_participant(&arena)),
			SZ_512 + SZ_1M + SZ_4K);
	memquota_arena_destroy(&arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_512);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
}

static void t10_an_arena_waits_for_quota(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M });
	struct actor *holder = lone_actor(test, t, 0, 2);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .wait = HZ / 10 });
	unsigned long begin = jiffies;

	holder->per_call = 0;
	actor_charge(holder, SZ_1M);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc(arena, 1, 1)), -ETIME);
	KUNIT_EXPECT_GE(test, jiffies - begin, HZ / 10);
	KUNIT_EXPECT_EQ(test, PTR_ERR(memquota_arena_alloc_ref(arena, SZ_32K, 1)), -ETIME);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	KUNIT_EXPECT_EQ(test, stats_of(arena).held_bytes, 0);
	KUNIT_EXPECT_EQ(test, READ_ONCE(t->waitq.nr), 0);
	actor_uncharge(holder, SZ_64K);
	got(test, memquota_arena_alloc(arena, 1, 1));
	got(test, memquota_arena_alloc(arena, SZ_32K, 1));
}

static void t10_an_atomic_arena_does_not_wait(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M });
	struct actor *holder = lone_actor(test, t, 0, 2);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){
				.gfp = GFP_ATOMIC, .wait = HZ / 10 });
	void *memory, *big;

	holder->per_call = 0;
	actor_charge(holder, SZ_1M);
	local_bh_disable();
	memory = memquota_arena_alloc(arena, 1, 1);
	big = memquota_arena_alloc_ref_wait(arena, SZ_32K, 1, HZ);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, PTR_ERR(memory), -EDQUOT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(big), -EDQUOT);
}

struct waiter {
	struct runner runner;
	struct memquota_arena *arena;
};

static void alloc_while_full(struct runner *runner)
{
	struct waiter *w = container_of(runner, struct waiter, runner);

	runner->result = PTR_ERR_OR_ZERO(memquota_arena_alloc(w->arena, 1000, 1));
}

static void t10_an_arena_waits_until_there_is_room(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M });
	struct waiter *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct actor *holder = lone_actor(test, t, 0, 2);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->arena = lone_arena(test, t, &(struct memquota_arena_config){
		.wait = 60 * HZ });
	holder->per_call = 0;
	actor_charge(holder, SZ_1M);
	runner_start(test, &w->runner, alloc_while_full, NULL);
	EXPECT_SETTLES(test, READ_ONCE(t->waitq.nr) > 0);
	KUNIT_EXPECT_FALSE(test, runner_ended(&w->runner));
	actor_uncharge(holder, SZ_64K);
	runner_join(test, &w->runner);
	KUNIT_EXPECT_EQ(test, w->runner.result, 0);
	KUNIT_EXPECT_EQ(test, stats_of(w->arena).held_bytes, SZ_2K);
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
	KUNIT_CASE(n12_accounted_by_the_page),
	KUNIT_CASE(n12_atomic_where_the_flags_say_so),
	KUNIT_CASE(n12_on_a_node),
	KUNIT_CASE(n12_what_no_arena_can_be),
	KUNIT_CASE(n12_an_account_that_takes_nobody),
	KUNIT_CASE(n12_a_null_handle_counts_nothing),
	KUNIT_CASE(n12_an_account_of_its_own),
	KUNIT_CASE(t10_an_arena_waits_for_quota),
	KUNIT_CASE(t10_an_atomic_arena_does_not_wait),
	KUNIT_CASE(t10_an_arena_waits_until_there_is_room),
	{}
};

MEMQUOTA_SUITE(memquota_arena, cases);
