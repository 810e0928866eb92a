// SPDX-License-Identifier: GPL-2.0
/*
 * Which accounts are reclaimed: the two examples of Documentation/rules.rst.
 */
#include "program.h"

#define ACCOUNTS_MAX	32

/* Accounts with a participant each, which collapses when it is asked. */
struct collapsing {
	int accounts[ACCOUNTS_MAX];
	struct pollfd participants[ACCOUNTS_MAX];
	unsigned int n;
	pthread_t thread;
	bool stop;
};

static void add_account(struct __test_metadata *_metadata,
			struct collapsing *c, int device, int parent,
			uint64_t oldest_ns)
{
	int fd = create_account(device, TRACKER, "a", parent);

	ASSERT_GE(fd, 0);
	c->accounts[c->n] = fd;
	fd = join(fd, "p", MEMQUOTA_JOIN_COLLAPSING);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, set_oldest(fd, oldest_ns));
	c->participants[c->n++] = (struct pollfd) {
		.fd = fd,
		.events = POLLIN,
	};
}

static void *answer_requests(void *arg)
{
	struct memquota_reclaim_request request;
	struct collapsing *c = arg;
	struct pollfd *p;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		if (poll(c->participants, c->n, 20) <= 0)
			continue;
		for (p = c->participants; p < c->participants + c->n; p++) {
			if (!(p->revents & POLLIN))
				continue;
			if (read(p->fd, &request, sizeof(request)) ==
			    sizeof(request))
				answer(p->fd, request.id, 0, 0);
			else
				p->fd = -1;
		}
	}
	return NULL;
}

static void start_answers(struct __test_metadata *_metadata,
			  struct collapsing *c)
{
	ASSERT_EQ(0, pthread_create(&c->thread, NULL, answer_requests, c));
}

static void stop_answers(struct collapsing *c)
{
	__atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
	pthread_join(c->thread, NULL);
}

/* 21 accounts of 1 MiB, of which the oldest are reclaimed. */
TEST_F(program, r2_example_of_21)
{
	uint64_t start = now_ns(), unit = 10000000;
	struct memquota_ioctl_tracker t;
	struct collapsing c = { };
	int i, left = 0;

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	for (i = 0; i < 21; i++)
		add_account(_metadata, &c, self->device, -1, start - i * unit);
	start_answers(_metadata, &c);
	for (i = 0; i < 19; i++)
		ASSERT_EQ(0, charge(c.participants[i].fd, MIB + 4096));
	sleep_ms(300);
	EXPECT_EQ(0, get_tracker(self->device, TRACKER, &t));
	EXPECT_EQ(0, t.out_reclaims);
	EXPECT_EQ(0, charge(c.participants[20].fd, MIB + 4096));
	EXPECT_TRUE(EVENTUALLY(total_at_most(self->device, 15 * MIB)));
	sleep_ms(300);
	for (i = 0; i < 21; i++)
		left += !is_closed(c.accounts[i]);
	EXPECT_EQ(15, left);
	for (i = 14; i <= 18; i++)
		EXPECT_TRUE(is_closed(c.accounts[i]));
	EXPECT_FALSE(is_closed(c.accounts[19]));
	EXPECT_TRUE(is_closed(c.accounts[20]));
	stop_answers(&c);
}

/* Programs that never answer delay reclaim by less than 100 ms each. */
TEST_F(program, u5_silent_accounts_delay_no_other)
{
	uint64_t start = now_ns(), unit = 10000000;
	int i, account, participant;

	EXPECT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
	for (i = 0; i < 60; i++) {
		account = create_account(self->device, TRACKER, "silent", -1);
		ASSERT_GE(account, 0);
		participant = join(account, "p", 0);
		ASSERT_GE(participant, 0);
		ASSERT_EQ(0, set_oldest(participant, start - unit));
		ASSERT_EQ(0, charge(participant, 1));
	}
	account = create_account(self->device, TRACKER, "next", -1);
	ASSERT_GE(account, 0);
	participant = join(account, "p", MEMQUOTA_JOIN_COLLAPSING);
	ASSERT_GE(participant, 0);
	ASSERT_EQ(0, set_oldest(participant, start));
	start = now_ns();
	ASSERT_EQ(0, charge(participant, 21 * MIB));
	EXPECT_TRUE(EVENTUALLY(is_closed(account)));
	EXPECT_LT(now_ns() - start, 2000000000);
}

FIXTURE(family)
{
	int device;
};

FIXTURE_VARIANT(family)
{
	bool parent_is_oldest;
};

FIXTURE_VARIANT_ADD(family, parent_is_oldest)
{
	.parent_is_oldest = true,
};

FIXTURE_VARIANT_ADD(family, child_is_oldest)
{
	.parent_is_oldest = false,
};

FIXTURE_SETUP(family)
{
	OPEN_DEVICE(self->device);
	ASSERT_EQ(0, create_tests(self->device));
	ASSERT_EQ(0, configure_tests(self->device, 0, 20 * MIB, 15 * MIB));
}

FIXTURE_TEARDOWN_PARENT(family)
{
	destroy_tests(_metadata);
}

/* The descendants of the oldest account go with it, its parents do not. */
TEST_F(family, r3_descendants_go_along)
{
	uint64_t start = now_ns(), older = start - 10000000;
	uint64_t oldest = start - 20000000;
	struct collapsing c = { };
	int i;

	add_account(_metadata, &c, self->device, -1,
		    variant->parent_is_oldest ? oldest : older);
	add_account(_metadata, &c, self->device, c.accounts[0],
		    variant->parent_is_oldest ? older : oldest);
	add_account(_metadata, &c, self->device, -1, start);
	start_answers(_metadata, &c);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, charge(c.participants[i].fd, 7 * MIB));
	EXPECT_TRUE(EVENTUALLY(is_closed(c.accounts[1])));
	sleep_ms(300);
	EXPECT_EQ(variant->parent_is_oldest, is_closed(c.accounts[0]));
	EXPECT_FALSE(is_closed(c.accounts[2]));
	stop_answers(&c);
}

TEST_HARNESS_MAIN
