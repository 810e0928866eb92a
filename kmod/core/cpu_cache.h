/* SPDX-License-Identifier: GPL-2.0 */
/* What a CPU holds in advance: slots for participants, shares of trackers. */
#ifndef _MEMQUOTA_CPU_CACHE_H
#define _MEMQUOTA_CPU_CACHE_H

#include <linux/bits.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <memquota/participant.h>

struct memquota_account;
struct memquota_record;
struct work_struct;

/**
 * struct memquota_slot - quota of one CPU for one participant
 * @words: what may be charged (%MEMQUOTA_SLOT_AVAIL) and uncharged
 *	(%MEMQUOTA_SLOT_ROOM) without a visit. Both bear the record's key, so
 *	that one operation checks and changes a word. Charges on this CPU change
 *	them with interrupts on; all else with interrupts off.
 * @record: whose slot it is, with a reference; NULL: the slot is free
 * @room_full: @words[%MEMQUOTA_SLOT_ROOM] after the last visit; what is missing
 *	there now was uncharged since
 * @seen: the words at the last sweep, which evicts slots that were not used
 */
struct memquota_slot {
	u64 words[2];
	struct memquota_record *record;
	u32 room_full;
	u32 seen;
};

#define MEMQUOTA_SLOTS		4

/**
 * struct memquota_cpu - the slots of a CPU
 * @slots: the slots, of participants of any tracker
 * @misses: misses since the last sweep, less @granted
 * @granted: misses that the last visit allowed to do without looking for free
 *	slots
 * @quick: what is left of @granted
 */
struct memquota_cpu {
	struct memquota_slot slots[MEMQUOTA_SLOTS];
	unsigned int misses;
	unsigned int granted;
	unsigned int quick;
};

DECLARE_PER_CPU_ALIGNED(struct memquota_cpu, memquota_cpu);

/**
 * struct memquota_share - a CPU's part of a tracker's total, for any participant
 * @bytes: what it holds
 * @gained: gross bytes that records gained on this CPU
 * @lost: gross bytes that records lost on this CPU
 * @has_part: the CPU may cache, see DOC: Size of the caches
 *
 * Only the CPU itself writes its share, with interrupts off.
 */
struct memquota_share {
	u64 bytes;
	u64 gained;
#ifdef CONFIG_MEMQUOTA_DEBUG
	u64 lost;
#endif
	bool has_part;
};

/**
 * struct memquota_cpu_view - what a CPU holds in advance for a tracker
 * @share_bytes: its share
 * @nr: number of entries in @slots
 * @slots: the slots that hold bytes for participants of the tracker
 */
struct memquota_cpu_view {
	u64 share_bytes;
	unsigned int nr;
	struct {
		u64 account_id;
		u32 bytes;		/* in it, those in @freed_bytes included */
		u32 freed_bytes;	/* uncharged since the last visit */
		bool is_void;		/* no longer counted */
		char name[MEMQUOTA_NAME_SIZE];	/* of the participant */
	} slots[MEMQUOTA_SLOTS];
};

static inline u64 __percpu *memquota_slot_words(unsigned int slot)
{
	return (u64 __percpu *)memquota_cpu.slots[slot].words;
}

static inline u64 slot_key(const struct memquota_slot *s)
{
	return s->words[MEMQUOTA_SLOT_AVAIL] >> MEMQUOTA_KEY_SHIFT;
}

static inline u64 slot_word_bytes(const struct memquota_slot *s, unsigned int word)
{
	return s->words[word] & (BIT_ULL(MEMQUOTA_KEY_SHIFT) - 1);
}

/* Return what was uncharged into the slot since the last visit. */
static inline u64 slot_freed(const struct memquota_slot *s)
{
	return s->room_full - slot_word_bytes(s, MEMQUOTA_SLOT_ROOM);
}

static inline void slot_fill(struct memquota_slot *s, u64 key, u64 avail,
			     u64 room)
{
	key <<= MEMQUOTA_KEY_SHIFT;
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_AVAIL], key + avail);
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_ROOM], key + room);
	s->room_full = room;
}

static inline void slot_void(struct memquota_cpu *c, struct memquota_slot *s)
{
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_AVAIL], 0);
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_ROOM], 0);
	WRITE_ONCE(s->record, NULL);
	c->granted -= c->quick;
	c->quick = 0;
}

static inline void share_add(struct memquota_share *share, u64 bytes)
{
	WRITE_ONCE(share->bytes, share->bytes + bytes);
}

static inline void share_sub(struct memquota_share *share, u64 bytes)
{
	WRITE_ONCE(share->bytes, share->bytes - bytes);
}

/* Count for memquota_check() what records lost. */
static inline void share_count_lost(struct memquota_share *share, u64 bytes)
{
#ifdef CONFIG_MEMQUOTA_DEBUG
	WRITE_ONCE(share->lost, share->lost + bytes);
#endif
}

/* Interrupts are off for all of these. */
void memquota_share_settle(struct memquota_tracker *t);
void memquota_account_lose(struct memquota_account *a, u64 bytes);
void memquota_account_lost(struct memquota_account *a, u64 before, u64 bytes);
bool memquota_record_lose(struct memquota_record *r, u64 key, u64 bytes,
			  u64 pins);
void memquota_slot_evict(struct memquota_cpu *c, struct memquota_slot *s);
void memquota_slot_evict_local(struct memquota_record *r);
struct memquota_slot *memquota_slot_claim(struct memquota_cpu *c,
					  struct memquota_participant *p,
					  struct memquota_record *r,
					  struct memquota_tracker *t);
unsigned int memquota_slot_grant(const struct memquota_cpu *c);
void memquota_flush_local_irqoff(struct memquota_record *r);
bool memquota_account_drain_local(struct memquota_account *a);
bool memquota_drain_local_above(struct memquota_tracker *t, u64 bytes, u64 limit);
void memquota_caches_take_part(struct memquota_tracker *t,
			       struct memquota_share *share);
void memquota_caches_shut(struct memquota_tracker *t);
void memquota_caches_reopen(struct memquota_tracker *t);

void memquota_flush_local(struct memquota_record *r);
void memquota_drain_each(struct memquota_tracker *t);
void memquota_drain_shared(struct memquota_tracker *t);
void memquota_drain_fresh(struct memquota_tracker *t);
void memquota_account_drain(struct memquota_account *a);
u64 memquota_cache_bound(struct memquota_tracker *t);
void memquota_cache_limits(struct memquota_tracker *t);
void memquota_caches_resize(struct memquota_tracker *t);
void memquota_caches_retry_resize(struct memquota_tracker *t);
void memquota_caches_divide(struct work_struct *work);
void memquota_caches_join_parts(struct memquota_tracker *t);
u64 memquota_shares_bytes(struct memquota_tracker *t);
u64 memquota_shares_gained(struct memquota_tracker *t);
u64 memquota_shares_lost(struct memquota_tracker *t);
void memquota_view_cpu(struct memquota_tracker *t, unsigned int cpu,
		       struct memquota_cpu_view *view);
int memquota_cpu_cache_add(struct memquota_tracker *t);
void memquota_cpu_cache_remove(struct memquota_tracker *t);
int memquota_cpu_cache_init(void);
void memquota_cpu_cache_exit(void);

#endif /* _MEMQUOTA_CPU_CACHE_H */
