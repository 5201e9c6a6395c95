// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which color a physical address has, and the check that a cache domain, however
 * it was learned, describes such a function at all.
 */
#include <daxcolor/geometry.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "driver/color.h"

/* The driver has the color function; it reads our ranges as its own. */
G_STATIC_ASSERT(sizeof(DaxcColorRange) == sizeof(struct dcg_range));
G_STATIC_ASSERT(G_STRUCT_OFFSET(DaxcColorRange, start) ==
		G_STRUCT_OFFSET(struct dcg_range, start));
G_STATIC_ASSERT(G_STRUCT_OFFSET(DaxcColorRange, size) ==
		G_STRUCT_OFFSET(struct dcg_range, size));
G_STATIC_ASSERT(G_STRUCT_OFFSET(DaxcColorRange, color) ==
		G_STRUCT_OFFSET(struct dcg_range, color));
G_STATIC_ASSERT(DAXC_GRANULE_MIN == DCG_GRANULE_MIN &&
		DAXC_GRANULE_MAX == DCG_GRANULE_MAX);
G_STATIC_ASSERT(DAXC_COLORS_MAX == DCG_COLORS_MAX);

struct DaxcGeometry {
	GPtrArray *domains; /* by node */
};

static void domain_free(gpointer data)
{
	DaxcCacheDomain *domain = data;

	g_clear_pointer(&domain->ranges, g_array_unref);
	g_free(domain);
}

DaxcGeometry *daxc_geometry_new(void)
{
	DaxcGeometry *geometry = g_new0(DaxcGeometry, 1);

	geometry->domains = g_ptr_array_new_with_free_func(domain_free);
	return geometry;
}

void daxc_geometry_free(DaxcGeometry *geometry)
{
	if (!geometry)
		return;
	g_ptr_array_unref(geometry->domains);
	g_free(geometry);
}

guint64 daxc_granule_for(guint64 cache_size, guint64 base)
{
	guint64 bits = cache_size | base | DAXC_GRANULE_MAX;

	return bits & -bits;
}

static gboolean check_granule(const DaxcCacheDomain *domain, GError **error)
{
	g_autofree char *size = NULL;

	if (domain->granule >= DAXC_GRANULE_MIN && domain->granule <= DAXC_GRANULE_MAX &&
	    (domain->granule & (domain->granule - 1)) == 0)
		return TRUE;
	size = daxc_size_format(domain->granule);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "its granule of %s is not a power of two from 2 MiB to 1 GiB", size);
	return FALSE;
}

static gboolean check_colors(const DaxcCacheDomain *domain, GError **error)
{
	if (domain->colors >= 1 && domain->colors <= DAXC_COLORS_MAX)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "it has %u colors, and a cache has from 1 to %u", domain->colors,
		    DAXC_COLORS_MAX);
	return FALSE;
}

/*
 * Addresses a cache size apart evict each other. Only where the colors go round
 * a whole number of times within the cache do these always have one color.
 */
static gboolean check_cache_size(const DaxcCacheDomain *domain, GError **error)
{
	guint64 round = domain->colors * domain->granule;
	g_autofree char *cache = daxc_size_format(domain->cache_size);
	g_autofree char *granule = daxc_size_format(domain->granule);

	if (domain->cache_size != 0 &&
	    (domain->kind == DAXC_GEOMETRY_SKEW ? domain->cache_size == round
						: domain->cache_size % round == 0))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%u colors with a granule of %s do not make its cache of %s",
		    domain->colors, granule, cache);
	return FALSE;
}

static gboolean check_formula(const DaxcCacheDomain *domain, GError **error)
{
	if (domain->ranges && domain->ranges->len > 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "it has ranges, but its kind is %s",
			    daxc_geometry_kind_name(domain->kind));
		return FALSE;
	}
	if (domain->base % domain->granule != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "its base 0x%" G_GINT64_MODIFIER
			    "x is not a multiple of its granule",
			    domain->base);
		return FALSE;
	}
	return check_cache_size(domain, error);
}

static gboolean check_range(const DaxcCacheDomain *domain, const DaxcColorRange *range,
			    guint64 *end, GError **error)
{
	const char *why = NULL;

	if (range->size == 0 || range->start > G_MAXUINT64 - range->size)
		why = "is empty or ends above the last address";
	else if (range->start % domain->granule != 0 ||
		 range->size % domain->granule != 0)
		why = "does not begin and end on a granule";
	else if (range->color >= domain->colors)
		why = "has a color that the cache does not have";
	else if (range->start < *end)
		why = "overlaps the one before it or is out of order";
	if (!why) {
		*end = range->start + range->size;
		return TRUE;
	}
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "its range at 0x%" G_GINT64_MODIFIER "x (color %u) %s", range->start,
		    range->color, why);
	return FALSE;
}

static gboolean check_ranges(const DaxcCacheDomain *domain, GError **error)
{
	guint64 end = 0;

	if (!domain->ranges || domain->ranges->len == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "its kind is ranges, but it has none");
		return FALSE;
	}
	for (guint i = 0; i < domain->ranges->len; i++) {
		if (!check_range(domain,
				 &g_array_index(domain->ranges, DaxcColorRange, i), &end,
				 error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_domain(const DaxcCacheDomain *domain, GError **error)
{
	if (!check_granule(domain, error) || !check_colors(domain, error))
		return FALSE;
	switch (domain->kind) {
	case DAXC_GEOMETRY_ROTATE:
	case DAXC_GEOMETRY_SKEW:
		return check_formula(domain, error);
	case DAXC_GEOMETRY_RANGES:
		return check_ranges(domain, error);
	}
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "its kind %d is unknown",
		    (int)domain->kind);
	return FALSE;
}

/* Index of the first cache domain whose node is not below @node. */
static guint find_node(const DaxcGeometry *geometry, gint node)
{
	guint low = 0, high = geometry->domains->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;

		if (daxc_geometry_get(geometry, middle)->node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

gboolean daxc_geometry_add(DaxcGeometry *geometry, const DaxcCacheDomain *domain,
			   GError **error)
{
	DaxcCacheDomain *copy;

	if (domain->node < 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "a cache domain has the node %d: nodes begin at 0",
			    domain->node);
		return FALSE;
	}
	if (daxc_geometry_for_node(geometry, domain->node)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "node %d has two cache domains", domain->node);
		return FALSE;
	}
	if (!check_domain(domain, error)) {
		g_prefix_error(error, "cache domain of node %d: ", domain->node);
		return FALSE;
	}
	copy = g_new(DaxcCacheDomain, 1);
	*copy = *domain;
	copy->ranges = NULL;
	if (domain->kind == DAXC_GEOMETRY_RANGES)
		copy->ranges = g_array_copy(domain->ranges);
	g_ptr_array_insert(geometry->domains, (gint)find_node(geometry, copy->node),
			   copy);
	return TRUE;
}

guint daxc_geometry_count(const DaxcGeometry *geometry)
{
	return geometry->domains->len;
}

const DaxcCacheDomain *daxc_geometry_get(const DaxcGeometry *geometry, guint index)
{
	return g_ptr_array_index(geometry->domains, index);
}

const DaxcCacheDomain *daxc_geometry_for_node(const DaxcGeometry *geometry, gint node)
{
	guint index = find_node(geometry, node);
	const DaxcCacheDomain *domain;

	if (index == geometry->domains->len)
		return NULL;
	domain = daxc_geometry_get(geometry, index);
	return domain->node == node ? domain : NULL;
}

static enum dcg_kind kind_of(const DaxcCacheDomain *domain)
{
	switch (domain->kind) {
	case DAXC_GEOMETRY_ROTATE:
		return DCG_ROTATE;
	case DAXC_GEOMETRY_SKEW:
		return DCG_SKEW;
	case DAXC_GEOMETRY_RANGES:
		return DCG_RANGES;
	}
	return DCG_NONE;
}

gboolean daxc_cache_domain_color(const DaxcCacheDomain *domain, guint64 address,
				 guint32 *color)
{
	struct dcg_geometry geometry = {
		.kind = kind_of(domain),
		.granule = domain->granule,
		.base = domain->base,
		.colors = domain->colors,
	};

	if (geometry.kind == DCG_RANGES) {
		geometry.ranges = (const struct dcg_range *)domain->ranges->data;
		geometry.nr_ranges = domain->ranges->len;
	}
	return dcg_color(&geometry, address, color);
}

const char *daxc_geometry_kind_name(DaxcGeometryKind kind)
{
	switch (kind) {
	case DAXC_GEOMETRY_ROTATE:
		return "rotate";
	case DAXC_GEOMETRY_SKEW:
		return "skew";
	case DAXC_GEOMETRY_RANGES:
		return "ranges";
	}
	return "unknown";
}

const char *daxc_geometry_source_name(DaxcGeometrySource source)
{
	switch (source) {
	case DAXC_SOURCE_CONFIG:
		return "configuration";
	case DAXC_SOURCE_SYSFS:
		return "sysfs";
	case DAXC_SOURCE_HMAT:
		return "HMAT";
	}
	return "unknown";
}
