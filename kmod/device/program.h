/* SPDX-License-Identifier: GPL-2.0 */
/* Ioctls of the device that make or list what programs have. */
#ifndef _MEMQUOTA_PROGRAM_H
#define _MEMQUOTA_PROGRAM_H

#include <linux/wait.h>

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

/*
 * The participants of an account share a queue: whoever waits exclusively may
 * wait for another of them, and must not be woken instead.
 */
static inline void memquota_wake_pollers(wait_queue_head_t *wait,
					 __poll_t events)
{
	__wake_up(wait, TASK_NORMAL, 0, poll_to_key(events));
}

#endif /* _MEMQUOTA_PROGRAM_H */
