// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Scrubbing: zeroing free memory before anybody waits for it, where the kernel does
 * not do it by itself.
 *
 *   SCRUBBING committed -> kernel carves -> zeroed, granule by granule, each clean
 *   from then on -> kernel destroys -> row removed
 *
 * A batch at a time, so that a guest which needs the memory gets it soon, and so
 * that little is done twice when we are killed.
 */
#include "provision/provision.h"

#include <string.h>

#include <daxcolor/error.h>

/* Making and destroying an instance costs what zeroing some hundred MiB does. */
#define BATCH_SIZE (G_GUINT64_CONSTANT(8) << 30)
#define BATCH_EXTENTS 64
/* Of small granules, many are cleaned for one commit. */
#define COMMIT_EVERY_US 250000

/**
 * Scrubber: one call.
 * @base: bytes that were done before the range in hand
 * @total: bytes that were dirty when it began
 * @clean: (element-type guint64): starts of granules that the ledger does not know
 *   to be clean yet
 */
typedef struct {
	DaxcHost *host;
	DaxcScrub *scrub;
	guint64 base;
	guint64 total;
	GArray *clean;
	gint64 committed;
} Scrubber;

static gboolean proceed(guint64 done, gpointer data)
{
	Scrubber *scrubber = data;
	DaxcScrub *scrub = scrubber->scrub;
	guint64 all = scrubber->base + done;

	if (!scrub->stopped && scrub->progress &&
	    !scrub->progress(all, MAX(all, scrubber->total), scrub->data))
		scrub->stopped = TRUE;
	return !scrub->stopped;
}

static guint64 count_dirty(const DaxcLayout *layout, const DaxcSnapshot *snapshot)
{
	guint64 size = 0;

	for (guint i = 0; i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);

		for (guint32 j = 0; j < zone->n; j++)
			size += daxc_snapshot_is_dirty(snapshot, zone, j) ? zone->granule
									  : 0;
	}
	return size;
}

static void add_granule(DaxcCellPlan *plan, const DaxcZone *zone, guint32 i)
{
	DaxcGranule granule = {zone->start + i * zone->granule, zone->color[i]};
	DaxcExtent extent = {granule.start, zone->granule};
	DaxcExtent *last = plan->extents->len ? &g_array_index(plan->extents, DaxcExtent,
							       plan->extents->len - 1)
					      : NULL;

	g_array_append_val(plan->granules, granule);
	plan->size += zone->granule;
	if (last && last->start + last->size == extent.start)
		last->size += extent.size;
	else
		g_array_append_val(plan->extents, extent);
}

/* Returns: (transfer full) (nullable): the next dirty granules of one region. */
static DaxcCellPlan *next_batch(const DaxcLayout *layout, const DaxcSnapshot *snapshot)
{
	for (guint i = 0; i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);
		g_autoptr(DaxcCellPlan) plan = daxc_cell_plan_new();

		plan->region = zone->region;
		plan->node = zone->node;
		plan->granule = zone->granule;
		plan->align = zone->granule == DAXC_GRANULE_MAX ? DAXC_GRANULE_MAX
								: DAXC_GRANULE_MIN;
		for (guint32 j = 0; j < zone->n && plan->size < BATCH_SIZE &&
				    plan->extents->len < BATCH_EXTENTS;
		     j++) {
			if (daxc_snapshot_is_dirty(snapshot, zone, j))
				add_granule(plan, zone, j);
		}
		if (plan->size > 0)
			return g_steal_pointer(&plan);
	}
	return NULL;
}

static DaxcCarving *scrubbing_new(const DaxcHost *host, DaxcCellPlan *plan)
{
	DaxcCarving *carving = g_new0(DaxcCarving, 1);

	carving->uuid = g_uuid_string_random();
	carving->name = g_strdup("scrub");
	carving->tenant = g_strdup("scrub");
	carving->state = DAXC_CARVING_SCRUBBING;
	carving->plan = plan;
	daxc_sign(host, carving);
	return carving;
}

/* Records the next batch. NULL without an error: there is none. */
static DaxcCarving *intend(Scrubber *scrubber, GError **error)
{
	DaxcHost *host = scrubber->host;
	g_autoptr(DaxcSnapshot) snapshot = daxc_begin_recovered(host, NULL, error);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(DaxcCarving) carving = NULL;
	DaxcCellPlan *plan;

	if (!snapshot)
		return NULL;
	layout = daxc_snapshot_layout(host, snapshot, NULL, error);
	plan = layout ? next_batch(layout, snapshot) : NULL;
	if (plan) {
		scrubber->total = scrubber->base + count_dirty(layout, snapshot);
		carving = scrubbing_new(host, plan);
		if (daxc_ledger_insert(host->ledger, carving, error) &&
		    daxc_ledger_commit(host->ledger, error))
			return g_steal_pointer(&carving);
	}
	daxc_ledger_rollback(host->ledger);
	return NULL;
}

static gboolean make(DaxcHost *host, DaxcCarving *carving, GError **error)
{
	const DaxcKernelCarving asked = daxc_kernel_carving(carving);

	return daxc_ledger_begin(host->ledger, error) &&
	       daxc_kernel_carve(host->kernel, &asked, &carving->instance, error) &&
	       daxc_ledger_update(host->ledger, carving, error) &&
	       daxc_ledger_commit(host->ledger, error);
}

/* In a transaction. */
static gboolean record_clean(Scrubber *scrubber, const DaxcCarving *carving,
			     GError **error)
{
	for (guint i = 0; i < scrubber->clean->len; i++) {
		if (!daxc_ledger_cleaned(scrubber->host->ledger, carving->id,
					 g_array_index(scrubber->clean, guint64, i),
					 error))
			return FALSE;
	}
	return TRUE;
}

static gboolean commit_clean(Scrubber *scrubber, const DaxcCarving *carving,
			     GError **error)
{
	DaxcLedger *ledger = scrubber->host->ledger;

	if (!daxc_ledger_begin(ledger, error))
		return FALSE;
	if (!record_clean(scrubber, carving, error) ||
	    !daxc_ledger_commit(ledger, error)) {
		daxc_ledger_rollback(ledger);
		return FALSE;
	}
	g_array_set_size(scrubber->clean, 0);
	scrubber->committed = g_get_monotonic_time();
	return TRUE;
}

static gboolean note_failure(Scrubber *scrubber, const DaxcCarving *carving,
			     guint64 address, GError **error)
{
	DaxcLedger *ledger = scrubber->host->ledger;

	if (daxc_ledger_begin(ledger, error) &&
	    daxc_mark_bad(scrubber->host, carving, address, error) &&
	    daxc_ledger_commit(ledger, error)) {
		scrubber->scrub->bad++;
		return TRUE;
	}
	daxc_ledger_rollback(ledger);
	return FALSE;
}

static gboolean zero_granule(Scrubber *scrubber, const DaxcCarving *carving, guint index,
			     GError **error)
{
	const DaxcCellPlan *plan = carving->plan;
	guint64 start = g_array_index(plan->granules, DaxcGranule, index).start;
	const DaxcExtent range = {index * plan->granule, plan->granule};
	g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	g_autoptr(GError) failure = NULL;
	const DaxcScrubOptions options = {
		.rate = scrubber->scrub->rate ? scrubber->scrub->rate
					      : scrubber->host->config->zero_rate,
		.proceed = proceed,
		.data = scrubber,
	};
	guint64 bad = 0;

	g_array_append_val(ranges, range);
	if (daxc_zero_ranges(scrubber->host, carving, ranges, &options, &bad, &failure)) {
		scrubber->scrub->cleaned += plan->granule;
		g_array_append_val(scrubber->clean, start);
	} else if (g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_MEMORY)) {
		if (!note_failure(scrubber, carving, bad, error))
			return FALSE;
	} else if (!g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_CANCELED)) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	scrubber->base += plan->granule;
	return TRUE;
}

static gboolean zero(Scrubber *scrubber, const DaxcCarving *carving, GError **error)
{
	scrubber->committed = g_get_monotonic_time();
	for (guint i = 0; i < carving->plan->granules->len; i++) {
		gint64 now = g_get_monotonic_time();

		if (!proceed(0, scrubber))
			break;
		if (!zero_granule(scrubber, carving, i, error))
			return FALSE;
		if (now - scrubber->committed >= COMMIT_EVERY_US &&
		    !commit_clean(scrubber, carving, error))
			return FALSE;
	}
	return TRUE;
}

/* Gives everything back, whatever became of it. */
static gboolean finish(Scrubber *scrubber, const DaxcCarving *carving, GError **error)
{
	DaxcLedger *ledger = scrubber->host->ledger;

	daxc_ledger_rollback(ledger);
	if (daxc_ledger_begin(ledger, error) && record_clean(scrubber, carving, error) &&
	    daxc_take_back_seen(scrubber->host, carving, carving->instance, error) &&
	    daxc_ledger_commit(ledger, error)) {
		g_array_set_size(scrubber->clean, 0);
		return TRUE;
	}
	daxc_ledger_rollback(ledger);
	return FALSE;
}

static gboolean scrub_batch(Scrubber *scrubber, DaxcCarving *carving, GError **error)
{
	g_autoptr(GError) failure = NULL;
	gboolean ok = make(scrubber->host, carving, error) &&
		      zero(scrubber, carving, error);

	if (finish(scrubber, carving, &failure))
		return ok;
	if (ok)
		g_propagate_error(error, g_steal_pointer(&failure));
	else
		g_prefix_error(error,
			       "(undoing was not possible yet: %s; `daxcolor recover` "
			       "tries again) ",
			       failure->message);
	return FALSE;
}

/* What the kernel has logged is bad before it is zeroed and called clean. */
static gboolean mark_logged(DaxcHost *host, GError **error)
{
	g_autoptr(GPtrArray) report = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcSnapshot) snapshot = daxc_begin_recovered(host, report, error);

	if (snapshot && daxc_mark_failures(host, snapshot, TRUE, report, error) &&
	    daxc_ledger_commit(host->ledger, error))
		return TRUE;
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}

gboolean daxc_host_scrub(DaxcHost *host, DaxcScrub *scrub, GError **error)
{
	g_autoptr(GArray) clean = g_array_new(FALSE, FALSE, sizeof(guint64));
	Scrubber scrubber = {.host = host, .scrub = scrub, .clean = clean};

	scrub->cleaned = 0;
	scrub->bad = 0;
	scrub->stopped = FALSE;
	if (!mark_logged(host, error))
		return FALSE;
	if (daxc_kernel_zeroes(host->kernel))
		return daxc_scrub_by_kernel(host, scrub, error);
	while (!scrub->stopped) {
		g_autoptr(GError) failure = NULL;
		g_autoptr(DaxcCarving) carving = intend(&scrubber, &failure);

		if (failure) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return FALSE;
		}
		if (!carving)
			break;
		if (!scrub_batch(&scrubber, carving, error))
			return FALSE;
	}
	return TRUE;
}
