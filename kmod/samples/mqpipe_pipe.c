// SPDX-License-Identifier: GPL-2.0
/*
 * A pipe's data: from the first open to the last close, a pipe has an account
 * with two participants, an arena and a queue. Reclaim asks the arena, which
 * ends the queue.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "mqpipe.h"

/*
 * The time that may pass on a busy machine between the choice of a victim and
 * its callback.
 */
#define MQPIPE_CHOICE_NS	(5 * NSEC_PER_SEC)

DEFINE_MUTEX(mqpipe_lock);	/* minors and list, see mqpipe.h */
DEFINE_XARRAY_ALLOC1(mqpipe_minors);
DEFINE_SPINLOCK(mqpipe_list_lock);
LIST_HEAD(mqpipe_list);

/* Return the errno for writers, once the arena refuses for good. */
static int mqpipe_end_reason(struct mqpipe *pipe)
{
	/*
	 * Pairs with the queue's lock in __memquota_queue_end(), which is taken
	 * before the arena is dropped and before the account closes: a writer
	 * that finds either also sees the reason.
	 */
	smp_rmb();
	return READ_ONCE(pipe->queue.reason) ?: -ENOBUFS;
}

/* Allocate a segment; with @wait, wait while a hard limit refuses it. */
struct mqpipe_segment *mqpipe_alloc_segment(struct mqpipe *pipe, size_t len,
					    bool wait)
{
	struct mqpipe_segment *seg;
	size_t size = struct_size(seg, data, len);

	seg = memquota_arena_alloc_ref_percpu(&pipe->arena, size,
					      __alignof__(*seg));
	if (seg == ERR_PTR(-EDQUOT) && !wait)
		return ERR_PTR(-EAGAIN);
	while (seg == ERR_PTR(-EDQUOT) || seg == ERR_PTR(-ETIME)) {
		if (signal_pending(current))
			return ERR_PTR(-ERESTARTSYS);
		if (READ_ONCE(pipe->queue.reason))
			return ERR_PTR(mqpipe_end_reason(pipe));
		/* Short, since only a fatal signal ends the wait early. */
		seg = memquota_arena_alloc_ref_wait(&pipe->arena, size,
						    __alignof__(*seg), HZ / 10);
	}
	if (seg == ERR_PTR(-ESTALE))
		return ERR_PTR(mqpipe_end_reason(pipe));
	if (!IS_ERR(seg)) {
		seg->len = len;
		seg->done = 0;
	}
	return seg;
}

static void mqpipe_free_item(struct memquota_queue *queue,
			     struct memquota_item *item)
{
	memquota_ref_put(item);
}

/*
 * Return the arrival time of the queue's head. An empty pipe still caches
 * chunks; it claims to be as young as possible, so that it is reclaimed last.
 */
static u64 mqpipe_oldest(struct memquota_arena *arena)
{
	struct mqpipe *pipe = container_of(arena, struct mqpipe, arena);
	/* Read first, so that an item that arrives meanwhile is not older. */
	u64 now = ktime_get_coarse_ns();

	pipe->told_ns = now;
	pipe->oldest_ns = min(now, memquota_queue_oldest(&pipe->queue));
	return pipe->oldest_ns;
}

/*
 * The queue ended. If it was reclaimed, count the pipes with older data; there
 * should be none.
 *
 * The head of a queue never becomes older, so a pipe that is older now was
 * older when the victim was chosen. The victim's own head may have moved since:
 * compare with the time that it reported, unless that report is so old that it
 * cannot be the reason for the choice.
 */
static void mqpipe_ended(struct memquota_queue_hook *hook, int reason)
{
	struct mqpipe *pipe = container_of(hook, struct mqpipe, hook);
	u64 older = 0, older_ns = 0, mine = ktime_get_coarse_ns(), ns;
	struct mqpipe *other;
	unsigned long flags;

	if (reason != -ENOBUFS)
		return;
	if (mine - pipe->told_ns < MQPIPE_CHOICE_NS)
		mine = pipe->oldest_ns;
	spin_lock_irqsave(&mqpipe_list_lock, flags);
	list_for_each_entry(other, &mqpipe_list, node) {
		if (other == pipe || !other->live)
			continue;
		ns = memquota_queue_oldest(&other->queue);
		if (ns >= mine)
			continue;
		older++;
		older_ns = max(older_ns, mine - ns);
	}
	pipe->reclaims++;
	pipe->older += older;
	pipe->older_ns = max(pipe->older_ns, older_ns);
	spin_unlock_irqrestore(&mqpipe_list_lock, flags);
}

/*
 * End the queue before the arena. A writer that finds the arena dropped or the
 * account closed goes away; if the queue were still open, its reader would take
 * that for the end of the data.
 */
static void mqpipe_collapse(struct memquota_arena *arena)
{
	struct mqpipe *pipe = container_of(arena, struct mqpipe, arena);

	memquota_queue_collapse(&pipe->queue);
	memquota_arena_drop(arena);
}

/* Create the account, the queue and the arena. */
int mqpipe_begin(struct mqpipe *pipe)
{
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL_ACCOUNT,
		.flags = MEMQUOTA_ARENA_PERCPU | MEMQUOTA_ARENA_IN_ACCOUNT,
		.collapse = mqpipe_collapse,
		.oldest = mqpipe_oldest,
	};
	struct memquota_account *account;
	int err;

	lockdep_assert_held(&pipe->mutex);
	account = memquota_account_create(memquota_default_tracker(), NULL,
					  GFP_KERNEL, "mqpipe/%s", pipe->name);
	if (IS_ERR(account))
		return PTR_ERR(account);
	pipe->told_ns = 0;
	err = memquota_queue_init(&pipe->queue, account, mqpipe_free_item, 0,
				  GFP_KERNEL, "%s", pipe->name);
	if (err)
		goto out_account;
	config.account = account;
	err = memquota_arena_init(&pipe->arena, &config, "%s", pipe->name);
	if (err)
		goto out_queue;
	memquota_queue_hook(&pipe->queue, &pipe->hook);
	pipe->account = account;
	pipe->had_readers = 0;
	pipe->had_writers = 0;
	spin_lock_irq(&mqpipe_list_lock);
	pipe->live = true;
	spin_unlock_irq(&mqpipe_list_lock);
	return 0;

out_queue:
	memquota_queue_destroy(&pipe->queue);
out_account:
	memquota_account_put(account);
	return err;
}

/* Destroy what mqpipe_begin() created. */
void mqpipe_end(struct mqpipe *pipe)
{
	lockdep_assert_held(&pipe->mutex);
	spin_lock_irq(&mqpipe_list_lock);
	pipe->live = false;
	spin_unlock_irq(&mqpipe_list_lock);
	memquota_queue_destroy(&pipe->queue);
	memquota_ref_put(pipe->taken);
	pipe->taken = NULL;
	memquota_arena_destroy(&pipe->arena);
	memquota_account_put(pipe->account);
}

struct mqpipe *mqpipe_alloc(const char *name)
{
	struct mqpipe *pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);

	if (!pipe)
		return NULL;
	strscpy(pipe->name, name, sizeof(pipe->name));
	kref_init(&pipe->kref);
	mutex_init(&pipe->mutex);
	mutex_init(&pipe->read_mutex);
	init_waitqueue_head(&pipe->wait_open);
	pipe->hook.ended = mqpipe_ended;
	return pipe;
}

/* Return a reference to the pipe with that minor, or NULL. */
struct mqpipe *mqpipe_get(u32 minor)
{
	struct mqpipe *pipe;

	mutex_lock(&mqpipe_lock);
	pipe = xa_load(&mqpipe_minors, minor);
	if (pipe)
		kref_get(&pipe->kref);
	mutex_unlock(&mqpipe_lock);
	return pipe;
}

static void mqpipe_free(struct kref *kref)
{
	kfree(container_of(kref, struct mqpipe, kref));
}

void mqpipe_put(struct mqpipe *pipe)
{
	kref_put(&pipe->kref, mqpipe_free);
}
