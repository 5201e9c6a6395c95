// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where guests go in a fleet. The random tests compare the choice with one that tries
 * everything, and the index with the choice; DAXC_TEST_ROUNDS says how many rounds,
 * DAXC_TEST_SEED with which seed.
 */
#include "sched-fixture.h"

#include <stdio.h>

#include "colorsched/core/index.h"

static guint environment(const char *name, guint otherwise)
{
	const char *text = g_getenv(name);

	return text ? (guint)g_ascii_strtoull(text, NULL, 10) : otherwise;
}

/* Places a guest of @gib; asserts where, as "host zone: color*used ...". */
static SchedPlacement must_place(SchedFleet *fleet, guint32 tenant, guint64 gib,
				 const char *where)
{
	g_autoptr(DaxcRequest) request = fixture_request(gib * GiB);
	SchedWant want = {.request = request, .tenant = tenant};
	g_autoptr(GString) text = g_string_new(NULL);
	SchedPlacement placement = {0};
	const SchedPart *part;

	ck_assert_msg(sched_choose(fleet, &want, &placement), "no place for %s", where);
	part = sched_placement_part(&placement, 0);
	g_string_append_printf(text, "%u %u:", placement.host, part->zone);
	for (guint32 i = 0; i < part->choice.n; i++)
		g_string_append_printf(text, " %u*%u", part->choice.color[i],
				       part->choice.used[i]);
	ck_assert_str_eq(text->str, where);
	sched_hold(fleet, &placement, tenant);
	return placement;
}

static void place(SchedFleet *fleet, guint32 tenant, guint64 gib, const char *where)
{
	SchedPlacement placement = must_place(fleet, tenant, gib, where);

	sched_placement_clear(&placement);
}

START_TEST(a_guest_gets_the_first_of_equal_hosts)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(3, 4, 8);

	place(fleet, 1, 2, "0 0: 0*2");
}
END_TEST

START_TEST(a_tenant_fills_its_own_colors_first)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(2, 2, 8);

	place(fleet, 1, 3, "0 0: 0*3");
	place(fleet, 2, 3, "0 0: 1*3");
	place(fleet, 1, 1, "0 0: 0*1");
	place(fleet, 1, 1, "1 0: 0*1");
	ck_assert_uint_eq(fleet->owned, 3);
	ck_assert_uint_eq(fleet->idle, 4 * GiB);
}
END_TEST

START_TEST(what_is_nearly_full_gets_full)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(2, 4, 8);
	SchedPlacement large = must_place(fleet, 1, 6, "0 0: 0*2 1*2 2*2");

	place(fleet, 2, 2, "0 0: 3*2");
	place(fleet, 3, 4, "1 0: 0*2 1*2");
	sched_drop(fleet, &large);
	sched_placement_clear(&large);
	/* Host 1 has two colors left, host 0 has three. */
	place(fleet, 4, 2, "1 0: 2*2");
}
END_TEST

START_TEST(least_is_stranded)
{
	SchedFleet *fleet = sched_fleet_new();
	SchedModel *large = fixture_model("large", 1, 4, 16);
	SchedModel *small = fixture_model("small", 1, 4, 8);

	sched_fleet_add_model(fleet, large);
	sched_fleet_add_model(fleet, small);
	fixture_pool(fleet, "large", large, 1);
	fixture_pool(fleet, "small", small, 1);
	sched_fleet_ready(fleet);
	place(fleet, 1, 1, "1 0: 0*1");
	place(fleet, 2, 3, "0 0: 0*3");
	sched_fleet_free(fleet);
}
END_TEST

START_TEST(what_is_taken_back_is_nobodys)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 2, 4);
	SchedPlacement first = must_place(fleet, 1, 1, "0 0: 0*1");
	SchedPlacement second = must_place(fleet, 1, 1, "0 0: 0*1");

	sched_drop(fleet, &first);
	ck_assert_uint_eq(fleet->owned, 1);
	ck_assert_uint_eq(fleet->held, GiB);
	ck_assert_uint_eq(fleet->idle, GiB);
	sched_drop(fleet, &second);
	ck_assert_uint_eq(fleet->owned, 0);
	ck_assert_uint_eq(fleet->held, 0);
	ck_assert_uint_eq(fleet->idle, 0);
	sched_placement_clear(&first);
	sched_placement_clear(&second);
}
END_TEST

START_TEST(zones_of_one_cache_share_its_colors)
{
	g_autoptr(SchedFleet) fleet = sched_fleet_new();
	SchedModel *model = fixture_regions("two", 1, 2, 2, 4);
	SchedPlacement first;

	sched_fleet_add_model(fleet, model);
	fixture_pool(fleet, "host", model, 1);
	sched_fleet_ready(fleet);

	first = must_place(fleet, 1, 2, "0 0: 0*2");
	ck_assert_uint_eq(fleet->idle, 2 * GiB);
	place(fleet, 2, 2, "0 0: 1*2");
	/* Nothing is left in the first; in the second each has two granules. */
	place(fleet, 1, 1, "0 1: 0*1");
	place(fleet, 2, 2, "0 1: 1*2");
	ck_assert_uint_eq(fleet->idle, GiB);
	/* The color stays the tenant's for what it holds in the second. */
	sched_drop(fleet, &first);
	sched_placement_clear(&first);
	ck_assert_uint_eq(fleet->owned, 2);
	ck_assert_uint_eq(fleet->idle, 3 * GiB);
}
END_TEST

/* What a guest demands of its host. */

typedef struct {
	SchedFleet *fleet;
	DaxcRequest *request;
	SchedWant want;
	SchedPlacement placement;
} Demand;

static void demand_init(Demand *demand, guint64 gib)
{
	static const char *const gold[] = {"gold", NULL};
	static const char *const cxl[] = {"CUSTOM_CXL", NULL};
	SchedModel *model = fixture_model("two", 2, 4, 8);

	*demand = (Demand){0};
	demand->fleet = sched_fleet_new();
	sched_fleet_add_model(demand->fleet, model);
	fixture_pool(demand->fleet, "plain", model, 2);
	sched_fleet_add_pool(demand->fleet, "gold", model, 2, gold, cxl, NULL);
	sched_fleet_ready(demand->fleet);
	demand->request = fixture_request(gib * GiB);
	demand->want = (SchedWant){.request = demand->request, .tenant = 1};
}

static void demand_clear(Demand *demand)
{
	sched_placement_clear(&demand->placement);
	daxc_request_free(demand->request);
	sched_fleet_free(demand->fleet);
}

static void assert_host(Demand *demand, guint host)
{
	sched_placement_clear(&demand->placement);
	ck_assert(sched_choose(demand->fleet, &demand->want, &demand->placement));
	ck_assert_uint_eq(demand->placement.host, host);
}

static void assert_refused(Demand *demand, const char *why)
{
	g_autoptr(GError) error = NULL;

	sched_placement_clear(&demand->placement);
	ck_assert(!sched_choose(demand->fleet, &demand->want, &demand->placement));
	sched_refuse(demand->fleet, &demand->want, &error);
	unit_assert_error(error, DAXC_ERROR_REFUSED, why);
}

START_TEST(aggregates_and_traits_are_demanded)
{
	static const char *const gold[] = {"gold", NULL};
	static const char *const both[] = {"gold", "silver", NULL};
	static const char *const cxl[] = {"CUSTOM_CXL", NULL};
	Demand demand;

	demand_init(&demand, 2);
	assert_host(&demand, 0);
	demand.want.aggregates = gold;
	assert_host(&demand, 2);
	demand.want.traits = cxl;
	assert_host(&demand, 2);
	demand.want.aggregates = both;
	assert_refused(&demand, "4 of 4 hosts lack an aggregate or a trait");
	demand_clear(&demand);
}
END_TEST

START_TEST(a_group_is_spread)
{
	g_autoptr(GHashTable) avoid = g_hash_table_new(NULL, NULL);
	Demand demand;

	demand_init(&demand, 2);
	demand.want.avoid = avoid;
	for (guint host = 0; host < 4; host++) {
		assert_host(&demand, host);
		g_hash_table_add(avoid, GUINT_TO_POINTER(host));
	}
	assert_refused(&demand, "4 of 4 hosts have a guest of the same group");
	demand_clear(&demand);
}
END_TEST

START_TEST(a_node_is_demanded_or_preferred)
{
	Demand demand;
	DaxcCellRequest *cell;
	gint node = 1;

	demand_init(&demand, 2);
	cell = fixture_cell(demand.request, 0);
	cell->node = 1;
	assert_host(&demand, 0);
	ck_assert_uint_eq(sched_placement_part(&demand.placement, 0)->zone, 1);
	cell->node = 5;
	assert_refused(&demand, "no host has a place for 2 GiB; nearest comes plain-1");
	cell->node = DAXC_ANY_NODE;
	g_array_append_val(cell->near, node);
	assert_host(&demand, 0);
	ck_assert_uint_eq(sched_placement_part(&demand.placement, 0)->zone, 1);
	demand_clear(&demand);
}
END_TEST

START_TEST(a_share_of_the_cache_is_so_many_colors)
{
	Demand demand;

	demand_init(&demand, 3);
	demand.want.cache = 3 * GiB - 1;
	assert_host(&demand, 0);
	ck_assert_uint_eq(sched_placement_part(&demand.placement, 0)->choice.n, 3);
	demand.want.cache = GiB;
	assert_host(&demand, 0);
	ck_assert_uint_eq(sched_placement_part(&demand.placement, 0)->choice.n, 2);
	/* Four colors cannot be had by three granules. */
	demand.want.cache = 4 * GiB;
	assert_refused(&demand, "no host has a place");
	demand_clear(&demand);
}
END_TEST

START_TEST(cells_are_placed_on_one_host)
{
	Demand demand;

	demand_init(&demand, 8);
	fixture_cell(demand.request, 1)->size = 8 * GiB;
	assert_host(&demand, 0);
	sched_hold(demand.fleet, &demand.placement, 1);
	ck_assert_uint_eq(demand.fleet->held, 16 * GiB);
	assert_host(&demand, 1);
	demand_clear(&demand);
}
END_TEST

/* Random fleets. */

static SchedFleet *random_fleet(GRand *random)
{
	static const char *const gold[] = {"gold", NULL};
	SchedFleet *fleet = sched_fleet_new();
	guint models = (guint)g_rand_int_range(random, 1, 3);

	for (guint i = 0; i < models; i++) {
		guint32 colors = (guint32)g_rand_int_range(random, 1, 5);
		SchedModel *model =
			fixture_regions("model", (guint)g_rand_int_range(random, 1, 3),
					(guint)g_rand_int_range(random, 1, 3), colors,
					(guint32)g_rand_int_range(random, 1, 13));
		gint most = g_rand_int_range(random, 0, 6) ? 5 : 40;

		sched_fleet_add_model(fleet, model);
		sched_fleet_add_pool(fleet, i ? "b" : "a", model,
				     (guint)g_rand_int_range(random, 1, most),
				     g_rand_boolean(random) ? gold : NULL, NULL, NULL);
	}
	sched_fleet_ready(fleet);
	return fleet;
}

static DaxcRequest *random_request(GRand *random, guint cells)
{
	DaxcRequest *request = fixture_request(GiB);

	for (guint i = 0; i < cells; i++) {
		DaxcCellRequest *cell = fixture_cell(request, i);

		cell->size = (guint64)g_rand_int_range(random, 1, 7) * GiB;
		if (g_rand_int_range(random, 0, 4) == 0) {
			cell->wish = DAXC_WISH_COUNT;
			cell->count = (guint)g_rand_int_range(random, 1, 4);
		}
		if (g_rand_int_range(random, 0, 6) == 0)
			cell->node = g_rand_int_range(random, 0, 2);
	}
	return request;
}

typedef struct {
	guint32 tenant;
	SchedPlacement placement;
} Guest;

static void guest_free(gpointer data)
{
	Guest *guest = data;

	sched_placement_clear(&guest->placement);
	g_free(guest);
}

static void assert_same(const SchedPlacement *one, const SchedPlacement *other)
{
	ck_assert_uint_eq(one->host, other->host);
	ck_assert_int_eq(sched_score_compare(&one->score, &other->score), 0);
	ck_assert_uint_eq(one->parts->len, other->parts->len);
	for (guint i = 0; i < one->parts->len; i++) {
		const SchedPart *a = sched_placement_part(one, i);
		const SchedPart *b = sched_placement_part(other, i);

		ck_assert_uint_eq(a->zone, b->zone);
		ck_assert_uint_eq(a->choice.n, b->choice.n);
		ck_assert_mem_eq(a->choice.color, b->choice.color,
				 a->choice.n * sizeof(guint32));
		ck_assert_mem_eq(a->choice.used, b->choice.used,
				 a->choice.n * sizeof(guint32));
	}
}

/* Each color has one tenant, and sums are what they say. */
static void assert_consistent(const SchedFleet *fleet, const GPtrArray *guests)
{
	guint64 held = 0, idle = 0, owned = 0;

	for (guint host = 0; host < fleet->n_hosts; host++) {
		const SchedModel *model = sched_fleet_model(fleet, host);

		for (guint z = 0; z < model->zones->len; z++) {
			const SchedZone *zone = sched_model_zone(model, z);
			const guint32 *owner = sched_host_owners(fleet, host, z);
			const guint32 *free = sched_host_free(fleet, host, z);
			g_autofree guint32 *used = g_new0(guint32, zone->colors);

			for (guint i = 0; i < guests->len; i++) {
				const Guest *guest = g_ptr_array_index(guests, i);

				for (guint p = 0; guest->placement.host == host &&
						  p < guest->placement.parts->len;
				     p++) {
					const SchedPart *part = sched_placement_part(
						&guest->placement, p);

					for (guint32 k = 0;
					     part->zone == z && k < part->choice.n; k++) {
						guint32 c = part->choice.color[k];

						ck_assert_uint_eq(owner[c],
								  guest->tenant);
						used[c] += part->choice.used[k];
					}
				}
			}
			for (guint32 c = 0; c < zone->colors; c++) {
				gboolean had = owner[c] != SCHED_NOBODY;

				ck_assert_uint_eq(free[c] + used[c], zone->total[c]);
				ck_assert(had || used[c] == 0);
				held += used[c] * zone->granule;
				idle += had ? free[c] * zone->granule : 0;
				/* Zones of one cache have the same owners. */
				owned += had &&
					 (z == 0 || zone[-1].domain != zone->domain);
			}
		}
	}
	ck_assert_uint_eq(fleet->held, held);
	ck_assert_uint_eq(fleet->idle, idle);
	ck_assert_uint_eq(fleet->owned, owned);
}

static void one_arrival(SchedIndex *index, SchedFleet *fleet, GRand *random,
			GPtrArray *guests)
{
	static const char *const gold[] = {"gold", NULL};
	guint32 tenant = (guint32)g_rand_int_range(random, 1, 5);
	g_autoptr(DaxcRequest)
		request = random_request(random, g_rand_int_range(random, 0, 8) ? 1 : 2);
	g_autoptr(GHashTable) avoid = g_hash_table_new(NULL, NULL);
	SchedWant want = {.request = request, .tenant = tenant};
	g_auto(SchedPlacement) expected = {0};
	SchedPlacement got = {0};
	gboolean placed;

	for (guint host = 0; host < fleet->n_hosts; host++) {
		if (g_rand_int_range(random, 0, 6) == 0)
			g_hash_table_add(avoid, GUINT_TO_POINTER(host));
	}
	want.avoid = g_rand_boolean(random) ? avoid : NULL;
	want.aggregates = g_rand_int_range(random, 0, 4) ? NULL : gold;
	placed = sched_choose(fleet, &want, &expected);
	ck_assert_int_eq(sched_index_choose(index, &want, &got), placed);
	if (!placed)
		return;
	assert_same(&got, &expected);
	sched_index_hold(index, &got, tenant);
	g_ptr_array_add(guests, g_memdup2(&(Guest){tenant, got}, sizeof(Guest)));
}

START_TEST(the_index_answers_as_a_look_at_all_hosts)
{
	guint rounds = MIN(environment("DAXC_TEST_ROUNDS", 200), 20000);
	guint32 seed = environment("DAXC_TEST_SEED", g_random_int());

	printf("index: DAXC_TEST_SEED=%u DAXC_TEST_ROUNDS=%u\n", seed, rounds);
	for (guint round = 0; round < rounds; round++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed + round);
		g_autoptr(GPtrArray) guests = g_ptr_array_new_with_free_func(guest_free);
		g_autoptr(SchedFleet) fleet = random_fleet(random);
		g_autoptr(SchedIndex) index = sched_index_new(fleet);

		for (guint step = 0; step < 80; step++) {
			if (guests->len > 0 && g_rand_int_range(random, 0, 3) == 0) {
				guint i = (guint)g_rand_int_range(random, 0,
								  (gint)guests->len);
				Guest *guest = g_ptr_array_index(guests, i);

				sched_index_drop(index, &guest->placement, guest->tenant);
				g_ptr_array_remove_index_fast(guests, i);
			} else {
				one_arrival(index, fleet, random, guests);
			}
		}
		assert_consistent(fleet, guests);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched-choice");
	TCase *choice = tcase_create("choice");

	tcase_set_timeout(choice, 0);
	tcase_add_test(choice, a_guest_gets_the_first_of_equal_hosts);
	tcase_add_test(choice, a_tenant_fills_its_own_colors_first);
	tcase_add_test(choice, what_is_nearly_full_gets_full);
	tcase_add_test(choice, least_is_stranded);
	tcase_add_test(choice, what_is_taken_back_is_nobodys);
	tcase_add_test(choice, zones_of_one_cache_share_its_colors);
	tcase_add_test(choice, aggregates_and_traits_are_demanded);
	tcase_add_test(choice, a_group_is_spread);
	tcase_add_test(choice, a_node_is_demanded_or_preferred);
	tcase_add_test(choice, a_share_of_the_cache_is_so_many_colors);
	tcase_add_test(choice, cells_are_placed_on_one_host);
	tcase_add_test(choice, the_index_answers_as_a_look_at_all_hosts);
	suite_add_tcase(suite, choice);
	return unit_run(suite);
}
