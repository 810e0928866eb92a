// SPDX-License-Identifier: GPL-2.0
/*
 * mqhttp: short-lived objects in arenas. It inspects the HTTP/1 requests that
 * programs of this machine send over TCP and IPv4 in the initial network
 * namespace. It parses each into a few hundred small objects, keeps a line
 * about it, and frees all objects at once. Packets are neither changed nor
 * delayed nor dropped.
 *
 * It has two kinds of arenas:
 *
 *	requests  A request's objects end together: plain memory and a reset.
 *		  Tasks and softirqs send packets on all CPUs at once, and a
 *		  reset must not run concurrently with allocations. So each CPU
 *		  has an arena, used with bottom halves off. A single per-CPU
 *		  arena cannot be reset while other CPUs allocate from it.
 *	history	  The lines about the last requests live on: references. They
 *		  have an arena of their own, since one of them in a request's
 *		  arena would pin the request's chunk, and each reset would have
 *		  to replace that chunk instead of reusing it. The history's
 *		  lock serialises its use.
 *
 * All arenas are under the default tracker's quota. From the requests' arenas
 * reclaim takes only cached chunks; between requests an arena keeps the chunk
 * that the next request needs. The history is expendable: if it is the oldest
 * data, reclaim takes all of it, and the next request starts a new one.
 *
 * Only the packet that a request begins in is parsed, up to MQHTTP_HEAD_MAX
 * bytes. A request that continues behind them counts as partial, with the lines
 * that are complete.
 *
 * In /sys/kernel/debug/mqhttp:
 *
 *	stats	  counters, and statistics of the arenas
 *	requests  the history: time (s), fields, objects, their bytes, and the
 *		  request
 *	compare	  reading it parses the last request repeatedly, with an arena
 *		  and with kmalloc() and kfree() for each object
 */
#include <linux/debugfs.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include "mqhttp.h"

enum mqhttp_figure {
	REQUESTS,	/* with a valid first line */
	PARTIAL,	/* of these: without the end, or without all fields */
	MALFORMED,	/* began with a method, but had no valid first line */
	FAILED,		/* not parsed: out of memory */
	FIELDS,
	OBJECTS,
	OBJECT_BYTES,
	RESETS,
	NR_FIGURES
};

/* Per CPU. Used with bottom halves off; figures are read at any time. */
struct mqhttp_worker {
	struct memquota_arena arena;
	u64 figures[NR_FIGURES];
};

static DEFINE_PER_CPU(struct mqhttp_worker, mqhttp_workers);

static void mqhttp_count_request(struct mqhttp_worker *worker,
				 const struct mqhttp_source *source,
				 const struct mqhttp_request *request)
{
	u64 *figures = worker->figures;

	figures[REQUESTS]++;
	figures[PARTIAL] += !request->whole;
	figures[FIELDS] += mqhttp_nr_fields(request);
	figures[OBJECTS] += source->objects;
	figures[OBJECT_BYTES] += source->bytes;
}

/*
 * Parse a copy of the packet's data: the sender may still write to the pages
 * that the packet refers to.
 */
static void mqhttp_inspect_request(const struct sk_buff *skb,
				   unsigned int offset, size_t len)
{
	struct mqhttp_source source = {};
	struct mqhttp_request *request;
	struct mqhttp_worker *worker;
	int err = -ENOMEM;

	local_bh_disable();
	worker = this_cpu_ptr(&mqhttp_workers);
	source.arena = &worker->arena;
	request = mqhttp_new_request(&source, len);
	if (request && request->text)
		err = skb_copy_bits(skb, offset, request->text, len) ?:
		      mqhttp_parse(&source, request, len);
	switch (err) {
	case 0:
	case -E2BIG:
		mqhttp_count_request(worker, &source, request);
		mqhttp_add_history(&source, request, len);
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

static bool mqhttp_has_method(const struct sk_buff *skb, unsigned int offset,
			      size_t len)
{
	static const char * const methods[] = {
		"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ",
		"OPTIONS ",
	};
	char buf[MQHTTP_METHOD_MAX];
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

/* Return whether the segment begins before the next sequence to be sent. */
static bool mqhttp_is_retransmit(const struct sk_buff *skb,
				 const struct tcphdr *tcp)
{
	const struct sock *sk = skb->sk;

	return sk && sk_fullsock(sk) && sk_is_tcp(sk) &&
	       before(ntohl(tcp->seq), READ_ONCE(tcp_sk(sk)->snd_nxt));
}

/* Raw sockets send packets with arbitrary headers, so check each length. */
static unsigned int mqhttp_local_out(void *priv, struct sk_buff *skb,
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
	len = min_t(size_t, skb->len - offset, MQHTTP_HEAD_MAX);
	if (mqhttp_has_method(skb, offset, len) &&
	    !mqhttp_is_retransmit(skb, tcp))
		mqhttp_inspect_request(skb, offset, len);
	return NF_ACCEPT;
}

/* Last, so that packets that other hooks drop are not inspected. */
static const struct nf_hook_ops mqhttp_hook_ops = {
	.hook = mqhttp_local_out,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_OUT,
	.priority = NF_IP_PRI_LAST,
};

static u64 mqhttp_sum_figure(enum mqhttp_figure figure)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		/* A concurrent increment may be missed. */
		sum += data_race(per_cpu(mqhttp_workers, cpu).figures[figure]);
	return sum;
}

static void mqhttp_show_arenas(struct seq_file *m)
{
	struct memquota_arena_stats stats;
	u64 chunks = 0, hits = 0, held = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		memquota_arena_stats(&per_cpu(mqhttp_workers, cpu).arena, &stats);
		chunks += stats.ever.chunks + stats.ever.one_shots;
		hits += stats.ever.cache_hits;
		held += stats.held_bytes;
	}
	seq_printf(m, "chunks %llu\n", chunks);
	seq_printf(m, "cache_hits %llu\n", hits);
	seq_printf(m, "held_bytes %llu\n", held);
}

static int mqhttp_stats_show(struct seq_file *m, void *unused)
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
	u64 requests = mqhttp_sum_figure(REQUESTS);
	unsigned int i;

	for (i = 0; i < NR_FIGURES; i++)
		seq_printf(m, "%s %llu\n", names[i], mqhttp_sum_figure(i));
	seq_printf(m, "objects_per_request %llu\n",
		   requests ? div64_u64(mqhttp_sum_figure(OBJECTS), requests) : 0);
	mqhttp_show_arenas(m);
	mqhttp_show_history(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mqhttp_stats);
DEFINE_SHOW_ATTRIBUTE(mqhttp_requests);
DEFINE_SHOW_ATTRIBUTE(mqhttp_compare);

static struct dentry *mqhttp_dir;

/* Destroy the arenas of the possible CPUs before @end. */
static void mqhttp_destroy_workers(unsigned int end)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (cpu == end)
			return;
		memquota_arena_destroy(&per_cpu(mqhttp_workers, cpu).arena);
	}
}

static int mqhttp_init_workers(void)
{
	static const struct memquota_arena_config config = {
		.gfp = GFP_ATOMIC | __GFP_NOWARN,
	};
	unsigned int cpu;
	int err;

	for_each_possible_cpu(cpu) {
		err = memquota_arena_init(&per_cpu(mqhttp_workers, cpu).arena,
					  &config, "mqhttp/%u", cpu);
		if (err) {
			mqhttp_destroy_workers(cpu);
			return err;
		}
	}
	return 0;
}

static int __init mqhttp_init(void)
{
	int err;

	err = mqhttp_init_workers();
	if (err)
		return err;
	err = nf_register_net_hook(&init_net, &mqhttp_hook_ops);
	if (err) {
		mqhttp_destroy_workers(nr_cpu_ids);
		return err;
	}
	mqhttp_dir = debugfs_create_dir("mqhttp", NULL);
	debugfs_create_file("stats", 0400, mqhttp_dir, NULL,
			    &mqhttp_stats_fops);
	debugfs_create_file("requests", 0400, mqhttp_dir, NULL,
			    &mqhttp_requests_fops);
	debugfs_create_file("compare", 0400, mqhttp_dir, NULL,
			    &mqhttp_compare_fops);
	return 0;
}

static void __exit mqhttp_exit(void)
{
	debugfs_remove(mqhttp_dir);
	nf_unregister_net_hook(&init_net, &mqhttp_hook_ops);
	/* The hook may still run. */
	synchronize_net();
	mqhttp_destroy_workers(nr_cpu_ids);
	mqhttp_destroy_history();
	memquota_barrier();
}

module_init(mqhttp_init);
module_exit(mqhttp_exit);

MODULE_DESCRIPTION("Parses HTTP requests in arenas under a quota");
MODULE_LICENSE("GPL");
