/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MQPIPE_H
#define _MQPIPE_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <memquota/arena.h>
#include <memquota/queue.h>

#define MQPIPE_NAME_SIZE	24

/* A piece of written data: a reference of the pipe's arena. */
struct mqpipe_segment {
	struct memquota_item item;
	size_t len;
	size_t done;		/* bytes already read; read_mutex */
	char data[];
};

struct mqpipe {
	char name[MQPIPE_NAME_SIZE];
	u32 minor;
	struct kref kref;		/* of the table and of each open file */
	struct list_head node;		/* in mqpipe_list; both locks below */

	struct mutex mutex;		/* opening and closing */
	unsigned int opens;		/* mutex; includes waiting opens */
	unsigned int readers;		/* mutex; read without it */
	unsigned int writers;		/* mutex; read without it */
	unsigned int had_readers;	/* opens since mqpipe_begin(); likewise */
	unsigned int had_writers;	/* likewise */
	wait_queue_head_t wait_open;

	/* mutex and mqpipe_list_lock: the fields up to @hook are valid. */
	bool live;
	struct memquota_account *account;	/* mutex */
	struct memquota_queue queue;
	struct memquota_arena arena;	/* its oldest callback reads the queue */
	struct memquota_queue_hook hook;

	struct mutex read_mutex;	/* serialises readers */
	/* A segment that was read in part. read_mutex; tested without it. */
	struct mqpipe_segment *taken;

	/* The last answer of the oldest callback, and its time. Callbacks only. */
	u64 oldest_ns;
	u64 told_ns;

	/* Since creation. */
	atomic64_t written;
	atomic64_t read;
	u64 reclaims;			/* mqpipe_list_lock, from here on */
	u64 older;			/* pipes with older data, summed */
	u64 older_ns;			/* largest difference in age to those */
};

/*
 * mqpipe_lock protects the minors and the list. mqpipe_list_lock protects the
 * list as well, for reclaim callbacks; it nests outside the queues' locks.
 */
extern struct mutex mqpipe_lock;
extern struct xarray mqpipe_minors;	/* of struct mqpipe */
extern spinlock_t mqpipe_list_lock;
extern struct list_head mqpipe_list;

extern const struct file_operations mqpipe_fops;

struct mqpipe *mqpipe_alloc(const char *name);
struct mqpipe *mqpipe_get(u32 minor);
void mqpipe_put(struct mqpipe *pipe);
int mqpipe_begin(struct mqpipe *pipe);
void mqpipe_end(struct mqpipe *pipe);
struct mqpipe_segment *mqpipe_alloc_segment(struct mqpipe *pipe, size_t len,
					    bool wait);

#endif /* _MQPIPE_H */
