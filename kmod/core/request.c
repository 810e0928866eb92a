// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to sleeping participants.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "callback.h"
#include "history.h"
#include "record.h"

/**
 * DOC: Life of a request
 *
 * ::
 *
 *	                 -EAGAIN: again after RETRY_MS
 *	                            ,---.
 *	                            v   |
 *	idle --get()--> issued --> called --callback returns--> returned
 *	                  |           |                            |
 *	                  |           `--------- answered ---------+ (either order)
 *	                  `--------- give_up_ms pass: expired -----+
 *	                                                           v
 *	                                   put(), module_put(), idle again
 *
 * Each sleeping participant has one work item for its requests. The owner and
 * its module are held from get() until the callback has returned, and the
 * request was answered or has expired. If the callback returns last, its work
 * item drops both references. Otherwise the answer or the expiry queues the
 * work item again for that. So neither a callback that never returns nor an
 * answer that never comes has anything freed under it. An answer that comes
 * later finds no request of its number, and is ignored.
 *
 * A callback that returns -EAGAIN has not returned in this sense. The timer of
 * the work item waits for the next call, and no worker does.
 */

unsigned int memquota_answer_ms = 100;
module_param_named(answer_ms, memquota_answer_ms, uint, 0644);
MODULE_PARM_DESC(answer_ms, "ms that a round of reclaim waits for answers (100)");
MEMQUOTA_EXPORT_INTERNAL(memquota_answer_ms);

unsigned int memquota_give_up_ms = 10000;
module_param_named(give_up_ms, memquota_give_up_ms, uint, 0644);
MODULE_PARM_DESC(give_up_ms, "ms until a participant that has not answered counts as busy (10000)");
MEMQUOTA_EXPORT_INTERNAL(memquota_give_up_ms);

/* memquota_sleeper.state; request_lock */
#define SLEEPER_ISSUED		BIT(0)
#define SLEEPER_RETURNED	BIT(1)
#define SLEEPER_ANSWERED	BIT(2)
#define SLEEPER_EXPIRED		BIT(3)
#define SLEEPER_AGAIN		BIT(4)	/* the callback has returned -EAGAIN */

/* Until a callback that returned -EAGAIN is called again; each time doubled. */
#define RETRY_MS		10
#define RETRY_MS_MAX		1000

static DEFINE_RAW_SPINLOCK(request_lock);
/* Those that were neither answered nor have expired, by id; request_lock. */
static struct rb_root requests = RB_ROOT;
static u64 last_request;			/* request_lock */

#ifdef CONFIG_MEMQUOTA_DEBUG
static DEFINE_HASHTABLE(called, 10);		/* request_lock */

static bool request_runs_here(void)
{
	struct memquota_sleeper *s;
	unsigned long flags;
	bool found = false;

	if (!(current->flags & PF_WQ_WORKER))
		return false;
	raw_spin_lock_irqsave(&request_lock, flags);
	hash_for_each_possible(called, s, called, (unsigned long)current)
		found |= s->task == current;
	raw_spin_unlock_irqrestore(&request_lock, flags);
	return found;
}

static void request_note_call(struct memquota_sleeper *s)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&request_lock, flags);
	s->task = current;
	hash_add(called, &s->called, (unsigned long)current);
	raw_spin_unlock_irqrestore(&request_lock, flags);
}

static void request_note_return_locked(struct memquota_sleeper *s)
{
	hash_del(&s->called);
}

void memquota_debug_charge(void)
{
	WARN_ONCE(in_nmi(), "memquota: charging in an NMI\n");
	if (in_hardirq() || in_serving_softirq())
		return;
	WARN_ONCE(memquota_runs_callbacks() || request_runs_here(),
		  "memquota: charging from a callback of memquota's\n");
}
EXPORT_SYMBOL_GPL(memquota_debug_charge);
#else
static void request_note_call(struct memquota_sleeper *s)
{
}

static void request_note_return_locked(struct memquota_sleeper *s)
{
}
#endif

static void request_insert_locked(struct memquota_sleeper *s)
{
	struct rb_node **link = &requests.rb_node, *parent = NULL;

	lockdep_assert_held(&request_lock);
	/* No request has a higher id. */
	while (*link) {
		parent = *link;
		link = &parent->rb_right;
	}
	rb_link_node(&s->by_id, parent, link);
	rb_insert_color(&s->by_id, &requests);
	list_add_tail(&s->node, &s->record->account->tracker->requests.list);
}

static void request_remove_locked(struct memquota_sleeper *s)
{
	lockdep_assert_held(&request_lock);
	rb_erase(&s->by_id, &requests);
	list_del_init(&s->node);
}

static struct memquota_sleeper *request_find_locked(u64 id)
{
	struct rb_node *node = requests.rb_node;
	struct memquota_sleeper *s;

	lockdep_assert_held(&request_lock);
	while (node) {
		s = rb_entry(node, struct memquota_sleeper, by_id);
		if (s->request.id == id)
			return s;
		node = id < s->request.id ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/*
 * Queue the work item, to drop the owner. Under the lock the sleeper is neither
 * idle nor freed.
 */
static void request_queue_locked(struct memquota_sleeper *s)
{
	lockdep_assert_held(&request_lock);
	queue_delayed_work(s->wq, &s->work, 0);
}

/* Return whether the caller must queue the work item, to drop the owner. */
static bool request_answer_locked(struct memquota_sleeper *s, int result)
{
	lockdep_assert_held(&request_lock);
	if (s->state & (SLEEPER_ANSWERED | SLEEPER_EXPIRED))
		return false;
	WRITE_ONCE(s->state, s->state | SLEEPER_ANSWERED);
	s->result = result;
	request_remove_locked(s);
	/* An owner mostly uncharges on the CPU on which it then answers. */
	memquota_flush_local(s->record);
	return s->state & SLEEPER_RETURNED;
}

/*
 * Return how many bytes the participant has uncharged since the request was
 * issued.
 */
static u64 request_freed(struct memquota_sleeper *s)
{
	struct memquota_record *r = s->record;

	if (atomic64_read(&r->uncharged) == s->uncharged)
		/* Slots may not have reported what they were given back. */
		memquota_drain_fresh(r->account->tracker);
	return atomic64_read(&r->uncharged) - s->uncharged;
}

/*
 * A request is answered or has expired: it is no longer pending. @bytes and @late
 * are what the sleeper noted at its issue.
 */
static void request_end_locked(struct memquota_requests *requests, u64 bytes,
			       u32 late)
{
	lockdep_assert_held(&request_lock);
	WRITE_ONCE(requests->nr_pending, requests->nr_pending - 1);
	requests->bytes -= bytes;
	if (late != requests->late)
		requests->late_bytes -= bytes;
}

/* Drop the owner, and carry out what the participant answered. */
static void request_finish(struct memquota_sleeper *s)
{
	struct memquota_record *r = s->record;
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;
	struct module *owner = r->owner;
	bool expired;
	u32 late;
	unsigned long flags;
	u64 freed = 0, bytes;

	r->ops->put(r->participant);
	module_put(owner);

	if (s->state & SLEEPER_ANSWERED && s->result < 0)
		freed = memquota_account_close_whole(a);
	else if (!(READ_ONCE(r->flags) & RECORD_COLLAPSING))
		freed = request_freed(s);
	s->question.freed = freed;
	/* Pairs with memquota_request_take_answer(). */
	smp_store_release(&s->answered, true);
	atomic64_add(freed, &t->reclaim.freed_bytes);
	memquota_history_freed(r, s->run, freed);

	expired = s->state & SLEEPER_EXPIRED;
	bytes = s->bytes;
	late = s->late;
	/* The next request overwrites what was read until here. */
	smp_store_release(&s->state, 0);
	memquota_index_put(r);
	/* Last: without pending requests, a run ends if the index is empty. */
	if (!expired) {
		raw_spin_lock_irqsave(&request_lock, flags);
		request_end_locked(&t->requests, bytes, late);
		raw_spin_unlock_irqrestore(&request_lock, flags);
	}
	memquota_reclaim_kick(t);
	memquota_record_unref(r);
}

/*
 * Return whether a callback that returned -EAGAIN is not called again. A
 * collapsing participant is, because it must learn that its account has closed.
 */
static bool request_is_over(struct memquota_sleeper *s)
{
	unsigned int state = READ_ONCE(s->state);

	return state & SLEEPER_ANSWERED ||
	       (state & SLEEPER_EXPIRED &&
		!(READ_ONCE(s->record->flags) & RECORD_COLLAPSING));
}

/*
 * Call the callback, unless it has returned already. Return whether the request
 * has ended.
 */
static bool request_call(struct memquota_sleeper *s)
{
	struct memquota_record *r = s->record;
	unsigned long flags;
	bool again, ended;
	int ret;

	if (READ_ONCE(s->state) & SLEEPER_RETURNED ||
	    (READ_ONCE(s->state) & SLEEPER_AGAIN && request_is_over(s)))
		return true;
	request_note_call(s);
	ret = r->ops->reclaim_sleeping(r->participant, &s->request);

	raw_spin_lock_irqsave(&request_lock, flags);
	request_note_return_locked(s);
	again = ret == -EAGAIN && !request_is_over(s);
	if (!again && ret != -EINPROGRESS)
		request_answer_locked(s, ret);
	ended = !again && s->state & (SLEEPER_ANSWERED | SLEEPER_EXPIRED);
	WRITE_ONCE(s->state,
		   s->state | (again ? SLEEPER_AGAIN : SLEEPER_RETURNED));
	raw_spin_unlock_irqrestore(&request_lock, flags);
	/* Only this work item queues itself before SLEEPER_RETURNED is set. */
	if (again) {
		queue_delayed_work(s->wq, &s->work,
				   msecs_to_jiffies(s->retry_ms));
		s->retry_ms = min(2 * s->retry_ms, RETRY_MS_MAX);
	}
	return ended;
}

static void request_work(struct work_struct *work)
{
	struct memquota_sleeper *s = container_of(to_delayed_work(work),
						  struct memquota_sleeper,
						  work);

	if (request_call(s))
		request_finish(s);
}

/*
 * Ask a sleeping participant, without waiting for its answer. Return whether a
 * request was issued. For the worker.
 */
bool memquota_request_issue(struct memquota_record *r,
			    const struct memquota_question *question)
{
	struct memquota_tracker *t = r->account->tracker;
	struct memquota_sleeper *s = r->sleeper;
	unsigned long flags;

	/*
	 * Only the worker issues requests, so an idle one stays idle. Pairs
	 * with the release in request_finish().
	 */
	if (smp_load_acquire(&s->state) || !memquota_call_get(r))
		return false;
	memquota_record_ref(r);
	memquota_index_take(r);
	s->uncharged = atomic64_read(&r->uncharged);
	s->run = memquota_history_run(t);
	s->issued = jiffies;
	s->retry_ms = RETRY_MS;
	s->wq = memquota_lane_wq(s->lane);
	s->question = *question;
	WRITE_ONCE(s->answered, false);
	/* An account that closes leaves the total without waiting for answers. */
	s->bytes = r->account->collapses ? 0 : question->used;

	raw_spin_lock_irqsave(&request_lock, flags);
	s->request.id = ++last_request;
	s->request.want_bytes = question->want_bytes;
	s->request.until_ns = question->until_ns;
	WRITE_ONCE(s->state, SLEEPER_ISSUED);
	request_insert_locked(s);
	WRITE_ONCE(t->requests.nr_pending, t->requests.nr_pending + 1);
	t->requests.bytes += s->bytes;
	s->late = t->requests.late;
	request_queue_locked(s);
	raw_spin_unlock_irqrestore(&request_lock, flags);
	return true;
}

/*
 * Return whether the participant has answered a request since the last call,
 * and which. For the worker.
 */
bool memquota_request_take_answer(struct memquota_record *r,
				  struct memquota_question *answered)
{
	struct memquota_sleeper *s = r->sleeper;

	/* Pairs with request_finish(): @question is complete. */
	if (!smp_load_acquire(&s->answered))
		return false;
	WRITE_ONCE(s->answered, false);
	*answered = s->question;
	return true;
}

/* Return what pending requests can bring back, those that are @late included. */
u64 memquota_requests_bytes(struct memquota_tracker *t, bool late)
{
	unsigned long flags;
	u64 bytes;

	raw_spin_lock_irqsave(&request_lock, flags);
	bytes = t->requests.bytes - (late ? 0 : t->requests.late_bytes);
	raw_spin_unlock_irqrestore(&request_lock, flags);
	return bytes;
}

/* Mark all pending requests as late. */
void memquota_requests_note_late(struct memquota_tracker *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&request_lock, flags);
	t->requests.late++;
	t->requests.late_bytes = t->requests.bytes;
	raw_spin_unlock_irqrestore(&request_lock, flags);
}

/**
 * memquota_reclaim_done - answer a request for which -EINPROGRESS was returned
 * @request: the id in the struct memquota_request
 * @result: 0; or an errno if the owner could not reclaim: the account closes
 *
 * A second answer, or one after the request has expired, is ignored.
 *
 * Context: any but NMI.
 */
void memquota_reclaim_done(u64 request, int result)
{
	struct memquota_sleeper *s;
	unsigned long flags;

	raw_spin_lock_irqsave(&request_lock, flags);
	s = request_find_locked(request);
	if (s && request_answer_locked(s, result))
		request_queue_locked(s);
	raw_spin_unlock_irqrestore(&request_lock, flags);
}
EXPORT_SYMBOL_GPL(memquota_reclaim_done);

/*
 * Count requests that were issued give_up_ms ago as busy, and close the accounts
 * of programs among them (rule U5), since a program may never answer. With
 * @all, the tracker ends: expire all, and close no account. No request is issued
 * meanwhile. Return how long until the next request expires, in jiffies. May
 * sleep; waits for no callback.
 */
long memquota_requests_expire(struct memquota_tracker *t, bool all)
{
	struct memquota_sleeper *s;
	struct memquota_record *r;
	unsigned int give_up_ms;
	unsigned long flags;
	long left;

	for (;;) {
		/* The list is in the order of expiry, whatever it was before. */
		give_up_ms = READ_ONCE(memquota_give_up_ms);
		raw_spin_lock_irqsave(&request_lock, flags);
		s = list_first_entry_or_null(&t->requests.list,
					     struct memquota_sleeper, node);
		left = s ? (long)(s->issued + msecs_to_jiffies(give_up_ms) -
				  jiffies) : MAX_SCHEDULE_TIMEOUT;
		if (!s || (left > 0 && !all)) {
			raw_spin_unlock_irqrestore(&request_lock, flags);
			return left;
		}
		r = s->record;
		memquota_record_ref(r);
		WRITE_ONCE(s->state, s->state | SLEEPER_EXPIRED);
		request_remove_locked(s);
		request_end_locked(&t->requests, s->bytes, s->late);
		if (s->state & SLEEPER_RETURNED)
			request_queue_locked(s);
		raw_spin_unlock_irqrestore(&request_lock, flags);
		if (!all) {
			pr_warn_ratelimited("%s: %s has not answered for %u ms\n",
					    t->name, memquota_record_name(r),
					    give_up_ms);
			if (READ_ONCE(r->flags) & RECORD_PROGRAM)
				atomic64_add(memquota_account_close_whole(r->account),
					     &t->reclaim.freed_bytes);
		}
		memquota_record_unref(r);
		cond_resched();
	}
}

/*
 * Allocate what requests to the participant need, for memquota_sleeper_free();
 * NULL if there is no memory for it.
 */
struct memquota_sleeper *memquota_sleeper_alloc(struct memquota_record *r,
						gfp_t gfp)
{
	struct memquota_sleeper *s = kzalloc(sizeof(*s), gfp);

	if (!s)
		return NULL;
	if (!(READ_ONCE(r->flags) & RECORD_PROGRAM)) {
		s->lane = memquota_lane_get(r->account->tracker, r->owner, gfp);
		if (!s->lane) {
			kfree(s);
			return NULL;
		}
	}
	s->record = r;
	INIT_DELAYED_WORK(&s->work, request_work);
	INIT_LIST_HEAD(&s->node);
	return s;
}

/* Wait until no atomic callback runs. May sleep. */
static void barrier_atomic(void)
{
	memquota_callbacks_begin();
	memquota_callbacks_end();
}

/* See memquota_barrier(). */
void __memquota_barrier(struct module *owner)
{
	barrier_atomic();
	memquota_lanes_flush(owner);
}
EXPORT_SYMBOL_GPL(__memquota_barrier);

/* Wait until no callback of any module runs, nor of a program. May sleep. */
void memquota_barrier_all(void)
{
	barrier_atomic();
	memquota_lanes_flush_all();
}
