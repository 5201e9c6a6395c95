// SPDX-License-Identifier: LGPL-2.1-or-later
/* What ledger and kernel say, brought together; and the layout made from it. */
#include "provision/provision.h"

#include <string.h>

#include "adapters/platform.h"

#include <daxcolor/error.h>

/* Ledger and kernel are matched by physical ranges: names are reused, ranges
 * are what the promise is about. */
static DaxcInstance *find_instance(const DaxcSnapshot *snapshot,
				   const DaxcCarving *carving)
{
	for (guint i = 0; i < snapshot->instances->len; i++) {
		DaxcInstance *instance = g_ptr_array_index(snapshot->instances, i);

		if (daxc_carving_matches(carving, instance))
			return instance;
	}
	return NULL;
}

gboolean daxc_is_idle_seed(const GPtrArray *regions, const DaxcInstance *instance)
{
	if (!instance->seed || instance->driver)
		return FALSE;
	if (instance->size == 0)
		return TRUE;
	for (guint i = 0; i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		if (region->id == instance->region)
			return instance->size == region->size;
	}
	return FALSE;
}

static void sort_out(DaxcSnapshot *snapshot)
{
	snapshot->found = g_ptr_array_new();
	snapshot->unknown = g_ptr_array_new();
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		g_ptr_array_add(snapshot->found, find_instance(snapshot, carving));
	}
	for (guint i = 0; i < snapshot->instances->len; i++) {
		DaxcInstance *instance = g_ptr_array_index(snapshot->instances, i);

		if (!g_ptr_array_find(snapshot->found, instance, NULL) &&
		    !daxc_is_idle_seed(snapshot->regions, instance))
			g_ptr_array_add(snapshot->unknown, instance);
	}
}

const DaxcLedgerGranule *daxc_snapshot_granule(const DaxcSnapshot *snapshot,
					       guint64 start, guint64 size)
{
	guint low = 0, high = snapshot->granules->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, middle);

		if (granule->start == start)
			return granule->size == size ? granule : NULL;
		if (granule->start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

gboolean daxc_snapshot_is_dirty(const DaxcSnapshot *snapshot, const DaxcZone *zone,
				guint32 i)
{
	const DaxcLedgerGranule *granule;

	if (zone->user[i] != DAXC_USER_NONE || zone->color[i] == DAXC_NO_COLOR)
		return FALSE;
	granule = daxc_snapshot_granule(snapshot, zone->start + i * zone->granule,
					zone->granule);
	return !granule ||
	       (granule->state == DAXC_GRANULE_DIRTY && granule->carving == 0);
}

/* What a scrubber holds is free for all others, who only may have to wait for it. */
static void show_scrubbed_as_dirty(DaxcSnapshot *snapshot)
{
	g_autoptr(GHashTable) scrubs = g_hash_table_new(g_int64_hash, g_int64_equal);

	for (guint i = 0; i < snapshot->carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (carving->state == DAXC_CARVING_SCRUBBING)
			g_hash_table_add(scrubs, &carving->id);
	}
	for (guint i = 0; g_hash_table_size(scrubs) > 0 && i < snapshot->granules->len;
	     i++) {
		DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, i);

		if (granule->state == DAXC_GRANULE_HELD &&
		    g_hash_table_contains(scrubs, &granule->carving))
			granule->state = DAXC_GRANULE_DIRTY;
	}
}

DaxcSnapshot *daxc_snapshot_new(DaxcHost *host, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = g_new0(DaxcSnapshot, 1);

	snapshot->carvings = daxc_ledger_carvings(host->ledger, NULL, error);
	if (!snapshot->carvings)
		return NULL;
	snapshot->granules = daxc_ledger_granules(host->ledger, error);
	if (!snapshot->granules)
		return NULL;
	snapshot->reservations = daxc_ledger_reservations(host->ledger, error);
	if (!snapshot->reservations)
		return NULL;
	if (!daxc_kernel_look(host->kernel, &snapshot->regions, &snapshot->instances,
			      error) ||
	    !daxc_read_color_owners(host, snapshot, error))
		return NULL;
	daxc_carvings_of_boot(snapshot->carvings, host->boot_id);
	show_scrubbed_as_dirty(snapshot);
	sort_out(snapshot);
	return g_steal_pointer(&snapshot);
}

void daxc_snapshot_free(DaxcSnapshot *snapshot)
{
	g_clear_pointer(&snapshot->found, g_ptr_array_unref);
	g_clear_pointer(&snapshot->unknown, g_ptr_array_unref);
	g_clear_pointer(&snapshot->instances, g_ptr_array_unref);
	g_clear_pointer(&snapshot->regions, g_ptr_array_unref);
	g_clear_pointer(&snapshot->carvings, g_ptr_array_unref);
	g_clear_pointer(&snapshot->granules, g_array_unref);
	g_clear_pointer(&snapshot->reservations, g_ptr_array_unref);
	g_clear_pointer(&snapshot->owned_colors, g_array_unref);
	g_free(snapshot);
}

static guint distance(const DaxcHost *host, gint from, gint to)
{
	const DaxcConfig *described = host->described;

	if (!described)
		return daxc_platform_distance("", from, to);
	if ((guint)from >= described->n_nodes || (guint)to >= described->n_nodes)
		return 0;
	return g_array_index(described->distances, guint8,
			     (guint)from * described->n_nodes + (guint)to);
}

/* Returns: (transfer full) (element-type guint): nodes that have distances. */
static GArray *nodes_of(const DaxcHost *host)
{
	GArray *nodes;

	if (!host->described)
		return daxc_platform_nodes("");
	nodes = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint node = 0; node < host->described->n_nodes; node++)
		g_array_append_val(nodes, node);
	return nodes;
}

/* Guests may name any node in their numatune. */
static void add_distances(DaxcHost *host, DaxcLayout *layout, const GPtrArray *regions)
{
	g_autoptr(GArray) nodes = nodes_of(host);

	for (guint i = 0; i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		for (guint k = 0; k < nodes->len; k++) {
			gint from = (gint)g_array_index(nodes, guint, k);
			guint value = distance(host, from, region->node);

			if (value != 0)
				daxc_layout_set_distance(layout, from, region->node,
							 value);
		}
	}
}

static gboolean use_carvings(DaxcLayout *layout, const DaxcSnapshot *snapshot,
			     GError **error)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);
		const DaxcCellPlan *plan = carving->plan;
		guint32 user;

		if (carving->state == DAXC_CARVING_SCRUBBING)
			continue;
		user = daxc_layout_tenant(layout, carving->tenant);
		for (guint j = 0; j < plan->granules->len; j++) {
			const DaxcGranule *granule =
				&g_array_index(plan->granules, DaxcGranule, j);

			if (!daxc_layout_use(layout, granule->start, plan->granule, user,
					     error)) {
				g_prefix_error(error, "guest %s cell %u: ", carving->name,
					       carving->plan->cell);
				return FALSE;
			}
		}
	}
	return TRUE;
}

static gboolean use_bad(DaxcLayout *layout, const GArray *granules, GError **error)
{
	for (guint i = 0; i < granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, i);

		if (granule->state == DAXC_GRANULE_BAD && granule->carving == 0 &&
		    !daxc_layout_use(layout, granule->start, granule->size, DAXC_USER_BAD,
				     error))
			return FALSE;
	}
	return TRUE;
}

static gboolean use_unknown(DaxcLayout *layout, const GPtrArray *unknown, GError **error)
{
	for (guint i = 0; i < unknown->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(unknown, i);

		for (guint j = 0; j < instance->extents->len; j++) {
			const DaxcExtent *extent =
				&g_array_index(instance->extents, DaxcExtent, j);

			if (!daxc_layout_use(layout, extent->start, extent->size,
					     DAXC_USER_FOREIGN, error))
				return FALSE;
		}
	}
	return TRUE;
}

DaxcLayout *daxc_snapshot_layout(DaxcHost *host, const DaxcSnapshot *snapshot,
				 const char *tenant, GError **error)
{
	g_autoptr(DaxcLayout) layout = daxc_layout_new(host->geometry, snapshot->regions);

	if (!use_carvings(layout, snapshot, error) ||
	    !daxc_use_reservations(host, layout, snapshot->reservations, error) ||
	    !use_bad(layout, snapshot->granules, error) ||
	    !use_unknown(layout, snapshot->unknown, error) ||
	    !daxc_use_color_owners(layout, snapshot, tenant, error))
		return NULL;
	return g_steal_pointer(&layout);
}

gboolean daxc_may_keep(const DaxcHost *host, const DaxcLedgerGranule *granule,
		       const char *tenant)
{
	return granule->state == DAXC_GRANULE_DIRTY &&
	       g_strcmp0(granule->tenant, tenant) == 0 &&
	       g_hash_table_contains(host->config->keepers, tenant);
}

static gboolean use_denied(DaxcLayout *layout, const GArray *denied, GError **error)
{
	for (guint i = 0; denied && i < denied->len; i++) {
		const DaxcDenied *granule = &g_array_index(denied, DaxcDenied, i);

		if (!daxc_layout_use(layout, granule->start, granule->size, DAXC_USER_BAD,
				     error))
			return FALSE;
	}
	return TRUE;
}

/* What a guest of @tenant would have to wait for. */
static void set_waits(DaxcHost *host, DaxcLayout *layout, const DaxcSnapshot *snapshot,
		      const char *tenant)
{
	for (guint i = 0; i < snapshot->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, i);

		/* Only a scrubber has dirty ones, or clean ones. */
		if (granule->carving != 0 && granule->state != DAXC_GRANULE_HELD)
			daxc_layout_set_wait(layout, granule->start, DAXC_WAIT_SCRUB);
		else if (granule->state == DAXC_GRANULE_CLEAN ||
			 daxc_may_keep(host, granule, tenant))
			daxc_layout_set_wait(layout, granule->start, DAXC_WAIT_NONE);
	}
}

gboolean daxc_check_apart(DaxcHost *host, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_snapshot_new(host, error);
	g_autoptr(DaxcLayout) layout =
		snapshot ? daxc_snapshot_layout(host, snapshot, NULL, error) : NULL;

	return layout != NULL;
}

DaxcPlan *daxc_snapshot_plan(DaxcHost *host, const DaxcSnapshot *snapshot,
			     const DaxcRequest *request, const GArray *denied,
			     GError **error)
{
	g_autoptr(DaxcLayout) layout = NULL;

	if (snapshot->regions->len == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_UNSUPPORTED,
			    "this host has no dax region: load dax_hmem with "
			    "region_idle=1 and device_dax, and see `daxcolor doctor`");
		return NULL;
	}
	if (!daxc_check_reservations(host, snapshot, error))
		return NULL;
	layout = daxc_snapshot_layout(host, snapshot, request->tenant, error);
	if (!layout || !use_denied(layout, denied, error))
		return NULL;
	set_waits(host, layout, snapshot, request->tenant);
	add_distances(host, layout, snapshot->regions);
	return daxc_plan_new(layout, request, error);
}
