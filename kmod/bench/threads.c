// SPDX-License-Identifier: GPL-2.0
/* Run a function on CPUs 0 ... n-1 at the same time. */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include "threads.h"

struct start {
	atomic_t missing;
	atomic_t running;
	void (*fn)(unsigned int cpu, void *data);
	void *data;
	struct completion done;
};

struct thread {
	struct start *start;
	unsigned int cpu;
};

static int thread_main(void *arg)
{
	struct thread *thread = arg;
	struct start *start = thread->start;

	/* Spin: after a wakeup, threads would start one by one. */
	atomic_dec(&start->missing);
	while (atomic_read(&start->missing) > 0)
		cpu_relax();
	start->fn(thread->cpu, start->data);
	if (atomic_dec_and_test(&start->running))
		complete(&start->done);
	return 0;
}

/* Run @fn on the first @cpus CPUs at once, and wait until all have returned. */
int bench_on_cpus(unsigned int cpus, void (*fn)(unsigned int cpu, void *data),
		  void *data)
{
	struct task_struct *tasks[BENCH_CPUS];
	struct thread threads[BENCH_CPUS];
	struct start start = {
		.missing = ATOMIC_INIT(cpus),
		.running = ATOMIC_INIT(cpus),
		.fn = fn,
		.data = data,
		.done = COMPLETION_INITIALIZER_ONSTACK(start.done),
	};
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		threads[i] = (struct thread) { .start = &start, .cpu = i };
		tasks[i] = kthread_create(thread_main, &threads[i],
					  "memquota_bench/%u", i);
		if (IS_ERR(tasks[i])) {
			int err = PTR_ERR(tasks[i]);

			while (i--)
				kthread_stop(tasks[i]);
			return err;
		}
		kthread_bind(tasks[i], i);
		get_task_struct(tasks[i]);
	}
	for (i = 0; i < cpus; i++)
		wake_up_process(tasks[i]);
	wait_for_completion(&start.done);
	/* Wait until the threads no longer use this module and this stack. */
	for (i = 0; i < cpus; i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
	return 0;
}

/* Return the number of online CPUs before the first gap, at most BENCH_CPUS. */
unsigned int bench_cpus(void)
{
	unsigned int cpus = 0;

	while (cpus < BENCH_CPUS && cpus < nr_cpu_ids && cpu_online(cpus))
		cpus++;
	return cpus;
}
