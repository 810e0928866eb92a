// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of records and accounts.
 *
 * A record holds a reference to its account, and an account one to its tracker.
 * A private account holds none, since joins on all CPUs would share the counter:
 * the default tracker stays until memquota is unloaded, which waits for them.
 *
 * Records and accounts are freed a grace period after their last reference was
 * dropped, because a charge follows the pointers with interrupts off and without
 * a reference. A private account is freed with its record. A work item frees the
 * tracker, which sleeps.
 */
#include <linux/export.h>
#include <linux/mempool.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "record.h"
#include "total.h"
#include "trace.h"

/* Joins that the reserve serves while the system gives no atomic memory. */
#define RESERVE			64

/* Keys that fit above the bytes of a slot's word. */
#define KEY_MAX			(BIT_ULL(64 - MEMQUOTA_KEY_SHIFT) - 1)

/* From here on keys are those that were wanted with a given low part. */
#define KEY_WITH		BIT_ULL(63 - MEMQUOTA_KEY_SHIFT)

/* Keys that a CPU takes at once. */
#define KEY_BLOCK		256

/* Their words keep charges and uncharges from the direct way. */
#define STATIC_RECORD							\
	{ .flags = RECORD_STATIC, .word = ATOMIC64_INIT(RECORD_ENDED | RECORD_SLOW) }

struct memquota_record memquota_disabled_record = STATIC_RECORD;
struct memquota_record memquota_left_record = STATIC_RECORD;
struct memquota_record memquota_closed_record = STATIC_RECORD;
EXPORT_SYMBOL_GPL(memquota_closed_record);

struct memquota_account memquota_closed_account = {
	.word = ATOMIC64_INIT(ACCOUNT_CLOSED | ACCOUNT_SPECIAL),
	.max = MEMQUOTA_UNLIMITED,
	.handles = REFCOUNT_INIT(1),
	.refs = REFCOUNT_INIT(1),
	.name = "closed",
};
EXPORT_SYMBOL_GPL(memquota_closed_account);

/* Private joins that found no memory; they count nothing. */
atomic64_t memquota_failed_joins;

/*
 * The keys that a CPU has taken from the global counters, in blocks: a counter
 * that each join changes would be a cache line that joins on all CPUs share. Keys
 * with a given low part have counters of their own, so that none are skipped.
 */
struct key_stock {
	u64 next;			/* at the start of a block: none left */
	u64 next_with[MEMQUOTA_KEY_EPOCHS];	/* likewise; less the low part */
};

static DEFINE_PER_CPU(struct key_stock, key_stock);
static atomic64_t last_key_block;
static atomic64_t last_key_block_with[MEMQUOTA_KEY_EPOCHS];

static struct kmem_cache *account_cache;
static struct kmem_cache *record_cache;
static struct kmem_cache *private_cache;
static mempool_t *private_pool;

/* Return the first key of a new block, in units of the counter. */
static u64 key_block_take(atomic64_t *last, u64 max)
{
	u64 key = atomic64_inc_return(last) * KEY_BLOCK;

	WARN_ONCE(key > max - KEY_BLOCK, "memquota: out of keys\n");
	return key;
}

static noinline u64 key_stock_refill(void)
{
	u64 key = key_block_take(&last_key_block, KEY_WITH - 1);

	/* What an interrupt or another task may have taken meanwhile is lost. */
	this_cpu_write(key_stock.next, key + 1);
	return key;
}

/*
 * Return a key that was never used. They last 0.9 years at ten million joins a
 * second. Any context but NMI.
 */
u64 memquota_new_key(void)
{
	u64 key;

	/*
	 * After a migration the exchange fails, since no two CPUs have the same
	 * next key.
	 */
	do {
		key = this_cpu_read(key_stock.next);
		if (unlikely(!(key % KEY_BLOCK)))
			return key_stock_refill();
	} while (unlikely(!memquota_this_cpu_try_cmpxchg(&key_stock.next, &key,
							 key + 1)));
	return key;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_new_key);

/*
 * Return a key that was never used and whose remainder by MEMQUOTA_KEY_EPOCHS is
 * that of @low. Those of a low part last 20 days at ten million a second. Any
 * context but NMI.
 */
u64 memquota_new_key_with(unsigned int low)
{
	unsigned long flags;
	u64 *next, key;

	low %= MEMQUOTA_KEY_EPOCHS;
	local_irq_save(flags);
	next = &this_cpu_ptr(&key_stock)->next_with[low];
	key = *next;
	if (unlikely(!(key % KEY_BLOCK)))
		key = key_block_take(&last_key_block_with[low],
				     (KEY_MAX - KEY_WITH) / MEMQUOTA_KEY_EPOCHS);
	*next = key + 1;
	local_irq_restore(flags);
	return KEY_WITH + key * MEMQUOTA_KEY_EPOCHS + low;
}
MEMQUOTA_EXPORT_INTERNAL(memquota_new_key_with);

/* Copy a name without a conversion: formatting costs most of a join. */
void memquota_format_name(char *name, const char *fmt, va_list args)
{
	unsigned int i;

	for (i = 0; fmt[i] != '%'; i++) {
		if (!fmt[i] || i == MEMQUOTA_NAME_SIZE - 1) {
			name[i] = '\0';
			return;
		}
		name[i] = fmt[i];
	}
	vscnprintf(name, MEMQUOTA_NAME_SIZE, fmt, args);
}

/*
 * Refill the reserve: mempool_free() keeps an element while the pool has fewer
 * than RESERVE.
 */
static void reserve_refill(struct work_struct *work)
{
	while (READ_ONCE(private_pool->curr_nr) < RESERVE) {
		void *private = kmem_cache_alloc(private_cache, GFP_KERNEL);

		if (!private)
			break;
		mempool_free(private, private_pool);
	}
}

static DECLARE_WORK(reserve_work, reserve_refill);

/*
 * Fill the new reserve. Later kmem_cache_zalloc() has just failed, so
 * mempool_alloc() takes an element of the reserve.
 */
static void *reserve_alloc_element(gfp_t gfp, void *cache)
{
	return gfp & __GFP_DIRECT_RECLAIM ? mempool_alloc_slab(gfp, cache) : NULL;
}

/*
 * Return zeroed memory, or NULL. It does not block: mempool_alloc() would wait
 * for an element to be freed, which may never happen.
 */
static noinline struct memquota_private *reserve_take(void)
{
	void *private = mempool_alloc(private_pool, GFP_NOWAIT | __GFP_NOWARN);

	return private ? memset(private, 0, sizeof(struct memquota_private)) :
			 NULL;
}

static void reserve_queue_refill(struct irq_work *work)
{
	queue_work(memquota_wq, &reserve_work);
}

static struct irq_work reserve_irq_work = IRQ_WORK_INIT_HARD(reserve_queue_refill);

static void account_free_rcu(struct rcu_head *rcu)
{
	struct memquota_account *a = container_of(rcu, struct memquota_account,
						  rcu);
	struct memquota_tracker *t = a->tracker;
	struct memquota_private *private;

	trace_memquota_account_free(a);
	kfree(a->watch);
	kfree(a->waitq);
	if (a->private) {
		private = container_of(a, struct memquota_private, account);
		memquota_sleeper_free(private->record.sleeper);
		mempool_free(private, private_pool);
		return;
	}
	kmem_cache_free(account_cache, a);
	memquota_tracker_unref(t);
}

/* Drop a reference. Any context: an RCU callback frees the memory. */
void memquota_account_unref(struct memquota_account *a)
{
	if (refcount_dec_and_test(&a->refs))
		call_rcu(&a->rcu, account_free_rcu);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_account_unref);

/* Initialise an account in zeroed memory. */
static __always_inline void account_init(struct memquota_account *a,
					 struct memquota_tracker *t,
					 struct memquota_accounts *home,
					 bool private)
{
	a->max = MEMQUOTA_UNLIMITED;
	a->tracker = t;
	a->home = home;
	refcount_set(&a->handles, 1);
	refcount_set(&a->refs, 1);
	a->creator = INVALID_UID;
	a->private = private;
	INIT_LIST_HEAD(&a->records);
	INIT_LIST_HEAD(&a->children);
	INIT_LIST_HEAD(&a->parents);
	INIT_LIST_HEAD(&a->closed);
}

struct memquota_account *memquota_account_alloc(struct memquota_tracker *t,
						gfp_t gfp)
{
	struct memquota_account *a = kmem_cache_zalloc(account_cache, gfp);

	if (!a)
		return NULL;
	account_init(a, t, &t->accounts, false);
	memquota_tracker_ref(t);
	return a;
}

/* Initialise a record in zeroed memory, which refers to its account. */
static __always_inline void
record_init(struct memquota_record *r, struct memquota_account *a,
	    struct memquota_participant *p, memquota_reclaim_fn reclaim,
	    const struct memquota_ops *ops, struct module *owner)
{
	u64 key = memquota_new_key();

	r->tag = memquota_key_tag(key);
	atomic64_set(&r->word, RECORD_REF | MEMQUOTA_KEY_EPOCH(key));
	r->account = a;
	r->tracker = a->tracker;
	r->shares = a->tracker->shares;
	r->participant = p;
	r->reclaim = reclaim;
	r->ops = ops;
	r->owner = owner;
	r->slot = key % MEMQUOTA_SLOTS;
	INIT_LIST_HEAD(&r->siblings);
	INIT_LIST_HEAD(&r->trimmers);
	if (ops->flags & MEMQUOTA_COLLAPSING)
		r->flags |= RECORD_COLLAPSING;
	if (!(ops->flags & MEMQUOTA_COLLAPSING) ||
	    ops->flags & MEMQUOTA_COLLAPSE_UNDER_PRESSURE)
		r->flags |= RECORD_GIVES;
	if (ops->trim)
		r->flags |= RECORD_TRIMS;
	if (ops->reclaim_sleeping)
		r->flags |= RECORD_SLEEPING;
	if (ops->flags & MEMQUOTA_PROGRAM)
		r->flags |= RECORD_PROGRAM;
	if (ops->oldest) {
		r->flags |= RECORD_SAYS_OLDEST;
		r->mark = RECORD_NOT_DERIVED;
	}
	memquota_account_ref(a);
}

/* Allocate a record of an account that the caller keeps. */
struct memquota_record *
memquota_record_alloc(struct memquota_account *a, struct memquota_participant *p,
		      const struct memquota_ops *ops, gfp_t gfp)
{
	struct memquota_record *r = kmem_cache_zalloc(record_cache, gfp);

	if (r)
		record_init(r, a, p, ops->reclaim, ops, ops->owner);
	return r;
}

/* Allocate an account and its record, or take them from the reserve. */
struct memquota_private *
memquota_private_alloc(struct memquota_tracker *t, struct memquota_participant *p,
		       memquota_reclaim_fn reclaim,
		       const struct memquota_ops *ops, struct module *owner,
		       gfp_t gfp)
{
	struct memquota_private *private;

	/* Many kernels zero all memory that they allocate: do it once. */
	private = kmem_cache_zalloc(private_cache, (gfp & ~__GFP_DIRECT_RECLAIM) |
						   __GFP_NOWARN);
	if (unlikely(!private))
		private = reserve_take();
	if (unlikely(READ_ONCE(private_pool->curr_nr) < RESERVE))
		irq_work_queue(&reserve_irq_work);
	if (!private)
		return NULL;
	account_init(&private->account, t, raw_cpu_ptr(t->private_accounts),
		     true);
	record_init(&private->record, &private->account, p, reclaim, ops, owner);
	private->record.flags |= RECORD_PRIVATE;
	return private;
}

static void record_free_rcu(struct rcu_head *rcu)
{
	memquota_record_discard(container_of(rcu, struct memquota_record, rcu));
}

/* Free a record whose last reference was dropped. Any context. */
void memquota_record_free(struct memquota_record *r)
{
	if (READ_ONCE(r->flags) & RECORD_PRIVATE)
		memquota_account_unref(r->account);
	else
		call_rcu(&r->rcu, record_free_rcu);
}

/* Free a record that is not private and that no other CPU can have seen. */
void memquota_record_discard(struct memquota_record *r)
{
	struct memquota_account *a = r->account;

	memquota_sleeper_free(r->sleeper);
	kmem_cache_free(record_cache, r);
	memquota_account_unref(a);
}

int memquota_records_init(void)
{
	account_cache = KMEM_CACHE(memquota_account, 0);
	if (!account_cache)
		return -ENOMEM;
	record_cache = kmem_cache_create("memquota_record",
					 sizeof(struct memquota_record) +
					 MEMQUOTA_NAME_SIZE,
					 __alignof__(struct memquota_record), 0,
					 NULL);
	if (!record_cache)
		goto out_account;
	private_cache = KMEM_CACHE(memquota_private, 0);
	if (!private_cache)
		goto out_record;
	private_pool = mempool_create(RESERVE, reserve_alloc_element,
				      mempool_free_slab, private_cache);
	if (!private_pool)
		goto out_private;
	/* One for each slot; few others exist at a time. */
	BUILD_BUG_ON(CONFIG_NR_CPUS + 1024 > RECORD_REFS / RECORD_REF);
	BUILD_BUG_ON(sizeof(struct memquota_record) > 256);
	BUILD_BUG_ON(sizeof(struct memquota_account) > 256 + MEMQUOTA_NAME_SIZE);
	return 0;

out_private:
	kmem_cache_destroy(private_cache);
out_record:
	kmem_cache_destroy(record_cache);
out_account:
	kmem_cache_destroy(account_cache);
	return -ENOMEM;
}

/* Call after rcu_barrier(), so that no RCU callback still frees records. */
void memquota_records_exit(void)
{
	irq_work_sync(&reserve_irq_work);
	cancel_work_sync(&reserve_work);
	mempool_destroy(private_pool);
	kmem_cache_destroy(private_cache);
	kmem_cache_destroy(record_cache);
	kmem_cache_destroy(account_cache);
}
