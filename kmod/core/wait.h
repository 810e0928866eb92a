/* SPDX-License-Identifier: GPL-2.0 */
/* Tasks that wait for quota. */
#ifndef _MEMQUOTA_WAIT_H
#define _MEMQUOTA_WAIT_H

#include <linux/list.h>
#include <linux/llist.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct memquota_account;
struct memquota_tracker;
struct task_struct;

/**
 * struct memquota_waitq - the tasks that wait at a limit of a tracker
 * @nr: tasks that wait, at any limit; READ_ONCE
 * @nr_queued: tasks in @queue; READ_ONCE
 * @check_all: each task must check whether its wait has ended; xchg
 * @bytes: what the tasks in @queue wait for; READ_ONCE
 * @lock: protects the rest, the accounts' queues, and the size of caches, which
 *	depends on @queue
 * @queue: tasks that the tracker's max refused, in order of arrival
 * @notified: accounts whose tasks must be woken, each with a reference
 * @work: wakes them
 */
struct memquota_waitq {
	unsigned int nr;
	unsigned int nr_queued;
	bool check_all;
	u64 bytes;
	raw_spinlock_t lock;
	struct list_head queue;
	struct llist_head notified;
	struct work_struct work;
};

/**
 * struct memquota_account_waitq - the tasks that wait at a limit for an account
 * @account: the account; const
 * @nr_queued: tasks in @queue; READ_ONCE
 * @nr: tasks in @tasks; READ_ONCE
 * @is_notified: the account is in waitq.notified; xchg
 * @check_all: each task must check whether its wait has ended; xchg
 * @notified: in waitq.notified
 * @drained: jiffies of the last drain of the account; tracker->drain_lock
 * @walk: number of the last walk over @tasks; the work item's own
 * @queue: tasks that the account's max refused, in order of arrival; waitq.lock
 * @tasks: all tasks that wait for participants of the account; waitq.lock
 *
 * Allocated when the first task waits, and freed with the account.
 */
struct memquota_account_waitq {
	struct memquota_account *account;
	unsigned int nr_queued;
	unsigned int nr;
	bool is_notified;
	bool check_all;
	struct llist_node notified;
	unsigned long drained;
	u64 walk;
	struct list_head queue;
	struct list_head tasks;
};

/**
 * struct memquota_waiter - a task that waits; on its stack
 * @task: the task
 * @bytes: what it waits for
 * @drain_at: when it drains next while it is the first in its queues, in
 *	jiffies; the task's own
 * @drain_interval: how long after that it drains again; the task's own
 * @walk: the last walk over account_waitq.tasks that met it
 * @of_tracker: in waitq.queue, or empty
 * @of_account: in account_waitq.queue, or empty
 * @tasks: in account_waitq.tasks, or empty
 *
 * waitq.lock protects the last four.
 */
struct memquota_waiter {
	struct task_struct *task;
	u64 bytes;
	unsigned long drain_at;
	unsigned long drain_interval;
	u64 walk;
	struct list_head of_tracker;
	struct list_head of_account;
	struct list_head tasks;
};

void memquota_waitq_setup(struct memquota_waitq *q);
void memquota_wake_waiters(struct memquota_tracker *t);

#endif /* _MEMQUOTA_WAIT_H */
