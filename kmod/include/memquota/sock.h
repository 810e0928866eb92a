/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets as participants. Freeing a socket's memory needs the socket lock. A
 * program can make a thread keep that for any time, for example by a page fault
 * in sendmsg(), so reclaim does not wait for it: while a thread owns the socket
 * the request is pending, and memquota tries again until it expires.
 * These functions take the lock and a reference to the socket; the protocol
 * supplies one function that frees.
 */
#ifndef _MEMQUOTA_SOCK_H
#define _MEMQUOTA_SOCK_H

#include <linux/bottom_half.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <memquota/participant.h>
#include <net/sock.h>

/**
 * struct memquota_sk_participant - embedded in the protocol's socket
 * @participant: the participant to charge and uncharge
 * @sk: the socket that this structure is embedded in
 * @reclaim: the protocol's callback. It is called with bottom halves off, the
 *	socket's spinlock held and no thread owning the socket, as a protocol's
 *	receive function is. It must not sleep. It must uncharge what it frees.
 *	It may call memquota_leave_sk(); it must not charge.
 *	memquota_leave_sk() sets this to NULL, which excludes a running callback
 *	only if the socket is locked.
 */
struct memquota_sk_participant {
	struct memquota_participant participant;
	struct sock *sk;
	void (*reclaim)(struct memquota_sk_participant *participant,
			const struct memquota_request *request);
};

#if IS_REACHABLE(CONFIG_MEMQUOTA)

/* private: */
static inline struct memquota_sk_participant *
memquota_sk_of(struct memquota_participant *participant)
{
	return container_of(participant, struct memquota_sk_participant,
			    participant);
}

static inline bool memquota_sk_get(struct memquota_participant *participant)
{
	/* memquota_leave() waits for this callback, so @sk is not freed yet. */
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
	int ret = -EAGAIN;

	local_bh_disable();
	bh_lock_sock(p->sk);
	/* Not lock_sock(): its owner may keep it for ever. */
	if (!sock_owned_by_user(p->sk)) {
		reclaim = READ_ONCE(p->reclaim);
		if (reclaim)
			reclaim(p, request);
		ret = 0;
	}
	bh_unlock_sock(p->sk);
	local_bh_enable();
	return ret;
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
 * @sock: the socket; must not be freed before memquota_leave_sk()
 * @fn: frees and uncharges the socket's oldest data. Called with bottom halves
 *	off, the socket's spinlock held, no thread owning the socket, and a
 *	reference to it held. Must not sleep
 * @fmt: printf format of the participant's name, and its arguments
 *
 * As memquota_join(): makes a private account in the default tracker and a
 * partial participant, and returns nothing. Reclaim skips a socket whose last
 * reference is gone, and never waits for a thread that owns the socket.
 *
 * A socket that sk_clone_lock() made has a copy of the field. The protocol calls
 * memquota_participant_init() on its @participant before it joins or leaves.
 *
 * Context: any; the caller serialises it with memquota_leave_sk().
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
 * @participant: the participant, which may also have left or never joined
 *
 * As memquota_leave(). Call it with the socket locked: owned by lock_sock(), as
 * in the protocol's close(), or its spinlock held and no thread owning it. Or
 * call it in the socket's destructor, because no callback holds a reference
 * then. In these cases the protocol's callback is not running
 * when this returns and will not be called again.
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
 * memquota_charge_skbs - charge a list of socket buffers in one call
 * @participant: the participant that holds them
 * @list: the buffers; private to the caller, or its lock is held
 *
 * Charges the sum of their truesize in bytes. It must not change before they
 * are uncharged.
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
 * @participant: the participant that will hold them
 * @list: the buffers; private to the caller, or its lock is held
 * @gfp: as for memquota_try_charge()
 *
 * Context: as memquota_try_charge().
 *
 * Return:
 * * 0 - the sum of their truesize is charged
 * * any error of memquota_try_charge(); nothing is charged
 */
static inline int __must_check
memquota_try_charge_skbs(struct memquota_participant *participant,
			 const struct sk_buff_head *list, gfp_t gfp)
{
	return memquota_try_charge(participant, memquota_skbs_bytes(list), gfp);
}

/**
 * memquota_uncharge_skbs - uncharge a list of socket buffers in one call
 * @participant: the participant that held them
 * @list: the buffers; private to the caller, or its lock is held
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
