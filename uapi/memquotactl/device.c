// SPDX-License-Identifier: GPL-2.0
/* /dev/memquota: asking it, and what to do when it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "memquotactl.h"

#define DEVICE	"/dev/memquota"

int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		die(EXIT_ABSENT,
		    "there is no " DEVICE ": the module memquota is not loaded.\n"
		    "Load it, as root, with 'modprobe memquota' or 'insmod PATH/memquota.ko'.");
	case EACCES:
	case EPERM:
		die(EXIT_FAILED,
		    "you may not open " DEVICE ".\n"
		    "Run it as root, or, for 'info' and 'hold', as a member of the group memquota:\n"
		    "'usermod -a -G memquota USER', and log in again; see memquota(4).");
	default:
		die(EXIT_FAILED, DEVICE ": %s", strerror(errno));
	}
}

/* 0, or the errno. All structures begin with their size. */
int try_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? errno : 0;
}

/* What an errno of an ioctl means, and what can be done. */
void die_of_ioctl(int error, const char *what, const char *name)
{
	switch (error) {
	case ENOTTY:
		die(EXIT_ABSENT,
		    "%s: the module memquota that is loaded is too old for it",
		    what);
	case EPERM:
		die(EXIT_FAILED,
		    "%s: this needs root (CAP_SYS_RESOURCE): try it with sudo",
		    what);
	case EACCES:
		die(EXIT_FAILED,
		    "%s: '%s' is not for programs. Create a tracker that is with\n"
		    "'memquotactl create NAME --programs', or load the module with programs=1.",
		    what, name);
	case ENOENT:
		die(EXIT_ABSENT,
		    "%s: there is no tracker '%s'; 'memquotactl trackers' lists them",
		    what, name);
	case EEXIST:
		die(EXIT_FAILED, "%s: '%s' is there already", what, name);
	case EBUSY:
		die(EXIT_FAILED,
		    "%s: '%s' belongs to a kernel module, and goes with it",
		    what, name);
	case EOPNOTSUPP:
		die(EXIT_FAILED,
		    "%s: '%s' was created disabled, or this kernel cannot do that",
		    what, name);
	case ESHUTDOWN:
		die(EXIT_ABSENT, "%s: '%s' was destroyed", what, name);
	case ENOTRECOVERABLE:
		die(EXIT_FAILED,
		    "%s: '%s' is poisoned: its bookkeeping contradicted itself.\n"
		    "The kernel's log says how. Loading the module again is the way out.",
		    what, name);
	case EDQUOT:
		die(EXIT_FAILED,
		    "%s: '%s': a limit is reached: max of the tracker, or what\n"
		    "a user may have (the module's parameters user_objects, user_bytes)",
		    what, name);
	case EINVAL:
		die(EXIT_FAILED, "%s: '%s' is refused: it is not valid", what,
		    name);
	default:
		die(EXIT_FAILED, "%s: '%s': %s", what, name, strerror(error));
	}
}

const char *state_name(uint32_t state)
{
	static const char * const names[] = {
		[MEMQUOTA_STATE_DISABLED] = "disabled",
		[MEMQUOTA_STATE_COUNTING] = "counting",
		[MEMQUOTA_STATE_POISONED] = "poisoned",
		[MEMQUOTA_STATE_GONE] = "gone",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

void get_info(int device, struct memquota_ioctl_info *info)
{
	int err;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	err = try_ioctl(device, MEMQUOTA_IOCTL_INFO, info);
	if (err)
		die_of_ioctl(err, "info", DEVICE);
}

/* False if there is none of that name, or it is on its way out. */
bool find_tracker(int device, const char *name,
		  struct memquota_ioctl_tracker *tracker)
{
	int err;

	memset(tracker, 0, sizeof(*tracker));
	tracker->size = sizeof(*tracker);
	copy_name(tracker->name, name, "a tracker");
	err = try_ioctl(device, MEMQUOTA_IOCTL_TRACKER, tracker);
	if (err == ENOENT || err == ESHUTDOWN)
		return false;
	if (err)
		die_of_ioctl(err, "tracker", name);
	return true;
}

void get_tracker(int device, const char *name,
		 struct memquota_ioctl_tracker *tracker)
{
	if (!find_tracker(device, name, tracker))
		die_of_ioctl(ENOENT, "tracker", name);
}

void get_trackers(int device, struct trackers *trackers)
{
	struct memquota_ioctl_tracker_list next = { .size = sizeof(next) };
	struct memquota_ioctl_tracker *tracker;
	int err;

	memset(trackers, 0, sizeof(*trackers));
	for (;;) {
		err = try_ioctl(device, MEMQUOTA_IOCTL_TRACKER_LIST, &next);
		if (err == ENOENT)
			return;
		if (err)
			die_of_ioctl(err, "trackers", DEVICE);
		trackers->list = xrealloc(trackers->list,
					  (trackers->count + 1) *
					  sizeof(*trackers->list));
		tracker = &trackers->list[trackers->count];
		/* It may have gone since. */
		trackers->count += find_tracker(device, next.out_name, tracker);
		next.after_id = next.out_id;
	}
}

/* The account after the one with the id @after; false if there is none. */
bool next_account(int device, const char *tracker, uint64_t after,
		  struct memquota_ioctl_account_list *account)
{
	int err;

	memset(account, 0, sizeof(*account));
	account->size = sizeof(*account);
	account->after_id = after;
	copy_name(account->tracker, tracker, "a tracker");
	err = try_ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_LIST, account);
	if (err == ENOENT || err == ESHUTDOWN)
		return false;
	if (err)
		die_of_ioctl(err, "accounts", tracker);
	clean_text(account->out_name);
	return true;
}

static void fetch_accounts(int device, const char *tracker,
			   struct accounts *accounts)
{
	struct memquota_ioctl_account_list next;
	uint64_t after = 0;

	while (next_account(device, tracker, after, &next)) {
		/* It doubles where it is full: at powers of two. */
		if (!(accounts->count & (accounts->count - 1)))
			accounts->list = xrealloc(accounts->list,
						  (accounts->count * 2 + 1) *
						  sizeof(*accounts->list));
		accounts->list[accounts->count++] = next;
		after = next.out_id;
	}
}

static int compare_account_ids(const void *left, const void *right)
{
	const struct memquota_ioctl_account_list *a = left, *b = right;

	return (a->out_id > b->out_id) - (a->out_id < b->out_id);
}

/* Those of one tracker, or of all if @tracker is NULL. */
void get_accounts(int device, const char *tracker, struct accounts *accounts)
{
	struct memquota_ioctl_tracker known;
	struct trackers trackers;
	size_t i;

	memset(accounts, 0, sizeof(*accounts));
	if (tracker) {
		get_tracker(device, tracker, &known);
		fetch_accounts(device, tracker, accounts);
		return;
	}
	get_trackers(device, &trackers);
	for (i = 0; i < trackers.count; i++)
		fetch_accounts(device, trackers.list[i].name, accounts);
	free(trackers.list);
	if (accounts->count)
		qsort(accounts->list, accounts->count, sizeof(*accounts->list),
		      compare_account_ids);
}
