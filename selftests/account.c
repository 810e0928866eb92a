// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts: usage, handles, parents, lists, and what a closed one refuses.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/eventfd.h>

#include "program.h"

TEST_F(program, usage_of_account)
{
	struct memquota_ioctl_account a;
	int child, fd;

	ASSERT_EQ(0, get_account(self->account, &a));
	EXPECT_NE(0, a.out_id);
	EXPECT_STREQ("account", a.out_name);
	EXPECT_STREQ(TRACKER, a.out_tracker);
	EXPECT_EQ(0, a.out_held);
	EXPECT_EQ(0, a.out_peak);
	EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED, a.out_max);
	EXPECT_EQ(0, a.out_refused);
	EXPECT_EQ(0, a.out_reclaims);
	EXPECT_EQ(1, a.out_participants);
	EXPECT_EQ(0, a.out_children);
	EXPECT_EQ(0, a.out_closed);

	child = create_account(self->device, TRACKER, "child", self->account);
	ASSERT_GE(child, 0);
	fd = join(self->account, "second", MEMQUOTA_JOIN_COLLAPSING);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, charge(self->fd, 3 * MIB));
	EXPECT_EQ(0, charge(fd, 2 * MIB));
	ASSERT_EQ(0, get_account(self->account, &a));
	EXPECT_GE(a.out_held, 5 * MIB);
	EXPECT_LE(a.out_held, 6 * MIB);
	EXPECT_EQ(a.out_held, a.out_peak);
	EXPECT_EQ(0, uncharge(fd, 2 * MIB));
	ASSERT_EQ(0, get_account(self->account, &a));
	EXPECT_GE(a.out_held, 3 * MIB);
	EXPECT_LE(a.out_held, 4 * MIB);
	EXPECT_GE(a.out_peak, 5 * MIB);
	EXPECT_LE(a.out_peak, 6 * MIB);
	EXPECT_EQ(2, a.out_participants);
	EXPECT_EQ(1, a.out_children);

	close(child);
	close(fd);
	EXPECT_TRUE(EVENTUALLY(!get_account(self->account, &a) &&
			       !a.out_children));
	EXPECT_EQ(1, a.out_participants);
}

/* Charge and uncharge @bytes. Return whether the peak became as much. */
static bool peak_is_seen(int account, int participant, uint64_t bytes)
{
	struct memquota_ioctl_account a;

	return !charge(participant, bytes) && !uncharge(participant, bytes) &&
	       !get_account(account, &a) && a.out_held <= MIB &&
	       a.out_peak >= bytes && a.out_peak <= bytes + MIB;
}

/* A limit or a threshold gives an account a counter, which it keeps. */
TEST_F(program, a9_peak)
{
	struct memquota_ioctl_account a;
	int account, event, fd, threshold;

	EXPECT_FALSE(peak_is_seen(self->account, self->fd, 4 * MIB));
	ASSERT_EQ(0, get_account(self->account, &a));
	EXPECT_LE(a.out_peak, MIB);
	ASSERT_EQ(0, set_max(self->account, 8 * MIB));
	EXPECT_TRUE(peak_is_seen(self->account, self->fd, 5 * MIB));
	ASSERT_EQ(0, set_max(self->account, MEMQUOTA_IOCTL_UNLIMITED));
	EXPECT_TRUE(peak_is_seen(self->account, self->fd, 7 * MIB));

	account = create_account(self->device, TRACKER, "a", -1);
	ASSERT_GE(account, 0);
	fd = join(account, "p", 0);
	ASSERT_GE(fd, 0);
	event = eventfd(0, EFD_CLOEXEC);
	ASSERT_GE(event, 0);
	EXPECT_FALSE(peak_is_seen(account, fd, 4 * MIB));
	threshold = set_account_threshold(account, event, 16 * MIB, 0);
	ASSERT_GE(threshold, 0);
	EXPECT_TRUE(peak_is_seen(account, fd, 5 * MIB));
	close(threshold);
	EXPECT_TRUE(peak_is_seen(account, fd, 7 * MIB));
}

/* What participants hold before the first limit counts, too. */
TEST_F(program, a9_limit_of_many_participants)
{
	struct memquota_ioctl_account a;
	int fds[200], i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = join(self->account, "p", 0);
		ASSERT_GE(fds[i], 0);
		ASSERT_EQ(0, charge(fds[i], 50000));
	}
	ASSERT_EQ(0, get_account(self->account, &a));
	EXPECT_GE(a.out_held, ARRAY_SIZE(fds) * 50000);
	EXPECT_EQ(a.out_held, a.out_peak);
	ASSERT_EQ(0, set_max(self->account, ARRAY_SIZE(fds) * 50000));
	EXPECT_EQ(EDQUOT, charge(fds[0], 50000));
	EXPECT_EQ(0, uncharge(fds[1], 50000));
	EXPECT_EQ(0, charge(fds[2], 50000));
	EXPECT_EQ(EDQUOT, charge(fds[2], 50000));
}

/* Those beyond the 64th are closed by a worker, soon. */
TEST_F(program, a2_last_close_of_many_participants)
{
	struct memquota_ioctl_tracker before, t;
	int account, fds[200], i;

	ASSERT_EQ(0, get_tracker(self->device, TRACKER, &before));
	account = create_account(self->device, TRACKER, "a", -1);
	ASSERT_GE(account, 0);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = join(account, "p", 0);
		ASSERT_GE(fds[i], 0);
		ASSERT_EQ(0, charge(fds[i], 50000));
	}
	close(account);
	EXPECT_TRUE(EVENTUALLY(!get_tracker(self->device, TRACKER, &t) &&
			       t.out_total <= before.out_total + MIB));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(ESTALE, charge(fds[i], 50000));
		EXPECT_EQ(0, uncharge(fds[i], 50000));
	}
}

TEST_F(program, a2_last_close)
{
	uint64_t before = count_accounts(self->device);
	int account, again, fd;

	account = create_account(self->device, TRACKER, "a", -1);
	ASSERT_GE(account, 0);
	EXPECT_EQ(before + 1, count_accounts(self->device));
	fd = join(account, "p", 0);
	ASSERT_GE(fd, 0);
	again = dup(account);
	close(account);
	EXPECT_EQ(before + 1, count_accounts(self->device));
	EXPECT_EQ(0, charge(fd, MIB));
	/* A participant does not keep its account open. */
	close(again);
	EXPECT_EQ(before, count_accounts(self->device));
	EXPECT_EQ(ESTALE, charge(fd, MIB));
	EXPECT_EQ(0, uncharge(fd, MIB));
	EXPECT_EQ(EINVAL, uncharge(fd, 1));
	close(fd);
}

TEST_F(program, a3_weak_handles)
{
	uint64_t id = id_of(self->account), last = 0;
	int again, account, i;

	again = open_account(self->device, TRACKER, id);
	ASSERT_GE(again, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(again, F_GETFD));
	EXPECT_EQ(id, id_of(again));
	close(self->account);
	EXPECT_EQ(0, charge(self->fd, 1));
	self->account = again;

	for (i = 0; i < 100; i++) {
		account = create_account(self->device, TRACKER, "a", -1);
		ASSERT_GE(account, 0);
		ASSERT_GT(id_of(account), last);
		last = id_of(account);
		close(account);
		ASSERT_EQ(-ESTALE, open_account(self->device, TRACKER, last));
	}
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, 0));
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, UINT64_MAX));
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, last + 1));
}

TEST_F(program, a4_parents)
{
	int a, b, c, other, event = eventfd(0, 0);

	a = create_account(self->device, TRACKER, "a", -1);
	b = create_account(self->device, TRACKER, "b", a);
	c = create_account(self->device, TRACKER, "c", b);
	ASSERT_GE(a, 0);
	ASSERT_GE(b, 0);
	ASSERT_GE(c, 0);
	EXPECT_EQ(EEXIST, add_parent(b, a));
	EXPECT_EQ(ELOOP, add_parent(a, a));
	EXPECT_EQ(ELOOP, add_parent(a, c));
	EXPECT_EQ(0, add_parent(c, a));
	EXPECT_EQ(EEXIST, add_parent(c, a));

	ASSERT_EQ(0, create_tracker(self->device, "other", 0, 0, 0));
	other = create_account(self->device, "other", "a", -1);
	ASSERT_GE(other, 0);
	EXPECT_EQ(EXDEV, add_parent(a, other));
	EXPECT_EQ(-EXDEV, create_account(self->device, TRACKER, "d", other));
	EXPECT_EQ(0, destroy_tracker(self->device, "other"));
	close(other);

	/* Not descriptors of accounts. */
	EXPECT_EQ(EBADF, add_parent(a, -1));
	EXPECT_EQ(EBADF, add_parent(a, INT_MIN));
	EXPECT_EQ(EBADF, add_parent(a, 100000));
	EXPECT_EQ(EINVAL, add_parent(a, self->device));
	EXPECT_EQ(EINVAL, add_parent(a, self->fd));
	EXPECT_EQ(EINVAL, add_parent(a, event));
	EXPECT_EQ(-EBADF, create_account(self->device, TRACKER, "d", -2));
	EXPECT_EQ(-EBADF, create_account(self->device, TRACKER, "d", 100000));
	EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER, "d", event));
	EXPECT_EQ(-EINVAL, create_account(self->device, TRACKER, "d", self->fd));
	close(event);
	close(c);
	close(b);
	close(a);
}

/* Reclaim an account: it is closed while its descriptor is open. */
static int create_closed_account(int device, int *participant)
{
	struct memquota_reclaim_request request;
	int account, fd;
	uint64_t id;

	account = create_account(device, TRACKER, "victim", -1);
	fd = join(account, "victim", MEMQUOTA_JOIN_COLLAPSING);
	if (charge(fd, 12 * MIB) || configure_tests(device, 0, 10 * MIB, 0))
		return -1;
	/* The end may be read before the request, which is then void. */
	id = get_request(fd, REQUEST_MS, &request);
	if (!EVENTUALLY(is_closed(account)) ||
	    (id && answer(fd, id, 12 * MIB, 0)) ||
	    configure_tests(device, 0, 0, 0))
		return -1;
	*participant = fd;
	return account;
}

TEST_F(program, a8_closed_account)
{
	struct memquota_ioctl_account a;
	int account, fd, event = eventfd(0, 0);

	account = create_closed_account(self->device, &fd);
	ASSERT_GE(account, 0);
	EXPECT_EQ(ESTALE, charge(fd, MIB));
	EXPECT_EQ(ESTALE, charge_wait(fd, MIB, 1));
	EXPECT_EQ(-ESTALE, join(account, "p", 0));
	EXPECT_EQ(ESTALE, set_max(account, 1));
	EXPECT_EQ(ESTALE, add_parent(account, self->account));
	EXPECT_EQ(ESTALE, add_parent(self->account, account));
	EXPECT_EQ(-ESTALE, create_account(self->device, TRACKER, "b", account));
	EXPECT_EQ(-ESTALE, open_account(self->device, TRACKER, id_of(account)));
	EXPECT_EQ(-ESTALE, set_account_threshold(account, event, 0, 0));
	EXPECT_EQ(0, get_account(account, &a));
	EXPECT_EQ(1, a.out_closed);
	EXPECT_EQ(0, a.out_held);
	EXPECT_EQ(0, a.out_participants);
	EXPECT_EQ(1, a.out_reclaims);
	close(event);
	close(fd);
	close(account);
}

/* The cursor is an id: accounts may come and go meanwhile. */
TEST_F(program, list_of_accounts)
{
	struct memquota_ioctl_account_list list = { .size = sizeof(list) };
	uint64_t last = 0, ids[60];
	int fds[60], i, seen = 0, extra;

	for (i = 0; i < 60; i++) {
		fds[i] = create_account(self->device, TRACKER, "listed", -1);
		ASSERT_GE(fds[i], 0);
		ids[i] = id_of(fds[i]);
	}
	set_name(list.tracker, TRACKER);
	while (!call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST, &list)) {
		ASSERT_GT(list.out_id, last);
		last = list.out_id;
		list.after_id = last;
		for (i = 0; i < 60; i++)
			if (ids[i] == last) {
				EXPECT_STREQ("listed", list.out_name);
				EXPECT_EQ(MEMQUOTA_IOCTL_UNLIMITED,
					  list.out_max);
				seen++;
				/* The account that the cursor is at goes. */
				if (i < 30) {
					close(fds[i]);
					fds[i] = -1;
				}
				break;
			}
		extra = create_account(self->device, TRACKER, "extra", -1);
		if (seen < 60)
			close(extra);
		else
			close(fds[59]);
		if (seen >= 60)
			close(extra);
	}
	EXPECT_EQ(60, seen);
	for (i = 30; i < 59; i++)
		close(fds[i]);
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			       &list));
	list.after_id = UINT64_MAX;
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			       &list));
	list.after_id = 0;
	set_name(list.tracker, "none");
	EXPECT_EQ(ENOENT, call(self->device, MEMQUOTA_IOCTL_ACCOUNT_LIST,
			       &list));
}

static void list_parents(int device, uint64_t id,
			 struct memquota_ioctl_account_list *list)
{
	memset(list, 0xff, sizeof(*list));
	list->size = sizeof(*list);
	list->flags = 0;
	list->__reserved = 0;
	list->after_id = id - 1;
	memset(list->tracker, 0, sizeof(list->tracker));
	set_name(list->tracker, TRACKER);
	if (call(device, MEMQUOTA_IOCTL_ACCOUNT_LIST, list) ||
	    list->out_id != id)
		list->out_nr_parents = UINT32_MAX;
}

/* Oldest first, whatever the order of adding; A5: without closed ones. */
TEST_F(program, a4_list_of_parents)
{
	struct memquota_ioctl_account_list list;
	uint64_t ids[10], id;
	int fds[10], fd, i;

	fd = create_account(self->device, TRACKER, "child", -1);
	ASSERT_GE(fd, 0);
	id = id_of(fd);
	list_parents(self->device, id, &list);
	EXPECT_EQ(0, list.out_nr_parents);
	EXPECT_EQ(0, list.out_parents[0]);

	for (i = 0; i < 10; i++) {
		fds[i] = create_account(self->device, TRACKER, "parent", -1);
		ASSERT_GE(fds[i], 0);
		ids[i] = id_of(fds[i]);
	}
	/* 3, 6, 9, 2, 5, 8, 1, 4, 7, 0 */
	for (i = 1; i < 8; i++)
		EXPECT_EQ(0, add_parent(fd, fds[i * 3 % 10]));
	list_parents(self->device, id, &list);
	EXPECT_EQ(7, list.out_nr_parents);
	EXPECT_EQ(ids[1], list.out_parents[0]);
	EXPECT_EQ(ids[2], list.out_parents[1]);
	EXPECT_EQ(ids[9], list.out_parents[6]);
	EXPECT_EQ(0, list.out_parents[7]);
	for (; i <= 10; i++)
		EXPECT_EQ(0, add_parent(fd, fds[i * 3 % 10]));
	list_parents(self->device, id, &list);
	EXPECT_EQ(10, list.out_nr_parents);
	for (i = 0; i < MEMQUOTA_IOCTL_PARENTS; i++)
		EXPECT_EQ(ids[i], list.out_parents[i]);

	close(fds[0]);
	close(fds[4]);
	list_parents(self->device, id, &list);
	EXPECT_EQ(8, list.out_nr_parents);
	EXPECT_EQ(ids[1], list.out_parents[0]);
	EXPECT_EQ(ids[5], list.out_parents[3]);
	EXPECT_EQ(ids[9], list.out_parents[7]);
	for (i = 0; i < 10; i++)
		if (i != 0 && i != 4)
			close(fds[i]);
	list_parents(self->device, id, &list);
	EXPECT_EQ(0, list.out_nr_parents);
	close(fd);
}

TEST_HARNESS_MAIN
