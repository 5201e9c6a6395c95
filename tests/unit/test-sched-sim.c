// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The simulation: figures that can be worked out by hand, and at random that no policy
 * gives anything twice. DAXC_TEST_ROUNDS and DAXC_TEST_SEED as in test-sched-choice.
 */
#include "sched-fixture.h"

#include <stdio.h>

#include "colorsched/sim/simulate.h"

#define MANY 4u

static const SchedPolicy *const all[] = {
	&sched_policy_first_fit,
	&sched_policy_random,
	&sched_policy_exclusive,
	&sched_policy_pooled,
};

static SchedReport *simulate(const SchedFleet *fleet, const char *text)
{
	FILE *stream = fmemopen((char *)text, strlen(text), "r");
	g_autoptr(SchedTrace) trace = sched_trace_csv(stream, "FILE");
	g_autoptr(GError) error = NULL;
	SchedReport *report =
		sched_simulate(fleet, trace, all, G_N_ELEMENTS(all), 1, NULL, &error);

	unit_assert_no_error(error);
	return report;
}

static void assert_is(double value, double expected)
{
	double margin = 1e-9 * MAX(expected, 1);

	ck_assert_msg(value > expected - margin && value < expected + margin,
		      "%.9g is not %.9g", value, expected);
}

/*
 * One host, 2 colors with 2 granules each; granules have colors 0 1 0 1. First-fit gives
 * a color 0, b color 1 and c both: a and b lose half of their cache, and so does c.
 */
START_TEST(conflicts_are_counted)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 2, 4);
	g_autoptr(SchedReport) report = simulate(fleet, "tenant,start,end,memory\n"
							"a,0,9,1G\n"
							"b,0,9,1G\n"
							"c,0,9,2G\n"
							"d,10,,1G\n");
	const SchedResult *blind = &report->result[0], *ours = &report->result[2];

	ck_assert_uint_eq(report->guests, 4);
	ck_assert_uint_eq(report->events, 7);
	ck_assert_uint_eq(report->live_most, 3);
	ck_assert_uint_eq(blind->admitted, 4);
	assert_is(blind->conflict.most, 0.5);
	/* Looks: a; a b; a b c; b c; c; and d, after the last has left. */
	ck_assert_uint_eq(blind->conflict.samples, 1 + 2 + 3 + 2 + 1 + 1);
	assert_is(blind->conflict.mean, (0 + 0 + 1.5 + 0.75 + 0 + 0) / 10);
	assert_is(blind->conflict.touched, (3 + 2) / 10.0);
	/* c finds no color that is nobody's. */
	ck_assert_uint_eq(ours->admitted, 3);
	assert_is(ours->conflict.most, 0);
	assert_is(ours->free, 0.5);
}
END_TEST

/* All of one color: what a tenant's guests lose to each other is no loss to others. */
START_TEST(a_tenant_is_in_no_conflict_with_itself)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 1, 4);
	g_autoptr(SchedReport) report = simulate(fleet, "tenant,start,end,memory\n"
							"a,0,,1G\na,0,,1G\nb,0,,2G\n");
	const SchedConflict *conflict = &report->result[0].conflict;

	ck_assert_uint_eq(conflict->samples, 1 + 2 + 3);
	assert_is(conflict->mean, 3 * 0.5 / 6);
	assert_is(conflict->most, 0.5);
}
END_TEST

START_TEST(memory_is_added_up_over_time)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 2, 4);
	g_autoptr(SchedReport) report = simulate(fleet, "tenant,start,end,memory\n"
							"a,0,5,1536M\n"
							"b,2,,4G\n"
							"b,10,,2M\n");
	const SchedResult *blind = &report->result[0];

	assert_is(report->start, 0);
	assert_is(report->end, 10);
	assert_is(report->asked, (1.5 * 5 + 4 * 8) / 10 * (double)GiB);
	assert_is(blind->used, 1.5 * 5 / 10 * (double)GiB);
	assert_is(blind->held, 2.0 * 5 / 10 * (double)GiB);
	assert_is(blind->memory, 1.5 * 5 / (1.5 * 5 + 4 * 8));
	assert_is(blind->free, 0.5);
	assert_is(report->result[3].idle, 0);
	ck_assert_uint_eq(report->result[3].idle_most, GiB);
}
END_TEST

START_TEST(pooled_colors_are_shared_by_a_tenant)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 2, 4);
	g_autoptr(SchedReport) report = simulate(fleet, "tenant,start,end,memory\n"
							"a,0,,1G\na,0,,1G\nb,0,,1G\n");
	const SchedResult *exclusive = &report->result[2], *pooled = &report->result[3];

	ck_assert_uint_eq(exclusive->admitted, 2);
	ck_assert_uint_eq(exclusive->colors_most, 2);
	ck_assert_uint_eq(pooled->admitted, 3);
	ck_assert_uint_eq(pooled->colors_most, 1);
}
END_TEST

START_TEST(groups_are_spread)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(2, 4, 8);
	g_autoptr(SchedReport) report =
		simulate(fleet, "tenant,start,end,memory,group\n"
				"a,0,5,1G,web\na,0,,1G,web\na,0,,1G,web\na,5,,1G,web\n"
				"a,5,,1G,\na,5,,1G,db\n");

	for (guint i = 0; i < MANY; i++)
		ck_assert_uint_eq(report->result[i].admitted, 5);
}
END_TEST

START_TEST(counts_of_colors_are_kept)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 4, 8);
	g_autoptr(SchedReport) report = simulate(fleet, "tenant,start,end,memory,colors\n"
							"a,0,,3G,3\nb,0,,2G,2\n");

	ck_assert_uint_eq(report->result[0].admitted, 2);
	ck_assert_uint_eq(report->result[3].admitted, 1);
	ck_assert_uint_eq(report->result[3].colors_most, 3);
}
END_TEST

START_TEST(an_empty_trace_is_nothing)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 4, 8);
	g_autoptr(SchedReport) report = simulate(fleet, "tenant,start,end,memory\n");

	ck_assert_uint_eq(report->guests, 0);
	assert_is(report->result[3].memory, 0);
	ck_assert_uint_eq(report->points->len, 0);
}
END_TEST

START_TEST(a_run_keeps_so_many_points)
{
	g_autoptr(SchedFleet) fleet = fixture_fleet(1, 4, 8);
	g_autoptr(GString) text = g_string_new("tenant,start,end,memory\n");
	g_autoptr(SchedReport) report = NULL;
	double last = -1;

	for (guint i = 0; i < 5000; i++)
		g_string_append_printf(text, "a,%u,%u,1G\n", i, i + 2);
	report = simulate(fleet, text->str);
	ck_assert_uint_gt(report->points->len, SCHED_POINTS_MAX / 2 - 1);
	ck_assert_uint_le(report->points->len, SCHED_POINTS_MAX);
	for (guint i = 0; i < report->points->len; i++) {
		double time = g_array_index(report->points, SchedPoint, i).time;

		ck_assert(time >= last);
		last = time;
	}
	assert_is(last, 4999);
}
END_TEST

/* At random. */

typedef struct {
	SchedStay *stay;
	SchedArrival arrival;
} Guest;

/* A policy, and the guests that it has placed. */
typedef struct {
	const SchedPolicy *policy;
	SchedFleet *fleet;
	gpointer self;
	GArray *guests;
	guint32 colors;
} Ward;

/* Counts again what guests hold, from their stays. */
static void check(const Ward *ward, gboolean apart, gboolean pooled)
{
	gsize n = (gsize)ward->fleet->units * ward->colors;
	g_autofree guint32 *used = g_new0(guint32, n);
	g_autofree guint32 *owner = g_new0(guint32, n);
	guint64 held = 0, idle = 0;

	for (guint i = 0; i < ward->guests->len; i++) {
		const Guest *guest = &g_array_index(ward->guests, Guest, i);

		for (guint32 k = 0; k < guest->stay->n; k++) {
			SchedUse use = ward->policy->use(ward->self, guest->stay, k);
			gsize at = (gsize)guest->stay->unit * ward->colors + use.color;
			guint32 who = pooled ? guest->arrival.tenant
					     : guest->arrival.guest;

			ck_assert_uint_lt(use.color, ward->colors);
			ck_assert(!apart || owner[at] == 0 || owner[at] == who);
			owner[at] = who;
			used[at] += use.used;
			held += use.used * GiB;
		}
	}
	for (gsize at = 0; at < n; at++) {
		guint host, zone;
		guint32 total;

		sched_fleet_find_unit(ward->fleet, (guint)(at / ward->colors), &host,
				      &zone);
		total = sched_model_zone(sched_fleet_model(ward->fleet, host), zone)
				->total[at % ward->colors];
		ck_assert_uint_le(used[at], total);
		idle += used[at] && apart ? (total - used[at]) * GiB : 0;
	}
	ck_assert_uint_eq(ward->policy->held(ward->self), held);
	ck_assert_uint_eq(ward->policy->idle(ward->self), idle);
}

/* Granules are given once: the items of guests in one unit differ. */
static void check_granules(const Ward *ward)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < ward->guests->len; i++) {
		const Guest *guest = &g_array_index(ward->guests, Guest, i);

		for (guint32 k = 0; k < guest->stay->n; k++) {
			gsize granule = (gsize)guest->stay->unit << 32 |
					guest->stay->item[k];

			ck_assert(g_hash_table_add(seen, GSIZE_TO_POINTER(granule + 1)));
		}
	}
}

/* The first unit that has room, for policies that do not look at colors. */
static guint first_with_room(const Ward *ward, guint64 size)
{
	for (guint unit = 0; unit < ward->fleet->units; unit++) {
		guint host, zone;
		guint64 free;

		sched_fleet_find_unit(ward->fleet, unit, &host, &zone);
		free = sched_model_zone(sched_fleet_model(ward->fleet, host), zone)
			       ->granules;
		for (guint i = 0; i < ward->guests->len; i++) {
			const Guest *guest = &g_array_index(ward->guests, Guest, i);

			free -= guest->stay->unit == unit ? guest->stay->n : 0;
		}
		if (free * GiB >= size)
			return unit;
	}
	return G_MAXUINT;
}

static void arrive(Ward *ward, GRand *random, guint32 number, gboolean blind)
{
	Guest guest = {0};
	guint expected;

	guest.arrival.tenant = (guint32)g_rand_int_range(random, 1, 5);
	guest.arrival.guest = number;
	guest.arrival.size = (guint64)g_rand_int_range(random, 1, 8) * GiB - GiB / 2;
	expected = blind ? first_with_room(ward, guest.arrival.size) : 0;
	guest.stay = ward->policy->admit(ward->self, &guest.arrival);
	if (blind)
		ck_assert_uint_eq(guest.stay ? guest.stay->unit : G_MAXUINT, expected);
	if (guest.stay)
		g_array_append_val(ward->guests, guest);
}

static void leave(Ward *ward, guint index)
{
	Guest guest = g_array_index(ward->guests, Guest, index);

	g_array_remove_index_fast(ward->guests, index);
	ward->policy->leave(ward->self, guest.stay, guest.arrival.tenant,
			    guest.arrival.guest);
}

static void play(GRand *random, const SchedPolicy *policy, gboolean blind,
		 gboolean pooled)
{
	guint32 colors = (guint32)g_rand_int_range(random, 1, 6);
	g_autoptr(SchedFleet)
		fleet = fixture_fleet((guint)g_rand_int_range(random, 1, 6), colors,
				      (guint32)g_rand_int_range(random, 1, 70));
	Ward ward = {policy, fleet, policy->make(fleet, g_rand_int(random)),
		     g_array_new(FALSE, FALSE, sizeof(Guest)), colors};

	for (guint32 step = 1; step <= 80; step++) {
		if (ward.guests->len > 0 && g_rand_int_range(random, 0, 3) == 0)
			leave(&ward,
			      (guint)g_rand_int_range(random, 0, (gint)ward.guests->len));
		else
			arrive(&ward, random, step, blind);
		check(&ward, !blind, pooled);
		if (blind)
			check_granules(&ward);
	}
	while (ward.guests->len > 0)
		leave(&ward, 0);
	check(&ward, !blind, pooled);
	policy->free(ward.self);
	g_array_unref(ward.guests);
}

START_TEST(nothing_is_given_twice)
{
	const char *rounds_text = g_getenv("DAXC_TEST_ROUNDS");
	const char *seed_text = g_getenv("DAXC_TEST_SEED");
	guint rounds = rounds_text
			       ? (guint)MIN(g_ascii_strtoull(rounds_text, NULL, 10), 300)
			       : 60;
	guint32 seed = seed_text ? (guint32)g_ascii_strtoull(seed_text, NULL, 10)
				 : g_random_int();

	printf("policies: DAXC_TEST_SEED=%u DAXC_TEST_ROUNDS=%u\n", seed, rounds);
	for (guint round = 0; round < rounds; round++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed + round);

		for (guint i = 0; i < MANY; i++)
			play(random, all[i], i < 2, i == 3);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched-sim");
	TCase *figures = tcase_create("figures");
	TCase *policies = tcase_create("policies");

	tcase_set_timeout(policies, 0);
	tcase_add_test(figures, conflicts_are_counted);
	tcase_add_test(figures, a_tenant_is_in_no_conflict_with_itself);
	tcase_add_test(figures, memory_is_added_up_over_time);
	tcase_add_test(figures, pooled_colors_are_shared_by_a_tenant);
	tcase_add_test(figures, groups_are_spread);
	tcase_add_test(figures, counts_of_colors_are_kept);
	tcase_add_test(figures, an_empty_trace_is_nothing);
	tcase_add_test(figures, a_run_keeps_so_many_points);
	tcase_add_test(policies, nothing_is_given_twice);
	suite_add_tcase(suite, figures);
	suite_add_tcase(suite, policies);
	return unit_run(suite);
}
