// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <daxcolor/host.h>

START_TEST(a_plan_names_each_of_its_colors_once_and_in_order)
{
	static const guint32 colors[] = {3, 65535, 0, 3, 7, 0};
	static const guint32 expected[] = {0, 3, 7, 65535};
	g_autoptr(DaxcCellPlan) plan = daxc_cell_plan_new();
	g_autoptr(GArray) got = NULL;
	g_autoptr(GArray) none = daxc_cell_plan_colors(plan);

	ck_assert_uint_eq(none->len, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(colors); i++) {
		DaxcGranule granule = {i << 30, colors[i]};

		g_array_append_val(plan->granules, granule);
	}
	got = daxc_cell_plan_colors(plan);
	ck_assert_uint_eq(got->len, G_N_ELEMENTS(expected));
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
		ck_assert_uint_eq(g_array_index(got, guint32, i), expected[i]);
	/* It is looked at, not sorted. */
	ck_assert_uint_eq(g_array_index(plan->granules, DaxcGranule, 1).color, 65535);
}
END_TEST

START_TEST(states_have_the_names_of_the_design)
{
	ck_assert_str_eq(daxc_carving_state_name(DAXC_CARVING_INTENT), "intent");
	ck_assert_str_eq(daxc_carving_state_name(DAXC_CARVING_ACTIVE), "active");
	ck_assert_str_eq(daxc_carving_state_name(DAXC_CARVING_RELEASING), "releasing");
	ck_assert_str_eq(daxc_granule_state_name(DAXC_GRANULE_CLEAN), "clean");
	ck_assert_str_eq(daxc_granule_state_name(DAXC_GRANULE_HELD), "held");
	ck_assert_str_eq(daxc_granule_state_name(DAXC_GRANULE_DIRTY), "dirty");
	ck_assert_str_eq(daxc_granule_state_name(DAXC_GRANULE_BAD), "bad");
}
END_TEST

/* Leaks and double frees are the sanitizers' to find. */
START_TEST(what_is_half_made_can_be_freed)
{
	DaxcPlan *plan = g_new0(DaxcPlan, 1);
	DaxcCarving *carving = g_new0(DaxcCarving, 1);
	DaxcInstance *instance = g_new0(DaxcInstance, 1);
	DaxcColorUse *use = g_new0(DaxcColorUse, 1);

	daxc_plan_free(g_new0(DaxcPlan, 1));
	daxc_carving_free(g_new0(DaxcCarving, 1));
	daxc_instance_free(g_new0(DaxcInstance, 1));
	daxc_cell_plan_free(g_new0(DaxcCellPlan, 1));
	daxc_region_free(NULL);
	daxc_instance_free(NULL);
	daxc_color_use_free(NULL);
	daxc_carving_free(NULL);
	daxc_cell_plan_free(NULL);
	daxc_plan_free(NULL);

	plan->cells = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_cell_plan_free);
	g_ptr_array_add(plan->cells, daxc_cell_plan_new());
	daxc_plan_free(plan);
	carving->uuid = g_strdup("uuid");
	carving->name = g_strdup("name");
	carving->tenant = g_strdup("tenant");
	carving->instance = g_strdup("dax0.1");
	carving->boot_id = g_strdup("boot");
	carving->plan = daxc_cell_plan_new();
	daxc_carving_free(carving);
	instance->name = g_strdup("dax0.1");
	instance->extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	instance->driver = g_strdup("device_dax");
	daxc_instance_free(instance);
	use->tenant = g_strdup("tenant");
	daxc_color_use_free(use);
	daxc_region_free(g_new0(DaxcRegion, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("types");
	TCase *tcase = tcase_create("types");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, a_plan_names_each_of_its_colors_once_and_in_order);
	tcase_add_test(tcase, states_have_the_names_of_the_design);
	tcase_add_test(tcase, what_is_half_made_can_be_freed);
	return unit_run(suite);
}
