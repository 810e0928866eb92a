// SPDX-License-Identifier: GPL-2.0
/*
 * Measure how CPUs slow each other down. A round runs each case on one CPU, on
 * two and so on, and compares the slow-down with that of the case's floor.
 * Interleaving cases and floors in rounds exposes both to the same machine, and
 * taking the least of the rounds leaves out those that other load disturbed.
 */
#define pr_fmt(fmt) "memquota_bench: " fmt

#include <linux/err.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "bench.h"
#include "threads.h"

#define CASES		64
/* Keep a reading shorter than a time slice of a busy machine. */
#define READING_NS	(1500 * NSEC_PER_USEC)
/* Repeat a reading so often, until all threads overlapped in it. */
#define TRIES		10

static unsigned int rounds = 20;
module_param(rounds, uint, 0644);
MODULE_PARM_DESC(rounds, "rounds to take the least of");

struct cell {
	const struct bench_case *c;
	unsigned long times;
	struct bench b[BENCH_CPUS];
	unsigned int ready;
	/* The least time for all threads, by the number of CPUs. */
	u64 best[BENCH_CPUS + 1];
};

struct reading {
	struct cell *cell;
	u64 begin[BENCH_CPUS];
	u64 end[BENCH_CPUS];
	u64 elapsed[BENCH_CPUS];
};

static struct cell *cells;
static unsigned int nr_cells;

static void cell_run_loop(unsigned int cpu, void *data)
{
	struct reading *reading = data;
	struct cell *cell = reading->cell;

	reading->begin[cpu] = bench_clock();
	reading->elapsed[cpu] = cell->c->loop(&cell->b[cpu], cell->times);
	reading->end[cpu] = bench_clock();
}

/*
 * Return whether the threads overlapped for most of the reading. On a busy
 * machine they take turns and do not slow each other down.
 */
static bool ran_together(const struct reading *reading, unsigned int cpus)
{
	u64 first = U64_MAX, last = 0, begin = 0, end = U64_MAX;
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		first = min(first, reading->begin[i]);
		last = max(last, reading->end[i]);
		begin = max(begin, reading->begin[i]);
		end = min(end, reading->end[i]);
	}
	return end > begin && (end - begin) * 5 >= (last - first) * 3;
}

/*
 * Set @value to the mean of the threads, in thousandths of a tick per
 * operation, for a reading in which they overlapped; to BENCH_NONE if they
 * never did.
 */
static int cell_measure(struct cell *cell, unsigned int cpus, u64 *value)
{
	struct reading reading = { .cell = cell };
	unsigned int i, tries = 0;
	u64 sum = 0;
	int err;

	for (i = 0; i < cpus; i++)
		cell->b[i].threads = cpus;
	do {
		if (cell->c->rewind)
			cell->c->rewind(&cell->b[0]);
		err = bench_on_cpus(cpus, cell_run_loop, &reading);
		if (err)
			return err;
	} while (!ran_together(&reading, cpus) && ++tries < TRIES);
	if (tries == TRIES) {
		*value = BENCH_NONE;
		return 0;
	}
	for (i = 0; i < cpus; i++)
		sum += reading.elapsed[i];
	*value = bench_per_op(cell->c, div_u64(sum, cpus), cell->times);
	return 0;
}

static void cell_teardown(struct cell *cell)
{
	while (cell->ready) {
		struct bench *b = &cell->b[--cell->ready];

		if (cell->c->teardown)
			cell->c->teardown(b);
	}
}

static int cell_setup(struct cell *cell, const struct bench_case *c,
		      struct memquota_tracker *tracker, unsigned int cpus)
{
	unsigned long step = c->nr ?: 1;
	u64 value, ticks;
	int err;

	cell->c = c;
	memset(cell->best, 0xff, sizeof(cell->best));
	for (cell->ready = 0; cell->ready < cpus; cell->ready++) {
		cell->b[cell->ready].tracker = tracker;
		cell->b[cell->ready].first = cell->b;
		err = c->setup ? c->setup(&cell->b[cell->ready], c) : 0;
		if (err)
			goto undo;
	}
	cell->times = max(step, 500UL);
	err = cell_measure(cell, 1, &value) ?: cell_measure(cell, 1, &value);
	if (err)
		goto undo;
	ticks = max(value * (c->per ?: 1), 1ULL);
	cell->times = READING_NS * BENCH_UNIT /
		      max(bench_ticks_to_unit(ticks), 1ULL);
	if (c->rewind)
		cell->times = min(cell->times, bench_times(c));
	cell->times = rounddown(max(cell->times, step), step);
	return 0;

undo:
	cell_teardown(cell);
	return err;
}

static void add_cells(const struct bench_case *cases, size_t nr,
		      struct memquota_tracker *tracker, unsigned int cpus)
{
	size_t i;
	int err;

	for (i = 0; i < nr && nr_cells < CASES; i++) {
		/* Kernel threads are in the root cgroup, which pays nothing. */
		if (strstr(cases[i].name, "accounted"))
			continue;
		err = cell_setup(&cells[nr_cells], &cases[i], tracker, cpus);
		if (err)
			pr_err("%s: %d\n", cases[i].name, err);
		else
			nr_cells++;
	}
}

static struct cell *find_cell(const char *name)
{
	unsigned int i;

	for (i = 0; name && i < nr_cells; i++)
		if (!strcmp(cells[i].c->name, name))
			return &cells[i];
	return NULL;
}

/* Return the best value for @cpus CPUs in the unit of the results. */
static u64 cell_value(const struct cell *cell, unsigned int cpus)
{
	return cell->best[cpus] == BENCH_NONE ? BENCH_NONE :
	       bench_ticks_to_unit(cell->best[cpus]);
}

/* Return the time on @cpus CPUs against that on one CPU. */
static u64 cell_slow_down(const struct cell *cell, unsigned int cpus)
{
	if (cell->best[cpus] == BENCH_NONE)
		return BENCH_NONE;
	return cell->best[cpus] * BENCH_UNIT / max(cell->best[1], 1ULL);
}

static void cell_report(struct cell *cell, const unsigned int *counts)
{
	struct cell *floor = find_cell(cell->c->floor);
	char name[64];

	scnprintf(name, sizeof(name), "%s_all_cpus", cell->c->name);
	for (; *counts; counts++) {
		unsigned int n = *counts;

		if (cell->best[n] == BENCH_NONE)
			continue;
		bench_report(&(struct bench_result) {
			.name = cell->c->name,
			.value = cell_value(cell, n),
			.unit = bench_unit(),
			.cpus = n,
			.participants = cell->c->nr,
			.peer = cell->c->floor,
			.peer_value = floor ? cell_value(floor, n) : BENCH_NONE,
		});
		if (!floor || n == 1 || floor->best[n] == BENCH_NONE)
			continue;
		bench_report(&(struct bench_result) {
			.name = name,
			.value = cell_slow_down(cell, n) * BENCH_UNIT /
				 max(cell_slow_down(floor, n), 1ULL),
			.unit = "of_floor",
			.cpus = n,
			.participants = cell->c->nr,
			.peer = cell->c->floor,
			.peer_value = cell_slow_down(floor, n),
		});
	}
}

int bench_scaling(void)
{
	const struct memquota_limits limits = { };
	unsigned int cpus = bench_cpus(), counts[BENCH_CPUS + 1] = { };
	unsigned int i, j, round;
	struct memquota_tracker *tracker;
	u64 value;
	int err = 0;

	for (i = 0, j = 1; j < cpus; j *= 2)
		counts[i++] = j;
	counts[i++] = cpus;

	tracker = memquota_tracker_create("bench-scaling", &limits, 0);
	if (IS_ERR_OR_NULL(tracker))
		return -EINVAL;
	cells = kcalloc(CASES, sizeof(*cells), GFP_KERNEL);
	if (!cells) {
		memquota_tracker_destroy(tracker);
		return -ENOMEM;
	}
	nr_cells = 0;
	add_cells(bench_peer_cases, bench_nr_peer_cases, tracker, cpus);
	add_cells(bench_charge_cases, bench_nr_charge_cases, tracker, cpus);
	add_cells(bench_object_cases, bench_nr_object_cases, tracker, cpus);
	add_cells(bench_arena_shared_cases, bench_nr_arena_shared_cases,
		  tracker, cpus);
	add_cells(bench_pattern_shared_cases, bench_nr_pattern_shared_cases,
		  tracker, cpus);

	for (round = 0; !err && round < rounds; round++)
		for (i = 0; i < nr_cells; i++)
			for (j = 0; !err && counts[j]; j++) {
				struct cell *cell = &cells[i];
				unsigned int n = counts[j];

				err = cell_measure(cell, n, &value);
				cell->best[n] = min(cell->best[n], value);
				cond_resched();
			}
	for (i = 0; !err && i < nr_cells; i++)
		cell_report(&cells[i], counts);
	while (nr_cells)
		cell_teardown(&cells[--nr_cells]);
	kfree(cells);
	memquota_tracker_destroy(tracker);
	return err;
}
