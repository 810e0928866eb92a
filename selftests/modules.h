/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and unloading modules, from /modules or $MODULES, and what debugfs
 * says of the default tracker. Functions that can fail return -errno.
 */
#ifndef _MEMQUOTA_SELFTESTS_MODULES_H
#define _MEMQUOTA_SELFTESTS_MODULES_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USAGE_FOLDER	"/sys/kernel/debug/memquota/default/"

static inline char *module_path(const char *name)
{
	static char path[256];
	const char *folder = getenv("MODULES");

	snprintf(path, sizeof(path), "%s/%s.ko", folder ? folder : "/modules",
		 name);
	return path;
}

static inline int load(const char *name, const char *params)
{
	int fd = open(module_path(name), O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		err = -errno;
	close(fd);
	return err;
}

/* A file that was just closed, or a worker, may hold it for a moment. */
static inline int unload(const char *name)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!syscall(SYS_delete_module, name, O_NONBLOCK))
			return 0;
		if (errno != EAGAIN && errno != EBUSY)
			return -errno;
		usleep(20000);
	}
	return -errno;
}

static inline bool loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

static inline int put(const char *path, const char *text)
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

static inline long long usage(const char *key)
{
	long long value = -1;
	char name[32], text[32];
	FILE *f = fopen(USAGE_FOLDER "usage", "r");

	if (!f)
		return -1;
	while (fscanf(f, "%31s %31s", name, text) == 2)
		if (!strcmp(name, key))
			value = atoll(text);
	fclose(f);
	return value;
}

static inline long long drained_total(void)
{
	if (put(USAGE_FOLDER "drain", "1"))
		return -1;
	return usage("total");
}

#endif /* _MEMQUOTA_SELFTESTS_MODULES_H */
