/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_MEMQUOTA_H
#define _UAPI_LINUX_MEMQUOTA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MEMQUOTA_IOCTL_TYPE	0xF7

/**
 * DOC: General format
 *
 * Each ioctl of /dev/memquota takes a pointer to a structure that begins with
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
 * 0.
 *
 * What an errno means is the same for all ioctls:
 *
 *  - ENOTTY: there is no such ioctl.
 *  - EFAULT: the structure is not in the program's memory.
 *  - EINVAL: the structure is shorter than its first version, or the value of
 *    a field is wrong and always will be.
 *  - E2BIG: there is something other than zero behind the last field that the
 *    kernel knows, or the structure is larger than
 *    %MEMQUOTA_IOCTL_SIZE_MAX.
 *  - EOPNOTSUPP: a flag or a reserved field has a value that this kernel does
 *    not know, but another one may.
 *  - ENOENT: nothing bears that name.
 *
 * An ioctl that has more errnos says so. A refused ioctl changes nothing.
 */

/** MEMQUOTA_IOCTL_SIZE_MAX - more than any structure has, in bytes */
#define MEMQUOTA_IOCTL_SIZE_MAX		4096

/** MEMQUOTA_IOCTL_NAME_SIZE - bytes of a name, with the zero at its end */
#define MEMQUOTA_IOCTL_NAME_SIZE	32

enum {
	MEMQUOTA_CMD_BASE = 0x40,
	MEMQUOTA_CMD_INFO = MEMQUOTA_CMD_BASE,
	MEMQUOTA_CMD_TRACKER = 0x41
};

/** MEMQUOTA_IOCTL_VERSION - of the interface that this header describes */
#define MEMQUOTA_IOCTL_VERSION		1

/* Bits of memquota_ioctl_info.out_features. */

/** MEMQUOTA_FEATURE_TRACKER - trackers can be looked at */
#define MEMQUOTA_FEATURE_TRACKER	0x1
/** MEMQUOTA_FEATURE_DEBUG - the kernel checks its bookkeeping, and is slower */
#define MEMQUOTA_FEATURE_DEBUG		0x2

/**
 * struct memquota_ioctl_info - ioctl(MEMQUOTA_IOCTL_INFO)
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

/** MEMQUOTA_IOCTL_UNLIMITED - a number of bytes that nothing reaches */
#define MEMQUOTA_IOCTL_UNLIMITED	0xffffffffffffffffULL

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
 * struct memquota_ioctl_tracker - ioctl(MEMQUOTA_IOCTL_TRACKER)
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
 * @out_reclaims: how often reclaim asked somebody
 * @out_accounts: open accounts
 * @out_participants: participants that have joined and not left
 *
 * The configuration of a tracker, what it holds, and whether it works. Limits
 * that were not set are answered as they are derived;
 * %MEMQUOTA_IOCTL_UNLIMITED is no limit.
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
};

#define MEMQUOTA_IOCTL_TRACKER	_IO(MEMQUOTA_IOCTL_TYPE, MEMQUOTA_CMD_TRACKER)

#endif /* _UAPI_LINUX_MEMQUOTA_H */
