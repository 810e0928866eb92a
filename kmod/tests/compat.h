/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests use of newer kernels, for older ones. */
#ifndef _MEMQUOTA_TESTS_COMPAT_H
#define _MEMQUOTA_TESTS_COMPAT_H

#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/hrtimer.h>
#include <linux/slab.h>
#include <linux/version.h>

/* 6.5: deferred actions. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
typedef void (kunit_action_t)(void *);

#define KUNIT_DEFINE_ACTION_WRAPPER(wrapper, fn, type)			\
static void wrapper(void *ctx)						\
{									\
	fn((type)ctx);							\
}

struct kunit_compat_action {
	kunit_action_t *fn;	/* NULL: removed */
	void *ctx;
};

static inline void kunit_compat_action_free(struct kunit_resource *res)
{
	struct kunit_compat_action *action = res->data;

	if (action->fn)
		action->fn(action->ctx);
	kfree(action);
}

static inline bool kunit_compat_action_match(struct kunit *test,
					     struct kunit_resource *res,
					     void *match_data)
{
	const struct kunit_compat_action *action = res->data, *wanted = match_data;

	return res->free == kunit_compat_action_free &&
	       action->fn == wanted->fn && action->ctx == wanted->ctx;
}

static inline int kunit_add_action(struct kunit *test, kunit_action_t *fn,
				   void *ctx)
{
	struct kunit_compat_action *action;

	action = kmalloc(sizeof(*action), GFP_KERNEL);
	if (!action)
		return -ENOMEM;
	action->fn = fn;
	action->ctx = ctx;
	if (kunit_alloc_resource(test, NULL, kunit_compat_action_free,
				 GFP_KERNEL, action))
		return 0;
	kfree(action);
	return -ENOMEM;
}

static inline int kunit_add_action_or_reset(struct kunit *test,
					    kunit_action_t *fn, void *ctx)
{
	int err = kunit_add_action(test, fn, ctx);

	if (err)
		fn(ctx);
	return err;
}

static inline void kunit_compat_end_action(struct kunit *test,
					   kunit_action_t *fn, void *ctx,
					   bool call)
{
	struct kunit_compat_action wanted = { .fn = fn, .ctx = ctx }, *action;
	struct kunit_resource *res;

	res = kunit_find_resource(test, kunit_compat_action_match, &wanted);
	if (!res)
		return;
	action = res->data;
	if (!call)
		action->fn = NULL;
	kunit_remove_resource(test, res);
	kunit_put_resource(res);
}

static inline void kunit_remove_action(struct kunit *test, kunit_action_t *fn,
				       void *ctx)
{
	kunit_compat_end_action(test, fn, ctx, false);
}

static inline void kunit_release_action(struct kunit *test, kunit_action_t *fn,
					void *ctx)
{
	kunit_compat_end_action(test, fn, ctx, true);
}
#endif

/* 6.7: cases that are slow. */
#ifndef KUNIT_CASE_SLOW
#define KUNIT_CASE_SLOW(test_name)	KUNIT_CASE(test_name)
#endif

/* 6.13: a timer and its function at once. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*fn)(struct hrtimer *timer),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}

static inline void hrtimer_setup_on_stack(struct hrtimer *timer,
					  enum hrtimer_restart (*fn)(struct hrtimer *timer),
					  clockid_t clock,
					  enum hrtimer_mode mode)
{
	hrtimer_init_on_stack(timer, clock, mode);
	timer->function = fn;
}
#endif

/* A kernel that cannot suppress a warning that a test provokes. */
#ifdef kunit_warning_suppress
#define needs_warnings(test)	((void)(test))
#else
#define needs_warnings(test)	kunit_skip(test, "this kernel's KUnit cannot expect warnings")
#define kunit_warning_suppress(test)	for (bool once = (test); once; once = false)
#define KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, n)	do { (void)(test); (void)(n); } while (0)
#define KUNIT_SUPPRESSED_WARNING_COUNT()	1
#endif

#endif /* _MEMQUOTA_TESTS_COMPAT_H */
