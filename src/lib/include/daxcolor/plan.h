/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Planning: which granules a request gets. Pure: a plan is a function of the
 * layout and the request, nothing else, and the same each time.
 */
#pragma once

#include <daxcolor/geometry.h>
#include <daxcolor/request.h>

G_BEGIN_DECLS

/**
 * DaxcExtent:
 * @start: physical address
 * @size: bytes
 *
 * A run of memory. A list of extents is in order of page offset: the first
 * begins at offset 0 of its instance, each next where the one before ended.
 */
typedef struct {
	guint64 start;
	guint64 size;
} DaxcExtent;

/**
 * DaxcGranule:
 * @start: physical address, a multiple of the granule's size
 *
 * One granule in a plan or carving. Its size is the cache domain's granule.
 */
typedef struct {
	guint64 start;
	guint32 color;
} DaxcGranule;

/**
 * DaxcCellPlan:
 * @cell: guest NUMA cell
 * @region: dax region
 * @node: the region's node
 * @size: bytes, as asked for
 * @align: mapping size the instance will have: 1 GiB where @size and every
 *   extent allow it, else 2 MiB
 * @granule: bytes of one granule
 * @granules: (element-type DaxcGranule): in order of page offset; the last may
 *   be used in part only, but is held whole
 * @extents: (element-type DaxcExtent): the same memory with neighbors joined;
 *   sizes add up to @size
 */
typedef struct {
	guint cell;
	guint region;
	gint node;
	guint64 size;
	guint64 align;
	guint64 granule;
	GArray *granules;
	GArray *extents;
} DaxcCellPlan;

/* Returns: (transfer full): all zero, with empty granules and extents. */
DaxcCellPlan *daxc_cell_plan_new(void);
void daxc_cell_plan_free(DaxcCellPlan *cell);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcCellPlan, daxc_cell_plan_free)

typedef struct {
	/* (element-type DaxcCellPlan): in order of cell; the array frees them */
	GPtrArray *cells;
} DaxcPlan;

void daxc_plan_free(DaxcPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcPlan, daxc_plan_free)

/* Returns: (transfer full) (element-type guint32): its colors, ascending. */
GArray *daxc_cell_plan_colors(const DaxcCellPlan *cell);

G_END_DECLS
