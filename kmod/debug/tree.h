/* SPDX-License-Identifier: GPL-2.0 */
/* The accounts of a tracker as a tree, for debugfs. */
#ifndef _MEMQUOTA_TREE_H
#define _MEMQUOTA_TREE_H

#include <memquota/account.h>

/* Which of its account's lines in the tree a line is. */
enum memquota_place {
	MEMQUOTA_ONCE,		/* the only one */
	MEMQUOTA_FIRST,		/* the first of several; the children follow */
	MEMQUOTA_AGAIN,		/* a later one */
};

/**
 * struct memquota_tree_line - one line of the tree
 * @id: id of the account, which may be gone
 * @depth: number of accounts above it
 * @place: enum memquota_place
 */
struct memquota_tree_line {
	u64 id;
	u32 depth;
	u8 place;
};

/**
 * struct memquota_tree - the accounts of a tracker
 * @lines: each account below each of its parents, siblings by age
 * @nr_lines: number of @lines
 */
struct memquota_tree {
	struct memquota_tree_line *lines;
	size_t nr_lines;
};

/**
 * struct memquota_account_view - what debugfs shows of an account
 * @usage: as memquota_account_usage() tells it
 * @age_ns: age of its oldest data in ns; %MEMQUOTA_NO_DATA if there is none or
 *	it is unknown
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
