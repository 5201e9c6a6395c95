// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The audit, on the simulated kernel with a ledger on disk: each breach is planted
 * in a host with several healthy guests, is found under its code and nothing else
 * is; without it nothing is found.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <sqlite3.h>

#include <daxcolor/daxcolor.h>

#include "provision/provision.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)
#define FOREIGN_UUID "99999999-0000-4000-8000-000000000009"

/* Five colors with three granules each, and two with three each. */
static const char host_text[] = "[host]\n"
				"description=two regions\n"
				"[cache 1]\nsize=5GiB\n"
				"[cache 2]\nsize=2GiB\n"
				"[region 0]\nstart=0x140000000\nsize=15GiB\nnode=1\n"
				"[region 1]\nstart=0x1000000000\nsize=6GiB\nnode=2\n";

/* Where a granule of that color is that no guest of healthy() has. */
#define FREE_OF_COLOR(color) ((15 + (guint64)(color)) * GIB)

/**
 * Fixture:
 * @qemu_conf: names @memory as the directory of memory directories
 * @host: what plants and undoes; audits open their own
 */
typedef struct {
	char *dir;
	char *state;
	char *file;
	char *config;
	char *qemu_conf;
	char *dev;
	char *memory;
	DaxcHost *host;
} Fixture;

static char *in_dir(const Fixture *f, const char *name)
{
	return g_build_filename(f->dir, name, NULL);
}

static void write_file(const char *path, const char *text)
{
	ck_assert(g_file_set_contents(path, text, -1, NULL));
	ck_assert_int_eq(chmod(path, 0644), 0);
}

static DaxcHost *open_host(const Fixture *f, gboolean audit)
{
	const DaxcHostOptions options = {
		.config = f->config,
		.simulate = f->file,
		.state_dir = f->state,
		.read_only = audit,
		.distrust_ledger = audit,
	};
	g_autoptr(GError) error = NULL;
	DaxcHost *host = daxc_host_open(&options, &error);

	unit_assert_no_error(error);
	return host;
}

static void write_config(const Fixture *f, const char *more)
{
	g_autofree char *text =
		g_strdup_printf("[daxcolor]\nqemu_conf=%s\n%s", f->qemu_conf, more);

	write_file(f->config, text);
}

static void setup(Fixture *f)
{
	g_autofree char *text = NULL;

	memset(f, 0, sizeof(*f));
	f->dir = g_dir_make_tmp("daxcolor-audit-XXXXXX", NULL);
	f->state = in_dir(f, "state");
	f->file = in_dir(f, "test.host");
	f->config = in_dir(f, "daxcolor.conf");
	f->qemu_conf = in_dir(f, "qemu.conf");
	f->dev = in_dir(f, "dev");
	f->memory = in_dir(f, "ram/libvirt/qemu");
	text = g_strdup_printf("memory_backing_dir = \"%s/ram\"\n", f->dir);
	write_file(f->file, host_text);
	write_file(f->qemu_conf, text);
	write_config(f, "");
	f->host = open_host(f, FALSE);
}

static void teardown(Fixture *f)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", f->dir);

	g_clear_pointer(&f->host, daxc_host_free);
	ck_assert_int_eq(system(command), 0);
	g_free(f->state);
	g_free(f->file);
	g_free(f->config);
	g_free(f->qemu_conf);
	g_free(f->dev);
	g_free(f->memory);
	g_free(f->dir);
}

/* ---- healthy guests ---- */

static char *uuid_of(guint guest)
{
	return g_strdup_printf("00000000-0000-4000-8000-%012u", guest);
}

static char *name_of(guint guest)
{
	return g_strdup_printf("guest%u", guest);
}

static void hold(const Fixture *f, const char *instance, const char *holder)
{
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_kernel_sim_hold(f->host->kernel, instance, holder, &error));
	unit_assert_no_error(error);
}

/* As libvirt starts it: its QEMU has the instance mapped. */
static void start_qemu(const Fixture *f, guint guest, const char *instance)
{
	g_autofree char *uuid = uuid_of(guest);
	g_autofree char *holder =
		g_strdup_printf("qemu-system-x86 (%u) mapped %s", 1000 + guest, uuid);

	hold(f, instance, holder);
}

static void add_guest(const Fixture *f, guint guest, const char *tenant, guint64 size,
		      guint32 color)
{
	g_autofree char *uuid = uuid_of(guest);
	g_autofree char *name = name_of(guest);
	g_autoptr(DaxcRequest) request = daxc_request_new(uuid, name, tenant);
	DaxcCellRequest *cell = daxc_cell_request_new(0, size);
	g_autoptr(GPtrArray) made = NULL;
	g_autoptr(GError) error = NULL;

	cell->node = 1;
	cell->wish = DAXC_WISH_LIST;
	g_array_append_val(cell->list, color);
	g_ptr_array_add(request->cells, cell);
	made = daxc_host_carve(f->host, request, &error);
	unit_assert_no_error(error);
	start_qemu(f, guest, ((const DaxcCarving *)g_ptr_array_index(made, 0))->instance);
}

/* red's two guests share color 0 (dax0.1, dax0.2), blue has color 1 (dax0.3), green
 * color 2 (dax0.4). */
static void healthy(Fixture *f)
{
	setup(f);
	add_guest(f, 1, "red", GIB, 0);
	add_guest(f, 2, "red", GIB, 0);
	add_guest(f, 3, "blue", 2 * GIB, 1);
	add_guest(f, 4, "green", GIB + 512 * MIB, 2);
}

static DaxcGuest *guest_new(guint guest, const char *tenant)
{
	DaxcGuest *row = g_new0(DaxcGuest, 1);

	row->uuid = uuid_of(guest);
	row->name = name_of(guest);
	row->id = (gint)guest;
	row->tenant = g_strdup(tenant);
	row->cells = 1;
	row->settled = TRUE;
	return row;
}

/* What libvirt says of the guests of healthy(). */
static GPtrArray *running(void)
{
	static const char *const tenants[] = {"red", "red", "blue", "green"};
	GPtrArray *guests =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_guest_free);

	for (guint i = 0; i < G_N_ELEMENTS(tenants); i++)
		g_ptr_array_add(guests, guest_new(i + 1, tenants[i]));
	return guests;
}

static DaxcGuest *guest_at(GPtrArray *guests, guint guest)
{
	return g_ptr_array_index(guests, guest - 1);
}

/* ---- what is found ---- */

static gint by_code(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns: the codes of all breaches, sorted. */
static char *codes_of(const DaxcAudit *audit)
{
	g_autoptr(GPtrArray) codes = g_ptr_array_new();

	for (guint i = 0; i < audit->breaches->len; i++) {
		const DaxcBreach *breach = g_ptr_array_index(audit->breaches, i);

		ck_assert(*breach->what && *breach->why && *breach->remedy);
		g_ptr_array_add(codes, (gpointer)breach->code);
	}
	g_ptr_array_sort(codes, by_code);
	g_ptr_array_add(codes, NULL);
	return g_strjoinv(" ", (char **)codes->pdata);
}

static DaxcAudit *audit(const Fixture *f, GPtrArray *guests)
{
	g_autoptr(DaxcHost) host = open_host(f, TRUE);
	g_autoptr(GError) error = NULL;
	DaxcAudit *result;

	if (g_file_test(f->dev, G_FILE_TEST_EXISTS))
		host->dev = g_strdup(f->dev);
	result = daxc_host_audit(host, guests, &error);
	unit_assert_no_error(error);
	return result;
}

/* @codes: in order of the alphabet. */
static void finds_with(const Fixture *f, GPtrArray *guests, const char *codes)
{
	g_autoptr(DaxcAudit) result = audit(f, guests);
	g_autofree char *found = codes_of(result);

	ck_assert_str_eq(found, codes);
}

static void finds(const Fixture *f, const char *codes)
{
	finds_with(f, NULL, codes);
}

/* Whether libvirt is asked or not. */
static void finds_always(const Fixture *f, const char *codes)
{
	g_autoptr(GPtrArray) guests = running();

	finds(f, codes);
	finds_with(f, guests, codes);
}

/* ---- planting ---- */

static void sql(const Fixture *f, const char *text)
{
	g_autofree char *path = g_build_filename(f->state, "ledger.db", NULL);
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* By hand, past daxcolor: mainline's kernel asks no questions. */
static char *make_by_hand(const Fixture *f, guint region, guint64 align, guint64 start,
			  guint64 size)
{
	DaxcKernel *kernel = f->host->kernel;
	const DaxcExtent extent = {start, size};
	char *name = NULL;

	ck_assert(kernel->ops->create(kernel, region, &name, NULL));
	ck_assert(kernel->ops->set_align(kernel, name, align, NULL));
	ck_assert(kernel->ops->add_extent(kernel, name, &extent, NULL));
	ck_assert(kernel->ops->enable(kernel, name, NULL));
	return name;
}

/* Root gives a guest's claim back. */
static void unclaim(const Fixture *f, const char *name)
{
	g_autoptr(DaxcInstance)
		instance = daxc_kernel_instance(f->host->kernel, name, NULL);

	ck_assert(daxc_kernel_unclaim(f->host->kernel, instance, NULL));
}

static void take_away(const Fixture *f, const char *name)
{
	DaxcKernel *kernel = f->host->kernel;

	hold(f, name, NULL);
	unclaim(f, name);
	kernel->ops->disable(kernel, name, NULL);
	ck_assert(kernel->ops->clear(kernel, name, NULL));
	ck_assert(kernel->ops->destroy(kernel, name, NULL));
}

/* For what the kernel knows and the simulation has no call for. */
static void edit_kernel(const Fixture *f, const char *section, const char *key,
			const char *value)
{
	g_autofree char *path = g_build_filename(f->state, "simulated-kernel", NULL);
	g_autoptr(GKeyFile) keys = g_key_file_new();

	ck_assert(g_key_file_load_from_file(keys, path, G_KEY_FILE_NONE, NULL));
	g_key_file_set_string(keys, section, key, value);
	ck_assert(g_key_file_save_to_file(keys, path, NULL));
}

static void mark(const Fixture *f, guint64 start, DaxcGranuleState state)
{
	DaxcLedger *ledger = f->host->ledger;

	ck_assert(daxc_ledger_begin(ledger, NULL));
	ck_assert(daxc_ledger_mark(ledger, start, GIB, state, NULL));
	ck_assert(daxc_ledger_commit(ledger, NULL));
}

/* ---- tests: nothing to find ---- */

START_TEST(a_healthy_host_is_silent)
{
	Fixture f;
	g_autoptr(DaxcAudit) result = NULL;
	g_autoptr(GPtrArray) guests = running();
	const DaxcAuditInstance *row;

	healthy(&f);
	finds_always(&f, "");
	result = audit(&f, guests);
	ck_assert_uint_eq(result->processes, 4);
	ck_assert_uint_eq(result->instances->len, 6);
	row = g_ptr_array_index(result->instances, 3);
	ck_assert_str_eq(row->instance->name, "dax0.3");
	ck_assert_str_eq(row->tenant, "blue");
	ck_assert_str_eq(row->carving->name, "guest3");
	ck_assert_uint_eq(row->colors->len, 1);
	ck_assert_uint_eq(g_array_index(row->colors, guint32, 0), 1);
	teardown(&f);
}
END_TEST

START_TEST(a_host_where_nothing_was_ever_carved_is_silent)
{
	Fixture f;
	g_autofree char *ledger = NULL;

	setup(&f);
	finds(&f, "");
	ledger = g_build_filename(f.state, "ledger.db", NULL);
	ck_assert_int_eq(unlink(ledger), 0);
	finds(&f, "");
	ck_assert(!g_file_test(ledger, G_FILE_TEST_EXISTS));
	teardown(&f);
}
END_TEST

/* Another process is between its INTENT and its ACTIVE: nothing made yet, half of
 * it, all of it and being zeroed. */
START_TEST(a_carve_that_goes_on_is_no_breach)
{
	Fixture f;
	g_autofree char *edit = NULL;
	g_autofree char *zeroing = NULL;

	healthy(&f);
	edit = g_strdup_printf("UPDATE carving SET state = 'intent', pid = %d, "
			       "pid_start = %" G_GUINT64_FORMAT " WHERE name = 'guest3'",
			       getpid(), daxc_process_start(getpid()));
	sql(&f, edit);
	hold(&f, "dax0.3", NULL);
	finds(&f, "");
	zeroing = g_strdup_printf("qemu-hook (%d) mapped", getpid());
	hold(&f, "dax0.3", zeroing);
	finds(&f, "");
	hold(&f, "dax0.3", NULL);
	edit_kernel(&f, "dax0.3", "extents", "0x180000000-0x1bfffffff");
	finds(&f, "");
	take_away(&f, "dax0.3");
	finds(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(a_release_that_goes_on_is_no_breach)
{
	Fixture f;
	g_autofree char *edit = NULL;

	healthy(&f);
	edit = g_strdup_printf("UPDATE carving SET state = 'releasing', pid = %d, "
			       "pid_start = %" G_GUINT64_FORMAT " WHERE name = 'guest3'",
			       getpid(), daxc_process_start(getpid()));
	sql(&f, edit);
	finds(&f, "");
	/* Its QEMU is still ending, and release waits for it. */
	sql(&f, "UPDATE carving SET pid_start = 0 WHERE name = 'guest3'");
	finds(&f, "");
	take_away(&f, "dax0.3");
	finds(&f, "");
	teardown(&f);
}
END_TEST

/* A scrubber takes free memory of any color for a moment, also of a tenant's. */
START_TEST(a_scrub_that_goes_on_is_no_breach)
{
	Fixture f;
	g_autofree char *edit = NULL;
	g_autofree char *zeroing = NULL;

	healthy(&f);
	edit = g_strdup_printf("UPDATE carving SET state = 'scrubbing', name = 'scrub', "
			       "tenant = 'scrub', uuid = '" FOREIGN_UUID "', pid = %d, "
			       "pid_start = %" G_GUINT64_FORMAT " WHERE name = 'guest2'",
			       getpid(), daxc_process_start(getpid()));
	sql(&f, edit);
	zeroing = g_strdup_printf("daxcolor (%d) mapped", getpid());
	hold(&f, "dax0.2", zeroing);
	finds(&f, "");
	hold(&f, "dax0.2", "dd (9)");
	finds(&f, "process-unexplained");
	teardown(&f);
}
END_TEST

START_TEST(a_guest_that_starts_or_is_paused_is_no_breach)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	hold(&f, "dax0.3", NULL);
	guest_at(guests, 3)->settled = FALSE;
	finds_with(&f, guests, "");
	teardown(&f);
}
END_TEST

/* Carved by hand for a program that libvirt does not start. */
START_TEST(a_program_of_its_own_is_no_breach)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	add_guest(&f, 5, "render", GIB, 3);
	hold(&f, "dax0.5", "renderer (55) mapped /dev/dax0.5");
	finds_with(&f, guests, "");
	/* Whose memory it is that nobody says, cannot be told without libvirt. */
	finds(&f, "process-foreign");
	teardown(&f);
}
END_TEST

START_TEST(guests_without_our_metadata_are_none_of_our_business)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	g_ptr_array_add(guests, guest_new(5, NULL));
	finds_with(&f, guests, "");
	teardown(&f);
}
END_TEST

START_TEST(rows_of_the_last_boot_are_no_breach_before_the_first_change)
{
	Fixture f;

	healthy(&f);
	for (guint i = 1; i <= 4; i++) {
		g_autofree char *name = g_strdup_printf("dax0.%u", i);

		take_away(&f, name);
	}
	sql(&f, "UPDATE carving SET boot_id = 'the boot before'");
	finds(&f, "");
	teardown(&f);
}
END_TEST

/* ---- tests: what the kernel shows ---- */

/* By the kernel's ranges: the second instance of red's is somebody else's now. */
START_TEST(a_color_of_two_tenants_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();
	g_autoptr(DaxcAudit) result = NULL;
	const DaxcBreach *breach;

	healthy(&f);
	sql(&f, "UPDATE carving SET tenant = 'mallory' WHERE name = 'guest2'");
	finds(&f, "color-shared");
	result = audit(&f, NULL);
	breach = g_ptr_array_index(result->breaches, 0);
	ck_assert_str_eq(breach->what, "node 1 color 0");
	ck_assert_ptr_nonnull(strstr(breach->why, "red"));
	ck_assert_ptr_nonnull(strstr(breach->why, "mallory"));
	/* libvirt knows better: only the ledger is wrong then. */
	finds_with(&f, guests, "ledger-color-shared tenant-differs");
	teardown(&f);
}
END_TEST

START_TEST(a_color_of_two_tenants_is_found_whatever_the_ledger_says)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	g_free(guest_at(guests, 2)->tenant);
	guest_at(guests, 2)->tenant = g_strdup("mallory");
	finds_with(&f, guests, "color-shared tenant-differs");
	teardown(&f);
}
END_TEST

START_TEST(an_instance_made_by_hand_is_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	/* Color 3, which nobody has. */
	name = make_by_hand(&f, 0, GIB, FREE_OF_COLOR(3), GIB);
	finds_always(&f, "instance-unexplained");
	take_away(&f, name);
	finds_always(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(an_instance_made_by_hand_on_a_tenants_color_is_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	name = make_by_hand(&f, 0, GIB, FREE_OF_COLOR(0), GIB);
	finds_always(&f, "color-intruded instance-unexplained");
	take_away(&f, name);
	finds_always(&f, "");
	teardown(&f);
}
END_TEST

/* The same addresses modulo the cache, behind another cache. */
START_TEST(colors_of_two_caches_do_not_conflict)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	name = make_by_hand(&f, 1, GIB, 0x1000000000, GIB);
	finds(&f, "instance-unexplained");
	teardown(&f);
}
END_TEST

START_TEST(an_empty_instance_made_by_hand_is_harmless)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	ck_assert(f.host->kernel->ops->create(f.host->kernel, 0, &name, NULL));
	finds_always(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(a_seed_that_is_bound_is_found)
{
	Fixture f;
	DaxcKernel *kernel;
	const DaxcExtent whole = {0x1000000000, 6 * GIB};

	healthy(&f);
	kernel = f.host->kernel;
	ck_assert(kernel->ops->add_extent(kernel, "dax1.0", &whole, NULL));
	finds(&f, "");
	ck_assert(kernel->ops->enable(kernel, "dax1.0", NULL));
	finds(&f, "instance-unexplained");
	teardown(&f);
}
END_TEST

/* mainline accepts a misaligned start, and then maps foreign memory. */
START_TEST(a_misaligned_instance_is_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	name = make_by_hand(&f, 0, GIB, FREE_OF_COLOR(3) + 2 * MIB, GIB);
	finds(&f, "instance-misaligned instance-unexplained");
	take_away(&f, name);
	/* A guest's own: made anew by hand, over the same memory. */
	edit_kernel(&f, "dax0.4", "align", "1073741824");
	finds_always(&f, "carving-align-differs instance-misaligned");
	teardown(&f);
}
END_TEST

START_TEST(memory_that_became_the_systems_is_found)
{
	Fixture f;

	healthy(&f);
	hold(&f, "dax0.3", NULL);
	edit_kernel(&f, "dax0.3", "driver", "kmem");
	finds(&f, "instance-other-driver");
	teardown(&f);
}
END_TEST

START_TEST(an_instance_unbound_under_its_guest_is_found)
{
	Fixture f;

	healthy(&f);
	ck_assert(f.host->kernel->ops->disable(f.host->kernel, "dax0.3", NULL));
	finds_always(&f, "carving-not-enabled");
	teardown(&f);
}
END_TEST

START_TEST(an_instance_that_is_not_its_guests_alone_is_found)
{
	Fixture f;
	static const char *const names[] = {"dax0.3", NULL};
	g_autofree char *red = uuid_of(1);
	g_autofree char *blue = uuid_of(3);
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	unclaim(&f, "dax0.3");
	finds_always(&f, "carving-not-claimed");
	ck_assert(daxc_kernel_claim(f.host->kernel, names, red, FALSE, NULL));
	finds_always(&f, "claim-differs");
	unclaim(&f, "dax0.3");
	ck_assert(f.host->kernel->ops->claim(f.host->kernel, names, blue, TRUE, NULL));
	/* A program's own may be. */
	finds(&f, "");
	finds_with(&f, guests, "claim-shared");
	unclaim(&f, "dax0.3");
	ck_assert(daxc_kernel_claim(f.host->kernel, names, blue, FALSE, NULL));
	finds_always(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(memory_without_a_color_is_found)
{
	Fixture f;

	healthy(&f);
	hold(&f, "dax0.3", NULL);
	g_clear_pointer(&f.host, daxc_host_free);
	/* The cache's description begins above the guests. */
	write_file(f.file, "[host]\ndescription=two regions\n"
			   "[cache 1]\nsize=5GiB\nbase=0x1c0000000\n"
			   "[region 0]\nstart=0x140000000\nsize=15GiB\nnode=1\n"
			   "[region 1]\nstart=0x1000000000\nsize=6GiB\nnode=2\n");
	f.host = open_host(&f, FALSE);
	finds(&f, "carving-geometry-differs carving-geometry-differs "
		  "carving-geometry-differs carving-geometry-differs color-unknown "
		  "color-unknown");
	teardown(&f);
}
END_TEST

/* ---- tests: processes ---- */

START_TEST(a_process_that_has_a_guests_memory_is_found)
{
	Fixture f;
	g_autofree char *both = NULL;
	g_autofree char *uuid = uuid_of(3);

	healthy(&f);
	both = g_strdup_printf("qemu-system-x86 (1003) mapped %s;tail (7)", uuid);
	hold(&f, "dax0.3", both);
	finds_always(&f, "process-foreign");
	hold(&f, "dax0.3", "gdb (8) mapped");
	finds(&f, "process-foreign");
	start_qemu(&f, 3, "dax0.3");
	finds_always(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(one_instance_in_two_guests_is_found)
{
	Fixture f;
	g_autofree char *both = NULL;
	g_autofree char *blue = uuid_of(3);
	g_autofree char *red = uuid_of(1);

	healthy(&f);
	both = g_strdup_printf("qemu-system-x86 (1003) mapped %s;"
			       "qemu-system-x86 (1001) mapped %s",
			       blue, red);
	hold(&f, "dax0.3", both);
	finds_always(&f, "instance-of-two-guests");
	teardown(&f);
}
END_TEST

START_TEST(a_process_on_an_instance_of_nobody_is_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	name = make_by_hand(&f, 0, GIB, FREE_OF_COLOR(3), GIB);
	hold(&f, name, "dd (9) mapped");
	finds_always(&f, "instance-unexplained process-unexplained");
	teardown(&f);
}
END_TEST

/* Only its maker may have what is being made. */
START_TEST(a_process_on_an_instance_in_the_making_is_found)
{
	Fixture f;
	g_autofree char *edit = NULL;

	healthy(&f);
	edit = g_strdup_printf("UPDATE carving SET state = 'intent', pid = %d, "
			       "pid_start = %" G_GUINT64_FORMAT " WHERE name = 'guest3'",
			       getpid(), daxc_process_start(getpid()));
	sql(&f, edit);
	hold(&f, "dax0.3", "dd (9) mapped");
	finds(&f, "process-foreign");
	teardown(&f);
}
END_TEST

/* A command line is easily written. */
START_TEST(a_process_that_only_says_it_is_the_guest_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();
	g_autofree char *uuid = uuid_of(3);
	g_autofree char *real = NULL;
	g_autofree char *false_one = NULL;
	g_autofree char *other_cell = NULL;

	healthy(&f);
	real = g_strdup_printf("qemu-system-x86 (1003) mapped %s "
			       "/var/lib/libvirt/qemu/ram/3-guest3/daxcolor.cell0",
			       uuid);
	hold(&f, "dax0.3", real);
	finds_with(&f, guests, "");
	false_one = g_strdup_printf("%s;spy (7) %s /dev/dax0.3", real, uuid);
	hold(&f, "dax0.3", false_one);
	finds_with(&f, guests, "process-foreign");
	other_cell = g_strdup_printf("qemu-system-x86 (1003) mapped %s "
				     "/var/lib/libvirt/qemu/ram/3-guest3/daxcolor.cell1",
				     uuid);
	hold(&f, "dax0.3", other_cell);
	finds_with(&f, guests, "process-foreign");
	teardown(&f);
}
END_TEST

/* ---- tests: ledger against kernel ---- */

START_TEST(an_instance_that_is_gone_is_found)
{
	Fixture f;

	healthy(&f);
	take_away(&f, "dax0.3");
	finds_always(&f, "carving-instance-gone");
	teardown(&f);
}
END_TEST

START_TEST(other_ranges_than_the_ledgers_are_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	take_away(&f, "dax0.4");
	/* The same name, the same color, another granule. */
	name = make_by_hand(&f, 0, 2 * MIB, FREE_OF_COLOR(2), GIB + 512 * MIB);
	ck_assert_str_eq(name, "dax0.4");
	start_qemu(&f, 4, name);
	finds_always(&f, "carving-not-claimed carving-ranges-differ");
	teardown(&f);
}
END_TEST

START_TEST(colors_that_the_ledger_does_not_know_right_are_found)
{
	Fixture f;

	healthy(&f);
	sql(&f, "UPDATE granule SET color = 4 WHERE color = 1");
	finds_always(&f, "carving-geometry-differs");
	sql(&f, "UPDATE granule SET color = 0 WHERE color = 4");
	finds_always(&f, "carving-geometry-differs");
	teardown(&f);
}
END_TEST

START_TEST(another_node_than_the_kernels_is_found)
{
	Fixture f;

	healthy(&f);
	sql(&f, "UPDATE carving SET node = 2 WHERE name = 'guest3'");
	finds_always(&f, "carving-geometry-differs");
	teardown(&f);
}
END_TEST

START_TEST(a_color_that_the_ledger_gives_to_two_tenants_is_found)
{
	Fixture f;
	g_autofree char *edit = NULL;

	healthy(&f);
	/* What is not made yet cannot be seen in the kernel. */
	take_away(&f, "dax0.2");
	edit = g_strdup_printf("UPDATE carving SET state = 'intent', tenant = 'mallory', "
			       "pid = %d, pid_start = %" G_GUINT64_FORMAT
			       " WHERE name = 'guest2'",
			       getpid(), daxc_process_start(getpid()));
	sql(&f, edit);
	finds(&f, "ledger-color-shared");
	teardown(&f);
}
END_TEST

START_TEST(clean_memory_that_somebody_has_is_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	mark(&f, FREE_OF_COLOR(3), DAXC_GRANULE_CLEAN);
	finds_always(&f, "");
	name = make_by_hand(&f, 0, 2 * MIB, FREE_OF_COLOR(3) + 4 * MIB, 2 * MIB);
	finds_always(&f, "granule-not-clean instance-unexplained");
	teardown(&f);
}
END_TEST

START_TEST(bad_memory_in_use_is_found)
{
	Fixture f;

	healthy(&f);
	mark(&f, FREE_OF_COLOR(3), DAXC_GRANULE_BAD);
	finds_always(&f, "");
	/* guest3's first granule. */
	mark(&f, 6 * GIB, DAXC_GRANULE_BAD);
	finds_always(&f, "granule-bad-in-use");
	/* On the administrator's list, and not in the ledger yet. */
	sql(&f, "UPDATE granule SET state = 'held' WHERE carving IS NOT NULL");
	finds_always(&f, "");
	write_config(&f, "bad=0x180001000\n");
	finds_always(&f, "granule-bad-in-use");
	teardown(&f);
}
END_TEST

START_TEST(a_row_of_another_boot_that_counts_is_found)
{
	Fixture f;

	healthy(&f);
	sql(&f, "UPDATE carving SET boot_id = 'the boot before' WHERE name = 'guest3'");
	finds(&f, "carving-of-another-boot");
	teardown(&f);
}
END_TEST

static void reserve(const Fixture *f, const char *tenant, guint32 color, guint32 of)
{
	g_autoptr(GArray) colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	const DaxcReservation reservation = {(char *)tenant, 1, colors, of, GIB};

	g_array_append_val(colors, color);
	ck_assert(daxc_ledger_begin(f->host->ledger, NULL));
	ck_assert(daxc_ledger_reserve(f->host->ledger, &reservation, NULL));
	ck_assert(daxc_ledger_commit(f->host->ledger, NULL));
}

START_TEST(a_color_that_another_tenant_has_reserved_is_found)
{
	Fixture f;
	g_autofree char *name = NULL;

	healthy(&f);
	reserve(&f, "blue", 1, 5);
	reserve(&f, "yellow", 3, 5);
	finds_always(&f, "");
	reserve(&f, "mallory", 2, 5);
	finds_always(&f, "reserved-color-held");
	sql(&f, "DELETE FROM reservation WHERE tenant = 'mallory'");
	name = make_by_hand(&f, 0, GIB, FREE_OF_COLOR(3), GIB);
	finds_always(&f, "color-intruded instance-unexplained");
	teardown(&f);
}
END_TEST

START_TEST(a_reservation_in_another_geometry_is_found)
{
	Fixture f;

	healthy(&f);
	reserve(&f, "yellow", 3, 8);
	finds_always(&f, "reservation-geometry-differs");
	teardown(&f);
}
END_TEST

START_TEST(a_backup_in_the_ledgers_place_is_found)
{
	Fixture f;
	g_autofree char *path = NULL;
	g_autofree char *copy = NULL;
	g_autofree char *uuid = uuid_of(5);
	gsize length;

	healthy(&f);
	path = g_build_filename(f.state, "ledger.db", NULL);
	ck_assert(g_file_get_contents(path, &copy, &length, NULL));
	add_guest(&f, 5, "yellow", GIB, 3);
	hold(&f, "dax0.5", NULL);
	ck_assert(daxc_host_release(f.host, uuid, NULL));
	finds_always(&f, "");
	g_clear_pointer(&f.host->ledger, daxc_ledger_free);
	ck_assert(g_file_set_contents(path, copy, (gssize)length, NULL));
	ck_assert_int_eq(chmod(path, 0600), 0);
	finds_always(&f, "ledger-out-of-date");
	teardown(&f);
}
END_TEST

/* ---- tests: ledger and configuration as files ---- */

START_TEST(a_damaged_ledger_is_found_and_the_kernel_judged)
{
	Fixture f;
	g_autofree char *path = NULL;
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) guests = running();
	g_autoptr(DaxcAudit) result = NULL;

	healthy(&f);
	sql(&f, "PRAGMA ignore_check_constraints = 1;"
		"UPDATE granule SET size = 12345 WHERE color = 1");
	finds_always(&f, "ledger-damaged");
	path = g_build_filename(f.state, "ledger.db", NULL);
	g_clear_pointer(&f.host->ledger, daxc_ledger_free);
	ck_assert(g_file_set_contents(path, "this is no ledger", -1, NULL));
	ck_assert_int_eq(chmod(path, 0600), 0);
	finds_always(&f, "ledger-damaged");
	result = audit(&f, guests);
	ck_assert_ptr_nonnull(result->ledger_fault);
	name = make_by_hand(&f, 0, GIB, FREE_OF_COLOR(3) + 2 * MIB, GIB);
	finds_always(&f, "instance-misaligned ledger-damaged");
	hold(&f, name, "dd (9)");
	finds_always(&f, "instance-misaligned ledger-damaged process-unexplained");
	g_free(guest_at(guests, 2)->tenant);
	guest_at(guests, 2)->tenant = g_strdup("mallory");
	take_away(&f, name);
	finds_with(&f, guests, "color-shared ledger-damaged");
	teardown(&f);
}
END_TEST

START_TEST(a_ledger_that_others_can_write_is_found)
{
	Fixture f;
	g_autofree char *path = NULL;

	healthy(&f);
	path = g_build_filename(f.state, "ledger.db", NULL);
	ck_assert_int_eq(chmod(path, 0660), 0);
	finds_always(&f, "ledger-writable");
	ck_assert_int_eq(chmod(path, 0600), 0);
	finds_always(&f, "");
	ck_assert_int_eq(chmod(f.state, 0777), 0);
	finds_always(&f, "ledger-writable");
	ck_assert_int_eq(chmod(f.state, 0700), 0);
	if (chown(path, 65534, 65534) == 0)
		finds_always(&f, "ledger-writable");
	teardown(&f);
}
END_TEST

START_TEST(a_configuration_that_others_can_write_is_found)
{
	Fixture f;

	healthy(&f);
	ck_assert_int_eq(chmod(f.config, 0666), 0);
	finds_always(&f, "configuration-writable");
	ck_assert_int_eq(chmod(f.config, 0644), 0);
	ck_assert_int_eq(chmod(f.dir, 0777), 0);
	finds_always(&f, "configuration-writable");
	ck_assert_int_eq(chmod(f.dir, 01777), 0);
	finds_always(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(zeroing_that_is_off_is_found)
{
	Fixture f;

	healthy(&f);
	write_config(&f, "zero=never\n");
	finds_always(&f, "zeroing-off");
	teardown(&f);
}
END_TEST

/* ---- tests: libvirt ---- */

START_TEST(another_tenant_in_libvirt_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	sql(&f, "UPDATE carving SET tenant = 'mallory' WHERE name = 'guest3'");
	finds(&f, "");
	finds_with(&f, guests, "tenant-differs");
	g_clear_pointer(&guest_at(guests, 3)->tenant, g_free);
	finds_with(&f, guests, "tenant-differs");
	teardown(&f);
}
END_TEST

START_TEST(a_carving_of_a_guest_that_does_not_run_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	g_ptr_array_remove_index(guests, 2);
	finds_with(&f, guests, "carving-without-guest");
	hold(&f, "dax0.3", NULL);
	finds_with(&f, guests, "carving-without-guest");
	teardown(&f);
}
END_TEST

START_TEST(a_guest_without_carving_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	g_ptr_array_add(guests, guest_new(5, "yellow"));
	finds_with(&f, guests, "guest-without-carving");
	g_ptr_array_remove_index(guests, 4);
	guest_at(guests, 3)->cells = 2;
	finds_with(&f, guests, "guest-without-carving");
	teardown(&f);
}
END_TEST

START_TEST(a_guest_that_is_not_on_its_memory_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	hold(&f, "dax0.3", NULL);
	finds(&f, "");
	finds_with(&f, guests, "guest-not-on-its-memory");
	teardown(&f);
}
END_TEST

START_TEST(metadata_that_cannot_be_read_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();

	healthy(&f);
	g_clear_pointer(&guest_at(guests, 3)->tenant, g_free);
	guest_at(guests, 3)->fault = g_strdup("unknown attribute \"tennant\"");
	finds_with(&f, guests, "guest-metadata-invalid");
	teardown(&f);
}
END_TEST

START_TEST(a_guest_is_read_from_its_live_xml)
{
	static const char before[] = "<domain type='kvm' id='7'><name>web</name>"
				     "<uuid>" FOREIGN_UUID "</uuid><metadata>";
	static const char after[] =
		"</metadata><memory unit='GiB'>2</memory><memoryBacking>"
		"<source type='file'/><access mode='shared'/></memoryBacking>"
		"<devices><emulator>/usr/bin/daxcolor-qemu-system-x86_64</emulator>"
		"</devices></domain>";
	g_autofree char *good = g_strconcat(before,
					    "<d:memory xmlns:d='urn:daxcolor:domain:1' "
					    "tenant='acme'/>",
					    after, NULL);
	g_autofree char *typo = g_strconcat(before,
					    "<d:memory xmlns:d='urn:daxcolor:domain:1' "
					    "tennant='acme'/>",
					    after, NULL);
	g_autofree char *none = g_strconcat(before, after, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGuest) guest = daxc_guest_read(good, &error);
	g_autoptr(DaxcGuest) wrong = daxc_guest_read(typo, NULL);
	g_autoptr(DaxcGuest) plain = daxc_guest_read(none, NULL);

	unit_assert_no_error(error);
	ck_assert_str_eq(guest->uuid, FOREIGN_UUID);
	ck_assert_str_eq(guest->tenant, "acme");
	ck_assert_int_eq(guest->id, 7);
	ck_assert_uint_eq(guest->cells, 1);
	ck_assert_ptr_nonnull(strstr(wrong->fault, "tennant"));
	ck_assert_str_eq(plain->name, "web");
	ck_assert_ptr_null(plain->tenant);
	ck_assert_ptr_null(plain->fault);
	ck_assert_ptr_null(daxc_guest_read("no XML", &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "XML");
}
END_TEST

/* ---- tests: device nodes ---- */

static char *node_path(const Fixture *f, const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(f->memory, dir, NULL);

	ck_assert_int_eq(g_mkdir_with_parents(path, 0700), 0);
	return g_build_filename(path, name, NULL);
}

/* As devtmpfs and the hook leave them. Returns: FALSE where devices cannot be made. */
static gboolean make_nodes(const Fixture *f)
{
	ck_assert_int_eq(g_mkdir_with_parents(f->dev, 0755), 0);
	for (guint i = 1; i <= 4; i++) {
		g_autofree char *name = g_strdup_printf("dax0.%u", i);
		g_autofree char *dir = g_strdup_printf("%u-guest%u", i, i);
		g_autofree char *dev = g_build_filename(f->dev, name, NULL);
		g_autofree char *node = node_path(f, dir, "daxcolor.cell0");

		if (mknod(dev, S_IFCHR | 0600, makedev(252, i - 1)) != 0 ||
		    mknod(node, S_IFCHR | 0600, makedev(252, i - 1)) != 0)
			return FALSE;
	}
	return geteuid() == 0;
}

START_TEST(nodes_where_they_belong_are_no_breach)
{
	Fixture f;

	healthy(&f);
	if (make_nodes(&f)) {
		g_autoptr(DaxcAudit) result = audit(&f, NULL);
		const DaxcAuditInstance *row = g_ptr_array_index(result->instances, 3);

		finds_always(&f, "");
		ck_assert_uint_eq(row->nodes->len, 2);
	}
	teardown(&f);
}
END_TEST

START_TEST(nodes_of_an_unbound_instance_are_said_once)
{
	Fixture f;

	healthy(&f);
	if (make_nodes(&f)) {
		ck_assert(f.host->kernel->ops->disable(f.host->kernel, "dax0.3", NULL));
		finds_always(&f, "carving-not-enabled");
	}
	teardown(&f);
}
END_TEST

START_TEST(a_node_that_others_can_open_is_found)
{
	Fixture f;
	g_autofree char *dev = NULL;
	g_autofree char *node = NULL;

	healthy(&f);
	dev = g_build_filename(f.dev, "dax0.3", NULL);
	node = node_path(&f, "3-guest3", "daxcolor.cell0");
	if (make_nodes(&f)) {
		ck_assert_int_eq(chmod(dev, 0666), 0);
		finds_always(&f, "node-open");
		ck_assert_int_eq(chmod(dev, 0600), 0);
		ck_assert_int_eq(chown(dev, 0, 36), 0);
		finds_always(&f, "node-open");
		ck_assert_int_eq(chown(dev, 0, 0), 0);
		ck_assert_int_eq(chmod(node, 0660), 0);
		finds_always(&f, "node-open");
		ck_assert_int_eq(chmod(node, 0600), 0);
		ck_assert_int_eq(chown(node, 64055, 108), 0);
		finds_always(&f, "");
	}
	teardown(&f);
}
END_TEST

START_TEST(a_node_where_it_does_not_belong_is_found)
{
	static const struct {
		const char *dir;
		const char *name;
		guint minor;
	} strays[] = {
		/* blue's memory in red's directory */
		{"1-guest1", "daxcolor.cell7", 2},
		{"1-guest1", "harmless", 2},
		/* in its own, but as another cell */
		{"3-guest3", "daxcolor.cell1", 2},
		/* in a directory of a guest that is not there any more */
		{"9-guest3x", "daxcolor.cell0", 2},
		/* of an instance that is not there any more */
		{"3-guest3", "daxcolor.cell9", 77},
		{"77-left", "daxcolor.cell0", 78},
	};
	Fixture f;
	g_autofree char *dev = NULL;

	healthy(&f);
	if (!make_nodes(&f)) {
		teardown(&f);
		return;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(strays); i++) {
		g_autofree char *path = node_path(&f, strays[i].dir, strays[i].name);

		ck_assert_int_eq(
			mknod(path, S_IFCHR | 0600, makedev(252, strays[i].minor)), 0);
		finds_always(&f, "node-stray");
		ck_assert_int_eq(unlink(path), 0);
	}
	dev = g_build_filename(f.dev, "spy", NULL);
	ck_assert_int_eq(mknod(dev, S_IFCHR | 0600, makedev(252, 2)), 0);
	finds_always(&f, "node-stray");
	teardown(&f);
}
END_TEST

/* libvirt says which id a guest has now; a directory of its last run is not its. */
START_TEST(a_node_in_the_directory_of_an_earlier_run_is_found)
{
	Fixture f;
	g_autoptr(GPtrArray) guests = running();
	g_autofree char *path = NULL;

	healthy(&f);
	if (make_nodes(&f)) {
		path = node_path(&f, "12-guest3", "daxcolor.cell0");
		ck_assert_int_eq(mknod(path, S_IFCHR | 0600, makedev(252, 2)), 0);
		finds_with(&f, guests, "node-stray");
	}
	teardown(&f);
}
END_TEST

/* ---- tests: others at work ---- */

START_TEST(what_cannot_be_looked_at_is_an_error)
{
	Fixture f;
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(GError) error = NULL;

	healthy(&f);
	host = open_host(&f, TRUE);
	host->dev = g_build_filename(f.dir, "not-there", NULL);
	ck_assert_ptr_null(daxc_host_audit(host, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "cannot look at");
	teardown(&f);
}
END_TEST

/**
 * Meddler: another process that works between our reading the ledger and the kernel.
 * @left: how many of our looks it still meddles with
 */
static struct {
	const Fixture *f;
	const DaxcKernelOps *ops;
	guint left;
	gboolean carved;
} meddler;

static GPtrArray *regions_while_others_work(DaxcKernel *kernel, GError **error)
{
	g_autofree char *uuid = uuid_of(5);

	if (meddler.left > 0) {
		meddler.left--;
		if (meddler.carved)
			ck_assert(daxc_host_release(meddler.f->host, uuid, NULL));
		else
			add_guest(meddler.f, 5, "yellow", GIB, 3);
		meddler.carved = !meddler.carved;
		if (meddler.carved)
			hold(meddler.f, "dax0.5", NULL);
	}
	return meddler.ops->regions(kernel, error);
}

static void finds_nothing_beside_meddler(const Fixture *f, guint looks)
{
	g_autoptr(DaxcHost) host = open_host(f, TRUE);
	DaxcKernelOps ops = *host->kernel->ops;
	g_autoptr(DaxcAudit) result = NULL;
	g_autofree char *codes = NULL;

	meddler.f = f;
	meddler.ops = host->kernel->ops;
	meddler.left = looks;
	ops.regions = regions_while_others_work;
	host->kernel->ops = &ops;
	result = daxc_host_audit(host, NULL, NULL);
	host->kernel->ops = meddler.ops;
	codes = codes_of(result);
	ck_assert_str_eq(codes, "");
	ck_assert_uint_eq(meddler.left, 0);
}

START_TEST(what_others_do_between_two_readings_is_no_breach)
{
	Fixture f;

	healthy(&f);
	meddler.carved = FALSE;
	/* A carve, a release, then one after the other in each look. */
	finds_nothing_beside_meddler(&f, 1);
	finds_nothing_beside_meddler(&f, 1);
	finds_nothing_beside_meddler(&f, 2);
	teardown(&f);
}
END_TEST

/* In all of this, what is there in every look is one. */
START_TEST(a_breach_among_others_work_is_found)
{
	Fixture f;
	g_autoptr(DaxcHost) host = NULL;
	g_autofree char *name = NULL;
	g_autofree char *codes = NULL;
	g_autoptr(DaxcAudit) result = NULL;
	DaxcKernelOps ops;

	healthy(&f);
	name = make_by_hand(&f, 1, GIB, 0x1000000000, GIB);
	host = open_host(&f, TRUE);
	ops = *host->kernel->ops;
	meddler.f = &f;
	meddler.ops = host->kernel->ops;
	meddler.left = G_MAXUINT;
	meddler.carved = FALSE;
	ops.regions = regions_while_others_work;
	host->kernel->ops = &ops;
	result = daxc_host_audit(host, NULL, NULL);
	host->kernel->ops = meddler.ops;
	codes = codes_of(result);
	ck_assert_str_eq(codes, "instance-unexplained");
	teardown(&f);
}
END_TEST

static gint storm_is_over;

/* A guest comes and goes all the time; none of it is a breach. */
static gpointer start_and_stop(gpointer data)
{
	const Fixture *f = data;
	g_autoptr(DaxcHost) host = open_host(f, FALSE);
	g_autofree char *uuid = uuid_of(5);

	while (!g_atomic_int_get(&storm_is_over)) {
		g_autoptr(DaxcRequest)
			request = daxc_request_new(uuid, "guest5", "yellow");
		g_autoptr(GPtrArray) made = NULL;

		g_ptr_array_add(request->cells, daxc_cell_request_new(0, 2 * GIB));
		made = daxc_host_carve(host, request, NULL);
		ck_assert_ptr_nonnull(made);
		ck_assert(daxc_host_release(host, uuid, NULL));
	}
	return NULL;
}

START_TEST(a_storm_of_starts_is_no_breach)
{
	Fixture f;
	GThread *thread;

	healthy(&f);
	thread = g_thread_new("storm", start_and_stop, &f);
	for (guint i = 0; i < 25; i++)
		finds(&f, "");
	g_atomic_int_set(&storm_is_over, TRUE);
	g_thread_join(thread);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *silent = tcase_create("silent");
	TCase *kernel = tcase_create("kernel");
	TCase *ledger = tcase_create("ledger");
	TCase *others = tcase_create("others");

	suite_add_tcase(suite, silent);
	tcase_add_test(silent, a_healthy_host_is_silent);
	tcase_add_test(silent, a_host_where_nothing_was_ever_carved_is_silent);
	tcase_add_test(silent, a_carve_that_goes_on_is_no_breach);
	tcase_add_test(silent, a_release_that_goes_on_is_no_breach);
	tcase_add_test(silent, a_scrub_that_goes_on_is_no_breach);
	tcase_add_test(silent, a_guest_that_starts_or_is_paused_is_no_breach);
	tcase_add_test(silent, a_program_of_its_own_is_no_breach);
	tcase_add_test(silent, guests_without_our_metadata_are_none_of_our_business);
	tcase_add_test(silent,
		       rows_of_the_last_boot_are_no_breach_before_the_first_change);
	tcase_add_test(silent, nodes_where_they_belong_are_no_breach);
	tcase_add_test(silent, what_others_do_between_two_readings_is_no_breach);
	tcase_add_test(silent, a_storm_of_starts_is_no_breach);

	suite_add_tcase(suite, kernel);
	tcase_add_test(kernel, a_color_of_two_tenants_is_found);
	tcase_add_test(kernel, a_color_of_two_tenants_is_found_whatever_the_ledger_says);
	tcase_add_test(kernel, an_instance_made_by_hand_is_found);
	tcase_add_test(kernel, an_instance_made_by_hand_on_a_tenants_color_is_found);
	tcase_add_test(kernel, colors_of_two_caches_do_not_conflict);
	tcase_add_test(kernel, an_empty_instance_made_by_hand_is_harmless);
	tcase_add_test(kernel, a_seed_that_is_bound_is_found);
	tcase_add_test(kernel, a_misaligned_instance_is_found);
	tcase_add_test(kernel, memory_that_became_the_systems_is_found);
	tcase_add_test(kernel, an_instance_unbound_under_its_guest_is_found);
	tcase_add_test(kernel, an_instance_that_is_not_its_guests_alone_is_found);
	tcase_add_test(kernel, memory_without_a_color_is_found);
	tcase_add_test(kernel, a_process_that_has_a_guests_memory_is_found);
	tcase_add_test(kernel, one_instance_in_two_guests_is_found);
	tcase_add_test(kernel, a_process_on_an_instance_of_nobody_is_found);
	tcase_add_test(kernel, a_process_on_an_instance_in_the_making_is_found);
	tcase_add_test(kernel, a_process_that_only_says_it_is_the_guest_is_found);

	suite_add_tcase(suite, ledger);
	tcase_add_test(ledger, an_instance_that_is_gone_is_found);
	tcase_add_test(ledger, other_ranges_than_the_ledgers_are_found);
	tcase_add_test(ledger, colors_that_the_ledger_does_not_know_right_are_found);
	tcase_add_test(ledger, another_node_than_the_kernels_is_found);
	tcase_add_test(ledger, a_color_that_the_ledger_gives_to_two_tenants_is_found);
	tcase_add_test(ledger, clean_memory_that_somebody_has_is_found);
	tcase_add_test(ledger, bad_memory_in_use_is_found);
	tcase_add_test(ledger, a_row_of_another_boot_that_counts_is_found);
	tcase_add_test(ledger, a_color_that_another_tenant_has_reserved_is_found);
	tcase_add_test(ledger, a_reservation_in_another_geometry_is_found);
	tcase_add_test(ledger, a_backup_in_the_ledgers_place_is_found);
	tcase_add_test(ledger, a_damaged_ledger_is_found_and_the_kernel_judged);
	tcase_add_test(ledger, a_ledger_that_others_can_write_is_found);

	suite_add_tcase(suite, others);
	tcase_add_test(others, a_configuration_that_others_can_write_is_found);
	tcase_add_test(others, zeroing_that_is_off_is_found);
	tcase_add_test(others, another_tenant_in_libvirt_is_found);
	tcase_add_test(others, a_carving_of_a_guest_that_does_not_run_is_found);
	tcase_add_test(others, a_guest_without_carving_is_found);
	tcase_add_test(others, a_guest_that_is_not_on_its_memory_is_found);
	tcase_add_test(others, metadata_that_cannot_be_read_is_found);
	tcase_add_test(others, a_guest_is_read_from_its_live_xml);
	tcase_add_test(others, nodes_of_an_unbound_instance_are_said_once);
	tcase_add_test(others, a_node_that_others_can_open_is_found);
	tcase_add_test(others, a_node_where_it_does_not_belong_is_found);
	tcase_add_test(others, a_node_in_the_directory_of_an_earlier_run_is_found);
	tcase_add_test(others, a_breach_among_others_work_is_found);
	tcase_add_test(others, what_cannot_be_looked_at_is_an_error);
	return unit_run(suite);
}
