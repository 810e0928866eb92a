// SPDX-License-Identifier: GPL-2.0
/* What the tests share: see harness.h. */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/slab.h>
#include "../core/audit.h"
#include "../core/core.h"
#include "../memory/arena_core.h"
#include "harness.h"

MEMQUOTA_IMPORT_INTERNAL;
MODULE_DESCRIPTION("Tests of memquota");
MODULE_LICENSE("GPL");

bool memquota_splat;
module_param_named(splat, memquota_splat, bool, 0444);
MODULE_PARM_DESC(splat, "run the tests that make the kernel warn, too");

struct stage {
	struct list_head trackers;
	struct list_head accounts;
	struct list_head actors;
	struct list_head arenas;
	bool borrowed;
};

struct prop {
	struct list_head node;
	void *thing;
};

static atomic_t turns;
static u64 beginning;	/* of the test; ages count from here */
static atomic_t names;

int stage_init(struct kunit *test)
{
	struct stage *stage = kzalloc(sizeof(*stage), GFP_KERNEL);

	if (!stage)
		return -ENOMEM;
	INIT_LIST_HEAD(&stage->trackers);
	INIT_LIST_HEAD(&stage->accounts);
	INIT_LIST_HEAD(&stage->actors);
	INIT_LIST_HEAD(&stage->arenas);
	atomic_set(&turns, 0);
	beginning = ktime_get_coarse_ns();
	test->priv = stage;
	return 0;
}

static void keep(struct kunit *test, struct list_head *list, void *thing)
{
	struct prop *prop = kzalloc(sizeof(*prop), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, prop);
	prop->thing = thing;
	list_add(&prop->node, list);
}

static bool forget(struct list_head *list, void *thing)
{
	struct prop *prop;

	list_for_each_entry(prop, list, node) {
		if (prop->thing == thing) {
			list_del(&prop->node);
			kfree(prop);
			return true;
		}
	}
	return false;
}

static void check_sums(struct kunit *test, struct memquota_tracker *t)
{
	struct memquota_usage usage;
	u64 sum, all;

	memquota_tracker_usage(t, &usage);
	if (usage.state != MEMQUOTA_COUNTING)
		return;
	memquota_tracker_drain(t);
	KUNIT_EXPECT_TRUE(test, memquota_audit(t, &sum, &all));
	KUNIT_EXPECT_EQ(test, sum, all);
}

void stage_exit(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct actor *actor, *next_actor;
	struct prop *prop, *next;

	if (!stage)
		return;
	list_for_each_entry_safe(prop, next, &stage->arenas, node) {
		memquota_arena_destroy(prop->thing);
		kfree(prop->thing);
		kfree(prop);
	}
	list_for_each_entry(prop, &stage->trackers, node)
		check_sums(test, prop->thing);
	list_for_each_entry(actor, &stage->actors, node)
		memquota_leave(&actor->p);
	/* Late answers, so that nothing is held for ever. */
	list_for_each_entry(actor, &stage->actors, node)
		if (actor->result == ANSWERS_LATER &&
		    atomic_read(&actor->asked))
			memquota_reclaim_done(READ_ONCE(actor->request.id), 0);
	list_for_each_entry_safe(prop, next, &stage->accounts, node) {
		memquota_account_put(prop->thing);
		kfree(prop);
	}
	list_for_each_entry(actor, &stage->actors, node)
		EXPECT_SETTLES(test, atomic_read(&actor->gets) ==
				     atomic_read(&actor->puts));
	if (stage->borrowed)
		memquota_tracker_configure(memquota_default_tracker(),
					   &(struct memquota_limits){}, 0, NULL);
	list_for_each_entry_safe(prop, next, &stage->trackers, node) {
		memquota_tracker_destroy(prop->thing);
		kfree(prop);
	}
	memquota_barrier();
	list_for_each_entry_safe(actor, next_actor, &stage->actors, node)
		kfree(actor);
	kfree(stage);
	test->priv = NULL;
}

struct memquota_tracker *new_tracker(struct kunit *test,
				     const struct memquota_limits *limits)
{
	struct stage *stage = test->priv;
	struct memquota_tracker *t;
	char name[MEMQUOTA_NAME_SIZE];

	snprintf(name, sizeof(name), "kunit-%d", atomic_inc_return(&names));
	t = memquota_tracker_create(name, limits, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
	keep(test, &stage->trackers, t);
	return t;
}

struct memquota_tracker *new_default_sized_tracker(struct kunit *test)
{
	return new_tracker(test, &(struct memquota_limits){
		.high = HIGH, .low_water = LOW_WATER });
}

void destroy_tracker(struct kunit *test, struct memquota_tracker *t)
{
	struct stage *stage = test->priv;

	KUNIT_ASSERT_TRUE(test, forget(&stage->trackers, t));
	memquota_tracker_destroy(t);
}

/* Its limits are lifted again when the test ends. */
struct memquota_tracker *borrow_default_tracker(struct kunit *test)
{
	struct stage *stage = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, memquota_default_tracker());
	stage->borrowed = true;
	return memquota_default_tracker();
}

struct memquota_account *new_account(struct kunit *test,
				     struct memquota_tracker *t,
				     struct memquota_account *parent)
{
	struct stage *stage = test->priv;
	struct memquota_account *a;

	a = memquota_account_create(t, parent, GFP_KERNEL, "account-%d",
				    atomic_inc_return(&names));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	keep(test, &stage->accounts, a);
	return a;
}

void put_account(struct kunit *test, struct memquota_account *account)
{
	struct stage *stage = test->priv;

	KUNIT_ASSERT_TRUE(test, forget(&stage->accounts, account));
	memquota_account_put(account);
}

bool is_closed(struct memquota_account *account)
{
	struct memquota_account_usage usage;

	memquota_account_usage(account, &usage);
	return usage.closed;
}

/* A handle of an account that reclaim has closed. The tracker has limits. */
struct memquota_account *closed_account(struct kunit *test,
					struct memquota_tracker *t)
{
	struct actor *victim = lone_actor(test, t, MEMQUOTA_COLLAPSING, 1000);
	struct memquota_usage usage;

	WRITE_ONCE(victim->arrival_ns, 1);
	memquota_tracker_usage(t, &usage);
	actor_charge(victim, usage.limits.high + 1);
	ASSERT_SETTLES(test, is_closed(victim->account));
	settle(test, t);
	return victim->account;
}

static struct actor *actor_of(struct memquota_participant *p)
{
	return container_of(p, struct actor, p);
}

static u64 actor_oldest(struct memquota_participant *p)
{
	struct actor *actor = actor_of(p);

	atomic_inc(&actor->looks);
	return READ_ONCE(actor->arrival_ns);
}

/* Free up to so much, as reclaim asks or as the owner likes. */
u64 actor_free(struct actor *actor, u64 bytes)
{
	s64 held = atomic64_read(&actor->held);
	u64 freed;

	do {
		freed = min_t(u64, held, bytes);
	} while (!atomic64_try_cmpxchg(&actor->held, &held, held - freed));
	memquota_uncharge(&actor->p, freed);
	return freed;
}

static void note(struct actor *actor, const struct memquota_request *request)
{
	WRITE_ONCE(actor->request.id, request->id);
	WRITE_ONCE(actor->request.want_bytes, request->want_bytes);
	WRITE_ONCE(actor->request.until_ns, request->until_ns);
	atomic_cmpxchg(&actor->turn, 0, atomic_inc_return(&turns));
	atomic_inc(&actor->asked);
}

static void actor_reclaim(struct memquota_participant *p,
			  const struct memquota_request *request)
{
	struct actor *actor = actor_of(p);
	void (*then)(struct actor *actor) = READ_ONCE(actor->then);

	note(actor, request);
	actor_free(actor, min(READ_ONCE(actor->per_call), request->want_bytes));
	if (then)
		then(actor);
}

static int actor_reclaim_sleeping(struct memquota_participant *p,
				  const struct memquota_request *request)
{
	struct actor *actor = actor_of(p);

	might_sleep();
	actor_reclaim(p, request);
	return READ_ONCE(actor->result);
}

static bool actor_get(struct memquota_participant *p)
{
	struct actor *actor = actor_of(p);

	if (READ_ONCE(actor->refuses_get))
		return false;
	atomic_inc(&actor->gets);
	return true;
}

static void actor_put(struct memquota_participant *p)
{
	struct actor *actor = actor_of(p);

	might_sleep();
	atomic_inc(&actor->puts);
}

static bool actor_trim(struct memquota_participant *p)
{
	struct actor *actor = actor_of(p);
	void (*then)(struct actor *actor) = READ_ONCE(actor->then);

	atomic_inc(&actor->trims);
	if (then)
		then(actor);
	return false;
}

/* An actor that has not joined yet. */
struct actor *idle_actor(struct kunit *test, unsigned int flags)
{
	struct stage *stage = test->priv;
	struct actor *actor = kzalloc(sizeof(*actor), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, actor);
	actor->per_call = U64_MAX;
	actor->ops.owner = THIS_MODULE;
	actor->ops.flags = flags & (MEMQUOTA_COLLAPSING | MEMQUOTA_INACTIVE);
	if (flags & SLEEPING) {
		actor->ops.reclaim_sleeping = actor_reclaim_sleeping;
		actor->ops.get = actor_get;
		actor->ops.put = actor_put;
	} else {
		actor->ops.reclaim = actor_reclaim;
	}
	if (!(flags & UNTIMED))
		actor->ops.oldest = actor_oldest;
	if (flags & TRIMS)
		actor->ops.trim = actor_trim;
	list_add(&actor->node, &stage->actors);
	return actor;
}

/*
 * An actor that has joined the account, with data of that age. The unit is
 * whatever one likes: the order is what counts, and a virtual machine may not
 * be up for the 20 s of an example yet.
 */
struct actor *new_actor(struct kunit *test, struct memquota_account *account,
			unsigned int flags, unsigned int age)
{
	struct actor *actor = idle_actor(test, flags);

	actor->account = account;
	actor->arrival_ns = beginning - age * (u64)NSEC_PER_USEC;
	KUNIT_ASSERT_EQ(test, 0,
			memquota_join_account(&actor->p, account, &actor->ops,
					      GFP_KERNEL, "actor-%u", age));
	return actor;
}

/* An actor with an account of its own. */
struct actor *lone_actor(struct kunit *test, struct memquota_tracker *t,
			 unsigned int flags, unsigned int age)
{
	return new_actor(test, new_account(test, t, NULL), flags, age);
}

void actor_charge(struct actor *actor, u64 bytes)
{
	/* In this order: what it holds, another CPU may free. */
	memquota_charge(&actor->p, bytes);
	atomic64_add(bytes, &actor->held);
}

void actor_uncharge(struct actor *actor, u64 bytes)
{
	atomic64_sub(bytes, &actor->held);
	memquota_uncharge(&actor->p, bytes);
}

unsigned int asked(struct actor *actor)
{
	return atomic_read(&actor->asked);
}

/* An arena in the account; GFP_KERNEL unless it says otherwise. */
struct memquota_arena *new_arena(struct kunit *test,
				 struct memquota_account *account,
				 const struct memquota_arena_config *config)
{
	struct memquota_arena_config filled = *config;
	struct stage *stage = test->priv;
	struct memquota_arena *arena;
	int err;

	if (!filled.gfp)
		filled.gfp = GFP_KERNEL;
	filled.flags |= MEMQUOTA_ARENA_IN_ACCOUNT;
	filled.account = account;
	arena = kzalloc(sizeof(*arena), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena);
	err = memquota_arena_init(arena, &filled, "arena-%d",
				  atomic_inc_return(&names));
	if (err)
		kfree(arena);
	KUNIT_ASSERT_EQ(test, err, 0);
	keep(test, &stage->arenas, arena);
	return arena;
}

/* An arena with an account of the tracker's to itself. */
struct memquota_arena *lone_arena(struct kunit *test,
				  struct memquota_tracker *t,
				  const struct memquota_arena_config *config)
{
	return new_arena(test, new_account(test, t, NULL), config);
}

/* Destroy an arena before the test ends. */
void end_arena(struct kunit *test, struct memquota_arena *arena)
{
	struct stage *stage = test->priv;

	KUNIT_ASSERT_TRUE(test, forget(&stage->arenas, arena));
	memquota_arena_destroy(arena);
	kfree(arena);
}

struct memquota_arena_stats stats_of(struct memquota_arena *arena)
{
	struct memquota_arena_stats stats;

	memquota_arena_stats(arena, &stats);
	return stats;
}

/* What was allocated, which must have succeeded. */
void *got(struct kunit *test, void *memory)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memory);
	KUNIT_ASSERT_PTR_NE(test, memory, ZERO_SIZE_PTR);
	return memory;
}

u64 total(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return usage.total;
}

/* With the last chunk of an arena that is gone, its participant leaves. */
u64 exact_total(struct memquota_tracker *t)
{
	memquota_stores_flush();
	memquota_tracker_drain(t);
	return total(t);
}

u64 runs(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return usage.reclaims;
}

/* By how much the total may be above the sum (T3). */
u64 cache_bound(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return min_t(u64, num_possible_cpus() * (u64)SZ_64K,
		     usage.limits.low_water / 8);
}

void configure(struct kunit *test, struct memquota_tracker *t,
	       u64 max, u64 high, u64 low_water)
{
	struct memquota_limits limits = {
		.max = max, .high = high, .low_water = low_water };

	KUNIT_ASSERT_EQ(test, 0,
			memquota_tracker_configure(t, &limits, 0, NULL));
}

bool is_idle(struct memquota_tracker *t)
{
	return !irq_work_is_busy(&t->irq_work) && !READ_ONCE(t->reclaim.awake) &&
	       memquota_tracker_total(t) <= READ_ONCE(t->high) &&
	       !atomic64_read(&t->reclaim.refused_bytes) && !atomic64_read(&t->reclaim.pressure_bytes) &&
	       !READ_ONCE(t->requests.nr_pending);
}

struct bound_thread {
	unsigned int cpu;
	void (*fn)(unsigned int cpu, void *arg);
	void *arg;
	struct completion *go;
	struct completion done;
};

static int run_bound(void *data)
{
	struct bound_thread *b = data;

	if (b->go)
		wait_for_completion(b->go);
	b->fn(b->cpu, b->arg);
	complete(&b->done);
	return 0;
}

static void start_bound(struct kunit *test, struct bound_thread *b)
{
	struct task_struct *task;

	init_completion(&b->done);
	task = kthread_create(run_bound, b, "memquota-test/%u", b->cpu);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, b->cpu);
	wake_up_process(task);
}

void run_on_all_cpus(struct kunit *test, void (*fn)(unsigned int cpu, void *arg),
		     void *arg)
{
	struct bound_thread *threads;
	struct completion go;
	unsigned int cpu;

	/* Not the stack of a test that may be aborted. */
	threads = kunit_kcalloc(test, nr_cpu_ids, sizeof(*threads), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, threads);
	init_completion(&go);
	for_each_online_cpu(cpu) {
		threads[cpu] = (struct bound_thread){
			.cpu = cpu, .fn = fn, .arg = arg, .go = &go };
		start_bound(test, &threads[cpu]);
	}
	complete_all(&go);
	for_each_online_cpu(cpu)
		wait_for_completion(&threads[cpu].done);
}

void run_on_cpu(struct kunit *test, unsigned int cpu,
		void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	struct bound_thread b = { .cpu = cpu, .fn = fn, .arg = arg };

	start_bound(test, &b);
	wait_for_completion(&b.done);
}

static int run_runner(void *data)
{
	struct runner *runner = data;

	runner->fn(runner);
	/* Pairs with runner_ended(): its result is seen. */
	smp_store_release(&runner->ended, true);
	/* kthread_stop() wants it alive. */
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		flush_signals(current);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void runner_stop(void *data)
{
	struct runner *runner = data;

	if (runner->task)
		kthread_stop(runner->task);
	runner->task = NULL;
}

void runner_start(struct kunit *test, struct runner *runner,
		  void (*fn)(struct runner *runner), void *arg)
{
	runner->fn = fn;
	runner->arg = arg;
	runner->ended = false;
	runner->task = kthread_create(run_runner, runner, "memquota-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, runner->task);
	wake_up_process(runner->task);
}

void runner_join(struct kunit *test, struct runner *runner)
{
	KUNIT_EXPECT_TRUE(test, settled(runner_ended(runner)));
	runner_stop(runner);
}
