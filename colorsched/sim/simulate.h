/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace, played on a fleet by several policies at once. */
#pragma once

#include "colorsched/sim/policy.h"
#include "colorsched/sim/trace.h"

G_BEGIN_DECLS

/* Policies that can be set side by side. */
#define SCHED_POLICIES_MAX 8u
/* Points of a run that are kept for a plot. */
#define SCHED_POINTS_MAX 512u

/**
 * SchedConflict: what guests lose of their cache to other tenants. The part that a guest
 * loses is, of the cache lines that its memory may be in, the part that another tenant's
 * memory may be in too, in proportion to how much of either: that is what a direct-mapped
 * cache comes to when all memory is used alike.
 * @samples: guests that were looked at, each as often as it was met
 * @mean, @median, @high: of the part, 0 to 1; @high: 99 % are below
 * @touched: part of the guests that lose anything
 */
typedef struct {
	guint64 samples;
	double mean;
	double median;
	double high;
	double most;
	double touched;
} SchedConflict;

/**
 * SchedResult: what a policy made of a trace. Means are over time.
 * @admitted: guests; @memory: of the memory that was asked for, over time, the part
 *   that was given
 * @used: bytes that guests asked for and have
 * @held: the same with what is left over of their last granules
 * @idle: bytes that nobody holds and only one tenant could get
 * @idle_most: the most of it
 * @free: part of the fleet that no guest held when a guest was refused, on average; 0
 *   when none was
 * @colors: colors that a tenant has, on average; @colors_most: the most that one had
 */
typedef struct {
	const SchedPolicy *policy;
	guint64 admitted;
	double memory;
	double used;
	double held;
	double idle;
	guint64 idle_most;
	double free;
	double colors;
	guint64 colors_most;
	SchedConflict conflict;
} SchedResult;

/* Bytes at one moment. */
typedef struct {
	double time;
	guint64 used[SCHED_POLICIES_MAX];
	guint64 idle[SCHED_POLICIES_MAX];
} SchedPoint;

/**
 * SchedReport:
 * @guests: that arrived; @events: with those that left
 * @start, @end: seconds: first and last arrival
 * @live_most: the most guests at once
 * @asked: bytes that guests asked for, mean over time
 * @points: (element-type SchedPoint)
 */
typedef struct {
	guint64 hosts;
	guint64 capacity;
	guint64 guests;
	guint64 events;
	double start;
	double end;
	guint64 live_most;
	double asked;
	guint n;
	SchedResult result[SCHED_POLICIES_MAX];
	GArray *points;
} SchedReport;

void sched_report_free(SchedReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedReport, sched_report_free)

/**
 * sched_simulate:
 * @fleet: its models and pools; what is in it does not matter
 * @policies: at most SCHED_POLICIES_MAX
 * @seed: for those that roll dice
 * @progress: (nullable): called now and then with the number of events so far
 *
 * Time ends with the last arrival. Memory grows with the guests that are there at once,
 * not with the length of the trace.
 */
SchedReport *sched_simulate(const SchedFleet *fleet, SchedTrace *trace,
			    const SchedPolicy *const *policies, guint n, guint32 seed,
			    void (*progress)(guint64 events), GError **error);

G_END_DECLS
