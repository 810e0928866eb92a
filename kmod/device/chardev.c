// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/memquota: the device and its ioctls, those on trackers among them. The
 * node belongs to root unless the administrator changes that.
 */
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include "../core/core.h"
#include "../core/total.h"
#include "../core/tracker.h"
#include "account_fd.h"
#include "chardev.h"
#include "ioctl.h"
#include "name.h"
#include "threshold_fd.h"
#include "user.h"

static_assert(MEMQUOTA_IOCTL_NAME_SIZE == MEMQUOTA_NAME_SIZE);
static_assert(MEMQUOTA_IOCTL_UNLIMITED == MEMQUOTA_UNLIMITED);
static_assert((int)MEMQUOTA_STATE_DISABLED == (int)MEMQUOTA_DISABLED);
static_assert((int)MEMQUOTA_STATE_COUNTING == (int)MEMQUOTA_COUNTING);
static_assert((int)MEMQUOTA_STATE_POISONED == (int)MEMQUOTA_POISONED);
static_assert((int)MEMQUOTA_STATE_GONE == (int)MEMQUOTA_GONE);

static int chardev_ioctl_info(struct memquota_call *call)
{
	struct memquota_ioctl_info *info = &call->command.info;

	if (info->flags || info->__reserved)
		return -EOPNOTSUPP;

	info->out_version = MEMQUOTA_IOCTL_VERSION;
	info->out_name_size = MEMQUOTA_IOCTL_NAME_SIZE;
	info->out_features = MEMQUOTA_FEATURE_TRACKER |
			     MEMQUOTA_FEATURE_PROGRAMS;
	if (IS_ENABLED(CONFIG_MEMQUOTA_DEBUG))
		info->out_features |= MEMQUOTA_FEATURE_DEBUG;
	info->out_cache_max = MEMQUOTA_CACHE_MAX;
	info->out_size_max = MEMQUOTA_IOCTL_SIZE_MAX;
	return 0;
}

static int chardev_ioctl_tracker(struct memquota_call *call)
{
	struct memquota_ioctl_tracker *answer = &call->command.tracker;
	struct memquota_usage usage;
	struct memquota_tracker *t;
	int err;

	if (answer->flags || answer->__reserved || answer->__reserved2)
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	err = memquota_named_tracker(answer->name, &t);
	if (err)
		return err;

	/* The lock keeps the limits in force consistent with those set. */
	mutex_lock(&t->config_lock);
	memquota_tracker_usage(t, &usage);
	mutex_unlock(&t->config_lock);
	answer->out_state = usage.state;
	answer->out_max = usage.limits.max;
	answer->out_high = usage.limits.high;
	answer->out_low_water = usage.limits.low_water;
	answer->out_total = usage.total;
	answer->out_peak = usage.peak;
	answer->out_excess_max = memquota_cache_bound(t);
	answer->out_reclaims = usage.reclaims;
	answer->out_accounts = usage.accounts;
	answer->out_participants = usage.participants;
	answer->out_id = t->id;
	answer->out_flags = t->flags;
	answer->out_set_max = usage.set.max;
	answer->out_set_high = usage.set.high;
	answer->out_set_low_water = usage.set.low_water;
	memquota_tracker_unref(t);
	return 0;
}

/* Answer @reason, why the limits were refused, or that they were not (NULL). */
static void call_set_reason(struct memquota_call *call, const char *reason)
{
	char *out = call->command.tracker_config.out_reason;

	memset(out, 0, MEMQUOTA_IOCTL_REASON_SIZE);
	if (reason) {
		strscpy(out, reason, MEMQUOTA_IOCTL_REASON_SIZE);
		call->refusal_answers = true;
	}
}

static struct memquota_limits
config_limits(const struct memquota_ioctl_tracker_config *config)
{
	return (struct memquota_limits) {
		.max = config->max,
		.high = config->high,
		.low_water = config->low_water,
	};
}

static int chardev_ioctl_tracker_create(struct memquota_call *call)
{
	struct memquota_ioctl_tracker_config *config =
		&call->command.tracker_config;
	const struct memquota_limits limits = config_limits(config);
	const char *reason = NULL;
	struct memquota_tracker *t;

	static_assert(MEMQUOTA_TRACKER_DISABLED == 1);
	static_assert(MEMQUOTA_TRACKER_PROGRAMS == 2);
	if (config->flags & ~(MEMQUOTA_TRACKER_DISABLED |
			      MEMQUOTA_TRACKER_PROGRAMS))
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	if (!memquota_name_valid(config->name, sizeof(config->name)))
		return -EINVAL;
	t = memquota_tracker_new(config->name, &limits, config->flags,
				 GFP_KERNEL_ACCOUNT, true, &reason);
	call_set_reason(call, reason);
	return PTR_ERR_OR_ZERO(t);
}

static int chardev_ioctl_tracker_configure(struct memquota_call *call)
{
	struct memquota_ioctl_tracker_config *config =
		&call->command.tracker_config;
	const struct memquota_limits limits = config_limits(config);
	const char *reason = NULL;
	struct memquota_tracker *t;
	unsigned int flags = 0;
	int err;

	if (config->flags & ~MEMQUOTA_CONFIGURE_CHECK_ONLY)
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	err = memquota_named_tracker(config->name, &t);
	if (err)
		return err;
	if (config->flags & MEMQUOTA_CONFIGURE_CHECK_ONLY)
		flags = MEMQUOTA_CHECK_ONLY;
	err = memquota_tracker_configure(t, &limits, flags, &reason);
	call_set_reason(call, reason);
	memquota_tracker_unref(t);
	return err;
}

static int chardev_ioctl_tracker_destroy(struct memquota_call *call)
{
	struct memquota_ioctl_tracker_destroy *destroy =
		&call->command.tracker_destroy;

	if (destroy->flags)
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	if (!memquota_name_valid(destroy->name, sizeof(destroy->name)))
		return -EINVAL;
	return memquota_tracker_destroy_named(destroy->name);
}

static int chardev_ioctl_tracker_list(struct memquota_call *call)
{
	struct memquota_ioctl_tracker_list *list = &call->command.tracker_list;
	struct memquota_tracker *t;

	if (list->flags)
		return -EOPNOTSUPP;
	if (!memquota_privileged())
		return -EPERM;
	t = memquota_tracker_next(list->after_id);
	if (!t)
		return -ENOENT;
	list->out_id = t->id;
	strscpy_pad(list->out_name, t->name, sizeof(list->out_name));
	memquota_tracker_unref(t);
	return 0;
}

static const struct memquota_operation chardev_operations[] = {
	[MEMQUOTA_CMD_INFO - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_INFO, memquota_ioctl_info,
				   40, true, chardev_ioctl_info),
	[MEMQUOTA_CMD_TRACKER - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_TRACKER,
				   memquota_ioctl_tracker, 120, true,
				   chardev_ioctl_tracker),
	[MEMQUOTA_CMD_TRACKER_CREATE - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_TRACKER_CREATE,
				   memquota_ioctl_tracker_config, 128, true,
				   chardev_ioctl_tracker_create),
	[MEMQUOTA_CMD_TRACKER_CONFIGURE - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
				   memquota_ioctl_tracker_config, 128, true,
				   chardev_ioctl_tracker_configure),
	[MEMQUOTA_CMD_TRACKER_DESTROY - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_TRACKER_DESTROY,
				   memquota_ioctl_tracker_destroy, 40, false,
				   chardev_ioctl_tracker_destroy),
	[MEMQUOTA_CMD_TRACKER_LIST - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_TRACKER_LIST,
				   memquota_ioctl_tracker_list, 56, true,
				   chardev_ioctl_tracker_list),
	[MEMQUOTA_CMD_TRACKER_THRESHOLD - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_TRACKER_THRESHOLD,
				   memquota_ioctl_tracker_threshold, 64,
				   true, memquota_threshold_fd_tracker),
	[MEMQUOTA_CMD_ACCOUNT_CREATE - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_CREATE,
				   memquota_ioctl_account_create, 88, true,
				   memquota_account_fd_create),
	[MEMQUOTA_CMD_ACCOUNT_OPEN - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_OPEN,
				   memquota_ioctl_account_open, 56, true,
				   memquota_account_fd_open),
	[MEMQUOTA_CMD_ACCOUNT_LIST - MEMQUOTA_CMD_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_LIST,
				   memquota_ioctl_account_list, 136, true,
				   memquota_account_fd_list),
};

static const struct memquota_operations chardev_ioctls = {
	.operations = chardev_operations,
	.base = MEMQUOTA_CMD_BASE,
	.count = ARRAY_SIZE(chardev_operations),
};

static long chardev_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return memquota_ioctl(&chardev_ioctls, file, cmd, arg);
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice chardev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "memquota",
	.fops = &chardev_fops,
	.mode = 0600,
};

int memquota_chardev_init(void)
{
	return misc_register(&chardev);
}

void memquota_chardev_exit(void)
{
	misc_deregister(&chardev);
}
