/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the decision code (color.h, space.c, super.c, blob-store.c) needs of the kernel,
 * or of the C library where it is compiled into the library's core and into tests. It is the
 * only file of the driver that knows which of the two it is in.
 */
#ifndef DAX_COLOR_KERNEL_FREE_H
#define DAX_COLOR_KERNEL_FREE_H

#ifdef __KERNEL__

#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int u32;
/* The type that guint64 is, too: one array can serve both. */
typedef unsigned long u64;

#define U32_MAX (~(u32)0)
#define GFP_KERNEL 0
#define BITS_PER_LONG (8 * (int)sizeof(long))
#define BIT_ULL(nr) (1ULL << (nr))
#define min(a, b)                                                                        \
	({                                                                               \
		typeof(a) a_ = (a), b_ = (b);                                            \
		a_ < b_ ? a_ : b_;                                                       \
	})
#define max(a, b)                                                                        \
	({                                                                               \
		typeof(a) a_ = (a), b_ = (b);                                            \
		a_ > b_ ? a_ : b_;                                                       \
	})
#define IS_ALIGNED(x, a) (((x) & ((a) - 1)) == 0)

/* Whoever links space.c has it: how many allocations succeed before one fails. */
extern unsigned long kernel_free_allocations;

static inline void *kvcalloc(size_t n, size_t size, int flags)
{
	(void)flags;
	if (kernel_free_allocations-- == 0)
		return NULL;
	return calloc(n, size);
}

static inline void *kvmalloc_array(size_t n, size_t size, int flags)
{
	return kvcalloc(n, size, flags);
}

static inline void *kvmalloc(size_t size, int flags)
{
	return kvcalloc(1, size, flags);
}

static inline void kvfree(const void *memory)
{
	free((void *)memory);
}

static inline bool is_power_of_2(unsigned long n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static inline bool test_bit(long nr, const unsigned long *bits)
{
	return bits[nr / BITS_PER_LONG] >> (nr % BITS_PER_LONG) & 1;
}

static inline void sort(void *base, size_t n, size_t size,
			int (*compare)(const void *, const void *),
			void (*swap)(void *, void *, int))
{
	(void)swap;
	if (n > 1)
		qsort(base, n, size, compare);
}

/* As the kernel's: nothing is inverted, neither at the start nor at the end. */
static inline u32 crc32_le(u32 crc, const unsigned char *bytes, size_t size)
{
	static const u32 nibbles[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	while (size--) {
		crc ^= *bytes++;
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return crc;
}

#endif

#endif
