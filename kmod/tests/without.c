// SPDX-License-Identifier: GPL-2.0
/*
 * Code that is built without memquota: rule T4. The headers must make it behave
 * as with a null handle.
 */
#undef CONFIG_MEMQUOTA
#undef CONFIG_MEMQUOTA_MODULE
#include <kunit/test.h>
#include <linux/sizes.h>
#include <memquota/account.h>
#include <memquota/participant.h>
#include <memquota/tracker.h>

static void reclaim_nothing(struct memquota_participant *p,
			    const struct memquota_request *request)
{
}

static const struct memquota_ops ops = { .reclaim = reclaim_nothing };

static void t4_without_memquota_nothing_is_counted(struct kunit *test)
{
	struct memquota_participant p = MEMQUOTA_PARTICIPANT_CLOSED;
	struct memquota_tracker *t = memquota_default_tracker();
	const struct memquota_limits limits = { .low_water = 1 };
	struct memquota_account_usage account_usage;
	struct memquota_usage usage;
	struct memquota_account *a = &memquota_closed_account;

	KUNIT_EXPECT_NULL(test, a);
	KUNIT_EXPECT_NULL(test, t);
	KUNIT_EXPECT_NULL(test, memquota_tracker_create("t", &limits, 0));
	KUNIT_EXPECT_EQ(test, memquota_tracker_configure(t, &limits, 0, NULL),
			0);
	a = memquota_account_create(t, NULL, GFP_KERNEL, "a%d", 1);
	KUNIT_EXPECT_NULL(test, a);
	KUNIT_EXPECT_PTR_EQ(test, memquota_account_get(a), a);
	KUNIT_EXPECT_EQ(test, memquota_account_id(a), 0);
	KUNIT_EXPECT_NULL(test, memquota_account_lookup(t, 1));
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, a), 0);
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(a, 1), 0);

	memquota_join(&p, reclaim_nothing, "p%d", 1);
	memquota_join_private(&p, &ops, GFP_KERNEL, "p%d", 1);
	KUNIT_EXPECT_EQ(test,
			memquota_join_account(&p, a, &ops, GFP_KERNEL, "p"), 0);
	KUNIT_EXPECT_EQ(test, memquota_activate(&p), 0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&p, SIZE_MAX, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge_wait(&p, SIZE_MAX, 1), 0);
	memquota_charge(&p, SIZE_MAX);
	memquota_uncharge(&p, SIZE_MAX);
	memquota_uncharge_all(&p);
	memquota_set_oldest(&p, 1);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(&p));
	KUNIT_EXPECT_EQ(test, memquota_held(&p), 0);
	memquota_leave(&p);
	memquota_reclaim_done(1, 0);

	memquota_tracker_usage(t, &usage);
	KUNIT_EXPECT_EQ(test, usage.total, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_DISABLED);
	memquota_account_usage(a, &account_usage);
	KUNIT_EXPECT_EQ(test, account_usage.held, MEMQUOTA_UNLIMITED);
	KUNIT_EXPECT_FALSE(test, account_usage.closed);
	memquota_account_put(a);
	memquota_tracker_drain(t);
	memquota_tracker_destroy(t);
	memquota_barrier();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t4_without_memquota_nothing_is_counted),
	{}
};

static struct kunit_suite without_suite = {
	.name = "memquota_without",
	.test_cases = cases,
};

kunit_test_suite(without_suite);
