// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The planner's view of a host: zones of granules by address, owners of colors
 * by cache domain. A use costs a search for its zone and one step a granule.
 */
#include "layout.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/* No region is described further than this: 128 TiB of the smallest granules. */
#define ZONE_MAX (G_GUINT64_CONSTANT(1) << 26)

/*
 * A region and its zone. Granules at its ends that are not whole are in no zone,
 * but whoever uses a part of one is in that color's slice of the cache all the same.
 */
typedef struct {
	DaxcZone zone;
	const DaxcCacheDomain *cache;
	guint64 start;
	guint64 end; /* exclusive */
} Place;

struct DaxcLayout {
	DaxcGeometry *geometry;
	GPtrArray *places;  /* (element-type Place): by address */
	GArray *domains;    /* (element-type DaxcLayoutDomain): as in geometry */
	GPtrArray *tenants; /* (element-type utf8): at user value - 1 */
	GHashTable *users;  /* tenant to user value */
	GHashTable *distances;
};

static gboolean is_tenant(guint32 user)
{
	return user != DAXC_USER_NONE && user != DAXC_USER_FOREIGN &&
	       user != DAXC_USER_BAD;
}

static void place_free(gpointer data)
{
	Place *place = data;

	g_free(place->zone.color);
	g_free(place->zone.user);
	g_free(place->zone.wait);
	g_free(place);
}

static gint compare_places(gconstpointer a, gconstpointer b)
{
	const Place *one = *(Place *const *)a, *other = *(Place *const *)b;

	return (one->start > other->start) - (one->start < other->start);
}

/* Exclusive end of a run of memory that may reach the last address. */
static guint64 end_of(guint64 start, guint64 size)
{
	return size > G_MAXUINT64 - start ? G_MAXUINT64 : start + size;
}

static guint32 color_at(const DaxcCacheDomain *cache, guint64 address)
{
	guint32 color;

	return daxc_cache_domain_color(cache, address, &color) ? color : DAXC_NO_COLOR;
}

static void fill_zone(DaxcZone *zone, const DaxcCacheDomain *cache, guint64 start,
		      guint64 end)
{
	guint64 granule = cache->granule;
	guint64 first = start / granule + (start % granule != 0);
	guint64 n = end / granule > first ? end / granule - first : 0;

	zone->start = first * granule;
	zone->granule = granule;
	zone->n = (guint32)MIN(n, ZONE_MAX);
	zone->color = g_new(guint32, zone->n);
	zone->user = g_new0(guint32, zone->n);
	zone->wait = g_malloc(MAX(zone->n, 1));
	memset(zone->wait, DAXC_WAIT_ZERO, zone->n);
	for (guint32 i = 0; i < zone->n; i++)
		zone->color[i] = color_at(cache, zone->start + i * granule);
}

static guint domain_index(const DaxcGeometry *geometry, gint node)
{
	guint i;

	for (i = 0; i < daxc_geometry_count(geometry); i++) {
		if (daxc_geometry_get(geometry, i)->node == node)
			break;
	}
	return i;
}

static void add_place(DaxcLayout *layout, const DaxcRegion *region)
{
	guint index = domain_index(layout->geometry, region->node);
	Place *place;

	if (index == daxc_geometry_count(layout->geometry) || region->size == 0)
		return;
	place = g_new0(Place, 1);
	place->cache = daxc_geometry_get(layout->geometry, index);
	place->start = region->start;
	place->end = end_of(region->start, region->size);
	place->zone.region = region->id;
	place->zone.node = region->node;
	place->zone.domain = index;
	fill_zone(&place->zone, place->cache, place->start, place->end);
	g_ptr_array_add(layout->places, place);
}

static void add_domain(DaxcLayout *layout, const DaxcCacheDomain *cache)
{
	DaxcLayoutDomain domain = {
		.node = cache->node,
		.colors = cache->colors,
		.owner = g_new0(guint32, cache->colors),
	};

	daxc_geometry_add(layout->geometry, cache, NULL);
	g_array_append_val(layout->domains, domain);
}

static void domain_clear(gpointer data)
{
	DaxcLayoutDomain *domain = data;

	g_free(domain->owner);
}

DaxcLayout *daxc_layout_new(const DaxcGeometry *geometry, const GPtrArray *regions)
{
	DaxcLayout *layout = g_new0(DaxcLayout, 1);

	layout->geometry = daxc_geometry_new();
	layout->places = g_ptr_array_new_with_free_func(place_free);
	layout->domains = g_array_new(FALSE, FALSE, sizeof(DaxcLayoutDomain));
	g_array_set_clear_func(layout->domains, domain_clear);
	layout->tenants = g_ptr_array_new_with_free_func(g_free);
	layout->users = g_hash_table_new(g_str_hash, g_str_equal);
	layout->distances =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	for (guint i = 0; i < daxc_geometry_count(geometry); i++)
		add_domain(layout, daxc_geometry_get(geometry, i));
	for (guint i = 0; i < regions->len; i++)
		add_place(layout, g_ptr_array_index(regions, i));
	g_ptr_array_sort(layout->places, compare_places);
	return layout;
}

void daxc_layout_free(DaxcLayout *layout)
{
	if (!layout)
		return;
	g_hash_table_unref(layout->distances);
	g_hash_table_unref(layout->users);
	g_ptr_array_unref(layout->tenants);
	g_array_unref(layout->domains);
	g_ptr_array_unref(layout->places);
	daxc_geometry_free(layout->geometry);
	g_free(layout);
}

guint32 daxc_layout_find_tenant(const DaxcLayout *layout, const char *tenant)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(layout->users, tenant));
}

guint32 daxc_layout_tenant(DaxcLayout *layout, const char *tenant)
{
	guint32 user = daxc_layout_find_tenant(layout, tenant);
	char *name;

	if (user != DAXC_USER_NONE)
		return user;
	name = g_strdup(tenant);
	g_ptr_array_add(layout->tenants, name);
	user = layout->tenants->len;
	g_hash_table_insert(layout->users, name, GUINT_TO_POINTER(user));
	return user;
}

const char *daxc_layout_tenant_name(const DaxcLayout *layout, guint32 user)
{
	if (user == DAXC_USER_NONE || user > layout->tenants->len)
		return NULL;
	return g_ptr_array_index(layout->tenants, user - 1);
}

/* Whether @user may be added where @now is: two tenants are one too many. */
static gboolean agree(guint32 now, guint32 user)
{
	return now == user || !is_tenant(now) || !is_tenant(user);
}

/* What @now becomes with @user: unknown instances before tenants before failures. */
static guint32 joined(guint32 now, guint32 user)
{
	if (now == DAXC_USER_NONE || user == DAXC_USER_FOREIGN)
		return user;
	if (now == DAXC_USER_BAD && is_tenant(user))
		return user;
	return now;
}

static gboolean refuse_second(const DaxcLayout *layout, const char *what, gint node,
			      guint32 now, guint32 user, GError **error)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "%s of node %d would be tenant %s's and tenant %s's at once", what,
		    node, daxc_layout_tenant_name(layout, now),
		    daxc_layout_tenant_name(layout, user));
	return FALSE;
}

static gboolean check_owner(const DaxcLayout *layout, guint domain, guint32 color,
			    guint32 user, GError **error)
{
	const DaxcLayoutDomain *owners = daxc_layout_domain(layout, domain);
	g_autofree char *what = NULL;

	if (color == DAXC_NO_COLOR || agree(owners->owner[color], user))
		return TRUE;
	what = g_strdup_printf("color %u", color);
	return refuse_second(layout, what, owners->node, owners->owner[color], user,
			     error);
}

static void claim_color(DaxcLayout *layout, guint domain, guint32 color, guint32 user)
{
	guint32 *owner = g_array_index(layout->domains, DaxcLayoutDomain, domain).owner;

	if (color != DAXC_NO_COLOR && user != DAXC_USER_BAD)
		owner[color] = joined(owner[color], user);
}

/* One granule of a place, whole or not; @user is NULL where it is not whole. */
typedef struct {
	guint64 start;
	guint32 color;
	guint32 *user;
} Spot;

static Spot spot_at(const Place *place, guint64 index)
{
	const DaxcZone *zone = &place->zone;
	guint64 first = zone->start / zone->granule;
	Spot spot = {.start = index * zone->granule};

	if (index >= first && index - first < zone->n) {
		spot.color = zone->color[index - first];
		spot.user = &zone->user[index - first];
	} else {
		spot.color = color_at(place->cache, spot.start);
	}
	return spot;
}

static gboolean check_spot(const DaxcLayout *layout, const Place *place, const Spot *spot,
			   guint32 user, GError **error)
{
	g_autofree char *range = NULL;
	g_autofree char *what = NULL;

	if (!spot->user || agree(*spot->user, user))
		return check_owner(layout, place->zone.domain, spot->color, user, error);
	range = daxc_range_format(spot->start, place->zone.granule);
	what = g_strdup_printf("granule %s", range);
	return refuse_second(layout, what, place->zone.node, *spot->user, user, error);
}

/* Checks (@apply FALSE) or gives (TRUE) what of [@start, @end) is in @place. */
static gboolean use_place(DaxcLayout *layout, const Place *place, guint64 start,
			  guint64 end, guint32 user, gboolean apply, GError **error)
{
	guint64 first = MAX(start, place->start) / place->zone.granule;
	guint64 last = (MIN(end, place->end) - 1) / place->zone.granule;

	for (guint64 i = first; i <= last; i++) {
		Spot spot = spot_at(place, i);

		if (!apply) {
			if (!check_spot(layout, place, &spot, user, error))
				return FALSE;
			continue;
		}
		if (spot.user)
			*spot.user = joined(*spot.user, user);
		claim_color(layout, place->zone.domain, spot.color, user);
	}
	return TRUE;
}

/* Index of the first place that ends above @address. */
static guint find_place(const DaxcLayout *layout, guint64 address)
{
	guint low = 0, high = layout->places->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const Place *place = g_ptr_array_index(layout->places, middle);

		if (place->end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static gboolean use_places(DaxcLayout *layout, guint64 start, guint64 end, guint32 user,
			   gboolean apply, GError **error)
{
	for (guint i = find_place(layout, start); i < layout->places->len; i++) {
		const Place *place = g_ptr_array_index(layout->places, i);

		if (place->start >= end)
			break;
		if (!use_place(layout, place, start, end, user, apply, error))
			return FALSE;
	}
	return TRUE;
}

gboolean daxc_layout_use(DaxcLayout *layout, guint64 start, guint64 size, guint32 user,
			 GError **error)
{
	guint64 end = end_of(start, size);

	if (start == end)
		return TRUE;
	return use_places(layout, start, end, user, FALSE, error) &&
	       use_places(layout, start, end, user, TRUE, error);
}

void daxc_layout_set_wait(DaxcLayout *layout, guint64 start, DaxcWait wait)
{
	guint index = find_place(layout, start);
	const DaxcZone *zone;

	if (index == layout->places->len)
		return;
	zone = daxc_layout_zone(layout, index);
	if (start >= zone->start && (start - zone->start) / zone->granule < zone->n)
		zone->wait[(start - zone->start) / zone->granule] = (guint8)wait;
}

gboolean daxc_layout_reserve(DaxcLayout *layout, gint node, guint32 color, guint32 user,
			     GError **error)
{
	guint index = domain_index(layout->geometry, node);

	if (index == layout->domains->len ||
	    color >= daxc_layout_domain(layout, index)->colors) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "there is no color %u on node %d to reserve", color, node);
		return FALSE;
	}
	if (!check_owner(layout, index, color, user, error))
		return FALSE;
	claim_color(layout, index, color, user);
	return TRUE;
}

static gint64 pair_key(gint from, gint to)
{
	return (gint64)(((guint64)(guint32)from << 32) | (guint32)to);
}

void daxc_layout_set_distance(DaxcLayout *layout, gint from, gint to, guint distance)
{
	gint64 key = pair_key(from, to);

	g_hash_table_insert(layout->distances, g_memdup2(&key, sizeof(key)),
			    GUINT_TO_POINTER(distance));
}

guint daxc_layout_distance(const DaxcLayout *layout, gint from, gint to)
{
	gint64 key = pair_key(from, to);
	guint distance = GPOINTER_TO_UINT(g_hash_table_lookup(layout->distances, &key));

	if (distance == 0)
		return from == to ? 10 : 20;
	return distance;
}

guint daxc_layout_zones(const DaxcLayout *layout)
{
	return layout->places->len;
}

const DaxcZone *daxc_layout_zone(const DaxcLayout *layout, guint index)
{
	const Place *place = g_ptr_array_index(layout->places, index);

	return &place->zone;
}

guint daxc_layout_domains(const DaxcLayout *layout)
{
	return layout->domains->len;
}

const DaxcLayoutDomain *daxc_layout_domain(const DaxcLayout *layout, guint index)
{
	return &g_array_index(layout->domains, DaxcLayoutDomain, index);
}
