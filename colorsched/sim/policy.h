/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways to place guests that a simulation sets side by side. */
#pragma once

#include "colorsched/core/fleet.h"

G_BEGIN_DECLS

/**
 * SchedStay: where a guest is.
 * @n: number of items
 * @item: as the policy keeps them
 */
typedef struct {
	guint unit;
	guint32 n;
	guint32 item[];
} SchedStay;

/**
 * SchedArrival:
 * @tenant: not SCHED_NOBODY
 * @guest: a number that no other live guest has, not SCHED_NOBODY
 * @colors: wanted, or 0
 * @avoid: (nullable): hosts, as in SchedWant
 */
typedef struct {
	guint32 tenant;
	guint32 guest;
	guint64 size;
	guint32 colors;
	GHashTable *avoid;
} SchedArrival;

/* One color of a guest, and the granules it has of it. */
typedef struct {
	guint32 color;
	guint32 used;
} SchedUse;

/**
 * SchedPolicy:
 * @make: (transfer full): of a fleet that is empty and outlives it
 * @admit: (transfer full) (nullable): NULL when the policy finds no place
 * @leave: @stay: (transfer full)
 * @use: what item @i of a stay is; two items may be of one color
 * @idle: bytes that nobody holds and only one tenant could get
 */
typedef struct {
	const char *name;
	const char *summary;
	gpointer (*make)(SchedFleet *fleet, guint32 seed);
	void (*free)(gpointer self);
	SchedStay *(*admit)(gpointer self, const SchedArrival *arrival);
	void (*leave)(gpointer self, SchedStay *stay, guint32 tenant, guint32 guest);
	SchedUse (*use)(gpointer self, const SchedStay *stay, guint32 i);
	guint64 (*held)(gpointer self);
	guint64 (*idle)(gpointer self);
} SchedPolicy;

/* What daxctl does: the first host with room, its lowest addresses. */
extern const SchedPolicy sched_policy_first_fit;
/* What shuffled pages amount to: the same host, granules at random. */
extern const SchedPolicy sched_policy_random;
/* Each guest on colors that nobody else has. */
extern const SchedPolicy sched_policy_exclusive;
/* Each tenant on colors that no other tenant has. */
extern const SchedPolicy sched_policy_pooled;

G_END_DECLS
