// SPDX-License-Identifier: GPL-2.0
/*
 * Cache domains: which color is whose. One for each NUMA node that has regions.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "dax_color.h"

static LIST_HEAD(dc_domains);
static DEFINE_MUTEX(dc_domains_lock);

static struct dc_domain *dc_domain_find(int node)
{
	struct dc_domain *domain;

	list_for_each_entry(domain, &dc_domains, list) {
		if (domain->node == node)
			return domain;
	}
	return NULL;
}

static struct dc_domain *dc_domain_new(int node)
{
	struct dc_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL);

	if (!domain)
		return NULL;
	domain->node = node;
	mutex_init(&domain->lock);
	list_add(&domain->list, &dc_domains);
	return domain;
}

struct dc_domain *dc_domain_get(int node)
{
	struct dc_domain *domain;

	mutex_lock(&dc_domains_lock);
	domain = dc_domain_find(node);
	if (!domain)
		domain = dc_domain_new(node);
	if (domain)
		domain->users++;
	mutex_unlock(&dc_domains_lock);
	return domain;
}

void dc_domain_put(struct dc_domain *domain)
{
	mutex_lock(&dc_domains_lock);
	if (--domain->users) {
		mutex_unlock(&dc_domains_lock);
		return;
	}
	list_del(&domain->list);
	mutex_unlock(&dc_domains_lock);
	WARN_ON(domain->bytes);
	kvfree(domain->colors);
	kfree(domain);
}

bool dc_same_geometry(const struct dcg_geometry *a, const struct dcg_geometry *b)
{
	return a->kind == b->kind && a->granule == b->granule && a->colors == b->colors &&
	       a->base == b->base;
}

/* Why @domain cannot have @geometry now. With its lock. */
static int dc_domain_refuses(const struct dc_domain *domain, const struct dcg_geometry *geometry,
			     bool first)
{
	if (first && domain->geometry.kind != DCG_NONE)
		return dc_same_geometry(&domain->geometry, geometry) ? 0 : -EEXIST;
	return domain->bytes ? -EBUSY : 0;
}

static int dc_domain_replace(struct dc_domain *domain, const struct dcg_geometry *geometry,
			     bool first)
{
	struct dc_color *colors = NULL;
	int err;

	if (geometry->kind != DCG_NONE) {
		err = dcg_check(geometry);
		if (err)
			return err;
		colors = kvcalloc(geometry->colors, sizeof(*colors), GFP_KERNEL);
		if (!colors)
			return -ENOMEM;
	}
	mutex_lock(&domain->lock);
	err = dc_domain_refuses(domain, geometry, first);
	if (!err && !dc_same_geometry(&domain->geometry, geometry)) {
		domain->geometry = *geometry;
		swap(domain->colors, colors);
	}
	mutex_unlock(&domain->lock);
	kvfree(colors);
	return err;
}

int dc_domain_set(struct dc_domain *domain, const struct dcg_geometry *geometry)
{
	return dc_domain_replace(domain, geometry, false);
}

int dc_domain_begin(struct dc_domain *domain, const struct dcg_geometry *geometry)
{
	return dc_domain_replace(domain, geometry, true);
}

const struct dcg_geometry *dc_domain_geometry(const struct dc_domain *domain)
{
	return domain->geometry.kind == DCG_NONE ? NULL : &domain->geometry;
}

bool dc_domain_may(const struct dc_domain *domain, const uuid_t *key, u32 color)
{
	const struct dc_color *c = &domain->colors[color];

	return !c->bytes || uuid_equal(&c->owner, key);
}

/* End of the part of [at, end) that is in one granule. */
static u64 dc_granule_end(const struct dc_domain *domain, u64 at, u64 end)
{
	u64 granule = domain->geometry.granule;

	return min(end, ALIGN_DOWN(at, granule) + granule);
}

int dc_domain_check(const struct dc_domain *domain, const uuid_t *key, u64 start, u64 size)
{
	u64 at, end = start + size;
	u32 color;

	if (!domain->colors)
		return 0;
	for (at = start; at < end; at = dc_granule_end(domain, at, end)) {
		if (!dcg_color(&domain->geometry, at, &color) || !dc_domain_may(domain, key, color))
			return -EPERM;
	}
	return 0;
}

void dc_domain_claim(struct dc_domain *domain, const uuid_t *key, u64 start, u64 size)
{
	u64 at, next, end = start + size;
	u32 color;

	domain->bytes += size;
	if (!domain->colors)
		return;
	for (at = start; at < end; at = next) {
		next = dc_granule_end(domain, at, end);
		if (WARN_ON_ONCE(!dcg_color(&domain->geometry, at, &color)))
			continue;
		domain->colors[color].owner = *key;
		domain->colors[color].bytes += next - at;
	}
}

void dc_domain_drop(struct dc_domain *domain, u64 start, u64 size)
{
	u64 at, next, end = start + size;
	u32 color;

	domain->bytes -= size;
	if (!domain->colors)
		return;
	for (at = start; at < end; at = next) {
		next = dc_granule_end(domain, at, end);
		if (WARN_ON_ONCE(!dcg_color(&domain->geometry, at, &color)))
			continue;
		domain->colors[color].bytes -= next - at;
	}
}
