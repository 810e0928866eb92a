// SPDX-License-Identifier: GPL-2.0
/*
 * The workqueues that sleeping callbacks run in.
 */
#include <linux/slab.h>
#include "lane.h"
#include "total.h"

/**
 * DOC: Lanes
 *
 * A sleeping callback that hangs keeps a worker, and a workqueue runs only so
 * many work items at once. So the sleeping participants of each module have a
 * workqueue in each tracker: a lane. Callbacks that hang delay the callbacks of
 * the same module in the same tracker only, and memquota_barrier() waits for
 * the lanes of its module.
 *
 * A module's first sleeping join in a tracker creates the lane. A join can be
 * atomic and alloc_workqueue() sleeps, so a work item allocates the workqueue.
 * If a request comes first, reclaim allocates it. Trackers without such
 * participants have no lane. Programs need none, because their callbacks do not
 * sleep: their requests run in shared_wq, and so do those of a lane whose
 * workqueue could not be allocated.
 *
 * A lane that no sleeper uses stays until another module needs one in this
 * tracker, or the tracker is freed. So a tracker has no more lanes than modules
 * had sleeping participants in it at the same time.
 */

/* Callbacks of one lane that run at once. */
#define LANE_CALLS	512

static DEFINE_RAW_SPINLOCK(lanes_lock);
static LIST_HEAD(lanes);		/* lanes_lock */
static struct workqueue_struct *shared_wq;

/* Return the workqueue of a lane, or the shared one for NULL. May sleep. */
struct workqueue_struct *memquota_lane_wq(struct memquota_lane *lane)
{
	struct workqueue_struct *wq, *other;

	wq = lane ? READ_ONCE(lane->wq) : shared_wq;
	if (wq)
		return wq;
	wq = alloc_workqueue("memquota_ask/%.9s", WQ_UNBOUND | WQ_MEM_RECLAIM,
			     LANE_CALLS, lane->tracker->name);
	other = cmpxchg(&lane->wq, NULL, wq ?: shared_wq);
	if (!other)
		return wq ?: shared_wq;
	if (wq)
		destroy_workqueue(wq);
	return other;
}

static void lane_setup(struct work_struct *work)
{
	memquota_lane_wq(container_of(work, struct memquota_lane, setup));
}

/*
 * Return a lane for the module, with a reference: its own, else an unused one.
 * The list has few entries, see DOC: Lanes.
 */
static struct memquota_lane *lane_find_locked(struct memquota_tracker *t,
					      struct module *owner)
{
	struct memquota_lane *lane, *found = NULL;

	lockdep_assert_held(&lanes_lock);
	list_for_each_entry(lane, &t->requests.lanes, siblings) {
		if (lane->owner == owner) {
			found = lane;
			break;
		}
		if (atomic_read(&lane->refs) == 1)
			found = lane;
	}
	if (found) {
		WRITE_ONCE(found->owner, owner);
		atomic_inc(&found->refs);
	}
	return found;
}

/*
 * Return the module's lane in the tracker with a reference, for
 * memquota_lane_unuse(); NULL if there is no memory for it.
 */
struct memquota_lane *memquota_lane_get(struct memquota_tracker *t,
					struct module *owner, gfp_t gfp)
{
	struct memquota_lane *lane, *new = NULL;
	unsigned long flags;

	for (;;) {
		raw_spin_lock_irqsave(&lanes_lock, flags);
		lane = lane_find_locked(t, owner);
		if (!lane && new) {
			list_add(&new->siblings, &t->requests.lanes);
			list_add_tail(&new->lanes, &lanes);
		}
		raw_spin_unlock_irqrestore(&lanes_lock, flags);
		if (lane) {
			kfree(new);
			return lane;
		}
		if (new) {
			queue_work(memquota_wq, &new->setup);
			return new;
		}
		new = kzalloc(sizeof(*new), gfp);
		if (!new)
			return NULL;
		new->owner = owner;
		new->tracker = t;
		/* The tracker's and the caller's. */
		atomic_set(&new->refs, 2);
		INIT_WORK(&new->setup, lane_setup);
	}
}

/* Drop a reference, and free the lane with the last one. May sleep. */
static void lane_put(struct memquota_lane *lane)
{
	bool last;

	raw_spin_lock_irq(&lanes_lock);
	last = atomic_dec_and_test(&lane->refs);
	if (last)
		list_del(&lane->lanes);
	raw_spin_unlock_irq(&lanes_lock);
	if (!last)
		return;
	if (lane->wq && lane->wq != shared_wq)
		destroy_workqueue(lane->wq);
	kfree(lane);
}

/*
 * Return the lane after @lane, or the first one for NULL, with a reference; drop
 * that of @lane. A lane with a reference stays in the list. May sleep.
 */
static struct memquota_lane *lane_next(struct memquota_lane *lane)
{
	struct memquota_lane *next;

	raw_spin_lock_irq(&lanes_lock);
	next = lane ? list_next_entry(lane, lanes) :
		      list_first_entry(&lanes, struct memquota_lane, lanes);
	if (list_entry_is_head(next, &lanes, lanes))
		next = NULL;
	else
		atomic_inc(&next->refs);
	raw_spin_unlock_irq(&lanes_lock);
	if (lane)
		lane_put(lane);
	return next;
}

static void lane_flush(struct memquota_lane *lane)
{
	struct workqueue_struct *wq = READ_ONCE(lane->wq);

	if (wq)
		flush_workqueue(wq);
}

/*
 * Wait for the requests of a module's participants that run or are queued. May
 * sleep.
 */
void memquota_lanes_flush(struct module *owner)
{
	struct memquota_lane *lane = NULL;

	/* With a reference the lane goes to no other module. */
	while ((lane = lane_next(lane)))
		if (READ_ONCE(lane->owner) == owner)
			lane_flush(lane);
}

/* Wait for all requests that run or are queued. May sleep. */
void memquota_lanes_flush_all(void)
{
	struct memquota_lane *lane = NULL;

	flush_workqueue(shared_wq);
	while ((lane = lane_next(lane)))
		lane_flush(lane);
}

/* Free the lanes of a tracker that has no records. May sleep. */
void memquota_lanes_free(struct memquota_tracker *t)
{
	struct memquota_lane *lane, *next;

	list_for_each_entry_safe(lane, next, &t->requests.lanes, siblings) {
		cancel_work_sync(&lane->setup);
		lane_put(lane);
	}
}

int memquota_lanes_init(void)
{
	shared_wq = alloc_workqueue("memquota_ask", WQ_UNBOUND | WQ_MEM_RECLAIM,
				    LANE_CALLS);
	return shared_wq ? 0 : -ENOMEM;
}

void memquota_lanes_exit(void)
{
	destroy_workqueue(shared_wq);
}
