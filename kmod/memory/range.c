// SPDX-License-Identifier: GPL-2.0
/*
 * Range allocators: parts of one contiguous range of offsets.
 *
 * Free blocks are in a tree by offset, the bump region among them, so that one
 * descent finds what a freed block touches on either side, and whether that is
 * the bump region makes no difference. No two free blocks touch. All but the
 * bump region are also in bins by length: one for each short length, and one
 * for each power of two above. A bin is a tree ordered by length and then
 * offset, so that the first that fits in the first bin that has one is the
 * smallest, and among equals the lowest.
 *
 * Freeing must not fail, so the records are there before it. Between n blocks
 * that are allocated, before them and behind, are n + 1 places for free blocks
 * that do not touch. One is the bump region's, even if it is empty, and that has
 * its record in the range: n others always do. What is set aside beyond them is
 * the credit: each allocation takes one of it, each free returns one.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <memquota/range.h>
#include "range.h"

/* Records that are allocated at a time. */
#define BATCH			16

/* What is left of the credit when there is too much. */
#define CREDIT_KEPT		(S8_MAX / 2)

/* 32 bits address so many. */
#define MAX_UNITS		((1ULL << 32) / MEMQUOTA_RANGE_UNIT)

static struct kmem_cache *block_cache;

static struct memquota_block *by_offset(struct rb_node *node)
{
	return rb_entry_safe(node, struct memquota_block, by_offset);
}

static struct memquota_block *by_length(struct rb_node *node)
{
	return rb_entry_safe(node, struct memquota_block, by_length);
}

/* Where the range ends that can be handed out, and it starts at unit 1. */
static u32 range_end(const struct memquota_range *range)
{
	return clamp_t(u64, range->capacity_bytes / MEMQUOTA_RANGE_UNIT, 1,
		       MAX_UNITS);
}

static unsigned int bin_of(u32 units)
{
	if (units <= MEMQUOTA_RANGE_EXACT)
		return units - 1;
	return MEMQUOTA_RANGE_EXACT + ilog2(units - 1) -
	       ilog2(MEMQUOTA_RANGE_EXACT);
}

static u64 key_of(const struct memquota_block *b)
{
	return (u64)(b->end - b->start) << 32 | b->start;
}

static void put_in_bin(struct memquota_range *range, struct memquota_block *b)
{
	unsigned int n = bin_of(b->end - b->start);
	struct rb_root_cached *bin = &range->bins[n];
	struct rb_node **link = &bin->rb_root.rb_node, *parent = NULL;
	u64 key = key_of(b);
	bool first = true;

	while (*link) {
		parent = *link;
		if (key < by_length(parent)->key) {
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

/* By its key: its bounds may have changed since. */
static void take_from_bin(struct memquota_range *range,
			  struct memquota_block *b)
{
	unsigned int n = bin_of(b->key >> 32);
	struct rb_root_cached *bin = &range->bins[n];

	rb_erase_cached(&b->by_length, bin);
	if (RB_EMPTY_ROOT(&bin->rb_root))
		__clear_bit(n, range->filled);
}

/* The first block in the bin that is at least so long. */
static struct memquota_block *first_fit_in(struct rb_root_cached *bin,
					   u32 units)
{
	struct rb_node *node = bin->rb_root.rb_node;
	struct memquota_block *best = NULL, *b;

	while (node) {
		b = by_length(node);
		if (b->key >> 32 >= units) {
			best = b;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/* Of all but the bump region. */
static struct memquota_block *best_fit(struct memquota_range *range, u32 units)
{
	unsigned int n = bin_of(units);
	struct memquota_block *b;

	if (units > MEMQUOTA_RANGE_EXACT) {
		b = first_fit_in(&range->bins[n++], units);
		if (b)
			return b;
	}
	n = find_next_bit(range->filled, MEMQUOTA_RANGE_BINS, n);
	if (n >= MEMQUOTA_RANGE_BINS)
		return NULL;
	return by_length(rb_first_cached(&range->bins[n]));
}

static struct memquota_block *take_spare(struct memquota_range *range)
{
	struct memquota_block *b = range->spare;

	range->spare = b->spare;
	return b;
}

static void put_spare(struct memquota_range *range, struct memquota_block *b)
{
	b->spare = range->spare;
	range->spare = b;
}

/* The credit is one below 0. The bulk call wants interrupts on. */
int __memquota_range_set_aside(struct memquota_range *range)
{
	void *records[BATCH];
	unsigned int n = 0;

	if (irqs_disabled()) {
		records[0] = kmem_cache_alloc(block_cache, range->gfp);
		n = !!records[0];
	} else if (kmem_cache_alloc_bulk(block_cache, range->gfp, BATCH,
					 records)) {
		n = BATCH;
	}
	if (!n) {
		range->credit = 0;
		return -ENOMEM;
	}
	range->credit = n - 1;
	while (n)
		put_spare(range, records[--n]);
	return 0;
}
EXPORT_SYMBOL_GPL(__memquota_range_set_aside);

/* The credit is one above 127. At least as many records are spare. */
void __memquota_range_give_back(struct memquota_range *range)
{
	unsigned int n;

	for (n = S8_MAX + 1; n > CREDIT_KEPT; n--)
		kmem_cache_free(block_cache, take_spare(range));
	range->credit = n;
}
EXPORT_SYMBOL_GPL(__memquota_range_give_back);

static void note_below(struct memquota_range *range)
{
	struct memquota_block *b =
		by_offset(rb_prev(&range->bump.by_offset));

	range->below = b ? b->end : 0;
}

static void set_bounds(struct memquota_range *range, struct memquota_block *b,
		       u32 start, u32 end)
{
	if (b != &range->bump)
		take_from_bin(range, b);
	b->start = start;
	b->end = end;
	if (b != &range->bump)
		put_in_bin(range, b);
}

/* What was between them becomes free: the bump region, if it is one, remains. */
static void join(struct memquota_range *range, struct memquota_block *below,
		 struct memquota_block *above)
{
	struct memquota_block *stays = below, *goes = above;

	if (above == &range->bump)
		swap(stays, goes);
	take_from_bin(range, goes);
	rb_erase(&goes->by_offset, &range->blocks);
	put_spare(range, goes);
	set_bounds(range, stays, below->start, above->end);
}

static void insert(struct memquota_range *range, u32 start, u32 end,
		   struct rb_node *parent, struct rb_node **link)
{
	struct memquota_block *b = take_spare(range);

	b->start = start;
	b->end = end;
	rb_link_node(&b->by_offset, parent, link);
	rb_insert_color(&b->by_offset, &range->blocks);
	put_in_bin(range, b);
}

/*
 * What is from @start to before @end becomes free. It touches nothing, or makes
 * a neighbour longer, or two of them one.
 */
static void add_free(struct memquota_range *range, u32 start, u32 end)
{
	struct rb_node **link = &range->blocks.rb_node, *parent = NULL;
	struct memquota_block *below = NULL, *above = NULL, *b;

	while (*link) {
		parent = *link;
		b = by_offset(parent);
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
		join(range, below, above);
	else if (below)
		set_bounds(range, below, below->start, end);
	else if (above)
		set_bounds(range, above, start, above->end);
	else
		insert(range, start, end, parent, link);
	note_below(range);
}

/*
 * What is left of the bump region stays in its place under a record of its own,
 * and the bump region takes the place of @b.
 */
static void change_bump(struct memquota_range *range, struct memquota_block *b)
{
	struct memquota_block *bump = &range->bump, *left;

	take_from_bin(range, b);
	if (bump->start < bump->end) {
		left = take_spare(range);
		left->start = bump->start;
		left->end = bump->end;
		rb_replace_node(&bump->by_offset, &left->by_offset,
				&range->blocks);
		put_in_bin(range, left);
	} else {
		rb_erase(&bump->by_offset, &range->blocks);
	}
	bump->start = b->start;
	bump->end = b->end;
	rb_replace_node(&b->by_offset, &bump->by_offset, &range->blocks);
	put_spare(range, b);
	note_below(range);
}

int __memquota_range_alloc(struct memquota_range *range, u32 units, u32 align,
			   u32 *offset)
{
	struct memquota_block *b = &range->bump;

	if (!units || !memquota_range_can_align(align))
		return -EINVAL;
	if (units > b->end - b->start)
		b = best_fit(range, units);
	if (!b)
		return -ENOSPC;
	if (memquota_range_take_credit(range))
		return -ENOMEM;
	if (b != &range->bump)
		change_bump(range, b);
	*offset = range->bump.start * MEMQUOTA_RANGE_UNIT;
	range->bump.start += units;
	memquota_debug_range(range);
	return 0;
}
EXPORT_SYMBOL_GPL(__memquota_range_alloc);

void __memquota_range_free(struct memquota_range *range, u32 start, u32 units)
{
	add_free(range, start, start + units);
	memquota_range_return_credit(range);
	memquota_debug_range(range);
}
EXPORT_SYMBOL_GPL(__memquota_range_free);

/**
 * memquota_range_init - make a range allocator without capacity
 * @range: the range
 * @participant: whom the capacity is charged to; the caller's, and outlives
 *	the range. NULL: nothing is charged.
 * @gfp: what allocations of records may do, and whether charges may sleep, see
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
 * memquota_range_destroy - end a range allocator
 * @range: the range; afterwards it may be freed or initialised again
 *
 * Uncharges its capacity. Blocks that are still allocated are nobody's.
 *
 * Context: any that kfree() is allowed in.
 */
void memquota_range_destroy(struct memquota_range *range)
{
	struct memquota_block *b, *next;

	rb_erase(&range->bump.by_offset, &range->blocks);
	rbtree_postorder_for_each_entry_safe(b, next, &range->blocks, by_offset)
		kmem_cache_free(block_cache, b);
	while (range->spare)
		kmem_cache_free(block_cache, take_spare(range));
	if (range->participant)
		memquota_uncharge(range->participant, range->capacity_bytes);
	*range = (struct memquota_range) { };
}
EXPORT_SYMBOL_GPL(memquota_range_destroy);

/**
 * memquota_range_add - make the range longer
 * @range: the range
 * @bytes: by how much; what does not make a whole unit is kept for the next
 *	call
 *
 * The first unit is never handed out, since there is no offset 0, nor is what
 * 32 bits cannot address; both are counted and charged nevertheless.
 *
 * Context: any but NMI that the range's gfp flags allow; the caller
 * serialises.
 *
 * Return: 0, or, with nothing changed,
 * -EOVERFLOW: the capacity would wrap;
 * -EDQUOT, -ESTALE, -ESHUTDOWN, -ENOTRECOVERABLE, -EOVERFLOW: as
 * memquota_try_charge() says.
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
		add_free(range, start, end);
	memquota_debug_range(range);
	return 0;
}
EXPORT_SYMBOL_GPL(memquota_range_add);

/* The first free block that does not start before @start. */
static struct memquota_block *free_from(const struct memquota_range *range,
					u32 start)
{
	struct rb_node *node = range->blocks.rb_node;
	struct memquota_block *found = NULL, *b;

	while (node) {
		b = by_offset(node);
		if (b->start >= start) {
			found = b;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	/* Only the bump region can be empty. */
	if (found && found->start == found->end)
		found = by_offset(rb_next(&found->by_offset));
	return found;
}

/**
 * memquota_range_next_free - go through the free blocks by offset
 * @range: the range
 * @offset: of the block before, in bytes; becomes the next one's
 * @size: of the block before, in bytes; becomes the next one's
 *
 * Both are 0 to begin with. Nothing is kept between calls: what is allocated
 * and freed meanwhile does no harm.
 *
 * Context: any but NMI; the caller serialises.
 *
 * Return: whether there is one. If not, @offset and @size are unchanged.
 */
bool memquota_range_next_free(const struct memquota_range *range, u32 *offset,
			      u32 *size)
{
	struct memquota_block *b =
		free_from(range, *offset / MEMQUOTA_RANGE_UNIT +
				 *size / MEMQUOTA_RANGE_UNIT);

	if (!b)
		return false;
	*offset = b->start * MEMQUOTA_RANGE_UNIT;
	*size = (b->end - b->start) * MEMQUOTA_RANGE_UNIT;
	return true;
}
EXPORT_SYMBOL_GPL(memquota_range_next_free);

/* A block that is not the bump region is in its bin, under its key. */
static bool is_in_bin(const struct memquota_range *range,
		      const struct memquota_block *b)
{
	const struct rb_node *node =
		range->bins[bin_of(b->end - b->start)].rb_root.rb_node;
	u64 key = key_of(b);

	while (node && node != &b->by_length)
		node = key < by_length((struct rb_node *)node)->key ?
			node->rb_left : node->rb_right;
	return node && b->key == key;
}

static const char *check_block(const struct memquota_range *range,
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
	if (b != &range->bump && !is_in_bin(range, b))
		return "a free block is not in its bin";
	if (b == &range->bump && range->below != (before ? before->end : 0))
		return "what is below the bump region is not known";
	return NULL;
}

/* How many blocks the bins hold, or U32_MAX if they contradict themselves. */
static u32 count_bins(const struct memquota_range *range)
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
 * memquota_range_check - does the range contradict itself?
 * @range: the range
 *
 * Goes through all free blocks. Debug builds do so after each operation.
 *
 * Context: any but NMI; the caller serialises.
 *
 * Return: NULL, or what is wrong, for people to read.
 */
const char *memquota_range_check(const struct memquota_range *range)
{
	struct memquota_block *b, *before = NULL;
	u32 binned = 0, spare = 0, bumps = 0;
	const char *wrong;

	for (b = by_offset(rb_first(&range->blocks)); b;
	     b = by_offset(rb_next(&b->by_offset))) {
		wrong = check_block(range, b, before);
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
	if (count_bins(range) != binned)
		return "the bins do not agree with the free blocks";
	for (b = range->spare; b; b = b->spare)
		spare++;
	if (spare < range->credit)
		return "too few records are set aside";
	return NULL;
}
EXPORT_SYMBOL_GPL(memquota_range_check);

#ifdef CONFIG_MEMQUOTA_DEBUG
void memquota_debug_range(const struct memquota_range *range)
{
	const char *wrong = memquota_range_check(range);

	WARN(wrong, "memquota: range: %s\n", wrong);
}
EXPORT_SYMBOL_GPL(memquota_debug_range);

/* The last free block that starts before @end. */
static struct memquota_block *last_before(const struct memquota_range *range,
					  u32 end)
{
	struct rb_node *node = range->blocks.rb_node;
	struct memquota_block *found = NULL, *b;

	while (node) {
		b = by_offset(node);
		if (b->start < end) {
			found = b;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	return found;
}

/* Inside the range, and no part of it is free? */
static bool is_allocated(const struct memquota_range *range, u32 offset,
			 u32 size)
{
	u32 start = offset / MEMQUOTA_RANGE_UNIT;
	u32 end = start + memquota_range_units(size);
	struct memquota_block *b = last_before(range, end);

	return offset && size && offset % MEMQUOTA_RANGE_UNIT == 0 &&
	       end <= range_end(range) && (!b || b->end <= start);
}

bool memquota_debug_range_free(const struct memquota_range *range, u32 offset,
			       u32 size)
{
	return !WARN(!is_allocated(range, offset, size),
		     "memquota: range: freed %u bytes at %#x, which are not allocated\n",
		     size, offset);
}
EXPORT_SYMBOL_GPL(memquota_debug_range_free);
#endif

int memquota_ranges_init(void)
{
	BUILD_BUG_ON(CREDIT_KEPT < BATCH);
	block_cache = KMEM_CACHE(memquota_block, 0);
	return block_cache ? 0 : -ENOMEM;
}

void memquota_ranges_exit(void)
{
	kmem_cache_destroy(block_cache);
}
