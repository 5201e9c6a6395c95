/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How every verb prints. A verb builds one JSON document; --json prints it, and
 * tables for people are made from the same document, so the two cannot differ.
 */
#pragma once

#include <json-glib/json-glib.h>

#include <daxcolor/daxcolor.h>

typedef enum {
	CLI_TEXT,
	CLI_NUMBER,
	CLI_SIZE, /* bytes, printed in IEC units */
	CLI_LIST, /* array of numbers, runs joined: "0-3,8" */
	CLI_PART, /* of a whole, 0 to 1, printed in percent */
	CLI_MEAN, /* printed with one decimal */
} CliKind;

/**
 * CliColumn: a member of each row's object. null, or a member that is not
 * there, is "-".
 */
typedef struct {
	const char *heading;
	const char *member;
	CliKind kind;
} CliColumn;

/* Prints @rows (objects) with two spaces between columns; @columns ends with
 * { NULL }. Each line begins with @indent. */
void cli_print_table(JsonArray *rows, const CliColumn *columns, const char *indent);

/* Prints the document. */
void cli_print_json(JsonNode *document);

/* Takes what @builder has built; @builder is freed. */
JsonNode *cli_built(JsonBuilder *builder);

/* Members of the object that is being built. */
void cli_add_text(JsonBuilder *builder, const char *member, const char *value);
void cli_add_number(JsonBuilder *builder, const char *member, guint64 value);
void cli_add_signed(JsonBuilder *builder, const char *member, gint64 value);
void cli_add_real(JsonBuilder *builder, const char *member, double value);
void cli_add_flag(JsonBuilder *builder, const char *member, gboolean value);
/* @texts: (nullable): NULL-terminated */
void cli_add_texts(JsonBuilder *builder, const char *member, const char *const *texts);
/* @colors: (element-type guint32) */
void cli_add_colors(JsonBuilder *builder, const char *member, const GArray *colors);

/* Returns: (transfer none): array @member of @document. */
JsonArray *cli_rows(JsonNode *document, const char *member);

/* Returns: (transfer full): @text with what a terminal would act on replaced. */
char *cli_printable(const char *text);

/* "1 granule", "2 granules". */
char *cli_count(guint64 n, const char *one);

/* Whether stdout is a terminal that wants color. */
gboolean cli_color(void);
/* Columns of the terminal; $COLUMNS wins, 80 when neither is known. */
guint cli_width(void);

/* @text between the escape sequences for @sgr ("1;31"), or as it is. */
char *cli_paint(const char *text, const char *sgr);
