// SPDX-License-Identifier: GPL-2.0
/* Waiting for atomic callbacks: rule P8. */
#include "harness.h"

/* An atomic callback that spins until the test lets it go. */
struct spinning {
	struct actor *actor;
	bool inside;
	bool open;
	bool ended;	/* written last by the callback */
};

static void spin_inside(struct actor *actor)
{
	struct spinning *s = actor->arg;
	u64 end = ktime_get_ns() + 10 * (u64)NSEC_PER_SEC;

	WRITE_ONCE(s->inside, true);
	while (!READ_ONCE(s->open) && ktime_get_ns() < end)
		cpu_relax();
	WRITE_ONCE(s->ended, true);
}

static void synchronize(struct runner *runner)
{
	struct spinning *s = runner->arg;

	memquota_synchronize_callback(&s->actor->p);
	/* Only if the callback had ended before. */
	runner->result = READ_ONCE(s->ended);
}

static void p8_synchronizing_waits_for_the_callback(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spinning *s = new_zeroed(test, struct spinning);
	struct runner *runner = new_zeroed(test, struct runner);

	need_cpus(test, 3);
	s->actor = lone_actor(test, t, 0, 1);
	/* No callback runs: it returns. */
	memquota_synchronize_callback(&s->actor->p);
	s->actor->arg = s;
	s->actor->then = spin_inside;
	actor_charge(s->actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(s->inside));
	runner_start(test, runner, synchronize, s);
	mdelay(30);
	KUNIT_EXPECT_FALSE(test, runner_ended(runner));
	WRITE_ONCE(s->open, true);
	runner_join(test, runner);
	KUNIT_EXPECT_TRUE(test, runner->result);
	settle(test, t);
	memquota_leave(&s->actor->p);
}

static void p8_others_are_not_waited_for(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct spinning *s = new_zeroed(test, struct spinning);
	struct actor *other = lone_actor(test, t, 0, 2);

	need_cpus(test, 2);
	s->actor = lone_actor(test, t, 0, 1000);
	s->actor->arg = s;
	s->actor->then = spin_inside;
	actor_charge(s->actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, READ_ONCE(s->inside));
	memquota_synchronize_callback(&other->p);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(s->ended));
	WRITE_ONCE(s->open, true);
	settle(test, t);
	memquota_leave(&s->actor->p);
}

static void synchronize_myself(struct actor *actor)
{
	memquota_synchronize_callback(&actor->p);
}

static void p8_a_callback_may_synchronize_its_own(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor->then = synchronize_myself;
	actor_charge(actor, 6 * SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, count_asks(actor));
	settle(test, t);
	/* One that has left is not waited for either. */
	memquota_leave(&actor->p);
	memquota_synchronize_callback(&actor->p);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p8_synchronizing_waits_for_the_callback),
	KUNIT_CASE(p8_others_are_not_waited_for),
	KUNIT_CASE(p8_a_callback_may_synchronize_its_own),
	{}
};

MEMQUOTA_SUITE(memquota_callback, cases);
