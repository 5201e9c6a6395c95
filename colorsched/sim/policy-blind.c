// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policies that do not look at colors. They take granules by their addresses, so
 * that each unit has a map of its own; a tree over the units finds the first that has
 * room.
 */
#include "policy.h"

#define WORD 64u

/**
 * Blind:
 * @first: for each unit: where its granules begin in @taken, in words
 * @taken: a bit for each granule of the layout, also those without a color, which are
 *   taken from the start
 * @tree: free granules of the largest unit below each node; @leaves leaves
 */
typedef struct {
	SchedFleet *fleet;
	GRand *random;
	gsize *first;
	guint64 *taken;
	guint64 *tree;
	guint leaves;
	guint64 held;
} Blind;

static const DaxcZone *layout_zone(const Blind *blind, guint unit)
{
	guint host, zone;

	sched_fleet_find_unit(blind->fleet, unit, &host, &zone);
	return daxc_layout_zone(sched_fleet_model(blind->fleet, host)->layout, zone);
}

static gboolean is_taken(const Blind *blind, guint unit, guint32 i)
{
	return (blind->taken[blind->first[unit] + i / WORD] >> (i % WORD) & 1) != 0;
}

static void flip(Blind *blind, guint unit, guint32 i)
{
	blind->taken[blind->first[unit] + i / WORD] ^= (guint64)1 << (i % WORD);
}

/* Units by bytes that are free. */

static guint64 larger_child(const Blind *blind, gsize at)
{
	return MAX(blind->tree[2 * at], blind->tree[2 * at + 1]);
}

static void tree_set(Blind *blind, guint unit, guint64 bytes)
{
	gsize at = (gsize)blind->leaves + unit;

	blind->tree[at] = bytes;
	for (at /= 2; at > 0; at /= 2)
		blind->tree[at] = larger_child(blind, at);
}

static guint64 tree_get(const Blind *blind, guint unit)
{
	return blind->tree[blind->leaves + unit];
}

/* Returns: the first unit from @from on that has @bytes, or the number of leaves. */
static guint tree_find(const Blind *blind, guint from, guint64 bytes)
{
	gsize at = (gsize)blind->leaves + from;

	/* Up, until there is something to the right that has room, and down again. */
	while (blind->tree[at] < bytes) {
		while (at % 2 == 1)
			at /= 2;
		if (at == 0)
			return blind->leaves;
		at++;
	}
	while (at < blind->leaves)
		at = blind->tree[2 * at] >= bytes ? 2 * at : 2 * at + 1;
	return (guint)(at - blind->leaves);
}

static void make_maps(Blind *blind)
{
	gsize words = 0;

	blind->first = g_new(gsize, MAX(blind->fleet->units, 1));
	for (guint unit = 0; unit < blind->fleet->units; unit++) {
		blind->first[unit] = words;
		words += (layout_zone(blind, unit)->n + WORD - 1) / WORD;
	}
	blind->taken = g_new0(guint64, MAX(words, 1));
	for (guint unit = 0; unit < blind->fleet->units; unit++) {
		const DaxcZone *zone = layout_zone(blind, unit);
		guint64 free = 0;

		for (guint32 i = 0; i < zone->n; i++) {
			if (zone->color[i] == DAXC_NO_COLOR)
				flip(blind, unit, i);
			else
				free += zone->granule;
		}
		blind->tree[blind->leaves + unit] = free;
	}
}

static gpointer make(SchedFleet *fleet, GRand *random)
{
	Blind *blind = g_new0(Blind, 1);

	blind->fleet = fleet;
	blind->random = random;
	blind->leaves = 1;
	while (blind->leaves < fleet->units)
		blind->leaves *= 2;
	blind->tree = g_new0(guint64, 2 * (gsize)blind->leaves);
	make_maps(blind);
	for (gsize at = blind->leaves - 1; at > 0; at--)
		blind->tree[at] = larger_child(blind, at);
	return blind;
}

static gpointer make_first_fit(SchedFleet *fleet, guint32 seed)
{
	return make(fleet, NULL);
}

static gpointer make_random(SchedFleet *fleet, guint32 seed)
{
	return make(fleet, g_rand_new_with_seed(seed));
}

static void blind_free(gpointer self)
{
	Blind *blind = self;

	g_clear_pointer(&blind->random, g_rand_free);
	g_free(blind->first);
	g_free(blind->taken);
	g_free(blind->tree);
	g_free(blind);
}

static guint find_unit(const Blind *blind, const SchedArrival *arrival)
{
	guint unit = 0;

	while (unit < blind->leaves) {
		guint host, zone;
		guint64 granule, bytes;

		unit = tree_find(blind, unit, arrival->size);
		if (unit == blind->leaves)
			break;
		sched_fleet_find_unit(blind->fleet, unit, &host, &zone);
		granule = layout_zone(blind, unit)->granule;
		bytes = (arrival->size + granule - 1) / granule * granule;
		if (tree_get(blind, unit) >= bytes &&
		    !(arrival->avoid &&
		      g_hash_table_contains(arrival->avoid, GUINT_TO_POINTER(host))))
			return unit;
		unit++;
	}
	return blind->leaves;
}

/* The lowest addresses. */
static void take_lowest(Blind *blind, const DaxcZone *zone, SchedStay *stay)
{
	guint32 n = 0;

	for (guint32 i = 0; n < stay->n && i < zone->n; i++) {
		if (!is_taken(blind, stay->unit, i))
			stay->item[n++] = i;
	}
}

/* Any, each with the same chance. */
static void take_random(Blind *blind, const DaxcZone *zone, SchedStay *stay)
{
	g_autofree guint32 *free = g_new(guint32, zone->n);
	guint32 n = 0;

	for (guint32 i = 0; i < zone->n; i++) {
		if (!is_taken(blind, stay->unit, i))
			free[n++] = i;
	}
	for (guint32 i = 0; i < stay->n; i++) {
		guint32 at = i + (guint32)(g_rand_double(blind->random) * (n - i));
		guint32 swap = free[at];

		free[at] = free[i];
		stay->item[i] = free[i] = swap;
	}
}

/* Items are granules. */
static SchedStay *admit(gpointer self, const SchedArrival *arrival)
{
	Blind *blind = self;
	guint unit = find_unit(blind, arrival);
	const DaxcZone *zone;
	SchedStay *stay;
	guint32 n;

	if (unit == blind->leaves)
		return NULL;
	zone = layout_zone(blind, unit);
	n = (guint32)((arrival->size + zone->granule - 1) / zone->granule);
	stay = g_malloc(sizeof(*stay) + n * sizeof(guint32));
	stay->unit = unit;
	stay->n = n;
	if (blind->random)
		take_random(blind, zone, stay);
	else
		take_lowest(blind, zone, stay);
	for (guint32 i = 0; i < n; i++)
		flip(blind, unit, stay->item[i]);
	tree_set(blind, unit, tree_get(blind, unit) - n * zone->granule);
	blind->held += n * zone->granule;
	return stay;
}

static void leave(gpointer self, SchedStay *stay, guint32 tenant, guint32 guest)
{
	Blind *blind = self;
	guint64 bytes = stay->n * layout_zone(blind, stay->unit)->granule;

	for (guint32 i = 0; i < stay->n; i++)
		flip(blind, stay->unit, stay->item[i]);
	tree_set(blind, stay->unit, tree_get(blind, stay->unit) + bytes);
	blind->held -= bytes;
	g_free(stay);
}

static SchedUse use(gpointer self, const SchedStay *stay, guint32 i)
{
	return (SchedUse){layout_zone(self, stay->unit)->color[stay->item[i]], 1};
}

static guint64 held(gpointer self)
{
	return ((Blind *)self)->held;
}

/* Who does not look at colors keeps none for anybody. */
static guint64 idle(gpointer self)
{
	return 0;
}

const SchedPolicy sched_policy_first_fit = {
	.name = "first-fit",
	.summary = "first host with room, lowest addresses, whatever their color",
	.make = make_first_fit,
	.free = blind_free,
	.admit = admit,
	.leave = leave,
	.use = use,
	.held = held,
	.idle = idle,
};

const SchedPolicy sched_policy_random = {
	.name = "random",
	.summary = "first host with room, granules at random",
	.make = make_random,
	.free = blind_free,
	.admit = admit,
	.leave = leave,
	.use = use,
	.held = held,
	.idle = idle,
};
