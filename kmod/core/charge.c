// SPDX-License-Identifier: GPL-2.0
/*
 * Charging and uncharging: from a CPU's slot, from its share, or from the total.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include "charge.h"
#include "index.h"
#include "record.h"
#include "total.h"

/**
 * DOC: The ledger
 *
 * A byte that a tracker counts is counted as exactly one of three: held by a
 * participant, in a slot for a participant, or in a CPU's share. The record's
 * word counts the first two, the tracker's total counts all three::
 *
 *	tracker->total = sum of shares + sum of the words of records
 *	record->word   = bytes that its owner holds + bytes in its slots
 *
 * A record that has left or whose account has closed, RECORD_ENDED in its word,
 * is not among these: its bytes have left the total. Leaving and closing set a
 * bit of the word, and get the bytes that the word had, in one atomic operation.
 * A charge and an uncharge exchange the word for one with other bytes, which
 * fails if the bit was set meanwhile. So each byte leaves once.
 *
 * What an account holds is the sum of its records' words, added up when it is
 * asked for. An account that has had a limit or a threshold has a word of its own
 * as well, and RECORD_COUNTED in the words of its records::
 *
 *	account->word  = sum of the words of its records, if they are counted
 *
 * The sums are exact while nothing is charged or uncharged. Bytes that come in
 * are added to the total first, then to the account's word, then to the record's.
 * Bytes that leave are taken in the opposite order. So the total is never below
 * the sum of the records' words, nor an account's word below its part of that sum.
 * While bytes move between a share and a record, another CPU may see them in both
 * or in neither.
 */

/**
 * DOC: Races of the fast path
 *
 * memquota_slot_take() loads a slot's word and exchanges it, with interrupts
 * and preemption on. Whatever happens in between is harmless, because the word
 * is all of the slot's state:
 *
 * - An interrupt that charges or uncharges the same slot changes the word. The
 *   exchange fails, and the charge becomes a miss. If several interrupts leave
 *   the word as it was, the exchange succeeds, rightly.
 * - An interrupt or a task that gives the slot to another participant changes
 *   the key. A key is never used twice, so the exchange fails.
 * - After a migration the exchange works on the word of the new CPU. It succeeds
 *   only if that word is the same, key and bytes. Taking them there is as
 *   correct.
 * - A drain runs on the CPU itself, as an interrupt.
 * - Closing and leaving do not touch slots of other CPUs. Bytes taken from a
 *   slot that has become void are not counted, and neither is what the record's
 *   word still holds for the slot.
 * - @slot or @nkey of the participant is replaced. The old pair still matches,
 *   or is void. A new slot with the old key, or the reverse, does not match.
 *
 * One comparison finds the key and the bytes: @nkey is the negated key,
 * shifted, so the sum is the bytes that would be left if the keys are the same.
 * Under a higher key it is at least 32768 - 16384. Under a lower key, in a free
 * slot, or with too few bytes it is negative, which as an unsigned number is at
 * least 16384 too, since keys have 49 bits. A slot has less than 16384 bytes.
 */

/**
 * DOC: The direct way
 *
 * A miss of a participant that has no slot on this CPU moves bytes between the
 * CPU's share and the record's word, in two operations with preemption off and
 * interrupts on. A charge takes them from the share first, an uncharge from the
 * record. In between they are counted by the total alone. The share changes by
 * operations that are atomic against interrupts, never below zero, the record's
 * word by an exchange. What happens between the two is harmless:
 *
 * - An interrupt that charges or uncharges leaves the sums right.
 * - A drain takes what the share has. A charge whose exchange fails then returns
 *   its bytes to a share that was drained, and what follows settles the share.
 *   An uncharge compares the share with what the CPU may cache after it has added
 *   its bytes, so it sees what was set before the drain.
 * - The account closes, or another CPU changes the word: the exchange fails, and
 *   a visit follows.
 * - memquota_uncharge_all() empties the record: the exchange fails, since the
 *   epoch has changed. Nothing of the record's key is used.
 *
 * The task does not migrate, and a CPU that is going offline does not run it, so
 * both operations are on the share of the same CPU. A dead CPU's share is drained
 * after them.
 *
 * All that follows participant->record runs with interrupts or preemption off,
 * hence in an RCU read-side section.
 */

/*
 * Derive how old the oldest data is (rule P11). The mark is the gross number of
 * bytes charged when it was set. Once as many have been uncharged, what is left
 * was charged later. Slots that have not reported make the result older than the
 * truth, never younger, and so does a CPU that finds the mark locked and leaves
 * it to the other. A mark of RECORD_NOT_DERIVED is never reached: the owner says
 * how old its data is. Any context but NMI.
 */
static noinline void record_move_mark(struct memquota_record *r, u64 mark)
{
	unsigned long flags;
	u64 ns;

	local_irq_save(flags);
	if (cmpxchg(&r->mark, mark, RECORD_MARK_LOCKED) != mark)
		goto out;
	/* Read before the bytes: what is charged meanwhile is younger. */
	ns = memquota_tick_ns();
	/* Orders the clock before the word. */
	smp_rmb();
	mark = memquota_mark_gross(r);
	WRITE_ONCE(r->arrival_ns, r->mark_ns);
	if (r->mark_ns == ns)
		WRITE_ONCE(r->mark_tick, jiffies);
	r->mark_ns = ns;
	memquota_mark_unlock(r, mark);
out:
	local_irq_restore(flags);
}

/*
 * Return whether so many bytes were uncharged that @mark is to be moved. Not again
 * in a tick in which that would not make the arrival younger; and not if the record
 * is empty now, since the charge that fills it stores the time.
 */
static __always_inline bool record_mark_reached(const struct memquota_record *r,
						u64 mark, u64 uncharged,
						u64 word)
{
	return unlikely(uncharged >= mark) && memquota_word_used(word) &&
	       READ_ONCE(r->mark_tick) != (u32)jiffies;
}

static __always_inline void record_derive_arrival(struct memquota_record *r)
{
	u64 mark = READ_ONCE(r->mark);

	if (record_mark_reached(r, mark, atomic64_read(&r->uncharged),
				atomic64_read(&r->word)))
		record_move_mark(r, mark);
}

/* Add bytes to the word of an account. Return 0, -ESTALE or REFUSED_BY_ACCOUNT. */
static noinline int account_gain(struct memquota_account *a, u64 bytes,
				 bool refusable)
{
	u64 max = refusable ? READ_ONCE(a->max) : MEMQUOTA_UNLIMITED;
	s64 word = atomic64_read(&a->word);

	do {
		if (word & ACCOUNT_CLOSED)
			return -ESTALE;
		if (max != MEMQUOTA_UNLIMITED &&
		    (word & ACCOUNT_USED) + bytes > max)
			return REFUSED_BY_ACCOUNT;
	} while (!atomic64_try_cmpxchg(&a->word, &word, word + bytes));
	word += bytes;
	if (unlikely(word & ACCOUNT_SPECIAL))
		memquota_watch_rose(READ_ONCE(a->watch), word & ACCOUNT_USED);
	return 0;
}

static __always_inline bool word_try_cmpxchg(atomic64_t *word, u64 old, u64 new)
{
	s64 expected = old;

	return atomic64_try_cmpxchg(word, &expected, new);
}

/*
 * Move @bytes from the share to the record, and take @pins, references to the
 * record in units of its word. Return 0; or an errno (-EAGAIN if @key is no
 * longer the record's) or REFUSED_BY_ACCOUNT, with nothing moved.
 */
static int record_gain(struct memquota_share *share,
		       struct memquota_record *r, u64 key, u64 bytes,
		       u64 pins, bool refusable)
{
	u64 old, ns;
	int err;

	for (;;) {
		/* Before the exchange: see charge_direct(). */
		ns = memquota_tick_ns();
		old = atomic64_read_acquire(&r->word);
		if (unlikely(old & RECORD_LEFT))
			return -ESHUTDOWN;
		if (unlikely(old & RECORD_CLOSED))
			return -ESTALE;
		if (unlikely(memquota_word_used(old) + bytes > RECORD_BYTES_MAX))
			return -EOVERFLOW;
		if (unlikely(memquota_record_key(r) != key ||
			     !memquota_word_has_key(old, key)))
			return -EAGAIN;
		if (unlikely(old & RECORD_COUNTED)) {
			err = account_gain(r->account, bytes, refusable);
			if (err)
				return err;
		}
		share_sub(share, bytes);
		if (likely(word_try_cmpxchg(&r->word, old,
					    old + bytes * RECORD_BYTE + pins)))
			break;
		share_add(share, bytes);
		if (unlikely(old & RECORD_COUNTED))
			memquota_account_lose(r->account, bytes);
	}
	WRITE_ONCE(share->gained, share->gained + bytes);
	if (!memquota_word_used(old))
		WRITE_ONCE(r->filled_ns, ns);
	if (unlikely(!(old & RECORD_INDEXED)))
		memquota_index_insert(r);
	return 0;
}

/*
 * Return which limit, or which waiting task, refuses the record @need bytes; an
 * errno; or 0. Another CPU may still get there first: record_obtain() decides.
 */
static int record_refused_by(struct memquota_record *r, u64 need,
			     enum charge_mode mode)
{
	struct memquota_tracker *t = r->tracker;
	u64 share = this_cpu_ptr(t->shares)->bytes;
	struct memquota_account *a = r->account;

	if (mode == CHARGE_FORCED)
		return 0;
	if (unlikely(READ_ONCE(t->waitq.nr)) && mode == CHARGE_REFUSABLE) {
		if (READ_ONCE(t->waitq.nr_queued))
			return REFUSED_BY_TRACKER;
		if (memquota_account_queued(a))
			return REFUSED_BY_ACCOUNT;
	}
	if (unlikely(memquota_account_used(a) + need > READ_ONCE(a->max)))
		return memquota_account_closed(a) ? -ESTALE :
						    REFUSED_BY_ACCOUNT;
	if (unlikely(need > share && memquota_tracker_total(t) + need - share >
				     READ_ONCE(t->max)))
		return REFUSED_BY_TRACKER;
	return 0;
}

/*
 * Have the share hold @need bytes, and up to @extra and what it holds for later
 * charges if that passes no limit. Return 0, REFUSED_BY_TRACKER or -EOVERFLOW.
 */
static int share_fill(struct memquota_tracker *t, struct memquota_share *share,
		      u64 need, u64 extra, bool refusable)
{
	u64 lack = need - min(need, share->bytes);
	u64 later = memquota_share_bytes(t, share) / 4 * 3;
	u64 added;

	if (!memquota_total_add(t, lack,
				need + extra + later - share->bytes - lack,
				refusable, &added))
		return refusable && memquota_tracker_total(t) + lack <=
				    MEMQUOTA_TOTAL_MAX ?
		       REFUSED_BY_TRACKER : -EOVERFLOW;
	share_add(share, added);
	if (unlikely(!refusable &&
		     memquota_tracker_total(t) > READ_ONCE(t->max)))
		memquota_caches_shut(t);
	return 0;
}

/*
 * Get @need bytes for the record from the share or the total, and up to
 * *@extra if neither a limit nor a waiting task is in the way. *@extra becomes
 * what was obtained of it.
 */
static int record_obtain(struct memquota_record *r, u64 key, u64 need,
			 u64 *extra, u64 pins, enum charge_mode mode)
{
	struct memquota_tracker *t = r->tracker;
	struct memquota_share *share = this_cpu_ptr(t->shares);
	bool refusable = mode != CHARGE_FORCED;
	int err;

	if (unlikely(*extra && memquota_record_counted(r) &&
		     memquota_account_used(r->account) + need + *extra >
		     READ_ONCE(r->account->max)))
		*extra = 0;

	if (unlikely(share->bytes < need + *extra)) {
		err = share_fill(t, share, need, *extra, refusable);
		if (err)
			return err;
		*extra = min(*extra, share->bytes - need);
	}
	err = record_gain(share, r, key, need + *extra, pins, refusable);
	if (unlikely((err == REFUSED_BY_ACCOUNT || err == -EOVERFLOW) && *extra)) {
		*extra = 0;
		err = record_gain(share, r, key, need, pins, refusable);
	}
	return err;
}

/*
 * Take a reference for a slot with that key. Fails if the participant has left,
 * since the last reference may be gone, or if @key is no longer the record's.
 */
static bool record_pin(struct memquota_record *r, u64 key)
{
	u64 old;

	do {
		old = atomic64_read_acquire(&r->word);
		if (unlikely(old & RECORD_ENDED || memquota_record_key(r) != key ||
			     !memquota_word_has_key(old, key)))
			return false;
	} while (atomic64_cmpxchg(&r->word, old, old + RECORD_REF) != old);
	return true;
}

/* Nothing is counted: clear @nkey, so that later calls return at once. */
static void participant_stop_counting(struct memquota_participant *p,
				      struct memquota_record *r)
{
	u64 nkey = -(memquota_record_key(r) << MEMQUOTA_KEY_SHIFT);

	cmpxchg(&p->nkey, nkey, 0);
}

static noinline u64 record_slot_bytes_slow(const struct memquota_record *r,
					   struct memquota_share *share)
{
	struct memquota_tracker *t = r->tracker;
	struct memquota_account *a;

	/* Tasks can wait only at a max. */
	if (memquota_record_counted(r)) {
		a = r->account;
		if (memquota_account_used(a) > READ_ONCE(a->max) ||
		    memquota_account_queued(a))
			return 0;
	}
	memquota_share_open(t, share);
	return share_has_part(share) ? READ_ONCE(t->slot_bytes) : 0;
}

/*
 * Return how many bytes a slot of the record may hold. None while a max is
 * passed, or another task waits for quota: what is uncharged then must reach the
 * total and the account at once.
 */
static __always_inline u64 record_slot_bytes(const struct memquota_record *r,
					     struct memquota_share *share)
{
	u64 bytes = READ_ONCE(r->tracker->slot_bytes);

	if (unlikely(!bytes || !share_has_part(share) ||
		     memquota_record_counted(r)))
		return record_slot_bytes_slow(r, share);
	return bytes;
}

/*
 * Report what was uncharged into the slot, and make it available. Return how
 * many bytes that are.
 */
static u64 slot_report_freed(struct memquota_slot *s)
{
	u64 freed = slot_freed(s);

	if (freed) {
		atomic64_add(freed, &s->record->uncharged);
		slot_fill(s, slot_key(s),
			  slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL) + freed,
			  slot_word_bytes(s, MEMQUOTA_SLOT_ROOM));
	}
	return freed;
}

/* Fill a slot of the record, which has a reference for it, half. */
static void slot_install(struct memquota_slot *s, struct memquota_share *share,
			 struct memquota_record *r, u64 key, u64 avail,
			 u64 full)
{
	slot_fill(s, key, avail, full - avail);
	slot_set_size(s, share, full);
	WRITE_ONCE(s->record, r);
}

/*
 * Charge and uncharge the record itself, and leave its slot half full, so that
 * charges and uncharges both have as much ahead until the next visit. A charge
 * that a limit refuses evicts no other record from its slot. @claim says whether
 * the record may get a slot. Return as memquota_charge_as() does, or -EAGAIN if
 * the record's key has changed.
 */
static noinline int record_visit(struct memquota_participant *p,
				 struct memquota_record *r, u64 charge,
				 u64 uncharge, enum charge_mode mode,
				 enum slot_claim claim)
{
	struct memquota_tracker *t = r->tracker;
	struct memquota_slot *s = memquota_slot_local(r);
	struct memquota_share *share = this_cpu_ptr(t->shares);
	u64 key = memquota_record_key(r), full, have = 0, freed = 0, keep;
	bool own, pin;
	int err;

	if (unlikely(READ_ONCE(t->state) != MEMQUOTA_COUNTING ||
		     memquota_account_closed(r->account))) {
		memquota_flush_local_irqoff(r);
		participant_stop_counting(p, r);
		return memquota_account_error(r->account);
	}
	/* Or sums of it would wrap. record_gain() compares with what is held. */
	if (unlikely(charge > RECORD_BYTES_MAX))
		return -EOVERFLOW;

	full = record_slot_bytes(r, share);
	if (unlikely(!full) && mode != CHARGE_FORCED)
		memquota_flush_local_irqoff(r);
	own = s->record == r && slot_key(s) == key;
	if (own) {
		freed = slot_report_freed(s);
		have = slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL);
	}
	if (uncharge) {
		/* Before the word is lowered, see memquota_mark_gross(). */
		atomic64_add(uncharge, &r->uncharged);
		have += uncharge;
	}

	pin = !own && full;
	err = charge > have ? record_refused_by(r, charge - have, mode) : 0;
	if (likely(!err) && pin) {
		s = memquota_slot_claim(p, r, claim);
		pin = s;
	}
	if (charge > have) {
		keep = own || pin ? full / 2 : 0;
		err = err ?: record_obtain(r, key, charge - have, &keep,
					   pin ? RECORD_REF : 0, mode);
		if (unlikely(err)) {
			memquota_share_settle(t);
			if (err == -ESTALE || err == -ESHUTDOWN)
				participant_stop_counting(p, r);
			if (err == -EAGAIN)
				/* It was reported when the record was emptied. */
				atomic64_sub(freed, &r->uncharged);
			return err;
		}
		/* The charge may have passed a max itself. */
		if (unlikely(!keep && (own || pin)))
			full = record_slot_bytes(r, share);
	} else {
		pin = pin && record_pin(r, key);
		keep = own || pin ? min(have - charge, full / 2) : 0;
		/* Report an uncharge of more than is held instead of caching it. */
		if (unlikely(have - charge > memquota_record_used(r)))
			keep = 0;
		/* If it was emptied, what the slot freed was reported then. */
		if (have - charge > keep &&
		    !memquota_record_lose(r, key, have - charge - keep, 0))
			atomic64_sub(freed, &r->uncharged);
	}
	if (own || pin)
		slot_install(s, share, r, key, keep, full);
	if (unlikely(share->bytes > memquota_share_bytes(t, share)))
		memquota_share_settle(t);
	record_derive_arrival(r);
	return 0;
}

/*
 * Fill the record's slot again for a charge that found too little in it, in the
 * usual case: neither the share nor a limit is in the way. Return whether it was
 * that case. Interrupts are off.
 */
static __always_inline bool slot_refill(struct memquota_slot *s,
					struct memquota_record *r, u64 charge)
{
	struct memquota_tracker *t = r->tracker;
	struct memquota_share *share = this_cpu_ptr(t->shares);
	u64 word = s->words[MEMQUOTA_SLOT_AVAIL], freed = slot_freed(s);
	u64 half = s->size / 2, left, old, new, tag;
	s64 gain;

	/* Pairs with the exchange in memquota_uncharge_all(). */
	old = atomic64_read_acquire(&r->word);
	tag = READ_ONCE(r->tag);
	gain = charge + half - slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL) - freed;
	left = share->bytes - gain;
	new = old + gain * RECORD_BYTE;
	if (unlikely((old ^ tag) & RECORD_TAGGED || (s64)new < 0 ||
		     old < RECORD_BYTE || !half ||
		     (tag ^ word) >> MEMQUOTA_KEY_SHIFT || (s64)left < 0 ||
		     left > memquota_share_bytes(t, share)))
		return false;
	/* Before the word is lowered, see memquota_mark_gross(). */
	atomic64_add(freed, &r->uncharged);
	if (unlikely(!word_try_cmpxchg(&r->word, old, new))) {
		/* If it was emptied, these bytes are among those reported. */
		atomic64_sub(freed, &r->uncharged);
		return false;
	}
	WRITE_ONCE(share->bytes, left);
	share_count_moved(share, gain);
	slot_fill(s, tag >> MEMQUOTA_KEY_SHIFT, half, half);
	record_derive_arrival(r);
	return true;
}

/* Return why a participant without a record of its own cannot be charged. */
int memquota_static_record_error(const struct memquota_record *r)
{
	if (r == &memquota_disabled_record)
		return 0;
	if (r == &memquota_left_record)
		return -ESHUTDOWN;
	return -ESTALE;
}

/* What a charge that tried the direct way found. */
enum direct_result {
	DIRECT_DONE,
	DIRECT_BARRED,		/* see charge_slow() */
	DIRECT_CONTENDED,	/* another CPU has just changed the record's word */
};

/*
 * Charge the direct way. @bytes is at most MEMQUOTA_SLOT_BYTES, so that no sum
 * wraps. Preemption is off.
 */
static __always_inline enum direct_result
charge_direct(struct memquota_record *r, u64 bytes, enum charge_mode mode)
{
	u64 old = atomic64_read(&r->word), new = old + bytes * RECORD_BYTE;
	struct memquota_share __percpu *share = r->shares;
	u64 ns = 0, had;

	/* Negative: RECORD_SLOW, which a sum may clear, or too many bytes. */
	if (unlikely((s64)(old | new) < 0 || !(old & RECORD_INDEXED)))
		return DIRECT_BARRED;
	/* While a task waits, or the total is above max, no charge may precede. */
	if (mode != CHARGE_FORCED && unlikely(!READ_ONCE(r->tracker->cpu_bytes)))
		return DIRECT_BARRED;
	/* Before the exchange: all that the record then holds arrived later. */
	if (old < RECORD_BYTE) {
		if (unlikely(!memquota_tick_is_known()))
			return DIRECT_BARRED;
		ns = memquota_tick_known();
	}
	/* It fails if an interrupt changes the share meanwhile. */
	had = this_cpu_read(share->bytes);
	if (unlikely(had < bytes ||
		     !memquota_this_cpu_try_cmpxchg(&share->bytes, &had,
						    had - bytes)))
		return DIRECT_BARRED;
	if (unlikely(!word_try_cmpxchg(&r->word, old, new))) {
		this_cpu_add(share->bytes, bytes);
		return DIRECT_CONTENDED;
	}
	this_cpu_add(share->gained, bytes);
	if (old < RECORD_BYTE)
		WRITE_ONCE(r->filled_ns, ns);
	return DIRECT_DONE;
}

/*
 * Charge where the direct way was not taken, or ended with @result: the record has
 * a slot on this CPU, or may get one; a limit may be near; the share lacks bytes; or
 * the clock's tick was not read yet. Preemption is off.
 */
static noinline int charge_slow(struct memquota_participant *p,
				struct memquota_record *r, u64 bytes,
				enum charge_mode mode,
				enum direct_result result)
{
	enum slot_claim claim = result == DIRECT_CONTENDED ? SLOT_ALWAYS :
							     SLOT_IF_FREE;
	struct memquota_share *share;
	struct memquota_slot *s;
	u64 __percpu *words;
	unsigned long flags;
	int err = 0;

	local_irq_save(flags);
	s = memquota_slot_local(r);
	if (unlikely(bytes > MEMQUOTA_SLOT_BYTES))
		goto visit;
	words = memquota_slot_words(READ_ONCE(r->slot));
	/* Two CPUs that moved it at once may have mixed the two. */
	if (unlikely(READ_ONCE(p->slot) != words) &&
	    READ_ONCE(r->flags) & RECORD_MOVED)
		WRITE_ONCE(p->slot, words);
	if (s->record == r) {
		if (likely(slot_refill(s, r, bytes)))
			goto out;
		goto visit;
	}
	if (s->misses_left < 0 && memquota_slot_sample(s, r)) {
		claim = SLOT_ALWAYS;
		goto visit;
	}
	share = this_cpu_ptr(r->tracker->shares);
	if (unlikely(!share_has_part(share)))
		memquota_share_open(r->tracker, share);
	if (result == DIRECT_BARRED && READ_ONCE(r->tracker->cpu_bytes) &&
	    !(atomic64_read(&r->word) & RECORD_SLOW) &&
	    (share->bytes >= bytes ||
	     !share_fill(r->tracker, share, bytes, 0, mode != CHARGE_FORCED))) {
		memquota_tick_ns();
		if (charge_direct(r, bytes, mode) == DIRECT_DONE)
			goto out;
	}
visit:
	do {
		err = record_visit(p, r, bytes, 0, mode, claim);
	} while (unlikely(err == -EAGAIN));
out:
	local_irq_restore(flags);
	return err;
}

/*
 * Charge after the participant's slot could not serve it: the direct way, or the
 * slow one. What is called from here returns at once to the caller, so that the
 * direct way saves no registers.
 */
static __always_inline int charge_miss(struct memquota_participant *p,
				       u64 bytes, enum charge_mode mode)
{
	enum direct_result result = DIRECT_BARRED;
	struct memquota_record *r;
	struct memquota_slot *s;
	int err;

	preempt_disable();
	r = rcu_dereference_sched(p->record);
	if (mode == CHARGE_FORCED) {
		/* The inline part has seen the key, which is set after both. */
		s = (struct memquota_slot *)this_cpu_ptr(READ_ONCE(p->slot));
	} else {
		if (unlikely(!r || READ_ONCE(r->flags) & RECORD_STATIC)) {
			err = memquota_static_record_error(r);
			goto out;
		}
		s = memquota_slot_local(r);
	}
	if (likely(bytes <= MEMQUOTA_SLOT_BYTES &&
		   READ_ONCE(s->record) != r &&
		   /* An interrupt may miss, too: then one is not counted. */
		   data_race(--s->misses_left) >= 0)) {
		result = charge_direct(r, bytes, mode);
		if (likely(result == DIRECT_DONE)) {
			preempt_enable();
			return 0;
		}
	}
	if (mode == CHARGE_FORCED && READ_ONCE(r->flags) & RECORD_STATIC)
		err = 0;
	else
		err = charge_slow(p, r, bytes, mode, result);
out:
	preempt_enable();
	return err;
}

/*
 * Charge after the slot could not serve it. Return 0, an errno,
 * REFUSED_BY_TRACKER or REFUSED_BY_ACCOUNT. Any context but NMI.
 */
int memquota_charge_as(struct memquota_participant *p, u64 bytes,
		       enum charge_mode mode)
{
	return charge_miss(p, bytes, mode);
}

void __memquota_charge(struct memquota_participant *p, size_t bytes)
{
	charge_miss(p, bytes, CHARGE_FORCED);
}
EXPORT_SYMBOL_GPL(__memquota_charge);

/* Uncharge by a visit. Preemption is off. */
static noinline void uncharge_slow(struct memquota_participant *p,
				   struct memquota_record *r, u64 bytes)
{
	unsigned long flags;

	if (READ_ONCE(r->flags) & RECORD_STATIC)
		return;
	local_irq_save(flags);
	record_visit(p, r, 0, min_t(u64, bytes, RECORD_BYTES_MAX),
		     CHARGE_FORCED, SLOT_IF_FREE);
	local_irq_restore(flags);
}

/* Finish an uncharge after which the share is too full. */
static noinline void uncharge_settle(struct memquota_record *r)
{
	struct memquota_tracker *t = r->tracker;
	unsigned long flags;

	local_irq_save(flags);
	memquota_share_open(t, this_cpu_ptr(t->shares));
	memquota_share_settle(t);
	record_derive_arrival(r);
	local_irq_restore(flags);
}

/* As charge_miss(), it has one call on each way. */
void __memquota_uncharge(struct memquota_participant *p, size_t bytes)
{
	struct memquota_share __percpu *share;
	struct memquota_record *r;
	u64 old, new, gross, left, mark;

	preempt_disable();
	r = rcu_dereference_sched(p->record);
	if (unlikely(bytes > MEMQUOTA_SLOT_BYTES))
		goto slow;
	old = atomic64_read(&r->word);
	new = old - bytes * RECORD_BYTE;
	/* Negative: RECORD_SLOW, which a difference may clear, or too few bytes. */
	if (unlikely((s64)(old | new) < 0))
		goto slow;
	/* Before the word is lowered, see memquota_mark_gross(). */
	gross = atomic64_add_return(bytes, &r->uncharged);
	if (unlikely(!word_try_cmpxchg(&r->word, old, new)))
		goto contended;
	share = r->shares;
	left = this_cpu_add_return(share->bytes, bytes);
#ifdef CONFIG_MEMQUOTA_DEBUG
	this_cpu_add(share->lost, bytes);
#endif
	if (unlikely(left + __this_cpu_read(share->reserved) >
		     READ_ONCE(r->tracker->cpu_bytes))) {
		uncharge_settle(r);
		preempt_enable();
		return;
	}
	mark = READ_ONCE(r->mark);
	if (record_mark_reached(r, mark, gross, new))
		record_move_mark(r, mark);
	preempt_enable();
	return;

contended:
	atomic64_sub(bytes, &r->uncharged);
slow:
	uncharge_slow(p, r, bytes);
	preempt_enable();
}
EXPORT_SYMBOL_GPL(__memquota_uncharge);

/*
 * Return the account of a participant with a reference to its memory, or NULL
 * if nothing is counted.
 */
struct memquota_account *memquota_account_of(struct memquota_participant *p)
{
	struct memquota_account *a = NULL;
	struct memquota_record *r;
	unsigned long flags;

	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r) {
		a = r->account;
		memquota_account_ref(a);
	}
	local_irq_restore(flags);
	return a;
}
