/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The planner's view of a host: for every granule, its color, its user, and what a
 * new user would wait for.
 * Built once from geometry, regions and uses, then only read. Pure.
 */
#pragma once

#include <daxcolor/geometry.h>
#include <daxcolor/host.h>
#include <daxcolor/plan.h>

G_BEGIN_DECLS

/* Values of DaxcZone.user besides index of tenant + 1. */
#define DAXC_USER_NONE 0u
/* Held by an instance that nobody knows, or touching one: its color is nobody's. */
#define DAXC_USER_FOREIGN G_MAXUINT32
/* Its memory failed: cannot be used, keeps nobody from its color. */
#define DAXC_USER_BAD (G_MAXUINT32 - 1)
/* No color, or only part of the granule is in the region. */
#define DAXC_NO_COLOR G_MAXUINT32

/**
 * DaxcWait: what a guest would have to wait for, were it given a granule.
 * @DAXC_WAIT_NONE: nothing: it holds zeros, or bytes that this tenant may see
 * @DAXC_WAIT_ZERO: it must be zeroed
 * @DAXC_WAIT_SCRUB: a scrubber is at work on it and has to be stopped first
 */
typedef enum {
	DAXC_WAIT_NONE,
	DAXC_WAIT_ZERO,
	DAXC_WAIT_SCRUB,
} DaxcWait;

/**
 * DaxcZone: the whole granules of one region behind one cache domain. What is
 * beyond the first 64 Mi granules (128 TiB at 2 MiB) of a region is in no zone.
 * @region, @node: the region's
 * @domain: index of the cache domain in the layout
 * @start: physical address of the first granule
 * @granule: bytes
 * @n: number of granules
 * @color: color of each, or DAXC_NO_COLOR
 * @user: DAXC_USER_* or index of the tenant + 1, of each
 * @wait: a DaxcWait of each
 */
typedef struct {
	guint region;
	gint node;
	guint domain;
	guint64 start;
	guint64 granule;
	guint32 n;
	guint32 *color;
	guint32 *user;
	guint8 *wait;
} DaxcZone;

/**
 * DaxcLayoutDomain: who owns the colors of one cache domain.
 * @owner: for each color: DAXC_USER_NONE, DAXC_USER_FOREIGN, or tenant + 1.
 *   A tenant owns a color when it holds a granule of it or has it reserved.
 */
typedef struct {
	gint node;
	guint32 colors;
	guint32 *owner;
} DaxcLayoutDomain;

typedef struct DaxcLayout DaxcLayout;

/**
 * daxc_layout_new:
 * @regions: (element-type DaxcRegion): those without a cache domain are left
 *   out; they must not overlap
 *
 * A layout in which everything is free.
 */
DaxcLayout *daxc_layout_new(const DaxcGeometry *geometry, const GPtrArray *regions);
void daxc_layout_free(DaxcLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcLayout, daxc_layout_free)

/* Returns: user value of @tenant, which is added when it is new. */
guint32 daxc_layout_tenant(DaxcLayout *layout, const char *tenant);

/* Returns: (transfer none) (nullable): name behind a user value. */
const char *daxc_layout_tenant_name(const DaxcLayout *layout, guint32 user);

/* Returns: user value of @tenant, DAXC_USER_NONE when the layout has no such tenant. */
guint32 daxc_layout_find_tenant(const DaxcLayout *layout, const char *tenant);

/**
 * daxc_layout_use:
 *
 * Gives every granule that [@start, @start + @size) touches to @user and, but
 * for BAD, its color too; also the color of a granule that is in no zone because
 * its region cuts it. Memory in no region of the layout is passed over. Fails
 * with DAXC_ERROR_FAILED, and changes nothing, when that would give a granule,
 * or a color, to two tenants. Otherwise the order of calls does not matter:
 * FOREIGN overrules tenants (what nobody knows keeps everyone away), and a
 * tenant's BAD granule stays the tenant's.
 */
gboolean daxc_layout_use(DaxcLayout *layout, guint64 start, guint64 size, guint32 user,
			 GError **error);

/* Sets what the granule at @start has to wait for; all begin with WAIT_ZERO. One
 * that is in no zone is passed over. */
void daxc_layout_set_wait(DaxcLayout *layout, guint64 start, DaxcWait wait);

/* Gives a color to a tenant without granules. Fails like daxc_layout_use(), or
 * with DAXC_ERROR_INVALID when there is no such color. */
gboolean daxc_layout_reserve(DaxcLayout *layout, gint node, guint32 color, guint32 user,
			     GError **error);

/* Distance between NUMA nodes as in SLIT; unknown pairs are 10 (same) or 20, and
 * so are those set to 0. */
void daxc_layout_set_distance(DaxcLayout *layout, gint from, gint to, guint distance);
guint daxc_layout_distance(const DaxcLayout *layout, gint from, gint to);

guint daxc_layout_zones(const DaxcLayout *layout);
const DaxcZone *daxc_layout_zone(const DaxcLayout *layout, guint index);
guint daxc_layout_domains(const DaxcLayout *layout);
const DaxcLayoutDomain *daxc_layout_domain(const DaxcLayout *layout, guint index);

/**
 * daxc_plan_new:
 *
 * Each cell gets one carving in one region. One cell is planned in one pass over
 * the granules of the nodes it may be on. Several cells that compete are first
 * placed one after the other; where that fails every other way is tried, so that
 * a refusal means that there is none (or says that the search was cut short). Of
 * a color's free granules those come first that need the least waiting.
 *
 * Returns: (transfer full): granules for every cell of @request. Fails with
 *   DAXC_ERROR_INVALID on a request that no host could grant (a node or color
 *   that does not exist here, more colors than granules) and with
 *   DAXC_ERROR_REFUSED when this layout cannot grant it now; the message says
 *   which colors are free, which are needed and who could free them.
 */
DaxcPlan *daxc_plan_new(const DaxcLayout *layout, const DaxcRequest *request,
			GError **error);

G_END_DECLS
