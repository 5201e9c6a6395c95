// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which granules a request gets. Cells are given counts of granules by color
 * first (place.c); only then are granules picked to make up the counts.
 */
#include <daxcolor/plan.h>

#include <string.h>

#include <daxcolor/error.h>

#include "layout.h"
#include "place.h"
#include "refusal.h"

/* Work of the search for a way to place several cells: well under a second. */
#define SEARCH_STEPS (G_GINT64_CONSTANT(1) << 24)
/* With no more cells than this a refusal says which of them it is about. */
#define NARROW_MAX 8

/**
 * Planner: one run of daxc_plan_new().
 * @user: the tenant's user value, DAXC_USER_NONE when it has nothing yet
 * @stock: for each zone; free is NULL until it is looked at
 * @owned: for each cache domain, for each color: the tenant's, or about to be;
 *   NULL until it is looked at
 * @seats: (element-type DaxcSeat): in order of cell
 * @room: all of this, as place.c wants it
 */
typedef struct {
	const DaxcLayout *layout;
	const char *tenant;
	guint32 user;
	DaxcStock *stock;
	guint8 **owned;
	GPtrArray *seats;
	DaxcRoom room;
} Planner;

static void cell_plan_destroy(gpointer cell)
{
	daxc_cell_plan_free(cell);
}

static const DaxcZone *zone_at(const Planner *planner, guint zone)
{
	return daxc_layout_zone(planner->layout, zone);
}

static const DaxcLayoutDomain *domain_of(const Planner *planner, guint zone)
{
	return daxc_layout_domain(planner->layout, zone_at(planner, zone)->domain);
}

/* What is free, and whose. */

static guint8 *owned_colors(Planner *planner, guint index)
{
	const DaxcLayoutDomain *domain = daxc_layout_domain(planner->layout, index);

	if (planner->owned[index])
		return planner->owned[index];
	planner->owned[index] = g_new0(guint8, domain->colors);
	for (guint32 c = 0; planner->user != DAXC_USER_NONE && c < domain->colors; c++)
		planner->owned[index][c] = domain->owner[c] == planner->user;
	return planner->owned[index];
}

/* Counts what the tenant could get in a zone, in one pass over it. */
static DaxcStock *stock_of(Planner *planner, guint zone_index)
{
	DaxcStock *stock = &planner->stock[zone_index];
	const DaxcZone *zone = zone_at(planner, zone_index);
	const DaxcLayoutDomain *domain = domain_of(planner, zone_index);

	if (stock->free)
		return stock;
	stock->colors = domain->colors;
	stock->owned = owned_colors(planner, zone->domain);
	/* One more, where granules without a color are counted. */
	stock->free = g_new0(guint32, (gsize)domain->colors + 1);
	for (guint32 i = 0; i < zone->n; i++)
		stock->free[MIN(zone->color[i], domain->colors)] += zone->user[i] ==
								    DAXC_USER_NONE;
	stock->total = 0;
	for (guint32 c = 0; c < domain->colors; c++) {
		if (domain->owner[c] != DAXC_USER_NONE &&
		    domain->owner[c] != planner->user)
			stock->free[c] = 0;
		stock->total += stock->free[c];
	}
	return stock;
}

/* Back to what the layout says. */
static void forget_stock(Planner *planner)
{
	for (guint i = 0; i < daxc_layout_zones(planner->layout); i++)
		g_clear_pointer(&planner->stock[i].free, g_free);
	for (guint i = 0; i < daxc_layout_domains(planner->layout); i++)
		g_clear_pointer(&planner->owned[i], g_free);
}

static DaxcStock *room_stock(gpointer planner, guint zone)
{
	return stock_of(planner, zone);
}

static guint8 *room_owned(gpointer planner, guint zone)
{
	return owned_colors(planner, zone_at(planner, zone)->domain);
}

/* Where a cell could be. */

typedef struct {
	guint zone;
	guint distance;
	gint node;
	guint region;
} Candidate;

static gint compare_candidates(gconstpointer a, gconstpointer b)
{
	const Candidate *one = a, *other = b;

	if (one->distance != other->distance)
		return one->distance < other->distance ? -1 : 1;
	if (one->node != other->node)
		return one->node < other->node ? -1 : 1;
	return (one->region > other->region) - (one->region < other->region);
}

static guint distance_to(const Planner *planner, const DaxcCellRequest *cell, gint node)
{
	guint nearest = G_MAXUINT;

	if (cell->node != DAXC_ANY_NODE || cell->near->len == 0)
		return 0;
	for (guint i = 0; i < cell->near->len; i++) {
		gint from = g_array_index(cell->near, gint, i);

		nearest = MIN(nearest, daxc_layout_distance(planner->layout, from, node));
	}
	return nearest;
}

/* "0-2,5": the nodes that have a zone. */
static char *list_nodes(const Planner *planner)
{
	g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(guint32));

	for (guint i = 0; i < daxc_layout_domains(planner->layout); i++) {
		gboolean has_zone = FALSE;
		guint32 node = (guint32)daxc_layout_domain(planner->layout, i)->node;

		for (guint j = 0; j < daxc_layout_zones(planner->layout); j++)
			has_zone |= zone_at(planner, j)->domain == i;
		if (has_zone)
			g_array_append_val(nodes, node);
	}
	return daxc_color_list_format(nodes);
}

/* Whether a zone could ever grant the wish of a cell; why not, in @error. */
static gboolean check_wish(const Planner *planner, const DaxcCellRequest *cell,
			   guint zone, GError **error)
{
	const DaxcLayoutDomain *domain = domain_of(planner, zone);
	guint64 granules = daxc_cell_granules(cell, zone_at(planner, zone)->granule);
	guint64 count = 0;

	if (cell->wish == DAXC_WISH_COUNT) {
		count = cell->count;
	} else if (cell->wish == DAXC_WISH_LIST) {
		guint32 last = g_array_index(cell->list, guint32, cell->list->len - 1);

		count = cell->list->len;
		if (last >= domain->colors) {
			g_set_error(
				error, DAXC_ERROR, DAXC_ERROR_INVALID,
				"cell %u asks for color %u, but node %d has only colors "
				"0-%u",
				cell->id, last, domain->node, domain->colors - 1);
			return FALSE;
		}
	}
	if (count > domain->colors) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u asks for %u colors, but node %d has only %u",
			    cell->id, (guint)count, domain->node, domain->colors);
		return FALSE;
	}
	if (count > granules) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u asks for %u colors, but is only %u granule%s large: "
			    "each "
			    "color must hold at least one",
			    cell->id, (guint)count, (guint)granules,
			    granules == 1 ? "" : "s");
		return FALSE;
	}
	return TRUE;
}

static gboolean refuse_node(const Planner *planner, const DaxcCellRequest *cell,
			    GError **error)
{
	g_autofree char *nodes = list_nodes(planner);

	if (nodes[0] == '\0')
		g_set_error(error, DAXC_ERROR,
			    cell->node == DAXC_ANY_NODE ? DAXC_ERROR_REFUSED
							: DAXC_ERROR_INVALID,
			    "no node of this host has a dax region behind a memory-side "
			    "cache: `daxcolor doctor` says what is missing");
	else
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u asks for node %d, which has no dax region behind a "
			    "memory-side cache: such nodes are %s",
			    cell->id, cell->node, nodes);
	return FALSE;
}

static DaxcWay make_way(const Planner *planner, const DaxcCellRequest *cell, guint zone,
			guint rank)
{
	DaxcWay way = {
		.zone = zone,
		.rank = rank,
		.need = daxc_cell_granules(cell, zone_at(planner, zone)->granule),
		.wish = cell->wish,
	};

	if (cell->wish != DAXC_WISH_ANY)
		way.n = cell->wish == DAXC_WISH_LIST ? cell->list->len : cell->count;
	return way;
}

/* Finds the zones that could hold a cell on an empty host; those of one node are
 * of one rank. */
static gboolean find_ways(const Planner *planner, DaxcSeat *seat, GError **error)
{
	g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
	g_autoptr(GError) why = NULL;
	guint rank = 0;

	for (guint i = 0; i < daxc_layout_zones(planner->layout); i++) {
		const DaxcZone *zone = zone_at(planner, i);
		Candidate candidate = {i, 0, zone->node, zone->region};

		if (seat->cell->node != DAXC_ANY_NODE && seat->cell->node != zone->node)
			continue;
		if (!check_wish(planner, seat->cell, i, why ? NULL : &why))
			continue;
		candidate.distance = distance_to(planner, seat->cell, zone->node);
		g_array_append_val(candidates, candidate);
	}
	if (candidates->len == 0) {
		if (!why)
			return refuse_node(planner, seat->cell, error);
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	g_array_sort(candidates, compare_candidates);
	for (guint i = 0; i < candidates->len; i++) {
		const Candidate *candidate = &g_array_index(candidates, Candidate, i);
		DaxcWay way;

		if (i > 0 && candidate->node != candidate[-1].node)
			rank++;
		way = make_way(planner, seat->cell, candidate->zone, rank);
		g_array_append_val(seat->ways, way);
	}
	return TRUE;
}

static gboolean make_seats(Planner *planner, const DaxcRequest *request, GError **error)
{
	for (guint i = 0; i < request->cells->len; i++) {
		DaxcSeat *seat = daxc_seat_new(g_ptr_array_index(request->cells, i));

		g_ptr_array_add(planner->seats, seat);
		if (!find_ways(planner, seat, error))
			return FALSE;
	}
	return TRUE;
}

/* Why not. */

static GArray *zones_of(const DaxcSeat *seat)
{
	GArray *zones = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; i < seat->ways->len; i++)
		g_array_append_val(zones, daxc_seat_way(seat, i)->zone);
	return zones;
}

static void refuse(const Planner *planner, GPtrArray *seats, gboolean cut_short,
		   GError **error)
{
	g_autofree DaxcRefused *cells = g_new(DaxcRefused, seats->len);
	g_autoptr(GPtrArray)
		all = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);

	for (guint i = 0; i < seats->len; i++) {
		const DaxcSeat *seat = g_ptr_array_index(seats, i);
		GArray *zones = zones_of(seat);

		g_ptr_array_add(all, zones);
		cells[i] = (DaxcRefused){seat->cell, zones};
	}
	daxc_refuse(planner->layout, planner->tenant, cells, seats->len, cut_short,
		    error);
}

/* Names a cell that cannot even be placed alone. */
static gboolean refuse_alone(Planner *planner, GError **error)
{
	for (guint i = 0; i < planner->seats->len; i++) {
		DaxcSeat *seat = g_ptr_array_index(planner->seats, i);
		g_autoptr(GPtrArray) alone = NULL;

		if (daxc_place_alone(&planner->room, seat))
			continue;
		alone = g_ptr_array_new();
		g_ptr_array_add(alone, seat);
		refuse(planner, alone, FALSE, error);
		return TRUE;
	}
	return FALSE;
}

/* Leaves out cells without which the others do not fit together either. */
static GPtrArray *narrow(Planner *planner)
{
	GPtrArray *seats = g_ptr_array_copy(planner->seats, NULL, NULL);

	g_ptr_array_set_free_func(seats, NULL);
	for (guint i = seats->len;
	     i-- > 0 && seats->len > 2 && seats->len <= NARROW_MAX;) {
		gint64 steps = SEARCH_STEPS / NARROW_MAX;
		DaxcSeat *seat = g_ptr_array_steal_index(seats, i);

		if (daxc_place_search(&planner->room, seats, &steps) || steps == 0)
			g_ptr_array_insert(seats, (gint)i, seat);
	}
	return seats;
}

static gboolean place_together(Planner *planner, GError **error)
{
	gint64 steps = SEARCH_STEPS;
	g_autoptr(GPtrArray) seats = NULL;

	forget_stock(planner);
	if (refuse_alone(planner, error))
		return FALSE;
	if (daxc_place_search(&planner->room, planner->seats, &steps)) {
		daxc_place_settle(&planner->room, planner->seats);
		return TRUE;
	}
	seats = steps > 0 ? narrow(planner) : g_ptr_array_ref(planner->seats);
	refuse(planner, seats, steps == 0, error);
	return FALSE;
}

/* Granules for counts. */

/* A free granule of a chosen color, and the length of the hole it is in. */
typedef struct {
	guint32 index;
	guint32 hole;
} Spot;

/**
 * Shelf: the granules picked in one zone.
 * @index: granules of the zone, those of one color together
 * @at: for each color, where its next one is
 */
typedef struct {
	guint32 *index;
	guint32 *at;
} Shelf;

static void shelf_clear(Shelf *shelf)
{
	g_free(shelf->index);
	g_free(shelf->at);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Shelf, shelf_clear)

static gboolean is_free(const DaxcZone *zone, guint32 i)
{
	return zone->user[i] == DAXC_USER_NONE && zone->color[i] != DAXC_NO_COLOR;
}

/* Finds all free granules of the colors that are wanted, by address. */
static guint32 find_spots(const DaxcZone *zone, const guint32 *wanted, Spot *spot)
{
	guint32 n = 0;
	guint32 hole_end = 0, hole = 0;

	for (guint32 i = 0; i < zone->n; i++) {
		guint32 start = i;

		if (zone->user[i] != DAXC_USER_NONE || zone->color[i] == DAXC_NO_COLOR ||
		    wanted[zone->color[i]] == 0)
			continue;
		if (i >= hole_end) {
			while (start > hole_end && is_free(zone, start - 1))
				start--;
			for (hole_end = i + 1; hole_end < zone->n; hole_end++) {
				if (!is_free(zone, hole_end))
					break;
			}
			hole = hole_end - start;
		}
		spot[n++] = (Spot){i, hole};
	}
	return n;
}

/* Orders by hole, small ones first, and keeps the order of address in it. */
static guint32 *by_hole(const Spot *spot, guint32 n)
{
	guint32 *order = g_new(guint32, MAX(n, 1));
	g_autofree guint32 *place = NULL;
	guint32 largest = 0, at = 0;

	for (guint32 i = 0; i < n; i++)
		largest = MAX(largest, spot[i].hole);
	place = g_new0(guint32, (gsize)largest + 1);
	for (guint32 i = 0; i < n; i++)
		place[spot[i].hole]++;
	for (guint32 hole = 0; hole <= largest; hole++) {
		guint32 count = place[hole];

		place[hole] = at;
		at += count;
	}
	for (guint32 i = 0; i < n; i++)
		order[place[spot[i].hole]++] = spot[i].index;
	return order;
}

/* Puts those first that need the least waiting, and else keeps the order. */
static void by_wait(const DaxcZone *zone, guint32 *order, guint32 n)
{
	g_autofree guint32 *sorted = g_new(guint32, MAX(n, 1));
	guint32 at = 0;

	for (guint wait = DAXC_WAIT_NONE; wait <= DAXC_WAIT_SCRUB; wait++) {
		for (guint32 i = 0; i < n; i++) {
			if (zone->wait[order[i]] == wait)
				sorted[at++] = order[i];
		}
	}
	memcpy(order, sorted, n * sizeof(*order));
}

/* Picks the granules of all cells in one zone. */
static void fill_shelf(const Planner *planner, guint zone_index, Shelf *shelf)
{
	const DaxcZone *zone = zone_at(planner, zone_index);
	guint32 colors = domain_of(planner, zone_index)->colors;
	g_autofree guint32 *wanted = g_new0(guint32, colors);
	g_autofree guint32 *order = NULL;
	g_autofree Spot *spot = NULL;
	guint32 total = 0, n;

	for (guint i = 0; i < planner->seats->len; i++) {
		const DaxcSeat *seat = g_ptr_array_index(planner->seats, i);

		for (guint32 j = 0;
		     daxc_seat_zone(seat) == zone_index && j < seat->choice.n; j++)
			wanted[seat->choice.color[j]] += seat->choice.used[j];
	}
	shelf->at = g_new(guint32, colors);
	for (guint32 c = 0; c < colors; c++) {
		shelf->at[c] = total;
		total += wanted[c];
	}
	shelf->index = g_new(guint32, MAX(total, 1));
	spot = g_new(Spot, MAX(zone->n, 1));
	n = find_spots(zone, wanted, spot);
	order = by_hole(spot, n);
	by_wait(zone, order, n);
	for (guint32 i = 0; i < n; i++) {
		guint32 color = zone->color[order[i]];

		if (wanted[color] == 0)
			continue;
		shelf->index[shelf->at[color]++] = order[i];
		wanted[color]--;
	}
	for (guint i = 0; i < planner->seats->len; i++) {
		const DaxcSeat *seat = g_ptr_array_index(planner->seats, i);

		for (guint32 j = 0;
		     daxc_seat_zone(seat) == zone_index && j < seat->choice.n; j++)
			shelf->at[seat->choice.color[j]] -= seat->choice.used[j];
	}
}

/* Joins granules that are neighbors in page order and in memory. */
static GArray *make_extents(const GArray *granules, guint64 granule, guint64 size)
{
	GArray *extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	DaxcExtent *last = NULL;

	for (guint i = 0; i < granules->len; i++) {
		DaxcExtent extent = {
			.start = g_array_index(granules, DaxcGranule, i).start,
			.size = MIN(granule, size),
		};

		size -= extent.size;
		if (last && last->start + last->size == extent.start) {
			last->size += extent.size;
			continue;
		}
		g_array_append_val(extents, extent);
		last = &g_array_index(extents, DaxcExtent, extents->len - 1);
	}
	return extents;
}

/* The largest page that can map the whole cell. */
static guint64 align_of(const GArray *extents)
{
	guint64 bits = 0;

	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);

		bits |= extent->start | extent->size;
	}
	return bits % DAXC_GRANULE_MAX == 0 ? DAXC_GRANULE_MAX : DAXC_GRANULE_MIN;
}

static DaxcCellPlan *make_cell_plan(const Planner *planner, const DaxcSeat *seat,
				    Shelf *shelf)
{
	const DaxcZone *zone = zone_at(planner, daxc_seat_zone(seat));
	DaxcCellPlan *cell = g_new0(DaxcCellPlan, 1);
	guint32 n = (guint32)daxc_cell_granules(seat->cell, zone->granule);
	g_autofree guint32 *order = g_new(guint32, n);

	cell->cell = seat->cell->id;
	cell->region = zone->region;
	cell->node = zone->node;
	cell->size = seat->cell->size;
	cell->granule = zone->granule;
	cell->granules = g_array_sized_new(FALSE, FALSE, sizeof(DaxcGranule), n);
	daxc_alternate(seat->choice.used, seat->choice.n, n, order);
	for (guint32 i = 0; i < n; i++) {
		guint32 color = seat->choice.color[order[i]];
		guint32 index = shelf->index[shelf->at[color]++];
		DaxcGranule granule = {zone->start + index * zone->granule, color};

		g_array_append_val(cell->granules, granule);
	}
	cell->extents = make_extents(cell->granules, zone->granule, cell->size);
	cell->align = align_of(cell->extents);
	return cell;
}

static DaxcPlan *make_plan(const Planner *planner)
{
	DaxcPlan *plan = g_new0(DaxcPlan, 1);

	plan->cells = g_ptr_array_new_full(planner->seats->len, cell_plan_destroy);
	g_ptr_array_set_size(plan->cells, (gint)planner->seats->len);
	for (guint zone = 0; zone < daxc_layout_zones(planner->layout); zone++) {
		g_auto(Shelf) shelf = {0};

		for (guint i = 0; i < planner->seats->len; i++) {
			const DaxcSeat *seat = g_ptr_array_index(planner->seats, i);

			if (daxc_seat_zone(seat) != zone)
				continue;
			if (!shelf.index)
				fill_shelf(planner, zone, &shelf);
			plan->cells->pdata[i] = make_cell_plan(planner, seat, &shelf);
		}
	}
	return plan;
}

static void planner_clear(Planner *planner)
{
	forget_stock(planner);
	g_free(planner->stock);
	g_free(planner->owned);
	g_ptr_array_unref(planner->seats);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Planner, planner_clear)

DaxcPlan *daxc_plan_new(const DaxcLayout *layout, const DaxcRequest *request,
			GError **error)
{
	g_auto(Planner) planner = {
		.layout = layout,
		.tenant = request->tenant,
		.stock = g_new0(DaxcStock, daxc_layout_zones(layout)),
		.owned = g_new0(guint8 *, daxc_layout_domains(layout)),
		.seats = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_seat_free),
		.room = {daxc_layout_zones(layout), room_stock, room_owned, &planner},
	};

	if (!daxc_request_check(request, error))
		return NULL;
	planner.user = daxc_layout_find_tenant(layout, request->tenant);
	if (!make_seats(&planner, request, error))
		return NULL;
	if (!daxc_place_in_turn(&planner.room, planner.seats) &&
	    !place_together(&planner, error))
		return NULL;
	return make_plan(&planner);
}
