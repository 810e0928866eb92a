// SPDX-License-Identifier: GPL-2.0
/*
 * Stores: the chunks of one arena, or of one CPU's part of it.
 *
 * A chunk is charged from the moment it is taken from the system until it goes
 * back there, whoever has it in between:
 *
 *	system --> current --> retired --reset--> cache or system
 *	             |  ^         (plain memory keeps it)
 *	             |  `----- cache <----- returned
 *	             v                         ^
 *	        referenced --last put----------+--> system, by a worker
 *
 * The last put may happen anywhere, under any lock. It pushes the chunk onto
 * @returned, without a lock, for the next who looks at the store: its owner
 * when it needs a chunk, or the reclaim kthread. What is not worth keeping
 * leaves the books at once and goes to a worker, since giving back pages may
 * take locks, and undoing a mapping sleeps.
 *
 * Each chunk keeps the arena's core, so that the books outlive the arena for
 * as long as there are references (rules C8 and C9).
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <memquota/compat.h>
#include "chunk.h"
#include "trace.h"

/* Chunks that are handled before a lock is dropped, or a callback returns. */
#define BATCH		64

/*
 * All cores, by id, for who looks at them. Taken when an arena is made or its
 * core goes, and for one step by who looks; under no other lock of memquota's,
 * and none is taken under it.
 */
static DEFINE_RAW_SPINLOCK(cores_lock);
static struct rb_root cores = RB_ROOT;
static struct rb_node *newest_core;	/* rightmost of cores */
static u64 last_core;

/* Chunks on their way to the system. */
static LLIST_HEAD(leaving);
static struct workqueue_struct *store_wq;

static void free_leaving(struct work_struct *work);
static DECLARE_WORK(leaving_work, free_leaving);

static void wake_worker(struct irq_work *work)
{
	queue_work(store_wq, &leaving_work);
}

static DEFINE_IRQ_WORK(leaving_irq_work, wake_worker);

/* It is in no list of the store's any more. */
static void unlink_chunk(struct memquota_store *store,
			 struct memquota_chunk *chunk)
{
	lockdep_assert_held(&store->lock);
	list_del_init(&chunk->node);
	store->wasted -= chunk->tail;
	chunk->tail = 0;
}

static void free_leaving(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&leaving);
	struct memquota_chunk *chunk, *next;
	struct memquota_store *store;

	llist_for_each_entry_safe(chunk, next, list, back) {
		store = chunk->store;
		raw_spin_lock_irq(&store->lock);
		unlink_chunk(store, chunk);
		raw_spin_unlock_irq(&store->lock);
		trace_memquota_chunk_free(store->core, chunk);
		memquota_chunk_free(chunk);
		memquota_core_unref(store->core);
		cond_resched();
	}
}

static void leave_later(struct memquota_chunk *chunk)
{
	if (llist_add(&chunk->back, &leaving))
		irq_work_queue(&leaving_irq_work);
}

/*
 * The budget, then the quota; nothing is changed where either refuses. A
 * budget of 0 wraps to the largest one.
 */
static int reserve(struct memquota_arena_core *core, size_t bytes, long wait)
{
	const struct memquota_arena_config *config = &core->config;
	long held = atomic_long_read(&core->held_bytes), sum;
	int err;

	do {
		if (check_add_overflow(held, (long)bytes, &sum))
			return -EOVERFLOW;
		if (sum - 1UL > config->budget_bytes - 1)
			return -EDQUOT;
	} while (!atomic_long_try_cmpxchg(&core->held_bytes, &held, sum));

	if (wait)
		err = memquota_try_charge_wait(&core->participant, bytes, wait);
	else
		err = memquota_try_charge(&core->participant, bytes,
					  config->gfp);
	if (err)
		atomic_long_sub(bytes, &core->held_bytes);
	return err;
}

static void give_back(struct memquota_arena_core *core, size_t bytes)
{
	memquota_uncharge(&core->participant, bytes);
	atomic_long_sub(bytes, &core->held_bytes);
}

/*
 * Freeing pages takes locks that sleep on PREEMPT_RT, and who allocates per CPU
 * has preemption off. Undoing a mapping sleeps everywhere.
 */
static bool can_free(const struct memquota_chunk *chunk)
{
	return !is_vmalloc_addr(chunk) &&
	       (!IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible());
}

/* An unlinked chunk goes to the system. Any context but hard interrupts. */
static void release(struct memquota_chunk *chunk)
{
	struct memquota_arena_core *core = chunk->store->core;

	give_back(core, chunk->bytes);
	if (!can_free(chunk)) {
		leave_later(chunk);
		return;
	}
	trace_memquota_chunk_free(core, chunk);
	memquota_chunk_free(chunk);
	memquota_core_unref(core);
}

static void release_list(struct list_head *chunks)
{
	struct memquota_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, chunks, node) {
		list_del_init(&chunk->node);
		release(chunk);
	}
}

/* Rule C6. Who asks without the lock may learn of a higher floor too late. */
static bool worth_keeping(const struct memquota_store *store,
			  const struct memquota_chunk *chunk)
{
	return chunk->class != MEMQUOTA_ONE_SHOT &&
	       chunk->class >= READ_ONCE(store->floor) &&
	       !READ_ONCE(store->core->dropped);
}

/* Larger ones to the end, for memquota_store_take(). */
static void cache_chunk(struct memquota_store *store,
			struct memquota_chunk *chunk)
{
	lockdep_assert_held(&store->lock);
	if (chunk->class > store->floor)
		list_add_tail(&chunk->node, &store->cache);
	else
		list_add(&chunk->node, &store->cache);
}

/* What came back is cached, or released if it came too late. */
static void collect(struct memquota_store *store)
{
	struct llist_node *node = llist_del_all(&store->returned);
	struct memquota_chunk *chunk;
	unsigned long flags;
	LIST_HEAD(late);
	unsigned int n;

	while (node) {
		raw_spin_lock_irqsave(&store->lock, flags);
		for (n = 0; node && n < BATCH; n++) {
			chunk = llist_entry(node, struct memquota_chunk, back);
			node = node->next;
			unlink_chunk(store, chunk);
			if (worth_keeping(store, chunk))
				cache_chunk(store, chunk);
			else
				list_add(&chunk->node, &late);
		}
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	release_list(&late);
}

/* The last reference was put, in whatever context. */
void memquota_chunk_came_back(struct memquota_chunk *chunk)
{
	struct memquota_store *store = chunk->store;
	struct memquota_arena_core *core = store->core;
	struct llist_node *list;

	trace_memquota_chunk_back(core, chunk);
	if (!worth_keeping(store, chunk)) {
		give_back(core, chunk->bytes);
		leave_later(chunk);
		return;
	}
	/* Once it is pushed it is somebody else's, and the core may go. */
	rcu_read_lock();
	llist_add(&chunk->back, &store->returned);
	/*
	 * Pushing is a full barrier, and so is detaching in collect(), which
	 * comes after setting @dropped: either what was pushed is seen there,
	 * or that nobody looks any more is seen here.
	 */
	if (unlikely(READ_ONCE(core->dropped))) {
		list = llist_del_all(&store->returned);
		while (list) {
			chunk = llist_entry(list, struct memquota_chunk, back);
			list = list->next;
			give_back(core, chunk->bytes);
			leave_later(chunk);
		}
	}
	rcu_read_unlock();
}

/* A cached chunk of a class, or above; or NULL. For the store's owner. */
struct memquota_chunk *memquota_store_take(struct memquota_store *store,
					   unsigned int class)
{
	struct memquota_chunk *chunk;
	unsigned long flags;

	if (!llist_empty(&store->returned))
		collect(store);
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

/* A chunk that nobody keeps, in the context of the store's owner. */
void memquota_store_keep(struct memquota_store *store,
			 struct memquota_chunk *chunk)
{
	unsigned long flags;
	bool keep;

	raw_spin_lock_irqsave(&store->lock, flags);
	unlink_chunk(store, chunk);
	chunk->store = store;
	keep = worth_keeping(store, chunk);
	if (keep)
		cache_chunk(store, chunk);
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (!keep)
		release(chunk);
}

/*
 * A class was acquired (rules C6 and C7): the next one is larger, and smaller
 * ones are not cached any more. For the store's owner.
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
		/* Unlinking what was detached here needs no lock. */
		list_del_init(&chunk->node);
		memquota_store_keep(store, chunk);
	}
}

/* Give up what nobody uses, a batch of it; returns whether there is more. */
bool memquota_store_trim(struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	unsigned long flags;
	LIST_HEAD(surplus);
	unsigned int n = 0;

	collect(store);
	raw_spin_lock_irqsave(&store->lock, flags);
	while (!list_empty(&store->cache) && n < BATCH) {
		chunk = list_first_entry(&store->cache, struct memquota_chunk,
					 node);
		list_move(&chunk->node, &surplus);
		n++;
	}
	raw_spin_unlock_irqrestore(&store->lock, flags);
	release_list(&surplus);
	return n == BATCH;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_store_trim);

/* Returns whether anything was cached. */
static bool empty_caches(struct memquota_arena_core *core)
{
	long held = atomic_long_read(&core->held_bytes);
	unsigned int i;

	for (i = 0; i < core->nr_stores; i++)
		while (memquota_store_trim(&core->stores[i]))
			;
	return atomic_long_read(&core->held_bytes) < held;
}

/*
 * Reserve bytes. At the @last attempt, what the arena itself caches is in
 * nobody's way: no reclaim would take it for the sake of a budget or of the
 * account's limit.
 */
static int take_on(struct memquota_arena_core *core, size_t bytes, bool last,
		   long wait)
{
	int err = reserve(core, bytes, 0);

	if (!gfpflags_allow_blocking(core->config.gfp))
		wait = 0;
	if (err == -EDQUOT && last && (empty_caches(core) || wait))
		err = reserve(core, bytes, wait);
	return err;
}

/* The bytes are on the books, the memory is not there yet. */
static struct memquota_chunk *adopt(struct memquota_arena_core *core,
				    struct memquota_chunk *chunk, size_t bytes)
{
	if (!chunk) {
		give_back(core, bytes);
		return ERR_PTR(-ENOMEM);
	}
	refcount_inc(&core->refs);
	INIT_LIST_HEAD(&chunk->node);
	chunk->store = core->stores;
	trace_memquota_chunk_alloc(core, chunk);
	return chunk;
}

/*
 * A chunk of a class from the system, charged, at the @last attempt after up to
 * @wait jiffies at a hard limit; or an ERR_PTR().
 */
struct memquota_chunk *memquota_core_new_chunk(struct memquota_arena_core *core,
					       unsigned int class, bool last,
					       long wait)
{
	size_t bytes = memquota_class_bytes(class);
	int err = take_on(core, bytes, last, wait);

	if (err)
		return ERR_PTR(err);
	return adopt(core, memquota_chunk_new(class, core->config.gfp,
					      core->config.node), bytes);
}

/* Likewise for one object; @bytes include the header. */
struct memquota_chunk *
memquota_core_new_one_shot(struct memquota_arena_core *core, size_t bytes,
			   long wait)
{
	int err;

	/* What cannot be had is not charged first: others would be reclaimed. */
	if (bytes >> PAGE_SHIFT >= totalram_pages())
		return ERR_PTR(-ENOMEM);
	bytes = PAGE_ALIGN(bytes);
	err = take_on(core, bytes, true, wait);
	if (err)
		return ERR_PTR(err);
	return adopt(core, memquota_chunk_new_one_shot(bytes, core->config.gfp,
						       core->config.node),
		     bytes);
}

static struct memquota_arena_core *
core_of(struct memquota_participant *participant)
{
	return container_of(participant, struct memquota_arena_core,
			    participant);
}

static bool arena_trim(struct memquota_participant *participant)
{
	struct memquota_arena_core *core = core_of(participant);
	bool more = false;
	unsigned int i;

	for (i = 0; i < core->nr_stores; i++)
		more |= memquota_store_trim(&core->stores[i]);
	return more;
}

/*
 * The arena, for calling its owner: memquota_core_detach() waits while a
 * callback may have it. NULL where there is none, or its module is going.
 */
static struct memquota_arena *arena_of(struct memquota_arena_core *core)
{
	struct memquota_arena *arena = READ_ONCE(core->arena);

	return arena && try_module_get(core->owner) ? arena : NULL;
}

static void arena_reclaim(struct memquota_participant *participant,
			  const struct memquota_request *request)
{
	struct memquota_arena_core *core = core_of(participant);
	struct module *owner = core->owner;
	struct memquota_arena *arena = NULL;

	arena_trim(participant);
	if (core->config.collapse)
		arena = arena_of(core);
	if (arena) {
		core->config.collapse(arena);
		module_put(owner);
	}
}

/* Rule N13. A chunk that came back and was not noticed is no data. */
static u64 oldest_chunk(struct memquota_arena_core *core)
{
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	u64 ns = MEMQUOTA_NO_DATA;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < core->nr_stores; i++) {
		store = &core->stores[i];
		collect(store);
		raw_spin_lock_irqsave(&store->lock, flags);
		chunk = list_first_entry_or_null(&store->in_use,
						 struct memquota_chunk, node);
		if (chunk)
			ns = min(ns, chunk->since_ns);
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	return ns;
}

static u64 arena_oldest(struct memquota_participant *participant)
{
	struct memquota_arena_core *core = core_of(participant);
	struct memquota_arena *arena = NULL;
	u64 ns;

	if (core->config.oldest)
		arena = arena_of(core);
	if (!arena)
		return oldest_chunk(core);
	ns = core->config.oldest(arena);
	module_put(core->owner);
	return ns;
}

struct memquota_arena_core *
memquota_core_new(const struct memquota_arena_config *config,
		  unsigned int nr_stores)
{
	struct memquota_arena_core *core;
	struct memquota_store *store;
	gfp_t gfp = config->gfp;
	unsigned int i;

	/* One per CPU may sleep, and is large where there are many. */
	if (config->flags & MEMQUOTA_ARENA_PERCPU)
		gfp = GFP_KERNEL | (gfp & __GFP_ACCOUNT);
	core = kvzalloc(struct_size(core, stores, nr_stores), gfp);
	if (!core)
		return NULL;
	core->config = *config;
	core->nr_stores = nr_stores;
	if (gfp & __GFP_ACCOUNT)
		core->smallest = MEMQUOTA_PAGE_CLASS;
	refcount_set(&core->refs, 1);
	for (i = 0; i < nr_stores; i++) {
		store = &core->stores[i];
		init_llist_head(&store->returned);
		raw_spin_lock_init(&store->lock);
		store->core = core;
		INIT_LIST_HEAD(&store->in_use);
		INIT_LIST_HEAD(&store->cache);
	}
	return core;
}

/*
 * The core becomes a participant. Its callbacks are memquota's own, and hold
 * the arena's module where they call into it: the core may outlive both.
 */
int memquota_core_join(struct memquota_arena_core *core, struct module *owner,
		       const char *name)
{
	struct memquota_account *account, *own = NULL;
	int err;

	strscpy(core->name, name, sizeof(core->name));
	core->owner = owner;
	core->ops = (struct memquota_ops){
		.reclaim = arena_reclaim,
		.oldest = arena_oldest,
		.trim = arena_trim,
		.owner = THIS_MODULE,
		.flags = core->config.collapse ? MEMQUOTA_COLLAPSING : 0,
	};
	if (core->config.flags & MEMQUOTA_ARENA_IN_ACCOUNT) {
		account = core->config.account;
	} else {
		own = memquota_account_create(memquota_default_tracker(), NULL,
					      core->config.gfp, "%s", name);
		if (IS_ERR(own))
			return PTR_ERR(own);
		account = own;
	}
	err = memquota_join_account(&core->participant, account, &core->ops,
				    core->config.gfp, "%s", name);
	if (err)
		memquota_account_put(own);
	/* From here on: the handle that the core is to let go of. */
	core->config.account = own;
	return err;
}

/* The arena ends: no callback knows it after this, and nothing is cached. */
void memquota_core_detach(struct memquota_arena_core *core)
{
	WRITE_ONCE(core->arena, NULL);
	WRITE_ONCE(core->dropped, true);
	memquota_synchronize_callback(&core->participant);
}

/* An arena has been made: who looks may see its core. */
void memquota_core_list(struct memquota_arena_core *core)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cores_lock, flags);
	core->id = ++last_core;
	if (newest_core)
		rb_link_node(&core->listed, newest_core,
			     &newest_core->rb_right);
	else
		rb_link_node(&core->listed, NULL, &cores.rb_node);
	rb_insert_color(&core->listed, &cores);
	newest_core = &core->listed;
	raw_spin_unlock_irqrestore(&cores_lock, flags);
}

static void unlist(struct memquota_arena_core *core)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cores_lock, flags);
	if (newest_core == &core->listed)
		newest_core = rb_prev(&core->listed);
	rb_erase(&core->listed, &cores);
	raw_spin_unlock_irqrestore(&cores_lock, flags);
}

/* For rb_find_first(): all ids from *@key on match, the first one is found. */
static int core_id_below(const void *key, const struct rb_node *node)
{
	return rb_entry(node, struct memquota_arena_core, listed)->id <
	       *(const u64 *)key;
}

/* For walks by id: the first core from @id on, kept; NULL after the last. */
struct memquota_arena_core *memquota_core_next(u64 id)
{
	struct memquota_arena_core *core;
	unsigned long flags;
	bool kept;

	do {
		raw_spin_lock_irqsave(&cores_lock, flags);
		core = rb_entry_safe(rb_find_first(&id, &cores, core_id_below),
				     struct memquota_arena_core, listed);
		/* The last reference may be gone, and it about to leave. */
		kept = core && refcount_inc_not_zero(&core->refs);
		if (core)
			id = core->id + 1;
		raw_spin_unlock_irqrestore(&cores_lock, flags);
	} while (core && !kept);
	return core;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_core_next);

/* Any context but hard interrupts. */
void memquota_core_unref(struct memquota_arena_core *core)
{
	if (!refcount_dec_and_test(&core->refs))
		return;
	unlist(core);
	memquota_leave(&core->participant);
	memquota_account_put(core->config.account);
	kvfree_rcu(core, rcu);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_core_unref);

/* Let chunks that are on their way to the system arrive. May sleep. */
void memquota_stores_flush(void)
{
	irq_work_sync(&leaving_irq_work);
	flush_work(&leaving_work);
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
