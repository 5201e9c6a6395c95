// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: a store of objects with words of it changed, sums made right again or
 * not, and then opened, listed, read and written to; and bytes as a superblock.
 */
#include "driver/blob-store.c"
#include "driver/super.c"
#include "tests/unit/blob-memory.c"

#define PAGES 48

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

/* Eight bytes each: page, flags, word in the page, value. */
static void spoil(BlobMemory *memory, const guint8 *data, size_t size)
{
	for (; size >= 8; data += 8, size -= 8) {
		guint64 page = 1 + data[0] % (PAGES - 1), value = 0;
		guint word = (data[2] | data[3] << 8) % (DCB_PAGE / 8);

		memcpy(&value, data + 4, 4);
		if (data[1] & 1)
			value = blob_memory_reference(
				memory, value % (PAGES + 2), page,
				word - offsetof(struct dcb_table, places) / 8);
		if (data[1] & 2)
			value = -value;
		memcpy(memory->seen + page * DCB_PAGE + word * 8, &value, 8);
		if (!(data[1] & 4))
			blob_memory_seal(memory, page);
	}
}

static void use(BlobMemory *memory)
{
	struct dcb_object object;
	u64 cursor = 0, objects = 0;

	while (dcb_list(&memory->store, &cursor, &object) == 0) {
		g_autofree guint8 *bytes = NULL;
		gsize size;
		int err = blob_get(memory, object.name, &bytes, &size);

		objects++;
		if ((err != 0 && err != -EBADMSG) || (err == 0 && size != object.size))
			abort();
	}
	if (objects != memory->store.objects)
		abort();
	blob_put(memory, "a", (const guint8 *)"new", 3);
	dcb_delete(&memory->store, "b");
	if (blob_memory_open(memory) != 0)
		abort();
}

static void super(const guint8 *data, size_t size)
{
	static union {
		struct dcp_super slots[DCP_SLOTS];
		guint8 bytes[DCP_PAGE];
	} page;
	struct dcp_super found;
	unsigned int slot;
	const char *why;

	memset(&page, 0, sizeof(page));
	memcpy(&page, data, MIN(size, sizeof(page)));
	page.slots[0].magic = DCP_MAGIC;
	page.slots[0].checksum = dcp_checksum(&page.slots[0]);
	if (dcp_judge(&page, &found, &slot, &why) == DCP_VALID &&
	    (!dcp_is_type(found.type) || found.nr_extents > DCP_MOST_EXTENTS))
		abort();
}

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	static guint8 bytes[3 * DCB_PAGE];
	g_autoptr(BlobMemory) memory = blob_memory_new(PAGES);

	blob_put(memory, "a", bytes, sizeof(bytes));
	blob_put(memory, "b", bytes, 5);
	blob_put(memory, "c", bytes, 0);
	super(data, size);
	spoil(memory, data, size);
	if (blob_memory_open(memory) == 0)
		use(memory);
	return 0;
}
