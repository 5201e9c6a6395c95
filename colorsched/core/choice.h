/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a fleet a guest goes. Pure: a function of the fleet and of what is wanted,
 * nothing else, and the same each time.
 *
 * Of all hosts on which the guest has a place, that one is chosen which is best in the
 * first of these that tells hosts apart:
 *
 * 1. nearest to the host nodes that the guest's numatune names;
 * 2. fewest colors that the tenant does not own yet: each is a piece of cache, and
 *    memory, that nobody else can use from then on;
 * 3. least memory that the tenant would own there and not use;
 * 4. least memory there that nobody owns: what is nearly full gets full, so that
 *    tenants who need much find hosts that are empty;
 * 5. first in the order of the fleet, and first zone of its host.
 *
 * Which colors of that host it gets is decided as on a host of its own
 * (core/choose.h). A guest with several cells is judged by the sums over its cells.
 */
#pragma once

#include "core/place.h"
#include "colorsched/core/fleet.h"

G_BEGIN_DECLS

/**
 * SchedWant: a guest, and what it demands of its host.
 * @request: what the domain says itself
 * @tenant: not SCHED_NOBODY
 * @cache: bytes of cache that the colors of each cell have to make up at least, or 0
 * @aggregates, @traits: (nullable): NULL-terminated; the host must have all of them
 * @avoid: (nullable) (element-type guint): hosts that are out of the question, as
 *   GUINT_TO_POINTER: those that have guests of the same spread group
 */
typedef struct {
	const DaxcRequest *request;
	guint32 tenant;
	guint64 cache;
	const char *const *aggregates;
	const char *const *traits;
	GHashTable *avoid;
} SchedWant;

/* What hosts are compared by, in this order; less is better. Sizes in bytes. */
typedef struct {
	guint rank;
	guint32 fresh;
	guint64 stranded;
	guint64 room;
} SchedScore;

/* Returns: below 0 when @a is better, 0 when they are alike. */
int sched_score_compare(const SchedScore *a, const SchedScore *b);

/* One cell in its place. */
typedef struct {
	guint zone;
	DaxcChoice choice;
} SchedPart;

/**
 * SchedPlacement:
 * @parts: (element-type SchedPart): in order of cell
 */
typedef struct {
	guint host;
	SchedScore score;
	GArray *parts;
} SchedPlacement;

void sched_placement_clear(SchedPlacement *placement);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SchedPlacement, sched_placement_clear)

static inline const SchedPart *sched_placement_part(const SchedPlacement *placement,
						    guint index)
{
	return &g_array_index(placement->parts, SchedPart, index);
}

/* Whether a host of @pool may have the guest, as far as aggregates and traits say. */
gboolean sched_want_allows(const SchedWant *want, const SchedPool *pool);

/**
 * sched_choose:
 * @placement: (out): to be cleared; untouched unless it succeeds
 *
 * Finds a place whenever there is one, but for guests with several cells where the
 * search on one host is cut short.
 */
gboolean sched_choose(const SchedFleet *fleet, const SchedWant *want,
		      SchedPlacement *placement);

/* The same when the host is given, for one that sched_want_allows(). */
gboolean sched_choose_on(const SchedFleet *fleet, guint host, const SchedWant *want,
			 SchedPlacement *placement);

/**
 * sched_choose_in:
 *
 * The colors that the single cell of @want gets in one zone; the score is not set.
 */
gboolean sched_choose_in(const SchedFleet *fleet, guint host, guint zone,
			 const SchedWant *want, SchedPlacement *placement);

/* Scores a zone for the single cell of @want. Returns: FALSE when it has no room. */
gboolean sched_score_zone(const SchedFleet *fleet, guint host, guint zone,
			  const SchedWant *want, SchedScore *score);

/**
 * sched_fresh:
 * @free: granules of each of @colors colors that nobody owns; 0 for others
 * @count: number of colors, or 0
 *
 * The fewest of them that hold @need granules, and what they hold together.
 */
gboolean sched_fresh(guint32 *free, guint32 colors, guint64 need, guint32 count,
		     guint32 *fresh, guint64 *claimed);

/* Carries a placement out. */
void sched_hold(SchedFleet *fleet, const SchedPlacement *placement, guint32 tenant);
void sched_drop(SchedFleet *fleet, const SchedPlacement *placement);

/**
 * sched_refuse:
 *
 * Sets DAXC_ERROR_REFUSED: how many hosts were out of the question and why, and which
 * of the others comes nearest.
 */
void sched_refuse(const SchedFleet *fleet, const SchedWant *want, GError **error);

G_END_DECLS
