// SPDX-License-Identifier: GPL-2.0
/* How old the data of a participant is: rule P11. */
#include "harness.h"

static void p11_a_stored_time_is_taken(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *young =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 1);
	struct actor *old =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 2);

	actor_charge(young, 8 * SZ_1M);
	actor_charge(old, 8 * SZ_1M);
	memquota_set_oldest(&young->p, 2000);
	memquota_set_oldest(&old->p, 1000);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	ASSERT_SETTLES(test, is_closed(old->account));
	settle(test, t);
	KUNIT_EXPECT_TRUE(test, is_closed(young->account));
	KUNIT_EXPECT_LT(test, atomic_read(&old->turn),
			atomic_read(&young->turn));
}

/* As by now - age, soon after boot. */
static void p11_a_time_before_boot_is_the_oldest(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *asked = lone_actor(test, t, MEMQUOTA_COLLAPSING, 0);
	struct actor *stored =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 0);
	struct actor *old = lone_actor(test, t, MEMQUOTA_COLLAPSING, 0);

	WRITE_ONCE(asked->arrival_ns, -(u64)NSEC_PER_SEC);
	WRITE_ONCE(old->arrival_ns, 1);
	memquota_set_oldest(&stored->p, -2 * (u64)NSEC_PER_SEC);
	actor_charge(old, SZ_1M);
	actor_charge(asked, SZ_1M);
	actor_charge(stored, SZ_1M);
	press_total(test, t, MEMQUOTA_COLLAPSING, HIGH);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_EQ(test, atomic_read(&old->turn), 3);
	KUNIT_EXPECT_EQ(test, count_asks(asked), 1);
	KUNIT_EXPECT_EQ(test, count_asks(stored), 1);
}

static void pass_two_ticks(void)
{
	u64 now = ktime_get_coarse_ns();

	/* Two ticks, so that at least one whole tick passes. */
	while (ktime_get_coarse_ns() == now)
		usleep_range(500, 1000);
	now = ktime_get_coarse_ns();
	while (ktime_get_coarse_ns() == now)
		usleep_range(500, 1000);
}

static void p11_time_is_derived_from_what_goes_in_and_out(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *first =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 1);
	struct actor *second =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 2);
	unsigned int i;

	actor_charge(first, 6 * SZ_1M);
	pass_two_ticks();
	actor_charge(second, 6 * SZ_1M);
	pass_two_ticks();
	/* Replace all that the first holds: it becomes the younger. */
	for (i = 0; i < 20 * 16; i++) {
		actor_charge(first, SZ_64K);
		actor_uncharge(first, SZ_64K);
		if (i % 64 == 0)
			pass_two_ticks();
	}
	press_total(test, t, MEMQUOTA_COLLAPSING, 8 * SZ_1M + SZ_512K);
	ASSERT_SETTLES(test, is_closed(second->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(first), 0);
}

static void p11_first_in_is_oldest(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *actors[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		actors[i] =
			lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 0);
		actor_charge(actors[i], 5 * SZ_1M);
		pass_two_ticks();
	}
	actor_charge(actors[3], SZ_1M);
	ASSERT_SETTLES(test, is_closed(actors[0]->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, atomic_read(&actors[0]->turn), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&actors[1]->turn), 2);
	KUNIT_EXPECT_EQ(test, count_asks(actors[2]) + count_asks(actors[3]), 0);
}

/* A busy queue that holds little, beside a queue that stands still. */
static void p11_a_busy_queue_does_not_look_old(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct actor *busy =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 1);
	struct actor *still =
		lone_actor(test, t, UNTIMED | MEMQUOTA_COLLAPSING, 2);
	unsigned int i;

	actor_charge(busy, SZ_64K);
	pass_two_ticks();
	actor_charge(still, 10 * SZ_1M);
	pass_two_ticks();
	/* Little at a time, so that the slot serves all of it. */
	for (i = 0; i < 4000; i++) {
		actor_charge(busy, 100);
		actor_uncharge(busy, 100);
		if (i % 1000 == 0)
			pass_two_ticks();
	}
	press_total(test, t, MEMQUOTA_COLLAPSING, 12 * SZ_1M);
	ASSERT_SETTLES(test, is_closed(still->account));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(busy), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p11_a_stored_time_is_taken),
	KUNIT_CASE(p11_a_time_before_boot_is_the_oldest),
	KUNIT_CASE(p11_first_in_is_oldest),
	KUNIT_CASE(p11_time_is_derived_from_what_goes_in_and_out),
	KUNIT_CASE(p11_a_busy_queue_does_not_look_old),
	{}
};

MEMQUOTA_SUITE(memquota_arrival, cases);
