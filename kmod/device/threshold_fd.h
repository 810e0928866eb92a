/* SPDX-License-Identifier: GPL-2.0 */
/* The ioctls, of the device and of an account, that create thresholds. */
#ifndef _MEMQUOTA_THRESHOLD_FD_H
#define _MEMQUOTA_THRESHOLD_FD_H

struct memquota_account;
struct memquota_call;

int memquota_threshold_fd_tracker(struct memquota_call *call);
int memquota_threshold_fd_account(struct memquota_call *call,
				  struct memquota_account *account);

#endif /* _MEMQUOTA_THRESHOLD_FD_H */
