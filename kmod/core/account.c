// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts: opening, handles, closing, reaping.
 *
 * Closing is one atomic operation on the account's word, in the context in which
 * the last handle is put. From then on, nothing that its records hold is
 * counted. A worker reaps the account: it removes its records from the index and
 * its links from the graph, one piece at a time. Each call that creates an
 * account or joins reaps two pieces, so that closed accounts cannot pile up.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "graph.h"
#include "record.h"
#include "total.h"
#include "trace.h"

static atomic64_t last_id;

void memquota_accounts_setup(struct memquota_accounts *accounts)
{
	raw_spin_lock_init(&accounts->lock);
	accounts->by_id = RB_ROOT;
	INIT_LIST_HEAD(&accounts->closed);
	INIT_LIST_HEAD(&accounts->trimmers);
}

/*
 * Make a new account visible, with the record that a private one has, and the
 * link to its first parent. Ids only grow, so it becomes the rightmost.
 */
int memquota_account_publish(struct memquota_account *a,
			     struct memquota_account *parent,
			     struct memquota_link *link)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_accounts *accounts = &t->accounts;
	struct memquota_record *r;
	unsigned long flags;
	int err;

	raw_spin_lock_irqsave(&accounts->lock, flags);
	err = memquota_tracker_error(t);
	if (!err && parent)
		err = memquota_account_error(parent);
	if (err)
		goto out;

	a->id = atomic64_inc_return(&last_id);
	if (accounts->newest)
		rb_link_node(&a->node, accounts->newest, &accounts->newest->rb_right);
	else
		rb_link_node(&a->node, NULL, &accounts->by_id.rb_node);
	rb_insert_color(&a->node, &accounts->by_id);
	accounts->newest = &a->node;
	WRITE_ONCE(accounts->nr_open, accounts->nr_open + 1);
	list_for_each_entry(r, &a->records, siblings) {
		WRITE_ONCE(accounts->nr_records, accounts->nr_records + 1);
		WRITE_ONCE(a->nr_records, a->nr_records + 1);
		if (r->ops->trim)
			list_add(&r->trimmers, &accounts->trimmers);
		memquota_record_set_active(r);
	}
	if (parent)
		memquota_link_locked(link, a, parent);
	/* Reclaim may close a private account, and its owner leave, from here on. */
	trace_memquota_account_create(a, parent);
out:
	raw_spin_unlock_irqrestore(&accounts->lock, flags);
	return err;
}

/**
 * memquota_account_create - open an account
 * @t: the tracker; a null or disabled one makes a disabled account
 * @parent: the account with which it is reclaimed, or NULL for none. The handle
 *	of a disabled account is NULL, too
 * @gfp: flags for memquota's own allocations
 * @fmt: printf format of its name, and the arguments
 *
 * The account stays open until its last handle is put, reclaim collapses it,
 * or the tracker is destroyed. It does not keep @parent open.
 *
 * Context: any that @gfp allows. With PREEMPT_RT only while preemption and
 * interrupts are on.
 *
 * Return: a handle; NULL for a disabled account; or an ERR_PTR():
 *
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - @parent is closed
 * * %-EXDEV - @parent is in another tracker
 * * %-ENOMEM - out of memory
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

	memquota_might_alloc(gfp);
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return NULL;
	err = memquota_tracker_error(t);
	if (err)
		return ERR_PTR(err);
	if (parent == &memquota_closed_account)
		return ERR_PTR(-ESTALE);
	if (parent && parent->tracker != t)
		return ERR_PTR(-EXDEV);
	memquota_accounts_reap(&t->accounts, 2);

	a = memquota_account_alloc(t, gfp);
	if (!a)
		return ERR_PTR(-ENOMEM);
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
 * memquota_account_get - take a further handle
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
 * memquota_account_put - drop a handle
 * @a: the account; NULL and error pointers are allowed
 *
 * The account closes with its last handle.
 *
 * Context: any but NMI; never sleeps.
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
 * memquota_account_id - return the weak handle of an account
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

/* Return the account with the lowest id that is not below @id, or NULL. */
static struct memquota_account *account_find_from(struct memquota_tracker *t,
						  u64 id)
{
	struct rb_node *n = t->accounts.by_id.rb_node;
	struct memquota_account *found = NULL;

	lockdep_assert_held(&t->accounts.lock);
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
 * memquota_account_lookup - get a handle from a weak one
 * @t: the tracker; for a null or disabled one it returns a null handle
 * @id: what memquota_account_id() returned
 *
 * Context: any but NMI.
 *
 * Return: a handle, or an ERR_PTR():
 *
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed, or the tracker never had it
 */
struct memquota_account *
memquota_account_lookup(struct memquota_tracker *t, u64 id)
{
	struct memquota_account *a;
	unsigned long flags;
	int err;

	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return NULL;
	raw_spin_lock_irqsave(&t->accounts.lock, flags);
	err = memquota_tracker_error(t);
	a = account_find_from(t, id);
	if (!err && (!a || a->id != id || memquota_account_closed(a) ||
		     !refcount_inc_not_zero(&a->handles)))
		err = -ESTALE;
	raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
	return err ? ERR_PTR(err) : a;
}
EXPORT_SYMBOL_GPL(memquota_account_lookup);

/*
 * Return the first account from @id on, with a reference to its memory, for
 * walks by id. It may be closed. NULL: there is none.
 */
struct memquota_account *memquota_account_next(struct memquota_tracker *t,
					       u64 id)
{
	struct memquota_account *a;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->accounts.lock, flags);
	a = account_find_from(t, id);
	if (a)
		memquota_account_ref(a);
	raw_spin_unlock_irqrestore(&t->accounts.lock, flags);
	return a;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_account_next);

/**
 * memquota_account_set_max - limit what an account's participants hold
 * @a: the account; a null handle is allowed
 * @max: in bytes, or %MEMQUOTA_UNLIMITED
 *
 * A refusable charge that would pass @max is refused, and does not start
 * reclaim. What is held already stays. Descendants of @a are not counted.
 *
 * Context: any but NMI.
 * Return:
 * * 0 - done
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed
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
		WRITE_ONCE(a->limited, true);
	if (READ_ONCE(a->tracker->waitq.nr))
		irq_work_queue(&a->tracker->irq_work);
	return 0;
}
EXPORT_SYMBOL_GPL(memquota_account_set_max);

/**
 * memquota_account_usage - read what an account holds
 * @a: the account; a null handle reads as unlimited
 * @usage: where to store it
 *
 * Context: any but NMI.
 */
void memquota_account_usage(struct memquota_account *a,
			    struct memquota_account_usage *usage)
{
	u64 word;

	*usage = MEMQUOTA_ACCOUNT_USAGE_DISABLED;
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

/* Remove an account that has neither records nor links from the tracker. */
static void account_remove_locked(struct memquota_accounts *accounts,
				  struct memquota_account *a)
{
	lockdep_assert_held(&accounts->lock);
	if (accounts->newest == &a->node)
		accounts->newest = rb_prev(&a->node);
	rb_erase(&a->node, &accounts->by_id);
	list_del_init(&a->closed);
}

static bool account_is_bare(const struct memquota_account *a)
{
	return list_empty(&a->records) && list_empty(&a->parents) &&
	       list_empty(&a->children);
}

/*
 * Close an account: what it holds leaves the total in one step. Return how many
 * bytes that were. Any context but NMI.
 */
u64 memquota_account_close(struct memquota_account *a)
{
	struct memquota_tracker *t = a->tracker;
	struct memquota_accounts *accounts = &t->accounts;
	struct memquota_watch *watch;
	unsigned long flags;
	bool removed;
	u64 old;

	old = atomic64_fetch_or(ACCOUNT_CLOSED, &a->word);
	if (old & ACCOUNT_CLOSED)
		return 0;
	old &= ACCOUNT_USED;
	if (old > READ_ONCE(a->peak))
		WRITE_ONCE(a->peak, old);
	if (old)
		memquota_total_sub(t, old);
	trace_memquota_account_close(a, old);

	memquota_account_ref(a);	/* of accounts->closed */
	raw_spin_lock_irqsave(&accounts->lock, flags);
	WRITE_ONCE(accounts->nr_open, accounts->nr_open - 1);
	list_add_tail(&a->closed, &accounts->closed);
	removed = account_is_bare(a);
	if (removed)
		account_remove_locked(accounts, a);
	raw_spin_unlock_irqrestore(&accounts->lock, flags);
	watch = READ_ONCE(a->watch);
	if (watch)
		memquota_watch_notify(watch);
	if (removed)
		memquota_account_unref(a);
	if (READ_ONCE(t->waitq.nr))
		WRITE_ONCE(t->waitq.wake_all, true);
	if (!removed || READ_ONCE(t->waitq.nr))
		irq_work_queue(&t->irq_work);
	return old;
}

/*
 * Reap one piece of a closed account: a record leaves the account's list and
 * the index, or a link goes. Return whether there was one.
 */
static bool account_reap_piece(struct memquota_accounts *accounts)
{
	struct memquota_account *a, *removed = NULL;
	struct memquota_link *link = NULL;
	struct memquota_record *r = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&accounts->lock, flags);
	a = list_first_entry_or_null(&accounts->closed, struct memquota_account,
				     closed);
	if (!a)
		goto out;
	if (!list_empty(&a->records)) {
		/* It has not left, so it has a reference while the lock is held. */
		r = list_first_entry(&a->records, struct memquota_record,
				     siblings);
		list_del_init(&r->siblings);
		WRITE_ONCE(a->nr_records, a->nr_records - 1);
		list_del_init(&r->trimmers);
		memquota_record_ref(r);
	} else if (!list_empty(&a->children)) {
		link = list_first_entry(&a->children, struct memquota_link,
					of_parent);
		memquota_unlink_locked(link);
	} else if (!list_empty(&a->parents)) {
		link = list_first_entry(&a->parents, struct memquota_link,
					of_child);
		memquota_unlink_locked(link);
	}
	if (account_is_bare(a)) {
		account_remove_locked(accounts, a);
		removed = a;
	}
out:
	raw_spin_unlock_irqrestore(&accounts->lock, flags);
	if (r) {
		memquota_index_remove(r);
		memquota_record_unref(r);
	}
	if (link)
		kfree_rcu(link, rcu);
	if (removed)
		memquota_account_unref(removed);
	return a;
}

void memquota_accounts_reap_some(struct memquota_accounts *accounts,
				 unsigned int pieces)
{
	while (pieces-- && !list_empty_careful(&accounts->closed))
		if (!account_reap_piece(accounts))
			break;
}

/*
 * Close the first account from *@id on, and advance *@id. Return whether there
 * was one.
 */
bool memquota_account_close_next(struct memquota_tracker *t, u64 *id)
{
	struct memquota_account *a = memquota_account_next(t, *id);

	if (!a)
		return false;
	*id = a->id + 1;
	memquota_account_close(a);
	memquota_account_unref(a);
	return true;
}
