// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor show: everything on one guest or instance. */
#include <stdio.h>
#include <string.h>

#include "carvings.h"
#include "cli.h"
#include "output.h"

static gboolean is_named(const DaxcCarving *carving, const char *name)
{
	return g_strcmp0(carving->name, name) == 0 ||
	       g_ascii_strcasecmp(carving->uuid, name) == 0 ||
	       g_strcmp0(carving->instance, name) == 0;
}

static JsonNode *build(DaxcHost *host, const char *name, GError **error)
{
	g_autoptr(GPtrArray) carvings = daxc_host_carvings(host, error);
	g_autoptr(GPtrArray) foreign = carvings ? daxc_host_foreign(host, error) : NULL;
	g_autoptr(GPtrArray) regions = foreign ? daxc_host_regions(host, error) : NULL;
	g_autoptr(GPtrArray) instances = regions ? daxc_host_instances(host, error)
						 : NULL;
	g_autoptr(GPtrArray) named = g_ptr_array_new();
	JsonBuilder *builder;

	if (!instances)
		return NULL;
	for (guint i = 0; i < carvings->len; i++) {
		if (is_named(g_ptr_array_index(carvings, i), name))
			g_ptr_array_add(named, g_ptr_array_index(carvings, i));
	}
	builder = json_builder_new();
	json_builder_begin_object(builder);
	cli_add_carvings(builder, "carvings", named, instances);
	cli_add_instances(builder, "foreign", name, foreign, regions,
			  daxc_host_geometry(host));
	json_builder_end_object(builder);
	return cli_built(builder);
}

/* ", claimed"; nothing when it is not. */
static char *claim_describe(JsonObject *row)
{
	const char *by = json_object_get_string_member_with_default(row, "claimed", NULL);

	if (!by || strcmp(by, "own") == 0)
		return g_strdup(by ? ", claimed" : "");
	return g_strdup_printf(", claimed by %s", by);
}

static void print_carving(JsonObject *carving)
{
	g_autofree char *domain =
		cli_printable(json_object_get_string_member(carving, "domain"));
	const char *instance = json_object_get_string_member_with_default(
		carving, "instance", "no instance");
	g_autofree char *claim = claim_describe(carving);

	printf("%s (%s), tenant %s\n", domain,
	       json_object_get_string_member(carving, "uuid"),
	       json_object_get_string_member(carving, "tenant"));
	printf("%s, %s%s\n", instance, json_object_get_string_member(carving, "state"),
	       claim);
	cli_print_cell(carving, "");
	cli_print_extents(json_object_get_array_member(carving, "extents"), "  ");
}

static void print_foreign(JsonObject *instance)
{
	g_autofree char *size =
		daxc_size_format((guint64)json_object_get_int_member(instance, "size"));
	g_autofree char *claim = claim_describe(instance);

	printf("%s, not made by daxcolor: %s, region %d on node %d, driver %s%s\n",
	       json_object_get_string_member(instance, "instance"), size,
	       (int)json_object_get_int_member(instance, "region"),
	       (int)json_object_get_int_member(instance, "node"),
	       json_object_get_string_member_with_default(instance, "driver", "none"),
	       claim);
	cli_print_extents(json_object_get_array_member(instance, "extents"), "  ");
}

static void print_text(JsonNode *document)
{
	JsonArray *carvings = cli_rows(document, "carvings");
	JsonArray *foreign = cli_rows(document, "foreign");

	cli_flatten_claims(carvings);
	cli_flatten_claims(foreign);
	for (guint i = 0; i < json_array_get_length(carvings); i++) {
		if (i)
			putchar('\n');
		print_carving(json_array_get_object_element(carvings, i));
	}
	for (guint i = 0; i < json_array_get_length(foreign); i++)
		print_foreign(json_array_get_object_element(foreign, i));
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcHost) host = cli_open(cli, TRUE);
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;

	if (!host)
		return CLI_FAILED;
	document = build(host, argv[0], &error);
	if (document && json_array_get_length(cli_rows(document, "carvings")) == 0 &&
	    json_array_get_length(cli_rows(document, "foreign")) == 0)
		g_set_error(
			&error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			"no guest of that name or UUID holds anything, and no instance "
			"has that name: see `daxcolor list`");
	if (error)
		return cli_fail(cli, argv[0], error);
	if (cli->json)
		cli_print_json(document);
	else
		print_text(document);
	return CLI_DONE;
}

const CliVerb cli_show = {
	.name = "show",
	.summary = "Show everything on one guest or instance",
	.arguments = "DOMAIN|UUID|INSTANCE",
	.least = 1,
	.most = 1,
	.run = run,
};
