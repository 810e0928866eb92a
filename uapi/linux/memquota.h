/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_MEMQUOTA_H
#define _UAPI_LINUX_MEMQUOTA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MEMQUOTA_IOCTL_TYPE	0xF7

/**
 * DOC: Objects
 *
 * A program opens /dev/memquota, the *device*. The ioctls of the device and of
 * the descriptors that they return create three kinds of objects: *accounts*,
 * *participants* of an account, and *thresholds*. Each object has a descriptor
 * of its own; dup(), fork() and passing it over a socket create further
 * descriptors of the same object. The last close(), be it by the exit of a
 * process, ends the object. All descriptors are close-on-exec.
 *
 *  - An account closes: what it holds leaves the tracker's total, and its
 *    participants get ESTALE, those beyond the 64th a little later.
 *    Participants do not keep their account open, nor do parents their children.
 *  - A participant leaves: what it holds is uncharged.
 *  - A threshold no longer signals its eventfd.
 *
 * An account also has an id, a weak handle: 64 bits, greater than 0, never reused.
 */

/**
 * DOC: General format
 *
 * The argument of each ioctl points to a structure that begins with its size in
 * bytes. A program is compiled against one version of this header and may run
 * on kernels that know more fields or fewer: new fields are only added at the
 * end, and 0 in a field means the same as its absence. Fields that the kernel
 * does not know must be 0. Of its answer, the kernel writes the fields that the
 * program's structure has. No structure exceeds %MEMQUOTA_IOCTL_SIZE_MAX. The
 * layout is the same for 32-bit and 64-bit programs.
 *
 * Fields whose name begins with ``out_`` are the kernel's answer; their old
 * values are ignored. They are written only if the ioctl returns 0, except for
 * ``out_reason``.
 *
 * Names are printable UTF-8 of 1 to 31 bytes, terminated by a zero byte. They
 * have no control characters, line separators or characters that change the
 * direction of text. Bytes behind the zero are ignored. The name of a tracker
 * has no slash and is neither ``.`` nor ``..``.
 *
 * An errno means the same for all ioctls:
 *
 *  - ENOTTY: this kind of descriptor has no such ioctl.
 *  - EFAULT: the structure is not in the program's memory.
 *  - EINVAL: the structure is shorter than its first version, or a field has a
 *    value that no kernel accepts: an invalid name, a wrong kind of descriptor.
 *  - E2BIG: a field that the kernel does not know is not 0, or the structure is
 *    larger than %MEMQUOTA_IOCTL_SIZE_MAX.
 *  - EOPNOTSUPP: a flag or a reserved field has a value that this kernel does
 *    not know, but another one may; or the tracker was created disabled.
 *  - EBADF: a descriptor in a field is not open.
 *  - ENOENT: no object has that name or number.
 *  - EEXIST: the object exists already.
 *  - EPERM: the caller lacks CAP_SYS_RESOURCE in the initial user namespace.
 *  - EACCES: the tracker was created without %MEMQUOTA_TRACKER_PROGRAMS.
 *  - EBUSY: a kernel module owns the tracker, or it is being destroyed already.
 *  - ESHUTDOWN: the tracker was destroyed.
 *  - ENOTRECOVERABLE: the tracker is poisoned, which no program can cause.
 *  - ESTALE: the account is closed.
 *  - EDQUOT: a hard limit of the tracker, the account, or the user is reached.
 *  - ETIME: a hard limit was still reached when the timeout had passed.
 *  - EINTR: a fatal signal is pending.
 *  - EOVERFLOW: a counter would overflow; a participant holds less than 2 TiB.
 *  - ELOOP: the account would become its own ancestor.
 *  - EXDEV: the two accounts are in different trackers.
 *  - ENOMEM: the system or the caller's memory cgroup is out of memory. A quota
 *    never causes it.
 *  - EMFILE, ENFILE: the process or the system has no more descriptors.
 *
 * If several apply, the order is: the structure, the caller's rights, the
 * fields, ESHUTDOWN, ENOTRECOVERABLE, ESTALE, all others. The description of
 * each ioctl lists its errnos beyond the first five and ENOMEM. An ioctl that
 * fails changes nothing.
 */

/**
 * DOC: Rights
 *
 * A process that can open the device can use INFO, and create accounts in
 * trackers that were created for programs. A process that has a descriptor can
 * use it, no matter which process created it. Managing trackers, listing, and
 * opening another user's account by its id need CAP_SYS_RESOURCE in the initial
 * user namespace.
 *
 * Objects that a process without CAP_SYS_RESOURCE creates are charged to its
 * real user id, even after their descriptors were passed on. Two module
 * parameters limit each user: ``user_objects`` the number of accounts,
 * participants and thresholds, ``user_bytes`` the bytes that all of the user's
 * participants have charged and not uncharged, including those of closed
 * accounts. Beyond either, ioctls fail with EDQUOT.
 */

/* Upper bound on the size of all structures, in bytes */
#define MEMQUOTA_IOCTL_SIZE_MAX		4096
/* Bytes of a name, with the terminating zero */
#define MEMQUOTA_IOCTL_NAME_SIZE	32
/* Bytes of a reason, with the terminating zero */
#define MEMQUOTA_IOCTL_REASON_SIZE	64
/* Parents that an entry of the account list can name */
#define MEMQUOTA_IOCTL_PARENTS		8

/* No limit, in bytes */
#define MEMQUOTA_IOCTL_UNLIMITED	0xffffffffffffffffULL

/* In place of a time: there is no data */
#define MEMQUOTA_IOCTL_NO_DATA		0xffffffffffffffffULL

/* No timeout, in ns */
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
 * MEMQUOTA_IOCTL_VERSION - version of the interface that this header describes
 */
#define MEMQUOTA_IOCTL_VERSION		3

/* Bits of memquota_ioctl_info.out_features */

/**
 * MEMQUOTA_FEATURE_TRACKER - %MEMQUOTA_IOCTL_TRACKER is available
 */
#define MEMQUOTA_FEATURE_TRACKER	0x1

/**
 * MEMQUOTA_FEATURE_DEBUG - debug build: checks its counters, and is slower
 */
#define MEMQUOTA_FEATURE_DEBUG		0x2

/**
 * MEMQUOTA_FEATURE_PROGRAMS - all ioctls but INFO and TRACKER are available
 */
#define MEMQUOTA_FEATURE_PROGRAMS	0x4

/**
 * struct memquota_ioctl_info - ioctl(MEMQUOTA_IOCTL_INFO), of the device
 * @size: sizeof(struct memquota_ioctl_info)
 * @flags: must be 0
 * @out_version: version of the interface; each includes all before it
 * @out_name_size: %MEMQUOTA_IOCTL_NAME_SIZE of this kernel
 * @out_features: MEMQUOTA_FEATURE_*
 * @out_cache_max: maximum that one CPU caches for one participant, in bytes
 * @out_size_max: %MEMQUOTA_IOCTL_SIZE_MAX of this kernel
 * @__reserved: must be 0
 *
 * Get the version, features and limits of the kernel.
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
 * enum memquota_ioctl_state - state of a tracker
 * @MEMQUOTA_STATE_DISABLED: it counts nothing and refuses nothing
 * @MEMQUOTA_STATE_COUNTING: it is in use
 * @MEMQUOTA_STATE_POISONED: its counters contradict each other; it refuses all
 *	charges, joins and accounts
 * @MEMQUOTA_STATE_GONE: it is being destroyed
 *
 * Later versions may add states.
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
 * @name: of the tracker
 * @out_state: enum memquota_ioctl_state
 * @__reserved: must be 0
 * @out_max: a charge beyond it is refused, in bytes
 * @out_high: reclaim starts above it, in bytes
 * @out_low_water: reclaim stops at it, in bytes
 * @out_total: bytes charged; %MEMQUOTA_IOCTL_UNLIMITED if the tracker is
 *	disabled
 * @out_peak: the highest total so far, in bytes
 * @out_excess_max: maximum by which the total exceeds what participants hold,
 *	in bytes; it is never below that
 * @out_reclaims: runs of reclaim that asked at least one participant
 * @out_accounts: open accounts
 * @out_participants: participants that have joined and not left
 * @out_id: number of the tracker, for %MEMQUOTA_IOCTL_TRACKER_LIST
 * @out_flags: MEMQUOTA_TRACKER_* with which it was created
 * @__reserved2: must be 0
 * @out_set_max: @max as %MEMQUOTA_IOCTL_TRACKER_CONFIGURE or
 *	%MEMQUOTA_IOCTL_TRACKER_CREATE has set it; 0: derived. Since version 3
 * @out_set_high: likewise, @high
 * @out_set_low_water: likewise, @low_water
 *
 * Get the limits, usage and state of a tracker. @out_max, @out_high and
 * @out_low_water are the limits in force, whether set or derived;
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
	__aligned_u64 out_set_max;
	__aligned_u64 out_set_high;
	__aligned_u64 out_set_low_water;
};

#define MEMQUOTA_IOCTL_TRACKER	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER)

/* memquota_ioctl_tracker_config.flags of MEMQUOTA_IOCTL_TRACKER_CREATE */

/**
 * MEMQUOTA_TRACKER_DISABLED - the tracker never counts anything
 */
#define MEMQUOTA_TRACKER_DISABLED	0x1

/**
 * MEMQUOTA_TRACKER_PROGRAMS - programs can create accounts in the tracker
 *
 * The default tracker has it if the module parameter ``programs`` is set.
 */
#define MEMQUOTA_TRACKER_PROGRAMS	0x2

/* memquota_ioctl_tracker_config.flags of MEMQUOTA_IOCTL_TRACKER_CONFIGURE */

/**
 * MEMQUOTA_CONFIGURE_CHECK_ONLY - check the limits, change nothing
 */
#define MEMQUOTA_CONFIGURE_CHECK_ONLY	0x1

/**
 * struct memquota_ioctl_tracker_config - ioctl(MEMQUOTA_IOCTL_TRACKER_CREATE)
 * and ioctl(MEMQUOTA_IOCTL_TRACKER_CONFIGURE), of the device
 * @size: sizeof(struct memquota_ioctl_tracker_config)
 * @flags: to create, %MEMQUOTA_TRACKER_DISABLED and %MEMQUOTA_TRACKER_PROGRAMS;
 *	to configure, %MEMQUOTA_CONFIGURE_CHECK_ONLY
 * @name: of the tracker
 * @max: a charge beyond it is refused, in bytes; 0: unlimited
 * @high: reclaim starts above it, in bytes; 0: as @max
 * @low_water: reclaim stops at it, in bytes; 0: 75 % of the current @high,
 *	rounded down
 * @out_reason: why the limits were refused, as text; empty if they were not.
 *	Written with EINVAL too
 *
 * Create a tracker, or set all its limits at once. %MEMQUOTA_IOCTL_UNLIMITED is
 * no limit, for @max and @high. Limits are EINVAL if @max is below @high, or
 * @low_water is set while @high is unlimited, is above 98 % of @high, or is
 * below 163840 bytes (160 KiB), set or derived. So the smallest @high is 218454
 * bytes if @low_water is 0, and 167184 bytes if it is not. A tracker that was
 * created disabled accepts no limits but unlimited ones.
 *
 * A tracker created by ioctl exists until it is destroyed by ioctl, or the
 * module is unloaded.
 *
 * Errnos: EPERM; to create, EEXIST; to configure, ENOENT, ESHUTDOWN,
 * ENOTRECOVERABLE.
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
 * struct memquota_ioctl_tracker_destroy - destroy a
 * tracker: ioctl(MEMQUOTA_IOCTL_TRACKER_DESTROY), of the device
 * @size: sizeof(struct memquota_ioctl_tracker_destroy)
 * @flags: must be 0
 * @name: of a tracker that was created by ioctl
 *
 * Closes the tracker's accounts. The ioctls of their descriptors, and of their
 * participants' descriptors, then fail with ESHUTDOWN.
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
 * @out_id: number of the tracker, never reused
 * @out_name: its name
 *
 * Get the next tracker, in the order of creation. Trackers that exist from the
 * first call to the last are returned exactly once. After the last one the
 * ioctl fails with ENOENT.
 *
 * Errnos: EPERM, ENOENT.
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
 * above a mark: ioctl(MEMQUOTA_IOCTL_TRACKER_THRESHOLD), of the device
 * @size: sizeof(struct memquota_ioctl_tracker_threshold)
 * @flags: must be 0
 * @name: of the tracker
 * @event_fd: descriptor of an eventfd
 * @out_fd: descriptor of the threshold
 * @above_bytes: the eventfd is signalled when the total rises above it
 * @rearm_bytes: it is signalled again only after the total was at or below
 *	this; at most @above_bytes
 *
 * Create a threshold. A total that is above @above_bytes already signals the
 * eventfd at once. The total is that of %MEMQUOTA_IOCTL_TRACKER, which includes
 * the CPUs' caches. It is read asynchronously: a short peak may be missed.
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
 * @name: of the account; need not be unique
 * @parent_fd: descriptor of the parent account, or -1
 * @out_fd: descriptor of the account
 * @out_id: its id; 0 in a disabled tracker
 *
 * Create an account. If its parent is reclaimed, so is the account. A parent in
 * a disabled tracker is EINVAL, unless @tracker is disabled, too; so is one that
 * is private to a participant of a kernel module.
 *
 * Errnos: EACCES, EBADF, ENOENT, ESHUTDOWN, ENOTRECOVERABLE, ESTALE (the
 * parent), EXDEV, EDQUOT, EMFILE, ENFILE.
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
 * @out_fd: a new descriptor of the account
 * @__reserved: must be 0
 *
 * Create a descriptor of the account with that id. It counts as one more object
 * of the caller's user. Without CAP_SYS_RESOURCE the caller can open only
 * accounts of the same user. An id that was never given is ESTALE, too.
 *
 * Errnos: EACCES, ENOENT (the tracker), EOPNOTSUPP, ESHUTDOWN, ENOTRECOVERABLE,
 * ESTALE, EPERM (another user's account), EDQUOT, EMFILE, ENFILE.
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
 * @out_nr_parents: number of its open parents; may be greater than
 *	%MEMQUOTA_IOCTL_PARENTS
 * @__reserved: must be 0
 * @out_parents: ids of its oldest parents, in order; 0 behind the last
 *
 * Get the account with the next id, including those of kernel modules. Ids grow
 * in the order of creation, except that those of participants that joined without
 * an account do so only per CPU. Accounts that are open from the first call to
 * the last are returned exactly once. After the last one the ioctl fails with
 * ENOENT.
 *
 * A link lasts until either account closes, so the parents of all returned
 * accounts form no circle. A parent can have closed since, or be younger than
 * its child.
 *
 * Errnos: EPERM, ENOENT, EINTR.
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
 * @out_id: its id; 0 in a disabled tracker
 * @out_name: its name; empty in a disabled tracker
 * @out_tracker: name of its tracker; empty in a disabled tracker
 * @out_held: bytes that its participants hold, including the CPUs' caches;
 *	%MEMQUOTA_IOCTL_UNLIMITED in a disabled tracker, 0 if closed
 * @out_peak: the highest @out_held that was read, or, with a limit, that there was
 * @out_max: its hard limit, in bytes
 * @out_refused: number of charges that a hard limit refused
 * @out_reclaims: number of requests to its participants
 * @out_participants: participants that have joined and not left; 0 if closed
 * @out_children: number of its open children; 0 if closed
 * @out_closed: 1 if it was reclaimed or its tracker destroyed; else 0
 * @__reserved: must be 0
 *
 * Get the limit, usage and state of an account.
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
 * struct memquota_ioctl_account_set_max - set a hard
 * limit: ioctl(MEMQUOTA_IOCTL_ACCOUNT_SET_MAX), of an account
 * @size: sizeof(struct memquota_ioctl_account_set_max)
 * @flags: must be 0
 * @max: in bytes, or %MEMQUOTA_IOCTL_UNLIMITED
 *
 * Charges by which the account's own participants would hold more are refused.
 * A limit below what they hold already takes nothing from them. Once there was
 * one, or a threshold, their charges and uncharges cost more.
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
 * struct memquota_ioctl_account_add_parent - add a
 * parent: ioctl(MEMQUOTA_IOCTL_ACCOUNT_ADD_PARENT), of an account
 * @size: sizeof(struct memquota_ioctl_account_add_parent)
 * @flags: must be 0
 * @parent_fd: descriptor of the parent account
 * @__reserved: must be 0
 *
 * If any of its parents is reclaimed, so is the account. A parent in a disabled
 * tracker is EINVAL, unless the account is in one, too: then the ioctl does
 * nothing. An account that is private to a participant of a kernel module is
 * EINVAL as well, as parent or as child.
 *
 * Errnos: EBADF, EXDEV, ESHUTDOWN, ENOTRECOVERABLE, ESTALE (either account),
 * ELOOP, EEXIST.
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
 * struct memquota_ioctl_account_threshold - signal a usage
 * above a mark: ioctl(MEMQUOTA_IOCTL_ACCOUNT_THRESHOLD), of an account
 * @size: sizeof(struct memquota_ioctl_account_threshold)
 * @flags: must be 0
 * @event_fd: as in struct memquota_ioctl_tracker_threshold
 * @out_fd: likewise
 * @above_bytes: likewise
 * @rearm_bytes: likewise
 *
 * Create a threshold, as %MEMQUOTA_IOCTL_TRACKER_THRESHOLD does, on the
 * ``out_held`` of %MEMQUOTA_IOCTL_ACCOUNT. It does not keep the account open.
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
 * MEMQUOTA_JOIN_COLLAPSING - memquota_ioctl_join.flags: the first request
 * closes the account
 */
#define MEMQUOTA_JOIN_COLLAPSING	0x1

/**
 * struct memquota_ioctl_join - ioctl(MEMQUOTA_IOCTL_JOIN), of an account
 * @size: sizeof(struct memquota_ioctl_join)
 * @flags: 0, or %MEMQUOTA_JOIN_COLLAPSING
 * @name: of the participant; need not be unique
 * @out_fd: descriptor of the participant
 * @__reserved: must be 0
 *
 * Create a participant, which charges memory to the account, and is asked to
 * free its oldest data when the tracker's total is too high.
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
 * MEMQUOTA_CHARGE_WAIT - memquota_ioctl_charge.flags: at the hard limit of the
 * tracker or the account, wait for reclaim
 */
#define MEMQUOTA_CHARGE_WAIT		0x1

/**
 * struct memquota_ioctl_charge - ioctl(MEMQUOTA_IOCTL_CHARGE), of a participant
 * @size: sizeof(struct memquota_ioctl_charge)
 * @flags: 0, or %MEMQUOTA_CHARGE_WAIT
 * @bytes: memory that the program is about to allocate
 * @timeout_ns: how long to wait, in ns, or %MEMQUOTA_IOCTL_FOREVER; 0 without
 *	%MEMQUOTA_CHARGE_WAIT
 *
 * Charge memory before it is allocated. A tracker above its ``high`` refuses
 * nothing: reclaim runs in the background. With %MEMQUOTA_CHARGE_WAIT, EDQUOT
 * is a charge that is larger than a hard limit itself. It does not wait, and it
 * ends when a limit becomes lower than that. Only fatal signals interrupt a
 * wait. A thread can be frozen while it waits.
 *
 * After the account has closed, charges may still succeed while a CPU's cache
 * serves them, or until it has closed a participant beyond the 64th. They count
 * for the user only.
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
 * @bytes: memory that the program has freed
 *
 * Uncharge memory after it was freed, even if the account has closed. More than
 * the participant holds is EINVAL.
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
 * Set the time by which reclaim compares the participant with others. A time in
 * the future is EINVAL. So is a time before the last one set, unless the
 * participant holds nothing or the last one was %MEMQUOTA_IOCTL_NO_DATA.
 *
 * Without this ioctl the time is derived from charges and uncharges, as if the
 * program freed in the order in which it charged.
 */
struct memquota_ioctl_oldest {
	__u32 size;
	__u32 flags;
	__aligned_u64 oldest_ns;
};

#define MEMQUOTA_IOCTL_OLDEST	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_OLDEST)

/**
 * struct memquota_reclaim_request - what read() of a participant returns
 * @id: id of the request, never reused
 * @want_bytes: how much to free; %MEMQUOTA_IOCTL_UNLIMITED for everything
 * @until_ns: free nothing that arrived after this time, on CLOCK_MONOTONIC as
 *	the caller sees it, in ns; %MEMQUOTA_IOCTL_UNLIMITED for no such bound
 *
 * A participant is readable (POLLIN) while it has an unread request. Without
 * one, read() waits, or fails with EAGAIN if O_NONBLOCK is set. A buffer that
 * is smaller than this structure is EINVAL. After the account has closed
 * (POLLHUP) and the last request was read, read() returns 0, and no further
 * request comes. Later versions may add fields; read() writes those that fit.
 *
 * The program must answer with %MEMQUOTA_IOCTL_ANSWER within the module
 * parameter ``give_up_ms``, or its account closes. Other participants get
 * requests meanwhile.
 */
struct memquota_reclaim_request {
	__aligned_u64 id;
	__aligned_u64 want_bytes;
	__aligned_u64 until_ns;
};

/**
 * MEMQUOTA_ANSWER_COLLAPSE - memquota_ioctl_answer.flags: close the account
 */
#define MEMQUOTA_ANSWER_COLLAPSE	0x1

/**
 * struct memquota_ioctl_answer - ioctl(MEMQUOTA_IOCTL_ANSWER), of a participant
 * @size: sizeof(struct memquota_ioctl_answer)
 * @flags: 0, or %MEMQUOTA_ANSWER_COLLAPSE
 * @id: of the request
 * @freed_bytes: freed and not yet uncharged; the answer uncharges it
 *
 * Answer a request. Bytes that were uncharged since the request count as freed,
 * too. A participant that freed nothing, or that was asked 64 times in a run of
 * reclaim, counts as busy, and gets no request until the next run. The account
 * of a participant that joined with %MEMQUOTA_JOIN_COLLAPSING closes when it is
 * asked; its answer reports that it has freed everything.
 *
 * A request that was answered already or whose time is over is ENOENT. More in
 * @freed_bytes than the participant holds is EINVAL.
 *
 * Errnos: ENOENT.
 */
struct memquota_ioctl_answer {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__aligned_u64 freed_bytes;
};

#define MEMQUOTA_IOCTL_ANSWER	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_ANSWER)

#endif /* _UAPI_LINUX_MEMQUOTA_H */
