// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/lend.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/lend.h>
#include <daxcolor/size.h>

/**
 * Wanted: what is asked for, of one cache domain.
 * @set: a byte for each color: it is asked for
 */
typedef struct {
	const DaxcLayout *layout;
	guint domain;
	const GArray *colors;
	guint8 *set;
	guint64 unit;
} Wanted;

static gboolean find_domain(const DaxcLayout *layout, gint node, guint *index)
{
	for (guint i = 0; i < daxc_layout_domains(layout); i++) {
		if (daxc_layout_domain(layout, i)->node == node) {
			*index = i;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean check_color(const DaxcLayout *layout, const DaxcLayoutDomain *domain,
			    guint32 color, GError **error)
{
	const char *tenant;

	if (color >= domain->colors) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "node %d has no color %u: its colors are 0 to %u",
			    domain->node, color, domain->colors - 1);
		return FALSE;
	}
	if (domain->owner[color] == DAXC_USER_NONE)
		return TRUE;
	tenant = daxc_layout_tenant_name(layout, domain->owner[color]);
	if (g_strcmp0(tenant, DAXC_LENT_TENANT) == 0)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			    "color %u of node %d is lent already", color, domain->node);
	else
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			    "color %u of node %d is not idle: %s%s has it", color,
			    domain->node, tenant ? "tenant " : "",
			    tenant ? tenant : "an instance that daxcolor did not make");
	return FALSE;
}

static gboolean wanted_init(Wanted *wanted, gint node, GError **error)
{
	const DaxcLayoutDomain *domain;

	if (!find_domain(wanted->layout, node, &wanted->domain)) {
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_INVALID,
			"node %d has no cache with colors here: see `daxcolor regions`",
			node);
		return FALSE;
	}
	domain = daxc_layout_domain(wanted->layout, wanted->domain);
	wanted->set = g_new0(guint8, domain->colors);
	for (guint i = 0; i < wanted->colors->len; i++) {
		guint32 color = g_array_index(wanted->colors, guint32, i);

		if (!check_color(wanted->layout, domain, color, error))
			return FALSE;
		wanted->set[color] = 1;
	}
	return TRUE;
}

/* Of @color, or of any that is asked for when that is DAXC_NO_COLOR. */
static gboolean is_idle(const Wanted *wanted, const DaxcZone *zone, guint32 i,
			guint32 color)
{
	guint32 has = i < zone->n ? zone->color[i] : DAXC_NO_COLOR;

	return has != DAXC_NO_COLOR && zone->user[i] == DAXC_USER_NONE &&
	       wanted->set[has] && (color == DAXC_NO_COLOR || has == color);
}

/* Granules from @i on that are one piece for the host, 0 when they are none or not all
 * of them are idle. */
static guint32 idle_piece(const Wanted *wanted, const DaxcZone *zone, guint32 i,
			  guint32 color)
{
	guint32 n = (guint32)MAX(wanted->unit / zone->granule, 1);

	if ((zone->start + i * zone->granule) % MAX(wanted->unit, zone->granule) != 0)
		return 0;
	for (guint32 k = 0; k < n; k++) {
		if (!is_idle(wanted, zone, i + k, color))
			return 0;
	}
	return n;
}

static void add_granule(DaxcCellPlan *plan, const DaxcZone *zone, guint32 i)
{
	DaxcGranule granule = {zone->start + i * zone->granule, zone->color[i]};
	DaxcExtent extent = {granule.start, zone->granule};
	DaxcExtent *last = plan->extents->len ? &g_array_index(plan->extents, DaxcExtent,
							       plan->extents->len - 1)
					      : NULL;

	g_array_append_val(plan->granules, granule);
	plan->size += zone->granule;
	if (last && last->start + last->size == extent.start)
		last->size += extent.size;
	else
		g_array_append_val(plan->extents, extent);
}

static void add_plan(const Wanted *wanted, const DaxcZone *zone, guint32 color,
		     GPtrArray *plans)
{
	g_autoptr(DaxcCellPlan) plan = daxc_cell_plan_new();
	guint32 n;

	plan->cell = plans->len;
	plan->region = zone->region;
	plan->node = zone->node;
	plan->granule = zone->granule;
	plan->align = zone->granule == DAXC_GRANULE_MAX ? DAXC_GRANULE_MAX
							: DAXC_GRANULE_MIN;
	for (guint32 i = 0; i < zone->n; i += MAX(n, 1)) {
		n = idle_piece(wanted, zone, i, color);
		for (guint32 k = 0; k < n; k++)
			add_granule(plan, zone, i + k);
	}
	if (plan->size > 0)
		g_ptr_array_add(plans, g_steal_pointer(&plan));
}

static void add_zone(const Wanted *wanted, const DaxcZone *zone, GPtrArray *plans)
{
	if (wanted->unit > zone->granule) {
		add_plan(wanted, zone, DAXC_NO_COLOR, plans);
		return;
	}
	for (guint i = 0; i < wanted->colors->len; i++)
		add_plan(wanted, zone, g_array_index(wanted->colors, guint32, i), plans);
}

GPtrArray *daxc_lend_plan(const DaxcLayout *layout, gint node, const GArray *colors,
			  guint64 unit, GError **error)
{
	g_autoptr(GPtrArray) plans =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_cell_plan_free);
	Wanted wanted = {.layout = layout, .colors = colors, .unit = unit};
	g_autofree char *list = NULL;
	g_autofree char *size = NULL;
	gboolean ok = wanted_init(&wanted, node, error);

	for (guint i = 0; ok && i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);

		if (zone->domain == wanted.domain)
			add_zone(&wanted, zone, plans);
	}
	g_free(wanted.set);
	if (!ok)
		return NULL;
	if (plans->len > 0)
		return g_steal_pointer(&plans);
	list = daxc_color_list_format(colors);
	size = daxc_size_format(unit);
	g_set_error(
		error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		"no memory of color %s of node %d is free in pieces of %s, in which the "
		"host takes it",
		list, node, size);
	return NULL;
}
