// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to participants: how old their data is, reading and answering, and
 * participants that do not answer.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>

#include "program.h"

TEST_F(program, u4_oldest_only_advances)
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
	/* Without data, any time may come next. */
	EXPECT_EQ(0, set_oldest(self->fd, MEMQUOTA_IOCTL_NO_DATA));
	EXPECT_EQ(0, set_oldest(self->fd, MEMQUOTA_IOCTL_NO_DATA));
	EXPECT_EQ(0, set_oldest(self->fd, now - 1000000));
	EXPECT_EQ(EINVAL, set_oldest(self->fd, now - 2000000));
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(0, set_oldest(self->fd, now - 2000000));
	EXPECT_EQ(0, set_oldest(self->fd, 0));
}

#define TIME_OFFSETS	"/proc/self/timens_offsets"

/* Times are those of the caller's clock, which a time namespace can shift. */
TEST_F(program, u4_time_namespace)
{
	struct memquota_reclaim_request request;
	int account, other;
	uint64_t past;

	account = create_account(self->device, TRACKER, "other", -1);
	ASSERT_GE(account, 0);
	other = join(account, "other", 0);
	ASSERT_GE(other, 0);
	EXPECT_EQ(0, charge(other, 9 * MIB));
	EXPECT_EQ(0, set_oldest(other, now_ns()));
	if (unshare(CLONE_NEWTIME))
		SKIP(return, "no time namespaces");
	ASSERT_EQ(0, write_file(TIME_OFFSETS, "monotonic 100000 0"));
	RUN_CHILD() {
		ASSERT_GT(now_ns(), 100000000000000ULL);
		ASSERT_EQ(0, set_oldest(self->fd, now_ns()));
		ASSERT_EQ(EINVAL, set_oldest(self->fd, now_ns() + 1000000000));
		past = now_ns() - 1000000000;
		ASSERT_EQ(0, set_oldest(self->fd, MEMQUOTA_IOCTL_NO_DATA));
		ASSERT_EQ(0, set_oldest(self->fd, past));
		ASSERT_EQ(0, configure_tests(self->device, 0, 20 * MIB,
					     15 * MIB));
		ASSERT_EQ(0, charge(self->fd, 12 * MIB));
		/* Up to where the other participant's data begins. */
		ASSERT_NE(0, get_request(self->fd, REQUEST_MS, &request));
		ASSERT_GT(request.until_ns, past);
		ASSERT_LE(request.until_ns, now_ns());
		ASSERT_EQ(0, answer(self->fd, request.id, 12 * MIB, 0));
	}
}

/* A clock that is behind does not let times of the future wrap to the past. */
TEST_F(program, u4_time_namespace_behind)
{
	uint64_t ahead;

	if (unshare(CLONE_NEWTIME))
		SKIP(return, "no time namespaces");
	ahead = now_ns();
	ASSERT_EQ(0, write_file(TIME_OFFSETS, "monotonic -1 0"));
	RUN_CHILD() {
		ASSERT_LT(now_ns(), ahead);
		ASSERT_EQ(EINVAL, set_oldest(self->fd, INT64_MAX));
		ASSERT_EQ(EINVAL, set_oldest(self->fd, ahead));
		ASSERT_EQ(0, set_oldest(self->fd, now_ns()));
	}
}

/* A participant that frees a part, answers, and goes on. */
TEST_F(program, r6_partial_answer)
{
	struct memquota_reclaim_request request;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
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
	/* No other participant has data. */
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, request.until_ns);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, read(self->fd, &request, sizeof(request)));
	EXPECT_EQ(EAGAIN, errno);

	EXPECT_EQ(ENOENT, answer(self->fd, request.id + 1, MIB, 0));
	EXPECT_EQ(EINVAL, answer(self->fd, request.id, 22 * MIB, 0));
	EXPECT_EQ(EINVAL, answer(self->fd, request.id, UINT64_MAX, 0));
	EXPECT_EQ(0, uncharge(self->fd, 3 * MIB));
	/* More than wanted, as some of it stays in CPU caches. */
	EXPECT_EQ(0, answer(self->fd, request.id, request.want_bytes - 2 * MIB,
			    0));
	EXPECT_EQ(ENOENT, answer(self->fd, request.id, 0, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 300));
	EXPECT_FALSE(is_closed(self->account));
	EXPECT_TRUE(total_at_most(self->device, 15 * MIB));
	EXPECT_EQ(0, uncharge(self->fd, 20 * MIB - request.want_bytes));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

/* A participant that gives up all of its data. */
TEST_F(program, r5_collapsing_answer)
{
	struct memquota_reclaim_request request;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_NE(0, get_request(self->fd, REQUEST_MS, &request));
	EXPECT_EQ(0, answer(self->fd, request.id, 0, MEMQUOTA_ANSWER_COLLAPSE));
	EXPECT_TRUE(EVENTUALLY(is_closed(self->account)));
	EXPECT_EQ(1, poll(&pfd, 1, 2000));
	EXPECT_EQ(POLLIN | POLLHUP, pfd.revents);
	EXPECT_EQ(0, read(self->fd, &request, sizeof(request)));
	EXPECT_EQ(ESTALE, charge(self->fd, MIB));
	/* It holds what it has not freed yet. */
	EXPECT_EQ(0, uncharge(self->fd, 21 * MIB));
	EXPECT_EQ(EINVAL, uncharge(self->fd, 1));
}

/* A participant that does not answer keeps no other one waiting. */
TEST_F(program, u5_answer_too_late)
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

	ASSERT_NE(0, get_request(self->fd, REQUEST_MS, &late));
	/* Up to where the other participant's data begins. */
	EXPECT_NE(MEMQUOTA_IOCTL_UNLIMITED, late.until_ns);
	ASSERT_NE(0, get_request(fd, 1000, &request));
	EXPECT_FALSE(is_closed(self->account));
	EXPECT_EQ(0, answer(fd, request.id, 2 * MIB, 0));
	EXPECT_TRUE(EVENTUALLY(is_closed(self->account)));
	EXPECT_FALSE(is_closed(account));
	EXPECT_EQ(ESTALE, charge(self->fd, MIB));
	/* A worker takes the request back after that. */
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

/* A waiting read() returns for a request, and for the end. */
TEST_F(program, read_waits)
{
	struct memquota_reclaim_request request;
	pthread_t thread;
	ssize_t *len;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_later, &self->fd));
	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	EXPECT_EQ(0, charge(self->fd, 21 * MIB));
	ASSERT_EQ(0, pthread_join(thread, (void **)&len));
	EXPECT_EQ(sizeof(request), *len);

	/* The request is still there to be answered; another read() waits. */
	START_CHILD(pid) {
		ASSERT_EQ(0, read(self->fd, &request, sizeof(request)));
	}
	sleep_ms(100);
	EXPECT_EQ(SIGTERM, child_kill(pid, SIGTERM));

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_later, &self->fd));
	sleep_ms(100);
	close(self->account);
	ASSERT_EQ(0, pthread_join(thread, (void **)&len));
	EXPECT_EQ(0, *len);
	self->account = -1;
}

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

/* A request wakes no exclusive waiter of the account's other participant. */
TEST_F(program, exclusive_waiters)
{
	struct memquota_reclaim_request request;
	struct epoll_event event;
	int other, first[4], second, i;
	pthread_t threads[4];
	void *ret;

	other = join(self->account, "other", 0);
	ASSERT_GE(other, 0);
	/* More than requests to both would wake. */
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
	ASSERT_NE(0, get_request(self->fd, REQUEST_MS, &request));
	EXPECT_EQ(0, answer(self->fd, request.id, 21 * MIB, 0));
	EXPECT_EQ(0, epoll_wait(second, &event, 1, 0));

	/* The end of the account wakes all. */
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

TEST_HARNESS_MAIN
