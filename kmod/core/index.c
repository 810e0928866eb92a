// SPDX-License-Identifier: GPL-2.0
/*
 * The arrival index of a tracker: a tree of the records that hold something.
 *
 * In a queue the arrival of the head only moves forward. A record's key in the
 * tree is therefore never above its arrival, and need not be kept up to date:
 * victim.c corrects the leftmost entries when a victim is wanted.
 *
 * A charge inserts a record when it finds, at a miss, that RECORD_INDEXED is
 * not set. memquota_index_remove_if_empty() clears that bit in the same atomic
 * operation that finds the record empty. So either it sees the charge's bytes,
 * or the charge sees the bit missing.
 *
 * No insertion undoes a removal. memquota_index_insert() sets RECORD_INDEXED
 * under index->lock, and inserts nothing if the word says that the record has
 * left, or if the account is closed. If the bit was set before RECORD_LEFT,
 * memquota_record_retire() returns it, and memquota_leave() removes the entry
 * under index->lock. The reaper takes that lock after the account was closed:
 * it removes an earlier insertion, and a later one fails.
 */
#include <linux/export.h>
#include <linux/ktime.h>
#include "core.h"

void memquota_index_setup(struct memquota_index *index)
{
	raw_spin_lock_init(&index->lock);
	index->tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&index->passed_over);
}

static void index_link(struct memquota_index *index, struct memquota_record *r)
{
	struct rb_node **link = &index->tree.rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	lockdep_assert_held(&index->lock);
	while (*link) {
		parent = *link;
		if (r->index.key_ns < rb_entry(parent, struct memquota_record,
					       index.node)->index.key_ns) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&r->index.node, parent, link);
	rb_insert_color_cached(&r->index.node, &index->tree, leftmost);
	r->index.state = INDEX_IN_TREE;
}

static void index_unlink(struct memquota_index *index, struct memquota_record *r)
{
	lockdep_assert_held(&index->lock);
	if (r->index.state == INDEX_IN_TREE)
		rb_erase_cached(&r->index.node, &index->tree);
	else if (r->index.state == INDEX_PASSED_OVER)
		list_del(&r->index.passed_over);
	r->index.state = INDEX_NONE;
}

/*
 * Begin to derive how old the record's data is: what it holds arrived at @ns or
 * later. Not if its owner says so meanwhile.
 */
static void index_start_mark(struct memquota_record *r, u64 ns)
{
	memquota_mark_lock(r);
	if (!(READ_ONCE(r->flags) & RECORD_STORED)) {
		WRITE_ONCE(r->arrival_ns, ns);
		WRITE_ONCE(r->mark_ns, ns);
		WRITE_ONCE(r->mark, memquota_mark_gross(r));
	}
	memquota_mark_unlock(r);
}

/*
 * Insert a record that held nothing and holds something. Interrupts may be off.
 */
void memquota_index_insert(struct memquota_record *r)
{
	struct memquota_index *index = &r->account->tracker->index;
	unsigned long flags;
	u64 now;

	if (!READ_ONCE(r->active))
		return;
	now = ktime_get_coarse_ns();
	raw_spin_lock_irqsave(&index->lock, flags);
	if (r->index.state != INDEX_NONE || memquota_account_closed(r->account) ||
	    atomic64_fetch_or(RECORD_INDEXED, &r->word) &
	    (RECORD_LEFT | RECORD_INDEXED))
		goto out;
	if (READ_ONCE(r->flags) & (RECORD_SAYS_OLDEST | RECORD_STORED)) {
		/* The owner may know of older data than this charge. */
		r->index.key_ns = 0;
	} else {
		r->index.key_ns = now;
		index_start_mark(r, now);
	}
	r->index.looked_run = 0;
	index_link(index, r);
out:
	raw_spin_unlock_irqrestore(&index->lock, flags);
}

/* Remove a record that has left, or whose account has closed. */
void memquota_index_remove(struct memquota_record *r)
{
	struct memquota_index *index = &r->account->tracker->index;
	unsigned long flags;

	raw_spin_lock_irqsave(&index->lock, flags);
	index_unlink(index, r);
	raw_spin_unlock_irqrestore(&index->lock, flags);
}

/*
 * Remove the record if it still holds nothing; its next miss that charges
 * inserts it again. Return whether it was removed.
 */
bool memquota_index_remove_if_empty(struct memquota_record *r)
{
	struct memquota_index *index = &r->account->tracker->index;
	unsigned long flags;
	bool empty;
	s64 old;

	raw_spin_lock_irqsave(&index->lock, flags);
	old = atomic64_read(&r->word);
	do {
		empty = !memquota_word_used(old);
	} while (empty && !atomic64_try_cmpxchg(&r->word, &old,
						old & ~RECORD_INDEXED));
	if (empty)
		index_unlink(index, r);
	raw_spin_unlock_irqrestore(&index->lock, flags);
	return empty;
}

/* Take a record out while it is being asked; memquota_index_put() returns it. */
void memquota_index_take(struct memquota_record *r)
{
	memquota_index_remove(r);
	atomic64_or(RECORD_INDEXED, &r->word);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_index_take);

/*
 * Return a record to the tree, to be corrected anew; or, if @pass_over, to the
 * list of those that are not asked again in this run.
 */
void memquota_index_put(struct memquota_record *r, bool pass_over)
{
	struct memquota_index *index = &r->account->tracker->index;
	unsigned long flags;

	raw_spin_lock_irqsave(&index->lock, flags);
	index_unlink(index, r);
	if (!memquota_record_ended(r)) {
		atomic64_or(RECORD_INDEXED, &r->word);
		r->index.looked_run = 0;
		if (pass_over) {
			list_add_tail(&r->index.passed_over, &index->passed_over);
			r->index.state = INDEX_PASSED_OVER;
		} else {
			index_link(index, r);
		}
	}
	raw_spin_unlock_irqrestore(&index->lock, flags);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_index_put);

/* Move a record to where data that arrived at @ns belongs, for this run. */
void memquota_index_correct(struct memquota_tracker *t,
			    struct memquota_record *r, u64 ns)
{
	struct memquota_index *index = &t->index;

	raw_spin_lock_irq(&index->lock);
	if (r->index.state == INDEX_IN_TREE) {
		r->index.looked_run = t->reclaim.run;
		if (r->index.key_ns != ns) {
			index_unlink(index, r);
			r->index.key_ns = ns;
			index_link(index, r);
		}
	}
	raw_spin_unlock_irq(&index->lock);
}

/* Return to the tree, for a new run, the records that the last one passed over. */
void memquota_index_restore(struct memquota_tracker *t)
{
	struct memquota_index *index = &t->index;
	struct memquota_record *r;
	unsigned long flags;
	unsigned int n;
	bool more;

	do {
		raw_spin_lock_irqsave(&index->lock, flags);
		for (n = 0; n < MEMQUOTA_BATCH; n++) {
			r = list_first_entry_or_null(&index->passed_over,
						     struct memquota_record,
						     index.passed_over);
			if (!r)
				break;
			index_unlink(index, r);
			index_link(index, r);
		}
		more = !list_empty(&index->passed_over);
		raw_spin_unlock_irqrestore(&index->lock, flags);
	} while (more);
}
