// SPDX-License-Identifier: GPL-2.0
/*
 * memquotactl events: reclaims as they happen, from the kernel's tracepoints.
 *
 * The events are read from a tracefs instance of our own. It leaves other
 * tracers' settings alone, other readers cannot consume its events, and the
 * kernel counts the events that were lost. debugfs has the last few runs only.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "memquotactl.h"

#define PREFIX	"memquotactl."

struct event {
	double time;			/* in s, of CLOCK_REALTIME */
	const char *tracker;
	uint64_t account;
	const char *name;		/* of the account */
	const char *participant;
};

struct watch {
	const char *tracker;		/* or NULL for all */
	bool json;
	double offset;			/* CLOCK_REALTIME - CLOCK_MONOTONIC */
};

/* The path of the instance, NULL until it is created. */
static char *instance;
static int pipe_fd = -1;

static void instance_remove(void)
{
	if (pipe_fd >= 0)
		close(pipe_fd);
	if (instance)
		rmdir(instance);
}

/*
 * Remove the instances of killed processes. rmdir() fails on an instance that
 * is being read.
 */
static void instance_remove_stale(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char *path;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) ||
		    !kill(atoi(entry->d_name + strlen(PREFIX)), 0) ||
		    errno != ESRCH)
			continue;
		path = xasprintf("%s/%s", folder, entry->d_name);
		rmdir(path);
		free(path);
	}
	if (dir)
		closedir(dir);
}

static void __attribute__((noreturn)) die_of_tracing(const char *what)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		die(EXIT_FAILED,
		    "%s: %s: run as root, on a kernel that lets root trace",
		    what, strerror(errno));
	case ENOENT:
		die(EXIT_ABSENT,
		    "%s: %s: mount tracefs with 'mount -t tracefs none /sys/kernel/tracing'",
		    what, strerror(errno));
	default:
		die(EXIT_FAILED, "%s: %s", what, strerror(errno));
	}
}

static void instance_write(const char *file, const char *text)
{
	char *path = xasprintf("%s/%s", instance, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die_of_tracing(path);
	close(fd);
	free(path);
}

static void instance_open(void)
{
	static const char * const folders[] = {
		"/sys/kernel/tracing/instances",
		"/sys/kernel/debug/tracing/instances",
	};
	const char *folder = folders[access(folders[0], F_OK) &&
				     !access(folders[1], F_OK)];
	char *path;

	instance_remove_stale(folder);
	path = xasprintf("%s/" PREFIX "%d", folder, getpid());
	if (mkdir(path, 0700))
		die_of_tracing(folder);
	instance = path;
	atexit(instance_remove);

	/* Trace no end without its start: begin with all events enabled. */
	instance_write("tracing_on", "0");
	/* Wake the reader at the first event, not at a half full buffer. */
	instance_write("buffer_percent", "0");
	instance_write("trace_clock", "mono");
	path = xasprintf("%s/trace_pipe", instance);
	pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe_fd < 0)
		die_of_tracing(path);
	free(path);
	instance_write("events/memquota/memquota_reclaim_start/enable", "1");
	instance_write("events/memquota/memquota_victim/enable", "1");
	instance_write("events/memquota/memquota_reclaimed/enable", "1");
	instance_write("events/memquota/memquota_reclaim_end/enable", "1");
	instance_write("tracing_on", "1");
}

/*
 * Cut " KEY=NUMBER" off the end of @text and return the number. Numbers are
 * parsed from the end because names, which come first, can look like them.
 */
static uint64_t trace_take_number(char *text, const char *key)
{
	size_t len = strlen(key);
	char *space = strrchr(text, ' ');

	if (!space || strncmp(space + 1, key, len) || space[1 + len] != '=')
		return 0;
	*space = '\0';
	return strtoull(space + 2 + len, NULL, 10);
}

/* Cut @word off the end of @text; return false if @text ends otherwise. */
static bool trace_take_word(char *text, const char *word)
{
	size_t len = strlen(text), word_len = strlen(word);

	if (len < word_len || strcmp(text + len - word_len, word))
		return false;
	text[len - word_len] = '\0';
	return true;
}

/*
 * Parse "tracker=NAME account=ID:NAME participant=NAME", the rest after the
 * numbers were cut off. If names contain such words, the tracker's name, which
 * only root can choose, and the id are right, but the border between the other
 * two names may be wrong.
 */
static void trace_take_names(char *text, struct event *event)
{
	char *account = strstr(text, " account="), *participant, *end;

	event->tracker = text;
	if (!account)
		return;
	*account = '\0';
	event->account = strtoull(account + strlen(" account="), &end, 10);
	event->name = end + (*end == ':');
	for (participant = NULL; (end = strstr(end, " participant=")); end++)
		participant = end;
	if (!participant)
		return;
	*participant = '\0';
	event->participant = participant + strlen(" participant=");
}

/* Print the beginning of an event; return false if it is filtered out. */
static bool event_print_prefix(const struct watch *watch,
			       const struct event *event, const char *kind,
			       FILE *out)
{
	time_t seconds = event->time;
	struct tm tm;

	if (watch->tracker && event->tracker &&
	    strcmp(watch->tracker, event->tracker))
		return false;
	if (!watch->json) {
		localtime_r(&seconds, &tm);
		fprintf(out, "%02d:%02d:%02d.%03d %-5s %-10s ", tm.tm_hour,
			tm.tm_min, tm.tm_sec,
			(int)((event->time - seconds) * 1000), kind,
			event->tracker ? event->tracker : "-");
		if (event->participant)
			fprintf(out, "%" PRIu64 " %s/%s: ", event->account,
				event->name, event->participant);
		return true;
	}
	fprintf(out, "{\"time\": %.6f, \"event\": \"%s\"", event->time, kind);
	if (event->tracker) {
		fputs(", \"tracker\": ", out);
		print_json_string(out, event->tracker);
	}
	if (event->participant) {
		fprintf(out, ", \"account\": %" PRIu64 ", \"name\": ",
			event->account);
		print_json_string(out, event->name);
		fputs(", \"participant\": ", out);
		print_json_string(out, event->participant);
	}
	return true;
}

/* Print a size: in JSON as a member, else between @before and @behind. */
static void event_print_size(const struct watch *watch, FILE *out,
			     const char *key, uint64_t bytes,
			     const char *before, const char *behind)
{
	char text[SIZE_TEXT];

	if (!watch->json)
		fprintf(out, "%s%s%s", before, format_size(text, bytes, false),
			behind);
	else if (bytes == MEMQUOTA_IOCTL_UNLIMITED)
		fprintf(out, ", \"%s\": null", key);
	else
		fprintf(out, ", \"%s\": %" PRIu64, key, bytes);
}

static void event_print_start(const struct watch *watch, struct event *event,
			      char *text, FILE *out)
{
	uint64_t pressure = trace_take_number(text, "pressure");
	uint64_t refused = trace_take_number(text, "refused");
	uint64_t low_water = trace_take_number(text, "low_water");
	uint64_t high = trace_take_number(text, "high");
	uint64_t total = trace_take_number(text, "total");

	trace_take_names(text, event);
	if (!event_print_prefix(watch, event, "start", out))
		return;
	event_print_size(watch, out, "total", total, "total ", "");
	event_print_size(watch, out, "high", high, ", high ", "");
	event_print_size(watch, out, "low_water", low_water, ", low-water ",
			 "");
	if (refused || watch->json)
		event_print_size(watch, out, "refused", refused, ", refused ",
				 "");
	if (pressure || watch->json)
		event_print_size(watch, out, "pressure", pressure,
				 ", the system wants ", "");
}

static void event_print_victim(const struct watch *watch, struct event *event,
			       char *text, FILE *out)
{
	bool collapsing = trace_take_word(text, " collapsing");
	uint64_t want = trace_take_number(text, "want"), age_ns, held;

	trace_take_number(text, "until_ns");
	age_ns = trace_take_number(text, "age_ns");
	trace_take_number(text, "arrival_ns");
	held = trace_take_number(text, "held");
	trace_take_names(text, event);
	if (!event_print_prefix(watch, event, "ask", out))
		return;
	event_print_size(watch, out, "held", held, "holds ", "");
	if (watch->json || !collapsing)
		event_print_size(watch, out, "want", want, ", wants ", "");
	if (watch->json)
		fprintf(out, ", \"age_ns\": %" PRIu64 ", \"collapsing\": %s",
			age_ns, collapsing ? "true" : "false");
	else
		fprintf(out, ", %.1f s old%s", age_ns / 1e9,
			collapsing ? ", collapses" : "");
}

static void event_print_freed(const struct watch *watch, struct event *event,
			      char *text, FILE *out)
{
	uint64_t bytes = trace_take_number(text, "bytes");

	trace_take_names(text, event);
	if (event_print_prefix(watch, event, "freed", out))
		event_print_size(watch, out, "bytes", bytes, "", "");
}

static void event_print_end(const struct watch *watch, struct event *event,
			    char *text, FILE *out)
{
	bool reached = !trace_take_word(text, " gave up");
	uint64_t freed = trace_take_number(text, "freed");
	uint64_t victims = trace_take_number(text, "victims");
	uint64_t low_water = trace_take_number(text, "low_water");
	uint64_t total = trace_take_number(text, "total");

	trace_take_names(text, event);
	if (!event_print_prefix(watch, event, "end", out))
		return;
	event_print_size(watch, out, "total", total, "total ", "");
	event_print_size(watch, out, "low_water", low_water, ", low-water ",
			 "");
	event_print_size(watch, out, "freed", freed, ", freed ", "");
	if (watch->json)
		fprintf(out, ", \"asks\": %" PRIu64 ", \"reached\": %s", victims,
			reached ? "true" : "false");
	else
		fprintf(out, " in %" PRIu64 " asks%s", victims,
			reached ? "" : ", gave up");
}

static const struct {
	const char *mark;		/* longer than a task's name can be */
	void (*print)(const struct watch *watch, struct event *event,
		      char *text, FILE *out);
} kinds[] = {
	{ ": memquota_reclaim_start: tracker=", event_print_start },
	{ ": memquota_victim: tracker=", event_print_victim },
	{ ": memquota_reclaimed: tracker=", event_print_freed },
	{ ": memquota_reclaim_end: tracker=", event_print_end },
};

static void event_print_lost(const struct watch *watch, const char *line,
			     FILE *out)
{
	struct event event = { .time = clock_ns(CLOCK_REALTIME) / 1e9 };
	const char *count = line + strcspn(line, "[");

	if (!event_print_prefix(watch, &event, "lost", out))
		return;
	count += strcspn(count, "0123456789");
	if (watch->json)
		fprintf(out, ", \"count\": %.*s", (int)strspn(count, "0123456789"),
			*count ? count : "null");
	else
		fprintf(out, "%.*s events: they came too fast",
			(int)strspn(count, "0123456789"), count);
}

/* Return the number that ends at @mark, the seconds since boot. */
static double parse_timestamp(const char *line, const char *mark)
{
	const char *start = mark;

	while (start > line && (isdigit((unsigned char)start[-1]) ||
				start[-1] == '.'))
		start--;
	return strtod(start, NULL);
}

static void event_print_line(const struct watch *watch, char *line, FILE *out)
{
	struct event event = { 0 };
	char *mark, *first = NULL;
	size_t i, kind = 0;

	clean_text(line);
	if (!strncmp(line, "CPU:", 4) && strstr(line, "LOST")) {
		event_print_lost(watch, line, out);
		return;
	}
	/* The first mark counts: later ones may be part of a name. */
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		mark = strstr(line, kinds[i].mark);
		if (mark && (!first || mark < first)) {
			first = mark;
			kind = i;
		}
	}
	if (!first)
		return;
	event.time = parse_timestamp(line, first) + watch->offset;
	kinds[kind].print(watch, &event, first + strlen(kinds[kind].mark), out);
}

static void print_trace_line(const struct watch *watch, char *line)
{
	int columns = terminal_columns();
	char *text = NULL, *cut;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		die_no_memory();
	event_print_line(watch, line, out);
	fclose(out);
	if (!size) {
		free(text);
		return;
	}
	if (watch->json) {
		printf("%s}\n", text);
	} else if (columns) {
		cut = fit_text(text, columns);
		puts(cut);
		free(cut);
	} else {
		puts(text);
	}
	free(text);
}

/* Print all complete lines that the kernel has. */
static void read_trace_lines(const struct watch *watch)
{
	static char buffer[65536];
	static size_t used;
	char *line, *end;
	ssize_t len;

	while ((len = read(pipe_fd, buffer + used,
			   sizeof(buffer) - 1 - used)) > 0) {
		used += len;
		buffer[used] = '\0';
		line = buffer;
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			print_trace_line(watch, line);
			line = end + 1;
		}
		used -= line - buffer;
		memmove(buffer, line, used);
		if (used == sizeof(buffer) - 1)
			used = 0;
	}
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		die_of_tracing("trace_pipe");
}

static int watch_events(const struct watch *watch, int signals)
{
	char *events = xasprintf("%s/events/memquota", instance);
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = pipe_fd, .events = POLLIN },
		/* poll() always reports POLLERR, that the reader is gone. */
		{ .fd = STDOUT_FILENO },
	};

	while (!fds[0].revents && !fds[2].revents) {
		if (poll(fds, ARRAY_SIZE(fds), 1000) < 0)
			die(EXIT_FAILED, "poll: %s", strerror(errno));
		read_trace_lines(watch);
		/* EPIPE: the reader is gone. */
		if (fflush(stdout))
			break;
		if (access(events, F_OK))
			die(EXIT_ABSENT, "module memquota: unloaded");
	}
	free(events);
	return EXIT_DONE;
}

static int events_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct memquota_ioctl_tracker tracker;
	struct watch watch = { 0 };
	int option, device, signals;
	bool noheadings = false;

	while ((option = next_option(&events_command, argc, argv, "Jnh",
				     options)) != -1) {
		if (option == 'J')
			watch.json = true;
		else
			noheadings = true;
	}
	watch.tracker = parse_operand(argc, argv, NULL);
	device = open_device();
	if (watch.tracker)
		get_tracker(device, watch.tracker, &tracker);
	/* Do not keep the module from being unloaded. */
	close(device);

	signal(SIGPIPE, SIG_IGN);
	signals = open_signalfd();
	instance_open();
	watch.offset = (clock_ns(CLOCK_REALTIME) -
			clock_ns(CLOCK_MONOTONIC)) / 1e9;
	if (!watch.json && !noheadings)
		printf("%-12s %-5s %-10s %s\n", "TIME", "EVENT", "TRACKER",
		       "WHAT");
	fflush(stdout);
	return watch_events(&watch, signals);
}

const struct command events_command = {
	.name = "events",
	.arguments = "[TRACKER] [OPTION]...",
	.summary = "Print reclaim events as they happen",
	.options =
		"  -J, --json            print each event as one line of JSON\n"
		NOHEADINGS_HELP,
	.notes =
		"Events:\n"
		"  start                 reclaim starts: the total is above high, a charge was\n"
		"                        refused, or the system is short of memory\n"
		"  ask                   a participant, ACCOUNT-ID ACCOUNT/PARTICIPANT, is asked\n"
		"                        to free memory\n"
		"  freed                 bytes that the participant freed\n"
		"  end                   reclaim ends\n"
		"  lost                  number of events dropped by the kernel\n"
		"\nOn a terminal, lines are cut at its width.\n",
	.run = events_run,
};
