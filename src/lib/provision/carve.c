// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Carving, releasing, recovering: everything that changes a host.
 *
 * Each change is recorded before it is made and committed after it was read
 * back:
 *
 *   carve     INTENT committed -> kernel carves -> zeroed -> ACTIVE committed
 *   release   RELEASING committed -> kernel destroys -> row removed, dirty
 *
 * Kernel changes happen inside a ledger transaction, so one process makes them
 * at a time; zeroing happens outside of it, since it takes long and touches
 * nothing but granules that the INTENT holds. A row whose maker is dead is
 * undone by the next caller. Undoing is destroying: there is one way back.
 */
#include "provision/provision.h"

#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>

static void sign(const DaxcHost *host, DaxcCarving *carving)
{
	carving->pid = getpid();
	carving->pid_start = daxc_process_start(carving->pid);
	g_free(carving->boot_id);
	carving->boot_id = g_strdup(host->boot_id);
}

static gboolean maker_lives(const DaxcCarving *carving)
{
	return carving->pid_start != 0 &&
	       daxc_process_start(carving->pid) == carving->pid_start;
}

static void report_add(GPtrArray *report, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void report_add(GPtrArray *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(report, g_strdup_vprintf(format, args));
	va_end(args);
}

/* In a transaction: the kernel gives @instance back, the ledger its granules. */
static gboolean take_back(DaxcHost *host, const DaxcCarving *carving,
			  const DaxcInstance *instance, GError **error)
{
	if (instance && !daxc_kernel_destroy(host->kernel, instance->name, error)) {
		g_prefix_error(error, "guest %s cell %u: ", carving->name,
			       carving->plan->cell);
		return FALSE;
	}
	return daxc_ledger_remove(host->ledger, carving->id, DAXC_GRANULE_DIRTY, error);
}

/* An instance between its creation and its first extent cannot be told from
 * one that an administrator is just making; it holds nothing, and is only
 * looked for where a carving was left half made. */
static gboolean sweep_empty(DaxcHost *host, const DaxcSnapshot *snapshot, guint region,
			    GPtrArray *report, GError **error)
{
	for (guint i = 0; i < snapshot->unknown->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(snapshot->unknown, i);

		if (instance->region != region || instance->size != 0 ||
		    instance->driver || instance->seed)
			continue;
		if (!daxc_kernel_destroy(host->kernel, instance->name, error))
			return FALSE;
		report_add(report, "%s: empty, left by an interrupted carving: deleted",
			   instance->name);
	}
	return TRUE;
}

static gboolean recover_one(DaxcHost *host, const DaxcSnapshot *snapshot, guint index,
			    GPtrArray *report, GError **error)
{
	const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, index);
	const DaxcInstance *instance = g_ptr_array_index(snapshot->found, index);
	g_autoptr(GError) stuck = NULL;

	if (carving->state == DAXC_CARVING_ACTIVE && instance)
		return TRUE;
	if (carving->state != DAXC_CARVING_ACTIVE && maker_lives(carving))
		return TRUE;
	if (take_back(host, carving, instance, &stuck)) {
		report_add(report, "guest %s cell %u: %s carving %s: taken back",
			   carving->name, carving->plan->cell,
			   daxc_carving_state_name(carving->state),
			   instance ? "was interrupted" : "has no instance any more");
		if (carving->state != DAXC_CARVING_ACTIVE && !instance)
			return sweep_empty(host, snapshot, carving->plan->region, report,
					   error);
		return TRUE;
	}
	if (g_error_matches(stuck, DAXC_ERROR, DAXC_ERROR_LEDGER)) {
		g_propagate_error(error, g_steal_pointer(&stuck));
		return FALSE;
	}
	/* It keeps its granules and so harms nobody: others must go on. */
	report_add(report, "%s; it stays %s", stuck->message,
		   daxc_carving_state_name(carving->state));
	return TRUE;
}

/* In a transaction. Returns: (transfer full): how all is afterwards. */
static DaxcSnapshot *recover(DaxcHost *host, GPtrArray *report, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;

	if (!daxc_ledger_boot(host->ledger, host->boot_id, error))
		return NULL;
	snapshot = daxc_snapshot_new(host, error);
	if (!snapshot)
		return NULL;
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		if (!recover_one(host, snapshot, i, report, error))
			return NULL;
	}
	if (report->len > 0)
		return daxc_snapshot_new(host, error);
	return g_steal_pointer(&snapshot);
}

/**
 * begin_recovered:
 * @report: what was finished or undone; that is committed already
 *
 * Returns: (transfer full) (nullable): a look at everything in the transaction
 *   that it has begun; on failure there is none.
 */
static DaxcSnapshot *begin_recovered(DaxcHost *host, GPtrArray *report, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;

	if (!daxc_ledger_begin(host->ledger, error))
		return NULL;
	snapshot = recover(host, report, error);
	for (guint i = 0; i < report->len; i++)
		g_message("%s", (const char *)g_ptr_array_index(report, i));
	if (snapshot && (report->len == 0 || (daxc_ledger_commit(host->ledger, error) &&
					      daxc_ledger_begin(host->ledger, error))))
		return g_steal_pointer(&snapshot);
	daxc_ledger_rollback(host->ledger);
	return NULL;
}

gboolean daxc_host_recover(DaxcHost *host, GPtrArray **report, GError **error)
{
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) snapshot = begin_recovered(host, done, error);

	if (!snapshot || !daxc_ledger_commit(host->ledger, error))
		return FALSE;
	if (report)
		*report = g_steal_pointer(&done);
	return TRUE;
}

static gboolean is_others(const DaxcCarving *carving)
{
	return carving->state != DAXC_CARVING_ACTIVE && carving->pid != getpid() &&
	       maker_lives(carving);
}

static gboolean holds_anything(const DaxcSnapshot *snapshot, const char *uuid)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (strcmp(carving->uuid, uuid) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Records that the domain's carvings are going, so that they go even if we die. */
static gboolean mark_releasing(DaxcHost *host, const DaxcSnapshot *snapshot,
			       const char *uuid, GError **error)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (strcmp(carving->uuid, uuid) != 0)
			continue;
		if (is_others(carving)) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
				    "guest %s: process %" G_GINT64_FORMAT
				    " is at work on it: try again when it is done",
				    carving->name, carving->pid);
			return FALSE;
		}
		carving->state = DAXC_CARVING_RELEASING;
		sign(host, carving);
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
	}
	return TRUE;
}

/* Undoing a carving that has no instance yet: the kernel may have failed to delete an
 * empty one, and nobody would look for that once the record is gone. */
static gboolean sweep_unfinished(DaxcHost *host, const DaxcCarving *carving,
				 GError **error)
{
	g_autoptr(GPtrArray) report = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) now = NULL;

	if (carving->instance)
		return TRUE;
	now = daxc_snapshot_new(host, error);
	return now && sweep_empty(host, now, carving->plan->region, report, error);
}

/* Takes one back that was seen a moment ago: it is looked at again, for names
 * are reused. */
static gboolean take_back_seen(DaxcHost *host, const DaxcCarving *carving,
			       const DaxcInstance *seen, GError **error)
{
	g_autoptr(DaxcInstance) instance = NULL;

	if (!seen)
		return sweep_unfinished(host, carving, error) &&
		       take_back(host, carving, NULL, error);
	instance = daxc_kernel_instance(host->kernel, seen->name, error);
	if (!instance)
		return FALSE;
	if (daxc_carving_matches(carving, instance))
		return take_back(host, carving, instance, error);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "guest %s cell %u: somebody else is changing %s: try again",
		    carving->name, carving->plan->cell, seen->name);
	return FALSE;
}

/* Takes back what is RELEASING by us; goes on past what is in use, which the
 * next caller then finds without a living maker. */
static gboolean take_back_domain(DaxcHost *host, const DaxcSnapshot *snapshot,
				 const char *uuid, GError **error)
{
	g_autoptr(GError) first = NULL;

	for (guint i = 0; i < snapshot->carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);
		const DaxcInstance *seen = g_ptr_array_index(snapshot->found, i);
		g_autoptr(GError) local = NULL;

		if (strcmp(carving->uuid, uuid) != 0 ||
		    take_back_seen(host, carving, seen, &local))
			continue;
		carving->pid_start = 0;
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
		if (!first)
			first = g_steal_pointer(&local);
	}
	/* What was taken back is committed even when the rest could not be. */
	if (!daxc_ledger_commit(host->ledger, error))
		return FALSE;
	if (first) {
		g_propagate_error(error, g_steal_pointer(&first));
		return FALSE;
	}
	return TRUE;
}

gboolean daxc_host_release(DaxcHost *host, const char *uuid, GError **error)
{
	g_autoptr(GPtrArray) report = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) snapshot = begin_recovered(host, report, error);
	gboolean ok;

	if (!snapshot)
		return FALSE;
	if (!holds_anything(snapshot, uuid))
		return daxc_ledger_commit(host->ledger, error);
	ok = mark_releasing(host, snapshot, uuid, error) &&
	     daxc_ledger_commit(host->ledger, error) &&
	     daxc_ledger_begin(host->ledger, error) &&
	     take_back_domain(host, snapshot, uuid, error);
	daxc_ledger_rollback(host->ledger);
	return ok;
}

static DaxcCarving *intent_new(const DaxcHost *host, const DaxcRequest *request,
			       DaxcCellPlan *plan)
{
	DaxcCarving *carving = g_new0(DaxcCarving, 1);

	carving->uuid = g_strdup(request->uuid);
	carving->name = g_strdup(request->name);
	carving->tenant = g_strdup(request->tenant);
	carving->state = DAXC_CARVING_INTENT;
	carving->plan = plan;
	sign(host, carving);
	return carving;
}

/* In a transaction: plans and records what will be made. */
static GPtrArray *record_intent(DaxcHost *host, const DaxcSnapshot *snapshot,
				const DaxcRequest *request, GError **error)
{
	g_autoptr(GPtrArray) carvings =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_carving_free);
	g_autoptr(DaxcPlan) plan = daxc_snapshot_plan(host, snapshot, request, error);

	if (!plan)
		return NULL;
	while (plan->cells->len > 0) {
		DaxcCellPlan *cell = g_ptr_array_steal_index(plan->cells, 0);
		DaxcCarving *carving = intent_new(host, request, cell);

		g_ptr_array_add(carvings, carving);
		if (!daxc_ledger_insert(host->ledger, carving, error))
			return NULL;
	}
	return g_steal_pointer(&carvings);
}

/* In a transaction: the kernel makes what was recorded. */
static gboolean make_instances(DaxcHost *host, GPtrArray *carvings, GError **error)
{
	for (guint i = 0; i < carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(carvings, i);
		const DaxcCellPlan *plan = carving->plan;

		if (!daxc_kernel_carve(host->kernel, plan->region, plan->align,
				       plan->extents, &carving->instance, error)) {
			g_prefix_error(error, "cell %u: ", plan->cell);
			return FALSE;
		}
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean zero_instances(DaxcHost *host, GPtrArray *carvings, GError **error)
{
	if (host->config->zero == DAXC_ZERO_NEVER)
		return TRUE;
	for (guint i = 0; i < carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);

		if (!daxc_kernel_zero(host->kernel, carving->instance, error)) {
			g_prefix_error(error, "cell %u: ", carving->plan->cell);
			return FALSE;
		}
	}
	return TRUE;
}

/* In a transaction. */
static gboolean activate(DaxcHost *host, GPtrArray *carvings, GError **error)
{
	for (guint i = 0; i < carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(carvings, i);

		carving->state = DAXC_CARVING_ACTIVE;
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
	}
	return TRUE;
}

/* Undoes a carving whose intent is on record; says in @error what is left. */
static void undo(DaxcHost *host, const char *uuid, GError **error)
{
	g_autoptr(GError) local = NULL;

	daxc_ledger_rollback(host->ledger);
	if (daxc_host_release(host, uuid, &local))
		return;
	g_prefix_error(error,
		       "(undoing was not possible yet: %s; `daxcolor recover` "
		       "tries again) ",
		       local->message);
}

static gboolean make(DaxcHost *host, GPtrArray *carvings, GError **error)
{
	if (!daxc_ledger_begin(host->ledger, error) ||
	    !make_instances(host, carvings, error) ||
	    !daxc_ledger_commit(host->ledger, error))
		return FALSE;
	if (!zero_instances(host, carvings, error))
		return FALSE;
	return daxc_ledger_begin(host->ledger, error) &&
	       activate(host, carvings, error) && daxc_ledger_commit(host->ledger, error);
}

/* Like begin_recovered(), with nothing left of an earlier run of the domain. */
static DaxcSnapshot *begin_fresh(DaxcHost *host, const char *uuid, GError **error)
{
	g_autoptr(GPtrArray) report = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) snapshot = begin_recovered(host, report, error);

	if (!snapshot || !holds_anything(snapshot, uuid))
		return g_steal_pointer(&snapshot);
	daxc_ledger_rollback(host->ledger);
	if (!daxc_host_release(host, uuid, error))
		return NULL;
	g_clear_pointer(&snapshot, daxc_snapshot_free);
	return begin_recovered(host, report, error);
}

GPtrArray *daxc_host_carve(DaxcHost *host, const DaxcRequest *request, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;
	g_autoptr(GPtrArray) carvings = NULL;

	if (!daxc_request_check(request, error))
		return NULL;
	snapshot = begin_fresh(host, request->uuid, error);
	if (!snapshot)
		return NULL;
	carvings = record_intent(host, snapshot, request, error);
	if (!carvings) {
		daxc_ledger_rollback(host->ledger);
		return NULL;
	}
	/* A commit that fails in its last step may be there all the same. */
	if (!daxc_ledger_commit(host->ledger, error) || !make(host, carvings, error)) {
		undo(host, request->uuid, error);
		return NULL;
	}
	return g_steal_pointer(&carvings);
}
