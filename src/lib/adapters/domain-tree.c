// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A domain's XML as a tree, parsed without network, DTD or entities, and what
 * in it is ours or was meant to be.
 */
#include "domain-tree.h"

#include <stdarg.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#define DOCUMENT_MAX (4u << 20)
#define MESSAGE_MAX 1024

void domain_free(Domain *domain)
{
	if (!domain)
		return;
	if (domain->doc)
		xmlFreeDoc(domain->doc);
	g_array_unref(domain->spans);
	g_free(domain->complaint);
	g_free(domain);
}

void domain_tame_message(GError **error)
{
	char *message;

	if (!error || !*error)
		return;
	/* libxml2 cuts long comments off in the middle of a character. */
	message = g_utf8_make_valid((*error)->message, -1);
	g_free((*error)->message);
	(*error)->message = g_strchomp(message);
	if (strlen(message) > MESSAGE_MAX) {
		gsize cut = MESSAGE_MAX;
		char *tamed;

		while (((guchar)message[cut] & 0xc0) == 0x80)
			cut--;
		message[cut] = '\0';
		tamed = g_strconcat(message, "...", NULL);
		g_free(message);
		(*error)->message = message = tamed;
	}
	for (; *message; message++) {
		if (g_ascii_iscntrl(*message))
			*message = ' ';
	}
}

/* Parsing. */

static gsize parser_offset(xmlParserCtxt *parser)
{
	long offset = xmlByteConsumed(parser);

	return offset < 0 ? G_MAXSIZE : (gsize)offset;
}

static void complain(void *data, xmlError *what)
{
	xmlParserCtxt *parser = data;
	Domain *domain = parser->_private;

	if (domain->complaint || what->level < XML_ERR_FATAL)
		return;
	domain->complaint = g_strdup_printf("line %d: %s", what->line,
					    what->message ? what->message : "damaged");
}

static void refuse_doctype(void *data, const xmlChar *name, const xmlChar *external,
			   const xmlChar *system)
{
	xmlParserCtxt *parser = data;
	Domain *domain = parser->_private;

	if (!domain->complaint)
		domain->complaint =
			g_strdup_printf("line %d: it has a DOCTYPE, which no domain has",
					xmlSAX2GetLineNumber(parser));
	xmlStopParser(parser);
}

static void start_element(void *data, const xmlChar *name, const xmlChar *prefix,
			  const xmlChar *uri, int n_namespaces,
			  const xmlChar **namespaces, int n_attributes, int n_defaulted,
			  const xmlChar **attributes)
{
	xmlParserCtxt *parser = data;
	Domain *domain = parser->_private;
	gsize at = parser_offset(parser);
	Span span = {0};

	xmlSAX2StartElementNs(data, name, prefix, uri, n_namespaces, namespaces,
			      n_attributes, n_defaulted, attributes);
	if (!parser->node)
		return;
	/* The parser is at ">" or "/>"; no "<" can be inside of a tag. */
	if (at < domain->length) {
		span.open_end = at + (domain->xml[at] == '/' ? 2 : 1);
		for (span.start = at; span.start > 0 && domain->xml[span.start] != '<';)
			span.start--;
	}
	/* One for each element: a wrong one is found before it is used. */
	g_array_append_val(domain->spans, span);
	parser->node->_private = GUINT_TO_POINTER(domain->spans->len);
}

static void end_element(void *data, const xmlChar *name, const xmlChar *prefix,
			const xmlChar *uri)
{
	xmlParserCtxt *parser = data;
	Domain *domain = parser->_private;
	guint index = parser->node ? GPOINTER_TO_UINT(parser->node->_private) : 0;
	gsize at = parser_offset(parser);

	if (index > 0 && at <= domain->length) {
		Span *span = &g_array_index(domain->spans, Span, index - 1);

		span->end = span->close_start = at;
		while (span->close_start > span->open_end) {
			if (domain->xml[--span->close_start] == '<')
				break;
		}
	}
	xmlSAX2EndElementNs(data, name, prefix, uri);
}

static xmlDoc *parse_tree(Domain *domain)
{
	xmlParserCtxt *parser = xmlNewParserCtxt();
	xmlDoc *doc;

	if (!parser)
		return NULL;
	parser->_private = domain;
	parser->sax->startElementNs = start_element;
	parser->sax->endElementNs = end_element;
	parser->sax->internalSubset = refuse_doctype;
	parser->sax->serror = complain;
	doc = xmlCtxtReadMemory(parser, domain->xml, (int)domain->length, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_BIG_LINES);
	xmlFreeParserCtxt(parser);
	return doc;
}

static gboolean check_text(const char *xml, gsize length, GError **error)
{
	g_autofree char *size = NULL;

	if (length > DOCUMENT_MAX) {
		size = daxc_size_format(length);
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain's XML has %s; more than 4 MiB is not read", size);
		return FALSE;
	}
	/* What is stored in it later (names, messages) must be UTF-8 too. */
	if (!g_utf8_validate_len(xml, length, NULL)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain's XML is not UTF-8, which libvirt writes");
		return FALSE;
	}
	return TRUE;
}

Domain *domain_parse(const char *xml, gssize length, GError **error)
{
	g_autoptr(Domain) domain = g_new0(Domain, 1);
	const char *encoding;

	domain->xml = xml;
	domain->length = length < 0 ? strlen(xml) : (gsize)length;
	domain->spans = g_array_new(FALSE, FALSE, sizeof(Span));
	domain->conflict = DAXC_ERROR_INVALID;
	if (!check_text(domain->xml, domain->length, error))
		return NULL;
	domain->doc = parse_tree(domain);
	domain->root = domain->doc ? xmlDocGetRootElement(domain->doc) : NULL;
	if (domain->complaint || !domain->root) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain's XML cannot be read: %s",
			    domain->complaint ? domain->complaint : "it is damaged");
		return NULL;
	}
	encoding = (const char *)domain->doc->encoding;
	if (encoding && g_ascii_strcasecmp(encoding, "UTF-8") != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the domain's XML says that it is %s: libvirt writes UTF-8",
			    encoding);
		return NULL;
	}
	if (domain->root->ns || strcmp((const char *)domain->root->name, "domain") != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "this is no domain: the XML begins with <%s>",
			    (const char *)domain->root->name);
		return NULL;
	}
	return g_steal_pointer(&domain);
}

/* Looking around in the tree. */

const char *xml_name(const xmlNode *node)
{
	return (const char *)node->name;
}

/* One of libvirt's own elements, which have no namespace. */
static gboolean xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !node->ns &&
	       strcmp(xml_name(node), name) == 0;
}

xmlNode *xml_next(xmlNode *node, const char *name)
{
	while (node && !xml_is(node, name))
		node = node->next;
	return node;
}

xmlNode *xml_child(const xmlNode *node, const char *name)
{
	return node ? xml_next(node->children, name) : NULL;
}

char *xml_attribute(xmlNode *node, const char *name)
{
	xmlChar *value = node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;
	char *copy = g_strdup((const char *)value);

	xmlFree(value);
	return copy;
}

gboolean xml_attribute_is(xmlNode *node, const char *name, const char *value)
{
	g_autofree char *text = xml_attribute(node, name);

	return g_strcmp0(text, value) == 0;
}

/* The text of an element without the white space around it. */
char *xml_content(const xmlNode *node)
{
	xmlChar *value = node ? xmlNodeGetContent(node) : NULL;
	char *copy = g_strdup((const char *)value);

	xmlFree(value);
	return copy ? g_strstrip(copy) : NULL;
}

gboolean xml_is_ours(const xmlNs *ns)
{
	return ns && strcmp((const char *)ns->href, DAXC_XML_NAMESPACE) == 0;
}

char *xml_qualified(const char *name, const xmlNs *ns)
{
	if (!ns || !ns->prefix)
		return g_strdup(name);
	return g_strdup_printf("%s:%s", (const char *)ns->prefix, name);
}

gboolean xml_fail(const xmlNode *node, GError **error, const char *format, ...)
{
	g_autofree char *name = xml_qualified(xml_name(node), node->ns);
	g_autofree char *what = NULL;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "line %ld: <%s>: %s",
		    xmlGetLineNo(node), name, what);
	return FALSE;
}

gboolean domain_fail(const Domain *domain, GError **error, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, DAXC_ERROR, domain->conflict, what);
	return FALSE;
}

/* Finding our metadata, and everything that was meant to be ours. */

static gboolean name_looks_like_ours(const char *name)
{
	return name && g_ascii_strncasecmp(name, "daxcol", strlen("daxcol")) == 0;
}

static gboolean uri_looks_like_ours(const char *uri)
{
	g_autofree char *lower = uri ? g_ascii_strdown(uri, -1) : NULL;

	return lower && strstr(lower, "urn:daxcol");
}

static gboolean check_namespaces(const xmlNode *node, GError **error)
{
	for (const xmlNs *ns = node->nsDef; ns; ns = ns->next) {
		const char *prefix = (const char *)ns->prefix;
		const char *uri = (const char *)ns->href;

		if (xml_is_ours(ns))
			continue;
		if (name_looks_like_ours(prefix) || uri_looks_like_ours(uri))
			return xml_fail(
				node, error,
				"the namespace xmlns%s%s='%s' is not known; ours is "
				"'" DAXC_XML_NAMESPACE "'",
				prefix ? ":" : "", prefix ? prefix : "", uri ? uri : "");
	}
	return TRUE;
}

static gboolean check_attribute_names(const xmlNode *node, GError **error)
{
	for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
		g_autofree char *name = xml_qualified((const char *)attr->name, attr->ns);

		if (xml_is_ours(attr->ns) || name_looks_like_ours(name))
			return xml_fail(
				node, error,
				"the attribute %s is not known: attributes of ours "
				"have no prefix, and stand in <daxcolor:memory> and "
				"<daxcolor:cell> only",
				name);
	}
	return TRUE;
}

static gboolean check_place(Domain *domain, xmlNode *node, GError **error)
{
	xmlNode *metadata = xml_child(domain->root, "metadata");

	if (strcmp(xml_name(node), "memory") == 0 && metadata &&
	    node->parent == metadata) {
		if (domain->ours)
			return xml_fail(node, error,
					"a second one; the first is in line %ld",
					xmlGetLineNo(domain->ours));
		domain->ours = node;
		return TRUE;
	}
	if (strcmp(xml_name(node), "cell") == 0 && domain->ours &&
	    node->parent == domain->ours)
		return TRUE;
	return xml_fail(node, error,
			"not known here: <metadata> of the domain holds one "
			"<daxcolor:memory>, and that holds <daxcolor:cell>s");
}

/* An element of somebody else, with the name of ours or inside of ours. */
static gboolean check_foreign(const xmlNode *node, GError **error)
{
	g_autofree char *name = xml_qualified(xml_name(node), node->ns);
	const xmlNode *parent = node->parent;

	if (!name_looks_like_ours(name) &&
	    (parent->type != XML_ELEMENT_NODE || !xml_is_ours(parent->ns)))
		return TRUE;
	return xml_fail(node, error,
			"not in our namespace: write <daxcolor:...> and "
			"xmlns:daxcolor='" DAXC_XML_NAMESPACE "'");
}

static gboolean find_in(Domain *domain, xmlNode *node, GError **error)
{
	if (node->type != XML_ELEMENT_NODE)
		return TRUE;
	if (!check_namespaces(node, error) || !check_attribute_names(node, error))
		return FALSE;
	if (xml_is_ours(node->ns) ? !check_place(domain, node, error)
				  : !check_foreign(node, error))
		return FALSE;
	for (xmlNode *next = node->children; next; next = next->next) {
		if (!find_in(domain, next, error))
			return FALSE;
	}
	return TRUE;
}

gboolean domain_find_ours(Domain *domain, GError **error)
{
	return find_in(domain, domain->root, error);
}
