// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading device-dax from sysfs: trees as kernels make them, and as none should. */
#include "tree.h"

#include <string.h>
#include <unistd.h>

#include "adapters/kernel-priv.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define HMEM "sys/devices/platform/hmem."

/* Good until the next call. */
static const DaxcSysfs *bus(const Tree *root)
{
	static DaxcSysfs sysfs;

	sysfs = (DaxcSysfs){root, DAXC_SYSFS_MAINLINE};
	return &sysfs;
}

static char *in_device(const char *name, const char *attribute)
{
	guint region, number;

	ck_assert(daxc_instance_name_parse(name, &region, &number));
	return g_strdup_printf(HMEM "%u/%s/%s", region, name, attribute);
}

static void put_attribute(const Tree *root, const char *name, const char *attribute,
			  const char *text)
{
	g_autofree char *path = in_device(name, attribute);

	put(root, path, text);
}

/* A dynamic region with nothing in it; sizes as the kernel prints them. */
static void put_region(const Tree *root, guint id, guint64 size, guint64 available)
{
	g_autofree char *base = g_strdup_printf(HMEM "%u/dax_region", id);
	g_autofree char *id_path = g_build_filename(base, "id", NULL);
	g_autofree char *size_path = g_build_filename(base, "size", NULL);
	g_autofree char *align = g_build_filename(base, "align", NULL);
	g_autofree char *available_path = g_build_filename(base, "available_size", NULL);
	g_autofree char *create = g_build_filename(base, "create", NULL);

	putf(root, id_path, "%u\n", id);
	putf(root, size_path, "%" G_GUINT64_FORMAT "\n", size);
	put(root, align, "2097152\n");
	putf(root, available_path, "%" G_GUINT64_FORMAT "\n", available);
	put(root, create, "\n");
}

/* An instance; @resource in GiB is its first extent's start, or its region's. */
static void put_instance(const Tree *root, const char *name, guint64 resource)
{
	g_autofree char *link = g_build_filename("sys/bus/dax/devices", name, NULL);
	g_autofree char *target = NULL;
	g_autofree char *text = NULL;
	guint region, number;

	ck_assert(daxc_instance_name_parse(name, &region, &number));
	target = g_strdup_printf("../../../devices/platform/hmem.%u/%s", region, name);
	put_link(root, link, target);
	put_attribute(root, name, "size", "0\n");
	put_attribute(root, name, "align", "2097152\n");
	put_attribute(root, name, "target_node", "1\n");
	put_attribute(root, name, "dev", "252:7\n");
	put_attribute(root, name, "mapping", "");
	text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x\n", resource * GIB);
	put_attribute(root, name, "resource", text);
}

/* mapping@number at @offset in the instance; all in GiB */
static void put_mapping(const Tree *root, const char *name, guint number, guint64 start,
			guint64 size, guint64 offset)
{
	g_autofree char *base = g_strdup_printf("mapping%u", number);
	g_autofree char *start_path = g_build_filename(base, "start", NULL);
	g_autofree char *end_path = g_build_filename(base, "end", NULL);
	g_autofree char *offset_path = g_build_filename(base, "page_offset", NULL);
	g_autofree char *start_text =
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x\n", start * GIB);
	g_autofree char *end_text =
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x\n", (start + size) * GIB - 1);
	guint64 pages = offset * GIB / (guint64)sysconf(_SC_PAGESIZE);
	g_autofree char *pages_text =
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x\n", pages);

	put_attribute(root, name, start_path, start_text);
	put_attribute(root, name, end_path, end_text);
	put_attribute(root, name, offset_path, pages_text);
}

static void put_driver(const Tree *root, const char *name, const char *driver)
{
	g_autofree char *path = in_device(name, "driver");
	g_autofree char *target =
		g_strdup_printf("../../../../bus/dax/drivers/%s", driver);

	put_link(root, path, target);
}

/* 4..12 GiB: an empty seed, and dax0.1 with two extents of 1 GiB, bound. */
static Tree *tree_usual(void)
{
	Tree *root = tree_new();

	put_region(root, 0, 8 * GIB, 6 * GIB);
	put_instance(root, "dax0.0", 4);
	put_instance(root, "dax0.1", 7);
	put_attribute(root, "dax0.1", "size", "2147483648\n");
	put_attribute(root, "dax0.1", "align", "1073741824\n");
	put_mapping(root, "dax0.1", 0, 7, 1, 0);
	put_mapping(root, "dax0.1", 1, 5, 1, 1);
	put_driver(root, "dax0.1", "device_dax");
	return root;
}

static void assert_extent(const DaxcInstance *instance, guint index, guint64 start,
			  guint64 size)
{
	const DaxcExtent *extent;

	ck_assert_uint_lt(index, instance->extents->len);
	extent = &g_array_index(instance->extents, DaxcExtent, index);
	ck_assert_uint_eq(extent->start, start * GIB);
	ck_assert_uint_eq(extent->size, size * GIB);
}

static void assert_region(const Tree *root, guint64 start)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_sysfs_regions(bus(root), &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(regions->len, 1);
	ck_assert_uint_eq(((DaxcRegion *)regions->pdata[0])->start, start * GIB);
}

START_TEST(a_usual_tree_is_read)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_sysfs_regions(bus(root), &error);
	g_autoptr(GPtrArray) instances = NULL;
	const DaxcRegion *region;
	const DaxcInstance *instance;

	unit_assert_no_error(error);
	ck_assert_uint_eq(regions->len, 1);
	region = regions->pdata[0];
	ck_assert_uint_eq(region->id, 0);
	ck_assert_uint_eq(region->start, 4 * GIB);
	ck_assert_uint_eq(region->size, 8 * GIB);
	ck_assert_uint_eq(region->available, 6 * GIB);
	ck_assert_uint_eq(region->align, 2097152);
	ck_assert_int_eq(region->node, 1);

	instances = daxc_sysfs_instances(bus(root), &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(instances->len, 2);
	instance = instances->pdata[0];
	ck_assert_str_eq(instance->name, "dax0.0");
	ck_assert(instance->seed);
	ck_assert_uint_eq(instance->size, 0);
	ck_assert_ptr_null(instance->driver);
	ck_assert_uint_eq(instance->major, 0);
	instance = instances->pdata[1];
	ck_assert_str_eq(instance->name, "dax0.1");
	ck_assert(!instance->seed);
	ck_assert_uint_eq(instance->size, 2 * GIB);
	ck_assert_uint_eq(instance->align, GIB);
	ck_assert_str_eq(instance->driver, "device_dax");
	ck_assert_uint_eq(instance->major, 252);
	ck_assert_uint_eq(instance->minor, 7);
	ck_assert_uint_eq(instance->extents->len, 2);
	assert_extent(instance, 0, 7, 1);
	assert_extent(instance, 1, 5, 1);
}
END_TEST

START_TEST(mappings_are_in_order_of_page_offset_whatever_their_numbers)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcInstance) instance = NULL;

	put_attribute(root, "dax0.1", "size", "4294967296\n");
	put_mapping(root, "dax0.1", 1, 5, 1, 3);
	put_mapping(root, "dax0.1", 10, 9, 2, 1);
	instance = daxc_sysfs_instance(bus(root), "dax0.1", &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(instance->extents->len, 3);
	assert_extent(instance, 0, 7, 1);
	assert_extent(instance, 1, 9, 2);
	assert_extent(instance, 2, 5, 1);
}
END_TEST

START_TEST(names_come_in_order_of_their_numbers)
{
	static const char *const names[] = {"dax0.0", "dax0.1",	 "dax0.2",
					    "dax0.9", "dax0.10", "dax1.0"};
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) instances = NULL;

	put_region(root, 1, 4 * GIB, 4 * GIB);
	put_instance(root, "dax1.0", 12);
	put_instance(root, "dax0.10", 4);
	put_instance(root, "dax0.9", 4);
	put_instance(root, "dax0.2", 4);
	instances = daxc_sysfs_instances(bus(root), &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(instances->len, G_N_ELEMENTS(names));
	for (guint i = 0; i < instances->len; i++)
		ck_assert_str_eq(((DaxcInstance *)instances->pdata[i])->name, names[i]);
}
END_TEST

START_TEST(a_host_without_device_dax_has_nothing)
{
	g_autoptr(Tree) root = tree_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_sysfs_regions(bus(root), &error);
	g_autoptr(GPtrArray) instances = daxc_sysfs_instances(bus(root), &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(regions->len, 0);
	ck_assert_uint_eq(instances->len, 0);
}
END_TEST

/* A static region, of an NVDIMM namespace, has no create. */
START_TEST(static_regions_are_not_ours)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) instances = NULL;
	g_autoptr(DaxcInstance) instance = NULL;

	put_region(root, 1, 4 * GIB, 0);
	put_instance(root, "dax1.0", 12);
	drop(root, HMEM "1/dax_region/create");
	assert_region(root, 4);
	instances = daxc_sysfs_instances(bus(root), &error);
	unit_assert_no_error(error);
	ck_assert_uint_eq(instances->len, 2);
	instance = daxc_sysfs_instance(bus(root), "dax1.0", &error);
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "dax1.0");
}
END_TEST

START_TEST(a_region_without_a_node_has_none)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = NULL;

	drop(root, HMEM "0/dax0.0/target_node");
	regions = daxc_sysfs_regions(bus(root), &error);
	unit_assert_no_error(error);
	ck_assert_int_eq(((DaxcRegion *)regions->pdata[0])->node, -1);
}
END_TEST

START_TEST(an_instance_that_is_not_there)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_sysfs_instance(bus(root), "dax0.2", &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "dax0.2");
	g_clear_error(&error);
	/* Gone between listing and looking. */
	put_link(root, "sys/bus/dax/devices/dax0.3", "../../../devices/nowhere");
	ck_assert_ptr_null(daxc_sysfs_instance(bus(root), "dax0.3", &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "dax0.3");
}
END_TEST

START_TEST(a_region_begins_where_an_empty_instance_says)
{
	g_autoptr(Tree) root = tree_usual();

	put_attribute(root, "dax0.0", "size", "1073741824\n");
	put_mapping(root, "dax0.0", 0, 9, 1, 0);
	put_attribute(root, "dax0.0", "resource", "0x240000000\n");
	put_instance(root, "dax0.2", 4);
	assert_region(root, 4);
}
END_TEST

START_TEST(a_full_region_begins_with_its_lowest_extent)
{
	g_autoptr(Tree) root = tree_usual();

	put_attribute(root, "dax0.0", "size", "6442450944\n");
	put_mapping(root, "dax0.0", 0, 8, 4, 0);
	put_mapping(root, "dax0.0", 1, 4, 1, 4);
	put_mapping(root, "dax0.0", 2, 6, 1, 5);
	put(root, HMEM "0/dax_region/available_size", "0\n");
	assert_region(root, 4);
}
END_TEST

START_TEST(a_region_without_an_empty_instance_is_found_in_iomem)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;

	put_attribute(root, "dax0.0", "size", "1073741824\n");
	put_mapping(root, "dax0.0", 0, 9, 1, 0);
	put(root, HMEM "0/dax_region/available_size", "5368709120\n");
	put(root, "proc/iomem",
	    "00001000-0009fbff : System RAM\n"
	    "garbage\n"
	    "00000000-00000000 : hidden\n"
	    "7ff00000-27fefffff : too low and as large\n"
	    "100000000-4ffffffff : CXL Window 0\n"
	    "  100000000-2ffffffff : Soft Reserved\n"
	    "    1c0000000-1ffffffff : dax0.1\n");
	assert_region(root, 4);
	/* Nothing of the region's size has all that its instances have. */
	put(root, "proc/iomem",
	    "100000000-4ffffffff : Soft Reserved\n"
	    "200000000-3ffffffff : elsewhere\n");
	ck_assert_ptr_null(daxc_sysfs_regions(bus(root), &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "cannot tell where region 0 begins");
	g_clear_error(&error);
	/* Two could be it. */
	put(root, "proc/iomem",
	    "80000000-27fffffff : Soft Reserved\n"
	    "100000000-2ffffffff : Soft Reserved\n");
	ck_assert_ptr_null(daxc_sysfs_regions(bus(root), &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "cannot tell where region 0 begins");
	unit_assert_error(error, DAXC_ERROR_KERNEL, "dax0.0/../dax_region/create");
}
END_TEST

START_TEST(garbage_is_an_error_that_names_the_attribute)
{
	static const struct {
		const char *path;
		const char *text;
	} cases[] = {
		{HMEM "0/dax_region/id", "x\n"},
		{HMEM "0/dax_region/id", "1\n"},
		{HMEM "0/dax_region/id", "-1\n"},
		{HMEM "0/dax_region/size", "\n"},
		{HMEM "0/dax_region/size", "8589934592 \n"},
		{HMEM "0/dax_region/size", "18446744073709551616\n"},
		{HMEM "0/dax_region/align", "2M\n"},
		{HMEM "0/dax_region/available_size", "lots\n"},
		{HMEM "0/dax0.0/target_node", "one\n"},
		{HMEM "0/dax0.0/target_node", "4294967296\n"},
		{HMEM "0/dax0.0/resource", "0x\n"},
		{HMEM "0/dax0.0/resource", "100000000x\n"},
		{HMEM "0/dax0.1/size", "2147483649\n"},
		{HMEM "0/dax0.1/size", "0\n"},
		{HMEM "0/dax0.1/size", "+1\n"},
		{HMEM "0/dax0.1/align", "0xg\n"},
		{HMEM "0/dax0.1/dev", "252\n"},
		{HMEM "0/dax0.1/dev", "252:\n"},
		{HMEM "0/dax0.1/dev", ":7\n"},
		{HMEM "0/dax0.1/dev", "0:7\n"},
		{HMEM "0/dax0.1/dev", "252:7:1\n"},
		{HMEM "0/dax0.1/mapping0/start", "\n"},
		{HMEM "0/dax0.1/mapping0/end", "0x1bfffffff\n"},
		{HMEM "0/dax0.1/mapping0/end", "0xffffffffffffffff\n"},
		{HMEM "0/dax0.1/mapping1/page_offset", "0x1\n"},
		{HMEM "0/dax0.1/mapping1/page_offset", "0xffffffffffffffff\n"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Tree) root = tree_usual();
		g_autoptr(GPtrArray) regions = NULL;
		g_autoptr(GPtrArray) instances = NULL;
		g_autoptr(GError) error = NULL;
		const char *attribute = strchr(cases[i].path + strlen(HMEM), '/') + 1;

		put(root, cases[i].path, cases[i].text);
		regions = daxc_sysfs_regions(bus(root), &error);
		if (regions)
			instances = daxc_sysfs_instances(bus(root), &error);
		ck_assert_msg(!regions || !instances, "accepted %s: %s", cases[i].path,
			      cases[i].text);
		unit_assert_error(error, DAXC_ERROR_KERNEL, attribute);
	}
}
END_TEST

START_TEST(a_missing_attribute_is_an_error_that_names_it)
{
	static const char *const paths[] = {
		HMEM "0/dax_region/size",	HMEM "0/dax0.0/resource",
		HMEM "0/dax0.1/size",		HMEM "0/dax0.1/dev",
		HMEM "0/dax0.1/mapping0/start", HMEM "0/dax0.1/align",
		HMEM "0/dax0.1/mapping1/end",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autoptr(Tree) root = tree_usual();
		g_autoptr(GPtrArray) regions = NULL;
		g_autoptr(GPtrArray) instances = NULL;
		g_autoptr(GError) error = NULL;

		drop(root, paths[i]);
		regions = daxc_sysfs_regions(bus(root), &error);
		if (regions)
			instances = daxc_sysfs_instances(bus(root), &error);
		ck_assert_msg(!regions || !instances, "not missed: %s", paths[i]);
		ck_assert_ptr_nonnull(error);
		ck_assert_msg(strstr(error->message, strrchr(paths[i], '/')), "%s",
			      error->message);
	}
}
END_TEST

START_TEST(an_attribute_with_a_zero_byte_is_refused)
{
	g_autoptr(Tree) root = tree_usual();
	g_autofree char *path = g_build_filename(root, HMEM "0/dax_region/size", NULL);
	g_autoptr(GError) error = NULL;

	g_file_set_contents(path, "8589934592\0\n", 12, &error);
	ck_assert_ptr_null(daxc_sysfs_regions(bus(root), &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "dax_region/size");
}
END_TEST

START_TEST(a_host_without_device_dax_is_told_what_to_load)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcKernel) kernel = NULL;

	if (g_file_test("/sys/bus/dax", G_FILE_TEST_EXISTS))
		return;
	kernel = daxc_kernel_mainline_new(&error);
	unit_assert_error(error, DAXC_ERROR_UNSUPPORTED,
			  "modprobe dax_hmem region_idle=1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel-sysfs");
	TCase *tcase = tcase_create("kernel-sysfs");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, a_usual_tree_is_read);
	tcase_add_test(tcase,
		       mappings_are_in_order_of_page_offset_whatever_their_numbers);
	tcase_add_test(tcase, names_come_in_order_of_their_numbers);
	tcase_add_test(tcase, a_host_without_device_dax_has_nothing);
	tcase_add_test(tcase, static_regions_are_not_ours);
	tcase_add_test(tcase, a_region_without_a_node_has_none);
	tcase_add_test(tcase, an_instance_that_is_not_there);
	tcase_add_test(tcase, a_region_begins_where_an_empty_instance_says);
	tcase_add_test(tcase, a_full_region_begins_with_its_lowest_extent);
	tcase_add_test(tcase, a_region_without_an_empty_instance_is_found_in_iomem);
	tcase_add_test(tcase, garbage_is_an_error_that_names_the_attribute);
	tcase_add_test(tcase, a_missing_attribute_is_an_error_that_names_it);
	tcase_add_test(tcase, an_attribute_with_a_zero_byte_is_refused);
	tcase_add_test(tcase, a_host_without_device_dax_is_told_what_to_load);
	return unit_run(suite);
}
