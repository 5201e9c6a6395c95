// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each zone is looked at as the tenant sees it: what is its own, what is nobody's. A
 * guest of one cell is scored from sums; only where it goes colors are chosen. Several
 * cells depend on each other, so that for them every host is tried out.
 */
#include "choice.h"

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/* Work of the search on one host for a guest with several cells. */
#define HOST_STEPS (G_GINT64_CONSTANT(1) << 20)
/* Apart from each other as far as distances of nodes (at most 255) can be. */
#define COUNT_RANKS (DAXC_COLORS_MAX + 1)

int sched_score_compare(const SchedScore *a, const SchedScore *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->fresh != b->fresh)
		return a->fresh < b->fresh ? -1 : 1;
	if (a->stranded != b->stranded)
		return a->stranded < b->stranded ? -1 : 1;
	return (a->room > b->room) - (a->room < b->room);
}

static void part_clear(gpointer part)
{
	daxc_choice_clear(&((SchedPart *)part)->choice);
}

static GArray *parts_new(guint n)
{
	GArray *parts = g_array_sized_new(FALSE, TRUE, sizeof(SchedPart), n);

	g_array_set_clear_func(parts, part_clear);
	return parts;
}

void sched_placement_clear(SchedPlacement *placement)
{
	g_clear_pointer(&placement->parts, g_array_unref);
}

/* Which hosts may. */

static gboolean has_all(char **have, const char *const *wanted)
{
	for (guint i = 0; wanted && wanted[i]; i++) {
		if (!g_strv_contains((const char *const *)have, wanted[i]))
			return FALSE;
	}
	return TRUE;
}

gboolean sched_want_allows(const SchedWant *want, const SchedPool *pool)
{
	return has_all(pool->aggregates, want->aggregates) &&
	       has_all(pool->traits, want->traits);
}

static gboolean avoided(const SchedWant *want, guint host)
{
	return want->avoid && g_hash_table_contains(want->avoid, GUINT_TO_POINTER(host));
}

/* A host as a tenant sees it. */

/**
 * View:
 * @stock: of each zone
 * @owned: for each cache domain
 */
typedef struct {
	const SchedFleet *fleet;
	const SchedModel *model;
	guint host;
	guint32 tenant;
	DaxcStock *stock;
	guint8 **owned;
} View;

static guint8 *view_owned(gpointer data, guint zone)
{
	View *view = data;
	const SchedZone *z = sched_model_zone(view->model, zone);
	const guint32 *owner = sched_host_owners(view->fleet, view->host, zone);

	if (view->owned[z->domain])
		return view->owned[z->domain];
	view->owned[z->domain] = g_new(guint8, z->colors);
	for (guint32 c = 0; c < z->colors; c++)
		view->owned[z->domain][c] = owner[c] == view->tenant;
	return view->owned[z->domain];
}

static DaxcStock *view_stock(gpointer data, guint zone)
{
	View *view = data;
	DaxcStock *stock = &view->stock[zone];
	const SchedZone *z = sched_model_zone(view->model, zone);
	const guint32 *owner = sched_host_owners(view->fleet, view->host, zone);
	const guint32 *free = sched_host_free(view->fleet, view->host, zone);

	if (stock->free)
		return stock;
	stock->colors = z->colors;
	stock->owned = view_owned(view, zone);
	stock->free = g_new(guint32, z->colors);
	stock->total = 0;
	for (guint32 c = 0; c < z->colors; c++) {
		gboolean mine = owner[c] == SCHED_NOBODY || owner[c] == view->tenant;

		stock->free[c] = mine ? free[c] : 0;
		stock->total += stock->free[c];
	}
	return stock;
}

static void view_forget(View *view)
{
	for (guint i = 0; i < view->model->zones->len; i++)
		g_clear_pointer(&view->stock[i].free, g_free);
	for (guint i = 0; i < view->model->domains; i++)
		g_clear_pointer(&view->owned[i], g_free);
}

static void view_init(View *view, const SchedFleet *fleet, guint host, guint32 tenant)
{
	view->fleet = fleet;
	view->model = sched_fleet_model(fleet, host);
	view->host = host;
	view->tenant = tenant;
	view->stock = g_new0(DaxcStock, view->model->zones->len);
	view->owned = g_new0(guint8 *, view->model->domains);
}

static void view_clear(View *view)
{
	view_forget(view);
	g_free(view->stock);
	g_free(view->owned);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(View, view_clear)

static DaxcRoom view_room(View *view)
{
	return (DaxcRoom){view->model->zones->len, view_stock, view_owned, view};
}

/* Free granules of a zone that are the tenant's own, and those that are nobody's. */
static void split_free(View *view, guint zone, guint64 *own, guint64 *nobodys)
{
	const DaxcStock *stock = view_stock(view, zone);

	*own = 0;
	for (guint32 c = 0; c < stock->colors; c++)
		*own += stock->owned[c] ? stock->free[c] : 0;
	*nobodys = stock->total - *own;
}

/* Ways to grant a cell. */

static guint distance_to(const SchedModel *model, const DaxcCellRequest *cell, gint node)
{
	guint nearest = G_MAXUINT8;

	if (!model->layout || cell->node != DAXC_ANY_NODE || cell->near->len == 0)
		return 0;
	for (guint i = 0; i < cell->near->len; i++) {
		gint from = g_array_index(cell->near, gint, i);

		nearest = MIN(nearest, daxc_layout_distance(model->layout, from, node));
	}
	return nearest;
}

/* Colors that make up the cache that is wanted; more than there are when the host
 * does not know its cache. */
static guint64 least_colors(const SchedWant *want, const SchedZone *zone)
{
	if (want->cache == 0)
		return 1;
	if (zone->slice == 0)
		return G_MAXUINT64;
	return want->cache / zone->slice + (want->cache % zone->slice != 0);
}

static void add_way(DaxcSeat *seat, guint zone, guint rank, guint64 need,
		    DaxcColorWish wish, guint32 n)
{
	DaxcWay way = {zone, rank, need, wish, n};

	g_array_append_val(seat->ways, way);
}

/* A cell with a share of the cache gets as many colors as make it up, or more where
 * these do not hold it. */
static void add_counts(DaxcSeat *seat, const SchedZone *zone, guint index, guint rank,
		       guint64 need, guint32 least)
{
	guint64 most = MIN(need, zone->colors);

	for (guint32 n = least; n <= most; n++)
		add_way(seat, index, rank + n, need, DAXC_WISH_COUNT, n);
}

static void add_ways(DaxcSeat *seat, const SchedWant *want, const SchedModel *model,
		     guint index)
{
	const SchedZone *zone = sched_model_zone(model, index);
	const DaxcCellRequest *cell = seat->cell;
	guint64 need = daxc_cell_granules(cell, zone->granule);
	guint64 least = least_colors(want, zone), n = cell->count;
	guint rank = distance_to(model, cell, zone->node) * COUNT_RANKS;

	if ((cell->node != DAXC_ANY_NODE && cell->node != zone->node) ||
	    least > zone->colors || need > zone->granules)
		return;
	if (cell->wish == DAXC_WISH_ANY) {
		if (least > 1)
			add_counts(seat, zone, index, rank, need, (guint32)least);
		else
			add_way(seat, index, rank, need, DAXC_WISH_ANY, 0);
		return;
	}
	if (cell->wish == DAXC_WISH_LIST) {
		n = cell->list->len;
		if (g_array_index(cell->list, guint32, n - 1) >= zone->colors)
			return;
	}
	if (n >= least && n <= zone->colors && n <= need)
		add_way(seat, index, rank, need, cell->wish, (guint32)n);
}

static gint compare_ways(gconstpointer a, gconstpointer b)
{
	const DaxcWay *one = a, *other = b;

	if (one->rank != other->rank)
		return one->rank < other->rank ? -1 : 1;
	return (one->zone > other->zone) - (one->zone < other->zone);
}

static guint rank_of(const DaxcSeat *seat)
{
	return daxc_seat_way(seat, seat->way)->rank / COUNT_RANKS;
}

/* One cell. */

gboolean sched_fresh(guint32 *free, guint32 colors, guint64 need, guint32 count,
		     guint32 *fresh, guint64 *claimed)
{
	g_autofree guint8 *owned = g_new0(guint8, colors);
	g_auto(DaxcChoice) choice = {0};
	DaxcStock stock = {colors, free, owned, 0};

	for (guint32 c = 0; c < colors; c++)
		stock.total += free[c];
	if (need > stock.total || !daxc_choose(&stock, (guint32)need, count, &choice))
		return FALSE;
	*fresh = choice.fresh;
	*claimed = choice.claimed;
	return TRUE;
}

/* What a cell that leaves the number of its colors to us costs: its own first, and
 * for the rest the fewest that nobody owns. */
static gboolean cost_of_any(View *view, guint zone, guint64 need, guint64 own,
			    guint32 *fresh, guint64 *claimed)
{
	const DaxcStock *stock = view_stock(view, zone);
	g_autofree guint32 *nobodys = NULL;

	*fresh = 0;
	*claimed = 0;
	if (own >= need)
		return TRUE;
	nobodys = g_memdup2(stock->free, stock->colors * sizeof(*nobodys));
	for (guint32 c = 0; c < stock->colors; c++) {
		if (stock->owned[c])
			nobodys[c] = 0;
	}
	return sched_fresh(nobodys, stock->colors, need - own, 0, fresh, claimed);
}

static void seat_in(View *view, guint zone, const SchedWant *want, DaxcSeat *seat)
{
	add_ways(seat, want, view->model, zone);
	g_array_sort(seat->ways, compare_ways);
}

gboolean sched_score_zone(const SchedFleet *fleet, guint host, guint zone,
			  const SchedWant *want, SchedScore *score)
{
	g_auto(View) view = {0};
	g_autoptr(DaxcSeat)
		seat = daxc_seat_new(g_ptr_array_index(want->request->cells, 0));
	const DaxcWay *way;
	guint64 own, nobodys, granule, claimed;
	DaxcRoom room;

	view_init(&view, fleet, host, want->tenant);
	seat_in(&view, zone, want, seat);
	if (seat->ways->len == 0)
		return FALSE;
	way = daxc_seat_way(seat, 0);
	split_free(&view, zone, &own, &nobodys);
	if (way->need > own + nobodys)
		return FALSE;
	if (way->wish == DAXC_WISH_ANY) {
		if (!cost_of_any(&view, zone, way->need, own, &score->fresh, &claimed))
			return FALSE;
	} else {
		room = view_room(&view);
		if (!daxc_place_alone(&room, seat))
			return FALSE;
		score->fresh = seat->choice.fresh;
		claimed = seat->choice.claimed;
	}
	granule = sched_model_zone(view.model, zone)->granule;
	score->rank = rank_of(seat);
	score->stranded = (own + claimed - way->need) * granule;
	score->room = nobodys * granule;
	return TRUE;
}

static void take_seats(GPtrArray *seats, guint host, SchedPlacement *placement)
{
	placement->host = host;
	placement->parts = parts_new(seats->len);
	for (guint i = 0; i < seats->len; i++) {
		DaxcSeat *seat = g_ptr_array_index(seats, i);
		SchedPart part = {daxc_seat_zone(seat), seat->choice};

		seat->choice = (DaxcChoice){0};
		g_array_append_val(placement->parts, part);
	}
}

gboolean sched_choose_in(const SchedFleet *fleet, guint host, guint zone,
			 const SchedWant *want, SchedPlacement *placement)
{
	g_auto(View) view = {0};
	g_autoptr(GPtrArray)
		seats = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_seat_free);
	DaxcSeat *seat = daxc_seat_new(g_ptr_array_index(want->request->cells, 0));
	DaxcRoom room;

	g_ptr_array_add(seats, seat);
	view_init(&view, fleet, host, want->tenant);
	seat_in(&view, zone, want, seat);
	room = view_room(&view);
	if (!daxc_place_alone(&room, seat))
		return FALSE;
	take_seats(seats, host, placement);
	return TRUE;
}

/* Returns: the zone of @host that scores best, or its number of zones for none. */
static guint best_zone(const SchedFleet *fleet, guint host, const SchedWant *want,
		       SchedScore *best)
{
	guint n = sched_fleet_model(fleet, host)->zones->len, found = n;
	SchedScore score;

	for (guint zone = 0; zone < n; zone++) {
		if (!sched_score_zone(fleet, host, zone, want, &score))
			continue;
		if (found < n && sched_score_compare(&score, best) >= 0)
			continue;
		*best = score;
		found = zone;
	}
	return found;
}

/* Several cells. */

static GPtrArray *make_seats(const View *view, const SchedWant *want)
{
	GPtrArray *seats = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_seat_free);

	for (guint i = 0; i < want->request->cells->len; i++) {
		DaxcSeat *seat =
			daxc_seat_new(g_ptr_array_index(want->request->cells, i));

		for (guint zone = 0; zone < view->model->zones->len; zone++)
			add_ways(seat, want, view->model, zone);
		g_array_sort(seat->ways, compare_ways);
		g_ptr_array_add(seats, seat);
	}
	return seats;
}

static gboolean place_cells(View *view, GPtrArray *seats)
{
	DaxcRoom room = view_room(view);
	gint64 steps = HOST_STEPS;

	for (guint i = 0; i < seats->len; i++) {
		if (((DaxcSeat *)g_ptr_array_index(seats, i))->ways->len == 0)
			return FALSE;
	}
	if (daxc_place_in_turn(&room, seats))
		return TRUE;
	view_forget(view);
	if (!daxc_place_search(&room, seats, &steps))
		return FALSE;
	daxc_place_settle(&room, seats);
	return TRUE;
}

/* @before: as the host was before it was placed there. */
static void score_cells(View *before, View *view, GPtrArray *seats, SchedScore *score)
{
	g_autofree guint8 *touched = g_new0(guint8, view->model->zones->len);

	*score = (SchedScore){0};
	for (guint i = 0; i < seats->len; i++) {
		const DaxcSeat *seat = g_ptr_array_index(seats, i);

		score->rank += rank_of(seat);
		score->fresh += seat->choice.fresh;
		touched[daxc_seat_zone(seat)] = 1;
	}
	for (guint zone = 0; zone < view->model->zones->len; zone++) {
		guint64 granule = sched_model_zone(view->model, zone)->granule;
		guint64 own, nobodys;

		if (!touched[zone])
			continue;
		split_free(view, zone, &own, &nobodys);
		score->stranded += own * granule;
		split_free(before, zone, &own, &nobodys);
		score->room += nobodys * granule;
	}
}

static gboolean choose_cells(const SchedFleet *fleet, guint host, const SchedWant *want,
			     SchedPlacement *placement)
{
	g_auto(View) view = {0};
	g_auto(View) before = {0};
	g_autoptr(GPtrArray) seats = NULL;

	view_init(&view, fleet, host, want->tenant);
	view_init(&before, fleet, host, want->tenant);
	seats = make_seats(&view, want);
	if (!place_cells(&view, seats))
		return FALSE;
	score_cells(&before, &view, seats, &placement->score);
	take_seats(seats, host, placement);
	return TRUE;
}

gboolean sched_choose_on(const SchedFleet *fleet, guint host, const SchedWant *want,
			 SchedPlacement *placement)
{
	guint zone;

	if (want->request->cells->len > 1)
		return choose_cells(fleet, host, want, placement);
	zone = best_zone(fleet, host, want, &placement->score);
	return zone < sched_fleet_model(fleet, host)->zones->len &&
	       sched_choose_in(fleet, host, zone, want, placement);
}

/* All hosts. */

static gboolean choose_among(const SchedFleet *fleet, const SchedWant *want,
			     SchedPlacement *placement)
{
	g_auto(SchedPlacement) best = {0};

	for (guint host = 0; host < fleet->n_hosts; host++) {
		g_auto(SchedPlacement) next = {0};

		if (avoided(want, host) ||
		    !sched_want_allows(want, sched_fleet_pool(fleet, host)) ||
		    !choose_cells(fleet, host, want, &next))
			continue;
		if (best.parts && sched_score_compare(&next.score, &best.score) >= 0)
			continue;
		sched_placement_clear(&best);
		best = next;
		next = (SchedPlacement){0};
	}
	if (!best.parts)
		return FALSE;
	*placement = best;
	best = (SchedPlacement){0};
	return TRUE;
}

gboolean sched_choose(const SchedFleet *fleet, const SchedWant *want,
		      SchedPlacement *placement)
{
	guint best_host = fleet->n_hosts, zone = 0;
	SchedScore best = {0}, score;

	if (want->request->cells->len > 1)
		return choose_among(fleet, want, placement);
	for (guint host = 0; host < fleet->n_hosts; host++) {
		guint found;

		if (avoided(want, host) ||
		    !sched_want_allows(want, sched_fleet_pool(fleet, host)))
			continue;
		found = best_zone(fleet, host, want, &score);
		if (found == sched_fleet_model(fleet, host)->zones->len)
			continue;
		if (best_host < fleet->n_hosts && sched_score_compare(&score, &best) >= 0)
			continue;
		best = score;
		best_host = host;
		zone = found;
	}
	if (best_host == fleet->n_hosts ||
	    !sched_choose_in(fleet, best_host, zone, want, placement))
		return FALSE;
	placement->score = best;
	return TRUE;
}

void sched_hold(SchedFleet *fleet, const SchedPlacement *placement, guint32 tenant)
{
	for (guint i = 0; i < placement->parts->len; i++) {
		const SchedPart *part = sched_placement_part(placement, i);

		sched_fleet_hold(fleet, placement->host, part->zone, tenant,
				 part->choice.color, part->choice.used, part->choice.n);
	}
}

void sched_drop(SchedFleet *fleet, const SchedPlacement *placement)
{
	for (guint i = 0; i < placement->parts->len; i++) {
		const SchedPart *part = sched_placement_part(placement, i);

		sched_fleet_drop(fleet, placement->host, part->zone, part->choice.color,
				 part->choice.used, part->choice.n);
	}
}

/* Why not. */

/* Hosts that may not, by reason, and the one of the others that has most to offer. */
typedef struct {
	guint excluded;
	guint avoided;
	guint left;
	guint nearest;
	guint64 offer;
} Misses;

static guint64 offer_of(const SchedFleet *fleet, guint host, const SchedWant *want)
{
	g_auto(View) view = {0};
	guint64 offer = 0;

	view_init(&view, fleet, host, want->tenant);
	for (guint zone = 0; zone < view.model->zones->len; zone++)
		offer += view_stock(&view, zone)->total *
			 sched_model_zone(view.model, zone)->granule;
	return offer;
}

static void find_misses(const SchedFleet *fleet, const SchedWant *want, Misses *misses)
{
	for (guint host = 0; host < fleet->n_hosts; host++) {
		guint64 offer;

		if (!sched_want_allows(want, sched_fleet_pool(fleet, host))) {
			misses->excluded++;
			continue;
		}
		if (avoided(want, host)) {
			misses->avoided++;
			continue;
		}
		offer = offer_of(fleet, host, want);
		if (misses->left++ == 0 || offer > misses->offer) {
			misses->nearest = host;
			misses->offer = offer;
		}
	}
}

static void describe_nearest(const SchedFleet *fleet, const SchedWant *want,
			     const Misses *misses, GString *text)
{
	g_autofree char *name = sched_fleet_host_name(fleet, misses->nearest);
	g_auto(View) view = {0};

	view_init(&view, fleet, misses->nearest, want->tenant);
	g_string_append_printf(text, "; nearest comes %s, which has for this tenant",
			       name);
	for (guint i = 0; i < view.model->zones->len; i++) {
		const SchedZone *zone = sched_model_zone(view.model, i);
		const DaxcStock *stock = view_stock(&view, i);
		g_autofree char *size = daxc_size_format(stock->total * zone->granule);
		guint32 colors = 0;

		for (guint32 c = 0; c < stock->colors; c++)
			colors += stock->free[c] > 0;
		g_string_append_printf(text, "%s %s in %u color%s on node %d",
				       i ? "," : "", size, colors, colors == 1 ? "" : "s",
				       zone->node);
	}
}

void sched_refuse(const SchedFleet *fleet, const SchedWant *want, GError **error)
{
	g_autofree char *size = daxc_size_format(daxc_request_size(want->request));
	g_autoptr(GString) text = g_string_new(NULL);
	Misses misses = {0};

	find_misses(fleet, want, &misses);
	g_string_append_printf(text, "no host has a place for %s", size);
	if (misses.excluded)
		g_string_append_printf(text,
				       "; %u of %u hosts lack an aggregate or a trait",
				       misses.excluded, fleet->n_hosts);
	if (misses.avoided)
		g_string_append_printf(text,
				       "; %u of %u hosts have a guest of the same group",
				       misses.avoided, fleet->n_hosts);
	if (misses.left)
		describe_nearest(fleet, want, &misses, text);
	g_set_error_literal(error, DAXC_ERROR, DAXC_ERROR_REFUSED, text->str);
}
