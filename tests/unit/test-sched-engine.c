// SPDX-License-Identifier: GPL-2.0-or-later
/* What the engine answers, and how things are called there. tests/engine has a real one.
 */
#include "sched-fixture.h"

#include "colorsched/engine/answers.h"
#include "colorsched/engine/names.h"
#include "colorsched/engine/placement.h"

/* Names. */

START_TEST(each_tenant_has_a_class_of_its_own)
{
	static const struct {
		const char *tenant;
		const char *class;
	} names[] = {
		{"acme", "CUSTOM_DAX_GRANULE_T_ACME"},
		{"Acme", "CUSTOM_DAX_GRANULE_T__41CME"},
		{"a_cme", "CUSTOM_DAX_GRANULE_T_A_5FCME"},
		{"a.b-c", "CUSTOM_DAX_GRANULE_T_A_2EB_2DC"},
		{"7", "CUSTOM_DAX_GRANULE_T_7"},
	};
	g_autofree char *class = sched_engine_class(names[_i].tenant);
	g_autofree char *tenant = sched_engine_tenant(class);

	ck_assert_str_eq(class, names[_i].class);
	ck_assert_str_eq(tenant, names[_i].tenant);
}
END_TEST

START_TEST(other_classes_are_no_tenants)
{
	static const char *const classes[] = {
		"VCPU",
		"CUSTOM_DAX_GRANULE",
		"CUSTOM_DAX_GRANULE_T_",
		"CUSTOM_DAX_GRANULE_T_A_",
		"CUSTOM_DAX_GRANULE_T_A_4",
		"CUSTOM_DAX_GRANULE_T_A_ZZ",
		"CUSTOM_DAX_GRANULE_T_A_61",  /* "a", which is written A */
		"CUSTOM_DAX_GRANULE_T_A_2e",  /* lower case */
		"CUSTOM_DAX_GRANULE_T_A_20B", /* a blank is in no name */
	};
	g_autofree char *tenant = sched_engine_tenant(classes[_i]);

	ck_assert_ptr_null(tenant);
}
END_TEST

START_TEST(providers_have_uuids_of_their_own)
{
	g_autofree char *host = sched_provider_uuid("h-1", -1, -1);
	g_autofree char *again = sched_provider_uuid("h-1", -1, -1);
	g_autofree char *zone = sched_provider_uuid("h-1", 1, -1);
	g_autofree char *color = sched_provider_uuid("h-1", 1, 1);
	g_autofree char *other = sched_provider_uuid("h-11", 1, 1);

	ck_assert_str_eq(host, again);
	ck_assert_str_ne(host, zone);
	ck_assert_str_ne(zone, color);
	ck_assert_str_ne(color, other);
	ck_assert(g_uuid_string_is_valid(color));
}
END_TEST

/* Answers. */

#define ROOT "8839d356-f787-5a0b-8010-d454645c55f8"
#define ZONE "2f979065-0416-5069-a6e7-4914894eb79b"
#define RED "0f650dd0-088c-519c-9914-0a21de70f5e0"
#define BLUE "a1992de6-7300-56f0-8b64-444b517aa603"
#define MINE "CUSTOM_DAX_GRANULE_T_ACME"

#define PROVIDER(uuid, parent, traits, resources)                                        \
	"\"" uuid "\":{\"parent_provider_uuid\":" parent ",\"traits\":[" traits          \
	"],\"resources\":{" resources "}}"
#define ANSWER(providers) "{\"provider_summaries\":{" providers "}}"
#define HOST_ PROVIDER(ROOT, "null", "\"CUSTOM_DAX_HOST\"", "")
#define ZONE_                                                                            \
	PROVIDER(ZONE, "\"" ROOT "\"",                                                   \
		 "\"CUSTOM_DAX_NODE_1\",\"CUSTOM_DAX_REGION_3\","                        \
		 "\"CUSTOM_DAX_GRANULE_MIB_1024\",\"CUSTOM_DAX_SLICE_MIB_512\"",         \
		 "")
#define COLOR_(uuid, number, class, capacity, used)                                      \
	PROVIDER(uuid, "\"" ZONE "\"", "\"CUSTOM_CACHE_COLOR_" number "\"",              \
		 "\"" class "\":{\"capacity\":" capacity ",\"used\":" used "}")

static SchedAnswer *read_text(const char *text)
{
	g_autoptr(GPtrArray)
		answers = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
	JsonNode *node = sched_json_parse(text, strlen(text));

	ck_assert_msg(node != NULL, "not JSON: %s", text);
	g_ptr_array_add(answers, node);
	return sched_answer_read(answers, MINE);
}

START_TEST(a_host_is_read)
{
	g_autoptr(SchedAnswer) answer = read_text(
		ANSWER(COLOR_(BLUE, "1", MINE, "4", "3") "," HOST_ "," ZONE_ "," COLOR_(
			RED, "0", "CUSTOM_DAX_GRANULE", "5", "0")));
	const SchedZone *zone;

	ck_assert_ptr_nonnull(answer);
	ck_assert_uint_eq(answer->fleet->n_hosts, 1);
	ck_assert_str_eq(g_ptr_array_index(answer->roots, 0), ROOT);
	zone = sched_model_zone(sched_fleet_model(answer->fleet, 0), 0);
	ck_assert_int_eq(zone->node, 1);
	ck_assert_uint_eq(zone->region, 3);
	ck_assert_uint_eq(zone->granule, GiB);
	ck_assert_uint_eq(zone->slice, GiB / 2);
	ck_assert_uint_eq(zone->colors, 2);
	ck_assert_uint_eq(sched_host_owners(answer->fleet, 0, 0)[0], SCHED_NOBODY);
	ck_assert_uint_eq(sched_host_owners(answer->fleet, 0, 0)[1], SCHED_ASKER);
	ck_assert_uint_eq(sched_host_free(answer->fleet, 0, 0)[0], 5);
	ck_assert_uint_eq(sched_host_free(answer->fleet, 0, 0)[1], 1);
	ck_assert_str_eq(sched_answer_leaf(answer, 0, 0, 1), BLUE);
}
END_TEST

START_TEST(colors_of_others_are_others)
{
	g_autoptr(SchedAnswer) answer = read_text(ANSWER(HOST_ "," ZONE_ "," COLOR_(
		RED, "0", "CUSTOM_DAX_GRANULE_T_X", "5", "0")));

	ck_assert_ptr_nonnull(answer);
	ck_assert_uint_eq(sched_host_owners(answer->fleet, 0, 0)[0], SCHED_OTHERS);
}
END_TEST

static const char *const nonsense[] = {
	"{}",
	"{\"provider_summaries\":[]}",
	"{\"provider_summaries\":{\"x\":1}}",
	ANSWER(HOST_ "," ZONE_),
	/* Color 0 is missing, and would be large. */
	ANSWER(HOST_ "," ZONE_ "," COLOR_(RED, "65535", "CUSTOM_DAX_GRANULE", "5", "0")),
	ANSWER(HOST_ "," ZONE_ "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "5", "6")),
	ANSWER(HOST_ "," ZONE_ "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "5", "1")),
	ANSWER(HOST_ "," ZONE_ "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "-5", "0")),
	ANSWER(HOST_ "," ZONE_
		     "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "99999999", "0")),
	ANSWER(HOST_ "," ZONE_ "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "\"5\"", "0")),
	ANSWER(HOST_ "," ZONE_ "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "0", "0")),
	/* Two classes: whose is it? */
	ANSWER(HOST_ "," ZONE_
		     "," PROVIDER(RED, "\"" ZONE "\"", "\"CUSTOM_CACHE_COLOR_0\"",
				  "\"CUSTOM_DAX_GRANULE\":{\"capacity\":5,\"used\":0},"
				  "\"" MINE "\":{\"capacity\":5,\"used\":0}")),
	/* A zone whose granules are not known, or no power of two. */
	ANSWER(PROVIDER(ZONE, "\"" ROOT "\"", "\"CUSTOM_DAX_NODE_1\"",
			"") "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "5", "0")),
	ANSWER(PROVIDER(ZONE, "\"" ROOT "\"",
			"\"CUSTOM_DAX_NODE_1\",\"CUSTOM_DAX_GRANULE_MIB_1000\"",
			"") "," COLOR_(RED, "0", "CUSTOM_DAX_GRANULE", "5", "0")),
	/* What becomes part of a path is a UUID. */
	ANSWER(HOST_ "," ZONE_
		     "," COLOR_("../traits", "0", "CUSTOM_DAX_GRANULE", "5", "0")),
};

START_TEST(nonsense_is_no_host)
{
	g_autoptr(SchedAnswer) answer = read_text(nonsense[_i]);

	ck_assert_ptr_null(answer);
}
END_TEST

START_TEST(json_is_not_descended_into_without_end)
{
	g_autofree char *deep = g_strnfill(1000000, '[');
	g_autoptr(JsonNode) fine = NULL;

	ck_assert_ptr_null(sched_json_parse(deep, strlen(deep)));
	ck_assert_ptr_null(sched_json_parse("{", 1));
	ck_assert_ptr_null(sched_json_parse("[]", 2));
	ck_assert_ptr_null(sched_json_parse("{}\n{}", 5));
	ck_assert_ptr_null(sched_json_parse("", 0));
	ck_assert_ptr_null(sched_json_parse("\"\xff\"", 3));
	fine = sched_json_parse("{\"a\":\"[[\\\"[\"}", 13);
	ck_assert_ptr_nonnull(fine);
}
END_TEST

static gboolean inventory_of(const char *text, SchedInventory *inventory)
{
	g_autoptr(JsonNode) node = sched_json_parse(text, strlen(text));

	return sched_inventory_read(node, inventory);
}

START_TEST(an_inventory_has_one_class)
{
	g_auto(SchedInventory) inventory = {0};

	ck_assert(inventory_of("{\"resource_provider_generation\":7,"
			       "\"inventories\":{\"A\":{\"total\":8}}}",
			       &inventory));
	ck_assert_uint_eq(inventory.generation, 7);
	ck_assert_uint_eq(inventory.total, 8);
	ck_assert_str_eq(inventory.class, "A");
	ck_assert(!inventory_of("{\"resource_provider_generation\":7,\"inventories\":{}}",
				&inventory));
	ck_assert(!inventory_of("{\"inventories\":{\"A\":{\"total\":8}}}", &inventory));
	ck_assert(!inventory_of("{\"resource_provider_generation\":7,\"inventories\":"
				"{\"A\":{\"total\":8},\"B\":{\"total\":8}}}",
				&inventory));
}
END_TEST

static GHashTable *allocation_of(const char *text)
{
	g_autoptr(JsonNode) node = sched_json_parse(text, strlen(text));

	return sched_allocation_read(node);
}

START_TEST(an_allocation_is_of_our_classes)
{
	g_autoptr(GHashTable) none = allocation_of("{\"allocations\":{}}");
	g_autoptr(GHashTable) one = allocation_of(
		"{\"allocations\":{\"" RED "\":{\"resources\":{\"" MINE "\":2}}}}");

	ck_assert_uint_eq(g_hash_table_size(none), 0);
	ck_assert_str_eq(g_hash_table_lookup(one, RED), MINE);
	/* A guest of somebody else's is not ours to release. */
	ck_assert_ptr_null(allocation_of("{\"allocations\":{\"" RED
					 "\":{\"resources\":{\"VCPU\":2}}}}"));
	ck_assert_ptr_null(allocation_of(
		"{\"allocations\":{\"../x\":{\"resources\":{\"" MINE "\":2}}}}"));
	ck_assert_ptr_null(allocation_of("{}"));
}
END_TEST

START_TEST(lists_of_providers_are_whole_or_refused)
{
	static const char good[] = "{\"resource_providers\":[{\"uuid\":\"" RED
				   "\",\"parent_provider_uuid\":null}]}";
	static const char bad[] = "{\"resource_providers\":[{\"uuid\":\"" RED
				  "\"},{\"uuid\":\"x\"}]}";
	g_autoptr(JsonNode) node = sched_json_parse(good, strlen(good));
	g_autoptr(JsonNode) other = sched_json_parse(bad, strlen(bad));
	g_autoptr(GPtrArray) uuids = sched_providers_read(node, "uuid");
	g_autoptr(GPtrArray)
		parents = sched_providers_read(node, "parent_provider_uuid?");

	ck_assert_uint_eq(uuids->len, 1);
	ck_assert_str_eq(g_ptr_array_index(uuids, 0), RED);
	ck_assert_str_eq(g_ptr_array_index(parents, 0), "");
	ck_assert_ptr_null(sched_providers_read(node, "parent_provider_uuid"));
	ck_assert_ptr_null(sched_providers_read(other, "uuid"));
}
END_TEST

START_TEST(groups_are_the_tenants_own)
{
	g_autofree char *web = sched_spread_class("acme", "web");
	g_autofree char *again = sched_spread_class("acme", "web");
	g_autofree char *db = sched_spread_class("acme", "db");
	g_autofree char *other = sched_spread_class("globex", "web");

	ck_assert_str_eq(web, again);
	ck_assert_str_ne(web, db);
	ck_assert_str_ne(web, other);
	ck_assert(g_str_has_prefix(web, SCHED_CLASS_SPREAD));
	/* What the engine takes for the name of a class. */
	ck_assert_uint_eq(strspn(web, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
			  strlen(web));
}
END_TEST

START_TEST(inventories_are_searched_for_a_class)
{
	static const char some[] = "{\"resource_provider_generation\":3,\"inventories\":{"
				   "\"A\":{\"total\":1},\"B\":{\"total\":1}}}";
	static const char bad[] = "{\"inventories\":{}}";
	g_autoptr(JsonNode) node = sched_json_parse(some, strlen(some));
	g_autoptr(JsonNode) other = sched_json_parse(bad, strlen(bad));
	guint64 generation;
	gboolean has;

	ck_assert(sched_inventory_has(node, "B", &has, &generation));
	ck_assert(has);
	ck_assert_uint_eq(generation, 3);
	ck_assert(sched_inventory_has(node, "C", &has, &generation));
	ck_assert(!has);
	ck_assert(!sched_inventory_has(other, "A", &has, &generation));
}
END_TEST

START_TEST(usages_of_a_project_are_summed_up)
{
	static const char good[] =
		"{\"usages\":{\"INSTANCE\":{\"consumer_count\":2,\"" MINE "\":5},"
		"\"unknown\":{\"consumer_count\":1,\"VCPU\":9}}}";
	static const char *const bad[] = {
		"{}",
		"{\"usages\":{\"" MINE "\":5}}",
		"{\"usages\":{\"INSTANCE\":{\"" MINE "\":5}}}",
		"{\"usages\":{\"INSTANCE\":{\"consumer_count\":1,\"" MINE "\":-5}}}",
	};
	g_autoptr(JsonNode) node = sched_json_parse(good, strlen(good));
	guint64 consumers, used;

	ck_assert(sched_project_read(node, MINE, &consumers, &used));
	ck_assert_uint_eq(consumers, 3);
	ck_assert_uint_eq(used, 5);
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(JsonNode) other = sched_json_parse(bad[i], strlen(bad[i]));

		ck_assert_msg(!sched_project_read(other, MINE, &consumers, &used), "%s",
			      bad[i]);
	}
}
END_TEST

START_TEST(lists_of_classes_are_whole_or_refused)
{
	static const char good[] = "{\"resource_classes\":[{\"name\":\"VCPU\"}]}";
	static const char bad[] = "{\"resource_classes\":[{\"name\":\"VCPU\"},7]}";
	g_autoptr(JsonNode) node = sched_json_parse(good, strlen(good));
	g_autoptr(JsonNode) other = sched_json_parse(bad, strlen(bad));
	g_autoptr(GPtrArray) names = sched_classes_read(node);

	ck_assert_uint_eq(names->len, 1);
	ck_assert_str_eq(g_ptr_array_index(names, 0), "VCPU");
	ck_assert_ptr_null(sched_classes_read(other));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched-engine");
	TCase *names = tcase_create("names");
	TCase *answers = tcase_create("answers");

	tcase_add_loop_test(names, each_tenant_has_a_class_of_its_own, 0, 5);
	tcase_add_loop_test(names, other_classes_are_no_tenants, 0, 9);
	tcase_add_test(names, providers_have_uuids_of_their_own);
	tcase_add_test(answers, a_host_is_read);
	tcase_add_test(answers, colors_of_others_are_others);
	tcase_add_loop_test(answers, nonsense_is_no_host, 0, G_N_ELEMENTS(nonsense));
	tcase_add_test(answers, json_is_not_descended_into_without_end);
	tcase_add_test(answers, an_inventory_has_one_class);
	tcase_add_test(answers, an_allocation_is_of_our_classes);
	tcase_add_test(answers, lists_of_providers_are_whole_or_refused);
	tcase_add_test(names, groups_are_the_tenants_own);
	tcase_add_test(answers, inventories_are_searched_for_a_class);
	tcase_add_test(answers, usages_of_a_project_are_summed_up);
	tcase_add_test(answers, lists_of_classes_are_whole_or_refused);
	suite_add_tcase(suite, names);
	suite_add_tcase(suite, answers);
	return unit_run(suite);
}
