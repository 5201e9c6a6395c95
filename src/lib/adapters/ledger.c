// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ledger's rows: carvings, granules, boots. The schema refuses rows that
 * cannot be, and every row is judged again when it is read: files are edited,
 * and disks fail.
 */
#include "adapters/ledger-db.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/* Values that cannot be, whether somebody hands them in or the file has them. */

static gboolean is_granule_size(guint64 size)
{
	return size >= DAXC_GRANULE_MIN && size <= DAXC_GRANULE_MAX &&
	       (size & (size - 1)) == 0;
}

static gboolean is_granule(guint64 start, guint64 size)
{
	return is_granule_size(size) && start % size == 0 && start <= G_MAXINT64 - size;
}

static guint64 granules_needed(const DaxcCellPlan *plan)
{
	return plan->size / plan->granule + (plan->size % plan->granule != 0);
}

/* Joins a plan's granules into the extents they make. */
static void join_granules(const DaxcCellPlan *plan, GArray *extents)
{
	guint64 left = plan->size;

	g_array_set_size(extents, 0);
	for (guint i = 0; i < plan->granules->len; i++) {
		DaxcExtent extent = {
			.start = g_array_index(plan->granules, DaxcGranule, i).start,
			.size = MIN(left, plan->granule),
		};
		DaxcExtent *last = extents->len > 0 ? &g_array_index(extents, DaxcExtent,
								     extents->len - 1)
						    : NULL;

		left -= extent.size;
		if (last && last->start + last->size == extent.start)
			last->size += extent.size;
		else
			g_array_append_val(extents, extent);
	}
}

static const char *granules_fault(const DaxcCellPlan *plan)
{
	if (granules_needed(plan) != plan->granules->len)
		return "its granules are not as many as its size needs";
	for (guint i = 0; i < plan->granules->len; i++) {
		const DaxcGranule *granule =
			&g_array_index(plan->granules, DaxcGranule, i);

		if (!is_granule(granule->start, plan->granule))
			return "a granule is not aligned to its size";
		if (granule->color >= DAXC_COLORS_MAX)
			return "a color is out of bounds";
	}
	return NULL;
}

/* mainline accepts a misaligned start and then maps somebody else's memory. */
static const char *extents_fault(const DaxcCellPlan *plan)
{
	g_autoptr(GArray) joined = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));

	join_granules(plan, joined);
	if (joined->len != plan->extents->len ||
	    memcmp(joined->data, plan->extents->data, joined->len * sizeof(DaxcExtent)) !=
		    0)
		return "its extents are not what its granules make";
	for (guint i = 0; i < joined->len; i++) {
		const DaxcExtent *extent = &g_array_index(joined, DaxcExtent, i);

		if (extent->start % plan->align != 0 || extent->size % plan->align != 0)
			return "an extent is not aligned to its mapping size";
	}
	return NULL;
}

/* Returns: (nullable): what is wrong with a plan. */
static const char *plan_fault(const DaxcCellPlan *plan)
{
	const char *fault;

	if (plan->node < 0)
		return "its node is negative";
	if (!is_granule_size(plan->granule))
		return "its granule is not a power of two from 2 MiB to 1 GiB";
	if (plan->align != DAXC_GRANULE_MIN && plan->align != DAXC_GRANULE_MAX)
		return "its mapping size is neither 2 MiB nor 1 GiB";
	if (plan->size == 0 || plan->size > G_MAXINT64 || plan->size % plan->align != 0)
		return "its size is not a multiple of its mapping size";
	fault = granules_fault(plan);
	return fault ? fault : extents_fault(plan);
}

static gboolean is_uuid(const char *text)
{
	return text && g_uuid_string_is_valid(text) &&
	       strspn(text, "0123456789abcdef-") == strlen(text);
}

/* "daxR.N" with R the region, for the name becomes part of paths. */
static gboolean is_instance_of(const char *name, guint region)
{
	g_autofree char *prefix = g_strdup_printf("dax%u.", region);
	const char *number = name + strlen(prefix);

	return g_str_has_prefix(name, prefix) && *number != '\0' &&
	       strlen(number) <= 10 && strspn(number, "0123456789") == strlen(number);
}

static gboolean is_id(const char *text)
{
	return text && *text && g_utf8_validate(text, -1, NULL) &&
	       g_utf8_strlen(text, -1) <= 64;
}

/* Returns: (nullable): what is wrong with a carving. */
static const char *carving_fault(const DaxcCarving *carving)
{
	if (!is_uuid(carving->uuid))
		return "its UUID is not one in lower case";
	if (!carving->name || !*carving->name ||
	    !g_utf8_validate(carving->name, -1, NULL))
		return "its guest's name is empty or not UTF-8";
	if (!daxc_tenant_check(carving->tenant, NULL))
		return "its tenant's name is not one";
	if (carving->instance &&
	    !is_instance_of(carving->instance, carving->plan->region))
		return "its instance is not one of its region";
	if (carving->state == DAXC_CARVING_ACTIVE && !carving->instance)
		return "it is active and has no instance";
	if (carving->pid < 0 || carving->pid_start > G_MAXINT64)
		return "its process id is out of bounds";
	if (!is_id(carving->boot_id))
		return "its boot id is empty or too long";
	return plan_fault(carving->plan);
}

/* Carvings, read. */

/* Reads a whole number from 0 to @max; FALSE when the column has none. */
static gboolean read_number(LedgerStmt *stmt, int column, gint64 max, gint64 *value)
{
	*value = sqlite3_column_int64(stmt, column);
	return sqlite3_column_type(stmt, column) == SQLITE_INTEGER && *value >= 0 &&
	       *value <= max;
}

static char *read_text(LedgerStmt *stmt, int column)
{
	return g_strdup((const char *)sqlite3_column_text(stmt, column));
}

static gboolean read_carving_state(LedgerStmt *stmt, int column, DaxcCarvingState *state)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	for (int i = DAXC_CARVING_INTENT; i <= DAXC_CARVING_SCRUBBING; i++) {
		if (g_strcmp0(text, daxc_carving_state_name(i)) == 0) {
			*state = i;
			return TRUE;
		}
	}
	return FALSE;
}

/* The numbers of CARVING_COLUMNS; FALSE when one cannot be. */
static gboolean read_numbers(LedgerStmt *stmt, DaxcCarving *carving)
{
	DaxcCellPlan *plan = carving->plan;
	gint64 cell, region, node, size, align, granule, start, zeroed;
	gboolean ok = read_number(stmt, 0, G_MAXINT64, &carving->id) &&
		      read_number(stmt, 6, G_MAXUINT, &cell) &&
		      read_number(stmt, 7, G_MAXUINT, &region) &&
		      read_number(stmt, 8, G_MAXINT, &node) &&
		      read_number(stmt, 9, G_MAXINT64, &size) &&
		      read_number(stmt, 10, G_MAXINT64, &align) &&
		      read_number(stmt, 11, G_MAXINT64, &granule) &&
		      read_number(stmt, 12, G_MAXINT64, &carving->pid) &&
		      read_number(stmt, 13, G_MAXINT64, &start) &&
		      read_number(stmt, 15, 1, &zeroed);

	if (!ok)
		return FALSE;
	plan->cell = (guint)cell;
	plan->region = (guint)region;
	plan->node = (gint)node;
	plan->size = (guint64)size;
	plan->align = (guint64)align;
	plan->granule = (guint64)granule;
	carving->pid_start = (guint64)start;
	carving->zeroed = zeroed != 0;
	return TRUE;
}

/* One row of CARVING_COLUMNS, without its granules. */
static DaxcCarving *read_carving(DaxcLedger *ledger, LedgerStmt *stmt, GError **error)
{
	g_autoptr(DaxcCarving) carving = g_new0(DaxcCarving, 1);

	carving->plan = daxc_cell_plan_new();
	if (!read_numbers(stmt, carving)) {
		ledger_damaged(ledger, error, "carving %lld: a number is out of bounds",
			       sqlite3_column_int64(stmt, 0));
		return NULL;
	}
	if (!read_carving_state(stmt, 4, &carving->state)) {
		ledger_damaged(ledger, error,
			       "carving %" G_GINT64_FORMAT ": \"%s\" is not a state",
			       carving->id, (const char *)sqlite3_column_text(stmt, 4));
		return NULL;
	}
	carving->uuid = read_text(stmt, 1);
	carving->name = read_text(stmt, 2);
	carving->tenant = read_text(stmt, 3);
	carving->instance = read_text(stmt, 5);
	carving->boot_id = read_text(stmt, 14);
	return g_steal_pointer(&carving);
}

static gboolean read_carvings(DaxcLedger *ledger, const char *uuid, GPtrArray *carvings,
			      GError **error)
{
	g_autoptr(LedgerStmt)
		stmt = ledger_use(ledger, uuid ? SQL_CARVINGS_OF : SQL_CARVINGS, error);
	int code;

	if (!stmt)
		return FALSE;
	if (uuid)
		ledger_bind_text(stmt, 1, uuid);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		DaxcCarving *carving = read_carving(ledger, stmt, error);

		if (!carving)
			return FALSE;
		g_ptr_array_add(carvings, carving);
	}
	return code == SQLITE_DONE || ledger_failed(ledger, "read carvings", error);
}

/**
 * struct held: a granule of a carving, as it is stored.
 * @order: its place among the carving's granules
 */
struct held {
	const DaxcCarving *carving;
	gint64 order;
	DaxcGranule granule;
};

/* Checks that a granule can be one and begins after @end, which it moves on. */
static gboolean check_granule(const DaxcLedger *ledger, guint64 start, guint64 size,
			      guint64 *end, GError **error)
{
	if (!is_granule(start, size))
		return ledger_damaged(ledger, error,
				      "0x%" G_GINT64_MODIFIER "x with %" G_GUINT64_FORMAT
				      " bytes is not a granule",
				      start, size);
	if (start < *end)
		return ledger_damaged(ledger, error,
				      "the granule at 0x%" G_GINT64_MODIFIER
				      "x overlaps the one before it",
				      start);
	*end = start + size;
	return TRUE;
}

/* Adds what a row of HELD_COLUMNS says to @held. */
static gboolean read_held_row(DaxcLedger *ledger, LedgerStmt *stmt, GHashTable *by_id,
			      GArray *held, guint64 *end, GError **error)
{
	gint64 id = sqlite3_column_int64(stmt, 0);
	guint64 start = (guint64)sqlite3_column_int64(stmt, 1);
	guint64 size = (guint64)sqlite3_column_int64(stmt, 2);
	struct held row = {.carving = g_hash_table_lookup(by_id, &id)};
	gint64 color;

	if (!check_granule(ledger, start, size, end, error))
		return FALSE;
	if (!row.carving)
		return ledger_damaged(ledger, error,
				      "the granule at 0x%" G_GINT64_MODIFIER
				      "x belongs to carving %" G_GINT64_FORMAT
				      ", which does not exist",
				      start, id);
	if (row.carving->plan->granule != size ||
	    !read_number(stmt, 3, DAXC_COLORS_MAX - 1, &color) ||
	    !read_number(stmt, 4, G_MAXUINT - 1, &row.order))
		return ledger_damaged(ledger, error,
				      "the granule at 0x%" G_GINT64_MODIFIER
				      "x does not fit its carving %" G_GINT64_FORMAT,
				      start, id);
	/* Only a scrubber has granules that are clean already. */
	if (row.carving->state != DAXC_CARVING_SCRUBBING &&
	    g_strcmp0((const char *)sqlite3_column_text(stmt, 5),
		      daxc_granule_state_name(DAXC_GRANULE_CLEAN)) == 0)
		return ledger_damaged(ledger, error,
				      "the granule at 0x%" G_GINT64_MODIFIER
				      "x cannot be \"clean\" and a guest's",
				      start);
	row.granule.start = start;
	row.granule.color = (guint32)color;
	g_array_append_val(held, row);
	return TRUE;
}

static gboolean read_held(DaxcLedger *ledger, const char *uuid, GHashTable *by_id,
			  GArray *held, GError **error)
{
	g_autoptr(LedgerStmt)
		stmt = ledger_use(ledger, uuid ? SQL_HELD_OF : SQL_HELD, error);
	guint64 end = 0;
	int code;

	if (!stmt)
		return FALSE;
	if (uuid)
		ledger_bind_text(stmt, 1, uuid);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!read_held_row(ledger, stmt, by_id, held, &end, error))
			return FALSE;
	}
	return code == SQLITE_DONE || ledger_failed(ledger, "read granules", error);
}

/* Puts each granule at its place: as many places as granules, none used twice. */
static gboolean place_granules(DaxcLedger *ledger, const GArray *held, GError **error)
{
	const DaxcGranule empty = {.color = DAXC_COLORS_MAX};

	for (guint i = 0; i < held->len; i++) {
		const struct held *row = &g_array_index(held, struct held, i);

		g_array_append_val(row->carving->plan->granules, empty);
	}
	for (guint i = 0; i < held->len; i++) {
		const struct held *row = &g_array_index(held, struct held, i);
		GArray *granules = row->carving->plan->granules;
		DaxcGranule *place = NULL;

		if (row->order < granules->len)
			place = &g_array_index(granules, DaxcGranule, row->order);
		if (!place || place->color != DAXC_COLORS_MAX)
			return ledger_damaged(ledger, error,
					      "carving %" G_GINT64_FORMAT
					      ": its granules are not in one order",
					      row->carving->id);
		*place = row->granule;
	}
	return TRUE;
}

static gboolean fill_carvings(DaxcLedger *ledger, const char *uuid, GPtrArray *carvings,
			      GError **error)
{
	g_autoptr(GHashTable) by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(struct held));

	for (guint i = 0; i < carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(carvings, i);

		g_hash_table_insert(by_id, &carving->id, carving);
	}
	return read_held(ledger, uuid, by_id, held, error) &&
	       place_granules(ledger, held, error);
}

static gboolean check_carvings(DaxcLedger *ledger, const GPtrArray *carvings,
			       GError **error)
{
	for (guint i = 0; i < carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);
		const char *fault;

		if (is_granule_size(carving->plan->granule))
			join_granules(carving->plan, carving->plan->extents);
		fault = carving_fault(carving);
		if (fault)
			return ledger_damaged(
				ledger, error,
				"carving %" G_GINT64_FORMAT " (guest %s): %s",
				carving->id, carving->name ? carving->name : "?", fault);
	}
	return TRUE;
}

GPtrArray *daxc_ledger_carvings(DaxcLedger *ledger, const char *uuid, GError **error)
{
	g_autoptr(GPtrArray) carvings =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_carving_free);
	gboolean ok;

	if (!ledger_enter(ledger, error))
		return NULL;
	ok = read_carvings(ledger, uuid, carvings, error) &&
	     fill_carvings(ledger, uuid, carvings, error) &&
	     check_carvings(ledger, carvings, error);
	return ledger_leave(ledger, ok, error) ? g_steal_pointer(&carvings) : NULL;
}

/* Granules. */

static gboolean read_granule_state(LedgerStmt *stmt, int column, DaxcGranuleState *state)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	for (int i = DAXC_GRANULE_CLEAN; i <= DAXC_GRANULE_BAD; i++) {
		if (g_strcmp0(text, daxc_granule_state_name(i)) == 0) {
			*state = i;
			return TRUE;
		}
	}
	return FALSE;
}

/* The first four columns of GRANULES and OVERLAPS. */
static gboolean read_granule(DaxcLedger *ledger, LedgerStmt *stmt,
			     DaxcLedgerGranule *granule, GError **error)
{
	gboolean held;

	granule->start = (guint64)sqlite3_column_int64(stmt, 0);
	granule->size = (guint64)sqlite3_column_int64(stmt, 1);
	granule->carving = sqlite3_column_int64(stmt, 3);
	held = granule->carving != 0;
	if (read_granule_state(stmt, 2, &granule->state) &&
	    (granule->state != DAXC_GRANULE_HELD || held) &&
	    (granule->state != DAXC_GRANULE_DIRTY || !held))
		return TRUE;
	return ledger_damaged(ledger, error,
			      "the granule at 0x%" G_GINT64_MODIFIER
			      "x cannot be \"%s\" and belong to %s",
			      granule->start, (const char *)sqlite3_column_text(stmt, 2),
			      held ? "a carving" : "nobody");
}

static gboolean read_granules(DaxcLedger *ledger, GArray *granules, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_GRANULES, error);
	guint64 end = 0;
	int code;

	if (!stmt)
		return FALSE;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		DaxcLedgerGranule granule = {0};

		if (!read_granule(ledger, stmt, &granule, error) ||
		    !check_granule(ledger, granule.start, granule.size, &end, error))
			return FALSE;
		granule.tenant =
			g_intern_string((const char *)sqlite3_column_text(stmt, 4));
		g_array_append_val(granules, granule);
	}
	return code == SQLITE_DONE || ledger_failed(ledger, "read granules", error);
}

GArray *daxc_ledger_granules(DaxcLedger *ledger, GError **error)
{
	g_autoptr(GArray) granules = g_array_new(FALSE, FALSE, sizeof(DaxcLedgerGranule));

	return read_granules(ledger, granules, error) ? g_steal_pointer(&granules) : NULL;
}

static gboolean refuse(const DaxcLedger *ledger, const DaxcLedgerGranule *granule,
		       const char *holder, GError **error)
{
	g_autofree char *range = daxc_range_format(granule->start, granule->size);

	if (granule->carving != 0)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			    "ledger %s: granule %s is held by carving %" G_GINT64_FORMAT
			    " (guest %s)",
			    ledger->path, range, granule->carving, holder);
	else
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			    "ledger %s: granule %s is bad, and stays so", ledger->path,
			    range);
	return FALSE;
}

/*
 * Makes way for a granule that becomes @state. Free granules that it overlaps
 * are forgotten: they come from a geometry with another granule, and what is
 * not known is dirty. A held one stands in the way, and a bad one too unless
 * @state is bad as well.
 * @done: (out): nothing is left to do, for it lies within a bad one already
 */
static gboolean make_way(DaxcLedger *ledger, guint64 start, guint64 size,
			 DaxcGranuleState state, gboolean *done, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_OVERLAPS, error);
	g_autoptr(LedgerStmt) forget = NULL;
	gboolean bad = state == DAXC_GRANULE_BAD;
	gboolean found = FALSE;
	int code;

	*done = FALSE;
	if (!stmt)
		return FALSE;
	ledger_bind_size(stmt, 1, start);
	ledger_bind_size(stmt, 2, size);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *holder = (const char *)sqlite3_column_text(stmt, 4);
		gboolean same, bad_already;
		DaxcLedgerGranule other = {0};

		if (!read_granule(ledger, stmt, &other, error))
			return FALSE;
		same = other.start == start && other.size == size;
		bad_already = other.state == DAXC_GRANULE_BAD;
		if ((other.carving != 0 && !(same && bad)) || (bad_already && !bad))
			return refuse(ledger, &other, holder ? holder : "?", error);
		if (bad_already && other.size >= size)
			*done = TRUE;
		found = TRUE;
	}
	if (code != SQLITE_DONE)
		return ledger_failed(ledger, "look for other granules", error);
	if (!found || *done)
		return TRUE;
	forget = ledger_use(ledger, SQL_FORGET, error);
	if (!forget)
		return FALSE;
	ledger_bind_size(forget, 1, start);
	ledger_bind_size(forget, 2, size);
	return ledger_finish(ledger, forget, "forget granules", error);
}

static gboolean mark(DaxcLedger *ledger, guint64 start, guint64 size,
		     DaxcGranuleState state, GError **error)
{
	g_autoptr(LedgerStmt) stmt = NULL;
	gboolean done;

	if (!make_way(ledger, start, size, state, &done, error))
		return FALSE;
	if (done)
		return TRUE;
	stmt = ledger_use(ledger, SQL_MARK, error);
	if (!stmt)
		return FALSE;
	ledger_bind_size(stmt, 1, start);
	ledger_bind_size(stmt, 2, size);
	ledger_bind_text(stmt, 3, daxc_granule_state_name(state));
	return ledger_finish(ledger, stmt, "mark a granule", error);
}

gboolean daxc_ledger_mark(DaxcLedger *ledger, guint64 start, guint64 size,
			  DaxcGranuleState state, GError **error)
{
	if (!is_granule(start, size) || state == DAXC_GRANULE_HELD) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "ledger %s: 0x%" G_GINT64_MODIFIER "x with %" G_GUINT64_FORMAT
			    " bytes is no granule that can be marked %s",
			    ledger->path, start, size, daxc_granule_state_name(state));
		return FALSE;
	}
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger, mark(ledger, start, size, state, error), error);
}

static gboolean cleaned(DaxcLedger *ledger, gint64 id, guint64 start, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_CLEANED, error);

	if (!stmt)
		return FALSE;
	sqlite3_bind_int64(stmt, 1, id);
	ledger_bind_size(stmt, 2, start);
	if (!ledger_finish(ledger, stmt, "mark a granule clean", error))
		return FALSE;
	if (sqlite3_changes(ledger->db) == 1)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
		    "ledger %s: scrubbing %" G_GINT64_FORMAT
		    " holds no granule at 0x%" G_GINT64_MODIFIER "x",
		    ledger->path, id, start);
	return FALSE;
}

gboolean daxc_ledger_cleaned(DaxcLedger *ledger, gint64 id, guint64 start, GError **error)
{
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger, cleaned(ledger, id, start, error), error);
}

gboolean daxc_ledger_soil(DaxcLedger *ledger, GError **error)
{
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger,
			    ledger_run(ledger, SQL_SOIL, "mark granules dirty", error),
			    error);
}

/* Reservations. */

static DaxcReservation *reservation_new(const char *tenant, gint node, guint32 of,
					guint64 granule)
{
	DaxcReservation *reservation = g_new0(DaxcReservation, 1);

	reservation->tenant = g_strdup(tenant);
	reservation->node = node;
	reservation->of = of;
	reservation->granule = granule;
	reservation->colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	return reservation;
}

/* Rows come by node and color: one of the same tenant on the same node before? */
static DaxcReservation *reservation_like(const GPtrArray *reservations,
					 const DaxcReservation *row)
{
	for (guint i = 0; i < reservations->len; i++) {
		DaxcReservation *other = g_ptr_array_index(reservations, i);

		if (other->node == row->node && other->of == row->of &&
		    other->granule == row->granule &&
		    strcmp(other->tenant, row->tenant) == 0)
			return other;
	}
	return NULL;
}

static gboolean read_reservation(DaxcLedger *ledger, LedgerStmt *stmt,
				 GPtrArray *reservations, GError **error)
{
	const char *tenant = (const char *)sqlite3_column_text(stmt, 2);
	DaxcReservation *row, *other;
	gint64 node, color, of, granule;
	guint32 value;

	if (!read_number(stmt, 0, G_MAXINT, &node) ||
	    !read_number(stmt, 3, DAXC_COLORS_MAX, &of) || of == 0 ||
	    !read_number(stmt, 1, of - 1, &color) ||
	    !read_number(stmt, 4, DAXC_GRANULE_MAX, &granule) ||
	    !is_granule_size((guint64)granule) || !daxc_tenant_check(tenant, NULL))
		return ledger_damaged(ledger, error,
				      "a reservation of tenant %s cannot be",
				      tenant ? tenant : "?");
	row = reservation_new(tenant, (gint)node, (guint32)of, (guint64)granule);
	other = reservation_like(reservations, row);
	if (other)
		daxc_reservation_free(row);
	else
		g_ptr_array_add(reservations, other = row);
	value = (guint32)color;
	g_array_append_val(other->colors, value);
	return TRUE;
}

GPtrArray *daxc_ledger_reservations(DaxcLedger *ledger, GError **error)
{
	g_autoptr(GPtrArray) reservations =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_reservation_free);
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_RESERVATIONS, error);
	int code;

	if (!stmt)
		return NULL;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!read_reservation(ledger, stmt, reservations, error))
			return NULL;
	}
	if (code != SQLITE_DONE) {
		ledger_failed(ledger, "read reservations", error);
		return NULL;
	}
	return g_steal_pointer(&reservations);
}

static gboolean is_reservation(const DaxcReservation *reservation)
{
	if (!daxc_tenant_check(reservation->tenant, NULL) || reservation->node < 0 ||
	    reservation->of == 0 || reservation->of > DAXC_COLORS_MAX ||
	    !is_granule_size(reservation->granule))
		return FALSE;
	for (guint i = 0; i < reservation->colors->len; i++) {
		if (g_array_index(reservation->colors, guint32, i) >= reservation->of)
			return FALSE;
	}
	return TRUE;
}

/* Returns: (transfer full) (nullable): for whom a color is reserved. */
static char *find_reserver(DaxcLedger *ledger, gint node, guint32 color)
{
	g_autoptr(GPtrArray) all = daxc_ledger_reservations(ledger, NULL);

	for (guint i = 0; all && i < all->len; i++) {
		const DaxcReservation *one = g_ptr_array_index(all, i);

		for (guint k = 0; one->node == node && k < one->colors->len; k++) {
			if (g_array_index(one->colors, guint32, k) == color)
				return g_strdup(one->tenant);
		}
	}
	return NULL;
}

static gboolean reserve_color(DaxcLedger *ledger, const DaxcReservation *reservation,
			      guint32 color, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_RESERVE, error);
	g_autofree char *other = NULL;

	if (!stmt)
		return FALSE;
	sqlite3_bind_int64(stmt, 1, reservation->node);
	sqlite3_bind_int64(stmt, 2, color);
	ledger_bind_text(stmt, 3, reservation->tenant);
	sqlite3_bind_int64(stmt, 4, reservation->of);
	ledger_bind_size(stmt, 5, reservation->granule);
	if (sqlite3_step(stmt) == SQLITE_DONE)
		return TRUE;
	if (sqlite3_extended_errcode(ledger->db) != SQLITE_CONSTRAINT_PRIMARYKEY)
		return ledger_failed(ledger, "record a reservation", error);
	other = find_reserver(ledger, reservation->node, color);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "color %u of node %d is reserved for tenant %s already", color,
		    reservation->node, other ? other : "?");
	return FALSE;
}

static gboolean reserve(DaxcLedger *ledger, const DaxcReservation *reservation,
			GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_UNRESERVE, error);

	if (!stmt)
		return FALSE;
	ledger_bind_text(stmt, 1, reservation->tenant);
	sqlite3_bind_int64(stmt, 2, reservation->node);
	if (!ledger_finish(ledger, stmt, "take a reservation back", error))
		return FALSE;
	for (guint i = 0; i < reservation->colors->len; i++) {
		if (!reserve_color(ledger, reservation,
				   g_array_index(reservation->colors, guint32, i), error))
			return FALSE;
	}
	return TRUE;
}

gboolean daxc_ledger_reserve(DaxcLedger *ledger, const DaxcReservation *reservation,
			     GError **error)
{
	if (!is_reservation(reservation)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "ledger %s: that is no reservation of colors", ledger->path);
		return FALSE;
	}
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger, reserve(ledger, reservation, error), error);
}

/* Carvings, changed. */

static gboolean invalid(const DaxcLedger *ledger, const DaxcCarving *carving,
			const char *fault, GError **error)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "ledger %s: the carving of guest %s is not taken: %s", ledger->path,
		    carving->name ? carving->name : "?", fault);
	return FALSE;
}

static gboolean no_carving(const DaxcLedger *ledger, gint64 id, GError **error)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
		    "ledger %s: there is no carving %" G_GINT64_FORMAT, ledger->path, id);
	return FALSE;
}

static gboolean add_carving(DaxcLedger *ledger, const DaxcCarving *carving, gint64 *id,
			    GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_ADD_CARVING, error);
	const DaxcCellPlan *plan = carving->plan;

	if (!stmt)
		return FALSE;
	ledger_bind_text(stmt, 1, carving->uuid);
	ledger_bind_text(stmt, 2, carving->name);
	ledger_bind_text(stmt, 3, carving->tenant);
	ledger_bind_text(stmt, 4, daxc_carving_state_name(carving->state));
	ledger_bind_text(stmt, 5, carving->instance);
	sqlite3_bind_int64(stmt, 6, plan->cell);
	sqlite3_bind_int64(stmt, 7, plan->region);
	sqlite3_bind_int64(stmt, 8, plan->node);
	ledger_bind_size(stmt, 9, plan->size);
	ledger_bind_size(stmt, 10, plan->align);
	ledger_bind_size(stmt, 11, plan->granule);
	sqlite3_bind_int64(stmt, 12, carving->pid);
	sqlite3_bind_int64(stmt, 13, (gint64)carving->pid_start);
	ledger_bind_text(stmt, 14, carving->boot_id);
	sqlite3_bind_int64(stmt, 15, carving->zeroed);
	if (sqlite3_step(stmt) == SQLITE_DONE) {
		*id = sqlite3_last_insert_rowid(ledger->db);
		return TRUE;
	}
	if (sqlite3_extended_errcode(ledger->db) != SQLITE_CONSTRAINT_UNIQUE)
		return ledger_failed(ledger, "record a carving", error);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "ledger %s: guest %s (%s) has a carving for its cell %u already",
		    ledger->path, carving->name, carving->uuid, plan->cell);
	return FALSE;
}

static gboolean hold_granule(DaxcLedger *ledger, const DaxcCellPlan *plan, guint order,
			     gint64 id, GError **error)
{
	const DaxcGranule *granule = &g_array_index(plan->granules, DaxcGranule, order);
	g_autoptr(LedgerStmt) stmt = NULL;
	gboolean done;

	if (!make_way(ledger, granule->start, plan->granule, DAXC_GRANULE_HELD, &done,
		      error))
		return FALSE;
	stmt = ledger_use(ledger, SQL_HOLD, error);
	if (!stmt)
		return FALSE;
	ledger_bind_size(stmt, 1, granule->start);
	ledger_bind_size(stmt, 2, plan->granule);
	sqlite3_bind_int64(stmt, 3, id);
	sqlite3_bind_int64(stmt, 4, granule->color);
	sqlite3_bind_int64(stmt, 5, order);
	return ledger_finish(ledger, stmt, "record a granule", error);
}

static gboolean insert(DaxcLedger *ledger, const DaxcCarving *carving, gint64 *id,
		       GError **error)
{
	if (!add_carving(ledger, carving, id, error))
		return FALSE;
	for (guint i = 0; i < carving->plan->granules->len; i++) {
		if (!hold_granule(ledger, carving->plan, i, *id, error))
			return FALSE;
	}
	return ledger_run(ledger, SQL_NEXT_SERIAL, "record a carving", error);
}

gboolean daxc_ledger_insert(DaxcLedger *ledger, DaxcCarving *carving, GError **error)
{
	const char *fault = carving_fault(carving);
	gint64 id = 0;

	if (fault)
		return invalid(ledger, carving, fault, error);
	if (!ledger_enter_change(ledger, error) ||
	    !ledger_leave(ledger, insert(ledger, carving, &id, error), error))
		return FALSE;
	carving->id = id;
	return TRUE;
}

static gboolean update(DaxcLedger *ledger, const DaxcCarving *carving, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_UPDATE_CARVING, error);

	if (!stmt)
		return FALSE;
	sqlite3_bind_int64(stmt, 1, carving->id);
	ledger_bind_text(stmt, 2, daxc_carving_state_name(carving->state));
	ledger_bind_text(stmt, 3, carving->instance);
	sqlite3_bind_int64(stmt, 4, carving->pid);
	sqlite3_bind_int64(stmt, 5, (gint64)carving->pid_start);
	sqlite3_bind_int64(stmt, 6, carving->zeroed);
	return ledger_finish(ledger, stmt, "update a carving", error) &&
	       (sqlite3_changes(ledger->db) == 1 ||
		no_carving(ledger, carving->id, error));
}

gboolean daxc_ledger_update(DaxcLedger *ledger, const DaxcCarving *carving,
			    GError **error)
{
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger, update(ledger, carving, error), error);
}

static gboolean remove_carving(DaxcLedger *ledger, gint64 id, DaxcGranuleState state,
			       GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_FREE, error);
	g_autoptr(LedgerStmt) gone = NULL;

	/* One error at a time. */
	if (stmt)
		gone = ledger_use(ledger, SQL_REMOVE_CARVING, error);
	if (!gone)
		return FALSE;
	sqlite3_bind_int64(stmt, 1, id);
	ledger_bind_text(stmt, 2, daxc_granule_state_name(state));
	sqlite3_bind_int64(gone, 1, id);
	return ledger_finish(ledger, stmt, "free granules", error) &&
	       ledger_finish(ledger, gone, "remove a carving", error) &&
	       (sqlite3_changes(ledger->db) == 1 || no_carving(ledger, id, error));
}

gboolean daxc_ledger_remove(DaxcLedger *ledger, gint64 id, DaxcGranuleState state,
			    GError **error)
{
	if (state != DAXC_GRANULE_CLEAN && state != DAXC_GRANULE_DIRTY) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "ledger %s: granules that a carving gives back cannot be %s",
			    ledger->path, daxc_granule_state_name(state));
		return FALSE;
	}
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger, remove_carving(ledger, id, state, error), error);
}

/* Boots. */

static gboolean is_last_boot(DaxcLedger *ledger, const char *boot_id, gboolean *last,
			     GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_BOOT, error);
	int code;

	if (!stmt)
		return FALSE;
	code = sqlite3_step(stmt);
	*last = code == SQLITE_ROW &&
		g_strcmp0((const char *)sqlite3_column_text(stmt, 0), boot_id) == 0;
	return code == SQLITE_ROW || code == SQLITE_DONE ||
	       ledger_failed(ledger, "read the last boot", error);
}

static gboolean run_for_boot(DaxcLedger *ledger, enum sql which, const char *boot_id,
			     GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, which, error);

	if (!stmt)
		return FALSE;
	ledger_bind_text(stmt, 1, boot_id);
	return ledger_finish(ledger, stmt, "note the boot", error);
}

static gboolean note_boot(DaxcLedger *ledger, const char *boot_id, gint *forgotten,
			  GError **error)
{
	gboolean last;

	if (!is_last_boot(ledger, boot_id, &last, error))
		return FALSE;
	if (last)
		return TRUE;
	if (!run_for_boot(ledger, SQL_FREE_OTHER_BOOTS, boot_id, error) ||
	    !run_for_boot(ledger, SQL_REMOVE_OTHER_BOOTS, boot_id, error))
		return FALSE;
	*forgotten = sqlite3_changes(ledger->db);
	return ledger_run(ledger, SQL_SOIL, "note the boot", error) &&
	       run_for_boot(ledger, SQL_SET_BOOT, boot_id, error);
}

gboolean daxc_ledger_boot(DaxcLedger *ledger, const char *boot_id, gint *forgotten,
			  GError **error)
{
	gint count = -1;

	if (!is_id(boot_id)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "ledger %s: \"%s\" is not a boot id", ledger->path,
			    boot_id ? boot_id : "");
		return FALSE;
	}
	if (!ledger_enter_change(ledger, error) ||
	    !ledger_leave(ledger, note_boot(ledger, boot_id, &count, error), error))
		return FALSE;
	if (forgotten)
		*forgotten = count;
	return TRUE;
}

gboolean daxc_ledger_serial(DaxcLedger *ledger, guint64 *serial, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_SERIAL, error);
	gint64 value = 0;
	int code;

	if (!stmt)
		return FALSE;
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW && !read_number(stmt, 0, G_MAXINT64, &value))
		return ledger_damaged(ledger, error, "its serial number cannot be");
	*serial = (guint64)value;
	return code == SQLITE_ROW || code == SQLITE_DONE ||
	       ledger_failed(ledger, "read its serial number", error);
}

static gboolean set_serial(DaxcLedger *ledger, guint64 serial, GError **error)
{
	g_autoptr(LedgerStmt) stmt = ledger_use(ledger, SQL_SET_SERIAL, error);

	if (!stmt)
		return FALSE;
	sqlite3_bind_int64(stmt, 1, (gint64)MIN(serial, (guint64)G_MAXINT64 / 2));
	return ledger_finish(ledger, stmt, "set its serial number", error);
}

gboolean daxc_ledger_set_serial(DaxcLedger *ledger, guint64 serial, GError **error)
{
	return ledger_enter_change(ledger, error) &&
	       ledger_leave(ledger, set_serial(ledger, serial, error), error);
}

/* Everything. */

static gboolean check_rows(DaxcLedger *ledger, GError **error)
{
	g_autoptr(GPtrArray) carvings = daxc_ledger_carvings(ledger, NULL, error);
	g_autoptr(GArray) granules = NULL;
	g_autoptr(GPtrArray) reservations = NULL;

	if (!carvings)
		return FALSE;
	granules = daxc_ledger_granules(ledger, error);
	if (!granules)
		return FALSE;
	reservations = daxc_ledger_reservations(ledger, error);
	return reservations != NULL;
}

gboolean daxc_ledger_check(DaxcLedger *ledger, GError **error)
{
	return ledger_check_pages(ledger, error) && check_rows(ledger, error);
}
