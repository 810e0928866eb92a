// SPDX-License-Identifier: GPL-2.0
/*
 * The sample mqhttp, and through it arenas that are reset (rules N1 to N5):
 * requests over loopback, of browsers and of enemies.
 *
 * Each test loads memquota and the sample, from /modules or $MODULES, and
 * unloads them. Unloading is the last check of each. A kernel without netfilter
 * has no such sample; all is skipped there.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "modules.h"

#define FILES		"/sys/kernel/debug/mqhttp/"
#define PARAMETERS	"/sys/module/memquota/parameters/"
#define KIB		1024ul

/* As in mqhttp.c. */
#define HEAD_MAX	(16 * KIB)
#define FIELDS_MAX	1024
#define HISTORY_MAX	256

/* --- What the sample says --- */

static long long value_in(const char *file, const char *key)
{
	char path[64], name[32], text[32];
	long long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), FILES "%s", file);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fscanf(f, "%31s %31s", name, text) == 2)
		if (!strcmp(name, key))
			value = atoll(text);
	fclose(f);
	return value;
}

static long long stat_of(const char *key)
{
	return value_in("stats", key);
}

/* A packet may have to wait for what was sent before it. */
static bool becomes(const char *key, long long value)
{
	int tries;

	for (tries = 0; tries < 500 && stat_of(key) != value; tries++)
		usleep(10000);
	return stat_of(key) == value;
}

/* Requests of any kind that it has seen. */
static long long seen(void)
{
	return stat_of("requests") + stat_of("malformed") + stat_of("failed");
}

/* Wait until what is on its way has arrived; each had its reset. */
static bool becomes_quiet(void)
{
	long long before = -1, now = seen();
	int tries;

	for (tries = 0; tries < 100 && now != before; tries++) {
		before = now;
		usleep(100000);
		now = seen();
	}
	return now == before && stat_of("resets") == now;
}

struct line {
	unsigned int params, headers, cookies, objects, bytes;
	char state[16], request[256];
};

/* The n-th line of the history, from the oldest; negative: from the youngest. */
static bool history(int n, struct line *line)
{
	char text[HISTORY_MAX + 2][512];
	FILE *f = fopen(FILES "requests", "r");
	int lines = 0;

	if (!f)
		return false;
	while (lines < HISTORY_MAX + 2 &&
	       fgets(text[lines], sizeof(text[lines]), f))
		lines++;
	fclose(f);
	/* The first has the names of the columns. */
	n += n < 0 ? lines : 1;
	return n > 0 && n < lines &&
	       sscanf(text[n], "%*s %u %u %u %u %u %15s %255[^\n]",
		      &line->params, &line->headers, &line->cookies,
		      &line->objects, &line->bytes, line->state,
		      line->request) == 7;
}

/* --- The machine --- */

static void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

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

/* --- Clients, and a server --- */

static struct sockaddr_in address = { .sin_family = AF_INET };

/* Reads whatever comes, and never answers. Returns its process. */
static pid_t serve(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char buf[64 * KIB];
	socklen_t len = sizeof(address);
	pid_t pid;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	pid = fork();
	while (!pid) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			_exit(1);
		if (fork()) {
			close(peer);
			continue;
		}
		while (read(peer, buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	close(fd);
	return pid;
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool say(int fd, const char *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* On a connection of its own: it begins a packet. */
static bool say_alone(const char *data, size_t len)
{
	int fd = dial();
	bool said = fd >= 0 && say(fd, data, len);

	close(fd);
	return said;
}

/* --- Requests --- */

struct text {
	size_t len;
	char at[128 * KIB];
};

__attribute__((format(printf, 2, 3)))
static void add(struct text *text, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	text->len += vsnprintf(text->at + text->len,
			       sizeof(text->at) - text->len, fmt, args);
	va_end(args);
}

#define BROWSER_PARAMS	20
#define BROWSER_COOKIES	40
#define BROWSER_HEADERS	20
#define BROWSER_FIELDS	(BROWSER_PARAMS + BROWSER_COOKIES + BROWSER_HEADERS)
/* A field and its two strings; the request, its text, method and path. */
#define OBJECTS(fields)	(3 * (fields) + 4)

/* What a browser sends to a shop that keeps much in cookies. */
static void browser_request(struct text *text, const char *path)
{
	static const char * const params[] = {
		"q", "page", "sort", "category", "brand", "price_min",
		"price_max", "colour", "size", "utm_source", "utm_medium",
		"utm_campaign", "ref", "session", "lang", "currency", "view",
		"per_page", "in_stock", "gclid",
	};
	int i;

	text->len = 0;
	add(text, "GET %s?", path);
	for (i = 0; i < BROWSER_PARAMS; i++)
		add(text, "%s%s=%s%d", i ? "&" : "", params[i],
		    i % 3 ? "v" : "red+leather%20shoes", i * 37);
	add(text, " HTTP/1.1\r\nHost: shop.example\r\n"
	    "Connection: keep-alive\r\nCache-Control: max-age=0\r\n"
	    "sec-ch-ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"8\"\r\n"
	    "sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n"
	    "DNT: 1\r\nUpgrade-Insecure-Requests: 1\r\n"
	    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n"
	    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
	    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n"
	    "Sec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"
	    "Referer: http://shop.example/shoes?page=2\r\n"
	    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
	    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
	    "If-None-Match: W/\"5f3c-1a2b3c4d5e6f\"\r\n"
	    "X-Requested-With: XMLHttpRequest\r\nCookie: ");
	for (i = 0; i < BROWSER_COOKIES; i++)
		add(text, "%s%s%d=%s%x", i ? "; " : "",
		    i % 4 ? "_pref" : "__Secure-session", i,
		    i % 5 ? "1." : "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
		    0x1234567 * (i + 1));
	add(text, "\r\n\r\n");
}

/* Far more than a request is to have, and all of it fields. */
static void greedy_request(struct text *text)
{
	int i;

	text->len = 0;
	add(text, "GET /?");
	for (i = 0; i < 2 * FIELDS_MAX; i++)
		add(text, "a&");
	add(text, " HTTP/1.1\r\n\r\n");
}

/* --- Fixtures --- */

static int set_up(const char *limits)
{
	int err;

	signal(SIGPIPE, SIG_IGN);
	if (loaded("mqhttp"))
		unload("mqhttp");
	if (loaded("memquota"))
		unload("memquota");
	err = load("memquota", limits);
	if (!err)
		err = load("mqhttp", "");
	return err;
}

FIXTURE(http) {
	pid_t server;
	struct text text;
};

FIXTURE_VARIANT(http) {
	const char *limits;
};

FIXTURE_VARIANT_ADD(http, unlimited) {
	.limits = "",
};

/* All that it has is more than this. */
FIXTURE_VARIANT_ADD(http, short_of_quota) {
	.limits = "high=164K low_water=160K",
};

FIXTURE_SETUP(http)
{
	if (access(module_path("mqhttp"), F_OK))
		SKIP(return, "no mqhttp.ko, as of a kernel without netfilter");
	ASSERT_EQ(0, set_up(variant->limits));
	self->server = serve();
	ASSERT_LT(0, self->server);
}

FIXTURE_TEARDOWN(http)
{
	kill(self->server, SIGKILL);
	waitpid(self->server, NULL, 0);
	if (loaded("mqhttp"))
		EXPECT_EQ(0, unload("mqhttp"));
	EXPECT_EQ(0, drained_total());
	EXPECT_EQ(0, usage("participants"));
	EXPECT_EQ(0, unload("memquota"));
	/* As the next test program finds it. */
	EXPECT_EQ(0, load("memquota", ""));
}

/* --- Requests as they are to be --- */

TEST_F(http, browser)
{
	struct line line;

	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(say_alone(self->text.at, self->text.len));
	ASSERT_TRUE(becomes("requests", 1));
	EXPECT_EQ(0, stat_of("partial"));
	EXPECT_EQ(0, stat_of("malformed"));
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(1, stat_of("resets"));
	EXPECT_EQ(BROWSER_FIELDS, stat_of("fields"));
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), stat_of("objects"));
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), stat_of("objects_per_request"));
	EXPECT_LT(2 * (long long)self->text.len, stat_of("object_bytes"));

	ASSERT_TRUE(history(-1, &line));
	EXPECT_EQ(BROWSER_PARAMS, line.params);
	EXPECT_EQ(BROWSER_HEADERS, line.headers);
	EXPECT_EQ(BROWSER_COOKIES, line.cookies);
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), line.objects);
	EXPECT_STREQ("whole", line.state);
	EXPECT_STREQ("GET shop.example /shoes", line.request);
}

/* N5: once the chunk is large enough for a request, a reset is all it takes. */
TEST_F_TIMEOUT(http, n5_resets_take_no_chunks, 90)
{
	long long chunks, hits;
	int fd = dial(), i;

	pin(0, 0);
	browser_request(&self->text, "/shoes");
	ASSERT_LE(0, fd);
	for (i = 1; i <= 50; i++) {
		ASSERT_TRUE(say(fd, self->text.at, self->text.len));
		ASSERT_TRUE(becomes("requests", i));
	}
	chunks = stat_of("chunks");
	hits = stat_of("cache_hits");
	EXPECT_LT(0, chunks);
	for (; i <= 200; i++) {
		ASSERT_TRUE(say(fd, self->text.at, self->text.len));
		ASSERT_TRUE(becomes("requests", i));
	}
	EXPECT_EQ(200, stat_of("resets"));
	EXPECT_EQ(200 * OBJECTS(BROWSER_FIELDS), stat_of("objects"));
	/* An acknowledgment on another CPU may have sent some of them. */
	EXPECT_GE(chunks + 8 * 8, stat_of("chunks"));
	EXPECT_GE(hits + 8 * 8, stat_of("cache_hits"));
	close(fd);
}

/* N4: the chunks of summaries that went come back. */
TEST_F_TIMEOUT(http, n4_history_is_bounded, 90)
{
	int fd = dial(), i, total = 6 * HISTORY_MAX;
	char expected[256], pad[101];
	struct line line;

	ASSERT_LE(0, fd);
	memset(pad, 'x', sizeof(pad));
	pad[100] = '\0';
	for (i = 1; i <= total; i++) {
		self->text.len = 0;
		add(&self->text, "HEAD /%d%s HTTP/1.1\r\nHost: %.60s\r\n\r\n",
		    i, pad, pad);
		ASSERT_TRUE(say(fd, self->text.at, self->text.len));
		ASSERT_TRUE(becomes("requests", i));
	}
	close(fd);
	EXPECT_EQ(0, stat_of("history_lost"));
	if (!stat_of("history_given_up")) {
		EXPECT_EQ(HISTORY_MAX, stat_of("history_summaries"));
		EXPECT_LT(0, stat_of("history_cache_hits"));
		ASSERT_TRUE(history(0, &line));
		snprintf(expected, sizeof(expected), "HEAD %.60s /%d%s", pad,
			 total - HISTORY_MAX + 1, pad);
		EXPECT_STREQ(expected, line.request);
	}
	ASSERT_TRUE(history(-1, &line));
	snprintf(expected, sizeof(expected), "HEAD %.60s /%d%s", pad, total,
		 pad);
	EXPECT_STREQ(expected, line.request);
	/* Two chunks of the largest class, and one on its way. */
	EXPECT_GE(192 * KIB, stat_of("history_held_bytes"));
}

TEST_F_TIMEOUT(http, compare, 90)
{
	FILE *f = fopen(FILES "compare", "r");
	char text[128];

	ASSERT_NE(NULL, f);
	ASSERT_EQ(NULL, fgets(text, sizeof(text), f));
	ASSERT_EQ(ENODATA, errno);
	fclose(f);

	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(say_alone(self->text.at, self->text.len));
	ASSERT_TRUE(becomes("requests", 1));
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), value_in("compare", "objects"));
	EXPECT_LT(0, value_in("compare", "kmalloc_ns_per_request"));
	EXPECT_LT(0, value_in("compare", "arena_ns_per_request"));
	f = fopen(FILES "compare", "r");
	ASSERT_NE(NULL, f);
	while (fgets(text, sizeof(text), f))
		TH_LOG("%.*s", (int)strcspn(text, "\n"), text);
	fclose(f);
	/* It leaves no trace. */
	EXPECT_EQ(1, stat_of("requests"));
	EXPECT_EQ(1, stat_of("resets"));
}

/* --- And as they are not --- */

struct hostile {
	const char *text;
	size_t len;
	int requests, partial, malformed, fields;
};

#define HOSTILE(text, ...) { text, sizeof(text) - 1, __VA_ARGS__ }

static const struct hostile hostiles[] = {
	/* No request, and not taken for one */
	HOSTILE("", 0, 0, 0, 0),
	HOSTILE("G", 0, 0, 0, 0),
	HOSTILE("GET", 0, 0, 0, 0),
	HOSTILE("get / HTTP/1.1\r\n\r\n", 0, 0, 0, 0),
	HOSTILE("\r\nGET / HTTP/1.1\r\n\r\n", 0, 0, 0, 0),
	HOSTILE("OPTIONS", 0, 0, 0, 0),
	/* Begins as one */
	HOSTILE("GET ", 0, 0, 1, 0),
	HOSTILE("OPTIONS ", 0, 0, 1, 0),
	HOSTILE("GET \r\n\r\n", 0, 0, 1, 0),
	HOSTILE("GET / HTTP/1.1", 0, 0, 1, 0),
	HOSTILE("GET / HTTP/2.0\r\n\r\n", 0, 0, 1, 0),
	HOSTILE("GET / HTTP/1.1 \r\n\r\n", 0, 0, 1, 0),
	HOSTILE("GET /\r\n\r\n", 0, 0, 1, 0),
	HOSTILE("GET  HTTP/1.1\r\n\r\n", 0, 0, 1, 0),
	HOSTILE("GET / / HTTP/1.1\r\n\r\n", 0, 0, 1, 0),
	HOSTILE("GET\x20\n", 0, 0, 1, 0),
	HOSTILE("GET ? ? ?\n\n", 0, 0, 1, 0),
	HOSTILE("GET \0\0\0\0\n\n", 0, 0, 1, 0),
	/* Is one, as far as it goes */
	HOSTILE("GET / HTTP/1.1\r\n", 1, 1, 0, 0),
	HOSTILE("GET / HTTP/1.1\r\nHost: a", 1, 1, 0, 0),
	HOSTILE("GET / HTTP/1.1\r\nHost: a\r\n", 1, 1, 0, 1),
	HOSTILE("GET / HTTP/1.1\r\nHost: a\r\n\r", 1, 1, 0, 1),
	/* Is a whole one */
	HOSTILE("GET / HTTP/1.1\n\n", 1, 0, 0, 0),
	HOSTILE("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\n\r\n", 1, 0, 0, 0),
	HOSTILE("GET ? HTTP/1.1\r\n\r\n", 1, 0, 0, 0),
	HOSTILE("GET /?&&&=&a&a=&=b HTTP/1.1\r\n\r\n", 1, 0, 0, 2),
	HOSTILE("GET /%?%=%&x%41=%00%ff%4&%=%4 HTTP/1.1\r\n\r\n", 1, 0, 0, 3),
	HOSTILE("GET / HTTP/1.1\r\n:\r\n: v\r\nno colon\r\n \t \r\n\r\n",
		1, 0, 0, 0),
	HOSTILE("GET / HTTP/1.1\r\nCookie:\r\nCOOKIE: ;;=;a;b=;\r\n\r\n",
		1, 0, 0, 4),
	HOSTILE("GET / HTTP/1.1\r\nCookiE:a\r\nCookies: a=b\r\n\r\n",
		1, 0, 0, 3),
	HOSTILE("GET /\0a\0 HTTP/1.1\r\nHo\0st: \0\r\n\0: \0\r\n\r\n",
		1, 0, 0, 2),
	HOSTILE("GET /\x1b[2J\xff HTTP/1.1\r\nHost: a b\tc\x7f\r\n\r\n",
		1, 0, 0, 1),
};

TEST_F_TIMEOUT(http, hostile, 90)
{
	int requests = 0, partial = 0, malformed = 0, fields = 0;
	const struct hostile *h = hostiles;
	struct line line;

	for (; h < hostiles + sizeof(hostiles) / sizeof(*hostiles); h++) {
		requests += h->requests;
		partial += h->partial;
		malformed += h->malformed;
		fields += h->fields;
		ASSERT_TRUE(say_alone(h->text, h->len));
		ASSERT_TRUE(becomes("requests", requests)) {
			TH_LOG("requests: %s", h->text);
		}
		ASSERT_TRUE(becomes("malformed", malformed)) {
			TH_LOG("malformed: %s", h->text);
		}
		ASSERT_EQ(partial, stat_of("partial")) {
			TH_LOG("partial: %s", h->text);
		}
		ASSERT_EQ(fields, stat_of("fields")) {
			TH_LOG("fields: %s", h->text);
		}
	}
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(requests + malformed, stat_of("resets"));
	/* Nothing of the last one gets to a terminal. */
	ASSERT_TRUE(history(-1, &line));
	EXPECT_STREQ("GET a?b?c? /?[2J?", line.request);
}

TEST_F_TIMEOUT(http, large, 90)
{
	struct text *text = &self->text;
	struct line line;
	int i;

	/* A header of 60 KiB: only the first line is whole. */
	add(text, "GET /header HTTP/1.1\r\nX: ");
	memset(text->at + text->len, 'a', 60 * KIB);
	text->len += 60 * KIB;
	add(text, "\r\n\r\n");
	ASSERT_TRUE(say_alone(text->at, text->len));
	ASSERT_TRUE(becomes("requests", 1));
	ASSERT_TRUE(history(-1, &line));
	EXPECT_STREQ("GET /header", line.request);
	EXPECT_STREQ("partial", line.state);
	EXPECT_EQ(OBJECTS(0), line.objects);

	/* A path that fills what is looked at. */
	text->len = 0;
	add(text, "GET /");
	memset(text->at + text->len, 'a', HEAD_MAX);
	text->len += HEAD_MAX;
	add(text, " HTTP/1.1\r\n\r\n");
	ASSERT_TRUE(say_alone(text->at, text->len));
	ASSERT_TRUE(becomes("malformed", 1));

	/* The same with just enough room. */
	text->len = HEAD_MAX - strlen(" HTTP/1.1\r\n\r\n");
	add(text, " HTTP/1.1\r\n\r\n");
	ASSERT_EQ(HEAD_MAX, text->len);
	ASSERT_TRUE(say_alone(text->at, text->len));
	ASSERT_TRUE(becomes("requests", 2));
	ASSERT_TRUE(history(-1, &line));
	EXPECT_STREQ("whole", line.state);
	EXPECT_EQ(strlen("GET /") + 127, strlen(line.request));

	/* Too many fields. */
	greedy_request(text);
	ASSERT_TRUE(say_alone(text->at, text->len));
	ASSERT_TRUE(becomes("requests", 3));
	ASSERT_TRUE(history(-1, &line));
	EXPECT_EQ(FIELDS_MAX, line.params);
	EXPECT_STREQ("partial", line.state);

	/* Many cookies, in a header each. */
	text->len = 0;
	add(text, "GET /cookies HTTP/1.1\r\n");
	for (i = 0; i < 400; i++)
		add(text, "Cookie: c%d=%d\r\n", i, i);
	add(text, "\r\n");
	ASSERT_TRUE(say_alone(text->at, text->len));
	ASSERT_TRUE(becomes("requests", 4));
	ASSERT_TRUE(history(-1, &line));
	EXPECT_EQ(400, line.headers);
	EXPECT_EQ(400, line.cookies);

	/* 64 KiB that are none of its business. */
	text->len = 0;
	add(text, "POST /body HTTP/1.1\r\nContent-Length: 65536\r\n\r\n");
	memset(text->at + text->len, 0, 64 * KIB);
	text->len += 64 * KIB;
	ASSERT_TRUE(say_alone(text->at, text->len));
	ASSERT_TRUE(becomes("requests", 5));
	ASSERT_TRUE(history(-1, &line));
	EXPECT_STREQ("whole", line.state);
	EXPECT_EQ(1, line.headers);
}

/* What is in further packets is not waited for. */
TEST_F(http, split)
{
	static const char first[] = "GET / HTTP/1.1\r\nHost: a\r\nCoo";
	static const char second[] = "kie: x=y\r\n\r\n";
	int fd = dial(), i;

	ASSERT_LE(0, fd);
	ASSERT_TRUE(say(fd, first, strlen(first)));
	ASSERT_TRUE(becomes("requests", 1));
	ASSERT_TRUE(say(fd, second, strlen(second)));
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(say(fd, &first[i % 20], 1));
	close(fd);
	EXPECT_TRUE(becomes_quiet());
	EXPECT_EQ(1, stat_of("requests"));
	EXPECT_EQ(1, stat_of("partial"));
	EXPECT_EQ(1, stat_of("fields"));
	EXPECT_EQ(0, stat_of("malformed"));
}

/* What gets lost is seen when it is sent first, and not again. */
TEST_F_TIMEOUT(http, sent_again, 90)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { .len = 1, .filter = &nothing };
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd, peer, tries;
	struct tcp_info info = {};
	socklen_t len = sizeof(address);

	address.sin_port = 0;
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&address, len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&address, &len));
	fd = dial();
	peer = accept(listener, NULL, NULL);
	ASSERT_LE(0, peer);
	ASSERT_EQ(0, setsockopt(peer, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
				sizeof(filter)));
	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(say(fd, self->text.at, self->text.len));
	for (tries = 0; tries < 1000 && info.tcpi_total_retrans < 3; tries++) {
		usleep(10000);
		len = sizeof(info);
		ASSERT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info,
					&len));
	}
	EXPECT_LE(3, info.tcpi_total_retrans);
	EXPECT_EQ(1, stat_of("requests"));
	EXPECT_EQ(1, seen());
	close(peer);
	close(fd);
	close(listener);
}

/* A browser's request, with bytes of it wrong, and not all of it there. */
TEST_F_TIMEOUT(http, random_damage, 110)
{
	static const char bytes[] = "\r\n\r\n  ?&=%;:+\t\0\xff";
	static struct text damaged;
	unsigned int seed = 1;
	int i, k, n;

	browser_request(&self->text, "/shoes");
	for (i = 0; i < 200; i++) {
		damaged = self->text;
		n = rand_r(&seed) % (i & 2 ? 200 : 8);
		for (k = 0; k < n; k++)
			damaged.at[4 + rand_r(&seed) % (damaged.len - 4)] =
				bytes[rand_r(&seed) % sizeof(bytes)];
		if (i & 1)
			damaged.len = 4 + rand_r(&seed) % (damaged.len - 4);
		ASSERT_TRUE(say_alone(damaged.at, damaged.len));
	}
	for (k = 0; k < 500 && seen() < i; k++)
		usleep(10000);
	EXPECT_EQ(i, seen());
	EXPECT_EQ(i, stat_of("resets"));
	EXPECT_EQ(0, stat_of("failed"));
	TH_LOG("%lld of %d were requests", stat_of("requests"), i);
}

/* Headers of packets that no stack has made. */
TEST_F(http, raw_packets)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct {
		struct iphdr ip;
		char rest[104];
	} packet = {
		.ip = {
			.version = 4,
			.ttl = 64,
			.protocol = IPPROTO_TCP,
		},
	};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), ihl, doff;
	size_t len;

	ASSERT_LE(0, fd);
	packet.ip.daddr = to.sin_addr.s_addr;
	packet.ip.saddr = to.sin_addr.s_addr;
	for (ihl = 5; ihl <= 15; ihl += 5) {
		for (doff = 0; doff <= 15; doff++) {
			for (len = sizeof(packet.ip); len <= sizeof(packet);
			     len += 4) {
				packet.ip.ihl = ihl;
				memset(packet.rest, 'G', sizeof(packet.rest));
				packet.rest[ihl * 4 - 20 + 12] = doff << 4;
				if (doff >= 5)
					memcpy((char *)&packet + 4 * ihl +
					       (4 * doff > 40 ? 40 : 4 * doff),
					       "GET ", 4);
				/* Some are refused. */
				sendto(fd, &packet, len, 0,
				       (struct sockaddr *)&to, sizeof(to));
			}
		}
	}
	close(fd);
	EXPECT_EQ(0, stat_of("requests"));
	EXPECT_LT(0, stat_of("malformed"));
	EXPECT_EQ(stat_of("malformed"), stat_of("resets"));
}

/* --- All at once --- */

/* Send requests from a number of processes, until they are killed. */
static void talk(pid_t *pids, int n, const struct text *text)
{
	int i, fd;

	for (i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (;;) {
			fd = dial();
			/* A machine that is slow has other things to do. */
			while (fd >= 0 && say(fd, text->at, text->len) &&
			       rand() % 64)
				usleep(2000);
			close(fd);
		}
	}
}

static void hush(pid_t *pids, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
	becomes_quiet();
}

/* References keep what is read while it is pushed out, or given up. */
TEST_F_TIMEOUT(http, n2_read_meanwhile, 90)
{
	struct line line;
	pid_t pids[4];
	int i;

	browser_request(&self->text, "/shoes");
	talk(pids, 4, &self->text);
	for (i = 0; i < 100; i++) {
		if (history(i * 2, &line)) {
			EXPECT_STREQ("GET shop.example /shoes", line.request);
			EXPECT_EQ(OBJECTS(BROWSER_FIELDS), line.objects);
		}
		EXPECT_LE(0, stat_of("requests"));
	}
	EXPECT_LE(OBJECTS(0), value_in("compare", "objects"));
	hush(pids, 4);
	EXPECT_EQ(seen(), stat_of("resets"));
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(0, stat_of("malformed"));
}

/* Whoever has a file open keeps the module. */
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
 * emulator may run what was there in between after all CPUs were told, which is
 * an oops: where it is, nobody else is to be there.
 */
TEST_F_TIMEOUT(http, unload_while_they_talk, 90)
{
	pid_t pids[4];
	int i, tries;

	if (is_emulated()) {
		pin(0, 0);
		pin(self->server, 0);
	}
	browser_request(&self->text, "/shoes");
	talk(pids, 4, &self->text);
	for (i = 0; i < 5; i++) {
		for (tries = 0; tries < 500 && stat_of("requests") < 10; tries++)
			usleep(10000);
		EXPECT_LE(10, stat_of("requests"));
		ASSERT_EQ(0, unload("mqhttp"));
		EXPECT_EQ(0, drained_total());
		EXPECT_EQ(0, usage("participants"));
		ASSERT_EQ(0, load("mqhttp", ""));
	}
	hush(pids, 4);
}

/*
 * R5: the history is given up, and begins anew; requests are looked at all the
 * while.
 */
TEST_F_TIMEOUT(http, r5_history_is_given_up, 90)
{
	long long before;
	pid_t pids[4];
	int i;

	greedy_request(&self->text);
	talk(pids, 4, &self->text);
	for (i = 0; i < 300 && stat_of("history_summaries") < HISTORY_MAX; i++)
		usleep(10000);
	before = stat_of("history_given_up");
	ASSERT_EQ(0, put(PARAMETERS "high", "220K"));
	for (i = 0; i < 1000 && stat_of("history_given_up") == before; i++)
		usleep(10000);
	EXPECT_LT(before, stat_of("history_given_up"));
	before = stat_of("requests");
	for (i = 0; i < 1000 && stat_of("requests") < before + 100; i++)
		usleep(10000);
	EXPECT_LE(before + 100, stat_of("requests"));
	hush(pids, 4);
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(0, stat_of("history_lost"));
}

/* T9: what is refused memory is counted, and there is an afterwards. */
TEST_F_TIMEOUT(http, t9_refused, 90)
{
	long long before;
	pid_t pids[4];
	int i;

	ASSERT_EQ(0, put(PARAMETERS "max", "220K"));
	greedy_request(&self->text);
	talk(pids, 4, &self->text);
	for (i = 0; i < 1000 && seen() < 400; i++)
		usleep(10000);
	hush(pids, 4);
	EXPECT_LE(400, seen());
	TH_LOG("%lld of %lld were refused", stat_of("failed"), seen());

	ASSERT_EQ(0, put(PARAMETERS "max", "0"));
	before = stat_of("requests");
	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(say_alone(self->text.at, self->text.len));
	EXPECT_TRUE(becomes("requests", before + 1));
}

TEST_HARNESS_MAIN
