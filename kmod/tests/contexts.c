// SPDX-License-Identifier: GPL-2.0
/* From where what can be called: rules X1 to X4, and the end of P8. */
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include "harness.h"

/* Something to be done in a context, once. */
struct errand {
	void (*fn)(struct errand *errand);
	struct actor *actor;
	struct actor *fresh;
	struct memquota_tracker *t;
	struct memquota_account *account;
	unsigned int failures;
	bool done;

	struct irq_work irq_work;
	struct hrtimer hrtimer;
	struct timer_list timer;
	struct tasklet_struct tasklet;
	struct rcu_head rcu;
};

static void do_errand(struct errand *errand)
{
	errand->fn(errand);
	/* Pairs with send(): all that it did is seen. */
	smp_store_release(&errand->done, true);
}

static void from_irq_work(struct irq_work *work)
{
	do_errand(container_of(work, struct errand, irq_work));
}

static enum hrtimer_restart from_hrtimer(struct hrtimer *timer)
{
	do_errand(container_of(timer, struct errand, hrtimer));
	return HRTIMER_NORESTART;
}

static void from_timer_softirq(struct timer_list *timer)
{
	do_errand(container_of(timer, struct errand, timer));
}

static void from_a_tasklet(struct tasklet_struct *tasklet)
{
	do_errand(container_of(tasklet, struct errand, tasklet));
}

static void from_rcu(struct rcu_head *rcu)
{
	do_errand(container_of(rcu, struct errand, rcu));
}

static void from_ipi(void *errand)
{
	do_errand(errand);
}

static void in_place(struct errand *errand)
{
	do_errand(errand);
}

static void irqs_off(struct errand *errand)
{
	unsigned long flags;

	local_irq_save(flags);
	do_errand(errand);
	local_irq_restore(flags);
}

static void under_a_raw_spinlock(struct errand *errand)
{
	static DEFINE_RAW_SPINLOCK(lock);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	do_errand(errand);
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void under_rcu(struct errand *errand)
{
	rcu_read_lock();
	do_errand(errand);
	rcu_read_unlock();
}

static void in_irq_work(struct errand *errand)
{
	init_irq_work(&errand->irq_work, from_irq_work);
	errand->irq_work.node.u_flags |= IRQ_WORK_HARD_IRQ;
	irq_work_queue(&errand->irq_work);
	irq_work_sync(&errand->irq_work);
}

static void in_hrtimer(struct errand *errand)
{
	hrtimer_setup(&errand->hrtimer, from_hrtimer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_HARD);
	hrtimer_start(&errand->hrtimer, 0, HRTIMER_MODE_REL_HARD);
}

static void in_timer(struct errand *errand)
{
	timer_setup(&errand->timer, from_timer_softirq, 0);
	mod_timer(&errand->timer, jiffies);
}

static void in_tasklet(struct errand *errand)
{
	tasklet_setup(&errand->tasklet, from_a_tasklet);
	tasklet_schedule(&errand->tasklet);
}

static void in_rcu_callback(struct errand *errand)
{
	call_rcu(&errand->rcu, from_rcu);
}

static void in_ipi(struct errand *errand)
{
	smp_call_function_single(cpumask_last(cpu_online_mask), from_ipi,
				 errand, true);
}

static void in_ipi_here(struct errand *errand)
{
	/* Run on the CPU itself, with interrupts off. */
	smp_call_function_single(cpumask_first(cpu_online_mask), from_ipi,
				 errand, true);
}

static void (* const anywhere[])(struct errand *errand) = {
	in_place, irqs_off, under_a_raw_spinlock, under_rcu, in_irq_work,
	in_hrtimer, in_timer, in_tasklet, in_rcu_callback, in_ipi, in_ipi_here,
};

/* Any but hard interrupts, and what may not spin with them off. */
static void (* const softly[])(struct errand *errand) = {
	in_place, under_rcu, in_timer, in_tasklet, in_rcu_callback,
};

static void send(struct kunit *test, struct errand *errand,
		 void (*context)(struct errand *errand),
		 void (*fn)(struct errand *errand))
{
	errand->fn = fn;
	errand->done = false;
	errand->failures = 0;
	context(errand);
	/* Pairs with do_errand(). */
	ASSERT_SETTLES(test, smp_load_acquire(&errand->done));
	KUNIT_EXPECT_EQ(test, errand->failures, 0);
}

static struct errand *new_errand(struct kunit *test)
{
	struct errand *errand = kunit_kzalloc(test, sizeof(*errand), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, errand);
	errand->t = new_default_sized_tracker(test);
	errand->actor = lone_actor(test, errand->t, 0, 1);
	errand->account = errand->actor->account;
	return errand;
}

#define CHECK(condition)	(errand->failures += !(condition))

static void charge_everything(struct errand *errand)
{
	struct memquota_participant *p = &errand->actor->p;
	struct memquota_account *a;

	memquota_charge(p, 1);
	memquota_charge(p, SZ_64K);
	CHECK(!memquota_try_charge(p, 1, GFP_ATOMIC));
	CHECK(!memquota_try_charge(p, SZ_64K, GFP_ATOMIC));
	CHECK(memquota_try_charge(p, SIZE_MAX, GFP_ATOMIC) == -EOVERFLOW);
	CHECK(memquota_held(p) >= SZ_128K + 2);
	CHECK(!memquota_at_limit(p));
	memquota_uncharge(p, 1);
	memquota_uncharge(p, SZ_64K);
	memquota_uncharge_all(p);
	memquota_charge(p, SZ_32K);
	memquota_set_oldest(p, 1);
	a = memquota_account_lookup(errand->t,
				    memquota_account_id(errand->account));
	CHECK(a == errand->account);
	CHECK(memquota_account_get(a) == a);
	memquota_account_put(a);
	memquota_account_put(a);
}

static void x1_charging_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(anywhere); i++) {
		send(test, errand, anywhere[i], charge_everything);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), SZ_32K);
	}
	memquota_uncharge(&errand->actor->p, SZ_32K);
}

static void charge_much(struct errand *errand)
{
	actor_charge(errand->actor, HIGH + SZ_1M);
}

/* Whatever has to be woken is woken from there. */
static void x1_reclaim_is_woken_from_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(anywhere); i++) {
		send(test, errand, anywhere[i], charge_much);
		EXPECT_SETTLES(test, total(errand->t) <= LOW_WATER);
		settle(test, errand->t);
		actor_uncharge(errand->actor, SZ_1M);
	}
}

static void refuse(struct errand *errand)
{
	CHECK(memquota_try_charge(&errand->actor->p, SZ_1M, GFP_ATOMIC) == -EDQUOT);
}

static void x1_refusals_from_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, memquota_account_set_max(errand->account, SZ_512K));
	for (i = 0; i < ARRAY_SIZE(anywhere); i++)
		send(test, errand, anywhere[i], refuse);
}

static void create_and_join(struct errand *errand)
{
	struct actor *fresh = errand->fresh;
	struct memquota_account *a;

	a = memquota_account_create(errand->t, errand->account, GFP_ATOMIC, "a");
	CHECK(!IS_ERR_OR_NULL(a));
	if (IS_ERR_OR_NULL(a))
		return;
	CHECK(!memquota_join_account(&fresh->p, a, &fresh->ops, GFP_ATOMIC, "a"));
	memquota_charge(&fresh->p, SZ_64K);
	/* X4: the final put of all that, too; the rest is a worker's. */
	memquota_account_put(a);
	CHECK(memquota_try_charge(&fresh->p, SZ_64K, GFP_ATOMIC) == -ESTALE);
}

static void x2_creating_and_joining_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(anywhere); i++) {
		errand->fresh = idle_actor(test, 0);
		send(test, errand, anywhere[i], create_and_join);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), 0);
	}
}

static void join_default(struct errand *errand)
{
	struct actor *fresh = errand->fresh;

	memquota_join(&fresh->p, fresh->ops.reclaim, "private");
	CHECK(!memquota_try_charge(&fresh->p, SZ_64K, GFP_ATOMIC));
}

static void p12_joining_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(anywhere); i++) {
		errand->fresh = idle_actor(test, 0);
		send(test, errand, anywhere[i], join_default);
		memquota_leave(&errand->fresh->p);
	}
}

static void leave(struct errand *errand)
{
	memquota_leave(&errand->fresh->p);
}

static void p8_leaving_anywhere_but_in_hard_interrupts(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(softly); i++) {
		errand->fresh = new_actor(test, errand->account, i & 1 ? SLEEPING : 0, 1);
		actor_charge(errand->fresh, SZ_1M);
		send(test, errand, softly[i], leave);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), 0);
	}
}

struct spinner {
	bool inside;
	u64 until;
	bool ended;
};

static void spin_inside(struct actor *actor)
{
	struct spinner *spinner = actor->arg;

	WRITE_ONCE(spinner->inside, true);
	while (ktime_get_ns() < READ_ONCE(spinner->until))
		cpu_relax();
	WRITE_ONCE(spinner->ended, true);
}

static void leave_and_look(struct errand *errand)
{
	struct spinner *spinner = errand->fresh->arg;

	memquota_leave(&errand->fresh->p);
	CHECK(READ_ONCE(spinner->ended));
}

/* The callback is running, on this CPU or on another, when it comes. */
static void p8_leaving_in_softirq_while_the_callback_runs(struct kunit *test)
{
	struct spinner *spinner = kunit_kzalloc(test, sizeof(*spinner), GFP_KERNEL);
	struct errand *errand = new_errand(test);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, spinner);
	for (i = 0; i < 2 * ARRAY_SIZE(softly); i++) {
		*spinner = (struct spinner){
			.until = ktime_get_ns() + 20 * NSEC_PER_MSEC };
		errand->fresh = new_actor(test, errand->account, 0, 1);
		errand->fresh->arg = spinner;
		errand->fresh->then = spin_inside;
		actor_charge(errand->fresh, HIGH + SZ_1M);
		ASSERT_SETTLES(test, READ_ONCE(spinner->inside));
		send(test, errand, softly[i % ARRAY_SIZE(softly)], leave_and_look);
		settle(test, errand->t);
	}
}

static void put(struct errand *errand)
{
	memquota_account_put(errand->account);
}

static void x4_the_final_put_anywhere(struct kunit *test)
{
	struct errand *errand = new_errand(test);
	struct memquota_account *parent = errand->account;
	struct actor *one, *two;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(anywhere); i++) {
		errand->account = memquota_account_create(errand->t, parent,
							  GFP_KERNEL, "a");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, errand->account);
		one = new_actor(test, errand->account, 0, 1);
		two = new_actor(test, errand->account, SLEEPING, 2);
		actor_charge(one, SZ_1M);
		actor_charge(two, SZ_1M);
		send(test, errand, anywhere[i], put);
		KUNIT_EXPECT_EQ(test, exact_total(errand->t), 0);
		KUNIT_EXPECT_EQ(test, -ESTALE,
				memquota_try_charge(&one->p, 1, GFP_KERNEL));
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(x1_charging_anywhere),
	KUNIT_CASE(x1_reclaim_is_woken_from_anywhere),
	KUNIT_CASE(x1_refusals_from_anywhere),
	KUNIT_CASE(x2_creating_and_joining_anywhere),
	KUNIT_CASE(p12_joining_anywhere),
	KUNIT_CASE(p8_leaving_anywhere_but_in_hard_interrupts),
	KUNIT_CASE(p8_leaving_in_softirq_while_the_callback_runs),
	KUNIT_CASE(x4_the_final_put_anywhere),
	{}
};

MEMQUOTA_SUITE(memquota_contexts, cases);
