// SPDX-License-Identifier: GPL-2.0
/*
 * The graph of accounts: links from parents to children, and walks.
 *
 * A walk over links drops the lock after MEMQUOTA_BATCH entries (rule R11). It
 * marks each entry with its number and moves it to the tail. New entries are
 * added at the head. So whatever was added or removed while the lock was not
 * held, the first entry without the mark is where the walk goes on, and a
 * marked first entry is its end.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "graph.h"
#include "record.h"

void memquota_link_locked(struct memquota_link *link,
			  struct memquota_account *child,
			  struct memquota_account *parent)
{
	lockdep_assert_held(&child->tracker->accounts.lock);
	link->child = child;
	link->parent = parent;
	link->down_walk = 0;
	link->up_walk = 0;
	list_add(&link->of_parent, &parent->children);
	WRITE_ONCE(parent->nr_children, parent->nr_children + 1);
	list_add(&link->of_child, &child->parents);
}

void memquota_unlink_locked(struct memquota_link *link)
{
	lockdep_assert_held(&link->child->tracker->accounts.lock);
	list_del(&link->of_parent);
	WRITE_ONCE(link->parent->nr_children, link->parent->nr_children - 1);
	list_del(&link->of_child);
}

/* Return the number of a new walk. */
u64 memquota_walk_begin(struct memquota_tracker *t)
{
	unsigned long flags;
	u64 walk;

	raw_spin_lock_irqsave(&t->accounts.lock, flags);
	walk = ++t->accounts.walk;
	raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
	return walk;
}

/* Add to @accounts the children of @a that the walk has not met. */
static void walk_children(struct memquota_account *a, u64 walk,
			  struct list_head *accounts)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_link *link;
	unsigned long flags;
	unsigned int n;

	do {
		raw_spin_lock_irqsave(&t->accounts.lock, flags);
		for (n = 0; n < MEMQUOTA_BATCH; n++) {
			link = list_first_entry_or_null(&a->children,
							struct memquota_link,
							of_parent);
			if (!link || link->down_walk == walk)
				break;
			link->down_walk = walk;
			list_move_tail(&link->of_parent, &a->children);
			if (link->child->down_walk == walk ||
			    memquota_account_closed(link->child))
				continue;
			link->child->down_walk = walk;
			memquota_account_ref(link->child);
			list_add_tail(&link->child->down, accounts);
		}
		raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
		cond_resched();
	} while (n == MEMQUOTA_BATCH);
}

/*
 * Collect an account and all its descendants on @accounts, each with a
 * reference to its memory. For the worker.
 */
void memquota_walk_down(struct memquota_account *first,
			struct list_head *accounts)
{
	struct memquota_tracker *t = first->tracker;
	struct memquota_account *a;
	unsigned long flags;
	u64 walk;

	raw_spin_lock_irqsave(&t->accounts.lock, flags);
	walk = ++t->accounts.walk;
	first->down_walk = walk;
	raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
	memquota_account_ref(first);
	list_add_tail(&first->down, accounts);

	list_for_each_entry(a, accounts, down)
		walk_children(a, walk, accounts);
}

/*
 * Return the next parent that the walk has not visited, with a reference to its
 * memory, or NULL.
 */
static struct memquota_account *walk_next_parent(struct memquota_account *a,
						 u64 walk)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_account *parent = NULL;
	struct memquota_link *link;
	unsigned long flags;

	lockdep_assert_held(&t->graph_lock);
	raw_spin_lock_irqsave(&t->accounts.lock, flags);
	link = list_first_entry_or_null(&a->parents, struct memquota_link,
					of_child);
	if (link && link->up_walk != walk) {
		link->up_walk = walk;
		list_move_tail(&link->of_child, &a->parents);
		parent = link->parent;
		memquota_account_ref(parent);
	}
	raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
	return parent;
}

/*
 * Return the record after @last, with a reference, for a walk that moves no
 * entries; the reference to @last is dropped. It steps over the end of the list:
 * nr_records calls visit each record once unless participants join or leave
 * meanwhile. After a record that has left the
 * walk begins anew.
 */
struct memquota_record *memquota_next_record(struct memquota_account *a,
					     struct memquota_record *last)
{
	struct memquota_record *next = NULL;
	struct list_head *at = &a->records;
	unsigned long flags;

	raw_spin_lock_irqsave(&a->home->lock, flags);
	if (last && !list_empty(&last->siblings))
		at = &last->siblings;
	at = at->next == &a->records ? a->records.next : at->next;
	if (at != &a->records) {
		next = list_entry(at, struct memquota_record, siblings);
		memquota_record_ref(next);
	}
	raw_spin_unlock_irqrestore(&a->home->lock, flags);
	if (last)
		memquota_record_unref(last);
	return next;
}

/* Return whether @wanted is @first or one of its ancestors. */
static bool account_has_ancestor(struct memquota_account *first,
				 struct memquota_account *wanted)
{
	struct memquota_account *a, *next;
	u64 walk = memquota_walk_begin(first->tracker);
	LIST_HEAD(accounts);
	bool found = false;

	lockdep_assert_held(&first->tracker->graph_lock);
	first->up_walk = walk;
	memquota_account_ref(first);
	list_add_tail(&first->up, &accounts);
	list_for_each_entry(a, &accounts, up) {
		if (a == wanted) {
			found = true;
			break;
		}
		while ((next = walk_next_parent(a, walk))) {
			if (next->up_walk == walk ||
			    memquota_account_closed(next)) {
				memquota_account_unref(next);
				continue;
			}
			next->up_walk = walk;
			list_add_tail(&next->up, &accounts);
		}
		cond_resched();
	}
	list_for_each_entry_safe(a, next, &accounts, up)
		memquota_account_unref(a);
	return found;
}

/*
 * Call @visit for each open parent, in any order, until it returns an error;
 * return that. @visit is called under graph_lock, and may sleep.
 */
int memquota_walk_parents(struct memquota_account *a,
			  int (*visit)(struct memquota_account *parent,
				       void *arg),
			  void *arg)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_account *parent;
	int err = 0;
	u64 walk;

	if (list_empty(&a->parents))
		return 0;
	walk = memquota_walk_begin(t);
	mutex_lock(&t->graph_lock);
	while (!err && (parent = walk_next_parent(a, walk))) {
		if (!memquota_account_closed(parent))
			err = visit(parent, arg);
		memquota_account_unref(parent);
		cond_resched();
	}
	mutex_unlock(&t->graph_lock);
	return err;
}

/* Return whether @a has the parent. */
static bool account_has_parent(struct memquota_account *a,
			       struct memquota_account *parent)
{
	u64 walk = memquota_walk_begin(a->tracker);
	struct memquota_account *other;
	bool found = false;

	while (!found && (other = walk_next_parent(a, walk))) {
		found = other == parent;
		memquota_account_unref(other);
	}
	return found;
}

/**
 * memquota_account_add_parent - add a parent with which an account is reclaimed
 * @a: the account; for a disabled one the call succeeds and does nothing
 * @parent: the further parent
 *
 * Neither account keeps the other open.
 *
 * Context: may sleep.
 * Return:
 * * 0 - done
 * * %-EINVAL - @parent is disabled and @a is not, or either account is private
 *   to a participant
 * * %-EXDEV - @parent is in another tracker
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - @a or @parent is closed
 * * %-ELOOP - @a is @parent or one of its ancestors
 * * %-EEXIST - @parent is a parent of @a already
 * * %-ENOMEM - out of memory
 */
int memquota_account_add_parent(struct memquota_account *a,
				struct memquota_account *parent)
{
	return memquota_account_link(a, parent, GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(memquota_account_add_parent);

/* memquota_account_add_parent() with the flags of its allocation. */
int memquota_account_link(struct memquota_account *a,
			  struct memquota_account *parent, gfp_t gfp)
{
	struct memquota_tracker *t;
	struct memquota_link *link;
	unsigned long flags;
	int err;

	might_sleep();
	if (!a)
		return 0;
	if (!parent)
		return -EINVAL;
	if (a == &memquota_closed_account || parent == &memquota_closed_account)
		return -ESTALE;
	t = a->tracker;
	if (parent->tracker != t)
		return -EXDEV;
	if (a->private || parent->private)
		return -EINVAL;
	link = kmalloc(sizeof(*link), gfp);
	if (!link)
		return -ENOMEM;

	mutex_lock(&t->graph_lock);
	err = memquota_account_error(a) ?: memquota_account_error(parent);
	if (!err && account_has_ancestor(parent, a))
		err = -ELOOP;
	if (!err && account_has_parent(a, parent))
		err = -EEXIST;
	if (!err) {
		raw_spin_lock_irqsave(&t->accounts.lock, flags);
		err = memquota_account_error(a) ?: memquota_account_error(parent);
		if (!err)
			memquota_link_locked(link, a, parent);
		raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
	}
	mutex_unlock(&t->graph_lock);
	if (err)
		kfree(link);
	return err;
}
