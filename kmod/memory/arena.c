// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas: making, resetting, dropping and destroying them.
 */
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include "arena.h"
#include "arena_core.h"
#include "bump.h"
#include "chunk.h"
#include "store.h"

/* The default of config.max_normal_alloc (rule C2), and its largest value. */
#define ARENA_MAX_NORMAL_ALLOC		SZ_16K
#define ARENA_MAX_NORMAL_ALLOC_MAX	(MEMQUOTA_CHUNK_MAX -		\
					 MEMQUOTA_CHUNK_HEADER)

static enum cpuhp_state arena_hotplug_state;

static struct memquota_arena_core *
arena_core_of(struct memquota_participant *participant)
{
	return container_of(participant, struct memquota_arena_core,
			    participant);
}

/*
 * Return the arena for a call into its owner, with the owner's module pinned;
 * NULL if the arena is destroyed or the module is going away. The arena stays
 * during the callback, since memquota_core_detach() waits for it.
 */
static struct memquota_arena *arena_get_owned(struct memquota_arena_core *core)
{
	struct memquota_arena *arena = READ_ONCE(core->arena);

	return arena && try_module_get(core->owner) ? arena : NULL;
}

static bool arena_trim(struct memquota_participant *participant)
{
	return memquota_stores_trim(arena_core_of(participant));
}

static void arena_reclaim(struct memquota_participant *participant,
			  const struct memquota_request *request)
{
	struct memquota_arena_core *core = arena_core_of(participant);
	struct module *owner = core->owner;
	struct memquota_arena *arena = NULL;

	memquota_stores_trim(core);
	if (core->config.collapse)
		arena = arena_get_owned(core);
	if (arena) {
		core->config.collapse(arena);
		module_put(owner);
	}
}

static u64 arena_oldest(struct memquota_participant *participant)
{
	struct memquota_arena_core *core = arena_core_of(participant);
	struct memquota_arena *arena = NULL;
	u64 ns;

	if (core->config.oldest)
		arena = arena_get_owned(core);
	if (!arena)
		return memquota_stores_oldest(core);
	ns = core->config.oldest(arena);
	module_put(core->owner);
	return ns;
}

static const struct memquota_ops arena_ops = {
	.reclaim = arena_reclaim,
	.oldest = arena_oldest,
	.trim = arena_trim,
	.owner = THIS_MODULE,
};

/* Release what the dead CPU cached: nothing allocates from its stores. */
static int arena_cpu_dead(unsigned int cpu, struct hlist_node *node)
{
	struct memquota_arena_core *core =
		hlist_entry(node, struct memquota_arena_core, hotplug);
	struct memquota_store *store = &core->stores[2 * cpu];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		memquota_bump_retire(&store[i]);
		memquota_store_empty(&store[i]);
	}
	return 0;
}

static int arena_init_percpu(struct memquota_arena *arena)
{
	struct memquota_arena_core *core = arena->core;
	unsigned int cpu, i;
	int err;

	arena->bumps = alloc_percpu(struct memquota_bump_cpu);
	if (!arena->bumps)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		for (i = 0; i < 2; i++)
			core->stores[2 * cpu + i].bump =
				&per_cpu_ptr(arena->bumps, cpu)->bumps[i];
	err = cpuhp_state_add_instance_nocalls(arena_hotplug_state,
					       &core->hotplug);
	if (err)
		free_percpu(arena->bumps);
	return err;
}

static bool arena_config_valid(const struct memquota_arena_config *config)
{
	if (config->flags & ~(MEMQUOTA_ARENA_PERCPU |
			      MEMQUOTA_ARENA_IN_ACCOUNT |
			      MEMQUOTA_ARENA_ON_NODE))
		return false;
	/* All arenas share the pools' pages, whatever zone these are of. */
	if (config->gfp & (GFP_ZONEMASK | __GFP_ZERO | __GFP_COMP) ||
	    config->wait < 0)
		return false;
	return !(config->flags & MEMQUOTA_ARENA_ON_NODE) ||
	       (config->node >= 0 && config->node < nr_node_ids &&
		node_online(config->node));
}

/* See memquota_arena_init(). */
int __memquota_arena_init(struct memquota_arena *arena,
			  const struct memquota_arena_config *config,
			  struct module *owner, const char *fmt, ...)
{
	struct memquota_arena_config filled = *config;
	bool percpu = config->flags & MEMQUOTA_ARENA_PERCPU;
	struct memquota_arena_core *core;
	char name[MEMQUOTA_NAME_SIZE];
	va_list args;
	int err;

	if (!arena_config_valid(config))
		return -EINVAL;
	if (!(filled.flags & MEMQUOTA_ARENA_ON_NODE))
		filled.node = NUMA_NO_NODE;
	filled.max_normal_alloc = min_t(size_t, ARENA_MAX_NORMAL_ALLOC_MAX,
					filled.max_normal_alloc ?:
					ARENA_MAX_NORMAL_ALLOC);
	core = memquota_core_new(&filled, percpu ? 2 * nr_cpu_ids : 1);
	if (!core)
		return -ENOMEM;
	*arena = (struct memquota_arena){ .core = core };
	core->arena = arena;
	core->stores->bump = &arena->bump;
	if (percpu) {
		err = arena_init_percpu(arena);
		if (err)
			goto out_core;
	}

	va_start(args, fmt);
	vscnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	/* From the join on, callbacks may come, and destroy the arena. */
	refcount_inc(&core->refs);
	err = memquota_core_join(core, &arena_ops, owner, name);
	if (err)
		goto out_percpu;
	memquota_core_list(core);
	memquota_core_unref(core);
	return 0;

out_percpu:
	if (percpu) {
		cpuhp_state_remove_instance_nocalls(arena_hotplug_state,
						    &core->hotplug);
		free_percpu(arena->bumps);
	}
out_core:
	kvfree(core);
	return err;
}
EXPORT_SYMBOL_GPL(__memquota_arena_init);

/**
 * memquota_arena_destroy - end an arena
 * @arena: what memquota_arena_init() has set up; no longer usable afterwards
 *
 * Ends all plain memory and gives back the chunks without references. Memory
 * to which there are references stays, and stays charged, until they are put.
 * Waits for a running callback, by spinning, unless called from it.
 *
 * Context: as memquota_leave(), which it calls; one per CPU sleeps. The caller
 * serialises, also if the arena is per CPU, and holds no lock that a callback
 * of the arena's takes.
 */
void memquota_arena_destroy(struct memquota_arena *arena)
{
	struct memquota_arena_core *core = arena->core;
	struct memquota_store *store;
	unsigned long flags;
	unsigned int i;

	if (arena->bumps)
		cpuhp_state_remove_instance_nocalls(arena_hotplug_state,
						    &core->hotplug);
	memquota_core_detach(core);
	for (i = 0; i < core->nr_stores; i++) {
		store = &core->stores[i];
		memquota_bump_reset(store);
		memquota_store_empty(store);
		raw_spin_lock_irqsave(&store->lock, flags);
		store->bump = NULL;
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	free_percpu(arena->bumps);
	memquota_core_unref(core);
}
EXPORT_SYMBOL_GPL(memquota_arena_destroy);

/**
 * memquota_arena_reset - end all plain memory
 * @arena: the arena
 *
 * Memory to which there are references stays until they are put. Chunks
 * without references are cached; the current one is used again from its
 * beginning. Costs the same however much of the current chunk was used.
 *
 * Context: any but hard interrupts and NMI. The caller serialises, also if the
 * arena is per CPU.
 */
void memquota_arena_reset(struct memquota_arena *arena)
{
	unsigned int i;

	memquota_stores_check(arena->core);
	for (i = 0; i < arena->core->nr_stores; i++)
		memquota_bump_reset(&arena->core->stores[i]);
}
EXPORT_SYMBOL_GPL(memquota_arena_reset);

/**
 * memquota_arena_drop - give up an arena
 * @arena: the arena
 *
 * Only what is left of current chunks is still handed out: taking another
 * chunk fails with -ESTALE. Cached chunks go back to the system at once; chunks
 * in use follow when the arena is reset or destroyed, or their references are
 * put. Meant as @collapse of struct memquota_arena_config, or to be called from
 * there: then the account closes, and what it holds leaves the total at once.
 *
 * Context: any but hard interrupts and NMI, also while other contexts allocate.
 */
void memquota_arena_drop(struct memquota_arena *arena)
{
	memquota_stores_drop(arena->core);
}
EXPORT_SYMBOL_GPL(memquota_arena_drop);

/**
 * memquota_arena_stats - return what an arena holds, and did
 * @arena: the arena
 * @stats: filled in
 *
 * Context: any but NMI. While other contexts allocate, the wasted bytes of
 * different CPUs are those of slightly different moments.
 */
void memquota_arena_stats(struct memquota_arena *arena,
			  struct memquota_arena_stats *stats)
{
	memquota_core_stats(arena->core, stats);
}
EXPORT_SYMBOL_GPL(memquota_arena_stats);

/**
 * memquota_arena_participant - return the participant that holds the memory
 * @arena: the arena
 *
 * For asking what it holds, or whether it is at a hard limit. The caller must
 * not charge, uncharge or leave it.
 *
 * Context: any.
 *
 * Return: the participant; valid until memquota_arena_destroy().
 */
struct memquota_participant *
memquota_arena_participant(struct memquota_arena *arena)
{
	return &arena->core->participant;
}
EXPORT_SYMBOL_GPL(memquota_arena_participant);

int memquota_arenas_init(void)
{
	int ret = memquota_stores_init();

	if (ret)
		return ret;
	ret = cpuhp_setup_state_multi(CPUHP_BP_PREPARE_DYN, "memquota:arena",
				      NULL, arena_cpu_dead);
	if (ret < 0)
		goto out_stores;
	arena_hotplug_state = ret;
	return 0;

out_stores:
	memquota_stores_exit();
	return ret;
}

void memquota_arenas_exit(void)
{
	memquota_stores_exit();
	cpuhp_remove_multi_state(arena_hotplug_state);
}
