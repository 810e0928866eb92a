/* SPDX-License-Identifier: GPL-2.0 */
/* An account's list of records: walks over it, and what the records hold. */
#ifndef _MEMQUOTA_SUM_H
#define _MEMQUOTA_SUM_H

#include "core.h"

void memquota_record_enlist_locked(struct memquota_record *r);
void memquota_record_delist_locked(struct memquota_record *r);
void memquota_walk_records(struct memquota_account *account,
			   void (*visit)(struct memquota_record *r, void *arg),
			   void *arg, bool may_sleep);
void memquota_account_count(struct memquota_account *account);
u64 memquota_account_sum(struct memquota_account *account, bool may_sleep);
u64 memquota_account_held(struct memquota_account *account);

#endif /* _MEMQUOTA_SUM_H */
