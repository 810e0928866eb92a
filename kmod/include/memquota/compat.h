/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between Linux 6.1 and the newest kernel, for the headers that
 * other modules include. Each entry names the version that makes it unnecessary.
 */
#ifndef _MEMQUOTA_COMPAT_H
#define _MEMQUOTA_COMPAT_H

#include <linux/percpu.h>
#include <linux/version.h>

/*
 * 6.5: this_cpu_try_cmpxchg(). Before it, this_cpu_cmpxchg() alone costs the
 * charge path a register copy and a comparison that the flags already hold.
 */
#ifndef this_cpu_try_cmpxchg
#ifdef CONFIG_X86_64
#define memquota_this_cpu_try_cmpxchg(ptr, oldp, new)			\
({									\
	u64 __percpu *mq_ptr = (ptr);					\
	u64 *mq_oldp = (oldp);						\
	u64 mq_old = *mq_oldp;						\
	bool mq_ok;							\
									\
	asm volatile("cmpxchgq %[nval], " __percpu_arg([var])		\
		     : "=@ccz" (mq_ok), [oval] "+a" (mq_old),		\
		       [var] "+m" (*(u64 __force *)mq_ptr)		\
		     : [nval] "r" ((u64)(new))				\
		     : "memory");					\
	if (unlikely(!mq_ok))						\
		*mq_oldp = mq_old;					\
	mq_ok;								\
})
#else
#define memquota_this_cpu_try_cmpxchg(ptr, oldp, new)			\
({									\
	u64 *mq_oldp = (oldp);						\
	u64 mq_old = *mq_oldp;						\
									\
	*mq_oldp = this_cpu_cmpxchg(*(ptr), mq_old, (new));		\
	*mq_oldp == mq_old;						\
})
#endif
#else
#define memquota_this_cpu_try_cmpxchg(ptr, oldp, new)			\
	this_cpu_try_cmpxchg(*(ptr), (oldp), (new))
#endif

#endif /* _MEMQUOTA_COMPAT_H */
