// SPDX-License-Identifier: GPL-2.0
/* memquotactl export: metrics for Prometheus. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "memquotactl.h"

#define METRIC(object, _field, _name, _type, _help)			\
	{								\
		.offset = offsetof(struct memquota_ioctl_##object, _field), \
		.name = (_name), .type = (_type), .help = (_help),	\
	}

struct metric {
	size_t offset;			/* of a u64 in the ioctl's structure */
	const char *name;
	const char *type;
	const char *help;
};

static const struct metric tracker_metrics[] = {
	METRIC(tracker, out_total, "memquota_tracker_total_bytes", "gauge",
	       "Bytes charged to the tracker."),
	METRIC(tracker, out_peak, "memquota_tracker_peak_bytes", "gauge",
	       "Highest total so far."),
	METRIC(tracker, out_max, "memquota_tracker_max_bytes", "gauge",
	       "Charges that would exceed it are refused."),
	METRIC(tracker, out_high, "memquota_tracker_high_bytes", "gauge",
	       "Reclaim starts above this total."),
	METRIC(tracker, out_low_water, "memquota_tracker_low_water_bytes",
	       "gauge", "Reclaim stops at this total."),
	METRIC(tracker, out_excess_max, "memquota_tracker_excess_max_bytes",
	       "gauge", "The total is at most this much too high."),
	METRIC(tracker, out_reclaims, "memquota_tracker_reclaims_total",
	       "counter", "Reclaim runs that asked a participant."),
	METRIC(tracker, out_accounts, "memquota_tracker_accounts", "gauge",
	       "Number of open accounts."),
	METRIC(tracker, out_participants, "memquota_tracker_participants",
	       "gauge", "Number of participants."),
};

static const struct metric account_metrics[] = {
	METRIC(account_list, out_held, "memquota_account_held_bytes", "gauge",
	       "Bytes held by the participants of the account."),
	METRIC(account_list, out_peak, "memquota_account_peak_bytes", "gauge",
	       "Highest number of held bytes that was seen."),
	METRIC(account_list, out_max, "memquota_account_max_bytes", "gauge",
	       "Hard limit of the account."),
	METRIC(account_list, out_refused, "memquota_account_refused_total",
	       "counter", "Charges refused by a hard limit."),
	METRIC(account_list, out_reclaims, "memquota_account_reclaims_total",
	       "counter", "Times its participants were asked to free."),
};

static void print_label(FILE *file, const char *name, const char *value)
{
	fprintf(file, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', file);
		fputc(*value, file);
	}
	fputc('"', file);
}

static void print_heading(FILE *file, const struct metric *metric)
{
	fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
		metric->name, metric->type);
}

static void print_value(FILE *file, uint64_t value)
{
	if (value == MEMQUOTA_IOCTL_UNLIMITED)
		fputs(" +Inf\n", file);
	else
		fprintf(file, " %" PRIu64 "\n", value);
}

/* A disabled tracker has no total and no peak. */
static bool metric_is_uncounted(const struct memquota_ioctl_tracker *t,
				const struct metric *metric)
{
	return t->out_state == MEMQUOTA_STATE_DISABLED &&
	       (metric->offset == offsetof(struct memquota_ioctl_tracker,
					   out_total) ||
		metric->offset == offsetof(struct memquota_ioctl_tracker,
					   out_peak));
}

static uint64_t metric_value(const void *object, const struct metric *metric)
{
	uint64_t value;

	memcpy(&value, (const char *)object + metric->offset, sizeof(value));
	return value;
}

static void print_states(FILE *file, const struct trackers *trackers)
{
	static const struct metric heading = {
		.name = "memquota_tracker_state",
		.type = "gauge",
		.help = "1 for the current state of the tracker, else 0.",
	};
	uint32_t state;
	size_t i;

	print_heading(file, &heading);
	for (i = 0; i < trackers->count; i++) {
		for (state = 0; state <= MEMQUOTA_STATE_GONE; state++) {
			fprintf(file, "%s{", heading.name);
			print_label(file, "tracker", trackers->list[i].name);
			fputc(',', file);
			print_label(file, "state", state_name(state));
			fprintf(file, "} %d\n",
				trackers->list[i].out_state == state);
		}
	}
}

static void print_trackers(FILE *file, const struct trackers *trackers)
{
	const struct metric *metric;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(tracker_metrics); i++) {
		metric = &tracker_metrics[i];
		print_heading(file, metric);
		for (j = 0; j < trackers->count; j++) {
			if (metric_is_uncounted(&trackers->list[j], metric))
				continue;
			fprintf(file, "%s{", metric->name);
			print_label(file, "tracker", trackers->list[j].name);
			fputc('}', file);
			print_value(file, metric_value(&trackers->list[j],
						       metric));
		}
	}
	print_states(file, trackers);
}

static void print_accounts(FILE *file, const struct accounts *accounts)
{
	const struct memquota_ioctl_account_list *account;
	const struct metric *metric;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(account_metrics); i++) {
		metric = &account_metrics[i];
		print_heading(file, metric);
		for (j = 0; j < accounts->count; j++) {
			account = &accounts->list[j];
			fprintf(file, "%s{", metric->name);
			print_label(file, "tracker", account->tracker);
			fprintf(file, ",id=\"%" PRIu64 "\",",
				(uint64_t)account->out_id);
			print_label(file, "name", account->out_name);
			fputc('}', file);
			print_value(file, metric_value(account, metric));
		}
	}
}

/*
 * Open a temporary file in the directory of @path. Its name does not end in
 * .prom, so the textfile collector of node_exporter ignores it.
 */
static FILE *open_output(const char *path, char **temporary)
{
	mode_t mask = umask(0);
	struct stat old;
	FILE *file;
	int fd;

	umask(mask);
	/* As root, rename() would replace /dev/null or /dev/stdout. */
	if (!lstat(path, &old) && !S_ISREG(old.st_mode))
		die(EXIT_FAILED, "%s: not a regular file", path);
	*temporary = xasprintf("%s.XXXXXX", path);
	fd = mkstemp(*temporary);
	if (fd < 0 || fchmod(fd, 0666 & ~mask))
		die(EXIT_FAILED, "%s: %s", path, strerror(errno));
	file = fdopen(fd, "w");
	if (!file)
		die_no_memory();
	return file;
}

/* Rename @temporary to @path: readers see the whole old or the whole new. */
static void close_output(FILE *file, const char *path, const char *temporary)
{
	int err = 0;

	errno = 0;
	if (fflush(file) || ferror(file) || fsync(fileno(file)))
		err = errno ? errno : EIO;
	if (fclose(file) && !err)
		err = errno;
	if (!err && rename(temporary, path))
		err = errno;
	if (!err)
		return;
	unlink(temporary);
	die(EXIT_FAILED, "%s: %s", path, strerror(err));
}

static int export_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "accounts", no_argument, NULL, 'a' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	char *path = NULL, *temporary = NULL;
	bool with_accounts = false;
	struct accounts accounts;
	struct trackers trackers;
	FILE *file = stdout;
	int option, device;

	while ((option = next_option(&export_command, argc, argv, "ao:h",
				     options)) != -1) {
		if (option == 'a')
			with_accounts = true;
		else
			path = optarg;
	}
	reject_operands(argc, argv);

	device = open_device();
	get_trackers(device, &trackers);
	if (with_accounts)
		get_accounts(device, NULL, &accounts);
	if (path)
		file = open_output(path, &temporary);
	print_trackers(file, &trackers);
	if (with_accounts) {
		print_accounts(file, &accounts);
		free(accounts.list);
	}
	if (path)
		close_output(file, path, temporary);
	free(trackers.list);
	free(temporary);
	return EXIT_DONE;
}

const struct command export_command = {
	.name = "export",
	.arguments = "[OPTION]...",
	.summary = "Print metrics in the Prometheus text format",
	.options =
		"  -a, --accounts        include each account; there can be very many\n"
		"  -o, --output FILE     replace FILE atomically\n",
	.run = export_run,
};
