/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An arena's core: the part that is charged, and that outlives the arena while
 * there are references to its memory.
 */
#ifndef _MEMQUOTA_ARENA_CORE_H
#define _MEMQUOTA_ARENA_CORE_H

#include <linux/atomic.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <memquota/arena.h>
#include "store.h"

/**
 * struct memquota_arena_core - the charged part of an arena
 * @participant: holds the chunks' bytes
 * @ops: its callbacks
 * @arena: the arena; NULL once it is destroyed
 * @owner: the module that the arena's callbacks are in
 * @config: the caller's, with the defaults filled in; const but for @account,
 *	which becomes the handle that the core has to put, or NULL
 * @held_bytes: of all its chunks
 * @refs: one of the arena's, and one of each chunk's
 * @smallest: the smallest class that it takes; const
 * @dropped: nothing is cached, and no further chunk handed out; never cleared
 * @hotplug: the instance for CPUs that go offline, if the arena is per CPU
 * @id: never used twice; const
 * @listed: in the tree of all cores, by @id; under that tree's lock
 * @name: for people; const
 * @rcu: for freeing it
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

struct memquota_arena_core *
memquota_core_new(const struct memquota_arena_config *config,
		  unsigned int nr_stores);
int memquota_core_join(struct memquota_arena_core *core,
		       const struct memquota_ops *ops, struct module *owner,
		       const char *name);
void memquota_core_detach(struct memquota_arena_core *core);
void memquota_core_unref(struct memquota_arena_core *core);
void memquota_core_list(struct memquota_arena_core *core);
struct memquota_arena_core *memquota_core_next(u64 id);
int memquota_core_charge(struct memquota_arena_core *core, size_t bytes,
			 long wait);

static inline void memquota_core_uncharge(struct memquota_arena_core *core,
					  size_t bytes)
{
	memquota_uncharge(&core->participant, bytes);
	atomic_long_sub(bytes, &core->held_bytes);
}

#endif /* _MEMQUOTA_ARENA_CORE_H */
