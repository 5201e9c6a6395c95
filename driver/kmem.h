/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instances as system RAM: kmem.c adds the memory and takes it away, persist.c knows
 * of data in it.
 */
#ifndef DAX_COLOR_KMEM_H
#define DAX_COLOR_KMEM_H

#include <linux/kasan.h>
#include <linux/mm.h>

#include "dax_color.h"
#include "super.h"

struct dax_color_persist;

/**
 * struct dc_kmem - an instance that is, or is about to be, system RAM
 * @list: in the list of all
 * @instance: whose memory it is
 * @extents: of it; they stay as they are
 * @mode: not DC_MODE_DEVDAX
 * @node: whose memory it becomes
 * @pages: how many
 * @block_pages: in one memory block
 * @kept: a bit for each page that is not the system's; NULL: there are none
 * @marked: those of them that are persistent
 * @online: a bit for each memory block
 * @added: a bit for each extent that is system RAM
 * @hotplug: protects @kept, @marked, @online and @closing
 * @changing: a memory block comes or goes: they are for that alone
 * @settled: for who waits until it has
 * @adding: memory is being added, and none of it comes online meanwhile
 * @closing: nothing is allocated any more
 * @exposed: a block of it was online
 * @lent: its struct pages are not ours
 * @failed: memory of it failed: nobody may touch all of it again
 * @persist: data in it; NULL: none
 */
struct dc_kmem {
	struct list_head list;
	struct dc_instance *instance;
	const struct dce_extents *extents;
	enum dc_mode mode;
	int node;
	u64 pages;
	u64 block_pages;
	unsigned long *kept;
	unsigned long *marked;
	unsigned long *online;
	unsigned long *added;
	struct mutex hotplug;	/* of @kept, @marked, @online and @closing */
	bool changing;
	wait_queue_head_t settled;
	bool adding;
	bool closing;
	bool exposed;
	bool lent;
	bool failed;
	struct dax_color_persist *persist;
};

/*
 * KASAN takes memory that comes online for freed, and learns of what is kept by nobody else
 * than us. This is what compilers call for variables.
 */
#ifdef CONFIG_KASAN_GENERIC
void __asan_set_shadow_00(const void *shadow, ssize_t size);

static inline void dc_kasan_knows(struct page *page)
{
	__asan_set_shadow_00(kasan_mem_to_shadow(page_address(page)),
			     PAGE_SIZE >> KASAN_SHADOW_SCALE_SHIFT);
}
#else
static inline void dc_kasan_knows(struct page *page)
{
}
#endif

/* kmem.c: pages by number */
void *dc_kmem_address(const struct dc_kmem *kmem, u64 index);
int dc_kmem_alloc(struct dc_kmem *kmem, u64 *index);
void dc_kmem_free(struct dc_kmem *kmem, u64 first, u64 nr);
void dc_kmem_free_unmarked(struct dc_kmem *kmem);
void dc_kmem_mark(struct dc_kmem *kmem, u64 first, u64 nr);

/* persist.c */
/*
 * With the memory mapped, and not the system's yet: finds the plug-in, formats if that is
 * called for, probes.
 * @type: NULL: as the superblock says
 */
int dc_persist_open(struct dc_kmem *kmem, const char *type, bool force);
int dc_persist_start(struct dc_kmem *kmem);
/* With kmem->closing. */
int dc_persist_cleanup(struct dc_kmem *kmem);
/* The memory is gone, or never came. */
void dc_persist_close(struct dc_kmem *kmem);
#endif
