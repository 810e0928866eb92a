// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas against a plain model: rules C3, C4, C8, C9, N1, N2, N4 to N7 and N11
 * under random operations. The model is an ordered set of what is alive, each
 * with its address, size and pattern.
 */
#include <linux/prandom.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include "../memory/arena_core.h"
#include "../core/core.h"
#include "harness.h"

#define OPERATIONS	100000
#define SEEDS		4
#define OBJECTS		400
#define MARKET		64
#define ROUNDS		5

/**
 * struct object - what is alive
 * @node: in model->tree
 * @memory: its address; NULL if there is no object
 * @size: its bytes
 * @align: as it was asked for
 * @home: the arena that it is from, by a number that is never used again
 * @refs: references to it
 * @plain: lives until the arena is reset, whatever its references
 * @pattern: what is in it
 */
struct object {
	struct rb_node node;
	unsigned char *memory;
	size_t size;
	size_t align;
	u64 home;
	unsigned int refs;
	bool plain;
	unsigned char pattern;
};

/* Where models leave references for each other. */
struct market {
	spinlock_t lock;	/* protects the rest */
	struct object objects[MARKET];
};

/**
 * struct model - what one who allocates believes
 * @config: of each arena that it makes
 * @arena: what it allocates from; maybe others, too
 * @shared: its arena is per CPU, and not its own to reset and destroy
 * @home: the number of @arena
 * @market: NULL if it keeps to itself
 * @dice: decides what it does
 * @tree: objects by address
 * @objects: all of them
 * @bytes: the sum of the sizes of those from @arena
 * @refused: allocations that were
 * @failures: how often it was wrong
 * @why: the first time
 */
struct model {
	struct memquota_arena_config config;
	struct memquota_arena *arena;
	bool shared;
	u64 home;
	struct market *market;
	struct rnd_state dice;
	struct rb_root tree;
	struct object objects[OBJECTS];
	u64 bytes;
	unsigned int refused;
	unsigned int failures;
	const char *why;
};

static atomic64_t homes;

static void note(struct model *m, bool holds, const char *condition)
{
	if (!holds && !m->failures++)
		m->why = condition;
}

#define EXPECT(m, condition)	note(m, condition, #condition)

static u32 roll(struct model *m, u32 sides)
{
	return prandom_u32_state(&m->dice) % sides;
}

/* Both ends, and a byte now and then: overlaps are the tree's to find. */
static void paint(struct object *o)
{
	size_t ends = min_t(size_t, o->size, 16), at;

	memset(o->memory, o->pattern, ends);
	memset(o->memory + o->size - ends, o->pattern, ends);
	for (at = 0; at < o->size; at += 1021)
		o->memory[at] = o->pattern;
}

static bool is_intact(const struct object *o)
{
	size_t ends = min_t(size_t, o->size, 16), at;

	for (at = 0; at < o->size; at += 1021)
		if (o->memory[at] != o->pattern)
			return false;
	return !memchr_inv(o->memory, o->pattern, ends) &&
	       !memchr_inv(o->memory + o->size - ends, o->pattern, ends);
}

static struct object *object_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct object, node);
}

static void expect_no_overlap(struct model *m, struct object *o)
{
	struct object *before = object_of(rb_prev(&o->node));
	struct object *after = object_of(rb_next(&o->node));

	EXPECT(m, !before || before->memory + before->size <= o->memory);
	EXPECT(m, !after || o->memory + o->size <= after->memory);
}

static void insert(struct model *m, struct object *o)
{
	struct rb_node **link = &m->tree.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = o->memory < object_of(parent)->memory ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&o->node, parent, link);
	rb_insert_color(&o->node, &m->tree);
	if (o->home == m->home)
		m->bytes += o->size;
	expect_no_overlap(m, o);
}

static void erase(struct model *m, struct object *o)
{
	EXPECT(m, is_intact(o));
	rb_erase(&o->node, &m->tree);
	if (o->home == m->home)
		m->bytes -= o->size;
}

static struct object *any(struct model *m)
{
	return &m->objects[roll(m, OBJECTS)];
}

static size_t any_size(struct model *m)
{
	switch (roll(m, 64)) {
	case 0:
		return SZ_16K - 70 + roll(m, 140);	/* the threshold */
	case 1:
		return roll(m, SZ_64K);
	case 2:
		return SZ_64K + roll(m, SZ_128K);
	case 3 ... 8:
		return roll(m, 5000);
	default:
		return roll(m, 300);
	}
}

static size_t any_align(struct model *m)
{
	return 1UL << (roll(m, 50) ? roll(m, 7) : roll(m, 16));
}

static void *take(struct model *m, size_t size, size_t align, bool ref)
{
	if (!m->shared)
		return ref ? memquota_arena_alloc_ref(m->arena, size, align) :
			     memquota_arena_alloc(m->arena, size, align);
	return ref ? memquota_arena_alloc_ref_percpu(m->arena, size, align) :
		     memquota_arena_alloc_percpu(m->arena, size, align);
}

/* Whether there is memory; else the budget must be the reason. */
static bool is_got(struct model *m, const void *memory)
{
	if (!IS_ERR(memory))
		return true;
	EXPECT(m, PTR_ERR(memory) == -EDQUOT && m->config.budget_bytes);
	m->refused++;
	return false;
}

static void allocate(struct model *m, struct object *o)
{
	struct object new = {
		.size = any_size(m),
		.align = any_align(m),
		.home = m->home,
		.plain = roll(m, 3) == 0,
		.pattern = roll(m, 256),
	};

	new.refs = !new.plain;
	new.memory = take(m, new.size, new.align, !new.plain);
	if (!new.size) {
		EXPECT(m, (void *)new.memory == ZERO_SIZE_PTR);
		return;
	}
	if (!is_got(m, new.memory))
		return;
	EXPECT(m, IS_ALIGNED((unsigned long)new.memory, new.align));
	*o = new;
	paint(o);
	insert(m, o);
}

static void put(struct model *m, struct object *o)
{
	if (!o->refs)
		return;
	if (o->refs > 1 || o->plain) {
		EXPECT(m, is_intact(o));
		o->refs--;
		memquota_ref_put(o->memory);
		return;
	}
	erase(m, o);
	/* Whoever has it next must not find it so by chance. */
	o->memory[0] = ~o->pattern;
	memquota_ref_put(o->memory + roll(m, o->size));
	o->memory = NULL;
}

static void get(struct model *m, struct object *o)
{
	/* Of plain memory, only who allocates may. */
	memquota_ref_get(o->memory + roll(m, o->size));
	o->refs++;
}

static void grow(struct model *m, struct object *o)
{
	size_t size = roll(m, 4) ? o->size + roll(m, 100) : any_size(m);
	void *memory;

	if (o->home != m->home || o->refs != !o->plain)
		return;
	erase(m, o);
	memory = o->plain ?
		 memquota_arena_realloc(m->arena, o->memory, o->size, size, o->align) :
		 memquota_arena_realloc_ref(m->arena, o->memory, o->size, size, o->align);
	if (is_got(m, memory)) {
		EXPECT(m, IS_ALIGNED((unsigned long)memory, o->align));
		o->memory = memory;
		if (size > o->size) {
			EXPECT(m, !memchr_inv(memory, o->pattern,
					      min_t(size_t, o->size, 16)));
			o->size = size;
		}
	}
	paint(o);
	insert(m, o);
}

/* Plain memory ends; what has references goes on by them. */
static void forget_plain(struct model *m)
{
	struct object *o;

	for (o = m->objects; o < m->objects + OBJECTS; o++) {
		if (!o->memory || !o->plain)
			continue;
		o->plain = false;
		if (o->refs) {
			EXPECT(m, is_intact(o));
		} else {
			erase(m, o);
			o->memory = NULL;
		}
	}
}

static int make(struct model *m)
{
	m->home = atomic64_inc_return(&homes);
	m->bytes = 0;
	return memquota_arena_init(m->arena, &m->config, "model");
}

/* With whatever is referenced, and a new one in its place. */
static void remake(struct model *m)
{
	forget_plain(m);
	memquota_arena_destroy(m->arena);
	EXPECT(m, !make(m));
}

static void swap_at_market(struct model *m, struct object *o)
{
	struct object *other = &m->market->objects[roll(m, MARKET)];

	/* Plain memory is its arena's, and gets no further. */
	if (o->memory && o->plain)
		return;
	if (o->memory)
		erase(m, o);
	spin_lock(&m->market->lock);
	swap(*o, *other);
	spin_unlock(&m->market->lock);
	if (o->memory)
		insert(m, o);
}

/* Nobody else allocates, or rewinds; references are put meanwhile. */
static void expect_bump(struct model *m, struct memquota_store *store)
{
	struct memquota_chunk *chunk = store->current_chunk;
	struct memquota_bump *bump = store->bump;

	if (!chunk) {
		EXPECT(m, !bump->cursor && !bump->limit && !bump->refs);
		return;
	}
	EXPECT(m, bump->limit == (unsigned long)chunk + chunk->bytes);
	EXPECT(m, bump->cursor >= (unsigned long)chunk + MEMQUOTA_CHUNK_HEADER);
	EXPECT(m, bump->cursor <= bump->limit);
	EXPECT(m, bump->refs_end <= bump->cursor);
	EXPECT(m, !chunk->tail && chunk->class != MEMQUOTA_ONE_SHOT);
	EXPECT(m, refcount_read(&chunk->refs) >=
		  MEMQUOTA_SURPLUS - bump->refs);
}

static void expect_chunk(struct model *m, struct memquota_store *store,
			 struct memquota_chunk *chunk)
{
	EXPECT(m, chunk->store == store);
	EXPECT(m, chunk->class <= MEMQUOTA_ONE_SHOT);
	EXPECT(m, chunk->class == MEMQUOTA_ONE_SHOT ?
		  PAGE_ALIGNED(chunk->bytes) :
		  chunk->bytes == memquota_class_bytes(chunk->class));
	EXPECT(m, chunk->tail <= chunk->bytes - MEMQUOTA_CHUNK_HEADER);
}

/* Chunks in use: in the order of their age, their tails summed up. */
static void expect_in_use(struct model *m, struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	bool current_seen = false;
	u64 last_ns = 0, wasted = 0;

	list_for_each_entry(chunk, &store->in_use, node) {
		expect_chunk(m, store, chunk);
		current_seen |= chunk == store->current_chunk;
		wasted += chunk->tail;
		/* Who was moved to another CPU may come late there. */
		EXPECT(m, m->shared || chunk->since_ns >= last_ns);
		last_ns = chunk->since_ns;
	}
	EXPECT(m, wasted == store->wasted);
	EXPECT(m, current_seen || !store->current_chunk);
}

/* Cached chunks: none below the floor, the larger ones last. */
static void expect_cached(struct model *m, struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	bool larger = false;

	list_for_each_entry(chunk, &store->cache, node) {
		expect_chunk(m, store, chunk);
		EXPECT(m, chunk->class != MEMQUOTA_ONE_SHOT && !chunk->tail);
		EXPECT(m, chunk->class >= store->floor);
		EXPECT(m, !larger || chunk->class > store->floor);
		larger = chunk->class > store->floor;
	}
}

static void expect_integrity(struct model *m)
{
	struct memquota_arena_core *core = m->arena->core;
	struct memquota_store *store = &core->stores[roll(m, core->nr_stores)];
	struct llist_node *node;
	unsigned long flags;

	raw_spin_lock_irqsave(&store->lock, flags);
	EXPECT(m, store->floor < MEMQUOTA_CLASSES);
	EXPECT(m, store->mark < MEMQUOTA_CLASSES);
	expect_in_use(m, store);
	expect_cached(m, store);
	for (node = store->retired; node; node = node->next)
		EXPECT(m, refcount_read(&llist_entry(node, struct memquota_chunk,
						     back)->refs));
	if (!m->shared)
		expect_bump(m, store);
	raw_spin_unlock_irqrestore(&store->lock, flags);
}

static void rarely(struct model *m)
{
	struct memquota_arena_core *core = m->arena->core;
	int err;

	switch (roll(m, 8)) {
	case 0:
		memquota_store_trim(&core->stores[roll(m, core->nr_stores)]);
		break;
	case 1:
		if (m->shared)
			break;
		err = memquota_arena_preallocate(m->arena, roll(m, SZ_64K - 64));
		EXPECT(m, !err || (err == -EDQUOT && m->config.budget_bytes));
		break;
	case 2 ... 5:
		if (m->shared)
			break;
		forget_plain(m);
		memquota_arena_reset(m->arena);
		break;
	case 6:
		if (!m->shared && !roll(m, 5))
			remake(m);
		break;
	}
}

static void operate(struct model *m)
{
	struct object *o = any(m);
	u32 dice = roll(m, 256);
	long held;

	if (!dice)
		rarely(m);
	else if (m->market && dice < 16)
		swap_at_market(m, o);
	else if (!o->memory)
		allocate(m, o);
	else if (dice < 48)
		grow(m, o);
	else if (dice < 64)
		get(m, o);
	else
		put(m, o);
	held = atomic_long_read(&m->arena->core->held_bytes);
	EXPECT(m, held >= m->bytes);
	EXPECT(m, !m->config.budget_bytes || held <= m->config.budget_bytes);
	/* In a crowd it keeps others waiting, with interrupts off. */
	if (!m->market || dice % 16 == 0)
		expect_integrity(m);
}

/* Put all references. The order is that of addresses, or nearly any. */
static void put_everything(struct model *m)
{
	struct object *o;

	for (o = m->objects; o < m->objects + OBJECTS; o++)
		while (o->memory && o->refs)
			put(m, o);
}

static struct model *new_model(struct kunit *test, unsigned int seed,
			       struct memquota_account *account)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->config.gfp = GFP_KERNEL;
	m->config.flags = MEMQUOTA_ARENA_IN_ACCOUNT;
	m->config.account = account;
	m->tree = RB_ROOT;
	prandom_seed_state(&m->dice, seed);
	m->arena = kunit_kzalloc(test, sizeof(*m->arena), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->arena);
	return m;
}

static void expect_right(struct kunit *test, struct model *m)
{
	KUNIT_EXPECT_EQ_MSG(test, m->failures, 0, "first: %s", m->why);
}

static u64 held_by(struct model *m)
{
	return atomic_long_read(&m->arena->core->held_bytes);
}

/* Chunks of arenas that are gone, which only references keep. */
static u64 orphaned(struct model *m)
{
	struct memquota_chunk *last = NULL, *chunk;
	struct rb_node *node;
	u64 sum = 0;

	for (node = rb_first(&m->tree); node; node = rb_next(node)) {
		chunk = memquota_chunk_of(object_of(node)->memory);
		if (chunk != last && object_of(node)->home != m->home)
			sum += chunk->bytes;
		last = chunk;
	}
	return sum;
}

static void run_seed(struct kunit *test, unsigned int seed,
		     const struct memquota_arena_config *config)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct model *m = new_model(test, seed, new_account(test, t, NULL));
	unsigned int i;

	m->config.budget_bytes = config->budget_bytes;
	m->config.max_normal_alloc = config->max_normal_alloc;
	m->config.gfp |= config->gfp;
	KUNIT_ASSERT_EQ(test, 0, make(m));
	for (i = 1; i <= OPERATIONS && !m->failures; i++) {
		operate(m);
		if (i % 2000)
			continue;
		/* A core that nobody keeps may just be leaving. */
		ASSERT_SETTLES(test, exact_total(t) == orphaned(m) + held_by(m));
		KUNIT_ASSERT_EQ(test, held_by(m),
				memquota_held(memquota_arena_participant(m->arena)));
		cond_resched();
	}
	expect_right(test, m);
	KUNIT_EXPECT_EQ(test, !!m->refused, !!m->config.budget_bytes);
	forget_plain(m);
	memquota_arena_destroy(m->arena);
	put_everything(m);
	expect_right(test, m);
	EXPECT_SETTLES(test, exact_total(t) == 0);
}

static void run_alone(struct kunit *test,
		      const struct memquota_arena_config *config)
{
	unsigned int seed;

	for (seed = 1; seed <= SEEDS; seed++)
		run_seed(test, seed, config);
}

static void n2_model(struct kunit *test)
{
	run_alone(test, &(struct memquota_arena_config){});
}

static void n4_model_of_large_chunks(struct kunit *test)
{
	run_alone(test, &(struct memquota_arena_config){
		.max_normal_alloc = SIZE_MAX, .gfp = __GFP_ACCOUNT });
}

static void c2_model_of_one_shots(struct kunit *test)
{
	run_alone(test, &(struct memquota_arena_config){
		.max_normal_alloc = 100 });
}

static void c3_model_with_a_budget(struct kunit *test)
{
	run_alone(test, &(struct memquota_arena_config){
		.budget_bytes = SZ_256K + SZ_64K });
}

struct crowd {
	struct model *models[NR_CPUS];
	unsigned int operations;
};

static void operate_on_a_cpu(unsigned int cpu, void *arg)
{
	struct crowd *c = arg;
	struct model *m = c->models[cpu];
	unsigned int i;

	for (i = 0; i < c->operations && !m->failures; i++) {
		operate(m);
		if (!(i % 64))
			cond_resched();
	}
}

static struct crowd *new_crowd(struct kunit *test, unsigned int seed,
			       struct memquota_account *account)
{
	struct market *market = kunit_kzalloc(test, sizeof(*market), GFP_KERNEL);
	struct crowd *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int cpu;

	KUNIT_ASSERT_NOT_NULL(test, market);
	KUNIT_ASSERT_NOT_NULL(test, c);
	spin_lock_init(&market->lock);
	for_each_online_cpu(cpu) {
		c->models[cpu] = new_model(test, (seed << 16) + cpu, account);
		c->models[cpu]->market = market;
	}
	c->operations = OPERATIONS / num_online_cpus();
	return c;
}

static void end_crowd(struct kunit *test, struct crowd *c)
{
	struct model *m = NULL;
	unsigned int cpu, i;

	for_each_online_cpu(cpu) {
		m = c->models[cpu];
		put_everything(m);
		expect_right(test, m);
	}
	for (i = 0; i < MARKET; i++)
		while (m->market->objects[i].refs--)
			memquota_ref_put(m->market->objects[i].memory);
}

static void run_arenas(struct kunit *test, unsigned int seed)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct crowd *c = new_crowd(test, seed, new_account(test, t, NULL));
	unsigned int cpu;

	for_each_online_cpu(cpu)
		KUNIT_ASSERT_EQ(test, 0, make(c->models[cpu]));
	run_on_all_cpus(test, operate_on_a_cpu, c);
	for_each_online_cpu(cpu) {
		forget_plain(c->models[cpu]);
		memquota_arena_destroy(c->models[cpu]->arena);
	}
	end_crowd(test, c);
	EXPECT_SETTLES(test, exact_total(t) == 0);
}

/* An arena for each CPU; their references end up anywhere. */
static void n2_model_of_arenas_on_all_cpus(struct kunit *test)
{
	unsigned int seed;

	for (seed = 1; seed <= SEEDS; seed++)
		run_arenas(test, seed);
}

static void run_per_cpu(struct kunit *test, unsigned int seed)
{
	struct memquota_tracker *t = new_tracker(test, NULL);
	struct crowd *c = new_crowd(test, seed, new_account(test, t, NULL));
	struct model *first = c->models[cpumask_first(cpu_online_mask)];
	struct model *m;
	unsigned int cpu, round;

	first->config.flags |= MEMQUOTA_ARENA_PERCPU;
	KUNIT_ASSERT_EQ(test, 0, make(first));
	for_each_online_cpu(cpu) {
		m = c->models[cpu];
		m->arena = first->arena;
		m->home = first->home;
		m->shared = true;
	}
	c->operations /= ROUNDS;
	for (round = 0; round < ROUNDS; round++) {
		run_on_all_cpus(test, operate_on_a_cpu, c);
		for_each_online_cpu(cpu)
			forget_plain(c->models[cpu]);
		memquota_arena_reset(first->arena);
		KUNIT_EXPECT_EQ(test, exact_total(t),
				stats_of(first->arena).held_bytes);
	}
	memquota_arena_destroy(first->arena);
	end_crowd(test, c);
	EXPECT_SETTLES(test, exact_total(t) == 0);
}

/* One arena for all CPUs, reset between the rounds. */
static void n11_model_of_an_arena_per_cpu(struct kunit *test)
{
	unsigned int seed;

	for (seed = 1; seed <= SEEDS; seed++)
		run_per_cpu(test, seed);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(n2_model),
	KUNIT_CASE_SLOW(n4_model_of_large_chunks),
	KUNIT_CASE_SLOW(c2_model_of_one_shots),
	KUNIT_CASE_SLOW(c3_model_with_a_budget),
	KUNIT_CASE_SLOW(n2_model_of_arenas_on_all_cpus),
	KUNIT_CASE_SLOW(n11_model_of_an_arena_per_cpu),
	{}
};

MEMQUOTA_SUITE(memquota_arena_model, cases);
