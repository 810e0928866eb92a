// SPDX-License-Identifier: GPL-2.0
/* memquotactl hold: an account with a charge, for scripts and tests. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "memquotactl.h"

struct hold {
	const char *tracker;
	const char *name;
	uint64_t *parents;
	size_t nr_parents;
	uint64_t held;
	double age;			/* in s; negative without --age */
	bool partial;
	bool json;
	int account;
	int participant;
	uint64_t id;
};

/*
 * The kernel found a name invalid. Opening an account, which is refused for any
 * other reason, tells whether it is that of the tracker.
 */
static void __attribute__((noreturn))
hold_die_of_name(int device, const struct hold *hold)
{
	struct memquota_ioctl_account_open open = { .size = sizeof(open) };
	bool of_tracker;

	copy_name(open.tracker, hold->tracker, "tracker");
	of_tracker = try_ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_OPEN,
			       &open) == EINVAL;
	die(EXIT_USAGE, "invalid %s name '%s': expected printable UTF-8",
	    of_tracker ? "tracker" : "account",
	    of_tracker ? hold->tracker : hold->name);
}

static int hold_open_parent(int device, const struct hold *hold, uint64_t id)
{
	struct memquota_ioctl_account_open open = { .size = sizeof(open) };
	int err;

	copy_name(open.tracker, hold->tracker, "tracker");
	open.id = id;
	err = try_ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_OPEN, &open);
	if (err == EINVAL)
		hold_die_of_name(device, hold);
	if (err == ESTALE)
		die(EXIT_ABSENT,
		    "account %" PRIu64 ": not found in tracker '%s': "
		    "closed, or never created",
		    id, hold->tracker);
	if (err == EPERM)
		die(EXIT_FAILED,
		    "account %" PRIu64 ": owned by another user: run as root",
		    id);
	if (err)
		die_of_ioctl(err, hold->tracker);
	return open.out_fd;
}

static void hold_create_account(int device, struct hold *hold)
{
	struct memquota_ioctl_account_create create = {
		.size = sizeof(create),
		.parent_fd = -1,
	};
	struct memquota_ioctl_account_add_parent add = { .size = sizeof(add) };
	size_t i;
	int err;

	copy_name(create.tracker, hold->tracker, "tracker");
	copy_name(create.name, hold->name, "account");
	if (hold->nr_parents)
		create.parent_fd = hold_open_parent(device, hold,
						    hold->parents[0]);
	err = try_ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_CREATE, &create);
	if (err == EINVAL)
		hold_die_of_name(device, hold);
	if (err)
		die_of_ioctl(err, hold->tracker);
	hold->account = create.out_fd;
	hold->id = create.out_id;
	if (hold->nr_parents)
		close(create.parent_fd);

	for (i = 1; i < hold->nr_parents; i++) {
		add.parent_fd = hold_open_parent(device, hold,
						 hold->parents[i]);
		err = try_ioctl(hold->account,
				MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT, &add);
		if (err == EEXIST)
			die_usage("option '--parent': account %" PRIu64
				  " given twice", hold->parents[i]);
		if (err)
			die_of_ioctl(err, hold->tracker);
		close(add.parent_fd);
	}
}

static void hold_set_oldest(const struct hold *hold, uint64_t oldest_ns)
{
	struct memquota_ioctl_oldest oldest = {
		.size = sizeof(oldest),
		.oldest_ns = oldest_ns,
	};

	if (try_ioctl(hold->participant, MEMQUOTA_IOCTL_OLDEST, &oldest))
		die(EXIT_FAILED, "option '--age': %s", strerror(errno));
}

static void hold_join_and_charge(struct hold *hold)
{
	struct memquota_ioctl_charge charge = { .size = sizeof(charge) };
	struct memquota_ioctl_join join = { .size = sizeof(join) };
	uint64_t age_ns, now_ns;
	int err;

	copy_name(join.name, hold->name, "participant");
	if (!hold->partial)
		join.flags = MEMQUOTA_JOIN_COLLAPSING;
	err = try_ioctl(hold->account, MEMQUOTA_IOCTL_JOIN, &join);
	if (err)
		die_of_ioctl(err, hold->tracker);
	hold->participant = join.out_fd;

	if (hold->age >= 0) {
		/* Data cannot be older than the boot. */
		now_ns = clock_ns(CLOCK_MONOTONIC);
		age_ns = hold->age * 1e9;
		hold_set_oldest(hold, age_ns < now_ns ? now_ns - age_ns : 0);
	}
	charge.bytes = hold->held;
	err = hold->held ? try_ioctl(hold->participant, MEMQUOTA_IOCTL_CHARGE,
				     &charge) : 0;
	if (err == EDQUOT)
		die(EXIT_FAILED,
		    "tracker '%s': charge refused: raise its max, or "
		    "user_bytes of the module",
		    hold->tracker);
	if (err)
		die_of_ioctl(err, hold->tracker);
}

static void hold_print_id(const struct hold *hold)
{
	if (hold->json) {
		printf("{\"id\": %" PRIu64 ", \"tracker\": ", hold->id);
		print_json_string(stdout, hold->tracker);
		printf(", \"held\": %" PRIu64 "}\n", hold->held);
	} else {
		printf("%" PRIu64 "\n", hold->id);
	}
	fflush(stdout);
}

/*
 * Answer that what @request wants was freed. A collapsing participant answers
 * that it freed all, and the kernel closes its account.
 */
static void hold_answer_request(struct hold *hold,
				const struct memquota_reclaim_request *request)
{
	struct memquota_ioctl_answer answer = {
		.size = sizeof(answer),
		.id = request->id,
		.freed_bytes = hold->held,
	};
	char freed[SIZE_TEXT], left[SIZE_TEXT];
	int err;

	if (hold->partial && request->want_bytes < hold->held)
		answer.freed_bytes = request->want_bytes;
	err = try_ioctl(hold->participant, MEMQUOTA_IOCTL_ANSWER, &answer);
	/* The tracker or the request may be gone. */
	if (err)
		return;
	hold->held -= answer.freed_bytes;
	warnx("account %" PRIu64 ": freed %s, %s left", hold->id,
	      format_size(freed, answer.freed_bytes, false),
	      format_size(left, hold->held, false));
	if (!hold->held && hold->age >= 0 && hold->partial)
		hold_set_oldest(hold, MEMQUOTA_IOCTL_NO_DATA);
}

static int hold_wait(struct hold *hold, int signals)
{
	struct memquota_reclaim_request request;
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = hold->participant, .events = POLLIN },
	};
	ssize_t len;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			die(EXIT_FAILED, "poll: %s", strerror(errno));
		if (fds[0].revents)
			return EXIT_DONE;
		len = read(hold->participant, &request, sizeof(request));
		if (len == sizeof(request)) {
			hold_answer_request(hold, &request);
		} else if (len <= 0) {
			warnx("account %" PRIu64 ": closed", hold->id);
			return EXIT_COLLAPSED;
		}
	}
}

static double hold_parse_age(const char *text)
{
	char *end;
	double age = strtod(text, &end);

	if (end == text || *end || !(age >= 0 && age < 1e9))
		die_usage("invalid age '%s': expected a number of seconds",
			  text);
	return age;
}

static void hold_add_parent(struct hold *hold, const char *text)
{
	hold->parents = xrealloc(hold->parents, (hold->nr_parents + 1) *
				 sizeof(*hold->parents));
	hold->parents[hold->nr_parents++] =
		parse_account_id(text);
}

static int hold_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tracker", required_argument, NULL, 't' },
		{ "name", required_argument, NULL, 'n' },
		{ "parent", required_argument, NULL, 'p' },
		{ "age", required_argument, NULL, 'a' },
		{ "partial", no_argument, NULL, 'P' },
		{ "json", no_argument, NULL, 'J' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct hold hold = { .tracker = "default", .name = "hold", .age = -1 };
	int option, device, signals;
	const char *size;

	while ((option = next_option(&hold_command, argc, argv, "t:n:p:a:PJh",
				     options)) != -1) {
		switch (option) {
		case 't':
			hold.tracker = optarg;
			break;
		case 'n':
			hold.name = optarg;
			break;
		case 'p':
			hold_add_parent(&hold, optarg);
			break;
		case 'a':
			hold.age = hold_parse_age(optarg);
			break;
		case 'P':
			hold.partial = true;
			break;
		default:
			hold.json = true;
			break;
		}
	}
	size = parse_operand(argc, argv, "a size");
	if (!parse_bytes(size, &hold.held))
		die_usage("invalid size '%s': " SIZE_EXPECTED, size);

	device = open_device();
	signals = open_signalfd();
	hold_create_account(device, &hold);
	hold_join_and_charge(&hold);
	hold_print_id(&hold);
	free(hold.parents);
	return hold_wait(&hold, signals);
}

const struct command hold_command = {
	.name = "hold",
	.arguments = "SIZE [OPTION]...",
	.summary = "Hold a charge until a signal or reclaim",
	.options =
		"  -t, --tracker NAME    use this tracker (default: default)\n"
		"  -n, --name NAME       set the name of the account (default: hold)\n"
		"  -p, --parent ID       reclaim the account with account ID; can be repeated\n"
		"  -a, --age SECONDS     set the age of the data (default: that of the charge)\n"
		"  -P, --partial         free what reclaim asks for and continue, instead of\n"
		"                        closing the account\n"
		"  -J, --json            print the account id as JSON\n",
	.notes =
		"Create an account, charge SIZE to it without allocating memory, print its id\n"
		"and wait.\n\n"
		"Exit status: 0 after SIGINT, SIGTERM or SIGHUP; 4 if the account was closed, by\n"
		"reclaim or with its tracker.\n",
	.run = hold_run,
};
