// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory that failed: found while zeroing, listed by the administrator, or logged
 * by the kernel. Its granule turns bad, for good; nothing else does.
 */
#include "provision/provision.h"

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/kmsg.h"

/* One granule, that of an address in it. */
static gboolean mark_granule(DaxcHost *host, const DaxcSnapshot *snapshot, guint64 start,
			     guint64 size, const char *why, GPtrArray *report,
			     GError **error)
{
	const DaxcLedgerGranule *known = daxc_snapshot_granule(snapshot, start, size);
	g_autofree char *range = NULL;

	if (known && known->state == DAXC_GRANULE_BAD)
		return TRUE;
	range = daxc_range_format(start, size);
	if (!daxc_ledger_mark(host->ledger, start, size, DAXC_GRANULE_BAD, error)) {
		g_prefix_error(error, "cannot turn %s bad: ", range);
		return FALSE;
	}
	daxc_report(report, "granule %s is bad from now on: %s%s", range, why,
		    known && known->carving
			    ? "; a guest has it, and should be moved or restarted"
			    : "");
	return TRUE;
}

static gboolean mark_range(DaxcHost *host, const DaxcSnapshot *snapshot,
			   const DaxcLayout *layout, const DaxcExtent *bad,
			   const char *why, GPtrArray *report, GError **error)
{
	for (guint i = 0; i < daxc_layout_zones(layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(layout, i);
		guint64 end = zone->start + zone->n * zone->granule;
		guint64 from = MAX(bad->start, zone->start);
		guint64 to = MIN(bad->start + bad->size, end);

		from -= from % zone->granule;
		for (; from < to; from += zone->granule) {
			if (!mark_granule(host, snapshot, from, zone->granule, why,
					  report, error))
				return FALSE;
		}
	}
	return TRUE;
}

static gboolean mark_listed(DaxcHost *host, const DaxcSnapshot *snapshot,
			    const DaxcLayout *layout, GPtrArray *report, GError **error)
{
	for (guint i = 0; i < host->config->bad->len; i++) {
		const DaxcExtent *bad = &g_array_index(host->config->bad, DaxcExtent, i);

		if (!mark_range(host, snapshot, layout, bad, "the configuration says so",
				report, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean mark_logged(DaxcHost *host, const DaxcSnapshot *snapshot,
			    const DaxcLayout *layout, GPtrArray *report, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(GArray) pages = daxc_kmsg_failures("/dev/kmsg", &failure);

	/* In a container, say: whatever else is to be done must go on. */
	if (!pages)
		g_warning("%s", failure->message);
	for (guint i = 0; pages && i < pages->len; i++) {
		const DaxcExtent page = {g_array_index(pages, guint64, i), 1};
		g_autofree char *why =
			g_strdup_printf("the kernel logged that its page at "
					"0x%" G_GINT64_MODIFIER "x failed",
					page.start);

		if (!mark_range(host, snapshot, layout, &page, why, report, error))
			return FALSE;
	}
	return TRUE;
}

gboolean daxc_mark_failures(DaxcHost *host, const DaxcSnapshot *snapshot, gboolean log,
			    GPtrArray *report, GError **error)
{
	g_autoptr(DaxcLayout) layout = NULL;

	/* The log is this machine's. */
	log = log && !host->described;
	if (host->config->bad->len == 0 && !log)
		return TRUE;
	layout = daxc_layout_new(host->geometry, snapshot->regions);
	return mark_listed(host, snapshot, layout, report, error) &&
	       (!log || mark_logged(host, snapshot, layout, report, error));
}

gboolean daxc_mark_bad(DaxcHost *host, const DaxcCarving *carving, guint64 address,
		       GError **error)
{
	const DaxcCellPlan *plan = carving->plan;
	guint64 start = address - address % plan->granule;
	g_autofree char *range = daxc_range_format(start, plan->granule);

	if (!daxc_ledger_mark(host->ledger, start, plan->granule, DAXC_GRANULE_BAD,
			      error))
		return FALSE;
	daxc_report(NULL,
		    "granule %s is bad from now on: its memory at "
		    "0x%" G_GINT64_MODIFIER "x failed while it was zeroed",
		    range, address);
	return TRUE;
}
