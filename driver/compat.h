/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that this driver is built for, 6.1 and 6.12,
 * and nothing else.
 */
#ifndef DAX_COLOR_COMPAT_H
#define DAX_COLOR_COMPAT_H

#include <linux/fs.h>
#include <linux/memregion.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/platform_device.h>
#include <linux/range.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <linux/version.h>
#include <asm/tlbflush.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
static inline unsigned long mm_get_unmapped_area(struct mm_struct *mm, struct file *file,
						 unsigned long addr, unsigned long len,
						 unsigned long pgoff, unsigned long flags)
{
	return mm->get_unmapped_area(file, addr, len, pgoff, flags);
}
#endif

/* The order of a huge fault, from what vm_ops->huge_fault is told. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
typedef enum page_entry_size dc_fault_size_t;

static inline unsigned int dc_order_of(dc_fault_size_t size)
{
	switch (size) {
	case PE_SIZE_PMD:
		return PMD_SHIFT - PAGE_SHIFT;
	case PE_SIZE_PUD:
		return PUD_SHIFT - PAGE_SHIFT;
	default:
		return 0;
	}
}
#else
typedef unsigned int dc_fault_size_t;

static inline unsigned int dc_order_of(dc_fault_size_t order)
{
	return order;
}
#endif

/*
 * madvise(MADV_COLD) and MADV_PAGEOUT before 6.5: a leaf of 2 MiB of ours is taken for
 * a broken table, and cleared without a word to the processors. Who did that goes on
 * through what they remember, and unmapping finds nothing to flush.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
static inline void dc_flush_cpu(void *unused)
{
	__flush_tlb_all();
}

static inline void dc_flush_forgotten(void)
{
	on_each_cpu(dc_flush_cpu, NULL, 1);
}
#else
static inline void dc_flush_forgotten(void)
{
}
#endif

#ifdef FOP_MMAP_SYNC
#define DC_FOP_MMAP_SYNC	.fop_flags = FOP_MMAP_SYNC
#else
#define DC_FOP_MMAP_SYNC	.mmap_supported_flags = MAP_SYNC
#endif

/* Where the memory of an hmem device is; false when it does not say. */
static inline bool dc_hmem_range(struct platform_device *pdev, struct range *range)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, 0);

	if (!res)
		return false;
	range->start = res->start;
	range->end = res->end;
#else
	struct memregion_info *info = dev_get_platdata(&pdev->dev);

	*range = info->range;
#endif
	return true;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define DC_PLATFORM_REMOVE(name)					\
	static int name##_compat(struct platform_device *pdev)		\
	{								\
		name(pdev);						\
		return 0;						\
	}
#define DC_PLATFORM_REMOVE_OP(name)	.remove = name##_compat
#else
#define DC_PLATFORM_REMOVE(name)
#define DC_PLATFORM_REMOVE_OP(name)	.remove = name
#endif

/* What the store function of a class's attribute begins with. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define DC_CLASS_ATTR_ARGS	struct class *class, struct class_attribute *attr
#else
#define DC_CLASS_ATTR_ARGS	const struct class *class, const struct class_attribute *attr
#endif

#endif
