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

/* What a protocol would have in its socket, with a queue of its own. */
struct held {
	struct memquota_sk_participant p;
	struct sk_buff_head queue;
	int refs;		/* of the socket, before anybody is asked */
	unsigned int asked;
	bool unlocked;		/* asked without the socket lock */
	bool unheld;		/* asked without a reference */
};

static int refs(struct sock *sk)
{
	return refcount_read(&sk->sk_refcnt);
}

static void drop_oldest(struct memquota_sk_participant *p,
			const struct memquota_request *request)
{
	struct held *held = container_of(p, struct held, p);
	struct sk_buff_head dropped;
	struct sk_buff *skb;
	u64 freed = 0;

	held->unlocked |= !sock_owned_by_user_nocheck(p->sk);
	held->unheld |= refs(p->sk) <= held->refs;
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

static void fill(struct kunit *test, struct sk_buff_head *queue)
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

static u64 truesize(struct sk_buff_head *queue)
{
	struct sk_buff *skb;
	u64 sum = 0;

	skb_queue_walk(queue, skb)
		sum += skb->truesize;
	return sum;
}

static struct socket *new_socket(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_UNIX,
						  SOCK_DGRAM, 0, &sock));
	return sock;
}

static void p12_lists_are_charged_in_one_call(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct socket *sock = new_socket(test);
	struct held held = { .refs = refs(sock->sk) };
	u64 bytes;

	fill(test, &held.queue);
	bytes = truesize(&held.queue);
	memquota_join_sk(&held.p, sock->sk, drop_oldest, "socket %d", 1);
	memquota_charge_skbs(&held.p.participant, &held.queue);
	exact_total(t);
	KUNIT_EXPECT_EQ(test, bytes, memquota_held(&held.p.participant));
	KUNIT_EXPECT_EQ(test, 0,
			memquota_try_charge_skbs(&held.p.participant,
						 &held.queue, GFP_KERNEL));
	exact_total(t);
	KUNIT_EXPECT_EQ(test, 2 * bytes, memquota_held(&held.p.participant));
	memquota_uncharge_skbs(&held.p.participant, &held.queue);
	memquota_uncharge_skbs(&held.p.participant, &held.queue);
	exact_total(t);
	KUNIT_EXPECT_EQ(test, 0, memquota_held(&held.p.participant));

	memquota_leave_sk(&held.p);
	KUNIT_EXPECT_EQ(test, held.refs, refs(sock->sk));
	skb_queue_purge(&held.queue);
	sock_release(sock);
}

static void p5_a_list_is_refused_as_one(struct kunit *test)
{
	struct memquota_tracker *t = new_tracker(test,
		&(struct memquota_limits){ .max = SZ_1M });
	struct actor *actor = lone_actor(test, t, 0, 1);
	struct sk_buff_head queue;
	u64 bytes;

	fill(test, &queue);
	bytes = truesize(&queue);
	actor->per_call = 0;
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			memquota_try_charge_skbs(&actor->p, &queue, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, exact_total(t));
	memquota_charge_skbs(&actor->p, &queue);
	KUNIT_EXPECT_EQ(test, bytes, exact_total(t));
	memquota_uncharge_skbs(&actor->p, &queue);
	KUNIT_EXPECT_EQ(test, 0, exact_total(t));
	skb_queue_purge(&queue);
	KUNIT_EXPECT_EQ(test, 0, memquota_skbs_bytes(&queue));
	memquota_charge_skbs(&actor->p, &queue);
	memquota_uncharge_skbs(&actor->p, &queue);
	KUNIT_EXPECT_EQ(test, 0, exact_total(t));
}

static void p12_a_socket_is_asked_locked_and_held(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct socket *sock = new_socket(test);
	struct held held = { .refs = refs(sock->sk) };
	u64 bytes;

	fill(test, &held.queue);
	bytes = truesize(&held.queue);
	memquota_join_sk(&held.p, sock->sk, drop_oldest, "socket %d", 1);
	memquota_charge_skbs(&held.p.participant, &held.queue);
	configure(test, t, 0, bytes / 2, 0);
	ASSERT_SETTLES(test, READ_ONCE(held.asked));
	settle(test, t);
	ASSERT_SETTLES(test, refs(sock->sk) == held.refs);
	KUNIT_EXPECT_FALSE(test, held.unlocked);
	KUNIT_EXPECT_FALSE(test, held.unheld);
	exact_total(t);
	KUNIT_EXPECT_LE(test, memquota_held(&held.p.participant), bytes / 2);
	KUNIT_EXPECT_EQ(test, truesize(&held.queue),
			memquota_held(&held.p.participant));

	/* As in a protocol's close(). */
	lock_sock(sock->sk);
	memquota_leave_sk(&held.p);
	release_sock(sock->sk);
	KUNIT_EXPECT_EQ(test, 0, memquota_held(&held.p.participant));
	skb_queue_purge(&held.queue);
	memquota_barrier();
	sock_release(sock);
}

/* One who has waited for the socket lock meanwhile finds that it has left. */
static void p12_nobody_is_asked_after_leaving_locked(struct kunit *test)
{
	struct memquota_tracker *t = borrow_default_tracker(test);
	struct socket *sock = new_socket(test);
	struct held held = { .refs = refs(sock->sk) };
	u64 bytes;

	fill(test, &held.queue);
	bytes = truesize(&held.queue);
	memquota_join_sk(&held.p, sock->sk, drop_oldest, "socket %d", 1);
	memquota_charge_skbs(&held.p.participant, &held.queue);
	lock_sock(sock->sk);
	configure(test, t, 0, bytes / 2, 0);
	/* Held, and waiting for the lock. */
	KUNIT_EXPECT_TRUE(test, settled(refs(sock->sk) > held.refs));
	memquota_leave_sk(&held.p);
	release_sock(sock->sk);
	KUNIT_EXPECT_TRUE(test, settled(refs(sock->sk) == held.refs));
	KUNIT_EXPECT_EQ(test, 0U, held.asked);
	skb_queue_purge(&held.queue);
	memquota_barrier();
	sock_release(sock);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(p12_lists_are_charged_in_one_call),
	KUNIT_CASE(p5_a_list_is_refused_as_one),
	KUNIT_CASE(p12_a_socket_is_asked_locked_and_held),
	KUNIT_CASE(p12_nobody_is_asked_after_leaving_locked),
	{}
};

MEMQUOTA_SUITE(memquota_sock, cases);
