/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of /dev/memquota share: calling it, trackers of their own, and
 * a descriptor of each kind.
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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODE		"/dev/memquota"
#define PARAMETERS	"/sys/module/memquota/parameters/"
#define DEFAULT		"default"
#define MIB		1048576ULL

#ifdef __x86_64__
/* What a 32-bit program would call: the ioctl of the 32-bit system calls. */
static inline int call32(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (cmd), "d" ((long)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return -(int)ret;
}

static inline bool has_call32(void)
{
	static const char user_mode[] = "User Mode Linux";
	char text[4096];
	int status, fd = open("/proc/cpuinfo", O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text) - 1);
	pid_t pid;

	close(fd);
	text[len > 0 ? len : 0] = 0;
	if (strstr(text, user_mode))
		return false;
	pid = fork();
	if (!pid)
		_exit(call32(-1, 0, NULL) != EBADF);
	return waitpid(pid, &status, 0) == pid && !status;
}
#endif

/* 0, or the errno. */
static inline int call(int fd, unsigned int cmd, void *arg)
{
#ifdef THROUGH_32_BITS
	/* Each thread's own: a page that 32-bit pointers reach. */
	static __thread char *low;
	uint32_t size = *(uint32_t *)arg;
	int err;

	if (!low)
		low = mmap(NULL, MEMQUOTA_IOCTL_SIZE_MAX,
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	memcpy(low, arg, size);
	err = call32(fd, cmd, low);
	memcpy(arg, low, size);
	return err;
#else
	return ioctl(fd, cmd, arg) ? errno : 0;
#endif
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

#endif /* _SELFTESTS_MEMQUOTA_COMMON_H */
