/* SPDX-License-Identifier: GPL-2.0 */
/* What one user's programs hold, for descriptors. */
#ifndef _MEMQUOTA_USER_H
#define _MEMQUOTA_USER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

struct memquota_user;

/*
 * A participant's part of what its user may hold. What is in it is counted for
 * the user already, so that charges of different participants do not meet.
 */
struct memquota_purse {
	struct memquota_user *user;	/* const; NULL: nothing is counted */
	atomic64_t bytes;
	struct list_head purses;	/* in user->purses; user->lock */
};

bool memquota_privileged(void);
struct memquota_user *memquota_user_get(void);
void memquota_user_put(struct memquota_user *user);
void memquota_purse_open(struct memquota_purse *purse,
			 struct memquota_user *user);
void memquota_purse_close(struct memquota_purse *purse, u64 held);
int memquota_purse_refill(struct memquota_purse *purse, u64 bytes);
void memquota_purse_settle(struct memquota_purse *purse);

/* What a purse has at most, and gets at a time. */
#define MEMQUOTA_PURSE_MAX	(128 * 1024)
#define MEMQUOTA_PURSE_FILL	(64 * 1024)

/* 0, or -EDQUOT. May sleep. */
static inline int memquota_purse_take(struct memquota_purse *purse, u64 bytes)
{
	s64 old;

	if (!purse->user)
		return 0;
	old = atomic64_read(&purse->bytes);
	do {
		if (unlikely((u64)old < bytes))
			return memquota_purse_refill(purse, bytes);
	} while (!atomic64_try_cmpxchg(&purse->bytes, &old, old - bytes));
	return 0;
}

static inline void memquota_purse_give(struct memquota_purse *purse, u64 bytes)
{
	if (purse->user &&
	    unlikely(atomic64_add_return(bytes, &purse->bytes) >
		     MEMQUOTA_PURSE_MAX))
		memquota_purse_settle(purse);
}

#endif /* _MEMQUOTA_USER_H */
