// SPDX-License-Identifier: GPL-2.0
/* What can be called in which context: rules X1 to X4, and P8. */
#include "anywhere.h"

/* What a function needs that a test runs in a context. */
struct errand {
	struct actor *actor;
	struct actor *fresh;
	struct memquota_tracker *t;
	struct memquota_account *account;
	unsigned int failures;
};

/* Contexts in which a spinlock can be taken, which sleeps on PREEMPT_RT. */
static const enum context softly[] = {
	IN_PLACE, UNDER_RCU, IN_TIMER, IN_TASKLET, IN_RCU_CALLBACK,
};

/* GFP_ATOMIC takes spinlocks of the allocator: rule X2. */
static bool may_allocate(enum context context)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(softly); i++)
		if (softly[i] == context)
			return true;
	return !IS_ENABLED(CONFIG_PREEMPT_RT);
}

static void run_errand(struct kunit *test, struct errand *errand,
		       enum context context, void (*fn)(void *arg))
{
	errand->failures = 0;
	run_in_context(test, context, fn, errand);
	KUNIT_EXPECT_EQ(test, errand->failures, 0);
}

static struct errand *new_errand(struct kunit *test)
{
	struct errand *errand = new_zeroed(test, struct errand);

	errand->t = new_default_sized_tracker(test);
	errand->actor = lone_actor(test, errand->t, 0, 1);
	errand->account = errand->actor->account;
	return errand;
}

#define CHECK(condition)	(errand->failures += !(condition))

static void charge_everything(void *arg)
{
	struct errand *errand = arg;
	struct memquota_participant *p = &errand->actor->p;
	struct memquota_account *a;

	memquota_charge(p, 1);
	memquota_charge(p, SZ_64K);
	CHECK(!memquota_try_charge(p, 1, GFP_ATOMIC));
	CHECK(!memquota_try_charge(p, SZ_64K, GFP_ATOMIC));
	CHECK(memquota_try_charge(p, SIZE_MAX, GFP_ATOMIC) == -EOVERFLOW);
	CHECK(memquota_held(p) >= SZ_128K + 2);
	CHECK(!memquota_at_limit(p));
	memquota_uncharge(p, 1);
	memquota_uncharge(p, SZ_64K);
	memquota_uncharge_all(p);
	memquota_charge(p, SZ_32K);
	memquota_set_oldest(p, 1);
	a = memquota_account_lookup(errand->t,
				    memquota_account_id(errand->account));
	CHECK(a == errand->account);
	CHECK(memquota_account_get(a) == a);
	memquota_account_put(a);
	memquota_account_put(a);
}

static void x1_charging_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < NR_CONTEXTS; i++) {
		run_errand(test, errand, i, charge_everything);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), SZ_32K);
	}
	memquota_uncharge(&errand->actor->p, SZ_32K);
}

static void charge_much(void *arg)
{
	struct errand *errand = arg;

	actor_charge(errand->actor, HIGH + SZ_1M);
}

/* Each context wakes the worker. */
static void x1_reclaim_is_woken_from_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < NR_CONTEXTS; i++) {
		run_errand(test, errand, i, charge_much);
		settle_below(test, errand->t, LOW_WATER);
		actor_uncharge(errand->actor, SZ_1M);
	}
}

static void refuse_charge(void *arg)
{
	struct errand *errand = arg;

	CHECK(memquota_try_charge(&errand->actor->p, SZ_1M, GFP_ATOMIC) ==
	      -EDQUOT);
}

static void x1_refusals_from_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(errand->account, SZ_512K), 0);
	for (i = 0; i < NR_CONTEXTS; i++)
		run_errand(test, errand, i, refuse_charge);
}

static void create_and_join(void *arg)
{
	struct errand *errand = arg;
	struct actor *fresh = errand->fresh;
	struct memquota_account *a;

	a = memquota_account_create(errand->t, errand->account, GFP_ATOMIC,
				    "a");
	CHECK(!IS_ERR_OR_NULL(a));
	if (IS_ERR_OR_NULL(a))
		return;
	CHECK(!actor_join(fresh, a, GFP_ATOMIC));
	memquota_charge(&fresh->p, SZ_64K);
	/* Rule X4: the final put, too; a worker frees the account. */
	memquota_account_put(a);
	CHECK(memquota_try_charge(&fresh->p, SZ_64K, GFP_ATOMIC) == -ESTALE);
}

static void x2_creating_and_joining_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < NR_CONTEXTS; i++) {
		if (!may_allocate(i))
			continue;
		errand->fresh = idle_actor(test, 0);
		run_errand(test, errand, i, create_and_join);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), 0);
	}
}

static void join_default(void *arg)
{
	struct errand *errand = arg;
	struct actor *fresh = errand->fresh;

	memquota_join(&fresh->p, fresh->ops.reclaim, "private");
	CHECK(!memquota_try_charge(&fresh->p, SZ_64K, GFP_ATOMIC));
}

static void p12_joining_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < NR_CONTEXTS; i++) {
		if (!may_allocate(i))
			continue;
		errand->fresh = idle_actor(test, 0);
		run_errand(test, errand, i, join_default);
		memquota_leave(&errand->fresh->p);
	}
}

static void leave_fresh(void *arg)
{
	struct errand *errand = arg;

	memquota_leave(&errand->fresh->p);
}

static void p8_leaving_anywhere_but_in_hard_interrupts(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(softly); i++) {
		errand->fresh = new_actor(test, errand->account, i & 1 ? SLEEPING : 0, 1);
		actor_charge(errand->fresh, SZ_1M);
		run_errand(test, errand, softly[i], leave_fresh);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), 0);
	}
}

struct spinner {
	bool inside;
	u64 until;
	bool ended;
};

static void spin_inside(struct actor *actor)
{
	struct spinner *spinner = actor->arg;

	WRITE_ONCE(spinner->inside, true);
	while (ktime_get_ns() < READ_ONCE(spinner->until))
		cpu_relax();
	WRITE_ONCE(spinner->ended, true);
}

static void leave_and_look(void *arg)
{
	struct errand *errand = arg;
	struct spinner *spinner = errand->fresh->arg;

	memquota_leave(&errand->fresh->p);
	CHECK(READ_ONCE(spinner->ended));
}

/* The callback runs, on this CPU or another, when leave is called. */
static void p8_leaving_in_softirq_while_the_callback_runs(struct kunit *test)
{
	struct spinner *spinner = new_zeroed(test, struct spinner);
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(softly); i++) {
		*spinner = (struct spinner){
			.until = ktime_get_ns() + 20 * NSEC_PER_MSEC };
		errand->fresh = new_actor(test, errand->account, 0, 1);
		errand->fresh->arg = spinner;
		errand->fresh->then = spin_inside;
		actor_charge(errand->fresh, HIGH + SZ_1M);
		ASSERT_SETTLES(test, READ_ONCE(spinner->inside));
		run_errand(test, errand, softly[i % ARRAY_SIZE(softly)],
			   leave_and_look);
		settle(test, errand->t);
	}
}

static void put_errand_account(void *arg)
{
	struct errand *errand = arg;

	memquota_account_put(errand->account);
}

static void x4_the_final_put_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	struct memquota_account *parent = errand->account;
	struct actor *one, *two;
	unsigned int i;

	for (i = 0; i < NR_CONTEXTS; i++) {
		errand->account = memquota_account_create(errand->t, parent,
							  GFP_KERNEL, "a");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, errand->account);
		one = new_actor(test, errand->account, 0, 1);
		two = new_actor(test, errand->account, SLEEPING, 2);
		actor_charge(one, SZ_1M);
		actor_charge(two, SZ_1M);
		run_errand(test, errand, i, put_errand_account);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), 0);
		KUNIT_EXPECT_EQ(test,
				memquota_try_charge(&one->p, 1, GFP_KERNEL),
				-ESTALE);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(x1_charging_anywhere),
	KUNIT_CASE(x1_reclaim_is_woken_from_anywhere),
	KUNIT_CASE(x1_refusals_from_anywhere),
	KUNIT_CASE(x2_creating_and_joining_anywhere),
	KUNIT_CASE(p12_joining_anywhere),
	KUNIT_CASE(p8_leaving_anywhere_but_in_hard_interrupts),
	KUNIT_CASE(p8_leaving_in_softirq_while_the_callback_runs),
	KUNIT_CASE(x4_the_final_put_anywhere),
	{}
};

MEMQUOTA_SUITE(memquota_contexts, cases);
