// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Adopting: for a host that has lost its ledger, what running guests have is
 * recorded again. Who has what is told by the kernel (ranges, device numbers), by
 * the node in the guest's memory directory, and by libvirt (id, name, tenant).
 */
#include "provision/provision.h"

#include <daxcolor/error.h>

/**
 * Search: whose is this instance?
 * @guest, @cell: (out): the answer
 * @answers: how many there were
 */
typedef struct {
	const GPtrArray *guests;
	const DaxcInstance *instance;
	const DaxcGuest *guest;
	guint cell;
	guint answers;
} Search;

static void match_node(const DaxcNode *node, gpointer data)
{
	Search *search = data;

	if (node->major != search->instance->major ||
	    node->minor != search->instance->minor)
		return;
	for (guint i = 0; i < search->guests->len; i++) {
		const DaxcGuest *guest = g_ptr_array_index(search->guests, i);

		if (guest->id != node->id || !guest->tenant ||
		    !daxc_node_directory_fits(node, guest->name) ||
		    node->cell >= guest->cells)
			continue;
		search->guest = guest;
		search->cell = node->cell;
		search->answers++;
	}
}

/* Cuts the instance's memory into granules; only the last may be a part of one. */
static gboolean fill_plan(const DaxcHost *host, const DaxcInstance *instance,
			  DaxcCellPlan *plan)
{
	const DaxcCacheDomain *domain =
		daxc_geometry_for_node(host->geometry, plan->node);

	if (!domain)
		return FALSE;
	plan->granule = domain->granule;
	plan->align = instance->align;
	plan->size = instance->size;
	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);

		g_array_append_vals(plan->extents, extent, 1);
		for (guint64 at = 0; at < extent->size; at += plan->granule) {
			DaxcGranule granule = {.start = extent->start + at};

			if (granule.start % plan->granule != 0 ||
			    !daxc_cache_domain_color(domain, granule.start,
						     &granule.color))
				return FALSE;
			g_array_append_val(plan->granules, granule);
		}
	}
	return TRUE;
}

static DaxcCarving *carving_of(const DaxcHost *host, const DaxcSnapshot *snapshot,
			       const Search *search)
{
	g_autoptr(DaxcCarving) carving = g_new0(DaxcCarving, 1);
	DaxcCellPlan *plan = daxc_cell_plan_new();

	carving->uuid = g_strdup(search->guest->uuid);
	carving->name = g_strdup(search->guest->name);
	carving->tenant = g_strdup(search->guest->tenant);
	carving->state = DAXC_CARVING_ACTIVE;
	carving->instance = g_strdup(search->instance->name);
	carving->plan = plan;
	daxc_sign(host, carving);
	plan->cell = search->cell;
	plan->region = search->instance->region;
	plan->node = daxc_region_node(snapshot->regions, plan->region);
	if (!fill_plan(host, search->instance, plan))
		return NULL;
	return g_steal_pointer(&carving);
}

/* In a transaction, which it ends. */
static gboolean record(DaxcHost *host, DaxcCarving *carving, GError **error)
{
	if (daxc_ledger_insert(host->ledger, carving, error) &&
	    daxc_check_apart(host, error) && daxc_ledger_commit(host->ledger, error))
		return TRUE;
	daxc_ledger_rollback(host->ledger);
	return FALSE;
}

/* Returns: (nullable): why it cannot be adopted. */
static const char *doubt(const DaxcHost *host, const Search *search)
{
	if (g_strcmp0(search->instance->driver, daxc_kernel_driver(host->kernel)) != 0)
		return "it is not enabled";
	if (search->answers == 0)
		return "it is no running guest's that libvirt knows";
	if (search->answers > 1)
		return "it is in the memory directories of several guests";
	return NULL;
}

/* In a transaction, which it ends. */
static gboolean adopt_one(DaxcHost *host, const DaxcSnapshot *snapshot, Search *search,
			  gboolean *adopted, GPtrArray *report, GError **error)
{
	g_autoptr(DaxcCarving) carving = NULL;
	g_autoptr(GError) failure = NULL;
	const char *why;

	if (!daxc_visit_nodes(match_node, search, error))
		return FALSE;
	why = doubt(host, search);
	if (!why) {
		carving = carving_of(host, snapshot, search);
		why = carving ? NULL : "its memory is not made of whole granules";
	}
	*adopted = !why && record(host, carving, &failure);
	if (*adopted) {
		daxc_report(report, "%s: guest %s cell %u of tenant %s has it: adopted",
			    search->instance->name, carving->name, carving->plan->cell,
			    carving->tenant);
		return TRUE;
	}
	daxc_report(report,
		    "%s: cannot be adopted: %s; its memory and colors are nobody's until "
		    "it is destroyed",
		    search->instance->name, why ? why : failure->message);
	return TRUE;
}

/* The first unknown one at or after @skip, which is moved behind it: each adoption
 * is a transaction, and then everything is looked at again. */
static gboolean adopt_next(DaxcHost *host, const GPtrArray *guests, guint *skip,
			   gboolean *more, GPtrArray *report, GError **error)
{
	g_autoptr(DaxcSnapshot) snapshot = daxc_begin_recovered(host, NULL, error);
	Search search = {.guests = guests};
	gboolean adopted;

	if (!snapshot)
		return FALSE;
	while (*skip < snapshot->unknown->len && !search.instance) {
		const DaxcInstance *instance =
			g_ptr_array_index(snapshot->unknown, (*skip)++);

		if (instance->size > 0)
			search.instance = instance;
	}
	*more = search.instance != NULL;
	if (!*more)
		return TRUE;
	if (!adopt_one(host, snapshot, &search, &adopted, report, error))
		return FALSE;
	/* One that was adopted is unknown no more. */
	if (adopted)
		(*skip)--;
	return TRUE;
}

gboolean daxc_host_adopt(DaxcHost *host, const GPtrArray *guests, GPtrArray **report,
			 GError **error)
{
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(g_free);
	gboolean more = TRUE;
	guint skip = 0;

	while (more) {
		gboolean ok = adopt_next(host, guests, &skip, &more, done, error);

		daxc_ledger_rollback(host->ledger);
		if (!ok)
			return FALSE;
	}
	*report = g_steal_pointer(&done);
	return TRUE;
}
