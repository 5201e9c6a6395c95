// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/daxR.N: mappings and their faults.
 */
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pfn_t.h>
#include <linux/pseudo_fs.h>
#include <linux/srcu.h>

#include "compat.h"
#include "dax_color.h"
#include "trace.h"

#define DC_FS_MAGIC	0x64617863	/* "daxc" */

DEFINE_SRCU(dc_srcu);

static struct vfsmount *dc_mount;

void dc_unmap(struct dc_instance *instance, u64 offset, u64 size)
{
	unmap_mapping_range(instance->inode->i_mapping, offset, size, 1);
}

static void dc_unmap_vma(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	dc_unmap(vma->vm_file->private_data,
		 (u64)linear_page_index(vma, start) << PAGE_SHIFT, end - start);
}

static vm_fault_t dc_insert(struct vm_fault *vmf, u64 address, unsigned int order)
{
	pfn_t pfn = phys_to_pfn_t(address, PFN_DEV | PFN_MAP);
	/* Writable at once where it may be: a read and a write are one fault. */
	bool write = vmf->vma->vm_flags & VM_WRITE;

	switch (order) {
	case 0:
		return vmf_insert_mixed(vmf->vma, vmf->address, pfn);
	case PMD_SHIFT - PAGE_SHIFT:
		return vmf_insert_pfn_pmd(vmf, pfn, write);
	case PUD_SHIFT - PAGE_SHIFT:
		return vmf_insert_pfn_pud(vmf, pfn, write);
	default:
		return VM_FAULT_FALLBACK;
	}
}

static void dc_count(struct dc_instance *instance, unsigned long size)
{
	enum dc_fault fault = size == PAGE_SIZE ? DC_FAULT_4K :
			      size == PMD_SIZE ? DC_FAULT_2M : DC_FAULT_1G;

	atomic64_inc(&instance->faults[fault]);
}

/* Under dc_srcu. The whole of the fault's size is in one extent, or there is no mapping. */
static vm_fault_t dc_fault_extents(struct vm_fault *vmf, struct dc_instance *instance,
				   unsigned int order)
{
	unsigned long size = PAGE_SIZE << order, start = ALIGN_DOWN(vmf->address, size), align;
	pgoff_t pgoff = linear_page_index(vmf->vma, start);
	u64 offset = (u64)pgoff << PAGE_SHIFT, address;
	struct dce_extents *extents;
	vm_fault_t ret;

	extents = srcu_dereference(instance->extents, &dc_srcu);
	if (!extents)
		return VM_FAULT_SIGBUS;
	/* As long as there are extents it does not change: read it after them. */
	smp_rmb();
	align = READ_ONCE(instance->align);
	/* The kernel asks with the largest size first. Never is a smaller one the answer. */
	if (size > align)
		return VM_FAULT_FALLBACK;
	if (size < align || !IS_ALIGNED(offset, size) || start < vmf->vma->vm_start ||
	    start + size > vmf->vma->vm_end)
		return VM_FAULT_SIGBUS;
	address = dce_lookup(extents, offset, size);
	if (address == DCE_NONE || WARN_ON_ONCE(!IS_ALIGNED(address, size)))
		return VM_FAULT_SIGBUS;
	/* Of a larger page the rest is good: as mainline, let the processor complain. */
	if (!order && dc_is_bad(instance->region, address))
		return VM_FAULT_HWPOISON;
	dc_pages_own(address, size, vmf->vma->vm_file->f_mapping, pgoff);
	ret = dc_insert(vmf, address, order);
	if (ret == VM_FAULT_NOPAGE)
		dc_count(instance, size);
	trace_dax_color_fault(instance, offset, size, (__force unsigned int)ret);
	return ret;
}

static vm_fault_t dc_fault_order(struct vm_fault *vmf, unsigned int order)
{
	struct dc_instance *instance = vmf->vma->vm_file->private_data;
	vm_fault_t ret;
	int idx;

	idx = srcu_read_lock(&dc_srcu);
	ret = dc_fault_extents(vmf, instance, order);
	srcu_read_unlock(&dc_srcu, idx);
	return ret;
}

static vm_fault_t dc_huge_fault(struct vm_fault *vmf, dc_fault_size_t size)
{
	return dc_fault_order(vmf, dc_order_of(size));
}

static vm_fault_t dc_fault(struct vm_fault *vmf)
{
	return dc_fault_order(vmf, 0);
}

static unsigned long dc_align_of(struct vm_area_struct *vma)
{
	struct dc_instance *instance = vma->vm_file->private_data;

	return READ_ONCE(instance->align);
}

static int dc_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return IS_ALIGNED(address, dc_align_of(vma)) ? 0 : -EINVAL;
}

/*
 * Called for the copy that mremap() makes before it moves the page tables, which it
 * cannot do with leaves of 1 GiB: so there are none. They come back by faults. There
 * always is a copy: what has VM_DONTEXPAND is merged with nothing.
 */
static void dc_vma_open(struct vm_area_struct *vma)
{
	if (dc_align_of(vma) == PUD_SIZE)
		dc_unmap_vma(vma, vma->vm_start, vma->vm_end);
}

/*
 * Before 6.12 a leaf of 1 GiB is a broken table for the kernel ("bad pud"), later it
 * is at least surprised by one without any access. They come back by faults.
 */
static int dc_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		       unsigned long flags)
{
	if (dc_align_of(vma) == PUD_SIZE)
		dc_unmap_vma(vma, start, end);
	return 0;
}

static const struct vm_operations_struct dc_vm_ops = {
	.open = dc_vma_open,
	.fault = dc_fault,
	.huge_fault = dc_huge_fault,
	.may_split = dc_may_split,
	.mprotect = dc_mprotect,
	.pagesize = dc_align_of,
};

static int dc_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dc_instance *instance = file->private_data;
	unsigned long align = READ_ONCE(instance->align);

	/* A private page would be memory of another color. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (!IS_ALIGNED(vma->vm_start | vma->vm_end | (vma->vm_pgoff << PAGE_SHIFT), align))
		return -EINVAL;
	if (!rcu_access_pointer(instance->extents))
		return -ENXIO;
	vma->vm_ops = &dc_vm_ops;
	vm_flags_set(vma, VM_HUGEPAGE | VM_DONTCOPY | VM_DONTEXPAND);
	return 0;
}

/* Where @offset may be mapped; room for one alignment more is asked for and not used. */
static unsigned long dc_aligned_area(struct file *file, unsigned long len, unsigned long pgoff,
				     unsigned long flags, unsigned long align)
{
	unsigned long found, offset = pgoff << PAGE_SHIFT;

	if (len + align < len)
		return -ENOMEM;
	found = mm_get_unmapped_area(current->mm, file, 0, len + align, pgoff, flags);
	if (IS_ERR_VALUE(found))
		return found;
	return found + ((offset - found) & (align - 1));
}

static unsigned long dc_get_unmapped_area(struct file *file, unsigned long addr, unsigned long len,
					  unsigned long pgoff, unsigned long flags)
{
	struct dc_instance *instance = file->private_data;
	unsigned long align = READ_ONCE(instance->align), found;

	/* At the address that was asked for, if it is good. */
	if (addr) {
		found = mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
		if ((flags & MAP_FIXED) || (!IS_ERR_VALUE(found) && IS_ALIGNED(found, align)))
			return found;
	}
	return dc_aligned_area(file, len, pgoff, flags, align);
}

static int dc_count_open(struct dc_instance *instance)
{
	int err;

	spin_lock(&instance->open_lock);
	err = dc_claim_may_open(instance);
	if (!err)
		instance->opens++;
	spin_unlock(&instance->open_lock);
	return err;
}

/*
 * Only this file's mapping is ours, not that of the inode it was opened by: what
 * opens a device node must be able to forget it whenever it likes.
 */
static int dc_open(struct inode *inode, struct file *file)
{
	struct dc_instance *instance = container_of(inode->i_cdev, struct dc_instance, cdev);
	int err;

	if (READ_ONCE(instance->dead))
		return -ENXIO;
	err = dc_count_open(instance);
	if (err)
		return err;
	file->private_data = instance;
	file->f_mapping = instance->inode->i_mapping;
	file->f_wb_err = filemap_sample_wb_err(file->f_mapping);
	file->f_sb_err = file_sample_sb_err(file);
	return 0;
}

/* Mappings have a reference to the file: the last of them is gone. */
static int dc_release(struct inode *inode, struct file *file)
{
	struct dc_instance *instance = file->private_data;

	spin_lock(&instance->open_lock);
	instance->opens--;
	spin_unlock(&instance->open_lock);
	return 0;
}

const struct file_operations dc_fops = {
	.owner = THIS_MODULE,
	.llseek = noop_llseek,
	.open = dc_open,
	.release = dc_release,
	.mmap = dc_mmap,
	.get_unmapped_area = dc_get_unmapped_area,
	DC_FOP_MMAP_SYNC,
};

static const struct address_space_operations dc_aops = {
	.dirty_folio = noop_dirty_folio,
};

static struct inode *dc_inode_recall(struct dc_region *region)
{
	struct inode *inode;

	spin_lock(&region->bad_lock);
	inode = region->idle_inode;
	if (inode)
		region->idle_inode = inode->i_private;
	spin_unlock(&region->bad_lock);
	return inode;
}

/* As huge_mm and memory_failure() know device-dax: S_DAX, and a character device. */
struct inode *dc_inode_get(struct dc_region *region, dev_t devt)
{
	struct inode *inode = dc_inode_recall(region);

	if (!inode)
		inode = new_inode(dc_mount->mnt_sb);
	if (!inode)
		return NULL;
	inode->i_private = NULL;
	inode->i_mode = S_IFCHR | 0600;
	inode->i_flags = S_DAX;
	inode->i_rdev = devt;
	inode->i_mapping->a_ops = &dc_aops;
	dc_inode_set_align(inode, DC_ALIGN);
	return inode;
}

/* Who knows a page knows its inode, and by that the size of its faults. */
void dc_inode_set_align(struct inode *inode, unsigned long align)
{
	WRITE_ONCE(inode->i_blkbits, ilog2(align));
}

void dc_inode_put(struct dc_region *region, struct inode *inode)
{
	spin_lock(&region->bad_lock);
	inode->i_private = region->idle_inode;
	region->idle_inode = inode;
	spin_unlock(&region->bad_lock);
}

void dc_inodes_free(struct dc_region *region)
{
	struct inode *inode;

	while ((inode = dc_inode_recall(region)))
		iput(inode);
}

static int dc_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, DC_FS_MAGIC) ? 0 : -ENOMEM;
}

/* Without an owner: its mount is ours, and would pin the module for good. */
static struct file_system_type dc_fs_type = {
	.name = "dax_color",
	.init_fs_context = dc_init_fs_context,
	.kill_sb = kill_anon_super,
};

int dc_inodes_init(void)
{
	dc_mount = kern_mount(&dc_fs_type);
	return PTR_ERR_OR_ZERO(dc_mount);
}

void dc_inodes_exit(void)
{
	kern_unmount(dc_mount);
}
