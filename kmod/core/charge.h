/* SPDX-License-Identifier: GPL-2.0 */
/* Charging, as seen by the files that wait, join and leave. */
#ifndef _MEMQUOTA_CHARGE_H
#define _MEMQUOTA_CHARGE_H

#include "core.h"

/* Which limit refused a charge; positive, so that no errno is mistaken for it. */
enum {
	REFUSED_BY_TRACKER = 1,
	REFUSED_BY_ACCOUNT,
};

/**
 * enum charge_mode - how a charge meets limits and tasks that wait
 * @CHARGE_FORCED: counts above the limits too
 * @CHARGE_REFUSABLE: refused by limits, and behind tasks that wait
 * @CHARGE_WAITER: refused by limits; made by the first task in its queues
 */
enum charge_mode {
	CHARGE_FORCED,
	CHARGE_REFUSABLE,
	CHARGE_WAITER,
};

int memquota_charge_as(struct memquota_participant *p, u64 bytes,
		       enum charge_mode mode);
int memquota_static_record_error(const struct memquota_record *r);
struct memquota_account *memquota_account_of(struct memquota_participant *p);
u64 memquota_record_retire(struct memquota_record *r);

#endif /* _MEMQUOTA_CHARGE_H */
