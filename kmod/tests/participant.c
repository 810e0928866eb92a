// SPDX-License-Identifier: GPL-2.0
/* Participants and their callbacks: rules P1, P2 and P8 to P12. */
#include <linux/bottom_half.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include "../core/core.h"
#include "harness.h"

/* The newest data of all makes reclaim begin; whoever is oldest is asked. */
static void press_with(struct kunit *test, struct memquota_tracker *t,
		       u64 bytes)
{
	struct actor *presser = lone_actor(test, t, MEMQUOTA_COLLAPSING, 0);

	presser->arrival_ns = U64_MAX - 1;
	actor_charge(presser, bytes);
}

static void press(struct kunit *test, struct memquota_tracker *t)
{
	press_with(test, t, HIGH);
}

static void note_context(struct actor *actor)
{
	unsigned long *bits = actor->arg;

	if (!bits)	/* again */
		return;
	*bits = (in_softirq() ? 1 : 0) | (in_hardirq() ? 2 : 0) |
		(irqs_disabled() ? 4 : 0) | (rcu_read_lock_held() ? 8 : 0);
	/* Pairs with the test's load: the bits are there. */
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
	press(test, t);
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
	press(test, t);
	ASSERT_SETTLES(test, asked(actor));
	settle(test, t);
	KUNIT_EXPECT_GE(test, atomic_read(&actor->gets), asked(actor));
	EXPECT_SETTLES(test, atomic_read(&actor->puts) == atomic_read(&actor->gets));
}

static void p1_without_a_reference_it_is_not_called(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 2);
	struct actor *other = lone_actor(test, t, 0, 1);

	actor->refuses_get = true;
	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press(test, t);
	EXPECT_SETTLES(test, asked(other));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor), 0);
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
	press(test, t);
	ASSERT_SETTLES(test, asked(actor));
	id = READ_ONCE(actor->request.id);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->gets), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->puts), 0);
	WRITE_ONCE(actor->result, 0);
	actor_free(actor, 6 * SZ_1M);
	memquota_reclaim_done(id, 0);
	EXPECT_SETTLES(test, atomic_read(&actor->puts) == atomic_read(&actor->gets));
	settle(test, t);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
	/* Twice, late, and for what never was. */
	memquota_reclaim_done(id, 0);
	memquota_reclaim_done(id, -EIO);
	memquota_reclaim_done(0, -EIO);
	memquota_reclaim_done(U64_MAX, -EIO);
	KUNIT_EXPECT_FALSE(test, is_closed(actor->account));
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->puts), atomic_read(&actor->gets));
}

static void answer_at_once(struct actor *actor)
{
	/* From inside of the callback, before it returns -EINPROGRESS. */
	memquota_reclaim_done(READ_ONCE(actor->request.id), 0);
}

static void p1_an_answer_can_come_before_the_callback_returns(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);

	actor->result = ANSWERS_LATER;
	actor->then = answer_at_once;
	actor_charge(actor, 6 * SZ_1M);
	press(test, t);
	EXPECT_SETTLES(test, total(t) <= LOW_WATER);
	settle(test, t);
	EXPECT_SETTLES(test, atomic_read(&actor->puts) == atomic_read(&actor->gets));
	KUNIT_EXPECT_GT(test, asked(actor), 0);
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
		KUNIT_EXPECT_EQ(test, -EINVAL,
				memquota_join_account(&atomic->p, a, &ops[i],
						      GFP_KERNEL, "a"));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_try_charge(&atomic->p, 1, GFP_KERNEL));
}

static void p1_joining_twice_is_refused(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *other = new_account(test, t, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct memquota_usage before, after;

	actor_charge(actor, SZ_64K);
	memquota_tracker_usage(t, &before);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			memquota_join_account(&actor->p, actor->account,
					      &actor->ops, GFP_KERNEL, "a"));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			memquota_join_account(&actor->p, other, &actor->ops,
					      GFP_KERNEL, "a"));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			memquota_join_account(&actor->p, NULL, &actor->ops,
					      GFP_KERNEL, "a"));
	memquota_tracker_usage(t, &after);
	KUNIT_EXPECT_EQ(test, after.participants, before.participants);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_64K);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), SZ_64K);

	memquota_leave(&actor->p);
	KUNIT_EXPECT_EQ(test, 0,
			memquota_join_account(&actor->p, actor->account,
					      &actor->ops, GFP_KERNEL, "a"));
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
}

static void p2_nothing_is_asked_before_the_second_step(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, MEMQUOTA_INACTIVE, 2);
	struct actor *other = lone_actor(test, t, 0, 1);

	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press(test, t);
	EXPECT_SETTLES(test, asked(other));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor) + atomic_read(&actor->looks), 0);

	KUNIT_EXPECT_EQ(test, 0, memquota_activate(&actor->p));
	press(test, t);
	EXPECT_SETTLES(test, asked(actor));
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
	press(test, t);
	ASSERT_SETTLES(test, asked(active));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor), 0);
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_activate(&actor->p));
	memquota_leave(&actor->p);
	KUNIT_EXPECT_EQ(test, -ESHUTDOWN, memquota_activate(&actor->p));
}

static void p2_a_collapse_in_between_fails_the_second_step(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *a = new_account(test, t, NULL);
	struct actor *actor = new_actor(test, a, MEMQUOTA_INACTIVE, 1);
	struct actor *active = new_actor(test, a, MEMQUOTA_COLLAPSING, 2);

	actor_charge(active, 6 * SZ_1M);
	actor_charge(actor, SZ_1M);
	press(test, t);
	ASSERT_SETTLES(test, is_closed(a));
	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_activate(&actor->p));
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 0);
	KUNIT_EXPECT_EQ(test, asked(actor), 0);
}

static void p2_activating_what_never_joined(struct kunit *test)
{
	struct memquota_participant p = {};

	KUNIT_EXPECT_EQ(test, -ESTALE, memquota_activate(&p));
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
	KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&two->p, 1, GFP_KERNEL));
	memquota_uncharge(&two->p, 1);
}

/* What a callback and the test say to each other. */
struct gate {
	bool inside;
	bool open;
	bool left;
};

static void wait_inside(struct actor *actor)
{
	struct gate *gate = actor->arg;
	u64 end = ktime_get_ns() + 5 * (u64)NSEC_PER_SEC;

	WRITE_ONCE(gate->inside, true);
	while (!READ_ONCE(gate->open) && ktime_get_ns() < end)
		cpu_relax();
}

static void leave_it(struct runner *runner)
{
	struct actor *actor = runner->arg;
	struct gate *gate = actor->arg;

	memquota_leave(&actor->p);
	WRITE_ONCE(gate->left, true);
}

static void p8_leaving_waits_for_a_running_callback(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct runner runner;
	struct gate gate = {};
	u64 end;

	actor->then = wait_inside;
	actor->arg = &gate;
	actor_charge(actor, 6 * SZ_1M);
	press(test, t);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	runner_start(test, &runner, leave_it, actor);
	/* The total falls before it waits. */
	EXPECT_SETTLES(test, !memquota_held(&actor->p));
	end = ktime_get_ns() + 20 * NSEC_PER_MSEC;
	while (ktime_get_ns() < end)
		KUNIT_EXPECT_FALSE(test, READ_ONCE(gate.left));
	WRITE_ONCE(gate.open, true);
	runner_join(test, &runner);
	KUNIT_EXPECT_TRUE(test, gate.left);
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
	press(test, t);
	EXPECT_SETTLES(test, asked(actor) && asked(collapsing));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor), 1);
	KUNIT_EXPECT_EQ(test, -ESHUTDOWN,
			memquota_try_charge(&actor->p, 1, GFP_KERNEL));
}

static void leave_the_other(struct actor *actor)
{
	struct actor *other = actor->arg;

	memquota_leave(&other->p);
}

/* In two trackers, hence in two kthreads at once. */
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
		left->then = leave_the_other;
		right->then = leave_the_other;
		actor_charge(left, HIGH + SZ_1M);
		actor_charge(right, HIGH + SZ_1M);
		settle(test, one);
		settle(test, two);
		KUNIT_EXPECT_GT(test, asked(left) + asked(right), 0);
		memquota_leave(&left->p);
		memquota_leave(&right->p);
	}
}

static void p8_a_sleeping_reclaim_is_not_waited_for(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);
	struct gate gate = {};

	actor->then = wait_inside;
	actor->arg = &gate;
	actor_charge(actor, 6 * SZ_1M);
	press(test, t);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	memquota_leave(&actor->p);
	KUNIT_EXPECT_GT(test, atomic_read(&actor->gets), atomic_read(&actor->puts));
	WRITE_ONCE(gate.open, true);
	EXPECT_SETTLES(test, atomic_read(&actor->gets) == atomic_read(&actor->puts));
}

static void p9_a_running_callback_holds_the_module(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	int before = module_refcount(THIS_MODULE);
	struct actor *actor = lone_actor(test, t, SLEEPING, 1);
	struct gate gate = {};

	actor->then = wait_inside;
	actor->arg = &gate;
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before);
	actor_charge(actor, 6 * SZ_1M);
	press(test, t);
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
	struct module *going = kunit_kzalloc(test, sizeof(*going), GFP_KERNEL);
	struct actor *actor = idle_actor(test, 0);
	struct actor *other = lone_actor(test, t, 0, 1);

	KUNIT_ASSERT_NOT_NULL(test, going);
	going->state = MODULE_STATE_GOING;
	actor->ops.owner = going;
	actor->arrival_ns = 1;
	actor->account = new_account(test, t, NULL);
	KUNIT_ASSERT_EQ(test, 0,
			memquota_join_account(&actor->p, actor->account,
					      &actor->ops, GFP_KERNEL, "going"));
	actor_charge(actor, 6 * SZ_1M);
	actor_charge(other, 6 * SZ_1M);
	press(test, t);
	EXPECT_SETTLES(test, asked(other));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(actor) + atomic_read(&actor->looks), 0);
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

	actor->then = wait_inside;
	actor->arg = &gate;
	actor_charge(actor, 6 * SZ_1M);
	press(test, t);
	ASSERT_SETTLES(test, READ_ONCE(gate.inside));
	memquota_leave(&actor->p);
	runner_start(test, &runner, open_later, &gate);
	memquota_barrier();
	KUNIT_EXPECT_TRUE(test, READ_ONCE(gate.open));
	KUNIT_EXPECT_EQ(test, atomic_read(&actor->gets), atomic_read(&actor->puts));
	runner_join(test, &runner);
}

/* An owner as it is in real life: one lock for its data, taken everywhere. */
struct locked_owner {
	spinlock_t lock;	/* what the owner of an atomic callback takes */
	struct mutex mutex;	/* what that of a sleeping one takes */
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
		actor_charge(owner.actor, SZ_16K);
		KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&owner.actor->p,
							     SZ_1K, GFP_ATOMIC));
		memquota_uncharge(&owner.actor->p, SZ_1K);
		spin_unlock_bh(&owner.lock);
	}
	EXPECT_SETTLES(test, asked(owner.actor));
	settle(test, t);
	/* The lock is on this stack. */
	memquota_leave(&owner.actor->p);
}

static void p10_the_owner_may_charge_under_its_mutex(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct locked_owner owner = { .actor = lone_actor(test, t, SLEEPING, 1) };
	unsigned int i;

	mutex_init(&owner.mutex);
	owner.actor->arg = &owner;
	owner.actor->then = take_the_mutex;
	for (i = 0; i < 300; i++) {
		mutex_lock(&owner.mutex);
		actor_charge(owner.actor, SZ_128K);
		KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&owner.actor->p,
							     SZ_1K, GFP_KERNEL));
		memquota_uncharge(&owner.actor->p, SZ_1K);
		mutex_unlock(&owner.mutex);
	}
	EXPECT_SETTLES(test, asked(owner.actor));
	settle(test, t);
	memquota_leave(&owner.actor->p);
	EXPECT_SETTLES(test, atomic_read(&owner.actor->gets) ==
			     atomic_read(&owner.actor->puts));
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
	press(test, t);
	ASSERT_SETTLES(test, asked(actor));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, -ESTALE,
			memquota_try_charge(&other->p, 1, GFP_KERNEL));
}

static void p11_a_stored_time_is_taken(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *young = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 1);
	struct actor *old = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 2);

	actor_charge(young, 8 * SZ_1M);
	actor_charge(old, 8 * SZ_1M);
	memquota_set_oldest(&young->p, 2000);
	memquota_set_oldest(&old->p, 1000);
	press(test, t);
	ASSERT_SETTLES(test, is_closed(old->account));
	settle(test, t);
	KUNIT_EXPECT_TRUE(test, is_closed(young->account));
	KUNIT_EXPECT_LT(test, atomic_read(&old->turn), atomic_read(&young->turn));
}

static void tick(void)
{
	u64 now = ktime_get_coarse_ns();

	/* Two ticks of the coarse clock. */
	while (ktime_get_coarse_ns() == now)
		usleep_range(500, 1000);
	now = ktime_get_coarse_ns();
	while (ktime_get_coarse_ns() == now)
		usleep_range(500, 1000);
}

static void p11_time_is_derived_from_what_goes_in_and_out(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *first = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 1);
	struct actor *second = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 2);
	unsigned int i;

	actor_charge(first, 6 * SZ_1M);
	tick();
	actor_charge(second, 6 * SZ_1M);
	tick();
	/* All of the first is replaced, and again: it is the younger now. */
	for (i = 0; i < 20 * 16; i++) {
		actor_charge(first, SZ_64K);
		actor_uncharge(first, SZ_64K);
		if (i % 64 == 0)
			tick();
	}
	press_with(test, t, 8 * SZ_1M + SZ_512K);
	ASSERT_SETTLES(test, is_closed(second->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(first), 0);
}

static void p11_first_in_is_oldest(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actors[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		actors[i] = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 0);
		actor_charge(actors[i], 5 * SZ_1M);
		tick();
	}
	actor_charge(actors[3], SZ_1M);
	ASSERT_SETTLES(test, is_closed(actors[0]->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, atomic_read(&actors[0]->turn), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&actors[1]->turn), 2);
	KUNIT_EXPECT_EQ(test, asked(actors[2]) + asked(actors[3]), 0);
}

/* A queue that holds little and is busy, next to one that stands still. */
static void p11_a_busy_queue_does_not_look_old(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *busy = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 1);
	struct actor *still = lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 2);
	unsigned int i;

	actor_charge(busy, SZ_64K);
	tick();
	actor_charge(still, 10 * SZ_1M);
	tick();
	/* Little at a time: the slot serves it all. */
	for (i = 0; i < 4000; i++) {
		actor_charge(busy, 100);
		actor_uncharge(busy, 100);
		if (i % 1000 == 0)
			tick();
	}
	press_with(test, t, 12 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(still->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, asked(busy), 0);
}

static void p12_reclaim(struct memquota_participant *p,
			const struct memquota_request *request)
{
	memquota_uncharge(p, min(request->want_bytes, memquota_held(p)));
}

static void p12_adopting_is_a_few_lines(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};
	u64 before = exact_total(t);

	memquota_join(&p, p12_reclaim, "object %d", 1);
	memquota_charge(&p, SZ_1M);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_1M);
	memquota_uncharge(&p, SZ_512K);
	KUNIT_EXPECT_EQ(test, exact_total(t), before + SZ_512K);
	KUNIT_EXPECT_EQ(test, memquota_held(&p), SZ_512K);
	memquota_leave(&p);
	KUNIT_EXPECT_EQ(test, exact_total(t), before);
}

static void p12_a_private_account_is_reclaimed_in_part(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};

	memquota_join(&p, p12_reclaim, "object %d", 1);
	memquota_charge(&p, 10 * SZ_1M);
	configure(test, t, 0, 4 * SZ_1M, 2 * SZ_1M);
	EXPECT_SETTLES(test, total(t) <= 2 * SZ_1M);
	settle(test, t);
	KUNIT_EXPECT_EQ(test, 0, memquota_try_charge(&p, SZ_64K, GFP_KERNEL));
	KUNIT_EXPECT_GT(test, memquota_held(&p), SZ_512K);
	memquota_leave(&p);
	memquota_barrier();
}

static void p12_more_than_one_callback(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct actor *actor = idle_actor(test, SLEEPING);

	memquota_join_private(&actor->p, &actor->ops, GFP_KERNEL, "object");
	actor_charge(actor, 10 * SZ_1M);
	configure(test, t, 0, 4 * SZ_1M, 2 * SZ_1M);
	EXPECT_SETTLES(test, total(t) <= 2 * SZ_1M);
	settle(test, t);
	KUNIT_EXPECT_GT(test, asked(actor), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&actor->looks), 0);
}

static void p12_many_come_and_go(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};
	struct memquota_usage before, after;
	unsigned int i;

	memquota_tracker_usage(t, &before);
	for (i = 0; i < 10000; i++) {
		memquota_join(&p, p12_reclaim, "object %u", i);
		memquota_charge(&p, 100);
		memquota_leave(&p);
	}
	memquota_tracker_usage(t, &after);
	KUNIT_EXPECT_EQ(test, after.participants, before.participants);
	EXPECT_SETTLES(test, ({
		memquota_tracker_usage(t, &after);
		after.accounts == before.accounts; }));
}

#ifdef CONFIG_FAILSLAB
#define JOINS	200

/* No slab allocation that may not sleep succeeds from here on. */
static void join_without_memory(struct memquota_participant *p)
{
	current->fail_nth = 1;
	memquota_join(p, p12_reclaim, "object");
	current->fail_nth = 0;
}

static void p12_a_reserve_serves_where_memory_cannot_be_had(struct kunit *test)
{
	struct memquota_participant *ps;
	unsigned int i, joined = 0, err;
	struct memquota_tracker *t;

	ps = kunit_kcalloc(test, JOINS, sizeof(*ps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ps);
	/* What earlier tests left must not refill the reserve meanwhile, ... */
	t = borrow_default_tracker(test);
	memquota_tracker_drain(t);
	ASSERT_SETTLES(test, list_empty_careful(&t->accounts.closed));
	for (i = 0; i < 3; i++)
		rcu_barrier();
	/* ... and with interrupts off nothing else does. */
	local_irq_disable();
	for (i = 0; i < JOINS; i++)
		join_without_memory(&ps[i]);
	local_irq_enable();
	for (i = 0; i < JOINS; i++) {
		err = -memquota_try_charge(&ps[i], 100, GFP_KERNEL);
		KUNIT_EXPECT_TRUE(test, !err || err == ESTALE);
		joined += !err;
	}
	KUNIT_EXPECT_GT(test, joined, 0);
	KUNIT_EXPECT_LT(test, joined, JOINS);
	/* One that could not join is as one that never did; it may try again. */
	memquota_charge(&ps[JOINS - 1], SZ_1M);
	memquota_uncharge(&ps[JOINS - 1], SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_held(&ps[JOINS - 1]), 0);
	if (joined < JOINS)
		memquota_join(&ps[JOINS - 1], p12_reclaim, "object");
	KUNIT_EXPECT_EQ(test, 0,
			memquota_try_charge(&ps[JOINS - 1], 1, GFP_KERNEL));
	for (i = 0; i < JOINS; i++)
		memquota_leave(&ps[i]);
}

/* Each allocation of each call fails once. */
static void x2_failed_allocations_change_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct memquota_account *parent = new_account(test, t, NULL), *child;
	struct actor *actor = idle_actor(test, SLEEPING);
	unsigned int nth, failed = 0;
	struct memquota_usage usage;
	bool done;
	int err;

	/* Debugging kernels allocate for themselves and survive a failure. */
	for (nth = 1, done = false; nth < 20 && !done; nth++) {
		current->fail_nth = nth;
		child = memquota_account_create(t, parent,
						GFP_ATOMIC | __GFP_NOWARN, "c");
		done = current->fail_nth;
		current->fail_nth = 0;
		if (IS_ERR(child)) {
			KUNIT_EXPECT_EQ(test, PTR_ERR(child), -ENOMEM);
			failed++;
		}
		memquota_account_put(child);
	}
	KUNIT_EXPECT_GE(test, failed, 1);
	failed = 0;
	for (nth = 1, done = false; nth < 20 && !done; nth++) {
		current->fail_nth = nth;
		err = memquota_join_account(&actor->p, parent, &actor->ops,
					    GFP_ATOMIC | __GFP_NOWARN, "a");
		done = current->fail_nth;
		current->fail_nth = 0;
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			failed++;
		} else {
			memquota_leave(&actor->p);
		}
		KUNIT_EXPECT_TRUE(test, memquota_try_charge(&actor->p, 1,
							    GFP_KERNEL));
	}
	KUNIT_EXPECT_GE(test, failed, 1);
	EXPECT_SETTLES(test, ({
		memquota_tracker_usage(t, &usage);
		usage.accounts == 1 && usage.participants == 0; }));
}
#endif

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
	KUNIT_CASE(p11_a_stored_time_is_taken),
	KUNIT_CASE(p11_first_in_is_oldest),
	KUNIT_CASE(p11_time_is_derived_from_what_goes_in_and_out),
	KUNIT_CASE(p11_a_busy_queue_does_not_look_old),
	KUNIT_CASE(p12_adopting_is_a_few_lines),
	KUNIT_CASE(p12_a_private_account_is_reclaimed_in_part),
	KUNIT_CASE(p12_more_than_one_callback),
	KUNIT_CASE(p12_many_come_and_go),
#ifdef CONFIG_FAILSLAB
	KUNIT_CASE(p12_a_reserve_serves_where_memory_cannot_be_had),
	KUNIT_CASE(x2_failed_allocations_change_nothing),
#endif
	{}
};

MEMQUOTA_SUITE(memquota_participant, cases);
