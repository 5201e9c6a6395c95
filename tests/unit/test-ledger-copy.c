// SPDX-License-Identifier: GPL-2.0-or-later
/* A copy of the ledger, and a ledger from it. In a store of dax_color's:
 * tests/vm/scenarios/lend.sh. */
#include "host-fixture.h"

#include <sys/stat.h>

#include "adapters/ledger-copy.h"

typedef struct {
	char *dir;
	char *path;
	char *copy;
} Paths;

static Paths paths_new(void)
{
	Paths p = {.dir = g_dir_make_tmp("daxcolor-test-XXXXXX", NULL)};

	p.path = g_build_filename(p.dir, "state", "ledger.db", NULL);
	p.copy = g_build_filename(p.dir, "copy", NULL);
	return p;
}

static void paths_free(Paths *p)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", p->dir);

	ck_assert_int_eq(system(command), 0);
	g_free(p->dir);
	g_free(p->path);
	g_free(p->copy);
}

static DaxcLedger *open_ledger(const char *path)
{
	g_autoptr(GError) error = NULL;
	DaxcLedger *ledger = daxc_ledger_open(path, DAXC_LEDGER_CREATE, 0, &error);

	unit_assert_no_error(error);
	return ledger;
}

static void mark(DaxcLedger *ledger, guint64 start)
{
	ck_assert(daxc_ledger_begin(ledger, NULL));
	ck_assert(daxc_ledger_mark(ledger, start, GIB, DAXC_GRANULE_BAD, NULL));
	ck_assert(daxc_ledger_commit(ledger, NULL));
}

static void write_copy(DaxcLedger *ledger, const Paths *p)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_ledger_copy_write(ledger, p->copy, &error);

	unit_assert_no_error(error);
	ck_assert(ok);
}

static guint bad_granules(const char *path)
{
	g_autoptr(DaxcLedger) ledger = open_ledger(path);
	g_autoptr(GArray) granules = daxc_ledger_granules(ledger, NULL);

	return granules->len;
}

START_TEST(a_lost_ledger_is_what_its_copy_was)
{
	Paths p = paths_new();
	DaxcLedger *ledger = open_ledger(p.path);
	g_autofree char *lost = g_build_filename(p.dir, "other", "ledger.db", NULL);
	g_autoptr(GError) error = NULL;
	struct stat status;

	mark(ledger, GIB);
	write_copy(ledger, &p);
	mark(ledger, 2 * GIB);
	write_copy(ledger, &p);
	mark(ledger, 3 * GIB);
	daxc_ledger_free(ledger);
	ck_assert(daxc_ledger_copy_restore(p.copy, lost, &error));
	unit_assert_no_error(error);
	ck_assert_uint_eq(bad_granules(lost), 2);
	ck_assert_int_eq(stat(lost, &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(p.copy, &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0600);
	paths_free(&p);
}
END_TEST

/* Nothing is left that would be taken for a ledger later. */
static void assert_nothing(const Paths *p)
{
	g_autofree char *dir = g_path_get_dirname(p->path);
	g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);

	ck_assert(!entries || !g_dir_read_name(entries));
}

START_TEST(what_is_no_ledger_is_not_put_in_place)
{
	static const char *const texts[] = {"", "garbage",
					    "SQLite format 3\0 and nothing else"};
	Paths p = paths_new();

	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert(g_file_set_contents(p.copy, texts[i], i == 2 ? 33 : -1, NULL));
		ck_assert(!daxc_ledger_copy_restore(p.copy, p.path, &error));
		ck_assert_ptr_nonnull(error);
		assert_nothing(&p);
	}
	paths_free(&p);
}
END_TEST

START_TEST(a_damaged_copy_is_not_put_in_place)
{
	Paths p = paths_new();
	DaxcLedger *ledger = open_ledger(p.path);
	g_autofree char *bytes = NULL;
	g_autofree char *remove = g_strdup_printf("rm %s*", p.path);
	g_autoptr(GError) error = NULL;
	gsize size;

	for (guint i = 1; i < 200; i++)
		mark(ledger, i * GIB);
	write_copy(ledger, &p);
	daxc_ledger_free(ledger);
	ck_assert_int_eq(system(remove), 0);
	ck_assert(g_file_get_contents(p.copy, &bytes, &size, NULL));
	memset(bytes + size / 2, 0x5a, 2048);
	ck_assert(g_file_set_contents(p.copy, bytes, (gssize)size, NULL));
	ck_assert(!daxc_ledger_copy_restore(p.copy, p.path, &error));
	ck_assert_ptr_nonnull(error);
	assert_nothing(&p);
	paths_free(&p);
}
END_TEST

START_TEST(no_copy_is_said)
{
	Paths p = paths_new();
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_ledger_copy_restore(p.copy, p.path, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "/copy");
	/* A device that is no store. */
	g_clear_error(&error);
	ck_assert(!daxc_ledger_copy_restore("/dev/null", p.path, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "/dev/null");
	assert_nothing(&p);
	paths_free(&p);
}
END_TEST

START_TEST(who_only_looks_has_changed_nothing)
{
	Paths p = paths_new();
	DaxcLedger *ledger = open_ledger(p.path);
	g_autoptr(GArray) granules = NULL;

	mark(ledger, GIB);
	ck_assert(daxc_ledger_changed(ledger));
	daxc_ledger_free(ledger);
	ledger = open_ledger(p.path);
	granules = daxc_ledger_granules(ledger, NULL);
	ck_assert(!daxc_ledger_changed(ledger));
	daxc_ledger_free(ledger);
	paths_free(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger-copy");
	TCase *tests = tcase_create("ledger-copy");

	tcase_add_test(tests, a_lost_ledger_is_what_its_copy_was);
	tcase_add_test(tests, what_is_no_ledger_is_not_put_in_place);
	tcase_add_test(tests, a_damaged_copy_is_not_put_in_place);
	tcase_add_test(tests, no_copy_is_said);
	tcase_add_test(tests, who_only_looks_has_changed_nothing);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
