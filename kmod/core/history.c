// SPDX-License-Identifier: GPL-2.0
/*
 * A log of the last reclaim runs.
 *
 * A run that asked no participant is overwritten by the next one. While all
 * participants are busy there is one such run each second, and they would push
 * out the runs that did something.
 */
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "core.h"
#include "history.h"
#include "trace.h"

void memquota_history_setup(struct memquota_history *h)
{
	raw_spin_lock_init(&h->lock);
}

void memquota_history_free(struct memquota_history *h)
{
	unsigned int i;

	for (i = 0; i < MEMQUOTA_PAST_RUNS; i++)
		kfree(h->runs[i]);
}

/* Return the entry of a run, or NULL if it is not in the log. */
static struct memquota_past_run *history_find_run(struct memquota_history *h,
						  u64 number)
{
	struct memquota_past_run *run = h->runs[number % MEMQUOTA_PAST_RUNS];

	return run && run->number == number ? run : NULL;
}

/* A run begins. For the worker, which alone changes @last and @runs. */
void memquota_history_begin(struct memquota_tracker *t, u64 from_bytes,
			    u64 refused_bytes, u64 pressure_bytes)
{
	struct memquota_history *h = &t->history;
	struct memquota_past_run *run = history_find_run(h, h->last);
	u64 number = h->last;
	unsigned long flags;

	if (!run || run->asks)
		run = h->runs[++number % MEMQUOTA_PAST_RUNS];
	/* A run must not wait for memory, since it may be what frees some. */
	if (!run)
		run = kmalloc(sizeof(*run), GFP_NOWAIT | __GFP_NOWARN);

	raw_spin_lock_irqsave(&h->lock, flags);
	h->present = run ? number : 0;
	if (!run)
		goto out;
	*run = (struct memquota_past_run){
		.number = number,
		.began_ns = ktime_get_coarse_ns(),
		.from_bytes = from_bytes,
		.limits = {
			.max = READ_ONCE(t->max),
			.high = READ_ONCE(t->high),
			.low_water = READ_ONCE(t->low_water),
		},
		.refused_bytes = refused_bytes,
		.pressure_bytes = pressure_bytes,
	};
	h->runs[number % MEMQUOTA_PAST_RUNS] = run;
	h->last = number;
out:
	raw_spin_unlock_irqrestore(&h->lock, flags);
}

/*
 * Return the entry of a victim, or NULL. Victims of one name in one account
 * share an entry.
 */
static struct memquota_past_victim *
history_find_victim(struct memquota_past_run *run, struct memquota_record *r)
{
	const char *name = memquota_record_name(r);
	struct memquota_past_victim *v;

	for (v = run->victims; v < run->victims + run->nr_victims; v++)
		if (v->account_id == r->account->id &&
		    !strcmp(v->participant, name))
			return v;
	return NULL;
}

/* The present run is about to ask the record. For the worker. */
void memquota_history_asked(struct memquota_record *r, u64 want_bytes,
			    u64 arrival_ns)
{
	struct memquota_history *h = &r->account->tracker->history;
	struct memquota_past_victim *v;
	struct memquota_past_run *run;
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&h->lock, flags);
	run = history_find_run(h, h->present);
	if (!run)
		goto out;
	run->asks++;
	v = history_find_victim(run, r);
	if (!v && run->nr_victims < MEMQUOTA_PAST_VICTIMS) {
		v = &run->victims[run->nr_victims++];
		v->account_id = r->account->id;
		v->want_bytes = want_bytes;
		now = ktime_get_coarse_ns();
		v->age_ns = now - min(now, arrival_ns);
		strscpy(v->account, r->account->name, sizeof(v->account));
		strscpy(v->participant, memquota_record_name(r),
			sizeof(v->participant));
	}
	if (v)
		v->asks++;
out:
	raw_spin_unlock_irqrestore(&h->lock, flags);
}

/* Add @bytes to what a victim freed that @run had asked. */
void memquota_history_freed(struct memquota_record *r, u64 run, u64 bytes)
{
	struct memquota_history *h = &r->account->tracker->history;
	struct memquota_past_victim *v;
	struct memquota_past_run *past;
	unsigned long flags;

	if (!bytes)
		return;
	trace_memquota_reclaimed(r, bytes);
	raw_spin_lock_irqsave(&h->lock, flags);
	past = history_find_run(h, run);
	if (past) {
		past->freed_bytes += bytes;
		v = history_find_victim(past, r);
		if (v)
			v->freed_bytes += bytes;
	}
	raw_spin_unlock_irqrestore(&h->lock, flags);
}

static void history_measure_run(struct memquota_tracker *t,
				struct memquota_past_run *run)
{
	run->took_ns = ktime_get_coarse_ns() - run->began_ns;
	run->to_bytes = memquota_tracker_total(t);
}

void memquota_history_end(struct memquota_tracker *t, bool reached)
{
	struct memquota_history *h = &t->history;
	struct memquota_past_run *run;
	unsigned long flags;

	raw_spin_lock_irqsave(&h->lock, flags);
	run = history_find_run(h, h->present);
	if (run) {
		history_measure_run(t, run);
		run->state = reached ? MEMQUOTA_REACHED : MEMQUOTA_GAVE_UP;
	}
	raw_spin_unlock_irqrestore(&h->lock, flags);
}

/* Return the number of the present run, or 0 if it is not logged. For the worker. */
u64 memquota_history_run(struct memquota_tracker *t)
{
	return t->history.present;
}

/* Copy the first run from @number on. Return whether there is one. */
bool memquota_history_get(struct memquota_tracker *t, u64 number,
			  struct memquota_past_run *run)
{
	struct memquota_history *h = &t->history;
	unsigned long flags;
	u64 first;
	bool found;

	raw_spin_lock_irqsave(&h->lock, flags);
	first = h->last - min_t(u64, h->last, MEMQUOTA_PAST_RUNS) + 1;
	number = max(number, first);
	found = number <= h->last;
	if (found) {
		*run = *history_find_run(h, number);
		if (run->state == MEMQUOTA_RUNNING)
			history_measure_run(t, run);
	}
	raw_spin_unlock_irqrestore(&h->lock, flags);
	return found;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_history_get);
