// SPDX-License-Identifier: GPL-2.0
/*
 * What regions and instances show in sysfs, and what is written there: ABI.md.
 */
#include <linux/bitmap.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "dax_color.h"

/* ---- regions ---- */

static ssize_t id_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", dc_region_of(dev)->id);
}
static DEVICE_ATTR_RO(id);

static ssize_t dc_region_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", dc_region_of(dev)->size);
}

static struct device_attribute dev_attr_region_size =
	__ATTR(size, 0444, dc_region_size_show, NULL);

static ssize_t dc_region_align_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", DC_ALIGN);
}

static struct device_attribute dev_attr_region_align =
	__ATTR(align, 0444, dc_region_align_show, NULL);

static ssize_t dc_region_resource_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", dc_region_of(dev)->start);
}

static struct device_attribute dev_attr_region_resource =
	__ATTR(resource, 0400, dc_region_resource_show, NULL);

static ssize_t dc_region_target_node_show(struct device *dev, struct device_attribute *attr,
					  char *buf)
{
	return sysfs_emit(buf, "%d\n", dc_region_of(dev)->node);
}

static struct device_attribute dev_attr_region_target_node =
	__ATTR(target_node, 0444, dc_region_target_node_show, NULL);

/* Bytes of the region in any of the states whose bits are in @states. */
static u64 dc_bytes(struct device *dev, unsigned int states)
{
	struct dc_region *region = dc_region_of(dev);
	enum dcs_state state;
	u64 bytes = 0;

	mutex_lock(&region->lock);
	for (state = 0; state < DCS_NR_STATES; state++) {
		if (states & BIT(state))
			bytes += region->space.sizes[state];
	}
	mutex_unlock(&region->lock);
	return bytes;
}

#define DC_AVAILABLE	(BIT(DCS_CLEAN) | BIT(DCS_DIRTY) | BIT(DCS_ZEROING))

static ssize_t available_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", dc_bytes(dev, DC_AVAILABLE));
}
static DEVICE_ATTR_RO(available_size);

static ssize_t quarantined_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", dc_bytes(dev, BIT(DCS_QUARANTINED)));
}
static DEVICE_ATTR_RO(quarantined_size);

static ssize_t zeroing_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&dc_region_of(dev)->zeroing));
}
static DEVICE_ATTR_RO(zeroing_size);

static ssize_t dirty_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", dc_bytes(dev, BIT(DCS_DIRTY)));
}
static DEVICE_ATTR_RO(dirty_size);

static ssize_t bad_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", dc_bytes(dev, BIT(DCS_BAD)));
}
static DEVICE_ATTR_RO(bad_size);

/* For attributes that are pushed like a button. */
static int dc_is_one(const char *buf)
{
	int value, err = kstrtoint(buf, 0, &value);

	return err ? err : value == 1 ? 0 : -EINVAL;
}

static ssize_t scrub_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	int err = dc_is_one(buf);

	if (err)
		return err;
	dc_scrub(dc_region_of(dev));
	return count;
}

static struct device_attribute dev_attr_scrub = __ATTR(scrub, 0200, NULL, scrub_store);

static ssize_t create_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dc_region *region = dc_region_of(dev);
	ssize_t count;

	mutex_lock(&region->lock);
	count = sysfs_emit(buf, "%s\n", region->youngest);
	mutex_unlock(&region->lock);
	return count;
}

static ssize_t create_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	int err = dc_is_one(buf);

	if (err)
		return err;
	if (!dc_bytes(dev, DC_AVAILABLE))
		return -ENOSPC;
	err = dc_instance_create(dc_region_of(dev));
	return err ? err : count;
}
static DEVICE_ATTR_RW(create);

static ssize_t delete_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	char name[32];
	int err;

	/* Longer than any name. */
	if (strscpy(name, buf, sizeof(name)) < 0)
		return -ENODEV;
	err = dc_instance_delete(dc_region_of(dev), strim(name));
	return err ? err : count;
}
static DEVICE_ATTR_WO(delete);

static ssize_t seed_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dc_region *region = dc_region_of(dev);
	ssize_t count;

	mutex_lock(&region->lock);
	count = sysfs_emit(buf, "%s\n", region->seed ? dev_name(&region->seed->dev) : "");
	mutex_unlock(&region->lock);
	return count;
}
static DEVICE_ATTR_RO(seed);

static struct dcg_geometry dc_geometry(struct device *dev)
{
	struct dc_domain *domain = dc_region_of(dev)->domain;
	struct dcg_geometry geometry;

	mutex_lock(&domain->lock);
	geometry = domain->geometry;
	mutex_unlock(&domain->lock);
	return geometry;
}

static ssize_t geometry_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dcg_geometry geometry = dc_geometry(dev);

	if (geometry.kind == DCG_NONE)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%s %llu %u %#llx\n",
			  geometry.kind == DCG_SKEW ? "skew" : "rotate", (u64)geometry.granule,
			  geometry.colors, (u64)geometry.base);
}

/* The next word of @text; empty when there is none. */
static char *dc_word(char **text)
{
	char *word;

	*text = skip_spaces(*text ? *text : "");
	word = strsep(text, " \t\n");
	return word ? word : "";
}

static bool dc_parse_words(char *text, struct dcg_geometry *geometry)
{
	const char *kind = dc_word(&text);

	memset(geometry, 0, sizeof(*geometry));
	if (!strcmp(kind, "rotate"))
		geometry->kind = DCG_ROTATE;
	else if (!strcmp(kind, "skew"))
		geometry->kind = DCG_SKEW;
	else if (strcmp(kind, "none"))
		return false;
	if (geometry->kind != DCG_NONE &&
	    (kstrtoull(dc_word(&text), 0, (unsigned long long *)&geometry->granule) ||
	     kstrtouint(dc_word(&text), 0, &geometry->colors) ||
	     kstrtoull(dc_word(&text), 0, (unsigned long long *)&geometry->base)))
		return false;
	return !*dc_word(&text);
}

static ssize_t geometry_store(struct device *dev, struct device_attribute *attr, const char *buf,
			      size_t count)
{
	struct dcg_geometry geometry;
	char *text = kstrdup(buf, GFP_KERNEL);
	bool good;
	int err;

	if (!text)
		return -ENOMEM;
	good = dc_parse_words(text, &geometry);
	kfree(text);
	if (!good)
		return -EINVAL;
	err = dc_domain_set(dc_region_of(dev)->domain, &geometry);
	return err ? err : count;
}
static DEVICE_ATTR_ADMIN_RW(geometry);

static ssize_t granule_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", (u64)dc_geometry(dev).granule);
}
static DEVICE_ATTR_RO(granule);

static ssize_t colors_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", dc_geometry(dev).colors);
}
static DEVICE_ATTR_RO(colors);

static ssize_t color_base_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#llx\n", (u64)dc_geometry(dev).base);
}
static DEVICE_ATTR_RO(color_base);

/*
 * Attributes of more than a page: lists, made anew for each read. Who reads one
 * in several pieces while it changes may see a line twice, or not.
 */
struct dc_text {
	char *text;
	size_t used;
	size_t room;
};

/* Of any line. */
#define DC_LINE	80

static int dc_text_init(struct dc_text *text, size_t lines)
{
	text->used = 0;
	text->room = lines * DC_LINE + 1;
	text->text = kvmalloc(text->room, GFP_KERNEL);
	return text->text ? 0 : -ENOMEM;
}

static __printf(2, 3) void dc_text_add(struct dc_text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->used += vscnprintf(text->text + text->used, text->room - text->used, format, args);
	va_end(args);
}

static ssize_t dc_text_read(struct dc_text *text, char *buf, loff_t off, size_t count)
{
	ssize_t ret = memory_read_from_buffer(buf, count, &off, text->text, text->used);

	kvfree(text->text);
	return ret;
}

/* With the locks of region and domain. */
static int dc_list_granules(struct dc_region *region, struct dc_text *text)
{
	const struct dc_domain *domain = region->domain;
	const struct dcg_geometry *geometry = dc_domain_geometry(domain);
	u32 *free, color;

	if (!geometry)
		return -ENODATA;
	free = kvcalloc(geometry->colors, sizeof(*free), GFP_KERNEL);
	if (!free || dc_text_init(text, geometry->colors)) {
		kvfree(free);
		return -ENOMEM;
	}
	dcs_count_granules(&region->space, geometry, free);
	for (color = 0; color < geometry->colors; color++) {
		if (domain->colors[color].bytes)
			dc_text_add(text, "%u %u %pUb\n", color, free[color],
				    &domain->colors[color].owner);
		else
			dc_text_add(text, "%u %u -\n", color, free[color]);
	}
	kvfree(free);
	return 0;
}

static ssize_t free_granules_read(struct file *file, struct kobject *kobj,
				  struct bin_attribute *attr, char *buf, loff_t off, size_t count)
{
	struct dc_region *region = dc_region_of(kobj_to_dev(kobj));
	struct dc_text text;
	int err;

	mutex_lock(&region->lock);
	mutex_lock(&region->domain->lock);
	err = dc_list_granules(region, &text);
	mutex_unlock(&region->domain->lock);
	mutex_unlock(&region->lock);
	return err ? err : dc_text_read(&text, buf, off, count);
}
static BIN_ATTR_RO(free_granules, 0);

static const char *const dc_state_names[] = {
	[DCS_DIRTY] = "dirty",
	[DCS_CLEAN] = "clean",
	[DCS_PREPARING] = "preparing",
	[DCS_HELD] = "held",
	[DCS_QUARANTINED] = "quarantined",
	[DCS_ZEROING] = "zeroing",
	[DCS_BAD] = "bad",
};

/* With the region's lock. */
static int dc_list_space(struct dc_region *region, struct dc_text *text)
{
	const struct dcs_piece *piece = region->space.pieces;
	u32 i;

	if (dc_text_init(text, region->space.nr))
		return -ENOMEM;
	for (i = 0; i < region->space.nr; i++, piece++) {
		const struct dc_instance *holder = piece->holder;

		dc_text_add(text, "%#llx-%#llx %s%s%s\n", (u64)piece->start, (u64)piece->end - 1,
			    dc_state_names[piece->state], holder ? " " : "",
			    holder ? dev_name(&holder->dev) : "");
	}
	return 0;
}

static ssize_t space_read(struct file *file, struct kobject *kobj, struct bin_attribute *attr,
			  char *buf, loff_t off, size_t count)
{
	struct dc_region *region = dc_region_of(kobj_to_dev(kobj));
	struct dc_text text;
	int err;

	mutex_lock(&region->lock);
	err = dc_list_space(region, &text);
	mutex_unlock(&region->lock);
	return err ? err : dc_text_read(&text, buf, off, count);
}

static struct bin_attribute bin_attr_space = __BIN_ATTR(space, 0400, space_read, NULL, 0);

static struct attribute *dc_region_attrs[] = {
	&dev_attr_id.attr,
	&dev_attr_region_size.attr,
	&dev_attr_region_align.attr,
	&dev_attr_region_resource.attr,
	&dev_attr_region_target_node.attr,
	&dev_attr_available_size.attr,
	&dev_attr_quarantined_size.attr,
	&dev_attr_zeroing_size.attr,
	&dev_attr_dirty_size.attr,
	&dev_attr_bad_size.attr,
	&dev_attr_scrub.attr,
	&dev_attr_create.attr,
	&dev_attr_delete.attr,
	&dev_attr_seed.attr,
	&dev_attr_geometry.attr,
	&dev_attr_granule.attr,
	&dev_attr_colors.attr,
	&dev_attr_color_base.attr,
	NULL
};

static struct bin_attribute *dc_region_bin_attrs[] = {
	&bin_attr_free_granules,
	&bin_attr_space,
	NULL
};

static const struct attribute_group dc_region_group = {
	.name = "dax_region",
	.attrs = dc_region_attrs,
	.bin_attrs = dc_region_bin_attrs,
};

const struct attribute_group *dc_region_groups[] = {
	&dc_region_group,
	NULL
};

/* ---- instances ---- */

static ssize_t dc_instance_size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dc_instance *instance = to_dc_instance(dev);
	struct dce_extents *extents;
	u64 size;
	int idx;

	/* Not the lock: who grows holds it while memory is zeroed. */
	idx = srcu_read_lock(&dc_srcu);
	extents = srcu_dereference(instance->extents, &dc_srcu);
	size = extents ? extents->size : 0;
	srcu_read_unlock(&dc_srcu, idx);
	return sysfs_emit(buf, "%llu\n", size);
}

static ssize_t dc_instance_size_store(struct device *dev, struct device_attribute *attr,
				      const char *buf, size_t count)
{
	struct dc_instance *instance = to_dc_instance(dev);
	unsigned long long size;
	int err = kstrtoull(buf, 0, &size);

	if (err)
		return err;
	if (mutex_lock_killable(&instance->lock))
		return -EINTR;
	err = dc_resize(instance, size);
	mutex_unlock(&instance->lock);
	return err ? err : count;
}

static struct device_attribute dev_attr_instance_size =
	__ATTR(size, 0644, dc_instance_size_show, dc_instance_size_store);

static ssize_t align_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(to_dc_instance(dev)->align));
}

/* With the instance's lock: what is there of it decides what may still be set. */
static int dc_may_set(struct dc_instance *instance)
{
	if (instance->dead)
		return -ENXIO;
	return dc_size(instance) ? -EBUSY : 0;
}

/* Pairs with the fault's smp_rmb(): who sees extents sees this. */
static void dc_set_align(struct dc_instance *instance, unsigned long align)
{
	WRITE_ONCE(instance->align, align);
	dc_inode_set_align(instance->inode, align);
}

static ssize_t align_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	struct dc_instance *instance = to_dc_instance(dev);
	unsigned long align;
	int err = kstrtoul(buf, 0, &align);

	if (err)
		return err;
	if (align != PAGE_SIZE && align != PMD_SIZE && align != PUD_SIZE)
		return -EINVAL;
	if (mutex_lock_killable(&instance->lock))
		return -EINTR;
	err = dc_may_set(instance);
	if (!err)
		dc_set_align(instance, align);
	mutex_unlock(&instance->lock);
	return err ? err : count;
}
static DEVICE_ATTR_RW(align);

static bool dc_parse_extent(char *text, u64 *start, u64 *end)
{
	char *first = strsep(&text, "-");

	return text && !kstrtoull(first, 16, (unsigned long long *)start) &&
	       !kstrtoull(text, 16, (unsigned long long *)end) && *start <= *end;
}

static ssize_t mapping_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	struct dc_instance *instance = to_dc_instance(dev);
	char text[64];
	u64 start, end;
	int err;

	if (strscpy(text, buf, sizeof(text)) < 0 || !dc_parse_extent(text, &start, &end))
		return -EINVAL;
	if (mutex_lock_killable(&instance->lock))
		return -EINTR;
	err = dc_add_range(instance, start, end);
	mutex_unlock(&instance->lock);
	return err ? err : count;
}

static struct device_attribute dev_attr_mapping = __ATTR(mapping, 0200, NULL, mapping_store);

static void dc_mark_colors(const struct dce_extents *extents, const struct dcg_geometry *geometry,
			   unsigned long *colors)
{
	u32 i, color;

	for (i = 0; extents && i < extents->nr; i++) {
		u64 at = extents->list[i].start, end = at + extents->list[i].size;

		for (; at < end; at = ALIGN_DOWN(at, geometry->granule) + geometry->granule) {
			if (dcg_color(geometry, at, &color))
				__set_bit(color, colors);
		}
	}
}

static ssize_t color_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dc_instance *instance = to_dc_instance(dev);
	struct dcg_geometry geometry = dc_geometry(dev->parent);
	unsigned long *colors;
	ssize_t count;
	int idx;

	if (geometry.kind == DCG_NONE)
		return sysfs_emit(buf, "\n");
	colors = bitmap_zalloc(geometry.colors, GFP_KERNEL);
	if (!colors)
		return -ENOMEM;
	idx = srcu_read_lock(&dc_srcu);
	dc_mark_colors(srcu_dereference(instance->extents, &dc_srcu), &geometry, colors);
	srcu_read_unlock(&dc_srcu, idx);
	count = sysfs_emit(buf, "%*pbl\n", geometry.colors, colors);
	bitmap_free(colors);
	return count;
}

static int dc_store_color(struct dc_instance *instance, char *text, unsigned int nr)
{
	unsigned long *colors = bitmap_zalloc(nr, GFP_KERNEL);
	const char *number = dc_word(&text), *list = dc_word(&text);
	unsigned int count;
	int err = -EINVAL;

	if (!colors)
		return -ENOMEM;
	/* bitmap_parselist() knows more than lists of numbers and ranges. */
	if (!kstrtouint(number, 0, &count) && count && !*dc_word(&text) &&
	    !list[strspn(list, "0123456789,-")] && !bitmap_parselist(list, colors, nr) &&
	    !bitmap_empty(colors, nr))
		err = dc_add_colors(instance, count, colors, nr);
	bitmap_free(colors);
	return err;
}

static ssize_t color_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	struct dc_instance *instance = to_dc_instance(dev);
	char *text = kstrdup(buf, GFP_KERNEL);
	struct dcg_geometry geometry;
	int err;

	if (!text)
		return -ENOMEM;
	if (mutex_lock_killable(&instance->lock)) {
		kfree(text);
		return -EINTR;
	}
	geometry = dc_geometry(dev->parent);
	if (geometry.kind == DCG_NONE)
		err = -ENODATA;
	else if (geometry.granule < instance->align)
		err = -EINVAL;
	else
		err = dc_store_color(instance, text, geometry.colors);
	mutex_unlock(&instance->lock);
	kfree(text);
	return err ? err : count;
}
static DEVICE_ATTR_ADMIN_RW(color);

static ssize_t owner_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dc_instance *instance = to_dc_instance(dev);
	uuid_t owner;

	mutex_lock(&instance->lock);
	owner = instance->owner;
	mutex_unlock(&instance->lock);
	return sysfs_emit(buf, "%pUb\n", &owner);
}

static int dc_store_owner(struct dc_instance *instance, const uuid_t *owner)
{
	int err = dc_may_set(instance);

	if (err)
		return err;
	instance->owner = *owner;
	if (uuid_is_null(owner))
		uuid_gen(&instance->key);
	else
		instance->key = *owner;
	return 0;
}

static ssize_t owner_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	struct dc_instance *instance = to_dc_instance(dev);
	char text[UUID_STRING_LEN + 2];
	uuid_t owner;
	int err;

	if (strscpy(text, buf, sizeof(text)) < 0 || strlen(strim(text)) != UUID_STRING_LEN ||
	    uuid_parse(strim(text), &owner))
		return -EINVAL;
	if (mutex_lock_killable(&instance->lock))
		return -EINTR;
	err = dc_store_owner(instance, &owner);
	mutex_unlock(&instance->lock);
	return err ? err : count;
}
static DEVICE_ATTR_ADMIN_RW(owner);

static ssize_t claim_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return dc_claim_show(to_dc_instance(dev), buf);
}
static DEVICE_ATTR_RO(claim);

static ssize_t dc_instance_resource_show(struct device *dev, struct device_attribute *attr,
					 char *buf)
{
	struct dc_instance *instance = to_dc_instance(dev);
	struct dce_extents *extents;
	u64 start;
	int idx;

	idx = srcu_read_lock(&dc_srcu);
	extents = srcu_dereference(instance->extents, &dc_srcu);
	start = extents ? extents->list[0].start : instance->region->start;
	srcu_read_unlock(&dc_srcu, idx);
	return sysfs_emit(buf, "%#llx\n", start);
}

static struct device_attribute dev_attr_instance_resource =
	__ATTR(resource, 0400, dc_instance_resource_show, NULL);

static ssize_t dc_instance_target_node_show(struct device *dev, struct device_attribute *attr,
					    char *buf)
{
	return sysfs_emit(buf, "%d\n", to_dc_instance(dev)->region->node);
}

static struct device_attribute dev_attr_instance_target_node =
	__ATTR(target_node, 0444, dc_instance_target_node_show, NULL);

static ssize_t numa_node_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_node(dev));
}
static DEVICE_ATTR_RO(numa_node);

static struct attribute *dc_instance_attrs[] = {
	&dev_attr_instance_size.attr,
	&dev_attr_align.attr,
	&dev_attr_mapping.attr,
	&dev_attr_color.attr,
	&dev_attr_owner.attr,
	&dev_attr_claim.attr,
	&dev_attr_instance_resource.attr,
	&dev_attr_instance_target_node.attr,
	&dev_attr_numa_node.attr,
	NULL
};

static const struct attribute_group dc_instance_group = {
	.attrs = dc_instance_attrs,
};

const struct attribute_group *dc_instance_groups[] = {
	&dc_instance_group,
	NULL
};
