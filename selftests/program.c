// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts and participants of programs, by ioctls alone: what each ioctl does,
 * each errno that it documents, whose descriptors they are, and what one
 * program can do to another.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/memquota.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "common.h"
#include "modules.h"

/* Wait for a request up to @ms; 0: none came. */
static uint64_t get_request(int fd, int ms,
			    struct memquota_reclaim_request *request)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, ms) != 1 ||
	    read(fd, request, sizeof(*request)) != sizeof(*request))
		return 0;
	return request->id;
}

FIXTURE(program)
{
	int device;
	int account;
	int fd;			/* a participant */
	char give_up_ms[32];
	char user_objects[32];
	char user_bytes[32];
};

FIXTURE_SETUP(program)
{
	self->device = open(NODE, O_RDWR | O_CLOEXEC);
	if (self->device < 0 && errno == ENOENT)
		SKIP(return, "memquota is not loaded");
	ASSERT_GE(self->device, 0);
	ASSERT_EQ(0, create_tests(self->device));
	self->account = create_account(self->device, TRACKER, "account", -1);
	ASSERT_GE(self->account, 0);
	self->fd = join(self->account, "participant", 0);
	ASSERT_GE(self->fd, 0);
	ASSERT_TRUE(get_parameter("give_up_ms", self->give_up_ms, 32));
	ASSERT_TRUE(get_parameter("user_objects", self->user_objects, 32));
	ASSERT_TRUE(get_parameter("user_bytes", self->user_bytes, 32));
}

FIXTURE_TEARDOWN(program)
{
	struct memquota_ioctl_tracker t;

	close(self->fd);
	close(self->account);
	/* T6: nothing that a program does can poison a tracker. */
	EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(MEMQUOTA_STATE_COUNTING, t.out_state);
	EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
	EXPECT_TRUE(set_parameter("give_up_ms", self->give_up_ms));
	EXPECT_TRUE(set_parameter("user_objects", self->user_objects));
	EXPECT_TRUE(set_parameter("user_bytes", self->user_bytes));
	close(self->device);
}

/* What each kind of descriptor can do, and what it cannot. */
TEST_F(program, descriptors)
{
	struct memquota_ioctl_charge c = { .size = sizeof(c) };
	const int fds[] = { self->account, self->fd };
	struct memquota_ioctl_account a;
	struct memquota_ioctl_info info = { .size = sizeof(info) };
	char byte = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(FD_CLOEXEC, fcntl(fds[i], F_GETFD));
		EXPECT_EQ(-1, lseek(fds[i], 0, SEEK_SET));
		EXPECT_EQ(ESPIPE, errno);
		EXPECT_EQ(-1, pread(fds[i], &byte, 1, 0));
		EXPECT_EQ(ESPIPE, errno);
		EXPECT_EQ(-1, write(fds[i], &byte, 1));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[i],
				 0) == MAP_FAILED);
		EXPECT_EQ(ENODEV, errno);
		EXPECT_EQ(ENOTTY, call(fds[i], MEMQUOTA_IOCTL_INFO, &info));
	}
	EXPECT_EQ(ENOTTY, call(self->device, MEMQUOTA_IOCTL_CHARGE, &c));
	EXPECT_EQ(ENOTTY, call(self->account, MEMQUOTA_IOCTL_CHARGE, &c));
	EXPECT_EQ(ENOTTY, ask_account(self->device, &a));
	EXPECT_EQ(ENOTTY, ask_account(self->fd, &a));
	EXPECT_EQ(-1, read(self->account, &byte, 1));
	EXPECT_EQ(EINVAL, errno);

	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_INFO, &info));
	EXPECT_NE(0, info.out_features & MEMQUOTA_FEATURE_PROGRAMS);
}

TEST_F(program, usage)
{
	struct memquota_ioctl_account a;
	int child, fd;

	ASSERT_EQ(0, ask_account(self->account, &a));
	EXPECT_NE(0, a.out_id);
	EXPECT_STREQ("account", a.out_name);
	EXPECT_STREQ(TRACKER, a.out_tracker);
	EXPECT_EQ(0, a.out_held);
	EXPECT_EQ(0, a.out_peak);
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, a.out_max);
	EXPECT_EQ(0, a.out_refused);
	EXPECT_EQ(0, a.out_reclaims);
	EXPECT_EQ(1, a.out_participants);
	EXPECT_EQ(0, a.out_children);
	EXPECT_EQ(0, a.out_closed);

	child = create_account(self->device, TRACKER, "child", self->account);
	ASSERT_GE(child, 0);
	fd = join(self->account, "second", MEMQUOTA_JOIN_COLLAPSING);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, charge(self->fd, 3 * MIB));
	EXPECT_EQ(0, charge(fd, 2 * MIB));
	EXPECT_EQ(0, uncharge(fd, 2 * MIB));
	ASSERT_EQ(0, ask_account(self->account, &a));
	EXPECT_GE(a.out_held, 3 * MIB);
	EXPECT_LE(a.out_held, 4 * MIB);
	EXPECT_GE(a.out_peak, 5 * MIB);
	EXPECT_LE(a.out_peak, 6 * MIB);
	EXPECT_EQ(2, a.out_participants);
	EXPECT_EQ(1, a.out_children);

	close(child);
	close(fd);
	EXPECT_TRUE(EVENTUALLY(!ask_account(self->account, &a) &&
			       !a.out_children));
	EXPECT_EQ(1, a.out_participants);
}

static const char * const good_names[] = {
	"a", " ", "a/b", "..", "%s%n", "thirty-one bytes, as long as can",
	"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xc2\xa0",
};

static const char * const bad_names[] = {
	"", "\n", "a\tb", "\x7f", "\x01", "\x1b[31m",
	"\x80", "\xc3", "a\xc3", "\xc3(", "\xe2\x82", "\xf0\x9f\x98", "\xff",
	"\xfe", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xf0\x80\x80\x80",
	"\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
	"\xc2\x80", "\xc2\x9f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xae",
	"\xe2\x81\xa6", "\xe2\x80\x8f", "\xef\xbb\xbf",
};

TEST_F(program, names)
{
	struct memquota_ioctl_account_create create = {
		.size = sizeof(create),
		.parent_fd = -1,
	};
	struct memquota_ioctl_account a;
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(good_names); i++) {
		fd = create_account(self->device, TRACKER, good_names[i], -1);
		EXPECT_GE(fd, 0) {
			TH_LOG("name %zu: %d", i, fd);
		}
		EXPECT_EQ(0, ask_account(fd, &a));
		set_name(name, good_names[i]);
		EXPECT_STREQ(name, a.out_name);
		close(fd);
		fd = join(self->account, good_names[i], 0);
		EXPECT_GE(fd, 0);
		close(fd);
	}
	for (i = 0; i < ARRAY_SIZE(bad_names); i++) {
		EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER,
						  bad_names[i], -1)) {
			TH_LOG("name %zu", i);
		}
		EXPECT_EQ(-EINVAL, join(self->account, bad_names[i], 0));
		EXPECT_EQ(EINVAL, create_tracker(self->device, bad_names[i],
						 0, 0, 0));
		EXPECT_EQ(EINVAL, destroy_tracker(self->device, bad_names[i]));
	}
	EXPECT_EQ(EINVAL, create_tracker(self->device, "a/b", 0, 0, 0));
	EXPECT_EQ(EINVAL, create_tracker(self->device, ".", 0, 0, 0));
	EXPECT_EQ(EINVAL, create_tracker(self->device, "..", 0, 0, 0));

	/* Without an end; and what is behind the end does not matter. */
	set_name(create.tracker, TRACKER);
	memset(create.name, 'x', sizeof(create.name));
	EXPECT_EQ(EINVAL, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_CREATE,
			       &create));
	memset(create.name, 0xff, sizeof(create.name));
	memcpy(create.name, "a", 2);
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create));
	EXPECT_EQ(0, ask_account(create.out_fd, &a));
	memset(name, 0, sizeof(name));
	name[0] = 'a';
	EXPECT_EQ(0, memcmp(name, a.out_name, sizeof(name)));
	close(create.out_fd);
}

TEST_F(program, t2_reasons)
{
	static const struct {
		uint64_t max, high, low_water;
	} wrong[] = {
		{ 1 * MIB, 2 * MIB, 0 },
		{ 0, 0, 1 * MIB },
		{ 0, 10 * MIB, 10 * MIB },
		{ 0, 10 * MIB, 1 },
		{ 0, 4096, 0 },
	};
	struct memquota_ioctl_tracker_config config = {
		.size = sizeof(config),
		.high = 20 * MIB,
	};
	struct memquota_ioctl_tracker t;
	size_t i;

	set_name(config.name, TRACKER);
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
			  &config));
	EXPECT_STREQ("", config.out_reason);
	for (i = 0; i < 2 * ARRAY_SIZE(wrong); i++) {
		config.max = wrong[i / 2].max;
		config.high = wrong[i / 2].high;
		config.low_water = wrong[i / 2].low_water;
		config.flags = i & 1 ? MEMQUOTA_CONFIGURE_CHECK_ONLY : 0;
		memset(config.out_reason, 'x', sizeof(config.out_reason));
		EXPECT_EQ(EINVAL, call(self->device,
				       MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
				       &config));
		EXPECT_LT(5, strnlen(config.out_reason, 64));
		EXPECT_GT(64, strnlen(config.out_reason, 64));
		EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
		EXPECT_EQ(20 * MIB, t.out_high);

		set_name(config.name, "another");
		config.flags = 0;
		memset(config.out_reason, 'x', sizeof(config.out_reason));
		EXPECT_EQ(EINVAL, call(self->device,
				       MEMQUOTA_IOCTL_TRACKER_CREATE, &config));
		EXPECT_LT(5, strnlen(config.out_reason, 64));
		EXPECT_EQ(ENOENT, ask_tracker(self->device, "another", &t));
		set_name(config.name, TRACKER);
	}

	config.max = 0;
	config.high = 30 * MIB;
	config.low_water = 10 * MIB;
	config.flags = MEMQUOTA_CONFIGURE_CHECK_ONLY;
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
			  &config));
	EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(20 * MIB, t.out_high);
	config.flags = 0;
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
			  &config));
	EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(30 * MIB, t.out_high);
	EXPECT_EQ(10 * MIB, t.out_low_water);
	EXPECT_EQ(0, configure_tests(self->device, MEMQUOTA_IOCTL_UNLIMITED,
				     MEMQUOTA_IOCTL_UNLIMITED, 0));
}

TEST_F(program, trackers)
{
	struct memquota_ioctl_tracker_list list = { .size = sizeof(list) };
	struct memquota_ioctl_tracker t;
	bool seen_default = false, seen_a = false, seen_c = false;
	uint64_t last = 0;

	ASSERT_EQ(0, create_tracker(self->device, "a", 0, 0, 0));
	ASSERT_EQ(0, create_tracker(self->device, "b", 0, 0, 0));
	ASSERT_EQ(0, create_tracker(self->device, "c", 0, 0, 0));
	EXPECT_EQ(EEXIST, create_tracker(self->device, "b", 0, 0, 0));
	EXPECT_EQ(0, ask_tracker(self->device, "b", &t));
	EXPECT_EQ(MEMQUOTA_TRACKER_PROGRAMS, t.out_flags);

	while (!call(self->device, MEMQUOTA_IOCTL_TRACKER_LIST, &list)) {
		ASSERT_GT(list.out_id, last);
		last = list.out_id;
		list.after_id = last;
		seen_default |= !strcmp(list.out_name, DEFAULT);
		seen_c |= !strcmp(list.out_name, "c");
		/* The one that the cursor stands on goes. */
		if (!strcmp(list.out_name, "a")) {
			seen_a = true;
			EXPECT_EQ(0, destroy_tracker(self->device, "a"));
		}
	}
	EXPECT_TRUE(seen_default);
	EXPECT_TRUE(seen_a);
	EXPECT_TRUE(seen_c);
	list.after_id = UINT64_MAX;
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_TRACKER_LIST,
			       &list));

	EXPECT_EQ(0, destroy_tracker(self->device, "b"));
	EXPECT_EQ(0, destroy_tracker(self->device, "c"));
	EXPECT_EQ(ENOENT, destroy_tracker(self->device, "c"));
	EXPECT_EQ(ENOENT, ask_tracker(self->device, "c", &t));
	EXPECT_EQ(EBUSY, destroy_tracker(self->device, DEFAULT));
	EXPECT_EQ(ENOENT, configure(self->device,
				    MEMQUOTA_IOCTL_TRACKER_CONFIGURE, "c", 0,
				    0, 0, 0));
}

/* Everything that was there when the tracker went says so. */
TEST_F(program, t7_destroyed)
{
	struct memquota_ioctl_account_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = eventfd(0, 0),
	};
	struct pollfd pfd = { .fd = -1, .events = POLLIN };
	struct memquota_reclaim_request request;
	int account, fd;

	ASSERT_EQ(0, create_tracker(self->device, "short", 0, 0, 0));
	account = create_account(self->device, "short", "a", -1);
	ASSERT_GE(account, 0);
	fd = join(account, "p", 0);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, charge(fd, MIB));
	EXPECT_EQ(0, destroy_tracker(self->device, "short"));

	EXPECT_TRUE(closed(account));
	EXPECT_EQ(0, held(account));
	EXPECT_EQ(ESHUTDOWN, charge(fd, MIB));
	EXPECT_EQ(ESHUTDOWN, charge_wait(fd, MIB, 1));
	EXPECT_EQ(ESHUTDOWN, set_max(account, 1));
	EXPECT_EQ(-ESHUTDOWN, join(account, "q", 0));
	EXPECT_EQ(ESHUTDOWN, add_parent(account, account));
	EXPECT_EQ(ESHUTDOWN, call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
				  &threshold));
	EXPECT_EQ(0, uncharge(fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	pfd.fd = fd;
	EXPECT_EQ(1, poll(&pfd, 1, 2000));
	EXPECT_EQ(POLLIN | POLLHUP, pfd.revents);
	EXPECT_EQ(0, read(fd, &request, sizeof(request)));
	close(threshold.event_fd);
	close(fd);
	close(account);
}

TEST_F(program, t4_disabled)
{
	struct memquota_ioctl_account_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = eventfd(0, 0),
	};
	struct memquota_ioctl_account a;
	struct memquota_ioctl_tracker t;
	int account, child, fd;

	ASSERT_EQ(0, configure(self->device, MEMQUOTA_IOCTL_TRACKER_CREATE,
			       "off", MEMQUOTA_TRACKER_DISABLED |
			       MEMQUOTA_TRACKER_PROGRAMS, 0, 0, 0));
	EXPECT_EQ(0, ask_tracker(self->device, "off", &t));
	EXPECT_EQ(MEMQUOTA_STATE_DISABLED, t.out_state);
	EXPECT_EQ(EOPNOTSUPP, configure(self->device,
					MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
					"off", 0, 0, 0, 0));
	account = create_account(self->device, "off", "a", -1);
	ASSERT_GE(account, 0);
	child = create_account(self->device, "off", "b", account);
	ASSERT_GE(child, 0);
	fd = join(account, "p", MEMQUOTA_JOIN_COLLAPSING);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, ask_account(account, &a));
	EXPECT_EQ(0, a.out_id);
	EXPECT_STREQ("", a.out_name);
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, a.out_held);
	EXPECT_EQ(0, set_max(account, 1));
	EXPECT_EQ(0, add_parent(account, child));
	EXPECT_EQ(0, charge(fd, MIB));
	EXPECT_EQ(0, charge_wait(fd, MIB, 1));
	EXPECT_EQ(0, uncharge(fd, 2 * MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	EXPECT_EQ(0, set_oldest(fd, 1));
	EXPECT_EQ(EOPNOTSUPP, call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
				   &threshold));
	EXPECT_EQ(-EOPNOTSUPP, open_account(self->device, "off", 1));
	/* A4: no parent for one that counts. */
	EXPECT_EQ(EINVAL, add_parent(self->account, account));
	EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER, "c", account));
	close(threshold.event_fd);
	close(fd);
	close(child);
	close(account);
	EXPECT_EQ(0, destroy_tracker(self->device, "off"));
}

TEST_F(program, u1_only_trackers_for_programs)
{
	struct memquota_ioctl_tracker t;

	EXPECT_EQ(-EACCES, create_account(self->device, DEFAULT, "a", -1));
	EXPECT_EQ(-EACCES, open_account(self->device, DEFAULT, 1));
	EXPECT_EQ(-ENOENT, create_account(self->device, "none", "a", -1));
	EXPECT_EQ(-ENOENT, open_account(self->device, "none", 1));
	EXPECT_EQ(0, ask_tracker(self->device, DEFAULT, &t));
	EXPECT_EQ(0, t.out_flags & MEMQUOTA_TRACKER_PROGRAMS);
	ASSERT_EQ(0, configure(self->device, MEMQUOTA_IOCTL_TRACKER_CREATE,
			       "modules", 0, 0, 0, 0));
	EXPECT_EQ(-EACCES, create_account(self->device, "modules", "a", -1));
	EXPECT_EQ(0, destroy_tracker(self->device, "modules"));
}

TEST_F(program, a2_last_close)
{
	uint64_t before = accounts(self->device);
	int account, again, fd;

	account = create_account(self->device, TRACKER, "a", -1);
	ASSERT_GE(account, 0);
	EXPECT_EQ(before + 1, accounts(self->device));
	fd = join(account, "p", 0);
	ASSERT_GE(fd, 0);
	again = dup(account);
	close(account);
	EXPECT_EQ(before + 1, accounts(self->device));
	EXPECT_EQ(0, charge(fd, MIB));
	/* A participant does not keep its account open. */
	close(again);
	EXPECT_EQ(before, accounts(self->device));
	EXPECT_EQ(ESTALE, charge(fd, MIB));
	EXPECT_EQ(0, uncharge(fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	close(fd);
}

/* With its last descriptor a participant gives back what it holds. */
TEST_F(program, p8_last_close)
{
	struct memquota_ioctl_account a;
	int fd = join(self->account, "p", 0), again;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, charge(fd, 3 * MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	again = dup(fd);
	close(fd);
	EXPECT_GE(held(self->account), 4 * MIB);
	EXPECT_EQ(0, uncharge(again, MIB));
	close(again);
	EXPECT_EQ(0, ask_account(self->account, &a));
	EXPECT_EQ(1, a.out_participants);
	EXPECT_GE(a.out_held, MIB);
	EXPECT_LT(a.out_held, 2 * MIB);
	EXPECT_EQ(0, uncharge(self->fd, MIB));
}

TEST_F(program, a3_weak_handles)
{
	uint64_t id = id_of(self->account), last = 0;
	int again, account, i;

	again = open_account(self->device, TRACKER, id);
	ASSERT_GE(again, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(again, F_GETFD));
	EXPECT_EQ(id, id_of(again));
	close(self->account);
	EXPECT_EQ(0, charge(self->fd, 1));
	self->account = again;

	for (i = 0; i < 100; i++) {
		account = create_account(self->device, TRACKER, "a", -1);
		ASSERT_GE(account, 0);
		ASSERT_GT(id_of(account), last);
		last = id_of(account);
		close(account);
		ASSERT_EQ(-ESTALE, open_account(self->device, TRACKER, last));
	}
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, 0));
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, UINT64_MAX));
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, last + 1));
}

TEST_F(program, a4_parents)
{
	int a, b, c, other, event = eventfd(0, 0);

	a = create_account(self->device, TRACKER, "a", -1);
	b = create_account(self->device, TRACKER, "b", a);
	c = create_account(self->device, TRACKER, "c", b);
	ASSERT_GE(a, 0);
	ASSERT_GE(b, 0);
	ASSERT_GE(c, 0);
	EXPECT_EQ(EEXIST, add_parent(b, a));
	EXPECT_EQ(ELOOP, add_parent(a, a));
	EXPECT_EQ(ELOOP, add_parent(a, c));
	EXPECT_EQ(0, add_parent(c, a));
	EXPECT_EQ(EEXIST, add_parent(c, a));

	ASSERT_EQ(0, create_tracker(self->device, "other", 0, 0, 0));
	other = create_account(self->device, "other", "a", -1);
	ASSERT_GE(other, 0);
	EXPECT_EQ(EXDEV, add_parent(a, other));
	EXPECT_EQ(-EXDEV, create_account(self->device, TRACKER, "d", other));
	EXPECT_EQ(0, destroy_tracker(self->device, "other"));
	close(other);

	/* Descriptors that are none, or of something else. */
	EXPECT_EQ(EBADF, add_parent(a, -1));
	EXPECT_EQ(EBADF, add_parent(a, INT_MIN));
	EXPECT_EQ(EBADF, add_parent(a, 100000));
	EXPECT_EQ(EINVAL, add_parent(a, self->device));
	EXPECT_EQ(EINVAL, add_parent(a, self->fd));
	EXPECT_EQ(EINVAL, add_parent(a, event));
	EXPECT_EQ(-EBADF, create_account(self->device, TRACKER, "d", -2));
	EXPECT_EQ(-EBADF, create_account(self->device, TRACKER, "d", 100000));
	EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER, "d", event));
	EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER, "d", self->fd));
	close(event);
	close(c);
	close(b);
	close(a);
}

/* An account that is reclaimed is a closed one that there is a handle of. */
static int closed_account(int device, int *participant)
{
	struct memquota_reclaim_request request;
	int account, fd;

	account = create_account(device, TRACKER, "victim", -1);
	fd = join(account, "victim", MEMQUOTA_JOIN_COLLAPSING);
	if (charge(fd, 12 * MIB) || configure_tests(device, 0, 10 * MIB, 0) ||
	    !get_request(fd, 2000, &request) || !EVENTUALLY(closed(account)) ||
	    answer(fd, request.id, 12 * MIB, 0) ||
	    configure_tests(device, 0, 0, 0))
		return -1;
	*participant = fd;
	return account;
}

TEST_F(program, a8_closed)
{
	struct memquota_ioctl_account_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = eventfd(0, 0),
	};
	struct memquota_ioctl_account a;
	int account, fd;

	account = closed_account(self->device, &fd);
	ASSERT_GE(account, 0);
	EXPECT_EQ(ESTALE, charge(fd, MIB));
	EXPECT_EQ(ESTALE, charge_wait(fd, MIB, 1));
	EXPECT_EQ(-ESTALE, join(account, "p", 0));
	EXPECT_EQ(ESTALE, set_max(account, 1));
	EXPECT_EQ(ESTALE, add_parent(account, self->account));
	EXPECT_EQ(ESTALE, add_parent(self->account, account));
	EXPECT_EQ(-ESTALE, create_account(self->device, TRACKER, "b", account));
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, id_of(account)));
	EXPECT_EQ(ESTALE, call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
			       &threshold));
	EXPECT_EQ(0, ask_account(account, &a));
	EXPECT_EQ(1, a.out_closed);
	EXPECT_EQ(0, a.out_held);
	EXPECT_EQ(0, a.out_participants);
	EXPECT_EQ(1, a.out_reclaims);
	close(threshold.event_fd);
	close(fd);
	close(account);
}

/* The cursor is an id: what comes and goes does not disturb it. */
TEST_F(program, list_of_accounts)
{
	struct memquota_ioctl_account_list list = { .size = sizeof(list) };
	uint64_t last = 0, ids[60];
	int fds[60], i, seen = 0, extra;

	for (i = 0; i < 60; i++) {
		fds[i] = create_account(self->device, TRACKER, "listed", -1);
		ASSERT_GE(fds[i], 0);
		ids[i] = id_of(fds[i]);
	}
	set_name(list.tracker, TRACKER);
	while (!call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST, &list)) {
		ASSERT_GT(list.out_id, last);
		last = list.out_id;
		list.after_id = last;
		for (i = 0; i < 60; i++)
			if (ids[i] == last) {
				EXPECT_STREQ("listed", list.out_name);
				EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED,
					  list.out_max);
				seen++;
				/* This one, and one before it. */
				if (i < 30) {
					close(fds[i]);
					fds[i] = -1;
				}
				break;
			}
		extra = create_account(self->device, TRACKER, "extra", -1);
		if (seen < 60)
			close(extra);
		else
			close(fds[59]);
		if (seen >= 60)
			close(extra);
	}
	EXPECT_EQ(60, seen);
	for (i = 30; i < 59; i++)
		close(fds[i]);
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			       &list));
	list.after_id = UINT64_MAX;
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			       &list));
	list.after_id = 0;
	set_name(list.tracker, "none");
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			       &list));
}

static void list_parents(int device, uint64_t id,
			 struct memquota_ioctl_account_list *list)
{
	memset(list, 0xff, sizeof(*list));
	list->size = sizeof(*list);
	list->flags = 0;
	list->__reserved = 0;
	list->after_id = id - 1;
	memset(list->tracker, 0, sizeof(list->tracker));
	set_name(list->tracker, TRACKER);
	if (call(device, MEMQUOTA_IOCTL_ACCOUNT_LIST, list) ||
	    list->out_id != id)
		list->out_nr_parents = UINT32_MAX;
}

/* Oldest first, whatever the order in which they were added; A5: open ones. */
TEST_F(program, a4_list_of_parents)
{
	struct memquota_ioctl_account_list list;
	uint64_t ids[10], id;
	int fds[10], fd, i;

	fd = create_account(self->device, TRACKER, "child", -1);
	ASSERT_GE(fd, 0);
	id = id_of(fd);
	list_parents(self->device, id, &list);
	EXPECT_EQ(0, list.out_nr_parents);
	EXPECT_EQ(0, list.out_parents[0]);

	for (i = 0; i < 10; i++) {
		fds[i] = create_account(self->device, TRACKER, "parent", -1);
		ASSERT_GE(fds[i], 0);
		ids[i] = id_of(fds[i]);
	}
	/* 3, 6, 9, 2, 5, 8, 1, 4, 7, 0 */
	for (i = 1; i < 8; i++)
		EXPECT_EQ(0, add_parent(fd, fds[i * 3 % 10]));
	list_parents(self->device, id, &list);
	EXPECT_EQ(7, list.out_nr_parents);
	EXPECT_EQ(ids[1], list.out_parents[0]);
	EXPECT_EQ(ids[2], list.out_parents[1]);
	EXPECT_EQ(ids[9], list.out_parents[6]);
	EXPECT_EQ(0, list.out_parents[7]);
	for (; i <= 10; i++)
		EXPECT_EQ(0, add_parent(fd, fds[i * 3 % 10]));
	list_parents(self->device, id, &list);
	EXPECT_EQ(10, list.out_nr_parents);
	for (i = 0; i < MEMQUOTA_IOCTL_PARENTS; i++)
		EXPECT_EQ(ids[i], list.out_parents[i]);

	close(fds[0]);
	close(fds[4]);
	list_parents(self->device, id, &list);
	EXPECT_EQ(8, list.out_nr_parents);
	EXPECT_EQ(ids[1], list.out_parents[0]);
	EXPECT_EQ(ids[5], list.out_parents[3]);
	EXPECT_EQ(ids[9], list.out_parents[7]);
	for (i = 0; i < 10; i++)
		if (i != 0 && i != 4)
			close(fds[i]);
	list_parents(self->device, id, &list);
	EXPECT_EQ(0, list.out_nr_parents);
	close(fd);
}

TEST_F(program, t9_max)
{
	struct memquota_ioctl_account a;

	EXPECT_EQ(0, set_max(self->account, MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	EXPECT_EQ(EDQUOT, charge(self->fd, 1));
	EXPECT_EQ(EDQUOT, charge(self->fd, MIB));
	EXPECT_EQ(EDQUOT, charge_wait(self->fd, MIB + 1,
				      MEMQUOTA_IOCTL_FOREVER));
	EXPECT_EQ(0, ask_account(self->account, &a));
	EXPECT_EQ(MIB, a.out_max);
	EXPECT_EQ(3, a.out_refused);
	EXPECT_EQ(0, uncharge(self->fd, 1));
	EXPECT_EQ(0, charge(self->fd, 1));
	EXPECT_EQ(EDQUOT, charge(self->fd, 1));
	/* What a refused charge was counted for is not. */
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	EXPECT_EQ(0, set_max(self->account, 0));
	EXPECT_EQ(EDQUOT, charge(self->fd, 65536));
	EXPECT_EQ(0, charge(self->fd, 0));
	EXPECT_EQ(0, set_max(self->account, MEMQUOTA_IOCTL_UNLIMITED));

	EXPECT_EQ(0, configure_tests(self->device, 10 * MIB, 10 * MIB, 0));
	EXPECT_EQ(EDQUOT, charge(self->fd, 10 * MIB + 1));
	EXPECT_EQ(EDQUOT, charge_wait(self->fd, 10 * MIB + 1,
				      MEMQUOTA_IOCTL_FOREVER));
	EXPECT_EQ(0, charge(self->fd, 10 * MIB));
	EXPECT_EQ(0, uncharge(self->fd, 10 * MIB));
}

TEST_F(program, t8_overflow)
{
	static const uint64_t too_much[] = {
		1ULL << 44, 1ULL << 62, 1ULL << 63, UINT64_MAX,
		UINT64_MAX - 16384,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(too_much); i++) {
		EXPECT_EQ(EOVERFLOW, charge(self->fd, too_much[i]));
		EXPECT_EQ(EOVERFLOW, charge_wait(self->fd, too_much[i], 1));
		EXPECT_EQ(EINVAL, uncharge(self->fd, too_much[i]));
	}
	EXPECT_EQ(0, charge(self->fd, MIB));
	for (i = 0; i < ARRAY_SIZE(too_much); i++) {
		EXPECT_EQ(EOVERFLOW, charge(self->fd, too_much[i] - MIB));
		EXPECT_EQ(EINVAL, uncharge(self->fd, too_much[i]));
	}
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

TEST_F(program, u3_exact)
{
	struct memquota_ioctl_charge c = {
		.size = sizeof(c),
		.bytes = 1,
		.timeout_ns = 1,
	};
	int again = dup(self->fd);

	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	EXPECT_EQ(0, uncharge(self->fd, 0));
	EXPECT_EQ(0, charge(self->fd, 1000));
	EXPECT_EQ(EINVAL, uncharge(again, 1001));
	EXPECT_EQ(0, charge(again, 1));
	EXPECT_EQ(0, uncharge(again, 1001));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	/* A time to wait without waiting. */
	EXPECT_EQ(EINVAL, call(self->fd, MEMQUOTA_IOCTL_CHARGE, &c));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	close(again);
}

struct racer {
	int fd;
	int64_t balance;	/* bytes charged and not uncharged */
	unsigned int seed;
	bool wrong;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	uint64_t bytes;
	int i, err;

	for (i = 0; i < 20000; i++) {
		bytes = rand_r(&r->seed) % 40000;
		if (rand_r(&r->seed) & 1) {
			err = charge(r->fd, bytes);
			if (!err)
				r->balance += bytes;
			else if (err != EDQUOT)
				r->wrong = true;
		} else {
			err = uncharge(r->fd, bytes);
			if (!err)
				r->balance -= bytes;
			else if (err != EINVAL)
				r->wrong = true;
		}
	}
	return NULL;
}

/* However threads of one descriptor race, nobody uncharges what is not there. */
TEST_F(program, u3_threads)
{
	struct racer racers[4];
	pthread_t threads[4];
	int64_t balance = 0;
	int i;

	EXPECT_EQ(0, set_max(self->account, MIB));
	for (i = 0; i < 4; i++) {
		racers[i] = (struct racer) { .fd = self->fd, .seed = i + 1 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race, &racers[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_FALSE(racers[i].wrong);
		balance += racers[i].balance;
	}
	ASSERT_GE(balance, 0);
	EXPECT_LE(balance, MIB);
	EXPECT_GE(held(self->account), balance);
	EXPECT_EQ(0, uncharge(self->fd, balance));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

TEST_F(program, u4_oldest)
{
	uint64_t now = now_ns();

	EXPECT_EQ(EINVAL, set_oldest(self->fd, now + 1000000000));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, UINT64_MAX - 1));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, 1ULL << 63));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, INT64_MAX));
	EXPECT_EQ(0, charge(self->fd, MIB));
	EXPECT_EQ(0, set_oldest(self->fd, now - 1000000));
	EXPECT_EQ(0, set_oldest(self->fd, now - 1000000));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, now - 1000001));
	EXPECT_EQ(0, set_oldest(self->fd, now));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, now - 1));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, 0));
	/* No data: whatever comes next is the oldest. */
	EXPECT_EQ(0, set_oldest(self->fd, MEMQUOTA_IOCTL_NO_DATA));
	EXPECT_EQ(0, set_oldest(self->fd, MEMQUOTA_IOCTL_NO_DATA));
	EXPECT_EQ(0, set_oldest(self->fd, now - 1000000));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, now - 2000000));
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(0, set_oldest(self->fd, now - 2000000));
	EXPECT_EQ(0, set_oldest(self->fd, 0));
}

/* Moments are those of the caller's clock, which a namespace can shift. */
TEST_F(program, u4_time_namespace)
{
	static const char offset[] = "monotonic 100000 0";
	struct memquota_reclaim_request request;
	int account, other, control, status;
	uint64_t moment;
	pid_t pid;

	account = create_account(self->device, TRACKER, "other", -1);
	ASSERT_GE(account, 0);
	other = join(account, "other", 0);
	ASSERT_GE(other, 0);
	EXPECT_EQ(0, charge(other, 9 * MIB));
	EXPECT_EQ(0, set_oldest(other, now_ns()));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (unshare(CLONE_NEWTIME))
			_exit(KSFT_SKIP);
		control = open("/proc/self/timens_offsets", O_WRONLY);
		REQUIRE(write(control, offset, strlen(offset)) > 0);
		pid = fork();
		REQUIRE(pid >= 0);
		if (pid)
			_exit(!ended_well(pid));
		REQUIRE(now_ns() > 100000000000000ULL);
		REQUIRE(!set_oldest(self->fd, now_ns()));
		REQUIRE(set_oldest(self->fd, now_ns() + 1000000000) == EINVAL);
		moment = now_ns() - 1000000000;
		REQUIRE(!set_oldest(self->fd, MEMQUOTA_IOCTL_NO_DATA));
		REQUIRE(!set_oldest(self->fd, moment));
		REQUIRE(!configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
		REQUIRE(!charge(self->fd, 12 * MIB));
		/* Up to where the data of the other begins. */
		REQUIRE(get_request(self->fd, 2000, &request));
		REQUIRE(request.until_ns > moment &&
			request.until_ns <= now_ns());
		REQUIRE(!answer(self->fd, request.id, 12 * MIB, 0));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	close(other);
	close(account);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		SKIP(return, "no time namespaces");
	EXPECT_EQ(0, status);
}

/* What has not come yet has not come by a clock that is behind, either. */
TEST_F(program, u4_time_namespace_behind)
{
	static const char offset[] = "monotonic -1 0";
	int control, status;
	uint64_t past;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (unshare(CLONE_NEWTIME))
			_exit(KSFT_SKIP);
		past = now_ns();
		control = open("/proc/self/timens_offsets", O_WRONLY);
		REQUIRE(write(control, offset, strlen(offset)) > 0);
		pid = fork();
		REQUIRE(pid >= 0);
		if (pid)
			_exit(!ended_well(pid));
		REQUIRE(now_ns() < past);
		REQUIRE(set_oldest(self->fd, INT64_MAX) == EINVAL);
		REQUIRE(set_oldest(self->fd, past) == EINVAL);
		REQUIRE(!set_oldest(self->fd, now_ns()));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		SKIP(return, "no time namespaces");
	EXPECT_EQ(0, status);
}

static void *give_later(void *arg)
{
	sleep_ms(300);
	uncharge(*(int *)arg, MIB);
	return NULL;
}

TEST_F(program, t10_wait)
{
	uint64_t before;
	pthread_t thread;
	int other, status;
	pid_t pid;

	EXPECT_EQ(0, set_max(self->account, 2 * MIB));
	EXPECT_EQ(0, charge_wait(self->fd, 2 * MIB, 0));
	before = now_ns();
	EXPECT_EQ(ETIME, charge_wait(self->fd, MIB, 200000000));
	EXPECT_GE(now_ns() - before, 190000000);
	EXPECT_LT(now_ns() - before, 20000000000ULL);
	EXPECT_EQ(ETIME, charge_wait(self->fd, MIB, 0));

	other = dup(self->fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, give_later, &other));
	EXPECT_EQ(0, charge_wait(self->fd, MIB, MEMQUOTA_IOCTL_FOREVER));
	pthread_join(thread, NULL);
	close(other);

	/* Killed while it waits. */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(charge_wait(self->fd, MIB, MEMQUOTA_IOCTL_FOREVER));
	sleep_ms(200);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(0, uncharge(self->fd, 2 * MIB));
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	EXPECT_EQ(0, uncharge(self->fd, 2 * MIB));
}

/* A partial participant: asked, it frees, answers, and goes on. */
TEST_F(program, r6_partial)
{
	struct memquota_reclaim_request request;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	struct memquota_ioctl_tracker t;
	char page[4096], small[16];
	void *volatile nowhere = (void *)8;

	EXPECT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->fd, &request, sizeof(request)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(ENOENT, answer(self->fd, 0, 0, 0));
	EXPECT_EQ(ENOENT, answer(self->fd, 1, 0, 0));

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_EQ(1, poll(&pfd, 1, 2000));
	EXPECT_EQ(POLLIN, pfd.revents);
	EXPECT_EQ(-1, read(self->fd, small, sizeof(small)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->fd, nowhere, sizeof(request)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	ASSERT_EQ(sizeof(request), read(self->fd, page, sizeof(page)));
	memcpy(&request, page, sizeof(request));
	EXPECT_NE(0, request.id);
	EXPECT_GE(request.want_bytes, 6 * MIB);
	EXPECT_LE(request.want_bytes, 7 * MIB);
	/* Nobody else has older data. */
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, request.until_ns);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, read(self->fd, &request, sizeof(request)));
	EXPECT_EQ(EAGAIN, errno);

	EXPECT_EQ(ENOENT, answer(self->fd, request.id + 1, MIB, 0));
	EXPECT_EQ(EINVAL, answer(self->fd, request.id, 22 * MIB, 0));
	EXPECT_EQ(EINVAL, answer(self->fd, request.id, UINT64_MAX, 0));
	EXPECT_EQ(0, uncharge(self->fd, 3 * MIB));
	/* More than wanted, as some of it stays in caches. */
	EXPECT_EQ(0, answer(self->fd, request.id, request.want_bytes - 2 * MIB,
			    0));
	EXPECT_EQ(ENOENT, answer(self->fd, request.id, 0, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 300));
	EXPECT_FALSE(closed(self->account));
	EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
	EXPECT_LE(t.out_total, 15 * MIB + t.out_excess_max);
	EXPECT_EQ(0, uncharge(self->fd, 20 * MIB - request.want_bytes));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

/* One who gives up. */
TEST_F(program, r5_collapse)
{
	struct memquota_reclaim_request request;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_NE(0, get_request(self->fd, 2000, &request));
	EXPECT_EQ(0, answer(self->fd, request.id, 0, MEMQUOTA_ANSWER_COLLAPSE));
	EXPECT_TRUE(EVENTUALLY(closed(self->account)));
	EXPECT_EQ(1, poll(&pfd, 1, 2000));
	EXPECT_EQ(POLLIN | POLLHUP, pfd.revents);
	EXPECT_EQ(0, read(self->fd, &request, sizeof(request)));
	EXPECT_EQ(ESTALE, charge(self->fd, MIB));
	/* It holds what it has not freed yet. */
	EXPECT_EQ(0, uncharge(self->fd, 21 * MIB));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

/* One who does not answer, beside one who does and is not kept waiting. */
TEST_F(program, u5_late)
{
	struct memquota_reclaim_request request, late;
	int account, fd;

	ASSERT_TRUE(set_parameter("give_up_ms", "1500"));
	account = create_account(self->device, TRACKER, "good", -1);
	ASSERT_GE(account, 0);
	fd = join(account, "good", 0);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, set_oldest(self->fd, now_ns() - 2000000));
	EXPECT_EQ(0, set_oldest(fd, now_ns() - 1000000));
	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 12 * MIB));
	EXPECT_EQ(0, charge(fd, 12 * MIB));

	ASSERT_NE(0, get_request(self->fd, 2000, &late));
	/* It may have data from up to when the other's begins. */
	EXPECT_NE(MEMQUOTA_IOCTL_UNLIMITED, late.until_ns);
	ASSERT_NE(0, get_request(fd, 1000, &request));
	EXPECT_FALSE(closed(self->account));
	EXPECT_EQ(0, answer(fd, request.id, 2 * MIB, 0));
	EXPECT_TRUE(EVENTUALLY(closed(self->account)));
	EXPECT_FALSE(closed(account));
	EXPECT_EQ(ESTALE, charge(self->fd, MIB));
	/* A worker takes the request away after that. */
	EXPECT_TRUE(EVENTUALLY(answer(self->fd, late.id, 0, 0) == ENOENT));
	EXPECT_EQ(0, uncharge(self->fd, 12 * MIB));
	close(fd);
	close(account);
}

static void *read_later(void *arg)
{
	struct memquota_reclaim_request request;
	static ssize_t len;

	len = read(*(int *)arg, &request, sizeof(request));
	return &len;
}

/* Whoever waits in read() learns of a request, and of the end. */
TEST_F(program, read_waits)
{
	struct memquota_reclaim_request request;
	pthread_t thread;
	ssize_t *len;
	int status;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_later, &self->fd));
	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_EQ(0, pthread_join(thread, (void **)&len));
	EXPECT_EQ(sizeof(request), *len);

	/* The request is still there to be answered; another read() waits. */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(read(self->fd, &request, sizeof(request)));
	sleep_ms(100);
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGTERM, WTERMSIG(status));

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_later, &self->fd));
	sleep_ms(100);
	close(self->account);
	ASSERT_EQ(0, pthread_join(thread, (void **)&len));
	EXPECT_EQ(0, *len);
	self->account = -1;
}

/* Somebody who dies has closed; what others have of it stays. */
static int exclusive_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return -1;
	return epoll;
}

static void *wait_for_event(void *arg)
{
	struct epoll_event event;

	return (void *)(long)epoll_wait(*(int *)arg, &event, 1, 20000);
}

/* Who waits exclusively for one is not woken for another of its account. */
TEST_F(program, exclusive_waiters)
{
	struct memquota_reclaim_request request;
	struct epoll_event event;
	int other, first[4], second, i;
	pthread_t threads[4];
	void *ret;

	other = join(self->account, "other", 0);
	ASSERT_GE(other, 0);
	/* More than can be woken by both being asked. */
	for (i = 0; i < 4; i++) {
		first[i] = exclusive_epoll(other);
		ASSERT_GE(first[i], 0);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, wait_for_event,
					    &first[i]));
	}
	second = exclusive_epoll(self->fd);
	ASSERT_GE(second, 0);
	sleep_ms(300);

	ASSERT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	EXPECT_EQ(1, epoll_wait(second, &event, 1, 3000));
	ASSERT_NE(0, get_request(self->fd, 3000, &request));
	EXPECT_EQ(0, answer(self->fd, request.id, 21 * MIB, 0));
	EXPECT_EQ(0, epoll_wait(second, &event, 1, 0));

	/* That the account is closed is for all. */
	close(self->account);
	self->account = -1;
	EXPECT_EQ(1, epoll_wait(second, &event, 1, 3000));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, pthread_join(threads[i], &ret));
		EXPECT_EQ(1, (long)ret);
		close(first[i]);
	}
	close(second);
	close(other);
}

TEST_F(program, u5_killed)
{
	struct memquota_ioctl_tracker t;
	uint64_t before = accounts(self->device);
	int sockets[2], status, account, fd;
	char c;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		account = create_account(self->device, TRACKER, "dying", -1);
		fd = join(account, "dying", 0);
		REQUIRE(account >= 0 && fd >= 0);
		REQUIRE(!charge(fd, 5 * MIB));
		REQUIRE(write(sockets[1], "", 1) == 1);
		pause();
	}
	ASSERT_EQ(1, read(sockets[0], &c, 1));
	EXPECT_EQ(before + 1, accounts(self->device));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(EVENTUALLY(accounts(self->device) == before));
	EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
	EXPECT_LE(t.out_total, t.out_excess_max);

	/* The same with its descriptors passed on: nothing closes. */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		account = create_account(self->device, TRACKER, "dying", -1);
		fd = join(account, "dying", 0);
		REQUIRE(account >= 0 && fd >= 0);
		REQUIRE(!charge(fd, 5 * MIB));
		send_fd(sockets[1], account);
		send_fd(sockets[1], fd);
		pause();
	}
	account = receive_fd(sockets[0]);
	fd = receive_fd(sockets[0]);
	ASSERT_GE(account, 0);
	ASSERT_GE(fd, 0);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	sleep_ms(100);
	EXPECT_EQ(before + 1, accounts(self->device));
	EXPECT_FALSE(closed(account));
	EXPECT_EQ(0, uncharge(fd, 5 * MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	close(fd);
	close(account);
	EXPECT_EQ(before, accounts(self->device));

	/* On their way in a socket that nobody reads. */
	account = create_account(self->device, TRACKER, "mail", -1);
	send_fd(sockets[0], account);
	close(account);
	EXPECT_EQ(before + 1, accounts(self->device));
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_TRUE(EVENTUALLY(accounts(self->device) == before));
}

/* Killed with a request unanswered: nobody has to wait until its time is over. */
TEST_F(program, u5_killed_while_asked)
{
	struct memquota_ioctl_tracker t;
	int status, account, fd, sockets[2];
	char c;
	pid_t pid;

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct memquota_reclaim_request request;

		account = create_account(self->device, TRACKER, "dying", -1);
		fd = join(account, "dying", 0);
		REQUIRE(!charge(fd, 21 * MIB));
		REQUIRE(get_request(fd, 2000, &request));
		REQUIRE(write(sockets[1], "", 1) == 1);
		pause();
	}
	ASSERT_EQ(1, read(sockets[0], &c, 1));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(EVENTUALLY(!ask_tracker(self->device, TRACKER, &t) &&
			       t.out_total <= t.out_excess_max));
	close(sockets[0]);
	close(sockets[1]);
}

/* The same, but others have the account: it is not closed for that. */
TEST_F(program, u5_participant_killed_while_asked)
{
	struct memquota_reclaim_request request;
	struct memquota_ioctl_tracker t;
	pid_t pid;

	ASSERT_TRUE(set_parameter("give_up_ms", "700"));
	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		int fd = join(self->account, "dying", 0);

		REQUIRE(!charge(fd, 21 * MIB));
		REQUIRE(get_request(fd, 2000, &request));
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	EXPECT_TRUE(EVENTUALLY(!ask_tracker(self->device, TRACKER, &t) &&
			       t.out_total <= t.out_excess_max));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_NE(0, get_request(self->fd, 600, &request));
	EXPECT_EQ(0, answer(self->fd, request.id, 21 * MIB, 0));
	sleep_ms(1500);
	EXPECT_FALSE(closed(self->account));
}

/* fork() gives another handle, exec() takes it away. */
TEST_F(program, fork_and_exec)
{
	uint64_t before = accounts(self->device);
	int account, fd, status, sockets[2];
	char c;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	account = create_account(self->device, TRACKER, "forked", -1);
	ASSERT_GE(account, 0);
	fd = join(account, "forked", 0);
	ASSERT_GE(fd, 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		REQUIRE(!charge(fd, MIB));
		REQUIRE(write(sockets[1], "", 1) == 1);
		REQUIRE(read(sockets[1], &c, 1) == 1);
		execl("/bin/busybox", "sleep", "100", NULL);
		_exit(1);
	}
	ASSERT_EQ(1, read(sockets[0], &c, 1));
	EXPECT_EQ(0, uncharge(fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	close(fd);
	close(account);
	EXPECT_EQ(before + 1, accounts(self->device));
	ASSERT_EQ(1, write(sockets[0], "", 1));
	EXPECT_TRUE(EVENTUALLY(accounts(self->device) == before));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(program, rights)
{
	struct memquota_ioctl_account_list list = { .size = sizeof(list) };
	struct memquota_ioctl_tracker_list trackers = {
		.size = sizeof(trackers),
	};
	struct memquota_ioctl_tracker_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = eventfd(0, 0),
	};
	struct memquota_ioctl_info info = { .size = sizeof(info) };
	struct memquota_ioctl_tracker t;
	uint64_t id = id_of(self->account);
	int own, again, sockets[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	set_name(list.tracker, TRACKER);
	set_name(threshold.name, TRACKER);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		REQUIRE(!call(self->device, MEMQUOTA_IOCTL_INFO, &info));
		REQUIRE(ask_tracker(self->device, TRACKER, &t) == EPERM);
		REQUIRE(ask_tracker(self->device, "none", &t) == EPERM);
		REQUIRE(create_tracker(self->device, "mine", 0, 0, 0) == EPERM);
		REQUIRE(configure_tests(self->device, 0, 0, 0) == EPERM);
		REQUIRE(destroy_tracker(self->device, TRACKER) == EPERM);
		REQUIRE(call(self->device, MEMQUOTA_IOCTL_TRACKER_LIST,
			     &trackers) == EPERM);
		REQUIRE(call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			     &list) == EPERM);
		REQUIRE(call(self->device, MEMQUOTA_IOCTL_TRACKER_THRESHOLD,
			     &threshold) == EPERM);
		REQUIRE(open_account(self->device, TRACKER, id) == -EPERM);
		REQUIRE(open_account(self->device, TRACKER, id + 1000) ==
			-ESTALE);
		REQUIRE(create_account(self->device, DEFAULT, "a", -1) ==
			-EACCES);
		/* What it has it can use, and what it made it can find. */
		REQUIRE(!charge(self->fd, 1) && !uncharge(self->fd, 1));
		own = create_account(self->device, TRACKER, "own", -1);
		REQUIRE(own >= 0);
		again = open_account(self->device, TRACKER, id_of(own));
		REQUIRE(again >= 0);
		send_fd(sockets[1], own);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	own = receive_fd(sockets[0]);
	ASSERT_GE(own, 0);
	id = id_of(own);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY_ELSE);
		REQUIRE(open_account(self->device, TRACKER, id) == -EPERM);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	again = open_account(self->device, TRACKER, id);
	EXPECT_GE(again, 0);
	close(again);
	close(own);
	close(threshold.event_fd);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(program, u2_objects)
{
	struct memquota_ioctl_account_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = eventfd(0, 0),
	};
	int account, fds[4], i, sockets[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_TRUE(set_parameter("user_objects", "4"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		for (i = 0; i < 2; i++) {
			account = create_account(self->device, TRACKER, "a", -1);
			REQUIRE(account >= 0);
			fds[0] = join(account, "p", 0);
			fds[1] = join(account, "p", 0);
			REQUIRE(fds[0] >= 0 && fds[1] >= 0);
			REQUIRE(!call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
				      &threshold));
			REQUIRE(call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
				     &threshold) == EDQUOT);
			REQUIRE(join(account, "p", 0) == -EDQUOT);
			REQUIRE(create_account(self->device, TRACKER, "a",
					       -1) == -EDQUOT);
			REQUIRE(open_account(self->device, TRACKER,
					     id_of(account)) == -EDQUOT);
			/* Another handle of the same is not another object. */
			REQUIRE(dup(account) >= 0);
			if (i)
				break;
			close(account);
			close(dup(account));
			close(fds[0]);
			close(fds[1]);
			close(threshold.out_fd);
			/* The duplicate is the lowest that is left. */
			closefrom(account);
		}
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));

	/* The creator pays, wherever the descriptor is. */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		for (i = 0; i < 4; i++)
			send_fd(sockets[1], create_account(self->device, TRACKER,
							   "a", -1));
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	for (i = 0; i < 4; i++) {
		fds[i] = receive_fd(sockets[0]);
		ASSERT_GE(fds[i], 0);
	}
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		REQUIRE(create_account(self->device, TRACKER, "a", -1) ==
			-EDQUOT);
		REQUIRE(join(fds[0], "p", 0) == -EDQUOT);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY_ELSE);
		REQUIRE(create_account(self->device, TRACKER, "a", -1) >= 0);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	/* Root is not limited. */
	for (i = 0; i < 4; i++) {
		close(fds[i]);
		fds[i] = join(self->account, "p", 0);
		EXPECT_GE(fds[i], 0);
	}
	for (i = 0; i < 4; i++)
		close(fds[i]);
	close(threshold.event_fd);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(program, u2_bytes)
{
	int account, a, b, sockets[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_TRUE(set_parameter("user_bytes", "1M"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		account = create_account(self->device, TRACKER, "a", -1);
		a = join(account, "a", 0);
		b = join(account, "b", 0);
		REQUIRE(account >= 0 && a >= 0 && b >= 0);
		/* To the byte, whatever is in the purse of the other. */
		REQUIRE(!charge(a, 1));
		REQUIRE(!charge(b, MIB - 1));
		REQUIRE(charge(b, 1) == EDQUOT);
		REQUIRE(charge(a, 1) == EDQUOT);
		REQUIRE(charge_wait(a, 1, MEMQUOTA_IOCTL_FOREVER) == EDQUOT);
		REQUIRE(!uncharge(a, 1));
		REQUIRE(charge(b, 2) == EDQUOT);
		REQUIRE(!charge(b, 1));
		REQUIRE(!uncharge(b, 100000));
		REQUIRE(!charge(a, 100000));
		REQUIRE(charge(a, 1) == EDQUOT);
		/* What a limit of the account's refuses is not held. */
		REQUIRE(!uncharge(a, 100000));
		REQUIRE(!set_max(account, MIB - 100000));
		REQUIRE(charge(a, 100000) == EDQUOT);
		REQUIRE(!set_max(account, MEMQUOTA_IOCTL_UNLIMITED));
		REQUIRE(!charge(a, 100000));
		/* What leaves with its participant does not count. */
		close(b);
		REQUIRE(charge(a, MIB - 100000 + 1) == EDQUOT);
		REQUIRE(!charge(a, MIB - 100000));
		REQUIRE(charge(a, 1) == EDQUOT);
		/* A closed account counts nothing for the tracker. */
		close(account);
		REQUIRE(!uncharge(a, MIB));
		account = create_account(self->device, TRACKER, "a", -1);
		fd = join(account, "a", 0);
		REQUIRE(!charge(fd, MIB));
		send_fd(sockets[1], account);
		send_fd(sockets[1], fd);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	account = receive_fd(sockets[0]);
	fd = receive_fd(sockets[0]);
	ASSERT_GE(fd, 0);
	/* The creator's limit, whoever charges. */
	EXPECT_EQ(EDQUOT, charge(fd, 1));
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY_ELSE);
		REQUIRE(charge(fd, 1) == EDQUOT);
		b = join(account, "b", 0);
		REQUIRE(b >= 0);
		REQUIRE(!charge(b, MIB));
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
	/* A lower limit holds at once, a higher one, too. */
	EXPECT_EQ(0, uncharge(fd, 100));
	EXPECT_TRUE(set_parameter("user_bytes", "64K"));
	EXPECT_EQ(EDQUOT, charge(fd, 1));
	EXPECT_TRUE(set_parameter("user_bytes", "2M"));
	EXPECT_EQ(0, charge(fd, MIB + 100));
	EXPECT_EQ(EDQUOT, charge(fd, 1));
	EXPECT_TRUE(set_parameter("user_bytes", "0"));
	EXPECT_EQ(EDQUOT, charge(fd, 1));
	EXPECT_EQ(0, charge(fd, 0));
	EXPECT_FALSE(set_parameter("user_bytes", "much"));
	close(fd);
	close(account);
	close(sockets[0]);
	close(sockets[1]);
}

/* Many participants of one user at their limit, all at once. */
TEST_F(program, u2_bytes_race)
{
	struct racer racers[4];
	pthread_t threads[4];
	int64_t balance = 0;
	int i, account;
	pid_t pid;

	ASSERT_TRUE(set_parameter("user_bytes", "500K"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		become(SOMEBODY);
		account = create_account(self->device, TRACKER, "a", -1);
		for (i = 0; i < 4; i++) {
			racers[i] = (struct racer) {
				.fd = join(account, "p", 0),
				.seed = i + 1,
			};
			REQUIRE(!pthread_create(&threads[i], NULL, race,
						&racers[i]));
		}
		for (i = 0; i < 4; i++) {
			pthread_join(threads[i], NULL);
			REQUIRE(!racers[i].wrong);
			REQUIRE(racers[i].balance >= 0);
			balance += racers[i].balance;
		}
		REQUIRE(balance <= 500 * 1024);
		/* All the rest, and not one byte more. */
		REQUIRE(charge(racers[0].fd, 500 * 1024 - balance + 1) ==
			EDQUOT);
		REQUIRE(!charge(racers[0].fd, 500 * 1024 - balance));
		REQUIRE(charge(racers[1].fd, 1) == EDQUOT);
		for (i = 0; i < 4; i++)
			REQUIRE(!uncharge(racers[i].fd, racers[i].balance));
		REQUIRE(uncharge(racers[1].fd, 1) == EINVAL);
		_exit(0);
	}
	EXPECT_TRUE(ended_well(pid));
}

static uint64_t signalled(int event)
{
	struct pollfd pfd = { .fd = event, .events = POLLIN };
	uint64_t count = 0;

	if (poll(&pfd, 1, 300) == 1 &&
	    read(event, &count, sizeof(count)) != sizeof(count))
		return UINT64_MAX;
	return count;
}

FIXTURE(threshold)
{
	int device;
	int account;
	int fd;
	int event;
};

FIXTURE_VARIANT(threshold)
{
	bool of_tracker;
};

FIXTURE_VARIANT_ADD(threshold, tracker)
{
	.of_tracker = true,
};

FIXTURE_VARIANT_ADD(threshold, account)
{
	.of_tracker = false,
};

FIXTURE_SETUP(threshold)
{
	self->device = open(NODE, O_RDWR | O_CLOEXEC);
	if (self->device < 0 && errno == ENOENT)
		SKIP(return, "memquota is not loaded");
	ASSERT_GE(self->device, 0);
	ASSERT_EQ(0, create_tests(self->device));
	self->account = create_account(self->device, TRACKER, "account", -1);
	ASSERT_GE(self->account, 0);
	self->fd = join(self->account, "participant", 0);
	ASSERT_GE(self->fd, 0);
	self->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(self->event, 0);
}

FIXTURE_TEARDOWN(threshold)
{
	close(self->event);
	close(self->fd);
	close(self->account);
	EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
	close(self->device);
}

static int set_threshold(int device, int account, bool of_tracker, int event,
			 uint64_t above, uint64_t rearm)
{
	struct memquota_ioctl_tracker_threshold t = {
		.size = sizeof(t),
		.event_fd = event,
		.above_bytes = above,
		.rearm_bytes = rearm,
	};
	struct memquota_ioctl_account_threshold a = {
		.size = sizeof(a),
		.event_fd = event,
		.above_bytes = above,
		.rearm_bytes = rearm,
	};
	int err;

	set_name(t.name, TRACKER);
	if (of_tracker) {
		err = call(device, MEMQUOTA_IOCTL_TRACKER_THRESHOLD, &t);
		return err ? -err : t.out_fd;
	}
	err = call(account, MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD, &a);
	return err ? -err : a.out_fd;
}

#define SET(above, rearm)						\
	set_threshold(self->device, self->account, variant->of_tracker,	\
		      self->event, (above), (rearm))

TEST_F(threshold, hysteresis)
{
	int threshold = SET(10 * MIB, 5 * MIB), i;

	ASSERT_GE(threshold, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(threshold, F_GETFD));
	EXPECT_EQ(0, charge(self->fd, 9 * MIB));
	EXPECT_EQ(0, signalled(self->event));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, charge(self->fd, 2 * MIB));
		EXPECT_EQ(1, signalled(self->event));
		/* Not armed before it was at or below 5 MiB. */
		EXPECT_EQ(0, uncharge(self->fd, 4 * MIB));
		EXPECT_EQ(0, charge(self->fd, 6 * MIB));
		EXPECT_EQ(0, signalled(self->event));
		EXPECT_EQ(0, uncharge(self->fd, 9 * MIB));
		sleep_ms(100);
		EXPECT_EQ(0, charge(self->fd, 5 * MIB));
		EXPECT_EQ(0, signalled(self->event));
	}
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	EXPECT_EQ(1, signalled(self->event));
	EXPECT_EQ(0, uncharge(self->fd, 11 * MIB));
	sleep_ms(100);
	close(threshold);
	EXPECT_EQ(0, charge(self->fd, 11 * MIB));
	EXPECT_EQ(0, signalled(self->event));
	EXPECT_EQ(0, uncharge(self->fd, 11 * MIB));
}

/* Marks of several, by small steps: each once. */
TEST_F(threshold, several)
{
	int thresholds[8], i;

	for (i = 0; i < 8; i++) {
		/* Not in order. */
		thresholds[i] = SET(((i * 3) % 8 + 1) * MIB, MIB / 2);
		ASSERT_GE(thresholds[i], 0);
	}
	for (i = 0; i < 10 * 256; i++)
		EXPECT_EQ(0, charge(self->fd, 4096));
	sleep_ms(200);
	EXPECT_EQ(8, signalled(self->event));
	for (i = 0; i < 10 * 256; i++)
		EXPECT_EQ(0, uncharge(self->fd, 4096));
	sleep_ms(200);
	EXPECT_EQ(0, signalled(self->event));
	EXPECT_EQ(0, charge(self->fd, 5 * MIB - MIB / 2));
	sleep_ms(200);
	EXPECT_EQ(4, signalled(self->event));
	for (i = 0; i < 8; i++)
		close(thresholds[i]);
}

/* One that is exceeded already is signalled at once. */
TEST_F(threshold, at_once)
{
	int threshold;

	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	threshold = SET(MIB, MIB);
	ASSERT_GE(threshold, 0);
	EXPECT_EQ(1, signalled(self->event));
	close(threshold);
}

TEST_F(threshold, wrong)
{
	struct memquota_ioctl_tracker_threshold t = {
		.size = sizeof(t),
		.event_fd = self->event,
	};
	int event = self->event, closed_fd = dup(event);
	static const int none[] = { -1, INT_MIN, INT_MAX, 100000 };
	size_t i;

	close(closed_fd);
	EXPECT_EQ(-EINVAL, SET(MIB, MIB + 1));
	EXPECT_EQ(-EINVAL, SET(0, 1));
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		self->event = none[i];
		EXPECT_EQ(-EBADF, SET(MIB, MIB));
	}
	self->event = closed_fd;
	EXPECT_EQ(-EBADF, SET(MIB, MIB));
	self->event = self->device;
	EXPECT_EQ(-EINVAL, SET(MIB, MIB));
	self->event = self->fd;
	EXPECT_EQ(-EINVAL, SET(MIB, MIB));
	self->event = event;
	set_name(t.name, "none");
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_TRACKER_THRESHOLD,
			       &t));
}

/* Marks that nothing reaches, and such that everything does. */
TEST_F(threshold, extremes)
{
	int a = SET(UINT64_MAX, UINT64_MAX), b = SET(UINT64_MAX, 0);
	int c = SET(1ULL << 63, 1ULL << 63), d = SET(0, 0);

	ASSERT_GE(a, 0);
	ASSERT_GE(b, 0);
	ASSERT_GE(c, 0);
	ASSERT_GE(d, 0);
	EXPECT_EQ(0, charge(self->fd, MIB));
	EXPECT_EQ(1, signalled(self->event));
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	close(a);
	close(b);
	close(c);
	close(d);
}

/* Whatever goes first: the eventfd, the account, the tracker, the threshold. */
TEST_F(threshold, ends)
{
	int threshold = SET(MIB, 0), again;

	ASSERT_GE(threshold, 0);
	close(self->event);
	self->event = -1;
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	again = dup(threshold);
	close(threshold);
	close(self->account);
	self->account = -1;
	EXPECT_TRUE(EVENTUALLY(!accounts(self->device)));
	EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
	close(again);
	EXPECT_EQ(0, create_tracker(self->device, TRACKER, 0, 0, 0));
}

/* Who crosses a mark as often as it can, and who sets marks. */
struct crossing {
	int device;
	int account;
	int event;
	bool stop;
};

static bool stopped(struct crossing *c)
{
	return __atomic_load_n(&c->stop, __ATOMIC_RELAXED);
}

static void *cross(void *arg)
{
	struct crossing *c = arg;
	int fd = join(c->account, "crosser", 0);

	while (!stopped(c)) {
		charge(fd, 2 * MIB);
		uncharge(fd, 2 * MIB);
	}
	close(fd);
	return NULL;
}

static void *set_marks(void *arg)
{
	struct crossing *c = arg;
	int thresholds[4] = { -1, -1, -1, -1 };
	unsigned int i;

	for (i = 0; !stopped(c); i++) {
		close(thresholds[i % 4]);
		thresholds[i % 4] = set_threshold(c->device, c->account, i & 1,
						  c->event, MIB, MIB / 2);
	}
	for (i = 0; i < 4; i++)
		close(thresholds[i]);
	return NULL;
}

static void start(struct __test_metadata *_metadata, struct crossing *c,
		  pthread_t *threads)
{
	int i;

	c->stop = false;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    i < 2 ? cross : set_marks, c));
	sleep_ms(10);
}

static void stop(struct crossing *c, pthread_t *threads)
{
	int i;

	__atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/*
 * An account or its tracker goes while the use of both crosses marks, which
 * come and go.
 */
TEST_F_TIMEOUT(program, t7_thresholds_meanwhile, 100)
{
	struct crossing c = { .device = self->device };
	pthread_t threads[4];
	int round;

	c.event = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(c.event, 0);
	for (round = 0; round < 20; round++) {
		c.account = create_account(self->device, TRACKER, "a", -1);
		ASSERT_GE(c.account, 0);
		start(_metadata, &c, threads);
		if (round & 1)
			EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
		stop(&c, threads);
		close(c.account);
		if (round & 1)
			ASSERT_EQ(0, create_tracker(self->device, TRACKER, 0,
						    0, 0));
	}
	EXPECT_GT(signalled(c.event), 0);
	close(c.event);
}

/* memquota goes as soon as the last descriptor has. */
TEST(unload_after_thresholds)
{
	pthread_t threads[4];
	struct crossing c;
	int round;

	if (access(module_path("memquota"), R_OK) || getuid())
		SKIP(return, "no module to load, or not root");
	for (round = 0; round < 5; round++) {
		c.device = open(NODE, O_RDWR | O_CLOEXEC);
		ASSERT_GE(c.device, 0);
		ASSERT_EQ(0, create_tracker(c.device, TRACKER, 0, 0, 0));
		c.account = create_account(c.device, TRACKER, "a", -1);
		ASSERT_GE(c.account, 0);
		c.event = eventfd(0, EFD_CLOEXEC);
		ASSERT_GE(c.event, 0);
		start(_metadata, &c, threads);
		stop(&c, threads);
		close(c.event);
		close(c.account);
		close(c.device);
		ASSERT_EQ(0, unload("memquota"));
		ASSERT_EQ(0, load("memquota", ""));
	}
}

#define SERVED_MAX	32

/* Answers for many participants, which collapse when they are asked. */
struct server {
	struct pollfd fds[SERVED_MAX];
	unsigned int n;
	bool stop;
};

static void *serve(void *arg)
{
	struct memquota_reclaim_request request;
	struct server *s = arg;
	unsigned int i;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		if (poll(s->fds, s->n, 20) <= 0)
			continue;
		for (i = 0; i < s->n; i++) {
			if (!(s->fds[i].revents & POLLIN))
				continue;
			if (read(s->fds[i].fd, &request, sizeof(request)) ==
			    sizeof(request))
				answer(s->fds[i].fd, request.id, 0, 0);
			else
				s->fds[i].fd = -1;
		}
	}
	return NULL;
}

/* The first of the two examples of Documentation/rules.rst. */
TEST_F(program, r2_example_of_21)
{
	int accounts[21], fds[21], i, left = 0;
	uint64_t start = now_ns(), unit = 10000000;
	struct memquota_ioctl_tracker t;
	struct server server = { .n = 21 };
	pthread_t thread;

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	for (i = 0; i < 21; i++) {
		accounts[i] = create_account(self->device, TRACKER, "a", -1);
		fds[i] = join(accounts[i], "p", MEMQUOTA_JOIN_COLLAPSING);
		ASSERT_GE(fds[i], 0);
		ASSERT_EQ(0, set_oldest(fds[i], start - i * unit));
		server.fds[i] = (struct pollfd) {
			.fd = fds[i],
			.events = POLLIN,
		};
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve, &server));
	for (i = 0; i < 19; i++)
		ASSERT_EQ(0, charge(fds[i], MIB + 4096));
	sleep_ms(300);
	EXPECT_EQ(0, ask_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(0, t.out_reclaims);
	EXPECT_EQ(0, charge(fds[20], MIB + 4096));
	EXPECT_TRUE(EVENTUALLY(!ask_tracker(self->device, TRACKER, &t) &&
			       t.out_total <= 15 * MIB + t.out_excess_max));
	sleep_ms(300);
	for (i = 0; i < 21; i++)
		left += !closed(accounts[i]);
	EXPECT_EQ(15, left);
	for (i = 14; i <= 18; i++)
		EXPECT_TRUE(closed(accounts[i]));
	EXPECT_FALSE(closed(accounts[19]));
	EXPECT_TRUE(closed(accounts[20]));
	__atomic_store_n(&server.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (i = 0; i < 21; i++) {
		close(fds[i]);
		close(accounts[i]);
	}
}

static void example_of_three(struct __test_metadata *_metadata, int device,
			     bool parent_is_older)
{
	int accounts[3], fds[3], i;
	uint64_t start = now_ns(), unit = 10000000;
	struct server server = { .n = 3 };
	pthread_t thread;

	ASSERT_EQ(0, configure_tests(device, 0, 20 * MIB, 15 * MIB));
	accounts[0] = create_account(device, TRACKER, "parent", -1);
	accounts[1] = create_account(device, TRACKER, "child", accounts[0]);
	accounts[2] = create_account(device, TRACKER, "third", -1);
	for (i = 0; i < 3; i++) {
		fds[i] = join(accounts[i], "p", MEMQUOTA_JOIN_COLLAPSING);
		ASSERT_GE(fds[i], 0);
		server.fds[i] = (struct pollfd) {
			.fd = fds[i],
			.events = POLLIN,
		};
	}
	ASSERT_EQ(0, set_oldest(fds[0], start - (parent_is_older ? 2 : 1) * unit));
	ASSERT_EQ(0, set_oldest(fds[1], start - (parent_is_older ? 1 : 2) * unit));
	ASSERT_EQ(0, set_oldest(fds[2], start));
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve, &server));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, charge(fds[i], 7 * MIB));
	EXPECT_TRUE(EVENTUALLY(closed(accounts[1])));
	sleep_ms(300);
	EXPECT_EQ(parent_is_older, closed(accounts[0]));
	EXPECT_FALSE(closed(accounts[2]));
	__atomic_store_n(&server.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (i = 0; i < 3; i++) {
		close(fds[i]);
		close(accounts[i]);
	}
}

/* The second one: the descendants of the oldest go with it, not its parents. */
TEST_F(program, r3_example_parent)
{
	example_of_three(_metadata, self->device, true);
}

TEST_F(program, r3_example_child)
{
	example_of_three(_metadata, self->device, false);
}

TEST_HARNESS_MAIN
