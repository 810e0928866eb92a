// SPDX-License-Identifier: GPL-2.0
/*
 * Tests that make the kernel warn and need that it does. They run in a boot of
 * their own and are skipped in all others.
 */
#include <linux/panic.h>
#include <trace/events/printk.h>
#include "anywhere.h"
#include "harness.h"
#include "internals.h"

static void only_if_wanted(struct kunit *test)
{
	if (!memquota_splat)
		kunit_skip(test, "in a boot of its own");
}

/* The total is above what all participants hold, and none can be asked. */
static void r9_a_total_that_is_too_high_poisons(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	tracker_corrupt_total(t, 2 * HIGH);
	actor_charge(actor, SZ_1M);
	EXPECT_SETTLES(test, tracker_state(t) == MEMQUOTA_POISONED);
	EXPECT_SETTLES(test, memquota_try_charge(&actor->p, 1, GFP_KERNEL) ==
			     -ENOTRECOVERABLE);
}

static void charge_from_here(struct actor *actor)
{
	memquota_charge(&actor->p, 1);
	memquota_uncharge(&actor->p, 1);
}

static void p10_charging_from_a_callback_is_reported(struct kunit *test)
{
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	if (!IS_ENABLED(CONFIG_MEMQUOTA_DEBUG))
		kunit_skip(test, "only debug builds look");
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	actor->then = charge_from_here;
	actor_charge(actor, HIGH + SZ_1M);
	settle_below(test, t, LOW_WATER);
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
}

/* As an object has that is cloned from one that has joined. */
static void p8_leaving_with_a_copy_is_refused(struct kunit *test)
{
	struct memquota_participant copy;
	struct memquota_tracker *t;
	struct actor *actor;

	only_if_wanted(test);
	t = new_default_sized_tracker(test);
	actor = lone_actor(test, t, 0, 1);
	actor_charge(actor, SZ_1M);
	copy = actor->p;
	memquota_leave(&copy);
	KUNIT_EXPECT_EQ(test, memquota_participant_error(&copy), -ESTALE);
	KUNIT_EXPECT_EQ(test, exact_total(t), SZ_1M);
	KUNIT_EXPECT_EQ(test, memquota_held(&actor->p), SZ_1M);
}

/* Counts reports of a kind. */
struct reports {
	const char *text;
	atomic_t seen;
};

static void reports_look(void *arg, const char *text, size_t len)
{
	struct reports *reports = arg;

	if (strnstr(text, reports->text, len))
		atomic_inc(&reports->seen);
}

static unsigned int count_reports(struct kunit *test, const char *text,
				  void (*fn)(void *arg), void *arg)
{
	struct reports *reports = new_zeroed(test, struct reports);

	reports->text = text;
	KUNIT_ASSERT_EQ(test, register_trace_console(reports_look, reports), 0);
	fn(arg);
	unregister_trace_console(reports_look, reports);
	tracepoint_synchronize_unregister();
	return atomic_read(&reports->seen);
}

/* What a call that may sleep needs. */
struct caller {
	struct memquota_tracker *t;
	struct actor *actor;
	struct actor *fresh;
	void (*call)(struct caller *caller);
};

static void add_parent(struct caller *caller)
{
	memquota_account_add_parent(NULL, NULL);
}

static void drain(struct caller *caller)
{
	memquota_tracker_drain(caller->t);
}

static void configure(struct caller *caller)
{
	const struct memquota_limits none = {};

	memquota_tracker_configure(caller->t, &none, MEMQUOTA_CHECK_ONLY, NULL);
}

/* The name is invalid, so that nothing that sleeps follows. */
static void create_tracker(struct caller *caller)
{
	memquota_tracker_create("", NULL, 0);
}

static void destroy_no_tracker(struct caller *caller)
{
	memquota_tracker_destroy(NULL);
}

static void try_charge_wait(struct caller *caller)
{
	if (!memquota_try_charge_wait(&caller->actor->p, 1, 1))
		memquota_uncharge(&caller->actor->p, 1);
}

/* The slot serves it. */
static void try_charge(struct caller *caller)
{
	if (!memquota_try_charge(&caller->actor->p, 1, GFP_KERNEL))
		memquota_uncharge(&caller->actor->p, 1);
}

static void create_disabled_account(struct caller *caller)
{
	memquota_account_create(NULL, NULL, GFP_KERNEL, "none");
}

static void join_disabled_account(struct caller *caller)
{
	memquota_join_account(&caller->fresh->p, NULL, &caller->fresh->ops,
			      GFP_KERNEL, "none");
	memquota_leave(&caller->fresh->p);
}

static void join_private(struct caller *caller)
{
	memquota_join_private(&caller->fresh->p, &caller->fresh->ops, GFP_KERNEL,
			      "private");
	memquota_leave(&caller->fresh->p);
}

static void call_with_preemption_off(void *arg)
{
	struct caller *caller = arg;

	preempt_disable();
	caller->call(caller);
	preempt_enable();
}

static void call_here(void *arg)
{
	struct caller *caller = arg;

	caller->call(caller);
}

#define SLEEPS	"BUG: sleeping function called from invalid context"

static void expect_may_sleep(struct kunit *test, struct caller *caller,
			     const char *name, void (*call)(struct caller *caller))
{
	caller->call = call;
	/* The kernel reports it once in a second. */
	msleep(1100);
	KUNIT_EXPECT_EQ_MSG(test,
			    count_reports(test, SLEEPS, call_with_preemption_off,
					  caller), 1, "%s", name);
	KUNIT_EXPECT_EQ_MSG(test,
			    count_reports(test, SLEEPS, call_here, caller), 0,
			    "%s", name);
}

static struct caller *new_caller(struct kunit *test)
{
	struct caller *caller = new_zeroed(test, struct caller);

	if (!IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		kunit_skip(test, "the kernel does not look");
	caller->t = new_default_sized_tracker(test);
	caller->actor = lone_actor(test, caller->t, 0, 1);
	caller->fresh = idle_actor(test, 0);
	memquota_charge(&caller->actor->p, SZ_64K);
	return caller;
}

/* They say so at once, not only when they do sleep. */
static void x3_what_may_sleep_is_reported_in_atomic_context(struct kunit *test)
{
	struct caller *caller;

	only_if_wanted(test);
	caller = new_caller(test);
	expect_may_sleep(test, caller, "add_parent", add_parent);
	expect_may_sleep(test, caller, "drain", drain);
	expect_may_sleep(test, caller, "configure", configure);
	expect_may_sleep(test, caller, "create", create_tracker);
	expect_may_sleep(test, caller, "destroy", destroy_no_tracker);
	expect_may_sleep(test, caller, "try_charge_wait", try_charge_wait);
}

static void x2_gfp_flags_that_block_are_reported_in_atomic_context(struct kunit *test)
{
	struct caller *caller;

	only_if_wanted(test);
	caller = new_caller(test);
	expect_may_sleep(test, caller, "try_charge", try_charge);
	expect_may_sleep(test, caller, "create", create_disabled_account);
	expect_may_sleep(test, caller, "join_account", join_disabled_account);
	expect_may_sleep(test, caller, "join_private", join_private);
}

static void leave_in_irq(void *arg)
{
	struct caller *caller = arg;

	memquota_leave(&caller->actor->p);
}

struct errand {
	struct kunit *test;
	struct caller *caller;
};

static void run_leave_in_irq(void *arg)
{
	struct errand *errand = arg;

	run_in_context(errand->test, IN_IRQ_WORK, leave_in_irq, errand->caller);
}

static void x2_leaving_in_a_hard_interrupt_is_reported(struct kunit *test)
{
	struct errand errand = { .test = test };

	only_if_wanted(test);
	errand.caller = new_caller(test);
	KUNIT_EXPECT_EQ(test,
			count_reports(test, "callback in a hard interrupt",
				      run_leave_in_irq, &errand), 1);
}

static struct kunit_case cases[] = {
	/* First, so that the kernel has not warned yet. */
	KUNIT_CASE(p10_charging_from_a_callback_is_reported),
	KUNIT_CASE(p8_leaving_with_a_copy_is_refused),
	KUNIT_CASE(x2_leaving_in_a_hard_interrupt_is_reported),
	KUNIT_CASE_SLOW(x2_gfp_flags_that_block_are_reported_in_atomic_context),
	KUNIT_CASE_SLOW(x3_what_may_sleep_is_reported_in_atomic_context),
	KUNIT_CASE_SLOW(r9_a_total_that_is_too_high_poisons),
	{}
};

MEMQUOTA_SUITE(memquota_splat, cases);
