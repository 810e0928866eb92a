/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files of procfs, sysfs and debugfs. Functions that can fail return
 * -errno.
 */
#ifndef _SELFTESTS_MEMQUOTA_FILES_H
#define _SELFTESTS_MEMQUOTA_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARAMETERS	"/sys/module/memquota/parameters/"

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Read up to @size - 1 bytes, and end them with a 0. */
static inline int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	text[0] = 0;
	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	if (len >= 0)
		text[len] = 0;
	else
		len = -errno;
	close(fd);
	return len < 0 ? len : 0;
}

/* Return the value in the line "@key VALUE", or -1. */
static inline long long read_value(const char *path, const char *key)
{
	char name[32], text[32];
	long long value = -1;
	FILE *f = fopen(path, "r");

	if (!f)
		return -1;
	while (fscanf(f, "%31s %31s", name, text) == 2)
		if (!strcmp(name, key))
			value = atoll(text);
	fclose(f);
	return value;
}

static inline bool get_parameter(const char *name, char *value, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return !read_file(path, value, size);
}

static inline bool set_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return !write_file(path, value);
}

#endif /* _SELFTESTS_MEMQUOTA_FILES_H */
