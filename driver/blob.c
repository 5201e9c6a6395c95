// SPDX-License-Identifier: GPL-2.0
/*
 * The plug-in `blob`: objects with names. blob-store.c knows how they are kept; here
 * is where the pages come from, and the device that user space has.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "blob-store.h"
#include "dax_color.h"
#include "dax_color_blob.h"
#include "persist.h"

/* Most entries of a list at a time. */
#define DC_BLOB_ENTRIES	64U

/**
 * struct dc_blob - a store
 * @store: must be first: what ops of a store get is this
 * @persist: the memory
 * @misc: its device, /dev/blob-daxR.N
 * @name: of that
 * @lock: for who changes the store, and who reads it; protects all of this
 * @buffer: a page, for who changes the store
 * @opens: open files
 * @closing: there can be no more
 */
struct dc_blob {
	struct dcb_store store;
	struct dax_color_persist *persist;
	struct miscdevice misc;
	char name[32];
	struct rw_semaphore lock;
	void *buffer;
	unsigned int opens;
	bool closing;
};

#define to_dc_blob(s) container_of(s, struct dc_blob, store)

/* ---- what a store is made of ---- */

static void *dc_blob_page(struct dcb_store *store, u64 index)
{
	return dax_color_persist_address(to_dc_blob(store)->persist, index);
}

static int dc_blob_alloc(struct dcb_store *store, u64 *index)
{
	struct dax_color_persist *persist = to_dc_blob(store)->persist;
	int err = dax_color_persist_alloc(persist, index);

	if (!err)
		dax_color_persist_mark(persist, *index, 1);
	return err == -ENOMEM ? -ENOSPC : err;
}

static void dc_blob_free(struct dcb_store *store, u64 index)
{
	dax_color_persist_free(to_dc_blob(store)->persist, index, 1);
}

/* A power cut takes what is in caches. */
static void dc_blob_write(struct dcb_store *store, void *to, const void *from, size_t size)
{
	memcpy_flushcache(to, from, size);
}

static void dc_blob_fence(struct dcb_store *store)
{
	/* What went around the caches goes in order only here. */
	wmb();
}

static const struct dcb_ops dc_blob_store_ops = {
	.page = dc_blob_page,
	.alloc = dc_blob_alloc,
	.free = dc_blob_free,
	.write = dc_blob_write,
	.fence = dc_blob_fence,
};

static void dc_blob_destroy(struct dc_blob *blob)
{
	kvfree(blob->store.used);
	kfree(blob->buffer);
	kfree(blob);
}

static struct dc_blob *dc_blob_new(struct dax_color_persist *persist)
{
	struct dc_blob *blob = kzalloc(sizeof(*blob), GFP_KERNEL);

	if (!blob)
		return NULL;
	blob->persist = persist;
	blob->store.ops = &dc_blob_store_ops;
	blob->store.pages = dax_color_persist_pages(persist);
	export_uuid(blob->store.id, dax_color_persist_id(persist));
	init_rwsem(&blob->lock);
	blob->buffer = kmalloc(DCB_PAGE, GFP_KERNEL);
	blob->store.used = kvcalloc(BITS_TO_LONGS(blob->store.pages), sizeof(long), GFP_KERNEL);
	if (blob->buffer && blob->store.used)
		return blob;
	dc_blob_destroy(blob);
	return NULL;
}

/* ---- the device ---- */

static int dc_blob_fill(void *data, void *to, u64 offset, size_t size)
{
	return copy_from_user(to, (void __user __force *)data + offset, size) ? -EFAULT : 0;
}

static int dc_blob_drain(void *data, const void *from, u64 offset, size_t size)
{
	return copy_to_user((void __user __force *)data + offset, from, size) ? -EFAULT : 0;
}

/* With the lock: whether there is one of that name. */
static int dc_blob_exists(struct dc_blob *blob, const char *name)
{
	u64 size;
	int err = dcb_get(&blob->store, name, &size, 0, dc_blob_drain, NULL);

	return err == -ENOENT ? 0 : err && err != -ERANGE ? err : -EEXIST;
}

static int dc_blob_put(struct dc_blob *blob, const struct dax_color_blob *object)
{
	int err = 0;

	if (object->flags & ~DAX_COLOR_BLOB_NEW)
		return -EINVAL;
	if (down_write_killable(&blob->lock))
		return -EINTR;
	if (object->flags & DAX_COLOR_BLOB_NEW)
		err = dc_blob_exists(blob, object->name);
	if (!err)
		err = dcb_put(&blob->store, object->name, object->size, blob->buffer, dc_blob_fill,
			      (void __force *)u64_to_user_ptr(object->data));
	up_write(&blob->lock);
	return err;
}

static int dc_blob_get(struct dc_blob *blob, struct dax_color_blob *object)
{
	u64 most = object->size;
	int err;

	if (down_read_killable(&blob->lock))
		return -EINTR;
	err = dcb_get(&blob->store, object->name, &object->size, most, dc_blob_drain,
		      (void __force *)u64_to_user_ptr(object->data));
	up_read(&blob->lock);
	return err;
}

static int dc_blob_delete(struct dc_blob *blob, const struct dax_color_blob *object)
{
	int err;

	if (down_write_killable(&blob->lock))
		return -EINTR;
	err = dcb_delete(&blob->store, object->name);
	up_write(&blob->lock);
	return err;
}

static long dc_blob_object(struct dc_blob *blob, unsigned int command, void __user *to)
{
	struct dax_color_blob object;
	int err;

	if (copy_from_user(&object, to, sizeof(object)))
		return -EFAULT;
	if (object.reserved || strnlen(object.name, sizeof(object.name)) == sizeof(object.name) ||
	    (command != DAX_COLOR_BLOB_PUT && object.flags))
		return -EINVAL;
	if (command == DAX_COLOR_BLOB_PUT)
		return dc_blob_put(blob, &object);
	if (command == DAX_COLOR_BLOB_DELETE)
		return dc_blob_delete(blob, &object);
	err = dc_blob_get(blob, &object);
	if ((!err || err == -ERANGE) && copy_to_user(to, &object, sizeof(object)))
		return -EFAULT;
	return err;
}

static void dc_blob_show(const struct dcb_object *object, struct dax_color_blob_entry *entry)
{
	BUILD_BUG_ON(sizeof(entry->name) != sizeof(object->name));
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->name, object->name, sizeof(entry->name));
	entry->size = object->size;
	entry->sequence = object->sequence;
	entry->checksum = object->checksum;
}

/* With the lock. */
static int dc_blob_list_some(struct dc_blob *blob, struct dax_color_blob_list *list,
			     struct dax_color_blob_entry *entries)
{
	u32 most = min(list->nr, DC_BLOB_ENTRIES);
	struct dcb_object object;
	u64 cursor = list->cursor;
	int err = 0;

	for (list->nr = 0; !err && list->nr < most; ) {
		err = dcb_list(&blob->store, &cursor, &object);
		if (!err)
			dc_blob_show(&object, &entries[list->nr++]);
	}
	list->cursor = cursor;
	return err == -ENOENT ? 0 : err;
}

static long dc_blob_list(struct dc_blob *blob, struct dax_color_blob_list __user *to)
{
	struct dax_color_blob_entry *entries;
	struct dax_color_blob_list list;
	int err = -EINTR;

	if (copy_from_user(&list, to, sizeof(list)))
		return -EFAULT;
	if (list.reserved)
		return -EINVAL;
	entries = kvmalloc_array(DC_BLOB_ENTRIES, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	if (!down_read_killable(&blob->lock)) {
		err = dc_blob_list_some(blob, &list, entries);
		up_read(&blob->lock);
	}
	if (!err && (copy_to_user(u64_to_user_ptr(list.entries), entries,
				  list.nr * sizeof(*entries)) ||
		     copy_to_user(to, &list, sizeof(list))))
		err = -EFAULT;
	kvfree(entries);
	return err;
}

static long dc_blob_info(struct dc_blob *blob, struct dax_color_blob_info __user *to)
{
	struct dax_color_blob_info info = { };

	if (down_read_killable(&blob->lock))
		return -EINTR;
	info.objects = blob->store.objects;
	info.bytes = blob->store.bytes;
	info.pages = bitmap_weight(blob->store.used, blob->store.pages);
	memcpy(info.id, blob->store.id, sizeof(info.id));
	up_read(&blob->lock);
	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}

static long dc_blob_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct dc_blob *blob = container_of(file->private_data, struct dc_blob, misc);
	void __user *to = (void __user *)argument;

	switch (command) {
	case DAX_COLOR_BLOB_PUT:
	case DAX_COLOR_BLOB_GET:
	case DAX_COLOR_BLOB_DELETE:
		return dc_blob_object(blob, command, to);
	case DAX_COLOR_BLOB_LIST:
		return dc_blob_list(blob, to);
	case DAX_COLOR_BLOB_INFO:
		return dc_blob_info(blob, to);
	default:
		return -ENOTTY;
	}
}

static int dc_blob_open(struct inode *inode, struct file *file)
{
	struct dc_blob *blob = container_of(file->private_data, struct dc_blob, misc);
	int err = 0;

	down_write(&blob->lock);
	if (blob->closing)
		err = -ENODEV;
	else
		blob->opens++;
	up_write(&blob->lock);
	return err;
}

static int dc_blob_release(struct inode *inode, struct file *file)
{
	struct dc_blob *blob = container_of(file->private_data, struct dc_blob, misc);

	down_write(&blob->lock);
	blob->opens--;
	up_write(&blob->lock);
	return 0;
}

static const struct file_operations dc_blob_fops = {
	.owner = THIS_MODULE,
	.open = dc_blob_open,
	.release = dc_blob_release,
	.unlocked_ioctl = dc_blob_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* ---- the plug-in ---- */

static int dc_blob_format(struct dax_color_persist *persist)
{
	struct dc_blob *blob = dc_blob_new(persist);
	int err;

	if (!blob)
		return -ENOMEM;
	err = dcb_format(&blob->store);
	dc_blob_destroy(blob);
	return err;
}

static void dc_blob_mark(struct dc_blob *blob)
{
	unsigned long from, to;

	for_each_set_bitrange(from, to, blob->store.used, blob->store.pages)
		dax_color_persist_mark(blob->persist, from, to - from);
	dax_color_persist_free_unmarked(blob->persist);
}

static int dc_blob_probe(struct dax_color_persist *persist)
{
	struct dc_blob *blob = dc_blob_new(persist);
	int err;

	if (!blob)
		return -ENOMEM;
	err = dcb_open(&blob->store);
	if (err) {
		if (blob->store.why)
			pr_warn("dax_color: %s: the store is damaged in page %llu: %s\n",
				dax_color_persist_name(persist), blob->store.where,
				blob->store.why);
		dc_blob_destroy(blob);
		return err;
	}
	dc_blob_mark(blob);
	dax_color_persist_set_data(persist, blob);
	return 0;
}

static int dc_blob_start(struct dax_color_persist *persist)
{
	struct dc_blob *blob = dax_color_persist_data(persist);

	snprintf(blob->name, sizeof(blob->name), "blob-%s", dax_color_persist_name(persist));
	memset(&blob->misc, 0, sizeof(blob->misc));
	blob->misc.minor = MISC_DYNAMIC_MINOR;
	blob->misc.name = blob->name;
	blob->misc.fops = &dc_blob_fops;
	blob->misc.mode = 0600;
	blob->closing = false;
	return misc_register(&blob->misc);
}

/* Who has it open would be left with nothing. */
static int dc_blob_cleanup(struct dax_color_persist *persist)
{
	struct dc_blob *blob = dax_color_persist_data(persist);
	int err = 0;

	down_write(&blob->lock);
	if (blob->opens)
		err = -EBUSY;
	else
		blob->closing = true;
	up_write(&blob->lock);
	/* Waits for who is about to open it, and finds it closing. */
	if (!err)
		misc_deregister(&blob->misc);
	return err;
}

static void dc_blob_remove(struct dax_color_persist *persist)
{
	dc_blob_destroy(dax_color_persist_data(persist));
}

static const struct dax_color_persist_ops dc_blob_ops = {
	.format = dc_blob_format,
	.probe = dc_blob_probe,
	.start = dc_blob_start,
	.cleanup = dc_blob_cleanup,
	.remove = dc_blob_remove,
};

static struct dax_color_persist_type dc_blob_type = {
	.name = "blob",
	.version = 1,
	.owner = THIS_MODULE,
	.ops = &dc_blob_ops,
};

int dc_blob_init(void)
{
	return dax_color_persist_register(&dc_blob_type);
}

void dc_blob_exit(void)
{
	WARN_ON(dax_color_persist_unregister(&dc_blob_type));
}
