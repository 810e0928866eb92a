// SPDX-License-Identifier: GPL-2.0
/*
 * Freezing threads that wait for quota.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include "program.h"

#define CGROUPS		"/tmp/memquota-freezer"
#define CGROUP		CGROUPS "/test"
#define STATE		CGROUP "/freezer.state"

static bool set_up_freezer(void)
{
	mkdir(CGROUPS, 0700);
	if (mount("none", CGROUPS, "cgroup", 0, "freezer"))
		return false;
	return !mkdir(CGROUP, 0700);
}

static void tear_down_freezer(void)
{
	rmdir(CGROUP);
	umount(CGROUPS);
	rmdir(CGROUPS);
}

static int move_to_freezer(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return write_file(CGROUP "/cgroup.procs", text);
}

/* Wait until the cgroup has that state. */
static bool freezer_reaches(const char *wanted)
{
	char text[16];
	int i;

	for (i = 0; i < 100; i++) {
		if (!read_file(STATE, text, sizeof(text)) &&
		    !strncmp(text, wanted, strlen(wanted)))
			return true;
		sleep_ms(50);
	}
	return false;
}

/* A frozen thread does not stop those that wait behind it. */
TEST_F(program, t10_a_frozen_thread_loses_its_turn)
{
	pid_t frozen, behind;

	if (!set_up_freezer())
		SKIP(return, "no freezer cgroup");
	EXPECT_EQ(0, set_max(self->account, 4 * MIB));
	EXPECT_EQ(0, charge(self->fd, 4 * MIB));
	START_CHILD(frozen) {
		EXPECT_EQ(0, charge_wait(self->fd, 3 * MIB,
					 MEMQUOTA_IOCTL_FOREVER));
	}
	EXPECT_EQ(0, move_to_freezer(frozen));
	sleep_ms(300);
	EXPECT_EQ(0, write_file(STATE, "FROZEN"));
	EXPECT_TRUE(freezer_reaches("FROZEN"));

	START_CHILD(behind) {
		EXPECT_EQ(0, charge_wait(self->fd, MIB,
					 20000000000ULL));
	}
	sleep_ms(300);
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(0, child_wait(behind));
	EXPECT_EQ(0, uncharge(self->fd, 3 * MIB));
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	EXPECT_EQ(0, uncharge(self->fd, 2 * MIB));
	EXPECT_EQ(0, waitpid(frozen, NULL, WNOHANG));

	EXPECT_EQ(0, write_file(STATE, "THAWED"));
	EXPECT_EQ(0, child_wait(frozen));
	EXPECT_EQ(0, uncharge(self->fd, 4 * MIB));
	tear_down_freezer();
}

/* Freeze all, wait five seconds, and thaw. Fails after 20 if a task does not. */
TEST_F_TIMEOUT(program, t10_waiting_does_not_hinder_suspend, 60)
{
	pid_t pid;

	if (write_file("/sys/power/pm_test", "freezer"))
		SKIP(return, "no /sys/power/pm_test");
	EXPECT_EQ(0, set_max(self->account, MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	START_CHILD(pid) {
		EXPECT_EQ(0, charge_wait(self->fd, MIB,
					 MEMQUOTA_IOCTL_FOREVER));
	}
	sleep_ms(300);
	EXPECT_EQ(0, write_file("/sys/power/state", "freeze"));
	EXPECT_EQ(0, write_file("/sys/power/pm_test", "none"));
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, uncharge(self->fd, MIB));
}

TEST_HARNESS_MAIN
