// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts of many participants: what they hold, before, while and after they
 * close: rules A2, A8, T9, P6 and R11.
 */
#include <linux/prandom.h>
#include "../core/audit.h"
#include "harness.h"
#include "internals.h"

#define BYTES		1000	/* that a member holds at first */

/* The participants of one account. */
struct members {
	struct memquota_tracker *t;
	struct memquota_account *a;	/* with a handle, until members_close() */
	unsigned int nr;
	bool stop;
	atomic_t failures;
	struct member {
		struct memquota_participant p;
		atomic64_t held;
	} m[];
};

/* Members keep their memory, whatever reclaim asks for. */
static void member_reclaim(struct memquota_participant *p,
			   const struct memquota_request *request)
{
}

static const struct memquota_ops member_ops = {
	.owner = THIS_MODULE,
	.reclaim = member_reclaim,
};

static int member_join(struct members *s, struct member *m)
{
	return memquota_join_account(&m->p, s->a, &member_ops, GFP_KERNEL,
				     "member");
}

static void member_leave(struct member *m)
{
	memquota_leave(&m->p);
	atomic64_set(&m->held, 0);
}

static void member_charge(struct member *m, u64 bytes)
{
	memquota_charge(&m->p, bytes);
	atomic64_add(bytes, &m->held);
}

static void member_uncharge(struct member *m, u64 bytes)
{
	atomic64_sub(bytes, &m->held);
	memquota_uncharge(&m->p, bytes);
}

static void members_open(struct kunit *test, struct members *s)
{
	s->a = memquota_account_create(s->t, NULL, GFP_KERNEL, "members");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->a);
}

static void members_close(struct members *s)
{
	memquota_account_put(s->a);
	WRITE_ONCE(s->a, NULL);
}

static void members_release(void *data)
{
	struct members *s = data;
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		memquota_leave(&s->m[i].p);
	memquota_account_put(s->a);
	memquota_barrier();
	kvfree(s);
}

static void members_fill(struct kunit *test, struct members *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		KUNIT_ASSERT_EQ(test, member_join(s, &s->m[i]), 0);
		member_charge(&s->m[i], BYTES);
	}
}

/* @nr members of a new account that hold BYTES each. */
static struct members *new_members(struct kunit *test,
				   struct memquota_tracker *t, unsigned int nr)
{
	struct members *s = kvzalloc(struct_size(s, m, nr), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->t = t;
	s->nr = nr;
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, members_release, s), 0);
	members_open(test, s);
	members_fill(test, s);
	return s;
}

static u64 members_held(const struct members *s)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < s->nr; i++)
		sum += atomic64_read(&s->m[i].held);
	return sum;
}

static u64 account_held(struct memquota_account *a)
{
	struct memquota_account_usage usage;

	memquota_account_usage(a, &usage);
	return usage.held;
}

static void expect_total(struct kunit *test, struct memquota_tracker *t,
			 u64 bytes)
{
	KUNIT_EXPECT_EQ(test, exact_total(t), bytes);
	EXPECT_SETTLES(test, memquota_check(t) == 0);
	KUNIT_EXPECT_EQ(test, tracker_state(t), MEMQUOTA_COUNTING);
}

/* What others hold beside the members. */
static struct actor *new_other(struct kunit *test, struct memquota_tracker *t)
{
	struct actor *other = lone_actor(test, t, 0, 1);

	actor_charge(other, SZ_1M + 7);
	return other;
}

static void close_members(struct kunit *test, unsigned int nr)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct actor *other = new_other(test, t);
	struct members *s = new_members(test, t, nr);
	u64 before, after;
	unsigned int i;

	before = exact_total(t);
	KUNIT_EXPECT_EQ(test, before, SZ_1M + 7 + (u64)nr * BYTES);
	/* The reaper is woken by an interrupt. */
	local_irq_disable();
	members_close(s);
	after = read_total(t);
	local_irq_enable();
	KUNIT_EXPECT_EQ(test, before - after,
			min_t(u64, nr, MEMQUOTA_BATCH) * BYTES);
	EXPECT_SETTLES(test, read_total(t) == SZ_1M + 7);
	ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, memquota_held(&s->m[i].p), 0);
		KUNIT_EXPECT_EQ(test,
				memquota_try_charge(&s->m[i].p, 1, GFP_KERNEL),
				-ESTALE);
		memquota_charge(&s->m[i].p, BYTES);
		memquota_uncharge(&s->m[i].p, 2 * BYTES);
		memquota_uncharge_all(&s->m[i].p);
	}
	expect_total(test, t, SZ_1M + 7);
	KUNIT_EXPECT_EQ(test, memquota_held(&other->p), SZ_1M + 7);
}

static void a2_closing_takes_all_from_the_total(struct kunit *test)
{
	close_members(test, 1);
	close_members(test, MEMQUOTA_BATCH);
	close_members(test, MEMQUOTA_BATCH + 1);
	close_members(test, 1000);
}

static unsigned int count_granted(struct members *s)
{
	unsigned int i, granted = 0;

	for (i = 0; i < s->nr; i++)
		granted += !memquota_try_charge(&s->m[i].p, 1, GFP_ATOMIC);
	return granted;
}

/* Some are refused at once, all say why, and the rest is refused once reaped. */
static void a8_closing_refuses_charges(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct members *s = new_members(test, t, 4 * MEMQUOTA_BATCH);
	unsigned int i, granted, failed = 0;

	exact_total(t);
	local_irq_disable();
	members_close(s);
	for (i = 0; i < s->nr; i++)
		failed += memquota_participant_error(&s->m[i].p) == -ESTALE;
	granted = count_granted(s);
	local_irq_enable();
	KUNIT_EXPECT_EQ(test, failed, s->nr);
	KUNIT_EXPECT_LE(test, granted, s->nr - MEMQUOTA_BATCH);
	ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
	KUNIT_EXPECT_EQ(test, count_granted(s), 0);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

/* Charge, uncharge and, some, leave; CPU 0 closes the account meanwhile. */
static void use_and_close(unsigned int cpu, void *arg)
{
	struct members *s = arg;
	bool closer = cpu == cpumask_first(cpu_online_mask);
	unsigned int i, n = share_of(2400);
	struct rnd_state dice;
	struct member *m;
	u64 bytes;

	prandom_seed_state(&dice, cpu + 1);
	for (i = 0; i < n; i++) {
		if (closer && i == n / 2)
			members_close(s);
		/* Shared, but for those that leave. */
		m = &s->m[prandom_u32_state(&dice) % (s->nr / 2)];
		bytes = prandom_u32_state(&dice) % 20000;
		memquota_charge(&m->p, bytes);
		memquota_uncharge(&m->p, bytes);
		if (i * nr_cpu_ids + cpu >= s->nr / 2)
			continue;
		m = &s->m[s->nr / 2 + i * nr_cpu_ids + cpu];
		memquota_charge(&m->p, bytes);
		if (i % 3)
			memquota_leave(&m->p);
	}
}

static void a2_closing_beside_charges(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct members *s;
	unsigned int i;

	new_other(test, t);
	for (i = 0; i < 4; i++) {
		s = new_members(test, t, i % 2 ? 1000 : 100);
		run_on_all_cpus(test, use_and_close, s);
		ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
		expect_total(test, t, SZ_1M + 7);
	}
}

/* Each byte leaves the total once, by closing or by leaving. */
static void leave_while_closing(unsigned int cpu, void *arg)
{
	struct members *s = arg;
	unsigned int i, step = cpumask_last(cpu_online_mask) + 1;

	for (i = cpu; i < s->nr; i += step) {
		if (cpu == 0 && i / step == s->nr / step / 2)
			members_close(s);
		member_leave(&s->m[i]);
	}
}

static void a2_closing_beside_leaving(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct members *s = new_members(test, t, 240);
	unsigned int i;

	new_other(test, t);
	for (i = 0; i < 6; i++) {
		run_on_all_cpus(test, leave_while_closing, s);
		ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
		expect_total(test, t, SZ_1M + 7);
		KUNIT_ASSERT_EQ(test, members_held(s), 0);
		members_open(test, s);
		members_fill(test, s);
	}
}

/* What is about to leave the total is no reason to ask another account. */
static void r1_reclaim_reaps_before_it_asks(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct members *s = new_members(test, t, 10000);
	struct actor *other = lone_actor(test, t, 0, 1000);

	other->arrival_ns = 1;
	actor_charge(other, 9 * SZ_1M);
	KUNIT_ASSERT_EQ(test, count_runs(t), 0);
	local_irq_disable();
	members_close(s);
	actor_charge(other, 2 * SZ_1M);
	local_irq_enable();
	EXPECT_SETTLES(test, count_runs(t) > 0 || tracker_is_cleaned_up(t));
	ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
	settle(test, t);
	KUNIT_EXPECT_EQ(test, count_asks(other), 0);
	expect_total(test, t, 11 * SZ_1M);
}

static bool is_shut_down(struct member *m)
{
	return memquota_try_charge(&m->p, 1, GFP_KERNEL) == -ESHUTDOWN;
}

static void t7_destroying_with_closed_accounts(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct members *s = new_members(test, t, 2000);
	struct members *open = new_members(test, t, 200);
	unsigned int i, stale = 0;

	local_irq_disable();
	members_close(s);
	local_irq_enable();
	destroy_tracker(test, t);
	for (i = 0; i < s->nr; i++)
		stale += is_shut_down(&s->m[i]);
	for (i = 0; i < open->nr; i++)
		stale += is_shut_down(&open->m[i]);
	KUNIT_EXPECT_EQ(test, stale, s->nr + open->nr);
}

static void ignore_crossing(struct memquota_mark *mark)
{
}

struct conversion {
	struct members *s;
	struct memquota_mark mark;
	u64 low, high;		/* that they returned */
	bool by_watch;
	bool joins;
	int err;
};

static void conversion_start(struct conversion *c)
{
	struct memquota_watch *w;

	if (c->by_watch) {
		w = memquota_watch_account(c->s->a);
		c->err = w ? 0 : -ENOMEM;
		if (w)
			memquota_watch_add(w, &c->mark);
	} else {
		c->err = memquota_account_set_max(c->s->a, 64 * SZ_1M);
	}
}

/* The last half joins meanwhile. */
static void use_and_convert(unsigned int cpu, void *arg)
{
	struct conversion *c = arg;
	struct members *s = c->s;
	bool first = cpu == cpumask_first(cpu_online_mask);
	unsigned int i, at, n = share_of(1200);
	struct rnd_state dice;
	struct member *m;

	prandom_seed_state(&dice, cpu + 1);
	for (i = 0; i < n; i++) {
		if (first && i == n / 4)
			conversion_start(c);
		m = &s->m[prandom_u32_state(&dice) % (s->nr / 2)];
		member_charge(m, i % 7000);
		if (i % 4)
			member_uncharge(m, i % 7000);
		at = s->nr / 2 + i * nr_cpu_ids + cpu;
		if (at >= s->nr)
			continue;
		m = &s->m[at];
		member_leave(m);
		if (member_join(s, m))
			atomic_inc(&s->failures);
		else
			member_charge(m, 77);
	}
}

static void expect_account(struct kunit *test, struct members *s)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < s->nr; i++)
		sum += memquota_held(&s->m[i].p);
	KUNIT_EXPECT_EQ(test, account_held(s->a), sum);
	memquota_tracker_drain(s->t);
	KUNIT_EXPECT_EQ(test, account_held(s->a), members_held(s));
	expect_total(test, s->t, members_held(s));
}

static void convert(struct kunit *test, bool by_watch)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct conversion *c = new_zeroed(test, struct conversion);
	struct members *s = new_members(test, t, 2000);
	struct memquota_participant *p = &s->m[1].p;
	u64 held;

	c->s = s;
	c->by_watch = by_watch;
	c->mark.above_bytes = SZ_64M * 4ULL;
	c->mark.rearm_bytes = SZ_64M;
	c->mark.crossed = ignore_crossing;
	expect_account(test, s);
	run_on_all_cpus(test, use_and_convert, c);
	KUNIT_EXPECT_EQ(test, c->err, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->failures), 0);
	expect_account(test, s);

	/* Exact from now on, whichever participant charges. */
	held = members_held(s);
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(s->a, held + 100), 0);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(p));
	KUNIT_EXPECT_EQ(test, memquota_try_charge(p, 101, GFP_KERNEL), -EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(p, 60, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&s->m[1999].p, 41, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&s->m[1999].p, 40, GFP_KERNEL),
			0);
	KUNIT_EXPECT_TRUE(test, memquota_at_limit(&s->m[1000].p));
	KUNIT_EXPECT_EQ(test, memquota_try_charge(&s->m[1000].p, 1, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, account_held(s->a), held + 100);
	KUNIT_EXPECT_EQ(test,
			memquota_account_set_max(s->a, MEMQUOTA_UNLIMITED), 0);
	KUNIT_EXPECT_FALSE(test, memquota_at_limit(p));
	KUNIT_EXPECT_EQ(test, memquota_try_charge(p, SZ_1M, GFP_KERNEL), 0);
	memquota_uncharge(p, SZ_1M + 60);
	memquota_uncharge(&s->m[1999].p, 40);
	if (by_watch)
		memquota_watch_remove(memquota_watch_account(s->a), &c->mark);
	expect_account(test, s);
}

static void t9_a_max_counts_what_is_held_already(struct kunit *test)
{
	convert(test, false);
}

static void t9_a_threshold_counts_what_is_held_already(struct kunit *test)
{
	convert(test, true);
}

/* The first CPU joins and leaves; or converts. The others read. */
static void read_beside(unsigned int cpu, void *arg)
{
	struct conversion *c = arg;
	struct members *s = c->s;
	u64 held, sum, total;
	unsigned int i, j;

	if (cpu == cpumask_first(cpu_online_mask)) {
		usleep_range(1000, 2000);
		if (!c->joins)
			conversion_start(c);
		for (i = 0; c->joins && i < 3; i++) {
			/* At first they are among those that stay. */
			for (j = 0; j < s->nr; j += 4)
				memquota_leave(&s->m[j].p);
			for (j = 0; j < s->nr; j += 4)
				if (member_join(s, &s->m[j]))
					atomic_inc(&s->failures);
		}
		usleep_range(1000, 2000);
		WRITE_ONCE(s->stop, true);
		return;
	}
	do {
		held = account_held(s->a);
		if (held < READ_ONCE(c->low))
			WRITE_ONCE(c->low, held);
		if (held > READ_ONCE(c->high))
			WRITE_ONCE(c->high, held);
		if (c->joins && cpu % 2 &&
		    (!memquota_audit(s->t, &sum, &total) || sum != total))
			atomic_inc(&s->failures);
		/* Leave the lock to the first CPU for a while. */
		usleep_range(20, 50);
	} while (!READ_ONCE(s->stop));
}

static void expect_constant(struct kunit *test, struct conversion *c)
{
	struct members *s = c->s;

	memquota_tracker_drain(s->t);
	c->low = U64_MAX;
	c->high = 0;
	WRITE_ONCE(s->stop, false);
	run_on_all_cpus(test, read_beside, c);
	KUNIT_EXPECT_EQ(test, c->low, members_held(s));
	KUNIT_EXPECT_EQ(test, c->high, members_held(s));
	KUNIT_EXPECT_EQ(test, atomic_read(&s->failures), 0);
}

/* Each walk meets each participant that stays once. */
static void r11_walks_beside_joins_and_leaves(struct kunit *test)
{
	struct conversion *c = new_zeroed(test, struct conversion);
	unsigned int i, j;

	need_cpus(test, 2);
	c->joins = true;
	for (i = 0; i < 4; i++) {
		c->s = new_members(test, new_tracker(test, NULL), 600);
		for (j = 0; j < c->s->nr; j += 4)
			member_uncharge(&c->s->m[j], BYTES);
		expect_constant(test, c);
	}
	KUNIT_EXPECT_EQ(test, memquota_account_set_max(c->s->a, SZ_64M), 0);
	expect_constant(test, c);
}

/* Whether its word counts or not, an account reads as what it holds. */
static void t9_reading_while_a_max_is_set(struct kunit *test)
{
	struct conversion *c = new_zeroed(test, struct conversion);
	unsigned int i;

	need_cpus(test, 2);
	for (i = 0; i < 4; i++) {
		c->s = new_members(test, new_tracker(test, NULL), 1000);
		expect_constant(test, c);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a2_closing_takes_all_from_the_total),
	KUNIT_CASE(a8_closing_refuses_charges),
	KUNIT_CASE(a2_closing_beside_charges),
	KUNIT_CASE(a2_closing_beside_leaving),
	KUNIT_CASE(r1_reclaim_reaps_before_it_asks),
	KUNIT_CASE(t7_destroying_with_closed_accounts),
	KUNIT_CASE(t9_a_max_counts_what_is_held_already),
	KUNIT_CASE(t9_a_threshold_counts_what_is_held_already),
	KUNIT_CASE(t9_reading_while_a_max_is_set),
	KUNIT_CASE(r11_walks_beside_joins_and_leaves),
	{}
};

MEMQUOTA_SUITE(memquota_ledger, cases);
