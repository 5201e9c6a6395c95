// SPDX-License-Identifier: GPL-2.0
/*
 * The space of a region and the extents of an instance: a sorted array each.
 * Looking is a binary search or one pass over pieces and granules.
 */
#include "space.h"

#define DCS_IN(state) (1u << (state))
#define DCS_FREE (DCS_IN(DCS_CLEAN) | DCS_IN(DCS_DIRTY))
#define DCS_OCCUPIED (DCS_IN(DCS_PREPARING) | DCS_IN(DCS_HELD) | DCS_IN(DCS_QUARANTINED))

void dcs_ranges_free(struct dcs_ranges *ranges)
{
	kvfree(ranges->list);
	memset(ranges, 0, sizeof(*ranges));
}

static int ranges_reserve(struct dcs_ranges *ranges)
{
	u32 room = ranges->room < 8 ? 8 : 2 * ranges->room;
	struct dcs_range *list;

	if (ranges->nr < ranges->room)
		return 0;
	if (room <= ranges->room)
		return -ENOMEM;
	list = kvmalloc_array(room, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	if (ranges->nr > 0)
		memcpy(list, ranges->list, ranges->nr * sizeof(*list));
	kvfree(ranges->list);
	ranges->list = list;
	ranges->room = room;
	return 0;
}

static int ranges_append(struct dcs_ranges *ranges, const struct dcs_range *range)
{
	struct dcs_range *last = ranges->nr > 0 ? &ranges->list[ranges->nr - 1] : NULL;
	int err;

	if (last && last->start + last->size == range->start) {
		last->size += range->size;
		ranges->size += range->size;
		return 0;
	}
	err = ranges_reserve(ranges);
	if (err)
		return err;
	ranges->list[ranges->nr++] = *range;
	ranges->size += range->size;
	return 0;
}

int dcs_init(struct dcs_space *space, u64 start, u64 size, u64 align,
	     enum dcs_state state)
{
	memset(space, 0, sizeof(*space));
	if (size == 0 || start + size < start || !is_power_of_2(align) ||
	    !IS_ALIGNED(start | size, align))
		return -EINVAL;
	space->start = start;
	space->end = start + size;
	space->align = align;
	if (dcs_reserve(space, 1))
		return -ENOMEM;
	space->pieces[0] = (struct dcs_piece){
		.start = space->start,
		.end = space->end,
		.state = state,
	};
	space->nr = 1;
	space->sizes[state] = size;
	return 0;
}

void dcs_exit(struct dcs_space *space)
{
	kvfree(space->pieces);
	memset(space, 0, sizeof(*space));
}

int dcs_reserve(struct dcs_space *space, u32 changes)
{
	/* A change in the middle of a piece makes three of it. */
	u64 need = space->nr + 2ULL * changes;
	u64 room = space->room + space->room / 2;
	struct dcs_piece *pieces;

	if (need <= space->room)
		return 0;
	if (room < need)
		room = need;
	if (room > U32_MAX)
		return -ENOMEM;
	pieces = kvmalloc_array(room, sizeof(*pieces), GFP_KERNEL);
	if (!pieces)
		return -ENOMEM;
	if (space->nr > 0)
		memcpy(pieces, space->pieces, space->nr * sizeof(*pieces));
	kvfree(space->pieces);
	space->pieces = pieces;
	space->room = room;
	return 0;
}

static bool is_within(const struct dcs_space *space, u64 start, u64 size)
{
	return size > 0 && start >= space->start && start < space->end &&
	       size <= space->end - start;
}

/* Which piece has @address, which is in the space. */
static u32 index_of(const struct dcs_space *space, u64 address)
{
	u32 low = 0, high = space->nr - 1;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (address < space->pieces[middle].end)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool are_alike(const struct dcs_piece *a, const struct dcs_piece *b)
{
	return a->state == b->state && a->holder == b->holder;
}

/* Accounts for @piece, which pieces @first to @last have had until now. */
static void move_sizes(struct dcs_space *space, const struct dcs_piece *piece, u32 first,
		       u32 last)
{
	u32 i;

	for (i = first; i <= last; i++) {
		const struct dcs_piece *old = &space->pieces[i];
		u64 start = max(old->start, piece->start);
		u64 end = min(old->end, piece->end);

		space->sizes[old->state] -= end - start;
		space->sizes[piece->state] += end - start;
	}
}

/* Pieces @first to @last become the @nr at @by; there is room. */
static void replace(struct dcs_space *space, u32 first, u32 last,
		    const struct dcs_piece *by, u32 nr)
{
	memmove(&space->pieces[first + nr], &space->pieces[last + 1],
		(space->nr - last - 1) * sizeof(*by));
	memcpy(&space->pieces[first], by, nr * sizeof(*by));
	space->nr = space->nr - (last - first + 1) + nr;
}

int dcs_set(struct dcs_space *space, u64 start, u64 size, enum dcs_state state,
	    const void *holder)
{
	struct dcs_piece piece = {start, start + size, state, holder};
	struct dcs_piece head, tail, by[3];
	u32 first, last, nr = 0;

	if (!is_within(space, start, size))
		return -ERANGE;
	if (!IS_ALIGNED(start | size, space->align))
		return -EINVAL;
	if (dcs_reserve(space, 1))
		return -ENOMEM;
	first = index_of(space, start);
	last = index_of(space, piece.end - 1);
	move_sizes(space, &piece, first, last);

	if (first > 0 && space->pieces[first].start == start &&
	    are_alike(&space->pieces[first - 1], &piece))
		first--;
	if (last + 1 < space->nr && space->pieces[last].end == piece.end &&
	    are_alike(&space->pieces[last + 1], &piece))
		last++;
	head = space->pieces[first];
	tail = space->pieces[last];
	if (are_alike(&head, &piece))
		piece.start = head.start;
	if (are_alike(&tail, &piece))
		piece.end = tail.end;
	head.end = piece.start;
	tail.start = piece.end;
	if (head.start < head.end)
		by[nr++] = head;
	by[nr++] = piece;
	if (tail.start < tail.end)
		by[nr++] = tail;
	replace(space, first, last, by, nr);
	return 0;
}

const struct dcs_piece *dcs_at(const struct dcs_space *space, u64 address)
{
	if (!is_within(space, address, 1))
		return NULL;
	return &space->pieces[index_of(space, address)];
}

int dcs_check_free(const struct dcs_space *space, u64 start, u64 size)
{
	unsigned int seen = 0;
	u32 i;

	if (!is_within(space, start, size))
		return -ERANGE;
	for (i = index_of(space, start);
	     i < space->nr && space->pieces[i].start < start + size; i++)
		seen |= DCS_IN(space->pieces[i].state);
	if (seen & DCS_IN(DCS_BAD))
		return -EHWPOISON;
	if (seen & DCS_OCCUPIED)
		return -EBUSY;
	if (seen & DCS_IN(DCS_ZEROING))
		return -EAGAIN;
	return 0;
}

/**
 * struct walk - a way over what may be given out, by address
 * @space: over this
 * @states: mask of DCS_IN(): pieces in other states are passed over
 * @align: only whole units of it, at multiples of it, are found
 * @geometry: NULL when colors do not matter
 * @ok: as of dcs_find()
 * @data: as of dcs_find()
 * @next: piece at which it goes on
 * @at: before that, from here
 * @end: to here, pieces in these states without a gap
 */
struct walk {
	const struct dcs_space *space;
	unsigned int states;
	u64 align;
	const struct dcg_geometry *geometry;
	dcs_color_ok ok;
	void *data;
	u32 next;
	u64 at;
	u64 end;
};

static bool is_wanted(const struct walk *walk, u32 index)
{
	return walk->states & DCS_IN(walk->space->pieces[index].state);
}

/* Makes the walk go on at piece @index. */
static bool enter(struct walk *walk, u32 index)
{
	const struct dcs_space *space = walk->space;

	while (index < space->nr && !is_wanted(walk, index))
		index++;
	if (index == space->nr)
		return false;
	walk->at = space->pieces[index].start;
	while (index < space->nr && is_wanted(walk, index))
		index++;
	walk->end = space->pieces[index - 1].end;
	walk->next = index;
	return true;
}

static bool may_have(const struct walk *walk, u64 address)
{
	u32 color;

	return dcg_color(walk->geometry, address, &color) && walk->ok(walk->data, color);
}

/* Where the granule of @address ends, or the walk does before that. */
static u64 granule_end(const struct walk *walk, u64 address)
{
	u64 granule = walk->geometry->granule;

	return address + min(granule - (address & (granule - 1)), walk->end - address);
}

/*
 * Takes from the walk what begins at walk->at and has colors that are ok, or all
 * of it without a geometry: at least @most in whole units, if there is as much.
 */
static struct dcs_range take_colors(struct walk *walk, u64 most)
{
	struct dcs_range range;
	u64 end = walk->end;

	if (walk->geometry) {
		while (walk->at < walk->end && !may_have(walk, walk->at))
			walk->at = granule_end(walk, walk->at);
		end = walk->at;
		while (end < walk->end && may_have(walk, end) &&
		       (end - walk->at < most || end - walk->at - most < walk->align))
			end = granule_end(walk, end);
	}
	range = (struct dcs_range){ walk->at, end - walk->at };
	walk->at = end;
	return range;
}

/* Cuts @range to whole units. */
static bool trim(struct dcs_range *range, u64 align)
{
	u64 waste = -range->start & (align - 1);

	if (range->size < waste)
		return false;
	range->start += waste;
	range->size = (range->size - waste) & ~(align - 1);
	return range->size > 0;
}

/* Whole units that lie together, at most @most bytes of them. */
static bool find_next(struct walk *walk, u64 most, struct dcs_range *range)
{
	while (walk->at < walk->end || enter(walk, walk->next)) {
		*range = take_colors(walk, most);
		if (!trim(range, walk->align))
			continue;
		if (range->size > most) {
			range->size = most;
			walk->at = range->start + most;
		}
		return true;
	}
	return false;
}

/* From the first piece again, over @states. */
static void restart(struct walk *walk, unsigned int states)
{
	walk->states = states;
	walk->next = 0;
	walk->at = 0;
	walk->end = 0;
}

static int append_behind(struct walk *walk, u64 size, u64 behind, struct dcs_ranges *out)
{
	const struct dcs_piece *piece = dcs_at(walk->space, behind);
	struct dcs_range range;

	if (!piece || !enter(walk, piece - walk->space->pieces) || walk->at > behind)
		return 0;
	walk->at = behind;
	if (!find_next(walk, size, &range) || range.start != behind)
		return 0;
	return ranges_append(out, &range);
}

/*
 * @taken is all that there is from its start, and so nothing that is found begins
 * below its end and ends above it.
 */
static void leave_out(struct dcs_range *range, const struct dcs_range *taken)
{
	if (range->start >= taken->start && range->start - taken->start < taken->size)
		range->size = 0;
	else if (range->start < taken->start)
		range->size = min(range->size, taken->start - range->start);
}

/* Fills @out up to @size bytes, or with all that there is. */
static int collect(struct walk *walk, u64 size, u64 behind, struct dcs_ranges *out)
{
	struct dcs_range taken = {0}, range;
	int err = 0;

	restart(walk, DCS_FREE);
	if (behind)
		err = append_behind(walk, size, behind, out);
	if (out->nr > 0)
		taken = out->list[0];
	restart(walk, DCS_FREE);
	while (!err && out->size < size && find_next(walk, size - out->size, &range)) {
		if (taken.size > 0)
			leave_out(&range, &taken);
		if (range.size > 0)
			err = ranges_append(out, &range);
	}
	return err;
}

/* What to say when there is too little: would it do when zeroing has ended? */
static int find_later(struct walk *walk, u64 size)
{
	struct dcs_range range;

	restart(walk, DCS_FREE | DCS_IN(DCS_ZEROING));
	while (size > 0 && find_next(walk, size, &range))
		size -= range.size;
	return size > 0 ? -ENOSPC : -EAGAIN;
}

int dcs_find(const struct dcs_space *space, u64 size, u64 align, u64 behind,
	     const struct dcg_geometry *geometry, dcs_color_ok ok, void *data,
	     struct dcs_ranges *out)
{
	struct walk walk = {
		.space = space,
		.align = max(align, space->align),
		.geometry = geometry && geometry->kind != DCG_NONE ? geometry : NULL,
		.ok = ok,
		.data = data,
	};
	int err;

	memset(out, 0, sizeof(*out));
	if (size == 0 || !is_power_of_2(align) || !IS_ALIGNED(size, walk.align))
		return -EINVAL;
	err = collect(&walk, size, behind, out);
	if (!err && out->size < size)
		err = find_later(&walk, size);
	if (err)
		dcs_ranges_free(out);
	return err;
}

static bool has_bit(void *data, u32 color)
{
	return test_bit(color, data);
}

static bool is_color(void *data, u32 color)
{
	return *(const u32 *)data == color;
}

static bool any_color(void *data, u32 color)
{
	return true;
}

/* Adds to counts[color] what the walk finds of each, and returns the sum. */
static u64 count_colors(struct walk *walk, u32 *counts)
{
	u64 granule = walk->geometry->granule, total = 0, at;
	struct dcs_range range;
	u32 color;

	while (find_next(walk, walk->space->end, &range)) {
		total += range.size / granule;
		for (at = range.start; counts && at - range.start < range.size;
		     at += granule) {
			if (dcg_color(walk->geometry, at, &color))
				counts[color]++;
		}
	}
	return total;
}

/* How many granules there are when each color gives @level, or all that it has. */
static u64 sum_to_level(const u32 *counts, u32 colors, u32 level)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < colors; i++)
		sum += min(counts[i], level);
	return sum;
}

/* counts[color] was how many there are, and becomes how many of them to take. */
static void share_out(u32 *counts, u32 colors, u32 count)
{
	u32 low = 0, high = count, i;

	while (low < high) {
		u32 level = high - (high - low) / 2;

		if (sum_to_level(counts, colors, level) <= count)
			low = level;
		else
			high = level - 1;
	}
	count -= sum_to_level(counts, colors, low);
	for (i = 0; i < colors; i++) {
		if (counts[i] <= low)
			continue;
		counts[i] = low;
		if (count > 0) {
			counts[i]++;
			count--;
		}
	}
}

/* Takes counts[color] granules of each color, @count in all. */
static int collect_colors(struct walk *walk, u32 count, u32 *counts,
			  struct dcs_ranges *out)
{
	struct dcs_range range, one = { 0, walk->geometry->granule };
	u32 color;
	int err;

	restart(walk, DCS_FREE);
	while (count > 0 && find_next(walk, one.size, &range)) {
		one.start = range.start;
		if (!dcg_color(walk->geometry, one.start, &color) || counts[color] == 0)
			continue;
		err = ranges_append(out, &one);
		if (err)
			return err;
		counts[color]--;
		count--;
	}
	return 0;
}

static int find_shares(struct walk *walk, u32 count, u32 *counts, struct dcs_ranges *out)
{
	restart(walk, DCS_FREE);
	if (count_colors(walk, counts) < count) {
		restart(walk, DCS_FREE | DCS_IN(DCS_ZEROING));
		return count_colors(walk, NULL) < count ? -ENOSPC : -EAGAIN;
	}
	share_out(counts, walk->geometry->colors, count);
	return collect_colors(walk, count, counts, out);
}

int dcs_find_colors(const struct dcs_space *space, u32 count,
		    const struct dcg_geometry *geometry, const unsigned long *colors,
		    struct dcs_ranges *out)
{
	struct walk walk = {
		.space = space,
		.align = geometry->granule,
		.geometry = geometry,
		.ok = has_bit,
		.data = (void *)colors,
	};
	u32 *counts;
	int err;

	memset(out, 0, sizeof(*out));
	if (count == 0 || geometry->kind == DCG_NONE || geometry->granule < space->align)
		return -EINVAL;
	counts = kvcalloc(geometry->colors, sizeof(*counts), GFP_KERNEL);
	if (!counts)
		return -ENOMEM;
	err = find_shares(&walk, count, counts, out);
	kvfree(counts);
	if (err)
		dcs_ranges_free(out);
	return err;
}

static u64 count_to_come(const struct dcs_space *space,
			 const struct dcg_geometry *geometry, dcs_color_ok ok, void *data,
			 u32 *counts)
{
	struct walk walk = {
		.space = space,
		.align = geometry->granule,
		.geometry = geometry,
		.ok = ok,
		.data = data,
	};

	if (geometry->kind == DCG_NONE)
		return 0;
	restart(&walk, DCS_FREE | DCS_IN(DCS_ZEROING));
	return count_colors(&walk, counts);
}

u32 dcs_free_granules(const struct dcs_space *space, const struct dcg_geometry *geometry,
		      u32 color)
{
	return count_to_come(space, geometry, is_color, &color, NULL);
}

void dcs_count_granules(const struct dcs_space *space,
			const struct dcg_geometry *geometry, u32 *counts)
{
	if (geometry->kind == DCG_NONE)
		return;
	memset(counts, 0, geometry->colors * sizeof(*counts));
	count_to_come(space, geometry, any_color, NULL, counts);
}

/* Cuts [*start, *end) to the space; false when nothing is left. */
static bool clip(const struct dcs_space *space, u64 *start, u64 *end)
{
	*start = max(*start, space->start);
	*end = min(*end, space->end);
	return *start < *end;
}

/* The end of a range that may reach beyond the last address. */
static u64 end_of(u64 start, u64 size)
{
	return start + min(size, ~start);
}

u32 dcs_count(const struct dcs_space *space, u64 start, u64 size)
{
	u64 end = end_of(start, size);

	if (!clip(space, &start, &end))
		return 0;
	return index_of(space, end - 1) - index_of(space, start) + 1;
}

int dcs_collect(const struct dcs_space *space, const struct dcs_ranges *ranges,
		enum dcs_state state, struct dcs_ranges *out)
{
	struct dcs_range part;
	int err = 0;
	u32 i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < ranges->nr && !err; i++) {
		const struct dcs_range *range = &ranges->list[i];
		u64 end = range->start + range->size;

		for (part.start = range->start; part.start < end && !err;
		     part.start += part.size) {
			const struct dcs_piece *piece =
				&space->pieces[index_of(space, part.start)];

			part.size = min(piece->end, end) - part.start;
			if (piece->state == state)
				err = ranges_append(out, &part);
		}
	}
	if (err)
		dcs_ranges_free(out);
	return err;
}

void dcs_retire(struct dcs_space *space, u64 start, u64 size)
{
	u64 mask = space->align - 1, end = end_of(start, size), stop;

	if (!clip(space, &start, &end))
		return;
	end += -end & mask;
	for (start &= ~mask; start < end; start = stop) {
		const struct dcs_piece *piece = &space->pieces[index_of(space, start)];

		stop = min(end, piece->end);
		if (DCS_FREE & DCS_IN(piece->state))
			dcs_set(space, start, stop - start, DCS_BAD, NULL);
	}
}

u64 dce_lookup(const struct dce_extents *extents, u64 offset, u64 size)
{
	const struct dce_extent *extent;
	u32 low = 0, high;

	if (!extents || offset >= extents->size || size == 0)
		return DCE_NONE;
	high = extents->nr - 1;
	while (low < high) {
		u32 middle = high - (high - low) / 2;

		if (extents->list[middle].offset <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	extent = &extents->list[low];
	offset -= extent->offset;
	return size <= extent->size - offset ? extent->start + offset : DCE_NONE;
}

static struct dce_extents *extents_alloc(u32 room)
{
	struct dce_extents *extents;

	extents = kvmalloc(sizeof(*extents) + room * sizeof(extents->list[0]), GFP_KERNEL);
	if (extents) {
		extents->nr = 0;
		extents->size = 0;
	}
	return extents;
}

/* There is room for it. */
static void extents_append(struct dce_extents *extents, u64 start, u64 size)
{
	struct dce_extent *last = extents->nr > 0 ? &extents->list[extents->nr - 1] : NULL;

	if (last && last->start + last->size == start)
		last->size += size;
	else
		extents->list[extents->nr++] =
			(struct dce_extent){ start, size, extents->size };
	extents->size += size;
}

/* Appends what the first @size bytes of @old are. */
static void extents_copy(struct dce_extents *extents, const struct dce_extents *old,
			 u64 size)
{
	u32 i;

	for (i = 0; extents->size < size; i++)
		extents_append(extents, old->list[i].start,
			       min(old->list[i].size, size - extents->size));
}

u64 dce_offset(const struct dce_extents *extents, u64 address)
{
	u32 i;

	for (i = 0; extents && i < extents->nr; i++) {
		const struct dce_extent *extent = &extents->list[i];

		if (address >= extent->start && address - extent->start < extent->size)
			return extent->offset + (address - extent->start);
	}
	return DCE_NONE;
}

struct dce_extents *dce_grow(const struct dce_extents *old, const struct dcs_ranges *add)
{
	u32 before = old ? old->nr : 0, i;
	struct dce_extents *extents;

	if (add->nr > U32_MAX - before)
		return NULL;
	extents = extents_alloc(before + add->nr);
	if (!extents)
		return NULL;
	if (old)
		extents_copy(extents, old, old->size);
	for (i = 0; i < add->nr; i++)
		extents_append(extents, add->list[i].start, add->list[i].size);
	return extents;
}

static int compare_starts(const void *a, const void *b)
{
	const struct dcs_range *one = a, *other = b;

	return (one->start > other->start) - (one->start < other->start);
}

/* Sorts by address, and makes one of neighbors. */
static void ranges_sort(struct dcs_ranges *ranges)
{
	u32 nr = ranges->nr, i;

	sort(ranges->list, nr, sizeof(*ranges->list), compare_starts, NULL);
	ranges->nr = 0;
	ranges->size = 0;
	for (i = 0; i < nr; i++)
		ranges_append(ranges, &ranges->list[i]);
}

/* What of @old is behind its first @size bytes. */
static int cut_behind(const struct dce_extents *old, u64 size, struct dcs_ranges *cut)
{
	u32 i;

	for (i = old->nr; i > 0 && old->list[i - 1].offset + old->list[i - 1].size > size;
	     i--) {
		const struct dce_extent *extent = &old->list[i - 1];
		u64 keep = extent->offset < size ? size - extent->offset : 0;
		struct dcs_range range = { extent->start + keep, extent->size - keep };
		int err = ranges_append(cut, &range);

		if (err)
			return err;
	}
	ranges_sort(cut);
	return 0;
}

int dce_shrink(const struct dce_extents *old, u64 size, struct dce_extents **new,
	       struct dcs_ranges *cut)
{
	*new = NULL;
	if (cut)
		memset(cut, 0, sizeof(*cut));
	if (size > (old ? old->size : 0))
		return -EINVAL;
	if (old && cut && cut_behind(old, size, cut))
		goto no_memory;
	*new = extents_alloc(old ? old->nr : 0);
	if (!*new)
		goto no_memory;
	if (old)
		extents_copy(*new, old, size);
	return 0;

no_memory:
	if (cut)
		dcs_ranges_free(cut);
	return -ENOMEM;
}

void dce_free(struct dce_extents *extents)
{
	kvfree(extents);
}
