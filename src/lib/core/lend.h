/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which memory can be lent to the host. Pure. */
#pragma once

#include "core/layout.h"

G_BEGIN_DECLS

/**
 * daxc_lend_plan:
 * @node: names the cache domain
 * @colors: (element-type guint32): ascending
 * @unit: bytes, a power of two: the host takes memory in such pieces, at multiples of it
 *
 * All free granules of these colors, one plan for each color and region; where @unit is
 * larger than a granule, one for each region, for then colors cannot be taken back one by
 * one. The cells are numbered from 0.
 *
 * Returns: (transfer full) (element-type DaxcCellPlan): at least one. Fails with
 *   DAXC_ERROR_INVALID when there is no such color, DAXC_ERROR_REFUSED when one is
 *   somebody's, or no piece of @unit is free.
 */
GPtrArray *daxc_lend_plan(const DaxcLayout *layout, gint node, const GArray *colors,
			  guint64 unit, GError **error);

G_END_DECLS
