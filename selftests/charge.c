// SPDX-License-Identifier: GPL-2.0
/*
 * Charging and uncharging: limits, overflows, waiting, and to the byte.
 */
#include "program.h"

TEST_F(program, t9_charges_beyond_max)
{
	struct memquota_ioctl_account a;

	EXPECT_EQ(0, set_max(self->account, MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	EXPECT_EQ(EDQUOT, charge(self->fd, 1));
	EXPECT_EQ(EDQUOT, charge(self->fd, MIB));
	EXPECT_EQ(EDQUOT, charge_wait(self->fd, MIB + 1,
				      MEMQUOTA_IOCTL_FOREVER));
	EXPECT_EQ(0, get_account(self->account, &a));
	EXPECT_EQ(MIB, a.out_max);
	EXPECT_EQ(3, a.out_refused);
	EXPECT_EQ(0, uncharge(self->fd, 1));
	EXPECT_EQ(0, charge(self->fd, 1));
	EXPECT_EQ(EDQUOT, charge(self->fd, 1));
	/* A refused charge is not counted. */
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

TEST_F(program, t8_overflowing_charges)
{
	static const uint64_t too_much[] = {
		1ULL << 41, 1ULL << 62, 1ULL << 63, UINT64_MAX,
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

TEST_F(program, u3_uncharge_at_most_what_is_charged)
{
	int again = dup(self->fd);

	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	EXPECT_EQ(0, uncharge(self->fd, 0));
	EXPECT_EQ(0, charge(self->fd, 1000));
	EXPECT_EQ(EINVAL, uncharge(again, 1001));
	EXPECT_EQ(0, charge(again, 1));
	EXPECT_EQ(0, uncharge(again, 1001));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	/* A timeout without MEMQUOTA_CHARGE_WAIT. */
	EXPECT_EQ(EINVAL, charge_flags(self->fd, 1, 0, 1));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
	close(again);
}

/* Racing threads of one descriptor cannot uncharge more than they charged. */
TEST_F(program, u3_racing_threads)
{
	struct racer racers[RACERS];
	int64_t balance;
	int i;

	EXPECT_EQ(0, set_max(self->account, MIB));
	for (i = 0; i < RACERS; i++)
		racers[i] = (struct racer) { .fd = self->fd };
	balance = run_racers(_metadata, racers);
	ASSERT_GE(balance, 0);
	EXPECT_LE(balance, MIB);
	EXPECT_GE(held_bytes(self->account), balance);
	EXPECT_EQ(0, uncharge(self->fd, balance));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

static void *uncharge_later(void *arg)
{
	sleep_ms(300);
	uncharge(*(int *)arg, MIB);
	return NULL;
}

TEST_F(program, t10_charge_waits)
{
	uint64_t before;
	pthread_t thread;
	int other;
	pid_t pid;

	EXPECT_EQ(0, set_max(self->account, 2 * MIB));
	EXPECT_EQ(0, charge_wait(self->fd, 2 * MIB, 0));
	before = now_ns();
	EXPECT_EQ(ETIME, charge_wait(self->fd, MIB, 200000000));
	EXPECT_GE(now_ns() - before, 190000000);
	EXPECT_LT(now_ns() - before, 20000000000ULL);
	EXPECT_EQ(ETIME, charge_wait(self->fd, MIB, 0));

	other = dup(self->fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, uncharge_later, &other));
	EXPECT_EQ(0, charge_wait(self->fd, MIB, MEMQUOTA_IOCTL_FOREVER));
	pthread_join(thread, NULL);
	close(other);

	/* A lower limit ends the wait. */
	START_CHILD(pid) {
		EXPECT_EQ(EDQUOT, charge_wait(self->fd, MIB,
					      MEMQUOTA_IOCTL_FOREVER));
	}
	sleep_ms(200);
	EXPECT_EQ(0, set_max(self->account, MIB / 2));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, set_max(self->account, 2 * MIB));

	/* Killed while it waits. */
	START_CHILD(pid) {
		charge_wait(self->fd, MIB, MEMQUOTA_IOCTL_FOREVER);
	}
	sleep_ms(200);
	EXPECT_EQ(SIGKILL, child_kill(pid, SIGKILL));
	EXPECT_EQ(0, uncharge(self->fd, 2 * MIB));
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	EXPECT_EQ(0, uncharge(self->fd, 2 * MIB));
}

/* The last close of a participant uncharges what it holds. */
TEST_F(program, p8_last_close)
{
	struct memquota_ioctl_account a;
	int fd = join(self->account, "p", 0), again;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, charge(fd, 3 * MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	again = dup(fd);
	close(fd);
	EXPECT_GE(held_bytes(self->account), 4 * MIB);
	EXPECT_EQ(0, uncharge(again, MIB));
	close(again);
	EXPECT_EQ(0, get_account(self->account, &a));
	EXPECT_EQ(1, a.out_participants);
	EXPECT_GE(a.out_held, MIB);
	EXPECT_LT(a.out_held, 2 * MIB);
	EXPECT_EQ(0, uncharge(self->fd, MIB));
}

TEST_HARNESS_MAIN
