// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit by unit: granules of each color, and of each color those of each tenant. */
#include "conflict.h"

#include <stdlib.h>
#include <string.h>

/* Parts are counted by the thousandth. */
#define BINS 1001u

/**
 * SchedMeter:
 * @bins: guests by the part that they lose
 * @all, @mine: for each color of a unit: granules of all guests, of one tenant's; 0
 *   between looks
 * @colors: for each tenant: colors that it has, in this look
 * @tenants: those that have any
 */
struct SchedMeter {
	const SchedFleet *fleet;
	guint64 bins[BINS];
	guint64 samples;
	guint64 touched;
	double sum;
	double most;
	guint32 *all;
	guint32 *mine;
	GArray *colors;
	GArray *tenants;
	double colors_sum;
	guint64 tenants_sum;
	guint64 colors_most;
};

SchedMeter *sched_meter_new(const SchedFleet *fleet)
{
	SchedMeter *meter = g_new0(SchedMeter, 1);
	guint32 most = 1;

	for (guint i = 0; i < fleet->models->len; i++) {
		const SchedModel *model = g_ptr_array_index(fleet->models, i);

		for (guint z = 0; z < model->zones->len; z++)
			most = MAX(most, sched_model_zone(model, z)->colors);
	}
	meter->fleet = fleet;
	meter->all = g_new0(guint32, most);
	meter->mine = g_new0(guint32, most);
	meter->colors = g_array_new(FALSE, TRUE, sizeof(guint64));
	meter->tenants = g_array_new(FALSE, FALSE, sizeof(guint32));
	return meter;
}

void sched_meter_free(SchedMeter *meter)
{
	g_free(meter->all);
	g_free(meter->mine);
	g_array_unref(meter->colors);
	g_array_unref(meter->tenants);
	g_free(meter);
}

static int by_unit_and_tenant(const void *a, const void *b)
{
	const SchedPlaced *one = a, *other = b;

	if (one->stay->unit != other->stay->unit)
		return one->stay->unit < other->stay->unit ? -1 : 1;
	return (one->tenant > other->tenant) - (one->tenant < other->tenant);
}

static void count_colors(SchedMeter *meter, guint32 tenant, guint32 colors)
{
	guint64 *count;

	if (meter->colors->len <= tenant)
		g_array_set_size(meter->colors, tenant + 1);
	count = &g_array_index(meter->colors, guint64, tenant);
	if (*count == 0)
		g_array_append_val(meter->tenants, tenant);
	*count += colors;
}

static void add_sample(SchedMeter *meter, double part)
{
	meter->samples++;
	meter->sum += part;
	meter->most = MAX(meter->most, part);
	meter->touched += part > 0;
	meter->bins[(guint)(part * (BINS - 1) + 0.5)]++;
}

/* The part of its cache that a guest of the tenant loses whose granules are in @mine. */
static double lost_part(const SchedMeter *meter, const SchedPolicy *policy, gpointer self,
			const SchedStay *stay)
{
	double lost = 0;
	guint64 granules = 0;

	for (guint32 i = 0; i < stay->n; i++) {
		SchedUse use = policy->use(self, stay, i);
		guint32 all = meter->all[use.color];

		lost += (double)use.used * (all - meter->mine[use.color]) / all;
		granules += use.used;
	}
	return lost / (double)granules;
}

/* The guests of one tenant in one unit. */
static void look_at_tenant(SchedMeter *meter, const SchedPolicy *policy, gpointer self,
			   const SchedPlaced *placed, gsize n)
{
	guint32 colors = 0;

	for (gsize i = 0; i < n; i++) {
		for (guint32 k = 0; k < placed[i].stay->n; k++) {
			SchedUse use = policy->use(self, placed[i].stay, k);

			colors += meter->mine[use.color] == 0;
			meter->mine[use.color] += use.used;
		}
	}
	for (gsize i = 0; i < n; i++)
		add_sample(meter, lost_part(meter, policy, self, placed[i].stay));
	for (gsize i = 0; i < n; i++) {
		for (guint32 k = 0; k < placed[i].stay->n; k++)
			meter->mine[policy->use(self, placed[i].stay, k).color] = 0;
	}
	count_colors(meter, placed[0].tenant, colors);
}

/* The guests in one unit. */
static void look_at_unit(SchedMeter *meter, const SchedPolicy *policy, gpointer self,
			 const SchedPlaced *placed, gsize n)
{
	gsize end;

	for (gsize i = 0; i < n; i++) {
		for (guint32 k = 0; k < placed[i].stay->n; k++) {
			SchedUse use = policy->use(self, placed[i].stay, k);

			meter->all[use.color] += use.used;
		}
	}
	for (gsize i = 0; i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (placed[end].tenant != placed[i].tenant)
				break;
		}
		look_at_tenant(meter, policy, self, placed + i, end - i);
	}
	for (gsize i = 0; i < n; i++) {
		for (guint32 k = 0; k < placed[i].stay->n; k++)
			meter->all[policy->use(self, placed[i].stay, k).color] = 0;
	}
}

void sched_meter_look(SchedMeter *meter, const SchedPolicy *policy, gpointer self,
		      SchedPlaced *placed, gsize n)
{
	gsize end;

	if (n == 0)
		return;
	qsort(placed, n, sizeof(*placed), by_unit_and_tenant);
	for (gsize i = 0; i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (placed[end].stay->unit != placed[i].stay->unit)
				break;
		}
		look_at_unit(meter, policy, self, placed + i, end - i);
	}
	for (guint i = 0; i < meter->tenants->len; i++) {
		guint64 *colors =
			&g_array_index(meter->colors, guint64,
				       g_array_index(meter->tenants, guint32, i));

		meter->colors_sum += (double)*colors;
		meter->colors_most = MAX(meter->colors_most, *colors);
		*colors = 0;
	}
	meter->tenants_sum += meter->tenants->len;
	g_array_set_size(meter->tenants, 0);
}

/* The part that as many of the guests as @share do not exceed. */
static double quantile(const SchedMeter *meter, double share)
{
	guint64 below = 0;

	for (guint i = 0; i < BINS; i++) {
		below += meter->bins[i];
		if ((double)below >= share * (double)meter->samples)
			return (double)i / (BINS - 1);
	}
	return 1;
}

void sched_meter_read(const SchedMeter *meter, SchedConflict *conflict, double *colors,
		      guint64 *colors_most)
{
	*conflict = (SchedConflict){.samples = meter->samples, .most = meter->most};
	*colors_most = meter->colors_most;
	*colors = 0;
	if (meter->samples == 0)
		return;
	conflict->mean = meter->sum / (double)meter->samples;
	conflict->median = quantile(meter, 0.5);
	conflict->high = quantile(meter, 0.99);
	conflict->touched = (double)meter->touched / (double)meter->samples;
	*colors = meter->colors_sum / (double)meter->tenants_sum;
}
