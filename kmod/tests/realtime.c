// SPDX-License-Identifier: GPL-2.0
/*
 * A real-time task that keeps its CPU delays nothing that its calls defer. With
 * PREEMPT_RT an irq_work that is not a hard one runs in a thread of that CPU,
 * which such a task starves.
 */
#include <linux/sched.h>
#include "../memory/arena_core.h"
#include "../memory/store.h"
#include "harness.h"

#define SPIN_NS		(5 * (u64)NSEC_PER_SEC)

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
	bool spins;

	need_cpus(test, 2);
	/* A one-shot, which a worker frees. */
	spinner->ref = must_alloc_ref(test, arena, SZ_256K);
	runner_start_on(test, cpumask_last(cpu_online_mask), runner,
			put_and_spin, spinner);
	ASSERT_SETTLES(test, READ_ONCE(spinner->spinning) ||
			     runner_ended(runner));
	memquota_stores_flush();
	spins = READ_ONCE(spinner->spinning);
	KUNIT_EXPECT_TRUE(test, spins);
	WRITE_ONCE(spinner->stop, true);
	runner_join(test, runner);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(c5_chunks_are_freed_while_a_realtime_task_spins),
	{}
};

MEMQUOTA_SUITE(memquota_realtime, cases);
