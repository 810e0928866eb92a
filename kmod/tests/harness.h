/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share. A test has a stage: trackers, accounts, actors and
 * arenas that it takes from here are let go, in that order backwards, when it
 * ends, however it ends; and every tracker that still counts must add up then
 * (rule P6).
 *
 * Test functions are named after the rule that they cover.
 */
#ifndef _MEMQUOTA_TESTS_HARNESS_H
#define _MEMQUOTA_TESTS_HARNESS_H

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sizes.h>
#include <linux/timekeeping.h>
#include <memquota/account.h>
#include <memquota/arena.h>
#include <memquota/participant.h>
#include <memquota/tracker.h>

/* Most tests use a tracker with the limits of the two worked examples. */
#define HIGH		(20 * (u64)SZ_1M)
#define LOW_WATER	(15 * (u64)SZ_1M)

/* What actors are, beyond MEMQUOTA_COLLAPSING and MEMQUOTA_INACTIVE. */
#define SLEEPING	BIT(16)	/* has a sleeping callback */
#define UNTIMED		BIT(17)	/* does not say how old its data is */
#define TRIMS		BIT(18)	/* can trim */

/* Of actor.result: the callback returns -EINPROGRESS, the test answers. */
#define ANSWERS_LATER	(-EINPROGRESS)

/**
 * struct actor - a stranger's object that holds memory
 * @p: its participant
 * @account: a handle of the stage's
 * @held: what it holds, as it counts itself
 * @arrival_ns: what it says of its oldest data
 * @per_call: the most that it frees when asked; 0: always busy
 * @result: what a sleeping callback returns
 * @refuses_get: get() fails
 * @then: what its callback does beyond freeing
 * @arg: for @then
 * @asked: how often its callback was called
 * @looks: how often oldest() was called
 * @trims: how often trim() was called
 * @gets: how often get() succeeded
 * @puts: how often put() was called
 * @turn: place in the order in which actors were first asked; from 1
 * @request: what it was asked for last
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
void stage_exit(struct kunit *test);

/* Each suite is one file. */
#define MEMQUOTA_SUITE(suite_name, cases)			\
	static struct kunit_suite suite_name##_suite = {	\
		.name = #suite_name,				\
		.init = stage_init,				\
		.exit = stage_exit,				\
		.test_cases = cases,				\
	};							\
	kunit_test_suite(suite_name##_suite)

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
void put_account(struct kunit *test, struct memquota_account *account);
bool is_closed(struct memquota_account *account);

struct actor *idle_actor(struct kunit *test, unsigned int flags);
struct actor *new_actor(struct kunit *test, struct memquota_account *account,
			unsigned int flags, unsigned int age);
struct actor *lone_actor(struct kunit *test, struct memquota_tracker *t,
			 unsigned int flags, unsigned int age);
void actor_charge(struct actor *actor, u64 bytes);
void actor_uncharge(struct actor *actor, u64 bytes);
u64 actor_free(struct actor *actor, u64 bytes);
unsigned int asked(struct actor *actor);

struct memquota_arena *new_arena(struct kunit *test,
				 struct memquota_account *account,
				 const struct memquota_arena_config *config);
struct memquota_arena *lone_arena(struct kunit *test,
				  struct memquota_tracker *t,
				  const struct memquota_arena_config *config);
void end_arena(struct kunit *test, struct memquota_arena *arena);
struct memquota_arena_stats stats_of(struct memquota_arena *arena);
void *got(struct kunit *test, void *memory);

u64 total(struct memquota_tracker *t);
u64 exact_total(struct memquota_tracker *t);
u64 runs(struct memquota_tracker *t);
u64 cache_bound(struct memquota_tracker *t);
void configure(struct kunit *test, struct memquota_tracker *t,
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

/* The tracker's kthread has nothing to do any more. */
#define settle(test, t)		ASSERT_SETTLES(test, is_idle(t))

/* Threads, one on each CPU, that begin together. */
void run_on_all_cpus(struct kunit *test, void (*fn)(unsigned int cpu, void *arg),
		     void *arg);
void run_on_cpu(struct kunit *test, unsigned int cpu,
		void (*fn)(unsigned int cpu, void *arg), void *arg);

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
void runner_join(struct kunit *test, struct runner *runner);

static inline bool runner_ended(struct runner *runner)
{
	/* Pairs with the end of the thread. */
	return smp_load_acquire(&runner->ended);
}

/* Warnings that a test provokes; older kernels cannot hold them back. */
#ifdef kunit_warning_suppress
#define needs_warnings(test)	((void)(test))
#else
#define needs_warnings(test)	kunit_skip(test, "this kernel's KUnit cannot expect warnings")
#define kunit_warning_suppress(test)	for (bool once = (test); once; once = false)
#define KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, n)	do { (void)(test); (void)(n); } while (0)
#define KUNIT_SUPPRESSED_WARNING_COUNT()	1
#endif

/* The tests are loaded for those that make a kthread warn. */
extern bool memquota_splat;

#endif /* _MEMQUOTA_TESTS_HARNESS_H */
