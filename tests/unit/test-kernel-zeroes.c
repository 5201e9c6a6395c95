// SPDX-License-Identifier: GPL-2.0-or-later
/* Provision on a kernel that does more by itself, as dax_color does: it zeroes, waits for
 * pins and keeps colors apart. The simulated one, with that on top. */
#include "host-fixture.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/kernel-priv.h"
#include "core/owner.h"

/* Region 2, of node 2: two colors of three granules. */
#define START G_GUINT64_CONSTANT(0x1000000000)

/**
 * Shim:
 * @pinned: granule of node 2 that somebody has pinned, 0: none
 * @pinned_owner: whose color that is
 * @failed: granule whose memory has failed, 0: none
 * @dirty: of region 2, bytes
 * @told: the geometry that it was told; colors is 0 before
 * @scrubs: how often it was asked to zero region 2
 * @owners: of instances, by name
 * @meddle: (nullable): what happens while an extent is given, once
 */
typedef struct Shim Shim;
struct Shim {
	DaxcKernel kernel;
	DaxcKernelOps ops;
	DaxcKernel *sim;
	const Fixture *fixture;
	guint64 pinned;
	const char *pinned_owner;
	guint64 failed;
	guint64 dirty;
	DaxcCacheDomain told;
	guint scrubs;
	GHashTable *owners;
	void (*meddle)(Shim *shim);
};

static Shim *shim_of(DaxcKernel *kernel)
{
	return (Shim *)kernel;
}

static GPtrArray *shim_regions(DaxcKernel *kernel, GError **error)
{
	Shim *shim = shim_of(kernel);
	GPtrArray *regions = shim->sim->ops->regions(shim->sim, error);

	for (guint i = 0; regions && i < regions->len; i++) {
		DaxcRegion *region = g_ptr_array_index(regions, i);

		region->accounted = TRUE;
		if (region->id != 2)
			continue;
		region->quarantined = shim->pinned ? GIB : 0;
		region->available -= region->quarantined;
		region->dirty = MIN(shim->dirty, region->available);
	}
	return regions;
}

static DaxcInstance *as_ours(const Shim *shim, DaxcInstance *instance)
{
	if (instance && instance->size > 0) {
		instance->owner =
			g_strdup(g_hash_table_lookup(shim->owners, instance->name));
		instance->driver = g_strdup("dax_color");
		instance->major = 509;
	}
	return instance;
}

static GPtrArray *shim_instances(DaxcKernel *kernel, GError **error)
{
	Shim *shim = shim_of(kernel);
	GPtrArray *instances = shim->sim->ops->instances(shim->sim, error);

	for (guint i = 0; instances && i < instances->len; i++)
		as_ours(shim, g_ptr_array_index(instances, i));
	return instances;
}

static DaxcInstance *shim_instance(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = shim_of(kernel);

	return as_ours(shim, shim->sim->ops->instance(shim->sim, name, error));
}

static gboolean shim_create(DaxcKernel *kernel, guint region, char **name, GError **error)
{
	Shim *shim = shim_of(kernel);

	return shim->sim->ops->create(shim->sim, region, name, error);
}

static gboolean shim_set_align(DaxcKernel *kernel, const char *name, guint64 align,
			       GError **error)
{
	Shim *shim = shim_of(kernel);

	return shim->sim->ops->set_align(shim->sim, name, align, error);
}

static gboolean shim_set_owner(DaxcKernel *kernel, const char *name, const char *owner,
			       GError **error)
{
	g_hash_table_insert(shim_of(kernel)->owners, g_strdup(name), g_strdup(owner));
	return TRUE;
}

static gboolean touches(const DaxcExtent *extent, guint64 granule)
{
	return granule && granule >= extent->start &&
	       granule - extent->start < extent->size;
}

static void meddle(Shim *shim)
{
	void (*once)(Shim * shim) = shim->meddle;

	shim->meddle = NULL;
	if (once)
		once(shim);
}

static gboolean shim_add_extent(DaxcKernel *kernel, const char *name,
				const DaxcExtent *extent, GError **error)
{
	Shim *shim = shim_of(kernel);
	gboolean pinned = touches(extent, shim->pinned);

	meddle(shim);
	if (pinned) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY, "it is still pinned");
		return FALSE;
	}
	if (touches(extent, shim->failed)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_MEMORY, "it has failed");
		return FALSE;
	}
	return shim->sim->ops->add_extent(shim->sim, name, extent, error);
}

static gboolean shim_clear(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = shim_of(kernel);

	return shim->sim->ops->clear(shim->sim, name, error);
}

static gboolean shim_destroy(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = shim_of(kernel);

	return shim->sim->ops->destroy(shim->sim, name, error);
}

static gboolean shim_scrub(DaxcKernel *kernel, guint region, GError **error)
{
	Shim *shim = shim_of(kernel);

	ck_assert_uint_eq(region, 2);
	shim->scrubs++;
	shim->dirty = shim->dirty > 4 * GIB ? shim->dirty / 2 : 0;
	return TRUE;
}

static gboolean shim_geometry(DaxcKernel *kernel, guint region, DaxcCacheDomain *geometry,
			      GError **error)
{
	Shim *shim = shim_of(kernel);

	*geometry = region == 2 ? shim->told : (DaxcCacheDomain){.colors = 0};
	return TRUE;
}

static gboolean shim_set_geometry(DaxcKernel *kernel, guint region,
				  const DaxcCacheDomain *geometry, GError **error)
{
	Shim *shim = shim_of(kernel);

	if (region == 2)
		shim->told = *geometry;
	return TRUE;
}

static void own(GArray *owners, guint64 address, const char *owner)
{
	DaxcColorOwner *color =
		&g_array_index(owners, DaxcColorOwner, (address - START) / GIB % 2);

	color->free--;
	g_strlcpy(color->owner, owner, sizeof(color->owner));
}

static GArray *shim_color_owners(DaxcKernel *kernel, guint region, GError **error)
{
	Shim *shim = shim_of(kernel);
	g_autoptr(GPtrArray) instances = shim_instances(kernel, NULL);
	GArray *owners = g_array_new(FALSE, FALSE, sizeof(DaxcColorOwner));

	for (guint32 i = 0; i < 2; i++) {
		DaxcColorOwner color = {.color = i, .free = 3};

		g_array_append_val(owners, color);
	}
	if (shim->pinned)
		own(owners, shim->pinned, shim->pinned_owner);
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(instances, i);

		for (guint k = 0; instance->region == 2 && k < instance->extents->len;
		     k++) {
			DaxcExtent *extent =
				&g_array_index(instance->extents, DaxcExtent, k);

			for (guint64 at = 0; at < extent->size; at += GIB)
				own(owners, extent->start + at,
				    g_hash_table_lookup(shim->owners, instance->name));
		}
	}
	return owners;
}

static GPtrArray *shim_holders(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = shim_of(kernel);

	return shim->sim->ops->holders(shim->sim, name, error);
}

static GPtrArray *shim_processes(DaxcKernel *kernel, const GPtrArray *instances,
				 GError **error)
{
	Shim *shim = shim_of(kernel);

	return shim->sim->ops->processes(shim->sim, instances, error);
}

static void shim_free(DaxcKernel *kernel)
{
	Shim *shim = shim_of(kernel);

	daxc_kernel_free(shim->sim);
	g_hash_table_unref(shim->owners);
	g_free(shim);
}

/* Puts itself between the fixture's host and its kernel. */
static Shim *come_between(DaxcHost *host)
{
	Shim *shim = g_new0(Shim, 1);

	shim->ops = (DaxcKernelOps){
		.name = "shim",
		.guarantees = DAXC_GUARANTEE_RANGES | DAXC_GUARANTEE_ZEROS |
			      DAXC_GUARANTEE_PINS | DAXC_GUARANTEE_COLORS,
		.driver = "dax_color",
		.free = shim_free,
		.regions = shim_regions,
		.instances = shim_instances,
		.instance = shim_instance,
		.create = shim_create,
		.set_align = shim_set_align,
		.set_owner = shim_set_owner,
		.add_extent = shim_add_extent,
		.clear = shim_clear,
		.destroy = shim_destroy,
		.scrub = shim_scrub,
		.geometry = shim_geometry,
		.set_geometry = shim_set_geometry,
		.color_owners = shim_color_owners,
		.holders = shim_holders,
		.processes = shim_processes,
	};
	shim->kernel.ops = &shim->ops;
	shim->owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	shim->sim = host->kernel;
	host->kernel = &shim->kernel;
	return shim;
}

static void release(const Fixture *f, const DaxcCarving *carving)
{
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_host_release(f->host, carving->uuid, &error));
	unit_assert_no_error(error);
}

static gboolean has(const DaxcCarving *carving, guint64 granule)
{
	for (guint i = 0; i < carving->plan->granules->len; i++) {
		if (g_array_index(carving->plan->granules, DaxcGranule, i).start ==
		    granule)
			return TRUE;
	}
	return FALSE;
}

static gboolean is_all_of_color(const DaxcCarving *carving, guint32 color)
{
	for (guint i = 0; i < carving->plan->granules->len; i++) {
		if (g_array_index(carving->plan->granules, DaxcGranule, i).color != color)
			return FALSE;
	}
	return TRUE;
}

static guint count_state(const Fixture *f, DaxcGranuleState state)
{
	g_autoptr(GArray) granules = daxc_ledger_granules(f->host->ledger, NULL);
	guint n = 0;

	for (guint i = 0; i < granules->len; i++)
		n += g_array_index(granules, DaxcLedgerGranule, i).state == state;
	return n;
}

START_TEST(the_kernel_is_told_whose_and_zeroes)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autofree char *uuid = daxc_owner_uuid("red");
	g_autoptr(DaxcCarving) carving = NULL;

	carving = carve_well(&f, 1, "red", 2 * GIB, 2);
	ck_assert_int_eq(carving->state, DAXC_CARVING_ACTIVE);
	ck_assert(carving->zeroed);
	ck_assert_uint_eq(shim->told.colors, 2);
	ck_assert_str_eq(g_hash_table_lookup(shim->owners, carving->instance), uuid);
	ck_assert_uint_eq(instances_with_memory(f.host), 1);
	release(&f, carving);
	ck_assert_uint_eq(instances_made(f.host), 0);
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_DIRTY), 2);
	teardown(&f);
}
END_TEST

START_TEST(what_is_pinned_is_left_out)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autofree char *uuid = daxc_owner_uuid("red");
	g_autoptr(DaxcCarving) red = NULL;
	g_autoptr(DaxcCarving) blue = NULL;
	g_autoptr(GError) error = NULL;

	shim->told = *daxc_geometry_for_node(f.host->geometry, 2);
	shim->pinned = START;
	shim->pinned_owner = uuid;
	/* Of red's color only what nobody has pinned. */
	red = carve_well(&f, 1, "red", 2 * GIB, 2);
	ck_assert(has(red, START + 2 * GIB) && has(red, START + 4 * GIB));
	blue = carve_well(&f, 2, "blue", 2 * GIB, 2);
	ck_assert(is_all_of_color(blue, 1));
	release(&f, red);
	/* The color is red's for as long as its memory is pinned. */
	ck_assert_ptr_null(carve(&f, 3, "green", GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "1 GiB of memory are still pinned");
	unit_assert_error(error, DAXC_ERROR_REFUSED, "red");
	g_clear_error(&error);
	ck_assert_ptr_null(carve(&f, 1, "red", 3 * GIB, 2, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "still pinned");
	ck_assert_uint_eq(instances_made(f.host), 1);
	g_clear_error(&error);
	shim->pinned = 0;
	g_clear_pointer(&red, daxc_carving_free);
	red = carve_well(&f, 3, "green", 3 * GIB, 2);
	ck_assert(has(red, START));
	teardown(&f);
}
END_TEST

static gboolean finds_owner(const Fixture *f)
{
	g_autoptr(DaxcAudit) audit = daxc_host_audit(f->host, NULL, NULL);

	ck_assert_ptr_nonnull(audit);
	for (guint i = 0; i < audit->breaches->len; i++) {
		const DaxcBreach *breach = g_ptr_array_index(audit->breaches, i);

		if (strcmp(breach->code, "owner-differs") == 0)
			return TRUE;
	}
	return FALSE;
}

START_TEST(an_audit_asks_the_kernel_whose_colors_they_are)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 2 * GIB, 2);

	ck_assert(!finds_owner(&f));
	shim_set_owner(f.host->kernel, carving->instance,
		       "0f0f0f0f-0000-4000-8000-00000000000a", NULL);
	ck_assert(finds_owner(&f));
	g_hash_table_remove(shim->owners, carving->instance);
	teardown(&f);
}
END_TEST

static gboolean shim_is_elsewhere(DaxcKernel *kernel, const char *name)
{
	return TRUE;
}

/* The configuration was changed while a guest ran. */
START_TEST(what_another_driver_has_stays)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autoptr(DaxcCarving) carving = carve_well(&f, 1, "red", 2 * GIB, 2);
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_kernel_destroy(f.host->kernel, carving->instance, carving->uuid,
				      NULL));
	shim->ops.is_elsewhere = shim_is_elsewhere;
	ck_assert(daxc_host_recover(f.host, FALSE, NULL, NULL));
	ck_assert_uint_eq(carvings(f.host), 1);
	ck_assert(!daxc_host_release(f.host, carving->uuid, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, "is not shim's");
	ck_assert_uint_eq(carvings(f.host), 1);
	shim->ops.is_elsewhere = NULL;
	release(&f, carving);
	ck_assert_uint_eq(carvings(f.host), 0);
	teardown(&f);
}
END_TEST

static void unpin(Shim *shim)
{
	shim->pinned = 0;
}

/* Between the kernel's answer and our next question. */
START_TEST(a_pin_that_ends_is_not_waited_for_in_vain)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autofree char *uuid = daxc_owner_uuid("red");
	g_autoptr(DaxcCarving) red = NULL;

	shim->told = *daxc_geometry_for_node(f.host->geometry, 2);
	shim->pinned = START;
	shim->pinned_owner = uuid;
	shim->meddle = unpin;
	red = carve_well(&f, 1, "red", 3 * GIB, 2);
	ck_assert(has(red, START));
	teardown(&f);
}
END_TEST

START_TEST(what_has_failed_is_bad_and_replaced)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autoptr(DaxcCarving) carving = NULL;

	shim->failed = START + 2 * GIB;
	carving = carve_well(&f, 1, "red", 2 * GIB, 2);
	ck_assert(!has(carving, shim->failed));
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_BAD), 1);
	ck_assert_uint_eq(instances_made(f.host), 1);
	teardown(&f);
}
END_TEST

static DaxcScrub scrub(const Fixture *f)
{
	g_autoptr(GError) error = NULL;
	DaxcScrub scrub = {0};

	ck_assert(daxc_host_scrub(f->host, &scrub, &error));
	unit_assert_no_error(error);
	return scrub;
}

static gboolean is_clean(const Fixture *f, guint64 start)
{
	g_autoptr(GArray) granules = daxc_ledger_granules(f->host->ledger, NULL);

	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		if (granule->start == start)
			return granule->state == DAXC_GRANULE_CLEAN;
	}
	return FALSE;
}

/* 28 GiB in whole granules; of the color of what is pinned nothing is certain. */
START_TEST(the_kernel_scrubs)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autofree char *uuid = daxc_owner_uuid("red");

	shim->told = *daxc_geometry_for_node(f.host->geometry, 2);
	shim->dirty = 6 * GIB;
	shim->pinned = START + GIB;
	shim->pinned_owner = uuid;
	ck_assert_uint_eq(scrub(&f).cleaned, 25 * GIB);
	ck_assert_uint_eq(shim->scrubs, 2);
	ck_assert(is_clean(&f, START) && is_clean(&f, START + 4 * GIB));
	ck_assert(!is_clean(&f, START + GIB) && !is_clean(&f, START + 3 * GIB));
	shim->pinned = 0;
	ck_assert_uint_eq(scrub(&f).cleaned, 3 * GIB);
	ck_assert(is_clean(&f, START + GIB));
	ck_assert_uint_eq(instances_made(f.host), 0);
	teardown(&f);
}
END_TEST

/* Where the kernel tells nothing of colors, one pinned page makes all of it uncertain. */
START_TEST(without_a_geometry_less_is_certain)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);

	shim->pinned = START + GIB;
	ck_assert_uint_eq(scrub(&f).cleaned, 22 * GIB);
	ck_assert(!is_clean(&f, START));
	teardown(&f);
}
END_TEST

static gboolean stop(guint64 done, guint64 total, gpointer data)
{
	return FALSE;
}

START_TEST(scrubbing_stops_when_told)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	DaxcScrub scrub = {.progress = stop};

	shim->dirty = 6 * GIB;
	ck_assert(daxc_host_scrub(f.host, &scrub, NULL));
	ck_assert(scrub.stopped);
	/* Of the other regions it is known already that they are clean. */
	ck_assert_uint_eq(scrub.cleaned, 22 * GIB);
	ck_assert(!is_clean(&f, START));
	teardown(&f);
}
END_TEST

START_TEST(a_driver_that_was_loaded_again_is_noticed)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autoptr(GPtrArray) report = NULL;

	scrub(&f);
	shim->dirty = 6 * GIB;
	ck_assert(daxc_host_recover(f.host, FALSE, &report, NULL));
	ck_assert_uint_eq(report->len, 1);
	ck_assert_ptr_nonnull(strstr(report->pdata[0], "region 2"));
	ck_assert(!is_clean(&f, START));
	ck_assert_uint_eq(count_state(&f, DAXC_GRANULE_CLEAN), 22);
	teardown(&f);
}
END_TEST

static void die(Shim *shim)
{
	_exit(9);
}

/* A process that carves for @guest on node 2, and dies before it gets any memory. */
static void die_filling(const Fixture *f, guint guest)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		DaxcHost *host = open_host(f, TRUE);
		Fixture own = *f;

		own.host = host;
		come_between(host)->meddle = die;
		carve(&own, guest, "dead", GIB, 2, NULL);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

START_TEST(what_a_dead_process_was_filling_goes)
{
	Fixture f = setup(TRUE);
	g_autoptr(GPtrArray) report = NULL;

	come_between(f.host);
	die_filling(&f, 1);
	ck_assert_uint_eq(instances_made(f.host), 1);
	ck_assert(daxc_host_recover(f.host, FALSE, &report, NULL));
	ck_assert_uint_eq(instances_made(f.host), 0);
	ck_assert_uint_eq(carvings(f.host), 0);
	teardown(&f);
}
END_TEST

/* Somebody dies, and somebody else recovers, while we are being given memory. */
static void others_come_and_go(Shim *shim)
{
	Fixture other = *shim->fixture;
	g_autoptr(GPtrArray) foreign = NULL;
	g_autoptr(GPtrArray) report = NULL;

	die_filling(&other, 2);
	other.host = open_host(&other, TRUE);
	come_between(other.host);
	ck_assert_uint_eq(instances_made(other.host), 2);
	ck_assert(daxc_host_recover(other.host, FALSE, &report, NULL));
	ck_assert_uint_eq(instances_made(other.host), 1);
	ck_assert_uint_eq(carvings(other.host), 1);
	foreign = daxc_host_foreign(other.host, NULL);
	ck_assert_uint_eq(foreign->len, 0);
	daxc_host_free(other.host);
}

START_TEST(what_a_living_process_is_filling_stays)
{
	Fixture f = setup(TRUE);
	Shim *shim = come_between(f.host);
	g_autoptr(DaxcCarving) carving = NULL;

	shim->fixture = &f;
	shim->meddle = others_come_and_go;
	carving = carve_well(&f, 1, "red", 2 * GIB, 2);
	ck_assert_uint_eq(instances_with_memory(f.host), 1);
	release(&f, carving);
	ck_assert_uint_eq(instances_made(f.host), 0);
	teardown(&f);
}
END_TEST

/* All cells' instances are made before the first of them is filled. */
START_TEST(when_one_cell_cannot_be_filled_none_is_left)
{
	Fixture f = setup(FALSE);
	Shim *shim = come_between(f.host);
	g_autoptr(DaxcRequest) request = request_new(1, "red", GIB);
	g_autoptr(GError) error = NULL;

	g_ptr_array_add(request->cells, daxc_cell_request_new(1, GIB));
	cell_of(request, 0)->node = 2;
	cell_of(request, 1)->node = 2;
	/* Everything that red could have. */
	daxc_kernel_sim_fail(shim->sim, 4, EIO);
	ck_assert_ptr_null(daxc_host_carve(f.host, request, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "cell");
	ck_assert_uint_eq(instances_made(f.host), 0);
	ck_assert_uint_eq(carvings(f.host), 0);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel-zeroes");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, the_kernel_is_told_whose_and_zeroes);
	tcase_add_test(tests, what_is_pinned_is_left_out);
	tcase_add_test(tests, an_audit_asks_the_kernel_whose_colors_they_are);
	tcase_add_test(tests, what_another_driver_has_stays);
	tcase_add_test(tests, a_pin_that_ends_is_not_waited_for_in_vain);
	tcase_add_test(tests, what_has_failed_is_bad_and_replaced);
	tcase_add_test(tests, the_kernel_scrubs);
	tcase_add_test(tests, without_a_geometry_less_is_certain);
	tcase_add_test(tests, scrubbing_stops_when_told);
	tcase_add_test(tests, a_driver_that_was_loaded_again_is_noticed);
	tcase_add_test(tests, what_a_dead_process_was_filling_goes);
	tcase_add_test(tests, what_a_living_process_is_filling_stays);
	tcase_add_test(tests, when_one_cell_cannot_be_filled_none_is_left);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
