// SPDX-License-Identifier: GPL-2.0
/* Measure memquota's own memory, and how far the total exceeds what is held. */
#define pr_fmt(fmt) "memquota_bench: " fmt

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include "../core/core.h"
#include "bench.h"
#include "threads.h"

static void report_bytes(const char *name, u64 value, unsigned int nr,
			 u64 budget)
{
	bench_report(&(struct bench_result) {
		.name = name,
		.value = value * BENCH_UNIT,
		.unit = "bytes",
		.cpus = num_online_cpus(),
		.participants = nr,
		.budget = budget * BENCH_UNIT,
	});
}

/* Report the slab pages of @nr participants, waste and names included. */
static int report_slab_growth(unsigned int nr)
{
	const struct bench_case c = { .nr = nr };
	struct bench b = { };
	u64 before, after;
	int err;

	before = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	err = bench_setup_participants(&b, &c);
	if (err)
		return err;
	after = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	bench_teardown_participants(&b);
	report_bytes("slab_per_participant_with_name",
		     (after - before) * PAGE_SIZE / nr, nr, 0);
	return 0;
}

#define TRACKERS	500

/*
 * Report what idle trackers cost: pages of slabs, which include their files in
 * debugfs and all waste; and what the tracker and its shares take of that.
 */
static int report_idle_trackers(void)
{
	struct memquota_tracker **trackers;
	char name[MEMQUOTA_NAME_SIZE];
	unsigned int i, nr;
	u64 before, after;
	int err = 0;

	trackers = kvcalloc(TRACKERS, sizeof(*trackers), GFP_KERNEL);
	if (!trackers)
		return -ENOMEM;
	before = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
		 global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
	for (nr = 0; nr < TRACKERS; nr++) {
		snprintf(name, sizeof(name), "bench-idle-%u", nr);
		trackers[nr] = memquota_tracker_create(name, NULL, 0);
		if (IS_ERR(trackers[nr])) {
			err = PTR_ERR(trackers[nr]);
			break;
		}
	}
	after = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
		global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
	if (!err) {
		report_bytes("memory_per_idle_tracker",
			     ksize(trackers[0]) + num_possible_cpus() *
						  sizeof(struct memquota_share),
			     0, 0);
		report_bytes("slab_per_idle_tracker_with_files",
			     (after - before) * PAGE_SIZE / nr, nr, 0);
	}
	for (i = 0; i < nr; i++)
		memquota_tracker_destroy(trackers[i]);
	kvfree(trackers);
	return err;
}

/* --- The total against the bytes held --- */

#define ROUNDS		20
#define CHARGES		2000

struct scatter {
	struct bench_object *objects;
	unsigned int nr;
	unsigned int round;
	s64 held[BENCH_CPUS];
};

/* xorshift: the same sequence in every run */
static u32 next_random(u32 *state)
{
	u32 x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

/* On each CPU, charge random participants and uncharge a part of it. */
static void scatter_charges(unsigned int cpu, void *data)
{
	struct scatter *s = data;
	u32 state = 1 + cpu + BENCH_CPUS * s->round;
	struct memquota_participant *p;
	size_t bytes, part;
	unsigned int i;

	for (i = 0; i < CHARGES; i++) {
		p = &s->objects[next_random(&state) % s->nr].participant;
		bytes = 1 + next_random(&state) % 2048;
		part = next_random(&state) % (bytes + 1);
		memquota_charge(p, bytes);
		memquota_uncharge(p, part);
		s->held[cpu] += bytes - part;
	}
}

static int report_excess(unsigned int nr, u64 low_water, const char *name,
			 u64 *worst)
{
	const struct memquota_limits limits = {
		.high = 1ULL << 40,
		.low_water = low_water,
	};
	const struct bench_case c = { .nr = nr };
	unsigned int cpus = bench_cpus(), i, round;
	struct memquota_usage usage;
	struct scatter s = { };
	struct bench b = { };
	s64 held, over, most = 0;
	u64 bound;
	int err;

	b.tracker = memquota_tracker_create("bench-scatter", &limits, 0);
	if (IS_ERR_OR_NULL(b.tracker))
		return -EINVAL;
	err = bench_setup_participants(&b, &c);
	if (err)
		goto out;
	s.objects = b.objects;
	s.nr = nr;
	for (round = 0; !err && round < ROUNDS; round++) {
		s.round = round;
		err = bench_on_cpus(cpus, scatter_charges, &s);
		held = 0;
		for (i = 0; i < cpus; i++)
			held += s.held[i];
		memquota_tracker_usage(b.tracker, &usage);
		over = usage.total - held;
		if (over < 0) {
			pr_err("%s: the total is %lld bytes too low\n", name,
			       -over);
			over = -over;
		}
		most = max(most, over);
	}
	bench_teardown_participants(&b);
	bound = min(cpus * 65536ULL, low_water / 8);
	if (!err)
		report_bytes(name, most, nr, bound);
	*worst = max_t(u64, *worst, div64_u64(most * BENCH_UNIT, bound));
out:
	memquota_tracker_destroy(b.tracker);
	return err;
}

int bench_memory(void)
{
	static const unsigned int counts[] = { 100, 10000, 100000 };
	u64 worst = 0;
	unsigned int i;
	int err;

	report_bytes("memory_per_participant",
		     sizeof(struct memquota_record), 0, 0);
	report_bytes("memory_per_participant_with_embedded_part",
		     sizeof(struct memquota_record) +
		     sizeof(struct memquota_participant), 0, 0);
	report_bytes("memory_per_account",
		     sizeof(struct memquota_account) - MEMQUOTA_NAME_SIZE, 0, 0);
	err = report_idle_trackers() ?: report_slab_growth(100000);
	for (i = 0; !err && i < ARRAY_SIZE(counts); i++)
		err = report_excess(counts[i], 1ULL << 30,
				    "over_estimate_by_cpus", &worst) ?:
		      report_excess(counts[i], 1 << 20,
				    "over_estimate_by_low_water", &worst);
	if (!err)
		bench_report(&(struct bench_result) {
			.name = "over_estimate_of_total",
			.value = worst,
			.unit = "of_bound",
			.cpus = bench_cpus(),
		});
	return err;
}
