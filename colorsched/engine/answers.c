// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A host is what has zones, a zone what has colors, each known by its traits and by its
 * parent. Placement gives the whole tree of a host in one answer, also those colors that
 * are not candidates.
 */
#include "answers.h"

#include <string.h>

#include <daxcolor/geometry.h>

#include "names.h"

#define MIB_SHIFT 20
/* Granules of one color, and of one zone. */
#define COUNT_MAX (1u << 20)
#define ZONE_MAX (1u << 26)

/* Members. */

static JsonNode *member_of(JsonObject *object, const char *member)
{
	return object ? json_object_get_member(object, member) : NULL;
}

JsonObject *sched_json_object(JsonObject *object, const char *member)
{
	JsonNode *node = member_of(object, member);

	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static JsonArray *json_array(JsonObject *object, const char *member)
{
	JsonNode *node = member_of(object, member);

	return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

const char *sched_json_text(JsonObject *object, const char *member)
{
	JsonNode *node = member_of(object, member);

	if (!node || json_node_get_value_type(node) != G_TYPE_STRING)
		return NULL;
	return json_node_get_string(node);
}

/* UUIDs become part of paths. */
static const char *json_uuid(JsonObject *object, const char *member)
{
	const char *text = sched_json_text(object, member);

	return text && g_uuid_string_is_valid(text) ? text : NULL;
}

gboolean sched_json_count(JsonObject *object, const char *member, guint64 max,
			  guint64 *count)
{
	JsonNode *node = member_of(object, member);
	gint64 value;

	if (!node || json_node_get_value_type(node) != G_TYPE_INT64)
		return FALSE;
	value = json_node_get_int(node);
	if (value < 0 || (guint64)value > max)
		return FALSE;
	*count = (guint64)value;
	return TRUE;
}

static JsonObject *json_root(JsonNode *answer)
{
	return answer && JSON_NODE_HOLDS_OBJECT(answer) ? json_node_get_object(answer)
							: NULL;
}

/* Providers, as they come. */

typedef struct {
	char *uuid;
	guint32 color;
	guint32 total;
	guint32 used;
	guint32 owner;
} Leaf;

typedef struct {
	char *uuid;
	SchedZone zone;
	gboolean known; /* its traits were there */
	GArray *leaves;
} Zone;

typedef struct {
	char *uuid;
	GPtrArray *zones;
} Host;

/**
 * Reading:
 * @hosts: (element-type Host): by UUID
 * @zones: (element-type Zone): by UUID
 */
typedef struct {
	const char *class;
	GHashTable *hosts;
	GHashTable *zones;
} Reading;

static void leaf_clear(gpointer leaf)
{
	g_free(((Leaf *)leaf)->uuid);
}

static void zone_free(gpointer data)
{
	Zone *zone = data;

	g_free(zone->uuid);
	g_free(zone->zone.total);
	g_array_unref(zone->leaves);
	g_free(zone);
}

static void host_free(gpointer data)
{
	Host *host = data;

	g_free(host->uuid);
	g_ptr_array_unref(host->zones);
	g_free(host);
}

static Zone *zone_for(Reading *reading, const char *uuid)
{
	Zone *zone = g_hash_table_lookup(reading->zones, uuid);

	if (zone)
		return zone;
	zone = g_new0(Zone, 1);
	zone->uuid = g_strdup(uuid);
	zone->leaves = g_array_new(FALSE, FALSE, sizeof(Leaf));
	g_array_set_clear_func(zone->leaves, leaf_clear);
	g_hash_table_insert(reading->zones, zone->uuid, zone);
	return zone;
}

static Host *host_for(Reading *reading, const char *uuid)
{
	Host *host = g_hash_table_lookup(reading->hosts, uuid);

	if (host)
		return host;
	host = g_new0(Host, 1);
	host->uuid = g_strdup(uuid);
	host->zones = g_ptr_array_new();
	g_hash_table_insert(reading->hosts, host->uuid, host);
	return host;
}

/* Reads the first trait of @traits that is @prefix and a number. */
static gboolean find_number(JsonArray *traits, const char *prefix, guint64 max,
			    guint64 *number)
{
	for (guint i = 0; traits && i < json_array_get_length(traits); i++) {
		JsonNode *node = json_array_get_element(traits, i);

		if (json_node_get_value_type(node) == G_TYPE_STRING &&
		    sched_trait_number(json_node_get_string(node), prefix, max, number))
			return TRUE;
	}
	return FALSE;
}

/* A leaf has one class; whose it is. */
static gboolean read_resources(const Reading *reading, JsonObject *resources, Leaf *leaf)
{
	g_autoptr(GList) classes = json_object_get_members(resources);
	guint64 total, used;
	JsonObject *counts;

	if (!classes || classes->next)
		return FALSE;
	counts = sched_json_object(resources, classes->data);
	if (!sched_json_count(counts, "capacity", COUNT_MAX, &total) ||
	    !sched_json_count(counts, "used", total, &used))
		return FALSE;
	leaf->total = (guint32)total;
	leaf->used = (guint32)used;
	if (strcmp(classes->data, SCHED_CLASS) == 0)
		leaf->owner = SCHED_NOBODY;
	else if (strcmp(classes->data, reading->class) == 0)
		leaf->owner = SCHED_ASKER;
	else
		leaf->owner = SCHED_OTHERS;
	/* Granules of a color that is nobody's are nobody's. */
	return leaf->owner != SCHED_NOBODY || used == 0;
}

static void read_leaf(Reading *reading, const char *uuid, const char *parent,
		      JsonObject *provider, guint64 color)
{
	JsonObject *resources = sched_json_object(provider, "resources");
	Leaf leaf = {.color = (guint32)color};
	Zone *zone;

	if (!parent || !resources || !read_resources(reading, resources, &leaf))
		return;
	zone = zone_for(reading, parent);
	for (guint i = 0; i < zone->leaves->len; i++) {
		if (g_array_index(zone->leaves, Leaf, i).color == color)
			return;
	}
	g_array_append_val(zone->leaves, leaf);
	g_array_index(zone->leaves, Leaf, zone->leaves->len - 1).uuid = g_strdup(uuid);
	zone->zone.colors = MAX(zone->zone.colors, (guint32)color + 1);
}

static void read_zone(Reading *reading, const char *uuid, const char *parent,
		      JsonArray *traits, guint64 node)
{
	guint64 granule, slice = 0, region = 0;
	Zone *zone;

	if (!parent || !find_number(traits, SCHED_TRAIT_GRANULE,
				    DAXC_GRANULE_MAX >> MIB_SHIFT, &granule))
		return;
	granule <<= MIB_SHIFT;
	if (granule < DAXC_GRANULE_MIN || (granule & (granule - 1)) != 0)
		return;
	find_number(traits, SCHED_TRAIT_SLICE, G_MAXUINT32, &slice);
	find_number(traits, SCHED_TRAIT_REGION, G_MAXUINT16, &region);
	zone = zone_for(reading, uuid);
	if (zone->known)
		return;
	zone->known = TRUE;
	zone->zone.node = (gint)node;
	zone->zone.region = (guint)region;
	zone->zone.granule = granule;
	zone->zone.slice = slice << MIB_SHIFT;
	g_ptr_array_add(host_for(reading, parent)->zones, zone);
}

static void read_provider(JsonObject *summaries, const char *uuid, JsonNode *node,
			  gpointer data)
{
	JsonObject *provider = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node)
							    : NULL;
	const char *parent = json_uuid(provider, "parent_provider_uuid");
	JsonArray *traits = json_array(provider, "traits");
	guint64 number;

	if (!g_uuid_string_is_valid(uuid))
		return;
	if (find_number(traits, SCHED_TRAIT_COLOR, SCHED_ANSWER_COLORS - 1, &number))
		read_leaf(data, uuid, parent, provider, number);
	else if (find_number(traits, SCHED_TRAIT_NODE, G_MAXINT16, &number))
		read_zone(data, uuid, parent, traits, number);
}

/* Fleets of them. */

static gint compare_zones(gconstpointer a, gconstpointer b)
{
	const Zone *one = *(Zone *const *)a, *other = *(Zone *const *)b;

	if (one->zone.node != other->zone.node)
		return one->zone.node < other->zone.node ? -1 : 1;
	return (one->zone.region > other->zone.region) -
	       (one->zone.region < other->zone.region);
}

/* All of its colors are there, so that what is kept is not larger than the answer. */
static gboolean is_whole(const Zone *zone)
{
	guint64 granules = 0;

	for (guint i = 0; i < zone->leaves->len; i++)
		granules += g_array_index(zone->leaves, Leaf, i).total;
	return zone->leaves->len > 0 && zone->leaves->len == zone->zone.colors &&
	       granules <= ZONE_MAX;
}

/* Two zones behind one cache would have the same colors twice. */
static gboolean makes_sense(Host *host)
{
	if (host->zones->len == 0 || host->zones->len > SCHED_ANSWER_ZONES)
		return FALSE;
	g_ptr_array_sort(host->zones, compare_zones);
	for (guint i = 0; i < host->zones->len; i++) {
		const Zone *zone = g_ptr_array_index(host->zones, i);

		if (!is_whole(zone))
			return FALSE;
		if (i > 0 &&
		    zone->zone.node ==
			    ((Zone *)g_ptr_array_index(host->zones, i - 1))->zone.node)
			return FALSE;
	}
	return TRUE;
}

static SchedModel *make_model(const Host *host)
{
	g_autoptr(GArray) zones = g_array_new(FALSE, FALSE, sizeof(SchedZone));

	for (guint i = 0; i < host->zones->len; i++) {
		Zone *zone = g_ptr_array_index(host->zones, i);

		g_free(zone->zone.total);
		zone->zone.total = g_new0(guint32, zone->zone.colors);
		for (guint k = 0; k < zone->leaves->len; k++) {
			const Leaf *leaf = &g_array_index(zone->leaves, Leaf, k);

			zone->zone.total[leaf->color] = leaf->total;
		}
		g_array_append_val(zones, zone->zone);
	}
	return sched_model_from_counts(host->uuid, zones, NULL);
}

static guint64 leaf_key(guint host, guint zone, guint32 color)
{
	return ((guint64)host * SCHED_ANSWER_ZONES + zone) * SCHED_ANSWER_COLORS + color;
}

static void fill_zone(SchedAnswer *answer, guint host, guint index, const Zone *zone)
{
	for (guint k = 0; k < zone->leaves->len; k++) {
		const Leaf *leaf = &g_array_index(zone->leaves, Leaf, k);

		g_hash_table_insert(
			answer->leaves,
			g_memdup2(&(guint64){leaf_key(host, index, leaf->color)},
				  sizeof(guint64)),
			g_strdup(leaf->uuid));
		if (leaf->owner == SCHED_NOBODY)
			continue;
		sched_fleet_own(answer->fleet, host, index, leaf->owner, leaf->color);
		if (leaf->used > 0)
			sched_fleet_hold(answer->fleet, host, index, leaf->owner,
					 &leaf->color, &leaf->used, 1);
	}
}

static gint compare_hosts(gconstpointer a, gconstpointer b)
{
	return strcmp((*(Host *const *)a)->uuid, (*(Host *const *)b)->uuid);
}

static SchedAnswer *make_answer(const Reading *reading)
{
	g_autoptr(SchedAnswer) answer = g_new0(SchedAnswer, 1);
	g_autoptr(GPtrArray) hosts = g_ptr_array_new();
	g_autoptr(GPtrArray) kept = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, reading->hosts);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(hosts, value);
	answer->fleet = sched_fleet_new();
	answer->roots = g_ptr_array_new_with_free_func(g_free);
	answer->leaves =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	g_ptr_array_sort(hosts, compare_hosts);
	for (guint i = 0; i < hosts->len; i++) {
		Host *host = g_ptr_array_index(hosts, i);
		SchedModel *model = makes_sense(host) ? make_model(host) : NULL;

		if (!model)
			continue;
		sched_fleet_add_model(answer->fleet, model);
		if (!sched_fleet_add_pool(answer->fleet, host->uuid, model, 1, NULL, NULL,
					  NULL))
			break;
		g_ptr_array_add(kept, host);
		g_ptr_array_add(answer->roots, g_strdup(host->uuid));
	}
	sched_fleet_ready(answer->fleet);
	for (guint i = 0; i < kept->len; i++) {
		const Host *host = g_ptr_array_index(kept, i);

		for (guint z = 0; z < host->zones->len; z++)
			fill_zone(answer, i, z, g_ptr_array_index(host->zones, z));
	}
	return kept->len > 0 ? g_steal_pointer(&answer) : NULL;
}

SchedAnswer *sched_answer_read(GPtrArray *answers, const char *class)
{
	g_autoptr(GHashTable)
		hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, host_free);
	g_autoptr(GHashTable)
		zones = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, zone_free);
	Reading reading = {class, hosts, zones};

	for (guint i = 0; i < answers->len; i++) {
		JsonObject *root = json_root(g_ptr_array_index(answers, i));
		JsonObject *summaries = sched_json_object(root, "provider_summaries");

		if (summaries)
			json_object_foreach_member(summaries, read_provider, &reading);
	}
	return make_answer(&reading);
}

void sched_answer_free(SchedAnswer *answer)
{
	if (!answer)
		return;
	g_clear_pointer(&answer->fleet, sched_fleet_free);
	g_clear_pointer(&answer->roots, g_ptr_array_unref);
	g_clear_pointer(&answer->leaves, g_hash_table_unref);
	g_free(answer);
}

const char *sched_answer_leaf(const SchedAnswer *answer, guint host, guint zone,
			      guint32 color)
{
	guint64 key = leaf_key(host, zone, color);

	return g_hash_table_lookup(answer->leaves, &key);
}

/* Others. */

gboolean sched_inventory_read(JsonNode *answer, SchedInventory *inventory)
{
	JsonObject *root = json_root(answer);
	JsonObject *classes = sched_json_object(root, "inventories");
	g_autoptr(GList) names = classes ? json_object_get_members(classes) : NULL;
	guint64 total;

	if (!names || names->next ||
	    !sched_json_count(root, "resource_provider_generation", G_MAXINT64,
			      &inventory->generation) ||
	    !sched_json_count(sched_json_object(classes, names->data), "total", COUNT_MAX,
			      &total))
		return FALSE;
	inventory->class = g_strdup(names->data);
	inventory->total = (guint32)total;
	return TRUE;
}

gboolean sched_inventory_has(JsonNode *answer, const char *class, gboolean *has,
			     guint64 *generation)
{
	JsonObject *root = json_root(answer);
	JsonObject *classes = sched_json_object(root, "inventories");

	*has = classes && json_object_has_member(classes, class);
	return classes && sched_json_count(root, "resource_provider_generation",
					   G_MAXINT64, generation);
}

gboolean sched_answer_has_candidates(JsonNode *answer)
{
	JsonArray *requests = json_array(json_root(answer), "allocation_requests");

	return requests && json_array_get_length(requests) > 0;
}

/* Class of what a consumer has of one provider. */
static char *read_class(JsonObject *allocations, const char *uuid)
{
	JsonObject *provider = sched_json_object(allocations, uuid);
	JsonObject *resources = sched_json_object(provider, "resources");
	g_autoptr(GList) classes = resources ? json_object_get_members(resources) : NULL;

	if (!classes || classes->next || !g_uuid_string_is_valid(uuid) ||
	    !(g_str_has_prefix(classes->data, SCHED_CLASS_TENANT) ||
	      g_str_has_prefix(classes->data, SCHED_CLASS_SPREAD)))
		return NULL;
	return g_strdup(classes->data);
}

GHashTable *sched_allocation_read(JsonNode *answer)
{
	JsonObject *allocations = sched_json_object(json_root(answer), "allocations");
	g_autoptr(GList) uuids = allocations ? json_object_get_members(allocations)
					     : NULL;
	g_autoptr(GHashTable)
		classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	if (!allocations)
		return NULL;
	for (GList *at = uuids; at; at = at->next) {
		char *class = read_class(allocations, at->data);

		if (!class)
			return NULL;
		g_hash_table_insert(classes, g_strdup(at->data), class);
	}
	return g_steal_pointer(&classes);
}

gboolean sched_usage_read(JsonNode *answer, const char *class, guint32 *used)
{
	JsonObject *usages = sched_json_object(json_root(answer), "usages");
	guint64 count = 0;

	if (!usages || (json_object_has_member(usages, class) &&
			!sched_json_count(usages, class, COUNT_MAX, &count)))
		return FALSE;
	*used = (guint32)count;
	return TRUE;
}

GPtrArray *sched_classes_read(JsonNode *answer)
{
	JsonArray *classes = json_array(json_root(answer), "resource_classes");
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (!classes)
		return NULL;
	for (guint i = 0; i < json_array_get_length(classes); i++) {
		JsonNode *node = json_array_get_element(classes, i);
		const char *name =
			JSON_NODE_HOLDS_OBJECT(node)
				? sched_json_text(json_node_get_object(node), "name")
				: NULL;

		if (!name)
			return NULL;
		g_ptr_array_add(names, g_strdup(name));
	}
	return g_steal_pointer(&names);
}

gboolean sched_project_read(JsonNode *answer, const char *class, guint64 *consumers,
			    guint64 *used)
{
	JsonObject *usages = sched_json_object(json_root(answer), "usages");
	g_autoptr(GList) types = usages ? json_object_get_members(usages) : NULL;

	*consumers = *used = 0;
	if (!usages)
		return FALSE;
	for (GList *at = types; at; at = at->next) {
		JsonObject *type = sched_json_object(usages, at->data);
		guint64 count, amount = 0;

		if (!sched_json_count(type, "consumer_count", COUNT_MAX, &count) ||
		    (json_object_has_member(type, class) &&
		     !sched_json_count(type, class, G_MAXINT32, &amount)))
			return FALSE;
		*consumers += count;
		*used += amount;
	}
	return TRUE;
}

gboolean sched_traits_read(JsonNode *answer, const char *prefix, guint64 *number)
{
	return find_number(json_array(json_root(answer), "traits"), prefix, G_MAXINT16,
			   number);
}

static const char *read_member(JsonObject *provider, const char *member)
{
	g_autofree char *name = g_strdup(member);
	gboolean optional = g_str_has_suffix(member, "?");
	JsonNode *node;

	if (optional)
		name[strlen(name) - 1] = '\0';
	node = member_of(provider, name);
	if (optional && node && JSON_NODE_HOLDS_NULL(node))
		return "";
	return g_str_has_suffix(name, "uuid") ? json_uuid(provider, name)
					      : sched_json_text(provider, name);
}

GPtrArray *sched_providers_read(JsonNode *answer, const char *member)
{
	JsonArray *providers = json_array(json_root(answer), "resource_providers");
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

	if (!providers)
		return NULL;
	for (guint i = 0; i < json_array_get_length(providers); i++) {
		JsonNode *node = json_array_get_element(providers, i);
		JsonObject *provider =
			JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
		const char *text = read_member(provider, member);

		if (!text)
			return NULL;
		g_ptr_array_add(texts, g_strdup(text));
	}
	return g_steal_pointer(&texts);
}
