// SPDX-License-Identifier: GPL-2.0
/*
 * memquotactl: show and manage the trackers and accounts of memquota.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "memquotactl.h"

static const struct command * const commands[] = {
	&info_command, &trackers_command, &accounts_command, &show_command,
	&set_command, &create_command, &destroy_command, &top_command,
	&events_command, &export_command, &hold_command,
};

static const struct command *current;

/* Set while a full-screen display is on; called before an error is printed. */
void (*restore_terminal)(void);

static void print_error(const char *format, va_list args)
{
	if (restore_terminal)
		restore_terminal();
	/* Keep the order of output and error on a terminal. */
	fflush(stdout);
	vwarnx(format, args);
}

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	exit(status);
}

void die_no_memory(void)
{
	die(EXIT_FAILED, "out of memory");
}

static void __attribute__((noreturn)) exit_with_hint(void)
{
	fprintf(stderr, "Try 'memquotactl %s%s--help' for more information.\n",
		current ? current->name : "", current ? " " : "");
	exit(EXIT_USAGE);
}

void die_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	exit_with_hint();
}

void *xrealloc(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (!memory)
		die_no_memory();
	return memory;
}

char *xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(xrealloc(NULL, size), text, size);
}

char *xvasprintf(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		die_no_memory();
	return text;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	return text;
}

/* Copy @name to @field, MEMQUOTA_IOCTL_NAME_SIZE bytes that are zero. */
void copy_name(char *field, const char *name, const char *object)
{
	size_t len = strlen(name);

	if (!len || len >= MEMQUOTA_IOCTL_NAME_SIZE)
		die_usage("invalid %s name '%s': expected 1 to %d bytes",
			  object, name, MEMQUOTA_IOCTL_NAME_SIZE - 1);
	memcpy(field, name, len);
}

/*
 * Return the only operand, or NULL if there is none. @required names what is
 * missing then; NULL if the operand is optional.
 */
const char *parse_operand(int argc, char **argv, const char *required)
{
	if (argc - optind > 1)
		die_usage("extra operand '%s'", argv[optind + 1]);
	if (required && optind == argc)
		die_usage("missing operand: expected %s", required);
	return argv[optind];
}

void reject_operands(int argc, char **argv)
{
	if (optind < argc)
		die_usage("extra operand '%s'", argv[optind]);
}

uint64_t parse_account_id(const char *text)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text))
		die_usage("invalid account id '%s': expected a number", text);
	return number;
}

bool use_colors(FILE *file)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fileno(file)) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb");
}

uint64_t clock_ns(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Return a descriptor that is readable when a signal asks to terminate. */
int open_signalfd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die(EXIT_FAILED, "signalfd: %s", strerror(errno));
	return fd;
}

static void print_commands(FILE *file)
{
	size_t i;

	fputs("Usage: memquotactl COMMAND [ARGUMENT]...\n\n"
	      "Show and manage the memory quotas of the kernel module memquota.\n\n"
	      "Commands:\n", file);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(file, "  %-10s %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("\nOptions:\n"
	      HELP_HELP
	      "  -V, --version         display the version and exit\n\n"
	      "Run 'memquotactl COMMAND --help' for the options of a command.\n"
	      "For more details see memquotactl(8).\n", file);
}

void print_help(const struct command *command)
{
	printf("Usage: memquotactl %s%s%s\n\n%s.\n\nOptions:\n%s" HELP_HELP,
	       command->name, *command->arguments ? " " : "",
	       command->arguments, command->summary, command->options);
	if (command->notes)
		printf("\n%s", command->notes);
	if (command->columns)
		print_columns_help(command->columns, command->nr_columns);
	exit(EXIT_DONE);
}

/* Return the next option of @command, or -1; getopt reports an invalid one. */
int next_option(const struct command *command, int argc, char **argv,
		const char *letters, const struct option *options)
{
	int option = getopt_long(argc, argv, letters, options, NULL);

	if (option == 'h')
		print_help(command);
	if (option == '?')
		exit_with_hint();
	return option;
}

static void flush_output(void)
{
	/* It is no error if the reader closes its end of a pipe. */
	if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) {
		warn("write error");
		_exit(EXIT_FAILED);
	}
}

int main(int argc, char **argv)
{
	size_t i;

	/* LC_NUMERIC stays "C": the decimal separator is a point. */
	setlocale(LC_CTYPE, "");
	atexit(flush_output);

	if (argc < 2) {
		print_commands(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "help")) {
		print_commands(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("memquotactl %s, interface %d\n", VERSION,
		       MEMQUOTA_IOCTL_VERSION);
		return EXIT_DONE;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i]->name))
			continue;
		current = commands[i];
		/* getopt begins its messages with it. */
		argv[1] = program_invocation_short_name;
		return current->run(argc - 1, argv + 1);
	}
	die_usage("unknown command '%s'", argv[1]);
}
