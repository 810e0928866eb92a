/* SPDX-License-Identifier: GPL-2.0 */
/* Ioctls of the device that make or list what programs have. */
#ifndef _MEMQUOTA_PROGRAM_H
#define _MEMQUOTA_PROGRAM_H

struct memquota_account;
struct memquota_call;

/* program.c */
int memquota_program_create(struct memquota_call *call);
int memquota_program_open(struct memquota_call *call);
int memquota_program_list(struct memquota_call *call);

/* threshold.c */
int memquota_threshold_tracker(struct memquota_call *call);
int memquota_threshold_account(struct memquota_call *call,
			       struct memquota_account *account);

#endif /* _MEMQUOTA_PROGRAM_H */
