// SPDX-License-Identifier: LGPL-2.1-or-later
/* The "added" attribute of our metadata: what enrolling had to add to a domain. */
#include "domain-tree.h"

#include <string.h>

static const struct {
	const char *token;
	Added flag;
} added_tokens[] = {
	{"metadata", ADDED_METADATA},
	/* <metadata/> was there, with nothing in it. */
	{"metadata/", ADDED_METADATA_CONTENT},
	{"memoryBacking", ADDED_BACKING},
	{"memoryBacking/", ADDED_BACKING_CONTENT},
	{"source", ADDED_SOURCE},
	{"access", ADDED_ACCESS},
};

gboolean domain_read_added(const xmlNode *node, const char *text, guint *added,
			   GError **error)
{
	g_auto(GStrv) tokens = g_strsplit(text, " ", -1);

	*added = 0;
	for (guint i = 0; tokens[i]; i++) {
		guint flag = 0;

		for (guint j = 0; j < G_N_ELEMENTS(added_tokens); j++) {
			if (strcmp(tokens[i], added_tokens[j].token) == 0)
				flag = added_tokens[j].flag;
		}
		if (flag == 0 || (*added & flag))
			return xml_fail(node, error,
					"the attribute added is written by \"daxcolor "
					"enroll\" only, and \"%s\" is not its work",
					text);
		*added |= flag;
	}
	return TRUE;
}

char *domain_added_text(guint added)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(added_tokens); i++) {
		if (added & added_tokens[i].flag)
			g_string_append_printf(text, "%s%s", text->len ? " " : "",
					       added_tokens[i].token);
	}
	return g_string_free(text, FALSE);
}
