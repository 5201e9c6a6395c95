// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched plan: where guests would go in a fleet that is described. */
#include <stdio.h>

#include "cli/output.h"
#include "cli/request.h"
#include "colorsched/core/choice.h"
#include "colorsched/fleet-file.h"
#include "verbs.h"

static char **aggregates, **traits;
static char *cache;
static gboolean spread;

static const GOptionEntry options[] = {
	{"aggregate", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &aggregates,
	 "Only hosts in this aggregate; may be said again", "NAME"},
	{"trait", 't', 0, G_OPTION_ARG_STRING_ARRAY, &traits,
	 "Only hosts with this trait; may be said again", "NAME"},
	{"cache", 'c', 0, G_OPTION_ARG_STRING, &cache,
	 "Cache that the colors of each cell make up at least", "SIZE"},
	{"spread", 0, 0, G_OPTION_ARG_NONE, &spread, "Each guest on a host of its own",
	 NULL},
	{NULL},
};

/**
 * Planning:
 * @tenants: number by name
 * @hosts: that have a guest
 */
typedef struct {
	SchedFleet *fleet;
	GHashTable *tenants;
	GHashTable *hosts;
	guint64 cache;
	JsonBuilder *builder;
} Planning;

static guint32 tenant_number(Planning *planning, const char *name)
{
	guint32 number = GPOINTER_TO_UINT(g_hash_table_lookup(planning->tenants, name));

	if (number != SCHED_NOBODY)
		return number;
	number = g_hash_table_size(planning->tenants) + 1;
	g_hash_table_insert(planning->tenants, g_strdup(name), GUINT_TO_POINTER(number));
	return number;
}

static void add_part(Planning *planning, const DaxcRequest *request,
		     const SchedPlacement *placement, guint index)
{
	const DaxcCellRequest *cell = g_ptr_array_index(request->cells, index);
	const SchedPart *part = sched_placement_part(placement, index);
	const SchedZone *zone = sched_model_zone(
		sched_fleet_model(planning->fleet, placement->host), part->zone);
	g_autofree char *host = sched_fleet_host_name(planning->fleet, placement->host);
	g_autoptr(GArray) colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	JsonBuilder *builder = planning->builder;

	g_array_append_vals(colors, part->choice.color, part->choice.n);
	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", request->name);
	cli_add_text(builder, "tenant", request->tenant);
	cli_add_text(builder, "host", host);
	cli_add_number(builder, "cell", cell->id);
	cli_add_signed(builder, "node", zone->node);
	cli_add_number(builder, "region", zone->region);
	cli_add_number(builder, "size", cell->size);
	cli_add_colors(builder, "colors", colors);
	cli_add_number(builder, "fresh", part->choice.fresh);
	json_builder_end_object(builder);
}

static gboolean place(Planning *planning, const DaxcRequest *request, GError **error)
{
	SchedWant want = {
		.request = request,
		.tenant = tenant_number(planning, request->tenant),
		.cache = planning->cache,
		.aggregates = (const char *const *)aggregates,
		.traits = (const char *const *)traits,
		.avoid = spread ? planning->hosts : NULL,
	};
	g_auto(SchedPlacement) placement = {0};

	if (!sched_choose(planning->fleet, &want, &placement)) {
		sched_refuse(planning->fleet, &want, error);
		return FALSE;
	}
	sched_hold(planning->fleet, &placement, want.tenant);
	g_hash_table_add(planning->hosts, GUINT_TO_POINTER(placement.host));
	for (guint i = 0; i < request->cells->len; i++)
		add_part(planning, request, &placement, i);
	return TRUE;
}

static CliStatus place_all(const Cli *cli, Planning *planning, int n, char **paths)
{
	for (int i = 0; i < n; i++) {
		g_autoptr(DaxcRequest) request = NULL;
		const CliWish none = {0};
		CliStatus status = cli_request(cli, &none, 1, paths + i, &request);
		GError *error = NULL;

		if (status != CLI_DONE)
			return status;
		if (!place(planning, request, &error))
			return cli_fail(cli, request->name, error);
	}
	return CLI_DONE;
}

static void print_text(JsonNode *document)
{
	static const CliColumn columns[] = {
		{"DOMAIN", "domain", CLI_TEXT}, {"TENANT", "tenant", CLI_TEXT},
		{"HOST", "host", CLI_TEXT},	{"CELL", "cell", CLI_NUMBER},
		{"NODE", "node", CLI_NUMBER},	{"SIZE", "size", CLI_SIZE},
		{"COLORS", "colors", CLI_LIST}, {NULL},
	};

	cli_print_table(cli_rows(document, "cells"), columns, "");
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(SchedFleet) fleet = NULL;
	g_autoptr(JsonNode) document = NULL;
	g_autoptr(GHashTable)
		tenants = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) hosts = g_hash_table_new(NULL, NULL);
	Planning planning = {.tenants = tenants, .hosts = hosts};
	GError *error = NULL;
	CliStatus status;

	if (cache && !daxc_size_parse(cache, &planning.cache, &error))
		return cli_usage_error(cli, error);
	fleet = sched_fleet_load(argv[0], &error);
	if (!fleet)
		return cli_fail(cli, NULL, error);
	planning.fleet = fleet;
	planning.builder = json_builder_new();
	json_builder_begin_object(planning.builder);
	json_builder_set_member_name(planning.builder, "cells");
	json_builder_begin_array(planning.builder);
	status = place_all(cli, &planning, argc - 1, argv + 1);
	json_builder_end_array(planning.builder);
	json_builder_end_object(planning.builder);
	document = cli_built(planning.builder);
	if (status != CLI_DONE)
		return status;
	if (cli->json)
		cli_print_json(document);
	else
		print_text(document);
	return CLI_DONE;
}

const CliVerb sched_plan = {
	.name = "plan",
	.summary = "Show where domains would go in a fleet that is described",
	.arguments = "FLEET DOMAIN.xml...",
	.description = "The fleet is empty at first; each domain finds those before it "
		       "there. Nothing is\nclaimed and nothing is changed.",
	.options = options,
	.least = 2,
	.most = 1024,
	.run = run,
};
