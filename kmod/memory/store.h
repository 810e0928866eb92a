/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stores: the chunks of an arena, or of one CPU and context of it.
 */
#ifndef _MEMQUOTA_STORE_H
#define _MEMQUOTA_STORE_H

#include <linux/cache.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <memquota/arena.h>
#include "chunk.h"

struct memquota_arena_core;

/**
 * struct memquota_store - the chunks that one bump is cut from
 * @returned: chunks whose last reference was put; pushed without a lock,
 *	detached as a whole
 * @lock: protects the rest, and the bump against a reset and a CPU that went
 *	offline; innermost
 * @core: const
 * @bump: const until the arena is destroyed, then NULL; NULL for numbers that
 *	no CPU has. All but its owner read it, and the owner replaces its chunk,
 *	under @lock
 * @current_chunk: the chunk that @bump is cut from
 * @in_use: current, retired and referenced chunks, by @since_ns; those in
 *	@returned, too
 * @cache: chunks for later refills, none of a class below @floor
 * @retired: chunks that plain memory keeps until the next reset
 * @floor: the class of the cached chunks; also read without @lock
 * @mark: the class of the next refill
 * @wasted: the sum of the tails of the chunks in @in_use
 * @ever: events since the beginning
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

/* Let plain memory keep the chunk, to which the caller has a reference. */
static inline void memquota_store_push_retired(struct memquota_store *store,
					       struct memquota_chunk *chunk)
{
	lockdep_assert_held(&store->lock);
	chunk->back.next = store->retired;
	store->retired = &chunk->back;
}

/* One store. */
struct memquota_chunk *memquota_store_take(struct memquota_store *store,
					   unsigned int class);
void memquota_store_keep(struct memquota_store *store,
			 struct memquota_chunk *chunk);
void memquota_store_raise(struct memquota_store *store, unsigned int class);
bool memquota_store_trim(struct memquota_store *store);
void memquota_store_empty(struct memquota_store *store);
void memquota_store_return(struct memquota_chunk *chunk);

/* All stores of a core. */
bool memquota_stores_trim(struct memquota_arena_core *core);
void memquota_stores_drop(struct memquota_arena_core *core);
int memquota_stores_check(struct memquota_arena_core *core);
u64 memquota_stores_oldest(struct memquota_arena_core *core);
void memquota_core_stats(struct memquota_arena_core *core,
			 struct memquota_arena_stats *stats);
struct memquota_chunk *
memquota_stores_new_chunk(struct memquota_arena_core *core, unsigned int class,
			  bool last, long wait);
struct memquota_chunk *
memquota_stores_new_one_shot(struct memquota_arena_core *core, size_t bytes,
			     long wait);

/* The worker that frees chunks for all stores. */
void memquota_stores_flush(void);
int memquota_stores_init(void);
void memquota_stores_exit(void);

#endif /* _MEMQUOTA_STORE_H */
