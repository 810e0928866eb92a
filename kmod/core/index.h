/* SPDX-License-Identifier: GPL-2.0 */
/* The arrival index: records in the order in which their oldest data arrived. */
#ifndef _MEMQUOTA_INDEX_H
#define _MEMQUOTA_INDEX_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>

struct memquota_record;
struct memquota_tracker;

/**
 * enum memquota_index_state - where a record stands in the index
 * @INDEX_NONE: it holds nothing, or is being asked
 * @INDEX_IN_TREE: it is in the tree
 * @INDEX_PASSED_OVER: it has no data or is busy, and is not asked in this run
 */
enum memquota_index_state {
	INDEX_NONE,
	INDEX_IN_TREE,
	INDEX_PASSED_OVER,
};

/**
 * struct memquota_index - the index of a tracker
 * @lock: protects the rest, and the entries
 * @tree: entries by @key_ns
 * @without_data: entries of participants that said that they have no data
 * @busy: entries of busy participants, the first to be asked again in front
 * @busy_left: the present run asks only some of them; the worker's own
 */
struct memquota_index {
	raw_spinlock_t lock;
	struct rb_root_cached tree;
	struct list_head without_data;
	struct list_head busy;
	bool busy_left;
};

/**
 * struct memquota_index_entry - a record's part of the index; index->lock
 * @node: in the tree
 * @passed_over: in the list of those without data, or of the busy ones
 * @key_ns: what the tree is ordered by; never above the record's arrival
 * @looked_run: the run in which @key_ns was last corrected
 * @state: enum memquota_index_state
 *
 * The worker reads @key_ns of a record that it found in the tree without the
 * lock. Beside the worker, memquota_index_insert() writes it, but not while
 * RECORD_INDEXED is set, which only the worker clears; and
 * memquota_index_look_first() lowers it to 0.
 */
struct memquota_index_entry {
	union {
		struct rb_node node;
		struct list_head passed_over;
	};
	u64 key_ns;
	u32 looked_run;
	u8 state;
};

void memquota_index_setup(struct memquota_index *index);
void memquota_index_insert(struct memquota_record *r);
void memquota_index_look_first(struct memquota_record *r);
void memquota_index_remove(struct memquota_record *r);
bool memquota_index_remove_if_empty(struct memquota_record *r);
void memquota_index_take(struct memquota_record *r);
void memquota_index_put(struct memquota_record *r);
void memquota_index_pass_over(struct memquota_record *r, bool busy);
void memquota_index_correct(struct memquota_tracker *t,
			    struct memquota_record **records, const u64 *ns,
			    unsigned int nr);
void memquota_index_restore(struct memquota_tracker *t);

#endif /* _MEMQUOTA_INDEX_H */
