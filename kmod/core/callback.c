// SPDX-License-Identifier: GPL-2.0
/*
 * Calling participants.
 *
 * Atomic callbacks run one at a time, over all trackers, marked by @running.
 * Who leaves sets RECORD_LEFT and then reads @running; who calls sets @running
 * and then reads RECORD_LEFT; with a full barrier between the two on each
 * side, either the call does not happen or the one who leaves sees it.
 *
 * A sleeping participant is asked by a work item of its own:
 *
 *	idle --get()--> asked --> called --returns--> returned
 *	                  |          |                   |
 *	                  |          `--answered---------+  (in either order)
 *	                  `--give_up_ms pass: expired----+
 *	                                                 v
 *	                         put(), module_put(), idle again
 *
 * The owner and its module are held from get() until the callback has returned
 * and the request was either answered or has expired. Whichever of these comes
 * last queues the work item again, which lets go of them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include "history.h"
#include "core.h"

unsigned int memquota_answer_ms = 100;
module_param_named(answer_ms, memquota_answer_ms, uint, 0644);
MODULE_PARM_DESC(answer_ms, "ms that a round of reclaim waits for answers (100)");
MEMQUOTA_EXPORT_INTERNAL(memquota_answer_ms);

unsigned int memquota_give_up_ms = 10000;
module_param_named(give_up_ms, memquota_give_up_ms, uint, 0644);
MODULE_PARM_DESC(give_up_ms, "ms until one that has not answered counts as busy (10000)");
MEMQUOTA_EXPORT_INTERNAL(memquota_give_up_ms);

/* Atomic callbacks one at a time; never taken by who charges or leaves. */
static DEFINE_MUTEX(memquota_callback_lock);
static struct memquota_record *running;
static struct task_struct *runner;	/* runs callbacks at all */
#ifdef CONFIG_PREEMPT_RT
/* Boosts a callback that is waited for, as timer_delete_sync() does. */
static DEFINE_SPINLOCK(running_lock);
#endif
#ifdef CONFIG_LOCKDEP
static struct lock_class_key callback_key;
static struct lockdep_map callback_map =
	STATIC_LOCKDEP_MAP_INIT("memquota_callback", &callback_key);
#endif

/* memquota_sleeper.state; memquota_request_lock */
#define SLEEPER_ASKED		BIT(0)
#define SLEEPER_RETURNED	BIT(1)
#define SLEEPER_ANSWERED	BIT(2)
#define SLEEPER_EXPIRED		BIT(3)

/* What asking a sleeping participant takes, set aside when it joins. */
struct memquota_sleeper {
	struct memquota_record *record;		/* const */
	struct work_struct work;
	struct memquota_request request;	/* const while asked */
	u64 uncharged;				/* before it was asked */
	u64 run;				/* in which it was asked */
	unsigned long deadline;
	/* memquota_request_lock */
	unsigned int state;
	int result;
	struct hlist_node by_id;
	struct list_head requests;		/* in tracker->requests */
	struct list_head calling;		/* in calling, while called */
	struct task_struct *task;
};

static DEFINE_RAW_SPINLOCK(memquota_request_lock);
static DEFINE_HASHTABLE(requests, 8);
static LIST_HEAD(calling);
static u64 last_request;
static struct workqueue_struct *ask_wq;

#ifdef CONFIG_MEMQUOTA_DEBUG
bool memquota_in_callback(void)
{
	struct memquota_sleeper *s;
	unsigned long flags;
	bool found = false;

	if (in_hardirq() || in_serving_softirq())
		return false;
	if (READ_ONCE(runner) == current)
		return true;
	if (list_empty_careful(&calling))
		return false;
	raw_spin_lock_irqsave(&memquota_request_lock, flags);
	list_for_each_entry(s, &calling, calling)
		found |= s->task == current;
	raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
	return found;
}
#endif

/* The module that the last callback was in, kept for the next; same lock. */
static struct module *held_owner;

/* Around one atomic callback, or several in a row. */
void memquota_callbacks_begin(void)
{
	mutex_lock(&memquota_callback_lock);
}

void memquota_callbacks_end(void)
{
	module_put(held_owner);
	held_owner = NULL;
	mutex_unlock(&memquota_callback_lock);
}

/*
 * From here to end_callback() the owner's object is there if callable() says
 * so: who leaves waits.
 */
static void begin_callback(struct memquota_record *r)
	__acquires(RCU)
{
	lockdep_assert_held(&memquota_callback_lock);
	local_bh_disable();
	rcu_read_lock();
#ifdef CONFIG_PREEMPT_RT
	spin_lock(&running_lock);
#endif
	WRITE_ONCE(runner, current);
	WRITE_ONCE(running, r);
	lock_map_acquire(&callback_map);
	/* Pairs with the atomic_fetch_or() in memquota_record_retire(). */
	smp_mb();
}

static void end_callback(struct memquota_record *r)
	__releases(RCU)
{
	lock_map_release(&callback_map);
	/* Pairs with memquota_wait_callback(): what the callback did is done. */
	smp_store_release(&running, NULL);
	WRITE_ONCE(runner, NULL);
#ifdef CONFIG_PREEMPT_RT
	spin_unlock(&running_lock);
#endif
	rcu_read_unlock();
	local_bh_enable();
}

/*
 * Whether the participant has not left and its module is not going. If so the
 * module stays until memquota_callbacks_end(), or the next one is called.
 */
static bool callable(struct memquota_record *r)
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

/*
 * The record has left: wait until no atomic callback runs for it. One that
 * runs callbacks itself need not, since they run one at a time.
 */
void memquota_wait_callback(struct memquota_record *r)
{
#ifdef CONFIG_LOCKDEP
	unsigned long flags;
#endif

	if (READ_ONCE(runner) == current && !in_serving_softirq())
		return;
#ifdef CONFIG_LOCKDEP
	/* As timers do: an interrupt must not see the map held. */
	local_irq_save(flags);
	lock_map_acquire(&callback_map);
	lock_map_release(&callback_map);
	local_irq_restore(flags);
#endif
	/* Pairs with the release in end_callback(). */
	while (smp_load_acquire(&running) == r) {
#ifdef CONFIG_PREEMPT_RT
		spin_lock(&running_lock);
		spin_unlock(&running_lock);
#endif
		cpu_relax();
	}
}

/**
 * memquota_synchronize_callback - wait for a running atomic callback
 * @p: a participant that has not left
 *
 * An atomic callback of @p that starts after this function was called sees what
 * the caller wrote before. One that started earlier has ended when this
 * function returns, unless it is the caller. Participants that leave need not
 * call it: memquota_leave() does the same.
 *
 * Context: any but hard interrupts and NMI; spins. The caller holds no lock
 * that an atomic callback of @p takes, and keeps it apart from joining and
 * leaving of @p.
 */
void memquota_synchronize_callback(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_protected(p->record, true);

	/* Pairs with the barrier in begin_callback(). */
	smp_mb();
	if (r && !(READ_ONCE(r->flags) & RECORD_STATIC))
		memquota_wait_callback(r);
}
EXPORT_SYMBOL_GPL(memquota_synchronize_callback);

/* Returns whether it was called; *freed is what its uncharging freed. */
bool memquota_call_reclaim(struct memquota_record *r,
			   const struct memquota_request *request, u64 *freed)
{
	bool called;
	u64 before;

	*freed = 0;
	memquota_callbacks_begin();
	begin_callback(r);
	called = callable(r);
	if (called) {
		memquota_flush_local(r);
		before = atomic64_read(&r->uncharged);
		r->reclaim(r->participant, request);
		memquota_flush_local(r);
		*freed = atomic64_read(&r->uncharged) - before;
	}
	end_callback(r);
	memquota_callbacks_end();
	return called;
}

/* Between memquota_callbacks_begin() and _end(). */
bool memquota_call_oldest(struct memquota_record *r, u64 *ns)
{
	bool called;

	begin_callback(r);
	called = callable(r);
	if (called)
		*ns = r->ops->oldest(r->participant);
	end_callback(r);
	return called;
}

/* Returns whether there is more to trim. */
bool memquota_call_trim(struct memquota_record *r)
{
	bool more = false;

	memquota_callbacks_begin();
	begin_callback(r);
	if (callable(r)) {
		more = r->ops->trim(r->participant);
		memquota_flush_local(r);
	}
	end_callback(r);
	memquota_callbacks_end();
	return more;
}

/* Count a request as over; memquota_request_lock is held. */
static void end_request(struct memquota_sleeper *s)
{
	lockdep_assert_held(&memquota_request_lock);
	hash_del(&s->by_id);
	list_del_init(&s->requests);
}

/* Returns whether the work item has to be queued, to let go of the owner. */
static bool answer(struct memquota_sleeper *s, int result)
{
	lockdep_assert_held(&memquota_request_lock);
	if (s->state & (SLEEPER_ANSWERED | SLEEPER_EXPIRED))
		return false;
	WRITE_ONCE(s->state, s->state | SLEEPER_ANSWERED);
	s->result = result;
	end_request(s);
	return s->state & SLEEPER_RETURNED;
}

/* The owner is let go of; whatever it answered takes effect. */
static void finish(struct memquota_sleeper *s)
{
	struct memquota_record *r = s->record;
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;
	struct module *owner = r->owner;
	unsigned long flags;
	bool busy = false;
	u64 freed = 0;

	r->ops->put(r->participant);
	module_put(owner);

	if (s->state & SLEEPER_ANSWERED && s->result < 0) {
		freed = memquota_account_close(a);
	} else if (!(READ_ONCE(r->flags) & RECORD_COLLAPSING)) {
		freed = atomic64_read(&r->uncharged) - s->uncharged;
		if (!freed) {
			/* It may be in slots that have not reported yet. */
			memquota_tracker_drain(t);
			freed = atomic64_read(&r->uncharged) - s->uncharged;
		}
		busy = !freed;
	}
	atomic64_add(freed, &t->freed);
	memquota_history_freed(r, s->run, freed);

	raw_spin_lock_irqsave(&memquota_request_lock, flags);
	if (!(s->state & SLEEPER_EXPIRED))
		WRITE_ONCE(t->asked, t->asked - 1);
	WRITE_ONCE(s->state, 0);
	raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
	memquota_index_put(r, busy);
	wake_up_interruptible(&t->wake);
	memquota_record_unref(r);
}

static void ask(struct work_struct *work)
{
	struct memquota_sleeper *s = container_of(work, struct memquota_sleeper,
						  work);
	struct memquota_record *r = s->record;
	unsigned long flags;
	bool over;
	int ret;

	if (!(READ_ONCE(s->state) & SLEEPER_RETURNED)) {
		raw_spin_lock_irqsave(&memquota_request_lock, flags);
		s->task = current;
		list_add(&s->calling, &calling);
		raw_spin_unlock_irqrestore(&memquota_request_lock, flags);

		ret = r->ops->reclaim_sleeping(r->participant, &s->request);

		raw_spin_lock_irqsave(&memquota_request_lock, flags);
		list_del(&s->calling);
		if (ret != -EINPROGRESS)
			answer(s, ret);
		WRITE_ONCE(s->state, s->state | SLEEPER_RETURNED);
		over = s->state & (SLEEPER_ANSWERED | SLEEPER_EXPIRED);
		raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
		if (!over)
			return;
	}
	finish(s);
}

/*
 * Ask a sleeping participant, not waiting for its answer. Returns whether it
 * was asked. The kthread's own.
 */
bool memquota_ask(struct memquota_record *r, u64 want, u64 until)
{
	struct memquota_tracker *t = r->account->tracker;
	struct memquota_sleeper *s = r->sleeper;
	unsigned long flags;
	bool held;

	/* Only the kthread makes one that is idle busy. */
	if (READ_ONCE(s->state))
		return false;
	memquota_callbacks_begin();
	begin_callback(r);
	held = callable(r) && r->ops->get(r->participant);
	if (held)
		__module_get(r->owner);
	end_callback(r);
	memquota_callbacks_end();
	if (!held)
		return false;
	memquota_record_ref(r);
	memquota_index_take(r);
	s->uncharged = atomic64_read(&r->uncharged);
	s->run = memquota_history_run(t);
	s->deadline = jiffies + msecs_to_jiffies(READ_ONCE(memquota_give_up_ms));

	raw_spin_lock_irqsave(&memquota_request_lock, flags);
	s->request.id = ++last_request;
	s->request.want_bytes = want;
	s->request.until_ns = until;
	WRITE_ONCE(s->state, SLEEPER_ASKED);
	hash_add(requests, &s->by_id, s->request.id);
	list_add_tail(&s->requests, &t->requests);
	WRITE_ONCE(t->asked, t->asked + 1);
	raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
	queue_work(ask_wq, &s->work);
	return true;
}

/**
 * memquota_reclaim_done - answer a reclaim request that returned -EINPROGRESS
 * @request: the id in the struct memquota_request
 * @result: 0, or an errno: it could not, and the account closes
 *
 * An answer that comes twice, or too late, is ignored.
 *
 * Context: any but NMI.
 */
void memquota_reclaim_done(u64 request, int result)
{
	struct memquota_sleeper *s, *found = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&memquota_request_lock, flags);
	hash_for_each_possible(requests, s, by_id, request)
		if (s->request.id == request) {
			found = s;
			break;
		}
	/* Queued under the lock: afterwards it may be idle, or gone. */
	if (found && answer(found, result))
		queue_work(ask_wq, &found->work);
	raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
}
EXPORT_SYMBOL_GPL(memquota_reclaim_done);

/*
 * Requests whose time is over, or @all where the tracker ends, count as busy;
 * programs collapse. They are in the order of their deadlines. Returns how long until the next
 * one, in jiffies.
 */
long memquota_expire_requests(struct memquota_tracker *t, bool all)
{
	struct memquota_sleeper *s;
	struct memquota_record *r;
	unsigned long flags;
	long left;

	for (;;) {
		raw_spin_lock_irqsave(&memquota_request_lock, flags);
		s = list_first_entry_or_null(&t->requests,
					     struct memquota_sleeper, requests);
		left = s ? (long)(s->deadline - jiffies) : MAX_SCHEDULE_TIMEOUT;
		if (!s || (left > 0 && !all)) {
			raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
			return left;
		}
		r = s->record;
		memquota_record_ref(r);
		WRITE_ONCE(s->state, s->state | SLEEPER_EXPIRED);
		end_request(s);
		WRITE_ONCE(t->asked, t->asked - 1);
		if (s->state & SLEEPER_RETURNED)
			queue_work(ask_wq, &s->work);
		raw_spin_unlock_irqrestore(&memquota_request_lock, flags);
		if (!all)
			pr_warn_ratelimited("%s: %s has not answered for %u ms\n",
					    t->name, memquota_record_name(r),
					    READ_ONCE(memquota_give_up_ms));
		/* A program that does not answer may never do so (U5). */
		if (!all && READ_ONCE(r->flags) & RECORD_PROGRAM)
			atomic64_add(memquota_account_close(r->account),
				     &t->freed);
		memquota_record_unref(r);
	}
}

/* Requests of the tracker that have neither ended nor expired. */
unsigned int memquota_asked(struct memquota_tracker *t)
{
	return READ_ONCE(t->asked);
}

struct memquota_sleeper *memquota_sleeper_alloc(struct memquota_record *r,
						gfp_t gfp)
{
	struct memquota_sleeper *s = kzalloc(sizeof(*s), gfp);

	if (!s)
		return NULL;
	s->record = r;
	INIT_WORK(&s->work, ask);
	INIT_LIST_HEAD(&s->requests);
	return s;
}

/**
 * memquota_barrier - wait until no callback runs
 *
 * For the exit of a module whose participants have left: afterwards none of its
 * callbacks, put() included, is still running.
 *
 * Context: may sleep; not from a callback.
 */
void memquota_barrier(void)
{
	memquota_callbacks_begin();
	memquota_callbacks_end();
	flush_workqueue(ask_wq);
}
EXPORT_SYMBOL_GPL(memquota_barrier);

int memquota_callbacks_init(void)
{
	ask_wq = alloc_workqueue("memquota_ask", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return ask_wq ? 0 : -ENOMEM;
}

void memquota_callbacks_exit(void)
{
	destroy_workqueue(ask_wq);
}
