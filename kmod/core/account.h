/* SPDX-License-Identifier: GPL-2.0 */
/* Opening, finding, closing and reaping accounts. */
#ifndef _MEMQUOTA_CORE_ACCOUNT_H
#define _MEMQUOTA_CORE_ACCOUNT_H

#include "core.h"

struct memquota_link;

void memquota_accounts_setup(struct memquota_accounts *accounts);
int memquota_account_publish(struct memquota_account *account,
			     struct memquota_account *parent,
			     struct memquota_link *link);
struct memquota_account *memquota_account_next(struct memquota_tracker *t,
					       u64 id);
u64 memquota_account_close(struct memquota_account *account);
bool memquota_account_close_next(struct memquota_tracker *t, u64 *id);
void memquota_accounts_reap_some(struct memquota_tracker *t,
				 unsigned int pieces);

/* Reap up to @pieces records or links of closed accounts. Any context but NMI. */
static inline void memquota_accounts_reap(struct memquota_tracker *t,
					  unsigned int pieces)
{
	if (unlikely(!list_empty_careful(&t->accounts.closed)))
		memquota_accounts_reap_some(t, pieces);
}

#endif /* _MEMQUOTA_CORE_ACCOUNT_H */
