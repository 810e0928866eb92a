/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The structures of the quota: trackers, accounts, records and the CPUs'
 * caches. Private to the files that implement them.
 *
 * Lock order, outermost first; all but the mutexes are raw and taken with
 * interrupts off, since charging takes them under whatever its caller holds:
 *
 *	cpus_read_lock()	(kernel's)	which CPUs are online
 *	memquota_trackers_lock	(mutex)	list of trackers, names
 *	tracker->config_lock	(mutex)	one reconfiguration at a time
 *	tracker->graph_lock	(mutex)	one memquota_account_add_parent() at a time
 *	memquota_watch.lock	(mutex)	marks
 *	memquota_callback_lock	(mutex)	atomic callbacks run one at a time
 *	tracker->lock			accounts, links, lists of records
 *	tracker->index_lock		the arrival index
 *	tracker->wait_lock		who waits for quota
 *	memquota_request_lock		requests that sleeping participants hold
 *	tracker->history->lock		what the last runs of reclaim did
 *
 * No two of the raw locks are ever held together, and none over a callback.
 */
#ifndef _MEMQUOTA_QUOTA_H
#define _MEMQUOTA_QUOTA_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <memquota/participant.h>
#include <memquota/compat.h>
#include "watch.h"

/*
 * struct memquota_record.word: everything that must change together.
 *
 * The bytes that the participant holds, its CPUs' slots included; whether it
 * is (or need not be) known to the arrival index; whether it has left; and how
 * many keep the record's memory: the participant, each slot that bears its
 * key, and the reclaim kthread while it looks. One atomic operation therefore
 * moves bytes, pins or unpins the record and learns whether it still counts.
 */
#define RECORD_INDEXED		BIT_ULL(0)
#define RECORD_LEFT		BIT_ULL(1)
#define RECORD_EMPTYING		BIT_ULL(2)	/* the key is about to change */
#define RECORD_EMPTIED		BIT_ULL(3)	/* toggles when it has changed */
#define RECORD_REF		BIT_ULL(4)
#define RECORD_REFS		GENMASK_ULL(19, 4)
#define RECORD_BYTE		BIT_ULL(20)
#define RECORD_BYTES_MAX	((u64)S64_MAX / RECORD_BYTE)

/* struct memquota_account.word: the bytes of its records, and whether closed. */
#define ACCOUNT_CLOSED		BIT_ULL(63)
#define ACCOUNT_USED		(BIT_ULL(62) - 1)

/* Where a record stands with respect to the arrival index. */
enum record_place {
	RECORD_NOWHERE,		/* holds nothing, or is being asked */
	RECORD_IN_TREE,
	RECORD_PASSED_OVER,	/* busy: not asked again in this run */
};

/* struct memquota_record.mark of one whose owner knows how old its data is */
#define RECORD_NOT_DERIVED	U64_MAX

/* struct memquota_record.flags; two are set later, atomically */
#define RECORD_STATIC		BIT(0)	/* stands for a state, is no record */
#define RECORD_PRIVATE		BIT(1)	/* shares its allocation with its account */
#define RECORD_COLLAPSING	BIT(2)
#define RECORD_SLEEPING		BIT(3)
#define RECORD_SAYS_OLDEST	BIT(4)	/* has ops->oldest */
#define RECORD_STORED_BIT	5	/* memquota_set_oldest() was called */
#define RECORD_STORED		BIT(RECORD_STORED_BIT)
#define RECORD_MOVED_BIT	6	/* has had another slot */
#define RECORD_MOVED		BIT(RECORD_MOVED_BIT)
#define RECORD_PROGRAM		BIT(7)	/* const, as the first five */

/* For memquota_ops.flags: a program's, which collapses if it is late (U5). */
#define MEMQUOTA_PROGRAM	BIT(31)

/**
 * struct memquota_record - memquota's part of a participant
 *
 * Slots, the index and the kthread know records, never participants: a record
 * lives until nobody does any more, and then for an RCU grace period, since a
 * charge on another CPU may have just read participant->record.
 */
struct memquota_record {
	/* The charge path: one cache line. */
	atomic64_t word;
	u64 key;		/* of its slots; new after uncharge_all */
	struct memquota_account *account;	/* const; keeps its memory */
	atomic64_t uncharged;	/* gross, what slots have not reported yet apart */
	u64 mark;		/* see derive_arrival() in cache.c; racy */
	u64 mark_ns;
	u64 arrival_ns;		/* derived or stored; racy, errs older */
	unsigned long flags;	/* RECORD_* */
	u8 slot;		/* index of the slot to look in first; a hint */
	bool active;		/* the second step of joining is done; tracker->lock */
	bool chosen;		/* reclaim came before that; tracker->lock */
	u8 place;		/* enum record_place; tracker->index_lock */

	/* Const while the participant has not left. */
	struct memquota_participant *participant;
	memquota_reclaim_fn reclaim;
	const struct memquota_ops *ops;
	struct module *owner;
	struct memquota_sleeper *sleeper;

	/* tracker->index_lock */
	union {
		struct rb_node node;
		struct list_head passed;
	};
	u64 key_ns;		/* its place in the tree; never above its arrival */
	u32 looked;		/* run in which key_ns was last corrected */
	u32 trimmed;		/* last run that did; tracker->lock */
	/* The kthread's own: a holding that claims to have no data (R7). */
	u64 empty_used;
	unsigned long empty_since;

	/* tracker->lock */
	struct list_head siblings;	/* in account->records; empty: detached */
	u64 round;		/* in which it became a victim */
	u64 audited;		/* last walk that added it up */
	struct list_head victim;	/* the kthread's own */
	bool asked;		/* the kthread's own, in a round */
	struct list_head trimmers;	/* in tracker->trimmers, or empty */

	struct rcu_head rcu;
	char name[MEMQUOTA_NAME_SIZE];
};

/**
 * struct memquota_account - whoever memory is held for
 *
 * Handles are counted by @handles; all of them together, each record, the
 * list of the dying and the kthread while it looks hold one of @refs, which
 * keep the memory.
 */
struct memquota_account {
	atomic64_t word;
	u64 max;		/* READ_ONCE; written by memquota_account_set_max() */
	u64 peak;		/* the highest word before a loss; racy */
	struct memquota_tracker *tracker;	/* const; keeps its memory */
	u64 id;			/* const; never used twice */
	refcount_t handles;
	refcount_t refs;
	atomic64_t refused;	/* saturates */
	atomic64_t reclaims;	/* saturates */

	/* tracker->lock */
	struct rb_node node;	/* in tracker->accounts */
	struct list_head records;
	struct list_head children;	/* of struct memquota_link */
	struct list_head parents;	/* of struct memquota_link */
	struct list_head dying;		/* in tracker->dying */
	u32 nr_records;			/* in @records */
	u32 nr_children;		/* in @children */

	struct memquota_watch *watch;	/* set once; NULL: nobody watches */
	kuid_t creator;		/* const once the program has it; else invalid */
	bool private;		/* const */
	bool special;		/* has a max, or is watched; once so always */
	bool watched;		/* has had a mark; once so always */
	bool collapses;		/* the kthread's own, in a round */

	u64 down_walk;		/* tracker->lock: last walk that met it */
	struct list_head down;	/* the kthread's own */
	u64 up_walk;		/* tracker->graph_lock */
	union {
		struct list_head up;	/* tracker->graph_lock */
		struct rcu_head rcu;	/* when nobody refers to it any more */
	};

	struct list_head waiters;	/* tracker->wait_lock */
	char name[MEMQUOTA_NAME_SIZE];
};

/* An account with the one record that it will ever have, in one allocation. */
struct memquota_private {
	struct memquota_account account;
	struct memquota_record record;
};

/* That one account is the parent of another. Lives until either closes. */
struct memquota_link {
	struct memquota_account *parent;
	struct memquota_account *child;
	struct list_head of_parent;	/* in parent->children; tracker->lock */
	struct list_head of_child;	/* in child->parents; tracker->lock */
	u64 down_walk;			/* tracker->lock */
	u64 up_walk;			/* tracker->lock */
	struct rcu_head rcu;
};

/*
 * What a CPU holds in advance for one participant. Both words bear the
 * record's key, so that each can be checked and changed in one operation; the
 * bytes that were uncharged since the last visit are @room_full minus those
 * in the room word. Touched by this CPU alone: the words by charges, which
 * interrupts may interrupt, the rest with interrupts off.
 */
struct memquota_slot {
	u64 words[2];		/* MEMQUOTA_SLOT_AVAIL, MEMQUOTA_SLOT_ROOM */
	struct memquota_record *record;	/* pinned; NULL: the slot is free */
	u32 room_full;
	u32 seen;		/* avail word at the last sweep, to tell idle ones */
};

#define MEMQUOTA_SLOTS		4

struct memquota_cpu {
	struct memquota_slot slots[MEMQUOTA_SLOTS];
	unsigned int misses;	/* since the last sweep, but those granted */
	unsigned int granted;	/* misses that need not look for free slots */
	unsigned int quick;	/* those of them that are left */
};

DECLARE_PER_CPU_ALIGNED(struct memquota_cpu, memquota_cpu);

/*
 * The CPU's own part of a tracker's quota, behind the slots. Only this CPU
 * writes it, with interrupts off.
 */
struct memquota_share {
	u64 bytes;
	u64 gained;		/* gross bytes that records gained here */
#ifdef CONFIG_MEMQUOTA_DEBUG
	u64 lost;		/* gross bytes that records lost here */
#endif
};

/**
 * struct memquota_tracker - one independent quota
 */
struct memquota_tracker {
	/* Read by every miss; written when the configuration changes. */
	struct memquota_share __percpu *shares;
	u64 max;		/* effective limits: READ_ONCE */
	u64 high;
	u64 low_water;
	u32 slot_bytes;		/* the most that a slot holds; wait_lock */
	u32 share_bytes;	/* the most that a share holds; wait_lock */
	u8 state;		/* enum memquota_state; see tracker_error() */
	bool awake;		/* the kthread needs no waking; see reclaim.c */
	bool wake_everyone;	/* who waits is to see an error; xchg */
	unsigned int waiting;	/* waiters in any queue; tracker->wait_lock */
	u64 waiting_bytes;	/* of those in @waiters; tracker->wait_lock */
	struct memquota_watch watch;

	atomic64_t total ____cacheline_aligned_in_smp;
	atomic64_t refused;	/* bytes that max refused since the last run */
	u64 peak;		/* racy: the highest total seen by a visit */

	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	struct rb_root accounts;	/* by id; tracker->lock */
	struct rb_node *newest;		/* rightmost of accounts */
	struct list_head dying;		/* closed, not yet taken apart */
	struct list_head trimmers;	/* records with ops->trim */
	u64 nr_accounts;		/* open; tracker->lock */
	u64 nr_records;			/* joined; tracker->lock */

	raw_spinlock_t index_lock ____cacheline_aligned_in_smp;
	struct rb_root_cached index;
	struct list_head passed;	/* records passed over in this run */

	raw_spinlock_t wait_lock;
	struct list_head all_waiters;
	struct list_head waiters;	/* for max, in order of arrival */
	unsigned long drained;		/* jiffies of the last shared drain */
	struct mutex drain_lock;	/* one shared drain at a time */

	/* reclaim.c */
	struct task_struct *thread;
	wait_queue_head_t wake;
	atomic64_t freed;	/* by sleeping victims, not yet added to a run's */
	u32 run;		/* runs of reclaim begun, never 0; the kthread's own */
	u64 walk;		/* walks of the account graph begun; tracker->lock */
	u64 round;		/* rounds begun; the kthread's own */
	unsigned int suspicions;	/* failed audits in a row */
	unsigned long backoff;	/* jiffies: before it nobody is asked, while */
	bool backing_off;	/* the last run found nobody; the kthread's own */
	atomic64_t pressure;	/* bytes that the shrinker wants */
	u64 reclaims;
	bool draining;		/* poisoned: the caches are to be voided */
	unsigned int asked;	/* requests without answer; memquota_request_lock */
	struct list_head requests;	/* memquota_request_lock */

	struct irq_work irq_work;	/* wakes whoever is to be woken */
	struct work_struct cleanup;
	struct shrinker *shrinker;

	struct mutex config_lock;	/* one reconfiguration at a time */
	struct memquota_limits limits;	/* as set; tracker->config_lock */
	struct mutex graph_lock;	/* one search for circles at a time */

	u64 id;				/* const; in the order of creation */
	unsigned int flags;		/* const; MEMQUOTA_TRACKER_* */
	bool programs_own;		/* created by ioctl; memquota_trackers_lock */
	struct list_head trackers;	/* memquota_trackers_lock */
	struct dentry *dir;		/* debugfs.c */
	struct memquota_history *history;	/* const; NULL if it counts nothing */
	refcount_t refs;
	struct work_struct free;
	char name[MEMQUOTA_NAME_SIZE];
};

/* tracker.c */
extern struct list_head memquota_trackers;
extern struct mutex memquota_trackers_lock;
extern struct workqueue_struct *memquota_wq;

void memquota_tracker_poison(struct memquota_tracker *t, const char *why);
void memquota_tracker_ref(struct memquota_tracker *t);
void memquota_tracker_unref(struct memquota_tracker *t);
struct memquota_tracker *memquota_tracker_find(const char *name);
struct memquota_tracker *memquota_tracker_next(u64 id);
struct memquota_tracker *
memquota_tracker_new(const char *name, const struct memquota_limits *limits,
		     unsigned int flags, gfp_t gfp, bool programs_own,
		     const char **reason);
int memquota_tracker_destroy_named(const char *name);
void memquota_tracker_limits(struct memquota_tracker *t,
			     struct memquota_limits *limits);
void memquota_programs_trackers_destroy(void);
int memquota_trackers_init(const struct memquota_limits *limits,
			   unsigned int flags);
void memquota_trackers_exit(void);

/* Rule T7's first two errors: what keeps the tracker from taking anything on. */
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

/* account.c */
void memquota_account_init(struct memquota_account *account,
			   struct memquota_tracker *t, bool private);
int memquota_account_publish(struct memquota_account *account,
			     struct memquota_account *parent,
			     struct memquota_link *link);
u64 memquota_account_close(struct memquota_account *account);
void memquota_account_unref(struct memquota_account *account);
void memquota_take_pieces(struct memquota_tracker *t, unsigned int pieces);
bool memquota_close_next(struct memquota_tracker *t, u64 *id);
int memquota_account_link(struct memquota_account *account,
			  struct memquota_account *parent, gfp_t gfp);
struct memquota_account *memquota_account_next(struct memquota_tracker *t,
					       u64 id);
void memquota_walk_records(struct memquota_account *a,
			   bool (*visit)(struct memquota_record *r, void *arg),
			   void *arg);
void memquota_walk_down(struct memquota_account *account,
			struct list_head *accounts);
int memquota_walk_parents(struct memquota_account *account,
			  int (*visit)(struct memquota_account *parent,
				       void *arg),
			  void *arg);
struct memquota_record *memquota_next_record(struct memquota_account *account,
					     struct memquota_record *last);
int memquota_accounts_init(void);
void memquota_accounts_exit(void);

static inline void memquota_account_ref(struct memquota_account *account)
{
	refcount_inc(&account->refs);
}

static inline void memquota_take_apart(struct memquota_tracker *t,
				       unsigned int pieces)
{
	if (unlikely(!list_empty_careful(&t->dying)))
		memquota_take_pieces(t, pieces);
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

/* participant.c */
extern struct memquota_record memquota_disabled_record;
extern struct memquota_record memquota_left_record;
extern atomic64_t memquota_failed_joins;

u64 memquota_new_key(void);
void memquota_private_free(struct memquota_private *private);
const char *memquota_record_name(const struct memquota_record *r);
int memquota_participants_init(void);
void memquota_participants_exit(void);

static inline u64 memquota_word_used(u64 word)
{
	return word / RECORD_BYTE;
}

static inline u64 memquota_record_used(const struct memquota_record *r)
{
	return memquota_word_used(atomic64_read(&r->word));
}

void memquota_record_free(struct memquota_record *r);

static inline void memquota_record_ref(struct memquota_record *r)
{
	atomic64_add(RECORD_REF, &r->word);
}

static inline void memquota_record_unref(struct memquota_record *r)
{
	if (!(atomic64_sub_return(RECORD_REF, &r->word) & RECORD_REFS))
		memquota_record_free(r);
}

/* cache.c */
u64 memquota_record_retire(struct memquota_record *r);
void memquota_flush_local(struct memquota_record *r);
void memquota_drain_each(struct memquota_tracker *t);
void memquota_account_set_watched(struct memquota_account *a);
void memquota_drain_shared(struct memquota_tracker *t);
u64 memquota_cache_bound(struct memquota_tracker *t);
void memquota_cache_limits(struct memquota_tracker *t);
void memquota_total_sub(struct memquota_tracker *t, u64 bytes);
u64 memquota_shares_bytes(struct memquota_tracker *t);
u64 memquota_shares_gained(struct memquota_tracker *t);
u64 memquota_shares_lost(struct memquota_tracker *t);

static inline u64 __percpu *memquota_slot_words(unsigned int slot)
{
	return (u64 __percpu *)memquota_cpu.slots[slot].words;
}

/**
 * struct memquota_cpu_view - what a CPU holds in advance for a tracker
 * @share_bytes: its share
 * @nr: how many of @slots there are
 * @slots: those that hold something for a participant of the tracker's
 */
struct memquota_cpu_view {
	u64 share_bytes;
	unsigned int nr;
	struct {
		u64 account_id;
		u32 bytes;		/* in it, those in @freed_bytes included */
		u32 freed_bytes;	/* uncharged since the last visit */
		bool is_void;		/* counts nowhere any more */
		char name[MEMQUOTA_NAME_SIZE];	/* of the participant */
	} slots[MEMQUOTA_SLOTS];
};

void memquota_view_cpu(struct memquota_tracker *t, unsigned int cpu,
		       struct memquota_cpu_view *view);

/* Who refused a charge; positive, apart from errnos. */
enum {
	REFUSED_BY_TRACKER = 1,
	REFUSED_BY_ACCOUNT,
};

enum charge_mode {
	CHARGE_FORCED,		/* counts above the limits, too */
	CHARGE_REFUSABLE,
	CHARGE_WAITER,		/* refusable, and first in its queues */
};

int memquota_charge_by(struct memquota_participant *p, u64 bytes,
		       enum charge_mode mode);
struct memquota_account *memquota_account_of(struct memquota_participant *p);
int memquota_cache_init(void);
void memquota_cache_exit(void);

/* index.c */
void memquota_index_insert(struct memquota_record *r);
void memquota_index_remove(struct memquota_record *r);
void memquota_index_take(struct memquota_record *r);
void memquota_index_put(struct memquota_record *r, bool pass_over);
void memquota_index_restore(struct memquota_tracker *t);
struct memquota_record *memquota_index_oldest(struct memquota_tracker *t);
u64 memquota_index_bound(struct memquota_tracker *t, u64 skip);

/* callback.c */
extern unsigned int memquota_answer_ms;
extern unsigned int memquota_give_up_ms;

bool memquota_call_reclaim(struct memquota_record *r,
			   const struct memquota_request *request, u64 *freed);
bool memquota_call_oldest(struct memquota_record *r, u64 *ns);
bool memquota_call_trim(struct memquota_record *r);
bool memquota_ask(struct memquota_record *r, u64 want, u64 until);
unsigned int memquota_asked(struct memquota_tracker *t);
long memquota_expire_requests(struct memquota_tracker *t, bool all);
void memquota_callbacks_begin(void);
void memquota_callbacks_end(void);
void memquota_wait_callback(struct memquota_record *r);
bool memquota_in_callback(void);
struct memquota_sleeper *memquota_sleeper_alloc(struct memquota_record *r,
						gfp_t gfp);
int memquota_callbacks_init(void);
void memquota_callbacks_exit(void);

/* reclaim.c */
int memquota_reclaim_start(struct memquota_tracker *t);
void memquota_reclaim_stop(struct memquota_tracker *t);

/* audit.c */
bool memquota_audit(struct memquota_tracker *t, u64 *sum, u64 *total);
int memquota_check(struct memquota_tracker *t);

/* watch.h */
/* The watch of an account that was seen to be watched. */
static inline struct memquota_watch *
memquota_watch_of(const struct memquota_account *a)
{
	/* Pairs with the release in memquota_account_set_watched(). */
	smp_rmb();
	return READ_ONCE(a->watch);
}

/* wait.c */
void memquota_wake_waiters(struct memquota_tracker *t);

#endif /* _MEMQUOTA_QUOTA_H */
