// SPDX-License-Identifier: GPL-2.0
/*
 * Trackers: creating, configuring, destroying, and the state of each.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "../debug/debugfs.h"
#include "history.h"
#include "core.h"
#include "trace.h"

LIST_HEAD(memquota_trackers);
/* Protects the list, and the names on it. */
DEFINE_MUTEX(memquota_trackers_lock);
struct workqueue_struct *memquota_wq;

static struct memquota_tracker *default_tracker;
static u64 last_id;	/* memquota_trackers_lock */

/**
 * memquota_default_tracker - the tracker that counts from load on
 *
 * Context: any.
 * Return: a handle that is good as long as memquota is loaded; it is not to be
 * destroyed.
 */
struct memquota_tracker *memquota_default_tracker(void)
{
	return default_tracker;
}
EXPORT_SYMBOL_GPL(memquota_default_tracker);

void memquota_tracker_ref(struct memquota_tracker *t)
{
	refcount_inc(&t->refs);
}

/* May be the last thing that an RCU callback does: the rest may sleep. */
void memquota_tracker_unref(struct memquota_tracker *t)
{
	if (refcount_dec_and_test(&t->refs))
		queue_work(memquota_wq, &t->free);
}

static void tracker_free(struct work_struct *work)
{
	struct memquota_tracker *t = container_of(work, struct memquota_tracker,
						  free);

	irq_work_sync(&t->irq_work);
	irq_work_sync(&t->watch.irq_work);
	cancel_work_sync(&t->cleanup);
	cancel_work_sync(&t->watch.work);
	memquota_history_exit(t);
	free_percpu(t->shares);
	kfree(t);
}

/*
 * Whoever is to be woken by a charge, an uncharge or a close is woken from
 * here, since those may hold any lock, the run queue's too (X1).
 */
static void wake_all(struct irq_work *work)
{
	struct memquota_tracker *t = container_of(work, struct memquota_tracker,
						  irq_work);

	if (!list_empty_careful(&t->dying))
		queue_work(memquota_wq, &t->cleanup);
	if (READ_ONCE(t->waiting))
		memquota_wake_waiters(t);
	wake_up_interruptible(&t->wake);
}

static void cleanup(struct work_struct *work)
{
	struct memquota_tracker *t = container_of(work, struct memquota_tracker,
						  cleanup);

	while (!list_empty_careful(&t->dying)) {
		memquota_take_apart(t, 64);
		cond_resched();
	}
}

static void cache_limits(struct memquota_tracker *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->wait_lock, flags);
	memquota_cache_limits(t);
	raw_spin_unlock_irqrestore(&t->wait_lock, flags);
}

/*
 * T6: memory use must not go on unbounded when the accounting is wrong. Any
 * context but NMI.
 */
void memquota_tracker_poison(struct memquota_tracker *t, const char *why)
{
	if (cmpxchg(&t->state, MEMQUOTA_COUNTING, MEMQUOTA_POISONED) !=
	    MEMQUOTA_COUNTING)
		return;
	WARN(1, "memquota: tracker %s: %s; it takes nothing on any more\n",
	     t->name, why);
	WRITE_ONCE(t->wake_everyone, true);
	WRITE_ONCE(t->draining, true);
	irq_work_queue(&t->irq_work);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_tracker_poison);

/*
 * Derive what is not set, and say what is wrong with the whole (T2). Returns
 * NULL if nothing is.
 */
static const char *check_limits(struct memquota_limits *l)
{
	if (!l->max)
		l->max = MEMQUOTA_UNLIMITED;
	if (!l->high)
		l->high = l->max;
	if (l->max < l->high)
		return "max is below high";
	if (l->high == MEMQUOTA_UNLIMITED) {
		if (l->low_water && l->low_water != MEMQUOTA_UNLIMITED)
			return "low_water is set while high is unlimited";
		l->low_water = MEMQUOTA_UNLIMITED;
		return NULL;
	}
	if (!l->low_water)
		l->low_water = l->high - l->high / 4;
	if (l->low_water > l->high ||
	    l->high - l->low_water < DIV_ROUND_UP(l->high, 50))
		return "low_water is above 98 % of high";
	if (l->low_water < 10 * MEMQUOTA_CACHE_MAX)
		return "low_water is below 160 KiB";
	return NULL;
}

static void set_limits(struct memquota_tracker *t,
		       const struct memquota_limits *derived)
{
	WRITE_ONCE(t->max, derived->max);
	WRITE_ONCE(t->high, derived->high);
	WRITE_ONCE(t->low_water, derived->low_water);
	cache_limits(t);
}

/**
 * memquota_tracker_configure - change a tracker's limits, all together
 * @t: the tracker; on a null handle everything succeeds
 * @limits: what is 0 in it stays derived, see struct memquota_limits
 * @flags: 0, or %MEMQUOTA_CHECK_ONLY: validate and change nothing
 * @reason: where to point to a sentence that says why -EINVAL, or NULL
 *
 * A ``high`` below the total starts reclaim at once; a ``low_water`` above it
 * ends one at its next check. Limits that are all lifted do not end counting.
 *
 * Context: may sleep.
 *
 * Return: 0, or
 * -EINVAL: ``low_water`` is set while ``high`` is unlimited, is above 98 % of
 * ``high``, or below ten times %MEMQUOTA_CACHE_MAX; ``max`` is below ``high``;
 * unknown @flags. Nothing is changed, and the log says which;
 * -EOPNOTSUPP: the tracker was created disabled;
 * -ESHUTDOWN, -ENOTRECOVERABLE: it was destroyed, or is poisoned.
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
	if (flags & ~MEMQUOTA_CHECK_ONLY) {
		wrong = "unknown flag";
		goto invalid;
	}
	if (t->state == MEMQUOTA_DISABLED)
		return -EOPNOTSUPP;

	mutex_lock(&t->config_lock);
	err = memquota_tracker_error(t);
	if (err)
		goto out;
	wrong = check_limits(&derived);
	if (wrong) {
		mutex_unlock(&t->config_lock);
		goto invalid;
	}
	if (flags & MEMQUOTA_CHECK_ONLY)
		goto out;
	t->limits = *limits;
	set_limits(t, &derived);
	trace_memquota_tracker_configure(t);
	/* Caches may hold more than the new low_water allows them (T3). */
	memquota_tracker_drain(t);
	irq_work_queue(&t->irq_work);
out:
	mutex_unlock(&t->config_lock);
	return err;

invalid:
	pr_warn("tracker %s: not configured: %s\n", t->name, wrong);
	if (reason)
		*reason = wrong;
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(memquota_tracker_configure);

/**
 * memquota_tracker_usage - what a tracker holds, and by which limits
 * @t: the tracker; a null or disabled one reads as unlimited
 * @usage: where to say it
 *
 * Context: any but NMI.
 */
void memquota_tracker_usage(struct memquota_tracker *t,
			    struct memquota_usage *usage)
{
	*usage = (struct memquota_usage) {
		.total = MEMQUOTA_UNLIMITED,
		.peak = MEMQUOTA_UNLIMITED,
		.limits = {
			.max = MEMQUOTA_UNLIMITED,
			.high = MEMQUOTA_UNLIMITED,
			.low_water = MEMQUOTA_UNLIMITED,
		},
		.state = MEMQUOTA_DISABLED,
	};
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return;
	usage->state = READ_ONCE(t->state);
	usage->total = memquota_tracker_total(t);
	usage->peak = max(READ_ONCE(t->peak), usage->total);
	usage->limits.max = READ_ONCE(t->max);
	usage->limits.high = READ_ONCE(t->high);
	usage->limits.low_water = READ_ONCE(t->low_water);
	usage->reclaims = READ_ONCE(t->reclaims);
	usage->accounts = READ_ONCE(t->nr_accounts);
	usage->participants = READ_ONCE(t->nr_records);
}
EXPORT_SYMBOL_GPL(memquota_tracker_usage);

/* A tracker by name, its memory kept; NULL if there is none. */
struct memquota_tracker *memquota_tracker_find(const char *name)
{
	struct memquota_tracker *t;

	mutex_lock(&memquota_trackers_lock);
	list_for_each_entry(t, &memquota_trackers, trackers)
		if (!strcmp(t->name, name)) {
			memquota_tracker_ref(t);
			goto out;
		}
	t = NULL;
out:
	mutex_unlock(&memquota_trackers_lock);
	return t;
}

/* The first tracker whose number is above @id, its memory kept; or NULL. */
struct memquota_tracker *memquota_tracker_next(u64 id)
{
	struct memquota_tracker *t;

	mutex_lock(&memquota_trackers_lock);
	list_for_each_entry(t, &memquota_trackers, trackers)
		if (t->id > id) {
			memquota_tracker_ref(t);
			goto out;
		}
	t = NULL;
out:
	mutex_unlock(&memquota_trackers_lock);
	return t;
}

/* Limits as they were set: 0 is "not set". */
void memquota_tracker_limits(struct memquota_tracker *t,
			     struct memquota_limits *limits)
{
	mutex_lock(&t->config_lock);
	*limits = t->limits;
	mutex_unlock(&t->config_lock);
}

static bool name_valid(const char *name)
{
	return *name && strlen(name) < MEMQUOTA_NAME_SIZE &&
	       !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

/**
 * memquota_tracker_create - make a tracker
 * @name: for people; its kthread and its debugfs directory bear it
 * @limits: its limits, or NULL for none
 * @flags: %MEMQUOTA_TRACKER_DISABLED, %MEMQUOTA_TRACKER_PROGRAMS
 *
 * Context: may sleep.
 *
 * Return: a handle, to be given to memquota_tracker_destroy(), or
 * -EINVAL: @limits as in memquota_tracker_configure(); unknown @flags; @name
 * is empty, has a slash, or is not shorter than %MEMQUOTA_NAME_SIZE;
 * -EEXIST: there is one of that name;
 * -ENOMEM: out of memory.
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

/* As above, with memory for somebody else to pay, and the reason of -EINVAL. */
struct memquota_tracker *
memquota_tracker_new(const char *name, const struct memquota_limits *limits,
		     unsigned int flags, gfp_t gfp, bool programs_own,
		     const char **reason)
{
	struct memquota_limits derived = limits ? *limits :
					 (struct memquota_limits) {};
	struct memquota_tracker *t, *other;
	const char *wrong;
	int err;

	might_sleep();
	wrong = check_limits(&derived);
	if (!wrong && flags & ~(MEMQUOTA_TRACKER_DISABLED |
				MEMQUOTA_TRACKER_PROGRAMS))
		wrong = "unknown flag";
	if (!wrong && !name_valid(name))
		wrong = "not a name for a tracker";
	*reason = wrong;
	if (wrong) {
		pr_warn("tracker %s: not created: %s\n", name, wrong);
		return ERR_PTR(-EINVAL);
	}

	t = kzalloc(sizeof(*t), gfp);
	if (!t)
		return ERR_PTR(-ENOMEM);
	strscpy(t->name, name, sizeof(t->name));
	if (limits)
		t->limits = *limits;
	t->flags = flags;
	t->programs_own = programs_own;
	t->state = flags & MEMQUOTA_TRACKER_DISABLED ? MEMQUOTA_DISABLED :
						       MEMQUOTA_COUNTING;
	t->accounts = RB_ROOT;
	t->index = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&t->dying);
	INIT_LIST_HEAD(&t->passed);
	INIT_LIST_HEAD(&t->trimmers);
	INIT_LIST_HEAD(&t->all_waiters);
	INIT_LIST_HEAD(&t->waiters);
	INIT_LIST_HEAD(&t->requests);
	raw_spin_lock_init(&t->lock);
	raw_spin_lock_init(&t->index_lock);
	raw_spin_lock_init(&t->wait_lock);
	mutex_init(&t->drain_lock);
	mutex_init(&t->config_lock);
	mutex_init(&t->graph_lock);
	init_waitqueue_head(&t->wake);
	init_irq_work(&t->irq_work, wake_all);
	INIT_WORK(&t->cleanup, cleanup);
	INIT_WORK(&t->free, tracker_free);
	memquota_watch_init(&t->watch, t, NULL);
	refcount_set(&t->refs, 1);
	t->drained = jiffies - HZ;
	t->shares = alloc_percpu_gfp(struct memquota_share, gfp);
	if (!t->shares) {
		err = -ENOMEM;
		goto out_free;
	}
	if (t->state == MEMQUOTA_COUNTING) {
		err = memquota_history_init(t);
		if (err)
			goto out_shares;
	}
	set_limits(t, &derived);

	mutex_lock(&memquota_trackers_lock);
	list_for_each_entry(other, &memquota_trackers, trackers)
		if (!strcmp(other->name, name)) {
			err = -EEXIST;
			goto out_unlock;
		}
	if (t->state == MEMQUOTA_COUNTING) {
		err = memquota_reclaim_start(t);
		if (err)
			goto out_unlock;
	}
	t->id = ++last_id;
	list_add_tail(&t->trackers, &memquota_trackers);
	memquota_debugfs_add(t);
	mutex_unlock(&memquota_trackers_lock);
	trace_memquota_tracker_create(t);
	return t;

out_unlock:
	mutex_unlock(&memquota_trackers_lock);
	memquota_history_exit(t);
out_shares:
	free_percpu(t->shares);
out_free:
	kfree(t);
	return ERR_PTR(err);
}

/**
 * memquota_tracker_destroy - end a tracker
 * @t: what memquota_tracker_create() returned; a null handle is allowed
 *
 * Closes its accounts, wakes who waits for quota, and waits until its kthread
 * has ended. Handles of accounts and participants stay valid; everything on
 * them fails with -ESHUTDOWN.
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
	cache_limits(t);
	mutex_unlock(&t->config_lock);

	memquota_debugfs_remove(t);

	if (t->thread)
		memquota_reclaim_stop(t);
	while (memquota_close_next(t, &id))
		cond_resched();
	/* Charges in flight are over when each CPU has been asked. */
	cpus_read_lock();
	memquota_drain_each(t);
	/* Until here a CPU that goes offline is drained by cpu_is_dead(). */
	mutex_lock(&memquota_trackers_lock);
	list_del(&t->trackers);
	mutex_unlock(&memquota_trackers_lock);
	cpus_read_unlock();
	WRITE_ONCE(t->wake_everyone, true);
	memquota_wake_waiters(t);
	queue_work(memquota_wq, &t->cleanup);
	memquota_tracker_unref(t);
}
EXPORT_SYMBOL_GPL(memquota_tracker_destroy);

/*
 * Take a tracker that was created by ioctl away from whoever else is going to
 * destroy it. Without a name any; NULL: there is none.
 */
static struct memquota_tracker *take_programs_tracker(const char *name)
{
	struct memquota_tracker *t, *found = NULL;

	mutex_lock(&memquota_trackers_lock);
	list_for_each_entry(t, &memquota_trackers, trackers)
		if (name ? !strcmp(t->name, name) : t->programs_own) {
			found = t->programs_own ? t : ERR_PTR(-EBUSY);
			t->programs_own = false;
			break;
		}
	mutex_unlock(&memquota_trackers_lock);
	return found;
}

/* Returns 0, -ENOENT, or -EBUSY: a module's, or somebody else is at it. */
int memquota_tracker_destroy_named(const char *name)
{
	struct memquota_tracker *t = take_programs_tracker(name);

	if (IS_ERR_OR_NULL(t))
		return t ? PTR_ERR(t) : -ENOENT;
	memquota_tracker_destroy(t);
	return 0;
}

/* When the last descriptor is closed, and nobody can open another. */
void memquota_programs_trackers_destroy(void)
{
	struct memquota_tracker *t;

	while ((t = take_programs_tracker(NULL)))
		memquota_tracker_destroy(t);
}

int memquota_trackers_init(const struct memquota_limits *limits,
			   unsigned int flags)
{
	struct memquota_tracker *t;

	memquota_wq = alloc_workqueue("memquota", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!memquota_wq)
		return -ENOMEM;
	t = memquota_tracker_create("default", limits, flags);
	if (IS_ERR(t)) {
		destroy_workqueue(memquota_wq);
		return PTR_ERR(t);
	}
	default_tracker = t;
	return 0;
}

void memquota_trackers_exit(void)
{
	struct memquota_tracker *t = default_tracker;

	/* The parameters' files outlive the module's exit function. */
	kernel_param_lock(THIS_MODULE);
	default_tracker = NULL;
	kernel_param_unlock(THIS_MODULE);
	memquota_tracker_destroy(t);
	/*
	 * Requests that the kthread was about to make, for participants without
	 * an owner; then what interrupts are about to do, which come before
	 * their CPU is quiescent; then what both have queued.
	 */
	memquota_barrier();
	synchronize_rcu();
	flush_workqueue(memquota_wq);
	/* Records, then accounts, then trackers: each lets the next one go. */
	rcu_barrier();
	rcu_barrier();
	destroy_workqueue(memquota_wq);
}
