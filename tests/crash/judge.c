// SPDX-License-Identifier: GPL-2.0-or-later
/* The invariants, computed from kernel and ledger without provision's help. */
#define _GNU_SOURCE
#include "tests/crash/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/config.h"
#include "adapters/kernel.h"
#include "adapters/ledger.h"

#define WAIT_MS 20000

struct Judge {
	DaxcConfig *host;
};

Judge *judge_new(const char *host)
{
	g_autoptr(GError) error = NULL;
	Judge *judge = g_new0(Judge, 1);

	judge->host = daxc_config_load_host(host, &error);
	if (!judge->host) {
		fprintf(stderr, "tests/crash: %s\n", error->message);
		exit(99);
	}
	return judge;
}

void judge_free(Judge *judge)
{
	daxc_config_free(judge->host);
	g_free(judge);
}

/**
 * Look: one moment of a state directory.
 * @kernel: (nullable): the simulated kernel
 * @carvings: (element-type DaxcCarving)
 * @reservations: (element-type DaxcReservation)
 * @instances: (element-type DaxcInstance)
 * @granules: (element-type DaxcLedgerGranule)
 * @memory: descriptor of the kernel's memory, -1: nobody has written to it yet
 * @breaches: (element-type utf8)
 */
typedef struct {
	Judge *judge;
	gboolean settled;
	DaxcKernel *kernel;
	DaxcLedger *ledger;
	GPtrArray *carvings;
	GPtrArray *reservations;
	GPtrArray *instances;
	GArray *granules;
	int memory;
	GPtrArray *breaches;
} Look;

static void look_free(Look *look)
{
	g_clear_pointer(&look->carvings, g_ptr_array_unref);
	g_clear_pointer(&look->reservations, g_ptr_array_unref);
	g_clear_pointer(&look->instances, g_ptr_array_unref);
	g_clear_pointer(&look->granules, g_array_unref);
	g_clear_pointer(&look->breaches, g_ptr_array_unref);
	g_clear_pointer(&look->ledger, daxc_ledger_free);
	g_clear_pointer(&look->kernel, daxc_kernel_free);
	if (look->memory >= 0)
		close(look->memory);
	g_free(look);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Look, look_free)

static void breach(Look *look, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void breach(Look *look, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(look->breaches, g_strdup_vprintf(format, args));
	va_end(args);
}

/* ---- memory ---- */

static guint64 lowest_start(const Look *look)
{
	guint64 start = G_MAXUINT64;

	for (guint i = 0; i < look->judge->host->regions->len; i++) {
		const DaxcRegion *region =
			g_ptr_array_index(look->judge->host->regions, i);

		start = MIN(start, region->start);
	}
	return start;
}

static gboolean open_memory(Look *look, const char *state, gboolean make, GError **error)
{
	g_autofree char *file = g_build_filename(state, "simulated-kernel-memory", NULL);
	guint64 offset;

	if (!make && access(file, F_OK) != 0)
		return TRUE;
	look->memory =
		daxc_kernel_sim_memory(look->kernel, lowest_start(look), &offset, error);
	return look->memory >= 0;
}

/* Most of the file is holes; only what is none is read. */
static gboolean is_zero(const Look *look, guint64 address, guint64 size)
{
	off_t at = (off_t)(address - lowest_start(look));
	off_t end = at + (off_t)size;

	if (look->memory < 0)
		return TRUE;
	while ((at = lseek(look->memory, at, SEEK_DATA)) >= 0 && at < end) {
		char data[4096];
		ssize_t n = pread(look->memory, data,
				  (size_t)MIN((off_t)sizeof(data), end - at), at);

		if (n <= 0)
			return FALSE;
		for (ssize_t i = 0; i < n; i++) {
			if (data[i])
				return FALSE;
		}
		at += n;
	}
	return TRUE;
}

/* While nobody can commit: what is clean stays nobody's so long. */
static void check_clean(Look *look)
{
	for (guint i = 0; i < look->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(look->granules, DaxcLedgerGranule, i);

		if (granule->state == DAXC_GRANULE_CLEAN &&
		    !is_zero(look, granule->start, granule->size))
			breach(look,
			       "granule 0x%" G_GINT64_MODIFIER
			       "x is said to be clean, and holds something",
			       granule->start);
	}
}

static gboolean open_look(Look *look, const char *state, GError **error)
{
	g_autofree char *file = g_build_filename(state, "simulated-kernel", NULL);
	g_autofree char *path = g_build_filename(state, "ledger.db", NULL);

	look->kernel = daxc_kernel_sim_new(look->judge->host->regions, file, error);
	if (!look->kernel)
		return FALSE;
	look->ledger = daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, WAIT_MS, error);
	if (!look->ledger)
		return FALSE;
	/* Nobody can commit before its end, and nobody touches the kernel's memory of
	 * a carving before a commit: so kernel and ledger are of one moment too. */
	if (!daxc_ledger_begin(look->ledger, error))
		return FALSE;
	look->carvings = daxc_ledger_carvings(look->ledger, NULL, error);
	if (!look->carvings)
		return FALSE;
	look->reservations = daxc_ledger_reservations(look->ledger, error);
	if (!look->reservations)
		return FALSE;
	look->granules = daxc_ledger_granules(look->ledger, error);
	if (!look->granules)
		return FALSE;
	look->instances = daxc_kernel_instances(look->kernel, error);
	if (!look->instances)
		return FALSE;
	if (!open_memory(look, state, FALSE, error))
		return FALSE;
	check_clean(look);
	if (look->settled && !daxc_ledger_check(look->ledger, error))
		return FALSE;
	daxc_ledger_rollback(look->ledger);
	return TRUE;
}

/* What cannot be opened or read is a breach too. */
static Look *look_new(Judge *judge, const char *state, gboolean settled)
{
	Look *look = g_new0(Look, 1);
	g_autoptr(GError) error = NULL;

	look->judge = judge;
	look->settled = settled;
	look->memory = -1;
	look->breaches = g_ptr_array_new_with_free_func(g_free);
	if (!open_look(look, state, &error))
		breach(look, "%s", error->message);
	return look;
}

/* ---- instances and carvings ---- */

static gboolean same_extents(const GArray *want, const GArray *have, guint n)
{
	for (guint i = 0; i < n; i++) {
		const DaxcExtent *a = &g_array_index(want, DaxcExtent, i);
		const DaxcExtent *b = &g_array_index(have, DaxcExtent, i);

		if (a->start != b->start || a->size != b->size)
			return FALSE;
	}
	return TRUE;
}

/* All of its memory, or, of one in the making or going, what it has of it. */
static gboolean backs(const DaxcInstance *instance, const DaxcCarving *carving)
{
	const GArray *want = carving->plan->extents;
	const GArray *have = instance->extents;

	if (instance->region != carving->plan->region || have->len == 0 ||
	    have->len > want->len)
		return FALSE;
	if (carving->state == DAXC_CARVING_ACTIVE &&
	    (have->len != want->len || strcmp(instance->name, carving->instance) != 0 ||
	     !instance->driver || instance->major == 0))
		return FALSE;
	return same_extents(want, have, have->len);
}

/* What a guest may start on is claimed for it, and a claim is of a guest on record. */
static void check_claim(Look *look, const DaxcCarving *carving,
			const DaxcInstance *instance)
{
	const char *has = instance->claimant;
	gboolean own = g_strcmp0(has, carving->uuid) == 0;

	if (own ? instance->claims == 1 && !instance->shared
		: !has && carving->state != DAXC_CARVING_ACTIVE)
		return;
	breach(look, "guest %s cell %u: its %s is claimed %u times by %s%s",
	       carving->name, carving->plan->cell, instance->name, instance->claims,
	       has ? has : "nobody", instance->shared ? ", shared" : "");
}

static void check_carving(Look *look, const DaxcCarving *carving)
{
	guint backers = 0;

	for (guint i = 0; i < look->instances->len; i++)
		backers += backs(g_ptr_array_index(look->instances, i), carving);
	if (look->settled && carving->state != DAXC_CARVING_ACTIVE)
		breach(look, "guest %s cell %u is still %s", carving->name,
		       carving->plan->cell, daxc_carving_state_name(carving->state));
	if (carving->state == DAXC_CARVING_ACTIVE && backers != 1)
		breach(look, "guest %s cell %u: %u instances are exactly its %s",
		       carving->name, carving->plan->cell, backers, carving->instance);
}

static void check_instance(Look *look, const DaxcInstance *instance)
{
	gboolean unfinished = FALSE;

	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (backs(instance, carving)) {
			check_claim(look, carving, instance);
			return;
		}
		unfinished = unfinished || carving->state != DAXC_CARVING_ACTIVE;
	}
	if (instance->size > 0)
		breach(look, "%s has memory and no carving explains it", instance->name);
	else if (instance->driver || (!instance->seed && !unfinished))
		breach(look, "%s is empty, no seed, and nobody's", instance->name);
}

/* ---- owners ---- */

static const DaxcCacheDomain *domain_of(const Look *look, gint node)
{
	for (guint i = 0; i < look->judge->host->domains->len; i++) {
		const DaxcCacheDomain *domain =
			g_ptr_array_index(look->judge->host->domains, i);

		if (domain->node == node)
			return domain;
	}
	return NULL;
}

/* The owner of every color that the kernel's instances of @carving have. */
static void own_colors(Look *look, const DaxcCarving *carving, GHashTable *owners,
		       GHashTable *holders)
{
	const DaxcCacheDomain *domain = domain_of(look, carving->plan->node);

	for (guint i = 0; i < carving->plan->granules->len; i++) {
		guint64 start =
			g_array_index(carving->plan->granules, DaxcGranule, i).start;
		guint64 color = (start - domain->base) / domain->granule % domain->colors;
		char *key = g_strdup_printf("%d/%" G_GUINT64_FORMAT, domain->node, color);
		char *granule = g_strdup_printf("%" G_GUINT64_FORMAT, start);
		const char *owner = g_hash_table_lookup(owners, key);
		const char *holder = g_hash_table_lookup(holders, granule);

		if (carving->state == DAXC_CARVING_SCRUBBING)
			g_clear_pointer(&key, g_free);
		else if (owner && strcmp(owner, carving->tenant) != 0)
			breach(look, "color %s belongs to tenants %s and %s", key, owner,
			       carving->tenant);
		if (holder)
			breach(look,
			       "granule 0x%" G_GINT64_MODIFIER "x has guests %s and %s",
			       start, holder, carving->name);
		if (key)
			g_hash_table_insert(owners, key, carving->tenant);
		g_hash_table_insert(holders, granule, carving->name);
	}
}

static void own_reserved(const DaxcReservation *reservation, GHashTable *owners)
{
	for (guint i = 0; i < reservation->colors->len; i++) {
		guint32 color = g_array_index(reservation->colors, guint32, i);

		g_hash_table_insert(owners,
				    g_strdup_printf("%d/%u", reservation->node, color),
				    reservation->tenant);
	}
}

static void check_owners(Look *look)
{
	g_autoptr(GHashTable)
		owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable)
		holders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; look->reservations && i < look->reservations->len; i++)
		own_reserved(g_ptr_array_index(look->reservations, i), owners);
	for (guint i = 0; i < look->carvings->len; i++)
		own_colors(look, g_ptr_array_index(look->carvings, i), owners, holders);
}

static gboolean is_carving(const Look *look, gint64 id, guint64 start)
{
	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (carving->id != id)
			continue;
		for (guint k = 0; k < carving->plan->granules->len; k++) {
			if (g_array_index(carving->plan->granules, DaxcGranule, k)
				    .start == start)
				return TRUE;
		}
	}
	return FALSE;
}

static void check_granules(Look *look)
{
	for (guint i = 0; i < look->granules->len; i++) {
		const DaxcLedgerGranule *granule =
			&g_array_index(look->granules, DaxcLedgerGranule, i);
		gboolean held = granule->state == DAXC_GRANULE_HELD;

		if (held && !is_carving(look, granule->carving, granule->start))
			breach(look, "granule 0x%" G_GINT64_MODIFIER "x is leaked",
			       granule->start);
	}
}

GPtrArray *judge_look(Judge *judge, const char *state, gboolean settled)
{
	g_autoptr(Look) look = look_new(judge, state, settled);

	for (guint i = 0; look->instances && i < look->carvings->len; i++)
		check_carving(look, g_ptr_array_index(look->carvings, i));
	for (guint i = 0; look->instances && i < look->instances->len; i++)
		check_instance(look, g_ptr_array_index(look->instances, i));
	if (look->carvings)
		check_owners(look);
	if (look->granules)
		check_granules(look);
	return g_steal_pointer(&look->breaches);
}

/* ---- guests' memory ---- */

/* Everything a guest has, by the kernel's extents. */
static GArray *memory_of(const Look *look, const char *uuid)
{
	GArray *extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));

	for (guint i = 0; look->instances && i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (strcmp(carving->uuid, uuid) != 0)
			continue;
		for (guint k = 0; k < look->instances->len; k++) {
			const DaxcInstance *instance =
				g_ptr_array_index(look->instances, k);

			if (backs(instance, carving))
				g_array_append_vals(extents, instance->extents->data,
						    instance->extents->len);
		}
	}
	return extents;
}

static gboolean fill(const Look *look, const DaxcExtent *extent, guint8 pattern)
{
	off_t start = (off_t)(extent->start - lowest_start(look));
	guint8 data[512];

	memset(data, pattern, sizeof(data));
	for (guint64 at = 0; at < extent->size; at += DAXC_GRANULE_MIN) {
		off_t first = start + (off_t)at;
		off_t last = first + DAXC_GRANULE_MIN - (off_t)sizeof(data);

		if (pwrite(look->memory, data, sizeof(data), first) != sizeof(data) ||
		    pwrite(look->memory, data, sizeof(data), last) != sizeof(data))
			return FALSE;
	}
	return TRUE;
}

gboolean judge_fill(Judge *judge, const char *state, const char *uuid, guint8 pattern)
{
	g_autoptr(Look) look = look_new(judge, state, FALSE);
	g_autoptr(GArray) extents = memory_of(look, uuid);

	if (extents->len == 0 ||
	    (look->memory < 0 && !open_memory(look, state, TRUE, NULL)))
		return FALSE;
	for (guint i = 0; i < extents->len; i++) {
		if (!fill(look, &g_array_index(extents, DaxcExtent, i), pattern))
			return FALSE;
	}
	return TRUE;
}

gboolean judge_is_zero(Judge *judge, const char *state, const char *uuid)
{
	g_autoptr(Look) look = look_new(judge, state, FALSE);
	g_autoptr(GArray) extents = memory_of(look, uuid);

	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);

		if (!is_zero(look, extent->start, extent->size))
			return FALSE;
	}
	return TRUE;
}

gboolean judge_poison(Judge *judge, const char *state, guint64 address)
{
	g_autoptr(Look) look = look_new(judge, state, FALSE);

	return look->kernel && daxc_kernel_sim_poison(look->kernel, address, NULL);
}

/* ---- in words ---- */

static void add_extents(GString *text, const GArray *extents)
{
	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);

		g_string_append_printf(
			text, " 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
			extent->start, extent->size);
	}
	g_string_append_c(text, '\n');
}

static void add_reservation(GString *text, const DaxcReservation *reservation)
{
	g_string_append_printf(text, "%s reserves of node %d:", reservation->tenant,
			       reservation->node);
	for (guint i = 0; i < reservation->colors->len; i++)
		g_string_append_printf(text, " %u",
				       g_array_index(reservation->colors, guint32, i));
	g_string_append_c(text, '\n');
}

char *judge_carvings(Judge *judge, const char *state, const char *uuid)
{
	g_autoptr(Look) look = look_new(judge, state, FALSE);
	GString *text = g_string_new(NULL);

	for (guint i = 0; look->instances && i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (uuid && strcmp(uuid, carving->uuid) != 0)
			continue;
		g_string_append_printf(text, "%s %u %s %s %s:", carving->name,
				       carving->plan->cell, carving->tenant,
				       daxc_carving_state_name(carving->state),
				       carving->instance ? carving->instance : "-");
		add_extents(text, carving->plan->extents);
	}
	for (guint i = 0; !uuid && look->instances && i < look->reservations->len; i++)
		add_reservation(text, g_ptr_array_index(look->reservations, i));
	for (guint i = 0; !look->instances && i < look->breaches->len; i++)
		g_string_append_printf(text, "%s\n",
				       (char *)g_ptr_array_index(look->breaches, i));
	return g_string_free(text, FALSE);
}

char *judge_instances(Judge *judge, const char *state)
{
	g_autoptr(Look) look = look_new(judge, state, FALSE);
	GString *text = g_string_new(NULL);

	for (guint i = 0; look->instances && i < look->instances->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(look->instances, i);

		g_string_append_printf(text, "%s %s", instance->name,
				       instance->driver ? instance->driver : "-");
		if (instance->claimant)
			g_string_append_printf(text, " of %s", instance->claimant);
		g_string_append_c(text, ':');
		add_extents(text, instance->extents);
	}
	return g_string_free(text, FALSE);
}
