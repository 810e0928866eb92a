/* SPDX-License-Identifier: GPL-2.0 */
/* Comparing the total with the sum of its parts. */
#ifndef _MEMQUOTA_AUDIT_H
#define _MEMQUOTA_AUDIT_H

#include "core.h"

bool memquota_audit(struct memquota_tracker *t, u64 *sum, u64 *total);
int memquota_check(struct memquota_tracker *t);

#endif /* _MEMQUOTA_AUDIT_H */
