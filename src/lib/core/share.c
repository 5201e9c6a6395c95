// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Cells with counts and lists in one zone. Colors with the same free count that
 * the same cells use are one group; a cell that asks for a count says how many it
 * takes of each group. What the cells then take beyond one granule a color is a
 * flow from cells to groups.
 */
#include "share.h"

#include <stdlib.h>
#include <string.h>

/*
 * Group: colors that are alike so far.
 * @at, @n: where they are in Search.color
 * @free: granules of each
 * @users: bit i: cell i uses every one of them
 */
typedef struct {
	guint32 at;
	guint32 n;
	guint32 free;
	gboolean owned;
	guint64 users;
} Group;

/* One color while groups are made. */
typedef struct {
	guint32 color;
	guint32 free;
	gboolean owned;
	guint64 users;
} Mark;

/*
 * Search: one run of daxc_share().
 * @cells: lists first, then counts
 * @n: number of them
 * @lists: how many of them are lists
 * @color: color numbers, by group
 * @flow: of the last flow that was found: [group * n + cell]
 */
typedef struct {
	DaxcShare *cells[DAXC_SHARE_MAX];
	guint n;
	guint lists;
	guint32 *color;
	GArray *groups;
	guint64 *flow;
	gint64 *steps;
} Search;

static gboolean place_counts(Search *search, GArray *groups, guint cell);

static guint users_of(const Group *group)
{
	return (guint)__builtin_popcountll(group->users);
}

/* Granules that the group still has when each user has one of each color. */
static guint64 spare(const Group *group)
{
	return (guint64)group->n * (group->free - users_of(group));
}

static gboolean spend(Search *search, gint64 steps)
{
	*search->steps = MAX(*search->steps - steps, 0);
	return *search->steps > 0;
}

/*
 * Augmenting paths from @cell: breadth first over groups. @flow is [group * n +
 * cell], @spare what the groups have left.
 */
typedef struct {
	const Search *search;
	const GArray *groups;
	guint64 *flow;
	guint64 *spare;
	gint *via_cell;	 /* of a group: the cell it was reached from, -1: not yet */
	gint *via_group; /* of a cell: the group it was reached from */
	guint *queue;
} Flow;

static const Group *group_at(const GArray *groups, guint i)
{
	return &g_array_index(groups, Group, i);
}

/* Marks the groups that cell @from uses; returns one with room, or -1. */
static gint reach_groups(Flow *flow, guint from)
{
	for (guint k = 0; k < flow->groups->len; k++) {
		if (flow->via_cell[k] >= 0 ||
		    !(group_at(flow->groups, k)->users >> from & 1))
			continue;
		flow->via_cell[k] = (gint)from;
		if (flow->spare[k] > 0)
			return (gint)k;
	}
	return -1;
}

/* Adds cells to the queue that could make way in a group reached from @from. */
static guint reach_cells(Flow *flow, guint from, guint tail)
{
	guint n = flow->search->n;

	for (guint k = 0; k < flow->groups->len; k++) {
		if (flow->via_cell[k] != (gint)from)
			continue;
		for (guint cell = 0; cell < n; cell++) {
			if (flow->via_group[cell] != -1 || flow->flow[k * n + cell] == 0)
				continue;
			flow->via_group[cell] = (gint)k;
			flow->queue[tail++] = cell;
		}
	}
	return tail;
}

/* Returns: a group with room that @cell can reach, or -1. */
static gint find_path(Flow *flow, guint cell)
{
	guint head = 0, tail = 0;

	for (guint k = 0; k < flow->groups->len; k++)
		flow->via_cell[k] = -1;
	for (guint i = 0; i < flow->search->n; i++)
		flow->via_group[i] = -1;
	flow->via_group[cell] = -2;
	flow->queue[tail++] = cell;
	while (head < tail) {
		guint from = flow->queue[head++];
		gint found = reach_groups(flow, from);

		if (found >= 0)
			return found;
		tail = reach_cells(flow, from, tail);
	}
	return -1;
}

/* Moves at most @amount along the path that ends in group @last. */
static guint64 push_path(Flow *flow, guint last, guint64 amount)
{
	guint n = flow->search->n;
	gint k = (gint)last;

	amount = MIN(amount, flow->spare[last]);
	for (gint cell = flow->via_cell[k]; flow->via_group[cell] >= 0;
	     cell = flow->via_cell[k]) {
		k = flow->via_group[cell];
		amount = MIN(amount, flow->flow[(guint)k * n + (guint)cell]);
	}
	flow->spare[last] -= amount;
	k = (gint)last;
	for (;;) {
		gint cell = flow->via_cell[k];

		flow->flow[(guint)k * n + (guint)cell] += amount;
		k = flow->via_group[cell];
		if (k < 0)
			return amount;
		flow->flow[(guint)k * n + (guint)cell] -= amount;
	}
}

/* Whether the first @cells cells fit, given the groups each of them uses. */
static gboolean flow_fits(Search *search, const GArray *groups, guint cells)
{
	g_autofree guint64 *amounts = g_new0(guint64, (gsize)groups->len * search->n);
	g_autofree guint64 *room = g_new(guint64, groups->len);
	g_autofree gint *via_cell = g_new(gint, groups->len);
	gint via_group[DAXC_SHARE_MAX];
	guint queue[DAXC_SHARE_MAX];
	Flow flow = {search, groups, amounts, room, via_cell, via_group, queue};

	if (!spend(search, (gint64)groups->len * cells))
		return FALSE;
	for (guint k = 0; k < groups->len; k++) {
		if (users_of(group_at(groups, k)) > group_at(groups, k)->free)
			return FALSE;
		room[k] = spare(group_at(groups, k));
	}
	for (guint cell = 0; cell < cells; cell++) {
		guint64 left = search->cells[cell]->need - search->cells[cell]->n;

		while (left > 0) {
			gint last = find_path(&flow, cell);

			if (last < 0)
				return FALSE;
			left -= push_path(&flow, (guint)last, left);
		}
	}
	g_free(search->flow);
	search->flow = g_steal_pointer(&amounts);
	return TRUE;
}

/* Splits off the first @take[i] colors of each group for @cell. */
static GArray *split(const GArray *groups, const guint32 *take, guint cell)
{
	GArray *result = g_array_sized_new(FALSE, FALSE, sizeof(Group), groups->len + 8);

	for (guint i = 0; i < groups->len; i++) {
		Group rest = *group_at(groups, i);
		Group taken = rest;

		taken.n = take[i];
		taken.users |= G_GUINT64_CONSTANT(1) << cell;
		rest.at += take[i];
		rest.n -= take[i];
		if (taken.n > 0)
			g_array_append_val(result, taken);
		if (rest.n > 0)
			g_array_append_val(result, rest);
	}
	return result;
}

/*
 * Take: one cell's number of colors from each group, as it is tried.
 * @after: at i: colors that groups i and up could still give
 * @most: at i: the largest share one of those could give
 */
typedef struct {
	Search *search;
	GArray *groups;
	guint cell;
	guint32 *take;
	guint64 *after;
	guint32 *most;
} Take;

static guint32 share_of(const Group *group)
{
	guint users = users_of(group);

	return group->free > users ? group->free - users : 0;
}

/* Chooses from group @i up: @left colors that are to have @need granules. */
static gboolean take_from(Take *take, guint i, guint32 left, guint64 need)
{
	const Group *group;
	guint32 share;

	if (!spend(take->search, 1) || take->after[i] < left ||
	    (guint64)take->most[i] * left < need)
		return FALSE;
	if (left == 0) {
		g_autoptr(GArray) groups = NULL;

		memset(take->take + i, 0, (take->groups->len - i) * sizeof(*take->take));
		groups = split(take->groups, take->take, take->cell);
		return flow_fits(take->search, groups, take->cell + 1) &&
		       place_counts(take->search, groups, take->cell + 1);
	}
	group = group_at(take->groups, i);
	share = share_of(group);
	for (guint32 n = share > 0 ? MIN(group->n, left) : 0;; n--) {
		guint64 got = (guint64)n * share;

		take->take[i] = n;
		if (take_from(take, i + 1, left - n, need > got ? need - got : 0))
			return TRUE;
		if (n == 0)
			return FALSE;
	}
}

/* Places @cell and the ones after it, all of which ask for a count. */
static gboolean place_counts(Search *search, GArray *groups, guint cell)
{
	g_autofree guint32 *taken = NULL;
	g_autofree guint64 *after = NULL;
	g_autofree guint32 *most = NULL;
	Take take = {.search = search, .groups = groups, .cell = cell};

	if (cell == search->n) {
		search->groups = g_array_ref(groups);
		return TRUE;
	}
	take.take = taken = g_new0(guint32, groups->len);
	take.after = after = g_new0(guint64, groups->len + 1);
	take.most = most = g_new0(guint32, groups->len + 1);
	for (guint i = groups->len; i-- > 0;) {
		guint32 share = share_of(group_at(groups, i));

		after[i] = after[i + 1] + (share > 0 ? group_at(groups, i)->n : 0);
		most[i] = MAX(most[i + 1], share);
	}
	return take_from(&take, 0, search->cells[cell]->n, search->cells[cell]->need);
}

static gint compare_marks(gconstpointer a, gconstpointer b)
{
	const Mark *one = a, *other = b;

	if (one->owned != other->owned)
		return one->owned ? -1 : 1;
	if (one->free != other->free)
		return one->free > other->free ? -1 : 1;
	if (one->users != other->users)
		return one->users > other->users ? -1 : 1;
	return (one->color > other->color) - (one->color < other->color);
}

/* Every color that has something free, with the lists that name it, by group. */
static GArray *mark_colors(const Search *search, const DaxcStock *stock)
{
	g_autofree guint64 *users = g_new0(guint64, stock->colors);
	GArray *marks = g_array_new(FALSE, FALSE, sizeof(Mark));

	for (guint i = 0; i < search->lists; i++) {
		for (guint32 j = 0; j < search->cells[i]->n; j++)
			users[search->cells[i]->list[j]] |= G_GUINT64_CONSTANT(1) << i;
	}
	for (guint32 c = 0; c < stock->colors; c++) {
		Mark mark = {c, stock->free[c], stock->owned[c] != 0, users[c]};

		if (mark.free > 0 || mark.users != 0)
			g_array_append_val(marks, mark);
	}
	g_array_sort(marks, compare_marks);
	return marks;
}

static GArray *make_groups(Search *search, const DaxcStock *stock)
{
	GArray *groups = g_array_new(FALSE, FALSE, sizeof(Group));
	g_autoptr(GArray) marks = mark_colors(search, stock);

	search->color = g_new(guint32, marks->len);
	for (guint i = 0; i < marks->len; i++) {
		const Mark *mark = &g_array_index(marks, Mark, i);
		Group *last = groups->len > 0
				      ? &g_array_index(groups, Group, groups->len - 1)
				      : NULL;

		search->color[i] = mark->color;
		if (last && last->free == mark->free && last->owned == mark->owned &&
		    last->users == mark->users) {
			last->n++;
		} else {
			Group group = {i, 1, mark->free, mark->owned, mark->users};

			g_array_append_val(groups, group);
		}
	}
	return groups;
}

/* Whether @one is placed before @other: lists, then most granules a color. */
static gboolean before(const DaxcShare *one, const DaxcShare *other)
{
	if (one->wish != other->wish)
		return one->wish == DAXC_WISH_LIST;
	return (guint64)one->need * other->n > (guint64)other->need * one->n;
}

static void insert(Search *search, DaxcShare *cell)
{
	guint at = search->n++;

	for (; at > 0 && before(cell, search->cells[at - 1]); at--)
		search->cells[at] = search->cells[at - 1];
	search->cells[at] = cell;
	search->lists += cell->wish == DAXC_WISH_LIST;
}

/* Returns: FALSE when there are too many, or one that cannot be. */
static gboolean collect(Search *search, const DaxcStock *stock, GPtrArray *cells)
{
	guint64 need = 0;

	for (guint i = 0; i < cells->len; i++) {
		DaxcShare *cell = g_ptr_array_index(cells, i);

		need += cell->need;
		if (cell->wish == DAXC_WISH_ANY)
			continue;
		if (cell->n > cell->need)
			return FALSE;
		if (search->n == DAXC_SHARE_MAX) {
			*search->steps = 0;
			return FALSE;
		}
		insert(search, cell);
	}
	return need <= stock->total;
}

/* One granule of each color for each user, the flow evenly over the group. */
static void hand_out(Search *search, const Group *group, const guint64 *flow)
{
	g_autofree guint32 *left = g_new(guint32, group->n);

	for (guint32 i = 0; i < group->n; i++)
		left[i] = group->free - users_of(group);
	for (guint cell = 0; cell < search->n; cell++) {
		DaxcChoice *choice = &search->cells[cell]->choice;
		guint64 more = flow[cell];

		if (!(group->users >> cell & 1))
			continue;
		for (guint32 i = 0; i < group->n; i++) {
			choice->color[choice->n + i] = search->color[group->at + i];
			choice->used[choice->n + i] = 1;
		}
		while (more > 0) {
			for (guint32 i = 0; i < group->n && more > 0; i++) {
				if (left[i] == 0)
					continue;
				left[i]--;
				more--;
				choice->used[choice->n + i]++;
			}
		}
		choice->n += group->n;
	}
}

static int compare_pairs(const void *a, const void *b)
{
	guint64 one = *(const guint64 *)a, other = *(const guint64 *)b;

	return (one > other) - (one < other);
}

static void sort_choice(DaxcChoice *choice)
{
	g_autofree guint64 *pair = g_new(guint64, choice->n);

	for (guint32 i = 0; i < choice->n; i++)
		pair[i] = (guint64)choice->color[i] << 32 | choice->used[i];
	qsort(pair, choice->n, sizeof(*pair), compare_pairs);
	for (guint32 i = 0; i < choice->n; i++) {
		choice->color[i] = (guint32)(pair[i] >> 32);
		choice->used[i] = (guint32)pair[i];
	}
}

static void finish(Search *search, const DaxcStock *stock)
{
	for (guint i = 0; i < search->n; i++) {
		DaxcChoice *choice = &search->cells[i]->choice;

		daxc_choice_clear(choice);
		choice->n = 0;
		choice->color = g_new(guint32, search->cells[i]->n);
		choice->used = g_new(guint32, search->cells[i]->n);
	}
	for (guint k = 0; k < search->groups->len; k++)
		hand_out(search, group_at(search->groups, k),
			 search->flow + (gsize)k * search->n);
	for (guint i = 0; i < search->n; i++) {
		DaxcChoice *choice = &search->cells[i]->choice;

		sort_choice(choice);
		choice->fresh = 0;
		choice->claimed = 0;
		for (guint32 j = 0; j < choice->n; j++) {
			if (stock->owned[choice->color[j]])
				continue;
			choice->fresh++;
			choice->claimed += stock->free[choice->color[j]];
		}
	}
}

gboolean daxc_share(const DaxcStock *stock, GPtrArray *cells, gint64 *steps)
{
	Search search = {.steps = steps};
	g_autoptr(GArray) groups = NULL;
	gboolean found = FALSE;

	if (!spend(&search, 1) || !collect(&search, stock, cells))
		return FALSE;
	if (search.n == 0)
		return TRUE;
	if (!spend(&search, stock->colors))
		return FALSE;
	groups = make_groups(&search, stock);
	if (flow_fits(&search, groups, search.lists))
		found = place_counts(&search, groups, search.lists);
	if (found)
		finish(&search, stock);
	g_clear_pointer(&search.groups, g_array_unref);
	g_free(search.flow);
	g_free(search.color);
	return found;
}
