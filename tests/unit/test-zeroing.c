// SPDX-License-Identifier: GPL-2.0-or-later
/* What guests read: zeroing before use and in the background, on the simulated
 * kernel, whose memory is a file. */
#include "host-fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_1 "[daxcolor]\nwait = 1\n"
/* What a guest leaves in each of its granules. */
static const char secret[] = "a guest's secret";

/* The memory of a granule, as whoever has it sees it. */
static int open_granule(const Fixture *f, guint64 address, guint64 *offset)
{
	g_autoptr(GError) error = NULL;
	int fd = daxc_kernel_sim_memory(f->host->kernel, address, offset, &error);

	unit_assert_no_error(error);
	return fd;
}

static void write_secret(const Fixture *f, guint64 address)
{
	guint64 offset;
	int fd = open_granule(f, address, &offset);

	ck_assert_int_eq(pwrite(fd, secret, sizeof(secret), (off_t)offset),
			 sizeof(secret));
	close(fd);
}

static gboolean has_secret(const Fixture *f, guint64 address)
{
	char bytes[sizeof(secret)] = "";
	guint64 offset;
	int fd = open_granule(f, address, &offset);

	ck_assert_int_ge(pread(fd, bytes, sizeof(bytes), (off_t)offset), 0);
	close(fd);
	return memcmp(bytes, secret, sizeof(secret)) == 0;
}

static void release(const Fixture *f, const DaxcCarving *carving)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_host_release(f->host, carving->uuid, &error);

	unit_assert_no_error(error);
	ck_assert(ok);
}

static guint64 granule_at(const DaxcCarving *carving, guint index)
{
	return g_array_index(carving->plan->granules, DaxcGranule, index).start;
}

/* Leaves a secret in all that it finds, and says in how many granules one was. */
static guint search_and_fill(const Fixture *f, const DaxcCarving *carving)
{
	guint found = 0;

	for (guint i = 0; i < carving->plan->granules->len; i++) {
		found += has_secret(f, granule_at(carving, i));
		write_secret(f, granule_at(carving, i));
	}
	return found;
}

/* State of the granule at @start; DIRTY when the ledger does not know it. */
static DaxcGranuleState state_at(const Fixture *f, guint64 start)
{
	g_autoptr(GArray) granules = daxc_ledger_granules(f->host->ledger, NULL);

	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		if (granule->start == start)
			return granule->state;
	}
	return DAXC_GRANULE_DIRTY;
}

static guint count_state(const Fixture *f, DaxcGranuleState state)
{
	g_autoptr(GArray) granules = daxc_ledger_granules(f->host->ledger, NULL);
	guint n = 0;

	for (guint i = 0; i < granules->len; i++)
		n += g_array_index(granules, DaxcLedgerGranule, i).state == state;
	return n;
}

static DaxcScrub scrub_all(const Fixture *f)
{
	g_autoptr(GError) error = NULL;
	DaxcScrub scrub = {0};

	ck_assert(daxc_host_scrub(f->host, &scrub, &error));
	unit_assert_no_error(error);
	return scrub;
}

START_TEST(the_next_tenant_finds_nothing)
{
	Fixture f = setup(FALSE);

	for (guint round = 0; round < 6; round++) {
		g_autofree char *tenant = g_strdup_printf("tenant%u", round);
		/* All of node 2, so that it is the same memory each time. */
		g_autoptr(DaxcCarving)
			carving = carve_well(&f, round, tenant, 6 * GIB, 2);

		ck_assert_uint_eq(search_and_fill(&f, carving), 0);
		ck_assert(carving->zeroed);
		release(&f, carving);
		if (round % 2)
			scrub_all(&f);
	}
	teardown(&f);
}
END_TEST

/* The test above can fail. */
START_TEST(without_zeroing_the_next_tenant_finds_everything)
{
	Fixture f = setup_with(FALSE, "[daxcolor]\nzero = never\n");
	g_autoptr(DaxcCarving) red = carve_well(&f, 1, "red", 6 * GIB, 2);
	g_autoptr(DaxcCarving) blue = NULL;

	ck_assert(!red->zeroed);
	ck_assert_uint_eq(search_and_fill(&f, red), 0);
	release(&f, red);
	blue = carve_well(&f, 2, "blue", 6 * GIB, 2);
	ck_assert_uint_eq(search_and_fill(&f, blue), 6);
	teardown(&f);
}
END_TEST

START_TEST(a_release_leaves_zeroing_to_others)
{
	Fixture f = setup(TRUE);
	g_autofree char *nudge = g_build_filename(f.dir, "scrub", NULL);
	g_autoptr(DaxcCarving) red = carve_well(&f, 1, "red", 2 * GIB, 2);
	DaxcScrub scrub;

	ck_assert_uint_eq(state_at(&f, granule_at(red, 0)), DAXC_GRANULE_HELD);
	search_and_fill(&f, red);
	ck_assert(!g_file_test(nudge, G_FILE_TEST_EXISTS));
	release(&f, red);
	ck_assert(g_file_test(nudge, G_FILE_TEST_EXISTS));
	ck_assert_uint_eq(state_at(&f, granule_at(red, 0)), DAXC_GRANULE_DIRTY);
	ck_assert(has_secret(&f, granule_at(red, 1)));

	scrub = scrub_all(&f);
	ck_assert_uint_eq(scrub.cleaned, 28 * GIB);
	ck_assert(!scrub.stopped);
	ck_assert_uint_eq(state_at(&f, granule_at(red, 0)), DAXC_GRANULE_CLEAN);
	ck_assert(!has_secret(&f, granule_at(red, 0)));
	ck_assert(!has_secret(&f, granule_at(red, 1)));
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_CLEAN), 28);
	ck_assert_uint_eq(instances_made(f.host), 0);
	ck_assert_uint_eq(carvings(f.host), 0);
	scrub = scrub_all(&f);
	ck_assert_uint_eq(scrub.cleaned, 0);
	teardown(&f);
}
END_TEST

START_TEST(clean_memory_is_taken_first_and_not_zeroed_again)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcCarving) first = carve_well(&f, 1, "red", GIB, 2);
	g_autoptr(DaxcCarving) second = carve_well(&f, 2, "red", GIB, 2);
	g_autoptr(DaxcCarving) again = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_uint_lt(granule_at(first, 0), granule_at(second, 0));
	release(&f, first);
	release(&f, second);
	/* Only the one that a planner would take last. */
	ck_assert(daxc_ledger_begin(f.host->ledger, &error));
	ck_assert(daxc_ledger_mark(f.host->ledger, granule_at(second, 0), GIB,
				   DAXC_GRANULE_CLEAN, &error));
	ck_assert(daxc_ledger_commit(f.host->ledger, &error));
	/* No guest could do that: it shows who zeroes. */
	write_secret(&f, granule_at(second, 0));
	again = carve_well(&f, 3, "red", GIB, 2);
	ck_assert_uint_eq(granule_at(again, 0), granule_at(second, 0));
	ck_assert(has_secret(&f, granule_at(second, 0)));
	g_clear_pointer(&again, daxc_carving_free);
	again = carve_well(&f, 3, "red", GIB, 2);
	/* Used and given back since: dirty like all others. */
	ck_assert_uint_eq(granule_at(again, 0), granule_at(first, 0));
	ck_assert_uint_eq(state_at(&f, granule_at(second, 0)), DAXC_GRANULE_DIRTY);
	teardown(&f);
}
END_TEST

START_TEST(a_boot_makes_everything_dirty)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) carving = NULL;

	scrub_all(&f);
	write_secret(&f, 0x1000000000);
	g_free(f.host->boot_id);
	f.host->boot_id = g_strdup("the next one");
	carving = carve_well(&f, 1, "red", 6 * GIB, 2);
	ck_assert_uint_eq(search_and_fill(&f, carving), 0);
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_CLEAN), 0);
	teardown(&f);
}
END_TEST

START_TEST(a_tenant_may_keep_its_own_bytes_if_it_says_so)
{
	Fixture f = setup_with(FALSE, WAIT_1 "[tenant red]\nzero = other-tenants\n");
	g_autoptr(DaxcCarving) one = carve_well(&f, 1, "red", 6 * GIB, 2);
	g_autoptr(DaxcCarving) two = NULL;
	g_autoptr(DaxcCarving) blue = NULL;
	g_autoptr(DaxcCarving) three = NULL;

	ck_assert_uint_eq(search_and_fill(&f, one), 0);
	release(&f, one);
	two = carve_well(&f, 2, "red", 6 * GIB, 2);
	ck_assert_uint_eq(search_and_fill(&f, two), 6);
	release(&f, two);
	/* Others find nothing of it, and it nothing of others. */
	blue = carve_well(&f, 3, "blue", 6 * GIB, 2);
	ck_assert_uint_eq(search_and_fill(&f, blue), 0);
	release(&f, blue);
	three = carve_well(&f, 4, "red", 6 * GIB, 2);
	ck_assert_uint_eq(search_and_fill(&f, three), 0);
	teardown(&f);
}
END_TEST

START_TEST(a_tenant_that_says_nothing_is_zeroed_too)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcCarving) one = carve_well(&f, 1, "red", 6 * GIB, 2);
	g_autoptr(DaxcCarving) two = NULL;

	search_and_fill(&f, one);
	release(&f, one);
	two = carve_well(&f, 2, "red", 6 * GIB, 2);
	ck_assert_uint_eq(search_and_fill(&f, two), 0);
	teardown(&f);
}
END_TEST

/* Stops after so many bytes. */
static gboolean stop_at(guint64 done, guint64 total, gpointer data)
{
	const guint64 *limit = data;

	ck_assert_uint_le(done, total);
	return done < *limit;
}

START_TEST(a_scrubber_that_stops_loses_nothing)
{
	Fixture f = setup(FALSE);
	guint64 limit = 3 * GIB;
	DaxcScrub scrub = {.progress = stop_at, .data = &limit};
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_host_scrub(f.host, &scrub, &error));
	ck_assert(scrub.stopped);
	ck_assert_uint_eq(scrub.cleaned, 3 * GIB);
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_CLEAN), 3);
	ck_assert_uint_eq(instances_made(f.host), 0);
	scrub = scrub_all(&f);
	ck_assert_uint_eq(scrub.cleaned, 25 * GIB);
	teardown(&f);
}
END_TEST

/* One that is at work in another process. */
typedef struct {
	pid_t pid;
	int begun;
} Other;

static volatile sig_atomic_t asked;

static void on_term(int number)
{
	asked = 1;
}

/* Holds its first batch until it is asked to stop, or for good. */
static gboolean dawdle(guint64 done, guint64 total, gpointer data)
{
	const int *pipe_end = data;

	if (done > 0)
		return TRUE;
	if (write(*pipe_end, "", 1) != 1)
		return FALSE;
	while (!asked)
		usleep(1000);
	return FALSE;
}

static Other scrub_elsewhere(const Fixture *f, gboolean obedient)
{
	Other other;
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	other.pid = fork();
	if (other.pid == 0) {
		DaxcScrub scrub = {.progress = dawdle, .data = &ends[1]};
		DaxcHost *host = open_host(f, TRUE);

		/* Also when a test fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, obedient ? on_term : SIG_IGN);
		_exit(daxc_host_scrub(host, &scrub, NULL) ? 0 : 1);
	}
	close(ends[1]);
	other.begun = ends[0];
	ck_assert_int_eq(read(other.begun, &byte, 1), 1);
	return other;
}

static int end_of(Other *other)
{
	int status;

	close(other->begun);
	ck_assert_int_eq(waitpid(other->pid, &status, 0), other->pid);
	return status;
}

START_TEST(a_guest_gets_what_a_scrubber_holds)
{
	Fixture f = setup(TRUE);
	g_autofree char *nudge = g_build_filename(f.dir, "scrub", NULL);
	Other other;
	g_autoptr(DaxcCarving) carving = NULL;

	g_clear_pointer(&f.host, daxc_host_free);
	other = scrub_elsewhere(&f, TRUE);
	f.host = open_host(&f, TRUE);
	/* It is nobody's carving, and its colors are free. */
	ck_assert_uint_eq(carvings(f.host), 0);
	ck_assert_uint_eq(instances_made(f.host), 1);
	ck_assert(!g_file_test(nudge, G_FILE_TEST_EXISTS));
	carving = carve_well(&f, 1, "red", 15 * GIB, 1);
	ck_assert_int_eq(end_of(&other), 0);
	/* The rest is to be zeroed all the same. */
	ck_assert(g_file_test(nudge, G_FILE_TEST_EXISTS));
	ck_assert_uint_eq(instances_made(f.host), 1);
	teardown(&f);
}
END_TEST

START_TEST(a_guest_gets_other_memory_if_there_is_some)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) first = carve_well(&f, 1, "red", 15 * GIB, 1);
	g_autoptr(DaxcCarving) second = carve_well(&f, 2, "red", 7 * GIB, 1);
	g_autoptr(DaxcRequest) request = request_new(3, "red", 5 * GIB);
	g_autoptr(GPtrArray) made = NULL;
	g_autoptr(GError) error = NULL;
	Other other;

	/* The node's other region stays full. */
	ck_assert_uint_ne(first->plan->region, second->plan->region);
	release(&f, first);
	g_clear_pointer(&f.host, daxc_host_free);
	/* It would never stop; but of each color it has left something. */
	other = scrub_elsewhere(&f, FALSE);
	f.host = open_host(&f, TRUE);
	cell_of(request, 0)->node = 1;
	cell_of(request, 0)->wish = DAXC_WISH_COUNT;
	cell_of(request, 0)->count = 5;
	made = daxc_host_carve(f.host, request, &error);
	kill(other.pid, SIGKILL);
	end_of(&other);
	unit_assert_no_error(error);
	teardown(&f);
}
END_TEST

START_TEST(the_wait_for_a_scrubber_is_bounded)
{
	Fixture f = setup(TRUE);
	Other other;
	g_autofree char *pid = NULL;
	g_autoptr(DaxcCarving) carving = NULL;
	g_autoptr(GError) error = NULL;
	gint64 begun;

	g_clear_pointer(&f.host, daxc_host_free);
	other = scrub_elsewhere(&f, FALSE);
	f.host = open_host(&f, TRUE);
	begun = g_get_monotonic_time();
	ck_assert_ptr_null(carve(&f, 1, "red", 15 * GIB, 1, &error));
	pid = g_strdup_printf("process %d is zeroing", other.pid);
	unit_assert_error(error, DAXC_ERROR_BUSY, pid);
	ck_assert_int_lt(g_get_monotonic_time() - begun, 20 * G_USEC_PER_SEC);
	ck_assert_uint_eq(carvings(f.host), 0);
	/* Killed, it is in nobody's way. */
	kill(other.pid, SIGKILL);
	end_of(&other);
	carving = carve_well(&f, 1, "red", 15 * GIB, 1);
	ck_assert_uint_eq(instances_made(f.host), 1);
	teardown(&f);
}
END_TEST

static guint bad_in_colors(const Fixture *f)
{
	g_autoptr(GPtrArray) uses = daxc_host_colors(f->host, NULL);
	guint bad = 0;

	for (guint i = 0; i < uses->len; i++)
		bad += ((DaxcColorUse *)g_ptr_array_index(uses, i))->bad;
	return bad;
}

START_TEST(memory_that_fails_is_replaced)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcCarving) before = carve_well(&f, 1, "red", 3 * GIB, 2);
	g_autoptr(DaxcCarving) after = NULL;
	guint64 failed = granule_at(before, 1);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_gt(before->plan->extents->len, 1);
	release(&f, before);
	ck_assert(daxc_kernel_sim_poison(f.host->kernel, failed + 123 * 4096, &error));
	after = carve_well(&f, 1, "red", 3 * GIB, 2);
	for (guint i = 0; i < 3; i++)
		ck_assert_uint_ne(granule_at(after, i), failed);
	ck_assert_uint_eq(state_at(&f, failed), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_BAD), 1);
	ck_assert_uint_eq(instances_made(f.host), 1);
	ck_assert_uint_eq(bad_in_colors(&f), 1);
	/* For good: nobody gets it when there is no other. */
	release(&f, after);
	ck_assert_ptr_null(carve(&f, 1, "red", 6 * GIB, 2, &error));
	g_clear_error(&error);
	g_clear_pointer(&after, daxc_carving_free);
	after = carve_well(&f, 1, "red", 5 * GIB, 2);
	teardown(&f);
}
END_TEST

START_TEST(when_too_much_fails_the_start_is_refused)
{
	Fixture f = setup(FALSE);
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < 3; i++)
		ck_assert(daxc_kernel_sim_poison(f.host->kernel, 0x1000000000 + i * GIB,
						 &error));
	ck_assert_ptr_null(carve(&f, 1, "red", 6 * GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "6 GiB");
	ck_assert_uint_eq(carvings(f.host), 0);
	ck_assert_uint_eq(instances_made(f.host), 0);
	teardown(&f);
}
END_TEST

START_TEST(a_scrubber_finds_what_failed)
{
	Fixture f = setup(FALSE);
	g_autoptr(GError) error = NULL;
	DaxcScrub scrub;

	ck_assert(daxc_kernel_sim_poison(f.host->kernel, 0x800000000 + 5 * GIB - 1,
					 &error));
	scrub = scrub_all(&f);
	ck_assert_uint_eq(scrub.bad, 1);
	ck_assert_uint_eq(scrub.cleaned, 27 * GIB);
	ck_assert_uint_eq(state_at(&f, 0x800000000 + 4 * GIB), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_CLEAN), 27);
	teardown(&f);
}
END_TEST

START_TEST(a_scrubber_leaves_strangers_alone)
{
	Fixture f = setup(FALSE);
	DaxcExtent extent = {.start = 0x1040000000, .size = 2 * MIB};
	g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	const DaxcKernelCarving wanted = {
		.region = 2, .align = 2 * MIB, .granule = 2 * MIB, .extents = extents};
	g_autofree char *name = NULL;
	DaxcScrub scrub;

	g_array_append_val(extents, extent);
	ck_assert(daxc_kernel_carve(f.host->kernel, &wanted, &name, NULL));
	write_secret(&f, 0x1040000000);
	scrub = scrub_all(&f);
	ck_assert_uint_eq(scrub.cleaned, 27 * GIB);
	ck_assert(has_secret(&f, 0x1040000000));
	ck_assert_uint_eq(state_at(&f, 0x1040000000), DAXC_GRANULE_DIRTY);
	teardown(&f);
}
END_TEST

START_TEST(the_administrators_list_is_heeded)
{
	Fixture f = setup_with(TRUE, WAIT_1 "bad = 0x1000000fff; "
					    "0x10bfffffff-0x10c0000000; 0x123\n");
	g_autoptr(DaxcCarving) carving = NULL;
	g_autoptr(GPtrArray) report = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_host_recover(f.host, FALSE, &report, &error));
	ck_assert_uint_eq(report->len, 3);
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_BAD), 3);
	ck_assert_uint_eq(state_at(&f, 0x1000000000), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(state_at(&f, 0x1080000000), DAXC_GRANULE_BAD);
	ck_assert_uint_eq(state_at(&f, 0x10c0000000), DAXC_GRANULE_BAD);
	carving = carve_well(&f, 1, "red", 3 * GIB, 2);
	ck_assert_ptr_null(carve(&f, 2, "red", GIB, 2, &error));
	g_clear_error(&error);
	/* A guest keeps what it has, and nobody gets it after. */
	g_clear_pointer(&f.host, daxc_host_free);
	ck_assert(g_file_set_contents(f.config, WAIT_1 "bad = 0x1040000000\n", -1, NULL));
	f.host = open_host(&f, TRUE);
	g_clear_pointer(&report, g_ptr_array_unref);
	ck_assert(daxc_host_recover(f.host, FALSE, &report, &error));
	ck_assert_uint_eq(report->len, 1);
	ck_assert(strstr(g_ptr_array_index(report, 0), "a guest has it"));
	ck_assert_uint_eq(bad_in_colors(&f), 4);
	ck_assert_uint_eq(carvings(f.host), 1);
	release(&f, carving);
	ck_assert_ptr_null(carve(&f, 2, "red", 3 * GIB, 2, &error));
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zeroing");
	TCase *tcase = tcase_create("zeroing");

	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, the_next_tenant_finds_nothing);
	tcase_add_test(tcase, without_zeroing_the_next_tenant_finds_everything);
	tcase_add_test(tcase, a_release_leaves_zeroing_to_others);
	tcase_add_test(tcase, clean_memory_is_taken_first_and_not_zeroed_again);
	tcase_add_test(tcase, a_boot_makes_everything_dirty);
	tcase_add_test(tcase, a_tenant_may_keep_its_own_bytes_if_it_says_so);
	tcase_add_test(tcase, a_tenant_that_says_nothing_is_zeroed_too);
	tcase_add_test(tcase, a_scrubber_that_stops_loses_nothing);
	tcase_add_test(tcase, a_guest_gets_what_a_scrubber_holds);
	tcase_add_test(tcase, a_guest_gets_other_memory_if_there_is_some);
	tcase_add_test(tcase, the_wait_for_a_scrubber_is_bounded);
	tcase_add_test(tcase, memory_that_fails_is_replaced);
	tcase_add_test(tcase, when_too_much_fails_the_start_is_refused);
	tcase_add_test(tcase, a_scrubber_finds_what_failed);
	tcase_add_test(tcase, a_scrubber_leaves_strangers_alone);
	tcase_add_test(tcase, the_administrators_list_is_heeded);
	return unit_run(suite);
}
