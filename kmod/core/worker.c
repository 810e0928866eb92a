// SPDX-License-Identifier: GPL-2.0
/*
 * The worker of a tracker's reclaim.
 *
 * All trackers share one workqueue. The worker never sleeps until a participant
 * answers: a run that waits for answers stays in reclaim->present, and the
 * worker is queued again for the time at which it must go on. So participants
 * that do not answer occupy no thread, and do not delay a suspend, which freezes
 * the queue when its workers have returned.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "total.h"
#include "wait.h"

/**
 * DOC: Waking reclaim
 *
 * @awake says that the worker will look at the total again before it rests. It
 * is set while the worker runs, while a run waits for answers, and while reclaim
 * backs off; then the worker is queued with a delay.
 *
 * A charge that raises the total above high, a refusal and the shrinker wake the
 * worker unless @awake is set. Each raises what it counts, with a full barrier,
 * before it reads @awake. worker_rearm() clears @awake, with a full barrier,
 * before it reads all three. So at least one of the two sees what the other
 * wrote.
 *
 * memquota_reclaim_kick() queues the worker, also while it runs: it then runs
 * again. worker_rearm() queues it with a delay, which changes nothing if it is
 * queued already. So no kick is lost.
 *
 * A worker that finds the tracker gone does not queue itself.
 * memquota_reclaim_stop() cancels it after the state was set, and waits for it.
 * A kick that read the state before can queue it once more. That worker does
 * nothing, and tracker_free() waits for it.
 */

/* The tracker was poisoned: void the caches, and wake the tasks that wait. */
static void worker_void_caches(struct memquota_tracker *t)
{
	WRITE_ONCE(t->reclaim.draining, false);
	memquota_caches_resize(t);
	memquota_drain_each(t);
	memquota_wake_waiters(t);
}

/*
 * Queue the worker for the next deadline: of a request, of the run that waits,
 * or the end of the back-off.
 */
static void worker_rearm(struct memquota_tracker *t, bool waits)
{
	struct memquota_reclaim *reclaim = &t->reclaim;
	long delay = memquota_requests_expire(t, false);

	/* give_up_ms may be lowered meanwhile. */
	if (READ_ONCE(t->requests.nr_pending))
		delay = min_t(long, delay, HZ);
	if (waits) {
		delay = min_t(long, delay, reclaim->present.next_round - jiffies);
	} else if (reclaim->backing_off) {
		delay = min_t(long, delay, reclaim->backoff_until - jiffies);
	} else {
		WRITE_ONCE(reclaim->awake, false);
		/* Pairs with the exchange in memquota_total_add(). */
		smp_mb();
		if (memquota_reclaim_needed(t))
			delay = 0;
	}
	if (delay < MAX_SCHEDULE_TIMEOUT)
		queue_delayed_work(memquota_reclaim_wq, &reclaim->work,
				   max(delay, 0L));
}

static void worker_reclaim(struct work_struct *work)
{
	struct memquota_reclaim *reclaim =
		container_of(to_delayed_work(work), struct memquota_reclaim,
			     work);
	struct memquota_tracker *t =
		container_of(reclaim, struct memquota_tracker, reclaim);
	bool waits = false;

	if (READ_ONCE(t->state) == MEMQUOTA_GONE)
		return;
	set_worker_desc("memquota/%s", t->name);
	WRITE_ONCE(reclaim->awake, true);
	if (READ_ONCE(reclaim->draining))
		worker_void_caches(t);
	if (reclaim->backing_off &&
	    !time_before(jiffies, reclaim->backoff_until))
		reclaim->backing_off = false;
	if (reclaim->present.begun ||
	    (!reclaim->backing_off && memquota_reclaim_needed(t)))
		waits = memquota_reclaim_run(t);
	worker_rearm(t, waits);
}

/* Wake the worker if there is something to do for it. For tracker->irq_work. */
void memquota_reclaim_wake(struct memquota_tracker *t)
{
	if (READ_ONCE(t->reclaim.draining) ||
	    (!READ_ONCE(t->reclaim.awake) && memquota_reclaim_needed(t)))
		memquota_reclaim_kick(t);
}

void memquota_reclaim_setup(struct memquota_tracker *t)
{
	INIT_DELAYED_WORK(&t->reclaim.work, worker_reclaim);
}

/* Stop reclaim of a tracker that is gone. May sleep. */
void memquota_reclaim_stop(struct memquota_tracker *t)
{
	memquota_holders_remove(t);
	cancel_delayed_work_sync(&t->reclaim.work);
	memquota_reclaim_abort(t);
	/* No run waits for answers any longer: drop the owners. */
	memquota_requests_expire(t, true);
}

int memquota_reclaim_init(void)
{
	int err;

	memquota_reclaim_wq = alloc_workqueue("memquota_reclaim",
					      WQ_UNBOUND | WQ_MEM_RECLAIM |
					      WQ_FREEZABLE | WQ_SYSFS, 0);
	if (!memquota_reclaim_wq)
		return -ENOMEM;
	err = memquota_pressure_init();
	if (err)
		destroy_workqueue(memquota_reclaim_wq);
	return err;
}

void memquota_reclaim_exit(void)
{
	memquota_pressure_exit();
	destroy_workqueue(memquota_reclaim_wq);
}
