// SPDX-License-Identifier: GPL-2.0-or-later
/* Plan, ledger and kernel together, on the simulated kernel. */
#include "host-fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same geometry once more, by hand: base 0, 1 GiB granules. */
static guint32 color_of(guint region, guint64 address)
{
	return (guint32)(address / GIB % (region == 2 ? 2 : 5));
}

START_TEST(a_guest_gets_its_memory_and_gives_it_back)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) made = daxc_host_carve(f.host, request, &error);
	const DaxcCarving *carving;

	unit_assert_no_error(error);
	ck_assert_uint_eq(made->len, 1);
	carving = g_ptr_array_index(made, 0);
	ck_assert_int_eq(carving->state, DAXC_CARVING_ACTIVE);
	ck_assert_uint_eq(carving->plan->align, GIB);
	ck_assert_uint_eq(instances_with_memory(f.host), 1);
	ck_assert(daxc_host_release(f.host, request->uuid, &error));
	ck_assert_uint_eq(instances_with_memory(f.host), 0);
	ck_assert_uint_eq(carvings(f.host), 0);
	ck_assert(daxc_host_release(f.host, request->uuid, &error));
	teardown(&f);
}
END_TEST

START_TEST(carving_again_replaces_what_a_domain_had)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB);
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < 2; i++) {
		g_autoptr(GPtrArray) made = daxc_host_carve(f.host, request, &error);

		unit_assert_no_error(error);
	}
	ck_assert_uint_eq(instances_with_memory(f.host), 1);
	ck_assert_uint_eq(carvings(f.host), 1);
	teardown(&f);
}
END_TEST

START_TEST(a_refusal_changes_nothing)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", 100 * GIB);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_host_carve(f.host, request, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "100 GiB");
	ck_assert_uint_eq(carvings(f.host), 0);
	ck_assert_uint_eq(instances_with_memory(f.host), 0);
	teardown(&f);
}
END_TEST

/* Whichever step of the kernel's fails, the state before comes back. */
START_TEST(any_failing_step_is_undone)
{
	Fixture f = setup(FALSE);
	guint steps = 0;

	for (;; steps++) {
		g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB + 2 * MIB);
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) made = NULL;

		g_ptr_array_add(request->cells, daxc_cell_request_new(1, 2 * GIB));
		cell_of(request, 1)->node = 2;
		daxc_kernel_sim_fail(f.host->kernel, steps, EIO);
		made = daxc_host_carve(f.host, request, &error);
		if (made)
			break;
		ck_assert_ptr_nonnull(error);
		ck_assert_msg(carvings(f.host) == 0, "step %u: %s", steps,
			      error->message);
		ck_assert_uint_eq(instances_with_memory(f.host), 0);
	}
	/* create, align, extents, enable: for two cells no less than eight. */
	ck_assert_uint_ge(steps, 8);
	teardown(&f);
}
END_TEST

START_TEST(a_held_instance_is_not_taken_back)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", GIB);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) made = daxc_host_carve(f.host, request, &error);
	const DaxcCarving *carving = g_ptr_array_index(made, 0);

	daxc_kernel_sim_hold(f.host->kernel, carving->instance, "qemu-system-x86 (4711)",
			     NULL);
	ck_assert(!daxc_host_release(f.host, request->uuid, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, "4711");
	ck_assert_uint_eq(carvings(f.host), 1);
	ck_assert_uint_eq(instances_with_memory(f.host), 1);
	g_clear_error(&error);

	daxc_kernel_sim_hold(f.host->kernel, carving->instance, NULL, NULL);
	ck_assert(daxc_host_recover(f.host, FALSE, NULL, &error));
	ck_assert_uint_eq(carvings(f.host), 0);
	ck_assert_uint_eq(instances_with_memory(f.host), 0);
	teardown(&f);
}
END_TEST

/* An instance that an administrator made by hand. */
START_TEST(nobody_gets_the_color_of_an_unknown_instance)
{
	Fixture f = setup(FALSE);
	DaxcExtent extent = {.start = 0x1000000000, .size = GIB};
	g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	const DaxcKernelCarving asked = {
		.region = 2, .align = GIB, .granule = GIB, .extents = extents};
	g_autofree char *name = NULL;
	g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) made = NULL;

	g_array_append_val(extents, extent);
	ck_assert(daxc_kernel_carve(f.host->kernel, &asked, &name, &error));
	cell_of(request, 0)->node = 2;
	made = daxc_host_carve(f.host, request, &error);
	unit_assert_no_error(error);
	for (guint i = 0; i < 3; i++) {
		const DaxcCarving *carving = g_ptr_array_index(made, 0);
		const DaxcGranule *granule =
			&g_array_index(carving->plan->granules, DaxcGranule, i);

		ck_assert_uint_ne(color_of(2, granule->start), color_of(2, extent.start));
	}
	ck_assert(daxc_host_recover(f.host, FALSE, NULL, &error));
	ck_assert_uint_eq(instances_with_memory(f.host), 2);
	teardown(&f);
}
END_TEST

/* A process that dies after each of its kernel steps; the next caller cleans up. */
START_TEST(what_a_dead_process_left_is_undone)
{
	Fixture f = setup(TRUE);
	gboolean done = FALSE;

	g_clear_pointer(&f.host, daxc_host_free);
	for (guint step = 0; !done; step++) {
		g_autoptr(GError) error = NULL;
		pid_t child = fork();
		int status;

		if (child == 0) {
			DaxcHost *host = open_host(&f, TRUE);
			g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB);

			daxc_kernel_sim_fail(host->kernel, step, DAXC_SIM_DIE);
			_exit(daxc_host_carve(host, request, NULL) ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
		ck_assert(done || WIFSIGNALED(status));
		f.host = open_host(&f, TRUE);
		ck_assert(daxc_host_recover(f.host, FALSE, NULL, &error));
		ck_assert_uint_eq(carvings(f.host), done ? 1 : 0);
		ck_assert_uint_eq(instances_made(f.host), done ? 1 : 0);
		g_clear_pointer(&f.host, daxc_host_free);
	}
	teardown(&f);
}
END_TEST

/* The same for one that dies while it takes back: also an instance that it had
 * emptied already is nobody's. */
START_TEST(what_a_dead_release_left_is_undone)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB);
	gboolean done = FALSE;

	for (guint step = 0; !done; step++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) made = daxc_host_carve(f.host, request, &error);
		pid_t child;
		int status;

		unit_assert_no_error(error);
		g_clear_pointer(&f.host, daxc_host_free);
		child = fork();
		if (child == 0) {
			DaxcHost *host = open_host(&f, TRUE);

			daxc_kernel_sim_fail(host->kernel, step, DAXC_SIM_DIE);
			_exit(daxc_host_release(host, request->uuid, NULL) ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
		ck_assert(done || WIFSIGNALED(status));
		f.host = open_host(&f, TRUE);
		ck_assert(daxc_host_recover(f.host, FALSE, NULL, &error));
		ck_assert_uint_eq(carvings(f.host), 0);
		ck_assert_msg(instances_made(f.host) == 0, "died at step %u", step);
	}
	teardown(&f);
}
END_TEST

static void carve_with_failures(const Fixture *f, guint first, guint second)
{
	DaxcHost *host = open_host(f, TRUE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", 3 * GIB);

	daxc_kernel_sim_fail(host->kernel, first, EIO);
	daxc_kernel_sim_fail(host->kernel, second, EIO);
	_exit(daxc_host_carve(host, request, NULL) ? 0 : 1);
}

/* Undoing may fail too: whoever comes next has to find what is left. */
START_TEST(what_could_not_be_undone_is_found_later)
{
	const guint steps = 8;
	Fixture f = setup(TRUE);

	g_clear_pointer(&f.host, daxc_host_free);
	for (guint i = 0; i < steps * steps; i++) {
		g_autoptr(GError) error = NULL;
		guint first = i / steps, second = first + 1 + i % steps;
		pid_t child = fork();
		int status;

		if (child == 0)
			carve_with_failures(&f, first, second);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		f.host = open_host(&f, TRUE);
		ck_assert(daxc_host_recover(f.host, FALSE, NULL, &error));
		if (status != 0)
			ck_assert_msg(carvings(f.host) == 0 &&
					      instances_made(f.host) == 0,
				      "steps %u and %u", first, second);
		ck_assert(daxc_host_release(
			f.host, "00000000-0000-4000-8000-000000000001", &error));
		g_clear_pointer(&f.host, daxc_host_free);
	}
	teardown(&f);
}
END_TEST

/* Between two transactions of ours others have their turn: here somebody who carves,
 * right after our next commit. */

gboolean __real_daxc_ledger_commit(DaxcLedger *ledger, GError **error);
gboolean __wrap_daxc_ledger_commit(DaxcLedger *ledger, GError **error);

static const Fixture *meanwhile;

static void carve_meanwhile(void)
{
	const Fixture *f = g_steal_pointer(&meanwhile);
	pid_t child = fork();
	int status;

	if (child == 0) {
		g_autoptr(DaxcRequest) request = request_new(2, "blue", GIB);
		DaxcHost *host = open_host(f, TRUE);

		_exit(daxc_host_carve(host, request, NULL) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

gboolean __wrap_daxc_ledger_commit(DaxcLedger *ledger, GError **error)
{
	gboolean ok = __real_daxc_ledger_commit(ledger, error);

	if (meanwhile)
		carve_meanwhile();
	return ok;
}

static guint32 first_color(const GPtrArray *all, guint index)
{
	const DaxcCarving *carving = g_ptr_array_index(all, index);

	return g_array_index(carving->plan->granules, DaxcGranule, 0).color;
}

START_TEST(what_others_did_between_two_transactions_is_seen)
{
	Fixture f = setup(TRUE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", GIB);
	g_autoptr(GPtrArray) made = NULL;
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GError) error = NULL;
	pid_t child = fork();
	int status;

	if (child == 0) {
		DaxcHost *host = open_host(&f, TRUE);

		daxc_kernel_sim_fail(host->kernel, 2, DAXC_SIM_DIE);
		daxc_host_carve(host, request, NULL);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	/* What it left is taken back first, and that is committed. */
	meanwhile = &f;
	made = daxc_host_carve(f.host, request, &error);
	ck_assert_ptr_null(meanwhile);
	unit_assert_no_error(error);
	all = daxc_host_carvings(f.host, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(all->len, 2);
	ck_assert_uint_ne(first_color(all, 0), first_color(all, 1));
	teardown(&f);
}
END_TEST

/* Another process is between its intent and its last step. */
START_TEST(the_work_of_a_living_process_is_left_alone)
{
	Fixture f = setup(FALSE);
	g_autoptr(DaxcRequest) request = request_new(1, "red", GIB);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) made = daxc_host_carve(f.host, request, &error);
	DaxcCarving *carving = g_ptr_array_index(made, 0);

	carving->state = DAXC_CARVING_INTENT;
	carving->pid = getppid();
	carving->pid_start = daxc_process_start(carving->pid);
	ck_assert_uint_ne(carving->pid_start, 0);
	ck_assert(daxc_ledger_begin(f.host->ledger, &error));
	ck_assert(daxc_ledger_update(f.host->ledger, carving, &error));
	ck_assert(daxc_ledger_commit(f.host->ledger, &error));

	ck_assert(daxc_host_recover(f.host, FALSE, NULL, &error));
	ck_assert_uint_eq(instances_made(f.host), 1);
	ck_assert(!daxc_host_release(f.host, request->uuid, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, "is at work on the same guest");
	ck_assert_uint_eq(instances_made(f.host), 1);
	teardown(&f);
}
END_TEST

/* The random walk: guests come and go; the kernel's view is checked against
 * what was granted, never against the ledger. */

#define GUESTS 24
#define TENANTS 5

typedef struct {
	guint tenant; /* 0: not running */
	guint64 size;
	char *instance;
} Guest;

static void check_walk(DaxcHost *host, const Guest *guests, guint64 step)
{
	g_autoptr(GPtrArray) instances = daxc_host_instances(host, NULL);
	guint owner[3][5] = {0};
	guint64 used[3] = {0};
	guint expected = 0;

	for (guint i = 0; i < GUESTS; i++)
		expected += guests[i].tenant != 0;
	ck_assert_uint_eq(instances_with_memory(host), expected);
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(instances, i);
		guint domain = instance->region == 2 ? 1 : 0;
		guint who;

		if (instance->size == 0)
			continue;
		for (who = 0; who < GUESTS; who++) {
			if (guests[who].tenant &&
			    strcmp(guests[who].instance, instance->name) == 0)
				break;
		}
		ck_assert_msg(who < GUESTS, "step %" G_GUINT64_FORMAT ": %s is nobody's",
			      step, instance->name);
		ck_assert_uint_eq(instance->size, guests[who].size);
		for (guint j = 0; j < instance->extents->len; j++) {
			const DaxcExtent *extent =
				&g_array_index(instance->extents, DaxcExtent, j);

			for (guint64 at = extent->start;
			     at < extent->start + extent->size; at += GIB) {
				guint64 bit = G_GUINT64_CONSTANT(1) << (at / GIB % 64);
				guint *mine =
					&owner[domain][color_of(instance->region, at)];

				ck_assert_msg(!(used[instance->region] & bit),
					      "granule given twice");
				used[instance->region] |= bit;
				ck_assert_msg(*mine == 0 || *mine == guests[who].tenant,
					      "tenants %u and %u share a color", *mine,
					      guests[who].tenant);
				*mine = guests[who].tenant;
			}
		}
	}
}

static void walk_step(DaxcHost *host, GRand *random, Guest *guests)
{
	guint which = (guint)g_rand_int_range(random, 0, GUESTS);
	Guest *guest = &guests[which];
	guint tenant = (guint)g_rand_int_range(random, 1, TENANTS + 1);
	g_autofree char *name = g_strdup_printf("t%u", tenant);
	guint64 size = (guint64)g_rand_int_range(random, 1, 9) * GIB / 2;
	g_autoptr(DaxcRequest) request = request_new(which, name, size);
	g_autoptr(GPtrArray) made = NULL;
	g_autoptr(GError) error = NULL;

	if (guest->tenant) {
		ck_assert(daxc_host_release(host, request->uuid, &error));
		g_clear_pointer(&guest->instance, g_free);
		guest->tenant = 0;
		return;
	}
	if (g_rand_boolean(random)) {
		cell_of(request, 0)->wish = DAXC_WISH_COUNT;
		cell_of(request, 0)->count = 1;
	}
	made = daxc_host_carve(host, request, &error);
	if (!made) {
		ck_assert_msg(g_error_matches(error, DAXC_ERROR, DAXC_ERROR_REFUSED),
			      "%s", error->message);
		return;
	}
	guest->tenant = tenant;
	guest->size = size;
	guest->instance = g_strdup(((DaxcCarving *)g_ptr_array_index(made, 0))->instance);
}

START_TEST(a_random_walk_keeps_the_promise)
{
	const char *steps_text = g_getenv("DAXC_TEST_STEPS");
	const char *seed_text = g_getenv("DAXC_TEST_SEED");
	guint64 steps = steps_text ? g_ascii_strtoull(steps_text, NULL, 10) : 2000;
	guint32 seed = seed_text ? (guint32)g_ascii_strtoull(seed_text, NULL, 10)
				 : g_random_int();
	g_autoptr(GRand) random = g_rand_new_with_seed(seed);
	Guest guests[GUESTS] = {0};
	Fixture f = setup(FALSE);

	printf("%" G_GUINT64_FORMAT " steps, DAXC_TEST_SEED=%u\n", steps, seed);
	for (guint64 step = 0; step < steps; step++) {
		walk_step(f.host, random, guests);
		check_walk(f.host, guests, step);
	}
	for (guint i = 0; i < GUESTS; i++)
		g_free(guests[i].instance);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("host");
	TCase *tcase = tcase_create("host");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 0);
	tcase_add_test(tcase, a_guest_gets_its_memory_and_gives_it_back);
	tcase_add_test(tcase, carving_again_replaces_what_a_domain_had);
	tcase_add_test(tcase, a_refusal_changes_nothing);
	tcase_add_test(tcase, any_failing_step_is_undone);
	tcase_add_test(tcase, a_held_instance_is_not_taken_back);
	tcase_add_test(tcase, nobody_gets_the_color_of_an_unknown_instance);
	tcase_add_test(tcase, what_a_dead_process_left_is_undone);
	tcase_add_test(tcase, what_a_dead_release_left_is_undone);
	tcase_add_test(tcase, what_could_not_be_undone_is_found_later);
	tcase_add_test(tcase, what_others_did_between_two_transactions_is_seen);
	tcase_add_test(tcase, the_work_of_a_living_process_is_left_alone);
	tcase_add_test(tcase, a_random_walk_keeps_the_promise);
	return unit_run(suite);
}
