// SPDX-License-Identifier: GPL-2.0
/*
 * Watches, without eventfds: rule X1. Programs test what thresholds signal.
 */
#include <linux/rcupdate.h>
#include "../core/record.h"
#include "harness.h"
#include "internals.h"

/* Closing an account does not wait for the worker that reads its watch. */
static void x1_a_watch_stays_until_it_has_looked(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct memquota_account *a;
	struct memquota_watch *w;

	a = memquota_account_create(t, NULL, GFP_KERNEL, "watched");
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	w = memquota_watch_account(a);
	KUNIT_EXPECT_NOT_NULL(test, w);
	if (!w) {
		memquota_account_put(a);
		return;
	}
	KUNIT_EXPECT_PTR_EQ(test, memquota_watch_account(a), w);

	mutex_lock(&w->lock);
	memquota_account_put(a);
	EXPECT_SETTLES(test, work_busy(&w->work) & WORK_BUSY_RUNNING);
	rcu_barrier();
	/* The worker has the last reference. */
	KUNIT_EXPECT_EQ(test, account_refs(a), 1);
	memquota_account_ref(a);
	mutex_unlock(&w->lock);
	EXPECT_SETTLES(test, account_refs(a) == 1);
	memquota_account_unref(a);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(x1_a_watch_stays_until_it_has_looked),
	{}
};

MEMQUOTA_SUITE(memquota_threshold, cases);
