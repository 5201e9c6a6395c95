/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carvings, plans and instances as documents and tables: list, show, plan, carve,
 * audit; and what else several documents have. */
#pragma once

#include <json-glib/json-glib.h>

#include <daxcolor/daxcolor.h>

/* Members of the object that is being built: cell, region, node, size, align,
 * granule, colors, extents. */
void cli_add_cell_plan(JsonBuilder *builder, const DaxcCellPlan *plan);

/* Array @member: @carvings (element-type DaxcCarving), each with its cell plan and,
 * with @instances (nullable, element-type DaxcInstance), whose the kernel says it is. */
void cli_add_carvings(JsonBuilder *builder, const char *member, const GPtrArray *carvings,
		      const GPtrArray *instances);

/* A whole object, or null: what stands before the memory of a node. */
void cli_add_cache(JsonBuilder *builder, const DaxcCacheDomain *domain);

/* Members of the object that is being built. */
void cli_add_region_members(JsonBuilder *builder, const DaxcRegion *region,
			    const DaxcGeometry *geometry);

/* Array "reservations": @reservations (element-type DaxcReservation). */
void cli_add_reservations(JsonBuilder *builder, const GPtrArray *reservations);

/* Members of the object that is being built. */
void cli_add_instance_members(JsonBuilder *builder, const DaxcInstance *instance,
			      gint node, const DaxcGeometry *geometry);

/* A whole object. @geometry (nullable) gives its extents their colors. */
void cli_add_instance(JsonBuilder *builder, const DaxcInstance *instance, gint node,
		      const DaxcGeometry *geometry);

/* Array @member: those of @instances (element-type DaxcInstance) called @name,
 * all of them when it is NULL. */
void cli_add_instances(JsonBuilder *builder, const char *member, const char *name,
		       const GPtrArray *instances, const GPtrArray *regions,
		       const DaxcGeometry *geometry);

/* Sets what tables show of the claim of each of @rows: `own` when it is that of the
 * row's guest, else the claimant's UUID. */
void cli_flatten_claims(JsonArray *rows);

/* Tables for people. */
void cli_print_carvings(JsonArray *carvings);
void cli_print_cell(JsonObject *cell, const char *indent);
void cli_print_extents(JsonArray *extents, const char *indent);
