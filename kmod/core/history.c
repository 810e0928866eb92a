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
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "core.h"
#include "history.h"
#include "trace.h"

int memquota_history_init(struct memquota_tracker *t)
{
	t->history = kvzalloc(sizeof(*t->history), GFP_KERNEL);
	if (!t->history)
		return -ENOMEM;
	raw_spin_lock_init(&t->history->lock);
	return 0;
}

void memquota_history_exit(struct memquota_tracker *t)
{
	kvfree(t->history);
}

static struct memquota_past_run *history_run_at(struct memquota_history *h, u64 number)
{
	return &h->runs[number % MEMQUOTA_PAST_RUNS];
}

void memquota_history_begin(struct memquota_tracker *t, u64 from_bytes,
			    u64 refused_bytes, u64 pressure_bytes)
{
	struct memquota_history *h = t->history;
	struct memquota_past_run *run;
	unsigned long flags;

	raw_spin_lock_irqsave(&h->lock, flags);
	if (!h->last || history_run_at(h, h->last)->asks)
		WRITE_ONCE(h->last, h->last + 1);
	run = history_run_at(h, h->last);
	*run = (struct memquota_past_run){
		.number = h->last,
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

/* The present run is about to ask the record. For the kthread. */
void memquota_history_asked(struct memquota_record *r, u64 want_bytes,
			    u64 arrival_ns)
{
	struct memquota_history *h = r->account->tracker->history;
	struct memquota_past_victim *v;
	struct memquota_past_run *run;
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&h->lock, flags);
	run = history_run_at(h, h->last);
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
	raw_spin_unlock_irqrestore(&h->lock, flags);
}

/* Add @bytes to what a victim freed that @run had asked. */
void memquota_history_freed(struct memquota_record *r, u64 run, u64 bytes)
{
	struct memquota_history *h = r->account->tracker->history;
	struct memquota_past_victim *v;
	struct memquota_past_run *past;
	unsigned long flags;

	if (!bytes)
		return;
	trace_memquota_reclaimed(r, bytes);
	raw_spin_lock_irqsave(&h->lock, flags);
	past = history_run_at(h, run);
	if (past->number == run) {
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
	struct memquota_history *h = t->history;
	struct memquota_past_run *run;
	unsigned long flags;

	raw_spin_lock_irqsave(&h->lock, flags);
	run = history_run_at(h, h->last);
	history_measure_run(t, run);
	run->state = reached ? MEMQUOTA_REACHED : MEMQUOTA_GAVE_UP;
	raw_spin_unlock_irqrestore(&h->lock, flags);
}

/* Return the number of the present run. For the kthread. */
u64 memquota_history_run(struct memquota_tracker *t)
{
	return t->history->last;
}

/* Copy the first run from @number on. Return whether there is one. */
bool memquota_history_get(struct memquota_tracker *t, u64 number,
			  struct memquota_past_run *run)
{
	struct memquota_history *h = t->history;
	unsigned long flags;
	u64 first;
	bool found;

	if (!h)
		return false;
	raw_spin_lock_irqsave(&h->lock, flags);
	first = h->last - min_t(u64, h->last, MEMQUOTA_PAST_RUNS) + 1;
	number = max(number, first);
	found = number <= h->last;
	if (found) {
		*run = *history_run_at(h, number);
		if (run->state == MEMQUOTA_RUNNING)
			history_measure_run(t, run);
	}
	raw_spin_unlock_irqrestore(&h->lock, flags);
	return found;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_history_get);
