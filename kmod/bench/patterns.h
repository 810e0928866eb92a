/* SPDX-License-Identifier: GPL-2.0 */
/* Patterns: in which order and how far apart participants are charged. */
#ifndef _MEMQUOTA_BENCH_PATTERNS_H
#define _MEMQUOTA_BENCH_PATTERNS_H

#include <linux/percpu_counter.h>
#include <memquota/queue.h>
#include "bench.h"

/* Operations in a cycle */
#define CYCLE		10000

/* Messages to send in turn: a divisor of CYCLE, and more than are queued. */
#define MESSAGES	100

enum pattern_owners {
	OWNERS_PRIVATE,		/* participants with an account each */
	OWNERS_ONE_ACCOUNT,	/* participants of one account, all threads' */
	OWNERS_PLAIN,		/* objects of a peer, no participants */
	OWNERS_QUEUES,		/* queues of one account */
};

enum pattern_threads {
	THREADS_APART,		/* each thread has objects of its own */
	THREADS_TOGETHER,	/* all threads have the same objects */
	THREADS_IN_PAIRS,	/* one thread charges what another uncharges */
};

struct bench_pattern {
	enum pattern_owners owners;
	enum pattern_threads threads;
	/* Four of five operations go to the first so many; 0: to all alike. */
	unsigned int hot;
	/* Operations between a charge and its uncharge */
	unsigned int later;
	bool in_turn;		/* instead of at random */
	bool advance;		/* begin with ADVANCE charged */
	/* What is charged; 0: a packet */
	size_t bytes;
};

struct message {
	struct memquota_item item;
	char payload[64 - sizeof(struct memquota_item)];
};

struct pattern_state {
	const struct bench_pattern *pattern;
	unsigned int nr;
	unsigned int in;	/* next operation to charge */
	unsigned int out;	/* next operation to uncharge */
	bool swap;		/* the threads of a pair swap their jobs */
	size_t bytes;
	struct bench_object *objects;
	struct percpu_counter counter;
	struct memquota_queue *queues;
	struct message *messages;
	void **memory;		/* of each operation */
	u16 order[CYCLE];
};

static __always_inline struct bench_object *object_at(struct pattern_state *s,
						      unsigned int at)
{
	return &s->objects[s->order[at]];
}

static __always_inline struct memquota_queue *queue_at(struct pattern_state *s,
						       unsigned int at)
{
	return &s->queues[s->order[at]];
}

static __always_inline struct memquota_item *item_at(struct pattern_state *s,
						     unsigned int at)
{
	return &s->messages[at % MESSAGES].item;
}

int bench_pattern_setup(struct bench *b, const struct bench_case *c);
void bench_pattern_teardown(struct bench *b);

#endif /* _MEMQUOTA_BENCH_PATTERNS_H */
