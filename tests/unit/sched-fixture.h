/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small fleets, put together by hand. */
#pragma once

#include "unit.h"

#include <string.h>

#include "colorsched/core/choice.h"

#define GiB (G_GUINT64_CONSTANT(1) << 30)

/* A model with @regions zones of @granules behind the cache of each of @nodes nodes,
 * which has @colors colors. */
static inline SchedModel *fixture_regions(const char *name, guint nodes,
					  guint regions_each, guint32 colors,
					  guint32 granules)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	SchedModel *model;

	for (guint node = 0; node < nodes; node++) {
		DaxcCacheDomain domain = {
			.node = (gint)node,
			.kind = DAXC_GEOMETRY_ROTATE,
			.cache_size = colors * GiB,
			.granule = GiB,
			.colors = colors,
		};

		ck_assert(daxc_geometry_add(geometry, &domain, NULL));
		for (guint i = 0; i < regions_each; i++) {
			DaxcRegion *region = g_new0(DaxcRegion, 1);

			region->id = regions->len;
			region->node = (gint)node;
			region->start = (guint64)(regions->len + 1) * colors * 4096 * GiB;
			region->size = granules * GiB;
			g_ptr_array_add(regions, region);
		}
	}
	model = sched_model_new(name, geometry, daxc_layout_new(geometry, regions),
				&error);
	unit_assert_no_error(error);
	return model;
}

static inline SchedModel *fixture_model(const char *name, guint nodes, guint32 colors,
					guint32 granules)
{
	return fixture_regions(name, nodes, 1, colors, granules);
}

static inline void fixture_pool(SchedFleet *fleet, const char *name, SchedModel *model,
				guint count)
{
	g_autoptr(GError) error = NULL;

	sched_fleet_add_pool(fleet, name, model, count, NULL, NULL, &error);
	unit_assert_no_error(error);
}

/* @count hosts of one node. */
static inline SchedFleet *fixture_fleet(guint count, guint32 colors, guint32 granules)
{
	SchedFleet *fleet = sched_fleet_new();
	SchedModel *model = fixture_model("plain", 1, colors, granules);

	sched_fleet_add_model(fleet, model);
	fixture_pool(fleet, "host", model, count);
	sched_fleet_ready(fleet);
	return fleet;
}

/* A guest of one cell. */
static inline DaxcRequest *fixture_request(guint64 size)
{
	DaxcRequest *request = daxc_request_new("1b4e28ba-2fa1-41d2-883f-0016d3cca427",
						"guest", "tenant");

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, size));
	return request;
}

static inline DaxcCellRequest *fixture_cell(DaxcRequest *request, guint index)
{
	while (request->cells->len <= index)
		g_ptr_array_add(request->cells,
				daxc_cell_request_new(request->cells->len, GiB));
	return g_ptr_array_index(request->cells, index);
}
