// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where the cells of one guest go: one after the other first; where that fails, a
 * search that tries every way (what is in one zone together is share.c's matter).
 */
#include "place.h"

#include <string.h>

DaxcSeat *daxc_seat_new(const DaxcCellRequest *cell)
{
	DaxcSeat *seat = g_new0(DaxcSeat, 1);

	seat->cell = cell;
	seat->ways = g_array_new(FALSE, FALSE, sizeof(DaxcWay));
	return seat;
}

void daxc_seat_free(DaxcSeat *seat)
{
	if (!seat)
		return;
	g_array_unref(seat->ways);
	daxc_choice_clear(&seat->choice);
	daxc_choice_clear(&seat->share.choice);
	g_free(seat);
}

guint64 daxc_cell_granules(const DaxcCellRequest *cell, guint64 granule)
{
	return cell->size / granule + (cell->size % granule != 0);
}

/* The colors of a list. */
static const guint32 *list_of(const DaxcSeat *seat)
{
	return (const void *)seat->cell->list->data;
}

/* One cell after the other. */

static gboolean choose_in(const DaxcRoom *room, const DaxcSeat *seat, const DaxcWay *way,
			  DaxcChoice *choice)
{
	DaxcStock *stock = room->stock(room->data, way->zone);

	if (way->need > stock->total)
		return FALSE;
	if (way->wish == DAXC_WISH_LIST)
		return daxc_choose_list(stock, (guint32)way->need, list_of(seat), way->n,
					choice);
	return daxc_choose(stock, (guint32)way->need,
			   way->wish == DAXC_WISH_COUNT ? way->n : 0, choice);
}

/* Whether a choice in one zone fits better than the best of its rank so far. */
static gboolean fits_better(const DaxcRoom *room, const DaxcChoice *choice, guint zone,
			    const DaxcSeat *best)
{
	if (choice->fresh != best->choice.fresh)
		return choice->fresh < best->choice.fresh;
	if (choice->n != best->choice.n)
		return choice->n < best->choice.n;
	if (choice->claimed != best->choice.claimed)
		return choice->claimed < best->choice.claimed;
	return room->stock(room->data, zone)->total <
	       room->stock(room->data, daxc_seat_zone(best))->total;
}

gboolean daxc_place_alone(const DaxcRoom *room, DaxcSeat *seat)
{
	gboolean found = FALSE;
	guint rank = 0;

	for (guint i = 0; i < seat->ways->len; i++) {
		const DaxcWay *way = daxc_seat_way(seat, i);
		g_auto(DaxcChoice) choice = {0};

		if (found && way->rank != rank)
			break;
		rank = way->rank;
		if (!choose_in(room, seat, way, &choice))
			continue;
		if (found && !fits_better(room, &choice, way->zone, seat))
			continue;
		daxc_choice_clear(&seat->choice);
		seat->choice = choice;
		choice = (DaxcChoice){0};
		seat->way = i;
		found = TRUE;
	}
	return found;
}

/* Takes what a cell chose, so that the next one sees it. */
static void take(const DaxcRoom *room, const DaxcSeat *seat)
{
	guint zone = daxc_seat_zone(seat);
	guint8 *owned = room->owned(room->data, zone);

	daxc_stock_take(room->stock(room->data, zone), &seat->choice);
	for (guint32 i = 0; i < seat->choice.n; i++)
		owned[seat->choice.color[i]] = 1;
}

static guint freedom(const DaxcSeat *seat)
{
	static const guint wishes[] = {
		[DAXC_WISH_LIST] = 0,
		[DAXC_WISH_COUNT] = 2,
		[DAXC_WISH_ANY] = 4,
	};
	DaxcColorWish wish = seat->ways->len ? daxc_seat_way(seat, 0)->wish
					     : seat->cell->wish;

	return wishes[wish] + (seat->cell->node == DAXC_ANY_NODE);
}

static gint compare_freedom(gconstpointer a, gconstpointer b)
{
	const DaxcSeat *one = *(DaxcSeat *const *)a, *other = *(DaxcSeat *const *)b;
	guint this = freedom(one), that = freedom(other);

	if (this != that)
		return this < that ? -1 : 1;
	return (one->cell->id > other->cell->id) - (one->cell->id < other->cell->id);
}

static GPtrArray *sorted_seats(GPtrArray *seats, GCompareFunc compare)
{
	GPtrArray *sorted = g_ptr_array_copy(seats, NULL, NULL);

	g_ptr_array_set_free_func(sorted, NULL);
	g_ptr_array_sort(sorted, compare);
	return sorted;
}

gboolean daxc_place_in_turn(const DaxcRoom *room, GPtrArray *all)
{
	g_autoptr(GPtrArray) seats = sorted_seats(all, compare_freedom);

	for (guint i = 0; i < seats->len; i++) {
		DaxcSeat *seat = g_ptr_array_index(seats, i);

		if (!daxc_place_alone(room, seat))
			return FALSE;
		take(room, seat);
	}
	return TRUE;
}

/* All cells at once, every way. */

/**
 * Search:
 * @seats: (element-type DaxcSeat): sorted, so that those that ask for the same are
 *   neighbors
 * @guests: for each zone: (element-type DaxcShare): who is there
 */
typedef struct {
	const DaxcRoom *room;
	GPtrArray *seats;
	GPtrArray **guests;
	gint64 *steps;
} Search;

static gint compare_size(gconstpointer a, gconstpointer b)
{
	const DaxcSeat *one = *(DaxcSeat *const *)a, *other = *(DaxcSeat *const *)b;
	guint this = freedom(one), that = freedom(other);

	if (this != that)
		return this < that ? -1 : 1;
	if (one->cell->size != other->cell->size)
		return one->cell->size > other->cell->size ? -1 : 1;
	return (one->cell->id > other->cell->id) - (one->cell->id < other->cell->id);
}

static gboolean same_array(const GArray *one, const GArray *other, gsize size)
{
	return one->len == other->len &&
	       (one->len == 0 || memcmp(one->data, other->data, one->len * size) == 0);
}

static gboolean same_ways(const DaxcSeat *one, const DaxcSeat *other)
{
	if (one->ways->len != other->ways->len)
		return FALSE;
	for (guint i = 0; i < one->ways->len; i++) {
		const DaxcWay *a = daxc_seat_way(one, i), *b = daxc_seat_way(other, i);

		if (a->zone != b->zone || a->need != b->need || a->wish != b->wish ||
		    a->n != b->n)
			return FALSE;
	}
	return TRUE;
}

/* Cells that ask for the same are interchangeable. */
static gboolean same_wish(const DaxcSeat *one, const DaxcSeat *other)
{
	const DaxcCellRequest *a = one->cell, *b = other->cell;

	if (a->wish != b->wish || !same_ways(one, other))
		return FALSE;
	return a->wish != DAXC_WISH_LIST || same_array(a->list, b->list, sizeof(guint32));
}

static void fill_share(DaxcSeat *seat, guint index)
{
	const DaxcWay *way = daxc_seat_way(seat, index);

	seat->way = index;
	seat->share.need = (guint32)way->need;
	seat->share.wish = way->wish;
	seat->share.n = way->n;
	seat->share.list = list_of(seat);
}

/* Places the seats from @index up, the one before by way @before of its own. */
static gboolean search(const Search *s, guint index, guint before)
{
	const DaxcRoom *room = s->room;
	DaxcSeat *seat;
	guint first = 0;

	if (index == s->seats->len)
		return TRUE;
	seat = g_ptr_array_index(s->seats, index);
	if (index > 0 && same_wish(g_ptr_array_index(s->seats, index - 1), seat))
		first = before;
	for (guint i = first; i<seat->ways->len && * s->steps> 0; i++) {
		const DaxcWay *way = daxc_seat_way(seat, i);
		GPtrArray *guests = s->guests[way->zone];
		DaxcStock *stock = room->stock(room->data, way->zone);

		if (way->need > stock->total)
			continue;
		fill_share(seat, i);
		g_ptr_array_add(guests, &seat->share);
		if (daxc_share(stock, guests, s->steps) && search(s, index + 1, i))
			return TRUE;
		g_ptr_array_set_size(guests, (gint)guests->len - 1);
	}
	return FALSE;
}

gboolean daxc_place_search(const DaxcRoom *room, GPtrArray *seats, gint64 *steps)
{
	g_autoptr(GPtrArray) sorted = sorted_seats(seats, compare_size);
	g_autofree GPtrArray **guests = g_new(GPtrArray *, MAX(room->zones, 1));
	Search s = {room, sorted, guests, steps};
	gboolean found;

	for (guint i = 0; i < room->zones; i++)
		guests[i] = g_ptr_array_new();
	found = search(&s, 0, 0);
	for (guint i = 0; i < room->zones; i++)
		g_ptr_array_unref(guests[i]);
	return found;
}

static void settle_one(const DaxcRoom *room, DaxcSeat *seat)
{
	const DaxcWay *way = daxc_seat_way(seat, seat->way);

	daxc_choice_clear(&seat->choice);
	if (way->wish == DAXC_WISH_ANY) {
		choose_in(room, seat, way, &seat->choice);
	} else {
		seat->choice = seat->share.choice;
		seat->share.choice = (DaxcChoice){0};
	}
	take(room, seat);
}

void daxc_place_settle(const DaxcRoom *room, GPtrArray *all)
{
	g_autoptr(GPtrArray) seats = sorted_seats(all, compare_freedom);

	for (guint i = 0; i < seats->len; i++)
		settle_one(room, g_ptr_array_index(seats, i));
}
