// SPDX-License-Identifier: GPL-2.0
/*
 * Struct pages of what is in use. Without them O_DIRECT, vhost, process_vm_readv()
 * and pins cannot work, or oops. They come and go by blocks of up to 1 GiB, so that a
 * part of an instance can go while the rest is mapped.
 */
#include <linux/io.h>
#include <linux/mm.h>
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

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		/* ClearPageReserved() is not for pages that are compound already. */
		if (test_bit(PG_reserved, &page->flags))
			clear_bit(PG_reserved, &page->flags);
		if (IS_ALIGNED(pfn, PHYS_PFN(DC_ALIGN)))
			cond_resched();
	}
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
	if (IS_ERR(address)) {
		dev_err(block->region->dev, "no struct pages for %#llx-%#llx: error %ld\n",
			block->start, block->start + block->size - 1, PTR_ERR(address));
		return PTR_ERR(address);
	}
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

static int dc_blocks_get_range(struct dc_region *region, u64 start, u64 size, unsigned long align,
			       u64 *done)
{
	u64 at, end = start + size, bytes;
	struct dc_block **block;

	for (at = start; at < end; at += bytes) {
		block = &region->blocks[dc_block_index(region, at)];
		if (*block && (*block)->lent)
			return -EBUSY;
		if (!*block) {
			struct dc_block *new;

			new = dc_block_new(region, dc_block_index(region, at), align);
			if (IS_ERR(new))
				return PTR_ERR(new);
			*block = new;
		}
		bytes = dc_overlap(*block, at, end);
		(*block)->bytes += bytes;
		*done += bytes;
	}
	return 0;
}

int dc_blocks_get(struct dc_region *region, const struct dcs_ranges *ranges, unsigned long align)
{
	u64 done = 0;
	int err;
	u32 i;

	for (i = 0; i < ranges->nr; i++) {
		done = 0;
		err = dc_blocks_get_range(region, ranges->list[i].start, ranges->list[i].size,
					  align, &done);
		if (err)
			goto undo;
	}
	return 0;
undo:
	dc_blocks_put(region, ranges->list[i].start, done);
	while (i--)
		dc_blocks_put(region, ranges->list[i].start, ranges->list[i].size);
	return err;
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

int dc_blocks_lend(struct dc_region *region, const struct dce_extents *extents)
{
	u32 i;

	for (i = 0; i < extents->nr; i++) {
		if (!dc_blocks_are_own(region, extents, &extents->list[i]))
			return -EBUSY;
	}
	for (i = 0; i < extents->nr; i++)
		dc_blocks_put(region, extents->list[i].start, extents->list[i].size);
	for (i = 0; i < extents->nr; i++)
		dc_blocks_note(region, &extents->list[i]);
	return 0;
}

int dc_blocks_unlend(struct dc_region *region, const struct dce_extents *extents,
		     unsigned long align)
{
	struct dcs_ranges ranges = { .nr = extents->nr };
	int err;
	u32 i;

	ranges.list = kvmalloc_array(extents->nr, sizeof(*ranges.list), GFP_KERNEL);
	if (!ranges.list)
		return -ENOMEM;
	for (i = 0; i < extents->nr; i++) {
		ranges.list[i].start = extents->list[i].start;
		ranges.list[i].size = extents->list[i].size;
		dc_blocks_unnote(region, &extents->list[i]);
	}
	err = dc_blocks_get(region, &ranges, align);
	for (i = 0; err && i < extents->nr; i++)
		dc_blocks_note(region, &extents->list[i]);
	kvfree(ranges.list);
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

void dc_pages_forget(struct dc_region *region, u64 start, u64 size)
{
	unsigned long pfn = PHYS_PFN(start), end = PHYS_PFN(start + size);

	while (pfn < end) {
		pfn_to_page(pfn)->mapping = NULL;
		pfn += dc_folio_pages(region, PFN_PHYS(pfn));
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
