/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claims: exclusive use of instances, for other modules. User space has the
 * same by /sys/class/dax/claim and /sys/class/dax/release (ABI.md).
 *
 * As file systems claimed dax devices (fs_dax_get(), dax_holder_operations): who
 * has claimed an instance may claim it again, anybody else is refused, and only
 * the claimant releases. A claim of several instances is of all or of none.
 */
#ifndef DAX_COLOR_CLAIM_H
#define DAX_COLOR_CLAIM_H

#include <linux/types.h>
#include <linux/uuid.h>

struct dax_color_claimant;

/**
 * struct dax_color_claimant_ops - what a claimant is told; each may be NULL
 * @failed: memory of @instance failed @offset bytes from its start
 * @idle: nobody has a page of @instance pinned, after dax_color_notify_idle()
 *
 * Called from a workqueue: may sleep, may not call into dax_color. No release
 * of the claim returns while one of them runs.
 */
struct dax_color_claimant_ops {
	void (*failed)(struct dax_color_claimant *claimant, const char *instance, u64 offset);
	void (*idle)(struct dax_color_claimant *claimant, const char *instance);
};

/**
 * struct dax_color_claimant - who claims
 * @uuid: not nil; the same for the same claimant
 * @ops: may be NULL
 *
 * Must stay, with the module whose functions @ops are, until the last release.
 */
struct dax_color_claimant {
	uuid_t uuid;
	const struct dax_color_claimant_ops *ops;
};

/**
 * dax_color_claim() - claims all of some instances, or none
 * @names: "daxR.N"
 * @nr: how many, at most 128; one may be there twice, and counts twice
 * @shared: anybody may open them; else only one file is open at a time
 *
 * Claims of one claimant count; the same number of releases ends them. User space is
 * another claimant, whatever UUID it says.
 *
 * Return: 0; -EINVAL: the UUID is nil, or there is no name; -ENODEV: there is no such
 * instance; -ENXIO: it has no size; -EBUSY: another has claimed it, the same has
 * with the other @shared, or, without @shared, more than one file is open; -ENOMEM; -EINTR.
 */
int dax_color_claim(struct dax_color_claimant *claimant, const char *const *names,
		    unsigned int nr, bool shared);

/**
 * dax_color_release() - gives one claim of each back
 *
 * Return: 0, or, with nothing released, -EINVAL; -ENODEV: an instance is gone, with all
 * claims of it, because its device was taken from the driver by hand; -EPERM: it is not
 * the claimant's, which is a fault of the caller's that is warned about; -ENOMEM.
 */
int dax_color_release(struct dax_color_claimant *claimant, const char *const *names,
		      unsigned int nr);

/**
 * dax_color_notify_idle() - asks for ops->idle, once
 * @name: claimed by @claimant
 *
 * For who waits for DMA to end before memory is used for something else. Nothing is
 * unmapped: who can pin anew still can.
 *
 * Return: 0, -ENODEV, -EPERM.
 */
int dax_color_notify_idle(struct dax_color_claimant *claimant, const char *name);

#endif
