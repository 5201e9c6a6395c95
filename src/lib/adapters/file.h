/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading files that somebody else wrote. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * daxc_file_read:
 * @max: bytes that the file may have at most
 * @data: (out) (transfer full): its content, and a NUL after it that @length
 *   does not count
 *
 * Never blocks on a FIFO and never reads more than @max + 1 bytes, whatever the
 * file is. Fails with DAXC_ERROR_NOT_FOUND; DAXC_ERROR_INVALID when it is no
 * regular file or too long; DAXC_ERROR_FAILED when it cannot be read. Every
 * message names the file.
 */
gboolean daxc_file_read(const char *path, gsize max, char **data, gsize *length,
			GError **error);

G_END_DECLS
