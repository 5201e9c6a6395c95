// SPDX-License-Identifier: GPL-2.0
/*
 * Persistent data in system RAM: which plug-in they belong to, and the plug-ins.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kmem.h"
#include "persist.h"

/**
 * struct dax_color_persist - data of an instance, with their plug-in
 * @kmem: the instance
 * @type: the plug-in
 * @data: the plug-in's own
 * @super: as it was written last
 * @slot: where
 * @id: super->id
 * @probed: its probe succeeded
 * @started: its start did
 */
struct dax_color_persist {
	struct dc_kmem *kmem;
	struct dax_color_persist_type *type;
	void *data;
	struct dcp_super *super;
	unsigned int slot;
	uuid_t id;
	bool probed;
	bool started;
};

static DEFINE_MUTEX(dc_types_lock);
static LIST_HEAD(dc_types);

static char *persist_format_type;
module_param(persist_format_type, charp, 0644);
MODULE_PARM_DESC(persist_format_type, "type of unformatted memory that is to hold persistent data (none)");

/* ---- plug-ins ---- */

static struct dax_color_persist_type *dc_type_find(const char *name)
{
	struct dax_color_persist_type *type;

	lockdep_assert_held(&dc_types_lock);
	list_for_each_entry(type, &dc_types, list) {
		if (!strcmp(type->name, name))
			return type;
	}
	return NULL;
}

int dax_color_persist_register(struct dax_color_persist_type *type)
{
	int err = 0;

	if (!type->name || !dcp_is_type(type->name) || !type->ops || !type->ops->probe)
		return -EINVAL;
	mutex_lock(&dc_types_lock);
	if (dc_type_find(type->name)) {
		err = -EEXIST;
	} else {
		type->users = 0;
		list_add_tail(&type->list, &dc_types);
	}
	mutex_unlock(&dc_types_lock);
	return err;
}
EXPORT_SYMBOL_GPL(dax_color_persist_register);

int dax_color_persist_unregister(struct dax_color_persist_type *type)
{
	int err = 0;

	mutex_lock(&dc_types_lock);
	if (!type->name || dc_type_find(type->name) != type)
		err = -ENOENT;
	else if (type->users)
		err = -EBUSY;
	else
		list_del(&type->list);
	mutex_unlock(&dc_types_lock);
	return err;
}
EXPORT_SYMBOL_GPL(dax_color_persist_unregister);

static struct dax_color_persist_type *dc_type_get(const char *name)
{
	struct dax_color_persist_type *type;

	mutex_lock(&dc_types_lock);
	type = dc_type_find(name);
	if (type && !try_module_get(type->owner))
		type = NULL;
	if (type)
		type->users++;
	mutex_unlock(&dc_types_lock);
	return type;
}

static void dc_type_put(struct dax_color_persist_type *type)
{
	struct module *owner = type->owner;

	mutex_lock(&dc_types_lock);
	type->users--;
	mutex_unlock(&dc_types_lock);
	module_put(owner);
}

/* ---- the superblock ---- */

enum dcp_verdict dc_persist_judge(u64 address, struct dcp_super *super, const char **why)
{
	void *copy = (void *)__get_free_page(GFP_KERNEL | __GFP_NOFAIL);
	enum dcp_verdict verdict = DCP_DAMAGED;
	unsigned int slot;

	*why = "its memory cannot be read";
	if (!copy_mc_to_kernel(copy, __va(address), DCP_PAGE))
		verdict = dcp_judge(copy, super, &slot, why);
	free_page((unsigned long)copy);
	return verdict;
}

static void dc_super_write(struct dax_color_persist *persist)
{
	struct dcp_super *slots = dc_kmem_address(persist->kmem, 0);

	persist->slot = (persist->slot + 1) % DCP_SLOTS;
	persist->super->generation++;
	persist->super->checksum = dcp_checksum(persist->super);
	/* What it speaks of is there before it is. */
	wmb();
	memcpy_flushcache(&slots[persist->slot], persist->super, sizeof(*slots));
	/* Nor does anything follow that it does not speak of. */
	wmb();
}

/* Whatever happens while the memory is formatted, it is not what it was. */
static void dc_super_wipe(struct dax_color_persist *persist)
{
	memcpy_flushcache(dc_kmem_address(persist->kmem, 0), page_address(ZERO_PAGE(0)), DCP_PAGE);
	/* Before anything else is written. */
	wmb();
}

static int dc_super_new(struct dax_color_persist *persist)
{
	const struct dce_extents *extents = persist->kmem->extents;
	struct dcp_super *super = persist->super;
	uuid_t id;
	u32 i;

	if (extents->nr > DCP_MOST_EXTENTS) {
		dev_warn(&persist->kmem->instance->dev, "no persistent data in %u extents: %u at most\n",
			 extents->nr, DCP_MOST_EXTENTS);
		return -E2BIG;
	}
	memset(super, 0, sizeof(*super));
	super->magic = DCP_MAGIC;
	super->version = DCP_VERSION;
	super->size = extents->size;
	strscpy(super->type, persist->type->name, sizeof(super->type));
	super->type_version = persist->type->version;
	super->nr_extents = extents->nr;
	uuid_gen(&id);
	export_uuid(super->id, &id);
	for (i = 0; i < extents->nr; i++) {
		super->extents[i].start = extents->list[i].start;
		super->extents[i].size = extents->list[i].size;
	}
	return 0;
}

/* Data that were moved, or whose instance is another one, are not looked at. */
static bool dc_super_fits(const struct dax_color_persist *persist)
{
	const struct dce_extents *extents = persist->kmem->extents;
	const struct dcp_super *super = persist->super;
	u32 i;

	if (super->size != extents->size || super->nr_extents != extents->nr)
		return false;
	for (i = 0; i < extents->nr; i++) {
		if (super->extents[i].start != extents->list[i].start ||
		    super->extents[i].size != extents->list[i].size)
			return false;
	}
	return true;
}

/* ---- opening ---- */

/* A copy of what the administrator set, "" when that is none. */
static const char *dc_default_type(char *type)
{
	char text[DCP_TYPE_SIZE + 1] = "";

	kernel_param_lock(THIS_MODULE);
	if (persist_format_type && strscpy(text, persist_format_type, sizeof(text)) < 0)
		text[0] = 0;
	kernel_param_unlock(THIS_MODULE);
	if (strscpy(type, strim(text), DCP_TYPE_SIZE) < 0)
		*type = 0;
	return type;
}

/* @name: what is asked for, NULL: nothing. Returns: whether to format, or an error. */
static int dc_decide_existing(struct dax_color_persist *persist, const char *name, bool force)
{
	struct device *dev = &persist->kmem->instance->dev;

	if (force)
		return true;
	if (name && strcmp(name, persist->super->type)) {
		dev_warn(dev, "it holds persistent data of type %s: 'force' would make them %s\n",
			 persist->super->type, name);
		return -EEXIST;
	}
	if (dc_super_fits(persist))
		return false;
	dev_warn(dev, "its persistent data (%s) are those of an instance with other extents\n",
		 persist->super->type);
	return -EUCLEAN;
}

static int dc_decide_blank(struct dax_color_persist *persist, const char *name)
{
	char type[DCP_TYPE_SIZE];

	if (name || *dc_default_type(type))
		return true;
	dev_warn(&persist->kmem->instance->dev,
		 "unformatted memory: name a type, or set persist_format_type\n");
	return -ENODATA;
}

static int dc_decide_strange(struct dax_color_persist *persist, enum dcp_verdict verdict,
			     const char *why, bool force)
{
	struct device *dev = &persist->kmem->instance->dev;

	if (force)
		return true;
	if (verdict == DCP_DAMAGED) {
		dev_warn(dev, "its superblock is damaged: %s. Nothing was changed\n", why);
		return -EBADMSG;
	}
	dev_warn(dev, "its first page is no superblock, and is not empty. Nothing was changed\n");
	return -EEXIST;
}

static int dc_decide(struct dax_color_persist *persist, const char *name, bool force)
{
	const char *why = "";
	u64 address = __pa(dc_kmem_address(persist->kmem, 0));
	enum dcp_verdict verdict = dc_persist_judge(address, persist->super, &why);

	switch (verdict) {
	case DCP_VALID:
		return dc_decide_existing(persist, name, force);
	case DCP_BLANK:
		return dc_decide_blank(persist, name);
	default:
		return dc_decide_strange(persist, verdict, why, force);
	}
}

static int dc_format(struct dax_color_persist *persist)
{
	int err = dc_super_new(persist);

	if (err)
		return err;
	import_uuid(&persist->id, persist->super->id);
	dc_super_wipe(persist);
	if (persist->type->ops->format)
		err = persist->type->ops->format(persist);
	if (err) {
		dev_warn(&persist->kmem->instance->dev,
			 "%s cannot format it: error %d. It is unformatted now\n",
			 persist->type->name, err);
		return err;
	}
	persist->slot = DCP_SLOTS - 1;
	dc_super_write(persist);
	return 0;
}

static int dc_check_version(struct dax_color_persist *persist)
{
	if (persist->super->type_version == persist->type->version)
		return 0;
	dev_warn(&persist->kmem->instance->dev,
		 "its persistent data are of version %u of %s, which knows %u. Nothing was changed\n",
		 persist->super->type_version, persist->type->name, persist->type->version);
	return -EOPNOTSUPP;
}

static int dc_probe_data(struct dax_color_persist *persist)
{
	int err;

	import_uuid(&persist->id, persist->super->id);
	err = persist->type->ops->probe(persist);
	if (err) {
		dev_warn(&persist->kmem->instance->dev,
			 "%s cannot use its persistent data: error %d. Nothing was changed\n",
			 persist->type->name, err);
		return err;
	}
	persist->probed = true;
	dc_super_write(persist);
	return 0;
}

/* Which slot has what was judged: the other one is written next. */
static void dc_super_locate(struct dax_color_persist *persist)
{
	const struct dcp_super *slots = dc_kmem_address(persist->kmem, 0);

	persist->slot = slots[0].generation == persist->super->generation &&
			slots[0].checksum == persist->super->checksum ? 0 : 1;
}

static int dc_open_data(struct dax_color_persist *persist, const char *name, bool force)
{
	char type[DCP_TYPE_SIZE];
	int format, err;

	format = dc_decide(persist, name, force);
	if (format < 0)
		return format;
	if (!format)
		name = persist->super->type;
	else if (!name)
		name = dc_default_type(type);
	persist->type = dc_type_get(name);
	if (!persist->type) {
		dev_warn(&persist->kmem->instance->dev,
			 "there is no plug-in for persistent data of type %s\n", name);
		return -ENOENT;
	}
	if (format) {
		err = dc_format(persist);
	} else {
		dc_super_locate(persist);
		err = dc_check_version(persist);
	}
	return err ? err : dc_probe_data(persist);
}

int dc_persist_open(struct dc_kmem *kmem, const char *name, bool force)
{
	struct dax_color_persist *persist = kzalloc(sizeof(*persist), GFP_KERNEL);
	int err = -ENOMEM;

	if (!persist)
		return -ENOMEM;
	persist->kmem = kmem;
	kmem->persist = persist;
	persist->super = kzalloc(sizeof(*persist->super), GFP_KERNEL);
	if (persist->super)
		err = dc_open_data(persist, name, force);
	if (err)
		dc_persist_close(kmem);
	else
		strscpy(kmem->instance->persist_type, persist->type->name, DCP_TYPE_SIZE);
	return err;
}

int dc_persist_start(struct dc_kmem *kmem)
{
	struct dax_color_persist *persist = kmem->persist;
	int err = 0;

	if (!persist || persist->started)
		return 0;
	if (persist->type->ops->start)
		err = persist->type->ops->start(persist);
	persist->started = !err;
	return err;
}

int dc_persist_cleanup(struct dc_kmem *kmem)
{
	struct dax_color_persist *persist = kmem->persist;
	int err = 0;

	if (!persist || !persist->started)
		return 0;
	if (persist->type->ops->cleanup)
		err = persist->type->ops->cleanup(persist);
	persist->started = err;
	return err;
}

void dc_persist_close(struct dc_kmem *kmem)
{
	struct dax_color_persist *persist = kmem->persist;

	if (!persist)
		return;
	if (persist->probed && persist->type->ops->remove)
		persist->type->ops->remove(persist);
	if (persist->type)
		dc_type_put(persist->type);
	kmem->persist = NULL;
	kfree(persist->super);
	kfree(persist);
}

/* ---- for plug-ins ---- */

void dax_color_persist_set_data(struct dax_color_persist *persist, void *data)
{
	persist->data = data;
}
EXPORT_SYMBOL_GPL(dax_color_persist_set_data);

void *dax_color_persist_data(struct dax_color_persist *persist)
{
	return persist->data;
}
EXPORT_SYMBOL_GPL(dax_color_persist_data);

const char *dax_color_persist_name(const struct dax_color_persist *persist)
{
	return dev_name(&persist->kmem->instance->dev);
}
EXPORT_SYMBOL_GPL(dax_color_persist_name);

const uuid_t *dax_color_persist_id(const struct dax_color_persist *persist)
{
	return &persist->id;
}
EXPORT_SYMBOL_GPL(dax_color_persist_id);

int dax_color_persist_node(const struct dax_color_persist *persist)
{
	return persist->kmem->node;
}
EXPORT_SYMBOL_GPL(dax_color_persist_node);

u64 dax_color_persist_pages(const struct dax_color_persist *persist)
{
	return persist->kmem->pages;
}
EXPORT_SYMBOL_GPL(dax_color_persist_pages);

void *dax_color_persist_address(struct dax_color_persist *persist, u64 index)
{
	return index ? dc_kmem_address(persist->kmem, index) : NULL;
}
EXPORT_SYMBOL_GPL(dax_color_persist_address);

struct page *dax_color_persist_page(struct dax_color_persist *persist, u64 index)
{
	void *address = dax_color_persist_address(persist, index);

	return address ? virt_to_page(address) : NULL;
}
EXPORT_SYMBOL_GPL(dax_color_persist_page);

int dax_color_persist_alloc(struct dax_color_persist *persist, u64 *index)
{
	return dc_kmem_alloc(persist->kmem, index);
}
EXPORT_SYMBOL_GPL(dax_color_persist_alloc);

void dax_color_persist_free(struct dax_color_persist *persist, u64 first, u64 nr)
{
	dc_kmem_free(persist->kmem, first, nr);
}
EXPORT_SYMBOL_GPL(dax_color_persist_free);

void dax_color_persist_free_unmarked(struct dax_color_persist *persist)
{
	dc_kmem_free_unmarked(persist->kmem);
}
EXPORT_SYMBOL_GPL(dax_color_persist_free_unmarked);

void dax_color_persist_mark(struct dax_color_persist *persist, u64 first, u64 nr)
{
	dc_kmem_mark(persist->kmem, first, nr);
}
EXPORT_SYMBOL_GPL(dax_color_persist_mark);
