// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/config.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

#define CACHE "[cache 1]\n"
#define REGION "[region 0]\nstart = 4GiB\nsize = 8GiB\nnode = 1\n"

static DaxcConfig *parse(const char *text, gboolean host, GError **error)
{
	/* A copy of its own size, so that reading past the end is seen. */
	g_autofree char *copy = g_strdup(text);

	return daxc_config_parse("FILE", copy, strlen(copy), host, error);
}

static const DaxcCacheDomain *domain_at(const DaxcConfig *config, guint index)
{
	ck_assert_uint_lt(index, config->domains->len);
	return g_ptr_array_index(config->domains, index);
}

static const DaxcRegion *region_at(const DaxcConfig *config, guint index)
{
	ck_assert_uint_lt(index, config->regions->len);
	return g_ptr_array_index(config->regions, index);
}

static char *temp_dir(void)
{
	char *dir = g_dir_make_tmp("daxcolor-config-XXXXXX", NULL);

	ck_assert_ptr_nonnull(dir);
	return dir;
}

static void assert_defaults(const DaxcConfig *config)
{
	ck_assert_int_eq(config->zero, DAXC_ZERO_BEFORE_USE);
	ck_assert_uint_eq(config->wait_ms, 30000);
	ck_assert_str_eq(config->qemu_conf, "/etc/libvirt/qemu.conf");
	ck_assert_ptr_null(config->ledger_copy);
	ck_assert_ptr_null(config->description);
	ck_assert_uint_eq(config->domains->len, 0);
	ck_assert_uint_eq(config->regions->len, 0);
	ck_assert_uint_eq(config->distances->len, 0);
	ck_assert_uint_eq(config->n_nodes, 0);
}

START_TEST(a_missing_file_means_defaults_unless_it_was_asked_for)
{
	g_autofree char *dir = temp_dir();
	g_autofree char *path = g_build_filename(dir, "none.conf", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcConfig) config = daxc_config_load(path, FALSE, &error);

	unit_assert_no_error(error);
	assert_defaults(config);
	ck_assert_ptr_null(daxc_config_load(path, TRUE, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, path);
	g_clear_error(&error);
	ck_assert_ptr_null(daxc_config_load_host(path, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, path);
	g_rmdir(dir);
}
END_TEST

START_TEST(an_empty_file_means_defaults)
{
	static const char *const texts[] = {
		"", "\n", "# nothing\n\n", "[daxcolor]\n", "\r\n[daxcolor]\r\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcConfig) config = parse(texts[i], FALSE, &error);

		unit_assert_no_error(error);
		assert_defaults(config);
	}
}
END_TEST

START_TEST(every_key_of_the_configuration_is_read)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcConfig) config =
		daxc_config_load(TEST_DATA "/config/every-key.conf", TRUE, &error);
	const DaxcCacheDomain *domain;
	const DaxcColorRange *range;

	unit_assert_no_error(error);
	ck_assert_int_eq(config->zero, DAXC_ZERO_NEVER);
	ck_assert_int_eq(config->kernel, DAXC_KERNEL_MAINLINE);
	ck_assert_uint_eq(config->wait_ms, 5000);
	ck_assert_str_eq(config->qemu_conf, "/srv/libvirt/qemu.conf");
	ck_assert_uint_eq(config->zero_rate, 4 * GIB);
	ck_assert_uint_eq(config->zero_threads, 8);
	ck_assert_uint_eq(config->bad->len, 2);
	ck_assert_uint_eq(g_array_index(config->bad, DaxcExtent, 0).start, 0x140001000);
	ck_assert_uint_eq(g_array_index(config->bad, DaxcExtent, 0).size, 1);
	ck_assert_uint_eq(g_array_index(config->bad, DaxcExtent, 1).size, 2 << 20);
	ck_assert_uint_eq(g_hash_table_size(config->keepers), 1);
	ck_assert(g_hash_table_contains(config->keepers, "acme"));
	ck_assert_uint_eq(config->domains->len, 3);

	domain = domain_at(config, 0);
	ck_assert_int_eq(domain->node, 0);
	ck_assert_int_eq(domain->kind, DAXC_GEOMETRY_ROTATE);
	ck_assert_int_eq(domain->source, DAXC_SOURCE_CONFIG);
	ck_assert_uint_eq(domain->cache_size, 96 * GIB);
	ck_assert_uint_eq(domain->granule, GIB);
	ck_assert_uint_eq(domain->colors, 96);
	ck_assert_uint_eq(domain->base, 0);
	ck_assert(!domain->extended_linear);

	domain = domain_at(config, 1);
	ck_assert_int_eq(domain->node, 1);
	ck_assert_int_eq(domain->kind, DAXC_GEOMETRY_RANGES);
	ck_assert_uint_eq(domain->cache_size, 4 * GIB);
	ck_assert_uint_eq(domain->granule, 512 * MIB);
	ck_assert_uint_eq(domain->colors, 4);
	ck_assert(domain->extended_linear);
	ck_assert_uint_eq(domain->ranges->len, 2);
	range = &g_array_index(domain->ranges, DaxcColorRange, 0);
	ck_assert_uint_eq(range->start, 4 * GIB);
	ck_assert_uint_eq(range->size, 512 * MIB);
	ck_assert_uint_eq(range->color, 0);
	range = &g_array_index(domain->ranges, DaxcColorRange, 1);
	ck_assert_uint_eq(range->start, 5 * GIB);
	ck_assert_uint_eq(range->size, GIB);
	ck_assert_uint_eq(range->color, 3);

	domain = domain_at(config, 2);
	ck_assert_int_eq(domain->node, 3);
	ck_assert_int_eq(domain->kind, DAXC_GEOMETRY_SKEW);
	ck_assert_uint_eq(domain->cache_size, 12 * MIB);
	ck_assert_uint_eq(domain->granule, 2 * MIB);
	ck_assert_uint_eq(domain->colors, 6);
	ck_assert_uint_eq(domain->base, 4 * GIB + 2 * MIB);
}
END_TEST

START_TEST(every_key_of_a_host_description_is_read)
{
	static const guint8 distances[] = {10, 21, 31, 21, 10, 41, 31, 41, 10};
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcConfig) config =
		daxc_config_load_host(TEST_DATA "/config/every-key.host", &error);

	unit_assert_no_error(error);
	ck_assert_str_eq(config->description, "three nodes, two regions");
	ck_assert_uint_eq(config->n_nodes, 3);
	ck_assert_uint_eq(config->distances->len, sizeof(distances));
	ck_assert_mem_eq(config->distances->data, distances, sizeof(distances));
	ck_assert_uint_eq(config->regions->len, 2);
	ck_assert_uint_eq(region_at(config, 0)->id, 0);
	ck_assert_uint_eq(region_at(config, 0)->start, 4 * GIB);
	ck_assert_uint_eq(region_at(config, 0)->size, 4 * GIB);
	ck_assert_uint_eq(region_at(config, 0)->available, 4 * GIB);
	ck_assert_uint_eq(region_at(config, 0)->align, 2 * MIB);
	ck_assert_int_eq(region_at(config, 0)->node, 1);
	ck_assert_uint_eq(region_at(config, 1)->id, 7);
	ck_assert_uint_eq(region_at(config, 1)->align, GIB);
	ck_assert_int_eq(region_at(config, 1)->node, 2);
	ck_assert_uint_eq(domain_at(config, 0)->colors, 3);
}
END_TEST

START_TEST(size_colors_and_granule_complete_each_other)
{
	static const struct {
		const char *keys;
		guint64 size;
		guint64 granule;
		guint32 colors;
	} cases[] = {
		{"size = 4GiB", 4 * GIB, GIB, 4},
		{"size = 96GiB", 96 * GIB, GIB, 96},
		{"size = 1536MiB", 1536 * MIB, 512 * MIB, 3},
		{"size = 6MiB", 6 * MIB, 2 * MIB, 3},
		{"size = 4GiB\ngranule = 256MiB", 4 * GIB, 256 * MIB, 16},
		{"colors = 4\ngranule = 1GiB", 4 * GIB, GIB, 4},
		{"size = 4GiB\nbase = 0x110000000", 4 * GIB, 256 * MIB, 16},
		/* Larger slices: still a whole number of rounds in the cache. */
		{"size = 96GiB\ncolors = 12", 96 * GIB, GIB, 12},
		{"kind = ranges\nranges = 0x0-0x3fffffff:5", 0, GIB, 6},
		{"kind = ranges\nranges = 0x80000000-0x8fffffff:0", 0, 256 * MIB, 1},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(CACHE, cases[i].keys, "\n", NULL);
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcConfig) config = parse(text, FALSE, &error);

		unit_assert_no_error(error);
		ck_assert_uint_eq(domain_at(config, 0)->cache_size, cases[i].size);
		ck_assert_uint_eq(domain_at(config, 0)->granule, cases[i].granule);
		ck_assert_uint_eq(domain_at(config, 0)->colors, cases[i].colors);
	}
}
END_TEST

/* Each must be refused with a message that names the file and holds @says. */
typedef struct {
	const char *text;
	const char *says;
} Refused;

static void assert_refused(const Refused *cases, gsize n, gboolean host)
{
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcConfig) config = parse(cases[i].text, host, &error);

		ck_assert_msg(!config, "accepted: %s", cases[i].text);
		unit_assert_error(error, DAXC_ERROR_INVALID, cases[i].says);
		unit_assert_error(error, DAXC_ERROR_INVALID, "FILE");
	}
}

START_TEST(mistakes_in_the_configuration_are_named)
{
	static const Refused cases[] = {
		/* not a key file */
		{"zero = never\n", "FILE: "},
		{"[daxcolor\n", "FILE: "},
		{"[daxcolor]\nzero\n", "FILE: "},
		{"[daxcolor] # here\n", "FILE: "},
		{"[]\n", "FILE: "},
		{"[daxcolor]\nzero = \xff\n", "is not UTF-8 text"},
		/* sections */
		{"[Daxcolor]\n", "[Daxcolor]: no such section"},
		{"[daxcolor 1]\n", "[daxcolor 1]: no such section"},
		{"[cache]\n", "[cache]: no such section"},
		{"[cache1]\n", "[cache1]: no such section"},
		{"[cache ]\n", "[cache ]: node \"\""},
		{"[cache x]\n",
		 "[cache x]: node \"x\" is not a whole number from 0 to 1023"},
		{"[cache -1]\n", "[cache -1]: node \"-1\""},
		{"[cache 1024]\n", "[cache 1024]: node \"1024\""},
		{"[cache 1 2]\n", "[cache 1 2]: node"},
		{"[cache 01]\n", "write [cache 1]"},
		{"[host]\n", "belongs into a host description"},
		{REGION, "[region 0]: belongs into a host description"},
		/* keys */
		{"[daxcolor]\nzeros = never\n",
		 "[daxcolor] zeros: no such key; in this "
		 "section there are zero, kernel, wait, qemu_conf, zero_rate, "
		 "zero_threads, ledger_copy, bad"},
		{"[tenant]\n", "[tenant]: no such section"},
		{"[tenant ]\n", "[tenant ]: "},
		{"[tenant a/b]\n", "[tenant a/b]: "},
		{"[tenant red]\nzero = never\n", "none of before-use, other-tenants"},
		{"[tenant red]\nkeep = 1\n", "[tenant red] keep: no such key"},
		{"[tenant red]\n[tenant red]\n", "[tenant red] is there twice"},
		{"[daxcolor]\nzero[de] = never\n", "[daxcolor] zero[de]: no such key"},
		{"[daxcolor]\nEncoding = UTF-8\n", "Encoding: no such key"},
		{CACHE "Size = 4GiB\n", "[cache 1] Size: no such key"},
		{"[daxcolor]\nwait = 1\nzero = never\nwait = 2\n",
		 "line 4: [daxcolor] wait is there twice"},
		{"[daxcolor]\nwait = 1\n [daxcolor] \nzero = never\n",
		 "line 3: [daxcolor] is there twice"},
		/* values of [daxcolor] */
		{"[daxcolor]\nzero = no\n", "zero: \"no\" is none of before-use, never"},
		{"[daxcolor]\nzero =\n", "zero: \"\" is none of"},
		{"[daxcolor]\nkernel = daxcolor\n",
		 "kernel: \"daxcolor\" is none of auto, dax_color, mainline"},
		{"[daxcolor]\nwait = 3601\n", "wait: the value \"3601\" is not a whole "
					      "number from 0 to 3600"},
		{"[daxcolor]\nwait = -1\n", "wait: the value \"-1\""},
		{"[daxcolor]\nwait = 30s\n", "wait: the value \"30s\""},
		{"[daxcolor]\nqemu_conf = qemu.conf\n", "is not an absolute path"},
		{"[daxcolor]\nledger_copy = blob-dax1.0\n", "is not an absolute path"},
		{"[daxcolor]\nqemu_conf =\n", "is not an absolute path"},
		{"[daxcolor]\nqemu_conf = /a\\nb\n", "cannot be printed"},
		{"[daxcolor]\nqemu_conf = /a\\q\n", "qemu_conf: "},
		{"[daxcolor]\nzero_rate = 1MB/s\n", "zero_rate: \"1MB/s\""},
		{"[daxcolor]\nzero_rate = 4096\n", "zero_rate: is less than 1 MiB"},
		{"[daxcolor]\nzero_threads = 0\n", "zero_threads: 0 is less than 1"},
		{"[daxcolor]\nbad = x\n", "bad: \"x\""},
		{"[daxcolor]\nbad = 1; ; 2\n", "bad: \"\""},
		{"[daxcolor]\nbad = 0x2000-0x1000\n", "bad: "},
		{"[daxcolor]\nbad = 0x10000000000000\n", "above 52 bits"},
		/* values of [cache N] */
		{CACHE, "[cache 1]: give the cache's size, or colors and granule"},
		{CACHE "colors = 4\n", "give the cache's size"},
		{CACHE "granule = 1GiB\n", "give the cache's size"},
		{CACHE "size = 0\n", "size: a cache of 0 bytes"},
		{CACHE "size = 4 GiB\n", "[cache 1] size: \"4 GiB\" is not a size"},
		{CACHE "size = -4GiB\n", "size: \"-4GiB\" is not a size"},
		{CACHE "size = 4GiB # near\n", "size: \"4GiB # near\" is not a size"},
		{CACHE "size = 1MiB\n", "leave a granule of 1 MiB"},
		{CACHE "size = 4294967297\n", "leave a granule of 1 B"},
		{CACHE "size = 16383P\n", "size: makes "},
		{CACHE "size = 65537GiB\n", "size: makes 65537 colors"},
		{CACHE "size = 4GiB\ngranule = 3GiB\n", "granule: 3 GiB is not a power"},
		{CACHE "size = 4GiB\ngranule = 2GiB\n", "granule: 2 GiB is not a power"},
		{CACHE "size = 4GiB\ngranule = 1MiB\n", "granule: 1 MiB is not a power"},
		{CACHE "size = 4GiB\ngranule = 0\n", "granule: 0 B is not a power"},
		{CACHE "size = 1536MiB\ngranule = 1GiB\n", "granule: does not divide"},
		{CACHE "size = 4GiB\ncolors = 0\n", "colors: 0 is less than 1"},
		{CACHE "size = 4GiB\ncolors = 65537\n", "colors: the value \"65537\""},
		{CACHE "size = 4GiB\ncolors = 3\n", "[cache 1]: "},
		{CACHE "kind = skew\nsize = 4GiB\ncolors = 2\n", "[cache 1]: "},
		{CACHE "size = 4GiB\nbase = 0x1000\n", "leave a granule of 4 KiB"},
		{CACHE "size = 4GiB\ngranule = 1GiB\nbase = 512MiB\n",
		 "base: is not a multiple"},
		{CACHE "size = 4GiB\nkind = random\n",
		 "kind: \"random\" is none of rotate, skew, ranges"},
		{CACHE "size = 4GiB\nextended_linear = 1\n",
		 "extended_linear: \"1\" is none of false, true"},
		{CACHE "size = 4GiB\nranges = 0x0-0x1fffff:0\n",
		 "ranges: goes with kind = ranges, but the kind is rotate"},
		/* kind = ranges */
		{CACHE "kind = ranges\n", "[cache 1] ranges: is missing"},
		{CACHE "kind = ranges\nbase = 0\nranges = 0x0-0x1fffff:0\n",
		 "base: goes"},
		{CACHE "kind = ranges\nranges =\n", "ranges: is empty"},
		{CACHE "kind = ranges\nranges = ;\n", "ranges: \"\" is not a range"},
		{CACHE "kind = ranges\nranges = 0x0-0x1fffff\n", "is not a range with"},
		{CACHE "kind = ranges\nranges = 0x0-0x1fffff:\n", "color \"\""},
		{CACHE "kind = ranges\nranges = 0x0-0x1fffff:0:1\n", "color \"0:1\""},
		{CACHE "kind = ranges\nranges = 0x0-0x1fffff:-1\n", "color \"-1\""},
		{CACHE "kind = ranges\nranges = 0x0-0x1fffff:65536\n", "color \"65536\""},
		{CACHE "kind = ranges\nranges = 0x2-0x1:0\n",
		 "\"0x2-0x1\" is not a range"},
		{CACHE "kind = ranges\nranges = 0x0-0x1fffff:0;;\n", "ranges: \"\""},
		{CACHE "kind = ranges\nranges = 0x0-0x1ffffe:0\n",
		 "leave a granule of 1 B"},
		{CACHE "kind = ranges\ncolors = 1\nranges = 0x0-0x1fffff:1\n",
		 "[cache 1]: "},
		{CACHE "kind = ranges\ngranule = 4MiB\nranges = 0x0-0x1fffff:0\n",
		 "[cache 1]: "},
		{CACHE "kind = ranges\nranges = 0x0-0x3fffff:0;0x200000-0x5fffff:1\n",
		 "overlaps"},
	};

	assert_refused(cases, G_N_ELEMENTS(cases), FALSE);
}
END_TEST

START_TEST(mistakes_in_a_host_description_are_named)
{
	static const Refused cases[] = {
		{"", "at least one region"},
		{"[host]\n", "at least one region"},
		{"[daxcolor]\n" REGION, "[daxcolor]: belongs into daxcolor.conf"},
		{REGION "[host]\nname = x\n", "[host] name: no such key"},
		{REGION "[host]\ndescription = a\\tb\n", "cannot be printed"},
		{REGION "[region 00]\n", "write [region 0]"},
		{REGION "[region 65536]\n", "region \"65536\""},
		{REGION REGION, "[region 0] is there twice"},
		{"[region 0]\nsize = 8GiB\nnode = 1\n", "[region 0] start: is missing"},
		{"[region 0]\nstart = 4GiB\nnode = 1\n", "[region 0] size: is missing"},
		{"[region 0]\nstart = 4GiB\nsize = 8GiB\n",
		 "[region 0] node: is missing"},
		{"[region 0]\nstart = 4GiB\nsize = 0\nnode = 1\n", "size: a region has"},
		{"[region 0]\nstart = 4GiB\nsize = 5P\nnode = 1\n", "52 bits"},
		{"[region 0]\nstart = 16383P\nsize = 8P\nnode = 1\n", "52 bits"},
		{"[region 0]\nstart = 4097MiB\nsize = 8GiB\nnode = 1\n",
		 "start: is not a"},
		{"[region 0]\nstart = 4GiB\nsize = 1MiB\nnode = 1\n", "size: is not a"},
		{"[region 0]\nstart = 4GiB\nsize = 8GiB\nnode = -1\n", "node: the value"},
		{"[region 0]\nstart = 4GiB\nsize = 8GiB\nnode = 1024\n",
		 "node: the value"},
		{REGION "align = 64KiB\n", "align: device-dax maps at"},
		{REGION "align = 0\n", "align: device-dax maps at"},
		{REGION "[region 1]\nstart = 11GiB\nsize = 2GiB\nnode = 1\n",
		 "[region 0] is 0x100000000-0x2ffffffff and [region 1] is "
		 "0x2c0000000-0x33fffffff"},
		{REGION "[region 1]\nstart = 2GiB\nsize = 16GiB\nnode = 1\n", "overlap"},
		{REGION "[cache 2]\nsize = 4GiB\n", "[cache 2]: no region has node = 2"},
		{REGION "[host]\ndistance = 10\n", "[region 0] node: there is no node 1"},
		{REGION "[host]\ndistance =\n", "distance: has 0 rows"},
		{REGION "[host]\ndistance = ;;\n", "row 0 has 0 numbers"},
		{REGION "[host]\ndistance = 10 20; 20\n", "row 1 has 1 numbers"},
		{REGION "[host]\ndistance = 10 20; 20 10; 20 20\n",
		 "row 0 has 2 numbers"},
		{REGION "[host]\ndistance = 10 20; 20 11\n", "from node 1 to node 1"},
		{REGION "[host]\ndistance = 10 9; 20 10\n", "from node 0 to node 1"},
		{REGION "[host]\ndistance = 10 256; 20 10\n", "distance \"256\""},
		{REGION "[host]\ndistance = 10 x; 20 10\n", "distance \"x\""},
	};

	assert_refused(cases, G_N_ELEMENTS(cases), TRUE);
}
END_TEST

START_TEST(regions_side_by_side_do_not_overlap)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcConfig)
		config = parse(REGION "[region 1]\nstart = 12GiB\nsize = 2GiB\nnode = 1\n"
				      "[region 2]\nstart = 2GiB\nsize = 2GiB\nnode = 0\n",
			       TRUE, &error);

	unit_assert_no_error(error);
	for (guint i = 0; i < 3; i++)
		ck_assert_uint_eq(region_at(config, i)->id, i);
}
END_TEST

START_TEST(a_nul_in_the_text_is_refused)
{
	static const char text[] = "[daxcolor]\nzero = never\0\n";
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(
		daxc_config_parse("FILE", text, sizeof(text) - 1, FALSE, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "is not UTF-8 text");
}
END_TEST

START_TEST(a_file_cut_anywhere_is_read_or_refused)
{
	static const char *const files[] = {"every-key.conf", "every-key.host"};

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path =
			g_build_filename(TEST_DATA, "config", files[i], NULL);
		g_autofree char *text = NULL;
		gsize length;

		ck_assert(g_file_get_contents(path, &text, &length, NULL));
		for (gsize cut = 0; cut <= length; cut++) {
			g_autofree char *part = g_strndup(text, cut);
			g_autoptr(GError) error = NULL;
			g_autoptr(DaxcConfig) config = parse(part, i == 1, &error);

			ck_assert((config == NULL) == (error != NULL));
			if (error)
				unit_assert_error(error, DAXC_ERROR_INVALID, "FILE");
		}
	}
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused)
{
	g_autofree char *dir = temp_dir();
	g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
	const char *const paths[] = {dir, fifo, "/dev/zero"};

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(daxc_config_load(paths[i], FALSE, &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, "is not a regular file");
		unit_assert_error(error, DAXC_ERROR_INVALID, paths[i]);
	}
	g_unlink(fifo);
	g_rmdir(dir);
}
END_TEST

START_TEST(a_file_of_one_mebibyte_is_the_longest)
{
	g_autofree char *dir = temp_dir();
	g_autofree char *path = g_build_filename(dir, "long.conf", NULL);
	g_autofree char *text = g_strnfill(MIB + 1, '\n');
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcConfig) config = NULL;

	ck_assert(g_file_set_contents(path, text, MIB, NULL));
	config = daxc_config_load(path, TRUE, &error);
	unit_assert_no_error(error);
	ck_assert_ptr_nonnull(config);
	ck_assert(g_file_set_contents(path, text, MIB + 1, NULL));
	ck_assert_ptr_null(daxc_config_load(path, TRUE, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "longer than 1 MiB");
	g_unlink(path);
	g_rmdir(dir);
}
END_TEST

START_TEST(a_file_that_may_not_be_read_says_who_may)
{
	g_autofree char *dir = temp_dir();
	g_autofree char *path = g_build_filename(dir, "secret.conf", NULL);
	g_autoptr(GError) error = NULL;
	gboolean root = geteuid() == 0;

	ck_assert(g_file_set_contents(path, "", 0, NULL));
	ck_assert_int_eq(g_chmod(path, 0), 0);
	ck_assert_int_eq(g_chmod(dir, 0755), 0);
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_ptr_null(daxc_config_load(path, FALSE, &error));
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	unit_assert_error(error, DAXC_ERROR_FAILED,
			  "Permission denied: run this as root");
	unit_assert_error(error, DAXC_ERROR_FAILED, path);
	g_unlink(path);
	g_rmdir(dir);
}
END_TEST

START_TEST(the_example_hosts_are_what_they_say)
{
	static const struct {
		const char *name;
		guint regions;
		guint64 size;
		guint32 colors;
		gboolean extended_linear;
	} cases[] = {
		{"demo.host", 1, 8 * GIB, 4, FALSE},
		{"two-node.host", 2, 4 * GIB, 2, FALSE},
		{"xeon-memory-mode.host", 2, 370 * GIB, 96, FALSE},
		{"cxl-extended-linear.host", 1, 256 * GIB, 128, TRUE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path =
			g_build_filename(EXAMPLES, "hosts", cases[i].name, NULL);
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcConfig) config = daxc_config_load_host(path, &error);

		unit_assert_no_error(error);
		ck_assert_ptr_nonnull(config->description);
		ck_assert_uint_gt(config->n_nodes, 0);
		ck_assert_uint_eq(config->regions->len, cases[i].regions);
		ck_assert_uint_eq(config->domains->len, cases[i].regions);
		for (guint j = 0; j < cases[i].regions; j++) {
			const DaxcCacheDomain *domain = domain_at(config, j);

			ck_assert_uint_eq(region_at(config, j)->size, cases[i].size);
			ck_assert_uint_eq(domain->colors, cases[i].colors);
			ck_assert_uint_eq(domain->granule, GIB);
			ck_assert_int_eq(domain->extended_linear,
					 cases[i].extended_linear);
		}
	}
}
END_TEST

START_TEST(no_example_host_is_forgotten)
{
	g_autoptr(GDir) dir = g_dir_open(EXAMPLES "/hosts", 0, NULL);
	const char *name;
	guint n = 0;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(EXAMPLES, "hosts", name, NULL);
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcConfig) config = daxc_config_load_host(path, &error);

		unit_assert_no_error(error);
		n++;
	}
	ck_assert_uint_ge(n, 4);
}
END_TEST

static char *manual(void)
{
	char *text;

	ck_assert(g_file_get_contents(EXAMPLES "/../man/daxcolor.conf.5", &text, NULL,
				      NULL));
	return text;
}

/* The message about an unknown key lists the known ones, so no list is kept here. */
START_TEST(the_manual_has_every_key)
{
	static const char *const sections[] = {"daxcolor", "tenant red", "cache 1",
					       "host", "region 1"};
	g_autofree char *text = manual();
	guint n = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) {
		g_autofree char *file = g_strdup_printf("[%s]\nx = 1\n", sections[i]);
		g_autoptr(GError) error = NULL;
		g_auto(GStrv) keys = NULL;
		const char *list;

		ck_assert_ptr_null(parse(file, i >= 3, &error));
		list = strstr(error->message, "there are ");
		ck_assert_ptr_nonnull(list);
		keys = g_strsplit(list + strlen("there are "), ", ", -1);
		for (guint j = 0; keys[j]; j++, n++) {
			g_autofree char *first =
				g_strdup_printf("\n.BI %s \" =", keys[j]);
			g_autofree char *other =
				g_strdup_printf("\n.BR %s \" =", keys[j]);

			ck_assert_msg(strstr(text, first) || strstr(text, other),
				      "%s of [%s] is not in the manual", keys[j],
				      sections[i]);
		}
	}
	ck_assert_uint_eq(n, 22);
}
END_TEST

START_TEST(the_examples_of_the_manual_are_accepted)
{
	g_autofree char *text = manual();
	g_auto(GStrv) parts = g_strsplit(text, "\n.EX\n", -1);
	guint n = 0;

	for (; parts[n + 1]; n++) {
		g_auto(GStrv) pieces = g_strsplit(parts[n + 1], "\n.EE\n", 2);
		g_auto(GStrv) dashes = g_strsplit(pieces[0], "\\-", -1);
		g_autofree char *file = g_strjoinv("-", dashes);
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcConfig)
			config = parse(file, strstr(file, "[region") != NULL, &error);

		unit_assert_no_error(error);
	}
	ck_assert_uint_eq(n, 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, a_missing_file_means_defaults_unless_it_was_asked_for);
	tcase_add_test(tcase, an_empty_file_means_defaults);
	tcase_add_test(tcase, every_key_of_the_configuration_is_read);
	tcase_add_test(tcase, every_key_of_a_host_description_is_read);
	tcase_add_test(tcase, size_colors_and_granule_complete_each_other);
	tcase_add_test(tcase, mistakes_in_the_configuration_are_named);
	tcase_add_test(tcase, mistakes_in_a_host_description_are_named);
	tcase_add_test(tcase, regions_side_by_side_do_not_overlap);
	tcase_add_test(tcase, a_nul_in_the_text_is_refused);
	tcase_add_test(tcase, a_file_cut_anywhere_is_read_or_refused);
	tcase_add_test(tcase, what_is_no_regular_file_is_refused);
	tcase_add_test(tcase, a_file_of_one_mebibyte_is_the_longest);
	tcase_add_test(tcase, a_file_that_may_not_be_read_says_who_may);
	tcase_add_test(tcase, the_example_hosts_are_what_they_say);
	tcase_add_test(tcase, no_example_host_is_forgotten);
	tcase_add_test(tcase, the_manual_has_every_key);
	tcase_add_test(tcase, the_examples_of_the_manual_are_accepted);
	return unit_run(suite);
}
