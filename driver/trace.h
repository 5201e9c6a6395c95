/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: what happens to instances and to the memory of regions. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dax_color

#if !defined(DAX_COLOR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DAX_COLOR_TRACE_H

#include <linux/tracepoint.h>

#include "dax_color.h"

TRACE_EVENT(dax_color_create,
	TP_PROTO(const struct dc_instance *instance),
	TP_ARGS(instance),
	TP_STRUCT__entry(
		__field(int, region)
		__field(int, id)
	),
	TP_fast_assign(
		__entry->region = instance->region->id;
		__entry->id = instance->id;
	),
	TP_printk("dax%d.%d", __entry->region, __entry->id)
);

TRACE_EVENT(dax_color_resize,
	TP_PROTO(const struct dc_instance *instance, u64 from, u64 to),
	TP_ARGS(instance, from, to),
	TP_STRUCT__entry(
		__field(int, region)
		__field(int, id)
		__field(u64, from)
		__field(u64, to)
	),
	TP_fast_assign(
		__entry->region = instance->region->id;
		__entry->id = instance->id;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("dax%d.%d from=%llu to=%llu", __entry->region, __entry->id,
		  __entry->from, __entry->to)
);

TRACE_EVENT(dax_color_fault,
	TP_PROTO(const struct dc_instance *instance, u64 offset, unsigned long size,
		 unsigned int result),
	TP_ARGS(instance, offset, size, result),
	TP_STRUCT__entry(
		__field(int, region)
		__field(int, id)
		__field(u64, offset)
		__field(unsigned long, size)
		__field(unsigned int, result)
	),
	TP_fast_assign(
		__entry->region = instance->region->id;
		__entry->id = instance->id;
		__entry->offset = offset;
		__entry->size = size;
		__entry->result = result;
	),
	TP_printk("dax%d.%d offset=%#llx size=%lu result=%#x", __entry->region, __entry->id,
		  __entry->offset, __entry->size, __entry->result)
);

DECLARE_EVENT_CLASS(dax_color_piece,
	TP_PROTO(int region, u64 start, u64 size),
	TP_ARGS(region, start, size),
	TP_STRUCT__entry(
		__field(int, region)
		__field(u64, start)
		__field(u64, size)
	),
	TP_fast_assign(
		__entry->region = region;
		__entry->start = start;
		__entry->size = size;
	),
	TP_printk("region=%d %#llx-%#llx", __entry->region, __entry->start,
		  __entry->start + __entry->size - 1)
);

DEFINE_EVENT(dax_color_piece, dax_color_quarantine,
	TP_PROTO(int region, u64 start, u64 size),
	TP_ARGS(region, start, size)
);

DEFINE_EVENT(dax_color_piece, dax_color_release,
	TP_PROTO(int region, u64 start, u64 size),
	TP_ARGS(region, start, size)
);

TRACE_EVENT(dax_color_zero,
	TP_PROTO(int region, u64 size, bool begin),
	TP_ARGS(region, size, begin),
	TP_STRUCT__entry(
		__field(int, region)
		__field(u64, size)
		__field(bool, begin)
	),
	TP_fast_assign(
		__entry->region = region;
		__entry->size = size;
		__entry->begin = begin;
	),
	TP_printk("region=%d size=%llu %s", __entry->region, __entry->size,
		  __entry->begin ? "begin" : "end")
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
