// SPDX-License-Identifier: GPL-2.0
/*
 * mqhttp: what an arena is good for. It looks at the HTTP/1 requests that
 * programs of this machine send over TCP and IPv4 in the initial network
 * namespace, takes each apart into a few hundred small objects, keeps a line
 * about it, and lets go of the objects all at once. Nothing is changed, held up
 * or dropped.
 *
 * It has two kinds of arenas:
 *
 *	requests  The objects of a request end together: plain memory and a
 *		  reset. Packets are sent by tasks and by softirqs on all CPUs
 *		  at once, and resets must be apart from allocations. So each
 *		  CPU has an arena of its own, and its user is whoever is on the
 *		  CPU with bottom halves off. One arena that is per CPU would
 *		  not do: nobody may reset it while others allocate.
 *	history	  The lines about the last requests live on: references. They
 *		  are in an arena apart, since one of them in a request's arena
 *		  would pin the chunk with all of the request, and make each
 *		  reset let go of it instead of starting it anew. Its user is
 *		  whoever has the lock of the history.
 *
 * All of it is under the default tracker's quota. Of the requests' arenas
 * reclaim takes what they cache; what they keep between requests is the chunk
 * that the next one needs. The history can be done without: it is given up
 * when it is the oldest, and begins anew with the next request.
 *
 * A request is looked at where its packet is sent first. What it has in further
 * packets, or behind its first HEAD_MAX bytes, is not put together with it:
 * it then counts as partial, with the lines that are whole.
 *
 * In /sys/kernel/debug/mqhttp:
 *
 *	stats	  counts, and what the arenas did
 *	requests  the history: time (s), fields, objects, their bytes, and the
 *		  request
 *	compare	  reading it parses the last request again and again, with an
 *		  arena and with kmalloc() and kfree() for each object
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/ip.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tcp.h>
#include <linux/timekeeping.h>
#include <memquota/arena.h>
#include <net/net_namespace.h>
#include <net/tcp.h>

/* What is looked at of a request: bytes, and fields of all kinds. */
#define HEAD_MAX		SZ_16K
#define FIELDS_MAX		1024

/* The history: requests, and characters of the host and of the path. */
#define HISTORY_MAX		256
#define HOST_MAX		64
#define PATH_MAX_SHOWN		128

/* Rounds of a comparison, those that warm up first not counted. */
#define COMPARE_WARM_UP		4
#define COMPARE_ROUNDS		32

/* The longest method, and the space behind it. */
#define METHOD_MAX		8

/* --- Taking a request apart --- */

/* A part of the text, not terminated. */
struct mqhttp_span {
	const char *at;
	size_t len;
};

enum mqhttp_kind { PARAM, HEADER, COOKIE, NR_KINDS };

/* Three objects: itself, and its strings, which are terminated. */
struct mqhttp_field {
	struct mqhttp_field *next;
	char *name;
	char *value;
};

struct mqhttp_request {
	char *text;
	char *method;
	char *path;
	struct mqhttp_field *fields[NR_KINDS];	/* the last one first */
	unsigned int nr[NR_KINDS];
	bool whole;
};

/* Where objects come from, and what was taken. */
struct mqhttp_source {
	struct memquota_arena *arena;	/* NULL: the slab */
	unsigned int objects;
	size_t bytes;
};

/* What went wrong matters to nobody here: NULL. */
static __always_inline void *take(struct mqhttp_source *source, size_t size,
				  size_t align)
{
	void *object;

	if (source->arena)
		object = memquota_arena_alloc(source->arena, size, align);
	else
		object = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (IS_ERR_OR_NULL(object))
		return NULL;
	source->objects++;
	source->bytes += size;
	return object;
}

static char *take_string(struct mqhttp_source *source, struct mqhttp_span from)
{
	char *string = take(source, from.len + 1, 1);

	if (!string)
		return NULL;
	memcpy(string, from.at, from.len);
	string[from.len] = '\0';
	return string;
}

/* A request, with room for its text. */
static struct mqhttp_request *request_new(struct mqhttp_source *source,
					  size_t len)
{
	struct mqhttp_request *request;

	request = take(source, sizeof(*request), __alignof__(*request));
	if (!request)
		return NULL;
	*request = (struct mqhttp_request){ .text = take(source, len, 1) };
	return request;
}

/* What a reset spares: going through all of it once more. */
static void request_free(struct mqhttp_request *request)
{
	struct mqhttp_field *field, *next;
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		for (field = request->fields[kind]; field; field = next) {
			next = field->next;
			kfree(field->name);
			kfree(field->value);
			kfree(field);
		}
	}
	kfree(request->path);
	kfree(request->method);
	kfree(request->text);
	kfree(request);
}

/* The piece in front of a separator, or all that is left, if there is any. */
static bool cut(struct mqhttp_span *rest, char separator,
		struct mqhttp_span *piece)
{
	const char *end;

	if (!rest->len)
		return false;
	*piece = *rest;
	end = memchr(rest->at, separator, rest->len);
	if (end)
		piece->len = end++ - rest->at;
	else
		end = rest->at + rest->len;
	rest->len -= end - rest->at;
	rest->at = end;
	return true;
}

/* A line that is whole. */
static bool cut_line(struct mqhttp_span *rest, struct mqhttp_span *line)
{
	if (!memchr(rest->at, '\n', rest->len) || !cut(rest, '\n', line))
		return false;
	if (line->len && line->at[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct mqhttp_span trim(struct mqhttp_span span)
{
	while (span.len && is_blank(*span.at)) {
		span.at++;
		span.len--;
	}
	while (span.len && is_blank(span.at[span.len - 1]))
		span.len--;
	return span;
}

static unsigned int nr_fields(const struct mqhttp_request *request)
{
	return request->nr[PARAM] + request->nr[HEADER] + request->nr[COOKIE];
}

/* Without a name it is nothing. */
static int add_field(struct mqhttp_source *source,
		     struct mqhttp_request *request, enum mqhttp_kind kind,
		     struct mqhttp_span name, struct mqhttp_span value)
{
	struct mqhttp_field *field;

	if (!name.len)
		return 0;
	if (nr_fields(request) == FIELDS_MAX)
		return -E2BIG;
	field = take(source, sizeof(*field), __alignof__(*field));
	if (!field)
		return -ENOMEM;
	*field = (struct mqhttp_field){
		.next = request->fields[kind],
		.name = take_string(source, name),
		.value = take_string(source, value),
	};
	/* Where request_free() finds it, also if a string is missing. */
	request->fields[kind] = field;
	request->nr[kind]++;
	return field->name && field->value ? 0 : -ENOMEM;
}

/* NAME=VALUE, any number of them. */
static int parse_pairs(struct mqhttp_source *source,
		       struct mqhttp_request *request, enum mqhttp_kind kind,
		       struct mqhttp_span pairs, char separator)
{
	struct mqhttp_span pair, name;
	int err;

	while (cut(&pairs, separator, &pair)) {
		pair = trim(pair);
		if (!cut(&pair, '=', &name))
			continue;
		err = add_field(source, request, kind, name, pair);
		if (err)
			return err;
	}
	return 0;
}

/* METHOD TARGET HTTP/1.x */
static int parse_first_line(struct mqhttp_source *source,
			    struct mqhttp_request *request,
			    struct mqhttp_span line)
{
	struct mqhttp_span method, target, path;

	if (!cut(&line, ' ', &method) || method.len >= METHOD_MAX ||
	    !cut(&line, ' ', &target) || !cut(&target, '?', &path) ||
	    line.len != strlen("HTTP/1.x") ||
	    memcmp(line.at, "HTTP/1.", strlen("HTTP/1.")))
		return -EINVAL;
	request->method = take_string(source, method);
	request->path = take_string(source, path);
	if (!request->method || !request->path)
		return -ENOMEM;
	return parse_pairs(source, request, PARAM, target, '&');
}

static int parse_header(struct mqhttp_source *source,
			struct mqhttp_request *request, struct mqhttp_span line)
{
	struct mqhttp_span name;
	int err;

	if (!memchr(line.at, ':', line.len) || !cut(&line, ':', &name))
		return 0;
	line = trim(line);
	err = add_field(source, request, HEADER, name, line);
	if (err || name.len != strlen("cookie") ||
	    strncasecmp(name.at, "cookie", name.len))
		return err;
	return parse_pairs(source, request, COOKIE, line, ';');
}

/*
 * The text has come from anywhere: nothing is taken for granted, and work and
 * memory are bounded by its length, HEAD_MAX at most, and by FIELDS_MAX.
 *
 * Return: 0, -EINVAL: this is no request; -E2BIG: it has too many fields;
 * -ENOMEM.
 */
static int parse(struct mqhttp_source *source, struct mqhttp_request *request,
		 size_t len)
{
	struct mqhttp_span rest = { request->text, len }, line;
	int err;

	if (!cut_line(&rest, &line))
		return -EINVAL;
	err = parse_first_line(source, request, line);
	while (!err && cut_line(&rest, &line)) {
		if (!line.len) {
			request->whole = true;
			return 0;
		}
		err = parse_header(source, request, line);
	}
	return err;
}

/* --- The history --- */

/* A line about a request. Referenced by the history, and by who reads it. */
struct mqhttp_summary {
	struct list_head node;
	u64 sent_ns;
	unsigned int nr[NR_KINDS];
	unsigned int objects;
	size_t bytes;
	bool whole;
	char line[];
};

static struct {
	spinlock_t lock;		/* protects the rest */
	struct memquota_arena arena;	/* while @open */
	bool open;
	struct list_head summaries;	/* the oldest first */
	unsigned int nr;
	u64 lost;			/* there was no memory for them */
	u64 given_up;			/* times that it was reclaimed */
	size_t last_len;
	char last[HEAD_MAX];		/* the last request's text */
} history = {
	.lock = __SPIN_LOCK_UNLOCKED(history.lock),
	.summaries = LIST_HEAD_INIT(history.summaries),
};

static void history_forget(struct mqhttp_summary *summary)
{
	lockdep_assert_held(&history.lock);
	list_del(&summary->node);
	history.nr--;
	memquota_ref_put(summary);
}

/* Returns whether the arena is to be destroyed. */
static bool history_end(void)
{
	struct mqhttp_summary *summary, *next;
	bool was_open = history.open;

	lockdep_assert_held(&history.lock);
	list_for_each_entry_safe(summary, next, &history.summaries, node)
		history_forget(summary);
	history.open = false;
	return was_open;
}

/*
 * The history was reclaimed. A callback may destroy its own arena under a lock
 * that it takes; nobody else may.
 */
static void history_collapse(struct memquota_arena *arena)
{
	spin_lock(&history.lock);
	if (history_end()) {
		memquota_arena_destroy(arena);
		history.given_up++;
	}
	spin_unlock(&history.lock);
}

static int history_begin(void)
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

/* What is not printable would be hard to read, or break the line. */
static char *append(char *to, const char *from, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		*to++ = isascii(from[i]) && isgraph(from[i]) ? from[i] : '?';
	*to++ = ' ';
	return to;
}

static const struct mqhttp_field *
find_header(const struct mqhttp_request *request, const char *name)
{
	const struct mqhttp_field *field = request->fields[HEADER];

	while (field && strcasecmp(field->name, name))
		field = field->next;
	return field;
}

/* A line about a request, in memory of the history's; or NULL. */
static struct mqhttp_summary *summarize(const struct mqhttp_source *source,
					const struct mqhttp_request *request)
{
	const struct mqhttp_field *host = find_header(request, "host");
	size_t method_len = strlen(request->method);
	size_t path_len = strnlen(request->path, PATH_MAX_SHOWN);
	size_t host_len = host ? strnlen(host->value, HOST_MAX) : 0;
	struct mqhttp_summary *summary;
	char *end;

	lockdep_assert_held(&history.lock);
	if (history_begin())
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
	end = append(summary->line, request->method, method_len);
	if (host_len)
		end = append(end, host->value, host_len);
	end = append(end, request->path, path_len);
	end[-1] = '\0';
	return summary;
}

static void history_add(const struct mqhttp_source *source,
			const struct mqhttp_request *request, size_t len)
{
	struct mqhttp_summary *summary;

	spin_lock(&history.lock);
	if (history.nr == HISTORY_MAX)
		history_forget(list_first_entry(&history.summaries,
						struct mqhttp_summary, node));
	summary = summarize(source, request);
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

/* --- Requests --- */

enum mqhttp_figure {
	REQUESTS,	/* with a first line as it is to be */
	PARTIAL,	/* of these: not to the end, or not all fields */
	MALFORMED,	/* began as requests do, and were none */
	FAILED,		/* there was no memory for them */
	FIELDS,
	OBJECTS,
	OBJECT_BYTES,
	RESETS,
	NR_FIGURES
};

/* A CPU's own. Used with bottom halves off; figures are read at any time. */
struct mqhttp_worker {
	struct memquota_arena arena;
	u64 figures[NR_FIGURES];
};

static DEFINE_PER_CPU(struct mqhttp_worker, workers);

/* For arenas of requests: nothing can be given up but what they cache. */
static const struct memquota_arena_config request_config = {
	.gfp = GFP_ATOMIC | __GFP_NOWARN,
};

static void count(struct mqhttp_worker *worker,
		  const struct mqhttp_source *source,
		  const struct mqhttp_request *request)
{
	u64 *figures = worker->figures;

	figures[REQUESTS]++;
	figures[PARTIAL] += !request->whole;
	figures[FIELDS] += nr_fields(request);
	figures[OBJECTS] += source->objects;
	figures[OBJECT_BYTES] += source->bytes;
}

/*
 * What is sent may be in pages that its sender goes on writing to: all that
 * follows is done with a copy.
 */
static void look_at(const struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct mqhttp_source source = {};
	struct mqhttp_request *request;
	struct mqhttp_worker *worker;
	int err = -ENOMEM;

	local_bh_disable();
	worker = this_cpu_ptr(&workers);
	source.arena = &worker->arena;
	request = request_new(&source, len);
	if (request && request->text)
		err = skb_copy_bits(skb, offset, request->text, len) ?:
		      parse(&source, request, len);
	switch (err) {
	case 0:
	case -E2BIG:
		count(worker, &source, request);
		history_add(&source, request, len);
		break;
	case -EINVAL:
		worker->figures[MALFORMED]++;
		break;
	default:
		worker->figures[FAILED]++;
	}
	memquota_arena_reset(&worker->arena);
	worker->figures[RESETS]++;
	local_bh_enable();
}

static bool begins_as_request(const struct sk_buff *skb, unsigned int offset,
			      size_t len)
{
	static const char * const methods[] = {
		"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ",
		"OPTIONS ",
	};
	char buf[METHOD_MAX];
	const char *begin;
	size_t i, n;

	begin = skb_header_pointer(skb, offset, min(len, sizeof(buf)), buf);
	if (!begin)
		return false;
	for (i = 0; i < ARRAY_SIZE(methods); i++) {
		n = strlen(methods[i]);
		if (len >= n && !memcmp(begin, methods[i], n))
			return true;
	}
	return false;
}

/* Only what TCP has not sent before begins where it will go on. */
static bool is_resent(const struct sk_buff *skb, const struct tcphdr *tcp)
{
	const struct sock *sk = skb->sk;

	return sk && sk_fullsock(sk) && sk_is_tcp(sk) &&
	       before(ntohl(tcp->seq), READ_ONCE(tcp_sk(sk)->snd_nxt));
}

/* Raw sockets send headers of their own making, and these come here, too. */
static unsigned int mqhttp_out(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	unsigned int offset = skb_network_offset(skb);
	const struct tcphdr *tcp;
	const struct iphdr *ip;
	struct tcphdr tcp_buf;
	struct iphdr ip_buf;
	size_t len;

	ip = skb_header_pointer(skb, offset, sizeof(ip_buf), &ip_buf);
	if (!ip || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & htons(IP_OFFSET) || ip->ihl < 5)
		return NF_ACCEPT;
	offset += ip->ihl * 4;
	tcp = skb_header_pointer(skb, offset, sizeof(tcp_buf), &tcp_buf);
	if (!tcp || tcp->doff < 5)
		return NF_ACCEPT;
	offset += tcp->doff * 4;
	if (offset >= skb->len)
		return NF_ACCEPT;
	len = min_t(size_t, skb->len - offset, HEAD_MAX);
	if (begins_as_request(skb, offset, len) && !is_resent(skb, tcp))
		look_at(skb, offset, len);
	return NF_ACCEPT;
}

/* Last, so that what others drop is not seen. */
static const struct nf_hook_ops hook_ops = {
	.hook = mqhttp_out,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_OUT,
	.priority = NF_IP_PRI_LAST,
};

/* --- Comparing --- */

/*
 * Parse a text, and let go of it: from an arena, or from the slab. How long it
 * took is added to @sum_ns, unless there was no memory.
 */
static int time_once(struct memquota_arena *arena, const char *text,
		     size_t len, unsigned int *objects, u64 *sum_ns)
{
	struct mqhttp_source source = { .arena = arena };
	struct mqhttp_request *request;
	int err = -ENOMEM;
	u64 begin_ns;

	local_bh_disable();
	begin_ns = ktime_get_ns();
	request = request_new(&source, len);
	if (request && request->text) {
		memcpy(request->text, text, len);
		err = parse(&source, request, len);
	}
	if (arena)
		memquota_arena_reset(arena);
	else if (request)
		request_free(request);
	*sum_ns += ktime_get_ns() - begin_ns;
	local_bh_enable();
	*objects = source.objects;
	return err == -ENOMEM ? err : 0;
}

static void show_time(struct seq_file *m, const char *way, u64 ns,
		      unsigned int objects)
{
	u64 tenths = div_u64(10 * ns, COMPARE_ROUNDS * objects);

	seq_printf(m, "%s_ns_per_request %llu\n", way,
		   div_u64(ns, COMPARE_ROUNDS));
	seq_printf(m, "%s_ns_per_object %llu.%u\n", way, div_u64(tenths, 10),
		   (unsigned int)(tenths % 10));
}

/* The two ways take turns, so that both have the same machine. */
static int time_both(struct seq_file *m, const char *text, size_t len)
{
	u64 slab_ns = 0, arena_ns = 0;
	struct memquota_arena arena;
	unsigned int objects, i;
	int err;

	err = memquota_arena_init(&arena, &request_config, "mqhttp/compare");
	if (err)
		return err;
	for (i = 0; i < COMPARE_WARM_UP + COMPARE_ROUNDS && !err; i++) {
		if (i == COMPARE_WARM_UP) {
			slab_ns = 0;
			arena_ns = 0;
		}
		err = time_once(NULL, text, len, &objects, &slab_ns) ?:
		      time_once(&arena, text, len, &objects, &arena_ns);
		cond_resched();
	}
	memquota_arena_destroy(&arena);
	if (err)
		return err;
	seq_printf(m, "rounds %u\n", COMPARE_ROUNDS);
	seq_printf(m, "objects %u\n", objects);
	show_time(m, "kmalloc", slab_ns, objects);
	show_time(m, "arena", arena_ns, objects);
	return 0;
}

static int compare_show(struct seq_file *m, void *unused)
{
	char *text = kmalloc(HEAD_MAX, GFP_KERNEL);
	size_t len;
	int err;

	if (!text)
		return -ENOMEM;
	spin_lock_bh(&history.lock);
	len = history.last_len;
	memcpy(text, history.last, len);
	spin_unlock_bh(&history.lock);
	err = len ? time_both(m, text, len) : -ENODATA;
	kfree(text);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(compare);

/* --- Figures --- */

static u64 sum_figures(enum mqhttp_figure figure)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		/* What is counted meanwhile may be missing. */
		sum += data_race(per_cpu(workers, cpu).figures[figure]);
	return sum;
}

static void show_arenas(struct seq_file *m)
{
	struct memquota_arena_stats stats;
	u64 chunks = 0, hits = 0, held = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		memquota_arena_stats(&per_cpu(workers, cpu).arena, &stats);
		chunks += stats.ever.chunks + stats.ever.one_shots;
		hits += stats.ever.cache_hits;
		held += stats.held_bytes;
	}
	seq_printf(m, "chunks %llu\n", chunks);
	seq_printf(m, "cache_hits %llu\n", hits);
	seq_printf(m, "held_bytes %llu\n", held);
}

static void show_history(struct seq_file *m)
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

static int stats_show(struct seq_file *m, void *unused)
{
	static const char * const names[] = {
		[REQUESTS] = "requests",
		[PARTIAL] = "partial",
		[MALFORMED] = "malformed",
		[FAILED] = "failed",
		[FIELDS] = "fields",
		[OBJECTS] = "objects",
		[OBJECT_BYTES] = "object_bytes",
		[RESETS] = "resets",
	};
	u64 requests = sum_figures(REQUESTS);
	unsigned int i;

	for (i = 0; i < NR_FIGURES; i++)
		seq_printf(m, "%s %llu\n", names[i], sum_figures(i));
	seq_printf(m, "objects_per_request %llu\n",
		   requests ? div64_u64(sum_figures(OBJECTS), requests) : 0);
	show_arenas(m);
	show_history(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void show_summary(struct seq_file *m,
			 const struct mqhttp_summary *summary)
{
	u32 rem;
	u64 s = div_u64_rem(summary->sent_ns, NSEC_PER_SEC, &rem);

	seq_printf(m, "%llu.%03u %u %u %u %u %zu %s %s\n", s,
		   rem / (unsigned int)NSEC_PER_MSEC, summary->nr[PARAM],
		   summary->nr[HEADER], summary->nr[COOKIE], summary->objects,
		   summary->bytes, summary->whole ? "whole" : "partial",
		   summary->line);
}

/* With references of its own nobody has to wait for the one who reads. */
static int requests_show(struct seq_file *m, void *unused)
{
	struct mqhttp_summary **shown, *summary;
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
		show_summary(m, shown[i]);
		memquota_ref_put(shown[i]);
	}
	kfree(shown);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(requests);

/* --- The module --- */

static struct dentry *mqhttp_dir;

/* Those of the CPUs before @end. */
static void destroy_workers(unsigned int end)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (cpu == end)
			return;
		memquota_arena_destroy(&per_cpu(workers, cpu).arena);
	}
}

static int init_workers(void)
{
	unsigned int cpu;
	int err;

	for_each_possible_cpu(cpu) {
		err = memquota_arena_init(&per_cpu(workers, cpu).arena,
					  &request_config, "mqhttp/%u", cpu);
		if (err) {
			destroy_workers(cpu);
			return err;
		}
	}
	return 0;
}

static int __init mqhttp_init(void)
{
	int err;

	err = init_workers();
	if (err)
		return err;
	err = nf_register_net_hook(&init_net, &hook_ops);
	if (err) {
		destroy_workers(nr_cpu_ids);
		return err;
	}
	mqhttp_dir = debugfs_create_dir("mqhttp", NULL);
	debugfs_create_file("stats", 0400, mqhttp_dir, NULL, &stats_fops);
	debugfs_create_file("requests", 0400, mqhttp_dir, NULL, &requests_fops);
	debugfs_create_file("compare", 0400, mqhttp_dir, NULL, &compare_fops);
	return 0;
}

static void __exit mqhttp_exit(void)
{
	bool open;

	debugfs_remove(mqhttp_dir);
	nf_unregister_net_hook(&init_net, &hook_ops);
	/* The hook may still run. */
	synchronize_net();
	destroy_workers(nr_cpu_ids);
	spin_lock_bh(&history.lock);
	open = history_end();
	spin_unlock_bh(&history.lock);
	/* Not under the lock, which the callback takes. */
	if (open)
		memquota_arena_destroy(&history.arena);
	memquota_barrier();
}

module_init(mqhttp_init);
module_exit(mqhttp_exit);

MODULE_DESCRIPTION("Takes HTTP requests apart in arenas under a quota");
MODULE_LICENSE("GPL");
