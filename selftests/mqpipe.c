// SPDX-License-Identifier: GPL-2.0
/*
 * The sample mqpipe, and through it queues (rules Q1 to Q4): pipes that behave
 * as FIFOs do, and are given up oldest first.
 *
 * The limits of the default tracker are parameters of memquota: each test
 * loads both modules, from /modules or $MODULES, and unloads them. Unloading
 * is the last check of each.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "modules.h"

#define CONTROL		"/dev/mqpipe/control"
#define PIPE_A		"/dev/mqpipe/a"
#define PIPE_B		"/dev/mqpipe/b"
#define TABLE		"/sys/kernel/debug/mqpipe/pipes"
#define KIB		1024ul
#define MIB		(1024 * KIB)

/* The most that an empty pipe holds for each CPU that wrote to it. */
#define CHUNK_MAX	(64 * KIB)

/* --- Files --- */

/* An arena's participant stays until a worker has freed its last chunk. */
static bool all_have_left(void)
{
	int tries;

	for (tries = 0; tries < 250 && usage("participants"); tries++)
		usleep(20000);
	return !usage("participants");
}

struct row {
	char state[16];
	unsigned long long held, wasted, reclaims, older;
};

static bool table(const char *pipe, struct row *row)
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

static unsigned char pattern(uint64_t i)
{
	return (i * 2654435761u) >> 13;
}

static void fill(unsigned char *buf, uint64_t from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf[i] = pattern(from + i);
}

static bool matches(const unsigned char *buf, uint64_t from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (buf[i] != pattern(from + i))
			return false;
	return true;
}

/* Write the pattern in pieces of up to step bytes; return what was written. */
static size_t write_pattern(int fd, size_t total, size_t step)
{
	static unsigned char buf[64 * KIB];
	size_t done = 0, n;
	ssize_t ret;

	while (done < total) {
		n = total - done < step ? total - done : step;
		fill(buf, done, n);
		ret = write(fd, buf, n);
		if (ret < 0)
			break;
		done += ret;
	}
	return done;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* More than what is left of any chunk. */
static ssize_t write_large(int fd)
{
	static unsigned char buf[2 * CHUNK_MAX];

	return write(fd, buf, sizeof(buf));
}

/* Open both sides from one process. */
static int open_pair(const char *path, int *in, int *out)
{
	*out = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (*out < 0)
		return -errno;
	*in = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (*in < 0)
		return -errno;
	/* Tests that sleep say so. */
	fcntl(*out, F_SETFL, 0);
	fcntl(*in, F_SETFL, 0);
	return 0;
}

static bool ready(int fd, short events, short expected)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) >= 0 && p.revents == expected;
}

/* Wait for an event. A timeout that comes upon one by itself does not count. */
static int wait_for(struct pollfd *p)
{
	struct timespec before, after;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &before);
	ret = poll(p, 1, 20000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return after.tv_sec - before.tv_sec < 10 ? ret : -1;
}

/* --- Fixtures --- */

static int set_up(const char *limits)
{
	int err;

	signal(SIGPIPE, SIG_IGN);
	if (loaded("mqpipe"))
		unload("mqpipe");
	if (loaded("memquota"))
		unload("memquota");
	err = load("memquota", limits);
	if (!err)
		err = load("mqpipe", "");
	if (!err)
		err = put(CONTROL, "create a\n");
	if (!err)
		err = put(CONTROL, "create b");
	return err;
}

/* Nothing is left under the quota when both ends are closed. */
static void take_down(struct __test_metadata *_metadata, int in, int out)
{
	close(in);
	close(out);
	EXPECT_EQ(0, drained_total()) {
		usleep(500000);
		TH_LOG("a moment later the total is %lld, of it shares %lld; drained, %lld",
		       usage("total"), usage("shares"), drained_total());
	}
	EXPECT_EQ(0, unload("mqpipe"));
	EXPECT_EQ(0, unload("memquota"));
	/* As the next test program finds it. */
	EXPECT_EQ(0, load("memquota", ""));
}

FIXTURE(plain) {
	int in, out;
};

FIXTURE_SETUP(plain)
{
	if (access(module_path("mqpipe"), F_OK))
		SKIP(return, "no mqpipe.ko");
	ASSERT_EQ(0, set_up(""));
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
}

FIXTURE_TEARDOWN(plain)
{
	take_down(_metadata, self->in, self->out);
}

FIXTURE(quota) {
	int in, out;
};

FIXTURE_SETUP(quota)
{
	if (access(module_path("mqpipe"), F_OK))
		SKIP(return, "no mqpipe.ko");
	ASSERT_EQ(0, set_up("high=2M low_water=1800K"));
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
}

FIXTURE_TEARDOWN(quota)
{
	take_down(_metadata, self->in, self->out);
}

/* --- As a FIFO --- */

TEST_F_TIMEOUT(plain, stream, 60)
{
	static unsigned char buf[40000];
	size_t done = 0, total = 8 * MIB;
	unsigned int seed = 1;
	ssize_t ret;
	pid_t pid;
	int status;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		unsigned int sizes = 2;

		close(self->out);
		while (done < total) {
			size_t n = rand_r(&sizes) % 20000 + 1;

			n = n < total - done ? n : total - done;
			fill(buf, done, n);
			if (write(self->in, buf, n) != (ssize_t)n)
				_exit(1);
			done += n;
		}
		_exit(0);
	}
	close(self->in);
	while ((ret = read(self->out, buf, rand_r(&seed) % sizeof(buf) + 1)) > 0) {
		ASSERT_TRUE(matches(buf, done, ret));
		done += ret;
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(total, done);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* What a write of PIPE_BUF carries arrives whole, and each writer's in order. */
TEST_F_TIMEOUT(plain, two_writers_in_order, 60)
{
	static uint32_t record[1024];
	uint32_t next[2] = { 0, 0 };
	pid_t pids[2];
	int i, w, status;
	ssize_t ret;

	for (w = 0; w < 2; w++) {
		pids[w] = fork();
		ASSERT_LE(0, pids[w]);
		if (pids[w])
			continue;
		for (i = 0; i < 500; i++) {
			int k;

			for (k = 0; k < 1024; k++)
				record[k] = w << 16 | i;
			if (write(self->in, record, 4096) != 4096)
				_exit(1);
		}
		_exit(0);
	}
	close(self->in);
	while ((ret = read(self->out, record, sizeof(record))) > 0) {
		ASSERT_EQ((ssize_t)sizeof(record), ret);
		w = record[0] >> 16;
		ASSERT_TRUE(w == 0 || w == 1);
		ASSERT_EQ(next[w], record[0] & 0xffff);
		for (i = 1; i < 1024; i++)
			ASSERT_EQ(record[0], record[i]);
		next[w]++;
	}
	ASSERT_EQ(0, ret);
	for (w = 0; w < 2; w++) {
		ASSERT_EQ(500, next[w]);
		ASSERT_EQ(pids[w], waitpid(pids[w], &status, 0));
		ASSERT_EQ(0, status);
	}
}

TEST_F(plain, nonblock)
{
	char c;
	int fd;

	/* Nobody reads b. */
	ASSERT_EQ(-1, open(PIPE_B, O_WRONLY | O_NONBLOCK));
	ASSERT_EQ(ENXIO, errno);
	fd = open(PIPE_B, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fd);
	/* Nobody writes it. */
	ASSERT_EQ(0, read(fd, &c, 1));
	close(fd);

	fcntl(self->out, F_SETFL, O_NONBLOCK);
	ASSERT_EQ(-1, read(self->out, &c, 1));
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(3, write(self->in, "abc", 3));
	ASSERT_EQ(1, read(self->out, &c, 1));
	ASSERT_EQ('a', c);
	ASSERT_EQ(1, read(self->out, &c, 1));
	ASSERT_EQ(1, read(self->out, &c, 1));
	ASSERT_EQ('c', c);
	ASSERT_EQ(-1, read(self->out, &c, 1));
	ASSERT_EQ(EAGAIN, errno);
	/* Writing never waits: far more than a FIFO holds. */
	fcntl(self->in, F_SETFL, O_NONBLOCK);
	ASSERT_EQ(4 * MIB, write_pattern(self->in, 4 * MIB, 64 * KIB));
}

/* An open without O_NONBLOCK waits for the other side. */
TEST_F(plain, open_waits)
{
	int fd, status;
	pid_t pid;
	char c;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		fd = open(PIPE_B, O_WRONLY);
		_exit(fd < 0 || write(fd, "x", 1) != 1);
	}
	fd = open(PIPE_B, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, read(fd, &c, 1));
	ASSERT_EQ('x', c);
	ASSERT_EQ(0, read(fd, &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	close(fd);
}

TEST_F(plain, poll)
{
	struct pollfd p = { .fd = self->out, .events = POLLIN };
	int status;
	pid_t pid;
	char c;

	ASSERT_TRUE(ready(self->out, POLLIN, 0));
	ASSERT_TRUE(ready(self->in, POLLOUT, POLLOUT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		_exit(write(self->in, "xy", 2) != 2);
	}
	ASSERT_EQ(1, wait_for(&p));
	ASSERT_EQ(POLLIN, p.revents);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(1, read(self->out, &c, 1));
	/* Part of a segment is left. */
	ASSERT_TRUE(ready(self->out, POLLIN, POLLIN));
	ASSERT_EQ(1, read(self->out, &c, 1));
	ASSERT_TRUE(ready(self->out, POLLIN, 0));

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		_exit(0);
	}
	/* The child has it open as well: its end is the last close. */
	close(self->in);
	ASSERT_EQ(1, wait_for(&p));
	ASSERT_EQ(POLLHUP, p.revents);
	waitpid(pid, &status, 0);
}

TEST_F(plain, poll_wakes_the_writer)
{
	struct pollfd p = { .fd = self->in, .events = 0 };
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		_exit(0);
	}
	close(self->out);
	ASSERT_EQ(1, wait_for(&p));
	ASSERT_EQ(POLLERR, p.revents);
	waitpid(pid, &status, 0);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	signals++;
}

/* Q3: the receiver goes; all is given back, and sending fails. */
TEST_F(plain, q3_reader_goes)
{
	signal(SIGPIPE, count_signal);
	ASSERT_EQ(MIB, write_pattern(self->in, MIB, 4096));
	ASSERT_LE((long long)MIB, usage("total"));
	close(self->out);
	/* But for the chunks that the writers were at. */
	ASSERT_GE((long long)CHUNK_MAX * sysconf(_SC_NPROCESSORS_ONLN),
		  drained_total());
	ASSERT_EQ(-1, write(self->in, "x", 1));
	ASSERT_EQ(EPIPE, errno);
	ASSERT_EQ(1, signals);
	/* Another reader makes no difference. */
	self->out = open(PIPE_A, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->out);
	ASSERT_EQ(-1, write(self->in, "x", 1));
	ASSERT_EQ(EPIPE, errno);
	ASSERT_EQ(-1, write_large(self->in));
	ASSERT_EQ(EPIPE, errno);
}

TEST_F(plain, starts_afresh)
{
	char c;

	ASSERT_EQ(3, write(self->in, "old", 3));
	ASSERT_EQ(1, read(self->out, &c, 1));
	close(self->in);
	close(self->out);
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
	ASSERT_EQ(3, write(self->in, "new", 3));
	ASSERT_EQ(1, read(self->out, &c, 1));
	ASSERT_EQ('n', c);
}

/* A bad address loses nothing. */
TEST_F(plain, fault)
{
	unsigned char buf[8];
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(-1, write(self->in, page, 100));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(8, write_pattern(self->in, 8, 8));
	ASSERT_EQ(-1, read(self->out, page, 8));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(8, read(self->out, buf, 8));
	ASSERT_TRUE(matches(buf, 0, 8));
}

TEST_F(plain, splice)
{
	unsigned char buf[4096];
	int fds[2], other[2];
	size_t done = 0;
	ssize_t ret;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, pipe(other));
	ASSERT_EQ(32 * KIB, write_pattern(fds[1], 32 * KIB, 4096));
	while (done < 32 * KIB) {
		ret = splice(fds[0], NULL, self->in, NULL, 32 * KIB - done, 0);
		ASSERT_LT(0, ret);
		done += ret;
	}
	for (done = 0; done < 32 * KIB; ) {
		ret = splice(self->out, NULL, other[1], NULL, 5000, 0);
		ASSERT_LT(0, ret);
		while (ret) {
			ssize_t n = read(other[0], buf, sizeof(buf) < (size_t)ret ?
					 sizeof(buf) : (size_t)ret);

			ASSERT_LT(0, n);
			ASSERT_TRUE(matches(buf, done, n));
			done += n;
			ret -= n;
		}
	}
}

TEST_F(plain, control)
{
	ASSERT_EQ(-EEXIST, put(CONTROL, "create a"));
	ASSERT_EQ(-EEXIST, put(CONTROL, "create control"));
	ASSERT_EQ(-EINVAL, put(CONTROL, "create "));
	ASSERT_EQ(-EINVAL, put(CONTROL, "create ../x"));
	ASSERT_EQ(-EINVAL, put(CONTROL, "create x y"));
	ASSERT_EQ(-EINVAL, put(CONTROL, "create 123456789012345678901234"));
	ASSERT_EQ(-EINVAL, put(CONTROL, "destroy a"));
	ASSERT_EQ(-ENOENT, put(CONTROL, "remove x"));
	ASSERT_EQ(0, put(CONTROL, "remove b"));
	ASSERT_NE(0, access(PIPE_B, F_OK));
	ASSERT_EQ(0, put(CONTROL, "create b"));
	ASSERT_EQ(0, access(PIPE_B, F_OK));
}

/* Whoever has it open keeps a pipe that was removed. */
TEST_F(plain, removed_while_open)
{
	int fd, in = self->in, out = self->out;
	char c;

	ASSERT_EQ(0, put(CONTROL, "remove a"));
	ASSERT_EQ(1, write(self->in, "x", 1));
	ASSERT_EQ(0, put(CONTROL, "create a"));
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
	fd = open(PIPE_A, O_RDONLY | O_NONBLOCK);
	ASSERT_EQ(-1, read(fd, &c, 1));
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(1, read(out, &c, 1));
	ASSERT_EQ('x', c);
	close(fd);
	close(in);
	close(out);
}

TEST_F(plain, unload_and_reload)
{
	ASSERT_EQ(MIB, write_pattern(self->in, MIB, 4096));
	ASSERT_EQ(-1, syscall(SYS_delete_module, "mqpipe", O_NONBLOCK));
	ASSERT_TRUE(errno == EWOULDBLOCK || errno == EBUSY);
	close(self->in);
	close(self->out);
	ASSERT_EQ(0, unload("mqpipe"));
	ASSERT_EQ(0, drained_total());
	ASSERT_TRUE(all_have_left());
	ASSERT_NE(0, access(PIPE_A, F_OK));
	ASSERT_EQ(0, load("mqpipe", ""));
	ASSERT_EQ(0, put(CONTROL, "create a"));
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
	ASSERT_EQ(MIB, write_pattern(self->in, MIB, 4096));
}

/*
 * T3: what a CPU held in advance goes with it, and the total is exact: it is
 * what the arena's own books say. N11: the CPU's chunk is let go.
 */
TEST_F_TIMEOUT(plain, t3_cpus_go_offline, 60)
{
	static unsigned char buf[4096];
	struct row row;
	char path[64];
	int cpu, i, n;

	n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n < 2 || access("/sys/devices/system/cpu/cpu1/online", W_OK))
		SKIP(return, "no CPU can be switched off");
	pin(0);
	ASSERT_EQ(sizeof(buf), write(self->in, buf, sizeof(buf)));
	for (cpu = 1; cpu < n; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		pin(cpu);
		for (i = 0; i < 10; i++)
			ASSERT_EQ(sizeof(buf), write(self->in, buf, sizeof(buf)));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(sizeof(buf), read(self->out, buf, sizeof(buf)));
		pin(0);
		ASSERT_TRUE(table("a", &row));
		EXPECT_LT((long long)row.held, usage("total"));
		ASSERT_EQ(0, put(path, "0"));
		/* Only the CPUs that are left can be asked to drain. */
		ASSERT_TRUE(table("a", &row));
		EXPECT_LE(sizeof(buf) * cpu * 7, row.held);
		EXPECT_EQ((long long)row.held, drained_total());
		EXPECT_EQ(0, usage("shares"));
	}
	for (cpu = 1; cpu < n; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		ASSERT_EQ(0, put(path, "1"));
		pin(cpu);
		for (i = 0; i < 7; i++)
			ASSERT_EQ(sizeof(buf), read(self->out, buf, sizeof(buf)));
		ASSERT_TRUE(table("a", &row));
		EXPECT_EQ((long long)row.held, drained_total());
	}
}

/*
 * N3, C5: writers on all CPUs take memory at once, a reader elsewhere puts the
 * references, and all of it is found again.
 */
TEST_F_TIMEOUT(plain, n3_writers_on_all_cpus, 60)
{
	static unsigned char buf[4096];
	int n = sysconf(_SC_NPROCESSORS_ONLN), cpu, i, status;
	size_t done = 0;
	struct row row;
	ssize_t ret;

	for (cpu = 0; cpu < n; cpu++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (pid)
			continue;
		pin(cpu);
		memset(buf, cpu, sizeof(buf));
		for (i = 0; i < 1000; i++)
			if (write(self->in, buf, sizeof(buf)) != sizeof(buf))
				_exit(1);
		_exit(0);
	}
	close(self->in);
	for (i = 0; (ret = read(self->out, buf, sizeof(buf))) > 0; i++) {
		ASSERT_EQ(sizeof(buf), ret);
		ASSERT_GT(n, buf[0]);
		ASSERT_EQ(0, memcmp(buf, buf + 1, sizeof(buf) - 1));
		done += ret;
		if (i % 100 == 0)
			pin(i / 100 % n);
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(n * 1000 * sizeof(buf), done);
	while (wait(&status) > 0)
		ASSERT_EQ(0, status);
	ASSERT_TRUE(table("a", &row));
	EXPECT_LE(row.wasted, row.held);
}

/* Writers killed half-way: the reader gets the beginning, then the end. */
TEST_F_TIMEOUT(plain, killed_writers, 60)
{
	static unsigned char buf[64 * KIB];
	char path[32], command[32];
	int i, out, status;
	ssize_t ret;
	pid_t pid;

	for (i = 0; i < 16; i++) {
		size_t done = 0;

		snprintf(command, sizeof(command), "create k%d", i);
		snprintf(path, sizeof(path), "/dev/mqpipe/k%d", i);
		ASSERT_EQ(0, put(CONTROL, command));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			int fd = open(path, O_WRONLY);

			for (;;)
				write_pattern(fd, MIB, 997 * (i + 1));
		}
		out = open(path, O_RDONLY);
		ASSERT_LE(0, out);
		usleep(3000);
		if (i & 1) {
			ret = read(out, buf, 100);
			ASSERT_LT(0, ret);
			done = ret;
		}
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		while ((ret = read(out, buf, sizeof(buf))) > 0) {
			/* Each MiB of the endless stream begins anew. */
			size_t k;

			for (k = 0; k < (size_t)ret; k++)
				ASSERT_EQ(pattern((done + k) % MIB), buf[k]);
			done += ret;
		}
		ASSERT_EQ(0, ret);
		close(out);
	}
}

/* Readers and writers killed at once: nothing stays. */
TEST_F_TIMEOUT(plain, killed_both, 60)
{
	pid_t pids[16];
	char c[100];
	int i;

	for (i = 0; i < 16; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			for (;;) {
				if (i & 1 && read(self->out, c, sizeof(c)) < 0)
					_exit(1);
				if (!(i & 1))
					write_pattern(self->in, 64 * KIB, 1000);
			}
		}
	}
	usleep(100000);
	for (i = 0; i < 16; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	close(self->in);
	close(self->out);
	ASSERT_EQ(0, drained_total());
	ASSERT_TRUE(all_have_left());
}

/* --- Under a quota --- */

/* Wait until a pipe was reclaimed for the n-th time, as the table tells. */
static bool becomes_reclaimed(const char *pipe, unsigned long long n)
{
	struct row row;
	int i;

	for (i = 0; i < 500; i++) {
		/* Counting comes last. */
		if (table(pipe, &row) && !strcmp(row.state, "reclaimed") &&
		    row.reclaims >= n)
			return true;
		usleep(10000);
	}
	return false;
}

/* Q2, Q4: both sides are told; what was read is a prefix, and no more comes. */
TEST_F(quota, q2_reclaimed)
{
	unsigned char buf[8192];
	struct row row;
	int in, out;
	size_t done;
	ssize_t ret;

	ASSERT_EQ(1500 * KIB, write_pattern(self->in, 1500 * KIB, 4096));
	/* Ends inside a segment, whose rest the reader has taken. */
	ASSERT_EQ(5000, read(self->out, buf, 5000));
	ASSERT_TRUE(matches(buf, 0, 5000));
	done = 5000;

	usleep(50000);
	ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
	ASSERT_EQ(700 * KIB, write_pattern(in, 700 * KIB, 4096));
	ASSERT_TRUE(becomes_reclaimed("a", 1));

	ASSERT_TRUE(ready(self->in, POLLOUT, POLLOUT | POLLERR));
	ASSERT_TRUE(ready(self->out, POLLIN, POLLIN | POLLERR));
	ASSERT_EQ(-1, write(self->in, "x", 1));
	ASSERT_EQ(ENOBUFS, errno);
	while ((ret = read(self->out, buf, sizeof(buf))) > 0) {
		ASSERT_TRUE(matches(buf, done, ret));
		done += ret;
	}
	ASSERT_EQ(-1, ret);
	ASSERT_EQ(ENOBUFS, errno);
	ASSERT_EQ(8192, done);
	ASSERT_EQ(-1, read(self->out, buf, 1));
	ASSERT_EQ(ENOBUFS, errno);

	/* The younger one is spared, and whole. */
	ASSERT_TRUE(table("b", &row));
	ASSERT_STREQ("open", row.state);
	for (done = 0; done < 700 * KIB; done += ret) {
		ret = read(out, buf, sizeof(buf));
		ASSERT_LT(0, ret);
		ASSERT_TRUE(matches(buf, done, ret));
	}
	ASSERT_TRUE(table("a", &row));
	ASSERT_EQ(1, row.reclaims);
	ASSERT_EQ(0, row.older);
	close(in);
	close(out);

	/* And it is as good as new. */
	close(self->in);
	close(self->out);
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
	ASSERT_EQ(1, write(self->in, "y", 1));
	ASSERT_EQ(1, read(self->out, buf, 1));
	ASSERT_EQ('y', buf[0]);
}

/* The other way round: the one that is full is not always the victim. */
TEST_F(quota, oldest_not_largest)
{
	struct row row;
	int in, out;

	/* The chunks of one CPU each. */
	pin(0);
	ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
	ASSERT_EQ(600 * KIB, write_pattern(in, 600 * KIB, 4096));
	usleep(50000);
	ASSERT_EQ(900 * KIB, write_pattern(self->in, 900 * KIB, 4096));
	ASSERT_EQ(0, usage("reclaims"));
	/* Without b's, all of it is below low_water, in whole chunks, too. */
	ASSERT_EQ(600 * KIB, write_pattern(self->in, 600 * KIB, 4096));
	ASSERT_TRUE(becomes_reclaimed("b", 1));
	ASSERT_TRUE(table("b", &row));
	ASSERT_EQ(0, row.older);
	close(in);
	close(out);
}

/* An empty pipe has the room for what comes next, and is given up last. */
TEST_F_TIMEOUT(quota, empty_is_not_oldest, 60)
{
	unsigned char buf[4096];
	struct row row;
	int in, out, i;

	for (i = 0; i < 40; i++) {
		ASSERT_EQ(4096, write_pattern(self->in, 4096, 4096));
		ASSERT_EQ(4096, read(self->out, buf, sizeof(buf)));
	}
	ASSERT_TRUE(table("a", &row));
	ASSERT_LE(CHUNK_MAX, row.held);
	for (i = 1; i <= 4; i++) {
		ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
		while (write_pattern(in, 64 * KIB, 4096) == 64 * KIB)
			;
		ASSERT_EQ(ENOBUFS, errno);
		ASSERT_TRUE(becomes_reclaimed("b", i));
		ASSERT_TRUE(table("b", &row));
		ASSERT_EQ(i, row.reclaims);
		close(in);
		close(out);
		/* Long enough to be found holding on to it (R7). */
		usleep(700000);
	}
	ASSERT_TRUE(table("a", &row));
	ASSERT_EQ(0, row.reclaims);
	ASSERT_EQ(4096, write_pattern(self->in, 4096, 4096));
	ASSERT_EQ(4096, read(self->out, buf, sizeof(buf)));
}

TEST_F(quota, q2_poll_wakes)
{
	struct pollfd p = { .fd = self->in, .events = 0 };
	int in, out, status;
	pid_t pid;

	ASSERT_EQ(1500 * KIB, write_pattern(self->in, 1500 * KIB, 4096));
	ASSERT_EQ(0, open_pair(PIPE_B, &in, &out));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(200000);
		_exit(write_pattern(in, 700 * KIB, 4096) != 700 * KIB);
	}
	ASSERT_EQ(1, wait_for(&p));
	ASSERT_EQ(POLLERR, p.revents);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	close(in);
	close(out);
}

/*
 * Many at once, far above the quota: each stream is whole, or its reader has
 * the beginning and ENOBUFS.
 */
TEST_F_TIMEOUT(quota, prefix, 90)
{
	static unsigned char buf[16 * KIB];
	int i, status, given_up = 0, whole = 0;
	char path[32], command[32];
	struct row row;
	pid_t pids[24];

	for (i = 0; i < 24; i++) {
		snprintf(command, sizeof(command), "create p%d", i);
		ASSERT_EQ(0, put(CONTROL, command));
	}
	for (i = 0; i < 24; i++) {
		snprintf(path, sizeof(path), "/dev/mqpipe/p%d", i);
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			int fd = open(path, O_WRONLY);
			size_t done = 0;
			ssize_t ret;

			while (done < MIB && fd >= 0) {
				fill(buf, done, sizeof(buf));
				ret = write(fd, buf, sizeof(buf) - done % sizeof(buf));
				if (ret < 0)
					_exit(errno == ENOBUFS ? 0 : 1);
				done += ret;
				usleep(10000);
			}
			_exit(fd < 0);
		}
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			int fd = open(path, O_RDONLY);
			size_t done = 0;
			ssize_t ret;

			while ((ret = read(fd, buf, 8 * KIB)) > 0) {
				if (!matches(buf, done, ret))
					_exit(3);
				done += ret;
				/* Every fourth is as fast as its writer. */
				usleep((i % 4) * 10000);
			}
			if (ret < 0)
				_exit(errno == ENOBUFS ? 2 : 4);
			_exit(done == MIB ? 0 : 5);
		}
	}
	for (i = 0; i < 24; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		ASSERT_TRUE(WEXITSTATUS(status) == 0 ||
			    WEXITSTATUS(status) == 2) {
			TH_LOG("reader %d: status %d", i, WEXITSTATUS(status));
		}
		whole += WEXITSTATUS(status) == 0;
		given_up += WEXITSTATUS(status) == 2;
	}
	while (wait(&status) > 0)
		ASSERT_EQ(0, status);
	ASSERT_LT(0, whole);
	ASSERT_LT(0, given_up);
	for (i = 0; i < 24; i++) {
		snprintf(path, sizeof(path), "p%d", i);
		ASSERT_TRUE(table(path, &row));
		given_up -= row.reclaims;
	}
	ASSERT_EQ(0, given_up);
}

TEST_HARNESS_MAIN
