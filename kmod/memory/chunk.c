// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks: getting them from the system, and finding the header of one.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include "../core/compat.h"
#include "chunk.h"

/**
 * DOC: Where a chunk's memory comes from
 *
 * A chunk of a size class fills the class exactly and is aligned to it. From a
 * page up it is a block of the page allocator's. Below, it is a slot of a
 * pool's page; all arenas share one pool for each class and node. A one-shot,
 * too large for a class, gets whole pages: physically contiguous or, if there
 * are none and the caller may sleep, mapped.
 *
 * memquota_chunk_of() finds the header from any address in the chunk by way of
 * the page's private word. It holds the header's address; in a pool's page,
 * the mask that leads to it, which cannot be taken for an address, with the
 * number of the first free slot in the bits that the mask leaves clear.
 */

/* Wholly free pages that a pool keeps. */
#define POOL_KEEP		4

/* At the beginning of a free slot. */
struct free_slot {
	u16 next;	/* number of the next free slot of the page, or 0 */
	u16 nr;		/* free slots from this one to the end of the list */
};

/* Pages that are cut into slots of one class, on one node; @lock for all. */
struct pool {
	raw_spinlock_t lock;
	struct list_head pages;		/* with free slots; partly used first */
	unsigned int nr_pages;
	unsigned int nr_free;		/* slots */
	unsigned int nr_empty;		/* pages whose slots are all free */
};

static struct pool *pools;	/* the classes of node 0, of node 1, ... */

/*
 * Blocks of several pages are not compound, so each page has a private word and
 * finding the header needs no look at the head page. Clear the words before
 * freeing: older kernels clear that of the first page only.
 */
static void block_set_private(struct page *page, unsigned int n, void *memory)
{
	while (n--)
		set_page_private(page + n, (unsigned long)memory);
}

static struct pool *pool_of_page(struct page *page, unsigned int class)
{
	return &pools[page_to_nid(page) * MEMQUOTA_PAGE_CLASS + class];
}

static unsigned int pool_slots_per_page(unsigned int class)
{
	return PAGE_SIZE / memquota_class_bytes(class);
}

static struct free_slot *pool_slot_at(struct page *page, unsigned int class,
				      unsigned int number)
{
	return page_address(page) + (number - 1) * memquota_class_bytes(class);
}

static unsigned int pool_first_slot(struct page *page)
{
	return page_private(page) & MEMQUOTA_POOL_SLOT;
}

/* memquota_chunk_of() reads the mask meanwhile, so never change that. */
static void pool_set_first_slot(struct page *page, unsigned int class,
				unsigned int number)
{
	WRITE_ONCE(page_private(page),
		   -memquota_class_bytes(class) | number);
}

static struct free_slot *pool_pop_slot(struct pool *pool, unsigned int class)
{
	struct free_slot *slot;
	struct page *page;

	lockdep_assert_held(&pool->lock);
	page = list_first_entry_or_null(&pool->pages, struct page, lru);
	if (!page)
		return NULL;
	slot = pool_slot_at(page, class, pool_first_slot(page));
	if (slot->nr == pool_slots_per_page(class))
		pool->nr_empty--;
	if (slot->nr == 1)
		list_del(&page->lru);
	pool->nr_free--;
	pool_set_first_slot(page, class, slot->next);
	return slot;
}

/* Add a page whose slots are all free. */
static void pool_add_page(struct pool *pool, struct page *page,
			  unsigned int class)
{
	lockdep_assert_held(&pool->lock);
	list_add(&page->lru, &pool->pages);
	pool->nr_pages++;
	pool->nr_empty++;
	pool->nr_free += pool_slots_per_page(class);
}

static void pool_free_page(struct page *page)
{
	set_page_private(page, 0);
	__free_page(page);
}

static void pool_cut_page(struct page *page, unsigned int class)
{
	unsigned int n = pool_slots_per_page(class), i;

	for (i = 1; i <= n; i++)
		*pool_slot_at(page, class, i) = (struct free_slot){
			.next = i < n ? i + 1 : 0,
			.nr = n + 1 - i,
		};
	pool_set_first_slot(page, class, 1);
}

static void *pool_alloc_slot(unsigned int class, gfp_t gfp, int node)
{
	struct free_slot *slot;
	struct page *page;
	unsigned long flags;
	struct pool *pool;

	if (node == NUMA_NO_NODE)
		node = numa_mem_id();
	pool = &pools[node * MEMQUOTA_PAGE_CLASS + class];
	raw_spin_lock_irqsave(&pool->lock, flags);
	slot = pool_pop_slot(pool, class);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (slot)
		return slot;

	page = alloc_pages_node(node, gfp, 0);
	if (!page)
		return NULL;
	pool_cut_page(page, class);
	pool = pool_of_page(page, class);
	raw_spin_lock_irqsave(&pool->lock, flags);
	/* The page may be another node's, whose pool has free slots. */
	slot = pool_pop_slot(pool, class);
	if (!slot) {
		pool_add_page(pool, page, class);
		slot = pool_pop_slot(pool, class);
		page = NULL;
	}
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (page)
		pool_free_page(page);
	return slot;
}

static void pool_free_slot(void *memory, unsigned int class)
{
	struct page *page = virt_to_page(memory);
	struct pool *pool = pool_of_page(page, class);
	struct free_slot *slot = memory;
	unsigned long flags;
	unsigned int first;

	raw_spin_lock_irqsave(&pool->lock, flags);
	first = pool_first_slot(page);
	slot->next = first;
	slot->nr = first ? pool_slot_at(page, class, first)->nr + 1 : 1;
	pool_set_first_slot(page, class, offset_in_page(memory) /
					 memquota_class_bytes(class) + 1);
	pool->nr_free++;
	if (!first)
		list_add(&page->lru, &pool->pages);
	if (slot->nr < pool_slots_per_page(class)) {
		page = NULL;
	} else if (pool->nr_empty < POOL_KEEP) {
		list_move_tail(&page->lru, &pool->pages);
		pool->nr_empty++;
		page = NULL;
	} else {
		list_del(&page->lru);
		pool->nr_pages--;
		pool->nr_free -= pool_slots_per_page(class);
	}
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (page)
		pool_free_page(page);
}

/* Print a line for each pool: bytes that arenas have, and free ones. */
void memquota_chunk_show_pool(struct seq_file *m)
{
	unsigned int class, nr_pages, nr_free;
	struct pool *pool;
	int node;

	seq_puts(m, "node  class  pages  used_bytes  free_bytes\n");
	for_each_online_node(node) {
		for (class = 0; class < MEMQUOTA_PAGE_CLASS; class++) {
			pool = &pools[node * MEMQUOTA_PAGE_CLASS + class];
			raw_spin_lock_irq(&pool->lock);
			nr_pages = pool->nr_pages;
			nr_free = pool->nr_free;
			raw_spin_unlock_irq(&pool->lock);
			seq_printf(m, "%4d  %5zu  %5u  %10zu  %10zu\n", node,
				   memquota_class_bytes(class), nr_pages,
				   nr_pages * PAGE_SIZE -
				   nr_free * memquota_class_bytes(class),
				   nr_free * memquota_class_bytes(class));
		}
	}
}
MEMQUOTA_EXPORT_INTERNAL(memquota_chunk_show_pool);

/*
 * Return how to allocate a block. A smaller chunk, or a mapping, can stand in
 * for more than a page, so do not retry for that.
 */
static gfp_t block_gfp(gfp_t gfp, unsigned int order)
{
	return order ? (gfp & ~__GFP_NOFAIL) | __GFP_NOWARN | __GFP_NORETRY :
		       gfp;
}

/* Make a chunk of a class, or return NULL; the caller sets @store and @refs. */
struct memquota_chunk *memquota_chunk_new(unsigned int class, gfp_t gfp,
					  int node)
{
	struct memquota_chunk *chunk;
	unsigned int order;
	struct page *page;

	if (class < MEMQUOTA_PAGE_CLASS) {
		chunk = pool_alloc_slot(class, gfp, node);
		if (!chunk)
			return NULL;
	} else {
		order = class - MEMQUOTA_PAGE_CLASS;
		page = alloc_pages_node(node, block_gfp(gfp, order), order);
		if (!page)
			return NULL;
		chunk = page_address(page);
		block_set_private(page, 1U << order, chunk);
	}
	chunk->class = class;
	chunk->bytes = memquota_class_bytes(class);
	chunk->tail = 0;
	return chunk;
}

static void *one_shot_alloc_contiguous(size_t bytes, gfp_t gfp, int node)
{
	unsigned int order = get_order(bytes), n = bytes >> PAGE_SHIFT, i;
	struct page *page;
	void *memory;

	if (bytes > KMALLOC_MAX_SIZE)
		return NULL;
	page = alloc_pages_node(node, block_gfp(gfp, order), order);
	if (!page)
		return NULL;
	memory = page_address(page);
	split_page(page, order);
	block_set_private(page, n, memory);
	for (i = n; i < 1U << order; i++)
		__free_page(page + i);
	return memory;
}

/* vmalloc() takes no node along with flags, and sets no private words. */
static void *one_shot_alloc_mapped(size_t bytes, gfp_t gfp, int node)
{
	unsigned int n = bytes >> PAGE_SHIFT, i;
	struct page **pages;
	void *memory = NULL;

	if ((gfp & GFP_KERNEL) != GFP_KERNEL || bytes >> PAGE_SHIFT > INT_MAX)
		return NULL;
	gfp |= __GFP_NOWARN;
	pages = kvmalloc_array(n, sizeof(*pages), gfp);
	if (!pages)
		return NULL;
	for (i = 0; i < n; i++) {
		pages[i] = alloc_pages_node(node, gfp, 0);
		if (!pages[i])
			goto out;
	}
	memory = vmap(pages, n, VM_MAP, PAGE_KERNEL);
out:
	while (i--) {
		if (memory)
			set_page_private(pages[i], (unsigned long)memory);
		else
			__free_page(pages[i]);
	}
	kvfree(pages);
	return memory;
}

/* Sleeps. Collect the pages first: only the mapping leads to them. */
static void one_shot_free_mapped(void *memory, size_t bytes)
{
	struct page *page, *next;
	LIST_HEAD(pages);
	size_t at;

	for (at = 0; at < bytes; at += PAGE_SIZE)
		list_add(&vmalloc_to_page(memory + at)->lru, &pages);
	vunmap(memory);
	list_for_each_entry_safe(page, next, &pages, lru) {
		set_page_private(page, 0);
		__free_page(page);
	}
}

/* Make a chunk for one object; @bytes are whole pages, header included. */
struct memquota_chunk *memquota_chunk_new_one_shot(size_t bytes, gfp_t gfp,
						   int node)
{
	struct memquota_chunk *chunk;

	chunk = one_shot_alloc_contiguous(bytes, gfp, node);
	if (!chunk)
		chunk = one_shot_alloc_mapped(bytes, gfp, node);
	if (!chunk)
		return NULL;
	chunk->class = MEMQUOTA_ONE_SHOT;
	chunk->bytes = bytes;
	chunk->tail = 0;
	return chunk;
}

/* Free a chunk. May sleep if it is mapped; else as freeing pages. */
void memquota_chunk_free(struct memquota_chunk *chunk)
{
	size_t bytes = chunk->bytes;
	u8 class = chunk->class;

	if (class < MEMQUOTA_PAGE_CLASS) {
		pool_free_slot(chunk, class);
	} else if (is_vmalloc_addr(chunk)) {
		one_shot_free_mapped(chunk, bytes);
	} else {
		block_set_private(virt_to_page(chunk), bytes >> PAGE_SHIFT,
				  NULL);
		if (class == MEMQUOTA_ONE_SHOT)
			free_pages_exact(chunk, bytes);
		else
			free_pages((unsigned long)chunk,
				   class - MEMQUOTA_PAGE_CLASS);
	}
}

int memquota_chunks_init(void)
{
	unsigned int i, n = nr_node_ids * MEMQUOTA_PAGE_CLASS;

	pools = kcalloc(n, sizeof(*pools), GFP_KERNEL);
	if (!pools)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		raw_spin_lock_init(&pools[i].lock);
		INIT_LIST_HEAD(&pools[i].pages);
	}
	return 0;
}

void memquota_chunks_exit(void)
{
	unsigned int i, n = nr_node_ids * MEMQUOTA_PAGE_CLASS;
	struct page *page, *next;

	for (i = 0; i < n; i++)
		list_for_each_entry_safe(page, next, &pools[i].pages, lru)
			pool_free_page(page);
	kfree(pools);
}
