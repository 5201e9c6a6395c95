// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a guest asks for: made, freed, checked; colors and tenants as text.
 */
#include <daxcolor/request.h>

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/geometry.h>
#include <daxcolor/size.h>

#include "core/owner.h"

#define TENANT_MAX 64

DaxcCellRequest *daxc_cell_request_new(guint id, guint64 size)
{
	DaxcCellRequest *cell = g_new0(DaxcCellRequest, 1);

	cell->id = id;
	cell->size = size;
	cell->node = DAXC_ANY_NODE;
	cell->near = g_array_new(FALSE, FALSE, sizeof(gint));
	cell->wish = DAXC_WISH_ANY;
	cell->list = g_array_new(FALSE, FALSE, sizeof(guint32));
	return cell;
}

void daxc_cell_request_free(DaxcCellRequest *cell)
{
	if (!cell)
		return;
	g_clear_pointer(&cell->near, g_array_unref);
	g_clear_pointer(&cell->list, g_array_unref);
	g_free(cell);
}

static void cell_destroy(gpointer cell)
{
	daxc_cell_request_free(cell);
}

DaxcRequest *daxc_request_new(const char *uuid, const char *name, const char *tenant)
{
	DaxcRequest *request = g_new0(DaxcRequest, 1);

	request->uuid = g_strdup(uuid);
	request->name = g_strdup(name);
	request->tenant = g_strdup(tenant ? tenant : uuid);
	request->live_id = -1;
	request->cells = g_ptr_array_new_with_free_func(cell_destroy);
	return request;
}

void daxc_request_free(DaxcRequest *request)
{
	if (!request)
		return;
	g_free(request->uuid);
	g_free(request->name);
	g_free(request->tenant);
	g_free(request->emulator);
	g_clear_pointer(&request->cells, g_ptr_array_unref);
	g_free(request);
}

guint64 daxc_request_size(const DaxcRequest *request)
{
	guint64 size = 0;

	for (guint i = 0; i < request->cells->len; i++) {
		const DaxcCellRequest *cell = g_ptr_array_index(request->cells, i);

		size += cell->size;
	}
	return size;
}

static gboolean check_uuid(const char *uuid, GError **error)
{
	if (uuid && g_uuid_string_is_valid(uuid) && !strpbrk(uuid, "ABCDEF"))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "\"%s\" is not a domain's UUID: write it in lower case, like "
		    "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
		    uuid ? uuid : "");
	return FALSE;
}

static gboolean check_size(const DaxcCellRequest *cell, GError **error)
{
	g_autofree char *size = NULL;

	if (cell->size != 0 && cell->size % DAXC_GRANULE_MIN == 0)
		return TRUE;
	size = daxc_size_format(cell->size);
	g_set_error(
		error, DAXC_ERROR, DAXC_ERROR_INVALID,
		"its size of %s is not a multiple of 2 MiB, which is the smallest page "
		"that can be mapped",
		size);
	return FALSE;
}

static gboolean check_nodes(const DaxcCellRequest *cell, GError **error)
{
	gboolean ok = cell->near && cell->node >= DAXC_ANY_NODE;

	for (guint i = 0; ok && i < cell->near->len; i++)
		ok = g_array_index(cell->near, gint, i) >= 0;
	if (!ok)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "it names a host node below 0");
	return ok;
}

static gboolean check_list(const GArray *list, GError **error)
{
	gboolean ok = list && list->len > 0;

	for (guint i = 0; ok && i < list->len; i++) {
		guint32 color = g_array_index(list, guint32, i);

		ok = color < DAXC_COLORS_MAX &&
		     (i == 0 || color > g_array_index(list, guint32, i - 1));
	}
	if (!ok)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "its list of colors must hold at least one color, ascending, "
			    "none twice, each below %u",
			    DAXC_COLORS_MAX);
	return ok;
}

static gboolean check_wish(const DaxcCellRequest *cell, GError **error)
{
	switch (cell->wish) {
	case DAXC_WISH_ANY:
		return TRUE;
	case DAXC_WISH_COUNT:
		if (cell->count >= 1 && cell->count <= DAXC_COLORS_MAX)
			return TRUE;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "it asks for %u colors: ask for 1 to %u", cell->count,
			    DAXC_COLORS_MAX);
		return FALSE;
	case DAXC_WISH_LIST:
		return check_list(cell->list, error);
	}
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "what it asks for (%d) is not known", (int)cell->wish);
	return FALSE;
}

static gboolean check_cells(const GPtrArray *cells, GError **error)
{
	const DaxcCellRequest *before = NULL;
	guint64 size = 0;

	if (!cells || cells->len == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the request has no cell, so there is no memory to place");
		return FALSE;
	}
	for (guint i = 0; i < cells->len; i++) {
		const DaxcCellRequest *cell = g_ptr_array_index(cells, i);

		if (before && cell->id <= before->id) {
			g_set_error(
				error, DAXC_ERROR, DAXC_ERROR_INVALID,
				"cell %u comes after cell %u: every cell must be named "
				"once, in order",
				cell->id, before->id);
			return FALSE;
		}
		if (!check_size(cell, error) || !check_nodes(cell, error) ||
		    !check_wish(cell, error)) {
			g_prefix_error(error, "cell %u: ", cell->id);
			return FALSE;
		}
		if (!g_uint64_checked_add(&size, size, cell->size)) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "the cells together are larger than any memory");
			return FALSE;
		}
		before = cell;
	}
	return TRUE;
}

gboolean daxc_request_check(const DaxcRequest *request, GError **error)
{
	if (!check_uuid(request->uuid, error))
		return FALSE;
	if (!request->name || request->name[0] == '\0') {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain %s has no name", request->uuid);
		return FALSE;
	}
	if (request->live_id < -1) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%d is not the id of a running domain", request->live_id);
		return FALSE;
	}
	return daxc_tenant_check(request->tenant, error) &&
	       daxc_tenant_check_guest(request->tenant, error) &&
	       check_cells(request->cells, error);
}

/* Reads "3" or "0-3" into @first and @last. */
static gboolean parse_run(char *run, guint64 *first, guint64 *last, GError **error)
{
	const guint64 max = DAXC_COLORS_MAX - 1;
	char *dash = strchr(run, '-');

	if (!dash) {
		if (!daxc_uint_parse(run, "color", max, first, error))
			return FALSE;
		*last = *first;
		return TRUE;
	}
	*dash = '\0';
	if (!daxc_uint_parse(run, "color", max, first, error) ||
	    !daxc_uint_parse(dash + 1, "color", max, last, error))
		return FALSE;
	if (*first <= *last)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "the run %s-%s ends below its start", run, dash + 1);
	return FALSE;
}

static gboolean mark_run(guint8 *named, guint64 first, guint64 last, GError **error)
{
	for (guint64 color = first; color <= last; color++) {
		if (named[color]) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "color %u is named twice", (guint)color);
			return FALSE;
		}
		named[color] = 1;
	}
	return TRUE;
}

GArray *daxc_color_list_parse(const char *text, GError **error)
{
	g_auto(GStrv) runs = g_strsplit(text, ",", -1);
	g_autofree guint8 *named = g_new0(guint8, DAXC_COLORS_MAX);
	GArray *colors;

	if (!runs[0]) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "a list of colors is empty: write colors and runs of colors, "
			    "like 1,3 or 0-3,8");
		return NULL;
	}
	for (guint i = 0; runs[i]; i++) {
		guint64 first, last;

		if (!parse_run(runs[i], &first, &last, error) ||
		    !mark_run(named, first, last, error)) {
			g_prefix_error(error, "\"%s\" is not a list of colors: ", text);
			return NULL;
		}
	}
	colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	for (guint32 color = 0; color < DAXC_COLORS_MAX; color++) {
		if (named[color])
			g_array_append_val(colors, color);
	}
	return colors;
}

char *daxc_color_list_format(const GArray *colors)
{
	GString *text = g_string_new(NULL);
	guint i = 0;

	while (i < colors->len) {
		guint32 first = g_array_index(colors, guint32, i);
		guint32 last = first;

		for (i++; i < colors->len; i++) {
			if (g_array_index(colors, guint32, i) != last + 1)
				break;
			last++;
		}
		g_string_append_printf(text, "%s%u", text->len ? "," : "", first);
		if (last > first)
			g_string_append_printf(text, "-%u", last);
	}
	return g_string_free(text, FALSE);
}

gboolean daxc_tenant_check(const char *tenant, GError **error)
{
	gsize length = tenant ? strlen(tenant) : 0;
	gboolean ok = length >= 1 && length <= TENANT_MAX && g_ascii_isalnum(tenant[0]);

	for (gsize i = 0; ok && i < length; i++)
		ok = g_ascii_isalnum(tenant[i]) || strchr("._-", tenant[i]);
	if (!ok)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "\"%s\" is not a tenant's name: write 1 to %d of A-Z a-z 0-9 "
			    ". _ - and begin with a letter or digit",
			    tenant ? tenant : "", TENANT_MAX);
	return ok;
}
