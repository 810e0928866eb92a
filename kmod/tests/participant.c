// SPDX-License-Identifier: GPL-2.0
/* Participants and their callbacks: rules P1, P2 and P8 to P10. */
#include <linux/bottom_half.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include "harness.h"
#include "internals.h"

static void note_context(struct actor *actor)
{
	unsigned long *bits = actor->arg;

	if (!bits)	/* not the first call */
		return;
	*bits = (in_softirq() ? 1 : 0) | (in_hardirq() ? 2 : 0) |
		(irqs_disabled() ? 4 : 0) | (rcu_read_lock_held() ? 8 : 0);
	/* Pairs with the test's load, so that it sees the bits. */
	smp_store_release(&actor->arg, NULL);
}

static void p1_atomic_callbacks_run_with_bottom_halves_off(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	unsigned long bits = 0;

	actor->then = note_context;
	actor->arg = &bits;
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	/* Pairs with note_context(). */
	ASSERT_SETTLES(test, !smp_load_acquire(&actor->arg));
	actor->then = NULL;
	settle(test, t);
	KUNIT_EXPECT_TRUE(test, bits & 1);
	KUNIT_EXPECT_FALSE(test, bits & 2);
	KUNIT_EXPECT_FALSE(test, bits & 4);
	KUNIT_EXPECT_TRUE(test, bits & 8);
}

static void p1_the_owner_is_held_for_a_sleeping_callback(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);

	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, count_asks(actor));
	settle(test, t);
	KUNIT_EXPECT_GE(test, atomic_read(&actor->gets), count_asks(actor));
	EXPECT_SETTLES(test, has_put_all(actor));
}

static void p1_without_a_reference_it_is_not_called(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 2);
	struct actor *other = lone_actor(test, t, 0, 1);

	actor->refuses_get = true;
	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	EXPECT_SETTLES(test, count_asks(other));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->puts), 0);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 6 * SZ_1M);
}

static void p1_an_answer_can_come_later(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);
	u64 id;

	actor->result = ANSWERS_LATER;
	actor->per_call = 0;
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, count_asks(actor));
	id = READ_ONCE(actor->request.id);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->gets), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->puts), 0);
	WRITE_ONCE(actor->result, 0);
	actor_free(actor, 6 * SZ_1M);
	memquota_reclaim_done(id, 0);
	EXPECT_SETTLES(test, has_put_all(actor));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
	/* Answer twice, late, and requests that never were. */
	memquota_reclaim_done(id, 0);
	memquota_reclaim_done(id, -EIO);
	memquota_reclaim_done(0, -EIO);
	memquota_reclaim_done(U64_MAX, -EIO);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->puts),
			atomic_read(&actor->gets));
}

static void answer_at_once(struct actor *actor)
{
	/* Inside the callback, before it returns -EINPROGRESS. */
	memquota_reclaim_done(READ_ONCE(actor->request.id), 0);
}

static void
p1_an_answer_can_come_before_the_callback_returns(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);

	actor->result = ANSWERS_LATER;
	actor->then = answer_at_once;
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	settle_below(test, t, LOW_WATER);
	EXPECT_SETTLES(test, has_put_all(actor));
	KUNIT_EXPECT_GT(test, count_asks(actor), 0);
}

static void p1_callbacks_that_cannot_be(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *atomic = idle_actor(test, 0);
	struct actor *sleeping = idle_actor(test, SLEEPING);
	struct memquota_ops ops[] = { {}, atomic->ops, sleeping->ops,
				      sleeping->ops, atomic->ops };
	unsigned int i;

	ops[1].reclaim_sleeping = sleeping->ops.reclaim_sleeping;
	ops[2].get = NULL;
	ops[3].put = NULL;
	ops[4].flags = BIT(30);
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		KUNIT_EXPECT_EQ(test,
				memquota_join_account(&atomic->p, a, &ops[i],
						      GFP_KERNEL, "a"),
				-EINVAL);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&atomic->p, 1, GFP_KERNEL),
			-ESTALE);
}

static void p1_joining_twice_is_refused(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *other = new_account(test, t, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_usage before, after;

	actor_charge(actor, SZ_64K);
	memquota_tracker_usage(t, &before);
	KUNIT_EXPECT_EQ(test,
			actor_join(actor, actor->account, GFP_KERNEL),
			-EBUSY);
	KUNIT_EXPECT_EQ(test,
			actor_join(actor, other, GFP_KERNEL), -EBUSY);
	KUNIT_EXPECT_EQ(test,
			actor_join(actor, NULL, GFP_KERNEL), -EBUSY);
	memquota_tracker_usage(t, &after);
	KUNIT_EXPECT_EQ(test, after.participants, before.participants);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), SZ_64K);

	memquota_leave(&actor->p);
	KUNIT_EXPECT_EQ(test,
			actor_join(actor, actor->account, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
}

static void p2_nothing_is_asked_before_the_second_step(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, MEMQUOTA_INACTIVE, 2);
	struct actor *other = lone_actor(test, t, 0, 1);

	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	EXPECT_SETTLES(test, count_asks(other));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor) + atomic_read(&actor->looks),
			0);

	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), 0);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	EXPECT_SETTLES(test, count_asks(actor));
	settle(test, t);
}

static void p2_chosen_in_between_the_second_step_fails(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = new_actor(test, a, MEMQUOTA_INACTIVE, 1);
	struct actor *active = new_actor(test, a, 0, 2);

	actor_charge(active, 6 * SZ_1M);
	actor_charge(actor, 1000);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, count_asks(active));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), -ESTALE);
	memquota_leave(&actor->p);
	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), -ESHUTDOWN);
}

static void p2_a_collapse_in_between_fails_the_second_step(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = new_actor(test, a, MEMQUOTA_INACTIVE, 1);
	struct actor *active = new_actor(test, a, MEMQUOTA_COLLAPSING, 2);

	actor_charge(active, 6 * SZ_1M);
	actor_charge(actor, SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, is_closed(a));
	KUNIT_EXPECT_EQ(test, memquota_activate(&actor->p), -ESTALE);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 0);
}

static void p2_activating_what_never_joined(struct kunit *test)
{
	struct memquota_participant p = {};

	KUNIT_EXPECT_EQ(test, memquota_activate(&p), -ESTALE);
}

static void p8_leaving_gives_everything_back(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *one = new_actor(test, a, 0, 1);
	struct actor *two = new_actor(test, a, 0, 2);
	struct memquota_account_usage usage;

	actor_charge(one, 3 * SZ_1M);
	actor_charge(two, 2 * SZ_1M);
	memquota_leave(&one->p);
	KUNIT_EXPECT_EQ(test, exact_total(t), 2 * SZ_1M);
	memquota_account_usage(a, &usage);
	KUNIT_EXPECT_EQ(test, usage.held, 2 * SZ_1M);
	memquota_leave(&one->p);
	KUNIT_EXPECT_EQ(test, exact_total(t), 2 * SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&two->p, 1, GFP_KERNEL), 0);
	memquota_uncharge(&two->p, 1);
}

/* memquota_leave(), on another CPU than the callback that it waits for. */
struct leaving {
	struct runner runners[2];
	struct actor *actor;
	bool inside;		/* the callback runs */
	bool claimed;		/* by the runner that leaves */
	bool began;		/* and has seen that the actor is leaving */
	bool left;		/* memquota_leave() has returned */
	bool left_early;	/* and did so while the callback was running */
};

static void leave_when_inside(struct runner *runner)
{
	struct leaving *l = runner->arg;

	if (!settled(READ_ONCE(l->inside)) || xchg(&l->claimed, true))
		return;
	memquota_leave(&l->actor->p);
	WRITE_ONCE(l->left, true);
}

/*
 * Stay in the callback until memquota_leave() has taken what the actor holds,
 * which it does before it waits, and 20 ms longer.
 */
static void watch_leaving(struct actor *actor)
{
	struct leaving *l = actor->arg;
	u64 end = ktime_get_ns() + 10 * (u64)NSEC_PER_SEC;

	WRITE_ONCE(l->inside, true);
	while (memquota_held(&actor->p) && ktime_get_ns() < end)
		cpu_relax();
	WRITE_ONCE(l->began, !memquota_held(&actor->p));
	end = ktime_get_ns() + 20 * NSEC_PER_MSEC;
	while (ktime_get_ns() < end)
		if (READ_ONCE(l->left))
			WRITE_ONCE(l->left_early, true);
}

/*
 * Both spin, the callback with preemption off, so each needs a CPU. Of the two
 * runners, one is on another CPU than the callback, and leaves.
 */
static struct leaving *leave_during_callback(struct kunit *test,
					     void (*then)(struct actor *actor))
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct leaving *l = new_zeroed(test, struct leaving);

	need_cpus(test, 2);
	l->actor = lone_actor(test, t, 0, 1);
	l->actor->then = then;
	l->actor->arg = l;
	actor_charge(l->actor, 6 * SZ_1M);
	runner_start_on(test, cpumask_first(cpu_online_mask), &l->runners[0],
			leave_when_inside, l);
	runner_start_on(test, cpumask_last(cpu_online_mask), &l->runners[1],
			leave_when_inside, l);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	runner_join(test, &l->runners[0]);
	runner_join(test, &l->runners[1]);
	/* The callback has returned, also if memquota_leave() did not wait. */
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(l->left_early));
	KUNIT_EXPECT_EQ(test, count_asks(l->actor), 1);
	return l;
}

static void p8_leaving_waits_for_a_running_callback(struct kunit *test)
{
	struct leaving *l = leave_during_callback(test, watch_leaving);

	KUNIT_EXPECT_TRUE(test, READ_ONCE(l->began));
}

/* Leave, and stay in the callback for 20 ms. */
static void leave_and_linger(struct actor *actor)
{
	struct leaving *l = actor->arg;
	u64 end;

	memquota_leave(&actor->p);
	WRITE_ONCE(l->inside, true);
	end = ktime_get_ns() + 20 * NSEC_PER_MSEC;
	while (ktime_get_ns() < end)
		if (READ_ONCE(l->left))
			WRITE_ONCE(l->left_early, true);
}

static void p8_leaving_again_waits_for_the_callback_that_left(struct kunit *test)
{
	struct leaving *l = leave_during_callback(test, leave_and_linger);

	KUNIT_EXPECT_TRUE(test, READ_ONCE(l->inside));
}

static void leave_myself(struct actor *actor)
{
	memquota_leave(&actor->p);
}

static void p8_a_callback_can_leave_itself(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 3);
	struct actor *collapsing = lone_actor(test, t, MEMQUOTA_COLLAPSING, 2);
	struct actor *sleeping = lone_actor(test, t, SLEEPING, 1);

	actor->then = leave_myself;
	collapsing->then = leave_myself;
	sleeping->then = leave_myself;
	actor->per_call = 0;
	actor_charge(actor, 6 * SZ_1M);
	actor_charge(collapsing, 6 * SZ_1M);
	actor_charge(sleeping, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	EXPECT_SETTLES(test, count_asks(actor) && count_asks(collapsing));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor), 1);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL),
			-ESHUTDOWN);
}

/* Two trackers, so two workers at once. */
static void p8_two_can_leave_each_other(struct kunit *test)
{
	struct memquota_tracker *one = new_default_sized_tracker(test);
	struct memquota_tracker *two = new_default_sized_tracker(test);
	struct actor *left, *right;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		left = lone_actor(test, one, 0, 1);
		right = lone_actor(test, two, 0, 1);
		left->arg = right;
		right->arg = left;
		left->then = leave_other;
		right->then = leave_other;
		actor_charge(left, HIGH + SZ_1M);
		actor_charge(right, HIGH + SZ_1M);
		settle(test, one);
		settle(test, two);
		KUNIT_EXPECT_GT(test, count_asks(left) + count_asks(right), 0);
		memquota_leave(&left->p);
		memquota_leave(&right->p);
	}
}

static void p8_a_sleeping_reclaim_is_not_waited_for(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);
	struct gate gate = {};

	actor->then = wait_at_gate;
	actor->arg = &gate;
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	memquota_leave(&actor->p);
	KUNIT_EXPECT_GT(test, atomic_read(&actor->gets),
			atomic_read(&actor->puts));
	WRITE_ONCE(gate.open, true);
	EXPECT_SETTLES(test, has_put_all(actor));
}

static void p9_a_running_callback_holds_the_module(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	int before = module_refcount(THIS_MODULE);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);
	struct gate gate = {};

	actor->then = wait_at_gate;
	actor->arg = &gate;
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before);
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	KUNIT_EXPECT_GT(test, module_refcount(THIS_MODULE), before);
	WRITE_ONCE(gate.open, true);
	settle(test, t);
	EXPECT_SETTLES(test, module_refcount(THIS_MODULE) == before);
}

#ifdef CONFIG_MODULE_UNLOAD
static void p9_a_leaving_module_is_not_called(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct module *going = new_zeroed(test, struct module);
	struct actor *actor = idle_actor(test, 0);
	struct actor *other = lone_actor(test, t, 0, 1);

	going->state = MODULE_STATE_GOING;
	actor->ops.owner = going;
	actor->arrival_ns = 1;
	actor->account = new_account(test, t, NULL);
	KUNIT_ASSERT_EQ(test,
			actor_join(actor, actor->account, GFP_KERNEL),
			0);
	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	EXPECT_SETTLES(test, count_asks(other));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(actor) + atomic_read(&actor->looks),
			0);
}
#endif

static void open_later(struct runner *runner)
{
	struct gate *gate = runner->arg;

	msleep(30);
	WRITE_ONCE(gate->open, true);
}

static void p9_the_barrier_waits_for_callbacks(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);
	struct runner runner;
	struct gate gate = {};

	actor->then = wait_at_gate;
	actor->arg = &gate;
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	memquota_leave(&actor->p);
	runner_start(test, &runner, open_later, &gate);
	memquota_barrier();
	KUNIT_EXPECT_TRUE(test, READ_ONCE(gate.open));
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->gets),
			atomic_read(&actor->puts));
	runner_join(test, &runner);
}

/* An owner with one lock for its data, which its callback takes, too. */
struct locked_owner {
	spinlock_t lock;	/* of an atomic callback */
	struct mutex mutex;	/* of a sleeping callback */
	struct actor *actor;
};

static void take_the_spinlock(struct actor *actor)
{
	struct locked_owner *owner = actor->arg;

	spin_lock(&owner->lock);
	actor_free(actor, SZ_1K);
	spin_unlock(&owner->lock);
}

static void take_the_mutex(struct actor *actor)
{
	struct locked_owner *owner = actor->arg;

	mutex_lock(&owner->mutex);
	actor_free(actor, SZ_1K);
	mutex_unlock(&owner->mutex);
}

static void charge_locked(struct kunit *test, struct actor *actor, u64 bytes,
			  gfp_t gfp)
{
	actor_charge(actor, bytes);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&actor->p, SZ_1K, gfp), 0);
	memquota_uncharge(&actor->p, SZ_1K);
}

/* Leave before the test ends: the locks are on its stack. */
static void end_locked_owner(struct kunit *test, struct actor *actor)
{
	EXPECT_SETTLES(test, count_asks(actor));
	memquota_leave(&actor->p);
	EXPECT_SETTLES(test, has_put_all(actor));
	memquota_barrier();
}

static void p10_the_owner_may_charge_under_its_spinlock(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct locked_owner owner = { .actor = lone_actor(test, t, 0, 1) };
	unsigned int i;

	spin_lock_init(&owner.lock);
	owner.actor->arg = &owner;
	owner.actor->then = take_the_spinlock;
	for (i = 0; i < 3000; i++) {
		spin_lock_bh(&owner.lock);
		charge_locked(test, owner.actor, SZ_16K, GFP_ATOMIC);
		spin_unlock_bh(&owner.lock);
	}
	settle(test, t);
	end_locked_owner(test, owner.actor);
}

static void p10_the_owner_may_charge_under_its_mutex(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct locked_owner owner = { .actor = lone_actor(test, t, SLEEPING,
							  1) };
	unsigned int i;

	mutex_init(&owner.mutex);
	owner.actor->arg = &owner;
	owner.actor->then = take_the_mutex;
	for (i = 0; i < 300; i++) {
		mutex_lock(&owner.mutex);
		charge_locked(test, owner.actor, SZ_128K, GFP_KERNEL);
		mutex_unlock(&owner.mutex);
	}
	settle(test, t);
	end_locked_owner(test, owner.actor);
}

static void put_an_account(struct actor *actor)
{
	struct memquota_account *a = xchg(&actor->arg, NULL);

	if (a)
		memquota_account_put(a);
}

static void p10_a_callback_may_put_accounts(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 2);
	struct memquota_account *a;
	struct actor *other;

	a = memquota_account_create(t, NULL, GFP_KERNEL, "put by a callback");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	other = new_actor(test, a, 0, 1);
	actor->arg = a;
	actor->then = put_an_account;
	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, count_asks(actor));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&other->p, 1, GFP_KERNEL),
			-ESTALE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p1_atomic_callbacks_run_with_bottom_halves_off),
	KUNIT_CASE(p1_the_owner_is_held_for_a_sleeping_callback),
	KUNIT_CASE(p1_without_a_reference_it_is_not_called),
	KUNIT_CASE(p1_an_answer_can_come_later),
	KUNIT_CASE(p1_an_answer_can_come_before_the_callback_returns),
	KUNIT_CASE(p1_callbacks_that_cannot_be),
	KUNIT_CASE(p1_joining_twice_is_refused),
	KUNIT_CASE(p2_nothing_is_asked_before_the_second_step),
	KUNIT_CASE(p2_chosen_in_between_the_second_step_fails),
	KUNIT_CASE(p2_a_collapse_in_between_fails_the_second_step),
	KUNIT_CASE(p2_activating_what_never_joined),
	KUNIT_CASE(p8_leaving_gives_everything_back),
	KUNIT_CASE(p8_leaving_waits_for_a_running_callback),
	KUNIT_CASE(p8_leaving_again_waits_for_the_callback_that_left),
	KUNIT_CASE(p8_a_callback_can_leave_itself),
	KUNIT_CASE(p8_two_can_leave_each_other),
	KUNIT_CASE(p8_a_sleeping_reclaim_is_not_waited_for),
	KUNIT_CASE(p9_a_running_callback_holds_the_module),
#ifdef CONFIG_MODULE_UNLOAD
	KUNIT_CASE(p9_a_leaving_module_is_not_called),
#endif
	KUNIT_CASE(p9_the_barrier_waits_for_callbacks),
	KUNIT_CASE(p10_the_owner_may_charge_under_its_spinlock),
	KUNIT_CASE(p10_the_owner_may_charge_under_its_mutex),
	KUNIT_CASE(p10_a_callback_may_put_accounts),
	{}
};

MEMQUOTA_SUITE(memquota_participant, cases);
