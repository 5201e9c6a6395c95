// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-audit [INSTANCES [ROUNDS]]
 *
 * A simulated host with so many instances of guests, in files as the command has
 * them: what the audit and recovering cost, opening the host included, beside what
 * it costs to read the same kernel and the same ledger once and judge nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/daxcolor.h>

#include "provision/provision.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define COLORS 64u

static void fail(const char *what, const GError *error)
{
	fprintf(stderr, "bench-audit: %s: %s\n", what, error ? error->message : "?");
	exit(1);
}

typedef struct {
	char *dir;
	char *file;
	char *config;
	guint instances;
} Setting;

static DaxcHost *open_host(const Setting *setting, gboolean audit)
{
	const DaxcHostOptions options = {
		.config = setting->config,
		.simulate = setting->file,
		.state_dir = setting->dir,
		.read_only = audit,
		.distrust_ledger = audit,
	};
	g_autoptr(GError) error = NULL;
	DaxcHost *host = daxc_host_open(&options, &error);

	if (!host)
		fail("opening the host", error);
	return host;
}

static void write_file(const char *path, const char *text)
{
	g_autoptr(GError) error = NULL;

	if (!g_file_set_contents(path, text, -1, &error))
		fail("writing a file", error);
}

/* Guests of 64 tenants, each on a color of its own, with two extents for each. */
static DaxcCarving *carving_new(DaxcHost *host, guint n)
{
	DaxcCarving *carving = g_new0(DaxcCarving, 1);
	DaxcCellPlan *plan = daxc_cell_plan_new();
	guint color = n % COLORS;

	carving->uuid = g_strdup_printf("00000000-0000-4000-8000-%012u", n);
	carving->name = g_strdup_printf("guest%u", n);
	carving->tenant = g_strdup_printf("tenant%u", color);
	carving->state = DAXC_CARVING_ACTIVE;
	carving->boot_id = g_strdup(host->boot_id);
	carving->plan = plan;
	plan->node = 1;
	plan->size = 2 * GIB;
	plan->align = GIB;
	plan->granule = GIB;
	for (guint i = 0; i < 2; i++) {
		guint64 turn = n / COLORS * 2 + i + 1;
		const DaxcGranule granule = {(turn * COLORS + color) * GIB, color};
		const DaxcExtent extent = {granule.start, GIB};

		g_array_append_val(plan->granules, granule);
		g_array_append_val(plan->extents, extent);
	}
	return carving;
}

static void add_section(GString *state, const DaxcCarving *carving, guint n)
{
	const GArray *extents = carving->plan->extents;

	g_string_append_printf(state, "[%s]\nextents=", carving->instance);
	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);
		g_autofree char *range = daxc_range_format(extent->start, extent->size);

		g_string_append_printf(state, "%s;", range);
	}
	g_string_append_printf(state,
			       "\nalign=1073741824\ndriver=device_dax\nminor=%u\n"
			       "holder=qemu-system-x86 (%u) mapped %s\n\n",
			       n, 1000 + n, carving->uuid);
}

/* The library's own carving would be a benchmark of its own. */
static void populate(const Setting *setting)
{
	g_autoptr(DaxcHost) host = open_host(setting, FALSE);
	g_autofree char *path = g_build_filename(setting->dir, "simulated-kernel", NULL);
	g_autoptr(GString) state = g_string_new(NULL);
	g_autofree char *range = daxc_range_format(
		COLORS * GIB, (setting->instances / COLORS * 2 + 4) * COLORS * GIB);
	g_autoptr(GError) error = NULL;

	g_string_append_printf(state,
			       "[sim]\nversion=1\n\n[region 0]\nrange=%s\nnode=1\n"
			       "align=2097152\n\n",
			       range);
	if (!daxc_ledger_begin(host->ledger, &error) ||
	    !daxc_ledger_boot(host->ledger, host->boot_id, NULL, &error))
		fail("writing the ledger", error);
	for (guint n = 0; n < setting->instances; n++) {
		g_autoptr(DaxcCarving) carving = carving_new(host, n);

		carving->instance = g_strdup_printf("dax0.%u", n + 1);
		if (!daxc_ledger_insert(host->ledger, carving, &error))
			fail("writing the ledger", error);
		add_section(state, carving, n);
	}
	if (!daxc_ledger_commit(host->ledger, &error))
		fail("writing the ledger", error);
	write_file(path, state->str);
}

static void describe(Setting *setting)
{
	g_autofree char *text = g_strdup_printf(
		"[host]\ndescription=bench\n[cache 1]\nsize=%uGiB\n[region 0]\n"
		"start=%" G_GUINT64_FORMAT "\nsize=%uGiB\nnode=1\n",
		COLORS, COLORS * GIB, (setting->instances / COLORS * 2 + 4) * COLORS);

	setting->dir = g_dir_make_tmp("daxcolor-bench-XXXXXX", NULL);
	setting->file = g_build_filename(setting->dir, "bench.host", NULL);
	setting->config = g_build_filename(setting->dir, "daxcolor.conf", NULL);
	write_file(setting->file, text);
	write_file(setting->config, "");
}

/* ---- what is measured ---- */

static void read_once(const Setting *setting)
{
	g_autoptr(DaxcHost) host = open_host(setting, TRUE);
	g_autoptr(GPtrArray) regions = NULL;
	g_autoptr(GPtrArray) instances = NULL;
	g_autoptr(GPtrArray) carvings = NULL;
	g_autoptr(GArray) granules = NULL;
	g_autoptr(GError) error = NULL;

	if (!daxc_kernel_look(host->kernel, &regions, &instances, &error))
		fail("reading", error);
	carvings = daxc_ledger_carvings(host->ledger, NULL, &error);
	granules = carvings ? daxc_ledger_granules(host->ledger, &error) : NULL;
	if (!granules || carvings->len != setting->instances)
		fail("reading", error);
}

static void audit_once(const Setting *setting)
{
	g_autoptr(DaxcHost) host = open_host(setting, TRUE);
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcAudit) audit = daxc_host_audit(host, NULL, &error);

	if (!audit)
		fail("auditing", error);
	if (audit->breaches->len > 0) {
		const DaxcBreach *breach = g_ptr_array_index(audit->breaches, 0);

		fprintf(stderr, "bench-audit: %s: %s: %s\n", breach->code, breach->what,
			breach->why);
		exit(1);
	}
}

static void recover_once(const Setting *setting)
{
	g_autoptr(DaxcHost) host = open_host(setting, FALSE);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) report = NULL;

	if (!daxc_host_recover(host, FALSE, &report, &error))
		fail("recovering", error);
	if (report->len > 0)
		fail(g_ptr_array_index(report, 0), NULL);
}

/* The host has been reset: the kernel has nothing of what the ledger has. */
static void recover_booted(const Setting *setting)
{
	g_autofree char *kernel =
		g_build_filename(setting->dir, "simulated-kernel", NULL);
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(GPtrArray) carvings = NULL;
	g_autoptr(GError) error = NULL;

	unlink(kernel);
	host = open_host(setting, FALSE);
	g_free(host->boot_id);
	host->boot_id = g_strdup("the next boot");
	if (!daxc_host_recover(host, TRUE, NULL, &error))
		fail("recovering", error);
	carvings = daxc_host_carvings(host, &error);
	if (!carvings || carvings->len > 0)
		fail("recovering", error);
}

static int by_value(const void *a, const void *b)
{
	gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;

	return (left > right) - (left < right);
}

static gint64 measure(const Setting *setting, void (*run)(const Setting *setting))
{
	gint64 start = g_get_monotonic_time();

	run(setting);
	return g_get_monotonic_time() - start;
}

/* In milliseconds. */
static double median(gint64 *times, guint rounds)
{
	qsort(times, rounds, sizeof(*times), by_value);
	return (double)times[rounds / 2] / 1000;
}

static void remove_all(const Setting *setting)
{
	static const char *const names[] = {
		"bench.host", "daxcolor.conf",	   "simulated-kernel",
		"ledger.db",  "ledger.db-journal", "serial",
		"scrub"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(setting->dir, names[i], NULL);

		unlink(path);
	}
	rmdir(setting->dir);
}

static void print_result(const char *what, const Setting *setting, double ms,
			 double yardstick)
{
	g_autofree char *text =
		g_strdup_printf("%s %u instances", what, setting->instances);

	printf("%-44s %8.2f ms  %6.2f times\n", text, ms, ms / yardstick);
}

int main(int argc, char **argv)
{
	Setting setting = {.instances = argc > 1 ? (guint)atoi(argv[1]) : 1024};
	guint rounds = argc > 2 ? (guint)atoi(argv[2]) : 21;
	g_autofree gint64 *reads = NULL;
	g_autofree gint64 *audits = NULL;
	g_autofree gint64 *recoveries = NULL;
	gint64 booted;
	double yardstick;

	if (setting.instances == 0 || rounds == 0) {
		fprintf(stderr, "usage: bench-audit [INSTANCES [ROUNDS]]\n");
		return 2;
	}
	describe(&setting);
	populate(&setting);
	reads = g_new(gint64, rounds);
	audits = g_new(gint64, rounds);
	recoveries = g_new(gint64, rounds);
	/* In turn, so that all have the same machine; the first time does not count. */
	read_once(&setting);
	audit_once(&setting);
	recover_once(&setting);
	for (guint i = 0; i < rounds; i++) {
		reads[i] = measure(&setting, read_once);
		audits[i] = measure(&setting, audit_once);
		recoveries[i] = measure(&setting, recover_once);
	}
	booted = measure(&setting, recover_booted);
	yardstick = median(reads, rounds);
	printf("%-44s %8.2f ms  (yardstick, median of %u)\n",
	       "reading kernel and ledger once", yardstick, rounds);
	print_result("audit of", &setting, median(audits, rounds), yardstick);
	print_result("recover of", &setting, median(recoveries, rounds), yardstick);
	print_result("recover after a boot of", &setting, (double)booted / 1000,
		     yardstick);
	remove_all(&setting);
	g_free(setting.dir);
	g_free(setting.file);
	g_free(setting.config);
	return 0;
}
