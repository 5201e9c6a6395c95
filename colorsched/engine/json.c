// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON from strangers. json-glib descends as deeply as it is told to. */
#include "http.h"

#define DEPTH_MAX 32u

static gboolean is_shallow(const char *text, gsize length)
{
	gboolean quoted = FALSE;
	guint depth = 0;

	for (gsize i = 0; i < length; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
		if (depth > DEPTH_MAX)
			return FALSE;
	}
	return TRUE;
}

JsonNode *sched_json_parse(const char *text, gsize length)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();

	if (!g_utf8_validate(text, (gssize)length, NULL) || !is_shallow(text, length) ||
	    !json_parser_load_from_data(parser, text, (gssize)length, NULL))
		return NULL;
	return json_parser_steal_root(parser);
}
