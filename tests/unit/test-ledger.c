// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ledger against a model, against other processes, against death, full
 * disks, doctored files. DAXC_TEST_SEED repeats a random run.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "adapters/ledger.h"

#define MIB (G_GUINT64_CONSTANT(1) << 20)
#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define BOOT "11111111-2222-3333-4444-555555555555"
#define NEXT_BOOT "66666666-7777-8888-9999-aaaaaaaaaaaa"
#define UUID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define UUID_B "bbbbbbbb-0000-4000-8000-000000000002"
#define NOBODY 65534

/* For children: check's own assertions would go on with the parent's tests. */
#define expect(condition, what)                                                          \
	do {                                                                             \
		if (!(condition)) {                                                      \
			g_printerr("in a child, line %d: %s\n", __LINE__, (what));       \
			_exit(3);                                                        \
		}                                                                        \
	} while (0)

static char *directory;
static char *path;

/* In memory where there is room for it: SQLite syncs a disk some thousand times. */
static void make_directory(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
	g_autofree char *outer = g_build_filename(base, "daxcolor-ledger-XXXXXX", NULL);

	ck_assert(g_mkdtemp(outer));
	/* Children that are not root must be able to get at what is inside. */
	ck_assert_int_eq(chmod(outer, 0755), 0);
	directory = g_build_filename(outer, "state", NULL);
	path = g_build_filename(directory, "ledger.db", NULL);
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(name);
}

static void remove_directory(void)
{
	g_autofree char *outer = g_path_get_dirname(directory);

	nftw(outer, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	g_clear_pointer(&directory, g_free);
	g_clear_pointer(&path, g_free);
}

static void set(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

static DaxcLedger *open_mode(DaxcLedgerMode mode)
{
	g_autoptr(GError) error = NULL;
	DaxcLedger *ledger = daxc_ledger_open(path, mode, 2000, &error);

	unit_assert_no_error(error);
	ck_assert(ledger);
	return ledger;
}

static DaxcLedger *open_ledger(void)
{
	return open_mode(DAXC_LEDGER_CREATE);
}

static void begin(DaxcLedger *ledger)
{
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_ledger_begin(ledger, &error));
	unit_assert_no_error(error);
}

static void commit(DaxcLedger *ledger)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(daxc_ledger_commit(ledger, &error), "%s",
		      error ? error->message : "no error");
	unit_assert_no_error(error);
}

/* Joins as plan.h says, one 2 MiB piece at a time: not how the ledger does it. */
static void make_extents(DaxcCellPlan *plan)
{
	g_array_set_size(plan->extents, 0);
	for (guint64 at = 0; at < plan->size; at += 2 * MIB) {
		const DaxcGranule *granule =
			&g_array_index(plan->granules, DaxcGranule, at / plan->granule);
		DaxcExtent piece = {granule->start + at % plan->granule, 2 * MIB};
		DaxcExtent *last = plan->extents->len
					   ? &g_array_index(plan->extents, DaxcExtent,
							    plan->extents->len - 1)
					   : NULL;

		if (last && last->start + last->size == piece.start)
			last->size += piece.size;
		else
			g_array_append_val(plan->extents, piece);
	}
}

/* A carving of 1 GiB granules at the GiB numbers in @at, ended by 0. */
static DaxcCarving *carving_at(const char *uuid, guint cell, guint64 size,
			       const guint *at)
{
	DaxcCarving *carving = g_new0(DaxcCarving, 1);
	DaxcCellPlan *plan = daxc_cell_plan_new();

	carving->uuid = g_strdup(uuid);
	carving->name = g_strdup_printf("guest-%.1s", uuid);
	carving->tenant = g_strdup_printf("tenant-%.1s", uuid);
	carving->state = DAXC_CARVING_INTENT;
	carving->pid = 4711;
	carving->pid_start = 123456789;
	carving->boot_id = g_strdup(BOOT);
	carving->plan = plan;
	plan->cell = cell;
	plan->region = 0;
	plan->node = 1;
	plan->size = size;
	plan->granule = GIB;
	plan->align = size % GIB == 0 ? GIB : 2 * MIB;
	for (; *at; at++) {
		DaxcGranule granule = {*at * GIB, *at % 4};

		g_array_append_val(plan->granules, granule);
	}
	make_extents(plan);
	return carving;
}

#define carving_of(uuid, cell, size, ...)                                                \
	carving_at(uuid, cell, size, (const guint[]){__VA_ARGS__, 0})

static void insert(DaxcLedger *ledger, DaxcCarving *carving)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_ledger_insert(ledger, carving, &error);

	unit_assert_no_error(error);
	ck_assert(ok);
	ck_assert_int_gt(carving->id, 0);
}

/* A ledger file with one carving: guest a on the granules 4 and 6 GiB. */
static void make_ledger(void)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
	g_autoptr(GError) error = NULL;

	begin(ledger);
	ck_assert(daxc_ledger_boot(ledger, BOOT, NULL, &error));
	insert(ledger, carving);
	ck_assert(daxc_ledger_mark(ledger, 9 * GIB, GIB, DAXC_GRANULE_DIRTY, &error));
	commit(ledger);
}

static GPtrArray *list(DaxcLedger *ledger, const char *uuid)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *carvings = daxc_ledger_carvings(ledger, uuid, &error);

	unit_assert_no_error(error);
	ck_assert(carvings);
	return carvings;
}

static guint count(DaxcLedger *ledger)
{
	g_autoptr(GPtrArray) carvings = list(ledger, NULL);

	return carvings->len;
}

static GArray *granules_of(DaxcLedger *ledger)
{
	g_autoptr(GError) error = NULL;
	GArray *granules = daxc_ledger_granules(ledger, &error);

	unit_assert_no_error(error);
	ck_assert(granules);
	return granules;
}

/* State of the granule at GiB number @at; HELD + 10 when the ledger has none. */
static guint state_at(DaxcLedger *ledger, guint at)
{
	g_autoptr(GArray) granules = granules_of(ledger);

	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		if (granule->start == at * GIB)
			return granule->state;
	}
	return DAXC_GRANULE_HELD + 10;
}

#define UNKNOWN (DAXC_GRANULE_HELD + 10)

static void assert_same_carving(const DaxcCarving *a, const DaxcCarving *b)
{
	ck_assert_int_eq(a->id, b->id);
	ck_assert_str_eq(a->uuid, b->uuid);
	ck_assert_str_eq(a->name, b->name);
	ck_assert_str_eq(a->tenant, b->tenant);
	ck_assert_int_eq(a->state, b->state);
	ck_assert_pstr_eq(a->instance, b->instance);
	ck_assert_int_eq(a->pid, b->pid);
	ck_assert_uint_eq(a->pid_start, b->pid_start);
	ck_assert_str_eq(a->boot_id, b->boot_id);
	ck_assert_uint_eq(a->plan->cell, b->plan->cell);
	ck_assert_uint_eq(a->plan->region, b->plan->region);
	ck_assert_int_eq(a->plan->node, b->plan->node);
	ck_assert_uint_eq(a->plan->size, b->plan->size);
	ck_assert_uint_eq(a->plan->align, b->plan->align);
	ck_assert_uint_eq(a->plan->granule, b->plan->granule);
	ck_assert_uint_eq(a->plan->granules->len, b->plan->granules->len);
	for (guint i = 0; i < a->plan->granules->len; i++) {
		const DaxcGranule *x = &g_array_index(a->plan->granules, DaxcGranule, i);
		const DaxcGranule *y = &g_array_index(b->plan->granules, DaxcGranule, i);

		ck_assert_uint_eq(x->start, y->start);
		ck_assert_uint_eq(x->color, y->color);
	}
	ck_assert_uint_eq(a->plan->extents->len, b->plan->extents->len);
	for (guint i = 0; i < a->plan->extents->len; i++) {
		const DaxcExtent *x = &g_array_index(a->plan->extents, DaxcExtent, i);
		const DaxcExtent *y = &g_array_index(b->plan->extents, DaxcExtent, i);

		ck_assert_uint_eq(x->start, y->start);
		ck_assert_uint_eq(x->size, y->size);
	}
}

/* What is in @file, for byte-wise comparison; no ledger may be open on it. */
static GBytes *contents(const char *file)
{
	g_autoptr(GError) error = NULL;
	char *data = NULL;
	gsize length = 0;

	g_file_get_contents(file, &data, &length, &error);
	unit_assert_no_error(error);
	return g_bytes_new_take(data, length);
}

/* Like g_file_set_contents(), which syncs the disk each time. */
static void write_file(const char *data, gsize size)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	ck_assert_int_eq(write(fd, data, size), size);
	close(fd);
}

/* Runs SQL on the file as somebody with the sqlite3 program would. */
static int raw_sql(const char *sql)
{
	sqlite3 *db = NULL;
	int code;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return code;
}

static void assert_open_fails(DaxcLedgerMode mode, const char *text)
{
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_ledger_open(path, mode, 100, &error));
	unit_assert_error(error, DAXC_ERROR_LEDGER, text);
	ck_assert(strstr(error->message, path));
}

/* Both ways to open it fail, and leave no byte changed and no file beside it. */
static void assert_untouchable(const char *text)
{
	g_autoptr(GBytes) before = contents(path);
	g_autofree char *journal = g_strconcat(path, "-journal", NULL);
	gboolean had_journal = g_file_test(journal, G_FILE_TEST_EXISTS);

	assert_open_fails(DAXC_LEDGER_CREATE, text);
	assert_open_fails(DAXC_LEDGER_READ_ONLY, text);

	g_autoptr(GBytes) after = contents(path);

	ck_assert(g_bytes_equal(before, after));
	ck_assert_int_eq(g_file_test(journal, G_FILE_TEST_EXISTS), had_journal);
}

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	return status;
}

/* What make_ledger() made is all there. */
static void assert_old_state(DaxcLedgerMode mode)
{
	g_autoptr(DaxcLedger) ledger = open_mode(mode);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(count(ledger), 1);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_HELD);
	ck_assert_uint_eq(state_at(ledger, 100), UNKNOWN);
	ck_assert(daxc_ledger_check(ledger, &error));
}

/* Opening. */

START_TEST(file_and_directory_are_made_private)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	struct stat st;

	ck_assert_int_eq(stat(directory, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(count(ledger), 0);
	g_clear_pointer(&ledger, daxc_ledger_free);

	g_autoptr(GBytes) bytes = contents(path);

	ck_assert_int_eq(
		memcmp((const char *)g_bytes_get_data(bytes, NULL) + 68, "DAXC", 4), 0);
	ledger = open_ledger();
	ck_assert_uint_eq(count(ledger), 0);
}
END_TEST

START_TEST(read_only_of_nothing_is_empty_and_makes_nothing)
{
	g_autoptr(DaxcLedger) ledger = open_mode(DAXC_LEDGER_READ_ONLY);
	g_autoptr(GArray) granules = granules_of(ledger);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(count(ledger), 0);
	ck_assert_uint_eq(granules->len, 0);
	ck_assert(daxc_ledger_check(ledger, &error));
	ck_assert(!g_file_test(directory, G_FILE_TEST_EXISTS));

	g_clear_pointer(&ledger, daxc_ledger_free);
	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ledger = open_mode(DAXC_LEDGER_READ_ONLY);
	ck_assert_uint_eq(count(ledger), 0);
	ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));

	/* Its maker died between making the file and its tables. */
	g_clear_pointer(&ledger, daxc_ledger_free);
	ck_assert(g_file_set_contents_full(path, "", 0, G_FILE_SET_CONTENTS_NONE, 0600,
					   NULL));
	ledger = open_mode(DAXC_LEDGER_READ_ONLY);
	ck_assert_uint_eq(count(ledger), 0);
	g_clear_pointer(&ledger, daxc_ledger_free);

	g_autoptr(GBytes) bytes = contents(path);

	ck_assert_uint_eq(g_bytes_get_size(bytes), 0);
	make_ledger();
}
END_TEST

START_TEST(read_only_reads_and_changes_nothing)
{
	make_ledger();

	g_autoptr(GBytes) before = contents(path);
	g_autoptr(DaxcLedger) ledger = open_mode(DAXC_LEDGER_READ_ONLY);
	g_autoptr(DaxcCarving) carving = carving_of(UUID_B, 0, GIB, 5);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(count(ledger), 1);
	begin(ledger);
	ck_assert(!daxc_ledger_insert(ledger, carving, &error));
	unit_assert_error(error, DAXC_ERROR_LEDGER, "no transaction for writing");
	daxc_ledger_rollback(ledger);
	g_clear_pointer(&ledger, daxc_ledger_free);

	g_autoptr(GBytes) after = contents(path);

	ck_assert(g_bytes_equal(before, after));
}
END_TEST

START_TEST(a_snapshot_is_of_one_moment)
{
	make_ledger();

	g_autoptr(DaxcLedger) reader = open_mode(DAXC_LEDGER_READ_ONLY);
	g_autoptr(DaxcLedger)
		writer = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 20, NULL);
	g_autoptr(GError) error = NULL;

	begin(reader);
	ck_assert_uint_eq(count(reader), 1);
	begin(writer);
	ck_assert(daxc_ledger_remove(writer, 1, DAXC_GRANULE_CLEAN, &error));
	ck_assert_uint_eq(count(writer), 0);
	ck_assert_uint_eq(state_at(reader, 4), DAXC_GRANULE_HELD);

	/* It holds the commit up, which then leaves no trace. */
	ck_assert(!daxc_ledger_commit(writer, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, path);
	daxc_ledger_rollback(reader);
	ck_assert_uint_eq(count(writer), 1);
	ck_assert_uint_eq(count(reader), 1);
	begin(writer);
	daxc_ledger_rollback(writer);
}
END_TEST

START_TEST(memory_needs_no_file)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcLedger)
		ledger = daxc_ledger_open(path, DAXC_LEDGER_MEMORY, 0, &error);
	g_autoptr(DaxcLedger)
		other = daxc_ledger_open(NULL, DAXC_LEDGER_MEMORY, 0, &error);
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 4);

	unit_assert_no_error(error);
	begin(ledger);
	insert(ledger, carving);
	commit(ledger);
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert_uint_eq(count(other), 0);
	ck_assert(!g_file_test(directory, G_FILE_TEST_EXISTS));
}
END_TEST

/* A writer of a later daxcolor, in WAL mode, that died with its change in the log. */
static void die_with_a_log(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		expect(raw_sql("PRAGMA journal_mode = WAL; PRAGMA user_version = 3") ==
			       SQLITE_OK,
		       "cannot write");
		sqlite3 *db = NULL;

		sqlite3_open(path, &db);
		sqlite3_exec(db, "DELETE FROM granule", NULL, NULL, NULL);
		raise(SIGKILL);
	}
	ck_assert(WIFSIGNALED(wait_for(pid)));
}

START_TEST(a_ledger_from_the_future_is_left_alone)
{
	g_autofree char *log = g_strconcat(path, "-wal", NULL);

	make_ledger();
	ck_assert_int_eq(raw_sql("PRAGMA user_version = 3"), SQLITE_OK);
	assert_untouchable("newer daxcolor (schema 3, this one knows 2)");
	die_with_a_log();

	g_autoptr(GBytes) before = contents(log);

	ck_assert_uint_gt(g_bytes_get_size(before), 4096);
	assert_untouchable("newer daxcolor (schema 3, this one knows 2)");

	g_autoptr(GBytes) after = contents(log);

	ck_assert(g_bytes_equal(before, after));
}
END_TEST

START_TEST(what_is_no_ledger_is_left_alone)
{
	static const char *const text =
		"this is not a database, whatever its name says; "
		"and it is long enough for a header of one, which "
		"has a hundred bytes\n";

	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ck_assert(g_file_set_contents(path, text, -1, NULL));
	assert_untouchable("file is not a database");
	ck_assert(g_file_set_contents(path, "xy", 2, NULL));
	assert_untouchable("file is not a database");

	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(raw_sql("CREATE TABLE t(x)"), SQLITE_OK);
	ck_assert_int_eq(chmod(path, 0600), 0);
	assert_untouchable("of another program");

	/* Ours by its header, of a schema that never was. */
	ck_assert_int_eq(unlink(path), 0);
	make_ledger();
	ck_assert_int_eq(raw_sql("PRAGMA user_version = 0"), SQLITE_OK);
	assert_untouchable("there is no schema 0");

	/* No tables, but somebody's header. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(raw_sql("PRAGMA user_version = 7"), SQLITE_OK);
	ck_assert_int_eq(chmod(path, 0600), 0);
	assert_untouchable("of another program");
}
END_TEST

START_TEST(tables_that_we_did_not_make_are_refused)
{
	static const char *const edits[] = {
		"CREATE TABLE extra(x)",
		"CREATE TRIGGER t AFTER INSERT ON granule BEGIN DELETE FROM carving; END",
		"CREATE VIEW v AS SELECT 1",
		"DROP INDEX granule_carving",
		"ALTER TABLE granule ADD COLUMN note TEXT",
		"DROP TABLE granule; CREATE TABLE granule(start INTEGER PRIMARY KEY, "
		"size, "
		"state, carving, color, page_order)",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++) {
		make_ledger();
		ck_assert_msg(raw_sql(edits[i]) == SQLITE_OK, "%s", edits[i]);
		assert_untouchable("not those that daxcolor makes");
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

/* Opens the ledger and looks at all of it. */
static gboolean is_sound(GError **error)
{
	g_autoptr(DaxcLedger)
		ledger = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 0, error);

	return ledger && daxc_ledger_check(ledger, error);
}

static gboolean all_zero(const char *data, gsize length)
{
	for (gsize i = 0; i < length; i++) {
		if (data[i] != 0)
			return FALSE;
	}
	return TRUE;
}

START_TEST(a_truncated_ledger_is_damaged)
{
	make_ledger();

	g_autoptr(GBytes) whole = contents(path);
	const char *data = g_bytes_get_data(whole, NULL);
	gsize size = g_bytes_get_size(whole);

	ck_assert_uint_gt(size, 4096);
	/* SQLite takes a single byte for an empty file. */
	for (gsize length = 2; length < size; length += length < 600 ? 37 : 1021) {
		g_autoptr(GError) error = NULL;

		ck_assert_int_eq(truncate(path, (off_t)length), 0);
		/* The last page may end in nothing. */
		if (all_zero(data + length, size - length)) {
			write_file(data, size);
			continue;
		}
		ck_assert_msg(!is_sound(&error), "%zu of %zu bytes", length, size);
		unit_assert_error(error, DAXC_ERROR_LEDGER, "daxcolor recover");
		/* By whole pages it is noticed at once. */
		if (length <= size - 4096)
			assert_open_fails(DAXC_LEDGER_CREATE, "daxcolor recover");
		write_file(data, size);
	}
}
END_TEST

START_TEST(a_ledger_that_was_put_into_wal_mode_is_put_back)
{
	g_autofree char *log = g_strconcat(path, "-wal", NULL);

	make_ledger();
	ck_assert_int_eq(raw_sql("PRAGMA journal_mode = WAL"), SQLITE_OK);
	assert_old_state(DAXC_LEDGER_READ_ONLY);
	assert_old_state(DAXC_LEDGER_CREATE);
	ck_assert(!g_file_test(log, G_FILE_TEST_EXISTS));

	g_autoptr(GBytes) bytes = contents(path);

	/* File format, section 1.3: the read version is 1, not WAL's 2. */
	ck_assert_int_eq(((const char *)g_bytes_get_data(bytes, NULL))[19], 1);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
	g_autofree char *target = g_strconcat(directory, "/elsewhere", NULL);

	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	assert_open_fails(DAXC_LEDGER_CREATE, "is not a regular file");
	assert_open_fails(DAXC_LEDGER_READ_ONLY, "is not a regular file");
	ck_assert_int_eq(rmdir(path), 0);

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_open_fails(DAXC_LEDGER_CREATE, "is not a regular file");
	ck_assert_int_eq(unlink(path), 0);

	ck_assert_int_eq(symlink(target, path), 0);
	assert_open_fails(DAXC_LEDGER_CREATE, "is not a regular file");
	ck_assert(!g_file_test(target, G_FILE_TEST_EXISTS));
	ck_assert_int_eq(unlink(path), 0);
	make_ledger();
	ck_assert_int_eq(rename(path, target), 0);
	ck_assert_int_eq(symlink(target, path), 0);
	assert_open_fails(DAXC_LEDGER_READ_ONLY, "is not a regular file");
}
END_TEST

START_TEST(a_linked_state_directory_is_fine)
{
	g_autofree char *target = g_strconcat(directory, "-elsewhere", NULL);

	ck_assert_int_eq(mkdir(target, 0700), 0);
	ck_assert_int_eq(symlink(target, directory), 0);
	make_ledger();
}
END_TEST

START_TEST(places_that_cannot_hold_a_ledger)
{
	static const struct {
		const char *path;
		DaxcLedgerMode mode;
		const char *text;
	} places[] = {
		{"file/ledger.db", DAXC_LEDGER_CREATE, "cannot make the directory"},
		{"file/ledger.db", DAXC_LEDGER_READ_ONLY, "Not a directory"},
		{"/proc/ledger.db", DAXC_LEDGER_CREATE, "cannot "},
		{"/proc/daxcolor/ledger.db", DAXC_LEDGER_CREATE,
		 "cannot make the directory"},
	};
	g_autofree char *file = g_build_filename(directory, "file", NULL);

	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ck_assert(g_file_set_contents(file, "", 0, NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		g_free(path);
		path = g_canonicalize_filename(places[i].path, directory);
		assert_open_fails(places[i].mode, places[i].text);
	}
}
END_TEST

/* Runs @body as an ordinary user, in a child when this is root. */
static void as_nobody(void (*body)(void))
{
	pid_t pid;

	if (geteuid() != 0) {
		body();
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(2);
		body();
		_exit(0);
	}
	ck_assert_int_eq(wait_for(pid), 0);
}

static gboolean says(const GError *error, const char *text)
{
	if (error && g_error_matches(error, DAXC_ERROR, DAXC_ERROR_LEDGER) &&
	    strstr(error->message, text))
		return TRUE;
	g_printerr("in a child: message \"%s\" lacks \"%s\"\n",
		   error ? error->message : "", text);
	return FALSE;
}

static void open_unwritable(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcLedger) ledger = NULL;
	g_autoptr(GPtrArray) carvings = NULL;

	expect(!daxc_ledger_open(path, DAXC_LEDGER_CREATE, 0, &error), "opened");
	expect(says(error, "cannot write in the directory"), "wrong error");
	g_clear_error(&error);
	ledger = daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, 0, &error);
	expect(ledger != NULL, error ? error->message : "not opened");
	carvings = daxc_ledger_carvings(ledger, NULL, &error);
	expect(carvings && carvings->len == 1, "the carving is not there");
	expect(daxc_ledger_check(ledger, &error), "not whole");
}

START_TEST(a_directory_that_cannot_be_written_can_be_read)
{
	make_ledger();
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chmod(directory, 0555), 0);
	as_nobody(open_unwritable);
	ck_assert_int_eq(chmod(directory, 0700), 0);
}
END_TEST

static void open_write_protected(void)
{
	g_autoptr(GError) error = NULL;

	expect(!daxc_ledger_open(path, DAXC_LEDGER_CREATE, 0, &error), "opened");
	expect(says(error, "is write-protected"), "wrong error");
}

START_TEST(a_file_that_cannot_be_written_is_an_error)
{
	make_ledger();
	ck_assert_int_eq(chmod(path, 0444), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(directory, NOBODY, NOBODY), 0);
	as_nobody(open_write_protected);
}
END_TEST

static void open_unreadable(void)
{
	g_autoptr(GError) error = NULL;

	expect(!daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, 0, &error), "opened");
	expect(says(error, "Permission denied"), "wrong error");
}

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	make_ledger();
	ck_assert_int_eq(chmod(path, 0000), 0);
	ck_assert_int_eq(chmod(directory, 0755), 0);
	as_nobody(open_unreadable);
}
END_TEST

START_TEST(root_trusts_only_what_is_its_own)
{
	if (geteuid() != 0) {
		g_print("skipped, not root: root_trusts_only_what_is_its_own\n");
		return;
	}
	make_ledger();
	ck_assert_int_eq(chmod(path, 0620), 0);
	assert_untouchable("can be written by others than root (mode 0620)");
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(chown(path, NOBODY, 0), 0);
	assert_untouchable("belongs to user 65534");
	ck_assert_int_eq(chown(path, 0, 0), 0);
	ck_assert_int_eq(chmod(directory, 0777), 0);
	assert_untouchable("can be written by others than root (mode 0777)");
	ck_assert_int_eq(chmod(directory, 0700), 0);
	ck_assert_int_eq(chown(directory, NOBODY, 0), 0);
	assert_untouchable("belongs to user 65534");
	ck_assert_int_eq(chown(directory, 0, 0), 0);
	assert_old_state(DAXC_LEDGER_CREATE);
}
END_TEST

/* Carvings. */

START_TEST(carvings_come_back_exactly)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	/* Neighbors in page order join, 7 before 6 does not; 9 is used in part. */
	g_autoptr(DaxcCarving)
		first = carving_of(UUID_A, 1, 5 * GIB + 2 * MIB, 4, 5, 7, 6, 12, 9);
	g_autoptr(DaxcCarving) second = carving_of(UUID_B, 0, GIB, 8);
	g_autoptr(DaxcCarving) third = carving_of(UUID_A, 0, GIB, 10);
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GPtrArray) some = NULL;
	g_autoptr(GPtrArray) none = NULL;

	g_free(second->name);
	second->name = g_strdup("zwölf ';--\n\"");
	second->state = DAXC_CARVING_ACTIVE;
	second->instance = g_strdup("dax4294967295.4294967295");
	second->plan->region = G_MAXUINT;
	second->plan->node = G_MAXINT;
	second->pid = 0;
	second->pid_start = G_MAXINT64;
	third->plan->cell = G_MAXUINT;
	begin(ledger);
	insert(ledger, first);
	insert(ledger, second);
	insert(ledger, third);
	commit(ledger);
	g_clear_pointer(&ledger, daxc_ledger_free);

	ledger = open_ledger();
	all = list(ledger, NULL);
	ck_assert_uint_eq(all->len, 3);
	assert_same_carving(all->pdata[0], first);
	assert_same_carving(all->pdata[1], second);
	assert_same_carving(all->pdata[2], third);
	some = list(ledger, UUID_A);
	ck_assert_uint_eq(some->len, 2);
	assert_same_carving(some->pdata[0], first);
	assert_same_carving(some->pdata[1], third);
	none = list(ledger, "cccccccc-0000-4000-8000-000000000003");
	ck_assert_uint_eq(none->len, 0);
}
END_TEST

START_TEST(a_smaller_granule_may_map_at_1_gib_where_it_joins)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
	DaxcCellPlan *plan = carving->plan;
	g_autoptr(GPtrArray) all = NULL;

	plan->granule = GIB / 2;
	g_array_set_size(plan->granules, 0);
	for (guint i = 0; i < 4; i++) {
		DaxcGranule granule = {4 * GIB + i * plan->granule, i};

		g_array_append_val(plan->granules, granule);
	}
	make_extents(plan);
	begin(ledger);
	insert(ledger, carving);
	commit(ledger);
	all = list(ledger, NULL);
	assert_same_carving(all->pdata[0], carving);
}
END_TEST

static void assert_same_granules(const GArray *a, const GArray *b)
{
	ck_assert_uint_eq(a->len, b->len);
	for (guint i = 0; i < a->len; i++) {
		const DaxcLedgerGranule *x = &g_array_index(a, DaxcLedgerGranule, i);
		const DaxcLedgerGranule *y = &g_array_index(b, DaxcLedgerGranule, i);

		ck_assert_uint_eq(x->start, y->start);
		ck_assert_uint_eq(x->size, y->size);
		ck_assert_uint_eq(x->state, y->state);
		ck_assert_int_eq(x->carving, y->carving);
	}
}

static void assert_refused(DaxcLedger *ledger, DaxcCarving *carving, DaxcError code,
			   const char *text)
{
	g_autoptr(GArray) before = granules_of(ledger);
	g_autoptr(GArray) after = NULL;
	guint carvings = count(ledger);
	g_autoptr(GError) error = NULL;

	carving->id = -5;
	ck_assert(!daxc_ledger_insert(ledger, carving, &error));
	unit_assert_error(error, code, text);
	ck_assert_int_eq(carving->id, -5);
	ck_assert_uint_eq(count(ledger), carvings);
	after = granules_of(ledger);
	assert_same_granules(before, after);
}

START_TEST(a_granule_has_one_carving)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) first = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
	g_autoptr(DaxcCarving) second = carving_of(UUID_B, 0, 2 * GIB, 5, 6);
	g_autoptr(DaxcCarving) twice = carving_of(UUID_B, 0, 2 * GIB, 5, 5);
	g_autoptr(DaxcCarving) bad = carving_of(UUID_B, 0, 2 * GIB, 5, 7);
	g_autoptr(DaxcCarving) again = carving_of(UUID_A, 0, GIB, 5);
	g_autoptr(GError) error = NULL;

	begin(ledger);
	insert(ledger, first);
	assert_refused(ledger, second, DAXC_ERROR_REFUSED,
		       "granule 0x180000000-0x1bfffffff is held by carving 1 (guest "
		       "guest-a)");
	assert_refused(ledger, twice, DAXC_ERROR_REFUSED, "0x140000000-0x17fffffff");
	ck_assert(daxc_ledger_mark(ledger, 7 * GIB, GIB, DAXC_GRANULE_BAD, &error));
	assert_refused(ledger, bad, DAXC_ERROR_REFUSED,
		       "granule 0x1c0000000-0x1ffffffff is bad");
	assert_refused(ledger, again, DAXC_ERROR_REFUSED,
		       "guest guest-a (" UUID_A ") has a carving for its cell 0 already");
	commit(ledger);
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert_uint_eq(state_at(ledger, 5), UNKNOWN);
}
END_TEST

/* Breaks one rule; returns the words that the message must have. */
static const char *break_rule(DaxcCarving *carving, guint rule)
{
	DaxcCellPlan *plan = carving->plan;
	DaxcGranule *granule = &g_array_index(plan->granules, DaxcGranule, 1);
	DaxcExtent *extent = &g_array_index(plan->extents, DaxcExtent, 1);

	switch (rule) {
	case 0:
		set(&carving->uuid, "AAAAAAAA-0000-4000-8000-000000000001");
		return "UUID";
	case 1:
		set(&carving->uuid, "");
		return "UUID";
	case 2:
		set(&carving->name, "");
		return "name";
	case 3:
		set(&carving->name, "\xff");
		return "name";
	case 4:
		set(&carving->tenant, "../x");
		return "tenant";
	case 5:
		set(&carving->instance, "dax1.0");
		return "instance";
	case 6:
		set(&carving->instance, "dax0.1/../x");
		return "instance";
	case 7:
		set(&carving->instance, "dax0.");
		return "instance";
	case 8:
		carving->state = DAXC_CARVING_ACTIVE;
		return "active and has no instance";
	case 9:
		carving->pid = -1;
		return "process id";
	case 10:
		carving->pid_start = G_MAXUINT64;
		return "process id";
	case 11:
		set(&carving->boot_id, "");
		return "boot id";
	case 12:
		plan->node = -1;
		return "node";
	case 13:
		plan->granule = GIB - 1;
		return "granule is not a power of two";
	case 14:
		plan->granule = 2 * GIB;
		return "granule is not a power of two";
	case 15:
		plan->granule = 0;
		return "granule is not a power of two";
	case 16:
		plan->align = 4096;
		return "mapping size is neither";
	case 17:
		plan->size = 0;
		return "size is not a multiple";
	case 18:
		plan->size -= 2 * MIB;
		return "size is not a multiple";
	case 19:
		plan->size = G_GUINT64_CONSTANT(1) << 63;
		return "size is not a multiple";
	case 20:
		plan->size += GIB;
		return "not as many";
	case 21:
		plan->size = GIB;
		return "not as many";
	case 22:
		granule->start += 2 * MIB;
		return "granule is not aligned";
	case 23:
		granule->start = G_GUINT64_CONSTANT(1) << 63;
		return "granule is not aligned";
	case 24:
		granule->color = DAXC_COLORS_MAX;
		return "color";
	case 25:
		extent->start += GIB;
		return "extents are not what its granules make";
	case 26:
		g_array_set_size(plan->extents, 1);
		return "extents are not what its granules make";
	case 27:
		set(&carving->instance, "dax0.12345678901");
		return "instance";
	default:
		return NULL;
	}
}

START_TEST(carvings_that_cannot_be_are_not_taken)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	guint rule;

	begin(ledger);
	for (rule = 0; rule < 100; rule++) {
		g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
		const char *text = break_rule(carving, rule);

		if (!text)
			break;
		assert_refused(ledger, carving, DAXC_ERROR_INVALID, text);
	}
	ck_assert_uint_eq(rule, 28);
}
END_TEST

START_TEST(extents_must_suit_the_mapping_size)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 4);
	DaxcCellPlan *plan = carving->plan;

	/* Two halves of 512 MiB apart: 1 GiB in all, but no 1 GiB mapping. */
	plan->granule = GIB / 2;
	g_array_index(plan->granules, DaxcGranule, 0).start = 4 * GIB;
	g_array_append_val(plan->granules, ((DaxcGranule){6 * GIB, 1}));
	make_extents(plan);
	begin(ledger);
	assert_refused(ledger, carving, DAXC_ERROR_INVALID, "not aligned to its mapping");
	plan->align = 2 * MIB;
	insert(ledger, carving);
}
END_TEST

START_TEST(update_changes_what_it_says_and_nothing_else)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
	g_autoptr(DaxcCarving) other = carving_of(UUID_B, 0, GIB, 5);
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GError) error = NULL;

	begin(ledger);
	insert(ledger, carving);
	insert(ledger, other);
	carving->state = DAXC_CARVING_ACTIVE;
	carving->instance = g_strdup("dax0.3");
	carving->pid = 12;
	carving->pid_start = 34;
	ck_assert(daxc_ledger_update(ledger, carving, &error));
	all = list(ledger, NULL);
	assert_same_carving(all->pdata[0], carving);
	assert_same_carving(all->pdata[1], other);

	set(&carving->instance, NULL);
	ck_assert(!daxc_ledger_update(ledger, carving, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "cannot update a carving");
	g_clear_error(&error);
	set(&carving->instance, "dax1.3");
	ck_assert(!daxc_ledger_update(ledger, carving, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "cannot update a carving");
	g_clear_error(&error);
	set(&carving->instance, "dax0.3");
	carving->id = 77;
	ck_assert(!daxc_ledger_update(ledger, carving, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "no carving 77");
	g_clear_pointer(&all, g_ptr_array_unref);
	carving->id = 1;
	all = list(ledger, NULL);
	assert_same_carving(all->pdata[0], carving);
}
END_TEST

START_TEST(two_active_carvings_may_swap_their_instances)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) first = carving_of(UUID_A, 0, GIB, 4);
	g_autoptr(DaxcCarving) second = carving_of(UUID_B, 0, GIB, 5);
	g_autoptr(GError) error = NULL;

	first->state = second->state = DAXC_CARVING_ACTIVE;
	first->instance = g_strdup("dax0.1");
	second->instance = g_strdup("dax0.2");
	begin(ledger);
	insert(ledger, first);
	insert(ledger, second);
	set(&first->instance, "dax0.2");
	set(&second->instance, "dax0.1");
	ck_assert(daxc_ledger_update(ledger, first, &error));
	ck_assert(daxc_ledger_update(ledger, second, &error));
	commit(ledger);
}
END_TEST

START_TEST(removing_gives_the_granules_back)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) first = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
	g_autoptr(DaxcCarving) second = carving_of(UUID_B, 0, 2 * GIB, 5, 7);
	g_autoptr(DaxcCarving) third = carving_of(UUID_A, 0, 2 * GIB, 4, 5);
	g_autoptr(GError) error = NULL;

	begin(ledger);
	insert(ledger, first);
	insert(ledger, second);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_HELD);
	/* It fails while it is held, and stays bad when it is free again. */
	ck_assert(daxc_ledger_mark(ledger, 6 * GIB, GIB, DAXC_GRANULE_BAD, &error));
	ck_assert(daxc_ledger_remove(ledger, first->id, DAXC_GRANULE_DIRTY, &error));
	ck_assert(daxc_ledger_remove(ledger, second->id, DAXC_GRANULE_CLEAN, &error));
	ck_assert_uint_eq(count(ledger), 0);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_DIRTY);
	ck_assert_uint_eq(state_at(ledger, 6), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(state_at(ledger, 5), DAXC_GRANULE_CLEAN);
	ck_assert_uint_eq(state_at(ledger, 7), DAXC_GRANULE_CLEAN);

	ck_assert(!daxc_ledger_remove(ledger, first->id, DAXC_GRANULE_DIRTY, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "no carving 1");
	g_clear_error(&error);
	insert(ledger, third);
	ck_assert_int_eq(third->id, 3);
	ck_assert(!daxc_ledger_remove(ledger, third->id, DAXC_GRANULE_HELD, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "cannot be held");
	g_clear_error(&error);
	ck_assert(!daxc_ledger_remove(ledger, third->id, DAXC_GRANULE_BAD, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "cannot be bad");
}
END_TEST

START_TEST(ids_are_never_used_again)
{
	gint64 last = 0;

	for (guint i = 0; i < 3; i++) {
		g_autoptr(DaxcLedger) ledger = open_ledger();
		g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 4);

		begin(ledger);
		insert(ledger, carving);
		ck_assert_int_gt(carving->id, last);
		last = carving->id;
		ck_assert(daxc_ledger_remove(ledger, last, DAXC_GRANULE_CLEAN, NULL));
		commit(ledger);
	}
}
END_TEST

/* Granules. */

static void assert_mark(DaxcLedger *ledger, guint64 start, guint64 size,
			DaxcGranuleState state)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_ledger_mark(ledger, start, size, state, &error);

	unit_assert_no_error(error);
	ck_assert(ok);
}

static void assert_no_mark(DaxcLedger *ledger, guint64 start, guint64 size,
			   DaxcGranuleState state, DaxcError code, const char *text)
{
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_ledger_mark(ledger, start, size, state, &error));
	unit_assert_error(error, code, text);
}

START_TEST(granules_are_marked)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 8);
	g_autoptr(GArray) granules = NULL;
	const DaxcLedgerGranule *granule;

	begin(ledger);
	insert(ledger, carving);
	assert_mark(ledger, 5 * GIB, GIB, DAXC_GRANULE_DIRTY);
	assert_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_CLEAN);
	assert_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_DIRTY);
	assert_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_BAD);
	assert_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_BAD);
	assert_no_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_CLEAN, DAXC_ERROR_REFUSED,
		       "is bad, and stays so");
	assert_no_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_DIRTY, DAXC_ERROR_REFUSED,
		       "is bad, and stays so");
	assert_no_mark(ledger, 8 * GIB, GIB, DAXC_GRANULE_CLEAN, DAXC_ERROR_REFUSED,
		       "is held by carving 1 (guest guest-a)");
	assert_no_mark(ledger, 9 * GIB, GIB, DAXC_GRANULE_HELD, DAXC_ERROR_INVALID,
		       "marked held");
	assert_no_mark(ledger, 9 * GIB + 4096, GIB, DAXC_GRANULE_DIRTY,
		       DAXC_ERROR_INVALID, "no granule");
	assert_no_mark(ledger, 9 * GIB, 3 * MIB, DAXC_GRANULE_DIRTY, DAXC_ERROR_INVALID,
		       "no granule");
	assert_no_mark(ledger, -GIB, GIB, DAXC_GRANULE_DIRTY, DAXC_ERROR_INVALID,
		       "no granule");
	assert_mark(ledger, 8 * GIB, GIB, DAXC_GRANULE_BAD);
	commit(ledger);

	granules = granules_of(ledger);
	ck_assert_uint_eq(granules->len, 3);
	granule = &g_array_index(granules, DaxcLedgerGranule, 2);
	ck_assert_uint_eq(granule->start, 8 * GIB);
	ck_assert_uint_eq(granule->size, GIB);
	ck_assert_uint_eq(granule->state, DAXC_GRANULE_BAD);
	ck_assert_int_eq(granule->carving, carving->id);
}
END_TEST

START_TEST(granules_of_another_geometry_make_way)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 8);
	g_autoptr(GArray) granules = NULL;

	begin(ledger);
	/* Small ones where the large one is to be, one of them with its start. */
	assert_mark(ledger, 8 * GIB, GIB / 2, DAXC_GRANULE_CLEAN);
	assert_mark(ledger, 8 * GIB + GIB / 2, GIB / 4, DAXC_GRANULE_DIRTY);
	insert(ledger, carving);
	assert_no_mark(ledger, 8 * GIB, GIB / 2, DAXC_GRANULE_CLEAN, DAXC_ERROR_REFUSED,
		       "held");
	assert_no_mark(ledger, 8 * GIB, GIB / 2, DAXC_GRANULE_BAD, DAXC_ERROR_REFUSED,
		       "granule 0x200000000-0x23fffffff is held");
	/* A large free one gives way to a small one. */
	assert_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_CLEAN);
	assert_mark(ledger, 4 * GIB + 2 * MIB, 2 * MIB, DAXC_GRANULE_BAD);
	assert_no_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_CLEAN, DAXC_ERROR_REFUSED,
		       "0x100200000-0x1003fffff is bad");
	assert_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_BAD);
	assert_mark(ledger, 4 * GIB + 2 * MIB, 2 * MIB, DAXC_GRANULE_BAD);
	commit(ledger);

	granules = granules_of(ledger);
	ck_assert_uint_eq(granules->len, 2);
	ck_assert_uint_eq(g_array_index(granules, DaxcLedgerGranule, 0).size, GIB);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(state_at(ledger, 8), DAXC_GRANULE_HELD);
}
END_TEST

START_TEST(a_reboot_forgets_and_soils)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) old = carving_of(UUID_A, 0, 2 * GIB, 4, 6);
	g_autoptr(DaxcCarving) recent = carving_of(UUID_B, 0, GIB, 8);
	g_autoptr(GError) error = NULL;

	begin(ledger);
	ck_assert(daxc_ledger_boot(ledger, BOOT, NULL, &error));
	insert(ledger, old);
	set(&recent->boot_id, NEXT_BOOT);
	insert(ledger, recent);
	assert_mark(ledger, 6 * GIB, GIB, DAXC_GRANULE_BAD);
	assert_mark(ledger, 10 * GIB, GIB, DAXC_GRANULE_CLEAN);
	assert_mark(ledger, 11 * GIB, GIB, DAXC_GRANULE_BAD);
	ck_assert(daxc_ledger_boot(ledger, BOOT, NULL, &error));
	ck_assert_uint_eq(count(ledger), 2);
	ck_assert_uint_eq(state_at(ledger, 10), DAXC_GRANULE_CLEAN);

	ck_assert(daxc_ledger_boot(ledger, NEXT_BOOT, NULL, &error));
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_DIRTY);
	ck_assert_uint_eq(state_at(ledger, 6), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(state_at(ledger, 8), DAXC_GRANULE_HELD);
	ck_assert_uint_eq(state_at(ledger, 10), DAXC_GRANULE_DIRTY);
	ck_assert_uint_eq(state_at(ledger, 11), DAXC_GRANULE_BAD);
	ck_assert(!daxc_ledger_boot(ledger, "", NULL, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "boot id");
}
END_TEST

/* Transactions. */

START_TEST(changes_need_a_transaction)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 4);
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_ledger_insert(ledger, carving, &error));
	unit_assert_error(error, DAXC_ERROR_LEDGER, "no transaction for writing");
	g_clear_error(&error);
	ck_assert(!daxc_ledger_update(ledger, carving, NULL));
	ck_assert(!daxc_ledger_remove(ledger, 1, DAXC_GRANULE_CLEAN, NULL));
	ck_assert(!daxc_ledger_mark(ledger, GIB, GIB, DAXC_GRANULE_DIRTY, NULL));
	ck_assert(!daxc_ledger_boot(ledger, BOOT, NULL, NULL));
	ck_assert(!daxc_ledger_commit(ledger, &error));
	unit_assert_error(error, DAXC_ERROR_LEDGER, "no transaction is open");
	g_clear_error(&error);
	daxc_ledger_rollback(ledger);
	begin(ledger);
	ck_assert(!daxc_ledger_begin(ledger, &error));
	unit_assert_error(error, DAXC_ERROR_LEDGER, "open already");
	insert(ledger, carving);
	commit(ledger);
	ck_assert_uint_eq(count(ledger), 1);
}
END_TEST

START_TEST(rollback_leaves_no_trace)
{
	make_ledger();

	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_B, 0, GIB, 5);
	g_autoptr(GError) error = NULL;

	begin(ledger);
	insert(ledger, carving);
	ck_assert(daxc_ledger_remove(ledger, 1, DAXC_GRANULE_CLEAN, &error));
	assert_mark(ledger, 20 * GIB, GIB, DAXC_GRANULE_BAD);
	ck_assert(daxc_ledger_boot(ledger, NEXT_BOOT, NULL, &error));
	daxc_ledger_rollback(ledger);
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_HELD);
	ck_assert_uint_eq(state_at(ledger, 5), UNKNOWN);
	ck_assert_uint_eq(state_at(ledger, 20), UNKNOWN);
	/* Its boot is the old one again. */
	begin(ledger);
	ck_assert(daxc_ledger_boot(ledger, BOOT, NULL, &error));
	commit(ledger);
	ck_assert_uint_eq(count(ledger), 1);
}
END_TEST

/* A child that has the write lock; it says so, and goes on when told to. */
struct holder {
	pid_t pid;
	int said;
	int told;
};

static void hold_in_child(struct holder *holder, void (*change)(DaxcLedger *))
{
	int up[2], down[2];
	char byte;

	ck_assert_int_eq(pipe(up), 0);
	ck_assert_int_eq(pipe(down), 0);
	holder->pid = fork();
	if (holder->pid == 0) {
		g_autoptr(DaxcLedger)
			ledger = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 0, NULL);

		close(up[0]);
		close(down[1]);
		expect(ledger && daxc_ledger_begin(ledger, NULL), "cannot begin");
		if (change)
			change(ledger);
		expect(write(up[1], "x", 1) == 1, "cannot write");
		expect(read(down[0], &byte, 1) == 1, "not told");
		expect(daxc_ledger_commit(ledger, NULL), "cannot commit");
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	holder->said = up[0];
	holder->told = down[1];
	ck_assert_int_eq(read(holder->said, &byte, 1), 1);
}

static void hold_end(struct holder *holder)
{
	close(holder->said);
	close(holder->told);
}

static void remove_first(DaxcLedger *ledger)
{
	expect(daxc_ledger_remove(ledger, 1, DAXC_GRANULE_CLEAN, NULL), "cannot remove");
}

START_TEST(a_second_writer_waits_and_gives_up)
{
	g_autofree char *locks = NULL;
	g_autofree char *pid = NULL;
	g_autofree char *who = NULL;
	g_autoptr(GError) error = NULL;
	struct holder holder;
	gint64 began, took;

	make_ledger();
	hold_in_child(&holder, remove_first);

	g_autoptr(DaxcLedger)
		ledger = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 150, &error);
	g_autoptr(DaxcLedger) reader = open_mode(DAXC_LEDGER_READ_ONLY);

	unit_assert_no_error(error);
	began = g_get_monotonic_time();
	ck_assert(!daxc_ledger_begin(ledger, &error));
	took = g_get_monotonic_time() - began;
	ck_assert_int_ge(took, 150000);
	ck_assert_int_lt(took, 1500000);
	unit_assert_error(error, DAXC_ERROR_BUSY, "not done within 150 ms");
	who = g_strdup_printf("(process %d, \"test-ledger\")", (int)holder.pid);
	/* Not every file system and container shows its locks in /proc. */
	pid = g_strdup_printf(" %d ", (int)holder.pid);
	if (g_file_get_contents("/proc/locks", &locks, NULL, NULL) && strstr(locks, pid))
		ck_assert_msg(strstr(error->message, who), "%s", error->message);
	else
		g_print("skipped, not in /proc/locks: who has the ledger\n");

	/* Readers go on, and see what was before. */
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert_uint_eq(count(reader), 1);

	ck_assert_int_eq(write(holder.told, "x", 1), 1);
	ck_assert_int_eq(wait_for(holder.pid), 0);
	hold_end(&holder);
	begin(ledger);
	ck_assert_uint_eq(count(ledger), 0);
	daxc_ledger_rollback(ledger);
}
END_TEST

START_TEST(a_large_transaction_keeps_no_reader_out)
{
	g_autofree char *name = g_strnfill(900 * 1024, 'n');

	make_ledger();

	g_autoptr(DaxcLedger) writer = open_ledger();
	g_autoptr(DaxcLedger)
		reader = daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, 0, NULL);

	begin(writer);
	for (guint i = 0; i < 5; i++) {
		g_autoptr(DaxcCarving) carving = carving_of(UUID_B, i, GIB, 10 + i);

		set(&carving->name, name);
		insert(writer, carving);
	}
	ck_assert_uint_eq(count(writer), 6);
	ck_assert_uint_eq(count(reader), 1);
	commit(writer);
	ck_assert_uint_eq(count(reader), 6);
}
END_TEST

START_TEST(a_second_writer_gets_its_turn)
{
	struct holder holder;

	make_ledger();
	hold_in_child(&holder, remove_first);

	g_autoptr(DaxcLedger) ledger = open_ledger();

	ck_assert_int_eq(write(holder.told, "x", 1), 1);
	begin(ledger);
	ck_assert_uint_eq(count(ledger), 0);
	daxc_ledger_rollback(ledger);
	ck_assert_int_eq(wait_for(holder.pid), 0);
	hold_end(&holder);
}
END_TEST

START_TEST(death_in_a_transaction_is_a_rollback)
{
	struct holder holder;

	make_ledger();
	hold_in_child(&holder, remove_first);
	ck_assert_int_eq(kill(holder.pid, SIGKILL), 0);
	wait_for(holder.pid);
	hold_end(&holder);

	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(GError) error = NULL;

	begin(ledger);
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert(daxc_ledger_check(ledger, &error));
	unit_assert_no_error(error);
}
END_TEST

/*
 * Dies in the middle of a commit: SQLite is made to write its pages early, by
 * a cache of one, with the journal that takes them back already on disk.
 */
static void die_half_committed(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sqlite3 *db = NULL;

		sqlite3_open(path, &db);
		expect(sqlite3_exec(db,
				    "PRAGMA cache_size = 1; PRAGMA cache_spill = 1;"
				    "BEGIN IMMEDIATE;"
				    "DELETE FROM granule; DELETE FROM carving;"
				    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
				    "SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO "
				    "granule(start, size, state) SELECT i * 1073741824, "
				    "1073741824, 'bad' FROM n",
				    NULL, NULL, NULL) == SQLITE_OK,
		       sqlite3_errmsg(db));
		raise(SIGKILL);
	}
	ck_assert(WIFSIGNALED(wait_for(pid)));
}

static void open_half_committed(void)
{
	g_autoptr(GError) error = NULL;

	expect(!daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, 0, &error), "opened");
	expect(says(error, "needs write access: run \"daxcolor recover\""),
	       "wrong error");
}

START_TEST(death_in_a_commit_is_a_rollback)
{
	g_autofree char *journal = g_strconcat(path, "-journal", NULL);
	struct stat st;

	make_ledger();
	die_half_committed();
	ck_assert_int_eq(stat(journal, &st), 0);
	ck_assert_int_gt(st.st_size, 512);
	ck_assert_int_eq(chmod(directory, 0555), 0);
	ck_assert_int_eq(chmod(path, 0444), 0);
	ck_assert_int_eq(chmod(journal, 0444), 0);
	as_nobody(open_half_committed);
	ck_assert_int_eq(chmod(directory, 0700), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(chmod(journal, 0600), 0);
	assert_old_state(DAXC_LEDGER_READ_ONLY);
	die_half_committed();
	assert_old_state(DAXC_LEDGER_CREATE);
}
END_TEST

/* Removes what is there and marks many granules; FALSE when a step fails. */
static gboolean write_much(DaxcLedger *ledger, GError **error)
{
	if (!daxc_ledger_begin(ledger, error) ||
	    !daxc_ledger_remove(ledger, 1, DAXC_GRANULE_CLEAN, error))
		return FALSE;
	for (guint i = 0; i < 8000; i++) {
		if (!daxc_ledger_mark(ledger, (100 + i) * GIB, GIB, DAXC_GRANULE_BAD,
				      error))
			return FALSE;
	}
	return daxc_ledger_commit(ledger, error);
}

/* In a child, with files that cannot grow above @limit. */
static void write_too_much(rlim_t bytes, const char *text)
{
	const struct rlimit limit = {bytes, bytes};
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(GError) error = NULL;

	signal(SIGXFSZ, SIG_IGN);
	expect(setrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit");
	expect(!write_much(ledger, &error), "written");
	expect(says(error, text), "wrong error");
	expect(count(ledger) == 1, "not rolled back");
	daxc_ledger_rollback(ledger);
	expect(daxc_ledger_begin(ledger, NULL), "cannot go on");
	daxc_ledger_rollback(ledger);
}

START_TEST(a_full_disk_changes_nothing)
{
	static const struct {
		rlim_t bytes;
		const char *text;
	} limits[] = {
		/* Not even room for the journal; for the journal alone. */
		{8192, "cannot free granules: disk I/O error: File too large"},
		{65536, "cannot commit: disk I/O error: "},
	};

	make_ledger();
	for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			write_too_much(limits[i].bytes, limits[i].text);
			_exit(0);
		}
		ck_assert_int_eq(wait_for(pid), 0);
		assert_old_state(DAXC_LEDGER_CREATE);
	}
}
END_TEST

static void carve_and_release(guint guest)
{
	g_autofree char *uuid =
		g_strdup_printf("%08x-0000-4000-8000-000000000000", guest);

	for (guint i = 0; i < 10; i++) {
		g_autoptr(DaxcLedger)
			ledger = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 60000, NULL);
		g_autoptr(DaxcCarving) carving = carving_of(uuid, 0, GIB, 1 + guest);
		g_autoptr(GError) error = NULL;

		expect(ledger && daxc_ledger_begin(ledger, &error) &&
			       daxc_ledger_insert(ledger, carving, &error) &&
			       daxc_ledger_commit(ledger, &error) &&
			       daxc_ledger_begin(ledger, &error) &&
			       daxc_ledger_remove(ledger, carving->id, DAXC_GRANULE_DIRTY,
						  &error) &&
			       daxc_ledger_commit(ledger, &error),
		       error ? error->message : "cannot open");
	}
}

START_TEST(a_crowd_gets_through_from_nothing)
{
	pid_t pids[12];

	for (guint i = 0; i < G_N_ELEMENTS(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			carve_and_release(i);
			_exit(0);
		}
	}
	for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
		ck_assert_int_eq(wait_for(pids[i]), 0);

	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 40);
	g_autoptr(GArray) granules = granules_of(ledger);

	ck_assert_uint_eq(count(ledger), 0);
	ck_assert_uint_eq(granules->len, G_N_ELEMENTS(pids));
	begin(ledger);
	insert(ledger, carving);
	ck_assert_int_eq(carving->id, 10 * G_N_ELEMENTS(pids) + 1);
}
END_TEST

static gpointer carve_in_thread(gpointer data)
{
	carve_and_release(GPOINTER_TO_UINT(data));
	return NULL;
}

START_TEST(threads_keep_each_others_locks)
{
	GThread *threads[4];

	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("carve", carve_in_thread, GUINT_TO_POINTER(i));
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);

	g_autoptr(DaxcLedger) ledger = open_ledger();

	ck_assert_uint_eq(count(ledger), 0);
}
END_TEST

/* Damage. */

START_TEST(the_schema_keeps_impossible_rows_out)
{
	static const char *const edits[] = {
		"INSERT INTO boot VALUES (2, 'x', 0)",
		"UPDATE boot SET id = ''",
		"UPDATE carving SET id = -1",
		"UPDATE carving SET uuid = 'x'",
		"UPDATE carving SET uuid = upper(uuid)",
		"UPDATE carving SET name = ''",
		"UPDATE carving SET name = NULL",
		"UPDATE carving SET tenant = '../x'",
		"UPDATE carving SET tenant = '-x'",
		"UPDATE carving SET state = 'gone'",
		"UPDATE carving SET state = 'active'",
		"UPDATE carving SET instance = 'dax1.0'",
		"UPDATE carving SET instance = 'dax0.x'",
		"UPDATE carving SET instance = 'dax0.1/../2'",
		"UPDATE carving SET cell = -1",
		"UPDATE carving SET region = -1",
		"UPDATE carving SET node = -1",
		"UPDATE carving SET size = 0",
		"UPDATE carving SET size = size + 1",
		"UPDATE carving SET size = 'much'",
		"UPDATE carving SET align = 4096",
		"UPDATE carving SET granule = 3 << 21",
		"UPDATE carving SET granule = 1 << 31",
		"UPDATE carving SET pid = -1",
		"UPDATE carving SET pid_start = -1",
		"UPDATE carving SET boot_id = ''",
		"INSERT INTO carving SELECT 9, uuid, name, tenant, state, instance, "
		"cell, "
		"region, node, size, align, granule, pid, pid_start, boot_id, zeroed "
		"FROM carving",
		"UPDATE carving SET zeroed = 2",
		"UPDATE granule SET start = start + 1",
		"UPDATE granule SET start = -start",
		"UPDATE granule SET size = size / 3",
		"UPDATE granule SET size = 4096",
		"UPDATE granule SET state = 'free'",
		"UPDATE granule SET state = 'dirty' WHERE carving IS NOT NULL",
		"UPDATE granule SET state = 'held' WHERE carving IS NULL",
		"UPDATE granule SET tenant = 'red' WHERE carving IS NOT NULL",
		"UPDATE boot SET serial = -1",
		"INSERT INTO reservation VALUES (1, 4, 'red', 4, 1 << 30)",
		"INSERT INTO reservation VALUES (1, 0, 'a/b', 4, 1 << 30)",
		"INSERT INTO reservation VALUES (-1, 0, 'red', 4, 1 << 30)",
		"INSERT INTO reservation VALUES (1, 0, 'red', 4, 4096)",
		"UPDATE granule SET color = 65536 WHERE carving IS NOT NULL",
		"UPDATE granule SET color = NULL WHERE carving IS NOT NULL",
		"UPDATE granule SET page_order = NULL WHERE carving IS NOT NULL",
		"UPDATE granule SET page_order = 0 WHERE carving IS NOT NULL",
		"UPDATE granule SET page_order = -1 WHERE carving IS NOT NULL",
		"PRAGMA foreign_keys = 1; UPDATE granule SET carving = 9 WHERE color",
		"PRAGMA foreign_keys = 1; DELETE FROM carving",
	};

	make_ledger();
	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++) {
		int code = raw_sql(edits[i]);

		ck_assert_msg(code == SQLITE_CONSTRAINT, "%d: %s", code, edits[i]);
	}
	assert_old_state(DAXC_LEDGER_CREATE);
}
END_TEST

START_TEST(edited_rows_are_noticed)
{
	static const struct {
		const char *sql;
		const char *text;
	} edits[] = {
		{"UPDATE carving SET state = 'gone'", "\"gone\" is not a state"},
		{"UPDATE carving SET state = 'active'", "active and has no instance"},
		{"UPDATE carving SET uuid = 'x'", "UUID"},
		{"UPDATE carving SET name = ''", "name"},
		{"UPDATE carving SET name = CAST(x'ff' AS TEXT)", "name"},
		{"UPDATE carving SET tenant = 'a/b'", "tenant"},
		{"UPDATE carving SET instance = '../sda'", "instance"},
		{"UPDATE carving SET cell = -1", "out of bounds"},
		{"UPDATE carving SET region = 1 << 32", "out of bounds"},
		{"UPDATE carving SET node = 1 << 31", "out of bounds"},
		{"UPDATE carving SET pid = -1", "out of bounds"},
		{"UPDATE carving SET boot_id = ''", "boot id"},
		{"UPDATE carving SET zeroed = 2", "out of bounds"},
		{"UPDATE carving SET size = size + 1", "size"},
		{"UPDATE carving SET size = size + (1 << 30)", "not as many"},
		{"UPDATE carving SET size = 1 << 60", "not as many"},
		{"UPDATE carving SET size = -(1 << 30)", "out of bounds"},
		{"UPDATE carving SET align = 4096", "mapping size"},
		{"UPDATE carving SET granule = 0", "does not fit its carving"},
		{"UPDATE carving SET granule = 1 << 29", "does not fit its carving"},
		{"UPDATE carving SET id = 5", "carving 1, which does not exist"},
		{"DELETE FROM carving", "carving 1, which does not exist"},
		{"DELETE FROM granule WHERE page_order = 1", "not as many"},
		{"DELETE FROM granule WHERE page_order = 0", "not in one order"},
		{"DROP INDEX granule_carving;"
		 "UPDATE granule SET page_order = 0 WHERE carving IS NOT NULL;"
		 "CREATE INDEX granule_carving ON granule(carving, page_order) "
		 "WHERE carving IS NOT NULL;"
		 "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
		 "replace(sql, 'CREATE', 'CREATE UNIQUE') WHERE type = 'index'",
		 "not in one order"},
		{"UPDATE granule SET page_order = 1 << 40 WHERE page_order = 1",
		 "does not fit its carving"},
		{"UPDATE granule SET page_order = NULL WHERE page_order = 1",
		 "does not fit its carving"},
		{"UPDATE granule SET color = 1 << 16 WHERE page_order = 1",
		 "does not fit its carving"},
		{"UPDATE granule SET start = start + 4096 WHERE page_order = 1",
		 "is not a granule"},
		{"UPDATE granule SET start = -4096 WHERE page_order = 1",
		 "is not a granule"},
		{"UPDATE granule SET size = 0 WHERE page_order = 1", "is not a granule"},
		{"INSERT INTO granule VALUES (4 * (1 << 30) + (1 << 29), 1 << 29, "
		 "'held', 1, 0, 2, NULL)",
		 "overlaps"},
		{"INSERT INTO granule VALUES (4 * (1 << 30) + (1 << 29), 1 << 29, "
		 "'dirty', NULL, NULL, NULL, NULL)",
		 "overlaps"},
		{"INSERT INTO granule VALUES (30 * (1 << 30), 5, 'dirty', NULL, NULL, "
		 "NULL, NULL)",
		 "is not a granule"},
		{"UPDATE granule SET state = 'gone' WHERE carving IS NULL",
		 "cannot be \"gone\""},
		{"UPDATE granule SET state = 'held' WHERE carving IS NULL",
		 "cannot be \"held\""},
		{"UPDATE granule SET state = 'clean' WHERE carving IS NOT NULL",
		 "cannot be \"clean\""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++) {
		g_autofree char *sql = g_strconcat(
			"PRAGMA ignore_check_constraints = ON; ", edits[i].sql, NULL);
		g_autoptr(DaxcLedger) ledger = NULL;
		g_autoptr(GPtrArray) carvings = NULL;
		g_autoptr(GArray) granules = NULL;
		g_autoptr(GError) error = NULL;

		make_ledger();
		ck_assert_msg(raw_sql(sql) == SQLITE_OK, "%s", sql);
		ledger = open_ledger();
		carvings = daxc_ledger_carvings(ledger, NULL, &error);
		if (carvings)
			granules = daxc_ledger_granules(ledger, &error);
		ck_assert_msg(!carvings || !granules, "not noticed: %s", sql);
		unit_assert_error(error, DAXC_ERROR_LEDGER, edits[i].text);
		unit_assert_error(error, DAXC_ERROR_LEDGER, "daxcolor recover");
		ck_assert(!daxc_ledger_check(ledger, NULL));
		g_clear_pointer(&ledger, daxc_ledger_free);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

START_TEST(a_check_sees_what_reading_does_not)
{
	g_autoptr(DaxcLedger) ledger = NULL;
	g_autoptr(GError) error = NULL;

	make_ledger();
	/* A broken rule of a row that listing takes as it is. */
	ck_assert_int_eq(raw_sql("PRAGMA ignore_check_constraints = ON;"
				 "UPDATE boot SET id = ''"),
			 SQLITE_OK);
	ledger = open_ledger();
	ck_assert_uint_eq(count(ledger), 1);
	ck_assert(!daxc_ledger_check(ledger, &error));
	unit_assert_error(error, DAXC_ERROR_LEDGER, "CHECK constraint failed in boot");
}
END_TEST

static guint32 seed(void)
{
	const char *text = g_getenv("DAXC_TEST_SEED");
	guint32 value = text ? (guint32)g_ascii_strtoull(text, NULL, 10) : g_random_int();

	g_print("DAXC_TEST_SEED=%u\n", value);
	return value;
}

/* Whatever the bytes are: an error or a ledger, never a crash or a wild value. */
START_TEST(flipped_bytes_are_survived)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(seed());
	guint opened = 0, listed = 0, sound = 0;

	make_ledger();

	g_autoptr(GBytes) whole = contents(path);
	gsize size = g_bytes_get_size(whole);

	for (guint round = 0; round < 1500; round++) {
		g_autofree char *data = g_memdup2(g_bytes_get_data(whole, NULL), size);
		g_autoptr(DaxcLedger) ledger = NULL;
		g_autoptr(GPtrArray) carvings = NULL;
		guint flips = 1 + (guint)g_rand_int_range(random, 0, 4);

		for (guint i = 0; i < flips; i++) {
			gint32 at = g_rand_int_range(random, 0, (gint32)size);

			data[at] = (char)g_rand_int_range(random, 0, 256);
		}
		write_file(data, size);
		ledger = daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, 0, NULL);
		if (!ledger)
			continue;
		opened++;
		carvings = daxc_ledger_carvings(ledger, NULL, NULL);
		listed += carvings != NULL;
		sound += daxc_ledger_check(ledger, NULL);
	}
	g_print("flipped bytes: of 1500 ledgers %u opened, %u listed, %u sound\n", opened,
		listed, sound);
}
END_TEST

/* The model: the same rules, written down once more, in the plainest way. */

struct model {
	GPtrArray *carvings;
	GArray *granules; /* DaxcLedgerGranule, in any order */
	gint64 next;
	char *boot;
};

static DaxcCarving *copy_carving(const DaxcCarving *carving)
{
	DaxcCarving *copy = g_memdup2(carving, sizeof(*carving));

	copy->uuid = g_strdup(carving->uuid);
	copy->name = g_strdup(carving->name);
	copy->tenant = g_strdup(carving->tenant);
	copy->instance = g_strdup(carving->instance);
	copy->boot_id = g_strdup(carving->boot_id);
	copy->plan = g_memdup2(carving->plan, sizeof(*carving->plan));
	copy->plan->granules = g_array_copy(carving->plan->granules);
	copy->plan->extents = g_array_copy(carving->plan->extents);
	return copy;
}

static struct model *model_new(void)
{
	struct model *model = g_new0(struct model, 1);

	model->carvings =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_carving_free);
	model->granules = g_array_new(FALSE, FALSE, sizeof(DaxcLedgerGranule));
	model->next = 1;
	model->boot = g_strdup("");
	return model;
}

static void model_free(struct model *model)
{
	g_ptr_array_unref(model->carvings);
	g_array_unref(model->granules);
	g_free(model->boot);
	g_free(model);
}

static struct model *model_copy(const struct model *model)
{
	struct model *copy = model_new();

	for (guint i = 0; i < model->carvings->len; i++)
		g_ptr_array_add(copy->carvings, copy_carving(model->carvings->pdata[i]));
	g_array_append_vals(copy->granules, model->granules->data, model->granules->len);
	copy->next = model->next;
	set(&copy->boot, model->boot);
	return copy;
}

static gboolean model_overlap(const DaxcLedgerGranule *granule, guint64 start,
			      guint64 size)
{
	return granule->start < start + size && start < granule->start + granule->size;
}

/* Forgets the free granules in the way; FALSE when one cannot go. */
static gboolean model_make_way(struct model *model, guint64 start, guint64 size)
{
	for (guint i = model->granules->len; i-- > 0;) {
		const DaxcLedgerGranule *granule =
			&g_array_index(model->granules, DaxcLedgerGranule, i);

		if (!model_overlap(granule, start, size))
			continue;
		if (granule->carving || granule->state == DAXC_GRANULE_BAD)
			return FALSE;
		g_array_remove_index_fast(model->granules, i);
	}
	return TRUE;
}

static gboolean model_insert(struct model *model, const DaxcCarving *carving)
{
	const DaxcCellPlan *plan = carving->plan;

	for (guint i = 0; i < model->carvings->len; i++) {
		const DaxcCarving *other = model->carvings->pdata[i];

		if (strcmp(other->uuid, carving->uuid) == 0 &&
		    other->plan->cell == plan->cell)
			return FALSE;
	}
	for (guint i = 0; i < plan->granules->len; i++) {
		DaxcLedgerGranule granule = {
			.start = g_array_index(plan->granules, DaxcGranule, i).start,
			.size = plan->granule,
			.state = DAXC_GRANULE_HELD,
			.carving = model->next,
		};

		if (!model_make_way(model, granule.start, granule.size))
			return FALSE;
		g_array_append_val(model->granules, granule);
	}
	g_ptr_array_add(model->carvings, copy_carving(carving));
	((DaxcCarving *)model->carvings->pdata[model->carvings->len - 1])->id =
		model->next++;
	return TRUE;
}

static gboolean model_mark(struct model *model, guint64 start, guint64 size,
			   DaxcGranuleState state)
{
	DaxcLedgerGranule new = {start, size, state, 0};

	for (guint i = 0; i < model->granules->len; i++) {
		DaxcLedgerGranule *granule =
			&g_array_index(model->granules, DaxcLedgerGranule, i);
		gboolean same = granule->start == start && granule->size == size;

		if (!model_overlap(granule, start, size) || state != DAXC_GRANULE_BAD)
			continue;
		if (same && granule->carving) {
			granule->state = DAXC_GRANULE_BAD;
			return TRUE;
		}
		if (granule->carving)
			return FALSE;
		if (granule->state == DAXC_GRANULE_BAD && granule->size >= size)
			return TRUE;
		granule->state = DAXC_GRANULE_DIRTY;
	}
	if (!model_make_way(model, start, size))
		return FALSE;
	g_array_append_val(model->granules, new);
	return TRUE;
}

static DaxcCarving *model_find(struct model *model, gint64 id, guint *index)
{
	for (*index = 0; *index < model->carvings->len; (*index)++) {
		DaxcCarving *carving = model->carvings->pdata[*index];

		if (carving->id == id)
			return carving;
	}
	return NULL;
}

static gboolean model_remove(struct model *model, gint64 id, DaxcGranuleState state)
{
	guint index;

	if (!model_find(model, id, &index))
		return FALSE;
	for (guint i = 0; i < model->granules->len; i++) {
		DaxcLedgerGranule *granule =
			&g_array_index(model->granules, DaxcLedgerGranule, i);

		if (granule->carving != id)
			continue;
		granule->carving = 0;
		if (granule->state != DAXC_GRANULE_BAD)
			granule->state = state;
	}
	g_ptr_array_remove_index(model->carvings, index);
	return TRUE;
}

static void model_boot(struct model *model, const char *boot)
{
	if (strcmp(model->boot, boot) == 0)
		return;
	set(&model->boot, boot);
	for (guint i = model->carvings->len; i-- > 0;) {
		const DaxcCarving *carving = model->carvings->pdata[i];

		if (strcmp(carving->boot_id, boot) != 0)
			model_remove(model, carving->id, DAXC_GRANULE_DIRTY);
	}
	for (guint i = 0; i < model->granules->len; i++) {
		DaxcLedgerGranule *granule =
			&g_array_index(model->granules, DaxcLedgerGranule, i);

		if (granule->state == DAXC_GRANULE_CLEAN)
			granule->state = DAXC_GRANULE_DIRTY;
	}
}

static gint by_start(gconstpointer a, gconstpointer b)
{
	const DaxcLedgerGranule *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static void model_compare(struct model *model, DaxcLedger *ledger)
{
	g_autoptr(GPtrArray) carvings = list(ledger, NULL);
	g_autoptr(GArray) granules = granules_of(ledger);
	guint of_all = 0;

	ck_assert_uint_eq(carvings->len, model->carvings->len);
	for (guint i = 0; i < carvings->len; i++)
		assert_same_carving(carvings->pdata[i], model->carvings->pdata[i]);
	g_array_sort(model->granules, by_start);
	assert_same_granules(granules, model->granules);
	for (guint guest = 0; guest < 6; guest++) {
		g_autofree char *uuid =
			g_strdup_printf("%08x-0000-4000-8000-000000000000", guest);
		g_autoptr(GPtrArray) some = list(ledger, uuid);

		of_all += some->len;
	}
	ck_assert_uint_eq(of_all, carvings->len);
}

static const char *random_boot(GRand *random)
{
	static const char *const boots[] = {BOOT, NEXT_BOOT, "simulated"};

	return boots[g_rand_int_range(random, 0, G_N_ELEMENTS(boots))];
}

/* A granule among the first GiB numbers: 1 GiB, 512 MiB or 256 MiB. */
static guint64 random_start(GRand *random, guint64 granule)
{
	return (guint64)g_rand_int_range(random, 0, (gint32)(12 * GIB / granule)) *
	       granule;
}

static guint64 random_granule(GRand *random)
{
	gint32 shift = g_rand_int_range(random, -4, 3);

	return GIB >> MAX(0, shift);
}

static DaxcCarving *random_carving(GRand *random)
{
	g_autofree char *uuid = g_strdup_printf("%08x-0000-4000-8000-000000000000",
						(guint)g_rand_int_range(random, 0, 6));
	DaxcCarving *carving =
		carving_of(uuid, (guint)g_rand_int_range(random, 0, 2), GIB, 4);
	DaxcCellPlan *plan = carving->plan;
	guint n = (guint)g_rand_int_range(random, 1, 4);

	set(&carving->boot_id, random_boot(random));
	plan->granule = random_granule(random);
	plan->align = 2 * MIB;
	plan->size = n * plan->granule -
		     2 * MIB * (guint64)g_rand_int_range(random, 0, 100);
	g_array_set_size(plan->granules, 0);
	for (guint i = 0; i < n; i++) {
		DaxcGranule granule = {random_start(random, plan->granule), i};

		g_array_append_val(plan->granules, granule);
	}
	make_extents(plan);
	return carving;
}

static void step_insert(DaxcLedger *ledger, struct model **model, GRand *random)
{
	g_autoptr(DaxcCarving) carving = random_carving(random);
	g_autoptr(GError) error = NULL;
	struct model *after = model_copy(*model);
	gboolean expected = model_insert(after, carving);

	ck_assert_int_eq(daxc_ledger_insert(ledger, carving, &error), expected);
	if (expected) {
		ck_assert_int_eq(carving->id, after->next - 1);
	} else {
		unit_assert_error(error, DAXC_ERROR_REFUSED, "ledger");
		model_free(after);
		return;
	}
	model_free(*model);
	*model = after;
}

static void step_mark(DaxcLedger *ledger, struct model **model, GRand *random)
{
	guint64 granule = random_granule(random);
	guint64 start = random_start(random, granule);
	gint32 dice = g_rand_int_range(random, 0, 20);
	DaxcGranuleState state = dice == 0   ? DAXC_GRANULE_BAD
				 : dice < 10 ? DAXC_GRANULE_CLEAN
					     : DAXC_GRANULE_DIRTY;
	struct model *after = model_copy(*model);
	gboolean expected = model_mark(after, start, granule, state);
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(daxc_ledger_mark(ledger, start, granule, state, &error),
			 expected);
	if (!expected)
		unit_assert_error(error, DAXC_ERROR_REFUSED, "ledger");
	model_free(expected ? *model : after);
	if (expected)
		*model = after;
}

static void step_update(DaxcLedger *ledger, struct model *model, GRand *random)
{
	gint64 id = g_rand_int_range(random, 1, (gint32)model->next + 1);
	g_autoptr(GError) error = NULL;
	guint index;
	DaxcCarving *carving = model_find(model, id, &index);
	g_autoptr(DaxcCarving) other = carving ? NULL : random_carving(random);

	if (!carving) {
		other->id = id;
		ck_assert(!daxc_ledger_update(ledger, other, &error));
		unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "ledger");
		return;
	}
	carving->state = (DaxcCarvingState)g_rand_int_range(random, 0, 3);
	carving->pid = g_rand_int_range(random, 0, G_MAXINT32);
	carving->pid_start = g_rand_int(random);
	set(&carving->instance, carving->state == DAXC_CARVING_INTENT ? NULL : "dax0.7");
	ck_assert(daxc_ledger_update(ledger, carving, &error));
}

static void step_remove(DaxcLedger *ledger, struct model *model, GRand *random)
{
	gint64 id = g_rand_int_range(random, 1, (gint32)model->next + 1);
	DaxcGranuleState state = g_rand_boolean(random) ? DAXC_GRANULE_CLEAN
							: DAXC_GRANULE_DIRTY;
	g_autoptr(GError) error = NULL;

	/* Mostly one that is there. */
	if (model->carvings->len > 0 && g_rand_int_range(random, 0, 8) > 0)
		id = ((DaxcCarving *)model->carvings->pdata[g_rand_int_range(
			      random, 0, (gint32)model->carvings->len)])
			     ->id;
	ck_assert_int_eq(daxc_ledger_remove(ledger, id, state, &error),
			 model_remove(model, id, state));
}

static void step(DaxcLedger *ledger, struct model **model, GRand *random)
{
	gint32 dice = g_rand_int_range(random, 0, 100);

	if (dice < 40) {
		step_insert(ledger, model, random);
	} else if (dice < 65) {
		step_mark(ledger, model, random);
	} else if (dice < 80) {
		step_update(ledger, *model, random);
	} else if (dice < 98) {
		step_remove(ledger, *model, random);
	} else {
		const char *boot = random_boot(random);

		ck_assert(daxc_ledger_boot(ledger, boot, NULL, NULL));
		model_boot(*model, boot);
	}
}

static void run_model(DaxcLedgerMode mode, guint transactions)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(seed());
	g_autoptr(DaxcLedger) ledger = open_mode(mode);
	struct model *model = model_new();
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < transactions; i++) {
		struct model *before = model_copy(model);
		gint32 steps = g_rand_int_range(random, 0, 6);
		gboolean keep = g_rand_int_range(random, 0, 4) > 0;

		begin(ledger);
		while (steps-- > 0)
			step(ledger, &model, random);
		model_compare(model, ledger);
		if (keep)
			commit(ledger);
		else
			daxc_ledger_rollback(ledger);
		model_free(keep ? before : model);
		if (!keep)
			model = before;
		/* Bad granules would use all the room up. */
		if (i % 200 == 199 && mode == DAXC_LEDGER_MEMORY) {
			model_free(model);
			model = model_new();
			daxc_ledger_free(ledger);
			ledger = open_mode(mode);
		} else if (mode == DAXC_LEDGER_CREATE && i % 10 == 9) {
			daxc_ledger_free(ledger);
			ledger = open_mode(mode);
		}
		model_compare(model, ledger);
	}
	ck_assert(daxc_ledger_check(ledger, &error));
	unit_assert_no_error(error);
	model_free(model);
}

START_TEST(random_steps_follow_the_model_in_memory)
{
	run_model(DAXC_LEDGER_MEMORY, 4000);
}
END_TEST

START_TEST(random_steps_follow_the_model_in_a_file)
{
	run_model(DAXC_LEDGER_CREATE, 200);
}
END_TEST

static double since(gint64 *began)
{
	gint64 now = g_get_monotonic_time();
	double took = (double)(now - *began) / 1000;

	*began = g_get_monotonic_time();
	return took;
}

/* 64 TiB at 1 GiB in 4,096 carvings. Times are for people: nothing is asserted. */
START_TEST(the_largest_host)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(GPtrArray) carvings = NULL;
	g_autoptr(GPtrArray) one = NULL;
	g_autoptr(GArray) granules = NULL;
	gint64 began = g_get_monotonic_time();
	double inserted, opened, listed, found, known, checked;

	begin(ledger);
	for (guint i = 0; i < 4096; i++) {
		g_autofree char *uuid =
			g_strdup_printf("%08x-0000-4000-8000-000000000000", i);
		g_autoptr(DaxcCarving)
			carving = carving_of(uuid, 0, 16 * GIB, 1, 1, 1, 1, 1, 1, 1, 1, 1,
					     1, 1, 1, 1, 1, 1, 1);

		for (guint j = 0; j < 16; j++) {
			DaxcGranule *granule =
				&g_array_index(carving->plan->granules, DaxcGranule, j);

			granule->start = (i % 16 + (i / 16 * 16 + j) * 16) * GIB;
		}
		make_extents(carving->plan);
		insert(ledger, carving);
	}
	commit(ledger);
	inserted = since(&began);
	daxc_ledger_free(ledger);
	began = g_get_monotonic_time();
	ledger = open_mode(DAXC_LEDGER_READ_ONLY);
	opened = since(&began);
	carvings = list(ledger, NULL);
	listed = since(&began);
	one = list(ledger, "00000123-0000-4000-8000-000000000000");
	found = since(&began);
	granules = granules_of(ledger);
	known = since(&began);
	ck_assert(daxc_ledger_check(ledger, NULL));
	checked = since(&began);
	ck_assert_uint_eq(carvings->len, 4096);
	ck_assert_uint_eq(one->len, 1);
	ck_assert_uint_eq(granules->len, 65536);
	g_print("65536 granules, 4096 carvings, in ms: insert all %.1f, open %.2f, list "
		"%.1f, find one %.2f, granules %.1f, check %.1f\n",
		inserted, opened, listed, found, known, checked);
}
END_TEST

/* An older schema. */

START_TEST(an_older_ledger_is_brought_up_to_date)
{
	g_autofree char *sql = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_get_contents(TEST_DATA "/ledger-1.sql", &sql, NULL, &error));
	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ck_assert_int_eq(raw_sql(sql), SQLITE_OK);
	ck_assert_int_eq(chmod(path, 0600), 0);
	assert_open_fails(DAXC_LEDGER_READ_ONLY,
			  "older daxcolor: run \"daxcolor recover\"");

	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(GPtrArray) carvings = list(ledger, NULL);
	g_autoptr(DaxcCarving) next = carving_of(UUID_B, 0, GIB, 20);

	ck_assert_uint_eq(carvings->len, 1);
	ck_assert_int_eq(((DaxcCarving *)g_ptr_array_index(carvings, 0))->id, 7);
	ck_assert(!((DaxcCarving *)g_ptr_array_index(carvings, 0))->zeroed);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_HELD);
	ck_assert_uint_eq(state_at(ledger, 8), DAXC_GRANULE_CLEAN);
	ck_assert_uint_eq(state_at(ledger, 9), DAXC_GRANULE_DIRTY);
	ck_assert_uint_eq(state_at(ledger, 10), DAXC_GRANULE_BAD);
	ck_assert(daxc_ledger_check(ledger, &error));
	/* Ids that were used before are still used up. */
	begin(ledger);
	insert(ledger, next);
	commit(ledger);
	ck_assert_int_eq(next->id, 10);
	/* Another one opens it as if it had never been old. */
	g_autoptr(DaxcLedger) other = open_mode(DAXC_LEDGER_READ_ONLY);

	ck_assert_uint_eq(count(other), 2);
}
END_TEST

START_TEST(an_older_ledger_with_impossible_rows_stays_as_it_is)
{
	g_autofree char *sql = NULL;

	ck_assert(g_file_get_contents(TEST_DATA "/ledger-1.sql", &sql, NULL, NULL));
	ck_assert_int_eq(mkdir(directory, 0700), 0);
	ck_assert_int_eq(raw_sql(sql), SQLITE_OK);
	ck_assert_int_eq(raw_sql("PRAGMA ignore_check_constraints = ON;"
				 "UPDATE carving SET size = -1"),
			 SQLITE_OK);
	ck_assert_int_eq(chmod(path, 0600), 0);

	g_autoptr(GBytes) before = contents(path);
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_ledger_open(path, DAXC_LEDGER_CREATE, 100, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "bring it up to date"));

	g_autoptr(GBytes) after = contents(path);

	ck_assert(g_bytes_equal(before, after));
}
END_TEST

/* Scrubbing. */

static const char *tenant_at(DaxcLedger *ledger, guint at)
{
	g_autoptr(GArray) granules = granules_of(ledger);

	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		if (granule->start == at * GIB)
			return granule->tenant;
	}
	return NULL;
}

static void update(DaxcLedger *ledger, const DaxcCarving *carving)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_ledger_update(ledger, carving, &error);

	unit_assert_no_error(error);
	ck_assert(ok);
}

START_TEST(what_a_scrubber_cleaned_stays_clean_without_it)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) scrub = carving_of(UUID_A, 0, 3 * GIB, 4, 5, 6);
	g_autoptr(DaxcCarving) guest = carving_of(UUID_B, 0, GIB, 8);
	g_autoptr(GError) error = NULL;

	scrub->state = DAXC_CARVING_SCRUBBING;
	begin(ledger);
	insert(ledger, scrub);
	insert(ledger, guest);
	ck_assert(daxc_ledger_cleaned(ledger, scrub->id, 5 * GIB, &error));
	ck_assert(daxc_ledger_mark(ledger, 6 * GIB, GIB, DAXC_GRANULE_BAD, &error));
	/* Once is enough; what it does not hold, and what a guest holds, is not its. */
	ck_assert(!daxc_ledger_cleaned(ledger, scrub->id, 5 * GIB, NULL));
	ck_assert(!daxc_ledger_cleaned(ledger, scrub->id, 6 * GIB, NULL));
	ck_assert(!daxc_ledger_cleaned(ledger, scrub->id, 8 * GIB, NULL));
	ck_assert(!daxc_ledger_cleaned(ledger, guest->id, 8 * GIB, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "holds no granule");
	commit(ledger);
	ck_assert_uint_eq(count(ledger), 2);
	ck_assert_uint_eq(state_at(ledger, 5), DAXC_GRANULE_CLEAN);
	begin(ledger);
	ck_assert(daxc_ledger_remove(ledger, scrub->id, DAXC_GRANULE_DIRTY, NULL));
	commit(ledger);
	ck_assert_uint_eq(state_at(ledger, 4), DAXC_GRANULE_DIRTY);
	ck_assert_uint_eq(state_at(ledger, 5), DAXC_GRANULE_CLEAN);
	ck_assert_uint_eq(state_at(ledger, 6), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(state_at(ledger, 8), DAXC_GRANULE_HELD);
}
END_TEST

START_TEST(whose_bytes_are_left_is_known_only_if_nobody_elses_were_there)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) zeroed = carving_of(UUID_A, 0, GIB, 4);
	g_autoptr(DaxcCarving) half = carving_of(UUID_B, 0, GIB, 5);

	begin(ledger);
	insert(ledger, zeroed);
	insert(ledger, half);
	zeroed->zeroed = TRUE;
	update(ledger, zeroed);
	ck_assert(daxc_ledger_remove(ledger, zeroed->id, DAXC_GRANULE_DIRTY, NULL));
	ck_assert(daxc_ledger_remove(ledger, half->id, DAXC_GRANULE_DIRTY, NULL));
	commit(ledger);
	ck_assert_str_eq(tenant_at(ledger, 4), zeroed->tenant);
	ck_assert_ptr_null(tenant_at(ledger, 5));

	/* A next owner, a mark and another boot: nobody knows any more. */
	g_autoptr(DaxcCarving) next = carving_of(UUID_B, 0, GIB, 4);

	begin(ledger);
	insert(ledger, next);
	ck_assert(daxc_ledger_remove(ledger, next->id, DAXC_GRANULE_DIRTY, NULL));
	ck_assert_ptr_null(tenant_at(ledger, 4));
	commit(ledger);
	begin(ledger);
	next->zeroed = TRUE;
	insert(ledger, next);
	ck_assert(daxc_ledger_remove(ledger, next->id, DAXC_GRANULE_DIRTY, NULL));
	ck_assert_str_eq(tenant_at(ledger, 4), next->tenant);
	ck_assert(daxc_ledger_mark(ledger, 4 * GIB, GIB, DAXC_GRANULE_DIRTY, NULL));
	ck_assert_ptr_null(tenant_at(ledger, 4));
	daxc_ledger_rollback(ledger);
	begin(ledger);
	insert(ledger, next);
	ck_assert(daxc_ledger_remove(ledger, next->id, DAXC_GRANULE_DIRTY, NULL));
	ck_assert(daxc_ledger_mark(ledger, 7 * GIB, GIB, DAXC_GRANULE_CLEAN, NULL));
	ck_assert(daxc_ledger_soil(ledger, NULL));
	ck_assert_ptr_null(tenant_at(ledger, 4));
	ck_assert_uint_eq(state_at(ledger, 7), DAXC_GRANULE_DIRTY);
	daxc_ledger_rollback(ledger);
}
END_TEST

START_TEST(a_copy_knows_that_it_is_older)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(DaxcCarving) carving = carving_of(UUID_A, 0, GIB, 4);
	guint64 before, after;

	begin(ledger);
	ck_assert(daxc_ledger_boot(ledger, BOOT, NULL, NULL));
	ck_assert(daxc_ledger_serial(ledger, &before, NULL));
	insert(ledger, carving);
	ck_assert(daxc_ledger_serial(ledger, &after, NULL));
	ck_assert_uint_gt(after, before);
	ck_assert(daxc_ledger_set_serial(ledger, 77, NULL));
	commit(ledger);
	ck_assert(daxc_ledger_serial(ledger, &after, NULL));
	ck_assert_uint_eq(after, 77);
}
END_TEST

/* Reservations. */

static DaxcReservation *reservation_of(const char *tenant, gint node, const char *colors)
{
	DaxcReservation *reservation = g_new0(DaxcReservation, 1);

	reservation->tenant = g_strdup(tenant);
	reservation->node = node;
	reservation->of = 8;
	reservation->granule = GIB;
	reservation->colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	for (; *colors; colors++) {
		guint32 color = (guint32)(*colors - '0');

		g_array_append_val(reservation->colors, color);
	}
	return reservation;
}

static gboolean reserve(DaxcLedger *ledger, const char *tenant, gint node,
			const char *colors, GError **error)
{
	g_autoptr(DaxcReservation) reservation = reservation_of(tenant, node, colors);

	return daxc_ledger_reserve(ledger, reservation, error);
}

/* "red@1:02 blue@1:3" */
static char *reserved(DaxcLedger *ledger)
{
	g_autoptr(GPtrArray) all = daxc_ledger_reservations(ledger, NULL);
	GString *text = g_string_new(NULL);

	ck_assert(all);
	for (guint i = 0; i < all->len; i++) {
		const DaxcReservation *one = g_ptr_array_index(all, i);

		ck_assert_uint_eq(one->of, 8);
		ck_assert_uint_eq(one->granule, GIB);
		g_string_append_printf(text, "%s%s@%d:", i ? " " : "", one->tenant,
				       one->node);
		for (guint k = 0; k < one->colors->len; k++)
			g_string_append_printf(text, "%u",
					       g_array_index(one->colors, guint32, k));
	}
	return g_string_free(text, FALSE);
}

#define assert_reserved(ledger, expected)                                                \
	do {                                                                             \
		g_autofree char *text_ = reserved(ledger);                               \
		ck_assert_str_eq(text_, expected);                                       \
	} while (0)

START_TEST(a_color_is_reserved_for_one_tenant)
{
	g_autoptr(DaxcLedger) ledger = open_ledger();
	g_autoptr(GError) error = NULL;

	begin(ledger);
	ck_assert(daxc_ledger_boot(ledger, BOOT, NULL, NULL));
	ck_assert(reserve(ledger, "red", 1, "02", &error));
	ck_assert(reserve(ledger, "blue", 1, "3", &error));
	ck_assert(reserve(ledger, "blue", 2, "0", &error));
	assert_reserved(ledger, "red@1:02 blue@1:3 blue@2:0");
	ck_assert(!reserve(ledger, "blue", 1, "32", &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED,
			  "color 2 of node 1 is reserved for tenant red");
	assert_reserved(ledger, "red@1:02 blue@1:3 blue@2:0");
	g_clear_error(&error);
	ck_assert(reserve(ledger, "red", 1, "4", &error));
	assert_reserved(ledger, "blue@1:3 red@1:4 blue@2:0");
	ck_assert(!reserve(ledger, "red", 1, "8", &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "no reservation");
	ck_assert(!reserve(ledger, "red/", 1, "1", NULL));
	commit(ledger);
	/* They outlive a boot. */
	begin(ledger);
	ck_assert(daxc_ledger_boot(ledger, "another", NULL, NULL));
	commit(ledger);
	assert_reserved(ledger, "blue@1:3 red@1:4 blue@2:0");
	begin(ledger);
	ck_assert(reserve(ledger, "blue", 1, "", NULL));
	commit(ledger);
	assert_reserved(ledger, "red@1:4 blue@2:0");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger");
	TCase *tcase = tcase_create("ledger");

	tcase_add_checked_fixture(tcase, make_directory, remove_directory);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, file_and_directory_are_made_private);
	tcase_add_test(tcase, read_only_of_nothing_is_empty_and_makes_nothing);
	tcase_add_test(tcase, read_only_reads_and_changes_nothing);
	tcase_add_test(tcase, a_snapshot_is_of_one_moment);
	tcase_add_test(tcase, memory_needs_no_file);
	tcase_add_test(tcase, a_ledger_from_the_future_is_left_alone);
	tcase_add_test(tcase, what_is_no_ledger_is_left_alone);
	tcase_add_test(tcase, tables_that_we_did_not_make_are_refused);
	tcase_add_test(tcase, a_truncated_ledger_is_damaged);
	tcase_add_test(tcase, a_ledger_that_was_put_into_wal_mode_is_put_back);
	tcase_add_test(tcase, what_is_no_file_is_refused);
	tcase_add_test(tcase, a_linked_state_directory_is_fine);
	tcase_add_test(tcase, places_that_cannot_hold_a_ledger);
	tcase_add_test(tcase, a_directory_that_cannot_be_written_can_be_read);
	tcase_add_test(tcase, a_file_that_cannot_be_written_is_an_error);
	tcase_add_test(tcase, a_file_that_cannot_be_read_is_an_error);
	tcase_add_test(tcase, root_trusts_only_what_is_its_own);
	tcase_add_test(tcase, carvings_come_back_exactly);
	tcase_add_test(tcase, a_smaller_granule_may_map_at_1_gib_where_it_joins);
	tcase_add_test(tcase, a_granule_has_one_carving);
	tcase_add_test(tcase, carvings_that_cannot_be_are_not_taken);
	tcase_add_test(tcase, extents_must_suit_the_mapping_size);
	tcase_add_test(tcase, update_changes_what_it_says_and_nothing_else);
	tcase_add_test(tcase, two_active_carvings_may_swap_their_instances);
	tcase_add_test(tcase, removing_gives_the_granules_back);
	tcase_add_test(tcase, ids_are_never_used_again);
	tcase_add_test(tcase, granules_are_marked);
	tcase_add_test(tcase, granules_of_another_geometry_make_way);
	tcase_add_test(tcase, a_reboot_forgets_and_soils);
	tcase_add_test(tcase, changes_need_a_transaction);
	tcase_add_test(tcase, rollback_leaves_no_trace);
	tcase_add_test(tcase, a_second_writer_waits_and_gives_up);
	tcase_add_test(tcase, a_large_transaction_keeps_no_reader_out);
	tcase_add_test(tcase, a_second_writer_gets_its_turn);
	tcase_add_test(tcase, death_in_a_transaction_is_a_rollback);
	tcase_add_test(tcase, death_in_a_commit_is_a_rollback);
	tcase_add_test(tcase, a_full_disk_changes_nothing);
	tcase_add_test(tcase, a_crowd_gets_through_from_nothing);
	tcase_add_test(tcase, threads_keep_each_others_locks);
	tcase_add_test(tcase, the_schema_keeps_impossible_rows_out);
	tcase_add_test(tcase, edited_rows_are_noticed);
	tcase_add_test(tcase, a_check_sees_what_reading_does_not);
	tcase_add_test(tcase, flipped_bytes_are_survived);
	tcase_add_test(tcase, random_steps_follow_the_model_in_memory);
	tcase_add_test(tcase, random_steps_follow_the_model_in_a_file);
	tcase_add_test(tcase, the_largest_host);
	tcase_add_test(tcase, an_older_ledger_is_brought_up_to_date);
	tcase_add_test(tcase, an_older_ledger_with_impossible_rows_stays_as_it_is);
	tcase_add_test(tcase, what_a_scrubber_cleaned_stays_clean_without_it);
	tcase_add_test(tcase,
		       whose_bytes_are_left_is_known_only_if_nobody_elses_were_there);
	tcase_add_test(tcase, a_copy_knows_that_it_is_older);
	tcase_add_test(tcase, a_color_is_reserved_for_one_tenant);
	return unit_run(suite);
}
