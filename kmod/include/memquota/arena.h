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
 *		put with memquota_ref_put(), by anybody, anywhere, also after
 *		the arena is gone.
 *
 * Both come from the same chunks and nothing is stored per object. A chunk
 * that served references only is used again as soon as the last of them is
 * put; one that served plain memory, when the arena is reset.
 *
 * An arena has one user at a time, who serialises; or it is made per CPU
 * (%MEMQUOTA_ARENA_PERCPU), and process and softirq context on all CPUs
 * allocate from it at once.
 *
 * Functions that return memory return an ERR_PTR() where they have none,
 * since there is more than one reason, and %ZERO_SIZE_PTR for nothing.
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

/* What a chunk needs for itself, in bytes. */
#define MEMQUOTA_CHUNK_HEADER	64

/* The largest alignment, in bytes. */
#define MEMQUOTA_ALIGN_MAX	SZ_32K

/**
 * struct memquota_bump - the current chunk of whoever allocates
 * @cursor: address of what has not been handed out
 * @limit: its end; aligned to %MEMQUOTA_CHUNK_MIN; 0, as @cursor, without a
 *	chunk
 * @refs_end: where the last reference ended; differs from @cursor for good
 *	once plain memory was handed out
 * @refs: references handed out
 *
 * The fields are memquota's.
 */
struct memquota_bump {
	unsigned long cursor;
	unsigned long limit;
	unsigned long refs_end;
	unsigned int refs;
};

/* For process context, and for softirqs that interrupt it. */
struct memquota_bump_cpu {
	struct memquota_bump bumps[2];
};

struct memquota_arena_core;

/**
 * struct memquota_arena - embedded in the object that uses it
 * @bump: its current chunk, unless it is per CPU
 * @bumps: the CPUs' current chunks, or NULL
 * @core: what outlives the arena as long as there are references
 *
 * The fields are memquota's.
 */
struct memquota_arena {
	struct memquota_bump bump;
	struct memquota_bump_cpu __percpu *bumps;
	struct memquota_arena_core *core;
};

/* For memquota_arena_config.flags: all CPUs allocate at once. */
#define MEMQUOTA_ARENA_PERCPU		BIT(0)
/* For memquota_arena_config.flags: not in an account of its own. */
#define MEMQUOTA_ARENA_IN_ACCOUNT	BIT(1)
/* For memquota_arena_config.flags: its memory is to be on a node. */
#define MEMQUOTA_ARENA_ON_NODE		BIT(2)

/**
 * struct memquota_arena_config - what an arena is to be
 * @account: holds its memory, if the flag says so; a null handle counts
 *	nothing. Else the arena has an account of its own, in the default
 *	tracker
 * @gfp: what taking chunks may do. With %GFP_ATOMIC an allocation never
 *	sleeps; with __GFP_ACCOUNT chunks are charged to memcg, and are no
 *	smaller than a page, since that is what memcg counts
 * @flags: %MEMQUOTA_ARENA_PERCPU, %MEMQUOTA_ARENA_IN_ACCOUNT,
 *	%MEMQUOTA_ARENA_ON_NODE
 * @node: NUMA node that chunks are to be on, if the flag says so; else
 *	the one of whoever allocates
 * @budget_bytes: the most that all its chunks together may be, those that
 *	it caches included; 0: no such limit
 * @max_normal_alloc: larger allocations, in bytes, get a chunk of their own
 *	unless the current one has room; 0: 16 KiB
 * @wait: jiffies that an allocation which may sleep waits at a hard limit of
 *	the quota (rule T10); 0: it fails at once. For some allocations only:
 *	memquota_arena_alloc_ref_wait()
 * @collapse: atomic callback, for an arena of which everything can be given
 *	up: once it was called the account closes. It may lock the arena,
 *	reset it, or tell its owner; memquota_arena_drop() will do where the
 *	owner notices by -ESTALE. NULL: reclaim takes only what the arena
 *	caches
 * @oldest: atomic callback that says when the oldest data arrived, on
 *	CLOCK_MONOTONIC_COARSE in ns, or %MEMQUOTA_NO_DATA; NULL: when the
 *	oldest chunk in use became current
 *
 * Callbacks are called as those of struct memquota_ops are, and not after
 * memquota_arena_destroy() has returned. In an account with other participants
 * they may come before memquota_arena_init() has returned.
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
 * struct memquota_arena_counts - how much an arena did
 * @chunks: chunks of a size class taken from the system
 * @one_shots: chunks taken for a single allocation
 * @cache_hits: chunks that were used again instead
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
 * @held_bytes: its chunks, those that it caches and those that only
 *	references hold included
 * @wasted_bytes: ends of chunks in use, the current ones included, that no
 *	allocation has
 * @ever: since it was created
 * @since_reset: since it was last reset
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
void *__memquota_arena_memdup(struct memquota_arena *arena, const void *src,
			      size_t size, size_t align, bool ref);
void *memquota_arena_alloc_ref_wait(struct memquota_arena *arena, size_t size,
				    size_t align, long timeout);
void memquota_ref_get(const void *memory);
void memquota_ref_put(const void *memory);

/**
 * memquota_arena_init - make an arena
 * @arena: the arena, whatever it contains
 * @config: what it is to be; copied
 * @fmt: printf format of the name that people will read, and its arguments
 *
 * Nothing but bookkeeping is allocated before the first allocation.
 *
 * Context: as @config's gfp flags say; one per CPU may sleep.
 *
 * Return: 0, or
 * -EINVAL: unknown flags, a node that is not online, a negative @wait, or gfp
 * flags that ask for memory of a zone, or for zeroed or compound memory;
 * -ENOMEM: out of memory;
 * and what memquota_account_create() and memquota_join_account() return.
 */
#define memquota_arena_init(arena, config, fmt, ...)			\
	__memquota_arena_init(arena, config, THIS_MODULE, fmt, ##__VA_ARGS__)

/*
 * Memory at the cursor, if it has that much. @align is a power of two and no
 * more than MEMQUOTA_CHUNK_MIN, so that aligning never goes past the limit; one
 * unsigned comparison then refuses what is too large, what would wrap, and
 * nothing. Whether there is memory is said apart from where it is: the compiler
 * does not know by itself that no chunk is at NULL, and would look again.
 * Neither is one where errors are; it is told, so that a caller's IS_ERR()
 * costs nothing where the cursor had memory.
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
 * The CPU's own current chunk. Softirqs have one apart from that of whom they
 * interrupt, so that switching preemption off keeps everybody else away.
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
 * memquota_arena_alloc - plain memory
 * @arena: the arena
 * @size: bytes
 * @align: what its address is a multiple of: a power of two, 32 KiB at most
 *
 * It lives until memquota_arena_reset() or memquota_arena_destroy().
 *
 * Context: whatever the arena's gfp flags allow. The caller serialises, unless
 * the arena is per CPU (see memquota_arena_alloc_percpu(), which is faster
 * then).
 *
 * Return: uninitialised memory; %ZERO_SIZE_PTR if @size is 0; or an ERR_PTR():
 * -EINVAL: @align is no power of two, or above %MEMQUOTA_ALIGN_MAX;
 * -EOVERFLOW: @size is beyond what can be addressed, or the arena's counter
 * would wrap;
 * -EDQUOT: the arena's budget, or a hard limit of the quota;
 * -ETIME: likewise, still so after the arena's @wait;
 * -ESTALE: it was dropped, or its account is closed;
 * -ESHUTDOWN, -ENOTRECOVERABLE: its tracker was destroyed, or is poisoned;
 * -EINTR: a fatal signal came while it waited;
 * -ENOMEM: the system has none.
 * The arena goes on in each case, but where its account is closed, or its
 * tracker at an end: then it is as after memquota_arena_drop().
 */
static __always_inline void *
memquota_arena_alloc(struct memquota_arena *arena, size_t size, size_t align)
{
	return memquota_arena_take(arena, size, align, false);
}

/**
 * memquota_arena_alloc_ref - memory with a life of its own
 * @arena: the arena
 * @size: bytes
 * @align: what its address is a multiple of: a power of two, 32 KiB at most
 *
 * It lives until memquota_ref_put(), however long the arena does. Nothing
 * atomic is done.
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
 * memquota_arena_alloc_percpu - plain memory of an arena that is per CPU
 * @arena: the arena, made with %MEMQUOTA_ARENA_PERCPU
 * @size: bytes
 * @align: what its address is a multiple of: a power of two, 32 KiB at most
 *
 * Context: process and softirq, on all CPUs at once; not hard interrupts. The
 * caller keeps memquota_arena_reset() and memquota_arena_destroy() apart from
 * it.
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
 * memquota_arena_alloc_ref_percpu - memory with a life of its own, per CPU
 * @arena: the arena, made with %MEMQUOTA_ARENA_PERCPU
 * @size: bytes
 * @align: what its address is a multiple of: a power of two, 32 KiB at most
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
 * memquota_arena_realloc - let plain memory grow
 * @arena: the arena
 * @old: what to grow; NULL or %ZERO_SIZE_PTR for nothing yet
 * @old_size: its size in bytes
 * @new_size: the size that it is to have; smaller ones change nothing
 * @align: as for memquota_arena_alloc(), and as @old was allocated
 *
 * What was allocated last grows in place while its chunk has room. All else
 * moves, and its old place is lost until the arena is reset.
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: the memory, wherever it is; or an ERR_PTR() as from
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
 * memquota_arena_realloc_ref - let a reference's memory grow
 * @arena: the arena that it is from
 * @old: what to grow, of which the caller has the only reference; NULL or
 *	%ZERO_SIZE_PTR for nothing yet
 * @old_size: its size in bytes
 * @new_size: the size that it is to have; smaller ones change nothing
 * @align: as for memquota_arena_alloc(), and as @old was allocated
 *
 * As memquota_arena_realloc(); where it moves, the old reference is put.
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
 * memquota_arena_zalloc - plain memory full of zeroes
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
 * memquota_arena_zalloc_ref - memory full of zeroes, with a life of its own
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
 * memquota_arena_alloc_array - plain memory for an array
 * @arena: the arena
 * @n: elements
 * @size: bytes of each
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc().
 *
 * Return: as memquota_arena_alloc(); -EOVERFLOW also if the product
 * of @n and @size is.
 */
static inline void *memquota_arena_alloc_array(struct memquota_arena *arena,
					       size_t n, size_t size,
					       size_t align)
{
	return memquota_arena_alloc(arena, size_mul(n, size), align);
}

/**
 * memquota_arena_alloc_array_ref - memory for an array, with a life of its own
 * @arena: the arena
 * @n: elements
 * @size: bytes of each
 * @align: as for memquota_arena_alloc()
 *
 * Context: as memquota_arena_alloc_ref().
 *
 * Return: as memquota_arena_alloc_ref(); -EOVERFLOW also if the
 * product of @n and @size is.
 */
static inline void *
memquota_arena_alloc_array_ref(struct memquota_arena *arena, size_t n,
			       size_t size, size_t align)
{
	return memquota_arena_alloc_ref(arena, size_mul(n, size), align);
}

/**
 * memquota_arena_memdup - a plain copy of memory
 * @arena: the arena
 * @src: what to copy
 * @size: its bytes
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
 * memquota_arena_memdup_ref - a copy of memory, with a life of its own
 * @arena: the arena
 * @src: what to copy
 * @size: its bytes
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
 * memquota_arena_strdup - a plain copy of a string
 * @arena: the arena
 * @s: the string; of NULL the copy is NULL
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
 * memquota_arena_strdup_ref - a copy of a string, with a life of its own
 * @arena: the arena
 * @s: the string; of NULL the copy is NULL
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

__printf(2, 3) char *memquota_arena_asprintf(struct memquota_arena *arena,
					     const char *fmt, ...);
__printf(2, 3) char *memquota_arena_asprintf_ref(struct memquota_arena *arena,
						 const char *fmt, ...);

#endif /* _MEMQUOTA_ARENA_H */
