// SPDX-License-Identifier: GPL-2.0
/*
 * A real-time task that keeps its CPU delays nothing that its calls defer, and
 * does not wait for a task that it keeps from running. With PREEMPT_RT an
 * irq_work that is not a hard one runs in a thread of that CPU, which such a
 * task starves, and callbacks can be preempted.
 */
#include <linux/sched.h>
#include <memquota/queue.h>
#include "../memory/arena_core.h"
#include "../memory/store.h"
#include "harness.h"

#define SPIN_NS		(5 * (u64)NSEC_PER_SEC)

/* Keep the test off the last CPU, which a real-time task takes. Return it. */
static unsigned int leave_last_cpu(struct kunit *test)
{
	need_cpus(test, 2);
	set_cpus_allowed_ptr(current,
			     cpumask_of(cpumask_first(cpu_online_mask)));
	return cpumask_last(cpu_online_mask);
}

struct spinner {
	void *ref;
	bool spinning;
	bool stop;
};

static void put_and_spin(struct runner *runner)
{
	u64 until = ktime_get_ns() + SPIN_NS;
	struct spinner *spinner = runner->arg;

	sched_set_fifo(current);
	memquota_ref_put(spinner->ref);
	WRITE_ONCE(spinner->spinning, true);
	while (!READ_ONCE(spinner->stop) && ktime_get_ns() < until)
		cpu_relax();
	WRITE_ONCE(spinner->spinning, false);
}

static void c5_chunks_are_freed_while_a_realtime_task_spins(struct kunit *test)
{
	struct spinner *spinner = new_zeroed(test, struct spinner);
	struct runner *runner = new_zeroed(test, struct runner);
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_arena *arena = lone_arena(test, t, NULL);
	unsigned int cpu = leave_last_cpu(test);
	bool spins;

	/* A one-shot, which a worker frees. */
	spinner->ref = must_alloc_ref(test, arena, SZ_256K);
	runner_start_on(test, cpu, runner, put_and_spin, spinner);
	ASSERT_SETTLES(test,
		       READ_ONCE(spinner->spinning) || runner_ended(runner));
	memquota_stores_flush();
	spins = READ_ONCE(spinner->spinning);
	KUNIT_EXPECT_TRUE(test, spins);
	WRITE_ONCE(spinner->stop, true);
	runner_join(test, runner);
}

struct doorman {
	struct memquota_queue queue;
	struct memquota_queue_hook hook;
	bool inside;
	bool leave;
	u64 took_ns;
};

static void stay_inside(struct memquota_queue_hook *hook, int reason)
{
	struct doorman *d = container_of(hook, struct doorman, hook);
	u64 until = ktime_get_ns() + SPIN_NS;

	WRITE_ONCE(d->inside, true);
	while (!READ_ONCE(d->leave) && ktime_get_ns() < until)
		cpu_relax();
}

static void close_queue(struct runner *runner)
{
	struct doorman *d = runner->arg;

	memquota_queue_close(&d->queue);
}

static void unhook(struct runner *runner)
{
	struct doorman *d = runner->arg;
	u64 start = ktime_get_ns();

	sched_set_fifo(current);
	WRITE_ONCE(d->leave, true);
	memquota_queue_unhook(&d->queue, &d->hook);
	d->took_ns = ktime_get_ns() - start;
}

/* The task that waits for the hook has preempted the task that calls it. */
static void q4_a_hook_is_boosted_by_a_realtime_task(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct runner *runners = kunit_kcalloc(test, 2, sizeof(*runners),
					       GFP_KERNEL);
	struct doorman *d = new_zeroed(test, struct doorman);
	unsigned int cpu = leave_last_cpu(test);

	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "hooks cannot be preempted");
	KUNIT_ASSERT_NOT_NULL(test, runners);
	KUNIT_ASSERT_EQ(test,
			memquota_queue_init(&d->queue, new_account(test, t, NULL),
					    NULL, 0, GFP_KERNEL, "queue"), 0);
	d->hook.ended = stay_inside;
	memquota_queue_hook(&d->queue, &d->hook);
	runner_start_on(test, cpu, &runners[0], close_queue, d);
	EXPECT_SETTLES(test, READ_ONCE(d->inside));
	runner_start_on(test, cpu, &runners[1], unhook, d);
	runner_join(test, &runners[1]);
	runner_join(test, &runners[0]);
	memquota_queue_destroy(&d->queue);
	/* The scheduler runs starved tasks after about a second. */
	KUNIT_EXPECT_LT(test, d->took_ns, NSEC_PER_SEC / 2);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(c5_chunks_are_freed_while_a_realtime_task_spins),
	KUNIT_CASE(q4_a_hook_is_boosted_by_a_realtime_task),
	{}
};

MEMQUOTA_SUITE(memquota_realtime, cases);
