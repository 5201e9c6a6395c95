/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which colors one cell gets. Pure, on plain arrays and counts of granules: it
 * knows neither addresses nor tenants, so that others who place memory (a
 * driver, a fleet's scheduler) can come to the same answer.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * DaxcStock: what one zone offers to one tenant.
 * @colors: number of colors
 * @free: for each color, granules that the tenant could get; 0 where the color
 *   is another's
 * @owned: for each color, whether the tenant has it already
 * @total: sum of @free
 */
typedef struct {
	guint32 colors;
	guint32 *free;
	const guint8 *owned;
	guint64 total;
} DaxcStock;

/**
 * DaxcChoice: colors for one cell.
 * @n: number of them
 * @color: ascending
 * @used: granules that the cell takes of each, at least 1
 * @fresh: how many of them the tenant does not own yet
 * @claimed: free granules of the fresh colors, before: from now on nobody else's
 */
typedef struct {
	guint32 n;
	guint32 *color;
	guint32 *used;
	guint32 fresh;
	guint64 claimed;
} DaxcChoice;

void daxc_choice_clear(DaxcChoice *choice);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DaxcChoice, daxc_choice_clear)

/**
 * daxc_choose:
 * @need: granules, at least 1
 * @count: number of colors, each used at least once; 0: the fewest
 *
 * Prefers, in this order: fewest fresh colors, fewest colors, least claimed (best
 * fit: exact, but for stocks with hundreds of different counts), small colors
 * before large ones, low colors before high ones.
 *
 * Returns: FALSE, and leaves @choice alone, when the stock cannot give it.
 */
gboolean daxc_choose(const DaxcStock *stock, guint32 need, guint32 count,
		     DaxcChoice *choice);

/* The same for @n given colors, ascending, all of which are to be used. */
gboolean daxc_choose_list(const DaxcStock *stock, guint32 need, const guint32 *color,
			  guint32 n, DaxcChoice *choice);

/* Takes what @choice uses out of @stock. */
void daxc_stock_take(DaxcStock *stock, const DaxcChoice *choice);

/**
 * daxc_alternate:
 * @limit: how often each of @n may be named
 * @total: names wanted, at most the sum of the limits
 * @order: (out caller-allocates): @total indexes below @n, in order of page offset
 *
 * Goes round robin over those that have not reached their limit.
 */
void daxc_alternate(const guint32 *limit, guint32 n, guint32 total, guint32 *order);

G_END_DECLS
