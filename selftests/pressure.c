// SPDX-License-Identifier: GPL-2.0
/*
 * The system's memory pressure, by /proc/sys/vm/drop_caches: rule R12.
 */
#include "program.h"

#define COLLAPSING	16

static bool press_memory(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, "3", 1) == 1;

	close(fd);
	return written;
}

/* The partial participant is asked; those that collapse are spared. */
TEST_F(program, r12_pressure_collapses_no_account)
{
	struct memquota_reclaim_request request;
	int accounts[COLLAPSING], fds[COLLAPSING], i;

	for (i = 0; i < COLLAPSING; i++) {
		accounts[i] = create_account(self->device, TRACKER, "a", -1);
		ASSERT_GE(accounts[i], 0);
		fds[i] = join(accounts[i], "p", MEMQUOTA_JOIN_COLLAPSING);
		ASSERT_GE(fds[i], 0);
		ASSERT_EQ(0, charge(fds[i], MIB));
	}
	ASSERT_EQ(0, charge(self->fd, 4 * MIB));
	if (!press_memory())
		SKIP(return, "no drop_caches");
	EXPECT_NE(0, get_request(self->fd, REQUEST_MS, &request));
	EXPECT_EQ(0, uncharge(self->fd, 4 * MIB));
	EXPECT_EQ(0, answer(self->fd, request.id, 0, 0));
	EXPECT_TRUE(press_memory());
	sleep_ms(300);
	for (i = 0; i < COLLAPSING; i++)
		EXPECT_FALSE(is_closed(accounts[i]));
	EXPECT_FALSE(is_closed(self->account));
}

TEST_HARNESS_MAIN
