// SPDX-License-Identifier: LGPL-2.1-or-later
/* What was done without being asked for, in sentences. */
#include "provision/provision.h"

void daxc_report(GPtrArray *report, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_message("%s", text);
	if (report)
		g_ptr_array_add(report, g_steal_pointer(&text));
}
