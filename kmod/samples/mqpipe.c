// SPDX-License-Identifier: GPL-2.0
/*
 * mqpipe: named pipes without a size of their own. What all of them hold
 * together is bounded by memquota's default tracker, and the pipe that holds
 * the oldest data is given up when it is too much.
 *
 *	echo create NAME > /dev/mqpipe/control	makes /dev/mqpipe/NAME
 *	echo remove NAME > /dev/mqpipe/control	takes it away; who has it open
 *						keeps it
 *
 * They open, read, write, poll and splice as FIFOs do, apart from this:
 *
 *	- Writing does not wait for the reader, only for the tracker's max.
 *	- A pipe that was reclaimed is at its end: writers get ENOBUFS, and so
 *	  do readers once they have read what was taken from the queue before.
 *	- When the last reader closes, what nobody has read is freed at once,
 *	  and writers get EPIPE even if another reader comes.
 *	- When everybody has closed it, it starts afresh at the next open.
 *
 * Each open pipe is an account with two participants: an arena, which holds
 * the memory, and a queue, which keeps its order. Its parents are the accounts
 * of the processes that opened it for writing.
 *
 * What is written is copied into references of the arena, which is per CPU:
 * writers on all CPUs take memory by moving a cursor, and share no lock but
 * the queue's. Readers put the references, on whatever CPU they are. Chunks
 * are what is charged, not bytes: a pipe holds up to 64 KiB for each CPU that
 * wrote to it, even when it is empty, and chunks that have come back until
 * reclaim trims them. In return nothing is charged, or asked of the slab
 * allocator, per piece of data.
 *
 * The queue's items cost nothing, being in the arena. So it is the arena that
 * holds the oldest data and is found by reclaim, and that ends the queue.
 *
 * /sys/kernel/debug/mqpipe/pipes is a table of them. Of held_bytes, the chunks,
 * wasted_bytes are at their ends, unused. The last columns say how many pipes
 * held older data when one was reclaimed, and older by how much: it is found by
 * looking at all pipes, not by asking memquota.
 */
#include <linux/cdev.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/xarray.h>
#include <memquota/arena.h>
#include <memquota/compat.h>
#include <memquota/queue.h>

#define MQPIPE_MINORS		4096
#define MQPIPE_NAME_SIZE	24

/* What may pass between choosing a victim and telling it, on a busy machine. */
#define MQPIPE_CHOICE_NS	(5 * NSEC_PER_SEC)

/* A piece of what was written: a reference of the pipe's arena. */
struct mqpipe_segment {
	struct memquota_item item;
	size_t len;
	size_t done;		/* bytes that were read; the reader's */
	char data[];
};

/* A process that has pipes open for writing. */
struct mqpipe_writer {
	struct list_head node;		/* in writers; mqpipe_lock */
	struct pid *tgid;
	unsigned int opens;		/* mqpipe_lock */
	struct memquota_account *account;
};

struct mqpipe {
	char name[MQPIPE_NAME_SIZE];
	u32 minor;
	struct kref kref;		/* the table's, and each open's */
	struct list_head node;		/* in pipes; mqpipe_lock and pipes_lock */

	struct mutex mutex;		/* opens, and the life that they make */
	unsigned int opens;		/* mutex; those that wait included */
	unsigned int readers;		/* mutex; read without it */
	unsigned int writers;		/* mutex; read without it */
	unsigned int had_readers;	/* mutex: in this life, for open */
	unsigned int had_writers;	/* mutex, likewise; read without it */
	wait_queue_head_t wait_open;

	bool live;			/* mutex and pipes_lock: what follows is */
	struct memquota_account *account;	/* mutex */
	struct memquota_queue queue;
	struct memquota_arena arena;	/* its oldest() looks at the queue */
	struct memquota_queue_hook hook;

	struct mutex read_mutex;	/* one reader at a time */
	/* Read in part. read_mutex; looked at without it. */
	struct mqpipe_segment *taken;

	/* What reclaim was told last, and when; for its callbacks only. */
	u64 oldest_ns;
	u64 told_ns;

	/* Since it was created; the reclaim callback writes all but two. */
	atomic64_t written;
	atomic64_t read;
	u64 reclaims;
	u64 older;			/* pipes that held older data then */
	u64 older_ns;			/* older by at most this */
};

struct mqpipe_file {
	struct mqpipe *pipe;
	struct mqpipe_writer *writer;	/* NULL: opened for reading only */
};

/* Names, minors and writers. */
static DEFINE_MUTEX(mqpipe_lock);
static LIST_HEAD(writers);
static DEFINE_XARRAY_ALLOC1(minors);	/* of struct mqpipe */

/* What the reclaim callback walks. Outside the queues' locks. */
static DEFINE_SPINLOCK(pipes_lock);
static LIST_HEAD(pipes);

static dev_t mqpipe_dev;
static struct cdev control_cdev;	/* minor 0 */
static struct cdev mqpipe_cdev;		/* the others */
static struct class *mqpipe_class;
static struct dentry *mqpipe_dir;

/* --- Segments --- */

/* Why nothing can be written, where the arena refuses for good. */
static int why_ended(struct mqpipe *pipe)
{
	/*
	 * Pairs with the lock under which the queue ended: that came before
	 * the arena was dropped, and before the account closed.
	 */
	smp_rmb();
	return READ_ONCE(pipe->queue.reason) ?: -ENOBUFS;
}

/* Memory for a segment, after waiting at the tracker's max if that is wanted. */
static struct mqpipe_segment *segment_alloc(struct mqpipe *pipe, size_t len,
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
			return ERR_PTR(why_ended(pipe));
		/* Only a fatal signal ends the wait early. */
		seg = memquota_arena_alloc_ref_wait(&pipe->arena, size,
						    __alignof__(*seg), HZ / 10);
	}
	if (seg == ERR_PTR(-ESTALE))
		return ERR_PTR(why_ended(pipe));
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
 * The data is as old as the queue's head. Without any the arena has room for
 * what comes next, hence is as young as can be: such a pipe is given up last.
 */
static u64 mqpipe_oldest(struct memquota_arena *arena)
{
	struct mqpipe *pipe = container_of(arena, struct mqpipe, arena);
	/* Before looking: what comes in between is not older. */
	u64 now = ktime_get_coarse_ns();

	pipe->told_ns = now;
	pipe->oldest_ns = min(now, memquota_queue_oldest(&pipe->queue));
	return pipe->oldest_ns;
}

/* --- The life of a pipe: from its first open to its last close --- */

/*
 * The queue ended. Heads only become younger: what is older now was older when
 * the victim was chosen. The victim's own head may have moved since then, as
 * its reader went on: it was chosen for what it said then. If that was long ago
 * there was no reason to choose it.
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
	spin_lock_irqsave(&pipes_lock, flags);
	list_for_each_entry(other, &pipes, node) {
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
	spin_unlock_irqrestore(&pipes_lock, flags);
}

/*
 * The queue first: a writer that finds the arena or the account closed goes
 * away, and its reader is not to take that for the end of the data.
 */
static void mqpipe_collapse(struct memquota_arena *arena)
{
	struct mqpipe *pipe = container_of(arena, struct mqpipe, arena);

	memquota_queue_collapse(&pipe->queue);
	memquota_arena_drop(arena);
}

static int mqpipe_begin(struct mqpipe *pipe)
{
	struct memquota_arena_config config = {
		.gfp = GFP_KERNEL_ACCOUNT,
		.flags = MEMQUOTA_ARENA_PERCPU | MEMQUOTA_ARENA_IN_ACCOUNT,
		.collapse = mqpipe_collapse,
		.oldest = mqpipe_oldest,
	};
	struct memquota_account *account;
	int err;

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
	spin_lock_irq(&pipes_lock);
	pipe->live = true;
	spin_unlock_irq(&pipes_lock);
	return 0;

out_queue:
	memquota_queue_destroy(&pipe->queue);
out_account:
	memquota_account_put(account);
	return err;
}

static void mqpipe_end(struct mqpipe *pipe)
{
	spin_lock_irq(&pipes_lock);
	pipe->live = false;
	spin_unlock_irq(&pipes_lock);
	memquota_queue_destroy(&pipe->queue);
	memquota_ref_put(pipe->taken);
	pipe->taken = NULL;
	memquota_arena_destroy(&pipe->arena);
	memquota_account_put(pipe->account);
}

static void mqpipe_free(struct kref *kref)
{
	kfree(container_of(kref, struct mqpipe, kref));
}

/* --- Writers --- */

static void writer_put(struct mqpipe_writer *writer)
{
	mutex_lock(&mqpipe_lock);
	if (--writer->opens) {
		mutex_unlock(&mqpipe_lock);
		return;
	}
	list_del(&writer->node);
	mutex_unlock(&mqpipe_lock);
	memquota_account_put(writer->account);
	put_pid(writer->tgid);
	kfree(writer);
}

static struct mqpipe_writer *writer_get(void)
{
	struct memquota_account *account;
	struct mqpipe_writer *writer;

	mutex_lock(&mqpipe_lock);
	list_for_each_entry(writer, &writers, node) {
		if (writer->tgid == task_tgid(current)) {
			writer->opens++;
			goto out;
		}
	}
	writer = kzalloc(sizeof(*writer), GFP_KERNEL);
	if (!writer) {
		writer = ERR_PTR(-ENOMEM);
		goto out;
	}
	account = memquota_account_create(memquota_default_tracker(), NULL,
					  GFP_KERNEL, "%s/%d", current->comm,
					  task_tgid_nr(current));
	if (IS_ERR(account)) {
		kfree(writer);
		writer = ERR_CAST(account);
		goto out;
	}
	writer->account = account;
	writer->tgid = get_pid(task_tgid(current));
	writer->opens = 1;
	list_add(&writer->node, &writers);
out:
	mutex_unlock(&mqpipe_lock);
	return writer;
}

/* --- File operations of a pipe --- */

static void mqpipe_close(struct mqpipe *pipe, struct mqpipe_writer *writer,
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
	/* Readers may wait for this end, pollers of either side, too. */
	wake_up_all(&pipe->queue.wait);
	if (!--pipe->opens)
		mqpipe_end(pipe);
	mutex_unlock(&pipe->mutex);
	if (writer)
		writer_put(writer);
	kref_put(&pipe->kref, mqpipe_free);
}

/* Wait until somebody has opened the other side, were it only for a moment. */
static int wait_for_other(struct mqpipe *pipe, unsigned int *had)
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

	mutex_lock(&mqpipe_lock);
	pipe = xa_load(&minors, iminor(inode));
	if (pipe)
		kref_get(&pipe->kref);
	mutex_unlock(&mqpipe_lock);
	if (!pipe)
		return -ENXIO;

	mf = kzalloc(sizeof(*mf), GFP_KERNEL);
	if (!mf) {
		err = -ENOMEM;
		goto out_put;
	}
	if (mode & FMODE_WRITE) {
		writer = writer_get();
		if (IS_ERR(writer)) {
			err = PTR_ERR(writer);
			goto out_free;
		}
	}

	mutex_lock(&pipe->mutex);
	if (mode == FMODE_WRITE && !wait && !pipe->readers) {
		err = -ENXIO;
		goto out_unlock;
	}
	if (!pipe->opens) {
		err = mqpipe_begin(pipe);
		if (err)
			goto out_unlock;
	}
	if (writer) {
		err = memquota_account_add_parent(pipe->account,
						  writer->account);
		/* One that was reclaimed opens, and says so when written to. */
		if (err && err != -EEXIST && err != -ESTALE) {
			if (!pipe->opens)
				mqpipe_end(pipe);
			goto out_unlock;
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

	err = 0;
	if (wait && mode == FMODE_READ && !pipe->writers)
		err = wait_for_other(pipe, &pipe->had_writers);
	else if (wait && mode == FMODE_WRITE && !pipe->readers)
		err = wait_for_other(pipe, &pipe->had_readers);
	mutex_unlock(&pipe->mutex);
	if (err) {
		kfree(mf);
		mqpipe_close(pipe, writer, mode);
		return err;
	}

	mf->pipe = pipe;
	mf->writer = writer;
	file->private_data = mf;
	return stream_open(inode, file);

out_unlock:
	mutex_unlock(&pipe->mutex);
	if (writer)
		writer_put(writer);
out_free:
	kfree(mf);
out_put:
	kref_put(&pipe->kref, mqpipe_free);
	return err;
}

static int mqpipe_release(struct inode *inode, struct file *file)
{
	struct mqpipe_file *mf = file->private_data;

	mqpipe_close(mf->pipe, mf->writer, file->f_mode);
	kfree(mf);
	return 0;
}

static bool nonblocking(struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT ||
	       iocb->ki_filp->f_flags & O_NONBLOCK;
}

/*
 * Read what there is. Return the number of bytes; 0 at the end; -EAGAIN where
 * there is nothing as yet.
 */
static ssize_t read_some(struct mqpipe *pipe, struct iov_iter *to)
{
	struct memquota_item *item;
	struct mqpipe_segment *seg;
	size_t done = 0, n;
	ssize_t ret = 0;
	bool writers;

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
				/* Closed by a reader before this one. */
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
		ret = read_some(pipe, to);
		mutex_unlock(&pipe->read_mutex);
		/* What is left of a segment is no longer in the queue. */
		if (READ_ONCE(pipe->taken))
			wake_up_poll(&pipe->queue.wait, EPOLLIN | EPOLLRDNORM);
		if (ret != -EAGAIN || nonblocking(iocb))
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
			/* Having been reclaimed is the better reason. */
			err = READ_ONCE(pipe->queue.reason) == -ENOBUFS ?
				-ENOBUFS : -EPIPE;
			break;
		}
		/*
		 * A segment holds PIPE_BUF: that much is written whole. Larger
		 * ones leave more of a chunk's end unused.
		 */
		len = min_t(size_t, iov_iter_count(from), PIPE_BUF);
		seg = segment_alloc(pipe, len, !nonblocking(iocb));
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

static const struct file_operations mqpipe_fops = {
	.owner = THIS_MODULE,
	.open = mqpipe_open,
	.release = mqpipe_release,
	.read_iter = mqpipe_read_iter,
	.write_iter = mqpipe_write_iter,
	.poll = mqpipe_poll,
	.splice_read = memquota_splice_read,
	.splice_write = iter_file_splice_write,
};

/* --- The table of pipes --- */

static int mqpipe_create(const char *name)
{
	struct mqpipe *pipe, *other;
	struct device *dev;
	unsigned long id;
	int err;

	if (!*name || *name == '.' || strlen(name) >= MQPIPE_NAME_SIZE ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
	    strlen(name))
		return -EINVAL;
	if (!strcmp(name, "control"))
		return -EEXIST;
	xa_for_each(&minors, id, other) {
		if (!strcmp(other->name, name))
			return -EEXIST;
	}

	pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);
	if (!pipe)
		return -ENOMEM;
	strscpy(pipe->name, name, sizeof(pipe->name));
	kref_init(&pipe->kref);
	mutex_init(&pipe->mutex);
	mutex_init(&pipe->read_mutex);
	init_waitqueue_head(&pipe->wait_open);
	pipe->hook.ended = mqpipe_ended;

	/* Minor 0 is the control node. */
	err = xa_alloc(&minors, &pipe->minor, pipe,
		       XA_LIMIT(1, MQPIPE_MINORS - 1), GFP_KERNEL);
	if (err) {
		/* None left. */
		err = err == -EBUSY ? -ENOSPC : err;
		goto out_free;
	}
	/* '!' in a device's name makes a folder of what is before it. */
	dev = device_create(mqpipe_class, NULL,
			    MKDEV(MAJOR(mqpipe_dev), pipe->minor), NULL,
			    "mqpipe!%s", name);
	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto out_minor;
	}
	spin_lock_irq(&pipes_lock);
	list_add_tail(&pipe->node, &pipes);
	spin_unlock_irq(&pipes_lock);
	return 0;

out_minor:
	xa_erase(&minors, pipe->minor);
out_free:
	kfree(pipe);
	return err;
}

static void mqpipe_remove(struct mqpipe *pipe)
{
	device_destroy(mqpipe_class, MKDEV(MAJOR(mqpipe_dev), pipe->minor));
	xa_erase(&minors, pipe->minor);
	spin_lock_irq(&pipes_lock);
	list_del(&pipe->node);
	spin_unlock_irq(&pipes_lock);
	kref_put(&pipe->kref, mqpipe_free);
}

static int mqpipe_remove_name(const char *name)
{
	struct mqpipe *pipe;
	unsigned long id;

	xa_for_each(&minors, id, pipe) {
		if (!strcmp(pipe->name, name)) {
			mqpipe_remove(pipe);
			return 0;
		}
	}
	return -ENOENT;
}

static ssize_t control_write(struct file *file, const char __user *buf,
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

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.write = control_write,
};

static const char *state_of(const struct mqpipe *pipe)
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

static void show_pipe(struct seq_file *m, struct mqpipe *pipe)
{
	struct memquota_arena_stats stats = {};
	u64 ns = MEMQUOTA_NO_DATA, now, reclaims, older, older_ns;
	const char *state;

	spin_lock_irq(&pipes_lock);
	state = state_of(pipe);
	if (pipe->live) {
		memquota_arena_stats(&pipe->arena, &stats);
		ns = memquota_queue_oldest(&pipe->queue);
	}
	reclaims = pipe->reclaims;
	older = pipe->older;
	older_ns = pipe->older_ns;
	spin_unlock_irq(&pipes_lock);
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

/* The mutex keeps pipes in the table; the spinlock is taken for one pipe. */
static int pipes_show(struct seq_file *m, void *unused)
{
	struct mqpipe *pipe;

	seq_puts(m, "name state readers writers held_bytes wasted_bytes age_ms written_bytes read_bytes reclaims older older_ms\n");
	mutex_lock(&mqpipe_lock);
	list_for_each_entry(pipe, &pipes, node)
		show_pipe(m, pipe);
	mutex_unlock(&mqpipe_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pipes);

static int __init mqpipe_init(void)
{
	struct device *dev;
	int err;

	err = alloc_chrdev_region(&mqpipe_dev, 0, MQPIPE_MINORS, "mqpipe");
	if (err)
		return err;
	mqpipe_class = memquota_class_create("mqpipe");
	if (IS_ERR(mqpipe_class)) {
		err = PTR_ERR(mqpipe_class);
		goto out_region;
	}
	cdev_init(&control_cdev, &control_fops);
	control_cdev.owner = THIS_MODULE;
	cdev_init(&mqpipe_cdev, &mqpipe_fops);
	mqpipe_cdev.owner = THIS_MODULE;
	err = cdev_add(&mqpipe_cdev, mqpipe_dev + 1, MQPIPE_MINORS - 1);
	if (err)
		goto out_class;
	err = cdev_add(&control_cdev, mqpipe_dev, 1);
	if (err)
		goto out_cdev;
	dev = device_create(mqpipe_class, NULL, mqpipe_dev, NULL,
			    "mqpipe!control");
	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto out_control;
	}
	mqpipe_dir = debugfs_create_dir("mqpipe", NULL);
	debugfs_create_file("pipes", 0400, mqpipe_dir, NULL, &pipes_fops);
	return 0;

out_control:
	cdev_del(&control_cdev);
out_cdev:
	cdev_del(&mqpipe_cdev);
out_class:
	class_destroy(mqpipe_class);
out_region:
	unregister_chrdev_region(mqpipe_dev, MQPIPE_MINORS);
	return err;
}

/* Nothing is open: whoever opened a node holds the module. */
static void __exit mqpipe_exit(void)
{
	struct mqpipe *pipe, *next;

	debugfs_remove(mqpipe_dir);
	mutex_lock(&mqpipe_lock);
	list_for_each_entry_safe(pipe, next, &pipes, node)
		mqpipe_remove(pipe);
	mutex_unlock(&mqpipe_lock);
	device_destroy(mqpipe_class, mqpipe_dev);
	cdev_del(&control_cdev);
	cdev_del(&mqpipe_cdev);
	class_destroy(mqpipe_class);
	unregister_chrdev_region(mqpipe_dev, MQPIPE_MINORS);
	memquota_barrier();
}

module_init(mqpipe_init);
module_exit(mqpipe_exit);

MODULE_DESCRIPTION("Named pipes whose memory is bounded by memquota");
MODULE_LICENSE("GPL");
