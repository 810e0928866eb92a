/* SPDX-License-Identifier: GPL-2.0 */
/* Opening, finding, closing and reaping accounts. */
#ifndef _MEMQUOTA_CORE_ACCOUNT_H
#define _MEMQUOTA_CORE_ACCOUNT_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>

struct memquota_account;
struct memquota_link;
struct memquota_record;
struct memquota_tracker;

/**
 * struct memquota_accounts - accounts of a tracker
 * @lock: protects the rest, the links between the accounts and their lists of
 *	records
 * @by_id: open accounts, and closed ones that have not been reaped
 * @newest: the rightmost of @by_id
 * @closed: accounts that were closed and have not been reaped
 * @trimmers: records with ops->trim
 * @nr_open: open accounts
 * @nr_records: participants that have joined and not left
 * @walk: number of the tracker's last walk over links or records; unused for
 *	private accounts
 * @next_id: the next id of a private account, if @ids_left
 * @ids_left: ids from @next_id on that no account has
 * @cpu: the CPU whose private accounts these are, or -1; const
 *
 * A tracker has one for the accounts that can be linked. The default tracker has
 * one more for each possible CPU, for the private accounts of the participants
 * that join there, so that joining and leaving on different CPUs share neither a
 * lock nor a counter. memquota_account.home is the one that an account is in.
 */
struct memquota_accounts {
	raw_spinlock_t lock;
	struct rb_root by_id;
	struct rb_node *newest;
	struct list_head closed;
	struct list_head trimmers;
	u64 nr_open;
	u64 nr_records;
	u64 walk;
	u64 next_id;
	unsigned int ids_left;
	int cpu;
};

void memquota_accounts_setup(struct memquota_accounts *accounts);
void memquota_accounts_setup_private(struct memquota_tracker *t);
struct memquota_accounts *memquota_home_next(struct memquota_tracker *t,
					     const struct memquota_accounts *home);
void memquota_accounts_count(struct memquota_tracker *t, u64 *open,
			     u64 *records);
void memquota_accounts_reap_some(struct memquota_accounts *accounts,
				 unsigned int pieces);
int memquota_account_publish(struct memquota_account *account,
			     struct memquota_record *r,
			     struct memquota_account *parent,
			     struct memquota_link *link);
struct memquota_account *memquota_account_next(struct memquota_tracker *t,
					       u64 id);
void memquota_account_remove_record(struct memquota_record *r);
void memquota_account_close(struct memquota_account *account);
u64 memquota_account_close_whole(struct memquota_account *account);
bool memquota_accounts_reap_many(struct memquota_accounts *home,
				 unsigned int pieces);
bool memquota_account_close_next(struct memquota_tracker *t, u64 *id);

/* Reap up to @pieces records or links of closed accounts. Any context but NMI. */
static inline void memquota_accounts_reap(struct memquota_accounts *accounts,
					  unsigned int pieces)
{
	if (unlikely(!list_empty(&accounts->closed)))
		memquota_accounts_reap_some(accounts, pieces);
}

#endif /* _MEMQUOTA_CORE_ACCOUNT_H */
