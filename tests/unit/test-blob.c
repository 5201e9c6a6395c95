// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's persistent data: superblocks, and objects that survive power cuts. */
#include "unit.h"

#include <time.h>

#include "blob-memory.h"
#include "driver/super.h"

#define PAGES 256
/* More than one page of the table, and more than one node. */
#define MANY (DCB_PLACES + 20)
#define LARGE ((DCB_NODE_PAGES + 2) * DCB_PAGE + 17)

/* Data that say whose they are. */
static guint8 *data_of(guint seed, gsize size)
{
	guint8 *data = g_malloc(size + 1);

	for (gsize i = 0; i < size; i++)
		data[i] = (guint8)((i * 31 + i / 251 + seed * 101) % 255);
	return data;
}

static void put(BlobMemory *memory, const char *name, guint seed, gsize size)
{
	/* Not on the stack: power cuts do not come back here. */
	static guint8 *data;

	g_free(data);
	data = data_of(seed, size);
	ck_assert_int_eq(blob_put(memory, name, data, size), 0);
}

static gboolean holds(BlobMemory *memory, const char *name, guint seed, gsize size)
{
	g_autofree guint8 *expected = data_of(seed, size), *data = NULL;
	gsize got;

	return blob_get(memory, name, &data, &got) == 0 && got == size &&
	       (size == 0 || memcmp(data, expected, size) == 0);
}

static guint used_pages(BlobMemory *memory)
{
	guint used = 0;

	for (guint i = 0; i < memory->store.pages; i++)
		used += test_bit(i, memory->store.used);
	return used;
}

START_TEST(objects_are_there_again)
{
	static const gsize sizes[] = {0, 1, DCB_PAGE - 1, DCB_PAGE, DCB_PAGE + 1, LARGE};
	g_autoptr(BlobMemory) memory = blob_memory_new(2048);
	guint used = used_pages(memory);
	char name[] = "object 0";

	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		name[7] = '0' + i;
		put(memory, name, i, sizes[i]);
	}
	for (guint round = 0; round < 2; round++) {
		ck_assert_uint_eq(memory->store.objects, G_N_ELEMENTS(sizes));
		for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
			name[7] = '0' + i;
			ck_assert(holds(memory, name, i, sizes[i]));
		}
		ck_assert_int_eq(blob_memory_open(memory), 0);
	}
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		name[7] = '0' + i;
		ck_assert_int_eq(dcb_delete(&memory->store, name), 0);
	}
	ck_assert_int_eq(dcb_delete(&memory->store, name), -ENOENT);
	ck_assert_uint_eq(memory->store.objects, 0);
	ck_assert_uint_eq(memory->store.bytes, 0);
	ck_assert_uint_eq(used_pages(memory), used);
}
END_TEST

START_TEST(names_are_checked)
{
	static const char *const wrong[] = {
		"",
		"a/b",
		"/",
		"a\n",
		"\177",
		"0123456789012345678901234567890123456789012345678901234567890123"};
	g_autoptr(BlobMemory) memory = blob_memory_new(PAGES);
	g_autofree char *longest = g_strndup(wrong[5], 63);

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
		ck_assert_int_eq(blob_put(memory, wrong[i], NULL, 0), -EINVAL);
	ck_assert_int_eq(blob_put(memory, longest, NULL, 0), 0);
	ck_assert_int_eq(blob_put(memory, "..", NULL, 0), 0);
	ck_assert_uint_eq(memory->store.objects, 2);
	ck_assert_int_eq(blob_put(memory, "x", NULL, DCB_MOST_BYTES + 1), -EFBIG);
}
END_TEST

START_TEST(the_table_grows_and_is_listed)
{
	g_autoptr(BlobMemory) memory = blob_memory_new(4096);
	g_autoptr(GHashTable)
		seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct dcb_object object;
	u64 cursor = 0;

	for (guint i = 0; i < MANY; i++) {
		g_autofree char *name = g_strdup_printf("object %u", i);

		put(memory, name, i, i);
	}
	ck_assert_int_eq(blob_memory_open(memory), 0);
	while (dcb_list(&memory->store, &cursor, &object) == 0) {
		ck_assert(g_hash_table_add(seen, g_strdup(object.name)));
		ck_assert_uint_eq(object.size, strtoul(object.name + 7, NULL, 10));
	}
	ck_assert_uint_eq(g_hash_table_size(seen), MANY);
}
END_TEST

/* Without a page an object stays what it was, and nothing is lost. */
START_TEST(without_room_nothing_changes)
{
	g_autoptr(BlobMemory) memory = blob_memory_new(2048);
	g_autofree guint8 *data = data_of(2, LARGE);
	guint used, tries;
	int err = -ENOSPC;

	put(memory, "object", 1, LARGE);
	used = used_pages(memory);
	for (tries = 0; err == -ENOSPC; tries++) {
		memory->left = tries;
		err = blob_put(memory, "object", data, LARGE);
		ck_assert_uint_eq(used_pages(memory), used);
		ck_assert(holds(memory, "object", err ? 1 : 2, LARGE));
	}
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(tries, LARGE / DCB_PAGE);
}
END_TEST

typedef void (*Change)(BlobMemory *memory);

static void replace(BlobMemory *memory)
{
	put(memory, "object", 2, 3 * DCB_PAGE + 5);
}

static void create(BlobMemory *memory)
{
	put(memory, "new", 2, 3 * DCB_PAGE + 5);
}

static void delete (BlobMemory *memory)
{
	ck_assert_int_eq(dcb_delete(&memory->store, "object"), 0);
}

static void fill_table(BlobMemory *memory)
{
	for (guint i = 0; memory->store.objects < DCB_PLACES; i++) {
		g_autofree char *name = g_strdup_printf("filler %u", i);

		put(memory, name, i, 0);
	}
}

static const struct {
	const char *name;
	Change change;
	gboolean full;
	/* "object" and "new" before, after: seed, 0: it is not there */
	guint old[2], new[2];
} changes[] = {
	{"a replacement", replace, FALSE, {1, 0}, {2, 0}},
	{"a new object", create, FALSE, {1, 0}, {1, 2}},
	{"a deletion", delete, FALSE, {1, 0}, {0, 0}},
	{"a table that grows", create, TRUE, {1, 0}, {1, 2}},
};

static gboolean is_as(BlobMemory *memory, const guint *seeds)
{
	static const char *const names[] = {"object", "new"};

	for (guint i = 0; i < 2; i++) {
		g_autofree guint8 *data = NULL;
		gsize size;

		if (seeds[i] == 0 ? blob_get(memory, names[i], &data, &size) != -ENOENT
				  : !holds(memory, names[i], seeds[i], 3 * DCB_PAGE + 5))
			return FALSE;
	}
	return TRUE;
}

/* Power cut before the write or fence number @at. Returns: the change was over before
 * that. */
static gboolean survives(guint which, guint at, GRand *random, guint *news)
{
	g_autoptr(BlobMemory) memory = blob_memory_new(changes[which].full ? 2048 : 64);
	volatile gboolean over = FALSE;
	guint used;

	put(memory, "object", 1, 3 * DCB_PAGE + 5);
	put(memory, "other", 7, 2 * DCB_PAGE);
	if (changes[which].full)
		fill_table(memory);
	memory->cutting = TRUE;
	memory->cut_in = at;
	if (setjmp(memory->cut) == 0) {
		changes[which].change(memory);
		over = TRUE;
	}
	blob_memory_cut(memory, random);
	ck_assert_msg(blob_memory_open(memory) == 0, "%s, cut at %u: %s",
		      changes[which].name, at, memory->store.why);
	ck_assert(holds(memory, "other", 7, 2 * DCB_PAGE));
	if (is_as(memory, changes[which].new))
		++*news;
	else
		ck_assert_msg(!over && is_as(memory, changes[which].old), "%s, cut at %u",
			      changes[which].name, at);
	used = used_pages(memory);
	put(memory, "object", 3, 3 * DCB_PAGE + 5);
	ck_assert(holds(memory, "other", 7, 2 * DCB_PAGE));
	ck_assert_uint_ge(used_pages(memory), used);
	return over;
}

START_TEST(power_cuts_leave_old_or_new)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	guint at, news = 0, cuts = 0;

	for (guint round = 0; round < (changes[_i].full ? 2 : 20); round++) {
		for (at = 0; !survives(_i, at, random, &news); at++)
			cuts++;
	}
	/* Some cuts come after the one write that counts, and some before. */
	ck_assert_uint_gt(news, 0);
	ck_assert_uint_lt(news, cuts);
}
END_TEST

/* ---- evil images ---- */

static guint64 page_of(BlobMemory *memory, const char *name)
{
	for (guint64 i = 1; i < memory->store.pages; i++) {
		struct dcb_node *node = (struct dcb_node *)(memory->seen + i * DCB_PAGE);

		if (test_bit(i, memory->store.used) && node->magic == DCB_NODE_MAGIC &&
		    node->number == 0 && strcmp(node->name, name) == 0)
			return i;
	}
	ck_abort_msg("there is no %s", name);
	return 0;
}

static struct dcb_node *node_of(BlobMemory *memory, const char *name)
{
	return (struct dcb_node *)(memory->seen + page_of(memory, name) * DCB_PAGE);
}

static struct dcb_table *table_of(BlobMemory *memory)
{
	return (struct dcb_table *)(memory->seen + DCB_FIRST_TABLE * DCB_PAGE);
}

static void refer(BlobMemory *memory, guint32 place, guint64 index)
{
	guint64 word = blob_memory_reference(memory, index, DCB_FIRST_TABLE, place);

	if (place == DCB_PLACES)
		table_of(memory)->next = word;
	else
		table_of(memory)->places[place] = word;
}

#define EVIL(what, ...)                                                                  \
	static void what(BlobMemory *memory)                                             \
	{                                                                                \
		__VA_ARGS__;                                                             \
	}
#define EVIL_NODE(what, ...)                                                             \
	static void what(BlobMemory *memory)                                             \
	{                                                                                \
		struct dcb_node *node = node_of(memory, "b");                            \
		__VA_ARGS__;                                                             \
		blob_memory_seal(memory, page_of_node(memory, node));                    \
	}

static guint64 page_of_node(BlobMemory *memory, const struct dcb_node *node)
{
	return ((const guint8 *)node - memory->seen) / DCB_PAGE;
}

EVIL(no_table, table_of(memory)->magic = 1)
EVIL(bad_table_sum, table_of(memory)->checksum ^= 1)
EVIL(other_store, table_of(memory)->id[0] ^= 1; blob_memory_seal(memory, DCB_FIRST_TABLE))
EVIL(table_number, table_of(memory)->number = 1;
     blob_memory_seal(memory, DCB_FIRST_TABLE))
EVIL(table_self, table_of(memory)->self = 2; blob_memory_seal(memory, DCB_FIRST_TABLE))
EVIL(table_version, table_of(memory)->version = 2;
     blob_memory_seal(memory, DCB_FIRST_TABLE))
EVIL(bad_reference, table_of(memory)->places[1] ^= 1)
EVIL(moved_reference, table_of(memory)->places[9] = table_of(memory)->places[1])
EVIL(truncated_table, refer(memory, DCB_PLACES, memory->store.pages + 5))
EVIL(table_to_zero, refer(memory, DCB_PLACES, 0))
EVIL(table_to_itself, refer(memory, DCB_PLACES, DCB_FIRST_TABLE))
EVIL(table_to_nothing, refer(memory, DCB_PLACES, 3))
EVIL(object_beyond, refer(memory, 1, memory->store.pages))
EVIL(object_beyond_image, refer(memory, 1, 1 << 20))
EVIL(object_at_super, refer(memory, 1, 0))
EVIL(object_at_table, refer(memory, 1, DCB_FIRST_TABLE))
EVIL(object_twice, refer(memory, 9, page_of(memory, "b")))
EVIL(object_at_nothing, refer(memory, 1, 3))
EVIL(bad_node_sum, node_of(memory, "b")->pages[DCB_NODE_PAGES - 1] ^= 1)
EVIL_NODE(no_name, memset(node->name, 'x', sizeof(node->name)))
EVIL_NODE(bad_name, strcpy(node->name, "b/b"))
EVIL_NODE(same_name, strcpy(node->name, "a"))
EVIL_NODE(huge, node->size = G_MAXUINT64)
EVIL_NODE(longer, node->size = LARGE)
EVIL_NODE(shorter, node->size = 1)
EVIL_NODE(too_many, node->nr = G_MAXUINT32)
EVIL_NODE(next_for_nothing, node->next = node->self)
EVIL_NODE(number, node->number = 1)
EVIL_NODE(data_beyond, node->pages[1] = G_MAXUINT64)
EVIL_NODE(data_at_super, node->pages[1] = 0)
EVIL_NODE(data_twice, node->pages[1] = node->pages[0])
EVIL_NODE(data_of_other, node->pages[1] = node_of(memory, "a")->pages[0])
EVIL_NODE(data_is_node, node->pages[1] = node->self)

#define IMAGE(what, text)                                                                \
	{                                                                                \
#what, what, text                                                        \
	}

static const struct {
	const char *name;
	Change spoil;
	const char *why;
} images[] = {
	IMAGE(no_table, "no page of the table"),
	IMAGE(bad_table_sum, "head of the table"),
	IMAGE(other_store, "head of the table"),
	IMAGE(table_number, "another page"),
	IMAGE(table_self, "another page"),
	IMAGE(table_version, "another version"),
	IMAGE(bad_reference, "reference"),
	IMAGE(moved_reference, "reference"),
	IMAGE(truncated_table, "no such page"),
	IMAGE(table_to_zero, "no such page"),
	IMAGE(table_to_itself, "used twice"),
	IMAGE(table_to_nothing, "no page of the table"),
	IMAGE(object_beyond, "no such page"),
	IMAGE(object_at_super, "no such page"),
	IMAGE(object_at_table, "used twice"),
	IMAGE(object_twice, "used twice"),
	IMAGE(object_at_nothing, "head of an object"),
	IMAGE(bad_node_sum, "node is damaged"),
	IMAGE(no_name, "name of an object"),
	IMAGE(bad_name, "name of an object"),
	IMAGE(same_name, "one name"),
	IMAGE(huge, "head of an object"),
	IMAGE(longer, "not what it should be"),
	IMAGE(shorter, "not what it should be"),
	IMAGE(too_many, "not what it should be"),
	IMAGE(next_for_nothing, "not what it should be"),
	IMAGE(number, "not what it should be"),
	IMAGE(data_beyond, "no such page"),
	IMAGE(data_at_super, "no such page"),
	IMAGE(data_twice, "used twice"),
	IMAGE(data_of_other, "used twice"),
	IMAGE(data_is_node, "used twice"),
};

static BlobMemory *small_store(void)
{
	BlobMemory *memory = blob_memory_new(64);

	put(memory, "a", 1, 2 * DCB_PAGE);
	put(memory, "b", 2, 2 * DCB_PAGE + 1);
	put(memory, "c", 3, 0);
	return memory;
}

START_TEST(evil_images_are_refused)
{
	g_autoptr(BlobMemory) memory = small_store();
	gsize size = memory->store.pages * DCB_PAGE;
	g_autofree guint8 *before = NULL;
	int err;

	images[_i].spoil(memory);
	before = g_memdup2(memory->seen, size);
	err = blob_memory_open(memory);
	ck_assert_msg(err == (images[_i].spoil == table_version ? -EOPNOTSUPP : -EBADMSG),
		      "%s: %d", images[_i].name, err);
	ck_assert_msg(memory->store.why && strstr(memory->store.why, images[_i].why),
		      "%s: %s", images[_i].name, memory->store.why);
	ck_assert_mem_eq(memory->seen, before, size);
}
END_TEST

/* What is damaged while the store is open is found when it is read. */
START_TEST(damaged_data_are_not_read)
{
	g_autoptr(BlobMemory) memory = small_store();
	g_autofree guint8 *data = NULL;
	gsize size;

	memory->seen[node_of(memory, "b")->pages[1] * DCB_PAGE + 100] ^= 1;
	ck_assert_int_eq(blob_memory_open(memory), 0);
	ck_assert_int_eq(blob_get(memory, "b", &data, &size), -EBADMSG);
	ck_assert(holds(memory, "a", 1, 2 * DCB_PAGE));
	/* A new one in its place is good. */
	put(memory, "b", 5, 100);
	ck_assert(holds(memory, "b", 5, 100));
}
END_TEST

/* Whatever is there: it is opened or refused, and what can be listed can be asked for. */
static void judge(BlobMemory *memory)
{
	struct dcb_object object;
	u64 cursor = 0;

	if (blob_memory_open(memory) != 0)
		return;
	while (dcb_list(&memory->store, &cursor, &object) == 0) {
		g_autofree guint8 *data = NULL;
		gsize size;
		int err = blob_get(memory, object.name, &data, &size);

		ck_assert(err == 0 || err == -EBADMSG);
	}
}

START_TEST(random_damage_is_survived)
{
	const char *seed_text = g_getenv("DAXC_TEST_SEED");
	const char *rounds_text = g_getenv("DAXC_TEST_ROUNDS");
	guint seed = seed_text ? strtoul(seed_text, NULL, 0) : (guint)time(NULL);
	guint rounds = rounds_text ? strtoul(rounds_text, NULL, 0) : 1000;
	g_autoptr(GRand) random = g_rand_new_with_seed(seed);
	g_autoptr(BlobMemory) memory = small_store();
	gsize size = memory->store.pages * DCB_PAGE;
	g_autofree guint8 *good = g_memdup2(memory->seen, size);
	guint64 node = page_of(memory, "b");

	g_print("blob: DAXC_TEST_SEED=%u DAXC_TEST_ROUNDS=%u\n", seed, rounds);
	for (guint round = 0; round < rounds; round++) {
		memcpy(memory->seen, good, size);
		for (guint i = g_rand_int_range(random, 1, 4); i > 0; i--) {
			guint64 page = g_rand_boolean(random)
					       ? node
					       : 1 + g_rand_int(random) % 63;
			guint at = g_rand_int_range(random, 0, 20) * 8;
			guint64 value = g_rand_int(random);

			if (g_rand_boolean(random))
				value %= 70;
			memcpy(memory->seen + page * DCB_PAGE + at, &value,
			       sizeof(value));
			blob_memory_seal(memory, page);
		}
		judge(memory);
		memcpy(memory->seen, good, size);
		ck_assert_int_eq(blob_memory_open(memory), 0);
	}
}
END_TEST

typedef struct {
	guint seed;
	gsize size;
} Known;

/* A store beside a table of what must be in it, with reopening and cuts in between. */
START_TEST(random_changes_agree_with_the_model)
{
	g_autoptr(BlobMemory) memory = blob_memory_new(PAGES);
	g_autoptr(GRand) random = g_rand_new_with_seed(4);
	Known known[26] = {};
	guint full = 0;

	for (guint step = 1; step < 1500; step++) {
		guint which = g_rand_int_range(random, 0, G_N_ELEMENTS(known));
		char name[] = {'a' + which, 0};
		gsize size = g_rand_int_range(random, 0, 30 * DCB_PAGE);
		g_autofree guint8 *data = data_of(step, size);
		int err;

		switch (g_rand_int_range(random, 0, 4)) {
		case 0:
			err = dcb_delete(&memory->store, name);
			ck_assert_int_eq(err, known[which].seed ? 0 : -ENOENT);
			known[which] = (Known){};
			break;
		case 1:
			blob_memory_cut(memory, random);
			ck_assert_int_eq(blob_memory_open(memory), 0);
			break;
		default:
			err = blob_put(memory, name, data, size);
			ck_assert(err == 0 || err == -ENOSPC);
			if (err == 0)
				known[which] = (Known){step, size};
			full += err != 0;
		}
		which = g_rand_int_range(random, 0, G_N_ELEMENTS(known));
		name[0] = 'a' + which;
		if (known[which].seed)
			ck_assert(holds(memory, name, known[which].seed,
					known[which].size));
	}
	ck_assert_uint_gt(full, 0);
}
END_TEST

/* ---- superblocks ---- */

static struct dcp_super super_of(guint64 generation)
{
	struct dcp_super super = {
		.magic = DCP_MAGIC,
		.version = DCP_VERSION,
		.generation = generation,
		.type = "blob",
		.nr_extents = 2,
		.extents = {{4ULL << 30, 1ULL << 30}, {8ULL << 30, 2ULL << 30}},
	};

	super.size = 3ULL << 30;
	super.checksum = dcp_checksum(&super);
	return super;
}

static enum dcp_verdict judge_super(const struct dcp_super *first,
				    const struct dcp_super *second, guint64 *generation,
				    const char **why)
{
	struct dcp_super slots[DCP_SLOTS] = {}, super;
	enum dcp_verdict verdict;
	unsigned int slot = 9;

	if (first)
		slots[0] = *first;
	if (second)
		slots[1] = *second;
	*why = NULL;
	verdict = dcp_judge(slots, &super, &slot, why);
	*generation = 0;
	if (verdict == DCP_VALID) {
		ck_assert_mem_eq(&super, &slots[slot], sizeof(super));
		*generation = super.generation;
	}
	return verdict;
}

START_TEST(the_newer_valid_slot_counts)
{
	struct dcp_super old = super_of(7), new = super_of(8), torn = super_of(9);
	guint64 generation;
	const char *why;

	torn.generation = 10;
	ck_assert_int_eq(judge_super(&old, &new, &generation, &why), DCP_VALID);
	ck_assert_uint_eq(generation, 8);
	ck_assert_int_eq(judge_super(&new, &old, &generation, &why), DCP_VALID);
	ck_assert_uint_eq(generation, 8);
	ck_assert_int_eq(judge_super(&old, &torn, &generation, &why), DCP_VALID);
	ck_assert_uint_eq(generation, 7);
	ck_assert_int_eq(judge_super(&torn, &old, &generation, &why), DCP_VALID);
	ck_assert_uint_eq(generation, 7);
	ck_assert_int_eq(judge_super(NULL, &old, &generation, &why), DCP_VALID);
	ck_assert_int_eq(judge_super(&torn, NULL, &generation, &why), DCP_DAMAGED);
	ck_assert_ptr_nonnull(why);
	ck_assert_int_eq(judge_super(NULL, NULL, &generation, &why), DCP_BLANK);
	torn.magic++;
	ck_assert_int_eq(judge_super(&torn, NULL, &generation, &why), DCP_FOREIGN);
}
END_TEST

static const struct {
	const char *what;
	struct dcp_super super;
	const char *why;
} bad_supers[] = {
	{"version", {.version = 2}, "version"},
	{"no type", {.type = "\1"}, "type"},
	{"type without end", {.type = "abcdefghijklmnop"}, "type"},
	{"no extents", {.nr_extents = G_MAXUINT32}, "extents"},
	{"too many extents", {.nr_extents = DCP_MOST_EXTENTS + 1}, "extents"},
	{"size", {.size = 1}, "extents"},
	{"misaligned", {.extents = {{1}}}, "extents"},
	{"around the end", {.extents = {{G_MAXUINT64 - DCP_PAGE + 1}}}, "extents"},
	{"overlap", {.extents = {{8ULL << 30}}}, "extents"},
};

START_TEST(superblocks_that_are_not_sound_are_damaged)
{
	const struct dcp_super *bad = &bad_supers[_i].super;
	struct dcp_super super = super_of(1);
	guint64 generation;
	const char *why;

	if (bad->version)
		super.version = bad->version;
	if (bad->type[0])
		memcpy(super.type, bad->type, sizeof(super.type));
	if (bad->nr_extents)
		super.nr_extents = bad->nr_extents == G_MAXUINT32 ? 0 : bad->nr_extents;
	if (bad->size)
		super.size = bad->size;
	if (bad->extents[0].start)
		super.extents[0].start = bad->extents[0].start;
	super.checksum = dcp_checksum(&super);
	ck_assert_msg(judge_super(&super, NULL, &generation, &why) == DCP_DAMAGED, "%s",
		      bad_supers[_i].what);
	ck_assert_msg(strstr(why, bad_supers[_i].why), "%s: %s", bad_supers[_i].what,
		      why);
}
END_TEST

/* ---- images that the driver's tests put into real memory ---- */

/* As many pages as an image has; in memory there are more. */
#define IMAGE_PAGES 8
#define IMAGE_SIZE (IMAGE_PAGES * DCB_PAGE)
/* Where the region of node 2 of the virtual host's topology two-node begins. */
#define IMAGE_START (8ULL << 30)

typedef void (*SpoilSuper)(struct dcp_super *super);

static void super_version(struct dcp_super *super)
{
	super->version = 2;
}

static void super_moved(struct dcp_super *super)
{
	super->extents[0].start += 1ULL << 30;
}

static void super_type(struct dcp_super *super)
{
	strcpy(super->type, "nobody");
}

static void super_type_version(struct dcp_super *super)
{
	super->type_version = 2;
}

static void super_extents(struct dcp_super *super)
{
	super->nr_extents = G_MAXUINT32;
}

static const struct {
	const char *name;
	SpoilSuper spoil_super;
	Change spoil;
} files[] = {
	{"good", NULL, NULL},
	{"EBADMSG.super-version", super_version, NULL},
	{"EBADMSG.super-extents", super_extents, NULL},
	{"EUCLEAN.super-moved", super_moved, NULL},
	{"ENOENT.super-type", super_type, NULL},
	{"EOPNOTSUPP.super-type-version", super_type_version, NULL},
	{"EOPNOTSUPP.table-version", NULL, table_version},
	{"EBADMSG.table-truncated", NULL, truncated_table},
	{"EBADMSG.table-checksum", NULL, bad_table_sum},
	{"EBADMSG.table-of-another", NULL, other_store},
	{"EBADMSG.object-twice", NULL, object_twice},
	{"EBADMSG.object-beyond", NULL, object_beyond_image},
	{"EBADMSG.node-checksum", NULL, bad_node_sum},
	{"EBADMSG.data-beyond", NULL, data_beyond},
	{"EBADMSG.super-checksum", NULL, NULL},
	{"EEXIST.super-foreign", NULL, NULL},
};

static guint8 *make_file(guint which)
{
	g_autoptr(BlobMemory) memory = blob_memory_new(IMAGE_PAGES);
	guint8 *bytes = g_malloc0(IMAGE_SIZE);
	struct dcp_super *super = (struct dcp_super *)bytes;

	put(memory, "a", 1, 10);
	put(memory, "b", 2, DCB_PAGE + 1);
	if (files[which].spoil)
		files[which].spoil(memory);
	memcpy(bytes + DCB_PAGE, memory->seen + DCB_PAGE, IMAGE_SIZE - DCB_PAGE);
	*super = super_of(1);
	super->size = 1ULL << 30;
	super->nr_extents = 1;
	super->type_version = 1;
	super->extents[0] = (struct dcp_extent){IMAGE_START, 1ULL << 30};
	super->extents[1] = (struct dcp_extent){};
	memcpy(super->id, memory->store.id, DCP_ID_SIZE);
	if (files[which].spoil_super)
		files[which].spoil_super(super);
	super->checksum = dcp_checksum(super);
	if (strstr(files[which].name, "super-checksum"))
		super->checksum++;
	if (strstr(files[which].name, "super-foreign"))
		super->magic = 0x42534658;
	return bytes;
}

static char *path_of(const char *directory, guint which)
{
	return g_strdup_printf("%s/%s.img", directory, files[which].name);
}

/* So that it is known how they came about; with DAXC_TEST_WRITE set they are made anew.
 */
START_TEST(images_are_those_of_the_tree)
{
	g_autofree char *path = path_of(IMAGES, _i), *there = NULL;
	g_autofree guint8 *bytes = make_file(_i);
	gsize size;

	if (g_getenv("DAXC_TEST_WRITE"))
		ck_assert(g_file_set_contents(path, (char *)bytes, IMAGE_SIZE, NULL));
	ck_assert_msg(g_file_get_contents(path, &there, &size, NULL), "%s", path);
	ck_assert_uint_eq(size, IMAGE_SIZE);
	ck_assert_msg(memcmp(there, bytes, size) == 0, "%s", path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blob");
	TCase *tcase = tcase_create("blob");

	tcase_set_timeout(tcase, 0);
	tcase_add_test(tcase, objects_are_there_again);
	tcase_add_test(tcase, names_are_checked);
	tcase_add_test(tcase, the_table_grows_and_is_listed);
	tcase_add_test(tcase, without_room_nothing_changes);
	tcase_add_loop_test(tcase, power_cuts_leave_old_or_new, 0, G_N_ELEMENTS(changes));
	tcase_add_loop_test(tcase, evil_images_are_refused, 0, G_N_ELEMENTS(images));
	tcase_add_test(tcase, damaged_data_are_not_read);
	tcase_add_test(tcase, random_damage_is_survived);
	tcase_add_test(tcase, random_changes_agree_with_the_model);
	tcase_add_test(tcase, the_newer_valid_slot_counts);
	tcase_add_loop_test(tcase, superblocks_that_are_not_sound_are_damaged, 0,
			    G_N_ELEMENTS(bad_supers));
	tcase_add_loop_test(tcase, images_are_those_of_the_tree, 0, G_N_ELEMENTS(files));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
