/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet with an index: the same answers as sched_choose(), without a look at every
 * host. Zones that are alike to a tenant who has nothing there need be looked at once;
 * where a tenant has colors is kept for each tenant. Pure.
 */
#pragma once

#include "colorsched/core/choice.h"

G_BEGIN_DECLS

typedef struct SchedIndex SchedIndex;

/* An index of @fleet, which is empty, must outlive it and is changed through it only. */
SchedIndex *sched_index_new(SchedFleet *fleet);
void sched_index_free(SchedIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedIndex, sched_index_free)

/* As sched_choose(). */
gboolean sched_index_choose(SchedIndex *index, const SchedWant *want,
			    SchedPlacement *placement);

/* As sched_hold() and sched_drop(). */
void sched_index_hold(SchedIndex *index, const SchedPlacement *placement, guint32 tenant);
void sched_index_drop(SchedIndex *index, const SchedPlacement *placement, guint32 tenant);

/* As sched_fleet_drop(). */
void sched_index_drop_colors(SchedIndex *index, guint host, guint zone,
			     const guint32 *colors, const guint32 *used, guint32 n,
			     guint32 tenant);

G_END_DECLS
