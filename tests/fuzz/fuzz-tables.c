// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: an HMAT, and behind it an SRAT, as they are and with lengths and
 * checksums made right, for few random inputs have right ones.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/platform.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void check(const DaxcHmatCache *cache, DaxcGeometry *geometry)
{
	guint64 last = 0;

	if (!daxc_geometry_add(geometry, cache->domain, NULL))
		abort();
	for (guint i = 0; i < cache->memory->len; i++) {
		const DaxcExtent *extent = &g_array_index(cache->memory, DaxcExtent, i);

		if (extent->size == 0 || extent->start < last ||
		    extent->start > G_MAXUINT64 - extent->size)
			abort();
		last = extent->start;
	}
}

static void try(const guint8 *hmat, gsize hmat_len, const guint8 *srat, gsize srat_len)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) caches =
		daxc_platform_parse_tables(hmat, hmat_len, srat, srat_len, &error);

	if ((caches == NULL) == (error == NULL))
		abort();
	for (guint i = 0; caches && i < caches->len; i++)
		check(g_ptr_array_index(caches, i), geometry);
}

static void repair(guint8 *table, gsize length, const char *signature)
{
	guint32 le = GUINT32_TO_LE((guint32)length);
	guint8 sum = 0;

	if (length < 10)
		return;
	memcpy(table, signature, 4);
	memcpy(table + 4, &le, sizeof(le));
	table[9] = 0;
	for (gsize i = 0; i < length; i++)
		sum = (guint8)(sum + table[i]);
	table[9] = (guint8)-sum;
}

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	g_autofree guint8 *hmat = NULL;
	g_autofree guint8 *srat = NULL;
	guint32 split;

	if (size < 8)
		return 0;
	memcpy(&split, data + 4, sizeof(split));
	split = MIN(GUINT32_FROM_LE(split), (guint32)size);
	/* Copies of their own size, so that reading past the end is seen. */
	hmat = g_memdup2(data, split);
	srat = g_memdup2(data + split, size - split);
	try(hmat, split, srat, size - split);
	repair(hmat, split, "HMAT");
	repair(srat, size - split, "SRAT");
	try(hmat, split, srat, size - split);
	return 0;
}
