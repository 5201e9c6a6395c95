// SPDX-License-Identifier: GPL-2.0-or-later
/* The space as an array of cells, in which everything is looked for from the start. */
#include "tests/unit/space-model.h"

#include "driver/space.h"

#define UNIT (G_GUINT64_CONSTANT(2) << 20)
#define MAX_CELLS 64
#define HOLDERS 3
#define MAX_COLORS 6
#define FREE (1u << DCS_CLEAN | 1u << DCS_DIRTY)
#define FREE_LATER (FREE | 1u << DCS_ZEROING)

unsigned long kernel_free_allocations = G_MAXULONG;

typedef struct {
	enum dcs_state state;
	const void *holder;
} Cell;

/* An instance: where each of its units is. */
typedef struct {
	struct dce_extents *extents;
	guint64 units[MAX_CELLS];
	guint n;
} Holder;

typedef struct {
	const guint8 *data;
	gsize left;

	struct dcs_space space;
	guint64 start;
	guint n;
	Cell cells[MAX_CELLS];

	struct dcg_geometry geometry;
	struct dcg_range ranges[MAX_CELLS];
	Holder holders[HOLDERS];
} Model;

typedef struct {
	guint64 size;
	guint64 align;
	guint64 behind;
	unsigned long colors; /* a bit for each that is ok */
	gboolean any;	      /* no geometry */
} Request;

/* Units that were chosen, each of @unit bytes, in order. */
typedef struct {
	guint64 list[MAX_CELLS];
	guint n;
	guint64 unit;
} Choice;

static guint8 next(Model *model)
{
	if (model->left == 0)
		return 0;
	model->left--;
	return *model->data++;
}

static guint64 address_of(const Model *model, guint index)
{
	return model->start + index * UNIT;
}

static guint64 top_of(const Model *model)
{
	return model->start + model->n * UNIT;
}

/* Most often a place in the space, sometimes one near it or between two units. */
static guint64 some_address(Model *model)
{
	guint8 byte = next(model);
	guint64 address = model->start + (byte % (model->n + 2)) * UNIT;

	if (byte >= 250)
		return address - 3 * UNIT;
	return byte >= 245 ? address + 4096 : address;
}

static guint64 some_size(Model *model)
{
	guint8 byte = next(model);

	if (byte >= 254)
		return -UNIT;
	if (byte >= 250)
		return byte * 4096;
	return byte % (byte < 128 ? model->n + 2 : 6) * UNIT;
}

/* One fails, the first, second or third; mostly none does. */
static gboolean some_allocations(Model *model)
{
	guint8 byte = next(model);

	kernel_free_allocations = byte < 192 ? G_MAXULONG : byte % 3;
	return kernel_free_allocations != G_MAXULONG;
}

/* Did one? Then it must be -ENOMEM, and only then. */
static gboolean failed(gboolean may_fail, int err)
{
	gboolean did_fail = may_fail && kernel_free_allocations > 2;

	kernel_free_allocations = G_MAXULONG;
	g_assert_true(did_fail == (err == -ENOMEM));
	return did_fail;
}

/* ---- the color function ---- */

static gboolean color_of(const Model *model, guint64 address, guint32 *color)
{
	const struct dcg_geometry *geometry = &model->geometry;
	guint64 at = geometry->base, turn = 0;

	if (geometry->kind == DCG_RANGES) {
		for (guint i = 0; i < geometry->nr_ranges; i++) {
			const struct dcg_range *range = &geometry->ranges[i];

			for (at = range->start; at - range->start < range->size;
			     at += UNIT) {
				if (address - at < UNIT) {
					*color = range->color;
					return TRUE;
				}
			}
		}
		return FALSE;
	}
	if (geometry->kind == DCG_NONE || address < at)
		return FALSE;
	/* Whole turns before the region change nothing with rotate; skew counts them. */
	for (*color = 0; address - at >= geometry->granule; at += geometry->granule) {
		if (++*color == geometry->colors) {
			*color = 0;
			turn++;
		}
	}
	if (geometry->kind == DCG_SKEW)
		*color = (*color + turn) % geometry->colors;
	return TRUE;
}

static void make_ranges(Model *model)
{
	struct dcg_geometry *geometry = &model->geometry;
	guint64 at = model->start & -geometry->granule;

	while (geometry->nr_ranges < 8 && at < top_of(model)) {
		struct dcg_range *range = &model->ranges[geometry->nr_ranges];
		guint8 byte = next(model);

		range->start = at + (byte % 4 == 3 ? geometry->granule : 0);
		range->size = (1 + byte / 4 % 4) * geometry->granule;
		range->color = byte / 16 % geometry->colors;
		if (range->start + range->size < at)
			return;
		at = range->start + range->size;
		geometry->nr_ranges++;
	}
}

static void make_geometry(Model *model)
{
	struct dcg_geometry *geometry = &model->geometry;
	guint8 byte = next(model);
	guint64 start;

	geometry->kind = byte % 4;
	geometry->granule = UNIT << (byte / 4 % 4);
	geometry->colors = 1 + byte / 16 % MAX_COLORS;
	start = model->start & -geometry->granule;
	/* In the space, so that some of it has no color, or some turns below. */
	byte = next(model);
	if (byte % 4 == 0)
		geometry->base = start + byte / 4 % 8 * geometry->granule;
	else
		geometry->base = start - MIN(start, byte / 4 * geometry->granule);
	geometry->ranges = model->ranges;
	if (geometry->kind == DCG_RANGES)
		make_ranges(model);
	if (geometry->kind == DCG_RANGES && geometry->nr_ranges == 0)
		geometry->kind = DCG_NONE;
	g_assert_cmpint(dcg_check(geometry), ==, 0);
}

static void make_space(Model *model)
{
	guint8 byte = next(model);
	enum dcs_state state = next(model) % DCS_NR_STATES;

	model->n = 1 + byte % MAX_CELLS;
	model->start = next(model) % 16 * UNIT;
	if (byte >= 240) /* up to the last address that can be */
		model->start = -UNIT * (model->n + 1 + byte % 2);
	for (guint i = 0; i < model->n; i++)
		model->cells[i] = (Cell){state, NULL};
	g_assert_cmpint(
		dcs_init(&model->space, model->start, model->n * UNIT, UNIT, state), ==,
		0);
	make_geometry(model);
	/* An end above all addresses would be 0. */
	if (byte >= 240 && model->geometry.kind != DCG_RANGES)
		model->geometry.base = model->start & -model->geometry.granule;
}

/* ---- what must hold at any time ---- */

static void check_pieces(const Model *model)
{
	const struct dcs_space *space = &model->space;

	g_assert_cmpuint(space->nr, >=, 1);
	g_assert_cmpuint(space->nr, <=, space->room);
	g_assert_cmpuint(space->pieces[0].start, ==, space->start);
	g_assert_cmpuint(space->pieces[space->nr - 1].end, ==, space->end);
	for (guint i = 0; i < space->nr; i++) {
		const struct dcs_piece *piece = &space->pieces[i];

		g_assert_cmpuint(piece->start, <, piece->end);
		if (i == 0)
			continue;
		g_assert_cmpuint(piece->start, ==, piece[-1].end);
		g_assert_true(piece->state != piece[-1].state ||
			      piece->holder != piece[-1].holder);
	}
}

static void check_cells(const Model *model)
{
	guint64 sizes[DCS_NR_STATES] = {0};

	for (guint i = 0; i < model->n; i++) {
		const struct dcs_piece *piece =
			dcs_at(&model->space, address_of(model, i) + i);

		g_assert_nonnull(piece);
		g_assert_cmpuint(piece->start, <=, address_of(model, i));
		g_assert_cmpuint(piece->end, >=, address_of(model, i) + UNIT);
		g_assert_cmpint(piece->state, ==, model->cells[i].state);
		g_assert_true(piece->holder == model->cells[i].holder);
		sizes[piece->state] += UNIT;
	}
	g_assert_null(dcs_at(&model->space, model->start - 1));
	g_assert_null(dcs_at(&model->space, top_of(model)));
	g_assert_cmpmem(sizes, sizeof(sizes), model->space.sizes, sizeof(sizes));
}

static void check_extents(const Holder *holder)
{
	const struct dce_extents *extents = holder->extents;
	guint n = 0;

	if (!extents) {
		g_assert_cmpuint(holder->n, ==, 0);
		return;
	}
	g_assert_cmpuint(extents->size, ==, holder->n * UNIT);
	for (guint i = 0; i < extents->nr; i++) {
		const struct dce_extent *extent = &extents->list[i];

		g_assert_cmpuint(extent->offset, ==, n * UNIT);
		g_assert_cmpuint(extent->size, >, 0);
		if (i > 0)
			g_assert_cmpuint(extent->start, !=,
					 extent[-1].start + extent[-1].size);
		for (guint64 at = 0; at < extent->size; at += UNIT)
			g_assert_cmpuint(holder->units[n++], ==, extent->start + at);
	}
	g_assert_cmpuint(n, ==, holder->n);
}

static void check_model(const Model *model)
{
	check_pieces(model);
	check_cells(model);
	for (guint i = 0; i < HOLDERS; i++)
		check_extents(&model->holders[i]);
}

/* ---- changes ---- */

static gboolean lies_within(const Model *model, guint64 start, guint64 size)
{
	return size > 0 && start >= model->start && start < top_of(model) &&
	       size <= top_of(model) - start;
}

static gboolean covers(guint64 start, guint64 size, guint64 cell)
{
	return start < cell + UNIT && (start >= cell || cell - start < size) && size > 0;
}

static void set_cells(Model *model, guint64 start, guint64 size, enum dcs_state state,
		      const void *holder)
{
	for (guint i = 0; i < model->n; i++) {
		if (covers(start, size, address_of(model, i)))
			model->cells[i] = (Cell){state, holder};
	}
}

/* Of cells that instances have, the model knows what they have: those stay. */
static gboolean is_held(const Model *model, guint64 start, guint64 size)
{
	for (guint i = 0; i < model->n; i++) {
		if (covers(start, size, address_of(model, i)) &&
		    model->cells[i].state == DCS_HELD)
			return TRUE;
	}
	return FALSE;
}

static void set(Model *model, gboolean may_fail)
{
	guint64 start = some_address(model), size = some_size(model);
	guint8 byte = next(model);
	enum dcs_state state = byte % DCS_NR_STATES;
	const void *holder = NULL;
	int err;

	if (state == DCS_HELD || is_held(model, start, size))
		return;
	if (state == DCS_PREPARING || state == DCS_QUARANTINED)
		holder = &model->holders[byte / DCS_NR_STATES % HOLDERS];
	may_fail = may_fail && some_allocations(model);
	err = dcs_set(&model->space, start, size, state, holder);
	if (failed(may_fail, err))
		return;
	if (!lies_within(model, start, size)) {
		g_assert_cmpint(err, ==, -ERANGE);
	} else if ((start | size) % UNIT != 0) {
		g_assert_cmpint(err, ==, -EINVAL);
	} else {
		g_assert_cmpint(err, ==, 0);
		set_cells(model, start, size, state, holder);
	}
}

/* Changes that were reserved need no memory. */
static void set_reserved(Model *model)
{
	guint changes = next(model) % 6;

	g_assert_cmpint(dcs_reserve(&model->space, changes), ==, 0);
	for (guint i = 0; i < changes; i++) {
		kernel_free_allocations = 0;
		set(model, FALSE);
		kernel_free_allocations = G_MAXULONG;
		check_model(model);
	}
}

static void retire(Model *model)
{
	guint64 start = some_address(model), size = some_size(model);
	guint count = 0;

	for (guint i = 0; i < model->n; i++) {
		if (covers(start, size, address_of(model, i)) &&
		    (count == 0 || model->cells[i].state != model->cells[i - 1].state ||
		     model->cells[i].holder != model->cells[i - 1].holder))
			count++;
	}
	g_assert_cmpuint(dcs_count(&model->space, start, size), ==, count);
	g_assert_cmpint(dcs_reserve(&model->space, count), ==, 0);
	kernel_free_allocations = 0;
	dcs_retire(&model->space, start, size);
	g_assert_cmpuint(kernel_free_allocations, ==, 0);
	kernel_free_allocations = G_MAXULONG;
	for (guint i = 0; i < model->n; i++) {
		if (covers(start, size, address_of(model, i)) &&
		    (FREE & 1u << model->cells[i].state))
			model->cells[i] = (Cell){DCS_BAD, NULL};
	}
}

/* ---- questions ---- */

static void check_free(Model *model)
{
	guint64 start = some_address(model), size = some_size(model);
	int err = dcs_check_free(&model->space, start, size);
	guint seen = 0;

	for (guint i = 0; i < model->n; i++) {
		if (covers(start, size, address_of(model, i)))
			seen |= 1u << model->cells[i].state;
	}
	if (!lies_within(model, start, size))
		g_assert_cmpint(err, ==, -ERANGE);
	else if (seen & 1u << DCS_BAD)
		g_assert_cmpint(err, ==, -EHWPOISON);
	else if (seen & ~FREE_LATER)
		g_assert_cmpint(err, ==, -EBUSY);
	else if (seen & 1u << DCS_ZEROING)
		g_assert_cmpint(err, ==, -EAGAIN);
	else
		g_assert_cmpint(err, ==, 0);
}

static bool is_ok(void *data, u32 color)
{
	return *(unsigned long *)data >> color & 1;
}

/* Whether whoever asks may have all of the unit at cell @index. */
static gboolean is_fit(const Model *model, const Request *request, guint index,
		       guint states)
{
	guint cells = request->align / UNIT;

	if (address_of(model, index) % request->align != 0 || cells > model->n - index)
		return FALSE;
	for (guint i = index; i < index + cells; i++) {
		guint32 color;

		if (!(states & 1u << model->cells[i].state))
			return FALSE;
		if (request->any || model->geometry.kind == DCG_NONE)
			continue;
		if (!color_of(model, address_of(model, i), &color) ||
		    !(request->colors >> color & 1))
			return FALSE;
	}
	return TRUE;
}

static gboolean is_chosen(const Choice *choice, guint64 address)
{
	for (guint i = 0; i < choice->n; i++) {
		if (choice->list[i] == address)
			return TRUE;
	}
	return FALSE;
}

static void choose(const Model *model, const Request *request, guint states,
		   Choice *choice)
{
	guint needed = request->size / request->align, step = request->align / UNIT;

	choice->n = 0;
	choice->unit = request->align;
	if (request->behind >= model->start && request->behind % UNIT == 0 &&
	    request->behind > 0) {
		for (guint64 i = (request->behind - model->start) / UNIT;
		     i < model->n && choice->n < needed &&
		     is_fit(model, request, i, states);
		     i += step)
			choice->list[choice->n++] = address_of(model, i);
	}
	for (guint i = 0; i < model->n && choice->n < needed; i++) {
		guint64 address = address_of(model, i);

		if (is_fit(model, request, i, states) && !is_chosen(choice, address))
			choice->list[choice->n++] = address;
	}
}

static void check_choice(const struct dcs_ranges *out, const Choice *choice)
{
	guint n = 0;

	g_assert_cmpuint(out->size, ==, choice->n * choice->unit);
	for (guint i = 0; i < out->nr; i++) {
		const struct dcs_range *range = &out->list[i];

		g_assert_cmpuint(range->size, >, 0);
		if (i > 0)
			g_assert_cmpuint(range[-1].start + range[-1].size, !=,
					 range->start);
		for (guint64 at = 0; at < range->size; at += choice->unit) {
			g_assert_cmpuint(n, <, choice->n);
			g_assert_cmpuint(range->start + at, ==, choice->list[n]);
			n++;
		}
	}
	g_assert_cmpuint(n, ==, choice->n);
}

static void check_empty(const struct dcs_ranges *out)
{
	const struct dcs_ranges empty = {0};

	g_assert_cmpmem(out, sizeof(*out), &empty, sizeof(empty));
}

static Request some_request(Model *model)
{
	guint8 byte = next(model);
	Request request = {
		.align = byte % 8 < 4 ? UNIT : UNIT << (byte % 8 - 4),
		.colors = byte / 8,
		.any = byte >= 240,
	};

	if (next(model) % 2 == 0)
		request.behind = some_address(model);
	byte = next(model);
	request.size = request.align * (byte % 10);
	if (byte >= 250)
		request.size += 4096;
	else if (byte >= 245)
		request.size = some_size(model);
	return request;
}

/* Returns: whether @out is an answer, which the caller must free. */
static gboolean find(Model *model, Request *request, struct dcs_ranges *out)
{
	guint64 align = request->align > UNIT ? request->align : UNIT >> next(model) % 10;
	gboolean may_fail = some_allocations(model);
	Choice choice;
	int err;

	memset(out, 0x5a, sizeof(*out));
	err = dcs_find(&model->space, request->size, align, request->behind,
		       request->any ? NULL : &model->geometry, is_ok, &request->colors,
		       out);
	if (err)
		check_empty(out);
	if (failed(may_fail, err))
		return FALSE;
	if (request->size == 0 || request->size % request->align != 0) {
		g_assert_cmpint(err, ==, -EINVAL);
		return FALSE;
	}
	choose(model, request, FREE, &choice);
	if (choice.n * request->align == request->size) {
		g_assert_cmpint(err, ==, 0);
		check_choice(out, &choice);
		return TRUE;
	}
	choose(model, request, FREE_LATER, &choice);
	g_assert_cmpint(err, ==,
			choice.n * request->align == request->size ? -EAGAIN : -ENOSPC);
	return FALSE;
}

static void find_only(Model *model)
{
	Request request = some_request(model);
	struct dcs_ranges out;

	if (find(model, &request, &out))
		dcs_ranges_free(&out);
}

static void refuse_odd_aligns(Model *model)
{
	static const guint64 odd[] = {0, 3, UNIT + 4096, 3 * UNIT};
	struct dcs_ranges out;

	for (guint i = 0; i < G_N_ELEMENTS(odd); i++) {
		g_assert_cmpint(dcs_find(&model->space, 6 * UNIT, odd[i], 0, NULL, NULL,
					 NULL, &out),
				==, -EINVAL);
		check_empty(&out);
	}
}

/* The lowest granule of @color that is in none of @choice, or the end. */
static guint64 next_granule(const Model *model, guint32 color, guint states,
			    const Choice *choice)
{
	Request request = {.align = model->geometry.granule, .colors = 1ul << color};

	for (guint i = 0; i < model->n; i++) {
		guint64 address = address_of(model, i);

		if (is_fit(model, &request, i, states) && !is_chosen(choice, address))
			return address;
	}
	return top_of(model);
}

/* Color after color gives one, again and again. */
static void deal(const Model *model, unsigned long colors, guint count, guint states,
		 Choice *choice)
{
	gboolean more = TRUE;

	choice->n = 0;
	choice->unit = model->geometry.granule;
	while (more && choice->n < count) {
		more = FALSE;
		for (guint32 color = 0;
		     color < model->geometry.colors && choice->n < count; color++) {
			guint64 address;

			if (!(colors >> color & 1))
				continue;
			address = next_granule(model, color, states, choice);
			if (address == top_of(model))
				continue;
			choice->list[choice->n++] = address;
			more = TRUE;
		}
	}
}

static int compare(const void *a, const void *b)
{
	guint64 one = *(const guint64 *)a, other = *(const guint64 *)b;

	return (one > other) - (one < other);
}

static gboolean find_colors(Model *model, struct dcs_ranges *out)
{
	guint count = next(model) % 12;
	unsigned long colors = next(model);
	gboolean may_fail = some_allocations(model);
	Choice choice;
	int err;

	memset(out, 0x5a, sizeof(*out));
	err = dcs_find_colors(&model->space, count, &model->geometry, &colors, out);
	if (err)
		check_empty(out);
	if (failed(may_fail, err))
		return FALSE;
	if (count == 0 || model->geometry.kind == DCG_NONE) {
		g_assert_cmpint(err, ==, -EINVAL);
		return FALSE;
	}
	deal(model, colors, count, FREE, &choice);
	if (choice.n == count) {
		g_assert_cmpint(err, ==, 0);
		qsort(choice.list, choice.n, sizeof(choice.list[0]), compare);
		check_choice(out, &choice);
		return TRUE;
	}
	deal(model, colors, count, FREE_LATER, &choice);
	g_assert_cmpint(err, ==, choice.n == count ? -EAGAIN : -ENOSPC);
	return FALSE;
}

static void find_colors_only(Model *model)
{
	struct dcs_ranges out;

	if (find_colors(model, &out))
		dcs_ranges_free(&out);
}

static void count_granules(Model *model)
{
	guint32 counts[MAX_COLORS + 1];

	memset(counts, 0x5a, sizeof(counts));
	dcs_count_granules(&model->space, &model->geometry, counts);
	for (guint32 color = 0; color < model->geometry.colors; color++) {
		Choice choice;

		if (model->geometry.kind == DCG_NONE) {
			g_assert_cmpuint(
				dcs_free_granules(&model->space, &model->geometry, color),
				==, 0);
			continue;
		}
		deal(model, 1ul << color, MAX_CELLS, FREE_LATER, &choice);
		g_assert_cmpuint(counts[color], ==, choice.n);
		g_assert_cmpuint(
			dcs_free_granules(&model->space, &model->geometry, color), ==,
			choice.n);
	}
	g_assert_cmpuint(counts[model->geometry.colors], ==, 0x5a5a5a5a);
}

/* ---- instances ---- */

static Holder *some_holder(Model *model)
{
	return &model->holders[next(model) % HOLDERS];
}

static void hold(Model *model, Holder *holder, const struct dcs_range *range)
{
	g_assert_cmpint(
		dcs_set(&model->space, range->start, range->size, DCS_HELD, holder), ==,
		0);
	set_cells(model, range->start, range->size, DCS_HELD, holder);
	for (guint64 at = 0; at < range->size; at += UNIT)
		holder->units[holder->n++] = range->start + at;
}

/* What of an answer is dirty is what has to be zeroed for who got it. */
static void collect_dirty(Model *model, const struct dcs_ranges *ranges)
{
	gboolean may_fail = some_allocations(model);
	Choice choice = {.unit = UNIT};
	struct dcs_ranges out;
	int err;

	memset(&out, 0x5a, sizeof(out));
	err = dcs_collect(&model->space, ranges, DCS_DIRTY, &out);
	if (err)
		check_empty(&out);
	if (failed(may_fail, err))
		return;
	g_assert_cmpint(err, ==, 0);
	for (guint i = 0; i < ranges->nr; i++) {
		const struct dcs_range *range = &ranges->list[i];
		guint index = (range->start - model->start) / UNIT;

		for (guint64 at = 0; at < range->size; at += UNIT, index++) {
			if (model->cells[index].state == DCS_DIRTY)
				choice.list[choice.n++] = range->start + at;
		}
	}
	check_choice(&out, &choice);
	dcs_ranges_free(&out);
}

static void add(Model *model, Holder *holder, const struct dcs_ranges *out)
{
	gboolean may_fail = some_allocations(model);
	struct dce_extents *extents = dce_grow(holder->extents, out);

	if (failed(may_fail, extents ? 0 : -ENOMEM))
		return;
	dce_free(holder->extents);
	holder->extents = extents;
	for (guint i = 0; i < out->nr; i++)
		hold(model, holder, &out->list[i]);
}

static void grow(Model *model)
{
	Holder *holder = some_holder(model);
	Request request = some_request(model);
	struct dcs_ranges out;

	if (holder->n > 0)
		request.behind = holder->units[holder->n - 1] + UNIT;
	if (!find(model, &request, &out))
		return;
	collect_dirty(model, &out);
	add(model, holder, &out);
	dcs_ranges_free(&out);
}

static void grow_by_colors(Model *model)
{
	Holder *holder = some_holder(model);
	struct dcs_ranges out;

	if (!find_colors(model, &out))
		return;
	collect_dirty(model, &out);
	add(model, holder, &out);
	dcs_ranges_free(&out);
}

static void free_cut(Model *model, Holder *holder, guint keep,
		     const struct dcs_ranges *cut)
{
	Choice choice = {.n = holder->n - keep, .unit = UNIT};

	for (guint i = 0; i < choice.n; i++)
		choice.list[i] = holder->units[keep + i];
	qsort(choice.list, choice.n, sizeof(choice.list[0]), compare);
	check_choice(cut, &choice);
	for (guint i = 0; i < cut->nr; i++) {
		enum dcs_state state = next(model) % 2 ? DCS_ZEROING : DCS_DIRTY;

		g_assert_cmpint(dcs_set(&model->space, cut->list[i].start,
					cut->list[i].size, state, NULL),
				==, 0);
		set_cells(model, cut->list[i].start, cut->list[i].size, state, NULL);
	}
	holder->n = keep;
}

static void shrink(Model *model)
{
	Holder *holder = some_holder(model);
	guint keep = next(model) % (holder->n + 2);
	gboolean may_fail = some_allocations(model);
	struct dce_extents *new;
	struct dcs_ranges cut;
	int err;

	memset(&cut, 0x5a, sizeof(cut));
	err = dce_shrink(holder->extents, keep * UNIT, &new, &cut);
	g_assert_true((err == 0) == (new != NULL));
	if (err)
		check_empty(&cut);
	if (failed(may_fail, err))
		return;
	if (keep > holder->n) {
		g_assert_cmpint(err, ==, -EINVAL);
		return;
	}
	g_assert_cmpint(err, ==, 0);
	dce_free(holder->extents);
	holder->extents = new;
	free_cut(model, holder, keep, &cut);
	dcs_ranges_free(&cut);
}

static void look_up(Model *model)
{
	const Holder *holder = some_holder(model);
	guint64 offset = next(model) * UNIT / 4 + next(model);
	guint64 size = next(model) % 64 * UNIT / 8 + next(model) % 4;
	guint64 expected = DCE_NONE;

	if (size == 0 && next(model) % 2)
		size = -UNIT;
	if (offset < holder->n * UNIT && size > 0 && size <= holder->n * UNIT - offset) {
		guint first = offset / UNIT, last = (offset + size - 1) / UNIT;

		expected = holder->units[first] + offset % UNIT;
		for (guint i = first; i < last; i++) {
			if (holder->units[i] + UNIT != holder->units[i + 1])
				expected = DCE_NONE;
		}
	}
	g_assert_cmpuint(dce_lookup(holder->extents, offset, size), ==, expected);
}

static void step(Model *model)
{
	switch (next(model) % 16) {
	case 0:
	case 1:
	case 2:
		set(model, TRUE);
		break;
	case 3:
		set_reserved(model);
		break;
	case 4:
		retire(model);
		break;
	case 5:
		check_free(model);
		break;
	case 6:
		find_only(model);
		break;
	case 7:
		find_colors_only(model);
		break;
	case 8:
		count_granules(model);
		break;
	case 9:
		refuse_odd_aligns(model);
		break;
	case 10:
	case 11:
		grow(model);
		break;
	case 12:
		grow_by_colors(model);
		break;
	case 13:
	case 14:
		shrink(model);
		break;
	default:
		look_up(model);
		break;
	}
	check_model(model);
}

guint space_model_run(const guint8 *data, gsize size)
{
	Model model = {.data = data, .left = size};
	guint steps = 0;

	make_space(&model);
	while (model.left > 0) {
		step(&model);
		steps++;
	}
	for (guint i = 0; i < HOLDERS; i++)
		dce_free(model.holders[i].extents);
	dcs_exit(&model.space);
	return steps;
}
