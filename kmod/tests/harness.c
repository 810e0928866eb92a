// SPDX-License-Identifier: GPL-2.0
/* What the tests share: see harness.h. */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/slab.h>
#include "../core/audit.h"
#include "../memory/arena_core.h"
#include "../memory/chunk.h"
#include "harness.h"
#include "internals.h"

MEMQUOTA_IMPORT_INTERNAL;
MODULE_DESCRIPTION("Tests of memquota");
MODULE_LICENSE("GPL");

bool memquota_splat;
module_param_named(splat, memquota_splat, bool, 0444);
MODULE_PARM_DESC(splat, "run the tests that make the kernel warn, too");

static atomic_t turns;
static atomic_t names;
static u64 beginning;	/* of the test; ages count from here */
static struct kunit *current_test;	/* tests run one at a time */

/* Free the actors. Their callbacks may be read until memquota_barrier(). */
static void free_actors(void *data)
{
	struct list_head *actors = data;
	struct actor *actor, *next;

	memquota_barrier();
	list_for_each_entry_safe(actor, next, actors, node)
		kfree(actor);
	kfree(actors);
}

/* Actors leave by actions of their own, before this first one. */
int stage_init(struct kunit *test)
{
	struct list_head *actors = kmalloc(sizeof(*actors), GFP_KERNEL);

	if (!actors)
		return -ENOMEM;
	INIT_LIST_HEAD(actors);
	test->priv = actors;
	atomic_set(&turns, 0);
	beginning = ktime_get_coarse_ns();
	current_test = test;
	return kunit_add_action_or_reset(test, free_actors, actors);
}

static void release_later(struct kunit *test, kunit_action_t *release,
			  void *ctx)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, release, ctx), 0);
}

void *zalloc_or_abort(struct kunit *test, size_t size)
{
	void *memory = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	return memory;
}

enum memquota_state tracker_state(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return usage.state;
}

static bool tracker_adds_up(struct memquota_tracker *t)
{
	u64 sum, all;

	memquota_tracker_drain(t);
	return memquota_audit(t, &sum, &all) && sum == all;
}

static void release_tracker(void *data)
{
	struct memquota_tracker *t = data;

	/* The participant of an arena that has ended may just be leaving. */
	if (tracker_state(t) == MEMQUOTA_COUNTING)
		EXPECT_SETTLES(current_test, tracker_adds_up(t));
	memquota_tracker_destroy(t);
}

struct memquota_tracker *new_tracker(struct kunit *test,
				     const struct memquota_limits *limits)
{
	struct memquota_tracker *t;
	char name[MEMQUOTA_NAME_SIZE];

	snprintf(name, sizeof(name), "kunit-%d", atomic_inc_return(&names));
	t = memquota_tracker_create(name, limits, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
	release_later(test, release_tracker, t);
	return t;
}

struct memquota_tracker *new_default_sized_tracker(struct kunit *test)
{
	return new_tracker(test, &(struct memquota_limits){
		.high = HIGH, .low_water = LOW_WATER });
}

void destroy_tracker(struct kunit *test, struct memquota_tracker *t)
{
	kunit_remove_action(test, release_tracker, t);
	memquota_tracker_destroy(t);
}

static void lift_limits(struct memquota_tracker *t)
{
	memquota_tracker_configure(t, &(struct memquota_limits){}, 0, NULL);
}

KUNIT_DEFINE_ACTION_WRAPPER(release_default_tracker, lift_limits,
			    struct memquota_tracker *);

/* Its limits are lifted when the test ends. */
struct memquota_tracker *borrow_default_tracker(struct kunit *test)
{
	struct memquota_tracker *t = memquota_default_tracker();

	KUNIT_ASSERT_NOT_NULL(test, t);
	release_later(test, release_default_tracker, t);
	return t;
}

KUNIT_DEFINE_ACTION_WRAPPER(release_account, memquota_account_put,
			    struct memquota_account *);

struct memquota_account *new_account(struct kunit *test,
				     struct memquota_tracker *t,
				     struct memquota_account *parent)
{
	struct memquota_account *a;

	a = memquota_account_create(t, parent, GFP_KERNEL, "account-%d",
				    atomic_inc_return(&names));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	release_later(test, release_account, a);
	return a;
}

/* Accounts, each of them below all that are older. */
void new_graph(struct kunit *test, struct memquota_tracker *t,
	       struct memquota_account **accounts, unsigned int nr)
{
	unsigned int i, j;
	int err;

	for (i = 0; i < nr; i++) {
		accounts[i] = new_account(test, t, i ? accounts[i - 1] : NULL);
		for (j = 0; j + 1 < i; j++) {
			err = memquota_account_add_parent(accounts[i],
							  accounts[j]);
			KUNIT_ASSERT_EQ(test, err, 0);
		}
	}
}

void put_account(struct kunit *test, struct memquota_account *account)
{
	kunit_release_action(test, release_account, account);
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

/* Free and uncharge @bytes at most; return how many were freed. */
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

static void actor_note_request(struct actor *actor,
			       const struct memquota_request *request)
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

	actor_note_request(actor, request);
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

bool has_put_all(struct actor *actor)
{
	return atomic_read(&actor->gets) == atomic_read(&actor->puts);
}

static void release_actor(void *data)
{
	struct actor *actor = data;

	memquota_leave(&actor->p);
	/* Without an answer, put() would be called only when it is given up. */
	if (actor->result == ANSWERS_LATER && count_asks(actor))
		memquota_reclaim_done(READ_ONCE(actor->request.id), 0);
	EXPECT_SETTLES(current_test, has_put_all(actor));
}

/* An actor that has not joined yet. */
struct actor *idle_actor(struct kunit *test, unsigned int flags)
{
	struct actor *actor = kzalloc(sizeof(*actor), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, actor);
	list_add(&actor->node, test->priv);
	actor->per_call = U64_MAX;
	actor->ops.owner = THIS_MODULE;
	actor->ops.flags = flags & (MEMQUOTA_COLLAPSING | MEMQUOTA_INACTIVE |
				    MEMQUOTA_COLLAPSE_UNDER_PRESSURE);
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
	release_later(test, release_actor, actor);
	return actor;
}

int actor_join(struct actor *actor, struct memquota_account *account, gfp_t gfp)
{
	return memquota_join_account(&actor->p, account, &actor->ops, gfp,
				     "actor");
}

/*
 * An actor that has joined the account, with data of that age, in
 * microseconds. Tests use the order of ages: a virtual machine may not have
 * been up for the 20 s of an example yet.
 */
struct actor *new_actor(struct kunit *test, struct memquota_account *account,
			unsigned int flags, unsigned int age)
{
	struct actor *actor = idle_actor(test, flags);

	actor->account = account;
	actor->arrival_ns = beginning - age * (u64)NSEC_PER_USEC;
	KUNIT_ASSERT_EQ(test,
			memquota_join_account(&actor->p, account, &actor->ops,
					      GFP_KERNEL, "actor-%u", age),
			0);
	return actor;
}

/* An actor with an account of its own. */
struct actor *lone_actor(struct kunit *test, struct memquota_tracker *t,
			 unsigned int flags, unsigned int age)
{
	return new_actor(test, new_account(test, t, NULL), flags, age);
}

/*
 * Charge first: another CPU may free what is in @held. An interrupt starts
 * reclaim, so keep that off until the bytes are there.
 */
void actor_charge(struct actor *actor, u64 bytes)
{
	unsigned long flags;

	local_irq_save(flags);
	memquota_charge(&actor->p, bytes);
	atomic64_add(bytes, &actor->held);
	local_irq_restore(flags);
}

void actor_uncharge(struct actor *actor, u64 bytes)
{
	atomic64_sub(bytes, &actor->held);
	memquota_uncharge(&actor->p, bytes);
}

unsigned int count_asks(struct actor *actor)
{
	return atomic_read(&actor->asked);
}

/* For actor.then: leave with the actor in actor.arg, once. */
void leave_other(struct actor *actor)
{
	struct actor *other = xchg(&actor->arg, NULL);

	if (other)
		memquota_leave(&other->p);
}

/* Charge as the youngest of all: reclaim asks other actors first. */
struct actor *press_total(struct kunit *test, struct memquota_tracker *t,
			  unsigned int flags, u64 bytes)
{
	struct actor *presser = lone_actor(test, t, flags, 0);

	presser->arrival_ns = S64_MAX;
	actor_charge(presser, bytes);
	return presser;
}

/* For actor.then of sleeping actors. */
void wait_at_gate(struct actor *actor)
{
	struct gate *gate = actor->arg;

	WRITE_ONCE(gate->inside, true);
	settled(READ_ONCE(gate->open));
}

static void destroy_arena(struct memquota_arena *arena)
{
	memquota_arena_destroy(arena);
	kfree(arena);
}

KUNIT_DEFINE_ACTION_WRAPPER(release_arena, destroy_arena,
			    struct memquota_arena *);

/* An arena in the account; without @config, all is as by default. */
struct memquota_arena *new_arena(struct kunit *test,
				 struct memquota_account *account,
				 const struct memquota_arena_config *config)
{
	struct memquota_arena_config filled = {};
	struct memquota_arena *arena;
	int err;

	if (config)
		filled = *config;
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
	release_later(test, release_arena, arena);
	return arena;
}

/* An arena with an account of the tracker's to itself. */
struct memquota_arena *lone_arena(struct kunit *test,
				  struct memquota_tracker *t,
				  const struct memquota_arena_config *config)
{
	return new_arena(test, new_account(test, t, NULL), config);
}

/* An arena without one-shots, but for what no chunk can serve. */
struct memquota_arena *roomy_arena(struct kunit *test,
				   struct memquota_tracker *t)
{
	return lone_arena(test, t, &(struct memquota_arena_config){
		.max_normal_alloc = LARGEST });
}

/* Destroy an arena before the test ends. */
void end_arena(struct kunit *test, struct memquota_arena *arena)
{
	kunit_release_action(test, release_arena, arena);
}

struct memquota_arena_stats stats_of(struct memquota_arena *arena)
{
	struct memquota_arena_stats stats;

	memquota_arena_stats(arena, &stats);
	return stats;
}

u64 arena_held(struct memquota_arena *arena)
{
	return stats_of(arena).held_bytes;
}

/* Pass on what an allocation returned; it must have succeeded. */
void *must_get(struct kunit *test, void *memory)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memory);
	KUNIT_ASSERT_PTR_NE(test, memory, ZERO_SIZE_PTR);
	return memory;
}

void *must_alloc(struct kunit *test, struct memquota_arena *arena, size_t size)
{
	return must_get(test, memquota_arena_alloc(arena, size, 1));
}

void *must_alloc_ref(struct kunit *test, struct memquota_arena *arena,
		     size_t size)
{
	return must_get(test, memquota_arena_alloc_ref(arena, size, 1));
}

/* What is left of the current chunk. */
size_t arena_room_left(struct memquota_arena *arena)
{
	return arena->bump.limit - arena->bump.cursor;
}

/* Allocate the rest of the current chunk: the next allocation needs another. */
void arena_use_up(struct kunit *test, struct memquota_arena *arena, bool ref)
{
	size_t left = arena_room_left(arena);

	if (left)
		must_get(test, __memquota_arena_alloc(arena, left, 1, ref));
}

/* Free all that an arena with one store has cached. */
void arena_trim(struct memquota_arena *arena)
{
	while (memquota_store_trim(arena->core->stores))
		;
}

/* The size of an allocation that fills a chunk of the class. */
size_t class_room(unsigned int class)
{
	return memquota_class_bytes(class) - MEMQUOTA_CHUNK_HEADER;
}

int chunk_refs(void *memory)
{
	return refcount_read(&memquota_chunk_of(memory)->refs);
}

bool is_filled_with(const void *memory, unsigned char c, size_t size)
{
	return !memchr_inv(memory, c, size);
}

/* The arena and its account agree to the byte. */
void expect_arena_held(struct kunit *test, struct memquota_tracker *t,
		       struct memquota_arena *arena, u64 bytes)
{
	KUNIT_EXPECT_EQ(test, arena_held(arena), bytes);
	KUNIT_EXPECT_EQ(test, exact_total(t), bytes);
}

u64 read_total(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return usage.total;
}

/*
 * The total without what the caches hold. The participant of an arena that has
 * ended leaves with its last chunk, which a store may still keep.
 */
u64 exact_total(struct memquota_tracker *t)
{
	memquota_stores_flush();
	memquota_tracker_drain(t);
	return read_total(t);
}

u64 count_runs(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return usage.reclaims;
}

/* Rule T3: by how much the total may be above the sum of what is held. */
u64 cache_bound(struct memquota_tracker *t)
{
	struct memquota_usage usage;

	memquota_tracker_usage(t, &usage);
	return min_t(u64, num_possible_cpus() * (u64)SZ_64K,
		     usage.limits.low_water / 8);
}

void set_limits(struct kunit *test, struct memquota_tracker *t,
		u64 max, u64 high, u64 low_water)
{
	struct memquota_limits limits = {
		.max = max, .high = high, .low_water = low_water };

	KUNIT_ASSERT_EQ(test, memquota_tracker_configure(t, &limits, 0, NULL),
			0);
}

/* For actor.then of atomic actors: stay inside until *@arg is set. */
void spin_until_set(struct actor *actor)
{
	unsigned long end = jiffies + 5 * HZ;
	bool *set = actor->arg;

	while (!READ_ONCE(*set) && time_before(jiffies, end))
		cpu_relax();
}

bool is_idle(struct memquota_tracker *t)
{
	return tracker_is_idle(t);
}

struct bound_thread {
	unsigned int cpu;
	void (*fn)(unsigned int cpu, void *arg);
	void *arg;
	struct completion *go;
	struct completion done;
};

static int bound_thread_main(void *data)
{
	struct bound_thread *b = data;

	if (b->go)
		wait_for_completion(b->go);
	b->fn(b->cpu, b->arg);
	complete(&b->done);
	return 0;
}

static void bound_thread_start(struct kunit *test, struct bound_thread *b)
{
	struct task_struct *task;

	init_completion(&b->done);
	task = kthread_create(bound_thread_main, b, "memquota-test/%u", b->cpu);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, b->cpu);
	wake_up_process(task);
}

void run_on_all_cpus(struct kunit *test,
		     void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	struct bound_thread *threads;
	struct completion go;
	unsigned int cpu;

	/* Not on the stack: an assertion may abort the test. */
	threads = kunit_kcalloc(test, nr_cpu_ids, sizeof(*threads), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, threads);
	init_completion(&go);
	for_each_online_cpu(cpu) {
		threads[cpu] = (struct bound_thread){
			.cpu = cpu, .fn = fn, .arg = arg, .go = &go };
		bound_thread_start(test, &threads[cpu]);
	}
	complete_all(&go);
	for_each_online_cpu(cpu)
		wait_for_completion(&threads[cpu].done);
}

void run_on_cpu(struct kunit *test, unsigned int cpu,
		void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	struct bound_thread b = { .cpu = cpu, .fn = fn, .arg = arg };

	bound_thread_start(test, &b);
	wait_for_completion(&b.done);
}

/*
 * What each CPU does of the @rounds that each of four would do. More CPUs share
 * these: if the host has fewer, each handover of a lock waits for its scheduler.
 */
unsigned int share_of(unsigned int rounds)
{
	return rounds * 4 / max(num_online_cpus(), 4U);
}

/* Skip the test on a machine with fewer CPUs. */
void need_cpus(struct kunit *test, unsigned int nr)
{
	if (num_online_cpus() < nr)
		kunit_skip(test, "needs %u CPUs", nr);
}

static int runner_main(void *data)
{
	struct runner *runner = data;

	runner->fn(runner);
	/* Pairs with runner_ended(), so that the test sees its result. */
	smp_store_release(&runner->ended, true);
	/* kthread_stop() needs a thread that has not exited. */
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		flush_signals(current);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void runner_create(struct kunit *test, struct runner *runner,
			  void (*fn)(struct runner *runner), void *arg)
{
	runner->fn = fn;
	runner->arg = arg;
	runner->ended = false;
	runner->task = kthread_create(runner_main, runner, "memquota-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, runner->task);
}

void runner_start(struct kunit *test, struct runner *runner,
		  void (*fn)(struct runner *runner), void *arg)
{
	runner_create(test, runner, fn, arg);
	wake_up_process(runner->task);
}

void runner_start_on(struct kunit *test, unsigned int cpu,
		     struct runner *runner,
		     void (*fn)(struct runner *runner), void *arg)
{
	runner_create(test, runner, fn, arg);
	kthread_bind(runner->task, cpu);
	wake_up_process(runner->task);
}

void runner_join(struct kunit *test, struct runner *runner)
{
	EXPECT_SETTLES(test, runner_ended(runner));
	kthread_stop(runner->task);
}
