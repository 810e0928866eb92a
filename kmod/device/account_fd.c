// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts and participants of programs: each is the object of a descriptor,
 * and ends with its last close.
 *
 * A program's participant is a sleeping one. The life of a request:
 *
 *	ask() --> unread --read()--> read --ANSWER--> answered --> put()
 *	            |                  |
 *	            `--give_up_ms pass, or the last close--> put()
 *
 * What a participant holds is counted here, too, apart from the quota: the
 * quota hears of charges before they are counted here, and of uncharges after,
 * so that no program can make it lose more than it had (U3, T6). What an
 * account that is closed does not count any more is counted here still.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>
#include "chardev.h"
#include "program.h"
#include "../core/core.h"
#include "user.h"

/* A descriptor of an account holds a handle. */
struct program_account {
	struct memquota_account *account;	/* NULL: disabled */
	struct memquota_user *user;
};

struct program {
	struct memquota_participant participant;
	struct memquota_purse purse;
	atomic64_t held;		/* charged and not uncharged */
	struct memquota_account *account;	/* memory kept; NULL: disabled */
	wait_queue_head_t *wait;	/* of all participants of the account */
	refcount_t refs;		/* the file, and a request */

	spinlock_t lock;		/* what follows; inside no other */
	struct memquota_request request;	/* lock; id 0: none */
	bool unread;			/* lock */
	bool ended;			/* lock: nobody is going to answer */
	u64 oldest_ns;			/* lock: as it was told */
};

/* Of participants that are never asked. */
static DECLARE_WAIT_QUEUE_HEAD(nothing_happens);

static void program_put(struct program *p)
{
	if (!refcount_dec_and_test(&p->refs))
		return;
	if (p->account)
		memquota_account_unref(p->account);
	kfree(p);
}

static struct program *program_of(struct memquota_participant *participant)
{
	return container_of(participant, struct program, participant);
}

static bool get(struct memquota_participant *participant)
{
	refcount_inc(&program_of(participant)->refs);
	return true;
}

/* The request is over, answered or not. */
static void put(struct memquota_participant *participant)
{
	struct program *p = program_of(participant);

	spin_lock(&p->lock);
	p->request.id = 0;
	p->unread = false;
	spin_unlock(&p->lock);
	program_put(p);
}

static int ask(struct memquota_participant *participant,
	       const struct memquota_request *request)
{
	struct program *p = program_of(participant);
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
	memquota_wake_pollers(p->wait, EPOLLIN | EPOLLRDNORM);
	return -EINPROGRESS;
}

/* Without an owner: requests do not keep memquota loaded, descriptors do. */
static const struct memquota_ops partial_ops = {
	.reclaim_sleeping = ask,
	.get = get,
	.put = put,
	.flags = MEMQUOTA_PROGRAM,
};

static const struct memquota_ops collapsing_ops = {
	.reclaim_sleeping = ask,
	.get = get,
	.put = put,
	.flags = MEMQUOTA_PROGRAM | MEMQUOTA_COLLAPSING,
};

/* What a time namespace adds to CLOCK_MONOTONIC. */
static s64 clock_offset(void)
{
	struct timespec64 ts = { };

	timens_add_monotonic(&ts);
	return timespec64_to_ns(&ts);
}

static bool is_closed(struct program *p)
{
	return p->account && memquota_account_closed(p->account);
}

static bool readable(struct program *p)
{
	bool unread;

	spin_lock(&p->lock);
	unread = p->unread;
	spin_unlock(&p->lock);
	return unread || is_closed(p);
}

static ssize_t participant_read(struct file *file, char __user *buf,
				size_t count, loff_t *pos)
{
	struct program *p = file->private_data;
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
		/* Who was told so does not come back to be asked. */
		ended = !unread && is_closed(p);
		p->ended |= ended;
		spin_unlock(&p->lock);
		if (unread)
			break;
		if (ended)
			return 0;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(*p->wait, readable(p)))
			return -ERESTARTSYS;
	}

	answer = (struct memquota_reclaim_request) {
		.id = request.id,
		.want_bytes = request.want_bytes,
		.until_ns = request.until_ns,
	};
	if (answer.until_ns != U64_MAX)
		answer.until_ns += clock_offset();
	if (!copy_to_user(buf, &answer, sizeof(answer)))
		return sizeof(answer);

	/* It is there to be read still, unless it is over. */
	spin_lock(&p->lock);
	p->unread = p->request.id == request.id;
	spin_unlock(&p->lock);
	return -EFAULT;
}

static __poll_t participant_poll(struct file *file, poll_table *wait)
{
	struct program *p = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, p->wait, wait);
	if (is_closed(p))
		mask |= EPOLLHUP;
	if (mask || readable(p))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/* Count what was charged; false where that would wrap. */
static bool hold(struct program *p, u64 bytes)
{
	s64 old = atomic64_read(&p->held);

	do {
		if (old + bytes > RECORD_BYTES_MAX)
			return false;
	} while (!atomic64_try_cmpxchg(&p->held, &old, old + bytes));
	return true;
}

/* Count what is to be uncharged; false where it is more than was charged. */
static bool let_go(struct program *p, u64 bytes)
{
	s64 old = atomic64_read(&p->held);

	do {
		if (bytes > (u64)old)
			return false;
	} while (!atomic64_try_cmpxchg(&p->held, &old, old - bytes));
	return true;
}

/* As much will never fit, whoever gives. */
static bool beyond_limits(struct program *p, u64 bytes)
{
	return p->account &&
	       (bytes > READ_ONCE(p->account->max) ||
		bytes > READ_ONCE(p->account->tracker->max));
}

static long wait_jiffies(u64 ns)
{
	if (ns == MEMQUOTA_IOCTL_FOREVER)
		return MAX_SCHEDULE_TIMEOUT;
	return min_t(u64, nsecs_to_jiffies64(ns), MAX_JIFFY_OFFSET) + 1;
}

static int charge(struct program *p, const struct memquota_ioctl_charge *charge)
{
	u64 bytes = charge->bytes;
	int err;

	if (unlikely(charge->flags & ~MEMQUOTA_CHARGE_WAIT))
		return -EOPNOTSUPP;
	if (unlikely(charge->timeout_ns &&
		     !(charge->flags & MEMQUOTA_CHARGE_WAIT)))
		return -EINVAL;
	if (unlikely(bytes > min_t(u64, RECORD_BYTES_MAX, SIZE_MAX)))
		return -EOVERFLOW;

	err = memquota_purse_take(&p->purse, bytes);
	if (unlikely(err))
		return err;
	if (charge->flags & MEMQUOTA_CHARGE_WAIT && !beyond_limits(p, bytes))
		err = memquota_try_charge_wait(&p->participant, bytes,
					       wait_jiffies(charge->timeout_ns));
	else
		err = memquota_try_charge(&p->participant, bytes, GFP_KERNEL);
	if (unlikely(err))
		goto out_purse;
	if (likely(hold(p, bytes)))
		return 0;
	memquota_uncharge(&p->participant, bytes);
	err = -EOVERFLOW;
out_purse:
	memquota_purse_give(&p->purse, bytes);
	return err;
}

static int ioctl_charge(struct memquota_call *call)
{
	return charge(call->object, &call->command.charge);
}

static int uncharge(struct program *p,
		    const struct memquota_ioctl_uncharge *uncharge)
{
	u64 bytes = uncharge->bytes;

	if (unlikely(uncharge->flags))
		return -EOPNOTSUPP;
	if (unlikely(!let_go(p, bytes)))
		return -EINVAL;
	memquota_uncharge(&p->participant, bytes);
	memquota_purse_give(&p->purse, bytes);
	return 0;
}

static int ioctl_uncharge(struct memquota_call *call)
{
	return uncharge(call->object, &call->command.uncharge);
}

static int ioctl_oldest(struct memquota_call *call)
{
	struct memquota_ioctl_oldest *oldest = &call->command.oldest;
	struct program *p = call->object;
	u64 ns = oldest->oldest_ns;
	s64 offset;
	int err = 0;

	if (oldest->flags)
		return -EOPNOTSUPP;
	if (ns != MEMQUOTA_IOCTL_NO_DATA) {
		offset = clock_offset();
		/* Compared as the caller sees it: what it says may be anything. */
		if (ns > S64_MAX || (s64)ns > (s64)ktime_get_ns() + offset)
			return -EINVAL;
		ns = max_t(s64, (s64)ns - offset, 0);
	}

	spin_lock(&p->lock);
	/* What is MEMQUOTA_NO_DATA here stands above every moment. */
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

static int ioctl_answer(struct memquota_call *call)
{
	struct memquota_ioctl_answer *answer = &call->command.answer;
	struct program *p = call->object;
	int err = 0;

	if (answer->flags & ~MEMQUOTA_ANSWER_COLLAPSE)
		return -EOPNOTSUPP;
	spin_lock(&p->lock);
	if (!answer->id || p->request.id != answer->id) {
		err = -ENOENT;
	} else if (!let_go(p, answer->freed_bytes)) {
		err = -EINVAL;
	} else {
		p->request.id = 0;
		p->unread = false;
	}
	spin_unlock(&p->lock);
	if (err)
		return err;

	memquota_uncharge(&p->participant, answer->freed_bytes);
	memquota_purse_give(&p->purse, answer->freed_bytes);
	memquota_reclaim_done(answer->id,
			      answer->flags & MEMQUOTA_ANSWER_COLLAPSE ?
			      -ECANCELED : 0);
	return 0;
}

static const struct memquota_operation of_participant[] = {
	[MEMQUOTA_CMD_CHARGE - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_CHARGE, memquota_ioctl_charge,
				   24, false, ioctl_charge),
	[MEMQUOTA_CMD_UNCHARGE - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_UNCHARGE,
				   memquota_ioctl_uncharge, 16, false,
				   ioctl_uncharge),
	[MEMQUOTA_CMD_OLDEST - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_OLDEST, memquota_ioctl_oldest,
				   16, false, ioctl_oldest),
	[MEMQUOTA_CMD_ANSWER - MEMQUOTA_CMD_PARTICIPANT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ANSWER, memquota_ioctl_answer,
				   24, false, ioctl_answer),
};

static const struct memquota_operations participant_operations = {
	.operations = of_participant,
	.base = MEMQUOTA_CMD_PARTICIPANT_BASE,
	.count = ARRAY_SIZE(of_participant),
};

/*
 * Charging and uncharging with the structure as this kernel knows it do not go
 * by the table: nothing is to be copied back, and no size to be compared with.
 */
static long participant_ioctl(struct file *file, unsigned int cmd,
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
			return charge(file->private_data, &c.charge);
		break;
	case MEMQUOTA_IOCTL_UNCHARGE:
		if (likely(!copy_from_user(&c.uncharge, user,
					   sizeof(c.uncharge)) &&
			   c.uncharge.size == sizeof(c.uncharge)))
			return uncharge(file->private_data, &c.uncharge);
		break;
	}
	return memquota_ioctl(&participant_operations, file, cmd, arg);
}

static int participant_release(struct inode *inode, struct file *file)
{
	struct program *p = file->private_data;
	struct memquota_user *user = p->purse.user;
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
	memquota_purse_close(&p->purse, atomic64_read(&p->held));
	memquota_user_put(user);
	program_put(p);
	return 0;
}

static const struct file_operations participant_fops = {
	.owner = THIS_MODULE,
	.read = participant_read,
	.poll = participant_poll,
	.unlocked_ioctl = participant_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = participant_release,
};

static struct memquota_account *account_of(struct memquota_call *call)
{
	return ((struct program_account *)call->object)->account;
}

static int ioctl_join(struct memquota_call *call)
{
	struct memquota_ioctl_join *join = &call->command.join;
	struct memquota_account *a = account_of(call);
	struct memquota_watch *w = NULL;
	struct memquota_user *user;
	struct program *p;
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
	p->wait = w ? &w->pollers : &nothing_happens;
	p->account = a;
	if (a)
		memquota_account_ref(a);
	memquota_purse_open(&p->purse, user);
	ret = memquota_join_account(&p->participant, a,
				    join->flags & MEMQUOTA_JOIN_COLLAPSING ?
				    &collapsing_ops : &partial_ops,
				    GFP_KERNEL_ACCOUNT, "%s", join->name);
	if (ret)
		goto out_purse;
	ret = memquota_new_fd(call, "[memquota-participant]", &participant_fops,
			      p);
	if (ret < 0)
		goto out_leave;
	join->out_fd = ret;
	return 0;

out_leave:
	memquota_leave(&p->participant);
out_purse:
	memquota_purse_close(&p->purse, 0);
	program_put(p);
out_user:
	memquota_user_put(user);
	return ret;
}

static int ioctl_account(struct memquota_call *call)
{
	struct memquota_ioctl_account *answer = &call->command.account;
	struct memquota_account *a = account_of(call);
	struct memquota_account_usage usage;

	if (answer->flags || answer->__reserved)
		return -EOPNOTSUPP;
	memquota_account_usage(a, &usage);
	strscpy_pad(answer->out_name, a ? a->name : "", sizeof(answer->out_name));
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

static int ioctl_set_max(struct memquota_call *call)
{
	struct memquota_ioctl_account_set_max *set =
		&call->command.account_set_max;

	if (set->flags)
		return -EOPNOTSUPP;
	return memquota_account_set_max(account_of(call), set->max);
}

static const struct file_operations account_fops;

/* The account that a descriptor is one of; to be let go of with fput(). */
static int account_of_fd(int fd, struct file **file,
			 struct memquota_account **account)
{
	struct program_account *pa;

	*file = fget(fd);
	if (!*file)
		return -EBADF;
	if ((*file)->f_op != &account_fops) {
		fput(*file);
		return -EINVAL;
	}
	pa = (*file)->private_data;
	*account = pa->account;
	return 0;
}

static int ioctl_add_parent(struct memquota_call *call)
{
	struct memquota_ioctl_account_add_parent *add =
		&call->command.account_add_parent;
	struct memquota_account *parent;
	struct file *file;
	int err;

	if (add->flags || add->__reserved)
		return -EOPNOTSUPP;
	err = account_of_fd(add->parent_fd, &file, &parent);
	if (err)
		return err;
	err = memquota_account_link(account_of(call), parent,
				    GFP_KERNEL_ACCOUNT);
	fput(file);
	return err;
}

static int ioctl_account_threshold(struct memquota_call *call)
{
	return memquota_threshold_account(call, account_of(call));
}

static const struct memquota_operation of_account[] = {
	[MEMQUOTA_CMD_ACCOUNT - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT,
				   memquota_ioctl_account, 136, true,
				   ioctl_account),
	[MEMQUOTA_CMD_ACCOUNT_SET_MAX - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_SET_MAX,
				   memquota_ioctl_account_set_max, 16, false,
				   ioctl_set_max),
	[MEMQUOTA_CMD_ACCOUNT_ADD_PARENT - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT,
				   memquota_ioctl_account_add_parent, 16,
				   false, ioctl_add_parent),
	[MEMQUOTA_CMD_ACCOUNT_THRESHOLD - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
				   memquota_ioctl_account_threshold, 32,
				   true, ioctl_account_threshold),
	[MEMQUOTA_CMD_JOIN - MEMQUOTA_CMD_ACCOUNT_BASE] =
		MEMQUOTA_OPERATION(MEMQUOTA_IOCTL_JOIN, memquota_ioctl_join,
				   48, true, ioctl_join),
};

static const struct memquota_operations account_operations = {
	.operations = of_account,
	.base = MEMQUOTA_CMD_ACCOUNT_BASE,
	.count = ARRAY_SIZE(of_account),
};

static long account_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return memquota_ioctl(&account_operations, file, cmd, arg);
}

static int account_release(struct inode *inode, struct file *file)
{
	struct program_account *pa = file->private_data;

	memquota_account_put(pa->account);
	memquota_user_put(pa->user);
	kfree(pa);
	return 0;
}

static const struct file_operations account_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = account_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = account_release,
};

/* The object of a descriptor to be, counted for the caller. */
static struct program_account *new_program_account(void)
{
	struct program_account *pa;

	pa = kzalloc(sizeof(*pa), GFP_KERNEL_ACCOUNT);
	if (!pa)
		return ERR_PTR(-ENOMEM);
	pa->user = memquota_user_get();
	if (IS_ERR(pa->user)) {
		int err = PTR_ERR(pa->user);

		kfree(pa);
		return ERR_PTR(err);
	}
	return pa;
}

/*
 * A descriptor of @account, whose handle, or error, is given away. Returns its
 * number.
 */
static int account_fd(struct memquota_call *call, struct program_account *pa,
		      struct memquota_account *account)
{
	int fd;

	if (IS_ERR(account)) {
		fd = PTR_ERR(account);
		goto out_free;
	}
	pa->account = account;
	fd = memquota_new_fd(call, "[memquota-account]", &account_fops, pa);
	if (fd >= 0)
		return fd;
	memquota_account_put(account);
out_free:
	memquota_user_put(pa->user);
	kfree(pa);
	return fd;
}

/* A tracker that the program may have accounts in (U1). */
static int usable_tracker(const char *name, struct memquota_tracker **t)
{
	int err = memquota_named_tracker(name, t);

	if (err || (*t)->flags & MEMQUOTA_TRACKER_PROGRAMS)
		return err;
	memquota_tracker_unref(*t);
	return -EACCES;
}

int memquota_program_create(struct memquota_call *call)
{
	struct memquota_ioctl_account_create *create =
		&call->command.account_create;
	struct memquota_account *a, *parent = NULL;
	struct file *parent_file = NULL;
	struct program_account *pa;
	struct memquota_tracker *t;
	int ret;

	if (create->flags)
		return -EOPNOTSUPP;
	if (!memquota_name_valid(create->name, sizeof(create->name)))
		return -EINVAL;
	ret = usable_tracker(create->tracker, &t);
	if (ret)
		return ret;
	if (create->parent_fd != -1) {
		ret = account_of_fd(create->parent_fd, &parent_file, &parent);
		if (ret)
			goto out_tracker;
		/* A disabled parent of one that is not (A4). */
		ret = -EINVAL;
		if (!parent && !(t->flags & MEMQUOTA_TRACKER_DISABLED))
			goto out_parent;
	}
	pa = new_program_account();
	ret = PTR_ERR_OR_ZERO(pa);
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
	ret = account_fd(call, pa, a);
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

int memquota_program_open(struct memquota_call *call)
{
	struct memquota_ioctl_account_open *open = &call->command.account_open;
	struct program_account *pa;
	struct memquota_tracker *t;
	struct memquota_account *a;
	int ret;

	if (open->flags || open->__reserved)
		return -EOPNOTSUPP;
	ret = usable_tracker(open->tracker, &t);
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
	pa = new_program_account();
	ret = PTR_ERR_OR_ZERO(pa);
	if (ret) {
		memquota_account_put(a);
		goto out_tracker;
	}
	ret = account_fd(call, pa, a);
	if (ret >= 0) {
		open->out_fd = ret;
		ret = 0;
	}
out_tracker:
	memquota_tracker_unref(t);
	return ret;
}

/* The first open account after @id, its memory kept, or an ERR_PTR(). */
static struct memquota_account *next_account(struct memquota_tracker *t, u64 id)
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

/* Parents are listed by age, as many as there is room for. */
static int list_parent(struct memquota_account *parent, void *arg)
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

int memquota_program_list(struct memquota_call *call)
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
	a = next_account(t, list->after_id);
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
	memquota_walk_parents(a, list_parent, list);
	memquota_account_unref(a);
out:
	memquota_tracker_unref(t);
	return err;
}
