// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reservations, as planning sees them. */
#include "provision/provision.h"

#include <daxcolor/error.h>
#include <daxcolor/size.h>

static gboolean fits(const DaxcHost *host, const DaxcReservation *reservation)
{
	const DaxcCacheDomain *domain =
		daxc_geometry_for_node(host->geometry, reservation->node);

	return domain && domain->colors == reservation->of &&
	       domain->granule == reservation->granule;
}

gboolean daxc_check_reservations(const DaxcHost *host, const DaxcSnapshot *snapshot,
				 GError **error)
{
	for (guint i = 0; i < snapshot->reservations->len; i++) {
		const DaxcReservation *reservation =
			g_ptr_array_index(snapshot->reservations, i);
		g_autofree char *granule = NULL;

		if (fits(host, reservation))
			continue;
		granule = daxc_size_format(reservation->granule);
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			"tenant %s has reserved colors of node %d when it had %u of "
			"them, of %s granules; now it is another geometry, and they "
			"would be other memory: see `daxcolor regions`, then `daxcolor "
			"reserve %s --node %d` with its colors of today, or --drop",
			reservation->tenant, reservation->node, reservation->of, granule,
			reservation->tenant, reservation->node);
		return FALSE;
	}
	return TRUE;
}

gboolean daxc_use_reservations(const DaxcHost *host, DaxcLayout *layout,
			       const GPtrArray *reservations, GError **error)
{
	for (guint i = 0; i < reservations->len; i++) {
		const DaxcReservation *reservation = g_ptr_array_index(reservations, i);
		guint32 user = daxc_layout_tenant(layout, reservation->tenant);

		for (guint k = 0; fits(host, reservation) && k < reservation->colors->len;
		     k++) {
			guint32 color = g_array_index(reservation->colors, guint32, k);

			if (!daxc_layout_reserve(layout, reservation->node, color, user,
						 error))
				return FALSE;
		}
	}
	return TRUE;
}
