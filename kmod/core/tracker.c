// SPDX-License-Identifier: GPL-2.0
/*
 * Trackers: creating, configuring, destroying.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "history.h"
#include "total.h"
#include "trace.h"
#include "tracker.h"

/**
 * DOC: Ending a tracker
 *
 * memquota_tracker_destroy(), in this order:
 *
 * 1. The state becomes MEMQUOTA_GONE. An account or a record is published under
 *    home->lock after a look at the state: that fails, or step 4 finds the
 *    account.
 * 2. The notifier tells debug/, which removes the tracker's files and waits for
 *    their readers. For that reason these need no reference.
 * 3. The shrinker no longer finds the tracker, the worker ends, and all requests
 *    expire. A kick that read the state before step 1 may queue the worker once
 *    more; it does nothing.
 * 4. All accounts are closed, by id, which wakes the tasks that wait.
 * 5. memquota_drain_each() interrupts every CPU, also those that seem to hold
 *    nothing: a charge that read the state before step 1 runs with interrupts
 *    off, and would leave a slot behind that no drain visits.
 * 6. The tracker leaves the hotplug state. memquota_cpu_cache_remove() waits
 *    for a CPU that is going offline, so cpu_is_dead() has drained a CPU that
 *    step 5 did not reach.
 * 7. The reaper goes on. The account or descriptor
 *    that drops the last reference frees the tracker, by a work item.
 *
 * Open descriptors, and modules with participants or trackers of their own,
 * keep memquota loaded. When it is unloaded, memquota_trackers_exit() ends the
 * default tracker, and then waits for what can still drop a record or an
 * account, in the order in which one leads to the next:
 *
 * 1. memquota_barrier_all(): requests, also those to participants of programs,
 *    which hold no module.
 * 2. synchronize_rcu(): pending interrupts, of watches for example, which come
 *    before their CPU is quiescent.
 * 3. flush_workqueue(): the work items that both have queued.
 * 4. rcu_barrier(): records, whose freeing drops accounts.
 * 5. rcu_barrier() again: accounts, whose freeing drops trackers.
 * 6. memquota_tracker_unref(): private accounts, which are freed by now, hold
 *    no reference to the default tracker. rcu_barrier() again: trackers, which
 *    the shrinker may look at.
 * 7. destroy_workqueue(): the work items that free trackers, and wait for
 *    their workers.
 */

BLOCKING_NOTIFIER_HEAD(memquota_tracker_notifier);

static LIST_HEAD(trackers);		/* trackers_lock */
static DEFINE_MUTEX(trackers_lock);
static u64 last_id;			/* trackers_lock */

static void tracker_free(struct work_struct *work)
{
	struct memquota_tracker *t = container_of(to_rcu_work(work),
						  struct memquota_tracker,
						  free);

	irq_work_sync(&t->irq_work);
	irq_work_sync(&t->watch.irq_work);
	cancel_delayed_work_sync(&t->reclaim.work);
	cancel_work_sync(&t->reaper);
	cancel_work_sync(&t->divide);
	cancel_work_sync(&t->waitq.work);
	cancel_work_sync(&t->watch.work);
	memquota_lanes_free(t);
	memquota_history_free(&t->history);
	free_percpu(t->shares);
	kfree(t);
}

/*
 * Wake the reaper, tasks that wait, and reclaim. A charge, an uncharge and a
 * close queue this work, because their caller may hold any lock, that of the run
 * queue included. On PREEMPT_RT it is called in hard interrupts as well: in a
 * thread, it would wait for a real-time task that keeps the CPU. All that it
 * calls takes raw locks only.
 */
static void tracker_wake(struct irq_work *work)
{
	struct memquota_tracker *t = container_of(work, struct memquota_tracker,
						  irq_work);

	if (READ_ONCE(t->has_closed))
		queue_work(memquota_wq, &t->reaper);
	if (READ_ONCE(t->caches_divide))
		queue_work(memquota_wq, &t->divide);
	memquota_caches_retry_resize(t);
	memquota_wake_waiters(t);
	memquota_reclaim_wake(t);
}

static void tracker_reap(struct work_struct *work)
{
	struct memquota_tracker *t = container_of(work, struct memquota_tracker,
						  reaper);
	struct memquota_accounts *home;

	/* Pairs with the release in account_remove_closed_locked(). */
	while (xchg(&t->has_closed, false))
		for (home = &t->accounts; home; home = memquota_home_next(t, home))
			while (!memquota_accounts_reap_many(home, UINT_MAX))
				;
}

/* The least low_water, and the least high of which three quarters are as much. */
#define LOW_WATER_MIN		(10 * MEMQUOTA_CACHE_MAX)
#define HIGH_MIN		DIV_ROUND_UP(LOW_WATER_MIN * 4, 3)

/*
 * Derive the limits that are not set. Return what is wrong with them as a whole
 * (rule T2), or NULL. Programs get 63 characters of it.
 */
static const char *limits_derive(struct memquota_limits *l)
{
	bool high_is_set = l->high;

	/* The messages and the documentation have these numbers. */
	static_assert(LOW_WATER_MIN == 163840);
	static_assert(HIGH_MIN == 218454);

	if (!l->max)
		l->max = MEMQUOTA_UNLIMITED;
	if (!l->high)
		l->high = l->max;
	if (l->max < l->high)
		return "max is below high: raise max or lower high";
	if (l->high == MEMQUOTA_UNLIMITED) {
		if (l->low_water)
			return "low_water is set while high is unlimited: set high";
		l->low_water = MEMQUOTA_UNLIMITED;
		return NULL;
	}
	if (!l->low_water) {
		if (l->high < HIGH_MIN)
			return high_is_set ?
				"high is below 218454 bytes: raise it" :
				"max is below 218454 bytes: raise it";
		l->low_water = l->high / 4 * 3 + l->high % 4 * 3 / 4;
		return NULL;
	}
	if (l->low_water > l->high ||
	    l->high - l->low_water <= (l->high - 1) / 50)
		return "low_water is above 98 % of high: lower it or raise high";
	if (l->low_water < LOW_WATER_MIN)
		return "low_water is below 163840 bytes: raise it";
	return NULL;
}

/*
 * Put limits in force. @set is read without the lock, each limit by itself, by
 * memquota_tracker_usage().
 */
static void tracker_set_limits(struct memquota_tracker *t,
			       const struct memquota_limits *set,
			       const struct memquota_limits *derived)
{
	WRITE_ONCE(t->limits.max, set->max);
	WRITE_ONCE(t->limits.high, set->high);
	WRITE_ONCE(t->limits.low_water, set->low_water);
	WRITE_ONCE(t->max, derived->max);
	WRITE_ONCE(t->high, derived->high);
	WRITE_ONCE(t->low_water, derived->low_water);
	memquota_caches_resize(t);
}

/**
 * memquota_tracker_configure - change a tracker's limits, all together
 * @t: the tracker; on a null handle the call succeeds and does nothing
 * @limits: the limits; those that are 0 are derived, see struct memquota_limits
 * @flags: 0, or %MEMQUOTA_CHECK_ONLY to validate and change nothing
 * @reason: where to store a pointer to a constant string that says what is
 *	invalid, or NULL if nothing is; may be NULL
 *
 * A ``high`` below the total starts reclaim at once. A ``low_water`` above the
 * total ends a running reclaim at its next check. Lifting all limits does not
 * end counting.
 *
 * Context: may sleep.
 *
 * Return:
 * * 0 - done; or @limits has none, and the tracker was created disabled
 * * %-EINVAL - @limits contradict each other or are too small, see struct
 *   memquota_limits; or unknown @flags. Nothing is changed, and the log has the
 *   reason
 * * %-EOPNOTSUPP - @limits has one, and the tracker was created disabled
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 */
int memquota_tracker_configure(struct memquota_tracker *t,
			       const struct memquota_limits *limits,
			       unsigned int flags, const char **reason)
{
	struct memquota_limits derived = *limits;
	const char *wrong;
	int err;

	might_sleep();
	if (reason)
		*reason = NULL;
	if (!t)
		return 0;
	wrong = limits_derive(&derived);
	if (flags & ~MEMQUOTA_CHECK_ONLY)
		wrong = "unknown flag";
	if (wrong) {
		pr_warn("tracker %s: not configured: %s\n", t->name, wrong);
		if (reason)
			*reason = wrong;
		return -EINVAL;
	}
	/* Every call on a disabled tracker that asks for nothing succeeds. */
	if (t->state == MEMQUOTA_DISABLED)
		return derived.high == MEMQUOTA_UNLIMITED ? 0 : -EOPNOTSUPP;

	mutex_lock(&t->config_lock);
	err = memquota_tracker_error(t);
	if (err || flags & MEMQUOTA_CHECK_ONLY)
		goto out;
	tracker_set_limits(t, limits, &derived);
	trace_memquota_tracker_configure(t);
	/*
	 * Caches may hold more than the new low_water allows (rule T3). A visit
	 * that is under way may still fill a slot by the old limits on a CPU
	 * that holds nothing yet, so drain every CPU: the interrupt comes after
	 * the visit.
	 */
	memquota_drain_each(t);
	/* Tasks may wait for more than the new max. */
	WRITE_ONCE(t->waitq.check_all, true);
	irq_work_queue(&t->irq_work);
out:
	mutex_unlock(&t->config_lock);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_tracker_configure);

/**
 * memquota_tracker_usage - read what a tracker holds, and its limits
 * @t: the tracker; a null or disabled one reads as unlimited
 * @usage: where to store it
 *
 * While memquota_tracker_configure() runs, some of the limits may be the old
 * ones.
 *
 * Context: any but NMI.
 */
void memquota_tracker_usage(struct memquota_tracker *t,
			    struct memquota_usage *usage)
{
	*usage = MEMQUOTA_USAGE_DISABLED;
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return;
	usage->state = READ_ONCE(t->state);
	usage->total = memquota_tracker_total(t);
	usage->peak = max(READ_ONCE(t->peak), usage->total);
	usage->limits.max = READ_ONCE(t->max);
	usage->limits.high = READ_ONCE(t->high);
	usage->limits.low_water = READ_ONCE(t->low_water);
	usage->set.max = READ_ONCE(t->limits.max);
	usage->set.high = READ_ONCE(t->limits.high);
	usage->set.low_water = READ_ONCE(t->limits.low_water);
	usage->reclaims = READ_ONCE(t->reclaim.nr_runs);
	memquota_accounts_count(t, &usage->accounts, &usage->participants);
}
EXPORT_SYMBOL_GPL(memquota_tracker_usage);

/*
 * Return the tracker of that name, with a reference to its memory; NULL if there
 * is none.
 */
struct memquota_tracker *memquota_tracker_find(const char *name)
{
	struct memquota_tracker *t;

	mutex_lock(&trackers_lock);
	list_for_each_entry(t, &trackers, trackers)
		if (!strcmp(t->name, name)) {
			memquota_tracker_ref(t);
			goto out;
		}
	t = NULL;
out:
	mutex_unlock(&trackers_lock);
	return t;
}

/*
 * Return the first tracker whose id is above @id, with a reference to its
 * memory; NULL if there is none.
 */
struct memquota_tracker *memquota_tracker_next(u64 id)
{
	struct memquota_tracker *t;

	mutex_lock(&trackers_lock);
	list_for_each_entry(t, &trackers, trackers)
		if (t->id > id) {
			memquota_tracker_ref(t);
			goto out;
		}
	t = NULL;
out:
	mutex_unlock(&trackers_lock);
	return t;
}

/* Read the limits as they were set: 0 is "not set". */
void memquota_tracker_limits(struct memquota_tracker *t,
			     struct memquota_limits *limits)
{
	mutex_lock(&t->config_lock);
	*limits = t->limits;
	mutex_unlock(&t->config_lock);
}

static bool tracker_name_valid(const char *name)
{
	return *name && strlen(name) < MEMQUOTA_NAME_SIZE &&
	       !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

/**
 * memquota_tracker_create - create a tracker
 * @name: its name, which its debugfs directory bears
 * @limits: its limits, or NULL for none
 * @flags: %MEMQUOTA_TRACKER_DISABLED, %MEMQUOTA_TRACKER_PROGRAMS
 *
 * Context: may sleep. Where memquota is built in, after its subsys_initcall().
 *
 * Return: a handle for memquota_tracker_destroy(), or an ERR_PTR():
 *
 * * %-EINVAL - @limits as in memquota_tracker_configure(); unknown @flags; @name
 *   is empty, has a slash, or is not shorter than %MEMQUOTA_NAME_SIZE
 * * %-EEXIST - another tracker has that name
 * * %-ENOMEM - out of memory
 */
struct memquota_tracker *
memquota_tracker_create(const char *name, const struct memquota_limits *limits,
			unsigned int flags)
{
	const char *reason;

	return memquota_tracker_new(name, limits, flags, GFP_KERNEL, false,
				    &reason);
}
EXPORT_SYMBOL_GPL(memquota_tracker_create);

static struct memquota_tracker *
tracker_alloc(const char *name, unsigned int flags, gfp_t gfp)
{
	struct memquota_tracker *t = kzalloc(sizeof(*t), gfp);
	unsigned int cpu;

	if (!t)
		return NULL;
	strscpy(t->name, name, sizeof(t->name));
	t->flags = flags;
	t->state = flags & MEMQUOTA_TRACKER_DISABLED ? MEMQUOTA_DISABLED :
						       MEMQUOTA_COUNTING;
	memquota_accounts_setup(&t->accounts);
	memquota_index_setup(&t->index);
	memquota_waitq_setup(&t->waitq);
	memquota_watch_init(&t->watch, t, NULL);
	INIT_LIST_HEAD(&t->requests.list);
	INIT_LIST_HEAD(&t->requests.lanes);
	memquota_reclaim_setup(t);
	memquota_history_setup(&t->history);
	mutex_init(&t->drain_lock);
	mutex_init(&t->config_lock);
	mutex_init(&t->graph_lock);
	t->irq_work = IRQ_WORK_INIT_HARD(tracker_wake);
	INIT_WORK(&t->reaper, tracker_reap);
	INIT_WORK(&t->divide, memquota_caches_divide);
	INIT_RCU_WORK(&t->free, tracker_free);
	refcount_set(&t->refs, 1);
	t->drained = jiffies - HZ;
	t->reclaim.ends = 1;
	t->shares = alloc_percpu_gfp(struct memquota_share, gfp);
	if (!t->shares) {
		kfree(t);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		per_cpu_ptr(t->shares, cpu)->reserved = MEMQUOTA_NO_PART;
	return t;
}

/* Add the tracker to the list, unless its name is taken. */
static int tracker_publish(struct memquota_tracker *t)
{
	struct memquota_tracker *other;
	int err = 0;

	mutex_lock(&trackers_lock);
	list_for_each_entry(other, &trackers, trackers)
		if (!strcmp(other->name, t->name)) {
			err = -EEXIST;
			goto out;
		}
	t->id = ++last_id;
	list_add_tail(&t->trackers, &trackers);
	blocking_notifier_call_chain(&memquota_tracker_notifier,
				     MEMQUOTA_TRACKER_ADDED, t);
out:
	mutex_unlock(&trackers_lock);
	return err;
}

/*
 * memquota_tracker_create() with the flags of its allocations, for programs too.
 * *@reason says what is invalid, or is NULL.
 */
struct memquota_tracker *
memquota_tracker_new(const char *name, const struct memquota_limits *limits,
		     unsigned int flags, gfp_t gfp, bool programs_own,
		     const char **reason)
{
	const struct memquota_limits set = limits ? *limits :
					   (struct memquota_limits) {};
	struct memquota_limits derived = set;
	struct memquota_tracker *t;
	const char *wrong;
	int err;

	might_sleep();
	wrong = limits_derive(&derived);
	if (flags & ~(MEMQUOTA_TRACKER_DISABLED | MEMQUOTA_TRACKER_PROGRAMS))
		wrong = "unknown flag";
	if (!wrong && !tracker_name_valid(name))
		wrong = "invalid name: expected 1 to 31 bytes, no '/', not '.' or '..'";
	*reason = wrong;
	if (wrong) {
		pr_warn("tracker %s: not created: %s\n", name, wrong);
		return ERR_PTR(-EINVAL);
	}

	t = tracker_alloc(name, flags, gfp);
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->programs_own = programs_own;
	tracker_set_limits(t, &set, &derived);
	err = memquota_cpu_cache_add(t);
	if (err)
		goto out_free;
	err = tracker_publish(t);
	if (err)
		goto out_cache;
	trace_memquota_tracker_create(t);
	return t;

out_cache:
	memquota_cpu_cache_remove(t);
out_free:
	free_percpu(t->shares);
	kfree(t);
	return ERR_PTR(err);
}

/**
 * memquota_tracker_destroy - end a tracker
 * @t: what memquota_tracker_create() returned; a null handle is allowed
 *
 * Closes its accounts, wakes tasks that wait for quota, and waits until its
 * reclaim has ended. Handles of accounts and participants stay valid. All calls
 * on them fail with -ESHUTDOWN.
 *
 * Context: may sleep; not from a callback of memquota's.
 */
void memquota_tracker_destroy(struct memquota_tracker *t)
{
	u64 id = 0;

	might_sleep();
	if (IS_ERR_OR_NULL(t))
		return;
	trace_memquota_tracker_destroy(t);

	mutex_lock(&t->config_lock);
	if (t->state != MEMQUOTA_DISABLED)
		xchg(&t->state, MEMQUOTA_GONE);
	memquota_caches_resize(t);
	mutex_unlock(&t->config_lock);

	blocking_notifier_call_chain(&memquota_tracker_notifier,
				     MEMQUOTA_TRACKER_REMOVED, t);

	if (t->state != MEMQUOTA_DISABLED)
		memquota_reclaim_stop(t);
	while (memquota_account_close_next(t, &id))
		cond_resched();
	memquota_drain_each(t);
	memquota_cpu_cache_remove(t);
	mutex_lock(&trackers_lock);
	list_del(&t->trackers);
	mutex_unlock(&trackers_lock);
	queue_work(memquota_wq, &t->reaper);
	memquota_tracker_unref(t);
}
EXPORT_SYMBOL_GPL(memquota_tracker_destroy);

/*
 * Claim a tracker that was created by ioctl for destruction: the one of that
 * name, or the first one if @name is NULL. Return NULL if there is none, and
 * ERR_PTR(-EBUSY) if a module has created it or another task has claimed it.
 */
static struct memquota_tracker *tracker_take_programs(const char *name)
{
	struct memquota_tracker *t, *found = NULL;

	mutex_lock(&trackers_lock);
	list_for_each_entry(t, &trackers, trackers)
		if (name ? !strcmp(t->name, name) : t->programs_own) {
			found = t->programs_own ? t : ERR_PTR(-EBUSY);
			t->programs_own = false;
			break;
		}
	mutex_unlock(&trackers_lock);
	return found;
}

/*
 * Return 0; -ENOENT; or -EBUSY if a module has created the tracker, or another
 * task is destroying it.
 */
int memquota_tracker_destroy_named(const char *name)
{
	struct memquota_tracker *t = tracker_take_programs(name);

	if (IS_ERR_OR_NULL(t))
		return t ? PTR_ERR(t) : -ENOENT;
	memquota_tracker_destroy(t);
	return 0;
}

/* Call when the last descriptor is closed and none can be opened. */
void memquota_programs_trackers_destroy(void)
{
	struct memquota_tracker *t;

	while ((t = tracker_take_programs(NULL)))
		memquota_tracker_destroy(t);
}

int memquota_trackers_init(const struct memquota_limits *limits,
			   unsigned int flags)
{
	struct memquota_tracker *t;
	int err;

	memquota_wq = alloc_workqueue("memquota", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!memquota_wq)
		return -ENOMEM;
	err = memquota_reclaim_init();
	if (err)
		goto out_wq;
	t = memquota_tracker_create("default", limits, flags);
	if (IS_ERR(t)) {
		err = PTR_ERR(t);
		goto out_reclaim;
	}
	memquota_accounts_setup_private(t);
	memquota_set_default_tracker(t);
	return 0;

out_reclaim:
	memquota_reclaim_exit();
out_wq:
	destroy_workqueue(memquota_wq);
	return err;
}

void memquota_trackers_exit(void)
{
	struct memquota_tracker *t = memquota_default_tracker();

	/* The files of the parameters outlive the module's exit function. */
	kernel_param_lock(THIS_MODULE);
	memquota_set_default_tracker(NULL);
	kernel_param_unlock(THIS_MODULE);
	memquota_tracker_ref(t);
	memquota_tracker_destroy(t);
	memquota_barrier_all();
	synchronize_rcu();
	flush_workqueue(memquota_wq);
	rcu_barrier();
	rcu_barrier();
	memquota_tracker_unref(t);
	rcu_barrier();
	destroy_workqueue(memquota_wq);
	memquota_reclaim_exit();
}
