// SPDX-License-Identifier: GPL-2.0
/*
 * Choosing the victim: the participant that holds the oldest data.
 *
 * Keys in the index may be too low, never too high. The worker looks at the
 * leftmost entries, up to MEMQUOTA_BATCH at once, and moves each to where its
 * data belongs. A leftmost entry that was looked at in this run is the oldest,
 * because every other key is a lower bound of a younger arrival.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/sched.h>
#include "callback.h"
#include "record.h"
#include "victim.h"

/*
 * Questions to the oldest participant that may bring back too little in a run.
 * After SLOW_TRIES of them it is asked regardless of the next account's data,
 * after MAX_TRIES it is busy. A question that has no effect at all counts as
 * STUCK_TRIES, because other tasks may have uncharged what was freed.
 */
#define SLOW_TRIES	16
#define MAX_TRIES	64
#define STUCK_TRIES	8

/*
 * Return whether a record whose owner says that it has no data holds bytes all
 * the same (rule R7). The owner may be between charging and storing, so the
 * holding must be the same at two looks a second apart.
 */
static bool victim_holds_silently(struct memquota_tracker *t,
				  struct memquota_record *r)
{
	u64 word = atomic64_read(&r->word), used = memquota_word_used(word);
	/* The participant, reclaim and each slot hold a reference. */
	u64 slots = ((word & RECORD_REFS) / RECORD_REF - 2) *
		    READ_ONCE(t->slot_bytes);

	if (r->empty_used != used) {
		r->empty_used = used;
		r->empty_since = jiffies;
		if (used > slots)
			t->reclaim.look_again = true;
		return false;
	}
	if (used <= slots + MEMQUOTA_CACHE_MAX ||
	    (u32)jiffies - r->empty_since < HZ)
		return false;
	pr_warn_ratelimited("%s: %s holds %llu bytes and says that it has no data\n",
			    t->name, memquota_record_name(r), used);
	return true;
}

/*
 * Return whether the present run has asked the participant, whose oldest data
 * arrived at @ns, often enough (rule R6). It has made progress if that arrival
 * has moved, or if it holds less by half of what it was asked for: the other
 * half allows for what slots keep and for what is charged meanwhile.
 */
static bool victim_is_busy(struct memquota_tracker *t, struct memquota_record *r,
			   const struct memquota_question *q, u64 ns)
{
	struct memquota_victim *v = &r->victim;
	u64 want = min(q->want_bytes, q->used);
	bool came_back;

	if (q->run != t->reclaim.run)
		return false;
	if (!q->freed && ns <= q->until_ns)
		return true;
	came_back = memquota_record_used(r) + want - want / 2 <= q->used;
	/* A sleeping participant is asked for all that is wanted at once. */
	if (!q->oldest ||
	    (came_back && !(READ_ONCE(r->flags) & RECORD_SLEEPING)))
		return false;
	if (v->run != q->run) {
		v->run = q->run;
		v->tries = 0;
	}
	v->tries += came_back || ns > q->arrival_ns ? 1 : STUCK_TRIES;
	return v->tries >= MAX_TRIES;
}

/* Judge the question @q; or without one, that which the participant answered. */
static noinline bool victim_was_asked_enough(struct memquota_tracker *t,
					     struct memquota_record *r,
					     const struct memquota_question *q,
					     u64 ns)
{
	struct memquota_question answered;

	if (READ_ONCE(r->flags) & RECORD_SLEEPING &&
	    memquota_request_take_answer(r, &answered))
		q = &answered;
	return q && victim_is_busy(t, r, q, ns);
}

/* Return whether questions to the participant bring back too little. */
bool memquota_victim_is_slow(struct memquota_tracker *t,
			     const struct memquota_record *r)
{
	return r->victim.run == t->reclaim.run && r->victim.tries >= SLOW_TRIES;
}

/*
 * Return when the record's oldest data arrived, for memquota_index_correct();
 * MEMQUOTA_NO_DATA if the record has been removed or passed over. @q is the
 * question that the participant was just asked, or NULL. The caller holds a
 * reference and is between memquota_callbacks_begin() and _end().
 */
static __always_inline u64 victim_look_at(struct memquota_tracker *t,
					  struct memquota_record *r,
					  const struct memquota_question *q)
{
	unsigned long flags = READ_ONCE(r->flags);
	u64 word = atomic64_read(&r->word), ns;

	if (word & RECORD_ENDED || memquota_account_closed(r->account)) {
		memquota_index_remove(r);
		return MEMQUOTA_NO_DATA;
	}
	if (!memquota_word_used(word) && memquota_index_remove_if_empty(r))
		return MEMQUOTA_NO_DATA;
	if (!memquota_victim_may_be_asked(t, flags)) {
		memquota_index_pass_over(r, false);
		return MEMQUOTA_NO_DATA;
	}
	if (!(flags & RECORD_SAYS_OLDEST)) {
		ns = memquota_record_arrival(r);
	} else if (!memquota_call_oldest(r, &ns)) {
		memquota_index_pass_over(r, true);
		return MEMQUOTA_NO_DATA;
	}
	if (ns != MEMQUOTA_NO_DATA) {
		r->empty_used = 0;
	} else if (victim_holds_silently(t, r)) {
		ns = 0;
	} else {
		memquota_index_pass_over(r, false);
		return MEMQUOTA_NO_DATA;
	}
	if (unlikely(q || flags & RECORD_SLEEPING) &&
	    victim_was_asked_enough(t, r, q, ns)) {
		memquota_index_pass_over(r, true);
		return MEMQUOTA_NO_DATA;
	}
	return ns;
}

/* Judge the answer of an atomic participant to a question. */
void memquota_victim_judge(struct memquota_tracker *t, struct memquota_record *r,
			   const struct memquota_question *question)
{
	u64 ns;

	memquota_callbacks_begin();
	ns = victim_look_at(t, r, question);
	memquota_callbacks_end();
	memquota_index_correct(t, &r, &ns, 1);
}

/*
 * Return the record with the oldest data, with a reference; or NULL if there is
 * no candidate but victims of the round @skip, or none among the leftmost
 * entries. Then no other record has data that arrived before *@edge. For the
 * worker.
 */
static struct memquota_record *victim_find(struct memquota_tracker *t, u64 skip,
					   u64 *edge)
{
	struct memquota_record *batch[MEMQUOTA_BATCH], *r;
	struct memquota_index *index = &t->index;
	u64 ns[MEMQUOTA_BATCH];
	u32 run = t->reclaim.run;
	unsigned int i, n, steps, want = 1;
	struct rb_node *node;
	unsigned long flags;

	for (;;) {
		raw_spin_lock_irqsave(&index->lock, flags);
		node = rb_first_cached(&index->tree);
		for (n = 0, steps = 0; node && n < want && steps < MEMQUOTA_BATCH;
		     steps++, node = rb_next(node)) {
			r = rb_entry(node, struct memquota_record, index.node);
			*edge = r->index.key_ns;
			if (skip && r->victim.round == skip)
				continue;
			if (n && r->index.looked_run == run)
				break;
			/* memquota_leave() removes it before the last unref. */
			memquota_record_ref(r);
			batch[n++] = r;
			if (r->index.looked_run == run &&
			    !memquota_record_ended(r)) {
				raw_spin_unlock_irqrestore(&index->lock, flags);
				return r;
			}
		}
		raw_spin_unlock_irqrestore(&index->lock, flags);
		if (!n) {
			if (!node)
				*edge = U64_MAX;
			return NULL;
		}
		memquota_callbacks_begin();
		for (i = 0; i < n; i++)
			ns[i] = victim_look_at(t, batch[i], NULL);
		memquota_callbacks_end();
		memquota_index_correct(t, batch, ns, n);
		for (i = 0; i < n; i++)
			memquota_record_unref(batch[i]);
		want = min_t(unsigned int, want * 2, MEMQUOTA_BATCH);
		cond_resched();
	}
}

/*
 * Return the record with the oldest data, with a reference, or NULL if there is
 * no candidate.
 */
struct memquota_record *memquota_victim_oldest(struct memquota_tracker *t)
{
	u64 edge;

	return victim_find(t, 0, &edge);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_victim_oldest);

/*
 * Return when the data of the next account in order begins, in ns, victims of
 * the round @skip left out: no other account has older data.
 */
u64 memquota_victim_bound(struct memquota_tracker *t, u64 skip)
{
	u64 edge;
	struct memquota_record *r = victim_find(t, skip, &edge);

	if (r) {
		edge = READ_ONCE(r->index.key_ns);
		memquota_record_unref(r);
	}
	return edge;
}
