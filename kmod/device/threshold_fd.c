// SPDX-License-Identifier: GPL-2.0
/*
 * Thresholds: eventfds that are signalled when use goes above a mark, and again
 * only after it was at or below another one.
 *
 * A watch knows the two marks next to the use, and whoever changes the use only
 * compares with those. Where an account is watched the quick way of a miss is
 * not taken, so that the others pay nothing. One that crosses a mark leaves the
 * rest to a work item, by way of irq_work (X1), which looks at every threshold
 * and finds the new marks.
 *
 * Use is raised, by a full barrier, before the marks are read, and marks are
 * written before use is read again: one of the two sees the other.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include "chardev.h"
#include "program.h"
#include "../core/core.h"
#include "user.h"

struct threshold {
	struct memquota_watch *watch;
	struct eventfd_ctx *event;
	struct memquota_user *user;
	u64 above;
	u64 rearm;
	bool armed;			/* watch->lock */
	struct list_head thresholds;	/* in watch->thresholds; watch->lock */
};

/* The total of a poisoned tracker may be below zero. */
static u64 current_use(struct memquota_watch *w)
{
	u64 word;

	if (!w->account)
		return max_t(s64, memquota_tracker_total(w->tracker), 0);
	word = atomic64_read(&w->account->word);
	return word & ACCOUNT_CLOSED ? 0 : word;
}

/* Any context but NMI. An account that has a watch keeps it. */
void memquota_watch_notify(struct memquota_watch *w)
{
	if (w->account)
		memquota_account_ref(w->account);
	if (!irq_work_queue(&w->irq_work) && w->account)
		memquota_account_unref(w->account);
}

static void queue_look(struct irq_work *irq_work)
{
	struct memquota_watch *w = container_of(irq_work, struct memquota_watch,
						irq_work);

	if (!queue_work(memquota_wq, &w->work) && w->account)
		memquota_account_unref(w->account);
}

static void set_marks(struct memquota_watch *w, u64 above, s64 below)
{
	lockdep_assert_held(&w->lock);
	WRITE_ONCE(w->above, above);
	WRITE_ONCE(w->below, below);
	/* Pairs with the one that raises or lowers use: see at the top. */
	smp_mb();
}

/* Signal what was crossed, and find the marks next to the use. */
static void look(struct memquota_watch *w)
{
	u64 use = current_use(w), above = U64_MAX;
	struct threshold *th;
	s64 below = 0;

	lockdep_assert_held(&w->lock);
	list_for_each_entry(th, &w->thresholds, thresholds) {
		if (th->armed && use > th->above) {
			th->armed = false;
			memquota_eventfd_signal(th->event);
		} else if (!th->armed && use <= th->rearm) {
			th->armed = true;
		}
		if (th->armed)
			above = min(above, th->above);
		else
			below = max_t(s64, below, th->rearm + 1);
		cond_resched();
	}
	set_marks(w, above, below);
	use = current_use(w);
	if (use > above || (s64)use < below)
		memquota_watch_notify(w);
}

static void watch_work(struct work_struct *work)
{
	struct memquota_watch *w = container_of(work, struct memquota_watch,
						work);

	mutex_lock(&w->lock);
	look(w);
	mutex_unlock(&w->lock);
	if (w->account) {
		if (memquota_account_closed(w->account))
			memquota_wake_pollers(&w->wait, EPOLLHUP | EPOLLIN |
					      EPOLLRDNORM);
		memquota_account_unref(w->account);
	}
}

void memquota_watch_init(struct memquota_watch *w, struct memquota_tracker *t,
			 struct memquota_account *a)
{
	w->above = U64_MAX;
	w->tracker = t;
	w->account = a;
	w->irq_work = IRQ_WORK_INIT_HARD(queue_look);
	INIT_WORK(&w->work, watch_work);
	mutex_init(&w->lock);
	INIT_LIST_HEAD(&w->thresholds);
	init_waitqueue_head(&w->wait);
}

/* The watch of an account, which has it for good; NULL: out of memory. */
struct memquota_watch *memquota_watch_account(struct memquota_account *a)
{
	struct memquota_watch *w, *other;

	/* Pairs with the exchange below. */
	w = smp_load_acquire(&a->watch);
	if (w)
		return w;
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return NULL;
	memquota_watch_init(w, a->tracker, a);
	/* A full barrier: who sees the watch sees what is in it. */
	other = cmpxchg(&a->watch, NULL, w);
	if (other) {
		kfree(w);
		return other;
	}
	return w;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_watch_account);

static int threshold_release(struct inode *inode, struct file *file)
{
	struct threshold *th = file->private_data;
	struct memquota_watch *w = th->watch;

	mutex_lock(&w->lock);
	list_del(&th->thresholds);
	look(w);
	mutex_unlock(&w->lock);
	if (w->account)
		memquota_account_unref(w->account);
	else
		memquota_tracker_unref(w->tracker);
	eventfd_ctx_put(th->event);
	memquota_user_put(th->user);
	kfree(th);
	return 0;
}

static const struct file_operations threshold_fops = {
	.owner = THIS_MODULE,
	.release = threshold_release,
};

/*
 * From now on whoever changes the account's word looks at its watch, on each
 * CPU: a quick miss that goes on there is waited for, and none has a slot of
 * the account's ahead. One who finds this begun by another thread need not
 * wait: that one looks at all thresholds when it is done.
 */
static void watch_word(struct memquota_account *a)
{
	if (READ_ONCE(a->watched))
		return;
	WRITE_ONCE(a->special, true);
	/* Who sees it sees the watch. */
	smp_store_release(&a->watched, true);
	memquota_drain_each(a->tracker);
}

/* Make a threshold. With success the watch's memory is kept for it. */
static int create(struct memquota_call *call, struct memquota_watch *w,
		  int event_fd, u64 above, u64 rearm)
{
	struct threshold *th;
	int fd;

	if (rearm > above)
		return -EINVAL;
	th = kzalloc(sizeof(*th), GFP_KERNEL_ACCOUNT);
	if (!th)
		return -ENOMEM;
	th->watch = w;
	th->above = above;
	th->rearm = rearm;
	th->armed = true;
	th->event = eventfd_ctx_fdget(event_fd);
	if (IS_ERR(th->event)) {
		fd = PTR_ERR(th->event);
		goto out_free;
	}
	th->user = memquota_user_get();
	if (IS_ERR(th->user)) {
		fd = PTR_ERR(th->user);
		goto out_event;
	}
	INIT_LIST_HEAD(&th->thresholds);
	fd = memquota_new_fd(call, "[memquota-threshold]", &threshold_fops, th);
	if (fd < 0)
		goto out_user;

	if (w->account)
		watch_word(w->account);
	mutex_lock(&w->lock);
	list_add(&th->thresholds, &w->thresholds);
	look(w);
	mutex_unlock(&w->lock);
	return fd;

out_user:
	memquota_user_put(th->user);
out_event:
	eventfd_ctx_put(th->event);
out_free:
	kfree(th);
	return fd;
}

int memquota_threshold_tracker(struct memquota_call *call)
{
	struct memquota_ioctl_tracker_threshold *threshold =
		&call->command.tracker_threshold;
	struct memquota_tracker *t;
	int ret;

	if (threshold->flags)
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	ret = memquota_named_tracker(threshold->name, &t);
	if (ret)
		return ret;
	if (t->flags & MEMQUOTA_TRACKER_DISABLED)
		ret = -EOPNOTSUPP;
	else if (READ_ONCE(t->state) == MEMQUOTA_GONE)
		ret = -ESHUTDOWN;
	else
		ret = create(call, &t->watch, threshold->event_fd,
			     threshold->above_bytes, threshold->rearm_bytes);
	if (ret < 0) {
		memquota_tracker_unref(t);
		return ret;
	}
	threshold->out_fd = ret;
	return 0;
}

/* NULL: of a disabled account. */
int memquota_threshold_account(struct memquota_call *call,
			       struct memquota_account *a)
{
	struct memquota_ioctl_account_threshold *threshold =
		&call->command.account_threshold;
	struct memquota_watch *w;
	int ret;

	if (threshold->flags || !a)
		return -EOPNOTSUPP;
	ret = memquota_account_error(a);
	if (ret)
		return ret;
	w = memquota_watch_account(a);
	if (!w)
		return -ENOMEM;
	memquota_account_ref(a);
	ret = create(call, w, threshold->event_fd, threshold->above_bytes,
		     threshold->rearm_bytes);
	if (ret < 0) {
		memquota_account_unref(a);
		return ret;
	}
	threshold->out_fd = ret;
	return 0;
}
