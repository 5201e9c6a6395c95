// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor reclaim: takes back what was lent to the host. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

static char *node;
static gboolean all;

static const GOptionEntry options[] = {
	{"node", 'n', 0, G_OPTION_ARG_STRING, &node,
	 "Whose cache (default: the only one that the host has)", "NODE"},
	{"all", 'a', 0, G_OPTION_ARG_NONE, &all, "All that is lent", NULL},
	{NULL},
};

static CliStatus print(const Cli *cli, guint64 bytes)
{
	JsonBuilder *builder = json_builder_new();
	g_autoptr(JsonNode) document = NULL;
	g_autofree char *size = daxc_size_format(bytes);

	json_builder_begin_object(builder);
	cli_add_number(builder, "reclaimed", bytes);
	json_builder_end_object(builder);
	document = cli_built(builder);
	if (cli->json)
		cli_print_json(document);
	else if (bytes == 0)
		puts("Nothing of that was lent to the host.");
	else
		printf("%s taken back from the host.\n", size);
	return CLI_DONE;
}

static gboolean reclaim(DaxcHost *host, const GArray *colors, guint64 *bytes,
			GError **error)
{
	gint which = -1;

	if (colors && !cli_find_node(host, node, &which, error))
		return FALSE;
	return daxc_host_reclaim(host, which, colors, bytes, error);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(GArray) colors = NULL;
	g_autoptr(DaxcHost) host = NULL;
	GError *error = NULL;
	guint64 bytes = 0;

	if (argc + all != 1)
		return cli_usage(cli, "say one of COLORS and --all");
	if (all && node)
		return cli_usage(cli, "--all is of all nodes");
	if (argc == 1 && !(colors = daxc_color_list_parse(argv[0], &error)))
		return cli_usage_error(cli, error);
	host = cli_open(cli, FALSE);
	if (!host)
		return CLI_FAILED;
	if (!reclaim(host, colors, &bytes, &error))
		return cli_fail(cli, NULL, error);
	return print(cli, bytes);
}

const CliVerb cli_reclaim = {
	.name = "reclaim",
	.summary = "Take back what was lent to the host",
	.arguments = "[COLORS]",
	.description = "COLORS is a list like 0-3,8. The host moves what it has there; "
		       "what it does not give back in\ntime stays lent. What comes back "
		       "is zeroed.",
	.options = options,
	.most = 1,
	.run = run,
};
