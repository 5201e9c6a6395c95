// SPDX-License-Identifier: GPL-2.0
/*
 * Giving memory to instances and taking it back, also while it is in use.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "dax_color.h"
#include "trace.h"

/**
 * struct dc_ask - what an instance asks for
 * @size: bytes, anywhere; or length of the range at @start
 * @start: where; 0: anywhere (no region begins there)
 * @colors: of these colors; NULL: any
 * @nr_colors: how many there were when it was asked
 * @count: granules of @colors
 */
struct dc_ask {
	u64 size;
	u64 start;
	const unsigned long *colors;
	u32 nr_colors;
	u32 count;
};

/**
 * struct dc_grant - what it got, and is not yet its own
 * @ranges: by page offset
 * @dirty: the parts that have to be zeroed
 * @mapped: bytes, from the first range on, that have struct pages
 */
struct dc_grant {
	struct dcs_ranges ranges;
	struct dcs_ranges dirty;
	u64 mapped;
};

static struct dce_extents *dc_extents(struct dc_instance *instance)
{
	return rcu_dereference_protected(instance->extents, lockdep_is_held(&instance->lock));
}

u64 dc_size(struct dc_instance *instance)
{
	struct dce_extents *extents = dc_extents(instance);

	return extents ? extents->size : 0;
}

/* Address behind the last extent. */
static u64 dc_end(const struct dce_extents *extents)
{
	const struct dce_extent *last;

	if (!extents)
		return 0;
	last = &extents->list[extents->nr - 1];
	return last->start + last->size;
}

/* ---- choosing; with the locks of region and domain ---- */

static bool dc_may(void *data, u32 color)
{
	const struct dc_instance *instance = data;

	return dc_domain_may(instance->region->domain, &instance->key, color);
}

static int dc_choose_range(struct dc_instance *instance, const struct dc_ask *ask,
			   struct dcs_ranges *out)
{
	struct dc_region *region = instance->region;
	int err = dcs_check_free(&region->space, ask->start, ask->size);

	if (err)
		return err;
	err = dc_domain_check(region->domain, &instance->key, ask->start, ask->size);
	if (err)
		return err;
	out->list = kvmalloc(sizeof(*out->list), GFP_KERNEL);
	if (!out->list)
		return -ENOMEM;
	out->list[0].start = ask->start;
	out->list[0].size = ask->size;
	out->nr = 1;
	out->room = 1;
	out->size = ask->size;
	return 0;
}

static int dc_choose_colors(struct dc_instance *instance, const struct dc_ask *ask,
			    struct dcs_ranges *out)
{
	struct dc_region *region = instance->region;
	const struct dcg_geometry *geometry = dc_domain_geometry(region->domain);
	unsigned int color;

	if (!geometry)
		return -ENODATA;
	/* It was another geometry a moment ago. */
	if (geometry->colors != ask->nr_colors)
		return -EBUSY;
	for_each_set_bit(color, ask->colors, geometry->colors) {
		if (!dc_domain_may(region->domain, &instance->key, color))
			return -EPERM;
	}
	return dcs_find_colors(&region->space, ask->count, geometry, ask->colors, out);
}

static int dc_choose(struct dc_instance *instance, const struct dc_ask *ask,
		     struct dcs_ranges *out)
{
	struct dc_region *region = instance->region;

	if (ask->colors)
		return dc_choose_colors(instance, ask, out);
	if (ask->start)
		return dc_choose_range(instance, ask, out);
	return dcs_find(&region->space, ask->size, max_t(u64, instance->align, DC_ALIGN),
			dc_end(dc_extents(instance)), dc_domain_geometry(region->domain), dc_may,
			instance, out);
}

/* ---- taking; with the region's lock ---- */

static void dc_set(struct dc_region *region, const struct dcs_ranges *ranges, enum dcs_state state,
		   const void *holder)
{
	u32 i;

	for (i = 0; i < ranges->nr; i++)
		dc_space_set(region, ranges->list[i].start, ranges->list[i].size, state, holder);
}

/* Room for taking it and for giving it up again. */
static int dc_reserve(struct dc_region *region, const struct dc_grant *grant)
{
	return dcs_reserve(&region->space, 2 * grant->ranges.nr + grant->dirty.nr);
}

static int dc_take_chosen(struct dc_instance *instance, struct dc_grant *grant)
{
	struct dc_region *region = instance->region;
	int err = dcs_collect(&region->space, &grant->ranges, DCS_DIRTY, &grant->dirty);

	if (!err)
		err = dc_reserve(region, grant);
	if (!err)
		dc_set(region, &grant->ranges, DCS_PREPARING, instance);
	return err;
}

/* Choice and claim are one step for all regions of the domain. */
static int dc_choose_and_claim(struct dc_instance *instance, const struct dc_ask *ask,
			       struct dcs_ranges *out)
{
	struct dc_domain *domain = instance->region->domain;
	int err;
	u32 i;

	mutex_lock(&domain->lock);
	err = dc_choose(instance, ask, out);
	for (i = 0; !err && i < out->nr; i++)
		dc_domain_claim(domain, &instance->key, out->list[i].start, out->list[i].size);
	mutex_unlock(&domain->lock);
	return err;
}

static void dc_unclaim(struct dc_region *region, const struct dcs_ranges *ranges)
{
	u32 i;

	mutex_lock(&region->domain->lock);
	for (i = 0; i < ranges->nr; i++)
		dc_domain_drop(region->domain, ranges->list[i].start, ranges->list[i].size);
	mutex_unlock(&region->domain->lock);
}

static int dc_take_locked(struct dc_instance *instance, const struct dc_ask *ask,
			  struct dc_grant *grant)
{
	struct dc_region *region = instance->region;
	int err;

	if (region->dying)
		return -ENXIO;
	dc_retire_free(region);
	err = dc_choose_and_claim(instance, ask, &grant->ranges);
	if (err)
		return err;
	err = dc_take_chosen(instance, grant);
	if (err)
		dc_unclaim(region, &grant->ranges);
	return err;
}

static void dc_grant_free(struct dc_grant *grant)
{
	dcs_ranges_free(&grant->ranges);
	dcs_ranges_free(&grant->dirty);
}

static int dc_wait_changed(struct dc_region *region, unsigned long generation)
{
	return wait_event_killable(region->changed,
				   READ_ONCE(region->generation) != generation) ? -EINTR : 0;
}

/* Waits for memory that is being zeroed, if it takes that. */
static int dc_take(struct dc_instance *instance, const struct dc_ask *ask, struct dc_grant *grant)
{
	struct dc_region *region = instance->region;
	unsigned long generation;
	int err;

	do {
		memset(grant, 0, sizeof(*grant));
		mutex_lock(&region->lock);
		generation = region->generation;
		err = dc_take_locked(instance, ask, grant);
		mutex_unlock(&region->lock);
		if (err)
			dc_grant_free(grant);
		if (err != -EAGAIN)
			return err;
		err = dc_wait_changed(region, generation);
	} while (!err);
	return err;
}

static void dc_give_up(struct dc_instance *instance, struct dc_grant *grant)
{
	struct dc_region *region = instance->region;

	mutex_lock(&region->lock);
	dc_set(region, &grant->ranges, DCS_CLEAN, NULL);
	dc_set(region, &grant->dirty, DCS_DIRTY, NULL);
	dc_blocks_put_ranges(region, &grant->ranges, grant->mapped);
	dc_unclaim(region, &grant->ranges);
	dc_retire_free(region);
	dc_region_changed(region);
	mutex_unlock(&region->lock);
}

/* ---- growing ---- */

/* Faults see either all of the grant or nothing of it. */
static int dc_publish(struct dc_instance *instance, const struct dc_grant *grant)
{
	struct dc_region *region = instance->region;
	struct dce_extents *old = dc_extents(instance), *new;
	u64 from = dc_size(instance);
	int err;

	new = dce_grow(old, &grant->ranges);
	if (!new)
		return -ENOMEM;
	err = dc_mappings_grow(instance, new);
	if (err) {
		dce_free(new);
		return err;
	}
	mutex_lock(&region->lock);
	dc_set(region, &grant->ranges, DCS_HELD, instance);
	mutex_unlock(&region->lock);
	rcu_assign_pointer(instance->extents, new);
	synchronize_srcu_expedited(&dc_srcu);
	dce_free(old);
	trace_dax_color_resize(instance, from, new->size);
	return 0;
}

static int dc_grow_pinned(struct dc_instance *instance, const struct dc_ask *ask)
{
	struct dc_region *region = instance->region;
	struct dc_grant grant;
	int err = dc_take(instance, ask, &grant);

	if (err)
		return err;
	err = dc_blocks_get(region, &grant.ranges, instance->align, &grant.mapped);
	if (!err)
		err = dc_zero(region->node, &grant.dirty, &region->dying, NULL);
	if (!err)
		err = dc_publish(instance, &grant);
	if (err)
		dc_give_up(instance, &grant);
	dc_grant_free(&grant);
	return err;
}

/* Whoever has memory keeps the module. */
static int dc_grow(struct dc_instance *instance, const struct dc_ask *ask)
{
	bool first = !dc_extents(instance);
	int err;

	if (instance->dead)
		return -ENXIO;
	if (first && !try_module_get(THIS_MODULE))
		return -ENXIO;
	err = dc_grow_pinned(instance, ask);
	if (err && first)
		module_put(THIS_MODULE);
	if (!err && first)
		dc_instance_sprout(instance);
	return err;
}

int dc_add_range(struct dc_instance *instance, u64 start, u64 end)
{
	struct dc_region *region = instance->region;
	struct dc_ask ask = { .start = start, .size = end - start + 1 };

	if (!IS_ALIGNED(start | (end + 1), max_t(u64, instance->align, DC_ALIGN)))
		return -EINVAL;
	if (start < region->start || end > region->start + region->size - 1)
		return -ERANGE;
	return dc_grow(instance, &ask);
}

int dc_add_colors(struct dc_instance *instance, u32 count, const unsigned long *colors,
		  u32 nr_colors)
{
	struct dc_ask ask = { .count = count, .colors = colors, .nr_colors = nr_colors };

	return dc_grow(instance, &ask);
}

/* ---- shrinking ---- */

/*
 * With the region's lock: [start, start + size), by blocks: what is pinned or not yet
 * zeroed in one keeps nobody from the others.
 */
static void dc_return_blocks(struct dc_region *region, u64 start, u64 size)
{
	struct dcs_range range;
	u64 end = start + size;

	for (; start < end; start += range.size) {
		range.start = start;
		range.size = min(end, ALIGN_DOWN(start, DC_BLOCK) + DC_BLOCK) - start;
		dc_return(region, &range);
	}
}

/* With the region's lock: what of @old is at @size and behind it. */
static void dc_return_behind(struct dc_region *region, const struct dce_extents *old, u64 size)
{
	u64 kept;
	u32 i;

	for (i = 0; i < old->nr; i++) {
		const struct dce_extent *extent = &old->list[i];

		if (extent->offset + extent->size <= size)
			continue;
		kept = size > extent->offset ? size - extent->offset : 0;
		dc_return_blocks(region, extent->start + kept, extent->size - kept);
	}
}

/*
 * Before what is cut off can be anybody's, no fault can find it and no mapping has
 * it. Nothing here can fail.
 */
static void dc_cut(struct dc_instance *instance, struct dce_extents *new)
{
	struct dc_region *region = instance->region;
	struct dce_extents *old = dc_extents(instance);
	u64 size = new ? new->size : 0;

	rcu_assign_pointer(instance->extents, new);
	synchronize_srcu_expedited(&dc_srcu);
	dc_unmap(instance, size, old->size - size);
	dc_flush_forgotten();
	dc_mappings_shrink(instance, new);
	mutex_lock(&region->lock);
	dc_return_behind(region, old, size);
	mutex_unlock(&region->lock);
	trace_dax_color_resize(instance, old->size, size);
	dce_free(old);
	if (!new)
		module_put(THIS_MODULE);
}

void dc_empty(struct dc_instance *instance)
{
	if (dc_extents(instance))
		dc_cut(instance, NULL);
}

static int dc_shrink(struct dc_instance *instance, u64 size)
{
	struct dce_extents *new;
	int err = dce_shrink(dc_extents(instance), size, &new, NULL);

	if (err)
		return err;
	dc_cut(instance, new);
	return 0;
}

int dc_resize(struct dc_instance *instance, u64 size)
{
	struct dc_ask ask = { };
	u64 old = dc_size(instance);

	if (instance->dead)
		return -ENXIO;
	if (!IS_ALIGNED(size, max_t(u64, instance->align, DC_ALIGN)))
		return -EINVAL;
	if (size < old && dc_claimed(instance))
		return -EBUSY;
	if (!size) {
		dc_empty(instance);
		return 0;
	}
	if (size < old)
		return dc_shrink(instance, size);
	ask.size = size - old;
	return ask.size ? dc_grow(instance, &ask) : 0;
}
