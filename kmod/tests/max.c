// SPDX-License-Identifier: GPL-2.0
/*
 * What stands in the way of a charge, and what does not: rules T3, T9, R9 and
 * X1.
 */
#include "../core/audit.h"
#include "../core/record.h"
#include "harness.h"
#include "internals.h"

/*
 * Alternate charges, which count above a max of 1 MiB, and charges that can be
 * refused.
 */
static void expect_no_growth(struct kunit *test, struct memquota_tracker *t,
			     struct actor *actor)
{
	unsigned int i;

	for (i = 0; i < 4096; i++) {
		actor_charge(actor, SZ_16K);
		actor_uncharge(actor, SZ_16K);
		while (!memquota_try_charge(&actor->p, SZ_1K, GFP_KERNEL))
			atomic64_add(SZ_1K, &actor->held);
	}
	KUNIT_EXPECT_LE(test, (u64)atomic64_read(&actor->held),
			SZ_1M + cache_bound(t));
}

/* What is freed above max must not be had again by a charge that can be refused. */
static void t9_caches_keep_nothing_above_max(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M, .high = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor->per_call = 0;
	actor_charge(actor, SZ_1M);
	expect_no_growth(test, t, actor);
	KUNIT_EXPECT_EQ(test, exact_total(t), (u64)atomic64_read(&actor->held));
	memquota_uncharge_all(&actor->p);
	settle(test, t);
}

/* The same for the max of an account. */
static void t9_slots_keep_nothing_above_an_accounts_max(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);

	KUNIT_ASSERT_EQ(test, memquota_account_set_max(actor->account, SZ_1M), 0);
	actor_charge(actor, SZ_1M);
	expect_no_growth(test, t, actor);
	memquota_uncharge_all(&actor->p);
}

/* Once the total is at or below max again, the caches serve as before. */
static void t9_caches_fill_again_below_max(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, &(struct memquota_limits){
		.max = SZ_1M, .high = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);

	actor->per_call = 0;
	actor_charge(actor, 2 * SZ_1M);
	actor_charge(actor, SZ_1K);
	actor_uncharge(actor, SZ_1K);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), 2 * SZ_1M);
	actor_uncharge(actor, 2 * SZ_1M);
	/* A run that has begun may drain once more. */
	EXPECT_SETTLES(test, (actor_charge(actor, SZ_1K),
			      actor_uncharge(actor, SZ_1K),
			      memquota_held(&actor->p) > 0));
	settle(test, t);
}

struct refusal {
	struct actor *limited, *others[MEMQUOTA_SLOTS];
	unsigned int before, after;	/* slots of the others */
	int err;
};

static unsigned int count_slots(struct refusal *refusal)
{
	unsigned int i, n = 0;

	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		n += participant_slots(&refusal->others[i]->p);
	return n;
}

static void refuse_beside_a_slot(unsigned int cpu, void *arg)
{
	struct refusal *refusal = arg;
	unsigned int i;

	/* As many as there are slots, so that none is free for another. */
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		actor_charge(refusal->others[i], 100);
	refusal->before = count_slots(refusal);
	refusal->err = memquota_try_charge(&refusal->limited->p, SZ_4K,
					   GFP_ATOMIC);
	refusal->after = count_slots(refusal);
}

/* Others' slots are of no use to an account that is at its own max. */
static void t9_a_refusal_by_the_account_evicts_no_others(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct refusal refusal = {};
	unsigned int i;

	refusal.limited = lone_actor(test, t, 0, 1);
	KUNIT_ASSERT_EQ(test, memquota_account_set_max(refusal.limited->account,
						       100), 0);
	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		refusal.others[i] = lone_actor(test, t, 0, 1);
	run_on_cpu(test, cpumask_first(cpu_online_mask), refuse_beside_a_slot,
		   &refusal);
	KUNIT_EXPECT_EQ(test, refusal.err, -EDQUOT);
	KUNIT_EXPECT_GT(test, refusal.before, 0);
	KUNIT_EXPECT_EQ(test, refusal.after, refusal.before);
}

static void charge_much_for_ever(struct runner *runner)
{
	struct actor *actor = runner->arg;

	while (!READ_ONCE(runner->result)) {
		actor_charge(actor, 8 * SZ_1M);
		actor_uncharge(actor, 8 * SZ_1M);
		cond_resched();
	}
}

/* A charge that comes in while the parts are added up is no excess. */
static void r9_an_audit_beside_charges_holds(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct runner runner = {};
	unsigned int i, failed = 0;
	u64 sum, total;

	need_cpus(test, 2);
	runner_start(test, &runner, charge_much_for_ever, actor);
	for (i = 0; i < share_of(200); i++)
		failed += !memquota_audit(t, &sum, &total);
	WRITE_ONCE(runner.result, 1);
	runner_join(test, &runner);
	KUNIT_EXPECT_EQ(test, failed, 0);
}

static void ignore_crossing(struct memquota_mark *mark)
{
}

/* Programs set thresholds: they must not interrupt CPUs that charge for others. */
static void x1_a_threshold_drains_nothing(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct actor *other = lone_actor(test, t, 0, 1);
	struct memquota_mark mark = {
		.above_bytes = SZ_64K, .rearm_bytes = SZ_64K,
		.crossed = ignore_crossing,
	};
	struct memquota_watch *w = memquota_watch_account(actor->account);

	KUNIT_ASSERT_NOT_NULL(test, w);
	actor_charge(actor, 100);
	actor_charge(other, 100);
	memquota_watch_add(w, &mark);
	KUNIT_EXPECT_EQ(test, participant_slots(&other->p), 1);
	KUNIT_EXPECT_TRUE(test, mark.armed);
	actor_charge(actor, SZ_64K);
	EXPECT_SETTLES(test, !READ_ONCE(mark.armed));
	actor_uncharge(actor, SZ_64K);
	EXPECT_SETTLES(test, READ_ONCE(mark.armed));
	memquota_watch_remove(w, &mark);
}

/* A tracker whose caches are small: 20 KiB in all. */
static struct memquota_tracker *new_small_tracker(struct kunit *test)
{
	return new_tracker(test, &(struct memquota_limits){
		.high = 224 * SZ_1K, .low_water = 160 * SZ_1K });
}

struct cachers {
	struct memquota_tracker *t;
	struct actor *actors[NR_CPUS];
	u64 excess;
};

static void charge_and_note_excess(unsigned int cpu, void *arg)
{
	struct cachers *c = arg;
	struct actor *actor = c->actors[cpu];
	u64 cached = 0;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		actor_charge(actor, 100);
		/* The other CPUs hold at most 40 times 100 bytes each. */
		cached = max_t(s64, cached, read_total(c->t) -
			       num_online_cpus() * 40 * 100);
		if (i % 40 == 39)
			actor_uncharge(actor, 40 * 100);
	}
	WRITE_ONCE(c->excess, max(READ_ONCE(c->excess), cached));
}

static unsigned int count_cachers(struct cachers *c)
{
	unsigned int cpu, n = 0;

	for_each_online_cpu(cpu)
		n += memquota_held(&c->actors[cpu]->p) >
		     (u64)atomic64_read(&c->actors[cpu]->held);
	return n;
}

/* A CPU that charges alone has the whole bound, not the part of all that exist. */
static void t3_a_cpu_that_charges_alone_has_the_bound(struct kunit *test)
{
	struct memquota_tracker *t = new_small_tracker(test);
	struct actor *actor = lone_actor(test, t, 0, 1);
	u64 alone = cache_bound(t) * 3 / 16;

	if (num_possible_cpus() < 2)
		kunit_skip(test, "one CPU");
	actor_charge(actor, 100);
	KUNIT_EXPECT_GE(test, memquota_held(&actor->p) - 100,
			alone / 2 - MEMQUOTA_SLOTS);
}

/* However many CPUs charge, all together cache no more than the bound. */
static void t3_many_cpus_keep_the_bound(struct kunit *test)
{
	struct cachers *c = new_zeroed(test, struct cachers);
	unsigned int cpu;

	c->t = new_small_tracker(test);
	for_each_online_cpu(cpu) {
		c->actors[cpu] = lone_actor(test, c->t, 0, 1);
		c->actors[cpu]->per_call = 0;
	}
	/* In the end each of them has a part. */
	EXPECT_SETTLES(test, (run_on_all_cpus(test, charge_and_note_excess, c),
			      count_cachers(c) == num_online_cpus()));
	KUNIT_EXPECT_LE(test, c->excess, cache_bound(c->t));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(t3_a_cpu_that_charges_alone_has_the_bound),
	KUNIT_CASE(t3_many_cpus_keep_the_bound),
	KUNIT_CASE(t9_caches_keep_nothing_above_max),
	KUNIT_CASE(t9_slots_keep_nothing_above_an_accounts_max),
	KUNIT_CASE(t9_caches_fill_again_below_max),
	KUNIT_CASE(t9_a_refusal_by_the_account_evicts_no_others),
	KUNIT_CASE(r9_an_audit_beside_charges_holds),
	KUNIT_CASE(x1_a_threshold_drains_nothing),
	{}
};

MEMQUOTA_SUITE(memquota_max, cases);
