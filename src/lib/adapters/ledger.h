/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger: tenants, carvings and each granule's state, in SQLite. It keeps
 * what it is told, exactly, or fails; what it means is provision's business.
 */
#pragma once

#include <daxcolor/host.h>

G_BEGIN_DECLS

#define DAXC_LEDGER_VERSION 1

typedef struct DaxcLedger DaxcLedger;

typedef enum {
	DAXC_LEDGER_CREATE,    /* read and write; made when missing, directory too */
	DAXC_LEDGER_READ_ONLY, /* a missing file is an empty ledger */
	DAXC_LEDGER_MEMORY,    /* lives in this process only; path is ignored */
} DaxcLedgerMode;

/**
 * daxc_ledger_open:
 * @path: file of the ledger, mode 0600, in a directory of mode 0700
 * @wait_ms: how long a transaction waits for another process
 *
 * Fails with DAXC_ERROR_LEDGER: not a ledger, damaged, written by a newer
 * daxcolor (user_version), directory not writable; the file is then untouched.
 */
DaxcLedger *daxc_ledger_open(const char *path, DaxcLedgerMode mode, guint wait_ms,
			     GError **error);
void daxc_ledger_free(DaxcLedger *ledger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcLedger, daxc_ledger_free)

/**
 * daxc_ledger_begin:
 *
 * Starts a write transaction: no other process is in one until commit or
 * rollback, and the end of this process is a rollback. Fails with
 * DAXC_ERROR_BUSY after the wait given at open. All changing calls below
 * belong inside one.
 */
gboolean daxc_ledger_begin(DaxcLedger *ledger, GError **error);
/* Durable when it returns TRUE; on FALSE it was rolled back. */
gboolean daxc_ledger_commit(DaxcLedger *ledger, GError **error);
/* Ends a transaction without a trace; harmless outside of one. */
void daxc_ledger_rollback(DaxcLedger *ledger);

/**
 * daxc_ledger_carvings:
 * @uuid: (nullable): one domain's only
 *
 * Returns: (transfer full) (element-type DaxcCarving): by id. Fails with
 *   DAXC_ERROR_LEDGER on a row that cannot be (unknown state, sizes that do
 *   not add up, a granule in two carvings).
 */
GPtrArray *daxc_ledger_carvings(DaxcLedger *ledger, const char *uuid, GError **error);

/* Inserts @carving with its granules and sets its id. A granule that another
 * carving has, or one that is BAD, makes it fail. */
gboolean daxc_ledger_insert(DaxcLedger *ledger, DaxcCarving *carving, GError **error);

/* Writes state, instance, pid and pid_start of the carving with @carving's id. */
gboolean daxc_ledger_update(DaxcLedger *ledger, const DaxcCarving *carving, GError **error);

/**
 * daxc_ledger_remove:
 * @state: what its granules are from now on: CLEAN or DIRTY
 *
 * Takes a carving out.
 */
gboolean daxc_ledger_remove(DaxcLedger *ledger, gint64 id, DaxcGranuleState state,
			    GError **error);

/**
 * DaxcLedgerGranule: what the ledger says of one granule.
 * @carving: id of the carving that holds it, 0 when none
 */
typedef struct {
	guint64 start;
	guint64 size;
	DaxcGranuleState state;
	gint64 carving;
} DaxcLedgerGranule;

/* Returns: (transfer full) (element-type DaxcLedgerGranule): every granule the
 * ledger knows, by start. */
GArray *daxc_ledger_granules(DaxcLedger *ledger, GError **error);

/* Sets the state of a granule that no carving holds: CLEAN, DIRTY or BAD.
 * BAD is for good: leaving it is refused. A held granule is refused but BAD. */
gboolean daxc_ledger_mark(DaxcLedger *ledger, guint64 start, guint64 size,
			  DaxcGranuleState state, GError **error);

/**
 * daxc_ledger_boot:
 *
 * Notes the boot we are in. When it is another than the ledger's last, every
 * granule that was CLEAN or HELD is DIRTY from now on and every carving of
 * another boot is removed, for the kernel has forgotten it.
 */
gboolean daxc_ledger_boot(DaxcLedger *ledger, const char *boot_id, GError **error);

G_END_DECLS
