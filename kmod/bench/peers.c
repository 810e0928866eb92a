// SPDX-License-Identifier: GPL-2.0
/* Peers: what the kernel has for the same job, or for a part of it. */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <memquota/compat.h>
#include "bench.h"

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

/* The primitive that a charge in the slot stands on, and nothing else. */
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
	/* Threads share it. */
	return percpu_counter_initialized(&counter) ? 0 :
	       percpu_counter_init(&counter, 0, GFP_KERNEL);
}

static BENCH_LOOP(peer_kmalloc,
	kfree(kmalloc(64, GFP_KERNEL));
)

static BENCH_LOOP(peer_kmalloc_accounted,
	kfree(kmalloc(64, GFP_KERNEL_ACCOUNT));
)

/* A cache with many live objects, the oldest of which is freed. */
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
