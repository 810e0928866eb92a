/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between Linux 6.1 and the newest kernel, for the module's own
 * files. Each entry names the version that makes it unnecessary.
 */
#ifndef _MEMQUOTA_CORE_COMPAT_H
#define _MEMQUOTA_CORE_COMPAT_H

#include <linux/err.h>
#include <linux/shrinker.h>
#include <linux/version.h>

/* 6.7: shrinkers are allocated. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#include <linux/slab.h>

static inline struct shrinker *
memquota_shrinker_create(unsigned long (*count)(struct shrinker *shrinker,
						struct shrink_control *sc),
			 unsigned long (*scan)(struct shrinker *shrinker,
					       struct shrink_control *sc))
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	err = register_shrinker(s, "memquota");
	if (err) {
		kfree(s);
		return ERR_PTR(err);
	}
	return s;
}

static inline void memquota_shrinker_destroy(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#else
static inline struct shrinker *
memquota_shrinker_create(unsigned long (*count)(struct shrinker *shrinker,
						struct shrink_control *sc),
			 unsigned long (*scan)(struct shrinker *shrinker,
					       struct shrink_control *sc))
{
	struct shrinker *s = shrinker_alloc(0, "memquota");

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->count_objects = count;
	s->scan_objects = scan;
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

#endif /* _MEMQUOTA_CORE_COMPAT_H */
