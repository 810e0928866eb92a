/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of the core. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM memquota

#if !defined(_MEMQUOTA_CORE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MEMQUOTA_CORE_TRACE_H

#include <linux/tracepoint.h>
#include "core.h"

/* The total has changed. Any context but NMI. */
TRACE_EVENT(memquota_total,
	TP_PROTO(struct memquota_tracker *tracker, s64 bytes),
	TP_ARGS(tracker, bytes),
	TP_STRUCT__entry(
		__string(tracker, tracker->name)
		__field(s64, bytes)
		__field(u64, total)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, tracker->name);
		__entry->bytes = bytes;
		__entry->total = memquota_tracker_total(tracker);
	),
	TP_printk("tracker=%s bytes=%lld total=%llu", __get_str(tracker),
		  __entry->bytes, __entry->total)
);

/* A tracker was created, configured or is about to be destroyed. */
DECLARE_EVENT_CLASS(memquota_tracker_life,
	TP_PROTO(struct memquota_tracker *tracker),
	TP_ARGS(tracker),
	TP_STRUCT__entry(
		__string(tracker, tracker->name)
		__field(u64, total)
		__field(u64, max)
		__field(u64, high)
		__field(u64, low_water)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, tracker->name);
		__entry->total = memquota_tracker_total(tracker);
		__entry->max = READ_ONCE(tracker->max);
		__entry->high = READ_ONCE(tracker->high);
		__entry->low_water = READ_ONCE(tracker->low_water);
	),
	TP_printk("tracker=%s total=%llu max=%llu high=%llu low_water=%llu",
		  __get_str(tracker), __entry->total, __entry->max,
		  __entry->high, __entry->low_water)
);

DEFINE_EVENT(memquota_tracker_life, memquota_tracker_create,
	TP_PROTO(struct memquota_tracker *tracker),
	TP_ARGS(tracker)
);

DEFINE_EVENT(memquota_tracker_life, memquota_tracker_configure,
	TP_PROTO(struct memquota_tracker *tracker),
	TP_ARGS(tracker)
);

DEFINE_EVENT(memquota_tracker_life, memquota_tracker_destroy,
	TP_PROTO(struct memquota_tracker *tracker),
	TP_ARGS(tracker)
);

/* An account was opened. Any context but NMI. */
TRACE_EVENT(memquota_account_create,
	TP_PROTO(struct memquota_account *a, struct memquota_account *parent),
	TP_ARGS(a, parent),
	TP_STRUCT__entry(
		__string(tracker, a->tracker->name)
		__string(account, a->name)
		__field(u64, account_id)
		__field(u64, parent_id)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, a->tracker->name);
		memquota_assign_str(account, a->name);
		__entry->account_id = a->id;
		__entry->parent_id = parent ? parent->id : 0;
	),
	TP_printk("tracker=%s account=%llu:%s parent=%llu",
		  __get_str(tracker), __entry->account_id, __get_str(account),
		  __entry->parent_id)
);

TRACE_EVENT(memquota_account_close,
	TP_PROTO(struct memquota_account *a, u64 word),
	TP_ARGS(a, word),
	TP_STRUCT__entry(
		__string(tracker, a->tracker->name)
		__string(account, a->name)
		__field(u64, account_id)
		__field(u64, held)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, a->tracker->name);
		memquota_assign_str(account, a->name);
		__entry->account_id = a->id;
		__entry->held = word & ACCOUNT_USED;
	),
	TP_printk("tracker=%s account=%llu:%s held=%llu",
		  __get_str(tracker), __entry->account_id, __get_str(account),
		  __entry->held)
);

/* Not for an account that could not be created: it has no id. */
TRACE_EVENT_CONDITION(memquota_account_free,
	TP_PROTO(struct memquota_account *a),
	TP_ARGS(a),
	TP_CONDITION(a->id),
	TP_STRUCT__entry(
		__string(tracker, a->tracker->name)
		__string(account, a->name)
		__field(u64, account_id)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, a->tracker->name);
		memquota_assign_str(account, a->name);
		__entry->account_id = a->id;
	),
	TP_printk("tracker=%s account=%llu:%s", __get_str(tracker),
		  __entry->account_id, __get_str(account))
);

TRACE_EVENT(memquota_reclaim_start,
	TP_PROTO(struct memquota_tracker *tracker, u64 refused, u64 pressure),
	TP_ARGS(tracker, refused, pressure),
	TP_STRUCT__entry(
		__string(tracker, tracker->name)
		__field(u64, total)
		__field(u64, high)
		__field(u64, low_water)
		__field(u64, refused)
		__field(u64, pressure)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, tracker->name);
		__entry->total = memquota_tracker_total(tracker);
		__entry->high = READ_ONCE(tracker->high);
		__entry->low_water = READ_ONCE(tracker->low_water);
		__entry->refused = refused;
		__entry->pressure = pressure;
	),
	TP_printk("tracker=%s total=%llu high=%llu low_water=%llu refused=%llu pressure=%llu",
		  __get_str(tracker), __entry->total, __entry->high,
		  __entry->low_water, __entry->refused, __entry->pressure)
);

TRACE_EVENT(memquota_victim,
	TP_PROTO(struct memquota_record *record, u64 arrival_ns, u64 until_ns,
		 u64 want),
	TP_ARGS(record, arrival_ns, until_ns, want),
	TP_STRUCT__entry(
		__string(tracker, record->account->tracker->name)
		__string(account, record->account->name)
		__string(participant, memquota_record_name(record))
		__field(u64, account_id)
		__field(u64, held)
		__field(u64, arrival_ns)
		__field(u64, age_ns)
		__field(u64, until_ns)
		__field(u64, want)
		__field(bool, collapsing)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, record->account->tracker->name);
		memquota_assign_str(account, record->account->name);
		memquota_assign_str(participant, memquota_record_name(record));
		__entry->account_id = record->account->id;
		__entry->held = memquota_record_used(record);
		__entry->arrival_ns = arrival_ns;
		__entry->age_ns = max_t(s64, 0, ktime_get_coarse_ns() -
						arrival_ns);
		__entry->until_ns = until_ns;
		__entry->want = want;
		__entry->collapsing = READ_ONCE(record->flags) &
				      RECORD_COLLAPSING;
	),
	TP_printk("tracker=%s account=%llu:%s participant=%s held=%llu arrival_ns=%llu age_ns=%llu until_ns=%llu want=%llu%s",
		  __get_str(tracker), __entry->account_id, __get_str(account),
		  __get_str(participant), __entry->held, __entry->arrival_ns,
		  __entry->age_ns, __entry->until_ns, __entry->want,
		  __entry->collapsing ? " collapsing" : "")
);

/* A victim freed bytes; a sleeping victim has answered. */
TRACE_EVENT(memquota_reclaimed,
	TP_PROTO(struct memquota_record *record, u64 bytes),
	TP_ARGS(record, bytes),
	TP_STRUCT__entry(
		__string(tracker, record->account->tracker->name)
		__string(account, record->account->name)
		__string(participant, memquota_record_name(record))
		__field(u64, account_id)
		__field(u64, bytes)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, record->account->tracker->name);
		memquota_assign_str(account, record->account->name);
		memquota_assign_str(participant, memquota_record_name(record));
		__entry->account_id = record->account->id;
		__entry->bytes = bytes;
	),
	TP_printk("tracker=%s account=%llu:%s participant=%s bytes=%llu",
		  __get_str(tracker), __entry->account_id, __get_str(account),
		  __get_str(participant), __entry->bytes)
);

TRACE_EVENT(memquota_reclaim_end,
	TP_PROTO(struct memquota_tracker *tracker, unsigned int victims,
		 u64 freed, bool reached),
	TP_ARGS(tracker, victims, freed, reached),
	TP_STRUCT__entry(
		__string(tracker, tracker->name)
		__field(u64, total)
		__field(u64, low_water)
		__field(unsigned int, victims)
		__field(u64, freed)
		__field(bool, reached)
	),
	TP_fast_assign(
		memquota_assign_str(tracker, tracker->name);
		__entry->total = memquota_tracker_total(tracker);
		__entry->low_water = READ_ONCE(tracker->low_water);
		__entry->victims = victims;
		__entry->freed = freed;
		__entry->reached = reached;
	),
	TP_printk("tracker=%s total=%llu low_water=%llu victims=%u freed=%llu%s",
		  __get_str(tracker), __entry->total, __entry->low_water,
		  __entry->victims, __entry->freed,
		  __entry->reached ? "" : " gave up")
);

#endif /* _MEMQUOTA_CORE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
