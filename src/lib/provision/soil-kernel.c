// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the ledger calls clean, and a kernel that zeroes by itself has forgotten. */
#include "provision/provision.h"

static gboolean soil_region(DaxcHost *host, const DaxcSnapshot *snapshot,
			    const DaxcRegion *region, gboolean apply, guint64 *clean,
			    GError **error)
{
	*clean = 0;
	for (guint i = 0; i < snapshot->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(snapshot->granules, DaxcLedgerGranule, i);

		if (granule->state != DAXC_GRANULE_CLEAN || granule->carving != 0 ||
		    granule->start - region->start >= region->size)
			continue;
		*clean += granule->size;
		if (apply && !daxc_ledger_mark(host->ledger, granule->start,
					       granule->size, DAXC_GRANULE_DIRTY, error))
			return FALSE;
	}
	return TRUE;
}

gboolean daxc_soil_by_kernel(DaxcHost *host, const DaxcSnapshot *snapshot,
			     GPtrArray *report, GError **error)
{
	for (guint i = 0; i < snapshot->regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(snapshot->regions, i);
		guint64 clean;

		if (!region->accounted)
			continue;
		if (!soil_region(host, snapshot, region, FALSE, &clean, error))
			return FALSE;
		if (clean <= region->available - region->dirty - region->zeroing)
			continue;
		if (!soil_region(host, snapshot, region, TRUE, &clean, error))
			return FALSE;
		daxc_report(report,
			    "the kernel has yet to zero memory of region %u that was "
			    "clean (was its driver loaded again?): all that is free "
			    "there counts as dirty",
			    region->id);
	}
	return TRUE;
}
