// SPDX-License-Identifier: GPL-2.0
/* The file operations of /dev/mqpipe/NAME. */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include "compat.h"
#include "mqpipe.h"

/* A process that has pipes open for writing. */
struct mqpipe_writer {
	struct list_head node;		/* in mqpipe_writers; its lock */
	struct pid *tgid;
	unsigned int opens;		/* mqpipe_writers_lock */
	struct memquota_account *account;
};

struct mqpipe_file {
	struct mqpipe *pipe;
	struct mqpipe_writer *writer;	/* NULL: opened for reading only */
};

static DEFINE_MUTEX(mqpipe_writers_lock);
static LIST_HEAD(mqpipe_writers);

static void mqpipe_put_writer(struct mqpipe_writer *writer)
{
	mutex_lock(&mqpipe_writers_lock);
	if (--writer->opens) {
		mutex_unlock(&mqpipe_writers_lock);
		return;
	}
	list_del(&writer->node);
	mutex_unlock(&mqpipe_writers_lock);
	memquota_account_put(writer->account);
	put_pid(writer->tgid);
	kfree(writer);
}

static struct mqpipe_writer *mqpipe_get_writer(void)
{
	struct memquota_account *account;
	struct mqpipe_writer *writer;

	mutex_lock(&mqpipe_writers_lock);
	list_for_each_entry(writer, &mqpipe_writers, node) {
		if (writer->tgid == task_tgid(current)) {
			writer->opens++;
			goto out_unlock;
		}
	}
	writer = kzalloc(sizeof(*writer), GFP_KERNEL);
	if (!writer) {
		writer = ERR_PTR(-ENOMEM);
		goto out_unlock;
	}
	account = memquota_account_create(memquota_default_tracker(), NULL,
					  GFP_KERNEL, "%s/%d", current->comm,
					  task_tgid_nr(current));
	if (IS_ERR(account)) {
		kfree(writer);
		writer = ERR_CAST(account);
		goto out_unlock;
	}
	writer->account = account;
	writer->tgid = get_pid(task_tgid(current));
	writer->opens = 1;
	list_add(&writer->node, &mqpipe_writers);
out_unlock:
	mutex_unlock(&mqpipe_writers_lock);
	return writer;
}

/* Undo mqpipe_add_open(), and put the writer and the pipe. */
static void mqpipe_drop_open(struct mqpipe *pipe, struct mqpipe_writer *writer,
			     fmode_t mode)
{
	mutex_lock(&pipe->mutex);
	if (mode & FMODE_WRITE)
		WRITE_ONCE(pipe->writers, pipe->writers - 1);
	if (mode & FMODE_READ) {
		WRITE_ONCE(pipe->readers, pipe->readers - 1);
		if (!pipe->readers) {
			memquota_queue_close(&pipe->queue);
			/* Not destroyed: a writer may be about to copy. */
			memquota_arena_drop(&pipe->arena);
		}
	}
	/* Readers and pollers may wait for this side to close. */
	wake_up_all(&pipe->queue.wait);
	if (!--pipe->opens)
		mqpipe_end(pipe);
	mutex_unlock(&pipe->mutex);
	if (writer)
		mqpipe_put_writer(writer);
	mqpipe_put(pipe);
}

/* Count an open file; the first one begins the pipe's data. */
static int mqpipe_add_open(struct mqpipe *pipe, struct mqpipe_writer *writer,
			   fmode_t mode)
{
	int err;

	lockdep_assert_held(&pipe->mutex);
	if (!pipe->opens) {
		err = mqpipe_begin(pipe);
		if (err)
			return err;
	}
	if (writer) {
		err = memquota_account_add_parent(pipe->account,
						  writer->account);
		/* A reclaimed pipe can be opened; writing returns ENOBUFS. */
		if (err && err != -EEXIST && err != -ESTALE) {
			if (!pipe->opens)
				mqpipe_end(pipe);
			return err;
		}
	}
	pipe->opens++;
	if (mode & FMODE_READ) {
		WRITE_ONCE(pipe->readers, pipe->readers + 1);
		WRITE_ONCE(pipe->had_readers, pipe->had_readers + 1);
	}
	if (mode & FMODE_WRITE) {
		WRITE_ONCE(pipe->writers, pipe->writers + 1);
		WRITE_ONCE(pipe->had_writers, pipe->had_writers + 1);
	}
	wake_up_all(&pipe->wait_open);
	return 0;
}

/* Wait until the other side was opened, even if it has closed again since. */
static int mqpipe_wait_for_peer(struct mqpipe *pipe, unsigned int *had)
{
	unsigned int seen = *had;
	int err;

	mutex_unlock(&pipe->mutex);
	err = wait_event_interruptible(pipe->wait_open,
				       READ_ONCE(*had) != seen);
	mutex_lock(&pipe->mutex);
	return err;
}

static int mqpipe_open(struct inode *inode, struct file *file)
{
	fmode_t mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	bool wait = !(file->f_flags & O_NONBLOCK);
	struct mqpipe_writer *writer = NULL;
	struct mqpipe_file *mf;
	struct mqpipe *pipe;
	int err;

	pipe = mqpipe_get(iminor(inode));
	if (!pipe)
		return -ENXIO;

	mf = kzalloc(sizeof(*mf), GFP_KERNEL);
	if (!mf) {
		err = -ENOMEM;
		goto out_put;
	}
	if (mode & FMODE_WRITE) {
		writer = mqpipe_get_writer();
		if (IS_ERR(writer)) {
			err = PTR_ERR(writer);
			goto out_free;
		}
	}

	mutex_lock(&pipe->mutex);
	if (mode == FMODE_WRITE && !wait && !pipe->readers)
		err = -ENXIO;
	else
		err = mqpipe_add_open(pipe, writer, mode);
	if (err)
		goto out_unlock;
	if (wait && mode == FMODE_READ && !pipe->writers)
		err = mqpipe_wait_for_peer(pipe, &pipe->had_writers);
	else if (wait && mode == FMODE_WRITE && !pipe->readers)
		err = mqpipe_wait_for_peer(pipe, &pipe->had_readers);
	mutex_unlock(&pipe->mutex);
	if (err) {
		kfree(mf);
		mqpipe_drop_open(pipe, writer, mode);
		return err;
	}

	mf->pipe = pipe;
	mf->writer = writer;
	file->private_data = mf;
	return stream_open(inode, file);

out_unlock:
	mutex_unlock(&pipe->mutex);
	if (writer)
		mqpipe_put_writer(writer);
out_free:
	kfree(mf);
out_put:
	mqpipe_put(pipe);
	return err;
}

static int mqpipe_release(struct inode *inode, struct file *file)
{
	struct mqpipe_file *mf = file->private_data;

	mqpipe_drop_open(mf->pipe, mf->writer, file->f_mode);
	kfree(mf);
	return 0;
}

static bool mqpipe_is_nonblocking(struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT ||
	       iocb->ki_filp->f_flags & O_NONBLOCK;
}

/*
 * Copy what is available. Return the number of bytes; 0 at the end of the data;
 * -EAGAIN if there is none at present; another errno.
 */
static ssize_t mqpipe_read_available(struct mqpipe *pipe, struct iov_iter *to)
{
	struct memquota_item *item;
	struct mqpipe_segment *seg;
	size_t done = 0, n;
	ssize_t ret = 0;
	bool writers;

	lockdep_assert_held(&pipe->read_mutex);
	while (iov_iter_count(to)) {
		if (!pipe->taken) {
			/* Before the queue: a writer may write and close. */
			writers = READ_ONCE(pipe->writers);
			item = memquota_queue_recv(&pipe->queue);
			if (!item) {
				ret = writers ? -EAGAIN : 0;
				break;
			}
			if (IS_ERR(item)) {
				ret = PTR_ERR(item);
				/* An earlier reader was the last to close. */
				if (ret == -EPIPE)
					ret = 0;
				break;
			}
			WRITE_ONCE(pipe->taken,
				   container_of(item, struct mqpipe_segment,
						item));
		}
		seg = pipe->taken;
		n = copy_to_iter(seg->data + seg->done, seg->len - seg->done,
				 to);
		seg->done += n;
		done += n;
		if (seg->done < seg->len) {
			if (iov_iter_count(to))
				ret = -EFAULT;
			break;
		}
		WRITE_ONCE(pipe->taken, NULL);
		memquota_ref_put(seg);
	}
	atomic64_add(done, &pipe->read);
	return done ?: ret;
}

static ssize_t mqpipe_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct mqpipe_file *mf = iocb->ki_filp->private_data;
	struct mqpipe *pipe = mf->pipe;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	for (;;) {
		if (mutex_lock_interruptible(&pipe->read_mutex))
			return -ERESTARTSYS;
		ret = mqpipe_read_available(pipe, to);
		mutex_unlock(&pipe->read_mutex);
		/*
		 * The queue does not wake readers for the rest of a segment
		 * that it no longer holds.
		 */
		if (READ_ONCE(pipe->taken))
			wake_up_poll(&pipe->queue.wait, EPOLLIN | EPOLLRDNORM);
		if (ret != -EAGAIN || mqpipe_is_nonblocking(iocb))
			return ret;
		if (wait_event_interruptible(pipe->queue.wait,
					     memquota_queue_readable(&pipe->queue) ||
					     READ_ONCE(pipe->taken) ||
					     !READ_ONCE(pipe->writers)))
			return -ERESTARTSYS;
	}
}

static ssize_t mqpipe_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct mqpipe_file *mf = iocb->ki_filp->private_data;
	struct mqpipe *pipe = mf->pipe;
	struct mqpipe_segment *seg;
	size_t done = 0, len;
	int err = 0;

	while (iov_iter_count(from)) {
		if (!READ_ONCE(pipe->readers)) {
			/* -ENOBUFS tells a writer more than -EPIPE would. */
			err = READ_ONCE(pipe->queue.reason) == -ENOBUFS ?
				-ENOBUFS : -EPIPE;
			break;
		}
		/*
		 * Up to PIPE_BUF bytes go into one segment, so that they are
		 * read as a whole. Larger segments would waste more bytes at
		 * the end of a chunk.
		 */
		len = min_t(size_t, iov_iter_count(from), PIPE_BUF);
		seg = mqpipe_alloc_segment(pipe, len,
					   !mqpipe_is_nonblocking(iocb));
		if (IS_ERR(seg)) {
			err = PTR_ERR(seg);
			break;
		}
		if (!copy_from_iter_full(seg->data, len, from))
			err = -EFAULT;
		else
			err = memquota_queue_send(&pipe->queue, &seg->item, 0,
						  GFP_KERNEL);
		if (err) {
			memquota_ref_put(seg);
			break;
		}
		done += len;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	atomic64_add(done, &pipe->written);
	if (err == -EPIPE)
		send_sig(SIGPIPE, current, 0);
	return done ?: err;
}

static __poll_t mqpipe_poll(struct file *file, poll_table *wait)
{
	struct mqpipe_file *mf = file->private_data;
	struct mqpipe *pipe = mf->pipe;
	__poll_t mask = 0;
	int reason;

	poll_wait(file, &pipe->queue.wait, wait);
	if (file->f_mode & FMODE_READ) {
		if (memquota_queue_readable(&pipe->queue) ||
		    READ_ONCE(pipe->taken))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (!READ_ONCE(pipe->writers) && READ_ONCE(pipe->had_writers))
			mask |= EPOLLHUP;
	}
	reason = READ_ONCE(pipe->queue.reason);
	if (file->f_mode & FMODE_WRITE) {
		mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(pipe->readers))
			mask |= EPOLLERR;
	}
	if (reason == -ENOBUFS)
		mask |= EPOLLERR;
	return mask;
}

const struct file_operations mqpipe_fops = {
	.owner = THIS_MODULE,
	.open = mqpipe_open,
	.release = mqpipe_release,
	.read_iter = mqpipe_read_iter,
	.write_iter = mqpipe_write_iter,
	.poll = mqpipe_poll,
	.splice_read = copy_splice_read,
	.splice_write = iter_file_splice_write,
};
