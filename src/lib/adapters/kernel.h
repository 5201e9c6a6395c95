/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel, as far as we need it: regions and instances of device-dax.
 *
 * The functions below are the only way to it, whichever backend is behind.
 * They hold the rules that the kernel does not (mainline accepts misaligned
 * starts, mappings of a bound device and, on 6.12, lengths that it then
 * ignores), read back every change, and turn errnos into sentences.
 */
#pragma once

#include <daxcolor/host.h>

G_BEGIN_DECLS

typedef struct DaxcKernel DaxcKernel;

/**
 * DaxcKernelOps: what a backend does. All take a name that exists ("daxR.N").
 * @name: "mainline", "sim", "dax_color"
 * @limits: (nullable) sentences, NULL-terminated: what this backend cannot guarantee
 * @regions: (element-type DaxcRegion), any order
 * @instances: (element-type DaxcInstance), any order
 * @create: makes an instance of size 0 with no driver; its name in @name
 * @set_align: instance has size 0 and no driver
 * @add_extent: appends one extent
 * @clear: frees all extents (size 0)
 * @enable: binds device_dax
 * @disable: unbinds
 * @destroy: deletes an instance of size 0 that is no seed
 *
 * A backend does exactly one step a call and does not verify: kernel.c does.
 */
typedef struct {
	const char *name;
	const char *const *limits;
	void (*free)(DaxcKernel *kernel);
	GPtrArray *(*regions)(DaxcKernel *kernel, GError **error);
	GPtrArray *(*instances)(DaxcKernel *kernel, GError **error);
	gboolean (*create)(DaxcKernel *kernel, guint region, char **name, GError **error);
	gboolean (*set_align)(DaxcKernel *kernel, const char *name, guint64 align,
			      GError **error);
	gboolean (*add_extent)(DaxcKernel *kernel, const char *name,
			       const DaxcExtent *extent, GError **error);
	gboolean (*clear)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*enable)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*disable)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*destroy)(DaxcKernel *kernel, const char *name, GError **error);
	/* Writes zeros over [0, size) of an enabled instance and reads them back. */
	gboolean (*zero)(DaxcKernel *kernel, const char *name, GError **error);
	/* Processes that have the instance open or mapped: "qemu-system-x86 (1234)". */
	GPtrArray *(*holders)(DaxcKernel *kernel, const char *name, GError **error);
} DaxcKernelOps;

/* A backend's struct begins with this one. */
struct DaxcKernel {
	const DaxcKernelOps *ops;
};

/**
 * daxc_kernel_mainline_new:
 *
 * Device-dax of the running kernel, through libdaxctl. Fails with
 * DAXC_ERROR_UNSUPPORTED when the host has no dax bus; the message says which
 * modules to load.
 */
DaxcKernel *daxc_kernel_mainline_new(GError **error);

/**
 * daxc_kernel_sim_new:
 * @regions: (element-type DaxcRegion): copied
 * @file: (nullable): where state lives between processes; NULL: in memory
 *
 * A kernel without a kernel, with mainline's manners: seeds that cannot be
 * deleted, ids reused lowest first, ENOMEM for overlap, EBUSY while bound.
 */
DaxcKernel *daxc_kernel_sim_new(const GPtrArray *regions, const char *file, GError **error);

/**
 * daxc_kernel_sim_fail:
 * @after: number of changing steps that still succeed
 * @code: errno of the step after those; one step fails, then all is well again
 *
 * For tests of every undo path.
 */
void daxc_kernel_sim_fail(DaxcKernel *kernel, guint after, int code);

void daxc_kernel_free(DaxcKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcKernel, daxc_kernel_free)

const char *daxc_kernel_name(const DaxcKernel *kernel);
const char *const *daxc_kernel_limits(const DaxcKernel *kernel);

/* Returns: (transfer full) (element-type DaxcRegion): sorted by id, checked. */
GPtrArray *daxc_kernel_regions(DaxcKernel *kernel, GError **error);

/* Returns: (transfer full) (element-type DaxcInstance): by region, then number. */
GPtrArray *daxc_kernel_instances(DaxcKernel *kernel, GError **error);

/* Returns: (transfer full): one instance; DAXC_ERROR_NOT_FOUND. */
DaxcInstance *daxc_kernel_instance(DaxcKernel *kernel, const char *name, GError **error);

/**
 * daxc_kernel_carve:
 * @extents: (element-type DaxcExtent): in order of page offset
 * @align: 2 MiB or 1 GiB; every start and size is a multiple of it, or the call
 *   is refused before the kernel sees it
 * @name: (out) (transfer full): also set when a later step failed and the
 *   undoing did too, so that the caller can say what is left
 *
 * create, set align, add every extent, verify by reading back, enable, verify.
 * On failure what was made is destroyed again. When the region's seed still
 * holds the whole region, unbound, it is emptied first.
 */
gboolean daxc_kernel_carve(DaxcKernel *kernel, guint region, guint64 align,
			   const GArray *extents, char **name, GError **error);

/**
 * daxc_kernel_destroy:
 *
 * disable, clear, delete, verify: works from any state of an instance, and on
 * one that is gone. Fails with DAXC_ERROR_BUSY, before anything is changed,
 * while a process has it open or mapped (mainline would unbind all the same).
 * A seed is emptied, not deleted.
 */
gboolean daxc_kernel_destroy(DaxcKernel *kernel, const char *name, GError **error);

/* Zeroes an enabled instance, and reads it back. */
gboolean daxc_kernel_zero(DaxcKernel *kernel, const char *name, GError **error);

G_END_DECLS
