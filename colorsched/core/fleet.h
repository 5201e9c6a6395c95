/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet: hosts of a few models, whose colors belong to tenants. What is known of a
 * color is how many of its granules are free; where they are is each host's own
 * matter. Pure.
 */
#pragma once

#include "core/layout.h"

G_BEGIN_DECLS

/* A color, or a guest, of nobody. */
#define SCHED_NOBODY 0u
/* Hosts, and zones of all hosts together, that a fleet can have. */
#define SCHED_HOSTS_MAX (1u << 20)
#define SCHED_UNITS_MAX (1u << 22)
/* Colors of all zones of all hosts together. */
#define SCHED_COLORS_MAX (1u << 26)

/**
 * SchedZone: one zone (DaxcZone) of a model.
 * @domain: index of the cache domain in the model
 * @slice: bytes of cache that one color is; 0 when the platform does not say
 * @total: granules of each color
 * @granules: sum of @total
 * @first: where its colors begin in the counts of a host
 */
typedef struct {
	guint region;
	gint node;
	guint domain;
	guint64 granule;
	guint64 slice;
	guint32 colors;
	guint32 *total;
	guint32 granules;
	guint32 first;
} SchedZone;

/**
 * SchedModel: a kind of host.
 * @layout: (nullable): the same when it is empty; NULL when only counts are known
 * @zones: (element-type SchedZone)
 * @domains: number of cache domains
 * @domain_first: for each cache domain and one more: where its colors begin in the
 *   owners of a host
 * @counts: counts that a host has: colors of all zones
 */
typedef struct {
	char *name;
	DaxcLayout *layout;
	GArray *zones;
	guint domains;
	guint32 *domain_first;
	guint32 counts;
} SchedModel;

/**
 * sched_model_new:
 * @layout: (transfer full): of an empty host
 *
 * Fails with DAXC_ERROR_INVALID when no memory of it has a color.
 */
SchedModel *sched_model_new(const char *name, const DaxcGeometry *geometry,
			    DaxcLayout *layout, GError **error);

/**
 * sched_model_from_counts:
 * @zones: (element-type SchedZone): each behind a cache of its own; their totals are
 *   copied, domain and first are not used
 *
 * A model of which no addresses and no distances are known. Fails as
 * sched_model_new() does.
 */
SchedModel *sched_model_from_counts(const char *name, const GArray *zones,
				    GError **error);
void sched_model_free(SchedModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedModel, sched_model_free)

static inline const SchedZone *sched_model_zone(const SchedModel *model, guint zone)
{
	return &g_array_index(model->zones, SchedZone, zone);
}

/**
 * SchedPool: hosts that differ in nothing but what they hold.
 * @aggregates, @traits: what a guest may demand; NULL-terminated, never NULL
 * @first: index of its first host
 * @unit: index of that host's first unit
 */
typedef struct {
	char *name;
	SchedModel *model;
	char **aggregates;
	char **traits;
	guint first;
	guint count;
	guint unit;
} SchedPool;

/**
 * SchedHost:
 * @pool: index of its pool
 * @owner: for each color of each cache domain: a tenant, or SCHED_NOBODY
 * @held: the same: granules that guests hold
 * @free: for each color of each zone: granules that nobody holds
 */
typedef struct {
	guint pool;
	guint32 *owner;
	guint32 *held;
	guint32 *free;
} SchedHost;

/**
 * SchedFleet: tenants are numbers; whoever knows their names gives them out.
 * @models: (element-type SchedModel)
 * @pools: (element-type SchedPool)
 * @units: number of zones of all hosts together; a unit is one of them
 * @capacity: bytes of all granules that have a color
 * @held: bytes of granules that guests hold
 * @idle: bytes of granules that nobody holds and only one tenant could get
 * @owned: number of colors that have an owner
 */
typedef struct {
	GPtrArray *models;
	GPtrArray *pools;
	SchedHost *hosts;
	guint n_hosts;
	guint units;
	guint64 capacity;
	guint64 held;
	guint64 idle;
	guint64 owned;
	guint32 *counts;
} SchedFleet;

SchedFleet *sched_fleet_new(void);
void sched_fleet_free(SchedFleet *fleet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedFleet, sched_fleet_free)

/* Adds a model. @model: (transfer full) */
void sched_fleet_add_model(SchedFleet *fleet, SchedModel *model);

/* Returns: (transfer none) (nullable) */
SchedModel *sched_fleet_find_model(const SchedFleet *fleet, const char *name);

/**
 * sched_fleet_add_pool:
 * @model: one of the fleet's
 * @aggregates, @traits: (nullable): NULL-terminated
 *
 * Adds @count hosts. Fails with DAXC_ERROR_INVALID when that are none or more than a
 * fleet can have.
 */
gboolean sched_fleet_add_pool(SchedFleet *fleet, const char *name, SchedModel *model,
			      guint count, const char *const *aggregates,
			      const char *const *traits, GError **error);

/**
 * sched_fleet_ready:
 *
 * Makes the hosts, all empty. Nothing is added to the fleet afterwards.
 */
void sched_fleet_ready(SchedFleet *fleet);

/* Returns: (transfer full): an empty fleet of the same pools. It borrows the models of
 * @fleet, which must outlive it. */
SchedFleet *sched_fleet_copy_empty(const SchedFleet *fleet);

static inline const SchedPool *sched_fleet_pool(const SchedFleet *fleet, guint host)
{
	return g_ptr_array_index(fleet->pools, fleet->hosts[host].pool);
}

static inline const SchedModel *sched_fleet_model(const SchedFleet *fleet, guint host)
{
	return sched_fleet_pool(fleet, host)->model;
}

/* Index of zone @zone of @host among those of all hosts. */
guint sched_fleet_unit(const SchedFleet *fleet, guint host, guint zone);
void sched_fleet_find_unit(const SchedFleet *fleet, guint unit, guint *host, guint *zone);

/* Returns: (transfer full): "POOL-N", N counting from 1. */
char *sched_fleet_host_name(const SchedFleet *fleet, guint host);

/* Owners of the colors of the cache domain that @zone is behind. */
static inline guint32 *sched_host_owners(const SchedFleet *fleet, guint host, guint zone)
{
	const SchedModel *model = sched_fleet_model(fleet, host);

	return fleet->hosts[host].owner +
	       model->domain_first[sched_model_zone(model, zone)->domain];
}

/* Free granules of each color of @zone. */
static inline guint32 *sched_host_free(const SchedFleet *fleet, guint host, guint zone)
{
	return fleet->hosts[host].free +
	       sched_model_zone(sched_fleet_model(fleet, host), zone)->first;
}

/**
 * sched_fleet_hold:
 * @colors: ascending; @used: granules of each, at least 1
 *
 * Gives granules to a guest of @tenant, and their colors with them. All of it must be
 * free, and no color another's.
 */
void sched_fleet_hold(SchedFleet *fleet, guint host, guint zone, guint32 tenant,
		      const guint32 *colors, const guint32 *used, guint32 n);

/* Gives a color to a tenant of whom no guest holds a granule of it. */
void sched_fleet_own(SchedFleet *fleet, guint host, guint zone, guint32 tenant,
		     guint32 color);

/* Takes them back. A color of which nobody holds a granule is nobody's. */
void sched_fleet_drop(SchedFleet *fleet, guint host, guint zone, const guint32 *colors,
		      const guint32 *used, guint32 n);

G_END_DECLS
