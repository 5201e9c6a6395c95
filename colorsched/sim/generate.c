// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests as a public cloud has them. Sizes and lifetimes are the distributions of all of
 * Azure's VMs in 2019, read off the figures that come with Azure's public dataset V2
 * (github.com/Azure/AzurePublicDataset, the notebook of V2), which carries on the one
 * described by Cortez et al., "Resource Central", SOSP'17. Reading them off is good to
 * two percent; what else is approximated is in colorsched(1).
 */
#include <math.h>
#include <string.h>

#include "trace-priv.h"

#define GiB ((guint64)1 << 30)
#define HOUR 3600.0
#define DAY (24 * HOUR)
/* Live guests for each tenant in the public trace: 2,695,548 VMs with 162,465,708 hours
 * in 30 days, of 6,687 subscriptions. */
#define GUESTS_PER_TENANT 33.7
#define TENANT_NAME 24

/*
 * "VM Memory Distribution": up to 2 GB 12 %, 4 GB 16.5 %, 8 GB 32.5 %, 32 GB 29 %, 64 GB
 * 6.5 %, more 3.5 %. Within a range: the sizes that are usual.
 */
static const struct {
	double share;
	guint gib;
} sizes[] = {
	{0.060, 1},  {0.060, 2},  {0.165, 4},  {0.325, 8},
	{0.145, 16}, {0.145, 32}, {0.065, 64}, {0.035, 128},
};

/*
 * "VM Lifetime": the part of all VMs that live no longer than so many hours. Nothing is
 * shorter than 5 minutes. The figure ends at 100 hours, the trace at 720; the mean
 * lifetime (162,465,708 / 2,695,548 = 60.3 h, those that were cut off included) says that
 * most of those that live so long see its end, and they are taken to end there.
 */
static const struct {
	double part;
	double hours;
} lives[] = {
	{0.000, 1.0 / 12}, {0.640, 1},	 {0.700, 2},   {0.735, 3},   {0.780, 6},
	{0.815, 10},	   {0.870, 16},	 {0.885, 20},  {0.897, 30},  {0.905, 45},
	{0.910, 65},	   {0.918, 100}, {0.935, 720}, {1.000, 720},
};

/**
 * Generator:
 * @weight: for each tenant: share of guests that it and those before have
 * @initial: guests that are there at time 0 and have not been handed out
 * @interval: seconds between arrivals, on average
 */
typedef struct {
	SchedTrace trace;
	GRand *random;
	double *weight;
	guint tenants;
	guint64 initial;
	double interval;
	double now;
	double until;
	char tenant[TENANT_NAME];
} Generator;

double sched_generated_memory(void)
{
	double mean = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++)
		mean += sizes[i].share * (double)(sizes[i].gib * GiB);
	return mean;
}

double sched_generated_life(void)
{
	double mean = 0;

	for (gsize i = 1; i < G_N_ELEMENTS(lives); i++)
		mean += (lives[i].part - lives[i - 1].part) *
			(lives[i].hours + lives[i - 1].hours) / 2;
	return mean * HOUR;
}

static guint64 draw_size(GRand *random)
{
	double at = g_rand_double(random);
	gsize i = 0;

	while (i + 1 < G_N_ELEMENTS(sizes) && at >= sizes[i].share)
		at -= sizes[i++].share;
	return sizes[i].gib * GiB;
}

static double draw_life(GRand *random)
{
	double at = g_rand_double(random), part;
	gsize i = 1;

	while (i + 1 < G_N_ELEMENTS(lives) && at >= lives[i].part)
		i++;
	part = (at - lives[i - 1].part) / (lives[i].part - lives[i - 1].part);
	return HOUR * (lives[i - 1].hours + part * (lives[i].hours - lives[i - 1].hours));
}

/* What is left of the life of a guest that one meets: long lives are met more often. */
static double draw_rest(GRand *random)
{
	const double longest = lives[G_N_ELEMENTS(lives) - 1].hours * HOUR;
	double life;

	do {
		life = draw_life(random);
	} while (g_rand_double(random) * longest >= life);
	return life * g_rand_double(random);
}

/* The k-th of the tenants has 1/k as many guests as the first. */
static void make_weights(Generator *generator)
{
	double sum = 0;

	generator->weight = g_new(double, generator->tenants);
	for (guint i = 0; i < generator->tenants; i++) {
		sum += 1.0 / (i + 1);
		generator->weight[i] = sum;
	}
}

static guint draw_tenant(const Generator *generator)
{
	double at = g_rand_double(generator->random) *
		    generator->weight[generator->tenants - 1];
	guint low = 0, high = generator->tenants - 1;

	while (low < high) {
		guint middle = low + (high - low) / 2;

		if (generator->weight[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static SchedTraceStatus generator_next(SchedTrace *trace, SchedGuest *guest,
				       GError **error)
{
	Generator *generator = (Generator *)trace;
	GRand *random = generator->random;
	double life;

	if (generator->initial > 0) {
		generator->initial--;
		life = draw_rest(random);
	} else {
		generator->now -= generator->interval * log(1 - g_rand_double(random));
		if (!(generator->now < generator->until))
			return SCHED_TRACE_END;
		life = draw_life(random);
	}
	g_snprintf(generator->tenant, sizeof(generator->tenant), "t%u",
		   draw_tenant(generator) + 1);
	*guest = (SchedGuest){
		.start = generator->now,
		.end = generator->now + life,
		.tenant = generator->tenant,
		.size = draw_size(random),
	};
	return SCHED_TRACE_GUEST;
}

static void generator_free(SchedTrace *trace)
{
	Generator *generator = (Generator *)trace;

	g_rand_free(generator->random);
	g_free(generator->weight);
	g_free(generator);
}

SchedTrace *sched_trace_generate(const SchedGeneratorOptions *options)
{
	static const SchedTraceKind kind = {generator_next, generator_free};
	Generator *generator = g_new0(Generator, 1);
	double live = options->memory / sched_generated_memory();

	generator->trace.kind = &kind;
	generator->random = g_rand_new_with_seed(options->seed);
	generator->initial = (guint64)(live + 0.5);
	generator->interval = sched_generated_life() / live;
	generator->until = options->days * DAY;
	generator->tenants = options->tenants;
	if (generator->tenants == 0)
		generator->tenants = (guint)MAX(live / GUESTS_PER_TENANT, 1);
	make_weights(generator);
	return &generator->trace;
}
