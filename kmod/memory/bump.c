// SPDX-License-Identifier: GPL-2.0
/*
 * The chunk that a bump is cut from: installed, retired, rewound.
 *
 * A bump and its store belong together, and have one owner: the arena's user,
 * or in an arena that is per CPU the task or softirq that runs on the CPU with
 * preemption off. The owner moves the cursor without a lock. It replaces and
 * rewinds the chunk under the store's lock, since a reset and a CPU that went
 * offline act on bumps that they do not own.
 */
#include <linux/ktime.h>
#include "arena_core.h"
#include "bump.h"
#include "trace.h"

/**
 * DOC: References credited in advance
 *
 * When a chunk becomes current its count is raised once, by
 * %MEMQUOTA_SURPLUS. The bump counts in a plain variable what it hands out::
 *
 *	chunk->refs = MEMQUOTA_SURPLUS - bump->refs + references not yet put
 *
 * When the chunk is retired, the surplus that was not handed out is subtracted
 * at once. If all references were put meanwhile, the count is then zero.
 *
 * Nothing is counted for plain memory. The bump notes where the last reference
 * ended; if the cursor stands elsewhere, plain memory was handed out since the
 * chunk became current, and the store keeps one reference until it is reset.
 */

static void bump_rewind(struct memquota_store *store,
			struct memquota_chunk *chunk)
{
	struct memquota_bump *bump = store->bump;

	lockdep_assert_held(&store->lock);
	refcount_set(&chunk->refs, MEMQUOTA_SURPLUS);
	chunk->since_ns = ktime_get_coarse_ns();
	/* Usually it is the last. CONFIG_DEBUG_LIST makes a move expensive. */
	if (!list_is_last(&chunk->node, &store->in_use))
		list_move_tail(&chunk->node, &store->in_use);
	bump->cursor = (unsigned long)chunk + MEMQUOTA_CHUNK_HEADER;
	bump->limit = (unsigned long)chunk + chunk->bytes;
	bump->refs_end = bump->cursor;
	bump->refs = 0;
}

/* Make the chunk current. For the store's owner, with no current chunk. */
void memquota_bump_install(struct memquota_store *store,
			   struct memquota_chunk *chunk)
{
	unsigned long flags;

	chunk->store = store;
	raw_spin_lock_irqsave(&store->lock, flags);
	store->current_chunk = chunk;
	bump_rewind(store, chunk);
	raw_spin_unlock_irqrestore(&store->lock, flags);
}

/*
 * Detach the current chunk, if there is one, and take back the surplus that was
 * not handed out. If @keep_plain, plain memory in it keeps it until the reset.
 * Return the chunk if it has no references left, else NULL.
 */
static struct memquota_chunk *bump_settle(struct memquota_store *store,
					  bool keep_plain)
{
	struct memquota_chunk *chunk = store->current_chunk;
	struct memquota_bump *bump = store->bump;
	unsigned int surplus;
	bool plain;

	lockdep_assert_held(&store->lock);
	/* Stores of numbers that no CPU has have no bump either. */
	if (!chunk)
		return NULL;
	surplus = MEMQUOTA_SURPLUS - bump->refs;
	plain = keep_plain && bump->cursor != bump->refs_end;
	chunk->tail = bump->limit - bump->cursor;
	store->wasted += chunk->tail;
	store->current_chunk = NULL;
	*bump = (struct memquota_bump){};
	if (plain) {
		memquota_store_push_retired(store, chunk);
		surplus--;
	}
	return refcount_sub_and_test(surplus, &chunk->refs) ? chunk : NULL;
}

/* Give a chunk without references back to the store. For its owner. */
static void bump_return_chunk(struct memquota_store *store,
			      struct memquota_chunk *chunk)
{
	trace_memquota_chunk_back(store->core, chunk);
	memquota_store_keep(store, chunk);
}

/* Let go of the current chunk; plain memory in it lives on. */
void memquota_bump_retire(struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	unsigned long flags;

	raw_spin_lock_irqsave(&store->lock, flags);
	chunk = bump_settle(store, true);
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (chunk)
		bump_return_chunk(store, chunk);
}

/* Put the store's references to chunks that served plain memory. */
static void bump_put_retired(struct memquota_store *store,
			     struct llist_node *node)
{
	struct memquota_chunk *chunk;

	while (node) {
		chunk = llist_entry(node, struct memquota_chunk, back);
		node = node->next;
		if (refcount_dec_and_test(&chunk->refs))
			bump_return_chunk(store, chunk);
	}
}

/*
 * Return whether all references to the current chunk were put. If so, all
 * accesses before the last put are over.
 */
static bool bump_all_refs_put(const struct memquota_store *store)
{
	if (refcount_read(&store->current_chunk->refs) !=
	    MEMQUOTA_SURPLUS - store->bump->refs)
		return false;
	/* Pairs with the release in refcount_dec_and_test(). */
	smp_acquire__after_ctrl_dep();
	return true;
}

/* End all plain memory of the store; go on with the current chunk if unused. */
void memquota_bump_reset(struct memquota_store *store)
{
	struct memquota_chunk *unused = NULL;
	struct llist_node *retired;
	unsigned long flags;

	raw_spin_lock_irqsave(&store->lock, flags);
	if (store->current_chunk && bump_all_refs_put(store) &&
	    !READ_ONCE(store->core->dropped))
		bump_rewind(store, store->current_chunk);
	else
		unused = bump_settle(store, false);
	retired = store->retired;
	store->retired = NULL;
	store->at_reset = store->ever;
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (unused)
		bump_return_chunk(store, unused);
	bump_put_retired(store, retired);
}
