/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel's log says of memory that failed. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * daxc_kmsg_failures:
 * @path: "/dev/kmsg", or a file with its records, one a line, for tests
 *
 * The kernel keeps no list of pages of device-dax that failed: their flags go with
 * the instance, and neither its users nor sysfs learn the exact page. Its log does:
 * "Memory failure: 0x240123: ..." has the page's number, whatever follows. Only
 * records that the kernel itself wrote are believed. The log is finite: what it
 * has forgotten is not found.
 *
 * Returns: (transfer full) (element-type guint64): physical addresses of pages of
 *   4 KiB, ascending, each once. Fails with DAXC_ERROR_FAILED when the log cannot
 *   be read.
 */
GArray *daxc_kmsg_failures(const char *path, GError **error);

G_END_DECLS
