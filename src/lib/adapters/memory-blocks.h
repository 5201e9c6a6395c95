/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that comes to the system and goes: the kernel's memory blocks, and writes to
 * sysfs that last for as long as the system needs.
 */
#pragma once

#include <daxcolor/plan.h>

G_BEGIN_DECLS

/* @root: a prefix for "/sys". Returns: bytes of a block; 0 and @error. */
guint64 daxc_memory_block_size(const char *root, GError **error);

/**
 * daxc_memory_online:
 * @extents: (element-type DaxcExtent): whole blocks, which the system has
 *
 * Brings those online that are not yet: movable, so that they can go again, or as the
 * kernel has it when that cannot be.
 */
gboolean daxc_memory_online(const char *root, const GArray *extents, GError **error);

/**
 * daxc_write_bounded:
 *
 * Writes @text to the file at @path. When the kernel is not done after @wait_ms, it is
 * asked to leave it.
 *
 * Returns: 0 or an errno; ETIMEDOUT: it does not even leave it.
 */
int daxc_write_bounded(const char *path, const char *text, guint wait_ms);

G_END_DECLS
