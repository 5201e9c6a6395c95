/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traces: guests that come and go, in order of their arrival, one at a time. */
#pragma once

#include <stdio.h>

#include <glib.h>

G_BEGIN_DECLS

/* An end that does not come. */
#define SCHED_NEVER 1e18

/**
 * SchedGuest: one line of a trace. Strings belong to the trace, until the next guest.
 * @start, @end: seconds; @end is at or after @start
 * @size: bytes, a multiple of 2 MiB, at least one
 * @colors: how many it wants, or 0
 * @group: (nullable): guests of one group are on different hosts
 */
typedef struct {
	double start;
	double end;
	const char *tenant;
	guint64 size;
	guint32 colors;
	const char *group;
} SchedGuest;

typedef enum {
	SCHED_TRACE_GUEST,
	SCHED_TRACE_END,
	SCHED_TRACE_ERROR,
} SchedTraceStatus;

typedef struct SchedTrace SchedTrace;

/* Reads the next guest; the one before must not start later. */
SchedTraceStatus sched_trace_next(SchedTrace *trace, SchedGuest *guest, GError **error);
void sched_trace_free(SchedTrace *trace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedTrace, sched_trace_free)

/**
 * sched_trace_csv:
 * @stream: (transfer full): closed with the trace
 * @name: what messages call it
 *
 * Comma-separated values. The first line names the columns, in any order: tenant,
 * start, end, memory, and where wanted colors and group. Nothing is quoted. Messages
 * name file, line and column.
 */
SchedTrace *sched_trace_csv(FILE *stream, const char *name);

/**
 * SchedGeneratorOptions:
 * @memory: bytes that all guests together have on average
 * @days: how long guests arrive
 * @tenants: number of tenants, or 0: as many as the public trace has for so many guests
 */
typedef struct {
	double memory;
	double days;
	guint tenants;
	guint32 seed;
} SchedGeneratorOptions;

/**
 * sched_trace_generate:
 *
 * Guests with sizes and lifetimes as in Azure's public VM trace of 2019; generate.c has
 * the figures, colorsched(1) what they were taken from. The first of them are there at
 * time 0, as many as are there on average, so that nothing has to fill up first.
 */
SchedTrace *sched_trace_generate(const SchedGeneratorOptions *options);

/* What a guest of a generated trace has on average. */
double sched_generated_memory(void); /* bytes */
double sched_generated_life(void);   /* seconds */

G_END_DECLS
