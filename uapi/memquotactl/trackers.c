// SPDX-License-Identifier: GPL-2.0
/* memquotactl trackers, set, create, destroy. */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "memquotactl.h"

enum {
	COL_NAME, COL_STATE, COL_TOTAL, COL_USE, COL_HIGH, COL_LOW_WATER,
	COL_MAX, COL_SET, COL_PEAK, COL_EXCESS, COL_ACCOUNTS, COL_PARTICIPANTS,
	COL_RECLAIMS, COL_PROGRAMS, COL_ID
};

static const struct column columns[] = {
	[COL_NAME] = { "NAME", "name", TEXT, 0.1, SCOLS_FL_TRUNC, true,
		       "name of the tracker" },
	[COL_STATE] = { "STATE", "state", TEXT, 8, 0, true,
			"disabled, counting, poisoned or gone" },
	[COL_TOTAL] = { "TOTAL", "total", BYTES, 5, 0, true,
			"bytes charged to the tracker" },
	[COL_USE] = { "USE%", "use_percent", NUMBER, 3, 0, true,
		      "TOTAL as a percentage of HIGH" },
	[COL_HIGH] = { "HIGH", "high", BYTES, 5, 0, true,
		       "reclaim starts above this total" },
	[COL_LOW_WATER] = { "LOW-WATER", "low_water", BYTES, 5, 0, true,
			    "reclaim stops at this total" },
	[COL_MAX] = { "MAX", "max", BYTES, 5, 0, true,
		      "charges that would exceed it are refused" },
	[COL_SET] = { "SET", "set", LIST, 5, 0, false,
		      "limits that were set; the others are derived" },
	[COL_PEAK] = { "PEAK", "peak", BYTES, 5, 0, true,
		       "highest TOTAL so far" },
	[COL_EXCESS] = { "EXCESS", "excess_max", BYTES, 5, 0, false,
			 "TOTAL is at most this much too high" },
	[COL_ACCOUNTS] = { "ACCOUNTS", "accounts", NUMBER, 5, 0, true,
			   "number of open accounts" },
	[COL_PARTICIPANTS] = { "PARTICIPANTS", "participants", NUMBER, 5, 0,
			       false, "number of participants" },
	[COL_RECLAIMS] = { "RECLAIMS", "reclaims", NUMBER, 5, 0, true,
			   "reclaim runs that asked a participant" },
	[COL_PROGRAMS] = { "PROGRAMS", "programs", FLAG, 1, 0, false,
			   "1 if programs can have accounts in it" },
	[COL_ID] = { "ID", "id", NUMBER, 2, 0, false,
		     "id of the tracker, never reused" },
};

/* Return the use in percent, MEMQUOTA_IOCTL_UNLIMITED if there is none. */
uint64_t use_percent(const struct memquota_ioctl_tracker *t)
{
	if (t->out_high == MEMQUOTA_IOCTL_UNLIMITED || !t->out_high ||
	    t->out_total == MEMQUOTA_IOCTL_UNLIMITED)
		return MEMQUOTA_IOCTL_UNLIMITED;
	return (double)t->out_total * 100 / t->out_high;
}

static void tracker_color_line(const struct view *view,
			       struct libscols_line *line,
			       const struct memquota_ioctl_tracker *t)
{
	if (t->out_state == MEMQUOTA_STATE_POISONED)
		cell_color(view, line, COL_STATE, "red");
	if (t->out_total == MEMQUOTA_IOCTL_UNLIMITED)
		return;
	if (t->out_total > t->out_high) {
		cell_color(view, line, COL_TOTAL, "red");
		cell_color(view, line, COL_USE, "red");
	} else if (t->out_total > t->out_low_water) {
		cell_color(view, line, COL_TOTAL, "yellow");
		cell_color(view, line, COL_USE, "yellow");
	}
}

/* List the limits that were set. */
static void cell_set_limits(const struct view *view,
			    struct libscols_line *line,
			    const struct memquota_ioctl_tracker *t)
{
	const struct {
		const char *name;
		uint64_t set;
	} limits[] = {
		{ "max", t->out_set_max },
		{ "high", t->out_set_high },
		{ "low_water", t->out_set_low_water },
	};
	const char *quote = view->json ? "\"" : "";
	char list[64] = "";
	size_t len = 0, i;
	char *text;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].set)
			len += snprintf(list + len, sizeof(list) - len,
					"%s%s%s%s", len ? "," : "", quote,
					limits[i].name, quote);
	text = xasprintf(view->json ? "[%s]" : "%s",
			 *list || view->json ? list : "-");
	cell_text(view, line, COL_SET, text);
	free(text);
}

static void tracker_add_line(const struct view *view,
			     struct libscols_table *table,
			     const struct memquota_ioctl_tracker *t)
{
	struct libscols_line *line = table_line(table, NULL);

	cell_text(view, line, COL_NAME, t->name);
	cell_text(view, line, COL_STATE, state_name(t->out_state));
	cell_number(view, line, COL_TOTAL, t->out_total);
	cell_number(view, line, COL_USE, use_percent(t));
	cell_number(view, line, COL_HIGH, t->out_high);
	cell_number(view, line, COL_LOW_WATER, t->out_low_water);
	cell_number(view, line, COL_MAX, t->out_max);
	cell_set_limits(view, line, t);
	cell_number(view, line, COL_PEAK, t->out_peak);
	cell_number(view, line, COL_EXCESS, t->out_excess_max);
	cell_number(view, line, COL_ACCOUNTS, t->out_accounts);
	cell_number(view, line, COL_PARTICIPANTS, t->out_participants);
	cell_number(view, line, COL_RECLAIMS, t->out_reclaims);
	cell_text(view, line, COL_PROGRAMS,
		  t->out_flags & MEMQUOTA_TRACKER_PROGRAMS ? "1" : "0");
	cell_number(view, line, COL_ID, t->out_id);
	tracker_color_line(view, line, t);
}

static void print_trackers(struct view *view, const struct trackers *trackers)
{
	struct libscols_table *table;
	size_t i;

	table = table_new(view, "trackers");
	for (i = 0; i < trackers->count; i++)
		tracker_add_line(view, table, &trackers->list[i]);
	table_print(table);
}

static int trackers_run(int argc, char **argv)
{
	static const struct option options[] = {
		VIEW_OPTIONS,
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct trackers trackers;
	struct view view;
	int option;

	view_init(&view, columns, ARRAY_SIZE(columns));
	while ((option = next_option(&trackers_command, argc, argv,
				     "h" VIEW_LETTERS, options)) != -1)
		view_parse_option(&view, option, optarg);
	reject_operands(argc, argv);
	view_complete(&view);
	get_trackers(open_device(), &trackers);
	print_trackers(&view, &trackers);
	free(trackers.list);
	return EXIT_DONE;
}

const struct command trackers_command = {
	.name = "trackers",
	.arguments = "[OPTION]...",
	.summary = "List trackers with their limits and totals",
	.options = VIEW_HELP,
	.columns = columns,
	.nr_columns = ARRAY_SIZE(columns),
	.run = trackers_run,
};

/* The arguments of the options, or NULL. */
struct limits {
	const char *max;
	const char *high;
	const char *low_water;
};

/* What the command line of set or create says. */
struct request {
	struct memquota_ioctl_tracker_config config;
	struct limits limits;
	struct view view;
};

#define LIMIT_OPTIONS						\
	{ "max", required_argument, NULL, 'm' },		\
	{ "high", required_argument, NULL, 'g' },		\
	{ "low-water", required_argument, NULL, 'l' },		\
	{ "json", no_argument, NULL, 'J' },			\
	{ "bytes", no_argument, NULL, 'B' },			\
	{ "help", no_argument, NULL, 'h' }

#define LIMIT_HELP							\
	"      --max SIZE        refuse charges that would exceed SIZE\n" \
	"      --high SIZE       start reclaim above SIZE\n"		\
	"      --low-water SIZE  stop reclaim at SIZE\n"		\
	"  -J, --json            print the resulting tracker as JSON\n" \
	BYTES_HELP

#define SIZE_HELP							\
	"SIZE is one of:\n"						\
	"  NUMBER[K|M|G|T]       bytes, or units that are powers of 1024\n" \
	"  NUMBER%               percentage of the machine's memory for --max, of max\n" \
	"                        for --high, of high for --low-water\n"	\
	"  unlimited             no limit, for --max and --high\n"	\
	"  default               unlimited for --max, max for --high, 75% of high for\n" \
	"                        --low-water\n"				\
	"\nThe smallest --high (or --max, if high is not set) is 218454 bytes, or 167184 if\n" \
	"--low-water is given. --low-water is at least 160K and at most 98% of high.\n"

static bool limits_parse_option(struct limits *limits, int option)
{
	switch (option) {
	case 'm':
		limits->max = optarg;
		return true;
	case 'g':
		limits->high = optarg;
		return true;
	case 'l':
		limits->low_water = optarg;
		return true;
	default:
		return false;
	}
}

/*
 * Return the limit @text, the argument of --@option, as the kernel expects it:
 * in bytes, 0 for the default. A percentage is of @whole bytes.
 */
static uint64_t parse_limit(const char *text, const char *option,
			    uint64_t whole, const char *whole_name)
{
	uint64_t bytes;
	double percent;

	if (!strcmp(text, "unlimited") && strcmp(option, "low-water"))
		return MEMQUOTA_IOCTL_UNLIMITED;
	if (!strcmp(text, "default"))
		return 0;
	if (parse_percent(text, &percent)) {
		if (whole == MEMQUOTA_IOCTL_UNLIMITED)
			die_usage("option '--%s': invalid size '%s': "
				  "%s is unlimited, so give bytes",
				  option, text, whole_name);
		bytes = (double)whole * percent / 100;
	} else if (!parse_bytes(text, &bytes)) {
		die_usage("option '--%s': invalid size '%s': " SIZE_EXPECTED
			  ", or a percentage", option, text);
	}
	/* For the kernel 0 is the default, which can be unlimited. */
	if (!bytes)
		die_usage("option '--%s': invalid size '%s': expected at least "
			  "1 byte, 'default' or 'unlimited'", option, text);
	return bytes;
}

static uint64_t limit_or_default(uint64_t limit, uint64_t derived)
{
	return limit ? limit : derived;
}

static void config_apply_limits(struct memquota_ioctl_tracker_config *config,
				const struct limits *limits)
{
	uint64_t max, high;

	if (limits->max)
		config->max = parse_limit(limits->max, "max",
					  (uint64_t)sysconf(_SC_PHYS_PAGES) *
					  sysconf(_SC_PAGESIZE), "memory");
	max = limit_or_default(config->max, MEMQUOTA_IOCTL_UNLIMITED);
	if (limits->high)
		config->high = parse_limit(limits->high, "high", max, "max");
	high = limit_or_default(config->high, max);
	if (limits->low_water)
		config->low_water = parse_limit(limits->low_water, "low-water",
						high, "high");
}

/* Keep the limits of @t that were set. */
static void config_keep_limits(struct memquota_ioctl_tracker_config *config,
			       const struct memquota_ioctl_tracker *t)
{
	config->max = t->out_set_max;
	/* A high that is as unlimited as max follows a new max. */
	if (t->out_set_high != MEMQUOTA_IOCTL_UNLIMITED)
		config->high = t->out_set_high;
	config->low_water = t->out_set_low_water;
}

/* Set the limits in @t to what the kernel would derive from @config. */
static void derive_limits(struct memquota_ioctl_tracker *t,
			  const struct memquota_ioctl_tracker_config *config)
{
	t->out_max = limit_or_default(config->max, MEMQUOTA_IOCTL_UNLIMITED);
	t->out_high = limit_or_default(config->high, t->out_max);
	t->out_low_water = config->low_water;
	if (!config->low_water)
		t->out_low_water = t->out_high == MEMQUOTA_IOCTL_UNLIMITED ?
			MEMQUOTA_IOCTL_UNLIMITED :
			t->out_high / 4 * 3 + t->out_high % 4 * 3 / 4;
	t->out_set_max = config->max;
	t->out_set_high = config->high;
	t->out_set_low_water = config->low_water;
}

static void die_of_config(int error,
			  const struct memquota_ioctl_tracker_config *config)
{
	if (error == EINVAL)
		die(EXIT_FAILED, "tracker '%s': %s", config->name,
		    *config->out_reason ? config->out_reason : NAME_EXPECTED);
	die_of_ioctl(error, config->name);
}

static const char *format_limit(char *text, uint64_t bytes, bool exact)
{
	if (bytes == MEMQUOTA_IOCTL_UNLIMITED)
		return "unlimited";
	return format_size(text, bytes, exact);
}

static void print_limits(struct memquota_ioctl_tracker *t, struct view *view)
{
	char max[SIZE_TEXT], high[SIZE_TEXT], low_water[SIZE_TEXT];

	if (view->json) {
		view_complete(view);
		print_trackers(view, &(struct trackers){ t, 1 });
		return;
	}
	printf("%s: max %s, high %s, low-water %s\n", t->name,
	       format_limit(max, t->out_max, view->exact),
	       format_limit(high, t->out_high, view->exact),
	       format_limit(low_water, t->out_low_water, view->exact));
}

/* Fill @request from the command line; @flag_of_d is what -d sets. */
static void request_parse(struct request *request,
			  const struct command *command, int argc, char **argv,
			  const char *letters, const struct option *options,
			  uint32_t flag_of_d)
{
	struct memquota_ioctl_tracker_config *config = &request->config;
	int option;

	memset(request, 0, sizeof(*request));
	config->size = sizeof(*config);
	view_init(&request->view, columns, ARRAY_SIZE(columns));
	while ((option = next_option(command, argc, argv, letters,
				     options)) != -1) {
		if (option == 'd')
			config->flags |= flag_of_d;
		else if (option == 'p')
			config->flags |= MEMQUOTA_TRACKER_PROGRAMS;
		else if (!limits_parse_option(&request->limits, option))
			view_parse_option(&request->view, option, optarg);
	}
	copy_name(config->name,
		  parse_operand(argc, argv, "a tracker name"), "tracker");
}

static int set_run(int argc, char **argv)
{
	static const struct option options[] = {
		LIMIT_OPTIONS,
		{ "dry-run", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 }
	};
	struct request request;
	struct memquota_ioctl_tracker_config *config = &request.config;
	const struct limits *limits = &request.limits;
	struct memquota_ioctl_tracker tracker;
	int device, err;

	request_parse(&request, &set_command, argc, argv, "Jhd", options,
		      MEMQUOTA_CONFIGURE_CHECK_ONLY);
	if (!limits->max && !limits->high && !limits->low_water)
		die_usage("missing limit: expected --max, --high or --low-water");

	device = open_device();
	require_version(device, 3);	/* knows which limits were set */
	get_tracker(device, config->name, &tracker);
	if (tracker.out_state != MEMQUOTA_STATE_DISABLED)
		config_keep_limits(config, &tracker);
	config_apply_limits(config, limits);
	err = try_ioctl(device, MEMQUOTA_IOCTL_TRACKER_CONFIGURE, config);
	if (err)
		die_of_config(err, config);
	if (config->flags)
		derive_limits(&tracker, config);
	else
		get_tracker(device, config->name, &tracker);
	print_limits(&tracker, &request.view);
	if (config->flags && !request.view.json)
		puts("The limits are valid; nothing was changed.");
	return EXIT_DONE;
}

const struct command set_command = {
	.name = "set",
	.arguments = "TRACKER [OPTION]...",
	.summary = "Change the limits of a tracker",
	.options = LIMIT_HELP
		"  -d, --dry-run         check and print the limits, but do not set them\n",
	.notes = SIZE_HELP
		"\nA limit that is not given keeps its value if it was set. Otherwise it follows\n"
		"max or high. 'trackers -o +SET' shows which were set.\n",
	.run = set_run,
};

static int create_run(int argc, char **argv)
{
	static const struct option options[] = {
		LIMIT_OPTIONS,
		{ "programs", no_argument, NULL, 'p' },
		{ "disabled", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 }
	};
	struct request request;
	struct memquota_ioctl_tracker_config *config = &request.config;
	struct memquota_ioctl_tracker tracker;
	int device, err;

	request_parse(&request, &create_command, argc, argv, "Jhpd", options,
		      MEMQUOTA_TRACKER_DISABLED);
	config_apply_limits(config, &request.limits);
	device = open_device();
	err = try_ioctl(device, MEMQUOTA_IOCTL_TRACKER_CREATE, config);
	if (err)
		die_of_config(err, config);
	get_tracker(device, config->name, &tracker);
	print_limits(&tracker, &request.view);
	return EXIT_DONE;
}

const struct command create_command = {
	.name = "create",
	.arguments = "TRACKER [OPTION]...",
	.summary = "Create a tracker",
	.options = LIMIT_HELP
		"  -p, --programs        let programs have accounts in the tracker\n"
		"  -d, --disabled        create a tracker that never counts\n",
	.notes = SIZE_HELP
		"\nThe tracker exists until it is destroyed or the module is unloaded.\n",
	.run = create_run,
};

static int destroy_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct memquota_ioctl_tracker_destroy destroy = {
		.size = sizeof(destroy)
	};
	int err;

	while (next_option(&destroy_command, argc, argv, "h", options) != -1)
		;
	copy_name(destroy.name,
		  parse_operand(argc, argv, "a tracker name"), "tracker");
	err = try_ioctl(open_device(), MEMQUOTA_IOCTL_TRACKER_DESTROY,
			&destroy);
	if (err)
		die_of_ioctl(err, destroy.name);
	return EXIT_DONE;
}

const struct command destroy_command = {
	.name = "destroy",
	.arguments = "TRACKER",
	.summary = "Destroy a tracker and close its accounts",
	.options = "",
	.notes =
		"Only trackers made with 'create' can be destroyed; the others belong to kernel\n"
		"modules.\n",
	.run = destroy_run,
};
