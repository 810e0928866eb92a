/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of chunks. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM memquota

#if !defined(_MEMQUOTA_MEMORY_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MEMQUOTA_MEMORY_TRACE_H

#include <linux/tracepoint.h>
#include "../core/compat.h"
#include "arena_core.h"

/* A chunk moves. Any context but NMI. */
DECLARE_EVENT_CLASS(memquota_chunk,
	TP_PROTO(struct memquota_arena_core *core, struct memquota_chunk *chunk),
	TP_ARGS(core, chunk),
	TP_STRUCT__entry(
		__string(arena, core->name)
		__field(u64, arena_id)
		__field(u64, bytes)
		__field(bool, one_shot)
	),
	TP_fast_assign(
		memquota_assign_str(arena, core->name);
		__entry->arena_id = core->id;
		__entry->bytes = chunk->bytes;
		__entry->one_shot = chunk->class == MEMQUOTA_ONE_SHOT;
	),
	TP_printk("arena=%llu:%s bytes=%llu%s", __entry->arena_id,
		  __get_str(arena), __entry->bytes,
		  __entry->one_shot ? " one-shot" : "")
);

/* Taken from the system, charged. */
DEFINE_EVENT(memquota_chunk, memquota_chunk_alloc,
	TP_PROTO(struct memquota_arena_core *core, struct memquota_chunk *chunk),
	TP_ARGS(core, chunk)
);

/* Given back to the system. */
DEFINE_EVENT(memquota_chunk, memquota_chunk_free,
	TP_PROTO(struct memquota_arena_core *core, struct memquota_chunk *chunk),
	TP_ARGS(core, chunk)
);

/* Taken from the cache. */
DEFINE_EVENT(memquota_chunk, memquota_chunk_hit,
	TP_PROTO(struct memquota_arena_core *core, struct memquota_chunk *chunk),
	TP_ARGS(core, chunk)
);

/* Its last reference was put. */
DEFINE_EVENT(memquota_chunk, memquota_chunk_back,
	TP_PROTO(struct memquota_arena_core *core, struct memquota_chunk *chunk),
	TP_ARGS(core, chunk)
);

#endif /* _MEMQUOTA_MEMORY_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
