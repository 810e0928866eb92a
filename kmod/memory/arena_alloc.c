// SPDX-License-Identifier: GPL-2.0
/*
 * Allocating from arenas, where the inline cursor has no memory.
 *
 * Taking a chunk from the system may sleep and end on another CPU. The chunk
 * then goes to the store of that CPU.
 */
#include <linux/cpu.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include "arena_core.h"
#include "bump.h"
#include "chunk.h"
#include "store.h"

/* Return whether it is memory: neither NULL, %ZERO_SIZE_PTR nor an error. */
static bool ref_is_memory(const void *memory)
{
	/* One comparison for all of them. */
	unsigned long first = (unsigned long)ZERO_SIZE_PTR + 1;

	return (unsigned long)memory - first < -MAX_ERRNO - first;
}

/**
 * memquota_ref_get - take another reference
 * @memory: any address in memory to which there is a reference; or, for the
 *	user of the arena, in live plain memory, which then outlives the arena's
 *	reset. NULL, %ZERO_SIZE_PTR and errors are ignored
 *
 * Context: any but NMI; any lock may be held.
 */
void memquota_ref_get(const void *memory)
{
	if (ref_is_memory(memory))
		refcount_inc(&memquota_chunk_of(memory)->refs);
}
EXPORT_SYMBOL_GPL(memquota_ref_get);

/**
 * memquota_ref_put - put a reference
 * @memory: any address in the memory that memquota_arena_alloc_ref() returned
 *	or memquota_ref_get() was called for. NULL, %ZERO_SIZE_PTR and errors
 *	are ignored
 *
 * After the last one the memory is free. The arena may be gone.
 *
 * Context: any but NMI; any lock may be held, raw spinlocks too.
 */
void memquota_ref_put(const void *memory)
{
	struct memquota_chunk *chunk;

	if (!ref_is_memory(memory))
		return;
	chunk = memquota_chunk_of(memory);
	if (refcount_dec_and_test(&chunk->refs))
		memquota_store_return(chunk);
}
EXPORT_SYMBOL_GPL(memquota_ref_put);

/* Own the store of the current context, until arena_put_store(). */
static struct memquota_store *arena_get_store(struct memquota_arena *arena)
{
	if (!arena->bumps)
		return arena->core->stores;
	preempt_disable();
	return &arena->core->stores[2 * smp_processor_id() +
				    !!in_serving_softirq()];
}

static void arena_put_store(struct memquota_arena *arena)
{
	if (arena->bumps)
		preempt_enable();
}

/* As memquota_bump_take(), for any alignment; return the memory or NULL. */
static void *arena_take_aligned(struct memquota_bump *bump, size_t size,
				size_t align, bool ref)
{
	void *memory;

	if (ALIGN(bump->cursor, align) > bump->limit ||
	    !memquota_bump_take(bump, size, align, ref, &memory))
		return NULL;
	return memory;
}

/*
 * Get a chunk of a class, from the cache or from the system, or an ERR_PTR().
 * At the @last attempt this may wait, for @wait jiffies, and release what is
 * cached.
 */
static struct memquota_chunk *arena_get_chunk(struct memquota_arena *arena,
					      unsigned int class, bool last,
					      long wait)
{
	struct memquota_arena_core *core = arena->core;
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	unsigned long flags;

	store = arena_get_store(arena);
	chunk = memquota_store_take(store, class);
	arena_put_store(arena);
	if (!chunk) {
		chunk = memquota_stores_new_chunk(core, class, last, wait);
		if (IS_ERR(chunk))
			return chunk;
		raw_spin_lock_irqsave(&store->lock, flags);
		store->ever.chunks++;
		raw_spin_unlock_irqrestore(&store->lock, flags);
	}
	store = arena_get_store(arena);
	memquota_store_raise(store, class);
	arena_put_store(arena);
	return chunk;
}

/*
 * Get a chunk of the class that the mark asks for; if there is none, of the
 * smallest that fits.
 */
static struct memquota_chunk *arena_refill_bump(struct memquota_arena *arena,
						size_t bytes, long wait)
{
	unsigned int class = memquota_class_for(bytes), wanted;
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	int err = memquota_stores_check(arena->core);

	if (err)
		return ERR_PTR(err);
	store = arena_get_store(arena);
	/* Uncharge the old chunk before the next one is charged. */
	memquota_bump_retire(store);
	class = max_t(unsigned int, class, arena->core->smallest);
	wanted = max_t(unsigned int, class, store->mark);
	arena_put_store(arena);

	chunk = arena_get_chunk(arena, wanted, wanted == class, wait);
	if (IS_ERR(chunk) && class < wanted)
		chunk = arena_get_chunk(arena, class, true, wait);
	return chunk;
}

static void *arena_alloc_one_shot(struct memquota_arena *arena, size_t bytes,
				  size_t align, bool ref, long wait)
{
	struct memquota_chunk *chunk;
	struct memquota_store *store;
	unsigned long flags;
	int err = memquota_stores_check(arena->core);

	if (err)
		return ERR_PTR(err);
	chunk = memquota_stores_new_one_shot(arena->core, bytes, wait);
	if (IS_ERR(chunk))
		return chunk;
	refcount_set(&chunk->refs, 1);
	chunk->since_ns = ktime_get_coarse_ns();

	store = arena_get_store(arena);
	chunk->store = store;
	raw_spin_lock_irqsave(&store->lock, flags);
	list_add_tail(&chunk->node, &store->in_use);
	store->ever.one_shots++;
	if (!ref)
		memquota_store_push_retired(store, chunk);
	raw_spin_unlock_irqrestore(&store->lock, flags);
	arena_put_store(arena);
	return PTR_ALIGN((void *)chunk + MEMQUOTA_CHUNK_HEADER, align);
}

/* See memquota_arena_alloc(). */
static void *arena_alloc_wait(struct memquota_arena *arena, size_t size,
			      size_t align, bool ref, long wait)
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

	store = arena_get_store(arena);
	memory = arena_take_aligned(store->bump, size, align, ref);
	arena_put_store(arena);
	if (memory)
		return memory;
	if (bytes - MEMQUOTA_CHUNK_HEADER > arena->core->config.max_normal_alloc)
		return arena_alloc_one_shot(arena, bytes, align, ref, wait);

	chunk = arena_refill_bump(arena, bytes, wait);
	if (IS_ERR(chunk))
		return chunk;
	store = arena_get_store(arena);
	/* It may be another CPU's, which has a chunk with room. */
	memory = arena_take_aligned(store->bump, size, align, ref);
	if (memory) {
		memquota_store_keep(store, chunk);
	} else {
		memquota_bump_retire(store);
		memquota_bump_install(store, chunk);
		memory = arena_take_aligned(store->bump, size, align, ref);
	}
	arena_put_store(arena);
	return memory;
}

void *__memquota_arena_alloc(struct memquota_arena *arena, size_t size,
			     size_t align, bool ref)
{
	return arena_alloc_wait(arena, size, align, ref,
				arena->core->config.wait);
}
EXPORT_SYMBOL_GPL(__memquota_arena_alloc);

/**
 * memquota_arena_alloc_ref_wait - allocate with a reference, after a wait
 * @arena: the arena, per CPU or not
 * @size: bytes
 * @align: what the address is a multiple of: a power of two, at most 32 KiB
 * @timeout: jiffies to wait for reclaim at a hard limit, instead of @wait of
 *	struct memquota_arena_config; 0: fail at once
 *
 * For arenas some of whose users may wait, or wait for something else as well.
 * A waiting user delays no other one, and is not overtaken.
 *
 * Context: as memquota_arena_alloc_ref(), or memquota_arena_alloc_ref_percpu().
 * If the arena's gfp flags do not allow to sleep, @timeout has no effect.
 *
 * Return: as memquota_arena_alloc().
 */
void *memquota_arena_alloc_ref_wait(struct memquota_arena *arena, size_t size,
				    size_t align, long timeout)
{
	return arena_alloc_wait(arena, size, align, true, timeout);
}
EXPORT_SYMBOL_GPL(memquota_arena_alloc_ref_wait);

/* Let memory that ends at the cursor grow there; return whether it does. */
static bool arena_grow_in_place(struct memquota_bump *bump, void *old,
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
	store = arena_get_store(arena);
	grown = IS_ALIGNED((unsigned long)old, align) &&
		arena_grow_in_place(store->bump, old, old_size,
				    new_size - old_size);
	arena_put_store(arena);
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

static int arena_preallocate_store(struct memquota_store *store,
				   unsigned int class)
{
	struct memquota_chunk *chunk;
	unsigned long flags;

	/*
	 * The next refill takes no class below the mark, and the cache none
	 * below the floor.
	 */
	class = max3(class, (unsigned int)store->mark,
		     (unsigned int)READ_ONCE(store->floor));
	chunk = memquota_stores_new_chunk(store->core, class, false, 0);
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
 * memquota_arena_preallocate - cache a chunk for later allocations
 * @arena: the arena; if it is per CPU each online CPU gets a chunk
 * @size: bytes that allocations find in it
 *
 * The arena's next chunk will be at least as large. It does not wait for quota,
 * and releases nothing that is cached.
 *
 * Context: as the arena's gfp flags say; one per CPU sleeps. The caller
 * serialises, also if the arena is per CPU.
 *
 * Return:
 * * 0 - the chunk is in the cache
 * * %-EINVAL - no chunk of a class has room for @size
 * * other errors - those of memquota_arena_alloc()
 */
int memquota_arena_preallocate(struct memquota_arena *arena, size_t size)
{
	struct memquota_arena_core *core = arena->core;
	unsigned int class, cpu;
	int err;

	if (size > MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)
		return -EINVAL;
	err = memquota_stores_check(core);
	if (err)
		return err;
	class = max_t(unsigned int, core->smallest,
		      memquota_class_for(size + MEMQUOTA_CHUNK_HEADER));
	if (!arena->bumps)
		return arena_preallocate_store(core->stores, class);

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		err = arena_preallocate_store(&core->stores[2 * cpu], class);
		if (err)
			break;
	}
	cpus_read_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(memquota_arena_preallocate);
