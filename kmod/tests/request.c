// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to sleeping participants: what a callback that hangs, an owner whose
 * lock is taken and a late answer do to other requests.
 */
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include "harness.h"
#include "internals.h"

/* More than any queue of work runs at once. */
#define HUNG		(WQ_MAX_ACTIVE + 1)

static void hang(struct actor *actor)
{
	wait_for_completion_timeout(actor->arg, 60 * HZ);
}

KUNIT_DEFINE_ACTION_WRAPPER(let_go, complete_all, struct completion *);

/*
 * An actor of the module @owner in an account of its own, with data of that age.
 */
static struct actor *actor_of_module(struct kunit *test,
				     struct memquota_tracker *t,
				     struct module *owner, unsigned int age)
{
	struct actor *actor = idle_actor(test, SLEEPING);

	actor->ops.owner = owner;
	actor->account = new_account(test, t, NULL);
	actor->arrival_ns = ktime_get_coarse_ns() - age;
	KUNIT_ASSERT_EQ(test, actor_join(actor, actor->account, GFP_KERNEL), 0);
	return actor;
}

/* The callbacks of one module in one tracker hang, more than run at once. */
static void r4_callbacks_that_hang_stop_no_others(struct kunit *test)
{
	struct completion *gate = new_zeroed(test, struct completion);
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_tracker *other_t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *hung = NULL, *other, *neighbour;
	unsigned int i;

	init_completion(gate);
	neighbour = actor_of_module(test, t, NULL, 1);
	other = lone_actor(test, other_t, SLEEPING, 1);
	for (i = 0; i < HUNG; i++) {
		hung = new_actor(test, a, SLEEPING, 1000);
		hung->then = hang;
		hung->arg = gate;
		/* More than slots keep to themselves: no answer drains. */
		actor_charge(hung, SZ_64K);
	}
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, let_go, gate), 0);
	actor_charge(neighbour, SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, atomic_read(&hung->gets));
	/* Each of them hangs or waits for a worker. */
	msleep(1000);

	actor_charge(other, 6 * SZ_1M);
	press_total(test, other_t, MEMQUOTA_COLLAPSING, HIGH);
	EXPECT_SETTLES(test, count_asks(other));
	EXPECT_SETTLES(test, count_asks(neighbour));
	KUNIT_EXPECT_FALSE(test, has_put_all(hung));
	/* Those that are let go now are not asked again. */
	set_limits(test, t, 0, 0, 0);
	complete_all(gate);
	EXPECT_SETTLES(test, has_put_all(hung));
}

/* One module after another has a sleeping participant. */
static void r4_a_tracker_has_few_lanes(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct module *modules = kunit_kcalloc(test, 8, sizeof(*modules),
					       GFP_KERNEL);
	struct actor *actor;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, modules);
	lone_actor(test, t, 0, 1);
	KUNIT_EXPECT_EQ(test, tracker_lanes(t), 0U);
	for (i = 0; i < 8; i++) {
		actor = actor_of_module(test, t, modules + i, 1);
		KUNIT_EXPECT_EQ(test, tracker_lanes(t), 1U);
		memquota_leave(&actor->p);
		/* Records are freed after a grace period. */
		rcu_barrier();
	}
	actor_of_module(test, t, modules, 1);
	actor_of_module(test, t, modules, 1);
	KUNIT_EXPECT_EQ(test, tracker_lanes(t), 1U);
	actor_of_module(test, t, modules + 1, 1);
	KUNIT_EXPECT_EQ(test, tracker_lanes(t), 2U);
}

static void wait_for_barrier(struct runner *runner)
{
	memquota_barrier();
}

/* A callback of another module hangs: one that is built in, here. */
static void p9_the_barrier_waits_for_its_own_module(struct kunit *test)
{
	struct completion *gate = new_zeroed(test, struct completion);
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct runner *runner = new_zeroed(test, struct runner);
	struct actor *actor;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		init_completion(gate);
		actor = actor_of_module(test, t, i ? THIS_MODULE : NULL, 1);
		actor->then = hang;
		actor->arg = gate;
		actor_charge(actor, 6 * SZ_1M);
		press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
		ASSERT_SETTLES(test, count_asks(actor));
		runner_start(test, runner, wait_for_barrier, NULL);
		if (i) {
			msleep(30);
			KUNIT_EXPECT_FALSE(test, runner_ended(runner));
		} else {
			EXPECT_SETTLES(test, runner_ended(runner));
		}
		complete_all(gate);
		runner_join(test, runner);
		EXPECT_SETTLES(test, has_put_all(actor));
		settle(test, t);
	}
}

static void restore_give_up_ms(void *was)
{
	WRITE_ONCE(memquota_give_up_ms, (unsigned long)was);
}

/* Until the test ends. */
static void change_give_up_ms(struct kunit *test, unsigned int ms)
{
	void *was = (void *)(unsigned long)memquota_give_up_ms;

	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, restore_give_up_ms,
						  was), 0);
	WRITE_ONCE(memquota_give_up_ms, ms);
}

/* The older of two requests was issued when requests had more time. */
static void r4_each_request_expires_in_its_time(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actors[] = { lone_actor(test, t, SLEEPING, 2),
				   lone_actor(test, t, SLEEPING, 1) };
	unsigned int i;

	change_give_up_ms(test, 60000);
	for (i = 0; i < ARRAY_SIZE(actors); i++) {
		actors[i]->result = ANSWERS_LATER;
		actors[i]->per_call = 0;
		actor_charge(actors[i], 11 * SZ_1M);
	}
	ASSERT_SETTLES(test, count_asks(actors[0]));
	WRITE_ONCE(memquota_give_up_ms, 300);
	EXPECT_SETTLES(test, has_put_all(actors[0]) && count_asks(actors[1]) &&
		       has_put_all(actors[1]));
}

static void free_next_time(struct actor *actor)
{
	if (count_asks(actor) < 3)
		return;
	actor->result = 0;
	actor_free(actor, U64_MAX);
}

/* Its callback cannot take its lock, and says so, without waiting. */
static void r4_a_callback_can_ask_to_be_called_again(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 2);

	actor->per_call = 0;
	actor->result = -EAGAIN;
	actor->then = free_next_time;
	actor_charge(actor, 11 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, 11 * SZ_1M);
	ASSERT_SETTLES(test, has_put_all(actor) && count_asks(actor) >= 3);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->gets), 1);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 3U);
	exact_total(t);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
}

/* It never takes its lock: the request expires like any other. */
static void r4_a_callback_is_not_called_again_for_ever(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 2);
	unsigned int asks;

	change_give_up_ms(test, 300);
	actor->per_call = 0;
	actor->result = -EAGAIN;
	actor_charge(actor, 11 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, 11 * SZ_1M);
	ASSERT_SETTLES(test, count_asks(actor) && has_put_all(actor));
	settle(test, t);
	asks = count_asks(actor);
	KUNIT_EXPECT_GT(test, asks, 1U);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
	msleep(50);
	KUNIT_EXPECT_EQ(test, count_asks(actor), asks);
}

/* It must learn that its account has closed, however late. */
static void r5_a_collapsing_one_is_called_until_it_can(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING | MEMQUOTA_COLLAPSING,
					 2);
	unsigned int asks;

	change_give_up_ms(test, 100);
	actor->per_call = 0;
	actor->result = -EAGAIN;
	actor_charge(actor, HIGH + 1);
	ASSERT_SETTLES(test, is_closed(actor->account) && count_asks(actor));
	/* The request expires. */
	settle(test, t);
	asks = count_asks(actor);
	EXPECT_SETTLES(test, count_asks(actor) > asks + 1);
	KUNIT_EXPECT_FALSE(test, has_put_all(actor));
	WRITE_ONCE(actor->result, 0);
	EXPECT_SETTLES(test, has_put_all(actor));
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(r4_callbacks_that_hang_stop_no_others),
	KUNIT_CASE(r4_a_tracker_has_few_lanes),
	KUNIT_CASE(p9_the_barrier_waits_for_its_own_module),
	KUNIT_CASE(r4_each_request_expires_in_its_time),
	KUNIT_CASE(r4_a_callback_can_ask_to_be_called_again),
	KUNIT_CASE(r4_a_callback_is_not_called_again_for_ever),
	KUNIT_CASE(r5_a_collapsing_one_is_called_until_it_can),
	{}
};

MEMQUOTA_SUITE(memquota_request, cases);
