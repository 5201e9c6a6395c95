// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor list: carvings, and the instances that are none. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

static JsonNode *build(DaxcHost *host, GError **error)
{
	g_autoptr(GPtrArray) carvings = daxc_host_carvings(host, error);
	g_autoptr(GPtrArray) foreign = carvings ? daxc_host_foreign(host, error) : NULL;
	g_autoptr(GPtrArray) regions = foreign ? daxc_host_regions(host, error) : NULL;
	g_autoptr(GPtrArray) instances = regions ? daxc_host_instances(host, error)
						 : NULL;
	JsonBuilder *builder;

	if (!instances)
		return NULL;
	builder = json_builder_new();
	json_builder_begin_object(builder);
	cli_add_carvings(builder, "carvings", carvings, instances);
	cli_add_instances(builder, "foreign", NULL, foreign, regions,
			  daxc_host_geometry(host));
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_text(JsonNode *document)
{
	static const CliColumn columns[] = {
		{"INSTANCE", "instance", CLI_TEXT},
		{"SIZE", "size", CLI_SIZE},
		{"ALIGN", "align", CLI_SIZE},
		{"NODE", "node", CLI_NUMBER},
		{"DRIVER", "driver", CLI_TEXT},
		{"CLAIM", "claimed", CLI_TEXT},
		{NULL},
	};
	JsonArray *carvings = cli_rows(document, "carvings");
	JsonArray *foreign = cli_rows(document, "foreign");

	if (json_array_get_length(carvings) == 0)
		puts("No guest holds anything.");
	else
		cli_print_carvings(carvings);
	if (json_array_get_length(foreign) == 0)
		return;
	puts("\nInstances that daxcolor did not make:");
	cli_flatten_claims(foreign);
	cli_print_table(foreign, columns, "");
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	return cli_look(cli, build, print_text);
}

const CliVerb cli_list = {
	.name = "list",
	.summary = "List what guests hold, and foreign instances",
	.run = run,
};
