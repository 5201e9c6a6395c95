// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: from the platform device that has the memory to the last instance.
 */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "dax_color.h"

#define DC_DRIVER	"dax_color"

struct dc_region *dc_region_of(struct device *dev)
{
	return dev_get_drvdata(dev);
}

struct dc_region *dc_region_get(struct dc_region *region)
{
	kref_get(&region->kref);
	return region;
}

static void dc_region_free(struct kref *kref)
{
	struct dc_region *region = container_of(kref, struct dc_region, kref);

	dc_inodes_free(region);
	ida_destroy(&region->ids);
	dc_bad_keep(region);
	dc_blocks_exit(region);
	dcs_exit(&region->space);
	if (region->domain)
		dc_domain_put(region->domain);
	put_device(region->dev);
	kfree(region);
}

void dc_region_put(struct dc_region *region)
{
	kref_put(&region->kref, dc_region_free);
}

void dc_region_changed(struct dc_region *region)
{
	lockdep_assert_held(&region->lock);
	WRITE_ONCE(region->generation, region->generation + 1);
	wake_up_all(&region->changed);
	sysfs_notify(&region->dev->kobj, "dax_region", "available_size");
}

static struct dc_region *dc_region_alloc(struct platform_device *pdev, const struct range *range,
					 int node)
{
	struct dc_region *region = kzalloc(sizeof(*region), GFP_KERNEL);

	if (!region)
		return NULL;
	kref_init(&region->kref);
	region->dev = get_device(&pdev->dev);
	region->id = pdev->id;
	region->node = node;
	region->start = range->start;
	region->size = range_len(range);
	ida_init(&region->ids);
	mutex_init(&region->lock);
	INIT_LIST_HEAD(&region->instances);
	INIT_LIST_HEAD(&region->returns);
	INIT_LIST_HEAD(&region->unpinned);
	INIT_DELAYED_WORK(&region->look, dc_return_look);
	init_waitqueue_head(&region->changed);
	spin_lock_init(&region->bad_lock);
	INIT_LIST_HEAD(&region->bad);
	INIT_WORK(&region->retire, dc_retire);
	return region;
}

static int dc_region_fill(struct dc_region *region)
{
	int err = dcs_init(&region->space, region->start, region->size, DC_ALIGN, DCS_DIRTY);

	if (!err)
		err = dc_blocks_init(region);
	if (err)
		return err;
	region->domain = dc_domain_get(region->node);
	return region->domain ? 0 : -ENOMEM;
}

/* What a platform device says of its memory. */
static int dc_read_device(struct platform_device *pdev, struct dc_region_info *info)
{
	const struct memregion_info *hmem = dev_get_platdata(&pdev->dev);

	if (!hmem)
		return -ENODEV;
	if (!strcmp(pdev->name, "hmem")) {
		*info = (struct dc_region_info){ .node = hmem->target_node };
		return dc_hmem_range(pdev, &info->range) ? 0 : -ENODEV;
	}
	if (strcmp(pdev->name, DC_DRIVER))
		return -ENODEV;
	*info = *(const struct dc_region_info *)dev_get_platdata(&pdev->dev);
	return 0;
}

/* What firmware reserved need not be aligned; the rest stays unused. */
static int dc_align_range(struct device *dev, struct range *range)
{
	u64 start = ALIGN(range->start, DC_ALIGN), end = ALIGN_DOWN(range->end + 1, DC_ALIGN);

	if (start >= end) {
		dev_err(dev, "%#llx-%#llx has no %u bytes at a multiple of that\n", range->start,
			range->end, DC_ALIGN);
		return -EINVAL;
	}
	range->start = start;
	range->end = end - 1;
	return 0;
}

static int dc_region_start(struct dc_region *region, const struct dc_region_info *info)
{
	int err = dc_region_fill(region);

	if (!err && info->geometry.kind != DCG_NONE)
		err = dc_domain_begin(region->domain, &info->geometry);
	if (err == -EEXIST)
		dev_err(region->dev, "node %d has another geometry already\n", region->node);
	if (err)
		return err;
	dc_bad_recall(region);
	dev_set_drvdata(region->dev, region);
	dc_instance_plant(region);
	return 0;
}

static int dc_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct dc_region_info info;
	struct range *range = &info.range;
	struct dc_region *region;
	int err;

	err = dc_read_device(pdev, &info);
	if (!err)
		err = dc_align_range(dev, range);
	if (err)
		return err;
	if (!request_mem_region(range->start, range_len(range), dev_name(dev))) {
		dev_err(dev, "%#llx-%#llx is busy: see /proc/iomem for who has part of it\n",
			range->start, range->end);
		return -EBUSY;
	}
	if (dev_to_node(dev) == NUMA_NO_NODE)
		set_dev_node(dev, numa_map_to_online_node(info.node));
	region = dc_region_alloc(pdev, range, info.node);
	err = region ? dc_region_start(region, &info) : -ENOMEM;
	if (err) {
		if (region)
			dc_region_put(region);
		release_mem_region(range->start, range_len(range));
	}
	return err;
}

static struct dc_instance *dc_any_instance(struct dc_region *region)
{
	struct dc_instance *instance;

	mutex_lock(&region->lock);
	instance = list_first_entry_or_null(&region->instances, struct dc_instance, list);
	if (instance)
		list_del_init(&instance->list);
	mutex_unlock(&region->lock);
	return instance;
}

/* Attributes of the region are gone already. Waits for all that is pinned. */
static void dc_remove(struct platform_device *pdev)
{
	struct dc_region *region = dc_region_of(&pdev->dev);
	struct dc_instance *instance;

	mutex_lock(&region->lock);
	WRITE_ONCE(region->dying, true);
	dc_region_changed(region);
	mutex_unlock(&region->lock);
	while ((instance = dc_any_instance(region)))
		dc_instance_remove(instance);
	dc_returns_drain(region);
	release_mem_region(region->start, region->size);
	dc_region_put(region);
}

DC_PLATFORM_REMOVE(dc_remove)

static struct platform_driver dc_driver = {
	.probe = dc_probe,
	DC_PLATFORM_REMOVE_OP(dc_remove),
	.driver = {
		.name = DC_DRIVER,
		.dev_groups = dc_region_groups,
	},
};

/* ---- regions over memory that was reserved at boot ---- */

static char *regions;
module_param(regions, charp, 0444);
MODULE_PARM_DESC(regions, "START+SIZE@NODE[/GRANULE/COLORS[/BASE]],...: memory reserved at boot");

/**
 * struct dc_reserved - an entry of regions=
 * @list: in dc_reserved_regions
 * @info: what was said of it
 * @pdev: NULL: not there yet
 * @id: R of daxR.N
 */
struct dc_reserved {
	struct list_head list;
	struct dc_region_info info;
	struct platform_device *pdev;
	int id;
};

static LIST_HEAD(dc_reserved_regions);

/* A number, and @next behind it, or the end of the text. */
static bool dc_parse_number(char **text, char next, u64 *number)
{
	char *end;

	*number = memparse(*text, &end);
	if (end == *text || (*end && *end != next))
		return false;
	*text = *end ? end + 1 : end;
	return true;
}

static bool dc_parse_geometry(char *text, struct dcg_geometry *geometry)
{
	u64 colors;

	geometry->kind = DCG_ROTATE;
	if (!dc_parse_number(&text, '/', &geometry->granule) ||
	    !dc_parse_number(&text, '/', &colors) || colors > U32_MAX)
		return false;
	geometry->colors = colors;
	/* All behind a number was read, or there is another one. */
	if (*text && !dc_parse_number(&text, 0, &geometry->base))
		return false;
	return !*text && !dcg_check(geometry);
}

static bool dc_parse_region(char *text, struct dc_region_info *info)
{
	u64 start, size, node;
	char *geometry = strchr(text, '/');

	if (geometry)
		*geometry++ = 0;
	if (!dc_parse_number(&text, '+', &start) || !dc_parse_number(&text, '@', &size) ||
	    !dc_parse_number(&text, 0, &node) || *text)
		return false;
	if (!size || !IS_ALIGNED(start | size, DC_ALIGN) || !start || start + size < start ||
	    node >= MAX_NUMNODES)
		return false;
	info->range.start = start;
	info->range.end = start + size - 1;
	info->node = node;
	return !geometry || dc_parse_geometry(geometry, &info->geometry);
}

/* One of them must not be told that the other is in its way, and a node has one geometry. */
static int dc_check_reserved(const struct dc_reserved *new)
{
	const struct range *range = &new->info.range;
	const struct dc_reserved *old;

	list_for_each_entry(old, &dc_reserved_regions, list) {
		const struct range *taken = &old->info.range;

		if (range->start <= taken->end && taken->start <= range->end) {
			pr_err("dax_color: regions=: %#llx-%#llx overlaps %#llx-%#llx\n",
			       range->start, range->end, taken->start, taken->end);
			return -EBUSY;
		}
		if (new->info.node == old->info.node &&
		    !dc_same_geometry(&new->info.geometry, &old->info.geometry)) {
			pr_err("dax_color: regions=: two geometries for node %d\n", new->info.node);
			return -EINVAL;
		}
	}
	if (region_intersects(range->start, range_len(range), IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT) {
		pr_err("dax_color: regions=: %#llx-%#llx is the system's memory: reserve it at boot\n",
		       range->start, range->end);
		return -EBUSY;
	}
	return 0;
}

/*
 * The device has no resource of its own: that would take in whatever is within its range,
 * though others use it, and take it along when the device goes.
 */
static int dc_register_device(struct dc_reserved *reserved)
{
	struct platform_device_info device = {
		.name = DC_DRIVER,
		.id = reserved->id,
		.data = &reserved->info,
		.size_data = sizeof(reserved->info),
	};
	struct platform_device *pdev;

	pdev = platform_device_register_full(&device);
	if (IS_ERR(pdev)) {
		pr_err("dax_color: regions=: %#llx-%#llx cannot have a device: error %ld\n",
		       reserved->info.range.start, reserved->info.range.end, PTR_ERR(pdev));
		return PTR_ERR(pdev);
	}
	/* Its probe has said why. */
	if (!pdev->dev.driver) {
		platform_device_unregister(pdev);
		return -EBUSY;
	}
	reserved->pdev = pdev;
	return 0;
}

static int dc_reserved_start(struct dc_reserved *reserved)
{
	int err;

	reserved->id = memregion_alloc(GFP_KERNEL);
	if (reserved->id < 0)
		return reserved->id;
	err = dc_register_device(reserved);
	if (err)
		memregion_free(reserved->id);
	return err;
}

static void dc_reserved_remove_all(void)
{
	struct dc_reserved *reserved, *next;

	list_for_each_entry_safe(reserved, next, &dc_reserved_regions, list) {
		if (reserved->pdev) {
			platform_device_unregister(reserved->pdev);
			memregion_free(reserved->id);
		}
		kfree(reserved);
	}
	INIT_LIST_HEAD(&dc_reserved_regions);
}

static int dc_reserved_parse_one(char *text)
{
	struct dc_reserved *reserved = kzalloc(sizeof(*reserved), GFP_KERNEL);
	int err;

	if (!reserved)
		return -ENOMEM;
	if (dc_parse_region(text, &reserved->info)) {
		err = dc_check_reserved(reserved);
	} else {
		pr_err("dax_color: regions=%s is not START+SIZE@NODE[/GRANULE/COLORS[/BASE]], all multiples of 2M\n",
		       regions);
		err = -EINVAL;
	}
	if (err)
		kfree(reserved);
	else
		list_add_tail(&reserved->list, &dc_reserved_regions);
	return err;
}

/* All of it is looked at before any of it is done. */
static int dc_reserved_parse(char *text)
{
	struct dc_reserved *reserved;
	char *one;
	int err = 0;

	while (!err && (one = strsep(&text, ",")))
		err = dc_reserved_parse_one(one);
	if (err)
		return err;
	list_for_each_entry(reserved, &dc_reserved_regions, list) {
		err = dc_reserved_start(reserved);
		if (err)
			return err;
	}
	return 0;
}

static int dc_reserved_add_all(void)
{
	char *copy;
	int err;

	if (!regions || !*regions)
		return 0;
	copy = kstrdup(regions, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	err = dc_reserved_parse(copy);
	kfree(copy);
	return err;
}

int dc_region_driver_register(void)
{
	int err = platform_driver_register(&dc_driver);

	if (err)
		return err;
	err = dc_reserved_add_all();
	if (err)
		dc_region_driver_unregister();
	return err;
}

void dc_region_driver_unregister(void)
{
	dc_reserved_remove_all();
	platform_driver_unregister(&dc_driver);
}
