// SPDX-License-Identifier: GPL-2.0-or-later
/* dax_color's sysfs as driver/ABI.md describes it, and as no kernel should make it. The
 * driver itself is met in the virtual host. */
#include "tree.h"

#include <string.h>

#include "adapters/kernel-priv.h"
#include "core/owner.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define DEVICE "sys/devices/platform/hmem.0/"
#define REGION DEVICE "dax_region/"
#define RED "0f0f0f0f-0000-4000-8000-00000000000a"

static const struct {
	const char *attribute;
	const char *text;
} usual[] = {
	{"id", "0\n"},
	{"size", "8589934592\n"},
	{"align", "2097152\n"},
	{"resource", "0x100000000\n"},
	{"available_size", "5368709120\n"},
	{"zeroing_size", "1073741824\n"},
	{"dirty_size", "2147483648\n"},
	{"quarantined_size", "1071644672\n"},
	{"bad_size", "2097152\n"},
	{"seed", "dax0.0\n"},
	{"geometry", "rotate 1073741824 4 0x100000000\n"},
	{"free_granules", "0 0 " RED "\n1 2 -\n2 1 -\n3 2 -\n"},
	{"create", ""},
	{"delete", ""},
	{"scrub", ""},
};

static void put_instance(const Tree *root, const char *name, const char *size)
{
	g_autofree char *link = g_build_filename("sys/class/dax", name, NULL);
	g_autofree char *target =
		g_strdup_printf("../../devices/platform/hmem.0/dax/%s", name);
	const struct {
		const char *attribute;
		const char *text;
	} attributes[] = {
		{"size", size},		{"align", "2097152\n"}, {"dev", "509:3\n"},
		{"target_node", "1\n"}, {"owner", RED "\n"},	{"mapping", ""},
		{"claim", "-\n"},
	};
	g_autofree char *device = g_strdup_printf(DEVICE "dax/%s/device", name);

	put_link(root, link, target);
	put_link(root, device, "../..");
	for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++) {
		g_autofree char *path = g_strdup_printf(DEVICE "dax/%s/%s", name,
							attributes[i].attribute);

		put(root, path, attributes[i].text);
	}
}

static void put_mapping(const Tree *root, const char *name, guint number,
			const char *start, const char *end, const char *pages)
{
	g_autofree char *base = g_strdup_printf(DEVICE "dax/%s/mapping%u", name, number);
	g_autofree char *start_path = g_build_filename(base, "start", NULL);
	g_autofree char *end_path = g_build_filename(base, "end", NULL);
	g_autofree char *pages_path = g_build_filename(base, "page_offset", NULL);

	put(root, start_path, start);
	put(root, end_path, end);
	put(root, pages_path, pages);
}

/* A region of 8 GiB: 2 GiB are an instance's, 1 GiB less 2 MiB is pinned, 2 MiB bad. */
static Tree *tree_usual(void)
{
	Tree *root = tree_new();

	for (gsize i = 0; i < G_N_ELEMENTS(usual); i++) {
		g_autofree char *path = g_strconcat(REGION, usual[i].attribute, NULL);

		put(root, path, usual[i].text);
	}
	put_instance(root, "dax0.0", "0\n");
	put_instance(root, "dax0.1", "2147483648\n");
	put_mapping(root, "dax0.1", 0, "0x140000000\n", "0x17fffffff\n", "0x0\n");
	put_mapping(root, "dax0.1", 1, "0x1c0000000\n", "0x1ffffffff\n", "0x40000\n");
	return root;
}

static DaxcKernel *open_tree(const Tree *root)
{
	g_autoptr(GError) error = NULL;
	DaxcKernel *kernel = daxc_kernel_dax_color_new_in(root, &error);

	unit_assert_no_error(error);
	return kernel;
}

static const DaxcCacheDomain rotate = {
	.node = 1, .granule = GIB, .base = 4 * GIB, .colors = 4};

START_TEST(a_usual_tree_is_read)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = NULL;
	g_autoptr(GPtrArray) instances = NULL;
	const DaxcInstance *instance;
	const DaxcRegion *region;

	ck_assert(daxc_kernel_look(kernel, &regions, &instances, &error));
	unit_assert_no_error(error);
	ck_assert_uint_eq(regions->len, 1);
	region = regions->pdata[0];
	ck_assert_uint_eq(region->start, 4 * GIB);
	ck_assert_int_eq(region->node, 1);
	ck_assert(region->accounted);
	ck_assert_uint_eq(region->available, 5 * GIB);
	ck_assert_uint_eq(region->zeroing, GIB);
	ck_assert_uint_eq(region->dirty, 2 * GIB);
	ck_assert_uint_eq(region->quarantined, GIB - (2 << 20));
	ck_assert_uint_eq(region->bad, 2 << 20);

	ck_assert_uint_eq(instances->len, 2);
	instance = instances->pdata[0];
	ck_assert(instance->seed && !instance->driver && instance->major == 0);
	instance = instances->pdata[1];
	ck_assert(!instance->seed);
	ck_assert_str_eq(instance->owner, RED);
	ck_assert_str_eq(instance->driver, daxc_kernel_driver(kernel));
	ck_assert_uint_eq(instance->major, 509);
	ck_assert_uint_eq(instance->extents->len, 2);
	ck_assert_uint_eq(daxc_extents_address(instance->extents, GIB), 7 * GIB);
}
END_TEST

/* What is not daxR.0 may be the seed, and what is need not be. */
START_TEST(the_kernel_says_which_is_the_seed)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(DaxcInstance) instance = NULL;

	put(root, REGION "seed", "dax0.2\n");
	instance = daxc_kernel_instance(kernel, "dax0.0", NULL);
	ck_assert(!instance->seed);
}
END_TEST

START_TEST(a_host_without_it)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(GError) error = NULL;

	/* Another driver's devices of the class: device-dax before 5.1. */
	drop(root, REGION "geometry");
	ck_assert_ptr_null(daxc_kernel_dax_color_new_in(root, &error));
	unit_assert_error(error, DAXC_ERROR_UNSUPPORTED, "dax-color-bind");
}
END_TEST

/* @wait: whether it might pass */
static void assert_bad(const char *attribute, const char *text, gboolean wait)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autofree char *path = g_strconcat(REGION, attribute, NULL);
	g_autoptr(GError) error = NULL;

	put(root, path, text);
	ck_assert_msg(
		!(wait ? daxc_kernel_regions : kernel->ops->regions)(kernel, &error),
		"%s: \"%s\" is accepted", attribute, text);
	unit_assert_error(error, DAXC_ERROR_KERNEL, attribute);
}

START_TEST(numbers_that_are_none)
{
	static const char *const numbers[] = {"id",
					      "size",
					      "align",
					      "resource",
					      "available_size",
					      "zeroing_size",
					      "dirty_size",
					      "quarantined_size",
					      "bad_size"};
	static const char *const texts[] = {"",	      "\n",    "-1\n",
					    "none\n", "1 2\n", "0x\n",
					    "1e9\n",  " 1\n",  "18446744073709551616\n"};

	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
		for (gsize k = 0; k < G_N_ELEMENTS(texts); k++)
			assert_bad(numbers[i], texts[k], FALSE);
}
END_TEST

START_TEST(owners_that_are_none)
{
	static const char *const texts[] = {"", "\n", "red\n", RED RED "\n", RED " \n"};
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(DaxcInstance) nobody = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		put(root, DEVICE "dax/dax0.1/owner", texts[i]);
		ck_assert_ptr_null(daxc_kernel_instance(kernel, "dax0.1", &error));
		unit_assert_error(error, DAXC_ERROR_KERNEL, "owner");
	}
	put(root, DEVICE "dax/dax0.1/owner", "00000000-0000-0000-0000-000000000000\n");
	nobody = daxc_kernel_instance(kernel, "dax0.1", NULL);
	ck_assert_ptr_null(nobody->owner);
}
END_TEST

START_TEST(a_claim_is_read)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(DaxcInstance) nobodys = daxc_kernel_instance(kernel, "dax0.1", NULL);
	g_autoptr(DaxcInstance) reds = NULL;
	g_autoptr(DaxcInstance) shared = NULL;

	ck_assert_ptr_null(nobodys->claimant);
	put(root, DEVICE "dax/dax0.1/claim", "0F0F0F0F-0000-4000-8000-00000000000a 2\n");
	reds = daxc_kernel_instance(kernel, "dax0.1", NULL);
	ck_assert_str_eq(reds->claimant, RED);
	ck_assert_uint_eq(reds->claims, 2);
	ck_assert(!reds->shared);
	put(root, DEVICE "dax/dax0.1/claim", RED " 1 shared\n");
	shared = daxc_kernel_instance(kernel, "dax0.1", NULL);
	ck_assert(shared->shared);
}
END_TEST

START_TEST(claims_that_are_none)
{
	static const char *const texts[] = {
		"",
		"\n",
		"- 1\n",
		RED "\n",
		RED " 0\n",
		RED " -1\n",
		RED " 4294967296\n",
		RED " 1 \n",
		RED " 1 mine\n",
		RED " 1 shared shared\n",
		"red 1\n",
	};
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		put(root, DEVICE "dax/dax0.1/claim", texts[i]);
		ck_assert_msg(!daxc_kernel_instance(kernel, "dax0.1", &error),
			      "\"%s\" is accepted", texts[i]);
		unit_assert_error(error, DAXC_ERROR_KERNEL, "claim");
	}
}
END_TEST

START_TEST(sizes_that_cannot_be)
{
	assert_bad("zeroing_size", "5368709121\n", TRUE);
	assert_bad("dirty_size", "4294967297\n", TRUE);
	assert_bad("quarantined_size", "3221225473\n", TRUE);
	assert_bad("bad_size", "2149580801\n", TRUE);
	assert_bad("available_size", "8589934593\n", TRUE);
}
END_TEST

/* Less than its instances have is free to be had twice; more may be in preparation. */
START_TEST(what_instances_have_is_not_available)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(GPtrArray) instances = NULL;
	g_autoptr(GError) error = NULL;

	put(root, REGION "available_size", "5366611968\n");
	instances = daxc_kernel_instances(kernel, &error);
	unit_assert_no_error(error);
	put(root, REGION "available_size", "5370806272\n");
	ck_assert_ptr_null(daxc_kernel_instances(kernel, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "available_size");
}
END_TEST

static gboolean enforced_with(const char *text, const DaxcCacheDomain *domain)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);

	put(root, REGION "geometry", text);
	return daxc_kernel_enforces(kernel, 0, domain);
}

START_TEST(a_geometry_is_compared)
{
	DaxcCacheDomain skew = rotate, listed = rotate;

	skew.kind = DAXC_GEOMETRY_SKEW;
	listed.kind = DAXC_GEOMETRY_RANGES;
	ck_assert(enforced_with("rotate 1073741824 4 0x100000000\n", &rotate));
	ck_assert(enforced_with("rotate 1073741824 4 4294967296\n", &rotate));
	ck_assert(enforced_with("skew 1073741824 4 0x100000000\n", &skew));
	ck_assert(!enforced_with("skew 1073741824 4 0x100000000\n", &rotate));
	ck_assert(!enforced_with("rotate 536870912 4 0x100000000\n", &rotate));
	ck_assert(!enforced_with("rotate 1073741824 8 0x100000000\n", &rotate));
	ck_assert(!enforced_with("rotate 1073741824 4 0\n", &rotate));
	ck_assert(!enforced_with("none\n", &rotate));
	ck_assert(!enforced_with("none\n", NULL));
	ck_assert(!enforced_with("rotate 1073741824 4 0x100000000\n", &listed));
}
END_TEST

START_TEST(a_geometry_that_cannot_be)
{
	static const char *const texts[] = {
		"",
		"rotate\n",
		"none 1\n",
		"rotate 1073741824 4\n",
		"rotate 1073741824 4 0 0\n",
		"rotate 1073741824 0 0\n",
		"rotate 0 4 0\n",
		"rotate 2147483648 4 0\n",
		"rotate 1073741824 65537 0\n",
		"rotate  1073741824 4 0\n",
		"ROTATE 1073741824 4 0\n",
		"ranges 1073741824 4 0\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(Tree) root = tree_usual();
		g_autoptr(DaxcKernel) kernel = open_tree(root);
		g_autoptr(GError) error = NULL;

		put(root, REGION "geometry", texts[i]);
		ck_assert_msg(!daxc_kernel_tell_geometry(kernel, 0, &rotate, &error),
			      "\"%s\" is accepted", texts[i]);
		unit_assert_error(error, DAXC_ERROR_KERNEL, "geometry");
	}
}
END_TEST

START_TEST(color_owners_are_read)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) owners = daxc_kernel_color_owners(kernel, 0, &rotate, &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(owners->len, 4);
	ck_assert_str_eq(g_array_index(owners, DaxcColorOwner, 0).owner, RED);
	ck_assert_uint_eq(g_array_index(owners, DaxcColorOwner, 0).free, 0);
	ck_assert_str_eq(g_array_index(owners, DaxcColorOwner, 2).owner, "");
	ck_assert_uint_eq(g_array_index(owners, DaxcColorOwner, 2).color, 2);
	ck_assert_uint_eq(g_array_index(owners, DaxcColorOwner, 2).free, 1);
}
END_TEST

START_TEST(color_owners_that_cannot_be)
{
	static const char *const texts[] = {
		"",
		"0 0 -\n",
		"0 0 -\n1 0 -\n2 0 -\n",
		"0 0 -\n1 0 -\n2 0 -\n3 0 -\n4 0 -\n",
		"0 0 -\n2 0 -\n1 0 -\n3 0 -\n",
		"0 0 -\n1 0 -\n1 0 -\n3 0 -\n",
		"0 0\n1 0 -\n2 0 -\n3 0 -\n",
		"0 -1 -\n1 0 -\n2 0 -\n3 0 -\n",
		"0 0 red\n1 0 -\n2 0 -\n3 0 -\n",
		"0 0 " RED "0\n1 0 -\n2 0 -\n3 0 -\n",
		"0 0 - -\n1 0 -\n2 0 -\n3 0 -\n",
		"0 0 -\n\n1 0 -\n2 0 -\n3 0 -\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(Tree) root = tree_usual();
		g_autoptr(DaxcKernel) kernel = open_tree(root);
		g_autoptr(GError) error = NULL;

		put(root, REGION "free_granules", texts[i]);
		ck_assert_msg(!daxc_kernel_color_owners(kernel, 0, &rotate, &error),
			      "\"%s\" is accepted", texts[i]);
		unit_assert_error(error, DAXC_ERROR_KERNEL, "free_granules");
	}
}
END_TEST

static void assert_text(const Tree *root, const char *path, const char *expected)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autofree char *text = NULL;

	ck_assert(g_file_get_contents(full, &text, NULL, NULL));
	ck_assert_str_eq(text, expected);
}

START_TEST(what_is_written)
{
	const DaxcExtent extent = {6 * GIB, GIB};
	static const char *const names[] = {"dax0.0", "dax0.1", NULL};
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autoptr(GError) error = NULL;

	ck_assert(kernel->ops->add_extent(kernel, "dax0.0", &extent, &error));
	assert_text(root, DEVICE "dax/dax0.0/mapping", "0x180000000-0x1bfffffff");
	put(root, DEVICE "dax/dax0.0/owner", "");
	ck_assert(kernel->ops->set_owner(kernel, "dax0.0", RED, &error));
	assert_text(root, DEVICE "dax/dax0.0/owner", RED);
	put(root, DEVICE "dax/dax0.1/owner", "0123456789012345678901234567890123456789");
	ck_assert(!kernel->ops->set_owner(kernel, "dax0.1", RED, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "and says " RED "6789");
	g_clear_error(&error);
	put(root, "sys/class/dax/claim", "");
	put(root, "sys/class/dax/release", "");
	ck_assert(kernel->ops->claim(kernel, names, RED, FALSE, &error));
	assert_text(root, "sys/class/dax/claim", RED " dax0.0 dax0.1");
	put(root, "sys/class/dax/claim", "");
	ck_assert(kernel->ops->claim(kernel, names + 1, RED, TRUE, &error));
	assert_text(root, "sys/class/dax/claim", RED " shared dax0.1");
	ck_assert(kernel->ops->unclaim(kernel, "dax0.1", RED, 1, &error));
	assert_text(root, "sys/class/dax/release", RED " dax0.1");
	ck_assert(kernel->ops->set_geometry(kernel, 0, NULL, &error));
	/* A file keeps what was behind it. */
	assert_text(root, REGION "geometry", "nonete 1073741824 4 0x100000000\n");
	ck_assert(kernel->ops->scrub(kernel, 0, &error));
	assert_text(root, REGION "scrub", "1");
	ck_assert(kernel->ops->destroy(kernel, "dax0.1", &error));
	assert_text(root, REGION "delete", "dax0.1");
	put(root, REGION "geometry", "");
	ck_assert(kernel->ops->set_geometry(kernel, 0, &rotate, &error));
	assert_text(root, REGION "geometry", "rotate 1073741824 4 4294967296");
	unit_assert_no_error(error);
}
END_TEST

START_TEST(a_refusal_is_a_sentence)
{
	g_autoptr(Tree) root = tree_usual();
	g_autoptr(DaxcKernel) kernel = open_tree(root);
	g_autofree char *name = NULL;
	g_autoptr(GError) error = NULL;

	put_link(root, REGION "create", "/dev/full");
	ck_assert(!kernel->ops->create(kernel, 0, &name, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED,
			  "cannot create an instance in region 0: none of its memory is "
			  "available");
	g_clear_error(&error);
	ck_assert(!kernel->ops->create(kernel, 1, &name, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "no region 1");
	g_clear_error(&error);
	ck_assert(!kernel->ops->clear(kernel, "dax0.7", &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "cannot take the memory from dax0.7");
}
END_TEST

static void assert_owner(const char *tenant, const char *expected)
{
	g_autofree char *uuid = daxc_owner_uuid(tenant);

	ck_assert_str_eq(uuid, expected);
}

/* The others are Python's uuid.uuid5(). */
START_TEST(tenants_are_owners)
{
	assert_owner(RED, RED);
	assert_owner("acme", "7f6783d8-2656-528a-9a3d-12f3ed4f3aff");
	/* Nobody's: every instance would be another owner's. */
	assert_owner("00000000-0000-0000-0000-000000000000",
		     "c9218301-0c71-5443-9465-314ca0f685ba");
	/* Another tenant than the one in lower case. */
	assert_owner("6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
		     "58dd9929-1f66-5c7b-8c1b-8f340332e396");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel-dax-color");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_usual_tree_is_read);
	tcase_add_test(tests, the_kernel_says_which_is_the_seed);
	tcase_add_test(tests, a_host_without_it);
	tcase_add_test(tests, numbers_that_are_none);
	tcase_add_test(tests, owners_that_are_none);
	tcase_add_test(tests, a_claim_is_read);
	tcase_add_test(tests, claims_that_are_none);
	tcase_add_test(tests, sizes_that_cannot_be);
	tcase_add_test(tests, what_instances_have_is_not_available);
	tcase_add_test(tests, a_geometry_is_compared);
	tcase_add_test(tests, a_geometry_that_cannot_be);
	tcase_add_test(tests, color_owners_are_read);
	tcase_add_test(tests, color_owners_that_cannot_be);
	tcase_add_test(tests, what_is_written);
	tcase_add_test(tests, a_refusal_is_a_sentence);
	tcase_add_test(tests, tenants_are_owners);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
