// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long planning takes as hosts grow: 256 tenants hold 70 % of the granules.
 * Beside it two yardsticks of the same run: one pass over all granules that
 * counts the free ones by color, and a memcpy of the arrays of the layout.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-glib/json-glib.h>

#include "core/layout.h"

#define GiB (G_GUINT64_CONSTANT(1) << 30)
#define TENANTS 256u
#define COLORS 512u
/* Colors that have an owner; granules of these that are held make 70 % of all. */
#define OWNED 400u
#define HELD (0.7 * COLORS / OWNED)
#define REQUESTS 1000u
#define LARGEST 64u

/*
 * Nanoseconds, medians but for @slow, which 99 % of the plans are below. @tenth is
 * a guest of a tenth of the host; @growth is of @plan, per doubling since the last.
 */
typedef struct {
	guint32 granules;
	double build;
	double plan;
	double slow;
	double tenth;
	double refusal;
	double pass;
	double copy;
	double growth;
} Result;

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return (one > other) - (one < other);
}

static double median(double *times, guint n)
{
	qsort(times, n, sizeof(*times), compare);
	return times[n / 2];
}

static void die(const GError *error)
{
	fprintf(stderr, "bench-plan: %s\n", error->message);
	exit(EXIT_FAILURE);
}

static char *tenant_name(guint index)
{
	return g_strdup_printf("tenant-%u", index);
}

static void fill(DaxcLayout *layout, GRand *random)
{
	const DaxcZone *zone = daxc_layout_zone(layout, 0);
	guint32 users[TENANTS];
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < TENANTS; i++) {
		g_autofree char *name = tenant_name(i);

		users[i] = daxc_layout_tenant(layout, name);
	}
	for (guint32 i = 0; i < zone->n; i++) {
		guint32 color = zone->color[i];

		if (color >= OWNED || (i >= COLORS && g_rand_double(random) >= HELD))
			continue;
		if (!daxc_layout_use(layout, zone->start + i * zone->granule,
				     zone->granule, users[color % TENANTS], &error))
			die(error);
	}
}

static DaxcLayout *make_host(guint32 granules, GRand *random, double *build)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GPtrArray) regions = g_ptr_array_new_with_free_func(g_free);
	DaxcCacheDomain domain = {
		.node = 1,
		.kind = DAXC_GEOMETRY_ROTATE,
		.cache_size = COLORS * GiB,
		.granule = GiB,
		.colors = COLORS,
	};
	DaxcRegion *region = g_new0(DaxcRegion, 1);
	g_autoptr(GError) error = NULL;
	double start = now();
	DaxcLayout *layout;

	region->node = 1;
	region->start = 4 * GiB;
	region->size = granules * GiB;
	g_ptr_array_add(regions, region);
	if (!daxc_geometry_add(geometry, &domain, &error))
		die(error);
	layout = daxc_layout_new(geometry, regions);
	fill(layout, random);
	*build = now() - start;
	return layout;
}

static DaxcRequest *make_request(guint tenant, guint64 size)
{
	g_autofree char *name = tenant_name(tenant);
	DaxcRequest *request =
		daxc_request_new("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "guest", name);

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, size));
	return request;
}

/* One guest of 1 to LARGEST GiB, of a tenant that is there or of a new one. */
static DaxcRequest *random_request(GRand *random)
{
	guint tenant = (guint)g_rand_int_range(random, 0, (gint)TENANTS + 16);
	guint size = (guint)g_rand_int_range(random, 1, (gint)LARGEST + 1);
	DaxcRequest *request = make_request(tenant, size * GiB);
	DaxcCellRequest *cell = g_ptr_array_index(request->cells, 0);

	if (g_rand_int_range(random, 0, 4) == 0) {
		cell->wish = DAXC_WISH_COUNT;
		cell->count = (guint)g_rand_int_range(random, 1, (gint)MIN(size, 8) + 1);
	}
	return request;
}

static void time_plans(const DaxcLayout *layout, GRand *random, Result *result)
{
	g_autofree double *times = g_new(double, REQUESTS);
	guint n = 0;

	for (guint i = 0; i < REQUESTS; i++) {
		g_autoptr(DaxcRequest) request = random_request(random);
		double start = now();
		g_autoptr(DaxcPlan) plan = daxc_plan_new(layout, request, NULL);
		double took = now() - start;

		if (plan)
			times[n++] = took;
	}
	if (n < REQUESTS / 2) {
		fprintf(stderr, "bench-plan: most requests were refused\n");
		exit(EXIT_FAILURE);
	}
	result->plan = median(times, n);
	result->slow = times[n * 99 / 100];
}

/* Returns: median time of a request for @size of a tenant that is new. */
static double time_size(const DaxcLayout *layout, guint64 size, gboolean granted)
{
	enum {
		TIMES = 50
	};
	g_autoptr(DaxcRequest) request = make_request(TENANTS, size);
	double times[TIMES];

	for (guint i = 0; i < TIMES; i++) {
		g_autoptr(GError) error = NULL;
		double start = now();
		g_autoptr(DaxcPlan) plan = daxc_plan_new(layout, request, &error);

		times[i] = now() - start;
		if ((plan != NULL) != granted) {
			fprintf(stderr,
				"bench-plan: a tenth of the host was refused, or all "
				"of it granted\n");
			exit(EXIT_FAILURE);
		}
	}
	return median(times, TIMES);
}

static void time_yardsticks(const DaxcZone *zone, Result *result)
{
	gsize bytes = zone->n * sizeof(guint32);
	g_autofree guint32 *copy = g_malloc(2 * bytes);
	g_autofree double *pass = g_new(double, REQUESTS);
	g_autofree double *move = g_new(double, REQUESTS);

	for (guint i = 0; i < REQUESTS; i++) {
		volatile guint32 keep;
		guint32 free[COLORS] = {0};
		double start = now();

		for (guint32 j = 0; j < zone->n; j++)
			free[zone->color[j] % COLORS] += zone->user[j] == DAXC_USER_NONE;
		pass[i] = now() - start;
		keep = free[i % COLORS];
		start = now();
		memcpy(copy, zone->color, bytes);
		memcpy(copy + zone->n, zone->user, bytes);
		move[i] = now() - start;
		keep = copy[(keep + i) % zone->n];
		(void)keep;
	}
	result->pass = median(pass, REQUESTS);
	result->copy = median(move, REQUESTS);
}

static Result measure(guint32 granules)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	Result result = {.granules = granules};
	g_autoptr(DaxcLayout) layout = make_host(granules, random, &result.build);

	time_plans(layout, random, &result);
	result.tenth = time_size(layout, granules / 10 * GiB, TRUE);
	result.refusal = time_size(layout, granules * GiB, FALSE);
	time_yardsticks(daxc_layout_zone(layout, 0), &result);
	return result;
}

/* The factor per doubling that leads from @before to @after. */
static double per_doubling(const Result *before, const Result *after)
{
	return pow(after->plan / before->plan,
		   1 / log2((double)after->granules / before->granules));
}

static void print_text(const Result *results, guint n)
{
	printf("one cell of 1 to %u GiB on 1 GiB granules, %u tenants, %u colors, 70 %% "
	       "held\n",
	       LARGEST, TENANTS, COLORS);
	printf("%9s %9s %9s %9s %9s %9s %9s %9s %9s %7s\n", "granules", "build us",
	       "plan us", "99 % us", "tenth us", "refuse us", "pass us", "memcpy us",
	       "plan/pass", "growth");
	for (guint i = 0; i < n; i++) {
		const Result *r = &results[i];

		printf("%9u %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %9.2f", r->granules,
		       r->build / 1e3, r->plan / 1e3, r->slow / 1e3, r->tenth / 1e3,
		       r->refusal / 1e3, r->pass / 1e3, r->copy / 1e3, r->plan / r->pass);
		if (r->growth > 0)
			printf(" %7.2f\n", r->growth);
		else
			printf(" %7s\n", "-");
	}
	printf("build: of the layout; plan: median of %u requests; tenth: a guest of a "
	       "tenth of "
	       "the host;\nrefuse: one that does not fit; pass: counting free granules "
	       "by color; "
	       "memcpy: of the\nlayout's arrays; growth: of plan, per doubling of "
	       "granules\n",
	       REQUESTS);
}

static void add_number(JsonBuilder *builder, const char *name, double value)
{
	json_builder_set_member_name(builder, name);
	json_builder_add_double_value(builder, value);
}

static void print_json(const Result *results, guint n)
{
	g_autoptr(JsonBuilder) builder = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *text = NULL;

	json_builder_begin_array(builder);
	for (guint i = 0; i < n; i++) {
		const Result *r = &results[i];

		json_builder_begin_object(builder);
		json_builder_set_member_name(builder, "granules");
		json_builder_add_int_value(builder, r->granules);
		json_builder_set_member_name(builder, "tenants");
		json_builder_add_int_value(builder, TENANTS);
		json_builder_set_member_name(builder, "colors");
		json_builder_add_int_value(builder, COLORS);
		add_number(builder, "build_ns", r->build);
		add_number(builder, "plan_ns", r->plan);
		add_number(builder, "plan_99_ns", r->slow);
		add_number(builder, "tenth_ns", r->tenth);
		add_number(builder, "refusal_ns", r->refusal);
		add_number(builder, "pass_ns", r->pass);
		add_number(builder, "memcpy_ns", r->copy);
		add_number(builder, "plan_per_pass", r->plan / r->pass);
		json_builder_set_member_name(builder, "growth_per_doubling");
		if (r->growth > 0)
			json_builder_add_double_value(builder, r->growth);
		else
			json_builder_add_null_value(builder);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
	root = json_builder_get_root(builder);
	text = json_to_string(root, TRUE);
	printf("%s\n", text);
}

#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
#define SLOW_BUILD TRUE
#else
#define SLOW_BUILD FALSE
#endif

int main(int argc, char **argv)
{
	static const guint32 sizes[] = {16384, 65536, 131072};
	Result results[G_N_ELEMENTS(sizes)];
	gboolean json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc > 1 && !json) {
		fprintf(stderr, "usage: bench-plan [--json]\n");
		return 2;
	}
	if (SLOW_BUILD)
		fprintf(stderr,
			"bench-plan: built without optimization or with sanitizers: "
			"only the growth means anything\n");
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		results[i] = measure(sizes[i]);
		if (i > 0)
			results[i].growth = per_doubling(&results[i - 1], &results[i]);
	}
	if (json)
		print_json(results, G_N_ELEMENTS(sizes));
	else
		print_text(results, G_N_ELEMENTS(sizes));
	return 0;
}
