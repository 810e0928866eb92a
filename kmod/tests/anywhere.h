/* SPDX-License-Identifier: GPL-2.0 */
/* Call a function in a context. */
#ifndef _MEMQUOTA_TESTS_ANYWHERE_H
#define _MEMQUOTA_TESTS_ANYWHERE_H

#include "harness.h"

enum context {
	IN_PLACE,
	IRQS_OFF,
	UNDER_A_RAW_SPINLOCK,
	UNDER_RCU,
	IN_IRQ_WORK,
	IN_HRTIMER,
	IN_TIMER,
	IN_TASKLET,
	IN_RCU_CALLBACK,
	IN_IPI,		/* to the last CPU */
	IN_IPI_HERE,	/* to the first CPU */
	NR_CONTEXTS,
};

/* Returns when @fn has returned. */
void run_in_context(struct kunit *test, enum context context,
		    void (*fn)(void *arg), void *arg);

#endif /* _MEMQUOTA_TESTS_ANYWHERE_H */
