/* SPDX-License-Identifier: GPL-2.0 */
/* Requests to sleeping participants. */
#ifndef _MEMQUOTA_REQUEST_H
#define _MEMQUOTA_REQUEST_H

#include <linux/gfp.h>
#include <linux/list.h>

struct memquota_record;
struct memquota_sleeper;
struct memquota_tracker;

/**
 * struct memquota_requests - the requests of a tracker
 * @nr_pending: requests that were issued, and neither finished nor expired
 * @list: those of them that were not answered, in the order of issue
 */
struct memquota_requests {
	unsigned int nr_pending;	/* request_lock; READ_ONCE */
	struct list_head list;		/* request_lock */
};

extern unsigned int memquota_answer_ms;
extern unsigned int memquota_give_up_ms;

bool memquota_request_issue(struct memquota_record *r, u64 want_bytes,
			    u64 until_ns);
long memquota_requests_expire(struct memquota_tracker *t, bool all);
struct memquota_sleeper *memquota_sleeper_alloc(struct memquota_record *r,
						gfp_t gfp);
int memquota_requests_init(void);
void memquota_requests_exit(void);

#endif /* _MEMQUOTA_REQUEST_H */
