// SPDX-License-Identifier: GPL-2.0
/* Call a function in a context: see anywhere.h. */
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include "anywhere.h"

struct call {
	void (*fn)(void *arg);
	void *arg;
	bool done;

	struct irq_work irq_work;
	struct hrtimer hrtimer;
	struct timer_list timer;
	struct tasklet_struct tasklet;
	struct rcu_head rcu;
};

static void call_run(struct call *call)
{
	call->fn(call->arg);
	/* Pairs with run_in_context(), so that it sees what fn() did. */
	smp_store_release(&call->done, true);
}

static void call_from_irq_work(struct irq_work *work)
{
	call_run(container_of(work, struct call, irq_work));
}

static enum hrtimer_restart call_from_hrtimer(struct hrtimer *timer)
{
	call_run(container_of(timer, struct call, hrtimer));
	return HRTIMER_NORESTART;
}

static void call_from_timer_softirq(struct timer_list *timer)
{
	call_run(container_of(timer, struct call, timer));
}

static void call_from_a_tasklet(struct tasklet_struct *tasklet)
{
	call_run(container_of(tasklet, struct call, tasklet));
}

static void call_from_rcu(struct rcu_head *rcu)
{
	call_run(container_of(rcu, struct call, rcu));
}

static void call_from_ipi(void *call)
{
	call_run(call);
}

static void run_in_place(struct call *call)
{
	call_run(call);
}

static void run_irqs_off(struct call *call)
{
	unsigned long flags;

	local_irq_save(flags);
	call_run(call);
	local_irq_restore(flags);
}

static void run_under_a_raw_spinlock(struct call *call)
{
	static DEFINE_RAW_SPINLOCK(lock);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	call_run(call);
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void run_under_rcu(struct call *call)
{
	rcu_read_lock();
	call_run(call);
	rcu_read_unlock();
}

static void run_in_irq_work(struct call *call)
{
	init_irq_work(&call->irq_work, call_from_irq_work);
	call->irq_work.node.u_flags |= IRQ_WORK_HARD_IRQ;
	irq_work_queue(&call->irq_work);
	irq_work_sync(&call->irq_work);
}

static void run_in_hrtimer(struct call *call)
{
	hrtimer_setup(&call->hrtimer, call_from_hrtimer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_HARD);
	hrtimer_start(&call->hrtimer, 0, HRTIMER_MODE_REL_HARD);
}

static void run_in_timer(struct call *call)
{
	timer_setup(&call->timer, call_from_timer_softirq, 0);
	mod_timer(&call->timer, jiffies);
}

static void run_in_tasklet(struct call *call)
{
	tasklet_setup(&call->tasklet, call_from_a_tasklet);
	tasklet_schedule(&call->tasklet);
}

static void run_in_rcu_callback(struct call *call)
{
	call_rcu(&call->rcu, call_from_rcu);
}

static void run_in_ipi(struct call *call)
{
	smp_call_function_single(cpumask_last(cpu_online_mask), call_from_ipi,
				 call, true);
}

static void run_in_ipi_here(struct call *call)
{
	/* Runs on the calling CPU, with interrupts off. */
	smp_call_function_single(cpumask_first(cpu_online_mask), call_from_ipi,
				 call, true);
}

static void (* const runs[NR_CONTEXTS])(struct call *call) = {
	[IN_PLACE] = run_in_place,
	[IRQS_OFF] = run_irqs_off,
	[UNDER_A_RAW_SPINLOCK] = run_under_a_raw_spinlock,
	[UNDER_RCU] = run_under_rcu,
	[IN_IRQ_WORK] = run_in_irq_work,
	[IN_HRTIMER] = run_in_hrtimer,
	[IN_TIMER] = run_in_timer,
	[IN_TASKLET] = run_in_tasklet,
	[IN_RCU_CALLBACK] = run_in_rcu_callback,
	[IN_IPI] = run_in_ipi,
	[IN_IPI_HERE] = run_in_ipi_here,
};

void run_in_context(struct kunit *test, enum context context,
		    void (*fn)(void *arg), void *arg)
{
	struct call *call = new_zeroed(test, struct call);

	call->fn = fn;
	call->arg = arg;
	runs[context](call);
	/* Pairs with call_run(). */
	ASSERT_SETTLES(test, smp_load_acquire(&call->done));
}
