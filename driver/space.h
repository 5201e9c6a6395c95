/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The space of a region: which piece of its memory is in which state, and which
 * pieces an instance that asks for memory gets; and the extents of an instance.
 *
 * Decisions only: nothing here touches the memory, knows a lock, or waits for
 * anything but allocations. The caller serializes all calls with one space; what
 * takes it const may run beside others that do. Addresses, sizes and offsets are
 * bytes. Functions that return int return 0 or a negative errno.
 */
#ifndef DAX_COLOR_SPACE_H
#define DAX_COLOR_SPACE_H

#include "color.h"

/**
 * enum dcs_state - what a piece of memory is
 * @DCS_DIRTY: free; holds what its last user left
 * @DCS_CLEAN: free; holds zeros
 * @DCS_PREPARING: being zeroed for the instance that is its holder
 * @DCS_HELD: in an extent of the instance that is its holder
 * @DCS_QUARANTINED: unmapped, but pinned by somebody
 * @DCS_ZEROING: on its way back to DCS_CLEAN
 * @DCS_BAD: in a granule where memory failed
 * @DCS_NR_STATES: their number
 */
enum dcs_state {
	DCS_DIRTY,
	DCS_CLEAN,
	DCS_PREPARING,
	DCS_HELD,
	DCS_QUARANTINED,
	DCS_ZEROING,
	DCS_BAD,
	DCS_NR_STATES,
};

/**
 * struct dcs_piece - a stretch of memory that is all in one state
 * @start: its first byte
 * @end: behind its last byte
 * @state: of all of it
 * @holder: whose it is, the caller's; pieces of two holders are never one piece
 */
struct dcs_piece {
	u64 start;
	u64 end;
	enum dcs_state state;
	const void *holder;
};

/**
 * struct dcs_space - all memory of a region
 * @pieces: sorted, without gaps; neighbors differ in state or holder
 * @nr: how many pieces there are
 * @room: for how many there is memory
 * @start: of the region
 * @end: behind its last byte
 * @align: every piece starts and ends at a multiple of it, a power of two
 * @sizes: bytes in each state
 */
struct dcs_space {
	struct dcs_piece *pieces;
	u32 nr;
	u32 room;
	u64 start;
	u64 end;
	u64 align;
	u64 sizes[DCS_NR_STATES];
};

struct dcs_range {
	u64 start;
	u64 size;
};

/**
 * struct dcs_ranges - an answer
 * @list: the ranges; none of them begins where the one before it ends
 * @nr: how many these are
 * @room: for how many there is memory
 * @size: the sum of their sizes
 *
 * Who fills one overwrites what was there, and leaves it empty when it fails.
 */
struct dcs_ranges {
	struct dcs_range *list;
	u32 nr;
	u32 room;
	u64 size;
};

/* Frees the list and empties @ranges; an empty one is fine. */
void dcs_ranges_free(struct dcs_ranges *ranges);

/* Whether who asks may have @color; the same answer throughout one call. */
typedef bool (*dcs_color_ok)(void *data, u32 color);

/**
 * dcs_init() - a space that is one piece
 * @space: uninitialized
 * @start: of the region, a multiple of @align
 * @size: of the region, a multiple of @align
 * @align: a power of two
 * @state: of all of it
 *
 * Return: -EINVAL: empty, misaligned or beyond the last address; -ENOMEM. When it
 * fails, dcs_exit() has nothing to do, but may be called.
 */
int dcs_init(struct dcs_space *space, u64 start, u64 size, u64 align,
	     enum dcs_state state);
void dcs_exit(struct dcs_space *space);

/**
 * dcs_reserve() - makes room, so that dcs_set() cannot fail
 * @changes: how many calls of dcs_set() follow, whoever makes them
 *
 * Return: -ENOMEM, and nothing changed.
 */
int dcs_reserve(struct dcs_space *space, u32 changes);

/**
 * dcs_set() - [@start, @start + @size) gets a state and a holder
 * @holder: NULL where the state has none
 *
 * Allocates nothing while there is room by dcs_reserve().
 *
 * Return: -ERANGE: empty or not within the space; -EINVAL: misaligned; -ENOMEM:
 * there was no room. Nothing changed then.
 */
int dcs_set(struct dcs_space *space, u64 start, u64 size, enum dcs_state state,
	    const void *holder);

/* The piece with @address, until the next change; NULL outside of the space. */
const struct dcs_piece *dcs_at(const struct dcs_space *space, u64 address);

/**
 * dcs_check_free() - whether all of a range is clean or dirty
 *
 * Return: the first of these that is so: -ERANGE: empty or not within the space;
 * -EHWPOISON: part of it is bad; -EBUSY: part of it is held, being prepared or
 * quarantined; -EAGAIN: part of it is being zeroed.
 */
int dcs_check_free(const struct dcs_space *space, u64 start, u64 size);

/**
 * dcs_find() - memory for an instance
 * @size: how much, a multiple of @align
 * @align: power of two of which all starts and sizes are multiples; that of the
 *	space is the least
 * @behind: first what is free directly behind here, 0 for nowhere; then the
 *	lowest addresses
 * @geometry: NULL or DCG_NONE: colors do not matter; else nothing is taken from a
 *	granule that has no color
 * @ok: nothing is taken from a granule of a color for which it is false; unused
 *	without a geometry
 * @data: for @ok
 * @out: what was found, clean or dirty, in the order of choice
 *
 * Changes nothing in the space.
 *
 * Return: -EINVAL: @size is 0 or misaligned, or @align is no power of two;
 * -EAGAIN: too little, but enough when all zeroing has ended; -ENOSPC: too little;
 * -ENOMEM.
 */
int dcs_find(const struct dcs_space *space, u64 size, u64 align, u64 behind,
	     const struct dcg_geometry *geometry, dcs_color_ok ok, void *data,
	     struct dcs_ranges *out);

/**
 * dcs_find_colors() - whole granules of given colors
 * @count: how many granules
 * @geometry: not DCG_NONE, its granule no smaller than the align of the space
 * @colors: a bit for each color of the geometry; of those set there are taken
 *	equally many granules, one more of the lowest where that does not come out
 *	even; where one has too few, the others give more
 * @out: what was found, clean or dirty, the lowest addresses of each color; by
 *	address
 *
 * Changes nothing in the space.
 *
 * Return: -EINVAL: @count is 0, or the geometry is none of these; -EAGAIN, -ENOSPC,
 * -ENOMEM as with dcs_find().
 */
int dcs_find_colors(const struct dcs_space *space, u32 count,
		    const struct dcg_geometry *geometry, const unsigned long *colors,
		    struct dcs_ranges *out);

/**
 * dcs_free_granules() - whole granules of a color that are free or being zeroed
 * @geometry: with DCG_NONE there are none
 */
u32 dcs_free_granules(const struct dcs_space *space, const struct dcg_geometry *geometry,
		      u32 color);

/* The same for every color: counts[color], of which there are geometry->colors. */
void dcs_count_granules(const struct dcs_space *space,
			const struct dcg_geometry *geometry, u32 *counts);

/**
 * dcs_collect() - the parts of some ranges that are in a state
 * @ranges: within the space
 * @out: those parts, in the order of @ranges
 *
 * Return: -ENOMEM.
 */
int dcs_collect(const struct dcs_space *space, const struct dcs_ranges *ranges,
		enum dcs_state state, struct dcs_ranges *out);

/* How many pieces have a part in the range, which may reach out of the space. */
u32 dcs_count(const struct dcs_space *space, u64 start, u64 size);

/**
 * dcs_retire() - what is clean or dirty in a range becomes bad
 * @start: rounded down to a multiple of the align of the space
 * @size: rounded up likewise; the range may reach out of the space
 *
 * The caller has reserved as many changes as dcs_count() says of the range. Memory
 * in other states keeps it: the caller makes it bad instead of free.
 */
void dcs_retire(struct dcs_space *space, u64 start, u64 size);

/* No physical address. */
#define DCE_NONE (~0ULL)

struct dce_extent {
	u64 start;
	u64 size;
	u64 offset;
};

/**
 * struct dce_extents - the memory of an instance
 * @nr: how many extents
 * @size: the sum of their sizes
 * @list: the extents by offset: the first begins at 0, each where the one before
 *	it ends
 *
 * Immutable once it is made, so that readers need no lock (RCU). Where one is
 * read, NULL is one without extents.
 */
struct dce_extents {
	u32 nr;
	u64 size;
	struct dce_extent list[];
};

/**
 * dce_lookup() - where [@offset, @offset + @size) of an instance is
 *
 * In any context.
 *
 * Return: its physical address, or DCE_NONE when there is no one extent that has
 * all of it, or it is empty.
 */
u64 dce_lookup(const struct dce_extents *extents, u64 offset, u64 size);

/**
 * dce_offset() - where in an instance a physical address is
 *
 * Return: bytes from its start, or DCE_NONE when no extent has @address.
 */
u64 dce_offset(const struct dce_extents *extents, u64 address);

/**
 * dce_grow() - extents with more behind the last
 * @add: in this order; a range that begins where the last extent ends makes that
 *	longer
 *
 * Return: a new table, NULL when there is no memory.
 */
struct dce_extents *dce_grow(const struct dce_extents *old, const struct dcs_ranges *add);

/**
 * dce_shrink() - the first @size bytes of extents
 * @new: gets a new table, also when @size is 0
 * @cut: the rest, by address; may be NULL
 *
 * Return: -EINVAL: @old is shorter than @size; -ENOMEM. @new is NULL then.
 */
int dce_shrink(const struct dce_extents *old, u64 size, struct dce_extents **new,
	       struct dcs_ranges *cut);

/* Frees @extents; NULL is fine. */
void dce_free(struct dce_extents *extents);

#endif
