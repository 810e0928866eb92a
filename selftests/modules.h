/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and unloading modules, from /modules or $MODULES, and what debugfs
 * tells of the default tracker. Functions that can fail return -errno.
 */
#ifndef _SELFTESTS_MEMQUOTA_MODULES_H
#define _SELFTESTS_MEMQUOTA_MODULES_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"

#define USAGE_FOLDER	"/sys/kernel/debug/memquota/default/"

static inline char *module_path(const char *name)
{
	static char path[256];
	const char *folder = getenv("MODULES");

	snprintf(path, sizeof(path), "%s/%s.ko", folder ? folder : "/modules",
		 name);
	return path;
}

static inline int load_module(const char *name, const char *params)
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

/* A file that was just closed, or a worker, may hold the module briefly. */
static inline int unload_module(const char *name)
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

static inline bool module_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

/* Load memquota with these parameters, and a sample that uses it. */
static inline int load_sample(const char *sample, const char *params)
{
	int err;

	signal(SIGPIPE, SIG_IGN);
	if (module_loaded(sample))
		unload_module(sample);
	if (module_loaded("memquota"))
		unload_module("memquota");
	err = load_module("memquota", params);
	return err ? err : load_module(sample, "");
}

static inline long long usage_of(const char *key)
{
	return read_value(USAGE_FOLDER "usage", key);
}

static inline long long drained_total(void)
{
	if (write_file(USAGE_FOLDER "drain", "1"))
		return -1;
	return usage_of("total");
}

/* Run a process, or with 0 the caller, on one CPU. */
static inline void pin_to_cpu(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

#endif /* _SELFTESTS_MEMQUOTA_MODULES_H */
