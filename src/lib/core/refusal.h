/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a request cannot be granted, in one sentence for whoever reads it. */
#pragma once

#include "layout.h"

G_BEGIN_DECLS

/**
 * DaxcRefused: a cell that has no place.
 * @zones: (element-type guint): zones of the layout that could have held it,
 *   those of one node together; at least one
 */
typedef struct {
	const DaxcCellRequest *cell;
	const GArray *zones;
} DaxcRefused;

/**
 * daxc_refuse:
 * @cells: one that does not fit, or several that do not fit together
 * @cut_short: not every way was tried
 *
 * Sets DAXC_ERROR_REFUSED: what is needed, what is free, who holds the rest, what
 * to do. Hundreds of colors and tenants are summed up.
 */
void daxc_refuse(const DaxcLayout *layout, const char *tenant, const DaxcRefused *cells,
		 guint n_cells, gboolean cut_short, GError **error);

G_END_DECLS
