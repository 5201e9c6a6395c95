/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who shares which part of the cache with whom, at one moment. */
#pragma once

#include "colorsched/sim/simulate.h"

G_BEGIN_DECLS

/* A guest that a policy has placed. */
typedef struct {
	guint32 tenant;
	const SchedStay *stay;
} SchedPlaced;

typedef struct SchedMeter SchedMeter;

SchedMeter *sched_meter_new(const SchedFleet *fleet);
void sched_meter_free(SchedMeter *meter);

/* Looks at all guests that are there. @placed: in any order, sorted afterwards. */
void sched_meter_look(SchedMeter *meter, const SchedPolicy *policy, gpointer self,
		      SchedPlaced *placed, gsize n);

/* What was seen. @colors, @colors_most: as in SchedResult. */
void sched_meter_read(const SchedMeter *meter, SchedConflict *conflict, double *colors,
		      guint64 *colors_most);

G_END_DECLS
