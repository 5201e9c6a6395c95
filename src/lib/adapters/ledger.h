/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger: tenants, carvings and each granule's state, in SQLite. It keeps
 * what it is told, exactly, or fails; what it means is provision's business.
 *
 * A DaxcLedger belongs to one thread, and must not be used, nor freed, on the
 * other side of a fork(). Beside the file SQLite keeps its journal (the same
 * name with "-journal"); it is empty but for the moment of a commit, and one
 * that is not empty belongs to the file and must go wherever it goes.
 *
 * A call that fails has changed nothing. Besides what is said below, each can
 * fail with DAXC_ERROR_LEDGER (I/O, disk full, damage) and with
 * DAXC_ERROR_BUSY.
 */
#pragma once

#include <daxcolor/host.h>

G_BEGIN_DECLS

#define DAXC_LEDGER_VERSION 2

typedef struct DaxcLedger DaxcLedger;

typedef enum {
	DAXC_LEDGER_CREATE,    /* read and write; made when missing, directory too */
	DAXC_LEDGER_READ_ONLY, /* a missing file is an empty ledger, and stays missing */
	DAXC_LEDGER_MEMORY,    /* lives in this process only; path is ignored */
} DaxcLedgerMode;

/**
 * daxc_ledger_open:
 * @path: file of the ledger, mode 0600, in a directory of mode 0700
 * @wait_ms: how long any call waits for another process. There is no queue: all
 *   who wait try again every few milliseconds, each with the same chance.
 *
 * Fails with DAXC_ERROR_LEDGER: not a ledger, damaged, written by a newer
 * daxcolor (user_version), directory not writable; the file is then untouched.
 * One written by an older daxcolor is brought up to date, which a READ_ONLY
 * open cannot and says.
 * Root's ledger must be trusted: the same for a file or directory that others
 * own or can write, and a file that is a symbolic link.
 *
 * A READ_ONLY ledger needs no more than read access to file and directory; where
 * it has more, it only ever takes back a commit that a crash interrupted.
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
 * belong inside one; without one they fail.
 *
 * On a READ_ONLY ledger it starts a snapshot instead: all that is read until
 * its end is of one moment. Writers wait for it to commit, so it must be short.
 */
gboolean daxc_ledger_begin(DaxcLedger *ledger, GError **error);
/* Durable when it returns TRUE; on FALSE it was rolled back, unless the disk failed in
 * the very last step: then it is there all the same, though not safe from a power cut.
 * Whoever must know looks again. */
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
 *   With @uuid only that domain's rows are judged.
 */
GPtrArray *daxc_ledger_carvings(DaxcLedger *ledger, const char *uuid, GError **error);

/**
 * daxc_ledger_insert:
 *
 * Inserts @carving with its granules, which are HELD then, and sets its id. Ids
 * are never used again. A granule that another carving has, or one that is BAD,
 * makes it fail with DAXC_ERROR_REFUSED, as does a second carving for the same
 * cell of a domain; a carving that breaks a rule of host.h or plan.h with
 * DAXC_ERROR_INVALID. Free granules of another size in its way (the geometry
 * changed) are forgotten.
 */
gboolean daxc_ledger_insert(DaxcLedger *ledger, DaxcCarving *carving, GError **error);

/* Writes state, instance, pid, pid_start and zeroed of the carving with @carving's id.
 * DAXC_ERROR_NOT_FOUND; DAXC_ERROR_INVALID for what a carving cannot be (ACTIVE
 * without an instance, an instance of another region). */
gboolean daxc_ledger_update(DaxcLedger *ledger, const DaxcCarving *carving,
			    GError **error);

/**
 * daxc_ledger_remove:
 * @state: what its granules are from now on: CLEAN or DIRTY
 *
 * Takes a carving out. A granule that turned BAD meanwhile stays so, and one
 * that a scrubber has cleaned stays clean. DIRTY ones of a carving that was
 * zeroed hold its tenant's bytes, and that is remembered. DAXC_ERROR_NOT_FOUND.
 */
gboolean daxc_ledger_remove(DaxcLedger *ledger, gint64 id, DaxcGranuleState state,
			    GError **error);

/**
 * DaxcLedgerGranule: what the ledger says of one granule.
 * @carving: id of the carving that holds it, 0 when none. A granule that turned
 *   BAD while it is held has both, and so has one that is CLEAN already while a
 *   scrubber still works on its neighbors.
 * @tenant: (nullable): a DIRTY granule holds this tenant's bytes and nobody
 *   else's; interned (g_intern_string())
 */
typedef struct {
	guint64 start;
	guint64 size;
	DaxcGranuleState state;
	gint64 carving;
	const char *tenant;
} DaxcLedgerGranule;

/* Returns: (transfer full) (element-type DaxcLedgerGranule): every granule the
 * ledger knows, by start. */
GArray *daxc_ledger_granules(DaxcLedger *ledger, GError **error);

/**
 * daxc_ledger_mark:
 *
 * Sets the state of a granule that no carving holds: CLEAN, DIRTY or BAD.
 * BAD is for good: leaving it is refused. A held granule is refused but BAD, and
 * then it must be named by its own start and size. Free granules of another size
 * in its way are forgotten; bad ones only for a larger bad one.
 */
gboolean daxc_ledger_mark(DaxcLedger *ledger, guint64 start, guint64 size,
			  DaxcGranuleState state, GError **error);

/**
 * daxc_ledger_cleaned:
 * @id: of a SCRUBBING carving
 *
 * Says that its granule at @start has been zeroed and read back, so that this is
 * not lost when the scrubber is. DAXC_ERROR_NOT_FOUND when it holds no such one.
 */
gboolean daxc_ledger_cleaned(DaxcLedger *ledger, gint64 id, guint64 start,
			     GError **error);

/* Every granule that is CLEAN is DIRTY from now on, with anybody's bytes. */
gboolean daxc_ledger_soil(DaxcLedger *ledger, GError **error);

/* Returns: (transfer full) (element-type DaxcReservation): by node and tenant; the
 * colors of each ascending. */
GPtrArray *daxc_ledger_reservations(DaxcLedger *ledger, GError **error);

/**
 * daxc_ledger_reserve:
 *
 * Replaces what @reservation's tenant has reserved on that node; without colors,
 * nothing is reserved any more. DAXC_ERROR_REFUSED when another tenant has one
 * of the colors reserved; DAXC_ERROR_INVALID.
 */
gboolean daxc_ledger_reserve(DaxcLedger *ledger, const DaxcReservation *reservation,
			     GError **error);

/**
 * daxc_ledger_serial, daxc_ledger_set_serial:
 *
 * A number that grows with every insertion: of two copies of a ledger, the one
 * with the smaller number is older. Setting it is for a ledger that was found to
 * be old, after what it cannot know was allowed for.
 */
gboolean daxc_ledger_serial(DaxcLedger *ledger, guint64 *serial, GError **error);
gboolean daxc_ledger_set_serial(DaxcLedger *ledger, guint64 serial, GError **error);

/**
 * daxc_ledger_boot:
 * @forgotten: (out) (optional): how many carvings were removed; -1 when it is the
 *   boot that the ledger knows already
 *
 * Notes the boot we are in. When it is another than the ledger's last, every
 * granule that was CLEAN or HELD is DIRTY from now on and every carving of
 * another boot is removed, for the kernel has forgotten it.
 */
gboolean daxc_ledger_boot(DaxcLedger *ledger, const char *boot_id, gint *forgotten,
			  GError **error);

/* Whether this process has changed anything, since it opened the ledger. */
gboolean daxc_ledger_changed(const DaxcLedger *ledger);

/* Tells whether another process has committed anything since: @version then differs. */
gboolean daxc_ledger_version(DaxcLedger *ledger, gint64 *version, GError **error);

/**
 * daxc_ledger_check:
 *
 * For doctor: looks at every page, constraint and row, which takes far longer
 * than opening does. Fails with DAXC_ERROR_LEDGER on the first thing wrong.
 */
gboolean daxc_ledger_check(DaxcLedger *ledger, GError **error);

G_END_DECLS
