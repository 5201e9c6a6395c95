// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* nftw */
#include "unit.h"

#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/platform.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

#define NODES "sys/devices/system/node/"
#define DAX "sys/bus/dax/devices/"
#define TABLES "sys/firmware/acpi/tables/"

/* HMAT's words for a cache. */
#define NONE 0
#define DIRECT 1
#define COMPLEX 2
#define EXTENDED_LINEAR 1
/* SRAT's flags for a range. */
#define ENABLED 1
#define HOTPLUG 2

/* Tables: built byte by byte, then sealed. */

static void put(GByteArray *table, guint64 number, guint bytes)
{
	for (guint i = 0; i < bytes; i++) {
		guint8 byte = (guint8)(number >> (8 * i));

		g_byte_array_append(table, &byte, 1);
	}
}

/* Sets length and checksum of what a table's header has. */
static void seal(GByteArray *table)
{
	guint32 length = GUINT32_TO_LE(table->len);
	guint8 sum = 0;

	memcpy(table->data + 4, &length, sizeof(length));
	table->data[9] = 0;
	for (guint i = 0; i < table->len; i++)
		sum = (guint8)(sum + table->data[i]);
	table->data[9] = (guint8)-sum;
}

static GByteArray *table_new(const char *signature, guint8 revision, guint header)
{
	GByteArray *table = g_byte_array_new();

	g_byte_array_append(table, (const guint8 *)signature, 4);
	put(table, 0, 4);
	put(table, revision, 1);
	while (table->len < header)
		put(table, 0, 1);
	seal(table);
	return table;
}

static GByteArray *hmat_new(void)
{
	return table_new("HMAT", 2, 40);
}

static void add_cache(GByteArray *hmat, guint32 proximity, guint level,
		      guint associativity, guint16 mode, guint64 size)
{
	put(hmat, 2, 2);
	put(hmat, 0, 2);
	put(hmat, 32, 4);
	put(hmat, proximity, 4);
	put(hmat, 0, 4);
	put(hmat, size, 8);
	put(hmat, 64 << 16 | 1 << 12 | associativity << 8 | level << 4 | (level ? 2 : 0),
	    4);
	put(hmat, mode, 2);
	put(hmat, 0, 2);
	seal(hmat);
}

static GByteArray *srat_new(void)
{
	return table_new("SRAT", 3, 48);
}

static void add_memory(GByteArray *srat, guint32 proximity, guint64 start, guint64 size,
		       guint32 flags)
{
	put(srat, 1, 1);
	put(srat, 40, 1);
	put(srat, proximity, 4);
	put(srat, 0, 2);
	put(srat, start, 8);
	put(srat, size, 8);
	put(srat, 0, 4);
	put(srat, flags, 4);
	put(srat, 0, 8);
	seal(srat);
}

static GPtrArray *parse(const GByteArray *hmat, const GByteArray *srat, GError **error)
{
	/* Copies of their own size, so that reading past the end is seen. */
	g_autofree guint8 *h = g_memdup2(hmat->data, hmat->len);
	g_autofree guint8 *s = g_memdup2(srat->data, srat->len);

	return daxc_platform_parse_tables(h, hmat->len, s, srat->len, error);
}

static const DaxcHmatCache *cache_at(const GPtrArray *caches, guint index)
{
	ck_assert_uint_lt(index, caches->len);
	return g_ptr_array_index(caches, index);
}

static void assert_cache(const DaxcCacheDomain *domain, gint node, guint64 size,
			 guint64 granule, guint32 colors)
{
	ck_assert_ptr_nonnull(domain);
	ck_assert_int_eq(domain->node, node);
	ck_assert_int_eq(domain->kind, DAXC_GEOMETRY_ROTATE);
	ck_assert_uint_eq(domain->cache_size, size);
	ck_assert_uint_eq(domain->granule, granule);
	ck_assert_uint_eq(domain->colors, colors);
	ck_assert_uint_eq(domain->base, 0);
}

static void assert_extent(const GArray *extents, guint index, guint64 start, guint64 size)
{
	ck_assert_uint_lt(index, extents->len);
	ck_assert_uint_eq(g_array_index(extents, DaxcExtent, index).start, start);
	ck_assert_uint_eq(g_array_index(extents, DaxcExtent, index).size, size);
}

static GByteArray *captured(const char *host, const char *name)
{
	g_autofree char *path = g_build_filename(TEST_DATA, "acpi", host, name, NULL);
	char *data;
	gsize length;

	ck_assert_msg(g_file_get_contents(path, &data, &length, NULL), "%s", path);
	return g_byte_array_new_take((guint8 *)data, length);
}

/* Both tables must be refused with @says. */
static void assert_invalid(const GByteArray *hmat, const GByteArray *srat,
			   const char *says)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = parse(hmat, srat, &error);

	ck_assert_msg(!caches, "accepted, without \"%s\"", says);
	unit_assert_error(error, DAXC_ERROR_INVALID, says);
}

/* Roots: directories that hold a "/sys". */

static char *root_new(void)
{
	char *root = g_dir_make_tmp("daxcolor-platform-XXXXXX", NULL);

	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(g_chmod(root, 0755), 0);
	return root;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void root_free(char *root)
{
	if (root)
		nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	g_free(root);
}

typedef char Root;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Root, root_free)

static void root_write(const char *root, const char *name, const void *data, gsize length)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
	ck_assert(g_file_set_contents(path, data, (gssize)length, NULL));
}

static void root_text(const char *root, const char *name, const char *text)
{
	root_write(root, name, text, strlen(text));
}

static void root_table(const char *root, const char *name, const GByteArray *table)
{
	g_autofree char *path = g_strconcat(TABLES, name, NULL);

	root_write(root, path, table->data, table->len);
}

/* One level of the memory-side cache of node 1. */
static void root_level(const char *root, guint level, const char *indexing,
		       const char *size)
{
	g_autofree char *dir =
		g_strdup_printf(NODES "node1/memory_side_cache/index%u/", level);
	g_autofree char *indexing_name = g_strconcat(dir, "indexing", NULL);
	g_autofree char *size_name = g_strconcat(dir, "size", NULL);

	root_text(root, indexing_name, indexing);
	root_text(root, size_name, size);
}

static GPtrArray *regions_new(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

static void add_region(GPtrArray *regions, gint node, guint64 start, guint64 size)
{
	DaxcRegion *region = g_new0(DaxcRegion, 1);

	region->id = regions->len;
	region->node = node;
	region->start = start;
	region->size = size;
	g_ptr_array_add(regions, region);
}

START_TEST(tables_of_real_hosts_are_understood)
{
	g_autoptr(GByteArray) hmat = captured("demo", "HMAT");
	g_autoptr(GByteArray) srat = captured("demo", "SRAT");
	g_autoptr(GByteArray) hmat2 = captured("two-node", "HMAT");
	g_autoptr(GByteArray) srat2 = captured("two-node", "SRAT");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) demo = parse(hmat, srat, &error);
	g_autoptr(GPtrArray) two = parse(hmat2, srat2, &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(demo->len, 1);
	assert_cache(cache_at(demo, 0)->domain, 1, 4 * GIB, GIB, 4);
	ck_assert_int_eq(cache_at(demo, 0)->domain->source, DAXC_SOURCE_HMAT);
	ck_assert(!cache_at(demo, 0)->domain->extended_linear);
	ck_assert_uint_eq(cache_at(demo, 0)->memory->len, 2);
	assert_extent(cache_at(demo, 0)->memory, 0, GIB, 2 * GIB);
	assert_extent(cache_at(demo, 0)->memory, 1, 4 * GIB, 8 * GIB);

	ck_assert_uint_eq(two->len, 2);
	assert_cache(cache_at(two, 0)->domain, 1, 2 * GIB, GIB, 2);
	assert_cache(cache_at(two, 1)->domain, 2, 2 * GIB, GIB, 2);
	ck_assert_uint_eq(cache_at(two, 1)->memory->len, 1);
	assert_extent(cache_at(two, 1)->memory, 0, 8 * GIB, 4 * GIB);
}
END_TEST

START_TEST(caches_of_any_size_have_whole_colors)
{
	static const struct {
		guint64 size;
		guint64 granule;
		guint32 colors;
	} cases[] = {
		{96 * GIB, GIB, 96},
		{4 * GIB, GIB, 4},
		{1536 * MIB, 512 * MIB, 3},
		{256 * MIB, 256 * MIB, 1},
		{126 * GIB + 2 * MIB, 2 * MIB, 64513},
		{65536 * GIB, GIB, 65536},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) hmat = hmat_new();
		g_autoptr(GByteArray) srat = srat_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) caches = NULL;

		add_cache(hmat, 0, 1, DIRECT, 0, cases[i].size);
		add_memory(srat, 0, 0, 370 * GIB, ENABLED);
		caches = parse(hmat, srat, &error);
		unit_assert_no_error(error);
		assert_cache(cache_at(caches, 0)->domain, 0, cases[i].size,
			     cases[i].granule, cases[i].colors);
	}
}
END_TEST

START_TEST(an_extended_linear_cache_has_the_same_colors)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = NULL;

	add_cache(hmat, 2, 1, DIRECT, EXTENDED_LINEAR, 128 * GIB);
	add_memory(srat, 2, 130 * GIB, 256 * GIB, ENABLED | HOTPLUG);
	caches = parse(hmat, srat, &error);
	unit_assert_no_error(error);
	assert_cache(cache_at(caches, 0)->domain, 2, 128 * GIB, GIB, 128);
	ck_assert(cache_at(caches, 0)->domain->extended_linear);
}
END_TEST

/* Equal modulo the cache's size is what evicts, wherever the memory begins. */
START_TEST(where_memory_begins_changes_neither_granule_nor_colors)
{
	static const guint64 starts[] = {0, GIB, 386 * GIB + 256 * MIB, 4096};

	for (gsize i = 0; i < G_N_ELEMENTS(starts); i++) {
		g_autoptr(GByteArray) hmat = hmat_new();
		g_autoptr(GByteArray) srat = srat_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) caches = NULL;
		const DaxcCacheDomain *domain;
		guint32 near, far;

		add_cache(hmat, 0, 1, DIRECT, EXTENDED_LINEAR, 96 * GIB);
		add_memory(srat, 0, starts[i], 192 * GIB, ENABLED);
		caches = parse(hmat, srat, &error);
		unit_assert_no_error(error);
		domain = cache_at(caches, 0)->domain;
		assert_cache(domain, 0, 96 * GIB, GIB, 96);
		for (guint64 at = starts[i]; at < starts[i] + 96 * GIB; at += 300 * MIB) {
			ck_assert(daxc_cache_domain_color(domain, at, &near));
			ck_assert(daxc_cache_domain_color(domain, at + 96 * GIB, &far));
			ck_assert_uint_eq(near, far);
		}
	}
}
END_TEST

START_TEST(of_several_levels_the_largest_direct_one_counts)
{
	static const struct {
		guint direct[3];
		guint64 size[3];
		guint64 chosen;
	} cases[] = {
		{{DIRECT, DIRECT, DIRECT}, {8 * GIB, 4 * GIB, 2 * GIB}, 8 * GIB},
		{{DIRECT, DIRECT, DIRECT}, {2 * GIB, 4 * GIB, 8 * GIB}, 8 * GIB},
		{{COMPLEX, DIRECT, DIRECT}, {8 * GIB, 4 * GIB, 2 * GIB}, 4 * GIB},
		{{COMPLEX, NONE, DIRECT}, {8 * GIB, 4 * GIB, 2 * GIB}, 2 * GIB},
	};
	g_autoptr(GByteArray) srat = srat_new();

	add_memory(srat, 0, 0, 32 * GIB, ENABLED);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) hmat = hmat_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) caches = NULL;

		for (guint level = 3; level > 0; level--)
			add_cache(hmat, 0, level, cases[i].direct[level - 1], 0,
				  cases[i].size[level - 1]);
		caches = parse(hmat, srat, &error);
		unit_assert_no_error(error);
		ck_assert_uint_eq(caches->len, 1);
		ck_assert_uint_eq(cache_at(caches, 0)->domain->cache_size,
				  cases[i].chosen);
	}
}
END_TEST

START_TEST(caches_may_be_listed_in_any_order)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = NULL;

	add_cache(hmat, 2, 1, DIRECT, 0, 2 * GIB);
	add_cache(hmat, 1, 2, DIRECT, 0, 2 * GIB);
	add_cache(hmat, 2, 2, DIRECT, 0, 4 * GIB);
	caches = parse(hmat, srat, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(caches->len, 2);
	assert_cache(cache_at(caches, 0)->domain, 1, 2 * GIB, GIB, 2);
	assert_cache(cache_at(caches, 1)->domain, 2, 4 * GIB, GIB, 4);
}
END_TEST

START_TEST(levels_of_a_real_host_are_told_apart)
{
	g_autoptr(GByteArray) hmat = captured("two-level", "HMAT");
	g_autoptr(GByteArray) srat = captured("two-level", "SRAT");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = parse(hmat, srat, &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(caches->len, 1);
	assert_cache(cache_at(caches, 0)->domain, 1, 4 * GIB, GIB, 4);
}
END_TEST

START_TEST(caches_without_colors_are_left_out)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = NULL;

	add_cache(hmat, 9, 1, DIRECT, 0, 2 * GIB);
	add_cache(hmat, 0, 1, COMPLEX, 0, 2 * GIB);
	add_cache(hmat, 1, 1, NONE, 0, 2 * GIB);
	add_cache(hmat, 2, 0, DIRECT, 0, 2 * GIB);
	add_cache(hmat, 3, 1, DIRECT, 0, 0);
	add_cache(hmat, 4, 1, DIRECT, 0, 2 * GIB + 4096);
	add_cache(hmat, 5, 1, DIRECT, 2, 2 * GIB);
	add_cache(hmat, 6, 1, DIRECT, 0, 65537 * GIB);
	add_cache(hmat, 7, 1, DIRECT, 0, G_MAXUINT64);
	add_cache(hmat, 8, 1, DIRECT, 0, 200 * GIB + 2 * MIB);
	caches = parse(hmat, srat, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(caches->len, 1);
	ck_assert_int_eq(cache_at(caches, 0)->domain->node, 9);
	ck_assert_uint_eq(cache_at(caches, 0)->memory->len, 0);
}
END_TEST

START_TEST(only_enabled_memory_counts)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = NULL;

	add_cache(hmat, 1, 1, DIRECT, 0, 2 * GIB);
	add_memory(srat, 1, 8 * GIB, GIB, ENABLED);
	add_memory(srat, 1, 4 * GIB, 0, ENABLED);
	add_memory(srat, 0, 8 * GIB, GIB, HOTPLUG);
	add_memory(srat, 1, 4 * GIB, GIB, ENABLED);
	caches = parse(hmat, srat, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(cache_at(caches, 0)->memory->len, 2);
	assert_extent(cache_at(caches, 0)->memory, 0, 4 * GIB, GIB);
	assert_extent(cache_at(caches, 0)->memory, 1, 8 * GIB, GIB);
}
END_TEST

START_TEST(an_old_srat_has_one_byte_of_proximity_domain)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = table_new("SRAT", 1, 48);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = NULL;

	add_cache(hmat, 1, 1, DIRECT, 0, 2 * GIB);
	add_memory(srat, 0xabcdef01, 4 * GIB, GIB, ENABLED);
	caches = parse(hmat, srat, &error);
	unit_assert_no_error(error);
	assert_extent(cache_at(caches, 0)->memory, 0, 4 * GIB, GIB);
}
END_TEST

START_TEST(structures_of_other_types_are_passed_over)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = NULL;

	put(hmat, 0xffff, 4);
	put(hmat, 8, 4);
	add_cache(hmat, 1, 1, DIRECT, 0, 2 * GIB);
	/* The same with two SMBIOS handles, which its length has room for. */
	add_cache(hmat, 2, 1, DIRECT, 0, 2 * GIB);
	put(hmat, 0x12345678, 4);
	hmat->data[hmat->len - 36 + 4] = 36;
	hmat->data[hmat->len - 36 + 30] = 2;
	seal(hmat);
	put(srat, 0xfe, 1);
	put(srat, 2, 1);
	add_memory(srat, 1, 4 * GIB, GIB, ENABLED);
	caches = parse(hmat, srat, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(caches->len, 2);
	ck_assert_uint_eq(cache_at(caches, 0)->memory->len, 1);
}
END_TEST

START_TEST(tables_that_contradict_themselves_are_refused)
{
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) twice = hmat_new();
	g_autoptr(GByteArray) absurd = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GByteArray) overlap = srat_new();
	g_autoptr(GByteArray) inside = srat_new();
	g_autoptr(GByteArray) beyond = srat_new();

	add_cache(hmat, 1, 1, DIRECT, 0, 2 * GIB);
	add_cache(twice, 1, 1, DIRECT, 0, 2 * GIB);
	add_cache(twice, 1, 1, DIRECT, 0, 4 * GIB);
	assert_invalid(twice, srat, "two caches of level 1 for proximity domain 1");
	add_cache(absurd, G_MAXUINT32, 1, DIRECT, 0, 2 * GIB);
	assert_invalid(absurd, srat, "proximity domain 4294967295");
	add_memory(overlap, 1, 4 * GIB, 4 * GIB, ENABLED);
	add_memory(overlap, 2, 2 * GIB, 2 * GIB + 1, ENABLED);
	assert_invalid(hmat, overlap, "0x100000000 to proximity domains 2 and 1");
	add_memory(inside, 1, 4 * GIB, 9 * GIB, ENABLED);
	add_memory(inside, 1, 5 * GIB, GIB, ENABLED);
	add_memory(inside, 2, 7 * GIB, GIB, ENABLED);
	assert_invalid(hmat, inside, "0x1c0000000 to proximity domains 1 and 2");
	add_memory(beyond, 1, G_MAXUINT64 - 1, 2, ENABLED);
	assert_invalid(hmat, beyond, "ends above the last address");
}
END_TEST

START_TEST(lengths_that_cannot_be_are_refused)
{
	static const guint hmat_lengths[] = {0, 1, 7, 8, 31, 33, 0xffffffff};
	static const guint8 srat_lengths[] = {0, 1, 2, 39, 41, 255};
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();

	add_cache(hmat, 1, 1, DIRECT, 0, 2 * GIB);
	add_memory(srat, 1, 4 * GIB, GIB, ENABLED);
	for (gsize i = 0; i < G_N_ELEMENTS(hmat_lengths); i++) {
		guint32 length = GUINT32_TO_LE(hmat_lengths[i]);

		memcpy(hmat->data + 44, &length, sizeof(length));
		seal(hmat);
		assert_invalid(hmat, srat, "HMAT: the structure at offset 40");
	}
	hmat->data[44] = 32;
	memset(hmat->data + 45, 0, 3);
	hmat->data[40 + 30] = 1;
	seal(hmat);
	assert_invalid(hmat, srat, "HMAT: the structure at offset 40");
	hmat->data[40 + 30] = 0;
	/* Structures of an unknown type, each too short for a header. */
	hmat->data[40] = 9;
	for (guint8 length = 0; length < 8; length++) {
		hmat->data[44] = length;
		seal(hmat);
		assert_invalid(hmat, srat, "HMAT: the structure at offset 40");
	}
	hmat->data[40] = 2;
	hmat->data[44] = 32;
	seal(hmat);
	for (gsize i = 0; i < G_N_ELEMENTS(srat_lengths); i++) {
		srat->data[49] = srat_lengths[i];
		seal(srat);
		assert_invalid(hmat, srat, "SRAT: the structure at offset 48");
	}
}
END_TEST

START_TEST(headers_are_checked)
{
	g_autoptr(GByteArray) hmat = captured("two-node", "HMAT");
	g_autoptr(GByteArray) srat = captured("two-node", "SRAT");

	assert_invalid(srat, srat, "HMAT does not begin with its name");
	assert_invalid(hmat, hmat, "SRAT does not begin with its name");
	hmat->data[4]++;
	hmat->data[9]--;
	assert_invalid(hmat, srat, "HMAT says that it has 333 bytes, but has 332");
	hmat->data[4] -= 2;
	hmat->data[9] += 2;
	assert_invalid(hmat, srat, "HMAT says that it has 331 bytes, but has 332");
	seal(hmat);
	hmat->data[40]++;
	assert_invalid(hmat, srat, "HMAT has a wrong checksum");
	hmat->data[40]--;
	srat->data[100]++;
	assert_invalid(hmat, srat, "SRAT has a wrong checksum");
}
END_TEST

/* Each prefix of a table, as it is and with its header made to fit. */
START_TEST(tables_cut_anywhere_are_read_or_refused)
{
	static const char *const names[] = {"HMAT", "SRAT"};
	/* Header, and ends of structures that these captured tables have. */
	static const guint whole[][9] = {
		{40, 80, 120, 160, 214, 268, 300, 332},
		{48, 64, 80, 120, 160, 200, 240, 280},
	};
	g_autoptr(GByteArray) hmat = captured("two-node", "HMAT");
	g_autoptr(GByteArray) srat = captured("two-node", "SRAT");
	GByteArray *const tables[] = {hmat, srat};

	for (guint which = 0; which < 2; which++) {
		GByteArray *table = tables[which];
		g_autofree guint8 *saved = g_memdup2(table->data, table->len);
		guint length = table->len, boundaries = 0;

		for (guint cut = 0; cut <= length; cut++) {
			g_autoptr(GError) error = NULL;
			g_autoptr(GPtrArray) caches = NULL;

			table->len = cut;
			memcpy(table->data, saved, length);
			if (cut < length)
				assert_invalid(tables[0], tables[1], names[which]);
			if (cut >= 10)
				seal(table);
			caches = parse(tables[0], tables[1], &error);
			if (caches && cut == whole[which][boundaries])
				boundaries++;
			else
				unit_assert_error(error, DAXC_ERROR_INVALID,
						  names[which]);
		}
		ck_assert_uint_eq(boundaries, 8);
	}
}
END_TEST

/* What comes out of hostile tables is refused, or fit for the core. */
static void assert_sane(const GByteArray *hmat, const GByteArray *srat)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) caches = parse(hmat, srat, &error);
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();

	ck_assert((caches == NULL) == (error != NULL));
	if (error)
		unit_assert_error(error, DAXC_ERROR_INVALID, "AT");
	for (guint i = 0; caches && i < caches->len; i++) {
		ck_assert(
			daxc_geometry_add(geometry, cache_at(caches, i)->domain, &error));
		ck_assert_int_eq(cache_at(caches, i)->domain->kind, DAXC_GEOMETRY_ROTATE);
	}
}

START_TEST(flipped_bits_do_no_harm)
{
	g_autoptr(GByteArray) hmat = captured("two-node", "HMAT");
	g_autoptr(GByteArray) srat = captured("two-node", "SRAT");
	GByteArray *const tables[] = {hmat, srat};

	for (guint which = 0; which < 2; which++) {
		GByteArray *table = tables[which];

		for (guint bit = 0; bit < table->len * 8; bit++) {
			g_autofree guint8 *saved = g_memdup2(table->data, table->len);

			table->data[bit / 8] ^= (guint8)(1u << (bit % 8));
			assert_invalid(tables[0], tables[1], "AT");
			seal(table);
			assert_sane(tables[0], tables[1]);
			memcpy(table->data, saved, table->len);
		}
	}
}
END_TEST

START_TEST(sysfs_tells_the_cache_of_a_node)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcCacheDomain) two = NULL;
	g_autoptr(DaxcCacheDomain) xeon = NULL;
	g_autoptr(DaxcCacheDomain) cxl = NULL;

	ck_assert(
		daxc_platform_sysfs_cache(TEST_DATA "/sysfs/two-node", 1, &two, &error));
	ck_assert(daxc_platform_sysfs_cache(TEST_DATA "/sysfs/xeon-memory-mode", 1, &xeon,
					    &error));
	ck_assert(daxc_platform_sysfs_cache(TEST_DATA "/sysfs/cxl-extended-linear", 2,
					    &cxl, &error));
	assert_cache(two, 1, 2 * GIB, GIB, 2);
	ck_assert_int_eq(two->source, DAXC_SOURCE_SYSFS);
	ck_assert(!two->extended_linear);
	assert_cache(xeon, 1, 96 * GIB, GIB, 96);
	assert_cache(cxl, 2, 128 * GIB, GIB, 128);
	ck_assert(cxl->extended_linear);
}
END_TEST

START_TEST(a_node_without_cache_is_no_error)
{
	static const gint nodes[] = {0, 2, 7, -1, G_MAXINT, G_MININT};

	for (gsize i = 0; i < G_N_ELEMENTS(nodes); i++) {
		g_autoptr(GError) error = NULL;
		DaxcCacheDomain *domain = (gpointer)&error;

		ck_assert(daxc_platform_sysfs_cache(TEST_DATA "/sysfs/two-node", nodes[i],
						    &domain, &error));
		unit_assert_no_error(error);
		ck_assert_ptr_null(domain);
	}
}
END_TEST

START_TEST(levels_in_sysfs_count_as_in_the_tables)
{
	g_autoptr(Root) root = root_new();
	g_autoptr(DaxcCacheDomain) domain = NULL;
	g_autoptr(GError) error = NULL;

	root_level(root, 1, "1\n", "8589934592\n");
	root_level(root, 2, "0\n", "2147483648\n");
	root_level(root, 3, "0\n", "4294967296\n");
	root_text(root, NODES "node1/memory_side_cache/power/control", "auto\n");
	ck_assert(daxc_platform_sysfs_cache(root, 1, &domain, &error));
	unit_assert_no_error(error);
	assert_cache(domain, 1, 4 * GIB, GIB, 4);
}
END_TEST

START_TEST(hostile_sysfs_is_refused)
{
	static const struct {
		const char *indexing;
		const char *size;
		const char *mode; /* NULL: no such attribute */
		DaxcError code;
		const char *says;
	} cases[] = {
		{"1\n", "4294967296\n", "0\n", DAXC_ERROR_UNSUPPORTED,
		 "memory-side cache of node 1: it is not direct-mapped"},
		{"2\n", "4294967296\n", NULL, DAXC_ERROR_UNSUPPORTED,
		 "not direct-mapped"},
		{"99999\n", "4294967296\n", NULL, DAXC_ERROR_UNSUPPORTED, "not direct"},
		{"0\n", "4294967296\n", "0x2\n", DAXC_ERROR_UNSUPPORTED,
		 "mode 2 is unknown"},
		{"0\n", "4096\n", NULL, DAXC_ERROR_UNSUPPORTED, "size of 4 KiB is not a"},
		{"0\n", "18446744073709551615\n", NULL, DAXC_ERROR_UNSUPPORTED,
		 "size of"},
		{"0\n", "9223372036854775808\n", NULL, DAXC_ERROR_UNSUPPORTED,
		 "more than"},
		{"0\n", "0\n", NULL, DAXC_ERROR_INVALID, "its size is 0"},
		{"0\n", "", NULL, DAXC_ERROR_INVALID, "index1/size holds \"\" and not"},
		{"0\n", "\n", NULL, DAXC_ERROR_INVALID, "index1/size holds"},
		{"0\n", "-1\n", NULL, DAXC_ERROR_INVALID, "index1/size holds \"-1\""},
		{"0\n", "4G\n", NULL, DAXC_ERROR_INVALID, "index1/size holds \"4G\""},
		{"0\n", "18446744073709551616\n", NULL, DAXC_ERROR_INVALID,
		 "index1/size"},
		{"0\n", " 1\n", NULL, DAXC_ERROR_INVALID, "index1/size holds \" 1\""},
		{"0\n", "\x1b[2J\n", NULL, DAXC_ERROR_INVALID, "holds \"\\033[2J\""},
		{"zero\n", "4294967296\n", NULL, DAXC_ERROR_INVALID, "index1/indexing"},
		{"0\n", "4294967296\n", "x\n", DAXC_ERROR_INVALID, "index1/address_mode"},
		{"0\n", "4294967296\n", "0x\n", DAXC_ERROR_INVALID,
		 "index1/address_mode"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Root) root = root_new();
		DaxcCacheDomain *domain = (gpointer)root;
		g_autoptr(GError) error = NULL;

		root_level(root, 1, cases[i].indexing, cases[i].size);
		if (cases[i].mode)
			root_text(root,
				  NODES "node1/memory_side_cache/index1/address_mode",
				  cases[i].mode);
		ck_assert(!daxc_platform_sysfs_cache(root, 1, &domain, &error));
		ck_assert_ptr_null(domain);
		unit_assert_error(error, cases[i].code, cases[i].says);
	}
}
END_TEST

START_TEST(odd_files_in_sysfs_are_refused)
{
	g_autoptr(Root) root = root_new();
	g_autofree char *size =
		g_build_filename(root, NODES "node1/memory_side_cache/index1/size", NULL);
	g_autofree char *much = g_strnfill(1 << 17, '1');
	g_autoptr(GError) error = NULL;
	DaxcCacheDomain *domain;

	root_level(root, 1, "0\n", much);
	ck_assert(!daxc_platform_sysfs_cache(root, 1, &domain, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "is longer than 64 KiB");
	g_clear_error(&error);
	root_write(root, NODES "node1/memory_side_cache/index1/size", "1\0", 2);
	ck_assert(!daxc_platform_sysfs_cache(root, 1, &domain, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "and not a number");
	g_clear_error(&error);
	ck_assert_int_eq(g_unlink(size), 0);
	ck_assert(!daxc_platform_sysfs_cache(root, 1, &domain, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, size);
	g_clear_error(&error);
	ck_assert_int_eq(g_mkdir(size, 0755), 0);
	ck_assert(!daxc_platform_sysfs_cache(root, 1, &domain, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "is not a regular file");
}
END_TEST

/* The virtual host: node 1 in sysfs, node 2 offline and in the tables only. */
static char *two_node_root(void)
{
	g_autoptr(GByteArray) hmat = captured("two-node", "HMAT");
	g_autoptr(GByteArray) srat = captured("two-node", "SRAT");
	char *root = root_new();

	root_level(root, 1, "0\n", "2147483648\n");
	root_table(root, "HMAT", hmat);
	root_table(root, "SRAT", srat);
	return root;
}

static GPtrArray *two_node_regions(void)
{
	GPtrArray *regions = regions_new();

	add_region(regions, 1, 4 * GIB, 4 * GIB);
	add_region(regions, 2, 8 * GIB, 4 * GIB);
	return regions;
}

START_TEST(sysfs_comes_before_the_tables)
{
	g_autoptr(Root) root = two_node_root();
	g_autoptr(GPtrArray) regions = two_node_regions();
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGeometry)
		geometry = daxc_platform_geometry(root, NULL, regions, &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(daxc_geometry_count(geometry), 2);
	assert_cache(daxc_geometry_get(geometry, 0), 1, 2 * GIB, GIB, 2);
	assert_cache(daxc_geometry_get(geometry, 1), 2, 2 * GIB, GIB, 2);
	ck_assert_int_eq(daxc_geometry_get(geometry, 0)->source, DAXC_SOURCE_SYSFS);
	ck_assert_int_eq(daxc_geometry_get(geometry, 1)->source, DAXC_SOURCE_HMAT);
}
END_TEST

START_TEST(sysfs_and_the_tables_give_a_color_the_same_number)
{
	g_autoptr(Root) root = root_new();
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GPtrArray) regions = regions_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGeometry) raw = NULL;
	g_autoptr(DaxcGeometry) sysfs = NULL;
	guint64 start = 386 * GIB + 256 * MIB;

	add_cache(hmat, 1, 1, DIRECT, 0, 96 * GIB);
	add_memory(srat, 1, start, 370 * GIB, ENABLED);
	root_table(root, "HMAT", hmat);
	root_table(root, "SRAT", srat);
	add_region(regions, 1, start, 370 * GIB);
	raw = daxc_platform_geometry(root, NULL, regions, &error);
	unit_assert_no_error(error);
	root_level(root, 1, "0\n", "103079215104\n");
	sysfs = daxc_platform_geometry(root, NULL, regions, &error);
	unit_assert_no_error(error);
	ck_assert_int_eq(daxc_geometry_get(raw, 0)->source, DAXC_SOURCE_HMAT);
	ck_assert_int_eq(daxc_geometry_get(sysfs, 0)->source, DAXC_SOURCE_SYSFS);
	for (guint64 at = start; at < start + 370 * GIB; at += 256 * MIB) {
		guint32 one, other;

		ck_assert(daxc_cache_domain_color(daxc_geometry_get(raw, 0), at, &one));
		ck_assert(
			daxc_cache_domain_color(daxc_geometry_get(sysfs, 0), at, &other));
		ck_assert_uint_eq(one, other);
	}
}
END_TEST

START_TEST(configuration_comes_before_all)
{
	g_autoptr(Root) root = two_node_root();
	g_autoptr(GPtrArray) regions = two_node_regions();
	g_autoptr(GPtrArray) configured = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGeometry) geometry = NULL;
	DaxcCacheDomain domains[] = {
		{.node = 1, .cache_size = 4 * GIB, .granule = GIB, .colors = 4},
		{.node = 2, .cache_size = 3 * GIB, .granule = GIB, .colors = 3},
		{.node = 3, .cache_size = 3 * GIB, .granule = GIB, .colors = 3},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(domains); i++)
		g_ptr_array_add(configured, &domains[i]);
	/* Neither is looked at: this would be an error. */
	root_level(root, 1, "hostile\n", "hostile\n");
	root_text(root, TABLES "HMAT", "hostile");
	geometry = daxc_platform_geometry(root, configured, regions, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(daxc_geometry_count(geometry), 2);
	ck_assert_uint_eq(daxc_geometry_get(geometry, 0)->colors, 4);
	ck_assert_uint_eq(daxc_geometry_get(geometry, 1)->colors, 3);
	ck_assert_int_eq(daxc_geometry_get(geometry, 1)->source, DAXC_SOURCE_CONFIG);
}
END_TEST

START_TEST(tables_are_not_read_where_sysfs_knows)
{
	g_autoptr(Root) root = root_new();
	g_autoptr(GPtrArray) regions = regions_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGeometry) geometry = NULL;

	root_level(root, 1, "0\n", "2147483648\n");
	root_text(root, TABLES "HMAT", "hostile");
	root_text(root, TABLES "SRAT", "hostile");
	add_region(regions, 1, 4 * GIB, 4 * GIB);
	add_region(regions, 1, 9 * GIB, 4 * GIB);
	geometry = daxc_platform_geometry(root, NULL, regions, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(daxc_geometry_count(geometry), 1);
}
END_TEST

START_TEST(regions_find_their_cache_by_address_not_by_number)
{
	g_autoptr(Root) root = root_new();
	g_autoptr(GByteArray) hmat = hmat_new();
	g_autoptr(GByteArray) srat = srat_new();
	g_autoptr(GPtrArray) regions = regions_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcGeometry) geometry = NULL;

	add_cache(hmat, 2, 1, DIRECT, 0, 4 * GIB);
	add_cache(hmat, 40, 1, DIRECT, 0, 2 * GIB);
	add_memory(srat, 40, 4 * GIB, 8 * GIB, ENABLED);
	add_memory(srat, 2, 12 * GIB, 8 * GIB, ENABLED);
	add_memory(srat, 3, 20 * GIB, 8 * GIB, ENABLED);
	root_table(root, "HMAT", hmat);
	root_table(root, "SRAT", srat);
	add_region(regions, 2, 5 * GIB, 2 * GIB);
	add_region(regions, 2, 8 * GIB, 4 * GIB);
	add_region(regions, 40, 12 * GIB, 8 * GIB);
	add_region(regions, 3, 20 * GIB, 8 * GIB);
	add_region(regions, 4, 64 * GIB, 8 * GIB);
	add_region(regions, -1, 5 * GIB, GIB);
	geometry = daxc_platform_geometry(root, NULL, regions, &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(daxc_geometry_count(geometry), 2);
	assert_cache(daxc_geometry_for_node(geometry, 2), 2, 2 * GIB, GIB, 2);
	assert_cache(daxc_geometry_for_node(geometry, 40), 40, 4 * GIB, GIB, 4);
}
END_TEST

START_TEST(a_platform_without_tables_has_no_caches)
{
	g_autoptr(GByteArray) hmat = captured("two-node", "HMAT");
	g_autoptr(Root) root = root_new();
	g_autoptr(GPtrArray) regions = two_node_regions();

	for (guint i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcGeometry)
			geometry = daxc_platform_geometry(root, NULL, regions, &error);

		unit_assert_no_error(error);
		ck_assert_uint_eq(daxc_geometry_count(geometry), 0);
		/* Once more with HMAT, but nothing to place it by. */
		root_table(root, "HMAT", hmat);
	}
}
END_TEST

/* The geometry of @regions must fail with @code and @says. */
static void assert_no_geometry(const char *root, const GPtrArray *regions, DaxcError code,
			       const char *says)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_platform_geometry(root, NULL, regions, &error));
	unit_assert_error(error, code, says);
	unit_assert_error(error, code, "daxcolor.conf overrules");
}

START_TEST(a_region_whose_cache_has_no_colors_says_why)
{
	static const struct {
		guint associativity;
		guint16 mode;
		guint64 size;
		DaxcError code;
		const char *says;
	} cases[] = {
		{COMPLEX, 0, 2 * GIB, DAXC_ERROR_UNSUPPORTED,
		 "region 1 (node 2): memory-side cache of proximity domain 2: it is not "
		 "direct-mapped"},
		{DIRECT, 7, 2 * GIB, DAXC_ERROR_UNSUPPORTED, "address mode 7"},
		{DIRECT, 0, 4096, DAXC_ERROR_UNSUPPORTED, "size of 4 KiB"},
		{DIRECT, 0, 0, DAXC_ERROR_INVALID, "its size is 0"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Root) root = two_node_root();
		g_autoptr(GPtrArray) regions = two_node_regions();
		g_autoptr(GByteArray) hmat = hmat_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcGeometry) geometry = NULL;

		add_cache(hmat, 2, 1, cases[i].associativity, cases[i].mode,
			  cases[i].size);
		root_table(root, "HMAT", hmat);
		assert_no_geometry(root, regions, cases[i].code, cases[i].says);
		/* Of no concern where no region is behind it. */
		g_ptr_array_set_size(regions, 1);
		geometry = daxc_platform_geometry(root, NULL, regions, &error);
		unit_assert_no_error(error);
	}
}
END_TEST

START_TEST(hostile_tables_name_the_region_that_needs_them)
{
	g_autoptr(Root) root = two_node_root();
	g_autoptr(GPtrArray) regions = two_node_regions();
	g_autofree char *hmat = g_build_filename(root, TABLES "HMAT", NULL);

	root_text(root, TABLES "SRAT", "SRAT");
	assert_no_geometry(root, regions, DAXC_ERROR_INVALID,
			   "region 1 (node 2): SRAT has 4 bytes");
	root_text(root, TABLES "HMAT", "");
	assert_no_geometry(root, regions, DAXC_ERROR_INVALID, "HMAT has 0 bytes");
	ck_assert_int_eq(g_unlink(hmat), 0);
	ck_assert_int_eq(g_mkdir(hmat, 0755), 0);
	assert_no_geometry(root, regions, DAXC_ERROR_INVALID, "not a regular file");
}
END_TEST

START_TEST(tables_that_only_root_may_read_say_so)
{
	g_autoptr(Root) root = two_node_root();
	g_autoptr(GPtrArray) regions = two_node_regions();
	g_autofree char *hmat = g_build_filename(root, TABLES "HMAT", NULL);
	g_autoptr(GError) error = NULL;
	gboolean is_root = geteuid() == 0;

	ck_assert_int_eq(g_chmod(hmat, 0), 0);
	if (is_root)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_ptr_null(daxc_platform_geometry(root, NULL, regions, &error));
	if (is_root)
		ck_assert_int_eq(seteuid(0), 0);
	unit_assert_error(error, DAXC_ERROR_FAILED, "tables/HMAT");
	unit_assert_error(error, DAXC_ERROR_FAILED, "run this as root");
}
END_TEST

START_TEST(a_region_across_two_proximity_domains_is_refused)
{
	g_autoptr(Root) root = two_node_root();
	g_autoptr(GPtrArray) regions = regions_new();

	add_region(regions, 3, 6 * GIB, 4 * GIB);
	assert_no_geometry(root, regions, DAXC_ERROR_INVALID,
			   "between proximity domains 1 and 2");
}
END_TEST

START_TEST(two_nodes_behind_one_cache_are_refused)
{
	g_autoptr(Root) root = two_node_root();
	g_autoptr(GPtrArray) regions = regions_new();

	add_region(regions, 2, 8 * GIB, 2 * GIB);
	add_region(regions, 3, 10 * GIB, 2 * GIB);
	assert_no_geometry(
		root, regions, DAXC_ERROR_INVALID,
		"region 1 (node 3): HMAT and SRAT have it behind the memory-side "
		"cache of node 2 (proximity domain 2)");
}
END_TEST

START_TEST(one_node_behind_two_caches_is_refused)
{
	static const guint64 starts[][2] = {
		{4 * GIB, 8 * GIB},   /* behind two caches */
		{4 * GIB, 64 * GIB},  /* behind one, and unknown to SRAT */
		{64 * GIB, 4 * GIB},  /* the same the other way round */
		{8 * GIB, 512 * MIB}, /* behind one, and behind none */
	};

	for (gsize i = 0; i < G_N_ELEMENTS(starts); i++) {
		g_autoptr(Root) root = two_node_root();
		g_autoptr(GPtrArray) regions = regions_new();

		add_region(regions, 3, starts[i][0], 2 * GIB);
		add_region(regions, 3, starts[i][1], 256 * MIB);
		assert_no_geometry(
			root, regions, DAXC_ERROR_INVALID,
			"region 1 (node 3): HMAT and SRAT have it behind another");
	}
}
END_TEST

START_TEST(distances_are_those_of_sysfs)
{
	static const struct {
		const char *host;
		gint from;
		gint to;
		guint distance;
	} cases[] = {
		{"xeon-memory-mode", 0, 0, 10},
		{"xeon-memory-mode", 0, 1, 21},
		{"xeon-memory-mode", 1, 0, 21},
		{"two-node", 0, 2, 0},
		{"two-node", 2, 0, 0},
		{"two-node", -1, 0, 0},
		{"two-node", 0, -1, 0},
		{"none", 0, 0, 0},
		/* Node 1 is offline: the second number is that of node 2. */
		{"cxl-extended-linear", 0, 2, 14},
		{"cxl-extended-linear", 0, 1, 0},
		{"cxl-extended-linear", 2, 2, 10},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *root =
			g_build_filename(TEST_DATA, "sysfs", cases[i].host, NULL);

		ck_assert_uint_eq(
			daxc_platform_distance(root, cases[i].from, cases[i].to),
			cases[i].distance);
	}
}
END_TEST

START_TEST(hostile_distances_say_nothing)
{
	static const struct {
		const char *online;
		const char *row;
		guint distance; /* from node 1 to node 3 */
	} cases[] = {
		{"1-3\n", " 10 20 30\n", 30},
		{"0-1,3,7-9\n", "20 10 40 1 2 3\n", 40},
		{"3\n", "25\n", 25},
		{"0-2\n", "10 20 30\n", 0},
		{"0-3\n", "10 20 30\n", 0},
		{"0-3\n", "10 20 30 x\n", 0},
		{"0-3\n", "10 20 30 256\n", 0},
		{"0-3\n", "10 20 30 -1\n", 0},
		{"0-3\n", "", 0},
		{"", "10 20 30 40\n", 0},
		{"3-0\n", "10 20 30 40\n", 0},
		{"5-4,3\n", "10 20\n", 0},
		{"0-9999999\n", "1 2 3 4\n", 0},
		{"0-,3\n", "1 2 3 4\n", 0},
		{"x,3\n", "1 2 3 4\n", 0},
		{"0,,3\n", "1 2 3 4\n", 0},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Root) root = root_new();

		root_text(root, NODES "online", cases[i].online);
		root_text(root, NODES "node1/distance", cases[i].row);
		ck_assert_msg(daxc_platform_distance(root, 1, 3) == cases[i].distance,
			      "online %s row %s", cases[i].online, cases[i].row);
	}
}
END_TEST

/* Node 0 and 2 have CPUs, 1 and 3 are only memory, 4 is offline. */
static Root *cpus_root(void)
{
	Root *root = root_new();

	root_text(root, NODES "online", "0-3\n");
	root_text(root, NODES "node0/cpulist", "0-2,8\n");
	root_text(root, NODES "node0/distance", "10 30 21 30\n");
	root_text(root, NODES "node1/cpulist", "\n");
	root_text(root, NODES "node1/distance", "30 10 14 21\n");
	root_text(root, NODES "node2/cpulist", "3\n");
	root_text(root, NODES "node2/distance", "21 14 10 30\n");
	root_text(root, NODES "node3/cpulist", "\n");
	root_text(root, NODES "node3/distance", "14 21 30 10\n");
	root_text(root, DAX "dax0.0/target_node", "1\n");
	root_text(root, DAX "dax0.0/numa_node", "1\n");
	root_text(root, DAX "dax1.0/target_node", "4\n");
	root_text(root, DAX "dax1.0/numa_node", "1\n");
	return root;
}

static void assert_cpus(const Root *root, gint node, const char *expected)
{
	g_autoptr(GArray) cpus = daxc_platform_cpus(root, node);
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < cpus->len; i++)
		g_string_append_printf(text, "%s%u", i ? "," : "",
				       g_array_index(cpus, guint, i));
	ck_assert_msg(strcmp(text->str, expected) == 0, "node %d: %s, not %s", node,
		      text->str, expected);
}

START_TEST(memory_without_cpus_has_those_of_the_nearest_node)
{
	g_autoptr(Root) root = cpus_root();

	assert_cpus(root, 0, "0,1,2,8");
	assert_cpus(root, 2, "3");
	assert_cpus(root, 1, "3");
	assert_cpus(root, 3, "0,1,2,8");
	/* Linux says that node 1 is the nearest that is online. */
	assert_cpus(root, 4, "3");
	assert_cpus(root, 5, "");
	assert_cpus(root, -1, "");
}
END_TEST

START_TEST(the_only_node_with_cpus_is_the_nearest)
{
	g_autoptr(Root) root = cpus_root();

	root_text(root, NODES "node2/cpulist", "\n");
	assert_cpus(root, 2, "0,1,2,8");
	assert_cpus(root, 5, "0,1,2,8");
	assert_cpus(root, -1, "0,1,2,8");
}
END_TEST

START_TEST(cpus_that_cannot_be_are_none)
{
	static const char *const lists[] = {
		"",	   "x\n",    "0-\n",	    "2-1\n", "1,1\n", "-1\n",
		"3,2-1\n", "0,,1\n", "0-9999999\n", "0 1\n", "0;1\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_autoptr(Root) root = cpus_root();

		root_text(root, NODES "node2/cpulist", lists[i]);
		assert_cpus(root, 2, "0,1,2,8");
	}
	assert_cpus("/nonexistent", 0, "");
}
END_TEST

START_TEST(distances_that_cannot_be_choose_no_cpus)
{
	g_autoptr(Root) root = cpus_root();

	root_text(root, NODES "node1/distance", "x\n");
	assert_cpus(root, 1, "");
	root_text(root, NODES "node1/distance", "30 10 14\n");
	assert_cpus(root, 1, "3");
	root_text(root, DAX "dax1.0/numa_node", "-1\n");
	assert_cpus(root, 4, "");
	root_text(root, NODES "online", "0-4294967295\n");
	assert_cpus(root, 1, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("platform");
	TCase *tables = tcase_create("tables");
	TCase *sysfs = tcase_create("sysfs");
	TCase *geometry = tcase_create("geometry");

	suite_add_tcase(suite, tables);
	tcase_add_test(tables, tables_of_real_hosts_are_understood);
	tcase_add_test(tables, caches_of_any_size_have_whole_colors);
	tcase_add_test(tables, an_extended_linear_cache_has_the_same_colors);
	tcase_add_test(tables, where_memory_begins_changes_neither_granule_nor_colors);
	tcase_add_test(tables, of_several_levels_the_largest_direct_one_counts);
	tcase_add_test(tables, caches_may_be_listed_in_any_order);
	tcase_add_test(tables, levels_of_a_real_host_are_told_apart);
	tcase_add_test(tables, caches_without_colors_are_left_out);
	tcase_add_test(tables, only_enabled_memory_counts);
	tcase_add_test(tables, an_old_srat_has_one_byte_of_proximity_domain);
	tcase_add_test(tables, structures_of_other_types_are_passed_over);
	tcase_add_test(tables, tables_that_contradict_themselves_are_refused);
	tcase_add_test(tables, lengths_that_cannot_be_are_refused);
	tcase_add_test(tables, headers_are_checked);
	tcase_add_test(tables, tables_cut_anywhere_are_read_or_refused);
	tcase_add_test(tables, flipped_bits_do_no_harm);
	suite_add_tcase(suite, sysfs);
	tcase_add_test(sysfs, sysfs_tells_the_cache_of_a_node);
	tcase_add_test(sysfs, a_node_without_cache_is_no_error);
	tcase_add_test(sysfs, levels_in_sysfs_count_as_in_the_tables);
	tcase_add_test(sysfs, hostile_sysfs_is_refused);
	tcase_add_test(sysfs, odd_files_in_sysfs_are_refused);
	tcase_add_test(sysfs, distances_are_those_of_sysfs);
	tcase_add_test(sysfs, hostile_distances_say_nothing);
	tcase_add_test(sysfs, memory_without_cpus_has_those_of_the_nearest_node);
	tcase_add_test(sysfs, the_only_node_with_cpus_is_the_nearest);
	tcase_add_test(sysfs, cpus_that_cannot_be_are_none);
	tcase_add_test(sysfs, distances_that_cannot_be_choose_no_cpus);
	suite_add_tcase(suite, geometry);
	tcase_add_test(geometry, sysfs_comes_before_the_tables);
	tcase_add_test(geometry, sysfs_and_the_tables_give_a_color_the_same_number);
	tcase_add_test(geometry, configuration_comes_before_all);
	tcase_add_test(geometry, tables_are_not_read_where_sysfs_knows);
	tcase_add_test(geometry, regions_find_their_cache_by_address_not_by_number);
	tcase_add_test(geometry, a_platform_without_tables_has_no_caches);
	tcase_add_test(geometry, a_region_whose_cache_has_no_colors_says_why);
	tcase_add_test(geometry, hostile_tables_name_the_region_that_needs_them);
	tcase_add_test(geometry, tables_that_only_root_may_read_say_so);
	tcase_add_test(geometry, a_region_across_two_proximity_domains_is_refused);
	tcase_add_test(geometry, two_nodes_behind_one_cache_are_refused);
	tcase_add_test(geometry, one_node_behind_two_caches_is_refused);
	return unit_run(suite);
}
