// SPDX-License-Identifier: GPL-2.0
/* Create participants whose owners hold a number instead of memory. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include "bench.h"

static struct bench_object *object_of(struct memquota_participant *p)
{
	return container_of(p, struct bench_object, participant);
}

static void reclaim(struct memquota_participant *p,
		    const struct memquota_request *request)
{
	memquota_uncharge(p, xchg(&object_of(p)->held, 0));
}

static u64 oldest(struct memquota_participant *p)
{
	return READ_ONCE(object_of(p)->oldest_ns);
}

const struct memquota_ops bench_ops = {
	.reclaim = reclaim,
	.oldest = oldest,
	.owner = THIS_MODULE,
};

/* For participants that store their age instead of being asked for it. */
const struct memquota_ops bench_plain_ops = {
	.reclaim = reclaim,
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

/* Make @nr participants of b->account. */
int bench_join_all(struct bench *b, unsigned int nr,
		   const struct memquota_ops *ops)
{
	int err;

	b->objects = vzalloc(array_size(nr, sizeof(*b->objects)));
	if (!b->objects)
		return -ENOMEM;
	for (b->nr = 0; b->nr < nr; b->nr++) {
		err = memquota_join_account(&b->objects[b->nr].participant,
					    b->account, ops, GFP_KERNEL,
					    "bench %u", b->nr);
		if (err) {
			bench_leave_all(b);
			return err;
		}
		cond_resched();
	}
	return 0;
}

/* c->nr participants, in an account and a tracker of their own. */
int bench_setup_participants(struct bench *b, const struct bench_case *c)
{
	const struct memquota_limits limits = { };
	int err;

	/* Threads that are measured together are under one tracker. */
	if (!b->tracker) {
		b->tracker = memquota_tracker_create("bench", &limits, 0);
		if (IS_ERR_OR_NULL(b->tracker))
			return -EINVAL;
		b->own = b->tracker;
	}
	b->account = memquota_account_create(b->tracker, NULL, GFP_KERNEL,
					     "bench");
	err = IS_ERR_OR_NULL(b->account) ? -EINVAL :
	      bench_join_all(b, c->nr, &bench_plain_ops);
	if (!err)
		return 0;
	if (!IS_ERR_OR_NULL(b->account))
		memquota_account_put(b->account);
	if (b->own)
		memquota_tracker_destroy(b->own);
	return err;
}

void bench_teardown_participants(struct bench *b)
{
	bench_leave_all(b);
	memquota_account_put(b->account);
	memquota_barrier();
	if (b->own)
		memquota_tracker_destroy(b->own);
}
