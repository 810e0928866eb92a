/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sample mqhttp: a server and clients on loopback, what the sample tells of
 * their requests, and the requests of a browser.
 *
 * Each test case loads memquota and the sample, from /modules or $MODULES, and
 * unloads them. Unloading is the last check of each. Kernels without netfilter
 * have no such sample: all cases are skipped there.
 */
#ifndef _SELFTESTS_MEMQUOTA_MQHTTP_H
#define _SELFTESTS_MEMQUOTA_MQHTTP_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "child.h"
#include "modules.h"

#define FILES		"/sys/kernel/debug/mqhttp/"
#define KIB		1024ul

/* As in mqhttp.c. */
#define HEAD_MAX	(16 * KIB)
#define FIELDS_MAX	1024
#define HISTORY_MAX	256

static inline long long stat_of(const char *key)
{
	return read_value(FILES "stats", key);
}

/* Wait until a counter has a value: packets may be on their way. */
static inline bool stat_becomes(const char *key, long long value)
{
	int tries;

	for (tries = 0; tries < 500 && stat_of(key) != value; tries++)
		usleep(10000);
	return stat_of(key) == value;
}

/* Wait until a counter has at least a value, while requests arrive. */
static inline bool stat_reaches(const char *key, long long value)
{
	int tries;

	for (tries = 0; tries < 1000 && stat_of(key) < value; tries++)
		usleep(10000);
	return stat_of(key) >= value;
}

/* Return the requests, of any kind, that the sample has seen. */
static inline long long requests_seen(void)
{
	return stat_of("requests") + stat_of("malformed") + stat_of("failed");
}

/*
 * Wait until no more requests arrive for as long as TCP may take to send one
 * again. Each must have had its reset.
 */
static inline bool requests_settle(void)
{
	long long before = -1, now;
	int tries, same = 0;

	for (tries = 0; tries < 100 && same < 5; tries++) {
		now = requests_seen();
		same = now == before ? same + 1 : 0;
		before = now;
		usleep(100000);
	}
	return same == 5 && stat_of("resets") == before;
}

struct line {
	unsigned int params, headers, cookies, objects, bytes;
	char state[16], request[256];
};

/* Read line @n of the history: 0 is the oldest, -1 the youngest. */
static inline bool read_history(int n, struct line *line)
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
	/* The first line has the names of the columns. */
	n += n < 0 ? lines : 1;
	return n > 0 && n < lines &&
	       sscanf(text[n], "%*s %u %u %u %u %u %15s %255[^\n]",
		      &line->params, &line->headers, &line->cookies,
		      &line->objects, &line->bytes, line->state,
		      line->request) == 7;
}

static struct sockaddr_in address = { .sin_family = AF_INET };

/*
 * Read from all connections in a child, and return its pid. The fixture's
 * children assert nothing.
 */
static inline pid_t start_server(struct __test_metadata *_metadata)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;
	static char buf[64 * KIB];
	socklen_t len = sizeof(address);
	pid_t server, reader;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = 0;
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(0, listen(fd, 64));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&address, &len));
	START_CHILD(server) {
		for (;;) {
			peer = accept(fd, NULL, NULL);
			if (peer < 0)
				_exit(0);
			START_CHILD(reader)
				while (read(peer, buf, sizeof(buf)) > 0)
					;
			(void)reader;
			close(peer);
		}
	}
	close(fd);
	return server;
}

static inline int connect_to_server(void)
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

static inline bool send_data(int fd, const char *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Send data on a new connection, where it begins a packet. */
static inline bool send_alone(const char *data, size_t len)
{
	int fd = connect_to_server();
	bool sent = fd >= 0 && send_data(fd, data, len);

	close(fd);
	return sent;
}

struct text {
	size_t len;
	char at[128 * KIB];
};

__attribute__((format(printf, 2, 3)))
static inline void add_text(struct text *text, const char *fmt, ...)
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
/* A field has two strings; the request a text, a method and a path. */
#define OBJECTS(fields)	(3 * (fields) + 4)

/* The request of a browser to a shop that keeps much in cookies. */
static inline void browser_request(struct text *text, const char *path)
{
	static const char * const params[] = {
		"q", "page", "sort", "category", "brand", "price_min",
		"price_max", "colour", "size", "utm_source", "utm_medium",
		"utm_campaign", "ref", "session", "lang", "currency", "view",
		"per_page", "in_stock", "gclid",
	};
	int i;

	text->len = 0;
	add_text(text, "GET %s?", path);
	for (i = 0; i < BROWSER_PARAMS; i++)
		add_text(text, "%s%s=%s%d", i ? "&" : "", params[i],
			 i % 3 ? "v" : "red+leather%20shoes", i * 37);
	add_text(text, " HTTP/1.1\r\nHost: shop.example\r\n"
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
		add_text(text, "%s%s%d=%s%x", i ? "; " : "",
			 i % 4 ? "_pref" : "__Secure-session", i,
			 i % 5 ? "1." : "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
			 0x1234567 * (i + 1));
	add_text(text, "\r\n\r\n");
}

/* Far more fields than a request may have. */
static inline void greedy_request(struct text *text)
{
	int i;

	text->len = 0;
	add_text(text, "GET /?");
	for (i = 0; i < 2 * FIELDS_MAX; i++)
		add_text(text, "a&");
	add_text(text, " HTTP/1.1\r\n\r\n");
}

FIXTURE(http)
{
	pid_t server;
	struct text text;
};

FIXTURE_VARIANT(http)
{
	const char *limits;
};

FIXTURE_VARIANT_ADD(http, unlimited)
{
	.limits = "",
};

/* The sample always holds more than that. */
FIXTURE_VARIANT_ADD(http, short_of_quota)
{
	.limits = "high=164K low_water=160K",
};

FIXTURE_SETUP(http)
{
	if (access(module_path("mqhttp"), F_OK))
		SKIP(return, "no mqhttp.ko, as of a kernel without netfilter");
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, load_sample("mqhttp", variant->limits));
	self->server = start_server(_metadata);
}

FIXTURE_TEARDOWN(http)
{
	EXPECT_EQ(SIGKILL, child_kill(self->server, SIGKILL));
	if (module_loaded("mqhttp"))
		EXPECT_EQ(0, unload_module("mqhttp"));
	EXPECT_EQ(0, drained_total());
	EXPECT_EQ(0, usage_of("participants"));
	EXPECT_EQ(0, unload_module("memquota"));
	/* The next test program expects it. */
	EXPECT_EQ(0, load_module("memquota", ""));
}

#endif /* _SELFTESTS_MEMQUOTA_MQHTTP_H */
