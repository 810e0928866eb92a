// SPDX-License-Identifier: GPL-2.0
/*
 * Stores: caching chunks, taking them from the system and giving them back.
 */
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "../core/compat.h"
#include "arena_core.h"
#include "chunk.h"
#include "store.h"
#include "trace.h"

/**
 * DOC: Life of a chunk
 *
 * A chunk is charged from the moment it is taken from the system until it goes
 * back there::
 *
 *	system --> current --> retired --reset--> cache or system
 *	             |  ^         (plain memory keeps it)
 *	             |  `----- cache <----- returned
 *	             v                         ^
 *	        referenced --last put----------+--> system, by a worker
 *
 * The last put may happen anywhere, under any lock. It pushes the chunk onto
 * the store's list of returned chunks without a lock. The store's owner
 * collects that list when it needs a chunk, and the reclaim worker when it
 * trims. A chunk that is not worth keeping is uncharged at once and freed by a
 * worker, since freeing pages may take locks, and undoing a mapping sleeps.
 *
 * Each chunk holds a reference to the arena's core, so it can be uncharged
 * after the arena is gone.
 */

/* Chunks handled before a lock is dropped, or a callback returns. */
#define STORE_BATCH	64

/* Chunks for the worker to free. */
static LLIST_HEAD(store_unused);
static struct workqueue_struct *store_wq;

static void store_free_unused(struct work_struct *work);
static DECLARE_WORK(store_free_work, store_free_unused);

static void store_queue_free_work(struct irq_work *work)
{
	queue_work(store_wq, &store_free_work);
}

/* A hard one: on PREEMPT_RT a real-time task would starve the others' thread. */
static struct irq_work store_free_irq_work =
	IRQ_WORK_INIT_HARD(store_queue_free_work);

/* Take the chunk out of the store's lists. */
static void store_unlink(struct memquota_store *store,
			 struct memquota_chunk *chunk)
{
	lockdep_assert_held(&store->lock);
	list_del_init(&chunk->node);
	store->wasted -= chunk->tail;
	chunk->tail = 0;
}

static void store_free_unused(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&store_unused);
	struct memquota_chunk *chunk, *next;
	struct memquota_store *store;

	llist_for_each_entry_safe(chunk, next, list, back) {
		store = chunk->store;
		raw_spin_lock_irq(&store->lock);
		store_unlink(store, chunk);
		raw_spin_unlock_irq(&store->lock);
		trace_memquota_chunk_free(store->core, chunk);
		memquota_chunk_free(chunk);
		memquota_core_unref(store->core);
		cond_resched();
	}
}

static void store_defer_free(struct memquota_chunk *chunk)
{
	if (llist_add(&chunk->back, &store_unused))
		irq_work_queue(&store_free_irq_work);
}

/*
 * Freeing pages takes locks that sleep on PREEMPT_RT, and the owner of a store
 * of a per-CPU arena has preemption off. Undoing a mapping sleeps everywhere.
 */
static bool store_may_free(const struct memquota_chunk *chunk)
{
	return !is_vmalloc_addr(chunk) &&
	       (!IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible());
}

/* Give an unlinked chunk to the system. Any context but hard interrupts. */
static void store_release(struct memquota_chunk *chunk)
{
	struct memquota_arena_core *core = chunk->store->core;

	memquota_core_uncharge(core, chunk->bytes);
	if (!store_may_free(chunk)) {
		store_defer_free(chunk);
		return;
	}
	trace_memquota_chunk_free(core, chunk);
	memquota_chunk_free(chunk);
	memquota_core_unref(core);
}

static void store_release_list(struct list_head *chunks)
{
	struct memquota_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, chunks, node) {
		list_del_init(&chunk->node);
		store_release(chunk);
	}
}

/* Callers without the lock may miss a raised floor, or a drop. */
static bool store_wants(const struct memquota_store *store,
			const struct memquota_chunk *chunk)
{
	return chunk->class != MEMQUOTA_ONE_SHOT &&
	       chunk->class >= READ_ONCE(store->floor) &&
	       !READ_ONCE(store->core->dropped);
}

/* Larger chunks go to the tail, where memquota_store_take() looks for them. */
static void store_cache(struct memquota_store *store,
			struct memquota_chunk *chunk)
{
	lockdep_assert_held(&store->lock);
	if (chunk->class > store->floor)
		list_add_tail(&chunk->node, &store->cache);
	else
		list_add(&chunk->node, &store->cache);
}

/* Cache the returned chunks; release those that the store no longer wants. */
static void store_collect_returned(struct memquota_store *store)
{
	struct llist_node *node = llist_del_all(&store->returned);
	struct memquota_chunk *chunk;
	unsigned long flags;
	LIST_HEAD(unwanted);
	unsigned int n;

	while (node) {
		raw_spin_lock_irqsave(&store->lock, flags);
		for (n = 0; node && n < STORE_BATCH; n++) {
			chunk = llist_entry(node, struct memquota_chunk, back);
			node = node->next;
			store_unlink(store, chunk);
			if (store_wants(store, chunk))
				store_cache(store, chunk);
			else
				list_add(&chunk->node, &unwanted);
		}
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	store_release_list(&unwanted);
}

/* Return a chunk whose last reference was put to its store. Any context. */
void memquota_store_return(struct memquota_chunk *chunk)
{
	struct memquota_store *store = chunk->store;
	struct memquota_arena_core *core = store->core;
	struct llist_node *list;

	trace_memquota_chunk_back(core, chunk);
	if (!store_wants(store, chunk)) {
		memquota_core_uncharge(core, chunk->bytes);
		store_defer_free(chunk);
		return;
	}
	/* Once pushed, another CPU may free the chunk and with it the core. */
	rcu_read_lock();
	llist_add(&chunk->back, &store->returned);
	/*
	 * Pushing is a full barrier, and so is detaching the list in
	 * store_collect_returned(), which runs after @dropped is set. So either
	 * that detaches the pushed chunk, or @dropped is seen here.
	 */
	if (unlikely(READ_ONCE(core->dropped))) {
		list = llist_del_all(&store->returned);
		while (list) {
			chunk = llist_entry(list, struct memquota_chunk, back);
			list = list->next;
			memquota_core_uncharge(core, chunk->bytes);
			store_defer_free(chunk);
		}
	}
	rcu_read_unlock();
}

/*
 * Take a chunk of @class or above from the cache; NULL if there is none. For
 * the store's owner.
 */
struct memquota_chunk *memquota_store_take(struct memquota_store *store,
					   unsigned int class)
{
	struct memquota_chunk *chunk;
	unsigned long flags;

	if (!llist_empty(&store->returned))
		store_collect_returned(store);
	raw_spin_lock_irqsave(&store->lock, flags);
	chunk = list_first_entry_or_null(&store->cache, struct memquota_chunk,
					 node);
	if (chunk && chunk->class < class)
		chunk = list_last_entry(&store->cache, struct memquota_chunk,
					node);
	if (chunk && chunk->class >= class) {
		list_del_init(&chunk->node);
		store->ever.cache_hits++;
	} else {
		chunk = NULL;
	}
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (chunk)
		trace_memquota_chunk_hit(store->core, chunk);
	return chunk;
}

/* Cache or release a chunk without references. For the store's owner. */
void memquota_store_keep(struct memquota_store *store,
			 struct memquota_chunk *chunk)
{
	unsigned long flags;
	bool keep;

	raw_spin_lock_irqsave(&store->lock, flags);
	store_unlink(store, chunk);
	chunk->store = store;
	keep = store_wants(store, chunk);
	if (keep)
		store_cache(store, chunk);
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (!keep)
		store_release(chunk);
}

/*
 * Note that a chunk of @class was acquired: the next refill takes a larger one,
 * and smaller ones are no longer cached (rules C6 and C7). For the store's
 * owner.
 */
void memquota_store_raise(struct memquota_store *store, unsigned int class)
{
	struct memquota_chunk *chunk, *next;
	unsigned long flags;
	LIST_HEAD(cached);

	raw_spin_lock_irqsave(&store->lock, flags);
	if (store->mark < MEMQUOTA_CLASSES - 1)
		store->mark++;
	if (class > store->floor) {
		WRITE_ONCE(store->floor, class);
		list_splice_init(&store->cache, &cached);
	}
	raw_spin_unlock_irqrestore(&store->lock, flags);
	list_for_each_entry_safe(chunk, next, &cached, node) {
		/* The list is local, so unlinking needs no lock. */
		list_del_init(&chunk->node);
		memquota_store_keep(store, chunk);
	}
}

/* Release a batch of cached chunks; return whether there may be more. */
bool memquota_store_trim(struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	unsigned long flags;
	LIST_HEAD(surplus);
	unsigned int n = 0;

	store_collect_returned(store);
	raw_spin_lock_irqsave(&store->lock, flags);
	while (!list_empty(&store->cache) && n < STORE_BATCH) {
		chunk = list_first_entry(&store->cache, struct memquota_chunk,
					 node);
		list_move(&chunk->node, &surplus);
		n++;
	}
	raw_spin_unlock_irqrestore(&store->lock, flags);
	store_release_list(&surplus);
	return n == STORE_BATCH;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_store_trim);

/* Release all cached chunks. */
void memquota_store_empty(struct memquota_store *store)
{
	while (memquota_store_trim(store))
		;
}

/* Release a batch of each store; return whether there may be more. */
bool memquota_stores_trim(struct memquota_arena_core *core)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < core->nr_stores; i++)
		more |= memquota_store_trim(&core->stores[i]);
	return more;
}

/* Release all cached chunks. Return whether there was one. */
static bool stores_empty(struct memquota_arena_core *core)
{
	long held = atomic_long_read(&core->held_bytes);
	unsigned int i;

	for (i = 0; i < core->nr_stores; i++)
		memquota_store_empty(&core->stores[i]);
	return atomic_long_read(&core->held_bytes) < held;
}

/* Stop handing out and caching chunks, see memquota_arena_drop(). */
void memquota_stores_drop(struct memquota_arena_core *core)
{
	WRITE_ONCE(core->dropped, true);
	stores_empty(core);
}

/*
 * Return why the arena cannot take another chunk, in the order of errors of
 * rule T7; or 0. If the account is closed, drop the arena: its chunks no longer
 * count anywhere, and it would go on with cached ones without an error.
 */
int memquota_stores_check(struct memquota_arena_core *core)
{
	int err = memquota_participant_error(&core->participant);

	if (READ_ONCE(core->dropped))
		return err ?: -ESTALE;
	if (unlikely(err))
		memquota_stores_drop(core);
	return err;
}

/*
 * Charge @bytes. At the @last attempt, release what the arena itself caches
 * before failing, since reclaim does not do so for a budget or for the
 * account's limit.
 */
static int stores_charge(struct memquota_arena_core *core, size_t bytes,
			 bool last, long wait)
{
	int err = memquota_core_charge(core, bytes, 0);

	if (!gfpflags_allow_blocking(core->config.gfp))
		wait = 0;
	if (err == -EDQUOT && last && (stores_empty(core) || wait))
		err = memquota_core_charge(core, bytes, wait);
	return err;
}

/* Give the core a chunk that was charged; if @chunk is NULL, uncharge. */
static struct memquota_chunk *stores_adopt(struct memquota_arena_core *core,
					   struct memquota_chunk *chunk,
					   size_t bytes)
{
	if (!chunk) {
		memquota_core_uncharge(core, bytes);
		return ERR_PTR(-ENOMEM);
	}
	refcount_inc(&core->refs);
	INIT_LIST_HEAD(&chunk->node);
	chunk->store = core->stores;
	trace_memquota_chunk_alloc(core, chunk);
	return chunk;
}

/*
 * Take a chunk of @class from the system, charged; at the @last attempt after
 * up to @wait jiffies at a hard limit. Return it or an ERR_PTR().
 */
struct memquota_chunk *
memquota_stores_new_chunk(struct memquota_arena_core *core, unsigned int class,
			  bool last, long wait)
{
	size_t bytes = memquota_class_bytes(class);
	int err = stores_charge(core, bytes, last, wait);

	if (err)
		return ERR_PTR(err);
	return stores_adopt(core, memquota_chunk_new(class, core->config.gfp,
						     core->config.node),
			    bytes);
}

/* Take a chunk for one object from the system; @bytes include the header. */
struct memquota_chunk *
memquota_stores_new_one_shot(struct memquota_arena_core *core, size_t bytes,
			     long wait)
{
	int err;

	/* Fail early: charging more than all memory would only reclaim others. */
	if (bytes >> PAGE_SHIFT >= totalram_pages())
		return ERR_PTR(-ENOMEM);
	bytes = PAGE_ALIGN(bytes);
	err = stores_charge(core, bytes, true, wait);
	if (err)
		return ERR_PTR(err);
	return stores_adopt(core,
			    memquota_chunk_new_one_shot(bytes, core->config.gfp,
							core->config.node),
			    bytes);
}

/*
 * Return when the oldest chunk in use became current, or %MEMQUOTA_NO_DATA.
 * Returned chunks hold no data, so collect them first.
 */
u64 memquota_stores_oldest(struct memquota_arena_core *core)
{
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	u64 ns = MEMQUOTA_NO_DATA;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < core->nr_stores; i++) {
		store = &core->stores[i];
		store_collect_returned(store);
		raw_spin_lock_irqsave(&store->lock, flags);
		chunk = list_first_entry_or_null(&store->in_use,
						 struct memquota_chunk, node);
		if (chunk)
			ns = min(ns, chunk->since_ns);
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	return ns;
}

static void stores_add_counts(struct memquota_arena_counts *sum,
			      const struct memquota_arena_counts *plus,
			      const struct memquota_arena_counts *minus)
{
	sum->chunks += plus->chunks - minus->chunks;
	sum->one_shots += plus->one_shots - minus->one_shots;
	sum->cache_hits += plus->cache_hits - minus->cache_hits;
	sum->relocations += plus->relocations - minus->relocations;
}

/* As memquota_arena_stats(), also when the arena is gone. */
void memquota_core_stats(struct memquota_arena_core *core,
			 struct memquota_arena_stats *stats)
{
	static const struct memquota_arena_counts none;
	struct memquota_store *store;
	unsigned long flags;
	unsigned int i;

	*stats = (struct memquota_arena_stats){
		.held_bytes = atomic_long_read(&core->held_bytes),
	};
	for (i = 0; i < core->nr_stores; i++) {
		store = &core->stores[i];
		raw_spin_lock_irqsave(&store->lock, flags);
		stats->wasted_bytes += store->wasted;
		if (store->bump) {
			stats->wasted_bytes += store->bump->limit;
			/* The owner moves the cursor without the lock. */
			stats->wasted_bytes -= data_race(store->bump->cursor);
		}
		stores_add_counts(&stats->ever, &store->ever, &none);
		stores_add_counts(&stats->since_reset, &store->ever,
				  &store->at_reset);
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
}
MEMQUOTA_EXPORT_INTERNAL(memquota_core_stats);

/* Wait until the chunks that are queued for the worker are freed. May sleep. */
void memquota_stores_flush(void)
{
	irq_work_sync(&store_free_irq_work);
	flush_work(&store_free_work);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_stores_flush);

int memquota_stores_init(void)
{
	store_wq = alloc_workqueue("memquota_store",
				   WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return store_wq ? 0 : -ENOMEM;
}

void memquota_stores_exit(void)
{
	memquota_stores_flush();
	destroy_workqueue(store_wq);
}
