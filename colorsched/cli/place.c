// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched place: a host and colors for a domain, claimed in the engine. */
#include <stdio.h>

#include "cli/output.h"
#include "cli/request.h"
#include "engine.h"
#include "verbs.h"

static char **aggregates, **traits;
static char *cache, *tenant;

static const GOptionEntry options[] = {
	{"tenant", 't', 0, G_OPTION_ARG_STRING, &tenant,
	 "Who owns the colors (default: as the domain says)", "TENANT"},
	{"aggregate", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &aggregates,
	 "Only hosts in this aggregate; may be said again", "NAME"},
	{"trait", 0, 0, G_OPTION_ARG_STRING_ARRAY, &traits,
	 "Only hosts with this trait; may be said again", "NAME"},
	{"cache", 'c', 0, G_OPTION_ARG_STRING, &cache,
	 "Cache that the colors of each cell make up at least", "SIZE"},
	{NULL},
};

static void add_part(JsonBuilder *builder, const DaxcCellRequest *cell,
		     const SchedGrantPart *part)
{
	json_builder_begin_object(builder);
	cli_add_number(builder, "cell", cell->id);
	cli_add_signed(builder, "node", part->node);
	cli_add_number(builder, "region", part->region);
	cli_add_number(builder, "size", cell->size);
	cli_add_colors(builder, "colors", part->colors);
	json_builder_end_object(builder);
}

static JsonNode *build(const DaxcRequest *request, const SchedGrant *grant)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", request->name);
	cli_add_text(builder, "uuid", request->uuid);
	cli_add_text(builder, "tenant", request->tenant);
	cli_add_text(builder, "host", grant->host);
	json_builder_set_member_name(builder, "cells");
	json_builder_begin_array(builder);
	for (guint i = 0; i < grant->parts->len; i++)
		add_part(builder, g_ptr_array_index(request->cells, i),
			 &g_array_index(grant->parts, SchedGrantPart, i));
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_text(JsonNode *document)
{
	static const CliColumn columns[] = {
		{"CELL", "cell", CLI_NUMBER},
		{"NODE", "node", CLI_NUMBER},
		{"SIZE", "size", CLI_SIZE},
		{"COLORS", "colors", CLI_LIST},
		{NULL},
	};
	JsonObject *root = json_node_get_object(document);

	printf("%s: on %s\n\n", json_object_get_string_member(root, "domain"),
	       json_object_get_string_member(root, "host"));
	cli_print_table(cli_rows(document, "cells"), columns, "");
}

static gboolean check_names(char **names, GError **error)
{
	for (guint i = 0; names && names[i]; i++) {
		if (!daxc_tenant_check(names[i], NULL)) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "\"%s\" is no name", names[i]);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean read_options(DaxcRequest *request, SchedWant *want, GError **error)
{
	if (cache && !daxc_size_parse(cache, &want->cache, error))
		return FALSE;
	if (!check_names(aggregates, error) || !check_names(traits, error))
		return FALSE;
	if (tenant && !daxc_tenant_check(tenant, error))
		return FALSE;
	if (tenant) {
		g_free(request->tenant);
		request->tenant = g_strdup(tenant);
	}
	want->request = request;
	want->aggregates = (const char *const *)aggregates;
	want->traits = (const char *const *)traits;
	return TRUE;
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(SchedEngine) engine = NULL;
	g_autoptr(SchedGrant) grant = NULL;
	g_autoptr(JsonNode) document = NULL;
	const CliWish none = {0};
	SchedWant want = {0};
	GError *error = NULL;
	CliStatus status = cli_request(cli, &none, argc, argv, &request);

	if (status != CLI_DONE)
		return status;
	if (!read_options(request, &want, &error))
		return cli_usage_error(cli, error);
	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	grant = sched_engine_place(engine, &want, &error);
	if (!grant)
		return cli_fail(cli, request->name, error);
	document = build(request, grant);
	if (cli->json)
		cli_print_json(document);
	else
		print_text(document);
	return CLI_DONE;
}

const CliVerb sched_place = {
	.name = "place",
	.summary = "Claim a host and colors for a domain in the engine",
	.arguments = "DOMAIN.xml|-",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run,
};
