// SPDX-License-Identifier: GPL-2.0
/*
 * Instances as system RAM of their node, and back.
 *
 * The memory is added; user space brings its blocks online, one by one, and takes them
 * offline, whenever it likes. Pages that are kept (by a plug-in, persist.h) never reach
 * the system: the callback that brings a page online leaves them out, and while a block
 * goes offline nobody has a reference to them. Their bytes are there all the time.
 *
 * Locks: dc_instance.lock, dc_lending, then those of memory hotplug, then
 * dc_kmem.hotplug, then dc_kmems_lock. The notifier and the callback run under those of
 * memory hotplug, and so take neither of the first two, nor dc_region.lock.
 */
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/node.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "compat.h"
#include "kmem.h"

#define DC_RAM_NAME	"System RAM (dax_color)"
/* How often memory that the system does not give back is asked for again. */
#define DC_ASK_AGAIN	(5 * HZ)
/* Most bytes that are zeroed at a time. */
#define DC_ZERO_RUN	SZ_1G

/* Adding and taking away, of all instances: memory hotplug is one at a time, too. */
static DEFINE_MUTEX(dc_lending);
/* Who has the callback: how many instances; under dc_lending. */
static unsigned int dc_callback_users;

static DEFINE_MUTEX(dc_kmems_lock);
static LIST_HEAD(dc_kmems);

/* ---- addresses, pages and memory blocks by number ---- */

static u64 dc_kmem_physical(const struct dc_kmem *kmem, u64 index)
{
	return dce_lookup(kmem->extents, index << PAGE_SHIFT, PAGE_SIZE);
}

void *dc_kmem_address(const struct dc_kmem *kmem, u64 index)
{
	u64 address;

	if (index >= kmem->pages)
		return NULL;
	address = dc_kmem_physical(kmem, index);
	return address == DCE_NONE ? NULL : __va(address);
}

static bool dc_kmem_index(const struct dc_kmem *kmem, unsigned long pfn, u64 *index)
{
	u64 address = PFN_PHYS(pfn);
	u32 i;

	for (i = 0; i < kmem->extents->nr; i++) {
		const struct dce_extent *extent = &kmem->extents->list[i];

		if (address < extent->start || address - extent->start >= extent->size)
			continue;
		*index = PHYS_PFN(extent->offset + (address - extent->start));
		return true;
	}
	return false;
}

static struct dc_kmem *dc_kmem_of(unsigned long pfn, u64 *index)
{
	struct dc_kmem *kmem, *found = NULL;

	mutex_lock(&dc_kmems_lock);
	list_for_each_entry(kmem, &dc_kmems, list) {
		if (dc_kmem_index(kmem, pfn, index)) {
			found = kmem;
			break;
		}
	}
	mutex_unlock(&dc_kmems_lock);
	/* It stays while memory of it comes or goes. */
	return found;
}

static bool dc_is_online(const struct dc_kmem *kmem, u64 index)
{
	return test_bit(index / kmem->block_pages, kmem->online);
}

/* ---- single pages; with dc_kmem.hotplug, and nothing changing ---- */

/* Not while a memory block comes or goes. */
static void dc_pages_lock(struct dc_kmem *kmem)
{
	mutex_lock(&kmem->hotplug);
	while (kmem->changing) {
		mutex_unlock(&kmem->hotplug);
		wait_event(kmem->settled, !READ_ONCE(kmem->changing));
		mutex_lock(&kmem->hotplug);
	}
}

static void dc_pages_unlock(struct dc_kmem *kmem)
{
	mutex_unlock(&kmem->hotplug);
}

static struct page *dc_kmem_page(const struct dc_kmem *kmem, u64 index)
{
	return pfn_to_page(PHYS_PFN(dc_kmem_physical(kmem, index)));
}

/* One that was never the system's since its block came online. */
static void dc_keep_page(struct page *page)
{
	dc_kasan_knows(page);
	if (!DC_HOTPLUG_IS_PAGE_OFFLINE) {
		__SetPageOffline(page);
		__ClearPageReserved(page);
	}
}

/* One that was just allocated. */
static void dc_withhold_page(struct page *page)
{
	__SetPageOffline(page);
	adjust_managed_page_count(page, -1);
}

static void dc_give_page(struct page *page)
{
	if (!DC_HOTPLUG_IS_PAGE_OFFLINE)
		__ClearPageOffline(page);
	generic_online_page(page, 0);
}

/* In a block that is offline, a page is nobody's that is not kept. */
static bool dc_alloc_offline(struct dc_kmem *kmem, u64 *index)
{
	u64 at = 0;

	while ((at = find_next_zero_bit(kmem->kept, kmem->pages, at)) < kmem->pages) {
		if (!dc_is_online(kmem, at)) {
			*index = at;
			clear_page(dc_kmem_address(kmem, at));
			return true;
		}
		at = roundup(at + 1, kmem->block_pages);
	}
	return false;
}

/* Movable memory, too: what is kept does not get in the way of a block going offline. */
static int dc_alloc_online(struct dc_kmem *kmem, u64 *index)
{
	gfp_t how = GFP_NOIO | __GFP_THISNODE | __GFP_ZERO | __GFP_HIGHMEM | __GFP_MOVABLE |
		    __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	struct page *page = alloc_pages_node(kmem->node, how, 0);

	if (!page)
		return -ENOMEM;
	if (!dc_kmem_index(kmem, page_to_pfn(page), index)) {
		__free_page(page);
		return -ENXIO;
	}
	dc_withhold_page(page);
	return 0;
}

static int dc_alloc_locked(struct dc_kmem *kmem, u64 *index)
{
	int err = 0;

	if (kmem->closing)
		return -ESHUTDOWN;
	if (!dc_alloc_offline(kmem, index))
		err = dc_alloc_online(kmem, index);
	if (!err)
		__set_bit(*index, kmem->kept);
	return err;
}

int dc_kmem_alloc(struct dc_kmem *kmem, u64 *index)
{
	int err;

	dc_pages_lock(kmem);
	err = dc_alloc_locked(kmem, index);
	dc_pages_unlock(kmem);
	return err;
}

/* Page 0 is the superblock's for as long as there is one. */
static void dc_free_locked(struct dc_kmem *kmem, u64 index)
{
	if (WARN_ON_ONCE(!index || index >= kmem->pages || !test_bit(index, kmem->kept)))
		return;
	__clear_bit(index, kmem->marked);
	__clear_bit(index, kmem->kept);
	if (dc_is_online(kmem, index))
		dc_give_page(dc_kmem_page(kmem, index));
}

void dc_kmem_free(struct dc_kmem *kmem, u64 first, u64 nr)
{
	dc_pages_lock(kmem);
	while (nr--)
		dc_free_locked(kmem, first++);
	dc_pages_unlock(kmem);
}

void dc_kmem_free_unmarked(struct dc_kmem *kmem)
{
	u64 at;

	dc_pages_lock(kmem);
	for_each_set_bit(at, kmem->kept, kmem->pages) {
		if (!test_bit(at, kmem->marked))
			dc_free_locked(kmem, at);
	}
	dc_pages_unlock(kmem);
}

void dc_kmem_mark(struct dc_kmem *kmem, u64 first, u64 nr)
{
	dc_pages_lock(kmem);
	for (; nr; first++, nr--) {
		if (!WARN_ON_ONCE(first >= kmem->pages || !test_bit(first, kmem->kept)))
			__set_bit(first, kmem->marked);
	}
	dc_pages_unlock(kmem);
}

/* ---- memory blocks that come and go ---- */

static u64 dc_next_kept(const struct dc_kmem *kmem, u64 from, u64 end)
{
	return kmem->kept ? find_next_bit(kmem->kept, end, from) : end;
}

/* The system gets [@page, 2^@order) in pieces without kept pages, as large as can be. */
static void dc_online_run(struct dc_kmem *kmem, struct page *page, u64 index, unsigned int order)
{
	if (dc_next_kept(kmem, index, index + (1UL << order)) == index + (1UL << order)) {
		generic_online_page(page, order);
		return;
	}
	if (!order) {
		dc_keep_page(page);
		return;
	}
	order--;
	dc_online_run(kmem, page, index, order);
	dc_online_run(kmem, page + (1UL << order), index + (1UL << order), order);
}

/* For all memory of the machine, while we have the callback. With dc_kmem.changing. */
static void dc_online_page(struct page *page, unsigned int order)
{
	u64 index;
	struct dc_kmem *kmem = dc_kmem_of(page_to_pfn(page), &index);

	if (kmem)
		dc_online_run(kmem, page, index, order);
	else
		generic_online_page(page, order);
}

/* What is kept of [@first, @end) shall be (or shall no longer be) in nobody's way. */
static void dc_let_go(struct dc_kmem *kmem, u64 first, u64 end, bool go)
{
	u64 at;

	for (at = dc_next_kept(kmem, first, end); at < end; at = dc_next_kept(kmem, at + 1, end)) {
		struct page *page = dc_kmem_page(kmem, at);

		if (!DC_HOTPLUG_IS_PAGE_OFFLINE)
			adjust_managed_page_count(page, go ? 1 : -1);
		if (go)
			page_ref_dec(page);
		else
			page_ref_inc(page);
		cond_resched();
	}
}

/* Their struct pages, which know of failures, are about to go. */
static void dc_note_failures(struct dc_kmem *kmem, unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr;

	for (; pfn < end; pfn++) {
		if (!PageHWPoison(pfn_to_page(pfn)))
			continue;
		kmem->failed = true;
		dc_bad_report(kmem->instance->region, PFN_PHYS(pfn));
	}
}

static void dc_set_online(struct dc_kmem *kmem, u64 first, u64 nr, bool online)
{
	u64 block = first / kmem->block_pages, end = (first + nr) / kmem->block_pages;

	for (; block < end; block++)
		__assign_bit(block, kmem->online, online);
}

/*
 * The chain of notifiers is gone through once for the beginning and once for the end, and
 * no lock is kept from one to the other: whoever wants the pages waits instead.
 */
static void dc_change_begins(struct dc_kmem *kmem)
{
	mutex_lock(&kmem->hotplug);
	WRITE_ONCE(kmem->changing, true);
	mutex_unlock(&kmem->hotplug);
}

static void dc_change_ends(struct dc_kmem *kmem)
{
	mutex_lock(&kmem->hotplug);
	WRITE_ONCE(kmem->changing, false);
	mutex_unlock(&kmem->hotplug);
	wake_up_all(&kmem->settled);
}

static void dc_memory_changes(struct dc_kmem *kmem, unsigned long event,
			      const struct memory_notify *what, u64 first)
{
	u64 end = first + what->nr_pages;

	switch (event) {
	case MEM_GOING_ONLINE:
		dc_change_begins(kmem);
		kmem->exposed = true;
		break;
	case MEM_GOING_OFFLINE:
		dc_change_begins(kmem);
		dc_let_go(kmem, first, end, true);
		break;
	case MEM_CANCEL_OFFLINE:
		if (!kmem->changing)
			break;
		dc_let_go(kmem, first, end, false);
		dc_change_ends(kmem);
		break;
	case MEM_CANCEL_ONLINE:
		if (kmem->changing)
			dc_change_ends(kmem);
		break;
	case MEM_ONLINE:
		dc_set_online(kmem, first, what->nr_pages, true);
		dc_change_ends(kmem);
		break;
	case MEM_OFFLINE:
		dc_note_failures(kmem, what->start_pfn, what->nr_pages);
		dc_set_online(kmem, first, what->nr_pages, false);
		dc_change_ends(kmem);
		break;
	}
}

/* The only memory of its node is what a plug-in may rely on. */
static bool dc_is_exclusive(int node)
{
	bool exclusive = false;
	struct dc_kmem *kmem;

	mutex_lock(&dc_kmems_lock);
	list_for_each_entry(kmem, &dc_kmems, list)
		exclusive |= kmem->node == node && kmem->mode == DC_MODE_PERSIST;
	mutex_unlock(&dc_kmems_lock);
	return exclusive;
}

static int dc_memory_notified(struct notifier_block *block, unsigned long event, void *arg)
{
	const struct memory_notify *what = arg;
	u64 first;
	struct dc_kmem *kmem = dc_kmem_of(what->start_pfn, &first);
	int node;

	if (kmem && event == MEM_GOING_ONLINE && READ_ONCE(kmem->adding))
		return notifier_from_errno(-EPERM);
	if (kmem) {
		dc_memory_changes(kmem, event, what, first);
		return NOTIFY_OK;
	}
	if (event != MEM_GOING_ONLINE)
		return NOTIFY_DONE;
	node = page_to_nid(pfn_to_page(what->start_pfn));
	if (!dc_is_exclusive(node))
		return NOTIFY_DONE;
	pr_warn("dax_color: %#llx stays offline: node %d is for memory with persistent data\n",
		(u64)PFN_PHYS(what->start_pfn), node);
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block dc_memory_notifier = {
	.notifier_call = dc_memory_notified,
};

/* With dc_lending. */
static int dc_callback_get(struct dc_kmem *kmem)
{
	if (!dc_callback_users && set_online_page_callback(dc_online_page)) {
		dev_warn(&kmem->instance->dev,
			 "not system RAM: another driver (virtio_mem, hv_balloon, xen) decides which pages come online\n");
		return -EBUSY;
	}
	dc_callback_users++;
	return 0;
}

static void dc_callback_put(void)
{
	if (!--dc_callback_users)
		restore_online_page_callback(dc_online_page);
}

/* ---- room in /proc/iomem; with dc_lending ---- */

/*
 * The region's resource keeps everybody out by being busy. While some of it is system
 * RAM, that must be below it; so then it is not busy, but has busy children for all
 * the rest. While the children change it is busy again.
 */
static void dc_room_shut(struct dc_region *region)
{
	WRITE_ONCE(region->resource->flags, region->resource->flags | IORESOURCE_BUSY);
}

static void dc_room_open(struct dc_region *region)
{
	WRITE_ONCE(region->resource->flags, region->resource->flags & ~IORESOURCE_BUSY);
}

static bool dc_room_take(struct dc_region *region, u64 start, u64 end)
{
	return start == end || __request_region(region->resource, start, end - start,
						dev_name(region->dev), 0);
}

/* The busy child of ours with @address; nobody else changes the children. */
static struct resource *dc_room_at(struct dc_region *region, u64 address)
{
	struct resource *child;

	for (child = region->resource->child; child; child = child->sibling) {
		if (address >= child->start && address <= child->end &&
		    !(child->flags & IORESOURCE_SYSRAM))
			return child;
	}
	return NULL;
}

static void dc_room_drop(struct dc_region *region, const struct resource *child)
{
	__release_region(region->resource, child->start, resource_size(child));
}

/* A hole in the children for [@start, @end). */
static int dc_room_make(struct dc_region *region, u64 start, u64 end)
{
	u64 behind = region->start + region->size, from, to;
	struct resource *child;

	dc_room_shut(region);
	if (!region->resource->child && !dc_room_take(region, region->start, behind))
		return -ENOMEM;
	child = dc_room_at(region, start);
	if (WARN_ON(!child || child->end < end - 1))
		return -EBUSY;
	from = child->start;
	to = child->end + 1;
	dc_room_drop(region, child);
	if (!dc_room_take(region, from, start) || !dc_room_take(region, end, to)) {
		dev_err(region->dev, "%#llx-%#llx: no room in /proc/iomem\n", from, to - 1);
		return -ENOMEM;
	}
	dc_room_open(region);
	return 0;
}

/* The hole is filled, and one child with what is beside it. */
static void dc_room_fill(struct dc_region *region, u64 start, u64 end)
{
	struct resource *child;

	dc_room_shut(region);
	child = start > region->start ? dc_room_at(region, start - 1) : NULL;
	if (child) {
		start = child->start;
		dc_room_drop(region, child);
	}
	child = dc_room_at(region, end);
	if (child) {
		end = child->end + 1;
		dc_room_drop(region, child);
	}
	if (start == region->start && end == region->start + region->size)
		return;
	if (dc_room_take(region, start, end))
		dc_room_open(region);
	else
		dev_err(region->dev, "%#llx-%#llx: somebody else has part of it\n", start, end - 1);
}

/* ---- adding and removing memory; with dc_lending ---- */

static int dc_add_extent(struct dc_kmem *kmem, u32 i)
{
	struct dc_region *region = kmem->instance->region;
	const struct dce_extent *extent = &kmem->extents->list[i];
	int err = dc_room_make(region, extent->start, extent->start + extent->size);

	/*
	 * The system may be set to bring all new memory online at once, in a zone from
	 * which it does not come back. Who wanted it says which zone.
	 */
	WRITE_ONCE(kmem->adding, true);
	if (!err)
		err = add_memory_driver_managed(kmem->node, extent->start, extent->size,
						DC_RAM_NAME, MHP_NONE);
	WRITE_ONCE(kmem->adding, false);
	if (err) {
		dc_room_fill(region, extent->start, extent->start + extent->size);
		dev_warn(&kmem->instance->dev, "%#llx-%#llx cannot be system RAM: error %d\n",
			 extent->start, extent->start + extent->size - 1, err);
		return err;
	}
	__set_bit(i, kmem->added);
	return 0;
}

static int dc_add_all(struct dc_kmem *kmem)
{
	int err = 0;
	u32 i;

	for (i = 0; !err && i < kmem->extents->nr; i++) {
		if (!test_bit(i, kmem->added))
			err = dc_add_extent(kmem, i);
	}
	return err;
}

static int dc_remove_extent(struct dc_kmem *kmem, u32 i)
{
	const struct dce_extent *extent = &kmem->extents->list[i];
	int err = offline_and_remove_memory(extent->start, extent->size);

	if (err) {
		dev_warn(&kmem->instance->dev,
			 "%#llx-%#llx stays system RAM: it cannot be taken offline: error %d\n",
			 extent->start, extent->start + extent->size - 1, err);
		return err;
	}
	__clear_bit(i, kmem->added);
	dc_room_fill(kmem->instance->region, extent->start, extent->start + extent->size);
	return 0;
}

static int dc_remove_all(struct dc_kmem *kmem)
{
	int err = 0;
	u32 i;

	for (i = 0; !err && i < kmem->extents->nr; i++) {
		if (test_bit(i, kmem->added))
			err = dc_remove_extent(kmem, i);
	}
	return err;
}

/* ---- what the system has written must not be read by anybody else ---- */

/* The end of a run of pages from @at that are not to be kept, in one extent. */
static u64 dc_unmarked_run(const struct dc_kmem *kmem, u64 at, u64 end)
{
	u64 most = min(end, at + PHYS_PFN(DC_ZERO_RUN));

	return kmem->marked ? find_next_bit(kmem->marked, most, at) : most;
}

static int dc_zero_run(struct dc_kmem *kmem, u64 from, u64 to)
{
	const u64 unit = PHYS_PFN(DC_ALIGN);
	struct dcs_range range = { .start = dc_kmem_physical(kmem, ALIGN(from, unit)) };
	struct dcs_ranges ranges = { .list = &range, .nr = 1 };
	u64 whole = ALIGN(from, unit), behind = ALIGN_DOWN(to, unit);

	for (; from < min(whole, to); from++)
		clear_page(dc_kmem_address(kmem, from));
	cond_resched();
	if (from == to)
		return 0;
	for (; to > max(behind, from); to--)
		clear_page(dc_kmem_address(kmem, to - 1));
	range.size = (to - from) << PAGE_SHIFT;
	ranges.size = range.size;
	return dc_zero(kmem->node, &ranges, &kmem->instance->region->dying, NULL);
}

static int dc_zero_extent(struct dc_kmem *kmem, const struct dce_extent *extent)
{
	u64 at = PHYS_PFN(extent->offset), end = at + PHYS_PFN(extent->size), to;
	int err = 0;

	while (!err && at < end) {
		to = dc_unmarked_run(kmem, at, end);
		if (to > at)
			err = dc_zero_run(kmem, at, to);
		at = kmem->marked ? find_next_zero_bit(kmem->marked, end, to) : to;
	}
	return err;
}

static int dc_zero_unmarked(struct dc_kmem *kmem)
{
	int err = 0;
	u32 i;

	/* What failed is not to be touched; it will be zeroed without that when it is released. */
	for (i = 0; !err && !kmem->failed && i < kmem->extents->nr; i++)
		err = dc_zero_extent(kmem, &kmem->extents->list[i]);
	return err;
}

/* ---- whether it may be ---- */

static int dc_foreign_memory(struct resource *res, void *arg)
{
	int node = *(int *)arg;

	return phys_to_target_node(res->start) == node || phys_to_target_node(res->end) == node;
}

static bool dc_node_is_lent(int node, bool *exclusive)
{
	struct dc_kmem *kmem;
	bool lent = false;

	mutex_lock(&dc_kmems_lock);
	list_for_each_entry(kmem, &dc_kmems, list) {
		if (kmem->node != node)
			continue;
		lent = true;
		*exclusive |= kmem->mode == DC_MODE_PERSIST;
	}
	mutex_unlock(&dc_kmems_lock);
	return lent;
}

/* Of instances without persistent data there can be several on a node, and nothing else. */
static int dc_check_node(struct dc_kmem *kmem)
{
	bool exclusive = kmem->mode == DC_MODE_PERSIST;
	int node = kmem->node;

	if (dc_node_is_lent(node, &exclusive) ? !exclusive :
	    !node_state(node, N_MEMORY) &&
	    walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM, 0, -1, &node,
				dc_foreign_memory) <= 0)
		return 0;
	dev_warn(&kmem->instance->dev, "not system RAM: node %d holds other memory\n", node);
	return -ENOTUNIQ;
}

static int dc_check_extents(struct dc_instance *instance, const struct dce_extents *extents)
{
	u64 unit = memory_block_size_bytes();
	u32 i;

	for (i = 0; i < extents->nr; i++) {
		if (IS_ALIGNED(extents->list[i].start | extents->list[i].size, unit))
			continue;
		dev_warn(&instance->dev,
			 "not system RAM: %#llx-%#llx is no multiple of memory blocks of %llu bytes\n",
			 extents->list[i].start,
			 extents->list[i].start + extents->list[i].size - 1, unit);
		return -EINVAL;
	}
	return 0;
}

static bool dc_has_failed(struct dc_region *region, const struct dce_extents *extents)
{
	bool failed = false;
	u32 i;

	for (i = 0; i < extents->nr && !failed; i++)
		failed = dc_has_bad(region, extents->list[i].start, extents->list[i].size);
	return failed;
}

static int dc_check_instance(struct dc_instance *instance)
{
	const struct dce_extents *extents;
	int node = instance->region->node;

	extents = rcu_dereference_protected(instance->extents, lockdep_is_held(&instance->lock));
	if (instance->dead || !extents)
		return -ENXIO;
	if (instance->failed || dc_has_failed(instance->region, extents)) {
		dev_warn(&instance->dev, "not system RAM: some of it failed\n");
		return -EHWPOISON;
	}
	if (node < 0 || node >= MAX_NUMNODES || !node_possible(node)) {
		dev_warn(&instance->dev, "not system RAM: node %d is not possible here\n", node);
		return -ENXIO;
	}
	return dc_check_extents(instance, extents);
}

/* Those who are in the way, in the region's memory or with pages of it. */
static int dc_check_others(struct dc_kmem *kmem)
{
	struct dc_region *region = kmem->instance->region;
	const struct dce_extents *extents = kmem->extents;
	const char *why = NULL;
	u32 i;

	mutex_lock(&region->lock);
	if (dc_blocks_may_lend(region, extents))
		why = "another instance has memory in the same GiB";
	for (i = 0; i < extents->nr && !why; i++) {
		if (dc_pages_pinned(region, extents->list[i].start, extents->list[i].size))
			why = "somebody has it pinned";
	}
	for (i = 0; i < extents->nr && !why; i++)
		dc_pages_forget(region, extents->list[i].start, extents->list[i].size);
	mutex_unlock(&region->lock);
	if (why)
		dev_warn(&kmem->instance->dev, "not system RAM: %s\n", why);
	return why ? -EBUSY : 0;
}

/* ---- there and back; with dc_instance.lock and dc_lending ---- */

static struct dc_kmem *dc_kmem_alloc_bits(struct dc_kmem *kmem)
{
	u64 blocks = kmem->pages / kmem->block_pages;

	kmem->online = kvcalloc(BITS_TO_LONGS(blocks), sizeof(long), GFP_KERNEL);
	kmem->added = kvcalloc(BITS_TO_LONGS(kmem->extents->nr), sizeof(long), GFP_KERNEL);
	if (!kmem->online || !kmem->added)
		return NULL;
	if (kmem->mode != DC_MODE_PERSIST)
		return kmem;
	kmem->kept = kvcalloc(BITS_TO_LONGS(kmem->pages), sizeof(long), GFP_KERNEL);
	kmem->marked = kvcalloc(BITS_TO_LONGS(kmem->pages), sizeof(long), GFP_KERNEL);
	if (!kmem->kept || !kmem->marked)
		return NULL;
	bitmap_fill(kmem->kept, kmem->pages);
	__set_bit(0, kmem->marked);
	return kmem;
}

static void dc_kmem_destroy(struct dc_kmem *kmem)
{
	kvfree(kmem->online);
	kvfree(kmem->added);
	kvfree(kmem->kept);
	kvfree(kmem->marked);
	mutex_destroy(&kmem->hotplug);
	kfree(kmem);
}

static struct dc_kmem *dc_kmem_new(struct dc_instance *instance, enum dc_mode mode)
{
	struct dc_kmem *kmem = kzalloc(sizeof(*kmem), GFP_KERNEL);

	if (!kmem)
		return NULL;
	kmem->instance = instance;
	kmem->extents = rcu_dereference_protected(instance->extents,
						  lockdep_is_held(&instance->lock));
	kmem->mode = mode;
	kmem->node = instance->region->node;
	kmem->pages = PHYS_PFN(kmem->extents->size);
	kmem->block_pages = PHYS_PFN(memory_block_size_bytes());
	mutex_init(&kmem->hotplug);
	init_waitqueue_head(&kmem->settled);
	INIT_LIST_HEAD(&kmem->list);
	if (dc_kmem_alloc_bits(kmem))
		return kmem;
	dc_kmem_destroy(kmem);
	return NULL;
}

static void dc_kmem_publish(struct dc_kmem *kmem, bool known)
{
	mutex_lock(&dc_kmems_lock);
	if (known)
		list_add(&kmem->list, &dc_kmems);
	else
		list_del_init(&kmem->list);
	mutex_unlock(&dc_kmems_lock);
}

static int dc_blocks_return(struct dc_kmem *kmem)
{
	struct dc_region *region = kmem->instance->region;
	int err;

	if (!kmem->lent)
		return 0;
	mutex_lock(&region->lock);
	err = dc_blocks_unlend(region, kmem->extents, kmem->instance->align);
	mutex_unlock(&region->lock);
	if (!err)
		kmem->lent = false;
	return err;
}

/* What began and did not end begins where it was; nothing is done twice. */
static int dc_take_back(struct dc_kmem *kmem)
{
	int err = dc_remove_all(kmem);

	if (!err)
		err = dc_blocks_return(kmem);
	if (!err && kmem->exposed)
		err = dc_zero_unmarked(kmem);
	/* Whoever gets the region's memory next zeroes all of it first. */
	if (err && !kmem->lent && kmem->instance->region->dying)
		err = 0;
	return err;
}

static void dc_finish(struct dc_kmem *kmem)
{
	struct dc_instance *instance = kmem->instance;

	dc_kmem_publish(kmem, false);
	dc_callback_put();
	dc_persist_close(kmem);
	instance->failed |= kmem->failed;
	/* With force, what was there is gone. */
	if (kmem->mode == DC_MODE_KMEM)
		instance->persist_type[0] = 0;
	instance->kmem = NULL;
	WRITE_ONCE(instance->mode, DC_MODE_DEVDAX);
	dc_kmem_destroy(kmem);
}

static int dc_lend_blocks(struct dc_kmem *kmem)
{
	struct dc_region *region = kmem->instance->region;
	int err;

	mutex_lock(&region->lock);
	err = region->dying ? -ENXIO : dc_blocks_lend(region, kmem->extents);
	mutex_unlock(&region->lock);
	kmem->lent = !err;
	return err;
}

static int dc_examine_plain(struct dc_kmem *kmem, bool force)
{
	struct dcp_super *super;
	enum dcp_verdict verdict;
	const char *why;

	if (force)
		return 0;
	super = kmalloc(sizeof(*super), GFP_KERNEL);
	if (!super)
		return -ENOMEM;
	verdict = dc_persist_judge(dc_kmem_physical(kmem, 0), super, &why);
	kfree(super);
	if (verdict != DCP_VALID && verdict != DCP_DAMAGED)
		return 0;
	dev_warn(&kmem->instance->dev,
		 "not system RAM: it holds persistent data; kmem-persist keeps them, 'kmem force' does not\n");
	return -EEXIST;
}

/* Nothing is changed yet but the data, where that was asked for. */
static int dc_prepare(struct dc_kmem *kmem, const char *type, bool force)
{
	int err = dc_check_node(kmem);

	if (!err)
		err = dc_check_others(kmem);
	if (!err)
		err = dc_callback_get(kmem);
	if (err)
		return err;
	err = kmem->mode == DC_MODE_PERSIST ? dc_persist_open(kmem, type, force) :
					      dc_examine_plain(kmem, force);
	if (!err)
		err = dc_lend_blocks(kmem);
	if (err) {
		dc_persist_close(kmem);
		dc_callback_put();
	}
	return err;
}

static int dc_lend(struct dc_instance *instance, enum dc_mode mode, const char *type, bool force)
{
	struct dc_kmem *kmem = dc_kmem_new(instance, mode);
	int err;

	if (!kmem)
		return -ENOMEM;
	err = dc_prepare(kmem, type, force);
	if (err) {
		dc_kmem_destroy(kmem);
		return err;
	}
	instance->kmem = kmem;
	WRITE_ONCE(instance->mode, kmem->mode);
	dc_kmem_publish(kmem, true);
	/* Others than its user have written to it. */
	kmem->exposed = kmem->mode == DC_MODE_KMEM && instance->persist_type[0];
	err = dc_add_all(kmem);
	if (!err)
		err = dc_persist_start(kmem);
	if (!err)
		return 0;
	if (dc_take_back(kmem))
		dev_warn(&instance->dev, "what is system RAM of it stays so for now\n");
	else
		dc_finish(kmem);
	return err;
}

static void dc_set_closing(struct dc_kmem *kmem, bool closing)
{
	dc_pages_lock(kmem);
	kmem->closing = closing;
	dc_pages_unlock(kmem);
}

/* The memory did not go: all of it is there again, and its plug-in goes on. */
static void dc_resume(struct dc_kmem *kmem)
{
	dc_set_closing(kmem, false);
	if (!kmem->persist || !kmem->lent)
		return;
	if (dc_add_all(kmem) || dc_persist_start(kmem))
		dev_warn(&kmem->instance->dev,
			 "its data cannot be used until it is attached again\n");
}

static int dc_unlend(struct dc_kmem *kmem)
{
	int err;

	dc_set_closing(kmem, true);
	err = dc_persist_cleanup(kmem);
	if (err) {
		dc_set_closing(kmem, false);
		dev_warn(&kmem->instance->dev, "stays system RAM: its data are in use: error %d\n",
			 err);
		return err;
	}
	err = dc_take_back(kmem);
	if (err)
		dc_resume(kmem);
	else
		dc_finish(kmem);
	return err;
}

/* ---- for the rest of the driver ---- */

static int dc_attach(struct dc_instance *instance, enum dc_mode mode, const char *type, bool force)
{
	int err = dc_check_instance(instance);

	if (!err)
		err = dc_kmem_shut(instance);
	if (err)
		return err;
	if (mutex_lock_interruptible(&dc_lending)) {
		err = -EINTR;
	} else {
		err = dc_lend(instance, mode, type, force);
		mutex_unlock(&dc_lending);
	}
	if (!instance->kmem)
		dc_kmem_unshut(instance);
	return err;
}

/* Another one's may last for as long as somebody holds on to a page. */
static int dc_detach(struct dc_instance *instance)
{
	int err;

	if (mutex_lock_interruptible(&dc_lending))
		return -EINTR;
	err = dc_unlend(instance->kmem);
	mutex_unlock(&dc_lending);
	if (!err)
		dc_kmem_unshut(instance);
	return err;
}

int dc_kmem_set(struct dc_instance *instance, enum dc_mode mode, const char *type, bool force)
{
	lockdep_assert_held(&instance->lock);
	if (instance->mode == mode && !type && !force)
		return 0;
	if (mode == DC_MODE_DEVDAX)
		return dc_detach(instance);
	if (instance->kmem)
		return -EBUSY;
	return dc_attach(instance, mode, type, force);
}

int dc_kmem_may_resize(const struct dc_instance *instance, u64 size)
{
	/* Persistent data go as a whole, or not at all. */
	return instance->kmem || (size && instance->persist_type[0]) ? -EBUSY : 0;
}

void dc_kmem_forget(struct dc_instance *instance)
{
	instance->persist_type[0] = 0;
	instance->failed = false;
	dc_kmem_unshut(instance);
}

int dc_kmem_shut(struct dc_instance *instance)
{
	int err = 0;

	spin_lock(&instance->open_lock);
	if (instance->opens || instance->claim.count)
		err = -EBUSY;
	else
		instance->shut = true;
	spin_unlock(&instance->open_lock);
	return err;
}

void dc_kmem_unshut(struct dc_instance *instance)
{
	spin_lock(&instance->open_lock);
	instance->shut = instance->failed || instance->persist_type[0];
	spin_unlock(&instance->open_lock);
}

struct dc_removal {
	struct work_struct work;
	struct dc_instance *instance;
};

static void dc_remove_work(struct work_struct *work)
{
	struct dc_instance *instance = container_of(work, struct dc_removal, work)->instance;

	while (dc_detach(instance)) {
		dev_warn(&instance->dev, "waiting for the system to give its memory back\n");
		schedule_timeout_uninterruptible(DC_ASK_AGAIN);
	}
}

/* Not by the caller itself: memory does not go offline for who has a signal pending. */
void dc_kmem_remove(struct dc_instance *instance)
{
	struct dc_removal removal = { .instance = instance };

	lockdep_assert_held(&instance->lock);
	if (!instance->kmem)
		return;
	INIT_WORK_ONSTACK(&removal.work, dc_remove_work);
	queue_work(system_unbound_wq, &removal.work);
	flush_work(&removal.work);
	destroy_work_on_stack(&removal.work);
}

int dc_kmem_init(void)
{
	return register_memory_notifier(&dc_memory_notifier);
}

void dc_kmem_exit(void)
{
	unregister_memory_notifier(&dc_memory_notifier);
}
