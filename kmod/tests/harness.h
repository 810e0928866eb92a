/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share.
 *
 * Trackers, accounts, actors and arenas that a test takes from here are let go
 * when the test ends, the last one first, also if an assertion ends it. A
 * tracker that still counts must add up then, which is rule P6.
 *
 * Test functions are named after the rule that they cover.
 */
#ifndef _MEMQUOTA_TESTS_HARNESS_H
#define _MEMQUOTA_TESTS_HARNESS_H

#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/timekeeping.h>
#include <memquota/account.h>
#include <memquota/arena.h>
#include <memquota/participant.h>
#include <memquota/tracker.h>
#include "compat.h"

/* Most tests use a tracker with the limits of the two worked examples. */
#define HIGH		(20 * (u64)SZ_1M)
#define LOW_WATER	(15 * (u64)SZ_1M)

/* The largest allocation that a chunk of a size class can serve. */
#define LARGEST		(MEMQUOTA_CHUNK_MAX - MEMQUOTA_CHUNK_HEADER)

/* Of an actor, beside the flags of struct memquota_ops. */
#define SLEEPING	BIT(16)	/* has a sleeping callback */
#define UNTIMED		BIT(17)	/* has no oldest() */
#define TRIMS		BIT(18)	/* has trim() */

/* For actor.result: the test answers with memquota_reclaim_done(). */
#define ANSWERS_LATER	(-EINPROGRESS)

/**
 * struct actor - an adopter's object that holds memory
 * @p: its participant
 * @account: the account that it joined; the test's handle keeps it
 * @held: bytes that it holds by its own count
 * @arrival_ns: what oldest() returns
 * @per_call: bytes that one callback frees at most; 0 makes it always busy
 * @result: what a sleeping callback returns
 * @refuses_get: get() fails
 * @then: what a callback does after it has freed
 * @arg: for @then
 * @asked: number of calls of the reclaim callback
 * @looks: number of calls of oldest()
 * @trims: number of calls of trim()
 * @gets: number of successful calls of get()
 * @puts: number of calls of put()
 * @turn: its number, from 1, in the order in which actors were first asked
 * @request: the last request
 */
struct actor {
	struct memquota_participant p;
	struct memquota_account *account;
	atomic64_t held;
	u64 arrival_ns;
	u64 per_call;
	int result;
	bool refuses_get;
	void (*then)(struct actor *actor);
	void *arg;

	atomic_t asked;
	atomic_t looks;
	atomic_t trims;
	atomic_t gets;
	atomic_t puts;
	atomic_t turn;
	struct memquota_request request;

	/* private: */
	struct memquota_ops ops;
	struct list_head node;
};

int stage_init(struct kunit *test);

/* Each suite is one file. */
#define MEMQUOTA_SUITE(suite_name, cases)			\
	static struct kunit_suite suite_name##_suite = {	\
		.name = #suite_name,				\
		.init = stage_init,				\
		.test_cases = cases,				\
	};							\
	kunit_test_suite(suite_name##_suite)

void *zalloc_or_abort(struct kunit *test, size_t size);

/* Zeroed memory until the test ends. */
#define new_zeroed(test, type)	((type *)zalloc_or_abort(test, sizeof(type)))

struct memquota_tracker *new_tracker(struct kunit *test,
				     const struct memquota_limits *limits);
struct memquota_tracker *new_default_sized_tracker(struct kunit *test);
void destroy_tracker(struct kunit *test, struct memquota_tracker *t);
struct memquota_tracker *borrow_default_tracker(struct kunit *test);

struct memquota_account *new_account(struct kunit *test,
				     struct memquota_tracker *t,
				     struct memquota_account *parent);
struct memquota_account *closed_account(struct kunit *test,
					struct memquota_tracker *t);
void new_graph(struct kunit *test, struct memquota_tracker *t,
	       struct memquota_account **accounts, unsigned int nr);
void put_account(struct kunit *test, struct memquota_account *account);
bool is_closed(struct memquota_account *account);

struct actor *idle_actor(struct kunit *test, unsigned int flags);
struct actor *new_actor(struct kunit *test, struct memquota_account *account,
			unsigned int flags, unsigned int age);
struct actor *lone_actor(struct kunit *test, struct memquota_tracker *t,
			 unsigned int flags, unsigned int age);
int actor_join(struct actor *actor, struct memquota_account *account, gfp_t gfp);
void actor_charge(struct actor *actor, u64 bytes);
void actor_uncharge(struct actor *actor, u64 bytes);
u64 actor_free(struct actor *actor, u64 bytes);
unsigned int count_asks(struct actor *actor);
bool has_put_all(struct actor *actor);
void leave_other(struct actor *actor);
struct actor *press_total(struct kunit *test, struct memquota_tracker *t,
			  unsigned int flags, u64 bytes);

struct memquota_arena *new_arena(struct kunit *test,
				 struct memquota_account *account,
				 const struct memquota_arena_config *config);
struct memquota_arena *lone_arena(struct kunit *test,
				  struct memquota_tracker *t,
				  const struct memquota_arena_config *config);
struct memquota_arena *roomy_arena(struct kunit *test,
				   struct memquota_tracker *t);
void end_arena(struct kunit *test, struct memquota_arena *arena);
struct memquota_arena_stats stats_of(struct memquota_arena *arena);
u64 arena_held(struct memquota_arena *arena);
void *must_get(struct kunit *test, void *memory);
void *must_alloc(struct kunit *test, struct memquota_arena *arena, size_t size);
void *must_alloc_ref(struct kunit *test, struct memquota_arena *arena,
		     size_t size);
size_t arena_room_left(struct memquota_arena *arena);
void arena_use_up(struct kunit *test, struct memquota_arena *arena, bool ref);
void arena_trim(struct memquota_arena *arena);
size_t class_room(unsigned int class);
int chunk_refs(void *memory);
bool is_filled_with(const void *memory, unsigned char c, size_t size);
void expect_arena_held(struct kunit *test, struct memquota_tracker *t,
		       struct memquota_arena *arena, u64 bytes);

u64 read_total(struct memquota_tracker *t);
u64 exact_total(struct memquota_tracker *t);
u64 count_runs(struct memquota_tracker *t);
u64 cache_bound(struct memquota_tracker *t);
enum memquota_state tracker_state(struct memquota_tracker *t);
void set_limits(struct kunit *test, struct memquota_tracker *t,
		u64 max, u64 high, u64 low_water);
bool is_idle(struct memquota_tracker *t);

/* Wait, for ten seconds at most, until the condition holds. */
#define settled(condition)						\
({									\
	unsigned long settle_end = jiffies + 10 * HZ;			\
	bool settle_done;						\
									\
	while (!(settle_done = (condition)) &&				\
	       time_before(jiffies, settle_end))			\
		usleep_range(200, 1000);				\
	settle_done || (condition);					\
})

#define EXPECT_SETTLES(test, condition)					\
	KUNIT_EXPECT_TRUE_MSG(test, settled(condition), "in ten seconds")
#define ASSERT_SETTLES(test, condition)					\
	KUNIT_ASSERT_TRUE_MSG(test, settled(condition), "in ten seconds")

/* An error that a function returns as a pointer. */
#define EXPECT_PTR_ERR(test, ptr, err)					\
	KUNIT_EXPECT_EQ(test, PTR_ERR(ptr), err)

/* Wait until the tracker's worker has nothing left to do. */
#define settle(test, t)		ASSERT_SETTLES(test, is_idle(t))

/* Reclaim until low_water, and wait for its end. */
#define settle_below(test, t, bytes)					\
do {									\
	EXPECT_SETTLES(test, read_total(t) <= (bytes));			\
	settle(test, t);						\
} while (0)

/*
 * A callback that stays inside until the test lets it go, for ten seconds at
 * most. For actor.then, with a struct gate in actor.arg, of sleeping actors.
 */
struct gate {
	bool inside;
	bool open;
};

void wait_at_gate(struct actor *actor);
void spin_until_set(struct actor *actor);

/* Run @fn in a thread bound to each CPU; they begin together. */
void run_on_all_cpus(struct kunit *test, void (*fn)(unsigned int cpu, void *arg),
		     void *arg);
void run_on_cpu(struct kunit *test, unsigned int cpu,
		void (*fn)(unsigned int cpu, void *arg), void *arg);
void need_cpus(struct kunit *test, unsigned int nr);
unsigned int share_of(unsigned int rounds);

/* A thread that runs beside the test. */
struct runner {
	struct task_struct *task;
	void (*fn)(struct runner *runner);
	void *arg;
	int result;
	bool ended;
};

void runner_start(struct kunit *test, struct runner *runner,
		  void (*fn)(struct runner *runner), void *arg);
void runner_start_on(struct kunit *test, unsigned int cpu,
		     struct runner *runner,
		     void (*fn)(struct runner *runner), void *arg);
void runner_join(struct kunit *test, struct runner *runner);

static inline bool runner_ended(struct runner *runner)
{
	/* Pairs with the release in runner_main(). */
	return smp_load_acquire(&runner->ended);
}

/*
 * Turn interrupts off for what allocates with GFP_ATOMIC. PREEMPT_RT does not
 * allow that: there only bottom halves are off.
 */
static inline void begin_atomic(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		local_bh_disable();
	else
		local_irq_disable();
}

static inline void end_atomic(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		local_bh_enable();
	else
		local_irq_enable();
}

/*
 * Let the @nth allocation that may not sleep fail, counted from here, of this
 * thread and without effect on kernels that lack fault injection.
 */
static inline void start_failing(unsigned int nth)
{
#ifdef CONFIG_FAULT_INJECTION
	current->fail_nth = nth;
#endif
}

/* Return whether it was reached. */
static inline bool stop_failing(void)
{
#ifdef CONFIG_FAULT_INJECTION
	unsigned int left = current->fail_nth;

	current->fail_nth = 0;
	return !left;
#else
	return false;
#endif
}

static inline void need_failing_pages(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_FAIL_PAGE_ALLOC))
		kunit_skip(test, "no fault injection");
}

/* Parameter "splat": run the tests that make a worker warn, too. */
extern bool memquota_splat;

#endif /* _MEMQUOTA_TESTS_HARNESS_H */
