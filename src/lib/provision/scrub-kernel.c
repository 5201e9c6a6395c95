// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Scrubbing where the kernel zeroes by itself: it is asked to, and waited for. It
 * tells how many bytes of a region it has yet to zero, and of which colors granules
 * are free, not where they are: a granule is called clean when that leaves no doubt.
 */
#include "provision/provision.h"

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#define LOOK_US 50000
/* What nobody has pinned leaves quarantine by then. */
#define QUARANTINE_US ((gint64)G_USEC_PER_SEC / 2)

/* ---- which granules are clean ---- */

static guint64 bad_by_ledger(const DaxcSnapshot *snapshot, const DaxcRegion *region)
{
	guint64 size = 0;

	for (guint i = 0; i < snapshot->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, i);

		if (granule->state == DAXC_GRANULE_BAD &&
		    granule->start - region->start < region->size)
			size += granule->size;
	}
	return size;
}

/* Granules of @color that nobody holds, by the ledger. */
static guint64 count_free(const DaxcZone *zone, guint32 color)
{
	guint64 n = 0;

	for (guint32 i = 0; i < zone->n; i++)
		n += zone->color[i] == color && zone->user[i] == DAXC_USER_NONE;
	return n;
}

/**
 * find_certain:
 *
 * Of which colors the kernel has all granules free that the ledger calls so: none of
 * them is pinned, or bad without our knowledge.
 *
 * Returns: (transfer full): one byte for each color
 */
static guint8 *find_certain(const DaxcSnapshot *snapshot, const DaxcLayout *layout,
			    const DaxcZone *zone, const DaxcRegion *region)
{
	guint32 colors = daxc_layout_domain(layout, zone->domain)->colors;
	guint8 *certain = g_new0(guint8, colors);
	gboolean counted = FALSE;

	for (guint i = 0; i < snapshot->owned_colors->len; i++) {
		const DaxcOwnedColor *owned =
			&g_array_index(snapshot->owned_colors, DaxcOwnedColor, i);

		if (owned->region != zone->region || owned->color.color >= colors)
			continue;
		counted = TRUE;
		certain[owned->color.color] = count_free(zone, owned->color.color) <=
					      owned->color.free;
	}
	for (guint32 i = 0; !counted && i < colors; i++)
		certain[i] = region->quarantined == 0 &&
			     region->bad <= bad_by_ledger(snapshot, region);
	return certain;
}

static gboolean mark_zone(DaxcHost *host, const DaxcSnapshot *snapshot,
			  const DaxcZone *zone, const guint8 *certain, guint64 *cleaned,
			  GError **error)
{
	for (guint32 i = 0; i < zone->n; i++) {
		if (!daxc_snapshot_is_dirty(snapshot, zone, i) ||
		    !certain[zone->color[i]])
			continue;
		if (!daxc_ledger_mark(host->ledger, zone->start + i * zone->granule,
				      zone->granule, DAXC_GRANULE_CLEAN, error))
			return FALSE;
		*cleaned += zone->granule;
	}
	return TRUE;
}

static const DaxcRegion *find_region(const DaxcSnapshot *snapshot, guint id)
{
	for (guint i = 0; i < snapshot->regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(snapshot->regions, i);

		if (region->id == id)
			return region;
	}
	return NULL;
}

/* In a transaction. */
static gboolean mark_clean(DaxcHost *host, const DaxcSnapshot *snapshot, guint64 *cleaned,
			   GError **error)
{
	g_autoptr(DaxcLayout) layout = daxc_snapshot_layout(host, snapshot, NULL, error);

	for (guint i = 0; layout && i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);
		const DaxcRegion *region = find_region(snapshot, zone->region);
		g_autofree guint8 *certain = NULL;

		if (!region || region->dirty > 0 || region->zeroing > 0)
			continue;
		certain = find_certain(snapshot, layout, zone, region);
		if (!mark_zone(host, snapshot, zone, certain, cleaned, error))
			return FALSE;
	}
	return layout != NULL;
}

static gboolean record_clean(DaxcHost *host, DaxcScrub *scrub, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_begin_recovered(host, NULL, error);
	guint64 cleaned = 0;

	if (snapshot && mark_clean(host, snapshot, &cleaned, error) &&
	    daxc_ledger_commit(host->ledger, error)) {
		scrub->cleaned = cleaned;
		return TRUE;
	}
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}

/* ---- waiting for the kernel ---- */

/* Has every region zeroed that is dirty. @left: bytes that are yet to be zeroed; @pinned:
 * those that may have to be, when they come free. */
static gboolean ask(DaxcHost *host, guint64 *left, guint64 *pinned, GError **error)
{
	g_autoptr(GPtrArray) regions = daxc_kernel_regions(host->kernel, error);

	*left = 0;
	*pinned = regions ? daxc_pinned(regions) : 0;
	for (guint i = 0; regions && i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		if (region->dirty > 0 &&
		    !daxc_kernel_scrub(host->kernel, region->id, error))
			return FALSE;
		*left += region->dirty + region->zeroing;
	}
	return regions != NULL;
}

static gboolean goes_on(DaxcScrub *scrub, guint64 left, guint64 total)
{
	if (scrub->progress && !scrub->progress(total - left, total, scrub->data))
		scrub->stopped = TRUE;
	return !scrub->stopped;
}

gboolean daxc_scrub_by_kernel(DaxcHost *host, DaxcScrub *scrub, GError **error)
{
	gint64 busy = g_get_monotonic_time(), now = busy;
	guint64 left, pinned, total = 0;

	do {
		if (!ask(host, &left, &pinned, error))
			return FALSE;
		/* Guests that end meanwhile leave more. */
		total = MAX(total, left);
		now = g_get_monotonic_time();
		if (left > 0)
			busy = now;
		else if (pinned == 0 || now - busy > QUARANTINE_US)
			break;
		g_usleep(LOOK_US);
	} while (goes_on(scrub, left, total));
	return record_clean(host, scrub, error);
}
