// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor colors: each color of each cache domain, and who has it. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "output.h"

static gboolean all;

static const GOptionEntry options[] = {
	{"all", 'a', 0, G_OPTION_ARG_NONE, &all,
	 "One row for each color, also where neighbors have the same", NULL},
	{NULL},
};

static void add_use(JsonBuilder *builder, const DaxcColorUse *use, guint64 granule)
{
	json_builder_begin_object(builder);
	cli_add_signed(builder, "node", use->node);
	cli_add_number(builder, "color", use->color);
	cli_add_number(builder, "granule", granule);
	cli_add_number(builder, "total", use->total);
	cli_add_number(builder, "free", use->free);
	cli_add_number(builder, "held", use->held);
	cli_add_number(builder, "dirty", use->dirty);
	cli_add_number(builder, "bad", use->bad);
	cli_add_number(builder, "foreign", use->foreign);
	cli_add_text(builder, "tenant", use->tenant);
	json_builder_end_object(builder);
}

static JsonNode *build(const GPtrArray *uses, const DaxcGeometry *geometry)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "colors");
	json_builder_begin_array(builder);
	for (guint i = 0; i < uses->len; i++) {
		const DaxcColorUse *use = g_ptr_array_index(uses, i);

		add_use(builder, use,
			daxc_geometry_for_node(geometry, use->node)->granule);
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static gboolean same(const DaxcColorUse *a, const DaxcColorUse *b)
{
	return a->node == b->node && a->total == b->total && a->free == b->free &&
	       a->held == b->held && a->dirty == b->dirty && a->bad == b->bad &&
	       a->foreign == b->foreign && g_strcmp0(a->tenant, b->tenant) == 0;
}

/* One row for @n colors from @first on that are all alike. */
static void add_run(JsonBuilder *builder, const DaxcColorUse *first, guint n)
{
	g_autofree char *colors =
		n == 1 ? g_strdup_printf("%u", first->color)
		       : g_strdup_printf("%u-%u", first->color, first->color + n - 1);

	json_builder_begin_object(builder);
	cli_add_signed(builder, "node", first->node);
	cli_add_text(builder, "colors", colors);
	cli_add_number(builder, "total", first->total);
	cli_add_number(builder, "free", first->free);
	cli_add_number(builder, "dirty", first->dirty);
	cli_add_number(builder, "held", first->held);
	cli_add_number(builder, "bad", first->bad);
	cli_add_number(builder, "foreign", first->foreign);
	cli_add_text(builder, "tenant", first->tenant);
	json_builder_end_object(builder);
}

static void print_text(const GPtrArray *uses)
{
	static const CliColumn columns[] = {
		{"NODE", "node", CLI_NUMBER},	{"COLOR", "colors", CLI_TEXT},
		{"TOTAL", "total", CLI_NUMBER}, {"FREE", "free", CLI_NUMBER},
		{"DIRTY", "dirty", CLI_NUMBER}, {"HELD", "held", CLI_NUMBER},
		{"BAD", "bad", CLI_NUMBER},	{"FOREIGN", "foreign", CLI_NUMBER},
		{"TENANT", "tenant", CLI_TEXT}, {NULL},
	};
	JsonBuilder *builder = json_builder_new();
	g_autoptr(JsonNode) document = NULL;
	gboolean joined = FALSE;
	guint n;

	json_builder_begin_array(builder);
	for (guint i = 0; i < uses->len; i += n) {
		const DaxcColorUse *first = g_ptr_array_index(uses, i);

		for (n = 1; !all && i + n < uses->len; n++) {
			if (!same(first, g_ptr_array_index(uses, i + n)))
				break;
		}
		joined = joined || n > 1;
		add_run(builder, first, n);
	}
	json_builder_end_array(builder);
	document = cli_built(builder);
	cli_print_table(json_node_get_array(document), columns, "");
	printf("\ngranules of each color%s; dirty ones are free too, and zeroed before "
	       "use\n",
	       joined ? " (rows of equal colors are joined: --all shows each)" : "");
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcHost) host = cli_open(cli, TRUE);
	g_autoptr(GPtrArray) uses = NULL;
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;

	if (!host)
		return CLI_FAILED;
	uses = daxc_host_colors(host, &error);
	if (!uses)
		return cli_fail(cli, NULL, error);
	if (!cli->json) {
		print_text(uses);
		return CLI_DONE;
	}
	document = build(uses, daxc_host_geometry(host));
	cli_print_json(document);
	return CLI_DONE;
}

const CliVerb cli_colors = {
	.name = "colors",
	.summary = "Show each cache domain's colors, and who has them",
	.options = options,
	.run = run,
};
