// SPDX-License-Identifier: GPL-2.0
/* Measure queues, joining and leaving. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <memquota/queue.h>
#include "../core/core.h"
#include "bench.h"

struct message {
	struct memquota_item item;
	char payload[64 - sizeof(struct memquota_item)];
};

struct queue {
	struct memquota_queue queue;
	struct message message;
};

static void queue_free_item(struct memquota_queue *queue,
			    struct memquota_item *item)
{
	/* It is part of struct queue. */
}

static int setup_queue(struct bench *b, const struct bench_case *c)
{
	struct queue *q;
	int err;

	err = bench_setup_participants(b, c);
	if (err)
		return err;
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	err = q ? memquota_queue_init(&q->queue, b->account, queue_free_item, 0,
				      GFP_KERNEL, "bench queue") : -ENOMEM;
	if (err) {
		kfree(q);
		bench_teardown_participants(b);
		return err;
	}
	b->private = q;
	return 0;
}

static void teardown_queue(struct bench *b)
{
	struct queue *q = b->private;

	memquota_queue_destroy(&q->queue);
	bench_teardown_participants(b);
	kfree(q);
}

static noinline u64 loop_queue(struct bench *b, unsigned long n)
{
	struct queue *q = b->private;
	u64 start = bench_clock();

	do {
		if (unlikely(memquota_queue_send(&q->queue, &q->message.item,
						 64, GFP_NOWAIT)))
			break;
		memquota_queue_recv(&q->queue);
	} while (--n);
	return bench_clock() - start;
}

/* Work deferred by RCU is not included; report_deferred() includes it. */
static noinline u64 loop_join_leave(struct bench *b, unsigned long n)
{
	struct memquota_participant p = { };
	u64 start = bench_clock();

	do {
		if (memquota_join_account(&p, b->account, &bench_ops,
					  GFP_KERNEL, "bench"))
			break;
		memquota_leave(&p);
	} while (--n);
	return bench_clock() - start;
}

static noinline u64 loop_join_private_leave(struct bench *b, unsigned long n)
{
	struct memquota_participant p = { };
	u64 start = bench_clock();

	do {
		memquota_join_private(&p, &bench_ops, GFP_KERNEL, "bench");
		memquota_leave(&p);
	} while (--n);
	return bench_clock() - start;
}

/* The floor of joining and leaving: memory that RCU frees. */
struct freed_later {
	struct rcu_head rcu;
	struct kmem_cache *cache;
};

static void freed_later_free(struct rcu_head *rcu)
{
	struct freed_later *object = container_of(rcu, struct freed_later, rcu);

	kmem_cache_free(object->cache, object);
}

static int setup_freed_later_size(struct bench *b, size_t size)
{
	b->private = kmem_cache_create("memquota_bench", size, 0, 0, NULL);
	return b->private ? 0 : -ENOMEM;
}

static int setup_freed_later(struct bench *b, const struct bench_case *c)
{
	return setup_freed_later_size(b, sizeof(struct memquota_record) +
				       MEMQUOTA_NAME_SIZE);
}

/* A private join allocates the record together with its account. */
static int setup_private_freed_later(struct bench *b, const struct bench_case *c)
{
	return setup_freed_later_size(b, sizeof(struct memquota_private));
}

static void teardown_freed_later(struct bench *b)
{
	rcu_barrier();
	kmem_cache_destroy(b->private);
}

static noinline u64 loop_peer_freed_later(struct bench *b, unsigned long n)
{
	struct freed_later *object;
	u64 start = bench_clock();

	do {
		object = kmem_cache_alloc(b->private, GFP_KERNEL);
		if (unlikely(!object))
			return BENCH_NONE;
		object->cache = b->private;
		call_rcu(&object->rcu, freed_later_free);
	} while (--n);
	return bench_clock() - start;
}

/* Participants of the default tracker need it to be counting. */
static int setup_default(struct bench *b, const struct bench_case *c)
{
	struct memquota_usage usage;

	memquota_tracker_usage(memquota_default_tracker(), &usage);
	return usage.state == MEMQUOTA_COUNTING ? 0 : -EINVAL;
}

const struct bench_case bench_object_cases[] = {
	{
		.name = "queue_send_recv",
		.loop = loop_queue,
		.setup = setup_queue,
		.teardown = teardown_queue,
		.nr = 1,
		.peer = "peer_kmalloc_kfree",
	}, {
		.name = "peer_kmem_cache_call_rcu",
		.loop = loop_peer_freed_later,
		.setup = setup_freed_later,
		.teardown = teardown_freed_later,
		.times = 500,
	}, {
		.name = "peer_kmem_cache_call_rcu_private",
		.loop = loop_peer_freed_later,
		.setup = setup_private_freed_later,
		.teardown = teardown_freed_later,
		.times = 500,
	}, {
		.name = "join_leave",
		.loop = loop_join_leave,
		.setup = bench_setup_participants,
		.teardown = bench_teardown_participants,
		.nr = 1,
		.times = 500,
		.peer = "peer_kmem_cache_call_rcu",
	}, {
		.name = "join_private_leave",
		.loop = loop_join_private_leave,
		.setup = setup_default,
		.times = 500,
		.peer = "peer_kmem_cache_call_rcu_private",
		.floor = "peer_kmem_cache_call_rcu_private",
	},
};

const size_t bench_nr_object_cases = ARRAY_SIZE(bench_object_cases);

/* Measure a case with the work that it defers to RCU and a worker. */
static void report_deferred(const struct bench_case *c)
{
	unsigned long n = 5000;
	struct bench b = { };
	char name[64];
	u64 start, value;

	if (bench_only && strcmp(bench_only, c->name))
		return;
	if (c->setup && c->setup(&b, c))
		return;
	memquota_barrier();
	start = bench_clock();
	c->loop(&b, n);
	rcu_barrier();
	memquota_barrier();
	value = bench_ticks_to_unit(bench_clock() - start) * BENCH_UNIT / n;
	if (c->teardown)
		c->teardown(&b);
	scnprintf(name, sizeof(name), "%s_with_deferred_work", c->name);
	bench_report(&(struct bench_result) {
		.name = name,
		.value = value,
		.unit = bench_unit(),
		.cpus = 1,
	});
}

int bench_objects(void)
{
	int err = bench_run_cases(bench_object_cases, bench_nr_object_cases);

	report_deferred(&bench_object_cases[3]);
	report_deferred(&bench_object_cases[4]);
	return err;
}
