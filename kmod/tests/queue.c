// SPDX-License-Identifier: GPL-2.0
/* Queues: rules Q1 to Q4. */
#include <memquota/queue.h>
#include "harness.h"
#include "internals.h"

/* A queue, and how many of its items were freed. */
struct pipe {
	struct memquota_queue queue;
	struct memquota_account *account;
	struct memquota_tracker *t;
	atomic_t freed;
};

struct parcel {
	struct memquota_item item;
	unsigned int number;
};

struct bell {
	struct memquota_queue_hook hook;
	struct memquota_queue *queue;
	unsigned int rung;
	int reason;
};

static void free_parcel(struct memquota_queue *queue, struct memquota_item *item)
{
	struct pipe *pipe = container_of(queue, struct pipe, queue);

	atomic_inc(&pipe->freed);
	kfree(container_of(item, struct parcel, item));
}

static void destroy_pipe(void *data)
{
	struct pipe *pipe = data;

	memquota_queue_destroy(&pipe->queue);
}

static struct pipe *new_pipe_in(struct kunit *test, struct memquota_tracker *t,
				unsigned int flags)
{
	struct pipe *pipe = new_zeroed(test, struct pipe);

	pipe->t = t;
	pipe->account = new_account(test, t, NULL);
	KUNIT_ASSERT_EQ(test,
			memquota_queue_init(&pipe->queue, pipe->account,
					    free_parcel, flags, GFP_KERNEL,
					    "pipe"), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action(test, destroy_pipe, pipe), 0);
	return pipe;
}

static struct pipe *new_pipe(struct kunit *test, unsigned int flags)
{
	return new_pipe_in(test, new_default_sized_tracker(test), flags);
}

static int send_parcel(struct pipe *pipe, unsigned int number, size_t cost)
{
	struct parcel *parcel = kzalloc(sizeof(*parcel), GFP_KERNEL);
	int err;

	if (!parcel)
		return -ENOMEM;
	parcel->number = number;
	err = memquota_queue_send(&pipe->queue, &parcel->item, cost,
				  GFP_KERNEL);
	if (err)	/* the caller keeps it */
		kfree(parcel);
	return err;
}

/* Return the number of the next parcel, 0 if there is none, or an error. */
static int recv_parcel(struct pipe *pipe)
{
	struct memquota_item *item = memquota_queue_recv(&pipe->queue);
	struct parcel *parcel;
	int number;

	if (IS_ERR_OR_NULL(item))
		return PTR_ERR(item);
	parcel = container_of(item, struct parcel, item);
	number = parcel->number;
	kfree(parcel);
	return number;
}

static void bell_ring(struct memquota_queue_hook *hook, int reason)
{
	struct bell *bell = container_of(hook, struct bell, hook);

	/* A hook runs without locks, so it may read the queue. */
	memquota_queue_readable(bell->queue);
	bell->reason = reason;
	/* Pairs with expect_rung(), so that it sees the reason. */
	smp_store_release(&bell->rung, bell->rung + 1);
}

static struct bell *new_bell(struct kunit *test, struct pipe *pipe)
{
	struct bell *bell = new_zeroed(test, struct bell);

	bell->queue = &pipe->queue;
	bell->hook.ended = bell_ring;
	memquota_queue_hook(&pipe->queue, &bell->hook);
	return bell;
}

static void expect_rung(struct kunit *test, struct bell *bell, int reason)
{
	/* Pairs with bell_ring(). */
	EXPECT_SETTLES(test, smp_load_acquire(&bell->rung) == 1);
	KUNIT_EXPECT_EQ(test, bell->reason, reason);
}

static void q1_sending_charges_and_receiving_uncharges(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	unsigned int i;

	for (i = 1; i <= 10; i++) {
		KUNIT_EXPECT_EQ(test, send_parcel(pipe, i, 10000), 0);
		KUNIT_EXPECT_EQ(test, exact_total(pipe->t), i * 10000);
	}
	for (i = 1; i <= 10; i++) {
		KUNIT_EXPECT_EQ(test, recv_parcel(pipe), i);
		KUNIT_EXPECT_EQ(test, exact_total(pipe->t), (10 - i) * 10000);
	}
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 0);
}

static void q1_what_is_refused_is_not_queued(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);

	KUNIT_EXPECT_EQ(test, memquota_account_set_max(pipe->account, SZ_64K),
			0);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, SZ_64K), 0);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 2, 1), -EDQUOT);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 2, SZ_1M), -EDQUOT);
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), SZ_64K);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 1);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&pipe->freed), 0);
}

/* Charging 0 bytes would take up a slot. */
static void q1_what_costs_nothing_is_not_charged(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);

	KUNIT_EXPECT_EQ(test, memquota_account_set_max(pipe->account, 0), 0);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 2, 0), 0);
	KUNIT_EXPECT_EQ(test, participant_slots(&pipe->queue.participant), 0);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 1);
	KUNIT_EXPECT_EQ(test, participant_slots(&pipe->queue.participant), 0);
	KUNIT_EXPECT_EQ(test, read_total(pipe->t), 0);
	memquota_queue_close(&pipe->queue);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 3, 0), -EPIPE);
	KUNIT_EXPECT_EQ(test, atomic_read(&pipe->freed), 1);
}

/* Another participant of the account is charged for the items. */
static void
r3_a_queue_that_holds_nothing_ends_with_its_account(struct kunit *test)
{
	struct memquota_tracker *t = new_default_sized_tracker(test);
	struct pipe *pipe = new_pipe_in(test, t, 0);
	struct bell *bell = new_bell(test, pipe);
	struct actor *store;

	store = new_actor(test, pipe->account, MEMQUOTA_COLLAPSING, 2);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 2, 0), 0);
	actor_charge(store, HIGH + SZ_4K);
	expect_rung(test, bell, -ENOBUFS);
	KUNIT_EXPECT_EQ(test, atomic_read(&pipe->freed), 2);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 3, 0), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), -ENOBUFS);
	EXPECT_SETTLES(test, is_closed(pipe->account));
}

/* The same that reclaim causes. */
static void q2_collapsing_tells_as_reclaim_does(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	struct bell *bell = new_bell(test, pipe);

	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, SZ_4K), 0);
	memquota_queue_collapse(&pipe->queue);
	KUNIT_EXPECT_EQ(test, bell->reason, -ENOBUFS);
	KUNIT_EXPECT_EQ(test, atomic_read(&pipe->freed), 1);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 2, SZ_4K), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), 0);
}

static void q1_what_comes_too_late_is_not_charged(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);

	memquota_queue_close(&pipe->queue);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, SZ_64K), -EPIPE);
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&pipe->freed), 0);
}

static void q2_its_age_is_that_of_its_head(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	u64 first, second;

	KUNIT_EXPECT_EQ(test, memquota_queue_oldest(&pipe->queue),
			MEMQUOTA_NO_DATA);
	first = ktime_get_coarse_ns();
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, 100), 0);
	msleep(30);
	second = ktime_get_coarse_ns();
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 2, 100), 0);
	KUNIT_EXPECT_GE(test, memquota_queue_oldest(&pipe->queue), first);
	KUNIT_EXPECT_LT(test, memquota_queue_oldest(&pipe->queue), second);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 1);
	KUNIT_EXPECT_GE(test, memquota_queue_oldest(&pipe->queue), second);
}

/* Reclaim takes the queue with the older head. */
static void q2_reclaim_empties_the_oldest_queue(struct kunit *test)
{
	struct pipe *old = new_pipe(test, 0);
	struct pipe *young = new_pipe_in(test, old->t, 0);
	struct bell *bell = new_bell(test, old);
	unsigned int i;

	for (i = 1; i <= 10; i++)
		KUNIT_EXPECT_EQ(test, send_parcel(old, i, SZ_1M), 0);
	msleep(30);
	KUNIT_EXPECT_EQ(test, send_parcel(young, 1, 11 * SZ_1M), 0);
	expect_rung(test, bell, -ENOBUFS);
	settle(test, old->t);
	KUNIT_EXPECT_EQ(test, send_parcel(old, 11, 1), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, recv_parcel(old), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, atomic_read(&old->freed), 10);
	KUNIT_EXPECT_TRUE(test, is_closed(old->account));
	KUNIT_EXPECT_EQ(test, recv_parcel(young), 1);
	KUNIT_EXPECT_EQ(test, exact_total(old->t), 0);
}

static void receive_until_the_end(struct runner *runner)
{
	struct pipe *pipe = runner->arg;
	struct memquota_item *item;

	wait_event(pipe->queue.wait,
		   (item = memquota_queue_recv(&pipe->queue)));
	runner->result = PTR_ERR_OR_ZERO(item);
}

static void q2_sleepers_wake_at_the_end(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	struct runner *runner = new_zeroed(test, struct runner);

	runner_start(test, runner, receive_until_the_end, pipe);
	ASSERT_SETTLES(test, wq_has_sleeper(&pipe->queue.wait));
	memquota_queue_close(&pipe->queue);
	runner_join(test, runner);
	KUNIT_EXPECT_EQ(test, runner->result, -EPIPE);
}

static void q2_partial_gives_its_oldest_items(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, MEMQUOTA_QUEUE_PARTIAL);
	unsigned int i, first;

	for (i = 1; i <= 21 * 16; i++)
		KUNIT_EXPECT_EQ(test, send_parcel(pipe, i, SZ_64K), 0);
	settle_below(test, pipe->t, LOW_WATER);
	KUNIT_EXPECT_FALSE(test, is_closed(pipe->account));
	first = atomic_read(&pipe->freed) + 1;
	KUNIT_EXPECT_GE(test, first, 6 * 16);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), first);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1000, SZ_64K), 0);
}

static void q3_closing_gives_everything_back(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	unsigned int i;

	for (i = 1; i <= 10; i++)
		KUNIT_EXPECT_EQ(test, send_parcel(pipe, i, SZ_64K), 0);
	memquota_queue_close(&pipe->queue);
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&pipe->freed), 10);
	KUNIT_EXPECT_EQ(test, send_parcel(pipe, 1, 1), -EPIPE);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), -EPIPE);
	memquota_queue_close(&pipe->queue);
}

static void q4_hooks_tell_that_the_receiver_is_gone(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	struct bell *one = new_bell(test, pipe);
	struct bell *two = new_bell(test, pipe);

	memquota_queue_close(&pipe->queue);
	expect_rung(test, one, -EPIPE);
	expect_rung(test, two, -EPIPE);
	memquota_queue_close(&pipe->queue);
	expect_rung(test, one, -EPIPE);
}

static void q4_a_hook_after_the_end_is_called_at_once(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	struct bell *bell;

	memquota_queue_close(&pipe->queue);
	bell = new_bell(test, pipe);
	KUNIT_EXPECT_EQ(test, bell->rung, 1);
	KUNIT_EXPECT_EQ(test, bell->reason, -EPIPE);
}

static void q4_a_hook_that_was_taken_off_is_not_called(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	struct bell *bell = new_bell(test, pipe);

	memquota_queue_unhook(&pipe->queue, &bell->hook);
	memquota_queue_close(&pipe->queue);
	KUNIT_EXPECT_EQ(test, bell->rung, 0);
	memquota_queue_unhook(&pipe->queue, &bell->hook);
}

/* All CPUs send or receive; each parcel is received once. */
struct traffic {
	struct pipe *pipe;
	atomic_t sent;
	atomic_t received;
};

static void send_or_receive(unsigned int cpu, void *arg)
{
	struct traffic *traffic = arg;
	unsigned int i;

	for (i = 0; i < share_of(2000); i++) {
		if (cpu % 2) {
			if (recv_parcel(traffic->pipe) > 0)
				atomic_inc(&traffic->received);
		} else if (!send_parcel(traffic->pipe, i + 1, 100 + i)) {
			atomic_inc(&traffic->sent);
		}
	}
}

static void q1_on_all_cpus(struct kunit *test)
{
	struct traffic *traffic = new_zeroed(test, struct traffic);
	struct pipe *pipe = new_pipe(test, 0);

	traffic->pipe = pipe;
	run_on_all_cpus(test, send_or_receive, traffic);
	while (recv_parcel(pipe) > 0)
		atomic_inc(&traffic->received);
	KUNIT_EXPECT_EQ(test, atomic_read(&traffic->sent),
			atomic_read(&traffic->received));
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), 0);
}

struct waiting_sender {
	struct runner runner;
	struct pipe *pipe;
	long timeout;
};

static void send_waiting(struct runner *runner)
{
	struct waiting_sender *s = container_of(runner, struct waiting_sender,
						runner);
	struct parcel *parcel = kzalloc(sizeof(*parcel), GFP_KERNEL);

	runner->result = -ENOMEM;
	if (!parcel)
		return;
	parcel->number = 2;
	runner->result = memquota_queue_send_wait(&s->pipe->queue,
						  &parcel->item, SZ_64K,
						  s->timeout);
	if (runner->result)
		kfree(parcel);
}

static struct waiting_sender *new_waiting_sender(struct kunit *test,
						 struct pipe *pipe, long timeout)
{
	struct waiting_sender *s = new_zeroed(test, struct waiting_sender);

	s->pipe = pipe;
	s->timeout = timeout;
	runner_start(test, &s->runner, send_waiting, NULL);
	return s;
}

static void q1_a_sender_waits_at_a_hard_limit(struct kunit *test)
{
	struct pipe *pipe = new_pipe(test, 0);
	struct waiting_sender *s;

	KUNIT_ASSERT_EQ(test, memquota_account_set_max(pipe->account, SZ_64K),
			0);
	KUNIT_ASSERT_EQ(test, send_parcel(pipe, 1, SZ_64K), 0);

	s = new_waiting_sender(test, pipe, 1);
	runner_join(test, &s->runner);
	KUNIT_EXPECT_EQ(test, s->runner.result, -ETIME);
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), SZ_64K);

	s = new_waiting_sender(test, pipe, 10 * HZ);
	ASSERT_SETTLES(test, tracker_waiting(pipe->t) == 1);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 1);
	runner_join(test, &s->runner);
	KUNIT_EXPECT_EQ(test, s->runner.result, 0);
	KUNIT_EXPECT_EQ(test, recv_parcel(pipe), 2);
	KUNIT_EXPECT_EQ(test, exact_total(pipe->t), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(q1_sending_charges_and_receiving_uncharges),
	KUNIT_CASE(q1_what_is_refused_is_not_queued),
	KUNIT_CASE(q1_a_sender_waits_at_a_hard_limit),
	KUNIT_CASE(q1_what_costs_nothing_is_not_charged),
	KUNIT_CASE(q1_what_comes_too_late_is_not_charged),
	KUNIT_CASE(q1_on_all_cpus),
	KUNIT_CASE(q2_its_age_is_that_of_its_head),
	KUNIT_CASE(q2_reclaim_empties_the_oldest_queue),
	KUNIT_CASE(q2_collapsing_tells_as_reclaim_does),
	KUNIT_CASE(q2_sleepers_wake_at_the_end),
	KUNIT_CASE(q2_partial_gives_its_oldest_items),
	KUNIT_CASE(q3_closing_gives_everything_back),
	KUNIT_CASE(q4_hooks_tell_that_the_receiver_is_gone),
	KUNIT_CASE(q4_a_hook_after_the_end_is_called_at_once),
	KUNIT_CASE(q4_a_hook_that_was_taken_off_is_not_called),
	KUNIT_CASE(r3_a_queue_that_holds_nothing_ends_with_its_account),
	{}
};

MEMQUOTA_SUITE(memquota_queue, cases);
