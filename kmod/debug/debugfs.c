// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/memquota/: one directory for each tracker.
 *
 * No lock is held while text is formatted. Each file iterates over objects that
 * have a number: it takes one object at a time, copies what the line shows, and
 * prints the copy. Numbers only grow, so a reader with a small buffer resumes
 * where it stopped, even if objects came and went.
 *
 * Lines consist of words separated by blanks. Blanks and backslashes in a name,
 * and bytes that are not printable ASCII, are shown as \ooo.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "../core/account.h"
#include "../core/core.h"
#include "../core/history.h"
#include "../core/record.h"
#include "../core/tracker.h"
#include "arena_debugfs.h"
#include "debugfs.h"
#include "tree.h"

/* Depth of the tree beyond which lines are not indented further. */
#define INDENT_MAX	32

static struct dentry *root;

static const char * const state_names[] = {
	[MEMQUOTA_DISABLED] = "disabled",
	[MEMQUOTA_COUNTING] = "counting",
	[MEMQUOTA_POISONED] = "poisoned",
	[MEMQUOTA_GONE] = "gone",
};

static void show_limit(struct seq_file *m, const char *name, u64 bytes)
{
	if (bytes == MEMQUOTA_UNLIMITED)
		seq_printf(m, "%s unlimited\n", name);
	else
		seq_printf(m, "%s %llu\n", name, bytes);
}

/* Print a limit or another number of bytes as a column. */
static void show_bytes(struct seq_file *m, u64 bytes)
{
	if (bytes == MEMQUOTA_UNLIMITED)
		seq_puts(m, "    unlimited");
	else
		seq_printf(m, " %12llu", bytes);
}

static void show_age(struct seq_file *m, u64 age_ns)
{
	if (age_ns == MEMQUOTA_NO_DATA)
		seq_puts(m, "          -");
	else
		seq_printf(m, " %10llu", div_u64(age_ns, NSEC_PER_MSEC));
}

static void show_set_limit(struct seq_file *m, const char *name, u64 bytes)
{
	if (bytes)
		show_limit(m, name, bytes);
	else
		seq_printf(m, "%s derived\n", name);
}

static int usage_show(struct seq_file *m, void *unused)
{
	struct memquota_tracker *t = m->private;
	struct memquota_usage usage;
	u64 cached = memquota_shares_bytes(t);

	/* The lock keeps the limits in force consistent with those set. */
	mutex_lock(&t->config_lock);
	memquota_tracker_usage(t, &usage);
	mutex_unlock(&t->config_lock);
	show_limit(m, "total", usage.total);
	show_limit(m, "peak", usage.peak);
	seq_printf(m, "shares %llu\n", cached);
	show_limit(m, "max", usage.limits.max);
	show_limit(m, "high", usage.limits.high);
	show_limit(m, "low_water", usage.limits.low_water);
	seq_printf(m, "reclaims %llu\n", usage.reclaims);
	seq_printf(m, "accounts %llu\n", usage.accounts);
	seq_printf(m, "participants %llu\n", usage.participants);
	seq_printf(m, "state %s\n", state_names[usage.state]);
	show_set_limit(m, "set_max", usage.set.max);
	show_set_limit(m, "set_high", usage.set.high);
	show_set_limit(m, "set_low_water", usage.set.low_water);
	seq_printf(m, "slot_bytes %u\n", READ_ONCE(t->slot_bytes));
	seq_printf(m, "cpu_bytes %u\n", READ_ONCE(t->cpu_bytes));
	seq_printf(m, "waiting %u\n", READ_ONCE(t->waitq.nr));
	seq_printf(m, "waiting_bytes %llu\n", READ_ONCE(t->waitq.bytes));
	seq_printf(m, "asked %u\n", READ_ONCE(t->requests.nr_pending));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(usage);

/* Accounts by id; the position is the id. */
static void *accounts_start(struct seq_file *m, loff_t *pos)
{
	struct memquota_account *a;

	if (!*pos)
		return SEQ_START_TOKEN;
	a = memquota_account_next(m->private, *pos);
	if (a)
		*pos = a->id;
	return a;
}

static void accounts_stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		memquota_account_unref(v);
}

static void *accounts_next(struct seq_file *m, void *v, loff_t *pos)
{
	accounts_stop(m, v);
	++*pos;
	return accounts_start(m, pos);
}

static int accounts_show(struct seq_file *m, void *v)
{
	struct memquota_account_usage usage;
	struct memquota_account *a = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "        id         held     refused    reclaims state  name\n");
		return 0;
	}
	memquota_account_usage(a, &usage);
	seq_printf(m, "%10llu %12llu %11llu %11llu %-6s ", a->id,
		   usage.held, usage.refused, usage.reclaims,
		   usage.closed ? "closed" : "open");
	memquota_debugfs_show_name(m, a->name);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations accounts_sops = {
	.start = accounts_start,
	.next = accounts_next,
	.stop = accounts_stop,
	.show = accounts_show,
};
DEFINE_SEQ_ATTRIBUTE(accounts);

/*
 * Accounts as a tree. The shape is copied when a reader begins, and kept until
 * it closes the file. The position is a line, from 1.
 */
struct tree_reader {
	struct memquota_tracker *tracker;
	struct memquota_tree tree;
};

static const char * const place_names[] = {
	[MEMQUOTA_ONCE] = "-",
	[MEMQUOTA_FIRST] = "first",
	[MEMQUOTA_AGAIN] = "again",
};

static void *tree_start(struct seq_file *m, loff_t *pos)
{
	struct tree_reader *reader = m->private;
	int err;

	if (*pos)
		return *pos <= reader->tree.nr_lines ?
		       &reader->tree.lines[*pos - 1] : NULL;
	memquota_tree_free(&reader->tree);
	err = memquota_tree_build(reader->tracker, &reader->tree);
	return err ? ERR_PTR(err) : SEQ_START_TOKEN;
}

static void *tree_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct tree_reader *reader = m->private;

	++*pos;
	return *pos <= reader->tree.nr_lines ?
	       &reader->tree.lines[*pos - 1] : NULL;
}

static void tree_stop(struct seq_file *m, void *v)
{
}

static int tree_show(struct seq_file *m, void *v)
{
	struct memquota_tree_line *line = v;
	struct tree_reader *reader = m->private;
	struct memquota_account_view view = {
		.usage.max = MEMQUOTA_UNLIMITED,
		.age_ns = MEMQUOTA_NO_DATA,
	};
	struct memquota_account *a;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "depth         id         held          max     age_ms participants     refused    reclaims state  place name\n");
		return 0;
	}
	a = memquota_account_next(reader->tracker, line->id);
	if (a && a->id != line->id) {
		memquota_account_unref(a);
		a = NULL;
	}
	if (a)
		memquota_view_account(a, &view);
	seq_printf(m, "%5u %10llu %12llu", line->depth, line->id,
		   view.usage.held);
	show_bytes(m, view.usage.max);
	show_age(m, view.age_ns);
	seq_printf(m, " %12u %11llu %11llu %-6s %-5s %*s", view.usage.participants,
		   view.usage.refused, view.usage.reclaims,
		   !a ? "gone" : view.usage.closed ? "closed" : "open",
		   place_names[line->place],
		   2 * min_t(int, line->depth, INDENT_MAX), "");
	memquota_debugfs_show_name(m, a ? a->name : "");
	seq_putc(m, '\n');
	if (a)
		memquota_account_unref(a);
	return 0;
}

static const struct seq_operations tree_sops = {
	.start = tree_start,
	.next = tree_next,
	.stop = tree_stop,
	.show = tree_show,
};

static int tree_open(struct inode *inode, struct file *file)
{
	struct tree_reader *reader;

	reader = __seq_open_private(file, &tree_sops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->tracker = inode->i_private;
	return 0;
}

static int tree_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct tree_reader *reader = m->private;

	memquota_tree_free(&reader->tree);
	return seq_release_private(inode, file);
}

static const struct file_operations tree_fops = {
	.owner = THIS_MODULE,
	.open = tree_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = tree_release,
};

/* What each CPU holds in advance; the position is the CPU's number plus 1. */
static void *caches_start(struct seq_file *m, loff_t *pos)
{
	unsigned int cpu;

	if (!*pos)
		return SEQ_START_TOKEN;
	cpu = cpumask_next(*pos - 2, cpu_possible_mask);
	if (cpu >= nr_cpu_ids)
		return NULL;
	*pos = cpu + 1;
	return pos;
}

static void *caches_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return caches_start(m, pos);
}

static void caches_stop(struct seq_file *m, void *v)
{
}

static int caches_show(struct seq_file *m, void *v)
{
	struct memquota_cpu_view view;
	unsigned int cpu, i;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, " cpu what    bytes  freed    account participant\n");
		return 0;
	}
	cpu = *(loff_t *)v - 1;
	memquota_view_cpu(m->private, cpu, &view);
	seq_printf(m, "%4u share %7llu      0          0 -\n", cpu,
		   view.share_bytes);
	for (i = 0; i < view.nr; i++) {
		seq_printf(m, "%4u %-5s %7u %6u %10llu ", cpu,
			   view.slots[i].is_void ? "void" : "slot",
			   view.slots[i].bytes, view.slots[i].freed_bytes,
			   view.slots[i].account_id);
		memquota_debugfs_show_name(m, view.slots[i].name);
		seq_putc(m, '\n');
	}
	return 0;
}

static const struct seq_operations caches_sops = {
	.start = caches_start,
	.next = caches_next,
	.stop = caches_stop,
	.show = caches_show,
};
DEFINE_SEQ_ATTRIBUTE(caches);

/* The last runs of reclaim; the position is the number of the run. */
struct reclaims_reader {
	struct memquota_tracker *tracker;
	struct memquota_past_run run;
};

static const char * const past_states[] = {
	[MEMQUOTA_RUNNING] = "running",
	[MEMQUOTA_REACHED] = "reached",
	[MEMQUOTA_GAVE_UP] = "gave_up",
};

static void *reclaims_start(struct seq_file *m, loff_t *pos)
{
	struct reclaims_reader *reader = m->private;

	if (!*pos)
		return SEQ_START_TOKEN;
	if (!memquota_history_get(reader->tracker, *pos, &reader->run))
		return NULL;
	*pos = reader->run.number;
	return &reader->run;
}

static void *reclaims_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return reclaims_start(m, pos);
}

static void reclaims_stop(struct seq_file *m, void *v)
{
}

static void show_run(struct seq_file *m, const struct memquota_past_run *run)
{
	seq_printf(m, "run    %6llu %12llu %8llu %12llu %12llu", run->number,
		   div_u64(run->began_ns, NSEC_PER_MSEC),
		   div_u64(run->took_ns, NSEC_PER_MSEC), run->from_bytes,
		   run->to_bytes);
	show_bytes(m, run->limits.max);
	show_bytes(m, run->limits.high);
	show_bytes(m, run->limits.low_water);
	seq_printf(m, " %12llu %12llu %12llu %6llu %s\n", run->refused_bytes,
		   run->pressure_bytes, run->freed_bytes, run->asks,
		   past_states[run->state]);
}

static void show_victim(struct seq_file *m, u64 number,
			const struct memquota_past_victim *v)
{
	seq_printf(m, "victim %6llu %12llu %8u", number, v->account_id, v->asks);
	show_bytes(m, v->want_bytes);
	seq_printf(m, " %12llu %12llu ", v->freed_bytes,
		   div_u64(v->age_ns, NSEC_PER_MSEC));
	memquota_debugfs_show_name(m, v->account);
	seq_putc(m, ' ');
	memquota_debugfs_show_name(m, v->participant);
	seq_putc(m, '\n');
}

static int reclaims_show(struct seq_file *m, void *v)
{
	const struct memquota_past_run *run = v;
	unsigned int i;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "#run   number     began_ms  took_ms         from           to          max         high    low_water      refused     pressure        freed   asks state\n");
		seq_puts(m, "#victim   run      account     asks         want        freed       age_ms account participant\n");
		return 0;
	}
	show_run(m, run);
	for (i = 0; i < run->nr_victims; i++)
		show_victim(m, run->number, &run->victims[i]);
	return 0;
}

static const struct seq_operations reclaims_sops = {
	.start = reclaims_start,
	.next = reclaims_next,
	.stop = reclaims_stop,
	.show = reclaims_show,
};

static int reclaims_open(struct inode *inode, struct file *file)
{
	struct reclaims_reader *reader;

	reader = __seq_open_private(file, &reclaims_sops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->tracker = inode->i_private;
	return 0;
}

static const struct file_operations reclaims_fops = {
	.owner = THIS_MODULE,
	.open = reclaims_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static ssize_t drain_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	memquota_drain_fresh(file_inode(file)->i_private);
	return count;
}

static const struct file_operations drain_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = drain_write,
	.llseek = noop_llseek,
};

static int failed_joins_get(void *data, u64 *val)
{
	*val = atomic64_read(&memquota_failed_joins);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(failed_joins_fops, failed_joins_get, NULL, "%llu\n");

static void debugfs_add_tracker(struct memquota_tracker *t)
{
	t->debugfs = debugfs_create_dir(t->name, root);
	debugfs_create_file("usage", 0400, t->debugfs, t, &usage_fops);
	debugfs_create_file("accounts", 0400, t->debugfs, t, &accounts_fops);
	debugfs_create_file("tree", 0400, t->debugfs, t, &tree_fops);
	debugfs_create_file("caches", 0400, t->debugfs, t, &caches_fops);
	debugfs_create_file("reclaims", 0400, t->debugfs, t, &reclaims_fops);
	debugfs_create_file("drain", 0200, t->debugfs, t, &drain_fops);
}

static int debugfs_tracker_event(struct notifier_block *nb,
				 unsigned long event, void *tracker)
{
	struct memquota_tracker *t = tracker;

	switch (event) {
	case MEMQUOTA_TRACKER_ADDED:
		debugfs_add_tracker(t);
		break;
	case MEMQUOTA_TRACKER_REMOVED:
		/* Waits for readers, which hold no reference to the tracker. */
		debugfs_remove(t->debugfs);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block debugfs_tracker_notifier = {
	.notifier_call = debugfs_tracker_event,
};

/* Before the first tracker is created. */
void memquota_debugfs_init(void)
{
	root = debugfs_create_dir("memquota", NULL);
	debugfs_create_file("failed_joins", 0400, root, NULL, &failed_joins_fops);
	memquota_arena_debugfs_init(root);
	blocking_notifier_chain_register(&memquota_tracker_notifier,
					 &debugfs_tracker_notifier);
}

/* After the last tracker was destroyed. */
void memquota_debugfs_exit(void)
{
	blocking_notifier_chain_unregister(&memquota_tracker_notifier,
					   &debugfs_tracker_notifier);
	debugfs_remove(root);
}
