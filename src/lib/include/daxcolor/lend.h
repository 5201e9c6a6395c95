/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lending: memory of colors that nobody has is the host's RAM until a guest needs it.
 *
 * What is lent is in the ledger as carvings of a tenant of its own, so that its colors
 * are the host's for as long, and so that whoever is interrupted is finished or undone by
 * the next caller. daxc_host_carve() takes back by itself what a guest needs.
 */
#pragma once

#include <daxcolor/host.h>

G_BEGIN_DECLS

/* Whose the colors of lent memory are; no guest can be this tenant's. */
#define DAXC_LENT_TENANT "daxcolor.host"

/* Whether it is memory lent to the host, and not a guest's. */
gboolean daxc_carving_is_lent(const DaxcCarving *carving);

/**
 * daxc_host_lend:
 * @node: whose cache it is
 * @colors: (element-type guint32): ascending
 *
 * Gives the host all free memory of these colors as RAM, movable where the kernel has it
 * so. Each color can be taken back alone, unless the kernel's memory blocks are larger
 * than granules. All or nothing.
 *
 * Fails with DAXC_ERROR_UNSUPPORTED when this kernel could not give it back,
 * DAXC_ERROR_REFUSED when a color is a tenant's, nothing is free, or the kernel's rules
 * forbid it, DAXC_ERROR_INVALID when there are no such colors.
 *
 * Returns: (transfer full) (element-type DaxcCarving): what was lent
 */
GPtrArray *daxc_host_lend(DaxcHost *host, gint node, const GArray *colors,
			  GError **error);

/**
 * daxc_host_reclaim:
 * @node: whose cache it is; -1: of all
 * @colors: (nullable) (element-type guint32): ascending; NULL: all
 * @bytes: (out) (optional): what came back
 *
 * Takes back what has memory of these colors. It is zeroed like a guest's. Waits for the
 * host as long as the configuration says (wait) for all of it; what it does not give back
 * stays lent, and that is DAXC_ERROR_BUSY.
 */
gboolean daxc_host_reclaim(DaxcHost *host, gint node, const GArray *colors,
			   guint64 *bytes, GError **error);

/* Returns: (transfer full) (element-type DaxcCarving): what is lent. */
GPtrArray *daxc_host_lent(DaxcHost *host, GError **error);

G_END_DECLS
