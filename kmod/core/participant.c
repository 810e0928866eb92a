// SPDX-License-Identifier: GPL-2.0
/*
 * Participants: joining and leaving.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include "callback.h"
#include "charge.h"
#include "record.h"
#include "sum.h"
#include "total.h"

/**
 * DOC: Life of a participant
 *
 * States of its record, by the flags in its word and its state in the index::
 *
 *	inactive --memquota_activate()--> in no list, or in the tree if it holds
 *	                                  something
 *	in no list --first miss that charges--> in the tree
 *	in the tree --looked at, holds nothing--> in no list
 *	in the tree --looked at, has no data--> passed over
 *	in the tree --asked as the oldest, freed nothing--> passed over
 *	in the tree --asked, sleeping--> requested, in no list
 *	requested --ends, freed something--> in the tree
 *	requested --ends, freed nothing--> passed over
 *	passed over --next run--> in the tree
 *	any state --memquota_leave()--> left: not in the index, void in all slots
 *	any state --its account closes--> removed by the reaper, piece by piece
 *
 * memquota does not access the struct memquota_participant after
 * memquota_leave() has returned; a request that is still out passes its address
 * to callbacks, while get() keeps the object. RECORD_INDEXED is not the state:
 * it says that a charge need not insert the record, because the record is in
 * the index, or because the task that took it out will return it.
 */

/* For joins that name one callback and have no others. */
static const struct memquota_ops plain_ops;

/* Let charges find the record. The owner publishes its object afterwards. */
static void participant_attach(struct memquota_participant *p,
			       struct memquota_record *r)
{
	WRITE_ONCE(p->slot, memquota_slot_words(r->slot));
	rcu_assign_pointer(p->record, r);
	/* Pairs with the acquire in memquota_counts_nothing(). */
	smp_store_release(&p->nkey, -(memquota_record_key(r) << MEMQUOTA_KEY_SHIFT));
}

/*
 * Undo participant_attach() of a record that was not published. @old is the
 * static record that @p had, or NULL. A charge that saw the key may follow the
 * pointer, so it becomes NULL no more.
 */
static void participant_detach(struct memquota_participant *p,
			       struct memquota_record *r,
			       struct memquota_record *old)
{
	WRITE_ONCE(p->nkey, 0);
	rcu_assign_pointer(p->record, old ?: &memquota_closed_record);
	memquota_record_retire(r);
	memquota_record_unref(r);
}

/*
 * Claim the record of a participant that leaves, by setting RECORD_LEFT, so that
 * one of several calls gets it. *@word is the record's word as it was. If another
 * call has claimed it, wait for a callback of @p that may still run. Return NULL
 * then, and if there is no record.
 */
static struct memquota_record *participant_claim(struct memquota_participant *p,
						 u64 *word)
{
	struct memquota_record *r;
	unsigned long flags;
	bool wait = false;

	/* With interrupts off this is an RCU read-side section. */
	local_irq_save(flags);
	r = rcu_dereference_sched(p->record);
	if (!r || READ_ONCE(r->flags) & RECORD_STATIC) {
		wait = r == &memquota_left_record;
		r = NULL;
	} else if (WARN_ONCE(r->participant != p,
			     "memquota: leaving with a copy of participant %s\n",
			     memquota_record_name(r))) {
		WRITE_ONCE(p->nkey, 0);
		rcu_assign_pointer(p->record, &memquota_closed_record);
		r = NULL;
	} else {
		*word = memquota_record_retire(r);
		if (*word & RECORD_LEFT) {
			wait = true;
			r = NULL;
		} else {
			WRITE_ONCE(p->nkey, 0);
			rcu_assign_pointer(p->record, &memquota_left_record);
		}
	}
	local_irq_restore(flags);
	if (wait) {
		/*
		 * A callback that has left set @running before @record, with a
		 * full barrier in between.
		 */
		smp_mb();
		memquota_wait_callback(p);
	}
	return r;
}

static void participant_disable(struct memquota_participant *p)
{
	WRITE_ONCE(p->nkey, 0);
	rcu_assign_pointer(p->record, &memquota_disabled_record);
}

static bool participant_joined(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_protected(p->record, true);

	return r && !(READ_ONCE(r->flags) & RECORD_STATIC);
}

static bool ops_valid(const struct memquota_ops *ops)
{
	if (ops->flags & ~(MEMQUOTA_COLLAPSING | MEMQUOTA_INACTIVE |
			   MEMQUOTA_COLLAPSE_UNDER_PRESSURE | MEMQUOTA_PROGRAM))
		return false;
	if (ops->reclaim_sleeping)
		return !ops->reclaim && ops->get && ops->put;
	return ops->reclaim;
}

static int record_alloc_sleeper(struct memquota_record *r, gfp_t gfp)
{
	if (!(READ_ONCE(r->flags) & RECORD_SLEEPING))
		return 0;
	r->sleeper = memquota_sleeper_alloc(r, gfp);
	return r->sleeper ? 0 : -ENOMEM;
}

/*
 * Make a new record visible in its account. From then on reclaim may call the
 * participant, whose callback may leave, and its owner free it.
 */
static int record_publish(struct memquota_record *r)
{
	struct memquota_account *a = r->account;
	struct memquota_accounts *home = a->home;
	unsigned long flags;
	int err;

	raw_spin_lock_irqsave(&home->lock, flags);
	err = memquota_account_error(a);
	if (!err) {
		memquota_record_enlist_locked(r);
		if (r->ops->trim)
			list_add(&r->trimmers, &home->trimmers);
		WRITE_ONCE(home->nr_records, home->nr_records + 1);
		memquota_record_set_active(r);
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return err;
}

/**
 * memquota_join_account - make an object a participant of an account
 * @p: the field in the object, zeroed or left
 * @a: the account that it holds memory for; a null handle makes a disabled
 *	participant
 * @ops: its callbacks; they must stay until memquota_barrier() after leaving
 * @gfp: flags for memquota's own allocations
 * @fmt: printf format of its name, and the arguments
 *
 * With %MEMQUOTA_INACTIVE the participant can charge at once, and is asked for
 * nothing before memquota_activate().
 *
 * It takes no reference to the owner's module. A running callback holds one.
 *
 * Context: any that @gfp allows. With PREEMPT_RT only while preemption and
 * interrupts are on. The caller serialises it with memquota_leave() of @p.
 *
 * Return:
 * * 0 - joined
 * * %-EINVAL - @ops has not exactly one reclaim callback, a sleeping one without
 *   get and put, or unknown flags
 * * %-EBUSY - @p has joined already
 * * %-ENOMEM - out of memory
 * * %-ESHUTDOWN - the tracker was destroyed
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed
 */
int memquota_join_account(struct memquota_participant *p,
			  struct memquota_account *a,
			  const struct memquota_ops *ops, gfp_t gfp,
			  const char *fmt, ...)
{
	struct memquota_record *old = rcu_dereference_protected(p->record, true);
	struct memquota_record *r;
	va_list args;
	int err;

	memquota_might_alloc(gfp);
	if (!ops_valid(ops))
		return -EINVAL;
	if (participant_joined(p))
		return -EBUSY;
	if (!a) {
		participant_disable(p);
		return 0;
	}
	if (a == &memquota_closed_account)
		return -ESTALE;
	memquota_accounts_reap(&a->tracker->accounts, 2);

	r = memquota_record_alloc(a, p, ops, gfp);
	if (!r)
		return -ENOMEM;
	va_start(args, fmt);
	memquota_format_name(r->name, fmt, args);
	va_end(args);
	err = record_alloc_sleeper(r, gfp);
	if (err) {
		memquota_record_discard(r);
		return err;
	}
	/* First, so that a callback that leaves finds the record. */
	participant_attach(p, r);
	err = record_publish(r);
	if (err)
		participant_detach(p, r, old);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_join_account);

static __printf(6, 0)
void join_private(struct memquota_participant *p, memquota_reclaim_fn reclaim,
		  const struct memquota_ops *ops, struct module *owner,
		  gfp_t gfp, const char *fmt, va_list args)
{
	struct memquota_tracker *t = memquota_default_tracker();
	struct memquota_private *private;
	struct memquota_account *a;
	struct memquota_record *r;

	memquota_might_alloc(gfp);
	if (WARN_ONCE(participant_joined(p),
		      "memquota: joining again without leaving\n"))
		return;
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED) {
		participant_disable(p);
		return;
	}
	memquota_accounts_reap(raw_cpu_ptr(t->private_accounts), 2);

	rcu_assign_pointer(p->record, &memquota_closed_record);
	private = memquota_private_alloc(t, p, reclaim, ops, owner, gfp);
	if (!private)
		goto failed;
	a = &private->account;
	r = &private->record;
	memquota_format_name(a->name, fmt, args);
	if (record_alloc_sleeper(r, gfp)) {
		memquota_record_unref(r);
		goto failed_account;
	}
	/* First, so that a callback that leaves finds the record. */
	participant_attach(p, r);
	if (!memquota_account_publish(a, r, NULL, NULL))
		return;
	participant_detach(p, r, NULL);

failed_account:
	memquota_account_unref(a);
failed:
	atomic64_inc(&memquota_failed_joins);
}

/* See memquota_join(). */
void __memquota_join(struct memquota_participant *p,
		     memquota_reclaim_fn reclaim, struct module *owner,
		     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	join_private(p, reclaim, &plain_ops, owner, GFP_NOWAIT, fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_GPL(__memquota_join);

/**
 * memquota_join_private - make an object a participant of an account of its own
 * @p: the field in the object, zeroed or left
 * @ops: its callbacks; they must stay until memquota_barrier() after leaving
 * @gfp: flags for memquota's own allocations
 * @fmt: printf format of its name, and the arguments
 *
 * Does what memquota_join() does, with more than one callback. The account is
 * in the default tracker. If it cannot be had, or @ops is not valid, @p is as a
 * participant that never joined.
 *
 * Context: any that @gfp allows. With PREEMPT_RT only while preemption and
 * interrupts are on. The caller serialises it with memquota_leave() of @p.
 */
void memquota_join_private(struct memquota_participant *p,
			   const struct memquota_ops *ops, gfp_t gfp,
			   const char *fmt, ...)
{
	va_list args;

	if (WARN_ON_ONCE(!ops_valid(ops)))
		return;
	va_start(args, fmt);
	join_private(p, ops->reclaim, ops, ops->owner, gfp, fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_GPL(memquota_join_private);

/**
 * memquota_activate - take the second step of joining
 * @p: a participant that joined with %MEMQUOTA_INACTIVE
 *
 * Reclaim may ask @p from now on. If it fails, @p can only leave.
 *
 * Context: any but NMI.
 * Return:
 * * 0 - done, or nothing is counted
 * * %-ESTALE - the account is closed, or reclaim chose it before this step
 * * %-ESHUTDOWN - the tracker was destroyed, or @p has left
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 */
int memquota_activate(struct memquota_participant *p)
{
	struct memquota_accounts *home;
	struct memquota_record *r;
	unsigned long flags;
	int err;

	r = rcu_dereference_protected(p->record, true);
	if (r == &memquota_disabled_record)
		return 0;
	if (!r || r == &memquota_closed_record)
		return -ESTALE;
	if (r == &memquota_left_record)
		return -ESHUTDOWN;

	/* Once it is active a callback may leave. */
	rcu_read_lock();
	home = r->account->home;
	raw_spin_lock_irqsave(&home->lock, flags);
	err = memquota_account_error(r->account);
	if (!err && r->chosen)
		err = -ESTALE;
	if (!err)
		WRITE_ONCE(r->active, true);
	raw_spin_unlock_irqrestore(&home->lock, flags);
	/* Pairs with record_gain(), which changes the word, then reads @active. */
	smp_mb();
	if (!err && memquota_record_used(r))
		memquota_index_insert(r);
	rcu_read_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(memquota_activate);

/**
 * memquota_leave - end a participation
 * @p: the participant; one that never joined or has left is allowed
 *
 * Gives back all that @p still holds. After it returns, no atomic callback of @p
 * runs or will run, and the object may be freed: memquota_leave() spins while
 * one runs, unless it is called from it. This is also so if a callback of @p has
 * left already. It does not wait for a sleeping reclaim. The reference that
 * get() took protects the owner from that.
 *
 * A copy of a participant, in an object that was cloned, has not joined: the
 * call warns and leaves the original alone. See memquota_participant_init().
 *
 * Context: any but hard interrupts and NMI. With PREEMPT_RT only while preemption
 * and interrupts are on. The caller holds no lock that an atomic callback takes,
 * of whichever participant: with PREEMPT_RT the wait can include the next
 * callback. It serialises the call with joining of @p, and with leaving of @p
 * except from its callbacks.
 */
void memquota_leave(struct memquota_participant *p)
{
	struct memquota_record *r;
	u64 word;

	r = participant_claim(p, &word);
	if (!r)
		return;
	if (word & RECORD_INDEXED)
		memquota_index_remove(r);
	memquota_account_remove_record(r);
	memquota_wait_callback(p);
	memquota_record_unref(r);
}
EXPORT_SYMBOL_GPL(memquota_leave);
