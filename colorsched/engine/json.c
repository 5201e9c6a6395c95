// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON from strangers. json-glib descends as deeply as it is told to. */
#include "http.h"

#define DEPTH_MAX 32u

/* Whether the text is one object, as far as brackets say, and not nested too deeply: of
 * several json-glib would keep the last and lose the others. */
static gboolean is_one_object(const char *text, gsize length)
{
	gboolean quoted = FALSE, ended = FALSE;
	guint depth = 0;

	for (gsize i = 0; i < length; i++) {
		if (depth == 0 && g_ascii_isspace(text[i]))
			continue;
		if (ended || (depth == 0 && text[i] != '{'))
			return FALSE;
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			ended = --depth == 0;
		if (depth > DEPTH_MAX)
			return FALSE;
	}
	return ended;
}

JsonNode *sched_json_parse(const char *text, gsize length)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();

	if (!g_utf8_validate(text, (gssize)length, NULL) ||
	    !is_one_object(text, length) ||
	    !json_parser_load_from_data(parser, text, (gssize)length, NULL))
		return NULL;
	return json_parser_steal_root(parser);
}
