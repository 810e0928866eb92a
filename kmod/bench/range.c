// SPDX-License-Identifier: GPL-2.0
/* Measure range allocators, and gen_pool as their peer. */
#include <linux/genalloc.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <memquota/range.h>
#include "bench.h"

#define LIVE		10000
#define RANGE		SZ_8M

#define TURNS		(16 * LIVE)

struct live_block {
	unsigned long offset;
	u32 size;
};

/* LIVE blocks of 1 to 1024 bytes; each turn replaces one of them. */
struct churn {
	struct memquota_range range;
	struct gen_pool *pool;
	unsigned int turn;
	struct live_block blocks[LIVE];
	struct {
		u16 block;
		u16 size;
	} turns[TURNS];
};

static struct churn *churn_create(void)
{
	struct churn *c = kvzalloc(sizeof(*c), GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int i;

	if (!c)
		return NULL;
	/* The same sequence in each run and for each allocator. */
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < LIVE; i++)
		c->blocks[i].size = prandom_u32_state(&rnd) % 1024 + 1;
	for (i = 0; i < TURNS; i++) {
		c->turns[i].block = prandom_u32_state(&rnd) % LIVE;
		c->turns[i].size = prandom_u32_state(&rnd) % 1024 + 1;
	}
	return c;
}

static __always_inline bool replace_in_range(struct churn *c,
					     struct live_block *block, u32 size)
{
	u32 offset;

	memquota_range_free(&c->range, block->offset, block->size);
	if (unlikely(memquota_range_alloc(&c->range, size, 1, &offset)))
		return false;
	block->offset = offset;
	return true;
}

#define LOOP_CHURN(name, replace_fn)					\
static noinline u64 loop_##name(struct bench *b, unsigned long n)	\
{									\
	struct churn *c = b->private;					\
	unsigned int turn = c->turn;					\
	u64 start = bench_clock();					\
									\
	do {								\
		struct live_block *block =				\
			&c->blocks[c->turns[turn].block];		\
		u32 size = c->turns[turn].size;				\
									\
		if (!(replace_fn)(c, block, size))			\
			break;						\
		block->size = size;					\
		if (++turn == TURNS)					\
			turn = 0;					\
	} while (--n);							\
	start = bench_clock() - start;					\
	c->turn = turn;							\
	return start;							\
}

LOOP_CHURN(range_churn, replace_in_range)

/* Use a size that the compiler does not know. */
static noinline u64 loop_range_bump(struct bench *b, unsigned long n)
{
	struct churn *c = b->private;
	struct memquota_range *range = &c->range;
	u32 offset;
	u64 start = bench_clock();

	do {
		u32 size = READ_ONCE(c->blocks[0].size);

		if (unlikely(memquota_range_alloc(range, size, 1, &offset)))
			break;
		barrier();
		memquota_range_free(range, offset, size);
	} while (--n);
	return bench_clock() - start;
}

static void teardown_range(struct bench *b)
{
	struct churn *c = b->private;

	memquota_range_destroy(&c->range);
	kvfree(c);
}

static int setup_range(struct bench *b, const struct bench_case *bc)
{
	struct churn *c = churn_create();
	int err;

	b->private = c;
	if (!c)
		return -ENOMEM;
	memquota_range_init(&c->range, NULL, GFP_KERNEL);
	err = memquota_range_add(&c->range, RANGE);
	if (err)
		teardown_range(b);
	return err;
}

static int setup_range_churn(struct bench *b, const struct bench_case *bc)
{
	int err = setup_range(b, bc);
	struct churn *c = b->private;
	unsigned int i;
	u32 offset;

	if (err)
		return err;
	for (i = 0; i < LIVE; i++) {
		err = memquota_range_alloc(&c->range, c->blocks[i].size, 1,
					   &offset);
		if (err) {
			teardown_range(b);
			return err;
		}
		c->blocks[i].offset = offset;
	}
	/* Fragment the free space as long use would. */
	loop_range_churn(b, TURNS);
	return 0;
}

#ifdef CONFIG_GENERIC_ALLOCATOR
static __always_inline bool replace_in_gen_pool(struct churn *c,
						struct live_block *block,
						u32 size)
{
	gen_pool_free(c->pool, block->offset, block->size);
	block->offset = gen_pool_alloc(c->pool, size);
	return likely(block->offset);
}

LOOP_CHURN(peer_gen_pool_churn, replace_in_gen_pool)

static noinline u64 loop_peer_gen_pool(struct bench *b, unsigned long n)
{
	struct churn *c = b->private;
	struct gen_pool *pool = c->pool;
	unsigned long offset;
	u64 start = bench_clock();

	do {
		u32 size = READ_ONCE(c->blocks[0].size);

		offset = gen_pool_alloc(pool, size);
		if (unlikely(!offset))
			break;
		gen_pool_free(pool, offset, size);
	} while (--n);
	return bench_clock() - start;
}

/* gen_pool_destroy() requires that no block is allocated. */
static void teardown_gen_pool(struct bench *b)
{
	struct churn *c = b->private;
	unsigned int i;

	for (i = 0; i < LIVE; i++)
		if (c->blocks[i].offset)
			gen_pool_free(c->pool, c->blocks[i].offset,
				      c->blocks[i].size);
	if (c->pool)
		gen_pool_destroy(c->pool);
	kvfree(c);
}

static int setup_gen_pool(struct bench *b, const struct bench_case *bc)
{
	struct churn *c = churn_create();
	int err;

	b->private = c;
	if (!c)
		return -ENOMEM;
	c->pool = gen_pool_create(ilog2(MEMQUOTA_RANGE_UNIT), NUMA_NO_NODE);
	err = c->pool ? gen_pool_add(c->pool, MEMQUOTA_RANGE_UNIT,
				     RANGE - MEMQUOTA_RANGE_UNIT,
				     NUMA_NO_NODE) : -ENOMEM;
	if (err)
		teardown_gen_pool(b);
	return err;
}

static int fill_gen_pool(struct bench *b, const struct bench_case *bc,
			 genpool_algo_t algo)
{
	int err = setup_gen_pool(b, bc);
	struct churn *c = b->private;
	unsigned int i;

	if (err)
		return err;
	gen_pool_set_algo(c->pool, algo, NULL);
	for (i = 0; i < LIVE; i++) {
		c->blocks[i].offset = gen_pool_alloc(c->pool,
						     c->blocks[i].size);
		if (!c->blocks[i].offset) {
			teardown_gen_pool(b);
			return -ENOMEM;
		}
	}
	loop_peer_gen_pool_churn(b, LIVE);
	return 0;
}

static int setup_first_fit(struct bench *b, const struct bench_case *bc)
{
	return fill_gen_pool(b, bc, gen_pool_first_fit);
}

static int setup_best_fit(struct bench *b, const struct bench_case *bc)
{
	return fill_gen_pool(b, bc, gen_pool_best_fit);
}
#endif

static const struct bench_case cases[] = {
#ifdef CONFIG_GENERIC_ALLOCATOR
	{
		.name = "peer_gen_pool_empty",
		.loop = loop_peer_gen_pool,
		.setup = setup_gen_pool,
		.teardown = teardown_gen_pool,
	}, {
		.name = "peer_gen_pool_first_fit_churn_10000",
		.loop = loop_peer_gen_pool_churn,
		.setup = setup_first_fit,
		.teardown = teardown_gen_pool,
		.times = 100,
	}, {
		.name = "peer_gen_pool_best_fit_churn_10000",
		.loop = loop_peer_gen_pool_churn,
		.setup = setup_best_fit,
		.teardown = teardown_gen_pool,
		.times = 30,
	},
#endif
	{
		.name = "range_bump",
		.loop = loop_range_bump,
		.setup = setup_range,
		.teardown = teardown_range,
		.peer = "peer_gen_pool_empty",
	}, {
		.name = "range_churn_10000",
		.loop = loop_range_churn,
		.setup = setup_range_churn,
		.teardown = teardown_range,
		.peer = "peer_gen_pool_best_fit_churn_10000",
	},
};

int bench_range(void)
{
	return bench_run_cases(cases, ARRAY_SIZE(cases));
}
