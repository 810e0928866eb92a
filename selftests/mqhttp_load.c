// SPDX-License-Identifier: GPL-2.0
/*
 * The sample mqhttp while clients send requests all the time: reading its
 * history, unloading it, reclaim, and refused memory.
 */
#include "mqhttp.h"

static bool is_emulated(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool found = false;
	char line[256];

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "QEMU TCG");
	if (f)
		fclose(f);
	return found;
}

/*
 * Send requests from a number of processes, until they are killed. A connection
 * sends no more than a receiver's first window takes, even if nobody reads: TCP
 * divides a request to probe a window that is too small for it.
 */
static void start_talkers(struct __test_metadata *_metadata, pid_t *pids, int n,
			  const struct text *text)
{
	size_t sent;
	int i, fd;

	for (i = 0; i < n; i++) {
		START_CHILD(pids[i]) {
			for (;;) {
				fd = connect_to_server();
				sent = 0;
				/* A slow machine has other things to do. */
				while (fd >= 0 && sent < 40 * KIB &&
				       send_data(fd, text->at, text->len)) {
					sent += text->len;
					usleep(2000);
				}
				close(fd);
			}
		}
	}
}

static void stop_talkers(pid_t *pids, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < n; i++)
		child_wait(pids[i]);
	requests_settle();
}

/* N2: references keep a summary that is read while it is pushed out. */
TEST_F_TIMEOUT(http, n2_read_meanwhile, 240)
{
	struct line line;
	pid_t pids[4];
	int i;

	browser_request(&self->text, "/shoes");
	start_talkers(_metadata, pids, 4, &self->text);
	EXPECT_TRUE(stat_reaches("requests", 1));
	for (i = 0; i < 100; i++) {
		if (read_history(i * 2, &line)) {
			EXPECT_STREQ("GET shop.example /shoes", line.request);
			EXPECT_EQ(OBJECTS(BROWSER_FIELDS), line.objects);
		}
		EXPECT_LE(0, stat_of("requests"));
	}
	EXPECT_LE(OBJECTS(0), read_value(FILES "compare", "objects"));
	stop_talkers(pids, 4);
	EXPECT_EQ(requests_seen(), stat_of("resets"));
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(0, stat_of("malformed"));
}

/* An open file keeps the module. */
TEST_F(http, unload_while_read)
{
	int fd = open(FILES "requests", O_RDONLY);
	char c;

	ASSERT_LE(0, fd);
	EXPECT_EQ(1, read(fd, &c, 1));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "mqhttp", O_NONBLOCK));
	EXPECT_TRUE(errno == EWOULDBLOCK || errno == EBUSY);
	EXPECT_EQ(1, read(fd, &c, 1));
	close(fd);
}

/*
 * The first hook to come and the last to go patch the kernel's text. QEMU's
 * emulator may run the intermediate text even after all CPUs were told, which
 * is an oops: in it, all processes of the case stay on one CPU.
 */
TEST_F_TIMEOUT(http, unload_while_they_talk, 240)
{
	pid_t pids[4];
	int i;

	if (is_emulated()) {
		pin_to_cpu(0, 0);
		pin_to_cpu(self->server, 0);
	}
	browser_request(&self->text, "/shoes");
	start_talkers(_metadata, pids, 4, &self->text);
	for (i = 0; i < 5; i++) {
		EXPECT_TRUE(stat_reaches("requests", 10));
		ASSERT_EQ(0, unload_module("mqhttp"));
		EXPECT_EQ(0, drained_total());
		EXPECT_EQ(0, usage_of("participants"));
		ASSERT_EQ(0, load_module("mqhttp", ""));
	}
	stop_talkers(pids, 4);
}

/* R5: the history is given up, and begins anew. Requests are still parsed. */
TEST_F_TIMEOUT(http, r5_history_is_given_up, 240)
{
	long long before;
	pid_t pids[4];
	int i;

	greedy_request(&self->text);
	start_talkers(_metadata, pids, 4, &self->text);
	for (i = 0; i < 300 && stat_of("history_summaries") < HISTORY_MAX; i++)
		usleep(10000);
	before = stat_of("history_given_up");
	ASSERT_EQ(0, write_file(PARAMETERS "high", "220K"));
	EXPECT_TRUE(stat_reaches("history_given_up", before + 1));
	before = stat_of("requests");
	EXPECT_TRUE(stat_reaches("requests", before + 100));
	stop_talkers(pids, 4);
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(0, stat_of("history_lost"));
}

/* T9: requests that get no memory are counted, and later ones get it again. */
TEST_F_TIMEOUT(http, t9_refused_memory, 240)
{
	long long before;
	pid_t pids[4];
	int i;

	ASSERT_EQ(0, write_file(PARAMETERS "max", "220K"));
	greedy_request(&self->text);
	start_talkers(_metadata, pids, 4, &self->text);
	for (i = 0; i < 1000 && requests_seen() < 400; i++)
		usleep(10000);
	stop_talkers(pids, 4);
	EXPECT_LE(400, requests_seen());
	TH_LOG("%lld of %lld were refused", stat_of("failed"), requests_seen());

	ASSERT_EQ(0, write_file(PARAMETERS "max", "0"));
	before = stat_of("requests");
	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(send_alone(self->text.at, self->text.len));
	EXPECT_TRUE(stat_becomes("requests", before + 1));
}

TEST_HARNESS_MAIN
