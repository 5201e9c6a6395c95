// SPDX-License-Identifier: GPL-2.0-or-later
/* Colors of addresses, and cache domains that describe none. */
#include "unit.h"

#include <daxcolor/geometry.h>

#define GiB (G_GUINT64_CONSTANT(1) << 30)
#define MiB (G_GUINT64_CONSTANT(1) << 20)

static DaxcCacheDomain rotate(gint node, guint32 colors)
{
	return (DaxcCacheDomain){
		.node = node,
		.kind = DAXC_GEOMETRY_ROTATE,
		.source = DAXC_SOURCE_CONFIG,
		.cache_size = colors * GiB,
		.granule = GiB,
		.colors = colors,
	};
}

static guint32 color_of(const DaxcCacheDomain *domain, guint64 address)
{
	guint32 color = G_MAXUINT32;

	ck_assert(daxc_cache_domain_color(domain, address, &color));
	return color;
}

static void assert_no_color(const DaxcCacheDomain *domain, guint64 address)
{
	guint32 color = 7;

	ck_assert(!daxc_cache_domain_color(domain, address, &color));
	ck_assert_uint_eq(color, 7);
}

/* Adds @domain to an empty geometry; NULL @text: it must be accepted. */
static void assert_add(const DaxcCacheDomain *domain, const char *text)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GError) error = NULL;
	gboolean ok = daxc_geometry_add(geometry, domain, &error);

	ck_assert_uint_eq(daxc_geometry_count(geometry), ok ? 1 : 0);
	if (text)
		unit_assert_error(error, DAXC_ERROR_INVALID, text);
	else
		unit_assert_no_error(error);
	ck_assert(ok == (text == NULL));
}

START_TEST(granule_divides_cache_and_base)
{
	ck_assert_uint_eq(daxc_granule_for(4 * GiB, 0), GiB);
	ck_assert_uint_eq(daxc_granule_for(96 * GiB, 0), GiB);
	ck_assert_uint_eq(daxc_granule_for(3 * GiB / 2, 0), 512 * MiB);
	ck_assert_uint_eq(daxc_granule_for(96 * GiB, 6 * MiB), 2 * MiB);
	ck_assert_uint_eq(daxc_granule_for(96 * GiB + 4096, 0), 4096);
	ck_assert_uint_eq(daxc_granule_for(GiB, 5 * GiB + 256 * MiB), 256 * MiB);
}
END_TEST

START_TEST(rotate_repeats_after_the_cache_size)
{
	DaxcCacheDomain domain = rotate(0, 96);

	ck_assert_uint_eq(color_of(&domain, 0), 0);
	ck_assert_uint_eq(color_of(&domain, GiB - 1), 0);
	ck_assert_uint_eq(color_of(&domain, GiB), 1);
	ck_assert_uint_eq(color_of(&domain, 95 * GiB), 95);
	ck_assert_uint_eq(color_of(&domain, 96 * GiB), 0);
	ck_assert_uint_eq(color_of(&domain, G_MAXUINT64), ((1ull << 34) - 1) % 96);
}
END_TEST

START_TEST(rotate_begins_at_its_base)
{
	DaxcCacheDomain domain = rotate(0, 3);

	domain.base = 5 * GiB;
	assert_no_color(&domain, 0);
	assert_no_color(&domain, 5 * GiB - 1);
	ck_assert_uint_eq(color_of(&domain, 5 * GiB), 0);
	ck_assert_uint_eq(color_of(&domain, 10 * GiB + 1), 2);
}
END_TEST

START_TEST(skew_moves_on_by_one_each_round)
{
	static const guint32 colors[] = {0, 1, 2, 3, 1, 2, 3, 0, 2,
					 3, 0, 1, 3, 0, 1, 2, 0};
	DaxcCacheDomain domain = rotate(0, 4);

	domain.kind = DAXC_GEOMETRY_SKEW;
	for (guint i = 0; i < G_N_ELEMENTS(colors); i++)
		ck_assert_uint_eq(color_of(&domain, i * GiB), colors[i]);
}
END_TEST

START_TEST(ranges_are_looked_up)
{
	DaxcColorRange list[] = {
		{2 * GiB, 2 * GiB, 1},
		{4 * GiB, GiB, 0},
		{7 * GiB, GiB, 2},
	};
	g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange));
	DaxcCacheDomain domain = {
		.kind = DAXC_GEOMETRY_RANGES,
		.granule = GiB,
		.colors = 3,
		.ranges = ranges,
	};

	g_array_append_vals(ranges, list, G_N_ELEMENTS(list));
	assert_no_color(&domain, 2 * GiB - 1);
	ck_assert_uint_eq(color_of(&domain, 2 * GiB), 1);
	ck_assert_uint_eq(color_of(&domain, 4 * GiB - 1), 1);
	ck_assert_uint_eq(color_of(&domain, 4 * GiB), 0);
	assert_no_color(&domain, 5 * GiB);
	assert_no_color(&domain, 7 * GiB - 1);
	ck_assert_uint_eq(color_of(&domain, 7 * GiB), 2);
	assert_no_color(&domain, 8 * GiB);
	assert_no_color(&domain, G_MAXUINT64);
}
END_TEST

START_TEST(a_geometry_keeps_copies_by_node)
{
	static const gint nodes[] = {4, 0, 2};
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GError) error = NULL;
	DaxcColorRange range = {0, GiB, 0};
	DaxcCacheDomain listed = rotate(9, 1);

	for (guint i = 0; i < G_N_ELEMENTS(nodes); i++) {
		DaxcCacheDomain domain = rotate(nodes[i], 4);

		ck_assert(daxc_geometry_add(geometry, &domain, &error));
	}
	listed.kind = DAXC_GEOMETRY_RANGES;
	listed.cache_size = 0;
	listed.ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange));
	g_array_append_val(listed.ranges, range);
	ck_assert(daxc_geometry_add(geometry, &listed, &error));
	g_array_index(listed.ranges, DaxcColorRange, 0).start = 7 * GiB;
	g_array_unref(listed.ranges);

	ck_assert_uint_eq(daxc_geometry_count(geometry), 4);
	ck_assert_int_eq(daxc_geometry_get(geometry, 0)->node, 0);
	ck_assert_int_eq(daxc_geometry_get(geometry, 1)->node, 2);
	ck_assert_int_eq(daxc_geometry_get(geometry, 2)->node, 4);
	ck_assert_ptr_eq(daxc_geometry_for_node(geometry, 4),
			 daxc_geometry_get(geometry, 2));
	ck_assert_ptr_null(daxc_geometry_for_node(geometry, 1));
	ck_assert_ptr_null(daxc_geometry_for_node(geometry, 10));
	ck_assert_ptr_null(daxc_geometry_for_node(geometry, -1));
	ck_assert_uint_eq(color_of(daxc_geometry_for_node(geometry, 9), GiB - 1), 0);
}
END_TEST

START_TEST(a_node_has_one_cache_domain)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GError) error = NULL;
	DaxcCacheDomain domain = rotate(1, 4);

	ck_assert(daxc_geometry_add(geometry, &domain, &error));
	ck_assert(!daxc_geometry_add(geometry, &domain, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "node 1 has two cache domains");
	ck_assert_uint_eq(daxc_geometry_count(geometry), 1);
}
END_TEST

START_TEST(formulas_that_are_refused)
{
	DaxcCacheDomain domain;

#define REFUSE(change, text)                                                             \
	do {                                                                             \
		domain = rotate(1, 4);                                                   \
		change;                                                                  \
		assert_add(&domain, text);                                               \
	} while (0)

	REFUSE((void)0, NULL);
	REFUSE(domain.node = -1, "nodes begin at 0");
	REFUSE(domain.granule = 3 * MiB,
	       "granule of 3 MiB is not a power of two from 2 MiB to 1 GiB");
	REFUSE(domain.granule = MiB,
	       "granule of 1 MiB is not a power of two from 2 MiB to 1 GiB");
	REFUSE(domain.granule = 2 * GiB,
	       "granule of 2 GiB is not a power of two from 2 MiB to 1 GiB");
	REFUSE(domain.granule = 0,
	       "granule of 0 B is not a power of two from 2 MiB to 1 GiB");
	REFUSE(domain.colors = 0, "it has 0 colors, and a cache has from 1 to 65536");
	REFUSE(domain.colors = DAXC_COLORS_MAX + 1,
	       "it has 65537 colors, and a cache has from 1 to 65536");
	REFUSE(domain.base = 512 * MiB, "base 0x20000000");
	REFUSE(domain.kind = 17, "kind 17");
	REFUSE(domain.cache_size = 0, "cache of 0 B");
	REFUSE(domain.ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange)), NULL);
	g_array_unref(domain.ranges);
#undef REFUSE
}
END_TEST

START_TEST(too_fine_colors_would_meet_in_the_cache)
{
	DaxcCacheDomain domain = rotate(1, 4);

	domain.colors = 2;
	assert_add(&domain, NULL);
	domain.kind = DAXC_GEOMETRY_SKEW;
	assert_add(&domain,
		   "2 colors with a granule of 1 GiB do not make its cache of 4 GiB");
	domain.kind = DAXC_GEOMETRY_ROTATE;
	domain.colors = 8;
	assert_add(&domain, "do not make its cache");
	domain.colors = 3;
	assert_add(&domain, "do not make its cache");
}
END_TEST

START_TEST(ranges_that_are_refused)
{
	static const struct {
		DaxcColorRange list[2];
		const char *text;
	} cases[] = {
		{{{0, GiB, 0}, {GiB, GiB, 1}}, NULL},
		{{{0, GiB, 0}, {GiB, GiB, 2}}, "(color 2)"},
		{{{0, 2 * GiB, 0}, {GiB, GiB, 1}}, "overlaps"},
		{{{4 * GiB, GiB, 0}, {GiB, GiB, 1}}, "out of order"},
		{{{0, GiB, 0}, {GiB, 0, 1}}, "is empty"},
		{{{0, GiB, 0}, {GiB, GiB / 2, 1}}, "on a granule"},
		{{{0, GiB, 0}, {GiB + 4096, GiB, 1}}, "on a granule"},
		{{{0, GiB, 0}, {-GiB, GiB, 1}}, "last address"},
		{{{0, GiB, 0}, {-GiB, 2 * GiB, 1}}, "last address"},
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		DaxcCacheDomain domain = rotate(1, 2);

		domain.kind = DAXC_GEOMETRY_RANGES;
		domain.ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange));
		g_array_append_vals(domain.ranges, cases[i].list, 2);
		assert_add(&domain, cases[i].text);
		g_array_set_size(domain.ranges, 0);
		assert_add(&domain, "it has none");
		g_array_unref(domain.ranges);
	}
}
END_TEST

START_TEST(a_formula_has_no_ranges)
{
	DaxcColorRange range = {0, GiB, 0};
	DaxcCacheDomain domain = rotate(1, 4);

	domain.ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange));
	g_array_append_val(domain.ranges, range);
	assert_add(&domain, "its kind is rotate");
	g_array_unref(domain.ranges);
}
END_TEST

START_TEST(kinds_and_sources_have_names)
{
	ck_assert_str_eq(daxc_geometry_kind_name(DAXC_GEOMETRY_ROTATE), "rotate");
	ck_assert_str_eq(daxc_geometry_kind_name(DAXC_GEOMETRY_SKEW), "skew");
	ck_assert_str_eq(daxc_geometry_kind_name(DAXC_GEOMETRY_RANGES), "ranges");
	ck_assert_str_eq(daxc_geometry_source_name(DAXC_SOURCE_CONFIG), "configuration");
	ck_assert_str_eq(daxc_geometry_source_name(DAXC_SOURCE_SYSFS), "sysfs");
	ck_assert_str_eq(daxc_geometry_source_name(DAXC_SOURCE_HMAT), "HMAT");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("geometry");
	TCase *tcase = tcase_create("geometry");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, granule_divides_cache_and_base);
	tcase_add_test(tcase, rotate_repeats_after_the_cache_size);
	tcase_add_test(tcase, rotate_begins_at_its_base);
	tcase_add_test(tcase, skew_moves_on_by_one_each_round);
	tcase_add_test(tcase, ranges_are_looked_up);
	tcase_add_test(tcase, a_geometry_keeps_copies_by_node);
	tcase_add_test(tcase, a_node_has_one_cache_domain);
	tcase_add_test(tcase, formulas_that_are_refused);
	tcase_add_test(tcase, too_fine_colors_would_meet_in_the_cache);
	tcase_add_test(tcase, ranges_that_are_refused);
	tcase_add_test(tcase, a_formula_has_no_ranges);
	tcase_add_test(tcase, kinds_and_sources_have_names);
	return unit_run(suite);
}
