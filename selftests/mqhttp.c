// SPDX-License-Identifier: GPL-2.0
/*
 * The sample mqhttp, and through it arenas that are reset (rules N1 to N5): how
 * it parses requests, of browsers and of attackers.
 */
#include <linux/filter.h>
#include <netinet/ip.h>

#include "mqhttp.h"

TEST_F(http, browser_request)
{
	struct line line;

	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(send_alone(self->text.at, self->text.len));
	ASSERT_TRUE(stat_becomes("requests", 1));
	EXPECT_EQ(0, stat_of("partial"));
	EXPECT_EQ(0, stat_of("malformed"));
	EXPECT_EQ(0, stat_of("failed"));
	EXPECT_EQ(1, stat_of("resets"));
	EXPECT_EQ(BROWSER_FIELDS, stat_of("fields"));
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), stat_of("objects"));
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), stat_of("objects_per_request"));
	EXPECT_LT(2 * (long long)self->text.len, stat_of("object_bytes"));

	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_EQ(BROWSER_PARAMS, line.params);
	EXPECT_EQ(BROWSER_HEADERS, line.headers);
	EXPECT_EQ(BROWSER_COOKIES, line.cookies);
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), line.objects);
	EXPECT_STREQ("whole", line.state);
	EXPECT_STREQ("GET shop.example /shoes", line.request);
}

/* N5: once a chunk is large enough for a request, resets need no other. */
TEST_F_TIMEOUT(http, n5_resets_take_no_chunks, 90)
{
	long long chunks, hits;
	int fd = connect_to_server(), i;

	pin_to_cpu(0, 0);
	browser_request(&self->text, "/shoes");
	ASSERT_LE(0, fd);
	for (i = 1; i <= 50; i++) {
		ASSERT_TRUE(send_data(fd, self->text.at, self->text.len));
		ASSERT_TRUE(stat_becomes("requests", i));
	}
	chunks = stat_of("chunks");
	hits = stat_of("cache_hits");
	EXPECT_LT(0, chunks);
	for (; i <= 200; i++) {
		ASSERT_TRUE(send_data(fd, self->text.at, self->text.len));
		ASSERT_TRUE(stat_becomes("requests", i));
	}
	EXPECT_EQ(200, stat_of("resets"));
	EXPECT_EQ(200 * OBJECTS(BROWSER_FIELDS), stat_of("objects"));
	/* An acknowledgment on another CPU may have sent some requests. */
	EXPECT_GE(chunks + 8 * 8, stat_of("chunks"));
	EXPECT_GE(hits + 8 * 8, stat_of("cache_hits"));
	close(fd);
}

/* N4: chunks of dropped summaries come back. */
TEST_F_TIMEOUT(http, n4_history_is_bounded, 90)
{
	int fd = connect_to_server(), i, total = 6 * HISTORY_MAX;
	char expected[256], pad[101];
	struct line line;

	ASSERT_LE(0, fd);
	memset(pad, 'x', sizeof(pad));
	pad[100] = '\0';
	for (i = 1; i <= total; i++) {
		self->text.len = 0;
		add_text(&self->text,
			 "HEAD /%d%s HTTP/1.1\r\nHost: %.60s\r\n\r\n", i, pad,
			 pad);
		ASSERT_TRUE(send_data(fd, self->text.at, self->text.len));
		ASSERT_TRUE(stat_becomes("requests", i));
	}
	close(fd);
	EXPECT_EQ(0, stat_of("history_lost"));
	if (!stat_of("history_given_up")) {
		EXPECT_EQ(HISTORY_MAX, stat_of("history_summaries"));
		EXPECT_LT(0, stat_of("history_cache_hits"));
		ASSERT_TRUE(read_history(0, &line));
		snprintf(expected, sizeof(expected), "HEAD %.60s /%d%s", pad,
			 total - HISTORY_MAX + 1, pad);
		EXPECT_STREQ(expected, line.request);
	}
	ASSERT_TRUE(read_history(-1, &line));
	snprintf(expected, sizeof(expected), "HEAD %.60s /%d%s", pad, total,
		 pad);
	EXPECT_STREQ(expected, line.request);
	/* Two chunks of the largest class, and one that is being freed. */
	EXPECT_GE(192 * KIB, stat_of("history_held_bytes"));
}

TEST_F_TIMEOUT(http, compare_with_kmalloc, 90)
{
	FILE *f = fopen(FILES "compare", "r");
	char text[128];

	ASSERT_NE(NULL, f);
	ASSERT_EQ(NULL, fgets(text, sizeof(text), f));
	ASSERT_EQ(ENODATA, errno);
	fclose(f);

	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(send_alone(self->text.at, self->text.len));
	ASSERT_TRUE(stat_becomes("requests", 1));
	EXPECT_EQ(OBJECTS(BROWSER_FIELDS), read_value(FILES "compare",
						      "objects"));
	EXPECT_LT(0, read_value(FILES "compare", "kmalloc_ns_per_request"));
	EXPECT_LT(0, read_value(FILES "compare", "arena_ns_per_request"));
	f = fopen(FILES "compare", "r");
	ASSERT_NE(NULL, f);
	while (fgets(text, sizeof(text), f))
		TH_LOG("%.*s", (int)strcspn(text, "\n"), text);
	fclose(f);
	/* The comparison is not counted. */
	EXPECT_EQ(1, stat_of("requests"));
	EXPECT_EQ(1, stat_of("resets"));
}

struct hostile {
	const char *text;
	size_t len;
	int requests, partial, malformed, fields;
};

#define HOSTILE(text, ...) { text, sizeof(text) - 1, __VA_ARGS__ }

static const struct hostile hostiles[] = {
	/* No requests */
	HOSTILE("", 0, 0, 0, 0),
	HOSTILE("G", 0, 0, 0, 0),
	HOSTILE("GET", 0, 0, 0, 0),
	HOSTILE("get / HTTP/1.1\r\n\r\n", 0, 0, 0, 0),
	HOSTILE("\r\nGET / HTTP/1.1\r\n\r\n", 0, 0, 0, 0),
	HOSTILE("OPTIONS", 0, 0, 0, 0),
	/* Begin as requests */
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
	/* Are incomplete requests */
	HOSTILE("GET / HTTP/1.1\r\n", 1, 1, 0, 0),
	HOSTILE("GET / HTTP/1.1\r\nHost: a", 1, 1, 0, 0),
	HOSTILE("GET / HTTP/1.1\r\nHost: a\r\n", 1, 1, 0, 1),
	HOSTILE("GET / HTTP/1.1\r\nHost: a\r\n\r", 1, 1, 0, 1),
	/* Are whole requests */
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

TEST_F_TIMEOUT(http, hostile_requests, 90)
{
	int requests = 0, partial = 0, malformed = 0, fields = 0;
	const struct hostile *h = hostiles;
	struct line line;

	for (; h < hostiles + sizeof(hostiles) / sizeof(*hostiles); h++) {
		requests += h->requests;
		partial += h->partial;
		malformed += h->malformed;
		fields += h->fields;
		ASSERT_TRUE(send_alone(h->text, h->len));
		ASSERT_TRUE(stat_becomes("requests", requests)) {
			TH_LOG("requests: %s", h->text);
		}
		ASSERT_TRUE(stat_becomes("malformed", malformed)) {
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
	/* Control characters of the last one do not get to a terminal. */
	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_STREQ("GET a?b?c? /?[2J?", line.request);
}

TEST_F_TIMEOUT(http, large_requests, 90)
{
	struct text *text = &self->text;
	struct line line;
	int i;

	/* A header of 60 KiB: only the first line is whole. */
	add_text(text, "GET /header HTTP/1.1\r\nX: ");
	memset(text->at + text->len, 'a', 60 * KIB);
	text->len += 60 * KIB;
	add_text(text, "\r\n\r\n");
	ASSERT_TRUE(send_alone(text->at, text->len));
	ASSERT_TRUE(stat_becomes("requests", 1));
	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_STREQ("GET /header", line.request);
	EXPECT_STREQ("partial", line.state);
	EXPECT_EQ(OBJECTS(0), line.objects);

	/* A path that fills the part that is parsed. */
	text->len = 0;
	add_text(text, "GET /");
	memset(text->at + text->len, 'a', HEAD_MAX);
	text->len += HEAD_MAX;
	add_text(text, " HTTP/1.1\r\n\r\n");
	ASSERT_TRUE(send_alone(text->at, text->len));
	ASSERT_TRUE(stat_becomes("malformed", 1));

	/* The same with just enough room. */
	text->len = HEAD_MAX - strlen(" HTTP/1.1\r\n\r\n");
	add_text(text, " HTTP/1.1\r\n\r\n");
	ASSERT_EQ(HEAD_MAX, text->len);
	ASSERT_TRUE(send_alone(text->at, text->len));
	ASSERT_TRUE(stat_becomes("requests", 2));
	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_STREQ("whole", line.state);
	EXPECT_EQ(strlen("GET /") + 127, strlen(line.request));

	/* Too many fields. */
	greedy_request(text);
	ASSERT_TRUE(send_alone(text->at, text->len));
	ASSERT_TRUE(stat_becomes("requests", 3));
	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_EQ(FIELDS_MAX, line.params);
	EXPECT_STREQ("partial", line.state);

	/* Many cookies, in a header each. */
	text->len = 0;
	add_text(text, "GET /cookies HTTP/1.1\r\n");
	for (i = 0; i < 400; i++)
		add_text(text, "Cookie: c%d=%d\r\n", i, i);
	add_text(text, "\r\n");
	ASSERT_TRUE(send_alone(text->at, text->len));
	ASSERT_TRUE(stat_becomes("requests", 4));
	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_EQ(400, line.headers);
	EXPECT_EQ(400, line.cookies);

	/* A body of 64 KiB, which is not parsed. */
	text->len = 0;
	add_text(text, "POST /body HTTP/1.1\r\nContent-Length: 65536\r\n\r\n");
	memset(text->at + text->len, 0, 64 * KIB);
	text->len += 64 * KIB;
	ASSERT_TRUE(send_alone(text->at, text->len));
	ASSERT_TRUE(stat_becomes("requests", 5));
	ASSERT_TRUE(read_history(-1, &line));
	EXPECT_STREQ("whole", line.state);
	EXPECT_EQ(1, line.headers);
}

/* The sample does not wait for further packets of a request. */
TEST_F(http, split_request)
{
	static const char first[] = "GET / HTTP/1.1\r\nHost: a\r\nCoo";
	static const char second[] = "kie: x=y\r\n\r\n";
	int fd = connect_to_server(), i;

	ASSERT_LE(0, fd);
	ASSERT_TRUE(send_data(fd, first, strlen(first)));
	ASSERT_TRUE(stat_becomes("requests", 1));
	ASSERT_TRUE(send_data(fd, second, strlen(second)));
	/* TCP may join these packets: without the G they are no request. */
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(send_data(fd, &first[1 + i % 20], 1));
	close(fd);
	EXPECT_TRUE(requests_settle());
	EXPECT_EQ(1, stat_of("requests"));
	EXPECT_EQ(1, stat_of("partial"));
	EXPECT_EQ(1, stat_of("fields"));
	EXPECT_EQ(0, stat_of("malformed"));
}

/* A retransmitted packet is parsed once. */
TEST_F_TIMEOUT(http, retransmitted_request, 90)
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
	fd = connect_to_server();
	peer = accept(listener, NULL, NULL);
	ASSERT_LE(0, peer);
	ASSERT_EQ(0, setsockopt(peer, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
				sizeof(filter)));
	browser_request(&self->text, "/shoes");
	ASSERT_TRUE(send_data(fd, self->text.at, self->text.len));
	for (tries = 0; tries < 1000 && info.tcpi_total_retrans < 3; tries++) {
		usleep(10000);
		len = sizeof(info);
		ASSERT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info,
					&len));
	}
	EXPECT_LE(3, info.tcpi_total_retrans);
	EXPECT_EQ(1, stat_of("requests"));
	EXPECT_EQ(1, requests_seen());
	close(peer);
	close(fd);
	close(listener);
}

/* A browser's request with random bytes, or truncated. */
TEST_F_TIMEOUT(http, damaged_requests, 110)
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
		ASSERT_TRUE(send_alone(damaged.at, damaged.len));
	}
	for (k = 0; k < 500 && requests_seen() < i; k++)
		usleep(10000);
	EXPECT_EQ(i, requests_seen());
	EXPECT_EQ(i, stat_of("resets"));
	EXPECT_EQ(0, stat_of("failed"));
	TH_LOG("%lld of %d were requests", stat_of("requests"), i);
}

/* Packets with headers that no stack makes. */
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
				/* The stack refuses some. */
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

TEST_HARNESS_MAIN
