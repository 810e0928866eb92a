// SPDX-License-Identifier: GPL-2.0
/*
 * The sample mqpipe, and through it queues (rules Q1 to Q4): pipes that behave
 * as FIFOs do.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "mqpipe.h"

FIXTURE(plain)
{
	int in, out;
};

FIXTURE_SETUP(plain)
{
	set_up_pipes(_metadata, "", &self->in, &self->out);
}

FIXTURE_TEARDOWN_PARENT(plain)
{
	take_down_pipes(_metadata);
}

TEST_F_TIMEOUT(plain, stream_arrives_whole, 60)
{
	static unsigned char buf[40000];
	size_t done = 0, total = 8 * MIB;
	unsigned int seed = 1;
	ssize_t ret;
	pid_t pid;

	START_CHILD(pid) {
		unsigned int sizes = 2;

		close(self->out);
		while (done < total) {
			size_t n = rand_r(&sizes) % 20000 + 1;

			n = n < total - done ? n : total - done;
			fill_pattern(buf, done, n);
			ASSERT_EQ((ssize_t)n, write(self->in, buf, n));
			done += n;
		}
	}
	close(self->in);
	while ((ret = read(self->out, buf, rand_r(&seed) % sizeof(buf) + 1)) > 0) {
		ASSERT_TRUE(matches_pattern(buf, done, ret));
		done += ret;
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(total, done);
	EXPECT_EQ(0, child_wait(pid));
}

/* Writes of PIPE_BUF arrive whole, and those of each writer in order. */
TEST_F_TIMEOUT(plain, two_writers_in_order, 60)
{
	static uint32_t record[1024];
	uint32_t next[2] = { 0, 0 };
	pid_t pids[2];
	int i, w, k;
	ssize_t ret;

	for (w = 0; w < 2; w++) {
		START_CHILD(pids[w]) {
			for (i = 0; i < 500; i++) {
				for (k = 0; k < 1024; k++)
					record[k] = w << 16 | i;
				ASSERT_EQ(4096, write(self->in, record, 4096));
			}
		}
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
		EXPECT_EQ(0, child_wait(pids[w]));
	}
}

TEST_F(plain, nonblocking_calls)
{
	char c;
	int fd;

	/* b has no reader. */
	ASSERT_EQ(-1, open(PIPE_B, O_WRONLY | O_NONBLOCK));
	ASSERT_EQ(ENXIO, errno);
	fd = open(PIPE_B, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fd);
	/* It has no writer. */
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
	/* Writing never waits, even for far more than a FIFO holds. */
	fcntl(self->in, F_SETFL, O_NONBLOCK);
	ASSERT_EQ(4 * MIB, write_pattern(self->in, 4 * MIB, 64 * KIB));
}

/* An open without O_NONBLOCK waits for the other side. */
TEST_F(plain, open_waits)
{
	pid_t pid;
	int fd;
	char c;

	START_CHILD(pid) {
		usleep(100000);
		fd = open(PIPE_B, O_WRONLY);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, write(fd, "x", 1));
	}
	fd = open(PIPE_B, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, read(fd, &c, 1));
	ASSERT_EQ('x', c);
	ASSERT_EQ(0, read(fd, &c, 1));
	EXPECT_EQ(0, child_wait(pid));
	close(fd);
}

TEST_F(plain, poll_wakes_the_reader)
{
	struct pollfd p = { .fd = self->out, .events = POLLIN };
	pid_t pid;
	char c;

	ASSERT_TRUE(poll_returns(self->out, POLLIN, 0));
	ASSERT_TRUE(poll_returns(self->in, POLLOUT, POLLOUT));
	START_CHILD(pid) {
		usleep(100000);
		ASSERT_EQ(2, write(self->in, "xy", 2));
	}
	ASSERT_EQ(1, poll_long(&p));
	ASSERT_EQ(POLLIN, p.revents);
	EXPECT_EQ(0, child_wait(pid));
	ASSERT_EQ(1, read(self->out, &c, 1));
	/* Part of a segment is left. */
	ASSERT_TRUE(poll_returns(self->out, POLLIN, POLLIN));
	ASSERT_EQ(1, read(self->out, &c, 1));
	ASSERT_TRUE(poll_returns(self->out, POLLIN, 0));

	START_CHILD(pid) {
		usleep(100000);
	}
	/* The child has it open as well: it closes it last, as it ends. */
	close(self->in);
	ASSERT_EQ(1, poll_long(&p));
	ASSERT_EQ(POLLHUP, p.revents);
	EXPECT_EQ(0, child_wait(pid));
}

TEST_F(plain, poll_wakes_the_writer)
{
	struct pollfd p = { .fd = self->in, .events = 0 };
	pid_t pid;

	START_CHILD(pid) {
		usleep(100000);
	}
	close(self->out);
	ASSERT_EQ(1, poll_long(&p));
	ASSERT_EQ(POLLERR, p.revents);
	EXPECT_EQ(0, child_wait(pid));
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	signals++;
}

/* Q3: without its receiver, a queue is freed, and sending fails. */
TEST_F(plain, q3_reader_goes)
{
	signal(SIGPIPE, count_signal);
	ASSERT_EQ(MIB, write_pattern(self->in, MIB, 4096));
	ASSERT_LE((long long)MIB, usage_of("total"));
	close(self->out);
	/* But for the chunks that CPUs were writing to. */
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

TEST_F(plain, reopened_pipe_is_empty)
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

/* A fault loses no data. */
TEST_F(plain, fault_loses_nothing)
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
	ASSERT_TRUE(matches_pattern(buf, 0, 8));
}

TEST_F(plain, splice_in_and_out)
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
			ASSERT_TRUE(matches_pattern(buf, done, n));
			done += n;
			ret -= n;
		}
	}
}

TEST_F(plain, control_creates_and_removes)
{
	ASSERT_EQ(-EEXIST, write_file(CONTROL, "create a"));
	ASSERT_EQ(-EEXIST, write_file(CONTROL, "create control"));
	ASSERT_EQ(-EINVAL, write_file(CONTROL, "create "));
	ASSERT_EQ(-EINVAL, write_file(CONTROL, "create ../x"));
	ASSERT_EQ(-EINVAL, write_file(CONTROL, "create x y"));
	ASSERT_EQ(-EINVAL, write_file(CONTROL,
				      "create 123456789012345678901234"));
	ASSERT_EQ(-EINVAL, write_file(CONTROL, "destroy a"));
	ASSERT_EQ(-ENOENT, write_file(CONTROL, "remove x"));
	ASSERT_EQ(0, write_file(CONTROL, "remove b"));
	ASSERT_NE(0, access(PIPE_B, F_OK));
	ASSERT_EQ(0, write_file(CONTROL, "create b"));
	ASSERT_EQ(0, access(PIPE_B, F_OK));
}

/* A removed pipe lasts as long as it is open. */
TEST_F(plain, removed_while_open)
{
	int fd, in = self->in, out = self->out;
	char c;

	ASSERT_EQ(0, write_file(CONTROL, "remove a"));
	ASSERT_EQ(1, write(self->in, "x", 1));
	ASSERT_EQ(0, write_file(CONTROL, "create a"));
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
	ASSERT_EQ(0, unload_module("mqpipe"));
	ASSERT_EQ(0, drained_total());
	ASSERT_TRUE(participants_leave());
	ASSERT_NE(0, access(PIPE_A, F_OK));
	ASSERT_EQ(0, load_module("mqpipe", ""));
	ASSERT_EQ(0, write_file(CONTROL, "create a"));
	ASSERT_EQ(0, open_pair(PIPE_A, &self->in, &self->out));
	ASSERT_EQ(MIB, write_pattern(self->in, MIB, 4096));
}

/*
 * T3: what a CPU has charged in advance is uncharged, and the total is exactly
 * what the arena counts. N11: the CPU's chunk is let go.
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
	pin_to_cpu(0, 0);
	ASSERT_EQ(sizeof(buf), write(self->in, buf, sizeof(buf)));
	for (cpu = 1; cpu < n; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		pin_to_cpu(0, cpu);
		for (i = 0; i < 10; i++)
			ASSERT_EQ(sizeof(buf), write(self->in, buf, sizeof(buf)));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(sizeof(buf), read(self->out, buf, sizeof(buf)));
		pin_to_cpu(0, 0);
		ASSERT_TRUE(read_row("a", &row));
		EXPECT_LT((long long)row.held, usage_of("total"));
		ASSERT_EQ(0, write_file(path, "0"));
		/* Only the CPUs that are left can drain. */
		ASSERT_TRUE(read_row("a", &row));
		EXPECT_LE(sizeof(buf) * cpu * 7, row.held);
		EXPECT_EQ((long long)row.held, drained_total());
		EXPECT_EQ(0, usage_of("shares"));
	}
	for (cpu = 1; cpu < n; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		ASSERT_EQ(0, write_file(path, "1"));
		pin_to_cpu(0, cpu);
		for (i = 0; i < 7; i++)
			ASSERT_EQ(sizeof(buf), read(self->out, buf, sizeof(buf)));
		ASSERT_TRUE(read_row("a", &row));
		EXPECT_EQ((long long)row.held, drained_total());
	}
}

/*
 * N3, C5: writers on all CPUs allocate at once, a reader on another CPU puts
 * the references, and all memory is found again.
 */
TEST_F_TIMEOUT(plain, n3_writers_on_all_cpus, 60)
{
	static unsigned char buf[4096];
	int n = sysconf(_SC_NPROCESSORS_ONLN), cpu, i;
	pid_t pids[256];
	size_t done = 0;
	struct row row;
	ssize_t ret;

	ASSERT_GE(256, n);
	for (cpu = 0; cpu < n; cpu++) {
		START_CHILD(pids[cpu]) {
			pin_to_cpu(0, cpu);
			memset(buf, cpu, sizeof(buf));
			for (i = 0; i < 1000; i++)
				ASSERT_EQ(sizeof(buf),
					  write(self->in, buf, sizeof(buf)));
		}
	}
	close(self->in);
	for (i = 0; (ret = read(self->out, buf, sizeof(buf))) > 0; i++) {
		ASSERT_EQ(sizeof(buf), ret);
		ASSERT_GT(n, buf[0]);
		ASSERT_EQ(0, memcmp(buf, buf + 1, sizeof(buf) - 1));
		done += ret;
		if (i % 100 == 0)
			pin_to_cpu(0, i / 100 % n);
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(n * 1000 * sizeof(buf), done);
	for (cpu = 0; cpu < n; cpu++)
		EXPECT_EQ(0, child_wait(pids[cpu]));
	ASSERT_TRUE(read_row("a", &row));
	EXPECT_LE(row.wasted, row.held);
}

/* A writer is killed: the reader gets what it wrote, and then the end. */
TEST_F_TIMEOUT(plain, killed_writers, 60)
{
	static unsigned char buf[64 * KIB];
	char path[32], command[32];
	int i, out;
	ssize_t ret;
	pid_t pid;

	for (i = 0; i < 16; i++) {
		size_t done = 0;

		snprintf(command, sizeof(command), "create k%d", i);
		snprintf(path, sizeof(path), "/dev/mqpipe/k%d", i);
		ASSERT_EQ(0, write_file(CONTROL, command));
		START_CHILD(pid) {
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
		EXPECT_EQ(SIGKILL, child_kill(pid, SIGKILL));
		while ((ret = read(out, buf, sizeof(buf))) > 0) {
			/* Each MiB of the endless stream begins anew. */
			size_t k;

			for (k = 0; k < (size_t)ret; k++)
				ASSERT_EQ(pattern_byte((done + k) % MIB),
					  buf[k]);
			done += ret;
		}
		ASSERT_EQ(0, ret);
		close(out);
	}
}

/* Readers and writers are killed at once: nothing stays charged. */
TEST_F_TIMEOUT(plain, killed_readers_and_writers, 60)
{
	pid_t pids[16];
	char c[100];
	int i;

	for (i = 0; i < 16; i++) {
		START_CHILD(pids[i]) {
			for (;;) {
				if (!(i & 1))
					write_pattern(self->in, 64 * KIB, 1000);
				else
					ASSERT_LE(0, read(self->out, c, 100));
			}
		}
	}
	usleep(100000);
	for (i = 0; i < 16; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(SIGKILL, child_wait(pids[i]));
	close(self->in);
	close(self->out);
	ASSERT_EQ(0, drained_total());
	ASSERT_TRUE(participants_leave());
}

TEST_HARNESS_MAIN
