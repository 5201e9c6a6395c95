/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What kernel.c and its backends share, and nobody else needs. */
#pragma once

#include "adapters/kernel.h"

#include <daxcolor/error.h>

G_BEGIN_DECLS

#define DAXC_DRIVER_DEVDAX "device_dax"
#define DAXC_DRIVER_KMEM "kmem"
#define DAXC_DRIVER_DAX_COLOR "dax_color"

#define DAXC_BUS_DEVICES "/sys/bus/dax/devices"
#define DAXC_CLASS_DEVICES "/sys/class/dax"

#define DAXC_ALIGN_2M (G_GUINT64_CONSTANT(1) << 21)
#define DAXC_ALIGN_1G (G_GUINT64_CONSTANT(1) << 30)

typedef enum {
	DAXC_STEP_CREATE,
	DAXC_STEP_ALIGN,
	DAXC_STEP_OWNER,
	DAXC_STEP_EXTENT,
	DAXC_STEP_CLEAR,
	DAXC_STEP_ENABLE,
	DAXC_STEP_DISABLE,
	DAXC_STEP_DELETE,
	DAXC_STEP_ZERO,
	DAXC_STEP_SCRUB,
	DAXC_STEP_GEOMETRY,
	DAXC_STEP_CLAIM,
	DAXC_STEP_UNCLAIM,
} DaxcKernelStep;

/**
 * DaxcReason: what an errno means at a step.
 * @error: what it is for callers
 * @reason: (nullable): ends a table
 */
typedef struct {
	DaxcKernelStep step;
	int code;
	DaxcError error;
	const char *reason;
} DaxcReason;

/**
 * daxc_kernel_refused_for:
 * @reasons: of that backend
 * @what: what the step was done to: "dax0.1", "region 0"
 * @code: errno
 *
 * Sets @error to a sentence for what that errno means at that step.
 *
 * Returns: FALSE, for the caller to return.
 */
gboolean daxc_kernel_refused_for(GError **error, const DaxcReason *reasons,
				 DaxcKernelStep step, const char *what, int code);

/* The same with mainline's reasons, which are the simulation's too. */
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

typedef enum {
	DAXC_SYSFS_MAINLINE,  /* on the bus dax */
	DAXC_SYSFS_DAX_COLOR, /* in the class dax, as driver/ABI.md says */
} DaxcSysfsKind;

/**
 * DaxcSysfs: device-dax as sysfs shows it (kernel-sysfs.c).
 * @root: a prefix for "/sys" and "/proc", "" on a live host
 *
 * Numbers are read strictly: whatever is no number is DAXC_ERROR_KERNEL, with the
 * file's name. What it means is checked by kernel.c. Of mainline's regions only
 * dynamic ones count: a static one (of an NVDIMM namespace) cannot be carved and
 * belongs to somebody else.
 */
typedef struct {
	const char *root;
	DaxcSysfsKind kind;
} DaxcSysfs;

/* Reads a decimal number, or a hexadecimal one with 0x; nothing else. */
gboolean daxc_sysfs_number(const char *text, guint64 max, guint64 *value);

/* Whether there is any, without reading it. */
gboolean daxc_sysfs_has_regions(const DaxcSysfs *sysfs);

/* Returns: (transfer full) (element-type guint): ids of all regions, ascending. */
GArray *daxc_sysfs_region_ids(const DaxcSysfs *sysfs);

GPtrArray *daxc_sysfs_regions(const DaxcSysfs *sysfs, GError **error);
GPtrArray *daxc_sysfs_instances(const DaxcSysfs *sysfs, GError **error);
DaxcInstance *daxc_sysfs_instance(const DaxcSysfs *sysfs, const char *name,
				  GError **error);

/* Device number of an instance, also of one that is not bound. */
gboolean daxc_sysfs_devno(const DaxcSysfs *sysfs, const char *name, guint *major,
			  guint *minor, GError **error);

/* Returns: (transfer full): directory of an instance, of a region's attributes. */
char *daxc_sysfs_device(const DaxcSysfs *sysfs, const char *name);
char *daxc_sysfs_region(const DaxcSysfs *sysfs, guint region, GError **error);

/* Returns: (transfer full): an attribute of an instance, without the newline at its
 * end. */
char *daxc_sysfs_read_instance(const DaxcSysfs *sysfs, const char *name,
			       const char *attribute, GError **error);

/* The same of a region. */
char *daxc_sysfs_read(const DaxcSysfs *sysfs, guint region, const char *attribute,
		      GError **error);

/*
 * Who has instances open or mapped: what every backend answers alike, by device
 * number. Both are as in DaxcKernelOps; they are for callers who know that the
 * answer is not simply nobody.
 */
GPtrArray *daxc_sysfs_holders(const DaxcSysfs *sysfs, const char *name, GError **error);
GPtrArray *daxc_sysfs_processes(const DaxcSysfs *sysfs, const GPtrArray *instances,
				GError **error);

G_END_DECLS
