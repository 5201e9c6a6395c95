// SPDX-License-Identifier: GPL-2.0-or-later
/* Ledger and kernel brought together again, whichever of them lags behind; and
 * what tenants have reserved. */
#include "host-fixture.h"

#include <unistd.h>

/* Runs @command with the host closed: $D is its directory. */
static void behind_its_back(Fixture *f, const char *command)
{
	g_autofree char *all = g_strdup_printf("D='%s'; %s", f->dir, command);

	g_clear_pointer(&f->host, daxc_host_free);
	ck_assert_int_eq(system(all), 0);
	f->host = open_host(f, TRUE);
}

static GPtrArray *recover(const Fixture *f, gboolean booted)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *report = NULL;
	gboolean ok = daxc_host_recover(f->host, booted, &report, &error);

	unit_assert_no_error(error);
	ck_assert(ok);
	return report;
}

/* What recover does the first time it does not do again. */
static void assert_reports(const Fixture *f, const char *text)
{
	g_autoptr(GPtrArray) report = recover(f, FALSE);
	g_autoptr(GPtrArray) again = recover(f, FALSE);
	gboolean found = FALSE;

	for (guint i = 0; i < report->len; i++)
		found |= strstr(g_ptr_array_index(report, i), text) != NULL;
	ck_assert_msg(found, "no \"%s\" in a report of %u", text, report->len);
	ck_assert_uint_eq(again->len, 0);
}

static guint count_clean(const Fixture *f)
{
	g_autoptr(GArray) granules = daxc_ledger_granules(f->host->ledger, NULL);
	guint n = 0;

	for (guint i = 0; i < granules->len; i++)
		n += g_array_index(granules, DaxcLedgerGranule, i).state ==
		     DAXC_GRANULE_CLEAN;
	return n;
}

static void scrub(const Fixture *f)
{
	DaxcScrub scrub = {0};

	ck_assert(daxc_host_scrub(f->host, &scrub, NULL));
}

START_TEST(an_old_copy_of_the_ledger_is_not_believed)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) carving = NULL;

	scrub(&f);
	behind_its_back(&f, "cp $D/ledger.db $D/backup");
	carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	ck_assert(daxc_host_release(f.host, carving->uuid, NULL));
	behind_its_back(&f, "cp $D/backup $D/ledger.db");
	ck_assert_uint_eq(count_clean(&f), 28);
	assert_reports(&f, "older than what this host has done");
	ck_assert_uint_eq(count_clean(&f), 0);
	/* From now on it is the one that counts. */
	scrub(&f);
	behind_its_back(&f, "true");
	g_autoptr(GPtrArray) report = recover(&f, FALSE);

	ck_assert_uint_eq(report->len, 0);
	ck_assert_uint_eq(count_clean(&f), 28);
	teardown(&f);
}
END_TEST

START_TEST(a_note_that_cannot_be_read_is_not_trusted_either)
{
	Fixture f = setup(TRUE);

	scrub(&f);
	behind_its_back(&f, "echo garbage >$D/serial");
	assert_reports(&f, "older than what this host has done");
	ck_assert_uint_eq(count_clean(&f), 0);
	teardown(&f);
}
END_TEST

START_TEST(nothing_is_carved_where_nothing_can_be_noted)
{
	Fixture f = setup(TRUE);
	g_autoptr(GError) error = NULL;

	behind_its_back(&f, "mkdir $D/serial");
	ck_assert_ptr_null(carve(&f, 1, "red", GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "/serial");
	ck_assert_uint_eq(carvings(f.host), 0);
	ck_assert_uint_eq(instances_made(f.host), 0);
	teardown(&f);
}
END_TEST

START_TEST(a_lost_ledger_gives_nothing_away)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) lost = carve_well(&f, 1, "red", 3 * GIB, 2);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	g_autoptr(GPtrArray) foreign = NULL;
	g_autoptr(GPtrArray) report = NULL;
	g_autoptr(DaxcCarving) other = NULL;
	g_autoptr(GError) error = NULL;

	behind_its_back(&f, "rm $D/ledger.db*");
	recover(&f, FALSE);
	foreign = daxc_host_foreign(f.host, &error);
	ck_assert_uint_eq(foreign->len, 1);
	/* Its color is nobody's, not even that of its own tenant. */
	ck_assert_ptr_null(carve(&f, 2, "red", 4 * GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "4 GiB");
	g_clear_error(&error);
	other = carve_well(&f, 2, "blue", 3 * GIB, 2);
	ck_assert_uint_ne(g_array_index(other->plan->granules, DaxcGranule, 0).color,
			  g_array_index(lost->plan->granules, DaxcGranule, 0).color);
	/* Without a guest that has it, it stays so. */
	ck_assert(daxc_host_adopt(f.host, none, &report, &error));
	ck_assert_uint_eq(report->len, 1);
	ck_assert(strstr(g_ptr_array_index(report, 0), "cannot be adopted"));
	ck_assert_uint_eq(carvings(f.host), 1);
	teardown(&f);
}
END_TEST

START_TEST(an_instance_that_was_renamed_is_followed)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 3 * GIB, 2);
	g_autoptr(GPtrArray) all = NULL;

	ck_assert_str_eq(carving->instance, "dax2.1");
	behind_its_back(&f, "sed -i 's/dax2\\.1/dax2.7/' $D/simulated-kernel");
	assert_reports(&f, "dax2.1 is named dax2.7 now");
	all = daxc_host_carvings(f.host, NULL);
	ck_assert_str_eq(((DaxcCarving *)g_ptr_array_index(all, 0))->instance, "dax2.7");
	ck_assert(daxc_host_release(f.host, carving->uuid, NULL));
	ck_assert_uint_eq(instances_made(f.host), 0);
	teardown(&f);
}
END_TEST

START_TEST(clean_memory_in_a_strangers_hands_is_dirty)
{
	Fixture f = setup(TRUE);
	DaxcExtent extent = {.start = 0x1000000000, .size = 2 * MIB};
	g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	const DaxcKernelCarving asked = {
		.region = 2, .align = 2 * MIB, .granule = 2 * MIB, .extents = extents};
	g_autofree char *name = NULL;

	scrub(&f);
	g_array_append_val(extents, extent);
	ck_assert(daxc_kernel_carve(f.host->kernel, &asked, &name, NULL));
	assert_reports(&f, "which daxcolor did not make");
	ck_assert_uint_eq(count_clean(&f), 27);
	teardown(&f);
}
END_TEST

static char *claimant_of(const Fixture *f, const char *name)
{
	g_autoptr(DaxcInstance)
		instance = daxc_kernel_instance(f->host->kernel, name, NULL);

	ck_assert_ptr_nonnull(instance);
	return g_steal_pointer(&instance->claimant);
}

static void unclaim(const Fixture *f, const char *name)
{
	g_autoptr(DaxcInstance)
		instance = daxc_kernel_instance(f->host->kernel, name, NULL);

	ck_assert(daxc_kernel_unclaim(f->host->kernel, instance, NULL));
}

START_TEST(a_guest_that_lost_its_claim_has_it_again)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	g_autofree char *before = claimant_of(&f, carving->instance);
	g_autofree char *after = NULL;
	g_autoptr(DaxcInstance) instance = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_str_eq(before, carving->uuid);
	unclaim(&f, carving->instance);
	ck_assert_ptr_null(daxc_host_carving_instance(f.host, carving, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "is not what the ledger says");
	assert_reports(&f, "was not claimed for it: claimed");
	instance = daxc_host_carving_instance(f.host, carving, NULL);
	ck_assert_ptr_nonnull(instance);
	after = claimant_of(&f, carving->instance);
	ck_assert_str_eq(after, carving->uuid);
	teardown(&f);
}
END_TEST

START_TEST(a_claim_of_nobody_is_ended)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	g_autofree char *kept = NULL;
	g_autofree char *ended = NULL;
	g_autoptr(GPtrArray) report = NULL;

	/* Its guest runs. */
	ck_assert(daxc_kernel_sim_hold(f.host->kernel, carving->instance, "qemu (1)",
				       NULL));
	behind_its_back(&f, "rm $D/ledger.db*");
	report = recover(&f, FALSE);
	kept = claimant_of(&f, carving->instance);
	ck_assert_str_eq(kept, carving->uuid);
	/* It has died. */
	ck_assert(daxc_kernel_sim_hold(f.host->kernel, carving->instance, NULL, NULL));
	assert_reports(&f, "is ended");
	ended = claimant_of(&f, carving->instance);
	ck_assert_ptr_null(ended);
	teardown(&f);
}
END_TEST

START_TEST(what_another_has_claimed_is_not_taken_back)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	const char *const names[] = {carving->instance, NULL};
	g_autoptr(GError) error = NULL;

	unclaim(&f, carving->instance);
	ck_assert(daxc_kernel_claim(f.host->kernel, names,
				    "00000000-0000-4000-8000-00000000dead", FALSE, NULL));
	ck_assert(!daxc_host_release(f.host, carving->uuid, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, "claimed by 00000000");
	ck_assert_uint_eq(carvings(f.host), 1);
	unclaim(&f, carving->instance);
	assert_reports(&f, "taken back");
	teardown(&f);
}
END_TEST

START_TEST(an_instance_that_was_taken_away_leaves_dirt)
{
	Fixture f = setup_with(TRUE, "[tenant red]\nzero = other-tenants\n");
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	g_autoptr(GArray) granules = NULL;

	ck_assert(daxc_kernel_destroy(f.host->kernel, carving->instance, carving->uuid,
				      NULL));
	assert_reports(&f, "has no instance any more");
	granules = daxc_ledger_granules(f.host->ledger, NULL);
	ck_assert_uint_eq(granules->len, 6);
	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		ck_assert_int_eq(granule->state, DAXC_GRANULE_DIRTY);
		/* Who had it since is not known. */
		ck_assert_ptr_null(granule->tenant);
	}
	teardown(&f);
}
END_TEST

START_TEST(a_boot_says_what_it_forgets)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) one = carve_well(&f, 1, "red", GIB, 2);
	g_autoptr(DaxcCarving) two = carve_well(&f, 2, "red", GIB, 1);

	behind_its_back(&f, "rm $D/simulated-kernel");
	g_free(f.host->boot_id);
	f.host->boot_id = g_strdup("the next one");
	assert_reports(&f, "2 carvings of guests that ran before forgotten");
	ck_assert_uint_eq(carvings(f.host), 0);
	teardown(&f);
}
END_TEST

static gboolean reserve(const Fixture *f, const char *tenant, gint node, guint count,
			const char *list, GError **error)
{
	g_autoptr(GArray) colors = list ? daxc_color_list_parse(list, NULL) : NULL;

	return daxc_host_reserve(f->host, tenant, node, count, colors, error);
}

START_TEST(a_reserved_color_is_its_tenants_alone)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) red = NULL;
	g_autoptr(DaxcCarving) blue = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(reserve(&f, "red", 2, 0, "0", &error));
	blue = carve_well(&f, 1, "blue", 3 * GIB, 2);
	ck_assert_uint_eq(g_array_index(blue->plan->granules, DaxcGranule, 0).color, 1);
	ck_assert_ptr_null(carve(&f, 2, "green", GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "reserved for tenant red");
	g_clear_error(&error);
	ck_assert(!reserve(&f, "green", 2, 0, "0", &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "color 0 of node 2");
	g_clear_error(&error);
	ck_assert(!reserve(&f, "red", 2, 0, "0-1", &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "blue");
	g_clear_error(&error);
	/* A boot later, too. */
	behind_its_back(&f, "rm $D/simulated-kernel");
	g_free(f.host->boot_id);
	f.host->boot_id = g_strdup("the next one");
	recover(&f, TRUE);
	ck_assert_ptr_null(carve(&f, 2, "green", 4 * GIB, 2, NULL));
	red = carve_well(&f, 3, "red", 6 * GIB, 2);
	ck_assert(daxc_host_release(f.host, red->uuid, NULL));
	ck_assert(reserve(&f, "red", 2, 0, NULL, &error));
	g_clear_pointer(&red, daxc_carving_free);
	red = carve_well(&f, 2, "green", 6 * GIB, 2);
	teardown(&f);
}
END_TEST

START_TEST(a_count_is_reserved_from_what_is_free)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcCarving) red = carve_well(&f, 1, "red", 4 * GIB, 1);
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GError) error = NULL;
	guint32 has = g_array_index(red->plan->granules, DaxcGranule, 0).color;
	const DaxcReservation *one;
	gboolean kept = FALSE;

	ck_assert(reserve(&f, "red", 1, 2, NULL, &error));
	all = daxc_host_reservations(f.host, &error);
	ck_assert_uint_eq(all->len, 1);
	one = g_ptr_array_index(all, 0);
	ck_assert_uint_eq(one->colors->len, 2);
	for (guint i = 0; i < 2; i++)
		kept |= g_array_index(one->colors, guint32, i) == has;
	ck_assert(kept);
	ck_assert(!reserve(&f, "blue", 1, 4, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "can have 3 of its 5");
	g_clear_error(&error);
	ck_assert(!reserve(&f, "blue", 1, 0, "5", &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "has no color 5");
	g_clear_error(&error);
	ck_assert(!reserve(&f, "blue", 3, 1, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "node 3");
	g_clear_error(&error);
	ck_assert(!reserve(&f, "bl/ue", 1, 1, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "bl/ue");
	teardown(&f);
}
END_TEST

START_TEST(another_geometry_voids_reservations_loudly)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) red = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(reserve(&f, "red", 2, 0, "0", &error));
	behind_its_back(&f, "sed -i '/cache 2/,/region/s/size=2GiB/size=3GiB/' "
			    "$D/test.host");
	ck_assert_ptr_null(carve(&f, 1, "red", GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "another geometry");
	g_clear_error(&error);
	ck_assert(!daxc_host_recover(f.host, TRUE, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "daxcolor reserve red --node 2");
	g_clear_error(&error);
	ck_assert(reserve(&f, "red", 2, 0, "2", &error));
	red = carve_well(&f, 1, "red", GIB, 2);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recover");
	TCase *tcase = tcase_create("recover");

	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, an_old_copy_of_the_ledger_is_not_believed);
	tcase_add_test(tcase, a_note_that_cannot_be_read_is_not_trusted_either);
	tcase_add_test(tcase, nothing_is_carved_where_nothing_can_be_noted);
	tcase_add_test(tcase, a_lost_ledger_gives_nothing_away);
	tcase_add_test(tcase, an_instance_that_was_renamed_is_followed);
	tcase_add_test(tcase, clean_memory_in_a_strangers_hands_is_dirty);
	tcase_add_test(tcase, a_guest_that_lost_its_claim_has_it_again);
	tcase_add_test(tcase, a_claim_of_nobody_is_ended);
	tcase_add_test(tcase, what_another_has_claimed_is_not_taken_back);
	tcase_add_test(tcase, an_instance_that_was_taken_away_leaves_dirt);
	tcase_add_test(tcase, a_boot_says_what_it_forgets);
	tcase_add_test(tcase, a_reserved_color_is_its_tenants_alone);
	tcase_add_test(tcase, a_count_is_reserved_from_what_is_free);
	tcase_add_test(tcase, another_geometry_voids_reservations_loudly);
	return unit_run(suite);
}
