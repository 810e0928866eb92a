/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between Linux 6.1 and the newest kernel, in one place. Each
 * entry says which version makes it unnecessary.
 */
#ifndef _MEMQUOTA_COMPAT_H
#define _MEMQUOTA_COMPAT_H

#include <linux/err.h>
#include <linux/percpu.h>
#include <linux/shrinker.h>
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

/* 6.4: class_create() takes the name alone. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define memquota_class_create(name)	class_create(THIS_MODULE, name)
#else
#define memquota_class_create(name)	class_create(name)
#endif

/* 6.5: what splices from read_iter is called copy_splice_read(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define memquota_splice_read		generic_file_splice_read
#else
#define memquota_splice_read		copy_splice_read
#endif

/* 6.7: shrinkers are allocated, and have private data. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#include <linux/slab.h>

struct memquota_shrinker {
	struct shrinker shrinker;
	void *private_data;
};

static inline void *memquota_shrinker_data(struct shrinker *shrinker)
{
	return container_of(shrinker, struct memquota_shrinker,
			    shrinker)->private_data;
}

static inline struct shrinker *
memquota_shrinker_create(const char *name, void *data,
			 unsigned long (*count)(struct shrinker *shrinker,
						struct shrink_control *sc),
			 unsigned long (*scan)(struct shrinker *shrinker,
					       struct shrink_control *sc))
{
	struct memquota_shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->private_data = data;
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	err = register_shrinker(&s->shrinker, "memquota-%s", name);
	if (err) {
		kfree(s);
		return ERR_PTR(err);
	}
	return &s->shrinker;
}

static inline void memquota_shrinker_destroy(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct memquota_shrinker, shrinker));
}
#else
static inline void *memquota_shrinker_data(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

static inline struct shrinker *
memquota_shrinker_create(const char *name, void *data,
			 unsigned long (*count)(struct shrinker *shrinker,
						struct shrink_control *sc),
			 unsigned long (*scan)(struct shrinker *shrinker,
					       struct shrink_control *sc))
{
	struct shrinker *s = shrinker_alloc(0, "memquota-%s", name);

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->count_objects = count;
	s->scan_objects = scan;
	s->private_data = data;
	shrinker_register(s);
	return s;
}

static inline void memquota_shrinker_destroy(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#endif

/* 6.8: eventfd_signal() adds 1. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define memquota_eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#else
#define memquota_eventfd_signal(ctx)	eventfd_signal(ctx)
#endif

/* 6.10: __assign_str() takes the field alone. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define memquota_assign_str(dst, src)	__assign_str(dst, src)
#else
#define memquota_assign_str(dst, src)	__assign_str(dst)
#endif

/*
 * 6.13: the namespace of a symbol is a string. Symbols in MEMQUOTA_INTERNAL are
 * for memquota's own tests and benchmarks; other builds do not export them.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define MEMQUOTA_IMPORT_INTERNAL	MODULE_IMPORT_NS(MEMQUOTA_INTERNAL)
#define __MEMQUOTA_EXPORT_INTERNAL(sym)	EXPORT_SYMBOL_NS_GPL(sym, MEMQUOTA_INTERNAL)
#else
#define MEMQUOTA_IMPORT_INTERNAL	MODULE_IMPORT_NS("MEMQUOTA_INTERNAL")
#define __MEMQUOTA_EXPORT_INTERNAL(sym)	EXPORT_SYMBOL_NS_GPL(sym, "MEMQUOTA_INTERNAL")
#endif
#if defined(CONFIG_MEMQUOTA_DEBUG) || defined(CONFIG_MEMQUOTA_BENCH)
#define MEMQUOTA_EXPORT_INTERNAL(sym)	__MEMQUOTA_EXPORT_INTERNAL(sym)
#else
#define MEMQUOTA_EXPORT_INTERNAL(sym)	static_assert(true)
#endif

#endif /* _MEMQUOTA_COMPAT_H */
