// SPDX-License-Identifier: GPL-2.0
/*
 * Measure how long memquota delays a real-time thread on the same CPU at worst:
 * the time from the expiry of the thread's timer until the thread runs.
 */
#define pr_fmt(fmt) "memquota_bench: " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include "../core/account.h"
#include "../core/core.h"
#include "../core/record.h"
#include "../debug/tree.h"
#include "bench.h"

#define OBJECT_BYTES	4096
#define MEMBER_TIMEOUT	(120 * HZ)

struct sleeper {
	u64 worst_ns;
	unsigned long wakeups;
};

/* Wake about every 100 us, at random times, and record the worst delay. */
static int sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	u32 random = 1;

	while (!kthread_should_stop()) {
		ktime_t expires, now;

		random = random * 1664525 + 1013904223;
		expires = ktime_add_ns(ktime_get(), 50000 + (random >> 16));
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop()) {
			__set_current_state(TASK_RUNNING);
			break;
		}
		schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
		now = ktime_get();
		if (ktime_after(now, expires)) {
			u64 late = ktime_to_ns(ktime_sub(now, expires));

			s->worst_ns = max(s->worst_ns, late);
		}
		s->wakeups++;
	}
	return 0;
}

/* Measure the worst latency while @work runs on the same CPU. */
static int latency_measure(int (*work)(void *data), void *data, u64 *worst)
{
	struct sleeper sleeper = { };
	struct task_struct *task;
	int err;

	task = kthread_create(sleeper_main, &sleeper, "memquota_bench/rt");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, 0);
	sched_set_fifo(task);
	wake_up_process(task);
	msleep(20);
	sleeper.worst_ns = 0;
	sleeper.wakeups = 0;
	err = work(data);
	pr_info("%lu wakeups\n", sleeper.wakeups);
	*worst = sleeper.worst_ns;
	kthread_stop(task);
	return err;
}

/* Keep the CPU busy, with points of preemption. */
static int work_nothing(void *data)
{
	unsigned long end = jiffies + HZ / 2;

	while (time_before(jiffies, end))
		cond_resched();
	return 0;
}

static int wait_for_total(struct memquota_tracker *t, u64 total)
{
	unsigned long end = jiffies + MEMBER_TIMEOUT;
	struct memquota_usage usage;

	do {
		msleep(20);
		memquota_tracker_usage(t, &usage);
		if (usage.total <= total)
			return 0;
	} while (time_before(jiffies, end));
	pr_err("the total stays at %llu of %llu\n", usage.total, total);
	return -ETIME;
}

/* Lower the limit, so that reclaim asks every participant. */
static int work_reclaim(void *data)
{
	struct bench *b = data;
	const struct memquota_limits limits = {
		.high = 1 << 20,
		.low_water = 1 << 19,
	};
	int err;

	err = memquota_tracker_configure(b->tracker, &limits, 0, NULL);
	return err ?: wait_for_total(b->tracker, limits.low_water);
}

static int work_close(void *data)
{
	struct bench *b = data;
	int err;

	memquota_account_put(b->account);
	b->account = NULL;
	err = wait_for_total(b->tracker, 1 << 20);
	/* Leave time for deferred work. */
	msleep(500);
	return err;
}

static int latency_measure_participants(unsigned int nr,
					int (*work)(void *data), u64 *worst)
{
	const struct memquota_limits limits = { };
	struct bench b = { };
	unsigned int i;
	int err;

	err = bench_create_account(&b, &limits);
	if (err)
		return err;
	err = bench_join_all(&b, nr, &bench_ops);
	if (err)
		goto out;
	for (i = 0; i < nr; i++) {
		b.objects[i].held = OBJECT_BYTES;
		b.objects[i].oldest_ns = 1 + i * 7919ULL % nr;
		memquota_charge(&b.objects[i].participant, OBJECT_BYTES);
		cond_resched();
	}
	err = latency_measure(work, &b, worst);
	bench_leave_all(&b);
out:
	bench_destroy_account(&b);
	return err;
}

/* Walk all accounts as reading debugfs does, without the text. */
static int work_list(void *data)
{
	struct memquota_tracker *t = data;
	struct memquota_account_view view;
	struct memquota_account *a;
	struct memquota_tree tree;
	size_t i;
	int err;

	err = memquota_tree_build(t, &tree);
	for (i = 0; !err && i < tree.nr_lines; i++) {
		a = memquota_account_next(t, tree.lines[i].id);
		memquota_view_account(a, &view);
		memquota_account_unref(a);
		cond_resched();
	}
	memquota_tree_free(&tree);
	return err;
}

/* Create @nr accounts in families of one parent and its children. */
static int latency_measure_list(unsigned int nr, unsigned int family,
				u64 *worst)
{
	struct memquota_account **accounts, *parent = NULL;
	struct memquota_tracker *t;
	unsigned int i;
	int err = 0;

	accounts = vzalloc(array_size(nr, sizeof(*accounts)));
	if (!accounts)
		return -ENOMEM;
	t = memquota_tracker_create("bench-latency", NULL, 0);
	if (IS_ERR_OR_NULL(t)) {
		vfree(accounts);
		return -EINVAL;
	}
	for (i = 0; i < nr && !err; i++) {
		if (!(i % family))
			parent = NULL;
		accounts[i] = memquota_account_create(t, parent, GFP_KERNEL,
						      "bench %u", i);
		err = PTR_ERR_OR_ZERO(accounts[i]);
		if (!(i % family))
			parent = accounts[i];
		cond_resched();
	}
	if (!err)
		err = latency_measure(work_list, t, worst);
	for (i = 0; i < nr; i++) {
		memquota_account_put(accounts[i]);
		cond_resched();
	}
	vfree(accounts);
	memquota_tracker_destroy(t);
	return err;
}

static void latency_report(const char *name, u64 ns, unsigned int nr, u64 idle)
{
	bench_report(&(struct bench_result) {
		.name = name,
		.value = ns * BENCH_UNIT,
		.unit = bench_counts ? "instructions" : "ns",
		.cpus = 1,
		.participants = nr,
		.peer = idle ? "peer_wake_latency_cond_resched" : NULL,
		.peer_value = idle * BENCH_UNIT,
	});
}

int bench_latency(void)
{
	u64 idle, worst;
	int err;

	err = latency_measure(work_nothing, NULL, &idle);
	if (err)
		return err;
	latency_report("peer_wake_latency_cond_resched", idle, 0, 0);
	err = latency_measure_participants(100000, work_reclaim, &worst);
	if (err)
		return err;
	latency_report("wake_latency_reclaim_100000", worst, 100000, idle);
	err = latency_measure_participants(10000, work_close, &worst);
	if (err)
		return err;
	latency_report("wake_latency_close_10000", worst, 10000, idle);
	err = latency_measure_list(100000, 1000, &worst);
	if (err)
		return err;
	latency_report("wake_latency_list_100000", worst, 100000, idle);
	return 0;
}
