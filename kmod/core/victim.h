/* SPDX-License-Identifier: GPL-2.0 */
/* Choosing the victim. */
#ifndef _MEMQUOTA_VICTIM_H
#define _MEMQUOTA_VICTIM_H

#include "core.h"

struct memquota_record *memquota_victim_oldest(struct memquota_tracker *t);
u64 memquota_victim_bound(struct memquota_tracker *t, u64 skip);

#endif /* _MEMQUOTA_VICTIM_H */
