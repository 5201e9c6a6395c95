/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for a store of objects (driver/blob-store.h) with what a power cut does to
 * it: bytes are in caches until they are written for good, and of those that are in
 * caches some have reached the memory, cache line by cache line.
 */
#pragma once

#include <glib.h>
#include <setjmp.h>

#include "driver/blob-store.h"

/**
 * BlobMemory:
 * @store: first: what the store's functions get
 * @seen: what a program sees
 * @kept: what survives
 * @pending: offsets and sizes that the next fence makes safe
 * @free: a byte for each page that alloc() may give
 * @left: allocations that succeed
 * @cut_in: writes and fences until the power is cut, if @cutting
 */
typedef struct {
	struct dcb_store store;
	guint8 *seen;
	guint8 *kept;
	GArray *pending;
	guint8 *free;
	guint64 left;
	gboolean cutting;
	guint64 cut_in;
	jmp_buf cut;
} BlobMemory;

/* Formatted, and open. */
BlobMemory *blob_memory_new(guint64 pages);
void blob_memory_free(BlobMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlobMemory, blob_memory_free)

/* The power is back: what was seen is what was kept, with some of the rest. */
void blob_memory_cut(BlobMemory *memory, GRand *random);
/* dcb_open() on what is there, as if for the first time. */
int blob_memory_open(BlobMemory *memory);

int blob_put(BlobMemory *memory, const char *name, const guint8 *data, gsize size);
/* -errno, or the size; *data is the caller's. */
int blob_get(BlobMemory *memory, const char *name, guint8 **data, gsize *size);

/* Makes the sums of the node or of the head of the table in a page right again. */
void blob_memory_seal(BlobMemory *memory, guint64 page);
/* A reference as a table has it. */
guint64 blob_memory_reference(const BlobMemory *memory, guint64 index, guint64 page,
			      guint32 place);
