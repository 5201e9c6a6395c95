// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor regions: the dax regions of the host and the caches before them. */
#include <stdio.h>
#include <string.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

static void add_region(JsonBuilder *builder, DaxcHost *host, const DaxcRegion *region,
		       const GPtrArray *instances)
{
	const DaxcGeometry *geometry = daxc_host_geometry(host);

	json_builder_begin_object(builder);
	cli_add_region_members(builder, region, geometry);
	cli_add_flag(builder, "enforced", daxc_host_enforces(host, region));
	json_builder_set_member_name(builder, "instances");
	json_builder_begin_array(builder);
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(instances, i);

		if (instance->region == region->id)
			cli_add_instance(builder, instance, region->node, geometry);
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
}

static void add_guarantees(JsonBuilder *builder, DaxcHost *host)
{
	guint guarantees = daxc_host_guarantees(host);

	json_builder_set_member_name(builder, "guarantees");
	json_builder_begin_array(builder);
	for (guint bit = 1; bit <= guarantees; bit <<= 1) {
		if (guarantees & bit)
			json_builder_add_string_value(builder, daxc_guarantee_name(bit));
	}
	json_builder_end_array(builder);
}

static JsonNode *build(DaxcHost *host, GError **error)
{
	g_autoptr(GPtrArray) regions = daxc_host_regions(host, error);
	g_autoptr(GPtrArray) instances = regions ? daxc_host_instances(host, error)
						 : NULL;
	const char *const *limits = daxc_host_limits(host);
	JsonBuilder *builder;

	if (!instances)
		return NULL;
	builder = json_builder_new();
	json_builder_begin_object(builder);
	cli_add_text(builder, "backend", daxc_host_backend(host));
	add_guarantees(builder, host);
	json_builder_set_member_name(builder, "limits");
	json_builder_begin_array(builder);
	for (guint i = 0; limits && limits[i]; i++)
		json_builder_add_string_value(builder, limits[i]);
	json_builder_end_array(builder);
	json_builder_set_member_name(builder, "regions");
	json_builder_begin_array(builder);
	for (guint i = 0; i < regions->len; i++)
		add_region(builder, host, g_ptr_array_index(regions, i), instances);
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

/* A table has one level: what it shows of deeper ones goes into the row. */
static void flatten(JsonObject *row)
{
	JsonNode *cache = json_object_get_member(row, "cache");
	g_autofree char *range =
		daxc_range_format((guint64)json_object_get_int_member(row, "start"),
				  (guint64)json_object_get_int_member(row, "size"));
	JsonObject *object;
	g_autofree char *geometry = NULL;

	json_object_set_string_member(row, "range", range);
	json_object_set_int_member(
		row, "n",
		json_array_get_length(json_object_get_array_member(row, "instances")));
	if (JSON_NODE_HOLDS_NULL(cache)) {
		json_object_set_string_member(row, "geometry", "unknown");
		return;
	}
	object = json_node_get_object(cache);
	geometry = g_strdup_printf(
		"%s%s, from %s", json_object_get_string_member(object, "kind"),
		json_object_get_boolean_member(object, "extended_linear")
			? ", extended-linear"
			: "",
		json_object_get_string_member(object, "source"));
	json_object_set_string_member(row, "geometry", geometry);
	if (json_object_get_int_member(object, "size") != 0)
		json_object_set_int_member(row, "cache_size",
					   json_object_get_int_member(object, "size"));
	json_object_set_int_member(row, "granule",
				   json_object_get_int_member(object, "granule"));
	json_object_set_int_member(row, "color_count",
				   json_object_get_int_member(object, "color_count"));
}

static void print_guarantee(const char *name)
{
	for (guint bit = 1; bit <= DAXC_GUARANTEE_CLAIMS; bit <<= 1) {
		if (strcmp(daxc_guarantee_name(bit), name) == 0)
			printf("  guarantee: %s\n", daxc_guarantee_sentence(bit));
	}
}

static void print_text(JsonNode *document)
{
	static const CliColumn columns[] = {
		{"REGION", "region", CLI_NUMBER},
		{"RANGE", "range", CLI_TEXT},
		{"SIZE", "size", CLI_SIZE},
		{"AVAILABLE", "available", CLI_SIZE},
		{"NODE", "node", CLI_NUMBER},
		{"INSTANCES", "n", CLI_NUMBER},
		{"CACHE", "cache_size", CLI_SIZE},
		{"COLORS", "color_count", CLI_NUMBER},
		{"GRANULE", "granule", CLI_SIZE},
		{"GEOMETRY", "geometry", CLI_TEXT},
		{NULL},
	};
	JsonArray *rows = cli_rows(document, "regions");
	JsonArray *guarantees = cli_rows(document, "guarantees");
	JsonArray *limits = cli_rows(document, "limits");

	for (guint i = 0; i < json_array_get_length(rows); i++)
		flatten(json_array_get_object_element(rows, i));
	cli_print_table(rows, columns, "");
	printf("\nbackend: %s\n",
	       json_object_get_string_member(json_node_get_object(document), "backend"));
	for (guint i = 0; i < json_array_get_length(guarantees); i++)
		print_guarantee(json_array_get_string_element(guarantees, i));
	for (guint i = 0; i < json_array_get_length(limits); i++)
		printf("  limit: %s\n", json_array_get_string_element(limits, i));
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	return cli_look(cli, build, print_text);
}

const CliVerb cli_regions = {
	.name = "regions",
	.summary = "Show the dax regions and the caches in front of them",
	.run = run,
};
