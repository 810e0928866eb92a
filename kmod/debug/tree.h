/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accounts of a tracker, for who looks at them.
 */
#ifndef _MEMQUOTA_TREE_H
#define _MEMQUOTA_TREE_H

#include <memquota/account.h>

/* How often an account is in the tree. */
enum memquota_place {
	MEMQUOTA_ONCE,
	MEMQUOTA_FIRST,		/* of several; what is below it is here */
	MEMQUOTA_AGAIN,
};

/**
 * struct memquota_tree_line - where an account is in the tree
 * @id: of the account, which may be gone
 * @depth: how many are above it
 * @place: whether it is elsewhere, too
 */
struct memquota_tree_line {
	u64 id;
	u32 depth;
	u8 place;
};

/**
 * struct memquota_tree - how accounts were linked
 * @lines: each account below each of its parents, children by age
 * @nr_lines: how many there are
 */
struct memquota_tree {
	struct memquota_tree_line *lines;
	size_t nr_lines;
};

/**
 * struct memquota_account_view - what is said of an account
 * @usage: what it holds, and did
 * @age_ns: of the oldest data; %MEMQUOTA_NO_DATA if there is none, or if
 *	nobody knows
 */
struct memquota_account_view {
	struct memquota_account_usage usage;
	u64 age_ns;
};

int memquota_tree_build(struct memquota_tracker *t, struct memquota_tree *tree);
void memquota_tree_free(struct memquota_tree *tree);
void memquota_view_account(struct memquota_account *account,
			   struct memquota_account_view *view);

#endif /* _MEMQUOTA_TREE_H */
