// SPDX-License-Identifier: GPL-2.0
/* Measure peers: what the kernel offers for the same job, or a part of it. */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "bench.h"
#include "compat.h"

#define LIVE		1000

static DEFINE_PER_CPU_ALIGNED(u64, floor_bytes);
static atomic64_t shared ____cacheline_aligned_in_smp;
static DEFINE_SPINLOCK(shared_lock);
static u64 locked_bytes;
static struct percpu_counter counter;

static BENCH_LOOP(peer_percpu_sub_add,
	preempt_disable();
	__this_cpu_sub(floor_bytes, 64);
	preempt_enable();
	preempt_disable();
	__this_cpu_add(floor_bytes, 64);
	preempt_enable();
)

/* The one atomic operation of a charge in the slot. */
static __always_inline void percpu_cmpxchg(s64 bytes)
{
	u64 old = this_cpu_read(floor_bytes);

	memquota_this_cpu_try_cmpxchg(&floor_bytes, &old, old + bytes);
}

static BENCH_LOOP(peer_percpu_cmpxchg,
	percpu_cmpxchg(-64);
	percpu_cmpxchg(64);
)

static BENCH_LOOP(peer_atomic64,
	atomic64_add_return(64, &shared);
	atomic64_sub_return(64, &shared);
)

static BENCH_LOOP(peer_spinlock,
	spin_lock(&shared_lock);
	WRITE_ONCE(locked_bytes, locked_bytes + 64);
	spin_unlock(&shared_lock);
	spin_lock(&shared_lock);
	WRITE_ONCE(locked_bytes, locked_bytes - 64);
	spin_unlock(&shared_lock);
)

static BENCH_LOOP(peer_percpu_counter,
	percpu_counter_add_batch(&counter, 64, 1 << 20);
	percpu_counter_add_batch(&counter, -64, 1 << 20);
)

static int setup_counter(struct bench *b, const struct bench_case *c)
{
	/* Threads share the counter. */
	return percpu_counter_initialized(&counter) ? 0 :
	       percpu_counter_init(&counter, 0, GFP_KERNEL);
}

static BENCH_LOOP(peer_kmalloc,
	kfree(kmalloc(64, GFP_KERNEL));
)

static BENCH_LOOP(peer_kmalloc_accounted,
	kfree(kmalloc(64, GFP_KERNEL_ACCOUNT));
)

/* A cache with many live objects; the loop frees the oldest. */
struct live {
	struct kmem_cache *cache;
	unsigned int next;
	void *objects[LIVE];
};

static void teardown_live(struct bench *b)
{
	struct live *live = b->private;
	unsigned int i;

	for (i = 0; i < LIVE; i++)
		kmem_cache_free(live->cache, live->objects[i]);
	kmem_cache_destroy(live->cache);
	kvfree(live);
}

static int setup_live_flags(struct bench *b, slab_flags_t flags)
{
	struct live *live = kvzalloc(sizeof(*live), GFP_KERNEL);
	unsigned int i;

	if (!live)
		return -ENOMEM;
	b->private = live;
	live->cache = kmem_cache_create("memquota_bench", 64, 0, flags, NULL);
	if (!live->cache) {
		kvfree(live);
		return -ENOMEM;
	}
	for (i = 0; i < LIVE; i++) {
		live->objects[i] = kmem_cache_alloc(live->cache,
						    GFP_KERNEL | __GFP_NOFAIL);
	}
	return 0;
}

static int setup_live(struct bench *b, const struct bench_case *c)
{
	return setup_live_flags(b, 0);
}

static int setup_live_accounted(struct bench *b, const struct bench_case *c)
{
	return setup_live_flags(b, SLAB_ACCOUNT);
}

static noinline u64 loop_peer_kmem_cache(struct bench *b, unsigned long n)
{
	struct live *live = b->private;
	struct kmem_cache *cache = live->cache;
	void **object = live->objects, **end = object + LIVE, *new;
	u64 start = bench_clock();

	do {
		new = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL);
		kmem_cache_free(cache, *object);
		*object = new;
		if (++object == end)
			object = live->objects;
	} while (--n);
	return bench_clock() - start;
}

#define BULK		64

/* Allocate and free a batch; the result is per object. */
static noinline u64 loop_peer_kmem_cache_bulk(struct bench *b, unsigned long n)
{
	struct live *live = b->private;
	void *objects[BULK];
	u64 start = bench_clock();

	do {
		if (!kmem_cache_alloc_bulk(live->cache, GFP_KERNEL, BULK,
					   objects))
			return BENCH_NONE;
		kmem_cache_free_bulk(live->cache, BULK, objects);
	} while (--n);
	return bench_clock() - start;
}

/* Fragments of pages; the loop frees the oldest. */
struct frags {
	struct page_frag_cache cache;
	unsigned int next;
	void *objects[LIVE];
};

static void teardown_frags(struct bench *b)
{
	struct frags *frags = b->private;
	unsigned int i;

	for (i = 0; i < LIVE && frags->objects[i]; i++)
		page_frag_free(frags->objects[i]);
	bench_page_frag_cache_drain(&frags->cache);
	kvfree(frags);
}

static int setup_frags(struct bench *b, const struct bench_case *c)
{
	struct frags *frags = kvzalloc(sizeof(*frags), GFP_KERNEL);
	unsigned int i;

	if (!frags)
		return -ENOMEM;
	b->private = frags;
	for (i = 0; i < LIVE; i++) {
		frags->objects[i] = page_frag_alloc(&frags->cache, 64,
						    GFP_KERNEL);
		if (!frags->objects[i]) {
			teardown_frags(b);
			return -ENOMEM;
		}
	}
	return 0;
}

static noinline u64 loop_peer_page_frag(struct bench *b, unsigned long n)
{
	struct frags *frags = b->private;
	void **object = frags->objects + frags->next;
	void **end = frags->objects + LIVE, *new;
	u64 start = bench_clock(), elapsed;

	do {
		new = page_frag_alloc(&frags->cache, 64, GFP_KERNEL);
		if (unlikely(!new))
			return BENCH_NONE;
		page_frag_free(*object);
		*object = new;
		if (++object == end)
			object = frags->objects;
	} while (--n);
	elapsed = bench_clock() - start;
	frags->next = object - frags->objects;
	return elapsed;
}

/* An arena without chunks, references, alignment and a quota. */
struct cursor {
	char *at;
	char *end;
	void *block;
};

static void teardown_cursor(struct bench *b)
{
	struct cursor *cursor = b->private;

	kvfree(cursor->block);
	kfree(cursor);
}

static int setup_cursor(struct bench *b, const struct bench_case *c)
{
	struct cursor *cursor = kzalloc(sizeof(*cursor), GFP_KERNEL);

	if (!cursor)
		return -ENOMEM;
	cursor->block = kvzalloc(SZ_64K, GFP_KERNEL);
	if (!cursor->block) {
		kfree(cursor);
		return -ENOMEM;
	}
	cursor->end = cursor->block + SZ_64K;
	b->private = cursor;
	return 0;
}

static noinline u64 loop_peer_bare_cursor(struct bench *b, unsigned long n)
{
	struct cursor *cursor = b->private;
	u64 start = bench_clock(), *object;
	unsigned int left;

	do {
		cursor->at = cursor->block;
		left = LIVE;
		do {
			object = (u64 *)cursor->at;
			if (unlikely(cursor->end - cursor->at < 64))
				return BENCH_NONE;
			cursor->at += 64;
			*object = left;
		} while (--left);
	} while (--n);
	return bench_clock() - start;
}

const struct bench_case bench_peer_cases[] = {
	{
		.name = "peer_percpu_sub_add",
		.loop = loop_peer_percpu_sub_add,
	}, {
		.name = "peer_percpu_cmpxchg",
		.loop = loop_peer_percpu_cmpxchg,
	}, {
		.name = "peer_atomic64",
		.loop = loop_peer_atomic64,
	}, {
		.name = "peer_spinlock",
		.loop = loop_peer_spinlock,
	}, {
		.name = "peer_percpu_counter",
		.loop = loop_peer_percpu_counter,
		.setup = setup_counter,
	}, {
		.name = "peer_kmalloc_kfree",
		.loop = loop_peer_kmalloc,
	}, {
		.name = "peer_kmalloc_kfree_accounted",
		.loop = loop_peer_kmalloc_accounted,
	}, {
		.name = "peer_kmem_cache",
		.loop = loop_peer_kmem_cache,
		.setup = setup_live,
		.teardown = teardown_live,
		.times = 5 * LIVE,
	}, {
		.name = "peer_kmem_cache_accounted",
		.loop = loop_peer_kmem_cache,
		.setup = setup_live_accounted,
		.teardown = teardown_live,
		.times = 5 * LIVE,
	}, {
		.name = "peer_kmem_cache_bulk",
		.loop = loop_peer_kmem_cache_bulk,
		.setup = setup_live,
		.teardown = teardown_live,
		.per = BULK,
		.times = 100,
	}, {
		.name = "peer_page_frag",
		.loop = loop_peer_page_frag,
		.setup = setup_frags,
		.teardown = teardown_frags,
	}, {
		.name = "peer_bare_cursor",
		.loop = loop_peer_bare_cursor,
		.setup = setup_cursor,
		.teardown = teardown_cursor,
		.per = LIVE,
		.times = 10,
	},
};

const size_t bench_nr_peer_cases = ARRAY_SIZE(bench_peer_cases);

int bench_peers(void)
{
	return bench_run_cases(bench_peer_cases, bench_nr_peer_cases);
}

void bench_peers_exit(void)
{
	if (percpu_counter_initialized(&counter))
		percpu_counter_destroy(&counter);
}
