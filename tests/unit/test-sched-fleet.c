// SPDX-License-Identifier: GPL-2.0-or-later
/* Fleet descriptions and traces as text: what is read, and what is refused with which
 * words. */
#include "sched-fixture.h"

#include "colorsched/fleet-file.h"
#include "colorsched/sim/trace.h"

/* Fleets. */

#define HOST EXAMPLES "/hosts/two-node.host"
#define MODEL "[model two]\nhost = " HOST "\n"

static SchedFleet *parse(const char *text, GError **error)
{
	return sched_fleet_parse("FILE", text, strlen(text), daxc_config_load_host,
				 error);
}

START_TEST(a_fleet_has_hosts_of_models)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SchedFleet)
		fleet = parse(MODEL "[hosts a]\nmodel = two\ncount = 3\n"
				    "aggregates = gold; rack-1;\ntraits = CUSTOM_CXL\n"
				    "[hosts b]\nmodel=two\n",
			      &error);
	g_autofree char *name = NULL;
	const SchedPool *pool;
	guint host, zone;

	unit_assert_no_error(error);
	ck_assert_uint_eq(fleet->n_hosts, 4);
	ck_assert_uint_eq(fleet->units, 8);
	ck_assert_uint_eq(fleet->capacity, 4 * 8 * GiB);
	pool = sched_fleet_pool(fleet, 2);
	ck_assert_str_eq(pool->aggregates[0], "gold");
	ck_assert_str_eq(pool->aggregates[1], "rack-1");
	ck_assert_ptr_null(pool->aggregates[2]);
	ck_assert_str_eq(pool->traits[0], "CUSTOM_CXL");
	ck_assert_ptr_null(sched_fleet_pool(fleet, 3)->aggregates[0]);
	name = sched_fleet_host_name(fleet, 2);
	ck_assert_str_eq(name, "a-3");
	for (guint unit = 0; unit < 8; unit++) {
		sched_fleet_find_unit(fleet, unit, &host, &zone);
		ck_assert_uint_eq(host, unit / 2);
		ck_assert_uint_eq(zone, unit % 2);
		ck_assert_uint_eq(sched_fleet_unit(fleet, host, zone), unit);
	}
	ck_assert_uint_eq(sched_model_zone(sched_fleet_model(fleet, 0), 1)->slice, GiB);
}
END_TEST

static const struct {
	const char *text;
	const char *why;
} bad_fleets[] = {
	{"", "FILE: there is no [hosts NAME], and so no host"},
	{MODEL, "FILE: there is no [hosts NAME]"},
	{"[fleet]\n", "FILE: [fleet]: no such section"},
	{"[model ]\nhost = x\n", "FILE: [model ]: the name has"},
	{"[model a b]\nhost = x\n", "FILE: [model a b]: the name has"},
	{"[model a]\n", "FILE: [model a] host: is missing"},
	{"[model a]\nhsot = x\n", "FILE: [model a] hsot: no such key"},
	{"[model a]\nhost = none.host\n", "none.host"},
	{MODEL "[hosts a]\n", "FILE: [hosts a] model: is missing"},
	{MODEL "[hosts a]\nmodel = three\n",
	 "FILE: [hosts a] model: there is no [model three]"},
	{MODEL "[hosts a]\nmodel = two\ncount = -1\n", "FILE: [hosts a] count: "},
	{MODEL "[hosts a]\nmodel = two\ncount = 0\n",
	 "FILE: [hosts a] count: a fleet has 1 to"},
	{MODEL "[hosts a]\nmodel = two\ncount = 1048576\n[hosts b]\nmodel = two\n",
	 "FILE: [hosts b] count: a fleet has 1 to"},
	{MODEL "[hosts a]\nmodel = two\naggregates = a;;b\n",
	 "FILE: [hosts a] aggregates: \"\""},
	{MODEL "[hosts a]\nmodel = two\ntraits = a b\n",
	 "FILE: [hosts a] traits: \"a b\""},
	{MODEL "[hosts a]\nmodel = two\n[hosts a]\nmodel = two\n",
	 "[hosts a] is there twice"},
	{"[hosts a]\nmodel = two\nmodel = two\n", "is there twice"},
	{"host = x\n", "FILE"},
};

START_TEST(a_fleet_with_a_mistake_is_refused)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SchedFleet) fleet = parse(bad_fleets[_i].text, &error);

	ck_assert_ptr_null(fleet);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error->message, bad_fleets[_i].why) != NULL,
		      "\"%s\" lacks \"%s\"", error->message, bad_fleets[_i].why);
}
END_TEST

START_TEST(the_examples_are_fleets)
{
	static const char *const names[] = {"datacenter.fleet", "racks.fleet"};
	g_autofree char *path = g_build_filename(EXAMPLES, "fleet", names[_i], NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(SchedFleet) fleet = sched_fleet_load(path, &error);

	unit_assert_no_error(error);
	ck_assert_uint_gt(fleet->n_hosts, 0);
}
END_TEST

/* Traces. */

#define HEAD "tenant,start,end,memory\n"

static SchedTrace *open_text(const char *text)
{
	FILE *stream = fmemopen((char *)text, strlen(text), "r");

	ck_assert_ptr_nonnull(stream);
	return sched_trace_csv(stream, "FILE");
}

START_TEST(a_trace_has_guests)
{
	g_autoptr(SchedTrace) trace =
		open_text("# made by hand\n\nmemory, start,group,tenant,colors,end\r\n"
			  "4G,-1.5,,acme,,10\r\n\n# so\n2048M,0,web,x/y+=,3,\n");
	g_autoptr(GError) error = NULL;
	SchedGuest guest;

	ck_assert_int_eq(sched_trace_next(trace, &guest, &error), SCHED_TRACE_GUEST);
	ck_assert_str_eq(guest.tenant, "acme");
	ck_assert_uint_eq(guest.size, 4 * GiB);
	ck_assert(guest.start == -1.5 && guest.end == 10);
	ck_assert_uint_eq(guest.colors, 0);
	ck_assert_ptr_null(guest.group);
	ck_assert_int_eq(sched_trace_next(trace, &guest, &error), SCHED_TRACE_GUEST);
	ck_assert_str_eq(guest.tenant, "x/y+=");
	ck_assert_uint_eq(guest.size, 2 * GiB);
	ck_assert(guest.start == 0 && guest.end == SCHED_NEVER);
	ck_assert_uint_eq(guest.colors, 3);
	ck_assert_str_eq(guest.group, "web");
	ck_assert_int_eq(sched_trace_next(trace, &guest, &error), SCHED_TRACE_END);
	unit_assert_no_error(error);
}
END_TEST

static const struct {
	const char *text;
	const char *why;
} bad_traces[] = {
	{"\n", "FILE: line 2: the file is empty"},
	{"tenant,start,end\n", "FILE: line 1: there is no column memory"},
	{"tenant,start,end,memory,colours\n", "FILE: line 1: no such column \"colours\""},
	{"tenant,start,end,memory,start\n", "FILE: line 1: column start is there twice"},
	{HEAD "a,0,1\n", "FILE: line 2: has 3 fields, the first line 4"},
	{HEAD "a,0,1,1G,\n", "FILE: line 2: has more fields than the first line"},
	{HEAD "a,,1,1G\n", "FILE: line 2: start: \"\" is no number of seconds"},
	{HEAD "a,0x1,1,1G\n", "FILE: line 2: start: \"0x1\""},
	{HEAD "a,0,inf,1G\n", "FILE: line 2: end: \"inf\""},
	{HEAD "a,0,1e13,1G\n", "FILE: line 2: end: \"1e13\""},
	{HEAD "a,2,1,1G\n", "FILE: line 2: ends before it starts"},
	{HEAD "a,2,3,1G\na,1,3,1G\n", "FILE: line 3: starts before the line above"},
	{HEAD "a,0,1,3\n", "FILE: line 2: memory: 3 is no multiple of 2 MiB"},
	{HEAD "a,0,1,0\n", "FILE: line 2: memory: 0 is no multiple of 2 MiB"},
	{HEAD "a,0,1,much\n", "FILE: line 2: memory: \"much\" is not a size"},
	{HEAD ",0,1,1G\n", "FILE: line 2: tenant: is to have 1 to 128 bytes"},
	{"tenant,start,end,memory,colors\na,0,1,1G,70000\n", "FILE: line 2: colors: "},
	{HEAD "\xff,0,1,1G\n", "FILE: line 2: is not UTF-8 text"},
};

START_TEST(a_trace_with_a_mistake_is_refused)
{
	g_autoptr(SchedTrace) trace = open_text(bad_traces[_i].text);
	g_autoptr(GError) error = NULL;
	SchedTraceStatus status;
	SchedGuest guest;

	do {
		status = sched_trace_next(trace, &guest, &error);
	} while (status == SCHED_TRACE_GUEST);
	ck_assert_int_eq(status, SCHED_TRACE_ERROR);
	unit_assert_error(error, DAXC_ERROR_INVALID, bad_traces[_i].why);
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
	g_autofree char *text = g_strnfill(100000, 'x');
	g_autoptr(SchedTrace) trace = open_text(text);
	g_autoptr(GError) error = NULL;
	SchedGuest guest;

	ck_assert_int_eq(sched_trace_next(trace, &guest, &error), SCHED_TRACE_ERROR);
	unit_assert_error(error, DAXC_ERROR_INVALID, "line 1: is longer than");
}
END_TEST

START_TEST(the_example_is_a_trace)
{
	FILE *stream = fopen(EXAMPLES "/fleet/month.csv", "re");
	g_autoptr(SchedTrace) trace = NULL;
	g_autoptr(GError) error = NULL;
	SchedTraceStatus status;
	SchedGuest guest;
	guint n = 0;

	ck_assert_ptr_nonnull(stream);
	trace = sched_trace_csv(stream, "FILE");
	while ((status = sched_trace_next(trace, &guest, &error)) == SCHED_TRACE_GUEST)
		n++;
	unit_assert_no_error(error);
	ck_assert_int_eq(status, SCHED_TRACE_END);
	ck_assert_uint_gt(n, 10);
}
END_TEST

/* Made up traces. */

typedef struct {
	guint64 n;
	guint64 initial;
	guint64 small;
	guint64 large;
	guint64 hour;
	guint64 day;
	double memory;
	double life;
	double live_memory;
} Sums;

/* Adds up a trace; lives are those of guests that arrive after the first moment. */
static Sums add_up(const SchedGeneratorOptions *options)
{
	g_autoptr(SchedTrace) trace = sched_trace_generate(options);
	Sums sums = {0};
	SchedGuest guest;

	while (sched_trace_next(trace, &guest, NULL) == SCHED_TRACE_GUEST) {
		double until = options->days * 86400;

		ck_assert(guest.start >= 0 && guest.start < until);
		ck_assert(guest.end >= guest.start);
		sums.n++;
		sums.memory += (double)guest.size;
		sums.small += guest.size <= 2 * GiB;
		sums.large += guest.size > 64 * GiB;
		sums.live_memory += (double)guest.size *
				    (MIN(guest.end, until) - guest.start) / until;
		if (guest.start == 0) {
			sums.initial++;
			continue;
		}
		sums.life += guest.end - guest.start;
		sums.hour += guest.end - guest.start <= 3600;
		sums.day += guest.end - guest.start <= 20 * 3600;
	}
	return sums;
}

static void assert_near(double value, double expected, double tolerance)
{
	ck_assert_msg(value > expected * (1 - tolerance) &&
			      value < expected * (1 + tolerance),
		      "%g is not near %g", value, expected);
}

START_TEST(guests_are_as_published)
{
	SchedGeneratorOptions options = {
		.memory = 100000 * (double)GiB,
		.days = 30,
		.seed = (guint32)_i,
	};
	Sums sums;
	double n, arrived;

	sums = add_up(&options);
	n = (double)sums.n;
	arrived = (double)(sums.n - sums.initial);
	assert_near((double)sums.small / n, 0.12, 0.05);
	assert_near((double)sums.large / n, 0.035, 0.08);
	assert_near(sums.memory / n, sched_generated_memory(), 0.03);
	assert_near((double)sums.hour / arrived, 0.64, 0.02);
	assert_near((double)sums.day / arrived, 0.885, 0.02);
	assert_near(sums.life / arrived, sched_generated_life(), 0.05);
	/* In the public trace the mean is 60.3 hours. */
	assert_near(sched_generated_life(), 60.3 * 3600, 0.1);
	/* From the first moment on as many are there as are there later. */
	assert_near(sums.live_memory, options.memory, 0.05);
}
END_TEST

START_TEST(a_seed_makes_one_trace)
{
	SchedGeneratorOptions options = {.memory = 1000 * (double)GiB, .days = 3};
	g_autoptr(SchedTrace) one = sched_trace_generate(&options);
	g_autoptr(SchedTrace) same = sched_trace_generate(&options);
	g_autoptr(SchedTrace) other = NULL;
	gboolean differs = FALSE;
	SchedGuest a, b, c;

	options.seed = 1;
	other = sched_trace_generate(&options);
	while (sched_trace_next(one, &a, NULL) == SCHED_TRACE_GUEST) {
		ck_assert_int_eq(sched_trace_next(same, &b, NULL), SCHED_TRACE_GUEST);
		ck_assert(a.start == b.start && a.end == b.end && a.size == b.size);
		ck_assert_str_eq(a.tenant, b.tenant);
		if (sched_trace_next(other, &c, NULL) == SCHED_TRACE_GUEST)
			differs = differs || c.size != a.size;
	}
	ck_assert(differs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched-fleet");
	TCase *fleets = tcase_create("fleets");
	TCase *traces = tcase_create("traces");

	tcase_set_timeout(traces, 0);
	tcase_add_test(fleets, a_fleet_has_hosts_of_models);
	tcase_add_loop_test(fleets, a_fleet_with_a_mistake_is_refused, 0,
			    G_N_ELEMENTS(bad_fleets));
	tcase_add_loop_test(fleets, the_examples_are_fleets, 0, 2);
	tcase_add_test(traces, a_trace_has_guests);
	tcase_add_loop_test(traces, a_trace_with_a_mistake_is_refused, 0,
			    G_N_ELEMENTS(bad_traces));
	tcase_add_test(traces, a_line_without_end_is_refused);
	tcase_add_test(traces, the_example_is_a_trace);
	tcase_add_loop_test(traces, guests_are_as_published, 1, 4);
	tcase_add_test(traces, a_seed_makes_one_trace);
	suite_add_tcase(suite, fleets);
	suite_add_tcase(suite, traces);
	return unit_run(suite);
}
