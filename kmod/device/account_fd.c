// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of accounts: to create, open and list accounts, and the ioctls of
 * an account. Each descriptor holds a handle of its account.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "../core/account.h"
#include "../core/core.h"
#include "../core/graph.h"
#include "../core/record.h"
#include "../core/total.h"
#include "account_fd.h"
#include "ioctl.h"
#include "name.h"
#include "participant_fd.h"
#include "threshold_fd.h"
#include "user.h"

struct account_fd {
	struct memquota_account *account;	/* NULL: disabled */
	struct memquota_user *user;
};

static struct memquota_account *call_account(struct memquota_call *call)
{
	return ((struct account_fd *)call->object)->account;
}

static int account_fd_ioctl_usage(struct memquota_call *call)
{
	struct memquota_ioctl_account *answer = &call->command.account;
	struct memquota_account *a = call_account(call);
	struct memquota_account_usage usage;

	if (answer->flags || answer->__reserved)
		return -EOPNOTSUPP;
	memquota_account_usage(a, &usage);
	strscpy_pad(answer->out_name, a ? a->name : "",
		    sizeof(answer->out_name));
	strscpy_pad(answer->out_tracker, a ? a->tracker->name : "",
		    sizeof(answer->out_tracker));
	answer->out_id = memquota_account_id(a);
	answer->out_held = usage.held;
	answer->out_peak = usage.peak;
	answer->out_max = usage.max;
	answer->out_refused = usage.refused;
	answer->out_reclaims = usage.reclaims;
	answer->out_participants = usage.participants;
	answer->out_children = usage.children;
	answer->out_closed = usage.closed;
	return 0;
}

static int account_fd_ioctl_set_max(struct memquota_call *call)
{
	struct memquota_ioctl_account_set_max *set =
		&call->command.account_set_max;

	if (set->flags)
		return -EOPNOTSUPP;
	return memquota_account_set_max(call_account(call), set->max);
}

static const struct file_operations account_fd_fops;

/* Find the account of a descriptor. It stays valid until fput() of @file. */
static int account_fd_get(int fd, struct file **file,
			  struct memquota_account **account)
{
	struct account_fd *afd;

	*file = fget(fd);
	if (!*file)
		return -EBADF;
	if ((*file)->f_op != &account_fd_fops) {
		fput(*file);
		return -EINVAL;
	}
	afd = (*file)->private_data;
	*account = afd->account;
	return 0;
}

static int account_fd_ioctl_add_parent(struct memquota_call *call)
{
	struct memquota_ioctl_account_add_parent *add =
		&call->command.account_add_parent;
	struct memquota_account *parent;
	struct file *file;
	int err;

	if (add->flags || add->__reserved)
		return -EOPNOTSUPP;
	err = account_fd_get(add->parent_fd, &file, &parent);
	if (err)
		return err;
	err = memquota_account_link(call_account(call), parent,
				    GFP_KERNEL_ACCOUNT);
	fput(file);
	return err;
}

static int account_fd_ioctl_threshold(struct memquota_call *call)
{
	return memquota_threshold_fd_account(call, call_account(call));
}

static int account_fd_ioctl_join(struct memquota_call *call)
{
	return memquota_participant_fd_create(call, call_account(call));
}

static const struct memquota_operation account_fd_operations[] = {
	[MEMQUOTA_CMD_ACCOUNT - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT,
				   memquota_ioctl_account, 136, true,
				   account_fd_ioctl_usage),
	[MEMQUOTA_CMD_ACCOUNT_SET_MAX - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_SET_MAX,
				   memquota_ioctl_account_set_max, 16, false,
				   account_fd_ioctl_set_max),
	[MEMQUOTA_CMD_ACCOUNT_ADD_PARENT - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT,
				   memquota_ioctl_account_add_parent, 16,
				   false, account_fd_ioctl_add_parent),
	[MEMQUOTA_CMD_ACCOUNT_THRESHOLD - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
				   memquota_ioctl_account_threshold, 32,
				   true, account_fd_ioctl_threshold),
	[MEMQUOTA_CMD_JOIN - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_JOIN, memquota_ioctl_join,
				   48, true, account_fd_ioctl_join),
};

static const struct memquota_operations account_fd_ioctls = {
	.operations = account_fd_operations,
	.base = MEMQUOTA_CMD_ACCOUNT_BASE,
	.count = ARRAY_SIZE(account_fd_operations),
};

static long account_fd_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	return memquota_ioctl(&account_fd_ioctls, file, cmd, arg);
}

static int account_fd_release(struct inode *inode, struct file *file)
{
	struct account_fd *afd = file->private_data;

	memquota_account_put(afd->account);
	memquota_user_put(afd->user);
	kfree(afd);
	return 0;
}

static const struct file_operations account_fd_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = account_fd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = account_fd_release,
};

/* Allocate the object of a descriptor, and count it for the caller. */
static struct account_fd *account_fd_alloc(void)
{
	struct account_fd *afd;

	afd = kzalloc(sizeof(*afd), GFP_KERNEL_ACCOUNT);
	if (!afd)
		return ERR_PTR(-ENOMEM);
	afd->user = memquota_user_get();
	if (IS_ERR(afd->user)) {
		int err = PTR_ERR(afd->user);

		kfree(afd);
		return ERR_PTR(err);
	}
	return afd;
}

/*
 * Create a descriptor of @account. Consumes @afd, and the handle or ERR_PTR()
 * in @account. Return the descriptor's number, or an errno.
 */
static int account_fd_install(struct memquota_call *call,
			      struct account_fd *afd,
			      struct memquota_account *account)
{
	int fd;

	if (IS_ERR(account)) {
		fd = PTR_ERR(account);
		goto out_free;
	}
	afd->account = account;
	fd = memquota_new_fd(call, "[memquota-account]", &account_fd_fops, afd);
	if (fd >= 0)
		return fd;
	memquota_account_put(account);
out_free:
	memquota_user_put(afd->user);
	kfree(afd);
	return fd;
}

/* Find a tracker in which programs may have accounts. */
static int account_fd_find_tracker(const char *name,
				   struct memquota_tracker **t)
{
	int err = memquota_named_tracker(name, t);

	if (err || (*t)->flags & MEMQUOTA_TRACKER_PROGRAMS)
		return err;
	memquota_tracker_unref(*t);
	return -EACCES;
}

int memquota_account_fd_create(struct memquota_call *call)
{
	struct memquota_ioctl_account_create *create =
		&call->command.account_create;
	struct memquota_account *a, *parent = NULL;
	struct file *parent_file = NULL;
	struct memquota_tracker *t;
	struct account_fd *afd;
	int ret;

	if (create->flags)
		return -EOPNOTSUPP;
	if (!memquota_name_valid(create->name, sizeof(create->name)))
		return -EINVAL;
	ret = account_fd_find_tracker(create->tracker, &t);
	if (ret)
		return ret;
	if (create->parent_fd != -1) {
		ret = account_fd_get(create->parent_fd, &parent_file, &parent);
		if (ret)
			goto out_tracker;
		/* A disabled account cannot be the parent of a counted one. */
		ret = -EINVAL;
		if (!parent && !(t->flags & MEMQUOTA_TRACKER_DISABLED))
			goto out_parent;
	}
	afd = account_fd_alloc();
	ret = PTR_ERR_OR_ZERO(afd);
	if (ret)
		goto out_parent;
	a = memquota_account_create(t, parent, GFP_KERNEL_ACCOUNT, "%s",
				    create->name);
	if (!IS_ERR_OR_NULL(a)) {
		WRITE_ONCE(a->creator, current_uid());
		create->out_id = a->id;
	} else {
		create->out_id = 0;
	}
	ret = account_fd_install(call, afd, a);
	if (ret >= 0) {
		create->out_fd = ret;
		ret = 0;
	}
out_parent:
	if (parent_file)
		fput(parent_file);
out_tracker:
	memquota_tracker_unref(t);
	return ret;
}

int memquota_account_fd_open(struct memquota_call *call)
{
	struct memquota_ioctl_account_open *open = &call->command.account_open;
	struct memquota_tracker *t;
	struct memquota_account *a;
	struct account_fd *afd;
	int ret;

	if (open->flags || open->__reserved)
		return -EOPNOTSUPP;
	ret = account_fd_find_tracker(open->tracker, &t);
	if (ret)
		return ret;
	ret = -EOPNOTSUPP;
	if (t->flags & MEMQUOTA_TRACKER_DISABLED)
		goto out_tracker;
	a = memquota_account_lookup(t, open->id);
	if (!IS_ERR(a) && !memquota_privileged() &&
	    !uid_eq(READ_ONCE(a->creator), current_uid())) {
		memquota_account_put(a);
		ret = -EPERM;
		goto out_tracker;
	}
	afd = account_fd_alloc();
	ret = PTR_ERR_OR_ZERO(afd);
	if (ret) {
		memquota_account_put(a);
		goto out_tracker;
	}
	ret = account_fd_install(call, afd, a);
	if (ret >= 0) {
		open->out_fd = ret;
		ret = 0;
	}
out_tracker:
	memquota_tracker_unref(t);
	return ret;
}

/*
 * Return the first open account after @id, or ERR_PTR() of -ENOENT or -EINTR.
 * The caller gives it to memquota_account_unref().
 */
static struct memquota_account *
account_fd_next_open(struct memquota_tracker *t, u64 id)
{
	struct memquota_account *a;

	while (id != U64_MAX) {
		a = memquota_account_next(t, id + 1);
		if (!a)
			break;
		if (!memquota_account_closed(a))
			return a;
		id = a->id;
		memquota_account_unref(a);
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
		cond_resched();
	}
	return ERR_PTR(-ENOENT);
}

/* Insert a parent by age, and drop what no longer fits. */
static int account_fd_list_parent(struct memquota_account *parent, void *arg)
{
	struct memquota_ioctl_account_list *list = arg;
	u32 i = min_t(u32, list->out_nr_parents++, MEMQUOTA_IOCTL_PARENTS);

	for (; i && list->out_parents[i - 1] > parent->id; i--)
		if (i < MEMQUOTA_IOCTL_PARENTS)
			list->out_parents[i] = list->out_parents[i - 1];
	if (i < MEMQUOTA_IOCTL_PARENTS)
		list->out_parents[i] = parent->id;
	return 0;
}

int memquota_account_fd_list(struct memquota_call *call)
{
	struct memquota_ioctl_account_list *list = &call->command.account_list;
	struct memquota_account_usage usage;
	struct memquota_account *a;
	struct memquota_tracker *t;
	int err;

	if (list->flags || list->__reserved)
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	err = memquota_named_tracker(list->tracker, &t);
	if (err)
		return err;
	a = account_fd_next_open(t, list->after_id);
	if (IS_ERR(a)) {
		err = PTR_ERR(a);
		goto out;
	}
	memquota_account_usage(a, &usage);
	strscpy_pad(list->out_name, a->name, sizeof(list->out_name));
	list->out_id = a->id;
	list->out_held = usage.held;
	list->out_peak = usage.peak;
	list->out_max = usage.max;
	list->out_refused = usage.refused;
	list->out_reclaims = usage.reclaims;
	list->out_participants = usage.participants;
	list->out_children = usage.children;
	list->out_nr_parents = 0;
	memset(list->out_parents, 0, sizeof(list->out_parents));
	memquota_walk_parents(a, account_fd_list_parent, list);
	memquota_account_unref(a);
out:
	memquota_tracker_unref(t);
	return err;
}
