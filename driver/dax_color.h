/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dax_color: device-dax instances by cache color, with ownership of what is mapped.
 *
 * A region is a physical range; its space (space.h) says of every piece whether it
 * is free, held by an instance, or on its way back. An instance is a character
 * device and a list of extents. The way of a piece of memory:
 *
 *	dirty/clean --grow--> preparing --> held --shrink--> quarantined --> zeroing --> clean
 *	                                                          (bad: never again)
 *
 * Locks, outermost first:
 *
 *	dc_claims_lock		changes of claims, of several instances at once
 *	dc_instance.lock	one change of an instance at a time; held while
 *				memory is zeroed for it
 *	dc_region.lock		the space, blocks and instances of a region
 *	dc_domain.lock		who owns which color
 *	dc_region.bad_lock	spinlock; memory that failed
 *
 * Faults take none of them: they read an instance's extents under dc_srcu. A
 * shrinking instance publishes the shorter list, waits for dc_srcu, and only then
 * unmaps, so no fault that saw the longer list can map behind its back.
 */
#ifndef DAX_COLOR_H
#define DAX_COLOR_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/uuid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/debugfs.h>

#include "space.h"

struct dax_color_claimant;

/* Unit of allocation: the smallest piece that can have struct pages of its own. */
#define DC_ALIGN	SZ_2M
/* Struct pages come and go in blocks of this size, at addresses that are multiples of it. */
#define DC_BLOCK	SZ_1G

enum dc_fault { DC_FAULT_4K, DC_FAULT_2M, DC_FAULT_1G, DC_NR_FAULTS };

/**
 * struct dc_color - one color of a domain
 * @owner: whose it is, while @bytes is not 0
 * @bytes: of it that are preparing, held or quarantined, in all regions
 */
struct dc_color {
	uuid_t owner;
	u64 bytes;
};

/**
 * struct dc_domain - a cache domain: the colors of one NUMA node
 * @list: in the list of all domains
 * @users: regions; protected by the lock of that list
 * @node: target node
 * @lock: protects what follows
 * @geometry: how addresses get colors
 * @colors: geometry.colors of them; NULL when there is no geometry
 * @bytes: preparing, held or quarantined, with any geometry
 */
struct dc_domain {
	struct list_head list;
	unsigned int users;
	int node;
	struct mutex lock;	/* of all below */
	struct dcg_geometry geometry;
	struct dc_color *colors;
	u64 bytes;
};

/**
 * struct dc_block - struct pages and kernel addresses for up to 1 GiB
 * @pgmap: while there, the block is mapped
 * @region: whose it is
 * @start: first address
 * @size: bytes; less than DC_BLOCK only at the ends of a region
 * @bytes: in use by pieces that are not free; the block goes with the last
 */
struct dc_block {
	struct dev_pagemap pgmap;
	struct dc_region *region;
	u64 start;
	u64 size;
	u64 bytes;
};

/**
 * struct dc_bad - memory that failed
 * @list: in dc_region.bad
 * @address: of the page
 * @told: whoever has claimed it knows; protected by dc_region.bad_lock
 */
struct dc_bad {
	struct list_head list;
	u64 address;
	bool told;
};

/**
 * struct dc_region - a physical range that is handed out
 * @kref: instances outlive the device while files are open
 * @dev: the platform device
 * @id: R of daxR.N
 * @node: target node, which may be offline
 * @start: first address, a multiple of DC_ALIGN
 * @size: bytes, a multiple of DC_ALIGN
 * @domain: whose colors its memory has
 * @ids: N of daxR.N
 * @lock: protects what follows, where nothing else is said
 * @dying: the device is being removed: nothing is handed out any more. Also read
 *	without the lock, to stop zeroing early
 * @space: state of every piece
 * @blocks: one pointer for each DC_BLOCK, from the one that holds @start; NULL: not mapped
 * @instances: all that are not deleted
 * @seed: the instance of size 0 that cannot be deleted; NULL when it could not be made
 * @youngest: name of the instance that was made last
 * @returns: memory on its way back, in quarantine
 * @unpinned: memory on its way back, that is to be zeroed
 * @look: walks over @returns and @unpinned
 * @generation: grows when memory has become free, with @changed woken
 * @changed: who waits for memory
 * @zeroing: bytes not zeroed yet of those that are being zeroed on their way back
 * @scrub: dirty memory is to be zeroed, too
 * @bad_lock: protects changes of @bad, and @idle_inode
 * @bad: memory that failed; only grows
 * @retire: makes what is free of @bad so in @space
 * @idle_inode: inodes of instances that are gone, chained by i_private: a memory
 *	failure may still be looking at the pages that pointed to one; protected by @bad_lock
 */
struct dc_region {
	struct kref kref;
	struct device *dev;
	int id;
	int node;
	u64 start;
	u64 size;
	struct dc_domain *domain;
	struct ida ids;

	struct mutex lock;	/* of all below, but for @zeroing */
	bool dying;
	struct dcs_space space;
	struct dc_block **blocks;
	struct list_head instances;
	struct dc_instance *seed;
	char youngest[24];
	struct list_head returns;
	struct list_head unpinned;
	struct delayed_work look;
	unsigned long generation;
	wait_queue_head_t changed;
	atomic64_t zeroing;
	bool scrub;

	spinlock_t bad_lock;	/* of changes of @bad, and of @idle_inode */
	struct list_head bad;
	struct work_struct retire;
	struct inode *idle_inode;
};

/**
 * struct dc_claim - who alone may use an instance
 * @uuid: of the claimant
 * @claimant: the module that it is; NULL: user space
 * @shared: anybody may open it; else one at a time
 * @count: how often it has claimed; 0: nobody has
 */
struct dc_claim {
	uuid_t uuid;
	struct dax_color_claimant *claimant;
	bool shared;
	unsigned int count;
};

/**
 * struct dc_instance - a device daxR.N
 * @dev: in class dax, child of the region's device
 * @cdev: its character device
 * @region: reference
 * @list: in dc_region.instances, under the region's lock
 * @id: N
 * @inode: one for all openers, so that unmapping reaches every mapping
 * @lock: protects what follows; for @extents: its changes
 * @dead: deleted, or its region is going
 * @extents: what it has; NULL: nothing. Read under dc_srcu
 * @mappings: one directory mappingN for each extent
 * @nr_mappings: how many
 * @align: size of its faults; changes while @extents is NULL only
 * @owner: as user space wrote it; nil: nobody
 * @key: whose its colors are: @owner, or a UUID of its own
 * @open_lock: innermost; protects @opens and @claim
 * @opens: open files
 * @claim: who has claimed it; changes with dc_claims_lock, is made with @lock too
 * @faults: answered, by size
 * @debugfs: directory
 */
struct dc_instance {
	struct device dev;
	struct cdev cdev;
	struct dc_region *region;
	struct list_head list;
	int id;
	struct inode *inode;

	struct mutex lock;	/* one change at a time */
	bool dead;
	struct dce_extents __rcu *extents;
	struct dc_mapping **mappings;
	u32 nr_mappings;
	unsigned long align;
	uuid_t owner;
	uuid_t key;
	spinlock_t open_lock;	/* of @opens and @claim */
	unsigned int opens;
	struct dc_claim claim;
	atomic64_t faults[DC_NR_FAULTS];
	struct dentry *debugfs;
};

#define to_dc_instance(d) container_of(d, struct dc_instance, dev)

extern struct srcu_struct dc_srcu;

/* region.c */
struct dc_region_info {
	struct range range;
	int node;
	struct dcg_geometry geometry;
};

int dc_region_driver_register(void);
void dc_region_driver_unregister(void);
/* Whose device @dev is. */
struct dc_region *dc_region_of(struct device *dev);
struct dc_region *dc_region_get(struct dc_region *region);
void dc_region_put(struct dc_region *region);
/* Memory of the region has become free, or a wait for it is in vain. */
void dc_region_changed(struct dc_region *region);

/* attributes.c: directory dax_region of a region, and the attributes of an instance */
extern const struct attribute_group *dc_region_groups[];
extern const struct attribute_group *dc_instance_groups[];

/* instance.c */
int dc_instances_init(void);
void dc_instances_exit(void);
/* Makes one of size 0; its name is in dc_region.youngest. */
int dc_instance_create(struct dc_region *region);
/* Makes the region's seed; it has none. */
void dc_instance_plant(struct dc_region *region);
/* It has got memory: if it was the seed, there is another one now. */
void dc_instance_sprout(struct dc_instance *instance);
int dc_instance_delete(struct dc_region *region, const char *name);
/* The region goes: takes the memory, removes the device. */
void dc_instance_remove(struct dc_instance *instance);
/* Returns: reference to the instance of that name, or NULL. */
struct dc_instance *dc_instance_get(const char *name);
/* Calls @each for every instance until it returns other than 0. */
void dc_instances_each(int (*each)(struct device *dev, void *data), void *data);
/* Somebody has a page of it pinned. */
bool dc_pinned(struct dc_instance *instance);
/* mappingN for @new; those that are there stay. */
int dc_mappings_grow(struct dc_instance *instance, const struct dce_extents *new);
void dc_mappings_shrink(struct dc_instance *instance, const struct dce_extents *new);

/* file.c */
extern const struct file_operations dc_fops;
int dc_inodes_init(void);
void dc_inodes_exit(void);
struct inode *dc_inode_get(struct dc_region *region, dev_t devt);
void dc_inode_put(struct dc_region *region, struct inode *inode);
void dc_inode_set_align(struct inode *inode, unsigned long align);
void dc_inodes_free(struct dc_region *region);
/* No mapping of [offset, offset + size) of the instance is left when it returns. */
void dc_unmap(struct dc_instance *instance, u64 offset, u64 size);

/* resize.c: all with dc_instance.lock */
u64 dc_size(struct dc_instance *instance);
int dc_resize(struct dc_instance *instance, u64 size);
/* @end: of its last byte. */
int dc_add_range(struct dc_instance *instance, u64 start, u64 end);
/* @nr_colors: bits of @colors. */
int dc_add_colors(struct dc_instance *instance, u32 count, const unsigned long *colors,
		  u32 nr_colors);
/* Takes all of its memory; cannot fail. */
void dc_empty(struct dc_instance *instance);

/* returns.c: memory on its way back, and memory that failed */
/* With the region's lock: dcs_set() that cannot fail. */
void dc_space_set(struct dc_region *region, u64 start, u64 size, enum dcs_state state,
		  const void *holder);
int dc_returns_init(void);
void dc_returns_exit(void);
/*
 * With the region's lock: @range was unmapped everywhere. When nobody has it pinned it
 * is on its way to zeroes and freedom when this returns, else some day.
 */
void dc_return(struct dc_region *region, const struct dcs_range *range);
void dc_return_look(struct work_struct *work);
/* Zero what is dirty, in the background. */
void dc_scrub(struct dc_region *region);
/* The region is dying: waits until all of it is back. */
void dc_returns_drain(struct dc_region *region);
void dc_retire(struct work_struct *work);
/* With the region's lock: what is free of granules where memory failed is bad. */
void dc_retire_free(struct dc_region *region);
int dc_memory_failed(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long nr_pages,
		     int flags);
/* Whether memory of the page at @address, or any of a range, failed; any context. */
bool dc_is_bad(struct dc_region *region, u64 address);
bool dc_has_bad(struct dc_region *region, u64 start, u64 size);
/* What failed is known beyond the life of a region. */
void dc_bad_recall(struct dc_region *region);
void dc_bad_keep(struct dc_region *region);

/* domain.c */
struct dc_domain *dc_domain_get(int node);
void dc_domain_put(struct dc_domain *domain);
bool dc_same_geometry(const struct dcg_geometry *a, const struct dcg_geometry *b);
/* -EBUSY: memory of the domain is in use. */
int dc_domain_set(struct dc_domain *domain, const struct dcg_geometry *geometry);
/* The same for a new region: -EEXIST: the domain has another one, in use or not. */
int dc_domain_begin(struct dc_domain *domain, const struct dcg_geometry *geometry);
/* With dc_domain.lock. */
const struct dcg_geometry *dc_domain_geometry(const struct dc_domain *domain);
bool dc_domain_may(const struct dc_domain *domain, const uuid_t *key, u32 color);
/* -EPERM: a color of the range is another's, or there is a geometry and it has none. */
int dc_domain_check(const struct dc_domain *domain, const uuid_t *key, u64 start, u64 size);
void dc_domain_claim(struct dc_domain *domain, const uuid_t *key, u64 start, u64 size);
void dc_domain_drop(struct dc_domain *domain, u64 start, u64 size);

/* pages.c: with the region's lock, where nothing else is said */
int dc_blocks_init(struct dc_region *region);
void dc_blocks_exit(struct dc_region *region);
/*
 * Without the lock: @ranges are the caller's own already. @done: bytes that have struct
 * pages when it returns, also when it fails: -EINTR, -ENOMEM.
 */
int dc_blocks_get(struct dc_region *region, const struct dcs_ranges *ranges, unsigned long align,
		  u64 *done);
/* A range within one block. */
int dc_blocks_get_one(struct dc_region *region, const struct dcs_range *range, unsigned long align);
/* The first @bytes of @ranges. */
void dc_blocks_put_ranges(struct dc_region *region, const struct dcs_ranges *ranges, u64 bytes);
void dc_blocks_put(struct dc_region *region, u64 start, u64 size);
/* Somebody holds a page of the range. */
bool dc_pages_pinned(struct dc_region *region, u64 start, u64 size);
/* The pages of the range belong to no file any more, but for those that failed. */
void dc_pages_forget(struct dc_region *region, u64 start, u64 size);
/* Without the lock, during a fault: they belong to @mapping, at @pgoff. */
void dc_pages_own(u64 start, u64 size, struct address_space *mapping, pgoff_t pgoff);

/* zero.c */
int dc_zero_init(void);
void dc_zero_exit(void);
/*
 * Writes zeros over @ranges, all of which have struct pages, on several CPUs near
 * @node. -EINTR when @stop became true or the caller was killed.
 * @left, when there, falls by the bytes that have been written.
 */
int dc_zero(int node, const struct dcs_ranges *ranges, const bool *stop, atomic64_t *left);

/* claim.c */
int dc_claims_init(void);
void dc_claims_exit(void);
extern const struct attribute_group *dc_claim_groups[];
ssize_t dc_claim_show(struct dc_instance *instance, char *buf);
/* With dc_instance.lock the answer cannot become true. */
bool dc_claimed(struct dc_instance *instance);
/* With dc_instance.open_lock; -EBUSY: it is claimed, and open already. */
int dc_claim_may_open(const struct dc_instance *instance);
/* Memory of the instance failed, @offset bytes from its start. */
void dc_claim_failed(struct dc_instance *instance, u64 offset);
/* The instance is dead: so is its claim. */
void dc_claim_forget(struct dc_instance *instance);

/* debugfs.c */
void dc_debugfs_init(void);
void dc_debugfs_exit(void);
void dc_debugfs_instance(struct dc_instance *instance);

#endif
