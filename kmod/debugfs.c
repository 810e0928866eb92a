// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/memquota/: a directory a tracker, to read and to drain.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "chunk.h"
#include "debugfs.h"
#include "quota.h"

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

static int usage_show(struct seq_file *m, void *unused)
{
	struct memquota_tracker *t = m->private;
	struct memquota_usage usage;
	u64 cached = memquota_shares_bytes(t);

	memquota_tracker_usage(t, &usage);
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
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(usage);

/*
 * Accounts by id: the position is an id, so that the listing goes on where it
 * was however many came and went, and no lock is held while formatting.
 */
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
	seq_printf(m, "%10llu %12llu %11llu %11llu %-6s %s\n", a->id,
		   usage.held, usage.refused, usage.reclaims,
		   usage.closed ? "closed" : "open", a->name);
	return 0;
}

static const struct seq_operations accounts_sops = {
	.start = accounts_start,
	.next = accounts_next,
	.stop = accounts_stop,
	.show = accounts_show,
};
DEFINE_SEQ_ATTRIBUTE(accounts);

static ssize_t drain_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	memquota_tracker_drain(file_inode(file)->i_private);
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

static int chunks_show(struct seq_file *m, void *v)
{
	memquota_chunk_show_pool(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(chunks);

void memquota_debugfs_init(void)
{
	root = debugfs_create_dir("memquota", NULL);
	debugfs_create_file("failed_joins", 0400, root, NULL, &failed_joins_fops);
	debugfs_create_file("chunks", 0400, root, NULL, &chunks_fops);
}

void memquota_debugfs_exit(void)
{
	debugfs_remove(root);
}

void memquota_debugfs_add(struct memquota_tracker *t)
{
	t->dir = debugfs_create_dir(t->name, root);
	debugfs_create_file("usage", 0400, t->dir, t, &usage_fops);
	debugfs_create_file("accounts", 0400, t->dir, t, &accounts_fops);
	debugfs_create_file("drain", 0200, t->dir, t, &drain_fops);
}

void memquota_debugfs_remove(struct memquota_tracker *t)
{
	debugfs_remove(t->dir);
}
