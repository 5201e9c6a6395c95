/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of instances as system RAM share. */
#ifndef TESTS_DRIVER_KMEM_H
#define TESTS_DRIVER_KMEM_H

#include <stdbool.h>
#include <stddef.h>

/* The region's. */
unsigned int kmem_node(void);
/* "offline", "online_kernel" or "online_movable" to all memory blocks of the node; how
 * many refused. */
unsigned int kmem_set_blocks(const char *state);
/*
 * A kernel with KASAN has no shadow of memory that is offline: whoever reads that as it
 * looks on dies.
 */
bool kmem_offline_is_readable(void);
void kmem_drop(const char *name);
int kmem_mode(const char *name, const char *mode);
/* Through a mapping, to its first bytes, and from there. */
void kmem_write(const char *name, const void *bytes, size_t size);
bool kmem_still_has(const char *name, const void *bytes, size_t size);

#endif
