// SPDX-License-Identifier: GPL-2.0
/*
 * Charging: the CPUs' slots and shares, and what is behind them.
 *
 * A byte that a tracker counts is in exactly one place: held by a participant,
 * in a slot for it, or in a CPU's share. The first two are counted in the
 * record's word and in the account's, and all three in tracker->total:
 *
 *	total = sum of shares + sum of open accounts' words
 *	account's word = sum of its records' words
 *	record's word = what its owner holds + its slots
 *
 * Bytes that come in are added from the bottom of this list to the top (total,
 * account, record), and leave in the opposite order, so that at every moment
 * each line's left side is at least its right side: the total may be too high
 * by what is on its way, never too low. Whoever finds on the way that the
 * account has closed or the record has been left takes back what it added so
 * far; the closing has counted it exactly once, since both are atomic
 * operations on the same word.
 *
 * Slots and shares are touched by their own CPU alone, with interrupts off,
 * except that charges and uncharges take from a slot's words with an exchange
 * of one word that is atomic against interrupts (memquota_slot_take()). Every
 * interleaving of that load and exchange is harmless, because the word holds
 * all there is to know:
 *  - an interrupt that charges or uncharges the same slot changes the word;
 *    the exchange fails, and the visit below looks anew;
 *  - an interrupt or a preempting task that gives the slot to another
 *    participant changes the key, which is never used twice;
 *  - after a migration the exchange works on the other CPU's word: it succeeds
 *    only if that bears the same key and as many bytes, and taking from there
 *    is as right as it was here;
 *  - a drain runs on the CPU itself, as an interrupt;
 *  - a close or a leave does not touch slots: bytes taken from one that has
 *    become void count nowhere, and neither does what the record's word still
 *    says of them.
 *
 * All of it runs with interrupts off, hence in an RCU read-side section.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/ktime.h>
#include <linux/string.h>
#include "core.h"
#include "trace.h"

/* T3: what all caches of one CPU hold of one tracker, at the most. */
#define CPU_CACHE_MAX		(64 * 1024)

/* Misses between two looks for slots that nobody uses any more. */
#define SWEEP_MISSES		256

/* Totals above it are refused (T8); sums of two of them do not wrap. */
#define TOTAL_MAX		((u64)S64_MAX / 2)

/* Shared drains are at least this far apart (T9). */
#define DRAIN_INTERVAL		max(HZ / 100, 1)

DEFINE_PER_CPU_ALIGNED(struct memquota_cpu, memquota_cpu);

static enum cpuhp_state hotplug_state;

void memquota_total_sub(struct memquota_tracker *t, u64 bytes)
{
	s64 total = atomic64_sub_return(bytes, &t->total);

	if (unlikely(total < 0))
		memquota_tracker_poison(t, "total below zero");
	memquota_watch_total_fell(&t->watch, total);
	trace_memquota_total(t, -(s64)bytes);
	if (unlikely(READ_ONCE(t->waiting)))
		irq_work_queue(&t->irq_work);
}

/*
 * Add @need bytes to the total, and @extra if that passes no limit. Returns
 * whether @need could be had; *@added is what was.
 */
static bool total_add(struct memquota_tracker *t, u64 need, u64 extra,
		      bool refusable, u64 *added)
{
	s64 total = atomic64_read(&t->total);
	u64 max = READ_ONCE(t->max);
	u64 add;

	*added = 0;
	do {
		add = need + extra;
		if (total + add > max)
			add = need;
		if (total + add > (refusable ? min(max, TOTAL_MAX) : TOTAL_MAX))
			return false;
		if (!add)
			return true;
	} while (!atomic64_try_cmpxchg(&t->total, &total, total + add));

	*added = add;
	total += add;
	trace_memquota_total(t, add);
	/* Racy: two visits at once can leave the lower of two new peaks. */
	if (total > READ_ONCE(t->peak))
		WRITE_ONCE(t->peak, total);
	/* Pairs with the barrier in doze() of reclaim.c: the total is raised
	 * by a full barrier before @awake is read.
	 */
	if (unlikely(total > READ_ONCE(t->high)) && !READ_ONCE(t->awake))
		irq_work_queue(&t->irq_work);
	memquota_watch_total_rose(&t->watch, total);
	return true;
}

static void share_add(struct memquota_share *share, u64 bytes)
{
	WRITE_ONCE(share->bytes, share->bytes + bytes);
}

static void share_sub(struct memquota_share *share, u64 bytes)
{
	WRITE_ONCE(share->bytes, share->bytes - bytes);
}

/* Only memquota_check() wants to know. */
static void share_lost(struct memquota_share *share, u64 bytes)
{
#ifdef CONFIG_MEMQUOTA_DEBUG
	WRITE_ONCE(share->lost, share->lost + bytes);
#endif
}

/* Give most of a share that has grown too full back to the total. */
static void share_settle(struct memquota_tracker *t,
			 struct memquota_share *share)
{
	u64 full = READ_ONCE(t->share_bytes);

	if (unlikely(share->bytes > full)) {
		u64 give = share->bytes - full / 4;

		share_sub(share, give);
		memquota_total_sub(t, give);
	}
}

/*
 * Bytes that a record has lost leave its account for this CPU's share; where
 * the account has closed meanwhile they have left the total with it.
 */
static void account_lose(struct memquota_account *a, u64 bytes)
{
	u64 before = atomic64_fetch_sub(bytes, &a->word);
	struct memquota_share *share;

	if (before & ACCOUNT_CLOSED)
		return;
	/* Every peak comes before a loss. Racy: the lower of two can win. */
	if (unlikely(before > READ_ONCE(a->peak)))
		WRITE_ONCE(a->peak, before);
	if (unlikely(READ_ONCE(a->watched)))
		memquota_watch_fell(memquota_watch_of(a), before - bytes);
	share = this_cpu_ptr(a->tracker->shares);
	share_add(share, bytes);
	share_lost(share, bytes);
}

/* As account_lose(), and what is then too much goes on to the total. */
static void give_back(struct memquota_account *a, u64 bytes)
{
	account_lose(a, bytes);
	share_settle(a->tracker, this_cpu_ptr(a->tracker->shares));
}

static void report_excess(struct memquota_record *r, u64 bytes)
{
#ifdef CONFIG_MEMQUOTA_DEBUG
	WARN(1, "memquota: %s: uncharged %llu bytes more than it held\n",
	     memquota_record_name(r), bytes);
#else
	pr_warn_ratelimited("%s: uncharged %llu bytes more than it held\n",
			    memquota_record_name(r), bytes);
#endif
}

/*
 * @bytes leave the record, and @pins references to it. @key is that of the slot
 * that they come from; void unless it still is the record's. The key is read
 * after the word, and memquota_uncharge_all() writes them the other way round,
 * so that a word that it has emptied is never charged for a slot that it has
 * made void.
 */
static void record_lose(struct memquota_record *r, u64 key, u64 bytes,
			u64 pins)
{
	u64 old, new, take;
	bool valid;

	do {
		old = atomic64_read_acquire(&r->word);
		valid = !(old & RECORD_LEFT) && READ_ONCE(r->key) == key;
		take = valid ? min(bytes, memquota_word_used(old)) : 0;
		new = old - take * RECORD_BYTE - pins;
	} while (atomic64_cmpxchg(&r->word, old, new) != old);

	if (take)
		account_lose(r->account, take);
	if (unlikely(valid && take < bytes))
		report_excess(r, bytes - take);
	if (unlikely(!(new & RECORD_REFS)))
		memquota_record_free(r);
}

static __always_inline bool try_cmpxchg_word(atomic64_t *word, u64 old, u64 new)
{
	s64 expected = old;

	return atomic64_try_cmpxchg(word, &expected, new);
}

static u64 slot_key(const struct memquota_slot *s)
{
	return s->words[MEMQUOTA_SLOT_AVAIL] >> MEMQUOTA_KEY_SHIFT;
}

static u64 slot_word(const struct memquota_slot *s, unsigned int word)
{
	return s->words[word] & (BIT_ULL(MEMQUOTA_KEY_SHIFT) - 1);
}

/* What was uncharged into the slot since the last visit. */
static u64 slot_freed(const struct memquota_slot *s)
{
	return s->room_full - slot_word(s, MEMQUOTA_SLOT_ROOM);
}

static void slot_fill(struct memquota_slot *s, u64 key, u64 avail, u64 room)
{
	key <<= MEMQUOTA_KEY_SHIFT;
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_AVAIL], key + avail);
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_ROOM], key + room);
	s->room_full = room;
}

static void slot_void(struct memquota_cpu *c, struct memquota_slot *s)
{
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_AVAIL], 0);
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_ROOM], 0);
	WRITE_ONCE(s->record, NULL);
	c->granted -= c->quick;
	c->quick = 0;
}

static noinline void slot_evict(struct memquota_cpu *c, struct memquota_slot *s)
{
	struct memquota_record *r = s->record;
	u64 key = slot_key(s);
	u64 freed = slot_freed(s);
	u64 bytes = slot_word(s, MEMQUOTA_SLOT_AVAIL) + freed;

	slot_void(c, s);
	if (freed)
		atomic64_add(freed, &r->uncharged);
	record_lose(r, key, bytes, RECORD_REF);
}

/* Give up this CPU's slot of a record, if it has one where it is looked for. */
static void evict_local(struct memquota_record *r)
{
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_slot *s = &c->slots[READ_ONCE(r->slot)];

	if (s->record == r)
		slot_evict(c, s);
}

/* Give up slots whose words have not moved since the last sweep. */
static void sweep(struct memquota_cpu *c)
{
	struct memquota_slot *s;

	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++) {
		u32 now = slot_word(s, MEMQUOTA_SLOT_AVAIL) << 16 |
			  slot_word(s, MEMQUOTA_SLOT_ROOM);

		if (s->record && s->seen == now) {
			struct memquota_tracker *t = s->record->account->tracker;

			slot_evict(c, s);
			share_settle(t, this_cpu_ptr(t->shares));
		}
		s->seen = now;
	}
}

/*
 * How many misses may do without looking for free slots, and for what watched
 * accounts lose.
 */
static unsigned int quick_misses(const struct memquota_cpu *c)
{
	const struct memquota_record *r;
	unsigned int i;

	for (i = 0; i < MEMQUOTA_SLOTS; i++) {
		r = c->slots[i].record;
		if (!r || READ_ONCE(r->account->watched))
			return 0;
	}
	return SWEEP_MISSES;
}

/*
 * The slot for a record that has none here. Participants have a slot where
 * they are looked for; if a busy other one is there and some slot is free, the
 * participant moves, so that a few busy ones end up in a slot each.
 */
static struct memquota_slot *slot_claim(struct memquota_cpu *c,
					struct memquota_participant *p,
					struct memquota_record *r,
					struct memquota_tracker *t)
{
	struct memquota_slot *home = &c->slots[READ_ONCE(r->slot)], *s;
	struct memquota_tracker *other;

	c->misses += c->granted - c->quick + 1;
	c->granted = 0;
	c->quick = 0;
	if (unlikely(c->misses >= SWEEP_MISSES)) {
		c->misses = 0;
		sweep(c);
	}
	/* One slot a CPU for each: not the one from before it moved, too. */
	if (unlikely(READ_ONCE(r->flags) & RECORD_MOVED))
		for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
			if (s->record == r)
				slot_evict(c, s);
	if (!home->record)
		return home;
	if (home->record != r)
		for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
			if (!s->record) {
				set_bit(RECORD_MOVED_BIT, &r->flags);
				WRITE_ONCE(r->slot, s - c->slots);
				WRITE_ONCE(p->slot, memquota_slot_words(s - c->slots));
				return s;
			}
	other = home->record->account->tracker;
	slot_evict(c, home);
	if (unlikely(other != t))
		share_settle(other, this_cpu_ptr(other->shares));
	return home;
}

/*
 * The age of data that memquota derives (P11): it notes how much had been
 * charged at a moment (the mark); when that much has been uncharged, what is
 * left is younger than the mark's moment. CPUs that race here, and slots that
 * have not reported, make it err older. A mark of RECORD_NOT_DERIVED is
 * never reached: the owner says how old its data is.
 */
static void derive_arrival(struct memquota_record *r, u64 held)
{
	u64 gone = atomic64_read(&r->uncharged);
	u64 mark = READ_ONCE(r->mark);

	if (gone < mark || cmpxchg(&r->mark, mark, gone + held) != mark)
		return;
	WRITE_ONCE(r->arrival_ns, READ_ONCE(r->mark_ns));
	WRITE_ONCE(r->mark_ns, ktime_get_coarse_ns());
}

/*
 * Move @bytes from the share to the account and the record, and pin the record
 * @pins times. Returns an errno (-EAGAIN: @key is no longer the record's) or
 * REFUSED_BY_ACCOUNT, having moved nothing.
 */
static int gain(struct memquota_share *share, struct memquota_record *r,
		u64 key, u64 bytes, u64 pins, bool refusable)
{
	struct memquota_account *a = r->account;
	u64 max = READ_ONCE(a->max), old;
	int err = 0;
	s64 word;

	if (likely(!refusable || max == MEMQUOTA_UNLIMITED)) {
		word = atomic64_add_return(bytes, &a->word);
		if (unlikely(word < 0)) {
			atomic64_sub(bytes, &a->word);
			return -ESTALE;
		}
	} else {
		word = atomic64_read(&a->word);
		do {
			if (word < 0)
				return -ESTALE;
			if (word + bytes > max)
				return REFUSED_BY_ACCOUNT;
		} while (!atomic64_try_cmpxchg(&a->word, &word, word + bytes));
		word += bytes;
	}
	if (unlikely(READ_ONCE(a->watched)))
		memquota_watch_rose(memquota_watch_of(a), word);
	share_sub(share, bytes);

	do {
		old = atomic64_read_acquire(&r->word);
		if (unlikely(old & RECORD_LEFT))
			err = -ESHUTDOWN;
		else if (unlikely(memquota_word_used(old) + bytes > RECORD_BYTES_MAX))
			err = -EOVERFLOW;
		else if (unlikely(old & RECORD_EMPTYING ||
				  READ_ONCE(r->key) != key))
			err = -EAGAIN;
		if (unlikely(err)) {
			account_lose(a, bytes);
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
 * Get @need bytes for the record from the share or the total, and up to
 * *@extra if no limit, and nobody who waits, is in the way; *@extra becomes
 * what could be had of it.
 */
static int obtain(struct memquota_record *r, u64 key, u64 need, u64 *extra,
		  u64 pins, enum charge_mode mode)
{
	struct memquota_account *a = r->account;
	struct memquota_tracker *t = a->tracker;
	struct memquota_share *share = this_cpu_ptr(t->shares);
	bool refusable = mode != CHARGE_FORCED;
	u64 added;
	int err;

	if (unlikely(READ_ONCE(t->waiting))) {
		*extra = 0;
		if (mode == CHARGE_REFUSABLE && !list_empty_careful(&t->waiters))
			return REFUSED_BY_TRACKER;
		if (mode == CHARGE_REFUSABLE && !list_empty_careful(&a->waiters))
			return REFUSED_BY_ACCOUNT;
	}
	if (unlikely((u64)atomic64_read(&a->word) + need + *extra >
		     READ_ONCE(a->max))) {
		*extra = 0;
		/* What the account refuses is not to reach the total. */
		if (refusable &&
		    (u64)atomic64_read(&a->word) + need > READ_ONCE(a->max))
			return memquota_account_closed(a) ? -ESTALE :
							    REFUSED_BY_ACCOUNT;
	}

	if (unlikely(share->bytes < need + *extra)) {
		u64 lack = need - min(need, share->bytes);
		u64 fill = need + *extra + READ_ONCE(t->share_bytes) -
			   share->bytes - lack;

		if (!total_add(t, lack, fill, refusable, &added))
			return refusable &&
			       memquota_tracker_total(t) + lack <= TOTAL_MAX ?
			       REFUSED_BY_TRACKER : -EOVERFLOW;
		share_add(share, added);
		*extra = min(*extra, share->bytes - need);
	}
	err = gain(share, r, key, need + *extra, pins, refusable);
	if (unlikely(err == REFUSED_BY_ACCOUNT && *extra)) {
		*extra = 0;
		err = gain(share, r, key, need, pins, refusable);
	}
	return err;
}

/* For a slot. One that has left may have nothing that keeps its memory. */
static bool record_pin(struct memquota_record *r)
{
	s64 old = atomic64_read(&r->word);

	do {
		if (unlikely(old & RECORD_LEFT))
			return false;
	} while (!atomic64_try_cmpxchg(&r->word, &old, old + RECORD_REF));
	return true;
}

/* Nothing is counted here any more: later calls need not come this way. */
static void forget(struct memquota_participant *p, struct memquota_record *r)
{
	u64 nkey = -(READ_ONCE(r->key) << MEMQUOTA_KEY_SHIFT);

	cmpxchg(&p->nkey, nkey, 0);
}

/*
 * What a slot could not serve: charge and uncharge the record itself, and
 * leave its slot half full, so that both directions have as much ahead.
 */
static noinline int visit(struct memquota_participant *p,
			  struct memquota_record *r, u64 charge, u64 uncharge,
			  enum charge_mode mode)
{
	struct memquota_tracker *t = r->account->tracker;
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_slot *s = &c->slots[READ_ONCE(r->slot)];
	u64 key = READ_ONCE(r->key), full = READ_ONCE(t->slot_bytes);
	u64 have = 0, freed = 0, keep, pins = 0;
	int err;

	err = memquota_account_error(r->account);
	if (unlikely(err)) {
		if (s->record == r)
			slot_evict(c, s);
		forget(p, r);
		return err;
	}
	if (unlikely(charge > RECORD_BYTES_MAX - memquota_record_used(r)))
		return -EOVERFLOW;

	if (s->record == r && slot_key(s) == key) {
		freed = slot_freed(s);
		have = slot_word(s, MEMQUOTA_SLOT_AVAIL) + freed;
	} else {
		s = slot_claim(c, p, r, t);
		pins = RECORD_REF;
	}
	freed += uncharge;
	have += uncharge;

	if (charge > have) {
		keep = full / 2;
		err = obtain(r, key, charge - have, &keep, pins, mode);
		if (unlikely(err)) {
			share_settle(t, this_cpu_ptr(t->shares));
			if (err == -ESTALE || err == -ESHUTDOWN)
				forget(p, r);
			return err;
		}
		if (freed)
			atomic64_add(freed, &r->uncharged);
	} else {
		if (pins && unlikely(!record_pin(r))) {
			share_settle(t, this_cpu_ptr(t->shares));
			return -ESHUTDOWN;
		}
		keep = min(have - charge, full / 2);
		/* More than all that is held: to be reported, not cached. */
		if (unlikely(have - charge > memquota_record_used(r)))
			keep = 0;
		if (freed)
			atomic64_add(freed, &r->uncharged);
		if (have - charge > keep)
			record_lose(r, key, have - charge - keep, 0);
	}
	slot_fill(s, key, keep, full - keep);
	if (pins) {
		s->seen = ~0;
		WRITE_ONCE(s->record, r);
		c->quick = quick_misses(c);
		c->granted = c->quick;
	}
	share_settle(t, this_cpu_ptr(t->shares));
	derive_arrival(r, memquota_record_used(r));
	return 0;
}

/* Records that stand for a state say so; NULL is one that never joined. */
static int static_error(const struct memquota_record *r)
{
	if (r == &memquota_disabled_record)
		return 0;
	if (r == &memquota_left_record)
		return -ESHUTDOWN;
	return -ESTALE;
}

/*
 * What miss() could not do alone. Interrupts are off; @flags is what they were.
 * If it had come as far as evicting what was in @s, that is finished.
 */
static noinline int miss_slow(struct memquota_participant *p, u64 bytes,
			      enum charge_mode mode, unsigned long flags,
			      struct memquota_slot *s)
{
	struct memquota_record *r = rcu_dereference_sched(p->record);
	int err;

	if (s)
		slot_void(this_cpu_ptr(&memquota_cpu), s);
	if (unlikely(!r || READ_ONCE(r->flags) & RECORD_STATIC))
		err = static_error(r);
	else
		do {
			err = visit(p, r, bytes, 0, mode);
		} while (unlikely(err == -EAGAIN));
	local_irq_restore(flags);
	return err;
}

/* What is seldom left to do after a miss. */
static noinline int miss_rest(struct memquota_record *r, unsigned long flags)
{
	struct memquota_tracker *t = r->account->tracker;

	share_settle(t, this_cpu_ptr(t->shares));
	derive_arrival(r, memquota_record_used(r));
	local_irq_restore(flags);
	return 0;
}

/*
 * A charge that its slot could not serve. The usual case is done here without
 * a detour, and without a stack frame: the slot goes over from another record
 * of the same tracker, no limit is near, and no other CPU interferes. It does
 * what slot_evict() and gain() do, which say more. memquota_cpu.quick says that
 * no slot is free or a watched account's, and no sweep due.
 *
 * Returns 0, an errno, REFUSED_BY_TRACKER or REFUSED_BY_ACCOUNT.
 */
static __always_inline int miss(struct memquota_participant *p, u64 bytes,
				enum charge_mode mode)
{
	struct memquota_record *r, *other;
	struct memquota_account *a, *from;
	struct memquota_share *share;
	struct memquota_tracker *t;
	struct memquota_slot *s;
	u64 word, freed, out, half, gained, old, new, key, left, before;
	unsigned long flags;

	local_irq_save(flags);
	r = rcu_dereference_sched(p->record);
	if (unlikely(!r || READ_ONCE(r->flags) & (RECORD_STATIC | RECORD_MOVED) ||
		     bytes > MEMQUOTA_SLOT_BYTES ||
		     !__this_cpu_read(memquota_cpu.quick)))
		return miss_slow(p, bytes, mode, flags, NULL);
	s = (struct memquota_slot *)this_cpu_ptr(READ_ONCE(p->slot));
	other = s->record;
	a = r->account;
	t = a->tracker;
	from = other->account;
	half = READ_ONCE(t->slot_bytes) / 2;
	if (unlikely(other == r || from->tracker != t || !half ||
		     /* One that is set just now is as good as set later. */
		     data_race(a->special)))
		return miss_slow(p, bytes, mode, flags, NULL);
	__this_cpu_dec(memquota_cpu.quick);

	/* The other record loses what its slot has. */
	word = s->words[MEMQUOTA_SLOT_AVAIL];
	freed = slot_freed(s);
	/* The difference of two words with the same key is that of their bytes. */
	out = word - s->words[MEMQUOTA_SLOT_ROOM] + s->room_full;
	old = atomic64_read_acquire(&other->word);
	new = old - out * RECORD_BYTE - RECORD_REF;
	if (unlikely(READ_ONCE(other->key) != word >> MEMQUOTA_KEY_SHIFT ||
		     old & RECORD_LEFT || (s64)new < 0))
		return miss_slow(p, bytes, mode, flags, NULL);
	if (unlikely(!try_cmpxchg_word(&other->word, old, new)))
		return miss_slow(p, bytes, mode, flags, NULL);
	/* The slot does not pin it any more; its account's memory stays as long
	 * as interrupts are off.
	 */
	atomic64_add(freed, &other->uncharged);
	share = this_cpu_ptr(t->shares);
	left = share->bytes;
	before = atomic64_fetch_sub(out, &from->word);
	/* It has closed, or was never as high; an older peak will do. */
	if (unlikely(before > data_race(from->peak))) {
		if (!(before & ACCOUNT_CLOSED)) {
			WRITE_ONCE(from->peak, before);
			left += out;
			share_lost(share, out);
		}
		WRITE_ONCE(share->bytes, left);
		return miss_slow(p, bytes, mode, flags, s);
	}
	left += out;
	share_lost(share, out);

	/* This one gains what it asks for, and half a slot. */
	gained = bytes + half;
	if (unlikely(left < gained)) {
		WRITE_ONCE(share->bytes, left);
		return miss_slow(p, bytes, mode, flags, s);
	}
	if (unlikely(atomic64_add_return(gained, &a->word) < 0)) {
		atomic64_sub(gained, &a->word);
		WRITE_ONCE(share->bytes, left);
		return miss_slow(p, bytes, mode, flags, s);
	}
	left -= gained;
	WRITE_ONCE(share->bytes, left);
	old = atomic64_read_acquire(&r->word);
	new = old + gained * RECORD_BYTE + RECORD_REF;
	key = READ_ONCE(r->key);
	if (unlikely((old & (RECORD_LEFT | RECORD_INDEXED | RECORD_EMPTYING)) !=
		     RECORD_INDEXED ||
		     (s64)new < 0 || !try_cmpxchg_word(&r->word, old, new))) {
		/* If the account closed meanwhile they left with it. */
		if (atomic64_sub_return(gained, &a->word) >= 0)
			WRITE_ONCE(share->bytes, left + gained);
		return miss_slow(p, bytes, mode, flags, s);
	}
	WRITE_ONCE(share->gained, share->gained + gained);
	slot_fill(s, key, half, half);
	s->seen = ~0;
	WRITE_ONCE(s->record, r);
	if (unlikely(left > READ_ONCE(t->share_bytes) ||
		     /* One that moves just now is looked at again. */
		     (u64)atomic64_read(&r->uncharged) >= data_race(r->mark)))
		return miss_rest(r, flags);
	local_irq_restore(flags);
	return 0;
}

int memquota_charge_by(struct memquota_participant *p, u64 bytes,
		       enum charge_mode mode)
{
	return miss(p, bytes, mode);
}

void __memquota_charge(struct memquota_participant *p, size_t bytes)
{
	miss(p, bytes, CHARGE_FORCED);
}
EXPORT_SYMBOL_GPL(__memquota_charge);

void __memquota_uncharge(struct memquota_participant *p, size_t bytes)
{
	struct memquota_record *r;
	unsigned long flags;

	local_irq_save(flags);
	r = rcu_dereference_sched(p->record);
	if (likely(r && !(READ_ONCE(r->flags) & RECORD_STATIC)))
		visit(p, r, 0, min_t(u64, bytes, RECORD_BYTES_MAX), CHARGE_FORCED);
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(__memquota_uncharge);

/* Void what this CPU holds of the tracker. Interrupts are off. */
static void drain_cpu(struct memquota_tracker *t, int cpu)
{
	struct memquota_cpu *c = per_cpu_ptr(&memquota_cpu, cpu);
	struct memquota_share *share = per_cpu_ptr(t->shares, cpu);
	struct memquota_slot *s;
	u64 bytes;

	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
		if (s->record && s->record->account->tracker == t)
			slot_evict(c, s);
	bytes = share->bytes;
	share_sub(share, bytes);
	if (bytes)
		memquota_total_sub(t, bytes);
}

struct look {
	struct memquota_tracker *tracker;
	struct memquota_cpu_view *view;
};

static bool slot_is_void(const struct memquota_slot *s)
{
	struct memquota_record *r = s->record;

	return atomic64_read(&r->word) & RECORD_LEFT ||
	       READ_ONCE(r->key) != slot_key(s) ||
	       memquota_account_closed(r->account);
}

/* On the CPU itself, with interrupts off: nothing moves. */
static void view_this_cpu(void *arg)
{
	struct look *look = arg;
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_cpu_view *view = look->view;
	struct memquota_slot *s;
	unsigned int n = 0;

	view->share_bytes = this_cpu_ptr(look->tracker->shares)->bytes;
	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++) {
		if (!s->record || s->record->account->tracker != look->tracker)
			continue;
		view->slots[n].account_id = s->record->account->id;
		view->slots[n].freed_bytes = slot_freed(s);
		view->slots[n].bytes = slot_word(s, MEMQUOTA_SLOT_AVAIL) +
				       slot_freed(s);
		view->slots[n].is_void = slot_is_void(s);
		strscpy(view->slots[n].name, memquota_record_name(s->record),
			sizeof(view->slots[n].name));
		n++;
	}
	view->nr = n;
}

/* What a CPU holds in advance; nothing if it is offline. May sleep. */
void memquota_view_cpu(struct memquota_tracker *t, unsigned int cpu,
		       struct memquota_cpu_view *view)
{
	struct look look = { .tracker = t, .view = view };

	*view = (struct memquota_cpu_view){};
	if (READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return;
	smp_call_function_single(cpu, view_this_cpu, &look, true);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_view_cpu);

static void drain_this_cpu(void *tracker)
{
	drain_cpu(tracker, smp_processor_id());
}

/* Pointers are not followed: a record is its CPU's while a slot pins it. */
static bool holds_cache(int cpu, void *tracker)
{
	struct memquota_tracker *t = tracker;
	struct memquota_cpu *c = per_cpu_ptr(&memquota_cpu, cpu);
	unsigned int i;

	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		if (READ_ONCE(c->slots[i].record))
			return true;
	return READ_ONCE(per_cpu_ptr(t->shares, cpu)->bytes);
}

/**
 * memquota_tracker_drain - make the total exact
 * @t: the tracker; a null handle is allowed
 *
 * Asks every CPU that holds quota in advance to give it back. It is asked by
 * interrupt, so that a CPU that a real-time task keeps busy is not waited for.
 *
 * Context: may sleep.
 */
void memquota_tracker_drain(struct memquota_tracker *t)
{
	might_sleep();
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return;
	on_each_cpu_cond_mask(holds_cache, drain_this_cpu, t, true,
			      cpu_online_mask);
}
EXPORT_SYMBOL_GPL(memquota_tracker_drain);

/*
 * As memquota_tracker_drain(), and what charges on any CPU were about to do is
 * done: each is asked, whether it seems to hold something or not. May sleep.
 */
void memquota_drain_each(struct memquota_tracker *t)
{
	might_sleep();
	if (READ_ONCE(t->state) != MEMQUOTA_DISABLED)
		on_each_cpu(drain_this_cpu, t, true);
}

/*
 * Have every change of the account's word compared with its watch, which the
 * account must have. The drain makes this hold on each CPU: it waits for a quick
 * miss that did not see the flags, and leaves no older slot of the account. A
 * caller that finds it begun by another thread need not wait: that thread walks
 * all marks when it is done. May sleep.
 */
void memquota_account_set_watched(struct memquota_account *a)
{
	if (READ_ONCE(a->watched))
		return;
	WRITE_ONCE(a->special, true);
	/* Pairs with the barrier in memquota_watch_of(). */
	smp_store_release(&a->watched, true);
	memquota_drain_each(a->tracker);
}

/* T9: one drain for all who are refused within 10 ms. */
void memquota_drain_shared(struct memquota_tracker *t)
{
	mutex_lock(&t->drain_lock);
	if (time_after_eq(jiffies, t->drained + DRAIN_INTERVAL)) {
		t->drained = jiffies;
		memquota_tracker_drain(t);
	}
	mutex_unlock(&t->drain_lock);
}

static void drain_local(struct memquota_tracker *t)
{
	unsigned long flags;

	local_irq_save(flags);
	drain_this_cpu(t);
	local_irq_restore(flags);
}

/*
 * The record of a participant where something is counted, else NULL. It stays
 * as long as interrupts are off.
 */
static struct memquota_record *record_of(struct memquota_participant *p)
{
	struct memquota_record *r = rcu_dereference_sched(p->record);

	return r && !(READ_ONCE(r->flags) & RECORD_STATIC) ? r : NULL;
}

/* The account of a participant, its memory kept; NULL where there is none. */
struct memquota_account *memquota_account_of(struct memquota_participant *p)
{
	struct memquota_account *a = NULL;
	struct memquota_record *r;
	unsigned long flags;

	local_irq_save(flags);
	r = record_of(p);
	if (r) {
		a = r->account;
		memquota_account_ref(a);
	}
	local_irq_restore(flags);
	return a;
}

/* What a refusal means for the one who refused (T9). */
static void note_refusal(struct memquota_account *a, u64 bytes, int by)
{
	struct memquota_tracker *t = a->tracker;

	atomic64_add_unless(&a->refused, 1, -1);
	/* No reclaim makes room for what is larger than the whole. */
	if (by == REFUSED_BY_ACCOUNT || bytes > READ_ONCE(t->max))
		return;
	atomic64_add(bytes, &t->refused);
	/* Pairs with the barrier in doze() of reclaim.c. */
	smp_mb__after_atomic();
	if (!READ_ONCE(t->awake))
		irq_work_queue(&t->irq_work);
}

int __memquota_try_charge(struct memquota_participant *p, size_t bytes,
			  gfp_t gfp)
{
	int err = memquota_charge_by(p, bytes, CHARGE_REFUSABLE);
	struct memquota_account *a;

	if (likely(err <= 0))
		return err;
	a = memquota_account_of(p);
	if (!a)
		return -ESHUTDOWN;
	drain_local(a->tracker);
	err = memquota_charge_by(p, bytes, CHARGE_REFUSABLE);
	if (err > 0 && gfpflags_allow_blocking(gfp)) {
		memquota_drain_shared(a->tracker);
		err = memquota_charge_by(p, bytes, CHARGE_REFUSABLE);
	}
	if (err > 0) {
		note_refusal(a, bytes, err);
		err = -EDQUOT;
	}
	memquota_account_unref(a);
	return err;
}
EXPORT_SYMBOL_GPL(__memquota_try_charge);

/**
 * memquota_uncharge_all - record that everything was freed
 * @p: the participant
 *
 * As memquota_uncharge() of all that is held, in one call.
 *
 * Context: any but NMI; any lock may be held, raw spinlocks too. The caller
 * keeps it apart from charges that it does not mean.
 */
void memquota_uncharge_all(struct memquota_participant *p)
{
	struct memquota_tracker *t;
	struct memquota_record *r;
	u64 nkey, key, old, new, used;
	unsigned long flags;

	local_irq_save(flags);
	r = record_of(p);
	if (!r)
		goto out;
	t = r->account->tracker;
	/*
	 * The slots' part leaves with the rest: a new key makes them void.
	 * Nothing is gained between the two changes of the word, so that no
	 * slot has the new key and bytes that are about to leave; and the word
	 * differs afterwards even if nothing was held, so that no slot gets the
	 * old key and bytes that come later.
	 */
	raw_spin_lock(&t->lock);
	atomic64_or(RECORD_EMPTYING, &r->word);
	nkey = -(r->key << MEMQUOTA_KEY_SHIFT);
	key = memquota_new_key();
	WRITE_ONCE(r->key, key);
	old = atomic64_read(&r->word);
	do {
		used = old & RECORD_LEFT ? 0 : memquota_word_used(old);
		new = old - used * RECORD_BYTE;
		new = (new & ~RECORD_EMPTYING) ^ RECORD_EMPTIED;
	} while (!atomic64_try_cmpxchg(&r->word, (s64 *)&old, new));
	/* Not if it was left, or found closed, meanwhile. */
	cmpxchg(&p->nkey, nkey, -(key << MEMQUOTA_KEY_SHIFT));
	raw_spin_unlock(&t->lock);
	evict_local(r);
	atomic64_add(used, &r->uncharged);
	if (used)
		give_back(r->account, used);
out:
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(memquota_uncharge_all);

/*
 * The participant leaves: what it holds leaves the account, slots become void.
 * Returns the word as it was.
 */
u64 memquota_record_retire(struct memquota_record *r)
{
	unsigned long flags;
	u64 old;

	local_irq_save(flags);
	old = atomic64_fetch_or(RECORD_LEFT, &r->word);
	if (memquota_word_used(old))
		give_back(r->account, memquota_word_used(old));
	evict_local(r);
	local_irq_restore(flags);
	return old;
}

/* Bring what this CPU's slot has gathered into the record and the total. */
void memquota_flush_local(struct memquota_record *r)
{
	struct memquota_tracker *t = r->account->tracker;
	unsigned long flags;

	local_irq_save(flags);
	evict_local(r);
	share_settle(t, this_cpu_ptr(t->shares));
	local_irq_restore(flags);
}

/**
 * memquota_at_limit - ask whether a participant is at a hard limit
 * @p: the participant
 *
 * For owners that have an overflow path of their own.
 *
 * Context: any but NMI.
 * Return: whether the tracker's or the account's ``max`` is reached, so that
 * memquota_try_charge() is about to be refused.
 */
bool memquota_at_limit(struct memquota_participant *p)
{
	struct memquota_account *a;
	struct memquota_record *r;
	unsigned long flags;
	bool limit = false;

	local_irq_save(flags);
	r = record_of(p);
	if (r && !memquota_account_error(r->account)) {
		a = r->account;
		limit = memquota_tracker_total(a->tracker) >= READ_ONCE(a->tracker->max) ||
			(u64)atomic64_read(&a->word) >= READ_ONCE(a->max) ||
			!list_empty_careful(&a->tracker->waiters) ||
			!list_empty_careful(&a->waiters);
	}
	local_irq_restore(flags);
	return limit;
}
EXPORT_SYMBOL_GPL(memquota_at_limit);

/**
 * memquota_held - what a participant holds
 * @p: the participant
 *
 * Context: any but NMI.
 * Return: bytes, those in the CPUs' caches included; 0 where nothing is
 * counted.
 */
u64 memquota_held(struct memquota_participant *p)
{
	struct memquota_record *r;
	unsigned long flags;
	u64 held = 0;

	local_irq_save(flags);
	r = record_of(p);
	if (r && !memquota_account_error(r->account))
		held = memquota_record_used(r);
	local_irq_restore(flags);
	return held;
}
EXPORT_SYMBOL_GPL(memquota_held);

/**
 * memquota_participant_error - ask why nothing can be charged
 * @p: the participant
 *
 * For owners that must not start something that a charge would refuse in any
 * case. A hard limit is no error here, see memquota_at_limit().
 *
 * Context: any but NMI.
 * Return:
 * * 0 - memquota_try_charge() is refused by a hard limit alone, or @p is
 *   disabled
 * * %-ESHUTDOWN - the tracker was destroyed, or @p has left
 * * %-ENOTRECOVERABLE - the tracker is poisoned
 * * %-ESTALE - the account is closed, or @p never joined
 */
int memquota_participant_error(struct memquota_participant *p)
{
	struct memquota_record *r;
	unsigned long flags;
	int err;

	local_irq_save(flags);
	r = rcu_dereference_sched(p->record);
	if (!r || READ_ONCE(r->flags) & RECORD_STATIC)
		err = static_error(r);
	else
		err = memquota_account_error(r->account);
	local_irq_restore(flags);
	return err;
}
EXPORT_SYMBOL_GPL(memquota_participant_error);

/**
 * memquota_set_oldest - say when a participant's oldest data arrived
 * @p: the participant
 * @ns: on CLOCK_MONOTONIC_COARSE, or %MEMQUOTA_NO_DATA
 *
 * For owners that would rather store the time than be asked for it. From the
 * first call on it is taken instead of the derived time. While there is data
 * it should only move forward.
 *
 * Context: any but NMI.
 */
void memquota_set_oldest(struct memquota_participant *p, u64 ns)
{
	struct memquota_record *r;
	unsigned long flags;

	local_irq_save(flags);
	r = record_of(p);
	if (r) {
		/* Each call heals what a first miss may just have overwritten. */
		if (READ_ONCE(r->mark) != RECORD_NOT_DERIVED)
			WRITE_ONCE(r->mark, RECORD_NOT_DERIVED);
		if (!(READ_ONCE(r->flags) & RECORD_STORED))
			set_bit(RECORD_STORED_BIT, &r->flags);
		WRITE_ONCE(r->arrival_ns, ns);
	}
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(memquota_set_oldest);

#ifdef CONFIG_MEMQUOTA_DEBUG
void memquota_debug_charge(void)
{
	WARN_ONCE(memquota_in_callback(),
		  "memquota: charging from a callback of memquota's\n");
}
EXPORT_SYMBOL_GPL(memquota_debug_charge);
#endif

/* T3: what all CPUs hold of a tracker in advance, at the most. */
u64 memquota_cache_bound(struct memquota_tracker *t)
{
	return min((u64)num_possible_cpus() * CPU_CACHE_MAX,
		   READ_ONCE(t->low_water) / 8);
}

/*
 * T3: each CPU has a like part of the bound, a quarter of it for its share.
 * Nothing is held in advance while anyone waits for quota, or when nothing is
 * taken on any more; miss() relies on that. t->wait_lock is held.
 */
void memquota_cache_limits(struct memquota_tracker *t)
{
	u64 cpu = div_u64(memquota_cache_bound(t), num_possible_cpus());

	lockdep_assert_held(&t->wait_lock);
	if (t->waiting || READ_ONCE(t->state) != MEMQUOTA_COUNTING)
		cpu = 0;
	WRITE_ONCE(t->share_bytes, cpu / 4);
	WRITE_ONCE(t->slot_bytes, (cpu - cpu / 4) / MEMQUOTA_SLOTS);
}

static u64 shares_sum(struct memquota_tracker *t, size_t field)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*(u64 *)((void *)per_cpu_ptr(t->shares, cpu) +
					  field));
	return sum;
}

u64 memquota_shares_bytes(struct memquota_tracker *t)
{
	return shares_sum(t, offsetof(struct memquota_share, bytes));
}

u64 memquota_shares_gained(struct memquota_tracker *t)
{
	return shares_sum(t, offsetof(struct memquota_share, gained));
}

#ifdef CONFIG_MEMQUOTA_DEBUG
u64 memquota_shares_lost(struct memquota_tracker *t)
{
	return shares_sum(t, offsetof(struct memquota_share, lost));
}
#endif

/* T3: what a CPU that is gone held in advance. */
static int cpu_is_dead(unsigned int cpu)
{
	struct memquota_tracker *t;

	mutex_lock(&memquota_trackers_lock);
	list_for_each_entry(t, &memquota_trackers, trackers) {
		local_irq_disable();
		drain_cpu(t, cpu);
		/* Its slots went to this CPU's share. */
		drain_this_cpu(t);
		local_irq_enable();
	}
	mutex_unlock(&memquota_trackers_lock);
	return 0;
}

int memquota_cache_init(void)
{
	int ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
					    "memquota:cache", NULL,
					    cpu_is_dead);

	BUILD_BUG_ON(CPU_CACHE_MAX * 3 / 4 / MEMQUOTA_SLOTS > MEMQUOTA_SLOT_BYTES);
	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

void memquota_cache_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
