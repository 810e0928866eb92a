/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of /dev/memquota share: calling it, a tracker of their own, a
 * descriptor of each kind, and other processes.
 */
#ifndef _SELFTESTS_MEMQUOTA_COMMON_H
#define _SELFTESTS_MEMQUOTA_COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NODE		"/dev/memquota"
#define PARAMETERS	"/sys/module/memquota/parameters/"
#define DEFAULT		"default"
#define TRACKER		"tests"
#define SOMEBODY	1234
#define SOMEBODY_ELSE	1235
#define MIB		1048576ULL

/* 0, or the errno. */
static inline int call(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

static inline bool get_parameter(const char *name, char *value, size_t size)
{
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	len = read(fd, value, size - 1);
	close(fd);
	value[len > 0 ? len : 0] = 0;
	return len >= 0;
}

static inline bool set_parameter(const char *name, const char *value)
{
	char path[128];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return ok;
}

static inline void set_name(char *to, const char *name)
{
	memset(to, 0, MEMQUOTA_IOCTL_NAME_SIZE);
	memcpy(to, name, strnlen(name, MEMQUOTA_IOCTL_NAME_SIZE - 1));
}

static inline int ask_tracker(int fd, const char *name,
			      struct memquota_ioctl_tracker *tracker)
{
	memset(tracker, 0, sizeof(*tracker));
	tracker->size = sizeof(*tracker);
	set_name(tracker->name, name);
	return call(fd, MEMQUOTA_IOCTL_TRACKER, tracker);
}

static inline int configure(int fd, unsigned int cmd, const char *name,
			    uint32_t flags, uint64_t max, uint64_t high,
			    uint64_t low_water)
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
	return configure(fd, MEMQUOTA_IOCTL_TRACKER_CREATE, name,
			 MEMQUOTA_TRACKER_PROGRAMS, max, high, low_water);
}

static inline int destroy_tracker(int fd, const char *name)
{
	struct memquota_ioctl_tracker_destroy destroy = {
		.size = sizeof(destroy),
	};

	set_name(destroy.name, name);
	return call(fd, MEMQUOTA_IOCTL_TRACKER_DESTROY, &destroy);
}

/* A descriptor, or -errno; so are the next ones. */
static inline int create_account(int fd, const char *tracker, const char *name,
				 int parent)
{
	struct memquota_ioctl_account_create create = {
		.size = sizeof(create),
		.parent_fd = parent,
		.out_fd = -1,
	};
	int err;

	set_name(create.tracker, tracker);
	set_name(create.name, name);
	err = call(fd, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create);
	return err ? -err : create.out_fd;
}

static inline int open_account(int fd, const char *tracker, uint64_t id)
{
	struct memquota_ioctl_account_open open = {
		.size = sizeof(open),
		.id = id,
		.out_fd = -1,
	};
	int err;

	set_name(open.tracker, tracker);
	err = call(fd, MEMQUOTA_IOCTL_ACCOUNT_OPEN, &open);
	return err ? -err : open.out_fd;
}

static inline int ask_account(int fd, struct memquota_ioctl_account *account)
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
	int err;

	set_name(join.name, name);
	err = call(account, MEMQUOTA_IOCTL_JOIN, &join);
	return err ? -err : join.out_fd;
}

/* 0 or the errno, again. */
static inline int charge(int fd, uint64_t bytes)
{
	struct memquota_ioctl_charge charge = {
		.size = sizeof(charge),
		.bytes = bytes,
	};

	return call(fd, MEMQUOTA_IOCTL_CHARGE, &charge);
}

static inline int charge_wait(int fd, uint64_t bytes, uint64_t timeout_ns)
{
	struct memquota_ioctl_charge charge = {
		.size = sizeof(charge),
		.flags = MEMQUOTA_CHARGE_WAIT,
		.bytes = bytes,
		.timeout_ns = timeout_ns,
	};

	return call(fd, MEMQUOTA_IOCTL_CHARGE, &charge);
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
	return configure(device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE, TRACKER, 0,
			 max, high, low_water);
}

/* One that was left by a test that was killed goes. */
static inline int create_tests(int device)
{
	destroy_tracker(device, TRACKER);
	return create_tracker(device, TRACKER, 0, 0, 0);
}

static inline uint64_t held(int account)
{
	struct memquota_ioctl_account a;

	return ask_account(account, &a) ? UINT64_MAX : a.out_held;
}

static inline bool closed(int account)
{
	struct memquota_ioctl_account a;

	return !ask_account(account, &a) && a.out_closed;
}

static inline uint64_t id_of(int account)
{
	struct memquota_ioctl_account a;

	return ask_account(account, &a) ? 0 : a.out_id;
}

static inline uint64_t accounts(int device)
{
	struct memquota_ioctl_tracker t;

	return ask_tracker(device, TRACKER, &t) ? UINT64_MAX : t.out_accounts;
}

/* Wait up to two seconds for a condition. */
#define EVENTUALLY(condition)						\
({									\
	int tries = 400;						\
	bool so;							\
									\
	while (!(so = (condition)) && tries--)				\
		sleep_ms(5);						\
	so;								\
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

static inline int receive_fd(int socket)
{
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

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

/* In a child: what is not so is said, and ends it. */
#define REQUIRE(condition)						\
do {									\
	if (!(condition)) {						\
		fprintf(stderr, "# line %d: %s\n", __LINE__, #condition);	\
		_exit(1);						\
	}								\
} while (0)

static inline void become(uid_t uid)
{
	REQUIRE(!setresgid(uid, uid, uid));
	REQUIRE(!setresuid(uid, uid, uid));
}

static inline bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && !status;
}

#endif /* _SELFTESTS_MEMQUOTA_COMMON_H */
