// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor plan: what carve would do now. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"
#include "request.h"

static CliWish wish;

static const GOptionEntry options[] = {CLI_WISH_OPTIONS(wish), {NULL}};

static JsonNode *build(const DaxcRequest *request, const DaxcPlan *plan)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", request->name);
	cli_add_text(builder, "uuid", request->uuid);
	cli_add_text(builder, "tenant", request->tenant);
	json_builder_set_member_name(builder, "cells");
	json_builder_begin_array(builder);
	for (guint i = 0; i < plan->cells->len; i++) {
		json_builder_begin_object(builder);
		cli_add_cell_plan(builder, g_ptr_array_index(plan->cells, i));
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_text(JsonNode *document)
{
	JsonArray *cells = cli_rows(document, "cells");

	for (guint i = 0; i < json_array_get_length(cells); i++) {
		JsonObject *cell = json_array_get_object_element(cells, i);

		if (i)
			putchar('\n');
		cli_print_cell(cell, "");
		cli_print_extents(json_object_get_array_member(cell, "extents"), "  ");
	}
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(JsonNode) document = NULL;
	CliStatus status = cli_request(cli, &wish, argc, argv, &request);
	GError *error = NULL;

	if (status != CLI_DONE)
		return status;
	host = cli_open(cli, TRUE);
	if (!host)
		return CLI_FAILED;
	plan = daxc_host_plan(host, request, &error);
	if (!plan)
		return cli_fail(cli, NULL, error);
	document = build(request, plan);
	if (cli->json)
		cli_print_json(document);
	else
		print_text(document);
	return CLI_DONE;
}

const CliVerb cli_plan = {
	.name = "plan",
	.summary = "Show what a guest would get now, and change nothing",
	.arguments = "[DOMAIN.xml|-]",
	.options = options,
	.most = 1,
	.run = run,
};
