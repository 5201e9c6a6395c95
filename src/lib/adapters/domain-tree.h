/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What reading (domain-xml.c) and enrolling (domain-enroll.c) share: a domain's
 * XML as a tree of libxml2 that knows where in the text its elements are.
 */
#pragma once

#include <libxml/tree.h>

#include <daxcolor/error.h>
#include <daxcolor/domain-xml.h>

G_BEGIN_DECLS

/**
 * Span: where an element is in the text, in bytes; ends are exclusive.
 * @start: its "<"
 * @open_end: after the ">" of its start tag
 * @close_start: the "<" of its end tag; @open_end where it has none ("<a/>")
 * @end: after its last ">"
 */
typedef struct {
	gsize start;
	gsize open_end;
	gsize close_start;
	gsize end;
} Span;

/**
 * Domain: a parsed document.
 * @xml, @length: the text, the caller's
 * @spans: (element-type Span): of every element, at index _private - 1 of its node
 * @root: <domain>
 * @ours: (nullable): <daxcolor:memory>, once domain_find_ours() has been there
 * @conflict: code of the error when the domain contradicts what we need
 * @complaint: (nullable): libxml2's, or ours while parsing
 */
typedef struct {
	const char *xml;
	gsize length;
	xmlDoc *doc;
	GArray *spans;
	xmlNode *root;
	xmlNode *ours;
	DaxcError conflict;
	char *complaint;
} Domain;

/* @length is -1 where @xml ends with NUL. Fails with DAXC_ERROR_INVALID. */
Domain *domain_parse(const char *xml, gssize length, GError **error);
void domain_free(Domain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Domain, domain_free)

/* Sets domain->ours. Whatever only looks like ours is an error, for it was
 * meant to isolate this guest. */
gboolean domain_find_ours(Domain *domain, GError **error);

/* Sets an error with the code of domain->conflict. Returns: FALSE. */
gboolean domain_fail(const Domain *domain, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* Messages quote what they were handed: keeps one to one line of bounded length. */
void domain_tame_message(GError **error);

/* libvirt's own elements have no namespace, and only those are found; (nullable). */
xmlNode *xml_child(const xmlNode *node, const char *name);
/* @node itself or the first of its later siblings. */
xmlNode *xml_next(xmlNode *node, const char *name);
const char *xml_name(const xmlNode *node);
/* Returns: "prefix:name". */
char *xml_qualified(const char *name, const xmlNs *ns);
gboolean xml_is_ours(const xmlNs *ns);
/* Returns: (nullable): NULL for a NULL @node too. */
char *xml_attribute(xmlNode *node, const char *name);
gboolean xml_attribute_is(xmlNode *node, const char *name, const char *value);
/* Returns: (nullable): the text of @node without the white space around it. */
char *xml_content(const xmlNode *node);
/* Sets DAXC_ERROR_INVALID, with line and element. Returns: FALSE. */
gboolean xml_fail(const xmlNode *node, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* domain-xml.c */

/* Is there anything that only its owner can decide to give up (hugepages,
 * memfd, private access, memory devices)? Fails with domain->conflict. */
gboolean domain_check_conflicts(const Domain *domain, GError **error);
gboolean domain_is_launcher(const char *emulator);
xmlNode *domain_emulator(const Domain *domain);

/* domain-added.c */

/* What enrolling had to add, as tokens of the "added" attribute. */
typedef enum {
	ADDED_METADATA = 1 << 0,
	ADDED_METADATA_CONTENT = 1 << 1,
	ADDED_BACKING = 1 << 2,
	ADDED_BACKING_CONTENT = 1 << 3,
	ADDED_SOURCE = 1 << 4,
	ADDED_ACCESS = 1 << 5,
} Added;

/* Reads the "added" attribute of @node into flags. Fails with DAXC_ERROR_INVALID. */
gboolean domain_read_added(const xmlNode *node, const char *text, guint *added,
			   GError **error);

/* Returns: (transfer full): the attribute's text for these flags. */
char *domain_added_text(guint added);

G_END_DECLS
