// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts: opening, handles, closing, reaping.
 *
 * Closing sets a bit of the account's word, in the context in which the last
 * handle is put, and of the words of up to MEMQUOTA_BATCH of its records: what
 * these hold leaves the total. A worker reaps the account: it sets that bit of
 * the other records' words, and removes the records from the index and the links
 * from the graph, one piece at a time. Reclaim has all records of closed accounts
 * reaped before it chooses a victim, so it takes nothing for what is about to
 * leave the total. Each call that creates an account or joins reaps two pieces, so
 * that closed accounts cannot pile up.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "graph.h"
#include "record.h"
#include "sum.h"
#include "total.h"
#include "trace.h"

/* Ids that a CPU takes at once for private accounts. */
#define ID_BLOCK		256

static atomic64_t last_id;
static DEFINE_PER_CPU_ALIGNED(struct memquota_accounts, private_accounts);

void memquota_accounts_setup(struct memquota_accounts *accounts)
{
	raw_spin_lock_init(&accounts->lock);
	accounts->by_id = RB_ROOT;
	INIT_LIST_HEAD(&accounts->closed);
	INIT_LIST_HEAD(&accounts->trimmers);
	accounts->cpu = -1;
}

/* Let the default tracker, before it is that, have private accounts. */
void memquota_accounts_setup_private(struct memquota_tracker *t)
{
	struct memquota_accounts *home;
	int cpu;

	for_each_possible_cpu(cpu) {
		home = per_cpu_ptr(&private_accounts, cpu);
		memquota_accounts_setup(home);
		home->cpu = cpu;
	}
	/* Pairs with memquota_home_next(), which may run for debugfs. */
	smp_store_release(&t->private_accounts, &private_accounts);
}

/* Return the home after @home of a tracker's accounts; t->accounts is the first. */
struct memquota_accounts *memquota_home_next(struct memquota_tracker *t,
					     const struct memquota_accounts *home)
{
	struct memquota_accounts __percpu *homes;
	unsigned int cpu;

	homes = READ_ONCE(t->private_accounts);
	if (!homes)
		return NULL;
	cpu = cpumask_next(home->cpu, cpu_possible_mask);
	return cpu < nr_cpu_ids ? per_cpu_ptr(homes, cpu) : NULL;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_home_next);

/* Count a tracker's open accounts, and the participants that have not left. */
void memquota_accounts_count(struct memquota_tracker *t, u64 *open,
			     u64 *records)
{
	struct memquota_accounts *home;

	*open = 0;
	*records = 0;
	for (home = &t->accounts; home; home = memquota_home_next(t, home)) {
		*open += READ_ONCE(home->nr_open);
		*records += READ_ONCE(home->nr_records);
	}
}

/*
 * Return an id that was never used, above all that accounts of the same home
 * have.
 */
static u64 account_new_id_locked(struct memquota_account *a)
{
	struct memquota_accounts *home = a->home;

	lockdep_assert_held(&home->lock);
	if (!a->private)
		return atomic64_inc_return(&last_id);
	if (!home->ids_left) {
		home->ids_left = ID_BLOCK;
		home->next_id = atomic64_fetch_add(ID_BLOCK, &last_id) + 1;
	}
	home->ids_left--;
	return home->next_id++;
}

/*
 * Make a new account visible, with @r, the record that a private one has, and the
 * link to its first parent. Its id is the highest, so it becomes the rightmost.
 */
int memquota_account_publish(struct memquota_account *a,
			     struct memquota_record *r,
			     struct memquota_account *parent,
			     struct memquota_link *link)
{
	struct memquota_accounts *home = a->home;
	unsigned long flags;
	int err;

	raw_spin_lock_irqsave(&home->lock, flags);
	err = memquota_tracker_error(a->tracker);
	if (!err && parent)
		err = memquota_account_error(parent);
	if (err)
		goto out;

	a->id = account_new_id_locked(a);
	if (home->newest)
		rb_link_node(&a->node, home->newest, &home->newest->rb_right);
	else
		rb_link_node(&a->node, NULL, &home->by_id.rb_node);
	rb_insert_color(&a->node, &home->by_id);
	home->newest = &a->node;
	WRITE_ONCE(home->nr_open, home->nr_open + 1);
	if (r) {
		WRITE_ONCE(home->nr_records, home->nr_records + 1);
		memquota_record_enlist_locked(r);
		if (r->ops->trim)
			list_add(&r->trimmers, &home->trimmers);
		memquota_record_set_active(r);
	}
	if (parent)
		memquota_link_locked(link, a, parent);
	/* Reclaim may close a private account, and its owner leave, from here on. */
	trace_memquota_account_create(a, parent);
out:
	raw_spin_unlock_irqrestore(&home->lock, flags);
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
 * * %-EINVAL - @parent is private to a participant
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
	if (parent && parent->private)
		return ERR_PTR(-EINVAL);
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
		err = memquota_account_publish(a, NULL, parent, link);
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
 * The account closes with its last handle. What up to 64 of its participants
 * hold leaves the total before this function returns. A worker closes the
 * others soon after: charges on them may succeed until then, and leave the
 * total with them.
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

/* Return the account of a home with the lowest id from @id on, or NULL. */
static struct memquota_account *
account_find_locked(struct memquota_accounts *home, u64 id)
{
	struct rb_node *n = home->by_id.rb_node;
	struct memquota_account *found = NULL;

	lockdep_assert_held(&home->lock);
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
	struct memquota_account *a, *found = NULL;
	struct memquota_accounts *home;
	unsigned long flags;
	int err;

	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return NULL;
	err = memquota_tracker_error(t);
	if (err)
		return ERR_PTR(err);
	for (home = &t->accounts; home; home = memquota_home_next(t, home)) {
		raw_spin_lock_irqsave(&home->lock, flags);
		a = account_find_locked(home, id);
		if (a && a->id == id && !memquota_account_closed(a) &&
		    refcount_inc_not_zero(&a->handles))
			found = a;
		raw_spin_unlock_irqrestore(&home->lock, flags);
		if (found)
			return found;
	}
	return ERR_PTR(-ESTALE);
}
EXPORT_SYMBOL_GPL(memquota_account_lookup);

/*
 * Return the first account from @id on, with a reference to its memory, for
 * walks by id. It may be closed. NULL: there is none.
 *
 * The ids of a home grow, those of different homes overlap. So an account that
 * is created during a walk may get an id that the walk has passed. Once the
 * tracker is gone, a walk from 0 meets all accounts: its first step takes the
 * lock of each home, after which none is published there.
 */
struct memquota_account *memquota_account_next(struct memquota_tracker *t,
					       u64 id)
{
	struct memquota_account *a, *other, *first = NULL;
	struct memquota_accounts *home;
	unsigned long flags;

	for (home = &t->accounts; home; home = memquota_home_next(t, home)) {
		other = NULL;
		raw_spin_lock_irqsave(&home->lock, flags);
		a = account_find_locked(home, id);
		if (a && (!first || a->id < first->id)) {
			memquota_account_ref(a);
			other = first;
			first = a;
		}
		raw_spin_unlock_irqrestore(&home->lock, flags);
		if (other)
			memquota_account_unref(other);
	}
	return first;
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
 * An account that has had a limit keeps a counter, also when @max becomes
 * %MEMQUOTA_UNLIMITED again. Charges that no slot serves then cost more: they
 * change that counter, which all participants of @a share. The first limit
 * takes time in proportion to the number of participants.
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
	/* First, so that @max is compared with all that the account holds. */
	if (max != MEMQUOTA_UNLIMITED)
		memquota_account_count(a);
	/* A task that @max refuses must find that charges take the slow way. */
	smp_store_release(&a->max, max);
	/* Pairs with set_current_state() in waiter_wait(). */
	smp_mb();
	memquota_account_notify_waiters(a, true);
	return 0;
}
EXPORT_SYMBOL_GPL(memquota_account_set_max);

/**
 * memquota_account_usage - read what an account holds
 * @a: the account; a null handle reads as unlimited
 * @usage: where to store it
 *
 * Adds up what the participants of @a hold, in time proportional to their
 * number, unless the account has had a limit or a threshold and so has a
 * counter.
 *
 * Context: any but NMI.
 */
void memquota_account_usage(struct memquota_account *a,
			    struct memquota_account_usage *usage)
{
	*usage = MEMQUOTA_ACCOUNT_USAGE_DISABLED;
	if (!a)
		return;
	usage->closed = memquota_account_closed(a);
	usage->held = memquota_account_held(a);
	if (usage->held > READ_ONCE(a->peak))
		WRITE_ONCE(a->peak, usage->held);
	usage->peak = READ_ONCE(a->peak);
	usage->max = READ_ONCE(a->max);
	usage->refused = atomic64_read(&a->refused);
	usage->reclaims = atomic64_read(&a->reclaims);
	if (!usage->closed) {
		usage->participants = READ_ONCE(a->nr_records);
		usage->children = READ_ONCE(a->nr_children);
	}
}
EXPORT_SYMBOL_GPL(memquota_account_usage);

/* Remove an account that has neither records nor links from its home. */
static void account_remove_locked(struct memquota_account *a)
{
	struct memquota_accounts *home = a->home;

	lockdep_assert_held(&home->lock);
	if (home->newest == &a->node)
		home->newest = rb_prev(&a->node);
	rb_erase(&a->node, &home->by_id);
}

static bool account_is_bare(const struct memquota_account *a)
{
	return list_empty(&a->records) && list_empty(&a->parents) &&
	       list_empty(&a->children);
}

/* Return whether the caller is the one that closes the account. */
static __always_inline bool account_set_closed(struct memquota_account *a)
{
	u64 old = atomic64_fetch_or(ACCOUNT_CLOSED | ACCOUNT_SPECIAL, &a->word);

	if (old & ACCOUNT_CLOSED)
		return false;
	if ((old & ACCOUNT_USED) > READ_ONCE(a->peak))
		WRITE_ONCE(a->peak, old & ACCOUNT_USED);
	return true;
}

/*
 * Mark a record of a closed account: what it holds leaves the total. Return how
 * many bytes that are. Interrupts are off.
 */
static u64 record_set_closed(struct memquota_record *r)
{
	u64 old = atomic64_fetch_or(RECORD_CLOSED | RECORD_SLOW, &r->word);
	u64 used = old & RECORD_ENDED ? 0 : memquota_word_used(old);

	if (used)
		memquota_total_sub(r->tracker, used);
	return used;
}

static void record_visit_close(struct memquota_record *r, void *sum)
{
	*(u64 *)sum += record_set_closed(r);
}

/*
 * Remove a closed account from its home, or leave that to the reaper. Return
 * whether it was removed.
 */
static __always_inline bool account_remove_closed_locked(struct memquota_account *a)
{
	struct memquota_accounts *home = a->home;

	lockdep_assert_held(&home->lock);
	WRITE_ONCE(home->nr_open, home->nr_open - 1);
	if (account_is_bare(a)) {
		account_remove_locked(a);
		return true;
	}
	memquota_account_ref(a);
	list_add_tail(&a->closed, &home->closed);
	/* Pairs with the exchange in tracker_reap(). */
	smp_store_release(&a->tracker->has_closed, true);
	return false;
}

/* Wake what waits for a closed account. @removed: not the reaper. */
static void account_notify_closed(struct memquota_account *a, bool removed)
{
	struct memquota_watch *watch = READ_ONCE(a->watch);
	struct memquota_tracker *t = a->tracker;

	if (watch)
		memquota_watch_notify(watch);
	/* Pairs with set_current_state() in waiter_wait(). */
	memquota_account_notify_waiters(a, true);
	if (!removed)
		irq_work_queue(&t->irq_work);
}

/*
 * Close an account. The caller has a reference. The reaper closes the records
 * beyond the first MEMQUOTA_BATCH. Any context but NMI.
 */
void memquota_account_close(struct memquota_account *a)
{
	struct memquota_record *r;
	unsigned int n = 0;
	unsigned long flags;
	u64 bytes = 0;
	bool removed;

	if (!account_set_closed(a))
		return;
	raw_spin_lock_irqsave(&a->home->lock, flags);
	list_for_each_entry(r, &a->records, siblings) {
		if (++n > MEMQUOTA_BATCH)
			break;
		bytes += record_set_closed(r);
	}
	removed = account_remove_closed_locked(a);
	raw_spin_unlock_irqrestore(&a->home->lock, flags);
	trace_memquota_account_close(a, bytes);
	account_notify_closed(a, removed);
}

/*
 * Close an account and all its records. The caller has a reference. Return how
 * many bytes they held. May sleep.
 */
u64 memquota_account_close_whole(struct memquota_account *a)
{
	unsigned long flags;
	u64 bytes = 0;
	bool removed;

	if (!account_set_closed(a))
		return 0;
	memquota_walk_records(a, record_visit_close, &bytes, true);
	raw_spin_lock_irqsave(&a->home->lock, flags);
	removed = account_remove_closed_locked(a);
	raw_spin_unlock_irqrestore(&a->home->lock, flags);
	trace_memquota_account_close(a, bytes);
	account_notify_closed(a, removed);
	return bytes;
}

/*
 * Remove a record that has left from its account. The owner of a private account
 * has had a handle to it, which is put. If that was the last one, the account
 * closes and is removed with the record, so that the lock is taken once.
 */
void memquota_account_remove_record(struct memquota_record *r)
{
	struct memquota_account *a = r->account;
	struct memquota_accounts *home = a->home;
	bool last, closing, removed = false;
	unsigned long flags;

	last = READ_ONCE(r->flags) & RECORD_PRIVATE &&
	       refcount_dec_and_test(&a->handles);
	closing = last && account_set_closed(a);

	raw_spin_lock_irqsave(&home->lock, flags);
	memquota_record_delist_locked(r);
	if (unlikely(!list_empty(&r->trimmers)))
		list_del_init(&r->trimmers);
	WRITE_ONCE(home->nr_records, home->nr_records - 1);
	if (closing)
		removed = account_remove_closed_locked(a);
	raw_spin_unlock_irqrestore(&home->lock, flags);

	if (closing) {
		/* The record has left. */
		trace_memquota_account_close(a, 0);
		account_notify_closed(a, removed);
	}
	if (last)
		memquota_account_unref(a);
}

/*
 * Reap one piece of a closed account: a record leaves the account's list and
 * the index, or a link goes. Return whether there was one.
 */
static bool account_reap_piece(struct memquota_accounts *home)
{
	struct memquota_account *a, *removed = NULL;
	struct memquota_link *link = NULL;
	struct memquota_record *r = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&home->lock, flags);
	a = list_first_entry_or_null(&home->closed, struct memquota_account,
				     closed);
	if (!a)
		goto out;
	if (!list_empty(&a->records)) {
		/* It has not left, so it has a reference while the lock is held. */
		r = list_first_entry(&a->records, struct memquota_record,
				     siblings);
		record_set_closed(r);
		memquota_record_delist_locked(r);
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
		list_del_init(&a->closed);
		account_remove_locked(a);
		removed = a;
	}
out:
	raw_spin_unlock_irqrestore(&home->lock, flags);
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
	while (pieces-- && !list_empty(&accounts->closed))
		if (!account_reap_piece(accounts))
			break;
}

/*
 * Reap closed accounts of a home, up to @pieces records or links. Return whether
 * there were fewer. May sleep.
 */
bool memquota_accounts_reap_many(struct memquota_accounts *home,
				 unsigned int pieces)
{
	unsigned int n;

	for (n = 0; n < pieces; n += MEMQUOTA_BATCH) {
		if (list_empty(&home->closed))
			return true;
		memquota_accounts_reap_some(home, MEMQUOTA_BATCH);
		cond_resched();
	}
	return false;
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
	memquota_account_close_whole(a);
	memquota_account_unref(a);
	return true;
}
