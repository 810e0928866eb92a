// SPDX-License-Identifier: GPL-2.0
/*
 * What programs make the kernel allocate, and what they are answered when there
 * is no more of it: descriptors, memory, and what one user may have. A refused
 * ioctl leaves nothing behind.
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
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "common.h"

#define FILE_MAX	"/proc/sys/fs/file-max"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define CGROUPS		"/sys/fs/cgroup/"
#define CGROUP		CGROUPS "memquota-test/"

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return ok;
}

static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	close(fd);
	text[len > 0 ? len : 0] = 0;
	return len > 0;
}

/* A descriptor of each kind, and what else it takes to make more of them. */
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

	m->device = open(NODE, O_RDWR | O_CLOEXEC);
	if (m->device < 0 && errno == ENOENT)
		SKIP(return, "memquota is not loaded");
	ASSERT_GE(m->device, 0);
	ASSERT_EQ(0, create_tests(m->device));
	m->account = create_account(m->device, TRACKER, "account", -1);
	ASSERT_GE(m->account, 0);
	m->id = id_of(m->account);
	m->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(m->event, 0);
	ASSERT_TRUE(get_parameter("user_objects", self->user_objects, 32));
}

FIXTURE_TEARDOWN(exhausted)
{
	struct makers *m = &self->makers;

	close(m->event);
	close(m->account);
	EXPECT_TRUE(EVENTUALLY(!accounts(m->device)));
	EXPECT_EQ(0, destroy_tracker(m->device, TRACKER));
	EXPECT_TRUE(set_parameter("user_objects", self->user_objects));
	close(m->device);
}

/* Each way to make a descriptor, which is returned; or -errno. */
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
	struct memquota_ioctl_account_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = m->event,
		.above_bytes = MIB,
	};
	int err = call(m->account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD, &threshold);

	return err ? -err : threshold.out_fd;
}

static int make_tracker_threshold(const struct makers *m)
{
	struct memquota_ioctl_tracker_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = m->event,
		.above_bytes = MIB,
	};
	int err;

	set_name(threshold.name, TRACKER);
	err = call(m->device, MEMQUOTA_IOCTL_TRACKER_THRESHOLD, &threshold);
	return err ? -err : threshold.out_fd;
}

static int (* const make[])(const struct makers *m) = {
	make_account, make_child, make_handle, make_participant, make_threshold,
	/* for root */
	make_tracker_threshold,
};

#define OF_ROOT		1

/* What there is now. */
static bool count(int device, uint64_t *n, uint64_t *participants)
{
	struct memquota_ioctl_tracker t;

	if (ask_tracker(device, TRACKER, &t))
		return false;
	*n = t.out_accounts;
	*participants = t.out_participants;
	return true;
}

TEST_F(exhausted, emfile)
{
	const struct makers *m = &self->makers;
	struct rlimit limit, none;
	uint64_t n, participants;
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
		EXPECT_TRUE(EVENTUALLY(count(m->device, &n, &participants) &&
				       n == 1 && !participants));
		fd = make[i](m);
		EXPECT_GE(fd, 0);
		close(fd);
	}
}

/* All files of the system. Root is let in all the same. */
TEST_F(exhausted, enfile)
{
	const struct makers *m = &self->makers;
	char file_max[64];
	size_t i;
	pid_t pid;
	int fd;

	ASSERT_TRUE(read_file(FILE_MAX, file_max, sizeof(file_max)));
	ASSERT_TRUE(set_parameter("user_objects", "2"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		REQUIRE(write_file(FILE_MAX, "0"));
		become(SOMEBODY);
		/* Thrice: nothing counts as an object afterwards. */
		for (i = 0; i < 3 * (ARRAY_SIZE(make) - OF_ROOT); i++) {
			/* That account is another user's. */
			if (make[i / 3] == make_handle)
				continue;
			fd = make[i / 3](m);
			if (fd != -ENFILE)
				fprintf(stderr, "# way %zu: %d\n", i / 3, fd);
			REQUIRE(fd == -ENFILE);
		}
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	ASSERT_TRUE(write_file(FILE_MAX, file_max));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		for (i = 0; i < ARRAY_SIZE(make) - OF_ROOT; i++) {
			if (make[i] == make_handle)
				continue;
			fd = make[i](m);
			REQUIRE(fd >= 0);
			close(fd);
		}
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
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

/* Each allocation on each way fails in turn. */
TEST_F_TIMEOUT(exhausted, enomem, 100)
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
	    !read_file(FAILSLAB "ignore-gfp-wait", ignored, sizeof(ignored)))
		SKIP(return, "no fault injection");
	ASSERT_TRUE(write_file(FAILSLAB "ignore-gfp-wait", "N"));
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
			/* The reserve of someone else may serve. */
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

/* Bytes that a memory cgroup has in the kernel's slabs. */
static long slab_bytes(void)
{
	char stat[16384], *line;

	if (!read_file(CGROUP "memory.stat", stat, sizeof(stat)))
		return -1;
	line = strstr(stat, "\nslab ");
	return line ? atol(line + 6) : -1;
}

#define OBJECTS		1000

static int make_event(const struct makers *m)
{
	return eventfd(0, EFD_CLOEXEC);
}

/* Bytes that each object takes of the caller's cgroup. */
static long bytes_each(int (*way)(const struct makers *m),
		       const struct makers *m)
{
	static int fds[OBJECTS];
	long before, after;
	int i;

	/* What is not told at once is told after two seconds. */
	sleep_ms(2500);
	before = slab_bytes();
	for (i = 0; i < OBJECTS; i++)
		fds[i] = way(m);
	sleep_ms(2500);
	after = slab_bytes();
	for (i = 0; i < OBJECTS; i++) {
		if (fds[i] < 0)
			return -1;
		close(fds[i]);
	}
	return (after - before) / OBJECTS;
}

/* Whoever makes objects pays for their memory, beyond what each file takes. */
TEST_F_TIMEOUT(exhausted, charged_to_the_cgroup, 100)
{
	const struct rlimit limit = { OBJECTS + 100, OBJECTS + 100 };
	const struct makers *m = &self->makers;
	long file, each[3];
	char pid_text[16];
	pid_t pid;

	if (access(CGROUPS "cgroup.controllers", R_OK) &&
	    mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		SKIP(return, "no cgroups");
	if (!write_file(CGROUPS "cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory cgroups");
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
	if (slab_bytes() < 0) {
		rmdir(CGROUP);
		SKIP(return, "no kernel memory in cgroups");
	}
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		REQUIRE(!setrlimit(RLIMIT_NOFILE, &limit));
		snprintf(pid_text, sizeof(pid_text), "%d", getpid());
		REQUIRE(write_file(CGROUP "cgroup.procs", pid_text));
		file = bytes_each(make_event, m);
		each[0] = bytes_each(make_account, m);
		each[1] = bytes_each(make_participant, m);
		each[2] = bytes_each(make_threshold, m);
		printf("# bytes: event %ld, account %ld, participant %ld, threshold %ld\n",
		       file, each[0], each[1], each[2]);
		REQUIRE(file > 0);
		REQUIRE(each[0] > file + 100);
		REQUIRE(each[1] > file + 100);
		REQUIRE(each[2] > file + 30);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	rmdir(CGROUP);
}

/* U2: the limit that there is unless somebody sets another one. */
TEST_F_TIMEOUT(exhausted, u2_1024_objects, 100)
{
	const struct rlimit limit = { 2048, 2048 };
	const struct makers *m = &self->makers;
	pid_t pid;
	int i;

	EXPECT_EQ(1024, atoi(self->user_objects));
	ASSERT_TRUE(set_parameter("user_objects", "1024"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		REQUIRE(!setrlimit(RLIMIT_NOFILE, &limit));
		become(SOMEBODY);
		for (i = 0; i < 1024; i++)
			REQUIRE(make_account(m) >= 0);
		for (i = 0; i < 10; i++) {
			REQUIRE(make_account(m) == -EDQUOT);
			REQUIRE(make_child(m) == -EDQUOT);
			REQUIRE(make_participant(m) == -EDQUOT);
			REQUIRE(make_threshold(m) == -EDQUOT);
		}
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	/* What the dead had does not count. */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		REQUIRE(EVENTUALLY(make_account(m) >= 0));
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
}

TEST_HARNESS_MAIN
