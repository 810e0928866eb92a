// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas against a plain model: rules C3, C4, C8, C9, N1, N2, N4 to N7 and N11
 * under random operations. The model is a set of live objects, ordered by
 * address, each with its size and pattern.
 */
#include <linux/prandom.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "harness.h"

/* PREEMPT_RT is run with lockdep in an emulator. */
#define OPERATIONS	(IS_ENABLED(CONFIG_PREEMPT_RT) ? 5000 : 100000)
#define SEEDS		4
#define OBJECTS		400
#define MARKET		64
#define ROUNDS		5

/**
 * struct object - a live allocation, or none
 * @node: in model->tree
 * @memory: its address; NULL if there is no object
 * @size: its bytes
 * @align: its alignment
 * @home: number of its arena, never used twice
 * @refs: references to it
 * @plain: lives until the arena is reset, with or without references
 * @pattern: the byte that fills it
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

/* Where models exchange references. */
struct market {
	spinlock_t lock;	/* protects the rest */
	struct object objects[MARKET];
};

/**
 * struct model - what the user of an arena expects
 * @config: of each arena that it makes
 * @arena: the arena that it allocates from
 * @shared: @arena is per CPU, and other models use it, too
 * @home: the number of @arena
 * @market: NULL if it exchanges nothing
 * @dice: source of its decisions
 * @tree: objects by address
 * @objects: live ones and room for more
 * @bytes: sum of the sizes of objects from @arena
 * @refused: number of refused allocations
 * @failures: number of conditions that did not hold
 * @why: the first of them
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

static void model_note_failure(struct model *m, bool holds,
			       const char *condition)
{
	if (!holds && !m->failures++)
		m->why = condition;
}

#define EXPECT(m, condition)	model_note_failure(m, condition, #condition)

static u32 model_roll(struct model *m, u32 sides)
{
	return prandom_u32_state(&m->dice) % sides;
}

/* Fill both ends and a byte per KiB: the tree finds overlaps. */
static void object_paint(struct object *o)
{
	size_t ends = min_t(size_t, o->size, 16), at;

	memset(o->memory, o->pattern, ends);
	memset(o->memory + o->size - ends, o->pattern, ends);
	for (at = 0; at < o->size; at += 1021)
		o->memory[at] = o->pattern;
}

static bool object_is_intact(const struct object *o)
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

static void model_insert(struct model *m, struct object *o)
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

static void model_erase(struct model *m, struct object *o)
{
	EXPECT(m, object_is_intact(o));
	rb_erase(&o->node, &m->tree);
	if (o->home == m->home)
		m->bytes -= o->size;
}

static struct object *model_pick_object(struct model *m)
{
	return &m->objects[model_roll(m, OBJECTS)];
}

static size_t model_pick_size(struct model *m)
{
	switch (model_roll(m, 64)) {
	case 0:
		return SZ_16K - 70 + model_roll(m, 140);	/* the threshold */
	case 1:
		return model_roll(m, SZ_64K);
	case 2:
		return SZ_64K + model_roll(m, SZ_128K);
	case 3 ... 8:
		return model_roll(m, 5000);
	default:
		return model_roll(m, 300);
	}
}

static size_t model_pick_align(struct model *m)
{
	return 1UL << (model_roll(m, 50) ? model_roll(m, 7) : model_roll(m, 16));
}

static void *model_allocate_memory(struct model *m, size_t size, size_t align,
				   bool ref)
{
	if (!m->shared)
		return ref ? memquota_arena_alloc_ref(m->arena, size, align) :
			     memquota_arena_alloc(m->arena, size, align);
	return ref ? memquota_arena_alloc_ref_percpu(m->arena, size, align) :
		     memquota_arena_alloc_percpu(m->arena, size, align);
}

/* Return whether there is memory; else the budget must be the reason. */
static bool is_got(struct model *m, const void *memory)
{
	if (!IS_ERR(memory))
		return true;
	EXPECT(m, PTR_ERR(memory) == -EDQUOT && m->config.budget_bytes);
	m->refused++;
	return false;
}

static void model_allocate(struct model *m, struct object *o)
{
	struct object new = {
		.size = model_pick_size(m),
		.align = model_pick_align(m),
		.home = m->home,
		.plain = model_roll(m, 3) == 0,
		.pattern = model_roll(m, 256),
	};

	new.refs = !new.plain;
	new.memory = model_allocate_memory(m, new.size, new.align, !new.plain);
	if (!new.size) {
		EXPECT(m, (void *)new.memory == ZERO_SIZE_PTR);
		return;
	}
	if (!is_got(m, new.memory))
		return;
	EXPECT(m, IS_ALIGNED((unsigned long)new.memory, new.align));
	*o = new;
	object_paint(o);
	model_insert(m, o);
}

static void model_put(struct model *m, struct object *o)
{
	if (!o->refs)
		return;
	if (o->refs > 1 || o->plain) {
		EXPECT(m, object_is_intact(o));
		o->refs--;
		memquota_ref_put(o->memory);
		return;
	}
	model_erase(m, o);
	/* The next object here must not match by chance. */
	o->memory[0] = ~o->pattern;
	memquota_ref_put(o->memory + model_roll(m, o->size));
	o->memory = NULL;
}

static void model_get(struct model *m, struct object *o)
{
	/* Only the user of its arena may call it for plain memory. */
	memquota_ref_get(o->memory + model_roll(m, o->size));
	o->refs++;
}

static void model_grow(struct model *m, struct object *o)
{
	size_t size = model_roll(m, 4) ? o->size + model_roll(m, 100) : model_pick_size(m);
	void *memory;

	if (o->home != m->home || o->refs != !o->plain)
		return;
	model_erase(m, o);
	memory = o->plain ? memquota_arena_realloc(m->arena, o->memory, o->size,
						   size, o->align) :
			    memquota_arena_realloc_ref(m->arena, o->memory,
						       o->size, size, o->align);
	if (is_got(m, memory)) {
		EXPECT(m, IS_ALIGNED((unsigned long)memory, o->align));
		o->memory = memory;
		if (size > o->size) {
			EXPECT(m, !memchr_inv(memory, o->pattern,
					      min_t(size_t, o->size, 16)));
			o->size = size;
		}
	}
	object_paint(o);
	model_insert(m, o);
}

/* Forget plain objects, but those that have references, too. */
static void forget_plain(struct model *m)
{
	struct object *o;

	for (o = m->objects; o < m->objects + OBJECTS; o++) {
		if (!o->memory || !o->plain)
			continue;
		o->plain = false;
		if (o->refs) {
			EXPECT(m, object_is_intact(o));
		} else {
			model_erase(m, o);
			o->memory = NULL;
		}
	}
}

static int model_create_arena(struct model *m)
{
	m->home = atomic64_inc_return(&homes);
	m->bytes = 0;
	return memquota_arena_init(m->arena, &m->config, "model");
}

/* Replace the arena; objects with references survive it. */
static void model_replace_arena(struct model *m)
{
	forget_plain(m);
	memquota_arena_destroy(m->arena);
	EXPECT(m, !model_create_arena(m));
}

static void swap_at_market(struct model *m, struct object *o)
{
	struct object *other = &m->market->objects[model_roll(m, MARKET)];

	/* Plain memory must not leave its arena. */
	if (o->memory && o->plain)
		return;
	if (o->memory)
		model_erase(m, o);
	spin_lock(&m->market->lock);
	swap(*o, *other);
	spin_unlock(&m->market->lock);
	if (o->memory)
		model_insert(m, o);
}

/* Only the caller allocates or resets, but other threads put references. */
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

/* Chunks in use stand in the order of age, and their tails add up. */
static void expect_in_use(struct model *m, struct memquota_store *store)
{
	struct memquota_chunk *chunk;
	bool current_seen = false;
	u64 last_ns = 0, wasted = 0;

	list_for_each_entry(chunk, &store->in_use, node) {
		expect_chunk(m, store, chunk);
		current_seen |= chunk == store->current_chunk;
		wasted += chunk->tail;
		/* A thread that was migrated may add an older chunk. */
		EXPECT(m, m->shared || chunk->since_ns >= last_ns);
		last_ns = chunk->since_ns;
	}
	EXPECT(m, wasted == store->wasted);
	EXPECT(m, current_seen || !store->current_chunk);
}

/* No cached chunk is below the floor, and larger ones come last. */
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
	struct memquota_store *store =
		&core->stores[model_roll(m, core->nr_stores)];
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

static void model_do_rare(struct model *m)
{
	struct memquota_arena_core *core = m->arena->core;
	int err;

	switch (model_roll(m, 8)) {
	case 0:
		memquota_store_trim(&core->stores[model_roll(m, core->nr_stores)]);
		break;
	case 1:
		if (m->shared)
			break;
		err = memquota_arena_preallocate(m->arena,
						 model_roll(m, SZ_64K - 64));
		EXPECT(m, !err || (err == -EDQUOT && m->config.budget_bytes));
		break;
	case 2 ... 5:
		if (m->shared)
			break;
		forget_plain(m);
		memquota_arena_reset(m->arena);
		break;
	case 6:
		if (!m->shared && !model_roll(m, 5))
			model_replace_arena(m);
		break;
	}
}

static void model_operate(struct model *m)
{
	struct object *o = model_pick_object(m);
	u32 dice = model_roll(m, 256);
	long held;

	if (!dice)
		model_do_rare(m);
	else if (m->market && dice < 16)
		swap_at_market(m, o);
	else if (!o->memory)
		model_allocate(m, o);
	else if (dice < 48)
		model_grow(m, o);
	else if (dice < 64)
		model_get(m, o);
	else
		model_put(m, o);
	held = atomic_long_read(&m->arena->core->held_bytes);
	EXPECT(m, held >= m->bytes);
	EXPECT(m, !m->config.budget_bytes || held <= m->config.budget_bytes);
	/* The check has interrupts off, so other CPUs wait for its lock. */
	if (!m->market || dice % 16 == 0)
		expect_integrity(m);
}

/* Put all references, in no particular order. */
static void put_everything(struct model *m)
{
	struct object *o;

	for (o = m->objects; o < m->objects + OBJECTS; o++)
		while (o->memory && o->refs)
			model_put(m, o);
}

static struct model *new_model(struct kunit *test, unsigned int seed,
			       struct memquota_account *account)
{
	struct model *m = new_zeroed(test, struct model);

	m->config.gfp = GFP_KERNEL;
	m->config.flags = MEMQUOTA_ARENA_IN_ACCOUNT;
	m->config.account = account;
	m->tree = RB_ROOT;
	prandom_seed_state(&m->dice, seed);
	m->arena = new_zeroed(test, struct memquota_arena);
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

/* Sum up the chunks of destroyed arenas, kept by references alone. */
static u64 model_orphaned_bytes(struct model *m)
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
	KUNIT_ASSERT_EQ(test, model_create_arena(m), 0);
	for (i = 1; i <= OPERATIONS && !m->failures; i++) {
		model_operate(m);
		if (i % 2000)
			continue;
		/* The core of a destroyed arena may just be leaving. */
		ASSERT_SETTLES(test, exact_total(t) == model_orphaned_bytes(m) +
							       held_by(m));
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
		model_operate(m);
		if (!(i % 64))
			cond_resched();
	}
}

static struct crowd *new_crowd(struct kunit *test, unsigned int seed,
			       struct memquota_account *account)
{
	struct market *market = new_zeroed(test, struct market);
	struct crowd *c = new_zeroed(test, struct crowd);
	unsigned int cpu;

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
		KUNIT_ASSERT_EQ(test, model_create_arena(c->models[cpu]), 0);
	run_on_all_cpus(test, operate_on_a_cpu, c);
	for_each_online_cpu(cpu) {
		forget_plain(c->models[cpu]);
		memquota_arena_destroy(c->models[cpu]->arena);
	}
	end_crowd(test, c);
	EXPECT_SETTLES(test, exact_total(t) == 0);
}

/* An arena for each CPU; any CPU puts their references. */
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
	KUNIT_ASSERT_EQ(test, model_create_arena(first), 0);
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
