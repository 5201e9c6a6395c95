// SPDX-License-Identifier: LGPL-2.1-or-later
/* What there is to say of one record of the ledger, and of one instance. */
#include "provision/provision.h"

#include <string.h>
#include <unistd.h>

#include <daxcolor/lend.h>

gboolean daxc_is_of_guest(const DaxcCarving *carving)
{
	return carving->state != DAXC_CARVING_SCRUBBING;
}

gboolean daxc_carving_is_lent(const DaxcCarving *carving)
{
	return strcmp(carving->tenant, DAXC_LENT_TENANT) == 0;
}

char *daxc_carving_describe(const DaxcCarving *carving)
{
	if (!daxc_is_of_guest(carving))
		return g_strdup("scrubbing");
	if (daxc_carving_is_lent(carving))
		return g_strdup_printf("memory lent to the host (%u)",
				       carving->plan->cell);
	return g_strdup_printf("guest %s cell %u", carving->name, carving->plan->cell);
}

void daxc_sign(const DaxcHost *host, DaxcCarving *carving)
{
	carving->pid = getpid();
	carving->pid_start = daxc_process_start(carving->pid);
	g_free(carving->boot_id);
	carving->boot_id = g_strdup(host->boot_id);
}

gboolean daxc_maker_lives(const DaxcCarving *carving)
{
	return carving->pid_start != 0 &&
	       daxc_process_start(carving->pid) == carving->pid_start;
}

static gboolean is_within(const DaxcExtent *extent, const GArray *extents)
{
	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *outer = &g_array_index(extents, DaxcExtent, i);

		if (extent->start >= outer->start && extent->size <= outer->size &&
		    extent->start - outer->start <= outer->size - extent->size)
			return TRUE;
	}
	return FALSE;
}

/* One in the making whose name is on record already, with any part of its memory. */
static gboolean is_part_of(const DaxcCarving *carving, const DaxcInstance *instance)
{
	if (carving->state == DAXC_CARVING_ACTIVE ||
	    g_strcmp0(carving->instance, instance->name) != 0)
		return FALSE;
	for (guint i = 0; i < instance->extents->len; i++) {
		if (!is_within(&g_array_index(instance->extents, DaxcExtent, i),
			       carving->plan->extents))
			return FALSE;
	}
	return TRUE;
}

gboolean daxc_carving_matches(const DaxcCarving *carving, const DaxcInstance *instance)
{
	const GArray *want = carving->plan->extents;
	const GArray *have = instance->extents;

	if (instance->region != carving->plan->region || have->len == 0)
		return FALSE;
	if (is_part_of(carving, instance))
		return TRUE;
	/* A carving in the making, or being undone, has its first extents only. */
	if (carving->state == DAXC_CARVING_ACTIVE ? have->len != want->len
						  : have->len > want->len)
		return FALSE;
	for (guint i = 0; i < have->len; i++) {
		const DaxcExtent *a = &g_array_index(want, DaxcExtent, i);
		const DaxcExtent *b = &g_array_index(have, DaxcExtent, i);

		if (a->start != b->start || a->size != b->size)
			return FALSE;
	}
	return TRUE;
}

gboolean daxc_is_being_filled(const DaxcSnapshot *snapshot, const char *name,
			      const char *uuid)
{
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);

		if (g_strcmp0(carving->instance, name) == 0 &&
		    carving->state == DAXC_CARVING_INTENT &&
		    g_strcmp0(carving->uuid, uuid) != 0 && daxc_maker_lives(carving))
			return TRUE;
	}
	return FALSE;
}

gboolean daxc_instance_touches(const DaxcInstance *instance, guint64 start, guint64 size)
{
	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);

		if (start < extent->start + extent->size && extent->start < start + size)
			return TRUE;
	}
	return FALSE;
}

gint daxc_region_node(const GPtrArray *regions, guint id)
{
	for (guint i = 0; i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		if (region->id == id)
			return region->node;
	}
	return -1;
}

void daxc_carvings_of_boot(GPtrArray *carvings, const char *boot_id)
{
	for (guint i = carvings->len; i-- > 0;) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);

		if (strcmp(carving->boot_id, boot_id) != 0)
			g_ptr_array_remove_index(carvings, i);
	}
}

DaxcKernelCarving daxc_kernel_carving(const DaxcCarving *carving)
{
	return (DaxcKernelCarving){
		.region = carving->plan->region,
		.align = carving->plan->align,
		.granule = carving->plan->granule,
		.extents = carving->plan->extents,
		.tenant = daxc_is_of_guest(carving) ? carving->tenant : NULL,
	};
}
