// SPDX-License-Identifier: LGPL-2.1-or-later
/* Colors that tenants keep while they hold no memory, also over a reboot. */
#include "provision/provision.h"

#include <daxcolor/error.h>

#include "core/owner.h"

GPtrArray *daxc_host_reservations(DaxcHost *host, GError **error)
{
	return daxc_ledger_reservations(host->ledger, error);
}

static gboolean check_owners(DaxcHost *host, GError **error)
{
	if (daxc_check_apart(host, error))
		return TRUE;
	g_prefix_error(error, "cannot be reserved: ");
	return FALSE;
}

static const DaxcLayoutDomain *domain_of_node(const DaxcLayout *layout, gint node)
{
	for (guint i = 0; i < daxc_layout_domains(layout); i++) {
		const DaxcLayoutDomain *domain = daxc_layout_domain(layout, i);

		if (domain->node == node)
			return domain;
	}
	return NULL;
}

static void take_colors(const DaxcLayoutDomain *domain, guint32 owner, guint count,
			GArray *colors)
{
	for (guint32 c = 0; c < domain->colors && colors->len < count; c++) {
		if (domain->owner[c] == owner)
			g_array_append_val(colors, c);
	}
}

static gint compare_colors(gconstpointer a, gconstpointer b)
{
	guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

	return (one > other) - (one < other);
}

/* In a transaction: @count colors, those that the tenant has before free ones. */
static gboolean choose(DaxcHost *host, const DaxcSnapshot *snapshot, guint count,
		       DaxcReservation *reservation, GError **error)
{
	g_autoptr(DaxcLayout) layout = daxc_snapshot_layout(host, snapshot, NULL, error);
	const DaxcLayoutDomain *domain;
	guint32 user;

	if (!layout)
		return FALSE;
	user = daxc_layout_tenant(layout, reservation->tenant);
	domain = domain_of_node(layout, reservation->node);
	if (domain) {
		take_colors(domain, user, count, reservation->colors);
		take_colors(domain, DAXC_USER_NONE, count, reservation->colors);
	}
	g_array_sort(reservation->colors, compare_colors);
	if (reservation->colors->len == count)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "tenant %s asks for %u colors of node %d and can have %u of its %u: "
		    "see `daxcolor colors`",
		    reservation->tenant, count, reservation->node,
		    reservation->colors->len, reservation->of);
	return FALSE;
}

static gboolean reserve(DaxcHost *host, guint count, DaxcReservation *reservation,
			GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_begin_recovered(host, NULL, error);

	return snapshot &&
	       (count == 0 || choose(host, snapshot, count, reservation, error)) &&
	       daxc_ledger_reserve(host->ledger, reservation, error) &&
	       check_owners(host, error) && daxc_ledger_commit(host->ledger, error);
}

static gboolean check_colors(const DaxcReservation *reservation, GError **error)
{
	for (guint i = 0; i < reservation->colors->len; i++) {
		guint32 color = g_array_index(reservation->colors, guint32, i);

		if (color < reservation->of)
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "node %d has no color %u: its colors are 0 to %u",
			    reservation->node, color, reservation->of - 1);
		return FALSE;
	}
	return TRUE;
}

gboolean daxc_host_reserve(DaxcHost *host, const char *tenant, gint node, guint count,
			   const GArray *colors, GError **error)
{
	const DaxcCacheDomain *domain = daxc_geometry_for_node(host->geometry, node);
	g_autoptr(DaxcReservation) reservation = g_new0(DaxcReservation, 1);

	if (!daxc_tenant_check(tenant, error) || !daxc_tenant_check_guest(tenant, error))
		return FALSE;
	/* What was reserved on a node that is gone can still be dropped. */
	if (!domain && (colors || count > 0)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "node %d has no cache with colors here: see `daxcolor "
			    "regions`",
			    node);
		return FALSE;
	}
	reservation->tenant = g_strdup(tenant);
	reservation->node = node;
	reservation->of = domain ? domain->colors : 1;
	reservation->granule = domain ? domain->granule : DAXC_GRANULE_MAX;
	reservation->colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	if (colors)
		g_array_append_vals(reservation->colors, colors->data, colors->len);
	if (check_colors(reservation, error) &&
	    reserve(host, colors ? 0 : count, reservation, error))
		return TRUE;
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}
