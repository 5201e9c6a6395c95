// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which granules a request gets. Cells are given counts of granules by color
 * first (choose.c, share.c); only then are granules picked to make up the counts.
 */
#include <daxcolor/plan.h>

#include <string.h>

#include <daxcolor/error.h>

#include "choose.h"
#include "layout.h"
#include "refusal.h"
#include "share.h"

/* Work of the search for a way to place several cells: well under a second. */
#define SEARCH_STEPS (G_GINT64_CONSTANT(1) << 24)
/* With no more cells than this a refusal says which of them it is about. */
#define NARROW_MAX 8

/**
 * Job: one cell on its way to a place.
 * @zones: (element-type guint): where it could be, the most liked first, those of
 *   one node together
 * @zone: where it is
 * @choice: the colors it has there
 * @share: its part in a search
 */
typedef struct {
	const DaxcCellRequest *cell;
	GArray *zones;
	guint zone;
	DaxcChoice choice;
	DaxcShare share;
} Job;

/**
 * Planner: one run of daxc_plan_new().
 * @user: the tenant's user value, DAXC_USER_NONE when it has nothing yet
 * @stock: for each zone; free is NULL until it is looked at
 * @owned: for each cache domain, for each color: the tenant's, or about to be;
 *   NULL until it is looked at
 * @jobs: (element-type Job): in order of cell
 * @guests: for each zone: (element-type DaxcShare): who is there in the search
 */
typedef struct {
	const DaxcLayout *layout;
	const char *tenant;
	guint32 user;
	DaxcStock *stock;
	guint8 **owned;
	GPtrArray *jobs;
	GPtrArray **guests;
} Planner;

static void cell_plan_destroy(gpointer cell)
{
	daxc_cell_plan_free(cell);
}

static const DaxcZone *zone_at(const Planner *planner, guint zone)
{
	return daxc_layout_zone(planner->layout, zone);
}

static const DaxcLayoutDomain *domain_of(const Planner *planner, guint zone)
{
	return daxc_layout_domain(planner->layout, zone_at(planner, zone)->domain);
}

/* Granules that a cell needs in a zone, which may be more than any zone has. */
static guint64 granules_of(const DaxcCellRequest *cell, const DaxcZone *zone)
{
	return cell->size / zone->granule + (cell->size % zone->granule != 0);
}

/* The colors of a list. */
static const guint32 *list_of(const DaxcCellRequest *cell)
{
	return (const void *)cell->list->data;
}

/* What is free, and whose. */

static guint8 *owned_colors(Planner *planner, guint index)
{
	const DaxcLayoutDomain *domain = daxc_layout_domain(planner->layout, index);

	if (planner->owned[index])
		return planner->owned[index];
	planner->owned[index] = g_new0(guint8, domain->colors);
	for (guint32 c = 0; planner->user != DAXC_USER_NONE && c < domain->colors; c++)
		planner->owned[index][c] = domain->owner[c] == planner->user;
	return planner->owned[index];
}

/* Counts what the tenant could get in a zone, in one pass over it. */
static DaxcStock *stock_of(Planner *planner, guint zone_index)
{
	DaxcStock *stock = &planner->stock[zone_index];
	const DaxcZone *zone = zone_at(planner, zone_index);
	const DaxcLayoutDomain *domain = domain_of(planner, zone_index);

	if (stock->free)
		return stock;
	stock->colors = domain->colors;
	stock->owned = owned_colors(planner, zone->domain);
	/* One more, where granules without a color are counted. */
	stock->free = g_new0(guint32, (gsize)domain->colors + 1);
	for (guint32 i = 0; i < zone->n; i++)
		stock->free[MIN(zone->color[i], domain->colors)] += zone->user[i] ==
								    DAXC_USER_NONE;
	stock->total = 0;
	for (guint32 c = 0; c < domain->colors; c++) {
		if (domain->owner[c] != DAXC_USER_NONE &&
		    domain->owner[c] != planner->user)
			stock->free[c] = 0;
		stock->total += stock->free[c];
	}
	return stock;
}

/* Back to what the layout says. */
static void forget_stock(Planner *planner)
{
	for (guint i = 0; i < daxc_layout_zones(planner->layout); i++)
		g_clear_pointer(&planner->stock[i].free, g_free);
	for (guint i = 0; i < daxc_layout_domains(planner->layout); i++)
		g_clear_pointer(&planner->owned[i], g_free);
}

/* Where a cell could be. */

typedef struct {
	guint zone;
	guint distance;
	gint node;
	guint region;
} Candidate;

static gint compare_candidates(gconstpointer a, gconstpointer b)
{
	const Candidate *one = a, *other = b;

	if (one->distance != other->distance)
		return one->distance < other->distance ? -1 : 1;
	if (one->node != other->node)
		return one->node < other->node ? -1 : 1;
	return (one->region > other->region) - (one->region < other->region);
}

static guint distance_to(const Planner *planner, const DaxcCellRequest *cell, gint node)
{
	guint nearest = G_MAXUINT;

	if (cell->node != DAXC_ANY_NODE || cell->near->len == 0)
		return 0;
	for (guint i = 0; i < cell->near->len; i++) {
		gint from = g_array_index(cell->near, gint, i);

		nearest = MIN(nearest, daxc_layout_distance(planner->layout, from, node));
	}
	return nearest;
}

/* "0-2,5": the nodes that have a zone. */
static char *list_nodes(const Planner *planner)
{
	g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(guint32));

	for (guint i = 0; i < daxc_layout_domains(planner->layout); i++) {
		gboolean has_zone = FALSE;
		guint32 node = (guint32)daxc_layout_domain(planner->layout, i)->node;

		for (guint j = 0; j < daxc_layout_zones(planner->layout); j++)
			has_zone |= zone_at(planner, j)->domain == i;
		if (has_zone)
			g_array_append_val(nodes, node);
	}
	return daxc_color_list_format(nodes);
}

/* Whether a zone could ever grant the wish of a cell; why not, in @error. */
static gboolean check_wish(const Planner *planner, const DaxcCellRequest *cell,
			   guint zone, GError **error)
{
	const DaxcLayoutDomain *domain = domain_of(planner, zone);
	guint64 granules = granules_of(cell, zone_at(planner, zone));
	guint64 count = 0;

	if (cell->wish == DAXC_WISH_COUNT) {
		count = cell->count;
	} else if (cell->wish == DAXC_WISH_LIST) {
		guint32 last = g_array_index(cell->list, guint32, cell->list->len - 1);

		count = cell->list->len;
		if (last >= domain->colors) {
			g_set_error(
				error, DAXC_ERROR, DAXC_ERROR_INVALID,
				"cell %u asks for color %u, but node %d has only colors "
				"0-%u",
				cell->id, last, domain->node, domain->colors - 1);
			return FALSE;
		}
	}
	if (count > domain->colors) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u asks for %u colors, but node %d has only %u",
			    cell->id, (guint)count, domain->node, domain->colors);
		return FALSE;
	}
	if (count > granules) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u asks for %u colors, but is only %u granule%s large: "
			    "each "
			    "color must hold at least one",
			    cell->id, (guint)count, (guint)granules,
			    granules == 1 ? "" : "s");
		return FALSE;
	}
	return TRUE;
}

static gboolean refuse_node(const Planner *planner, const DaxcCellRequest *cell,
			    GError **error)
{
	g_autofree char *nodes = list_nodes(planner);

	if (nodes[0] == '\0')
		g_set_error(error, DAXC_ERROR,
			    cell->node == DAXC_ANY_NODE ? DAXC_ERROR_REFUSED
							: DAXC_ERROR_INVALID,
			    "no node of this host has a dax region behind a memory-side "
			    "cache: `daxcolor doctor` says what is missing");
	else
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u asks for node %d, which has no dax region behind a "
			    "memory-side cache: such nodes are %s",
			    cell->id, cell->node, nodes);
	return FALSE;
}

/* Finds the zones that could hold a cell on an empty host. */
static gboolean find_zones(const Planner *planner, Job *job, GError **error)
{
	g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
	g_autoptr(GError) why = NULL;

	for (guint i = 0; i < daxc_layout_zones(planner->layout); i++) {
		const DaxcZone *zone = zone_at(planner, i);
		Candidate candidate = {i, 0, zone->node, zone->region};

		if (job->cell->node != DAXC_ANY_NODE && job->cell->node != zone->node)
			continue;
		if (!check_wish(planner, job->cell, i, why ? NULL : &why))
			continue;
		candidate.distance = distance_to(planner, job->cell, zone->node);
		g_array_append_val(candidates, candidate);
	}
	if (candidates->len == 0) {
		if (!why)
			return refuse_node(planner, job->cell, error);
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	g_array_sort(candidates, compare_candidates);
	for (guint i = 0; i < candidates->len; i++)
		g_array_append_val(job->zones,
				   g_array_index(candidates, Candidate, i).zone);
	return TRUE;
}

static void job_free(gpointer data)
{
	Job *job = data;

	g_array_unref(job->zones);
	daxc_choice_clear(&job->choice);
	daxc_choice_clear(&job->share.choice);
	g_free(job);
}

static gboolean make_jobs(Planner *planner, const DaxcRequest *request, GError **error)
{
	for (guint i = 0; i < request->cells->len; i++) {
		Job *job = g_new0(Job, 1);

		job->cell = g_ptr_array_index(request->cells, i);
		job->zones = g_array_new(FALSE, FALSE, sizeof(guint));
		g_ptr_array_add(planner->jobs, job);
		if (!find_zones(planner, job, error))
			return FALSE;
	}
	return TRUE;
}

/* One cell after the other. */

static gboolean choose_in(Planner *planner, const Job *job, guint zone,
			  DaxcChoice *choice)
{
	const DaxcCellRequest *cell = job->cell;
	DaxcStock *stock = stock_of(planner, zone);
	guint64 need = granules_of(cell, zone_at(planner, zone));

	if (need > stock->total)
		return FALSE;
	if (cell->wish == DAXC_WISH_LIST)
		return daxc_choose_list(stock, (guint32)need, list_of(cell),
					cell->list->len, choice);
	return daxc_choose(stock, (guint32)need,
			   cell->wish == DAXC_WISH_COUNT ? cell->count : 0, choice);
}

/* Whether a choice in one zone fits better than the best in the node so far. */
static gboolean fits_better(Planner *planner, const DaxcChoice *choice, guint zone,
			    const Job *best)
{
	if (choice->fresh != best->choice.fresh)
		return choice->fresh < best->choice.fresh;
	if (choice->n != best->choice.n)
		return choice->n < best->choice.n;
	if (choice->claimed != best->choice.claimed)
		return choice->claimed < best->choice.claimed;
	return stock_of(planner, zone)->total < stock_of(planner, best->zone)->total;
}

/* Finds the zone of the nearest node with room that fits @job best. */
static gboolean choose_zone(Planner *planner, Job *job)
{
	gboolean found = FALSE;
	gint node = DAXC_ANY_NODE;

	for (guint i = 0; i < job->zones->len; i++) {
		guint zone = g_array_index(job->zones, guint, i);
		g_auto(DaxcChoice) choice = {0};

		if (found && zone_at(planner, zone)->node != node)
			break;
		node = zone_at(planner, zone)->node;
		if (!choose_in(planner, job, zone, &choice))
			continue;
		if (found && !fits_better(planner, &choice, zone, job))
			continue;
		daxc_choice_clear(&job->choice);
		job->choice = choice;
		choice = (DaxcChoice){0};
		job->zone = zone;
		found = TRUE;
	}
	return found;
}

/* Takes what a job chose, so that the next one sees it. */
static void take(Planner *planner, const Job *job)
{
	guint8 *owned = owned_colors(planner, zone_at(planner, job->zone)->domain);

	daxc_stock_take(stock_of(planner, job->zone), &job->choice);
	for (guint32 i = 0; i < job->choice.n; i++)
		owned[job->choice.color[i]] = 1;
}

static guint freedom(const Job *job)
{
	static const guint wishes[] = {
		[DAXC_WISH_LIST] = 0,
		[DAXC_WISH_COUNT] = 2,
		[DAXC_WISH_ANY] = 4,
	};

	return wishes[job->cell->wish] + (job->cell->node == DAXC_ANY_NODE);
}

static gint compare_freedom(gconstpointer a, gconstpointer b)
{
	const Job *one = *(Job *const *)a, *other = *(Job *const *)b;
	guint this = freedom(one), that = freedom(other);

	if (this != that)
		return this < that ? -1 : 1;
	return (one->cell->id > other->cell->id) - (one->cell->id < other->cell->id);
}

static GPtrArray *sorted_jobs(GPtrArray *jobs, GCompareFunc compare)
{
	GPtrArray *sorted = g_ptr_array_copy(jobs, NULL, NULL);

	g_ptr_array_set_free_func(sorted, NULL);
	g_ptr_array_sort(sorted, compare);
	return sorted;
}

/* Those with the least choice first, each where it likes best. */
static gboolean place_in_turn(Planner *planner)
{
	g_autoptr(GPtrArray) jobs = sorted_jobs(planner->jobs, compare_freedom);

	for (guint i = 0; i < jobs->len; i++) {
		Job *job = g_ptr_array_index(jobs, i);

		if (!choose_zone(planner, job))
			return FALSE;
		take(planner, job);
	}
	return TRUE;
}

/* All cells at once, every way. */

static gint compare_size(gconstpointer a, gconstpointer b)
{
	const Job *one = *(Job *const *)a, *other = *(Job *const *)b;
	guint this = freedom(one), that = freedom(other);

	if (this != that)
		return this < that ? -1 : 1;
	if (one->cell->size != other->cell->size)
		return one->cell->size > other->cell->size ? -1 : 1;
	return (one->cell->id > other->cell->id) - (one->cell->id < other->cell->id);
}

static gboolean same_array(const GArray *one, const GArray *other, gsize size)
{
	return one->len == other->len &&
	       (one->len == 0 || memcmp(one->data, other->data, one->len * size) == 0);
}

/* Cells that ask for the same are interchangeable. */
static gboolean same_wish(const Job *one, const Job *other)
{
	const DaxcCellRequest *a = one->cell, *b = other->cell;

	if (a->size != b->size || a->wish != b->wish ||
	    !same_array(one->zones, other->zones, sizeof(guint)))
		return FALSE;
	if (a->wish == DAXC_WISH_COUNT)
		return a->count == b->count;
	return a->wish == DAXC_WISH_ANY || same_array(a->list, b->list, sizeof(guint32));
}

static void fill_share(const Planner *planner, Job *job, guint zone)
{
	const DaxcCellRequest *cell = job->cell;

	job->zone = zone;
	job->share.need = (guint32)granules_of(cell, zone_at(planner, zone));
	job->share.wish = cell->wish;
	job->share.n = cell->wish == DAXC_WISH_LIST ? cell->list->len : cell->count;
	job->share.list = list_of(cell);
}

/* Places @jobs from @index up, the one before in zone @before of its own. */
static gboolean search(Planner *planner, GPtrArray *jobs, guint index, guint before,
		       gint64 *steps)
{
	Job *job;
	guint first = 0;

	if (index == jobs->len)
		return TRUE;
	job = g_ptr_array_index(jobs, index);
	if (index > 0 && same_wish(g_ptr_array_index(jobs, index - 1), job))
		first = before;
	for (guint i = first; i<job->zones->len && * steps> 0; i++) {
		guint zone = g_array_index(job->zones, guint, i);
		GPtrArray *guests = planner->guests[zone];
		DaxcStock *stock = stock_of(planner, zone);

		if (granules_of(job->cell, zone_at(planner, zone)) > stock->total)
			continue;
		fill_share(planner, job, zone);
		g_ptr_array_add(guests, &job->share);
		if (daxc_share(stock, guests, steps) &&
		    search(planner, jobs, index + 1, i, steps))
			return TRUE;
		g_ptr_array_set_size(guests, (gint)guests->len - 1);
	}
	return FALSE;
}

/* Tries every way to place @jobs on what the layout has. */
static gboolean can_place(Planner *planner, GPtrArray *jobs, gint64 *steps)
{
	g_autoptr(GPtrArray) sorted = sorted_jobs(jobs, compare_size);

	for (guint i = 0; i < daxc_layout_zones(planner->layout); i++)
		g_ptr_array_set_size(planner->guests[i], 0);
	return search(planner, sorted, 0, 0, steps);
}

/* Turns the outcome of a search into choices. */
static void settle(Planner *planner)
{
	g_autoptr(GPtrArray) jobs = sorted_jobs(planner->jobs, compare_freedom);

	for (guint i = 0; i < jobs->len; i++) {
		Job *job = g_ptr_array_index(jobs, i);

		daxc_choice_clear(&job->choice);
		if (job->cell->wish == DAXC_WISH_ANY) {
			choose_in(planner, job, job->zone, &job->choice);
		} else {
			job->choice = job->share.choice;
			job->share.choice = (DaxcChoice){0};
		}
		take(planner, job);
	}
}

/* Why not. */

static void refuse(const Planner *planner, GPtrArray *jobs, gboolean cut_short,
		   GError **error)
{
	g_autofree DaxcRefused *cells = g_new(DaxcRefused, jobs->len);

	for (guint i = 0; i < jobs->len; i++) {
		const Job *job = g_ptr_array_index(jobs, i);

		cells[i] = (DaxcRefused){job->cell, job->zones};
	}
	daxc_refuse(planner->layout, planner->tenant, cells, jobs->len, cut_short, error);
}

/* Names a cell that cannot even be placed alone. */
static gboolean refuse_alone(Planner *planner, GError **error)
{
	for (guint i = 0; i < planner->jobs->len; i++) {
		Job *job = g_ptr_array_index(planner->jobs, i);
		g_autoptr(GPtrArray) alone = NULL;

		if (choose_zone(planner, job))
			continue;
		alone = g_ptr_array_new();
		g_ptr_array_add(alone, job);
		refuse(planner, alone, FALSE, error);
		return TRUE;
	}
	return FALSE;
}

/* Leaves out cells without which the others do not fit together either. */
static GPtrArray *narrow(Planner *planner)
{
	GPtrArray *jobs = g_ptr_array_copy(planner->jobs, NULL, NULL);

	g_ptr_array_set_free_func(jobs, NULL);
	for (guint i = jobs->len; i-- > 0 && jobs->len > 2 && jobs->len <= NARROW_MAX;) {
		gint64 steps = SEARCH_STEPS / NARROW_MAX;
		Job *job = g_ptr_array_steal_index(jobs, i);

		if (can_place(planner, jobs, &steps) || steps == 0)
			g_ptr_array_insert(jobs, (gint)i, job);
	}
	return jobs;
}

static gboolean place_together(Planner *planner, GError **error)
{
	gint64 steps = SEARCH_STEPS;
	g_autoptr(GPtrArray) jobs = NULL;

	forget_stock(planner);
	if (refuse_alone(planner, error))
		return FALSE;
	if (can_place(planner, planner->jobs, &steps)) {
		settle(planner);
		return TRUE;
	}
	jobs = steps > 0 ? narrow(planner) : g_ptr_array_ref(planner->jobs);
	refuse(planner, jobs, steps == 0, error);
	return FALSE;
}

/* Granules for counts. */

/* A free granule of a chosen color, and the length of the hole it is in. */
typedef struct {
	guint32 index;
	guint32 hole;
} Spot;

/**
 * Shelf: the granules picked in one zone.
 * @index: granules of the zone, those of one color together
 * @at: for each color, where its next one is
 */
typedef struct {
	guint32 *index;
	guint32 *at;
} Shelf;

static void shelf_clear(Shelf *shelf)
{
	g_free(shelf->index);
	g_free(shelf->at);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Shelf, shelf_clear)

static gboolean is_free(const DaxcZone *zone, guint32 i)
{
	return zone->user[i] == DAXC_USER_NONE && zone->color[i] != DAXC_NO_COLOR;
}

/* Finds all free granules of the colors that are wanted, by address. */
static guint32 find_spots(const DaxcZone *zone, const guint32 *wanted, Spot *spot)
{
	guint32 n = 0;
	guint32 hole_end = 0, hole = 0;

	for (guint32 i = 0; i < zone->n; i++) {
		guint32 start = i;

		if (zone->user[i] != DAXC_USER_NONE || zone->color[i] == DAXC_NO_COLOR ||
		    wanted[zone->color[i]] == 0)
			continue;
		if (i >= hole_end) {
			while (start > hole_end && is_free(zone, start - 1))
				start--;
			for (hole_end = i + 1; hole_end < zone->n; hole_end++) {
				if (!is_free(zone, hole_end))
					break;
			}
			hole = hole_end - start;
		}
		spot[n++] = (Spot){i, hole};
	}
	return n;
}

/* Orders by hole, small ones first, and keeps the order of address in it. */
static guint32 *by_hole(const Spot *spot, guint32 n)
{
	guint32 *order = g_new(guint32, MAX(n, 1));
	g_autofree guint32 *place = NULL;
	guint32 largest = 0, at = 0;

	for (guint32 i = 0; i < n; i++)
		largest = MAX(largest, spot[i].hole);
	place = g_new0(guint32, (gsize)largest + 1);
	for (guint32 i = 0; i < n; i++)
		place[spot[i].hole]++;
	for (guint32 hole = 0; hole <= largest; hole++) {
		guint32 count = place[hole];

		place[hole] = at;
		at += count;
	}
	for (guint32 i = 0; i < n; i++)
		order[place[spot[i].hole]++] = spot[i].index;
	return order;
}

/* Puts those first that need the least waiting, and else keeps the order. */
static void by_wait(const DaxcZone *zone, guint32 *order, guint32 n)
{
	g_autofree guint32 *sorted = g_new(guint32, MAX(n, 1));
	guint32 at = 0;

	for (guint wait = DAXC_WAIT_NONE; wait <= DAXC_WAIT_SCRUB; wait++) {
		for (guint32 i = 0; i < n; i++) {
			if (zone->wait[order[i]] == wait)
				sorted[at++] = order[i];
		}
	}
	memcpy(order, sorted, n * sizeof(*order));
}

/* Picks the granules of all jobs in one zone. */
static void fill_shelf(const Planner *planner, guint zone_index, Shelf *shelf)
{
	const DaxcZone *zone = zone_at(planner, zone_index);
	guint32 colors = domain_of(planner, zone_index)->colors;
	g_autofree guint32 *wanted = g_new0(guint32, colors);
	g_autofree guint32 *order = NULL;
	g_autofree Spot *spot = NULL;
	guint32 total = 0, n;

	for (guint i = 0; i < planner->jobs->len; i++) {
		const Job *job = g_ptr_array_index(planner->jobs, i);

		for (guint32 j = 0; job->zone == zone_index && j < job->choice.n; j++)
			wanted[job->choice.color[j]] += job->choice.used[j];
	}
	shelf->at = g_new(guint32, colors);
	for (guint32 c = 0; c < colors; c++) {
		shelf->at[c] = total;
		total += wanted[c];
	}
	shelf->index = g_new(guint32, MAX(total, 1));
	spot = g_new(Spot, MAX(zone->n, 1));
	n = find_spots(zone, wanted, spot);
	order = by_hole(spot, n);
	by_wait(zone, order, n);
	for (guint32 i = 0; i < n; i++) {
		guint32 color = zone->color[order[i]];

		if (wanted[color] == 0)
			continue;
		shelf->index[shelf->at[color]++] = order[i];
		wanted[color]--;
	}
	for (guint i = 0; i < planner->jobs->len; i++) {
		const Job *job = g_ptr_array_index(planner->jobs, i);

		for (guint32 j = 0; job->zone == zone_index && j < job->choice.n; j++)
			shelf->at[job->choice.color[j]] -= job->choice.used[j];
	}
}

/* Joins granules that are neighbors in page order and in memory. */
static GArray *make_extents(const GArray *granules, guint64 granule, guint64 size)
{
	GArray *extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	DaxcExtent *last = NULL;

	for (guint i = 0; i < granules->len; i++) {
		DaxcExtent extent = {
			.start = g_array_index(granules, DaxcGranule, i).start,
			.size = MIN(granule, size),
		};

		size -= extent.size;
		if (last && last->start + last->size == extent.start) {
			last->size += extent.size;
			continue;
		}
		g_array_append_val(extents, extent);
		last = &g_array_index(extents, DaxcExtent, extents->len - 1);
	}
	return extents;
}

/* The largest page that can map the whole cell. */
static guint64 align_of(const GArray *extents)
{
	guint64 bits = 0;

	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);

		bits |= extent->start | extent->size;
	}
	return bits % DAXC_GRANULE_MAX == 0 ? DAXC_GRANULE_MAX : DAXC_GRANULE_MIN;
}

static DaxcCellPlan *make_cell_plan(const Planner *planner, const Job *job, Shelf *shelf)
{
	const DaxcZone *zone = zone_at(planner, job->zone);
	DaxcCellPlan *cell = g_new0(DaxcCellPlan, 1);
	guint32 n = (guint32)granules_of(job->cell, zone);
	g_autofree guint32 *order = g_new(guint32, n);

	cell->cell = job->cell->id;
	cell->region = zone->region;
	cell->node = zone->node;
	cell->size = job->cell->size;
	cell->granule = zone->granule;
	cell->granules = g_array_sized_new(FALSE, FALSE, sizeof(DaxcGranule), n);
	daxc_alternate(job->choice.used, job->choice.n, n, order);
	for (guint32 i = 0; i < n; i++) {
		guint32 color = job->choice.color[order[i]];
		guint32 index = shelf->index[shelf->at[color]++];
		DaxcGranule granule = {zone->start + index * zone->granule, color};

		g_array_append_val(cell->granules, granule);
	}
	cell->extents = make_extents(cell->granules, zone->granule, cell->size);
	cell->align = align_of(cell->extents);
	return cell;
}

static DaxcPlan *make_plan(const Planner *planner)
{
	DaxcPlan *plan = g_new0(DaxcPlan, 1);

	plan->cells = g_ptr_array_new_full(planner->jobs->len, cell_plan_destroy);
	g_ptr_array_set_size(plan->cells, (gint)planner->jobs->len);
	for (guint zone = 0; zone < daxc_layout_zones(planner->layout); zone++) {
		g_auto(Shelf) shelf = {0};

		for (guint i = 0; i < planner->jobs->len; i++) {
			const Job *job = g_ptr_array_index(planner->jobs, i);

			if (job->zone != zone)
				continue;
			if (!shelf.index)
				fill_shelf(planner, zone, &shelf);
			plan->cells->pdata[i] = make_cell_plan(planner, job, &shelf);
		}
	}
	return plan;
}

static void planner_clear(Planner *planner)
{
	forget_stock(planner);
	for (guint i = 0; i < daxc_layout_zones(planner->layout); i++)
		g_ptr_array_unref(planner->guests[i]);
	g_free(planner->guests);
	g_free(planner->stock);
	g_free(planner->owned);
	g_ptr_array_unref(planner->jobs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Planner, planner_clear)

DaxcPlan *daxc_plan_new(const DaxcLayout *layout, const DaxcRequest *request,
			GError **error)
{
	g_auto(Planner) planner = {
		.layout = layout,
		.tenant = request->tenant,
		.stock = g_new0(DaxcStock, daxc_layout_zones(layout)),
		.owned = g_new0(guint8 *, daxc_layout_domains(layout)),
		.jobs = g_ptr_array_new_with_free_func(job_free),
		.guests = g_new0(GPtrArray *, daxc_layout_zones(layout)),
	};

	for (guint i = 0; i < daxc_layout_zones(layout); i++)
		planner.guests[i] = g_ptr_array_new();
	if (!daxc_request_check(request, error))
		return NULL;
	planner.user = daxc_layout_find_tenant(layout, request->tenant);
	if (!make_jobs(&planner, request, error))
		return NULL;
	if (!place_in_turn(&planner) && !place_together(&planner, error))
		return NULL;
	return make_plan(&planner);
}
