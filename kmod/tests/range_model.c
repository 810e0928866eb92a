// SPDX-License-Identifier: GPL-2.0
/* Range allocators against a plain model: rules F2 and F3. */
#include <linux/bitmap.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include "range_helpers.h"

/*
 * The model is a bit for each unit, and where the bump region starts. KCSAN is
 * slow and cannot find races in one thread, so it gets fewer steps. So does
 * PREEMPT_RT, which is run with lockdep in an emulator.
 */
#define MODEL_UNITS	4096
#define MODEL_STEPS	(IS_ENABLED(CONFIG_KCSAN) || \
			 IS_ENABLED(CONFIG_PREEMPT_RT) ? 2000 : 100000)

struct model {
	struct memquota_range *range;
	struct rnd_state rnd;
	DECLARE_BITMAP(used, MODEL_UNITS);
	u32 bump;
	u32 capacity;
	u32 most;	/* bytes of a block at most */
	unsigned int nr;
	struct part live[MODEL_UNITS];
};

static u32 model_dice(struct model *m, u32 sides)
{
	return prandom_u32_state(&m->rnd) % sides;
}

static u32 model_run_end(struct model *m, u32 start)
{
	return find_next_bit(m->used, MODEL_UNITS, start);
}

/* Return where a block of @units must be placed, 0 if nowhere. */
static u32 model_find_fit(struct model *m, u32 units)
{
	u32 start, end, best = 0, shortest = U32_MAX;

	if (model_run_end(m, m->bump) - m->bump >= units)
		return m->bump;
	for (start = find_first_zero_bit(m->used, MODEL_UNITS);
	     start < MODEL_UNITS;
	     start = find_next_zero_bit(m->used, MODEL_UNITS, end)) {
		end = model_run_end(m, start);
		if (end - start >= units && end - start < shortest) {
			shortest = end - start;
			best = start;
		}
	}
	return best;
}

/* Extend the bump region down over free units. Unit 0 is never free. */
static void model_lower_bump(struct model *m)
{
	m->bump = find_last_bit(m->used, m->bump) + 1;
}

static const char *model_alloc(struct model *m)
{
	u32 size = model_dice(m, model_dice(m, 20) ? m->most : 10 * m->most) + 1;
	u32 units = DIV_ROUND_UP(size, UNIT), at = model_find_fit(m, units);
	u32 offset = 0;
	int err = memquota_range_alloc(m->range, size, 1 << model_dice(m, 5),
				       &offset);

	if (!at)
		return err == -ENOSPC ? NULL : "it should not have fitted";
	if (err)
		return "it should have fitted";
	if (offset != at * UNIT)
		return "it should be elsewhere";
	bitmap_set(m->used, at, units);
	m->bump = at + units;
	m->live[m->nr++] = (struct part){ offset, size };
	return NULL;
}

static const char *model_free(struct model *m)
{
	u32 n = model_dice(m, m->nr);
	struct part part = m->live[n];

	memquota_range_free(m->range, part.offset, part.size);
	m->live[n] = m->live[--m->nr];
	bitmap_clear(m->used, part.offset / UNIT,
		     DIV_ROUND_UP(part.size, UNIT));
	model_lower_bump(m);
	return NULL;
}

static const char *model_add(struct model *m)
{
	u32 bytes = min(model_dice(m, 1000), MODEL_UNITS * UNIT - m->capacity);
	u32 from = max(m->capacity / UNIT, 1U), to;

	if (memquota_range_add(m->range, bytes))
		return "capacity was refused";
	m->capacity += bytes;
	to = m->capacity / UNIT;
	if (from < to)
		bitmap_clear(m->used, from, to - from);
	model_lower_bump(m);
	return NULL;
}

static const char *model_compare(struct model *m)
{
	const char *wrong = memquota_range_check(m->range);
	u32 offset = 0, size = 0, start, end, blocks = 0;

	if (wrong)
		return wrong;
	for (start = find_first_zero_bit(m->used, MODEL_UNITS);
	     start < MODEL_UNITS;
	     start = find_next_zero_bit(m->used, MODEL_UNITS, end)) {
		end = model_run_end(m, start);
		if (!memquota_range_next_free(m->range, &offset, &size))
			return "a free block is missing";
		if (offset != start * UNIT || size != (end - start) * UNIT)
			return "a free block is different";
		blocks += start != m->bump;
	}
	if (memquota_range_next_free(m->range, &offset, &size))
		return "there is a free block too many";
	if (blocks + count_spare(m->range) != m->nr + m->range->credit)
		return "records are not as many as they should be";
	return NULL;
}

/* Fill and empty the range in turn, and add capacity. */
static const char *model_step(struct model *m, unsigned int step)
{
	bool fills = step / 500 % 2 == 0;
	u32 number = model_dice(m, 100);

	if (number < 4)
		return model_add(m);
	if (!m->nr || number < (fills ? 70 : 34))
		return model_alloc(m);
	return model_free(m);
}

static void run_model(struct kunit *test, struct model *m, u32 most,
		      unsigned int seed)
{
	const char *wrong;
	unsigned int i;

	*m = (struct model){
		.range = new_range(test, 0), .most = most, .bump = 1 };
	bitmap_fill(m->used, MODEL_UNITS);
	prandom_seed_state(&m->rnd, seed);
	for (i = 0; i < MODEL_STEPS; i++) {
		wrong = model_step(m, i) ?: model_compare(m);
		KUNIT_ASSERT_TRUE_MSG(test, !wrong, "seed %u, step %u: %s",
				      seed, i, wrong);
		if (i % 1000 == 0)
			cond_resched();
	}
	while (m->nr)
		model_free(m);
	wrong = model_compare(m);
	KUNIT_EXPECT_STREQ(test, wrong ?: "", "");
	expect_free(test, m->range, &(struct part){
		UNIT, rounddown(m->capacity, UNIT) - UNIT }, 1);
}

static void run_models(struct kunit *test, u32 most)
{
	struct model *m = new_zeroed(test, struct model);
	unsigned int seed;

	for (seed = 1; seed <= 4; seed++)
		run_model(test, m, most, seed);
}

static void f2_f3_as_a_model_says_short_blocks(struct kunit *test)
{
	run_models(test, 300);
}

static void f2_f3_as_a_model_says_medium_blocks(struct kunit *test)
{
	run_models(test, 1024);
}

static void f2_f3_as_a_model_says_long_blocks(struct kunit *test)
{
	run_models(test, 6000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(f2_f3_as_a_model_says_short_blocks),
	KUNIT_CASE_SLOW(f2_f3_as_a_model_says_medium_blocks),
	KUNIT_CASE_SLOW(f2_f3_as_a_model_says_long_blocks),
	{}
};

MEMQUOTA_SUITE(memquota_range_model, cases);
