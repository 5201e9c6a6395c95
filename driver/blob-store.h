/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A store of named objects in pages that survive: its layout, and all that is done
 * with it. No kernel in it: the pages, and how bytes get there for good, are the
 * caller's.
 *
 * Layout, in pages of 4 KiB, little endian. Page 0 is not the store's. Page 1 is the
 * first page of the table of objects. A place in the table is one word: 0, or a
 * reference to the head of an object. Objects are never changed: who writes one anew
 * writes new pages, and then the one word, which is there as a whole or not at all.
 * What no table refers to is free, so nothing is lost by a power cut.
 */
#ifndef DAX_COLOR_BLOB_STORE_H
#define DAX_COLOR_BLOB_STORE_H

#include "kernel-free.h"

#define DCB_VERSION		1
#define DCB_PAGE		4096
#define DCB_ID_SIZE		16
/* With the zero at its end. */
#define DCB_NAME_SIZE		64
#define DCB_MOST_BYTES		(64ULL << 20)
#define DCB_FIRST_TABLE		1

/* "DCBTABLE", "DCBOBJCT" */
#define DCB_TABLE_MAGIC		0x4443425441424c45ULL
#define DCB_NODE_MAGIC		0x4443424f424a4354ULL

/* A reference: the number of a page, and above it a sum of that and of where it stands. */
#define DCB_INDEX_BITS		40

#define DCB_PLACES		((DCB_PAGE - 56) / 8)
#define DCB_NODE_PAGES		((DCB_PAGE - 136) / 8)

/**
 * struct dcb_table - a page of the table of objects
 * @magic: DCB_TABLE_MAGIC
 * @self: number of this page
 * @number: 0 for the first page of the table, then 1, 2, ...
 * @version: DCB_VERSION
 * @checksum: of what is before it, and of @id
 * @id: of the store
 * @next: reference to the next page of the table, or 0
 * @places: references to heads of objects, or 0
 */
struct dcb_table {
	u64 magic;
	u64 self;
	u64 number;
	u32 version;
	u32 checksum;
	unsigned char id[DCB_ID_SIZE];
	u64 next;
	u64 places[DCB_PLACES];
};

/**
 * struct dcb_node - which pages have the data of an object
 * @magic: DCB_NODE_MAGIC
 * @self: number of this page
 * @checksum: of this page with this field 0
 * @number: 0 for the head of the object, then 1, 2, ...
 * @id: of the store
 * @size: bytes of the object
 * @sequence: grows with each object that is written
 * @data_checksum: of the object's data
 * @nr: how many pages of data it lists
 * @next: number of the next node, or 0
 * @name: a text with zeros behind it
 * @pages: numbers of pages of data
 */
struct dcb_node {
	u64 magic;
	u64 self;
	u32 checksum;
	u32 number;
	unsigned char id[DCB_ID_SIZE];
	u64 size;
	u64 sequence;
	u32 data_checksum;
	u32 nr;
	u64 next;
	char name[DCB_NAME_SIZE];
	u64 pages[DCB_NODE_PAGES];
};

struct dcb_store;

/**
 * struct dcb_ops - what a store is made of
 * @page: bytes of a page, which is less than dcb_store.pages
 * @alloc: a page of zeros; a negative errno when there is none
 * @free: of @alloc, or one that was in use when the store was opened
 * @write: @size bytes are there for good after the next @fence; eight aligned ones as
 *	a whole or not at all
 * @fence: what was written before is there before what is written behind
 */
struct dcb_ops {
	void *(*page)(struct dcb_store *store, u64 index);
	int (*alloc)(struct dcb_store *store, u64 *index);
	void (*free)(struct dcb_store *store, u64 index);
	void (*write)(struct dcb_store *store, void *to, const void *from, size_t size);
	void (*fence)(struct dcb_store *store);
};

/**
 * struct dcb_store - one that is open
 * @ops: set by the caller, as are @pages and @id
 * @pages: how many there are, with page 0
 * @id: other stores are not mistaken for this one
 * @used: a bit for each page, set for what is in use, page 0 left out; the caller's,
 *	zeros before dcb_open()
 * @objects: how many
 * @bytes: in all of them
 * @sequence: the largest
 * @why: what is wrong when dcb_open() failed
 * @where: in which page
 *
 * The caller serializes what changes the store with all other calls.
 */
struct dcb_store {
	const struct dcb_ops *ops;
	u64 pages;
	unsigned char id[DCB_ID_SIZE];
	unsigned long *used;
	u64 objects;
	u64 bytes;
	u64 sequence;
	const char *why;
	u64 where;
};

/* An object as dcb_list() shows it. */
struct dcb_object {
	char name[DCB_NAME_SIZE];
	u64 size;
	u64 sequence;
	u32 checksum;
};

/* Where an object's data come from and go to; 0 or a negative errno. */
typedef int (*dcb_fill)(void *data, void *to, u64 offset, size_t size);
typedef int (*dcb_drain)(void *data, const void *from, u64 offset, size_t size);

/**
 * dcb_format() - an empty store
 *
 * Only page 1 is written. Return: -ENOSPC: too few pages; -EFBIG: too many.
 */
int dcb_format(struct dcb_store *store);

/**
 * dcb_open() - looks at all tables and nodes
 *
 * Return: -EBADMSG: it is damaged, @why and @where say what is; -EOPNOTSUPP: of another
 * version. Nothing is ever repaired.
 */
int dcb_open(struct dcb_store *store);

/**
 * dcb_put() - writes an object, new or instead of the one of that name
 * @name: 1 to 63 bytes, no "/", no control characters
 * @page: room for DCB_PAGE bytes, as a buffer
 * @fill: gives the data, from the front
 *
 * Whatever happens, an object of that name is the old or the new one.
 *
 * Return: -EINVAL: the name; -EFBIG: more than DCB_MOST_BYTES; what alloc() and @fill
 * return; -EBADMSG: the table is damaged.
 */
int dcb_put(struct dcb_store *store, const char *name, u64 size, void *page, dcb_fill fill,
	    void *data);

/**
 * dcb_get() - reads an object
 * @size: gets its size
 * @most: read no object that is larger
 *
 * Return: -ENOENT; -ERANGE: it is larger; -EBADMSG: it is damaged, which may be found
 * only at the end of it; what @drain returns.
 */
int dcb_get(struct dcb_store *store, const char *name, u64 *size, u64 most, dcb_drain drain,
	    void *data);

/* Return: -ENOENT; -EBADMSG. */
int dcb_delete(struct dcb_store *store, const char *name);

/**
 * dcb_list() - the next object
 * @cursor: 0 at first; moves on
 *
 * Return: -ENOENT: there are no more.
 */
int dcb_list(struct dcb_store *store, u64 *cursor, struct dcb_object *object);

bool dcb_is_name(const char *name);

#endif
