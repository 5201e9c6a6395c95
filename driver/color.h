/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The color of a physical address: the one function of driver and library.
 * Pure: no I/O, no globals, same answer for the same input.
 */
#ifndef DAX_COLOR_COLOR_H
#define DAX_COLOR_COLOR_H

#include "kernel-free.h"

/* A granule is a power of two from DCG_GRANULE_MIN to DCG_GRANULE_MAX bytes. */
#define DCG_GRANULE_MIN BIT_ULL(21)
#define DCG_GRANULE_MAX BIT_ULL(30)
#define DCG_COLORS_MAX 65536u

/**
 * enum dcg_kind - how addresses get colors
 * @DCG_NONE: they have none
 * @DCG_ROTATE: i = (address - base) / granule; color = i mod colors
 * @DCG_SKEW: color = (i + i / colors) mod colors
 * @DCG_RANGES: a list says it
 */
enum dcg_kind {
	DCG_NONE,
	DCG_ROTATE,
	DCG_SKEW,
	DCG_RANGES,
};

/**
 * struct dcg_range - addresses of one color
 * @start: a multiple of the granule
 * @size: bytes, a multiple of the granule, not 0
 * @color: less than the number of colors
 */
struct dcg_range {
	u64 start;
	u64 size;
	u32 color;
};

/**
 * struct dcg_geometry - the function from addresses to colors
 * @kind: which of the functions; the rest has no meaning with DCG_NONE
 * @granule: bytes; an aligned piece of this size has one color, or none
 * @base: where color 0 begins (DCG_ROTATE, DCG_SKEW), a multiple of @granule;
 *	addresses below it have no color
 * @colors: how many there are, from 1 to DCG_COLORS_MAX
 * @ranges: DCG_RANGES only: sorted by start, without overlap; not owned
 * @nr_ranges: how many these are
 */
struct dcg_geometry {
	enum dcg_kind kind;
	u64 granule;
	u64 base;
	u32 colors;
	const struct dcg_range *ranges;
	u32 nr_ranges;
};

static inline bool dcg_ranges_color(const struct dcg_geometry *geometry, u64 address,
				    u32 *color)
{
	u32 low = 0, high = geometry->nr_ranges;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct dcg_range *range = &geometry->ranges[middle];

		if (address < range->start) {
			high = middle;
		} else if (address - range->start >= range->size) {
			low = middle + 1;
		} else {
			*color = range->color;
			return true;
		}
	}
	return false;
}

/**
 * dcg_color() - which color an address has
 * @geometry: must pass dcg_check()
 * @address: any
 * @color: set when it has one, left alone otherwise
 *
 * Return: false when the address has no color: it is below the base, in none of
 * the ranges, or the geometry is DCG_NONE.
 */
static inline bool dcg_color(const struct dcg_geometry *geometry, u64 address, u32 *color)
{
	u64 i;

	if (geometry->kind == DCG_NONE)
		return false;
	if (geometry->kind == DCG_RANGES)
		return dcg_ranges_color(geometry, address, color);
	if (address < geometry->base)
		return false;
	i = (address - geometry->base) / geometry->granule;
	if (geometry->kind == DCG_SKEW)
		i += i / geometry->colors;
	*color = i % geometry->colors;
	return true;
}

static inline bool dcg_ranges_are_sound(const struct dcg_geometry *geometry)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < geometry->nr_ranges; i++) {
		const struct dcg_range *range = &geometry->ranges[i];

		if (range->size == 0 || range->start + range->size < range->start ||
		    !IS_ALIGNED(range->start | range->size, geometry->granule) ||
		    range->color >= geometry->colors || range->start < end)
			return false;
		end = range->start + range->size;
	}
	return i > 0;
}

/**
 * dcg_check() - whether a geometry is one
 * @geometry: whatever somebody wrote
 *
 * Return: 0, or -EINVAL when it breaks what struct dcg_geometry demands.
 */
static inline int dcg_check(const struct dcg_geometry *geometry)
{
	bool sound = false;

	if (geometry->kind == DCG_NONE)
		return 0;
	if (geometry->granule < DCG_GRANULE_MIN || geometry->granule > DCG_GRANULE_MAX ||
	    !is_power_of_2(geometry->granule) || geometry->colors < 1 ||
	    geometry->colors > DCG_COLORS_MAX)
		return -EINVAL;
	switch (geometry->kind) {
	case DCG_NONE:
		break;
	case DCG_ROTATE:
	case DCG_SKEW:
		sound = IS_ALIGNED(geometry->base, geometry->granule);
		break;
	case DCG_RANGES:
		sound = dcg_ranges_are_sound(geometry);
		break;
	}
	return sound ? 0 : -EINVAL;
}

#endif
