// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, on all CPUs: rules P6 to P8, T5, A2 to A4. Afterwards
 * the counters must be right to the byte.
 */
#include <linux/prandom.h>
#include "../core/audit.h"
#include "harness.h"
#include "internals.h"

#define ACTORS	8
#define ROUNDS	share_of(3000)

struct crowd {
	struct kunit *test;
	struct memquota_tracker *t;
	struct memquota_account *accounts[ACTORS];
	struct actor *actors[ACTORS];
	struct actor *own[NR_CPUS];
	atomic_t failures;
};

static struct crowd *new_crowd(struct kunit *test,
			       const struct memquota_limits *limits,
			       unsigned int flags)
{
	struct crowd *c = new_zeroed(test, struct crowd);
	unsigned int i;

	c->test = test;
	c->t = new_tracker(test, limits);
	for (i = 0; i < ACTORS; i++) {
		c->accounts[i] = new_account(test, c->t, i ? c->accounts[i - 1] : NULL);
		c->actors[i] =
			new_actor(test, c->accounts[i], flags, ACTORS - i);
	}
	for_each_online_cpu(i) {
		c->own[i] = idle_actor(test, 0);
		c->own[i]->arrival_ns = 1;
	}
	return c;
}

static u64 held_by(struct crowd *c)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < ACTORS; i++)
		sum += atomic64_read(&c->actors[i]->held);
	return sum;
}

static void expect_exact(struct kunit *test, struct crowd *c)
{
	struct memquota_usage usage;
	unsigned int i;
	u64 sum, all;

	settle(test, c->t);
	memquota_tracker_drain(c->t);
	KUNIT_EXPECT_TRUE(test, memquota_audit(c->t, &sum, &all));
	KUNIT_EXPECT_EQ(test, sum, all);
	KUNIT_EXPECT_EQ(test, all, held_by(c));
	for (i = 0; i < ACTORS; i++)
		KUNIT_EXPECT_EQ(test, memquota_held(&c->actors[i]->p),
				atomic64_read(&c->actors[i]->held));
	KUNIT_EXPECT_EQ(test, atomic_read(&c->failures), 0);
	memquota_tracker_usage(c->t, &usage);
	KUNIT_EXPECT_EQ(test, usage.state, MEMQUOTA_COUNTING);
}

static void charge_randomly(struct crowd *c, struct actor *actor, u32 dice)
{
	size_t bytes = (dice >> 16) % 5000;

	switch (dice % 4) {
	case 0:
		actor_charge(actor, bytes);
		break;
	case 1:
		if (!memquota_try_charge(&actor->p, bytes, GFP_KERNEL))
			atomic64_add(bytes, &actor->held);
		break;
	default:
		actor_free(actor, bytes);
	}
}

static void charge_all_of_them(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	struct rnd_state dice;
	unsigned int i;

	prandom_seed_state(&dice, cpu + 1);
	for (i = 0; i < ROUNDS; i++)
		charge_randomly(c, c->actors[prandom_u32_state(&dice) % ACTORS],
				prandom_u32_state(&dice));
}

static void p7_charging_on_all_cpus(struct kunit *test)
{
	struct crowd *c = new_crowd(test, NULL, 0);

	run_on_all_cpus(test, charge_all_of_them, c);
	expect_exact(test, c);
}

static void charge_and_drain(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	unsigned int i;

	if (cpu == cpumask_first(cpu_online_mask))
		for (i = 0; i < 200; i++)
			memquota_tracker_drain(c->t);
	else
		charge_all_of_them(cpu, c);
}

static void p7_draining_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, NULL, 0);

	run_on_all_cpus(test, charge_and_drain, c);
	expect_exact(test, c);
}

/* Partial, atomic reclaim while all CPUs charge. */
static void p7_reclaim_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.high = SZ_1M, .low_water = SZ_512K }, 0);
	unsigned int i;

	actor_charge(c->actors[0], SZ_2M);
	run_on_all_cpus(test, charge_all_of_them, c);
	for (i = 0; i < ACTORS; i++)
		actor_charge(c->actors[i], SZ_512K);
	EXPECT_SETTLES(test, read_total(c->t) <= SZ_512K);
	expect_exact(test, c);
	KUNIT_EXPECT_GT(test, count_runs(c->t), 0);
}

static void p7_sleeping_reclaim_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.high = SZ_1M, .low_water = SZ_512K }, SLEEPING);
	unsigned int i;

	run_on_all_cpus(test, charge_all_of_them, c);
	for (i = 0; i < ACTORS; i++)
		actor_charge(c->actors[i], SZ_512K);
	EXPECT_SETTLES(test, read_total(c->t) <= SZ_512K);
	expect_exact(test, c);
}

static void t5_reconfigure_now_and_then(unsigned int cpu, void *arg)
{
	static const struct memquota_limits limits[] = {
		{}, { .high = SZ_1M, .low_water = SZ_256K },
		{ .max = 8 * SZ_1M }, { .high = 4 * SZ_1M },
		{ .max = 2 * SZ_1M, .high = SZ_1M },
	};
	struct crowd *c = arg;
	unsigned int i;

	if (cpu != cpumask_first(cpu_online_mask)) {
		charge_all_of_them(cpu, c);
		return;
	}
	for (i = 0; i < 200; i++)
		if (memquota_tracker_configure(c->t, &limits[i % 5], 0, NULL))
			atomic_inc(&c->failures);
	memquota_tracker_configure(c->t, &limits[0], 0, NULL);
}

static void t5_reconfiguring_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, NULL, 0);

	run_on_all_cpus(test, t5_reconfigure_now_and_then, c);
	expect_exact(test, c);
}

/* Each CPU joins, charges and leaves with an actor of its own. */
static void come_and_go(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	struct actor *own = c->own[cpu];
	struct rnd_state dice;
	unsigned int i, j;

	prandom_seed_state(&dice, cpu + 1);
	for (i = 0; i < ROUNDS / 20; i++) {
		if (actor_join(own, c->accounts[i % ACTORS], GFP_KERNEL))
			atomic_inc(&c->failures);
		for (j = 0; j < 5; j++) {
			charge_randomly(c, c->actors[(i + j) % ACTORS],
					prandom_u32_state(&dice));
			memquota_charge(&own->p, 3000);
			memquota_uncharge(&own->p, 2000);
		}
		if (i % 3 == 0)
			memquota_uncharge_all(&own->p);
		memquota_leave(&own->p);
	}
}

static void p8_joining_and_leaving_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, NULL, 0);

	run_on_all_cpus(test, come_and_go, c);
	expect_exact(test, c);
}

/* Reclaim asks actors that are leaving, and none that has left. */
static void leave_while_asked(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	struct actor *own = c->own[cpu];
	unsigned int i, before;

	for (i = 0; i < ROUNDS / 10; i++) {
		if (actor_join(own, c->accounts[0], GFP_KERNEL))
			atomic_inc(&c->failures);
		actor_charge(own, SZ_512K);
		actor_charge(c->actors[i % ACTORS], 1000);
		if (i % 2)
			usleep_range(10, 50);
		memquota_leave(&own->p);
		before = count_asks(own) + atomic_read(&own->looks);
		atomic64_set(&own->held, 0);
		usleep_range(20, 50);
		if (count_asks(own) + atomic_read(&own->looks) != before)
			atomic_inc(&c->failures);
	}
}

static void p8_no_callback_after_leaving(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.high = SZ_512K, .low_water = SZ_256K }, 0);
	unsigned int cpu, tries, calls = 0;

	/* On a busy machine the worker may come too late for all of them. */
	for (tries = 0; tries < 10 && !calls; tries++) {
		run_on_all_cpus(test, leave_while_asked, c);
		for_each_online_cpu(cpu)
			calls += count_asks(c->own[cpu]);
	}
	KUNIT_EXPECT_GT(test, calls, 0);
	expect_exact(test, c);
}

/* Create accounts, link them and close them while actors charge. */
static void open_and_close(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	struct actor *own = c->own[cpu];
	struct memquota_account *a, *found;
	unsigned int i;
	u64 id;

	for (i = 0; i < ROUNDS / 20; i++) {
		a = memquota_account_create(c->t, c->accounts[i % ACTORS],
					    GFP_KERNEL, "cpu-%u", cpu);
		if (IS_ERR_OR_NULL(a)) {
			atomic_inc(&c->failures);
			continue;
		}
		memquota_account_add_parent(a,
					    c->accounts[(i * 7 + cpu) % ACTORS]);
		if (actor_join(own, a, GFP_KERNEL))
			atomic_inc(&c->failures);
		memquota_charge(&own->p, 5000);
		actor_charge(c->actors[i % ACTORS], 3000);
		id = memquota_account_id(a);
		found = memquota_account_lookup(c->t, id);
		if (found != a)
			atomic_inc(&c->failures);
		else
			memquota_account_put(found);
		if (i % 2)
			memquota_leave(&own->p);
		memquota_account_put(a);
		memquota_charge(&own->p, 5000);
		memquota_leave(&own->p);
		actor_free(c->actors[i % ACTORS], 2500);
	}
}

static void a2_opening_and_closing_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, NULL, 0);
	struct memquota_usage usage;

	run_on_all_cpus(test, open_and_close, c);
	expect_exact(test, c);
	EXPECT_SETTLES(test, ({
		memquota_tracker_usage(c->t, &usage);
		usage.accounts == ACTORS && usage.participants == ACTORS; }));
}

static void a2_opening_and_closing_under_reclaim(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.high = SZ_1M, .low_water = SZ_512K }, 0);

	actor_charge(c->actors[3], SZ_1M);
	run_on_all_cpus(test, open_and_close, c);
	expect_exact(test, c);
}

/* memquota_uncharge_all() while other CPUs charge the same participant. */
static void uncharge_all_now_and_then(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		memquota_charge(&c->actors[0]->p, 100 + i % 4000);
		if (i % 10 == 0)
			memquota_uncharge_all(&c->actors[0]->p);
	}
}

static void p5_uncharging_all_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, NULL, 0);

	run_on_all_cpus(test, uncharge_all_now_and_then, c);
	memquota_tracker_drain(c->t);
	KUNIT_EXPECT_EQ(test, memquota_held(&c->actors[0]->p),
			read_total(c->t));
	memquota_uncharge_all(&c->actors[0]->p);
	expect_exact(test, c);
}

/* Charges to an account that collapses count nowhere. */
static void charge_what_collapses(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		actor_charge(c->actors[i % ACTORS], 4000);
}

static void r5_collapsing_while_charging(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.high = 4 * SZ_1M, .low_water = SZ_2M }, MEMQUOTA_COLLAPSING);
	u64 sum = 0;
	unsigned int i;

	run_on_all_cpus(test, charge_what_collapses, c);
	settle(test, c->t);
	memquota_tracker_drain(c->t);
	for (i = 0; i < ACTORS; i++)
		sum += memquota_held(&c->actors[i]->p);
	KUNIT_EXPECT_EQ(test, read_total(c->t), sum);
	KUNIT_EXPECT_TRUE(test, is_closed(c->accounts[ACTORS - 1]));
}

/* One CPU destroys the tracker while the others use it. */
static void destroy_meanwhile(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;

	if (cpu == cpumask_first(cpu_online_mask)) {
		usleep_range(1000, 2000);
		destroy_tracker(c->test, c->t);
	} else {
		charge_all_of_them(cpu, c);
	}
}

static void t7_destroying_meanwhile(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.high = SZ_1M, .low_water = SZ_512K }, 0);
	unsigned int i;

	run_on_all_cpus(test, destroy_meanwhile, c);
	for (i = 0; i < ACTORS; i++)
		KUNIT_EXPECT_EQ(test,
				memquota_try_charge(&c->actors[i]->p, 1,
						    GFP_KERNEL), -ESHUTDOWN);
}

/* Waiters on all CPUs: all are served, and max holds. */
static void wait_and_free(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	struct actor *actor = c->actors[cpu % ACTORS];
	unsigned int i;

	for (i = 0; i < ROUNDS / 60; i++) {
		if (memquota_try_charge_wait(&actor->p, SZ_256K, 60 * HZ))
			atomic_inc(&c->failures);
		if (read_total(c->t) > SZ_512K)
			atomic_inc(&c->failures);
		memquota_uncharge(&actor->p, SZ_256K);
	}
}

static void t10_waiting_on_all_cpus(struct kunit *test)
{
	struct crowd *c = new_crowd(test, &(struct memquota_limits){
		.max = SZ_512K }, 0);

	run_on_all_cpus(test, wait_and_free, c);
	expect_exact(test, c);
	KUNIT_EXPECT_EQ(test, tracker_waiting(c->t), 0);
}

/*
 * Participants that join an account while reclaim collapses it. The callback
 * leaves and frees the object, which memquota_join_account() must not access
 * once reclaim can see the participant.
 */
struct nursery {
	struct memquota_ops ops;
	struct memquota_account *account;
	spinlock_t lock;		/* protects @newcomers */
	struct list_head newcomers;
};

struct newcomer {
	struct memquota_participant p;
	struct nursery *nursery;
	struct list_head node;
};

/* Return whether the caller is the one that ends the newcomer. */
static bool newcomer_claim(struct newcomer *n)
{
	bool mine;

	spin_lock_bh(&n->nursery->lock);
	mine = !list_empty(&n->node);
	list_del_init(&n->node);
	spin_unlock_bh(&n->nursery->lock);
	return mine;
}

static void newcomer_reclaim(struct memquota_participant *p,
			     const struct memquota_request *request)
{
	struct newcomer *n = container_of(p, struct newcomer, p);

	if (newcomer_claim(n)) {
		memquota_leave(&n->p);
		kfree(n);
	}
}

static void nursery_empty(struct nursery *nursery)
{
	struct newcomer *n;

	do {
		spin_lock_bh(&nursery->lock);
		n = list_first_entry_or_null(&nursery->newcomers,
					     struct newcomer, node);
		if (n)
			list_del_init(&n->node);
		spin_unlock_bh(&nursery->lock);
		if (n) {
			memquota_leave(&n->p);
			kfree(n);
		}
	} while (n);
}

static void join_until_closed(unsigned int cpu, void *arg)
{
	struct nursery *nursery = arg;
	struct newcomer *n;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		n = kzalloc(sizeof(*n), GFP_KERNEL);
		if (!n)
			return;
		n->nursery = nursery;
		spin_lock_bh(&nursery->lock);
		list_add_tail(&n->node, &nursery->newcomers);
		spin_unlock_bh(&nursery->lock);
		if (!memquota_join_account(&n->p, nursery->account,
					   &nursery->ops, GFP_KERNEL, "new"))
			continue;
		/* Closed; no callback has seen it. */
		if (newcomer_claim(n))
			kfree(n);
		return;
	}
}

static void p2_joining_while_reclaim_collapses_the_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct nursery *nursery = new_zeroed(test, struct nursery);
	struct actor *old;
	unsigned int i;

	spin_lock_init(&nursery->lock);
	INIT_LIST_HEAD(&nursery->newcomers);
	nursery->ops = (struct memquota_ops){
		.reclaim = newcomer_reclaim,
		.flags = MEMQUOTA_COLLAPSING,
		.owner = THIS_MODULE,
	};
	for (i = 0; i < share_of(250); i++) {
		nursery->account = new_account(test, t, NULL);
		old = new_actor(test, nursery->account, MEMQUOTA_COLLAPSING, 1);
		actor_charge(old, HIGH + SZ_1M);
		run_on_all_cpus(test, join_until_closed, nursery);
		EXPECT_SETTLES(test, is_closed(nursery->account));
		settle(test, t);
		nursery_empty(nursery);
		memquota_leave(&old->p);
		put_account(test, nursery->account);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p7_charging_on_all_cpus),
	KUNIT_CASE(p7_draining_meanwhile),
	KUNIT_CASE(p7_reclaim_meanwhile),
	KUNIT_CASE(p7_sleeping_reclaim_meanwhile),
	KUNIT_CASE(t5_reconfiguring_meanwhile),
	KUNIT_CASE(p8_joining_and_leaving_meanwhile),
	KUNIT_CASE(p8_no_callback_after_leaving),
	KUNIT_CASE(a2_opening_and_closing_meanwhile),
	KUNIT_CASE(a2_opening_and_closing_under_reclaim),
	KUNIT_CASE(p5_uncharging_all_meanwhile),
	KUNIT_CASE(r5_collapsing_while_charging),
	KUNIT_CASE(t7_destroying_meanwhile),
	KUNIT_CASE(t10_waiting_on_all_cpus),
	KUNIT_CASE_SLOW(p2_joining_while_reclaim_collapses_the_account),
	{}
};

MEMQUOTA_SUITE(memquota_concurrency, cases);
