// SPDX-License-Identifier: GPL-2.0
/*
 * Documentation/example.c, as a program memquota-example: it gives up the
 * oldest of what came in, and has the rest at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "common.h"

#define EXAMPLE		"/bin/memquota-example"
#define OUTPUT		"/tmp/memquota-example.out"
#define MESSAGES	"/tmp/memquota-example.err"

FIXTURE(example)
{
	int device;
	int input;		/* where it reads from */
	pid_t pid;
};

FIXTURE_SETUP(example)
{
	int fds[2], out;

	self->device = open(NODE, O_RDWR | O_CLOEXEC);
	if (self->device < 0 && errno == ENOENT)
		SKIP(return, "memquota is not loaded");
	ASSERT_GE(self->device, 0);
	if (access(EXAMPLE, X_OK))
		SKIP(return, "no example");
	ASSERT_EQ(0, create_tests(self->device));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	self->input = fds[1];
	self->pid = fork();
	ASSERT_GE(self->pid, 0);
	if (!self->pid) {
		dup2(fds[0], 0);
		out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(out, 1);
		out = open(MESSAGES, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(out, 2);
		execl(EXAMPLE, EXAMPLE, TRACKER, NULL);
		_exit(1);
	}
	close(fds[0]);
}

FIXTURE_TEARDOWN(example)
{
	close(self->input);
	destroy_tracker(self->device, TRACKER);
	unlink(OUTPUT);
	unlink(MESSAGES);
	close(self->device);
}

static uint64_t total(int device)
{
	struct memquota_ioctl_tracker t;

	return ask_tracker(device, TRACKER, &t) ? 0 : t.out_total;
}

/* Numbers in order, a line each. */
static bool feed(int fd, unsigned int from, unsigned int to)
{
	char line[16];

	for (; from < to; from++) {
		snprintf(line, sizeof(line), "%07u\n", from);
		if (write(fd, line, 8) != 8)
			return false;
	}
	return true;
}

static bool messages(unsigned long *kept, unsigned long *given_up,
		     unsigned long *refused)
{
	FILE *f = fopen(MESSAGES, "r");
	bool ok = f && fscanf(f, "%lu kept, %lu given up, %lu refused", kept,
			      given_up, refused) == 3;

	if (f)
		fclose(f);
	return ok;
}

/* Whether what it has is everything up to the last number; the first one. */
static bool output(unsigned int *first, unsigned int last)
{
	FILE *f = fopen(OUTPUT, "r");
	unsigned int n, next = 0;
	char line[16];
	bool ok = f;

	/* It may begin within a line. */
	if (f && !fgets(line, sizeof(line), f))
		ok = false;
	*first = 0;
	while (ok && fgets(line, sizeof(line), f)) {
		n = atoi(line);
		if (next)
			ok = n == next;
		else
			*first = n;
		next = n + 1;
	}
	if (f)
		fclose(f);
	return ok && next == last;
}

#define NUMBERS		(3 * MIB / 8)

TEST_F(example, keeps_all)
{
	unsigned long kept, given_up, refused;
	unsigned int first;

	ASSERT_TRUE(feed(self->input, 0, NUMBERS));
	close(self->input);
	self->input = -1;
	EXPECT_TRUE(ended_well(self->pid));
	ASSERT_TRUE(messages(&kept, &given_up, &refused));
	EXPECT_GT(kept, 0);
	EXPECT_EQ(0, given_up);
	EXPECT_EQ(0, refused);
	EXPECT_TRUE(output(&first, NUMBERS));
	EXPECT_EQ(1, first);
}

/* R6: the oldest goes, no more than that, and it goes on. */
TEST_F(example, gives_up_the_oldest)
{
	unsigned long kept, given_up, refused;
	struct memquota_ioctl_tracker t;
	unsigned int first;
	struct stat st;

	ASSERT_TRUE(feed(self->input, 0, NUMBERS));
	EXPECT_TRUE(EVENTUALLY(total(self->device) >= 3 * MIB));
	ASSERT_EQ(0, configure_tests(self->device, 0, 2 * MIB, MIB));
	EXPECT_TRUE(EVENTUALLY(!ask_tracker(self->device, TRACKER, &t) &&
			       t.out_total <= MIB + t.out_excess_max));
	ASSERT_EQ(0, configure_tests(self->device, 0, 0, 0));
	ASSERT_TRUE(feed(self->input, NUMBERS, NUMBERS + 1000));
	close(self->input);
	self->input = -1;
	EXPECT_TRUE(ended_well(self->pid));
	ASSERT_TRUE(messages(&kept, &given_up, &refused));
	EXPECT_GT(kept, 0);
	EXPECT_GT(given_up, 0);
	EXPECT_EQ(0, refused);
	EXPECT_TRUE(output(&first, NUMBERS + 1000));
	EXPECT_GT(first, NUMBERS / 3);
	ASSERT_EQ(0, stat(OUTPUT, &st));
	EXPECT_GT(st.st_size, 100000);
}

/* T9: what does not fit is refused. */
TEST_F(example, t9_refuses)
{
	unsigned long kept, given_up, refused;

	EXPECT_TRUE(EVENTUALLY(accounts(self->device) == 1));
	ASSERT_EQ(0, configure_tests(self->device, MIB, 0, 0));
	ASSERT_TRUE(feed(self->input, 0, NUMBERS));
	close(self->input);
	self->input = -1;
	EXPECT_TRUE(ended_well(self->pid));
	ASSERT_TRUE(messages(&kept, &given_up, &refused));
	EXPECT_GT(kept, 0);
	EXPECT_GT(given_up + refused, 0);
}

/* Its account closes under it. */
TEST_F(example, t7_destroyed)
{
	unsigned long kept, given_up, refused;
	struct stat st;

	ASSERT_TRUE(feed(self->input, 0, 4096));
	EXPECT_TRUE(EVENTUALLY(total(self->device) >= 8 * 4096));
	ASSERT_EQ(0, destroy_tracker(self->device, TRACKER));
	EXPECT_TRUE(ended_well(self->pid));
	ASSERT_TRUE(messages(&kept, &given_up, &refused));
	EXPECT_EQ(0, kept);
	EXPECT_GT(given_up, 0);
	ASSERT_EQ(0, stat(OUTPUT, &st));
	EXPECT_EQ(0, st.st_size);
}

TEST_HARNESS_MAIN
