// SPDX-License-Identifier: GPL-2.0
/*
 * Range allocators: allocate parts of one contiguous range of offsets.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <memquota/range.h>
#include "../core/compat.h"
#include "range.h"

/**
 * DOC: Free blocks and their records
 *
 * All free blocks are in a tree by offset, the bump region among them. One
 * descent finds both neighbours of a freed block, and the bump region needs no
 * separate test. No two free blocks touch.
 *
 * All free blocks except the bump region are also in bins by length: one bin
 * for each short length, and one for each power of two above. A bin is a tree
 * ordered by length and then offset. The first block that fits in the first
 * bin that has one is therefore the shortest, and of several as short the one
 * with the lowest offset.
 *
 * Freeing must not fail, so its record must exist before. n allocated blocks
 * leave at most n + 1 gaps for free blocks that do not touch. One gap is the
 * bump region's, whose record is part of the range even while it is empty; so
 * n records are enough for the others. The credit is the number of records
 * above n: each allocation takes one from it, each free returns one::
 *
 *	free blocks, bump region excluded + spare records
 *		== allocated blocks + credit
 */

/* Records that are allocated at a time. */
#define RANGE_BATCH		16

/* Credit that remains after a trim. */
#define RANGE_CREDIT_KEPT	(S8_MAX / 2)

/* Units that 32-bit offsets can address. */
#define RANGE_MAX_UNITS		((1ULL << 32) / MEMQUOTA_RANGE_UNIT)

static struct kmem_cache *block_cache;

static struct memquota_block *range_offset_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct memquota_block, by_offset);
}

static struct memquota_block *range_length_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct memquota_block, by_length);
}

/* Return the unit behind the last allocatable one; unit 1 is the first. */
static u32 range_end(const struct memquota_range *range)
{
	return clamp_t(u64, range->capacity_bytes / MEMQUOTA_RANGE_UNIT, 1,
		       RANGE_MAX_UNITS);
}

static unsigned int range_bin_index(u32 units)
{
	if (units <= MEMQUOTA_RANGE_EXACT)
		return units - 1;
	return MEMQUOTA_RANGE_EXACT + ilog2(units - 1) -
	       ilog2(MEMQUOTA_RANGE_EXACT);
}

static u64 range_block_key(const struct memquota_block *b)
{
	return (u64)(b->end - b->start) << 32 | b->start;
}

static void range_bin_insert(struct memquota_range *range,
			     struct memquota_block *b)
{
	unsigned int n = range_bin_index(b->end - b->start);
	struct rb_root_cached *bin = &range->bins[n];
	struct rb_node **link = &bin->rb_root.rb_node, *parent = NULL;
	u64 key = range_block_key(b);
	bool first = true;

	while (*link) {
		parent = *link;
		if (key < range_length_entry(parent)->key) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			first = false;
		}
	}
	b->key = key;
	rb_link_node(&b->by_length, parent, link);
	rb_insert_color_cached(&b->by_length, bin, first);
	__set_bit(n, range->filled);
}

/* Find the bin by @b's key: its bounds may have changed since the insertion. */
static void range_bin_remove(struct memquota_range *range,
			     struct memquota_block *b)
{
	unsigned int n = range_bin_index(b->key >> 32);
	struct rb_root_cached *bin = &range->bins[n];

	rb_erase_cached(&b->by_length, bin);
	if (RB_EMPTY_ROOT(&bin->rb_root))
		__clear_bit(n, range->filled);
}

/* Return the first block of the bin that has at least @units. */
static struct memquota_block *range_bin_find_fit(struct rb_root_cached *bin,
						 u32 units)
{
	struct rb_node *node = bin->rb_root.rb_node;
	struct memquota_block *best = NULL, *b;

	while (node) {
		b = range_length_entry(node);
		if (b->key >> 32 >= units) {
			best = b;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/* Return the shortest free block of at least @units, bump region excluded. */
static struct memquota_block *range_find_best_fit(struct memquota_range *range,
						  u32 units)
{
	unsigned int n = range_bin_index(units);
	struct memquota_block *b;

	if (units > MEMQUOTA_RANGE_EXACT) {
		b = range_bin_find_fit(&range->bins[n++], units);
		if (b)
			return b;
	}
	n = find_next_bit(range->filled, MEMQUOTA_RANGE_BINS, n);
	if (n >= MEMQUOTA_RANGE_BINS)
		return NULL;
	return range_length_entry(rb_first_cached(&range->bins[n]));
}

static struct memquota_block *range_pop_spare(struct memquota_range *range)
{
	struct memquota_block *b = range->spare;

	range->spare = b->spare;
	return b;
}

static void range_push_spare(struct memquota_range *range,
			     struct memquota_block *b)
{
	b->spare = range->spare;
	range->spare = b;
}

/* Allocate spare records. kmem_cache_alloc_bulk() needs interrupts enabled. */
static noinline int range_refill_spares(struct memquota_range *range)
{
	void *records[RANGE_BATCH];
	unsigned int n = 0;

	if (irqs_disabled()) {
		records[0] = kmem_cache_alloc(block_cache, range->gfp);
		n = !!records[0];
	} else if (kmem_cache_alloc_bulk(block_cache, range->gfp, RANGE_BATCH,
					 records)) {
		n = RANGE_BATCH;
	}
	if (!n) {
		range->credit = 0;
		return -ENOMEM;
	}
	range->credit = n - 1;
	while (n)
		range_push_spare(range, records[--n]);
	return 0;
}

/* Take the credit that freeing the block to be allocated will use. */
static int range_take_credit(struct memquota_range *range)
{
	if (unlikely(--range->credit < 0))
		return range_refill_spares(range);
	return 0;
}

/* Free spare records. The credit wrapped to 128: as many are spare at least. */
static noinline void range_trim_spares(struct memquota_range *range)
{
	unsigned int n;

	for (n = S8_MAX + 1; n > RANGE_CREDIT_KEPT; n--)
		kmem_cache_free(block_cache, range_pop_spare(range));
	range->credit = n;
}

static void range_return_credit(struct memquota_range *range)
{
	if (unlikely(++range->credit < 0))
		range_trim_spares(range);
}

static void range_update_below(struct memquota_range *range)
{
	struct memquota_block *b =
		range_offset_entry(rb_prev(&range->bump.by_offset));

	range->below = b ? b->end : 0;
}

static void range_resize_block(struct memquota_range *range,
			       struct memquota_block *b, u32 start, u32 end)
{
	if (b != &range->bump)
		range_bin_remove(range, b);
	b->start = start;
	b->end = end;
	if (b != &range->bump)
		range_bin_insert(range, b);
}

/*
 * Make one free block of two and the freed gap between them. If one of the two
 * is the bump region, its record remains.
 */
static void range_merge_blocks(struct memquota_range *range,
			       struct memquota_block *below,
			       struct memquota_block *above)
{
	struct memquota_block *stays = below, *goes = above;

	if (above == &range->bump)
		swap(stays, goes);
	range_bin_remove(range, goes);
	rb_erase(&goes->by_offset, &range->blocks);
	range_push_spare(range, goes);
	range_resize_block(range, stays, below->start, above->end);
}

static void range_insert_block(struct memquota_range *range, u32 start, u32 end,
			       struct rb_node *parent, struct rb_node **link)
{
	struct memquota_block *b = range_pop_spare(range);

	b->start = start;
	b->end = end;
	rb_link_node(&b->by_offset, parent, link);
	rb_insert_color(&b->by_offset, &range->blocks);
	range_bin_insert(range, b);
}

/* Add the units from @start to before @end, merging with both neighbours. */
static void range_add_free(struct memquota_range *range, u32 start, u32 end)
{
	struct rb_node **link = &range->blocks.rb_node, *parent = NULL;
	struct memquota_block *below = NULL, *above = NULL, *b;

	while (*link) {
		parent = *link;
		b = range_offset_entry(parent);
		if (start < b->start) {
			above = b;
			link = &parent->rb_left;
		} else {
			below = b;
			link = &parent->rb_right;
		}
	}
	if (below && below->end != start)
		below = NULL;
	if (above && above->start != end)
		above = NULL;
	if (below && above)
		range_merge_blocks(range, below, above);
	else if (below)
		range_resize_block(range, below, below->start, end);
	else if (above)
		range_resize_block(range, above, start, above->end);
	else
		range_insert_block(range, start, end, parent, link);
	range_update_below(range);
}

/*
 * Make @b the bump region. The rest of the old one becomes an ordinary free
 * block with a record of its own, and @b's record becomes spare.
 */
static void range_replace_bump(struct memquota_range *range,
			       struct memquota_block *b)
{
	struct memquota_block *bump = &range->bump, *left;

	range_bin_remove(range, b);
	if (bump->start < bump->end) {
		left = range_pop_spare(range);
		left->start = bump->start;
		left->end = bump->end;
		rb_replace_node(&bump->by_offset, &left->by_offset,
				&range->blocks);
		range_bin_insert(range, left);
	} else {
		rb_erase(&bump->by_offset, &range->blocks);
	}
	bump->start = b->start;
	bump->end = b->end;
	rb_replace_node(&b->by_offset, &bump->by_offset, &range->blocks);
	range_push_spare(range, b);
	range_update_below(range);
}

int __memquota_range_alloc(struct memquota_range *range, u32 units, u32 align,
			   u32 *offset)
{
	struct memquota_block *b = &range->bump;

	if (!units || !memquota_range_can_align(align))
		return -EINVAL;
	if (units > b->end - b->start)
		b = range_find_best_fit(range, units);
	if (!b)
		return -ENOSPC;
	if (range_take_credit(range))
		return -ENOMEM;
	if (b != &range->bump)
		range_replace_bump(range, b);
	*offset = range->bump.start * MEMQUOTA_RANGE_UNIT;
	range->bump.start += units;
	memquota_debug_range(range);
	return 0;
}
EXPORT_SYMBOL_GPL(__memquota_range_alloc);

void __memquota_range_free(struct memquota_range *range, u32 start, u32 units)
{
	range_add_free(range, start, start + units);
	range_return_credit(range);
	memquota_debug_range(range);
}
EXPORT_SYMBOL_GPL(__memquota_range_free);

/**
 * memquota_range_init - initialise a range allocator without capacity
 * @range: the range
 * @participant: the participant to charge the capacity to; the caller's, and
 *	must outlive the range. NULL: nothing is charged.
 * @gfp: flags for allocating records, and whether charges may sleep, see
 *	memquota_try_charge()
 *
 * Context: any.
 */
void memquota_range_init(struct memquota_range *range,
			 struct memquota_participant *participant, gfp_t gfp)
{
	*range = (struct memquota_range) {
		.bump = { .start = 1, .end = 1 },
		.participant = participant,
		.gfp = gfp,
	};
	rb_link_node(&range->bump.by_offset, NULL, &range->blocks.rb_node);
	rb_insert_color(&range->bump.by_offset, &range->blocks);
}
EXPORT_SYMBOL_GPL(memquota_range_init);

/**
 * memquota_range_destroy - destroy a range allocator
 * @range: the range; may be freed or initialised again afterwards
 *
 * Uncharges the capacity and frees all records. Offsets that are still
 * allocated become meaningless; they need not be freed before.
 *
 * Context: any that kfree() is allowed in; the caller serialises.
 */
void memquota_range_destroy(struct memquota_range *range)
{
	struct memquota_block *b, *next;

	rb_erase(&range->bump.by_offset, &range->blocks);
	rbtree_postorder_for_each_entry_safe(b, next, &range->blocks, by_offset)
		kmem_cache_free(block_cache, b);
	while (range->spare)
		kmem_cache_free(block_cache, range_pop_spare(range));
	if (range->participant)
		memquota_uncharge(range->participant, range->capacity_bytes);
	*range = (struct memquota_range) { };
}
EXPORT_SYMBOL_GPL(memquota_range_destroy);

/**
 * memquota_range_add - add capacity at the end of the range
 * @range: the range
 * @bytes: number of bytes to add; a remainder of less than a unit becomes
 *	allocatable once further calls complete the unit
 *
 * Charges @bytes to the range's participant. The first unit is never
 * allocated, since offset 0 stands for no block, nor is capacity above what 32
 * bits address; both are counted and charged nevertheless.
 *
 * Context: any but NMI that the range's gfp flags allow; the caller
 * serialises.
 *
 * Return: (after an error, nothing has changed)
 * * 0 - added
 * * %-EOVERFLOW - the participant would hold 2 TiB or more, or a sum would wrap
 * * %-EDQUOT - a hard limit would be exceeded
 * * %-ESTALE - the participant's account is closed, or it never joined
 * * %-ESHUTDOWN - the tracker was destroyed, or the participant has left
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 */
int memquota_range_add(struct memquota_range *range, size_t bytes)
{
	u32 start = range_end(range), end;
	size_t capacity;
	int err;

	if (check_add_overflow(range->capacity_bytes, bytes, &capacity))
		return -EOVERFLOW;
	if (range->participant) {
		err = memquota_try_charge(range->participant, bytes,
					  range->gfp);
		if (err)
			return err;
	}
	range->capacity_bytes = capacity;
	end = range_end(range);
	if (start < end)
		range_add_free(range, start, end);
	memquota_debug_range(range);
	return 0;
}
EXPORT_SYMBOL_GPL(memquota_range_add);

/* Return the first free block that starts at @start or above, even if empty. */
static struct memquota_block *
range_find_free_from(const struct memquota_range *range, u32 start)
{
	struct rb_node *node = range->blocks.rb_node;
	struct memquota_block *found = NULL, *b;

	while (node) {
		b = range_offset_entry(node);
		if (b->start >= start) {
			found = b;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/**
 * memquota_range_next_free - find the next free block by offset
 * @range: the range
 * @offset: the previous block's offset in bytes; replaced by the next one's
 * @size: the previous block's size in bytes; replaced by the next one's
 *
 * Start with both 0. The position is in @offset and @size alone, so blocks may
 * be allocated and freed between calls.
 *
 * Context: any but NMI; the caller serialises.
 *
 * Return: true if there is a next free block; otherwise false, with @offset
 * and @size unchanged.
 */
bool memquota_range_next_free(const struct memquota_range *range, u32 *offset,
			      u32 *size)
{
	struct memquota_block *b =
		range_find_free_from(range, *offset / MEMQUOTA_RANGE_UNIT +
					    *size / MEMQUOTA_RANGE_UNIT);

	/* Only the bump region can be empty. */
	if (b && b->start == b->end)
		b = range_offset_entry(rb_next(&b->by_offset));
	if (!b)
		return false;
	*offset = b->start * MEMQUOTA_RANGE_UNIT;
	*size = (b->end - b->start) * MEMQUOTA_RANGE_UNIT;
	return true;
}
EXPORT_SYMBOL_GPL(memquota_range_next_free);

#ifdef CONFIG_MEMQUOTA_DEBUG
/* Return whether @b is in the bin of its length, under its key. */
static bool range_bin_contains(const struct memquota_range *range,
			       const struct memquota_block *b)
{
	unsigned int n = range_bin_index(b->end - b->start);
	const struct rb_node *node = range->bins[n].rb_root.rb_node;
	u64 key = range_block_key(b);

	while (node && node != &b->by_length)
		node = key < range_length_entry((struct rb_node *)node)->key ?
			node->rb_left : node->rb_right;
	return node && b->key == key;
}

static const char *range_check_block(const struct memquota_range *range,
				     const struct memquota_block *b,
				     const struct memquota_block *before)
{
	if (b->start > b->end || (b->start == b->end && b != &range->bump))
		return "a free block is empty";
	if (b->start < 1 || b->end > range_end(range))
		return "a free block is out of bounds";
	if (before && b->start < before->end)
		return "free blocks overlap, or are out of order";
	if (before && b->start == before->end)
		return "free blocks touch";
	if (b != &range->bump && !range_bin_contains(range, b))
		return "a free block is not in its bin";
	if (b == &range->bump && range->below != (before ? before->end : 0))
		return "what is below the bump region is not known";
	return NULL;
}

/* Return the number of blocks in all bins, or U32_MAX if a bin is damaged. */
static u32 range_count_binned(const struct memquota_range *range)
{
	const struct rb_root_cached *bin;
	struct rb_node *node;
	u32 count = 0;
	unsigned int n;

	for (n = 0; n < MEMQUOTA_RANGE_BINS; n++) {
		bin = &range->bins[n];
		if (test_bit(n, range->filled) == RB_EMPTY_ROOT(&bin->rb_root) ||
		    rb_first_cached(bin) != rb_first(&bin->rb_root))
			return U32_MAX;
		for (node = rb_first_cached(bin); node; node = rb_next(node))
			count++;
	}
	return count;
}

/**
 * memquota_range_check - check all free blocks and bins for consistency
 * @range: the range
 *
 * In debug builds only, which call it after each operation.
 *
 * Context: any but NMI; the caller serialises.
 *
 * Return: NULL, or a string that describes the first inconsistency found.
 */
const char *memquota_range_check(const struct memquota_range *range)
{
	struct memquota_block *b, *before = NULL;
	u32 binned = 0, spare = 0, bumps = 0;
	const char *wrong;

	for (b = range_offset_entry(rb_first(&range->blocks)); b;
	     b = range_offset_entry(rb_next(&b->by_offset))) {
		wrong = range_check_block(range, b, before);
		if (wrong)
			return wrong;
		if (b == &range->bump)
			bumps++;
		else
			binned++;
		before = b;
	}
	if (bumps != 1)
		return "the bump region is not among the free blocks";
	if (range_count_binned(range) != binned)
		return "the bins do not agree with the free blocks";
	for (b = range->spare; b; b = b->spare)
		spare++;
	if (spare < range->credit)
		return "too few records are set aside";
	return NULL;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_range_check);

void memquota_debug_range(const struct memquota_range *range)
{
	const char *wrong = memquota_range_check(range);

	WARN(wrong, "memquota: range: %s\n", wrong);
}
EXPORT_SYMBOL_GPL(memquota_debug_range);

/* Return the last free block that starts before @end, even if empty. */
static struct memquota_block *
range_find_free_before(const struct memquota_range *range, u32 end)
{
	struct memquota_block *b = range_find_free_from(range, end);

	return range_offset_entry(b ? rb_prev(&b->by_offset) :
				      rb_last(&range->blocks));
}

/* Return whether the block is inside the range and no part of it is free. */
static bool range_is_allocated(const struct memquota_range *range, u32 offset,
			       u32 size)
{
	u32 start = offset / MEMQUOTA_RANGE_UNIT;
	u32 end = start + memquota_range_units(size);
	struct memquota_block *b = range_find_free_before(range, end);

	return offset && size && offset % MEMQUOTA_RANGE_UNIT == 0 &&
	       end <= range_end(range) && (!b || b->end <= start);
}

bool memquota_debug_range_free(const struct memquota_range *range, u32 offset,
			       u32 size)
{
	return !WARN(!range_is_allocated(range, offset, size),
		     "memquota: range: freed %u bytes at %#x, which are not allocated\n",
		     size, offset);
}
EXPORT_SYMBOL_GPL(memquota_debug_range_free);
#endif

int memquota_ranges_init(void)
{
	BUILD_BUG_ON(RANGE_CREDIT_KEPT < RANGE_BATCH);
	block_cache = KMEM_CACHE(memquota_block, 0);
	return block_cache ? 0 : -ENOMEM;
}

void memquota_ranges_exit(void)
{
	kmem_cache_destroy(block_cache);
}
