/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What kernel.c and its backends share, and nobody else needs. */
#pragma once

#include "adapters/kernel.h"

G_BEGIN_DECLS

#define DAXC_DRIVER_DEVDAX "device_dax"
#define DAXC_DRIVER_KMEM "kmem"

#define DAXC_ALIGN_2M (G_GUINT64_CONSTANT(1) << 21)
#define DAXC_ALIGN_1G (G_GUINT64_CONSTANT(1) << 30)

typedef enum {
	DAXC_STEP_CREATE,
	DAXC_STEP_ALIGN,
	DAXC_STEP_EXTENT,
	DAXC_STEP_CLEAR,
	DAXC_STEP_ENABLE,
	DAXC_STEP_DISABLE,
	DAXC_STEP_DELETE,
	DAXC_STEP_ZERO,
} DaxcKernelStep;

/**
 * daxc_kernel_refused:
 * @what: what the step was done to: "dax0.1", "region 0"
 * @code: errno
 *
 * Sets @error to a sentence for what that errno means at that step.
 *
 * Returns: FALSE, for the caller to return.
 */
gboolean daxc_kernel_refused(GError **error, DaxcKernelStep step, const char *what,
			     int code);

/* Reads "daxR.N" as the kernel writes it: decimal, no leading zeros. */
gboolean daxc_instance_name_parse(const char *name, guint *region, guint *number);

/* Returns: (transfer full): "daxR.N", with nothing. */
DaxcInstance *daxc_instance_new(guint region, guint number);
DaxcInstance *daxc_instance_copy(const DaxcInstance *instance);

/* Returns: bytes of all extents; they are known not to overflow. */
guint64 daxc_extents_size(const GArray *extents);

/* TRUE when [start, start + size) is within [outer, outer + outer_size), size > 0,
 * and nothing overflows. */
gboolean daxc_range_within(guint64 start, guint64 size, guint64 outer,
			   guint64 outer_size);

/*
 * Device-dax as sysfs shows it (kernel-sysfs.c). @root is a prefix for "/sys" and
 * "/proc", "" on a live host. Numbers are read strictly: whatever is no number is
 * DAXC_ERROR_KERNEL, with the file's name. What it means is checked by kernel.c.
 * Only dynamic regions count: a static one (of an NVDIMM namespace) cannot be
 * carved and belongs to somebody else.
 */
GPtrArray *daxc_sysfs_regions(const char *root, GError **error);
GPtrArray *daxc_sysfs_instances(const char *root, GError **error);
DaxcInstance *daxc_sysfs_instance(const char *root, const char *name, GError **error);

/* Device number of an instance, also of one that is not bound. */
gboolean daxc_sysfs_devno(const char *root, const char *name, guint *major, guint *minor,
			  GError **error);

/* Name of the region's youngest instance. */
char *daxc_sysfs_youngest(const char *root, guint region, GError **error);

G_END_DECLS
