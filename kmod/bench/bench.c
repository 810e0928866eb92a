// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmarks of memquota, in the kernel.
 *
 * Write names of groups to /sys/kernel/debug/memquota_bench/run to run them in
 * the context of the writer, whose cgroup matters to some peers. Read the
 * results from /sys/kernel/debug/memquota_bench/results, one a line, with "-"
 * for an absent value:
 *
 *	case value unit cpus participants peer peer_value budget section empty
 *	operations
 *
 * The last three say which sections between the marks of marks.h the value is
 * from: the section of the operations, that of the empty loop, and the number of
 * operations in each. They are 0 if there are none.
 */
#define pr_fmt(fmt) "memquota_bench: " fmt

#include <linux/debugfs.h>
#include <linux/irqflags.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "../core/compat.h"
#include "bench.h"

bool bench_counts;
module_param_named(counts, bench_counts, bool, 0444);
MODULE_PARM_DESC(counts, "the clock counts instructions");

static unsigned int readings = 30;
module_param(readings, uint, 0644);
MODULE_PARM_DESC(readings, "readings to take the least of");

char *bench_only;
module_param_named(only, bench_only, charp, 0444);
MODULE_PARM_DESC(only, "name of the only case to measure");

static const struct {
	const char *name;
	int (*run)(void);
} groups[] = {
	{ "peers", bench_peers },
	{ "charge", bench_charge },
	{ "objects", bench_objects },
	{ "arena", bench_arena },
	{ "index", bench_index },
	{ "latency", bench_latency },
	{ "memory", bench_memory },
	{ "overhead", bench_overhead },
	{ "participants", bench_participants },
	{ "patterns", bench_patterns },
	{ "range", bench_range },
	{ "scaling", bench_scaling },
	{ "two_cpus", bench_two_cpus },
};

struct line {
	struct list_head node;
	char name[64];
	u64 value;
	char text[];
};

static DEFINE_MUTEX(results_lock);
static LIST_HEAD(lines);
static struct dentry *debugfs_dir;
static u64 ticks_per_ms;
static unsigned int sections;

static int print_value(char *buf, size_t size, u64 value)
{
	if (value == BENCH_NONE)
		return scnprintf(buf, size, "-");
	return scnprintf(buf, size, "%llu.%03llu", value / BENCH_UNIT,
			 value % BENCH_UNIT);
}

void bench_report(const struct bench_result *r)
{
	char value[32], peer_value[32], budget[32];
	struct line *line;

	print_value(value, sizeof(value), r->value);
	print_value(peer_value, sizeof(peer_value), r->peer ? r->peer_value :
							      BENCH_NONE);
	print_value(budget, sizeof(budget), r->budget ?: BENCH_NONE);
	line = kmalloc(sizeof(*line) + 256, GFP_KERNEL);
	if (!line)
		return;
	strscpy(line->name, r->name, sizeof(line->name));
	line->value = r->value;
	scnprintf(line->text, 256, "%s %s %s %u %u %s %s %s %u %u %lu", r->name,
		  value, r->unit, r->cpus, r->participants, r->peer ?: "-",
		  peer_value, budget, r->section, r->empty_section,
		  r->operations);
	pr_info("%s\n", line->text);
	list_add_tail(&line->node, &lines);
}

/* Return the value last reported for a case, or BENCH_NONE. */
u64 bench_last_value(const char *name)
{
	struct line *line;

	list_for_each_entry_reverse(line, &lines, node)
		if (!strcmp(line->name, name))
			return line->value;
	return BENCH_NONE;
}

/* Return the cost of reading the clock, to be subtracted. */
static u64 measure_empty_reading(void)
{
	u64 best = U64_MAX;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		u64 start = bench_clock();

		best = min(best, bench_clock() - start);
	}
	return best;
}

u64 bench_ticks_to_unit(u64 ticks)
{
	if (bench_counts)
		return ticks;
	return ticks * 1000 / (ticks_per_ms / 1000);
}

const char *bench_unit(void)
{
	return bench_counts ? "instructions" : "ns";
}

struct reading {
	u64 ticks;
	unsigned int section;
};

/*
 * Return the least of many readings, to leave out interrupts. A reading covers
 * thousands of operations, so it includes rare work of an operation.
 */
static struct reading read_least(struct bench *b, const struct bench_case *c,
				 u64 (*loop)(struct bench *b, unsigned long n))
{
	struct reading best = { .ticks = U64_MAX };
	unsigned long flags;
	unsigned int i;
	u64 ticks;

	for (i = 0; i <= readings; i++) {
		if (c->rewind)
			c->rewind(b);
		if (c->cold)
			bench_mark(BENCH_MARK_COLD);
		if (c->quiet)
			local_irq_save(flags);
		bench_mark(BENCH_MARK_BEGIN);
		ticks = loop(b, bench_times(c));
		bench_mark(BENCH_MARK_END);
		if (c->quiet)
			local_irq_restore(flags);
		sections++;
		/* The first reading warms up. */
		if (i && ticks < best.ticks)
			best = (struct reading){ ticks, sections };
		cond_resched();
	}
	return best;
}

int bench_measure(const struct bench_case *c, struct bench_result *result)
{
	struct reading best, empty = { .ticks = measure_empty_reading() };
	struct bench b = { };
	int err = c->setup ? c->setup(&b, c) : 0;

	if (err) {
		pr_err("%s: setup failed: %d\n", c->name, err);
		return err;
	}
	best = read_least(&b, c, c->loop);
	if (c->empty)
		empty = read_least(&b, c, c->empty);
	if (c->teardown)
		c->teardown(&b);
	best.ticks -= min(best.ticks, empty.ticks);
	*result = (struct bench_result) {
		.name = c->name,
		.value = bench_per_op(c, bench_ticks_to_unit(best.ticks),
				      bench_times(c)),
		.unit = bench_unit(),
		.cpus = 1,
		.participants = c->nr,
		.section = best.section,
		.empty_section = empty.section,
		.operations = bench_times(c) * (c->per ?: 1),
	};
	return 0;
}

int bench_run_cases(const struct bench_case *cases, size_t nr)
{
	struct bench_result result;
	const struct bench_case *c;
	int err, ret = 0;

	for (c = cases; c < cases + nr; c++) {
		if (bench_only && strcmp(bench_only, c->name))
			continue;
		err = bench_measure(c, &result);
		if (err) {
			ret = err;
			continue;
		}
		result.peer = c->peer;
		if (c->peer)
			result.peer_value = bench_last_value(c->peer);
		bench_report(&result);
	}
	return ret;
}

static ssize_t run_write(struct file *file, const char __user *ubuf,
			 size_t count, loff_t *pos)
{
	char *buf, *cursor, *name;
	ssize_t ret = count;
	size_t i;
	int err;

	if (count > 256)
		return -EINVAL;
	buf = memdup_user_nul(ubuf, count);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	mutex_lock(&results_lock);
	cursor = strim(buf);
	while ((name = strsep(&cursor, " "))) {
		for (i = 0; i < ARRAY_SIZE(groups); i++)
			if (!strcmp(name, groups[i].name))
				break;
		err = i < ARRAY_SIZE(groups) ? groups[i].run() : -ENOENT;
		if (err) {
			pr_err("%s: %d\n", name, err);
			ret = err;
		}
	}
	mutex_unlock(&results_lock);
	kfree(buf);
	return ret;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
};

static int results_show(struct seq_file *m, void *v)
{
	struct line *line;

	mutex_lock(&results_lock);
	list_for_each_entry(line, &lines, node)
		seq_printf(m, "%s\n", line->text);
	mutex_unlock(&results_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(results);

static void calibrate_clock(void)
{
	u64 ns = ktime_get_ns(), start = bench_clock(), now;

	do {
		cpu_relax();
		now = ktime_get_ns();
	} while (now - ns < 10 * NSEC_PER_MSEC);
	ticks_per_ms = (bench_clock() - start) * NSEC_PER_MSEC / (now - ns);
}

static int __init bench_init(void)
{
	calibrate_clock();
	bench_mark(BENCH_MARK_ATTACH);
	debugfs_dir = debugfs_create_dir("memquota_bench", NULL);
	debugfs_create_file("run", 0200, debugfs_dir, NULL, &run_fops);
	debugfs_create_file("results", 0444, debugfs_dir, NULL, &results_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	struct line *line, *next;

	debugfs_remove(debugfs_dir);
	bench_peers_exit();
	list_for_each_entry_safe(line, next, &lines, node)
		kfree(line);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Benchmarks of memquota");
MODULE_LICENSE("GPL");
