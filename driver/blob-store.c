// SPDX-License-Identifier: GPL-2.0
/*
 * A store of named objects in pages that survive. Whatever is read from them may be
 * anything: each word is judged before it is followed.
 */
#include "blob-store.h"

static_assert(sizeof(struct dcb_table) == DCB_PAGE, "a table is a page");
static_assert(sizeof(struct dcb_node) == DCB_PAGE, "a node is a page");

#define DCB_INDEX_MASK	(BIT_ULL(DCB_INDEX_BITS) - 1)

/* A place of the table, and what it refers to. */
struct dcb_found {
	u64 table;
	u32 place;
	u64 head;
};

/* An object that is being written. */
struct dcb_writer {
	struct dcb_store *store;
	struct dcb_node *head;
	struct dcb_node *node;
	unsigned char *buffer;
	u32 sum;
};

/* Called for each page of an object; @size bytes of it are data, 0: it is a node. */
typedef int (*dcb_visit)(void *data, u64 index, u64 offset, size_t size);

static int dcb_damaged(struct dcb_store *store, u64 where, const char *why)
{
	store->where = where;
	store->why = why;
	return -EBADMSG;
}

static bool dcb_is_used(const struct dcb_store *store, u64 index)
{
	return index < store->pages && test_bit(index, store->used);
}

static void dcb_use(struct dcb_store *store, u64 index)
{
	store->used[index / BITS_PER_LONG] |= 1UL << (index % BITS_PER_LONG);
}

static void dcb_unuse(struct dcb_store *store, u64 index)
{
	store->used[index / BITS_PER_LONG] &= ~(1UL << (index % BITS_PER_LONG));
}

/* Where two places say the same page is theirs, one of them is wrong. */
static int dcb_claim(struct dcb_store *store, u64 index)
{
	if (index == 0 || index >= store->pages)
		return dcb_damaged(store, index, "there is no such page");
	if (dcb_is_used(store, index))
		return dcb_damaged(store, index, "the page is used twice");
	dcb_use(store, index);
	return 0;
}

static int dcb_alloc(struct dcb_store *store, u64 *index)
{
	int err = store->ops->alloc(store, index);

	if (!err)
		dcb_use(store, *index);
	return err;
}

static void dcb_free(struct dcb_store *store, u64 index)
{
	dcb_unuse(store, index);
	store->ops->free(store, index);
}

/* ---- references ---- */

static u64 dcb_reference(const struct dcb_store *store, u64 index, u64 page, u32 place)
{
	u64 words[3] = { index, page, place };
	u64 sum = crc32_le(crc32_le(~0U, (const unsigned char *)words, sizeof(words)), store->id,
			   sizeof(store->id));

	return index | (sum << DCB_INDEX_BITS);
}

/* Place DCB_PLACES is `next`. */
static int dcb_follow(struct dcb_store *store, u64 word, u64 page, u32 place, u64 *index)
{
	*index = word & DCB_INDEX_MASK;
	if (word != dcb_reference(store, *index, page, place))
		return dcb_damaged(store, page, "a reference in the table is wrong");
	return 0;
}

/* ---- tables ---- */

static struct dcb_table *dcb_table_at(struct dcb_store *store, u64 index)
{
	return store->ops->page(store, index);
}

static u32 dcb_table_sum(const struct dcb_store *store, const struct dcb_table *table)
{
	u32 sum = crc32_le(~0U, (const unsigned char *)table,
			   offsetof(struct dcb_table, checksum));

	return crc32_le(sum, store->id, sizeof(store->id));
}

static int dcb_check_table(struct dcb_store *store, u64 index, u64 number)
{
	const struct dcb_table *table = dcb_table_at(store, index);

	if (table->magic != DCB_TABLE_MAGIC)
		return dcb_damaged(store, index, "it is no page of the table");
	if (memcmp(table->id, store->id, sizeof(store->id)) ||
	    table->checksum != dcb_table_sum(store, table))
		return dcb_damaged(store, index, "the head of the table is damaged");
	if (table->version != DCB_VERSION) {
		dcb_damaged(store, index, "the table is of another version");
		return -EOPNOTSUPP;
	}
	if (table->self != index || table->number != number)
		return dcb_damaged(store, index, "it is another page of the table");
	return 0;
}

static void dcb_make_table(struct dcb_store *store, struct dcb_table *table, u64 index, u64 number)
{
	memset(table, 0, sizeof(*table));
	table->magic = DCB_TABLE_MAGIC;
	table->self = index;
	table->number = number;
	table->version = DCB_VERSION;
	memcpy(table->id, store->id, sizeof(table->id));
	table->checksum = dcb_table_sum(store, table);
}

/* The page of the table behind @index; 0 when it is the last. */
static int dcb_next_table(struct dcb_store *store, u64 index, u64 *next)
{
	u64 word = dcb_table_at(store, index)->next;
	int err;

	*next = 0;
	if (!word)
		return 0;
	err = dcb_follow(store, word, index, DCB_PLACES, next);
	if (!err && !dcb_is_used(store, *next))
		err = dcb_damaged(store, index, "the table goes on where there is none");
	return err;
}

/* ---- nodes ---- */

static u64 dcb_pages_of(u64 size)
{
	return (size + DCB_PAGE - 1) / DCB_PAGE;
}

static struct dcb_node *dcb_node_at(struct dcb_store *store, u64 index)
{
	return store->ops->page(store, index);
}

static u32 dcb_node_sum(const struct dcb_node *node)
{
	const u32 zero = 0;
	const unsigned char *bytes = (const unsigned char *)node;
	size_t at = offsetof(struct dcb_node, checksum), behind = at + sizeof(zero);
	u32 sum = crc32_le(~0U, bytes, at);

	sum = crc32_le(sum, (const unsigned char *)&zero, sizeof(zero));
	return crc32_le(sum, bytes + behind, sizeof(*node) - behind);
}

/* @left: pages of data that this node and those behind it have to list. */
static int dcb_check_node(struct dcb_store *store, u64 index, u32 number, u64 left)
{
	const struct dcb_node *node = dcb_node_at(store, index);
	bool goes_on = left > DCB_NODE_PAGES;

	if (node->magic != DCB_NODE_MAGIC || node->self != index ||
	    memcmp(node->id, store->id, sizeof(store->id)) || node->checksum != dcb_node_sum(node))
		return dcb_damaged(store, index, "a node is damaged");
	if (node->number != number || node->nr != (goes_on ? DCB_NODE_PAGES : left) ||
	    !node->next == goes_on)
		return dcb_damaged(store, index, "a node is not what it should be there");
	return 0;
}

static int dcb_check_head(struct dcb_store *store, u64 index)
{
	const struct dcb_node *head = dcb_node_at(store, index);

	/* What it says of its size decides what is right for the rest. */
	if (head->magic != DCB_NODE_MAGIC || head->size > DCB_MOST_BYTES)
		return dcb_damaged(store, index, "the head of an object is damaged");
	if (!memchr(head->name, 0, sizeof(head->name)) || !dcb_is_name(head->name))
		return dcb_damaged(store, index, "the name of an object is none");
	return dcb_check_node(store, index, 0, dcb_pages_of(head->size));
}

static int dcb_visit_data(const struct dcb_node *node, u64 *offset, u64 size, dcb_visit visit,
			  void *data)
{
	u32 i;

	for (i = 0; i < node->nr; i++) {
		size_t part = min(size - *offset, (u64)DCB_PAGE);
		int err = visit(data, node->pages[i], *offset, part);

		if (err)
			return err;
		*offset += part;
	}
	return 0;
}

/* All pages of an object, each node before its data. @visit decides what is followed. */
static int dcb_visit_object(struct dcb_store *store, u64 head, dcb_visit visit, void *data)
{
	u64 index = head, next, size = 0, offset = 0;
	u32 number = 0;
	int err;

	do {
		err = visit(data, index, 0, 0);
		if (!err)
			err = number ? dcb_check_node(store, index, number,
						      dcb_pages_of(size - offset)) :
				       dcb_check_head(store, index);
		if (err)
			return err;
		if (!number++)
			size = dcb_node_at(store, index)->size;
		next = dcb_node_at(store, index)->next;
		err = dcb_visit_data(dcb_node_at(store, index), &offset, size, visit, data);
		index = next;
	} while (!err && index);
	return err;
}

/* ---- opening ---- */

static int dcb_claim_page(void *data, u64 index, u64 offset, size_t size)
{
	return dcb_claim(data, index);
}

static int dcb_open_object(struct dcb_store *store, u64 head)
{
	int err = dcb_visit_object(store, head, dcb_claim_page, store);
	const struct dcb_node *node;

	if (err)
		return err;
	node = dcb_node_at(store, head);
	store->objects++;
	store->bytes += node->size;
	store->sequence = max(store->sequence, node->sequence);
	return 0;
}

static int dcb_open_table(struct dcb_store *store, u64 index, u64 number)
{
	int err = dcb_claim(store, index);
	u64 word, head;
	u32 place;

	if (!err)
		err = dcb_check_table(store, index, number);
	for (place = 0; !err && place < DCB_PLACES; place++) {
		word = dcb_table_at(store, index)->places[place];
		if (!word)
			continue;
		err = dcb_follow(store, word, index, place, &head);
		if (!err)
			err = dcb_open_object(store, head);
	}
	return err;
}

static int dcb_open_tables(struct dcb_store *store)
{
	u64 index = DCB_FIRST_TABLE, number = 0, word;
	int err;

	for (;;) {
		err = dcb_open_table(store, index, number++);
		if (err)
			return err;
		word = dcb_table_at(store, index)->next;
		if (!word)
			return 0;
		err = dcb_follow(store, word, index, DCB_PLACES, &index);
		if (err)
			return err;
	}
}

struct dcb_hashed {
	u32 hash;
	u64 head;
};

static int dcb_compare_hashed(const void *a, const void *b)
{
	const struct dcb_hashed *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The next place that has an object. */
static int dcb_next_object(struct dcb_store *store, u64 *table, u64 *number, u32 *place, u64 *head)
{
	int err = 0;

	while (!err && *table) {
		const struct dcb_table *t = dcb_table_at(store, *table);

		for (; *place < DCB_PLACES; ++*place) {
			if (!t->places[*place])
				continue;
			err = dcb_follow(store, t->places[*place], *table, *place, head);
			if (!err && !dcb_is_used(store, *head))
				err = dcb_damaged(store, *table, "there is no such object");
			++*place;
			return err;
		}
		err = dcb_next_table(store, *table, table);
		++*number;
		*place = 0;
	}
	return err ? err : -ENOENT;
}

static int dcb_hash_names(struct dcb_store *store, struct dcb_hashed *list)
{
	u64 table = DCB_FIRST_TABLE, number = 0, head, i;
	u32 place = 0;

	for (i = 0; i < store->objects; i++) {
		int err = dcb_next_object(store, &table, &number, &place, &head);
		const char *name;

		if (err)
			return err;
		name = dcb_node_at(store, head)->name;
		list[i].hash = crc32_le(~0U, (const unsigned char *)name, strlen(name));
		list[i].head = head;
	}
	return 0;
}

/* Whether the one at @first has the name of another of the same hash behind it. */
static bool dcb_has_twin(struct dcb_store *store, const struct dcb_hashed *list, u64 first)
{
	u64 i;

	for (i = first + 1; i < store->objects && list[i].hash == list[first].hash; i++) {
		if (!strcmp(dcb_node_at(store, list[i].head)->name,
			    dcb_node_at(store, list[first].head)->name))
			return true;
	}
	return false;
}

static int dcb_check_names(struct dcb_store *store)
{
	struct dcb_hashed *list;
	u64 i;
	int err;

	if (store->objects < 2)
		return 0;
	list = kvmalloc_array(store->objects, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	err = dcb_hash_names(store, list);
	if (!err)
		sort(list, store->objects, sizeof(*list), dcb_compare_hashed, NULL);
	for (i = 0; !err && i < store->objects; i++) {
		if (dcb_has_twin(store, list, i))
			err = dcb_damaged(store, list[i].head, "two objects have one name");
	}
	kvfree(list);
	return err;
}

int dcb_open(struct dcb_store *store)
{
	int err;

	store->objects = 0;
	store->bytes = 0;
	store->sequence = 0;
	err = dcb_open_tables(store);
	return err ? err : dcb_check_names(store);
}

int dcb_format(struct dcb_store *store)
{
	struct dcb_table *table;

	if (store->pages <= DCB_FIRST_TABLE)
		return -ENOSPC;
	if (store->pages > DCB_INDEX_MASK)
		return -EFBIG;
	table = kvmalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	dcb_make_table(store, table, DCB_FIRST_TABLE, 0);
	store->ops->write(store, dcb_table_at(store, DCB_FIRST_TABLE), table, sizeof(*table));
	store->ops->fence(store);
	kvfree(table);
	return 0;
}

/* ---- finding ---- */

bool dcb_is_name(const char *name)
{
	size_t i;

	for (i = 0; i < DCB_NAME_SIZE && name[i]; i++) {
		unsigned char c = name[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return false;
	}
	return i > 0 && i < DCB_NAME_SIZE;
}

/* Return: -ENOENT: there is none of that name. */
static int dcb_find(struct dcb_store *store, const char *name, struct dcb_found *found)
{
	u64 number = 0;
	u32 place = 0;
	int err;

	found->table = DCB_FIRST_TABLE;
	while (!(err = dcb_next_object(store, &found->table, &number, &place, &found->head))) {
		if (strncmp(dcb_node_at(store, found->head)->name, name, DCB_NAME_SIZE))
			continue;
		found->place = place - 1;
		return dcb_check_head(store, found->head);
	}
	return err;
}

static bool dcb_find_room_in(struct dcb_store *store, u64 table, struct dcb_found *room)
{
	u32 place;

	for (place = 0; place < DCB_PLACES; place++) {
		if (dcb_table_at(store, table)->places[place])
			continue;
		room->table = table;
		room->place = place;
		room->head = 0;
		return true;
	}
	return false;
}

static int dcb_add_table(struct dcb_store *store, u64 last, void *buffer, struct dcb_found *room)
{
	struct dcb_table *table = dcb_table_at(store, last);
	u64 index, word;
	int err = dcb_alloc(store, &index);

	if (err)
		return err;
	dcb_make_table(store, buffer, index, table->number + 1);
	store->ops->write(store, dcb_table_at(store, index), buffer, DCB_PAGE);
	store->ops->fence(store);
	word = dcb_reference(store, index, last, DCB_PLACES);
	store->ops->write(store, &table->next, &word, sizeof(word));
	store->ops->fence(store);
	dcb_find_room_in(store, index, room);
	return 0;
}

static int dcb_find_room(struct dcb_store *store, void *buffer, struct dcb_found *room)
{
	u64 index = DCB_FIRST_TABLE, next;
	int err;

	while (!dcb_find_room_in(store, index, room)) {
		err = dcb_next_table(store, index, &next);
		if (err)
			return err;
		if (!next)
			return dcb_add_table(store, index, buffer, room);
		index = next;
	}
	return 0;
}

/* ---- writing ---- */

static int dcb_free_page(void *data, u64 index, u64 offset, size_t size)
{
	struct dcb_store *store = data;

	if (!dcb_is_used(store, index))
		return dcb_damaged(store, index, "what is to be freed is free");
	/* Nodes are read when they have been visited: they go last. */
	if (size)
		dcb_free(store, index);
	return 0;
}

static void dcb_free_nodes(struct dcb_store *store, u64 head)
{
	u64 index = head, next;

	for (; index; index = next) {
		next = dcb_node_at(store, index)->next;
		dcb_free(store, index);
	}
}

/* What turns out to be damaged stays in use. */
static void dcb_free_object(struct dcb_store *store, u64 head)
{
	if (!dcb_visit_object(store, head, dcb_free_page, store))
		dcb_free_nodes(store, head);
}

/* As dcb_free_object(), of what nobody has sealed yet. */
static void dcb_abandon(struct dcb_store *store, struct dcb_node *head)
{
	struct dcb_node *node = head;
	u32 i;

	for (;;) {
		for (i = 0; i < node->nr; i++)
			dcb_free(store, node->pages[i]);
		if (!node->next)
			break;
		node = dcb_node_at(store, node->next);
	}
	dcb_free_nodes(store, head->self);
}

static struct dcb_node *dcb_new_node(struct dcb_store *store, u32 number, int *err)
{
	struct dcb_node *node;
	u64 index;

	*err = dcb_alloc(store, &index);
	if (*err)
		return NULL;
	/* Nothing refers to it: it is sealed before something does. */
	node = dcb_node_at(store, index);
	memset(node, 0, sizeof(*node));
	node->magic = DCB_NODE_MAGIC;
	node->self = index;
	node->number = number;
	memcpy(node->id, store->id, sizeof(node->id));
	return node;
}

static int dcb_write_page(struct dcb_writer *writer, u64 offset, size_t size, dcb_fill fill,
			  void *data)
{
	struct dcb_store *store = writer->store;
	u64 index;
	int err;

	if (writer->node->nr == DCB_NODE_PAGES) {
		struct dcb_node *next = dcb_new_node(store, writer->node->number + 1, &err);

		if (!next)
			return err;
		writer->node->next = next->self;
		writer->node = next;
	}
	err = dcb_alloc(store, &index);
	if (err)
		return err;
	writer->node->pages[writer->node->nr++] = index;
	memset(writer->buffer + size, 0, DCB_PAGE - size);
	err = fill(data, writer->buffer, offset, size);
	if (err)
		return err;
	writer->sum = crc32_le(writer->sum, writer->buffer, size);
	store->ops->write(store, store->ops->page(store, index), writer->buffer, DCB_PAGE);
	return 0;
}

static void dcb_seal(struct dcb_writer *writer)
{
	struct dcb_store *store = writer->store;
	struct dcb_node *node = writer->head, *copy = (struct dcb_node *)writer->buffer;

	for (;;) {
		memcpy(copy, node, sizeof(*copy));
		copy->checksum = dcb_node_sum(copy);
		store->ops->write(store, node, copy, sizeof(*copy));
		if (!copy->next)
			break;
		node = dcb_node_at(store, copy->next);
	}
	store->ops->fence(store);
}

/* Return: the number of its head, with nothing that refers to it; 0 and @err. */
static u64 dcb_write_object(struct dcb_store *store, const char *name, u64 size, void *buffer,
			    dcb_fill fill, void *data, int *err)
{
	struct dcb_writer writer = { .store = store, .buffer = buffer, .sum = ~0U };
	u64 offset;

	writer.head = dcb_new_node(store, 0, err);
	if (!writer.head)
		return 0;
	writer.node = writer.head;
	for (offset = 0; !*err && offset < size; offset += DCB_PAGE)
		*err = dcb_write_page(&writer, offset, min(size - offset, (u64)DCB_PAGE), fill,
				      data);
	if (*err) {
		dcb_abandon(store, writer.head);
		return 0;
	}
	writer.head->size = size;
	writer.head->sequence = store->sequence + 1;
	writer.head->data_checksum = writer.sum;
	memcpy(writer.head->name, name, strlen(name));
	dcb_seal(&writer);
	return writer.head->self;
}

/* From here on the table says something else. */
static void dcb_commit(struct dcb_store *store, const struct dcb_found *at, u64 head)
{
	u64 word = head ? dcb_reference(store, head, at->table, at->place) : 0;

	store->ops->write(store, &dcb_table_at(store, at->table)->places[at->place], &word,
			  sizeof(word));
	store->ops->fence(store);
}

int dcb_put(struct dcb_store *store, const char *name, u64 size, void *page, dcb_fill fill,
	    void *data)
{
	struct dcb_found found;
	u64 head;
	int err;

	if (!dcb_is_name(name))
		return -EINVAL;
	if (size > DCB_MOST_BYTES)
		return -EFBIG;
	err = dcb_find(store, name, &found);
	if (err == -ENOENT)
		err = dcb_find_room(store, page, &found);
	if (err)
		return err;
	head = dcb_write_object(store, name, size, page, fill, data, &err);
	if (!head)
		return err;
	dcb_commit(store, &found, head);
	store->sequence++;
	store->bytes += size;
	if (!found.head) {
		store->objects++;
		return 0;
	}
	store->bytes -= dcb_node_at(store, found.head)->size;
	dcb_free_object(store, found.head);
	return 0;
}

int dcb_delete(struct dcb_store *store, const char *name)
{
	struct dcb_found found;
	int err = dcb_find(store, name, &found);

	if (err)
		return err;
	dcb_commit(store, &found, 0);
	store->objects--;
	store->bytes -= dcb_node_at(store, found.head)->size;
	dcb_free_object(store, found.head);
	return 0;
}

/* ---- reading ---- */

struct dcb_reader {
	struct dcb_store *store;
	dcb_drain drain;
	void *data;
	u32 sum;
};

static int dcb_read_page(void *data, u64 index, u64 offset, size_t size)
{
	struct dcb_reader *reader = data;
	const void *bytes;

	if (!dcb_is_used(reader->store, index))
		return dcb_damaged(reader->store, index, "a page of data is not in use");
	if (!size)
		return 0;
	bytes = reader->store->ops->page(reader->store, index);
	reader->sum = crc32_le(reader->sum, bytes, size);
	return reader->drain(reader->data, bytes, offset, size);
}

int dcb_get(struct dcb_store *store, const char *name, u64 *size, u64 most, dcb_drain drain,
	    void *data)
{
	struct dcb_reader reader = { .store = store, .drain = drain, .data = data, .sum = ~0U };
	struct dcb_found found;
	int err = dcb_find(store, name, &found);

	if (err)
		return err;
	*size = dcb_node_at(store, found.head)->size;
	if (*size > most)
		return -ERANGE;
	err = dcb_visit_object(store, found.head, dcb_read_page, &reader);
	if (!err && reader.sum != dcb_node_at(store, found.head)->data_checksum)
		err = dcb_damaged(store, found.head, "the data are damaged");
	return err;
}

/* The page of the table with number @number. */
static int dcb_table_number(struct dcb_store *store, u64 number, u64 *table)
{
	int err = 0;

	*table = DCB_FIRST_TABLE;
	while (!err && *table && number--)
		err = dcb_next_table(store, *table, table);
	if (err)
		return err;
	return *table ? 0 : -ENOENT;
}

int dcb_list(struct dcb_store *store, u64 *cursor, struct dcb_object *object)
{
	u64 table, number = *cursor / DCB_PLACES, head;
	u32 place = *cursor % DCB_PLACES;
	const struct dcb_node *node;
	int err = dcb_table_number(store, number, &table);

	if (!err)
		err = dcb_next_object(store, &table, &number, &place, &head);
	if (!err)
		err = dcb_check_head(store, head);
	if (err)
		return err;
	node = dcb_node_at(store, head);
	memcpy(object->name, node->name, sizeof(object->name));
	object->size = node->size;
	object->sequence = node->sequence;
	object->checksum = node->data_checksum;
	*cursor = number * DCB_PLACES + place;
	return 0;
}
