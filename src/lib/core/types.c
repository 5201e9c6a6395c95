// SPDX-License-Identifier: LGPL-2.1-or-later
/* The plain data types of host.h and plan.h: making, freeing and naming them. */
#include <daxcolor/host.h>

void daxc_region_free(DaxcRegion *region)
{
	g_free(region);
}

void daxc_instance_free(DaxcInstance *instance)
{
	if (!instance)
		return;
	g_free(instance->name);
	g_clear_pointer(&instance->extents, g_array_unref);
	g_free(instance->driver);
	g_free(instance->owner);
	g_free(instance->claimant);
	g_free(instance);
}

void daxc_color_use_free(DaxcColorUse *use)
{
	if (!use)
		return;
	g_free(use->tenant);
	g_free(use);
}

void daxc_reservation_free(DaxcReservation *reservation)
{
	if (!reservation)
		return;
	g_free(reservation->tenant);
	g_clear_pointer(&reservation->colors, g_array_unref);
	g_free(reservation);
}

void daxc_carving_free(DaxcCarving *carving)
{
	if (!carving)
		return;
	g_free(carving->uuid);
	g_free(carving->name);
	g_free(carving->tenant);
	g_free(carving->instance);
	daxc_cell_plan_free(carving->plan);
	g_free(carving->boot_id);
	g_free(carving);
}

const char *daxc_carving_state_name(DaxcCarvingState state)
{
	switch (state) {
	case DAXC_CARVING_INTENT:
		return "intent";
	case DAXC_CARVING_ACTIVE:
		return "active";
	case DAXC_CARVING_RELEASING:
		return "releasing";
	case DAXC_CARVING_SCRUBBING:
		return "scrubbing";
	}
	g_return_val_if_reached("unknown");
}

const char *daxc_granule_state_name(DaxcGranuleState state)
{
	switch (state) {
	case DAXC_GRANULE_CLEAN:
		return "clean";
	case DAXC_GRANULE_HELD:
		return "held";
	case DAXC_GRANULE_DIRTY:
		return "dirty";
	case DAXC_GRANULE_BAD:
		return "bad";
	}
	g_return_val_if_reached("unknown");
}

DaxcCellPlan *daxc_cell_plan_new(void)
{
	DaxcCellPlan *cell = g_new0(DaxcCellPlan, 1);

	cell->granules = g_array_new(FALSE, FALSE, sizeof(DaxcGranule));
	cell->extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	return cell;
}

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
	guint32 left = *(const guint32 *)a;
	guint32 right = *(const guint32 *)b;

	return (left > right) - (left < right);
}

GArray *daxc_cell_plan_colors(const DaxcCellPlan *cell)
{
	GArray *colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	guint kept = 0;

	for (guint i = 0; i < cell->granules->len; i++)
		g_array_append_val(colors,
				   g_array_index(cell->granules, DaxcGranule, i).color);
	g_array_sort(colors, compare_colors);
	for (guint i = 0; i < colors->len; i++) {
		guint32 color = g_array_index(colors, guint32, i);

		if (kept == 0 || g_array_index(colors, guint32, kept - 1) != color)
			g_array_index(colors, guint32, kept++) = color;
	}
	g_array_set_size(colors, kept);
	return colors;
}

const char *daxc_guarantee_name(DaxcGuarantee guarantee)
{
	switch (guarantee) {
	case DAXC_GUARANTEE_RANGES:
		return "ranges";
	case DAXC_GUARANTEE_ZEROS:
		return "zeros";
	case DAXC_GUARANTEE_PINS:
		return "pins";
	case DAXC_GUARANTEE_COLORS:
		return "colors";
	case DAXC_GUARANTEE_CLAIMS:
		return "claims";
	}
	g_return_val_if_reached("unknown");
}

const char *daxc_guarantee_sentence(DaxcGuarantee guarantee)
{
	switch (guarantee) {
	case DAXC_GUARANTEE_RANGES:
		return "The kernel gives no memory to two instances, and maps none that "
		       "is "
		       "not an instance's own.";
	case DAXC_GUARANTEE_ZEROS:
		return "The kernel zeroes memory before an instance gets it.";
	case DAXC_GUARANTEE_PINS:
		return "The kernel gives memory that is still pinned (VFIO) to nobody "
		       "else.";
	case DAXC_GUARANTEE_COLORS:
		return "The kernel gives colors that a tenant has memory of to nobody "
		       "else.";
	case DAXC_GUARANTEE_CLAIMS:
		return "The kernel opens what is claimed for a guest once, for its QEMU, "
		       "and takes nothing of it away before the claim is given back.";
	}
	g_return_val_if_reached("unknown");
}
