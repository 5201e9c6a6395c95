// SPDX-License-Identifier: GPL-2.0
/*
 * Instances: devices daxR.N, from creation to the last reference.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "dax_color.h"
#include "trace.h"

/**
 * struct dc_mapping - directory mappingN of an instance
 * @kobj: the directory
 * @start: first address
 * @end: last address; grows and shrinks with the last extent
 * @page_offset: where it begins in the instance
 *
 * Who reads it takes no lock, for who removes it waits for its readers.
 */
struct dc_mapping {
	struct kobject kobj;
	u64 start;
	u64 end;
	u64 page_offset;
};

/* Class "dax", as before there was a bus of that name: the tools know both. */
static struct class dc_class = {
	.name = "dax",
	.class_groups = dc_claim_groups,
};

static dev_t dc_devt;
static DEFINE_IDA(dc_minors);

#define to_dc_mapping(k) container_of(k, struct dc_mapping, kobj)

static ssize_t start_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", to_dc_mapping(kobj)->start);
}

static ssize_t end_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", READ_ONCE(to_dc_mapping(kobj)->end));
}

static ssize_t page_offset_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", to_dc_mapping(kobj)->page_offset);
}

static struct kobj_attribute dc_mapping_start = __ATTR(start, 0400, start_show, NULL);
static struct kobj_attribute dc_mapping_end = __ATTR(end, 0400, end_show, NULL);
static struct kobj_attribute dc_mapping_page_offset =
	__ATTR(page_offset, 0400, page_offset_show, NULL);

static struct attribute *dc_mapping_attrs[] = {
	&dc_mapping_start.attr,
	&dc_mapping_end.attr,
	&dc_mapping_page_offset.attr,
	NULL
};
ATTRIBUTE_GROUPS(dc_mapping);

static void dc_mapping_release(struct kobject *kobj)
{
	kfree(to_dc_mapping(kobj));
}

static const struct kobj_type dc_mapping_type = {
	.release = dc_mapping_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = dc_mapping_groups,
};

static int dc_mapping_add(struct dc_instance *instance, const struct dce_extent *extent)
{
	struct dc_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	int err;

	if (!mapping)
		return -ENOMEM;
	mapping->start = extent->start;
	mapping->end = extent->start + extent->size - 1;
	mapping->page_offset = PHYS_PFN(extent->offset);
	err = kobject_init_and_add(&mapping->kobj, &dc_mapping_type, &instance->dev.kobj,
				   "mapping%u", instance->nr_mappings);
	if (err) {
		kobject_put(&mapping->kobj);
		return err;
	}
	instance->mappings[instance->nr_mappings++] = mapping;
	return 0;
}

/* The last one that stays may have become longer or shorter. */
static void dc_mapping_adjust(struct dc_instance *instance, const struct dce_extents *extents)
{
	u32 last = instance->nr_mappings - 1;

	if (instance->nr_mappings)
		WRITE_ONCE(instance->mappings[last]->end,
			   extents->list[last].start + extents->list[last].size - 1);
}

static void dc_mappings_cut(struct dc_instance *instance, u32 nr)
{
	while (instance->nr_mappings > nr) {
		struct dc_mapping *mapping = instance->mappings[--instance->nr_mappings];

		kobject_del(&mapping->kobj);
		kobject_put(&mapping->kobj);
	}
}

int dc_mappings_grow(struct dc_instance *instance, const struct dce_extents *new)
{
	struct dc_mapping **mappings;
	u32 old = instance->nr_mappings;
	int err = 0;

	mappings = kvcalloc(new->nr, sizeof(struct dc_mapping *), GFP_KERNEL);
	if (!mappings)
		return -ENOMEM;
	if (old)
		memcpy(mappings, instance->mappings, old * sizeof(*mappings));
	kvfree(instance->mappings);
	instance->mappings = mappings;
	while (!err && instance->nr_mappings < new->nr)
		err = dc_mapping_add(instance, &new->list[instance->nr_mappings]);
	if (err) {
		dc_mappings_cut(instance, old);
		return err;
	}
	if (old)
		WRITE_ONCE(mappings[old - 1]->end,
			   new->list[old - 1].start + new->list[old - 1].size - 1);
	return 0;
}

void dc_mappings_shrink(struct dc_instance *instance, const struct dce_extents *new)
{
	dc_mappings_cut(instance, new ? new->nr : 0);
	dc_mapping_adjust(instance, new);
}

/* The last reference: no file, no attribute, no list knows it any more. */
static void dc_instance_release(struct device *dev)
{
	struct dc_instance *instance = to_dc_instance(dev);

	WARN_ON(rcu_access_pointer(instance->extents));
	ida_free(&dc_minors, MINOR(dev->devt));
	if (instance->inode)
		dc_inode_put(instance->region, instance->inode);
	kvfree(instance->mappings);
	mutex_destroy(&instance->lock);
	dc_region_put(instance->region);
	kfree(instance);
}

static struct dc_instance *dc_instance_alloc(struct dc_region *region)
{
	struct dc_instance *instance = kzalloc(sizeof(*instance), GFP_KERNEL);
	int minor;

	if (!instance)
		return NULL;
	minor = ida_alloc_max(&dc_minors, MINORMASK, GFP_KERNEL);
	if (minor < 0) {
		kfree(instance);
		return NULL;
	}
	mutex_init(&instance->lock);
	spin_lock_init(&instance->open_lock);
	INIT_LIST_HEAD(&instance->list);
	instance->align = DC_ALIGN;
	uuid_gen(&instance->key);
	instance->region = dc_region_get(region);
	device_initialize(&instance->dev);
	instance->dev.parent = region->dev;
	instance->dev.class = &dc_class;
	instance->dev.groups = dc_instance_groups;
	instance->dev.release = dc_instance_release;
	instance->dev.devt = MKDEV(MAJOR(dc_devt), minor);
	set_dev_node(&instance->dev, dev_to_node(region->dev));
	return instance;
}

/* Makes it known. Its id is as low as can be, as that of mainline's. */
static int dc_instance_add(struct dc_instance *instance)
{
	struct dc_region *region = instance->region;
	int err;

	instance->inode = dc_inode_get(region, instance->dev.devt);
	if (!instance->inode)
		return -ENOMEM;
	instance->id = ida_alloc(&region->ids, GFP_KERNEL);
	if (instance->id < 0)
		return instance->id;
	cdev_init(&instance->cdev, &dc_fops);
	instance->cdev.owner = THIS_MODULE;
	err = dev_set_name(&instance->dev, "dax%d.%d", region->id, instance->id);
	if (!err)
		err = cdev_device_add(&instance->cdev, &instance->dev);
	if (err)
		ida_free(&region->ids, instance->id);
	return err;
}

static struct dc_instance *dc_instance_new(struct dc_region *region)
{
	struct dc_instance *instance = dc_instance_alloc(region);
	int err;

	if (!instance)
		return ERR_PTR(-ENOMEM);
	err = dc_instance_add(instance);
	if (err) {
		put_device(&instance->dev);
		return ERR_PTR(err);
	}
	dc_debugfs_instance(instance);
	trace_dax_color_create(instance);
	return instance;
}

int dc_instance_create(struct dc_region *region)
{
	struct dc_instance *instance = dc_instance_new(region);

	if (IS_ERR(instance))
		return PTR_ERR(instance);
	mutex_lock(&region->lock);
	list_add_tail(&instance->list, &region->instances);
	strscpy(region->youngest, dev_name(&instance->dev), sizeof(region->youngest));
	mutex_unlock(&region->lock);
	return 0;
}

/*
 * Everybody sees it from its first moment on, and somebody may have given it memory
 * already: then it is an instance like others. Returns: whether it is the seed.
 */
static bool dc_instance_is_seed(struct dc_instance *instance)
{
	struct dc_region *region = instance->region;
	bool empty;

	/* Another's lock is held when that has just been the seed. */
	mutex_lock_nested(&instance->lock, SINGLE_DEPTH_NESTING);
	mutex_lock(&region->lock);
	list_add_tail(&instance->list, &region->instances);
	empty = !rcu_access_pointer(instance->extents);
	if (empty)
		region->seed = instance;
	mutex_unlock(&region->lock);
	mutex_unlock(&instance->lock);
	return empty;
}

void dc_instance_plant(struct dc_region *region)
{
	struct dc_instance *seed;

	do {
		seed = dc_instance_new(region);
		if (IS_ERR(seed)) {
			dev_warn(region->dev, "no new seed: error %ld\n", PTR_ERR(seed));
			return;
		}
	} while (!dc_instance_is_seed(seed));
}

void dc_instance_sprout(struct dc_instance *instance)
{
	struct dc_region *region = instance->region;
	bool was_seed;

	mutex_lock(&region->lock);
	was_seed = region->seed == instance;
	if (was_seed)
		region->seed = NULL;
	mutex_unlock(&region->lock);
	if (was_seed)
		dc_instance_plant(region);
}

/* Out of sight; who has it open keeps the rest. Without locks: attributes take them. */
static void dc_instance_del(struct dc_instance *instance)
{
	struct dc_region *region = instance->region;

	debugfs_remove(instance->debugfs);
	cdev_device_del(&instance->cdev, &instance->dev);
	ida_free(&region->ids, instance->id);
	put_device(&instance->dev);
}

static struct dc_instance *dc_instance_find(struct dc_region *region, const char *name)
{
	struct dc_instance *instance;

	lockdep_assert_held(&region->lock);
	list_for_each_entry(instance, &region->instances, list) {
		if (!strcmp(dev_name(&instance->dev), name))
			return instance;
	}
	return NULL;
}

struct dc_instance *dc_instance_get(const char *name)
{
	struct device *dev = class_find_device_by_name(&dc_class, name);

	return dev ? to_dc_instance(dev) : NULL;
}

void dc_instances_each(int (*each)(struct device *dev, void *data), void *data)
{
	class_for_each_device(&dc_class, NULL, data, each);
}

bool dc_pinned(struct dc_instance *instance)
{
	struct dc_region *region = instance->region;
	struct dce_extents *extents;
	bool pinned = false;
	u32 i;

	mutex_lock(&instance->lock);
	mutex_lock(&region->lock);
	extents = rcu_dereference_protected(instance->extents, lockdep_is_held(&instance->lock));
	for (i = 0; extents && i < extents->nr && !pinned; i++)
		pinned = dc_pages_pinned(region, extents->list[i].start, extents->list[i].size);
	mutex_unlock(&region->lock);
	mutex_unlock(&instance->lock);
	return pinned;
}

/* Whether it is this caller who deletes it. */
static int dc_instance_bury(struct dc_instance *instance)
{
	struct dc_region *region = instance->region;
	int err = 0;

	mutex_lock(&instance->lock);
	mutex_lock(&region->lock);
	if (instance->dead)
		err = -ENODEV;
	else if (rcu_access_pointer(instance->extents) || instance == region->seed)
		err = -EBUSY;
	if (!err) {
		WRITE_ONCE(instance->dead, true);
		list_del_init(&instance->list);
	}
	mutex_unlock(&region->lock);
	mutex_unlock(&instance->lock);
	return err;
}

int dc_instance_delete(struct dc_region *region, const char *name)
{
	struct dc_instance *instance;
	int err;

	mutex_lock(&region->lock);
	instance = dc_instance_find(region, name);
	if (instance)
		get_device(&instance->dev);
	mutex_unlock(&region->lock);
	if (!instance)
		return -ENODEV;
	err = dc_instance_bury(instance);
	if (!err)
		dc_instance_del(instance);
	put_device(&instance->dev);
	return err;
}

void dc_instance_remove(struct dc_instance *instance)
{
	mutex_lock(&instance->lock);
	WRITE_ONCE(instance->dead, true);
	dc_empty(instance);
	mutex_unlock(&instance->lock);
	dc_claim_forget(instance);
	dc_instance_del(instance);
}

int dc_instances_init(void)
{
	int err = alloc_chrdev_region(&dc_devt, 0, MINORMASK + 1, "dax_color");

	if (err)
		return err;
	err = class_register(&dc_class);
	if (err)
		unregister_chrdev_region(dc_devt, MINORMASK + 1);
	return err;
}

void dc_instances_exit(void)
{
	class_unregister(&dc_class);
	unregister_chrdev_region(dc_devt, MINORMASK + 1);
	ida_destroy(&dc_minors);
}
