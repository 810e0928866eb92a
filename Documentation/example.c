// SPDX-License-Identifier: GPL-2.0
/*
 * Keep what comes in, and free the oldest of it when memory gets scarce. At the
 * end of the input, write what is left.
 *
 *	keeper TRACKER <input >output
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memquota.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct block {
	struct block *next;
	__u64 arrival_ns;
	size_t charged;		/* bytes */
	size_t len;
	char text[];
};

static struct block *oldest, **end = &oldest;
static unsigned long kept, given_up, refused;

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The account is open as long as its descriptor, which exit() closes. */
static int join(const char *tracker)
{
	struct memquota_ioctl_account_create create = {
		.size = sizeof(create),
		.name = "example",
		.parent_fd = -1,
	};
	struct memquota_ioctl_join join = {
		.size = sizeof(join),
		.name = "blocks",
	};
	int device = open("/dev/memquota", O_RDWR | O_CLOEXEC);

	if (device < 0)
		err(1, "/dev/memquota");
	snprintf(create.tracker, sizeof(create.tracker), "%s", tracker);
	if (ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create))
		err(1, "%s: cannot create an account", tracker);
	close(device);
	if (ioctl(create.out_fd, MEMQUOTA_IOCTL_JOIN, &join))
		err(1, "cannot create a participant");
	return join.out_fd;
}

static void uncharge(int participant, size_t bytes)
{
	struct memquota_ioctl_uncharge uncharge = {
		.size = sizeof(uncharge),
		.bytes = bytes,
	};

	if (ioctl(participant, MEMQUOTA_IOCTL_UNCHARGE, &uncharge))
		err(1, "uncharge");
}

/* Charge before allocating, so that a refusal costs nothing. */
static void keep(int participant, const char *text, size_t len)
{
	struct memquota_ioctl_charge charge = {
		.size = sizeof(charge),
		.bytes = sizeof(struct block) + len,
	};
	struct block *block;

	if (ioctl(participant, MEMQUOTA_IOCTL_CHARGE, &charge)) {
		/* ESTALE: the account has closed; poll() will report it. */
		if (errno != EDQUOT && errno != ESTALE && errno != ESHUTDOWN)
			err(1, "charge");
		refused++;
		return;
	}
	block = malloc(charge.bytes);
	if (!block) {
		uncharge(participant, charge.bytes);
		refused++;
		return;
	}
	block->next = NULL;
	block->arrival_ns = now_ns();
	block->charged = charge.bytes;
	block->len = len;
	memcpy(block->text, text, len);
	*end = block;
	end = &block->next;
	kept++;
}

/* Return how many bytes the caller must uncharge. */
static size_t free_oldest(void)
{
	struct block *block = oldest;
	size_t charged = block->charged;

	oldest = block->next;
	if (!oldest)
		end = &oldest;
	free(block);
	kept--;
	given_up++;
	return charged;
}

/* Answer a request. Return false if the account has closed. */
static bool answer_request(int participant)
{
	struct memquota_reclaim_request request;
	struct memquota_ioctl_answer answer = { .size = sizeof(answer) };
	ssize_t len = read(participant, &request, sizeof(request));

	if (len < 0)
		err(1, "read");
	if (!len)
		return false;
	while (oldest && answer.freed_bytes < request.want_bytes &&
	       oldest->arrival_ns <= request.until_ns)
		answer.freed_bytes += free_oldest();
	answer.id = request.id;
	if (!ioctl(participant, MEMQUOTA_IOCTL_ANSWER, &answer))
		return true;
	/* Too late: the request is over, and nothing was uncharged. */
	if (errno != ENOENT)
		err(1, "answer");
	uncharge(participant, answer.freed_bytes);
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .events = POLLIN },
	};
	char text[4096];
	ssize_t len;

	if (argc != 2)
		errx(1, "usage: %s TRACKER", argv[0]);
	fds[1].fd = join(argv[1]);

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(1, "poll");
		if (fds[1].revents && !answer_request(fds[1].fd))
			break;
		if (!fds[0].revents)
			continue;
		len = read(STDIN_FILENO, text, sizeof(text));
		if (len <= 0)
			break;
		keep(fds[1].fd, text, len);
	}

	/* The account has closed: everything in it must go. */
	if (fds[1].revents & POLLHUP)
		while (oldest)
			free_oldest();
	fprintf(stderr, "%lu kept, %lu given up, %lu refused\n",
		kept, given_up, refused);
	for (; oldest; oldest = oldest->next)
		if (fwrite(oldest->text, 1, oldest->len, stdout) != oldest->len)
			err(1, "write");
	return 0;
}
