/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions that mark sections for scripts/cachelines.c, QEMU's plugin that
 * counts between them. Each is an 8-byte nop of x86, nopl with a displacement
 * that no compiler emits: 0f 1f 84 00, then the mark. Without the plugin it
 * does nothing.
 */
#ifndef _MEMQUOTA_BENCH_MARKS_H
#define _MEMQUOTA_BENCH_MARKS_H

#define BENCH_MARK_NOPL		0x00841f0f

/* Count from now on in the sections; QEMU runs at full speed before that. */
#define BENCH_MARK_ATTACH	0x6d710001
/* Empty the simulated caches. */
#define BENCH_MARK_COLD		0x6d710002
#define BENCH_MARK_BEGIN	0x6d710003
/* Inside a section: an operation ends. */
#define BENCH_MARK_OPERATION	0x6d710004
#define BENCH_MARK_END		0x6d710005

#ifdef __KERNEL__
#include <linux/compiler.h>

static __always_inline void bench_mark(unsigned int mark)
{
#ifdef __x86_64__
	asm volatile(".long %c0, %c1"
		     : : "i" (BENCH_MARK_NOPL), "i" (mark) : "memory");
#endif
}
#endif

#endif /* _MEMQUOTA_BENCH_MARKS_H */
