/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether several cells of one tenant can share one zone, each with the number
 * or the list of colors it asked for. Exact: every way is tried, colors that are
 * alike counting as one. Pure.
 */
#pragma once

#include <daxcolor/request.h>

#include "choose.h"

G_BEGIN_DECLS

/* Cells with a count or list that can be shared out in one zone. */
#define DAXC_SHARE_MAX 64

/**
 * DaxcShare: one cell of a zone.
 * @need: granules, at least 1
 * @n: COUNT: number of colors; LIST: length of @list
 * @list: LIST: colors, ascending
 * @choice: (out): what it gets, where @wish is not ANY: such a cell fits
 *   wherever enough is left, and is left to daxc_choose()
 */
typedef struct {
	guint32 need;
	DaxcColorWish wish;
	guint32 n;
	const guint32 *list;
	DaxcChoice choice;
} DaxcShare;

/**
 * daxc_share:
 * @cells: (element-type DaxcShare): of one zone; read only unless it succeeds
 * @steps: (inout): work that may still be done; 0 when the search was cut short
 *
 * Returns: TRUE when all cells fit into @stock together.
 */
gboolean daxc_share(const DaxcStock *stock, GPtrArray *cells, gint64 *steps);

G_END_DECLS
