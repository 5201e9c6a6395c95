// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's arguments, one a line, and behind a line "%" the handover: rewriting
 * ends well or with an error, changes nothing without a handover, and nothing
 * more when it is done twice.
 */
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#include "../../hooks/launcher-args.c"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(gboolean truth)
{
	if (!truth)
		abort();
}

static GPtrArray *look(const char *directory, gpointer data, GError **error)
{
	const char *handover = data;

	return handover ? launcher_handover_parse(handover, strlen(handover), directory,
						  error)
			: NULL;
}

static LauncherArgs *rewrite(char **argv, const char *handover)
{
	g_autoptr(GError) error = NULL;
	LauncherArgs *args = launcher_rewrite((const char *const *)argv, look,
					      (gpointer)handover, &error);

	demand((args == NULL) == (error != NULL));
	demand(!error || error->domain == DAXC_ERROR);
	return args;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	char *mark = strstr(text, "\n%\n");
	const char *handover = mark ? mark + 3 : NULL;
	g_auto(GStrv) argv = NULL;
	g_autoptr(LauncherArgs) args = NULL;
	g_autoptr(LauncherArgs) again = NULL;

	if (mark)
		*mark = '\0';
	argv = g_strsplit(text, "\n", -1);
	args = rewrite(argv, handover);
	if (!args)
		return 0;
	demand(g_strv_length(args->argv) == g_strv_length(argv));
	if (args->carvings->len == 0) {
		demand(g_strv_equal((const char *const *)argv,
				    (const char *const *)args->argv));
		return 0;
	}
	again = rewrite(args->argv, handover);
	demand(again && g_strv_equal((const char *const *)args->argv,
				     (const char *const *)again->argv));
	return 0;
}
