// SPDX-License-Identifier: GPL-2.0
/*
 * Whether bytes that were found in memory are a superblock.
 */
#include "super.h"

static_assert(sizeof(struct dcp_super) == DCP_SLOT_SIZE, "a slot is half of a page");

u32 dcp_checksum(const struct dcp_super *super)
{
	const u32 zero = 0;
	const unsigned char *bytes = (const unsigned char *)super;
	size_t at = offsetof(struct dcp_super, checksum), behind = at + sizeof(zero);
	u32 sum = crc32_le(~0U, bytes, at);

	sum = crc32_le(sum, (const unsigned char *)&zero, sizeof(zero));
	return crc32_le(sum, bytes + behind, sizeof(*super) - behind);
}

bool dcp_is_type(const char *type)
{
	size_t i;

	for (i = 0; i < DCP_TYPE_SIZE && type[i]; i++) {
		char c = type[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return i > 0 && i < DCP_TYPE_SIZE;
}

static bool dcp_extents_overlap(const struct dcp_super *super)
{
	u32 i, j;

	for (i = 0; i < super->nr_extents; i++) {
		const struct dcp_extent *a = &super->extents[i];

		for (j = i + 1; j < super->nr_extents; j++) {
			const struct dcp_extent *b = &super->extents[j];

			if (a->start < b->start + b->size && b->start < a->start + a->size)
				return true;
		}
	}
	return false;
}

static bool dcp_extents_are_sound(const struct dcp_super *super)
{
	u64 size = 0;
	u32 i;

	if (super->nr_extents < 1 || super->nr_extents > DCP_MOST_EXTENTS)
		return false;
	for (i = 0; i < super->nr_extents; i++) {
		const struct dcp_extent *extent = &super->extents[i];

		if (!extent->size || !IS_ALIGNED(extent->start | extent->size, DCP_PAGE) ||
		    extent->start + extent->size < extent->start ||
		    size + extent->size < size)
			return false;
		size += extent->size;
	}
	return size == super->size && !dcp_extents_overlap(super);
}

/* NULL, or what is wrong with a slot that has the magic. */
static const char *dcp_complaint(const struct dcp_super *super)
{
	if (super->checksum != dcp_checksum(super))
		return "its checksum is wrong";
	if (super->version != DCP_VERSION)
		return "it is of another version";
	if (!dcp_is_type(super->type))
		return "its type is no name";
	if (!dcp_extents_are_sound(super))
		return "its extents are not sound";
	return NULL;
}

static bool dcp_is_blank(const unsigned char *page)
{
	size_t i;

	for (i = 0; i < DCP_PAGE; i++) {
		if (page[i])
			return false;
	}
	return true;
}

enum dcp_verdict dcp_judge(const void *page, struct dcp_super *super, unsigned int *slot,
			   const char **why)
{
	const struct dcp_super *slots = page;
	enum dcp_verdict verdict = dcp_is_blank(page) ? DCP_BLANK : DCP_FOREIGN;
	unsigned int i;

	for (i = 0; i < DCP_SLOTS; i++) {
		const char *complaint;

		if (slots[i].magic != DCP_MAGIC)
			continue;
		complaint = dcp_complaint(&slots[i]);
		if (complaint && verdict != DCP_VALID) {
			verdict = DCP_DAMAGED;
			*why = complaint;
		}
		if (complaint ||
		    (verdict == DCP_VALID && slots[i].generation <= super->generation))
			continue;
		verdict = DCP_VALID;
		*super = slots[i];
		*slot = i;
	}
	return verdict;
}
