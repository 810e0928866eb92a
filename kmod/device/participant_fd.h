/* SPDX-License-Identifier: GPL-2.0 */
/* The ioctl of an account that creates a participant. */
#ifndef _MEMQUOTA_PARTICIPANT_FD_H
#define _MEMQUOTA_PARTICIPANT_FD_H

struct memquota_account;
struct memquota_call;

int memquota_participant_fd_create(struct memquota_call *call,
				   struct memquota_account *account);

#endif /* _MEMQUOTA_PARTICIPANT_FD_H */
