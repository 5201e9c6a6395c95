// SPDX-License-Identifier: LGPL-2.1-or-later
/* What all checks of the doctor are written with: verdicts, and files below a root. */
#include "doctor/private.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>

void daxc_check_free(DaxcCheck *check)
{
	g_free(check->why);
	g_free(check->remedy);
	g_free(check);
}

const char *daxc_check_status_name(DaxcCheckStatus status)
{
	switch (status) {
	case DAXC_CHECK_OK:
		return "ok";
	case DAXC_CHECK_WARNING:
		return "warning";
	case DAXC_CHECK_BROKEN:
		return "broken";
	}
	g_return_val_if_reached("unknown");
}

void daxc_doctor_verdict(DaxcCheck *check, DaxcCheckStatus status, char *why,
			 char *remedy)
{
	g_free(check->why);
	g_free(check->remedy);
	check->status = status;
	check->why = why;
	check->remedy = remedy;
}

void daxc_doctor_ok(DaxcCheck *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	daxc_doctor_verdict(check, DAXC_CHECK_OK, g_strdup_vprintf(format, args), NULL);
	va_end(args);
}

char *daxc_doctor_path(const Doctor *doctor, const char *path)
{
	return g_build_filename(doctor->root, path, NULL);
}

gboolean daxc_doctor_exists(const Doctor *doctor, const char *path)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);

	return access(real, F_OK) == 0;
}

char *daxc_doctor_text(const Doctor *doctor, const char *path)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);
	g_autofree char *text = NULL;

	if (!g_file_get_contents(real, &text, NULL, NULL))
		return NULL;
	return g_strchomp(g_steal_pointer(&text));
}

gboolean daxc_doctor_write(Doctor *doctor, const char *path, const char *text,
			   GError **error)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);
	g_autofree char *dir = g_path_get_dirname(real);

	if (g_mkdir_with_parents(dir, 0755) != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot make %s: %s",
			    dir, g_strerror(errno));
		return FALSE;
	}
	return g_file_set_contents_full(real, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
					0644, error);
}

char *daxc_doctor_join(GPtrArray *list)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < list->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "",
				       (const char *)g_ptr_array_index(list, i));
	return g_string_free(g_steal_pointer(&text), FALSE);
}
