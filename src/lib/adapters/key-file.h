/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GLib's key files, but strict: what is there twice is a mistake. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * daxc_key_file_parse:
 * @name: what messages call the text: its path
 * @text: with a NUL after its @length bytes
 *
 * Returns: (transfer full): its sections and keys. Fails with DAXC_ERROR_INVALID when
 *   it is no key file in UTF-8, or when a section or a key in it is there twice.
 */
GKeyFile *daxc_key_file_parse(const char *name, const char *text, gsize length,
			      GError **error);

G_END_DECLS
