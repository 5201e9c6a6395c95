// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Our metadata written into a domain and taken out again. Edits are splices of
 * the text that was handed in, at the places where the parser met its elements,
 * so that every byte that is not ours stays as it is.
 */
#include <daxcolor/domain-xml.h>

#include <string.h>

#include "domain-tree.h"

#define QEMU_PREFIX "qemu-system-"

/**
 * Edit: one splice.
 * @at: offset in the old text
 * @remove: bytes taken out there
 * @insert: (nullable): text put in there
 */
typedef struct {
	gsize at;
	gsize remove;
	char *insert;
} Edit;

static void edit_clear(gpointer data)
{
	Edit *edit = data;

	g_free(edit->insert);
}

/* Editing. */

static const Span *span_of(const Domain *domain, const xmlNode *node)
{
	static const Span nowhere;
	guint index = GPOINTER_TO_UINT(node->_private);

	return index > 0 ? &g_array_index(domain->spans, Span, index - 1) : &nowhere;
}

/* An edit at a wrong place would ruin a domain: look where the parser says
 * that elements are, before the first one. */
static gboolean check_spans(const Domain *domain, GError **error)
{
	for (guint i = 0; i < domain->spans->len; i++) {
		const Span *span = &g_array_index(domain->spans, Span, i);

		if (span->start < span->open_end && span->open_end <= span->close_start &&
		    span->close_start <= span->end && span->end <= domain->length &&
		    domain->xml[span->start] == '<' &&
		    domain->xml[span->open_end - 1] == '>' &&
		    domain->xml[span->end - 1] == '>')
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "libxml2 does not say where an element of the domain's XML "
			    "is; nothing was changed");
		return FALSE;
	}
	return TRUE;
}

/* The line break and indentation before the element at @start; empty where it
 * does not begin its line. */
static char *lead_at(const Domain *domain, gsize start)
{
	gsize from = start;

	while (from > 0 &&
	       (domain->xml[from - 1] == ' ' || domain->xml[from - 1] == '\t'))
		from--;
	if (from == 0 || domain->xml[from - 1] != '\n')
		return g_strdup("");
	from--;
	if (from > 0 && domain->xml[from - 1] == '\r')
		from--;
	return g_strndup(domain->xml + from, start - from);
}

static char *lead_of(const Domain *domain, const xmlNode *node)
{
	return lead_at(domain, span_of(domain, node)->start);
}

/* The lead of what stands one level deeper. */
static char *deeper(const char *lead)
{
	if (lead[0] == '\0')
		return g_strdup("");
	return g_strconcat(lead, strchr(lead, '\t') ? "\t" : "  ", NULL);
}

static void splice(GArray *edits, gsize at, gsize remove, char *insert)
{
	Edit edit = {at, remove, insert};

	g_array_append_val(edits, edit);
}

static gint compare_edits(gconstpointer a, gconstpointer b)
{
	const Edit *first = a, *second = b;

	return first->at < second->at ? -1 : first->at > second->at;
}

static char *apply_edits(const Domain *domain, GArray *edits)
{
	GString *text = g_string_sized_new(domain->length + 1024);
	gsize done = 0;

	g_array_sort(edits, compare_edits);
	for (guint i = 0; i < edits->len; i++) {
		const Edit *edit = &g_array_index(edits, Edit, i);

		g_string_append_len(text, domain->xml + done, (gssize)(edit->at - done));
		if (edit->insert)
			g_string_append(text, edit->insert);
		done = edit->at + edit->remove;
	}
	g_string_append_len(text, domain->xml + done, (gssize)(domain->length - done));
	return g_string_free(text, FALSE);
}

static GArray *edits_new(void)
{
	GArray *edits = g_array_new(FALSE, FALSE, sizeof(Edit));

	g_array_set_clear_func(edits, edit_clear);
	return edits;
}

static gboolean is_empty_tag(const Domain *domain, const xmlNode *node)
{
	const Span *span = span_of(domain, node);

	return domain->xml[span->open_end - 2] == '/';
}

/* Where new elements go, and the lead that they get there. */
typedef struct {
	gsize at;
	char *lead;
} Place;

static void place_clear(Place *place)
{
	g_free(place->lead);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* Behind the last child of @parent, which has a start and an end tag. */
static Place place_in(const Domain *domain, const xmlNode *parent)
{
	xmlNode *last = xmlLastElementChild((xmlNode *)parent);
	g_autofree char *lead = NULL;
	Place place;

	if (last) {
		place.at = span_of(domain, last)->end;
		place.lead = lead_of(domain, last);
		return place;
	}
	lead = lead_of(domain, parent);
	place.at = span_of(domain, parent)->open_end;
	place.lead = deeper(lead);
	return place;
}

/* Behind the last of the domain's children that are in @names. */
static Place place_after(const Domain *domain, const char *const *names)
{
	const xmlNode *anchor = NULL;
	Place place;

	for (const xmlNode *node = domain->root->children; node; node = node->next) {
		if (node->type == XML_ELEMENT_NODE && !node->ns &&
		    g_strv_contains(names, xml_name(node)))
			anchor = node;
	}
	if (!anchor)
		return place_in(domain, domain->root);
	place.at = span_of(domain, anchor)->end;
	place.lead = lead_of(domain, anchor);
	return place;
}

/* Turns <a/> into <a>, @inside, </a>. */
static void fill_empty(const Domain *domain, const xmlNode *node, const char *inside,
		       GArray *edits)
{
	const Span *span = span_of(domain, node);
	g_autofree char *lead = lead_of(domain, node);

	splice(edits, span->open_end - 2, 2,
	       g_strdup_printf(">%s%s</%s>", inside, lead, xml_name(node)));
}

/* Takes an element out, with the line break and indentation before it. */
static void remove_element(const Domain *domain, const xmlNode *node, GArray *edits)
{
	const Span *span = span_of(domain, node);
	g_autofree char *lead = lead_of(domain, node);
	gsize start = span->start - strlen(lead);

	splice(edits, start, span->end - start, NULL);
}

/* Undoes fill_empty(). */
static void empty_element(const Domain *domain, const xmlNode *node, GArray *edits)
{
	const Span *span = span_of(domain, node);

	splice(edits, span->open_end - 1, span->end - span->open_end + 1, g_strdup("/>"));
}

/* Enrolling. */

static void append_cell(GString *text, const DaxcCellRequest *cell, const char *lead)
{
	g_autofree char *list = NULL;

	if (cell->node == DAXC_ANY_NODE && cell->wish == DAXC_WISH_ANY)
		return;
	g_string_append_printf(text, "%s<daxcolor:cell id='%u'", lead, cell->id);
	if (cell->node != DAXC_ANY_NODE)
		g_string_append_printf(text, " node='%d'", cell->node);
	if (cell->wish == DAXC_WISH_COUNT)
		g_string_append_printf(text, " colors='%u'", cell->count);
	if (cell->wish == DAXC_WISH_LIST) {
		list = daxc_color_list_format(cell->list);
		g_string_append_printf(text, " list='%s'", list);
	}
	g_string_append(text, "/>");
}

/* Our element; @lead is what stands before each of its lines. */
static char *memory_text(const Domain *domain, const DaxcRequest *wish, guint added,
			 const char *lead)
{
	g_autofree char *uuid = xml_content(xml_child(domain->root, "uuid"));
	g_autofree char *tokens = domain_added_text(added);
	g_autofree char *inner = deeper(lead);
	g_autoptr(GString) cells = g_string_new(NULL);
	GString *text =
		g_string_new("<daxcolor:memory xmlns:daxcolor='" DAXC_XML_NAMESPACE "'");

	if (wish && (!uuid || g_ascii_strcasecmp(wish->tenant, uuid) != 0))
		g_string_append_printf(text, " tenant='%s'", wish->tenant);
	if (added)
		g_string_append_printf(text, " added='%s'", tokens);
	for (guint i = 0; wish && i < wish->cells->len; i++)
		append_cell(cells, g_ptr_array_index(wish->cells, i), inner);
	if (cells->len > 0)
		g_string_append_printf(text, ">%s%s</daxcolor:memory>", cells->str, lead);
	else
		g_string_append(text, "/>");
	return g_string_free(text, FALSE);
}

static void add_metadata(const Domain *domain, const DaxcRequest *wish, guint added,
			 GArray *edits)
{
	/* libvirt's own order; where none is there, at the beginning. */
	static const char *const before[] = {"name",  "uuid",	     "genid",
					     "title", "description", NULL};
	xmlNode *metadata = xml_child(domain->root, "metadata");
	g_autofree char *text = NULL;
	g_autofree char *lead = NULL;
	g_autofree char *inner = NULL;
	g_autofree char *whole = NULL;
	g_auto(Place) place = {0};

	if (domain->ours) {
		const Span *span = span_of(domain, domain->ours);

		lead = lead_of(domain, domain->ours);
		splice(edits, span->start, span->end - span->start,
		       memory_text(domain, wish, added, lead));
		return;
	}
	if (metadata && is_empty_tag(domain, metadata)) {
		lead = lead_of(domain, metadata);
		inner = deeper(lead);
		text = memory_text(domain, wish, added | ADDED_METADATA_CONTENT, inner);
		whole = g_strconcat(inner, text, NULL);
		fill_empty(domain, metadata, whole, edits);
		return;
	}
	if (metadata) {
		place = place_in(domain, metadata);
		text = memory_text(domain, wish, added, place.lead);
		splice(edits, place.at, 0, g_strconcat(place.lead, text, NULL));
		return;
	}
	place = place_after(domain, before);
	inner = deeper(place.lead);
	text = memory_text(domain, wish, added | ADDED_METADATA, inner);
	splice(edits, place.at, 0,
	       g_strconcat(place.lead, "<metadata>", inner, text, place.lead,
			   "</metadata>", NULL));
}

/* Returns: what had to be added. */
static guint add_backing(const Domain *domain, GArray *edits)
{
	static const char *const before[] = {"maxMemory", "memory", "currentMemory",
					     NULL};
	static const char source[] = "<source type='file'/>";
	static const char access[] = "<access mode='shared'/>";
	xmlNode *backing = xml_child(domain->root, "memoryBacking");
	gboolean no_source = !xml_child(backing, "source");
	gboolean no_access = !xml_child(backing, "access");
	g_autofree char *lead = NULL;
	g_autofree char *inner = NULL;
	g_autofree char *inside = NULL;
	g_auto(Place) place = {0};

	if (backing && is_empty_tag(domain, backing)) {
		lead = lead_of(domain, backing);
		inner = deeper(lead);
		inside = g_strconcat(inner, source, inner, access, NULL);
		fill_empty(domain, backing, inside, edits);
		return ADDED_BACKING_CONTENT;
	}
	if (backing) {
		place = place_in(domain, backing);
		splice(edits, place.at, 0,
		       g_strconcat(no_source ? place.lead : "", no_source ? source : "",
				   no_access ? place.lead : "", no_access ? access : "",
				   NULL));
		return (no_source ? ADDED_SOURCE : 0) | (no_access ? ADDED_ACCESS : 0);
	}
	place = place_after(domain, before);
	inner = deeper(place.lead);
	splice(edits, place.at, 0,
	       g_strconcat(place.lead, "<memoryBacking>", inner, source, inner, access,
			   place.lead, "</memoryBacking>", NULL));
	return ADDED_BACKING;
}

/* Where the file name in <emulator> begins in the text; 0 when the text is not
 * plainly the path. */
static gsize emulator_name_at(const Domain *domain, const char *path)
{
	const Span *span = span_of(domain, domain_emulator(domain));
	g_autofree char *raw = g_strndup(domain->xml + span->open_end,
					 span->close_start - span->open_end);
	const char *slash = strrchr(raw, '/');

	if (!slash || strcmp(raw, path) != 0)
		return 0;
	return span->open_end + (gsize)(slash - raw) + 1;
}

static gboolean set_launcher(const Domain *domain, GArray *edits, GError **error)
{
	g_autofree char *emulator = xml_content(domain_emulator(domain));
	g_autofree char *name = emulator ? g_path_get_basename(emulator) : NULL;
	gsize at;

	if (!emulator)
		return domain_fail(
			domain, error,
			"the domain has no <emulator>: libvirt gives it one when "
			"it is defined");
	at = emulator_name_at(domain, emulator);
	/* What cannot be taken out again is not put in. */
	if (at != 0 && domain_is_launcher(emulator))
		return TRUE;
	if (at == 0 || !g_str_has_prefix(name, QEMU_PREFIX))
		return domain_fail(domain, error,
				   "its emulator %s is not plainly a QEMU (" QEMU_PREFIX
				   "...), and the launcher could not stand before it",
				   emulator);
	splice(edits, at, 0, g_strdup(DAXC_LAUNCHER_PREFIX));
	return TRUE;
}

static gboolean check_wish(const DaxcRequest *wish, GError **error)
{
	return !wish || daxc_tenant_check(wish->tenant, error);
}

/* What was written must read as one of our domains, all of it. */
static gboolean check_enrolled(const char *xml, GError **error)
{
	g_autoptr(DaxcRequest) request = NULL;

	if (!daxc_domain_read(xml, -1, &request, error))
		return FALSE;
	if (request)
		return TRUE;
	g_set_error(
		error, DAXC_ERROR, DAXC_ERROR_FAILED,
		"the enrolled domain does not hold our metadata; nothing was changed");
	return FALSE;
}

static char *domain_enroll(const char *xml, const DaxcRequest *wish, GError **error)
{
	g_autoptr(Domain) domain = domain_parse(xml, -1, error);
	g_autoptr(GArray) edits = edits_new();
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;
	guint added = 0;

	if (!domain || !domain_find_ours(domain, error) || !check_spans(domain, error) ||
	    !check_wish(wish, error))
		return NULL;
	domain->conflict = DAXC_ERROR_REFUSED;
	if (!domain_check_conflicts(domain, error) || !set_launcher(domain, edits, error))
		return NULL;
	before = domain->ours ? xml_attribute(domain->ours, "added") : NULL;
	if (before && !domain_read_added(domain->ours, before, &added, error))
		return NULL;
	added |= add_backing(domain, edits);
	add_metadata(domain, wish, added, edits);
	after = apply_edits(domain, edits);
	if (!check_enrolled(after, error))
		return NULL;
	return g_steal_pointer(&after);
}

char *daxc_domain_enroll(const char *xml, const DaxcRequest *wish, GError **error)
{
	char *after = domain_enroll(xml, wish, error);

	if (!after)
		domain_tame_message(error);
	return after;
}

/* Unenrolling. */

/* Does @node hold @n elements and nothing else, not even a comment? */
static gboolean holds_only(const xmlNode *node, guint n)
{
	for (xmlNode *next = node->children; next; next = next->next) {
		if (next->type == XML_ELEMENT_NODE && n > 0)
			n--;
		else if (!xmlIsBlankNode(next))
			return FALSE;
	}
	return n == 0;
}

static void remove_metadata(const Domain *domain, guint added, GArray *edits)
{
	xmlNode *metadata = domain->ours->parent;
	gboolean alone = holds_only(metadata, 1);

	if (alone && (added & ADDED_METADATA))
		remove_element(domain, metadata, edits);
	else if (alone && (added & ADDED_METADATA_CONTENT))
		empty_element(domain, metadata, edits);
	else
		remove_element(domain, domain->ours, edits);
}

static void remove_backing(const Domain *domain, guint added, GArray *edits)
{
	const guint all = ADDED_BACKING | ADDED_BACKING_CONTENT;
	xmlNode *backing = xml_child(domain->root, "memoryBacking");
	xmlNode *source = xml_child(backing, "source");
	xmlNode *access = xml_child(backing, "access");
	gboolean alone = source && access && holds_only(backing, 2);

	/* What somebody has changed since is theirs now. */
	if (!xml_attribute_is(source, "type", "file"))
		source = NULL;
	if (!xml_attribute_is(access, "mode", "shared"))
		access = NULL;
	alone = alone && source && access;
	if (alone && (added & ADDED_BACKING)) {
		remove_element(domain, backing, edits);
		return;
	}
	if (alone && (added & ADDED_BACKING_CONTENT)) {
		empty_element(domain, backing, edits);
		return;
	}
	if (source && (added & (all | ADDED_SOURCE)))
		remove_element(domain, source, edits);
	if (access && (added & (all | ADDED_ACCESS)))
		remove_element(domain, access, edits);
}

static gboolean remove_launcher(const Domain *domain, GArray *edits, GError **error)
{
	g_autofree char *emulator = xml_content(domain_emulator(domain));
	gsize at;

	if (!emulator || !domain_is_launcher(emulator))
		return TRUE;
	at = emulator_name_at(domain, emulator);
	if (at == 0)
		return domain_fail(domain, error,
				   "its emulator %s is not plainly written; take "
				   "\"" DAXC_LAUNCHER_PREFIX "\" out of it by hand",
				   emulator);
	splice(edits, at, strlen(DAXC_LAUNCHER_PREFIX), NULL);
	return TRUE;
}

static char *domain_unenroll(const char *xml, GError **error)
{
	g_autoptr(Domain) domain = domain_parse(xml, -1, error);
	g_autoptr(GArray) edits = edits_new();
	g_autofree char *text = NULL;
	guint added = 0;

	if (!domain || !domain_find_ours(domain, error) || !check_spans(domain, error))
		return NULL;
	if (!domain->ours) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "the domain is not enrolled: it has no metadata of daxcolor");
		return NULL;
	}
	text = xml_attribute(domain->ours, "added");
	if (text && !domain_read_added(domain->ours, text, &added, error))
		return NULL;
	domain->conflict = DAXC_ERROR_REFUSED;
	remove_metadata(domain, added, edits);
	remove_backing(domain, added, edits);
	if (!remove_launcher(domain, edits, error))
		return NULL;
	return apply_edits(domain, edits);
}

char *daxc_domain_unenroll(const char *xml, GError **error)
{
	char *after = domain_unenroll(xml, error);

	if (!after)
		domain_tame_message(error);
	return after;
}
