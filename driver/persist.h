/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Persistent data in memory that the kernel uses as system RAM: the interface for
 * plug-ins, which know what data these are.
 *
 * An instance in mode `kmem-persist` is the memory of a NUMA node. A superblock in its
 * first page says of what type the data in it are, and so whose. The pages of an
 * instance are numbered from 0, by their offset in it, through all of its extents;
 * page 0 is the superblock's. Each page is at any time one of:
 *
 *	the system's	allocated from by anybody
 *	allocated	the plug-in's; what is in it is gone after a detach
 *	persistent	the plug-in's; what is in it stays
 *
 * The order of calls for one instance; never two at a time:
 *
 *	[format] probe [start cleanup]... remove
 */
#ifndef DAX_COLOR_PERSIST_H
#define DAX_COLOR_PERSIST_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/uuid.h>

struct dax_color_persist;

/**
 * struct dax_color_persist_ops - what a plug-in does; @probe is needed
 * @format: makes the memory what @probe takes for empty. All pages are allocated, and
 *	hold anything. When it fails, the memory is unformatted
 * @probe: finds what is persistent: marks it, and frees what is not. All pages are
 *	allocated. It may allocate some of what it has freed. When it fails, nothing of
 *	it is left: what it has taken it gives back before that
 * @start: the memory is there to be used, also by others: from here on pages can be
 *	allocated and freed. Also after @cleanup, when the memory did not go. When it
 *	fails the first time, the memory goes again; when it fails later, it stays, and
 *	is used by nobody
 * @cleanup: the memory is to go: the end of what @start began. Nothing can be allocated
 *	any more, and nothing is offline yet that was not before. When it refuses, nothing
 *	goes, and the plug-in goes on
 * @remove: the memory has gone
 */
struct dax_color_persist_ops {
	int (*format)(struct dax_color_persist *persist);
	int (*probe)(struct dax_color_persist *persist);
	int (*start)(struct dax_color_persist *persist);
	int (*cleanup)(struct dax_color_persist *persist);
	void (*remove)(struct dax_color_persist *persist);
};

/**
 * struct dax_color_persist_type - a plug-in
 * @name: in the superblock; 1 to 15 of a-z, 0-9, "-" and "_"
 * @version: of its own layout, in the superblock; another one is refused
 * @owner: cannot be unloaded while it is in use
 * @ops: what it does
 * @list: private
 * @users: private
 */
struct dax_color_persist_type {
	const char *name;
	u32 version;
	struct module *owner;
	const struct dax_color_persist_ops *ops;
	struct list_head list;
	unsigned int users;
};

/* Return: -EINVAL: the name, or no probe; -EEXIST: there is one of that name. */
int dax_color_persist_register(struct dax_color_persist_type *type);

/* Return: -EBUSY: it is in use; -ENOENT. */
int dax_color_persist_unregister(struct dax_color_persist_type *type);

/* The plug-in's own pointer. */
void dax_color_persist_set_data(struct dax_color_persist *persist, void *data);
void *dax_color_persist_data(struct dax_color_persist *persist);

/* "daxR.N" */
const char *dax_color_persist_name(const struct dax_color_persist *persist);
/* Of the data: new with each format. */
const uuid_t *dax_color_persist_id(const struct dax_color_persist *persist);
int dax_color_persist_node(const struct dax_color_persist *persist);
/* How many pages there are, with page 0. */
u64 dax_color_persist_pages(const struct dax_color_persist *persist);

/**
 * dax_color_persist_page() - a page by its number
 *
 * While its memory block is offline there are its bytes, but its struct page must not
 * be used for anything but its address.
 *
 * Return: NULL: there is no such page, or it is page 0.
 */
struct page *dax_color_persist_page(struct dax_color_persist *persist, u64 index);

/* Its bytes, also while its memory block is offline; NULL as above. */
void *dax_color_persist_address(struct dax_color_persist *persist, u64 index);

/**
 * dax_color_persist_alloc() - a page of this memory, of zeros, without I/O
 * @index: gets its number
 *
 * Return: -ENOMEM; -ENXIO: the system gave a page of other memory, which it has got
 * back; -ESHUTDOWN: cleanup has begun.
 */
int dax_color_persist_alloc(struct dax_color_persist *persist, u64 *index);

/* Pages [@first, @first + @nr) are allocated, or persistent: now they are the system's. */
void dax_color_persist_free(struct dax_color_persist *persist, u64 first, u64 nr);

/* In probe: frees all that is not marked. */
void dax_color_persist_free_unmarked(struct dax_color_persist *persist);

/* Pages [@first, @first + @nr), which are allocated: now they are persistent. */
void dax_color_persist_mark(struct dax_color_persist *persist, u64 first, u64 nr);

#endif
