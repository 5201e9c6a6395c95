// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is asked of Placement, and in which order. Looking costs one request a host;
 * claiming one to read and one to write for each new color; then one for the guest. In
 * between anybody may have been faster: then what was claimed is given back, and it
 * begins again.
 */
#include "placement.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "answers.h"
#include "core/owner.h"
#include "names.h"

#define HTTP_OK 200u
#define HTTP_CREATED 201u
#define HTTP_NO_CONTENT 204u
#define HTTP_BAD_REQUEST 400u
#define HTTP_NOT_FOUND 404u
#define HTTP_CONFLICT 409u
/* Hosts that are looked at together, and how many of the tenant's own at most. */
#define BATCH 8u
#define OWN_BATCH 24u
/* How often others may be faster. */
#define RACES 32u
#define RACE_PAUSE_MS 20

struct SchedEngine {
	SchedHttp *http;
	char *url;
};

SchedEngine *sched_engine_open(const SchedHttpOptions *options, GError **error)
{
	g_autoptr(SchedHttp) http = sched_http_new(options, error);
	SchedEngine *engine;

	if (!http)
		return NULL;
	engine = g_new0(SchedEngine, 1);
	engine->http = g_steal_pointer(&http);
	engine->url = g_strdup(options->url);
	return engine;
}

void sched_engine_free(SchedEngine *engine)
{
	if (!engine)
		return;
	sched_http_free(engine->http);
	g_free(engine->url);
	g_free(engine);
}

guint64 sched_engine_requests(const SchedEngine *engine)
{
	return sched_http_requests(engine->http);
}

static void grant_part_clear(gpointer part)
{
	g_array_unref(((SchedGrantPart *)part)->colors);
}

void sched_grant_free(SchedGrant *grant)
{
	if (!grant)
		return;
	g_free(grant->host);
	g_array_unref(grant->parts);
	g_free(grant);
}

void sched_engine_color_free(SchedEngineColor *color)
{
	g_free(color->tenant);
	g_free(color);
}

void sched_engine_tenant_free(SchedEngineTenant *tenant)
{
	g_free(tenant->name);
	g_free(tenant);
}

/* Requests. */

static gboolean refuse_answer(const SchedEngine *engine, const char *what, guint status,
			      GError **error)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "%s: what it answers (%u) to %s makes no sense", engine->url, status,
		    what);
	return FALSE;
}

/* Returns: the status; 0 on failure. @answer: (nullable): when it does not matter. */
static guint G_GNUC_PRINTF(6, 7)
	call(SchedEngine *engine, const char *method, JsonNode *body, JsonNode **answer,
	     GError **error, const char *format, ...)
{
	g_autoptr(JsonNode) ignored = NULL;
	g_autofree char *path = NULL;
	va_list arguments;

	va_start(arguments, format);
	path = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	return sched_http_call(engine->http, method, path, body,
			       answer ? answer : &ignored, error);
}

/* The same for what is to succeed. */
static gboolean G_GNUC_PRINTF(5, 6)
	must(SchedEngine *engine, const char *method, JsonNode *body, GError **error,
	     const char *format, ...)
{
	g_autoptr(JsonNode) answer = NULL;
	g_autofree char *path = NULL;
	va_list arguments;
	guint status;

	va_start(arguments, format);
	path = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	status = sched_http_call(engine->http, method, path, body, &answer, error);
	if (status >= 200 && status < 300)
		return TRUE;
	return status > 0 && refuse_answer(engine, path, status, error);
}

static JsonNode *G_GNUC_PRINTF(1, 2) body_of(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;
	JsonNode *node;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	node = sched_json_parse(text, strlen(text));
	g_assert(node);
	return node;
}

/* Registration. Names of hosts, traits and classes need no escapes in JSON. */

static gboolean add_trait(SchedEngine *engine, const char *trait, GError **error)
{
	return must(engine, "PUT", NULL, error, "/traits/%s", trait);
}

static gboolean add_provider(SchedEngine *engine, const char *name, const char *uuid,
			     const char *parent, gboolean *new, GError **error)
{
	g_autoptr(JsonNode)
		body = parent ? body_of("{\"name\":\"%s\",\"uuid\":\"%s\","
					"\"parent_provider_uuid\":\"%s\"}",
					name, uuid, parent)
			      : body_of("{\"name\":\"%s\",\"uuid\":\"%s\"}", name, uuid);
	guint status = call(engine, "POST", body, NULL, error, "/resource_providers");

	*new = status != HTTP_CONFLICT;
	if (status == HTTP_CONFLICT || (status >= 200 && status < 300))
		return TRUE;
	return status > 0 && refuse_answer(engine, name, status, error);
}

/* Gives a provider that is new its traits: generation 0. */
static gboolean set_traits(SchedEngine *engine, const char *uuid, GPtrArray *traits,
			   guint generation, GError **error)
{
	g_autoptr(GString) list = g_string_new(NULL);
	g_autoptr(JsonNode) body = NULL;

	for (guint i = 0; i < traits->len; i++) {
		const char *trait = g_ptr_array_index(traits, i);

		if (!add_trait(engine, trait, error))
			return FALSE;
		g_string_append_printf(list, "%s\"%s\"", i ? "," : "", trait);
	}
	body = body_of("{\"resource_provider_generation\":%u,\"traits\":[%s]}",
		       generation, list->str);
	return must(engine, "PUT", body, error, "/resource_providers/%s/traits", uuid);
}

static void add_name(GPtrArray *traits, const char *prefix, guint64 number)
{
	g_ptr_array_add(traits, g_strdup_printf("%s%" G_GUINT64_FORMAT, prefix, number));
}

static gboolean register_color(SchedEngine *engine, const char *host, guint zone,
			       guint32 color, guint32 total, GError **error)
{
	g_autofree char *uuid = sched_provider_uuid(host, (gint)zone, color);
	g_autofree char *parent = sched_provider_uuid(host, (gint)zone, -1);
	g_autofree char *name = g_strdup_printf("%s/%u/%u", host, zone, color);
	g_autoptr(GPtrArray) traits = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(JsonNode) body = NULL;
	gboolean new;

	if (!add_provider(engine, name, uuid, parent, &new, error))
		return FALSE;
	if (!new)
		return TRUE;
	add_name(traits, SCHED_TRAIT_COLOR, color);
	if (!set_traits(engine, uuid, traits, 0, error))
		return FALSE;
	body = body_of("{\"resource_provider_generation\":1,\"inventories\":"
		       "{\"" SCHED_CLASS "\":{\"total\":%u,\"max_unit\":%u}}}",
		       total, total);
	return must(engine, "PUT", body, error, "/resource_providers/%s/inventories",
		    uuid);
}

static gboolean register_zone(SchedEngine *engine, const char *host, guint index,
			      const SchedZone *zone, GError **error)
{
	g_autofree char *uuid = sched_provider_uuid(host, (gint)index, -1);
	g_autofree char *parent = sched_provider_uuid(host, -1, -1);
	g_autofree char *name = g_strdup_printf("%s/%u", host, index);
	g_autoptr(GPtrArray) traits = g_ptr_array_new_with_free_func(g_free);
	gboolean new;

	if (!add_provider(engine, name, uuid, parent, &new, error))
		return FALSE;
	add_name(traits, SCHED_TRAIT_NODE, (guint64)zone->node);
	add_name(traits, SCHED_TRAIT_REGION, zone->region);
	add_name(traits, SCHED_TRAIT_GRANULE, zone->granule >> 20);
	add_name(traits, SCHED_TRAIT_SLICE, zone->slice >> 20);
	if (new && !set_traits(engine, uuid, traits, 0, error))
		return FALSE;
	for (guint32 color = 0; color < zone->colors; color++) {
		if (!register_color(engine, host, index, color, zone->total[color],
				    error))
			return FALSE;
	}
	return TRUE;
}

static gboolean set_aggregates(SchedEngine *engine, const char *uuid, char **aggregates,
			       GError **error)
{
	g_autoptr(GString) list = g_string_new(NULL);
	g_autoptr(JsonNode) body = NULL;

	for (guint i = 0; aggregates[i]; i++) {
		g_autofree char *aggregate = sched_aggregate_uuid(aggregates[i]);

		g_string_append_printf(list, "%s\"%s\"", i ? "," : "", aggregate);
	}
	body = body_of("{\"resource_provider_generation\":0,\"aggregates\":[%s]}",
		       list->str);
	return must(engine, "PUT", body, error, "/resource_providers/%s/aggregates",
		    uuid);
}

static gboolean register_root(SchedEngine *engine, const char *host,
			      const SchedPool *pool, GError **error)
{
	g_autofree char *uuid = sched_provider_uuid(host, -1, -1);
	g_autoptr(GPtrArray) traits = g_ptr_array_new_with_free_func(g_free);
	gboolean new;

	if (!add_provider(engine, host, uuid, NULL, &new, error))
		return FALSE;
	g_ptr_array_add(traits, g_strdup(SCHED_TRAIT_HOST));
	for (guint i = 0; pool->traits[i]; i++)
		g_ptr_array_add(traits, g_strdup(pool->traits[i]));
	return !new || (set_aggregates(engine, uuid, pool->aggregates, error) &&
			set_traits(engine, uuid, traits, 1, error));
}

gboolean sched_engine_register(SchedEngine *engine, const SchedFleet *fleet, guint host,
			       GError **error)
{
	const SchedPool *pool = sched_fleet_pool(fleet, host);
	g_autofree char *name = sched_fleet_host_name(fleet, host);

	if (pool->model->zones->len > pool->model->domains) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_UNSUPPORTED,
			    "%s has several regions behind one cache, which the engine "
			    "cannot tell apart",
			    name);
		return FALSE;
	}
	if (!must(engine, "PUT", NULL, error, "/resource_classes/" SCHED_CLASS) ||
	    !register_root(engine, name, pool, error))
		return FALSE;
	for (guint i = 0; i < pool->model->zones->len; i++) {
		if (!register_zone(engine, name, i, sched_model_zone(pool->model, i),
				   error))
			return FALSE;
	}
	return TRUE;
}

/* Looking. */

static GPtrArray *G_GNUC_PRINTF(4, 5)
	list_providers(SchedEngine *engine, const char *member, GError **error,
		       const char *format, ...)
{
	g_autoptr(JsonNode) answer = NULL;
	g_autofree char *query = NULL;
	GPtrArray *texts = NULL;
	va_list arguments;
	guint status;

	va_start(arguments, format);
	query = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	status = call(engine, "GET", NULL, &answer, error, "/resource_providers?%s",
		      query);
	if (status == HTTP_OK)
		texts = sched_providers_read(answer, member);
	/* Nobody has a trait or a class that does not exist. */
	if (status == HTTP_BAD_REQUEST)
		texts = g_ptr_array_new();
	if (!texts && status > 0)
		refuse_answer(engine, "a list of hosts", status, error);
	return texts;
}

static gint compare_texts(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Hosts that @want allows, from one that depends on the tenant on, so that tenants do not
 * all begin at the same. */
static GPtrArray *list_hosts(SchedEngine *engine, const SchedWant *want, GError **error)
{
	g_autoptr(GString) query = g_string_new("required=" SCHED_TRAIT_HOST);
	g_autoptr(GPtrArray) hosts = NULL;
	GPtrArray *turned;
	guint first;

	for (guint i = 0; want->traits && want->traits[i]; i++)
		g_string_append_printf(query, ",%s", want->traits[i]);
	for (guint i = 0; want->aggregates && want->aggregates[i]; i++) {
		g_autofree char *aggregate = sched_aggregate_uuid(want->aggregates[i]);

		g_string_append_printf(query, "&member_of=%s", aggregate);
	}
	hosts = list_providers(engine, "uuid", error, "%s", query->str);
	if (!hosts)
		return NULL;
	g_ptr_array_sort(hosts, compare_texts);
	turned = g_ptr_array_new_with_free_func(g_free);
	first = hosts->len ? g_str_hash(want->request->tenant) % hosts->len : 0;
	for (guint i = 0; i < hosts->len; i++)
		g_ptr_array_add(turned, g_strdup(g_ptr_array_index(
						hosts, (first + i) % hosts->len)));
	return turned;
}

/* Reads a host with all of its colors, which the engine gives only to those who ask for
 * something that the host has. Adds nothing where the tenant finds nothing. */
static gboolean read_host(SchedEngine *engine, const char *root, const char *class,
			  GPtrArray *answers, GError **error)
{
	const char *const classes[] = {SCHED_CLASS, class};

	for (gsize i = 0; i < G_N_ELEMENTS(classes); i++) {
		JsonNode *answer = NULL;
		guint status = call(engine, "GET", NULL, &answer, error,
				    "/allocation_candidates?in_tree=%s&resources=%s:1"
				    "&limit=1",
				    root, classes[i]);
		gboolean found;

		if (status == 0)
			return FALSE;
		/* A class that another client of the tenant has just deleted. */
		if (status != HTTP_OK && status != HTTP_BAD_REQUEST)
			return refuse_answer(engine, "a look at a host", status, error);
		found = status == HTTP_OK && sched_answer_has_candidates(answer);
		if (found)
			g_ptr_array_add(answers, answer);
		else
			g_clear_pointer(&answer, json_node_unref);
		if (found)
			break;
	}
	return TRUE;
}

/* Claims. */

typedef enum {
	OUTCOME_DONE,
	OUTCOME_LOST, /* somebody was faster */
	OUTCOME_ERROR,
} Outcome;

static gboolean get_inventory(SchedEngine *engine, const char *leaf,
			      SchedInventory *inventory, GError **error)
{
	g_autoptr(JsonNode) answer = NULL;
	guint status = call(engine, "GET", NULL, &answer, error,
			    "/resource_providers/%s/inventories", leaf);

	if (status == 0)
		return FALSE;
	if (status == HTTP_OK && sched_inventory_read(answer, inventory))
		return TRUE;
	return refuse_answer(engine, "a color's inventory", status, error);
}

/* Changes the class of a color from @from to @to. */
static Outcome change_owner(SchedEngine *engine, const char *leaf, const char *from,
			    const char *to, GError **error)
{
	g_auto(SchedInventory) inventory = {0};
	g_autoptr(JsonNode) body = NULL;
	guint status;

	if (!get_inventory(engine, leaf, &inventory, error))
		return OUTCOME_ERROR;
	if (strcmp(inventory.class, from) != 0)
		return OUTCOME_LOST;
	body = body_of("{\"resource_provider_generation\":%" G_GUINT64_FORMAT
		       ",\"inventories\":{\"%s\":{\"total\":%u,\"max_unit\":%u}}}",
		       inventory.generation, to, inventory.total, inventory.total);
	status = call(engine, "PUT", body, NULL, error,
		      "/resource_providers/%s/inventories", leaf);
	if (status == HTTP_OK)
		return OUTCOME_DONE;
	if (status == HTTP_CONFLICT || status == HTTP_BAD_REQUEST)
		return OUTCOME_LOST;
	if (status > 0)
		refuse_answer(engine, "a claim", status, error);
	return OUTCOME_ERROR;
}

/**
 * Claim: one guest on its way.
 * @want: as it was asked for
 * @choice: the same for sched_choose(): the engine answers for aggregates and traits
 * @spread: (nullable): class of its spread group
 * @claimed: (element-type utf8): colors that were nobody's
 */
typedef struct {
	SchedEngine *engine;
	const SchedWant *want;
	SchedWant choice;
	char *class;
	char *spread;
	SchedAnswer *answer;
	SchedPlacement placement;
	GPtrArray *claimed;
} Claim;

static const char *claim_root(const Claim *claim)
{
	return g_ptr_array_index(claim->answer->roots, claim->placement.host);
}

/* Whether no guest of the group is on the host. */
static gboolean is_spread(const Claim *claim, const char *root, gboolean *alone,
			  GError **error)
{
	g_autoptr(JsonNode) answer = NULL;
	guint32 used = 0;
	guint status;

	*alone = TRUE;
	if (!claim->spread)
		return TRUE;
	status = call(claim->engine, "GET", NULL, &answer, error,
		      "/resource_providers/%s/usages", root);
	if (status == 0)
		return FALSE;
	if (status != HTTP_OK || !sched_usage_read(answer, claim->spread, &used))
		return refuse_answer(claim->engine, "a look at a host", status, error);
	*alone = used == 0;
	return TRUE;
}

/* The host has one of the group's class from now on. */
static Outcome offer_spread(Claim *claim, GError **error)
{
	const char *root = claim_root(claim);
	g_autoptr(JsonNode) answer = NULL;
	g_autoptr(JsonNode) body = NULL;
	guint64 generation;
	gboolean has;
	guint status = call(claim->engine, "GET", NULL, &answer, error,
			    "/resource_providers/%s/inventories", root);

	if (status == 0)
		return OUTCOME_ERROR;
	if (status != HTTP_OK ||
	    !sched_inventory_has(answer, claim->spread, &has, &generation)) {
		refuse_answer(claim->engine, "a host's inventories", status, error);
		return OUTCOME_ERROR;
	}
	if (has)
		return OUTCOME_DONE;
	body = body_of("{\"resource_class\":\"%s\",\"total\":1,"
		       "\"resource_provider_generation\":%" G_GUINT64_FORMAT "}",
		       claim->spread, generation);
	status = call(claim->engine, "POST", body, NULL, error,
		      "/resource_providers/%s/inventories", root);
	if (status == HTTP_CREATED)
		return OUTCOME_DONE;
	if (status == HTTP_CONFLICT)
		return OUTCOME_LOST;
	if (status > 0)
		refuse_answer(claim->engine, "a place in a group", status, error);
	return OUTCOME_ERROR;
}

/* Unless a guest has taken it, which the engine knows. */
static void withdraw_spread(SchedEngine *engine, const char *root, const char *class)
{
	call(engine, "DELETE", NULL, NULL, NULL, "/resource_providers/%s/inventories/%s",
	     root, class);
}

/* What cannot be given back stays the tenant's, until its next guest, or the next that
 * leaves. */
static void give_back(Claim *claim)
{
	for (guint i = 0; i < claim->claimed->len; i++)
		change_owner(claim->engine, g_ptr_array_index(claim->claimed, i),
			     claim->class, SCHED_CLASS, NULL);
	g_ptr_array_set_size(claim->claimed, 0);
	if (claim->spread)
		withdraw_spread(claim->engine, claim_root(claim), claim->spread);
}

static Outcome claim_part(Claim *claim, const SchedPart *part, GError **error)
{
	const guint32 *owner = sched_host_owners(claim->answer->fleet,
						 claim->placement.host, part->zone);

	for (guint32 i = 0; i < part->choice.n; i++) {
		guint32 color = part->choice.color[i];
		const char *leaf = sched_answer_leaf(claim->answer, claim->placement.host,
						     part->zone, color);
		Outcome outcome;

		if (owner[color] != SCHED_NOBODY ||
		    g_ptr_array_find_with_equal_func(claim->claimed, leaf, g_str_equal,
						     NULL))
			continue;
		outcome = change_owner(claim->engine, leaf, SCHED_CLASS, claim->class,
				       error);
		if (outcome != OUTCOME_DONE)
			return outcome;
		g_ptr_array_add(claim->claimed, g_strdup(leaf));
	}
	return OUTCOME_DONE;
}

/* Granules of each color, of all cells together. */
static GHashTable *sum_up(const Claim *claim)
{
	GHashTable *sums = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < claim->placement.parts->len; i++) {
		const SchedPart *part = sched_placement_part(&claim->placement, i);

		for (guint32 k = 0; k < part->choice.n; k++) {
			const char *leaf =
				sched_answer_leaf(claim->answer, claim->placement.host,
						  part->zone, part->choice.color[k]);
			guint sum = GPOINTER_TO_UINT(g_hash_table_lookup(sums, leaf));

			g_hash_table_insert(sums, (char *)leaf,
					    GUINT_TO_POINTER(sum + part->choice.used[k]));
		}
	}
	return sums;
}

static JsonNode *allocation_body(const Claim *claim)
{
	const DaxcRequest *request = claim->want->request;
	g_autoptr(GHashTable) sums = sum_up(claim);
	g_autofree char *owner = daxc_owner_uuid(request->tenant);
	g_autoptr(GString) list = g_string_new(NULL);
	gpointer leaf, sum;
	GHashTableIter iter;

	g_hash_table_iter_init(&iter, sums);
	while (g_hash_table_iter_next(&iter, &leaf, &sum))
		g_string_append_printf(list, "%s\"%s\":{\"resources\":{\"%s\":%u}}",
				       list->len ? "," : "", (char *)leaf, claim->class,
				       GPOINTER_TO_UINT(sum));
	if (claim->spread)
		g_string_append_printf(list, ",\"%s\":{\"resources\":{\"%s\":1}}",
				       claim_root(claim), claim->spread);
	return body_of("{\"allocations\":{%s},\"consumer_generation\":null,"
		       "\"consumer_type\":\"INSTANCE\",\"project_id\":\"%s\","
		       "\"user_id\":\"%s\"}",
		       list->str, owner, owner);
}

/* Returns: (transfer full) (nullable): what a guest has: class by color. NULL on
 * failure. */
static GHashTable *read_allocation(SchedEngine *engine, const char *uuid, GError **error)
{
	g_autoptr(JsonNode) answer = NULL;
	guint status = call(engine, "GET", NULL, &answer, error, "/allocations/%s", uuid);
	GHashTable *allocation = NULL;

	if (status == HTTP_OK)
		allocation = sched_allocation_read(answer);
	if (!allocation && status > 0)
		refuse_answer(engine, "what a guest has", status, error);
	return allocation;
}

static Outcome allocate(Claim *claim, GError **error)
{
	const char *uuid = claim->want->request->uuid;
	g_autoptr(JsonNode) body = allocation_body(claim);
	g_autoptr(GHashTable) allocation = NULL;
	guint status =
		call(claim->engine, "PUT", body, NULL, error, "/allocations/%s", uuid);

	if (status == HTTP_NO_CONTENT)
		return OUTCOME_DONE;
	if (status != HTTP_CONFLICT && status != HTTP_BAD_REQUEST) {
		if (status > 0)
			refuse_answer(claim->engine, "an allocation", status, error);
		return OUTCOME_ERROR;
	}
	/* It may have been made by a request whose answer was lost. */
	allocation = read_allocation(claim->engine, uuid, error);
	if (!allocation)
		return OUTCOME_ERROR;
	return g_hash_table_size(allocation) > 0 ? OUTCOME_DONE : OUTCOME_LOST;
}

static Outcome claim_all(Claim *claim, GError **error)
{
	Outcome outcome = claim->spread ? offer_spread(claim, error) : OUTCOME_DONE;

	for (guint i = 0; outcome == OUTCOME_DONE && i < claim->placement.parts->len; i++)
		outcome = claim_part(claim, sched_placement_part(&claim->placement, i),
				     error);
	if (outcome == OUTCOME_DONE)
		outcome = allocate(claim, error);
	if (outcome != OUTCOME_DONE)
		give_back(claim);
	return outcome;
}

/* Placing. */

/* Looks at hosts, some at a time, until one has a place. Hosts on which the tenant has
 * room in colors of its own are among the first. */
static Outcome find_place(Claim *claim, GPtrArray *hosts, guint first_batch,
			  GError **error)
{
	g_autoptr(GPtrArray)
		answers = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
	guint end = first_batch;

	for (guint at = 0; at < hosts->len; at = end, end += BATCH) {
		for (guint i = at; i < MIN(end, hosts->len); i++) {
			const char *root = g_ptr_array_index(hosts, i);
			gboolean alone;

			if (!is_spread(claim, root, &alone, error) ||
			    (alone && !read_host(claim->engine, root, claim->class,
						 answers, error)))
				return OUTCOME_ERROR;
		}
		g_clear_pointer(&claim->answer, sched_answer_free);
		claim->answer = sched_answer_read(answers, claim->class);
		if (claim->answer &&
		    sched_choose(claim->answer->fleet, &claim->choice, &claim->placement))
			return OUTCOME_DONE;
		g_ptr_array_set_size(answers, 0);
	}
	return OUTCOME_LOST;
}

/* The tenant's hosts first, those that are allowed; then the others. */
static GPtrArray *order_hosts(SchedEngine *engine, const Claim *claim, guint *first_batch,
			      GError **error)
{
	g_autoptr(GPtrArray) all = list_hosts(engine, claim->want, error);
	g_autoptr(GPtrArray) own = NULL;
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) allowed = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *hosts;

	if (!all)
		return NULL;
	own = list_providers(engine, "root_provider_uuid", error, "resources=%s:1",
			     claim->class);
	if (!own)
		return NULL;
	for (guint i = 0; i < all->len; i++)
		g_hash_table_add(allowed, g_ptr_array_index(all, i));
	hosts = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < own->len; i++) {
		char *root = g_ptr_array_index(own, i);

		if (g_hash_table_contains(allowed, root) && g_hash_table_add(seen, root))
			g_ptr_array_add(hosts, g_strdup(root));
	}
	*first_batch = MIN(hosts->len, OWN_BATCH) + BATCH;
	for (guint i = 0; i < all->len; i++) {
		if (!g_hash_table_contains(seen, g_ptr_array_index(all, i)))
			g_ptr_array_add(hosts, g_strdup(g_ptr_array_index(all, i)));
	}
	return hosts;
}

static void refuse_place(const Claim *claim, guint hosts, GError **error)
{
	const SchedWant *want = claim->want;
	g_autofree char *size = daxc_size_format(daxc_request_size(want->request));

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "none of %u hosts%s has a place for %s%s now", hosts,
		    want->aggregates || want->traits ? " with these aggregates and traits"
						     : "",
		    size, claim->spread ? " apart from the others of its group" : "");
}

/* One attempt, from the first look on. */
static Outcome try_to_place(Claim *claim, GError **error)
{
	g_autoptr(GPtrArray) hosts = NULL;
	guint first_batch = 0;
	Outcome outcome;

	if (!must(claim->engine, "PUT", NULL, error, "/resource_classes/%s",
		  claim->class) ||
	    (claim->spread && !must(claim->engine, "PUT", NULL, error,
				    "/resource_classes/%s", claim->spread)))
		return OUTCOME_ERROR;
	hosts = order_hosts(claim->engine, claim, &first_batch, error);
	if (!hosts)
		return OUTCOME_ERROR;
	outcome = find_place(claim, hosts, first_batch, error);
	if (outcome == OUTCOME_LOST) {
		refuse_place(claim, hosts->len, error);
		return OUTCOME_ERROR;
	}
	return outcome == OUTCOME_DONE ? claim_all(claim, error) : outcome;
}

/* The guest has its place by now, so that this does not fail any more. */
static SchedGrant *make_grant(const Claim *claim)
{
	const char *root = claim_root(claim);
	const SchedModel *model =
		sched_fleet_model(claim->answer->fleet, claim->placement.host);
	g_autoptr(GPtrArray)
		names = list_providers(claim->engine, "name", NULL, "uuid=%s", root);
	SchedGrant *grant = g_new0(SchedGrant, 1);

	grant->host = g_strdup(names && names->len ? g_ptr_array_index(names, 0) : root);
	grant->parts = g_array_new(FALSE, FALSE, sizeof(SchedGrantPart));
	g_array_set_clear_func(grant->parts, grant_part_clear);
	for (guint i = 0; i < claim->placement.parts->len; i++) {
		const SchedPart *part = sched_placement_part(&claim->placement, i);
		const SchedZone *zone = sched_model_zone(model, part->zone);
		SchedGrantPart *granted;

		g_array_set_size(grant->parts, i + 1);
		granted = &g_array_index(grant->parts, SchedGrantPart, i);
		granted->node = zone->node;
		granted->region = zone->region;
		granted->colors = g_array_new(FALSE, FALSE, sizeof(guint32));
		g_array_append_vals(granted->colors, part->choice.color, part->choice.n);
	}
	return grant;
}

static void claim_clear(Claim *claim)
{
	g_clear_pointer(&claim->answer, sched_answer_free);
	sched_placement_clear(&claim->placement);
	g_free(claim->class);
	g_free(claim->spread);
	g_ptr_array_unref(claim->claimed);
}

static Outcome race(Claim *claim, GError **error)
{
	Outcome outcome = OUTCOME_LOST;

	for (guint try = 0; outcome == OUTCOME_LOST && try < RACES; try++) {
		if (try > 0)
			g_usleep(1000 *
				 (gulong)g_random_int_range(
					 0, (gint32)(RACE_PAUSE_MS * MIN(try, 16))));
		sched_placement_clear(&claim->placement);
		outcome = try_to_place(claim, error);
	}
	if (outcome == OUTCOME_LOST)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
			    "others were faster %u times: try again", RACES);
	return outcome;
}

SchedGrant *sched_engine_place(SchedEngine *engine, const SchedWant *want,
			       const char *group, GError **error)
{
	g_autoptr(GHashTable) allocation = NULL;
	SchedGrant *grant = NULL;
	Claim claim = {.engine = engine, .want = want};

	if (!daxc_request_check(want->request, error))
		return NULL;
	allocation = read_allocation(engine, want->request->uuid, error);
	if (!allocation)
		return NULL;
	if (g_hash_table_size(allocation) > 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
			    "%s has a place already: release it first",
			    want->request->uuid);
		return NULL;
	}
	claim.choice = (SchedWant){
		.request = want->request,
		.tenant = SCHED_ASKER,
		.cache = want->cache,
	};
	claim.class = sched_engine_class(want->request->tenant);
	claim.spread = group ? sched_spread_class(want->request->tenant, group) : NULL;
	claim.claimed = g_ptr_array_new_with_free_func(g_free);
	if (race(&claim, error) == OUTCOME_DONE)
		grant = make_grant(&claim);
	claim_clear(&claim);
	return grant;
}

/* Releasing. */

gboolean sched_engine_release(SchedEngine *engine, const char *uuid, GError **error)
{
	g_autoptr(GHashTable) allocation = read_allocation(engine, uuid, error);
	gpointer leaf, class;
	GHashTableIter iter;

	if (!allocation)
		return FALSE;
	if (g_hash_table_size(allocation) == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "the engine knows of nothing that %s has", uuid);
		return FALSE;
	}
	if (!must(engine, "DELETE", NULL, error, "/allocations/%s", uuid))
		return FALSE;
	g_hash_table_iter_init(&iter, allocation);
	while (g_hash_table_iter_next(&iter, &leaf, &class)) {
		if (g_str_has_prefix(class, SCHED_CLASS_SPREAD)) {
			withdraw_spread(engine, leaf, class);
			continue;
		}
		/* Lost: there are granules of it that others of the tenant have. */
		if (change_owner(engine, leaf, class, SCHED_CLASS, error) ==
		    OUTCOME_ERROR)
			return FALSE;
	}
	return TRUE;
}

/* Showing. */

GPtrArray *sched_engine_hosts(SchedEngine *engine, GError **error)
{
	GPtrArray *names =
		list_providers(engine, "name", error, "required=" SCHED_TRAIT_HOST);

	if (names)
		g_ptr_array_sort(names, compare_texts);
	return names;
}

static char *find_root(SchedEngine *engine, const char *host, GError **error)
{
	g_autofree char *name = g_uri_escape_string(host, NULL, FALSE);
	g_autoptr(GPtrArray) uuids = list_providers(
		engine, "uuid", error, "required=" SCHED_TRAIT_HOST "&name=%s", name);

	if (uuids && uuids->len == 1)
		return g_strdup(g_ptr_array_index(uuids, 0));
	if (uuids)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "the engine knows of no host %s", host);
	return NULL;
}

static SchedEngineColor *read_color(SchedEngine *engine, const char *leaf, guint64 number,
				    GError **error)
{
	g_auto(SchedInventory) inventory = {0};
	g_autoptr(JsonNode) answer = NULL;
	SchedEngineColor *color;
	guint32 used;
	guint status;

	if (!get_inventory(engine, leaf, &inventory, error))
		return NULL;
	status = call(engine, "GET", NULL, &answer, error,
		      "/resource_providers/%s/usages", leaf);
	if (status == 0)
		return NULL;
	if (!sched_usage_read(answer, inventory.class, &used)) {
		refuse_answer(engine, "a color's usage", status, error);
		return NULL;
	}
	color = g_new0(SchedEngineColor, 1);
	color->color = (guint32)number;
	color->total = inventory.total;
	color->used = used;
	color->tenant = sched_engine_tenant(inventory.class);
	return color;
}

/* Reads the number behind @trait of a provider; FALSE when it has none. */
static gboolean read_trait(SchedEngine *engine, const char *provider, const char *trait,
			   guint64 *number, GError **error)
{
	g_autoptr(JsonNode) answer = NULL;
	guint status = call(engine, "GET", NULL, &answer, error,
			    "/resource_providers/%s/traits", provider);

	return status == HTTP_OK && sched_traits_read(answer, trait, number);
}

static gint compare_engine_colors(gconstpointer a, gconstpointer b)
{
	const SchedEngineColor *one = *(SchedEngineColor *const *)a;
	const SchedEngineColor *other = *(SchedEngineColor *const *)b;

	if (one->node != other->node)
		return one->node < other->node ? -1 : 1;
	return (one->color > other->color) - (one->color < other->color);
}

/* Adds the color that @leaf is, if it is one. */
static gboolean add_color(SchedEngine *engine, const char *leaf, const char *parent,
			  GHashTable *nodes, GPtrArray *colors, GError **error)
{
	gpointer known;
	guint64 number, node;
	SchedEngineColor *color;

	if (!read_trait(engine, leaf, SCHED_TRAIT_COLOR, &number, error))
		return !*error;
	if (!g_hash_table_lookup_extended(nodes, parent, NULL, &known)) {
		if (!read_trait(engine, parent, SCHED_TRAIT_NODE, &node, error))
			return !*error;
		known = GUINT_TO_POINTER(node);
		g_hash_table_insert(nodes, g_strdup(parent), known);
	}
	color = read_color(engine, leaf, number, error);
	if (!color)
		return FALSE;
	color->node = (gint)GPOINTER_TO_UINT(known);
	g_ptr_array_add(colors, color);
	return TRUE;
}

GPtrArray *sched_engine_colors(SchedEngine *engine, const char *host, GError **error)
{
	g_autofree char *root = find_root(engine, host, error);
	g_autoptr(GPtrArray) colors =
		g_ptr_array_new_with_free_func((GDestroyNotify)sched_engine_color_free);
	g_autoptr(GHashTable)
		nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(JsonNode) answer = NULL;
	g_autoptr(GPtrArray) leaves = NULL;
	g_autoptr(GPtrArray) parents = NULL;
	GError *cause = NULL;
	guint status;

	if (!root)
		return NULL;
	status = call(engine, "GET", NULL, &answer, error,
		      "/resource_providers?in_tree=%s", root);
	if (status == 0)
		return NULL;
	leaves = sched_providers_read(answer, "uuid");
	parents = sched_providers_read(answer, "parent_provider_uuid?");
	if (!leaves || !parents) {
		refuse_answer(engine, "a host", status, error);
		return NULL;
	}
	for (guint i = 0; i < leaves->len; i++) {
		const char *parent = g_ptr_array_index(parents, i);

		if (*parent != '\0' && !add_color(engine, g_ptr_array_index(leaves, i),
						  parent, nodes, colors, &cause)) {
			g_propagate_error(error, cause);
			return NULL;
		}
	}
	g_ptr_array_sort(colors, compare_engine_colors);
	return g_steal_pointer(&colors);
}

static SchedEngineTenant *read_tenant(SchedEngine *engine, const char *name,
				      const char *class, GError **error)
{
	g_autofree char *project = daxc_owner_uuid(name);
	g_autoptr(JsonNode) answer = NULL;
	SchedEngineTenant *tenant;
	guint64 guests, granules;
	guint status = call(engine, "GET", NULL, &answer, error, "/usages?project_id=%s",
			    project);

	if (status == 0)
		return NULL;
	if (status != HTTP_OK || !sched_project_read(answer, class, &guests, &granules)) {
		refuse_answer(engine, "what a tenant has", status, error);
		return NULL;
	}
	tenant = g_new0(SchedEngineTenant, 1);
	tenant->name = g_strdup(name);
	tenant->guests = guests;
	tenant->granules = granules;
	return tenant;
}

static gint compare_tenants(gconstpointer a, gconstpointer b)
{
	return strcmp((*(SchedEngineTenant *const *)a)->name,
		      (*(SchedEngineTenant *const *)b)->name);
}

GPtrArray *sched_engine_tenants(SchedEngine *engine, GError **error)
{
	g_autoptr(GPtrArray) tenants =
		g_ptr_array_new_with_free_func((GDestroyNotify)sched_engine_tenant_free);
	g_autoptr(GPtrArray) classes = NULL;
	g_autoptr(JsonNode) answer = NULL;
	guint status = call(engine, "GET", NULL, &answer, error, "/resource_classes");

	if (status == 0)
		return NULL;
	classes = sched_classes_read(answer);
	if (!classes) {
		refuse_answer(engine, "a list of classes", status, error);
		return NULL;
	}
	for (guint i = 0; i < classes->len; i++) {
		const char *class = g_ptr_array_index(classes, i);
		g_autofree char *name = sched_engine_tenant(class);
		SchedEngineTenant *tenant;

		if (!name)
			continue;
		tenant = read_tenant(engine, name, class, error);
		if (!tenant)
			return NULL;
		g_ptr_array_add(tenants, tenant);
	}
	g_ptr_array_sort(tenants, compare_tenants);
	return g_steal_pointer(&tenants);
}
