/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Geometry: the function from a physical address to (cache domain, color).
 * Pure: no I/O, no globals, same answer for the same input.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The largest granule: where no cache size demands less, colors rotate here. */
#define DAXC_GRANULE_MAX (G_GUINT64_CONSTANT(1) << 30)
/* The smallest granule that can be carved: device-dax maps at 2 MiB. */
#define DAXC_GRANULE_MIN (G_GUINT64_CONSTANT(1) << 21)
/* No cache domain has more colors than this (64 TiB of cache at 1 GiB). */
#define DAXC_COLORS_MAX 65536u

/**
 * DaxcGeometryKind:
 * @DAXC_GEOMETRY_ROTATE: color = i mod colors, i = (address - base) / granule
 * @DAXC_GEOMETRY_SKEW: color = (i + i / colors) mod colors (Memstrata, OSDI'24)
 * @DAXC_GEOMETRY_RANGES: a list of address ranges, each with its color
 */
typedef enum {
	DAXC_GEOMETRY_ROTATE,
	DAXC_GEOMETRY_SKEW,
	DAXC_GEOMETRY_RANGES,
} DaxcGeometryKind;

/* Where a cache domain was learned from; the first that knows it wins. */
typedef enum {
	DAXC_SOURCE_CONFIG,
	DAXC_SOURCE_SYSFS,
	DAXC_SOURCE_HMAT,
} DaxcGeometrySource;

/**
 * DaxcColorRange:
 * @start: physical address, a multiple of the granule
 * @size: bytes, a multiple of the granule
 */
typedef struct {
	guint64 start;
	guint64 size;
	guint32 color;
} DaxcColorRange;

/**
 * DaxcCacheDomain:
 * @node: NUMA node whose memory this cache is in front of; one cache domain a node
 * @cache_size: bytes; 0 with RANGES when not known
 * @granule: bytes, a power of two from DAXC_GRANULE_MIN to DAXC_GRANULE_MAX
 * @base: address at which color 0 begins (ROTATE, SKEW), a multiple of @granule;
 *   addresses below it have no color
 * @colors: number of colors, at least 1
 * @extended_linear: the cache is itself addressable: near and far memory share
 *   one address range (ACPI 6.5, address mode 1); the function is the same
 * @ranges: (element-type DaxcColorRange) (nullable): RANGES only; sorted by
 *   start, no overlap
 *
 * One memory-side cache. Colors of two cache domains never conflict.
 */
typedef struct {
	gint node;
	DaxcGeometryKind kind;
	DaxcGeometrySource source;
	guint64 cache_size;
	guint64 granule;
	guint64 base;
	guint32 colors;
	gboolean extended_linear;
	GArray *ranges;
} DaxcCacheDomain;

typedef struct DaxcGeometry DaxcGeometry;

/**
 * daxc_granule_for:
 *
 * Returns: the largest power of two, at most DAXC_GRANULE_MAX, that divides
 *   both @cache_size and @base; below DAXC_GRANULE_MIN no carving is possible.
 */
guint64 daxc_granule_for(guint64 cache_size, guint64 base);

DaxcGeometry *daxc_geometry_new(void);
void daxc_geometry_free(DaxcGeometry *geometry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcGeometry, daxc_geometry_free)

/**
 * daxc_geometry_add:
 * @domain: copied, its ranges too
 *
 * Adds one cache domain. Fails with DAXC_ERROR_INVALID, and adds nothing, when
 * the domain breaks what DaxcCacheDomain demands or its node has one already.
 */
gboolean daxc_geometry_add(DaxcGeometry *geometry, const DaxcCacheDomain *domain,
			   GError **error);

guint daxc_geometry_count(const DaxcGeometry *geometry);

/* Returns: (transfer none): cache domain @index, in order of node. */
const DaxcCacheDomain *daxc_geometry_get(const DaxcGeometry *geometry, guint index);

/* Returns: (transfer none) (nullable): the cache domain in front of @node. */
const DaxcCacheDomain *daxc_geometry_for_node(const DaxcGeometry *geometry, gint node);

/**
 * daxc_cache_domain_color:
 * @address: any physical address in the memory behind this cache
 *
 * Returns: FALSE when the address has no color here (below the base, or in
 *   none of the ranges).
 */
gboolean daxc_cache_domain_color(const DaxcCacheDomain *domain, guint64 address,
				 guint32 *color);

/* Returns: (transfer none): "rotate", "skew", "ranges". */
const char *daxc_geometry_kind_name(DaxcGeometryKind kind);
/* Returns: (transfer none): "configuration", "sysfs", "HMAT". */
const char *daxc_geometry_source_name(DaxcGeometrySource source);

G_END_DECLS
