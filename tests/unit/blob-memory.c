// SPDX-License-Identifier: GPL-2.0-or-later
#include "blob-memory.h"

#include <string.h>

#define LINE 64

unsigned long kernel_free_allocations = G_MAXULONG;

typedef struct {
	gsize offset;
	gsize size;
} Pending;

static BlobMemory *memory_of(struct dcb_store *store)
{
	return (BlobMemory *)store;
}

static void *page_at(struct dcb_store *store, u64 index)
{
	BlobMemory *memory = memory_of(store);

	/* Nobody may ask for what is not the store's. */
	if (index == 0 || index >= store->pages)
		g_error("page %lu is asked for, of %lu", (gulong)index,
			(gulong)store->pages);
	return memory->seen + index * DCB_PAGE;
}

static int alloc_page(struct dcb_store *store, u64 *index)
{
	BlobMemory *memory = memory_of(store);

	if (memory->left == 0)
		return -ENOSPC;
	for (u64 i = store->pages - 1; i > 0; i--) {
		if (!memory->free[i])
			continue;
		memory->free[i] = FALSE;
		memory->left--;
		memset(page_at(store, i), 0, DCB_PAGE);
		*index = i;
		return 0;
	}
	return -ENOSPC;
}

/* Whoever has it next writes to it. */
static void free_page(struct dcb_store *store, u64 index)
{
	BlobMemory *memory = memory_of(store);

	if (memory->free[index])
		g_error("page %lu is freed twice", (gulong)index);
	memset(page_at(store, index), 0xee, DCB_PAGE);
	memory->free[index] = TRUE;
}

static void step(BlobMemory *memory)
{
	if (memory->cutting && memory->cut_in-- == 0)
		longjmp(memory->cut, 1);
}

static void write_bytes(struct dcb_store *store, void *to, const void *from, size_t size)
{
	BlobMemory *memory = memory_of(store);
	Pending pending = {.offset = (guint8 *)to - memory->seen, .size = size};

	step(memory);
	memmove(to, from, size);
	g_array_append_val(memory->pending, pending);
}

static void fence(struct dcb_store *store)
{
	BlobMemory *memory = memory_of(store);

	step(memory);
	for (guint i = 0; i < memory->pending->len; i++) {
		Pending *pending = &g_array_index(memory->pending, Pending, i);

		memcpy(memory->kept + pending->offset, memory->seen + pending->offset,
		       pending->size);
	}
	g_array_set_size(memory->pending, 0);
}

static const struct dcb_ops ops = {
	.page = page_at,
	.alloc = alloc_page,
	.free = free_page,
	.write = write_bytes,
	.fence = fence,
};

BlobMemory *blob_memory_new(guint64 pages)
{
	BlobMemory *memory = g_new0(BlobMemory, 1);

	memory->store.ops = &ops;
	memory->store.pages = pages;
	memcpy(memory->store.id, "the store's UUID", DCB_ID_SIZE);
	memory->store.used = g_new0(gulong, pages / BITS_PER_LONG + 1);
	memory->seen = g_malloc(pages * DCB_PAGE);
	/* What was there before. */
	memset(memory->seen, 0xaa, pages * DCB_PAGE);
	memory->kept = g_malloc(pages * DCB_PAGE);
	memcpy(memory->kept, memory->seen, pages * DCB_PAGE);
	memory->free = g_new0(guint8, pages);
	memory->pending = g_array_new(FALSE, FALSE, sizeof(Pending));
	memory->left = G_MAXUINT64;
	if (dcb_format(&memory->store) != 0 || blob_memory_open(memory) != 0)
		g_error("a new store cannot be opened");
	return memory;
}

void blob_memory_free(BlobMemory *memory)
{
	g_free(memory->store.used);
	g_free(memory->seen);
	g_free(memory->kept);
	g_free(memory->free);
	g_array_unref(memory->pending);
	g_free(memory);
}

void blob_memory_cut(BlobMemory *memory, GRand *random)
{
	gsize size = memory->store.pages * DCB_PAGE;

	for (gsize at = 0; at < size; at += LINE) {
		if (memcmp(memory->kept + at, memory->seen + at, LINE) != 0 &&
		    g_rand_boolean(random))
			memcpy(memory->kept + at, memory->seen + at, LINE);
	}
	memcpy(memory->seen, memory->kept, size);
	g_array_set_size(memory->pending, 0);
	memory->cutting = FALSE;
}

int blob_memory_open(BlobMemory *memory)
{
	struct dcb_store *store = &memory->store;
	int err;

	memset(store->used, 0, (store->pages / BITS_PER_LONG + 1) * sizeof(gulong));
	store->why = NULL;
	err = dcb_open(store);
	for (u64 i = 1; i < store->pages; i++)
		memory->free[i] = !test_bit(i, store->used);
	return err;
}

static int fill(void *data, void *to, u64 offset, size_t size)
{
	memcpy(to, (const guint8 *)data + offset, size);
	return 0;
}

int blob_put(BlobMemory *memory, const char *name, const guint8 *data, gsize size)
{
	guint8 page[DCB_PAGE] __attribute__((aligned(8)));

	return dcb_put(&memory->store, name, size, page, fill, (void *)data);
}

static int drain(void *data, const void *from, u64 offset, size_t size)
{
	g_byte_array_append(data, from, size);
	if (((GByteArray *)data)->len != offset + size)
		return -EIO;
	return 0;
}

int blob_get(BlobMemory *memory, const char *name, guint8 **data, gsize *size)
{
	GByteArray *bytes = g_byte_array_new();
	u64 told = 0;
	int err = dcb_get(&memory->store, name, &told, DCB_MOST_BYTES, drain, bytes);

	if (err == 0 && told != bytes->len)
		err = -EIO;
	*size = bytes->len;
	*data = g_byte_array_free(bytes, err != 0);
	return err;
}

void blob_memory_seal(BlobMemory *memory, guint64 page)
{
	struct dcb_node *node = page_at(&memory->store, page);
	struct dcb_table *table = (struct dcb_table *)node;

	if (node->magic == DCB_NODE_MAGIC) {
		node->checksum = 0;
		node->checksum = crc32_le(~0U, (const guint8 *)node, sizeof(*node));
	} else if (table->magic == DCB_TABLE_MAGIC) {
		table->checksum = crc32_le(crc32_le(~0U, (const guint8 *)table,
						    offsetof(struct dcb_table, checksum)),
					   memory->store.id, DCB_ID_SIZE);
	}
}

guint64 blob_memory_reference(const BlobMemory *memory, guint64 index, guint64 page,
			      guint32 place)
{
	guint64 words[3] = {index, page, place};
	guint32 sum = crc32_le(crc32_le(~0U, (const guint8 *)words, sizeof(words)),
			       memory->store.id, DCB_ID_SIZE);

	return index | (guint64)sum << DCB_INDEX_BITS;
}
