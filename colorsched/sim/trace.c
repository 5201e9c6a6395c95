// SPDX-License-Identifier: GPL-2.0-or-later
/* What all kinds of traces share, which is little. */
#include "trace-priv.h"

SchedTraceStatus sched_trace_next(SchedTrace *trace, SchedGuest *guest, GError **error)
{
	return trace->kind->next(trace, guest, error);
}

void sched_trace_free(SchedTrace *trace)
{
	if (trace)
		trace->kind->free(trace);
}
