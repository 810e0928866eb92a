// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading, and the parameters of the default tracker.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "core/record.h"
#include "core/tracker.h"
#include "debug/debugfs.h"
#include "device/chardev.h"
#include "memory/arena.h"
#include "memory/chunk.h"
#include "memory/range.h"

/* The parameters as given when loading: 0 is "not set". */
static struct memquota_limits limits;
static bool disabled;
static bool programs;

/*
 * Store a parameter before the tracker exists: the limits are checked together
 * when it is created. Later, configure the tracker, as /dev/memquota does.
 * kernel_param_lock() keeps the tracker.
 */
static int limit_set(const char *val, const struct kernel_param *kp)
{
	struct memquota_tracker *t = memquota_default_tracker();
	char *end;
	u64 bytes;

	bytes = memparse(val, &end);
	if (end == val || (*end && *end != '\n'))
		return -EINVAL;
	if (t)
		memquota_tracker_limits(t, &limits);
	*(u64 *)kp->arg = bytes;
	return t ? memquota_tracker_configure(t, &limits, 0, NULL) : 0;
}

static int limit_get(char *buffer, const struct kernel_param *kp)
{
	struct memquota_tracker *t = memquota_default_tracker();

	if (t)
		memquota_tracker_limits(t, &limits);
	return sysfs_emit(buffer, "%llu\n", *(u64 *)kp->arg);
}

static const struct kernel_param_ops limit_ops = {
	.set = limit_set,
	.get = limit_get,
};

module_param_cb(max, &limit_ops, &limits.max, 0644);
MODULE_PARM_DESC(max, "bytes (K, M, G) beyond which the default tracker refuses charges");
module_param_cb(high, &limit_ops, &limits.high, 0644);
MODULE_PARM_DESC(high, "bytes (K, M, G) above which the default tracker reclaims, 214K or more (max)");
module_param_cb(low_water, &limit_ops, &limits.low_water, 0644);
MODULE_PARM_DESC(low_water, "bytes (K, M, G) at which it stops, 160K or more (75 % of high)");
module_param(disabled, bool, 0444);
MODULE_PARM_DESC(disabled, "create the default tracker disabled");
module_param(programs, bool, 0444);
MODULE_PARM_DESC(programs, "let programs have accounts in the default tracker");

static int __init memquota_start(void)
{
	int err;

	err = memquota_chunks_init();
	if (err)
		return err;
	/* The files of the default tracker are made when it is created. */
	memquota_debugfs_init();
	err = memquota_records_init();
	if (err)
		goto out_debugfs;
	err = memquota_lanes_init();
	if (err)
		goto out_records;
	err = memquota_cpu_cache_init();
	if (err)
		goto out_lanes;
	err = memquota_trackers_init(&limits,
				     (disabled ? MEMQUOTA_TRACKER_DISABLED : 0) |
				     (programs ? MEMQUOTA_TRACKER_PROGRAMS : 0));
	if (err)
		goto out_cpu_cache;
	err = memquota_arenas_init();
	if (err)
		goto out_trackers;
	err = memquota_ranges_init();
	if (err)
		goto out_arenas;
	return 0;

out_arenas:
	memquota_arenas_exit();
out_trackers:
	memquota_trackers_exit();
out_cpu_cache:
	memquota_cpu_cache_exit();
out_lanes:
	memquota_lanes_exit();
out_records:
	memquota_records_exit();
out_debugfs:
	memquota_debugfs_exit();
	memquota_chunks_exit();
	return err;
}

#ifdef MODULE
static void memquota_stop(void)
{
	memquota_ranges_exit();
	memquota_arenas_exit();
	memquota_trackers_exit();
	memquota_cpu_cache_exit();
	memquota_lanes_exit();
	memquota_records_exit();
	memquota_debugfs_exit();
	memquota_chunks_exit();
}

static int __init memquota_init(void)
{
	int err = memquota_start();

	if (err)
		return err;
	err = memquota_chardev_init();
	if (err)
		memquota_stop();
	return err;
}

static void __exit memquota_exit(void)
{
	memquota_chardev_exit();
	memquota_programs_trackers_destroy();
	memquota_stop();
}

module_init(memquota_init);
module_exit(memquota_exit);
#else
/*
 * Built in, memquota starts before its users, which may be drivers, file systems
 * and protocols. /dev/memquota comes later, because misc devices are initialised
 * at subsys_initcall() too.
 */
static bool started;

static int __init memquota_start_early(void)
{
	int err = memquota_start();

	started = !err;
	return err;
}

static int __init memquota_add_device(void)
{
	return started ? memquota_chardev_init() : -ENODEV;
}

subsys_initcall(memquota_start_early);
device_initcall(memquota_add_device);
#endif

MODULE_DESCRIPTION("Quota-tracked memory for kernel modules");
MODULE_LICENSE("GPL");
