// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/memquota/arenas and chunks.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "../core/core.h"
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "../memory/store.h"
#include "arena_debugfs.h"
#include "debugfs.h"

/*
 * Return the account that an arena's memory is charged to; NULL if it is
 * charged to none. Good while the caller has a reference to the core, since the
 * core's participant leaves with the last one.
 */
struct memquota_account *
memquota_arena_account(const struct memquota_arena_core *core)
{
	const struct memquota_record *r =
		rcu_dereference_protected(core->participant.record, true);

	return r && !(READ_ONCE(r->flags) & RECORD_STATIC) ? r->account : NULL;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_arena_account);

/* Arenas of all trackers, and of none; the position is an id. */
static void *arenas_start(struct seq_file *m, loff_t *pos)
{
	struct memquota_arena_core *core;

	if (!*pos)
		return SEQ_START_TOKEN;
	core = memquota_core_next(*pos);
	if (core)
		*pos = core->id;
	return core;
}

static void arenas_stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		memquota_core_unref(v);
}

static void *arenas_next(struct seq_file *m, void *v, loff_t *pos)
{
	arenas_stop(m, v);
	++*pos;
	return arenas_start(m, pos);
}

static const char *arena_state_name(const struct memquota_arena_core *core)
{
	if (!READ_ONCE(core->arena))
		return "gone";
	return READ_ONCE(core->dropped) ? "dropped" : "live";
}

static int arenas_show(struct seq_file *m, void *v)
{
	struct memquota_arena_core *core = v;
	struct memquota_arena_stats stats;
	struct memquota_account *a;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "        id    account         held       wasted      chunks   one_shots  cache_hits relocations kind    state   tracker name\n");
		return 0;
	}
	memquota_core_stats(core, &stats);
	a = memquota_arena_account(core);
	seq_printf(m, "%10llu %10llu %12llu %12llu %11llu %11llu %11llu %11llu %-7s %-7s ",
		   core->id, a ? a->id : 0, stats.held_bytes,
		   stats.wasted_bytes, stats.ever.chunks, stats.ever.one_shots,
		   stats.ever.cache_hits, stats.ever.relocations,
		   core->config.flags & MEMQUOTA_ARENA_PERCPU ? "percpu" :
							       "single",
		   arena_state_name(core));
	memquota_debugfs_show_name(m, a ? a->tracker->name : "");
	seq_putc(m, ' ');
	memquota_debugfs_show_name(m, core->name);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations arenas_sops = {
	.start = arenas_start,
	.next = arenas_next,
	.stop = arenas_stop,
	.show = arenas_show,
};
DEFINE_SEQ_ATTRIBUTE(arenas);

static int chunks_show(struct seq_file *m, void *v)
{
	memquota_chunk_show_pool(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(chunks);

/* Create the arenas' files in memquota's directory, which removes them. */
void memquota_arena_debugfs_init(struct dentry *root)
{
	debugfs_create_file("chunks", 0400, root, NULL, &chunks_fops);
	debugfs_create_file("arenas", 0400, root, NULL, &arenas_fops);
}
