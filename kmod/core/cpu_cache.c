// SPDX-License-Identifier: GPL-2.0
/*
 * What CPUs hold in advance: slots for participants, shares of trackers.
 *
 * A CPU alone touches its slots and shares, with interrupts off, except that
 * charges and uncharges change a slot's words and a share by operations that are
 * atomic against interrupts. A drain asks each CPU by interrupt, so that it does
 * not wait for a CPU that a real-time task keeps busy.
 *
 * Bytes leave in the opposite order to that in which a charge adds them: first
 * the record's word, then the account's, then the share, then the total.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "record.h"
#include "total.h"

/**
 * DOC: Size of the caches
 *
 * A CPU holds of one tracker up to MEMQUOTA_SLOTS slots, and its share. A slot
 * holds at most its size, since slot_fill() makes its two words add up to that,
 * and charges and uncharges lower one of them. The share may hold what the slots
 * leave: each visit and each uncharge that finds it above that settles it.
 * memquota_cache_limits() divides what rule T3 allows among @nr_parts CPUs::
 *
 *	bound                 = min(64 KiB * possible CPUs, low_water / 8)
 *	per CPU     cpu_bytes = bound / nr_parts                <= 64 KiB
 *	            slot_bytes = 3/4 cpu_bytes / 4 slots        <= 12 KiB
 *	share->bytes + sizes of the slots <= cpu_bytes
 *
 * A CPU must have a part before it caches anything, and gives it back when it is
 * drained. While all parts are taken, a further CPU caches nothing, and has them
 * halved: no CPU caches anything any longer, memquota_caches_divide() drains all
 * of them, and only then makes twice as many parts, of half the size. So the
 * parts that are taken never exceed the bound. At the begin of a run of reclaim
 * their number is halved, if at most a quarter of them was taken since the last
 * drain. A tracker begins with as few parts as make 64 KiB each, so that a large
 * tracker has one for each possible CPU at once.
 *
 * New limits can make all caches too large at once, so
 * memquota_tracker_configure() ends with a drain. memquota_audit() tolerates
 * the same bound.
 */

/* The most that one CPU caches of one tracker (rule T3). */
#define CPU_CACHE_MAX		(64 * 1024)

/**
 * DOC: Which records get a slot
 *
 * A miss takes the direct way unless the record may get a slot. A free slot is
 * for the first record that looks for itself there. A slot that is in use goes
 * over to a record that misses there again and again: every SAMPLE_MISSES misses
 * one is sampled, and a record that was sampled DESERVING times, with none in
 * between that has the same place in @rivals, may claim a slot. It gets a free
 * one, or its own after that was found unused IDLE_SAMPLES times in a row. So a
 * stream of records that each come once evicts none. A slot that is unused so long
 * is emptied in any case, so that the share may hold more. Until the CPU is
 * drained it is then free for a record that deserves it alone. A record whose word another
 * CPU changes at the same time gets a slot at once, so that CPUs which charge the
 * same participant share a cache line less often.
 */
#define SAMPLE_MISSES		16
#define DESERVING		3
#define IDLE_SAMPLES		8

/* struct memquota_slot.idle of a free slot that was idle. */
#define SLOT_WAS_IDLE		U8_MAX

/* Shared drains are at least this far apart, in jiffies (rule T9). */
#define DRAIN_INTERVAL		max(HZ / 100, 1)

DEFINE_PER_CPU_ALIGNED(struct memquota_cpu, memquota_cpu);

static enum cpuhp_state hotplug_state;

/* An interrupt in between makes it younger than @tick says, which is right, too. */
noinline void memquota_tick_read(void)
{
	unsigned long tick = jiffies;

	this_cpu_write(memquota_cpu.tick_ns, ktime_get_coarse_ns());
	this_cpu_write(memquota_cpu.tick, tick);
}

/* Give most of a share that has grown too full back to the total. */
void memquota_share_settle(struct memquota_tracker *t)
{
	struct memquota_share *share = this_cpu_ptr(t->shares);
	u64 full = memquota_share_bytes(t, share);

	if (unlikely(share->bytes > full)) {
		u64 give = share->bytes - full / 4;

		share_sub(share, give);
		memquota_total_sub(t, give);
	}
}

/* Take bytes from the word of an account, after its record has lost them. */
void memquota_account_lose(struct memquota_account *a, u64 bytes)
{
	u64 before = atomic64_fetch_sub(bytes, &a->word);
	u64 used = before & ACCOUNT_USED;

	if (before & ACCOUNT_CLOSED)
		return;
	/*
	 * A word is highest just before bytes leave it, so the peak needs no
	 * update elsewhere. Racy: of two new peaks the lower may stay.
	 */
	if (unlikely(used > READ_ONCE(a->peak)))
		WRITE_ONCE(a->peak, used);
	if (unlikely(before & ACCOUNT_SPECIAL))
		memquota_watch_fell(READ_ONCE(a->watch), used - bytes);
	if (unlikely(READ_ONCE(a->waitq)))
		memquota_account_notify_waiters(a, false);
}

/*
 * Move bytes that a record has lost to this CPU's share. @old is the record's
 * word before that.
 */
void memquota_record_lost(struct memquota_record *r, u64 old, u64 bytes)
{
	struct memquota_share *share = this_cpu_ptr(r->tracker->shares);

	if (unlikely(old & RECORD_COUNTED))
		memquota_account_lose(r->account, bytes);
	share_add(share, bytes);
	share_count_lost(share, bytes);
}

#ifdef CONFIG_MEMQUOTA_DEBUG
static void excess_flush(void)
{
}

static void record_report_excess(struct memquota_record *r, u64 bytes)
{
	WARN(1, "memquota: %s: uncharged %llu bytes more than it held\n",
	     memquota_record_name(r), bytes);
}
#else
/*
 * The uncharge of more than was held that is reported next. An interrupt
 * reports it, since the uncharge may run under the lock of a run queue, where
 * printing can deadlock. Others meanwhile are not reported.
 */
static struct {
	atomic_t taken;
	u64 bytes;
	char name[MEMQUOTA_NAME_SIZE];
} excess;

static void excess_print(struct irq_work *work)
{
	pr_warn_ratelimited("%s: uncharged %llu bytes more than it held\n",
			    excess.name, excess.bytes);
	atomic_set_release(&excess.taken, 0);
}

static struct irq_work excess_irq_work = IRQ_WORK_INIT_HARD(excess_print);

static void excess_flush(void)
{
	irq_work_sync(&excess_irq_work);
}

static void record_report_excess(struct memquota_record *r, u64 bytes)
{
	if (atomic_cmpxchg(&excess.taken, 0, 1))
		return;
	excess.bytes = bytes;
	strscpy(excess.name, memquota_record_name(r), sizeof(excess.name));
	irq_work_queue(&excess_irq_work);
}
#endif

/*
 * Take @bytes from the record, and drop @pins, its references in units of the
 * word. @key is the key of the slot that the bytes come from. The slot is void
 * unless that is still the record's key, and the word counts bytes for it: see
 * DOC: Emptying a record. Return whether the slot was valid.
 */
bool memquota_record_lose(struct memquota_record *r, u64 key, u64 bytes,
			  u64 pins)
{
	u64 old, new, take;
	bool valid;

	do {
		old = atomic64_read_acquire(&r->word);
		valid = !(old & RECORD_ENDED) && memquota_record_key(r) == key &&
			memquota_word_has_key(old, key);
		take = valid ? min(bytes, memquota_word_used(old)) : 0;
		new = old - take * RECORD_BYTE - pins;
	} while (atomic64_cmpxchg(&r->word, old, new) != old);

	if (take)
		memquota_record_lost(r, old, take);
	if (unlikely(valid && take < bytes))
		record_report_excess(r, bytes - take);
	if (unlikely(!(new & RECORD_REFS)))
		memquota_record_free(r);
	return valid;
}

/* Empty a slot. @share is that of the slot's CPU and record. */
static noinline void slot_evict(struct memquota_slot *s,
				struct memquota_share *share)
{
	struct memquota_record *r = s->record;
	u64 key = slot_key(s);
	u64 freed = slot_freed(s);
	u64 bytes = slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL) + freed;

	slot_void(s, share);
	/*
	 * Before the word is lowered, see memquota_mark_gross(). What a void
	 * slot has was reported when the record was emptied. RCU keeps the
	 * record while interrupts are off.
	 */
	if (freed)
		atomic64_add(freed, &r->uncharged);
	if (!memquota_record_lose(r, key, bytes, RECORD_REF) && freed)
		atomic64_sub(freed, &r->uncharged);
}

/* Empty a slot of this CPU. */
static void slot_evict_this(struct memquota_slot *s)
{
	slot_evict(s, this_cpu_ptr(s->record->tracker->shares));
}

/* Evict this CPU's slot of a record, if it is where charges look for it. */
void memquota_slot_evict_local(struct memquota_record *r)
{
	struct memquota_slot *s = memquota_slot_local(r);

	if (s->record == r)
		slot_evict_this(s);
}

/* Return whether the slot is free for the first record that comes. */
static bool slot_is_for_any(const struct memquota_slot *s)
{
	return !s->record && s->idle != SLOT_WAS_IDLE;
}

/* Return whether a slot in which charges found another record is unused. */
static bool slot_is_idle(struct memquota_slot *s)
{
	u16 now = slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL) +
		  slot_word_bytes(s, MEMQUOTA_SLOT_ROOM);

	if (memquota_record_ended(s->record))
		return true;
	s->idle = s->seen == now ? s->idle + 1 : 0;
	s->seen = now;
	return s->idle >= IDLE_SAMPLES;
}

static struct memquota_slot *slot_find_free(struct memquota_cpu *c)
{
	struct memquota_slot *s;

	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
		if (!s->record)
			return s;
	return NULL;
}

/*
 * Sample a miss of a record that looked for itself in the slot. Return whether it
 * may claim one, by SLOT_ALWAYS.
 */
bool memquota_slot_sample(struct memquota_slot *s,
			  const struct memquota_record *r)
{
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	u64 key = memquota_record_key(r);
	unsigned int i = key % MEMQUOTA_RIVALS;
	bool deserves, idle;

	if (slot_is_for_any(s))
		return true;
	s->misses_left = SAMPLE_MISSES - 1;
	if (c->rivals[i].key != (u32)key) {
		c->rivals[i].key = key;
		c->rivals[i].samples = 0;
	}
	deserves = ++c->rivals[i].samples >= DESERVING;
	if (!s->record)
		return deserves;
	idle = slot_is_idle(s);
	if (deserves)
		return idle || slot_find_free(c);
	if (idle) {
		slot_evict_this(s);
		s->idle = SLOT_WAS_IDLE;
	}
	return false;
}

/*
 * Return a free slot for a record that has none on this CPU, or NULL if none may
 * be made free for it. Charges look for a participant in one slot, the same on
 * all CPUs. If another participant uses that slot and a different one is free,
 * the participant moves there, so that a few busy participants end up in a slot
 * each.
 */
struct memquota_slot *memquota_slot_claim(struct memquota_participant *p,
					  struct memquota_record *r,
					  enum slot_claim claim)
{
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_slot *home = &c->slots[READ_ONCE(r->slot)], *s;
	struct memquota_tracker *other;

	/* A record has one slot a CPU: evict the one that it had elsewhere. */
	if (unlikely(READ_ONCE(r->flags) & RECORD_MOVED)) {
		/* Two CPUs that moved it at once may have mixed the two. */
		WRITE_ONCE(p->slot, memquota_slot_words(home - c->slots));
		for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
			if (s->record == r)
				slot_evict_this(s);
	}
	/* It may be its own, with a key that it no longer has. */
	if (claim == SLOT_IF_FREE && home->record != r && !slot_is_for_any(home))
		return NULL;
	if (home->record && home->record != r) {
		s = slot_find_free(c);
		if (s) {
			set_bit(RECORD_MOVED_BIT, &r->flags);
			WRITE_ONCE(r->slot, s - c->slots);
			WRITE_ONCE(p->slot, memquota_slot_words(s - c->slots));
			home = s;
		}
	}
	if (home->record) {
		other = home->record->tracker;
		slot_evict_this(home);
		if (unlikely(other != r->tracker))
			memquota_share_settle(other);
	}
	home->idle = 0;
	home->seen = 0;
	return home;
}

/*
 * Give back what this CPU's slot of the record holds, and settle the share.
 * Interrupts are off.
 */
void memquota_flush_local_irqoff(struct memquota_record *r)
{
	memquota_slot_evict_local(r);
	memquota_share_settle(r->tracker);
}

/*
 * Give back all that this CPU holds for the record, and its share, so that the
 * total shows what was just uncharged here. Any context but NMI.
 */
void memquota_flush_local(struct memquota_record *r)
{
	struct memquota_share *share;
	unsigned long flags;
	u64 bytes;

	local_irq_save(flags);
	memquota_slot_evict_local(r);
	share = this_cpu_ptr(r->shares);
	bytes = share->bytes;
	share_sub(share, bytes);
	if (bytes)
		memquota_total_sub(r->tracker, bytes);
	local_irq_restore(flags);
}

/*
 * Give back what this CPU's slots of the account hold, and settle the share.
 * Return whether there was such a slot. Interrupts are off.
 */
bool memquota_account_drain_local(struct memquota_account *a)
{
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_slot *s;
	bool any = false;

	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
		if (s->record && s->record->account == a) {
			slot_evict_this(s);
			any = true;
		}
	memquota_share_settle(a->tracker);
	return any;
}

static void share_give_part_locked(struct memquota_tracker *t,
				   struct memquota_share *share)
{
	lockdep_assert_held(&t->waitq.lock);
	WRITE_ONCE(share->reserved, MEMQUOTA_NO_PART);
	t->nr_parts_taken--;
}

/* Give back what a CPU holds of the tracker. Interrupts are off. */
static void cpu_drain(struct memquota_tracker *t, int cpu)
{
	struct memquota_cpu *c = per_cpu_ptr(&memquota_cpu, cpu);
	struct memquota_share *share = per_cpu_ptr(t->shares, cpu);
	struct memquota_slot *s;
	u64 bytes;

	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
		if (!s->record)
			s->idle = 0;
		else if (s->record->tracker == t)
			slot_evict(s, share);
	bytes = share->bytes;
	share_sub(share, bytes);
	if (bytes)
		memquota_total_sub(t, bytes);
	/* With the lock taken elsewhere the CPU keeps its part, unused. */
	if (share_has_part(share) && raw_spin_trylock(&t->waitq.lock)) {
		share_give_part_locked(t, share);
		raw_spin_unlock(&t->waitq.lock);
	}
}

static void cpu_drain_this(void *tracker)
{
	cpu_drain(tracker, smp_processor_id());
}

/* Runs on another CPU, so it follows no pointer out of the slots. */
static bool cpu_holds_any(int cpu, void *tracker)
{
	struct memquota_tracker *t = tracker;
	struct memquota_cpu *c = per_cpu_ptr(&memquota_cpu, cpu);
	unsigned int i;

	for (i = 0; i < MEMQUOTA_SLOTS; i++)
		if (READ_ONCE(c->slots[i].record))
			return true;
	return READ_ONCE(per_cpu_ptr(t->shares, cpu)->bytes) ||
	       READ_ONCE(per_cpu_ptr(t->shares, cpu)->reserved) < MEMQUOTA_NO_PART;
}

/**
 * memquota_tracker_drain - make the total exact
 * @t: the tracker; a null handle is allowed
 *
 * Interrupts every CPU that holds quota in advance, and has it give that back.
 * It does not wait for a CPU that a real-time task keeps busy.
 *
 * Context: may sleep.
 */
void memquota_tracker_drain(struct memquota_tracker *t)
{
	might_sleep();
	if (!t || READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return;
	on_each_cpu_cond_mask(cpu_holds_any, cpu_drain_this, t, true,
			      cpu_online_mask);
}
EXPORT_SYMBOL_GPL(memquota_tracker_drain);

/*
 * Drain every CPU, also those that seem to hold nothing: a charge that is under
 * way, with interrupts off, has ended when its CPU takes the interrupt. May
 * sleep.
 */
void memquota_drain_each(struct memquota_tracker *t)
{
	might_sleep();
	if (READ_ONCE(t->state) != MEMQUOTA_DISABLED)
		on_each_cpu(cpu_drain_this, t, true);
}

static void drain_shared_locked(struct memquota_tracker *t)
{
	lockdep_assert_held(&t->drain_lock);
	t->drained = jiffies;
	WRITE_ONCE(t->drains, t->drains + 1);
	memquota_tracker_drain(t);
}

/* Drain all CPUs, unless another caller did within DRAIN_INTERVAL (rule T9). */
void memquota_drain_shared(struct memquota_tracker *t)
{
	mutex_lock(&t->drain_lock);
	if (time_after_eq(jiffies, t->drained + DRAIN_INTERVAL))
		drain_shared_locked(t);
	mutex_unlock(&t->drain_lock);
}

/*
 * Return after a drain of all CPUs that began no earlier than this call. Drains
 * are DRAIN_INTERVAL apart, so that a program that causes them cannot keep the
 * CPUs busy with interrupts: the caller may sleep for as long.
 */
void memquota_drain_fresh(struct memquota_tracker *t)
{
	u32 drains = READ_ONCE(t->drains);
	long pause;

	for (;;) {
		mutex_lock(&t->drain_lock);
		pause = t->drained + DRAIN_INTERVAL - jiffies;
		/* Another caller may have begun one, and ended it, meanwhile. */
		if (t->drains != drains || pause <= 0)
			break;
		mutex_unlock(&t->drain_lock);
		schedule_timeout_uninterruptible(pause);
	}
	if (t->drains == drains)
		drain_shared_locked(t);
	mutex_unlock(&t->drain_lock);
}

/*
 * Runs on another CPU with preemption off, so RCU keeps the record. Of the
 * account it looks at the address alone.
 */
static bool cpu_holds_account(int cpu, void *account)
{
	struct memquota_cpu *c = per_cpu_ptr(&memquota_cpu, cpu);
	struct memquota_record *r;
	unsigned int i;

	for (i = 0; i < MEMQUOTA_SLOTS; i++) {
		r = READ_ONCE(c->slots[i].record);
		if (r && r->account == account)
			return true;
	}
	return false;
}

static void cpu_drain_account(void *account)
{
	memquota_account_drain_local(account);
}

/*
 * Give back what slots hold for an account for which a task waits, unless
 * another caller did within DRAIN_INTERVAL (rule T9). Only CPUs that hold such a
 * slot are interrupted.
 */
void memquota_account_drain(struct memquota_account *a)
{
	struct memquota_tracker *t = a->tracker;

	mutex_lock(&t->drain_lock);
	if (time_after_eq(jiffies, a->waitq->drained + DRAIN_INTERVAL)) {
		a->waitq->drained = jiffies;
		on_each_cpu_cond_mask(cpu_holds_account, cpu_drain_account, a,
				      true, cpu_online_mask);
	}
	mutex_unlock(&t->drain_lock);
}

/*
 * Drain this CPU, if what it holds is at least what @bytes is above @limit.
 * Return whether it was drained. Interrupts are off.
 */
bool memquota_drain_local_above(struct memquota_tracker *t, u64 bytes, u64 limit)
{
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	u64 held = this_cpu_ptr(t->shares)->bytes;
	struct memquota_slot *s;

	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++)
		if (s->record && s->record->tracker == t)
			held += slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL) +
				slot_freed(s);
	if (!held || bytes > limit + held)
		return false;
	cpu_drain_this(t);
	return true;
}

/* Return the most that all CPUs cache of a tracker, in bytes (rule T3). */
u64 memquota_cache_bound(struct memquota_tracker *t)
{
	return min((u64)num_possible_cpus() * CPU_CACHE_MAX,
		   READ_ONCE(t->low_water) / 8);
}

/*
 * Divide the bound among the CPUs. CPUs cache nothing while a task waits at the
 * tracker's max, while the total is above it, or when the tracker is gone or
 * poisoned; charge_direct() and slot_refill() rely on that.
 */
void memquota_cache_limits(struct memquota_tracker *t)
{
	u64 bound = memquota_cache_bound(t), cpu;

	lockdep_assert_held(&t->waitq.lock);
	t->nr_parts = max_t(u64, t->nr_parts, div_u64(bound, CPU_CACHE_MAX));
	t->nr_parts = clamp(t->nr_parts, 1U, num_possible_cpus());
	cpu = min_t(u64, div_u64(bound, t->nr_parts), CPU_CACHE_MAX);
	WRITE_ONCE(t->caches_shut, false);
	/*
	 * A charge raises the total, with a full barrier, before it reads
	 * @caches_shut. So it sees the store above, or the total is seen here.
	 */
	smp_mb();
	if (memquota_tracker_total(t) > READ_ONCE(t->max)) {
		WRITE_ONCE(t->caches_shut, true);
		cpu = 0;
	}
	if (t->waitq.nr_queued || t->caches_divide ||
	    READ_ONCE(t->state) != MEMQUOTA_COUNTING)
		cpu = 0;
	WRITE_ONCE(t->cpu_bytes, cpu);
	WRITE_ONCE(t->slot_bytes, (cpu - cpu / 4) / MEMQUOTA_SLOTS);
}

/*
 * Only try to take the lock, which is held while tasks are woken: the caller may
 * hold the lock of a run queue. If the lock is taken, an interrupt does it.
 */
static void caches_try_resize(struct memquota_tracker *t)
{
	if (!raw_spin_trylock(&t->waitq.lock)) {
		WRITE_ONCE(t->caches_retry, true);
		irq_work_queue(&t->irq_work);
		return;
	}
	memquota_cache_limits(t);
	raw_spin_unlock(&t->waitq.lock);
}

/* Keep nothing in caches: the total is above max. Interrupts are off. */
void memquota_caches_shut(struct memquota_tracker *t)
{
	if (!READ_ONCE(t->caches_shut))
		caches_try_resize(t);
}

/* Compute the sizes again, since what they depend on has changed. */
void memquota_caches_resize(struct memquota_tracker *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->waitq.lock, flags);
	memquota_cache_limits(t);
	raw_spin_unlock_irqrestore(&t->waitq.lock, flags);
}

/* For tracker->irq_work: see caches_try_resize(). */
void memquota_caches_retry_resize(struct memquota_tracker *t)
{
	if (READ_ONCE(t->caches_retry) && xchg(&t->caches_retry, false))
		memquota_caches_resize(t);
}

/*
 * Give this CPU a part of what the tracker's caches may hold. If all parts are
 * taken, have smaller ones made.
 */
static void caches_take_part(struct memquota_tracker *t,
			     struct memquota_share *share)
{
	if (!raw_spin_trylock(&t->waitq.lock))
		return;
	if (t->nr_parts_taken < t->nr_parts) {
		t->nr_parts_taken++;
		WRITE_ONCE(share->reserved, 0);
	} else if (!t->caches_divide) {
		WRITE_ONCE(t->caches_divide, true);
		memquota_cache_limits(t);
		irq_work_queue(&t->irq_work);
	}
	raw_spin_unlock(&t->waitq.lock);
}

/*
 * Let this CPU cache, if it may: it takes a part, and caches that the total had
 * shut open if that is no longer above max. Interrupts are off, and the caller may
 * hold the lock of a run queue: see caches_try_resize().
 */
void memquota_share_open(struct memquota_tracker *t,
			 struct memquota_share *share)
{
	if (unlikely(!share_has_part(share)))
		caches_take_part(t, share);
	if (unlikely(READ_ONCE(t->caches_shut)) &&
	    memquota_tracker_total(t) <= READ_ONCE(t->max))
		caches_try_resize(t);
}

/* Make twice as many parts, of half the size. */
void memquota_caches_divide(struct work_struct *work)
{
	struct memquota_tracker *t = container_of(work, struct memquota_tracker,
						  divide);

	/* It may have been queued again before the last time has ended. */
	if (!READ_ONCE(t->caches_divide))
		return;
	/* A CPU that is going offline is drained before or after both. */
	cpus_read_lock();
	memquota_drain_each(t);
	raw_spin_lock_irq(&t->waitq.lock);
	t->nr_parts *= 2;
	WRITE_ONCE(t->caches_divide, false);
	memquota_cache_limits(t);
	raw_spin_unlock_irq(&t->waitq.lock);
	cpus_read_unlock();
}

/* Make half as many parts if few CPUs have one. May sleep. */
void memquota_caches_join_parts(struct memquota_tracker *t)
{
	raw_spin_lock_irq(&t->waitq.lock);
	if (t->nr_parts_taken <= t->nr_parts / 4) {
		t->nr_parts /= 2;
		memquota_cache_limits(t);
	}
	raw_spin_unlock_irq(&t->waitq.lock);
}

/* Give back what a dead CPU held. Its slots go to the share of this CPU. */
static int cpu_is_dead(unsigned int cpu, struct hlist_node *node)
{
	struct memquota_tracker *t = hlist_entry(node, struct memquota_tracker,
						 hotplug);
	struct memquota_share *share = per_cpu_ptr(t->shares, cpu);

	local_irq_disable();
	cpu_drain(t, cpu);
	cpu_drain_this(t);
	raw_spin_lock(&t->waitq.lock);
	if (share_has_part(share))
		share_give_part_locked(t, share);
	raw_spin_unlock(&t->waitq.lock);
	local_irq_enable();
	return 0;
}

int memquota_cpu_cache_add(struct memquota_tracker *t)
{
	return cpuhp_state_add_instance_nocalls(hotplug_state, &t->hotplug);
}

void memquota_cpu_cache_remove(struct memquota_tracker *t)
{
	cpuhp_state_remove_instance_nocalls(hotplug_state, &t->hotplug);
}

int memquota_cpu_cache_init(void)
{
	int ret = cpuhp_setup_state_multi(CPUHP_BP_PREPARE_DYN,
					  "memquota:cache", NULL, cpu_is_dead);

	BUILD_BUG_ON(CPU_CACHE_MAX * 3 / 4 / MEMQUOTA_SLOTS > MEMQUOTA_SLOT_BYTES);
	BUILD_BUG_ON(MEMQUOTA_SLOT_BYTES > U16_MAX);
	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

void memquota_cpu_cache_exit(void)
{
	excess_flush();
	cpuhp_remove_multi_state(hotplug_state);
}
