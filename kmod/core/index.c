// SPDX-License-Identifier: GPL-2.0
/*
 * The arrival index: which participant holds the oldest data.
 *
 * In a queue the arrival of the head only moves forward. A record's key in the
 * tree is therefore never above its arrival, and need not be kept up to date:
 * the leftmost entries are looked at when a victim is wanted, and moved to the
 * right. A leftmost entry that was looked at in this run is the oldest.
 *
 * Charging puts a record into the tree when it finds, at a miss, that it holds
 * something and RECORD_INDEXED is not set. Only looking takes that bit away,
 * in one operation with seeing that nothing is held, so that either the look
 * sees the charge or the charge sees the bit missing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/ktime.h>
#include "core.h"

/* Entries that are taken, or stepped over, under the lock at once (R11). */
#define BATCH			64

static void tree_insert(struct memquota_tracker *t, struct memquota_record *r)
{
	struct rb_node **link = &t->index.rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	lockdep_assert_held(&t->index_lock);
	while (*link) {
		parent = *link;
		if (r->key_ns <
		    rb_entry(parent, struct memquota_record, node)->key_ns) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&r->node, parent, link);
	rb_insert_color_cached(&r->node, &t->index, leftmost);
	r->place = RECORD_IN_TREE;
}

static void take_out(struct memquota_tracker *t, struct memquota_record *r)
{
	lockdep_assert_held(&t->index_lock);
	if (r->place == RECORD_IN_TREE)
		rb_erase_cached(&r->node, &t->index);
	else if (r->place == RECORD_PASSED_OVER)
		list_del(&r->passed);
	r->place = RECORD_NOWHERE;
}

/* Whether nobody has a use for the record's place any more. */
static bool out_of_play(const struct memquota_record *r)
{
	return atomic64_read(&r->word) & RECORD_LEFT ||
	       memquota_account_closed(r->account);
}

/* A record that held nothing holds something. Interrupts may be off. */
void memquota_index_insert(struct memquota_record *r)
{
	struct memquota_tracker *t = r->account->tracker;
	unsigned long flags;
	u64 now;

	if (!READ_ONCE(r->active))
		return;
	now = ktime_get_coarse_ns();
	raw_spin_lock_irqsave(&t->index_lock, flags);
	if (r->place != RECORD_NOWHERE || memquota_account_closed(r->account) ||
	    atomic64_fetch_or(RECORD_INDEXED, &r->word) &
	    (RECORD_LEFT | RECORD_INDEXED))
		goto out;
	if (READ_ONCE(r->flags) & (RECORD_SAYS_OLDEST | RECORD_STORED)) {
		/* The owner knows, and may know of older data. */
		r->key_ns = 0;
	} else {
		r->key_ns = now;
		WRITE_ONCE(r->arrival_ns, now);
		WRITE_ONCE(r->mark_ns, now);
		WRITE_ONCE(r->mark, atomic64_read(&r->uncharged) +
				    memquota_record_used(r));
	}
	r->looked = 0;
	tree_insert(t, r);
out:
	raw_spin_unlock_irqrestore(&t->index_lock, flags);
}

/* For good: the record has left, or its account has closed. */
void memquota_index_remove(struct memquota_record *r)
{
	struct memquota_tracker *t = r->account->tracker;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->index_lock, flags);
	take_out(t, r);
	raw_spin_unlock_irqrestore(&t->index_lock, flags);
}

/* For as long as it is being asked; memquota_index_put() puts it back. */
void memquota_index_take(struct memquota_record *r)
{
	memquota_index_remove(r);
	atomic64_or(RECORD_INDEXED, &r->word);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_index_take);

/*
 * Back to the tree, to be looked at anew, or among those that are passed over
 * until the next run.
 */
void memquota_index_put(struct memquota_record *r, bool pass_over)
{
	struct memquota_tracker *t = r->account->tracker;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->index_lock, flags);
	take_out(t, r);
	if (!out_of_play(r)) {
		atomic64_or(RECORD_INDEXED, &r->word);
		r->looked = 0;
		if (pass_over) {
			list_add_tail(&r->passed, &t->passed);
			r->place = RECORD_PASSED_OVER;
		} else {
			tree_insert(t, r);
		}
	}
	raw_spin_unlock_irqrestore(&t->index_lock, flags);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_index_put);

/* A new run: who was passed over in the last one may be asked again. */
void memquota_index_restore(struct memquota_tracker *t)
{
	struct memquota_record *r;
	unsigned long flags;
	unsigned int n;
	bool more;

	do {
		raw_spin_lock_irqsave(&t->index_lock, flags);
		for (n = 0; n < BATCH; n++) {
			r = list_first_entry_or_null(&t->passed,
						     struct memquota_record,
						     passed);
			if (!r)
				break;
			take_out(t, r);
			tree_insert(t, r);
		}
		more = !list_empty(&t->passed);
		raw_spin_unlock_irqrestore(&t->index_lock, flags);
	} while (more);
}

/* Leaves the index if it holds nothing; its next miss brings it back. */
static bool forget_if_empty(struct memquota_tracker *t,
			    struct memquota_record *r)
{
	unsigned long flags;
	bool empty;
	s64 old;

	if (memquota_record_used(r))
		return false;
	raw_spin_lock_irqsave(&t->index_lock, flags);
	old = atomic64_read(&r->word);
	do {
		empty = !memquota_word_used(old);
	} while (empty && !atomic64_try_cmpxchg(&r->word, &old,
						old & ~RECORD_INDEXED));
	if (empty)
		take_out(t, r);
	raw_spin_unlock_irqrestore(&t->index_lock, flags);
	return empty;
}

/*
 * R7: the owner says that it has no data, yet it holds some. It may be between
 * charging and storing; if a second later nothing has changed it is not.
 */
static bool holds_on(struct memquota_tracker *t, struct memquota_record *r)
{
	u64 word = atomic64_read(&r->word), used = memquota_word_used(word);
	/* Pinned by the participant, by us, and by slots. */
	u64 slots = ((word & RECORD_REFS) / RECORD_REF - 2) *
		    READ_ONCE(t->slot_bytes);

	if (used <= slots + MEMQUOTA_CACHE_MAX) {
		r->empty_used = 0;
		return false;
	}
	if (r->empty_used != used) {
		r->empty_used = used;
		r->empty_since = jiffies;
		return false;
	}
	if (time_before(jiffies, r->empty_since + HZ))
		return false;
	pr_warn_ratelimited("%s: %s holds %llu bytes and says that it has no data\n",
			    t->name, memquota_record_name(r), used);
	return true;
}

/* Bring a record's place up to date. The caller pins it. */
static void look(struct memquota_tracker *t, struct memquota_record *r)
{
	u64 ns;

	if (out_of_play(r)) {
		memquota_index_remove(r);
		return;
	}
	if (forget_if_empty(t, r))
		return;
	if (!(READ_ONCE(r->flags) & RECORD_SAYS_OLDEST)) {
		ns = READ_ONCE(r->arrival_ns);
	} else if (!memquota_call_oldest(r, &ns)) {
		memquota_index_put(r, true);
		return;
	}
	if (ns != MEMQUOTA_NO_DATA) {
		r->empty_used = 0;
	} else if (holds_on(t, r)) {
		ns = 0;
	} else {
		memquota_index_put(r, true);
		return;
	}

	raw_spin_lock_irq(&t->index_lock);
	if (r->place == RECORD_IN_TREE) {
		r->looked = t->run;
		if (r->key_ns != ns) {
			take_out(t, r);
			r->key_ns = ns;
			tree_insert(t, r);
		}
	}
	raw_spin_unlock_irq(&t->index_lock);
}

/*
 * The record with the oldest data, pinned; NULL if there is no candidate but
 * victims of the round @skip, or none near: then nobody else has data from
 * before *@edge. The kthread's own.
 */
static struct memquota_record *oldest(struct memquota_tracker *t, u64 skip,
				      u64 *edge)
{
	struct memquota_record *batch[BATCH], *r;
	unsigned int i, n, steps, want = 1;
	struct rb_node *node;
	unsigned long flags;

	for (;;) {
		raw_spin_lock_irqsave(&t->index_lock, flags);
		node = rb_first_cached(&t->index);
		for (n = 0, steps = 0; node && n < want && steps < BATCH;
		     steps++, node = rb_next(node)) {
			r = rb_entry(node, struct memquota_record, node);
			*edge = r->key_ns;
			if (skip && r->round == skip)
				continue;
			if (n && r->looked == t->run)
				break;
			/* In the tree, hence it has not left: pinned. */
			memquota_record_ref(r);
			batch[n++] = r;
			if (r->looked == t->run && !out_of_play(r)) {
				raw_spin_unlock_irqrestore(&t->index_lock, flags);
				return r;
			}
		}
		raw_spin_unlock_irqrestore(&t->index_lock, flags);
		if (!n) {
			if (!node)
				*edge = U64_MAX;
			return NULL;
		}
		memquota_callbacks_begin();
		for (i = 0; i < n; i++) {
			look(t, batch[i]);
			memquota_record_unref(batch[i]);
		}
		memquota_callbacks_end();
		want = min_t(unsigned int, want * 2, BATCH);
		cond_resched();
	}
}

/* The record with the oldest data, pinned; NULL if nobody is a candidate. */
struct memquota_record *memquota_index_oldest(struct memquota_tracker *t)
{
	u64 edge;

	return oldest(t, 0, &edge);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_index_oldest);

/*
 * Where the data of the next account in order begins, victims of the round
 * @skip left out: nobody else has older data.
 */
u64 memquota_index_bound(struct memquota_tracker *t, u64 skip)
{
	u64 edge;
	struct memquota_record *r = oldest(t, skip, &edge);

	if (r) {
		edge = r->key_ns;
		memquota_record_unref(r);
	}
	return edge;
}
