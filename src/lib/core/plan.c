// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which granules a request gets.
 */
#include <daxcolor/plan.h>

void daxc_cell_plan_free(DaxcCellPlan *cell)
{
	if (!cell)
		return;
	g_clear_pointer(&cell->granules, g_array_unref);
	g_clear_pointer(&cell->extents, g_array_unref);
	g_free(cell);
}

void daxc_plan_free(DaxcPlan *plan)
{
	if (!plan)
		return;
	g_clear_pointer(&plan->cells, g_ptr_array_unref);
	g_free(plan);
}

static gint compare_colors(gconstpointer a, gconstpointer b)
{
	guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

	return (one > other) - (one < other);
}

GArray *daxc_cell_plan_colors(const DaxcCellPlan *cell)
{
	GArray *colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	guint n = 0;

	for (guint i = 0; i < cell->granules->len; i++)
		g_array_append_val(colors,
				   g_array_index(cell->granules, DaxcGranule, i).color);
	g_array_sort(colors, compare_colors);
	for (guint i = 0; i < colors->len; i++) {
		guint32 color = g_array_index(colors, guint32, i);

		if (n == 0 || color != g_array_index(colors, guint32, n - 1))
			g_array_index(colors, guint32, n++) = color;
	}
	g_array_set_size(colors, n);
	return colors;
}
