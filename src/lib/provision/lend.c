// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Lending idle memory to the host, and taking it back:
 *
 *   lend      INTENT committed -> kernel carves -> the host has it -> ACTIVE committed
 *   reclaim   RELEASING committed -> the host gives it back -> kernel destroys, and row
 *             removed, dirty
 *
 * What the host does takes its time, and happens outside of transactions. Whoever dies
 * meanwhile leaves a record that recover tries to undo, and cannot while the host has the
 * memory: destroying is refused then. It stays, harms nobody, and the next reclaim ends
 * it.
 */
#include "provision/provision.h"

#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/lend.h>
#include <daxcolor/size.h>

#include "core/lend.h"
#include "core/owner.h"

#define NAME "host-memory"
/* For one more, when the time for all of them is over: what the host has not used it
 * gives back in less. */
#define LEAST_MS 1000

GPtrArray *daxc_host_lent(DaxcHost *host, GError **error)
{
	g_autofree char *uuid = daxc_owner_uuid(DAXC_LENT_TENANT);

	return daxc_host_find(host, uuid, error);
}

gboolean daxc_refuse_lent(const char *uuid, GError **error)
{
	g_autofree char *lent = daxc_owner_uuid(DAXC_LENT_TENANT);

	if (g_ascii_strcasecmp(uuid, lent) != 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "that is no guest, but memory lent to the host: `daxcolor reclaim` "
		    "takes it back");
	return FALSE;
}

/* ---- giving back ---- */

/* @carving is RELEASING, by us. */
static gboolean forget(DaxcHost *host, const DaxcCarving *carving, const char *name,
		       GError **error)
{
	if (daxc_ledger_begin(host->ledger, error) &&
	    daxc_take_back_seen(host, carving, name, error) &&
	    daxc_ledger_commit(host->ledger, error))
		return TRUE;
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}

/* Returns: (nullable): its instance, by its ranges: names change. */
static const DaxcInstance *find_instance(const DaxcCarving *carving,
					 const GPtrArray *instances)
{
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(instances, i);

		if (daxc_carving_matches(carving, instance))
			return instance;
	}
	return NULL;
}

static gboolean record(DaxcHost *host, DaxcCarving *carving, DaxcCarvingState state,
		       GError **error)
{
	carving->state = state;
	daxc_sign(host, carving);
	return daxc_ledger_update(host->ledger, carving, error);
}

static gboolean record_alone(DaxcHost *host, DaxcCarving *carving, DaxcCarvingState state,
			     GError **error)
{
	if (daxc_ledger_begin(host->ledger, error) &&
	    record(host, carving, state, error) &&
	    daxc_ledger_commit(host->ledger, error))
		return TRUE;
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}

/* What the host keeps is lent as before; what is half taken back is for the next one. */
static void keep_record(DaxcHost *host, DaxcCarving *carving, const char *name)
{
	g_autoptr(DaxcInstance) instance = NULL;
	g_autoptr(GError) failure = NULL;
	DaxcCarvingState state = DAXC_CARVING_RELEASING;

	if (name)
		instance = daxc_kernel_instance(host->kernel, name, NULL);
	if (carving->instance && instance && daxc_kernel_is_lent(instance))
		state = DAXC_CARVING_ACTIVE;
	if (!record_alone(host, carving, state, &failure))
		g_warning("%s", failure->message);
}

static guint time_left(gint64 end)
{
	return (guint)MAX((end - g_get_monotonic_time()) / 1000, LEAST_MS);
}

static gint64 time_of_end(const DaxcHost *host)
{
	return g_get_monotonic_time() + (gint64)host->config->wait_ms * 1000;
}

/* @carving is RELEASING, by us. */
static gboolean give_back(DaxcHost *host, DaxcCarving *carving, gint64 end,
			  GError **error)
{
	g_autoptr(GPtrArray) instances = daxc_kernel_instances(host->kernel, error);
	const DaxcInstance *instance;
	const char *name;

	if (!instances)
		return FALSE;
	instance = find_instance(carving, instances);
	name = instance ? instance->name : NULL;
	if ((!name || daxc_kernel_reclaim(host->kernel, name, time_left(end), error)) &&
	    forget(host, carving, name, error))
		return TRUE;
	keep_record(host, carving, name);
	return FALSE;
}

/* ---- lending ---- */

static guint next_cell(const DaxcSnapshot *snapshot)
{
	guint next = 0;

	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (daxc_carving_is_lent(carving))
			next = MAX(next, carving->plan->cell + 1);
	}
	return next;
}

static DaxcCarving *intent_new(const DaxcHost *host, DaxcCellPlan *plan)
{
	DaxcCarving *carving = g_new0(DaxcCarving, 1);

	carving->uuid = daxc_owner_uuid(DAXC_LENT_TENANT);
	carving->name = g_strdup(NAME);
	carving->tenant = g_strdup(DAXC_LENT_TENANT);
	carving->state = DAXC_CARVING_INTENT;
	carving->plan = plan;
	daxc_sign(host, carving);
	return carving;
}

/* In a transaction. */
static GPtrArray *record_intent(DaxcHost *host, const DaxcSnapshot *snapshot,
				GPtrArray *plans, GError **error)
{
	g_autoptr(GPtrArray)
		lent = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_carving_free);
	guint cell = next_cell(snapshot);

	while (plans->len > 0) {
		DaxcCarving *carving =
			intent_new(host, g_ptr_array_steal_index(plans, 0));

		carving->plan->cell = cell++;
		g_ptr_array_add(lent, carving);
		if (!daxc_ledger_insert(host->ledger, carving, error))
			return NULL;
	}
	return g_steal_pointer(&lent);
}

static GPtrArray *intend(DaxcHost *host, gint node, const GArray *colors, GError **error)
{
	guint64 unit = daxc_kernel_lend_unit(host->kernel, error);
	g_autoptr(DaxcSnapshot) snapshot = unit ? daxc_begin_recovered(host, NULL, error)
						: NULL;
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(GPtrArray) plans = NULL;
	g_autoptr(GPtrArray) lent = NULL;

	if (!snapshot)
		return NULL;
	if (daxc_check_reservations(host, snapshot, error))
		layout = daxc_snapshot_layout(host, snapshot, NULL, error);
	if (layout)
		plans = daxc_lend_plan(layout, node, colors, unit, error);
	if (plans)
		lent = record_intent(host, snapshot, plans, error);
	if (lent && daxc_ledger_commit(host->ledger, error))
		return g_steal_pointer(&lent);
	daxc_ledger_rollback(host->ledger);
	return NULL;
}

static gboolean make_instance(DaxcHost *host, DaxcCarving *carving, GError **error)
{
	const DaxcKernelCarving asked = daxc_kernel_carving(carving);
	guint64 serial;

	if (daxc_ledger_begin(host->ledger, error) &&
	    daxc_ledger_serial(host->ledger, &serial, error) &&
	    daxc_run_write_serial(host, serial, error) &&
	    daxc_tell_geometry(host, asked.region, carving->plan->node, error) &&
	    daxc_kernel_carve(host->kernel, &asked, &carving->instance, error) &&
	    daxc_ledger_update(host->ledger, carving, error) &&
	    daxc_ledger_commit(host->ledger, error))
		return TRUE;
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}

static gboolean lend_one(DaxcHost *host, DaxcCarving *carving, GError **error)
{
	g_autoptr(GArray) denied = g_array_new(FALSE, FALSE, sizeof(DaxcDenied));
	const DaxcKernelCarving asked = daxc_kernel_carving(carving);

	return make_instance(host, carving, error) &&
	       daxc_kernel_fill(host->kernel, &asked, carving->instance, denied, error) &&
	       daxc_kernel_lend(host->kernel, carving->instance, error) &&
	       record_alone(host, carving, DAXC_CARVING_ACTIVE, error);
}

/* Says in @error what is left. */
static void undo(DaxcHost *host, GPtrArray *lent, GError **error)
{
	gint64 end = time_of_end(host);

	for (guint i = 0; i < lent->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(lent, i);
		g_autoptr(GError) local = NULL;

		if (record_alone(host, carving, DAXC_CARVING_RELEASING, &local) &&
		    give_back(host, carving, end, &local))
			continue;
		g_prefix_error(error,
			       "(undoing was not possible yet: %s; `daxcolor reclaim` "
			       "tries again) ",
			       local->message);
	}
	daxc_run_nudge_scrubber(host);
}

GPtrArray *daxc_host_lend(DaxcHost *host, gint node, const GArray *colors, GError **error)
{
	g_autoptr(GPtrArray) lent = intend(host, node, colors, error);

	for (guint i = 0; lent && i < lent->len; i++) {
		if (lend_one(host, g_ptr_array_index(lent, i), error))
			continue;
		undo(host, lent, error);
		return NULL;
	}
	return g_steal_pointer(&lent);
}

/* ---- reclaiming ---- */

static gboolean has_color(const DaxcCellPlan *plan, const GArray *colors)
{
	for (guint i = 0; i < plan->granules->len; i++) {
		const DaxcGranule *granule =
			&g_array_index(plan->granules, DaxcGranule, i);

		for (guint k = 0; k < colors->len; k++) {
			if (g_array_index(colors, guint32, k) == granule->color)
				return TRUE;
		}
	}
	return FALSE;
}

/* Returns: (transfer container): carvings of @snapshot. */
static GPtrArray *find_lent(const DaxcSnapshot *snapshot, gint node, const GArray *colors)
{
	GPtrArray *lent = g_ptr_array_new();

	for (guint i = 0; i < snapshot->carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (daxc_carving_is_lent(carving) &&
		    (node < 0 || carving->plan->node == node) &&
		    (!colors || has_color(carving->plan, colors)))
			g_ptr_array_add(lent, carving);
	}
	return lent;
}

/* Somebody alive who is at work on one of them. */
static const DaxcCarving *find_other(const GPtrArray *lent)
{
	for (guint i = 0; i < lent->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(lent, i);

		if (carving->state != DAXC_CARVING_ACTIVE && carving->pid != getpid() &&
		    daxc_maker_lives(carving))
			return carving;
	}
	return NULL;
}

static gboolean mark_releasing(DaxcHost *host, GPtrArray *lent, GError **error)
{
	for (guint i = 0; i < lent->len; i++) {
		if (!record(host, g_ptr_array_index(lent, i), DAXC_CARVING_RELEASING,
			    error))
			return FALSE;
	}
	return daxc_ledger_commit(host->ledger, error);
}

/* All of them, whatever becomes of one. */
static gboolean give_all_back(DaxcHost *host, GPtrArray *lent, guint64 *bytes,
			      GError **error)
{
	gint64 end = time_of_end(host);
	g_autoptr(GError) first = NULL;

	for (guint i = 0; i < lent->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(lent, i);
		g_autoptr(GError) local = NULL;

		if (give_back(host, carving, end, &local))
			*bytes += carving->plan->size;
		else if (!first)
			first = g_steal_pointer(&local);
	}
	daxc_run_nudge_scrubber(host);
	if (!first)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}

/* Begins when nobody else is at work on what is asked for. */
static DaxcSnapshot *begin_alone(DaxcHost *host, gint node, const GArray *colors,
				 GError **error)
{
	DaxcWaiting waiting;

	daxc_wait_begin(&waiting, host);
	for (;;) {
		g_autoptr(DaxcSnapshot)
			snapshot = daxc_begin_recovered(host, NULL, error);
		g_autoptr(GPtrArray) lent = NULL;
		const DaxcCarving *other;

		if (!snapshot)
			return NULL;
		lent = find_lent(snapshot, node, colors);
		other = find_other(lent);
		if (!other)
			return g_steal_pointer(&snapshot);
		daxc_ledger_rollback(host->ledger);
		if (!daxc_wait_for(&waiting, other, error))
			return NULL;
	}
}

gboolean daxc_host_reclaim(DaxcHost *host, gint node, const GArray *colors,
			   guint64 *bytes, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = begin_alone(host, node, colors, error);
	g_autoptr(GPtrArray) lent = NULL;
	guint64 back = 0;
	gboolean ok;

	if (!snapshot)
		return FALSE;
	lent = find_lent(snapshot, node, colors);
	ok = mark_releasing(host, lent, error) && give_all_back(host, lent, &back, error);
	daxc_ledger_rollback(host->ledger);
	if (bytes)
		*bytes = back;
	return ok;
}

/* ---- for a guest that needs it ---- */

/* How it will be when all of it is back. Returns: whether any is lent. */
static gboolean leave_out_lent(DaxcSnapshot *snapshot)
{
	g_autofree char *owner = daxc_owner_uuid(DAXC_LENT_TENANT);
	guint before = snapshot->carvings->len;

	for (guint i = before; i-- > 0;) {
		if (!daxc_carving_is_lent(g_ptr_array_index(snapshot->carvings, i)))
			continue;
		g_ptr_array_remove_index(snapshot->carvings, i);
		g_ptr_array_remove_index(snapshot->found, i);
	}
	for (guint i = snapshot->owned_colors->len; i-- > 0;) {
		if (strcmp(g_array_index(snapshot->owned_colors, DaxcOwnedColor, i)
				   .color.owner,
			   owner) == 0)
			g_array_remove_index(snapshot->owned_colors, i);
	}
	return snapshot->carvings->len < before;
}

static gboolean reclaim_cell(DaxcHost *host, const DaxcRequest *request,
			     const DaxcCellPlan *cell, GError **error)
{
	g_autoptr(GArray) colors = daxc_cell_plan_colors(cell);
	g_autofree char *list = daxc_color_list_format(colors);
	g_autofree char *size = NULL;
	guint64 bytes = 0;

	if (!daxc_host_reclaim(host, cell->node, colors, &bytes, error)) {
		g_prefix_error(error,
			       "it needs colors %s of node %d, of which the host has "
			       "memory on loan: ",
			       list, cell->node);
		return FALSE;
	}
	size = daxc_size_format(bytes);
	if (bytes > 0)
		g_message("took %s of node %d back from the host for guest %s", size,
			  cell->node, request->name);
	return TRUE;
}

gboolean daxc_reclaim_for(DaxcHost *host, const DaxcRequest *request,
			  const GArray *denied, GError **failure)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(GError) local = NULL;

	if (!g_error_matches(*failure, DAXC_ERROR, DAXC_ERROR_REFUSED))
		return FALSE;
	snapshot = daxc_snapshot_new(host, NULL);
	if (!snapshot || !leave_out_lent(snapshot))
		return FALSE;
	/* Without what is lent it would be refused, too: then for that reason. */
	plan = daxc_snapshot_plan(host, snapshot, request, denied, NULL);
	for (guint i = 0; plan && i < plan->cells->len; i++) {
		if (reclaim_cell(host, request, g_ptr_array_index(plan->cells, i),
				 &local))
			continue;
		g_error_free(*failure);
		*failure = g_steal_pointer(&local);
		return FALSE;
	}
	return plan != NULL;
}
