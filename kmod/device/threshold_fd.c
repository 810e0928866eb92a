// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of thresholds: each has a mark on a tracker's total or on an
 * account's word, and signals an eventfd when that mark is crossed.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "../core/core.h"
#include "../core/record.h"
#include "../core/total.h"
#include "ioctl.h"
#include "threshold_fd.h"
#include "user.h"

struct threshold_fd {
	struct memquota_watch *watch;
	struct eventfd_ctx *event;
	struct memquota_user *user;
	struct memquota_mark mark;
};

static void threshold_fd_crossed(struct memquota_mark *mark)
{
	memquota_eventfd_signal(container_of(mark, struct threshold_fd,
					     mark)->event);
}

static int threshold_fd_release(struct inode *inode, struct file *file)
{
	struct threshold_fd *th = file->private_data;
	struct memquota_watch *w = th->watch;

	memquota_watch_remove(w, &th->mark);
	if (w->account)
		memquota_account_unref(w->account);
	else
		memquota_tracker_unref(w->tracker);
	eventfd_ctx_put(th->event);
	memquota_user_put(th->user);
	kfree(th);
	return 0;
}

static const struct file_operations threshold_fd_fops = {
	.owner = THIS_MODULE,
	.release = threshold_fd_release,
};

/*
 * Create a threshold. With success it owns the caller's reference of the
 * watch's tracker or account. Return the descriptor's number, or an errno.
 */
static int threshold_fd_create(struct memquota_call *call,
			       struct memquota_watch *w, int event_fd,
			       u64 above, u64 rearm)
{
	struct threshold_fd *th;
	int fd;

	if (rearm > above)
		return -EINVAL;
	th = kzalloc(sizeof(*th), GFP_KERNEL_ACCOUNT);
	if (!th)
		return -ENOMEM;
	th->watch = w;
	th->mark.above_bytes = above;
	th->mark.rearm_bytes = rearm;
	th->mark.crossed = threshold_fd_crossed;
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
	fd = memquota_new_fd(call, "[memquota-threshold]", &threshold_fd_fops,
			     th);
	if (fd < 0)
		goto out_user;

	memquota_watch_add(w, &th->mark);
	return fd;

out_user:
	memquota_user_put(th->user);
out_event:
	eventfd_ctx_put(th->event);
out_free:
	kfree(th);
	return fd;
}

/* Create a threshold of a tracker. */
int memquota_threshold_fd_tracker(struct memquota_call *call)
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
		ret = threshold_fd_create(call, &t->watch, threshold->event_fd,
					  threshold->above_bytes,
					  threshold->rearm_bytes);
	if (ret < 0) {
		memquota_tracker_unref(t);
		return ret;
	}
	threshold->out_fd = ret;
	return 0;
}

/* Create a threshold of an account. @a is NULL if the tracker is disabled. */
int memquota_threshold_fd_account(struct memquota_call *call,
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
	ret = threshold_fd_create(call, w, threshold->event_fd,
				  threshold->above_bytes,
				  threshold->rearm_bytes);
	if (ret < 0) {
		memquota_account_unref(a);
		return ret;
	}
	threshold->out_fd = ret;
	return 0;
}
