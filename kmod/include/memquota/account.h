/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts: what participants hold memory for, such as a connection, a tenant or
 * a file. Reclaim asks an account as a whole, with its descendants.
 *
 * A null handle is a disabled account: every call on it succeeds, and nothing is
 * counted (rule T4).
 */
#ifndef _MEMQUOTA_ACCOUNT_H
#define _MEMQUOTA_ACCOUNT_H

#include <linux/gfp.h>
#include <memquota/tracker.h>

/**
 * struct memquota_account_usage - what an account holds
 * @held: bytes charged by its participants, those in the CPUs' caches included;
 *	0 if it is closed
 * @peak: the highest @held that was seen, in bytes: when usage was asked for,
 *	and, if the account has had a @max or a threshold, before each decrease
 * @max: its hard limit, in bytes
 * @refused: charges that a hard limit refused
 * @reclaims: rounds of reclaim that chose it
 * @participants: participants that have joined and not left
 * @children: accounts that it is a parent of
 * @closed: its last handle was put, or reclaim has collapsed it
 */
struct memquota_account_usage {
	u64 held;
	u64 peak;
	u64 max;
	u64 refused;
	u64 reclaims;
	u32 participants;
	u32 children;
	bool closed;
};

/* The usage of a disabled account. */
#define MEMQUOTA_ACCOUNT_USAGE_DISABLED					\
	((struct memquota_account_usage) {				\
		.held = MEMQUOTA_UNLIMITED,				\
		.peak = MEMQUOTA_UNLIMITED,				\
		.max = MEMQUOTA_UNLIMITED,				\
	})

struct memquota_account;

#if IS_REACHABLE(CONFIG_MEMQUOTA)

/* A static account that is closed, for initialisers (rule A7). */
extern struct memquota_account memquota_closed_account;

__printf(4, 5) struct memquota_account *
memquota_account_create(struct memquota_tracker *tracker,
			struct memquota_account *parent, gfp_t gfp,
			const char *fmt, ...);
struct memquota_account *memquota_account_get(struct memquota_account *account);
void memquota_account_put(struct memquota_account *account);
u64 memquota_account_id(const struct memquota_account *account);
struct memquota_account *
memquota_account_lookup(struct memquota_tracker *tracker, u64 id);
int memquota_account_add_parent(struct memquota_account *account,
				struct memquota_account *parent);
int memquota_account_set_max(struct memquota_account *account, u64 max);
void memquota_account_usage(struct memquota_account *account,
			    struct memquota_account_usage *usage);

#else

/* Only its address can be taken: a null handle. */
#define memquota_closed_account		(*(struct memquota_account *)NULL)

static inline __printf(4, 5) struct memquota_account *
memquota_account_create(struct memquota_tracker *tracker,
			struct memquota_account *parent, gfp_t gfp,
			const char *fmt, ...)
{
	return NULL;
}

static inline struct memquota_account *
memquota_account_get(struct memquota_account *account)
{
	return account;
}

static inline void memquota_account_put(struct memquota_account *account)
{
}

static inline u64 memquota_account_id(const struct memquota_account *account)
{
	return 0;
}

static inline struct memquota_account *
memquota_account_lookup(struct memquota_tracker *tracker, u64 id)
{
	return NULL;
}

static inline int memquota_account_add_parent(struct memquota_account *account,
					      struct memquota_account *parent)
{
	return 0;
}

static inline int memquota_account_set_max(struct memquota_account *account,
					   u64 max)
{
	return 0;
}

static inline void
memquota_account_usage(struct memquota_account *account,
		       struct memquota_account_usage *usage)
{
	*usage = MEMQUOTA_ACCOUNT_USAGE_DISABLED;
}

#endif /* CONFIG_MEMQUOTA */
#endif /* _MEMQUOTA_ACCOUNT_H */
