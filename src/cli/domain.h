/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing a persistent domain through libvirt: what enroll and unenroll share. */
#pragma once

#include "cli.h"

/**
 * CliEdit:
 * @connect: (nullable): libvirt's URI; NULL: $LIBVIRT_DEFAULT_URI or qemu:///system
 * @yes: do not ask
 * @dry_run: show the difference only
 * @change: returns the new XML; @uuid and @name are the domain's
 * @data: for @change
 */
typedef struct {
	const char *connect;
	gboolean yes;
	gboolean dry_run;
	char *(*change)(const char *xml, const char *uuid, const char *name,
			gpointer data, GError **error);
	gpointer data;
} CliEdit;

/* Entries of a GOptionEntry array for @edit, a static CliEdit. */
#define CLI_EDIT_OPTIONS(edit)                                                           \
	{"connect",                                                                      \
	 'c',                                                                            \
	 0,                                                                              \
	 G_OPTION_ARG_FILENAME,                                                          \
	 &(edit).connect,                                                                \
	 "Which libvirt (default: qemu:///system)",                                      \
	 "URI"},                                                                         \
		{"yes", 'y', 0, G_OPTION_ARG_NONE, &(edit).yes, "Do not ask", NULL},     \
	{                                                                                \
		"dry-run", 0, 0, G_OPTION_ARG_NONE, &(edit).dry_run,                     \
			"Show the difference, and change nothing", NULL                  \
	}

/* Shows the difference, asks, redefines the domain, and reads it back. */
CliStatus cli_edit_domain(const Cli *cli, const char *name, const CliEdit *edit);
