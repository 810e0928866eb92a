/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arenas: memory under the quota, handed out by moving a cursor.
 *
 * An arena takes chunks of 512 B to 64 KiB from the system, charges each to
 * its participant, and cuts them up. There are two kinds of memory:
 *
 *	plain	memquota_arena_alloc(): lives until the arena is reset or
 *		destroyed, all of it at once;
 *	ref	memquota_arena_alloc_ref(): lives until its last reference is
 *		put with memquota_ref_put(), in any context, also after the
 *		arena is gone.
 *
 * Both come from the same chunks and nothing is stored per object. A chunk
 * that served references only is used again as soon as the last of them is
 * put; one that served plain memory, when the arena is reset.
 *
 * The caller serialises all use of an arena; or the arena is made per CPU
 * (%MEMQUOTA_ARENA_PERCPU), and process and softirq context on all CPUs
 * allocate from it at once.
 *
 * Functions that return memory return an ERR_PTR() if there is none, since
 * there are several reasons, and %ZERO_SIZE_PTR if 0 bytes are wanted.
 *
 * The idea of bump allocation with references that are credited in advance is
 * Multitude's, a Rust crate.
 */
#ifndef _MEMQUOTA_ARENA_H
#define _MEMQUOTA_ARENA_H

#include <linux/align.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include <memquota/participant.h>

/* The smallest and the largest class of chunks, header included, in bytes. */
#define MEMQUOTA_CHUNK_MIN	512
#define MEMQUOTA_CHUNK_MAX	SZ_64K

/* The header of a chunk, in bytes. */
#define MEMQUOTA_CHUNK_HEADER	64

/* The largest alignment, in bytes. */
#define MEMQUOTA_ALIGN_MAX	SZ_32K

/**
 * struct memquota_bump - the current chunk of one user of an arena
 * @cursor: address of the first byte that was not handed out
 * @limit: address of the chunk's end, a multiple of %MEMQUOTA_CHUNK_MIN; 0, as
 *	@cursor, without a chunk
 * @refs_end: where the last reference ended; once plain memory was handed out
 *	it differs from @cursor until the chunk is replaced or rewound
 * @refs: number of references handed out
 *
 * The fields are private to memquota.
 */
struct memquota_bump {
	unsigned long cursor;
	unsigned long limit;
	unsigned long refs_end;
	unsigned int refs;
};

/* One for process context, and one for softirqs that interrupt it. */
struct memquota_bump_cpu {
	struct memquota_bump bumps[2];
};

struct memquota_arena_core;

/**
 * struct memquota_arena - embedded in the object that uses it
 * @bump: its current chunk, unless it is per CPU
 * @bumps: the CPUs' current chunks, or NULL
 * @core: the part that outlives the arena while there are references
 *
 * The fields are private to memquota.
 */
struct memquota_arena {
	struct memquota_bump bump;
	struct memquota_bump_cpu __percpu *bumps;
	struct memquota_arena_core *core;
};

/* For memquota_arena_config.flags: all CPUs may allocate at once. */
#define MEMQUOTA_ARENA_PERCPU		BIT(0)
/* For memquota_arena_config.flags: charge @account. */
#define MEMQUOTA_ARENA_IN_ACCOUNT	BIT(1)
/* For memquota_arena_config.flags: take chunks from @node. */
#define MEMQUOTA_ARENA_ON_NODE		BIT(2)

/**
 * struct memquota_arena_config - parameters of memquota_arena_init()
 * @account: the account to charge with %MEMQUOTA_ARENA_IN_ACCOUNT; with a null
 *	handle nothing is counted. Without the flag the arena has an account of
 *	its own, in the default tracker
 * @gfp: how to allocate chunks. With %GFP_ATOMIC an allocation never sleeps.
 *	With __GFP_ACCOUNT chunks are charged to memcg, too, and are no smaller
 *	than a page, since memcg counts pages
 * @flags: %MEMQUOTA_ARENA_PERCPU, %MEMQUOTA_ARENA_IN_ACCOUNT,
 *	%MEMQUOTA_ARENA_ON_NODE
 * @node: NUMA node of the chunks with %MEMQUOTA_ARENA_ON_NODE; without the
 *	flag, the node of the CPU that allocates
 * @budget_bytes: the most bytes that all its chunks together may have, cached
 *	ones included; 0: no such limit
 * @max_normal_alloc: larger allocations, in bytes, get a chunk of their own
 *	unless the current one has room; 0: 16 KiB
 * @wait: jiffies that an allocation that may sleep waits at a hard limit of
 *	the quota; 0: it fails at once. See also memquota_arena_alloc_ref_wait()
 * @collapse: atomic callback, for an arena whose memory can all be given up:
 *	the account closes once it was called. It may lock and reset the arena,
 *	or tell the owner. memquota_arena_drop() suffices if the owner notices
 *	by -ESTALE. NULL: reclaim takes only what the arena caches
 * @oldest: atomic callback that returns when the oldest data arrived, on
 *	CLOCK_MONOTONIC_COARSE in ns, or %MEMQUOTA_NO_DATA; NULL: when the
 *	oldest chunk in use became current
 *
 * Callbacks are called as those of struct memquota_ops are, and not after
 * memquota_arena_destroy() has returned. In an account with other participants
 * they may be called before memquota_arena_init() has returned.
 */
struct memquota_arena_config {
	struct memquota_account *account;
	gfp_t gfp;
	unsigned int flags;
	int node;
	size_t budget_bytes;
	size_t max_normal_alloc;
	long wait;
	void (*collapse)(struct memquota_arena *arena);
	u64 (*oldest)(struct memquota_arena *arena);
};

/**
 * struct memquota_arena_counts - events of an arena
 * @chunks: chunks of a size class taken from the system
 * @one_shots: chunks taken from the system for a single allocation
 * @cache_hits: chunks taken from the cache
 * @relocations: allocations that moved when they grew
 */
struct memquota_arena_counts {
	u64 chunks;
	u64 one_shots;
	u64 cache_hits;
	u64 relocations;
};

/**
 * struct memquota_arena_stats - what an arena holds, and did
 * @held_bytes: size of its chunks, including those that it caches and those
 *	that only references keep
 * @wasted_bytes: unused ends of chunks in use, those of current ones included
 * @ever: events since it was created
 * @since_reset: events since it was last reset
 */
struct memquota_arena_stats {
	u64 held_bytes;
	u64 wasted_bytes;
	struct memquota_arena_counts ever;
	struct memquota_arena_counts since_reset;
};

__printf(4, 5) int __must_check
__memquota_arena_init(struct memquota_arena *arena,
		      const struct memquota_arena_config *config,
		      struct module *owner, const char *fmt, ...);
void memquota_arena_destroy(struct memquota_arena *arena);
void memquota_arena_reset(struct memquota_arena *arena);
void memquota_arena_drop(struct memquota_arena *arena);
int memquota_arena_preallocate(struct memquota_arena *arena, size_t size);
void memquota_arena_stats(struct memquota_arena *arena,
			  struct memquota_arena_stats *stats);
struct memquota_participant *
memquota_arena_participant(struct memquota_arena *arena);

void *__memquota_arena_alloc(struct memquota_arena *arena, size_t size,
			     size_t align, bool ref);
void *__memquota_arena_realloc(struct memquota_arena *arena, void *old,
			       size_t old_size, size_t new_size, size_t align,
			       bool ref);
__printf(3, 4) char *__memquota_arena_asprintf(struct memquota_arena *arena,
					       bool ref, const char *fmt, ...);
void *memquota_arena_alloc_ref_wait(struct memquota_arena *arena, size_t size,
				    size_t align, long timeout);
void memquota_ref_get(const void *memory);
void memquota_ref_put(const void *memory);

/**
 * memquota_arena_init - make an arena
 * @arena: the arena, uninitialised
 * @config: its parameters; copied
 * @fmt: printf format of the name that people will read, and its arguments
 *
 * The first chunk is taken by the first allocation. memquota_arena_destroy()
 * ends the arena.
 *
 * Context: as @config's gfp flags say; one per CPU may sleep. With PREEMPT_RT only
 * while preemption and interrupts are on.
 *
 * Return:
 * * 0 - the arena is ready
 * * %-EINVAL - unknown flags, a node that is not online, a negative @wait, or
 *   gfp flags that ask for memory of a zone, or for zeroed or compound memory
 * * %-ENOMEM - out of memory
 * * other errors - those of memquota_account_create() and
 *   memquota_join_account()
 */
#define memquota_arena_init(arena, config, fmt, ...)			\
	__memquota_arena_init(arena, config, THIS_MODULE, fmt, ##__VA_ARGS__)

/*
 * Take @size bytes at the cursor; return whether the chunk has that many.
 * @align is a power of two and at most MEMQUOTA_CHUNK_MIN, so aligning never
 * passes the limit. One unsigned comparison then refuses a size that is too
 * large, that would wrap, or that is 0.
 *
 * The result is apart from the address, since the compiler does not know that
 * no chunk is at NULL and would compare again. It is told that none is at an
 * ERR_PTR() either, so a caller's IS_ERR() costs nothing on this path.
 */
static __always_inline bool memquota_bump_take(struct memquota_bump *bump,
					       size_t size, size_t align,
					       bool ref, void **memory)
{
	unsigned long cursor = bump->cursor, at = ALIGN(cursor, align);

	if (unlikely(size - 1 >= bump->limit - at))
		return false;
	bump->cursor = at + size;
	if (ref) {
		if (likely(bump->refs_end == cursor))
			bump->refs_end = at + size;
		bump->refs++;
	}
	*memory = (void *)at;
	if (IS_ERR(*memory))
		__builtin_unreachable();
	return true;
}

static __always_inline bool memquota_bump_aligns(size_t align)
{
	return align <= MEMQUOTA_CHUNK_MIN && is_power_of_2(align);
}

static __always_inline void *
memquota_arena_take(struct memquota_arena *arena, size_t size, size_t align,
		    bool ref)
{
	void *memory;

	if (likely(memquota_bump_aligns(align)) &&
	    memquota_bump_take(&arena->bump, size, align, ref, &memory))
		return memory;
	return __memquota_arena_alloc(arena, size, align, ref);
}

/*
 * Return the bump of this CPU and context. Softirqs have one of their own, so
 * disabling preemption is enough to own it.
 */
static __always_inline struct memquota_bump *
memquota_this_bump(struct memquota_arena *arena)
{
	return &this_cpu_ptr(arena->bumps)->bumps[!!in_serving_softirq()];
}

static __always_inline void *
memquota_arena_take_percpu(struct memquota_arena *arena, size_t size,
			   size_t align, bool ref)
{
	bool taken = false;
	void *memory;

	if (likely(memquota_bump_aligns(align))) {
		preempt_disable();
		taken = memquota_bump_take(memquota_this_bump(arena), size,
					   align, ref, &memory);
		preempt_enable();
	}
	return likely(taken) ? memory :
	       __memquota_arena_alloc(arena, size, align, ref);
}

/**
 * memquota_arena_alloc - allocate plain memory
 * @arena: the arena
 * @size: bytes
 * @align: what the address is a multiple of: a power of two, at most 32 KiB
 *
 * It lives until memquota_arena_reset() or memquota_arena_destroy().
 *
 * After an error the arena can be used as before, unless its account is closed
 * or its tracker destroyed or poisoned: then it is as after
 * memquota_arena_drop().
 *
 * Context: whatever the arena's gfp flags allow. With PREEMPT_RT only while
 * preemption and interrupts are on. The caller serialises, unless the arena is
 * per CPU (memquota_arena_alloc_percpu() is faster then).
 *
 * Return:
 * * the address of uninitialised memory
 * * %ZERO_SIZE_PTR - @size is 0
 * * ERR_PTR(-EINVAL) - @align is no power of two, or above %MEMQUOTA_ALIGN_MAX
 * * ERR_PTR(-EOVERFLOW) - @size is beyond what can be addressed, or the arena's
 *   counter would wrap
 * * ERR_PTR(-EDQUOT) - the arena's budget, or a hard limit of the quota, is
 *   exhausted
 * * ERR_PTR(-ETIME) - the limit was still exhausted after the arena's @wait
 * * ERR_PTR(-ESTALE) - the arena was dropped, or its account is closed
 * * ERR_PTR(-ESHUTDOWN) - its tracker was destroyed
 * * ERR_PTR(-ENOTRECOVERABLE) - its tracker is poisoned
 * * ERR_PTR(-EINTR) - a fatal signal came during the wait
 * * ERR_PTR(-ENOMEM) - the system has no memory
 */
static __always_inline void *
memquota_arena_alloc(struct memquota_arena *arena, size_t size, size_t align)
{
	return memquota_arena_take(arena, size, align, false);
}

/**
 * memquota_arena_alloc_ref - allocate memory with a reference
 * @arena: the arena
 * @size: bytes
 * @align: what the address is a multiple of: a power of two, at most 32 KiB
 *
 * It lives until memquota_ref_put(), also after the arena is gone. No atomic
 * operation is done while the current chunk has room.
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc().
 */
static __always_inline void *
memquota_arena_alloc_ref(struct memquota_arena *arena, size_t size,
			 size_t align)
{
	return memquota_arena_take(arena, size, align, true);
}

/**
 * memquota_arena_alloc_percpu - allocate plain memory from a per-CPU arena
 * @arena: the arena, made with %MEMQUOTA_ARENA_PERCPU
 * @size: bytes
 * @align: what the address is a multiple of: a power of two, at most 32 KiB
 *
 * Context: process and softirq, on all CPUs at once; not hard interrupts. The
 * caller serialises it against memquota_arena_reset() and
 * memquota_arena_destroy().
 *
 * Return: as memquota_arena_alloc().
 */
static __always_inline void *
memquota_arena_alloc_percpu(struct memquota_arena *arena, size_t size,
			    size_t align)
{
	return memquota_arena_take_percpu(arena, size, align, false);
}

/**
 * memquota_arena_alloc_ref_percpu - allocate with a reference, per CPU
 * @arena: the arena, made with %MEMQUOTA_ARENA_PERCPU
 * @size: bytes
 * @align: what the address is a multiple of: a power of two, at most 32 KiB
 *
 * Context: as memquota_arena_alloc_percpu().
 *
 * Return: as memquota_arena_alloc_ref().
 */
static __always_inline void *
memquota_arena_alloc_ref_percpu(struct memquota_arena *arena, size_t size,
				size_t align)
{
	return memquota_arena_take_percpu(arena, size, align, true);
}

/**
 * memquota_arena_realloc - grow plain memory
 * @arena: the arena
 * @old: the memory, or NULL or %ZERO_SIZE_PTR to allocate
 * @old_size: its size in bytes
 * @new_size: the wanted size in bytes; a smaller one changes nothing
 * @align: as for memquota_arena_alloc(), and as @old was allocated
 *
 * The last allocation grows in place while its chunk has room. Any other moves,
 * and its old bytes are lost until the arena is reset.
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: the memory, moved or not; or an ERR_PTR() as from
 * memquota_arena_alloc(), with @old untouched.
 */
static inline void *memquota_arena_realloc(struct memquota_arena *arena,
					   void *old, size_t old_size,
					   size_t new_size, size_t align)
{
	return __memquota_arena_realloc(arena, old, old_size, new_size, align,
					false);
}

/**
 * memquota_arena_realloc_ref - grow memory with a reference
 * @arena: the arena that it is from
 * @old: the memory, to which the caller has the only reference; or NULL or
 *	%ZERO_SIZE_PTR to allocate
 * @old_size: its size in bytes
 * @new_size: the wanted size in bytes; a smaller one changes nothing
 * @align: as for memquota_arena_alloc(), and as @old was allocated
 *
 * As memquota_arena_realloc(); if the memory moves, the old reference is put.
 *
 * Context: as memquota_arena_realloc().
 *
 * Return: as memquota_arena_realloc().
 */
static inline void *memquota_arena_realloc_ref(struct memquota_arena *arena,
					       void *old, size_t old_size,
					       size_t new_size, size_t align)
{
	return __memquota_arena_realloc(arena, old, old_size, new_size, align,
					true);
}

static inline void *__memquota_zeroed(void *memory, size_t size)
{
	if (!IS_ERR(memory) && !ZERO_OR_NULL_PTR(memory))
		memset(memory, 0, size);
	return memory;
}

/**
 * memquota_arena_zalloc - allocate zeroed plain memory
 * @arena: the arena
 * @size: bytes
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc().
 */
static inline void *memquota_arena_zalloc(struct memquota_arena *arena,
					  size_t size, size_t align)
{
	return __memquota_zeroed(memquota_arena_alloc(arena, size, align), size);
}

/**
 * memquota_arena_zalloc_ref - allocate zeroed memory with a reference
 * @arena: the arena
 * @size: bytes
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc_ref().
 *
 * Return: as memquota_arena_alloc_ref().
 */
static inline void *memquota_arena_zalloc_ref(struct memquota_arena *arena,
					      size_t size, size_t align)
{
	return __memquota_zeroed(memquota_arena_alloc_ref(arena, size, align),
				 size);
}

/**
 * memquota_arena_alloc_array - allocate plain memory for an array
 * @arena: the arena
 * @n: number of elements
 * @size: bytes of each element
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc(); %-EOVERFLOW also if the product of @n and
 * @size overflows.
 */
static inline void *memquota_arena_alloc_array(struct memquota_arena *arena,
					       size_t n, size_t size,
					       size_t align)
{
	return memquota_arena_alloc(arena, size_mul(n, size), align);
}

/**
 * memquota_arena_alloc_array_ref - allocate an array with a reference
 * @arena: the arena
 * @n: number of elements
 * @size: bytes of each element
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc_ref().
 *
 * Return: as memquota_arena_alloc_ref(); %-EOVERFLOW also if the product of @n
 * and @size overflows.
 */
static inline void *
memquota_arena_alloc_array_ref(struct memquota_arena *arena, size_t n,
			       size_t size, size_t align)
{
	return memquota_arena_alloc_ref(arena, size_mul(n, size), align);
}

static inline void *__memquota_arena_memdup(struct memquota_arena *arena,
					    const void *src, size_t size,
					    size_t align, bool ref)
{
	void *copy = __memquota_arena_alloc(arena, size, align, ref);

	if (!IS_ERR(copy) && !ZERO_OR_NULL_PTR(copy))
		memcpy(copy, src, size);
	return copy;
}

/**
 * memquota_arena_memdup - copy memory to plain memory
 * @arena: the arena
 * @src: the memory to copy
 * @size: bytes to copy
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc().
 */
static inline void *memquota_arena_memdup(struct memquota_arena *arena,
					  const void *src, size_t size,
					  size_t align)
{
	return __memquota_arena_memdup(arena, src, size, align, false);
}

/**
 * memquota_arena_memdup_ref - copy memory, with a reference
 * @arena: the arena
 * @src: the memory to copy
 * @size: bytes to copy
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc_ref().
 *
 * Return: as memquota_arena_alloc_ref().
 */
static inline void *memquota_arena_memdup_ref(struct memquota_arena *arena,
					      const void *src, size_t size,
					      size_t align)
{
	return __memquota_arena_memdup(arena, src, size, align, true);
}

/**
 * memquota_arena_strdup - copy a string to plain memory
 * @arena: the arena
 * @s: the string; if NULL, the result is NULL
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc().
 */
static inline char *memquota_arena_strdup(struct memquota_arena *arena,
					  const char *s)
{
	return s ? memquota_arena_memdup(arena, s, strlen(s) + 1, 1) : NULL;
}

/**
 * memquota_arena_strdup_ref - copy a string, with a reference
 * @arena: the arena
 * @s: the string; if NULL, the result is NULL
 *
 * Context: as memquota_arena_alloc_ref().
 *
 * Return: as memquota_arena_alloc_ref().
 */
static inline char *memquota_arena_strdup_ref(struct memquota_arena *arena,
					      const char *s)
{
	return s ? memquota_arena_memdup_ref(arena, s, strlen(s) + 1, 1) : NULL;
}

/**
 * memquota_arena_asprintf - format a string in plain memory
 * @arena: the arena
 * @fmt: printf format, and its arguments
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc().
 */
#define memquota_arena_asprintf(arena, fmt, ...)			\
	__memquota_arena_asprintf(arena, false, fmt, ##__VA_ARGS__)

/**
 * memquota_arena_asprintf_ref - format a string, with a reference
 * @arena: the arena
 * @fmt: printf format, and its arguments
 *
 * Context: as memquota_arena_alloc_ref().
 *
 * Return: as memquota_arena_alloc_ref().
 */
#define memquota_arena_asprintf_ref(arena, fmt, ...)			\
	__memquota_arena_asprintf(arena, true, fmt, ##__VA_ARGS__)

#endif /* _MEMQUOTA_ARENA_H */
