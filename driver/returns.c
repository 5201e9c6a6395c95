// SPDX-License-Identifier: GPL-2.0
/*
 * Memory on its way back: out of quarantine when nobody has it pinned, then zeroed,
 * then free. And memory that failed, which never is.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "dax_color.h"
#include "trace.h"

/* How often quarantined memory is looked at. */
#define DC_LOOK		(HZ / 10)
/* How often somebody who waits for it for good says so. */
#define DC_COMPLAIN	(10 * HZ)

/**
 * struct dc_returning - a piece on its way back
 * @list: in dc_region.returns
 * @range: where
 * @whole: @range, as an answer
 * @zero: the parts that are zeroed: all but what is bad
 */
struct dc_returning {
	struct list_head list;
	struct dcs_range range;
	struct dcs_ranges whole;
	struct dcs_ranges zero;
};

static struct workqueue_struct *dc_returns_wq;

static void dc_look_soon(struct dc_region *region, unsigned long delay)
{
	mod_delayed_work(dc_returns_wq, &region->look, delay);
}

static struct dc_returning *dc_returning_new(u64 start, u64 size)
{
	struct dc_returning *returning;

	/* Small, and there is no way to go on without it. */
	returning = kzalloc(sizeof(*returning), GFP_KERNEL | __GFP_NOFAIL);
	returning->range.start = start;
	returning->range.size = size;
	returning->whole.list = &returning->range;
	returning->whole.nr = 1;
	returning->whole.size = size;
	return returning;
}

static void dc_returning_free(struct dc_returning *returning)
{
	dcs_ranges_free(&returning->zero);
	kfree(returning);
}

void dc_space_set(struct dc_region *region, u64 start, u64 size, enum dcs_state state,
		  const void *holder)
{
	int err;

	/* Of some bytes a piece: this is as good as never, and there is no way back. */
	while ((err = dcs_set(&region->space, start, size, state, holder)) == -ENOMEM)
		schedule_timeout_uninterruptible(DC_LOOK);
	WARN_ON(err);
}

/* ---- memory that failed ---- */

/*
 * Of regions that are gone. Their memory may come back, as another region's or as the
 * same one's: what failed is known until the module goes.
 */
static LIST_HEAD(dc_bad_elsewhere);
static DEFINE_MUTEX(dc_bad_elsewhere_lock);

/* Entries are added, under bad_lock, and stay: who only reads needs no lock. */
bool dc_has_bad(struct dc_region *region, u64 start, u64 size)
{
	struct dc_bad *bad;

	list_for_each_entry_rcu(bad, &region->bad, list, true) {
		if (bad->address >= start && bad->address - start < size)
			return true;
	}
	return false;
}

bool dc_is_bad(struct dc_region *region, u64 address)
{
	return dc_has_bad(region, address, PAGE_SIZE);
}

/* What fails with one page: the granule, where colors have one. */
static void dc_bad_range(struct dc_region *region, const struct dc_bad *bad, u64 *start, u64 *end)
{
	u64 unit = READ_ONCE(region->domain->geometry.granule);

	if (!unit)
		unit = DC_ALIGN;
	*start = max(ALIGN_DOWN(bad->address, unit), region->start);
	*end = min(ALIGN_DOWN(bad->address, unit) + unit, region->start + region->size);
}

void dc_retire_free(struct dc_region *region)
{
	struct dc_bad *bad;
	u64 start, end;

	lockdep_assert_held(&region->lock);
	list_for_each_entry_rcu(bad, &region->bad, list, true) {
		dc_bad_range(region, bad, &start, &end);
		while (dcs_reserve(&region->space,
				   dcs_count(&region->space, start, end - start)))
			schedule_timeout_uninterruptible(DC_LOOK);
		dcs_retire(&region->space, start, end - start);
	}
}

/* With the region's lock: what of @range is in bad granules is bad at once. */
static void dc_retire_returning(struct dc_region *region, const struct dcs_range *range)
{
	struct dc_bad *bad;
	u64 start, end;

	list_for_each_entry_rcu(bad, &region->bad, list, true) {
		dc_bad_range(region, bad, &start, &end);
		start = max(start, range->start);
		end = min(end, range->start + range->size);
		if (start < end)
			dc_space_set(region, start, end - start, DCS_BAD, NULL);
	}
}

/* With the region's lock. */
static void dc_set_zeroing(struct dc_region *region, const struct dcs_ranges *ranges)
{
	u32 i;

	for (i = 0; i < ranges->nr; i++)
		dc_space_set(region, ranges->list[i].start, ranges->list[i].size, DCS_ZEROING,
			     NULL);
	atomic64_add(ranges->size, &region->zeroing);
}

/*
 * With the region's lock: what is not bad of @returning will be zeroed. What has become
 * bad stays so when the rest has to be tried again.
 */
static int dc_plan_zeroing(struct dc_region *region, struct dc_returning *returning)
{
	int err;

	dc_retire_returning(region, &returning->range);
	err = dcs_collect(&region->space, &returning->whole, DCS_QUARANTINED, &returning->zero);
	if (!err)
		dc_set_zeroing(region, &returning->zero);
	return err;
}

/*
 * With the region's lock: out of quarantine, if nobody has it pinned. From here on it
 * is nobody's, and its colors are free.
 */
static bool dc_leave_quarantine(struct dc_region *region, struct dc_returning *returning)
{
	const struct dcs_range *range = &returning->range;

	if (dc_pages_pinned(region, range->start, range->size) ||
	    dc_plan_zeroing(region, returning))
		return false;
	dc_pages_forget(region, range->start, range->size);
	mutex_lock(&region->domain->lock);
	dc_domain_drop(region->domain, range->start, range->size);
	mutex_unlock(&region->domain->lock);
	list_move_tail(&returning->list, &region->unpinned);
	module_put(THIS_MODULE);
	return true;
}

/* With the region's lock: it was zeroed, or, the region being removed, was not. */
static void dc_set_free(struct dc_region *region, const struct dcs_ranges *ranges, bool clean)
{
	u32 i;

	for (i = 0; i < ranges->nr; i++)
		dc_space_set(region, ranges->list[i].start, ranges->list[i].size,
			     clean ? DCS_CLEAN : DCS_DIRTY, NULL);
	dc_retire_free(region);
}

/* With the region's lock, which is dropped meanwhile. */
static bool dc_zero_unlocked(struct dc_region *region, const struct dcs_ranges *ranges)
{
	int err;

	mutex_unlock(&region->lock);
	trace_dax_color_zero(region->id, ranges->size, true);
	err = dc_zero(region->node, ranges, &region->dying, &region->zeroing);
	trace_dax_color_zero(region->id, ranges->size, false);
	mutex_lock(&region->lock);
	return !err;
}

/* With the region's lock, which is dropped meanwhile. */
static void dc_bring_back(struct dc_region *region, struct dc_returning *returning)
{
	bool clean;

	list_del(&returning->list);
	clean = dc_zero_unlocked(region, &returning->zero);
	dc_set_free(region, &returning->zero, clean);
	dc_blocks_put(region, returning->range.start, returning->range.size);
	trace_dax_color_release(region->id, returning->range.start, returning->range.size);
	dc_returning_free(returning);
	dc_region_changed(region);
}

/* With the region's lock. Returns: one that nobody has pinned, or NULL. */
static struct dc_returning *dc_next_returning(struct dc_region *region)
{
	struct dc_returning *returning, *next;

	list_for_each_entry_safe(returning, next, &region->returns, list)
		dc_leave_quarantine(region, returning);
	return list_first_entry_or_null(&region->unpinned, struct dc_returning, list);
}

/* The first dirty piece, no more of it than is in one block. */
static bool dc_first_dirty(const struct dc_region *region, struct dcs_range *range)
{
	u32 i;

	for (i = 0; i < region->space.nr; i++) {
		const struct dcs_piece *piece = &region->space.pieces[i];

		if (piece->state != DCS_DIRTY)
			continue;
		range->start = piece->start;
		range->size = min(piece->end, ALIGN_DOWN(piece->start, DC_BLOCK) + DC_BLOCK) -
			      piece->start;
		return true;
	}
	return false;
}

/* With the region's lock, which is dropped meanwhile. Returns: true when there may be more. */
static bool dc_scrub_one(struct dc_region *region)
{
	struct dcs_range range;
	struct dcs_ranges ranges = { .list = &range, .nr = 1 };

	dc_retire_free(region);
	if (!region->scrub || region->dying || !dc_first_dirty(region, &range))
		return false;
	ranges.size = range.size;
	if (dc_blocks_get_one(region, &range, DC_ALIGN))
		return false;
	dc_set_zeroing(region, &ranges);
	dc_set_free(region, &ranges, dc_zero_unlocked(region, &ranges));
	dc_blocks_put(region, range.start, range.size);
	dc_region_changed(region);
	return true;
}

void dc_return_look(struct work_struct *work)
{
	struct dc_region *region = container_of(to_delayed_work(work), struct dc_region, look);
	struct dc_returning *returning;

	mutex_lock(&region->lock);
	do {
		while ((returning = dc_next_returning(region)))
			dc_bring_back(region, returning);
	} while (dc_scrub_one(region));
	region->scrub = false;
	if (!list_empty(&region->returns))
		dc_look_soon(region, DC_LOOK);
	mutex_unlock(&region->lock);
}

void dc_scrub(struct dc_region *region)
{
	mutex_lock(&region->lock);
	region->scrub = true;
	dc_look_soon(region, 0);
	mutex_unlock(&region->lock);
}

void dc_return(struct dc_region *region, const struct dcs_range *range)
{
	struct dc_returning *returning = dc_returning_new(range->start, range->size);

	lockdep_assert_held(&region->lock);
	dc_space_set(region, range->start, range->size, DCS_QUARANTINED, NULL);
	/* DMA may go on: the code that can end it must stay. */
	__module_get(THIS_MODULE);
	list_add_tail(&returning->list, &region->returns);
	if (!dc_leave_quarantine(region, returning))
		trace_dax_color_quarantine(region->id, range->start, range->size);
	dc_look_soon(region, 0);
}

void dc_returns_drain(struct dc_region *region)
{
	unsigned long complain = jiffies;

	for (;;) {
		bool done;

		mutex_lock(&region->lock);
		done = list_empty(&region->returns) && list_empty(&region->unpinned);
		mutex_unlock(&region->lock);
		if (done)
			break;
		dc_look_soon(region, 0);
		schedule_timeout_uninterruptible(DC_LOOK);
		if (time_before(jiffies, complain))
			continue;
		dev_warn(region->dev, "waiting for %llu bytes that are still pinned\n",
			 region->space.sizes[DCS_QUARANTINED]);
		complain = jiffies + DC_COMPLAIN;
	}
	cancel_delayed_work_sync(&region->look);
	cancel_work_sync(&region->retire);
}

static bool dc_bad_add(struct dc_region *region, struct dc_bad *bad)
{
	bool known;

	spin_lock(&region->bad_lock);
	known = dc_is_bad(region, bad->address);
	if (!known)
		list_add_tail_rcu(&bad->list, &region->bad);
	spin_unlock(&region->bad_lock);
	return !known;
}

/*
 * A page of 4 KiB for its users, in a larger one for the kernel, which would tell them
 * of the larger one's first page, and leave this one mapped. Who touches this one
 * will be told by the fault.
 */
static bool dc_fail_small(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn), *head = compound_head(page);
	struct address_space *mapping = READ_ONCE(head->mapping);

	if (!PageCompound(page) || !mapping ||
	    READ_ONCE(mapping->host->i_blkbits) != PAGE_SHIFT)
		return false;
	unmap_mapping_range(mapping, (loff_t)(head->index + (page - head)) << PAGE_SHIFT,
			    PAGE_SIZE, 1);
	return true;
}

/*
 * The kernel calls this before it kills who has the page mapped. Not the place to
 * wait for dc_region.lock: its holder may be waiting for the caller's reference.
 */
int dc_memory_failed(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long nr_pages,
		     int flags)
{
	struct dc_region *region = pgmap->owner;
	struct dc_bad *bad = kmalloc(sizeof(*bad), GFP_KERNEL | __GFP_NOFAIL);

	bad->address = PFN_PHYS(pfn);
	bad->told = false;
	dev_err(region->dev, "memory failed at %#llx: its granule is retired\n", bad->address);
	if (dc_bad_add(region, bad))
		queue_work(dc_returns_wq, &region->retire);
	else
		kfree(bad);
	/* Else the generic handler finds the users and tells them. */
	return dc_fail_small(pfn) ? 0 : -EOPNOTSUPP;
}

/* With the region's lock. Returns: reference to who has @address, and where in it. */
static struct dc_instance *dc_holder_of(struct dc_region *region, u64 address, u64 *offset)
{
	const struct dcs_piece *piece = dcs_at(&region->space, address);
	struct dc_instance *holder;
	int idx;

	if (!piece || piece->state != DCS_HELD)
		return NULL;
	holder = (struct dc_instance *)piece->holder;
	idx = srcu_read_lock(&dc_srcu);
	*offset = dce_offset(srcu_dereference(holder->extents, &dc_srcu), address);
	srcu_read_unlock(&dc_srcu, idx);
	if (*offset == DCE_NONE)
		return NULL;
	get_device(&holder->dev);
	return holder;
}

/* Whoever has claimed what failed is told. */
static void dc_tell(struct dc_region *region, u64 address)
{
	struct dc_instance *holder;
	u64 offset;

	mutex_lock(&region->lock);
	holder = dc_holder_of(region, address, &offset);
	mutex_unlock(&region->lock);
	if (!holder)
		return;
	dc_claim_failed(holder, offset);
	put_device(&holder->dev);
}

static bool dc_next_untold(struct dc_region *region, u64 *address)
{
	struct dc_bad *bad;
	bool found = false;

	spin_lock(&region->bad_lock);
	list_for_each_entry(bad, &region->bad, list) {
		if (bad->told)
			continue;
		bad->told = true;
		*address = bad->address;
		found = true;
		break;
	}
	spin_unlock(&region->bad_lock);
	return found;
}

/* Every decision looks at what failed; this is for what nobody decides about now. */
void dc_retire(struct work_struct *work)
{
	struct dc_region *region = container_of(work, struct dc_region, retire);
	u64 address;

	mutex_lock(&region->lock);
	dc_retire_free(region);
	mutex_unlock(&region->lock);
	while (dc_next_untold(region, &address))
		dc_tell(region, address);
}

void dc_bad_recall(struct dc_region *region)
{
	struct dc_bad *bad, *next;

	mutex_lock(&dc_bad_elsewhere_lock);
	list_for_each_entry_safe(bad, next, &dc_bad_elsewhere, list) {
		if (bad->address >= region->start && bad->address - region->start < region->size)
			list_move_tail(&bad->list, &region->bad);
	}
	mutex_unlock(&dc_bad_elsewhere_lock);
	mutex_lock(&region->lock);
	dc_retire_free(region);
	mutex_unlock(&region->lock);
}

void dc_bad_keep(struct dc_region *region)
{
	mutex_lock(&dc_bad_elsewhere_lock);
	list_splice(&region->bad, &dc_bad_elsewhere);
	mutex_unlock(&dc_bad_elsewhere_lock);
}

static void dc_bad_forget_all(void)
{
	struct dc_bad *bad, *next;

	list_for_each_entry_safe(bad, next, &dc_bad_elsewhere, list) {
		pr_warn("dax_color: forgets that memory failed at %#llx\n", bad->address);
		kfree(bad);
	}
}

int dc_returns_init(void)
{
	dc_returns_wq = alloc_workqueue("dax_color", WQ_UNBOUND, 0);
	return dc_returns_wq ? 0 : -ENOMEM;
}

void dc_returns_exit(void)
{
	destroy_workqueue(dc_returns_wq);
	dc_bad_forget_all();
}
