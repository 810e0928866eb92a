/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pipes of the sample mqpipe. The limits of the default tracker are
 * parameters of memquota: each test case loads both modules, from /modules or
 * $MODULES, and unloads them. Unloading is the last check of each.
 */
#ifndef _SELFTESTS_MEMQUOTA_MQPIPE_H
#define _SELFTESTS_MEMQUOTA_MQPIPE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "child.h"
#include "modules.h"

#define CONTROL		"/dev/mqpipe/control"
#define PIPE_A		"/dev/mqpipe/a"
#define PIPE_B		"/dev/mqpipe/b"
#define TABLE		"/sys/kernel/debug/mqpipe/pipes"
#define KIB		1024ul
#define MIB		(1024 * KIB)

/* The most that an empty pipe holds for each CPU that wrote to it. */
#define CHUNK_MAX	(64 * KIB)

/* Wait until a worker has freed the arenas' last chunks. */
static inline bool participants_leave(void)
{
	int tries;

	for (tries = 0; tries < 250 && usage_of("participants"); tries++)
		usleep(20000);
	return !usage_of("participants");
}

struct row {
	char state[16];
	unsigned long long held, wasted, reclaims, older;
};

/* Read the row of a pipe in the table of all. */
static inline bool read_row(const char *pipe, struct row *row)
{
	char line[256], name[32];
	FILE *f = fopen(TABLE, "r");
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%31s %15s %*u %*u %llu %llu %*s %*u %*u %llu %llu",
			       name, row->state, &row->held, &row->wasted,
			       &row->reclaims, &row->older) == 6 &&
			!strcmp(name, pipe);
	fclose(f);
	return found;
}

static inline unsigned char pattern_byte(uint64_t i)
{
	return (i * 2654435761u) >> 13;
}

static inline void fill_pattern(unsigned char *buf, uint64_t from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf[i] = pattern_byte(from + i);
}

static inline bool matches_pattern(const unsigned char *buf, uint64_t from,
				   size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (buf[i] != pattern_byte(from + i))
			return false;
	return true;
}

/* Write the pattern in pieces of @step bytes. Return the bytes written. */
static inline size_t write_pattern(int fd, size_t total, size_t step)
{
	static unsigned char buf[64 * KIB];
	size_t done = 0, n;
	ssize_t ret;

	while (done < total) {
		n = total - done < step ? total - done : step;
		fill_pattern(buf, done, n);
		ret = write(fd, buf, n);
		if (ret < 0)
			break;
		done += ret;
	}
	return done;
}

/* Write more than is left of any chunk. */
static inline ssize_t write_large(int fd)
{
	static unsigned char buf[2 * CHUNK_MAX];

	return write(fd, buf, sizeof(buf));
}

/* Open both ends in one process. */
static inline int open_pair(const char *path, int *in, int *out)
{
	*in = -1;
	*out = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (*out < 0)
		return -errno;
	*in = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (*in < 0)
		return -errno;
	/* Only opening must not wait. */
	fcntl(*out, F_SETFL, 0);
	fcntl(*in, F_SETFL, 0);
	return 0;
}

static inline bool poll_returns(int fd, short events, short expected)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) >= 0 && p.revents == expected;
}

/* Wait for an event, which must come within ten seconds. */
static inline int poll_long(struct pollfd *p)
{
	struct timespec before, after;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &before);
	ret = poll(p, 1, 20000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return after.tv_sec - before.tv_sec < 10 ? ret : -1;
}

static inline void set_up_pipes(struct __test_metadata *_metadata,
				const char *limits, int *in, int *out)
{
	if (access(module_path("mqpipe"), F_OK))
		SKIP(return, "no mqpipe.ko");
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, load_sample("mqpipe", limits));
	ASSERT_EQ(0, write_file(CONTROL, "create a\n"));
	ASSERT_EQ(0, write_file(CONTROL, "create b"));
	ASSERT_EQ(0, open_pair(PIPE_A, in, out));
}

/* The test's process has ended: nothing is left under the quota. */
static inline void take_down_pipes(struct __test_metadata *_metadata)
{
	EXPECT_EQ(0, drained_total()) {
		usleep(500000);
		TH_LOG("after 500 ms the total is %lld, %lld of it in shares; drained, %lld",
		       usage_of("total"), usage_of("shares"), drained_total());
	}
	EXPECT_EQ(0, unload_module("mqpipe"));
	EXPECT_EQ(0, unload_module("memquota"));
	/* The next test program expects it. */
	EXPECT_EQ(0, load_module("memquota", ""));
}

#endif /* _SELFTESTS_MEMQUOTA_MQPIPE_H */
