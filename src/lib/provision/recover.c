// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Recovering: brings ledger and kernel together, whatever was interrupted.
 *
 * A record that is not ACTIVE and whose maker is dead is undone, and an ACTIVE
 * one without its instance too. Undoing is destroying: there is one way back, and
 * it ends with dirty granules. What the kernel has and no record explains is left
 * alone: it keeps its granules and their colors from everybody.
 */
#include "provision/provision.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/lend.h>
#include <daxcolor/size.h>

#include "adapters/holders.h"

/* What a process that has host devices may still reach by DMA, though it has neither
 * open nor mapped what it was given: mainline waits for no pins. */
static gboolean check_dma(const DaxcHost *host, const DaxcCarving *carving,
			  GError **error)
{
	static const char *const vfio[] = {"/dev/vfio/", "anon_inode:[vfio", "/dev/iommu",
					   "anon_inode:[iommufd", NULL};
	g_autoptr(GPtrArray) holders = NULL;

	if (host->described || daxc_kernel_minds_pins(host->kernel) ||
	    carving->state == DAXC_CARVING_SCRUBBING ||
	    !g_file_test("/dev/vfio", G_FILE_TEST_EXISTS))
		return TRUE;
	holders = daxc_guest_holders(carving->uuid, vfio, error);
	if (!holders || holders->len == 0)
		return holders != NULL;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "its process %s still has host devices (VFIO), which may reach the "
		    "memory; end that first",
		    (const char *)g_ptr_array_index(holders, 0));
	return FALSE;
}

gboolean daxc_take_back(DaxcHost *host, const DaxcCarving *carving,
			const DaxcInstance *instance, GError **error)
{
	if (instance &&
	    (!check_dma(host, carving, error) ||
	     !daxc_kernel_destroy(host->kernel, instance->name, carving->uuid, error))) {
		g_autofree char *who = daxc_carving_describe(carving);

		g_prefix_error(error, "%s: ", who);
		return FALSE;
	}
	return daxc_ledger_remove(host->ledger, carving->id, DAXC_GRANULE_DIRTY, error);
}

/* An instance between its creation and its first extent cannot be told from
 * one that an administrator is just making; it holds nothing, and is only
 * looked for where @carving was left half made. Of one that was whole and that
 * somebody has emptied, the name is known. */
static gboolean sweep_empty(DaxcHost *host, const DaxcSnapshot *snapshot,
			    const DaxcCarving *carving, GPtrArray *report, GError **error)
{
	const char *only = carving->state == DAXC_CARVING_ACTIVE ? carving->instance
								 : NULL;
	guint region = carving->plan->region;

	for (guint i = 0; i < snapshot->unknown->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(snapshot->unknown, i);

		if (instance->region != region || instance->size != 0 ||
		    instance->driver || instance->seed ||
		    (only && strcmp(only, instance->name) != 0) ||
		    daxc_is_being_filled(snapshot, instance->name, carving->uuid))
			continue;
		if (!daxc_kernel_destroy(host->kernel, instance->name, NULL, error))
			return FALSE;
		daxc_report(report, "%s: empty, left by a carving: deleted",
			    instance->name);
	}
	return TRUE;
}

/* Undoing what has no instance yet: the kernel may have failed to delete an empty one,
 * and nobody would look for that once the record is gone. */
static gboolean sweep_unfinished(DaxcHost *host, const DaxcCarving *carving,
				 GError **error)
{
	g_autoptr(DaxcSnapshot) now = NULL;

	/* It had memory when its name was recorded, but where that takes time. */
	if (carving->instance && !daxc_kernel_zeroes(host->kernel))
		return TRUE;
	now = daxc_snapshot_new(host, error);
	return now && sweep_empty(host, now, carving, NULL, error);
}

/* It is there, but another kernel driver's: what we look at says nothing of it, and a
 * guest may well be running on it. */
static gboolean is_elsewhere(DaxcHost *host, const DaxcCarving *carving)
{
	return carving->instance &&
	       daxc_kernel_is_elsewhere(host->kernel, carving->instance);
}

static gboolean refuse_elsewhere(DaxcHost *host, const DaxcCarving *carving,
				 GError **error)
{
	g_autofree char *who = daxc_carving_describe(carving);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "%s: its instance %s is not %s's: see kernel = in daxcolor.conf, and "
		    "`daxcolor doctor`",
		    who, carving->instance, daxc_kernel_name(host->kernel));
	return FALSE;
}

gboolean daxc_take_back_seen(DaxcHost *host, const DaxcCarving *carving, const char *name,
			     GError **error)
{
	g_autoptr(DaxcInstance) instance = NULL;
	g_autofree char *who = NULL;

	if (!name && is_elsewhere(host, carving))
		return refuse_elsewhere(host, carving, error);
	if (!name)
		return sweep_unfinished(host, carving, error) &&
		       daxc_take_back(host, carving, NULL, error);
	instance = daxc_kernel_instance(host->kernel, name, error);
	if (!instance)
		return FALSE;
	if (daxc_carving_matches(carving, instance))
		return daxc_take_back(host, carving, instance, error);
	who = daxc_carving_describe(carving);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "%s: somebody else is changing %s: try again", who, name);
	return FALSE;
}

/* The ranges are what counts; a driver that was loaded again gives other names. */
static gboolean follow_name(DaxcHost *host, DaxcCarving *carving,
			    const DaxcInstance *instance, GPtrArray *report,
			    GError **error)
{
	if (strcmp(carving->instance, instance->name) == 0)
		return TRUE;
	daxc_report(report, "guest %s cell %u: %s is named %s now", carving->name,
		    carving->plan->cell, carving->instance, instance->name);
	g_free(carving->instance);
	carving->instance = g_strdup(instance->name);
	return daxc_ledger_update(host->ledger, carving, error);
}

/* What somebody took from a guest has been in unknown hands. */
static gboolean forget_tenant(DaxcHost *host, DaxcCarving *carving, GError **error)
{
	carving->zeroed = FALSE;
	return daxc_ledger_update(host->ledger, carving, error);
}

static gboolean undo_record(DaxcHost *host, const DaxcSnapshot *snapshot, guint index,
			    GPtrArray *report, GError **error)
{
	DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, index);
	const DaxcInstance *instance = g_ptr_array_index(snapshot->found, index);
	g_autofree char *who = daxc_carving_describe(carving);
	g_autoptr(GError) stuck = NULL;

	if (!instance && !forget_tenant(host, carving, error))
		return FALSE;
	if (daxc_take_back(host, carving, instance, &stuck)) {
		daxc_report(report, "%s: %s carving %s: taken back", who,
			    daxc_carving_state_name(carving->state),
			    instance ? "was interrupted" : "has no instance any more");
		daxc_run_nudge_scrubber(host);
		return instance || sweep_empty(host, snapshot, carving, report, error);
	}
	if (g_error_matches(stuck, DAXC_ERROR, DAXC_ERROR_LEDGER)) {
		g_propagate_error(error, g_steal_pointer(&stuck));
		return FALSE;
	}
	/* It keeps its granules and so harms nobody: others must go on. */
	daxc_report(report, "%s; it stays %s", stuck->message,
		    daxc_carving_state_name(carving->state));
	return TRUE;
}

/* What a lender, or one who took back, has left half done, and the host has, is lent. */
static gboolean recover_lent(DaxcHost *host, DaxcCarving *carving,
			     const DaxcInstance *instance, GPtrArray *report,
			     GError **error)
{
	g_autofree char *who = daxc_carving_describe(carving);

	carving->state = DAXC_CARVING_ACTIVE;
	g_free(carving->instance);
	carving->instance = g_strdup(instance->name);
	daxc_report(report, "%s: was interrupted: the host has it", who);
	return daxc_ledger_update(host->ledger, carving, error);
}

static gboolean recover_one(DaxcHost *host, const DaxcSnapshot *snapshot, guint index,
			    GPtrArray *report, GError **error)
{
	DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, index);
	const DaxcInstance *instance = g_ptr_array_index(snapshot->found, index);
	gboolean lent = daxc_carving_is_lent(carving);
	/* What the host gives back is not lent any more, whoever asked for it. */
	gboolean kept = instance && (!lent || daxc_kernel_is_lent(instance));

	if (carving->state == DAXC_CARVING_ACTIVE && kept)
		return follow_name(host, carving, instance, report, error);
	if (carving->state != DAXC_CARVING_ACTIVE && daxc_maker_lives(carving))
		return TRUE;
	if (kept && lent)
		return recover_lent(host, carving, instance, report, error);
	if (!instance && is_elsewhere(host, carving))
		return TRUE;
	return undo_record(host, snapshot, index, report, error);
}

/* A backup that was put in place knows what was clean then, not what is. */
static gboolean check_serial(DaxcHost *host, GPtrArray *report, GError **error)
{
	guint64 noted, serial;

	if (!daxc_ledger_serial(host->ledger, &serial, error))
		return FALSE;
	if (daxc_run_read_serial(host, &noted) && noted <= serial)
		return TRUE;
	noted = MAX(noted, serial) + 1;
	if (!daxc_ledger_soil(host->ledger, error) ||
	    !daxc_ledger_set_serial(host->ledger, noted, error) ||
	    !daxc_run_write_serial(host, noted, error))
		return FALSE;
	daxc_report(report, "the ledger is older than what this host has done since it "
			    "booted (a backup?): all free memory counts as dirty");
	return TRUE;
}

/* Somebody else's instance may write to what was clean. */
static gboolean soil_foreign(DaxcHost *host, const DaxcSnapshot *snapshot,
			     const DaxcInstance *foreign, GPtrArray *report,
			     GError **error)
{
	for (guint i = 0; i < snapshot->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, i);
		g_autofree char *range = NULL;

		if (granule->state != DAXC_GRANULE_CLEAN || granule->carving != 0 ||
		    !daxc_instance_touches(foreign, granule->start, granule->size))
			continue;
		if (!daxc_ledger_mark(host->ledger, granule->start, granule->size,
				      DAXC_GRANULE_DIRTY, error))
			return FALSE;
		range = daxc_range_format(granule->start, granule->size);
		daxc_report(report,
			    "%s, which daxcolor did not make, has %s: dirty from now on",
			    foreign->name, range);
	}
	return TRUE;
}

static gboolean soil_unknown(DaxcHost *host, const DaxcSnapshot *snapshot,
			     GPtrArray *report, GError **error)
{
	for (guint i = 0; i < snapshot->unknown->len; i++) {
		if (!soil_foreign(host, snapshot, g_ptr_array_index(snapshot->unknown, i),
				  report, error))
			return FALSE;
	}
	return TRUE;
}

/* In a transaction. Returns: (transfer full): how all was before, which is how it is
 * if nothing is reported. */
static DaxcSnapshot *recover(DaxcHost *host, GPtrArray *report, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = NULL;
	gint forgotten;

	if (!daxc_ledger_boot(host->ledger, host->boot_id, &forgotten, error) ||
	    !check_serial(host, report, error))
		return NULL;
	snapshot = daxc_snapshot_new(host, error);
	if (!snapshot)
		return NULL;
	if (forgotten >= 0)
		daxc_sweep_nodes(host, snapshot, report);
	if (forgotten > 0)
		daxc_report(report,
			    "the host has booted: %d carving%s of guests that ran before "
			    "forgotten, and all memory counts as dirty",
			    forgotten, forgotten == 1 ? "" : "s");
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		if (!recover_one(host, snapshot, i, report, error))
			return NULL;
	}
	if (!soil_unknown(host, snapshot, report, error) ||
	    !daxc_soil_by_kernel(host, snapshot, report, error) ||
	    !daxc_mark_failures(host, snapshot, FALSE, report, error))
		return NULL;
	return g_steal_pointer(&snapshot);
}

/* What was done is committed; between that and the next transaction others have
 * their turn, so everything is looked at again. */
static DaxcSnapshot *begin_again(DaxcHost *host, GError **error)
{
	if (!daxc_ledger_commit(host->ledger, error) ||
	    !daxc_ledger_begin(host->ledger, error))
		return NULL;
	return daxc_snapshot_new(host, error);
}

DaxcSnapshot *daxc_begin_recovered(DaxcHost *host, GPtrArray *report, GError **error)
{
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) snapshot = NULL;

	if (!daxc_ledger_begin(host->ledger, error))
		return NULL;
	snapshot = recover(host, done, error);
	if (report)
		g_ptr_array_extend(report, done, (GCopyFunc)(void *)g_strdup, NULL);
	if (snapshot && done->len > 0) {
		daxc_snapshot_free(snapshot);
		snapshot = begin_again(host, error);
	}
	if (snapshot)
		return g_steal_pointer(&snapshot);
	daxc_ledger_rollback(host->ledger);
	return NULL;
}

/* While nothing is held yet, all of it can be told. */
static void tell_geometry(DaxcHost *host, const DaxcSnapshot *snapshot, GPtrArray *report)
{
	for (guint i = 0; i < snapshot->regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(snapshot->regions, i);
		g_autoptr(GError) failure = NULL;

		if (!daxc_tell_geometry(host, region->id, region->node, &failure))
			daxc_report(report, "%s", failure->message);
	}
}

/* A guest's own that was carved before the kernel knew claims, or that somebody has
 * given back for it. */
static void claim_again(DaxcHost *host, const DaxcCarving *carving,
			const DaxcInstance *instance, GPtrArray *report)
{
	const char *const names[] = {instance->name, NULL};
	g_autofree char *who = daxc_carving_describe(carving);
	g_autoptr(GError) failure = NULL;

	/* By another: that is for the audit to find. */
	if (instance->claimant)
		return;
	if (daxc_kernel_claim(host->kernel, names, carving->uuid, FALSE, &failure))
		daxc_report(report, "%s: %s was not claimed for it: claimed", who,
			    instance->name);
	else
		daxc_report(report, "%s: %s is not claimed for it: %s", who,
			    instance->name, failure->message);
}

static void claim_carvings(DaxcHost *host, const DaxcSnapshot *snapshot,
			   GPtrArray *report)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);
		const DaxcInstance *instance = g_ptr_array_index(snapshot->found, i);

		if (instance && carving->state == DAXC_CARVING_ACTIVE &&
		    !daxc_carving_is_lent(carving))
			claim_again(host, carving, instance, report);
	}
}

/* A claim outlives its maker. Where neither a carving explains the instance nor a
 * process has it, whoever claimed it is gone; its memory stays, and its colors. */
static void end_stale_claim(DaxcHost *host, const DaxcInstance *instance,
			    GPtrArray *report)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(GPtrArray)
		holders = daxc_kernel_holders(host->kernel, instance->name, &failure);

	if (holders && holders->len > 0)
		return;
	if (holders && daxc_kernel_unclaim(host->kernel, instance, &failure))
		daxc_report(report,
			    "%s: no carving explains it, and nobody has it open: the "
			    "claim of %s is ended",
			    instance->name, instance->claimant);
	else
		daxc_report(report, "%s: %s", instance->name, failure->message);
}

static void end_stale_claims(DaxcHost *host, const DaxcSnapshot *snapshot,
			     GPtrArray *report)
{
	for (guint i = 0; i < snapshot->unknown->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(snapshot->unknown, i);

		if (instance->claimant)
			end_stale_claim(host, instance, report);
	}
}

/* What is looked for only when somebody asks for it. */
static gboolean recover_more(DaxcHost *host, const DaxcSnapshot *snapshot,
			     gboolean booted, GPtrArray *report, GError **error)
{
	daxc_sweep_nodes(host, snapshot, report);
	if (daxc_kernel_knows_claims(host->kernel)) {
		claim_carvings(host, snapshot, report);
		end_stale_claims(host, snapshot, report);
	}
	if (!daxc_mark_failures(host, snapshot, TRUE, report, error) ||
	    !daxc_ledger_commit(host->ledger, error))
		return FALSE;
	if (!booted)
		return TRUE;
	tell_geometry(host, snapshot, report);
	daxc_run_nudge_scrubber(host);
	return daxc_check_reservations(host, snapshot, error);
}

gboolean daxc_host_recover(DaxcHost *host, gboolean booted, GPtrArray **report,
			   GError **error)
{
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) snapshot = daxc_begin_recovered(host, done, error);

	if (!snapshot)
		return FALSE;
	if (!recover_more(host, snapshot, booted, done, error)) {
		daxc_ledger_rollback(host->ledger);
		return FALSE;
	}
	if (report)
		*report = g_steal_pointer(&done);
	return TRUE;
}
