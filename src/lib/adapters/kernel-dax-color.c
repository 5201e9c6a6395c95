// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Our own driver, through the class dax: driver/ABI.md is what it promises. There is
 * no library for it, so changes are plain writes; reading is kernel-sysfs.c's.
 */
#include "adapters/kernel-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/**
 * DaxColor:
 * @root: what @sysfs has
 */
typedef struct {
	DaxcKernel kernel;
	DaxcSysfs sysfs;
	char *root;
} DaxColor;

static DaxColor *dax_color_of(DaxcKernel *kernel)
{
	return (DaxColor *)kernel;
}

/* ---- errnos as sentences ---- */

static const DaxcReason reasons[] = {
	{DAXC_STEP_CREATE, ENOSPC, DAXC_ERROR_REFUSED,
	 "none of its memory is available: instances have it (`daxcolor list`), somebody "
	 "still has it pinned, or it is bad (`daxcolor regions --json`)"},
	{DAXC_STEP_ALIGN, EINVAL, DAXC_ERROR_KERNEL,
	 "this kernel does not map with pages of that size"},
	{DAXC_STEP_ALIGN, EBUSY, DAXC_ERROR_KERNEL, "it has memory already"},
	{DAXC_STEP_OWNER, EINVAL, DAXC_ERROR_KERNEL, "that is no UUID"},
	{DAXC_STEP_OWNER, EBUSY, DAXC_ERROR_KERNEL, "it has memory already"},
	{DAXC_STEP_EXTENT, EINVAL, DAXC_ERROR_KERNEL,
	 "its start or size is no multiple of the instance's align"},
	{DAXC_STEP_EXTENT, ERANGE, DAXC_ERROR_KERNEL, "it is not in the region"},
	{DAXC_STEP_EXTENT, EBUSY, DAXC_ERROR_BUSY,
	 "memory of it is still pinned by whoever had it before (a device, by VFIO, or a "
	 "process with registered buffers), or another instance has part of it"},
	{DAXC_STEP_EXTENT, EHWPOISON, DAXC_ERROR_MEMORY, "memory of it has failed"},
	{DAXC_STEP_EXTENT, EPERM, DAXC_ERROR_REFUSED,
	 "a color of it is another owner's, who has memory of that color, or still has "
	 "some pinned"},
	{DAXC_STEP_EXTENT, ENXIO, DAXC_ERROR_KERNEL, "the instance is being deleted"},
	{DAXC_STEP_EXTENT, EINTR, DAXC_ERROR_CANCELED,
	 "killed while its memory was being zeroed"},
	{DAXC_STEP_EXTENT, ENOMEM, DAXC_ERROR_KERNEL,
	 "the kernel has no memory for its struct pages"},
	{DAXC_STEP_CLAIM, EBUSY, DAXC_ERROR_BUSY,
	 "somebody else has claimed one of them (`daxcolor list`), or has it open"},
	{DAXC_STEP_CLAIM, ENXIO, DAXC_ERROR_KERNEL, "it has no memory"},
	{DAXC_STEP_CLAIM, EINVAL, DAXC_ERROR_KERNEL,
	 "the kernel takes no such claim, or none of so many instances"},
	{DAXC_STEP_UNCLAIM, EPERM, DAXC_ERROR_BUSY,
	 "it is that of a module of the kernel's, or has been given back meanwhile"},
	{DAXC_STEP_CLEAR, EBUSY, DAXC_ERROR_BUSY, "somebody has claimed it meanwhile"},
	{DAXC_STEP_DELETE, EBUSY, DAXC_ERROR_KERNEL,
	 "it has memory, or is the seed of its region"},
	{DAXC_STEP_GEOMETRY, EBUSY, DAXC_ERROR_REFUSED,
	 "instances of regions of that node have memory, or somebody still has some "
	 "pinned; stop the guests of that node first"},
	{DAXC_STEP_GEOMETRY, EINVAL, DAXC_ERROR_KERNEL,
	 "the kernel knows no such geometry"},
	{0},
};

static gboolean refused(GError **error, DaxcKernelStep step, const char *what, int code)
{
	return daxc_kernel_refused_for(error, reasons, step, what, code);
}

/* ---- writing ---- */

static int write_text(const char *dir, const char *attribute, const char *text)
{
	g_autofree char *path = g_build_filename(dir, attribute, NULL);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		code = errno;
	close(fd);
	return code;
}

static gboolean put(DaxcKernel *kernel, DaxcKernelStep step, const char *name,
		    const char *attribute, const char *text, GError **error)
{
	g_autofree char *dir = daxc_sysfs_device(&dax_color_of(kernel)->sysfs, name);
	int code = write_text(dir, attribute, text);

	return code == 0 || refused(error, step, name, code);
}

static gboolean put_region(DaxcKernel *kernel, DaxcKernelStep step, guint region,
			   const char *attribute, const char *text, GError **error)
{
	g_autofree char *dir =
		daxc_sysfs_region(&dax_color_of(kernel)->sysfs, region, error);
	g_autofree char *what = g_strdup_printf("region %u", region);
	int code;

	if (!dir)
		return FALSE;
	code = write_text(dir, attribute, text);
	return code == 0 || refused(error, step, what, code);
}

/* ---- looking ---- */

static GPtrArray *dax_color_regions(DaxcKernel *kernel, GError **error)
{
	return daxc_sysfs_regions(&dax_color_of(kernel)->sysfs, error);
}

static GPtrArray *dax_color_instances(DaxcKernel *kernel, GError **error)
{
	return daxc_sysfs_instances(&dax_color_of(kernel)->sysfs, error);
}

static DaxcInstance *dax_color_instance(DaxcKernel *kernel, const char *name,
					GError **error)
{
	return daxc_sysfs_instance(&dax_color_of(kernel)->sysfs, name, error);
}

static GPtrArray *dax_color_holders(DaxcKernel *kernel, const char *name, GError **error)
{
	return daxc_sysfs_holders(&dax_color_of(kernel)->sysfs, name, error);
}

static GPtrArray *dax_color_processes(DaxcKernel *kernel, const GPtrArray *instances,
				      GError **error)
{
	return daxc_sysfs_processes(&dax_color_of(kernel)->sysfs, instances, error);
}

static gboolean dax_color_is_elsewhere(DaxcKernel *kernel, const char *name)
{
	const DaxcSysfs bus = {dax_color_of(kernel)->root, DAXC_SYSFS_MAINLINE};
	g_autoptr(DaxcInstance) instance = daxc_sysfs_instance(&bus, name, NULL);

	return instance && instance->size > 0;
}

static gboolean bad_text(GError **error, guint region, const char *attribute,
			 const char *text)
{
	g_autofree char *shown = g_strescape(text, NULL);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel says of region %u what cannot be: its %s is \"%.64s\"",
		    region, attribute, shown);
	return FALSE;
}

/* "rotate GRANULE COLORS BASE", or "skew ...". */
static gboolean read_function(char **words, DaxcCacheDomain *geometry)
{
	guint64 colors;

	if (g_strv_length(words) != 4)
		return FALSE;
	if (strcmp(words[0], "skew") == 0)
		geometry->kind = DAXC_GEOMETRY_SKEW;
	else if (strcmp(words[0], "rotate") != 0)
		return FALSE;
	if (!daxc_sysfs_number(words[1], DAXC_GRANULE_MAX, &geometry->granule) ||
	    !daxc_sysfs_number(words[2], DAXC_COLORS_MAX, &colors) ||
	    !daxc_sysfs_number(words[3], G_MAXUINT64, &geometry->base))
		return FALSE;
	geometry->colors = (guint32)colors;
	return geometry->granule >= DAXC_GRANULE_MIN && colors > 0;
}

static gboolean dax_color_geometry(DaxcKernel *kernel, guint region,
				   DaxcCacheDomain *geometry, GError **error)
{
	g_autofree char *text =
		daxc_sysfs_read(&dax_color_of(kernel)->sysfs, region, "geometry", error);
	g_auto(GStrv) words = NULL;

	if (!text)
		return FALSE;
	*geometry = (DaxcCacheDomain){.kind = DAXC_GEOMETRY_ROTATE};
	if (strcmp(text, "none") == 0)
		return TRUE;
	words = g_strsplit(text, " ", -1);
	return read_function(words, geometry) ||
	       bad_text(error, region, "geometry", text);
}

/* Color @index, as "COLOR FREE OWNER". */
static gboolean read_color_owner(const char *line, guint64 index, DaxcColorOwner *color)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	guint64 number;

	if (g_strv_length(words) != 3 || !daxc_sysfs_number(words[0], index, &number) ||
	    number != index || !daxc_sysfs_number(words[1], G_MAXUINT64, &color->free))
		return FALSE;
	color->color = (guint32)number;
	color->owner[0] = '\0';
	if (strcmp(words[2], "-") == 0)
		return TRUE;
	if (!g_uuid_string_is_valid(words[2]))
		return FALSE;
	for (guint i = 0; i < DAXC_OWNER_SIZE; i++)
		color->owner[i] = g_ascii_tolower(words[2][i]);
	return TRUE;
}

static GArray *dax_color_owners(DaxcKernel *kernel, guint region, GError **error)
{
	g_autofree char *text = daxc_sysfs_read(&dax_color_of(kernel)->sysfs, region,
						"free_granules", error);
	g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(DaxcColorOwner));
	g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

	if (!lines)
		return NULL;
	for (guint i = 0; lines[i]; i++) {
		DaxcColorOwner color;

		if (!read_color_owner(lines[i], i, &color)) {
			bad_text(error, region, "free_granules", lines[i]);
			return NULL;
		}
		g_array_append_val(owners, color);
	}
	return g_steal_pointer(&owners);
}

/* ---- steps ---- */

static gboolean dax_color_create(DaxcKernel *kernel, guint region, char **name,
				 GError **error)
{
	if (!put_region(kernel, DAXC_STEP_CREATE, region, "create", "1", error))
		return FALSE;
	*name = daxc_sysfs_read(&dax_color_of(kernel)->sysfs, region, "create", error);
	return *name != NULL;
}

static gboolean dax_color_set_align(DaxcKernel *kernel, const char *name, guint64 align,
				    GError **error)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, align);

	return put(kernel, DAXC_STEP_ALIGN, name, "align", text, error);
}

static gboolean dax_color_set_owner(DaxcKernel *kernel, const char *name,
				    const char *owner, GError **error)
{
	g_autofree char *has = NULL;

	if (!put(kernel, DAXC_STEP_OWNER, name, "owner", owner, error))
		return FALSE;
	has = daxc_sysfs_read_instance(&dax_color_of(kernel)->sysfs, name, "owner",
				       error);
	if (!has || g_ascii_strcasecmp(has, owner) == 0)
		return has != NULL;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel was told that %s is %s's, and says %.64s", name, owner,
		    has);
	return FALSE;
}

static gboolean dax_color_add_extent(DaxcKernel *kernel, const char *name,
				     const DaxcExtent *extent, GError **error)
{
	g_autofree char *dir = daxc_sysfs_device(&dax_color_of(kernel)->sysfs, name);
	g_autofree char *range = daxc_range_format(extent->start, extent->size);
	g_autofree char *what = g_strdup_printf("%s to %s", range, name);
	int code = write_text(dir, "mapping", range);

	return code == 0 || refused(error, DAXC_STEP_EXTENT, what, code);
}

/* Attributes of the class: several instances are claimed in one step. */
static gboolean put_class(DaxcKernel *kernel, DaxcKernelStep step, const char *what,
			  const char *attribute, const char *text, GError **error)
{
	g_autofree char *dir =
		g_build_filename(dax_color_of(kernel)->root, DAXC_CLASS_DEVICES, NULL);
	int code = write_text(dir, attribute, text);

	return code == 0 || refused(error, step, what, code);
}

static gboolean dax_color_claim(DaxcKernel *kernel, const char *const *names,
				const char *uuid, gboolean shared, GError **error)
{
	g_autofree char *list = g_strjoinv(" ", (char **)names);
	g_autofree char *text =
		g_strdup_printf("%s%s %s", uuid, shared ? " shared" : "", list);

	return put_class(kernel, DAXC_STEP_CLAIM, list, "claim", text, error);
}

static gboolean dax_color_unclaim(DaxcKernel *kernel, const char *name, const char *uuid,
				  guint count, GError **error)
{
	g_autofree char *text = g_strdup_printf("%s %s", uuid, name);

	for (guint i = 0; i < count; i++)
		if (!put_class(kernel, DAXC_STEP_UNCLAIM, name, "release", text, error))
			return FALSE;
	return TRUE;
}

static gboolean dax_color_clear(DaxcKernel *kernel, const char *name, GError **error)
{
	return put(kernel, DAXC_STEP_CLEAR, name, "size", "0", error);
}

static gboolean dax_color_destroy(DaxcKernel *kernel, const char *name, GError **error)
{
	guint region, number;

	if (!daxc_instance_name_parse(name, &region, &number))
		return refused(error, DAXC_STEP_DELETE, name, ENODEV);
	return put_region(kernel, DAXC_STEP_DELETE, region, "delete", name, error);
}

static gboolean dax_color_scrub(DaxcKernel *kernel, guint region, GError **error)
{
	return put_region(kernel, DAXC_STEP_SCRUB, region, "scrub", "1", error);
}

static gboolean dax_color_set_geometry(DaxcKernel *kernel, guint region,
				       const DaxcCacheDomain *geometry, GError **error)
{
	g_autofree char *text = g_strdup("none");

	if (geometry) {
		g_free(text);
		text = g_strdup_printf("%s %" G_GUINT64_FORMAT " %u %" G_GUINT64_FORMAT,
				       daxc_geometry_kind_name(geometry->kind),
				       geometry->granule, geometry->colors,
				       geometry->base);
	}
	return put_region(kernel, DAXC_STEP_GEOMETRY, region, "geometry", text, error);
}

static void dax_color_free(DaxcKernel *kernel)
{
	g_free(dax_color_of(kernel)->root);
	g_free(kernel);
}

static const char *const limits[] = {
	"Root can give back the claim of a guest that runs, or unbind the memory from "
	"dax_color, and the guest loses it.",
	"The kernel forgets every instance at reboot.",
	NULL,
};

static const DaxcKernelOps ops = {
	.name = "dax_color",
	.limits = limits,
	.guarantees = DAXC_GUARANTEE_RANGES | DAXC_GUARANTEE_ZEROS | DAXC_GUARANTEE_PINS |
		      DAXC_GUARANTEE_COLORS | DAXC_GUARANTEE_CLAIMS,
	.driver = DAXC_DRIVER_DAX_COLOR,
	.free = dax_color_free,
	.regions = dax_color_regions,
	.instances = dax_color_instances,
	.instance = dax_color_instance,
	.create = dax_color_create,
	.set_align = dax_color_set_align,
	.set_owner = dax_color_set_owner,
	.add_extent = dax_color_add_extent,
	.claim = dax_color_claim,
	.unclaim = dax_color_unclaim,
	.clear = dax_color_clear,
	.destroy = dax_color_destroy,
	.scrub = dax_color_scrub,
	.geometry = dax_color_geometry,
	.set_geometry = dax_color_set_geometry,
	.color_owners = dax_color_owners,
	.holders = dax_color_holders,
	.is_elsewhere = dax_color_is_elsewhere,
	.processes = dax_color_processes,
};

DaxcKernel *daxc_kernel_dax_color_new_in(const char *root, GError **error)
{
	g_autofree char *copy = g_strdup(root);
	const DaxcSysfs sysfs = {copy, DAXC_SYSFS_DAX_COLOR};
	DaxColor *dax_color;

	if (!daxc_sysfs_has_regions(&sysfs)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_UNSUPPORTED,
			    "this host has no region of dax_color (in " DAXC_CLASS_DEVICES
			    "): load it and give it the memory with `dax-color-bind`, or "
			    "say kernel = mainline in daxcolor.conf");
		return NULL;
	}
	dax_color = g_new0(DaxColor, 1);
	dax_color->kernel.ops = &ops;
	dax_color->sysfs = sysfs;
	dax_color->root = g_steal_pointer(&copy);
	return &dax_color->kernel;
}

DaxcKernel *daxc_kernel_dax_color_new(GError **error)
{
	return daxc_kernel_dax_color_new_in("", error);
}
