// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: one kthread a tracker, which asks the account with the oldest data,
 * and its descendants, until the total is at or below low_water.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include "audit.h"
#include "callback.h"
#include "graph.h"
#include "history.h"
#include "record.h"
#include "total.h"
#include "trace.h"
#include "victim.h"

/**
 * DOC: Waking the kthread
 *
 * The kthread clears @awake before it sleeps, unless it backs off. A charge
 * that raises the total above high wakes it unless @awake is set. The charge
 * raises the total, with a full barrier, before it reads @awake. reclaim_doze()
 * clears @awake, with a full barrier, before it reads the total. So at least
 * one of the two sees what the other wrote.
 */

/* The most that one call of an atomic callback is asked for (rule R6). */
#define ATOMIC_WANT_MAX		(256 * 1024)

/* Audits that must fail in a row before the tracker is poisoned (rule R9). */
#define SUSPICIONS		3

/**
 * struct reclaim_run - what a run has done so far
 * @for_limits: it reclaims for the tracker's limits, not only for the system
 * @floor: total to reach for the system's memory pressure
 * @refused: bytes that were refused, which count as charged
 * @freed: bytes that its victims freed
 * @victims: victims that it has asked
 */
struct reclaim_run {
	bool for_limits;
	u64 floor;
	u64 refused;
	u64 freed;
	unsigned int victims;
};

static bool total_over_high(struct memquota_tracker *t)
{
	return memquota_tracker_total(t) + READ_ONCE(t->waitq.bytes) >
	       READ_ONCE(t->high);
}

static bool reclaim_needed(struct memquota_tracker *t)
{
	if (READ_ONCE(t->state) != MEMQUOTA_COUNTING)
		return false;
	return total_over_high(t) || atomic64_read(&t->reclaim.refused_bytes) ||
	       atomic64_read(&t->reclaim.pressure_bytes);
}

/* Return how much is still to be freed, by the present limits. */
static u64 run_wanted(struct memquota_tracker *t, struct reclaim_run *run)
{
	u64 total = memquota_tracker_total(t), counted, low, want = 0;

	run->refused += atomic64_xchg(&t->reclaim.refused_bytes, 0);
	run->for_limits |= run->refused || total_over_high(t);
	low = READ_ONCE(t->low_water);
	counted = total + run->refused + READ_ONCE(t->waitq.bytes);
	if (run->for_limits && counted > low)
		want = min(counted - low, total);
	if (total > run->floor)
		want = max(want, total - run->floor);
	return want;
}

/* Have participants give what they can without loss (rule R12). */
static void run_trim(struct memquota_tracker *t)
{
	struct memquota_record *batch[MEMQUOTA_BATCH], *r;
	struct memquota_accounts *accounts = &t->accounts;
	unsigned int i, n;
	unsigned long flags;

	do {
		raw_spin_lock_irqsave(&accounts->lock, flags);
		for (n = 0; n < MEMQUOTA_BATCH; n++) {
			r = list_first_entry_or_null(&accounts->trimmers,
						     struct memquota_record,
						     trimmers);
			if (!r || r->trimmed_run == t->reclaim.run)
				break;
			r->trimmed_run = t->reclaim.run;
			list_move_tail(&r->trimmers, &accounts->trimmers);
			memquota_record_ref(r);
			batch[n] = r;
		}
		raw_spin_unlock_irqrestore(&accounts->lock, flags);
		for (i = 0; i < n; i++) {
			while (memquota_call_trim(batch[i]))
				cond_resched();
			memquota_record_unref(batch[i]);
		}
		cond_resched();
	} while (n);
}

struct victim_collection {
	u64 round;
	struct list_head *victims;
};

static bool victim_collect(struct memquota_record *r, void *arg)
{
	struct victim_collection *c = arg;

	if (r->victim.round == c->round)
		return false;
	r->victim.round = c->round;
	if (!r->active) {
		r->chosen = true;
		return true;
	}
	memquota_record_ref(r);
	list_add_tail(&r->victim.node, c->victims);
	if (READ_ONCE(r->flags) & RECORD_COLLAPSING)
		r->account->collapses = true;
	return true;
}

/*
 * Add the account's active participants to the victims of the round, each with
 * a reference.
 */
static void account_collect_victims(struct memquota_account *a, u64 round,
				    struct list_head *victims)
{
	struct victim_collection c = { .round = round, .victims = victims };

	a->collapses = false;
	memquota_walk_records(a, victim_collect, &c);
}

/*
 * Ask an atomic partial participant once; or, if its account is about to close,
 * for everything until it holds nothing or makes no progress (rule R5). Return
 * whether it freed something.
 */
static bool victim_ask_partial(struct memquota_record *r,
			       const struct memquota_request *request,
			       struct reclaim_run *run)
{
	bool all = r->account->collapses, progress = false;
	struct memquota_request bounded = *request;
	u64 freed;

	bounded.want_bytes = min_t(u64, request->want_bytes, ATOMIC_WANT_MAX);
	if (all) {
		bounded.want_bytes = ATOMIC_WANT_MAX;
		bounded.until_ns = U64_MAX;
	}
	do {
		if (!memquota_record_used(r) ||
		    !memquota_call_reclaim(r, &bounded, &freed))
			break;
		run->freed += freed;
		memquota_history_freed(r, memquota_history_run(r->account->tracker),
				       freed);
		progress |= freed;
		cond_resched();
	} while (all && freed);
	return progress;
}

/*
 * Issue requests to all sleeping victims without waiting for answers (rule R4).
 * Return whether @oldest was issued one.
 */
static bool round_issue_requests(struct list_head *victims,
				 const struct memquota_record *oldest,
				 const struct memquota_request *request,
				 u64 arrival_ns, struct reclaim_run *run)
{
	struct memquota_record *r;
	bool progress = false;

	list_for_each_entry(r, victims, victim.node) {
		bool all = r->account->collapses;

		trace_memquota_victim(r, arrival_ns, request->until_ns,
				      request->want_bytes);
		memquota_history_asked(r, request->want_bytes, arrival_ns);
		run->victims++;
		if (!(READ_ONCE(r->flags) & RECORD_SLEEPING))
			continue;
		r->victim.requested =
			memquota_request_issue(r,
					       all ? U64_MAX : request->want_bytes,
					       all ? U64_MAX : request->until_ns);
		if (r == oldest)
			progress = r->victim.requested;
	}
	return progress;
}

/* Ask the atomic partial victims. Return whether @oldest freed something. */
static bool round_ask_partial(struct list_head *victims,
			      const struct memquota_record *oldest,
			      const struct memquota_request *request,
			      struct reclaim_run *run)
{
	struct memquota_record *r;
	bool progress = false, freed;

	list_for_each_entry(r, victims, victim.node) {
		if (READ_ONCE(r->flags) & (RECORD_SLEEPING | RECORD_COLLAPSING))
			continue;
		freed = victim_ask_partial(r, request, run);
		if (r == oldest)
			progress = freed;
		/* Its head has moved: look at it again before it is chosen. */
		r->index.looked_run = 0;
	}
	return progress;
}

/*
 * Ask the collapsing victims, and close the account of each that was asked,
 * whether or not it has freed anything yet (rule R5). Return whether @oldest was
 * among them.
 */
static bool round_collapse(struct list_head *victims,
			   const struct memquota_record *oldest,
			   struct reclaim_run *run)
{
	static const struct memquota_request everything = {
		.want_bytes = U64_MAX,
		.until_ns = U64_MAX,
	};
	struct memquota_record *r;
	bool progress = false;
	u64 freed;

	list_for_each_entry(r, victims, victim.node) {
		if (!(READ_ONCE(r->flags) & RECORD_COLLAPSING))
			continue;
		freed = 0;
		if (READ_ONCE(r->flags) & RECORD_SLEEPING ?
		    r->victim.requested :
		    memquota_call_reclaim(r, &everything, &freed)) {
			freed += memquota_account_close(r->account);
			run->freed += freed;
			memquota_history_freed(r,
					       memquota_history_run(r->account->tracker),
					       freed);
			if (r == oldest)
				progress = true;
		}
		cond_resched();
	}
	return progress;
}

/*
 * Ask every participant of the account with the oldest data, and of its
 * descendants, once (rule R3).
 */
static void reclaim_round(struct memquota_tracker *t,
			  struct memquota_record *oldest, u64 want,
			  struct reclaim_run *run)
{
	struct memquota_request request = { .want_bytes = want };
	u64 arrival_ns = oldest->index.key_ns, round = ++t->reclaim.round;
	struct memquota_account *a, *next_a;
	struct memquota_record *r, *next;
	bool progress;
	LIST_HEAD(accounts);
	LIST_HEAD(victims);

	memquota_walk_down(oldest->account, &accounts);
	list_for_each_entry(a, &accounts, down) {
		atomic64_add_unless(&a->reclaims, 1, -1);
		account_collect_victims(a, round, &victims);
	}

	/* Up to where the data of the next account in order begins (rule R6). */
	request.until_ns = max(memquota_victim_bound(t, round), arrival_ns);

	progress = round_issue_requests(&victims, oldest, &request, arrival_ns,
					run);
	progress |= round_ask_partial(&victims, oldest, &request, run);
	progress |= round_collapse(&victims, oldest, run);
	/* It is busy, its data in flight, or it cannot be called (rule R6). */
	if (!progress)
		memquota_index_put(oldest, true);

	list_for_each_entry_safe(r, next, &victims, victim.node) {
		memquota_record_unref(r);
		cond_resched();
	}
	list_for_each_entry_safe(a, next_a, &accounts, down)
		memquota_account_unref(a);
}

static bool reclaim_must_end(struct memquota_tracker *t)
{
	return kthread_should_stop() ||
	       READ_ONCE(t->state) != MEMQUOTA_COUNTING;
}

/*
 * Wait until each request was answered or has expired. While the total is above
 * high, wait for answer_ms at most (rule R4).
 */
static void run_await_answers(struct memquota_tracker *t,
			      struct reclaim_run *run)
{
	long patience = msecs_to_jiffies(READ_ONCE(memquota_answer_ms));
	unsigned long next_round = jiffies + patience;
	unsigned int *nr_pending = &t->requests.nr_pending;
	long left;

	while (READ_ONCE(*nr_pending) && !reclaim_must_end(t) &&
	       run_wanted(t, run)) {
		left = memquota_requests_expire(t, false);
		if (!time_before(jiffies, next_round)) {
			if (total_over_high(t))
				return;
			next_round = jiffies + patience;
		}
		wait_event_freezable_timeout(t->reclaim.wake,
					     !READ_ONCE(*nr_pending) ||
					     reclaim_must_end(t),
					     clamp(left, 1L, max(patience, 1L)));
	}
}

/*
 * All participants are busy or hold nothing, yet the total is above low_water:
 * back off for a second, and audit, since the total may be wrong (rule R9).
 */
static void reclaim_give_up(struct memquota_tracker *t)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	u64 sum, total;

	pr_warn_ratelimited("%s: no participant left to ask at %llu bytes, low_water %llu\n",
			    t->name, memquota_tracker_total(t),
			    READ_ONCE(t->low_water));
	reclaim->backoff_until = jiffies + HZ;
	reclaim->backing_off = true;
	if (memquota_audit(t, &sum, &total)) {
		reclaim->suspicions = 0;
		return;
	}
	pr_warn("%s: the total is %llu, its parts sum up to %llu\n", t->name,
		total, sum);
	if (++reclaim->suspicions >= SUSPICIONS)
		memquota_tracker_poison(t, "the total exceeds its parts");
}

/* Ask round by round. Return whether the run has freed what was wanted. */
static bool run_rounds(struct memquota_tracker *t, struct reclaim_run *run)
{
	struct memquota_record *oldest;
	u64 want;

	while (!reclaim_must_end(t)) {
		want = run_wanted(t, run);
		if (!want)
			return true;
		oldest = memquota_victim_oldest(t);
		if (oldest) {
			reclaim_round(t, oldest, want, run);
			memquota_record_unref(oldest);
		} else if (!READ_ONCE(t->requests.nr_pending)) {
			reclaim_give_up(t);
			return false;
		}
		run_await_answers(t, run);
		cond_resched();
	}
	return false;
}

static void reclaim_run(struct memquota_tracker *t)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	u64 pressure = atomic64_xchg(&reclaim->pressure_bytes, 0), total;
	struct reclaim_run run = { .floor = U64_MAX };
	bool reached;

	memquota_tracker_drain(t);
	total = memquota_tracker_total(t);
	if (pressure)
		run.floor = total - min(total, pressure);
	if (!run_wanted(t, &run))
		return;

	if (!++reclaim->run)
		reclaim->run = 1;
	memquota_index_restore(t);
	pr_info_ratelimited("%s: reclaiming from %llu bytes, high %llu, low_water %llu\n",
			    t->name, total, READ_ONCE(t->high),
			    READ_ONCE(t->low_water));
	trace_memquota_reclaim_start(t, run.refused, pressure);
	memquota_history_begin(t, total, run.refused, pressure);
	run_trim(t);
	reached = run_rounds(t, &run);

	run.freed += atomic64_xchg(&reclaim->freed_bytes, 0);
	if (run.victims)
		WRITE_ONCE(reclaim->nr_runs, reclaim->nr_runs + 1);
	memquota_history_end(t, reached);
	trace_memquota_reclaim_end(t, run.victims, run.freed, reached);
	pr_info_ratelimited("%s: reclaimed to %llu bytes, %u victims, %llu bytes freed\n",
			    t->name, memquota_tracker_total(t), run.victims,
			    run.freed);
#ifdef CONFIG_MEMQUOTA_DEBUG
	memquota_check(t);
#endif
}

/* Sleep until there is something to do, and while the kthread backs off. */
static void reclaim_doze(struct memquota_tracker *t)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	long left = memquota_requests_expire(t, false);
	long pause = reclaim->backoff_until - jiffies;

	if (reclaim->backing_off && pause > 0) {
		left = min(left, pause);
	} else {
		reclaim->backing_off = false;
		WRITE_ONCE(reclaim->awake, false);
		/* Pairs with the exchange in memquota_total_add(). */
		smp_mb();
	}
	wait_event_freezable_timeout(reclaim->wake,
				     kthread_should_stop() ||
				     READ_ONCE(reclaim->draining) ||
				     (!reclaim->backing_off &&
				      reclaim_needed(t)), left);
	WRITE_ONCE(reclaim->awake, true);
}

/* The tracker was poisoned: void the caches, and wake the tasks that wait. */
static void reclaim_void_caches(struct memquota_tracker *t)
{
	WRITE_ONCE(t->reclaim.draining, false);
	raw_spin_lock_irq(&t->waitq.lock);
	memquota_cache_limits(t);
	raw_spin_unlock_irq(&t->waitq.lock);
	memquota_tracker_drain(t);
	memquota_wake_waiters(t);
}

static int reclaim_thread(void *data)
{
	struct memquota_tracker *t = data;
	struct memquota_reclaim *reclaim = &t->reclaim;

	set_freezable();
	while (!kthread_should_stop()) {
		reclaim_doze(t);
		if (READ_ONCE(reclaim->draining))
			reclaim_void_caches(t);
		if (reclaim_needed(t) &&
		    !(reclaim->backing_off &&
		      time_before(jiffies, reclaim->backoff_until)))
			reclaim_run(t);
	}
	return 0;
}

static unsigned long shrinker_count(struct shrinker *shrinker,
				    struct shrink_control *sc)
{
	struct memquota_tracker *t = memquota_shrinker_data(shrinker);

	return memquota_tracker_total(t) >> PAGE_SHIFT;
}

/*
 * Hand the system's target to the kthread (rule R12). The task that allocates
 * may hold a lock of a participant's owner, so no participant is called here.
 */
static unsigned long shrinker_scan(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct memquota_tracker *t = memquota_shrinker_data(shrinker);

	atomic64_add((u64)sc->nr_to_scan << PAGE_SHIFT,
		     &t->reclaim.pressure_bytes);
	irq_work_queue(&t->irq_work);
	/*
	 * SHRINK_STOP would make the kernel keep the target and ask for it
	 * again with more on top, though the kthread works on it.
	 */
	return 0;
}

int memquota_reclaim_start(struct memquota_tracker *t)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	int err;

	reclaim->thread = kthread_create(reclaim_thread, t, "memquota/%s",
					 t->name);
	if (IS_ERR(reclaim->thread))
		return PTR_ERR(reclaim->thread);
	reclaim->shrinker = memquota_shrinker_create(t->name, t, shrinker_count,
						     shrinker_scan);
	if (IS_ERR(reclaim->shrinker)) {
		err = PTR_ERR(reclaim->shrinker);
		reclaim->shrinker = NULL;
		kthread_stop(reclaim->thread);
		reclaim->thread = NULL;
		return err;
	}
	wake_up_process(reclaim->thread);
	return 0;
}

void memquota_reclaim_stop(struct memquota_tracker *t)
{
	struct memquota_reclaim *reclaim = &t->reclaim;

	memquota_shrinker_destroy(reclaim->shrinker);
	kthread_stop(reclaim->thread);
	reclaim->thread = NULL;
	/* Without the kthread no run waits for answers: drop the owners. */
	memquota_requests_expire(t, true);
}
