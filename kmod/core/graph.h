/* SPDX-License-Identifier: GPL-2.0 */
/* Links between accounts, and walks over links and records. */
#ifndef _MEMQUOTA_GRAPH_H
#define _MEMQUOTA_GRAPH_H

#include "core.h"

/* One account is the parent of another, until either is closed and reaped. */
struct memquota_link {
	struct memquota_account *parent;
	struct memquota_account *child;
	struct list_head of_parent;	/* in parent->children; accounts.lock */
	struct list_head of_child;	/* in child->parents; accounts.lock */
	u64 down_walk;			/* accounts.lock */
	u64 up_walk;			/* accounts.lock */
	struct rcu_head rcu;
};

void memquota_link_locked(struct memquota_link *link,
			  struct memquota_account *child,
			  struct memquota_account *parent);
void memquota_unlink_locked(struct memquota_link *link);
int memquota_account_link(struct memquota_account *account,
			  struct memquota_account *parent, gfp_t gfp);

u64 memquota_walk_begin(struct memquota_tracker *t);
void memquota_walk_down(struct memquota_account *account,
			struct list_head *accounts);
int memquota_walk_parents(struct memquota_account *account,
			  int (*visit)(struct memquota_account *parent,
				       void *arg),
			  void *arg);
struct memquota_record *memquota_next_record(struct memquota_account *account,
					     struct memquota_record *last);

#endif /* _MEMQUOTA_GRAPH_H */
