// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor carve: does what plan shows; for guests that libvirt does not start. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"
#include "request.h"

static CliWish wish;
static gboolean shared;

static const GOptionEntry options[] = {
	CLI_WISH_OPTIONS(wish),
	{"uuid", 'u', 0, G_OPTION_ARG_STRING, &wish.uuid,
	 "Whose it is (default: a new one)", "UUID"},
	{"name", 'N', 0, G_OPTION_ARG_FILENAME, &wish.name,
	 "What to call it (default: the UUID)", "NAME"},
	{"shared", 0, 0, G_OPTION_ARG_NONE, &shared,
	 "Lets it be opened more than once, as guests do not", NULL},
	{NULL},
};

static JsonNode *build(const DaxcRequest *request, const GPtrArray *carvings,
		       const GPtrArray *instances)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", request->name);
	cli_add_text(builder, "uuid", request->uuid);
	cli_add_text(builder, "tenant", request->tenant);
	cli_add_carvings(builder, "carvings", carvings, instances);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(GPtrArray) carvings = NULL;
	g_autoptr(GPtrArray) instances = NULL;
	g_autoptr(JsonNode) document = NULL;
	CliStatus status = cli_request(cli, &wish, argc, argv, &request);
	GError *error = NULL;

	if (status != CLI_DONE)
		return status;
	request->shared = shared;
	host = cli_open(cli, FALSE);
	if (!host)
		return CLI_FAILED;
	carvings = daxc_host_carve(host, request, &error);
	if (!carvings)
		return cli_fail(cli, NULL, error);
	/* Who cannot look at it now has it all the same. */
	instances = daxc_host_instances(host, NULL);
	document = build(request, carvings, instances);
	if (cli->json)
		cli_print_json(document);
	else
		cli_print_carvings(cli_rows(document, "carvings"));
	return CLI_DONE;
}

const CliVerb cli_carve = {
	.name = "carve",
	.summary = "Make the instances of a guest (libvirt's guests do without)",
	.arguments = "[DOMAIN.xml|-]",
	.options = options,
	.most = 1,
	.run = run,
};
