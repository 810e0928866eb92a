// SPDX-License-Identifier: GPL-2.0
/*
 * Measure the bytes that an arena, and kmalloc(), take for each byte requested.
 *
 * An arena counts the chunks that it holds and is charged for: with their
 * headers, the padding between objects and the unused ends, that of the current
 * chunk included. kmalloc() counts the pages that the slab allocator takes for
 * the objects; a row of its own counts the sizes that kmalloc() rounds up to.
 * The kernel's count of pages is off by a few, less than a hundredth here.
 * Objects of both are aligned to 8 bytes.
 *
 * All objects live when they are counted. If they died one by one, an arena
 * would keep a chunk for the last object in it, and the slab allocator a page.
 */
#define pr_fmt(fmt) "memquota_bench: " fmt

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmstat.h>
#include <memquota/arena.h>
#include "bench.h"

#define OBJECTS		100000

static size_t size_fixed(unsigned int i)
{
	return 64;
}

/* Return each size from 1 to 1024 equally often, in a mixed order. */
static size_t size_uniform(unsigned int i)
{
	return 1 + i * 619 % 1024;
}

/*
 * The sizes that mqhttp allocates for one request, in order, recorded in its
 * parse_alloc(): the request, its text, method and path, then for each of 80
 * fields the field, its name and its value. selftests/mqhttp.h has that request:
 * 20 parameters, 20 headers, one of them with 40 cookies. The sizes depend only
 * on the text, and on 64-bit pointers.
 */
static const unsigned short request_sizes[] = {
	64, 2281, 4, 7, 32, 2, 21, 32, 5, 4, 32, 5, 4, 32, 9, 23, 32, 6, 5,
	32, 10, 5, 32, 10, 23, 32, 7, 5, 32, 5, 5, 32, 11, 23, 32, 11, 5, 32,
	13, 5, 32, 4, 23, 32, 8, 5, 32, 5, 5, 32, 9, 23, 32, 5, 5, 32, 9, 5,
	32, 9, 23, 32, 6, 5, 32, 5, 13, 32, 11, 11, 32, 14, 10, 32, 10, 40,
	32, 17, 3, 32, 19, 8, 32, 4, 2, 32, 26, 2, 32, 11, 102, 32, 7, 86, 32,
	15, 12, 32, 15, 9, 32, 15, 3, 32, 15, 9, 32, 8, 33, 32, 16, 24, 32,
	16, 24, 32, 14, 22, 32, 17, 15, 32, 7, 1157, 32, 18, 44, 32, 7, 10,
	32, 7, 10, 32, 7, 10, 32, 18, 10, 32, 7, 44, 32, 7, 10, 32, 7, 10, 32,
	18, 10, 32, 7, 10, 32, 8, 44, 32, 8, 10, 32, 19, 10, 32, 8, 10, 32, 8,
	11, 32, 8, 45, 32, 19, 11, 32, 8, 11, 32, 8, 11, 32, 8, 11, 32, 19,
	45, 32, 8, 11, 32, 8, 11, 32, 8, 11, 32, 19, 11, 32, 8, 45, 32, 8, 11,
	32, 8, 11, 32, 19, 11, 32, 8, 11, 32, 8, 45, 32, 8, 11, 32, 19, 11,
	32, 8, 11, 32, 8, 11, 32, 8, 45, 32, 19, 11, 32, 8, 11, 32, 8, 11, 32,
	8, 11,
};

static size_t size_of_request(unsigned int i)
{
	return request_sizes[i % ARRAY_SIZE(request_sizes)];
}

static const struct mix {
	size_t (*size)(unsigned int i);
	const char *arena;
	const char *pages;
	const char *rounded;
} mixes[] = {
	{ size_fixed, "arena_memory_64", "kmalloc_memory_64",
	  "kmalloc_rounded_64" },
	{ size_uniform, "arena_memory_1_to_1024", "kmalloc_memory_1_to_1024",
	  "kmalloc_rounded_1_to_1024" },
	{ size_of_request, "arena_memory_request", "kmalloc_memory_request",
	  "kmalloc_rounded_request" },
};

static void overhead_report(const char *name, u64 taken, u64 asked,
			    const char *peer)
{
	bench_report(&(struct bench_result) {
		.name = name,
		.value = div64_u64(taken * BENCH_UNIT, asked),
		.unit = "bytes_per_byte",
		.cpus = 1,
		.peer = peer,
		.peer_value = peer ? bench_last_value(peer) : BENCH_NONE,
	});
}

static u64 count_slab_pages(void)
{
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
}

/* Allocate as many objects first, to use up free objects in the caches. */
static int measure_kmalloc(const struct mix *mix, u64 asked)
{
	void **objects = kvcalloc(2 * OBJECTS, sizeof(*objects), GFP_KERNEL);
	u64 rounded = 0, pages = 0;
	unsigned int i;
	int err = 0;

	if (!objects)
		return -ENOMEM;
	for (i = 0; i < 2 * OBJECTS; i++) {
		if (i == OBJECTS)
			pages = count_slab_pages();
		objects[i] = kmalloc(mix->size(i % OBJECTS), GFP_KERNEL);
		if (!objects[i])
			err = -ENOMEM;
		cond_resched();
	}
	pages = count_slab_pages() - pages;
	for (i = 0; i < OBJECTS; i++)
		rounded += kmalloc_size_roundup(mix->size(i));
	for (i = 0; i < 2 * OBJECTS; i++)
		kfree(objects[i]);
	kvfree(objects);
	if (err)
		return err;
	overhead_report(mix->pages, pages * PAGE_SIZE, asked, NULL);
	overhead_report(mix->rounded, rounded, asked, NULL);
	return 0;
}

static int measure_arena(const struct mix *mix, u64 asked)
{
	const struct memquota_arena_config config = { .gfp = GFP_KERNEL };
	struct memquota_arena_stats stats;
	struct memquota_arena arena;
	unsigned int i;
	void *object;
	int err;

	err = memquota_arena_init(&arena, &config, "bench");
	if (err)
		return err;
	for (i = 0; !err && i < OBJECTS; i++) {
		object = memquota_arena_alloc(&arena, mix->size(i),
					      sizeof(u64));
		err = PTR_ERR_OR_ZERO(object);
		cond_resched();
	}
	memquota_arena_stats(&arena, &stats);
	memquota_arena_destroy(&arena);
	if (!err)
		overhead_report(mix->arena, stats.held_bytes, asked,
				mix->pages);
	return err;
}

int bench_overhead(void)
{
	const struct mix *mix;
	unsigned int i;
	u64 asked;
	int err = 0;

	for (mix = mixes; !err && mix < mixes + ARRAY_SIZE(mixes); mix++) {
		asked = 0;
		for (i = 0; i < OBJECTS; i++)
			asked += mix->size(i);
		err = measure_kmalloc(mix, asked) ?: measure_arena(mix, asked);
	}
	return err;
}
