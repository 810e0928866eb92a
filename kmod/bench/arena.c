// SPDX-License-Identifier: GPL-2.0
/* Measure arenas: objects, references, and the chunks behind them. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <memquota/account.h>
#include <memquota/arena.h>
#include "../memory/arena_core.h"
#include "bench.h"

#define LIVE		1000
#define SIZE		64
#define ALIGNMENT	sizeof(u64)

/* An object that fills a chunk of the largest class. */
#define WHOLE_CHUNK	(MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)

struct allocator {
	struct memquota_arena *arena;
	size_t size;
	unsigned int next;
	void *live[LIVE];	/* references */
	struct memquota_arena own;
};

/* One arena for all threads; the first of them sets it up. */
struct shared {
	struct memquota_arena arena;
	struct bench b;
	unsigned int users;
};

static int arena_create(struct bench *b, struct memquota_arena *arena,
			unsigned int flags, size_t max_normal_alloc)
{
	const struct memquota_limits limits = { .max = 1ULL << 40 };
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL,
		.flags = flags | MEMQUOTA_ARENA_IN_ACCOUNT,
		.max_normal_alloc = max_normal_alloc,
	};
	int err = bench_create_account(b, &limits);

	if (err)
		return err;
	config.account = b->account;
	err = memquota_arena_init(arena, &config, "bench");
	if (err)
		bench_destroy_account(b);
	return err;
}

static void arena_destroy(struct bench *b, struct memquota_arena *arena)
{
	memquota_arena_destroy(arena);
	bench_destroy_account(b);
}

static int allocator_create(struct bench *b, struct memquota_arena *arena)
{
	struct allocator *a = kvzalloc(sizeof(*a), GFP_KERNEL);

	if (!a)
		return -ENOMEM;
	a->arena = arena ?: &a->own;
	a->size = SIZE;
	b->private = a;
	return 0;
}

static void allocator_teardown(struct bench *b)
{
	struct allocator *a = b->private;
	unsigned int i;

	for (i = 0; i < LIVE; i++)
		memquota_ref_put(a->live[i]);
	if (a->arena == &a->own)
		arena_destroy(b, a->arena);
	kvfree(a);
}

static int allocator_setup(struct bench *b, unsigned int flags,
			   size_t max_normal_alloc)
{
	struct allocator *a;
	int err = allocator_create(b, NULL);

	if (err)
		return err;
	a = b->private;
	err = arena_create(b, a->arena, flags, max_normal_alloc);
	if (err)
		kvfree(a);
	return err;
}

static int setup_arena(struct bench *b, const struct bench_case *c)
{
	return allocator_setup(b, 0, 0);
}

static int setup_whole_chunks(struct bench *b, const struct bench_case *c)
{
	return allocator_setup(b, 0, WHOLE_CHUNK);
}

static int setup_percpu(struct bench *b, const struct bench_case *c)
{
	return allocator_setup(b, MEMQUOTA_ARENA_PERCPU, 0);
}

static int setup_one_ref(struct bench *b, const struct bench_case *c)
{
	struct allocator *a;
	int err = setup_arena(b, c);

	if (err)
		return err;
	a = b->private;
	a->live[0] = memquota_arena_alloc_ref(a->arena, SIZE, ALIGNMENT);
	return 0;
}

/* Write to each object, as its user would. */
#define LOOP_RESET(name, alloc)						\
static noinline u64 loop_##name(struct bench *b, unsigned long n)	\
{									\
	struct allocator *a = b->private;					\
	struct memquota_arena *arena = a->arena;			\
	u64 start = bench_clock(), *object;				\
	unsigned int left;						\
									\
	do {								\
		left = LIVE;						\
		do {							\
			object = alloc;					\
			if (IS_ERR(object))				\
				return BENCH_NONE;			\
			*object = left;					\
		} while (--left);					\
		memquota_arena_reset(arena);				\
	} while (--n);							\
	return bench_clock() - start;					\
}

LOOP_RESET(alloc_reset, memquota_arena_alloc(arena, SIZE, ALIGNMENT))
LOOP_RESET(alloc_variable, memquota_arena_alloc(arena, READ_ONCE(a->size),
						ALIGNMENT))
LOOP_RESET(zalloc, memquota_arena_zalloc(arena, SIZE, ALIGNMENT))
LOOP_RESET(alloc_percpu, memquota_arena_alloc_percpu(arena, SIZE, ALIGNMENT))

/* Put the oldest of LIVE references for each new one. */
#define LOOP_RING(name, alloc)						\
static noinline u64 loop_##name(struct bench *b, unsigned long n)	\
{									\
	struct allocator *a = b->private;					\
	struct memquota_arena *arena = a->arena;			\
	void **live = a->live + a->next, **end = a->live + LIVE; \
	u64 start = bench_clock(), elapsed, *object;			\
									\
	do {								\
		object = alloc;						\
		if (IS_ERR(object))					\
			return BENCH_NONE;				\
		*object = n;						\
		memquota_ref_put(*live);				\
		*live = object;						\
		if (++live == end)					\
			live = a->live;				\
	} while (--n);							\
	elapsed = bench_clock() - start;				\
	a->next = live - a->live;					\
	return elapsed;							\
}

LOOP_RING(ref_put, memquota_arena_alloc_ref(arena, SIZE, ALIGNMENT))
LOOP_RING(ref_percpu_put, memquota_arena_alloc_ref_percpu(arena, SIZE,
							  ALIGNMENT))

static noinline u64 loop_reset(struct bench *b, unsigned long n)
{
	struct allocator *a = b->private;
	u64 start = bench_clock();

	do {
		memquota_arena_reset(a->arena);
	} while (--n);
	return bench_clock() - start;
}

static int setup_one_plain(struct bench *b, const struct bench_case *c)
{
	struct allocator *a;
	int err = setup_arena(b, c);

	if (err)
		return err;
	a = b->private;
	memquota_arena_alloc(a->arena, SIZE, ALIGNMENT);
	return 0;
}

static noinline u64 loop_ref_get_put(struct bench *b, unsigned long n)
{
	struct allocator *a = b->private;
	void *object = a->live[0];
	u64 start = bench_clock();

	do {
		memquota_ref_get(object);
		memquota_ref_put(object);
	} while (--n);
	return bench_clock() - start;
}

static void arena_trim_cache(struct memquota_arena *arena)
{
	struct memquota_arena_core *core = arena->core;

	while (core->ops.trim(&core->participant))
		;
}

/*
 * Each object fills a chunk. Put it once the next object has replaced its chunk
 * as the current one, so that the chunk returns to the cache or the system.
 */
static __always_inline u64 loop_refill_chunks(struct bench *b, unsigned long n,
					      bool fresh)
{
	struct allocator *a = b->private;
	struct memquota_arena *arena = a->arena;
	u64 start = bench_clock();
	void *object;

	do {
		object = memquota_arena_alloc_ref(arena, WHOLE_CHUNK,
						  ALIGNMENT);
		memquota_ref_put(a->live[0]);
		a->live[0] = object;
		if (fresh)
			arena_trim_cache(arena);
	} while (--n);
	return bench_clock() - start;
}

static noinline u64 loop_refill(struct bench *b, unsigned long n)
{
	return loop_refill_chunks(b, n, false);
}

static noinline u64 loop_refill_fresh(struct bench *b, unsigned long n)
{
	return loop_refill_chunks(b, n, true);
}

/* Wait until a worker has done what the last put deferred. */
static void arena_wait_for_worker(const struct memquota_arena_core *core)
{
	while (refcount_read(&core->refs) > 1)
		schedule();
}

static __always_inline u64 loop_one_shots(struct bench *b, unsigned long n,
					  bool with_deferred_work)
{
	struct allocator *a = b->private;
	struct memquota_arena *arena = a->arena;
	u64 start = bench_clock(), elapsed;

	do {
		memquota_ref_put(memquota_arena_alloc_ref(arena, SZ_32K,
							  ALIGNMENT));
	} while (--n);
	if (with_deferred_work)
		arena_wait_for_worker(arena->core);
	elapsed = bench_clock() - start;
	arena_wait_for_worker(arena->core);
	return elapsed;
}

static noinline u64 loop_one_shot(struct bench *b, unsigned long n)
{
	return loop_one_shots(b, n, false);
}

static noinline u64 loop_one_shot_with_worker(struct bench *b, unsigned long n)
{
	return loop_one_shots(b, n, true);
}

#define ARENA(how)							\
	.setup = how,							\
	.teardown = allocator_teardown

static const struct bench_case arena_cases[] = {
	{
		.name = "arena_alloc_reset",
		.loop = loop_alloc_reset,
		ARENA(setup_arena),
		.per = LIVE,
		.times = 10,
		.peer = "peer_bare_cursor",
	}, {
		.name = "arena_alloc_variable_size",
		.loop = loop_alloc_variable,
		ARENA(setup_arena),
		.per = LIVE,
		.times = 10,
		.peer = "peer_bare_cursor",
	}, {
		.name = "arena_zalloc",
		.loop = loop_zalloc,
		ARENA(setup_arena),
		.per = LIVE,
		.times = 10,
		.peer = "peer_bare_cursor",
	}, {
		.name = "arena_alloc_percpu",
		.loop = loop_alloc_percpu,
		ARENA(setup_percpu),
		.per = LIVE,
		.times = 10,
		.peer = "peer_kmem_cache_bulk",
	}, {
		.name = "arena_alloc_ref_put",
		.loop = loop_ref_put,
		ARENA(setup_arena),
		.peer = "peer_page_frag",
	}, {
		.name = "arena_alloc_ref_percpu_put",
		.loop = loop_ref_percpu_put,
		ARENA(setup_percpu),
		.peer = "peer_page_frag",
	}, {
		.name = "ref_get_put",
		.loop = loop_ref_get_put,
		ARENA(setup_one_ref),
		.peer = "peer_atomic64",
	}, {
		.name = "arena_reset",
		.loop = loop_reset,
		ARENA(setup_one_plain),
	}, {
		.name = "arena_refill",
		.loop = loop_refill,
		ARENA(setup_whole_chunks),
		.times = 1000,
	}, {
		.name = "arena_refill_fresh",
		.loop = loop_refill_fresh,
		ARENA(setup_whole_chunks),
		.times = 1000,
	}, {
		.name = "arena_one_shot",
		.loop = loop_one_shot,
		ARENA(setup_arena),
		.times = 100,
	}, {
		.name = "arena_one_shot_with_deferred_work",
		.loop = loop_one_shot_with_worker,
		ARENA(setup_arena),
		.times = 100,
	},
};

int bench_arena(void)
{
	return bench_run_cases(arena_cases, ARRAY_SIZE(arena_cases));
}

/* --- All CPUs at once, in one arena --- */

static struct shared shared_plain, shared_refs;

static int setup_shared(struct bench *b, struct shared *shared)
{
	int err = allocator_create(b, &shared->arena);

	if (!err && !shared->users) {
		shared->b = (struct bench){ .tracker = b->tracker };
		err = arena_create(&shared->b, &shared->arena,
				   MEMQUOTA_ARENA_PERCPU, 0);
		if (err)
			kvfree(b->private);
	}
	if (!err)
		shared->users++;
	return err;
}

static void teardown_shared(struct bench *b, struct shared *shared)
{
	allocator_teardown(b);
	if (!--shared->users)
		arena_destroy(&shared->b, &shared->arena);
}

static int setup_shared_plain(struct bench *b, const struct bench_case *c)
{
	return setup_shared(b, &shared_plain);
}

static void teardown_shared_plain(struct bench *b)
{
	teardown_shared(b, &shared_plain);
}

static int setup_shared_refs(struct bench *b, const struct bench_case *c)
{
	return setup_shared(b, &shared_refs);
}

static void teardown_shared_refs(struct bench *b)
{
	teardown_shared(b, &shared_refs);
}

/* No CPU resets the arena in the loop: that would disturb the other CPUs. */
static noinline u64 loop_alloc_shared(struct bench *b, unsigned long n)
{
	struct allocator *a = b->private;
	struct memquota_arena *arena = a->arena;
	u64 start = bench_clock(), *object;

	do {
		object = memquota_arena_alloc_percpu(arena, SIZE, ALIGNMENT);
		if (IS_ERR(object))
			return BENCH_NONE;
		*object = n;
	} while (--n);
	return bench_clock() - start;
}

static void reset_shared(struct bench *b)
{
	struct allocator *a = b->private;

	memquota_arena_reset(a->arena);
}

const struct bench_case bench_arena_shared_cases[] = {
	{
		.name = "arena_alloc_percpu",
		.loop = loop_alloc_shared,
		.setup = setup_shared_plain,
		.teardown = teardown_shared_plain,
		.rewind = reset_shared,
		.times = 16 * LIVE,
		.floor = "peer_percpu_sub_add",
	}, {
		.name = "arena_alloc_ref_percpu_put",
		.loop = loop_ref_percpu_put,
		.setup = setup_shared_refs,
		.teardown = teardown_shared_refs,
		.floor = "peer_percpu_sub_add",
	},
};

const size_t bench_nr_arena_shared_cases = ARRAY_SIZE(bench_arena_shared_cases);
