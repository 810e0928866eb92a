// SPDX-License-Identifier: GPL-2.0
/* Measure how costs grow with the number of participants. */
#include <linux/kernel.h>
#include "bench.h"

static const unsigned int counts[] = { 1000, 3000, 10000, 30000, 100000 };

/* Run the case called @name with @nr participants; report it as @as. */
static int measure_with_nr(const struct bench_case *cases, size_t nr_cases,
			   const char *name, const char *as, unsigned int nr)
{
	struct bench_result result;
	struct bench_case c;
	size_t i;
	int err;

	for (i = 0; i < nr_cases; i++)
		if (!strcmp(cases[i].name, name))
			break;
	if (i == nr_cases)
		return -ENOENT;
	c = cases[i];
	c.nr = nr;
	err = bench_measure(&c, &result);
	if (err)
		return err;
	result.name = as;
	bench_report(&result);
	return 0;
}

int bench_participants(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(counts); i++)
		err = measure_with_nr(bench_charge_cases, bench_nr_charge_cases,
				      "charge_uncharge_10000_in_turn",
				      "charge_uncharge_in_turn", counts[i]) ?:
		      measure_with_nr(bench_object_cases, bench_nr_object_cases,
				      "join_leave", "join_leave_among",
				      counts[i]);
	return err;
}
