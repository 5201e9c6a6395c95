// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opening a host, and all ways to look at it that change nothing. */
#include "provision/provision.h"

#include <errno.h>
#include <string.h>

#include "adapters/platform.h"

#include <daxcolor/error.h>

/* What a host remembers of a boot that never was. */
#define SIMULATED_BOOT "simulated"

const char *daxc_option(const char *option, const char *variable)
{
	const char *value = option ? option : g_getenv(variable);

	return value && *value ? value : NULL;
}

DaxcConfig *daxc_load_config(const char *option, GError **error)
{
	const char *path = daxc_option(option, "DAXCOLOR_CONFIG");

	return daxc_config_load(path ? path : DAXC_DEFAULT_CONFIG, path != NULL, error);
}

static gboolean read_boot_id(DaxcHost *host, GError **error)
{
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &host->boot_id, NULL,
				 error))
		return FALSE;
	g_strchomp(host->boot_id);
	return TRUE;
}

/* Our own driver where it has memory: it keeps more. */
static DaxcKernel *open_kernel(DaxcKernelChoice choice, GError **error)
{
	g_autoptr(GError) none = NULL;
	DaxcKernel *kernel;

	if (choice == DAXC_KERNEL_MAINLINE)
		return daxc_kernel_mainline_new(error);
	kernel = daxc_kernel_dax_color_new(&none);
	if (kernel || choice == DAXC_KERNEL_AUTO)
		return kernel ? kernel : daxc_kernel_mainline_new(error);
	g_propagate_error(error, g_steal_pointer(&none));
	return NULL;
}

static gboolean open_live(DaxcHost *host, GError **error)
{
	g_autoptr(GPtrArray) regions = NULL;

	host->kernel = open_kernel(host->config->kernel, error);
	if (!host->kernel)
		return FALSE;
	regions = daxc_kernel_regions(host->kernel, error);
	if (!regions)
		return FALSE;
	host->dev = g_strdup("/dev");
	host->geometry =
		daxc_platform_geometry("", host->config->domains, regions, error);
	return host->geometry && read_boot_id(host, error);
}

/* A simulated kernel keeps its state where a ledger for it is kept, if at all:
 * never in the real host's directory. */
static gboolean open_simulated(DaxcHost *host, const char *simulate,
			       const char *state_dir, GError **error)
{
	g_autofree char *file = NULL;

	host->described = daxc_config_load_host(simulate, error);
	if (!host->described)
		return FALSE;
	if (state_dir) {
		if (g_mkdir_with_parents(state_dir, 0700) != 0) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
				    "cannot make the state directory %s: %s", state_dir,
				    g_strerror(errno));
			return FALSE;
		}
		file = g_build_filename(state_dir, "simulated-kernel", NULL);
	}
	host->kernel = daxc_kernel_sim_new(host->described->regions, file, error);
	if (!host->kernel)
		return FALSE;
	host->boot_id = g_strdup(SIMULATED_BOOT);
	host->geometry = daxc_geometry_new();
	for (guint i = 0; i < host->described->domains->len; i++) {
		const DaxcCacheDomain *domain =
			g_ptr_array_index(host->described->domains, i);

		if (!daxc_geometry_add(host->geometry, domain, error)) {
			g_prefix_error(error, "%s: ", simulate);
			return FALSE;
		}
	}
	return TRUE;
}

/* An auditor goes on without a ledger: the kernel is still to be judged. */
static gboolean distrust_ledger(DaxcHost *host, GError **error)
{
	g_autoptr(GError) fault = NULL;

	host->ledger = daxc_ledger_open(host->ledger_path, DAXC_LEDGER_READ_ONLY,
					host->config->wait_ms, &fault);
	if (host->ledger)
		return TRUE;
	if (!g_error_matches(fault, DAXC_ERROR, DAXC_ERROR_LEDGER)) {
		g_propagate_error(error, g_steal_pointer(&fault));
		return FALSE;
	}
	host->ledger_fault = g_strdup(fault->message);
	host->ledger = daxc_ledger_open(NULL, DAXC_LEDGER_MEMORY, 0, error);
	return host->ledger != NULL;
}

static gboolean open_ledger(DaxcHost *host, const char *state_dir,
			    const DaxcHostOptions *options, GError **error)
{
	DaxcLedgerMode mode = options->read_only ? DAXC_LEDGER_READ_ONLY
						 : DAXC_LEDGER_CREATE;

	if (!state_dir && host->described)
		mode = DAXC_LEDGER_MEMORY;
	else
		host->ledger_path =
			g_build_filename(state_dir ? state_dir : DAXC_DEFAULT_STATE_DIR,
					 "ledger.db", NULL);
	if (options->distrust_ledger && mode == DAXC_LEDGER_READ_ONLY)
		return distrust_ledger(host, error);
	host->ledger =
		daxc_ledger_open(host->ledger_path, mode, host->config->wait_ms, error);
	return host->ledger != NULL;
}

static char *config_path(const char *option)
{
	const char *path = daxc_option(option, "DAXCOLOR_CONFIG");

	return g_strdup(path ? path : DAXC_DEFAULT_CONFIG);
}

DaxcHost *daxc_host_open(const DaxcHostOptions *options, GError **error)
{
	g_autoptr(DaxcHost) host = g_new0(DaxcHost, 1);
	const char *simulate = daxc_option(options->simulate, "DAXCOLOR_SIMULATE");
	const char *state_dir = daxc_option(options->state_dir, "DAXCOLOR_STATE_DIR");
	gboolean ok;

	host->read_only = options->read_only;
	host->config_path = config_path(options->config);
	host->config = daxc_load_config(options->config, error);
	if (!host->config)
		return NULL;
	ok = simulate ? open_simulated(host, simulate, state_dir, error)
		      : open_live(host, error);
	if (!ok || !open_ledger(host, state_dir, options, error))
		return NULL;
	if (state_dir || !host->described)
		host->run_dir = g_strdup(state_dir ? state_dir : DAXC_DEFAULT_RUN_DIR);
	return g_steal_pointer(&host);
}

gboolean daxc_host_is_simulated(DaxcHost *host)
{
	return host->described != NULL;
}

void daxc_host_free(DaxcHost *host)
{
	g_clear_pointer(&host->ledger, daxc_ledger_free);
	g_clear_pointer(&host->kernel, daxc_kernel_free);
	g_clear_pointer(&host->geometry, daxc_geometry_free);
	g_clear_pointer(&host->config, daxc_config_free);
	g_clear_pointer(&host->described, daxc_config_free);
	g_free(host->boot_id);
	g_free(host->config_path);
	g_free(host->ledger_path);
	g_free(host->ledger_fault);
	g_free(host->dev);
	g_free(host->run_dir);
	g_free(host);
}

const char *daxc_host_backend(DaxcHost *host)
{
	return daxc_kernel_name(host->kernel);
}

const char *const *daxc_host_limits(DaxcHost *host)
{
	return daxc_kernel_limits(host->kernel);
}

gboolean daxc_host_enforces(DaxcHost *host, const DaxcRegion *region)
{
	return daxc_kernel_enforces(host->kernel, region->id,
				    daxc_geometry_for_node(host->geometry, region->node));
}

/* Whether the kernel keeps colors apart wherever there are any. */
static gboolean enforces_all(DaxcHost *host)
{
	g_autoptr(GPtrArray) regions = daxc_kernel_regions(host->kernel, NULL);

	for (guint i = 0; regions && i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		if (daxc_geometry_for_node(host->geometry, region->node) &&
		    !daxc_host_enforces(host, region))
			return FALSE;
	}
	return regions && regions->len > 0;
}

guint daxc_host_guarantees(DaxcHost *host)
{
	guint guarantees = daxc_kernel_guarantees(host->kernel);

	if ((guarantees & DAXC_GUARANTEE_COLORS) && !enforces_all(host))
		guarantees &= ~(guint)DAXC_GUARANTEE_COLORS;
	return guarantees;
}

const DaxcGeometry *daxc_host_geometry(DaxcHost *host)
{
	return host->geometry;
}

GPtrArray *daxc_host_regions(DaxcHost *host, GError **error)
{
	return daxc_kernel_regions(host->kernel, error);
}

GPtrArray *daxc_host_instances(DaxcHost *host, GError **error)
{
	return daxc_kernel_instances(host->kernel, error);
}

GPtrArray *daxc_host_foreign(DaxcHost *host, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(host, error);
	g_autoptr(GPtrArray) foreign = NULL;
	guint index;

	if (!snapshot)
		return NULL;
	foreign = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_instance_free);
	for (guint i = 0; i < snapshot->unknown->len; i++) {
		DaxcInstance *instance = g_ptr_array_index(snapshot->unknown, i);

		if (!daxc_is_being_filled(snapshot, instance->name, NULL) &&
		    g_ptr_array_find(snapshot->instances, instance, &index))
			g_ptr_array_add(foreign, g_ptr_array_steal_index(
							 snapshot->instances, index));
	}
	return g_steal_pointer(&foreign);
}

DaxcInstance *daxc_host_carving_instance(DaxcHost *host, const DaxcCarving *carving,
					 GError **error)
{
	g_autoptr(DaxcInstance) instance = NULL;

	if (carving->state == DAXC_CARVING_ACTIVE)
		instance = daxc_kernel_instance(host->kernel, carving->instance, NULL);
	if (instance && instance->major != 0 && daxc_carving_matches(carving, instance) &&
	    (!daxc_kernel_knows_claims(host->kernel) ||
	     g_strcmp0(instance->claimant, carving->uuid) == 0))
		return g_steal_pointer(&instance);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "cell %u of guest %s: instance %s is not what the ledger says: run "
		    "`daxcolor recover` and start the guest again",
		    carving->plan->cell, carving->name,
		    carving->instance ? carving->instance : "(none)");
	return NULL;
}

GPtrArray *daxc_host_carvings(DaxcHost *host, GError **error)
{
	return daxc_host_find(host, NULL, error);
}

/* A scrubber's work is nobody's business. */
static void drop_scrubbings(GPtrArray *carvings)
{
	for (guint i = carvings->len; i-- > 0;) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);

		if (carving->state == DAXC_CARVING_SCRUBBING)
			g_ptr_array_remove_index(carvings, i);
	}
}

GPtrArray *daxc_host_find(DaxcHost *host, const char *uuid, GError **error)
{
	g_autoptr(GPtrArray) carvings = daxc_ledger_carvings(host->ledger, uuid, error);

	if (!carvings)
		return NULL;
	daxc_carvings_of_boot(carvings, host->boot_id);
	drop_scrubbings(carvings);
	return g_steal_pointer(&carvings);
}

DaxcPlan *daxc_host_plan(DaxcHost *host, const DaxcRequest *request, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;

	if (!daxc_request_check(request, error))
		return NULL;
	snapshot = daxc_snapshot_new(host, error);
	return snapshot ? daxc_snapshot_plan(host, snapshot, request, NULL, error) : NULL;
}

/* Looks a granule up in what the ledger knows, both in order of address. */
typedef struct {
	const GArray *granules;
	guint next;
} LedgerCursor;

static DaxcGranuleState state_at(LedgerCursor *cursor, guint64 start)
{
	while (cursor->next < cursor->granules->len) {
		const DaxcLedgerGranule *granule =
			&g_array_index(cursor->granules, DaxcLedgerGranule, cursor->next);

		if (granule->start == start)
			return granule->state;
		if (granule->start > start)
			break;
		cursor->next++;
	}
	return DAXC_GRANULE_DIRTY;
}

/* Index of the granule at @start in @granules, which is in order of start. */
static DaxcGranuleUse *use_at(GArray *granules, guint64 start)
{
	guint low = 0, high = granules->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		DaxcGranuleUse *use = &g_array_index(granules, DaxcGranuleUse, middle);

		if (use->start <= start && start - use->start < use->size)
			return use;
		if (use->start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static gint by_start(gconstpointer a, gconstpointer b)
{
	const DaxcGranuleUse *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static void name_holders(GArray *granules, const GPtrArray *carvings)
{
	for (guint i = 0; i < carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);

		if (carving->state == DAXC_CARVING_SCRUBBING)
			continue;
		for (guint j = 0; j < carving->plan->granules->len; j++) {
			const DaxcGranule *granule =
				&g_array_index(carving->plan->granules, DaxcGranule, j);
			DaxcGranuleUse *use = use_at(granules, granule->start);

			if (!use)
				continue;
			use->tenant = carving->tenant;
			use->name = carving->name;
			use->instance = carving->instance;
		}
	}
}

static void fill_map(GArray *map, const DaxcLayout *layout, const DaxcSnapshot *snapshot)
{
	for (guint i = 0; i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);

		for (guint32 j = 0; j < zone->n; j++) {
			DaxcGranuleUse use = {
				.start = zone->start + j * zone->granule,
				.size = zone->granule,
				.region = zone->region,
				.node = zone->node,
				.color = zone->color[j],
				.foreign = zone->user[j] == DAXC_USER_FOREIGN,
			};

			g_array_append_val(map, use);
		}
	}
	g_array_sort(map, by_start);

	LedgerCursor cursor = {.granules = snapshot->granules};

	for (guint i = 0; i < map->len; i++) {
		DaxcGranuleUse *use = &g_array_index(map, DaxcGranuleUse, i);

		use->state = state_at(&cursor, use->start);
	}
}

gboolean daxc_host_map(DaxcHost *host, GArray **granules, GPtrArray **carvings,
		       GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(host, error);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(GArray) map = g_array_new(FALSE, FALSE, sizeof(DaxcGranuleUse));

	if (!snapshot)
		return FALSE;
	layout = daxc_snapshot_layout(host, snapshot, NULL, error);
	if (!layout)
		return FALSE;
	fill_map(map, layout, snapshot);
	name_holders(map, snapshot->carvings);
	*granules = g_steal_pointer(&map);
	*carvings = g_ptr_array_ref(snapshot->carvings);
	return TRUE;
}

static void count_granule(DaxcColorUse *use, guint32 user, DaxcGranuleState state)
{
	use->total++;
	if (user == DAXC_USER_FOREIGN) {
		use->foreign++;
	} else if (user == DAXC_USER_BAD) {
		use->bad++;
	} else if (user != DAXC_USER_NONE) {
		use->held++;
		use->bad += state == DAXC_GRANULE_BAD;
	} else {
		use->free++;
		if (state != DAXC_GRANULE_CLEAN)
			use->dirty++;
	}
}

/* One row for each color of each cache domain, in the layout's order. */
static GPtrArray *color_rows(const DaxcLayout *layout, guint *first)
{
	GPtrArray *rows =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_color_use_free);

	for (guint i = 0; i < daxc_layout_domains(layout); i++) {
		const DaxcLayoutDomain *domain = daxc_layout_domain(layout, i);

		first[i] = rows->len;
		for (guint32 color = 0; color < domain->colors; color++) {
			DaxcColorUse *use = g_new0(DaxcColorUse, 1);

			use->node = domain->node;
			use->color = color;
			use->tenant = g_strdup(
				daxc_layout_tenant_name(layout, domain->owner[color]));
			g_ptr_array_add(rows, use);
		}
	}
	return rows;
}

GPtrArray *daxc_host_colors(DaxcHost *host, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(host, error);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(GPtrArray) rows = NULL;
	g_autofree guint *first = NULL;

	if (!snapshot)
		return NULL;
	layout = daxc_snapshot_layout(host, snapshot, NULL, error);
	if (!layout)
		return NULL;
	first = g_new0(guint, daxc_layout_domains(layout) + 1);
	rows = color_rows(layout, first);
	for (guint i = 0; i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);
		LedgerCursor cursor = {.granules = snapshot->granules};

		for (guint32 j = 0; j < zone->n; j++) {
			DaxcGranuleState state =
				state_at(&cursor, zone->start + j * zone->granule);

			if (zone->color[j] == DAXC_NO_COLOR)
				continue;
			count_granule(g_ptr_array_index(rows, first[zone->domain] +
								      zone->color[j]),
				      zone->user[j], state);
		}
	}
	return g_steal_pointer(&rows);
}
