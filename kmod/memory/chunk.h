/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chunks: the pieces of memory that arenas take from the system.
 */
#ifndef _MEMQUOTA_CHUNK_H
#define _MEMQUOTA_CHUNK_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/refcount.h>
#include <linux/vmalloc.h>
#include <memquota/arena.h>

struct memquota_store;
struct seq_file;

/* Classes are numbered from 0, the smallest. A one-shot is of none of them. */
#define MEMQUOTA_CLASSES	8
#define MEMQUOTA_ONE_SHOT	MEMQUOTA_CLASSES

static_assert(MEMQUOTA_CHUNK_MIN << (MEMQUOTA_CLASSES - 1) == MEMQUOTA_CHUNK_MAX);

/*
 * References that a current chunk is credited with, so that handing one out
 * takes no atomic operation. Replacing the chunk subtracts those that were not
 * handed out. Far more than objects in a chunk, and far from where refcount_t
 * saturates.
 */
#define MEMQUOTA_SURPLUS	BIT(30)

/**
 * struct memquota_chunk - the header of a chunk
 * @refs: the users' references; 1 more while in store->retired;
 *	%MEMQUOTA_SURPLUS less those handed out more while current
 * @class: its size class, or %MEMQUOTA_ONE_SHOT; const
 * @tail: unused bytes at its end when it was retired; store->lock
 * @bytes: its size, header included; const
 * @store: the store that it returns to; const while @refs is above 0
 * @back: in store->retired, under store->lock; once @refs is 0, in
 *	store->returned or in the list of chunks that a worker frees
 * @node: in store->in_use or store->cache; store->lock
 * @since_ns: when it became current, or was allocated as a one-shot, on
 *	CLOCK_MONOTONIC_COARSE; store->lock
 */
struct memquota_chunk {
	refcount_t refs;
	u8 class;
	u32 tail;
	struct memquota_store *store;
	size_t bytes;
	struct llist_node back;
	struct list_head node;
	u64 since_ns;
};

static_assert(sizeof(struct memquota_chunk) <= MEMQUOTA_CHUNK_HEADER);

static inline size_t memquota_class_bytes(unsigned int class)
{
	return (size_t)MEMQUOTA_CHUNK_MIN << class;
}

/* The smallest class with room for @bytes, header included. */
static inline unsigned int memquota_class_for(size_t bytes)
{
	return bytes <= MEMQUOTA_CHUNK_MIN ? 0 :
	       ilog2(bytes - 1) + 1 - ilog2(MEMQUOTA_CHUNK_MIN);
}

/* Chunks of lower classes are slots of a pool's pages. */
#define MEMQUOTA_PAGE_CLASS	(PAGE_SHIFT - ilog2(MEMQUOTA_CHUNK_MIN))

/*
 * The lowest private word of a pool's page; all addresses of chunks are below.
 * The low bits, which the mask leaves clear, hold the number of the first free
 * slot, counted from 1, or 0 if no slot is free.
 */
#define MEMQUOTA_POOL_PRIVATE	(-(PAGE_SIZE / 2))
#define MEMQUOTA_POOL_SLOT	(MEMQUOTA_CHUNK_MIN - 1UL)

/*
 * Calling is_vmalloc_addr() takes a seventh of the time of putting a reference,
 * so compare inline. On other architectures the bounds may be variables that
 * are not exported to modules.
 */
static __always_inline bool memquota_is_mapped(const void *memory)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	unsigned long address = (unsigned long)memory;

	return address >= VMALLOC_START && address < VMALLOC_END;
#else
	return is_vmalloc_addr(memory);
#endif
}

/* Return the chunk that contains @memory, any address in it. Any context. */
static __always_inline struct memquota_chunk *
memquota_chunk_of(const void *memory)
{
	unsigned long private;
	struct page *page;

	if (unlikely(memquota_is_mapped(memory)))
		page = vmalloc_to_page(memory);
	else
		page = virt_to_page(memory);
	private = READ_ONCE(page_private(page));
	if (unlikely(private >= MEMQUOTA_POOL_PRIVATE))
		private &= (unsigned long)memory & ~MEMQUOTA_POOL_SLOT;
	return (struct memquota_chunk *)private;
}

struct memquota_chunk *memquota_chunk_new(unsigned int class, gfp_t gfp,
					  int node);
struct memquota_chunk *memquota_chunk_new_one_shot(size_t bytes, gfp_t gfp,
						   int node);
void memquota_chunk_free(struct memquota_chunk *chunk);
void memquota_chunk_show_pool(struct seq_file *m);
int memquota_chunks_init(void);
void memquota_chunks_exit(void);

#endif /* _MEMQUOTA_CHUNK_H */
