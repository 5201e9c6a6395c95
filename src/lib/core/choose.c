// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sets of colors by their free counts. The fewest colors that hold a cell are
 * the largest ones; among the sets of that many the one that leaves the least
 * over is searched for, from the smallest colors up.
 */
#include "choose.h"

#include <stdlib.h>
#include <string.h>

/* Steps after which fit() is content with the best set it has seen. */
#define FIT_STEPS 1024

/*
 * Pile: colors of one kind, by ascending free count; within one count from the
 * highest color down, so that "from the top" means the lowest color.
 * @below: at i, free granules of the first i colors together
 */
typedef struct {
	guint32 n;
	guint32 *color;
	guint64 *below;
} Pile;

static void pile_clear(Pile *pile)
{
	g_free(pile->color);
	g_free(pile->below);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pile, pile_clear)

void daxc_choice_clear(DaxcChoice *choice)
{
	g_clear_pointer(&choice->color, g_free);
	g_clear_pointer(&choice->used, g_free);
}

static gboolean in_pile(const DaxcStock *stock, guint32 color, gboolean owned)
{
	return stock->free[color] > 0 && !stock->owned[color] == !owned;
}

/* Counting sort: there may be as many colors as granules. */
static void pile_init(Pile *pile, const DaxcStock *stock, gboolean owned)
{
	g_autofree guint32 *place = NULL;
	guint32 most = 0, at = 0;

	pile->n = 0;
	for (guint32 c = 0; c < stock->colors; c++) {
		if (!in_pile(stock, c, owned))
			continue;
		most = MAX(most, stock->free[c]);
		pile->n++;
	}
	pile->color = g_new(guint32, pile->n);
	pile->below = g_new(guint64, pile->n + 1);
	place = g_new0(guint32, most + 1);
	for (guint32 c = 0; c < stock->colors; c++) {
		if (in_pile(stock, c, owned))
			place[stock->free[c]]++;
	}
	for (guint32 count = 0; count <= most; count++) {
		guint32 n = place[count];

		place[count] = at;
		at += n;
	}
	for (guint32 c = stock->colors; c-- > 0;) {
		if (in_pile(stock, c, owned))
			pile->color[place[stock->free[c]]++] = c;
	}
	pile->below[0] = 0;
	for (guint32 i = 0; i < pile->n; i++)
		pile->below[i + 1] = pile->below[i] + stock->free[pile->color[i]];
}

static guint64 value(const Pile *pile, guint32 i)
{
	return pile->below[i + 1] - pile->below[i];
}

/* Free granules of the @m largest colors among the first @end. */
static guint64 top(const Pile *pile, guint32 end, guint32 m)
{
	return pile->below[end] - pile->below[end - m];
}

/* Fewest colors that have @need granules; only for at most what the pile has. */
static guint32 fewest(const Pile *pile, guint64 need)
{
	guint32 low = 0, high = pile->n;

	while (low < high) {
		guint32 middle = low + (high - low) / 2;

		if (top(pile, pile->n, middle) < need)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Last index below @end whose count is that of @i. */
static guint32 last_equal(const Pile *pile, guint32 i, guint32 end)
{
	guint32 low = i, high = end - 1;

	if (value(pile, high) == value(pile, i))
		return high;
	while (high - low > 1) {
		guint32 middle = low + (high - low) / 2;

		if (value(pile, middle) == value(pile, i))
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Smallest possible largest member of a set of @m colors among the first @end that
 * has @need granules. There must be such a set.
 */
static guint32 smallest_peak(const Pile *pile, guint32 end, guint32 m, guint64 need)
{
	guint32 low = m - 1, high = end - 1;

	if (value(pile, low) == value(pile, high))
		return high;
	while (low < high) {
		guint32 middle = low + (high - low) / 2;

		if (top(pile, middle + 1, m) < need)
			low = middle + 1;
		else
			high = middle;
	}
	return last_equal(pile, low, end);
}

static guint64 less(guint64 from, guint64 amount)
{
	return from > amount ? from - amount : 0;
}

/*
 * Finds @m colors that have @need granules, and few more: depth first, members
 * in descending order, each from the smallest that can work. The first descent
 * always ends in a set. @pick gets indexes into the pile.
 *
 * Returns: granules of the set.
 */
static guint64 fit(const Pile *pile, guint32 m, guint64 need, guint32 *pick)
{
	g_autofree guint32 *at = g_new(guint32, MAX(m, 1));
	g_autofree guint64 *had = g_new(guint64, m + 1); /* by the members before */
	guint64 best = G_MAXUINT64;
	guint32 depth = 0, steps = 0;

	if (m == 0)
		return 0;
	had[0] = 0;
	at[0] = smallest_peak(pile, pile->n, m, need);
	for (;;) {
		guint32 left = m - depth;
		guint32 end = depth > 0 ? at[depth - 1] : pile->n;
		gboolean dead = at[depth] >= end ||
				had[depth] + value(pile, at[depth]) +
						pile->below[left - 1] >=
					best;

		if (!dead) {
			had[depth + 1] = had[depth] + value(pile, at[depth]);
			if (left > 1) {
				depth++;
				at[depth] = smallest_peak(pile, at[depth - 1], left - 1,
							  less(need, had[depth]));
				continue;
			}
			best = had[m];
			memcpy(pick, at, m * sizeof(*at));
			if (best == need)
				break;
		}
		/* Nothing better here: on to the next larger member one level up. */
		if (depth == 0 || ++steps > FIT_STEPS)
			break;
		depth--;
		end = depth > 0 ? at[depth - 1] : pile->n;
		at[depth]++;
		if (at[depth] < end)
			at[depth] = last_equal(pile, at[depth], end);
	}
	return best;
}

/* How many colors of each pile a cell gets. */
typedef struct {
	guint32 owned;
	guint32 fresh;
} Split;

/* Fewest fresh colors, then fewest owned ones. */
static gboolean split_fewest(const Pile *owned, const Pile *fresh, guint64 need,
			     Split *split)
{
	guint64 have = owned->below[owned->n];

	if (have + fresh->below[fresh->n] < need)
		return FALSE;
	split->fresh = fewest(fresh, less(need, have));
	split->owned = fewest(owned, less(need, top(fresh, fresh->n, split->fresh)));
	return TRUE;
}

/* @count colors in all, as few of them fresh as can be. */
static gboolean split_count(const Pile *owned, const Pile *fresh, guint64 need,
			    guint32 count, Split *split)
{
	split->fresh = count > owned->n ? count - owned->n : 0;
	for (; split->fresh <= MIN(count, fresh->n); split->fresh++) {
		split->owned = count - split->fresh;
		if (top(owned, owned->n, split->owned) +
			    top(fresh, fresh->n, split->fresh) >=
		    need)
			return TRUE;
	}
	return FALSE;
}

static int compare_colors(const void *a, const void *b)
{
	guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

	return (one > other) - (one < other);
}

void daxc_alternate(const guint32 *limit, guint32 n, guint32 total, guint32 *order)
{
	g_autofree guint32 *live = g_new(guint32, MAX(n, 1));
	guint32 at = 0;

	for (guint32 i = 0; i < n; i++)
		live[i] = i;
	for (guint32 round = 0; at < total && n > 0; round++) {
		guint32 left = 0;

		for (guint32 i = 0; i < n && at < total; i++) {
			if (limit[live[i]] <= round)
				continue;
			order[at++] = live[i];
			live[left++] = live[i];
		}
		n = left;
	}
}

/* Spreads @need over the chosen colors as daxc_alternate() will name them. */
static void spread(const DaxcStock *stock, guint32 need, DaxcChoice *choice)
{
	g_autofree guint32 *order = g_new(guint32, need);
	g_autofree guint32 *limit = g_new(guint32, choice->n);

	choice->fresh = 0;
	choice->claimed = 0;
	for (guint32 i = 0; i < choice->n; i++) {
		limit[i] = stock->free[choice->color[i]];
		if (stock->owned[choice->color[i]])
			continue;
		choice->fresh++;
		choice->claimed += limit[i];
	}
	daxc_alternate(limit, choice->n, need, order);
	choice->used = g_new0(guint32, choice->n);
	for (guint32 i = 0; i < need; i++)
		choice->used[order[i]]++;
}

gboolean daxc_choose(const DaxcStock *stock, guint32 need, guint32 count,
		     DaxcChoice *choice)
{
	g_auto(Pile) owned = {0};
	g_auto(Pile) fresh = {0};
	guint64 got;
	guint32 *color;
	Split split;

	if (need == 0 || need > stock->total || count > need)
		return FALSE;
	pile_init(&owned, stock, TRUE);
	pile_init(&fresh, stock, FALSE);
	if (count > 0 ? !split_count(&owned, &fresh, need, count, &split)
		      : !split_fewest(&owned, &fresh, need, &split))
		return FALSE;

	color = g_new(guint32, split.fresh + split.owned);
	got = fit(&fresh, split.fresh, less(need, top(&owned, owned.n, split.owned)),
		  color);
	fit(&owned, split.owned, less(need, got), color + split.fresh);
	for (guint32 i = 0; i < split.fresh; i++)
		color[i] = fresh.color[color[i]];
	for (guint32 i = split.fresh; i < split.fresh + split.owned; i++)
		color[i] = owned.color[color[i]];
	choice->n = split.fresh + split.owned;
	choice->color = color;
	qsort(color, choice->n, sizeof(*color), compare_colors);
	spread(stock, need, choice);
	return TRUE;
}

gboolean daxc_choose_list(const DaxcStock *stock, guint32 need, const guint32 *color,
			  guint32 n, DaxcChoice *choice)
{
	guint64 have = 0;

	if (n == 0 || n > need)
		return FALSE;
	for (guint32 i = 0; i < n; i++) {
		if (color[i] >= stock->colors || stock->free[color[i]] == 0)
			return FALSE;
		have += stock->free[color[i]];
	}
	if (have < need)
		return FALSE;
	choice->n = n;
	choice->color = g_memdup2(color, n * sizeof(*color));
	spread(stock, need, choice);
	return TRUE;
}

void daxc_stock_take(DaxcStock *stock, const DaxcChoice *choice)
{
	for (guint32 i = 0; i < choice->n; i++) {
		stock->free[choice->color[i]] -= choice->used[i];
		stock->total -= choice->used[i];
	}
}
