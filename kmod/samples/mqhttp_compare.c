// SPDX-License-Identifier: GPL-2.0
/* Time the parsing of a request: an arena against kmalloc() and kfree(). */
#include <linux/bottom_half.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "mqhttp.h"

/* Rounds: first those that are not counted, then those that are. */
#define COMPARE_WARM_UP		4
#define COMPARE_ROUNDS		32

/*
 * Parse a text and free its objects, with @arena or, if that is NULL, the slab.
 * Add the time to @sum_ns. Return -ENOMEM if there was no memory.
 */
static int compare_time_once(struct memquota_arena *arena, const char *text,
			     size_t len, unsigned int *objects, u64 *sum_ns)
{
	struct mqhttp_source source = { .arena = arena };
	struct mqhttp_request *request;
	int err = -ENOMEM;
	u64 begin_ns;

	local_bh_disable();
	begin_ns = ktime_get_ns();
	request = mqhttp_new_request(&source, len);
	if (request && request->text) {
		memcpy(request->text, text, len);
		err = mqhttp_parse(&source, request, len);
	}
	if (arena)
		memquota_arena_reset(arena);
	else if (request)
		mqhttp_free_request(request);
	*sum_ns += ktime_get_ns() - begin_ns;
	local_bh_enable();
	*objects = source.objects;
	return err == -ENOMEM ? err : 0;
}

static void compare_show_time(struct seq_file *m, const char *way, u64 ns,
			      unsigned int objects)
{
	u64 tenths = div_u64(10 * ns, COMPARE_ROUNDS * objects);

	seq_printf(m, "%s_ns_per_request %llu\n", way,
		   div_u64(ns, COMPARE_ROUNDS));
	seq_printf(m, "%s_ns_per_object %llu.%u\n", way, div_u64(tenths, 10),
		   (unsigned int)(tenths % 10));
}

/* The two ways alternate, so that other load affects both alike. */
static int compare_time_both(struct seq_file *m, const char *text, size_t len)
{
	static const struct memquota_arena_config config = {
		.gfp = GFP_ATOMIC | __GFP_NOWARN,
	};
	u64 slab_ns = 0, arena_ns = 0;
	struct memquota_arena arena;
	unsigned int objects, i;
	int err;

	err = memquota_arena_init(&arena, &config, "mqhttp/compare");
	if (err)
		return err;
	for (i = 0; i < COMPARE_WARM_UP + COMPARE_ROUNDS && !err; i++) {
		if (i == COMPARE_WARM_UP) {
			slab_ns = 0;
			arena_ns = 0;
		}
		err = compare_time_once(NULL, text, len, &objects, &slab_ns) ?:
		      compare_time_once(&arena, text, len, &objects, &arena_ns);
		cond_resched();
	}
	memquota_arena_destroy(&arena);
	if (err)
		return err;
	seq_printf(m, "rounds %u\n", COMPARE_ROUNDS);
	seq_printf(m, "objects %u\n", objects);
	compare_show_time(m, "kmalloc", slab_ns, objects);
	compare_show_time(m, "arena", arena_ns, objects);
	return 0;
}

int mqhttp_compare_show(struct seq_file *m, void *unused)
{
	char *text = kmalloc(MQHTTP_HEAD_MAX, GFP_KERNEL);
	size_t len;
	int err;

	if (!text)
		return -ENOMEM;
	len = mqhttp_copy_last(text);
	err = len ? compare_time_both(m, text, len) : -ENODATA;
	kfree(text);
	return err;
}
