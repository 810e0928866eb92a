// SPDX-License-Identifier: GPL-2.0
/*
 * The sample mqpipe under a quota: pipes are given up oldest first.
 */
#include "mqpipe.h"

FIXTURE(quota)
{
	int in, out;
	int whole, given_up;	/* streams, by what their readers got */
};

FIXTURE_SETUP(quota)
{
	set_up_pipes(_metadata, "high=2M low_water=1800K", &self->in, &self->out);
}

FIXTURE_TEARDOWN_PARENT(quota)
{
	take_down_pipes(_metadata);
}

/* Wait until the table tells that a pipe was reclaimed for the n-th time. */
static bool is_reclaimed(const char *pipe, unsigned long long n)
{
	struct row row;
	int i;

	for (i = 0; i < 500; i++) {
		/* It is counted last. */
		if (read_row(pipe, &row) && !strcmp(row.state, "reclaimed") &&
		    row.reclaims >= n)
			return true;
		usleep(10000);
	}
	return false;
}

/* Q2, Q4: both ends get an error; what was read before is a prefix. */
TEST_F(quota, q2_both_ends_get_an_error)
{
	unsigned char buf[8192];
	struct row row;
	int in, out;
	size_t done;
	ssize_t ret;

	ASSERT_EQ(1500 * KIB, write_pattern(self->in, 1500 * KIB, 4096));
	/* The reader stops inside a segment, and has taken its rest. */
	ASSERT_EQ(5000, read(self->out, buf, 5000));
	ASSERT_TRUE(matches_pattern(buf, 0, 5000));
	done = 5000;

	usleep(50000);
	ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
	ASSERT_EQ(700 * KIB, write_pattern(in, 700 * KIB, 4096));
	ASSERT_TRUE(is_reclaimed("a", 1));

	ASSERT_TRUE(poll_returns(self->in, POLLOUT, POLLOUT | POLLERR));
	ASSERT_TRUE(poll_returns(self->out, POLLIN, POLLIN | POLLERR));
	ASSERT_EQ(-1, write(self->in, "x", 1));
	ASSERT_EQ(ENOBUFS, errno);
	while ((ret = read(self->out, buf, sizeof(buf))) > 0) {
		ASSERT_TRUE(matches_pattern(buf, done, ret));
		done += ret;
	}
	ASSERT_EQ(-1, ret);
	ASSERT_EQ(ENOBUFS, errno);
	ASSERT_EQ(8192, done);
	ASSERT_EQ(-1, read(self->out, buf, 1));
	ASSERT_EQ(ENOBUFS, errno);

	/* The younger one is spared, and whole. */
	ASSERT_TRUE(read_row("b", &row));
	ASSERT_STREQ("open", row.state);
	for (done = 0; done < 700 * KIB; done += ret) {
		ret = read(out, buf, sizeof(buf));
		ASSERT_LT(0, ret);
		ASSERT_TRUE(matches_pattern(buf, done, ret));
	}
	ASSERT_TRUE(read_row("a", &row));
	ASSERT_EQ(1, row.reclaims);
	ASSERT_EQ(0, row.older);
	close(in);
	close(out);

	/* Opened again, it is as good as new. */
	close(self->in);
	close(self->out);
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
	ASSERT_EQ(1, write(self->in, "y", 1));
	ASSERT_EQ(1, read(self->out, buf, 1));
	ASSERT_EQ('y', buf[0]);
}

/* The oldest pipe is given up, not the one that is filling. */
TEST_F(quota, oldest_not_largest)
{
	struct row row;
	int in, out;

	/* Both pipes have chunks of one CPU alone. */
	pin_to_cpu(0, 0);
	ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
	ASSERT_EQ(600 * KIB, write_pattern(in, 600 * KIB, 4096));
	usleep(50000);
	ASSERT_EQ(900 * KIB, write_pattern(self->in, 900 * KIB, 4096));
	ASSERT_EQ(0, usage_of("reclaims"));
	/* Without b's, all of it is below low_water, in whole chunks, too. */
	ASSERT_EQ(600 * KIB, write_pattern(self->in, 600 * KIB, 4096));
	ASSERT_TRUE(is_reclaimed("b", 1));
	ASSERT_TRUE(read_row("b", &row));
	ASSERT_EQ(0, row.older);
	close(in);
	close(out);
}

/* An empty pipe keeps room for what comes next, and is given up last. */
TEST_F_TIMEOUT(quota, empty_is_not_oldest, 60)
{
	unsigned char buf[4096];
	struct row row;
	int in, out, i;

	for (i = 0; i < 40; i++) {
		ASSERT_EQ(4096, write_pattern(self->in, 4096, 4096));
		ASSERT_EQ(4096, read(self->out, buf, sizeof(buf)));
	}
	ASSERT_TRUE(read_row("a", &row));
	ASSERT_LE(CHUNK_MAX, row.held);
	for (i = 1; i <= 4; i++) {
		ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
		while (write_pattern(in, 64 * KIB, 4096) == 64 * KIB)
			;
		ASSERT_EQ(ENOBUFS, errno);
		ASSERT_TRUE(is_reclaimed("b", i));
		ASSERT_TRUE(read_row("b", &row));
		ASSERT_EQ(i, row.reclaims);
		close(in);
		close(out);
		/* Long enough to be found holding on to it (R7). */
		usleep(700000);
	}
	ASSERT_TRUE(read_row("a", &row));
	ASSERT_EQ(0, row.reclaims);
	ASSERT_EQ(4096, write_pattern(self->in, 4096, 4096));
	ASSERT_EQ(4096, read(self->out, buf, sizeof(buf)));
}

TEST_F(quota, q2_poll_wakes)
{
	struct pollfd p = { .fd = self->in, .events = 0 };
	int in, out;
	pid_t pid;

	ASSERT_EQ(1500 * KIB, write_pattern(self->in, 1500 * KIB, 4096));
	ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
	START_CHILD(pid) {
		usleep(200000);
		ASSERT_EQ(700 * KIB, write_pattern(in, 700 * KIB, 4096));
	}
	ASSERT_EQ(1, poll_long(&p));
	ASSERT_EQ(POLLERR, p.revents);
	EXPECT_EQ(0, child_wait(pid));
	close(in);
	close(out);
}

#define PIPES	24

/* Write a stream of 1 MiB, unless the pipe is given up. */
static void write_stream(struct __test_metadata *_metadata, const char *path)
{
	static unsigned char buf[16 * KIB];
	int fd = open(path, O_WRONLY);
	size_t done = 0;
	ssize_t ret;

	ASSERT_LE(0, fd);
	while (done < MIB) {
		fill_pattern(buf, done, sizeof(buf));
		ret = write(fd, buf, sizeof(buf) - done % sizeof(buf));
		if (ret < 0) {
			ASSERT_EQ(ENOBUFS, errno);
			return;
		}
		done += ret;
		usleep(10000);
	}
}

/* Read a stream. Return whether it was whole, not given up. */
static bool read_stream(struct __test_metadata *_metadata, const char *path,
			unsigned int pause_us)
{
	static unsigned char buf[8 * KIB];
	int fd = open(path, O_RDONLY);
	size_t done = 0;
	ssize_t ret;

	ASSERT_LE(0, fd);
	while ((ret = read(fd, buf, sizeof(buf))) > 0) {
		ASSERT_TRUE(matches_pattern(buf, done, ret));
		done += ret;
		usleep(pause_us);
	}
	if (ret < 0) {
		ASSERT_EQ(ENOBUFS, errno);
		return false;
	}
	ASSERT_EQ(MIB, done);
	return true;
}

/*
 * Many at once, far above the quota: each stream is whole, or its reader has
 * the beginning and ENOBUFS.
 */
TEST_F_TIMEOUT(quota, q2_reader_has_a_prefix, 90)
{
	char path[32], command[32];
	pid_t pids[2 * PIPES];
	struct row row;
	int i;

	for (i = 0; i < PIPES; i++) {
		snprintf(command, sizeof(command), "create p%d", i);
		ASSERT_EQ(0, write_file(CONTROL, command));
	}
	for (i = 0; i < PIPES; i++) {
		snprintf(path, sizeof(path), "/dev/mqpipe/p%d", i);
		START_CHILD(pids[2 * i])
			write_stream(_metadata, path);
		START_CHILD(pids[2 * i + 1]) {
			/* Every fourth is as fast as its writer. */
			if (read_stream(_metadata, path, (i % 4) * 10000))
				__atomic_add_fetch(&self->whole, 1,
						   __ATOMIC_RELAXED);
			else
				__atomic_add_fetch(&self->given_up, 1,
						   __ATOMIC_RELAXED);
		}
	}
	for (i = 0; i < 2 * PIPES; i++)
		EXPECT_EQ(0, child_wait(pids[i]));
	EXPECT_EQ(PIPES, self->whole + self->given_up);
	EXPECT_LT(0, self->whole);
	EXPECT_LT(0, self->given_up);
	for (i = 0; i < PIPES; i++) {
		snprintf(path, sizeof(path), "p%d", i);
		ASSERT_TRUE(read_row(path, &row));
		self->given_up -= row.reclaims;
	}
	EXPECT_EQ(0, self->given_up);
}

TEST_HARNESS_MAIN
