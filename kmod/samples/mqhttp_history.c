// SPDX-License-Identifier: GPL-2.0
/*
 * The last requests: a line about each, as a reference of an arena that reclaim
 * may take.
 */
#include <linux/ctype.h>
#include <linux/list.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include "mqhttp.h"

/* Requests, and characters of the host and of the path. */
#define HISTORY_MAX		256
#define HISTORY_HOST_MAX	64
#define HISTORY_PATH_MAX	128

/* A line about a request. The history and mqhttp_requests_show() hold one. */
struct history_summary {
	struct list_head node;
	u64 sent_ns;
	unsigned int nr[MQHTTP_NR_KINDS];
	unsigned int objects;
	size_t bytes;
	bool whole;
	char line[];
};

static struct {
	spinlock_t lock;		/* protects all fields below */
	struct memquota_arena arena;	/* valid while @open */
	bool open;
	struct list_head summaries;	/* the oldest first */
	unsigned int nr;
	u64 lost;			/* summaries that got no memory */
	u64 given_up;			/* reclaims of the history */
	size_t last_len;
	char last[MQHTTP_HEAD_MAX];	/* the last request's text */
} history = {
	.lock = __SPIN_LOCK_UNLOCKED(history.lock),
	.summaries = LIST_HEAD_INIT(history.summaries),
};

static void history_remove_summary(struct history_summary *summary)
{
	lockdep_assert_held(&history.lock);
	list_del(&summary->node);
	history.nr--;
	memquota_ref_put(summary);
}

/* Remove all summaries. Return whether the caller must destroy the arena. */
static bool history_close(void)
{
	struct history_summary *summary, *next;
	bool was_open = history.open;

	lockdep_assert_held(&history.lock);
	list_for_each_entry_safe(summary, next, &history.summaries, node)
		history_remove_summary(summary);
	history.open = false;
	return was_open;
}

/*
 * Reclaim chose the history. memquota_arena_destroy() waits for this callback,
 * so only the callback itself may call it under a lock that the callback takes.
 */
static void history_collapse(struct memquota_arena *arena)
{
	spin_lock(&history.lock);
	if (history_close()) {
		memquota_arena_destroy(arena);
		history.given_up++;
	}
	spin_unlock(&history.lock);
}

static int history_open(void)
{
	static const struct memquota_arena_config config = {
		.gfp = GFP_ATOMIC | __GFP_NOWARN,
		.collapse = history_collapse,
	};
	int err;

	lockdep_assert_held(&history.lock);
	if (history.open)
		return 0;
	err = memquota_arena_init(&history.arena, &config, "mqhttp/history");
	history.open = !err;
	return err;
}

/* Append a string and a space. Unprintable characters could break the line. */
static char *history_append(char *to, const char *from, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		*to++ = isascii(from[i]) && isgraph(from[i]) ? from[i] : '?';
	*to++ = ' ';
	return to;
}

static const struct mqhttp_field *
history_find_header(const struct mqhttp_request *request, const char *name)
{
	const struct mqhttp_field *field = request->fields[MQHTTP_HEADER];

	while (field && strcasecmp(field->name, name))
		field = field->next;
	return field;
}

/* Allocate a line about a request from the history's arena; NULL on error. */
static struct history_summary *
history_summarize(const struct mqhttp_source *source,
		  const struct mqhttp_request *request)
{
	const struct mqhttp_field *host = history_find_header(request, "host");
	size_t method_len = strlen(request->method);
	size_t path_len = strnlen(request->path, HISTORY_PATH_MAX);
	size_t host_len = host ? strnlen(host->value, HISTORY_HOST_MAX) : 0;
	struct history_summary *summary;
	char *end;

	lockdep_assert_held(&history.lock);
	if (history_open())
		return NULL;
	summary = memquota_arena_alloc_ref(&history.arena,
					   struct_size(summary, line,
						       method_len + host_len +
						       path_len + 3),
					   __alignof__(*summary));
	if (IS_ERR(summary))
		return NULL;
	summary->sent_ns = ktime_get_coarse_ns();
	memcpy(summary->nr, request->nr, sizeof(summary->nr));
	summary->objects = source->objects;
	summary->bytes = source->bytes;
	summary->whole = request->whole;
	end = history_append(summary->line, request->method, method_len);
	if (host_len)
		end = history_append(end, host->value, host_len);
	end = history_append(end, request->path, path_len);
	end[-1] = '\0';
	return summary;
}

/* Add a parsed request, with bottom halves off; @len is its text's length. */
void mqhttp_add_history(const struct mqhttp_source *source,
			const struct mqhttp_request *request, size_t len)
{
	struct history_summary *summary;

	spin_lock(&history.lock);
	if (history.nr == HISTORY_MAX)
		history_remove_summary(list_first_entry(&history.summaries,
							struct history_summary,
							node));
	summary = history_summarize(source, request);
	if (summary) {
		list_add_tail(&summary->node, &history.summaries);
		history.nr++;
	} else {
		history.lost++;
	}
	memcpy(history.last, request->text, len);
	history.last_len = len;
	spin_unlock(&history.lock);
}

/* Copy the last request's text, at most MQHTTP_HEAD_MAX bytes. */
size_t mqhttp_copy_last(char *text)
{
	size_t len;

	spin_lock_bh(&history.lock);
	len = history.last_len;
	memcpy(text, history.last, len);
	spin_unlock_bh(&history.lock);
	return len;
}

void mqhttp_show_history(struct seq_file *m)
{
	struct memquota_arena_stats stats = {};

	spin_lock_bh(&history.lock);
	if (history.open)
		memquota_arena_stats(&history.arena, &stats);
	seq_printf(m, "history_summaries %u\n", history.nr);
	seq_printf(m, "history_lost %llu\n", history.lost);
	seq_printf(m, "history_given_up %llu\n", history.given_up);
	spin_unlock_bh(&history.lock);
	seq_printf(m, "history_chunks %llu\n", stats.ever.chunks);
	seq_printf(m, "history_cache_hits %llu\n", stats.ever.cache_hits);
	seq_printf(m, "history_held_bytes %llu\n", stats.held_bytes);
}

static void history_show_summary(struct seq_file *m,
				 const struct history_summary *summary)
{
	u32 rem;
	u64 s = div_u64_rem(summary->sent_ns, NSEC_PER_SEC, &rem);

	seq_printf(m, "%llu.%03u %u %u %u %u %zu %s %s\n", s,
		   rem / (unsigned int)NSEC_PER_MSEC,
		   summary->nr[MQHTTP_PARAM], summary->nr[MQHTTP_HEADER],
		   summary->nr[MQHTTP_COOKIE], summary->objects,
		   summary->bytes, summary->whole ? "whole" : "partial",
		   summary->line);
}

/*
 * Show all summaries. Taking references keeps the lock short: printing needs
 * only them.
 */
int mqhttp_requests_show(struct seq_file *m, void *unused)
{
	struct history_summary **shown, *summary;
	unsigned int n = 0, i;

	shown = kmalloc_array(HISTORY_MAX, sizeof(*shown), GFP_KERNEL);
	if (!shown)
		return -ENOMEM;
	spin_lock_bh(&history.lock);
	list_for_each_entry(summary, &history.summaries, node) {
		memquota_ref_get(summary);
		shown[n++] = summary;
	}
	spin_unlock_bh(&history.lock);

	seq_puts(m, "sent params headers cookies objects bytes state method host path\n");
	for (i = 0; i < n; i++) {
		history_show_summary(m, shown[i]);
		memquota_ref_put(shown[i]);
	}
	kfree(shown);
	return 0;
}

void mqhttp_destroy_history(void)
{
	bool open;

	spin_lock_bh(&history.lock);
	open = history_close();
	spin_unlock_bh(&history.lock);
	/* Not under the lock, which the callback takes. */
	if (open)
		memquota_arena_destroy(&history.arena);
}
