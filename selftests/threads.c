// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that share descriptors: one of them gets each request, and no ioctl
 * of one breaks what another one does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "common.h"

#define THREADS		4

FIXTURE(threads)
{
	int device;
};

FIXTURE_SETUP(threads)
{
	OPEN_DEVICE(self->device);
	ASSERT_EQ(0, create_tests(self->device));
}

FIXTURE_TEARDOWN(threads)
{
	EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
	close(self->device);
}

#define REQUESTS	20

struct readers {
	int fd;
	bool stop;
	pthread_mutex_t lock;
	uint64_t ids[1024];
	unsigned int n;
	unsigned int answered;
	uint64_t freed;
	unsigned int wrong;
};

static void *read_requests(void *arg)
{
	struct memquota_reclaim_request request;
	struct readers *r = arg;
	struct pollfd pfd = { .fd = r->fd, .events = POLLIN };
	int i, err;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		if (poll(&pfd, 1, 10) != 1)
			continue;
		if (read(r->fd, &request, sizeof(request)) != sizeof(request))
			continue;
		pthread_mutex_lock(&r->lock);
		r->ids[r->n++ % ARRAY_SIZE(r->ids)] = request.id;
		pthread_mutex_unlock(&r->lock);
		/* Only the first one counts. */
		for (i = 0; i < 3; i++) {
			err = answer(r->fd, request.id,
				     i ? 0 : request.want_bytes, 0);
			if (!err) {
				__atomic_add_fetch(&r->freed,
						   request.want_bytes,
						   __ATOMIC_RELAXED);
				__atomic_add_fetch(&r->answered, 1,
						   __ATOMIC_RELAXED);
			}
			if (err != (i ? ENOENT : 0))
				__atomic_add_fetch(&r->wrong, 1,
						   __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, each_request_once, 60)
{
	struct readers r = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[THREADS];
	unsigned int i, j;
	int account;

	account = create_account(self->device, TRACKER, "a", -1);
	ASSERT_GE(account, 0);
	r.fd = join(account, "p", 0);
	ASSERT_GE(r.fd, 0);
	ASSERT_EQ(0, fcntl(r.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, configure_tests(self->device, 0, 10 * MIB, 9 * MIB));
	ASSERT_EQ(0, charge(r.fd, 10 * MIB));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_requests,
					    &r));
	for (i = 0; i < REQUESTS; i++) {
		EXPECT_EQ(0, charge(r.fd, 2 * MIB));
		EXPECT_TRUE(EVENTUALLY(__atomic_load_n(&r.answered,
						       __ATOMIC_RELAXED) > i));
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, r.wrong);
	EXPECT_EQ(r.n, r.answered);
	EXPECT_LT(r.n, ARRAY_SIZE(r.ids));
	for (i = 0; i < r.n; i++)
		for (j = 0; j < i; j++)
			EXPECT_NE(r.ids[i], r.ids[j]);
	EXPECT_FALSE(is_closed(account));
	/* To the byte. */
	EXPECT_EQ(0, uncharge(r.fd, (10 + REQUESTS * 2) * MIB - r.freed));
	EXPECT_EQ(EINVAL, uncharge(r.fd, 1));
	close(r.fd);
	close(account);
}

/*
 * All threads call random ioctls of descriptors in the same few slots, each of
 * which may be of any kind, or closed, and of a tracker that comes and goes.
 */
#define SLOTS		16
#define SECONDS		4

struct chaos {
	int device;
	int event;
	int slots[SLOTS];
	bool stop;
	unsigned int wrong[256];	/* by errno: unexpected results */
	unsigned int successes;
};

struct player {
	struct chaos *chaos;
	unsigned int seed;
};

static unsigned int random_below(struct player *p, unsigned int n)
{
	return rand_r(&p->seed) % n;
}

static int random_fd(struct player *p)
{
	return __atomic_load_n(&p->chaos->slots[random_below(p, SLOTS)],
			       __ATOMIC_RELAXED);
}

/* Put a descriptor into a slot, and close the one that was there. */
static int put_fd(struct player *p, int fd)
{
	int old;

	if (fd < 0)
		return -fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	old = __atomic_exchange_n(&p->chaos->slots[random_below(p, SLOTS)], fd,
				  __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
	return 0;
}

static int random_ioctl(struct player *p)
{
	struct memquota_ioctl_account_threshold threshold = {
		.size = sizeof(threshold),
		.event_fd = p->chaos->event,
		.above_bytes = random_below(p, 4 * MIB),
	};
	struct memquota_ioctl_account_list list = { .size = sizeof(list) };
	struct memquota_reclaim_request request;
	struct memquota_ioctl_account account;
	struct memquota_ioctl_tracker tracker;
	struct pollfd pfd = { .events = POLLIN };
	int device = p->chaos->device, err;
	const char *name = random_below(p, 2) ? TRACKER : "chaos";

	switch (random_below(p, 24)) {
	case 0 ... 2:
		return put_fd(p, create_account(device, name, "a",
						random_below(p, 2) ? -1 :
						random_fd(p)));
	case 3 ... 6:
		return put_fd(p, join(random_fd(p), "p", random_below(p, 2)));
	case 7:
		err = call(random_fd(p), MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD,
			   &threshold);
		return put_fd(p, err ? -err : threshold.out_fd);
	case 8 ... 12:
		return charge(random_fd(p), random_below(p, MIB));
	case 13:
		return charge_wait(random_fd(p), random_below(p, MIB), 1000000);
	case 14 ... 15:
		return uncharge(random_fd(p), random_below(p, MIB));
	case 16:
		return set_oldest(random_fd(p), now_ns());
	case 17:
		return add_parent(random_fd(p), random_fd(p));
	case 18:
		return set_max(random_fd(p), random_below(p, 2) ? 4 * MIB :
			       MEMQUOTA_IOCTL_UNLIMITED);
	case 19:
		err = get_account(random_fd(p), &account);
		return err ? err : put_fd(p, open_account(device, name,
							  account.out_id));
	case 20:
		set_name(list.tracker, name);
		while (!(err = call(device, MEMQUOTA_IOCTL_ACCOUNT_LIST, &list)))
			list.after_id = list.out_id;
		return err == ENOENT ? 0 : err;
	case 21:
		return get_tracker(device, name, &tracker);
	case 22:
		pfd.fd = random_fd(p);
		if (poll(&pfd, 1, 0) != 1 || pfd.revents != POLLIN ||
		    read(pfd.fd, &request, sizeof(request)) != sizeof(request))
			return 0;
		return answer(pfd.fd, request.id, 0, random_below(p, 8) ? 0 :
			      MEMQUOTA_ANSWER_COLLAPSE);
	default:
		if (random_below(p, 16))
			return 0;
		if (random_below(p, 2))
			return destroy_tracker(device, "chaos");
		return create_tracker(device, "chaos", 8 * MIB, 4 * MIB, 0);
	}
}

static bool is_expected(int err)
{
	static const int errnos[] = {
		0, ENOTTY, EBADF, EINVAL, ENOENT, EEXIST, ESTALE, ESHUTDOWN,
		EDQUOT, ETIME, ELOOP, EXDEV, EBUSY,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errnos); i++)
		if (err == errnos[i])
			return true;
	return false;
}

static void *call_random_ioctls(void *arg)
{
	struct player *p = arg;
	struct chaos *c = p->chaos;
	int err;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		err = random_ioctl(p);
		if (!is_expected(err))
			__atomic_add_fetch(&c->wrong[err & 255], 1,
					   __ATOMIC_RELAXED);
		if (!err)
			__atomic_add_fetch(&c->successes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F_TIMEOUT(threads, random_ioctls, 60)
{
	struct chaos c = { .device = self->device };
	struct player players[THREADS];
	pthread_t threads[THREADS];
	struct memquota_ioctl_tracker t;
	int i;

	ASSERT_EQ(0, configure_tests(self->device, 8 * MIB, 4 * MIB, 0));
	/* A read() of it by mistake does not wait. */
	c.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_GE(c.event, 0);
	for (i = 0; i < SLOTS; i++)
		c.slots[i] = -1;
	for (i = 0; i < THREADS; i++) {
		players[i] = (struct player) { .chaos = &c, .seed = i + 1 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    call_random_ioctls, &players[i]));
	}
	sleep(SECONDS);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 256; i++) {
		EXPECT_EQ(0, c.wrong[i]) {
			TH_LOG("errno %d", i);
		}
	}
	EXPECT_GT(c.successes, 100);
	for (i = 0; i < SLOTS; i++)
		close(c.slots[i]);
	destroy_tracker(self->device, "chaos");
	/* T6: nothing that programs do poisons a tracker, or stays behind. */
	EXPECT_EQ(0, get_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(MEMQUOTA_STATE_COUNTING, t.out_state);
	EXPECT_TRUE(EVENTUALLY(!get_tracker(self->device, TRACKER, &t) &&
			       !t.out_accounts && !t.out_participants &&
			       t.out_total <= t.out_excess_max));
	close(c.event);
}

TEST_HARNESS_MAIN
