// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a domain's XML asks for: its cells, our metadata, and whether the rest
 * of the domain can carry it.
 */
#include <daxcolor/domain-xml.h>

#include <string.h>

#include <daxcolor/geometry.h>
#include <daxcolor/size.h>

#include "domain-tree.h"

/* Linux has no more NUMA nodes than this (CONFIG_NODES_SHIFT is at most 10). */
#define NODES_MAX 1024
/* QEMU has no more guest cells than this (MAX_NODES). */
#define CELLS_MAX 128

/* What the rest of the domain must be like. */

static gboolean check_type(const Domain *domain, GError **error)
{
	g_autofree char *type = xml_attribute(domain->root, "type");

	if (g_strcmp0(type, "qemu") == 0 || g_strcmp0(type, "kvm") == 0)
		return TRUE;
	return domain_fail(domain, error,
			   "the domain's type is \"%s\": only qemu and kvm domains can "
			   "have memory of their own colors",
			   type ? type : "");
}

static gboolean check_backing_conflicts(const Domain *domain, GError **error)
{
	xmlNode *backing = xml_child(domain->root, "memoryBacking");
	g_autofree char *type = xml_attribute(xml_child(backing, "source"), "type");
	g_autofree char *mode = xml_attribute(xml_child(backing, "access"), "mode");

	if (xml_child(backing, "hugepages"))
		return domain_fail(
			domain, error,
			"its <memoryBacking> asks for <hugepages>, which come "
			"from ordinary memory: take them out; memory of its own "
			"colors is mapped with the largest pages that fit");
	if (xml_child(backing, "source") && g_strcmp0(type, "file") != 0)
		return domain_fail(domain, error,
				   "its <memoryBacking> has <source type='%s'/>: write "
				   "<source type='file'/>",
				   type ? type : "");
	if (xml_child(backing, "access") && g_strcmp0(mode, "shared") != 0)
		return domain_fail(domain, error,
				   "its <memoryBacking> has <access mode='%s'/>: write "
				   "<access mode='shared'/>",
				   mode ? mode : "");
	return TRUE;
}

static xmlNode *first_cell(const Domain *domain)
{
	return xml_child(xml_child(xml_child(domain->root, "cpu"), "numa"), "cell");
}

static xmlNode *next_cell(const xmlNode *cell)
{
	return xml_next(cell->next, "cell");
}

static gboolean check_cell_conflicts(const Domain *domain, GError **error)
{
	for (xmlNode *cell = first_cell(domain); cell; cell = next_cell(cell)) {
		g_autofree char *access = xml_attribute(cell, "memAccess");

		if (access && strcmp(access, "shared") != 0)
			return domain_fail(domain, error,
					   "line %ld: a NUMA cell has memAccess='%s': "
					   "write memAccess='shared'",
					   xmlGetLineNo(cell), access);
	}
	return TRUE;
}

/* Memory devices are guest RAM too, NVDIMMs included (the guest may online
 * them as such), and their memory would come from nobody's colors. */
static gboolean check_devices(const Domain *domain, GError **error)
{
	xmlNode *device = xml_child(xml_child(domain->root, "devices"), "memory");
	g_autofree char *model = xml_attribute(device, "model");

	if (!device)
		return TRUE;
	return domain_fail(
		domain, error,
		"line %ld: it has a memory device (%s), whose memory could not "
		"be of its own colors: take it out and give the guest all its "
		"memory at start",
		xmlGetLineNo(device), model ? model : "of no model");
}

gboolean domain_check_conflicts(const Domain *domain, GError **error)
{
	return check_type(domain, error) && check_backing_conflicts(domain, error) &&
	       check_cell_conflicts(domain, error) && check_devices(domain, error);
}

static gboolean check_backing(const Domain *domain, GError **error)
{
	xmlNode *backing = xml_child(domain->root, "memoryBacking");
	gboolean shared = xml_child(backing, "access") != NULL;
	xmlNode *cell = first_cell(domain);

	if (!shared && cell) {
		shared = TRUE;
		for (; cell; cell = next_cell(cell))
			shared = shared && xml_attribute_is(cell, "memAccess", "shared");
	}
	if (xml_child(backing, "source") && shared)
		return TRUE;
	return domain_fail(domain, error,
			   "its memory is not backed by shared files: run \"daxcolor "
			   "enroll\", or write <memoryBacking>"
			   "<source type='file'/><access mode='shared'/>"
			   "</memoryBacking>");
}

gboolean domain_is_launcher(const char *emulator)
{
	g_autofree char *name = g_path_get_basename(emulator);

	return g_str_has_prefix(name, DAXC_LAUNCHER_PREFIX) &&
	       strlen(name) > strlen(DAXC_LAUNCHER_PREFIX);
}

xmlNode *domain_emulator(const Domain *domain)
{
	return xml_child(xml_child(domain->root, "devices"), "emulator");
}

static gboolean check_emulator(const Domain *domain, const char *emulator, GError **error)
{
	if (emulator && domain_is_launcher(emulator))
		return TRUE;
	return domain_fail(
		domain, error,
		"its emulator %s is not daxcolor's launcher, without which QEMU "
		"cannot map memory of its own colors: run \"daxcolor enroll\", "
		"or write <emulator>/usr/bin/" DAXC_LAUNCHER_PREFIX
		"qemu-system-x86_64</emulator>",
		emulator ? emulator : "(none)");
}

/* Sizes and cells. */

/* Units as libvirt's virScaleInteger() has them; NULL is KiB. */
static gboolean unit_scale(const char *unit, guint64 *scale)
{
	static const char powers[] = "kmgtpe";
	const char *power;
	guint64 base;

	if (!unit)
		unit = "KiB";
	*scale = 1;
	if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "byte") == 0 ||
	    g_ascii_strcasecmp(unit, "bytes") == 0)
		return TRUE;
	power = unit[0] ? strchr(powers, g_ascii_tolower(unit[0])) : NULL;
	if (!power)
		return FALSE;
	if (unit[1] == '\0' || g_ascii_strcasecmp(unit + 1, "iB") == 0)
		base = 1024;
	else if (g_ascii_strcasecmp(unit + 1, "B") == 0)
		base = 1000;
	else
		return FALSE;
	for (gssize i = power - powers; i >= 0; i--)
		*scale *= base;
	return TRUE;
}

static gboolean parse_memory(const xmlNode *node, const char *text, const char *unit,
			     guint64 *bytes, GError **error)
{
	guint64 scale, value;

	if (!text)
		return xml_fail(node, error, "it does not say how much memory");
	/* An empty unit is no unit, for libvirt too. */
	if (unit && unit[0] == '\0')
		unit = NULL;
	if (!unit_scale(unit, &scale))
		return xml_fail(node, error,
				"the unit \"%s\" is not known: write KiB, MiB or GiB",
				unit);
	if (!daxc_uint_parse(text, "memory", G_MAXUINT64, &value, NULL))
		return xml_fail(node, error, "\"%s\" is not a size", text);
	if (!g_uint64_checked_mul(bytes, value, scale))
		return xml_fail(node, error, "%s %s is more memory than there can be",
				text, unit ? unit : "KiB");
	return TRUE;
}

static gboolean read_whole_memory(const Domain *domain, DaxcRequest *request,
				  GError **error)
{
	xmlNode *memory = xml_child(domain->root, "memory");
	g_autofree char *text = xml_content(memory);
	g_autofree char *unit = xml_attribute(memory, "unit");
	guint64 bytes;

	if (!memory) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain has no <memory>");
		return FALSE;
	}
	if (!parse_memory(memory, text, unit, &bytes, error))
		return FALSE;
	g_ptr_array_add(request->cells, daxc_cell_request_new(0, bytes));
	return TRUE;
}

static DaxcCellRequest *read_cell(xmlNode *node, guint index, GError **error)
{
	g_autofree char *id_text = xml_attribute(node, "id");
	g_autofree char *text = xml_attribute(node, "memory");
	g_autofree char *unit = xml_attribute(node, "unit");
	guint64 bytes, id = index;

	if (id_text && !daxc_uint_parse(id_text, "cell id", G_MAXINT, &id, NULL)) {
		xml_fail(node, error, "\"%s\" is not a cell's id", id_text);
		return NULL;
	}
	if (!parse_memory(node, text, unit, &bytes, error))
		return NULL;
	return daxc_cell_request_new((guint)id, bytes);
}

static gint compare_cells(gconstpointer a, gconstpointer b)
{
	const DaxcCellRequest *first = *(DaxcCellRequest *const *)a;
	const DaxcCellRequest *second = *(DaxcCellRequest *const *)b;

	return first->id < second->id ? -1 : first->id > second->id;
}

static gboolean read_cells(const Domain *domain, DaxcRequest *request, GError **error)
{
	if (!first_cell(domain))
		return read_whole_memory(domain, request, error);
	for (xmlNode *node = first_cell(domain); node; node = next_cell(node)) {
		DaxcCellRequest *cell = read_cell(node, request->cells->len, error);

		if (!cell)
			return FALSE;
		g_ptr_array_add(request->cells, cell);
		if (request->cells->len > CELLS_MAX)
			return xml_fail(node, error,
					"a guest can have %d NUMA cells at most",
					CELLS_MAX);
	}
	g_ptr_array_sort(request->cells, compare_cells);
	for (guint i = 0; i < request->cells->len; i++) {
		const DaxcCellRequest *cell = g_ptr_array_index(request->cells, i);

		if (cell->id == i)
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the guest's %u NUMA cells must have the ids 0 to %u, each "
			    "once",
			    request->cells->len, request->cells->len - 1);
		return FALSE;
	}
	return TRUE;
}

/* Host nodes of numatune. */

static gboolean mark_nodes(char *run, gboolean *named)
{
	gboolean exclude = run[0] == '^';
	char *first = exclude ? run + 1 : run;
	char *dash = strchr(first, '-');
	guint64 from, to;

	if (dash)
		*dash = '\0';
	if (!daxc_uint_parse(first, "node", NODES_MAX - 1, &from, NULL))
		return FALSE;
	to = from;
	/* libvirt's virBitmapParse() excludes single nodes only. */
	if (dash &&
	    (exclude || !daxc_uint_parse(dash + 1, "node", NODES_MAX - 1, &to, NULL) ||
	     to < from))
		return FALSE;
	for (; from <= to; from++)
		named[from] = !exclude;
	return TRUE;
}

static gboolean parse_nodeset(const xmlNode *node, const char *text, GArray *nodes,
			      GError **error)
{
	g_auto(GStrv) runs = g_strsplit(text, ",", -1);
	gboolean named[NODES_MAX] = {FALSE};

	for (guint i = 0; runs[i]; i++) {
		if (!mark_nodes(g_strstrip(runs[i]), named))
			return xml_fail(node, error,
					"\"%s\" is not a set of host nodes: write them "
					"like 0-3,^2",
					text);
	}
	for (gint i = 0; i < NODES_MAX; i++) {
		if (named[i])
			g_array_append_val(nodes, i);
	}
	return TRUE;
}

static xmlNode *tuned_node(xmlNode *numatune, guint cell)
{
	g_autofree char *id = g_strdup_printf("%u", cell);
	xmlNode *node = xml_child(numatune, "memnode");

	for (; node; node = xml_next(node->next, "memnode")) {
		if (xml_attribute_is(node, "cellid", id))
			return node;
	}
	return xml_child(numatune, "memory");
}

static gboolean read_numatune(const Domain *domain, DaxcRequest *request, GError **error)
{
	xmlNode *numatune = xml_child(domain->root, "numatune");

	for (guint i = 0; i < request->cells->len; i++) {
		DaxcCellRequest *cell = g_ptr_array_index(request->cells, i);
		xmlNode *node = tuned_node(numatune, cell->id);
		g_autofree char *nodeset = xml_attribute(node, "nodeset");

		if (cell->node != DAXC_ANY_NODE || !nodeset ||
		    xml_attribute_is(node, "placement", "auto"))
			continue;
		if (!parse_nodeset(node, nodeset, cell->near, error))
			return FALSE;
	}
	return TRUE;
}

/* Our metadata. */

static gboolean check_known(const xmlNode *node, const char *const *known, GError **error)
{
	for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
		g_autofree char *name = xml_qualified((const char *)attr->name, attr->ns);
		g_autofree char *list = NULL;

		if (!attr->ns && g_strv_contains(known, name))
			continue;
		list = g_strjoinv(", ", (char **)known);
		return xml_fail(node, error,
				"the attribute %s is not known; there are %s", name,
				list);
	}
	return TRUE;
}

/* Nothing but elements, comments and white space. */
static gboolean check_content(const xmlNode *node, GError **error)
{
	g_autofree char *text = NULL;

	for (xmlNode *next = node->children; next; next = next->next) {
		switch (next->type) {
		case XML_ELEMENT_NODE:
		case XML_COMMENT_NODE:
			continue;
		case XML_TEXT_NODE:
			if (xmlIsBlankNode(next))
				continue;
			text = xml_content(next);
			return xml_fail(node, error, "it holds stray text, \"%s\"", text);
		default:
			return xml_fail(node, error,
					"it holds something that is no element");
		}
	}
	return TRUE;
}

static gboolean read_uint(xmlNode *node, const char *name, guint64 min, guint64 max,
			  guint64 *value, gboolean *given, GError **error)
{
	g_autofree char *text = xml_attribute(node, name);

	*given = text != NULL;
	if (!text || (daxc_uint_parse(text, name, max, value, NULL) && *value >= min))
		return TRUE;
	return xml_fail(node, error,
			"%s='%s' is not a whole number from %" G_GUINT64_FORMAT
			" to %" G_GUINT64_FORMAT,
			name, text, min, max);
}

static gboolean read_colors(xmlNode *node, DaxcCellRequest *cell, GError **error)
{
	g_autofree char *list = xml_attribute(node, "list");
	g_autoptr(GError) why = NULL;
	gboolean counted;
	guint64 count;
	GArray *colors;

	if (!read_uint(node, "colors", 1, DAXC_COLORS_MAX, &count, &counted, error))
		return FALSE;
	if (counted && list)
		return xml_fail(
			node, error,
			"it has both colors and list: write a number of colors, or "
			"a list of them");
	if (counted) {
		cell->wish = DAXC_WISH_COUNT;
		cell->count = (guint)count;
	}
	if (!list)
		return TRUE;
	colors = daxc_color_list_parse(list, &why);
	if (!colors)
		return xml_fail(node, error, "list: %s", why->message);
	g_array_unref(cell->list);
	cell->list = colors;
	cell->wish = DAXC_WISH_LIST;
	return TRUE;
}

static gboolean read_our_cell(xmlNode *node, DaxcRequest *request, gboolean *seen,
			      GError **error)
{
	static const char *const known[] = {"id", "node", "colors", "list", NULL};
	DaxcCellRequest *cell;
	guint64 id, host_node;
	gboolean given;

	if (!check_known(node, known, error) || !check_content(node, error) ||
	    !read_uint(node, "id", 0, G_MAXUINT, &id, &given, error))
		return FALSE;
	if (!given)
		return xml_fail(node, error,
				"it has no id: say which NUMA cell of the guest it is "
				"about, 0 for a guest without");
	if (id >= request->cells->len)
		return xml_fail(node, error,
				"the guest has no cell %" G_GUINT64_FORMAT
				"; its last is %u",
				id, request->cells->len - 1);
	if (seen[id])
		return xml_fail(node, error, "a second one for cell %" G_GUINT64_FORMAT,
				id);
	seen[id] = TRUE;
	cell = g_ptr_array_index(request->cells, id);
	if (!read_uint(node, "node", 0, NODES_MAX - 1, &host_node, &given, error))
		return FALSE;
	if (given)
		cell->node = (gint)host_node;
	return read_colors(node, cell, error);
}

static gboolean read_our_memory(xmlNode *node, DaxcRequest *request, GError **error)
{
	static const char *const known[] = {"tenant", "added", NULL};
	g_autofree gboolean *seen = g_new0(gboolean, request->cells->len);
	g_autofree char *tenant = xml_attribute(node, "tenant");
	g_autofree char *added = xml_attribute(node, "added");
	g_autoptr(GError) why = NULL;
	guint flags;

	if (!check_known(node, known, error) || !check_content(node, error))
		return FALSE;
	if (added && !domain_read_added(node, added, &flags, error))
		return FALSE;
	if (tenant && !daxc_tenant_check(tenant, &why))
		return xml_fail(node, error, "tenant: %s", why->message);
	if (tenant) {
		g_free(request->tenant);
		request->tenant = g_steal_pointer(&tenant);
	}
	for (xmlNode *cell = node->children; cell; cell = cell->next) {
		if (cell->type == XML_ELEMENT_NODE &&
		    !read_our_cell(cell, request, seen, error))
			return FALSE;
	}
	return TRUE;
}

/* The request. */

static DaxcRequest *read_identity(const Domain *domain, GError **error)
{
	g_autofree char *uuid = xml_content(xml_child(domain->root, "uuid"));
	g_autofree char *name = xml_content(xml_child(domain->root, "name"));
	g_autofree char *lower = uuid ? g_ascii_strdown(uuid, -1) : NULL;
	g_autoptr(DaxcRequest) request = NULL;
	gboolean given;
	guint64 id;

	if (!uuid || !name) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain has no <%s>: libvirt gives it one when it is "
			    "defined",
			    uuid ? "name" : "uuid");
		return NULL;
	}
	request = daxc_request_new(lower, name, NULL);
	if (!read_uint(domain->root, "id", 0, G_MAXINT, &id, &given, error))
		return NULL;
	if (given)
		request->live_id = (gint)id;
	return g_steal_pointer(&request);
}

static DaxcRequest *read_request(const Domain *domain, GError **error)
{
	g_autoptr(DaxcRequest) request = read_identity(domain, error);

	if (!request || !read_cells(domain, request, error) ||
	    !read_our_memory(domain->ours, request, error) ||
	    !read_numatune(domain, request, error))
		return NULL;
	request->emulator = xml_content(domain_emulator(domain));
	if (!domain_check_conflicts(domain, error) || !check_backing(domain, error) ||
	    !check_emulator(domain, request->emulator, error) ||
	    !daxc_request_check(request, error))
		return NULL;
	return g_steal_pointer(&request);
}

static gboolean domain_read(const char *xml, gssize length, DaxcRequest **request,
			    GError **error)
{
	g_autoptr(Domain) domain = domain_parse(xml, length, error);

	*request = NULL;
	if (!domain || !domain_find_ours(domain, error))
		return FALSE;
	if (!domain->ours)
		return TRUE;
	*request = read_request(domain, error);
	return *request != NULL;
}

gboolean daxc_domain_read(const char *xml, gssize length, DaxcRequest **request,
			  GError **error)
{
	gboolean ok = domain_read(xml, length, request, error);

	if (!ok)
		domain_tame_message(error);
	return ok;
}

DaxcRequest *daxc_domain_identify(const char *xml, gssize length, GError **error)
{
	g_autoptr(Domain) domain = domain_parse(xml, length, error);
	DaxcRequest *request = domain ? read_identity(domain, error) : NULL;

	if (!request)
		domain_tame_message(error);
	return request;
}
