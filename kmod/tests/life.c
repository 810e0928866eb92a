// SPDX-License-Identifier: GPL-2.0
/*
 * Keys and ids of records and accounts, and joining and leaving on all CPUs.
 */
#include <linux/sort.h>
#include "../core/record.h"
#include "harness.h"
#include "internals.h"

#define KEYS		5000

struct key_draw {
	u64 (*new_key)(unsigned int turn);
	u64 *keys;
};

static u64 any_key(unsigned int turn)
{
	return memquota_new_key();
}

static u64 key_with(unsigned int turn)
{
	return memquota_new_key_with(turn);
}

static void draw_keys(unsigned int cpu, void *arg)
{
	struct key_draw *draw = arg;
	unsigned int i;

	for (i = 0; i < KEYS; i++)
		draw->keys[cpu * KEYS + i] = draw->new_key(i);
}

static int compare_keys(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void expect_distinct(struct kunit *test, u64 *numbers, size_t nr)
{
	size_t i, repeated = 0;

	sort(numbers, nr, sizeof(*numbers), compare_keys, NULL);
	KUNIT_EXPECT_NE(test, numbers[0], 0);
	for (i = 1; i < nr; i++)
		repeated += numbers[i] == numbers[i - 1];
	KUNIT_EXPECT_EQ(test, repeated, 0);
}

static void p5_keys_are_never_used_twice(struct kunit *test)
{
	size_t nr = num_online_cpus() * KEYS;
	struct key_draw draw = { .new_key = any_key };

	draw.keys = zalloc_or_abort(test, nr * sizeof(u64) * 2);
	run_on_all_cpus(test, draw_keys, &draw);
	draw.keys += nr;
	draw.new_key = key_with;
	run_on_all_cpus(test, draw_keys, &draw);
	draw.keys -= nr;
	expect_distinct(test, draw.keys, 2 * nr);
}

static void p5_a_key_has_the_low_part_that_was_wanted(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 3 * KEYS; i++)
		KUNIT_ASSERT_EQ(test, memquota_new_key_with(i * 7) % MEMQUOTA_KEY_EPOCHS,
				i * 7 % MEMQUOTA_KEY_EPOCHS);
}

/* The test's own participants, joined on all CPUs in the default tracker. */
#define JOINS		200

struct herd {
	struct memquota_participant *ps;
	unsigned int step;	/* CPUs between the one that joins and leaves */
};

static void uncharge_wanted(struct memquota_participant *p,
			    const struct memquota_request *request)
{
	memquota_uncharge(p, min(request->want_bytes, memquota_held(p)));
}

static void join_many(unsigned int cpu, void *arg)
{
	struct herd *herd = arg;
	unsigned int i;

	for (i = 0; i < JOINS; i++)
		memquota_join(&herd->ps[cpu * JOINS + i], uncharge_wanted,
			      "herd");
}

static void leave_many(unsigned int cpu, void *arg)
{
	struct herd *herd = arg;
	unsigned int i;

	cpu = (cpu + herd->step) % num_online_cpus();
	for (i = 0; i < JOINS; i++)
		memquota_leave(&herd->ps[cpu * JOINS + i]);
}

/* Store the ids of the tracker's accounts of that name; return their number. */
static size_t find_ids(struct memquota_tracker *t, const char *name, u64 *ids,
		       size_t room)
{
	struct memquota_account *a;
	size_t nr = 0;
	u64 id = 0;

	while ((a = memquota_account_next(t, id))) {
		id = a->id + 1;
		if (!strcmp(account_name(a), name) && nr < room)
			ids[nr++] = a->id;
		memquota_account_unref(a);
	}
	return nr;
}

static void a3_private_accounts_of_all_cpus_are_found_by_id(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	size_t nr = num_online_cpus() * JOINS, i;
	struct memquota_usage before, joined, after;
	struct herd herd = { .step = 1 };
	struct memquota_account *a;
	u64 *ids;

	herd.ps = zalloc_or_abort(test, nr * sizeof(*herd.ps));
	ids = zalloc_or_abort(test, (nr + 1) * sizeof(*ids));
	memquota_tracker_usage(t, &before);
	run_on_all_cpus(test, join_many, &herd);
	memquota_tracker_usage(t, &joined);
	KUNIT_EXPECT_EQ(test, joined.participants, before.participants + nr);
	KUNIT_EXPECT_EQ(test, joined.accounts, before.accounts + nr);

	KUNIT_EXPECT_EQ(test, find_ids(t, "herd", ids, nr + 1), nr);
	for (i = 0; i < nr; i++) {
		if (i)
			KUNIT_ASSERT_GT(test, ids[i], ids[i - 1]);
		a = memquota_account_lookup(t, ids[i]);
		KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(a));
		KUNIT_EXPECT_EQ(test, memquota_account_id(a), ids[i]);
		memquota_account_put(a);
	}

	/* Each participant leaves on another CPU than it joined on. */
	run_on_all_cpus(test, leave_many, &herd);
	memquota_tracker_usage(t, &after);
	KUNIT_EXPECT_EQ(test, after.participants, before.participants);
	KUNIT_EXPECT_EQ(test, after.accounts, before.accounts);
	KUNIT_EXPECT_EQ(test, find_ids(t, "herd", ids, 1), 0);
	EXPECT_PTR_ERR(test, memquota_account_lookup(t, ids[0]), -ESTALE);
}

/* Return a handle of a participant's private account, which has that name. */
static struct memquota_account *find_private(struct kunit *test,
					     struct memquota_tracker *t,
					     const char *name)
{
	struct memquota_account *a;
	u64 id;

	KUNIT_ASSERT_EQ(test, find_ids(t, name, &id, 1), 1);
	a = memquota_account_lookup(t, id);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(a));
	return a;
}

static void a4_a_private_account_has_no_relatives(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_account *other = new_account(test, t, NULL), *a, *child;
	struct memquota_participant p = {};

	memquota_join(&p, uncharge_wanted, "private");
	a = find_private(test, t, "private");
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(a, other), -EINVAL);
	KUNIT_EXPECT_EQ(test, memquota_account_add_parent(other, a), -EINVAL);
	child = memquota_account_create(t, a, GFP_KERNEL, "child");
	EXPECT_PTR_ERR(test, child, -EINVAL);
	memquota_account_put(child);
	KUNIT_EXPECT_EQ(test, account_children(other), 0);
	memquota_account_put(a);
	memquota_leave(&p);
}

static void p8_a_handle_keeps_a_private_account_open(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct memquota_participant p = {};
	struct memquota_account *a;
	u64 id;

	memquota_join(&p, uncharge_wanted, "kept");
	a = find_private(test, t, "kept");
	id = memquota_account_id(a);
	memquota_charge(&p, SZ_64K);
	memquota_leave(&p);
	KUNIT_EXPECT_FALSE(test, is_closed(a));
	KUNIT_EXPECT_PTR_EQ(test, memquota_account_lookup(t, id), a);
	memquota_account_put(a);
	memquota_account_put(a);
	EXPECT_PTR_ERR(test, memquota_account_lookup(t, id), -ESTALE);
}

static void p8_leaving_a_private_account_that_reclaim_closed(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct actor *actor = idle_actor(test, MEMQUOTA_COLLAPSING);
	struct memquota_usage before, after;
	u64 id;

	memquota_tracker_usage(t, &before);
	memquota_join_private(&actor->p, &actor->ops, GFP_KERNEL, "collapses");
	actor_charge(actor, 10 * SZ_1M);
	set_limits(test, t, 0, 4 * SZ_1M, 2 * SZ_1M);
	settle_below(test, t, 2 * SZ_1M);
	ASSERT_SETTLES(test, tracker_is_cleaned_up(t));
	memquota_leave(&actor->p);
	memquota_tracker_usage(t, &after);
	KUNIT_EXPECT_EQ(test, after.participants, before.participants);
	KUNIT_EXPECT_EQ(test, after.accounts, before.accounts);
	KUNIT_EXPECT_EQ(test, find_ids(t, "collapses", &id, 1), 0);
}

static void join_trimmer(unsigned int cpu, void *arg)
{
	struct actor **actors = arg;

	memquota_join_private(&actors[cpu]->p, &actors[cpu]->ops, GFP_KERNEL,
			      "trims");
}

static void r12_private_participants_of_all_cpus_are_trimmed(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct actor **actors;
	unsigned int cpu;

	actors = zalloc_or_abort(test, nr_cpu_ids * sizeof(*actors));
	for_each_online_cpu(cpu)
		actors[cpu] = idle_actor(test, TRIMS);
	run_on_all_cpus(test, join_trimmer, actors);
	actor_charge(actors[0], 10 * SZ_1M);
	set_limits(test, t, 0, 4 * SZ_1M, 2 * SZ_1M);
	settle_below(test, t, 2 * SZ_1M);
	for_each_online_cpu(cpu)
		EXPECT_SETTLES(test, atomic_read(&actors[cpu]->trims));
}

static struct kunit_case life_cases[] = {
	KUNIT_CASE(p5_keys_are_never_used_twice),
	KUNIT_CASE(p5_a_key_has_the_low_part_that_was_wanted),
	KUNIT_CASE(a3_private_accounts_of_all_cpus_are_found_by_id),
	KUNIT_CASE(a4_a_private_account_has_no_relatives),
	KUNIT_CASE(p8_a_handle_keeps_a_private_account_open),
	KUNIT_CASE(p8_leaving_a_private_account_that_reclaim_closed),
	KUNIT_CASE(r12_private_participants_of_all_cpus_are_trimmed),
	{}
};

MEMQUOTA_SUITE(memquota_life, life_cases);
