/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The superblock of persistent data in memory that the kernel uses as system RAM:
 * what it is, and whether bytes that were found in memory are one. Decisions only:
 * no kernel in it.
 */
#ifndef DAX_COLOR_SUPER_H
#define DAX_COLOR_SUPER_H

#include "kernel-free.h"

/* "KMEMPERS" */
#define DCP_MAGIC		0x4b4d454d50455253ULL
#define DCP_VERSION		1
#define DCP_TYPE_SIZE		16
#define DCP_ID_SIZE		16
#define DCP_PAGE		4096
#define DCP_SLOTS		2
#define DCP_SLOT_SIZE		(DCP_PAGE / DCP_SLOTS)
#define DCP_MOST_EXTENTS	120

struct dcp_extent {
	u64 start;
	u64 size;
};

/**
 * struct dcp_super - one slot of the first page
 * @magic: DCP_MAGIC
 * @version: of this layout
 * @checksum: of the whole slot with this field 0; dcp_checksum()
 * @generation: the valid slot with the larger one counts
 * @size: bytes of the instance
 * @type: of the plug-in; a text with zeros behind it, at least one
 * @type_version: of the plug-in's own layout
 * @nr_extents: how many extents the instance has
 * @id: a UUID, new with each format
 * @reserved: 0
 * @extents: of the instance, in their order: physical addresses and bytes
 *
 * Little endian. The first page has two slots, written in turn, so that there is a
 * valid one whenever the writing stops.
 */
struct dcp_super {
	u64 magic;
	u32 version;
	u32 checksum;
	u64 generation;
	u64 size;
	char type[DCP_TYPE_SIZE];
	u32 type_version;
	u32 nr_extents;
	unsigned char id[DCP_ID_SIZE];
	u64 reserved;
	struct dcp_extent extents[DCP_MOST_EXTENTS];
	unsigned char pad[DCP_SLOT_SIZE - 80 - DCP_MOST_EXTENTS * 16];
};

/**
 * enum dcp_verdict - what a first page is
 * @DCP_VALID: there is a superblock
 * @DCP_BLANK: zeros: nobody has written to it
 * @DCP_DAMAGED: there was one, or it is of another version; *why says what is wrong
 * @DCP_FOREIGN: something else
 */
enum dcp_verdict {
	DCP_VALID,
	DCP_BLANK,
	DCP_DAMAGED,
	DCP_FOREIGN,
};

/**
 * dcp_judge() - what the first page of an instance is
 * @page: DCP_PAGE bytes
 * @super: gets a copy of the slot that counts, when it is valid
 * @slot: gets its number then
 * @why: gets a sentence when it is damaged
 */
enum dcp_verdict dcp_judge(const void *page, struct dcp_super *super, unsigned int *slot,
			   const char **why);

u32 dcp_checksum(const struct dcp_super *super);

/* Whether @type can be the name of a plug-in: 1 to 15 of a-z, 0-9, "-" and "_". */
bool dcp_is_type(const char *type);

#endif
