// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's decisions: pieces of a region, who gets which, extents, colors. */
#include "unit.h"

#include <time.h>

#include "driver/space.h"
#include "space-model.h"

#define MiB (G_GUINT64_CONSTANT(1) << 20)
#define GiB (G_GUINT64_CONSTANT(1) << 30)
#define UNIT (2 * MiB)
/* Where the spaces of most tests begin: not at 0, and a multiple of much. */
#define BASE (64 * GiB)

extern unsigned long kernel_free_allocations;

static struct dcg_geometry rotate(guint64 granule, guint32 colors)
{
	return (struct dcg_geometry){
		.kind = DCG_ROTATE,
		.granule = granule,
		.base = BASE,
		.colors = colors,
	};
}

/* A space of a unit for each letter: clean, dirty, Preparing, Held, Quarantined, */
/* zeroing, Bad; a figure is held by that holder. */
static struct dcs_space space_of(const char *text, guint64 unit)
{
	static const char letters[] = "dcPHQzB";
	struct dcs_space space;

	ck_assert_int_eq(dcs_init(&space, BASE, strlen(text) * unit, UNIT, DCS_DIRTY), 0);
	for (guint i = 0; text[i]; i++) {
		const char *letter = strchr(letters, text[i]);
		const void *holder = letter ? NULL : &letters[text[i] - '0'];
		enum dcs_state state = letter ? letter - letters : DCS_HELD;

		ck_assert_int_eq(dcs_set(&space, BASE + i * unit, unit, state, holder),
				 0);
	}
	return space;
}

/* @text: the ranges as "+1 4+2": units of @unit from BASE. */
static void assert_ranges(const struct dcs_ranges *ranges, guint64 unit, const char *text)
{
	g_autoptr(GString) is = g_string_new(NULL);
	guint64 size = 0;

	for (guint i = 0; i < ranges->nr; i++) {
		ck_assert_uint_eq(ranges->list[i].start % unit, 0);
		ck_assert_uint_eq(ranges->list[i].size % unit, 0);
		g_string_append_printf(
			is, "%s%" G_GINT64_MODIFIER "u+%" G_GINT64_MODIFIER "u",
			i ? " " : "", (ranges->list[i].start - BASE) / unit,
			ranges->list[i].size / unit);
		size += ranges->list[i].size;
	}
	ck_assert_str_eq(is->str, text);
	ck_assert_uint_eq(ranges->size, size);
}

static void assert_empty(const struct dcs_ranges *ranges)
{
	ck_assert_ptr_null(ranges->list);
	ck_assert_uint_eq(ranges->nr, 0);
	ck_assert_uint_eq(ranges->room, 0);
	ck_assert_uint_eq(ranges->size, 0);
}

START_TEST(init_refuses_what_is_no_region)
{
	static const struct {
		guint64 start, size, align;
	} wrong[] = {
		{0, 0, UNIT},
		{UNIT, UNIT, 0},
		{UNIT, UNIT, 3 * MiB},
		{MiB, 4 * MiB, UNIT},
		{UNIT, 3 * MiB, UNIT},
		{-UNIT, UNIT, UNIT},
		{-UNIT, 2 * UNIT, UNIT},
		{UNIT, -UNIT, UNIT},
	};
	struct dcs_space space;

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		ck_assert_int_eq(dcs_init(&space, wrong[i].start, wrong[i].size,
					  wrong[i].align, DCS_DIRTY),
				 -EINVAL);
		dcs_exit(&space);
	}
	kernel_free_allocations = 0;
	ck_assert_int_eq(dcs_init(&space, 0, UNIT, UNIT, DCS_DIRTY), -ENOMEM);
	dcs_exit(&space);
	kernel_free_allocations = G_MAXULONG;
	ck_assert_int_eq(dcs_init(&space, -2 * UNIT, UNIT, UNIT, DCS_CLEAN), 0);
	ck_assert_uint_eq(space.sizes[DCS_CLEAN], UNIT);
	ck_assert_ptr_null(dcs_at(&space, 0));
	dcs_exit(&space);
	dcs_exit(&space);
}
END_TEST

START_TEST(pieces_of_two_holders_stay_two)
{
	struct dcs_space space = space_of("0011", UNIT);

	ck_assert_uint_eq(space.nr, 2);
	ck_assert_ptr_ne(dcs_at(&space, BASE)->holder,
			 dcs_at(&space, BASE + 2 * UNIT)->holder);
	ck_assert_int_eq(dcs_set(&space, BASE + UNIT, 2 * UNIT, DCS_CLEAN, NULL), 0);
	ck_assert_uint_eq(space.nr, 3);
	ck_assert_int_eq(dcs_set(&space, BASE, 4 * UNIT, DCS_CLEAN, NULL), 0);
	ck_assert_uint_eq(space.nr, 1);
	dcs_exit(&space);
}
END_TEST

START_TEST(a_change_without_memory_changes_nothing)
{
	struct dcs_space space;

	ck_assert_int_eq(dcs_init(&space, BASE, 9 * UNIT, UNIT, DCS_DIRTY), 0);
	ck_assert_int_eq(dcs_reserve(&space, 1), 0);
	kernel_free_allocations = 0;
	ck_assert_int_eq(dcs_set(&space, BASE + UNIT, UNIT, DCS_CLEAN, NULL), 0);
	while (space.nr + 2 <= space.room)
		ck_assert_int_eq(dcs_set(&space, BASE + (space.nr + 1) / 2 * 2 * UNIT,
					 UNIT, DCS_BAD, NULL),
				 0);
	ck_assert_int_eq(dcs_set(&space, BASE + 7 * UNIT, UNIT, DCS_CLEAN, NULL),
			 -ENOMEM);
	kernel_free_allocations = 0;
	ck_assert_int_eq(dcs_reserve(&space, 1), -ENOMEM);
	ck_assert_int_eq(dcs_at(&space, BASE + 7 * UNIT)->state, DCS_DIRTY);
	ck_assert_uint_eq(space.sizes[DCS_CLEAN], UNIT);
	kernel_free_allocations = G_MAXULONG;
	ck_assert_int_eq(dcs_reserve(&space, G_MAXUINT32), -ENOMEM);
	dcs_exit(&space);
}
END_TEST

/* All spaces of three units: the worst that is seen decides, wherever it is. */
START_TEST(check_free_names_the_worst)
{
	static const int errors[DCS_NR_STATES] = {0,	  0,	   -EBUSY,    -EBUSY,
						  -EBUSY, -EAGAIN, -EHWPOISON};
	static const int order[] = {-EHWPOISON, -EBUSY, -EAGAIN, 0};
	struct dcs_space space = space_of("ddd", UNIT);

	for (guint i = 0; i < DCS_NR_STATES * DCS_NR_STATES * DCS_NR_STATES; i++) {
		enum dcs_state of[] = {i % DCS_NR_STATES,
				       i / DCS_NR_STATES % DCS_NR_STATES,
				       i / DCS_NR_STATES / DCS_NR_STATES};
		guint worst = 0;

		for (guint j = 0; j < 3; j++)
			ck_assert_int_eq(
				dcs_set(&space, BASE + j * UNIT, UNIT, of[j], NULL), 0);
		while (errors[of[0]] != order[worst] && errors[of[1]] != order[worst] &&
		       errors[of[2]] != order[worst])
			worst++;
		ck_assert_int_eq(dcs_check_free(&space, BASE, 3 * UNIT), order[worst]);
		ck_assert_int_eq(dcs_check_free(&space, BASE + UNIT, UNIT),
				 errors[of[1]]);
	}
	ck_assert_int_eq(dcs_check_free(&space, BASE, 4 * UNIT), -ERANGE);
	ck_assert_int_eq(dcs_check_free(&space, BASE - UNIT, UNIT), -ERANGE);
	ck_assert_int_eq(dcs_check_free(&space, BASE + 3 * UNIT, UNIT), -ERANGE);
	ck_assert_int_eq(dcs_check_free(&space, BASE, 0), -ERANGE);
	ck_assert_int_eq(dcs_check_free(&space, BASE + UNIT, -UNIT), -ERANGE);
	dcs_exit(&space);
}
END_TEST

static bool is_in(void *data, u32 color)
{
	return color < 32 && *(guint *)data >> color & 1;
}

/*
 * In the space @text of units of 1 GiB, whose colors rotate over four: what who
 * may have @colors gets. @behind: unit, -1: none.
 */
static const struct {
	const char *text;
	guint size;
	guint align; /* units */
	int behind;
	guint colors; /* 0: no geometry */
	int err;
	const char *ranges;
} finds[] = {
	{"cdcd", 3, 1, -1, 0, 0, "0+3"},
	{"HcHdHc", 3, 1, -1, 0, 0, "1+1 3+1 5+1"},
	/* behind, then the lowest */
	{"cc0cc", 1, 1, 3, 0, 0, "3+1"},
	{"cc0cc", 3, 1, 3, 0, 0, "3+2 0+1"},
	{"cc0cc", 4, 1, 3, 0, 0, "3+2 0+2"},
	{"cc0Hc", 3, 1, 3, 0, 0, "0+2 4+1"},
	{"cc0zc", 3, 1, 3, 0, 0, "0+2 4+1"},
	{"cc0", 2, 1, 3, 0, 0, "0+2"},
	/* in the midst of what is free */
	{"cccc", 3, 1, 2, 0, 0, "2+2 0+1"},
	{"cccc", 4, 1, 2, 0, 0, "2+2 0+2"},
	/* of two units, aligned */
	{"cccHcc", 4, 2, -1, 0, 0, "0+2 4+2"},
	{"HccHcc", 2, 2, -1, 0, 0, "4+2"},
	{"HccHcc", 4, 2, -1, 0, -ENOSPC, ""},
	{"0ccccc", 2, 2, 1, 0, 0, "2+2"},
	{"cc00cc", 4, 2, 4, 0, 0, "4+2 0+2"},
	/* too little, now or for long */
	{"ccHH", 3, 1, -1, 0, -ENOSPC, ""},
	{"cczH", 3, 1, -1, 0, -EAGAIN, ""},
	{"cczH", 4, 1, -1, 0, -ENOSPC, ""},
	{"ccQB", 3, 1, -1, 0, -ENOSPC, ""},
	{"ccPB", 3, 1, -1, 0, -ENOSPC, ""},
	{"czHcc", 4, 2, -1, 0, -ENOSPC, ""},
	{"czcc", 4, 2, -1, 0, -EAGAIN, ""},
	/* colors */
	{"cccccccc", 3, 1, -1, 1 << 1 | 1 << 3, 0, "1+1 3+1 5+1"},
	{"cccccccc", 3, 1, -1, 1 << 1 | 1 << 2, 0, "1+2 5+1"},
	{"cccccccc", 2, 1, 3, 1 << 3 | 1 << 0, 0, "3+2"},
	{"cccccccc", 2, 1, 3, 1 << 0, 0, "0+1 4+1"},
	{"cccccccc", 4, 2, -1, 1 << 2 | 1 << 3, 0, "2+2 6+2"},
	{"cccccccc", 2, 2, -1, 1 << 1 | 1 << 2, -ENOSPC, ""},
	{"czcc", 2, 1, -1, 1 << 1 | 1 << 2, -EAGAIN, ""},
	{"czcc", 3, 1, -1, 1 << 1 | 1 << 2, -ENOSPC, ""},
	{"cccc", 1, 1, -1, 1 << 4, -ENOSPC, ""},
	/* nothing */
	{"cccc", 0, 1, -1, 0, -EINVAL, ""},
	{"cccc", 1, 2, -1, 0, -EINVAL, ""},
	{"cccc", 3, 3, -1, 0, -EINVAL, ""},
};

START_TEST(find_takes_behind_then_lowest)
{
	struct dcs_space space = space_of(finds[_i].text, GiB);
	struct dcg_geometry geometry = rotate(GiB, 4);
	guint colors = finds[_i].colors;
	struct dcs_ranges out;

	ck_assert_int_eq(
		dcs_find(&space, finds[_i].size * GiB, finds[_i].align * GiB,
			 finds[_i].behind < 0 ? 0 : BASE + finds[_i].behind * GiB,
			 colors ? &geometry : NULL, is_in, &colors, &out),
		finds[_i].err);
	assert_ranges(&out, GiB, finds[_i].ranges);
	if (finds[_i].err)
		assert_empty(&out);
	dcs_ranges_free(&out);
	assert_empty(&out);
	dcs_exit(&space);
}
END_TEST

/* A part of a granule has the granule's color. */
START_TEST(find_gives_parts_of_granules)
{
	struct dcs_space space = space_of("dddd", GiB);
	struct dcg_geometry geometry = rotate(GiB, 2);
	guint colors = 1 << 1;
	struct dcs_ranges out;

	ck_assert_int_eq(dcs_set(&space, BASE + GiB, GiB - UNIT, DCS_HELD, &space), 0);
	ck_assert_int_eq(
		dcs_find(&space, 3 * UNIT, 4096, 0, &geometry, is_in, &colors, &out), 0);
	assert_ranges(&out, UNIT, "1023+1 1536+2");
	dcs_ranges_free(&out);
	dcs_exit(&space);
}
END_TEST

START_TEST(find_gives_nothing_without_a_color)
{
	struct dcs_space space = space_of("cccccc", GiB);
	const struct dcg_range list[] = {{BASE + GiB, GiB, 0}, {BASE + 4 * GiB, GiB, 1}};
	struct dcg_geometry ranges = {DCG_RANGES, GiB, 0, 2, list, 2};
	struct dcg_geometry above = rotate(GiB, 2);
	struct dcg_geometry none = {DCG_NONE};
	guint all = G_MAXUINT;
	struct dcs_ranges out;

	ck_assert_int_eq(dcg_check(&ranges), 0);
	ck_assert_int_eq(dcs_find(&space, 2 * GiB, UNIT, 0, &ranges, is_in, &all, &out),
			 0);
	assert_ranges(&out, GiB, "1+1 4+1");
	dcs_ranges_free(&out);
	ck_assert_int_eq(
		dcs_find(&space, 2 * GiB + UNIT, UNIT, 0, &ranges, is_in, &all, &out),
		-ENOSPC);
	above.base = BASE + 3 * GiB;
	ck_assert_int_eq(dcs_find(&space, GiB, UNIT, 0, &above, is_in, &all, &out), 0);
	assert_ranges(&out, GiB, "3+1");
	dcs_ranges_free(&out);
	ck_assert_int_eq(dcs_find(&space, 6 * GiB, UNIT, 0, &none, NULL, NULL, &out), 0);
	dcs_ranges_free(&out);
	dcs_exit(&space);
}
END_TEST

static const struct {
	const char *text;
	guint32 colors;
	unsigned long of;
	guint count;
	int err;
	const char *ranges;
} color_finds[] = {
	{"cccccccc", 4, 0xf, 4, 0, "0+4"},
	{"cccccccc", 4, 0x5, 4, 0, "0+1 2+1 4+1 6+1"},
	{"cccccccc", 4, 0x3, 3, 0, "0+2 4+1"},
	{"cccccccc", 4, 0xa, 1, 0, "1+1"},
	{"dHddcHcc", 2, 0x3, 4, 0, "0+1 2+2 7+1"},
	/* color 1 has one only */
	{"cccHcHcH", 2, 0x3, 4, 0, "0+3 4+1"},
	{"cccHcHcH", 2, 0x3, 5, 0, "0+3 4+1 6+1"},
	{"cccHcHcH", 2, 0x3, 6, -ENOSPC, ""},
	{"cccHczcH", 2, 0x3, 6, -EAGAIN, ""},
	{"cccHczcH", 2, 0x2, 2, -EAGAIN, ""},
	{"cccHczcH", 2, 0x2, 3, -ENOSPC, ""},
	{"cccc", 2, 0x0, 1, -ENOSPC, ""},
	{"cccc", 2, 0x3, 0, -EINVAL, ""},
};

START_TEST(colors_give_evenly)
{
	struct dcs_space space = space_of(color_finds[_i].text, GiB);
	struct dcg_geometry geometry = rotate(GiB, color_finds[_i].colors);
	unsigned long of = color_finds[_i].of;
	struct dcs_ranges out;

	ck_assert_int_eq(
		dcs_find_colors(&space, color_finds[_i].count, &geometry, &of, &out),
		color_finds[_i].err);
	assert_ranges(&out, GiB, color_finds[_i].ranges);
	if (color_finds[_i].err)
		assert_empty(&out);
	dcs_ranges_free(&out);
	dcs_exit(&space);
}
END_TEST

START_TEST(colors_need_whole_granules)
{
	struct dcs_space space = space_of("ddd", GiB);
	struct dcg_geometry geometry = rotate(GiB, 1), none = {DCG_NONE};
	unsigned long of = 1;
	struct dcs_ranges out;
	guint32 count;

	ck_assert_int_eq(dcs_set(&space, BASE + GiB, UNIT, DCS_HELD, &space), 0);
	ck_assert_int_eq(dcs_set(&space, BASE, UNIT, DCS_ZEROING, NULL), 0);
	ck_assert_int_eq(dcs_find_colors(&space, 1, &geometry, &of, &out), 0);
	assert_ranges(&out, GiB, "2+1");
	dcs_ranges_free(&out);
	ck_assert_int_eq(dcs_find_colors(&space, 2, &geometry, &of, &out), -EAGAIN);
	ck_assert_int_eq(dcs_find_colors(&space, 3, &geometry, &of, &out), -ENOSPC);
	ck_assert_uint_eq(dcs_free_granules(&space, &geometry, 0), 2);
	dcs_count_granules(&space, &geometry, &count);
	ck_assert_uint_eq(count, 2);

	ck_assert_int_eq(dcs_find_colors(&space, 1, &none, &of, &out), -EINVAL);
	ck_assert_uint_eq(dcs_free_granules(&space, &none, 0), 0);
	dcs_exit(&space);

	ck_assert_int_eq(dcs_init(&space, BASE, 4 * GiB, 2 * GiB, DCS_CLEAN), 0);
	ck_assert_int_eq(dcs_find_colors(&space, 1, &geometry, &of, &out), -EINVAL);
	dcs_exit(&space);
}
END_TEST

#define SMALL 7u
#define SMALL_COLORS 3u

/* How many of the units of @text that are in @states have a color of @of. */
static guint count_units(const char *text, const char *states, guint of)
{
	guint n = 0;

	for (guint i = 0; i < SMALL; i++)
		n += strchr(states, text[i]) && of >> i % SMALL_COLORS & 1;
	return n;
}

/* What a set of granules (a bit each) must be to be the answer. */
static void assert_legal(const char *text, guint of, guint taken)
{
	guint given[SMALL_COLORS] = {0};

	for (guint i = 0; i < SMALL; i++) {
		if (!(taken >> i & 1))
			continue;
		ck_assert_int_eq(text[i], 'c');
		ck_assert(of >> i % SMALL_COLORS & 1);
		given[i % SMALL_COLORS]++;
		/* None of its color that is lower was left out. */
		for (guint j = i % SMALL_COLORS; j < i; j += SMALL_COLORS)
			ck_assert(text[j] != 'c' || taken >> j & 1);
	}
	for (guint a = 0; a < SMALL_COLORS; a++) {
		for (guint b = 0; b < SMALL_COLORS; b++) {
			if ((of >> b & 1) && given[a] > given[b] + (b < a ? 0 : 1))
				ck_assert_uint_eq(given[b],
						  count_units(text, "c", 1 << b));
		}
	}
}

static void try_small(const struct dcs_space *space, const char *text, guint count,
		      unsigned long of)
{
	struct dcg_geometry geometry = rotate(UNIT, SMALL_COLORS);
	guint now = count_units(text, "c", of), later = count_units(text, "cz", of);
	struct dcs_ranges out;
	int err = dcs_find_colors(space, count, &geometry, &of, &out);
	guint taken = 0;

	ck_assert_int_eq(err, count <= now ? 0 : count <= later ? -EAGAIN : -ENOSPC);
	for (guint i = 0; i < out.nr; i++) {
		ck_assert(i == 0 || out.list[i].start >
					    out.list[i - 1].start + out.list[i - 1].size);
		for (guint64 at = 0; at < out.list[i].size; at += UNIT)
			taken |= 1 << ((out.list[i].start + at - BASE) / UNIT);
	}
	if (!err) {
		ck_assert_int_eq(__builtin_popcount(taken), count);
		assert_legal(text, of, taken);
	}
	dcs_ranges_free(&out);
}

START_TEST(colors_find_every_legal_set)
{
	static const char states[] = "cHz";
	char text[SMALL + 1] = "";
	struct dcs_space space;

	for (guint i = 0; i < 3 * 3 * 3 * 3 * 3 * 3 * 3; i++) {
		for (guint j = 0, rest = i; j < SMALL; j++, rest /= 3)
			text[j] = states[rest % 3];
		space = space_of(text, UNIT);
		for (guint count = 1; count <= SMALL; count++) {
			for (guint of = 1; of < 1 << SMALL_COLORS; of++)
				try_small(&space, text, count, of);
		}
		dcs_exit(&space);
	}
}
END_TEST

START_TEST(retire_leaves_alone_what_is_not_free)
{
	struct dcs_space space = space_of("dcPHQzBd", UNIT);

	ck_assert_uint_eq(dcs_count(&space, BASE, 8 * UNIT), 8);
	ck_assert_uint_eq(dcs_count(&space, 0, G_MAXUINT64), 8);
	ck_assert_uint_eq(dcs_count(&space, BASE + UNIT, 1), 1);
	ck_assert_uint_eq(dcs_count(&space, BASE + UNIT - 1, 2), 2);
	ck_assert_uint_eq(dcs_count(&space, BASE + UNIT, 0), 0);
	ck_assert_uint_eq(dcs_count(&space, BASE - UNIT, UNIT), 0);
	ck_assert_uint_eq(dcs_count(&space, BASE + 8 * UNIT, UNIT), 0);

	dcs_retire(&space, BASE + UNIT + 4096, 4096);
	ck_assert_int_eq(dcs_at(&space, BASE)->state, DCS_DIRTY);
	ck_assert_int_eq(dcs_at(&space, BASE + UNIT)->state, DCS_BAD);
	ck_assert_uint_eq(space.sizes[DCS_BAD], 2 * UNIT);

	dcs_retire(&space, 0, G_MAXUINT64);
	ck_assert_uint_eq(space.sizes[DCS_BAD], 4 * UNIT);
	ck_assert_uint_eq(space.sizes[DCS_PREPARING], UNIT);
	ck_assert_uint_eq(space.sizes[DCS_HELD], UNIT);
	ck_assert_uint_eq(space.sizes[DCS_QUARANTINED], UNIT);
	ck_assert_uint_eq(space.sizes[DCS_ZEROING], UNIT);
	dcs_exit(&space);
}
END_TEST

START_TEST(collect_gives_what_is_in_a_state)
{
	struct dcs_space space = space_of("ddcdHdcc", UNIT);
	struct dcs_range list[] = {{BASE + 5 * UNIT, 2 * UNIT},
				   {BASE + UNIT, 3 * UNIT},
				   {BASE + 4 * UNIT, UNIT}};
	struct dcs_ranges ranges = {list, 3, 3, 6 * UNIT}, out;

	ck_assert_int_eq(dcs_collect(&space, &ranges, DCS_DIRTY, &out), 0);
	assert_ranges(&out, UNIT, "5+1 1+1 3+1");
	dcs_ranges_free(&out);
	ck_assert_int_eq(dcs_collect(&space, &ranges, DCS_CLEAN, &out), 0);
	assert_ranges(&out, UNIT, "6+1 2+1");
	dcs_ranges_free(&out);
	ck_assert_int_eq(dcs_collect(&space, &ranges, DCS_BAD, &out), 0);
	assert_empty(&out);
	kernel_free_allocations = 0;
	ck_assert_int_eq(dcs_collect(&space, &ranges, DCS_DIRTY, &out), -ENOMEM);
	assert_empty(&out);
	kernel_free_allocations = G_MAXULONG;
	dcs_exit(&space);
}
END_TEST

static struct dce_extents *extents_of(const struct dcs_range *list, guint n)
{
	struct dcs_ranges add = {(struct dcs_range *)list, n, n, 0};
	struct dce_extents *extents = dce_grow(NULL, &add);

	ck_assert_ptr_nonnull(extents);
	return extents;
}

START_TEST(extents_answer_for_all_of_a_range)
{
	const struct dcs_range list[] = {
		{BASE + GiB, GiB}, {BASE, GiB}, {BASE + 4 * GiB, UNIT}};
	struct dce_extents *extents = extents_of(list, 3);

	ck_assert_uint_eq(extents->nr, 3);
	ck_assert_uint_eq(extents->size, 2 * GiB + UNIT);
	ck_assert_uint_eq(dce_lookup(extents, 0, GiB), BASE + GiB);
	ck_assert_uint_eq(dce_lookup(extents, 0, GiB + 1), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, GiB - 4096, 4096), BASE + 2 * GiB - 4096);
	ck_assert_uint_eq(dce_lookup(extents, GiB - 4096, 8192), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, GiB, GiB), BASE);
	ck_assert_uint_eq(dce_lookup(extents, 2 * GiB, UNIT), BASE + 4 * GiB);
	ck_assert_uint_eq(dce_lookup(extents, 2 * GiB, GiB), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, 2 * GiB + UNIT, 4096), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, G_MAXUINT64, 4096), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, GiB, G_MAXUINT64), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, GiB + UNIT, -UNIT), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(extents, GiB, 0), DCE_NONE);
	ck_assert_uint_eq(dce_lookup(NULL, 0, 4096), DCE_NONE);
	ck_assert_uint_eq(dce_offset(extents, BASE + GiB), 0);
	ck_assert_uint_eq(dce_offset(extents, BASE + 2 * GiB - 1), GiB - 1);
	ck_assert_uint_eq(dce_offset(extents, BASE), GiB);
	ck_assert_uint_eq(dce_offset(extents, BASE + 4 * GiB + UNIT - 1),
			  2 * GiB + UNIT - 1);
	ck_assert_uint_eq(dce_offset(extents, BASE + 4 * GiB + UNIT), DCE_NONE);
	ck_assert_uint_eq(dce_offset(extents, BASE - 1), DCE_NONE);
	ck_assert_uint_eq(dce_offset(extents, BASE + 2 * GiB), DCE_NONE);
	ck_assert_uint_eq(dce_offset(NULL, BASE), DCE_NONE);
	dce_free(extents);
	dce_free(NULL);
}
END_TEST

START_TEST(only_the_last_extent_gets_longer)
{
	const struct dcs_range list[] = {{BASE, GiB}, {BASE + 4 * GiB, GiB}};
	struct dcs_range more[] = {{BASE + 5 * GiB, GiB}, {BASE + GiB, GiB}};
	struct dcs_ranges add = {more, 2, 2, 2 * GiB};
	struct dce_extents *extents = extents_of(list, 2);
	struct dce_extents *longer = dce_grow(extents, &add);

	ck_assert_uint_eq(longer->nr, 3);
	ck_assert_uint_eq(longer->size, 4 * GiB);
	ck_assert_uint_eq(longer->list[1].size, 2 * GiB);
	ck_assert_uint_eq(longer->list[2].start, BASE + GiB);
	ck_assert_uint_eq(longer->list[2].offset, 3 * GiB);
	ck_assert_uint_eq(extents->nr, 2);
	ck_assert_uint_eq(extents->list[1].size, GiB);
	add.nr = G_MAXUINT32;
	ck_assert_ptr_null(dce_grow(extents, &add));
	dce_free(extents);
	dce_free(longer);
}
END_TEST

START_TEST(shrinking_cuts_from_the_end)
{
	const struct dcs_range list[] = {
		{BASE + 2 * GiB, GiB}, {BASE + GiB, GiB}, {BASE + 6 * GiB, GiB}};
	struct dce_extents *extents = extents_of(list, 3), *new;
	struct dcs_ranges cut;

	ck_assert_int_eq(dce_shrink(extents, 3 * GiB, &new, &cut), 0);
	ck_assert_uint_eq(new->nr, 3);
	assert_empty(&cut);
	dce_free(new);

	ck_assert_int_eq(dce_shrink(extents, GiB + UNIT, &new, &cut), 0);
	ck_assert_uint_eq(new->nr, 2);
	ck_assert_uint_eq(new->size, GiB + UNIT);
	ck_assert_uint_eq(new->list[1].size, UNIT);
	assert_ranges(&cut, UNIT, "513+511 3072+512");
	dce_free(new);
	dcs_ranges_free(&cut);

	ck_assert_int_eq(dce_shrink(extents, 0, &new, &cut), 0);
	ck_assert_uint_eq(new->nr, 0);
	ck_assert_uint_eq(new->size, 0);
	ck_assert_uint_eq(dce_lookup(new, 0, 1), DCE_NONE);
	assert_ranges(&cut, GiB, "1+2 6+1");
	dce_free(new);
	dcs_ranges_free(&cut);

	ck_assert_int_eq(dce_shrink(extents, 3 * GiB + 1, &new, &cut), -EINVAL);
	ck_assert_ptr_null(new);
	ck_assert_int_eq(dce_shrink(NULL, 0, &new, &cut), 0);
	dce_free(new);
	ck_assert_int_eq(dce_shrink(NULL, 1, &new, &cut), -EINVAL);
	dce_free(extents);
}
END_TEST

/* Every allocation of each function fails once; the sanitizers see what leaks. */
START_TEST(without_memory_nothing_is_given)
{
	struct dcs_space space = space_of("cHcHcHcHcHcHcHcHcHcHcHc", GiB);
	struct dcg_geometry geometry = rotate(GiB, 2);
	unsigned long of = 3;
	struct dcs_range all = {BASE, 23 * GiB};
	struct dcs_ranges whole = {&all, 1, 1, 23 * GiB}, out, cut;
	struct dce_extents *extents, *new;
	guint tries = 0;

	for (int err = -ENOMEM; err; tries++) {
		kernel_free_allocations = tries;
		err = dcs_find(&space, 12 * GiB, GiB, 0, NULL, NULL, NULL, &out);
		if (err)
			assert_empty(&out);
		ck_assert(err == 0 || err == -ENOMEM);
	}
	ck_assert_uint_eq(tries, 3);
	for (guint i = 0; i < 2; i++) {
		kernel_free_allocations = i;
		extents = dce_grow(NULL, &out);
		ck_assert((extents != NULL) == (i == 1));
	}
	for (guint i = 0; i < 4; i++) {
		kernel_free_allocations = i;
		ck_assert_int_eq(dce_shrink(extents, 0, &new, &cut), i < 3 ? -ENOMEM : 0);
		ck_assert((new != NULL) == (i == 3));
		if (i < 3)
			assert_empty(&cut);
	}
	dce_free(new);
	dcs_ranges_free(&cut);
	dcs_ranges_free(&out);
	for (guint i = 0; i < 4; i++) {
		kernel_free_allocations = i;
		ck_assert_int_eq(dcs_find_colors(&space, 12, &geometry, &of, &out),
				 i < 3 ? -ENOMEM : 0);
		if (i < 3)
			assert_empty(&out);
	}
	dcs_ranges_free(&out);
	for (guint i = 0; i < 3; i++) {
		kernel_free_allocations = i;
		ck_assert_int_eq(dcs_collect(&space, &whole, DCS_CLEAN, &out),
				 i < 2 ? -ENOMEM : 0);
		if (i < 2)
			assert_empty(&out);
	}
	dcs_ranges_free(&out);
	dce_free(extents);
	kernel_free_allocations = G_MAXULONG;
	dcs_exit(&space);
}
END_TEST

START_TEST(geometries_are_checked)
{
	static const struct dcg_range good[] = {{BASE, GiB, 1}, {BASE + GiB, GiB, 0}};
	static const struct dcg_range overlap[] = {{BASE, 2 * GiB, 1},
						   {BASE + GiB, GiB, 0}};
	static const struct dcg_range color[] = {{BASE, GiB, 2}};
	static const struct dcg_range empty[] = {{BASE, 0, 0}};
	static const struct dcg_range wraps[] = {{-GiB, 2 * GiB, 0}};
	static const struct dcg_range start[] = {{BASE + UNIT, GiB, 0}};
	static const struct dcg_range size[] = {{BASE, UNIT, 0}};
	static const struct {
		struct dcg_geometry geometry;
		int err;
	} table[] = {
		{{DCG_NONE}, 0},
		{{DCG_ROTATE, UNIT, 0, 1}, 0},
		{{DCG_ROTATE, GiB, GiB, 65536}, 0},
		{{DCG_SKEW, GiB, BASE, 7}, 0},
		{{DCG_ROTATE, MiB, 0, 1}, -EINVAL},
		{{DCG_ROTATE, 2 * GiB, 0, 1}, -EINVAL},
		{{DCG_ROTATE, 3 * MiB, 0, 1}, -EINVAL},
		{{DCG_ROTATE, 0, 0, 1}, -EINVAL},
		{{DCG_ROTATE, GiB, 0, 0}, -EINVAL},
		{{DCG_ROTATE, GiB, 0, 65537}, -EINVAL},
		{{DCG_ROTATE, GiB, UNIT, 1}, -EINVAL},
		{{DCG_SKEW, GiB, UNIT, 1}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, good, 2}, 0},
		{{DCG_RANGES, GiB, 0, 2, NULL, 0}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, overlap, 2}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, color, 1}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, empty, 1}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, wraps, 1}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, start, 1}, -EINVAL},
		{{DCG_RANGES, GiB, 0, 2, size, 1}, -EINVAL},
		{{(enum dcg_kind)9, GiB, 0, 2}, -EINVAL},
	};

	for (guint i = 0; i < G_N_ELEMENTS(table); i++)
		ck_assert_msg(dcg_check(&table[i].geometry) == table[i].err, "line %u",
			      i);
}
END_TEST

static double seconds(void)
{
	struct timespec at;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return at.tv_sec + at.tv_nsec * 1e-9;
}

/*
 * 2 TiB in granules of 2 MiB, every other of them held: a million pieces. What
 * looked at each piece or color for each other one would take hours.
 */
START_TEST(large_spaces_are_passed_once)
{
	struct dcg_geometry geometry = rotate(UNIT, 65535);
	g_autofree unsigned long *of = g_new(unsigned long, 1024);
	g_autofree guint32 *counts = g_new(guint32, 65535);
	guint few = G_MAXUINT, pieces = 1 << 20;
	struct dcs_space space;
	struct dcs_ranges out;
	double began = seconds();

	memset(of, 0xff, 1024 * sizeof(*of));
	ck_assert_int_eq(dcs_init(&space, BASE, pieces * UNIT, UNIT, DCS_DIRTY), 0);
	ck_assert_int_eq(dcs_reserve(&space, pieces / 2), 0);
	for (guint i = 1; i < pieces; i += 2)
		ck_assert_int_eq(dcs_set(&space, BASE + i * UNIT, UNIT, DCS_HELD, &space),
				 0);
	ck_assert_uint_eq(space.nr, pieces);
	ck_assert_int_eq(
		dcs_find(&space, pieces / 2 * UNIT, UNIT, 0, NULL, NULL, NULL, &out), 0);
	ck_assert_uint_eq(out.nr, pieces / 2);
	dcs_ranges_free(&out);
	ck_assert_int_eq(
		dcs_find(&space, pieces * UNIT, UNIT, 0, &geometry, is_in, &few, &out),
		-ENOSPC);
	ck_assert_int_eq(dcs_find_colors(&space, pieces / 2, &geometry, of, &out), 0);
	ck_assert_uint_eq(out.nr, pieces / 2);
	dcs_ranges_free(&out);
	dcs_count_granules(&space, &geometry, counts);
	ck_assert_uint_eq(counts[0], 9);
	ck_assert_double_lt(seconds() - began, 20);
	dcs_exit(&space);
}
END_TEST

/* DAXC_TEST_SEED=... repeats a run, DAXC_TEST_ROUNDS=... makes it longer. */
START_TEST(random_operations_agree_with_the_model)
{
	const char *seed_text = g_getenv("DAXC_TEST_SEED");
	const char *rounds_text = g_getenv("DAXC_TEST_ROUNDS");
	guint32 seed = seed_text ? (guint32)strtoul(seed_text, NULL, 0) : g_random_int();
	guint64 rounds = rounds_text ? g_ascii_strtoull(rounds_text, NULL, 0) : 2000;
	g_autoptr(GRand) random = g_rand_new_with_seed(seed);
	guint64 steps = 0;

	/* Said before, as a difference ends the program. */
	g_print("space: DAXC_TEST_SEED=%u DAXC_TEST_ROUNDS=%" G_GINT64_MODIFIER "u\n",
		seed, rounds);
	for (guint64 round = 0; round < rounds; round++) {
		guint8 data[1024];

		for (guint i = 0; i < sizeof(data); i++)
			data[i] = (guint8)g_rand_int(random);
		steps += space_model_run(data, sizeof(data));
	}
	g_print("space: %" G_GINT64_MODIFIER "u operations\n", steps);
	ck_assert_uint_gt(steps, rounds * 50);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("space");
	TCase *tcase = tcase_create("space");

	tcase_set_timeout(tcase, 0);
	tcase_add_test(tcase, init_refuses_what_is_no_region);
	tcase_add_test(tcase, pieces_of_two_holders_stay_two);
	tcase_add_test(tcase, a_change_without_memory_changes_nothing);
	tcase_add_test(tcase, check_free_names_the_worst);
	tcase_add_loop_test(tcase, find_takes_behind_then_lowest, 0, G_N_ELEMENTS(finds));
	tcase_add_test(tcase, find_gives_parts_of_granules);
	tcase_add_test(tcase, find_gives_nothing_without_a_color);
	tcase_add_loop_test(tcase, colors_give_evenly, 0, G_N_ELEMENTS(color_finds));
	tcase_add_test(tcase, colors_need_whole_granules);
	tcase_add_test(tcase, colors_find_every_legal_set);
	tcase_add_test(tcase, retire_leaves_alone_what_is_not_free);
	tcase_add_test(tcase, collect_gives_what_is_in_a_state);
	tcase_add_test(tcase, extents_answer_for_all_of_a_range);
	tcase_add_test(tcase, only_the_last_extent_gets_longer);
	tcase_add_test(tcase, shrinking_cuts_from_the_end);
	tcase_add_test(tcase, without_memory_nothing_is_given);
	tcase_add_test(tcase, geometries_are_checked);
	tcase_add_test(tcase, large_spaces_are_passed_once);
	tcase_add_test(tcase, random_operations_agree_with_the_model);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
