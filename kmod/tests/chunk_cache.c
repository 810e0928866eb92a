// SPDX-License-Identifier: GPL-2.0
/* Chunks that come back, and what refills an arena: rules C5 to C9. */
#include <linux/llist.h>
#include <linux/sched.h>
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "harness.h"

static struct memquota_store *store_of(struct memquota_arena *arena)
{
	return arena->core->stores;
}

#define HANDED_OVER	20000
#define IN_FLIGHT	500

/* A reference on its way to a CPU that puts it. */
struct parcel {
	struct llist_node node;
	unsigned long check;
};

struct putters {
	struct memquota_arena *arena;
	struct llist_head parcels;
	atomic_t in_flight;
	atomic_t failures;
	bool ended;
};

static void put_parcels(struct putters *p)
{
	struct llist_node *list = llist_del_all(&p->parcels);
	struct parcel *parcel, *next;

	llist_for_each_entry_safe(parcel, next, list, node) {
		if (parcel->check != ~(unsigned long)parcel)
			atomic_inc(&p->failures);
		memquota_ref_put(parcel);
		atomic_dec(&p->in_flight);
	}
}

static void hand_over(struct putters *p)
{
	struct parcel *parcel;
	unsigned int i;

	for (i = 0; i < HANDED_OVER; i++) {
		/* Few to a chunk, so that chunks come back all the time. */
		parcel = memquota_arena_alloc_ref(p->arena, 100 + i % 1000, 8);
		if (IS_ERR(parcel)) {
			atomic_inc(&p->failures);
			break;
		}
		parcel->check = ~(unsigned long)parcel;
		atomic_inc(&p->in_flight);
		llist_add(&parcel->node, &p->parcels);
		while (atomic_read(&p->in_flight) > IN_FLIGHT)
			cond_resched();
	}
	WRITE_ONCE(p->ended, true);
}

static void hand_over_or_put(unsigned int cpu, void *arg)
{
	struct putters *p = arg;

	if (cpu == cpumask_first(cpu_online_mask))
		hand_over(p);
	while (!READ_ONCE(p->ended)) {
		put_parcels(p);
		cond_resched();
	}
	put_parcels(p);
}

static void
c5_chunks_come_back_from_all_cpus_while_the_owner_refills(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct putters *p = new_zeroed(test, struct putters);
	struct memquota_arena_stats stats;

	need_cpus(test, 2);
	p->arena = lone_arena(test, t, NULL);
	run_on_all_cpus(test, hand_over_or_put, p);
	KUNIT_EXPECT_EQ(test, atomic_read(&p->failures), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&p->in_flight), 0);
	stats = stats_of(p->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), stats.held_bytes);
	KUNIT_EXPECT_GT(test, stats.ever.cache_hits, stats.ever.chunks);
	memquota_arena_reset(p->arena);
	arena_trim(p->arena);
	expect_arena_held(test, t, p->arena, SZ_64K);
	end_arena(test, p->arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Retire a chunk of class 0 that only a reference keeps. */
static void *retired_ref(struct kunit *test, struct memquota_arena *arena)
{
	void *ref = must_alloc_ref(test, arena, class_room(0));

	KUNIT_ASSERT_EQ(test, memquota_chunk_of(ref)->class, 0);
	must_alloc(test, arena, 1);
	return ref;
}

static void c6_below_the_floor_nothing_is_kept(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *cached = retired_ref(test, arena);
	void *later = NULL;

	/* The chunk of 512 B comes back; the current one has 1 KiB. */
	memquota_ref_put(cached);
	expect_arena_held(test, t, arena, SZ_1K);
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 1);
	later = must_alloc_ref(test, arena, class_room(2));
	must_alloc(test, arena, class_room(6));
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 6);
	memquota_ref_put(later);
	KUNIT_EXPECT_EQ(test, arena_held(arena), SZ_1K + SZ_32K);
	/* The floor never falls. */
	memquota_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 6);
	arena_trim(arena);
	KUNIT_EXPECT_EQ(test, store_of(arena)->floor, 6);
	expect_arena_held(test, t, arena, SZ_32K);
}

static void c6_raising_lets_go_of_what_is_cached_below(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *refs[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		refs[i] = must_alloc_ref(test, arena, class_room(3));
	for (i = 0; i < 3; i++)
		memquota_ref_put(refs[i]);
	KUNIT_EXPECT_EQ(test, arena_held(arena), SZ_4K + 2 * SZ_4K);
	must_alloc(test, arena, class_room(7));
	expect_arena_held(test, t, arena, SZ_64K);
}

/* Return the chunk like a CPU that has not seen the new floor. */
static void slip_in(struct kunit *test, struct memquota_arena *arena, void *ref)
{
	struct memquota_chunk *chunk = memquota_chunk_of(ref);

	KUNIT_ASSERT_TRUE(test, refcount_dec_and_test(&chunk->refs));
	llist_add(&chunk->back, &store_of(arena)->returned);
}

static void c6_stragglers_are_dropped_when_met(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *ref = retired_ref(test, arena);
	void *current_ref;

	must_alloc(test, arena, class_room(7));
	slip_in(test, arena, ref);
	expect_arena_held(test, t, arena, SZ_512 + SZ_1K + SZ_64K);
	/* The next refill frees it. */
	must_alloc(test, arena, class_room(7));
	expect_arena_held(test, t, arena, SZ_1K + 2 * SZ_64K);

	/* Trimming frees it, too. */
	arena = roomy_arena(test, t);
	ref = retired_ref(test, arena);
	current_ref = must_alloc_ref(test, arena, class_room(7));
	slip_in(test, arena, ref);
	arena_trim(arena);
	KUNIT_EXPECT_EQ(test, arena_held(arena), SZ_1K + SZ_64K);
	/* Destroying the arena frees it, too. */
	ref = must_alloc_ref(test, arena, class_room(7));
	slip_in(test, arena, current_ref);
	end_arena(test, arena);
	memquota_ref_put(ref);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1K + 2 * SZ_64K);
}

/* A refill finds a preallocated larger chunk behind those of the floor. */
static void c6_larger_chunks_are_cached_too(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);

	memquota_ref_put(must_alloc_ref(test, arena, class_room(2)));
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, class_room(2)),
			0);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	/* The current chunk comes back first: three in all. */
	must_alloc(test, arena, LARGEST);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 3);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
	expect_arena_held(test, t, arena, SZ_64K);
}

static void c7_each_success_raises_the_mark(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	unsigned int class;
	size_t left;
	u64 sum = 0;
	void *memory;

	for (class = 0; class < MEMQUOTA_CLASSES + 2; class++) {
		memory = must_alloc(test, arena, 1);
		KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class,
				min(class, MEMQUOTA_CLASSES - 1U));
		sum += memquota_chunk_of(memory)->bytes;
		KUNIT_EXPECT_EQ(test, arena_held(arena), sum);
		/* Use up the chunk. One-shots do not raise the mark. */
		left = arena->bump.limit - arena->bump.cursor;
		must_alloc(test, arena, left);
		sum += SZ_128K;
		must_alloc(test, arena, SZ_128K - MEMQUOTA_CHUNK_HEADER);
	}
}

static void c7_what_is_needed_wins_over_the_mark(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *memory = must_alloc(test, arena, class_room(5));

	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 5);
	memory = must_alloc(test, arena, 1);
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 1);
}

static void c7_the_smallest_that_fits_where_quota_is_short(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *account = new_account(test, t, NULL);
	struct memquota_arena *arena = new_arena(test, account,
			&(struct memquota_arena_config){
				.max_normal_alloc = LARGEST,
				.budget_bytes = SZ_64K + SZ_512 });
	void *memory;

	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	must_alloc(test, arena, LARGEST);
	memory = must_alloc(test, arena, 1);
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 0);
	expect_arena_held(test, t, arena, SZ_64K + SZ_512);
	EXPECT_PTR_ERR(test, memquota_arena_alloc(arena, SZ_1K, 1), -EDQUOT);
	end_arena(test, arena);

	/* Likewise for the account's max. */
	arena = new_arena(test, account, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST });
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	KUNIT_ASSERT_EQ(test, memquota_account_set_max(account, SZ_64K + SZ_1K),
			0);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	must_alloc(test, arena, LARGEST);
	memory = must_alloc(test, arena, class_room(1));
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(memory)->class, 1);
	expect_arena_held(test, t, arena, SZ_64K + SZ_1K);
}

static void c7_the_smallest_that_fits_where_memory_is_short(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena =
		lone_arena(test, t,
			   &(struct memquota_arena_config){ .gfp = GFP_ATOMIC,
							    .max_normal_alloc =
								    LARGEST });
	void *memory;

	need_failing_pages(test);
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	must_alloc(test, arena, LARGEST);
	start_failing(1);
	memory = memquota_arena_alloc(arena, 1, 1);
	KUNIT_ASSERT_TRUE(test, stop_failing());
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(must_get(test, memory))->class,
			0);
	expect_arena_held(test, t, arena, SZ_64K + SZ_512);
	/* A larger allocation gets the class that it needs. */
	start_failing(1);
	memory = memquota_arena_alloc(arena, SZ_16K, 1);
	KUNIT_ASSERT_TRUE(test, stop_failing());
	KUNIT_EXPECT_EQ(test, memquota_chunk_of(must_get(test, memory))->class,
			6);
	expect_arena_held(test, t, arena, SZ_64K + SZ_512 + SZ_32K);
}

static void c7_the_displaced_chunk_goes_first(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int class, i;
	void *ref;

	/* The budget is one chunk. */
	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		arena = lone_arena(test, t, &(struct memquota_arena_config){
			.max_normal_alloc = LARGEST,
			.budget_bytes = memquota_class_bytes(class) });
		for (i = 0; i < 5; i++) {
			ref = must_alloc_ref(test, arena, class_room(class));
			memquota_ref_put(ref);
		}
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 4);
		end_arena(test, arena);
	}
	/* Also when the next chunk must be larger. */
	arena = lone_arena(test, t, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST, .budget_bytes = SZ_64K });
	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		ref = memquota_arena_alloc_ref(arena, class_room(class), 1);
		memquota_ref_put(must_get(test, ref));
	}
	expect_arena_held(test, t, arena, SZ_64K);
}

static void c7_preallocating_warms_the_cache(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena;
	unsigned int class;

	for (class = 0; class < MEMQUOTA_CLASSES; class++) {
		arena = roomy_arena(test, t);
		KUNIT_EXPECT_EQ(test,
				memquota_arena_preallocate(arena,
							   class_room(class)),
				0);
		expect_arena_held(test, t, arena, memquota_class_bytes(class));
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
		must_alloc(test, arena, class_room(class));
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 0);
		end_arena(test, arena);
	}
	arena = roomy_arena(test, t);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 0), 0);
	expect_arena_held(test, t, arena, SZ_512);
	end_arena(test, arena);
}

/* The next refill must not allocate from the system. */
static void c7_preallocating_less_than_the_mark(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	unsigned int i;
	u64 chunks;

	for (i = 0; i < 4; i++) {
		must_alloc(test, arena, class_room(i));
		KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 1), 0);
		chunks = stats_of(arena).ever.chunks;
		must_alloc(test, arena, 1);
		KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, chunks);
	}
	end_arena(test, arena);

	/* The floor is far above the mark. */
	arena = roomy_arena(test, t);
	must_alloc(test, arena, class_room(7));
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, 1), 0);
	must_alloc(test, arena, 1);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.chunks, 2);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.cache_hits, 1);
}

static void c7_preallocating_is_never_a_one_shot(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = lone_arena(test, t,
			&(struct memquota_arena_config){ .max_normal_alloc = 1 });

	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	KUNIT_EXPECT_EQ(test, stats_of(arena).ever.one_shots, 0);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, LARGEST + 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, memquota_arena_preallocate(arena, SIZE_MAX),
			-EINVAL);
	expect_arena_held(test, t, arena, SZ_64K);
}

static void c8_what_is_referenced_outlives_the_arena(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *refs[MEMQUOTA_CLASSES + 2];
	unsigned int i;
	u64 left;

	for (i = 0; i < MEMQUOTA_CLASSES; i++)
		refs[i] = must_alloc_ref(test, arena, class_room(i));
	refs[i++] = must_alloc_ref(test, arena, SZ_1M);
	refs[i] = must_alloc_ref(test, arena, 8 * SZ_1M);
	left = arena_held(arena);
	end_arena(test, arena);
	/* Each chunk is charged until its reference is put. */
	for (i = 0; i < ARRAY_SIZE(refs); i++) {
		KUNIT_EXPECT_EQ(test, exact_total(t), left);
		left -= memquota_chunk_of(refs[i])->bytes;
		memset(refs[i], i, 64);
		memquota_ref_put(refs[i]);
	}
	KUNIT_EXPECT_EQ(test, left, 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void c9_destroying_gives_back_what_nobody_references(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_arena *arena = roomy_arena(test, t);
	void *ref, *kept;
	unsigned int i;

	/* One of each kind: cached, returned, retired, current, one-shot. */
	KUNIT_ASSERT_EQ(test, memquota_arena_preallocate(arena, LARGEST), 0);
	for (i = 0; i < 20; i++)
		must_alloc(test, arena, SZ_16K);
	ref = must_alloc_ref(test, arena, LARGEST);
	kept = must_alloc_ref(test, arena, LARGEST);
	must_alloc(test, arena, SZ_1M);
	must_alloc(test, arena, 8 * SZ_1M);
	must_alloc(test, arena, 1);
	memquota_ref_put(ref);
	end_arena(test, arena);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K);
	memquota_ref_put(kept);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);

	end_arena(test, roomy_arena(test, t));
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(c5_chunks_come_back_from_all_cpus_while_the_owner_refills),
	KUNIT_CASE(c6_below_the_floor_nothing_is_kept),
	KUNIT_CASE(c6_raising_lets_go_of_what_is_cached_below),
	KUNIT_CASE(c6_stragglers_are_dropped_when_met),
	KUNIT_CASE(c6_larger_chunks_are_cached_too),
	KUNIT_CASE(c7_each_success_raises_the_mark),
	KUNIT_CASE(c7_what_is_needed_wins_over_the_mark),
	KUNIT_CASE(c7_the_smallest_that_fits_where_quota_is_short),
	KUNIT_CASE(c7_the_smallest_that_fits_where_memory_is_short),
	KUNIT_CASE(c7_the_displaced_chunk_goes_first),
	KUNIT_CASE(c7_preallocating_warms_the_cache),
	KUNIT_CASE(c7_preallocating_less_than_the_mark),
	KUNIT_CASE(c7_preallocating_is_never_a_one_shot),
	KUNIT_CASE(c8_what_is_referenced_outlives_the_arena),
	KUNIT_CASE(c9_destroying_gives_back_what_nobody_references),
	{}
};

MEMQUOTA_SUITE(memquota_chunk_cache, cases);
