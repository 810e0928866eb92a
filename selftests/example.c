// SPDX-License-Identifier: GPL-2.0
/*
 * Documentation/example.c, built as memquota-example: it keeps its input, gives
 * up the oldest of it when it is asked to, and writes the rest at the end.
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
#include <unistd.h>

#include "kselftest_harness.h"
#include "child.h"
#include "common.h"

#define EXAMPLE		"/bin/memquota-example"
#define OUTPUT		"/tmp/memquota-example.out"
#define MESSAGES	"/tmp/memquota-example.err"

FIXTURE(example)
{
	int device;
	int input;		/* the example reads from it */
	pid_t pid;		/* of the example */
};

FIXTURE_SETUP(example)
{
	int fds[2];

	OPEN_DEVICE(self->device);
	if (access(EXAMPLE, X_OK))
		SKIP(return, "no example");
	ASSERT_EQ(0, create_tests(self->device));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	self->input = fds[1];
	START_CHILD(self->pid) {
		ASSERT_EQ(0, dup2(fds[0], 0));
		ASSERT_EQ(1, dup2(creat(OUTPUT, 0600), 1));
		ASSERT_EQ(2, dup2(creat(MESSAGES, 0600), 2));
		ASSERT_EQ(0, execl(EXAMPLE, EXAMPLE, TRACKER, NULL));
	}
	close(fds[0]);
}

FIXTURE_TEARDOWN_PARENT(example)
{
	int device = open(NODE, O_RDWR | O_CLOEXEC);

	destroy_tracker(device, TRACKER);
	unlink(OUTPUT);
	unlink(MESSAGES);
	close(device);
}

static uint64_t get_total(int device)
{
	struct memquota_ioctl_tracker t;

	return get_tracker(device, TRACKER, &t) ? 0 : t.out_total;
}

/* Write numbers in order, one in a line. */
static bool write_numbers(int fd, unsigned int from, unsigned int to)
{
	char line[16];

	for (; from < to; from++) {
		snprintf(line, sizeof(line), "%07u\n", from);
		if (write(fd, line, 8) != 8)
			return false;
	}
	return true;
}

struct messages {
	unsigned long kept, given_up, refused;	/* bytes */
};

/* Wait until the example has ended, and read its messages. */
static void read_messages(struct __test_metadata *_metadata, pid_t pid,
			  struct messages *m)
{
	FILE *f;

	EXPECT_EQ(0, child_wait(pid));
	f = fopen(MESSAGES, "r");
	ASSERT_NE(NULL, f);
	ASSERT_EQ(3, fscanf(f, "%lu kept, %lu given up, %lu refused", &m->kept,
			    &m->given_up, &m->refused));
	fclose(f);
}

/*
 * Read the first number of the output. Return whether the output is complete
 * from there to the last number.
 */
static bool read_output(unsigned int *first, unsigned int last)
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

TEST_F(example, keeps_all_input)
{
	struct messages m;
	unsigned int first;

	ASSERT_TRUE(write_numbers(self->input, 0, NUMBERS));
	close(self->input);
	read_messages(_metadata, self->pid, &m);
	EXPECT_GT(m.kept, 0);
	EXPECT_EQ(0, m.given_up);
	EXPECT_EQ(0, m.refused);
	EXPECT_TRUE(read_output(&first, NUMBERS));
	EXPECT_EQ(1, first);
}

/* R6: it gives up the oldest, no more than it must, and goes on. */
TEST_F(example, gives_up_the_oldest)
{
	struct messages m;
	unsigned int first;
	struct stat st;

	ASSERT_TRUE(write_numbers(self->input, 0, NUMBERS));
	EXPECT_TRUE(EVENTUALLY(get_total(self->device) >= 3 * MIB));
	ASSERT_EQ(0, configure_tests(self->device, 0, 2 * MIB, MIB));
	EXPECT_TRUE(EVENTUALLY(total_at_most(self->device, MIB)));
	ASSERT_EQ(0, configure_tests(self->device, 0, 0, 0));
	ASSERT_TRUE(write_numbers(self->input, NUMBERS, NUMBERS + 1000));
	close(self->input);
	read_messages(_metadata, self->pid, &m);
	EXPECT_GT(m.kept, 0);
	EXPECT_GT(m.given_up, 0);
	EXPECT_EQ(0, m.refused);
	EXPECT_TRUE(read_output(&first, NUMBERS + 1000));
	EXPECT_GT(first, NUMBERS / 3);
	ASSERT_EQ(0, stat(OUTPUT, &st));
	EXPECT_GT(st.st_size, 100000);
}

/* T9: what does not fit is refused. */
TEST_F(example, t9_refuses_beyond_max)
{
	struct messages m;

	EXPECT_TRUE(EVENTUALLY(count_accounts(self->device) == 1));
	ASSERT_EQ(0, configure_tests(self->device, MIB, 0, 0));
	ASSERT_TRUE(write_numbers(self->input, 0, NUMBERS));
	close(self->input);
	read_messages(_metadata, self->pid, &m);
	EXPECT_GT(m.kept, 0);
	EXPECT_GT(m.given_up + m.refused, 0);
}

/* Its account is closed. */
TEST_F(example, t7_destroyed_tracker)
{
	struct messages m;
	struct stat st;

	ASSERT_TRUE(write_numbers(self->input, 0, 4096));
	EXPECT_TRUE(EVENTUALLY(get_total(self->device) >= 8 * 4096));
	ASSERT_EQ(0, destroy_tracker(self->device, TRACKER));
	read_messages(_metadata, self->pid, &m);
	EXPECT_EQ(0, m.kept);
	EXPECT_GT(m.given_up, 0);
	ASSERT_EQ(0, stat(OUTPUT, &st));
	EXPECT_EQ(0, st.st_size);
}

TEST_HARNESS_MAIN
