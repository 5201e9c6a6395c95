// SPDX-License-Identifier: GPL-2.0-or-later
/* Lending memory of idle colors to the host, and getting it back in time. */
#include "host-fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/memory-blocks.h"
#include "core/lend.h"
#include "core/owner.h"

static GArray *color_list(const char *text)
{
	GArray *colors = daxc_color_list_parse(text, NULL);

	ck_assert_ptr_nonnull(colors);
	return colors;
}

static GPtrArray *lend(const Fixture *f, gint node, const char *text, GError **error)
{
	g_autoptr(GArray) colors = color_list(text);

	return daxc_host_lend(f->host, node, colors, error);
}

static void lend_well(const Fixture *f, gint node, const char *text, guint expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) lent = lend(f, node, text, &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(lent->len, expected);
}

static guint64 reclaim(const Fixture *f, gint node, const char *text, GError **error)
{
	g_autoptr(GArray) colors = text ? color_list(text) : NULL;
	guint64 bytes = 0;

	daxc_host_reclaim(f->host, node, colors, &bytes, error);
	return bytes;
}

static guint count_lent(const Fixture *f)
{
	g_autoptr(GPtrArray) lent = daxc_host_lent(f->host, NULL);

	return lent->len;
}

/* Name of an instance that is lent and has memory of @color. */
static char *lent_instance(const Fixture *f, guint32 color)
{
	g_autoptr(GPtrArray) lent = daxc_host_lent(f->host, NULL);

	for (guint i = 0; i < lent->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(lent, i);

		if (g_array_index(carving->plan->granules, DaxcGranule, 0).color == color)
			return g_strdup(carving->instance);
	}
	return NULL;
}

/* Whatever is lent the host has, and nothing else of ours is there. */
static void assert_whole(const Fixture *f)
{
	g_autoptr(GPtrArray) lent = daxc_host_lent(f->host, NULL);

	for (guint i = 0; i < lent->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(lent, i);
		g_autoptr(DaxcInstance) instance =
			daxc_kernel_instance(f->host->kernel, carving->instance, NULL);

		ck_assert_int_eq(carving->state, DAXC_CARVING_ACTIVE);
		ck_assert(instance && daxc_kernel_is_lent(instance));
	}
	ck_assert_uint_eq(instances_with_memory(f->host), lent->len);
}

static void assert_agree(const Fixture *f)
{
	g_autoptr(GPtrArray) report = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_host_recover(f->host, FALSE, &report, &error));
	unit_assert_no_error(error);
	for (guint i = 0; i < report->len; i++)
		ck_assert_msg(FALSE, "%s", (char *)g_ptr_array_index(report, i));
}

START_TEST(colors_are_lent_and_come_back)
{
	Fixture f = setup(FALSE);
	g_autofree char *name = NULL;
	g_autoptr(DaxcInstance) instance = NULL;
	g_autoptr(GError) error = NULL;

	/* Node 1 has memory in two regions. */
	lend_well(&f, 1, "0,2", 4);
	name = lent_instance(&f, 2);
	instance = daxc_kernel_instance(f.host->kernel, name, NULL);
	ck_assert(daxc_kernel_is_lent(instance));
	ck_assert_uint_eq(count_lent(&f), 4);
	assert_agree(&f);
	ck_assert_uint_gt(reclaim(&f, 1, "2", &error), 0);
	unit_assert_no_error(error);
	ck_assert_uint_eq(count_lent(&f), 2);
	ck_assert_uint_gt(reclaim(&f, -1, NULL, &error), 0);
	unit_assert_no_error(error);
	ck_assert_uint_eq(count_lent(&f), 0);
	ck_assert_uint_eq(instances_with_memory(f.host), 0);
	ck_assert_uint_eq(reclaim(&f, -1, NULL, &error), 0);
	unit_assert_no_error(error);
	assert_agree(&f);
	teardown(&f);
}
END_TEST

START_TEST(what_comes_back_is_dirty_and_nobodys)
{
	Fixture f = setup(FALSE);
	DaxcScrub scrub = {0};
	g_autoptr(GArray) granules = NULL;
	guint dirty = 0;

	ck_assert(daxc_host_scrub(f.host, &scrub, NULL));
	lend_well(&f, 2, "0", 1);
	reclaim(&f, 2, "0", NULL);
	granules = daxc_ledger_granules(f.host->ledger, NULL);
	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		if (granule->state == DAXC_GRANULE_CLEAN)
			continue;
		ck_assert_int_eq(granule->state, DAXC_GRANULE_DIRTY);
		ck_assert_ptr_null(granule->tenant);
		dirty++;
	}
	ck_assert_uint_eq(dirty, 3);
	teardown(&f);
}
END_TEST

START_TEST(only_idle_colors_are_lent)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", GIB, 2);
	guint32 color = g_array_index(carving->plan->granules, DaxcGranule, 0).color;
	g_autofree char *text = g_strdup_printf("%u", color);
	g_autoptr(GError) owned = NULL;
	g_autoptr(GError) unknown = NULL;
	g_autoptr(GError) nowhere = NULL;
	g_autoptr(GError) twice = NULL;

	ck_assert_ptr_null(lend(&f, 2, text, &owned));
	unit_assert_error(owned, DAXC_ERROR_REFUSED, "tenant red has it");
	ck_assert_ptr_null(lend(&f, 2, "2", &unknown));
	unit_assert_error(unknown, DAXC_ERROR_INVALID, "no color 2");
	ck_assert_ptr_null(lend(&f, 0, "1", &nowhere));
	unit_assert_error(nowhere, DAXC_ERROR_INVALID, "node 0 has no cache");
	lend_well(&f, 1, "4", 2);
	ck_assert_ptr_null(lend(&f, 1, "3-4", &twice));
	unit_assert_error(twice, DAXC_ERROR_REFUSED, "lent already");
	ck_assert_uint_eq(count_lent(&f), 2);
	teardown(&f);
}
END_TEST

START_TEST(reserved_colors_are_not_idle)
{
	Fixture f = setup(FALSE);
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_host_reserve(f.host, "red", 2, 1, NULL, NULL));
	ck_assert_ptr_null(lend(&f, 2, "0-1", &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "tenant red");
	teardown(&f);
}
END_TEST

START_TEST(a_guest_that_needs_it_gets_it)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcCarving) first = NULL;
	g_autoptr(DaxcCarving) second = NULL;

	lend_well(&f, 2, "0-1", 2);
	first = carve_well(&f, 1, "red", 3 * GIB, 2);
	/* No more than what it takes. */
	ck_assert_uint_eq(count_lent(&f), 1);
	second = carve_well(&f, 2, "blue", 3 * GIB, 2);
	ck_assert_uint_eq(count_lent(&f), 0);
	assert_agree(&f);
	teardown(&f);
}
END_TEST

START_TEST(a_guest_that_does_without_leaves_it)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcCarving) carving = NULL;
	g_autoptr(GError) error = NULL;

	lend_well(&f, 2, "0", 1);
	carving = carve_well(&f, 1, "red", 3 * GIB, 2);
	ck_assert_uint_eq(count_lent(&f), 1);
	/* Nor would it help one that is too large anyway. */
	ck_assert_ptr_null(carve(&f, 2, "blue", 6 * GIB, 2, &error));
	ck_assert_int_eq(error->code, DAXC_ERROR_REFUSED);
	ck_assert_uint_eq(count_lent(&f), 1);
	teardown(&f);
}
END_TEST

START_TEST(a_host_that_gives_nothing_back_is_named)
{
	Fixture f = setup(FALSE);
	g_autofree char *name = NULL;
	g_autoptr(DaxcCarving) carving = NULL;
	g_autoptr(GError) guest = NULL;
	g_autoptr(GError) command = NULL;

	lend_well(&f, 2, "0-1", 2);
	name = lent_instance(&f, 0);
	ck_assert(daxc_kernel_sim_hold(f.host->kernel, name, "some DMA", NULL));
	ck_assert_ptr_null(carve(&f, 1, "red", 6 * GIB, 2, &guest));
	unit_assert_error(
		guest, DAXC_ERROR_BUSY,
		"needs colors 0-1 of node 2, of which the host has memory on loan");
	ck_assert_ptr_nonnull(strstr(guest->message, "some DMA"));
	/* The other one is back; this one is lent as before. */
	ck_assert_uint_eq(count_lent(&f), 1);
	ck_assert_uint_eq(carvings(f.host), 1);
	assert_whole(&f);
	assert_agree(&f);
	reclaim(&f, 2, "0", &command);
	unit_assert_error(command, DAXC_ERROR_BUSY, "some DMA");
	ck_assert(daxc_kernel_sim_hold(f.host->kernel, name, NULL, NULL));
	carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	ck_assert_uint_eq(count_lent(&f), 0);
	teardown(&f);
}
END_TEST

START_TEST(what_was_taken_back_by_hand_is_no_longer_lent)
{
	Fixture f = setup(FALSE);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) report = NULL;

	lend_well(&f, 2, "0-1", 2);
	name = lent_instance(&f, 1);
	ck_assert(daxc_kernel_reclaim(f.host->kernel, name, 0, NULL));
	ck_assert(daxc_host_recover(f.host, FALSE, &report, NULL));
	ck_assert_uint_eq(report->len, 1);
	ck_assert_ptr_nonnull(strstr(g_ptr_array_index(report, 0), "taken back"));
	assert_whole(&f);
	ck_assert_uint_eq(count_lent(&f), 1);
	teardown(&f);
}
END_TEST

START_TEST(a_kernel_that_does_nothing_is_found_out)
{
	Fixture f = setup(FALSE);
	g_autofree char *name = NULL;
	g_autoptr(GError) error = NULL;

	lend_well(&f, 2, "0", 1);
	name = lent_instance(&f, 0);
	daxc_kernel_sim_fail(f.host->kernel, 0, 0);
	ck_assert(!daxc_kernel_reclaim(f.host->kernel, name, 0, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "no longer the host's");
	teardown(&f);
}
END_TEST

START_TEST(failed_memory_is_not_lent)
{
	Fixture f = setup(FALSE);
	g_autoptr(GPtrArray) lent = NULL;
	guint64 start = G_GUINT64_CONSTANT(0x1000000000);

	ck_assert(daxc_ledger_begin(f.host->ledger, NULL));
	ck_assert(daxc_ledger_mark(f.host->ledger, start, GIB, DAXC_GRANULE_BAD, NULL));
	ck_assert(daxc_ledger_commit(f.host->ledger, NULL));
	lent = lend(&f, 2, "0-1", NULL);
	ck_assert_uint_eq(lent->len, 2);
	for (guint i = 0; i < lent->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(lent, i);
		const GArray *granules = carving->plan->granules;

		for (guint k = 0; k < granules->len; k++)
			ck_assert_uint_ne(g_array_index(granules, DaxcGranule, k).start,
					  start);
	}
	teardown(&f);
}
END_TEST

/* Each step of lending that can fail does. */
START_TEST(lending_is_all_or_nothing)
{
	guint failures = 0;

	for (guint step = 0; step < 100; step++) {
		Fixture f = setup(FALSE);
		g_autoptr(GPtrArray) lent = NULL;

		daxc_kernel_sim_fail(f.host->kernel, step, EIO);
		lent = lend(&f, 1, "1-2", NULL);
		failures += !lent;
		ck_assert_uint_eq(count_lent(&f), lent ? 4 : 0);
		ck_assert_uint_eq(instances_with_memory(f.host), lent ? 4 : 0);
		assert_agree(&f);
		teardown(&f);
		if (lent)
			break;
	}
	/* create, align, extents, enable and lend, for each of four. */
	ck_assert_uint_ge(failures, 20);
}
END_TEST

/* A child lends, or takes back, and is killed before a step. */
static void die_in(const Fixture *f, guint step, gboolean back)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		DaxcHost *host = open_host(f, TRUE);
		g_autoptr(GArray) colors = color_list("0-1");

		daxc_kernel_sim_fail(host->kernel, step, DAXC_SIM_DIE);
		if (back)
			daxc_host_reclaim(host, 2, colors, NULL, NULL);
		else
			daxc_host_lend(host, 2, colors, NULL);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

/* Returns: what recover did not end. */
static guint recovered_lent(Fixture *f)
{
	g_autoptr(GPtrArray) report = NULL;
	g_autoptr(GError) error = NULL;

	f->host = open_host(f, TRUE);
	ck_assert(daxc_host_recover(f->host, FALSE, &report, &error));
	unit_assert_no_error(error);
	g_clear_pointer(&report, g_ptr_array_unref);
	assert_agree(f);
	assert_whole(f);
	return count_lent(f);
}

/* Whatever was left, a guest gets all of it. */
static void assert_finished(Fixture *f)
{
	g_autoptr(DaxcCarving) carving = NULL;

	ck_assert_uint_le(recovered_lent(f), 2);
	carving = carve_well(f, 1, "red", 6 * GIB, 2);
	ck_assert_uint_eq(count_lent(f), 0);
}

START_TEST(a_lender_that_dies_is_finished)
{
	for (guint step = 0; step < 16; step++) {
		Fixture f = setup(TRUE);

		g_clear_pointer(&f.host, daxc_host_free);
		die_in(&f, step, FALSE);
		assert_finished(&f);
		teardown(&f);
	}
}
END_TEST

START_TEST(who_takes_back_and_dies_is_finished)
{
	for (guint step = 0; step < 10; step++) {
		Fixture f = setup(TRUE);

		lend_well(&f, 2, "0-1", 2);
		g_clear_pointer(&f.host, daxc_host_free);
		die_in(&f, step, TRUE);
		assert_finished(&f);
		teardown(&f);
	}
}
END_TEST

START_TEST(no_guest_is_the_host)
{
	Fixture f = setup(FALSE);
	g_autofree char *uuid = daxc_owner_uuid(DAXC_LENT_TENANT);
	g_autoptr(GError) tenant = NULL;
	g_autoptr(GError) reserved = NULL;
	g_autoptr(GError) released = NULL;

	ck_assert_ptr_null(carve(&f, 1, DAXC_LENT_TENANT, GIB, 2, &tenant));
	unit_assert_error(tenant, DAXC_ERROR_INVALID, "that is the host");
	ck_assert(!daxc_host_reserve(f.host, DAXC_LENT_TENANT, 2, 1, NULL, &reserved));
	unit_assert_error(reserved, DAXC_ERROR_INVALID, "that is the host");
	lend_well(&f, 2, "0", 1);
	ck_assert(!daxc_host_release(f.host, uuid, &released));
	unit_assert_error(released, DAXC_ERROR_REFUSED, "that is no guest");
	assert_whole(&f);
	ck_assert_uint_eq(count_lent(&f), 1);
	teardown(&f);
}
END_TEST

START_TEST(auditors_know_it)
{
	Fixture f = setup(FALSE);
	g_autoptr(GPtrArray)
		guests = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_guest_free);
	g_autoptr(DaxcAudit) audit = NULL;
	g_autoptr(GError) error = NULL;

	lend_well(&f, 2, "1", 1);
	audit = daxc_host_audit(f.host, guests, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(audit->breaches->len, 0);
	teardown(&f);
}
END_TEST

/* ---- which memory ---- */

static DaxcLayout *layout_of(const Fixture *f)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(f->host, NULL);

	return daxc_snapshot_layout(f->host, snapshot, NULL, NULL);
}

/* Memory blocks of 2 GiB: pairs of neighbors, at multiples of that. */
START_TEST(large_blocks_take_neighbors)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcLayout) layout = layout_of(&f);
	g_autoptr(GArray) all = color_list("0-4");
	g_autoptr(GArray) one = color_list("2");
	g_autoptr(GPtrArray) plans = daxc_lend_plan(layout, 1, all, 2 * GIB, NULL);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(plans->len, 2);
	for (guint i = 0; i < plans->len; i++) {
		const DaxcCellPlan *plan = g_ptr_array_index(plans, i);

		for (guint k = 0; k < plan->extents->len; k++) {
			const DaxcExtent *extent =
				&g_array_index(plan->extents, DaxcExtent, k);

			ck_assert_uint_eq((extent->start | extent->size) % (2 * GIB), 0);
		}
	}
	/* 0x140000000 is no multiple: of 15 granules, 14 are left. */
	ck_assert_uint_eq(((DaxcCellPlan *)g_ptr_array_index(plans, 0))->size, 14 * GIB);
	ck_assert_uint_eq(((DaxcCellPlan *)g_ptr_array_index(plans, 1))->size, 6 * GIB);
	ck_assert_ptr_null(daxc_lend_plan(layout, 1, one, 2 * GIB, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "in pieces of 2 GiB");
	teardown(&f);
}
END_TEST

/* ---- the kernel's memory blocks ---- */

static void put_file(const char *root, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
	ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static char *get_file(const char *root, const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	char *text = NULL;

	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

#define MEMORY "sys/devices/system/memory/"

START_TEST(blocks_come_online_movable)
{
	g_autofree char *root = g_dir_make_tmp("daxcolor-test-XXXXXX", NULL);
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", root);
	g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	const DaxcExtent extent = {3 * 128 * MIB, 4 * 128 * MIB};
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;
	g_autofree char *third = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) size = NULL;

	g_array_append_val(extents, extent);
	put_file(root, MEMORY "block_size_bytes", "8000000\n");
	put_file(root, MEMORY "memory3/state", "offline\n");
	put_file(root, MEMORY "memory4/state", "online\n");
	put_file(root, MEMORY "memory4/valid_zones", "Movable\n");
	put_file(root, MEMORY "memory5/state", "online\n");
	put_file(root, MEMORY "memory5/valid_zones", "Normal\n");
	ck_assert_uint_eq(daxc_memory_block_size(root, NULL), 128 * MIB);
	ck_assert(!daxc_memory_online(root, extents, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "memory block 6");
	first = get_file(root, MEMORY "memory3/state");
	second = get_file(root, MEMORY "memory4/state");
	ck_assert_ptr_nonnull(strstr(first, "online_movable"));
	ck_assert_str_eq(second, "online\n");
	/* One that somebody was faster with is not left where it cannot come back. */
	third = get_file(root, MEMORY "memory5/state");
	ck_assert_ptr_nonnull(strstr(third, "online_movable"));
	put_file(root, MEMORY "block_size_bytes", "3000000\n");
	ck_assert_uint_eq(daxc_memory_block_size(root, &size), 0);
	unit_assert_error(size, DAXC_ERROR_KERNEL, "power of two");
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(writes_end_in_time)
{
	g_autofree char *root = g_dir_make_tmp("daxcolor-test-XXXXXX", NULL);
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", root);
	g_autofree char *file = g_build_filename(root, "file", NULL);
	g_autofree char *fifo = g_build_filename(root, "fifo", NULL);
	g_autofree char *none = g_build_filename(root, "none", NULL);
	gint64 begin = g_get_monotonic_time();

	ck_assert(g_file_set_contents(file, "", -1, NULL));
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(daxc_write_bounded(file, "text", 5000), 0);
	ck_assert_int_eq(daxc_write_bounded(none, "text", 5000), ENOENT);
	/* Nobody reads it: opening it waits. */
	ck_assert_int_eq(daxc_write_bounded(fifo, "text", 100), EINTR);
	ck_assert_int_lt(g_get_monotonic_time() - begin, 5 * G_USEC_PER_SEC);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lend");
	TCase *host = tcase_create("host");
	TCase *kernel = tcase_create("kernel");

	tcase_set_timeout(host, 120);
	tcase_add_test(host, colors_are_lent_and_come_back);
	tcase_add_test(host, what_comes_back_is_dirty_and_nobodys);
	tcase_add_test(host, only_idle_colors_are_lent);
	tcase_add_test(host, reserved_colors_are_not_idle);
	tcase_add_test(host, a_guest_that_needs_it_gets_it);
	tcase_add_test(host, a_guest_that_does_without_leaves_it);
	tcase_add_test(host, a_host_that_gives_nothing_back_is_named);
	tcase_add_test(host, what_was_taken_back_by_hand_is_no_longer_lent);
	tcase_add_test(host, a_kernel_that_does_nothing_is_found_out);
	tcase_add_test(host, failed_memory_is_not_lent);
	tcase_add_test(host, lending_is_all_or_nothing);
	tcase_add_test(host, a_lender_that_dies_is_finished);
	tcase_add_test(host, who_takes_back_and_dies_is_finished);
	tcase_add_test(host, no_guest_is_the_host);
	tcase_add_test(host, auditors_know_it);
	tcase_add_test(kernel, large_blocks_take_neighbors);
	tcase_add_test(kernel, blocks_come_online_movable);
	tcase_add_test(kernel, writes_end_in_time);
	suite_add_tcase(suite, host);
	suite_add_tcase(suite, kernel);
	return unit_run(suite);
}
