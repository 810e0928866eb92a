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
#include <linux/sched.h>
#include "core.h"

/*
 * Busy records that return to the tree for a run. With many more, the runs ask
 * them by turns, so that a run need not ask them all before it comes to one that
 * can free something.
 */
#define BUSY_PER_RUN		4096

/* Records that are moved before the lock is dropped. */
#define CORRECT_BATCH		8U

void memquota_index_setup(struct memquota_index *index)
{
	raw_spin_lock_init(&index->lock);
	index->tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&index->without_data);
	INIT_LIST_HEAD(&index->busy);
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
	u64 mark = memquota_mark_lock(r);

	if (mark != RECORD_NOT_DERIVED) {
		WRITE_ONCE(r->arrival_ns, ns);
		r->mark_ns = ns;
		mark = memquota_mark_gross(r);
	}
	memquota_mark_unlock(r, mark);
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
	    (RECORD_ENDED | RECORD_INDEXED))
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

/* Look at the record before all others, since its data may be older than its key. */
void memquota_index_look_first(struct memquota_record *r)
{
	struct memquota_index *index = &r->account->tracker->index;
	unsigned long flags;
	bool in_tree;

	raw_spin_lock_irqsave(&index->lock, flags);
	r->index.looked_run = 0;
	in_tree = r->index.state == INDEX_IN_TREE;
	if (in_tree)
		index_unlink(index, r);
	/* Later it returns to the tree with this key. */
	WRITE_ONCE(r->index.key_ns, 0);
	if (in_tree)
		index_link(index, r);
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

/* Return a record to the tree, to be corrected anew. */
void memquota_index_put(struct memquota_record *r)
{
	struct memquota_index *index = &r->account->tracker->index;
	unsigned long flags;

	raw_spin_lock_irqsave(&index->lock, flags);
	index_unlink(index, r);
	if (!memquota_record_ended(r)) {
		atomic64_or(RECORD_INDEXED, &r->word);
		r->index.looked_run = 0;
		index_link(index, r);
	}
	raw_spin_unlock_irqrestore(&index->lock, flags);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_index_put);

/*
 * Take a record out of the present run, since it is @busy or has no data.
 * memquota_index_restore() returns it.
 */
void memquota_index_pass_over(struct memquota_record *r, bool busy)
{
	struct memquota_index *index = &r->account->tracker->index;

	raw_spin_lock_irq(&index->lock);
	index_unlink(index, r);
	if (!memquota_record_ended(r)) {
		atomic64_or(RECORD_INDEXED, &r->word);
		list_add_tail(&r->index.passed_over,
			      busy ? &index->busy : &index->without_data);
		r->index.state = INDEX_PASSED_OVER;
	}
	raw_spin_unlock_irq(&index->lock);
}

/*
 * Move @nr records to where data that arrived at @ns[] belongs, for this run,
 * but for those whose @ns is MEMQUOTA_NO_DATA.
 */
void memquota_index_correct(struct memquota_tracker *t,
			    struct memquota_record **records, const u64 *ns,
			    unsigned int nr)
{
	struct memquota_index *index = &t->index;
	struct memquota_record *r;
	unsigned int i = 0, end;
	u64 key_ns;

	while (i < nr) {
		end = min(i + CORRECT_BATCH, nr);
		raw_spin_lock_irq(&index->lock);
		for (; i < end; i++) {
			r = records[i];
			if (ns[i] == MEMQUOTA_NO_DATA ||
			    r->index.state != INDEX_IN_TREE)
				continue;
			key_ns = ns[i];
			/* Its owner may have stored an older time meanwhile. */
			if (!(READ_ONCE(r->flags) & RECORD_SAYS_OLDEST))
				key_ns = min(key_ns, memquota_record_arrival(r));
			r->index.looked_run = t->reclaim.run;
			if (r->index.key_ns != key_ns) {
				index_unlink(index, r);
				WRITE_ONCE(r->index.key_ns, key_ns);
				index_link(index, r);
			}
		}
		raw_spin_unlock_irq(&index->lock);
	}
}

/* Move at most @nr records to the tree. Return whether the list has more. */
static bool index_restore_list(struct memquota_index *index,
			       struct list_head *list, unsigned long nr)
{
	struct memquota_record *r;
	unsigned int n;
	bool left;

	do {
		raw_spin_lock_irq(&index->lock);
		for (n = 0; n < MEMQUOTA_BATCH && nr; n++, nr--) {
			r = list_first_entry_or_null(list,
						     struct memquota_record,
						     index.passed_over);
			if (!r)
				break;
			index_unlink(index, r);
			r->index.looked_run = 0;
			index_link(index, r);
		}
		left = !list_empty(list);
		raw_spin_unlock_irq(&index->lock);
		cond_resched();
	} while (left && nr);
	return left;
}

/*
 * Return to the tree, for a new run, the records that earlier ones passed over.
 * Any of those without data may have old data by now, so all of them return. Of
 * the busy ones BUSY_PER_RUN do, those that have waited longest.
 */
void memquota_index_restore(struct memquota_tracker *t)
{
	struct memquota_index *index = &t->index;

	index_restore_list(index, &index->without_data, ULONG_MAX);
	index->busy_left = index_restore_list(index, &index->busy, BUSY_PER_RUN);
}
