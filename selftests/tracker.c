// SPDX-License-Identifier: GPL-2.0
/*
 * Trackers: names, limits, lists, and what a destroyed or a disabled one does.
 */
#include <sys/eventfd.h>

#include "program.h"

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

TEST_F(program, names_good_and_bad)
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
		EXPECT_EQ(0, get_account(fd, &a));
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

	/* Not terminated; and bytes behind the terminator do not matter. */
	set_name(create.tracker, TRACKER);
	memset(create.name, 'x', sizeof(create.name));
	EXPECT_EQ(EINVAL, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_CREATE,
			       &create));
	memset(create.name, 0xff, sizeof(create.name));
	memcpy(create.name, "a", 2);
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create));
	EXPECT_EQ(0, get_account(create.out_fd, &a));
	memset(name, 0, sizeof(name));
	name[0] = 'a';
	EXPECT_EQ(0, memcmp(name, a.out_name, sizeof(name)));
	close(create.out_fd);
}

TEST_F(program, t2_reasons_of_refusal)
{
	static const struct {
		uint64_t max, high, low_water;
	} wrong[] = {
		{ 1 * MIB, 2 * MIB, 0 },
		{ 0, 0, 1 * MIB },
		{ 0, 10 * MIB, 10 * MIB },
		{ 0, 10 * MIB, 1 },
		{ 0, 4096, 0 },
		{ 10000, 0, 0 },
		{ 0, 20 * MIB, MEMQUOTA_IOCTL_UNLIMITED },
		{ 0, 0, MEMQUOTA_IOCTL_UNLIMITED },
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
		EXPECT_EQ(0, get_tracker(self->device, TRACKER, &t));
		EXPECT_EQ(20 * MIB, t.out_high);

		set_name(config.name, "another");
		config.flags = 0;
		memset(config.out_reason, 'x', sizeof(config.out_reason));
		EXPECT_EQ(EINVAL, call(self->device,
				       MEMQUOTA_IOCTL_TRACKER_CREATE, &config));
		EXPECT_LT(5, strnlen(config.out_reason, 64));
		EXPECT_EQ(ENOENT, get_tracker(self->device, "another", &t));
		set_name(config.name, TRACKER);
	}

	config.max = 0;
	config.high = 30 * MIB;
	config.low_water = 10 * MIB;
	config.flags = MEMQUOTA_CONFIGURE_CHECK_ONLY;
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
			  &config));
	EXPECT_EQ(0, get_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(20 * MIB, t.out_high);
	config.flags = 0;
	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
			  &config));
	EXPECT_EQ(0, get_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(30 * MIB, t.out_high);
	EXPECT_EQ(10 * MIB, t.out_low_water);
	EXPECT_EQ(0, t.out_set_max);
	EXPECT_EQ(30 * MIB, t.out_set_high);
	EXPECT_EQ(10 * MIB, t.out_set_low_water);
	EXPECT_EQ(0, configure_tests(self->device, MEMQUOTA_IOCTL_UNLIMITED,
				     MEMQUOTA_IOCTL_UNLIMITED, 0));
}

TEST_F(program, list_of_trackers)
{
	struct memquota_ioctl_tracker_list list = { .size = sizeof(list) };
	struct memquota_ioctl_tracker t;
	bool seen_default = false, seen_a = false, seen_c = false;
	uint64_t last = 0;

	ASSERT_EQ(0, create_tracker(self->device, "a", 0, 0, 0));
	ASSERT_EQ(0, create_tracker(self->device, "b", 0, 0, 0));
	ASSERT_EQ(0, create_tracker(self->device, "c", 0, 0, 0));
	EXPECT_EQ(EEXIST, create_tracker(self->device, "b", 0, 0, 0));
	EXPECT_EQ(0, get_tracker(self->device, "b", &t));
	EXPECT_EQ(MEMQUOTA_TRACKER_PROGRAMS, t.out_flags);

	while (!call(self->device, MEMQUOTA_IOCTL_TRACKER_LIST, &list)) {
		ASSERT_GT(list.out_id, last);
		last = list.out_id;
		list.after_id = last;
		seen_default |= !strcmp(list.out_name, DEFAULT);
		seen_c |= !strcmp(list.out_name, "c");
		/* The tracker that the cursor is at goes. */
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
	EXPECT_EQ(ENOENT, get_tracker(self->device, "c", &t));
	EXPECT_EQ(EBUSY, destroy_tracker(self->device, DEFAULT));
	EXPECT_EQ(ENOENT, configure_tracker(self->device,
					    MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
					    "c", 0, 0, 0, 0));
}

/* Accounts and participants of a destroyed tracker. */
TEST_F(program, t7_destroyed_tracker)
{
	struct pollfd pfd = { .fd = -1, .events = POLLIN };
	struct memquota_reclaim_request request;
	int account, fd, event = eventfd(0, 0);

	ASSERT_EQ(0, create_tracker(self->device, "short", 0, 0, 0));
	account = create_account(self->device, "short", "a", -1);
	ASSERT_GE(account, 0);
	fd = join(account, "p", 0);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, charge(fd, MIB));
	EXPECT_EQ(0, destroy_tracker(self->device, "short"));

	EXPECT_TRUE(is_closed(account));
	EXPECT_EQ(0, held_bytes(account));
	EXPECT_EQ(ESHUTDOWN, charge(fd, MIB));
	EXPECT_EQ(ESHUTDOWN, charge_wait(fd, MIB, 1));
	EXPECT_EQ(ESHUTDOWN, set_max(account, 1));
	EXPECT_EQ(-ESHUTDOWN, join(account, "q", 0));
	EXPECT_EQ(ESHUTDOWN, add_parent(account, account));
	EXPECT_EQ(-ESHUTDOWN, set_account_threshold(account, event, 0, 0));
	EXPECT_EQ(0, uncharge(fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	pfd.fd = fd;
	EXPECT_EQ(1, poll(&pfd, 1, 2000));
	EXPECT_EQ(POLLIN | POLLHUP, pfd.revents);
	EXPECT_EQ(0, read(fd, &request, sizeof(request)));
	close(event);
	close(fd);
	close(account);
}

TEST_F(program, t4_disabled_tracker)
{
	struct memquota_ioctl_account a;
	struct memquota_ioctl_tracker t;
	int account, child, fd, event = eventfd(0, 0);

	ASSERT_EQ(0, configure_tracker(self->device,
				       MEMQUOTA_IOCTL_TRACKER_CREATE, "off",
				       MEMQUOTA_TRACKER_DISABLED |
				       MEMQUOTA_TRACKER_PROGRAMS, 0, 0, 0));
	EXPECT_EQ(0, get_tracker(self->device, "off", &t));
	EXPECT_EQ(MEMQUOTA_STATE_DISABLED, t.out_state);
	EXPECT_EQ(EOPNOTSUPP, configure_tracker(self->device,
						MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
						"off", 0, 20 * MIB, 0, 0));
	EXPECT_EQ(EINVAL, configure_tracker(self->device,
					    MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
					    "off", 0, 4096, 0, 0));
	EXPECT_EQ(0, configure_tracker(self->device,
				       MEMQUOTA_IOCTL_TRACKER_CONFIGURE,
				       "off", 0, 0, 0, 0));
	account = create_account(self->device, "off", "a", -1);
	ASSERT_GE(account, 0);
	child = create_account(self->device, "off", "b", account);
	ASSERT_GE(child, 0);
	fd = join(account, "p", MEMQUOTA_JOIN_COLLAPSING);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, get_account(account, &a));
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
	EXPECT_EQ(-EOPNOTSUPP, set_account_threshold(account, event, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, open_account(self->device, "off", 1));
	/* A4: not the parent of an account that counts. */
	EXPECT_EQ(EINVAL, add_parent(self->account, account));
	EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER, "c", account));
	close(event);
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
	EXPECT_EQ(0, get_tracker(self->device, DEFAULT, &t));
	EXPECT_EQ(0, t.out_flags & MEMQUOTA_TRACKER_PROGRAMS);
	ASSERT_EQ(0, configure_tracker(self->device,
				       MEMQUOTA_IOCTL_TRACKER_CREATE, "modules",
				       0, 0, 0, 0));
	EXPECT_EQ(-EACCES, create_account(self->device, "modules", "a", -1));
	EXPECT_EQ(0, destroy_tracker(self->device, "modules"));
}

TEST_HARNESS_MAIN
