// SPDX-License-Identifier: GPL-2.0
/* memquotactl top: a live display of trackers and accounts. */
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <ncurses.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "memquotactl.h"

#define NR_TOTALS	512	/* more than a terminal has columns */

/* The totals of a tracker at the last updates, a ring. */
struct history {
	uint64_t id;
	uint64_t seen_ns;
	uint64_t totals[NR_TOTALS];
	size_t count;			/* of totals, including overwritten */
};

struct top {
	int device;
	const char *tracker;		/* or NULL for all */
	int sort;
	double delay;			/* in s */
	size_t first;			/* index of the top account shown */
	bool utf8;
	struct trackers trackers;
	struct accounts accounts;
	struct history *histories;
	size_t nr_histories;
};

/* The output: the screen or, with the same layout, stdout. */
struct canvas {
	bool curses;
	int rows, columns;
	int row, column;
};

enum color { PLAIN, GREEN, YELLOW, RED, NR_COLORS };

static void __attribute__((format(printf, 3, 4)))
canvas_print(struct canvas *canvas, int attributes, const char *format, ...)
{
	char *text, *fitted;
	va_list args;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	fitted = fit_text(text, canvas->columns - canvas->column);
	canvas->column += text_columns(fitted);
	if (canvas->curses) {
		attrset(attributes);
		addstr(fitted);
		attrset(A_NORMAL);
	} else {
		fputs(fitted, stdout);
	}
	free(fitted);
	free(text);
}

/* Print @text cut or padded to @columns. */
static void canvas_print_padded(struct canvas *canvas, const char *text,
				int columns)
{
	char *fitted = fit_text(text, columns);

	canvas_print(canvas, A_NORMAL, "%s%*s", fitted,
		     columns - text_columns(fitted), "");
	free(fitted);
}

static void canvas_next_line(struct canvas *canvas)
{
	canvas->row++;
	canvas->column = 0;
	if (canvas->curses)
		move(canvas->row, 0);
	else
		putchar('\n');
}

static struct history *top_get_history(struct top *top, uint64_t id)
{
	struct history *history;
	size_t i;

	for (i = 0; i < top->nr_histories; i++)
		if (top->histories[i].id == id)
			return &top->histories[i];
	top->histories = xrealloc(top->histories, (top->nr_histories + 1) *
				  sizeof(*history));
	history = &top->histories[top->nr_histories++];
	memset(history, 0, sizeof(*history));
	history->id = id;
	return history;
}

static void top_record_total(struct top *top,
			     const struct memquota_ioctl_tracker *t)
{
	struct history *history = top_get_history(top, t->out_id);

	history->seen_ns = clock_ns(CLOCK_MONOTONIC);
	history->totals[history->count++ % NR_TOTALS] =
		t->out_total == MEMQUOTA_IOCTL_UNLIMITED ? 0 : t->out_total;
}

/* Ids are never reused, so a tracker not seen since @start_ns is gone. */
static void top_forget_gone(struct top *top, uint64_t start_ns)
{
	size_t i = 0;

	while (i < top->nr_histories) {
		if (top->histories[i].seen_ns < start_ns)
			top->histories[i] = top->histories[--top->nr_histories];
		else
			i++;
	}
}

static int compare_for_sort(const void *left, const void *right, void *column)
{
	return compare_accounts(left, right, *(int *)column);
}

static void top_sort_accounts(struct top *top)
{
	if (top->accounts.count)
		qsort_r(top->accounts.list, top->accounts.count,
			sizeof(*top->accounts.list), compare_for_sort,
			&top->sort);
}

static void top_update(struct top *top)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	size_t i;

	free(top->trackers.list);
	free(top->accounts.list);
	if (top->tracker) {
		top->trackers.list = xrealloc(NULL,
					      sizeof(*top->trackers.list));
		top->trackers.count = 1;
		get_tracker(top->device, top->tracker, top->trackers.list);
	} else {
		get_trackers(top->device, &top->trackers);
	}
	get_accounts(top->device, top->tracker, &top->accounts);
	top_sort_accounts(top);
	for (i = 0; i < top->trackers.count; i++)
		top_record_total(top, &top->trackers.list[i]);
	top_forget_gone(top, start_ns);
}

/* Return the bytes that a full bar stands for. */
static uint64_t tracker_scale(const struct memquota_ioctl_tracker *t)
{
	uint64_t scale = t->out_high;

	if (scale == MEMQUOTA_IOCTL_UNLIMITED)
		scale = t->out_peak;
	if (t->out_total != MEMQUOTA_IOCTL_UNLIMITED && t->out_total > scale)
		scale = t->out_total;
	return scale ? scale : 1;
}

static int tracker_color(const struct memquota_ioctl_tracker *t)
{
	if (t->out_total == MEMQUOTA_IOCTL_UNLIMITED)
		return COLOR_PAIR(PLAIN);
	if (t->out_total > t->out_high)
		return COLOR_PAIR(RED);
	return COLOR_PAIR(t->out_total > t->out_low_water ? YELLOW : GREEN);
}

static void top_print_bar(struct canvas *canvas, const struct top *top,
			  const struct memquota_ioctl_tracker *t, int width)
{
	double scale = tracker_scale(t);
	int full = 0, mark = -1, i;

	if (t->out_total != MEMQUOTA_IOCTL_UNLIMITED)
		full = t->out_total / scale * width + 0.5;
	if (t->out_low_water != MEMQUOTA_IOCTL_UNLIMITED)
		mark = t->out_low_water / scale * width;
	canvas_print(canvas, A_NORMAL, "[");
	for (i = 0; i < width; i++) {
		if (i < full)
			canvas_print(canvas, tracker_color(t),
				     top->utf8 ? "█" : "#");
		else
			canvas_print(canvas, A_NORMAL, "%s",
				     i == mark ? ":" : " ");
	}
	canvas_print(canvas, A_NORMAL, "]");
}

/* Return the total of @age updates ago, 1 for the last; 0 if unknown. */
static uint64_t history_get_total(const struct history *history, size_t age)
{
	if (age > history->count || age > NR_TOTALS)
		return 0;
	return history->totals[(history->count - age) % NR_TOTALS];
}

/* Print the tracker's totals, one column an update, the last on the right. */
static void top_print_history(struct canvas *canvas, struct top *top,
			      const struct memquota_ioctl_tracker *t, int width)
{
	static const char * const blocks[] = {
		" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"
	};
	static const char * const signs[] = {
		" ", ".", ":", "-", "=", "+", "*", "%", "#"
	};
	const struct history *history = top_get_history(top, t->out_id);
	uint64_t scale = tracker_scale(t), total;
	int age, level;

	for (age = width; age > 0; age--) {
		total = history_get_total(history, age);
		if (total > scale)
			scale = total;
	}
	canvas_print(canvas, A_NORMAL, " ");
	for (age = width; age > 0; age--) {
		total = history_get_total(history, age);
		level = (double)total / scale * 8 + 0.5;
		/* A small total must differ from none. */
		if (total && !level)
			level = 1;
		canvas_print(canvas, A_NORMAL, "%s",
			     top->utf8 ? blocks[level] : signs[level]);
	}
	canvas_print(canvas, A_NORMAL, " ");
}

static void top_print_tracker(struct canvas *canvas, struct top *top,
			      const struct memquota_ioctl_tracker *t)
{
	int name = 12, width = canvas->columns - name - 36;
	char total[SIZE_TEXT], high[SIZE_TEXT], peak[SIZE_TEXT];
	uint64_t use = use_percent(t);
	char percent[32] = "";

	if (width < 4)
		width = 4;
	if (width > NR_TOTALS)
		width = NR_TOTALS;
	if (use != MEMQUOTA_IOCTL_UNLIMITED)
		snprintf(percent, sizeof(percent), "%" PRIu64 "%%", use);
	canvas_print_padded(canvas, t->name, name);
	canvas_print(canvas, A_NORMAL, " ");
	top_print_bar(canvas, top, t, width);
	canvas_print(canvas, tracker_color(t), " %6s",
		     format_size(total, t->out_total, false));
	canvas_print(canvas, A_NORMAL, " of %-6s %4s",
		     t->out_high == MEMQUOTA_IOCTL_UNLIMITED ? "any" :
	    format_size(high, t->out_high, false), percent);
	if (t->out_state != MEMQUOTA_STATE_COUNTING)
		canvas_print(canvas, COLOR_PAIR(RED), " %s",
			     state_name(t->out_state));
	canvas_next_line(canvas);

	canvas_print_padded(canvas, "", name);
	canvas_print(canvas, A_NORMAL, " ");
	top_print_history(canvas, top, t, width);
	canvas_print(canvas, A_NORMAL, " peak %-6s %" PRIu64 " reclaim%s",
		     format_size(peak, t->out_peak, false),
		     (uint64_t)t->out_reclaims,
	    t->out_reclaims == 1 ? "" : "s");
	canvas_next_line(canvas);
}

/* Print the trackers, two lines each, on at most half of the screen. */
static void top_print_trackers(struct canvas *canvas, struct top *top)
{
	size_t room = canvas->rows / 4, i;

	if (room < 1)
		room = 1;
	if (room > top->trackers.count)
		room = top->trackers.count;
	for (i = 0; i < room; i++)
		top_print_tracker(canvas, top, &top->trackers.list[i]);
	if (room < top->trackers.count) {
		canvas_print(canvas, A_NORMAL, "and %zu more: 'memquotactl trackers'",
			     top->trackers.count - room);
		canvas_next_line(canvas);
	}
}

/* The columns of accounts, from the left. */
static const struct {
	int column;
	int width;			/* of numbers */
} layout[] = {
	{ ACCOUNT_ID, 7 },
	{ ACCOUNT_HELD, 6 },
	{ ACCOUNT_PEAK, 6 },
	{ ACCOUNT_MAX, 6 },
	{ ACCOUNT_REFUSED, 7 },
	{ ACCOUNT_RECLAIMS, 8 },
	{ ACCOUNT_PARTS, 5 },
	{ ACCOUNT_TRACKER, 12 },
	{ ACCOUNT_NAME, 0 },
};

static void top_print_heading(struct canvas *canvas, const struct top *top)
{
	const struct column *column;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(layout); i++) {
		column = &account_columns[layout[i].column];
		canvas_print(canvas, A_NORMAL, "%s", i ? " " : "");
		canvas_print(canvas, layout[i].column == top->sort ?
			     A_REVERSE : A_BOLD,
			     column->type == TEXT ? "%-*s" : "%*s",
			     layout[i].width, column->name);
	}
	canvas_next_line(canvas);
}

static void top_print_account(struct canvas *canvas,
			      const struct memquota_ioctl_account_list *a)
{
	char text[SIZE_TEXT];
	uint64_t number;
	int column;
	bool exact;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(layout); i++) {
		column = layout[i].column;
		canvas_print(canvas, A_NORMAL, "%s", i ? " " : "");
		if (column == ACCOUNT_TRACKER) {
			canvas_print_padded(canvas, a->tracker,
					    layout[i].width);
			continue;
		}
		if (column == ACCOUNT_NAME) {
			canvas_print(canvas, A_NORMAL, "%s", a->out_name);
			continue;
		}
		exact = account_columns[column].type != BYTES;
		number = column == ACCOUNT_ID ? a->out_id :
			 account_value(a, column);
		canvas_print(canvas, A_NORMAL, "%*s", layout[i].width,
			     format_size(text, number, exact));
	}
	canvas_next_line(canvas);
}

static void top_draw(struct canvas *canvas, struct top *top)
{
	time_t now = time(NULL);
	char clock[16];
	size_t i, last;

	canvas->row = 0;
	canvas->column = 0;
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	canvas_print(canvas, A_NORMAL, "%s  %zu tracker%s, %zu account%s", clock,
		     top->trackers.count, top->trackers.count == 1 ? "" : "s",
	    top->accounts.count, top->accounts.count == 1 ? "" : "s");
	if (canvas->curses)
		canvas_print(canvas, A_NORMAL,
			     "   q quit  s, S sort  arrows scroll");
	canvas_next_line(canvas);
	top_print_trackers(canvas, top);
	canvas_next_line(canvas);
	top_print_heading(canvas, top);

	if (top->first >= top->accounts.count)
		top->first = top->accounts.count ? top->accounts.count - 1 : 0;
	last = top->first + (canvas->rows > canvas->row ?
			     canvas->rows - canvas->row : 0);
	if (last > top->accounts.count)
		last = top->accounts.count;
	for (i = top->first; i < last; i++)
		top_print_account(canvas, &top->accounts.list[i]);
}

static void top_change_sort(struct top *top, int step)
{
	size_t i, n = ARRAY_SIZE(layout);

	for (i = 0; i < n; i++)
		if (layout[i].column == top->sort)
			break;
	/* A column that is not displayed comes before the first. */
	if (i == n)
		i = step > 0 ? n - 1 : 0;
	top->sort = layout[(i + n + step) % n].column;
	top_sort_accounts(top);
}

static void top_scroll(struct top *top, int lines)
{
	if (lines < 0 && top->first < (size_t)-lines)
		top->first = 0;
	else
		top->first += lines;
}

/* Return false if @key ends the program. */
static bool top_handle_key(struct top *top, int key, int rows)
{
	switch (key) {
	case 'q':
		return false;
	case 's':
		top_change_sort(top, 1);
		break;
	case 'S':
		top_change_sort(top, -1);
		break;
	case KEY_DOWN:
		top_scroll(top, 1);
		break;
	case KEY_UP:
		top_scroll(top, -1);
		break;
	case KEY_NPAGE:
		top_scroll(top, rows / 2);
		break;
	case KEY_PPAGE:
		top_scroll(top, -rows / 2);
		break;
	case KEY_HOME:
		top->first = 0;
		break;
	}
	return true;
}

static void screen_end(void)
{
	if (!isendwin())
		endwin();
}

static void screen_begin(void)
{
	char *type = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		die_usage("stdin or stdout: not a terminal: use --once or --json");
	if (!newterm(NULL, stdout, stdin))
		die(EXIT_FAILED,
		    "terminal '%s': unknown type: set TERM=linux or use --once",
		    type ? type : "");
	restore_terminal = screen_end;
	atexit(screen_end);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, true);
	nodelay(stdscr, true);
	if (!use_colors(stdout) || start_color() == ERR)
		return;
	use_default_colors();
	init_pair(GREEN, COLOR_GREEN, -1);
	init_pair(YELLOW, COLOR_YELLOW, -1);
	init_pair(RED, COLOR_RED, -1);
}

static void top_run_live(struct top *top)
{
	struct canvas canvas = { .curses = true };
	uint64_t next_ns, now_ns;
	struct pollfd fds[] = {
		{ .fd = open_signalfd(), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int key, timeout_ms;

	screen_begin();
	for (next_ns = 0; ;) {
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns >= next_ns) {
			top_update(top);
			next_ns = now_ns + top->delay * 1e9;
		}
		getmaxyx(stdscr, canvas.rows, canvas.columns);
		erase();
		top_draw(&canvas, top);
		refresh();
		/* SIGWINCH interrupts poll(); getch() returns KEY_RESIZE. */
		timeout_ms = (next_ns - now_ns) / 1000000 + 1;
		if (poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0 &&
		    errno != EINTR)
			die(EXIT_FAILED, "poll: %s", strerror(errno));
		if (fds[0].revents || fds[1].revents & (POLLHUP | POLLERR))
			return;
		while ((key = getch()) != ERR)
			if (!top_handle_key(top, key, canvas.rows))
				return;
	}
}

static int getenv_size(const char *name, int otherwise)
{
	const char *text = getenv(name);
	int rows = text ? atoi(text) : 0;

	return rows > 0 && rows < 10000 ? rows : otherwise;
}

static void top_print_once(struct top *top)
{
	struct canvas canvas = {
		.columns = terminal_columns(),
		.rows = getenv_size("LINES", 24),
	};

	if (!canvas.columns)
		canvas.columns = getenv_size("COLUMNS", 80);
	top_update(top);
	top_draw(&canvas, top);
}

static void json_print_number(const char *key, uint64_t number,
			      const char *behind)
{
	if (number == MEMQUOTA_IOCTL_UNLIMITED)
		printf("\"%s\": null%s", key, behind);
	else
		printf("\"%s\": %" PRIu64 "%s", key, number, behind);
}

static void json_print_tracker(const struct memquota_ioctl_tracker *t)
{
	printf("{\"name\": ");
	print_json_string(stdout, t->name);
	printf(", \"state\": \"%s\", ", state_name(t->out_state));
	json_print_number("total", t->out_total, ", ");
	json_print_number("high", t->out_high, ", ");
	json_print_number("low_water", t->out_low_water, ", ");
	json_print_number("max", t->out_max, ", ");
	json_print_number("peak", t->out_peak, ", ");
	json_print_number("reclaims", t->out_reclaims, "}");
}

static void json_print_account(const struct memquota_ioctl_account_list *a)
{
	size_t i;

	printf("{\"tracker\": ");
	print_json_string(stdout, a->tracker);
	printf(", \"name\": ");
	print_json_string(stdout, a->out_name);
	printf(", ");
	json_print_number("id", a->out_id, "");
	for (i = 0; i < ARRAY_SIZE(layout); i++) {
		int column = layout[i].column;
		const struct column *c = &account_columns[column];

		if (c->type == TEXT || column == ACCOUNT_ID)
			continue;
		printf(", ");
		json_print_number(c->key, account_value(a, column), "");
	}
	putchar('}');
}

static void json_print_top(const struct top *top)
{
	size_t i;

	printf("{\"time\": %.3f, \"trackers\": [",
	       clock_ns(CLOCK_REALTIME) / 1e9);
	for (i = 0; i < top->trackers.count; i++) {
		printf("%s", i ? ", " : "");
		json_print_tracker(&top->trackers.list[i]);
	}
	printf("], \"accounts\": [");
	for (i = 0; i < top->accounts.count; i++) {
		printf("%s", i ? ", " : "");
		json_print_account(&top->accounts.list[i]);
	}
	printf("]}\n");
}

static void top_run_json(struct top *top, bool once)
{
	struct pollfd signals = { .fd = open_signalfd(), .events = POLLIN };

	do {
		top_update(top);
		json_print_top(top);
		if (fflush(stdout))
			return;
	} while (!once && poll(&signals, 1, top->delay * 1000) == 0);
}

static double top_parse_delay(const char *text)
{
	char *end;
	double delay = strtod(text, &end);

	if (end == text || *end || !(delay >= 0.1 && delay <= 3600))
		die_usage("invalid delay '%s': expected 0.1 to 3600 seconds",
			  text);
	return delay;
}

static int top_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "sort", required_argument, NULL, 'x' },
		{ "once", no_argument, NULL, '1' },
		{ "json", no_argument, NULL, 'J' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct top top = {
		.sort = ACCOUNT_HELD,
		.delay = 1,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
	bool once = false, json = false;
	int option;

	while ((option = next_option(&top_command, argc, argv, "d:x:1Jh",
				     options)) != -1) {
		if (option == 'd')
			top.delay = top_parse_delay(optarg);
		else if (option == 'x')
			top.sort = parse_sort_column(optarg);
		else if (option == '1')
			once = true;
		else
			json = true;
	}
	top.tracker = parse_operand(argc, argv, NULL);
	top.device = open_device();
	if (json)
		top_run_json(&top, once);
	else if (once)
		top_print_once(&top);
	else
		top_run_live(&top);
	free(top.trackers.list);
	free(top.accounts.list);
	free(top.histories);
	return EXIT_DONE;
}

const struct command top_command = {
	.name = "top",
	.arguments = "[TRACKER] [OPTION]...",
	.summary = "Display trackers and their accounts live",
	.options =
		"  -d, --delay SECONDS   wait SECONDS between updates (default: 1)\n"
		"  -x, --sort COLUMN     sort by a column of 'accounts' (default: HELD)\n"
		"  -1, --once            print once and exit\n"
		"  -J, --json            print each update as one line of JSON\n",
	.notes =
		"Each tracker has a bar, which is full at high and has a ':' at low-water. The\n"
		"line below shows its total over time on the same scale, one column per update.\n"
		"\nKeys:\n"
		"  q                     quit\n"
		"  s, S                  sort by the next or the previous column\n"
		"  arrows, page, home    scroll the accounts\n",
	.run = top_run,
};
