// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The sentence of a refusal: what is needed, what is free, who holds the rest.
 * Nothing here decides anything, and nothing here need be fast.
 */
#include "refusal.h"

#include <stdlib.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/* What a sentence names of each kind before it only counts the rest. */
#define RUNS_MAX 10
#define GROUPS_MAX 10
#define TENANTS_MAX 3
#define NODES_MAX 4
#define CELLS_MAX 8

/* One color of one zone. */
typedef struct {
	guint32 total;
	guint32 free;
	guint32 bad;
} Tally;

typedef struct {
	const DaxcLayout *layout;
	const char *tenant;
	guint32 user; /* of @tenant; DAXC_USER_NONE when it has nothing */
	const DaxcRefused *cells;
	guint n_cells;
	gboolean all_wanted;
	guint8 *wanted; /* for each color */
	GString *text;
	GArray *holders; /* (element-type guint32): tenants that could make room */
} Sentence;

/* Colors that have something in common, and are named together. */
typedef struct {
	guint64 key;
	GArray *colors;
} Group;

static void group_clear(gpointer data)
{
	Group *group = data;

	g_array_unref(group->colors);
}

static GArray *groups_new(void)
{
	GArray *groups = g_array_new(FALSE, TRUE, sizeof(Group));

	g_array_set_clear_func(groups, group_clear);
	return groups;
}

static void groups_add(GArray *groups, guint64 key, guint32 color)
{
	Group *group;
	guint i = 0;

	while (i < groups->len && g_array_index(groups, Group, i).key != key)
		i++;
	if (i == groups->len)
		g_array_set_size(groups, i + 1);
	group = &g_array_index(groups, Group, i);
	group->key = key;
	if (!group->colors)
		group->colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_array_append_val(group->colors, color);
}

static const char *plural(guint64 n)
{
	return n == 1 ? "" : "s";
}

/* "color 3", "colors 0,4-7", "colors 0,2,4 and 97 more" */
static void add_colors(GString *text, const GArray *colors)
{
	g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_autofree char *list = NULL;
	guint runs = 0;

	for (guint i = 0; i < colors->len; i++) {
		guint32 color = g_array_index(colors, guint32, i);

		if (i == 0 || color != g_array_index(colors, guint32, i - 1) + 1)
			runs++;
		if (runs > RUNS_MAX)
			break;
		g_array_append_val(named, color);
	}
	list = daxc_color_list_format(named);
	g_string_append_printf(text, "color%s %s", plural(colors->len), list);
	if (named->len < colors->len)
		g_string_append_printf(text, " and %u more", colors->len - named->len);
}

/* The zones that any of the cells could be in, those of one node together. */
static GArray *all_zones(const Sentence *sentence)
{
	GArray *zones = g_array_new(FALSE, FALSE, sizeof(guint));
	g_autofree guint8 *seen = g_new0(guint8, daxc_layout_zones(sentence->layout));

	for (guint i = 0; i < sentence->n_cells; i++) {
		const GArray *own = sentence->cells[i].zones;

		for (guint j = 0; j < own->len; j++) {
			guint zone = g_array_index(own, guint, j);

			if (!seen[zone])
				g_array_append_val(zones, zone);
			seen[zone] = 1;
		}
	}
	return zones;
}

static const DaxcZone *zone_at(const Sentence *sentence, const GArray *zones, guint i)
{
	return daxc_layout_zone(sentence->layout, g_array_index(zones, guint, i));
}

static guint count_nodes(const Sentence *sentence, const GArray *zones)
{
	guint n = 0;

	for (guint i = 0; i < zones->len; i++) {
		if (i == 0 || zone_at(sentence, zones, i)->node !=
				      zone_at(sentence, zones, i - 1)->node)
			n++;
	}
	return n;
}

/* "on node 1", "on node 1 or 2", "in one region of node 1" */
static void add_place(Sentence *sentence, const GArray *zones)
{
	guint nodes = count_nodes(sentence, zones), named = 0;

	g_string_append(sentence->text, nodes == 1 && zones->len > 1
						? " in one region of node"
						: " on node");
	for (guint i = 0; i < zones->len; i++) {
		gint node = zone_at(sentence, zones, i)->node;

		if (i > 0 && node == zone_at(sentence, zones, i - 1)->node)
			continue;
		if (named == NODES_MAX) {
			g_string_append_printf(sentence->text, " or %u more",
					       nodes - named);
			break;
		}
		g_string_append_printf(sentence->text, "%s%d",
				       named == 0	    ? " "
				       : named + 1 == nodes ? " or "
							    : ", ",
				       node);
		named++;
	}
}

static guint64 granules_of(guint64 size, guint64 granule)
{
	return size / granule + (size % granule != 0);
}

/* "cell 0 needs 3 GiB (3 granules) in exactly 2 colors on node 1" */
static void add_need(Sentence *sentence, const DaxcRefused *refused)
{
	const DaxcCellRequest *cell = refused->cell;
	guint64 granule = zone_at(sentence, refused->zones, 0)->granule;
	guint64 n = granules_of(cell->size, granule);
	g_autofree char *size = daxc_size_format(cell->size);

	g_string_append_printf(sentence->text,
			       "cell %u needs %s (%" G_GUINT64_FORMAT " granule%s",
			       cell->id, size, n, plural(n));
	if (granule != DAXC_GRANULE_MAX) {
		g_autofree char *unit = daxc_size_format(granule);

		g_string_append_printf(sentence->text, " of %s", unit);
	}
	g_string_append_c(sentence->text, ')');
	if (cell->wish == DAXC_WISH_COUNT) {
		g_string_append_printf(sentence->text, " in exactly %u color%s",
				       cell->count, plural(cell->count));
	} else if (cell->wish == DAXC_WISH_LIST) {
		g_string_append(sentence->text, " in exactly ");
		add_colors(sentence->text, cell->list);
	}
	add_place(sentence, refused->zones);
}

static void add_needs(Sentence *sentence)
{
	if (sentence->n_cells > 1)
		g_string_append_printf(sentence->text, "%u cells do not fit together: ",
				       sentence->n_cells);
	for (guint i = 0; i < sentence->n_cells; i++) {
		if (i == CELLS_MAX) {
			g_string_append_printf(sentence->text, ", and %u more",
					       sentence->n_cells - i);
			break;
		}
		g_string_append(sentence->text, i > 0 ? ", " : "");
		add_need(sentence, &sentence->cells[i]);
	}
}

/* Notes which colors any of the cells could use, were they free. */
static void note_wanted(Sentence *sentence)
{
	for (guint i = 0; i < sentence->n_cells; i++) {
		const DaxcCellRequest *cell = sentence->cells[i].cell;

		if (cell->wish != DAXC_WISH_LIST)
			sentence->all_wanted = TRUE;
		for (guint j = 0; !sentence->all_wanted && j < cell->list->len; j++)
			sentence->wanted[g_array_index(cell->list, guint32, j)] = 1;
	}
}

static gboolean wanted(const Sentence *sentence, guint32 color)
{
	return sentence->all_wanted || sentence->wanted[color];
}

static gboolean usable(const Sentence *sentence, guint32 owner)
{
	return owner == DAXC_USER_NONE || owner == sentence->user;
}

static Tally *tally_zone(const DaxcZone *zone, guint32 colors)
{
	Tally *tally = g_new0(Tally, colors);

	for (guint32 i = 0; i < zone->n; i++) {
		if (zone->color[i] == DAXC_NO_COLOR)
			continue;
		tally[zone->color[i]].total++;
		tally[zone->color[i]].free += zone->user[i] == DAXC_USER_NONE;
		tally[zone->color[i]].bad += zone->user[i] == DAXC_USER_BAD;
	}
	return tally;
}

static void add_free_groups(GString *text, const GArray *groups)
{
	for (guint i = 0; i < groups->len; i++) {
		const Group *group = &g_array_index(groups, Group, i);
		guint32 total = (guint32)group->key;

		if (i == GROUPS_MAX) {
			guint rest = 0;

			for (; i < groups->len; i++)
				rest += g_array_index(groups, Group, i).colors->len;
			g_string_append_printf(text, ", and %u more color%s", rest,
					       plural(rest));
			break;
		}
		g_string_append(text, i > 0 ? ", " : "");
		add_colors(text, group->colors);
		g_string_append_printf(text, " (%u of %u", (guint32)(group->key >> 32),
				       total);
		if (i == 0)
			g_string_append_printf(text, " granule%s", plural(total));
		g_string_append(text, group->colors->len > 1 ? " each)" : ")");
	}
}

/* "color 1 (2 of 2 granules), color 3 (1 of 2)" */
static void add_free(Sentence *sentence, const DaxcZone *zone)
{
	const DaxcLayoutDomain *domain =
		daxc_layout_domain(sentence->layout, zone->domain);
	g_autofree Tally *tally = tally_zone(zone, domain->colors);
	g_autoptr(GArray) groups = groups_new();
	g_autoptr(GArray) failed = g_array_new(FALSE, FALSE, sizeof(guint32));
	guint bad = 0;

	for (guint32 c = 0; c < domain->colors; c++) {
		if (!usable(sentence, domain->owner[c]) || !wanted(sentence, c))
			continue;
		if (tally[c].free > 0)
			groups_add(groups, (guint64)tally[c].free << 32 | tally[c].total,
				   c);
		if (tally[c].bad > 0)
			g_array_append_val(failed, c);
		bad += tally[c].bad;
	}
	if (groups->len == 0)
		g_string_append(sentence->text, "nothing");
	add_free_groups(sentence->text, groups);
	if (bad > 0) {
		g_string_append_printf(sentence->text, ", and %u granule%s of ", bad,
				       plural(bad));
		add_colors(sentence->text, failed);
		g_string_append(sentence->text,
				bad == 1 ? " has failed" : " have failed");
	}
}

#define IS_HELD 1
#define IS_FREE 2

/* For each color of a cache domain whether a granule of it is held, or free. */
static guint8 *color_flags(const Sentence *sentence, guint index)
{
	guint8 *flags =
		g_new0(guint8, daxc_layout_domain(sentence->layout, index)->colors);

	for (guint i = 0; i < daxc_layout_zones(sentence->layout); i++) {
		const DaxcZone *zone = daxc_layout_zone(sentence->layout, i);

		if (zone->domain != index)
			continue;
		for (guint32 j = 0; j < zone->n; j++) {
			if (zone->color[j] == DAXC_NO_COLOR ||
			    zone->user[j] == DAXC_USER_BAD)
				continue;
			flags[zone->color[j]] |=
				zone->user[j] == DAXC_USER_NONE ? IS_FREE : IS_HELD;
		}
	}
	return flags;
}

static void note_holder(Sentence *sentence, guint32 user)
{
	for (guint i = 0; i < sentence->holders->len; i++) {
		if (g_array_index(sentence->holders, guint32, i) == user)
			return;
	}
	g_array_append_val(sentence->holders, user);
}

#define RESERVED (G_GUINT64_CONSTANT(1) << 32)

static void add_owner(Sentence *sentence, const Group *group)
{
	guint32 owner = (guint32)group->key;
	const char *name = daxc_layout_tenant_name(sentence->layout, owner);

	add_colors(sentence->text, group->colors);
	if (owner == DAXC_USER_FOREIGN) {
		g_string_append(sentence->text,
				" by an instance daxcolor does not know (see "
				"`daxcolor list`)");
	} else if (group->key & RESERVED) {
		g_string_append_printf(sentence->text, " reserved for tenant %s", name);
	} else {
		g_string_append_printf(sentence->text, " by tenant %s%s", name,
				       owner == sentence->user ? " itself" : "");
		note_holder(sentence, owner);
	}
}

/* "; held: color 0 by tenant beta, color 2 by tenant gamma" */
static void add_held(Sentence *sentence, guint index)
{
	const DaxcLayoutDomain *domain = daxc_layout_domain(sentence->layout, index);
	g_autofree guint8 *flags = color_flags(sentence, index);
	g_autoptr(GArray) groups = groups_new();

	for (guint32 c = 0; c < domain->colors; c++) {
		guint32 owner = domain->owner[c];
		gboolean reserved = owner != DAXC_USER_FOREIGN && !(flags[c] & IS_HELD);

		if (owner == DAXC_USER_NONE || !wanted(sentence, c))
			continue;
		if (owner == sentence->user && (reserved || flags[c] & IS_FREE))
			continue;
		groups_add(groups, owner | (reserved ? RESERVED : 0), c);
	}
	for (guint i = 0; i < groups->len; i++) {
		if (i == GROUPS_MAX) {
			g_string_append_printf(sentence->text, ", and others by %u more",
					       groups->len - i);
			break;
		}
		g_string_append(sentence->text, i > 0 ? ", " : "; held: ");
		add_owner(sentence, &g_array_index(groups, Group, i));
	}
}

/* What is free and held on one node: zones [@from, @to) of @zones. */
static void add_node(Sentence *sentence, const GArray *zones, guint from, guint to,
		     gboolean only)
{
	const DaxcZone *first = zone_at(sentence, zones, from);

	g_string_append_printf(sentence->text, "; free for tenant %s ", sentence->tenant);
	if (only)
		g_string_append(sentence->text, "there: ");
	else
		g_string_append_printf(sentence->text, "on node %d: ", first->node);
	for (guint i = from; i < to; i++) {
		const DaxcZone *zone = zone_at(sentence, zones, i);

		if (i > from)
			g_string_append(sentence->text, ", ");
		if (to - from > 1)
			g_string_append_printf(sentence->text, "in region %u ",
					       zone->region);
		add_free(sentence, zone);
	}
	add_held(sentence, first->domain);
}

static void add_nodes(Sentence *sentence, const GArray *zones)
{
	guint nodes = count_nodes(sentence, zones), named = 0;
	guint from = 0;

	while (from < zones->len) {
		guint to = from;
		gint node = zone_at(sentence, zones, from)->node;

		while (to < zones->len && zone_at(sentence, zones, to)->node == node)
			to++;
		if (named == NODES_MAX) {
			g_string_append_printf(sentence->text, "; and %u more node%s",
					       nodes - named, plural(nodes - named));
			return;
		}
		add_node(sentence, zones, from, to, nodes == 1);
		named++;
		from = to;
	}
}

static int compare_descending(const void *a, const void *b)
{
	guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

	return (one < other) - (one > other);
}

/* Granules that a cell could have in a zone if nobody else were there. */
static guint64 most_for(const Sentence *sentence, const DaxcCellRequest *cell,
			const DaxcZone *zone)
{
	guint32 colors = daxc_layout_domain(sentence->layout, zone->domain)->colors;
	g_autofree Tally *tally = tally_zone(zone, colors);
	g_autofree guint32 *good = g_new(guint32, colors);
	guint64 most = 0;

	for (guint32 c = 0; c < colors; c++)
		good[c] = tally[c].total - tally[c].bad;
	if (cell->wish == DAXC_WISH_LIST) {
		for (guint i = 0; i < cell->list->len; i++)
			most += good[g_array_index(cell->list, guint32, i)];
		return most;
	}
	if (cell->wish == DAXC_WISH_COUNT) {
		qsort(good, colors, sizeof(*good), compare_descending);
		colors = MIN(colors, cell->count);
	}
	for (guint32 c = 0; c < colors; c++)
		most += good[c];
	return most;
}

/* Returns: (nullable): a cell that would not fit if nobody else were there. */
static const DaxcCellRequest *too_large(const Sentence *sentence)
{
	for (guint i = 0; i < sentence->n_cells; i++) {
		const DaxcRefused *refused = &sentence->cells[i];
		gboolean fits = FALSE;

		for (guint j = 0; j < refused->zones->len && !fits; j++) {
			const DaxcZone *zone = zone_at(sentence, refused->zones, j);

			fits = granules_of(refused->cell->size, zone->granule) <=
			       most_for(sentence, refused->cell, zone);
		}
		if (!fits)
			return refused->cell;
	}
	return NULL;
}

static void add_remedy(Sentence *sentence)
{
	guint n = sentence->holders->len;

	const DaxcCellRequest *never = too_large(sentence);

	if (never && never->wish == DAXC_WISH_ANY) {
		g_string_append(sentence->text,
				"; no region there is that large: ask for less");
		return;
	}
	if (never) {
		g_string_append(sentence->text,
				"; these colors are not that large: ask for "
				"more of them, or for less memory");
		return;
	}
	g_string_append(sentence->text, "; ");
	for (guint i = 0; i < n; i++) {
		guint32 user = g_array_index(sentence->holders, guint32, i);

		if (i == TENANTS_MAX) {
			g_string_append(sentence->text, " or another");
			break;
		}
		g_string_append_printf(sentence->text, "%s%s",
				       i == 0 ? "stop a guest of "
				       : i + 1 == MIN(n, TENANTS_MAX + 1) ? " or "
									  : ", ",
				       daxc_layout_tenant_name(sentence->layout, user));
	}
	g_string_append(sentence->text, n > 0 ? ", or ask for less" : "ask for less");
}

void daxc_refuse(const DaxcLayout *layout, const char *tenant, const DaxcRefused *cells,
		 guint n_cells, gboolean cut_short, GError **error)
{
	Sentence sentence = {
		.layout = layout,
		.tenant = tenant,
		.user = daxc_layout_find_tenant(layout, tenant),
		.cells = cells,
		.n_cells = n_cells,
	};
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GArray) holders = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_autoptr(GArray) zones = all_zones(&sentence);

	g_autofree guint8 *wanted_colors = g_new0(guint8, DAXC_COLORS_MAX);

	sentence.text = text;
	sentence.wanted = wanted_colors;
	note_wanted(&sentence);
	sentence.holders = holders;
	add_needs(&sentence);
	if (cut_short)
		g_string_append(text, "; no way was found, but there are too many to try "
				      "them all: name a node for each cell");
	add_nodes(&sentence, zones);
	add_remedy(&sentence);
	g_set_error_literal(error, DAXC_ERROR, DAXC_ERROR_REFUSED, text->str);
}
