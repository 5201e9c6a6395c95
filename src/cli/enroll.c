// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor enroll: makes a libvirt domain one that gets colors of its own. */
#include <string.h>

#include "cli.h"
#include "domain.h"
#include "request.h"

static char *tenant;
static char **cells;
static CliEdit edit;

static const GOptionEntry options[] = {
	{"tenant", 't', 0, G_OPTION_ARG_STRING, &tenant,
	 "Who owns the colors (default: this guest alone)", "TENANT"},
	{"cell", 0, 0, G_OPTION_ARG_STRING_ARRAY, &cells,
	 "Where a NUMA cell goes: ID:node=N,colors=K or ID:node=N,list=1+3", "CELL"},
	CLI_EDIT_OPTIONS(edit),
	{NULL},
};

/**
 * CellText: the parts of --cell, as they were written; a part that was not
 * given is NULL.
 */
typedef struct {
	const char *node;
	const char *count;
	const char *list;
} CellText;

static gboolean read_part(CellText *text, char *part)
{
	static const char *const keys[] = {"node=", "colors=", "list="};
	const char **const slots[] = {&text->node, &text->count, &text->list};

	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (!g_str_has_prefix(part, keys[i]) || *slots[i])
			continue;
		*slots[i] = part + strlen(keys[i]);
		return TRUE;
	}
	return FALSE;
}

static DaxcCellRequest *read_cell(const char *text, GError **error)
{
	g_auto(GStrv) parts = g_strsplit_set(text, ":,", -1);
	g_autoptr(DaxcCellRequest) cell = NULL;
	CellText given = {0};
	g_autofree char *list = NULL;
	guint64 id, node;

	if (!daxc_uint_parse(parts[0] ? parts[0] : "", "cell id", G_MAXUINT16, &id,
			     error))
		return NULL;
	for (guint i = 1; parts[i]; i++) {
		if (read_part(&given, parts[i]))
			continue;
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_INVALID,
			"--cell %s: \"%s\" is not node=N, colors=K or list=1+3, each at "
			"most once",
			text, parts[i]);
		return NULL;
	}
	cell = daxc_cell_request_new((guint)id, 0);
	if (given.node) {
		if (!daxc_uint_parse(given.node, "node", G_MAXINT, &node, error))
			return NULL;
		cell->node = (gint)node;
	}
	/* A comma stands between the parts of a cell already. */
	list = given.list ? g_strdelimit(g_strdup(given.list), "+", ',') : NULL;
	if (!cli_set_colors(cell, given.count, list, error))
		return NULL;
	return g_steal_pointer(&cell);
}

static gint by_id(gconstpointer a, gconstpointer b)
{
	const DaxcCellRequest *left = *(DaxcCellRequest *const *)a;
	const DaxcCellRequest *right = *(DaxcCellRequest *const *)b;

	return left->id < right->id ? -1 : left->id > right->id;
}

static gboolean read_cells(GPtrArray *wanted, GError **error)
{
	for (guint i = 0; cells && cells[i]; i++) {
		DaxcCellRequest *cell = read_cell(cells[i], error);

		if (!cell)
			return FALSE;
		g_ptr_array_add(wanted, cell);
	}
	g_ptr_array_sort(wanted, by_id);
	for (guint i = 1; i < wanted->len; i++) {
		const DaxcCellRequest *cell = g_ptr_array_index(wanted, i);
		const DaxcCellRequest *before = g_ptr_array_index(wanted, i - 1);

		if (cell->id != before->id)
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "--cell: cell %u is there twice", cell->id);
		return FALSE;
	}
	return TRUE;
}

/* @data: (element-type DaxcCellRequest) */
static char *change(const char *xml, const char *uuid, const char *name, gpointer data,
		    GError **error)
{
	g_autoptr(DaxcRequest)
		wish = daxc_request_new(uuid, name, tenant ? tenant : uuid);

	g_ptr_array_extend_and_steal(wish->cells, g_ptr_array_ref(data));
	return daxc_domain_enroll(xml, wish, error);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(GPtrArray) wanted =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_cell_request_free);
	GError *error = NULL;

	if ((tenant && !daxc_tenant_check(tenant, &error)) || !read_cells(wanted, &error))
		return cli_usage_error(cli, error);
	edit.change = change;
	edit.data = wanted;
	return cli_edit_domain(cli, argv[0], &edit);
}

const CliVerb cli_enroll = {
	.name = "enroll",
	.summary = "Give a libvirt domain colors of its own from its next start on",
	.arguments = "DOMAIN",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run,
};
