/* SPDX-License-Identifier: GPL-2.0 */
/* One dispatcher for the ioctls of all kinds of descriptors. */
#ifndef _MEMQUOTA_IOCTL_H
#define _MEMQUOTA_IOCTL_H

#include <linux/fs.h>
#include <linux/memquota.h>
#include <linux/types.h>

struct memquota_tracker;

union memquota_command {
	struct memquota_ioctl_info info;
	struct memquota_ioctl_tracker tracker;
	struct memquota_ioctl_tracker_config tracker_config;
	struct memquota_ioctl_tracker_destroy tracker_destroy;
	struct memquota_ioctl_tracker_list tracker_list;
	struct memquota_ioctl_tracker_threshold tracker_threshold;
	struct memquota_ioctl_account_create account_create;
	struct memquota_ioctl_account_open account_open;
	struct memquota_ioctl_account_list account_list;
	struct memquota_ioctl_account account;
	struct memquota_ioctl_account_set_max account_set_max;
	struct memquota_ioctl_account_add_parent account_add_parent;
	struct memquota_ioctl_account_threshold account_threshold;
	struct memquota_ioctl_join join;
	struct memquota_ioctl_charge charge;
	struct memquota_ioctl_uncharge uncharge;
	struct memquota_ioctl_oldest oldest;
	struct memquota_ioctl_answer answer;
};

/* One call of an ioctl, from copying its structure in to copying it out. */
struct memquota_call {
	void *object;		/* private_data of the file */
	union memquota_command command;
	struct file *file;	/* new file to install on success, or NULL */
	int fd;			/* number for @file */
	bool refusal_answers;	/* copy the structure out despite an error */
};

struct memquota_operation {
	unsigned int cmd;
	u16 size;		/* of the structure as this kernel knows it */
	u16 min_size;		/* of its first version; never changes */
	bool answers;		/* the structure has ``out_`` fields */
	int (*execute)(struct memquota_call *call);
};

/* The ioctls of one kind of descriptor. */
struct memquota_operations {
	const struct memquota_operation *operations;
	unsigned int base;	/* number of the first */
	unsigned int count;
};

#define MEMQUOTA_OPERATION(_cmd, _type, _min_size, _answers, _execute)	\
	{								\
		.cmd = (_cmd),						\
		.size = sizeof(struct _type),				\
		.min_size = (_min_size),				\
		.answers = (_answers),					\
		.execute = (_execute),					\
	}

long memquota_ioctl(const struct memquota_operations *operations,
		    struct file *file, unsigned int cmd, unsigned long arg);
int memquota_new_fd(struct memquota_call *call, const char *name,
		    const struct file_operations *fops, void *object);
int memquota_named_tracker(const char *name, struct memquota_tracker **t);

#endif /* _MEMQUOTA_IOCTL_H */
