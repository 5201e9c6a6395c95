// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Colors as a kernel that keeps them apart has given them. The ledger knows what it
 * carved; only the kernel knows whose memory is still pinned when that is gone.
 */
#include "provision/provision.h"

#include "core/owner.h"

static gboolean read_region(DaxcHost *host, const DaxcRegion *region, GArray *owned,
			    GError **error)
{
	const DaxcCacheDomain *domain =
		daxc_geometry_for_node(host->geometry, region->node);
	g_autoptr(GArray) colors =
		daxc_kernel_color_owners(host->kernel, region->id, domain, error);

	for (guint i = 0; colors && i < colors->len; i++) {
		DaxcOwnedColor one = {region->id, region->node,
				      g_array_index(colors, DaxcColorOwner, i)};

		g_array_append_val(owned, one);
	}
	return colors != NULL;
}

gboolean daxc_read_color_owners(DaxcHost *host, DaxcSnapshot *snapshot, GError **error)
{
	snapshot->owned_colors = g_array_new(FALSE, FALSE, sizeof(DaxcOwnedColor));
	for (guint i = 0; i < snapshot->regions->len; i++) {
		if (!read_region(host, g_ptr_array_index(snapshot->regions, i),
				 snapshot->owned_colors, error))
			return FALSE;
	}
	return TRUE;
}

/**
 * Names: of tenants, by the UUID under which the kernel knows them.
 * @seen: names that are in @names already
 * @all: those that only dirty granules remember are in it, too
 */
typedef struct {
	const DaxcSnapshot *snapshot;
	GHashTable *names;
	GHashTable *seen;
	gboolean all;
} Names;

static void names_clear(Names *names)
{
	g_hash_table_unref(names->names);
	g_hash_table_unref(names->seen);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Names, names_clear)

static void add_tenant(Names *names, const char *tenant)
{
	if (tenant && g_hash_table_add(names->seen, (gpointer)tenant))
		g_hash_table_insert(names->names, daxc_owner_uuid(tenant),
				    (gpointer)tenant);
}

static void names_init(Names *names, const DaxcSnapshot *snapshot)
{
	names->snapshot = snapshot;
	names->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	names->seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		add_tenant(names, carving->tenant);
	}
	for (guint i = 0; i < snapshot->reservations->len; i++) {
		const DaxcReservation *reservation =
			g_ptr_array_index(snapshot->reservations, i);

		add_tenant(names, reservation->tenant);
	}
}

/* There may be many thousands, and they are rarely needed. */
static void add_granules(Names *names)
{
	const GArray *granules = names->snapshot->granules;

	names->all = TRUE;
	for (guint i = 0; i < granules->len; i++)
		add_tenant(names, g_array_index(granules, DaxcLedgerGranule, i).tenant);
}

/* Returns: (nullable): the tenant with that UUID, if the ledger knows one. */
static const char *name_of(Names *names, const char *owner)
{
	const char *tenant = g_hash_table_lookup(names->names, owner);

	if (tenant || names->all)
		return tenant;
	add_granules(names);
	return g_hash_table_lookup(names->names, owner);
}

/* A color that the ledger has given to another tenant than the kernel is nobody's. */
static gboolean use_color(DaxcLayout *layout, const DaxcOwnedColor *owned, guint32 user,
			  GError **error)
{
	if (user != DAXC_USER_FOREIGN &&
	    daxc_layout_reserve(layout, owned->node, owned->color.color, user, NULL))
		return TRUE;
	return daxc_layout_reserve(layout, owned->node, owned->color.color,
				   DAXC_USER_FOREIGN, error);
}

gboolean daxc_use_color_owners(DaxcLayout *layout, const DaxcSnapshot *snapshot,
			       const char *tenant, GError **error)
{
	g_auto(Names) names = {NULL};

	names_init(&names, snapshot);
	add_tenant(&names, tenant);
	for (guint i = 0; i < snapshot->owned_colors->len; i++) {
		const DaxcOwnedColor *owned =
			&g_array_index(snapshot->owned_colors, DaxcOwnedColor, i);
		const char *owner;

		if (owned->color.owner[0] == '\0')
			continue;
		owner = name_of(&names, owned->color.owner);
		if (!use_color(layout, owned,
			       owner ? daxc_layout_tenant(layout, owner)
				     : DAXC_USER_FOREIGN,
			       error))
			return FALSE;
	}
	return TRUE;
}

guint64 daxc_pinned(const GPtrArray *regions)
{
	guint64 pinned = 0;

	for (guint i = 0; i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		pinned += region->quarantined;
	}
	return pinned;
}

gboolean daxc_tell_geometry(DaxcHost *host, guint region, gint node, GError **error)
{
	return daxc_kernel_tell_geometry(host->kernel, region,
					 daxc_geometry_for_node(host->geometry, node),
					 error);
}
