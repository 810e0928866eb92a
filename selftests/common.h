/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of /dev/memquota share: its ioctls, a tracker of their own, a
 * descriptor of each kind, and passing descriptors to other processes.
 *
 * Functions return 0 or an errno; those that make a descriptor, -errno.
 */
#ifndef _SELFTESTS_MEMQUOTA_COMMON_H
#define _SELFTESTS_MEMQUOTA_COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "files.h"

#define NODE		"/dev/memquota"
#define DEFAULT		"default"
#define TRACKER		"tests"
/* Users without rights. */
#define USER		1234
#define OTHER_USER	1235
#define MIB		1048576ULL

static inline int call(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

static inline void set_name(char *to, const char *name)
{
	memset(to, 0, MEMQUOTA_IOCTL_NAME_SIZE);
	memcpy(to, name, strnlen(name, MEMQUOTA_IOCTL_NAME_SIZE - 1));
}

static inline int get_tracker(int fd, const char *name,
			      struct memquota_ioctl_tracker *tracker)
{
	memset(tracker, 0, sizeof(*tracker));
	tracker->size = sizeof(*tracker);
	set_name(tracker->name, name);
	return call(fd, MEMQUOTA_IOCTL_TRACKER, tracker);
}

static inline int configure_tracker(int fd, unsigned int cmd, const char *name,
				    uint32_t flags, uint64_t max,
				    uint64_t high, uint64_t low_water)
{
	struct memquota_ioctl_tracker_config config = {
		.size = sizeof(config),
		.flags = flags,
		.max = max,
		.high = high,
		.low_water = low_water,
	};

	set_name(config.name, name);
	return call(fd, cmd, &config);
}

static inline int create_tracker(int fd, const char *name, uint64_t max,
				 uint64_t high, uint64_t low_water)
{
	return configure_tracker(fd, MEMQUOTA_IOCTL_TRACKER_CREATE, name,
				 MEMQUOTA_TRACKER_PROGRAMS, max, high,
				 low_water);
}

static inline int destroy_tracker(int fd, const char *name)
{
	struct memquota_ioctl_tracker_destroy destroy = {
		.size = sizeof(destroy),
	};

	set_name(destroy.name, name);
	return call(fd, MEMQUOTA_IOCTL_TRACKER_DESTROY, &destroy);
}

static inline int create_account(int fd, const char *tracker, const char *name,
				 int parent)
{
	struct memquota_ioctl_account_create create = {
		.size = sizeof(create),
		.parent_fd = parent,
		.out_fd = -1,
	};

	set_name(create.tracker, tracker);
	set_name(create.name, name);
	return call(fd, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create) ?
	       -errno : create.out_fd;
}

static inline int open_account(int fd, const char *tracker, uint64_t id)
{
	struct memquota_ioctl_account_open open = {
		.size = sizeof(open),
		.id = id,
		.out_fd = -1,
	};

	set_name(open.tracker, tracker);
	return call(fd, MEMQUOTA_IOCTL_ACCOUNT_OPEN, &open) ?
	       -errno : open.out_fd;
}

static inline int get_account(int fd, struct memquota_ioctl_account *account)
{
	memset(account, 0, sizeof(*account));
	account->size = sizeof(*account);
	return call(fd, MEMQUOTA_IOCTL_ACCOUNT, account);
}

static inline int set_max(int fd, uint64_t max)
{
	struct memquota_ioctl_account_set_max set = {
		.size = sizeof(set),
		.max = max,
	};

	return call(fd, MEMQUOTA_IOCTL_ACCOUNT_SET_MAX, &set);
}

static inline int add_parent(int fd, int parent)
{
	struct memquota_ioctl_account_add_parent add = {
		.size = sizeof(add),
		.parent_fd = parent,
	};

	return call(fd, MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT, &add);
}

static inline int join(int account, const char *name, uint32_t flags)
{
	struct memquota_ioctl_join join = {
		.size = sizeof(join),
		.flags = flags,
		.out_fd = -1,
	};

	set_name(join.name, name);
	return call(account, MEMQUOTA_IOCTL_JOIN, &join) ? -errno : join.out_fd;
}

static inline int set_tracker_threshold(int device, const char *tracker,
					int event, uint64_t above,
					uint64_t rearm)
{
	struct memquota_ioctl_tracker_threshold t = {
		.size = sizeof(t),
		.event_fd = event,
		.above_bytes = above,
		.rearm_bytes = rearm,
	};

	set_name(t.name, tracker);
	return call(device, MEMQUOTA_IOCTL_TRACKER_THRESHOLD, &t) ?
	       -errno : t.out_fd;
}

static inline int set_account_threshold(int account, int event, uint64_t above,
					uint64_t rearm)
{
	struct memquota_ioctl_account_threshold a = {
		.size = sizeof(a),
		.event_fd = event,
		.above_bytes = above,
		.rearm_bytes = rearm,
	};

	return call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD, &a) ?
	       -errno : a.out_fd;
}

static inline int charge_flags(int fd, uint64_t bytes, uint32_t flags,
			       uint64_t timeout_ns)
{
	struct memquota_ioctl_charge charge = {
		.size = sizeof(charge),
		.flags = flags,
		.bytes = bytes,
		.timeout_ns = timeout_ns,
	};

	return call(fd, MEMQUOTA_IOCTL_CHARGE, &charge);
}

static inline int charge(int fd, uint64_t bytes)
{
	return charge_flags(fd, bytes, 0, 0);
}

static inline int charge_wait(int fd, uint64_t bytes, uint64_t timeout_ns)
{
	return charge_flags(fd, bytes, MEMQUOTA_CHARGE_WAIT, timeout_ns);
}

static inline int uncharge(int fd, uint64_t bytes)
{
	struct memquota_ioctl_uncharge uncharge = {
		.size = sizeof(uncharge),
		.bytes = bytes,
	};

	return call(fd, MEMQUOTA_IOCTL_UNCHARGE, &uncharge);
}

static inline int set_oldest(int fd, uint64_t ns)
{
	struct memquota_ioctl_oldest oldest = {
		.size = sizeof(oldest),
		.oldest_ns = ns,
	};

	return call(fd, MEMQUOTA_IOCTL_OLDEST, &oldest);
}

static inline int answer(int fd, uint64_t id, uint64_t freed, uint32_t flags)
{
	struct memquota_ioctl_answer answer = {
		.size = sizeof(answer),
		.flags = flags,
		.id = id,
		.freed_bytes = freed,
	};

	return call(fd, MEMQUOTA_IOCTL_ANSWER, &answer);
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static inline int configure_tests(int device, uint64_t max, uint64_t high,
				  uint64_t low_water)
{
	return configure_tracker(device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
				 TRACKER, 0, max, high, low_water);
}

/* A test that was killed may have left its tracker. */
static inline int create_tests(int device)
{
	destroy_tracker(device, TRACKER);
	return create_tracker(device, TRACKER, 0, 0, 0);
}

static inline uint64_t held_bytes(int account)
{
	struct memquota_ioctl_account a;

	return get_account(account, &a) ? UINT64_MAX : a.out_held;
}

static inline bool is_closed(int account)
{
	struct memquota_ioctl_account a;

	return !get_account(account, &a) && a.out_closed;
}

static inline uint64_t id_of(int account)
{
	struct memquota_ioctl_account a;

	return get_account(account, &a) ? 0 : a.out_id;
}

static inline uint64_t count_accounts(int device)
{
	struct memquota_ioctl_tracker t;

	return get_tracker(device, TRACKER, &t) ? UINT64_MAX : t.out_accounts;
}

static inline bool total_at_most(int device, uint64_t bytes)
{
	struct memquota_ioctl_tracker t;

	/* The CPUs' caches may hold some bytes more. */
	return !get_tracker(device, TRACKER, &t) &&
	       t.out_total <= bytes + t.out_excess_max;
}

/* In FIXTURE_SETUP(): open the device; without the module, skip the case. */
#define OPEN_DEVICE(fd)							\
do {									\
	(fd) = open(NODE, O_RDWR | O_CLOEXEC);				\
	if ((fd) < 0 && errno == ENOENT)				\
		SKIP(return, "memquota is not loaded");			\
	ASSERT_GE((fd), 0);						\
} while (0)

/* Wait up to two seconds for a condition. */
#define EVENTUALLY(condition)						\
({									\
	int tries = 400;						\
	bool met;							\
									\
	while (!(met = (condition)) && tries--)				\
		sleep_ms(5);						\
	met;								\
})

static inline void send_fd(int socket, int fd)
{
	char data = 0, control[CMSG_SPACE(sizeof(int))] = { };
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	if (sendmsg(socket, &msg, 0) != 1)
		perror("sendmsg");
}

/* Wait up to ten seconds for a descriptor. */
static inline int receive_fd(int socket)
{
	struct pollfd pfd = { .fd = socket, .events = POLLIN };
	char data, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (poll(&pfd, 1, 10000) != 1 ||
	    recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

#endif /* _SELFTESTS_MEMQUOTA_COMMON_H */
