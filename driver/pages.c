// SPDX-License-Identifier: GPL-2.0
/*
 * Struct pages of what is in use. Without them O_DIRECT, vhost, process_vm_readv()
 * and pins cannot work, or oops. They come and go by blocks of up to 1 GiB, so that a
 * part of an instance can go while the rest is mapped.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dax_color.h"

static const struct dev_pagemap_ops dc_pagemap_ops = {
	.memory_failure = dc_memory_failed,
};

static u64 dc_first_block(const struct dc_region *region)
{
	return ALIGN_DOWN(region->start, DC_BLOCK);
}

static u32 dc_block_index(const struct dc_region *region, u64 address)
{
	return (address - dc_first_block(region)) / DC_BLOCK;
}

static u32 dc_nr_blocks(const struct dc_region *region)
{
	return dc_block_index(region, region->start + region->size - 1) + 1;
}

int dc_blocks_init(struct dc_region *region)
{
	region->blocks = kvcalloc(dc_nr_blocks(region), sizeof(*region->blocks), GFP_KERNEL);
	return region->blocks ? 0 : -ENOMEM;
}

void dc_blocks_exit(struct dc_region *region)
{
	u32 i;

	for (i = 0; region->blocks && i < dc_nr_blocks(region); i++)
		WARN_ON(region->blocks[i]);
	kvfree(region->blocks);
}

/* Large pages for a large align: few struct pages, and one count for all that pin. */
static unsigned int dc_block_shift(const struct dc_block *block, unsigned long align)
{
	if (align > DC_ALIGN && !IS_ALIGNED(block->start | block->size, align))
		align = DC_ALIGN;
	return ilog2(align) - PAGE_SHIFT;
}

/*
 * ZONE_DEVICE pages come reserved, and who unpins (VFIO) leaves reserved pages
 * pinned: such memory could never be given to anybody else.
 */
static void dc_clear_reserved(const struct dc_block *block)
{
	unsigned long pfn = PHYS_PFN(block->start), end = PHYS_PFN(block->start + block->size);
	/* As many as are in one page: of a large page most of these are one and the same. */
	const unsigned long together = PAGE_SIZE / sizeof(struct page);
	unsigned long i;

	for (; pfn < end; pfn += together) {
		if (!test_bit(PG_reserved, &pfn_to_page(pfn)->flags))
			continue;
		/* ClearPageReserved() is not for pages that are compound already. */
		for (i = pfn; i < min(pfn + together, end); i++)
			clear_bit(PG_reserved, &pfn_to_page(i)->flags);
		cond_resched();
	}
}

/*
 * The kernel does not undo what it had made when memory ran out in the middle, and
 * finds it in its way ever after.
 */
static int dc_block_complain(const struct dc_block *block, long err)
{
	dev_err(block->region->dev, "no struct pages for %#llx-%#llx: error %ld\n", block->start,
		block->start + block->size - 1, err);
	if (err != -EEXIST)
		return err;
	dev_err(block->region->dev, "the kernel half made them, short of memory: reboot\n");
	return -ENOMEM;
}

static int dc_block_map(struct dc_block *block, unsigned long align)
{
	int node = numa_map_to_online_node(block->region->node);
	void *address;

	block->pgmap.type = MEMORY_DEVICE_GENERIC;
	block->pgmap.ops = &dc_pagemap_ops;
	block->pgmap.owner = block->region;
	block->pgmap.vmemmap_shift = dc_block_shift(block, align);
	block->pgmap.nr_range = 1;
	block->pgmap.range.start = block->start;
	block->pgmap.range.end = block->start + block->size - 1;
	address = memremap_pages(&block->pgmap, node == NUMA_NO_NODE ? first_online_node : node);
	if (IS_ERR(address))
		return dc_block_complain(block, PTR_ERR(address));
	dc_clear_reserved(block);
	return 0;
}

static struct dc_block *dc_block_new(struct dc_region *region, u32 index, unsigned long align)
{
	u64 start = dc_first_block(region) + index * (u64)DC_BLOCK;
	u64 end = min(start + DC_BLOCK, region->start + region->size);
	struct dc_block *block = kzalloc(sizeof(*block), GFP_KERNEL);
	int err;

	if (!block)
		return ERR_PTR(-ENOMEM);
	block->region = region;
	block->start = max(start, region->start);
	block->size = end - block->start;
	err = dc_block_map(block, align);
	if (err) {
		kfree(block);
		return ERR_PTR(err);
	}
	return block;
}

/* Bytes of [start, end) in a block. */
static u64 dc_overlap(const struct dc_block *block, u64 start, u64 end)
{
	return min(end, block->start + block->size) - max(start, block->start);
}

/* With the region's lock: one block's part of [at, end). Returns: its bytes, or an error. */
static s64 dc_block_get(struct dc_region *region, u64 at, u64 end, unsigned long align)
{
	u32 index = dc_block_index(region, at);
	struct dc_block *block = region->blocks[index];
	u64 bytes;

	if (block && block->lent)
		return -EBUSY;
	if (!block) {
		block = dc_block_new(region, index, align);
		if (IS_ERR(block))
			return PTR_ERR(block);
		region->blocks[index] = block;
	}
	bytes = dc_overlap(block, at, end);
	block->bytes += bytes;
	return bytes;
}

/* A block takes long: others get the lock in between, and the caller can be killed. */
static s64 dc_block_get_unlocked(struct dc_region *region, u64 at, u64 end, unsigned long align)
{
	s64 bytes;

	if (fatal_signal_pending(current))
		return -EINTR;
	mutex_lock(&region->lock);
	bytes = dc_block_get(region, at, end, align);
	mutex_unlock(&region->lock);
	return bytes;
}

int dc_blocks_get(struct dc_region *region, const struct dcs_ranges *ranges, unsigned long align,
		  u64 *done)
{
	u32 i;

	*done = 0;
	for (i = 0; i < ranges->nr; i++) {
		u64 at = ranges->list[i].start, end = at + ranges->list[i].size;

		while (at < end) {
			s64 bytes = dc_block_get_unlocked(region, at, end, align);

			if (bytes < 0)
				return bytes;
			at += bytes;
			*done += bytes;
		}
	}
	return 0;
}

int dc_blocks_get_one(struct dc_region *region, const struct dcs_range *range, unsigned long align)
{
	s64 bytes = dc_block_get(region, range->start, range->start + range->size, align);

	return bytes < 0 ? bytes : 0;
}

void dc_blocks_put(struct dc_region *region, u64 start, u64 size)
{
	u64 at, end = start + size, bytes;
	struct dc_block **block;

	for (at = start; at < end; at += bytes) {
		block = &region->blocks[dc_block_index(region, at)];
		bytes = dc_overlap(*block, at, end);
		(*block)->bytes -= bytes;
		if ((*block)->bytes)
			continue;
		memunmap_pages(&(*block)->pgmap);
		kfree(*block);
		*block = NULL;
	}
}

void dc_blocks_put_ranges(struct dc_region *region, const struct dcs_ranges *ranges, u64 bytes)
{
	u32 i;

	for (i = 0; i < ranges->nr && bytes; i++) {
		u64 size = min(bytes, ranges->list[i].size);

		dc_blocks_put(region, ranges->list[i].start, size);
		bytes -= size;
	}
}

bool dc_block_is_lent(const struct dc_region *region, u64 address)
{
	const struct dc_block *block = region->blocks[dc_block_index(region, address)];

	return block && block->lent;
}

/* Bytes of @extents that are in the same block as @address. */
static u64 dc_bytes_in_block(const struct dc_region *region, const struct dce_extents *extents,
			     u64 address)
{
	u64 start = ALIGN_DOWN(address, DC_BLOCK), end = start + DC_BLOCK, bytes = 0;
	u32 i;

	for (i = 0; i < extents->nr; i++) {
		u64 from = max(extents->list[i].start, start);
		u64 to = min(extents->list[i].start + extents->list[i].size, end);

		bytes += from < to ? to - from : 0;
	}
	return bytes;
}

/* Whether nothing else is in the blocks of an extent. Only its ends can share one. */
static bool dc_blocks_are_own(const struct dc_region *region, const struct dce_extents *extents,
			      const struct dce_extent *extent)
{
	u64 first = extent->start, last = extent->start + extent->size - 1;

	return region->blocks[dc_block_index(region, first)]->bytes ==
		       dc_bytes_in_block(region, extents, first) &&
	       region->blocks[dc_block_index(region, last)]->bytes ==
		       dc_bytes_in_block(region, extents, last);
}

/* Says of the blocks of an extent that bytes of them are lent. */
static void dc_blocks_note(struct dc_region *region, const struct dce_extent *extent)
{
	u64 at, end = extent->start + extent->size, next;

	for (at = extent->start; at < end; at = next) {
		struct dc_block **block = &region->blocks[dc_block_index(region, at)];

		next = min(end, ALIGN_DOWN(at, DC_BLOCK) + DC_BLOCK);
		/* Small, and there is no way to go on without it. */
		if (!*block)
			*block = kzalloc(sizeof(**block), GFP_KERNEL | __GFP_NOFAIL);
		(*block)->lent += next - at;
	}
}

static void dc_blocks_unnote(struct dc_region *region, const struct dce_extent *extent)
{
	u64 at, end = extent->start + extent->size, next;

	for (at = extent->start; at < end; at = next) {
		struct dc_block **block = &region->blocks[dc_block_index(region, at)];

		next = min(end, ALIGN_DOWN(at, DC_BLOCK) + DC_BLOCK);
		(*block)->lent -= next - at;
		if ((*block)->lent)
			continue;
		kfree(*block);
		*block = NULL;
	}
}

int dc_blocks_may_lend(const struct dc_region *region, const struct dce_extents *extents)
{
	u32 i;

	for (i = 0; i < extents->nr; i++) {
		if (!dc_blocks_are_own(region, extents, &extents->list[i]))
			return -EBUSY;
	}
	return 0;
}

int dc_blocks_lend(struct dc_region *region, const struct dce_extents *extents)
{
	int err = dc_blocks_may_lend(region, extents);
	u32 i;

	if (err)
		return err;
	for (i = 0; i < extents->nr; i++)
		dc_blocks_put(region, extents->list[i].start, extents->list[i].size);
	for (i = 0; i < extents->nr; i++)
		dc_blocks_note(region, &extents->list[i]);
	return 0;
}

/* With the region's lock, so that all of them can be lent again when one fails. */
static int dc_blocks_get_extent(struct dc_region *region, const struct dce_extent *extent,
				unsigned long align)
{
	u64 at = extent->start, end = at + extent->size;

	while (at < end) {
		s64 bytes = dc_block_get(region, at, end, align);

		if (bytes < 0) {
			dc_blocks_put(region, extent->start, at - extent->start);
			return bytes;
		}
		at += bytes;
	}
	return 0;
}

int dc_blocks_unlend(struct dc_region *region, const struct dce_extents *extents,
		     unsigned long align)
{
	int err = 0;
	u32 i, got;

	for (i = 0; i < extents->nr; i++)
		dc_blocks_unnote(region, &extents->list[i]);
	for (got = 0; !err && got < extents->nr; got += !err)
		err = dc_blocks_get_extent(region, &extents->list[got], align);
	if (!err)
		return 0;
	while (got--)
		dc_blocks_put(region, extents->list[got].start, extents->list[got].size);
	for (i = 0; i < extents->nr; i++)
		dc_blocks_note(region, &extents->list[i]);
	return err;
}

/* Pages that share one reference count, at @address. */
static unsigned long dc_folio_pages(const struct dc_region *region, u64 address)
{
	return 1UL << region->blocks[dc_block_index(region, address)]->pgmap.vmemmap_shift;
}

bool dc_pages_pinned(struct dc_region *region, u64 start, u64 size)
{
	unsigned long pfn = PHYS_PFN(start), end = PHYS_PFN(start + size);

	while (pfn < end) {
		/* One is ours, from memremap_pages(). */
		if (page_ref_count(pfn_to_page(pfn)) != 1)
			return true;
		pfn += dc_folio_pages(region, PFN_PHYS(pfn));
		cond_resched();
	}
	return false;
}

/*
 * But for those with memory that failed: the handler of memory failures reads
 * page->mapping more than once. Nobody gets these pages again.
 */
void dc_pages_forget(struct dc_region *region, u64 start, u64 size)
{
	unsigned long pfn = PHYS_PFN(start), end = PHYS_PFN(start + size), nr;

	for (; pfn < end; pfn += nr) {
		nr = dc_folio_pages(region, PFN_PHYS(pfn));
		spin_lock(&region->bad_lock);
		if (!dc_has_bad(region, PFN_PHYS(pfn), PFN_PHYS(nr)))
			pfn_to_page(pfn)->mapping = NULL;
		spin_unlock(&region->bad_lock);
		cond_resched();
	}
}

void dc_pages_own(u64 start, u64 size, struct address_space *mapping, pgoff_t pgoff)
{
	unsigned long pfn = PHYS_PFN(start), end = PHYS_PFN(start + size);

	while (pfn < end) {
		struct page *page = pfn_to_page(pfn), *head = compound_head(page);

		if (READ_ONCE(head->mapping) != mapping) {
			head->index = pgoff + (pfn - PHYS_PFN(start)) - (page - head);
			WRITE_ONCE(head->mapping, mapping);
		}
		pfn += compound_nr(head) - (page - head);
	}
}
