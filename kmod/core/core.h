/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The structures of the quota, and how references to them are taken: trackers,
 * accounts and records. Each is composed of the parts that the files of this
 * directory declare in headers of their own.
 */
#ifndef _MEMQUOTA_CORE_H
#define _MEMQUOTA_CORE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <memquota/participant.h>
#include "account.h"
#include "compat.h"
#include "cpu_cache.h"
#include "history.h"
#include "index.h"
#include "pressure.h"
#include "reclaim.h"
#include "request.h"
#include "wait.h"
#include "watch.h"

/**
 * DOC: Lock order
 *
 * Outermost first. Those without a kind are raw and taken with interrupts off,
 * because calls that are allowed under any lock take them::
 *
 *	kernel_param_lock()		(kernel's)	the default tracker's parameters
 *	seq_file's mutex		(kernel's)	one reader of a file in debugfs
 *	cpus_read_lock()		(kernel's)	CPUs going offline
 *	trackers_lock			(mutex)	list and names of trackers
 *	memquota_tracker_notifier	(rwsem)	higher layers that follow trackers
 *	tracker->config_lock		(mutex)	one reconfiguration at a time
 *	tracker->graph_lock		(mutex)	one walk towards the roots at a time
 *	users_lock			(mutex)	users of /dev/memquota
 *	memquota_user.lock		(mutex)	a user's stocks
 *	memquota_watch.lock		(mutex)	marks of a watch
 *	tracker->drain_lock		(mutex)	one shared drain at a time
 *	view_lock			(mutex)	one reader that refers to records
 *	callback_lock			(mutex)	one atomic callback at a time
 *	running_lock			(spin)	PREEMPT_RT: the callback that runs
 *	participant_fd.lock		(spin)	request given to a program
 *	memquota_queue.lock		(spin)	items of a queue
 *	account->home->lock		accounts, links, lists of records
 *	tracker->index.lock		arrival index
 *	tracker->waitq.lock		tasks that wait for quota
 *	request_lock			requests to sleeping participants
 *	lanes_lock			workqueues of sleeping participants
 *	tracker->history.lock		log of reclaim runs
 *	holders_lock			trackers that the shrinker visits
 *	store->lock			chunks of an arena
 *	cores_lock			list of arenas
 *	pool->lock			pages that small chunks are cut from
 *
 * No two of the raw locks are ever held together, but for a record's mark lock:
 * a value of the mark, innermost, taken with interrupts off, under home->lock
 * and index.lock too. A charge or an uncharge only tries to take waitq.lock, which
 * is held while tasks are woken. The direct way takes the mark lock alone, by
 * trying. No lock that charging, uncharging, joining or leaving takes is held
 * around a callback, except that on PREEMPT_RT a memquota_leave() that waits for
 * a callback takes running_lock.
 */

/*
 * struct memquota_record.word holds what must change in one atomic operation:
 * the bytes that the participant holds, those in its slots included; whether
 * the index need not be told of a charge; whether the participant has left;
 * whether its account has closed; whether the account's word counts the bytes,
 * too; the low bits of the key for which the bytes are counted, see DOC:
 * Emptying a record; and the number of references. RECORD_SLOW is the sign. The
 * participant, each slot whose @record it is, a request, and reclaim, the reaper
 * and walks while they use the record hold one reference each. A CPU has one slot
 * of a record, so memquota_records_init() checks that the references fit.
 */
#define RECORD_INDEXED		BIT_ULL(0)
#define RECORD_LEFT		BIT_ULL(1)
#define RECORD_CLOSED		BIT_ULL(2)
#define RECORD_COUNTED		BIT_ULL(3)
#define RECORD_EPOCH		GENMASK_ULL(7, 4)
#define RECORD_REF		BIT_ULL(8)
#define RECORD_REFS		GENMASK_ULL(21, 8)
#define RECORD_BYTE		BIT_ULL(22)
#define RECORD_BYTES_MAX	((u64)S64_MAX / RECORD_BYTE)

/* Set with the first of RECORD_LEFT, RECORD_CLOSED, RECORD_COUNTED. */
#define RECORD_SLOW		BIT_ULL(63)

/* The tracker's total no longer counts what the word does. */
#define RECORD_ENDED		(RECORD_LEFT | RECORD_CLOSED)

/* Of these a word has RECORD_INDEXED alone while a charge may take the direct way. */
#define RECORD_STATES		(RECORD_INDEXED | RECORD_ENDED | RECORD_COUNTED)

/* Return the epoch, in a record's word, of a key. */
#define MEMQUOTA_KEY_EPOCH(key)	(((key) << 4) & RECORD_EPOCH)
#define MEMQUOTA_KEY_EPOCHS	16

/* The bits of a record's word that its tag must have; see memquota_key_tag() */
#define RECORD_TAGGED		(RECORD_STATES | RECORD_EPOCH)

/*
 * struct memquota_account.word: the bytes of its records that have
 * RECORD_COUNTED, whether the account is closed, and whether each change is
 * compared with the marks of its watch. Bits are never cleared.
 */
#define ACCOUNT_SPECIAL		BIT_ULL(63)	/* closed or watched: negative */
#define ACCOUNT_CLOSED		BIT_ULL(62)
#define ACCOUNT_USED		(ACCOUNT_CLOSED - 1)

/* struct memquota_account.counted. It only grows. */
enum {
	ACCOUNT_UNCOUNTED,
	ACCOUNT_COUNTS_NEW,	/* the word counts records that join */
	ACCOUNT_COUNTED,	/* and all others */
};

/*
 * struct memquota_record.mark where the owner says how old its data is, and while
 * a CPU changes the mark. Neither is ever reached.
 */
#define RECORD_NOT_DERIVED	U64_MAX
#define RECORD_MARK_LOCKED	(U64_MAX - 1)

/* struct memquota_record.flags; those with a number of their own change. */
#define RECORD_STATIC		BIT(0)	/* stands for a state, counts nothing */
#define RECORD_PRIVATE		BIT(1)	/* shares its allocation with its account */
#define RECORD_COLLAPSING	BIT(2)
#define RECORD_SLEEPING		BIT(3)
#define RECORD_SAYS_OLDEST	BIT(4)	/* has ops->oldest */
#define RECORD_STORED_BIT	5	/* memquota_set_oldest() was called */
#define RECORD_STORED		BIT(RECORD_STORED_BIT)
#define RECORD_MOVED_BIT	6	/* has had another slot */
#define RECORD_MOVED		BIT(RECORD_MOVED_BIT)
#define RECORD_PROGRAM		BIT(7)
#define RECORD_GIVES		BIT(8)	/* may be asked under memory pressure */
#define RECORD_TRIMS		BIT(9)	/* has ops->trim */

/* For memquota_ops.flags: the account closes if an answer is late (rule U5). */
#define MEMQUOTA_PROGRAM	BIT(31)

/* Entries of a list that are handled before its lock is dropped (rule R11). */
#define MEMQUOTA_BATCH		64

/*
 * struct memquota_record - memquota's part of a participant
 *
 * Slots, the index and reclaim refer to records, never to participants. A
 * record is freed an RCU grace period after its last reference was dropped,
 * because a charge on another CPU may have just read participant->record.
 */
struct memquota_record {
	/* The charge path: one cache line. */
	atomic64_t word;		/* RECORD_* above */
	struct memquota_share __percpu *shares;	/* const; tracker->shares */
	struct memquota_tracker *tracker;	/* const; account->tracker */
	atomic64_t uncharged;		/* gross, less what slots have not reported */
	u64 mark;			/* mark lock; record_derive_arrival() */
	u64 filled_ns;			/* when a charge last found it empty, or before */
	unsigned long flags;		/* const but for some bits; see RECORD_* */
	u8 slot;			/* slot to look in first; a hint */
	bool active;			/* fully joined; home->lock */
	bool chosen;			/* a victim before that; home->lock */
	u32 mark_tick;			/* mark lock; see record_mark_reached() */

	u64 tag;			/* memquota_key_tag(); see DOC: Emptying a record */
	struct memquota_account *account;	/* const; holds its memory */
	u64 mark_ns;			/* mark lock */
	u64 arrival_ns;			/* mark lock while derived; errs older */

	/* Const while the participant has not left. */
	struct memquota_participant *participant;
	memquota_reclaim_fn reclaim;
	const struct memquota_ops *ops;
	struct module *owner;
	struct memquota_sleeper *sleeper;

	struct memquota_index_entry index;
	/* The worker's own: a holding that claims to have no data (rule R7). */
	u64 empty_used;
	u32 empty_since;		/* jiffies */
	u32 trimmed_run;		/* run that trimmed it last; home->lock */

	/* account->home->lock */
	union {
		/* In account->records; empty: detached. */
		struct list_head siblings;
		/* Once the last reference is dropped; not of a private one. */
		struct rcu_head rcu;
	};
	struct list_head trimmers;	/* in home->trimmers, or empty */

	struct memquota_victim victim;
	char name[];			/* unless RECORD_PRIVATE; const */
};

/*
 * struct memquota_account - the holder of memory: a connection, a tenant, a file
 *
 * @handles counts what keeps the account open. All handles together, each
 * record, the list of closed accounts, and reclaim while it looks at the
 * account hold one of @refs each, which keep the memory.
 */
struct memquota_account {
	atomic64_t word;		/* ACCOUNT_* above */
	u64 max;			/* READ_ONCE, WRITE_ONCE */
	u64 peak;			/* racy: the highest use that was seen */
	struct memquota_tracker *tracker;	/* const; holds its memory */
	struct memquota_accounts *home;	/* const; whose lock protects it */
	u64 id;				/* const; never used twice */
	refcount_t handles;
	refcount_t refs;
	atomic64_t refused;		/* saturates */
	atomic64_t reclaims;		/* saturates */

	/* home->lock */
	struct rb_node node;		/* in home->by_id */
	struct list_head records;
	struct hlist_head walks;	/* of struct record_walk */
	struct list_head children;	/* of struct memquota_link */
	struct list_head parents;	/* of struct memquota_link */
	struct list_head closed;	/* in home->closed */
	u32 nr_records;			/* in @records */
	u32 nr_children;		/* in @children */

	struct memquota_watch *watch;	/* set once; NULL: no thresholds */
	struct memquota_account_waitq *waitq;	/* set once; NULL: no task waited */
	kuid_t creator;			/* const once published; else invalid */
	bool private;			/* const; has one record and no links */
	u8 counted;			/* ACCOUNT_*; home->lock */
	bool collapses;			/* the worker's own, in a round */

	u64 down_walk;			/* last walk; tracker->accounts.lock */
	struct list_head down;		/* the worker's own */
	u64 up_walk;			/* tracker->graph_lock */
	union {
		struct list_head up;	/* tracker->graph_lock */
		struct rcu_head rcu;	/* once @refs is zero */
	};

	char name[MEMQUOTA_NAME_SIZE];	/* const */
};

/* An account with the one record that it will ever have, in one allocation. */
struct memquota_private {
	struct memquota_account account;
	struct memquota_record record;
};

/*
 * struct memquota_tracker - one independent quota
 */
struct memquota_tracker {
	/* Read by every miss; written when the configuration changes. */
	u64 max;			/* effective limits: READ_ONCE */
	u64 high;
	u64 low_water;
	struct memquota_share __percpu *shares;	/* const */
	/* Const once it is the default tracker, else NULL. */
	struct memquota_accounts __percpu *private_accounts;
	u32 cpu_bytes;			/* the most a CPU caches; waitq.lock */
	u32 slot_bytes;			/* the most a slot holds; waitq.lock */
	unsigned int nr_parts;		/* of what caches may hold; waitq.lock */
	unsigned int nr_parts_taken;	/* by CPUs; waitq.lock */
	bool caches_divide;		/* more parts are wanted; waitq.lock */
	u8 state;			/* enum memquota_state; READ_ONCE */
	bool caches_shut;		/* the total is above max; waitq.lock */
	bool caches_retry;		/* waitq.lock was taken; xchg */
	bool holds;			/* in memquota_holders; holders_lock, READ_ONCE */
	struct memquota_waitq waitq;

	atomic64_t total ____cacheline_aligned_in_smp;
	u64 peak;			/* racy: the highest total seen by a visit */
	struct memquota_watch watch;

	struct memquota_accounts accounts ____cacheline_aligned_in_smp;
	bool has_closed;		/* accounts that the reaper has to reap */
	struct memquota_index index ____cacheline_aligned_in_smp;
	struct memquota_reclaim reclaim ____cacheline_aligned_in_smp;
	struct memquota_requests requests;
	struct memquota_pressure pressure;
	struct memquota_history history;

	struct irq_work irq_work;	/* wakes reclaim, waiters and the reaper */
	struct work_struct reaper;	/* frees closed accounts' records and links */
	struct work_struct divide;	/* makes smaller parts of what caches hold */

	struct mutex drain_lock;	/* one shared drain at a time */
	unsigned long drained;		/* jiffies of the last one; drain_lock */
	u32 drains;			/* that have begun; drain_lock */
	struct hlist_node hotplug;	/* instance of the CPUs' caches */

	struct mutex config_lock;	/* one reconfiguration at a time */
	struct memquota_limits limits;	/* as set; written under config_lock */
	struct mutex graph_lock;	/* one walk towards the roots at a time */

	u64 id;				/* const; in the order of creation */
	unsigned int flags;		/* const; MEMQUOTA_TRACKER_* */
	bool programs_own;		/* created by ioctl; trackers_lock */
	struct list_head trackers;	/* trackers_lock */
	struct dentry *debugfs;		/* debugfs.c's own */
	refcount_t refs;		/* keep the memory */
	struct rcu_work free;
	char name[MEMQUOTA_NAME_SIZE];	/* const */
};

/*
 * Return why the tracker refuses charges and joins: -ESHUTDOWN before
 * -ENOTRECOVERABLE (rule T7), or 0.
 */
static inline int memquota_tracker_error(const struct memquota_tracker *t)
{
	switch (READ_ONCE(t->state)) {
	case MEMQUOTA_GONE:
		return -ESHUTDOWN;
	case MEMQUOTA_POISONED:
		return -ENOTRECOVERABLE;
	default:
		return 0;
	}
}

static inline u64 memquota_tracker_total(struct memquota_tracker *t)
{
	return atomic64_read(&t->total);
}

/* Return the most that this CPU's share may hold, in bytes. */
static inline u64 memquota_share_bytes(const struct memquota_tracker *t,
				       const struct memquota_share *share)
{
	u64 cpu_bytes = READ_ONCE(t->cpu_bytes);

	return cpu_bytes - min(cpu_bytes, share->reserved);
}

static inline void memquota_tracker_ref(struct memquota_tracker *t)
{
	refcount_inc(&t->refs);
}

static inline void memquota_account_ref(struct memquota_account *account)
{
	refcount_inc(&account->refs);
}

static inline bool memquota_account_closed(const struct memquota_account *a)
{
	return atomic64_read(&a->word) & ACCOUNT_CLOSED;
}

static inline int memquota_account_error(const struct memquota_account *a)
{
	return memquota_tracker_error(a->tracker) ?:
	       memquota_account_closed(a) ? -ESTALE : 0;
}

static inline u64 memquota_account_used(const struct memquota_account *a)
{
	return atomic64_read(&a->word) & ACCOUNT_USED;
}

/*
 * Return an arrival that an owner names, without wrapping: a time before boot,
 * as now - age can be, counts as 0, the oldest of all.
 */
static inline u64 memquota_arrival(u64 ns)
{
	return (s64)ns < 0 && ns != MEMQUOTA_NO_DATA ? 0 : ns;
}

/* Return whether a task waits at the account's own max. */
static inline bool memquota_account_queued(const struct memquota_account *a)
{
	const struct memquota_account_waitq *aq = READ_ONCE(a->waitq);

	return unlikely(aq) && READ_ONCE(aq->nr_queued);
}

static inline u64 memquota_word_used(u64 word)
{
	return (word & ~RECORD_SLOW) / RECORD_BYTE;
}

/* Return whether the word counts bytes for slots with that key. */
static inline bool memquota_word_has_key(u64 word, u64 key)
{
	return (word & RECORD_EPOCH) == MEMQUOTA_KEY_EPOCH(key);
}

/* Return whether the account's word counts what the record holds. */
static inline bool memquota_record_counted(const struct memquota_record *r)
{
	return atomic64_read(&r->word) & RECORD_COUNTED;
}

static inline u64 memquota_record_used(const struct memquota_record *r)
{
	return memquota_word_used(atomic64_read(&r->word));
}

/*
 * Lock the record's mark, and the times that belong to it. Return the mark, for
 * memquota_mark_unlock() to set again or to replace. The holder has interrupts off, and
 * takes no other lock meanwhile.
 */
static inline u64 memquota_mark_lock(struct memquota_record *r)
{
	u64 mark;

	for (;;) {
		mark = READ_ONCE(r->mark);
		if (likely(mark != RECORD_MARK_LOCKED &&
			   cmpxchg(&r->mark, mark, RECORD_MARK_LOCKED) == mark))
			return mark;
		cpu_relax();
	}
}

static inline void memquota_mark_unlock(struct memquota_record *r, u64 mark)
{
	/* Pairs with the exchange in memquota_mark_lock(). */
	smp_store_release(&r->mark, mark);
}

/*
 * Return the tag for a key: the key in the place that it has in a slot's word,
 * and below it what the RECORD_TAGGED bits of the record's word are while a
 * charge may take the usual way.
 */
static inline u64 memquota_key_tag(u64 key)
{
	return key << MEMQUOTA_KEY_SHIFT | MEMQUOTA_KEY_EPOCH(key) |
	       RECORD_INDEXED;
}

/* Return the key of the record's slots. */
static inline u64 memquota_record_key(const struct memquota_record *r)
{
	return READ_ONCE(r->tag) >> MEMQUOTA_KEY_SHIFT;
}

/*
 * Return at least the gross number of bytes that were charged before the call.
 * An uncharge raises @uncharged before it lowers the word, and this function
 * reads them in the opposite order, so no uncharged byte is missed.
 */
static inline u64 memquota_mark_gross(const struct memquota_record *r)
{
	u64 held = memquota_record_used(r);

	/* Pairs with the exchange of the word that takes the bytes away. */
	smp_rmb();
	return held + atomic64_read(&r->uncharged);
}

/*
 * Return the arrival that the owner has stored or, as a bound that may be too old,
 * that was derived: in ns.
 */
static inline u64 memquota_record_arrival(const struct memquota_record *r)
{
	u64 ns = READ_ONCE(r->arrival_ns);

	if (READ_ONCE(r->flags) & RECORD_STORED)
		return ns;
	return max(ns, READ_ONCE(r->filled_ns));
}

/* Return whether the record has left or its account has closed. */
static inline bool memquota_record_ended(const struct memquota_record *r)
{
	return atomic64_read(&r->word) & RECORD_ENDED ||
	       memquota_account_closed(r->account);
}

static inline const char *
memquota_record_name(const struct memquota_record *r)
{
	return READ_ONCE(r->flags) & RECORD_PRIVATE ? r->account->name : r->name;
}

static inline void memquota_record_ref(struct memquota_record *r)
{
	atomic64_add(RECORD_REF, &r->word);
}

/*
 * Return the record of a participant that counts, or NULL. The record stays
 * while interrupts are off.
 */
static inline struct memquota_record *
memquota_record_of(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_sched(p->record);

	return r && !(READ_ONCE(r->flags) & RECORD_STATIC) ? r : NULL;
}

#endif /* _MEMQUOTA_CORE_H */
