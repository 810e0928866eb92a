// SPDX-License-Identifier: GPL-2.0
/*
 * Atomic callbacks.
 *
 * They run one at a time, over all trackers, so that two callbacks that leave
 * each other's participants cannot wait for each other. callback_begin() sets
 * @running, then callback_allowed() reads RECORD_LEFT. memquota_leave() sets
 * RECORD_LEFT, then reads @running. A full barrier stands between the two on
 * each side, so either the callback is not called, or memquota_leave() waits
 * for it. A call that finds the participant left already waits too, because the
 * callback itself may have left and still be running.
 */
#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "callback.h"

/* One atomic callback at a time. Charging and leaving never take it. */
static DEFINE_MUTEX(callback_lock);
static struct memquota_participant *running;	/* whose callback runs */
static struct task_struct *runner;	/* holds callback_lock, and calls */
/* The module of the last callback, held for the next one; callback_lock. */
static struct module *held_owner;

#ifdef CONFIG_PREEMPT_RT
/* Boosts a callback that is waited for, as timer_delete_sync() does. */
static DEFINE_SPINLOCK(running_lock);
#endif
#ifdef CONFIG_LOCKDEP
static struct lock_class_key callback_key;
static struct lockdep_map callback_map =
	STATIC_LOCKDEP_MAP_INIT("memquota_callback", &callback_key);
#endif

/* Begin a series of atomic callbacks. May sleep. */
void memquota_callbacks_begin(void)
{
	mutex_lock(&callback_lock);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_callbacks_begin);

void memquota_callbacks_end(void)
{
	module_put(held_owner);
	held_owner = NULL;
	mutex_unlock(&callback_lock);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_callbacks_end);

/*
 * Until callback_end(), the owner's object stays if callback_allowed() returns
 * true, since memquota_leave() waits.
 */
static void callback_begin(struct memquota_record *r)
	__acquires(RCU)
{
	lockdep_assert_held(&callback_lock);
	local_bh_disable();
	rcu_read_lock();
#ifdef CONFIG_PREEMPT_RT
	spin_lock(&running_lock);
#endif
	WRITE_ONCE(runner, current);
	WRITE_ONCE(running, r->participant);
	lock_map_acquire(&callback_map);
	/* Pairs with the atomic64_fetch_or() in memquota_record_retire(). */
	smp_mb();
}

static void callback_end(void)
	__releases(RCU)
{
	lock_map_release(&callback_map);
	/* Pairs with memquota_wait_callback(), which sees the callback's writes. */
	smp_store_release(&running, NULL);
	WRITE_ONCE(runner, NULL);
#ifdef CONFIG_PREEMPT_RT
	spin_unlock(&running_lock);
#endif
	rcu_read_unlock();
	local_bh_enable();
}

/*
 * Return whether the participant has not left and its module is not going away.
 * If so, the module is held until memquota_callbacks_end(), or until a callback
 * of another module is called.
 */
static bool callback_allowed(struct memquota_record *r)
{
	if (atomic64_read(&r->word) & RECORD_LEFT)
		return false;
	if (r->owner == held_owner)
		return true;
	if (!try_module_get(r->owner))
		return false;
	module_put(held_owner);
	held_owner = r->owner;
	return true;
}

/* Return whether the current context is an atomic callback. */
bool memquota_runs_callbacks(void)
{
	return READ_ONCE(runner) == current && !in_serving_softirq();
}

/*
 * Wait until an atomic callback of @p that runs now has ended. @p is compared and
 * not accessed. A callback need not wait for one, since they run one at a time.
 * On PREEMPT_RT the next callback may take running_lock first, so the wait can
 * include callbacks of other participants.
 */
void memquota_wait_callback(const struct memquota_participant *p)
{
#ifdef CONFIG_LOCKDEP
	unsigned long flags;
#endif

	/* The callback may be what it has interrupted. */
	WARN_ONCE(in_hardirq(),
		  "memquota: waiting for a callback in a hard interrupt\n");
	if (memquota_runs_callbacks())
		return;
#ifdef CONFIG_PREEMPT_RT
	might_lock(&running_lock);
	lockdep_assert_preemption_enabled();
#endif
#ifdef CONFIG_LOCKDEP
	/*
	 * As timers do: an interrupt must not see the map held. A hard interrupt
	 * has been reported above; lockdep would switch itself off.
	 */
	local_irq_save(flags);
	if (!in_hardirq()) {
		lock_map_acquire(&callback_map);
		lock_map_release(&callback_map);
	}
	local_irq_restore(flags);
#endif
#ifdef CONFIG_PREEMPT_RT
	/* Pairs with the release in callback_end(). */
	if (smp_load_acquire(&running) == p) {
		spin_lock(&running_lock);
		spin_unlock(&running_lock);
	}
#else
	/* Pairs with the release in callback_end(). */
	smp_cond_load_acquire(&running, VAL != p);
#endif
}

/**
 * memquota_synchronize_callback - wait for a running atomic callback
 * @p: a participant that has not left
 *
 * An atomic callback of @p that starts after this function was called sees what
 * the caller wrote before. One that started earlier has ended when this
 * function returns, unless it is the caller. memquota_leave() includes it.
 *
 * Context: any but hard interrupts and NMI; spins. With PREEMPT_RT only while
 * preemption and interrupts are on. The caller holds no lock that an atomic
 * callback takes, of whichever participant: with PREEMPT_RT the wait can include
 * the next one. It serialises the call with joining and leaving of @p.
 */
void memquota_synchronize_callback(struct memquota_participant *p)
{
	/* Pairs with the barrier in callback_begin(). */
	smp_mb();
	memquota_wait_callback(p);
}
EXPORT_SYMBOL_GPL(memquota_synchronize_callback);

/* Return whether it was called; *@freed is what it uncharged, in bytes. */
bool memquota_call_reclaim(struct memquota_record *r,
			   const struct memquota_request *request, u64 *freed)
{
	bool called;
	u64 before;

	*freed = 0;
	memquota_callbacks_begin();
	callback_begin(r);
	called = callback_allowed(r);
	if (called) {
		memquota_flush_local(r);
		before = atomic64_read(&r->uncharged);
		r->reclaim(r->participant, request);
		memquota_flush_local(r);
		*freed = atomic64_read(&r->uncharged) - before;
	}
	callback_end();
	memquota_callbacks_end();
	return called;
}

/* Between memquota_callbacks_begin() and _end(). Return whether it was called. */
bool memquota_call_oldest(struct memquota_record *r, u64 *ns)
{
	bool called;

	callback_begin(r);
	called = callback_allowed(r);
	if (called)
		*ns = memquota_arrival(r->ops->oldest(r->participant));
	callback_end();
	return called;
}

/* Return whether there is more to trim. */
bool memquota_call_trim(struct memquota_record *r)
{
	bool more = false;

	memquota_callbacks_begin();
	callback_begin(r);
	if (callback_allowed(r)) {
		more = r->ops->trim(r->participant);
		memquota_flush_local(r);
	}
	callback_end();
	memquota_callbacks_end();
	return more;
}

/* Return whether the owner was held; then its module is, too. */
bool memquota_call_get(struct memquota_record *r)
{
	bool held;

	memquota_callbacks_begin();
	callback_begin(r);
	held = callback_allowed(r) && r->ops->get(r->participant);
	if (held)
		__module_get(r->owner);
	callback_end();
	memquota_callbacks_end();
	return held;
}
