// SPDX-License-Identifier: GPL-2.0
/* Access to /dev/memquota, and messages for its errors. */
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
		    DEVICE ": %s: load the module with 'modprobe memquota'",
		    strerror(errno));
	case EACCES:
	case EPERM:
		die(EXIT_FAILED,
		    DEVICE ": %s: run as root or, for 'info' and 'hold', "
		    "join the group memquota with 'usermod -a -G memquota USER'",
		    strerror(errno));
	default:
		die(EXIT_FAILED, DEVICE ": %s", strerror(errno));
	}
}

/* Return 0 or the errno. */
int try_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? errno : 0;
}

/* Return what @error of an ioctl on a tracker means and how to solve it. */
static const char *explain_error(int error)
{
	switch (error) {
	case EACCES:
		return "not open to programs: use one made with 'memquotactl "
		       "create --programs', or load the module with programs=1";
	case ENOENT:
		return "not found: run 'memquotactl trackers' for a list";
	case EEXIST:
		return "already exists: choose another name";
	case EBUSY:
		return "owned by a kernel module, or being destroyed";
	case EINVAL:
		return NAME_EXPECTED;
	case EOPNOTSUPP:
		return "created disabled, or not supported by the loaded module";
	case ESHUTDOWN:
		return "destroyed";
	case ENOTRECOVERABLE:
		return "poisoned by inconsistent counters: see the kernel log "
		       "and reload the module";
	case EDQUOT:
		return "limit reached: raise its max, or user_objects or "
		       "user_bytes of the module";
	default:
		return strerror(error);
	}
}

/* Report @error of an ioctl on @tracker, or on the device if it is NULL. */
void die_of_ioctl(int error, const char *tracker)
{
	int status = EXIT_FAILED;

	if (error == ENOTTY)
		die(EXIT_ABSENT,
		    DEVICE ": %s: load a newer version of the module",
		    strerror(error));
	if (error == EPERM)
		die(EXIT_FAILED,
		    DEVICE ": %s: run as root (needs CAP_SYS_RESOURCE)",
		    strerror(error));
	if (error == ENOENT || error == ESHUTDOWN)
		status = EXIT_ABSENT;
	if (tracker)
		die(status, "tracker '%s': %s", tracker, explain_error(error));
	die(status, DEVICE ": %s", strerror(error));
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
		die_of_ioctl(err, NULL);
}

/* Fail if the module's interface is older than @version. */
void require_version(int device, uint32_t version)
{
	struct memquota_ioctl_info info;

	get_info(device, &info);
	if (info.out_version < version)
		die(EXIT_ABSENT,
		    DEVICE ": interface version %u: load a newer version of the module",
		    info.out_version);
}

/* Return false if there is no such tracker or it is being destroyed. */
bool find_tracker(int device, const char *name,
		  struct memquota_ioctl_tracker *tracker)
{
	int err;

	memset(tracker, 0, sizeof(*tracker));
	tracker->size = sizeof(*tracker);
	copy_name(tracker->name, name, "tracker");
	err = try_ioctl(device, MEMQUOTA_IOCTL_TRACKER, tracker);
	if (err == ENOENT || err == ESHUTDOWN)
		return false;
	if (err)
		die_of_ioctl(err, name);
	return true;
}

void get_tracker(int device, const char *name,
		 struct memquota_ioctl_tracker *tracker)
{
	if (!find_tracker(device, name, tracker))
		die_of_ioctl(ENOENT, name);
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
			die_of_ioctl(err, NULL);
		trackers->list = xrealloc(trackers->list,
					  (trackers->count + 1) *
					  sizeof(*trackers->list));
		tracker = &trackers->list[trackers->count];
		/* It may have been destroyed since. */
		trackers->count += find_tracker(device, next.out_name, tracker);
		next.after_id = next.out_id;
	}
}

/* Get the account with the lowest id above @after; false if there is none. */
bool next_account(int device, const char *tracker, uint64_t after,
		  struct memquota_ioctl_account_list *account)
{
	int err;

	memset(account, 0, sizeof(*account));
	account->size = sizeof(*account);
	account->after_id = after;
	copy_name(account->tracker, tracker, "tracker");
	err = try_ioctl(device, MEMQUOTA_IOCTL_ACCOUNT_LIST, account);
	if (err == ENOENT || err == ESHUTDOWN)
		return false;
	if (err)
		die_of_ioctl(err, tracker);
	clean_text(account->out_name);
	return true;
}

static void fetch_accounts(int device, const char *tracker,
			   struct accounts *accounts)
{
	struct memquota_ioctl_account_list next;
	uint64_t after = 0;

	while (next_account(device, tracker, after, &next)) {
		/* The list is full when its length is a power of two. */
		if (!(accounts->count & (accounts->count - 1)))
			accounts->list = xrealloc(accounts->list,
						  (accounts->count * 2 + 1) *
						  sizeof(*accounts->list));
		accounts->list[accounts->count++] = next;
		after = next.out_id;
	}
}

int compare_account_ids(const void *left, const void *right)
{
	const struct memquota_ioctl_account_list *a = left, *b = right;

	return (a->out_id > b->out_id) - (a->out_id < b->out_id);
}

/* Get the accounts of one tracker, or of all if @tracker is NULL, by id. */
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
