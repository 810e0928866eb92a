// SPDX-License-Identifier: GPL-2.0
/*
 * What one user can do to another: rights, and limits of the objects and bytes
 * of each user.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "program.h"

TEST_F(program, rights_of_other_users)
{
	struct memquota_ioctl_account_list list = { .size = sizeof(list) };
	struct memquota_ioctl_tracker_list trackers = {
		.size = sizeof(trackers),
	};
	struct memquota_ioctl_info info = { .size = sizeof(info) };
	struct memquota_ioctl_tracker t;
	uint64_t id = id_of(self->account);
	int own, again, event = eventfd(0, 0);

	set_name(list.tracker, TRACKER);
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		ASSERT_EQ(0, call(self->device, MEMQUOTA_IOCTL_INFO, &info));
		ASSERT_EQ(EPERM, get_tracker(self->device, TRACKER, &t));
		ASSERT_EQ(EPERM, get_tracker(self->device, "none", &t));
		ASSERT_EQ(EPERM, create_tracker(self->device, "mine", 0, 0, 0));
		ASSERT_EQ(EPERM, configure_tests(self->device, 0, 0, 0));
		ASSERT_EQ(EPERM, destroy_tracker(self->device, TRACKER));
		ASSERT_EQ(EPERM, call(self->device, MEMQUOTA_IOCTL_TRACKER_LIST,
				      &trackers));
		ASSERT_EQ(EPERM, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
				      &list));
		ASSERT_EQ(-EPERM, set_tracker_threshold(self->device, TRACKER,
							event, 0, 0));
		ASSERT_EQ(-EPERM, open_account(self->device, TRACKER, id));
		ASSERT_EQ(-ESTALE, open_account(self->device, TRACKER,
						id + 1000));
		ASSERT_EQ(-EACCES, create_account(self->device, DEFAULT, "a",
						  -1));
		/* It can use what it has, and find what it made. */
		ASSERT_EQ(0, charge(self->fd, 1));
		ASSERT_EQ(0, uncharge(self->fd, 1));
		own = create_account(self->device, TRACKER, "own", -1);
		ASSERT_GE(own, 0);
		again = open_account(self->device, TRACKER, id_of(own));
		ASSERT_GE(again, 0);
		send_fd(self->sockets[1], own);
	}
	own = receive_fd(self->sockets[0]);
	ASSERT_GE(own, 0);
	id = id_of(own);
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(OTHER_USER));
		ASSERT_EQ(-EPERM, open_account(self->device, TRACKER, id));
	}
	again = open_account(self->device, TRACKER, id);
	EXPECT_GE(again, 0);
	close(again);
	close(own);
	close(event);
}

TEST_F(program, u2_limit_of_objects)
{
	int account, threshold, fds[4], i, event = eventfd(0, 0);

	ASSERT_TRUE(set_parameter("user_objects", "4"));
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		for (i = 0; i < 2; i++) {
			account = create_account(self->device, TRACKER, "a", -1);
			ASSERT_GE(account, 0);
			fds[0] = join(account, "p", 0);
			fds[1] = join(account, "p", 0);
			ASSERT_GE(fds[0], 0);
			ASSERT_GE(fds[1], 0);
			threshold = set_account_threshold(account, event, 0, 0);
			ASSERT_GE(threshold, 0);
			ASSERT_EQ(-EDQUOT, set_account_threshold(account, event,
								 0, 0));
			ASSERT_EQ(-EDQUOT, join(account, "p", 0));
			ASSERT_EQ(-EDQUOT, create_account(self->device, TRACKER,
							  "a", -1));
			ASSERT_EQ(-EDQUOT, open_account(self->device, TRACKER,
							id_of(account)));
			/* A duplicate is not another object. */
			ASSERT_GE(dup(account), 0);
			if (i)
				break;
			close(account);
			close(dup(account));
			close(fds[0]);
			close(fds[1]);
			close(threshold);
			/* The duplicate is the lowest that is left. */
			closefrom(account);
		}
	}

	/* The creator is charged, wherever the descriptor is. */
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		for (i = 0; i < 4; i++) {
			account = create_account(self->device, TRACKER, "a", -1);
			send_fd(self->sockets[1], account);
		}
	}
	for (i = 0; i < 4; i++) {
		fds[i] = receive_fd(self->sockets[0]);
		ASSERT_GE(fds[i], 0);
	}
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		ASSERT_EQ(-EDQUOT, create_account(self->device, TRACKER, "a",
						  -1));
		ASSERT_EQ(-EDQUOT, join(fds[0], "p", 0));
	}
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(OTHER_USER));
		ASSERT_GE(create_account(self->device, TRACKER, "a", -1), 0);
	}
	/* Root is not limited. */
	for (i = 0; i < 4; i++) {
		close(fds[i]);
		fds[i] = join(self->account, "p", 0);
		EXPECT_GE(fds[i], 0);
	}
	for (i = 0; i < 4; i++)
		close(fds[i]);
	close(event);
}

TEST_F(program, u2_limit_of_bytes)
{
	int account, a, b, fd;

	ASSERT_TRUE(set_parameter("user_bytes", "1M"));
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		account = create_account(self->device, TRACKER, "a", -1);
		a = join(account, "a", 0);
		b = join(account, "b", 0);
		ASSERT_GE(account, 0);
		ASSERT_GE(a, 0);
		ASSERT_GE(b, 0);
		/* To the byte, whatever the other participant has in stock. */
		ASSERT_EQ(0, charge(a, 1));
		ASSERT_EQ(0, charge(b, MIB - 1));
		ASSERT_EQ(EDQUOT, charge(b, 1));
		ASSERT_EQ(EDQUOT, charge(a, 1));
		ASSERT_EQ(EDQUOT, charge_wait(a, 1, MEMQUOTA_IOCTL_FOREVER));
		ASSERT_EQ(0, uncharge(a, 1));
		ASSERT_EQ(EDQUOT, charge(b, 2));
		ASSERT_EQ(0, charge(b, 1));
		ASSERT_EQ(0, uncharge(b, 100000));
		ASSERT_EQ(0, charge(a, 100000));
		ASSERT_EQ(EDQUOT, charge(a, 1));
		/* What the account's limit refuses does not count. */
		ASSERT_EQ(0, uncharge(a, 100000));
		ASSERT_EQ(0, set_max(account, MIB - 100000));
		ASSERT_EQ(EDQUOT, charge(a, 100000));
		ASSERT_EQ(0, set_max(account, MEMQUOTA_IOCTL_UNLIMITED));
		ASSERT_EQ(0, charge(a, 100000));
		/* What leaves with its participant does not count. */
		close(b);
		ASSERT_EQ(EDQUOT, charge(a, MIB - 100000 + 1));
		ASSERT_EQ(0, charge(a, MIB - 100000));
		ASSERT_EQ(EDQUOT, charge(a, 1));
		/* A closed account counts nothing for the tracker. */
		close(account);
		ASSERT_EQ(0, uncharge(a, MIB));
		account = create_account(self->device, TRACKER, "a", -1);
		fd = join(account, "a", 0);
		ASSERT_EQ(0, charge(fd, MIB));
		send_fd(self->sockets[1], account);
		send_fd(self->sockets[1], fd);
	}
	account = receive_fd(self->sockets[0]);
	fd = receive_fd(self->sockets[0]);
	ASSERT_GE(fd, 0);
	/* The limit is the creator's, even if root charges. */
	EXPECT_EQ(EDQUOT, charge(fd, 1));
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(OTHER_USER));
		ASSERT_EQ(EDQUOT, charge(fd, 1));
		b = join(account, "b", 0);
		ASSERT_GE(b, 0);
		ASSERT_EQ(0, charge(b, MIB));
	}
	/* A changed limit holds at once. */
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
}

/* Participants of one user race for the last bytes of its limit. */
TEST_F(program, u2_limit_of_bytes_under_race)
{
	struct racer racers[RACERS];
	int64_t balance;
	int i, account;

	ASSERT_TRUE(set_parameter("user_bytes", "500K"));
	RUN_CHILD() {
		ASSERT_EQ(0, become_user(USER));
		account = create_account(self->device, TRACKER, "a", -1);
		for (i = 0; i < RACERS; i++)
			racers[i] = (struct racer) {
				.fd = join(account, "p", 0),
			};
		balance = run_racers(_metadata, racers);
		for (i = 0; i < RACERS; i++)
			ASSERT_GE(racers[i].balance, 0);
		ASSERT_LE(balance, 500 * 1024);
		/* All the rest, and not one byte more. */
		ASSERT_EQ(EDQUOT, charge(racers[0].fd,
					 500 * 1024 - balance + 1));
		ASSERT_EQ(0, charge(racers[0].fd, 500 * 1024 - balance));
		ASSERT_EQ(EDQUOT, charge(racers[1].fd, 1));
		for (i = 0; i < RACERS; i++)
			ASSERT_EQ(0, uncharge(racers[i].fd, racers[i].balance));
		ASSERT_EQ(EINVAL, uncharge(racers[1].fd, 1));
	}
}

TEST_HARNESS_MAIN
