/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chunks: what arenas take from the system, as arena.c and store.c know them.
 */
#ifndef _MEMQUOTA_CHUNK_H
#define _MEMQUOTA_CHUNK_H

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <memquota/arena.h>

struct seq_file;

/* Classes are numbered from 0, the smallest; of these is none. */
#define MEMQUOTA_CLASSES	8
#define MEMQUOTA_ONE_SHOT	MEMQUOTA_CLASSES

static_assert(MEMQUOTA_CHUNK_MIN << (MEMQUOTA_CLASSES - 1) == MEMQUOTA_CHUNK_MAX);

/*
 * References that a current chunk is credited with, so that handing one out
 * is no atomic operation; what was not handed out is taken back at once when
 * the chunk is replaced. Far more than objects in a chunk, and far from where
 * refcount_t saturates.
 */
#define MEMQUOTA_SURPLUS	BIT(30)

struct memquota_store;

/**
 * struct memquota_chunk - the header of a chunk
 * @refs: whoever keeps it: references, the store's while the chunk is current
 *	or retired, and the surplus while it is current
 * @class: its size class, or %MEMQUOTA_ONE_SHOT; const
 * @tail: bytes at its end that it was retired with; store->lock
 * @bytes: its size, header included; const
 * @store: where it comes back to; set before it is handed out
 * @back: in store->returned or on the way to the system, when nobody keeps it;
 *	in store->retired, while plain memory does
 * @node: in store->in_use or store->cache; store->lock
 * @since_ns: when it became current, or was allocated for one object;
 *	store->lock
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

/**
 * struct memquota_store - the chunks of one who allocates
 * @returned: chunks that nobody keeps any more; pushed by whoever put the last
 *	reference, detached as a whole under @lock
 * @lock: protects the rest, and the bump that the store belongs to against
 *	other CPUs; innermost
 * @core: const
 * @bump: const until the arena is destroyed; NULL from then on, and for numbers
 *	that no CPU has. Written, and read by others than the owner, under @lock
 * @current_chunk: what @bump is cut from
 * @in_use: current, retired and referenced chunks, by @since_ns; those in
 *	@returned, too
 * @cache: chunks to be used again, none below @floor
 * @retired: chunks that served plain memory, until reset
 * @floor: the class of what is cached; also read without the lock
 * @mark: the class of the next refill
 * @wasted: the sum of the tails of those in @in_use
 * @ever: what was counted since the beginning
 * @at_reset: @ever at the last reset
 */
struct memquota_store {
	struct llist_head returned ____cacheline_aligned_in_smp;
	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	struct memquota_arena_core *core;
	struct memquota_bump *bump;
	struct memquota_chunk *current_chunk;
	struct list_head in_use;
	struct list_head cache;
	struct llist_node *retired;
	u8 floor;
	u8 mark;
	u64 wasted;
	struct memquota_arena_counts ever;
	struct memquota_arena_counts at_reset;
};

/**
 * struct memquota_arena_core - what outlives an arena while there are chunks
 * @participant: holds the chunks' bytes
 * @ops: its callbacks
 * @arena: the arena; NULL once it is destroyed
 * @owner: the module that the arena's callbacks are in
 * @config: as given, with the defaults filled in; const
 * @held_bytes: of all chunks
 * @refs: the arena's, and one for each chunk
 * @smallest: the smallest class that it takes; const
 * @dropped: nothing is cached any more, and no chunk handed out
 * @hotplug: of CPUs that go offline, if it is per CPU
 * @id: never used twice; const
 * @listed: among all cores, by id; under the lock that store.c has for it
 * @name: for people; const
 * @nr_stores: one; or two for each possible CPU
 * @stores: in the order of the CPUs and their bumps
 */
struct memquota_arena_core {
	struct memquota_participant participant;
	struct memquota_ops ops;
	struct memquota_arena *arena;
	struct module *owner;
	struct memquota_arena_config config;
	atomic_long_t held_bytes;
	refcount_t refs;
	u8 smallest;
	bool dropped;
	struct hlist_node hotplug;
	u64 id;
	struct rb_node listed;
	char name[MEMQUOTA_NAME_SIZE];
	struct rcu_head rcu;
	unsigned int nr_stores;
	struct memquota_store stores[];
};

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

/* Classes below this one are cut from the pool's pages. */
#define MEMQUOTA_PAGE_CLASS	(PAGE_SHIFT - ilog2(MEMQUOTA_CHUNK_MIN))

/*
 * The lowest private word of a pool's page. Its low bits, which the mask
 * leaves, hold the number of the first free slot, from 1; 0: there is none.
 * Addresses of larger chunks are below.
 */
#define MEMQUOTA_POOL_PRIVATE	(-(PAGE_SIZE / 2))
#define MEMQUOTA_POOL_SLOT	(MEMQUOTA_CHUNK_MIN - 1UL)

/*
 * Calling is_vmalloc_addr() is a seventh of what putting a reference costs.
 * Elsewhere the bounds may be variables that modules do not have.
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

/* The chunk that memory is from, by any address in it. Any context. */
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

/* chunk.c */
struct memquota_chunk *memquota_chunk_new(unsigned int class, gfp_t gfp,
					  int node);
struct memquota_chunk *memquota_chunk_new_one_shot(size_t bytes, gfp_t gfp,
						   int node);
void memquota_chunk_free(struct memquota_chunk *chunk);
void memquota_chunk_show_pool(struct seq_file *m);
int memquota_chunks_init(void);
void memquota_chunks_exit(void);

/* store.c */
struct memquota_arena_core *
memquota_core_new(const struct memquota_arena_config *config,
		  unsigned int nr_stores);
int memquota_core_join(struct memquota_arena_core *core, struct module *owner,
		       const char *name);
void memquota_core_detach(struct memquota_arena_core *core);
void memquota_core_unref(struct memquota_arena_core *core);
void memquota_core_list(struct memquota_arena_core *core);
struct memquota_arena_core *memquota_core_next(u64 id);
void memquota_core_stats(struct memquota_arena_core *core,
			 struct memquota_arena_stats *stats);
struct memquota_chunk *memquota_core_new_chunk(struct memquota_arena_core *core,
					       unsigned int class, bool last,
					       long wait);
struct memquota_chunk *
memquota_core_new_one_shot(struct memquota_arena_core *core, size_t bytes,
			   long wait);
struct memquota_chunk *memquota_store_take(struct memquota_store *store,
					   unsigned int class);
void memquota_store_keep(struct memquota_store *store,
			 struct memquota_chunk *chunk);
void memquota_store_raise(struct memquota_store *store, unsigned int class);
bool memquota_store_trim(struct memquota_store *store);
void memquota_chunk_came_back(struct memquota_chunk *chunk);
void memquota_stores_flush(void);
int memquota_stores_init(void);
void memquota_stores_exit(void);

/* arena.c */
int memquota_arenas_init(void);
void memquota_arenas_exit(void);

#endif /* _MEMQUOTA_CHUNK_H */
