/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations shared by the files of memquotactl. */
#ifndef _MEMQUOTACTL_H
#define _MEMQUOTACTL_H

#include <getopt.h>
#include <linux/memquota.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VERSION		"0.1"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit statuses, see memquotactl(8). */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_ABSENT = 3,
	EXIT_COLLAPSED = 4
};

struct column;

struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *options;
	const char *notes;		/* printed below the options, or NULL */
	const struct column *columns;	/* for --help; NULL without */
	int nr_columns;
	int (*run)(int argc, char **argv);
};

extern const struct command info_command, trackers_command, accounts_command,
	show_command, set_command, create_command, destroy_command, top_command,
	events_command, export_command, hold_command;

/* Options that several commands have. */
#define JSON_HELP \
	"  -J, --json            print JSON, with sizes in bytes and null for none\n"
#define BYTES_HELP \
	"      --bytes           print exact sizes in bytes\n"
#define NOHEADINGS_HELP \
	"  -n, --noheadings      do not print the heading\n"
#define HELP_HELP \
	"  -h, --help            display this help and exit\n"

/* main.c */
extern void (*restore_terminal)(void);
void __attribute__((noreturn)) print_help(const struct command *command);
int next_option(const struct command *command, int argc, char **argv,
		const char *letters, const struct option *options);
void __attribute__((noreturn, format(printf, 1, 2)))
die_usage(const char *format, ...);
void __attribute__((noreturn, format(printf, 2, 3)))
die(int status, const char *format, ...);
void die_no_memory(void);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *__attribute__((format(printf, 1, 0)))
xvasprintf(const char *format, va_list args);
char *__attribute__((format(printf, 1, 2))) xasprintf(const char *format, ...);
void copy_name(char *field, const char *name, const char *object);
const char *parse_operand(int argc, char **argv, const char *required);
void reject_operands(int argc, char **argv);
uint64_t parse_account_id(const char *text);
bool use_colors(FILE *file);
uint64_t clock_ns(int clock);
int open_signalfd(void);

/* text.c */
int terminal_columns(void);
int text_columns(const char *text);
char *fit_text(const char *text, int columns);
void clean_text(char *text);

/* size.c */
#define SIZE_TEXT	32
#define SIZE_EXPECTED	"expected bytes with an optional K, M, G or T"
const char *format_size(char *text, uint64_t bytes, bool exact);
bool parse_bytes(const char *text, uint64_t *bytes);
bool parse_percent(const char *text, double *percent);

/* json.c */
void print_json_string(FILE *file, const char *text);

/* device.c */
struct trackers {
	struct memquota_ioctl_tracker *list;
	size_t count;
};

struct accounts {
	struct memquota_ioctl_account_list *list;	/* by id */
	size_t count;
};

#define NAME_EXPECTED	"invalid name: expected printable UTF-8 without '/'"

int open_device(void);
void require_version(int device, uint32_t version);
int try_ioctl(int fd, unsigned long cmd, void *arg);
void __attribute__((noreturn))
die_of_ioctl(int error, const char *tracker);
const char *state_name(uint32_t state);
void get_info(int device, struct memquota_ioctl_info *info);
bool find_tracker(int device, const char *name,
		  struct memquota_ioctl_tracker *tracker);
void get_tracker(int device, const char *name,
		 struct memquota_ioctl_tracker *tracker);
void get_trackers(int device, struct trackers *trackers);
bool next_account(int device, const char *tracker, uint64_t after,
		  struct memquota_ioctl_account_list *account);
int compare_account_ids(const void *left, const void *right);
void get_accounts(int device, const char *tracker, struct accounts *accounts);

/* table.c */
enum column_type { TEXT, NUMBER, BYTES, FLAG, LIST };

struct column {
	const char *name;
	const char *key;		/* in JSON */
	enum column_type type;
	double width;			/* hint, see scols_table_new_column() */
	int flags;			/* SCOLS_FL_* */
	bool by_default;		/* shown without --output */
	const char *help;
};

#define MAX_COLUMNS	16

/* The layout of a table, from the options of a command. */
struct view {
	const struct column *columns;
	int count;
	int shown[MAX_COLUMNS];
	int nr_shown;
	bool chosen;			/* with --output */
	bool json;
	bool exact;
	bool noheadings;
	bool tree;
};

struct libscols_table;
struct libscols_line;

#define VIEW_LETTERS	"Jno:"
#define VIEW_OPTIONS						\
	{ "json", no_argument, NULL, 'J' },			\
	{ "bytes", no_argument, NULL, 'B' },			\
	{ "noheadings", no_argument, NULL, 'n' },		\
	{ "output", required_argument, NULL, 'o' }

#define VIEW_HELP							\
	JSON_HELP							\
	BYTES_HELP							\
	NOHEADINGS_HELP							\
	"  -o, --output LIST     print only these columns; +LIST adds columns\n"

void view_init(struct view *view, const struct column *columns, int count);
bool view_parse_option(struct view *view, int option, const char *argument);
bool view_has_column(const struct view *view, int column);
void view_add_column(struct view *view, int column);
void view_complete(struct view *view);
int find_column(const struct column *columns, int count, const char *name);
void print_columns_help(const struct column *columns, int count);
struct libscols_table *table_new(const struct view *view, const char *name);
struct libscols_line *table_line(struct libscols_table *table,
				 struct libscols_line *parent);
void cell_text(const struct view *view, struct libscols_line *line, int column,
	       const char *text);
void cell_number(const struct view *view, struct libscols_line *line,
		 int column, uint64_t number);
void cell_color(const struct view *view, struct libscols_line *line,
		int column, const char *color);
void table_print(struct libscols_table *table);

/* accounts.c */
enum account_column {
	ACCOUNT_NAME, ACCOUNT_ID, ACCOUNT_TRACKER, ACCOUNT_HELD, ACCOUNT_PEAK,
	ACCOUNT_MAX, ACCOUNT_REFUSED, ACCOUNT_RECLAIMS, ACCOUNT_PARTS,
	ACCOUNT_CHILDREN, ACCOUNT_PARENTS, ACCOUNT_AGAIN, ACCOUNT_COLUMNS
};

extern const struct column account_columns[ACCOUNT_COLUMNS];

uint64_t account_value(const struct memquota_ioctl_account_list *a,
		       int column);
int compare_accounts(const struct memquota_ioctl_account_list *a,
		     const struct memquota_ioctl_account_list *b, int column);
int parse_sort_column(const char *name);

/* trackers.c */
uint64_t use_percent(const struct memquota_ioctl_tracker *t);

#endif /* _MEMQUOTACTL_H */
