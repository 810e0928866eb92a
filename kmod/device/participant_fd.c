// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of participants. A program charges and uncharges by them, reads
 * reclaim requests from them, and answers those. The last close leaves.
 *
 * The participant is a sleeping one. The life of a request:
 *
 *	issued --> unread --read()--> read --ANSWER--> ended
 *	             |                  |
 *	             `------------------+--give_up_ms, last close--> ended
 *
 * @held counts what the program has charged, beside the quota's own counters.
 * It is raised after the quota was charged and lowered before the quota is
 * uncharged, so racing threads of a program cannot uncharge more than they
 * charged. @held goes on counting after the account has closed.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>
#include "../core/core.h"
#include "../core/record.h"
#include "ioctl.h"
#include "name.h"
#include "participant_fd.h"
#include "user.h"

struct participant_fd {
	struct memquota_participant participant;
	struct memquota_user_stock stock;
	atomic64_t held;		/* charged and not uncharged */
	struct memquota_account *account;	/* a reference, or NULL */
	wait_queue_head_t *pollers;	/* of all participants of the account */
	refcount_t refs;		/* the file, and a request */

	spinlock_t lock;		/* what follows; never nested */
	struct memquota_request request;	/* lock; id 0: none */
	bool unread;			/* lock */
	bool ended;			/* lock: no thread will answer */
	u64 oldest_ns;			/* lock: as the program set it */
};

/* For participants of disabled accounts, which no request reaches. */
static DECLARE_WAIT_QUEUE_HEAD(never_woken);

static void participant_fd_put(struct participant_fd *p)
{
	if (!refcount_dec_and_test(&p->refs))
		return;
	if (p->account)
		memquota_account_unref(p->account);
	kfree(p);
}

static struct participant_fd *
participant_fd_of(struct memquota_participant *participant)
{
	return container_of(participant, struct participant_fd, participant);
}

static bool
participant_fd_request_get(struct memquota_participant *participant)
{
	refcount_inc(&participant_fd_of(participant)->refs);
	return true;
}

/* The request has ended, answered or not. */
static void
participant_fd_request_put(struct memquota_participant *participant)
{
	struct participant_fd *p = participant_fd_of(participant);

	spin_lock(&p->lock);
	p->request.id = 0;
	p->unread = false;
	spin_unlock(&p->lock);
	participant_fd_put(p);
}

/*
 * Offer the request to the program. Return -EINPROGRESS, or 0 if the descriptor
 * is closed.
 */
static int
participant_fd_request_issue(struct memquota_participant *participant,
			     const struct memquota_request *request)
{
	struct participant_fd *p = participant_fd_of(participant);
	bool ended;

	spin_lock(&p->lock);
	ended = p->ended;
	if (!ended) {
		p->request = *request;
		p->unread = true;
	}
	spin_unlock(&p->lock);
	if (ended)
		return 0;
	memquota_wake_pollers(p->pollers, EPOLLIN | EPOLLRDNORM);
	return -EINPROGRESS;
}

/* No owner: open descriptors keep memquota loaded, requests need not. */
static const struct memquota_ops partial_ops = {
	.reclaim_sleeping = participant_fd_request_issue,
	.get = participant_fd_request_get,
	.put = participant_fd_request_put,
	.flags = MEMQUOTA_PROGRAM,
};

static const struct memquota_ops collapsing_ops = {
	.reclaim_sleeping = participant_fd_request_issue,
	.get = participant_fd_request_get,
	.put = participant_fd_request_put,
	.flags = MEMQUOTA_PROGRAM | MEMQUOTA_COLLAPSING,
};

/* Return what the caller's time namespace adds to CLOCK_MONOTONIC, in ns. */
static s64 timens_offset_ns(void)
{
	struct timespec64 ts = { };

	timens_add_monotonic(&ts);
	return timespec64_to_ns(&ts);
}

static bool participant_fd_is_closed(struct participant_fd *p)
{
	return p->account && memquota_account_closed(p->account);
}

static bool participant_fd_is_readable(struct participant_fd *p)
{
	bool unread;

	spin_lock(&p->lock);
	unread = p->unread;
	spin_unlock(&p->lock);
	return unread || participant_fd_is_closed(p);
}

static ssize_t participant_fd_read(struct file *file, char __user *buf,
				   size_t count, loff_t *pos)
{
	struct participant_fd *p = file->private_data;
	struct memquota_reclaim_request answer;
	struct memquota_request request;
	bool unread, ended;

	if (count < sizeof(answer))
		return -EINVAL;
	for (;;) {
		spin_lock(&p->lock);
		unread = p->unread;
		p->unread = false;
		request = p->request;
		/* A program that has read the end no longer answers. */
		ended = !unread && participant_fd_is_closed(p);
		p->ended |= ended;
		spin_unlock(&p->lock);
		if (unread)
			break;
		if (ended)
			return 0;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(*p->pollers,
					     participant_fd_is_readable(p)))
			return -ERESTARTSYS;
	}

	answer = (struct memquota_reclaim_request) {
		.id = request.id,
		.want_bytes = request.want_bytes,
		.until_ns = request.until_ns,
	};
	if (answer.until_ns != U64_MAX)
		answer.until_ns += timens_offset_ns();
	if (!copy_to_user(buf, &answer, sizeof(answer)))
		return sizeof(answer);

	/* Keep the request for the next read(), unless it has ended. */
	spin_lock(&p->lock);
	p->unread = p->request.id == request.id;
	spin_unlock(&p->lock);
	return -EFAULT;
}

static __poll_t participant_fd_poll(struct file *file, poll_table *wait)
{
	struct participant_fd *p = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, p->pollers, wait);
	if (participant_fd_is_closed(p))
		mask |= EPOLLHUP;
	if (mask || participant_fd_is_readable(p))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/* Add to @held. Return false if that would overflow. */
static bool participant_fd_held_add(struct participant_fd *p, u64 bytes)
{
	s64 old = atomic64_read(&p->held);

	do {
		if (old + bytes > RECORD_BYTES_MAX)
			return false;
	} while (!atomic64_try_cmpxchg(&p->held, &old, old + bytes));
	return true;
}

/* Subtract from @held. Return false if that is less than @bytes. */
static bool participant_fd_held_sub(struct participant_fd *p, u64 bytes)
{
	s64 old = atomic64_read(&p->held);

	do {
		if (bytes > (u64)old)
			return false;
	} while (!atomic64_try_cmpxchg(&p->held, &old, old - bytes));
	return true;
}

static long timeout_to_jiffies(u64 ns)
{
	if (ns == MEMQUOTA_IOCTL_FOREVER)
		return MAX_SCHEDULE_TIMEOUT;
	return min_t(u64, nsecs_to_jiffies64(ns), MAX_JIFFY_OFFSET) + 1;
}

static int participant_fd_charge(struct participant_fd *p,
				 const struct memquota_ioctl_charge *charge)
{
	u64 bytes = charge->bytes;
	long timeout;
	int err;

	if (unlikely(charge->flags & ~MEMQUOTA_CHARGE_WAIT))
		return -EOPNOTSUPP;
	if (unlikely(charge->timeout_ns &&
		     !(charge->flags & MEMQUOTA_CHARGE_WAIT)))
		return -EINVAL;
	if (unlikely(bytes > min_t(u64, RECORD_BYTES_MAX, SIZE_MAX)))
		return -EOVERFLOW;

	err = memquota_user_stock_take(&p->stock, bytes);
	if (unlikely(err))
		return err;
	if (charge->flags & MEMQUOTA_CHARGE_WAIT) {
		timeout = timeout_to_jiffies(charge->timeout_ns);
		err = memquota_try_charge_wait(&p->participant, bytes, timeout);
	} else {
		err = memquota_try_charge(&p->participant, bytes, GFP_KERNEL);
	}
	if (unlikely(err))
		goto out_stock;
	if (likely(participant_fd_held_add(p, bytes)))
		return 0;
	memquota_uncharge(&p->participant, bytes);
	err = -EOVERFLOW;
out_stock:
	memquota_user_stock_give(&p->stock, bytes);
	return err;
}

static int participant_fd_ioctl_charge(struct memquota_call *call)
{
	return participant_fd_charge(call->object, &call->command.charge);
}

static int
participant_fd_uncharge(struct participant_fd *p,
			const struct memquota_ioctl_uncharge *uncharge)
{
	u64 bytes = uncharge->bytes;

	if (unlikely(uncharge->flags))
		return -EOPNOTSUPP;
	if (unlikely(!participant_fd_held_sub(p, bytes)))
		return -EINVAL;
	memquota_uncharge(&p->participant, bytes);
	memquota_user_stock_give(&p->stock, bytes);
	return 0;
}

static int participant_fd_ioctl_uncharge(struct memquota_call *call)
{
	return participant_fd_uncharge(call->object, &call->command.uncharge);
}

static int participant_fd_ioctl_oldest(struct memquota_call *call)
{
	struct memquota_ioctl_oldest *oldest = &call->command.oldest;
	struct participant_fd *p = call->object;
	u64 ns = oldest->oldest_ns;
	s64 offset;
	int err = 0;

	if (oldest->flags)
		return -EOPNOTSUPP;
	if (ns != MEMQUOTA_IOCTL_NO_DATA) {
		offset = timens_offset_ns();
		/* Compare by the caller's clock: ns - offset could wrap. */
		if (ns > S64_MAX || (s64)ns > (s64)ktime_get_ns() + offset)
			return -EINVAL;
		ns = max_t(s64, (s64)ns - offset, 0);
	}

	spin_lock(&p->lock);
	/* MEMQUOTA_NO_DATA is larger than every time. */
	if (p->oldest_ns != MEMQUOTA_NO_DATA && ns < p->oldest_ns &&
	    atomic64_read(&p->held)) {
		err = -EINVAL;
	} else {
		p->oldest_ns = ns;
		memquota_set_oldest(&p->participant, ns);
	}
	spin_unlock(&p->lock);
	return err;
}

static int participant_fd_ioctl_answer(struct memquota_call *call)
{
	struct memquota_ioctl_answer *answer = &call->command.answer;
	struct participant_fd *p = call->object;
	int err = 0;

	if (answer->flags & ~MEMQUOTA_ANSWER_COLLAPSE)
		return -EOPNOTSUPP;
	spin_lock(&p->lock);
	if (!answer->id || p->request.id != answer->id) {
		err = -ENOENT;
	} else if (!participant_fd_held_sub(p, answer->freed_bytes)) {
		err = -EINVAL;
	} else {
		p->request.id = 0;
		p->unread = false;
	}
	spin_unlock(&p->lock);
	if (err)
		return err;

	memquota_uncharge(&p->participant, answer->freed_bytes);
	memquota_user_stock_give(&p->stock, answer->freed_bytes);
	memquota_reclaim_done(answer->id,
			      answer->flags & MEMQUOTA_ANSWER_COLLAPSE ?
			      -ECANCELED : 0);
	return 0;
}

static const struct memquota_operation participant_fd_operations[] = {
	[MEMQUOTA_CMD_CHARGE - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_CHARGE, memquota_ioctl_charge,
				   24, false, participant_fd_ioctl_charge),
	[MEMQUOTA_CMD_UNCHARGE - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_UNCHARGE,
				   memquota_ioctl_uncharge, 16, false,
				   participant_fd_ioctl_uncharge),
	[MEMQUOTA_CMD_OLDEST - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_OLDEST, memquota_ioctl_oldest,
				   16, false, participant_fd_ioctl_oldest),
	[MEMQUOTA_CMD_ANSWER - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ANSWER, memquota_ioctl_answer,
				   24, false, participant_fd_ioctl_answer),
};

static const struct memquota_operations participant_fd_ioctls = {
	.operations = participant_fd_operations,
	.base = MEMQUOTA_CMD_PARTICIPANT_BASE,
	.count = ARRAY_SIZE(participant_fd_operations),
};

/*
 * Charge and uncharge with a structure of the size that this kernel knows
 * without a look at the table: there is no answer to copy out, and no unknown
 * field to check.
 */
static long participant_fd_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	void __user *user = (void __user *)arg;
	union {
		struct memquota_ioctl_charge charge;
		struct memquota_ioctl_uncharge uncharge;
	} c;

	switch (cmd) {
	case MEMQUOTA_IOCTL_CHARGE:
		if (likely(!copy_from_user(&c.charge, user, sizeof(c.charge)) &&
			   c.charge.size == sizeof(c.charge)))
			return participant_fd_charge(file->private_data,
						     &c.charge);
		break;
	case MEMQUOTA_IOCTL_UNCHARGE:
		if (likely(!copy_from_user(&c.uncharge, user,
					   sizeof(c.uncharge)) &&
			   c.uncharge.size == sizeof(c.uncharge)))
			return participant_fd_uncharge(file->private_data,
						       &c.uncharge);
		break;
	}
	return memquota_ioctl(&participant_fd_ioctls, file, cmd, arg);
}

static int participant_fd_release(struct inode *inode, struct file *file)
{
	struct participant_fd *p = file->private_data;
	struct memquota_user *user = p->stock.user;
	u64 id;

	spin_lock(&p->lock);
	p->ended = true;
	id = p->request.id;
	p->request.id = 0;
	p->unread = false;
	spin_unlock(&p->lock);
	memquota_leave(&p->participant);
	if (id)
		memquota_reclaim_done(id, 0);
	memquota_user_stock_close(&p->stock, atomic64_read(&p->held));
	memquota_user_put(user);
	participant_fd_put(p);
	return 0;
}

static const struct file_operations participant_fd_fops = {
	.owner = THIS_MODULE,
	.read = participant_fd_read,
	.poll = participant_fd_poll,
	.unlocked_ioctl = participant_fd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = participant_fd_release,
};

/* Join an account. @a is NULL if the tracker is disabled. */
int memquota_participant_fd_create(struct memquota_call *call,
				   struct memquota_account *a)
{
	struct memquota_ioctl_join *join = &call->command.join;
	struct memquota_watch *w = NULL;
	struct memquota_user *user;
	struct participant_fd *p;
	int ret;

	if (join->flags & ~MEMQUOTA_JOIN_COLLAPSING || join->__reserved)
		return -EOPNOTSUPP;
	if (!memquota_name_valid(join->name, sizeof(join->name)))
		return -EINVAL;
	if (a) {
		ret = memquota_account_error(a);
		if (ret)
			return ret;
		w = memquota_watch_account(a);
		if (!w)
			return -ENOMEM;
	}
	user = memquota_user_get();
	if (IS_ERR(user))
		return PTR_ERR(user);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p) {
		ret = -ENOMEM;
		goto out_user;
	}
	refcount_set(&p->refs, 1);
	spin_lock_init(&p->lock);
	p->oldest_ns = MEMQUOTA_NO_DATA;
	p->pollers = w ? &w->pollers : &never_woken;
	p->account = a;
	if (a)
		memquota_account_ref(a);
	memquota_user_stock_open(&p->stock, user);
	ret = memquota_join_account(&p->participant, a,
				    join->flags & MEMQUOTA_JOIN_COLLAPSING ?
				    &collapsing_ops : &partial_ops,
				    GFP_KERNEL_ACCOUNT, "%s", join->name);
	if (ret)
		goto out_stock;
	ret = memquota_new_fd(call, "[memquota-participant]",
			      &participant_fd_fops, p);
	if (ret < 0)
		goto out_leave;
	join->out_fd = ret;
	return 0;

out_leave:
	memquota_leave(&p->participant);
out_stock:
	memquota_user_stock_close(&p->stock, 0);
	participant_fd_put(p);
out_user:
	memquota_user_put(user);
	return ret;
}
