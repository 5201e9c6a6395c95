// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor reserve: colors that a tenant keeps while it holds no memory. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

static char *node, *count, *list;
static gboolean drop;

static const GOptionEntry options[] = {
	{"node", 'n', 0, G_OPTION_ARG_STRING, &node,
	 "Whose cache (default: the only one that the host has)", "NODE"},
	{"colors", 'c', 0, G_OPTION_ARG_STRING, &count, "How many colors", "COUNT"},
	{"color-list", 'l', 0, G_OPTION_ARG_STRING, &list, "Which colors, like 0-3,8",
	 "LIST"},
	{"drop", 0, 0, G_OPTION_ARG_NONE, &drop, "Reserve nothing there any more", NULL},
	{NULL},
};

static JsonNode *build(DaxcHost *host, GError **error)
{
	g_autoptr(GPtrArray) all = daxc_host_reservations(host, error);
	JsonBuilder *builder;

	if (!all)
		return NULL;
	builder = json_builder_new();
	json_builder_begin_object(builder);
	cli_add_reservations(builder, all);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_text(JsonNode *document)
{
	static const CliColumn columns[] = {
		{"TENANT", "tenant", CLI_TEXT},	  {"NODE", "node", CLI_NUMBER},
		{"COLORS", "colors", CLI_LIST},	  {"OF", "of", CLI_NUMBER},
		{"GRANULE", "granule", CLI_SIZE}, {NULL},
	};
	JsonArray *rows = cli_rows(document, "reservations");

	if (json_array_get_length(rows) == 0)
		puts("No color is reserved.");
	else
		cli_print_table(rows, columns, "");
}

static gboolean change(DaxcHost *host, const char *tenant, guint64 n,
		       const GArray *colors, GError **error)
{
	gint which;

	return cli_find_node(host, node, &which, error) &&
	       daxc_host_reserve(host, tenant, which, (guint)n, colors, error);
}

static CliStatus run_change(Cli *cli, const char *tenant)
{
	g_autoptr(GArray) colors = NULL;
	g_autoptr(DaxcHost) host = NULL;
	GError *error = NULL;
	guint64 n = 0;

	if (!!count + !!list + drop != 1)
		return cli_usage(cli, "say one of --colors COUNT, --color-list LIST and "
				      "--drop");
	if (count &&
	    !daxc_uint_parse(count, "count of colors", DAXC_COLORS_MAX, &n, &error))
		return cli_usage_error(cli, error);
	if (count && n == 0)
		return cli_usage(cli, "no colors are reserved by --drop");
	if (list && !(colors = daxc_color_list_parse(list, &error)))
		return cli_usage_error(cli, error);
	host = cli_open(cli, FALSE);
	if (!host)
		return CLI_FAILED;
	if (!change(host, tenant, n, colors, &error))
		return cli_fail(cli, tenant, error);
	return cli_show_host(cli, host, build, print_text);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	if (argc == 1)
		return run_change(cli, argv[0]);
	if (node || count || list || drop)
		return cli_usage(cli, "for whom? a TENANT is missing");
	return cli_look(cli, build, print_text);
}

const CliVerb cli_reserve = {
	.name = "reserve",
	.summary = "Keep colors for a tenant, also over reboots; alone: list them",
	.arguments = "[TENANT]",
	.options = options,
	.most = 1,
	.run = run,
};
