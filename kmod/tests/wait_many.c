// SPDX-License-Identifier: GPL-2.0
/* Many tasks that wait for quota: rule T10. */
#include <linux/vmalloc.h>
#include "harness.h"
#include "internals.h"

#define NR_WAITERS	100000
#define NR_THREADS	200

struct thread {
	struct runner runner;
	struct actor *actor;
};

static void wait_for_quota(struct runner *runner)
{
	struct thread *thread = container_of(runner, struct thread, runner);

	runner->result = memquota_try_charge_wait(&thread->actor->p, SZ_64K,
						  60 * HZ);
}

static struct thread *new_threads(struct kunit *test, struct actor *actor,
				  unsigned int nr)
{
	struct memquota_tracker *t = actor->account->tracker;
	struct thread *threads = zalloc_or_abort(test, nr * sizeof(*threads));
	unsigned int i, before = tracker_waiting(t);

	for (i = 0; i < nr; i++) {
		threads[i].actor = actor;
		runner_start(test, &threads[i].runner, wait_for_quota, NULL);
	}
	ASSERT_SETTLES(test, tracker_waiting(t) == before + nr);
	return threads;
}

static void expect_results(struct kunit *test, struct thread *threads,
			   unsigned int nr, int result)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		runner_join(test, &threads[i].runner);
		KUNIT_EXPECT_EQ(test, threads[i].runner.result, result);
	}
}

/* An actor whose account is at its max. */
static struct actor *actor_at_max(struct kunit *test,
				  struct memquota_tracker *t)
{
	struct actor *actor = lone_actor(test, t, 0, 1);

	KUNIT_ASSERT_EQ(test, memquota_account_set_max(actor->account, SZ_1M),
			0);
	actor_charge(actor, SZ_1M);
	return actor;
}

/* More tasks than are woken at once. */
static void t10_closing_wakes_all_tasks_of_the_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *closing = actor_at_max(test, t);
	struct actor *other = actor_at_max(test, t);
	struct thread *threads = new_threads(test, closing, NR_THREADS);
	struct thread *others = new_threads(test, other, 1);

	put_account(test, closing->account);
	expect_results(test, threads, NR_THREADS, -ESTALE);
	KUNIT_EXPECT_FALSE(test, runner_ended(&others->runner));
	KUNIT_EXPECT_EQ(test, tracker_waiting(t), 1);
	put_account(test, other->account);
	expect_results(test, others, 1, -ESTALE);
}

static void t10_many_are_served(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = actor_at_max(test, t);
	struct thread *threads = new_threads(test, actor, NR_THREADS);
	unsigned int i;

	for (i = NR_THREADS; i--;) {
		memquota_uncharge(&actor->p, SZ_64K);
		ASSERT_SETTLES(test, tracker_waiting(t) == i);
	}
	expect_results(test, threads, NR_THREADS, 0);
	KUNIT_EXPECT_EQ(test, tracker_waiting(t), 0);
}

/* A thread that looks again and again how far walks over the tasks are. */
struct meter {
	struct runner runner;
	struct memquota_account *account;
	struct memquota_waiter *waiters;
	bool stop;
	unsigned int between;	/* times that it saw a walk in its midst */
	unsigned int amiss;	/* times that this was not after a batch */
};

static void watch_walks(struct runner *runner)
{
	struct meter *meter = container_of(runner, struct meter, runner);
	unsigned int walked;

	while (!READ_ONCE(meter->stop)) {
		walked = account_waiters_progress(meter->account,
						  meter->waiters, NR_WAITERS);
		if (walked && walked < NR_WAITERS) {
			meter->between++;
			/* The thread that waits is the first, until it ends. */
			meter->amiss += walked % MEMQUOTA_BATCH &&
					(walked + 1) % MEMQUOTA_BATCH;
		}
		cond_resched();
	}
}

/* The lock is dropped after each batch, whether or not its tasks are woken. */
static void t10_a_hundred_thousand_do_not_hold_up_interrupts(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = actor_at_max(test, t);
	struct thread *thread = new_threads(test, actor, 1);
	struct meter *meter = new_zeroed(test, struct meter);
	struct memquota_waiter *waiters;
	u64 walk;

	need_cpus(test, 2);
	waiters = vzalloc(array_size(NR_WAITERS, sizeof(*waiters)));
	KUNIT_ASSERT_NOT_NULL(test, waiters);
	walk = account_waiters_walk(actor->account);
	account_add_waiters(actor->account, waiters, NR_WAITERS, current);
	meter->account = actor->account;
	meter->waiters = waiters;
	runner_start(test, &meter->runner, watch_walks, NULL);

	/* No wait has ended. */
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(actor->account, SZ_512K),
			0);
	EXPECT_SETTLES(test, account_waiters_walked(actor->account, walk + 1));
	/* All have. */
	put_account(test, actor->account);
	expect_results(test, thread, 1, -ESTALE);
	EXPECT_SETTLES(test, account_waiters_walked(actor->account, walk + 2));

	WRITE_ONCE(meter->stop, true);
	runner_join(test, &meter->runner);
	KUNIT_EXPECT_GT(test, meter->between, 0);
	/* The waiting thread may leave within a batch. */
	KUNIT_EXPECT_LE(test, meter->amiss, 1 + meter->between / 10);
	account_remove_waiters(actor->account, waiters, NR_WAITERS);
	vfree(waiters);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t10_closing_wakes_all_tasks_of_the_account),
	KUNIT_CASE(t10_many_are_served),
	KUNIT_CASE(t10_a_hundred_thousand_do_not_hold_up_interrupts),
	{}
};

MEMQUOTA_SUITE(memquota_wait_many, cases);
