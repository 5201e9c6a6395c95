/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which zone and which colors each cell of a guest gets, where a zone is nothing but
 * counts of free granules by color. The planner of one host and the scheduler of a
 * fleet both ask here. Pure.
 */
#pragma once

#include <daxcolor/request.h>

#include "choose.h"
#include "share.h"

G_BEGIN_DECLS

/**
 * DaxcWay: one way to grant a cell.
 * @zone: where
 * @rank: ways of a lower rank are preferred, however well the others fit
 * @need: granules that the cell takes there, which may be more than any zone has
 * @wish: how many colors
 * @n: COUNT: number of them; LIST: length of the cell's list
 */
typedef struct {
	guint zone;
	guint rank;
	guint64 need;
	DaxcColorWish wish;
	guint32 n;
} DaxcWay;

/**
 * DaxcSeat: one cell on its way to a place.
 * @ways: (element-type DaxcWay): by rank
 * @way: (out): index of the way that was taken
 * @choice: (out): the colors it has there
 * @share: its part in a search
 */
typedef struct {
	const DaxcCellRequest *cell;
	GArray *ways;
	guint way;
	DaxcChoice choice;
	DaxcShare share;
} DaxcSeat;

DaxcSeat *daxc_seat_new(const DaxcCellRequest *cell);
void daxc_seat_free(DaxcSeat *seat);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcSeat, daxc_seat_free)

static inline const DaxcWay *daxc_seat_way(const DaxcSeat *seat, guint index)
{
	return &g_array_index(seat->ways, DaxcWay, index);
}

/* Zone of the way that was taken. */
static inline guint daxc_seat_zone(const DaxcSeat *seat)
{
	return daxc_seat_way(seat, seat->way)->zone;
}

/* Returns: granules that @cell takes where a granule has @granule bytes. */
guint64 daxc_cell_granules(const DaxcCellRequest *cell, guint64 granule);

/**
 * DaxcRoom: the zones of one host as one tenant sees them.
 * @zones: number of them
 * @stock: what a zone has left; it may be made when it is asked for
 * @owned: for each color of the zone's cache domain: the tenant's, or about to be.
 *   Zones of one domain share it, and their stocks point to it.
 */
typedef struct {
	guint zones;
	DaxcStock *(*stock)(gpointer data, guint zone);
	guint8 *(*owned)(gpointer data, guint zone);
	gpointer data;
} DaxcRoom;

/* Finds the way of the lowest rank that has room, among those the one that fits best. */
gboolean daxc_place_alone(const DaxcRoom *room, DaxcSeat *seat);

/**
 * daxc_place_in_turn:
 * @seats: (element-type DaxcSeat)
 *
 * Places one cell after the other, those with the least freedom first, each where it
 * likes best, and takes what they get out of the room. May fail where another order
 * would not.
 */
gboolean daxc_place_in_turn(const DaxcRoom *room, GPtrArray *seats);

/* Whether there is any way to place all of @seats on what the room has now.
 * @steps: work that may still be done; 0 when the search was cut short. */
gboolean daxc_place_search(const DaxcRoom *room, GPtrArray *seats, gint64 *steps);

/* Turns what a search of the same seats has found into choices, and takes them. */
void daxc_place_settle(const DaxcRoom *room, GPtrArray *seats);

G_END_DECLS
