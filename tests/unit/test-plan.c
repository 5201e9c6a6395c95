// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The layout and the planner. The last tests make small random hosts and ask an
 * oracle that tries everything: DAXC_TEST_ROUNDS says how many, DAXC_TEST_SEED
 * with which seed (each round's own is in a failure's message).
 */
#include "unit.h"

#include <string.h>

#include "core/choose.h"
#include "core/layout.h"
#include "core/share.h"

#define UUID "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
#define GiB (G_GUINT64_CONSTANT(1) << 30)
#define MiB (G_GUINT64_CONSTANT(1) << 20)
#define ME "acme"

/* Hosts put together by hand. */

static void add_domain(DaxcGeometry *geometry, gint node, guint32 colors, guint64 granule)
{
	DaxcCacheDomain domain = {
		.node = node,
		.kind = DAXC_GEOMETRY_ROTATE,
		.source = DAXC_SOURCE_CONFIG,
		.cache_size = colors * granule,
		.granule = granule,
		.colors = colors,
	};
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_geometry_add(geometry, &domain, &error));
}

static void add_region(GPtrArray *regions, guint id, gint node, guint64 start,
		       guint64 size)
{
	DaxcRegion *region = g_new0(DaxcRegion, 1);

	region->id = id;
	region->node = node;
	region->start = start;
	region->size = size;
	region->align = 2 * MiB;
	region->available = size;
	g_ptr_array_add(regions, region);
}

/* One node, 1, whose region 0 begins at color 0 and has @granules of 1 GiB. */
static DaxcLayout *one_node(guint32 colors, guint32 granules)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);

	add_domain(geometry, 1, colors, GiB);
	add_region(regions, 0, 1, colors * GiB, granules * GiB);
	return daxc_layout_new(geometry, regions);
}

/* Nodes 1 and 2, each 4 colors and one region of @granules of 1 GiB. */
static DaxcLayout *two_nodes(guint32 granules)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);

	add_domain(geometry, 1, 4, GiB);
	add_domain(geometry, 2, 4, GiB);
	add_region(regions, 0, 1, 64 * GiB, granules * GiB);
	add_region(regions, 1, 2, 128 * GiB, granules * GiB);
	return daxc_layout_new(geometry, regions);
}

/* Gives granule @index of zone @zone to @tenant. */
static void hold(DaxcLayout *layout, guint zone, guint32 index, const char *tenant)
{
	const DaxcZone *z = daxc_layout_zone(layout, zone);
	g_autoptr(GError) error = NULL;
	guint32 user = g_str_equal(tenant, "bad") ? DAXC_USER_BAD
		       : g_str_equal(tenant, "foreign")
			       ? DAXC_USER_FOREIGN
			       : daxc_layout_tenant(layout, tenant);

	ck_assert_uint_lt(index, z->n);
	ck_assert(daxc_layout_use(layout, z->start + index * z->granule, z->granule, user,
				  &error));
	unit_assert_no_error(error);
}

static DaxcRequest *ask(guint64 size)
{
	DaxcRequest *request = daxc_request_new(UUID, "web", ME);

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, size));
	return request;
}

static DaxcCellRequest *cell_of(DaxcRequest *request, guint index)
{
	while (request->cells->len <= index)
		g_ptr_array_add(request->cells,
				daxc_cell_request_new(request->cells->len, GiB));
	return g_ptr_array_index(request->cells, index);
}

static void wish_count(DaxcCellRequest *cell, guint count)
{
	cell->wish = DAXC_WISH_COUNT;
	cell->count = count;
}

static void wish_list(DaxcCellRequest *cell, const char *list)
{
	g_array_unref(cell->list);
	cell->wish = DAXC_WISH_LIST;
	cell->list = daxc_color_list_parse(list, NULL);
	ck_assert_ptr_nonnull(cell->list);
}

static DaxcPlan *must_plan(const DaxcLayout *layout, const DaxcRequest *request)
{
	g_autoptr(GError) error = NULL;
	DaxcPlan *plan = daxc_plan_new(layout, request, &error);

	unit_assert_no_error(error);
	ck_assert_ptr_nonnull(plan);
	ck_assert_uint_eq(plan->cells->len, request->cells->len);
	return plan;
}

static void must_fail(const DaxcLayout *layout, const DaxcRequest *request,
		      DaxcError code, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcPlan) plan = daxc_plan_new(layout, request, &error);

	ck_assert_ptr_null(plan);
	unit_assert_error(error, code, text);
}

/* Asserts that the whole message is @text. */
static void must_say(const DaxcLayout *layout, const DaxcRequest *request,
		     const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcPlan) plan = daxc_plan_new(layout, request, &error);

	ck_assert_ptr_null(plan);
	unit_assert_error(error, DAXC_ERROR_REFUSED, "needs");
	ck_assert_str_eq(error->message, text);
}

static const DaxcCellPlan *planned(const DaxcPlan *plan, guint index)
{
	return g_ptr_array_index(plan->cells, index);
}

/* "color@granule of the zone" of each granule, in page order: "0@0 1@1" */
static char *describe(const DaxcLayout *layout, const DaxcCellPlan *cell)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < cell->granules->len; i++) {
		const DaxcGranule *g = &g_array_index(cell->granules, DaxcGranule, i);
		const DaxcZone *zone = NULL;

		for (guint j = 0; j < daxc_layout_zones(layout); j++) {
			if (daxc_layout_zone(layout, j)->region == cell->region)
				zone = daxc_layout_zone(layout, j);
		}
		ck_assert_ptr_nonnull(zone);
		g_string_append_printf(text, "%s%u@%u", i ? " " : "", g->color,
				       (guint)((g->start - zone->start) / zone->granule));
	}
	return g_string_free(text, FALSE);
}

static void assert_granules(const DaxcLayout *layout, const DaxcPlan *plan, guint index,
			    const char *expected)
{
	g_autofree char *text = describe(layout, planned(plan, index));

	ck_assert_str_eq(text, expected);
}

static void assert_extent(const DaxcCellPlan *cell, guint index, guint64 start,
			  guint64 size)
{
	ck_assert_uint_lt(index, cell->extents->len);
	ck_assert_uint_eq(g_array_index(cell->extents, DaxcExtent, index).start, start);
	ck_assert_uint_eq(g_array_index(cell->extents, DaxcExtent, index).size, size);
}

/* The layout. */

START_TEST(zones_are_the_whole_granules)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcLayout) layout = NULL;
	const DaxcZone *zone;

	add_domain(geometry, 1, 4, GiB);
	add_region(regions, 3, 1, 5 * GiB + 2 * MiB, 3 * GiB);
	add_region(regions, 2, 1, 2 * GiB, 2 * GiB - 4096);
	add_region(regions, 1, 7, 16 * GiB, 2 * GiB);
	add_region(regions, 0, 1, 32 * GiB + 4096, GiB);
	layout = daxc_layout_new(geometry, regions);

	ck_assert_uint_eq(daxc_layout_zones(layout), 3);
	zone = daxc_layout_zone(layout, 0);
	ck_assert_uint_eq(zone->region, 2);
	ck_assert_uint_eq(zone->start, 2 * GiB);
	ck_assert_uint_eq(zone->n, 1);
	ck_assert_uint_eq(zone->color[0], 2);
	zone = daxc_layout_zone(layout, 1);
	ck_assert_uint_eq(zone->region, 3);
	ck_assert_uint_eq(zone->start, 6 * GiB);
	ck_assert_uint_eq(zone->n, 2);
	ck_assert_uint_eq(zone->color[0], 2);
	ck_assert_uint_eq(zone->color[1], 3);
	ck_assert_uint_eq(zone->user[1], DAXC_USER_NONE);
	ck_assert_uint_eq(daxc_layout_zone(layout, 2)->n, 0);
	ck_assert_uint_eq(daxc_layout_domains(layout), 1);
	ck_assert_uint_eq(daxc_layout_domain(layout, 0)->colors, 4);
}
END_TEST

START_TEST(regions_may_reach_the_last_address)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcLayout) layout = NULL;

	add_domain(geometry, 1, 4, GiB);
	add_region(regions, 0, 1, -4 * GiB, 8 * GiB);
	add_region(regions, 1, 1, 64 * GiB, 0);
	layout = daxc_layout_new(geometry, regions);
	ck_assert_uint_eq(daxc_layout_zones(layout), 1);
	ck_assert_uint_eq(daxc_layout_zone(layout, 0)->n, 3);
	ck_assert(daxc_layout_use(layout, -GiB, 8 * GiB, DAXC_USER_FOREIGN, NULL));
	ck_assert_uint_eq(daxc_layout_domain(layout, 0)->owner[3], DAXC_USER_FOREIGN);
	ck_assert_uint_eq(daxc_layout_domain(layout, 0)->owner[2], DAXC_USER_NONE);
}
END_TEST

START_TEST(tenants_are_known_by_name)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	guint32 beta, gamma;

	ck_assert_uint_eq(daxc_layout_find_tenant(layout, "beta"), DAXC_USER_NONE);
	beta = daxc_layout_tenant(layout, "beta");
	gamma = daxc_layout_tenant(layout, "gamma");
	ck_assert_uint_ne(beta, gamma);
	ck_assert_uint_eq(daxc_layout_tenant(layout, "beta"), beta);
	ck_assert_uint_eq(daxc_layout_find_tenant(layout, "gamma"), gamma);
	ck_assert_str_eq(daxc_layout_tenant_name(layout, beta), "beta");
	ck_assert_ptr_null(daxc_layout_tenant_name(layout, DAXC_USER_NONE));
	ck_assert_ptr_null(daxc_layout_tenant_name(layout, DAXC_USER_FOREIGN));
	ck_assert_ptr_null(daxc_layout_tenant_name(layout, DAXC_USER_BAD));
}
END_TEST

START_TEST(a_use_takes_granules_and_colors)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	const DaxcZone *zone = daxc_layout_zone(layout, 0);
	const DaxcLayoutDomain *domain = daxc_layout_domain(layout, 0);
	guint32 beta = daxc_layout_tenant(layout, "beta");

	/* From the middle of granule 1 to the first byte of granule 2. */
	ck_assert(daxc_layout_use(layout, zone->start + GiB + GiB / 2, GiB / 2 + 1, beta,
				  NULL));
	ck_assert_uint_eq(zone->user[0], DAXC_USER_NONE);
	ck_assert_uint_eq(zone->user[1], beta);
	ck_assert_uint_eq(zone->user[2], beta);
	ck_assert_uint_eq(zone->user[3], DAXC_USER_NONE);
	ck_assert_uint_eq(zone->user[5], DAXC_USER_NONE);
	ck_assert_uint_eq(domain->owner[0], DAXC_USER_NONE);
	ck_assert_uint_eq(domain->owner[1], beta);
	ck_assert_uint_eq(domain->owner[2], beta);
	ck_assert_uint_eq(domain->owner[3], DAXC_USER_NONE);

	ck_assert(daxc_layout_use(layout, zone->start, 0, beta, NULL));
	ck_assert(daxc_layout_use(layout, zone->start + 1, 0, beta, NULL));
	ck_assert(daxc_layout_use(layout, 0, zone->start, beta, NULL));
	ck_assert(daxc_layout_use(layout, zone->start + 8 * GiB, 8 * GiB, beta, NULL));
	ck_assert(daxc_layout_use(layout, zone->start, GiB, DAXC_USER_NONE, NULL));
	ck_assert_uint_eq(domain->owner[0], DAXC_USER_NONE);
}
END_TEST

START_TEST(a_second_tenant_changes_nothing)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	const DaxcZone *zone = daxc_layout_zone(layout, 0);
	const DaxcLayoutDomain *domain = daxc_layout_domain(layout, 0);
	guint32 beta = daxc_layout_tenant(layout, "beta");
	guint32 gamma = daxc_layout_tenant(layout, "gamma");
	g_autoptr(GError) error = NULL;

	hold(layout, 0, 2, "beta");
	ck_assert(!daxc_layout_use(layout, zone->start + GiB, 2 * GiB, gamma, &error));
	unit_assert_error(
		error, DAXC_ERROR_FAILED,
		"granule 0x180000000-0x1bfffffff of node 1 would be tenant beta's "
		"and tenant gamma's at once");
	g_clear_error(&error);
	ck_assert_uint_eq(zone->user[1], DAXC_USER_NONE);
	ck_assert_uint_eq(domain->owner[1], DAXC_USER_NONE);

	/* Granule 6 is free, but of color 2 as well. */
	ck_assert(
		!daxc_layout_use(layout, zone->start + 5 * GiB, 2 * GiB, gamma, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "color 2 of node 1");
	ck_assert_uint_eq(zone->user[5], DAXC_USER_NONE);
	ck_assert_uint_eq(zone->user[6], DAXC_USER_NONE);
	ck_assert_uint_eq(domain->owner[2], beta);

	ck_assert(daxc_layout_use(layout, zone->start + 2 * GiB, 2 * GiB, beta, NULL));
}
END_TEST

START_TEST(foreign_overrules_in_either_order)
{
	for (guint first = 0; first < 2; first++) {
		g_autoptr(DaxcLayout) layout = one_node(4, 8);
		const DaxcZone *zone = daxc_layout_zone(layout, 0);
		const DaxcLayoutDomain *domain = daxc_layout_domain(layout, 0);
		guint32 beta = daxc_layout_tenant(layout, "beta");

		if (first == 0)
			hold(layout, 0, 1, "foreign");
		hold(layout, 0, 1, "beta");
		hold(layout, 0, 5, "beta");
		hold(layout, 0, 6, "bad");
		if (first == 1)
			hold(layout, 0, 1, "foreign");
		hold(layout, 0, 6, "foreign");
		ck_assert_uint_eq(zone->user[1], DAXC_USER_FOREIGN);
		ck_assert_uint_eq(zone->user[5], beta);
		ck_assert_uint_eq(zone->user[6], DAXC_USER_FOREIGN);
		ck_assert_uint_eq(domain->owner[1], DAXC_USER_FOREIGN);
		ck_assert_uint_eq(domain->owner[2], DAXC_USER_FOREIGN);
	}
}
END_TEST

START_TEST(bad_granules_own_no_color)
{
	for (guint first = 0; first < 2; first++) {
		g_autoptr(DaxcLayout) layout = one_node(4, 8);
		const DaxcZone *zone = daxc_layout_zone(layout, 0);
		const DaxcLayoutDomain *domain = daxc_layout_domain(layout, 0);
		guint32 beta = daxc_layout_tenant(layout, "beta");

		hold(layout, 0, 3, "bad");
		if (first == 0)
			hold(layout, 0, 1, "bad");
		hold(layout, 0, 1, "beta");
		if (first == 1)
			hold(layout, 0, 1, "bad");
		ck_assert_uint_eq(zone->user[3], DAXC_USER_BAD);
		ck_assert_uint_eq(domain->owner[3], DAXC_USER_NONE);
		ck_assert_uint_eq(zone->user[1], beta);
		ck_assert_uint_eq(domain->owner[1], beta);
	}
}
END_TEST

START_TEST(cut_granules_count_for_their_color)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcLayout) layout = NULL;
	const DaxcLayoutDomain *domain;

	add_domain(geometry, 1, 4, GiB);
	add_region(regions, 0, 1, 4 * GiB + GiB / 2, 2 * GiB);
	add_region(regions, 1, 1, 7 * GiB + GiB / 2, GiB);
	layout = daxc_layout_new(geometry, regions);
	domain = daxc_layout_domain(layout, 0);
	ck_assert(daxc_layout_use(layout, 4 * GiB + GiB / 2, 2 * MiB, DAXC_USER_FOREIGN,
				  NULL));
	ck_assert_uint_eq(domain->owner[0], DAXC_USER_FOREIGN);
	ck_assert_uint_eq(domain->owner[1], DAXC_USER_NONE);
	/* The region ends here: what follows is not behind this cache. */
	ck_assert(
		daxc_layout_use(layout, 6 * GiB + GiB / 2, GiB, DAXC_USER_FOREIGN, NULL));
	ck_assert_uint_eq(domain->owner[2], DAXC_USER_NONE);
	ck_assert(daxc_layout_use(layout, 6 * GiB, 2 * MiB, DAXC_USER_FOREIGN, NULL));
	ck_assert_uint_eq(domain->owner[2], DAXC_USER_FOREIGN);
	ck_assert_uint_eq(daxc_layout_zone(layout, 0)->user[0], DAXC_USER_NONE);
	/* The other half of color 0's granule is not in the region. */
	ck_assert(daxc_layout_use(layout, 4 * GiB, 2 * MiB, DAXC_USER_FOREIGN, NULL));
}
END_TEST

START_TEST(two_regions_of_a_node_share_owners)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(GError) error = NULL;

	add_domain(geometry, 1, 4, GiB);
	add_region(regions, 0, 1, 4 * GiB, 4 * GiB);
	add_region(regions, 1, 1, 8 * GiB, 4 * GiB);
	layout = daxc_layout_new(geometry, regions);
	/* One use over the end of one region and the start of the next. */
	ck_assert(daxc_layout_use(layout, 7 * GiB, 2 * GiB,
				  daxc_layout_tenant(layout, "a"), NULL));
	ck_assert_uint_eq(daxc_layout_zone(layout, 0)->user[3], 1);
	ck_assert_uint_eq(daxc_layout_zone(layout, 1)->user[0], 1);
	ck_assert(!daxc_layout_use(layout, 4 * GiB, GiB, daxc_layout_tenant(layout, "b"),
				   &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "color 0 of node 1");
}
END_TEST

START_TEST(reserved_colors_are_owned)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	guint32 beta = daxc_layout_tenant(layout, "beta");
	guint32 gamma = daxc_layout_tenant(layout, "gamma");
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_layout_reserve(layout, 1, 3, beta, NULL));
	ck_assert(daxc_layout_reserve(layout, 1, 3, beta, NULL));
	ck_assert_uint_eq(daxc_layout_domain(layout, 0)->owner[3], beta);
	ck_assert(!daxc_layout_reserve(layout, 1, 3, gamma, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED,
			  "color 3 of node 1 would be tenant beta");
	g_clear_error(&error);
	ck_assert(!daxc_layout_reserve(layout, 1, 4, beta, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "no color 4 on node 1");
	g_clear_error(&error);
	ck_assert(!daxc_layout_reserve(layout, 2, 0, beta, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "no color 0 on node 2");
}
END_TEST

START_TEST(distances_have_defaults)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);

	ck_assert_uint_eq(daxc_layout_distance(layout, 0, 0), 10);
	ck_assert_uint_eq(daxc_layout_distance(layout, 0, 1), 20);
	daxc_layout_set_distance(layout, 0, 1, 31);
	daxc_layout_set_distance(layout, 1, 0, 17);
	ck_assert_uint_eq(daxc_layout_distance(layout, 0, 1), 31);
	ck_assert_uint_eq(daxc_layout_distance(layout, 1, 0), 17);
	daxc_layout_set_distance(layout, 0, 1, 0);
	ck_assert_uint_eq(daxc_layout_distance(layout, 0, 1), 20);
}
END_TEST

/* One cell. */

START_TEST(a_cell_gets_the_fewest_colors)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) plan = must_plan(layout, request);
	const DaxcCellPlan *cell = planned(plan, 0);
	g_autoptr(GArray) colors = daxc_cell_plan_colors(cell);

	assert_granules(layout, plan, 0, "0@0 0@4");
	ck_assert_uint_eq(cell->cell, 0);
	ck_assert_uint_eq(cell->region, 0);
	ck_assert_int_eq(cell->node, 1);
	ck_assert_uint_eq(cell->size, 2 * GiB);
	ck_assert_uint_eq(cell->granule, GiB);
	ck_assert_uint_eq(cell->align, GiB);
	ck_assert_uint_eq(cell->extents->len, 2);
	assert_extent(cell, 0, 4 * GiB, GiB);
	assert_extent(cell, 1, 8 * GiB, GiB);
	ck_assert_uint_eq(colors->len, 1);
}
END_TEST

START_TEST(colors_alternate_along_the_pages)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(6 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(GArray) colors = NULL;

	hold(layout, 0, 5, "bad");
	wish_list(cell_of(request, 0), "1,3");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "1@1 3@3 1@9 3@7 1@13 3@11");
	colors = daxc_cell_plan_colors(planned(plan, 0));
	ck_assert_uint_eq(colors->len, 2);
	ck_assert_uint_eq(g_array_index(colors, guint32, 1), 3);
}
END_TEST

START_TEST(a_color_that_runs_out_leaves_the_round)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(5 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	for (guint i = 1; i < 4; i++)
		hold(layout, 0, 4 * i + 1, ME);
	wish_list(cell_of(request, 0), "1-2");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "1@1 2@14 2@6 2@10 2@2");
}
END_TEST

START_TEST(neighbors_are_joined)
{
	g_autoptr(DaxcLayout) layout = one_node(1, 8);
	g_autoptr(DaxcRequest) request = ask(3 * GiB);
	g_autoptr(DaxcPlan) plan = must_plan(layout, request);

	ck_assert_uint_eq(planned(plan, 0)->extents->len, 1);
	assert_extent(planned(plan, 0), 0, GiB, 3 * GiB);
	ck_assert_uint_eq(planned(plan, 0)->granules->len, 3);
}
END_TEST

START_TEST(neighbors_of_two_colors_are_joined)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(8 * GiB);
	g_autoptr(DaxcPlan) plan = must_plan(layout, request);

	ck_assert_uint_eq(planned(plan, 0)->extents->len, 4);
	assert_extent(planned(plan, 0), 0, 4 * GiB, 2 * GiB);
	assert_extent(planned(plan, 0), 3, 16 * GiB, 2 * GiB);
}
END_TEST

START_TEST(smaller_holes_are_filled_first)
{
	g_autoptr(DaxcLayout) layout = one_node(1, 12);
	g_autoptr(DaxcRequest) request = ask(3 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(DaxcPlan) larger = NULL;

	/* Holes of 4, 1, 2 and 2 granules. */
	hold(layout, 0, 4, ME);
	hold(layout, 0, 6, ME);
	hold(layout, 0, 9, "bad");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "0@5 0@7 0@8");
	cell_of(request, 0)->size = 6 * GiB;
	larger = must_plan(layout, request);
	assert_granules(layout, larger, 0, "0@5 0@7 0@8 0@10 0@11 0@0");
}
END_TEST

START_TEST(the_last_granule_is_used_in_part)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(GiB + 2 * MiB);
	g_autoptr(DaxcPlan) plan = must_plan(layout, request);
	const DaxcCellPlan *cell = planned(plan, 0);

	ck_assert_uint_eq(cell->granules->len, 2);
	ck_assert_uint_eq(cell->align, 2 * MiB);
	ck_assert_uint_eq(cell->extents->len, 2);
	assert_extent(cell, 0, 4 * GiB, GiB);
	assert_extent(cell, 1, 8 * GiB, 2 * MiB);
}
END_TEST

START_TEST(a_joined_extent_may_end_in_part)
{
	g_autoptr(DaxcLayout) layout = one_node(1, 8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB + 2 * MiB);
	g_autoptr(DaxcPlan) plan = must_plan(layout, request);

	ck_assert_uint_eq(planned(plan, 0)->extents->len, 1);
	assert_extent(planned(plan, 0), 0, GiB, 2 * GiB + 2 * MiB);
}
END_TEST

START_TEST(small_granules_may_still_map_large)
{
	static const struct {
		guint64 start;
		guint64 size;
		guint64 align;
	} cases[] = {
		{4 * GiB, 2 * GiB, GiB},
		{4 * GiB, 2 * GiB + GiB / 2, 2 * MiB},
		{4 * GiB + GiB / 2, 2 * GiB, 2 * MiB},
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
		g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
		g_autoptr(DaxcRequest) request = ask(cases[i].size);
		g_autoptr(DaxcLayout) layout = NULL;
		g_autoptr(DaxcPlan) plan = NULL;

		add_domain(geometry, 1, 1, GiB / 2);
		add_region(regions, 0, 1, cases[i].start, 4 * GiB);
		layout = daxc_layout_new(geometry, regions);
		plan = must_plan(layout, request);
		ck_assert_uint_eq(planned(plan, 0)->extents->len, 1);
		ck_assert_uint_eq(planned(plan, 0)->align, cases[i].align);
	}
}
END_TEST

START_TEST(a_tenant_stays_in_its_colors)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(4 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(DaxcPlan) larger = NULL;

	hold(layout, 0, 2, ME);
	hold(layout, 0, 6, ME);
	ck_assert(
		daxc_layout_reserve(layout, 1, 3, daxc_layout_tenant(layout, ME), NULL));
	/* Color 0 alone would do, but 2 and 3 are its own. */
	cell_of(request, 0)->size = 5 * GiB;
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "2@10 3@3 2@14 3@7 3@11");
	/* One more color, and then no more of its own than needed. */
	cell_of(request, 0)->size = 8 * GiB;
	larger = must_plan(layout, request);
	assert_granules(layout, larger, 0, "0@0 3@3 0@4 3@7 0@8 3@11 0@12 3@15");
}
END_TEST

START_TEST(large_colors_are_left_for_large_tenants)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(DaxcPlan) two = NULL;

	hold(layout, 0, 2, "bad");
	hold(layout, 0, 6, "bad");
	hold(layout, 0, 3, "bad");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "2@10 2@14");
	/* 4 + 2, and not 4 + 3 or 4 + 4. */
	cell_of(request, 0)->size = 6 * GiB;
	two = must_plan(layout, request);
	assert_granules(layout, two, 0, "0@0 2@10 0@4 2@14 0@8 0@12");
}
END_TEST

START_TEST(a_count_is_exact)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(4 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	hold(layout, 0, 1, ME);
	wish_count(cell_of(request, 0), 3);
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "0@0 1@5 2@2 0@4");
	wish_count(cell_of(request, 0), 1);
	must_fail(layout, request, DAXC_ERROR_REFUSED, "in exactly 1 color on node 1");
}
END_TEST

START_TEST(a_color_of_others_is_never_used)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	hold(layout, 0, 0, "beta");
	hold(layout, 0, 1, "foreign");
	ck_assert(daxc_layout_reserve(layout, 1, 2, daxc_layout_tenant(layout, "gamma"),
				      NULL));
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "3@3 3@7");
	wish_list(cell_of(request, 0), "1");
	must_fail(layout, request, DAXC_ERROR_REFUSED, "held: color 1 by an instance");
}
END_TEST

START_TEST(memory_without_a_color_is_never_used)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	DaxcCacheDomain domain = {
		.node = 1,
		.granule = GiB,
		.cache_size = GiB,
		.colors = 1,
		.base = 6 * GiB,
	};

	ck_assert(daxc_geometry_add(geometry, &domain, NULL));
	add_region(regions, 0, 1, 4 * GiB, 4 * GiB);
	layout = daxc_layout_new(geometry, regions);
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "0@2 0@3");
	cell_of(request, 0)->size = 3 * GiB;
	must_fail(layout, request, DAXC_ERROR_REFUSED, "color 0 (2 of 2 granules)");
}
END_TEST

/* Nodes and regions. */

START_TEST(the_node_asked_for_is_used)
{
	g_autoptr(DaxcLayout) layout = two_nodes(8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	cell_of(request, 0)->node = 2;
	plan = must_plan(layout, request);
	ck_assert_int_eq(planned(plan, 0)->node, 2);
	ck_assert_uint_eq(planned(plan, 0)->region, 1);
	cell_of(request, 0)->size = 9 * GiB;
	must_fail(layout, request, DAXC_ERROR_REFUSED, "on node 2;");
}
END_TEST

START_TEST(the_nearest_node_with_room_is_used)
{
	g_autoptr(DaxcLayout) layout = two_nodes(8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) lowest = NULL;
	g_autoptr(DaxcPlan) nearest = NULL;
	g_autoptr(DaxcPlan) next = NULL;
	const gint near[] = {0, 5};

	lowest = must_plan(layout, request);
	ck_assert_int_eq(planned(lowest, 0)->node, 1);
	g_array_append_vals(cell_of(request, 0)->near, near, 2);
	daxc_layout_set_distance(layout, 0, 1, 21);
	daxc_layout_set_distance(layout, 0, 2, 31);
	daxc_layout_set_distance(layout, 5, 1, 28);
	daxc_layout_set_distance(layout, 5, 2, 17);
	nearest = must_plan(layout, request);
	ck_assert_int_eq(planned(nearest, 0)->node, 2);
	for (guint i = 0; i < 8; i++)
		hold(layout, 1, i, "beta");
	next = must_plan(layout, request);
	ck_assert_int_eq(planned(next, 0)->node, 1);
}
END_TEST

/* Node 1 with regions of 8 and 4 granules, 4 colors. */
static DaxcLayout *two_regions(void)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);

	add_domain(geometry, 1, 4, GiB);
	add_region(regions, 0, 1, 4 * GiB, 8 * GiB);
	add_region(regions, 1, 1, 16 * GiB, 4 * GiB);
	return daxc_layout_new(geometry, regions);
}

START_TEST(the_region_that_fits_best_is_used)
{
	g_autoptr(DaxcLayout) layout = two_regions();
	g_autoptr(DaxcRequest) request = ask(GiB);
	g_autoptr(DaxcPlan) small = must_plan(layout, request);
	g_autoptr(DaxcPlan) fewer = NULL;
	g_autoptr(DaxcPlan) own = NULL;

	ck_assert_uint_eq(planned(small, 0)->region, 1);
	/* Two granules are one color there, and two here. */
	cell_of(request, 0)->size = 2 * GiB;
	fewer = must_plan(layout, request);
	ck_assert_uint_eq(planned(fewer, 0)->region, 0);
	/* Own colors of region 0 are its own in region 1 too. */
	hold(layout, 0, 0, ME);
	hold(layout, 0, 4, ME);
	hold(layout, 0, 1, ME);
	hold(layout, 0, 5, ME);
	own = must_plan(layout, request);
	assert_granules(layout, own, 0, "0@0 1@1");
	ck_assert_uint_eq(planned(own, 0)->region, 1);
}
END_TEST

START_TEST(of_equal_regions_the_fuller_is_used)
{
	g_autoptr(DaxcLayout) layout = two_regions();
	g_autoptr(DaxcRequest) request = ask(GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	ck_assert(
		daxc_layout_reserve(layout, 1, 0, daxc_layout_tenant(layout, ME), NULL));
	plan = must_plan(layout, request);
	ck_assert_uint_eq(planned(plan, 0)->region, 1);
}
END_TEST

START_TEST(a_cell_lies_in_one_region)
{
	g_autoptr(DaxcLayout) layout = two_regions();
	g_autoptr(DaxcRequest) request = ask(9 * GiB);

	must_say(
		layout, request,
		"cell 0 needs 9 GiB (9 granules) in one region of node 1; free for "
		"tenant "
		"acme there: in region 0 colors 0-3 (2 of 2 granules each), in region 1 "
		"colors "
		"0-3 (1 of 1 granule each); no region there is that large: ask for less");
}
END_TEST

/* Several cells. */

START_TEST(cells_share_their_tenants_colors)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	cell_of(request, 1)->size = 2 * GiB;
	cell_of(request, 2)->size = GiB;
	cell_of(request, 3)->size = 2 * GiB;
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "0@0");
	assert_granules(layout, plan, 1, "0@4 0@8");
	assert_granules(layout, plan, 2, "0@12");
	assert_granules(layout, plan, 3, "1@1 1@5");
}
END_TEST

START_TEST(a_color_taken_for_one_cell_is_the_tenants_for_the_next)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 16);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	/* Color 0 would fit better, were color 2 not there already. */
	hold(layout, 0, 0, "bad");
	hold(layout, 0, 4, "bad");
	wish_list(cell_of(request, 1), "2");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "2@2 2@6");
	assert_granules(layout, plan, 1, "2@10");
}
END_TEST

START_TEST(a_cell_with_a_list_goes_first)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	cell_of(request, 1)->size = 2 * GiB;
	wish_list(cell_of(request, 1), "0");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "1@1 1@5");
	assert_granules(layout, plan, 1, "0@0 0@4");
}
END_TEST

START_TEST(lists_that_overlap_are_balanced)
{
	g_autoptr(DaxcLayout) layout = one_node(2, 8);
	g_autoptr(DaxcRequest) request = ask(4 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;

	/* An even share of color 0 for cell 0 would leave too little for cell 1. */
	wish_list(cell_of(request, 0), "0-1");
	cell_of(request, 1)->size = 3 * GiB;
	wish_list(cell_of(request, 1), "0");
	plan = must_plan(layout, request);
	assert_granules(layout, plan, 0, "0@0 1@1 1@3 1@5");
	assert_granules(layout, plan, 1, "0@2 0@4 0@6");
}
END_TEST

START_TEST(counts_are_packed)
{
	g_autoptr(DaxcLayout) layout = one_node(2, 10);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	static const guint sizes[] = {2, 2, 3, 3};
	g_autoptr(DaxcPlan) plan = NULL;

	/* 2 + 2 in one color would leave no way for 3 + 3. */
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		cell_of(request, i)->size = sizes[i] * GiB;
		wish_count(cell_of(request, i), 1);
	}
	plan = must_plan(layout, request);
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
		ck_assert_uint_eq(planned(plan, i)->granules->len, sizes[i]);
}
END_TEST

START_TEST(cells_are_spread_over_regions)
{
	g_autoptr(DaxcLayout) layout = two_nodes(8);
	g_autoptr(DaxcRequest) request = ask(5 * GiB);
	static const guint sizes[] = {2, 5, 3, 6};
	g_autoptr(DaxcPlan) plan = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
		cell_of(request, i)->size = sizes[i] * GiB;
	plan = must_plan(layout, request);
	ck_assert_int_eq(planned(plan, 0)->node, planned(plan, 3)->node);
	ck_assert_int_eq(planned(plan, 1)->node, planned(plan, 2)->node);
}
END_TEST

/* Refusals. */

START_TEST(a_refusal_says_what_is_free_and_who_holds_the_rest)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(4 * GiB);

	hold(layout, 0, 0, "beta");
	hold(layout, 0, 2, "gamma");
	hold(layout, 0, 3, ME);
	must_say(layout, request,
		 "cell 0 needs 4 GiB (4 granules) on node 1; free for tenant acme there: "
		 "color 1 "
		 "(2 of 2 granules), color 3 (1 of 2); held: color 0 by tenant beta, "
		 "color 2 by "
		 "tenant gamma; stop a guest of beta or gamma, or ask for less");
}
END_TEST

START_TEST(a_refusal_names_every_kind_of_owner)
{
	g_autoptr(DaxcLayout) layout = one_node(6, 12);
	g_autoptr(DaxcRequest) request = ask(2 * GiB + GiB / 2);

	hold(layout, 0, 0, ME);
	hold(layout, 0, 6, ME);
	hold(layout, 0, 1, "foreign");
	hold(layout, 0, 2, "bad");
	hold(layout, 0, 4, "beta");
	hold(layout, 0, 5, "beta");
	ck_assert(daxc_layout_reserve(layout, 1, 3, daxc_layout_tenant(layout, "gamma"),
				      NULL));
	must_say(layout, request,
		 "cell 0 needs 2.5 GiB (3 granules) on node 1; free for tenant acme "
		 "there: color "
		 "2 (1 of 2 granules), and 1 granule of color 2 has failed; held: color "
		 "0 by "
		 "tenant acme itself, color 1 by an instance daxcolor does not know (see "
		 "`daxcolor list`), color 3 reserved for tenant gamma, colors 4-5 by "
		 "tenant "
		 "beta; stop a guest of acme or beta, or ask for less");
}
END_TEST

START_TEST(a_refusal_of_a_list_is_about_its_colors)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(3 * GiB);

	hold(layout, 0, 1, "beta");
	hold(layout, 0, 2, "gamma");
	wish_list(cell_of(request, 0), "1,3");
	must_say(layout, request,
		 "cell 0 needs 3 GiB (3 granules) in exactly colors 1,3 on node 1; free "
		 "for "
		 "tenant acme there: color 3 (2 of 2 granules); held: color 1 by tenant "
		 "beta; "
		 "stop a guest of beta, or ask for less");
}
END_TEST

START_TEST(a_refusal_knows_when_stopping_guests_does_not_help)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 8);
	g_autoptr(DaxcRequest) request = ask(4 * GiB);
	DaxcCellRequest *cell = cell_of(request, 0);

	hold(layout, 0, 0, "beta");
	hold(layout, 0, 1, "bad");
	wish_list(cell, "0-1");
	must_fail(layout, request, DAXC_ERROR_REFUSED,
		  "these colors are not that large: ask for more of them, or for less "
		  "memory");
	cell->size = 3 * GiB;
	must_fail(layout, request, DAXC_ERROR_REFUSED,
		  "stop a guest of beta, or ask for less");
	wish_count(cell, 1);
	must_fail(layout, request, DAXC_ERROR_REFUSED, "these colors are not that large");
	hold(layout, 0, 2, "beta");
	hold(layout, 0, 3, "beta");
	wish_count(cell, 2);
	must_fail(layout, request, DAXC_ERROR_REFUSED,
		  "stop a guest of beta, or ask for less");
}
END_TEST

START_TEST(a_refusal_goes_through_the_nodes)
{
	g_autoptr(DaxcLayout) layout = two_nodes(4);
	g_autoptr(DaxcRequest) request = ask(4 * GiB);

	hold(layout, 0, 0, "beta");
	for (guint i = 0; i < 4; i++)
		hold(layout, 1, i, "gamma");
	must_say(layout, request,
		 "cell 0 needs 4 GiB (4 granules) on node 1 or 2; free for tenant acme "
		 "on node "
		 "1: colors 1-3 (1 of 1 granule each); held: color 0 by tenant beta; "
		 "free for "
		 "tenant acme on node 2: nothing; held: colors 0-3 by tenant gamma; stop "
		 "a guest "
		 "of beta or gamma, or ask for less");
}
END_TEST

START_TEST(a_refusal_names_the_cells_that_do_not_fit_together)
{
	g_autoptr(DaxcLayout) layout = two_nodes(4);
	g_autoptr(DaxcRequest) request = ask(3 * GiB);

	cell_of(request, 0)->node = 1;
	cell_of(request, 1)->node = 2;
	cell_of(request, 1)->size = 4 * GiB;
	cell_of(request, 2)->node = 1;
	cell_of(request, 2)->size = 2 * GiB;
	must_say(layout, request,
		 "2 cells do not fit together: cell 0 needs 3 GiB (3 granules) on node "
		 "1, cell 2 "
		 "needs 2 GiB (2 granules) on node 1; free for tenant acme there: colors "
		 "0-3 (1 "
		 "of 1 granule each); ask for less");
}
END_TEST

START_TEST(a_refusal_names_the_cell_that_does_not_even_fit_alone)
{
	g_autoptr(DaxcLayout) layout = one_node(4, 4);
	g_autoptr(DaxcRequest) request = ask(3 * GiB);

	cell_of(request, 1)->size = 5 * GiB;
	must_say(
		layout, request,
		"cell 1 needs 5 GiB (5 granules) on node 1; free for tenant acme there: "
		"colors "
		"0-3 (1 of 1 granule each); no region there is that large: ask for less");
}
END_TEST

START_TEST(a_refusal_stays_short)
{
	g_autoptr(DaxcLayout) layout = one_node(600, 1200);
	g_autoptr(DaxcRequest) request = ask(1000 * GiB);
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < 300; i++) {
		g_autofree char *tenant = g_strdup_printf("t%u", i % 100);

		hold(layout, 0, 2 * i, tenant);
	}
	plan = daxc_plan_new(layout, request, &error);
	ck_assert_ptr_null(plan);
	unit_assert_error(
		error, DAXC_ERROR_REFUSED,
		"there: colors 1,3,5,7,9,11,13,15,17,19 and 290 more (2 of 2 granules "
		"each); held: colors 0,200,400 by tenant t0, ");
	unit_assert_error(
		error, DAXC_ERROR_REFUSED,
		", colors 18,218,418 by tenant t9, and others by 90 more; stop a guest "
		"of t0, t1, t2 or another, or ask for less");
	ck_assert_uint_lt(strlen(error->message), 700);
}
END_TEST

START_TEST(what_no_host_like_this_could_grant_is_invalid)
{
	g_autoptr(DaxcLayout) layout = two_nodes(8);
	g_autoptr(DaxcRequest) request = ask(2 * GiB);
	DaxcCellRequest *cell = cell_of(request, 0);

	cell->node = 7;
	must_fail(layout, request, DAXC_ERROR_INVALID,
		  "cell 0 asks for node 7, which has no dax region behind a memory-side "
		  "cache: "
		  "such nodes are 1-2");
	cell->node = DAXC_ANY_NODE;
	wish_list(cell, "1,9");
	must_fail(layout, request, DAXC_ERROR_INVALID,
		  "cell 0 asks for color 9, but node 1 has only colors 0-3");
	wish_count(cell, 5);
	must_fail(layout, request, DAXC_ERROR_INVALID,
		  "cell 0 asks for 5 colors, but node 1 has only 4");
	wish_count(cell, 3);
	must_fail(layout, request, DAXC_ERROR_INVALID,
		  "cell 0 asks for 3 colors, but is only 2 granules large");
	wish_list(cell, "0-2");
	must_fail(layout, request, DAXC_ERROR_INVALID, "is only 2 granules large");
	cell->size = 4096;
	must_fail(layout, request, DAXC_ERROR_INVALID, "cell 0: its size of 4 KiB");
}
END_TEST

START_TEST(a_host_without_cache_domains_grants_nothing)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(DaxcRequest) request = ask(GiB);

	add_region(regions, 0, 1, 4 * GiB, 4 * GiB);
	layout = daxc_layout_new(geometry, regions);
	must_fail(layout, request, DAXC_ERROR_REFUSED, "`daxcolor doctor`");
	cell_of(request, 0)->node = 1;
	must_fail(layout, request, DAXC_ERROR_INVALID, "`daxcolor doctor`");
}
END_TEST

START_TEST(a_search_without_end_is_cut_short)
{
	g_autoptr(DaxcLayout) layout = one_node(40, 40 * 37);
	g_autoptr(DaxcRequest) request = ask(GiB);
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(GError) error = NULL;

	/* Colors of 1 to 37 granules; cells that nearly, but never, fill them. */
	for (guint32 c = 0; c < 40; c++) {
		for (guint32 i = 0; i < c % 37; i++)
			hold(layout, 0, i * 40 + c, "bad");
	}
	for (guint i = 0; i < 12; i++) {
		wish_count(cell_of(request, i), 3);
		cell_of(request, i)->size = 67 * GiB;
	}
	plan = daxc_plan_new(layout, request, &error);
	ck_assert_ptr_null(plan);
	unit_assert_error(error, DAXC_ERROR_REFUSED, "too many to try them all");
}
END_TEST

/* The choosers, against every subset. */

typedef struct {
	guint32 fresh;
	guint32 n;
	guint64 claimed;
} Score;

static gboolean better(Score one, Score other)
{
	if (one.fresh != other.fresh)
		return one.fresh < other.fresh;
	if (one.n != other.n)
		return one.n < other.n;
	return one.claimed < other.claimed;
}

/* Best score of any set of colors; n is 0 when there is none. */
static Score best_subset(const guint32 *free, const guint8 *owned, guint32 colors,
			 guint64 need, guint32 count)
{
	Score best = {G_MAXUINT32, 0, 0};

	for (guint32 set = 1; set < 1u << colors; set++) {
		Score score = {0};
		guint64 have = 0;
		gboolean usable = TRUE;

		for (guint32 c = 0; c < colors; c++) {
			if (!(set >> c & 1))
				continue;
			usable &= free[c] > 0;
			have += free[c];
			score.n++;
			score.fresh += !owned[c];
			score.claimed += owned[c] ? 0 : free[c];
		}
		if (!usable || have < need || score.n > need ||
		    (count && score.n != count))
			continue;
		if (best.n == 0 || better(score, best))
			best = score;
	}
	return best;
}

START_TEST(the_chosen_set_is_the_best)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(20250101);

	for (guint round = 0; round < 3000; round++) {
		guint32 free[10];
		guint8 owned[10];
		DaxcStock stock = {(guint32)g_rand_int_range(random, 1, 11), free, owned,
				   0};
		guint32 most = (guint32)g_rand_int_range(random, 2, 20), need, count;
		g_auto(DaxcChoice) choice = {0};
		guint64 used = 0;
		Score best;

		for (guint32 c = 0; c < stock.colors; c++) {
			free[c] = (guint32)g_rand_int_range(random, 0, (gint)most);
			owned[c] = g_rand_int_range(random, 0, 3) == 0;
			stock.total += free[c];
		}
		need = (guint32)g_rand_int_range(random, 1, (gint)stock.total + 3);
		count = (guint32)MAX(g_rand_int_range(random, -8, 11), 0);
		best = best_subset(free, owned, stock.colors, need, count);
		ck_assert_int_eq(daxc_choose(&stock, need, count, &choice), best.n > 0);
		if (best.n == 0)
			continue;
		ck_assert_uint_eq(choice.fresh, best.fresh);
		ck_assert_uint_eq(choice.n, best.n);
		ck_assert_uint_eq(choice.claimed, best.claimed);
		for (guint32 i = 0; i < choice.n; i++) {
			ck_assert(i == 0 || choice.color[i] > choice.color[i - 1]);
			ck_assert_uint_ge(choice.used[i], 1);
			ck_assert_uint_le(choice.used[i], free[choice.color[i]]);
			used += choice.used[i];
		}
		ck_assert_uint_eq(used, need);
	}
}
END_TEST

START_TEST(choosing_ends_among_many_colors)
{
	enum {
		COLORS = 65536
	};
	g_autofree guint32 *free = g_new(guint32, COLORS);
	g_autofree guint8 *owned = g_new0(guint8, COLORS);
	DaxcStock stock = {COLORS, free, owned, 0};
	g_auto(DaxcChoice) choice = {0};

	/* Even counts can never make up an odd need. */
	for (guint32 c = 0; c < COLORS; c++) {
		free[c] = 2 + 2 * (c * 7919 % 509);
		stock.total += free[c];
	}
	ck_assert(daxc_choose(&stock, 1000001, 0, &choice));
	ck_assert_uint_ge(choice.n, 1000001 / 1018);
	ck_assert_uint_eq(choice.claimed, 1000002);
}
END_TEST

START_TEST(of_equal_colors_the_lowest_is_chosen)
{
	guint32 free[] = {1, 3, 2, 3, 2, 2};
	guint8 owned[6] = {0};
	DaxcStock stock = {6, free, owned, 13};
	g_auto(DaxcChoice) one = {0};
	g_auto(DaxcChoice) two = {0};

	ck_assert(daxc_choose(&stock, 2, 0, &one));
	ck_assert_uint_eq(one.n, 1);
	ck_assert_uint_eq(one.color[0], 2);
	ck_assert(daxc_choose(&stock, 4, 0, &two));
	ck_assert_uint_eq(two.n, 2);
	ck_assert_uint_eq(two.color[0], 2);
	ck_assert_uint_eq(two.color[1], 4);
	daxc_stock_take(&stock, &two);
	ck_assert_uint_eq(free[2], 0);
	ck_assert_uint_eq(stock.total, 9);
}
END_TEST

START_TEST(a_list_is_chosen_whole_or_not_at_all)
{
	guint32 free[] = {2, 0, 2};
	guint8 owned[3] = {0};
	const guint32 list[] = {0, 2}, taken[] = {0, 1};
	DaxcStock stock = {3, free, owned, 4};
	g_auto(DaxcChoice) choice = {0};

	ck_assert(!daxc_choose_list(&stock, 1, list, 2, &choice));
	ck_assert(!daxc_choose_list(&stock, 5, list, 2, &choice));
	ck_assert(!daxc_choose_list(&stock, 2, taken, 2, &choice));
	ck_assert(!daxc_choose_list(&stock, 2, list, 0, &choice));
	ck_assert_ptr_null(choice.color);
	ck_assert(daxc_choose_list(&stock, 3, list, 2, &choice));
	ck_assert_uint_eq(choice.used[0], 2);
	ck_assert_uint_eq(choice.used[1], 1);
	ck_assert_uint_eq(choice.fresh, 2);
	ck_assert_uint_eq(choice.claimed, 4);
}
END_TEST

START_TEST(shares_of_equal_colors_add_up)
{
	guint32 free[] = {4, 4};
	guint8 owned[2] = {1, 1};
	const guint32 list[] = {0, 1};
	DaxcStock stock = {2, free, owned, 8};
	DaxcShare one = {.need = 3, .wish = DAXC_WISH_LIST, .n = 2, .list = list};
	DaxcShare other = {.need = 5, .wish = DAXC_WISH_LIST, .n = 2, .list = list};
	g_autoptr(GPtrArray) cells = g_ptr_array_new();
	gint64 steps = 1000;

	g_ptr_array_add(cells, &one);
	g_ptr_array_add(cells, &other);
	ck_assert(daxc_share(&stock, cells, &steps));
	for (guint i = 0; i < 2; i++)
		ck_assert_uint_eq(one.choice.used[i] + other.choice.used[i], 4);
	daxc_choice_clear(&one.choice);
	daxc_choice_clear(&other.choice);
	one.need = other.need = 2;
	free[0] = 1;
	ck_assert(!daxc_share(&stock, cells, &steps));
	free[0] = 4;
	one.need = 3;
	other.need = 1;
	ck_assert(!daxc_share(&stock, cells, &steps));
	other.need = 6;
	ck_assert(!daxc_share(&stock, cells, &steps));
	ck_assert_int_gt(steps, 0);
	other.need = 5;
	steps = 3;
	ck_assert(!daxc_share(&stock, cells, &steps));
	ck_assert_int_eq(steps, 0);
}
END_TEST

START_TEST(a_list_makes_way_for_a_narrower_one)
{
	guint32 free[] = {4, 4};
	guint8 owned[2] = {1, 1};
	const guint32 list[] = {0, 1};
	DaxcStock stock = {2, free, owned, 8};
	DaxcShare wide = {.need = 6, .wish = DAXC_WISH_LIST, .n = 2, .list = list};
	DaxcShare narrow = {.need = 2, .wish = DAXC_WISH_LIST, .n = 1, .list = list};
	g_autoptr(GPtrArray) cells = g_ptr_array_new();
	gint64 steps = 1000;

	g_ptr_array_add(cells, &wide);
	g_ptr_array_add(cells, &narrow);
	ck_assert(daxc_share(&stock, cells, &steps));
	ck_assert_uint_eq(wide.choice.used[0], 2);
	ck_assert_uint_eq(wide.choice.used[1], 4);
	ck_assert_uint_eq(narrow.choice.used[0], 2);
	daxc_choice_clear(&wide.choice);
	daxc_choice_clear(&narrow.choice);
}
END_TEST

/*
 * The oracle. A model of a host that owes nothing to the layout: a list of
 * granules, each with its color and user.
 */

enum {
	FREE,
	MINE,
	BETA,
	GAMMA,
	FOREIGN,
	BAD
};

#define MODEL_REGIONS 3
#define MODEL_COLORS 6
#define MODEL_GRANULES 12
#define MODEL_CELLS 3

typedef struct {
	guint region;
	guint64 start;
	guint color; /* MODEL_COLORS: none */
	int user;
	gboolean taken;
} Grain;

typedef struct {
	GRand *random;
	guint32 seed;
	guint32 colors[2]; /* of nodes 1 and 2 */
	guint64 granule[2];
	int owner[2][MODEL_COLORS];
	guint n_regions;
	gint node[MODEL_REGIONS];
	guint n;
	Grain grain[MODEL_GRANULES];
	DaxcGeometry *geometry;
	GPtrArray *regions;
	guint distance[2][3]; /* to node 1 and 2, from 0, 1, 2 */
} Model;

static void model_clear(Model *model)
{
	g_rand_free(model->random);
	daxc_geometry_free(model->geometry);
	g_ptr_array_unref(model->regions);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Model, model_clear)

/* A number from @low to @high, both included. */
static guint pick(Model *model, guint low, guint high)
{
	return (guint)g_rand_int_range(model->random, (gint)low, (gint)high + 1);
}

static gboolean chance(Model *model, guint percent)
{
	return pick(model, 0, 99) < percent;
}

static void random_domain(Model *model, guint side)
{
	static const guint64 granules[] = {GiB, GiB / 2, 2 * MiB};
	DaxcCacheDomain domain = {
		.node = (gint)side + 1,
		.kind = pick(model, DAXC_GEOMETRY_ROTATE, DAXC_GEOMETRY_RANGES),
		.granule = side == 1 && chance(model, 80) ? model->granule[0]
							  : granules[pick(model, 0, 2)],
		.colors = pick(model, 1, MODEL_COLORS),
	};
	g_autoptr(GError) error = NULL;

	domain.cache_size = domain.colors * domain.granule;
	if (domain.kind == DAXC_GEOMETRY_RANGES)
		domain.ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange));
	/* Granules 0 to 63 are all that regions are made of. */
	for (guint i = 0; domain.ranges && i < 64; i++) {
		DaxcColorRange range = {i * domain.granule, domain.granule,
					pick(model, 0, domain.colors - 1)};

		if (chance(model, 90) || i == 63)
			g_array_append_val(domain.ranges, range);
	}
	ck_assert(daxc_geometry_add(model->geometry, &domain, &error));
	model->colors[side] = domain.colors;
	model->granule[side] = domain.granule;
	for (guint c = 0; c < domain.colors; c++)
		model->owner[side][c] =
			chance(model, 50) ? FREE : (int)pick(model, MINE, FOREIGN);
	g_clear_pointer(&domain.ranges, g_array_unref);
}

static int random_user(Model *model, guint side, guint color, guint density)
{
	if (chance(model, 5))
		return BAD;
	if (color == MODEL_COLORS || !chance(model, density))
		return FREE;
	return model->owner[side][color];
}

/* Regions follow one another; a region may begin and end within a granule. */
static void random_region(Model *model, guint id, guint granules, guint64 *at)
{
	guint side = pick(model, 0, 1);
	guint64 granule = model->granule[side];
	const DaxcCacheDomain *domain =
		daxc_geometry_for_node(model->geometry, (gint)side + 1);
	guint64 head = chance(model, 20) ? granule / 2 : 0;
	guint64 start = ((*at + head) / granule + 1 + pick(model, 0, 2)) * granule;
	guint64 tail = chance(model, 20) ? granule / 2 : 0;
	guint density = pick(model, 0, 60);

	add_region(model->regions, id, (gint)side + 1, start - head,
		   granules * granule + head + tail);
	model->node[id] = (gint)side + 1;
	for (guint i = 0; i < granules; i++) {
		Grain *grain = &model->grain[model->n++];
		guint32 color;

		grain->region = id;
		grain->start = start + i * granule;
		grain->color = daxc_cache_domain_color(domain, grain->start, &color)
				       ? color
				       : MODEL_COLORS;
		grain->user = random_user(model, side, grain->color, density);
	}
	ck_assert_uint_ge(start - head, *at);
	*at = start + granules * granule + tail;
}

static void random_model(Model *model, guint32 seed)
{
	guint64 at = 0;
	guint left = MODEL_GRANULES;

	memset(model, 0, sizeof(*model));
	model->random = g_rand_new_with_seed(seed);
	model->seed = seed;
	model->geometry = daxc_geometry_new();
	model->regions = g_ptr_array_new_with_free_func(g_free);
	random_domain(model, 0);
	random_domain(model, 1);
	/* Small granules must not end below where large ones begin. */
	model->n_regions = pick(model, 1, MODEL_REGIONS);
	for (guint i = 0; i < model->n_regions; i++) {
		guint n = i + 1 == model->n_regions ? left : pick(model, 1, left - 3 + i);

		random_region(model, i, chance(model, 30) ? (n + 1) / 2 : n, &at);
		left -= n;
	}
	for (guint side = 0; side < 2; side++) {
		for (guint from = 0; from < 3; from++)
			model->distance[side][from] = pick(model, 10, 13);
	}
}

static guint32 layout_user(DaxcLayout *layout, int user)
{
	static const char *const names[] = {
		[MINE] = ME, [BETA] = "beta", [GAMMA] = "gamma"};

	if (user == FREE)
		return DAXC_USER_NONE;
	if (user == FOREIGN)
		return DAXC_USER_FOREIGN;
	if (user == BAD)
		return DAXC_USER_BAD;
	return daxc_layout_tenant(layout, names[user]);
}

/* The same host as the code sees it; @backward: told in the other order. */
static DaxcLayout *model_layout(const Model *model, gboolean backward)
{
	DaxcLayout *layout = daxc_layout_new(model->geometry, model->regions);

	for (guint i = 0; i < model->n; i++) {
		const Grain *grain = &model->grain[backward ? model->n - 1 - i : i];
		guint64 granule = model->granule[model->node[grain->region] - 1];

		ck_assert(daxc_layout_use(layout, grain->start, granule,
					  layout_user(layout, grain->user), NULL));
	}
	for (guint side = 0; side < 2; side++) {
		for (guint32 c = 0; c < model->colors[side]; c++) {
			guint32 user = layout_user(layout, model->owner[side][c]);

			if (user != DAXC_USER_NONE)
				ck_assert(daxc_layout_reserve(layout, (gint)side + 1, c,
							      user, NULL));
		}
		for (gint from = 0; from < 3; from++)
			daxc_layout_set_distance(layout, from, (gint)side + 1,
						 model->distance[side][from]);
	}
	return layout;
}

static void random_cell(Model *model, DaxcCellRequest *cell, guint largest)
{
	guint64 granule = model->granule[pick(model, 0, 1)];
	guint64 part = chance(model, 30) ? 2 * MiB : granule;

	cell->size = (pick(model, 1, largest) - 1) * granule + part;
	if (chance(model, 50))
		cell->node = chance(model, 90) ? model->node[0] : (gint)pick(model, 1, 2);
	for (guint i = pick(model, 0, 2); i > 0; i--) {
		gint near = (gint)pick(model, 0, 2);

		g_array_append_val(cell->near, near);
	}
	cell->wish = pick(model, DAXC_WISH_ANY, DAXC_WISH_LIST);
	if (cell->wish == DAXC_WISH_COUNT)
		cell->count = pick(model, 1, MIN(largest, 3));
	for (guint32 c = 0; cell->wish == DAXC_WISH_LIST && c < model->colors[0]; c++) {
		if (chance(model, 100 / model->colors[0]))
			g_array_append_val(cell->list, c);
	}
	if (cell->wish == DAXC_WISH_LIST && cell->list->len == 0)
		cell->wish = DAXC_WISH_ANY;
}

static guint64 units(const Model *model, const DaxcCellRequest *cell, guint region)
{
	guint64 granule = model->granule[model->node[region] - 1];

	return (cell->size + granule - 1) / granule;
}

static gboolean grain_is_ours(const Model *model, const Grain *grain)
{
	int owner;

	if (grain->color == MODEL_COLORS || grain->user != FREE)
		return FALSE;
	owner = model->owner[model->node[grain->region] - 1][grain->color];
	return owner == FREE || owner == MINE;
}

static void count_free(const Model *model, guint32 free[MODEL_REGIONS][MODEL_COLORS])
{
	memset(free, 0, sizeof(guint32) * MODEL_REGIONS * MODEL_COLORS);
	for (guint i = 0; i < model->n; i++) {
		if (grain_is_ours(model, &model->grain[i]))
			free[model->grain[i].region][model->grain[i].color]++;
	}
}

/* Whether a set of colors is what the cell asked for. */
static gboolean wish_granted(const DaxcCellRequest *cell, guint32 set)
{
	guint32 listed = 0;

	if (cell->wish == DAXC_WISH_COUNT)
		return (guint)__builtin_popcount(set) == cell->count;
	for (guint i = 0; i < cell->list->len; i++)
		listed |= 1u << g_array_index(cell->list, guint32, i);
	return cell->wish != DAXC_WISH_LIST || set == listed;
}

/*
 * A cell made of what is left in @free, and that taken out of it: such cells can
 * be granted, but often in one way only.
 */
static void tight_cell(Model *model, DaxcCellRequest *cell,
		       guint32 free[MODEL_REGIONS][MODEL_COLORS], guint share)
{
	guint region = pick(model, 0, model->n_regions - 1);
	guint64 granules = 0;
	guint colors = 0;

	for (guint32 c = 0; c < MODEL_COLORS; c++) {
		guint n = chance(model, share) ? free[region][c] : 0;

		if (n > 1 && chance(model, 50))
			n = pick(model, 1, n);
		free[region][c] -= n;
		granules += n;
		colors += n > 0;
		if (n > 0)
			g_array_append_val(cell->list, c);
	}
	cell->size = granules * model->granule[model->node[region] - 1];
	if (chance(model, 40))
		cell->node = model->node[region];
	cell->wish = pick(model, DAXC_WISH_ANY, DAXC_WISH_LIST);
	cell->count = colors;
	if (cell->wish != DAXC_WISH_LIST)
		g_array_set_size(cell->list, 0);
}

static DaxcRequest *random_request(Model *model)
{
	guint cells = pick(model, 1, MODEL_CELLS);
	gboolean tight = chance(model, 70);
	guint one_more = chance(model, 40) ? pick(model, 0, 2 * cells) : cells;
	DaxcRequest *request = daxc_request_new(UUID, "web", ME);
	guint32 free[MODEL_REGIONS][MODEL_COLORS];

	count_free(model, free);
	for (guint i = 0; i < cells; i++) {
		DaxcCellRequest *cell = cell_of(request, i);

		if (tight)
			tight_cell(model, cell, free, i + 1 < cells ? 50 : 100);
		else
			random_cell(model, cell, 6 / cells + 1);
		if (cell->size == 0) {
			daxc_cell_request_free(cell);
			cell = daxc_cell_request_new(i, 2 * MiB);
			request->cells->pdata[i] = cell;
		}
		if (i == one_more)
			cell->size += model->granule[model->node[0] - 1];
	}
	return request;
}

static gboolean oracle(const Model *model, const DaxcRequest *request, guint index,
		       guint32 free[MODEL_REGIONS][MODEL_COLORS]);

/* Every way to take @left granules from @color up in one region. */
static gboolean oracle_take(const Model *model, const DaxcRequest *request, guint index,
			    guint32 free[MODEL_REGIONS][MODEL_COLORS], guint region,
			    guint color, guint64 left, guint32 set)
{
	if (left == 0)
		return wish_granted(g_ptr_array_index(request->cells, index), set) &&
		       oracle(model, request, index + 1, free);
	if (color == MODEL_COLORS)
		return FALSE;
	for (guint32 n = 0; n <= free[region][color] && n <= left; n++) {
		gboolean found;

		free[region][color] -= n;
		found = oracle_take(model, request, index, free, region, color + 1,
				    left - n, n > 0 ? set | 1u << color : set);
		free[region][color] += n;
		if (found)
			return TRUE;
	}
	return FALSE;
}

/* Whether cells from @index up can be placed, by trying everything. */
static gboolean oracle(const Model *model, const DaxcRequest *request, guint index,
		       guint32 free[MODEL_REGIONS][MODEL_COLORS])
{
	const DaxcCellRequest *cell;

	if (index == request->cells->len)
		return TRUE;
	cell = g_ptr_array_index(request->cells, index);
	for (guint region = 0; region < model->n_regions; region++) {
		if (cell->node != DAXC_ANY_NODE && cell->node != model->node[region])
			continue;
		if (oracle_take(model, request, index, free, region, 0,
				units(model, cell, region), 0))
			return TRUE;
	}
	return FALSE;
}

/* Whether some region could grant the cell's wish if all of it were free. */
static gboolean conceivable(const Model *model, const DaxcCellRequest *cell)
{
	for (guint region = 0; region < model->n_regions; region++) {
		guint32 colors = model->colors[model->node[region] - 1];
		guint64 count = cell->wish == DAXC_WISH_COUNT  ? cell->count
				: cell->wish == DAXC_WISH_LIST ? cell->list->len
							       : 0;

		if (cell->node != DAXC_ANY_NODE && cell->node != model->node[region])
			continue;
		if (count > colors || count > units(model, cell, region))
			continue;
		if (cell->wish == DAXC_WISH_LIST &&
		    g_array_index(cell->list, guint32, cell->list->len - 1) >= colors)
			continue;
		return TRUE;
	}
	return FALSE;
}

#define check(expression)                                                                \
	ck_assert_msg(expression, "DAXC_TEST_SEED=%u: %s", model->seed, #expression)

static Grain *find_grain(Model *model, guint64 start)
{
	for (guint i = 0; i < model->n; i++) {
		if (model->grain[i].start == start)
			return &model->grain[i];
	}
	return NULL;
}

static void check_granules(Model *model, const DaxcCellRequest *wish,
			   const DaxcCellPlan *cell)
{
	guint32 set = 0;

	check(cell->cell == wish->id);
	check(cell->size == wish->size);
	check(cell->region < model->n_regions);
	check(cell->node == model->node[cell->region]);
	check(cell->granule == model->granule[cell->node - 1]);
	check(wish->node == DAXC_ANY_NODE || wish->node == cell->node);
	check(cell->granules->len == units(model, wish, cell->region));
	for (guint i = 0; i < cell->granules->len; i++) {
		const DaxcGranule *granule =
			&g_array_index(cell->granules, DaxcGranule, i);
		Grain *grain = find_grain(model, granule->start);

		check(grain != NULL);
		check(grain->region == cell->region);
		check(grain->color == granule->color);
		check(grain_is_ours(model, grain));
		check(!grain->taken);
		grain->taken = TRUE;
		set |= 1u << granule->color;
	}
	check(wish_granted(wish, set));
}

static void check_extents(Model *model, const DaxcCellPlan *cell)
{
	guint64 offset = 0;
	gboolean large = cell->size % GiB == 0;

	for (guint i = 0; i < cell->extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(cell->extents, DaxcExtent, i);

		check(extent->size > 0);
		large &= extent->start % GiB == 0 && extent->size % GiB == 0;
		if (i > 0)
			check(extent[-1].start + extent[-1].size != extent->start);
		for (guint64 at = 0; at < extent->size; at += cell->granule) {
			guint64 index = (offset + at) / cell->granule;

			check((offset + at) % cell->granule == 0);
			check(g_array_index(cell->granules, DaxcGranule, index).start ==
			      extent->start + at);
		}
		offset += extent->size;
	}
	check(offset == cell->size);
	check(cell->align == (large ? GiB : 2 * MiB));
}

/* Between two uses of a color every color that is used again later has its turn. */
static void check_alternation(Model *model, const DaxcCellPlan *cell)
{
	guint32 order[MODEL_GRANULES];
	guint n = cell->granules->len;

	for (guint i = 0; i < n; i++)
		order[i] = g_array_index(cell->granules, DaxcGranule, i).color;
	for (guint i = 0; i < n; i++) {
		guint next = i + 1;

		while (next < n && order[next] != order[i])
			next++;
		for (guint later = next + 1; next < n && later < n; later++) {
			gboolean seen = order[later] == order[i];

			for (guint j = i + 1; j < next; j++)
				seen |= order[j] == order[later];
			check(seen);
		}
	}
}

static guint hole_of(const Model *model, guint index)
{
	guint low = index, high = index;

	while (low > 0 && model->grain[low - 1].region == model->grain[index].region &&
	       model->grain[low - 1].user == FREE &&
	       model->grain[low - 1].color != MODEL_COLORS)
		low--;
	while (high + 1 < model->n &&
	       model->grain[high + 1].region == model->grain[index].region &&
	       model->grain[high + 1].user == FREE &&
	       model->grain[high + 1].color != MODEL_COLORS)
		high++;
	return high - low + 1;
}

/* No granule was taken while one of its color in a smaller hole was left. */
static void check_holes(Model *model)
{
	for (guint i = 0; i < model->n; i++) {
		for (guint j = 0; model->grain[i].taken && j < model->n; j++) {
			const Grain *left = &model->grain[j];

			if (left->taken || left->color != model->grain[i].color ||
			    left->region != model->grain[i].region || left->user != FREE)
				continue;
			check(hole_of(model, i) < hole_of(model, j) ||
			      (hole_of(model, i) == hole_of(model, j) && i < j));
		}
	}
}

static void check_plan(Model *model, const DaxcRequest *request, const DaxcPlan *plan)
{
	check(plan->cells->len == request->cells->len);
	for (guint i = 0; i < plan->cells->len; i++) {
		check_granules(model, g_ptr_array_index(request->cells, i),
			       planned(plan, i));
		check_extents(model, planned(plan, i));
		check_alternation(model, planned(plan, i));
	}
	check_holes(model);
}

static guint distance(const Model *model, const DaxcCellRequest *cell, gint node)
{
	guint nearest = cell->near->len > 0 ? G_MAXUINT : 0;

	for (guint i = 0; i < cell->near->len; i++)
		nearest = MIN(
			nearest,
			model->distance[node - 1][g_array_index(cell->near, gint, i)]);
	return nearest;
}

static Score best_in_region(const Model *model, const DaxcCellRequest *cell, guint region)
{
	guint32 free[MODEL_REGIONS][MODEL_COLORS];
	Score best = {0};

	count_free(model, free);
	for (guint32 set = 1; set < 1u << MODEL_COLORS; set++) {
		guint64 have = 0;
		Score score = {0};

		for (guint32 c = 0; c < MODEL_COLORS; c++) {
			gboolean fresh;

			if (!(set >> c & 1))
				continue;
			if (free[region][c] == 0)
				break;
			fresh = model->owner[model->node[region] - 1][c] != MINE;
			score.n++;
			score.fresh += fresh;
			score.claimed += fresh ? free[region][c] : 0;
			have += free[region][c];
		}
		if (score.n != (guint)__builtin_popcount(set) ||
		    !wish_granted(cell, set) || have < units(model, cell, region) ||
		    score.n > units(model, cell, region))
			continue;
		if (best.n == 0 || better(score, best))
			best = score;
	}
	return best;
}

/* A single cell is on the nearest node with room, in the best set of colors. */
static void check_best(Model *model, const DaxcCellRequest *cell,
		       const DaxcCellPlan *plan)
{
	g_autoptr(GArray) colors = daxc_cell_plan_colors(plan);
	Score here = best_in_region(model, cell, plan->region);
	guint32 fresh = 0;

	for (guint i = 0; i < colors->len; i++)
		fresh +=
			model->owner[plan->node - 1][g_array_index(colors, guint32, i)] !=
			MINE;
	check(fresh == here.fresh);
	check(colors->len == here.n);
	for (guint region = 0; region < model->n_regions; region++) {
		gint node = model->node[region];
		Score there = best_in_region(model, cell, region);

		if (there.n == 0 || (cell->node != DAXC_ANY_NODE && cell->node != node))
			continue;
		if (node == plan->node)
			check(!better(there, here));
		else
			check(distance(model, cell, node) >
				      distance(model, cell, plan->node) ||
			      (distance(model, cell, node) ==
				       distance(model, cell, plan->node) &&
			       node > plan->node));
	}
}

static void check_same(const Model *model, const DaxcPlan *one, const DaxcPlan *other)
{
	for (guint i = 0; i < one->cells->len; i++) {
		const GArray *a = planned(one, i)->granules,
			     *b = planned(other, i)->granules;

		check(a->len == b->len);
		for (guint j = 0; j < a->len; j++)
			check(g_array_index(a, DaxcGranule, j).start ==
			      g_array_index(b, DaxcGranule, j).start);
	}
}

/* Plans one random request on one random host. Returns whether it was granted. */
static gboolean ask_oracle(guint32 seed)
{
	g_auto(Model) state = {0};
	Model *model = &state;
	guint32 free[MODEL_REGIONS][MODEL_COLORS];
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(DaxcLayout) layout = NULL;
	g_autoptr(DaxcLayout) again = NULL;
	g_autoptr(DaxcPlan) plan = NULL;
	g_autoptr(DaxcPlan) same = NULL;
	g_autoptr(GError) error = NULL;
	gboolean valid = TRUE;

	random_model(model, seed);
	request = random_request(model);
	layout = model_layout(model, FALSE);
	again = model_layout(model, TRUE);
	count_free(model, free);
	plan = daxc_plan_new(layout, request, &error);
	check((plan != NULL) == oracle(model, request, 0, free));
	if (plan) {
		same = daxc_plan_new(again, request, NULL);
		check(same != NULL);
		check_same(model, plan, same);
		check_plan(model, request, plan);
		if (request->cells->len == 1)
			check_best(model, cell_of(request, 0), planned(plan, 0));
		return TRUE;
	}
	for (guint i = 0; i < request->cells->len; i++)
		valid &= conceivable(model, g_ptr_array_index(request->cells, i));
	check(error->domain == DAXC_ERROR);
	check(error->code == (valid ? DAXC_ERROR_REFUSED : DAXC_ERROR_INVALID));
	check(strstr(error->message, "too many to try") == NULL);
	return FALSE;
}

static guint32 number_from(const char *name, guint32 otherwise)
{
	const char *text = g_getenv(name);

	return text ? (guint32)g_ascii_strtoull(text, NULL, 10) : otherwise;
}

START_TEST(a_plan_is_found_when_the_oracle_finds_one)
{
	guint32 seed = number_from("DAXC_TEST_SEED", g_random_int());
	guint32 rounds = number_from("DAXC_TEST_ROUNDS", 4000);
	guint32 granted = 0;

	for (guint32 i = 0; i < rounds; i++)
		granted += ask_oracle(seed + i);
	g_print("plan: DAXC_TEST_SEED=%u DAXC_TEST_ROUNDS=%u: %u granted, %u refused\n",
		seed, rounds, granted, rounds - granted);
	if (rounds < 1000)
		return;
	ck_assert_uint_gt(granted, rounds / 5);
	ck_assert_uint_gt(rounds - granted, rounds / 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *layout = tcase_create("layout");
	TCase *plan = tcase_create("plan");
	TCase *refusal = tcase_create("refusal");
	TCase *all = tcase_create("oracle");

	suite_add_tcase(suite, layout);
	tcase_add_test(layout, zones_are_the_whole_granules);
	tcase_add_test(layout, regions_may_reach_the_last_address);
	tcase_add_test(layout, tenants_are_known_by_name);
	tcase_add_test(layout, a_use_takes_granules_and_colors);
	tcase_add_test(layout, a_second_tenant_changes_nothing);
	tcase_add_test(layout, foreign_overrules_in_either_order);
	tcase_add_test(layout, bad_granules_own_no_color);
	tcase_add_test(layout, cut_granules_count_for_their_color);
	tcase_add_test(layout, two_regions_of_a_node_share_owners);
	tcase_add_test(layout, reserved_colors_are_owned);
	tcase_add_test(layout, distances_have_defaults);

	suite_add_tcase(suite, plan);
	tcase_add_test(plan, a_cell_gets_the_fewest_colors);
	tcase_add_test(plan, colors_alternate_along_the_pages);
	tcase_add_test(plan, a_color_that_runs_out_leaves_the_round);
	tcase_add_test(plan, neighbors_are_joined);
	tcase_add_test(plan, neighbors_of_two_colors_are_joined);
	tcase_add_test(plan, smaller_holes_are_filled_first);
	tcase_add_test(plan, the_last_granule_is_used_in_part);
	tcase_add_test(plan, a_joined_extent_may_end_in_part);
	tcase_add_test(plan, small_granules_may_still_map_large);
	tcase_add_test(plan, a_tenant_stays_in_its_colors);
	tcase_add_test(plan, large_colors_are_left_for_large_tenants);
	tcase_add_test(plan, a_count_is_exact);
	tcase_add_test(plan, a_color_of_others_is_never_used);
	tcase_add_test(plan, memory_without_a_color_is_never_used);
	tcase_add_test(plan, the_node_asked_for_is_used);
	tcase_add_test(plan, the_nearest_node_with_room_is_used);
	tcase_add_test(plan, the_region_that_fits_best_is_used);
	tcase_add_test(plan, of_equal_regions_the_fuller_is_used);
	tcase_add_test(plan, cells_share_their_tenants_colors);
	tcase_add_test(plan, a_color_taken_for_one_cell_is_the_tenants_for_the_next);
	tcase_add_test(plan, a_cell_with_a_list_goes_first);
	tcase_add_test(plan, lists_that_overlap_are_balanced);
	tcase_add_test(plan, counts_are_packed);
	tcase_add_test(plan, cells_are_spread_over_regions);

	suite_add_tcase(suite, refusal);
	tcase_add_test(refusal, a_cell_lies_in_one_region);
	tcase_add_test(refusal, a_refusal_says_what_is_free_and_who_holds_the_rest);
	tcase_add_test(refusal, a_refusal_names_every_kind_of_owner);
	tcase_add_test(refusal, a_refusal_of_a_list_is_about_its_colors);
	tcase_add_test(refusal, a_refusal_knows_when_stopping_guests_does_not_help);
	tcase_add_test(refusal, a_refusal_goes_through_the_nodes);
	tcase_add_test(refusal, a_refusal_names_the_cells_that_do_not_fit_together);
	tcase_add_test(refusal, a_refusal_names_the_cell_that_does_not_even_fit_alone);
	tcase_add_test(refusal, a_refusal_stays_short);
	tcase_add_test(refusal, what_no_host_like_this_could_grant_is_invalid);
	tcase_add_test(refusal, a_host_without_cache_domains_grants_nothing);
	tcase_add_test(refusal, a_search_without_end_is_cut_short);

	suite_add_tcase(suite, all);
	tcase_add_test(all, the_chosen_set_is_the_best);
	tcase_add_test(all, choosing_ends_among_many_colors);
	tcase_add_test(all, of_equal_colors_the_lowest_is_chosen);
	tcase_add_test(all, a_list_is_chosen_whole_or_not_at_all);
	tcase_add_test(all, shares_of_equal_colors_add_up);
	tcase_add_test(all, a_list_makes_way_for_a_narrower_one);
	tcase_add_test(all, a_plan_is_found_when_the_oracle_finds_one);
	return unit_run(suite);
}
