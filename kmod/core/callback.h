/* SPDX-License-Identifier: GPL-2.0 */
/* Atomic callbacks. */
#ifndef _MEMQUOTA_CALLBACK_H
#define _MEMQUOTA_CALLBACK_H

#include "core.h"

void memquota_callbacks_begin(void);
void memquota_callbacks_end(void);
bool memquota_call_reclaim(struct memquota_record *r,
			   const struct memquota_request *request, u64 *freed);
bool memquota_call_oldest(struct memquota_record *r, u64 *ns);
bool memquota_call_trim(struct memquota_record *r);
bool memquota_call_get(struct memquota_record *r);
void memquota_wait_callback(const struct memquota_participant *p);
bool memquota_runs_callbacks(void);

#endif /* _MEMQUOTA_CALLBACK_H */
