/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that has an account and a participant, in a tracker that goes with
 * the test case.
 */
#ifndef _SELFTESTS_MEMQUOTA_PROGRAM_H
#define _SELFTESTS_MEMQUOTA_PROGRAM_H

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "child.h"
#include "common.h"

FIXTURE(program)
{
	int device;
	int account;
	int fd;			/* a participant of @account */
	int sockets[2];		/* between the test case and a child */
	char give_up_ms[32];
	char user_objects[32];
	char user_bytes[32];
};

/* Create the tracker, an account, and its participant @fd. */
static inline void set_up_tests(struct __test_metadata *_metadata, int device,
				int *account, int *fd)
{
	ASSERT_EQ(0, create_tests(device));
	*account = create_account(device, TRACKER, "account", -1);
	ASSERT_GE(*account, 0);
	*fd = join(*account, "participant", 0);
	ASSERT_GE(*fd, 0);
}

FIXTURE_SETUP(program)
{
	OPEN_DEVICE(self->device);
	set_up_tests(_metadata, self->device, &self->account, &self->fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sockets));
	ASSERT_TRUE(get_parameter("give_up_ms", self->give_up_ms, 32));
	ASSERT_TRUE(get_parameter("user_objects", self->user_objects, 32));
	ASSERT_TRUE(get_parameter("user_bytes", self->user_bytes, 32));
}

/* The parent has no descriptors of the case, whose process has ended. */
static inline void destroy_tests(struct __test_metadata *_metadata)
{
	int device = open(NODE, O_RDWR | O_CLOEXEC);
	struct memquota_ioctl_tracker t;

	/* T6: nothing that a program does can poison a tracker. */
	EXPECT_EQ(0, get_tracker(device, TRACKER, &t));
	EXPECT_EQ(MEMQUOTA_STATE_COUNTING, t.out_state);
	EXPECT_EQ(0, destroy_tracker(device, TRACKER));
	close(device);
}

FIXTURE_TEARDOWN_PARENT(program)
{
	destroy_tests(_metadata);
	EXPECT_TRUE(set_parameter("give_up_ms", self->give_up_ms));
	EXPECT_TRUE(set_parameter("user_objects", self->user_objects));
	EXPECT_TRUE(set_parameter("user_bytes", self->user_bytes));
}

/*
 * How long a test waits for a request that must come: less than give_up_ms, and
 * enough for a busy machine, on which reclaim backs off for a second at a time.
 */
#define REQUEST_MS	8000

/* Wait up to @ms for a request. Return its id, or 0 if none came. */
static inline uint64_t get_request(int fd, int ms,
				   struct memquota_reclaim_request *request)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, ms) != 1 ||
	    read(fd, request, sizeof(*request)) != sizeof(*request))
		return 0;
	return request->id;
}

/* A thread that charges and uncharges, and what it must have left. */
struct racer {
	int fd;
	int64_t balance;	/* bytes charged and not uncharged */
	unsigned int seed;
	bool wrong;
};

static inline void *charge_randomly(void *arg)
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

#define RACERS		4

/* Run racers, whose descriptors are set. Return the sum of their balances. */
static inline int64_t run_racers(struct __test_metadata *_metadata,
				 struct racer *racers)
{
	pthread_t threads[RACERS];
	int64_t balance = 0;
	int i;

	for (i = 0; i < RACERS; i++) {
		racers[i].seed = i + 1;
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, charge_randomly,
					    &racers[i]));
	}
	for (i = 0; i < RACERS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_FALSE(racers[i].wrong);
		balance += racers[i].balance;
	}
	return balance;
}

#endif /* _SELFTESTS_MEMQUOTA_PROGRAM_H */
