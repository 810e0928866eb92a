/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets as participants. What a socket's memory may be freed under is the
 * socket lock, which only process context can wait for; hence the reclaim
 * callback is a sleeping one, and the socket is held meanwhile. All of that is
 * done here: the protocol supplies one function.
 */
#ifndef _MEMQUOTA_SOCK_H
#define _MEMQUOTA_SOCK_H

#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <memquota/participant.h>
#include <net/sock.h>

/**
 * struct memquota_sk_participant - embedded in the protocol's socket
 * @participant: to charge and uncharge
 * @sk: the socket that it is embedded in
 * @reclaim: the protocol's callback: called in process context with the socket
 *	locked, it frees, and uncharges what it frees. It may leave; it must not
 *	charge. NULL after memquota_leave_sk(); racy unless that is called with
 *	the socket locked.
 */
struct memquota_sk_participant {
	struct memquota_participant participant;
	struct sock *sk;
	void (*reclaim)(struct memquota_sk_participant *participant,
			const struct memquota_request *request);
};

#if IS_REACHABLE(CONFIG_MEMQUOTA)

/* private: what a module need not write itself */
static inline struct memquota_sk_participant *
memquota_sk_of(struct memquota_participant *participant)
{
	return container_of(participant, struct memquota_sk_participant,
			    participant);
}

static inline bool memquota_sk_get(struct memquota_participant *participant)
{
	/* Leaving waits for this function: the memory is still a socket's. */
	return refcount_inc_not_zero(&memquota_sk_of(participant)->sk->sk_refcnt);
}

static inline void memquota_sk_put(struct memquota_participant *participant)
{
	sock_put(memquota_sk_of(participant)->sk);
}

static inline int
memquota_sk_reclaim(struct memquota_participant *participant,
		    const struct memquota_request *request)
{
	struct memquota_sk_participant *p = memquota_sk_of(participant);
	void (*reclaim)(struct memquota_sk_participant *participant,
			const struct memquota_request *request);

	lock_sock(p->sk);
	reclaim = READ_ONCE(p->reclaim);
	if (reclaim)
		reclaim(p, request);
	release_sock(p->sk);
	return 0;
}

static inline const struct memquota_ops *
memquota_sk_init(struct memquota_sk_participant *participant, struct sock *sk,
		 void (*reclaim)(struct memquota_sk_participant *participant,
				 const struct memquota_request *request))
{
	static const struct memquota_ops ops = {
		.reclaim_sleeping = memquota_sk_reclaim,
		.get = memquota_sk_get,
		.put = memquota_sk_put,
		.owner = THIS_MODULE,
	};

	participant->sk = sk;
	WRITE_ONCE(participant->reclaim, reclaim);
	return &ops;
}

/* public: */

/**
 * memquota_join_sk - make a socket a participant, in one call
 * @p: the field in the protocol's socket, zeroed or left
 * @sock: the socket
 * @fn: frees and uncharges the socket's oldest data; called with the socket
 *	locked, in process context
 * @fmt: printf format of the name that people will read, and its arguments
 *
 * As memquota_join(): a private account in the default tracker, a partial
 * participant, and nothing to check. While @fn runs a reference to the socket
 * is held; a socket whose last reference has gone is not asked.
 *
 * Context: any; the caller keeps it apart from memquota_leave_sk().
 */
#define memquota_join_sk(p, sock, fn, fmt, ...)				\
({									\
	struct memquota_sk_participant *__mq_p = (p);			\
									\
	memquota_join_private(&__mq_p->participant,			\
			      memquota_sk_init(__mq_p, (sock), (fn)),	\
			      GFP_NOWAIT, fmt, ##__VA_ARGS__);		\
})

/**
 * memquota_leave_sk - end a socket's participation
 * @participant: one that has joined, never joined or has left
 *
 * As memquota_leave(). Called with the socket locked, as in the protocol's
 * close(), no callback runs or will run from then on. Called without, as in
 * its destructor, none can, since no reference is left that one could hold.
 *
 * Context: any but hard interrupts and NMI.
 */
static inline void
memquota_leave_sk(struct memquota_sk_participant *participant)
{
	WRITE_ONCE(participant->reclaim, NULL);
	memquota_leave(&participant->participant);
}

/* private: */
static inline size_t memquota_skbs_bytes(const struct sk_buff_head *list)
{
	const struct sk_buff *skb;
	size_t bytes = 0;

	skb_queue_walk(list, skb)
		bytes += skb->truesize;
	return bytes;
}

/* public: */

/**
 * memquota_charge_skbs - charge a list of socket buffers in one visit
 * @participant: who holds them
 * @list: the buffers; the caller holds its lock or is the only one to know it
 *
 * Charges their truesize, which must be the same when they are uncharged.
 *
 * Context: as memquota_charge().
 */
static inline void
memquota_charge_skbs(struct memquota_participant *participant,
		     const struct sk_buff_head *list)
{
	memquota_charge(participant, memquota_skbs_bytes(list));
}

/**
 * memquota_try_charge_skbs - charge a list of socket buffers, all or none
 * @participant: who is to hold them
 * @list: the buffers; the caller holds its lock or is the only one to know it
 * @gfp: as for memquota_try_charge()
 *
 * Context: as memquota_try_charge().
 * Return: 0, or what memquota_try_charge() returns; then nothing is charged.
 */
static inline int __must_check
memquota_try_charge_skbs(struct memquota_participant *participant,
			 const struct sk_buff_head *list, gfp_t gfp)
{
	return memquota_try_charge(participant, memquota_skbs_bytes(list), gfp);
}

/**
 * memquota_uncharge_skbs - uncharge a list of socket buffers in one visit
 * @participant: who held them
 * @list: the buffers; the caller holds its lock or is the only one to know it
 *
 * Context: as memquota_uncharge().
 */
static inline void
memquota_uncharge_skbs(struct memquota_participant *participant,
		       const struct sk_buff_head *list)
{
	memquota_uncharge(participant, memquota_skbs_bytes(list));
}

#else

#define memquota_join_sk(p, sock, fn, fmt, ...)				\
({									\
	(void)(sock);							\
	(void)(fn);							\
	memquota_join_private(&(p)->participant, NULL, GFP_NOWAIT, fmt,	\
			      ##__VA_ARGS__);				\
})

static inline void
memquota_leave_sk(struct memquota_sk_participant *participant)
{
}

static inline void
memquota_charge_skbs(struct memquota_participant *participant,
		     const struct sk_buff_head *list)
{
}

static inline int __must_check
memquota_try_charge_skbs(struct memquota_participant *participant,
			 const struct sk_buff_head *list, gfp_t gfp)
{
	return 0;
}

static inline void
memquota_uncharge_skbs(struct memquota_participant *participant,
		       const struct sk_buff_head *list)
{
}

#endif /* CONFIG_MEMQUOTA */
#endif /* _MEMQUOTA_SOCK_H */
