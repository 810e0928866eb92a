// SPDX-License-Identifier: GPL-2.0
/*
 * mqpipe: named pipes without a size limit of their own. The default tracker
 * limits what all of them hold together; above its high, memquota reclaims the
 * pipe that holds the oldest data.
 *
 *	echo create NAME > /dev/mqpipe/control	creates /dev/mqpipe/NAME
 *	echo remove NAME > /dev/mqpipe/control	removes it; open files stay
 *						usable
 *
 * Pipes open, read, write, poll and splice as FIFOs do, with these differences:
 *
 *	- Writing does not wait for the reader, only for the tracker's max.
 *	- A reclaimed pipe has ended: writers get ENOBUFS, and so do readers
 *	  after the rest of a segment that was read in part.
 *	- When the last reader closes, unread data is freed at once, and
 *	  writers get EPIPE even if another reader opens the pipe.
 *	- After the last close, the next open starts with an empty pipe.
 *
 * Each open pipe is an account with two participants: an arena, which holds
 * the memory, and a queue, which keeps the order. The account's parents are the
 * accounts of the processes that opened the pipe for writing.
 *
 * Writers copy data into references of the arena, which is per CPU: they
 * allocate by advancing their CPU's cursor, and share no lock except the
 * queue's. Readers put the references on any CPU. memquota charges chunks, not
 * bytes: even an empty pipe holds up to 64 KiB for each CPU that wrote to it,
 * and emptied chunks until reclaim trims them. In return, a write needs neither
 * a charge nor a slab allocation of its own.
 *
 * The queue's items cost nothing, since the arena is charged for them. Reclaim
 * therefore finds the arena as holder of the oldest data, and the arena's
 * callback ends the queue.
 *
 * /sys/kernel/debug/mqpipe/pipes lists all pipes. held_bytes is the size of a
 * pipe's chunks; wasted_bytes of them are unused chunk ends. older counts the
 * pipes that held older data when this one was reclaimed, and older_ms is the
 * largest difference in age. mqpipe compares all pipes for that, and does not
 * rely on memquota.
 */
#include <linux/cdev.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include "mqpipe.h"

#define MQPIPE_MINORS		4096

static dev_t mqpipe_dev;
static struct cdev mqpipe_control_cdev;	/* minor 0 */
static struct cdev mqpipe_cdev;		/* all other minors */
static struct class mqpipe_class = { .name = "mqpipe" };
static struct dentry *mqpipe_dir;

static int mqpipe_create(const char *name)
{
	struct mqpipe *pipe, *other;
	struct device *dev;
	unsigned long id;
	int err;

	lockdep_assert_held(&mqpipe_lock);
	if (!*name || *name == '.' || strlen(name) >= MQPIPE_NAME_SIZE ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
	    strlen(name))
		return -EINVAL;
	if (!strcmp(name, "control"))
		return -EEXIST;
	xa_for_each(&mqpipe_minors, id, other) {
		if (!strcmp(other->name, name))
			return -EEXIST;
	}

	pipe = mqpipe_alloc(name);
	if (!pipe)
		return -ENOMEM;
	err = xa_alloc(&mqpipe_minors, &pipe->minor, pipe,
		       XA_LIMIT(1, MQPIPE_MINORS - 1), GFP_KERNEL);
	if (err) {
		/* xa_alloc() returns -EBUSY if all minors are in use. */
		err = err == -EBUSY ? -ENOSPC : err;
		goto out_put;
	}
	/* '!' in a device name stands for '/' in the node's path. */
	dev = device_create(&mqpipe_class, NULL,
			    MKDEV(MAJOR(mqpipe_dev), pipe->minor), NULL,
			    "mqpipe!%s", name);
	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto out_minor;
	}
	spin_lock_irq(&mqpipe_list_lock);
	list_add_tail(&pipe->node, &mqpipe_list);
	spin_unlock_irq(&mqpipe_list_lock);
	return 0;

out_minor:
	xa_erase(&mqpipe_minors, pipe->minor);
out_put:
	mqpipe_put(pipe);
	return err;
}

static void mqpipe_remove(struct mqpipe *pipe)
{
	lockdep_assert_held(&mqpipe_lock);
	device_destroy(&mqpipe_class, MKDEV(MAJOR(mqpipe_dev), pipe->minor));
	xa_erase(&mqpipe_minors, pipe->minor);
	spin_lock_irq(&mqpipe_list_lock);
	list_del(&pipe->node);
	spin_unlock_irq(&mqpipe_list_lock);
	mqpipe_put(pipe);
}

static int mqpipe_remove_name(const char *name)
{
	struct mqpipe *pipe;
	unsigned long id;

	xa_for_each(&mqpipe_minors, id, pipe) {
		if (!strcmp(pipe->name, name)) {
			mqpipe_remove(pipe);
			return 0;
		}
	}
	return -ENOENT;
}

static ssize_t mqpipe_control_write(struct file *file, const char __user *buf,
				    size_t count, loff_t *ppos)
{
	char line[64], *name;
	int err;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	name = strim(line);
	mutex_lock(&mqpipe_lock);
	if (!strncmp(name, "create ", 7))
		err = mqpipe_create(name + 7);
	else if (!strncmp(name, "remove ", 7))
		err = mqpipe_remove_name(name + 7);
	else
		err = -EINVAL;
	mutex_unlock(&mqpipe_lock);
	return err ?: count;
}

static const struct file_operations mqpipe_control_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.write = mqpipe_control_write,
};

static const char *mqpipe_state_name(const struct mqpipe *pipe)
{
	if (!pipe->live)
		return "idle";
	switch (READ_ONCE(pipe->queue.reason)) {
	case 0:
		return "open";
	case -ENOBUFS:
		return "reclaimed";
	default:
		return "closed";
	}
}

static void mqpipe_show_pipe(struct seq_file *m, struct mqpipe *pipe)
{
	struct memquota_arena_stats stats = {};
	u64 ns = MEMQUOTA_NO_DATA, now, reclaims, older, older_ns;
	const char *state;

	spin_lock_irq(&mqpipe_list_lock);
	state = mqpipe_state_name(pipe);
	if (pipe->live) {
		memquota_arena_stats(&pipe->arena, &stats);
		ns = memquota_queue_oldest(&pipe->queue);
	}
	reclaims = pipe->reclaims;
	older = pipe->older;
	older_ns = pipe->older_ns;
	spin_unlock_irq(&mqpipe_list_lock);
	now = ktime_get_coarse_ns();

	seq_printf(m, "%s %s %u %u %llu %llu ", pipe->name, state,
		   READ_ONCE(pipe->readers), READ_ONCE(pipe->writers),
		   stats.held_bytes, stats.wasted_bytes);
	if (ns == MEMQUOTA_NO_DATA)
		seq_puts(m, "-");
	else
		seq_printf(m, "%llu", div_u64(now - ns, NSEC_PER_MSEC));
	seq_printf(m, " %lld %lld %llu %llu %llu\n",
		   atomic64_read(&pipe->written), atomic64_read(&pipe->read),
		   reclaims, older,
		   div_u64(older_ns + NSEC_PER_MSEC - 1, NSEC_PER_MSEC));
}

/* The mutex keeps the list as it is; the spinlock is held per pipe only. */
static int mqpipe_pipes_show(struct seq_file *m, void *unused)
{
	struct mqpipe *pipe;

	seq_puts(m, "name state readers writers held_bytes wasted_bytes age_ms written_bytes read_bytes reclaims older older_ms\n");
	mutex_lock(&mqpipe_lock);
	list_for_each_entry(pipe, &mqpipe_list, node)
		mqpipe_show_pipe(m, pipe);
	mutex_unlock(&mqpipe_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mqpipe_pipes);

static int __init mqpipe_init(void)
{
	struct device *dev;
	int err;

	err = alloc_chrdev_region(&mqpipe_dev, 0, MQPIPE_MINORS, "mqpipe");
	if (err)
		return err;
	err = class_register(&mqpipe_class);
	if (err)
		goto out_region;
	cdev_init(&mqpipe_control_cdev, &mqpipe_control_fops);
	mqpipe_control_cdev.owner = THIS_MODULE;
	cdev_init(&mqpipe_cdev, &mqpipe_fops);
	mqpipe_cdev.owner = THIS_MODULE;
	err = cdev_add(&mqpipe_cdev, mqpipe_dev + 1, MQPIPE_MINORS - 1);
	if (err)
		goto out_class;
	err = cdev_add(&mqpipe_control_cdev, mqpipe_dev, 1);
	if (err)
		goto out_cdev;
	dev = device_create(&mqpipe_class, NULL, mqpipe_dev, NULL,
			    "mqpipe!control");
	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto out_control;
	}
	mqpipe_dir = debugfs_create_dir("mqpipe", NULL);
	debugfs_create_file("pipes", 0400, mqpipe_dir, NULL,
			    &mqpipe_pipes_fops);
	return 0;

out_control:
	cdev_del(&mqpipe_control_cdev);
out_cdev:
	cdev_del(&mqpipe_cdev);
out_class:
	class_unregister(&mqpipe_class);
out_region:
	unregister_chrdev_region(mqpipe_dev, MQPIPE_MINORS);
	return err;
}

/* No file is open: each holds a reference to the module. */
static void __exit mqpipe_exit(void)
{
	struct mqpipe *pipe, *next;

	debugfs_remove(mqpipe_dir);
	mutex_lock(&mqpipe_lock);
	list_for_each_entry_safe(pipe, next, &mqpipe_list, node)
		mqpipe_remove(pipe);
	mutex_unlock(&mqpipe_lock);
	device_destroy(&mqpipe_class, mqpipe_dev);
	cdev_del(&mqpipe_control_cdev);
	cdev_del(&mqpipe_cdev);
	class_unregister(&mqpipe_class);
	unregister_chrdev_region(mqpipe_dev, MQPIPE_MINORS);
	memquota_barrier();
}

module_init(mqpipe_init);
module_exit(mqpipe_exit);

MODULE_DESCRIPTION("Named pipes whose memory is limited by memquota");
MODULE_LICENSE("GPL");
