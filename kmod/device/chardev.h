/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the descriptors that programs have share: the way of an ioctl from its
 * table to its answer, and the rights.
 */
#ifndef _MEMQUOTA_CHARDEV_H
#define _MEMQUOTA_CHARDEV_H

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

/* One call of an ioctl, from copying the structure to copying it back. */
struct memquota_call {
	void *object;		/* private_data of the file */
	union memquota_command command;
	struct file *file;	/* that the answer has a descriptor of, or NULL */
	int fd;			/* which */
	bool refusal_answers;	/* the structure is copied back with -EINVAL */
};

struct memquota_operation {
	unsigned int cmd;
	u16 size;		/* of the structure as this kernel knows it */
	u16 min_size;		/* of its first version, never to be changed */
	bool answers;		/* it has fields that are the kernel's */
	int (*execute)(struct memquota_call *call);
};

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

/* chardev.c */
long memquota_ioctl(const struct memquota_operations *operations,
		    struct file *file, unsigned int cmd, unsigned long arg);
int memquota_new_fd(struct memquota_call *call, const char *name,
		    const struct file_operations *fops, void *object);
int memquota_named_tracker(const char *name, struct memquota_tracker **t);
int memquota_chardev_init(void);
void memquota_chardev_exit(void);

/* name.c */
bool memquota_name_valid(const char *name, size_t size);

/* user.c */
bool memquota_privileged(void);

#endif /* _MEMQUOTA_CHARDEV_H */
