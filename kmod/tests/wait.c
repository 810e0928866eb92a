// SPDX-License-Identifier: GPL-2.0
/* Waiting for quota: rule T10. */
#include <linux/sched/signal.h>
#include <memquota/arena.h>
#include "../core/total.h"
#include "harness.h"
#include "internals.h"

#define FULL	((u64)SZ_1M)

/* A tracker that is full, with nothing to reclaim. */
struct full {
	struct memquota_tracker *t;
	struct actor *holder;
	struct actor *actor;
};

static struct full new_full(struct kunit *test)
{
	struct full full = {};

	full.t = new_tracker(test, &(struct memquota_limits){ .max = FULL });
	full.holder = lone_actor(test, full.t, 0, 2);
	full.actor = lone_actor(test, full.t, 0, 1);
	full.holder->per_call = 0;
	full.actor->per_call = 0;
	actor_charge(full.holder, FULL);
	return full;
}

struct waiter {
	struct runner runner;
	struct actor *actor;
	size_t bytes;
	long timeout;
	unsigned int *turn;	/* of several waiters */
	unsigned int place;
};

static void wait_for_quota(struct runner *runner)
{
	struct waiter *w = container_of(runner, struct waiter, runner);

	allow_signal(SIGKILL);
	runner->result = memquota_try_charge_wait(&w->actor->p, w->bytes,
						  w->timeout);
	if (w->turn)
		w->place = ++*w->turn;	/* the test wakes one at a time */
}

static struct waiter *new_waiter(struct kunit *test, struct memquota_tracker *t,
				 struct actor *actor, size_t bytes)
{
	struct waiter *w = new_zeroed(test, struct waiter);
	unsigned int before = tracker_waiting(t);

	w->actor = actor;
	w->bytes = bytes;
	w->timeout = 60 * HZ;
	runner_start(test, &w->runner, wait_for_quota, NULL);
	ASSERT_SETTLES(test, tracker_waiting(t) > before);
	return w;
}

/* A waiter for an account that has reached its max. */
static struct waiter *wait_at_account_max(struct kunit *test,
					  struct memquota_tracker *t,
					  struct actor *actor)
{
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(actor->account, FULL),
			0);
	actor_charge(actor, FULL);
	return new_waiter(test, t, actor, SZ_64K);
}

static void expect_result(struct kunit *test, struct waiter *w, int result)
{
	runner_join(test, &w->runner);
	KUNIT_EXPECT_EQ(test, w->runner.result, result);
}

static void t10_waits_until_there_is_room(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w = new_waiter(test, full.t, full.actor, SZ_64K);

	KUNIT_EXPECT_FALSE(test, runner_ended(&w->runner));
	actor_uncharge(full.holder, SZ_256K);
	expect_result(test, w, 0);
	KUNIT_EXPECT_EQ(test, exact_total(full.t), FULL - SZ_256K + SZ_64K);
	KUNIT_EXPECT_EQ(test, tracker_waiting(full.t), 0);
}

static void t10_with_room_nobody_waits(struct kunit *test)
{
	struct full full = new_full(test);

	actor_uncharge(full.holder, SZ_256K);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_wait(&full.actor->p, SZ_256K, 0),
			0);
}

static void t10_a_timeout_ends_waiting(struct kunit *test)
{
	struct full full = new_full(test);
	unsigned long begin = jiffies;

	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_wait(&full.actor->p, SZ_64K,
						 HZ / 10), -ETIME);
	KUNIT_EXPECT_GE(test, jiffies - begin, HZ / 10);
	KUNIT_EXPECT_EQ(test, exact_total(full.t), FULL);
	KUNIT_EXPECT_EQ(test, tracker_waiting(full.t), 0);
}

/* Do what kill(2) does; it does not reach kthreads. */
static void kill_thread(struct task_struct *task)
{
	unsigned long flags;

	spin_lock_irqsave(&task->sighand->siglock, flags);
	sigaddset(&task->pending.signal, SIGKILL);
	set_tsk_thread_flag(task, TIF_SIGPENDING);
	spin_unlock_irqrestore(&task->sighand->siglock, flags);
	wake_up_process(task);
}

static void t10_a_fatal_signal_ends_waiting(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w = new_waiter(test, full.t, full.actor, SZ_64K);

	kill_thread(w->runner.task);
	expect_result(test, w, -EINTR);
	KUNIT_EXPECT_EQ(test, tracker_waiting(full.t), 0);
}

static void t10_reclaim_makes_room(struct kunit *test)
{
	struct full full = new_full(test);

	WRITE_ONCE(full.holder->per_call, U64_MAX);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_wait(&full.actor->p, SZ_64K,
						 10 * HZ), 0);
	KUNIT_EXPECT_GT(test, count_asks(full.holder), 0);
	memquota_uncharge(&full.actor->p, SZ_64K);
}

/* The timeout of the call overrides that of the arena. */
static void t10_an_arena_waits_as_its_caller_says(struct kunit *test)
{
	struct full full = new_full(test);
	struct memquota_arena_config config = {
		.account = full.actor->account,
		.gfp = GFP_KERNEL,
		.flags = MEMQUOTA_ARENA_IN_ACCOUNT | MEMQUOTA_ARENA_PERCPU,
		.wait = MAX_SCHEDULE_TIMEOUT,
	};
	unsigned long begin = jiffies;
	struct memquota_arena arena;
	void *memory;

	KUNIT_ASSERT_EQ(test, memquota_arena_init(&arena, &config, "arena"), 0);
	memory = memquota_arena_alloc_ref_wait(&arena, 100, 8, 0);
	EXPECT_PTR_ERR(test, memory, -EDQUOT);
	memory = memquota_arena_alloc_ref_wait(&arena, SZ_1M / 2, 8, 0);
	EXPECT_PTR_ERR(test, memory, -EDQUOT);
	memory = memquota_arena_alloc_ref_wait(&arena, 100, 8, HZ / 10);
	EXPECT_PTR_ERR(test, memory, -ETIME);
	KUNIT_EXPECT_GE(test, jiffies - begin, HZ / 10);
	WRITE_ONCE(full.holder->per_call, U64_MAX);
	memory = memquota_arena_alloc_ref_wait(&arena, 100, 8, 10 * HZ);
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(memory));
	memquota_ref_put(memory);
	memquota_arena_destroy(&arena);
}

static void t10_in_order_of_arrival(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *waiters[4];
	unsigned int i, turn = 0;

	for (i = 0; i < 4; i++) {
		waiters[i] = new_waiter(test, full.t, full.actor, SZ_64K);
		waiters[i]->turn = &turn;
	}
	for (i = 0; i < 4; i++) {
		actor_uncharge(full.holder, SZ_64K);
		EXPECT_SETTLES(test, runner_ended(&waiters[i]->runner));
	}
	for (i = 0; i < 4; i++) {
		expect_result(test, waiters[i], 0);
		KUNIT_EXPECT_EQ(test, waiters[i]->place, i + 1);
	}
}

/* A small charge waits behind a large one, or fails if it may not wait. */
static void t10_nobody_overtakes(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *large = new_waiter(test, full.t, full.actor, SZ_512K);
	struct waiter *small = new_waiter(test, full.t, full.actor, SZ_32K);

	actor_uncharge(full.holder, SZ_256K);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&full.actor->p, SZ_32K, GFP_KERNEL),
			-EDQUOT);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, runner_ended(&large->runner));
	KUNIT_EXPECT_FALSE(test, runner_ended(&small->runner));
	actor_uncharge(full.holder, SZ_512K);
	expect_result(test, large, 0);
	expect_result(test, small, 0);
}

static void t10_one_who_gives_up_lets_the_next_by(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *large = new_waiter(test, full.t, full.actor, SZ_512K);
	struct waiter *small = new_waiter(test, full.t, full.actor, SZ_32K);

	actor_uncharge(full.holder, SZ_256K);
	kill_thread(large->runner.task);
	expect_result(test, large, -EINTR);
	expect_result(test, small, 0);
}

static void t10_one_queue_per_limit(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *limited = lone_actor(test, t, 0, 1);
	struct actor *other = lone_actor(test, t, 0, 2);
	struct waiter *w;

	w = wait_at_account_max(test, t, limited);
	/* The other account's limit is not reached. */
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&other->p, SZ_1M, GFP_KERNEL),
			0);
	KUNIT_EXPECT_FALSE(test, runner_ended(&w->runner));
	actor_uncharge(limited, SZ_128K);
	expect_result(test, w, 0);
	KUNIT_EXPECT_EQ(test, count_runs(t), 0);
}

static void t10_an_accounts_limit_holds_up_nobody_else(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w;

	actor_charge(full.actor, SZ_64K);
	w = new_waiter(test, full.t, full.actor, SZ_64K);
	/* It waits for the tracker's max first, then for its account's. */
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(full.actor->account, SZ_64K),
			0);
	actor_uncharge(full.holder, SZ_512K);
	EXPECT_SETTLES(test, !tracker_waiting_bytes(full.t));
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge(&full.holder->p, SZ_64K,
					    GFP_KERNEL), 0);
	KUNIT_EXPECT_FALSE(test, runner_ended(&w->runner));
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(full.actor->account,
						 MEMQUOTA_UNLIMITED), 0);
	expect_result(test, w, 0);
}

static void t10_two_queues_do_not_wait_for_each_other(struct kunit *test)
{
	struct full full = new_full(test);
	struct memquota_account *account = full.actor->account;
	struct actor *other = lone_actor(test, full.t, 0, 1);
	struct waiter *first, *second, *third;

	/* Two of one account, refused by one limit and then the other. */
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(account, SZ_128K), 0);
	actor_charge(full.actor, SZ_128K);
	first = new_waiter(test, full.t, full.actor, SZ_64K);
	second = new_waiter(test, full.t, other, SZ_64K);
	third = new_waiter(test, full.t, full.actor, SZ_32K);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(account, MEMQUOTA_UNLIMITED),
			0);
	EXPECT_SETTLES(test, tracker_waiting_bytes(full.t) >= SZ_128K);
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(account, SZ_128K), 0);
	actor_uncharge(full.holder, FULL);
	expect_result(test, second, 0);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(account, MEMQUOTA_UNLIMITED),
			0);
	expect_result(test, first, 0);
	expect_result(test, third, 0);
}

static void t10_caches_are_drained_meanwhile(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w;

	/* The slot takes the bytes back: only a drain shows them. */
	w = new_waiter(test, full.t, full.actor, 64);
	actor_uncharge(full.holder, 64);
	expect_result(test, w, 0);
}

static void t10_lifting_the_limit_ends_waiting(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w = new_waiter(test, full.t, full.actor, SZ_64K);

	set_limits(test, full.t, 2 * FULL, 0, 0);
	expect_result(test, w, 0);
}

static void t10_lifting_the_accounts_limit_ends_waiting(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct waiter *w;

	w = wait_at_account_max(test, t, actor);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(actor->account,
						 MEMQUOTA_UNLIMITED), 0);
	expect_result(test, w, 0);
}

static void t10_destroying_wakes(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w = new_waiter(test, full.t, full.actor, SZ_64K);

	destroy_tracker(test, full.t);
	expect_result(test, w, -ESHUTDOWN);
}

static void t10_poisoning_wakes(struct kunit *test)
{
	struct full full;
	struct waiter *w;

	needs_warnings(test);
	full = new_full(test);
	w = new_waiter(test, full.t, full.actor, SZ_64K);
	kunit_warning_suppress(test)
		memquota_tracker_poison(full.t, "of a test");
	expect_result(test, w, -ENOTRECOVERABLE);
}

static void t10_closing_wakes(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w = new_waiter(test, full.t, full.actor, SZ_64K);

	put_account(test, full.actor->account);
	expect_result(test, w, -ESTALE);
}

static void t10_closing_wakes_the_accounts_own_queue(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct waiter *w;

	w = wait_at_account_max(test, t, actor);
	put_account(test, actor->account);
	expect_result(test, w, -ESTALE);
}

/* No reclaim can make room, so the caller need not wait to be refused. */
static void t10_more_than_a_max_is_refused_at_once(struct kunit *test)
{
	struct full full = new_full(test);

	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_wait(&full.actor->p, FULL + 1, HZ),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(full.actor->account, SZ_32K),
			0);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_wait(&full.actor->p, SZ_64K, HZ),
			-EDQUOT);
}

static void t10_a_lower_max_ends_waiting_for_more(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *large = new_waiter(test, full.t, full.actor, SZ_512K);
	struct waiter *small = new_waiter(test, full.t, full.actor, SZ_64K);

	set_limits(test, full.t, SZ_256K, 0, 0);
	expect_result(test, large, -EDQUOT);
	KUNIT_EXPECT_FALSE(test, runner_ended(&small->runner));
	KUNIT_EXPECT_EQ(test, tracker_waiting_bytes(full.t), SZ_64K);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(full.actor->account, SZ_32K),
			0);
	expect_result(test, small, -EDQUOT);
	KUNIT_EXPECT_EQ(test, tracker_waiting_bytes(full.t), 0);
}

static void t10_an_accounts_limit_leaves_the_caches_on(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *limited = lone_actor(test, t, 0, 1);
	unsigned long drained;
	struct waiter *w;

	w = wait_at_account_max(test, t, limited);
	drained = tracker_drained(t);
	KUNIT_EXPECT_NE(test, tracker_slot_bytes(t), 0);
	msleep(100);
	KUNIT_EXPECT_EQ(test, tracker_drained(t), drained);
	actor_uncharge(limited, SZ_64K);
	expect_result(test, w, 0);
}

static void leave_in_slot(unsigned int cpu, void *arg)
{
	struct actor *actor = arg;

	actor_charge(actor, SZ_32K);
	actor_uncharge(actor, 1);
}

/* What a slot holds for the account keeps it at its max. */
static void t10_slots_of_the_account_are_drained(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *limited = lone_actor(test, t, 0, 1);

	need_cpus(test, 2);
	run_on_cpu(test, 1, leave_in_slot, limited);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(limited->account, SZ_64K), 0);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_wait(&limited->p, SZ_32K + 1, HZ),
			0);
	memquota_uncharge(&limited->p, SZ_32K + 1);
}

/* The first task drains ever more rarely, so the uncharge itself wakes it. */
static void t10_an_uncharge_wakes(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *limited = lone_actor(test, t, 0, 1);
	struct full full = new_full(test);
	struct waiter *of_account, *of_tracker;
	unsigned long begin;

	of_account = wait_at_account_max(test, t, limited);
	of_tracker = new_waiter(test, full.t, full.actor, SZ_64K);
	/* They drain after 0.01, 0.03, 0.07, 0.15, ... 2.55 and 5.11 seconds. */
	msleep(2600);
	begin = jiffies;
	actor_uncharge(limited, SZ_64K);
	actor_uncharge(full.holder, SZ_64K);
	expect_result(test, of_account, 0);
	expect_result(test, of_tracker, 0);
	KUNIT_EXPECT_LT(test, jiffies - begin, 2 * HZ);
}

static void t10_a_waiting_task_can_be_frozen(struct kunit *test)
{
	struct full full = new_full(test);
	struct waiter *w = new_waiter(test, full.t, full.actor, SZ_64K);

	EXPECT_SETTLES(test, READ_ONCE(w->runner.task->__state) &
			     TASK_FREEZABLE);
	actor_uncharge(full.holder, SZ_64K);
	expect_result(test, w, 0);
}

static unsigned long count_sleeps(struct waiter **waiters, unsigned int nr)
{
	unsigned long sleeps = 0;

	while (nr--)
		sleeps += READ_ONCE(waiters[nr]->runner.task->nvcsw);
	return sleeps;
}

/* The first task polls. Those behind it sleep until something concerns them. */
static void t10_closing_wakes_no_other_accounts_tasks(struct kunit *test)
{
	struct full full = new_full(test);
	struct actor *other = lone_actor(test, full.t, 0, 2);
	struct waiter *first, *of_other, *behind[8];
	unsigned long sleeps;
	unsigned int i;

	first = new_waiter(test, full.t, full.actor, SZ_64K);
	of_other = new_waiter(test, full.t, other, SZ_64K);
	for (i = 0; i < 8; i++)
		behind[i] = new_waiter(test, full.t, full.actor, SZ_64K);
	msleep(100);
	sleeps = count_sleeps(behind, 8);
	put_account(test, other->account);
	expect_result(test, of_other, -ESTALE);
	msleep(100);
	KUNIT_EXPECT_EQ(test, count_sleeps(behind, 8), sleeps);
	put_account(test, full.actor->account);
	expect_result(test, first, -ESTALE);
	for (i = 0; i < 8; i++)
		expect_result(test, behind[i], -ESTALE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t10_waits_until_there_is_room),
	KUNIT_CASE(t10_with_room_nobody_waits),
	KUNIT_CASE(t10_a_timeout_ends_waiting),
	KUNIT_CASE(t10_a_fatal_signal_ends_waiting),
	KUNIT_CASE(t10_reclaim_makes_room),
	KUNIT_CASE(t10_an_arena_waits_as_its_caller_says),
	KUNIT_CASE(t10_in_order_of_arrival),
	KUNIT_CASE(t10_nobody_overtakes),
	KUNIT_CASE(t10_one_who_gives_up_lets_the_next_by),
	KUNIT_CASE(t10_one_queue_per_limit),
	KUNIT_CASE(t10_an_accounts_limit_holds_up_nobody_else),
	KUNIT_CASE(t10_two_queues_do_not_wait_for_each_other),
	KUNIT_CASE(t10_caches_are_drained_meanwhile),
	KUNIT_CASE(t10_lifting_the_limit_ends_waiting),
	KUNIT_CASE(t10_lifting_the_accounts_limit_ends_waiting),
	KUNIT_CASE(t10_destroying_wakes),
	KUNIT_CASE(t10_poisoning_wakes),
	KUNIT_CASE(t10_closing_wakes),
	KUNIT_CASE(t10_closing_wakes_the_accounts_own_queue),
	KUNIT_CASE(t10_more_than_a_max_is_refused_at_once),
	KUNIT_CASE(t10_a_lower_max_ends_waiting_for_more),
	KUNIT_CASE(t10_an_accounts_limit_leaves_the_caches_on),
	KUNIT_CASE(t10_slots_of_the_account_are_drained),
	KUNIT_CASE(t10_an_uncharge_wakes),
	KUNIT_CASE(t10_a_waiting_task_can_be_frozen),
	KUNIT_CASE(t10_closing_wakes_no_other_accounts_tasks),
	{}
};

MEMQUOTA_SUITE(memquota_wait, cases);
