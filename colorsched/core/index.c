// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a zone costs a tenant who owns nothing there depends on the zone of the model
 * and on how many of its colors nobody owns, by their size. All units for which that is
 * the same are one kind. An answer is looked for among one unit of each kind, the
 * first, and the units where the tenant has colors that are not full.
 */
#include "index.h"

#include <string.h>

/**
 * Kind: units that are alike.
 * @id: index in the index's kinds
 * @nobodys: for each size of color of the zone: colors of that size that nobody owns
 * @room: bytes of them
 * @units: (element-type guint): a heap, the first of them on top
 * @live: where it is in the list of kinds that have units
 */
typedef struct {
	guint id;
	guint pool_index;
	const SchedPool *pool;
	guint zone;
	guint32 *nobodys;
	guint64 room;
	GArray *units;
	guint live;
} Kind;

/* Sizes that colors of a zone of a pool have, in granules. */
typedef struct {
	guint32 n;
	guint32 *size;
	guint32 *size_of; /* for each color: index in @size */
} Sizes;

/**
 * Share: where a tenant has colors that are not full. Where all of its colors are, it
 * finds no more than anybody else.
 * @own: granules of them that are free
 */
typedef struct {
	guint unit;
	guint64 own;
} Share;

/* What is asked for of a zone where the tenant has nothing. */
typedef struct {
	guint64 size;
	guint32 count;
} Ask;

/* What a kind answers; @known is FALSE as long as it was not asked. */
typedef struct {
	gboolean known;
	gboolean possible;
	guint32 fresh;
	guint64 stranded;
} Answer;

/**
 * SchedIndex:
 * @sizes: for each pool, for each zone
 * @kind_of: for each unit
 * @place: for each unit: where it is in the heap of its kind
 * @kinds: (element-type Kind): all that there ever were
 * @by_key: (element-type Kind): by pool, zone and counts
 * @live: (element-type Kind): those that have units
 * @shares: (element-type GArray of Share): by tenant
 * @answers: (element-type GArray of Answer): by Ask; each by kind
 * @mark: for each unit: the last choice whose tenant has a share there
 * @choices: number of the choice that is being made
 */
struct SchedIndex {
	SchedFleet *fleet;
	Sizes **sizes;
	Kind **kind_of;
	guint *place;
	GPtrArray *kinds;
	GHashTable *by_key;
	GPtrArray *live;
	GHashTable *shares;
	GHashTable *answers;
	guint64 *mark;
	guint64 choices;
};

/* Heaps of units. */

static guint unit_at(const Kind *kind, guint at)
{
	return g_array_index(kind->units, guint, at);
}

static void put(SchedIndex *index, Kind *kind, guint at, guint unit)
{
	g_array_index(kind->units, guint, at) = unit;
	index->place[unit] = at;
}

static void sift_up(SchedIndex *index, Kind *kind, guint at)
{
	guint unit = unit_at(kind, at);

	while (at > 0 && unit_at(kind, (at - 1) / 2) > unit) {
		put(index, kind, at, unit_at(kind, (at - 1) / 2));
		at = (at - 1) / 2;
	}
	put(index, kind, at, unit);
}

static void sift_down(SchedIndex *index, Kind *kind, guint at)
{
	guint unit = unit_at(kind, at), n = kind->units->len;

	for (;;) {
		guint child = 2 * at + 1;

		if (child + 1 < n && unit_at(kind, child + 1) < unit_at(kind, child))
			child++;
		if (child >= n || unit_at(kind, child) > unit)
			break;
		put(index, kind, at, unit_at(kind, child));
		at = child;
	}
	put(index, kind, at, unit);
}

static void kind_add(SchedIndex *index, Kind *kind, guint unit)
{
	if (kind->units->len == 0) {
		kind->live = index->live->len;
		g_ptr_array_add(index->live, kind);
	}
	g_array_append_val(kind->units, unit);
	sift_up(index, kind, kind->units->len - 1);
	index->kind_of[unit] = kind;
}

static void kind_remove(SchedIndex *index, guint unit)
{
	Kind *kind = index->kind_of[unit];
	guint at = index->place[unit], last = unit_at(kind, kind->units->len - 1);

	g_array_set_size(kind->units, kind->units->len - 1);
	if (last != unit) {
		put(index, kind, at, last);
		sift_up(index, kind, at);
		sift_down(index, kind, index->place[last]);
	}
	if (kind->units->len > 0)
		return;
	g_ptr_array_remove_index_fast(index->live, kind->live);
	if (kind->live < index->live->len)
		((Kind *)g_ptr_array_index(index->live, kind->live))->live = kind->live;
}

/* Kinds. */

static void kind_free(gpointer data)
{
	Kind *kind = data;

	g_free(kind->nobodys);
	g_array_unref(kind->units);
	g_free(kind);
}

static GBytes *kind_key(guint pool, guint zone, const guint32 *nobodys, guint32 n)
{
	gsize size = (2 + (gsize)n) * sizeof(guint32);
	guint32 *key = g_malloc(size);

	key[0] = pool;
	key[1] = zone;
	memcpy(key + 2, nobodys, n * sizeof(guint32));
	return g_bytes_new_take(key, size);
}

static Kind *kind_new(const SchedIndex *index, guint pool, guint zone,
		      const guint32 *nobodys, const Sizes *sizes)
{
	Kind *kind = g_new0(Kind, 1);
	guint64 granules = 0;

	kind->id = index->kinds->len;
	kind->pool_index = pool;
	kind->pool = g_ptr_array_index(index->fleet->pools, pool);
	kind->zone = zone;
	kind->nobodys = g_memdup2(nobodys, sizes->n * sizeof(guint32));
	kind->units = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint32 i = 0; i < sizes->n; i++)
		granules += (guint64)nobodys[i] * sizes->size[i];
	kind->room = granules * sched_model_zone(kind->pool->model, zone)->granule;
	return kind;
}

/* The kind that a unit is of now. */
static Kind *find_kind(SchedIndex *index, guint host, guint zone)
{
	guint pool = index->fleet->hosts[host].pool;
	const Sizes *sizes = &index->sizes[pool][zone];
	const guint32 *owner = sched_host_owners(index->fleet, host, zone);
	guint32 colors =
		sched_model_zone(sched_fleet_model(index->fleet, host), zone)->colors;
	g_autofree guint32 *nobodys = g_new0(guint32, MAX(sizes->n, 1));
	g_autoptr(GBytes) key = NULL;
	Kind *kind;

	for (guint32 c = 0; c < colors; c++)
		nobodys[sizes->size_of[c]] += owner[c] == SCHED_NOBODY;
	key = kind_key(pool, zone, nobodys, sizes->n);
	kind = g_hash_table_lookup(index->by_key, key);
	if (kind)
		return kind;
	kind = kind_new(index, pool, zone, nobodys, sizes);
	g_ptr_array_add(index->kinds, kind);
	g_hash_table_insert(index->by_key, g_steal_pointer(&key), kind);
	return kind;
}

static void sizes_init(Sizes *sizes, const SchedZone *zone)
{
	sizes->size = g_new(guint32, zone->colors);
	sizes->size_of = g_new(guint32, zone->colors);
	for (guint32 c = 0; c < zone->colors; c++) {
		guint32 i = 0;

		while (i < sizes->n && sizes->size[i] != zone->total[c])
			i++;
		if (i == sizes->n)
			sizes->size[sizes->n++] = zone->total[c];
		sizes->size_of[c] = i;
	}
}

/* What kinds answer. */

static guint ask_hash(gconstpointer data)
{
	const Ask *ask = data;

	return (guint)(ask->size >> 21) * 31 + ask->count;
}

static gboolean ask_equal(gconstpointer a, gconstpointer b)
{
	const Ask *one = a, *other = b;

	return one->size == other->size && one->count == other->count;
}

static void answer(const SchedIndex *index, const Kind *kind, const Ask *ask,
		   Answer *answer)
{
	const Sizes *sizes = &index->sizes[kind->pool_index][kind->zone];
	const SchedZone *zone = sched_model_zone(kind->pool->model, kind->zone);
	g_autofree guint32 *free = g_new0(guint32, zone->colors);
	guint64 need = ask->size / zone->granule + (ask->size % zone->granule != 0);
	guint64 claimed = 0;
	guint32 n = 0;

	for (guint32 i = 0; i < sizes->n; i++) {
		for (guint32 k = 0; k < kind->nobodys[i]; k++)
			free[n++] = sizes->size[i];
	}
	answer->known = TRUE;
	answer->possible =
		sched_fresh(free, n, need, ask->count, &answer->fresh, &claimed);
	answer->stranded = (claimed - need) * zone->granule;
}

static GArray *answers_to(SchedIndex *index, const Ask *ask)
{
	GArray *answers = g_hash_table_lookup(index->answers, ask);

	if (!answers) {
		answers = g_array_new(FALSE, TRUE, sizeof(Answer));
		g_hash_table_insert(index->answers, g_memdup2(ask, sizeof(*ask)),
				    answers);
	}
	if (answers->len < index->kinds->len)
		g_array_set_size(answers, index->kinds->len);
	return answers;
}

static const Answer *ask_kind(const SchedIndex *index, GArray *answers, const Kind *kind,
			      const Ask *ask)
{
	Answer *known = &g_array_index(answers, Answer, kind->id);

	if (!known->known)
		answer(index, kind, ask, known);
	return known;
}

/* The index. */

static void array_destroy(gpointer array)
{
	g_array_unref(array);
}

SchedIndex *sched_index_new(SchedFleet *fleet)
{
	SchedIndex *index = g_new0(SchedIndex, 1);

	index->fleet = fleet;
	index->sizes = g_new(Sizes *, fleet->pools->len);
	index->kind_of = g_new(Kind *, MAX(fleet->units, 1));
	index->place = g_new(guint, MAX(fleet->units, 1));
	index->mark = g_new0(guint64, MAX(fleet->units, 1));
	index->kinds = g_ptr_array_new_with_free_func(kind_free);
	index->by_key = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
					      (GDestroyNotify)g_bytes_unref, NULL);
	index->live = g_ptr_array_new();
	index->shares = g_hash_table_new_full(NULL, NULL, NULL, array_destroy);
	index->answers =
		g_hash_table_new_full(ask_hash, ask_equal, g_free, array_destroy);
	for (guint i = 0; i < fleet->pools->len; i++) {
		const SchedPool *pool = g_ptr_array_index(fleet->pools, i);

		index->sizes[i] = g_new0(Sizes, pool->model->zones->len);
		for (guint z = 0; z < pool->model->zones->len; z++)
			sizes_init(&index->sizes[i][z], sched_model_zone(pool->model, z));
	}
	for (guint host = 0; host < fleet->n_hosts; host++) {
		for (guint z = 0; z < sched_fleet_model(fleet, host)->zones->len; z++)
			kind_add(index, find_kind(index, host, z),
				 sched_fleet_unit(fleet, host, z));
	}
	return index;
}

void sched_index_free(SchedIndex *index)
{
	if (!index)
		return;
	for (guint i = 0; i < index->fleet->pools->len; i++) {
		const SchedPool *pool = g_ptr_array_index(index->fleet->pools, i);

		for (guint z = 0; z < pool->model->zones->len; z++) {
			g_free(index->sizes[i][z].size);
			g_free(index->sizes[i][z].size_of);
		}
		g_free(index->sizes[i]);
	}
	g_free(index->sizes);
	g_free(index->kind_of);
	g_free(index->place);
	g_free(index->mark);
	g_hash_table_unref(index->by_key);
	g_ptr_array_unref(index->live);
	g_ptr_array_unref(index->kinds);
	g_hash_table_unref(index->shares);
	g_hash_table_unref(index->answers);
	g_free(index);
}

/* The choice. */

/* The best unit so far. */
typedef struct {
	gboolean found;
	guint unit;
	SchedScore score;
} Best;

static void offer(Best *best, guint unit, const SchedScore *score)
{
	int order = best->found ? sched_score_compare(score, &best->score) : -1;

	if (order > 0 || (order == 0 && unit > best->unit))
		return;
	*best = (Best){TRUE, unit, *score};
}

static gboolean is_avoided(const SchedIndex *index, const SchedWant *want, guint unit)
{
	guint host, zone;

	if (!want->avoid)
		return FALSE;
	sched_fleet_find_unit(index->fleet, unit, &host, &zone);
	return g_hash_table_contains(want->avoid, GUINT_TO_POINTER(host));
}

/* Whether a unit may have the guest, and its tenant has no share there. */
static gboolean is_open(const SchedIndex *index, const SchedWant *want, guint unit)
{
	return index->mark[unit] != index->choices && !is_avoided(index, want, unit);
}

/* The first unit of a kind that is open, or G_MAXUINT. */
static guint first_of(const SchedIndex *index, const SchedWant *want, const Kind *kind)
{
	guint first = G_MAXUINT;

	if (is_open(index, want, unit_at(kind, 0)))
		return unit_at(kind, 0);
	for (guint i = 1; i < kind->units->len; i++) {
		if (is_open(index, want, unit_at(kind, i)))
			first = MIN(first, unit_at(kind, i));
	}
	return first;
}

static gboolean on_node(const DaxcCellRequest *cell, const SchedZone *zone)
{
	return cell->node == DAXC_ANY_NODE || cell->node == zone->node;
}

/* Units where the tenant has no share. */
static void offer_kinds(SchedIndex *index, const SchedWant *want,
			const DaxcCellRequest *cell, Best *best)
{
	Ask ask = {cell->size, cell->wish == DAXC_WISH_COUNT ? cell->count : 0};
	GArray *answers = answers_to(index, &ask);

	for (guint i = 0; i < index->live->len; i++) {
		const Kind *kind = g_ptr_array_index(index->live, i);
		const Answer *answer = ask_kind(index, answers, kind, &ask);
		SchedScore score = {0, answer->fresh, answer->stranded, kind->room};
		guint unit;

		if (!answer->possible ||
		    (best->found && sched_score_compare(&score, &best->score) > 0) ||
		    !on_node(cell, sched_model_zone(kind->pool->model, kind->zone)) ||
		    !sched_want_allows(want, kind->pool))
			continue;
		unit = first_of(index, want, kind);
		if (unit != G_MAXUINT)
			offer(best, unit, &score);
	}
}

/* Scores a unit where the tenant has colors, for a cell that leaves their number to
 * us: as sched_score_zone() does. */
static gboolean score_share(SchedIndex *index, const Share *share,
			    const DaxcCellRequest *cell, const SchedZone *zone,
			    SchedScore *score)
{
	const Kind *kind = index->kind_of[share->unit];
	guint64 need = daxc_cell_granules(cell, zone->granule);
	const Answer *answer;
	Ask ask;

	*score = (SchedScore){.room = kind->room};
	if (share->own >= need) {
		score->stranded = (share->own - need) * zone->granule;
		return TRUE;
	}
	ask = (Ask){(need - share->own) * zone->granule, 0};
	answer = ask_kind(index, answers_to(index, &ask), kind, &ask);
	score->fresh = answer->fresh;
	score->stranded = answer->stranded;
	return answer->possible;
}

static void offer_shares(SchedIndex *index, const SchedWant *want,
			 const DaxcCellRequest *cell, Best *best)
{
	const GArray *shares =
		g_hash_table_lookup(index->shares, GUINT_TO_POINTER(want->tenant));

	for (guint i = 0; shares && i < shares->len; i++) {
		const Share *share = &g_array_index(shares, Share, i);
		guint host, index_of_zone;
		const SchedZone *zone;
		SchedScore score;

		index->mark[share->unit] = index->choices;
		sched_fleet_find_unit(index->fleet, share->unit, &host, &index_of_zone);
		zone = sched_model_zone(sched_fleet_model(index->fleet, host),
					index_of_zone);
		if (!on_node(cell, zone) || is_avoided(index, want, share->unit) ||
		    !sched_want_allows(want, sched_fleet_pool(index->fleet, host)))
			continue;
		if (cell->wish == DAXC_WISH_ANY
			    ? score_share(index, share, cell, zone, &score)
			    : sched_score_zone(index->fleet, host, index_of_zone, want,
					       &score))
			offer(best, share->unit, &score);
	}
}

/* Whether the index can tell zones apart as finely as the guest does. */
static gboolean is_plain(const SchedWant *want)
{
	const DaxcCellRequest *cell = g_ptr_array_index(want->request->cells, 0);

	return want->request->cells->len == 1 && want->cache == 0 &&
	       cell->wish != DAXC_WISH_LIST &&
	       (cell->node != DAXC_ANY_NODE || cell->near->len == 0);
}

gboolean sched_index_choose(SchedIndex *index, const SchedWant *want,
			    SchedPlacement *placement)
{
	const DaxcCellRequest *cell = g_ptr_array_index(want->request->cells, 0);
	Best best = {0};
	guint host, zone;

	if (!is_plain(want))
		return sched_choose(index->fleet, want, placement);
	index->choices++;
	offer_shares(index, want, cell, &best);
	if (!best.found || best.score.fresh > 0)
		offer_kinds(index, want, cell, &best);
	if (!best.found)
		return FALSE;
	sched_fleet_find_unit(index->fleet, best.unit, &host, &zone);
	if (!sched_choose_in(index->fleet, host, zone, want, placement))
		return FALSE;
	placement->score = best.score;
	return TRUE;
}

/* What changes. */

static void forget_share(SchedIndex *index, GArray *shares, guint at, guint32 tenant)
{
	g_array_remove_index_fast(shares, at);
	if (shares->len == 0)
		g_hash_table_remove(index->shares, GUINT_TO_POINTER(tenant));
}

static void set_share(SchedIndex *index, guint32 tenant, guint unit, guint64 own)
{
	GArray *shares = g_hash_table_lookup(index->shares, GUINT_TO_POINTER(tenant));
	Share share = {unit, own};

	for (guint i = 0; shares && i < shares->len; i++) {
		if (g_array_index(shares, Share, i).unit != unit)
			continue;
		if (own > 0)
			g_array_index(shares, Share, i).own = own;
		else
			forget_share(index, shares, i, tenant);
		return;
	}
	if (own == 0)
		return;
	if (!shares) {
		shares = g_array_new(FALSE, FALSE, sizeof(Share));
		g_hash_table_insert(index->shares, GUINT_TO_POINTER(tenant), shares);
	}
	g_array_append_val(shares, share);
}

/* Brings one unit up to date with what @tenant changed there. */
static void look_again(SchedIndex *index, guint host, guint zone, guint32 tenant)
{
	const SchedFleet *fleet = index->fleet;
	guint unit = sched_fleet_unit(fleet, host, zone);
	const guint32 *owner = sched_host_owners(fleet, host, zone);
	const guint32 *free = sched_host_free(fleet, host, zone);
	guint32 n = sched_model_zone(sched_fleet_model(fleet, host), zone)->colors;
	Kind *kind = find_kind(index, host, zone);
	guint64 own = 0;

	for (guint32 c = 0; c < n; c++)
		own += owner[c] == tenant ? free[c] : 0;
	set_share(index, tenant, unit, own);
	if (kind == index->kind_of[unit])
		return;
	kind_remove(index, unit);
	kind_add(index, kind, unit);
}

/* The other zones behind the same cache change with one. */
static void look_at(SchedIndex *index, guint host, guint changed, guint32 tenant)
{
	const SchedModel *model = sched_fleet_model(index->fleet, host);
	guint domain = sched_model_zone(model, changed)->domain;

	for (guint zone = 0; zone < model->zones->len; zone++) {
		if (sched_model_zone(model, zone)->domain == domain)
			look_again(index, host, zone, tenant);
	}
}

static void look_at_all(SchedIndex *index, const SchedPlacement *placement,
			guint32 tenant)
{
	for (guint i = 0; i < placement->parts->len; i++)
		look_at(index, placement->host, sched_placement_part(placement, i)->zone,
			tenant);
}

void sched_index_hold(SchedIndex *index, const SchedPlacement *placement, guint32 tenant)
{
	sched_hold(index->fleet, placement, tenant);
	look_at_all(index, placement, tenant);
}

void sched_index_drop(SchedIndex *index, const SchedPlacement *placement, guint32 tenant)
{
	sched_drop(index->fleet, placement);
	look_at_all(index, placement, tenant);
}

void sched_index_drop_colors(SchedIndex *index, guint host, guint zone,
			     const guint32 *colors, const guint32 *used, guint32 n,
			     guint32 tenant)
{
	sched_fleet_drop(index->fleet, host, zone, colors, used, n);
	look_at(index, host, zone, tenant);
}
