// SPDX-License-Identifier: GPL-2.0
/*
 * memquotactl: look at the trackers and accounts of memquota, and manage them.
 */
#include <ctype.h>
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

/* To give the terminal back before something is said. */
void (*restore_terminal)(void);

static void print_error(const char *format, va_list args)
{
	if (restore_terminal)
		restore_terminal();
	/* What was printed before comes first. */
	fflush(stdout);
	fputs("memquotactl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	exit(status);
}

void die_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	fprintf(stderr, "Try 'memquotactl %s%s--help'.\n",
		current ? current->name : "", current ? " " : "");
	exit(EXIT_USAGE);
}

void *xrealloc(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (!memory)
		die(EXIT_FAILED, "there is no memory");
	return memory;
}

char *xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(xrealloc(NULL, size), text, size);
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		die(EXIT_FAILED, "there is no memory");
	return text;
}

/* A name into a field of MEMQUOTA_IOCTL_NAME_SIZE bytes that are zero. */
void copy_name(char *field, const char *name, const char *what)
{
	size_t len = strlen(name);

	if (!len || len >= MEMQUOTA_IOCTL_NAME_SIZE)
		die_usage("'%s' is no name of %s: names have 1 to %d bytes",
			  name, what, MEMQUOTA_IOCTL_NAME_SIZE - 1);
	memcpy(field, name, len);
}

uint64_t parse_account_id(const char *text, const char *what)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text))
		die_usage("'%s' is no %s: it is a number", text, what);
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

/* A descriptor that tells the signals by which one ends a program. */
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

	fputs("Usage: memquotactl COMMAND [ARGUMENT...]\n\n"
	      "Looks at the memory quotas of the kernel module memquota and manages them.\n\n"
	      "Commands:\n", file);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(file, "  %-10s %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("\nOptions:\n"
	      "  -h, --help           of a command: 'memquotactl COMMAND --help'\n"
	      "  -V, --version        of this program\n\n"
	      "See memquotactl(8).\n", file);
}

void print_help(const struct command *command)
{
	printf("Usage: memquotactl %s%s%s\n\n%s.\n\nOptions:\n%s"
	       "  -h, --help           this text\n",
	       command->name, *command->arguments ? " " : "",
	       command->arguments, command->summary, command->options);
	if (command->notes)
		printf("\n%s", command->notes);
	if (command->columns)
		print_columns_help(command->columns, command->nr_columns);
	exit(EXIT_DONE);
}

/* The next option of a command, or -1; those that are wrong end here. */
int next_option(const struct command *command, int argc, char **argv,
		const char *letters, const struct option *options)
{
	int option;

	opterr = 0;
	option = getopt_long(argc, argv, letters, options, NULL);
	if (option == 'h')
		print_help(command);
	if (option == ':')
		die_usage("option '%s' lacks its argument", argv[optind - 1]);
	if (option != '?')
		return option;
	if (optopt && !strncmp(argv[optind - 1], "--", 2))
		die_usage("option '%s' takes no argument", argv[optind - 1]);
	if (optopt)
		die_usage("there is no option '-%c'", optopt);
	die_usage("there is no option '%s', or it is one of several",
		  argv[optind - 1]);
}

static void flush_output(void)
{
	/* A reader that has seen enough is no failure. */
	if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) {
		perror("memquotactl: output");
		_exit(EXIT_FAILED);
	}
}

int main(int argc, char **argv)
{
	size_t i;

	/* Numbers are written with a point everywhere. */
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
		return current->run(argc - 1, argv + 1);
	}
	die_usage("there is no command '%s'", argv[1]);
}
