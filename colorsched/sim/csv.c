// SPDX-License-Identifier: GPL-2.0-or-later
/* Traces from a file, line by line: there may be millions. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/geometry.h>
#include <daxcolor/size.h>

#include "trace-priv.h"

#define LINE_MAX_BYTES 4096
#define NAME_MAX_BYTES 128
/* Seconds: 30,000 years either way. */
#define TIME_MAX 1e12

typedef enum {
	COLUMN_TENANT,
	COLUMN_START,
	COLUMN_END,
	COLUMN_MEMORY,
	COLUMN_COLORS,
	COLUMN_GROUP,
	N_COLUMNS,
} Column;

static const char *const column_names[] = {"tenant", "start",  "end",
					   "memory", "colors", "group"};

/**
 * Csv:
 * @columns: what each field of a line is
 * @n: number of fields
 * @number: of the line, from 1
 * @line: the line; the guest's strings are in it
 * @last: when the guest before started
 */
typedef struct {
	SchedTrace trace;
	FILE *stream;
	char *name;
	Column columns[N_COLUMNS];
	guint n;
	guint64 number;
	char line[LINE_MAX_BYTES];
	double last;
} Csv;

static gboolean G_GNUC_PRINTF(3, 4)
	refuse(const Csv *csv, GError **error, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list arguments;

	va_start(arguments, format);
	why = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%s: line %" G_GUINT64_FORMAT ": %s", csv->name, csv->number, why);
	return FALSE;
}

/* Reads any line without its end. */
static SchedTraceStatus read_any_line(Csv *csv, GError **error)
{
	gsize length;

	csv->number++;
	errno = 0;
	if (!fgets(csv->line, sizeof(csv->line), csv->stream)) {
		if (!ferror(csv->stream))
			return SCHED_TRACE_END;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot read %s: %s",
			    csv->name, g_strerror(errno));
		return SCHED_TRACE_ERROR;
	}
	length = strcspn(csv->line, "\r\n");
	if (csv->line[length] == '\0' && !feof(csv->stream)) {
		refuse(csv, error, "is longer than %d bytes, or no text",
		       LINE_MAX_BYTES - 2);
		return SCHED_TRACE_ERROR;
	}
	csv->line[length] = '\0';
	if (g_utf8_validate(csv->line, (gssize)length, NULL))
		return SCHED_TRACE_GUEST;
	refuse(csv, error, "is not UTF-8 text");
	return SCHED_TRACE_ERROR;
}

/* Reads a line that says something. */
static SchedTraceStatus read_line(Csv *csv, GError **error)
{
	SchedTraceStatus status;

	do {
		status = read_any_line(csv, error);
	} while (status == SCHED_TRACE_GUEST &&
		 (csv->line[0] == '\0' || csv->line[0] == '#'));
	return status;
}

/* Cuts the next field off. Returns: NULL when there is none. */
static char *next_field(char **rest)
{
	char *field = *rest, *comma;

	if (!field)
		return NULL;
	comma = strchr(field, ',');
	*rest = comma ? comma + 1 : NULL;
	if (comma)
		*comma = '\0';
	return g_strstrip(field);
}

/* The heading. */

static gboolean find_column(const Csv *csv, const char *name, Column *column,
			    GError **error)
{
	for (guint i = 0; i < N_COLUMNS; i++) {
		if (strcmp(name, column_names[i]) != 0)
			continue;
		for (guint k = 0; k < csv->n; k++) {
			if (csv->columns[k] == i)
				return refuse(csv, error, "column %s is there twice",
					      name);
		}
		*column = i;
		return TRUE;
	}
	return refuse(csv, error,
		      "no such column \"%s\": the first line names tenant, start, end "
		      "and memory, and where wanted colors and group",
		      name);
}

static gboolean has_column(const Csv *csv, Column column)
{
	for (guint i = 0; i < csv->n; i++) {
		if (csv->columns[i] == column)
			return TRUE;
	}
	return FALSE;
}

static gboolean read_heading(Csv *csv, GError **error)
{
	char *rest = csv->line, *name;

	switch (read_line(csv, error)) {
	case SCHED_TRACE_GUEST:
		break;
	case SCHED_TRACE_END:
		return refuse(csv, error, "the file is empty");
	case SCHED_TRACE_ERROR:
		return FALSE;
	}
	while ((name = next_field(&rest))) {
		if (!find_column(csv, name, &csv->columns[csv->n], error))
			return FALSE;
		csv->n++;
	}
	for (Column i = COLUMN_TENANT; i <= COLUMN_MEMORY; i++) {
		if (!has_column(csv, i))
			return refuse(csv, error, "there is no column %s",
				      column_names[i]);
	}
	return TRUE;
}

/* Guests. */

static gboolean read_time(const Csv *csv, Column column, const char *text, double *time,
			  GError **error)
{
	char *end;

	*time = g_ascii_strtod(text, &end);
	if (*text != '\0' && *end == '\0' &&
	    strspn(text, "0123456789.-eE+") == strlen(text) && isfinite(*time) &&
	    fabs(*time) <= TIME_MAX)
		return TRUE;
	return refuse(csv, error, "%s: \"%s\" is no number of seconds",
		      column_names[column], text);
}

static gboolean read_name(const Csv *csv, Column column, const char *text,
			  const char **name, GError **error)
{
	if (*text == '\0' || strlen(text) > NAME_MAX_BYTES)
		return refuse(csv, error, "%s: is to have 1 to %d bytes",
			      column_names[column], NAME_MAX_BYTES);
	*name = text;
	return TRUE;
}

static gboolean read_memory(const Csv *csv, const char *text, guint64 *size,
			    GError **error)
{
	g_autoptr(GError) cause = NULL;

	if (!daxc_size_parse(text, size, &cause))
		return refuse(csv, error, "memory: %s", cause->message);
	if (*size > 0 && *size % DAXC_GRANULE_MIN == 0)
		return TRUE;
	return refuse(csv, error, "memory: %s is no multiple of 2 MiB", text);
}

static gboolean read_colors(const Csv *csv, const char *text, guint32 *colors,
			    GError **error)
{
	g_autoptr(GError) cause = NULL;
	guint64 number = 0;

	if (*text != '\0' &&
	    !daxc_uint_parse(text, "count", DAXC_COLORS_MAX, &number, &cause))
		return refuse(csv, error, "colors: %s", cause->message);
	*colors = (guint32)number;
	return TRUE;
}

static gboolean read_field(const Csv *csv, Column column, const char *text,
			   SchedGuest *guest, GError **error)
{
	switch (column) {
	case COLUMN_TENANT:
		return read_name(csv, column, text, &guest->tenant, error);
	case COLUMN_START:
		return read_time(csv, column, text, &guest->start, error);
	case COLUMN_END:
		return *text == '\0' || read_time(csv, column, text, &guest->end, error);
	case COLUMN_MEMORY:
		return read_memory(csv, text, &guest->size, error);
	case COLUMN_COLORS:
		return read_colors(csv, text, &guest->colors, error);
	case COLUMN_GROUP:
		return *text == '\0' ||
		       read_name(csv, column, text, &guest->group, error);
	case N_COLUMNS:
		break;
	}
	g_return_val_if_reached(FALSE);
}

static gboolean read_guest(Csv *csv, SchedGuest *guest, GError **error)
{
	char *rest = csv->line;

	*guest = (SchedGuest){.end = SCHED_NEVER};
	for (guint i = 0; i < csv->n; i++) {
		const char *text = next_field(&rest);

		if (!text)
			return refuse(csv, error, "has %u fields, the first line %u", i,
				      csv->n);
		if (!read_field(csv, csv->columns[i], text, guest, error))
			return FALSE;
	}
	if (rest)
		return refuse(csv, error, "has more fields than the first line");
	if (guest->end < guest->start)
		return refuse(csv, error, "ends before it starts");
	if (guest->start < csv->last)
		return refuse(csv, error,
			      "starts before the line above: sort the file by start");
	csv->last = guest->start;
	return TRUE;
}

static SchedTraceStatus csv_next(SchedTrace *trace, SchedGuest *guest, GError **error)
{
	Csv *csv = (Csv *)trace;
	SchedTraceStatus status;

	if (csv->n == 0 && !read_heading(csv, error))
		return SCHED_TRACE_ERROR;
	status = read_line(csv, error);
	if (status != SCHED_TRACE_GUEST)
		return status;
	return read_guest(csv, guest, error) ? SCHED_TRACE_GUEST : SCHED_TRACE_ERROR;
}

static void csv_free(SchedTrace *trace)
{
	Csv *csv = (Csv *)trace;

	if (csv->stream != stdin)
		fclose(csv->stream);
	g_free(csv->name);
	g_free(csv);
}

SchedTrace *sched_trace_csv(FILE *stream, const char *name)
{
	static const SchedTraceKind kind = {csv_next, csv_free};
	Csv *csv = g_new0(Csv, 1);

	csv->trace.kind = &kind;
	csv->stream = stream;
	csv->name = g_strdup(name);
	csv->last = -TIME_MAX;
	return &csv->trace;
}
