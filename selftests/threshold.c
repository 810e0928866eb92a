// SPDX-License-Identifier: GPL-2.0
/*
 * Thresholds of trackers and accounts: an eventfd is signalled when the usage
 * exceeds a mark, and again after it has fallen.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/eventfd.h>

#include "program.h"
#include "modules.h"

/* Wait up to 300 ms for signals of an eventfd. Return how many came. */
static uint64_t count_signals(int event)
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
	OPEN_DEVICE(self->device);
	set_up_tests(_metadata, self->device, &self->account, &self->fd);
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
	if (of_tracker)
		return set_tracker_threshold(device, TRACKER, event, above,
					     rearm);
	return set_account_threshold(account, event, above, rearm);
}

#define SET(above, rearm)						\
	set_threshold(self->device, self->account, variant->of_tracker,	\
		      self->event, (above), (rearm))

TEST_F(threshold, signalled_once_until_rearmed)
{
	int threshold = SET(10 * MIB, 5 * MIB), i;

	ASSERT_GE(threshold, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(threshold, F_GETFD));
	EXPECT_EQ(0, charge(self->fd, 9 * MIB));
	EXPECT_EQ(0, count_signals(self->event));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, charge(self->fd, 2 * MIB));
		EXPECT_EQ(1, count_signals(self->event));
		/* Not armed before it was at or below 5 MiB. */
		EXPECT_EQ(0, uncharge(self->fd, 4 * MIB));
		EXPECT_EQ(0, charge(self->fd, 6 * MIB));
		EXPECT_EQ(0, count_signals(self->event));
		EXPECT_EQ(0, uncharge(self->fd, 9 * MIB));
		sleep_ms(100);
		EXPECT_EQ(0, charge(self->fd, 5 * MIB));
		EXPECT_EQ(0, count_signals(self->event));
	}
	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	EXPECT_EQ(1, count_signals(self->event));
	EXPECT_EQ(0, uncharge(self->fd, 11 * MIB));
	sleep_ms(100);
	close(threshold);
	EXPECT_EQ(0, charge(self->fd, 11 * MIB));
	EXPECT_EQ(0, count_signals(self->event));
	EXPECT_EQ(0, uncharge(self->fd, 11 * MIB));
}

/* The usage passes several marks in small steps: one signal for each. */
TEST_F(threshold, several_marks)
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
	EXPECT_EQ(8, count_signals(self->event));
	for (i = 0; i < 10 * 256; i++)
		EXPECT_EQ(0, uncharge(self->fd, 4096));
	sleep_ms(200);
	EXPECT_EQ(0, count_signals(self->event));
	EXPECT_EQ(0, charge(self->fd, 5 * MIB - MIB / 2));
	sleep_ms(200);
	EXPECT_EQ(4, count_signals(self->event));
	for (i = 0; i < 8; i++)
		close(thresholds[i]);
}

TEST_F(threshold, exceeded_when_set)
{
	int threshold;

	EXPECT_EQ(0, charge(self->fd, 2 * MIB));
	threshold = SET(MIB, MIB);
	ASSERT_GE(threshold, 0);
	EXPECT_EQ(1, count_signals(self->event));
	close(threshold);
}

TEST_F(threshold, wrong_arguments)
{
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
	EXPECT_EQ(-ENOENT, set_tracker_threshold(self->device, "none", event,
						 0, 0));
}

/* Marks that no usage reaches, and one that any usage exceeds. */
TEST_F(threshold, extreme_marks)
{
	int a = SET(UINT64_MAX, UINT64_MAX), b = SET(UINT64_MAX, 0);
	int c = SET(1ULL << 63, 1ULL << 63), d = SET(0, 0);

	ASSERT_GE(a, 0);
	ASSERT_GE(b, 0);
	ASSERT_GE(c, 0);
	ASSERT_GE(d, 0);
	EXPECT_EQ(0, charge(self->fd, MIB));
	EXPECT_EQ(1, count_signals(self->event));
	EXPECT_EQ(0, uncharge(self->fd, MIB));
	EXPECT_EQ(0, charge(self->fd, MIB));
	close(a);
	close(b);
	close(c);
	close(d);
}

/* The eventfd goes first, then the account, the tracker, the threshold. */
TEST_F(threshold, outlives_the_rest)
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
	EXPECT_TRUE(EVENTUALLY(!count_accounts(self->device)));
	EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
	close(again);
	EXPECT_EQ(0, create_tracker(self->device, TRACKER, 0, 0, 0));
}

/* Threads that cross marks, and threads that set them, all the time. */
struct crossing {
	int device;
	int account;
	int event;
	bool stop;
};

static bool is_stopped(struct crossing *c)
{
	return __atomic_load_n(&c->stop, __ATOMIC_RELAXED);
}

static void *cross_marks(void *arg)
{
	struct crossing *c = arg;
	int fd = join(c->account, "crosser", 0);

	while (!is_stopped(c)) {
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

	for (i = 0; !is_stopped(c); i++) {
		close(thresholds[i % 4]);
		thresholds[i % 4] = set_threshold(c->device, c->account, i & 1,
						  c->event, MIB, MIB / 2);
	}
	for (i = 0; i < 4; i++)
		close(thresholds[i]);
	return NULL;
}

static void start_threads(struct __test_metadata *_metadata, struct crossing *c,
			  pthread_t *threads)
{
	int i;

	c->stop = false;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    i < 2 ? cross_marks : set_marks, c));
	sleep_ms(10);
}

static void stop_threads(struct crossing *c, pthread_t *threads)
{
	int i;

	__atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* An account, or its tracker, goes while marks of both are set and crossed. */
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
		start_threads(_metadata, &c, threads);
		if (round & 1)
			EXPECT_EQ(0, destroy_tracker(self->device, TRACKER));
		stop_threads(&c, threads);
		close(c.account);
		if (round & 1)
			ASSERT_EQ(0, create_tracker(self->device, TRACKER, 0,
						    0, 0));
	}
	EXPECT_GT(count_signals(c.event), 0);
	close(c.event);
}

/* No threshold keeps the module after the last descriptor is closed. */
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
		start_threads(_metadata, &c, threads);
		stop_threads(&c, threads);
		close(c.event);
		close(c.account);
		close(c.device);
		ASSERT_EQ(0, unload_module("memquota"));
		ASSERT_EQ(0, load_module("memquota", ""));
	}
}

TEST_HARNESS_MAIN
