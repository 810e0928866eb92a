// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/memquota: what programs can ask. The node is root's unless the
 * administrator says otherwise.
 */
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/memquota.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "chardev.h"
#include "quota.h"

static_assert(MEMQUOTA_IOCTL_NAME_SIZE == MEMQUOTA_NAME_SIZE);
static_assert(MEMQUOTA_IOCTL_UNLIMITED == MEMQUOTA_UNLIMITED);
static_assert((int)MEMQUOTA_STATE_DISABLED == (int)MEMQUOTA_DISABLED);
static_assert((int)MEMQUOTA_STATE_COUNTING == (int)MEMQUOTA_COUNTING);
static_assert((int)MEMQUOTA_STATE_POISONED == (int)MEMQUOTA_POISONED);
static_assert((int)MEMQUOTA_STATE_GONE == (int)MEMQUOTA_GONE);

union command {
	struct memquota_ioctl_info info;
	struct memquota_ioctl_tracker tracker;
};

static int ioctl_info(union command *command)
{
	struct memquota_ioctl_info *info = &command->info;

	if (info->flags || info->__reserved)
		return -EOPNOTSUPP;

	info->out_version = MEMQUOTA_IOCTL_VERSION;
	info->out_name_size = MEMQUOTA_IOCTL_NAME_SIZE;
	info->out_features = MEMQUOTA_FEATURE_TRACKER;
	if (IS_ENABLED(CONFIG_MEMQUOTA_DEBUG))
		info->out_features |= MEMQUOTA_FEATURE_DEBUG;
	info->out_cache_max = MEMQUOTA_CACHE_MAX;
	info->out_size_max = MEMQUOTA_IOCTL_SIZE_MAX;
	return 0;
}

static int ioctl_tracker(union command *command)
{
	struct memquota_ioctl_tracker *answer = &command->tracker;
	struct memquota_usage usage;
	struct memquota_tracker *t;

	if (answer->flags || answer->__reserved)
		return -EOPNOTSUPP;
	if (strnlen(answer->name, sizeof(answer->name)) == sizeof(answer->name))
		return -EINVAL;
	t = memquota_tracker_find(answer->name);
	if (!t)
		return -ENOENT;

	memquota_tracker_usage(t, &usage);
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
	memquota_tracker_unref(t);
	return 0;
}

struct operation {
	unsigned int cmd;
	size_t size;		/* of the structure as this kernel knows it */
	size_t min_size;	/* of its first version, never to be changed */
	int (*execute)(union command *command);
};

static const struct operation operations[] = {
	[MEMQUOTA_CMD_INFO - MEMQUOTA_CMD_BASE] = {
		.cmd = MEMQUOTA_IOCTL_INFO,
		.size = sizeof(struct memquota_ioctl_info),
		.min_size = offsetofend(struct memquota_ioctl_info, __reserved),
		.execute = ioctl_info,
	},
	[MEMQUOTA_CMD_TRACKER - MEMQUOTA_CMD_BASE] = {
		.cmd = MEMQUOTA_IOCTL_TRACKER,
		.size = sizeof(struct memquota_ioctl_tracker),
		.min_size = offsetofend(struct memquota_ioctl_tracker,
					out_participants),
		.execute = ioctl_tracker,
	},
};

static long chardev_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	unsigned int nr = _IOC_NR(cmd) - MEMQUOTA_CMD_BASE;
	void __user *user = (void __user *)arg;
	const struct operation *op;
	union command command;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(union command) > MEMQUOTA_IOCTL_SIZE_MAX);
	if (nr >= ARRAY_SIZE(operations) || operations[nr].cmd != cmd)
		return -ENOIOCTLCMD;
	op = &operations[nr];

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	if (size > MEMQUOTA_IOCTL_SIZE_MAX)
		return -E2BIG;
	/* What another thread writes there meanwhile is not looked at. */
	err = copy_struct_from_user(&command, op->size, user, size);
	if (err)
		return err;
	*(u32 *)&command = size;

	err = op->execute(&command);
	if (err)
		return err;
	if (copy_to_user(user, &command, min_t(size_t, size, op->size)))
		return -EFAULT;
	return 0;
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
