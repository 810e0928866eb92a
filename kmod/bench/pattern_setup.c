// SPDX-License-Identifier: GPL-2.0
/* Create the participants, queues or objects of a pattern, and its order. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "patterns.h"

/* What a charge is worth: a packet. */
#define PACKET		1500

/* Bytes to charge in advance where a loop uncharges more than it charges. */
#define ADVANCE		(8ULL * SZ_1G)

static void queue_free_item(struct memquota_queue *queue,
			    struct memquota_item *item)
{
	/* It is one of pattern_state.messages. */
}

static void destroy_queues(struct bench *b, unsigned int nr)
{
	struct pattern_state *s = b->private;

	while (nr)
		memquota_queue_destroy(&s->queues[--nr]);
	kvfree(s->queues);
	kvfree(s->messages);
	bench_destroy_account(b);
}

static int create_queues(struct bench *b, unsigned int nr)
{
	const struct memquota_limits limits = { };
	struct pattern_state *s = b->private;
	int err = bench_create_account(b, &limits);
	unsigned int i = 0;

	if (err)
		return err;
	s->queues = kvcalloc(nr, sizeof(*s->queues), GFP_KERNEL);
	BUILD_BUG_ON(CYCLE % MESSAGES);
	s->messages = kvcalloc(MESSAGES, sizeof(*s->messages), GFP_KERNEL);
	err = s->queues && s->messages ? 0 : -ENOMEM;
	for (; !err && i < nr; i += !err)
		err = memquota_queue_init(&s->queues[i], b->account,
					  queue_free_item, 0, GFP_KERNEL,
					  "bench queue %u", i);
	if (err)
		destroy_queues(b, i);
	return err;
}

static void destroy_plain(struct bench *b)
{
	struct pattern_state *s = b->private;

	/* Free what the loops have not. */
	for (; s->memory && s->out != s->in; s->out = (s->out + 1) % CYCLE)
		kfree(s->memory[s->out]);
	vfree(s->memory);
	percpu_counter_destroy(&s->counter);
	vfree(b->objects);
}

static int create_plain(struct bench *b, unsigned int nr)
{
	struct pattern_state *s = b->private;

	b->objects = vzalloc(array_size(nr, sizeof(*b->objects)));
	s->memory = vzalloc(array_size(CYCLE, sizeof(*s->memory)));
	if (b->objects && s->memory &&
	    !percpu_counter_init(&s->counter, 0, GFP_KERNEL))
		return 0;
	vfree(s->memory);
	vfree(b->objects);
	return -ENOMEM;
}

static int create_one_account(struct bench *b, unsigned int nr)
{
	const struct memquota_limits limits = { };
	bool shared = b->first && b->first != b;
	int err = 0;

	if (shared)
		b->account = b->first->account;
	else
		err = bench_create_account(b, &limits);
	if (err)
		return err;
	err = bench_join_all(b, nr, &bench_plain_ops);
	if (err && !shared)
		bench_destroy_account(b);
	return err;
}

static int create_objects(struct bench *b)
{
	struct pattern_state *s = b->private;

	switch (s->pattern->owners) {
	case OWNERS_PRIVATE:
		return bench_join_private(b, s->nr);
	case OWNERS_ONE_ACCOUNT:
		return create_one_account(b, s->nr);
	case OWNERS_QUEUES:
		return create_queues(b, s->nr);
	case OWNERS_PLAIN:
		return create_plain(b, s->nr);
	}
	return -EINVAL;
}

static void destroy_objects(struct bench *b)
{
	struct pattern_state *s = b->private;

	switch (s->pattern->owners) {
	case OWNERS_PRIVATE:
		bench_leave_all(b);
		break;
	case OWNERS_ONE_ACCOUNT:
		bench_leave_all(b);
		if (!b->first || b->first == b)
			bench_destroy_account(b);
		break;
	case OWNERS_QUEUES:
		destroy_queues(b, s->nr);
		break;
	case OWNERS_PLAIN:
		destroy_plain(b);
		break;
	}
}

/* Return the thread whose objects this one uses, itself included. */
static struct bench *find_owner(struct bench *b, const struct bench_pattern *p)
{
	unsigned int thread = b->first ? b - b->first : 0;

	switch (p->threads) {
	case THREADS_APART:
		break;
	case THREADS_TOGETHER:
		return b - thread;
	case THREADS_IN_PAIRS:
		return b - (thread & 1);
	}
	return b;
}

static void draw_order(struct pattern_state *s)
{
	unsigned int i, among;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < CYCLE; i++) {
		among = s->nr;
		if (s->pattern->hot && prandom_u32_state(&rnd) % 5)
			among = s->pattern->hot;
		s->order[i] = s->pattern->in_turn ?
			      i % s->nr : prandom_u32_state(&rnd) % among;
	}
}

/* Begin in the middle: with the charges that the first operations uncharge. */
static void charge_in_advance(struct bench *b)
{
	struct pattern_state *s = b->private;
	const struct bench_pattern *p = s->pattern;
	unsigned int i;

	for (; s->in < p->later; s->in++) {
		if (p->owners == OWNERS_QUEUES)
			WARN_ON(memquota_queue_send(queue_at(s, s->in),
						    item_at(s, s->in),
						    s->bytes, GFP_KERNEL));
		else if (p->owners != OWNERS_PLAIN)
			memquota_charge(&object_at(s, s->in)->participant,
					s->bytes);
	}
	for (i = 0; p->advance && i < b->nr; i++)
		memquota_charge(&b->objects[i].participant,
				div_u64(ADVANCE, s->nr));
}

int bench_pattern_setup(struct bench *b, const struct bench_case *c)
{
	struct pattern_state *s = kvzalloc(sizeof(*s), GFP_KERNEL);
	struct bench *owner = find_owner(b, c->pattern);
	int err = 0;

	if (!s)
		return -ENOMEM;
	b->private = s;
	s->pattern = c->pattern;
	s->nr = c->nr;
	s->bytes = c->pattern->bytes ?: PACKET;
	if (owner == b)
		err = create_objects(b);
	if (err) {
		kvfree(s);
		return err;
	}
	s->objects = owner->objects;
	draw_order(s);
	charge_in_advance(b);
	return 0;
}

void bench_pattern_teardown(struct bench *b)
{
	struct pattern_state *s = b->private;

	if (find_owner(b, s->pattern) == b)
		destroy_objects(b);
	kvfree(s);
}
