// SPDX-License-Identifier: GPL-2.0
/* Measure charging and uncharging. */
#include <linux/kernel.h>
#include "bench.h"

/*
 * Owners charge in one function and uncharge in another, so barriers keep the
 * compiler from combining the two calls.
 */
static noinline u64 loop_charge_in_slot(struct bench *b, unsigned long n)
{
	struct memquota_participant *p = &b->objects->participant;
	u64 start = bench_clock();

	do {
		memquota_charge(p, 64);
		barrier();
		memquota_uncharge(p, 64);
	} while (--n);
	return bench_clock() - start;
}

/* Use a size that the compiler does not know. */
static noinline u64 loop_charge_variable(struct bench *b, unsigned long n)
{
	struct bench_object *o = b->objects;
	struct memquota_participant *p = &o->participant;
	u64 start;

	o->held = 64;
	start = bench_clock();
	do {
		size_t bytes = READ_ONCE(o->held);

		memquota_charge(p, bytes);
		barrier();
		memquota_uncharge(p, bytes);
	} while (--n);
	return bench_clock() - start;
}

static noinline u64 loop_try_charge(struct bench *b, unsigned long n)
{
	struct memquota_participant *p = &b->objects->participant;
	u64 start = bench_clock();

	do {
		if (unlikely(memquota_try_charge(p, 64, GFP_NOWAIT)))
			break;
		memquota_uncharge(p, 64);
	} while (--n);
	return bench_clock() - start;
}

/* Charge the participants in turn; @n is a multiple of their number. */
static noinline u64 loop_charge_in_turn(struct bench *b, unsigned long n)
{
	struct bench_object *o = b->objects, *end = o + b->nr;
	u64 start = bench_clock();

	do {
		memquota_charge(&o->participant, 64);
		barrier();
		memquota_uncharge(&o->participant, 64);
		if (++o == end)
			o = b->objects;
	} while (--n);
	return bench_clock() - start;
}

/* Charge more than slots and shares hold, so each call visits the total. */
static noinline u64 loop_visit(struct bench *b, unsigned long n)
{
	struct memquota_participant *p = &b->objects->participant;
	u64 start = bench_clock();

	do {
		memquota_charge(p, 1 << 20);
		memquota_uncharge(p, 1 << 20);
	} while (--n);
	return bench_clock() - start;
}

/* The account is at its max, so each call is refused. */
static noinline u64 loop_refused(struct bench *b, unsigned long n)
{
	struct memquota_participant *p = &b->objects->participant;
	u64 start = bench_clock();

	do {
		if (memquota_try_charge(p, 4096, GFP_ATOMIC) != -EDQUOT)
			return 0;
	} while (--n);
	return bench_clock() - start;
}

static int setup_refused(struct bench *b, const struct bench_case *c)
{
	return bench_setup_participants(b, c) ?:
	       memquota_account_set_max(b->account, 1);
}

/* A participant of a null handle. */
static int setup_disabled(struct bench *b, const struct bench_case *c)
{
	return bench_join_all(b, 1, &bench_ops);
}

#define PARTICIPANTS						\
	.setup = bench_setup_participants,			\
	.teardown = bench_teardown_participants

const struct bench_case bench_charge_cases[] = {
	{
		.name = "charge_uncharge_in_slot",
		.loop = loop_charge_in_slot,
		PARTICIPANTS,
		.nr = 1,
		.peer = "peer_percpu_counter",
		.floor = "peer_percpu_cmpxchg",
	}, {
		.name = "charge_uncharge_in_slot_variable_size",
		.loop = loop_charge_variable,
		PARTICIPANTS,
		.nr = 1,
		.peer = "peer_percpu_counter",
		.floor = "peer_percpu_cmpxchg",
	}, {
		.name = "try_charge_uncharge_in_slot",
		.loop = loop_try_charge,
		PARTICIPANTS,
		.nr = 1,
		.peer = "peer_percpu_counter",
	}, {
		.name = "charge_uncharge_4_in_turn",
		.loop = loop_charge_in_turn,
		PARTICIPANTS,
		.nr = 4,
		.peer = "peer_percpu_counter",
		.floor = "peer_percpu_cmpxchg",
	}, {
		.name = "charge_uncharge_10000_in_turn",
		.loop = loop_charge_in_turn,
		PARTICIPANTS,
		.nr = 10000,
		.cold = true,
		.peer = "peer_kmalloc_kfree_accounted",
		.floor = "peer_percpu_cmpxchg",
	}, {
		.name = "visit_to_total",
		.loop = loop_visit,
		PARTICIPANTS,
		.nr = 1,
		.per = 2,
		.times = 2000,
		.peer = "peer_kmalloc_kfree_accounted",
	}, {
		.name = "try_charge_refused",
		.loop = loop_refused,
		.setup = setup_refused,
		.teardown = bench_teardown_participants,
		.nr = 1,
		.floor = "peer_percpu_cmpxchg",
	}, {
		.name = "disabled_charge_uncharge",
		.loop = loop_charge_in_slot,
		.setup = setup_disabled,
		.teardown = bench_leave_all,
		.nr = 1,
		.peer = "peer_percpu_sub_add",
		.floor = "peer_percpu_sub_add",
	},
};

const size_t bench_nr_charge_cases = ARRAY_SIZE(bench_charge_cases);

/*
 * Measure without refills of the slot: readings are so short that the least of
 * them met none.
 */
static const struct bench_case between_visits[] = {
	{
		.name = "charge_uncharge_in_slot_between_visits",
		.loop = loop_charge_in_slot,
		PARTICIPANTS,
		.nr = 1,
		.times = 16,
		.peer = "peer_percpu_sub_add",
	},
};

int bench_charge(void)
{
	return bench_run_cases(bench_charge_cases, bench_nr_charge_cases) ?:
	       bench_run_cases(between_visits, ARRAY_SIZE(between_visits));
}
