// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ledger's file: its schema, opening it with care, transactions, and what
 * went wrong in words. Its rows are ledger.c's business.
 */
#include "adapters/ledger-db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <daxcolor/error.h>

/* "DAXC", for file(1) and against opening somebody else's database. */
#define APPLICATION_ID 0x44415843
/* No text or row of ours comes near; a doctored one must not eat the memory. */
#define LENGTH_MAX (1 << 20)
/* Waits that are longer are worth a word in the log. */
#define SAY_AFTER_US ((gint64)2 * G_USEC_PER_SEC)

/*
 * One statement an object, exactly as SQLite keeps it in sqlite_schema: an
 * existing ledger is compared with these when it is opened.
 *
 * States are words, not numbers: an enum may be sorted anew, a ledger may be
 * read by a person. Sizes and addresses are bytes; SQLite's integers are
 * signed, and no machine has an address above 2^63. A granule is aligned to
 * its own size, so two of them are nested or apart.
 *
 * A carving's id is never used again (AUTOINCREMENT), so that a number which
 * another process still has in its hands cannot come to mean another carving.
 * An instance's name is no identity, and so not unique: the kernel reuses names
 * and changes them when a driver is loaded again. Granules are.
 */
static const char *const schema[] = {
	"CREATE TABLE boot("
	"one INTEGER PRIMARY KEY CHECK (one = 1), "
	"id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 64), "
	"serial INTEGER NOT NULL CHECK (serial >= 0)"
	") STRICT",

	"CREATE TABLE carving("
	"id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0), "
	"uuid TEXT NOT NULL "
	"CHECK (length(uuid) = 36 AND uuid NOT GLOB '*[^0-9a-f-]*'), "
	"name TEXT NOT NULL CHECK (name <> ''), "
	"tenant TEXT NOT NULL CHECK (length(tenant) BETWEEN 1 AND 64 "
	"AND tenant GLOB '[A-Za-z0-9]*' AND tenant NOT GLOB '*[^A-Za-z0-9._-]*'), "
	"state TEXT NOT NULL "
	"CHECK (state IN ('intent', 'active', 'releasing', 'scrubbing')), "
	"instance TEXT CHECK (instance GLOB 'dax' || region || '.[0-9]*' "
	"AND substr(instance, 4) NOT GLOB '*[^0-9.]*'), "
	"cell INTEGER NOT NULL CHECK (cell BETWEEN 0 AND 4294967295), "
	"region INTEGER NOT NULL CHECK (region BETWEEN 0 AND 4294967295), "
	"node INTEGER NOT NULL CHECK (node BETWEEN 0 AND 2147483647), "
	"size INTEGER NOT NULL CHECK (size > 0 AND size % align = 0), "
	"align INTEGER NOT NULL CHECK (align IN (2097152, 1073741824)), "
	"granule INTEGER NOT NULL CHECK (granule BETWEEN 2097152 AND 1073741824 "
	"AND granule & (granule - 1) = 0), "
	"pid INTEGER NOT NULL CHECK (pid >= 0), "
	"pid_start INTEGER NOT NULL CHECK (pid_start >= 0), "
	"boot_id TEXT NOT NULL CHECK (length(boot_id) BETWEEN 1 AND 64), "
	"zeroed INTEGER NOT NULL CHECK (zeroed IN (0, 1)), "
	"UNIQUE (uuid, cell), "
	"CHECK (state <> 'active' OR instance IS NOT NULL)"
	") STRICT",

	"CREATE TABLE granule("
	"start INTEGER PRIMARY KEY CHECK (start >= 0 AND start % size = 0), "
	"size INTEGER NOT NULL CHECK (size BETWEEN 2097152 AND 1073741824 "
	"AND size & (size - 1) = 0), "
	"state TEXT NOT NULL CHECK (state IN ('clean', 'held', 'dirty', 'bad')), "
	"carving INTEGER REFERENCES carving(id), "
	"color INTEGER CHECK (color BETWEEN 0 AND 65535), "
	"page_order INTEGER CHECK (page_order >= 0), "
	"tenant TEXT CHECK (tenant IS NULL OR length(tenant) BETWEEN 1 AND 64), "
	"CHECK (state <> 'held' OR carving IS NOT NULL), "
	"CHECK (state <> 'dirty' OR carving IS NULL), "
	"CHECK (state = 'dirty' OR tenant IS NULL), "
	"CHECK ((color IS NULL) = (carving IS NULL)), "
	"CHECK ((page_order IS NULL) = (carving IS NULL))"
	") STRICT",

	"CREATE TABLE reservation("
	"node INTEGER NOT NULL CHECK (node BETWEEN 0 AND 2147483647), "
	"color INTEGER NOT NULL CHECK (color BETWEEN 0 AND 65535), "
	"tenant TEXT NOT NULL CHECK (length(tenant) BETWEEN 1 AND 64 "
	"AND tenant GLOB '[A-Za-z0-9]*' AND tenant NOT GLOB '*[^A-Za-z0-9._-]*'), "
	"colors INTEGER NOT NULL CHECK (colors BETWEEN 1 AND 65536 AND color < colors), "
	"granule INTEGER NOT NULL CHECK (granule BETWEEN 2097152 AND 1073741824 "
	"AND granule & (granule - 1) = 0), "
	"PRIMARY KEY (node, color)"
	") STRICT, WITHOUT ROWID",

	("CREATE UNIQUE INDEX granule_carving ON granule(carving, page_order) "
	 "WHERE carving IS NOT NULL"),
};

/*
 * From schema 1, which knew neither scrubbing, nor whose bytes a dirty granule
 * has, nor reservations. Constraints cannot be altered in place, and a renamed
 * table is not written as ours are: everything is taken out and put back. The
 * sequence keeps ids from being used again.
 */
static const char take_out_1[] =
	"CREATE TEMP TABLE old_boot AS SELECT * FROM main.boot;"
	"CREATE TEMP TABLE old_carving AS SELECT * FROM main.carving;"
	"CREATE TEMP TABLE old_granule AS SELECT * FROM main.granule;"
	"CREATE TEMP TABLE old_sequence AS SELECT * FROM main.sqlite_sequence;"
	"DROP TABLE main.granule; DROP TABLE main.carving; DROP TABLE main.boot;";
static const char put_back_1[] =
	"INSERT INTO boot(one, id, serial) SELECT one, id, 0 FROM old_boot;"
	"INSERT INTO carving(id, uuid, name, tenant, state, instance, cell, region, "
	"node, "
	"size, align, granule, pid, pid_start, boot_id, zeroed) "
	"SELECT id, uuid, name, tenant, state, instance, cell, region, node, "
	"size, align, granule, pid, pid_start, boot_id, 0 FROM old_carving;"
	"INSERT INTO granule(start, size, state, carving, color, page_order) "
	"SELECT start, size, state, carving, color, page_order FROM old_granule;"
	"DELETE FROM main.sqlite_sequence;"
	"INSERT INTO main.sqlite_sequence(name, seq) SELECT name, seq FROM old_sequence;"
	"DROP TABLE old_boot; DROP TABLE old_carving; DROP TABLE old_granule;"
	"DROP TABLE old_sequence;";

/*
 * Why a rollback journal, truncated, and not WAL. Writers are few and short
 * here, and commit is rare; what counts is that a read-only open needs no
 * writable directory (WAL's -shm does), that the ledger at rest is one file
 * which can be copied, and that a commit survives a power cut: synchronous =
 * FULL syncs the journal, the file, and the journal's truncation. (DELETE would
 * do so only with EXTRA, and syncs a directory each time.) Readers work beside
 * a writer until the moment of its commit; without cache_spill a large
 * transaction does not lock them out before that.
 */
static const char settings[] = "PRAGMA foreign_keys = ON;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA cache_spill = OFF;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA cell_size_check = ON;";

#define CARVING_COLUMNS                                                                  \
	"id, uuid, name, tenant, state, instance, cell, region, node, size, align, "     \
	"granule, pid, pid_start, boot_id, zeroed"
#define HELD_COLUMNS "carving, start, size, color, page_order, granule.state"
/* Granules are at most 1 GiB, which bounds how far back one can begin. */
#define OVERLAPPING                                                                      \
	"start > ?1 - 1073741824 AND start < ?1 + ?2 AND granule.start + granule.size "  \
	"> ?1"
#define LET_GO "carving = NULL, color = NULL, page_order = NULL"

static const char *const statements[SQL_N] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_SNAPSHOT] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_ENTER] = "SAVEPOINT call",
	[SQL_UNDO] = "ROLLBACK TO call",
	[SQL_LEAVE] = "RELEASE call",
	[SQL_CARVINGS] = "SELECT " CARVING_COLUMNS " FROM carving ORDER BY id",
	[SQL_CARVINGS_OF] = "SELECT " CARVING_COLUMNS
			    " FROM carving WHERE uuid = ?1 ORDER BY id",
	[SQL_HELD] = "SELECT " HELD_COLUMNS
		     " FROM granule WHERE +carving IS NOT NULL ORDER BY start",
	[SQL_HELD_OF] = "SELECT " HELD_COLUMNS " FROM granule WHERE carving IN "
			"(SELECT id FROM carving WHERE uuid = ?1) ORDER BY start",
	[SQL_GRANULES] =
		"SELECT start, size, state, carving, tenant FROM granule ORDER BY start",
	[SQL_ADD_CARVING] =
		"INSERT INTO carving(uuid, name, tenant, state, instance, cell, "
		"region, node, size, align, granule, pid, pid_start, boot_id, zeroed) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
		"?13, ?14, ?15)",
	[SQL_UPDATE_CARVING] = "UPDATE carving SET state = ?2, instance = ?3, pid = ?4, "
			       "pid_start = ?5, zeroed = ?6 WHERE id = ?1",
	[SQL_REMOVE_CARVING] = "DELETE FROM carving WHERE id = ?1",
	[SQL_OVERLAPS] = "SELECT start, granule.size, granule.state, carving, name "
			 "FROM granule LEFT JOIN carving ON carving.id = granule.carving "
			 "WHERE " OVERLAPPING " ORDER BY start",
	[SQL_FORGET] = "DELETE FROM granule WHERE " OVERLAPPING " AND carving IS NULL",
	[SQL_HOLD] =
		"INSERT INTO granule(start, size, state, carving, color, page_order) "
		"VALUES (?1, ?2, 'held', ?3, ?4, ?5)",
	[SQL_MARK] = "INSERT INTO granule(start, size, state) VALUES (?1, ?2, ?3) "
		     "ON CONFLICT(start) DO UPDATE SET state = excluded.state, "
		     "tenant = NULL",
	[SQL_CLEANED] = "UPDATE granule SET state = 'clean' WHERE carving = "
			"(SELECT id FROM carving WHERE id = ?1 AND state = 'scrubbing') "
			"AND start = ?2 AND state = 'held'",
	/* What a scrubber has cleaned already stays clean. */
	[SQL_FREE] = "UPDATE granule SET state = iif(state = 'held', ?2, state), "
		     "tenant = iif(state = 'held' AND ?2 = 'dirty', (SELECT tenant FROM "
		     "carving WHERE id = ?1 AND zeroed = 1), NULL), " LET_GO
		     " WHERE carving = ?1",
	[SQL_RESERVATIONS] = "SELECT node, color, tenant, colors, granule "
			     "FROM reservation ORDER BY node, color",
	[SQL_RESERVE] = "INSERT INTO reservation(node, color, tenant, colors, granule) "
			"VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_UNRESERVE] = "DELETE FROM reservation WHERE tenant = ?1 AND node = ?2",
	[SQL_BOOT] = "SELECT id FROM boot",
	[SQL_SET_BOOT] = "INSERT INTO boot(one, id, serial) VALUES (1, ?1, 0) "
			 "ON CONFLICT(one) DO UPDATE SET id = excluded.id",
	[SQL_SERIAL] = "SELECT serial FROM boot",
	[SQL_SET_SERIAL] = "UPDATE boot SET serial = ?1",
	[SQL_NEXT_SERIAL] = "UPDATE boot SET serial = serial + 1",
	[SQL_FREE_OTHER_BOOTS] = "UPDATE granule SET state = iif(state = 'bad', 'bad', "
				 "'dirty'), tenant = NULL, " LET_GO " WHERE carving IN "
				 "(SELECT id FROM carving WHERE boot_id <> ?1)",
	[SQL_REMOVE_OTHER_BOOTS] = "DELETE FROM carving WHERE boot_id <> ?1",
	[SQL_SOIL] = "UPDATE granule SET state = iif(state <> 'clean', state, "
		     "iif(carving IS NULL, 'dirty', 'held')), tenant = NULL "
		     "WHERE state = 'clean' OR tenant IS NOT NULL",
};

#define WAY_OUT "restore it from a backup, or move it away and run \"daxcolor recover\""

static gboolean G_GNUC_PRINTF(3, 4)
	ledger_error(const DaxcLedger *ledger, GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_LEDGER, "ledger %s: %s", ledger->path,
		    text);
	return FALSE;
}

gboolean ledger_damaged(const DaxcLedger *ledger, GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return ledger_error(
		ledger, error,
		"%s: somebody edited the ledger or its disk is failing; " WAY_OUT, text);
}

/*
 * Which other process has the file locked, as far as /proc/locks tells (not
 * across PID namespaces, not on every file system), or 0. Who writes comes
 * before who reads. The file is not opened for this: closing it again would
 * drop our own locks (POSIX).
 */
static int lock_holder(const DaxcLedger *ledger)
{
	g_autofree char *locks = NULL;
	g_auto(GStrv) lines = NULL;
	gboolean writes = FALSE;
	int holder = 0;
	struct stat st;

	if (!ledger->file || stat(ledger->file, &st) != 0 ||
	    !g_file_get_contents("/proc/locks", &locks, NULL, NULL))
		return 0;
	lines = g_strsplit(locks, "\n", -1);
	for (char **line = lines; *line && !writes; line++) {
		unsigned int major, minor;
		unsigned long inode;
		char kind[8];
		int pid;

		if (sscanf(*line, "%*u: POSIX %*s %7s %d %x:%x:%lu", kind, &pid, &major,
			   &minor, &inode) != 5)
			continue;
		if (pid <= 0 || pid == getpid() || inode != st.st_ino ||
		    makedev(major, minor) != st.st_dev)
			continue;
		writes = strcmp(kind, "WRITE") == 0;
		holder = pid;
	}
	return holder;
}

/* Returns: (transfer full): " (process 12, \"daxcolor\")", or "". */
static char *describe_process(int pid)
{
	g_autofree char *file = g_strdup_printf("/proc/%d/comm", pid);
	g_autofree char *name = NULL;

	if (pid == 0 || !g_file_get_contents(file, &name, NULL, NULL))
		return g_strdup("");
	return g_strdup_printf(" (process %d, \"%s\")", pid, g_strchomp(name));
}

static gboolean busy(const DaxcLedger *ledger, GError **error)
{
	g_autofree char *holder = describe_process(lock_holder(ledger));

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "ledger %s: another user of it%s was not done within %u ms; nothing "
		    "was changed, try again",
		    ledger->path, holder, ledger->wait_ms);
	return FALSE;
}

gboolean ledger_failed(const DaxcLedger *ledger, const char *what, GError **error)
{
	const char *reason = sqlite3_errmsg(ledger->db);
	int code = sqlite3_extended_errcode(ledger->db);
	int system_errno = sqlite3_system_errno(ledger->db);

	switch (code & 0xff) {
	case SQLITE_BUSY:
		return busy(ledger, error);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_TOOBIG:
		return ledger_damaged(ledger, error, "cannot %s: %s", what, reason);
	case SQLITE_CONSTRAINT:
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "ledger %s: cannot %s: %s", ledger->path, what, reason);
		return FALSE;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		/* Their own words ("disk I/O error") hide the reason; so may cleaning up.
		 */
		return ledger_error(ledger, error, "cannot %s: %s: %s", what, reason,
				    system_errno ? g_strerror(system_errno)
						 : "is the disk full, or failing?");
	default:
		break;
	}
	if (code == SQLITE_READONLY_ROLLBACK)
		reason = "its last change was interrupted and must be taken back first, "
			 "which needs write access: run \"daxcolor recover\" as root";
	return ledger_error(ledger, error, "cannot %s: %s", what, reason);
}

/*
 * Waits for another process's lock. SQLite's own handler sleeps longer each
 * time, up to 100 ms, so that in a storm the newcomers overtake those who have
 * waited long. Here all who wait try equally often, which is as fair as
 * polling gets: no queue, but the same chance for everyone. The spread keeps
 * them from coming in step.
 */
static int wait_for_lock(void *data, int tries)
{
	DaxcLedger *ledger = data;
	gint64 now = g_get_monotonic_time();

	if (tries == 0) {
		ledger->wait_end = now + (gint64)ledger->wait_ms * 1000;
		ledger->wait_said = now + SAY_AFTER_US;
	}
	if (now >= ledger->wait_end)
		return 0;
	if (now >= ledger->wait_said) {
		g_autofree char *holder = describe_process(lock_holder(ledger));

		g_message("ledger %s: waiting for another user of it%s", ledger->path,
			  holder);
		ledger->wait_said = ledger->wait_end;
	}
	g_usleep((gulong)MIN(ledger->wait_end - now, g_random_int_range(1000, 4000)));
	return 1;
}

LedgerStmt *ledger_use(DaxcLedger *ledger, enum sql which, GError **error)
{
	sqlite3_stmt **stmt = &ledger->prepared[which];

	if (!*stmt &&
	    sqlite3_prepare_v3(ledger->db, statements[which], -1,
			       SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK) {
		ledger_failed(ledger, "read", error);
		return NULL;
	}
	return *stmt;
}

gboolean ledger_finish(DaxcLedger *ledger, LedgerStmt *stmt, const char *what,
		       GError **error)
{
	return sqlite3_step(stmt) == SQLITE_DONE || ledger_failed(ledger, what, error);
}

gboolean ledger_run(DaxcLedger *ledger, enum sql which, const char *what, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, which, error);

	return stmt && ledger_finish(ledger, stmt, what, error);
}

void ledger_bind_text(LedgerStmt *stmt, int column, const char *text)
{
	sqlite3_bind_text(stmt, column, text, -1, SQLITE_STATIC);
}

void ledger_bind_size(LedgerStmt *stmt, int column, guint64 bytes)
{
	sqlite3_bind_int64(stmt, column, (gint64)bytes);
}

gboolean ledger_enter(DaxcLedger *ledger, GError **error)
{
	return ledger_run(ledger, SQL_ENTER, "read", error);
}

gboolean ledger_leave(DaxcLedger *ledger, gboolean ok, GError **error)
{
	/* Some errors (disk full, I/O) have already ended the transaction. */
	if (sqlite3_get_autocommit(ledger->db))
		return ok && ledger_error(ledger, error, "the transaction was lost");
	if (!ok)
		ledger_run(ledger, SQL_UNDO, "undo", NULL);
	return ledger_run(ledger, SQL_LEAVE, "finish", ok ? error : NULL) && ok;
}

gboolean ledger_enter_change(DaxcLedger *ledger, GError **error)
{
	if (sqlite3_txn_state(ledger->db, "main") != SQLITE_TXN_WRITE)
		return ledger_error(ledger, error, "no transaction for writing is open");
	return ledger_enter(ledger, error);
}

/* Opening. */

static gboolean query_number(DaxcLedger *ledger, const char *sql, gint64 *value,
			     GError **error)
{
	sqlite3_stmt *stmt = NULL;
	gboolean ok;

	ok = sqlite3_prepare_v2(ledger->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	     sqlite3_step(stmt) == SQLITE_ROW;
	if (ok)
		*value = sqlite3_column_int64(stmt, 0);
	else
		ledger_failed(ledger, "read", error);
	sqlite3_finalize(stmt);
	return ok;
}

static gboolean execute(DaxcLedger *ledger, const char *sql, const char *what,
			GError **error)
{
	return sqlite3_exec(ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
	       ledger_failed(ledger, what, error);
}

/* Whoever can write the ledger, or replace it, has every guest's memory. */
static gboolean trust(const DaxcLedger *ledger, const char *path, GError **error)
{
	struct stat st;

	if (geteuid() != 0)
		return TRUE;
	if (lstat(path, &st) != 0)
		return ledger_error(ledger, error, "%s: %s", path, g_strerror(errno));
	if (st.st_uid != 0)
		return ledger_error(ledger, error,
				    "%s belongs to user %u, who could forge it: look at "
				    "what is in it, then \"chown root\" it or remove it",
				    path, st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return ledger_error(ledger, error,
				    "%s can be written by others than root (mode %04o): "
				    "look at what is in it, then \"chmod go-w\" it",
				    path, st.st_mode & 07777);
	return TRUE;
}

/* Makes the directory where it is to be made; @real is NULL when it is missing. */
static gboolean locate_directory(DaxcLedger *ledger, char **real, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(ledger->path);
	char *resolved;

	if (!ledger->read_only && g_mkdir_with_parents(directory, 0700) != 0)
		return ledger_error(ledger, error, "cannot make the directory %s: %s",
				    directory, g_strerror(errno));
	resolved = realpath(directory, NULL);
	*real = g_strdup(resolved);
	free(resolved);
	if (!*real)
		return (ledger->read_only && errno == ENOENT) ||
		       ledger_error(ledger, error, "%s", g_strerror(errno));
	if (!ledger->read_only &&
	    faccessat(AT_FDCWD, *real, W_OK | X_OK, AT_EACCESS) != 0)
		return ledger_error(ledger, error, "cannot write in the directory %s: %s",
				    *real, g_strerror(errno));
	return trust(ledger, *real, error);
}

/*
 * Finds the file, or makes it, empty and with its mode from the start. mknod()
 * does that without opening it: closing the file again would drop the locks
 * that another ledger of this process may have on it (POSIX).
 */
static gboolean locate(DaxcLedger *ledger, GError **error)
{
	g_autofree char *directory = NULL;
	g_autofree char *name = g_path_get_basename(ledger->path);
	g_autofree char *file = NULL;
	struct stat st;

	if (!locate_directory(ledger, &directory, error))
		return FALSE;
	if (!directory)
		return TRUE;
	file = g_build_filename(directory, name, NULL);
	if (!ledger->read_only && mknod(file, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
		return ledger_error(ledger, error, "cannot make it: %s",
				    g_strerror(errno));
	if (lstat(file, &st) != 0)
		return (ledger->read_only && errno == ENOENT) ||
		       ledger_error(ledger, error, "%s", g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ledger_error(ledger, error, "is not a regular file");
	ledger->file = g_steal_pointer(&file);
	return trust(ledger, ledger->file, error);
}

/*
 * Also a ledger that is only read is opened for writing where that is possible,
 * so that a commit which a power cut interrupted can be taken back. The rest
 * keeps a doctored file from making us run, or read, more than our tables.
 */
static gboolean connect_file(DaxcLedger *ledger, GError **error)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (ledger->file)
		flags |= SQLITE_OPEN_NOFOLLOW;
	if (sqlite3_open_v2(ledger->file ? ledger->file : ":memory:", &ledger->db, flags,
			    NULL) != SQLITE_OK)
		return ledger_failed(ledger, "open it", error);
	sqlite3_busy_handler(ledger->db, wait_for_lock, ledger);
	sqlite3_limit(ledger->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	/* A file of a later daxcolor may be in WAL mode: leave it as it is. */
	sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return execute(ledger, settings, "open it", error);
}

/* What a file says it is, in its header and by having tables. */
struct identity {
	gint64 application;
	gint64 version;
	gint64 objects;
};

static gboolean identify(DaxcLedger *ledger, struct identity *id, GError **error)
{
	return query_number(ledger, "PRAGMA application_id", &id->application, error) &&
	       query_number(ledger, "PRAGMA user_version", &id->version, error) &&
	       query_number(ledger, "SELECT count(*) FROM sqlite_schema", &id->objects,
			    error);
}

/* Nothing was ever written: the file was just made, or its maker died. */
static gboolean is_blank(const struct identity *id)
{
	return id->application == 0 && id->version == 0 && id->objects == 0;
}

static gboolean create_schema(DaxcLedger *ledger, GError **error)
{
	g_autofree char *identity =
		g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %d;",
				APPLICATION_ID, DAXC_LEDGER_VERSION);

	for (gsize i = 0; i < G_N_ELEMENTS(schema); i++) {
		if (!execute(ledger, schema[i], "make its tables", error))
			return FALSE;
	}
	return execute(ledger, identity, "make its tables", error);
}

/* Somebody else may be doing the same at this moment: the lock decides. */
static gboolean create(DaxcLedger *ledger, GError **error)
{
	struct identity id;

	if (!ledger_run(ledger, SQL_BEGIN, "make it", error))
		return FALSE;
	if (identify(ledger, &id, error) &&
	    (!is_blank(&id) || create_schema(ledger, error)) &&
	    ledger_run(ledger, SQL_COMMIT, "make it", error))
		return TRUE;
	daxc_ledger_rollback(ledger);
	return FALSE;
}

static gboolean is_old(const struct identity *id)
{
	return id->application == APPLICATION_ID && id->version == 1;
}

/* As in create(): another process may have been first. */
static gboolean upgrade(DaxcLedger *ledger, GError **error)
{
	struct identity id;

	if (ledger->read_only)
		return ledger_error(ledger, error,
				    "was written by an older daxcolor: run \"daxcolor "
				    "recover\" as root, which brings it up to date");
	if (!ledger_run(ledger, SQL_BEGIN, "bring it up to date", error))
		return FALSE;
	if (identify(ledger, &id, error) &&
	    (!is_old(&id) ||
	     (execute(ledger, take_out_1, "bring it up to date", error) &&
	      create_schema(ledger, error) &&
	      execute(ledger, put_back_1, "bring it up to date", error))) &&
	    ledger_run(ledger, SQL_COMMIT, "bring it up to date", error))
		return TRUE;
	daxc_ledger_rollback(ledger);
	return FALSE;
}

static gboolean check_identity(DaxcLedger *ledger, GError **error)
{
	struct identity id;

	if (!identify(ledger, &id, error))
		return FALSE;
	if (id.application != APPLICATION_ID)
		return ledger_error(ledger, error,
				    "is an SQLite database of another program, not a "
				    "ledger: move it away, or choose another state "
				    "directory");
	if (id.version > DAXC_LEDGER_VERSION)
		return ledger_error(ledger, error,
				    "was written by a newer daxcolor (schema "
				    "%" G_GINT64_FORMAT ", this one knows %d): install "
				    "that daxcolor again; the ledger was not touched",
				    id.version, DAXC_LEDGER_VERSION);
	if (id.version != DAXC_LEDGER_VERSION)
		return ledger_damaged(ledger, error,
				      "there is no schema %" G_GINT64_FORMAT, id.version);
	return TRUE;
}

/* A table without our constraints would let rows in that cannot be. */
static gboolean check_schema(DaxcLedger *ledger, GError **error)
{
	sqlite3_stmt *stmt = NULL;
	gboolean same = TRUE;
	gsize n = 0;
	int code;

	code = sqlite3_prepare_v2(ledger->db,
				  "SELECT sql FROM sqlite_schema "
				  "WHERE name NOT LIKE 'sqlite_%' ORDER BY rowid",
				  -1, &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		const char *sql;

		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		sql = (const char *)sqlite3_column_text(stmt, 0);
		same = same && n < G_N_ELEMENTS(schema) && g_strcmp0(sql, schema[n]) == 0;
		n++;
	}
	if (code != SQLITE_DONE)
		ledger_failed(ledger, "read its tables", error);
	else if (!same || n != G_N_ELEMENTS(schema))
		ledger_damaged(ledger, error,
			       "its tables are not those that daxcolor makes");
	sqlite3_finalize(stmt);
	return code == SQLITE_DONE && same && n == G_N_ELEMENTS(schema);
}

static gboolean set_up_writing(DaxcLedger *ledger, GError **error)
{
	sqlite3_stmt *stmt = NULL;
	gboolean ok;

	if (sqlite3_db_readonly(ledger->db, "main") == 1)
		return ledger_error(ledger, error, "is write-protected");
	/* Answers with the mode that is in force then; WAL would be kept if busy. */
	ok = sqlite3_prepare_v2(ledger->db, "PRAGMA journal_mode = TRUNCATE", -1, &stmt,
				NULL) == SQLITE_OK &&
	     sqlite3_step(stmt) == SQLITE_ROW;
	if (!ok)
		ledger_failed(ledger, "set its journal up", error);
	else if (g_strcmp0((const char *)sqlite3_column_text(stmt, 0), "wal") == 0)
		ok = busy(ledger, error);
	sqlite3_finalize(stmt);
	return ok;
}

static gboolean open_blank(DaxcLedger *ledger, GError **error)
{
	/* What is empty needs no file to be read. */
	if (ledger->read_only && ledger->file) {
		sqlite3_close(ledger->db);
		ledger->db = NULL;
		g_clear_pointer(&ledger->file, g_free);
		if (!connect_file(ledger, error))
			return FALSE;
	}
	if (ledger->file && !set_up_writing(ledger, error))
		return FALSE;
	return create(ledger, error);
}

static gboolean open_ledger(DaxcLedger *ledger, GError **error)
{
	struct identity id;

	if (!connect_file(ledger, error) || !identify(ledger, &id, error))
		return FALSE;
	if (is_blank(&id) && !open_blank(ledger, error))
		return FALSE;
	if (is_old(&id) && !upgrade(ledger, error))
		return FALSE;
	if (!check_identity(ledger, error) || !check_schema(ledger, error))
		return FALSE;
	if (ledger->read_only)
		return execute(ledger, "PRAGMA query_only = ON", "open it", error);
	return !ledger->file || set_up_writing(ledger, error);
}

/*
 * There is no quick_check here: on a large host it takes longer than all else
 * a hook does. Every row is judged when it is read, and SQLite notices most
 * damage by itself then; daxc_ledger_check() looks at everything.
 */
DaxcLedger *daxc_ledger_open(const char *path, DaxcLedgerMode mode, guint wait_ms,
			     GError **error)
{
	g_autoptr(DaxcLedger) ledger = g_new0(DaxcLedger, 1);

	ledger->wait_ms = wait_ms;
	ledger->read_only = mode == DAXC_LEDGER_READ_ONLY;
	ledger->path = g_strdup(mode == DAXC_LEDGER_MEMORY ? "in memory" : path);
	if (mode != DAXC_LEDGER_MEMORY && !locate(ledger, error))
		return NULL;
	if (!open_ledger(ledger, error))
		return NULL;
	return g_steal_pointer(&ledger);
}

void daxc_ledger_free(DaxcLedger *ledger)
{
	if (!ledger)
		return;
	for (gsize i = 0; i < SQL_N; i++)
		sqlite3_finalize(ledger->prepared[i]);
	sqlite3_close(ledger->db);
	g_free(ledger->path);
	g_free(ledger->file);
	g_free(ledger);
}

gboolean daxc_ledger_changed(const DaxcLedger *ledger)
{
	return sqlite3_total_changes64(ledger->db) > 0;
}

gboolean daxc_ledger_version(DaxcLedger *ledger, gint64 *version, GError **error)
{
	return query_number(ledger, "PRAGMA data_version", version, error);
}

/* Transactions. */

gboolean daxc_ledger_begin(DaxcLedger *ledger, GError **error)
{
	if (!sqlite3_get_autocommit(ledger->db))
		return ledger_error(ledger, error, "a transaction is open already");
	return ledger_run(ledger, ledger->read_only ? SQL_SNAPSHOT : SQL_BEGIN,
			  "begin a transaction", error);
}

gboolean daxc_ledger_commit(DaxcLedger *ledger, GError **error)
{
	if (sqlite3_get_autocommit(ledger->db))
		return ledger_error(ledger, error, "no transaction is open");
	if (ledger_run(ledger, SQL_COMMIT, "commit", error))
		return TRUE;
	daxc_ledger_rollback(ledger);
	return FALSE;
}

void daxc_ledger_rollback(DaxcLedger *ledger)
{
	if (!sqlite3_get_autocommit(ledger->db))
		ledger_run(ledger, SQL_ROLLBACK, "roll back", NULL);
}

gboolean ledger_check_pages(DaxcLedger *ledger, GError **error)
{
	sqlite3_stmt *stmt = NULL;
	gboolean ok = FALSE;

	if (sqlite3_prepare_v2(ledger->db, "PRAGMA integrity_check(1)", -1, &stmt,
			       NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		ledger_failed(ledger, "check it", error);
	} else {
		const char *result = (const char *)sqlite3_column_text(stmt, 0);

		ok = g_strcmp0(result, "ok") == 0 ||
		     ledger_damaged(ledger, error, "%s", result ? result : "no result");
	}
	sqlite3_finalize(stmt);
	return ok;
}
