// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched hosts, tenants, show: what the engine has. */
#include <stdio.h>

#include "cli/output.h"
#include "engine.h"
#include "verbs.h"

static CliStatus print(const Cli *cli, JsonNode *document, const char *member,
		       const CliColumn *columns)
{
	if (cli->json)
		cli_print_json(document);
	else
		cli_print_table(cli_rows(document, member), columns, "");
	return CLI_DONE;
}

static JsonBuilder *begin(const char *member)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	return builder;
}

static JsonNode *end(JsonBuilder *builder)
{
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static CliStatus run_hosts(Cli *cli, int argc, char **argv)
{
	static const CliColumn columns[] = {{"HOST", "host", CLI_TEXT}, {NULL}};
	g_autoptr(SchedEngine) engine = NULL;
	g_autoptr(GPtrArray) hosts = NULL;
	g_autoptr(JsonNode) document = NULL;
	JsonBuilder *builder;
	GError *error = NULL;
	CliStatus status;

	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	hosts = sched_engine_hosts(engine, &error);
	if (!hosts)
		return cli_fail(cli, NULL, error);
	builder = begin("hosts");
	for (guint i = 0; i < hosts->len; i++) {
		json_builder_begin_object(builder);
		cli_add_text(builder, "host", g_ptr_array_index(hosts, i));
		json_builder_end_object(builder);
	}
	document = end(builder);
	return print(cli, document, "hosts", columns);
}

const CliVerb sched_hosts = {
	.name = "hosts",
	.summary = "List the hosts that the engine knows",
	.run = run_hosts,
};

static CliStatus run_show(Cli *cli, int argc, char **argv)
{
	static const CliColumn columns[] = {
		{"NODE", "node", CLI_NUMBER},	{"COLOR", "color", CLI_NUMBER},
		{"TOTAL", "total", CLI_NUMBER}, {"USED", "used", CLI_NUMBER},
		{"TENANT", "tenant", CLI_TEXT}, {NULL},
	};
	g_autoptr(SchedEngine) engine = NULL;
	g_autoptr(GPtrArray) colors = NULL;
	g_autoptr(JsonNode) document = NULL;
	JsonBuilder *builder;
	GError *error = NULL;
	CliStatus status;

	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	colors = sched_engine_colors(engine, argv[0], &error);
	if (!colors)
		return cli_fail(cli, argv[0], error);
	builder = begin("colors");
	for (guint i = 0; i < colors->len; i++) {
		const SchedEngineColor *color = g_ptr_array_index(colors, i);

		json_builder_begin_object(builder);
		cli_add_signed(builder, "node", color->node);
		cli_add_number(builder, "color", color->color);
		cli_add_number(builder, "total", color->total);
		cli_add_number(builder, "used", color->used);
		cli_add_text(builder, "tenant", color->tenant);
		json_builder_end_object(builder);
	}
	document = end(builder);
	return print(cli, document, "colors", columns);
}

const CliVerb sched_show = {
	.name = "show",
	.summary = "Show the colors of a host, and who has them",
	.arguments = "HOST",
	.least = 1,
	.most = 1,
	.run = run_show,
};

static CliStatus run_tenants(Cli *cli, int argc, char **argv)
{
	static const CliColumn columns[] = {
		{"TENANT", "tenant", CLI_TEXT},
		{"GUESTS", "guests", CLI_NUMBER},
		{"GRANULES", "granules", CLI_NUMBER},
		{NULL},
	};
	g_autoptr(SchedEngine) engine = NULL;
	g_autoptr(GPtrArray) tenants = NULL;
	g_autoptr(JsonNode) document = NULL;
	JsonBuilder *builder;
	GError *error = NULL;
	CliStatus status;

	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	tenants = sched_engine_tenants(engine, &error);
	if (!tenants)
		return cli_fail(cli, NULL, error);
	builder = begin("tenants");
	for (guint i = 0; i < tenants->len; i++) {
		const SchedEngineTenant *tenant = g_ptr_array_index(tenants, i);

		json_builder_begin_object(builder);
		cli_add_text(builder, "tenant", tenant->name);
		cli_add_number(builder, "guests", tenant->guests);
		cli_add_number(builder, "granules", tenant->granules);
		json_builder_end_object(builder);
	}
	document = end(builder);
	return print(cli, document, "tenants", columns);
}

const CliVerb sched_tenants = {
	.name = "tenants",
	.summary = "List the tenants that the engine knows, and what they have",
	.run = run_tenants,
};
