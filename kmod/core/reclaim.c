// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: runs, which ask the account with the oldest data, and its
 * descendants, until the total is at or below low_water.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/sched.h>
#include "audit.h"
#include "callback.h"
#include "graph.h"
#include "history.h"
#include "record.h"
#include "sum.h"
#include "total.h"
#include "trace.h"
#include "victim.h"

/* The most that one call of an atomic callback is asked for (rule R6). */
#define ATOMIC_WANT_MAX		(256 * 1024)

/* Calls in a row to trim, or to free all, beside one per page that is held. */
#define CALLS_MAX		64

/* Waits for late answers in a run while the total is above high (rule R4). */
#define WAITS_MAX		10

/*
 * Records and links of closed accounts that are reaped before a victim is chosen.
 * Programs that close accounts all the time must not keep a run from asking.
 */
#define REAP_MAX		65536

/* Runs in a row that give up and look again soon. */
#define REPEATS_MAX		10

/* Audits that must fail in a row before the tracker is poisoned (rule R9). */
#define SUSPICIONS		3

enum run_result {
	RUN_REACHED,		/* what was wanted is free */
	RUN_GAVE_UP,		/* nothing left to ask, or the tracker has ended */
	RUN_WAITS,		/* for answers: it is not at its end */
};

static bool total_over_high(struct memquota_tracker *t)
{
	return memquota_tracker_total(t) + READ_ONCE(t->waitq.bytes) >
	       READ_ONCE(t->high);
}

/* Return whether there is something to reclaim. */
bool memquota_reclaim_needed(struct memquota_tracker *t)
{
	if (READ_ONCE(t->state) != MEMQUOTA_COUNTING)
		return false;
	/* Tasks alone, without a byte to free, are no work. */
	return (memquota_tracker_total(t) && total_over_high(t)) ||
	       READ_ONCE(t->reclaim.unfinished) ||
	       atomic64_read(&t->reclaim.refused_bytes) ||
	       atomic64_read(&t->pressure.bytes) >= PAGE_SIZE;
}

/*
 * Return how much is still to be freed, by the present limits. A run for the
 * system ends when it has freed what was wanted, whatever is charged meanwhile;
 * or when the limits want something, since other victims may be asked for that.
 */
static u64 run_wanted(struct memquota_tracker *t, struct memquota_run *run)
{
	u64 total = memquota_tracker_total(t), counted, want = 0;
	u64 low = READ_ONCE(t->low_water), max = READ_ONCE(t->max);

	if (run->for_system) {
		if (total_over_high(t) ||
		    atomic64_read(&t->reclaim.refused_bytes))
			return 0;
		run->freed += atomic64_xchg(&t->reclaim.freed_bytes, 0);
		return run->pressure -
		       min(run->pressure, run->freed + run->trimmed);
	}
	run->refused += atomic64_xchg(&t->reclaim.refused_bytes, 0);
	run->for_limits |= run->refused || total_over_high(t);
	/* Many of the refused charges may be one that was tried again. */
	run->refused = min(run->refused, max - min(low, max));
	counted = total + run->refused + READ_ONCE(t->waitq.bytes);
	if (run->for_limits && counted > low)
		want = min(counted - low, total);
	return want;
}

static bool reclaim_must_end(struct memquota_tracker *t)
{
	return READ_ONCE(t->state) != MEMQUOTA_COUNTING;
}

/* Return how many calls a participant gets to give up all that it holds. */
static u64 record_calls_max(const struct memquota_record *r)
{
	return CALLS_MAX + (memquota_record_used(r) >> PAGE_SHIFT);
}

static bool run_is_done(struct memquota_tracker *t, struct memquota_run *run)
{
	return reclaim_must_end(t) || !run_wanted(t, run);
}

static void record_trim(struct memquota_record *r, struct memquota_run *run)
{
	u64 calls = record_calls_max(r), before;
	bool more = true;

	while (more && calls-- && !run_is_done(r->account->tracker, run)) {
		before = atomic64_read(&r->uncharged);
		more = memquota_call_trim(r);
		run->trimmed += atomic64_read(&r->uncharged) - before;
		cond_resched();
	}
}

static void run_trim_home(struct memquota_tracker *t,
			  struct memquota_accounts *accounts,
			  struct memquota_run *run)
{
	struct memquota_record *batch[MEMQUOTA_BATCH], *r;
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
			record_trim(batch[i], run);
			memquota_record_unref(batch[i]);
		}
		cond_resched();
	} while (n && !run_is_done(t, run));
}

/* Have participants give what they can without loss (rule R12). */
static void run_trim(struct memquota_tracker *t, struct memquota_run *run)
{
	struct memquota_accounts *home;

	for (home = &t->accounts; home; home = memquota_home_next(t, home))
		run_trim_home(t, home, run);
}

struct victim_collection {
	u64 round;
	struct list_head *victims;
};

static void victim_collect(struct memquota_record *r, void *arg)
{
	struct victim_collection *c = arg;

	r->victim.round = c->round;
	/* An account that closes has all its participants asked. */
	if (!r->account->collapses &&
	    !memquota_victim_may_be_asked(r->account->tracker,
					  READ_ONCE(r->flags)))
		return;
	if (!r->active) {
		r->chosen = true;
		return;
	}
	memquota_record_ref(r);
	list_add_tail(&r->victim.node, c->victims);
	if (READ_ONCE(r->flags) & RECORD_COLLAPSING)
		r->account->collapses = true;
}

/* Find out whether a participant that may be asked closes the account. */
static void victim_collapses(struct memquota_record *r, void *unused)
{
	if (r->active && READ_ONCE(r->flags) & RECORD_COLLAPSING &&
	    memquota_victim_may_be_asked(r->account->tracker,
					 READ_ONCE(r->flags)))
		r->account->collapses = true;
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
	if (a->tracker->reclaim.present.for_system)
		memquota_walk_records(a, victim_collapses, NULL, true);
	memquota_walk_records(a, victim_collect, &c, true);
}

static struct memquota_question
victim_question(struct memquota_tracker *t, const struct memquota_record *r,
		const struct memquota_record *oldest, u64 want_bytes,
		u64 until_ns)
{
	return (struct memquota_question){
		.run = t->reclaim.run,
		.oldest = r == oldest,
		.want_bytes = want_bytes,
		.until_ns = until_ns,
		.arrival_ns = r == oldest ? READ_ONCE(r->index.key_ns) : 0,
		.used = memquota_record_used(r),
	};
}

/*
 * Ask an atomic partial participant once; or, if its account is about to close,
 * for everything until it frees nothing (rule R5). Return whether it was asked.
 */
static bool victim_ask_partial(struct memquota_tracker *t,
			       struct memquota_record *r,
			       const struct memquota_record *oldest,
			       const struct memquota_request *request,
			       struct memquota_run *run)
{
	struct memquota_request bounded = *request;
	struct memquota_question q;
	bool asked = false;
	u64 calls = 1;

	bounded.want_bytes = min_t(u64, request->want_bytes, ATOMIC_WANT_MAX);
	if (r->account->collapses) {
		bounded.want_bytes = ATOMIC_WANT_MAX;
		bounded.until_ns = U64_MAX;
		calls = record_calls_max(r);
	} else if (r == oldest && memquota_victim_is_slow(t, r)) {
		bounded.until_ns = U64_MAX;
	}
	do {
		q = victim_question(t, r, oldest, bounded.want_bytes,
				    bounded.until_ns);
		if (!q.used || !memquota_call_reclaim(r, &bounded, &q.freed))
			break;
		asked = true;
		run->freed += q.freed;
		memquota_history_freed(r, memquota_history_run(t), q.freed);
		cond_resched();
	} while (q.freed && --calls && !reclaim_must_end(t));
	if (asked)
		memquota_victim_judge(t, r, &q);
	return asked;
}

/* Issue a sleeping victim a request. Return whether it was issued. */
static bool victim_request(struct memquota_tracker *t, struct memquota_record *r,
			   const struct memquota_record *oldest,
			   const struct memquota_request *request)
{
	struct memquota_question q;
	u64 want, part;

	if (r->account->collapses) {
		q = victim_question(t, r, oldest, U64_MAX, U64_MAX);
	} else if (r == oldest && memquota_victim_is_slow(t, r)) {
		/* In parts: others may have data as old. */
		want = request->want_bytes;
		part = max_t(u64, want / 8, ATOMIC_WANT_MAX);
		q = victim_question(t, r, oldest, min(want, part), U64_MAX);
	} else {
		q = victim_question(t, r, oldest, request->want_bytes,
				    request->until_ns);
	}
	return memquota_request_issue(r, &q);
}

/*
 * Issue requests to all sleeping victims without waiting for answers (rule R4).
 * Return whether @oldest was issued one.
 */
static bool round_issue_requests(struct memquota_tracker *t,
				 struct list_head *victims,
				 const struct memquota_record *oldest,
				 const struct memquota_request *request,
				 u64 arrival_ns, struct memquota_run *run)
{
	struct memquota_record *r;
	bool asked = false;

	list_for_each_entry(r, victims, victim.node) {
		trace_memquota_victim(r, arrival_ns, request->until_ns,
				      request->want_bytes);
		memquota_history_asked(r, request->want_bytes, arrival_ns);
		run->victims++;
		cond_resched();
		if (!(READ_ONCE(r->flags) & RECORD_SLEEPING))
			continue;
		r->victim.requested = victim_request(t, r, oldest, request);
		if (r == oldest)
			asked = r->victim.requested;
	}
	return asked;
}

/* Ask the atomic partial victims. Return whether @oldest was asked. */
static bool round_ask_partial(struct memquota_tracker *t,
			      struct list_head *victims,
			      const struct memquota_record *oldest,
			      const struct memquota_request *request,
			      struct memquota_run *run)
{
	struct memquota_record *r;
	bool asked = false;

	list_for_each_entry(r, victims, victim.node) {
		cond_resched();
		if (READ_ONCE(r->flags) & (RECORD_SLEEPING | RECORD_COLLAPSING))
			continue;
		if (victim_ask_partial(t, r, oldest, request, run) &&
		    r == oldest)
			asked = true;
	}
	return asked;
}

/*
 * Ask the collapsing victims, and close the account of each that was asked,
 * whether or not it has freed anything yet (rule R5). Return whether @oldest was
 * among them.
 */
static bool round_collapse(struct list_head *victims,
			   const struct memquota_record *oldest,
			   struct memquota_run *run)
{
	static const struct memquota_request everything = {
		.want_bytes = U64_MAX,
		.until_ns = U64_MAX,
	};
	struct memquota_record *r;
	bool asked = false;
	u64 freed;

	list_for_each_entry(r, victims, victim.node) {
		cond_resched();
		if (!(READ_ONCE(r->flags) & RECORD_COLLAPSING))
			continue;
		freed = 0;
		if (READ_ONCE(r->flags) & RECORD_SLEEPING ?
		    r->victim.requested :
		    memquota_call_reclaim(r, &everything, &freed)) {
			freed += memquota_account_close_whole(r->account);
			run->freed += freed;
			memquota_history_freed(r,
					       memquota_history_run(r->account->tracker),
					       freed);
			if (r == oldest)
				asked = true;
		}
	}
	return asked;
}

/*
 * Ask every participant of the account with the oldest data, and of its
 * descendants, once (rule R3).
 */
static void reclaim_round(struct memquota_tracker *t,
			  struct memquota_record *oldest, u64 want,
			  struct memquota_run *run)
{
	struct memquota_request request = { .want_bytes = want };
	u64 arrival_ns = READ_ONCE(oldest->index.key_ns), round;
	struct memquota_account *a, *next_a;
	struct memquota_record *r, *next;
	bool asked;
	LIST_HEAD(accounts);
	LIST_HEAD(victims);

	round = ++t->reclaim.round;
	memquota_walk_down(oldest->account, &accounts);
	list_for_each_entry(a, &accounts, down) {
		atomic64_add_unless(&a->reclaims, 1, -1);
		account_collect_victims(a, round, &victims);
		cond_resched();
	}

	/* Up to where the data of the next account in order begins (rule R6). */
	request.until_ns = max(memquota_victim_bound(t, round), arrival_ns);

	asked = round_issue_requests(t, &victims, oldest, &request, arrival_ns,
				     run);
	asked |= round_ask_partial(t, &victims, oldest, &request, run);
	asked |= round_collapse(&victims, oldest, run);
	/* It cannot be called, for example since its module is unloaded. */
	if (!asked)
		memquota_index_pass_over(oldest, true);

	list_for_each_entry_safe(r, next, &victims, victim.node) {
		memquota_record_unref(r);
		cond_resched();
	}
	list_for_each_entry_safe(a, next_a, &accounts, down) {
		memquota_account_unref(a);
		cond_resched();
	}
}

static unsigned long answer_jiffies(void)
{
	return max(msecs_to_jiffies(READ_ONCE(memquota_answer_ms)), 1UL);
}

/* Wait for answers; if no participant is left to ask, until one has come. */
static void run_begin_waiting(struct memquota_run *run, unsigned int nr_pending,
			      bool none_left)
{
	run->waiting = true;
	run->none_left = none_left;
	run->nr_pending = nr_pending;
	run->wait_began = jiffies;
	run->next_round = jiffies + answer_jiffies();
}

/*
 * Return whether something waits for the run: the total is above high, charges
 * are refused, or the system wants memory. Then late answers are not waited for.
 */
static bool run_hurries(struct memquota_tracker *t, struct memquota_run *run)
{
	return run->for_system || run->refused || total_over_high(t);
}

/*
 * Return whether the run must wait for answers (rule R4). It need not if what it
 * has asked for cannot be enough, unless no participant is left to ask.
 */
static bool run_must_wait(struct memquota_tracker *t, struct memquota_run *run,
			  u64 want)
{
	unsigned int nr_pending = READ_ONCE(t->requests.nr_pending);
	bool hurry = run_hurries(t, run);

	if (!nr_pending)
		return false;
	if (run->none_left) {
		if (nr_pending != run->nr_pending)
			return false;
	} else if (memquota_requests_bytes(t, !hurry) < want ||
		   (hurry && run->waits >= WAITS_MAX)) {
		return false;
	}
	if (time_before(jiffies, run->next_round))
		return true;
	run->next_round = jiffies + answer_jiffies();
	if (!hurry)
		return true;
	memquota_requests_note_late(t);
	run->waits += !run->none_left;
	return false;
}

/* Return whether the run waits for answers, and goes on later. */
static bool run_waits(struct memquota_tracker *t, struct memquota_run *run,
		      u64 want)
{
	memquota_requests_expire(t, false);
	if (!run->waiting || run_must_wait(t, run, want))
		return run->waiting;
	run->waiting = false;
	run->began += jiffies - run->wait_began;
	return false;
}

/*
 * No participant is left to ask in this run, yet the total is above low_water:
 * back off for a second, and audit, since the total may be wrong (rule R9). Look
 * again after answer_ms if an owner may be about to store data, or if this run
 * asked only some of the busy participants. Run during a ninth of the time at
 * most.
 */
static void reclaim_give_up(struct memquota_tracker *t,
			    const struct memquota_run *run)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	unsigned long pause = HZ;
	u64 sum, total;

	if ((reclaim->look_again || t->index.busy_left) &&
	    ++reclaim->repeats < REPEATS_MAX) {
		/* Down to low_water, also if the total is below high by then. */
		WRITE_ONCE(reclaim->unfinished, true);
		pause = msecs_to_jiffies(READ_ONCE(memquota_answer_ms));
	} else {
		reclaim->repeats = 0;
		pr_warn_ratelimited("%s: no participant left to ask at %llu bytes, low_water %llu\n",
				    t->name, memquota_tracker_total(t),
				    READ_ONCE(t->low_water));
		if (memquota_audit(t, &sum, &total)) {
			reclaim->suspicions = 0;
		} else {
			pr_warn("%s: the total is %llu, its parts sum up to %llu\n",
				t->name, total, sum);
			if (++reclaim->suspicions >= SUSPICIONS)
				memquota_tracker_poison(t, "the total exceeds its parts");
		}
	}
	pause = max3(pause, 8 * (jiffies - run->began), 1UL);
	reclaim->backoff_until = jiffies + pause;
	reclaim->backing_off = true;
}

/*
 * Let each participant's next refusal count again, since what was counted has
 * been read for the last time. Records begin with 0, which is left out.
 */
static void reclaim_forget_refusals(struct memquota_reclaim *reclaim)
{
	u16 ends = reclaim->ends + 1;

	WRITE_ONCE(reclaim->ends, ends ?: 1);
}

static void reclaim_next_run(struct memquota_reclaim *reclaim)
{
	if (!++reclaim->run)
		reclaim->run = 1;
}

/*
 * Begin anew with the participants that were passed over, if at least a 64th of
 * what was wanted has been freed since the last time. Return whether it was.
 */
static bool run_begin_anew(struct memquota_tracker *t, struct memquota_run *run,
			   u64 want)
{
	if (want >= run->wanted - run->wanted / 64)
		return false;
	run->wanted = want;
	reclaim_next_run(&t->reclaim);
	memquota_index_restore(t);
	return true;
}

/* Ask round by round, until the run ends or has to wait for answers. */
static enum run_result run_rounds(struct memquota_tracker *t,
				  struct memquota_run *run)
{
	struct memquota_record *oldest;
	unsigned int nr_pending;
	u64 want, expected;

	while (!reclaim_must_end(t)) {
		want = run_wanted(t, run);
		if (!want)
			return RUN_REACHED;
		/* What is leaving the total anyhow is not taken from another. */
		if (!list_empty(&t->accounts.closed)) {
			memquota_accounts_reap_many(&t->accounts, REAP_MAX);
			want = run_wanted(t, run);
			if (!want)
				return RUN_REACHED;
		}
		if (run_waits(t, run, want))
			return RUN_WAITS;
		/*
		 * Read it before the index: request_finish() returns the record
		 * to the index before it counts the request as finished, under
		 * request_lock. Otherwise that record might be missed.
		 */
		nr_pending = READ_ONCE(t->requests.nr_pending);
		/* Pairs with request_lock in request_finish(). */
		smp_rmb();
		oldest = memquota_victim_oldest(t);
		if (oldest) {
			expected = memquota_requests_bytes(t, !run_hurries(t, run));
			reclaim_round(t, oldest,
				      want > expected ? want - expected : want,
				      run);
			memquota_record_unref(oldest);
		} else if (!nr_pending && !run_begin_anew(t, run, want)) {
			/* That others hold the rest is no sign of an error. */
			if (!run->for_system)
				reclaim_give_up(t, run);
			return RUN_GAVE_UP;
		}
		run_begin_waiting(run, nr_pending, !oldest);
		cond_resched();
	}
	return RUN_GAVE_UP;
}

static bool run_begin(struct memquota_tracker *t, struct memquota_run *run)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	u64 total;

	*run = (struct memquota_run){
		.for_limits = reclaim->unfinished,
		.pressure = atomic64_read(&t->pressure.bytes),
	};
	WRITE_ONCE(reclaim->unfinished, false);
	/* What was freed for earlier runs. */
	atomic64_set(&reclaim->freed_bytes, 0);
	memquota_caches_join_parts(t);
	/* A program can have a run begin at will by charges that are refused. */
	memquota_drain_fresh(t);
	total = memquota_tracker_total(t);
	if (!run_wanted(t, run)) {
		run->for_system = run->pressure >= PAGE_SIZE;
		if (!run->for_system) {
			reclaim_forget_refusals(reclaim);
			return false;
		}
	}

	run->begun = true;
	run->began = jiffies;
	run->wanted = run_wanted(t, run);
	reclaim->look_again = false;
	reclaim_next_run(reclaim);
	memquota_index_restore(t);
	pr_info_ratelimited("%s: reclaiming from %llu bytes, high %llu, low_water %llu\n",
			    t->name, total, READ_ONCE(t->high),
			    READ_ONCE(t->low_water));
	trace_memquota_reclaim_start(t, run->refused, run->pressure);
	memquota_history_begin(t, total, run->refused, run->pressure);
	run_trim(t, run);
	return true;
}

static void run_end(struct memquota_tracker *t, struct memquota_run *run,
		    bool reached)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	bool exhausted = run->for_system && !reached;

	run->begun = false;
	if (reached)
		reclaim->repeats = 0;
	reclaim_forget_refusals(reclaim);
	run->freed += atomic64_xchg(&reclaim->freed_bytes, 0);
	/* What the system has wanted since is of what was left by then. */
	memquota_pressure_settle(t, exhausted ? run->pressure :
					min(run->freed + run->trimmed,
					    run->pressure), exhausted);
	if (run->victims)
		WRITE_ONCE(reclaim->nr_runs, reclaim->nr_runs + 1);
	memquota_history_end(t, reached);
	trace_memquota_reclaim_end(t, run->victims, run->freed, reached);
	pr_info_ratelimited("%s: reclaimed to %llu bytes, %u victims, %llu bytes freed\n",
			    t->name, memquota_tracker_total(t), run->victims,
			    run->freed);
#ifdef CONFIG_MEMQUOTA_DEBUG
	memquota_check(t);
#endif
}

/*
 * Go on with the run that waits for answers, or begin one. Return whether a run
 * waits for answers now: then call again when run->next_round has come, or a
 * request has ended. For the worker.
 */
bool memquota_reclaim_run(struct memquota_tracker *t)
{
	struct memquota_run *run = &t->reclaim.present;
	enum run_result result;

	if (!run->begun && !run_begin(t, run))
		return false;
	result = run_rounds(t, run);
	if (result == RUN_WAITS)
		return true;
	run_end(t, run, result == RUN_REACHED);
	return false;
}

/* End a run that waits for answers, since the tracker has ended. */
void memquota_reclaim_abort(struct memquota_tracker *t)
{
	struct memquota_run *run = &t->reclaim.present;

	if (run->begun)
		run_end(t, run, false);
}
