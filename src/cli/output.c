// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables and JSON documents, for all verbs. */
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP 2
#define DEFAULT_WIDTH 80u
#define LEAST_WIDTH 40u

char *cli_printable(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *out = g_string_new(NULL);

	for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
		gunichar letter = g_utf8_get_char(c);

		if (g_unichar_iscntrl(letter) || letter == 0xfffd)
			g_string_append_c(out, '?');
		else
			g_string_append_unichar(out, letter);
	}
	return g_string_free(out, FALSE);
}

char *cli_count(guint64 n, const char *one)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT " %s%s", n, one, n == 1 ? "" : "s");
}

static gboolean wants_color(void)
{
	const char *no_color = g_getenv("NO_COLOR");
	const char *term = g_getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       g_strcmp0(term, "dumb") != 0;
}

gboolean cli_color(void)
{
	static int known = -1;

	/* Asked for each granule of a map. */
	if (known < 0)
		known = wants_color();
	return known;
}

guint cli_width(void)
{
	const char *columns = g_getenv("COLUMNS");
	struct winsize size;
	guint64 width = 0;

	if (columns && daxc_uint_parse(columns, "COLUMNS", G_MAXINT, &width, NULL) &&
	    width)
		return (guint)MAX(width, LEAST_WIDTH);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return MAX(size.ws_col, LEAST_WIDTH);
	return DEFAULT_WIDTH;
}

char *cli_paint(const char *text, const char *sgr)
{
	if (!sgr || !cli_color())
		return g_strdup(text);
	return g_strdup_printf("\033[%sm%s\033[0m", sgr, text);
}

static char *list_text(JsonArray *array)
{
	g_autoptr(GArray) colors = g_array_new(FALSE, FALSE, sizeof(guint32));

	for (guint i = 0; i < json_array_get_length(array); i++) {
		guint32 color = (guint32)json_array_get_int_element(array, i);

		g_array_append_val(colors, color);
	}
	return colors->len ? daxc_color_list_format(colors) : g_strdup("-");
}

static char *cell_text(JsonObject *row, const CliColumn *column)
{
	JsonNode *node = json_object_get_member(row, column->member);

	if (!node || JSON_NODE_HOLDS_NULL(node))
		return g_strdup("-");
	switch (column->kind) {
	case CLI_TEXT:
		return cli_printable(json_node_get_string(node));
	case CLI_NUMBER:
		return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
	case CLI_SIZE:
		return daxc_size_format((guint64)json_node_get_int(node));
	case CLI_LIST:
		return list_text(json_node_get_array(node));
	case CLI_PART:
		return g_strdup_printf("%.1f %%", 100 * json_node_get_double(node));
	case CLI_MEAN:
		return g_strdup_printf("%.1f", json_node_get_double(node));
	}
	g_return_val_if_reached(g_strdup("-"));
}

static void print_cell(const char *text, glong width, gboolean right, gboolean last)
{
	int pad = (int)(width - g_utf8_strlen(text, -1));

	if (right)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, last ? 0 : pad, "");
	if (!last)
		printf("%*s", GAP, "");
}

void cli_print_table(JsonArray *rows, const CliColumn *columns, const char *indent)
{
	guint n_rows = json_array_get_length(rows), n = 0;
	g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
	g_autofree glong *width = NULL;

	while (columns[n].heading)
		n++;
	width = g_new0(glong, n);
	for (guint c = 0; c < n; c++)
		g_ptr_array_add(cells, g_strdup(columns[c].heading));
	for (guint r = 0; r < n_rows; r++) {
		JsonObject *row = json_array_get_object_element(rows, r);

		for (guint c = 0; c < n; c++)
			g_ptr_array_add(cells, cell_text(row, &columns[c]));
	}
	for (guint i = 0; i < cells->len; i++)
		width[i % n] =
			MAX(width[i % n], g_utf8_strlen(g_ptr_array_index(cells, i), -1));
	for (guint i = 0; i < cells->len; i++) {
		guint c = i % n;
		gboolean right = columns[c].kind != CLI_TEXT &&
				 columns[c].kind != CLI_LIST;

		if (c == 0)
			fputs(indent, stdout);
		print_cell(g_ptr_array_index(cells, i), width[c], right, c == n - 1);
		if (c == n - 1)
			putchar('\n');
	}
}

void cli_print_json(JsonNode *document)
{
	g_autofree char *text = json_to_string(document, TRUE);

	puts(text);
}

JsonNode *cli_built(JsonBuilder *builder)
{
	JsonNode *document = json_builder_get_root(builder);

	g_object_unref(builder);
	return document;
}

void cli_add_text(JsonBuilder *builder, const char *member, const char *value)
{
	g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

	json_builder_set_member_name(builder, member);
	if (valid)
		json_builder_add_string_value(builder, valid);
	else
		json_builder_add_null_value(builder);
}

void cli_add_signed(JsonBuilder *builder, const char *member, gint64 value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_int_value(builder, value);
}

void cli_add_number(JsonBuilder *builder, const char *member, guint64 value)
{
	cli_add_signed(builder, member, (gint64)value);
}

void cli_add_real(JsonBuilder *builder, const char *member, double value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_double_value(builder, value);
}

void cli_add_flag(JsonBuilder *builder, const char *member, gboolean value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_boolean_value(builder, value);
}

void cli_add_texts(JsonBuilder *builder, const char *member, const char *const *texts)
{
	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	for (guint i = 0; texts && texts[i]; i++)
		json_builder_add_string_value(builder, texts[i]);
	json_builder_end_array(builder);
}

void cli_add_colors(JsonBuilder *builder, const char *member, const GArray *colors)
{
	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	for (guint i = 0; i < colors->len; i++)
		json_builder_add_int_value(builder, g_array_index(colors, guint32, i));
	json_builder_end_array(builder);
}

JsonArray *cli_rows(JsonNode *document, const char *member)
{
	return json_object_get_array_member(json_node_get_object(document), member);
}
