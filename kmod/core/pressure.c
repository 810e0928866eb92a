// SPDX-License-Identifier: GPL-2.0
/*
 * The system's memory pressure (rule R12): one shrinker for all trackers.
 *
 * The shrinker counts what the trackers can give, and divides the system's
 * target among them; their workers carry it out. The shrinker calls no
 * participant, because the task that allocates may hold a lock of its owner. It
 * takes no sleeping lock, because the task may hold any of memquota's.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sizes.h>
#include "account.h"
#include "graph.h"
#include "pressure.h"
#include "record.h"
#include "total.h"

/**
 * DOC: What a tracker can give
 *
 * Participants can give that trim, that are partial, or that may collapse under
 * pressure. A counter of what these hold would be one more word that charges
 * write. So the shrinker estimates by a sample which part of the total can be
 * given.
 *
 * A sample looks at up to 64 participants, in the order of their accounts' ids,
 * and goes on where the last one ended. Of a tracker that has no more it is
 * exact. Of a larger one, earlier samples count less with each new one. A
 * tracker is sampled ten times a second at most, and one call of the shrinker
 * takes 64 samples at most, of trackers by turns.
 *
 * A participant that trims counts with all that it holds, since only its owner
 * knows what it can trim. If a run finds less than was wanted, the tracker is
 * not counted for a second.
 *
 * What the system wants of a tracker stays in @bytes until a run that worked for
 * it has ended. It is at most the estimate, and is not counted again.
 */

/* Participants that a sample looks at. */
#define SAMPLE_RECORDS		64

/* Samples that one call of the shrinker takes. */
#define SAMPLES_MAX		64

/* Least time between two samples of a tracker, in jiffies. */
#define SAMPLE_INTERVAL		max(HZ / 10, 1)

static struct shrinker *shrinker;
static unsigned int sample_from;	/* position in memquota_holders; racy */

struct sample {
	unsigned int left;
	u64 seen;
	u64 givable;
};

static void sample_account(struct memquota_account *a, struct sample *s)
{
	unsigned int nr = min(READ_ONCE(a->nr_records), s->left);
	struct memquota_record *r = NULL;
	u64 used;

	/* An account without participants counts as one. */
	s->left--;
	if (memquota_account_closed(a))
		return;
	while (nr-- && (r = memquota_next_record(a, r))) {
		used = memquota_record_used(r);
		s->seen += used;
		if (READ_ONCE(r->flags) & (RECORD_GIVES | RECORD_TRIMS))
			s->givable += used;
		if (nr)
			s->left--;
	}
	if (r)
		memquota_record_unref(r);
}

static void tracker_sample(struct memquota_tracker *t)
{
	struct memquota_pressure *p = &t->pressure;
	struct sample s = { .left = SAMPLE_RECORDS };
	bool whole = !p->next_id;
	struct memquota_account *a;

	while (s.left && (a = memquota_account_next(t, p->next_id))) {
		p->next_id = a->id + 1;
		sample_account(a, &s);
		memquota_account_unref(a);
	}
	if (s.left)
		p->next_id = 0;
	else
		whole = false;
	p->seen_bytes = s.seen + (whole ? 0 : p->seen_bytes / 8 * 7);
	p->givable_bytes = s.givable + (whole ? 0 : p->givable_bytes / 8 * 7);
	WRITE_ONCE(p->givable_part,
		   min_t(u64, div64_u64(p->givable_bytes,
					p->seen_bytes / 1024 + 1), 1024));
	WRITE_ONCE(p->sampled, jiffies ?: 1);
}

/* Return whether a sample was taken: not so often, and by one task at a time. */
static bool tracker_try_sample(struct memquota_tracker *t)
{
	struct memquota_pressure *p = &t->pressure;
	unsigned long sampled = READ_ONCE(p->sampled);

	if ((sampled && time_before(jiffies, sampled + SAMPLE_INTERVAL)) ||
	    xchg(&p->sampling, true))
		return false;
	tracker_sample(t);
	/* Pairs with the exchange above: the next sample sees the sums. */
	smp_store_release(&p->sampling, false);
	return true;
}

/* Return how many bytes the tracker can give, by the last sample. */
u64 memquota_pressure_givable(struct memquota_tracker *t)
{
	struct memquota_pressure *p = &t->pressure;
	unsigned long exhausted = READ_ONCE(p->exhausted);

	if (READ_ONCE(t->state) != MEMQUOTA_COUNTING ||
	    (exhausted && time_before(jiffies, exhausted + HZ)))
		return 0;
	return memquota_tracker_total(t) / 1024 * READ_ONCE(p->givable_part);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_pressure_givable);

/* Return how many bytes the tracker can give that are not wanted yet. */
static u64 tracker_available(struct memquota_tracker *t)
{
	u64 givable = memquota_pressure_givable(t);

	return givable - min_t(u64, givable, atomic64_read(&t->pressure.bytes));
}

/* Have the tracker give @bytes more, or what it can. */
void memquota_pressure_add(struct memquota_tracker *t, u64 bytes)
{
	struct memquota_pressure *p = &t->pressure;
	u64 givable = memquota_pressure_givable(t);
	s64 old = atomic64_read(&p->bytes), new;

	do {
		if (old >= givable)
			return;
		new = old + min(bytes, givable - old);
	} while (!atomic64_try_cmpxchg(&p->bytes, &old, new));
	/*
	 * The exchange is a full barrier, so that @bytes is raised before @awake
	 * is read. Pairs with the barrier in worker_rearm().
	 */
	if (new >= PAGE_SIZE && !READ_ONCE(t->reclaim.awake))
		memquota_reclaim_kick(t);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_pressure_add);

/* Return how many bytes all trackers can give that are not wanted yet. */
u64 memquota_pressure_count(void)
{
	unsigned int position = 0, from = READ_ONCE(sample_from);
	unsigned int samples = SAMPLES_MAX;
	struct memquota_tracker *t;
	u64 sum = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &memquota_holders, pressure.node) {
		if (!memquota_tracker_total(t)) {
			memquota_holders_remove(t);
			continue;
		}
		if (position++ >= from && samples && tracker_try_sample(t) &&
		    !--samples)
			WRITE_ONCE(sample_from, position);
		sum += tracker_available(t);
	}
	rcu_read_unlock();
	if (samples)
		WRITE_ONCE(sample_from, 0);
	return sum;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_pressure_count);

/* Divide @target bytes among the trackers, by what each can give. */
void memquota_pressure_scan(u64 target)
{
	struct memquota_tracker *t;
	u64 sum = 0, fraction;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &memquota_holders, pressure.node)
		sum += tracker_available(t);
	if (!sum)
		goto out;
	fraction = div64_u64(min3(target, sum, (u64)U32_MAX) << 32, sum);
	list_for_each_entry_rcu(t, &memquota_holders, pressure.node)
		memquota_pressure_add(t, mul_u64_u64_shr(tracker_available(t),
							 fraction, 32));
out:
	rcu_read_unlock();
}
MEMQUOTA_EXPORT_INTERNAL(memquota_pressure_scan);

/*
 * A run has ended: take off @bytes of what the system wants. If the run found
 * less than it wanted, the tracker is @exhausted. For the worker.
 */
void memquota_pressure_settle(struct memquota_tracker *t, u64 bytes,
			      bool exhausted)
{
	atomic64_sub(bytes, &t->pressure.bytes);
	if (exhausted)
		WRITE_ONCE(t->pressure.exhausted, jiffies ?: 1);
}

static unsigned long shrinker_count(struct shrinker *shrinker,
				    struct shrink_control *sc)
{
	return memquota_pressure_count() >> PAGE_SHIFT;
}

/*
 * SHRINK_STOP would make the kernel keep the target and ask for it again with
 * more on top, though the workers work on it. So return 0, for nothing freed yet.
 */
static unsigned long shrinker_scan(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	memquota_pressure_scan((u64)sc->nr_to_scan << PAGE_SHIFT);
	return 0;
}

int memquota_pressure_init(void)
{
	shrinker = memquota_shrinker_create(shrinker_count, shrinker_scan);
	return PTR_ERR_OR_ZERO(shrinker);
}

void memquota_pressure_exit(void)
{
	memquota_shrinker_destroy(shrinker);
}
