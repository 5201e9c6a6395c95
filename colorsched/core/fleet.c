// SPDX-License-Identifier: GPL-2.0-or-later
/* Models, pools, hosts, and who has which color of them. */
#include "fleet.h"

#include <string.h>

#include <daxcolor/error.h>

static void zone_clear(gpointer zone)
{
	g_free(((SchedZone *)zone)->total);
}

void sched_model_free(SchedModel *model)
{
	if (!model)
		return;
	g_free(model->name);
	g_clear_pointer(&model->layout, daxc_layout_free);
	g_array_unref(model->zones);
	g_free(model->domain_first);
	g_free(model);
}

static guint64 slice_of(const DaxcGeometry *geometry, gint node)
{
	const DaxcCacheDomain *domain = daxc_geometry_for_node(geometry, node);

	return domain ? domain->cache_size / domain->colors : 0;
}

static void add_zone(SchedModel *model, const DaxcGeometry *geometry,
		     const DaxcZone *source)
{
	SchedZone zone = {
		.region = source->region,
		.node = source->node,
		.domain = source->domain,
		.granule = source->granule,
		.slice = slice_of(geometry, source->node),
		.colors = daxc_layout_domain(model->layout, source->domain)->colors,
		.first = model->counts,
	};

	zone.total = g_new0(guint32, zone.colors);
	for (guint32 i = 0; i < source->n; i++) {
		if (source->color[i] == DAXC_NO_COLOR)
			continue;
		zone.total[source->color[i]]++;
		zone.granules++;
	}
	model->counts += zone.colors;
	g_array_append_val(model->zones, zone);
}

static void refuse_empty(const char *name, GError **error)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "a host of model %s has no memory behind a memory-side cache", name);
}

SchedModel *sched_model_new(const char *name, const DaxcGeometry *geometry,
			    DaxcLayout *layout, GError **error)
{
	g_autoptr(SchedModel) model = g_new0(SchedModel, 1);
	guint32 granules = 0, owners = 0;

	model->name = g_strdup(name);
	model->layout = layout;
	model->zones = g_array_new(FALSE, FALSE, sizeof(SchedZone));
	g_array_set_clear_func(model->zones, zone_clear);
	model->domains = daxc_layout_domains(layout);
	model->domain_first = g_new(guint32, model->domains + 1);
	for (guint i = 0; i < model->domains; i++) {
		model->domain_first[i] = owners;
		owners += daxc_layout_domain(layout, i)->colors;
	}
	model->domain_first[model->domains] = owners;
	for (guint i = 0; i < daxc_layout_zones(layout); i++) {
		add_zone(model, geometry, daxc_layout_zone(layout, i));
		granules += sched_model_zone(model, i)->granules;
	}
	if (granules > 0)
		return g_steal_pointer(&model);
	refuse_empty(name, error);
	return NULL;
}

static void copy_zone(SchedModel *model, const SchedZone *source, guint index)
{
	SchedZone zone = *source;

	zone.domain = index;
	zone.first = model->counts;
	zone.total = g_memdup2(source->total, source->colors * sizeof(guint32));
	zone.granules = 0;
	for (guint32 c = 0; c < zone.colors; c++)
		zone.granules += zone.total[c];
	model->domain_first[index] = model->counts;
	model->counts += zone.colors;
	g_array_append_val(model->zones, zone);
}

SchedModel *sched_model_from_counts(const char *name, const GArray *zones, GError **error)
{
	SchedModel *model = g_new0(SchedModel, 1);
	guint64 granules = 0;

	model->name = g_strdup(name);
	model->zones = g_array_new(FALSE, FALSE, sizeof(SchedZone));
	g_array_set_clear_func(model->zones, zone_clear);
	model->domains = zones->len;
	model->domain_first = g_new(guint32, model->domains + 1);
	for (guint i = 0; i < zones->len; i++) {
		copy_zone(model, &g_array_index(zones, SchedZone, i), i);
		granules += sched_model_zone(model, i)->granules;
	}
	model->domain_first[model->domains] = model->counts;
	if (granules > 0)
		return model;
	refuse_empty(name, error);
	sched_model_free(model);
	return NULL;
}

static void pool_free(gpointer data)
{
	SchedPool *pool = data;

	g_free(pool->name);
	g_strfreev(pool->aggregates);
	g_strfreev(pool->traits);
	g_free(pool);
}

static void model_destroy(gpointer model)
{
	sched_model_free(model);
}

SchedFleet *sched_fleet_new(void)
{
	SchedFleet *fleet = g_new0(SchedFleet, 1);

	fleet->models = g_ptr_array_new_with_free_func(model_destroy);
	fleet->pools = g_ptr_array_new_with_free_func(pool_free);
	return fleet;
}

void sched_fleet_free(SchedFleet *fleet)
{
	if (!fleet)
		return;
	g_ptr_array_unref(fleet->pools);
	g_ptr_array_unref(fleet->models);
	g_free(fleet->hosts);
	g_free(fleet->counts);
	g_free(fleet);
}

void sched_fleet_add_model(SchedFleet *fleet, SchedModel *model)
{
	g_ptr_array_add(fleet->models, model);
}

SchedModel *sched_fleet_find_model(const SchedFleet *fleet, const char *name)
{
	for (guint i = 0; i < fleet->models->len; i++) {
		SchedModel *model = g_ptr_array_index(fleet->models, i);

		if (strcmp(model->name, name) == 0)
			return model;
	}
	return NULL;
}

/* Counts of one host: owners and held granules by domain, free ones by zone. */
static guint64 host_counts(const SchedModel *model)
{
	return 2 * (guint64)model->domain_first[model->domains] + model->counts;
}

static guint64 colors_of(const SchedFleet *fleet)
{
	guint64 colors = 0;

	for (guint i = 0; i < fleet->pools->len; i++) {
		const SchedPool *pool = g_ptr_array_index(fleet->pools, i);

		colors += (guint64)pool->count * pool->model->counts;
	}
	return colors;
}

gboolean sched_fleet_add_pool(SchedFleet *fleet, const char *name, SchedModel *model,
			      guint count, const char *const *aggregates,
			      const char *const *traits, GError **error)
{
	static const char *const none[] = {NULL};
	SchedPool *pool;

	if (count == 0 || count > SCHED_HOSTS_MAX - fleet->n_hosts ||
	    (guint64)count * model->zones->len > SCHED_UNITS_MAX - fleet->units ||
	    (guint64)count * model->counts > SCHED_COLORS_MAX - colors_of(fleet)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "a fleet has 1 to %u hosts, at most %u zones and %u colors "
			    "in all of them together",
			    SCHED_HOSTS_MAX, SCHED_UNITS_MAX, SCHED_COLORS_MAX);
		return FALSE;
	}
	pool = g_new0(SchedPool, 1);
	pool->name = g_strdup(name);
	pool->model = model;
	pool->aggregates = g_strdupv((char **)(aggregates ? aggregates : none));
	pool->traits = g_strdupv((char **)(traits ? traits : none));
	pool->first = fleet->n_hosts;
	pool->count = count;
	pool->unit = fleet->units;
	fleet->n_hosts += count;
	fleet->units += count * model->zones->len;
	g_ptr_array_add(fleet->pools, pool);
	return TRUE;
}

static void make_host(SchedHost *host, guint pool, const SchedModel *model,
		      guint32 *counts)
{
	guint32 owners = model->domain_first[model->domains];

	host->pool = pool;
	host->owner = counts;
	host->held = counts + owners;
	host->free = counts + 2 * (gsize)owners;
	for (guint i = 0; i < model->zones->len; i++) {
		const SchedZone *zone = sched_model_zone(model, i);

		memcpy(host->free + zone->first, zone->total,
		       zone->colors * sizeof(guint32));
	}
}

void sched_fleet_ready(SchedFleet *fleet)
{
	guint64 counts = 0, at = 0;

	for (guint i = 0; i < fleet->pools->len; i++) {
		const SchedPool *pool = g_ptr_array_index(fleet->pools, i);

		counts += pool->count * host_counts(pool->model);
	}
	fleet->counts = g_new0(guint32, MAX(counts, 1));
	fleet->hosts = g_new0(SchedHost, MAX(fleet->n_hosts, 1));
	for (guint i = 0; i < fleet->pools->len; i++) {
		const SchedPool *pool = g_ptr_array_index(fleet->pools, i);

		for (guint h = 0; h < pool->count; h++) {
			make_host(&fleet->hosts[pool->first + h], i, pool->model,
				  fleet->counts + at);
			at += host_counts(pool->model);
		}
		for (guint z = 0; z < pool->model->zones->len; z++) {
			const SchedZone *zone = sched_model_zone(pool->model, z);

			fleet->capacity += pool->count * zone->granule * zone->granules;
		}
	}
}

SchedFleet *sched_fleet_copy_empty(const SchedFleet *fleet)
{
	SchedFleet *copy = sched_fleet_new();

	g_ptr_array_set_free_func(copy->models, NULL);
	for (guint i = 0; i < fleet->models->len; i++)
		g_ptr_array_add(copy->models, g_ptr_array_index(fleet->models, i));
	for (guint i = 0; i < fleet->pools->len; i++) {
		const SchedPool *pool = g_ptr_array_index(fleet->pools, i);

		sched_fleet_add_pool(copy, pool->name, pool->model, pool->count,
				     (const char *const *)pool->aggregates,
				     (const char *const *)pool->traits, NULL);
	}
	sched_fleet_ready(copy);
	return copy;
}

guint sched_fleet_unit(const SchedFleet *fleet, guint host, guint zone)
{
	const SchedPool *pool = sched_fleet_pool(fleet, host);

	return pool->unit + (host - pool->first) * pool->model->zones->len + zone;
}

void sched_fleet_find_unit(const SchedFleet *fleet, guint unit, guint *host, guint *zone)
{
	guint low = 0, high = fleet->pools->len;
	const SchedPool *pool;

	while (high - low > 1) {
		guint middle = low + (high - low) / 2;

		pool = g_ptr_array_index(fleet->pools, middle);
		if (pool->unit <= unit)
			low = middle;
		else
			high = middle;
	}
	pool = g_ptr_array_index(fleet->pools, low);
	*host = pool->first + (unit - pool->unit) / pool->model->zones->len;
	*zone = (unit - pool->unit) % pool->model->zones->len;
}

char *sched_fleet_host_name(const SchedFleet *fleet, guint host)
{
	const SchedPool *pool = sched_fleet_pool(fleet, host);

	return g_strdup_printf("%s-%u", pool->name, host - pool->first + 1);
}

/* Bytes of a color that are free, in all zones of its domain. */
static guint64 free_of_color(const SchedFleet *fleet, guint host, guint domain,
			     guint32 color)
{
	const SchedModel *model = sched_fleet_model(fleet, host);
	guint64 bytes = 0;

	for (guint i = 0; i < model->zones->len; i++) {
		const SchedZone *zone = sched_model_zone(model, i);

		if (zone->domain == domain)
			bytes += zone->granule *
				 fleet->hosts[host].free[zone->first + color];
	}
	return bytes;
}

void sched_fleet_own(SchedFleet *fleet, guint host, guint zone, guint32 tenant,
		     guint32 color)
{
	guint32 *owner = sched_host_owners(fleet, host, zone);
	guint domain = sched_model_zone(sched_fleet_model(fleet, host), zone)->domain;

	g_assert(owner[color] == SCHED_NOBODY);
	owner[color] = tenant;
	fleet->idle += free_of_color(fleet, host, domain, color);
	fleet->owned++;
}

void sched_fleet_hold(SchedFleet *fleet, guint host, guint zone_index, guint32 tenant,
		      const guint32 *colors, const guint32 *used, guint32 n)
{
	const SchedModel *model = sched_fleet_model(fleet, host);
	const SchedZone *zone = sched_model_zone(model, zone_index);
	guint32 *owner = sched_host_owners(fleet, host, zone_index);
	guint32 *held = fleet->hosts[host].held + model->domain_first[zone->domain];
	guint32 *free = sched_host_free(fleet, host, zone_index);

	for (guint32 i = 0; i < n; i++) {
		guint32 color = colors[i];

		g_assert(used[i] > 0 && used[i] <= free[color]);
		g_assert(owner[color] == SCHED_NOBODY || owner[color] == tenant);
		if (owner[color] == SCHED_NOBODY)
			sched_fleet_own(fleet, host, zone_index, tenant, color);
		held[color] += used[i];
		free[color] -= used[i];
		fleet->idle -= used[i] * zone->granule;
		fleet->held += used[i] * zone->granule;
	}
}

void sched_fleet_drop(SchedFleet *fleet, guint host, guint zone_index,
		      const guint32 *colors, const guint32 *used, guint32 n)
{
	const SchedModel *model = sched_fleet_model(fleet, host);
	const SchedZone *zone = sched_model_zone(model, zone_index);
	guint32 *owner = sched_host_owners(fleet, host, zone_index);
	guint32 *held = fleet->hosts[host].held + model->domain_first[zone->domain];
	guint32 *free = sched_host_free(fleet, host, zone_index);

	for (guint32 i = 0; i < n; i++) {
		guint32 color = colors[i];

		g_assert(used[i] <= held[color]);
		held[color] -= used[i];
		free[color] += used[i];
		fleet->held -= used[i] * zone->granule;
		fleet->idle += used[i] * zone->granule;
		if (held[color] > 0)
			continue;
		owner[color] = SCHED_NOBODY;
		fleet->owned--;
		fleet->idle -= free_of_color(fleet, host, zone->domain, color);
	}
}
