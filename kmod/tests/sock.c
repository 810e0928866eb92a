// SPDX-License-Identifier: GPL-2.0
/* Sockets as participants, and lists of buffers: rules P5 and P12. */
#include <linux/net.h>
#include <linux/skbuff.h>
#include <memquota/sock.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "harness.h"

#define BUFFERS		64
#define BUFFER_BYTES	SZ_64K

/* What a protocol would add to its socket. */
struct held {
	struct memquota_sk_participant p;
	struct socket *sock;
	struct sk_buff_head queue;
	u64 bytes;		/* of @queue when it was full */
	int refs;		/* of the socket while no callback runs */
	unsigned int asked;
	bool unlocked;		/* asked without the socket lock */
	bool unheld;		/* asked without a reference */
};

static int sock_refs(struct sock *sk)
{
	return refcount_read(&sk->sk_refcnt);
}

static bool sock_is_spin_locked(struct sock *sk)
{
	if (!spin_trylock(&sk->sk_lock.slock))
		return true;
	spin_unlock(&sk->sk_lock.slock);
	return false;
}

static void drop_oldest(struct memquota_sk_participant *p,
			const struct memquota_request *request)
{
	struct held *held = container_of(p, struct held, p);
	struct sk_buff_head dropped;
	struct sk_buff *skb;
	u64 freed = 0;

	held->unlocked |= !sock_is_spin_locked(p->sk) ||
			  sock_owned_by_user_nocheck(p->sk);
	held->unheld |= sock_refs(p->sk) <= held->refs;
	__skb_queue_head_init(&dropped);
	while (freed < request->want_bytes &&
	       (skb = skb_dequeue(&held->queue))) {
		freed += skb->truesize;
		__skb_queue_tail(&dropped, skb);
	}
	memquota_uncharge_skbs(&p->participant, &dropped);
	__skb_queue_purge(&dropped);
	WRITE_ONCE(held->asked, held->asked + 1);
}

static void fill_queue(struct kunit *test, struct sk_buff_head *queue)
{
	struct sk_buff *skb;
	unsigned int i;

	skb_queue_head_init(queue);
	for (i = 0; i < BUFFERS; i++) {
		skb = alloc_skb(BUFFER_BYTES, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		skb_queue_tail(queue, skb);
	}
}

static u64 queue_truesize(struct sk_buff_head *queue)
{
	struct sk_buff *skb;
	u64 sum = 0;

	skb_queue_walk(queue, skb)
		sum += skb->truesize;
	return sum;
}

/* A socket with a participant that is charged for a full queue. */
static struct held *new_held(struct kunit *test)
{
	struct held *held = new_zeroed(test, struct held);

	KUNIT_ASSERT_EQ(test,
			sock_create_kern(&init_net, AF_UNIX, SOCK_DGRAM, 0,
					 &held->sock),
			0);
	held->refs = sock_refs(held->sock->sk);
	fill_queue(test, &held->queue);
	held->bytes = queue_truesize(&held->queue);
	memquota_join_sk(&held->p, held->sock->sk, drop_oldest, "socket %d", 1);
	memquota_charge_skbs(&held->p.participant, &held->queue);
	return held;
}

/* The participant has left. */
static void end_held(struct held *held)
{
	skb_queue_purge(&held->queue);
	memquota_barrier();
	sock_release(held->sock);
}

static void p12_lists_are_charged_in_one_call(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct held *held = new_held(test);

	exact_total(t);
	KUNIT_EXPECT_EQ(test, memquota_held(&held->p.participant), held->bytes);
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_skbs(&held->p.participant,
						 &held->queue, GFP_KERNEL), 0);
	exact_total(t);
	KUNIT_EXPECT_EQ(test, memquota_held(&held->p.participant),
			2 * held->bytes);
	memquota_uncharge_skbs(&held->p.participant, &held->queue);
	memquota_uncharge_skbs(&held->p.participant, &held->queue);
	exact_total(t);
	KUNIT_EXPECT_EQ(test, memquota_held(&held->p.participant), 0);

	memquota_leave_sk(&held->p);
	KUNIT_EXPECT_EQ(test, sock_refs(held->sock->sk), held->refs);
	end_held(held);
}

static void p5_a_list_is_refused_as_one(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct sk_buff_head queue;
	u64 bytes;

	fill_queue(test, &queue);
	bytes = queue_truesize(&queue);
	actor->per_call = 0;
	KUNIT_EXPECT_EQ(test,
			memquota_try_charge_skbs(&actor->p, &queue, GFP_KERNEL),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	memquota_charge_skbs(&actor->p, &queue);
	KUNIT_EXPECT_EQ(test, exact_total(t), bytes);
	memquota_uncharge_skbs(&actor->p, &queue);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
	skb_queue_purge(&queue);
	KUNIT_EXPECT_EQ(test, memquota_skbs_bytes(&queue), 0);
	memquota_charge_skbs(&actor->p, &queue);
	memquota_uncharge_skbs(&actor->p, &queue);
	KUNIT_EXPECT_EQ(test, exact_total(t), 0);
}

static void p12_a_socket_is_asked_locked_and_held(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct held *held = new_held(test);

	set_limits(test, t, 0, held->bytes / 2, 0);
	ASSERT_SETTLES(test, READ_ONCE(held->asked));
	settle(test, t);
	ASSERT_SETTLES(test, sock_refs(held->sock->sk) == held->refs);
	KUNIT_EXPECT_FALSE(test, held->unlocked);
	KUNIT_EXPECT_FALSE(test, held->unheld);
	exact_total(t);
	KUNIT_EXPECT_LE(test, memquota_held(&held->p.participant),
			held->bytes / 2);
	KUNIT_EXPECT_EQ(test, memquota_held(&held->p.participant),
			queue_truesize(&held->queue));

	/* As a protocol's close() does. */
	lock_sock(held->sock->sk);
	memquota_leave_sk(&held->p);
	release_sock(held->sock->sk);
	KUNIT_EXPECT_EQ(test, memquota_held(&held->p.participant), 0);
	end_held(held);
}

/* Reclaim tries to lock the socket, and then finds that it has left. */
static void p12_nobody_is_asked_after_leaving_locked(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct held *held = new_held(test);

	lock_sock(held->sock->sk);
	set_limits(test, t, 0, held->bytes / 2, 0);
	/* Reclaim holds the socket and has found it locked. */
	KUNIT_EXPECT_TRUE(test,
			  settled(sock_refs(held->sock->sk) > held->refs));
	memquota_leave_sk(&held->p);
	release_sock(held->sock->sk);
	KUNIT_EXPECT_TRUE(test,
			  settled(sock_refs(held->sock->sk) == held->refs));
	KUNIT_EXPECT_EQ(test, held->asked, 0U);
	end_held(held);
}

static void wait_for_barrier(struct runner *runner)
{
	memquota_barrier();
}

/* A program can keep the socket lock for as long as it likes. */
static void p12_the_socket_lock_is_not_waited_for(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct runner *runner = new_zeroed(test, struct runner);
	struct held *held = new_held(test);

	lock_sock(held->sock->sk);
	set_limits(test, t, 0, held->bytes / 2, 0);
	/* Reclaim holds the socket and has found it locked. */
	KUNIT_EXPECT_TRUE(test,
			  settled(sock_refs(held->sock->sk) > held->refs));
	msleep(30);
	/* No callback is running. */
	runner_start(test, runner, wait_for_barrier, NULL);
	KUNIT_EXPECT_TRUE(test, settled(runner_ended(runner)));
	KUNIT_EXPECT_EQ(test, held->asked, 0U);
	release_sock(held->sock->sk);
	runner_join(test, runner);
	/* It is asked once the lock is free. */
	EXPECT_SETTLES(test, READ_ONCE(held->asked));
	settle(test, t);
	lock_sock(held->sock->sk);
	memquota_leave_sk(&held->p);
	release_sock(held->sock->sk);
	EXPECT_SETTLES(test, sock_refs(held->sock->sk) == held->refs);
	end_held(held);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p12_lists_are_charged_in_one_call),
	KUNIT_CASE(p5_a_list_is_refused_as_one),
	KUNIT_CASE(p12_a_socket_is_asked_locked_and_held),
	KUNIT_CASE(p12_nobody_is_asked_after_leaving_locked),
	KUNIT_CASE(p12_the_socket_lock_is_not_waited_for),
	{}
};

MEMQUOTA_SUITE(memquota_sock, cases);
