/* SPDX-License-Identifier: GPL-2.0 */
/* What a CPU holds in advance: slots for participants, shares of trackers. */
#ifndef _MEMQUOTA_CPU_CACHE_H
#define _MEMQUOTA_CPU_CACHE_H

#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
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
 * @size: the most it may hold, in bytes; 0 in a free slot
 * @seen: the bytes of both words at the last sample
 * @misses_left: of other records, until the next sample; negative: it is due
 * @idle: samples in a row at which the slot had not been used since the one before
 */
struct memquota_slot {
	u64 words[2];
	struct memquota_record *record;
	u16 room_full;
	u16 size;
	u16 seen;
	s8 misses_left;
	u8 idle;
};

#define MEMQUOTA_SLOTS		4

/* Records that a CPU remembers to have missed often. */
#define MEMQUOTA_RIVALS		16

/**
 * struct memquota_cpu - the slots of a CPU
 * @slots: the slots, of participants of any tracker
 * @tick: jiffies when @tick_ns was read
 * @tick_ns: CLOCK_MONOTONIC_COARSE, in ns
 * @rivals: for each of the last records that were sampled, by its key, how often
 */
struct memquota_cpu {
	struct memquota_slot slots[MEMQUOTA_SLOTS];
	unsigned long tick;
	u64 tick_ns;
	struct {
		u32 key;
		u32 samples;
	} rivals[MEMQUOTA_RIVALS];
};

/**
 * enum slot_claim - when a record may get a slot on this CPU
 * @SLOT_IF_FREE: if the one where charges look for it is free
 * @SLOT_ALWAYS: a free one, or else the one where charges look for it
 */
enum slot_claim {
	SLOT_IF_FREE,
	SLOT_ALWAYS,
};

DECLARE_PER_CPU_ALIGNED(struct memquota_cpu, memquota_cpu);

/* struct memquota_share.reserved of a CPU that may not cache. */
#define MEMQUOTA_NO_PART	BIT_ULL(62)

/**
 * struct memquota_share - a CPU's part of a tracker's total, for any participant
 * @bytes: what it holds
 * @reserved: the sizes of this CPU's slots of the tracker, or %MEMQUOTA_NO_PART,
 *	see DOC: Size of the caches
 * @gained: gross bytes that records gained on this CPU
 * @lost: gross bytes that records lost on this CPU
 *
 * Only the CPU itself writes its share: with interrupts off, or, @bytes, @gained
 * and @lost, by an operation that is atomic against interrupts, with preemption
 * off.
 */
struct memquota_share {
	u64 bytes;
	u64 reserved;
	u64 gained;
#ifdef CONFIG_MEMQUOTA_DEBUG
	u64 lost;
#endif
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

void memquota_tick_read(void);

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

static inline bool share_has_part(const struct memquota_share *share)
{
	return share->reserved < MEMQUOTA_NO_PART;
}

/* Let a slot hold up to @bytes of what the CPU may cache of the tracker. */
static inline void slot_set_size(struct memquota_slot *s,
				 struct memquota_share *share, u64 bytes)
{
	WRITE_ONCE(share->reserved, share->reserved + bytes - s->size);
	s->size = bytes;
}

static inline void slot_void(struct memquota_slot *s,
			     struct memquota_share *share)
{
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_AVAIL], 0);
	WRITE_ONCE(s->words[MEMQUOTA_SLOT_ROOM], 0);
	WRITE_ONCE(s->record, NULL);
	s->misses_left = 0;
	s->idle = 0;
	slot_set_size(s, share, 0);
}

static __always_inline bool memquota_tick_is_known(void)
{
	unsigned long tick = jiffies;

	return this_cpu_read(memquota_cpu.tick) == tick;
}

static __always_inline u64 memquota_tick_known(void)
{
	return this_cpu_read(memquota_cpu.tick_ns);
}

/*
 * Read CLOCK_MONOTONIC_COARSE, in ns. The result may be that of the tick before:
 * the clock moves after jiffies. It is kept, since reading the clock costs more
 * than all else that its callers do. Preemption is off.
 */
static inline u64 memquota_tick_ns(void)
{
	if (unlikely(!memquota_tick_is_known()))
		memquota_tick_read();
	return memquota_tick_known();
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

/* Count for an audit what a record gained, or lost if that is negative. */
static inline void share_count_moved(struct memquota_share *share, s64 bytes)
{
	if (bytes > 0)
		WRITE_ONCE(share->gained, share->gained + bytes);
	else
		share_count_lost(share, -bytes);
}

/* Interrupts are off for all of these. */
void memquota_share_settle(struct memquota_tracker *t);
void memquota_share_open(struct memquota_tracker *t,
			 struct memquota_share *share);
void memquota_account_lose(struct memquota_account *a, u64 bytes);
void memquota_record_lost(struct memquota_record *r, u64 old, u64 bytes);
bool memquota_record_lose(struct memquota_record *r, u64 key, u64 bytes,
			  u64 pins);
void memquota_slot_evict_local(struct memquota_record *r);
bool memquota_slot_sample(struct memquota_slot *s,
			  const struct memquota_record *r);
struct memquota_slot *memquota_slot_claim(struct memquota_participant *p,
					  struct memquota_record *r,
					  enum slot_claim claim);
void memquota_flush_local_irqoff(struct memquota_record *r);
bool memquota_account_drain_local(struct memquota_account *a);
bool memquota_drain_local_above(struct memquota_tracker *t, u64 bytes, u64 limit);
void memquota_caches_shut(struct memquota_tracker *t);

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
