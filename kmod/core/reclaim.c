// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: one kthread a tracker, which asks the account with the oldest data,
 * and its descendants, until the total is at or below low_water.
 *
 * The kthread sleeps with @awake cleared, and whoever raises the total above
 * high wakes it unless @awake is set. Raising is a full barrier before reading
 * @awake, and clearing it is followed by one before the total is read, so that
 * at least one of the two sees the other.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include "history.h"
#include "core.h"
#include "trace.h"

/* R6: the most that one call of an atomic callback is asked for. */
#define ATOMIC_WANT_MAX		(256 * 1024)

/* Entries of a list that are handled before its lock is dropped (R11). */
#define BATCH			64

/* R9: audits that must fail in a row before the tracker is poisoned. */
#define SUSPICIONS		3

/* What a run has done so far. */
struct run {
	bool over;		/* it is for the limits' sake, not only the system's */
	u64 floor;		/* total to reach for the system's sake */
	u64 refused;		/* bytes that were refused, counted as charged */
	u64 freed;
	unsigned int victims;
};

static bool over_high(struct memquota_tracker *t)
{
	return memquota_tracker_total(t) + READ_ONCE(t->waiting_bytes) >
	       READ_ONCE(t->high);
}

static bool needed(struct memquota_tracker *t)
{
	if (READ_ONCE(t->state) != MEMQUOTA_COUNTING)
		return false;
	return over_high(t) || atomic64_read(&t->refused) ||
	       atomic64_read(&t->pressure);
}

/* How much is still to be freed, by the limits of this moment. */
static u64 wanted(struct memquota_tracker *t, struct run *run)
{
	u64 total = memquota_tracker_total(t), counted, low, want = 0;

	run->refused += atomic64_xchg(&t->refused, 0);
	run->over |= run->refused || over_high(t);
	low = READ_ONCE(t->low_water);
	counted = total + run->refused + READ_ONCE(t->waiting_bytes);
	if (run->over && counted > low)
		want = min(counted - low, total);
	if (total > run->floor)
		want = max(want, total - run->floor);
	return want;
}

/* R12: who can give without loss does so before anyone is asked. */
static void trim(struct memquota_tracker *t)
{
	struct memquota_record *batch[BATCH], *r;
	unsigned int i, n;
	unsigned long flags;

	do {
		raw_spin_lock_irqsave(&t->lock, flags);
		for (n = 0; n < BATCH; n++) {
			r = list_first_entry_or_null(&t->trimmers,
						     struct memquota_record,
						     trimmers);
			if (!r || r->trimmed == t->run)
				break;
			r->trimmed = t->run;
			list_move_tail(&r->trimmers, &t->trimmers);
			memquota_record_ref(r);
			batch[n] = r;
		}
		raw_spin_unlock_irqrestore(&t->lock, flags);
		for (i = 0; i < n; i++) {
			while (memquota_call_trim(batch[i]))
				cond_resched();
			memquota_record_unref(batch[i]);
		}
		cond_resched();
	} while (n);
}

/* What collect_victims() looks for. */
struct collection {
	u64 round;
	struct list_head *victims;
};

static bool collect_victim(struct memquota_record *r, void *arg)
{
	struct collection *c = arg;

	if (r->round == c->round)
		return false;
	r->round = c->round;
	if (!r->active) {
		r->chosen = true;
		return true;
	}
	memquota_record_ref(r);
	list_add_tail(&r->victim, c->victims);
	if (READ_ONCE(r->flags) & RECORD_COLLAPSING)
		r->account->collapses = true;
	return true;
}

/*
 * The records of an account that have joined for good become victims of the
 * round, each pinned.
 */
static void collect_victims(struct memquota_account *a, u64 round,
			    struct list_head *victims)
{
	struct collection c = { .round = round, .victims = victims };

	a->collapses = false;
	memquota_walk_records(a, collect_victim, &c);
}

/*
 * Ask an atomic partial participant: once, or, where its account is about to
 * close, for everything, until it holds nothing or makes no progress (R5).
 * Returns whether it freed something.
 */
static bool ask_partial(struct memquota_record *r,
			const struct memquota_request *request,
			struct run *run)
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
 * One round (R3): every participant of the account with the oldest data, and
 * of its descendants, once.
 */
static void ask_round(struct memquota_tracker *t, struct memquota_record *oldest,
		      u64 want, struct run *run)
{
	struct memquota_request request = { .want_bytes = want };
	u64 arrival = oldest->key_ns, round = ++t->round, freed;
	struct memquota_account *a, *next_a;
	struct memquota_record *r, *next;
	bool progress = false;
	LIST_HEAD(accounts);
	LIST_HEAD(victims);

	memquota_walk_down(oldest->account, &accounts);
	list_for_each_entry(a, &accounts, down) {
		atomic64_add_unless(&a->reclaims, 1, -1);
		collect_victims(a, round, &victims);
	}

	/* Up to where the data of the next account in order begins (R6). */
	request.until_ns = max(memquota_index_bound(t, round), arrival);

	/* The sleeping ones at once, none waiting for another (R4). */
	list_for_each_entry(r, &victims, victim) {
		trace_memquota_victim(r, arrival, request.until_ns, want);
		memquota_history_asked(r, want, arrival);
		run->victims++;
		if (!(READ_ONCE(r->flags) & RECORD_SLEEPING))
			continue;
		r->asked = memquota_ask(r, r->account->collapses ? U64_MAX : want,
					r->account->collapses ? U64_MAX :
								request.until_ns);
		if (r == oldest)
			progress = r->asked;
	}
	list_for_each_entry(r, &victims, victim)
		if (!(READ_ONCE(r->flags) & (RECORD_SLEEPING | RECORD_COLLAPSING))) {
			bool freed_some = ask_partial(r, &request, run);

			if (r == oldest)
				progress = freed_some;
			/* Its head has moved: look again before it is chosen. */
			r->looked = 0;
		}
	/* Once asked, the account closes, whatever was freed yet (R5). */
	request.want_bytes = U64_MAX;
	request.until_ns = U64_MAX;
	list_for_each_entry_safe(r, next, &victims, victim) {
		if (!(READ_ONCE(r->flags) & RECORD_COLLAPSING))
			continue;
		freed = 0;
		if (READ_ONCE(r->flags) & RECORD_SLEEPING ? r->asked :
		    memquota_call_reclaim(r, &request, &freed)) {
			freed += memquota_account_close(r->account);
			run->freed += freed;
			memquota_history_freed(r, memquota_history_run(t),
					       freed);
			if (r == oldest)
				progress = true;
		}
		cond_resched();
	}

	/* Busy: its data is in flight; or it cannot be called now (R6). */
	if (!progress)
		memquota_index_put(oldest, true);

	list_for_each_entry_safe(r, next, &victims, victim) {
		memquota_record_unref(r);
		cond_resched();
	}
	list_for_each_entry_safe(a, next_a, &accounts, down)
		memquota_account_unref(a);
}

static bool ending(struct memquota_tracker *t)
{
	return kthread_should_stop() ||
	       READ_ONCE(t->state) != MEMQUOTA_COUNTING;
}

/*
 * Wait for answers: answer_ms, and longer while the total is not above high,
 * until each has answered or expired (R4).
 */
static void await_answers(struct memquota_tracker *t, struct run *run)
{
	long patience = msecs_to_jiffies(READ_ONCE(memquota_answer_ms));
	unsigned long next_round = jiffies + patience;
	long left;

	while (memquota_asked(t) && !ending(t) && wanted(t, run)) {
		left = memquota_expire_requests(t, false);
		if (!time_before(jiffies, next_round)) {
			if (over_high(t))
				return;
			next_round = jiffies + patience;
		}
		wait_event_freezable_timeout(t->wake,
					     !memquota_asked(t) || ending(t),
					     clamp(left, 1L, max(patience, 1L)));
	}
}

/* Nobody left to ask but the busy: maybe it is the books that are wrong (R9). */
static void give_up(struct memquota_tracker *t)
{
	u64 sum, total;

	pr_warn_ratelimited("%s: nobody left to reclaim from at %llu bytes, low_water %llu\n",
			    t->name, memquota_tracker_total(t),
			    READ_ONCE(t->low_water));
	t->backoff = jiffies + HZ;
	t->backing_off = true;
	if (memquota_audit(t, &sum, &total)) {
		t->suspicions = 0;
		return;
	}
	pr_warn("%s: the total is %llu, its parts sum up to %llu\n", t->name,
		total, sum);
	if (++t->suspicions >= SUSPICIONS)
		memquota_tracker_poison(t, "the total exceeds its parts");
}

static void reclaim(struct memquota_tracker *t)
{
	u64 pressure = atomic64_xchg(&t->pressure, 0);
	struct run run = { .floor = U64_MAX };
	struct memquota_record *oldest;
	bool reached = false;
	u64 total, want;

	memquota_tracker_drain(t);
	total = memquota_tracker_total(t);
	if (pressure)
		run.floor = total - min(total, pressure);
	if (!wanted(t, &run))
		return;

	if (!++t->run)
		t->run = 1;
	memquota_index_restore(t);
	pr_info_ratelimited("%s: reclaiming from %llu bytes, high %llu, low_water %llu\n",
			    t->name, total, READ_ONCE(t->high),
			    READ_ONCE(t->low_water));
	trace_memquota_reclaim_start(t, run.refused, pressure);
	memquota_history_begin(t, total, run.refused, pressure);
	trim(t);

	while (!ending(t)) {
		want = wanted(t, &run);
		reached = !want;
		if (reached)
			break;
		oldest = memquota_index_oldest(t);
		if (oldest) {
			ask_round(t, oldest, want, &run);
			memquota_record_unref(oldest);
		} else if (!memquota_asked(t)) {
			give_up(t);
			break;
		}
		await_answers(t, &run);
		cond_resched();
	}

	run.freed += atomic64_xchg(&t->freed, 0);
	if (run.victims)
		WRITE_ONCE(t->reclaims, t->reclaims + 1);
	memquota_history_end(t, reached);
	trace_memquota_reclaim_end(t, run.victims, run.freed, reached);
	pr_info_ratelimited("%s: reclaimed to %llu bytes, %u victims, %llu bytes freed\n",
			    t->name, memquota_tracker_total(t), run.victims,
			    run.freed);
#ifdef CONFIG_MEMQUOTA_DEBUG
	memquota_check(t);
#endif
}

/* Sleep until there is something to do; between runs that failed, a second. */
static void doze(struct memquota_tracker *t)
{
	long left = memquota_expire_requests(t, false);
	long pause = t->backoff - jiffies;

	if (t->backing_off && pause > 0) {
		left = min(left, pause);
	} else {
		t->backing_off = false;
		WRITE_ONCE(t->awake, false);
		/* Pairs with the atomic addition in total_add(). */
		smp_mb();
	}
	wait_event_freezable_timeout(t->wake,
				     kthread_should_stop() ||
				     READ_ONCE(t->draining) ||
				     (!t->backing_off && needed(t)), left);
	WRITE_ONCE(t->awake, true);
}

static int reclaim_thread(void *data)
{
	struct memquota_tracker *t = data;

	set_freezable();
	while (!kthread_should_stop()) {
		doze(t);
		if (READ_ONCE(t->draining)) {
			/* Poisoned: what caches hold is void. */
			WRITE_ONCE(t->draining, false);
			raw_spin_lock_irq(&t->wait_lock);
			memquota_cache_limits(t);
			raw_spin_unlock_irq(&t->wait_lock);
			memquota_tracker_drain(t);
			memquota_wake_waiters(t);
		}
		if (needed(t) && !(t->backing_off &&
				   time_before(jiffies, t->backoff)))
			reclaim(t);
	}
	return 0;
}

/*
 * The system's memory pressure. Whoever allocates may hold an owner's lock, so
 * nobody is called from here: the kthread gets the target (R12).
 */
static unsigned long shrink_count(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct memquota_tracker *t = memquota_shrinker_data(shrinker);

	return memquota_tracker_total(t) >> PAGE_SHIFT;
}

static unsigned long shrink_scan(struct shrinker *shrinker,
				 struct shrink_control *sc)
{
	struct memquota_tracker *t = memquota_shrinker_data(shrinker);

	atomic64_add((u64)sc->nr_to_scan << PAGE_SHIFT, &t->pressure);
	irq_work_queue(&t->irq_work);
	/* It is taken care of: what stops is asked for again, and more of it. */
	return 0;
}

int memquota_reclaim_start(struct memquota_tracker *t)
{
	int err;

	t->thread = kthread_create(reclaim_thread, t, "memquota/%s", t->name);
	if (IS_ERR(t->thread))
		return PTR_ERR(t->thread);
	t->shrinker = memquota_shrinker_create(t->name, t, shrink_count,
					       shrink_scan);
	if (IS_ERR(t->shrinker)) {
		err = PTR_ERR(t->shrinker);
		t->shrinker = NULL;
		kthread_stop(t->thread);
		t->thread = NULL;
		return err;
	}
	wake_up_process(t->thread);
	return 0;
}

void memquota_reclaim_stop(struct memquota_tracker *t)
{
	memquota_shrinker_destroy(t->shrinker);
	kthread_stop(t->thread);
	t->thread = NULL;
	/* Nobody waits for answers any more: let go of who could give them. */
	memquota_expire_requests(t, true);
}
