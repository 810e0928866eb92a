// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas: what is behind the cursor.
 *
 * A bump and its store belong together. Whoever allocates moves the cursor of
 * its bump and, when the current chunk is used up, replaces it; that is the
 * caller, whom nobody disturbs, or, in an arena that is per CPU, whoever is on
 * the CPU with preemption off. Replacing and rewinding are done under the
 * store's lock all the same, since a CPU that went offline and a reset act on
 * the bumps of others.
 *
 * Taking a chunk from the system may sleep and end up on another CPU. The
 * chunk then goes to the store of that one.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <memquota/compat.h>
#include "chunk.h"
#include "trace.h"

/* Rule C2, unless it is configured; and what the largest class holds. */
#define MAX_NORMAL_ALLOC	SZ_16K
#define MAX_NORMAL_ALLOC_MAX	(MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)

/* NULL, nothing and errors are not memory: one comparison for all of them. */
static bool is_memory(const void *memory)
{
	unsigned long first = (unsigned long)ZERO_SIZE_PTR + 1;

	return (unsigned long)memory - first < -MAX_ERRNO - first;
}

/**
 * memquota_ref_get - take another reference
 * @memory: what memquota_arena_alloc_ref() returned, as long as there is a
 *	reference to it; or, by the user of the arena, live plain memory, which
 *	then outlives the arena's reset. NULL, %ZERO_SIZE_PTR and errors are
 *	ignored
 *
 * Any address in the memory will do.
 *
 * Context: any but NMI; any lock may be held.
 */
void memquota_ref_get(const void *memory)
{
	if (is_memory(memory))
		refcount_inc(&memquota_chunk_of(memory)->refs);
}
EXPORT_SYMBOL_GPL(memquota_ref_get);

/**
 * memquota_ref_put - let go of a reference
 * @memory: what memquota_arena_alloc_ref() returned, or memquota_ref_get() was
 *	called for. NULL, %ZERO_SIZE_PTR and errors are ignored
 *
 * After the last one the memory is free. The arena may be gone.
 *
 * Context: any but NMI; any lock may be held, raw spinlocks too.
 */
void memquota_ref_put(const void *memory)
{
	struct memquota_chunk *chunk;

	if (!is_memory(memory))
		return;
	chunk = memquota_chunk_of(memory);
	if (refcount_dec_and_test(&chunk->refs))
		memquota_chunk_came_back(chunk);
}
EXPORT_SYMBOL_GPL(memquota_ref_put);

/* Where the caller allocates, until leave(). */
static struct memquota_store *enter(struct memquota_arena *arena)
{
	if (!arena->bumps)
		return arena->core->stores;
	preempt_disable();
	return &arena->core->stores[2 * smp_processor_id() +
				    !!in_serving_softirq()];
}

static void leave(struct memquota_arena *arena)
{
	if (arena->bumps)
		preempt_enable();
}

/* As memquota_bump_take(), for any alignment; or NULL. */
static void *take(struct memquota_bump *bump, size_t size, size_t align,
		  bool ref)
{
	void *memory;

	if (ALIGN(bump->cursor, align) > bump->limit ||
	    !memquota_bump_take(bump, size, align, ref, &memory))
		return NULL;
	return memory;
}

static void rewind(struct memquota_store *store, struct memquota_chunk *chunk)
{
	struct memquota_bump *bump = store->bump;

	lockdep_assert_held(&store->lock);
	refcount_set(&chunk->refs, MEMQUOTA_SURPLUS);
	chunk->since_ns = ktime_get_coarse_ns();
	/* A reset mostly finds it there; a list that is checked costs more. */
	if (!list_is_last(&chunk->node, &store->in_use))
		list_move_tail(&chunk->node, &store->in_use);
	bump->cursor = (unsigned long)chunk + MEMQUOTA_CHUNK_HEADER;
	bump->limit = (unsigned long)chunk + chunk->bytes;
	bump->refs_end = bump->cursor;
	bump->refs = 0;
}

static void install(struct memquota_store *store, struct memquota_chunk *chunk)
{
	unsigned long flags;

	chunk->store = store;
	raw_spin_lock_irqsave(&store->lock, flags);
	store->current_chunk = chunk;
	rewind(store, chunk);
	raw_spin_unlock_irqrestore(&store->lock, flags);
}

/* Plain memory: the chunk has the owner's reference until the reset. */
static void push_retired(struct memquota_store *store,
			 struct memquota_chunk *chunk)
{
	lockdep_assert_held(&store->lock);
	chunk->back.next = store->retired;
	store->retired = &chunk->back;
}

/*
 * The current chunk, if there is one, ends as such: what it was credited with
 * and did not hand out is taken back. Plain memory keeps it, if @keep_plain.
 * Returns it if nobody keeps it.
 */
static struct memquota_chunk *settle(struct memquota_store *store,
				     bool keep_plain)
{
	struct memquota_chunk *chunk = store->current_chunk;
	struct memquota_bump *bump = store->bump;
	unsigned int surplus;
	bool plain;

	lockdep_assert_held(&store->lock);
	/* Nor is there a bump for numbers that no CPU has. */
	if (!chunk)
		return NULL;
	surplus = MEMQUOTA_SURPLUS - bump->refs;
	plain = keep_plain && bump->cursor != bump->refs_end;
	chunk->tail = bump->limit - bump->cursor;
	store->wasted += chunk->tail;
	store->current_chunk = NULL;
	*bump = (struct memquota_bump){};
	if (plain) {
		push_retired(store, chunk);
		surplus--;
	}
	return refcount_sub_and_test(surplus, &chunk->refs) ? chunk : NULL;
}

/* For the store's owner: nobody keeps the chunk any more. */
static void came_back(struct memquota_store *store,
		      struct memquota_chunk *chunk)
{
	trace_memquota_chunk_back(store->core, chunk);
	memquota_store_keep(store, chunk);
}

static void retire(struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	unsigned long flags;

	raw_spin_lock_irqsave(&store->lock, flags);
	chunk = settle(store, true);
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (chunk)
		came_back(store, chunk);
}

/* The owner's references to chunks that served plain memory end. */
static void put_retired(struct memquota_store *store, struct llist_node *node)
{
	struct memquota_chunk *chunk;

	while (node) {
		chunk = llist_entry(node, struct memquota_chunk, back);
		node = node->next;
		if (refcount_dec_and_test(&chunk->refs))
			came_back(store, chunk);
	}
}

/*
 * Whether nobody has a reference to the current chunk. If so, whatever was
 * done before the last put is over.
 */
static bool nothing_escaped(const struct memquota_store *store)
{
	if (refcount_read(&store->current_chunk->refs) !=
	    MEMQUOTA_SURPLUS - store->bump->refs)
		return false;
	/* Pairs with the release in refcount_dec_and_test(). */
	smp_acquire__after_ctrl_dep();
	return true;
}

static void reset_store(struct memquota_store *store)
{
	struct memquota_chunk *unused = NULL;
	struct llist_node *retired;
	unsigned long flags;

	raw_spin_lock_irqsave(&store->lock, flags);
	if (store->current_chunk && nothing_escaped(store) &&
	    !READ_ONCE(store->core->dropped))
		rewind(store, store->current_chunk);
	else
		unused = settle(store, false);
	retired = store->retired;
	store->retired = NULL;
	store->at_reset = store->ever;
	raw_spin_unlock_irqrestore(&store->lock, flags);
	if (unused)
		came_back(store, unused);
	put_retired(store, retired);
}

/*
 * Why no chunk is to be had any more, in the order of rule T7; or 0. What an
 * arena has counts nowhere once its account is closed: it is dropped then, or
 * it would go on with what it caches and never be told.
 */
static int over(struct memquota_arena *arena)
{
	struct memquota_arena_core *core = arena->core;
	int err = memquota_participant_error(&core->participant);

	if (READ_ONCE(core->dropped))
		return err ?: -ESTALE;
	if (unlikely(err))
		memquota_arena_drop(arena);
	return err;
}

/**
 * memquota_arena_reset - end all plain memory, and start anew
 * @arena: the arena
 *
 * Memory to which there are references stays until they are put. Chunks that
 * nobody keeps are cached; the current one goes on from its beginning. Costs
 * the same however much of the current chunk was used.
 *
 * Context: any but hard interrupts and NMI. The caller serialises, also if the
 * arena is per CPU.
 */
void memquota_arena_reset(struct memquota_arena *arena)
{
	unsigned int i;

	over(arena);
	for (i = 0; i < arena->core->nr_stores; i++)
		reset_store(&arena->core->stores[i]);
}
EXPORT_SYMBOL_GPL(memquota_arena_reset);

/*
 * A chunk of a class, from the cache or from the system; or an ERR_PTR(). At
 * the @last attempt it may wait, for @wait jiffies, and costs what is cached.
 */
static struct memquota_chunk *get_chunk(struct memquota_arena *arena,
					unsigned int class, bool last,
					long wait)
{
	struct memquota_arena_core *core = arena->core;
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	unsigned long flags;

	store = enter(arena);
	chunk = memquota_store_take(store, class);
	leave(arena);
	if (!chunk) {
		chunk = memquota_core_new_chunk(core, class, last, wait);
		if (IS_ERR(chunk))
			return chunk;
		raw_spin_lock_irqsave(&store->lock, flags);
		store->ever.chunks++;
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	store = enter(arena);
	memquota_store_raise(store, class);
	leave(arena);
	return chunk;
}

/* Rule C7: by the mark, and if that cannot be had, the smallest that fits. */
static struct memquota_chunk *refill(struct memquota_arena *arena, size_t bytes,
				     long wait)
{
	unsigned int class = memquota_class_for(bytes), wanted;
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	int err = over(arena);

	if (err)
		return ERR_PTR(err);
	store = enter(arena);
	/* Let go before the next one is reserved. */
	retire(store);
	class = max_t(unsigned int, class, arena->core->smallest);
	wanted = max_t(unsigned int, class, store->mark);
	leave(arena);

	chunk = get_chunk(arena, wanted, wanted == class, wait);
	if (IS_ERR(chunk) && class < wanted)
		chunk = get_chunk(arena, class, true, wait);
	return chunk;
}

static void *alloc_one_shot(struct memquota_arena *arena, size_t bytes,
			    size_t align, bool ref, long wait)
{
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	unsigned long flags;
	int err = over(arena);

	if (err)
		return ERR_PTR(err);
	chunk = memquota_core_new_one_shot(arena->core, bytes, wait);
	if (IS_ERR(chunk))
		return chunk;
	refcount_set(&chunk->refs, 1);
	chunk->since_ns = ktime_get_coarse_ns();

	store = enter(arena);
	chunk->store = store;
	raw_spin_lock_irqsave(&store->lock, flags);
	list_add_tail(&chunk->node, &store->in_use);
	store->ever.one_shots++;
	if (!ref)
		push_retired(store, chunk);
	raw_spin_unlock_irqrestore(&store->lock, flags);
	leave(arena);
	return PTR_ALIGN((void *)chunk + MEMQUOTA_CHUNK_HEADER, align);
}

/* What the cursor cannot give: see memquota_arena_alloc(). */
static void *alloc_wait(struct memquota_arena *arena, size_t size, size_t align,
			bool ref, long wait)
{
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	size_t bytes;
	void *memory;

	if (align > MEMQUOTA_ALIGN_MAX || !is_power_of_2(align) ||
	    WARN_ON_ONCE(arena->bumps && in_hardirq()))
		return ERR_PTR(-EINVAL);
	if (!size)
		return ZERO_SIZE_PTR;
	bytes = ALIGN(MEMQUOTA_CHUNK_HEADER, align);
	if (size > LONG_MAX - bytes)
		return ERR_PTR(-EOVERFLOW);
	bytes += size;

	store = enter(arena);
	memory = take(store->bump, size, align, ref);
	leave(arena);
	if (memory)
		return memory;
	if (bytes - MEMQUOTA_CHUNK_HEADER > arena->core->config.max_normal_alloc)
		return alloc_one_shot(arena, bytes, align, ref, wait);

	chunk = refill(arena, bytes, wait);
	if (IS_ERR(chunk))
		return chunk;
	store = enter(arena);
	/* It may be another CPU's, which has a chunk with room. */
	memory = take(store->bump, size, align, ref);
	if (memory) {
		memquota_store_keep(store, chunk);
	} else {
		retire(store);
		install(store, chunk);
		memory = take(store->bump, size, align, ref);
	}
	leave(arena);
	return memory;
}

void *__memquota_arena_alloc(struct memquota_arena *arena, size_t size,
			     size_t align, bool ref)
{
	return alloc_wait(arena, size, align, ref, arena->core->config.wait);
}
EXPORT_SYMBOL_GPL(__memquota_arena_alloc);

/**
 * memquota_arena_alloc_ref_wait - wait at a hard limit for memory with a life
 *	of its own
 * @arena: the arena, per CPU or not
 * @size: bytes
 * @align: what its address is a multiple of: a power of two, 32 KiB at most
 * @timeout: how long to wait for reclaim, in jiffies, rather than struct
 *	memquota_arena_config's @wait; 0: not at all
 *
 * For arenas some of whose users may wait, or wait for something else as well.
 * Others than those who wait are not kept up by it, nor is who waits overtaken
 * (rule T10).
 *
 * Context: as memquota_arena_alloc_ref(), or memquota_arena_alloc_ref_percpu().
 * Nobody waits if the arena's gfp flags do not allow to sleep.
 *
 * Return: as memquota_arena_alloc().
 */
void *memquota_arena_alloc_ref_wait(struct memquota_arena *arena, size_t size,
				    size_t align, long timeout)
{
	return alloc_wait(arena, size, align, true, timeout);
}
EXPORT_SYMBOL_GPL(memquota_arena_alloc_ref_wait);

/* What ends at the cursor grows there; see memquota_arena_realloc(). */
static bool grow_in_place(struct memquota_bump *bump, void *old,
			  size_t old_size, size_t more)
{
	unsigned long end = (unsigned long)old + old_size;

	if (end != bump->cursor || more > bump->limit - bump->cursor)
		return false;
	if (bump->refs_end == bump->cursor)
		bump->refs_end += more;
	bump->cursor += more;
	return true;
}

/* See memquota_arena_realloc() and memquota_arena_realloc_ref(). */
void *__memquota_arena_realloc(struct memquota_arena *arena, void *old,
			       size_t old_size, size_t new_size, size_t align,
			       bool ref)
{
	struct memquota_store *store;
	unsigned long flags;
	bool grown;
	void *new;

	if (ZERO_OR_NULL_PTR(old) || !old_size)
		return __memquota_arena_alloc(arena, new_size, align, ref);
	if (!is_power_of_2(align) || align > MEMQUOTA_ALIGN_MAX)
		return ERR_PTR(-EINVAL);
	if (new_size <= old_size)
		return old;
	store = enter(arena);
	grown = IS_ALIGNED((unsigned long)old, align) &&
		grow_in_place(store->bump, old, old_size, new_size - old_size);
	leave(arena);
	if (grown)
		return old;

	new = __memquota_arena_alloc(arena, new_size, align, ref);
	if (IS_ERR(new))
		return new;
	memcpy(new, old, old_size);
	if (ref)
		memquota_ref_put(old);
	raw_spin_lock_irqsave(&store->lock, flags);
	store->ever.relocations++;
	raw_spin_unlock_irqrestore(&store->lock, flags);
	return new;
}
EXPORT_SYMBOL_GPL(__memquota_arena_realloc);

/* See memquota_arena_asprintf() and memquota_arena_asprintf_ref(). */
char *__memquota_arena_asprintf(struct memquota_arena *arena, bool ref,
				const char *fmt, ...)
{
	va_list args;
	char *text;
	size_t size;

	va_start(args, fmt);
	size = vsnprintf(NULL, 0, fmt, args) + 1;
	va_end(args);
	text = __memquota_arena_alloc(arena, size, 1, ref);
	if (!IS_ERR(text)) {
		va_start(args, fmt);
		vscnprintf(text, size, fmt, args);
		va_end(args);
	}
	return text;
}
EXPORT_SYMBOL_GPL(__memquota_arena_asprintf);

static int preallocate(struct memquota_store *store, unsigned int class)
{
	struct memquota_chunk *chunk;
	unsigned long flags;

	/* The next refill asks for no less; below the floor nothing stays. */
	class = max3(class, (unsigned int)store->mark,
		     (unsigned int)READ_ONCE(store->floor));
	chunk = memquota_core_new_chunk(store->core, class, false, 0);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);
	raw_spin_lock_irqsave(&store->lock, flags);
	store->mark = class;
	store->ever.chunks++;
	raw_spin_unlock_irqrestore(&store->lock, flags);
	memquota_store_keep(store, chunk);
	return 0;
}

/**
 * memquota_arena_preallocate - have a chunk in the cache beforehand
 * @arena: the arena; if it is per CPU each online CPU gets a chunk
 * @size: bytes that allocations are to find in it
 *
 * The arena's next chunk will be at least as large. It does not wait for quota,
 * and costs nothing that is cached.
 *
 * Context: as the arena's gfp flags say; one per CPU sleeps. The caller
 * serialises, also if the arena is per CPU.
 *
 * Return: 0, or
 * -EINVAL: no chunk of a class has that much room;
 * and what memquota_arena_alloc() returns.
 */
int memquota_arena_preallocate(struct memquota_arena *arena, size_t size)
{
	struct memquota_arena_core *core = arena->core;
	unsigned int class, cpu;
	int err;

	if (size > MAX_NORMAL_ALLOC_MAX)
		return -EINVAL;
	err = over(arena);
	if (err)
		return err;
	class = max_t(unsigned int, core->smallest,
		      memquota_class_for(size + MEMQUOTA_CHUNK_HEADER));
	if (!arena->bumps)
		return preallocate(core->stores, class);

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		err = preallocate(&core->stores[2 * cpu], class);
		if (err)
			break;
	}
	cpus_read_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(memquota_arena_preallocate);

/**
 * memquota_arena_drop - give up an arena
 * @arena: the arena
 *
 * Nothing is handed out of it any more but what is left of current chunks:
 * taking another one fails with -ESTALE. What it caches goes back at once,
 * what is in use when it is reset or destroyed, or as references are put. To
 * be struct memquota_arena_config's @collapse, or called from there: then its
 * account closes, and what it holds leaves the total at once.
 *
 * Context: any but hard interrupts and NMI, also while others allocate.
 */
void memquota_arena_drop(struct memquota_arena *arena)
{
	struct memquota_arena_core *core = arena->core;
	unsigned int i;

	WRITE_ONCE(core->dropped, true);
	for (i = 0; i < core->nr_stores; i++)
		while (memquota_store_trim(&core->stores[i]))
			;
}
EXPORT_SYMBOL_GPL(memquota_arena_drop);

static void add_counts(struct memquota_arena_counts *sum,
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
			/* Whoever allocates moves it without the lock. */
			stats->wasted_bytes -= data_race(store->bump->cursor);
		}
		add_counts(&stats->ever, &store->ever, &none);
		add_counts(&stats->since_reset, &store->ever, &store->at_reset);
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
}
MEMQUOTA_EXPORT_INTERNAL(memquota_core_stats);

/**
 * memquota_arena_stats - what an arena holds, and did
 * @arena: the arena
 * @stats: where to say it
 *
 * Context: any but NMI. While others allocate the wasted bytes are those of
 * slightly different moments.
 */
void memquota_arena_stats(struct memquota_arena *arena,
			  struct memquota_arena_stats *stats)
{
	memquota_core_stats(arena->core, stats);
}
EXPORT_SYMBOL_GPL(memquota_arena_stats);

/**
 * memquota_arena_participant - who holds an arena's memory
 * @arena: the arena
 *
 * For asking what it holds, or whether it is at a hard limit. Good until
 * memquota_arena_destroy(); not to be charged, uncharged or left.
 *
 * Context: any.
 *
 * Return: the participant.
 */
struct memquota_participant *
memquota_arena_participant(struct memquota_arena *arena)
{
	return &arena->core->participant;
}
EXPORT_SYMBOL_GPL(memquota_arena_participant);

static enum cpuhp_state hotplug_state;

/* Nobody allocates there any more; what it cached is others' to use. */
static int cpu_is_dead(unsigned int cpu, struct hlist_node *node)
{
	struct memquota_arena_core *core =
		hlist_entry(node, struct memquota_arena_core, hotplug);
	struct memquota_store *store = &core->stores[2 * cpu];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		retire(&store[i]);
		while (memquota_store_trim(&store[i]))
			;
	}
	return 0;
}

static int init_percpu(struct memquota_arena *arena)
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
	err = cpuhp_state_add_instance_nocalls(hotplug_state, &core->hotplug);
	if (err)
		free_percpu(arena->bumps);
	return err;
}

static bool config_valid(const struct memquota_arena_config *config)
{
	if (config->flags & ~(MEMQUOTA_ARENA_PERCPU | MEMQUOTA_ARENA_IN_ACCOUNT |
			      MEMQUOTA_ARENA_ON_NODE))
		return false;
	/* The pools' pages are of whatever zone they happen to be. */
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

	if (!config_valid(config))
		return -EINVAL;
	if (!(filled.flags & MEMQUOTA_ARENA_ON_NODE))
		filled.node = NUMA_NO_NODE;
	filled.max_normal_alloc = min_t(size_t, MAX_NORMAL_ALLOC_MAX,
					filled.max_normal_alloc ?:
					MAX_NORMAL_ALLOC);
	core = memquota_core_new(&filled, percpu ? 2 * nr_cpu_ids : 1);
	if (!core)
		return -ENOMEM;
	*arena = (struct memquota_arena){ .core = core };
	core->arena = arena;
	core->stores->bump = &arena->bump;
	if (percpu) {
		err = init_percpu(arena);
		if (err)
			goto out_core;
	}

	va_start(args, fmt);
	vscnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	/* From the join on, callbacks may come, and destroy the arena. */
	refcount_inc(&core->refs);
	err = memquota_core_join(core, owner, name);
	if (err)
		goto out_percpu;
	memquota_core_list(core);
	memquota_core_unref(core);
	return 0;

out_percpu:
	if (percpu) {
		cpuhp_state_remove_instance_nocalls(hotplug_state,
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
 * @arena: what memquota_arena_init() has set up; not to be used any more
 *
 * Ends all plain memory and gives back what nobody keeps. Memory to which
 * there are references stays, and stays charged, until they are put. Waits for
 * a callback that runs, by spinning, unless it is called from there.
 *
 * Context: any but hard interrupts and NMI; one per CPU sleeps. The caller
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
		cpuhp_state_remove_instance_nocalls(hotplug_state,
						    &core->hotplug);
	memquota_core_detach(core);
	for (i = 0; i < core->nr_stores; i++) {
		store = &core->stores[i];
		reset_store(store);
		while (memquota_store_trim(store))
			;
		raw_spin_lock_irqsave(&store->lock, flags);
		store->bump = NULL;
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	free_percpu(arena->bumps);
	memquota_core_unref(core);
}
EXPORT_SYMBOL_GPL(memquota_arena_destroy);

int memquota_arenas_init(void)
{
	int ret = memquota_stores_init();

	if (ret)
		return ret;
	ret = cpuhp_setup_state_multi(CPUHP_BP_PREPARE_DYN, "memquota:arena",
				      NULL, cpu_is_dead);
	if (ret < 0)
		goto out_stores;
	hotplug_state = ret;
	return 0;

out_stores:
	memquota_stores_exit();
	return ret;
}

void memquota_arenas_exit(void)
{
	memquota_stores_exit();
	cpuhp_remove_multi_state(hotplug_state);
}
