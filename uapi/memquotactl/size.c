// SPDX-License-Identifier: GPL-2.0
/* Sizes with units: parsing and formatting. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "memquotactl.h"

static const char units[] = "KMGTPE";

/*
 * Format @bytes in @text, SIZE_TEXT bytes, and return it: with a unit and at
 * most one decimal, or exactly in bytes; "-" if there is no limit.
 */
const char *format_size(char *text, uint64_t bytes, bool exact)
{
	double value = bytes;
	int unit = -1;

	if (bytes == MEMQUOTA_IOCTL_UNLIMITED) {
		snprintf(text, SIZE_TEXT, "-");
		return text;
	}
	if (exact || bytes < 1024) {
		snprintf(text, SIZE_TEXT, "%llu", (unsigned long long)bytes);
		return text;
	}
	/* Rounding 1023.96K would give 1024K. */
	while (value >= 1023.95 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	value = round(value * 10) / 10;
	snprintf(text, SIZE_TEXT, value == floor(value) ? "%.0f%c" : "%.1f%c",
		 value, units[unit]);
	return text;
}

/* Parse the digits, with at most one point, at the start of @text. */
static bool parse_number(const char *text, double *number, const char **end)
{
	size_t len = strspn(text, "0123456789.");
	char *stop;

	if (!len || strspn(text, ".") == len)
		return false;
	*number = strtod(text, &stop);
	*end = text + len;
	return stop == *end;
}

/* Parse a size such as 4096, 512M, 1.5G or 2TiB; false if it is invalid. */
bool parse_bytes(const char *text, uint64_t *bytes)
{
	const char *end = text + strspn(text, "0123456789");
	double factor = 1, number;
	const char *unit;
	char *stop;

	/* A double would round large numbers of bytes. */
	if (end != text && (!*end || !strcasecmp(end, "B"))) {
		if (end - text > 18)
			return false;
		*bytes = strtoull(text, &stop, 10);
		return true;
	}
	if (!parse_number(text, &number, &end))
		return false;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (!unit)
		return false;
	if (end[1] && strcasecmp(end + 1, "B") && strcasecmp(end + 1, "iB"))
		return false;
	factor = ldexp(1, 10 * (unit - units + 1));
	if (number * factor >= ldexp(1, 62))
		return false;
	*bytes = number * factor;
	return true;
}

/* Parse a percentage such as 75%; false if it is 0 or above 100. */
bool parse_percent(const char *text, double *percent)
{
	const char *end;

	return parse_number(text, percent, &end) && !strcmp(end, "%") &&
	       *percent > 0 && *percent <= 100;
}
