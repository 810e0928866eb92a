// SPDX-License-Identifier: GPL-2.0
/* Reading what CPUs hold in advance. */
#include <linux/smp.h>
#include <linux/string.h>
#include "record.h"

struct cpu_view_request {
	struct memquota_tracker *tracker;
	struct memquota_cpu_view *view;
};

static bool slot_is_void(const struct memquota_slot *s)
{
	struct memquota_record *r = s->record;

	return memquota_record_ended(r) || memquota_record_key(r) != slot_key(s);
}

/* Runs on the CPU itself with interrupts off, so nothing of it changes. */
static void cpu_view_this(void *arg)
{
	struct cpu_view_request *request = arg;
	struct memquota_cpu *c = this_cpu_ptr(&memquota_cpu);
	struct memquota_cpu_view *view = request->view;
	struct memquota_tracker *t = request->tracker;
	struct memquota_slot *s;
	unsigned int n = 0;

	view->share_bytes = this_cpu_ptr(t->shares)->bytes;
	for (s = c->slots; s < c->slots + MEMQUOTA_SLOTS; s++) {
		if (!s->record || s->record->tracker != t)
			continue;
		view->slots[n].account_id = s->record->account->id;
		view->slots[n].freed_bytes = slot_freed(s);
		view->slots[n].bytes = slot_word_bytes(s, MEMQUOTA_SLOT_AVAIL) +
				       slot_freed(s);
		view->slots[n].is_void = slot_is_void(s);
		strscpy(view->slots[n].name, memquota_record_name(s->record),
			sizeof(view->slots[n].name));
		n++;
	}
	view->nr = n;
}

/* Report what a CPU holds in advance: nothing if it is offline. May sleep. */
void memquota_view_cpu(struct memquota_tracker *t, unsigned int cpu,
		       struct memquota_cpu_view *view)
{
	struct cpu_view_request request = { .tracker = t, .view = view };

	*view = (struct memquota_cpu_view){};
	if (READ_ONCE(t->state) == MEMQUOTA_DISABLED)
		return;
	smp_call_function_single(cpu, cpu_view_this, &request, true);
}
MEMQUOTA_EXPORT_INTERNAL(memquota_view_cpu);

static u64 shares_sum(struct memquota_tracker *t, size_t field)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*(u64 *)((void *)per_cpu_ptr(t->shares, cpu) +
					  field));
	return sum;
}

u64 memquota_shares_bytes(struct memquota_tracker *t)
{
	return shares_sum(t, offsetof(struct memquota_share, bytes));
}

u64 memquota_shares_gained(struct memquota_tracker *t)
{
	return shares_sum(t, offsetof(struct memquota_share, gained));
}

#ifdef CONFIG_MEMQUOTA_DEBUG
u64 memquota_shares_lost(struct memquota_tracker *t)
{
	return shares_sum(t, offsetof(struct memquota_share, lost));
}
#endif
