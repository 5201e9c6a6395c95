// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor release: takes back what a guest holds. */
#include <stdio.h>
#include <string.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

/* Returns: (transfer full): UUID of the one guest called @name. */
static char *uuid_of(DaxcHost *host, const char *name, GError **error)
{
	g_autoptr(GPtrArray) carvings = NULL;
	const char *uuid = NULL;

	if (g_uuid_string_is_valid(name))
		return g_ascii_strdown(name, -1);
	carvings = daxc_host_carvings(host, error);
	for (guint i = 0; carvings && i < carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);

		if (strcmp(carving->name, name) != 0)
			continue;
		if (uuid && strcmp(uuid, carving->uuid) != 0) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "two guests have that name: release %s or %s", uuid,
				    carving->uuid);
			return NULL;
		}
		uuid = carving->uuid;
	}
	if (carvings && !uuid)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "no guest of that name holds anything: see `daxcolor list`");
	return g_strdup(uuid);
}

static JsonNode *build(const char *uuid, const GPtrArray *carvings)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_text(builder, "uuid", uuid);
	cli_add_carvings(builder, "released", carvings, NULL);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_text(const char *name, const GPtrArray *carvings)
{
	g_autofree char *guest = cli_printable(name);

	if (carvings->len == 0)
		printf("%s holds nothing.\n", guest);
	for (guint i = 0; i < carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);
		g_autofree char *size = daxc_size_format(carving->plan->size);

		printf("%s cell %u: %s (%s) taken back\n", guest, carving->plan->cell,
		       carving->instance ? carving->instance : "unfinished", size);
	}
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcHost) host = cli_open(cli, FALSE);
	g_autoptr(GPtrArray) carvings = NULL;
	g_autoptr(JsonNode) document = NULL;
	g_autofree char *uuid = NULL;
	GError *error = NULL;

	if (!host)
		return CLI_FAILED;
	uuid = uuid_of(host, argv[0], &error);
	if (!uuid)
		return cli_fail(cli, argv[0], error);
	carvings = daxc_host_find(host, uuid, &error);
	if (!carvings || !daxc_host_release(host, uuid, &error))
		return cli_fail(cli, argv[0], error);
	document = build(uuid, carvings);
	if (cli->json)
		cli_print_json(document);
	else
		print_text(argv[0], carvings);
	return CLI_DONE;
}

const CliVerb cli_release = {
	.name = "release",
	.summary = "Take back what a guest holds",
	.arguments = "DOMAIN|UUID",
	.least = 1,
	.most = 1,
	.run = run,
};
