/* SPDX-License-Identifier: GPL-2.0 */
/* Tasks that wait for quota. */
#ifndef _MEMQUOTA_WAIT_H
#define _MEMQUOTA_WAIT_H

#include <linux/list.h>
#include <linux/spinlock.h>

struct memquota_tracker;

/**
 * struct memquota_waitq - the tasks that wait at a limit of a tracker
 * @nr: tasks in any queue, those of accounts included; READ_ONCE
 * @wake_all: every task must look at the state again; xchg
 * @bytes: what the tasks in @tracker_queue wait for; READ_ONCE
 * @lock: protects the rest, the accounts' queues, and the size of caches, which
 *	depends on @nr
 * @all: all tasks
 * @tracker_queue: tasks that the tracker's max refused, in order of arrival
 */
struct memquota_waitq {
	unsigned int nr;
	bool wake_all;
	u64 bytes;
	raw_spinlock_t lock;
	struct list_head all;
	struct list_head tracker_queue;
};

void memquota_waitq_setup(struct memquota_waitq *q);
void memquota_wake_waiters(struct memquota_tracker *t);

#endif /* _MEMQUOTA_WAIT_H */
