/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Range allocators: hand out parts of one contiguous range of offsets, in
 * memory that memquota neither maps nor touches: a device's, a shared mapping,
 * a file.
 *
 * Offsets are 32 bits wide and multiples of MEMQUOTA_RANGE_UNIT; 0 is none. The
 * owner serialises all calls for a range. Blocks are handed out from the front
 * of one free block, the bump region; when it is too short, the smallest free
 * block that is long enough takes its place (rule F2).
 */
#ifndef _MEMQUOTA_RANGE_H
#define _MEMQUOTA_RANGE_H

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <memquota/participant.h>

/* Bytes: blocks start at multiples of it, and their lengths are rounded up. */
#define MEMQUOTA_RANGE_UNIT	16U

/*
 * Free blocks of up to so many units have a bin for each length; longer ones
 * have a bin for each power of two that the length is above.
 */
#define MEMQUOTA_RANGE_EXACT	64
#define MEMQUOTA_RANGE_BINS	(MEMQUOTA_RANGE_EXACT + 22)

/* A free block, in units. The bump region is one, and alone can be empty. */
struct memquota_block {
	struct rb_node by_offset;
	union {
		struct rb_node by_length;	/* in a bin; not the bump region */
		struct memquota_block *spare;	/* next one set aside */
	};
	u64 key;		/* in a bin: length above, start below */
	u32 start;
	u32 end;
};

/**
 * struct memquota_range - embedded in the object that owns the range
 * @bump: the bump region; the range stays where it was initialised
 * @below: where the last free block below the bump region ends, in units; 0 if
 *	there is none
 * @credit: how many more allocations the records will do for, 0 to 127: one
 *	step beyond either end makes it negative
 * @blocks: all free blocks by offset
 * @spare: records that are set aside
 * @capacity_bytes: what was added in all; the owner may read it
 * @participant: the participant that the capacity is charged to, or NULL
 * @gfp: what allocations of records and charges may do
 * @filled: which bins are not empty
 * @bins: free blocks but the bump region, by length and, among equals, offset
 *
 * Whatever the owner serialises its calls with protects all of it.
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
const char *memquota_range_check(const struct memquota_range *range);

int __memquota_range_set_aside(struct memquota_range *range);
void __memquota_range_give_back(struct memquota_range *range);
int __memquota_range_alloc(struct memquota_range *range, u32 units, u32 align,
			   u32 *offset);
void __memquota_range_free(struct memquota_range *range, u32 start, u32 units);

#ifdef CONFIG_MEMQUOTA_DEBUG
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

/* Without wrapping: at most 2^28. */
static __always_inline u32 memquota_range_units(u32 size)
{
	return ((u64)size + MEMQUOTA_RANGE_UNIT - 1) / MEMQUOTA_RANGE_UNIT;
}

static __always_inline bool memquota_range_can_align(u32 align)
{
	return align <= MEMQUOTA_RANGE_UNIT && is_power_of_2(align);
}

/* So that freeing what is about to be allocated finds its record. */
static __always_inline int
memquota_range_take_credit(struct memquota_range *range)
{
	if (unlikely(--range->credit < 0))
		return __memquota_range_set_aside(range);
	return 0;
}

static __always_inline void
memquota_range_return_credit(struct memquota_range *range)
{
	if (unlikely(++range->credit < 0))
		__memquota_range_give_back(range);
}

/**
 * memquota_range_alloc - take a block out of the range
 * @range: the range
 * @size: its size in bytes; rounded up to %MEMQUOTA_RANGE_UNIT
 * @align: its alignment in bytes, a power of two up to %MEMQUOTA_RANGE_UNIT.
 *	Every block has the largest; this is for callers who must be told if it
 *	is not enough.
 * @offset: where the block's offset goes: a multiple of %MEMQUOTA_RANGE_UNIT,
 *	never 0
 *
 * Records are allocated, many at a time, only where there were never as many
 * blocks before, or far fewer since then.
 *
 * Context: any but NMI that the range's gfp flags allow; the caller
 * serialises.
 *
 * Return: 0, or, with nothing changed,
 * -EINVAL: @size is 0, or @align is no power of two or too large;
 * -ENOSPC: no free block is long enough;
 * -ENOMEM: the record that freeing will need cannot be set aside.
 */
static __always_inline int __must_check
memquota_range_alloc(struct memquota_range *range, u32 size, u32 align,
		     u32 *offset)
{
	struct memquota_block *bump = &range->bump;
	u32 units = memquota_range_units(size);
	u32 start = bump->start;

	/* 0 - 1 is too long for any block. */
	if (unlikely(units - 1 >= bump->end - start) ||
	    unlikely(!memquota_range_can_align(align)))
		return __memquota_range_alloc(range, units, align, offset);
	if (memquota_range_take_credit(range))
		return -ENOMEM;
	bump->start = start + units;
	*offset = start * MEMQUOTA_RANGE_UNIT;
	memquota_debug_range(range);
	return 0;
}

/**
 * memquota_range_free - give a block back
 * @range: the range
 * @offset: its offset, from memquota_range_alloc()
 * @size: the size that it was allocated with
 *
 * Never fails and allocates nothing; records may be given back to the slab. The
 * block merges with what is free before and behind it. Debug builds warn of a
 * block that is not allocated, and change nothing then.
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
	/* Right before the bump region, and nothing free right before it. */
	if (unlikely(start + units != bump->start) ||
	    unlikely(start <= range->below)) {
		__memquota_range_free(range, start, units);
		return;
	}
	bump->start = start;
	memquota_range_return_credit(range);
	memquota_debug_range(range);
}

#endif /* _MEMQUOTA_RANGE_H */
