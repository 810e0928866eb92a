/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between Linux 6.1 and the newest kernel. Each entry names the
 * version that makes it unnecessary.
 */
#ifndef _SAMPLES_COMPAT_H
#define _SAMPLES_COMPAT_H

#include <linux/version.h>

/* 6.5: the function that splices from read_iter is named copy_splice_read(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define copy_splice_read		generic_file_splice_read
#endif

#endif /* _SAMPLES_COMPAT_H */
