// SPDX-License-Identifier: GPL-2.0
/* Measure the choice of a victim. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include "../core/core.h"
#include "../core/victim.h"
#include "bench.h"

MEMQUOTA_IMPORT_INTERNAL;

#define CHOICES		200

static int index_setup(struct bench *b, unsigned int nr,
		       const struct memquota_ops *ops)
{
	const struct memquota_limits limits = { };
	unsigned int i;
	int err;

	err = bench_create_account(b, &limits);
	if (err)
		return err;
	err = bench_join_all(b, nr, ops);
	if (err) {
		bench_destroy_account(b);
		return err;
	}
	/* Let the order of arrival differ from that in memory. */
	for (i = 0; i < nr; i++) {
		struct bench_object *o = &b->objects[i];

		o->oldest_ns = 1 + i * 7919ULL % nr;
		if (!ops->oldest)
			memquota_set_oldest(&o->participant, o->oldest_ns);
		memquota_charge(&o->participant, 64);
		cond_resched();
	}
	return 0;
}

/* Take the oldest record out of the index and put it back, as reclaim does. */
static u64 choose_victim(struct memquota_tracker *t)
{
	u64 start = bench_clock(), elapsed;
	struct memquota_record *r;

	t->reclaim.run++;
	r = memquota_victim_oldest(t);
	if (!r)
		return 0;
	memquota_index_take(r);
	memquota_index_put(r);
	elapsed = bench_clock() - start;
	/* The participant still holds a reference, so this is not the last. */
	atomic64_sub(RECORD_REF, &r->word);
	return elapsed;
}

static u64 choose_victim_fresh(struct memquota_tracker *t)
{
	u64 best = U64_MAX;
	unsigned int i;

	for (i = 0; i < CHOICES; i++)
		best = min(best, choose_victim(t));
	return best;
}

/* Make every entry of the index stale: all data is younger than any before. */
static u64 choose_victim_stale(struct bench *b, const struct memquota_ops *ops)
{
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		struct bench_object *o = &b->objects[i];

		o->oldest_ns += 10ULL * b->nr;
		if (!ops->oldest)
			memquota_set_oldest(&o->participant, o->oldest_ns);
	}
	return choose_victim(b->tracker);
}

static void index_report(const char *name, u64 ticks, unsigned int nr)
{
	bench_report(&(struct bench_result) {
		.name = name,
		.value = bench_ticks_to_unit(ticks),
		.unit = bench_unit(),
		.cpus = 1,
		.participants = nr,
	});
}

static int index_measure(unsigned int nr, u64 *fresh, u64 *stale,
			 const struct memquota_ops *ops)
{
	struct bench b = { };
	int err = index_setup(&b, nr, ops);
	u64 ticks;

	if (err)
		return err;
	/* Bring the index up to date. */
	choose_victim(b.tracker);
	*fresh = choose_victim_fresh(b.tracker) * BENCH_UNIT;
	ticks = choose_victim_stale(&b, ops);
	*stale = min(ticks, choose_victim_stale(&b, ops)) * BENCH_UNIT / nr;
	bench_teardown_participants(&b);
	return 0;
}

/* Measure participants with ->oldest(), and with a stored age. */
int bench_index(void)
{
	static const unsigned int counts[] = { 1000, 10000, 100000 };
	static const struct memquota_ops *const ops[] = {
		&bench_ops, &bench_plain_ops,
	};
	u64 fresh[ARRAY_SIZE(counts)][2], stale[ARRAY_SIZE(counts)][2];
	const size_t last = ARRAY_SIZE(counts) - 1;
	unsigned int i, j;
	int err;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		for (j = 0; j < 2; j++) {
			err = index_measure(counts[i], &fresh[i][j],
					    &stale[i][j], ops[j]);
			if (err)
				return err;
			index_report(j ? "choose_victim_stored" :
					 "choose_victim",
				     fresh[i][j], counts[i]);
			index_report(j ? "choose_victim_per_stale_entry_stored" :
					 "choose_victim_per_stale_entry",
				     stale[i][j], counts[i]);
		}
	for (j = 0; j < 2; j++)
		bench_report(&(struct bench_result) {
			.name = j ? "choose_victim_100000_against_1000_stored" :
				    "choose_victim_100000_against_1000",
			.value = fresh[last][j] * BENCH_UNIT /
				 max(fresh[0][j], 1ULL),
			.unit = "times",
			.cpus = 1,
			.participants = counts[last],
		});
	return 0;
}
