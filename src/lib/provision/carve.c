// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Carving and releasing. Each change is recorded before it is made and committed
 * after it was read back:
 *
 *   carve     INTENT committed -> kernel carves -> zeroed -> all of the guest's claimed
 *             for it -> ACTIVE committed
 *             or, where the kernel zeroes what it gives:
 *             INTENT committed -> kernel makes an empty instance, its name committed
 *             -> kernel fills it -> all claimed -> ACTIVE committed
 *   release   RELEASING committed -> claim ended, kernel destroys -> row removed, dirty
 *
 * Kernel changes happen inside a ledger transaction, so one process makes them
 * at a time; zeroing happens outside of it, since it takes long and touches
 * nothing but granules that the INTENT holds. Only what is not known to hold zeros
 * is zeroed.
 */
#include "provision/provision.h"

#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/* Somebody alive who is at work on the domain. */
static const DaxcCarving *find_other(const DaxcSnapshot *snapshot, const char *uuid)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (strcmp(carving->uuid, uuid) == 0 &&
		    carving->state != DAXC_CARVING_ACTIVE && carving->pid != getpid() &&
		    daxc_maker_lives(carving))
			return carving;
	}
	return NULL;
}

/* Like daxc_begin_recovered(), when nobody else is at work on the domain. */
static DaxcSnapshot *begin_alone(DaxcHost *host, const char *uuid, DaxcWaiting *waiting,
				 GError **error)
{
	for (;;) {
		g_autoptr(DaxcSnapshot)
			snapshot = daxc_begin_recovered(host, NULL, error);
		const DaxcCarving *other;

		if (!snapshot)
			return NULL;
		other = find_other(snapshot, uuid);
		if (!other)
			return g_steal_pointer(&snapshot);
		daxc_ledger_rollback(host->ledger);
		if (!daxc_wait_for(waiting, other, error)) {
			g_prefix_error(error, "guest %s: ", other->name);
			return NULL;
		}
	}
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
		carving->state = DAXC_CARVING_RELEASING;
		daxc_sign(host, carving);
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
	}
	return TRUE;
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
		    daxc_take_back_seen(host, carving, seen ? seen->name : NULL, &local))
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

/* In a transaction, which it ends. */
static gboolean release(DaxcHost *host, const DaxcSnapshot *snapshot, const char *uuid,
			GError **error)
{
	gboolean ok;

	if (!holds_anything(snapshot, uuid))
		return daxc_ledger_commit(host->ledger, error);
	ok = mark_releasing(host, snapshot, uuid, error) &&
	     daxc_ledger_commit(host->ledger, error) &&
	     daxc_ledger_begin(host->ledger, error) &&
	     take_back_domain(host, snapshot, uuid, error);
	daxc_ledger_rollback(host->ledger);
	daxc_run_nudge_scrubber(host);
	return ok;
}

gboolean daxc_host_release(DaxcHost *host, const char *uuid, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;
	DaxcWaiting waiting;

	daxc_wait_begin(&waiting, host);
	snapshot = begin_alone(host, uuid, &waiting, error);
	return snapshot && release(host, snapshot, uuid, error);
}

/**
 * Making: one carving on its way.
 * @dirty: (element-type DaxcExtent): what of it must be zeroed; start is an offset
 *   in the instance
 */
typedef struct {
	DaxcCarving *carving;
	GArray *dirty;
} Making;

static void making_free(gpointer data)
{
	Making *making = data;

	daxc_carving_free(making->carving);
	g_array_unref(making->dirty);
	g_free(making);
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
	daxc_sign(host, carving);
	return carving;
}

static gboolean needs_zeroing(const DaxcHost *host, const DaxcSnapshot *snapshot,
			      const DaxcCarving *carving, guint64 start)
{
	const DaxcLedgerGranule *granule =
		daxc_snapshot_granule(snapshot, start, carving->plan->granule);

	return !granule || (granule->state != DAXC_GRANULE_CLEAN &&
			    !daxc_may_keep(host, granule, carving->tenant));
}

static GArray *find_dirty(const DaxcHost *host, const DaxcSnapshot *snapshot,
			  const DaxcCarving *carving)
{
	const DaxcCellPlan *plan = carving->plan;
	GArray *dirty = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	DaxcExtent *last = NULL;

	if (host->config->zero == DAXC_ZERO_NEVER || daxc_kernel_zeroes(host->kernel))
		return dirty;
	for (guint i = 0; i < plan->granules->len; i++) {
		DaxcExtent range = {.start = i * plan->granule};

		range.size = MIN(plan->granule, plan->size - range.start);
		if (!needs_zeroing(host, snapshot, carving,
				   g_array_index(plan->granules, DaxcGranule, i).start))
			continue;
		if (last && last->start + last->size == range.start) {
			last->size += range.size;
			continue;
		}
		g_array_append_val(dirty, range);
		last = &g_array_index(dirty, DaxcExtent, dirty->len - 1);
	}
	return dirty;
}

/* In a transaction: records what will be made. */
static GPtrArray *record_intent(DaxcHost *host, const DaxcSnapshot *snapshot,
				const DaxcRequest *request, DaxcPlan *plan,
				GError **error)
{
	g_autoptr(GPtrArray) makings = g_ptr_array_new_with_free_func(making_free);

	while (plan->cells->len > 0) {
		DaxcCellPlan *cell = g_ptr_array_steal_index(plan->cells, 0);
		Making *making = g_new0(Making, 1);

		making->carving = intent_new(host, request, cell);
		making->dirty = find_dirty(host, snapshot, making->carving);
		g_ptr_array_add(makings, making);
		if (!daxc_ledger_insert(host->ledger, making->carving, error))
			return NULL;
	}
	return g_steal_pointer(&makings);
}

/* In a transaction: the kernel makes what was recorded. */
static gboolean make_instances(DaxcHost *host, GPtrArray *makings, GError **error)
{
	for (guint i = 0; i < makings->len; i++) {
		DaxcCarving *carving = ((Making *)g_ptr_array_index(makings, i))->carving;
		const DaxcKernelCarving asked = daxc_kernel_carving(carving);

		if (!daxc_tell_geometry(host, asked.region, carving->plan->node, error) ||
		    !daxc_kernel_carve(host->kernel, &asked, &carving->instance, error)) {
			g_prefix_error(error, "cell %u: ", carving->plan->cell);
			return FALSE;
		}
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
	}
	return TRUE;
}

/* What failed while it was zeroed is noted before anything else is done. */
static gboolean note_failure(DaxcHost *host, const DaxcCarving *carving, guint64 address,
			     GError **error)
{
	return daxc_ledger_begin(host->ledger, error) &&
	       daxc_mark_bad(host, carving, address, error) &&
	       daxc_ledger_commit(host->ledger, error);
}

/* Of granules that were denied, those that have failed are not asked for again. */
static gboolean note_denied(DaxcHost *host, const DaxcCarving *carving,
			    const GArray *denied, guint from, GError **error)
{
	for (guint i = from; i < denied->len; i++) {
		const DaxcDenied *granule = &g_array_index(denied, DaxcDenied, i);

		if (granule->failed &&
		    !note_failure(host, carving, granule->start, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean fill_instances(DaxcHost *host, GPtrArray *makings, GArray *denied,
			       GError **error)
{
	for (guint i = 0; i < makings->len; i++) {
		const DaxcCarving *carving =
			((Making *)g_ptr_array_index(makings, i))->carving;
		const DaxcKernelCarving asked = daxc_kernel_carving(carving);
		g_autoptr(GError) failure = NULL;
		guint before = denied->len;

		if (daxc_kernel_fill(host->kernel, &asked, carving->instance, denied,
				     &failure))
			continue;
		if (note_denied(host, carving, denied, before, error))
			g_propagate_prefixed_error(error, g_steal_pointer(&failure),
						   "cell %u: ", carving->plan->cell);
		return FALSE;
	}
	return TRUE;
}

static gboolean zero_instances(DaxcHost *host, GPtrArray *makings, GError **error)
{
	for (guint i = 0; i < makings->len; i++) {
		const Making *making = g_ptr_array_index(makings, i);
		g_autoptr(GError) failure = NULL;
		guint64 bad = 0;

		if (daxc_zero_ranges(host, making->carving, making->dirty, NULL, &bad,
				     &failure))
			continue;
		if (g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_MEMORY) &&
		    !note_failure(host, making->carving, bad, error))
			return FALSE;
		g_propagate_prefixed_error(error, g_steal_pointer(&failure),
					   "cell %u: ", making->carving->plan->cell);
		return FALSE;
	}
	return TRUE;
}

/* In a transaction. Claimed are all or none: a guest starts with all of its cells. */
static gboolean claim_instances(DaxcHost *host, const DaxcRequest *request,
				const GPtrArray *makings, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (guint i = 0; i < makings->len; i++) {
		const DaxcCarving *carving =
			((Making *)g_ptr_array_index(makings, i))->carving;

		g_ptr_array_add(names, carving->instance);
	}
	g_ptr_array_add(names, NULL);
	return daxc_kernel_claim(host->kernel, (const char *const *)names->pdata,
				 request->uuid, request->shared, error);
}

/* In a transaction. */
static gboolean activate(DaxcHost *host, GPtrArray *makings, GError **error)
{
	for (guint i = 0; i < makings->len; i++) {
		DaxcCarving *carving = ((Making *)g_ptr_array_index(makings, i))->carving;

		carving->state = DAXC_CARVING_ACTIVE;
		carving->zeroed = host->config->zero != DAXC_ZERO_NEVER ||
				  daxc_kernel_zeroes(host->kernel);
		if (!daxc_ledger_update(host->ledger, carving, error))
			return FALSE;
	}
	return TRUE;
}

/* Undoes a carving whose intent is on record; says in @error what is left. */
static gboolean undo(DaxcHost *host, const char *uuid, GError **error)
{
	g_autoptr(GError) local = NULL;

	daxc_ledger_rollback(host->ledger);
	if (daxc_host_release(host, uuid, &local))
		return TRUE;
	g_prefix_error(error,
		       "(undoing was not possible yet: %s; `daxcolor recover` "
		       "tries again) ",
		       local->message);
	return FALSE;
}

static gboolean make(DaxcHost *host, const DaxcRequest *request, GPtrArray *makings,
		     GArray *denied, GError **error)
{
	guint64 serial;

	if (!daxc_ledger_begin(host->ledger, error) ||
	    !daxc_ledger_serial(host->ledger, &serial, error) ||
	    !daxc_run_write_serial(host, serial, error) ||
	    !make_instances(host, makings, error) ||
	    !daxc_ledger_commit(host->ledger, error))
		return FALSE;
	if (!fill_instances(host, makings, denied, error) ||
	    !zero_instances(host, makings, error))
		return FALSE;
	return daxc_ledger_begin(host->ledger, error) &&
	       claim_instances(host, request, makings, error) &&
	       activate(host, makings, error) && daxc_ledger_commit(host->ledger, error);
}

/* Like begin_alone(), with nothing left of an earlier run of the domain. */
static DaxcSnapshot *begin_fresh(DaxcHost *host, const char *uuid, DaxcWaiting *waiting,
				 GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = begin_alone(host, uuid, waiting, error);

	if (!snapshot || !holds_anything(snapshot, uuid))
		return g_steal_pointer(&snapshot);
	if (!release(host, snapshot, uuid, error))
		return NULL;
	g_clear_pointer(&snapshot, daxc_snapshot_free);
	return begin_alone(host, uuid, waiting, error);
}

/* Returns: (nullable): the scrubbing that holds a granule of the plan. */
static const DaxcCarving *find_scrubbing(const DaxcSnapshot *snapshot, gint64 id)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (carving->id == id && carving->state == DAXC_CARVING_SCRUBBING)
			return carving;
	}
	return NULL;
}

static const DaxcCarving *scrubbing_in_way(const DaxcSnapshot *snapshot,
					   const DaxcPlan *plan)
{
	for (guint i = 0; i < plan->cells->len; i++) {
		const DaxcCellPlan *cell = g_ptr_array_index(plan->cells, i);

		for (guint j = 0; j < cell->granules->len; j++) {
			const DaxcLedgerGranule *granule = daxc_snapshot_granule(
				snapshot,
				g_array_index(cell->granules, DaxcGranule, j).start,
				cell->granule);

			if (granule && granule->carving != 0)
				return find_scrubbing(snapshot, granule->carving);
		}
	}
	return NULL;
}

/**
 * Pins: memory that the kernel gives to nobody, for it is still pinned.
 * @denied: (element-type DaxcDenied): what was found of it
 * @size: all of it, in bytes, as the kernel said when it was planned last
 * @waiting: for the rest of who is just ending
 */
typedef struct {
	GArray *denied;
	guint64 size;
	DaxcWaiting waiting;
} Pins;

/* Plans, and records it, when no scrubber is in the way any more. */
static GPtrArray *intend_waiting(DaxcHost *host, const DaxcRequest *request, Pins *pins,
				 DaxcWaiting *waiting, GError **error)
{
	for (;;) {
		g_autoptr(DaxcSnapshot)
			snapshot = begin_fresh(host, request->uuid, waiting, error);
		g_autoptr(DaxcPlan) plan = NULL;
		g_autoptr(GPtrArray) makings = NULL;
		const DaxcCarving *scrubbing;

		if (!snapshot)
			return NULL;
		pins->size = daxc_pinned(snapshot->regions);
		plan = daxc_snapshot_plan(host, snapshot, request, pins->denied, error);
		scrubbing = plan ? scrubbing_in_way(snapshot, plan) : NULL;
		if (scrubbing) {
			daxc_ledger_rollback(host->ledger);
			if (!daxc_wait_for(waiting, scrubbing, error))
				return NULL;
			continue;
		}
		if (plan)
			makings = record_intent(host, snapshot, request, plan, error);
		if (makings && daxc_ledger_commit(host->ledger, error))
			return g_steal_pointer(&makings);
		/* A commit that fails in its last step may be there all the same. */
		if (makings)
			undo(host, request->uuid, error);
		daxc_ledger_rollback(host->ledger);
		return NULL;
	}
}

static GPtrArray *intend(DaxcHost *host, const DaxcRequest *request, Pins *pins,
			 GError **error)
{
	DaxcWaiting waiting;
	GPtrArray *makings;

	daxc_wait_begin(&waiting, host);
	makings = intend_waiting(host, request, pins, &waiting, error);
	/* A scrubber that gave way has left all the rest dirty. */
	if (waiting.asked)
		daxc_run_nudge_scrubber(host);
	return makings;
}

static GPtrArray *carvings_of(const GPtrArray *makings)
{
	GPtrArray *carvings =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_carving_free);

	for (guint i = 0; i < makings->len; i++) {
		Making *making = g_ptr_array_index(makings, i);

		g_ptr_array_add(carvings, g_steal_pointer(&making->carving));
	}
	return carvings;
}

static guint64 pinned_now(DaxcHost *host)
{
	g_autoptr(GPtrArray) regions = daxc_kernel_regions(host->kernel, NULL);

	return regions ? daxc_pinned(regions) : G_MAXUINT64;
}

/* Who is just ending may let go of it in a moment; then all of it counts again. */
static gboolean wait_for_pins(DaxcHost *host, Pins *pins, const GError *failure)
{
	if (pins->size == 0 ||
	    !(g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_REFUSED) ||
	      g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_BUSY)))
		return FALSE;
	do {
		if (!daxc_wait_a_moment(&pins->waiting))
			return FALSE;
	} while (pinned_now(host) >= pins->size);
	g_array_set_size(pins->denied, 0);
	return TRUE;
}

static void say_pinned(const Pins *pins, GError **error)
{
	g_autofree char *size = daxc_size_format(pins->size);

	if (pins->size > 0)
		g_prefix_error(error,
			       "%s of memory are still pinned by whoever had them before "
			       "(a device, by VFIO, or a process with registered "
			       "buffers), and with them their colors: ",
			       size);
}

/* Whether the plan is to be made anew, without what was found out. */
static gboolean may_plan_again(DaxcHost *host, Pins *pins, guint denied_before,
			       const GError *failure)
{
	if (pins->denied->len > denied_before)
		return TRUE;
	/* Found by us, and noted: the kernel names what it denies. */
	if (g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_MEMORY))
		return !daxc_kernel_zeroes(host->kernel);
	return wait_for_pins(host, pins, failure);
}

/* Memory that fails while it is zeroed turns bad, and what is pinned is left out; then
 * the plan is made anew without it: each time there is less, so this ends. */
static GPtrArray *carve(DaxcHost *host, const DaxcRequest *request, Pins *pins,
			GError **error)
{
	for (;;) {
		g_autoptr(GError) failure = NULL;
		g_autoptr(GPtrArray) makings = intend(host, request, pins, &failure);
		guint before = pins->denied->len;
		gboolean again;

		if (makings && make(host, request, makings, pins->denied, &failure))
			return carvings_of(makings);
		if (makings)
			again = undo(host, request->uuid, &failure) &&
				may_plan_again(host, pins, before, failure);
		else
			again = wait_for_pins(host, pins, failure);
		if (again)
			continue;
		say_pinned(pins, &failure);
		g_propagate_error(error, g_steal_pointer(&failure));
		return NULL;
	}
}

GPtrArray *daxc_host_carve(DaxcHost *host, const DaxcRequest *request, GError **error)
{
	g_autoptr(GArray) denied = g_array_new(FALSE, FALSE, sizeof(DaxcDenied));
	Pins pins = {.denied = denied};

	if (!daxc_request_check(request, error))
		return NULL;
	daxc_wait_begin_short(&pins.waiting, host);
	return carve(host, request, &pins, error);
}
