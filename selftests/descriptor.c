// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of accounts and participants: what they refuse, and what becomes
 * of them when their process dies, forks or calls exec().
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "program.h"

TEST_F(program, descriptors_refuse)
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
	EXPECT_EQ(ENOTTY, get_account(self->device, &a));
	EXPECT_EQ(ENOTTY, get_account(self->fd, &a));
	EXPECT_EQ(-1, read(self->account, &byte, 1));
	EXPECT_EQ(EINVAL, errno);

	EXPECT_EQ(0, call(self->device, MEMQUOTA_IOCTL_INFO, &info));
	EXPECT_NE(0, info.out_features & MEMQUOTA_FEATURE_PROGRAMS);
}

/* Charge a new account. Return its participant. */
static int charge_new_account(struct __test_metadata *_metadata, int device,
			      uint64_t bytes, int *account)
{
	int fd;

	*account = create_account(device, TRACKER, "dying", -1);
	ASSERT_GE(*account, 0);
	fd = join(*account, "dying", 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, charge(fd, bytes));
	return fd;
}

/* A dead process has closed its descriptors. */
TEST_F(program, u5_killed)
{
	uint64_t before = count_accounts(self->device);
	int account;
	pid_t pid;
	char c;

	START_CHILD(pid) {
		charge_new_account(_metadata, self->device, 5 * MIB, &account);
		ASSERT_EQ(1, write(self->sockets[1], "", 1));
		pause();
	}
	ASSERT_EQ(1, read(self->sockets[0], &c, 1));
	EXPECT_EQ(before + 1, count_accounts(self->device));
	EXPECT_EQ(SIGKILL, child_kill(pid, SIGKILL));
	EXPECT_TRUE(EVENTUALLY(count_accounts(self->device) == before));
	EXPECT_TRUE(total_at_most(self->device, 0));
}

/* Descriptors that a dead process has sent to another one stay open. */
TEST_F(program, u5_killed_after_sending)
{
	uint64_t before = count_accounts(self->device);
	int account, fd;
	pid_t pid;

	START_CHILD(pid) {
		fd = charge_new_account(_metadata, self->device, 5 * MIB,
					&account);
		send_fd(self->sockets[1], account);
		send_fd(self->sockets[1], fd);
		pause();
	}
	account = receive_fd(self->sockets[0]);
	ASSERT_GE(account, 0);
	fd = receive_fd(self->sockets[0]);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(SIGKILL, child_kill(pid, SIGKILL));
	sleep_ms(100);
	EXPECT_EQ(before + 1, count_accounts(self->device));
	EXPECT_FALSE(is_closed(account));
	EXPECT_EQ(0, uncharge(fd, 5 * MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	close(fd);
	close(account);
	EXPECT_EQ(before, count_accounts(self->device));
}

/* A descriptor in a socket that is closed unread is closed with it. */
TEST_F(program, u5_closed_in_a_socket)
{
	uint64_t before = count_accounts(self->device);
	int account;

	account = create_account(self->device, TRACKER, "mail", -1);
	ASSERT_GE(account, 0);
	send_fd(self->sockets[0], account);
	close(account);
	EXPECT_EQ(before + 1, count_accounts(self->device));
	close(self->sockets[0]);
	close(self->sockets[1]);
	EXPECT_TRUE(EVENTUALLY(count_accounts(self->device) == before));
}

/* Reclaim does not wait for the answer of a process that was killed. */
TEST_F(program, u5_killed_while_asked)
{
	struct memquota_reclaim_request request;
	int account, fd;
	pid_t pid;
	char c;

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	START_CHILD(pid) {
		fd = charge_new_account(_metadata, self->device, 21 * MIB,
					&account);
		ASSERT_NE(0, get_request(fd, REQUEST_MS, &request));
		ASSERT_EQ(1, write(self->sockets[1], "", 1));
		pause();
	}
	ASSERT_EQ(1, read(self->sockets[0], &c, 1));
	EXPECT_EQ(SIGKILL, child_kill(pid, SIGKILL));
	EXPECT_TRUE(EVENTUALLY(total_at_most(self->device, 0)));
}

/* The account has another participant: it stays open. */
TEST_F(program, u5_participant_killed_while_asked)
{
	struct memquota_reclaim_request request;

	ASSERT_TRUE(set_parameter("give_up_ms", "700"));
	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	RUN_CHILD() {
		int fd = join(self->account, "dying", 0);

		ASSERT_EQ(0, charge(fd, 21 * MIB));
		ASSERT_NE(0, get_request(fd, REQUEST_MS, &request));
	}
	EXPECT_TRUE(EVENTUALLY(total_at_most(self->device, 0)));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_NE(0, get_request(self->fd, 600, &request));
	EXPECT_EQ(0, answer(self->fd, request.id, 21 * MIB, 0));
	sleep_ms(1500);
	EXPECT_FALSE(is_closed(self->account));
}

/* fork() duplicates descriptors, exec() closes them. */
TEST_F(program, fork_and_exec)
{
	uint64_t before = count_accounts(self->device);
	int account, fd;
	pid_t pid;
	char c;

	account = create_account(self->device, TRACKER, "forked", -1);
	ASSERT_GE(account, 0);
	fd = join(account, "forked", 0);
	ASSERT_GE(fd, 0);
	START_CHILD(pid) {
		ASSERT_EQ(0, charge(fd, MIB));
		ASSERT_EQ(1, write(self->sockets[1], "", 1));
		ASSERT_EQ(1, read(self->sockets[1], &c, 1));
		ASSERT_EQ(0, execlp("sleep", "sleep", "100", NULL));
	}
	ASSERT_EQ(1, read(self->sockets[0], &c, 1));
	EXPECT_EQ(0, uncharge(fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	close(fd);
	close(account);
	EXPECT_EQ(before + 1, count_accounts(self->device));
	ASSERT_EQ(1, write(self->sockets[0], "", 1));
	EXPECT_TRUE(EVENTUALLY(count_accounts(self->device) == before));
	EXPECT_EQ(SIGKILL, child_kill(pid, SIGKILL));
}

TEST_HARNESS_MAIN
