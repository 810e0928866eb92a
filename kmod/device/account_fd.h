/* SPDX-License-Identifier: GPL-2.0 */
/* Ioctls of the device that create or list accounts. */
#ifndef _MEMQUOTA_ACCOUNT_FD_H
#define _MEMQUOTA_ACCOUNT_FD_H

struct memquota_call;

int memquota_account_fd_create(struct memquota_call *call);
int memquota_account_fd_open(struct memquota_call *call);
int memquota_account_fd_list(struct memquota_call *call);

#endif /* _MEMQUOTA_ACCOUNT_FD_H */
