/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_MEMQUOTA_H
#define _UAPI_LINUX_MEMQUOTA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MEMQUOTA_IOCTL_TYPE	0xF7

/**
 * DOC: Objects
 *
 * A program opens /dev/memquota, the *device*, and gets further descriptors
 * from its ioctls: *accounts*, *participants* of an account, and *thresholds*.
 * Each of the three is an object that lives as long as anybody has a
 * descriptor of it: dup(), fork() and sending it over a socket give further
 * handles to the same object, and the last close() ends it, however the
 * process came to its end. All are close-on-exec.
 *
 *  - With its last descriptor an account closes: what it holds leaves the
 *    tracker, and its participants are answered with ESTALE. A participant
 *    does not keep its account open, and a parent not its children.
 *  - With its last descriptor a participant leaves: what it holds is given
 *    back.
 *  - With its last descriptor a threshold is forgotten.
 *
 * The weak handle of an account is its id: 64 bits, greater than 0, greater
 * than all ids before it, and never used again.
 */

/**
 * DOC: General format
 *
 * Each ioctl takes a pointer to a structure that begins with
 * its own size in bytes. A program is compiled against one version of this
 * header and runs on kernels that know more fields than it, or fewer: fields
 * are only ever added at the end, and a field that is zero means what its
 * absence meant before. What a newer program has behind the last field that
 * the kernel knows must be zero; of its answer the kernel writes as much as
 * the program's structure has room for. Structures larger than
 * %MEMQUOTA_IOCTL_SIZE_MAX do not exist.
 *
 * 32-bit and 64-bit programs see the same layout.
 *
 * Fields whose name begins with ``out_`` are the kernel's answer; what they
 * held before is not looked at. They are written only when the ioctl returns
 * 0, ``out_reason`` excepted.
 *
 * Names are printable UTF-8 of 1 to 31 bytes, with a zero at their end: no
 * control characters, nothing that changes the direction of text or ends a
 * line. What stands behind the zero is not looked at. The name of a tracker
 * has no slash and is neither ``.`` nor ``..``.
 *
 * What an errno means is the same for all ioctls:
 *
 *  - ENOTTY: there is no such ioctl, or not on this kind of descriptor.
 *  - EFAULT: the structure is not in the program's memory.
 *  - EINVAL: the structure is shorter than its first version, or the value of
 *    a field is wrong and always will be: among them a name that is none, and
 *    a descriptor of another kind than asked for.
 *  - E2BIG: there is something other than zero behind the last field that the
 *    kernel knows, or the structure is larger than
 *    %MEMQUOTA_IOCTL_SIZE_MAX.
 *  - EOPNOTSUPP: a flag or a reserved field has a value that this kernel does
 *    not know, but another one may; or the tracker was created disabled.
 *  - EBADF: a descriptor in a field is not open.
 *  - ENOENT: nothing bears that name or number.
 *  - EEXIST: it is there already.
 *  - EPERM: the caller lacks CAP_SYS_RESOURCE in the initial user namespace.
 *  - EACCES: the tracker is not one for programs, see
 *    %MEMQUOTA_TRACKER_PROGRAMS.
 *  - EBUSY: a kernel module owns the tracker, or somebody else is destroying it.
 *  - ESHUTDOWN: the tracker was destroyed.
 *  - ENOTRECOVERABLE: the tracker is poisoned: its bookkeeping contradicted
 *    itself. No program can bring this about.
 *  - ESTALE: the account is closed: dropped or reclaimed.
 *  - EDQUOT: a hard limit: of the tracker, of the account, or of the user.
 *  - ETIME: a hard limit, still so after waiting.
 *  - EINTR: a signal that ends the program came while waiting.
 *  - EOVERFLOW: the counters would wrap.
 *  - ELOOP: the account would become an ancestor of itself.
 *  - EXDEV: the two accounts are in different trackers.
 *  - ENOMEM: the system, or the caller's memory cgroup, is out of memory; never
 *    used for a quota.
 *  - EMFILE, ENFILE: there are no more descriptors.
 *
 * Where several hold, the order is: the structure, the caller's rights, the
 * fields, ESHUTDOWN, ENOTRECOVERABLE, ESTALE, the others. Each ioctl
 * names those beyond the first six and ENOMEM. A refused ioctl changes nothing.
 */

/**
 * DOC: Rights
 *
 * Whoever can open the device can ask for INFO and create accounts in those
 * trackers that are marked for programs. What a descriptor stands for can be
 * used by whoever has it. Trackers, lists, and accounts of others by their id
 * are for those with CAP_SYS_RESOURCE in the initial user namespace.
 *
 * Objects that were created without CAP_SYS_RESOURCE count for the user (the
 * real user id) who created them, wherever their descriptors travel, by two
 * parameters of the module: ``user_objects``, how many accounts, participants
 * and thresholds, and ``user_bytes``, how much all participants hold that is
 * charged and not uncharged, also for accounts that are closed. Both refuse
 * with EDQUOT.
 */

/**
 * MEMQUOTA_IOCTL_SIZE_MAX - more than any structure has, in bytes
 */
#define MEMQUOTA_IOCTL_SIZE_MAX		4096

/**
 * MEMQUOTA_IOCTL_NAME_SIZE - bytes of a name, with the zero at its end
 */
#define MEMQUOTA_IOCTL_NAME_SIZE	32

/**
 * MEMQUOTA_IOCTL_REASON_SIZE - bytes of a reason, with the zero at its end
 */
#define MEMQUOTA_IOCTL_REASON_SIZE	64

/**
 * MEMQUOTA_IOCTL_PARENTS - how many parents of an account a list names
 */
#define MEMQUOTA_IOCTL_PARENTS		8

/**
 * MEMQUOTA_IOCTL_UNLIMITED - a number of bytes that nothing reaches
 */
#define MEMQUOTA_IOCTL_UNLIMITED	0xffffffffffffffffULL

/**
 * MEMQUOTA_IOCTL_NO_DATA - a moment that is none: there is no data
 */
#define MEMQUOTA_IOCTL_NO_DATA		0xffffffffffffffffULL

/**
 * MEMQUOTA_IOCTL_FOREVER - a time to wait that does not end
 */
#define MEMQUOTA_IOCTL_FOREVER		0xffffffffffffffffULL

enum {
	/* of the device */
	MEMQUOTA_CMD_BASE = 0x40,
	MEMQUOTA_CMD_INFO = MEMQUOTA_CMD_BASE,
	MEMQUOTA_CMD_TRACKER = 0x41,
	MEMQUOTA_CMD_TRACKER_CREATE = 0x42,
	MEMQUOTA_CMD_TRACKER_CONFIGURE = 0x43,
	MEMQUOTA_CMD_TRACKER_DESTROY = 0x44,
	MEMQUOTA_CMD_TRACKER_LIST = 0x45,
	MEMQUOTA_CMD_TRACKER_THRESHOLD = 0x46,
	MEMQUOTA_CMD_ACCOUNT_CREATE = 0x47,
	MEMQUOTA_CMD_ACCOUNT_OPEN = 0x48,
	MEMQUOTA_CMD_ACCOUNT_LIST = 0x49,
	/* of an account */
	MEMQUOTA_CMD_ACCOUNT_BASE = 0x60,
	MEMQUOTA_CMD_ACCOUNT = MEMQUOTA_CMD_ACCOUNT_BASE,
	MEMQUOTA_CMD_ACCOUNT_SET_MAX = 0x61,
	MEMQUOTA_CMD_ACCOUNT_ADD_PARENT = 0x62,
	MEMQUOTA_CMD_ACCOUNT_THRESHOLD = 0x63,
	MEMQUOTA_CMD_JOIN = 0x64,
	/* of a participant */
	MEMQUOTA_CMD_PARTICIPANT_BASE = 0x80,
	MEMQUOTA_CMD_CHARGE = MEMQUOTA_CMD_PARTICIPANT_BASE,
	MEMQUOTA_CMD_UNCHARGE = 0x81,
	MEMQUOTA_CMD_OLDEST = 0x82,
	MEMQUOTA_CMD_ANSWER = 0x83
};

/**
 * MEMQUOTA_IOCTL_VERSION - of the interface that this header describes
 */
#define MEMQUOTA_IOCTL_VERSION		2

/* Bits of memquota_ioctl_info.out_features. */

/**
 * MEMQUOTA_FEATURE_TRACKER - trackers can be looked at
 */
#define MEMQUOTA_FEATURE_TRACKER	0x1

/**
 * MEMQUOTA_FEATURE_DEBUG - the kernel checks its bookkeeping, and is slower
 */
#define MEMQUOTA_FEATURE_DEBUG		0x2

/**
 * MEMQUOTA_FEATURE_PROGRAMS - programs can have accounts and participants, set
 * thresholds, and manage trackers
 */
#define MEMQUOTA_FEATURE_PROGRAMS	0x4

/**
 * struct memquota_ioctl_info - ioctl(MEMQUOTA_IOCTL_INFO), of the device
 * @size: sizeof(struct memquota_ioctl_info)
 * @flags: must be 0
 * @out_version: version of the interface; a higher one has all of a lower one
 * @out_name_size: bytes that a name can have, with the zero at its end
 * @out_features: what this kernel can do: MEMQUOTA_FEATURE_*
 * @out_cache_max: the most bytes that one CPU holds in advance for one
 *	participant
 * @out_size_max: bytes of the largest structure that an ioctl takes
 * @__reserved: must be 0
 *
 * What the kernel can do, and by which limits.
 */
struct memquota_ioctl_info {
	__u32 size;
	__u32 flags;
	__u32 out_version;
	__u32 out_name_size;
	__aligned_u64 out_features;
	__aligned_u64 out_cache_max;
	__u32 out_size_max;
	__u32 __reserved;
};

#define MEMQUOTA_IOCTL_INFO	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_INFO)

/**
 * enum memquota_ioctl_state - what a tracker is able to do
 * @MEMQUOTA_STATE_DISABLED: it counts nothing and refuses nothing
 * @MEMQUOTA_STATE_COUNTING: it is in use
 * @MEMQUOTA_STATE_POISONED: its bookkeeping contradicted itself; it takes
 *	nothing on any more
 * @MEMQUOTA_STATE_GONE: it is being destroyed
 *
 * There may be more of them one day.
 */
enum memquota_ioctl_state {
	MEMQUOTA_STATE_DISABLED = 0,
	MEMQUOTA_STATE_COUNTING = 1,
	MEMQUOTA_STATE_POISONED = 2,
	MEMQUOTA_STATE_GONE = 3
};

/**
 * struct memquota_ioctl_tracker - ioctl(MEMQUOTA_IOCTL_TRACKER), of the device
 * @size: sizeof(struct memquota_ioctl_tracker)
 * @flags: must be 0
 * @name: which tracker, with a zero at its end
 * @out_state: enum memquota_ioctl_state
 * @__reserved: must be 0
 * @out_max: charges that would pass it are refused, bytes
 * @out_high: reclaim starts above it, bytes
 * @out_low_water: reclaim stops there, bytes
 * @out_total: what is charged, bytes; %MEMQUOTA_IOCTL_UNLIMITED where nothing
 *	is counted
 * @out_peak: the highest total so far, bytes
 * @out_excess_max: the total is never too low, and too high by at most this,
 *	bytes
 * @out_reclaims: runs of reclaim that asked at least one participant
 * @out_accounts: open accounts
 * @out_participants: participants that have joined and not left
 * @out_id: number of the tracker, for %MEMQUOTA_IOCTL_TRACKER_LIST
 * @out_flags: MEMQUOTA_TRACKER_* with which it was created
 * @__reserved2: must be 0
 *
 * The configuration of a tracker, what it holds, and whether it works. Limits
 * that were not set are answered as they are derived;
 * %MEMQUOTA_IOCTL_UNLIMITED is no limit.
 *
 * Errnos: EPERM, ENOENT.
 */
struct memquota_ioctl_tracker {
	__u32 size;
	__u32 flags;
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
	__u32 out_state;
	__u32 __reserved;
	__aligned_u64 out_max;
	__aligned_u64 out_high;
	__aligned_u64 out_low_water;
	__aligned_u64 out_total;
	__aligned_u64 out_peak;
	__aligned_u64 out_excess_max;
	__aligned_u64 out_reclaims;
	__aligned_u64 out_accounts;
	__aligned_u64 out_participants;
	__aligned_u64 out_id;
	__u32 out_flags;
	__u32 __reserved2;
};

#define MEMQUOTA_IOCTL_TRACKER	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER)

/* Flags of memquota_ioctl_tracker_config, to create a tracker. */

/**
 * MEMQUOTA_TRACKER_DISABLED - the tracker counts nothing, for good
 */
#define MEMQUOTA_TRACKER_DISABLED	0x1

/**
 * MEMQUOTA_TRACKER_PROGRAMS - programs can have accounts in it
 *
 * The default tracker has it if the module's parameter ``programs`` is set.
 */
#define MEMQUOTA_TRACKER_PROGRAMS	0x2

/* Flags of memquota_ioctl_tracker_config, to configure a tracker. */

/**
 * MEMQUOTA_CONFIGURE_CHECK_ONLY - say whether it is possible, change nothing
 */
#define MEMQUOTA_CONFIGURE_CHECK_ONLY	0x1

/**
 * struct memquota_ioctl_tracker_config - ioctl(MEMQUOTA_IOCTL_TRACKER_CREATE)
 * and ioctl(MEMQUOTA_IOCTL_TRACKER_CONFIGURE), of the device
 * @size: sizeof(struct memquota_ioctl_tracker_config)
 * @flags: %MEMQUOTA_TRACKER_DISABLED and %MEMQUOTA_TRACKER_PROGRAMS to create
 *	it, %MEMQUOTA_CONFIGURE_CHECK_ONLY to configure it
 * @name: of the tracker
 * @max: charges that would pass it are refused, bytes; 0: unlimited
 * @high: reclaim starts above it, bytes; 0: as @max
 * @low_water: reclaim stops there, bytes; 0: 75 % of the current @high
 * @out_reason: why the limits are refused, for people to read; also where the
 *	answer is EINVAL; empty if they are not
 *
 * All limits are set together. %MEMQUOTA_IOCTL_UNLIMITED is no limit. Limits
 * are refused with EINVAL if @max is below @high, or @low_water is set while
 * @high is unlimited, is above 98 % of @high, or below 160 KiB.
 *
 * A tracker that was created here lasts until it is destroyed here, or the
 * module is unloaded.
 *
 * Errnos: EPERM; EEXIST (to create), ENOENT, ESHUTDOWN, ENOTRECOVERABLE (to
 * configure).
 */
struct memquota_ioctl_tracker_config {
	__u32 size;
	__u32 flags;
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
	__aligned_u64 max;
	__aligned_u64 high;
	__aligned_u64 low_water;
	char out_reason[MEMQUOTA_IOCTL_REASON_SIZE];
};

#define MEMQUOTA_IOCTL_TRACKER_CREATE \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER_CREATE)
#define MEMQUOTA_IOCTL_TRACKER_CONFIGURE \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER_CONFIGURE)

/**
 * struct memquota_ioctl_tracker_destroy - ioctl(MEMQUOTA_IOCTL_TRACKER_DESTROY),
 * of the device
 * @size: sizeof(struct memquota_ioctl_tracker_destroy)
 * @flags: must be 0
 * @name: of a tracker that was created by ioctl
 *
 * Closes its accounts; their descriptors, and those of their participants,
 * answer with ESHUTDOWN from then on.
 *
 * Errnos: EPERM, ENOENT, EBUSY.
 */
struct memquota_ioctl_tracker_destroy {
	__u32 size;
	__u32 flags;
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
};

#define MEMQUOTA_IOCTL_TRACKER_DESTROY \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER_DESTROY)

/**
 * struct memquota_ioctl_tracker_list - ioctl(MEMQUOTA_IOCTL_TRACKER_LIST), of
 * the device
 * @size: sizeof(struct memquota_ioctl_tracker_list)
 * @flags: must be 0
 * @after_id: 0, or the @out_id of the call before
 * @out_id: number of the tracker, never used again
 * @out_name: its name
 *
 * The next tracker, in the order of creation. Those that are there from the
 * first call to the last are seen exactly once.
 *
 * Errnos: EPERM; ENOENT: there are no more.
 */
struct memquota_ioctl_tracker_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 after_id;
	__aligned_u64 out_id;
	char out_name[MEMQUOTA_IOCTL_NAME_SIZE];
};

#define MEMQUOTA_IOCTL_TRACKER_LIST \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER_LIST)

/**
 * struct memquota_ioctl_tracker_threshold - signal a total
 * that goes above a mark: ioctl(MEMQUOTA_IOCTL_TRACKER_THRESHOLD), of the device
 * @size: sizeof(struct memquota_ioctl_tracker_threshold)
 * @flags: must be 0
 * @name: of the tracker
 * @event_fd: descriptor that eventfd() returned
 * @out_fd: descriptor of the threshold: with its last close it is forgotten
 * @above_bytes: the eventfd is signalled when the total goes above it
 * @rearm_bytes: and again only after it was at or below this; at most
 *	@above_bytes
 *
 * A total that is above when the threshold is set counts as having just gone
 * there. What is looked at is the total that %MEMQUOTA_IOCTL_TRACKER tells,
 * caches included. One that rises and falls back before anybody can look may
 * be missed.
 *
 * Errnos: EPERM, EBADF, ENOENT, EOPNOTSUPP, ESHUTDOWN, EMFILE, ENFILE.
 */
struct memquota_ioctl_tracker_threshold {
	__u32 size;
	__u32 flags;
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
	__s32 event_fd;
	__s32 out_fd;
	__aligned_u64 above_bytes;
	__aligned_u64 rearm_bytes;
};

#define MEMQUOTA_IOCTL_TRACKER_THRESHOLD \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER_THRESHOLD)

/**
 * struct memquota_ioctl_account_create - ioctl(MEMQUOTA_IOCTL_ACCOUNT_CREATE),
 * of the device
 * @size: sizeof(struct memquota_ioctl_account_create)
 * @flags: must be 0
 * @tracker: name of the tracker
 * @name: of the account, for people to read; need not be unique
 * @parent_fd: descriptor of the account that it is reclaimed with, or -1
 * @out_fd: descriptor of the account
 * @out_id: its id, 0 in a disabled tracker
 *
 * Errnos: EACCES, EBADF, ENOENT, ESHUTDOWN, ENOTRECOVERABLE, ESTALE: the
 * parent is closed, EXDEV, EDQUOT, EMFILE, ENFILE.
 */
struct memquota_ioctl_account_create {
	__u32 size;
	__u32 flags;
	char tracker[MEMQUOTA_IOCTL_NAME_SIZE];
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
	__s32 parent_fd;
	__s32 out_fd;
	__aligned_u64 out_id;
};

#define MEMQUOTA_IOCTL_ACCOUNT_CREATE \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT_CREATE)

/**
 * struct memquota_ioctl_account_open - ioctl(MEMQUOTA_IOCTL_ACCOUNT_OPEN), of
 * the device
 * @size: sizeof(struct memquota_ioctl_account_open)
 * @flags: must be 0
 * @tracker: name of the tracker
 * @id: of the account
 * @out_fd: a further descriptor of it
 * @__reserved: must be 0
 *
 * Makes a descriptor of a weak handle. It counts as one more object, of the
 * caller's. Without CAP_SYS_RESOURCE only for accounts that the same user
 * created.
 *
 * Errnos: EACCES, ENOENT: the tracker, EOPNOTSUPP, ESHUTDOWN, ENOTRECOVERABLE,
 * ESTALE: the account is closed, or never was, EPERM: it is another user's,
 * EDQUOT, EMFILE, ENFILE.
 */
struct memquota_ioctl_account_open {
	__u32 size;
	__u32 flags;
	char tracker[MEMQUOTA_IOCTL_NAME_SIZE];
	__aligned_u64 id;
	__s32 out_fd;
	__u32 __reserved;
};

#define MEMQUOTA_IOCTL_ACCOUNT_OPEN \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT_OPEN)

/**
 * struct memquota_ioctl_account_list - ioctl(MEMQUOTA_IOCTL_ACCOUNT_LIST), of
 * the device
 * @size: sizeof(struct memquota_ioctl_account_list)
 * @flags: must be 0
 * @tracker: name of the tracker
 * @after_id: 0, or the @out_id of the call before
 * @out_id: of the account
 * @out_name: its name
 * @out_held: as in struct memquota_ioctl_account
 * @out_peak: likewise
 * @out_max: likewise
 * @out_refused: likewise
 * @out_reclaims: likewise
 * @out_participants: likewise
 * @out_children: likewise
 * @out_nr_parents: open accounts that it is a child of; more than
 *	%MEMQUOTA_IOCTL_PARENTS if there are more than @out_parents has room for
 * @__reserved: must be 0
 * @out_parents: ids of its parents, oldest first; 0 behind the last
 *
 * The next account, in the order of creation, those of kernel modules
 * included. Those that are open from the first call to the last are seen
 * exactly once, whatever comes and goes meanwhile.
 *
 * A link lasts until either account closes, so that the parents of all
 * accounts that are seen, taken together, make no circle. A parent can have
 * closed since, or be younger than its child.
 *
 * Errnos: EPERM; ENOENT: no such tracker, or there are no more; EINTR.
 */
struct memquota_ioctl_account_list {
	__u32 size;
	__u32 flags;
	char tracker[MEMQUOTA_IOCTL_NAME_SIZE];
	__aligned_u64 after_id;
	__aligned_u64 out_id;
	char out_name[MEMQUOTA_IOCTL_NAME_SIZE];
	__aligned_u64 out_held;
	__aligned_u64 out_peak;
	__aligned_u64 out_max;
	__aligned_u64 out_refused;
	__aligned_u64 out_reclaims;
	__u32 out_participants;
	__u32 out_children;
	__u32 out_nr_parents;
	__u32 __reserved;
	__aligned_u64 out_parents[MEMQUOTA_IOCTL_PARENTS];
};

#define MEMQUOTA_IOCTL_ACCOUNT_LIST \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT_LIST)

/**
 * struct memquota_ioctl_account - ioctl(MEMQUOTA_IOCTL_ACCOUNT), of an account
 * @size: sizeof(struct memquota_ioctl_account)
 * @flags: must be 0
 * @out_id: the weak handle; 0 in a disabled tracker
 * @out_name: its name; empty in a disabled tracker
 * @out_tracker: name of its tracker; likewise
 * @out_held: what its participants hold, bytes, the CPUs' caches included;
 *	%MEMQUOTA_IOCTL_UNLIMITED in a disabled tracker, 0 when closed
 * @out_peak: the highest @out_held so far
 * @out_max: its hard limit, bytes
 * @out_refused: charges that a hard limit refused
 * @out_reclaims: how often its participants were asked
 * @out_participants: participants that have joined and not left; 0 when closed
 * @out_children: open accounts that it is a parent of; 0 when closed
 * @out_closed: 1 if it was closed: reclaimed, or its tracker is gone; else 0
 * @__reserved: must be 0
 *
 * What an account holds.
 */
struct memquota_ioctl_account {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_id;
	char out_name[MEMQUOTA_IOCTL_NAME_SIZE];
	char out_tracker[MEMQUOTA_IOCTL_NAME_SIZE];
	__aligned_u64 out_held;
	__aligned_u64 out_peak;
	__aligned_u64 out_max;
	__aligned_u64 out_refused;
	__aligned_u64 out_reclaims;
	__u32 out_participants;
	__u32 out_children;
	__u32 out_closed;
	__u32 __reserved;
};

#define MEMQUOTA_IOCTL_ACCOUNT	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT)

/**
 * struct memquota_ioctl_account_set_max - set the hard
 * limit: ioctl(MEMQUOTA_IOCTL_ACCOUNT_SET_MAX), of an account
 * @size: sizeof(struct memquota_ioctl_account_set_max)
 * @flags: must be 0
 * @max: in bytes, or %MEMQUOTA_IOCTL_UNLIMITED
 *
 * A charge by which the account's own participants would hold more is refused.
 * What is held already stays.
 *
 * Errnos: ESHUTDOWN, ENOTRECOVERABLE, ESTALE.
 */
struct memquota_ioctl_account_set_max {
	__u32 size;
	__u32 flags;
	__aligned_u64 max;
};

#define MEMQUOTA_IOCTL_ACCOUNT_SET_MAX \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT_SET_MAX)

/**
 * struct memquota_ioctl_account_add_parent - a further
 * parent: ioctl(MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT), of an account
 * @size: sizeof(struct memquota_ioctl_account_add_parent)
 * @flags: must be 0
 * @parent_fd: descriptor of the account that it is reclaimed with, too
 * @__reserved: must be 0
 *
 * In a disabled tracker this does nothing.
 *
 * Errnos: EBADF, EINVAL: the parent is disabled and the account is not, EXDEV,
 * ESHUTDOWN, ENOTRECOVERABLE, ESTALE: either is closed, ELOOP, EEXIST.
 */
struct memquota_ioctl_account_add_parent {
	__u32 size;
	__u32 flags;
	__s32 parent_fd;
	__u32 __reserved;
};

#define MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT_ADD_PARENT)

/**
 * struct memquota_ioctl_account_threshold - signal a holding
 * that goes above a mark: ioctl(MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD), of an account
 * @size: sizeof(struct memquota_ioctl_account_threshold)
 * @flags: must be 0
 * @event_fd: as in struct memquota_ioctl_tracker_threshold
 * @out_fd: likewise
 * @above_bytes: likewise
 * @rearm_bytes: likewise
 *
 * As that of a tracker, for what %MEMQUOTA_IOCTL_ACCOUNT tells as held. It does
 * not keep the account open.
 *
 * Errnos: EBADF, EOPNOTSUPP, ESHUTDOWN, ENOTRECOVERABLE, ESTALE, EDQUOT,
 * EMFILE, ENFILE.
 */
struct memquota_ioctl_account_threshold {
	__u32 size;
	__u32 flags;
	__s32 event_fd;
	__s32 out_fd;
	__aligned_u64 above_bytes;
	__aligned_u64 rearm_bytes;
};

#define MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD \
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ACCOUNT_THRESHOLD)

/**
 * MEMQUOTA_JOIN_COLLAPSING - for memquota_ioctl_join.flags: once asked, the
 * account closes
 */
#define MEMQUOTA_JOIN_COLLAPSING	0x1

/**
 * struct memquota_ioctl_join - ioctl(MEMQUOTA_IOCTL_JOIN), of an account
 * @size: sizeof(struct memquota_ioctl_join)
 * @flags: 0, or %MEMQUOTA_JOIN_COLLAPSING
 * @name: of the participant, for people to read; need not be unique
 * @out_fd: descriptor of the participant
 * @__reserved: must be 0
 *
 * Creates a participant: something that holds memory for the account, and is
 * asked to give up its oldest data when the tracker has too much.
 *
 * Errnos: ESHUTDOWN, ENOTRECOVERABLE, ESTALE, EDQUOT, EMFILE, ENFILE.
 */
struct memquota_ioctl_join {
	__u32 size;
	__u32 flags;
	char name[MEMQUOTA_IOCTL_NAME_SIZE];
	__s32 out_fd;
	__u32 __reserved;
};

#define MEMQUOTA_IOCTL_JOIN	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_JOIN)

/**
 * MEMQUOTA_CHARGE_WAIT - for memquota_ioctl_charge.flags: wait for reclaim
 * rather than be refused by the tracker's or the account's limit
 */
#define MEMQUOTA_CHARGE_WAIT		0x1

/**
 * struct memquota_ioctl_charge - ioctl(MEMQUOTA_IOCTL_CHARGE), of a participant
 * @size: sizeof(struct memquota_ioctl_charge)
 * @flags: 0, or %MEMQUOTA_CHARGE_WAIT
 * @bytes: how much memory is about to be allocated
 * @timeout_ns: how long to wait, in ns, or %MEMQUOTA_IOCTL_FOREVER; 0 without
 *	%MEMQUOTA_CHARGE_WAIT
 *
 * Records memory that is about to be allocated. A tracker that is above its
 * ``high`` does not refuse: reclaim goes on beside. More than the limit itself
 * is refused with EDQUOT at once. While waiting only a signal that ends the
 * program interrupts.
 *
 * After the account was closed a charge can succeed for a while, as long as a
 * CPU's cache serves it; it counts nowhere but for the user.
 *
 * Errnos: ESHUTDOWN, ENOTRECOVERABLE, ESTALE, EDQUOT, ETIME, EINTR, EOVERFLOW.
 */
struct memquota_ioctl_charge {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__aligned_u64 timeout_ns;
};

#define MEMQUOTA_IOCTL_CHARGE	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_CHARGE)

/**
 * struct memquota_ioctl_uncharge - ioctl(MEMQUOTA_IOCTL_UNCHARGE), of a
 * participant
 * @size: sizeof(struct memquota_ioctl_uncharge)
 * @flags: must be 0
 * @bytes: how much memory was freed
 *
 * Records memory that was freed, also after the account was closed. More than
 * was charged through all descriptors of the participant is EINVAL.
 */
struct memquota_ioctl_uncharge {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
};

#define MEMQUOTA_IOCTL_UNCHARGE	\
	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_UNCHARGE)

/**
 * struct memquota_ioctl_oldest - ioctl(MEMQUOTA_IOCTL_OLDEST), of a participant
 * @size: sizeof(struct memquota_ioctl_oldest)
 * @flags: must be 0
 * @oldest_ns: when the oldest data arrived, on CLOCK_MONOTONIC as the caller
 *	sees it, in ns; or %MEMQUOTA_IOCTL_NO_DATA
 *
 * A moment that has not come yet is EINVAL, and so is one before the last that
 * was told, unless the participant holds nothing or had said that there was no
 * data.
 *
 * A program that never says it is taken to give up first what it charged
 * first: the time is derived from its charging and uncharging.
 */
struct memquota_ioctl_oldest {
	__u32 size;
	__u32 flags;
	__aligned_u64 oldest_ns;
};

#define MEMQUOTA_IOCTL_OLDEST	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_OLDEST)

/**
 * struct memquota_reclaim_request - what read() of a participant returns
 * @id: names the request; never used again
 * @want_bytes: how much to free; %MEMQUOTA_IOCTL_UNLIMITED for everything
 * @until_ns: free nothing that arrived after this moment, on CLOCK_MONOTONIC as
 *	the caller sees it, in ns; %MEMQUOTA_IOCTL_UNLIMITED for no such bound
 *
 * A participant is readable (POLLIN) while there is a request that nobody has
 * read. read() takes it; without one it waits, or fails with EAGAIN where
 * O_NONBLOCK is set; with room for less than this structure it fails with
 * EINVAL. Once the participant's account is closed (POLLHUP) and no request is
 * left, read() returns 0, and no request comes any more. There may be more
 * fields one day; as much is written as there is room for.
 *
 * A request is to be answered by %MEMQUOTA_IOCTL_ANSWER. A program that does
 * not answer within the module's parameter ``give_up_ms`` collapses: its
 * account closes. It does not keep others from being asked meanwhile.
 */
struct memquota_reclaim_request {
	__aligned_u64 id;
	__aligned_u64 want_bytes;
	__aligned_u64 until_ns;
};

/**
 * MEMQUOTA_ANSWER_COLLAPSE - for memquota_ioctl_answer.flags: the program gives
 * up everything; its account closes
 */
#define MEMQUOTA_ANSWER_COLLAPSE	0x1

/**
 * struct memquota_ioctl_answer - ioctl(MEMQUOTA_IOCTL_ANSWER), of a participant
 * @size: sizeof(struct memquota_ioctl_answer)
 * @flags: 0, or %MEMQUOTA_ANSWER_COLLAPSE
 * @id: of the request
 * @freed_bytes: to be uncharged with the answer, as by
 *	%MEMQUOTA_IOCTL_UNCHARGE; what was uncharged since the request counts,
 *	too
 *
 * Answers a request. One who has freed nothing counts as busy, and is not asked
 * again before the next time that there is too much. The account of a
 * participant that joined with %MEMQUOTA_JOIN_COLLAPSING closes as soon as it
 * is asked; its answer says that it is done.
 *
 * Errnos: ENOENT: there is no such request: it was answered, or its time is
 * over; EINVAL: @freed_bytes is more than was charged.
 */
struct memquota_ioctl_answer {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__aligned_u64 freed_bytes;
};

#define MEMQUOTA_IOCTL_ANSWER	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ANSWER)

#endif /* _UAPI_LINUX_MEMQUOTA_H */
