/* SPDX-License-Identifier: GPL-2.0 */
/* The total of a tracker, and the references that keep a tracker's memory. */
#ifndef _MEMQUOTA_TOTAL_H
#define _MEMQUOTA_TOTAL_H

#include "core.h"

/* Totals above it are refused (rule T8); sums of two of them do not wrap. */
#define MEMQUOTA_TOTAL_MAX	((u64)S64_MAX / 2)

extern struct workqueue_struct *memquota_wq;
extern struct list_head memquota_holders;

bool memquota_total_add(struct memquota_tracker *t, u64 need, u64 extra,
			bool refusable, u64 *added);
void memquota_total_sub(struct memquota_tracker *t, u64 bytes);
void memquota_account_notify_waiters(struct memquota_account *a, bool check_all);
void memquota_holders_remove(struct memquota_tracker *t);
void memquota_tracker_poison(struct memquota_tracker *t, const char *why);
void memquota_tracker_unref(struct memquota_tracker *t);
void memquota_set_default_tracker(struct memquota_tracker *t);

#endif /* _MEMQUOTA_TOTAL_H */
