// SPDX-License-Identifier: LGPL-2.1-or-later
/* Is the process that began something still the same, and alive? */
#include "provision/provision.h"

#include <string.h>

/* proc(5): starttime is field 22; the name in field 2 may hold anything, also
 * blanks and parentheses, so counting begins after its last ")". */
#define FIELDS_AFTER_NAME 20

guint64 daxc_process_start(gint64 pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/stat", pid);
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *after;

	if (pid <= 0 || !g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	after = strrchr(text, ')');
	if (!after)
		return 0;
	fields = g_strsplit(after + 1, " ", FIELDS_AFTER_NAME + 2);
	if (g_strv_length(fields) < FIELDS_AFTER_NAME + 1)
		return 0;
	return g_ascii_strtoull(fields[FIELDS_AFTER_NAME], NULL, 10);
}
