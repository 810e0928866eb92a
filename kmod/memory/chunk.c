// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks, and where they come from.
 *
 * A chunk of a size class fills the class exactly and is aligned to it. From a
 * page up it is a block of the page allocator's. Below, it is cut from a page
 * of a pool; there is one pool a class and node for all arenas. What is too
 * large for a class gets whole pages, physically contiguous or, where the
 * caller may sleep and there are none, mapped.
 *
 * The header is found from any pointer into a chunk by way of the page's
 * private word, which holds the header's address; in a pool's page it holds
 * the mask that leads to it; see memquota_chunk_of().
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include <memquota/compat.h>
#include "chunk.h"

/* Wholly free pages that a pool keeps. */
#define POOL_KEEP		4

/* At the beginning of a free slot. */
struct free_slot {
	u16 next;	/* number of the next one, or 0 */
	u16 nr;		/* how many there are from here on */
};

/* Pages that are cut into chunks of one class, on one node. */
struct pool {
	raw_spinlock_t lock;
	struct list_head pages;		/* with free slots; those in use first */
	unsigned int nr_pages;
	unsigned int nr_free;		/* slots */
	unsigned int nr_empty;		/* pages of which all slots are free */
};

static struct pool *pools;	/* for each node, its classes */

/*
 * Larger blocks are not compound pages, so that each page has a word of its
 * own, and nobody looks for the first one. The words are cleared before pages
 * go back, as older kernels do it for the first page of a block alone.
 */
static void set_private(struct page *page, unsigned int n, void *memory)
{
	while (n--)
		set_page_private(page + n, (unsigned long)memory);
}

static struct pool *pool_of(struct page *page, unsigned int class)
{
	return &pools[page_to_nid(page) * MEMQUOTA_PAGE_CLASS + class];
}

static unsigned int slots_of(unsigned int class)
{
	return PAGE_SIZE / memquota_class_bytes(class);
}

static struct free_slot *slot_at(struct page *page, unsigned int class,
				 unsigned int number)
{
	return page_address(page) + (number - 1) * memquota_class_bytes(class);
}

static unsigned int first_slot(struct page *page)
{
	return page_private(page) & MEMQUOTA_POOL_SLOT;
}

/* Who puts references reads the mask meanwhile; it stays the same. */
static void set_first_slot(struct page *page, unsigned int class,
			   unsigned int number)
{
	WRITE_ONCE(page_private(page),
		   -memquota_class_bytes(class) | number);
}

static struct free_slot *pool_pop(struct pool *pool, unsigned int class)
{
	struct free_slot *slot;
	struct page *page;

	lockdep_assert_held(&pool->lock);
	page = list_first_entry_or_null(&pool->pages, struct page, lru);
	if (!page)
		return NULL;
	slot = slot_at(page, class, first_slot(page));
	if (slot->nr == slots_of(class))
		pool->nr_empty--;
	if (slot->nr == 1)
		list_del(&page->lru);
	pool->nr_free--;
	set_first_slot(page, class, slot->next);
	return slot;
}

/* A page of which all slots are free. */
static void pool_add(struct pool *pool, struct page *page, unsigned int class)
{
	lockdep_assert_held(&pool->lock);
	list_add(&page->lru, &pool->pages);
	pool->nr_pages++;
	pool->nr_empty++;
	pool->nr_free += slots_of(class);
}

static void free_page_of_pool(struct page *page)
{
	set_page_private(page, 0);
	__free_page(page);
}

static void cut(struct page *page, unsigned int class)
{
	unsigned int n = slots_of(class), i;

	for (i = 1; i <= n; i++)
		*slot_at(page, class, i) = (struct free_slot){
			.next = i < n ? i + 1 : 0,
			.nr = n + 1 - i,
		};
	set_first_slot(page, class, 1);
}

static void *pool_take(unsigned int class, gfp_t gfp, int node)
{
	struct free_slot *slot;
	struct page *page;
	unsigned long flags;
	struct pool *pool;

	if (node == NUMA_NO_NODE)
		node = numa_mem_id();
	pool = &pools[node * MEMQUOTA_PAGE_CLASS + class];
	raw_spin_lock_irqsave(&pool->lock, flags);
	slot = pool_pop(pool, class);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (slot)
		return slot;

	page = alloc_pages_node(node, gfp, 0);
	if (!page)
		return NULL;
	cut(page, class);
	pool = pool_of(page, class);
	raw_spin_lock_irqsave(&pool->lock, flags);
	/* A node without memory gets other nodes' pages, which have pools. */
	slot = pool_pop(pool, class);
	if (!slot) {
		pool_add(pool, page, class);
		slot = pool_pop(pool, class);
		page = NULL;
	}
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (page)
		free_page_of_pool(page);
	return slot;
}

static void pool_give(void *memory, unsigned int class)
{
	struct page *page = virt_to_page(memory);
	struct pool *pool = pool_of(page, class);
	struct free_slot *slot = memory;
	unsigned long flags;
	unsigned int first;

	raw_spin_lock_irqsave(&pool->lock, flags);
	first = first_slot(page);
	slot->next = first;
	slot->nr = first ? slot_at(page, class, first)->nr + 1 : 1;
	set_first_slot(page, class, offset_in_page(memory) /
				    memquota_class_bytes(class) + 1);
	pool->nr_free++;
	if (!first)
		list_add(&page->lru, &pool->pages);
	if (slot->nr < slots_of(class)) {
		page = NULL;
	} else if (pool->nr_empty < POOL_KEEP) {
		list_move_tail(&page->lru, &pool->pages);
		pool->nr_empty++;
		page = NULL;
	} else {
		list_del(&page->lru);
		pool->nr_pages--;
		pool->nr_free -= slots_of(class);
	}
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (page)
		free_page_of_pool(page);
}

/* The pools, a line each: what arenas have of them, and what is left (C1). */
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

/* Above a page it is not worth any trouble: a smaller one will do. */
static gfp_t modest(gfp_t gfp)
{
	return (gfp & ~__GFP_NOFAIL) | __GFP_NOWARN | __GFP_NORETRY;
}

/* A chunk of a class, with its header set up but for @store; or NULL. */
struct memquota_chunk *memquota_chunk_new(unsigned int class, gfp_t gfp,
					  int node)
{
	struct memquota_chunk *chunk;
	unsigned int order;
	struct page *page;

	if (class < MEMQUOTA_PAGE_CLASS) {
		chunk = pool_take(class, gfp, node);
		if (!chunk)
			return NULL;
	} else {
		order = class - MEMQUOTA_PAGE_CLASS;
		page = alloc_pages_node(node, order ? modest(gfp) : gfp, order);
		if (!page)
			return NULL;
		chunk = page_address(page);
		set_private(page, 1U << order, chunk);
	}
	chunk->class = class;
	chunk->bytes = memquota_class_bytes(class);
	chunk->tail = 0;
	return chunk;
}

static void *new_contiguous(size_t bytes, gfp_t gfp, int node)
{
	unsigned int order = get_order(bytes), n = bytes >> PAGE_SHIFT, i;
	struct page *page;
	void *memory;

	if (bytes > KMALLOC_MAX_SIZE)
		return NULL;
	page = alloc_pages_node(node, order ? modest(gfp) : gfp, order);
	if (!page)
		return NULL;
	memory = page_address(page);
	split_page(page, order);
	set_private(page, n, memory);
	for (i = n; i < 1U << order; i++)
		__free_page(page + i);
	return memory;
}

/* vmalloc() knows no node together with flags, and offers no private word. */
static void *new_mapped(size_t bytes, gfp_t gfp, int node)
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

/* Sleeps. Pages are linked before the mapping, the only way to them, goes. */
static void free_mapped(void *memory, size_t bytes)
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

/* A chunk for one object; @bytes are whole pages, header included. */
struct memquota_chunk *memquota_chunk_new_one_shot(size_t bytes, gfp_t gfp,
						   int node)
{
	struct memquota_chunk *chunk = new_contiguous(bytes, gfp, node);

	if (!chunk)
		chunk = new_mapped(bytes, gfp, node);
	if (!chunk)
		return NULL;
	chunk->class = MEMQUOTA_ONE_SHOT;
	chunk->bytes = bytes;
	chunk->tail = 0;
	return chunk;
}

/* Sleeps if it is mapped; else any context in which pages may be freed. */
void memquota_chunk_free(struct memquota_chunk *chunk)
{
	size_t bytes = chunk->bytes;
	u8 class = chunk->class;

	if (class < MEMQUOTA_PAGE_CLASS) {
		pool_give(chunk, class);
	} else if (is_vmalloc_addr(chunk)) {
		free_mapped(chunk, bytes);
	} else {
		set_private(virt_to_page(chunk), bytes >> PAGE_SHIFT, NULL);
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
			free_page_of_pool(page);
	kfree(pools);
}
