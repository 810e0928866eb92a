/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Range allocators: allocate parts of one contiguous range of offsets, in
 * memory that memquota neither maps nor accesses: a device's, a shared mapping,
 * a file.
 *
 * Offsets are 32 bits wide and multiples of MEMQUOTA_RANGE_UNIT; 0 stands for
 * no block. The owner serialises all calls for a range. Blocks are allocated
 * from the front of one free block, the bump region. When that is too short,
 * the shortest free block that is long enough becomes the bump region (rule
 * F2).
 */
#ifndef _MEMQUOTA_RANGE_H
#define _MEMQUOTA_RANGE_H

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <memquota/participant.h>

/* In bytes: the granularity of block offsets and lengths. */
#define MEMQUOTA_RANGE_UNIT	16U

/*
 * Free blocks of up to MEMQUOTA_RANGE_EXACT units have a bin for each length.
 * Longer ones share a bin with all lengths above the same power of two.
 */
#define MEMQUOTA_RANGE_EXACT	64
#define MEMQUOTA_RANGE_BINS	(MEMQUOTA_RANGE_EXACT + 22)

/* A free block, in units. Only the bump region can be empty. */
struct memquota_block {
	struct rb_node by_offset;
	union {
		struct rb_node by_length;	/* in a bin; not the bump region */
		struct memquota_block *spare;	/* next spare record */
	};
	u64 key;		/* in a bin: length in bits 63-32, then start */
	u32 start;
	u32 end;
};

/**
 * struct memquota_range - embedded in the object that owns the range
 * @bump: the bump region; the trees point to it, so the range must not be moved
 * @below: end of the last free block below the bump region, in units; 0 if
 *	there is none
 * @credit: number of allocations that need no further record, 0 to 127: one
 *	step beyond either end makes it negative
 * @blocks: all free blocks by offset
 * @spare: list of unused records
 * @capacity_bytes: sum of all additions in bytes; the owner may read it
 * @participant: the participant that the capacity is charged to, or NULL
 * @gfp: flags for record allocations and charges
 * @filled: a bit for each bin that is not empty
 * @bins: free blocks except the bump region, by length, then offset
 *
 * The owner's serialisation protects all fields.
 */
struct memquota_range {
	struct memquota_block bump;
	u32 below;
	s8 credit;
	struct rb_root blocks;
	struct memquota_block *spare;
	size_t capacity_bytes;
	struct memquota_participant *participant;
	gfp_t gfp;
	DECLARE_BITMAP(filled, MEMQUOTA_RANGE_BINS);
	struct rb_root_cached bins[MEMQUOTA_RANGE_BINS];
};

void memquota_range_init(struct memquota_range *range,
			 struct memquota_participant *participant, gfp_t gfp);
void memquota_range_destroy(struct memquota_range *range);
int __must_check memquota_range_add(struct memquota_range *range, size_t bytes);
bool memquota_range_next_free(const struct memquota_range *range, u32 *offset,
			      u32 *size);

int __memquota_range_alloc(struct memquota_range *range, u32 units, u32 align,
			   u32 *offset);
void __memquota_range_free(struct memquota_range *range, u32 start, u32 units);

#ifdef CONFIG_MEMQUOTA_DEBUG
const char *memquota_range_check(const struct memquota_range *range);
void memquota_debug_range(const struct memquota_range *range);
bool memquota_debug_range_free(const struct memquota_range *range, u32 offset,
			       u32 size);
#else
static inline void memquota_debug_range(const struct memquota_range *range)
{
}

static inline bool memquota_debug_range_free(const struct memquota_range *range,
					     u32 offset, u32 size)
{
	return true;
}
#endif

/* Convert bytes to units, at most 2^28. 64 bits, so the sum cannot wrap. */
static __always_inline u32 memquota_range_units(u32 size)
{
	return ((u64)size + MEMQUOTA_RANGE_UNIT - 1) / MEMQUOTA_RANGE_UNIT;
}

static __always_inline bool memquota_range_can_align(u32 align)
{
	return align <= MEMQUOTA_RANGE_UNIT && is_power_of_2(align);
}

/**
 * memquota_range_alloc - allocate a block of the range
 * @range: the range
 * @size: size of the block in bytes; rounded up to %MEMQUOTA_RANGE_UNIT
 * @align: alignment in bytes, a power of two up to %MEMQUOTA_RANGE_UNIT. Every
 *	block is aligned to %MEMQUOTA_RANGE_UNIT; a larger @align is refused.
 * @offset: set to the block's offset in bytes: a multiple of
 *	%MEMQUOTA_RANGE_UNIT, never 0. The block is the caller's until
 *	memquota_range_free() or memquota_range_destroy().
 *
 * Each allocated block needs a record, for its free not to fail. Records are
 * allocated in batches and reused, so an allocation rarely needs memory.
 *
 * Context: any but NMI that the range's gfp flags allow; the caller
 * serialises.
 *
 * Return: (after an error, nothing has changed)
 * * 0 - allocated
 * * %-EINVAL - @size is 0, or @align is no power of two or too large
 * * %-ENOSPC - no free block is long enough
 * * %-ENOMEM - the record that freeing needs cannot be allocated
 */
static __always_inline int __must_check
memquota_range_alloc(struct memquota_range *range, u32 size, u32 align,
		     u32 *offset)
{
	struct memquota_block *bump = &range->bump;
	u32 units = memquota_range_units(size);
	u32 start = bump->start;

	/* A size of 0 wraps to more than any block has. */
	if (unlikely(units - 1 >= bump->end - start) ||
	    unlikely(!memquota_range_can_align(align)))
		return __memquota_range_alloc(range, units, align, offset);
	if (unlikely(--range->credit < 0)) {
		range->credit = 0;
		return __memquota_range_alloc(range, units, align, offset);
	}
	bump->start = start + units;
	*offset = start * MEMQUOTA_RANGE_UNIT;
	memquota_debug_range(range);
	return 0;
}

/**
 * memquota_range_free - free a block
 * @range: the range
 * @offset: the block's offset in bytes, from memquota_range_alloc()
 * @size: the size in bytes that it was allocated with
 *
 * Never fails and allocates nothing; it may free surplus records. The block
 * merges with free neighbours. Debug builds warn of a block that is not
 * allocated, and then change nothing.
 *
 * Context: any that kfree() is allowed in; the caller serialises.
 */
static __always_inline void
memquota_range_free(struct memquota_range *range, u32 offset, u32 size)
{
	struct memquota_block *bump = &range->bump;
	u32 start = offset / MEMQUOTA_RANGE_UNIT;
	u32 units = memquota_range_units(size);

	if (!memquota_debug_range_free(range, offset, size))
		return;
	/* The block touches the bump region, and no free block below. */
	if (unlikely(start + units != bump->start) ||
	    unlikely(start <= range->below)) {
		__memquota_range_free(range, start, units);
		return;
	}
	if (unlikely(++range->credit < 0)) {
		range->credit = S8_MAX;
		__memquota_range_free(range, start, units);
		return;
	}
	bump->start = start;
	memquota_debug_range(range);
}

#endif /* _MEMQUOTA_RANGE_H */
