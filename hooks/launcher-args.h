/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's arguments, and how the launcher changes them. No file is opened here:
 * what has to be looked up comes through a callback.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * LauncherCarving: what the hook carved for one cell (see handover.h).
 * @node: path of the device node
 * @instance: "daxR.N"
 * @size: bytes
 * @align: bytes, a power of two
 */
typedef struct {
	guint cell;
	char *node;
	char *instance;
	guint64 size;
	guint64 align;
} LauncherCarving;

/**
 * LauncherArgs: a command line to execute.
 * @guest: (nullable): the guest's name
 * @argv: NULL-terminated
 * @carvings: (element-type LauncherCarving): what @argv uses; none where it is
 *   as it was
 */
typedef struct {
	char *guest;
	char **argv;
	GPtrArray *carvings;
} LauncherArgs;

void launcher_args_free(LauncherArgs *args);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LauncherArgs, launcher_args_free)

/**
 * LauncherLookup:
 * @directory: where a guest's memory object has its file
 *
 * Returns: (transfer full) (nullable) (element-type LauncherCarving): the
 *   handover in @directory; NULL without an error when there is none.
 */
typedef GPtrArray *(*LauncherLookup)(const char *directory, gpointer data,
				     GError **error);

/**
 * launcher_handover_parse:
 * @text: content of the handover's key file
 * @directory: where it is
 *
 * Returns: (transfer full) (element-type LauncherCarving): at least one. Fails
 *   with DAXC_ERROR_INVALID on anything that the hook does not write.
 */
GPtrArray *launcher_handover_parse(const char *text, gsize length, const char *directory,
				   GError **error);

/**
 * launcher_rewrite:
 * @argv: QEMU's arguments, argv[0] included
 *
 * A guest runs on its colors or not at all. Guest RAM is what -machine
 * memory-backend= (cell 0) and -numa node,memdev= name. Where that is a
 * memory-backend-file, it gets its cell's node as mem-path and an align of at
 * least the instance's; a file without a handover is refused. A command line
 * of libvirt's (-name guest=) whose RAM is anything else is refused too, but
 * for the machine "none". All other arguments, and the rest of the changed
 * ones, stay as they are, byte by byte; command lines with no guest RAM to
 * speak of (--version, libvirt's probing) stay so altogether.
 *
 * Returns: (transfer full). Fails with DAXC_ERROR_REFUSED, or what @lookup
 *   failed with; the message begins with the guest's name.
 */
LauncherArgs *launcher_rewrite(const char *const *argv, LauncherLookup lookup,
			       gpointer data, GError **error);

/**
 * launcher_qemu:
 * @called: argv[0]; where it is a bare name or empty, @self says the rest
 * @self: (nullable): path of the launcher's own file
 *
 * Returns: (transfer full): NULL-terminated paths at which the QEMU may be
 *   that the launcher stands for, best first: its own name less "daxcolor-",
 *   in its own directory, then in /usr/bin. Fails with DAXC_ERROR_INVALID when
 *   the name does not begin so.
 */
char **launcher_qemu(const char *called, const char *self, GError **error);

G_END_DECLS
