// SPDX-License-Identifier: GPL-2.0
/*
 * An arena's core: its participant, its budget, and the list of all cores.
 */
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "../core/compat.h"
#include "arena_core.h"

/**
 * DOC: What outlives an arena
 *
 * The arena and each chunk hold a reference to the core. The core's participant
 * leaves when the last chunk goes back to the system, so memory whose
 * references outlive the arena stays charged::
 *
 *	struct memquota_arena  --->  struct memquota_arena_core
 *	  bump, or one for each        participant, account, budget
 *	  CPU and context              stores[]: one for each bump
 *	                                   ^
 *	struct memquota_chunk  ------------'
 *	  (at the beginning of the chunk)
 *
 * The bytes of a core are those of its chunks, and nothing else::
 *
 *	held_bytes = current + retired + referenced + returned + cached
 *
 * and held_bytes is never below what the participant holds: a charge follows
 * the increment of held_bytes, and an uncharge precedes its decrement.
 */

/*
 * All cores, by id. The lock is taken to list and to unlist a core, and for one
 * step of a walk. It nests in no other lock of memquota's, and no lock nests in
 * it.
 */
static DEFINE_RAW_SPINLOCK(cores_lock);
static struct rb_root cores = RB_ROOT;
static struct rb_node *newest_core;	/* rightmost of cores */
static u64 last_core;

/* Make a core of @nr_stores empty stores, with one reference; or NULL. */
struct memquota_arena_core *
memquota_core_new(const struct memquota_arena_config *config,
		  unsigned int nr_stores)
{
	struct memquota_arena_core *core;
	struct memquota_store *store;
	gfp_t gfp = config->gfp;
	unsigned int i;

	/* One per CPU may sleep, and is large where there are many CPUs. */
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
 * Make the core a participant. Its callbacks are memquota's own, since the core
 * may outlive @owner, and pin @owner while they call into it.
 */
int memquota_core_join(struct memquota_arena_core *core,
		       const struct memquota_ops *ops, struct module *owner,
		       const char *name)
{
	struct memquota_account *account, *own = NULL;
	int err;

	strscpy(core->name, name, sizeof(core->name));
	core->owner = owner;
	core->ops = *ops;
	if (core->config.collapse)
		core->ops.flags |= MEMQUOTA_COLLAPSING;
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
	/* From here on: the handle that memquota_core_unref() puts. */
	core->config.account = own;
	return err;
}

/*
 * End the arena's part. Afterwards no callback accesses the arena, and no chunk
 * that comes back is cached.
 */
void memquota_core_detach(struct memquota_arena_core *core)
{
	WRITE_ONCE(core->arena, NULL);
	WRITE_ONCE(core->dropped, true);
	memquota_synchronize_callback(&core->participant);
}

/* Show a complete core to memquota_core_next(). */
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

static void arena_core_unlist(struct memquota_arena_core *core)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cores_lock, flags);
	if (newest_core == &core->listed)
		newest_core = rb_prev(&core->listed);
	rb_erase(&core->listed, &cores);
	raw_spin_unlock_irqrestore(&cores_lock, flags);
}

/* For rb_find_first(): all ids from *@key on match, the first one is found. */
static int arena_core_id_below(const void *key, const struct rb_node *node)
{
	return rb_entry(node, struct memquota_arena_core, listed)->id <
	       *(const u64 *)key;
}

/*
 * Return the first core from @id on with a reference for the caller; NULL after
 * the last.
 */
struct memquota_arena_core *memquota_core_next(u64 id)
{
	struct memquota_arena_core *core;
	struct rb_node *node;
	unsigned long flags;
	bool alive;

	do {
		raw_spin_lock_irqsave(&cores_lock, flags);
		node = rb_find_first(&id, &cores, arena_core_id_below);
		core = rb_entry_safe(node, struct memquota_arena_core, listed);
		/* Without references it is about to be unlisted: skip it. */
		alive = core && refcount_inc_not_zero(&core->refs);
		if (core)
			id = core->id + 1;
		raw_spin_unlock_irqrestore(&cores_lock, flags);
	} while (core && !alive);
	return core;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_core_next);

/* Put a reference to the core. Any context but hard interrupts. */
void memquota_core_unref(struct memquota_arena_core *core)
{
	if (!refcount_dec_and_test(&core->refs))
		return;
	arena_core_unlist(core);
	memquota_leave(&core->participant);
	memquota_account_put(core->config.account);
	kvfree_rcu(core, rcu);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_core_unref);

/*
 * Charge @bytes to the budget, then to the quota, there after up to @wait
 * jiffies. Nothing is changed if either refuses. A budget of 0 wraps to the
 * largest one.
 */
int memquota_core_charge(struct memquota_arena_core *core, size_t bytes,
			 long wait)
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
