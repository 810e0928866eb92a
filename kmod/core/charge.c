// SPDX-License-Identifier: GPL-2.0
/*
 * Charging and uncharging: from a CPU's slot, from its share, or from the total.
 */
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include "charge.h"
#include "index.h"
#include "record.h"
#include "total.h"

/**
 * DOC: The ledger
 *
 * A byte that a tracker counts is counted as exactly one of three: held by a
 * participant, in a slot for a participant, or in a CPU's share. The record's word and the
 * account's count the first two, the tracker's total counts all three::
 *
 *	tracker->total = sum of shares + sum of the words of open accounts
 *	account->word  = sum of the words of its records
 *	record->word   = bytes that its owner holds + bytes in its slots
 *
 * The sums are exact while nothing is charged or uncharged. Bytes that come in
 * are added to the total first, then to the account, then to the record. Bytes
 * that leave are taken in the opposite order. So the total is never below the
 * sum of the accounts' words, nor an account's word below the sum of its
 * records'. While bytes move between a share and an account, another CPU may
 * see them in both or in neither. A charge that finds the account closed or the
 * record left takes back what it has added so far. Closing counts that exactly
 * once, because both are atomic operations on the same word.
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
 *
 * All that follows participant->record runs with interrupts off, hence in an
 * RCU read-side section.
 */

/*
 * Derive how old the oldest data is (rule P11). The mark is the gross number of
 * bytes charged when it was set. Once as many have been uncharged, what is left
 * was charged later. Slots that have not reported make the result older than the
 * truth, never younger, and so does a CPU that finds the mark locked and leaves
 * it to the other. A mark of RECORD_NOT_DERIVED is never reached: the owner says
 * how old its data is. Interrupts are off.
 */
static noinline void record_move_mark(struct memquota_record *r, u64 mark)
{
	u64 ns;

	if (cmpxchg(&r->mark, mark, RECORD_MARK_LOCKED) != mark)
		return;
	/* Read before the bytes: what is charged meanwhile is younger. */
	ns = ktime_get_coarse_ns();
	/* Orders the clock before the word. */
	smp_rmb();
	mark = memquota_mark_gross(r);
	WRITE_ONCE(r->arrival_ns, r->mark_ns);
	r->mark_ns = ns;
	memquota_mark_unlock(r, mark);
}

static __always_inline void record_derive_arrival(struct memquota_record *r)
{
	u64 mark = READ_ONCE(r->mark);

	if (unlikely((u64)atomic64_read(&r->uncharged) >= mark))
		record_move_mark(r, mark);
}

/*
 * Move @bytes from the share to the account and the record, and take @pins,
 * references to the record in units of its word. Return 0; or an errno (-EAGAIN
 * if @key is no longer the record's) or REFUSED_BY_ACCOUNT, with nothing moved.
 */
static int record_gain(struct memquota_share *share,
		       struct memquota_record *r, u64 key, u64 bytes,
		       u64 pins, bool refusable)
{
	struct memquota_account *a = r->account;
	u64 max = READ_ONCE(a->max), old;
	int err = 0;
	s64 word;

	if (likely(!refusable || max == MEMQUOTA_UNLIMITED)) {
		word = atomic64_add_return(bytes, &a->word);
		if (unlikely(word & ACCOUNT_CLOSED)) {
			atomic64_sub(bytes, &a->word);
			return -ESTALE;
		}
	} else {
		word = atomic64_read(&a->word);
		do {
			if (word & ACCOUNT_CLOSED)
				return -ESTALE;
			if ((word & ACCOUNT_USED) + bytes > max)
				return REFUSED_BY_ACCOUNT;
		} while (!atomic64_try_cmpxchg(&a->word, &word, word + bytes));
		word += bytes;
	}
	if (unlikely(word & ACCOUNT_SPECIAL))
		memquota_watch_rose(READ_ONCE(a->watch), word & ACCOUNT_USED);
	share_sub(share, bytes);

	do {
		old = atomic64_read_acquire(&r->word);
		if (unlikely(old & RECORD_LEFT))
			err = -ESHUTDOWN;
		else if (unlikely(memquota_word_used(old) + bytes > RECORD_BYTES_MAX))
			err = -EOVERFLOW;
		else if (unlikely(memquota_record_key(r) != key ||
				  !memquota_word_has_key(old, key)))
			err = -EAGAIN;
		if (unlikely(err)) {
			memquota_account_lose(a, bytes);
			return err;
		}
	} while (atomic64_cmpxchg(&r->word, old,
				  old + bytes * RECORD_BYTE + pins) != old);
	WRITE_ONCE(share->gained, share->gained + bytes);

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
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;
	u64 share = this_cpu_ptr(t->shares)->bytes;

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
 * Get @need bytes for the record from the share or the total, and up to
 * *@extra if neither a limit nor a waiting task is in the way. *@extra becomes
 * what was obtained of it.
 */
static int record_obtain(struct memquota_record *r, u64 key, u64 need,
			 u64 *extra, u64 pins, enum charge_mode mode)
{
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;
	struct memquota_share *share = this_cpu_ptr(t->shares);
	bool refusable = mode != CHARGE_FORCED;
	u64 added;
	int err;

	if (unlikely(memquota_account_used(a) + need + *extra >
		     READ_ONCE(a->max)))
		*extra = 0;

	if (unlikely(share->bytes < need + *extra)) {
		u64 lack = need - min(need, share->bytes);
		u64 fill = need + *extra + memquota_share_bytes(t, share) -
			   share->bytes - lack;

		if (!memquota_total_add(t, lack, fill, refusable, &added))
			return refusable && memquota_tracker_total(t) + lack <=
					    MEMQUOTA_TOTAL_MAX ?
			       REFUSED_BY_TRACKER : -EOVERFLOW;
		share_add(share, added);
		*extra = min(*extra, share->bytes - need);
		if (unlikely(!refusable && memquota_tracker_total(t) >
					   READ_ONCE(t->max)))
			memquota_caches_shut(t);
	}
	err = record_gain(share, r, key, need + *extra, pins, refusable);
	if (unlikely(err == REFUSED_BY_ACCOUNT && *extra)) {
		*extra = 0;
		err = record_gain(share, r, key, need, pins, refusable);
	}
	return err;
}

static __always_inline bool word_try_cmpxchg(atomic64_t *word, u64 old, u64 new)
{
	s64 expected = old;

	return atomic64_try_cmpxchg(word, &expected, new);
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
		if (unlikely(old & RECORD_LEFT || memquota_record_key(r) != key ||
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
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;

	/* Tasks can wait only at a max. */
	if (READ_ONCE(a->limited) &&
	    (memquota_account_used(a) > READ_ONCE(a->max) ||
	     memquota_account_queued(a)))
		return 0;
	if (!share->has_part) {
		memquota_caches_take_part(t, share);
		if (!share->has_part)
			return 0;
	}
	if (!READ_ONCE(t->slot_bytes))
		memquota_caches_reopen(t);
	return READ_ONCE(t->slot_bytes);
}

/*
 * Return how many bytes a slot of the record may hold. None while a max is
 * passed, or another task waits for quota: what is uncharged then must reach the
 * total and the account at once.
 */
static __always_inline u64 record_slot_bytes(const struct memquota_record *r,
					     struct memquota_share *share)
{
	u64 bytes = READ_ONCE(r->account->tracker->slot_bytes);

	if (unlikely(!bytes || !share->has_part ||
		     READ_ONCE(r->account->limited)))
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

/* Give a free slot to the record, which has a reference for it. */
static void slot_install(struct memquota_cpu *c, struct memquota_slot *s,
			 struct memquota_record *r, u64 key, u64 avail,
			 u64 room)
{
	slot_fill(s, key, avail, room);
	s->seen = ~0;
	WRITE_ONCE(s->record, r);
	c->quick = memquota_slot_grant(c);
	c->granted = c->quick;
}

/*
 * Charge and uncharge the record itself, and leave its slot half full, so that
 * charges and uncharges both have as much ahead until the next visit. A charge
 * that a limit refuses evicts no other record from its slot. Return as
 * memquota_charge_as() does, or -EAGAIN if the record's key has changed.
 */
static noinline int record_visit(struct memquota_participant *p,
				 struct memquota_record *r, u64 charge,
				 u64 uncharge, enum charge_mode mode)
{
	struct memquota_tracker *t = r->account->tracker;
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_slot *s = &c->slots[READ_ONCE(r->slot)];
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
	if (likely(!err) && pin)
		s = memquota_slot_claim(c, p, r, t);
	if (charge > have) {
		keep = full / 2;
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
		if (unlikely(!keep))
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
	if (own)
		slot_fill(s, key, keep, full - keep);
	else if (pin)
		slot_install(c, s, r, key, keep, full - keep);
	if (unlikely(share->bytes > memquota_share_bytes(t, share)))
		memquota_share_settle(t);
	record_derive_arrival(r);
	return 0;
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

/*
 * Finish a miss that is not of the usual kind. @flags are those of
 * local_irq_save(). @s is the slot if its record has already lost the bytes in
 * it, else NULL.
 */
static noinline int charge_miss_slow(struct memquota_participant *p, u64 bytes,
				     enum charge_mode mode, unsigned long flags,
				     struct memquota_slot *s)
{
	struct memquota_record *r = rcu_dereference_sched(p->record);
	int err;

	if (s)
		slot_void(this_cpu_ptr(&memquota_cpu), s);
	if (unlikely(!r || READ_ONCE(r->flags) & RECORD_STATIC))
		err = memquota_static_record_error(r);
	else
		do {
			err = record_visit(p, r, bytes, 0, mode);
		} while (unlikely(err == -EAGAIN));
	local_irq_restore(flags);
	return err;
}

/*
 * Give back to the share what the account of a miss has gained, and finish the
 * miss. @before is the account's word after it gained. If the account closed
 * since, the bytes left the total with it.
 */
static noinline int charge_miss_undo(struct memquota_participant *p, u64 bytes,
				     enum charge_mode mode, unsigned long flags,
				     struct memquota_slot *s,
				     struct memquota_account *a, u64 gained,
				     u64 before)
{
	u64 word = atomic64_sub_return(gained, &a->word);

	if (before & ACCOUNT_CLOSED || !(word & ACCOUNT_CLOSED))
		share_add(this_cpu_ptr(a->tracker->shares), gained);
	return charge_miss_slow(p, bytes, mode, flags, s);
}

/* Finish a miss after which the share is too full or the mark is reached. */
static noinline int charge_miss_settle(struct memquota_record *r,
				       unsigned long flags)
{
	memquota_share_settle(r->account->tracker);
	record_derive_arrival(r);
	local_irq_restore(flags);
	return 0;
}

/*
 * Charge what a slot could not serve. The usual case is done here, in line: the
 * slot goes over from a record of the same tracker, often another one, no limit
 * is near, and no other CPU interferes. This function does for that case what
 * memquota_slot_evict() and record_gain() do, which explain the order of the
 * steps. memquota_cpu.quick says that no slot is free, and that no sweep is due.
 */
static __always_inline int charge_miss(struct memquota_participant *p,
				       u64 bytes, enum charge_mode mode)
{
	struct memquota_record *r, *other;
	struct memquota_account *a, *from;
	struct memquota_share *share;
	struct memquota_tracker *t;
	struct memquota_slot *s;
	u64 word, freed, out, half, gained, old, new, tag, before, left;
	unsigned long flags;

	local_irq_save(flags);
	r = rcu_dereference_sched(p->record);
	/* Pairs with participant_attach(), which sets @slot before @record. */
	smp_rmb();
	if (unlikely(!r || READ_ONCE(r->flags) & (RECORD_STATIC | RECORD_MOVED) ||
		     bytes > MEMQUOTA_SLOT_BYTES ||
		     !__this_cpu_read(memquota_cpu.quick)))
		return charge_miss_slow(p, bytes, mode, flags, NULL);
	s = (struct memquota_slot *)this_cpu_ptr(READ_ONCE(p->slot));
	other = s->record;
	a = r->account;
	t = a->tracker;
	from = other->account;
	half = READ_ONCE(t->slot_bytes) / 2;
	if (unlikely(from->tracker != t || !half ||
		     /* A limit that is set now may take effect a charge later. */
		     data_race(a->limited) ||
		     /* A charge that is refused takes no slot from another. */
		     (mode != CHARGE_FORCED &&
		      this_cpu_ptr(t->shares)->bytes < bytes + half)))
		return charge_miss_slow(p, bytes, mode, flags, NULL);
	__this_cpu_dec(memquota_cpu.quick);

	/* The other record loses what its slot has. */
	word = s->words[MEMQUOTA_SLOT_AVAIL];
	freed = slot_freed(s);
	/* Both words bear the same key, so their difference is one of bytes. */
	out = word - s->words[MEMQUOTA_SLOT_ROOM] + s->room_full;
	old = atomic64_read_acquire(&other->word);
	new = old - out * RECORD_BYTE - RECORD_REF;
	if (unlikely((READ_ONCE(other->tag) ^ word) >> MEMQUOTA_KEY_SHIFT ||
		     old & RECORD_LEFT || (s64)new < 0))
		return charge_miss_slow(p, bytes, mode, flags, NULL);
	/* Before the word is lowered, see memquota_mark_gross(). */
	atomic64_add(freed, &other->uncharged);
	if (unlikely(!word_try_cmpxchg(&other->word, old, new))) {
		/* If it was emptied, these bytes are among those reported. */
		atomic64_sub(freed, &other->uncharged);
		return charge_miss_slow(p, bytes, mode, flags, NULL);
	}
	/*
	 * The slot no longer holds a reference to @other. RCU keeps @other and
	 * @from while interrupts are off.
	 */
	share = this_cpu_ptr(t->shares);
	left = share->bytes;
	before = atomic64_fetch_sub(out, &from->word);
	/*
	 * The word of an account that has closed or is watched is above any
	 * peak, so one comparison finds these and a new peak. A peak that
	 * another CPU stores at the same time makes this CPU take the slow way
	 * in vain.
	 */
	if (unlikely(before > data_race(from->peak))) {
		memquota_account_lost(from, before, out);
		return charge_miss_slow(p, bytes, mode, flags, s);
	}
	left += out;
	share_count_lost(share, out);

	/* This one gains what it asks for, and half a slot. */
	gained = bytes + half;
	if (unlikely(left < gained)) {
		WRITE_ONCE(share->bytes, left);
		return charge_miss_slow(p, bytes, mode, flags, s);
	}
	left -= gained;
	WRITE_ONCE(share->bytes, left);
	before = atomic64_add_return(gained, &a->word);
	if (unlikely((s64)before < 0))
		return charge_miss_undo(p, bytes, mode, flags, s, a, gained,
					before);
	old = atomic64_read_acquire(&r->word);
	new = old + gained * RECORD_BYTE + RECORD_REF;
	tag = READ_ONCE(r->tag);
	if (unlikely((old ^ tag) & RECORD_TAGGED || (s64)new < 0 ||
		     !word_try_cmpxchg(&r->word, old, new)))
		return charge_miss_undo(p, bytes, mode, flags, s, a, gained,
					before);
	WRITE_ONCE(share->gained, share->gained + gained);
	slot_fill(s, tag >> MEMQUOTA_KEY_SHIFT, half, half);
	s->seen = ~0;
	WRITE_ONCE(s->record, r);
	if (unlikely(left > READ_ONCE(t->share_bytes) ||
		     /* A mark that moves now is compared at the next miss. */
		     (u64)atomic64_read(&r->uncharged) >= data_race(r->mark)))
		return charge_miss_settle(r, flags);
	local_irq_restore(flags);
	return 0;
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

void __memquota_uncharge(struct memquota_participant *p, size_t bytes)
{
	struct memquota_record *r;
	unsigned long flags;

	local_irq_save(flags);
	r = memquota_record_of(p);
	if (likely(r))
		record_visit(p, r, 0, min_t(u64, bytes, RECORD_BYTES_MAX),
			     CHARGE_FORCED);
	local_irq_restore(flags);
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

/*
 * Count a refusal. One by the tracker starts reclaim (rule T9), which counts
 * what it refused once for each participant and run: a caller that tries again
 * does not want more.
 */
static void record_note_refusal(struct memquota_record *r, u64 bytes, int by)
{
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;
	u16 end = READ_ONCE(t->reclaim.ends);

	atomic64_add_unless(&a->refused, 1, -1);
	/* Reclaim cannot make room for more than the limit itself. */
	if (by == REFUSED_BY_ACCOUNT || bytes > READ_ONCE(t->max) ||
	    READ_ONCE(r->victim.refused_end) == end)
		return;
	WRITE_ONCE(r->victim.refused_end, end);
	atomic64_add(bytes, &t->reclaim.refused_bytes);
	/* Pairs with the barrier in worker_rearm(). */
	smp_mb__after_atomic();
	if (!READ_ONCE(t->reclaim.awake))
		irq_work_queue(&t->irq_work);
}

/*
 * Give back what stands in the way of a refused charge on this CPU: the slots of
 * the account that refused it; or all that the CPU holds of the tracker, if that
 * is enough. Return whether anything was given back.
 */
static bool record_drain_local(struct memquota_record *r, u64 bytes, int by)
{
	struct memquota_tracker *t = r->account->tracker;

	if (by == REFUSED_BY_ACCOUNT)
		return memquota_account_drain_local(r->account);
	return memquota_drain_local_above(t, memquota_tracker_total(t) + bytes,
					  READ_ONCE(t->max));
}

int __memquota_try_charge(struct memquota_participant *p, size_t bytes,
			  gfp_t gfp)
{
	int err = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	struct memquota_account *a;
	struct memquota_record *r;
	unsigned long flags;

	if (likely(err <= 0))
		return err;
	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r && record_drain_local(r, bytes, err))
		err = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	local_irq_restore(flags);
	if (err > 0 && gfpflags_allow_blocking(gfp)) {
		a = memquota_account_of(p);
		if (!a)
			return -ESHUTDOWN;
		memquota_drain_shared(a->tracker);
		memquota_account_unref(a);
		err = memquota_charge_as(p, bytes, CHARGE_REFUSABLE);
	}
	if (err <= 0)
		return err;
	local_irq_save(flags);
	r = memquota_record_of(p);
	if (r)
		record_note_refusal(r, bytes, err);
	local_irq_restore(flags);
	return r ? -EDQUOT : -ESHUTDOWN;
}
EXPORT_SYMBOL_GPL(__memquota_try_charge);
