// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts: handles, the graph of parents and children, and closing.
 *
 * Closing is one atomic operation on the account's word, in whatever context
 * the last handle goes: from then on what its records hold counts nowhere. To
 * take its records out of the index and its links out of the graph is left to
 * a worker, a piece at a time; whoever creates an account or joins takes two
 * pieces apart, too, so that closed accounts cannot pile up.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "core.h"
#include "trace.h"

/* Entries of a list that are handled before its lock is dropped (R11). */
#define BATCH			64

static struct kmem_cache *account_cache;
static atomic64_t last_id;

struct memquota_account memquota_closed_account = {
	.word = ATOMIC64_INIT(ACCOUNT_CLOSED),
	.max = MEMQUOTA_UNLIMITED,
	.handles = REFCOUNT_INIT(1),
	.refs = REFCOUNT_INIT(1),
	.name = "closed",
};
EXPORT_SYMBOL_GPL(memquota_closed_account);

static void account_free_rcu(struct rcu_head *rcu)
{
	struct memquota_account *a = container_of(rcu, struct memquota_account, rcu);
	struct memquota_tracker *t = a->tracker;

	trace_memquota_account_free(a);
	kfree(a->watch);
	if (a->private)
		memquota_private_free(container_of(a, struct memquota_private,
						   account));
	else
		kmem_cache_free(account_cache, a);
	memquota_tracker_unref(t);
}

/* Any context: freeing is left to RCU, whose callbacks may take any lock. */
void memquota_account_unref(struct memquota_account *a)
{
	if (refcount_dec_and_test(&a->refs))
		call_rcu(&a->rcu, account_free_rcu);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_account_unref);

void memquota_account_init(struct memquota_account *a,
			   struct memquota_tracker *t, bool private)
{
	*a = (struct memquota_account) {
		.max = MEMQUOTA_UNLIMITED,
		.tracker = t,
		.handles = REFCOUNT_INIT(1),
		.refs = REFCOUNT_INIT(1),
		.creator = INVALID_UID,
		.private = private,
	};
	INIT_LIST_HEAD(&a->records);
	INIT_LIST_HEAD(&a->children);
	INIT_LIST_HEAD(&a->parents);
	INIT_LIST_HEAD(&a->dying);
	INIT_LIST_HEAD(&a->waiters);
	memquota_tracker_ref(t);
}

static void link_accounts(struct memquota_link *link,
			  struct memquota_account *child,
			  struct memquota_account *parent)
{
	lockdep_assert_held(&child->tracker->lock);
	link->child = child;
	link->parent = parent;
	link->down_walk = 0;
	link->up_walk = 0;
	list_add(&link->of_parent, &parent->children);
	WRITE_ONCE(parent->nr_children, parent->nr_children + 1);
	list_add(&link->of_child, &child->parents);
}

/*
 * Make a new account known, with what it already has: the record of a private
 * one, the link to its first parent. Ids only grow, so that it comes last.
 */
int memquota_account_publish(struct memquota_account *a,
			     struct memquota_account *parent,
			     struct memquota_link *link)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_record *r;
	unsigned long flags;
	int err;

	raw_spin_lock_irqsave(&t->lock, flags);
	err = memquota_tracker_error(t);
	if (!err && parent)
		err = memquota_account_error(parent);
	if (err)
		goto out;

	a->id = atomic64_inc_return(&last_id);
	if (t->newest)
		rb_link_node(&a->node, t->newest, &t->newest->rb_right);
	else
		rb_link_node(&a->node, NULL, &t->accounts.rb_node);
	rb_insert_color(&a->node, &t->accounts);
	t->newest = &a->node;
	WRITE_ONCE(t->nr_accounts, t->nr_accounts + 1);
	list_for_each_entry(r, &a->records, siblings) {
		WRITE_ONCE(t->nr_records, t->nr_records + 1);
		WRITE_ONCE(a->nr_records, a->nr_records + 1);
		if (r->ops->trim)
			list_add(&r->trimmers, &t->trimmers);
	}
	if (parent)
		link_accounts(link, a, parent);
out:
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (!err)
		trace_memquota_account_create(a, parent);
	return err;
}

/**
 * memquota_account_create - open an account
 * @t: the tracker; a null or disabled one makes a disabled account
 * @parent: with which it is reclaimed, or NULL for none
 * @gfp: for memory of memquota's own
 * @fmt: printf format of the name that people will read, and its arguments
 *
 * The account stays open until its last handle is put, reclaim collapses it,
 * or the tracker is destroyed. It does not keep @parent open.
 *
 * Context: any that @gfp allows.
 *
 * Return: a handle (NULL for a disabled account), or
 * -ESHUTDOWN: the tracker was destroyed;
 * -ENOTRECOVERABLE: it is poisoned;
 * -ESTALE: @parent is closed;
 * -EXDEV: @parent is in another tracker;
 * -ENOMEM: out of memory.
 */
struct memquota_account *
memquota_account_create(struct memquota_tracker *t,
			struct memquota_account *parent, gfp_t gfp,
			const char *fmt, ...)
{
	struct memquota_link *link = NULL;
	struct memquota_account *a;
	va_list args;
	int err;

	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return NULL;
	err = memquota_tracker_error(t);
	if (err)
		return ERR_PTR(err);
	if (parent == &memquota_closed_account)
		return ERR_PTR(-ESTALE);
	if (parent && parent->tracker != t)
		return ERR_PTR(-EXDEV);
	memquota_take_apart(t, 2);

	a = kmem_cache_alloc(account_cache, gfp);
	if (!a)
		return ERR_PTR(-ENOMEM);
	memquota_account_init(a, t, false);
	va_start(args, fmt);
	vscnprintf(a->name, sizeof(a->name), fmt, args);
	va_end(args);
	if (parent) {
		link = kmalloc(sizeof(*link), gfp);
		err = link ? 0 : -ENOMEM;
	}
	if (!err)
		err = memquota_account_publish(a, parent, link);
	if (err) {
		kfree(link);
		memquota_account_unref(a);
		return ERR_PTR(err);
	}
	return a;
}
EXPORT_SYMBOL_GPL(memquota_account_create);

/**
 * memquota_account_get - take another handle
 * @a: an account, closed or not; a null handle is allowed
 *
 * Context: any but NMI.
 * Return: @a.
 */
struct memquota_account *memquota_account_get(struct memquota_account *a)
{
	if (a && a != &memquota_closed_account)
		refcount_inc(&a->handles);
	return a;
}
EXPORT_SYMBOL_GPL(memquota_account_get);

/**
 * memquota_account_put - drop a handle; with the last one the account closes
 * @a: the account; NULL and error pointers are allowed
 *
 * Context: any but NMI; never sleeps, whatever ends with it.
 */
void memquota_account_put(struct memquota_account *a)
{
	if (IS_ERR_OR_NULL(a) || a == &memquota_closed_account ||
	    !refcount_dec_and_test(&a->handles))
		return;
	memquota_account_close(a);
	memquota_account_unref(a);
}
EXPORT_SYMBOL_GPL(memquota_account_put);

/**
 * memquota_account_id - the weak handle of an account
 * @a: the account; a null handle is allowed
 *
 * Context: any.
 * Return: an id that is never used twice; 0 for a disabled account.
 */
u64 memquota_account_id(const struct memquota_account *a)
{
	return a ? a->id : 0;
}
EXPORT_SYMBOL_GPL(memquota_account_id);

/* The open or dying account with the lowest id that is not below @id. */
static struct memquota_account *first_from(struct memquota_tracker *t, u64 id)
{
	struct rb_node *n = t->accounts.rb_node;
	struct memquota_account *found = NULL;

	lockdep_assert_held(&t->lock);
	while (n) {
		struct memquota_account *a =
			rb_entry(n, struct memquota_account, node);

		if (a->id >= id) {
			found = a;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return found;
}

/**
 * memquota_account_lookup - make a handle of a weak one
 * @t: the tracker; for a null or disabled one it gives a null handle
 * @id: what memquota_account_id() returned
 *
 * Context: any but NMI.
 *
 * Return: a handle, or
 * -ESHUTDOWN: the tracker was destroyed;
 * -ENOTRECOVERABLE: it is poisoned;
 * -ESTALE: the account is closed, or never was one of this tracker's.
 */
struct memquota_account *
memquota_account_lookup(struct memquota_tracker *t, u64 id)
{
	struct memquota_account *a;
	unsigned long flags;
	int err;

	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return NULL;
	raw_spin_lock_irqsave(&t->lock, flags);
	err = memquota_tracker_error(t);
	a = first_from(t, id);
	if (!err && (!a || a->id != id || memquota_account_closed(a) ||
		     !refcount_inc_not_zero(&a->handles)))
		err = -ESTALE;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return err ? ERR_PTR(err) : a;
}
EXPORT_SYMBOL_GPL(memquota_account_lookup);

/* For walks by id: the next account from @id on, its memory kept. */
struct memquota_account *memquota_account_next(struct memquota_tracker *t,
					       u64 id)
{
	struct memquota_account *a;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	a = first_from(t, id);
	if (a)
		memquota_account_ref(a);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return a;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_account_next);

/*
 * Go through an account's records, a batch at a time. @visit is called with the
 * tracker's lock held; it marks a record, or returns false where it has marked
 * it before. A record that was visited moves to the tail, so that the walk
 * finds its place again after dropping the lock, whatever was added (at the
 * head) or removed meanwhile.
 */
void memquota_walk_records(struct memquota_account *a,
			   bool (*visit)(struct memquota_record *r, void *arg),
			   void *arg)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_record *r;
	unsigned long flags;
	unsigned int n;

	do {
		raw_spin_lock_irqsave(&t->lock, flags);
		for (n = 0; n < BATCH; n++) {
			r = list_first_entry_or_null(&a->records,
						     struct memquota_record,
						     siblings);
			if (!r || !visit(r, arg))
				break;
			list_move_tail(&r->siblings, &a->records);
		}
		raw_spin_unlock_irqrestore(&t->lock, flags);
	} while (n == BATCH);
}

/*
 * Find all descendants of an account. Lists of links are walked as those of
 * records are, marked with the walk's number. The accounts, the first one among
 * them, end up on @accounts, each with its memory kept.
 */
void memquota_walk_down(struct memquota_account *first,
			struct list_head *accounts)
{
	struct memquota_tracker *t = first->tracker;
	struct memquota_account *a = first;
	struct memquota_link *link;
	unsigned long flags;
	unsigned int n;
	bool more;
	u64 walk;

	raw_spin_lock_irqsave(&t->lock, flags);
	walk = ++t->walk;
	a->down_walk = walk;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	memquota_account_ref(a);
	list_add_tail(&a->down, accounts);

	list_for_each_entry(a, accounts, down) {
		do {
			more = false;
			raw_spin_lock_irqsave(&t->lock, flags);
			for (n = 0; !list_empty(&a->children); n++) {
				link = list_first_entry(&a->children,
							struct memquota_link,
							of_parent);
				if (link->down_walk == walk)
					break;
				if (n == BATCH) {
					more = true;
					break;
				}
				link->down_walk = walk;
				list_move_tail(&link->of_parent, &a->children);
				if (link->child->down_walk == walk ||
				    memquota_account_closed(link->child))
					continue;
				link->child->down_walk = walk;
				memquota_account_ref(link->child);
				list_add_tail(&link->child->down, accounts);
			}
			raw_spin_unlock_irqrestore(&t->lock, flags);
		} while (more);
	}
}

/* The next parent that the walk has not come by, its memory kept. */
static struct memquota_account *next_parent(struct memquota_account *a,
					    u64 walk)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_account *parent = NULL;
	struct memquota_link *link;
	unsigned long flags;

	lockdep_assert_held(&t->graph_lock);
	raw_spin_lock_irqsave(&t->lock, flags);
	link = list_first_entry_or_null(&a->parents, struct memquota_link,
					of_child);
	if (link && link->up_walk != walk) {
		link->up_walk = walk;
		list_move_tail(&link->of_child, &a->parents);
		parent = link->parent;
		memquota_account_ref(parent);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return parent;
}

static u64 new_walk(struct memquota_tracker *t)
{
	unsigned long flags;
	u64 walk;

	raw_spin_lock_irqsave(&t->lock, flags);
	walk = ++t->walk;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return walk;
}

/*
 * For walks over an account's records that change nothing: the record after
 * @last, pinned; @last is let go of. The end of the list is wherever reclaim has
 * turned it to, and is stepped over, so that nr_records steps come by each
 * record once, unless some join or leave meanwhile. After one that has left, it
 * begins anew.
 */
struct memquota_record *memquota_next_record(struct memquota_account *a,
					     struct memquota_record *last)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_record *next = NULL;
	struct list_head *at = &a->records;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	if (last && !list_empty(&last->siblings))
		at = &last->siblings;
	at = at->next == &a->records ? a->records.next : at->next;
	if (at != &a->records) {
		next = list_entry(at, struct memquota_record, siblings);
		memquota_record_ref(next);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (last)
		memquota_record_unref(last);
	return next;
}

/* Whether @wanted is @first or one of its ancestors; graph_lock is held. */
static bool has_ancestor(struct memquota_account *first,
			 struct memquota_account *wanted)
{
	struct memquota_account *a, *next;
	u64 walk = new_walk(first->tracker);
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
		while ((next = next_parent(a, walk))) {
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
 * Call @visit for each open parent, in any order, until it returns an error,
 * which is returned. It is called under graph_lock, and may sleep.
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
	walk = new_walk(t);
	mutex_lock(&t->graph_lock);
	while (!err && (parent = next_parent(a, walk))) {
		if (!memquota_account_closed(parent))
			err = visit(parent, arg);
		memquota_account_unref(parent);
		cond_resched();
	}
	mutex_unlock(&t->graph_lock);
	return err;
}

/* Whether @parent is one already; graph_lock keeps others from adding it. */
static bool has_parent(struct memquota_account *a,
		       struct memquota_account *parent)
{
	u64 walk = new_walk(a->tracker);
	struct memquota_account *other;
	bool found = false;

	while (!found && (other = next_parent(a, walk))) {
		found = other == parent;
		memquota_account_unref(other);
	}
	return found;
}

/**
 * memquota_account_add_parent - let an account be reclaimed with another, too
 * @a: the account; for a disabled one everything succeeds
 * @parent: the further parent
 *
 * Context: may sleep.
 *
 * Return: 0, or
 * -EINVAL: @parent is disabled and @a is not;
 * -EXDEV: @parent is in another tracker;
 * -ESHUTDOWN, -ENOTRECOVERABLE: the tracker was destroyed, or is poisoned;
 * -ESTALE: @a or @parent is closed;
 * -ELOOP: @a is @parent or one of its ancestors;
 * -EEXIST: @parent is a parent already;
 * -ENOMEM: out of memory.
 */
int memquota_account_add_parent(struct memquota_account *a,
				struct memquota_account *parent)
{
	return memquota_account_link(a, parent, GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(memquota_account_add_parent);

/* As above, with memory for somebody else to pay. */
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
	link = kmalloc(sizeof(*link), gfp);
	if (!link)
		return -ENOMEM;

	mutex_lock(&t->graph_lock);
	err = memquota_account_error(a) ?: memquota_account_error(parent);
	if (!err && has_ancestor(parent, a))
		err = -ELOOP;
	if (!err && has_parent(a, parent))
		err = -EEXIST;
	if (!err) {
		raw_spin_lock_irqsave(&t->lock, flags);
		err = memquota_account_error(a) ?: memquota_account_error(parent);
		if (!err)
			link_accounts(link, a, parent);
		raw_spin_unlock_irqrestore(&t->lock, flags);
	}
	mutex_unlock(&t->graph_lock);
	if (err)
		kfree(link);
	return err;
}

/**
 * memquota_account_set_max - limit what an account's own participants hold
 * @a: the account; a null handle is allowed
 * @max: in bytes, or %MEMQUOTA_UNLIMITED
 *
 * A charge that would pass it is refused; reclaim is not started. What is held
 * already stays.
 *
 * Context: any but NMI.
 * Return: 0, or -ESHUTDOWN, -ENOTRECOVERABLE or -ESTALE as the account's state
 * is.
 */
int memquota_account_set_max(struct memquota_account *a, u64 max)
{
	int err;

	if (!a)
		return 0;
	if (a == &memquota_closed_account)
		return -ESTALE;
	err = memquota_account_error(a);
	if (err)
		return err;
	WRITE_ONCE(a->max, max);
	if (max != MEMQUOTA_UNLIMITED)
		WRITE_ONCE(a->special, true);
	if (READ_ONCE(a->tracker->waiting))
		irq_work_queue(&a->tracker->irq_work);
	return 0;
}
EXPORT_SYMBOL_GPL(memquota_account_set_max);

/**
 * memquota_account_usage - what an account holds
 * @a: the account; a null handle reads as unlimited
 * @usage: where to say it
 *
 * Context: any but NMI.
 */
void memquota_account_usage(struct memquota_account *a,
			    struct memquota_account_usage *usage)
{
	u64 word;

	*usage = (struct memquota_account_usage) {
		.held = MEMQUOTA_UNLIMITED,
		.peak = MEMQUOTA_UNLIMITED,
		.max = MEMQUOTA_UNLIMITED,
	};
	if (!a)
		return;
	word = atomic64_read(&a->word);
	usage->closed = word & ACCOUNT_CLOSED;
	usage->held = usage->closed ? 0 : word & ACCOUNT_USED;
	usage->peak = max(READ_ONCE(a->peak), usage->held);
	usage->max = READ_ONCE(a->max);
	usage->refused = atomic64_read(&a->refused);
	usage->reclaims = atomic64_read(&a->reclaims);
	if (!usage->closed) {
		usage->participants = READ_ONCE(a->nr_records);
		usage->children = READ_ONCE(a->nr_children);
	}
}
EXPORT_SYMBOL_GPL(memquota_account_usage);

/* Forget an account that has been taken apart. */
static void bury(struct memquota_tracker *t, struct memquota_account *a)
{
	lockdep_assert_held(&t->lock);
	if (t->newest == &a->node)
		t->newest = rb_prev(&a->node);
	rb_erase(&a->node, &t->accounts);
	list_del_init(&a->dying);
}

/*
 * Close an account: what it holds leaves the total in one step. Returns how
 * much that was. Any context but NMI.
 */
u64 memquota_account_close(struct memquota_account *a)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_watch *watch;
	bool buried = false;
	unsigned long flags;
	u64 old;

	old = atomic64_fetch_or(ACCOUNT_CLOSED, &a->word);
	if (old & ACCOUNT_CLOSED)
		return 0;
	if (old > READ_ONCE(a->peak))
		WRITE_ONCE(a->peak, old);
	if (old & ACCOUNT_USED)
		memquota_total_sub(t, old & ACCOUNT_USED);
	trace_memquota_account_close(a, old);

	memquota_account_ref(a);	/* of the list of the dying */
	raw_spin_lock_irqsave(&t->lock, flags);
	WRITE_ONCE(t->nr_accounts, t->nr_accounts - 1);
	list_add_tail(&a->dying, &t->dying);
	if (list_empty(&a->records) && list_empty(&a->parents) &&
	    list_empty(&a->children)) {
		bury(t, a);
		buried = true;
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	watch = READ_ONCE(a->watch);
	if (watch)
		memquota_watch_notify(watch);
	if (buried)
		memquota_account_unref(a);
	if (READ_ONCE(t->waiting))
		WRITE_ONCE(t->wake_everyone, true);
	if (!buried || READ_ONCE(t->waiting))
		irq_work_queue(&t->irq_work);
	return old & ACCOUNT_USED;
}

static void unlink_accounts(struct memquota_link *link)
{
	list_del(&link->of_parent);
	WRITE_ONCE(link->parent->nr_children, link->parent->nr_children - 1);
	list_del(&link->of_child);
}

/*
 * Take one piece of a closed account apart: a record leaves the account's list
 * and the index, or a link goes. Returns whether there was one.
 */
static bool take_piece(struct memquota_tracker *t)
{
	struct memquota_account *a, *done = NULL;
	struct memquota_link *link = NULL;
	struct memquota_record *r = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	a = list_first_entry_or_null(&t->dying, struct memquota_account, dying);
	if (!a)
		goto out;
	if (!list_empty(&a->records)) {
		/* Not left yet, hence pinned while the lock is held. */
		r = list_first_entry(&a->records, struct memquota_record,
				     siblings);
		list_del_init(&r->siblings);
		WRITE_ONCE(a->nr_records, a->nr_records - 1);
		list_del_init(&r->trimmers);
		memquota_record_ref(r);
	} else if (!list_empty(&a->children)) {
		link = list_first_entry(&a->children, struct memquota_link,
					of_parent);
		unlink_accounts(link);
	} else if (!list_empty(&a->parents)) {
		link = list_first_entry(&a->parents, struct memquota_link,
					of_child);
		unlink_accounts(link);
	}
	if (list_empty(&a->records) && list_empty(&a->children) &&
	    list_empty(&a->parents)) {
		bury(t, a);
		done = a;
	}
out:
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (r) {
		memquota_index_remove(r);
		memquota_record_unref(r);
	}
	if (link)
		kfree_rcu(link, rcu);
	if (done)
		memquota_account_unref(done);
	return a;
}

void memquota_take_pieces(struct memquota_tracker *t, unsigned int pieces)
{
	while (pieces-- && !list_empty_careful(&t->dying))
		if (!take_piece(t))
			break;
}

/* Close one account of a tracker that is being destroyed. */
bool memquota_close_next(struct memquota_tracker *t, u64 *id)
{
	struct memquota_account *a = memquota_account_next(t, *id);

	if (!a)
		return false;
	*id = a->id + 1;
	memquota_account_close(a);
	memquota_account_unref(a);
	return true;
}

int memquota_accounts_init(void)
{
	account_cache = KMEM_CACHE(memquota_account, 0);
	return account_cache ? 0 : -ENOMEM;
}

void memquota_accounts_exit(void)
{
	kmem_cache_destroy(account_cache);
}
