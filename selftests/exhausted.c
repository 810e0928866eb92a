// SPDX-License-Identifier: GPL-2.0
/*
 * Ioctls that make objects, when descriptors, memory or the user's objects are
 * exhausted. A refused ioctl leaves nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "child.h"
#include "common.h"

#define FILE_MAX	"/proc/sys/fs/file-max"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define CGROUPS		"/sys/fs/cgroup/"
#define CGROUP		CGROUPS "memquota-test/"

/* Descriptors that it takes to make more of each kind. */
struct makers {
	int device;
	int account;
	int event;
	uint64_t id;
};

FIXTURE(exhausted)
{
	struct makers makers;
	char user_objects[32];
};

FIXTURE_SETUP(exhausted)
{
	struct makers *m = &self->makers;

	OPEN_DEVICE(m->device);
	ASSERT_EQ(0, create_tests(m->device));
	m->account = create_account(m->device, TRACKER, "account", -1);
	ASSERT_GE(m->account, 0);
	m->id = id_of(m->account);
	m->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(m->event, 0);
	ASSERT_TRUE(get_parameter("user_objects", self->user_objects, 32));
}

FIXTURE_TEARDOWN_PARENT(exhausted)
{
	int device = open(NODE, O_RDWR | O_CLOEXEC);

	EXPECT_TRUE(EVENTUALLY(!count_accounts(device)));
	EXPECT_EQ(0, destroy_tracker(device, TRACKER));
	EXPECT_TRUE(set_parameter("user_objects", self->user_objects));
	close(device);
}

/* The ways to make a descriptor. They return it, or -errno. */
static int make_account(const struct makers *m)
{
	return create_account(m->device, TRACKER, "a", -1);
}

static int make_child(const struct makers *m)
{
	return create_account(m->device, TRACKER, "a", m->account);
}

static int make_handle(const struct makers *m)
{
	return open_account(m->device, TRACKER, m->id);
}

static int make_participant(const struct makers *m)
{
	return join(m->account, "p", 0);
}

static int make_threshold(const struct makers *m)
{
	return set_account_threshold(m->account, m->event, MIB, 0);
}

static int make_tracker_threshold(const struct makers *m)
{
	return set_tracker_threshold(m->device, TRACKER, m->event, MIB, 0);
}

static int (* const make[])(const struct makers *m) = {
	make_account, make_child, make_handle, make_participant, make_threshold,
	/* for root alone */
	make_tracker_threshold,
};

#define OF_ROOT		1

/* Are @n accounts and no participants left? */
static bool are_left(int device, uint64_t n)
{
	struct memquota_ioctl_tracker t;

	return !get_tracker(device, TRACKER, &t) && t.out_accounts == n &&
	       !t.out_participants;
}

TEST_F(exhausted, emfile_leaves_nothing)
{
	const struct makers *m = &self->makers;
	struct rlimit limit, none;
	size_t i;
	int fd;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	fd = dup(m->event);
	none.rlim_cur = fd;
	close(fd);
	for (i = 0; i < ARRAY_SIZE(make); i++) {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		EXPECT_EQ(-EMFILE, make[i](m)) {
			TH_LOG("way %zu", i);
		}
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		EXPECT_TRUE(EVENTUALLY(are_left(m->device, 1)));
		fd = make[i](m);
		EXPECT_GE(fd, 0);
		close(fd);
	}
}

/* The files of the system are exhausted, for all but root. */
TEST_F(exhausted, enfile_leaves_nothing)
{
	const struct makers *m = &self->makers;
	char file_max[64];
	size_t i;
	int fd;

	ASSERT_EQ(0, read_file(FILE_MAX, file_max, sizeof(file_max)));
	ASSERT_TRUE(set_parameter("user_objects", "2"));
	RUN_CHILD() {
		ASSERT_EQ(0, write_file(FILE_MAX, "0"));
		ASSERT_EQ(0, become_user(USER));
		/* More than user_objects times: failures do not count. */
		for (i = 0; i < 3 * (ARRAY_SIZE(make) - OF_ROOT); i++) {
			/* The account is another user's. */
			if (make[i / 3] == make_handle)
				continue;
			ASSERT_EQ(-ENFILE, make[i / 3](m)) {
				TH_LOG("way %zu", i / 3);
			}
		}
	}
	ASSERT_EQ(0, write_file(FILE_MAX, file_max));
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		for (i = 0; i < ARRAY_SIZE(make) - OF_ROOT; i++) {
			if (make[i] == make_handle)
				continue;
			fd = make[i](m);
			ASSERT_GE(fd, 0);
			close(fd);
		}
	}
}

static int make_tracker(const struct makers *m)
{
	int err = create_tracker(m->device, "another", 0, 0, 0);

	if (!err && destroy_tracker(m->device, "another"))
		return -EIO;
	return err ? -err : dup(m->event);
}

static int make_link(const struct makers *m)
{
	int fd = create_account(m->device, TRACKER, "a", -1), err;

	if (fd < 0)
		return fd;
	err = add_parent(m->account, fd);
	if (!err)
		return fd;
	close(fd);
	return -err;
}

/* Fail each allocation of each way in turn. */
TEST_F_TIMEOUT(exhausted, enomem_leaves_nothing, 100)
{
	int (* const also[])(const struct makers *m) = {
		make_tracker, make_link,
	};
	const size_t ways = ARRAY_SIZE(make) + ARRAY_SIZE(also);
	const struct makers *m = &self->makers;
	int (*way)(const struct makers *m);
	char nth[16], ignored[16], left[16];
	unsigned int failures;
	size_t i;
	int n, fd;

	if (access(FAIL_NTH, W_OK) ||
	    read_file(FAILSLAB "ignore-gfp-wait", ignored, sizeof(ignored)))
		SKIP(return, "no fault injection");
	ASSERT_EQ(0, write_file(FAILSLAB "ignore-gfp-wait", "N"));
	for (i = 0; i < ways; i++) {
		way = i < ARRAY_SIZE(make) ? make[i] :
		      also[i - ARRAY_SIZE(make)];
		failures = 0;
		for (n = 1; n < 1000; n++) {
			int control = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
			ssize_t len;

			snprintf(nth, sizeof(nth), "%d", n);
			ASSERT_GT(write(control, nth, strlen(nth)), 0);
			fd = way(m);
			len = pread(control, left, sizeof(left) - 1, 0);
			ASSERT_GT(len, 0);
			left[len] = 0;
			ASSERT_GT(pwrite(control, "0", 1, 0), 0);
			close(control);
			if (fd >= 0)
				close(fd);
			else
				failures++;
			/* Another user's reserve may serve. */
			EXPECT_TRUE(fd >= 0 || fd == -ENOMEM) {
				TH_LOG("way %zu, allocation %d: %d", i, n, fd);
			}
			if (atoi(left) > 0)
				break;
		}
		EXPECT_LT(n, 1000);
		EXPECT_GE(fd, 0);
		EXPECT_GT(failures, 0) {
			TH_LOG("way %zu", i);
		}
	}
	write_file(FAILSLAB "ignore-gfp-wait", ignored);
}

/* Return the bytes of slabs that a memory cgroup is charged, or -1. */
static long slab_bytes(void)
{
	char stat[16384], *line;

	if (read_file(CGROUP "memory.stat", stat, sizeof(stat)))
		return -1;
	line = strstr(stat, "\nslab ");
	return line ? atol(line + 6) : -1;
}

/*
 * Have the kernel flush the cgroup's statistics at the next look. It does so only
 * after many changes, or every few seconds if a CPU is busy.
 */
static void change_many_statistics(void)
{
	const size_t size = 16 << 20;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return;
	memset(map, 1, size);
	munmap(map, size);
}

/*
 * Return the same once it no longer changes, since the kernel frees what was
 * closed after grace periods.
 */
static long settled_slab_bytes(void)
{
	long last, now = -1;
	int tries = 30;

	do {
		last = now;
		sleep_ms(1000);
		change_many_statistics();
		now = slab_bytes();
	} while (now != last && --tries);
	return now;
}

#define OBJECTS		1000

static int make_event(const struct makers *m)
{
	return eventfd(0, EFD_CLOEXEC);
}

/* Return the bytes of each object that the caller's cgroup is charged. */
static long bytes_each(int (*way)(const struct makers *m),
		       const struct makers *m)
{
	static int fds[OBJECTS];
	long before, after;
	int i;

	before = settled_slab_bytes();
	for (i = 0; i < OBJECTS; i++)
		fds[i] = way(m);
	after = settled_slab_bytes();
	for (i = 0; i < OBJECTS; i++) {
		if (fds[i] < 0)
			return -1;
		close(fds[i]);
	}
	return (after - before) / OBJECTS;
}

/* An object's memory, beyond its file's, is charged to its creator. */
TEST_F_TIMEOUT(exhausted, charged_to_the_cgroup, 200)
{
	const struct rlimit limit = { OBJECTS + 100, OBJECTS + 100 };
	const struct makers *m = &self->makers;
	long file, each[3];
	char pid_text[16];

	if (access(CGROUPS "cgroup.controllers", R_OK) &&
	    mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		SKIP(return, "no cgroups");
	if (write_file(CGROUPS "cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory cgroups");
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
	if (slab_bytes() < 0) {
		rmdir(CGROUP);
		SKIP(return, "no kernel memory in cgroups");
	}
	RUN_CHILD() {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		snprintf(pid_text, sizeof(pid_text), "%d", getpid());
		ASSERT_EQ(0, write_file(CGROUP "cgroup.procs", pid_text));
		/* Or the table of files would grow while events are made. */
		ASSERT_EQ(OBJECTS + 99, dup2(0, OBJECTS + 99));
		file = bytes_each(make_event, m);
		each[0] = bytes_each(make_account, m);
		each[1] = bytes_each(make_participant, m);
		each[2] = bytes_each(make_threshold, m);
		TH_LOG("bytes: event %ld, account %ld, participant %ld, threshold %ld",
		       file, each[0], each[1], each[2]);
		ASSERT_GT(file, 0);
		ASSERT_GT(each[0], file + 100);
		ASSERT_GT(each[1], file + 100);
		ASSERT_GT(each[2], file + 30);
	}
	rmdir(CGROUP);
}

/* U2: the default limit. */
TEST_F_TIMEOUT(exhausted, u2_1024_objects, 100)
{
	const struct rlimit limit = { 2048, 2048 };
	const struct makers *m = &self->makers;
	int i;

	EXPECT_EQ(1024, atoi(self->user_objects));
	ASSERT_TRUE(set_parameter("user_objects", "1024"));
	RUN_CHILD() {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		ASSERT_EQ(0, become_user(USER));
		for (i = 0; i < 1024; i++)
			ASSERT_GE(make_account(m), 0);
		for (i = 0; i < 10; i++) {
			ASSERT_EQ(-EDQUOT, make_account(m));
			ASSERT_EQ(-EDQUOT, make_child(m));
			ASSERT_EQ(-EDQUOT, make_participant(m));
			ASSERT_EQ(-EDQUOT, make_threshold(m));
		}
	}
	/* Objects of a dead process do not count. */
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		ASSERT_TRUE(EVENTUALLY(make_account(m) >= 0));
	}
}

TEST_HARNESS_MAIN
