// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The audit of the ledger: whether what it says is what the kernel shows, and fits
 * the geometry and itself.
 */
#include "audit/look.h"

#include <string.h>

#include <daxcolor/size.h>

#include "adapters/kernel-priv.h"

/* ---- carvings and instances ---- */

static gboolean same_extents(const GArray *one, const GArray *two)
{
	return one->len == two->len &&
	       memcmp(one->data, two->data, one->len * sizeof(DaxcExtent)) == 0;
}

static char *extents_format(const GArray *extents)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);
		g_autofree char *range = daxc_range_format(extent->start, extent->size);

		g_string_append_printf(text, "%s%s", i ? ", " : "", range);
	}
	return g_string_free(text, FALSE);
}

static void judge_gone(DaxcLook *look, const DaxcCarving *carving)
{
	daxc_look_breach(
		look, "carving-instance-gone", daxc_carving_describe(carving),
		g_strdup_printf("its instance %s does not exist any more, or has no "
				"memory: what the guest had may have another user by "
				"now",
				carving->instance),
		"stop the guest, find out who destroyed the instance (daxcolor does so "
		"only when nobody has it open), then run `daxcolor recover`");
}

static void judge_ranges(DaxcLook *look, const DaxcCarving *carving,
			 const DaxcInstance *instance)
{
	g_autofree char *have = extents_format(instance->extents);
	g_autofree char *want = NULL;

	if (carving->state != DAXC_CARVING_ACTIVE)
		return;
	if (!same_extents(instance->extents, carving->plan->extents)) {
		want = extents_format(carving->plan->extents);
		daxc_look_breach(
			look, "carving-ranges-differ", daxc_carving_describe(carving),
			g_strdup_printf("%s has %s, and the ledger says %s: the memory "
					"that it should not have may be another "
					"tenant's",
					instance->name, have, want),
			"stop the guest, and destroy the instance; find out who edited "
			"the ledger or made the instance anew");
		return;
	}
	if (instance->align != carving->plan->align) {
		g_autofree char *is = daxc_size_format(instance->align);
		g_autofree char *was = daxc_size_format(carving->plan->align);

		daxc_look_breach(look, "carving-align-differs",
				 daxc_carving_describe(carving),
				 g_strdup_printf("%s has an align of %s, and the ledger "
						 "says %s: it was made anew by somebody",
						 instance->name, is, was),
				 "stop the guest and start it again");
	}
}

static void judge_instance(DaxcLook *look, const DaxcCarving *carving,
			   const DaxcAuditInstance *row)
{
	if (row)
		judge_ranges(look, carving, row->instance);
	else if (carving->state == DAXC_CARVING_ACTIVE)
		judge_gone(look, carving);
}

/* ---- carvings and geometry ---- */

static const DaxcRegion *find_region(const DaxcLook *look, guint id)
{
	for (guint i = 0; i < look->audit->regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(look->audit->regions, i);

		if (region->id == id)
			return region;
	}
	return NULL;
}

static char *granule_fault(const DaxcCellPlan *plan, const DaxcRegion *region,
			   const DaxcCacheDomain *domain, const DaxcGranule *granule)
{
	guint32 color;

	if (!daxc_range_within(granule->start, plan->granule, region->start,
			       region->size))
		return g_strdup_printf("the granule at 0x%" G_GINT64_MODIFIER
				       "x is not in region %u",
				       granule->start, region->id);
	if (!daxc_cache_domain_color(domain, granule->start, &color))
		return g_strdup_printf("the granule at 0x%" G_GINT64_MODIFIER
				       "x has no color",
				       granule->start);
	if (color != granule->color)
		return g_strdup_printf("the granule at 0x%" G_GINT64_MODIFIER
				       "x has color %u, and the ledger says %u",
				       granule->start, color, granule->color);
	return NULL;
}

/* Returns: (nullable): what of a carving does not fit this host. */
static char *geometry_fault(const DaxcLook *look, const DaxcCellPlan *plan)
{
	const DaxcRegion *region = find_region(look, plan->region);
	const DaxcCacheDomain *domain;
	char *fault = NULL;

	if (!region)
		return g_strdup_printf("there is no region %u", plan->region);
	if (region->node != plan->node)
		return g_strdup_printf("region %u is on node %d, and the ledger says %d",
				       region->id, region->node, plan->node);
	domain = daxc_look_domain(look, region->node);
	if (!domain)
		return g_strdup_printf("no cache is known in front of node %d",
				       region->node);
	if (domain->granule != plan->granule)
		return g_strdup_printf("granules of node %d have %" G_GUINT64_FORMAT
				       " bytes, and the ledger says %" G_GUINT64_FORMAT,
				       region->node, domain->granule, plan->granule);
	for (guint i = 0; i < plan->granules->len && !fault; i++)
		fault = granule_fault(plan, region, domain,
				      &g_array_index(plan->granules, DaxcGranule, i));
	return fault;
}

static void judge_geometry(DaxcLook *look, const DaxcCarving *carving,
			   const DaxcAuditInstance *row)
{
	char *fault;

	/* That there is no color for the instance was said of the instance. */
	if (row && !daxc_look_domain(look, row->node))
		return;
	fault = geometry_fault(look, carving->plan);
	if (!fault)
		return;
	daxc_look_breach(look, "carving-geometry-differs", daxc_carving_describe(carving),
			 fault,
			 "if the configuration or the hardware has changed, stop all "
			 "guests and start them again; else somebody edited the ledger: "
			 "restore it from a backup");
}

/* ---- carvings and boots ---- */

static void judge_boot(DaxcLook *look, const DaxcCarving *carving,
		       const DaxcAuditInstance *row)
{
	/* After a reboot they stay until the first change: nobody counts them then. */
	if (look->of_boot == 0 && !row)
		return;
	daxc_look_breach(look, "carving-of-another-boot", daxc_carving_describe(carving),
			 g_strdup_printf("it was made in boot %s, whose ranges the "
					 "kernel has forgotten, and still counts",
					 carving->boot_id),
			 "run `daxcolor recover`; what it then calls foreign was made by "
			 "hand");
}

/* ---- colors, by the ledger alone ---- */

/**
 * struct color_use: who has a color by the ledger.
 */
struct color_use {
	gint node;
	guint32 color;
	const DaxcCarving *carving;
};

static guint use_hash(gconstpointer data)
{
	const struct color_use *use = data;

	return use->color * 31 + (guint)use->node;
}

static gboolean use_equal(gconstpointer a, gconstpointer b)
{
	const struct color_use *one = a, *two = b;

	return one->node == two->node && one->color == two->color;
}

/* Two carvings that the kernel shows were compared by their ranges. */
static gboolean both_shown(const DaxcLook *look, const DaxcCarving *one,
			   const DaxcCarving *two)
{
	gboolean shown_one = FALSE, shown_two = FALSE;

	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (!daxc_look_found(look, i))
			continue;
		shown_one = shown_one || carving == one;
		shown_two = shown_two || carving == two;
	}
	return shown_one && shown_two &&
	       strcmp(daxc_look_tenant(look, one->uuid),
		      daxc_look_tenant(look, two->uuid)) != 0;
}

static void judge_users(DaxcLook *look, GHashTable *users, const DaxcCarving *carving)
{
	g_autoptr(GArray) colors = daxc_cell_plan_colors(carving->plan);

	for (guint i = 0; i < colors->len; i++) {
		struct color_use use = {carving->plan->node,
					g_array_index(colors, guint32, i), carving};
		const struct color_use *known = g_hash_table_lookup(users, &use);

		if (!known) {
			g_hash_table_add(users, g_memdup2(&use, sizeof(use)));
			continue;
		}
		if (strcmp(known->carving->tenant, carving->tenant) == 0 ||
		    both_shown(look, known->carving, carving))
			continue;
		daxc_look_breach(
			look, "ledger-color-shared",
			g_strdup_printf("node %d color %u", use.node, use.color),
			g_strdup_printf("the ledger gives it to guest %s of tenant %s "
					"and to guest %s of tenant %s: nothing can be "
					"planned any more",
					known->carving->name, known->carving->tenant,
					carving->name, carving->tenant),
			"somebody edited the ledger: restore it from a backup, or stop "
			"one of the guests");
		return;
	}
}

static void judge_ledger_colors(DaxcLook *look)
{
	g_autoptr(GHashTable)
		users = g_hash_table_new_full(use_hash, use_equal, g_free, NULL);

	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (daxc_look_is_of_boot(look, carving) && daxc_is_of_guest(carving))
			judge_users(look, users, carving);
	}
}

/* ---- granules and instances ---- */

static guint first_after(const GArray *granules, guint64 address)
{
	guint low = 0, high = granules->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const DaxcLedgerGranule *granule =
			&g_array_index(granules, DaxcLedgerGranule, middle);

		if (granule->start + granule->size > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Returns: (nullable): the first granule in @state that an instance has part of. */
static const DaxcLedgerGranule *
granule_in(const DaxcLook *look, const DaxcInstance *instance, DaxcGranuleState state)
{
	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);

		for (guint k = first_after(look->granules, extent->start);
		     k < look->granules->len; k++) {
			const DaxcLedgerGranule *granule =
				&g_array_index(look->granules, DaxcLedgerGranule, k);

			if (granule->start >= extent->start + extent->size)
				break;
			if (granule->state == state)
				return granule;
		}
	}
	return NULL;
}

static void judge_clean(DaxcLook *look, const DaxcAuditInstance *row)
{
	const DaxcLedgerGranule *granule;

	if (row->carving || daxc_is_idle_seed(look->audit->regions, row->instance))
		return;
	granule = granule_in(look, row->instance, DAXC_GRANULE_CLEAN);
	if (!granule)
		return;
	daxc_look_breach(
		look, "granule-not-clean", g_strdup(row->instance->name),
		g_strdup_printf("it has the granule at 0x%" G_GINT64_MODIFIER
				"x, which the ledger calls clean: the next guest would "
				"get it with what is written there now",
				granule->start),
		"destroy the instance, and have the granule zeroed before it is used "
		"(`daxcolor recover` marks it dirty)");
}

/* Returns: the first failed memory that an instance has: by the ledger, or by the
 * administrator's list, which the ledger may not have taken over yet. */
static gboolean find_bad(const DaxcLook *look, const DaxcInstance *instance,
			 guint64 *address)
{
	const DaxcLedgerGranule *granule = granule_in(look, instance, DAXC_GRANULE_BAD);
	const GArray *listed = look->host->config->bad;

	if (granule) {
		*address = granule->start;
		return TRUE;
	}
	for (guint i = 0; i < listed->len; i++) {
		const DaxcExtent *bad = &g_array_index(listed, DaxcExtent, i);

		*address = bad->start;
		if (daxc_instance_touches(instance, bad->start, bad->size))
			return TRUE;
	}
	return FALSE;
}

static void judge_bad(DaxcLook *look, const DaxcAuditInstance *row)
{
	guint64 address;

	if (!row->instance->driver || !find_bad(look, row->instance, &address))
		return;
	daxc_look_breach(look, "granule-bad-in-use", g_strdup(row->instance->name),
			 g_strdup_printf("it has memory that has failed, at or above "
					 "0x%" G_GINT64_MODIFIER
					 "x: whoever reads it is killed",
					 address),
			 "stop the guest, or migrate it away, and start it again: it "
			 "then gets other memory");
}

/* ---- an old copy ---- */

static void judge_age(DaxcLook *look)
{
	if (!daxc_look_has_ledger(look) ||
	    (look->has_note && look->noted <= look->serial))
		return;
	daxc_look_breach(
		look, "ledger-out-of-date", g_strdup(look->audit->ledger),
		look->has_note
			? g_strdup_printf("its serial number is %" G_GUINT64_FORMAT
					  ", and this host has noted %" G_GUINT64_FORMAT
					  " since it booted: a backup that was put in "
					  "place does not know what has become of "
					  "memory that it calls clean",
					  look->serial, look->noted)
			: g_strdup_printf("what this host has noted of it since it "
					  "booted (%s/serial) cannot be read, so it may "
					  "be an old copy",
					  look->host->run_dir),
		"run `daxcolor recover`: all free memory then counts as dirty");
}

void daxc_look_ledger(DaxcLook *look)
{
	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);
		const DaxcAuditInstance *row = daxc_look_found(look, i);

		if (!daxc_look_is_of_boot(look, carving)) {
			judge_boot(look, carving, row);
			continue;
		}
		judge_instance(look, carving, row);
		judge_geometry(look, carving, row);
	}
	judge_age(look);
	judge_ledger_colors(look);
	for (guint i = 0; i < look->audit->instances->len; i++) {
		const DaxcAuditInstance *row =
			g_ptr_array_index(look->audit->instances, i);

		judge_clean(look, row);
		judge_bad(look, row);
	}
}
