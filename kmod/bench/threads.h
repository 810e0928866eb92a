/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMQUOTA_BENCH_THREADS_H
#define _MEMQUOTA_BENCH_THREADS_H

#define BENCH_CPUS	16

int bench_on_cpus(unsigned int cpus, void (*fn)(unsigned int cpu, void *data),
		  void *data);
unsigned int bench_cpus(void);

#endif /* _MEMQUOTA_BENCH_THREADS_H */
