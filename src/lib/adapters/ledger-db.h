/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the two halves of the ledger share; nobody else includes this. */
#pragma once

#include <sqlite3.h>

#include "adapters/ledger.h"

G_BEGIN_DECLS

/* What can be asked of the file; the SQL is in ledger-db.c. */
enum sql {
	SQL_BEGIN,
	SQL_SNAPSHOT,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_ENTER,
	SQL_UNDO,
	SQL_LEAVE,
	SQL_CARVINGS,
	SQL_CARVINGS_OF,
	SQL_HELD,
	SQL_HELD_OF,
	SQL_GRANULES,
	SQL_ADD_CARVING,
	SQL_UPDATE_CARVING,
	SQL_REMOVE_CARVING,
	SQL_OVERLAPS,
	SQL_FORGET,
	SQL_HOLD,
	SQL_MARK,
	SQL_CLEANED,
	SQL_FREE,
	SQL_RESERVATIONS,
	SQL_RESERVE,
	SQL_UNRESERVE,
	SQL_BOOT,
	SQL_SET_BOOT,
	SQL_SERIAL,
	SQL_SET_SERIAL,
	SQL_NEXT_SERIAL,
	SQL_FREE_OTHER_BOOTS,
	SQL_REMOVE_OTHER_BOOTS,
	SQL_SOIL,
	SQL_N,
};

/**
 * struct DaxcLedger:
 * @path: as it was given, for messages
 * @file: its real path; NULL when the ledger is in memory
 * @prepared: of statements[], each made when first needed
 * @wait_ms: what was asked for at open
 * @wait_end: of the wait going on, in microseconds of the monotonic clock
 * @wait_said: when to say whom it is for
 */
struct DaxcLedger {
	sqlite3 *db;
	char *path;
	char *file;
	gboolean read_only;
	guint wait_ms;
	gint64 wait_end;
	gint64 wait_said;
	sqlite3_stmt *prepared[SQL_N];
};

/* A statement in use; at the end of its scope it is ready for the next use. */
typedef sqlite3_stmt LedgerStmt;

static inline void ledger_stmt_done(LedgerStmt *stmt)
{
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LedgerStmt, ledger_stmt_done)

/* Sets DAXC_ERROR_LEDGER: the contents cannot be what we wrote. Returns: FALSE. */
gboolean ledger_damaged(const DaxcLedger *ledger, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* Turns what SQLite last said into an error, "cannot @what: ...". Returns: FALSE. */
gboolean ledger_failed(const DaxcLedger *ledger, const char *what, GError **error);

/* Returns: (transfer none) (nullable): the statement, with nothing bound. */
LedgerStmt *ledger_use(DaxcLedger *ledger, enum sql which, GError **error);

/* The text must live until the statement is done. */
void ledger_bind_text(LedgerStmt *stmt, int column, const char *text);
/* For addresses and sizes, at most G_MAXINT64. */
void ledger_bind_size(LedgerStmt *stmt, int column, guint64 bytes);

/* Runs a statement that answers with no row. */
gboolean ledger_finish(DaxcLedger *ledger, LedgerStmt *stmt, const char *what,
		       GError **error);
/* The same for one with nothing to bind. */
gboolean ledger_run(DaxcLedger *ledger, enum sql which, const char *what, GError **error);

/**
 * ledger_enter, ledger_enter_change, ledger_leave:
 * @ok: what came in between succeeded; when not, it is undone, and @error is set
 *
 * Everything between sees one state of the ledger and happens wholly or not at
 * all. Changes need a write transaction. leave returns FALSE when it failed
 * itself, and when @ok is.
 */
gboolean ledger_enter(DaxcLedger *ledger, GError **error);
gboolean ledger_enter_change(DaxcLedger *ledger, GError **error);
gboolean ledger_leave(DaxcLedger *ledger, gboolean ok, GError **error);

/* SQLite's own check of the whole file, constraints included. */
gboolean ledger_check_pages(DaxcLedger *ledger, GError **error);

G_END_DECLS
