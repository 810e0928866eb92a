/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of one user hold, and the limits on it. */
#ifndef _MEMQUOTA_USER_H
#define _MEMQUOTA_USER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

struct memquota_user;

/*
 * Bytes that are charged to a user in advance, for one participant. Charges
 * take from it, so those of different participants do not contend for the
 * user's counter.
 */
struct memquota_user_stock {
	struct memquota_user *user;	/* const; NULL: nothing is counted */
	atomic64_t bytes;
	struct list_head node;		/* in user->stocks; user->lock */
};

bool memquota_privileged(void);
struct memquota_user *memquota_user_get(void);
void memquota_user_put(struct memquota_user *user);
void memquota_user_stock_open(struct memquota_user_stock *stock,
			      struct memquota_user *user);
void memquota_user_stock_close(struct memquota_user_stock *stock, u64 held);
int memquota_user_stock_refill(struct memquota_user_stock *stock, u64 bytes);
void memquota_user_stock_settle(struct memquota_user_stock *stock);

/* Bytes that a stock has at most, and that a refill adds. */
#define MEMQUOTA_USER_STOCK_MAX		(128 * 1024)
#define MEMQUOTA_USER_STOCK_FILL	(64 * 1024)

/* Charge the user. Return 0, or -EDQUOT. May sleep. */
static inline int memquota_user_stock_take(struct memquota_user_stock *stock,
					   u64 bytes)
{
	s64 old;

	if (!stock->user)
		return 0;
	old = atomic64_read(&stock->bytes);
	do {
		if (unlikely((u64)old < bytes))
			return memquota_user_stock_refill(stock, bytes);
	} while (!atomic64_try_cmpxchg(&stock->bytes, &old, old - bytes));
	return 0;
}

/* Uncharge the user. */
static inline void memquota_user_stock_give(struct memquota_user_stock *stock,
					    u64 bytes)
{
	if (stock->user &&
	    unlikely(atomic64_add_return(bytes, &stock->bytes) >
		     MEMQUOTA_USER_STOCK_MAX))
		memquota_user_stock_settle(stock);
}

#endif /* _MEMQUOTA_USER_H */
