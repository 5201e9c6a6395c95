/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the platform says of its memory-side caches and nodes: sysfs first, the
 * raw ACPI tables where a node is offline and sysfs has nothing.
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
 * Reads node@node/memory_side_cache/index1. A cache that is not direct-mapped
 * has no colors: DAXC_ERROR_UNSUPPORTED.
 */
gboolean daxc_platform_sysfs_cache(const char *root, gint node,
				   DaxcCacheDomain **domain, GError **error);

/**
 * DaxcHmatCache: one memory-side cache as the raw tables have it.
 * @domain: node is the proximity domain, which need not be Linux's node number
 * @memory: (element-type DaxcExtent): SRAT's ranges of that proximity domain
 */
typedef struct {
	DaxcCacheDomain *domain;
	GArray *memory;
} DaxcHmatCache;

void daxc_hmat_cache_free(DaxcHmatCache *cache);

/**
 * daxc_platform_parse_tables:
 * @hmat, @srat: whole ACPI tables, header included (ACPI 6.5, 5.2.28 and 5.2.16)
 *
 * Pure. Lengths and checksums are checked; DAXC_ERROR_INVALID. SRAT gives a
 * cache its base where its memory does not begin on a granule.
 *
 * Returns: (transfer full) (element-type DaxcHmatCache): direct-mapped ones.
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
 * that is no error here.
 */
DaxcGeometry *daxc_platform_geometry(const char *root, const GPtrArray *configured,
				     const GPtrArray *regions, GError **error);

/**
 * daxc_platform_distance:
 *
 * Returns: distance between two nodes as sysfs has it, 0 when it does not say.
 */
guint daxc_platform_distance(const char *root, gint from, gint to);

void daxc_cache_domain_free(DaxcCacheDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcCacheDomain, daxc_cache_domain_free)

G_END_DECLS
