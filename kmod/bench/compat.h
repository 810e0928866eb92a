/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between Linux 6.1 and the newest kernel that only the benchmarks
 * see. Each entry says which version makes it unnecessary.
 */
#ifndef _MEMQUOTA_BENCH_COMPAT_H
#define _MEMQUOTA_BENCH_COMPAT_H

#include <linux/version.h>

/* 6.9: page_frag_cache_drain(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#include <linux/gfp.h>
#include <linux/mm.h>

static inline void bench_page_frag_cache_drain(struct page_frag_cache *nc)
{
	if (nc->va)
		__page_frag_cache_drain(virt_to_head_page(nc->va),
					nc->pagecnt_bias);
	nc->va = NULL;
}
#else
/* 6.13: page fragments have a header of their own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#include <linux/page_frag_cache.h>
#else
#include <linux/gfp.h>
#endif
#define bench_page_frag_cache_drain(nc)	page_frag_cache_drain(nc)
#endif

#endif /* _MEMQUOTA_BENCH_COMPAT_H */
