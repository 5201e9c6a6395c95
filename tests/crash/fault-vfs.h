/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's own file system with a fault in it: the n-th call of one kind fails, for
 * everything in this process that opens a database from then on.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
	FAULT_OPEN,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_SYNC,
	FAULT_TRUNCATE,
	FAULT_LOCK,
	FAULT_SIZE,
	FAULT_ACCESS,
	FAULT_DELETE,
	FAULT_MEMORY, /* not the file system's: an allocation, with SQLITE_NOMEM */
} FaultVfsCall;

/**
 * fault_vfs_install:
 * @after: calls of that kind that still succeed
 * @code: what the next one returns, SQLITE_FULL and the like
 * @forever: so do all after it
 *
 * Once in a process, while no database is open.
 */
void fault_vfs_install(FaultVfsCall call, guint after, int code, gboolean forever);

/* Returns: whether a call has failed. */
gboolean fault_vfs_fired(void);

G_END_DECLS
