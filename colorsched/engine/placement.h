/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet in OpenStack Placement.
 *
 * A host is a root provider; below it is a provider for each zone, and below that one
 * for each color. A color has one inventory, counted in granules, and its class says who
 * owns it: CUSTOM_DAX_GRANULE is nobody's, CUSTOM_DAX_GRANULE_T_ACME is acme's. Changing
 * the class needs the provider's generation, so that of two who claim a color one loses;
 * Placement itself refuses to change it while a guest has granules of it. What a guest
 * has is one allocation for its UUID, made for all colors in one step.
 *
 * A spread group has a class of its own, CUSTOM_DAX_SPREAD_ and a hash of tenant and
 * name. A host that may get a guest of it has one of that, and the guest's allocation
 * takes it: Placement itself refuses the second guest, and the place in the group ends
 * with the allocation, whatever becomes of the client. What is left of a client that was
 * killed in between is one that nobody has taken, which bars nobody.
 *
 * Zones and hosts say what they are by traits: CUSTOM_DAX_HOST; CUSTOM_DAX_NODE_1,
 * CUSTOM_DAX_REGION_0, CUSTOM_DAX_GRANULE_1024M, CUSTOM_DAX_SLICE_1024M;
 * CUSTOM_CACHE_COLOR_7. Provider UUIDs follow from names.
 */
#pragma once

#include "colorsched/core/choice.h"
#include "colorsched/engine/http.h"

G_BEGIN_DECLS

/**
 * SchedEngine: a connection to an engine.
 */
typedef struct SchedEngine SchedEngine;

SchedEngine *sched_engine_open(const SchedHttpOptions *options, GError **error);
void sched_engine_free(SchedEngine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedEngine, sched_engine_free)

/**
 * sched_engine_register:
 *
 * Makes host @host of @fleet known, with all of its colors nobody's. What is known
 * already stays as it is. Fails with DAXC_ERROR_UNSUPPORTED for a host with several
 * regions behind one cache.
 */
gboolean sched_engine_register(SchedEngine *engine, const SchedFleet *fleet, guint host,
			       GError **error);

/**
 * SchedGrant: what a guest has.
 * @parts: (element-type SchedGrantPart): in order of cell
 */
typedef struct {
	char *host;
	GArray *parts;
} SchedGrant;

/**
 * SchedGrantPart:
 * @colors: (element-type guint32): ascending
 */
typedef struct {
	gint node;
	guint region;
	GArray *colors;
} SchedGrantPart;

void sched_grant_free(SchedGrant *grant);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedGrant, sched_grant_free)

/**
 * sched_engine_place:
 * @want: its tenant does not matter, the request's does; its avoid neither
 * @group: (nullable): only a host that has no guest of this group of the tenant's
 *
 * Finds host and colors, claims the colors and allocates their granules to the
 * request's UUID. Losing against somebody else means to look again. Fails with
 * DAXC_ERROR_REFUSED when no host has a place, with DAXC_ERROR_BUSY when others were
 * faster too often or the guest is placed already, with DAXC_ERROR_FAILED when the engine
 * does not answer, or not sensibly; what was claimed until then is given back if it
 * can be.
 */
SchedGrant *sched_engine_place(SchedEngine *engine, const SchedWant *want,
			       const char *group, GError **error);

/**
 * sched_engine_release:
 *
 * Takes back what the guest has, and makes colors nobody's that no guest has granules of.
 * Only for a guest that is gone and whose memory was zeroed. Fails with
 * DAXC_ERROR_NOT_FOUND when it has nothing.
 */
gboolean sched_engine_release(SchedEngine *engine, const char *uuid, GError **error);

/* One color, as the engine has it. */
typedef struct {
	gint node;
	guint32 color;
	guint32 total;
	guint32 used;
	char *tenant; /* NULL: nobody's */
} SchedEngineColor;

void sched_engine_color_free(SchedEngineColor *color);

/* Returns: (transfer full) (element-type utf8): names of all hosts, sorted. */
GPtrArray *sched_engine_hosts(SchedEngine *engine, GError **error);

/* Returns: (transfer full) (element-type SchedEngineColor): by node and color. Fails with
 * DAXC_ERROR_NOT_FOUND. */
GPtrArray *sched_engine_colors(SchedEngine *engine, const char *host, GError **error);

/* A tenant that the engine has heard of, even when no guest of it is there now. */
typedef struct {
	char *name;
	guint64 guests;
	guint64 granules;
} SchedEngineTenant;

void sched_engine_tenant_free(SchedEngineTenant *tenant);

/* Returns: (transfer full) (element-type SchedEngineTenant): by name. One request for
 * each of them. */
GPtrArray *sched_engine_tenants(SchedEngine *engine, GError **error);

/* Number of requests so far. */
guint64 sched_engine_requests(const SchedEngine *engine);

/* Returns: (transfer full): class of a tenant's colors; what it means: (nullable). */
char *sched_engine_class(const char *tenant);
char *sched_engine_tenant(const char *class);

G_END_DECLS
