// SPDX-License-Identifier: GPL-2.0
/* Create participants whose owners hold a number instead of memory. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include "bench.h"

static struct bench_object *to_bench_object(struct memquota_participant *p)
{
	return container_of(p, struct bench_object, participant);
}

static void object_reclaim(struct memquota_participant *p,
			   const struct memquota_request *request)
{
	memquota_uncharge(p, xchg(&to_bench_object(p)->held, 0));
}

static u64 object_oldest(struct memquota_participant *p)
{
	return READ_ONCE(to_bench_object(p)->oldest_ns);
}

const struct memquota_ops bench_ops = {
	.reclaim = object_reclaim,
	.oldest = object_oldest,
	.owner = THIS_MODULE,
};

/* For participants that store their age instead of being asked for it. */
const struct memquota_ops bench_plain_ops = {
	.reclaim = object_reclaim,
	.owner = THIS_MODULE,
};

void bench_leave_all(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		memquota_leave(&b->objects[i].participant);
		cond_resched();
	}
	memquota_barrier();
	vfree(b->objects);
	b->objects = NULL;
	b->nr = 0;
}

static int join_objects(struct bench *b, unsigned int nr, bool private,
			const struct memquota_ops *ops)
{
	struct memquota_participant *p;
	int err;

	b->objects = vzalloc(array_size(nr, sizeof(*b->objects)));
	if (!b->objects)
		return -ENOMEM;
	for (b->nr = 0; b->nr < nr; b->nr++) {
		p = &b->objects[b->nr].participant;
		if (private) {
			memquota_join_private(p, ops, GFP_KERNEL, "bench %u",
					      b->nr);
			err = memquota_participant_error(p);
		} else {
			err = memquota_join_account(p, b->account, ops,
						    GFP_KERNEL, "bench %u",
						    b->nr);
		}
		if (err) {
			bench_leave_all(b);
			return err;
		}
		cond_resched();
	}
	return 0;
}

/* Make @nr participants of b->account. */
int bench_join_all(struct bench *b, unsigned int nr,
		   const struct memquota_ops *ops)
{
	return join_objects(b, nr, false, ops);
}

/* Make @nr participants of the default tracker, each with its own account. */
int bench_join_private(struct bench *b, unsigned int nr)
{
	return join_objects(b, nr, true, &bench_plain_ops);
}

/* Create b->account, and b->tracker unless the threads share one already. */
int bench_create_account(struct bench *b, const struct memquota_limits *limits)
{
	if (!b->tracker) {
		b->tracker = memquota_tracker_create("bench", limits, 0);
		if (IS_ERR_OR_NULL(b->tracker))
			return -EINVAL;
		b->own = b->tracker;
	}
	b->account = memquota_account_create(b->tracker, NULL, GFP_KERNEL,
					     "bench");
	if (!IS_ERR_OR_NULL(b->account))
		return 0;
	if (b->own)
		memquota_tracker_destroy(b->own);
	return -EINVAL;
}

void bench_destroy_account(struct bench *b)
{
	memquota_account_put(b->account);
	memquota_barrier();
	if (b->own)
		memquota_tracker_destroy(b->own);
}

/* Make c->nr participants of a new account. */
int bench_setup_participants(struct bench *b, const struct bench_case *c)
{
	const struct memquota_limits limits = { };
	int err = bench_create_account(b, &limits);

	if (err)
		return err;
	err = bench_join_all(b, c->nr, &bench_plain_ops);
	if (err)
		bench_destroy_account(b);
	return err;
}

void bench_teardown_participants(struct bench *b)
{
	bench_leave_all(b);
	bench_destroy_account(b);
}
