/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Participants: data structures that hold memory for an account.
 *
 * To put a queue under the quota, embed a struct memquota_participant in it
 * (zeroed), memquota_join() it with a callback, memquota_charge() what comes
 * in, memquota_uncharge() what goes out, and memquota_leave() before the queue
 * is freed. Charging and uncharging do nothing on a participant that never
 * joined or has left, and on one whose account is closed or disabled. So the
 * owner need not remember per object whether it was counted (rule P5).
 */
#ifndef _MEMQUOTA_PARTICIPANT_H
#define _MEMQUOTA_PARTICIPANT_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <memquota/account.h>

struct memquota_record;

/**
 * struct memquota_participant - embedded in the object that holds the memory
 * @nkey: negated key of this participant's slots, shifted; 0 if nothing is
 *	counted. Written by joining, by leaving and by a charge that finds the
 *	account closed; read by every charge
 * @slot: the per-CPU slot in which charges look. A hint: a slot with another key
 *	is not used
 * @record: memquota's own part, freed after an RCU grace period
 *
 * All zeroes is a participant that never joined. Owners must not access the
 * fields.
 */
struct memquota_participant {
	u64 nkey;
	u64 __percpu *slot;
	struct memquota_record __rcu *record;
};

/**
 * memquota_participant_init - make a participant one that never joined
 * @participant: the field in the object
 *
 * For an object that was made as a copy of another, such as a socket by
 * sk_clone_lock(): the copied field names the original's record. Call it before
 * the object is published. Zeroed memory needs no such call.
 *
 * Context: any.
 */
static inline void
memquota_participant_init(struct memquota_participant *participant)
{
	*participant = (struct memquota_participant){};
}

/**
 * struct memquota_request - what a participant is asked for
 * @id: number of the request, for memquota_reclaim_done()
 * @want_bytes: how much to free; U64_MAX for everything. A participant that
 *	keeps freeing less than half of it is passed over after a while
 * @until_ns: free only what arrived until this time, on CLOCK_MONOTONIC_COARSE
 *	in ns; U64_MAX for no such bound
 */
struct memquota_request {
	u64 id;
	u64 want_bytes;
	u64 until_ns;
};

/* In place of an arrival time: the participant holds no data. */
#define MEMQUOTA_NO_DATA	U64_MAX

/* For memquota_ops.flags: once asked, the account closes (rule R5). */
#define MEMQUOTA_COLLAPSING	BIT(0)
/*
 * For memquota_ops.flags: memquota_join_account() does the first step only.
 * The participant can charge; reclaim does not ask it before
 * memquota_activate().
 */
#define MEMQUOTA_INACTIVE	BIT(1)
/*
 * For memquota_ops.flags, with MEMQUOTA_COLLAPSING: the participant may also be
 * asked because the system is short of memory, though its tracker is within its
 * limits. Without this flag only a limit makes it collapse (rule R12).
 */
#define MEMQUOTA_COLLAPSE_UNDER_PRESSURE	BIT(2)

/**
 * typedef memquota_reclaim_fn - an atomic reclaim callback
 * @participant: the participant that is asked
 * @request: what it is asked for; valid during the call
 *
 * Called with bottom halves off, in an RCU read-side section, under no lock
 * that charging, uncharging, joining or leaving take. It frees the oldest data
 * and uncharges what it frees. It may uncharge, leave and put accounts. It must
 * not charge.
 */
typedef void (*memquota_reclaim_fn)(struct memquota_participant *participant,
				    const struct memquota_request *request);

/**
 * struct memquota_ops - the callbacks of a participant
 * @reclaim: atomic callback; a participant has either this one or
 *	@reclaim_sleeping
 * @reclaim_sleeping: callback in process context, with a reference to the owner
 *	that @get took. It returns 0 when it is done; -EINPROGRESS if
 *	memquota_reclaim_done() will answer; -EAGAIN if it would wait for a lock:
 *	it is called again in 10 ms, 20 ms and so on up to 1 s, until the request
 *	was answered or, unless the participant is collapsing, expires;
 *	another errno if it could not reclaim, and the account closes. Callbacks
 *	that hang delay those of the same module and tracker
 * @get: takes a reference to the owner for @reclaim_sleeping, or returns false
 *	if the owner is going away. Atomic, as @reclaim is
 * @put: drops the reference that @get took. Process context
 * @oldest: returns when the oldest data arrived, on CLOCK_MONOTONIC_COARSE in
 *	ns, or %MEMQUOTA_NO_DATA. A time before boot, a negative number, counts
 *	as 0. A time in the future makes the participant the last to be asked.
 *	Atomic, as @reclaim is. Optional: without it and without
 *	memquota_set_oldest() memquota derives the time from what is charged and
 *	uncharged
 * @trim: gives back some of what the owner can give without loss, before reclaim
 *	chooses a victim. Returns whether there is more, for a further call.
 *	Atomic, as @reclaim is. Optional
 * @owner: the module of the callbacks, which a running callback holds
 * @flags: %MEMQUOTA_COLLAPSING, %MEMQUOTA_INACTIVE,
 *	%MEMQUOTA_COLLAPSE_UNDER_PRESSURE
 *
 * Atomic callbacks run one at a time, over all trackers.
 */
struct memquota_ops {
	memquota_reclaim_fn reclaim;
	int (*reclaim_sleeping)(struct memquota_participant *participant,
				const struct memquota_request *request);
	bool (*get)(struct memquota_participant *participant);
	void (*put)(struct memquota_participant *participant);
	u64 (*oldest)(struct memquota_participant *participant);
	bool (*trim)(struct memquota_participant *participant);
	struct module *owner;
	unsigned int flags;
};

#if IS_REACHABLE(CONFIG_MEMQUOTA)

#include <memquota/compat.h>

/*
 * The lowest bits of a slot's words count bytes; the key stands above them.
 * The distance between two keys is twice the largest count, so that taking up
 * to MEMQUOTA_SLOT_BYTES from the word of a higher key cannot look like taking
 * from one's own.
 */
#define MEMQUOTA_SLOT_BYTES	MEMQUOTA_CACHE_MAX
#define MEMQUOTA_KEY_SHIFT	15

/* The words of a slot, each with the key: what may be charged, and uncharged. */
enum {
	MEMQUOTA_SLOT_AVAIL,
	MEMQUOTA_SLOT_ROOM,
};

extern struct memquota_record memquota_closed_record;

/* A participant that is closed from the beginning (rule A7). */
#define MEMQUOTA_PARTICIPANT_CLOSED					\
	{ .record = (struct memquota_record __force __rcu *)&memquota_closed_record }

void __memquota_charge(struct memquota_participant *participant, size_t bytes);
int __memquota_try_charge(struct memquota_participant *participant,
			  size_t bytes, gfp_t gfp);
void __memquota_uncharge(struct memquota_participant *participant,
			 size_t bytes);
#ifdef CONFIG_MEMQUOTA_DEBUG
void memquota_debug_charge(void);
#else
static inline void memquota_debug_charge(void)
{
}
#endif

/*
 * A charge that may sleep does so only before it is refused. Have kernels that
 * look for sleeping in atomic context report it at the first charge; in others
 * might_sleep() would cost a call.
 */
static __always_inline void memquota_debug_gfp(gfp_t gfp)
{
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		might_sleep_if(gfpflags_allow_blocking(gfp));
}

/*
 * Return whether the participant never joined, has left, is disabled or was
 * found closed. READ_ONCE() would keep the compiler from comparing in memory.
 * It is not needed: any value that was ever stored is right here, and
 * memquota_slot_take() loads its own.
 */
static __always_inline bool
memquota_counts_nothing(const struct memquota_participant *participant)
{
#ifdef CONFIG_X86_64
	/* Any value that was ever stored is right, see above. */
	return !data_race(participant->nkey);
#else
	/*
	 * Pairs with the release in participant_attach(): a charge that sees the
	 * key sees the slot. x86 does not reorder loads.
	 */
	return !smp_load_acquire(&participant->nkey);
#endif
}

/*
 * Take @bytes from a word of this CPU's slot. One unsigned comparison finds out
 * whether the slot has the participant's key, is open and holds enough: with
 * another key, or with less than @bytes, the difference is out of range.
 *
 * Interrupts and preemption stay on. The word holds all of its state. So
 * whatever happens between the load and the exchange, the exchange succeeds only
 * on a word of the same participant that still holds as much, and taking from
 * that word is right. A void word is 0, and so is the key of a participant that
 * is not counted: nothing can be taken from those.
 */
static __always_inline bool
memquota_slot_take(u64 __percpu *word,
		   const struct memquota_participant *participant, size_t bytes)
{
	u64 old, new;

	if (bytes > MEMQUOTA_SLOT_BYTES)
		return false;
	old = this_cpu_read(*word);
	new = old - bytes;
	if (unlikely(new + READ_ONCE(participant->nkey) >= MEMQUOTA_SLOT_BYTES))
		return false;
	return likely(memquota_this_cpu_try_cmpxchg(word, &old, new));
}

/**
 * memquota_charge - charge memory that is already held
 * @participant: the participant that holds it
 * @bytes: how much
 *
 * Counts even above the hard limits. Does nothing on a participant that is
 * disabled, closed, never joined or has left, nor if the participant would hold
 * 2^41 bytes (2 TiB) or more.
 *
 * Context: any but NMI; any lock may be held, raw spinlocks too. Not from a
 * callback of memquota's.
 */
static __always_inline void
memquota_charge(struct memquota_participant *participant, size_t bytes)
{
	memquota_debug_charge();
	if (memquota_counts_nothing(participant))
		return;
	if (unlikely(!memquota_slot_take(READ_ONCE(participant->slot) +
					 MEMQUOTA_SLOT_AVAIL, participant,
					 bytes)))
		__memquota_charge(participant, bytes);
}

/**
 * memquota_try_charge - charge memory that is about to be allocated
 * @participant: the participant that will hold it
 * @bytes: how much
 * @gfp: whether this may sleep: then it drains the CPUs' caches before it
 *	refuses, at most once per 10 ms for all callers together
 *
 * A total above ``high`` does not refuse it, because reclaim is asynchronous.
 * On an account that was just closed it may succeed until the CPU's cache is
 * used up. Such a charge is not counted. If the account has more than 64
 * participants, it may also succeed until a worker has closed @participant.
 * Such a charge leaves the total then.
 *
 * Context: any but NMI, and any lock may be held, unless @gfp allows to sleep.
 * Not from a callback of memquota's.
 *
 * Return:
 * * 0 - charged, or nothing is counted
 * * %-ESHUTDOWN - the tracker was destroyed, or the participant has left
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed, or the participant never joined
 * * %-EDQUOT - the charge would pass the tracker's or the account's ``max``
 * * %-EOVERFLOW - the participant would hold 2^41 bytes (2 TiB) or more, or the
 *   tracker's total would wrap
 */
static __always_inline int __must_check
memquota_try_charge(struct memquota_participant *participant, size_t bytes,
		    gfp_t gfp)
{
	memquota_debug_charge();
	memquota_debug_gfp(gfp);
	if (likely(!memquota_counts_nothing(participant)) &&
	    likely(memquota_slot_take(READ_ONCE(participant->slot) +
				      MEMQUOTA_SLOT_AVAIL, participant, bytes)))
		return 0;
	return __memquota_try_charge(participant, bytes, gfp);
}

/**
 * memquota_uncharge - uncharge memory that was freed
 * @participant: the participant that held it
 * @bytes: how much
 *
 * Never fails. Does nothing on a participant that is disabled, closed, never
 * joined or has left. A caller that uncharges more than is held has a bug:
 * memquota reports it with the participant's name, and sets the holding to 0.
 *
 * Context: any but NMI; any lock may be held, raw spinlocks too.
 */
static __always_inline void
memquota_uncharge(struct memquota_participant *participant, size_t bytes)
{
	if (memquota_counts_nothing(participant))
		return;
	if (unlikely(!memquota_slot_take(READ_ONCE(participant->slot) +
					 MEMQUOTA_SLOT_ROOM, participant,
					 bytes)))
		__memquota_uncharge(participant, bytes);
}

int __must_check
memquota_try_charge_wait(struct memquota_participant *participant,
			 size_t bytes, long timeout);
void memquota_uncharge_all(struct memquota_participant *participant);
bool memquota_at_limit(struct memquota_participant *participant);
u64 memquota_held(struct memquota_participant *participant);
int memquota_participant_error(struct memquota_participant *participant);
void memquota_set_oldest(struct memquota_participant *participant, u64 ns);

__printf(4, 5) void __memquota_join(struct memquota_participant *participant,
				    memquota_reclaim_fn reclaim,
				    struct module *owner, const char *fmt, ...);
__printf(5, 6) int
memquota_join_account(struct memquota_participant *participant,
		      struct memquota_account *account,
		      const struct memquota_ops *ops, gfp_t gfp,
		      const char *fmt, ...);
__printf(4, 5) void
memquota_join_private(struct memquota_participant *participant,
		      const struct memquota_ops *ops, gfp_t gfp,
		      const char *fmt, ...);
int memquota_activate(struct memquota_participant *participant);
void memquota_leave(struct memquota_participant *participant);
void memquota_synchronize_callback(struct memquota_participant *participant);
void memquota_reclaim_done(u64 request, int result);

#else

#define MEMQUOTA_PARTICIPANT_CLOSED	{ }

static inline void memquota_charge(struct memquota_participant *participant,
				   size_t bytes)
{
}

static inline int __must_check
memquota_try_charge(struct memquota_participant *participant, size_t bytes,
		    gfp_t gfp)
{
	return 0;
}

static inline void memquota_uncharge(struct memquota_participant *participant,
				     size_t bytes)
{
}

static inline int __must_check
memquota_try_charge_wait(struct memquota_participant *participant,
			 size_t bytes, long timeout)
{
	return 0;
}

static inline void
memquota_uncharge_all(struct memquota_participant *participant)
{
}

static inline bool memquota_at_limit(struct memquota_participant *participant)
{
	return false;
}

static inline u64 memquota_held(struct memquota_participant *participant)
{
	return 0;
}

static inline int
memquota_participant_error(struct memquota_participant *participant)
{
	return 0;
}

static inline void memquota_set_oldest(struct memquota_participant *participant,
				       u64 ns)
{
}

static inline __printf(4, 5) void
__memquota_join(struct memquota_participant *participant,
		memquota_reclaim_fn reclaim, struct module *owner,
		const char *fmt, ...)
{
}

static inline __printf(5, 6) int
memquota_join_account(struct memquota_participant *participant,
		      struct memquota_account *account,
		      const struct memquota_ops *ops, gfp_t gfp,
		      const char *fmt, ...)
{
	return 0;
}

static inline __printf(4, 5) void
memquota_join_private(struct memquota_participant *participant,
		      const struct memquota_ops *ops, gfp_t gfp,
		      const char *fmt, ...)
{
}

static inline int memquota_activate(struct memquota_participant *participant)
{
	return 0;
}

static inline void memquota_leave(struct memquota_participant *participant)
{
}

static inline void
memquota_synchronize_callback(struct memquota_participant *participant)
{
}

static inline void memquota_reclaim_done(u64 request, int result)
{
}

#endif /* CONFIG_MEMQUOTA */

/**
 * memquota_join - make an object a participant, in one call
 * @participant: the field in the object, zeroed or left
 * @reclaim: atomic callback that frees and uncharges the object's oldest data
 * @fmt: printf format of its name, and the arguments
 *
 * Makes a private account in the default tracker, from atomic memory or from a
 * small reserve. If even the reserve is used up, the participant is as one that
 * never joined, and debugfs counts a failed join. So there is no error to
 * handle.
 *
 * The participant is a partial one: while it holds the oldest data, reclaim asks
 * it for some of them, and it goes on.
 *
 * Context: any but NMI; any lock may be held. With PREEMPT_RT only while
 * preemption and interrupts are on, thus under no raw spinlock. The caller
 * serialises it with memquota_leave().
 */
#define memquota_join(participant, reclaim, fmt, ...)			\
	__memquota_join(participant, reclaim, THIS_MODULE, fmt, ##__VA_ARGS__)

#endif /* _MEMQUOTA_PARTICIPANT_H */
