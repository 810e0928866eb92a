// SPDX-License-Identifier: GPL-2.0
/*
 * Dispatch of ioctls: find the operation in the table of the descriptor's kind,
 * copy its structure in, execute it, copy the answer out, and install the new
 * descriptor that the answer names, if any.
 */
#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/uaccess.h>
#include "../core/core.h"
#include "../core/total.h"
#include "../core/tracker.h"
#include "ioctl.h"
#include "name.h"

/*
 * Create a descriptor of @object; memquota_ioctl() installs it after the answer
 * was copied out, so that no other thread can use it before. Return its
 * number, or an errno. With success the file owns @object, even if the call
 * fails later; with an errno the caller still does.
 */
int memquota_new_fd(struct memquota_call *call, const char *name,
		    const struct file_operations *fops, void *object)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, object, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	nonseekable_open(file_inode(file), file);
	call->file = file;
	call->fd = fd;
	return fd;
}

/* Find a tracker. The caller gives it to memquota_tracker_unref(). */
int memquota_named_tracker(const char *name, struct memquota_tracker **t)
{
	if (!memquota_name_valid(name, MEMQUOTA_IOCTL_NAME_SIZE))
		return -EINVAL;
	*t = memquota_tracker_find(name);
	return *t ? 0 : -ENOENT;
}

/* Install the new descriptor, or release it if the call failed. */
static void call_finish_fd(struct memquota_call *call, int err)
{
	if (!call->file)
		return;
	if (!err) {
		fd_install(call->fd, call->file);
	} else {
		put_unused_fd(call->fd);
		fput(call->file);
	}
}

/* Execute the ioctl @cmd of a descriptor whose ioctls are @operations. */
long memquota_ioctl(const struct memquota_operations *operations,
		    struct file *file, unsigned int cmd, unsigned long arg)
{
	unsigned int nr = _IOC_NR(cmd) - operations->base;
	void __user *user = (void __user *)arg;
	const struct memquota_operation *op;
	struct memquota_call call;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(union memquota_command) > MEMQUOTA_IOCTL_SIZE_MAX);
	if (nr >= operations->count || operations->operations[nr].cmd != cmd)
		return -ENOIOCTLCMD;
	op = &operations->operations[nr];

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	if (size > MEMQUOTA_IOCTL_SIZE_MAX)
		return -E2BIG;
	err = copy_struct_from_user(&call.command, op->size, user, size);
	if (err)
		return err;
	/* Another thread may have changed the size that was checked above. */
	*(u32 *)&call.command = size;
	call.object = file->private_data;
	call.file = NULL;
	call.refusal_answers = false;

	err = op->execute(&call);
	if ((!err && op->answers) || call.refusal_answers)
		if (copy_to_user(user, &call.command,
				 min_t(size_t, size, op->size)))
			err = -EFAULT;
	call_finish_fd(&call, err);
	return err;
}
