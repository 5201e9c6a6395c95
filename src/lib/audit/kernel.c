// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The audit of what the kernel shows: instances, their memory and its colors,
 * and the processes that have them.
 */
#include "audit/look.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/kernel-priv.h"
#include "core/owner.h"

static char *name_of(const DaxcAuditInstance *row)
{
	return g_strdup(row->instance->name);
}

/* "tail (1234)". */
static char *process_describe(const DaxcProcess *process)
{
	return g_strdup_printf("%s (%d)", process->name, process->pid);
}

/* "mapped (/dev/dax0.1)". */
static char *how_describe(const DaxcProcess *process)
{
	const char *how = process->mapped ? "mapped" : "open";

	return process->path ? g_strdup_printf("%s (%s)", how, process->path)
			     : g_strdup(how);
}

/* ---- what explains an instance ---- */

static gboolean has_memory(const DaxcAuditInstance *row)
{
	return row->instance->size > 0;
}

static DaxcAuditInstance *find_by_ranges(const DaxcLook *look, const DaxcCarving *carving)
{
	const GArray *extents = carving->plan->extents;
	DaxcAuditInstance *row;

	if (extents->len == 0)
		return NULL;
	row = g_hash_table_lookup(look->by_start,
				  &g_array_index(extents, DaxcExtent, 0).start);
	return row && daxc_carving_matches(carving, row->instance) ? row : NULL;
}

/* A carving whose ranges no instance has: the one that has its name may still be
 * its own, made into something else. */
static DaxcAuditInstance *find_by_name(const DaxcLook *look, const DaxcCarving *carving)
{
	DaxcAuditInstance *row;

	if (carving->state != DAXC_CARVING_ACTIVE)
		return NULL;
	row = g_hash_table_lookup(look->by_name, carving->instance);
	return row && !row->carving && has_memory(row) ? row : NULL;
}

static void match_carvings(DaxcLook *look,
			   DaxcAuditInstance *(*find)(const DaxcLook *look,
						      const DaxcCarving *carving),
			   gboolean of_boot)
{
	for (guint i = 0; i < look->carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(look->carvings, i);
		DaxcAuditInstance *row;

		if (daxc_look_found(look, i) ||
		    daxc_look_is_of_boot(look, carving) != of_boot)
			continue;
		row = find(look, carving);
		if (!row || row->carving)
			continue;
		row->carving = carving;
		g_ptr_array_index(look->found, i) = row;
	}
}

/* Which guest has it: what the processes say comes before what the ledger does. */
static const char *guest_of(const DaxcAuditInstance *row)
{
	const char *uuid = NULL;

	for (guint i = 0; i < row->processes->len; i++) {
		const DaxcProcess *process = g_ptr_array_index(row->processes, i);

		if (!process->uuid)
			continue;
		if (row->carving && strcmp(process->uuid, row->carving->uuid) == 0)
			return process->uuid;
		if (!uuid)
			uuid = process->uuid;
	}
	return !uuid && row->carving && daxc_is_of_guest(row->carving)
		       ? row->carving->uuid
		       : uuid;
}

static void take_process(DaxcLook *look, DaxcProcess *process)
{
	DaxcAuditInstance *row = NULL;

	if (process->instance)
		row = g_hash_table_lookup(look->by_name, process->instance);
	if (row) {
		g_ptr_array_add(row->processes, process);
		return;
	}
	if (process->instance) {
		/* It was made a moment ago. */
		look->changed = TRUE;
	} else {
		g_autofree char *how = how_describe(process);

		daxc_look_breach(
			look, "process-on-a-gone-instance", process_describe(process),
			g_strdup_printf("it has the device %u:%u %s, whose instance was "
					"destroyed: the memory may have another user by "
					"now",
					process->major, process->minor, how),
			"end that process, and find out who destroyed an instance in "
			"use: daxcolor refuses to");
	}
	daxc_process_free(process);
}

void daxc_look_explain(DaxcLook *look)
{
	look->found = g_ptr_array_new();
	g_ptr_array_set_size(look->found, (gint)look->carvings->len);
	match_carvings(look, find_by_ranges, TRUE);
	match_carvings(look, find_by_name, TRUE);
	match_carvings(look, find_by_ranges, FALSE);

	look->audit->processes = look->processes->len;
	g_ptr_array_set_free_func(look->processes, NULL);
	for (guint i = 0; i < look->processes->len; i++)
		take_process(look, g_ptr_array_index(look->processes, i));
	g_ptr_array_set_size(look->processes, 0);

	for (guint i = 0; i < look->audit->instances->len; i++) {
		DaxcAuditInstance *row = g_ptr_array_index(look->audit->instances, i);

		row->uuid = g_strdup(guest_of(row));
		if (row->uuid)
			row->tenant = g_strdup(daxc_look_tenant(look, row->uuid));
	}
}

/* ---- instances ---- */

static void judge_align(DaxcLook *look, const DaxcAuditInstance *row)
{
	const DaxcInstance *instance = row->instance;

	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);
		g_autofree char *range = NULL;
		g_autofree char *align = NULL;

		if (extent->start % instance->align == 0 &&
		    extent->size % instance->align == 0)
			continue;
		range = daxc_range_format(extent->start, extent->size);
		align = daxc_size_format(instance->align);
		daxc_look_breach(
			look, "instance-misaligned", name_of(row),
			g_strdup_printf("%s does not lie on its align of %s: the kernel "
					"then maps memory outside of it, of whoever has "
					"that",
					range, align),
			"end the processes that have it, then destroy it (`daxctl "
			"disable-device`, `daxctl destroy-device`)");
		return;
	}
}

static void judge_driver(DaxcLook *look, const DaxcAuditInstance *row)
{
	const char *driver = row->instance->driver;
	const char *ours = daxc_kernel_driver(look->host->kernel);
	gboolean kmem = g_strcmp0(driver, DAXC_DRIVER_KMEM) == 0;

	if (driver && strcmp(driver, ours) != 0) {
		daxc_look_breach(
			look, "instance-other-driver", name_of(row),
			g_strdup_printf("the driver %s has it: %s", driver,
					kmem ? "its memory is the system's, and any "
					       "process may get a page of it"
					     : "nobody knows who reads its memory"),
			kmem ? "blacklist kmem (`daxcolor doctor` says how) and reboot"
			     : "unbind it from that driver");
		return;
	}
	if (!driver && row->carving && row->carving->state == DAXC_CARVING_ACTIVE)
		daxc_look_breach(
			look, "carving-not-enabled", daxc_carving_describe(row->carving),
			g_strdup_printf("its instance %s was unbound from %s: the "
					"guest's memory is gone (SIGBUS), or it cannot "
					"start",
					row->instance->name, ours),
			"stop the guest, and find out who unbound it: daxcolor does so "
			"only when it takes the instance back");
}

/* Where the kernel keeps colors apart it has to know for whom. */
static void judge_owner(DaxcLook *look, const DaxcAuditInstance *row)
{
	const char *owner = row->instance->owner;
	g_autofree char *expected = NULL;

	if (!(daxc_kernel_guarantees(look->host->kernel) & DAXC_GUARANTEE_COLORS) ||
	    !row->carving || !daxc_is_of_guest(row->carving))
		return;
	expected = daxc_owner_uuid(row->carving->tenant);
	if (g_strcmp0(owner, expected) == 0)
		return;
	daxc_look_breach(
		look, "owner-differs", name_of(row),
		g_strdup_printf("it is tenant %s's, who is %s for the kernel; the kernel "
				"keeps its colors for %s, and would give them to that "
				"one, too",
				row->carving->tenant, expected,
				owner ? owner : "nobody by name"),
		"stop the guest and start it again; find out who made the instance");
}

static gboolean is_running_guest(const DaxcLook *look, const DaxcCarving *carving)
{
	return look->audit->asked && g_hash_table_contains(look->guests, carving->uuid);
}

/* Where the kernel knows claims a running guest's memory is the guest's alone. */
static void judge_claim(DaxcLook *look, const DaxcAuditInstance *row)
{
	const DaxcInstance *instance = row->instance;
	const DaxcCarving *carving = row->carving;

	if (!daxc_kernel_knows_claims(look->host->kernel) || !carving ||
	    carving->state != DAXC_CARVING_ACTIVE)
		return;
	if (!instance->claimant)
		daxc_look_breach(
			look, "carving-not-claimed", daxc_carving_describe(carving),
			g_strdup_printf("nobody has claimed its instance %s: the kernel "
					"lets any other process of root open it, or take "
					"memory from it",
					instance->name),
			"run `daxcolor recover`, which claims it, and find out who gave "
			"the claim back");
	else if (g_ascii_strcasecmp(instance->claimant, carving->uuid) != 0)
		daxc_look_breach(
			look, "claim-differs", daxc_carving_describe(carving),
			g_strdup_printf("its instance %s is claimed by %s, who may take "
					"memory from it, and without whom it cannot be "
					"taken back",
					instance->name, instance->claimant),
			"find out who that is, and have it given back (`daxcolor "
			"recover` then claims it for the guest)");
	else if (instance->shared && is_running_guest(look, carving))
		daxc_look_breach(
			look, "claim-shared", daxc_carving_describe(carving),
			g_strdup_printf("the claim of its instance %s lets others open "
					"it, too",
					instance->name),
			"stop the guest and start it again; find out who claimed it");
}

static void judge_unexplained(DaxcLook *look, const DaxcAuditInstance *row)
{
	g_autofree char *colors = NULL;
	g_autofree char *size = NULL;

	if (row->carving || !daxc_look_has_ledger(look) ||
	    daxc_is_idle_seed(look->audit->regions, row->instance))
		return;
	size = daxc_size_format(row->instance->size);
	colors = row->colors->len ? daxc_color_list_format(row->colors)
				  : g_strdup("unknown");
	daxc_look_breach(
		look, "instance-unexplained", name_of(row),
		g_strdup_printf("%s on node %d, colors %s: no carving explains it; "
				"nobody knows whose it is, and nothing zeroes it%s%s",
				size, row->node, colors,
				row->uuid ? "; a process says it is that of guest " : "",
				row->uuid ? row->uuid : ""),
		"find out who made it (daxcolor did not, or its ledger is lost); when "
		"nobody has it open, destroy it with `daxctl destroy-device`");
}

void daxc_look_instances(DaxcLook *look)
{
	for (guint i = 0; i < look->audit->instances->len; i++) {
		const DaxcAuditInstance *row =
			g_ptr_array_index(look->audit->instances, i);

		if (!has_memory(row))
			continue;
		judge_align(look, row);
		judge_driver(look, row);
		judge_owner(look, row);
		judge_claim(look, row);
	}
}

/* ---- colors ---- */

/**
 * Owners: who has the colors of one cache domain.
 * @rows: for each color the first instance found on it, or NULL
 * @reserved: for each color the tenant who has it reserved, or NULL
 * @seen: for each color the number of the instance counted last, plus one
 */
typedef struct {
	const DaxcCacheDomain *domain;
	const DaxcAuditInstance **rows;
	const char **reserved;
	guint *seen;
} Owners;

static void owners_clear(gpointer data)
{
	Owners *owners = data;

	g_free(owners->rows);
	g_free(owners->reserved);
	g_free(owners->seen);
}

static GArray *owners_new(const DaxcLook *look)
{
	const DaxcGeometry *geometry = look->host->geometry;
	GArray *all = g_array_new(FALSE, FALSE, sizeof(Owners));

	g_array_set_clear_func(all, owners_clear);
	for (guint i = 0; i < daxc_geometry_count(geometry); i++) {
		const DaxcCacheDomain *domain = daxc_geometry_get(geometry, i);
		Owners owners = {
			.domain = domain,
			.rows = g_new0(const DaxcAuditInstance *, domain->colors),
			.reserved = g_new0(const char *, domain->colors),
			.seen = g_new0(guint, domain->colors),
		};

		g_array_append_val(all, owners);
	}
	return all;
}

static Owners *owners_of(GArray *all, gint node)
{
	for (guint i = 0; i < all->len; i++) {
		Owners *owners = &g_array_index(all, Owners, i);

		if (owners->domain->node == node)
			return owners;
	}
	return NULL;
}

static gint by_value(gconstpointer a, gconstpointer b)
{
	const guint32 *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Adds the colors of one range to those of @row. Returns: whether all of it has one. */
static gboolean add_colors(Owners *owners, const DaxcExtent *extent, guint number,
			   DaxcAuditInstance *row)
{
	const DaxcCacheDomain *domain = owners->domain;
	guint64 last = (extent->start + (extent->size - 1)) / domain->granule;
	gboolean all = TRUE;

	for (guint64 i = extent->start / domain->granule; i <= last; i++) {
		guint32 color;

		if (!daxc_cache_domain_color(domain, i * domain->granule, &color)) {
			all = FALSE;
			continue;
		}
		if (owners->seen[color] == number + 1)
			continue;
		owners->seen[color] = number + 1;
		g_array_append_val(row->colors, color);
		/* From the base on, every address has a color. */
		if (row->colors->len == domain->colors &&
		    domain->kind != DAXC_GEOMETRY_RANGES)
			break;
	}
	return all;
}

static void judge_no_color(DaxcLook *look, const DaxcAuditInstance *row)
{
	daxc_look_breach(look, "color-unknown", name_of(row),
			 g_strdup_printf("guest %s has memory on node %d of which no "
					 "color is known: who else is in its part of "
					 "the cache cannot be told",
					 row->uuid, row->node),
			 "describe the cache in daxcolor.conf ([cache NODE]), or find "
			 "out where its description went");
}

static void find_colors(DaxcLook *look, GArray *all)
{
	for (guint i = 0; i < look->audit->instances->len; i++) {
		DaxcAuditInstance *row = g_ptr_array_index(look->audit->instances, i);
		const GArray *extents = row->instance->extents;
		Owners *owners = owners_of(all, row->node);
		gboolean known = owners != NULL;

		for (guint k = 0; owners && k < extents->len; k++)
			known = add_colors(owners, &g_array_index(extents, DaxcExtent, k),
					   i, row) &&
				known;
		g_array_sort(row->colors, by_value);
		if (!known && has_memory(row) && row->tenant)
			judge_no_color(look, row);
	}
}

static void judge_shared(DaxcLook *look, const Owners *owners, const GArray *colors,
			 const DaxcAuditInstance *one, const DaxcAuditInstance *two)
{
	g_autofree char *list = daxc_color_list_format(colors);

	daxc_look_breach(
		look, "color-shared",
		g_strdup_printf("node %d color %s", owners->domain->node, list),
		g_strdup_printf("tenant %s (%s) and tenant %s (%s) have memory of this "
				"color: they evict each other from the cache",
				one->tenant, one->instance->name, two->tenant,
				two->instance->name),
		"stop the guests of one of them and start them again; `daxcolor map` "
		"shows what is free");
}

/* Of each color that @row has, who else has it: one breach for each other tenant. */
static void take_colors(DaxcLook *look, Owners *owners, const DaxcAuditInstance *row)
{
	g_autoptr(GHashTable) others = g_hash_table_new_full(
		g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_array_unref);
	GHashTableIter iter;
	gpointer tenant, value;

	for (guint i = 0; i < row->colors->len; i++) {
		guint32 color = g_array_index(row->colors, guint32, i);
		const DaxcAuditInstance *owner = owners->rows[color];
		GArray *colors;

		if (!owner)
			owners->rows[color] = row;
		if (!owner || strcmp(owner->tenant, row->tenant) == 0)
			continue;
		colors = g_hash_table_lookup(others, owner->tenant);
		if (!colors) {
			colors = g_array_new(FALSE, FALSE, sizeof(guint32));
			g_hash_table_insert(others, owner->tenant, colors);
		}
		g_array_append_val(colors, color);
	}
	g_hash_table_iter_init(&iter, others);
	while (g_hash_table_iter_next(&iter, &tenant, &value)) {
		guint32 first = g_array_index((GArray *)value, guint32, 0);

		judge_shared(look, owners, value, owners->rows[first], row);
	}
}

/* ---- reserved colors ---- */

static void judge_reserved(DaxcLook *look, const Owners *owners,
			   const DaxcAuditInstance *row)
{
	for (guint i = 0; i < row->colors->len; i++) {
		guint32 color = g_array_index(row->colors, guint32, i);
		const char *tenant = owners->reserved[color];

		if (!tenant || strcmp(tenant, row->tenant) == 0)
			continue;
		daxc_look_breach(
			look, "reserved-color-held", name_of(row),
			g_strdup_printf("it is tenant %s's and has memory of color %u on "
					"node %d, which tenant %s has reserved",
					row->tenant, color, row->node, tenant),
			"stop the guest and start it again, or drop the reservation "
			"(`daxcolor reserve`)");
		return;
	}
}

static void judge_reservation(DaxcLook *look, const DaxcReservation *reservation)
{
	daxc_look_breach(
		look, "reservation-geometry-differs",
		g_strdup_printf("tenant %s node %d", reservation->tenant,
				reservation->node),
		g_strdup_printf("it reserved colors when there were %u of them, with "
				"granules of %" G_GUINT64_FORMAT " bytes: today they "
				"are other memory, and not kept for it",
				reservation->of, reservation->granule),
		"reserve its colors of today (`daxcolor regions`, `daxcolor reserve`)");
}

static void note_reservations(DaxcLook *look, GArray *all)
{
	for (guint i = 0; i < look->reservations->len; i++) {
		const DaxcReservation *reservation =
			g_ptr_array_index(look->reservations, i);
		Owners *owners = owners_of(all, reservation->node);

		if (!owners || owners->domain->colors != reservation->of ||
		    owners->domain->granule != reservation->granule) {
			judge_reservation(look, reservation);
			continue;
		}
		for (guint k = 0; k < reservation->colors->len; k++) {
			guint32 color = g_array_index(reservation->colors, guint32, k);

			if (color < reservation->of)
				owners->reserved[color] = reservation->tenant;
		}
	}
}

/* Of an instance that nobody explains: on whose colors it is. */
static void judge_on_tenant(DaxcLook *look, const Owners *owners,
			    const DaxcAuditInstance *row)
{
	g_autoptr(GHashTable) tenants = g_hash_table_new(g_str_hash, g_str_equal);

	/* A scrubber zeroes free memory of any color, for a moment. */
	if (row->tenant || row->carving || !owners || !daxc_look_has_ledger(look))
		return;
	for (guint i = 0; i < row->colors->len; i++) {
		guint32 color = g_array_index(row->colors, guint32, i);
		const DaxcAuditInstance *owner = owners->rows[color];
		const char *tenant = owner ? owner->tenant : owners->reserved[color];

		if (!tenant || !g_hash_table_add(tenants, (gpointer)tenant))
			continue;
		daxc_look_breach(
			look, "color-intruded", name_of(row),
			g_strdup_printf("it has memory of color %u on node %d, which is "
					"tenant %s's (%s): whoever uses it evicts the "
					"tenant from the cache",
					color, row->node, tenant,
					owner ? owner->instance->name : "reserved"),
			"destroy it at once when nobody has it open; else end who has");
	}
}

void daxc_look_colors(DaxcLook *look)
{
	g_autoptr(GArray) all = owners_new(look);
	const GPtrArray *rows = look->audit->instances;

	find_colors(look, all);
	note_reservations(look, all);
	for (guint i = 0; i < rows->len; i++) {
		const DaxcAuditInstance *row = g_ptr_array_index(rows, i);
		Owners *owners = owners_of(all, row->node);

		if (!owners || !row->tenant)
			continue;
		take_colors(look, owners, row);
		judge_reserved(look, owners, row);
	}
	for (guint i = 0; i < rows->len; i++) {
		const DaxcAuditInstance *row = g_ptr_array_index(rows, i);

		if (!has_memory(row))
			continue;
		judge_unexplained(look, row);
		if (!daxc_is_idle_seed(look->audit->regions, row->instance))
			judge_on_tenant(look, owners_of(all, row->node), row);
	}
}

/* ---- processes ---- */

/* A guest of libvirt's has the node in its memory directory, and no other. */
static gboolean has_right_path(const DaxcLook *look, const DaxcProcess *process,
			       const DaxcCarving *carving)
{
	if (!process->path || !g_hash_table_contains(look->guests, carving->uuid))
		return TRUE;
	return daxc_look_node_fits(look, process->path, carving);
}

gboolean daxc_look_is_program(const DaxcLook *look, const DaxcCarving *carving,
			      const DaxcAuditInstance *row)
{
	if (!look->audit->asked || carving->state != DAXC_CARVING_ACTIVE ||
	    g_hash_table_contains(look->guests, carving->uuid))
		return FALSE;
	for (guint i = 0; i < row->processes->len; i++) {
		const DaxcProcess *process = g_ptr_array_index(row->processes, i);

		if (process->uuid)
			return FALSE;
	}
	return row->processes->len > 0;
}

/* Its own guest's; or who makes, zeroes or takes it back. */
static gboolean belongs(const DaxcLook *look, const DaxcProcess *process,
			const DaxcCarving *carving)
{
	if (carving->state != DAXC_CARVING_ACTIVE && process->pid == carving->pid)
		return TRUE;
	return process->uuid && strcmp(process->uuid, carving->uuid) == 0 &&
	       has_right_path(look, process, carving);
}

/* Returns: (nullable): another guest than @process's that has the instance too. */
static const char *other_guest(const DaxcAuditInstance *row, const DaxcProcess *process)
{
	for (guint i = 0; process->uuid && i < row->processes->len; i++) {
		const DaxcProcess *other = g_ptr_array_index(row->processes, i);

		if (other->uuid && strcmp(other->uuid, process->uuid) != 0)
			return other->uuid;
	}
	return NULL;
}

/* Whom there is nothing to say against. */
static gboolean is_rightful(const DaxcLook *look, const DaxcAuditInstance *row,
			    const DaxcProcess *process)
{
	if (row->carving)
		return belongs(look, process, row->carving) ||
		       daxc_look_is_program(look, row->carving, row);
	/* Without a ledger, a guest's process speaks for itself. */
	return !daxc_look_has_ledger(look) && process->uuid && !other_guest(row, process);
}

static void judge_process(DaxcLook *look, const DaxcAuditInstance *row,
			  const DaxcProcess *process)
{
	const DaxcCarving *carving = row->carving;
	g_autofree char *who = process_describe(process);
	g_autofree char *how = how_describe(process);
	const char *other = other_guest(row, process);
	char *what = g_strdup_printf("%s on %s", who, row->instance->name);

	if (other) {
		daxc_look_breach(
			look, "instance-of-two-guests", what,
			g_strdup_printf("the QEMU of guest %s has it %s, and so has "
					"that of guest %s: each can read and write the "
					"other's memory",
					process->uuid, how, other),
			"stop both guests; what was in their memory is no secret any "
			"more");
		return;
	}
	if (!carving || !daxc_is_of_guest(carving)) {
		daxc_look_breach(look, "process-unexplained", what,
				 g_strdup_printf("it has the instance %s, which no guest "
						 "is known to hold",
						 how),
				 "end that process, or find out what it is");
		return;
	}
	daxc_look_breach(
		look, "process-foreign", what,
		g_strdup_printf("it has the memory of guest %s %s, and is not that "
				"guest's QEMU: it can read and write all of it",
				carving->name, how),
		"end that process, and find out who started it; a vhost-user back end "
		"(virtiofsd, a software switch) shares a guest's memory by design, and "
		"is then part of what must be trusted");
}

void daxc_look_processes(DaxcLook *look)
{
	for (guint i = 0; i < look->audit->instances->len; i++) {
		const DaxcAuditInstance *row =
			g_ptr_array_index(look->audit->instances, i);

		for (guint k = 0; k < row->processes->len; k++) {
			const DaxcProcess *process = g_ptr_array_index(row->processes, k);

			if (!is_rightful(look, row, process))
				judge_process(look, row, process);
		}
	}
}
