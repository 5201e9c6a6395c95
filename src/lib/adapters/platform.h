/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the platform says of its memory-side caches and nodes: sysfs first, the
 * raw ACPI tables where a node is offline and sysfs has nothing.
 *
 * The base of such a cache is always 0. Two addresses evict each other when they
 * are equal modulo the cache's size (ACPI says so in these words of extended
 * linear ones), and that does not depend on where the memory begins: a base
 * would only give the same colors other numbers. So both sources, and root and
 * everybody else, call a color by the same number, and memory that does not
 * begin on a granule costs a part of a granule at each end, not a smaller
 * granule and with it the large pages.
 *
 * Of a node with several caches behind each other, the direct-mapped one nearest
 * the memory counts. That is the largest: Linux and QEMU number the levels in
 * opposite directions.
 */
#pragma once

#include <daxcolor/geometry.h>
#include <daxcolor/host.h>

G_BEGIN_DECLS

/**
 * daxc_platform_sysfs_cache:
 * @root: prefix for "/sys", "" on a live host
 * @domain: (out) (transfer full) (nullable): NULL when the node has no
 *   direct-mapped memory-side cache there
 *
 * Reads node@node/memory_side_cache/index*. Where no cache is direct-mapped
 * there are no colors: DAXC_ERROR_UNSUPPORTED. So it is with a size that has no
 * granule of DAXC_GRANULE_MIN, and with an address mode that we do not know.
 * What is no number, or no size of a cache: DAXC_ERROR_INVALID.
 */
gboolean daxc_platform_sysfs_cache(const char *root, gint node, DaxcCacheDomain **domain,
				   GError **error);

/**
 * DaxcHmatCache: one memory-side cache as the raw tables have it.
 * @domain: node is the proximity domain, which need not be Linux's node number
 * @memory: (element-type DaxcExtent): SRAT's ranges of that proximity domain,
 *   by address
 */
typedef struct {
	DaxcCacheDomain *domain;
	GArray *memory;
} DaxcHmatCache;

void daxc_hmat_cache_free(DaxcHmatCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcHmatCache, daxc_hmat_cache_free)

/**
 * daxc_platform_parse_tables:
 * @hmat, @srat: whole ACPI tables, header included (ACPI 6.5, 5.2.28 and 5.2.16)
 *
 * Pure. Lengths and checksums are checked; DAXC_ERROR_INVALID. A cache that
 * daxc_platform_sysfs_cache() would refuse is left out.
 *
 * Returns: (transfer full) (element-type DaxcHmatCache): direct-mapped ones, by
 *   proximity domain.
 */
GPtrArray *daxc_platform_parse_tables(const guint8 *hmat, gsize hmat_len,
				      const guint8 *srat, gsize srat_len, GError **error);

/**
 * daxc_platform_geometry:
 * @root: prefix for "/sys", "" on a live host
 * @configured: (element-type DaxcCacheDomain) (nullable): these win
 * @regions: (element-type DaxcRegion): the host's dax regions
 *
 * For the node of each region: configuration, else sysfs, else the raw tables,
 * found by the region's address. A node that none knows has no cache domain;
 * that is no error here. A cache that has no colors, or tables that contradict
 * themselves or the regions, are: what is wrong, and that the cache can be
 * described in daxcolor.conf. The tables are read for nodes only that neither
 * configuration nor sysfs knows, and by root only.
 */
DaxcGeometry *daxc_platform_geometry(const char *root, const GPtrArray *configured,
				     const GPtrArray *regions, GError **error);

/* Returns: (transfer full) (element-type guint): online NUMA nodes, ascending; empty
 * when sysfs does not say. */
GArray *daxc_platform_nodes(const char *root);

/**
 * daxc_platform_distance:
 *
 * Returns: distance between two nodes as sysfs has it, 0 when it does not say
 *   (it knows online nodes only).
 */
guint daxc_platform_distance(const char *root, gint from, gint to);

/**
 * daxc_platform_cpus:
 *
 * Online CPUs of a node. Where it has none, because it is only memory or is offline,
 * those of the nearest node that has some, as far as sysfs says which that is.
 *
 * Returns: (transfer full) (element-type guint): ascending; empty when nothing is
 *   known.
 */
GArray *daxc_platform_cpus(const char *root, gint node);

void daxc_cache_domain_free(DaxcCacheDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcCacheDomain, daxc_cache_domain_free)

G_END_DECLS
