// SPDX-License-Identifier: GPL-2.0-or-later
/* The rules of kernel.c, against the simulated kernel and its bad manners. */
#include "unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/size.h>

#include "adapters/kernel-priv.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

/* Region 0: 4..12 GiB on node 1; region 1: 12..16 GiB on node 2. */
static GPtrArray *make_regions(void)
{
	static const DaxcRegion regions[] = {
		{0, 4 * GIB, 8 * GIB, 1, 2 * MIB, 0},
		{1, 12 * GIB, 4 * GIB, 2, 2 * MIB, 0},
	};
	GPtrArray *array =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_region_free);

	for (gsize i = 0; i < G_N_ELEMENTS(regions); i++)
		g_ptr_array_add(array, g_memdup2(&regions[i], sizeof(regions[i])));
	return array;
}

static DaxcKernel *open_sim(const char *file)
{
	g_autoptr(GPtrArray) regions = make_regions();
	g_autoptr(GError) error = NULL;
	DaxcKernel *kernel = daxc_kernel_sim_new(regions, file, &error);

	unit_assert_no_error(error);
	return kernel;
}

/* "4+1,6+1": start and size in GiB, or in MiB with an M before the list. */
static GArray *make_extents(const char *text)
{
	GArray *extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	guint64 unit = *text == 'M' ? MIB : GIB;
	g_auto(GStrv) parts = g_strsplit(text + (*text == 'M'), ",", -1);

	for (guint i = 0; parts[i]; i++) {
		DaxcExtent extent;
		char *rest;

		extent.start = g_ascii_strtoull(parts[i], &rest, 10) * unit;
		extent.size = g_ascii_strtoull(rest + 1, NULL, 10) * unit;
		g_array_append_val(extents, extent);
	}
	return extents;
}

static gboolean carve(DaxcKernel *kernel, guint64 align, const char *text, char **name,
		      GError **error)
{
	g_autoptr(GArray) extents = make_extents(text);
	const DaxcKernelCarving asked = {
		.region = 0, .align = align, .granule = align, .extents = extents};

	return daxc_kernel_carve(kernel, &asked, name, error);
}

/* A carving that works. */
static void carve_ok(DaxcKernel *kernel, guint64 align, const char *text,
		     const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	ck_assert_msg(carve(kernel, align, text, &name, &error), "%s",
		      error ? error->message : "");
	ck_assert_str_eq(name, expected);
}

/* All that the kernel shows, as text. */
static char *snapshot(DaxcKernel *kernel)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) instances = daxc_kernel_instances(kernel, &error);
	GString *text = g_string_new(NULL);

	unit_assert_no_error(error);
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = instances->pdata[i];

		g_string_append_printf(text, "%s align %" G_GUINT64_FORMAT " %s %u:%u",
				       instance->name, instance->align,
				       instance->driver ? instance->driver : "-",
				       instance->major, instance->minor);
		for (guint k = 0; k < instance->extents->len; k++) {
			const DaxcExtent *extent =
				&g_array_index(instance->extents, DaxcExtent, k);
			g_autofree char *range =
				daxc_range_format(extent->start, extent->size);

			g_string_append_printf(text, " %s", range);
		}
		if (instance->claimant)
			g_string_append_printf(text, " claimed %ux by %s%s",
					       instance->claims, instance->claimant,
					       instance->shared ? " shared" : "");
		g_string_append_c(text, '\n');
	}
	return g_string_free(text, FALSE);
}

static void assert_state(DaxcKernel *kernel, const char *expected)
{
	g_autofree char *now = snapshot(kernel);

	ck_assert_str_eq(now, expected);
}

static void add(DaxcKernel *kernel, const char *name, const char *text)
{
	g_autoptr(GArray) extents = make_extents(text);
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < extents->len; i++) {
		kernel->ops->add_extent(kernel, name,
					&g_array_index(extents, DaxcExtent, i), &error);
		unit_assert_no_error(error);
	}
}

static void step(DaxcKernel *kernel,
		 gboolean (*op)(DaxcKernel *, const char *, GError **), const char *name)
{
	g_autoptr(GError) error = NULL;

	op(kernel, name, &error);
	unit_assert_no_error(error);
}

static char *make(DaxcKernel *kernel, guint64 align)
{
	g_autoptr(GError) error = NULL;
	char *name = NULL;

	kernel->ops->create(kernel, 0, &name, &error);
	unit_assert_no_error(error);
	kernel->ops->set_align(kernel, name, align, &error);
	unit_assert_no_error(error);
	return name;
}

/* ---- what carving does ---- */

START_TEST(an_idle_host_has_empty_seeds)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_kernel_regions(kernel, &error);

	unit_assert_no_error(error);
	ck_assert_uint_eq(regions->len, 2);
	ck_assert_uint_eq(((DaxcRegion *)regions->pdata[0])->available, 8 * GIB);
	assert_state(kernel, "dax0.0 align 2097152 - 0:0\ndax1.0 align 2097152 - 0:0\n");
	ck_assert_str_eq(daxc_kernel_name(kernel), "sim");
	ck_assert_ptr_nonnull(daxc_kernel_limits(kernel)[0]);
}
END_TEST

START_TEST(a_carving_is_what_was_asked_for)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = NULL;

	carve_ok(kernel, GIB, "6+1,4+1", "dax0.1");
	carve_ok(kernel, 2 * MIB, "M5120+2,5130+4", "dax0.2");
	assert_state(kernel,
		     "dax0.0 align 2097152 - 0:0\n"
		     "dax0.1 align 1073741824 device_dax 252:0 0x180000000-0x1bfffffff "
		     "0x100000000-0x13fffffff\n"
		     "dax0.2 align 2097152 device_dax 252:1 0x140000000-0x1401fffff "
		     "0x140a00000-0x140dfffff\n"
		     "dax1.0 align 2097152 - 0:0\n");
	regions = daxc_kernel_regions(kernel, &error);
	ck_assert_uint_eq(((DaxcRegion *)regions->pdata[0])->available,
			  6 * GIB - 6 * MIB);
}
END_TEST

START_TEST(names_are_reused_lowest_first_and_never_the_seeds)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;

	carve_ok(kernel, GIB, "4+1", "dax0.1");
	carve_ok(kernel, GIB, "5+1", "dax0.2");
	carve_ok(kernel, GIB, "6+1", "dax0.3");
	ck_assert(daxc_kernel_destroy(kernel, "dax0.2", NULL, &error));
	carve_ok(kernel, GIB, "8+1", "dax0.2");
	carve_ok(kernel, GIB, "5+1", "dax0.4");
}
END_TEST

START_TEST(a_region_can_be_carved_to_the_last_byte)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	carve_ok(kernel, GIB, "4+8", "dax0.1");
	ck_assert(!carve(kernel, GIB, "5+1", &name, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "overlaps");
	g_clear_error(&error);
	ck_assert(!kernel->ops->create(kernel, 0, &name, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "all of its memory is in instances");
}
END_TEST

/* ---- what is refused before the kernel sees it ---- */

static void assert_refused_unseen(guint64 align, const GArray *extents, guint region,
				  int code, const char *text)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;
	const DaxcKernelCarving asked = {
		.region = region, .align = align, .granule = align, .extents = extents};

	daxc_kernel_sim_fail(kernel, 0, EIO);
	ck_assert_msg(!daxc_kernel_carve(kernel, &asked, &name, &error),
		      "accepted, but expected: %s", text);
	unit_assert_error(error, code, text);
	ck_assert_ptr_null(name);
	g_clear_error(&error);
	/* The first step is yet to fail: there was none. */
	ck_assert(!kernel->ops->create(kernel, 0, &name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "Input/output error");
}

START_TEST(carvings_that_are_refused_unseen)
{
	static const struct {
		guint64 align;
		const char *extents;
		const char *text;
	} cases[] = {
		{GIB, "M4608+1024",
		 "0x120000000-0x15fffffff cannot be carved: its start and size must be "
		 "multiples of 1 GiB"},
		{GIB, "M5120+1024,4610+1024", "0x120200000-0x1601fffff"},
		{GIB, "M4096+1536", "multiples of 1 GiB"},
		{2 * MIB, "M4097+2", "multiples of 2 MiB"},
		{2 * MIB, "M4096+3", "multiples of 2 MiB"},
		{GIB, "3+1", "not in region 0, 0x100000000-0x2ffffffff"},
		{GIB, "11+2", "not in region 0"},
		{GIB, "12+1", "not in region 0"},
		{GIB, "0+1", "not in region 0"},
		{GIB, "4+9", "not in region 0"},
		{GIB, "4+0", "not in region 0"},
		{GIB, "4+1,4+1",
		 "0x100000000-0x13fffffff cannot be carved: it overlaps "
		 "0x100000000-0x13fffffff of the same instance"},
		{GIB, "6+1,4+3",
		 "0x100000000-0x1bfffffff cannot be carved: it overlaps "
		 "0x180000000-0x1bfffffff"},
		{4096, "4+1", "4096 bytes is neither 2 MiB nor 1 GiB"},
		{0, "4+1", "neither 2 MiB nor 1 GiB"},
		{3 * MIB, "4+1", "neither 2 MiB nor 1 GiB"},
		{2 * GIB, "4+2", "neither 2 MiB nor 1 GiB"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) extents = make_extents(cases[i].extents);

		assert_refused_unseen(cases[i].align, extents, 0, DAXC_ERROR_INVALID,
				      cases[i].text);
	}
}
END_TEST

START_TEST(extents_without_an_end_are_refused_unseen)
{
	static const DaxcExtent cases[] = {
		{4 * GIB, G_MAXUINT64 - GIB + 1},
		{G_MAXUINT64 - GIB + 1, GIB},
		{G_MAXUINT64 - GIB + 1, 2 * GIB},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) extents = make_extents("4+1");

		g_array_append_val(extents, cases[i]);
		assert_refused_unseen(GIB, extents, 0, DAXC_ERROR_INVALID,
				      "not in region 0");
	}
}
END_TEST

START_TEST(an_empty_carving_and_an_unknown_region_are_refused_unseen)
{
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	g_autoptr(GArray) some = make_extents("4+1");

	assert_refused_unseen(GIB, none, 0, DAXC_ERROR_INVALID, "without memory");
	assert_refused_unseen(GIB, some, 7, DAXC_ERROR_NOT_FOUND, "no region 7");
}
END_TEST

START_TEST(memory_of_another_instance_is_refused_with_both_ranges)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *before = NULL;
	g_autofree char *name = NULL;

	carve_ok(kernel, GIB, "4+1,6+2", "dax0.1");
	before = snapshot(kernel);
	daxc_kernel_sim_fail(kernel, 0, EIO);
	ck_assert(!carve(kernel, 2 * MIB, "M5120+2,7168+2", &name, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED,
			  "0x1c0000000-0x1c01fffff cannot be carved: it overlaps "
			  "0x180000000-0x1ffffffff of dax0.1");
	assert_state(kernel, before);
}
END_TEST

/* The kernel accepts a misaligned start, and then maps what lies below it. */
START_TEST(memory_that_a_misaligned_instance_maps_is_refused)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autofree char *theirs = make(kernel, GIB);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	add(kernel, theirs, "M5632+1024");
	ck_assert(!carve(kernel, 2 * MIB, "M5120+2", &name, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "overlaps 0x160000000-0x19fffffff");
	carve_ok(kernel, 2 * MIB, "M5118+2", "dax0.2");
}
END_TEST

/* ---- the seed ---- */

START_TEST(a_seed_with_the_whole_region_is_emptied_first)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);

	add(kernel, "dax0.0", "4+8");
	carve_ok(kernel, GIB, "5+1,7+1", "dax0.1");
	assert_state(kernel,
		     "dax0.0 align 2097152 - 0:0\n"
		     "dax0.1 align 1073741824 device_dax 252:0 0x140000000-0x17fffffff "
		     "0x1c0000000-0x1ffffffff\n"
		     "dax1.0 align 2097152 - 0:0\n");
}
END_TEST

static void assert_seed_in_the_way(DaxcKernel *kernel, const char *extents, int code,
				   const char *text)
{
	g_autofree char *before = snapshot(kernel);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	ck_assert(!carve(kernel, GIB, extents, &name, &error));
	unit_assert_error(error, code, text);
	ck_assert_ptr_null(name);
	assert_state(kernel, before);
}

START_TEST(a_seed_in_use_is_left_alone)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;

	/* Somebody has it open. */
	add(kernel, "dax0.0", "4+8");
	daxc_kernel_sim_hold(kernel, "dax0.0", "fio (77)", &error);
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_BUSY, "fio (77)");
	daxc_kernel_sim_hold(kernel, "dax0.0", NULL, &error);
	/* It is bound. */
	step(kernel, kernel->ops->enable, "dax0.0");
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED, "region_idle=1");
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED,
			       "daxctl disable-device dax0.0");
	step(kernel, kernel->ops->disable, "dax0.0");
	/* It has a part, or all in two parts: that is somebody's work. */
	step(kernel, kernel->ops->clear, "dax0.0");
	add(kernel, "dax0.0", "4+4,8+4");
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED, "of dax0.0");
	step(kernel, kernel->ops->clear, "dax0.0");
	add(kernel, "dax0.0", "5+3");
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED, "of dax0.0");
	carve_ok(kernel, GIB, "4+1,8+1", "dax0.1");
}
END_TEST

/* ---- damage on the way ---- */

static const int codes[] = {EIO, ENOMEM, EBUSY, ENOSPC, EACCES, 0};

/* Fails every step of a carving in turn. Returns how many there are. */
static guint fail_each_carve_step(DaxcKernel *kernel, int code)
{
	g_autofree char *before = snapshot(kernel);
	guint steps;

	for (steps = 0;; steps++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *name = NULL;

		ck_assert_uint_lt(steps, 100);
		daxc_kernel_sim_fail(kernel, steps, code);
		if (carve(kernel, GIB, "5+1,7+1", &name, &error))
			break;
		ck_assert_ptr_nonnull(error);
		ck_assert_ptr_null(name);
		ck_assert_msg(!strstr(error->message, "undoing"), "%s", error->message);
		if (code == 0)
			unit_assert_error(error, DAXC_ERROR_KERNEL, "the kernel ");
		else
			ck_assert_msg(strstr(error->message, g_strerror(code)) &&
					      g_str_has_prefix(error->message, "cannot "),
				      "step %u: %s", steps, error->message);
		assert_state(kernel, before);
	}
	return steps;
}

START_TEST(a_carving_that_fails_at_any_step_leaves_no_trace)
{
	for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);

		carve_ok(kernel, GIB, "4+1", "dax0.1");
		/* create, set_align, two times add_extent, enable */
		ck_assert_uint_eq(fail_each_carve_step(kernel, codes[i]), 5);
	}
}
END_TEST

START_TEST(a_carving_that_fails_at_any_step_gives_the_seed_its_region_back)
{
	for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);

		add(kernel, "dax0.0", "4+8");
		ck_assert_uint_eq(fail_each_carve_step(kernel, codes[i]), 6);
	}
}
END_TEST

static guint fail_each_destroy_step(DaxcKernel *kernel, const char *name, int code)
{
	g_autofree char *before = snapshot(kernel);
	guint steps;

	for (steps = 0;; steps++) {
		g_autoptr(GError) error = NULL;

		ck_assert_uint_lt(steps, 100);
		daxc_kernel_sim_fail(kernel, steps, code);
		if (daxc_kernel_destroy(kernel, name, NULL, &error))
			break;
		ck_assert_ptr_nonnull(error);
		ck_assert_msg(!strstr(error->message, "undoing"), "%s", error->message);
		assert_state(kernel, before);
	}
	return steps;
}

START_TEST(a_destruction_that_fails_at_any_step_changes_nothing)
{
	for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);
		g_autofree char *name = NULL;

		carve_ok(kernel, GIB, "5+1,4+1", "dax0.1");
		name = make(kernel, GIB);
		add(kernel, name, "9+1,8+1");
		/* disable, clear, destroy; the other one is not enabled */
		ck_assert_uint_eq(fail_each_destroy_step(kernel, "dax0.1", codes[i]), 3);
		ck_assert_uint_eq(fail_each_destroy_step(kernel, name, codes[i]), 2);
		assert_state(kernel,
			     "dax0.0 align 2097152 - 0:0\ndax1.0 align 2097152 - 0:0\n");
	}
}
END_TEST

#define RED "0f0f0f0f-0000-4000-8000-00000000000a"
#define BLUE "0f0f0f0f-0000-4000-8000-00000000000b"

static gboolean claim(DaxcKernel *kernel, const char *uuid, const char *list,
		      GError **error)
{
	g_auto(GStrv) names = g_strsplit(list, " ", -1);

	return daxc_kernel_claim(kernel, (const char *const *)names, uuid, FALSE, error);
}

START_TEST(a_claim_is_of_all_or_of_none)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *before = NULL;

	carve_ok(kernel, GIB, "4+1", "dax0.1");
	carve_ok(kernel, GIB, "5+1", "dax0.2");
	carve_ok(kernel, GIB, "6+1", "dax0.3");
	ck_assert(claim(kernel, BLUE, "dax0.2", &error));
	before = snapshot(kernel);
	ck_assert(!claim(kernel, RED, "dax0.1 dax0.2 dax0.3", &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, "somebody else");
	g_clear_error(&error);
	ck_assert(!claim(kernel, RED, "dax0.1 dax0.0", &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "cannot claim dax0.0");
	g_clear_error(&error);
	daxc_kernel_sim_fail(kernel, 0, EINTR);
	ck_assert(!claim(kernel, RED, "dax0.1 dax0.3", &error));
	g_clear_error(&error);
	assert_state(kernel, before);
	/* Success that is none. */
	daxc_kernel_sim_fail(kernel, 0, 0);
	ck_assert(!claim(kernel, RED, "dax0.1 dax0.3", &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "dax0.1 is claimed by nobody");
	g_clear_error(&error);
	ck_assert(claim(kernel, "0F0F0F0F-0000-4000-8000-00000000000A", "dax0.1 dax0.3",
			&error));
	assert_state(kernel,
		     "dax0.0 align 2097152 - 0:0\n"
		     "dax0.1 align 1073741824 device_dax 252:0 0x100000000-0x13fffffff "
		     "claimed 1x by " RED "\n"
		     "dax0.2 align 1073741824 device_dax 252:1 0x140000000-0x17fffffff "
		     "claimed 1x by " BLUE "\n"
		     "dax0.3 align 1073741824 device_dax 252:2 0x180000000-0x1bfffffff "
		     "claimed 1x by " RED "\n"
		     "dax1.0 align 2097152 - 0:0\n");
}
END_TEST

START_TEST(a_claim_ends_with_its_instance_by_its_claimant_only)
{
	for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);
		g_autoptr(GError) error = NULL;

		carve_ok(kernel, GIB, "4+1", "dax0.1");
		/* Twice, as a claimant may. */
		ck_assert(claim(kernel, RED, "dax0.1", &error));
		ck_assert(claim(kernel, RED, "dax0.1", &error));
		ck_assert(!daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
		unit_assert_error(error, DAXC_ERROR_BUSY, "claimed by " RED);
		g_clear_error(&error);
		ck_assert(!daxc_kernel_destroy(kernel, "dax0.1", BLUE, &error));
		unit_assert_error(error, DAXC_ERROR_BUSY, "claimed by " RED);
		g_clear_error(&error);
		/* Mainline's errno for what is bound; here it is for what is claimed. */
		step(kernel, kernel->ops->disable, "dax0.1");
		ck_assert(!kernel->ops->clear(kernel, "dax0.1", &error));
		g_clear_error(&error);
		ck_assert(daxc_kernel_destroy(kernel, "dax0.1", RED, &error));
		unit_assert_no_error(error);
	}
}
END_TEST

/* unclaim, disable, clear, destroy */
START_TEST(a_destruction_that_fails_leaves_the_claim)
{
	for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);
		g_autoptr(GError) error = NULL;
		g_autofree char *before = NULL;

		carve_ok(kernel, GIB, "5+1,4+1", "dax0.1");
		ck_assert(claim(kernel, RED, "dax0.1", &error));
		before = snapshot(kernel);
		for (guint steps = 0; steps < 4; steps++) {
			daxc_kernel_sim_fail(kernel, steps, codes[i]);
			ck_assert(!daxc_kernel_destroy(kernel, "dax0.1", RED, &error));
			ck_assert_msg(!strstr(error->message, "undoing"), "%s",
				      error->message);
			g_clear_error(&error);
			assert_state(kernel, before);
		}
		ck_assert(daxc_kernel_destroy(kernel, "dax0.1", RED, &error));
	}
}
END_TEST

START_TEST(what_could_not_be_undone_is_said_and_can_be_destroyed_later)
{
	/* The second extent fails, then each step of the undoing. */
	for (guint undo = 4; undo <= 5; undo++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);
		g_autofree char *before = snapshot(kernel);
		g_autoptr(GError) error = NULL;
		g_autofree char *name = NULL;

		daxc_kernel_sim_fail(kernel, 3, ENOMEM);
		daxc_kernel_sim_fail(kernel, undo, EIO);
		ck_assert(!carve(kernel, GIB, "5+1,7+1", &name, &error));
		unit_assert_error(error, DAXC_ERROR_KERNEL, "another instance has part");
		unit_assert_error(error, DAXC_ERROR_KERNEL,
				  "undoing this failed too, dax0.1 is left");
		unit_assert_error(error, DAXC_ERROR_KERNEL, "Input/output error");
		ck_assert_str_eq(name, "dax0.1");
		g_clear_error(&error);
		ck_assert(daxc_kernel_destroy(kernel, name, NULL, &error));
		assert_state(kernel, before);
	}
}
END_TEST

START_TEST(a_seed_that_stays_empty_is_said)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	add(kernel, "dax0.0", "4+8");
	daxc_kernel_sim_fail(kernel, 1, EIO);
	daxc_kernel_sim_fail(kernel, 2, ENOMEM);
	ck_assert(!carve(kernel, GIB, "5+1", &name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL,
			  "the seed without its memory is left");
	ck_assert_ptr_null(name);
}
END_TEST

START_TEST(a_destruction_that_cannot_be_undone_says_so_and_can_be_repeated)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autofree char *before = snapshot(kernel);
	g_autoptr(GError) error = NULL;

	carve_ok(kernel, GIB, "5+1,7+1", "dax0.1");
	/* disable, clear (fails), enable (fails) */
	daxc_kernel_sim_fail(kernel, 1, EIO);
	daxc_kernel_sim_fail(kernel, 2, ENOMEM);
	ck_assert(!daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "undoing this failed too, dax0.1");
	unit_assert_error(error, DAXC_ERROR_KERNEL, "no memory for its struct pages");
	g_clear_error(&error);
	ck_assert(daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
	assert_state(kernel, before);
}
END_TEST

/* ---- destroy ---- */

START_TEST(destroying_works_from_every_state_and_again)
{
	/* made; aligned and mapped in part; mapped; enabled; gone */
	for (guint state = 0; state < 5; state++) {
		g_autoptr(DaxcKernel) kernel = open_sim(NULL);
		g_autofree char *before = snapshot(kernel);
		g_autofree char *name = make(kernel, GIB);
		g_autoptr(GError) error = NULL;

		if (state > 0)
			add(kernel, name, "5+1");
		if (state > 1)
			add(kernel, name, "7+1");
		if (state > 2)
			step(kernel, kernel->ops->enable, name);
		if (state > 3)
			ck_assert(daxc_kernel_destroy(kernel, name, NULL, &error));
		ck_assert(daxc_kernel_destroy(kernel, name, NULL, &error));
		unit_assert_no_error(error);
		assert_state(kernel, before);
	}
}
END_TEST

START_TEST(a_seed_is_emptied_and_stays)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autofree char *before = snapshot(kernel);
	g_autoptr(GError) error = NULL;

	ck_assert(!kernel->ops->destroy(kernel, "dax0.0", &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "seed of its region");
	g_clear_error(&error);
	add(kernel, "dax0.0", "5+2");
	step(kernel, kernel->ops->enable, "dax0.0");
	ck_assert(daxc_kernel_destroy(kernel, "dax0.0", NULL, &error));
	assert_state(kernel, before);
}
END_TEST

START_TEST(an_instance_in_use_is_not_destroyed)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *before = NULL;

	carve_ok(kernel, GIB, "5+1,7+1", "dax0.1");
	daxc_kernel_sim_hold(kernel, "dax0.1", "qemu-system-x86 (1234)", &error);
	before = snapshot(kernel);
	ck_assert(!daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY,
			  "dax0.1 is in use: open or mapped by qemu-system-x86 (1234)");
	assert_state(kernel, before);
	g_clear_error(&error);
	/* Unbound by somebody, but still open: its pages may be pinned. */
	step(kernel, kernel->ops->disable, "dax0.1");
	ck_assert(!daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
	unit_assert_error(error, DAXC_ERROR_BUSY, "in use");
	g_clear_error(&error);
	daxc_kernel_sim_hold(kernel, "dax0.1", NULL, &error);
	ck_assert(daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
}
END_TEST

START_TEST(names_that_are_none)
{
	static const char *const names[] = {
		"",
		"dax",
		"dax0",
		"dax0.",
		"dax.1",
		"dax0.01",
		"dax0.1 ",
		"dax0.1/",
		"../dax0.1",
		"dax-1.0",
		"dax0.+1",
		"dax0.1.2",
		"dax0.4294967297",
		"DAX0.1",
	};
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_msg(!daxc_kernel_destroy(kernel, names[i], NULL, &error), "%s",
			      names[i]);
		unit_assert_error(error, DAXC_ERROR_INVALID,
				  "not the name of an instance");
		g_clear_error(&error);
		ck_assert_ptr_null(daxc_kernel_holders(kernel, names[i], &error));
		unit_assert_error(error, DAXC_ERROR_INVALID,
				  "not the name of an instance");
	}
}
END_TEST

START_TEST(only_an_enabled_instance_is_zeroed)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;

	carve_ok(kernel, GIB, "5+1", "dax0.1");
	ck_assert(daxc_kernel_zero(kernel, "dax0.1", 0, GIB, NULL, NULL, &error));
	daxc_kernel_sim_fail(kernel, 0, EIO);
	ck_assert(!daxc_kernel_zero(kernel, "dax0.1", 0, GIB, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "cannot zero dax0.1");
	g_clear_error(&error);
	ck_assert(!daxc_kernel_zero(kernel, "dax0.0", 0, GIB, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "not enabled");
	g_clear_error(&error);
	ck_assert(!daxc_kernel_zero(kernel, "dax0.5", 0, GIB, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_NOT_FOUND, "dax0.5");
}
END_TEST

/* ---- a kernel that lies, and somebody else at work ---- */

/**
 * Shim: the simulated kernel with something between.
 * @tamper_regions, @tamper_instances: (nullable): change what it says
 * @meddle: (nullable): what somebody else does after each add_extent
 * @created: (nullable): what it says is the name of a new instance
 * @deletes_and_fails: it deletes, but reports an error
 */
typedef struct {
	DaxcKernel kernel;
	DaxcKernelOps ops;
	DaxcKernel *sim;
	void (*tamper_regions)(GPtrArray *regions);
	void (*tamper_instances)(GPtrArray *instances);
	void (*meddle)(DaxcKernel *sim, const char *name);
	const char *created;
	gboolean deletes_and_fails;
} Shim;

static GPtrArray *shim_regions(DaxcKernel *kernel, GError **error)
{
	Shim *shim = (Shim *)kernel;
	GPtrArray *regions = shim->sim->ops->regions(shim->sim, error);

	if (shim->tamper_regions)
		shim->tamper_regions(regions);
	return regions;
}

static GPtrArray *shim_instances(DaxcKernel *kernel, GError **error)
{
	Shim *shim = (Shim *)kernel;
	GPtrArray *instances = shim->sim->ops->instances(shim->sim, error);

	if (shim->tamper_instances)
		shim->tamper_instances(instances);
	return instances;
}

static DaxcInstance *shim_instance(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = (Shim *)kernel;

	return shim->sim->ops->instance(shim->sim, name, error);
}

static gboolean shim_create(DaxcKernel *kernel, guint region, char **name, GError **error)
{
	Shim *shim = (Shim *)kernel;

	if (!shim->sim->ops->create(shim->sim, region, name, error))
		return FALSE;
	if (shim->created) {
		g_free(*name);
		*name = g_strdup(shim->created);
	}
	return TRUE;
}

static gboolean shim_set_align(DaxcKernel *kernel, const char *name, guint64 align,
			       GError **error)
{
	Shim *shim = (Shim *)kernel;

	return shim->sim->ops->set_align(shim->sim, name, align, error);
}

static gboolean shim_add_extent(DaxcKernel *kernel, const char *name,
				const DaxcExtent *extent, GError **error)
{
	Shim *shim = (Shim *)kernel;

	if (!shim->sim->ops->add_extent(shim->sim, name, extent, error))
		return FALSE;
	if (shim->meddle)
		shim->meddle(shim->sim, name);
	return TRUE;
}

#define SHIM_STEP(op)                                                                    \
	static gboolean shim_##op(DaxcKernel *kernel, const char *name, GError **error)  \
	{                                                                                \
		Shim *shim = (Shim *)kernel;                                             \
                                                                                         \
		return shim->sim->ops->op(shim->sim, name, error);                       \
	}
SHIM_STEP(clear)
SHIM_STEP(enable)
SHIM_STEP(disable)

static gboolean shim_destroy(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = (Shim *)kernel;

	if (!shim->sim->ops->destroy(shim->sim, name, error))
		return FALSE;
	return !shim->deletes_and_fails ||
	       daxc_kernel_refused(error, DAXC_STEP_DELETE, name, EINTR);
}

static GPtrArray *shim_holders(DaxcKernel *kernel, const char *name, GError **error)
{
	Shim *shim = (Shim *)kernel;

	return shim->sim->ops->holders(shim->sim, name, error);
}

static void shim_free(DaxcKernel *kernel)
{
	daxc_kernel_free(((Shim *)kernel)->sim);
	g_free(kernel);
}

static Shim *open_shim(void)
{
	Shim *shim = g_new0(Shim, 1);

	shim->sim = open_sim(NULL);
	shim->ops = (DaxcKernelOps){
		.name = "shim",
		.driver = DAXC_DRIVER_DEVDAX,
		.free = shim_free,
		.regions = shim_regions,
		.instances = shim_instances,
		.instance = shim_instance,
		.create = shim_create,
		.set_align = shim_set_align,
		.add_extent = shim_add_extent,
		.clear = shim_clear,
		.enable = shim_enable,
		.disable = shim_disable,
		.destroy = shim_destroy,
		.holders = shim_holders,
	};
	shim->kernel.ops = &shim->ops;
	return shim;
}

static void bind_it(DaxcKernel *sim, const char *name)
{
	step(sim, sim->ops->enable, name);
}

/* On 6.1, loading a driver or anyone's new_id binds what we are just mapping. */
START_TEST(an_instance_that_somebody_binds_meanwhile_is_not_mapped_further)
{
	Shim *shim = open_shim();
	g_autoptr(DaxcKernel) kernel = &shim->kernel;
	g_autofree char *before = snapshot(kernel);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	shim->meddle = bind_it;
	ck_assert(!carve(kernel, GIB, "5+1,7+1", &name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "bound a driver to it meanwhile");
	ck_assert_ptr_null(name);
	assert_state(kernel, before);
	g_clear_error(&error);
	/* After the last extent, too: nobody verified it before it was bound. */
	ck_assert(!carve(kernel, GIB, "5+1", &name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "the driver of dax0.1 is not");
	assert_state(kernel, before);
}
END_TEST

START_TEST(the_instance_of_somebody_else_is_neither_filled_nor_destroyed)
{
	static const char *const names[] = {"dax0.1", "dax0.0", "dax1.0", "dax1.7",
					    "",	      "dax",	"../x"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		Shim *shim = open_shim();
		g_autoptr(DaxcKernel) kernel = &shim->kernel;
		g_autofree char *theirs = make(kernel, GIB);
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcInstance) instance = NULL;
		g_autofree char *name = NULL;

		ck_assert_str_eq(theirs, "dax0.1");
		shim->created = names[i];
		ck_assert(!carve(kernel, 2 * MIB, "5+1", &name, &error));
		unit_assert_error(error, DAXC_ERROR_KERNEL, "which is none");
		g_clear_error(&error);
		instance = daxc_kernel_instance(kernel, theirs, &error);
		unit_assert_no_error(error);
		ck_assert_uint_eq(instance->align, GIB);
		ck_assert_uint_eq(instance->size, 0);
	}
}
END_TEST

START_TEST(what_is_gone_is_destroyed_whatever_was_reported)
{
	Shim *shim = open_shim();
	g_autoptr(DaxcKernel) kernel = &shim->kernel;
	g_autofree char *before = snapshot(kernel);
	g_autoptr(GError) error = NULL;

	shim->deletes_and_fails = TRUE;
	carve_ok(kernel, GIB, "5+1", "dax0.1");
	ck_assert(daxc_kernel_destroy(kernel, "dax0.1", NULL, &error));
	unit_assert_no_error(error);
	assert_state(kernel, before);
}
END_TEST

static DaxcRegion *region_at(GPtrArray *regions, guint index)
{
	return regions->pdata[index];
}

static void region_size_0(GPtrArray *regions)
{
	region_at(regions, 0)->size = 0;
}

static void region_too_far(GPtrArray *regions)
{
	region_at(regions, 0)->start = G_MAXUINT64 - GIB;
}

static void region_align_3(GPtrArray *regions)
{
	region_at(regions, 1)->align = 3;
}

static void region_align_0(GPtrArray *regions)
{
	region_at(regions, 1)->align = 0;
}

static void region_available(GPtrArray *regions)
{
	region_at(regions, 0)->available = 9 * GIB;
}

static void region_node(GPtrArray *regions)
{
	region_at(regions, 0)->node = -2;
}

static void region_twice(GPtrArray *regions)
{
	region_at(regions, 1)->id = 0;
}

static void region_overlap(GPtrArray *regions)
{
	region_at(regions, 1)->start -= 4096;
}

static void region_hides(GPtrArray *regions)
{
	region_at(regions, 0)->available -= 4096;
}

static DaxcInstance *instance_at(GPtrArray *instances, guint index)
{
	return instances->pdata[index];
}

static DaxcExtent *extent_at(GPtrArray *instances, guint index)
{
	return &g_array_index(instance_at(instances, index)->extents, DaxcExtent, 0);
}

static void instance_size(GPtrArray *instances)
{
	instance_at(instances, 2)->size += 4096;
}

static void instance_align(GPtrArray *instances)
{
	instance_at(instances, 2)->align = 0;
}

static void instance_name(GPtrArray *instances)
{
	instance_at(instances, 2)->name[3] = 'x';
}

static void instance_twice(GPtrArray *instances)
{
	g_ptr_array_add(instances, daxc_instance_copy(instance_at(instances, 0)));
}

static void instance_no_region(GPtrArray *instances)
{
	DaxcInstance *instance = daxc_instance_new(5, 0);

	instance->align = 2 * MIB;
	g_ptr_array_add(instances, instance);
}

static void extent_empty(GPtrArray *instances)
{
	extent_at(instances, 2)->size = 0;
}

static void extent_wraps(GPtrArray *instances)
{
	extent_at(instances, 2)->start = G_MAXUINT64 - 4096;
}

static void extent_outside(GPtrArray *instances)
{
	extent_at(instances, 2)->start = 12 * GIB;
}

static void extent_overlap(GPtrArray *instances)
{
	*extent_at(instances, 2) = *extent_at(instances, 3);
}

START_TEST(a_kernel_that_says_what_cannot_be_is_not_believed)
{
	static const struct {
		void (*regions)(GPtrArray *regions);
		void (*instances)(GPtrArray *instances);
		const char *text;
	} cases[] = {
		{region_size_0, NULL, "region 0 what cannot be: its size is 0"},
		{region_too_far, NULL, "region 0 what cannot be: its size goes beyond"},
		{region_align_3, NULL, "region 1 what cannot be: its align"},
		{region_align_0, NULL, "region 1 what cannot be: its align"},
		{region_available, NULL, "its available_size is more than its size"},
		{region_node, NULL, "its target_node is negative"},
		{region_twice, NULL, "its id is another region's"},
		{region_overlap, NULL, "its range overlaps region"},
		{region_hides, NULL, "its available_size is not what its instances"},
		{NULL, instance_size, "dax0.1 what cannot be: its size"},
		{NULL, instance_align, "dax0.1 what cannot be: its align"},
		{NULL, instance_name, "its name is not daxR.N"},
		{NULL, instance_twice, "dax0.0 what cannot be: its name is there twice"},
		{NULL, instance_no_region, "dax5.0 what cannot be: its region"},
		{NULL, extent_empty, "dax0.1 what cannot be: its mapping is empty"},
		{NULL, extent_wraps, "its mapping is empty or goes beyond 64 bits"},
		{NULL, extent_outside, "is not in its region"},
		{NULL, extent_overlap, "0x180000000-0x1bfffffff overlaps dax0."},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		Shim *shim = open_shim();
		g_autoptr(DaxcKernel) kernel = &shim->kernel;
		g_autoptr(GPtrArray) instances = NULL;
		g_autoptr(GError) error = NULL;
		g_autofree char *name = NULL;

		carve_ok(kernel, GIB, "5+1", "dax0.1");
		carve_ok(kernel, GIB, "6+1", "dax0.2");
		shim->tamper_regions = cases[i].regions;
		shim->tamper_instances = cases[i].instances;
		instances = daxc_kernel_instances(kernel, &error);
		ck_assert_msg(!instances, "believed: %s", cases[i].text);
		unit_assert_error(error, DAXC_ERROR_KERNEL, cases[i].text);
		g_clear_error(&error);
		ck_assert(!carve(kernel, GIB, "8+1", &name, &error));
		unit_assert_error(error, DAXC_ERROR_KERNEL, cases[i].text);
	}
}
END_TEST

/* ---- the simulated kernel's own manners ---- */

START_TEST(the_simulated_kernel_refuses_as_mainline_does)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autofree char *name = make(kernel, GIB);
	const DaxcExtent odd = {5 * GIB, 2 * MIB};
	const DaxcExtent misaligned = {5 * GIB + 2 * MIB, GIB};
	const DaxcExtent outside = {3 * GIB, GIB};
	g_autoptr(GError) error = NULL;

	ck_assert(!kernel->ops->enable(kernel, name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "it has no memory");
	g_clear_error(&error);
	ck_assert(!kernel->ops->set_align(kernel, name, 8192, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "pages of that size");
	g_clear_error(&error);
	ck_assert(!kernel->ops->add_extent(kernel, name, &odd, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL,
			  "no multiple of the instance's align");
	g_clear_error(&error);
	ck_assert(!kernel->ops->add_extent(kernel, name, &outside, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL,
			  "cannot give 0xc0000000-0xffffffff to dax0.1");
	g_clear_error(&error);
	ck_assert(kernel->ops->add_extent(kernel, name, &misaligned, &error));
	ck_assert(!kernel->ops->add_extent(kernel, name, &misaligned, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "Cannot allocate memory");
	g_clear_error(&error);
	ck_assert(!kernel->ops->destroy(kernel, name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "it is bound, has memory");
	g_clear_error(&error);
	ck_assert(!kernel->ops->disable(kernel, name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "no driver is bound");
	g_clear_error(&error);
	step(kernel, kernel->ops->enable, name);
	ck_assert(!kernel->ops->clear(kernel, name, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "a driver is bound to it");
	g_clear_error(&error);
	ck_assert(!kernel->ops->set_align(kernel, name, 2 * MIB, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "a driver is bound to it");
	g_clear_error(&error);
	ck_assert(!kernel->ops->add_extent(kernel, name, &misaligned, &error));
	unit_assert_error(error, DAXC_ERROR_KERNEL, "bound a driver");
}
END_TEST

typedef struct {
	char *dir;
	char *file;
} TempFile;

static TempFile temp_file(void)
{
	g_autoptr(GError) error = NULL;
	TempFile temp = {g_dir_make_tmp("daxcolor-kernel-XXXXXX", &error), NULL};

	unit_assert_no_error(error);
	temp.file = g_build_filename(temp.dir, "sim.state", NULL);
	return temp;
}

static void temp_file_clear(TempFile *temp)
{
	g_autofree char *memory = g_strconcat(temp->file, "-memory", NULL);

	g_unlink(temp->file);
	g_unlink(memory);
	ck_assert_int_eq(g_rmdir(temp->dir), 0);
	g_free(temp->file);
	g_free(temp->dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TempFile, temp_file_clear)

static void put_file(const char *path, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_file_set_contents(path, text, -1, &error);
	unit_assert_no_error(error);
}

static char *get_file(const char *path)
{
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	unit_assert_no_error(error);
	return text;
}

START_TEST(state_in_a_file_is_seen_by_all)
{
	g_auto(TempFile) temp = temp_file();
	g_autoptr(DaxcKernel) one = open_sim(temp.file);
	g_autoptr(DaxcKernel) two = open_sim(temp.file);
	g_autoptr(DaxcKernel) three = NULL;
	g_autoptr(GPtrArray) holders = NULL;
	g_autofree char *idle = snapshot(one);
	g_autoptr(GError) error = NULL;
	g_autofree char *state = NULL;
	GStatBuf st;

	/* Looking makes no file. */
	ck_assert(!g_file_test(temp.file, G_FILE_TEST_EXISTS));
	carve_ok(one, GIB, "5+1,7+1", "dax0.1");
	carve_ok(two, GIB, "8+1", "dax0.2");
	daxc_kernel_sim_hold(two, "dax0.1", "qemu (1)", &error);
	state = snapshot(one);
	assert_state(two, state);
	three = open_sim(temp.file);
	assert_state(three, state);
	holders = daxc_kernel_holders(three, "dax0.1", &error);
	ck_assert_str_eq(holders->pdata[0], "qemu (1)");
	ck_assert_int_eq(g_stat(temp.file, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	daxc_kernel_sim_hold(two, "dax0.1", NULL, &error);
	ck_assert(daxc_kernel_destroy(three, "dax0.1", NULL, &error));
	ck_assert(daxc_kernel_destroy(one, "dax0.2", NULL, &error));
	assert_state(two, idle);
}
END_TEST

START_TEST(a_damaged_state_file_is_refused_and_kept)
{
	static const struct {
		const char *old;
		const char *new;
		const char *text;
	} cases[] = {
		{"version=1", "version=2", "another daxcolor"},
		{"version=1", "", "version is missing"},
		{"youngest=dax0.2", "youngest=dax0.9", "youngest does not exist"},
		{"youngest=", "oldest=", "unknown key oldest"},
		{"[sim]", "[sum]", "version is missing"},
		{"[sim]", "sim", "no state of a simulated kernel"},
		{"node=1", "node=3", "another host"},
		{"0x100000000-", "0x140000000-", "another host"},
		{"[region 1]", "[region 2]", "[region 1]"},
		{"[dax0.1]", "[dax7.1]", "unknown section"},
		{"[dax0.1]", "[dax0.1 ]", "unknown section"},
		{"0x1c0000000-0x1ffffffff",
		 "0x180000000-0x1ffffffff;0x1c0000000-0x1ffffffff",
		 "taken or not in the region"},
		{"0x1c0000000-0x1ffffffff", "0x3c0000000-0x3ffffffff",
		 "taken or not in the region"},
		{"0x1c0000000-0x1ffffffff", "0x1c0000000", "not a range"},
		{"align=1073741824", "align=8192", "align cannot be"},
		{"align=1073741824", "align=-1", "align"},
		{"minor=0", "minor=x", "minor"},
		{"minor=0", "", "minor is missing"},
		{"minor=1", "minor=0", "minor is used twice"},
		{"extents=0x", "extent=0x", "unknown key extent"},
		{"youngest=", "poison=x\nyoungest=", "poison"},
		{"youngest=", "poison=-1\nyoungest=", "poison"},
		{"youngest=", "poison=4294967295\nyoungest=", "poison is in no region"},
		{"youngest=", "poison=17179869184\nyoungest=", "poison is in no region"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(TempFile) temp = temp_file();
		g_autoptr(GPtrArray) regions = make_regions();
		g_autoptr(DaxcKernel) kernel = open_sim(temp.file);
		g_autoptr(GString) text = NULL;
		g_autoptr(GError) error = NULL;
		g_autofree char *good = NULL;
		g_autofree char *after = NULL;
		g_autofree char *name = NULL;

		carve_ok(kernel, GIB, "5+1,7+1", "dax0.1");
		carve_ok(kernel, GIB, "8+1", "dax0.2");
		good = get_file(temp.file);
		text = g_string_new(good);
		ck_assert_msg(g_string_replace(text, cases[i].old, cases[i].new, 1) == 1,
			      "no \"%s\" in the state file:\n%s", cases[i].old, good);
		put_file(temp.file, text->str);
		ck_assert_msg(!carve(kernel, GIB, "9+1", &name, &error), "accepted: %s",
			      cases[i].new);
		unit_assert_error(error, DAXC_ERROR_INVALID, cases[i].text);
		unit_assert_error(error, DAXC_ERROR_INVALID, temp.file);
		g_clear_error(&error);
		ck_assert_ptr_null(daxc_kernel_sim_new(regions, temp.file, &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, cases[i].text);
		after = get_file(temp.file);
		ck_assert_str_eq(after, text->str);
	}
}
END_TEST

START_TEST(a_state_file_that_cannot_be_written_changes_nothing)
{
	g_auto(TempFile) temp = temp_file();
	g_autofree char *path = g_build_filename(temp.dir, "no", "sim.state", NULL);
	g_autoptr(DaxcKernel) kernel = open_sim(path);
	g_autofree char *before = snapshot(kernel);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	ck_assert(!carve(kernel, GIB, "5+1", &name, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "cannot write the state");
	assert_state(kernel, before);
}
END_TEST

START_TEST(a_region_that_became_ram_is_refused_with_the_remedy)
{
	g_auto(TempFile) temp = temp_file();
	g_autoptr(DaxcKernel) kernel = open_sim(temp.file);
	g_autoptr(GString) text = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *good = NULL;

	add(kernel, "dax0.0", "4+8");
	good = get_file(temp.file);
	text = g_string_new(good);
	ck_assert_uint_eq(g_string_replace(text, "[dax0.0]", "[dax0.0]\ndriver=kmem", 1),
			  1);
	put_file(temp.file, text->str);
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED, "the host's RAM");
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED, "blacklist kmem");
	assert_seed_in_the_way(kernel, "5+1", DAXC_ERROR_REFUSED,
			       "options dax_hmem region_idle=1");
	ck_assert(!daxc_kernel_destroy(kernel, "dax0.0", NULL, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, "driver kmem");
}
END_TEST

/* ---- the simulated memory ---- */

START_TEST(an_offset_finds_its_address_through_the_extents)
{
	g_autoptr(GArray) extents = make_extents("7+1,5+2,10+1");

	ck_assert_uint_eq(daxc_extents_address(extents, 0), 7 * GIB);
	ck_assert_uint_eq(daxc_extents_address(extents, GIB - 1), 8 * GIB - 1);
	ck_assert_uint_eq(daxc_extents_address(extents, GIB), 5 * GIB);
	ck_assert_uint_eq(daxc_extents_address(extents, 3 * GIB - 1), 7 * GIB - 1);
	ck_assert_uint_eq(daxc_extents_address(extents, 3 * GIB + 5), 10 * GIB + 5);
}
END_TEST

/* A guest writes a byte at the beginning of each MiB of a range, and at its end. */
static void dirty(DaxcKernel *kernel, guint64 address, guint64 size)
{
	g_autoptr(GError) error = NULL;
	guint64 offset;
	int fd = daxc_kernel_sim_memory(kernel, address, &offset, &error);

	unit_assert_no_error(error);
	for (guint64 at = 0; at < size; at += MIB)
		ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)(offset + at)), 1);
	ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)(offset + size - 1)), 1);
	close(fd);
}

/* Returns: how many of these bytes are left. */
static guint count_dirt(DaxcKernel *kernel, guint64 address, guint64 size)
{
	g_autoptr(GError) error = NULL;
	guint64 offset;
	int fd = daxc_kernel_sim_memory(kernel, address, &offset, &error);
	guint count = 0;
	char byte;

	unit_assert_no_error(error);
	for (guint64 at = 0; at < size; at += MIB) {
		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(offset + at)), 1);
		count += byte != 0;
	}
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(offset + size - 1)), 1);
	close(fd);
	return count + (byte != 0);
}

static void zero_ok(DaxcKernel *kernel, const char *name, guint64 offset, guint64 size)
{
	g_autoptr(GError) error = NULL;

	daxc_kernel_zero(kernel, name, offset, size, NULL, NULL, &error);
	unit_assert_no_error(error);
}

static void check_zeroing(const char *file)
{
	g_autoptr(DaxcKernel) kernel = open_sim(file);

	carve_ok(kernel, 2 * MIB, "M7168+8,5120+8", "dax0.1");
	dirty(kernel, 7 * GIB - 2 * MIB, 12 * MIB);
	dirty(kernel, 5 * GIB - 2 * MIB, 12 * MIB);
	ck_assert_uint_eq(count_dirt(kernel, 7 * GIB - 2 * MIB, 12 * MIB), 13);
	/* Across the seam. */
	zero_ok(kernel, "dax0.1", 6 * MIB, 6 * MIB);
	ck_assert_uint_eq(count_dirt(kernel, 7 * GIB, 8 * MIB), 6);
	ck_assert_uint_eq(count_dirt(kernel, 7 * GIB + 6 * MIB, 2 * MIB), 0);
	ck_assert_uint_eq(count_dirt(kernel, 5 * GIB, 4 * MIB), 0);
	ck_assert_uint_eq(count_dirt(kernel, 5 * GIB + 4 * MIB, 2 * MIB), 2);
	zero_ok(kernel, "dax0.1", 0, 16 * MIB);
	ck_assert_uint_eq(count_dirt(kernel, 7 * GIB, 8 * MIB), 0);
	ck_assert_uint_eq(count_dirt(kernel, 5 * GIB, 8 * MIB), 0);
	ck_assert_uint_eq(count_dirt(kernel, 7 * GIB - 2 * MIB, 12 * MIB), 5);
	ck_assert_uint_eq(count_dirt(kernel, 5 * GIB - 2 * MIB, 12 * MIB), 5);
}

START_TEST(simulated_memory_keeps_what_guests_leave_until_it_is_zeroed)
{
	g_auto(TempFile) temp = temp_file();

	check_zeroing(NULL);
	check_zeroing(temp.file);
}
END_TEST

START_TEST(simulated_memory_in_a_file_is_seen_by_all)
{
	g_auto(TempFile) temp = temp_file();
	g_autofree char *memory = g_strconcat(temp.file, "-memory", NULL);
	g_autoptr(DaxcKernel) one = open_sim(temp.file);
	g_autoptr(DaxcKernel) two = open_sim(temp.file);
	GStatBuf st;

	carve_ok(one, GIB, "5+1", "dax0.1");
	zero_ok(one, "dax0.1", 0, GIB);
	/* Only who writes needs it. */
	ck_assert(!g_file_test(memory, G_FILE_TEST_EXISTS));
	dirty(one, 5 * GIB, 2 * MIB);
	ck_assert_int_eq(g_stat(memory, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_lt(st.st_blocks * 512, MIB);
	ck_assert_uint_eq(count_dirt(two, 5 * GIB, 2 * MIB), 3);
	zero_ok(two, "dax0.1", 0, GIB);
	ck_assert_uint_eq(count_dirt(one, 5 * GIB, 2 * MIB), 0);
}
END_TEST

START_TEST(simulated_memory_that_is_something_else_is_refused)
{
	g_auto(TempFile) temp = temp_file();
	g_autofree char *memory = g_strconcat(temp.file, "-memory", NULL);
	g_autoptr(DaxcKernel) kernel = open_sim(temp.file);
	g_autoptr(GError) error = NULL;
	guint64 offset;

	carve_ok(kernel, GIB, "5+1", "dax0.1");
	ck_assert_int_eq(symlink(temp.file, memory), 0);
	ck_assert_int_eq(daxc_kernel_sim_memory(kernel, 5 * GIB, &offset, &error), -1);
	unit_assert_error(error, DAXC_ERROR_FAILED, memory);
	g_clear_error(&error);
	ck_assert(!daxc_kernel_zero(kernel, "dax0.1", 0, GIB, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, memory);
	g_clear_error(&error);
	ck_assert_int_eq(daxc_kernel_sim_memory(kernel, 4 * GIB - 1, &offset, &error),
			 -1);
	unit_assert_error(error, DAXC_ERROR_INVALID,
			  "no region has memory at 0xffffffff");
	g_clear_error(&error);
	ck_assert(!daxc_kernel_sim_poison(kernel, 16 * GIB, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "no region");
}
END_TEST

START_TEST(parts_that_cannot_be_are_not_zeroed)
{
	static const guint64 cases[][2] = {
		{0, 0},		{0, 3 * GIB},	{GIB, 2 * GIB},
		{2 * GIB, GIB}, {0, 2 * MIB},	{2 * MIB, GIB},
		{0 - GIB, GIB}, {GIB, 0 - GIB}, {0, G_MAXUINT64},
	};
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);

	carve_ok(kernel, GIB, "5+1,7+1", "dax0.1");
	dirty(kernel, 5 * GIB, 2 * MIB);
	/* Nothing of it reaches the backend. */
	daxc_kernel_sim_fail(kernel, 0, EIO);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		guint64 bad = 1;

		ck_assert(!daxc_kernel_zero(kernel, "dax0.1", cases[i][0], cases[i][1],
					    NULL, &bad, &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, "of dax0.1");
		ck_assert_uint_eq(bad, 1);
	}
	ck_assert_uint_eq(count_dirt(kernel, 5 * GIB, 2 * MIB), 3);
}
END_TEST

/* Mainline makes such an instance, and it maps memory of others. */
START_TEST(an_instance_that_reaches_memory_of_others_is_not_zeroed)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autofree char *name = make(kernel, GIB);
	g_autoptr(GError) error = NULL;

	add(kernel, name, "M5122+1024");
	step(kernel, kernel->ops->enable, name);
	ck_assert(!daxc_kernel_zero(kernel, name, 0, GIB, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID,
			  "cannot zero dax0.1: its range 0x140200000-0x1801fffff");
}
END_TEST

START_TEST(poison_is_found_at_its_address_by_all)
{
	g_auto(TempFile) temp = temp_file();
	g_autoptr(DaxcKernel) one = open_sim(temp.file);
	g_autoptr(DaxcKernel) two = open_sim(temp.file);
	const guint64 address = 5 * GIB + 3 * MIB + 77;
	g_autoptr(GError) error = NULL;
	guint64 bad = 0;

	carve_ok(one, GIB, "7+1,5+1", "dax0.1");
	dirty(one, 7 * GIB, 2 * MIB);
	dirty(one, 5 * GIB, 8 * MIB);
	ck_assert(daxc_kernel_sim_poison(one, address + MIB, &error));
	ck_assert(daxc_kernel_sim_poison(one, address, &error));
	ck_assert(!daxc_kernel_zero(two, "dax0.1", 0, 2 * GIB, NULL, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY,
			  "physical address 0x14030004d (in dax0.1)");
	ck_assert_uint_eq(bad, GIB + 3 * MIB + 77);
	g_clear_error(&error);
	ck_assert_uint_eq(count_dirt(one, 7 * GIB, 2 * MIB), 0);
	ck_assert_uint_eq(count_dirt(one, 5 * GIB, 8 * MIB), 5);
	/* Another time, and not beside it. */
	ck_assert(!daxc_kernel_zero(two, "dax0.1", GIB, GIB, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "0x14030004d");
	zero_ok(two, "dax0.1", 0, GIB);
	ck_assert(daxc_kernel_destroy(two, "dax0.1", NULL, &error));
	carve_ok(two, GIB, "6+1,4+1", "dax0.1");
	zero_ok(two, "dax0.1", 0, 2 * GIB);
}
END_TEST

static gboolean go_on_twice(guint64 done, gpointer data)
{
	guint *calls = data;

	ck_assert_uint_eq(done, *calls * 2 * MIB);
	return (*calls)++ < 2;
}

START_TEST(simulated_zeroing_can_be_stopped)
{
	g_autoptr(DaxcKernel) kernel = open_sim(NULL);
	g_autoptr(GError) error = NULL;
	guint calls = 0;
	const DaxcScrubOptions options = {.proceed = go_on_twice, .data = &calls};
	guint64 bad = 1;

	carve_ok(kernel, 2 * MIB, "M5120+16", "dax0.1");
	dirty(kernel, 5 * GIB, 16 * MIB);
	ck_assert(
		!daxc_kernel_zero(kernel, "dax0.1", 0, 16 * MIB, &options, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_CANCELED, "stopped");
	ck_assert_uint_eq(bad, 1);
	ck_assert_uint_eq(count_dirt(kernel, 5 * GIB, 16 * MIB), 13);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel");
	TCase *tcase = tcase_create("kernel");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, an_idle_host_has_empty_seeds);
	tcase_add_test(tcase, a_carving_is_what_was_asked_for);
	tcase_add_test(tcase, names_are_reused_lowest_first_and_never_the_seeds);
	tcase_add_test(tcase, a_region_can_be_carved_to_the_last_byte);
	tcase_add_test(tcase, carvings_that_are_refused_unseen);
	tcase_add_test(tcase, extents_without_an_end_are_refused_unseen);
	tcase_add_test(tcase, an_empty_carving_and_an_unknown_region_are_refused_unseen);
	tcase_add_test(tcase, memory_of_another_instance_is_refused_with_both_ranges);
	tcase_add_test(tcase, memory_that_a_misaligned_instance_maps_is_refused);
	tcase_add_test(tcase, a_seed_with_the_whole_region_is_emptied_first);
	tcase_add_test(tcase, a_seed_in_use_is_left_alone);
	tcase_add_test(tcase, a_carving_that_fails_at_any_step_leaves_no_trace);
	tcase_add_test(tcase,
		       a_carving_that_fails_at_any_step_gives_the_seed_its_region_back);
	tcase_add_test(tcase, a_destruction_that_fails_at_any_step_changes_nothing);
	tcase_add_test(tcase, a_claim_is_of_all_or_of_none);
	tcase_add_test(tcase, a_claim_ends_with_its_instance_by_its_claimant_only);
	tcase_add_test(tcase, a_destruction_that_fails_leaves_the_claim);
	tcase_add_test(tcase,
		       what_could_not_be_undone_is_said_and_can_be_destroyed_later);
	tcase_add_test(tcase, a_seed_that_stays_empty_is_said);
	tcase_add_test(tcase,
		       a_destruction_that_cannot_be_undone_says_so_and_can_be_repeated);
	tcase_add_test(tcase, destroying_works_from_every_state_and_again);
	tcase_add_test(tcase, a_seed_is_emptied_and_stays);
	tcase_add_test(tcase, an_instance_in_use_is_not_destroyed);
	tcase_add_test(tcase, names_that_are_none);
	tcase_add_test(tcase, only_an_enabled_instance_is_zeroed);
	tcase_add_test(tcase,
		       an_instance_that_somebody_binds_meanwhile_is_not_mapped_further);
	tcase_add_test(tcase,
		       the_instance_of_somebody_else_is_neither_filled_nor_destroyed);
	tcase_add_test(tcase, what_is_gone_is_destroyed_whatever_was_reported);
	tcase_add_test(tcase, a_kernel_that_says_what_cannot_be_is_not_believed);
	tcase_add_test(tcase, the_simulated_kernel_refuses_as_mainline_does);
	tcase_add_test(tcase, state_in_a_file_is_seen_by_all);
	tcase_add_test(tcase, a_damaged_state_file_is_refused_and_kept);
	tcase_add_test(tcase, a_state_file_that_cannot_be_written_changes_nothing);
	tcase_add_test(tcase, a_region_that_became_ram_is_refused_with_the_remedy);
	tcase_add_test(tcase, an_offset_finds_its_address_through_the_extents);
	tcase_add_test(tcase,
		       simulated_memory_keeps_what_guests_leave_until_it_is_zeroed);
	tcase_add_test(tcase, simulated_memory_in_a_file_is_seen_by_all);
	tcase_add_test(tcase, simulated_memory_that_is_something_else_is_refused);
	tcase_add_test(tcase, parts_that_cannot_be_are_not_zeroed);
	tcase_add_test(tcase, an_instance_that_reaches_memory_of_others_is_not_zeroed);
	tcase_add_test(tcase, poison_is_found_at_its_address_by_all);
	tcase_add_test(tcase, simulated_zeroing_can_be_stopped);
	return unit_run(suite);
}
