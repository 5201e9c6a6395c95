// SPDX-License-Identifier: LGPL-2.1-or-later
/* What configuration, host and fleet descriptions have in common: their syntax. */
#include "adapters/key-file.h"

#include <string.h>

#include <daxcolor/error.h>

/* Name of the section that a line opens, as GKeyFile sees it; NULL for others. */
static char *section_of_line(const char *line)
{
	const char *end;

	if (*line != '[')
		return NULL;
	end = strchr(line, ']');
	if (!end || end[1 + strspn(end + 1, " \t")] != '\0')
		return NULL;
	return g_strndup(line + 1, (gsize)(end - line - 1));
}

/* What a line is about, "[cache 1]" or "[cache 1] size"; NULL for comments.
 * @section follows the lines. */
static char *name_of_line(char *line, char **section)
{
	char *opened = section_of_line(line);
	char *equals;

	if (opened) {
		g_free(*section);
		*section = opened;
		return g_strdup_printf("[%s]", opened);
	}
	if (*line == '#')
		return NULL;
	equals = strchr(line, '=');
	if (!equals)
		return NULL;
	*equals = '\0';
	return g_strdup_printf("[%s] %s", *section, g_strchomp(line));
}

/*
 * GKeyFile merges sections of one name and lets the last of several equal keys
 * win, both silently. Here they are mistakes. @text is known to be a key file.
 */
static gboolean check_duplicates(const char *name, const char *text, GError **error)
{
	g_autoptr(GHashTable)
		seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autofree char *section = g_strdup("");
	guint number = 0;

	for (const char *at = text; *at != '\0';) {
		gsize length = strcspn(at, "\n");
		g_autofree char *line = g_strndup(at, length);
		g_autofree char *what = name_of_line(g_strstrip(line), &section);

		number++;
		at += at[length] == '\n' ? length + 1 : length;
		if (!what)
			continue;
		if (g_hash_table_contains(seen, what)) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "%s: line %u: %s is there twice: remove one", name,
				    number, what);
			return FALSE;
		}
		g_hash_table_add(seen, g_steal_pointer(&what));
	}
	return TRUE;
}

GKeyFile *daxc_key_file_parse(const char *name, const char *text, gsize length,
			      GError **error)
{
	g_autoptr(GKeyFile) keys = g_key_file_new();
	g_autoptr(GError) cause = NULL;

	if (!g_utf8_validate(text, (gssize)length, NULL)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "%s is not UTF-8 text",
			    name);
		return NULL;
	}
	/* Without KEEP_TRANSLATIONS a key such as "size[de]" would be ignored. */
	if (!g_key_file_load_from_data(keys, text, length, G_KEY_FILE_KEEP_TRANSLATIONS,
				       &cause)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "%s: %s", name,
			    cause->message);
		return NULL;
	}
	if (!check_duplicates(name, text, error))
		return NULL;
	return g_steal_pointer(&keys);
}
