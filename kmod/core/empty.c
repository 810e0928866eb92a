// SPDX-License-Identifier: GPL-2.0
/*
 * Taking away all that a participant holds: in one call, or because it leaves.
 */
#include <linux/export.h>
#include "charge.h"
#include "record.h"

/**
 * DOC: Emptying a record
 *
 * memquota_uncharge_all() takes a record's bytes away and gives it a new key,
 * which makes its slots void. The record's word bears the low bits of the key,
 * the epoch. memquota_uncharge_all() runs under home->lock, one call at a
 * time. It chooses a key of the next epoch, exchanges the word for one without
 * bytes and with that epoch, and then writes the key. The exchange is a full
 * barrier.
 *
 * charge_direct() and __memquota_uncharge() do not use the key: they exchange
 * the word alone. memquota_record_lose(), record_gain(), record_pin() and
 * slot_refill() read the word, with acquire, then the key. A word and a key of
 * different epochs were read while the record is being emptied: bytes that come
 * in are refused with -EAGAIN, and a slot that is evicted is void. Then they
 * exchange the word. So:
 *
 * - A slot with the old key takes nothing from bytes that were charged later.
 *   They are in a word of a later epoch. A CPU that reads it sees a key that is
 *   at most one call older, since each call writes the key before the next one
 *   exchanges the word. So that key is not the slot's, or of another epoch.
 * - A slot that gets a key holds bytes that are counted for that key. If the
 *   record was emptied after the word was read, the exchange fails, because the
 *   epoch has changed.
 *
 * The epoch returns after MEMQUOTA_KEY_EPOCHS calls. If as many fall between
 * one charge's reading of the word and its exchange, with interrupts off, and
 * the bytes and references of the word are the same again, then the slot gets a
 * key that is void. The record counts up to a slot too much until it is emptied
 * again or left. The caller allows that: it serialises memquota_uncharge_all()
 * with charges that must stay.
 *
 * The owner must not uncharge meanwhile: what it uncharges after the emptying
 * is more than the participant holds.
 */

/**
 * memquota_uncharge_all - record that everything was freed
 * @p: the participant
 *
 * Does what memquota_uncharge() of all that @p holds would do, in one call.
 *
 * Context: any but NMI; any lock may be held, raw spinlocks too. The caller
 * serialises it with charges that must stay, and with uncharges.
 */
void memquota_uncharge_all(struct memquota_participant *p)
{
	struct memquota_record *r;
	u64 nkey, key, mark, old, new, used;
	unsigned long flags;

	local_irq_save(flags);
	r = memquota_record_of(p);
	if (!r)
		goto out;
	raw_spin_lock(&r->account->home->lock);
	nkey = -(memquota_record_key(r) << MEMQUOTA_KEY_SHIFT);
	key = memquota_new_key_with(memquota_record_key(r) + 1);
	/* Until @uncharged has what the word loses: see memquota_mark_gross(). */
	mark = memquota_mark_lock(r);
	do {
		old = atomic64_read(&r->word);
		used = old & RECORD_ENDED ? 0 : memquota_word_used(old);
		new = old - used * RECORD_BYTE;
		new = (new & ~RECORD_EPOCH) | MEMQUOTA_KEY_EPOCH(key);
	} while (atomic64_cmpxchg(&r->word, old, new) != old);
	/* After the exchange, which is a full barrier. */
	WRITE_ONCE(r->tag, memquota_key_tag(key));
	atomic64_add(used, &r->uncharged);
	memquota_mark_unlock(r, mark);
	/* Unless it was left, or found closed, meanwhile. */
	cmpxchg(&p->nkey, nkey, -(key << MEMQUOTA_KEY_SHIFT));
	raw_spin_unlock(&r->account->home->lock);
	memquota_slot_evict_local(r);
	if (used) {
		memquota_record_lost(r, old, used);
		memquota_share_settle(r->tracker);
	}
out:
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(memquota_uncharge_all);

/*
 * Mark the record as left, unless it is. What it holds goes to this CPU's share,
 * and its slots become void. Return the word as it was.
 */
u64 memquota_record_retire(struct memquota_record *r)
{
	unsigned long flags;
	u64 old;

	local_irq_save(flags);
	old = atomic64_fetch_or(RECORD_LEFT | RECORD_SLOW, &r->word);
	if (!(old & RECORD_ENDED) && memquota_word_used(old)) {
		memquota_record_lost(r, old, memquota_word_used(old));
		memquota_share_settle(r->tracker);
	}
	memquota_slot_evict_local(r);
	local_irq_restore(flags);
	return old;
}
