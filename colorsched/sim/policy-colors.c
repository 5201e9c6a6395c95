// SPDX-License-Identifier: GPL-2.0-or-later
/* The policies that keep colors apart: what colorsched itself would do. */
#include <daxcolor/request.h>

#include "colorsched/core/index.h"
#include "policy.h"

/**
 * Colors:
 * @request: of the guest that arrives, used again for the next
 */
typedef struct {
	SchedFleet *fleet;
	SchedIndex *index;
	DaxcRequest *request;
	gboolean pooled;
} Colors;

static gpointer make(SchedFleet *fleet, gboolean pooled)
{
	Colors *colors = g_new0(Colors, 1);

	colors->fleet = fleet;
	colors->index = sched_index_new(fleet);
	colors->pooled = pooled;
	colors->request = daxc_request_new("", "", "");
	g_ptr_array_add(colors->request->cells, daxc_cell_request_new(0, 0));
	return colors;
}

static gpointer make_exclusive(SchedFleet *fleet, guint32 seed)
{
	return make(fleet, FALSE);
}

static gpointer make_pooled(SchedFleet *fleet, guint32 seed)
{
	return make(fleet, TRUE);
}

static void colors_free(gpointer self)
{
	Colors *colors = self;

	sched_index_free(colors->index);
	daxc_request_free(colors->request);
	g_free(colors);
}

/* Items are pairs of a color and the granules of it. */
static SchedStay *stay_new(const SchedFleet *fleet, const SchedPlacement *placement)
{
	const SchedPart *part = sched_placement_part(placement, 0);
	guint32 n = part->choice.n;
	SchedStay *stay = g_malloc(sizeof(*stay) + 2 * (gsize)n * sizeof(guint32));

	stay->unit = sched_fleet_unit(fleet, placement->host, part->zone);
	stay->n = n;
	for (guint32 i = 0; i < n; i++) {
		stay->item[i] = part->choice.color[i];
		stay->item[n + i] = part->choice.used[i];
	}
	return stay;
}

static SchedStay *admit(gpointer self, const SchedArrival *arrival)
{
	Colors *colors = self;
	DaxcCellRequest *cell = g_ptr_array_index(colors->request->cells, 0);
	guint32 owner = colors->pooled ? arrival->tenant : arrival->guest;
	SchedWant want = {
		.request = colors->request,
		.tenant = owner,
		.avoid = arrival->avoid,
	};
	g_auto(SchedPlacement) placement = {0};

	cell->size = arrival->size;
	cell->wish = arrival->colors ? DAXC_WISH_COUNT : DAXC_WISH_ANY;
	cell->count = arrival->colors;
	if (!sched_index_choose(colors->index, &want, &placement))
		return NULL;
	sched_index_hold(colors->index, &placement, owner);
	return stay_new(colors->fleet, &placement);
}

static void leave(gpointer self, SchedStay *stay, guint32 tenant, guint32 guest)
{
	Colors *colors = self;
	guint host, zone;

	sched_fleet_find_unit(colors->fleet, stay->unit, &host, &zone);
	sched_index_drop_colors(colors->index, host, zone, stay->item,
				stay->item + stay->n, stay->n,
				colors->pooled ? tenant : guest);
	g_free(stay);
}

static SchedUse use(gpointer self, const SchedStay *stay, guint32 i)
{
	return (SchedUse){stay->item[i], stay->item[stay->n + i]};
}

static guint64 held(gpointer self)
{
	return ((Colors *)self)->fleet->held;
}

static guint64 idle(gpointer self)
{
	return ((Colors *)self)->fleet->idle;
}

const SchedPolicy sched_policy_exclusive = {
	.name = "exclusive",
	.summary = "colors of its own for each guest",
	.make = make_exclusive,
	.free = colors_free,
	.admit = admit,
	.leave = leave,
	.use = use,
	.held = held,
	.idle = idle,
};

const SchedPolicy sched_policy_pooled = {
	.name = "pooled",
	.summary = "colors of its own for each tenant, shared by its guests",
	.make = make_pooled,
	.free = colors_free,
	.admit = admit,
	.leave = leave,
	.use = use,
	.held = held,
	.idle = idle,
};
