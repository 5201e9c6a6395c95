// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor lend: memory of colors that nobody has becomes the host's RAM. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

static char *node;

static const GOptionEntry options[] = {
	{"node", 'n', 0, G_OPTION_ARG_STRING, &node,
	 "Whose cache (default: the only one that the host has)", "NODE"},
	{NULL},
};

static JsonNode *document_of(const GPtrArray *lent)
{
	JsonBuilder *builder = json_builder_new();
	guint64 size = 0;

	for (guint i = 0; i < lent->len; i++)
		size += ((const DaxcCarving *)g_ptr_array_index(lent, i))->plan->size;
	json_builder_begin_object(builder);
	cli_add_carvings(builder, "lent", lent, NULL);
	cli_add_number(builder, "size", size);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static JsonNode *build(DaxcHost *host, GError **error)
{
	g_autoptr(GPtrArray) lent = daxc_host_lent(host, error);

	return lent ? document_of(lent) : NULL;
}

static void print_text(JsonNode *document)
{
	static const CliColumn columns[] = {
		{"INSTANCE", "instance", CLI_TEXT}, {"SIZE", "size", CLI_SIZE},
		{"NODE", "node", CLI_NUMBER},	    {"COLORS", "colors", CLI_LIST},
		{"STATE", "state", CLI_TEXT},	    {NULL},
	};
	JsonArray *rows = cli_rows(document, "lent");

	if (json_array_get_length(rows) == 0)
		puts("Nothing is lent to the host.");
	else
		cli_print_table(rows, columns, "");
}

static CliStatus run_lend(Cli *cli, const char *text)
{
	g_autoptr(GArray) colors = NULL;
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(GPtrArray) lent = NULL;
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;
	gint which;

	colors = daxc_color_list_parse(text, &error);
	if (!colors)
		return cli_usage_error(cli, error);
	host = cli_open(cli, FALSE);
	if (!host)
		return CLI_FAILED;
	if (cli_find_node(host, node, &which, &error))
		lent = daxc_host_lend(host, which, colors, &error);
	if (!lent)
		return cli_fail(cli, NULL, error);
	document = document_of(lent);
	if (cli->json)
		cli_print_json(document);
	else
		print_text(document);
	return CLI_DONE;
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	if (argc == 1)
		return run_lend(cli, argv[0]);
	if (node)
		return cli_usage(cli, "which colors? COLORS is missing");
	return cli_look(cli, build, print_text);
}

const CliVerb cli_lend = {
	.name = "lend",
	.summary = "Lend memory of idle colors to the host; alone: list what is lent",
	.arguments = "[COLORS]",
	.description =
		"COLORS is a list like 0-3,8. Their free memory becomes the host's "
		"RAM, on a NUMA node of\nits own, until `daxcolor reclaim`, or a "
		"guest that needs it.",
	.options = options,
	.most = 1,
	.run = run,
};
