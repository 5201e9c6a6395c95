// SPDX-License-Identifier: GPL-2.0-or-later
/* Carvings, plans and instances as documents and tables. */
#include "carvings.h"

#include <stdio.h>
#include <string.h>

#include "output.h"

static gint by_color(gconstpointer a, gconstpointer b)
{
	const guint32 *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void add_once(GArray *colors, guint32 color)
{
	guint at;

	if (!g_array_binary_search(colors, &color, by_color, &at)) {
		g_array_append_val(colors, color);
		g_array_sort(colors, by_color);
	}
}

static GArray *colors_of_plan(const DaxcCellPlan *plan, const DaxcExtent *extent)
{
	GArray *colors = g_array_new(FALSE, FALSE, sizeof(guint32));

	for (guint i = 0; i < plan->granules->len; i++) {
		const DaxcGranule *granule =
			&g_array_index(plan->granules, DaxcGranule, i);

		if (granule->start + plan->granule > extent->start &&
		    granule->start < extent->start + extent->size)
			add_once(colors, granule->color);
	}
	return colors;
}

static GArray *colors_of_domain(const DaxcCacheDomain *domain, const DaxcExtent *extent)
{
	GArray *colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	guint64 first, last;
	guint32 color;

	if (!domain)
		return colors;
	first = extent->start / domain->granule;
	last = (extent->start + extent->size - 1) / domain->granule;
	for (guint64 i = first; i <= last && colors->len < domain->colors; i++) {
		if (daxc_cache_domain_color(domain, i * domain->granule, &color))
			add_once(colors, color);
	}
	return colors;
}

/* @plan or @domain says which colors they have. */
static void add_extents(JsonBuilder *builder, const GArray *extents,
			const DaxcCellPlan *plan, const DaxcCacheDomain *domain)
{
	guint64 offset = 0;

	json_builder_set_member_name(builder, "extents");
	json_builder_begin_array(builder);
	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);
		g_autoptr(GArray) colors = plan ? colors_of_plan(plan, extent)
						: colors_of_domain(domain, extent);

		json_builder_begin_object(builder);
		cli_add_number(builder, "offset", offset);
		cli_add_number(builder, "start", extent->start);
		cli_add_number(builder, "size", extent->size);
		cli_add_colors(builder, "colors", colors);
		json_builder_end_object(builder);
		offset += extent->size;
	}
	json_builder_end_array(builder);
}

void cli_add_cell_plan(JsonBuilder *builder, const DaxcCellPlan *plan)
{
	g_autoptr(GArray) colors = daxc_cell_plan_colors(plan);

	cli_add_number(builder, "cell", plan->cell);
	cli_add_number(builder, "region", plan->region);
	cli_add_signed(builder, "node", plan->node);
	cli_add_number(builder, "size", plan->size);
	cli_add_number(builder, "align", plan->align);
	cli_add_number(builder, "granule", plan->granule);
	cli_add_number(builder, "granule_count", plan->granules->len);
	cli_add_colors(builder, "colors", colors);
	add_extents(builder, plan->extents, plan, NULL);
}

/* null: nobody has claimed it. */
static void add_claim(JsonBuilder *builder, const DaxcInstance *instance)
{
	json_builder_set_member_name(builder, "claim");
	if (!instance || !instance->claimant) {
		json_builder_add_null_value(builder);
		return;
	}
	json_builder_begin_object(builder);
	cli_add_text(builder, "uuid", instance->claimant);
	cli_add_number(builder, "count", instance->claims);
	cli_add_flag(builder, "shared", instance->shared);
	json_builder_end_object(builder);
}

static const DaxcInstance *instance_of(const DaxcCarving *carving,
				       const GPtrArray *instances)
{
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(instances, i);

		if (g_strcmp0(instance->name, carving->instance) == 0)
			return instance;
	}
	return NULL;
}

static void add_carving(JsonBuilder *builder, const DaxcCarving *carving,
			const GPtrArray *instances)
{
	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", carving->name);
	cli_add_text(builder, "uuid", carving->uuid);
	cli_add_text(builder, "tenant", carving->tenant);
	cli_add_text(builder, "state", daxc_carving_state_name(carving->state));
	cli_add_text(builder, "instance", carving->instance);
	if (instances)
		add_claim(builder, instance_of(carving, instances));
	cli_add_cell_plan(builder, carving->plan);
	json_builder_end_object(builder);
}

void cli_add_carvings(JsonBuilder *builder, const char *member, const GPtrArray *carvings,
		      const GPtrArray *instances)
{
	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	for (guint i = 0; i < carvings->len; i++)
		add_carving(builder, g_ptr_array_index(carvings, i), instances);
	json_builder_end_array(builder);
}

void cli_add_cache(JsonBuilder *builder, const DaxcCacheDomain *domain)
{
	if (!domain) {
		json_builder_add_null_value(builder);
		return;
	}
	json_builder_begin_object(builder);
	cli_add_signed(builder, "node", domain->node);
	cli_add_text(builder, "kind", daxc_geometry_kind_name(domain->kind));
	cli_add_text(builder, "source", daxc_geometry_source_name(domain->source));
	cli_add_number(builder, "size", domain->cache_size);
	cli_add_number(builder, "granule", domain->granule);
	cli_add_number(builder, "base", domain->base);
	cli_add_number(builder, "color_count", domain->colors);
	cli_add_flag(builder, "extended_linear", domain->extended_linear);
	json_builder_end_object(builder);
}

/* null where the kernel does not count it. */
static void add_account(JsonBuilder *builder, const char *member,
			const DaxcRegion *region, guint64 size)
{
	json_builder_set_member_name(builder, member);
	if (region->accounted)
		json_builder_add_int_value(builder, (gint64)size);
	else
		json_builder_add_null_value(builder);
}

void cli_add_region_members(JsonBuilder *builder, const DaxcRegion *region,
			    const DaxcGeometry *geometry)
{
	cli_add_number(builder, "region", region->id);
	cli_add_number(builder, "start", region->start);
	cli_add_number(builder, "size", region->size);
	cli_add_number(builder, "available", region->available);
	cli_add_signed(builder, "node", region->node);
	cli_add_number(builder, "align", region->align);
	add_account(builder, "zeroing", region, region->zeroing);
	add_account(builder, "dirty", region, region->dirty);
	add_account(builder, "quarantined", region, region->quarantined);
	add_account(builder, "bad", region, region->bad);
	json_builder_set_member_name(builder, "cache");
	cli_add_cache(builder, daxc_geometry_for_node(geometry, region->node));
}

static void add_reservation(JsonBuilder *builder, const DaxcReservation *reservation)
{
	json_builder_begin_object(builder);
	cli_add_text(builder, "tenant", reservation->tenant);
	cli_add_signed(builder, "node", reservation->node);
	cli_add_colors(builder, "colors", reservation->colors);
	cli_add_number(builder, "of", reservation->of);
	cli_add_number(builder, "granule", reservation->granule);
	json_builder_end_object(builder);
}

void cli_add_reservations(JsonBuilder *builder, const GPtrArray *reservations)
{
	json_builder_set_member_name(builder, "reservations");
	json_builder_begin_array(builder);
	for (guint i = 0; i < reservations->len; i++)
		add_reservation(builder, g_ptr_array_index(reservations, i));
	json_builder_end_array(builder);
}

void cli_add_instance_members(JsonBuilder *builder, const DaxcInstance *instance,
			      gint node, const DaxcGeometry *geometry)
{
	const DaxcCacheDomain *domain = geometry ? daxc_geometry_for_node(geometry, node)
						 : NULL;

	cli_add_text(builder, "instance", instance->name);
	cli_add_number(builder, "region", instance->region);
	cli_add_signed(builder, "node", node);
	cli_add_number(builder, "size", instance->size);
	cli_add_number(builder, "align", instance->align);
	cli_add_text(builder, "driver", instance->driver);
	cli_add_flag(builder, "seed", instance->seed);
	add_claim(builder, instance);
	add_extents(builder, instance->extents, NULL, domain);
}

void cli_add_instance(JsonBuilder *builder, const DaxcInstance *instance, gint node,
		      const DaxcGeometry *geometry)
{
	json_builder_begin_object(builder);
	cli_add_instance_members(builder, instance, node, geometry);
	json_builder_end_object(builder);
}

static gint node_of_region(const GPtrArray *regions, guint id)
{
	for (guint i = 0; i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		if (region->id == id)
			return region->node;
	}
	return -1;
}

void cli_add_instances(JsonBuilder *builder, const char *member, const char *name,
		       const GPtrArray *instances, const GPtrArray *regions,
		       const DaxcGeometry *geometry)
{
	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(instances, i);

		if (!name || strcmp(instance->name, name) == 0)
			cli_add_instance(builder, instance,
					 node_of_region(regions, instance->region),
					 geometry);
	}
	json_builder_end_array(builder);
}

static void flatten_claim(JsonObject *row)
{
	JsonNode *claim = json_object_get_member(row, "claim");
	const char *uuid, *guest;

	if (!claim || JSON_NODE_HOLDS_NULL(claim))
		return;
	uuid = json_object_get_string_member(json_node_get_object(claim), "uuid");
	guest = json_object_get_string_member_with_default(row, "uuid", "");
	json_object_set_string_member(
		row, "claimed", g_ascii_strcasecmp(uuid, guest) == 0 ? "own" : uuid);
}

void cli_flatten_claims(JsonArray *rows)
{
	for (guint i = 0; i < json_array_get_length(rows); i++)
		flatten_claim(json_array_get_object_element(rows, i));
}

void cli_print_carvings(JsonArray *carvings)
{
	static const CliColumn columns[] = {
		{"DOMAIN", "domain", CLI_TEXT},
		{"CELL", "cell", CLI_NUMBER},
		{"TENANT", "tenant", CLI_TEXT},
		{"INSTANCE", "instance", CLI_TEXT},
		{"SIZE", "size", CLI_SIZE},
		{"ALIGN", "align", CLI_SIZE},
		{"NODE", "node", CLI_NUMBER},
		{"COLORS", "colors", CLI_LIST},
		{"STATE", "state", CLI_TEXT},
		{"CLAIM", "claimed", CLI_TEXT},
		{NULL},
	};

	cli_flatten_claims(carvings);
	cli_print_table(carvings, columns, "");
}

void cli_print_cell(JsonObject *cell, const char *indent)
{
	g_autofree char *size =
		daxc_size_format((guint64)json_object_get_int_member(cell, "size"));
	g_autofree char *align =
		daxc_size_format((guint64)json_object_get_int_member(cell, "align"));

	printf("%scell %d: %s, mapped at %s, region %d on node %d\n", indent,
	       (int)json_object_get_int_member(cell, "cell"), size, align,
	       (int)json_object_get_int_member(cell, "region"),
	       (int)json_object_get_int_member(cell, "node"));
}

/* "range" is what people read; start and size are what programs do. */
static void add_range(JsonObject *extent)
{
	g_autofree char *range =
		daxc_range_format((guint64)json_object_get_int_member(extent, "start"),
				  (guint64)json_object_get_int_member(extent, "size"));

	json_object_set_string_member(extent, "range", range);
}

void cli_print_extents(JsonArray *extents, const char *indent)
{
	static const CliColumn columns[] = {
		{"OFFSET", "offset", CLI_SIZE},
		{"SIZE", "size", CLI_SIZE},
		{"RANGE", "range", CLI_TEXT},
		{"COLORS", "colors", CLI_LIST},
		{NULL},
	};

	for (guint i = 0; i < json_array_get_length(extents); i++)
		add_range(json_array_get_object_element(extents, i));
	cli_print_table(extents, columns, indent);
}
