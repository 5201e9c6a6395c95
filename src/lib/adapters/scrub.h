/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zeroing memory behind a file descriptor. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * daxc_scrub_fd:
 * @fd: open for reading and writing; mappable with MAP_SHARED
 * @size: bytes from offset 0, a multiple of @align
 * @align: bytes, a power of two of at least a page: where the mapping must begin
 *
 * Writes zeros over [0, @size), past the caches, and reads all of it back.
 *
 * Fails with DAXC_ERROR_FAILED; when memory failed (SIGBUS) or something else than
 * zero was read, the message names the offset. While it runs the process's SIGBUS
 * handler is ours; signals of other threads are passed on to the handler that was
 * there. Any number of threads may scrub at once.
 */
gboolean daxc_scrub_fd(int fd, guint64 size, guint64 align, GError **error);

G_END_DECLS
