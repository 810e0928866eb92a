// SPDX-License-Identifier: GPL-2.0
/* memquotactl top: trackers and accounts, again and again. */
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

#define PAST	512		/* totals: more than a terminal has columns */

/* What a tracker was when we looked before. */
struct past {
	uint64_t id;
	uint64_t seen_ns;
	uint64_t totals[PAST];
	size_t count;			/* of totals, ever */
};

struct top {
	int device;
	const char *tracker;		/* or NULL for all */
	int sort;
	double delay;			/* in s */
	size_t first;			/* account on the screen */
	bool utf8;
	struct trackers trackers;
	struct accounts accounts;
	struct past *past;
	size_t nr_past;
};

/* Where the next text goes: to the screen, or, of the same size, to stdout. */
struct canvas {
	bool curses;
	int rows, columns;
	int row, column;
};

enum color { PLAIN, GREEN, YELLOW, RED, NR_COLORS };

static void __attribute__((format(printf, 3, 4)))
put(struct canvas *canvas, int attributes, const char *format, ...)
{
	char *text, *fitted;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		die(EXIT_FAILED, "there is no memory");
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

/* A name, in just as many columns. */
static void put_padded(struct canvas *canvas, const char *text, int columns)
{
	char *fitted = fit_text(text, columns);

	put(canvas, A_NORMAL, "%s%*s", fitted, columns - text_columns(fitted),
	    "");
	free(fitted);
}

static void next_line(struct canvas *canvas)
{
	canvas->row++;
	canvas->column = 0;
	if (canvas->curses)
		move(canvas->row, 0);
	else
		putchar('\n');
}

static struct past *past_of(struct top *top, uint64_t id)
{
	struct past *past;
	size_t i;

	for (i = 0; i < top->nr_past; i++)
		if (top->past[i].id == id)
			return &top->past[i];
	top->past = allocate(top->past, (top->nr_past + 1) * sizeof(*past));
	past = &top->past[top->nr_past++];
	memset(past, 0, sizeof(*past));
	past->id = id;
	return past;
}

static void remember(struct top *top, const struct memquota_ioctl_tracker *t)
{
	struct past *past = past_of(top, t->out_id);

	past->seen_ns = clock_ns(CLOCK_MONOTONIC);
	past->totals[past->count++ % PAST] =
		t->out_total == MEMQUOTA_IOCTL_UNLIMITED ? 0 : t->out_total;
}

/* Ids are never used again: what has not been seen this time is gone. */
static void forget_gone(struct top *top, uint64_t start_ns)
{
	size_t i = 0;

	while (i < top->nr_past) {
		if (top->past[i].seen_ns < start_ns)
			top->past[i] = top->past[--top->nr_past];
		else
			i++;
	}
}

static int compare(const void *left, const void *right, void *column)
{
	return compare_accounts(left, right, *(int *)column);
}

static void look(struct top *top)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	size_t i;

	free(top->trackers.list);
	free(top->accounts.list);
	if (top->tracker) {
		top->trackers.list = allocate(NULL, sizeof(*top->trackers.list));
		top->trackers.count = 1;
		get_tracker(top->device, top->tracker, top->trackers.list);
	} else {
		get_trackers(top->device, &top->trackers);
	}
	get_accounts(top->device, top->tracker, &top->accounts);
	if (top->accounts.count)
		qsort_r(top->accounts.list, top->accounts.count,
			sizeof(*top->accounts.list), compare, &top->sort);
	for (i = 0; i < top->trackers.count; i++)
		remember(top, &top->trackers.list[i]);
	forget_gone(top, start_ns);
}

/* What a full bar stands for. */
static uint64_t scale_of(const struct memquota_ioctl_tracker *t)
{
	uint64_t scale = t->out_high;

	if (scale == MEMQUOTA_IOCTL_UNLIMITED)
		scale = t->out_peak;
	if (t->out_total != MEMQUOTA_IOCTL_UNLIMITED && t->out_total > scale)
		scale = t->out_total;
	return scale ? scale : 1;
}

static int color_of(const struct memquota_ioctl_tracker *t)
{
	if (t->out_total == MEMQUOTA_IOCTL_UNLIMITED)
		return COLOR_PAIR(PLAIN);
	if (t->out_total > t->out_high)
		return COLOR_PAIR(RED);
	return COLOR_PAIR(t->out_total > t->out_low_water ? YELLOW : GREEN);
}

static void put_bar(struct canvas *canvas, const struct top *top,
		    const struct memquota_ioctl_tracker *t, int width)
{
	double scale = scale_of(t);
	int full = 0, mark = -1, i;

	if (t->out_total != MEMQUOTA_IOCTL_UNLIMITED)
		full = t->out_total / scale * width + 0.5;
	if (t->out_low_water != MEMQUOTA_IOCTL_UNLIMITED)
		mark = t->out_low_water / scale * width;
	put(canvas, A_NORMAL, "[");
	for (i = 0; i < width; i++) {
		if (i < full)
			put(canvas, color_of(t), top->utf8 ? "█" : "#");
		else
			put(canvas, A_NORMAL, "%s", i == mark ? ":" : " ");
	}
	put(canvas, A_NORMAL, "]");
}

/* Its total, one column each time that we looked, the last on the right. */
static void put_past(struct canvas *canvas, struct top *top,
		     const struct memquota_ioctl_tracker *t, int width)
{
	static const char * const blocks[] = {
		" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"
	};
	static const char * const signs[] = {
		" ", ".", ":", "-", "=", "+", "*", "%", "#"
	};
	const struct past *past = past_of(top, t->out_id);
	uint64_t scale = scale_of(t), total;
	size_t known = past->count < PAST ? past->count : PAST;
	int i, level;

	for (i = 0; i < width; i++)
		if ((size_t)(width - i) <= known &&
		    past->totals[(past->count - width + i) % PAST] > scale)
			scale = past->totals[(past->count - width + i) % PAST];
	put(canvas, A_NORMAL, " ");
	for (i = 0; i < width; i++) {
		level = 0;
		if ((size_t)(width - i) <= known) {
			total = past->totals[(past->count - width + i) % PAST];
			level = (double)total / scale * 8 + 0.5;
			/* Little is not nothing. */
			level = total && !level ? 1 : level;
		}
		put(canvas, A_NORMAL, "%s",
		    top->utf8 ? blocks[level] : signs[level]);
	}
	put(canvas, A_NORMAL, " ");
}

static void put_tracker(struct canvas *canvas, struct top *top,
			const struct memquota_ioctl_tracker *t)
{
	int name = 12, width = canvas->columns - name - 36;
	char total[SIZE_TEXT], high[SIZE_TEXT], peak[SIZE_TEXT];
	uint64_t use = use_percent(t);
	char percent[32] = "";

	if (width < 4)
		width = 4;
	if (width > PAST)
		width = PAST;
	if (use != MEMQUOTA_IOCTL_UNLIMITED)
		snprintf(percent, sizeof(percent), "%" PRIu64 "%%", use);
	put_padded(canvas, t->name, name);
	put(canvas, A_NORMAL, " ");
	put_bar(canvas, top, t, width);
	put(canvas, color_of(t), " %6s",
	    size_text(total, t->out_total, false));
	put(canvas, A_NORMAL, " of %-6s %4s",
	    t->out_high == MEMQUOTA_IOCTL_UNLIMITED ? "any" :
	    size_text(high, t->out_high, false), percent);
	if (t->out_state != MEMQUOTA_STATE_COUNTING)
		put(canvas, COLOR_PAIR(RED), " %s", state_name(t->out_state));
	next_line(canvas);

	put_padded(canvas, "", name);
	put(canvas, A_NORMAL, " ");
	put_past(canvas, top, t, width);
	put(canvas, A_NORMAL, " peak %-6s %" PRIu64 " reclaim%s",
	    size_text(peak, t->out_peak, false), (uint64_t)t->out_reclaims,
	    t->out_reclaims == 1 ? "" : "s");
	next_line(canvas);
}

/* Half of the screen at most. */
static void put_trackers(struct canvas *canvas, struct top *top)
{
	size_t room = canvas->rows / 4, i;

	if (room < 1)
		room = 1;
	if (room > top->trackers.count)
		room = top->trackers.count;
	for (i = 0; i < room; i++)
		put_tracker(canvas, top, &top->trackers.list[i]);
	if (room < top->trackers.count) {
		put(canvas, A_NORMAL, "and %zu more: 'memquotactl trackers'",
		    top->trackers.count - room);
		next_line(canvas);
	}
}

static const struct {
	int column;
	int width;			/* of numbers */
} shown[] = {
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

static void put_heading(struct canvas *canvas, const struct top *top)
{
	const struct column *column;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		column = &account_columns[shown[i].column];
		put(canvas, A_NORMAL, "%s", i ? " " : "");
		put(canvas, shown[i].column == top->sort ? A_REVERSE : A_BOLD,
		    column->type == TEXT ? "%-*s" : "%*s", shown[i].width,
		    column->name);
	}
	next_line(canvas);
}

static void put_account(struct canvas *canvas,
			const struct memquota_ioctl_account_list *a)
{
	char text[SIZE_TEXT];
	uint64_t number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		put(canvas, A_NORMAL, "%s", i ? " " : "");
		if (shown[i].column == ACCOUNT_TRACKER) {
			put_padded(canvas, a->tracker, shown[i].width);
			continue;
		}
		if (shown[i].column == ACCOUNT_NAME) {
			put(canvas, A_NORMAL, "%s", a->out_name);
			continue;
		}
		number = shown[i].column == ACCOUNT_ID ? a->out_id :
			 account_number(a, shown[i].column);
		put(canvas, A_NORMAL, "%*s", shown[i].width,
		    size_text(text, number,
			      account_columns[shown[i].column].type != BYTES));
	}
	next_line(canvas);
}

static void draw(struct canvas *canvas, struct top *top)
{
	time_t now = time(NULL);
	char clock[16];
	size_t i, last;

	canvas->row = 0;
	canvas->column = 0;
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	put(canvas, A_NORMAL, "%s  %zu tracker%s, %zu account%s", clock,
	    top->trackers.count, top->trackers.count == 1 ? "" : "s",
	    top->accounts.count, top->accounts.count == 1 ? "" : "s");
	if (canvas->curses)
		put(canvas, A_NORMAL,
		    "   q quit  s, S sort  arrows scroll");
	next_line(canvas);
	put_trackers(canvas, top);
	next_line(canvas);
	put_heading(canvas, top);

	if (top->first >= top->accounts.count)
		top->first = top->accounts.count ? top->accounts.count - 1 : 0;
	last = top->first + (canvas->rows > canvas->row ?
			     canvas->rows - canvas->row : 0);
	if (last > top->accounts.count)
		last = top->accounts.count;
	for (i = top->first; i < last; i++)
		put_account(canvas, &top->accounts.list[i]);
}

static void next_sort(struct top *top, int step)
{
	size_t i, n = ARRAY_SIZE(shown);

	for (i = 0; i < n; i++)
		if (shown[i].column == top->sort)
			break;
	/* One that is not shown comes before the first. */
	top->sort = shown[(i + n + step) % n].column;
	if (top->accounts.count)
		qsort_r(top->accounts.list, top->accounts.count,
			sizeof(*top->accounts.list), compare, &top->sort);
}

static void scroll_by(struct top *top, int lines)
{
	if (lines < 0 && top->first < (size_t)-lines)
		top->first = 0;
	else
		top->first += lines;
}

/* Whether to go on. */
static bool press(struct top *top, int key, int rows)
{
	switch (key) {
	case 'q':
		return false;
	case 's':
		next_sort(top, 1);
		break;
	case 'S':
		next_sort(top, -1);
		break;
	case KEY_DOWN:
		scroll_by(top, 1);
		break;
	case KEY_UP:
		scroll_by(top, -1);
		break;
	case KEY_NPAGE:
		scroll_by(top, rows / 2);
		break;
	case KEY_PPAGE:
		scroll_by(top, -rows / 2);
		break;
	case KEY_HOME:
		top->first = 0;
		break;
	}
	return true;
}

static void end_screen(void)
{
	if (!isendwin())
		endwin();
}

static void begin_screen(void)
{
	char *type = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		usage("top takes a terminal: --once prints what is there and ends");
	if (!newterm(NULL, stdout, stdin))
		die(EXIT_FAILED,
		    "no description of the terminal '%s': try TERM=linux, or --once",
		    type ? type : "");
	leave_screen = end_screen;
	atexit(end_screen);
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

static void show_live(struct top *top)
{
	struct canvas canvas = { .curses = true };
	uint64_t next_ns, now_ns;
	struct pollfd fds[] = {
		{ .fd = catch_signals(), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int key;

	begin_screen();
	for (next_ns = 0; ;) {
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns >= next_ns) {
			look(top);
			next_ns = now_ns + top->delay * 1e9;
		}
		getmaxyx(stdscr, canvas.rows, canvas.columns);
		erase();
		draw(&canvas, top);
		refresh();
		/* A new size of the terminal interrupts it, and is a key. */
		if (poll(fds, ARRAY_SIZE(fds), (next_ns - now_ns) / 1000000 + 1) < 0 &&
		    errno != EINTR)
			die(EXIT_FAILED, "top: poll: %s", strerror(errno));
		if (fds[0].revents || fds[1].revents & (POLLHUP | POLLERR))
			return;
		while ((key = getch()) != ERR)
			if (!press(top, key, canvas.rows))
				return;
	}
}

static int number_of_rows(const char *name, int otherwise)
{
	const char *text = getenv(name);
	int rows = text ? atoi(text) : 0;

	return rows > 0 && rows < 10000 ? rows : otherwise;
}

static void print_once(struct top *top)
{
	struct canvas canvas = {
		.columns = terminal_columns(),
		.rows = number_of_rows("LINES", 24),
	};

	if (!canvas.columns)
		canvas.columns = number_of_rows("COLUMNS", 80);
	look(top);
	draw(&canvas, top);
}

static void print_number(const char *key, uint64_t number, const char *behind)
{
	if (number == MEMQUOTA_IOCTL_UNLIMITED)
		printf("\"%s\": null%s", key, behind);
	else
		printf("\"%s\": %" PRIu64 "%s", key, number, behind);
}

static void print_json_tracker(const struct memquota_ioctl_tracker *t)
{
	printf("{\"name\": ");
	json_string(stdout, t->name);
	printf(", \"state\": \"%s\", ", state_name(t->out_state));
	print_number("total", t->out_total, ", ");
	print_number("high", t->out_high, ", ");
	print_number("low_water", t->out_low_water, ", ");
	print_number("max", t->out_max, ", ");
	print_number("peak", t->out_peak, ", ");
	print_number("reclaims", t->out_reclaims, "}");
}

static void print_json_account(const struct memquota_ioctl_account_list *a)
{
	size_t i;

	printf("{\"tracker\": ");
	json_string(stdout, a->tracker);
	printf(", \"name\": ");
	json_string(stdout, a->out_name);
	printf(", ");
	print_number("id", a->out_id, "");
	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		const struct column *c = &account_columns[shown[i].column];

		if (c->type == TEXT || shown[i].column == ACCOUNT_ID)
			continue;
		printf(", ");
		print_number(c->key, account_number(a, shown[i].column), "");
	}
	putchar('}');
}

static void print_json(const struct top *top)
{
	size_t i;

	printf("{\"time\": %.3f, \"trackers\": [",
	       clock_ns(CLOCK_REALTIME) / 1e9);
	for (i = 0; i < top->trackers.count; i++) {
		printf("%s", i ? ", " : "");
		print_json_tracker(&top->trackers.list[i]);
	}
	printf("], \"accounts\": [");
	for (i = 0; i < top->accounts.count; i++) {
		printf("%s", i ? ", " : "");
		print_json_account(&top->accounts.list[i]);
	}
	printf("]}\n");
}

static void show_json(struct top *top, bool once)
{
	struct pollfd signals = { .fd = catch_signals(), .events = POLLIN };

	do {
		look(top);
		print_json(top);
		if (fflush(stdout))
			return;
	} while (!once && poll(&signals, 1, top->delay * 1000) == 0);
}

static double delay_option(const char *text)
{
	char *end;
	double delay = strtod(text, &end);

	if (end == text || *end || !(delay >= 0.1 && delay <= 3600))
		usage("'%s' is no delay: it is a number of seconds, from 0.1 to 3600",
		      text);
	return delay;
}

static int run(int argc, char **argv)
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

	while ((option = next_option(&top_command, argc, argv, ":d:x:1Jh",
				     options)) != -1) {
		if (option == 'd')
			top.delay = delay_option(optarg);
		else if (option == 'x')
			top.sort = sort_column(optarg);
		else if (option == '1')
			once = true;
		else
			json = true;
	}
	if (argc - optind > 1)
		usage("there is one argument too many: '%s'", argv[optind + 1]);
	top.tracker = argv[optind];
	top.device = open_device();
	if (json)
		show_json(&top, once);
	else if (once)
		print_once(&top);
	else
		show_live(&top);
	free(top.trackers.list);
	free(top.accounts.list);
	free(top.past);
	return EXIT_DONE;
}

const struct command top_command = {
	.name = "top",
	.arguments = "[TRACKER] [OPTION...]",
	.summary = "Show trackers and their accounts, live",
	.options =
		"  -d, --delay SECONDS  between two looks; 1 unless told\n"
		"  -x, --sort COLUMN    of 'accounts'; HELD unless told\n"
		"  -1, --once           print what is there, and end\n"
		"  -J, --json           each look as JSON, on a line of its own\n",
	.notes =
		"Of each tracker there is a bar, full at high, with a ':' at low-water; and\n"
		"below it its total over time, one column a look, on the same scale. Keys:\n"
		"  q                    quit\n"
		"  s, S                 sort by the next column, the one before\n"
		"  arrows, page, home   scroll the accounts\n",
	.run = run,
};
