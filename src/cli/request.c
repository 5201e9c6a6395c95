// SPDX-License-Identifier: GPL-2.0-or-later
/* Puts a request together. */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* libvirt's own limit for a document. */
#define XML_MAX (16u << 20)

static char *read_stream(FILE *stream, const char *name, gsize *length, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char buffer[65536];
	gsize n;

	while ((n = fread(buffer, 1, sizeof(buffer), stream)) > 0) {
		if (text->len + n > XML_MAX) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "%s is no domain: more than 16 MiB", name);
			return NULL;
		}
		g_string_append_len(text, buffer, (gssize)n);
	}
	if (ferror(stream)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot read %s: %s",
			    name, g_strerror(errno));
		return NULL;
	}
	*length = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *read_xml(const char *path, gsize *length, GError **error)
{
	char *text;
	FILE *stream;

	if (strcmp(path, "-") == 0)
		return read_stream(stdin, "standard input", length, error);
	stream = fopen(path, "re");
	if (!stream) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND, "cannot open it: %s",
			    g_strerror(errno));
		return NULL;
	}
	text = read_stream(stream, path, length, error);
	fclose(stream);
	return text;
}

CliStatus cli_request_domain(const Cli *cli, const char *path, char **xml,
			     DaxcRequest **request)
{
	GError *error = NULL;
	gsize length;
	g_autofree char *text = read_xml(path, &length, &error);

	*xml = NULL;
	*request = NULL;
	if (!text || !daxc_domain_read(text, (gssize)length, request, &error))
		return cli_fail(cli, path, error);
	if (*request) {
		*xml = g_steal_pointer(&text);
		return CLI_DONE;
	}
	g_set_error(
		&error, DAXC_ERROR, DAXC_ERROR_INVALID,
		"the domain has no metadata of daxcolor (%s): `daxcolor enroll` it, or "
		"say --size",
		DAXC_XML_NAMESPACE);
	return cli_fail(cli, path, error);
}

gboolean cli_set_colors(DaxcCellRequest *cell, const char *count, const char *list,
			GError **error)
{
	g_autoptr(GArray) colors = NULL;
	guint64 n;

	if (count && list) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "either a count of colors or a list, not both");
		return FALSE;
	}
	if (count) {
		if (!daxc_uint_parse(count, "count of colors", DAXC_COLORS_MAX, &n,
				     error))
			return FALSE;
		cell->wish = DAXC_WISH_COUNT;
		cell->count = (guint)n;
	}
	if (list) {
		colors = daxc_color_list_parse(list, error);
		if (!colors)
			return FALSE;
		cell->wish = DAXC_WISH_LIST;
		g_array_set_size(cell->list, 0);
		g_array_append_vals(cell->list, colors->data, colors->len);
	}
	return TRUE;
}

static DaxcCellRequest *cell_from_wish(const CliWish *wish, GError **error)
{
	g_autoptr(DaxcCellRequest) cell = NULL;
	guint64 size, node;

	if (!daxc_size_parse(wish->size, &size, error))
		return NULL;
	cell = daxc_cell_request_new(0, size);
	if (wish->node) {
		if (!daxc_uint_parse(wish->node, "node", G_MAXINT, &node, error))
			return NULL;
		cell->node = (gint)node;
	}
	if (!cli_set_colors(cell, wish->count, wish->list, error))
		return NULL;
	return g_steal_pointer(&cell);
}

static CliStatus from_wish(const Cli *cli, const CliWish *wish, DaxcRequest **request)
{
	g_autoptr(DaxcRequest) made = NULL;
	g_autofree char *uuid = NULL;
	DaxcCellRequest *cell;
	GError *error = NULL;

	if (wish->uuid && !g_uuid_string_is_valid(wish->uuid))
		return cli_usage(cli, "--uuid: \"%s\" is not a UUID", wish->uuid);
	cell = cell_from_wish(wish, &error);
	if (!cell)
		return cli_usage_error(cli, error);
	uuid = wish->uuid ? g_ascii_strdown(wish->uuid, -1) : g_uuid_string_random();
	made = daxc_request_new(uuid, wish->name ? wish->name : uuid,
				wish->tenant ? wish->tenant : uuid);
	g_ptr_array_add(made->cells, cell);
	if (!daxc_request_check(made, &error))
		return cli_usage_error(cli, error);
	*request = g_steal_pointer(&made);
	return CLI_DONE;
}

CliStatus cli_request(const Cli *cli, const CliWish *wish, int argc, char **argv,
		      DaxcRequest **request)
{
	gboolean wished = wish->size || wish->tenant || wish->node || wish->count ||
			  wish->list || wish->uuid || wish->name;
	g_autofree char *xml = NULL;

	*request = NULL;
	if (argc == 1 && wished)
		return cli_usage(cli,
				 "a domain says itself what it wants: no options "
				 "beside %s",
				 argv[0]);
	if (argc == 1)
		return cli_request_domain(cli, argv[0], &xml, request);
	if (!wish->size)
		return cli_usage(cli, "say what: DOMAIN.xml, or --size SIZE");
	return from_wish(cli, wish, request);
}
