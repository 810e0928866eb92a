// SPDX-License-Identifier: GPL-2.0
/* memquotactl info: the features of the loaded module. */
#include <inttypes.h>
#include "memquotactl.h"

static const struct {
	uint64_t bit;
	const char *name;
	const char *help;
} features[] = {
	{ MEMQUOTA_FEATURE_TRACKER, "tracker", "trackers can be queried" },
	{ MEMQUOTA_FEATURE_DEBUG, "debug",
	  "consistency checks are compiled in, and slow memquota down" },
	{ MEMQUOTA_FEATURE_PROGRAMS, "programs",
	  "programs can have accounts, trackers can be managed" },
};

static void info_print_json(const struct memquota_ioctl_info *info)
{
	const char *comma = "";
	size_t i;

	printf("{\n   \"info\": [\n      {\n"
	       "         \"version\": %" PRIu32 ",\n         \"features\": [",
	       info->out_version);
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!(info->out_features & features[i].bit))
			continue;
		printf("%s\"%s\"", comma, features[i].name);
		comma = ", ";
	}
	printf("],\n         \"name_bytes\": %" PRIu32 ",\n"
	       "         \"cache_max\": %" PRIu64 "\n      }\n   ]\n}\n",
	       info->out_name_size - 1, (uint64_t)info->out_cache_max);
}

static void info_print_text(const struct memquota_ioctl_info *info, bool exact)
{
	const char *label = "features";
	char text[SIZE_TEXT];
	size_t i;

	printf("interface  %" PRIu32 "\n", info->out_version);
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!(info->out_features & features[i].bit))
			continue;
		printf("%-10s %-8s  %s\n", label, features[i].name,
		       features[i].help);
		label = "";
	}
	printf("names      up to %" PRIu32 " bytes\n", info->out_name_size - 1);
	printf("caches     up to %s per CPU and participant\n",
	       format_size(text, info->out_cache_max, exact));
}

static int info_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "bytes", no_argument, NULL, 'B' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false, exact = false;
	struct memquota_ioctl_info info;
	int option;

	while ((option = next_option(&info_command, argc, argv, "Jh",
				     options)) != -1) {
		if (option == 'J')
			json = true;
		else
			exact = true;
	}
	reject_operands(argc, argv);
	get_info(open_device(), &info);
	if (json)
		info_print_json(&info);
	else
		info_print_text(&info, exact);
	return EXIT_DONE;
}

const struct command info_command = {
	.name = "info",
	.arguments = "[OPTION]...",
	.summary = "Show the interface version and features of the module",
	.options = JSON_HELP BYTES_HELP,
	.run = info_run,
};
