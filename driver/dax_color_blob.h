/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Objects with names in memory of an instance of mode `kmem-persist`, type `blob`:
 * ioctls on /dev/blob-daxR.N. See ABI.md.
 */
#ifndef DAX_COLOR_BLOB_H
#define DAX_COLOR_BLOB_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DAX_COLOR_BLOB_NAME_SIZE	64
/* Bytes of one object at most. */
#define DAX_COLOR_BLOB_MOST		(64 << 20)

/* Of DAX_COLOR_BLOB_PUT */
#define DAX_COLOR_BLOB_NEW		1	/* EEXIST when there is one of that name */

/**
 * struct dax_color_blob - an object
 * @name: text of 1 to 63 bytes, zeros behind it; no "/", no control characters
 * @data: address of its data
 * @size: of its data; GET: on the way in the room there is, on the way out the size,
 *	also with ERANGE
 * @flags: of PUT; else 0
 * @reserved: 0
 */
struct dax_color_blob {
	char name[DAX_COLOR_BLOB_NAME_SIZE];
	__u64 data;
	__u64 size;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct dax_color_blob_entry - an object in a list
 * @name: as above
 * @size: bytes
 * @sequence: larger than that of each object that was written before it
 * @checksum: CRC-32 of its data, without the inversion at the end
 * @reserved: 0
 */
struct dax_color_blob_entry {
	char name[DAX_COLOR_BLOB_NAME_SIZE];
	__u64 size;
	__u64 sequence;
	__u32 checksum;
	__u32 reserved;
};

/**
 * struct dax_color_blob_list - the next objects
 * @entries: address of room for @nr of them
 * @cursor: 0 at first; moves on
 * @nr: on the way out how many there were; 0: no more
 * @reserved: 0
 */
struct dax_color_blob_list {
	__u64 entries;
	__u64 cursor;
	__u32 nr;
	__u32 reserved;
};

/**
 * struct dax_color_blob_info - the store
 * @objects: how many
 * @bytes: in all of them
 * @pages: in use, of 4 KiB each, with what the store needs itself
 * @id: of the store
 */
struct dax_color_blob_info {
	__u64 objects;
	__u64 bytes;
	__u64 pages;
	__u8 id[16];
};

#define DAX_COLOR_BLOB_PUT	_IOW(0xdc, 1, struct dax_color_blob)
#define DAX_COLOR_BLOB_GET	_IOWR(0xdc, 2, struct dax_color_blob)
#define DAX_COLOR_BLOB_DELETE	_IOW(0xdc, 3, struct dax_color_blob)
#define DAX_COLOR_BLOB_LIST	_IOWR(0xdc, 4, struct dax_color_blob_list)
#define DAX_COLOR_BLOB_INFO	_IOR(0xdc, 5, struct dax_color_blob_info)

#endif
