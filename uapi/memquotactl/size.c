// SPDX-License-Identifier: GPL-2.0
/* Sizes, as people read and write them. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "memquotactl.h"

static const char units[] = "KMGTPE";

/*
 * At most five characters beside "-", which is no limit, unless @exact.
 * Returns @text, of SIZE_TEXT bytes.
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
	/* 1023.96K would be written as 1024.0K. */
	while (value >= 1023.95 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	value = round(value * 10) / 10;
	snprintf(text, SIZE_TEXT, value == floor(value) ? "%.0f%c" : "%.1f%c",
		 value, units[unit]);
	return text;
}

/* A number at the start of @text, digits and at most one point. */
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

/* 4096, 512M, 1.5G, 2TiB: false if it is no size. */
bool parse_bytes(const char *text, uint64_t *bytes)
{
	const char *end = text + strspn(text, "0123456789");
	double factor = 1, number;
	const char *unit;
	char *stop;

	/* Whole numbers of bytes are exact. */
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

/* 75%: false if it is not a percentage of 100 or less. */
bool parse_percent(const char *text, double *percent)
{
	const char *end;

	return parse_number(text, percent, &end) && !strcmp(end, "%") &&
	       *percent > 0 && *percent <= 100;
}
