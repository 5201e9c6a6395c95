// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The rules of device-dax that the kernel does not keep, in one place, whatever
 * the backend: check before, do one step, read back, take back on failure.
 */
#include "adapters/kernel-priv.h"

#include <errno.h>
#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "core/owner.h"

#define NUMBER_MAX 999999999u
#define REMEDY                                                                           \
	"put \"options dax_hmem region_idle=1\" and \"blacklist kmem\" into a file in "  \
	"/etc/modprobe.d, rebuild the initramfs and reboot"

/* ---- plain data ---- */

DaxcInstance *daxc_instance_new(guint region, guint number)
{
	DaxcInstance *instance = g_new0(DaxcInstance, 1);

	instance->name = g_strdup_printf("dax%u.%u", region, number);
	instance->region = region;
	instance->extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	instance->seed = number == 0;
	return instance;
}

gboolean daxc_kernel_is_lent(const DaxcInstance *instance)
{
	return g_strcmp0(instance->driver, DAXC_DRIVER_KMEM) == 0;
}

DaxcInstance *daxc_instance_copy(const DaxcInstance *instance)
{
	DaxcInstance *copy = g_memdup2(instance, sizeof(*instance));

	copy->name = g_strdup(instance->name);
	copy->driver = g_strdup(instance->driver);
	copy->owner = g_strdup(instance->owner);
	copy->claimant = g_strdup(instance->claimant);
	copy->extents = g_array_copy(instance->extents);
	return copy;
}

/* A decimal number without leading zeros; moves *@text behind it. */
static gboolean take_number(const char **text, guint *number)
{
	const char *digit = *text;
	guint64 value = 0;

	if (!g_ascii_isdigit(*digit) || (digit[0] == '0' && g_ascii_isdigit(digit[1])))
		return FALSE;
	for (; g_ascii_isdigit(*digit); digit++) {
		value = value * 10 + (guint64)g_ascii_digit_value(*digit);
		if (value > NUMBER_MAX)
			return FALSE;
	}
	*text = digit;
	*number = (guint)value;
	return TRUE;
}

gboolean daxc_instance_name_parse(const char *name, guint *region, guint *number)
{
	guint first, second;

	if (!g_str_has_prefix(name, "dax"))
		return FALSE;
	name += strlen("dax");
	if (!take_number(&name, &first) || *name++ != '.' ||
	    !take_number(&name, &second) || *name != '\0')
		return FALSE;
	*region = first;
	*number = second;
	return TRUE;
}

guint64 daxc_extents_size(const GArray *extents)
{
	guint64 size = 0;

	for (guint i = 0; i < extents->len; i++)
		size += g_array_index(extents, DaxcExtent, i).size;
	return size;
}

guint64 daxc_extents_address(const GArray *extents, guint64 offset)
{
	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);

		if (offset < extent->size)
			return extent->start + offset;
		offset -= extent->size;
	}
	g_return_val_if_reached(G_MAXUINT64);
}

gboolean daxc_range_within(guint64 start, guint64 size, guint64 outer, guint64 outer_size)
{
	return size > 0 && start >= outer && size <= outer_size &&
	       start - outer <= outer_size - size;
}

static gboolean ranges_overlap(const DaxcExtent *one, const DaxcExtent *two)
{
	return one->start < two->start + two->size && two->start < one->start + one->size;
}

static gboolean extents_equal(const GArray *one, const GArray *two)
{
	if (one->len != two->len)
		return FALSE;
	for (guint i = 0; i < one->len; i++) {
		const DaxcExtent *a = &g_array_index(one, DaxcExtent, i);
		const DaxcExtent *b = &g_array_index(two, DaxcExtent, i);

		if (a->start != b->start || a->size != b->size)
			return FALSE;
	}
	return TRUE;
}

static char *extent_format(const DaxcExtent *extent)
{
	return daxc_range_format(extent->start, extent->size);
}

static char *extents_format(const GArray *extents)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < extents->len; i++) {
		g_autofree char *range =
			extent_format(&g_array_index(extents, DaxcExtent, i));

		g_string_append_printf(text, "%s%s", i ? ", " : "", range);
	}
	if (extents->len == 0)
		g_string_append(text, "nothing");
	return g_string_free(text, FALSE);
}

static gboolean is_power_of_two(guint64 value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* ---- errnos as sentences ---- */

static const DaxcReason mainline_reasons[] = {
	{DAXC_STEP_CREATE, ENOSPC, DAXC_ERROR_REFUSED,
	 "all of its memory is in instances; destroy one (`daxcolor list`, "
	 "`daxctl list -Di`)"},
	{DAXC_STEP_ALIGN, EINVAL, DAXC_ERROR_KERNEL,
	 "this kernel does not map with pages of that size"},
	{DAXC_STEP_ALIGN, EBUSY, DAXC_ERROR_KERNEL, "a driver is bound to it"},
	{DAXC_STEP_EXTENT, ENOMEM, DAXC_ERROR_KERNEL,
	 "another instance has part of it (see `daxctl list -DiM`), it is not in the "
	 "region, or the kernel is out of memory"},
	{DAXC_STEP_EXTENT, ENXIO, DAXC_ERROR_KERNEL,
	 "its size is no multiple of the instance's align"},
	{DAXC_STEP_EXTENT, EBUSY, DAXC_ERROR_KERNEL,
	 "somebody else has bound a driver to it meanwhile"},
	{DAXC_STEP_CLEAR, EBUSY, DAXC_ERROR_KERNEL, "a driver is bound to it"},
	{DAXC_STEP_ENABLE, EBUSY, DAXC_ERROR_KERNEL,
	 "a driver is bound to it already, or its addresses are in use (see "
	 "/proc/iomem)"},
	{DAXC_STEP_ENABLE, ENXIO, DAXC_ERROR_KERNEL, "it has no memory"},
	{DAXC_STEP_ENABLE, ENODEV, DAXC_ERROR_KERNEL,
	 "device_dax does not take it; " REMEDY},
	{DAXC_STEP_ENABLE, ENOENT, DAXC_ERROR_KERNEL,
	 "device_dax is not loaded; run `modprobe device_dax`"},
	{DAXC_STEP_ENABLE, ENOMEM, DAXC_ERROR_KERNEL,
	 "the kernel has no memory for its struct pages"},
	{DAXC_STEP_DISABLE, ENODEV, DAXC_ERROR_KERNEL, "no driver is bound to it"},
	{DAXC_STEP_DELETE, EBUSY, DAXC_ERROR_KERNEL,
	 "it is bound, has memory, or is the seed of its region"},
	{DAXC_STEP_ZERO, ENXIO, DAXC_ERROR_KERNEL, "it is not enabled"},
	{DAXC_STEP_CLAIM, EBUSY, DAXC_ERROR_BUSY, "somebody else has claimed it"},
	{DAXC_STEP_UNCLAIM, EPERM, DAXC_ERROR_BUSY, "it is not that one's claim"},
	{0},
};

static const char *step_verb(DaxcKernelStep step)
{
	switch (step) {
	case DAXC_STEP_CREATE:
		return "cannot create an instance in";
	case DAXC_STEP_ALIGN:
		return "cannot set the align of";
	case DAXC_STEP_EXTENT:
		return "cannot give";
	case DAXC_STEP_CLEAR:
		return "cannot take the memory from";
	case DAXC_STEP_ENABLE:
		return "cannot enable";
	case DAXC_STEP_DISABLE:
		return "cannot disable";
	case DAXC_STEP_DELETE:
		return "cannot delete";
	case DAXC_STEP_ZERO:
		return "cannot zero";
	case DAXC_STEP_OWNER:
		return "cannot set the owner of";
	case DAXC_STEP_SCRUB:
		return "cannot have zeroed what is dirty in";
	case DAXC_STEP_GEOMETRY:
		return "cannot set the geometry of the node of";
	case DAXC_STEP_LEND:
		return "cannot lend to the host";
	case DAXC_STEP_RECLAIM:
		return "cannot take back from the host";
	case DAXC_STEP_CLAIM:
		return "cannot claim";
	case DAXC_STEP_UNCLAIM:
		return "cannot end the claim of";
	}
	g_return_val_if_reached("cannot change");
}

static const DaxcReason *find_reason(const DaxcReason *reasons, DaxcKernelStep step,
				     int code)
{
	for (; reasons->reason; reasons++)
		if (reasons->step == step && reasons->code == code)
			return reasons;
	return NULL;
}

static const char *common_reason(int code)
{
	if (code == EACCES || code == EPERM)
		return "not permitted; run as root";
	if (code == EROFS)
		return "sysfs is mounted read-only here";
	return NULL;
}

static DaxcError error_of(const DaxcReason *found, int code)
{
	if (found)
		return found->error;
	return code == ENOSPC ? DAXC_ERROR_REFUSED : DAXC_ERROR_KERNEL;
}

gboolean daxc_kernel_refused_for(GError **error, const DaxcReason *reasons,
				 DaxcKernelStep step, const char *what, int code)
{
	const DaxcReason *found = find_reason(reasons, step, code);
	const char *reason = found ? found->reason : common_reason(code);

	g_set_error(error, DAXC_ERROR, (gint)error_of(found, code), "%s %s: %s%s%s%s",
		    step_verb(step), what, reason ? reason : "", reason ? " (" : "",
		    g_strerror(code), reason ? ")" : "");
	return FALSE;
}

gboolean daxc_kernel_refused(GError **error, DaxcKernelStep step, const char *what,
			     int code)
{
	return daxc_kernel_refused_for(error, mainline_reasons, step, what, code);
}

/* ---- looking ---- */

void daxc_kernel_free(DaxcKernel *kernel)
{
	if (kernel)
		kernel->ops->free(kernel);
}

const char *daxc_kernel_name(const DaxcKernel *kernel)
{
	return kernel->ops->name;
}

const char *const *daxc_kernel_limits(const DaxcKernel *kernel)
{
	return kernel->ops->limits;
}

guint daxc_kernel_guarantees(const DaxcKernel *kernel)
{
	return kernel->ops->guarantees;
}

const char *daxc_kernel_driver(const DaxcKernel *kernel)
{
	return kernel->ops->driver;
}

gboolean daxc_kernel_zeroes(const DaxcKernel *kernel)
{
	return (kernel->ops->guarantees & DAXC_GUARANTEE_ZEROS) != 0;
}

gboolean daxc_kernel_minds_pins(const DaxcKernel *kernel)
{
	return (kernel->ops->guarantees & DAXC_GUARANTEE_PINS) != 0;
}

static gboolean bad_region(GError **error, const DaxcRegion *region,
			   const char *attribute, const char *why)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel says of region %u what cannot be: its %s %s", region->id,
		    attribute, why);
	return FALSE;
}

static gboolean check_account(const DaxcRegion *region, GError **error)
{
	guint64 rest = region->size - region->available;

	if (region->zeroing > region->available)
		return bad_region(error, region, "zeroing_size",
				  "is more than its available_size");
	if (region->dirty > region->available - region->zeroing)
		return bad_region(error, region, "dirty_size",
				  "is more than its available_size, less its "
				  "zeroing_size");
	if (region->quarantined > rest)
		return bad_region(error, region, "quarantined_size",
				  "is more than what is not available");
	if (region->bad > rest - region->quarantined)
		return bad_region(error, region, "bad_size",
				  "is more than what is not available");
	return TRUE;
}

static gboolean check_region(const DaxcRegion *region, GError **error)
{
	if (region->size == 0)
		return bad_region(error, region, "size", "is 0");
	if (region->start > G_MAXUINT64 - region->size)
		return bad_region(error, region, "size", "goes beyond 64 bits");
	if (!is_power_of_two(region->align))
		return bad_region(error, region, "align", "is no power of two");
	if (region->available > region->size)
		return bad_region(error, region, "available_size",
				  "is more than its size");
	if (region->node < -1)
		return bad_region(error, region, "target_node", "is negative");
	return check_account(region, error);
}

static gboolean check_region_pair(const DaxcRegion *one, const DaxcRegion *two,
				  GError **error)
{
	DaxcExtent a = {one->start, one->size};
	DaxcExtent b = {two->start, two->size};
	g_autofree char *why = NULL;

	if (one->id == two->id)
		return bad_region(error, one, "id", "is another region's too");
	if (!ranges_overlap(&a, &b))
		return TRUE;
	why = g_strdup_printf("overlaps region %u", two->id);
	return bad_region(error, one, "range", why);
}

static gint compare_regions(gconstpointer a, gconstpointer b)
{
	const DaxcRegion *one = *(const DaxcRegion *const *)a;
	const DaxcRegion *two = *(const DaxcRegion *const *)b;

	return (one->id > two->id) - (one->id < two->id);
}

static GPtrArray *read_regions(DaxcKernel *kernel, GError **error)
{
	g_autoptr(GPtrArray) regions = kernel->ops->regions(kernel, error);

	if (!regions)
		return NULL;
	g_ptr_array_sort(regions, compare_regions);
	/* There is one for each memory device of the host: a handful. */
	for (guint i = 0; i < regions->len; i++) {
		if (!check_region(regions->pdata[i], error))
			return NULL;
		for (guint k = 0; k < i; k++)
			if (!check_region_pair(regions->pdata[i], regions->pdata[k],
					       error))
				return NULL;
	}
	return g_steal_pointer(&regions);
}

/* Attributes are read one by one, so a look without the ledger's lock can fall
 * into a change by somebody else, and one at a kernel that zeroes by itself into its
 * own. What does not pass in this time is no such. */
#define LOOKS 10
#define LOOK_AGAIN_US 20000

static gboolean may_pass(guint look, const GError *error)
{
	if (look == LOOKS || !g_error_matches(error, DAXC_ERROR, DAXC_ERROR_KERNEL))
		return FALSE;
	g_usleep(LOOK_AGAIN_US);
	return TRUE;
}

GPtrArray *daxc_kernel_regions(DaxcKernel *kernel, GError **error)
{
	for (guint look = 1;; look++) {
		g_autoptr(GError) local = NULL;
		GPtrArray *regions = read_regions(kernel, &local);

		if (regions)
			return regions;
		if (daxc_kernel_zeroes(kernel) && may_pass(look, local))
			continue;
		g_propagate_error(error, g_steal_pointer(&local));
		return NULL;
	}
}

static DaxcRegion *find_region(const GPtrArray *regions, guint id)
{
	for (guint i = 0; i < regions->len; i++) {
		DaxcRegion *region = regions->pdata[i];

		if (region->id == id)
			return region;
	}
	return NULL;
}

static gboolean bad_instance(GError **error, const DaxcInstance *instance,
			     const char *attribute, const char *why)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel says of instance %s what cannot be: its %s %s",
		    instance->name, attribute, why);
	return FALSE;
}

/* What can be said of an instance alone. */
static gboolean check_instance(const DaxcInstance *instance, GError **error)
{
	guint64 size = 0;
	guint region, number;

	if (!daxc_instance_name_parse(instance->name, &region, &number) ||
	    region != instance->region)
		return bad_instance(error, instance, "name", "is not daxR.N");
	if (!is_power_of_two(instance->align))
		return bad_instance(error, instance, "align", "is no power of two");
	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);

		if (!daxc_range_within(extent->start, extent->size, 0, G_MAXUINT64) ||
		    size > G_MAXUINT64 - extent->size)
			return bad_instance(error, instance, "mapping",
					    "is empty or goes beyond 64 bits");
		size += extent->size;
	}
	if (size != instance->size)
		return bad_instance(error, instance, "size",
				    "is not that of its mappings together");
	return TRUE;
}

static gboolean check_in_region(const DaxcInstance *instance, const DaxcRegion *region,
				GError **error)
{
	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);
		g_autofree char *range = NULL;
		g_autofree char *why = NULL;

		if (daxc_range_within(extent->start, extent->size, region->start,
				      region->size))
			continue;
		range = extent_format(extent);
		why = g_strdup_printf("%s is not in its region", range);
		return bad_instance(error, instance, "mapping", why);
	}
	return TRUE;
}

typedef struct {
	DaxcExtent extent;
	const DaxcInstance *instance;
} Held;

static gint compare_held(gconstpointer a, gconstpointer b)
{
	const Held *one = a, *two = b;

	return (one->extent.start > two->extent.start) -
	       (one->extent.start < two->extent.start);
}

/* Every range of @instances, sorted by address. */
static GArray *all_held(const GPtrArray *instances)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(Held));

	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = instances->pdata[i];

		for (guint k = 0; k < instance->extents->len; k++) {
			Held held = {g_array_index(instance->extents, DaxcExtent, k),
				     instance};

			g_array_append_val(all, held);
		}
	}
	g_array_sort(all, compare_held);
	return all;
}

static gboolean check_no_overlap(const GPtrArray *instances, GError **error)
{
	g_autoptr(GArray) all = all_held(instances);

	for (guint i = 1; i < all->len; i++) {
		const Held *before = &g_array_index(all, Held, i - 1);
		const Held *held = &g_array_index(all, Held, i);
		g_autofree char *range = NULL;
		g_autofree char *why = NULL;

		if (!ranges_overlap(&before->extent, &held->extent))
			continue;
		range = extent_format(&held->extent);
		why = g_strdup_printf("%s overlaps %s", range, before->instance->name);
		return bad_instance(error, held->instance, "mapping", why);
	}
	return TRUE;
}

/* Memory that no instance admits to having would be given away twice. A kernel that
 * counts what it does with memory may just be preparing some for an instance. */
static gboolean check_available(const DaxcRegion *region, const GPtrArray *instances,
				GError **error)
{
	guint64 rest = region->size - region->available - region->quarantined -
		       region->bad;
	guint64 held = 0;

	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = instances->pdata[i];

		if (instance->region == region->id)
			held += instance->size;
	}
	if (region->accounted ? held <= rest : held == rest)
		return TRUE;
	return bad_region(error, region, "available_size",
			  "is not what its instances leave; if somebody was just "
			  "changing them, try again");
}

static gint compare_instances(gconstpointer a, gconstpointer b)
{
	const DaxcInstance *one = *(const DaxcInstance *const *)a;
	const DaxcInstance *two = *(const DaxcInstance *const *)b;
	guint region, first = 0, second = 0;

	daxc_instance_name_parse(one->name, &region, &first);
	daxc_instance_name_parse(two->name, &region, &second);
	if (one->region != two->region)
		return one->region > two->region ? 1 : -1;
	return (first > second) - (first < second);
}

static gboolean check_instances(const GPtrArray *instances, const GPtrArray *regions,
				GError **error)
{
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = instances->pdata[i];
		const DaxcInstance *before = i ? instances->pdata[i - 1] : NULL;
		const DaxcRegion *region = find_region(regions, instance->region);

		if (!check_instance(instance, error))
			return FALSE;
		if (before && strcmp(before->name, instance->name) == 0)
			return bad_instance(error, instance, "name", "is there twice");
		if (!region)
			return bad_instance(error, instance, "region", "does not exist");
		if (!check_in_region(instance, region, error))
			return FALSE;
	}
	if (!check_no_overlap(instances, error))
		return FALSE;
	for (guint i = 0; i < regions->len; i++)
		if (!check_available(regions->pdata[i], instances, error))
			return FALSE;
	return TRUE;
}

static GPtrArray *list(DaxcKernel *kernel, const GPtrArray *regions, GError **error)
{
	g_autoptr(GPtrArray) instances = kernel->ops->instances(kernel, error);

	if (!instances)
		return NULL;
	g_ptr_array_sort(instances, compare_instances);
	if (!check_instances(instances, regions, error))
		return NULL;
	return g_steal_pointer(&instances);
}

static gboolean try_look(DaxcKernel *kernel, GPtrArray **regions, GPtrArray **instances,
			 GError **error)
{
	g_autoptr(GPtrArray) found = read_regions(kernel, error);

	*instances = found ? list(kernel, found, error) : NULL;
	if (!*instances)
		return FALSE;
	*regions = g_steal_pointer(&found);
	return TRUE;
}

gboolean daxc_kernel_look(DaxcKernel *kernel, GPtrArray **regions, GPtrArray **instances,
			  GError **error)
{
	for (guint look = 1;; look++) {
		g_autoptr(GError) local = NULL;

		if (try_look(kernel, regions, instances, &local))
			return TRUE;
		if (may_pass(look, local))
			continue;
		g_propagate_error(error, g_steal_pointer(&local));
		return FALSE;
	}
}

GPtrArray *daxc_kernel_instances(DaxcKernel *kernel, GError **error)
{
	g_autoptr(GPtrArray) regions = NULL;
	GPtrArray *instances;

	return daxc_kernel_look(kernel, &regions, &instances, error) ? instances : NULL;
}

static gboolean check_name(const char *name, GError **error)
{
	guint region, number;

	if (daxc_instance_name_parse(name, &region, &number))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "\"%s\" is not the name of an instance, like dax0.1", name);
	return FALSE;
}

DaxcInstance *daxc_kernel_instance(DaxcKernel *kernel, const char *name, GError **error)
{
	g_autoptr(DaxcInstance) instance = NULL;

	if (!check_name(name, error))
		return NULL;
	instance = kernel->ops->instance(kernel, name, error);
	if (!instance || !check_instance(instance, error))
		return NULL;
	return g_steal_pointer(&instance);
}

GPtrArray *daxc_kernel_holders(DaxcKernel *kernel, const char *name, GError **error)
{
	if (!check_name(name, error))
		return NULL;
	return kernel->ops->holders(kernel, name, error);
}

GPtrArray *daxc_kernel_processes(DaxcKernel *kernel, const GPtrArray *instances,
				 GError **error)
{
	return kernel->ops->processes(kernel, instances, error);
}

gboolean daxc_kernel_is_elsewhere(DaxcKernel *kernel, const char *name)
{
	return kernel->ops->is_elsewhere && kernel->ops->is_elsewhere(kernel, name);
}

/* ---- claims ---- */

gboolean daxc_kernel_knows_claims(const DaxcKernel *kernel)
{
	return kernel->ops->claim != NULL;
}

static gboolean verify_claim(DaxcKernel *kernel, const char *name, const char *uuid,
			     GError **error)
{
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, error);

	if (!instance || g_strcmp0(instance->claimant, uuid) == 0)
		return instance != NULL;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel reported success, but %s is claimed by %s, not by %s",
		    name, instance->claimant ? instance->claimant : "nobody",
		    uuid ? uuid : "nobody");
	return FALSE;
}

static gboolean verify_claims(DaxcKernel *kernel, const char *const *names,
			      const char *uuid, GError **error)
{
	for (guint i = 0; names[i]; i++)
		if (!verify_claim(kernel, names[i], uuid, error))
			return FALSE;
	return TRUE;
}

gboolean daxc_kernel_claim(DaxcKernel *kernel, const char *const *names, const char *uuid,
			   gboolean shared, GError **error)
{
	g_autofree char *lower = g_ascii_strdown(uuid, -1);

	return !kernel->ops->claim ||
	       (kernel->ops->claim(kernel, names, lower, shared, error) &&
		verify_claims(kernel, names, lower, error));
}

gboolean daxc_kernel_unclaim(DaxcKernel *kernel, const DaxcInstance *instance,
			     GError **error)
{
	return !instance->claimant ||
	       (kernel->ops->unclaim(kernel, instance->name, instance->claimant,
				     instance->claims, error) &&
		verify_claim(kernel, instance->name, NULL, error));
}

static gboolean check_claim(const DaxcInstance *instance, const char *claimant,
			    GError **error)
{
	if (!instance->claimant ||
	    (claimant && g_ascii_strcasecmp(instance->claimant, claimant) == 0))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "%s is claimed by %s, who has to give it back first; if there is "
		    "nobody of that UUID any more, run `daxcolor recover`",
		    instance->name, instance->claimant);
	return FALSE;
}

/* ---- single steps, each read back ---- */

static gboolean not_as_asked(GError **error, const DaxcInstance *instance,
			     const char *attribute, const char *asked)
{
	g_autofree char *has = extents_format(instance->extents);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel reported success, but the %s of %s is not what was asked "
		    "for (%s): it has %s, align %" G_GUINT64_FORMAT ", driver %s",
		    attribute, instance->name, asked, has, instance->align,
		    instance->driver ? instance->driver : "none");
	return FALSE;
}

/* What DaxcInstance.driver is of an instance that has memory and was not enabled. */
static const char *driver_before(const DaxcKernel *kernel)
{
	return kernel->ops->enable ? NULL : kernel->ops->driver;
}

/* Reads @name back: exactly these @extents, bound to @driver (NULL: to none). */
static gboolean verify(DaxcKernel *kernel, const char *name, const GArray *extents,
		       guint64 align, const char *driver, GError **error)
{
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, error);
	g_autofree char *asked = NULL;

	if (!instance)
		return FALSE;
	asked = extents_format(extents);
	if (!extents_equal(instance->extents, extents))
		return not_as_asked(error, instance, "mapping", asked);
	if (align && instance->align != align)
		return not_as_asked(error, instance, "align", asked);
	if (g_strcmp0(instance->driver, driver) != 0)
		return not_as_asked(error, instance, "driver", driver ? driver : "none");
	if (g_strcmp0(driver, kernel->ops->driver) == 0 && instance->major == 0)
		return not_as_asked(error, instance, "device number", asked);
	return TRUE;
}

static gboolean is_gone(DaxcKernel *kernel, const char *name, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, &failure);

	if (!instance && g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_NOT_FOUND))
		return TRUE;
	if (!instance)
		g_propagate_error(error, g_steal_pointer(&failure));
	else
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "the kernel reported success, but %s is still there", name);
	return FALSE;
}

/* @added: (nullable): how many the kernel took */
static gboolean add_extents(DaxcKernel *kernel, const char *name, const GArray *extents,
			    guint *added, GError **error)
{
	for (guint i = 0; i < extents->len; i++) {
		if (added)
			*added = i;
		if (!kernel->ops->add_extent(
			    kernel, name, &g_array_index(extents, DaxcExtent, i), error))
			return FALSE;
	}
	return TRUE;
}

static gboolean enable(DaxcKernel *kernel, const char *name, const GArray *extents,
		       guint64 align, GError **error)
{
	if (kernel->ops->enable && !kernel->ops->enable(kernel, name, error))
		return FALSE;
	return verify(kernel, name, extents, align, kernel->ops->driver, error);
}

static gboolean disable(DaxcKernel *kernel, const DaxcInstance *instance, GError **error)
{
	return !kernel->ops->disable ||
	       (kernel->ops->disable(kernel, instance->name, error) &&
		verify(kernel, instance->name, instance->extents, 0, NULL, error));
}

static gboolean clear(DaxcKernel *kernel, const char *name, GError **error)
{
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));

	return kernel->ops->clear(kernel, name, error) &&
	       verify(kernel, name, none, 0, NULL, error);
}

/* From whatever state @instance was read in to nothing (a seed: to empty). */
static gboolean take_apart(DaxcKernel *kernel, const DaxcInstance *instance,
			   GError **error)
{
	if (!daxc_kernel_unclaim(kernel, instance, error))
		return FALSE;
	if (instance->driver && !disable(kernel, instance, error))
		return FALSE;
	if (instance->size > 0 && !clear(kernel, instance->name, error))
		return FALSE;
	if (instance->seed)
		return TRUE;
	return kernel->ops->destroy(kernel, instance->name, error) &&
	       is_gone(kernel, instance->name, error);
}

static gboolean put_back_memory(DaxcKernel *kernel, const DaxcInstance *before,
				const DaxcInstance *now, GError **error)
{
	if (!extents_equal(now->extents, before->extents)) {
		if (now->size > 0 && !clear(kernel, before->name, error))
			return FALSE;
		if (!add_extents(kernel, before->name, before->extents, NULL, error) ||
		    !verify(kernel, before->name, before->extents, before->align,
			    driver_before(kernel), error))
			return FALSE;
	}
	if (!before->driver || now->driver)
		return TRUE;
	return enable(kernel, before->name, before->extents, before->align, error);
}

/* Makes an instance that still exists again what it was @before. */
static gboolean put_back(DaxcKernel *kernel, const DaxcInstance *before, GError **error)
{
	g_autoptr(DaxcInstance) now = daxc_kernel_instance(kernel, before->name, error);
	const char *const names[] = {before->name, NULL};

	if (!now || !put_back_memory(kernel, before, now, error))
		return FALSE;
	if (!before->claimant || now->claimant)
		return TRUE;
	return kernel->ops->claim(kernel, names, before->claimant, before->shared, error);
}

/* Sets @error to @failure, with what could not be undone after it. */
static void fail(GError **error, const GError *failure, const GError *undo,
		 const char *left)
{
	if (!undo)
		g_propagate_error(error, g_error_copy(failure));
	else
		g_set_error(error, failure->domain, failure->code,
			    "%s; undoing this failed too, %s is left: %s",
			    failure->message, left, undo->message);
}

/* ---- destroy ---- */

static gboolean check_unused(DaxcKernel *kernel, const char *name, GError **error)
{
	g_autoptr(GPtrArray) holders = kernel->ops->holders(kernel, name, error);
	g_autofree char *who = NULL;

	if (!holders) {
		g_prefix_error(error, "cannot tell whether %s is in use: ", name);
		return FALSE;
	}
	if (holders->len == 0)
		return TRUE;
	g_ptr_array_add(holders, NULL);
	who = g_strjoinv(", ", (char **)holders->pdata);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
		    "%s is in use: open or mapped by %s; end that first", name, who);
	return FALSE;
}

static gboolean check_ours_to_unbind(const DaxcKernel *kernel,
				     const DaxcInstance *instance, GError **error)
{
	if (!instance->driver || strcmp(instance->driver, kernel->ops->driver) == 0)
		return TRUE;
	if (daxc_kernel_is_lent(instance) &&
	    strcmp(kernel->ops->driver, DAXC_DRIVER_DAX_COLOR) == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			    "%s is lent to the host as RAM: `daxcolor reclaim` takes it "
			    "back; one that daxcolor did not lend, writing devdax to its "
			    "attribute mode",
			    instance->name);
		return FALSE;
	}
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "%s belongs to the driver %s%s; give it back first: `daxctl "
		    "reconfigure-device --mode=devdax %s`",
		    instance->name, instance->driver,
		    strcmp(instance->driver, DAXC_DRIVER_KMEM) == 0
			    ? " (it is the host's RAM)"
			    : "",
		    instance->name);
	return FALSE;
}

gboolean daxc_kernel_destroy(DaxcKernel *kernel, const char *name, const char *claimant,
			     GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(GError) undo = NULL;
	g_autoptr(DaxcInstance) before = daxc_kernel_instance(kernel, name, &failure);

	if (g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_NOT_FOUND))
		return TRUE;
	if (!before) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	if (!check_ours_to_unbind(kernel, before, error) ||
	    !check_claim(before, claimant, error))
		return FALSE;
	/* One that is open but unbound may still have pages pinned. */
	if ((before->driver || before->size > 0) && !check_unused(kernel, name, error))
		return FALSE;
	if (take_apart(kernel, before, &failure) || is_gone(kernel, name, NULL))
		return TRUE;
	put_back(kernel, before, &undo);
	fail(error, failure, undo, name);
	return FALSE;
}

/* ---- carve ---- */

/**
 * Carve: what one call works on.
 * @asked: what the caller wants
 * @before: every instance, as it was at the start
 * @seed: (nullable): the seed as it was, when it has to be emptied
 * @name: (nullable): the new instance
 */
typedef struct {
	DaxcKernel *kernel;
	const DaxcKernelCarving *asked;
	const DaxcRegion *region;
	GPtrArray *before;
	const DaxcInstance *seed;
	char *name;
} Carve;

static gboolean invalid(GError **error, const DaxcExtent *extent, const char *why)
{
	g_autofree char *range = extent_format(extent);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "%s cannot be carved: %s",
		    range, why);
	return FALSE;
}

static gboolean check_extent(const Carve *carve, guint index, GError **error)
{
	const DaxcExtent *extent =
		&g_array_index(carve->asked->extents, DaxcExtent, index);
	g_autofree char *range = NULL;
	g_autofree char *align = NULL;
	g_autofree char *why = NULL;

	if (!daxc_range_within(extent->start, extent->size, carve->region->start,
			       carve->region->size)) {
		range = daxc_range_format(carve->region->start, carve->region->size);
		why = g_strdup_printf("it is not in region %u, %s", carve->region->id,
				      range);
		/* Its end may not be printable. */
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "0x%" G_GINT64_MODIFIER "x with %" G_GUINT64_FORMAT
			    " bytes cannot be carved: %s",
			    extent->start, extent->size, why);
		return FALSE;
	}
	if (extent->start % carve->asked->align || extent->size % carve->asked->align) {
		align = daxc_size_format(carve->asked->align);
		why = g_strdup_printf("its start and size must be multiples of %s",
				      align);
		return invalid(error, extent, why);
	}
	for (guint i = 0; i < index; i++) {
		const DaxcExtent *other =
			&g_array_index(carve->asked->extents, DaxcExtent, i);

		if (!ranges_overlap(extent, other))
			continue;
		range = extent_format(other);
		why = g_strdup_printf("it overlaps %s of the same instance", range);
		return invalid(error, extent, why);
	}
	return TRUE;
}

static gboolean check_request(const Carve *carve, GError **error)
{
	if (carve->asked->align != DAXC_ALIGN_2M &&
	    carve->asked->align != DAXC_ALIGN_1G) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "an align of %" G_GUINT64_FORMAT
			    " bytes is neither 2 MiB nor 1 GiB",
			    carve->asked->align);
		return FALSE;
	}
	if (carve->asked->extents->len == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "an instance of region %u without memory was asked for",
			    carve->region->id);
		return FALSE;
	}
	for (guint i = 0; i < carve->asked->extents->len; i++)
		if (!check_extent(carve, i, error))
			return FALSE;
	return TRUE;
}

static gboolean seed_is_whole_and_unbound(const Carve *carve, const DaxcInstance *seed)
{
	const DaxcExtent *extent;

	if (!seed->seed || seed->driver || seed->extents->len != 1)
		return FALSE;
	extent = &g_array_index(seed->extents, DaxcExtent, 0);
	return extent->start == carve->region->start &&
	       extent->size == carve->region->size;
}

/* A start that is not aligned makes the kernel map what lies below it. */
static DaxcExtent touched(const DaxcInstance *instance, const DaxcExtent *extent)
{
	guint64 below = extent->start % instance->align;

	return (DaxcExtent){extent->start - below, extent->size + below};
}

static gboolean taken(const Carve *carve, const DaxcExtent *extent,
		      const DaxcInstance *other, const DaxcExtent *theirs, GError **error)
{
	g_autofree char *range = extent_format(extent);
	g_autofree char *has = extent_format(theirs);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "%s cannot be carved: it overlaps %s of %s", range, has, other->name);
	if (!other->seed || !other->driver)
		return FALSE;
	if (strcmp(other->driver, DAXC_DRIVER_KMEM) == 0)
		g_prefix_error(error,
			       "region %u has become the host's RAM when the host "
			       "started (%s is bound to kmem); " REMEDY ": ",
			       carve->region->id, other->name);
	else
		g_prefix_error(error,
			       "region %u was bound to %s when the host started; " REMEDY
			       ", or, if nothing uses %s, run `daxctl disable-device %s`"
			       ": ",
			       carve->region->id, other->driver, other->name,
			       other->name);
	return FALSE;
}

static gboolean check_free_of(const Carve *carve, const DaxcInstance *other,
			      GError **error)
{
	for (guint i = 0; i < other->extents->len; i++) {
		const DaxcExtent *theirs = &g_array_index(other->extents, DaxcExtent, i);
		DaxcExtent all = touched(other, theirs);

		for (guint k = 0; k < carve->asked->extents->len; k++) {
			const DaxcExtent *extent =
				&g_array_index(carve->asked->extents, DaxcExtent, k);

			if (ranges_overlap(extent, &all))
				return taken(carve, extent, other, theirs, error);
		}
	}
	return TRUE;
}

/* Also finds out whether the seed is in the way and may be emptied. */
static gboolean check_free(Carve *carve, GError **error)
{
	for (guint i = 0; i < carve->before->len; i++) {
		const DaxcInstance *other = carve->before->pdata[i];

		if (other->region != carve->region->id)
			continue;
		if (seed_is_whole_and_unbound(carve, other))
			carve->seed = other;
		else if (!check_free_of(carve, other, error))
			return FALSE;
	}
	return !carve->seed || check_unused(carve->kernel, carve->seed->name, error);
}

static gboolean was_there(const Carve *carve, const char *name)
{
	for (guint i = 0; i < carve->before->len; i++) {
		const DaxcInstance *other = carve->before->pdata[i];

		if (strcmp(other->name, name) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Makes an empty instance, and makes sure that it is new: another's must not be
 * filled, nor taken apart when something fails. */
static gboolean create(Carve *carve, GError **error)
{
	g_autofree char *name = NULL;
	guint region, number;

	if (!carve->kernel->ops->create(carve->kernel, carve->region->id, &name, error))
		return FALSE;
	if (!name || !daxc_instance_name_parse(name, &region, &number) ||
	    region != carve->region->id || was_there(carve, name)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "the kernel was asked for a new instance in region %u and "
			    "names \"%s\", which is none; if somebody was just creating "
			    "or deleting instances, try again",
			    carve->region->id, name ? name : "");
		return FALSE;
	}
	carve->name = g_steal_pointer(&name);
	return TRUE;
}

static gboolean set_owner(const Carve *carve, GError **error)
{
	DaxcKernel *kernel = carve->kernel;
	g_autofree char *owner = NULL;

	if (!kernel->ops->set_owner || !carve->asked->tenant)
		return TRUE;
	owner = daxc_owner_uuid(carve->asked->tenant);
	return kernel->ops->set_owner(kernel, carve->name, owner, error);
}

/* No extent goes to a bound instance: add_extent looks, and a new one has none. */
static gboolean fill(DaxcKernel *kernel, const DaxcKernelCarving *asked, const char *name,
		     guint *added, GError **error)
{
	return add_extents(kernel, name, asked->extents, added, error) &&
	       verify(kernel, name, asked->extents, asked->align, driver_before(kernel),
		      error) &&
	       enable(kernel, name, asked->extents, asked->align, error);
}

static gboolean make(Carve *carve, GError **error)
{
	DaxcKernel *kernel = carve->kernel;

	return (!carve->seed || clear(kernel, carve->seed->name, error)) &&
	       create(carve, error) &&
	       kernel->ops->set_align(kernel, carve->name, carve->asked->align, error) &&
	       set_owner(carve, error) &&
	       (daxc_kernel_zeroes(kernel) ||
		fill(kernel, carve->asked, carve->name, NULL, error));
}

static gboolean undo_instance(Carve *carve, GError **error)
{
	g_autoptr(DaxcInstance) now = NULL;

	if (!carve->name)
		return TRUE;
	if (is_gone(carve->kernel, carve->name, NULL))
		return TRUE;
	now = daxc_kernel_instance(carve->kernel, carve->name, error);
	if (!now || !check_ours_to_unbind(carve->kernel, now, error) ||
	    !check_claim(now, NULL, error))
		return FALSE;
	if (now->driver && !check_unused(carve->kernel, carve->name, error))
		return FALSE;
	return take_apart(carve->kernel, now, error);
}

/* Last made, first taken back. */
static void undo_carve(Carve *carve, const GError *failure, GError **error)
{
	g_autoptr(GError) undo = NULL;

	if (!undo_instance(carve, &undo)) {
		fail(error, failure, undo, carve->name);
		return;
	}
	g_clear_pointer(&carve->name, g_free);
	if (carve->seed)
		put_back(carve->kernel, carve->seed, &undo);
	fail(error, failure, undo,
	     carve->seed ? "the seed without its memory" : "nothing");
}

static gboolean carve_in(Carve *carve, GError **error)
{
	g_autoptr(GError) failure = NULL;

	if (!check_request(carve, error) || !check_free(carve, error))
		return FALSE;
	if (make(carve, &failure))
		return TRUE;
	undo_carve(carve, failure, error);
	return FALSE;
}

gboolean daxc_kernel_carve(DaxcKernel *kernel, const DaxcKernelCarving *carving,
			   char **name, GError **error)
{
	g_autoptr(GPtrArray) regions = NULL;
	g_autoptr(GPtrArray) instances = NULL;
	Carve carve = {.kernel = kernel, .asked = carving};
	gboolean ok;

	*name = NULL;
	/* Who calls keeps ours from changing anything meanwhile; this kernel does so
	 * itself. */
	if (daxc_kernel_zeroes(kernel)
		    ? !daxc_kernel_look(kernel, &regions, &instances, error)
		    : !try_look(kernel, &regions, &instances, error))
		return FALSE;
	carve.region = find_region(regions, carving->region);
	if (!carve.region) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "this host has no region %u", carving->region);
		return FALSE;
	}
	carve.before = instances;
	ok = carve_in(&carve, error);
	*name = carve.name;
	return ok;
}

/* ---- fill ---- */

/* What is wrong with a range that concerns some of its granules only. */
static gboolean is_of_granules(const GError *error)
{
	return g_error_matches(error, DAXC_ERROR, DAXC_ERROR_BUSY) ||
	       g_error_matches(error, DAXC_ERROR, DAXC_ERROR_MEMORY);
}

/* Asks for the granules of a range that was not given, one by one. */
static void find_denied(DaxcKernel *kernel, const char *name, const DaxcExtent *range,
			guint64 granule, GArray *denied)
{
	guint64 end = range->start + range->size;

	for (guint64 at = range->start; at < end; at += granule) {
		const DaxcExtent one = {at, MIN(granule, end - at)};
		g_autoptr(GError) local = NULL;

		if (kernel->ops->add_extent(kernel, name, &one, &local))
			continue;
		if (is_of_granules(local)) {
			DaxcDenied found = {at, granule, FALSE};

			found.failed =
				g_error_matches(local, DAXC_ERROR, DAXC_ERROR_MEMORY);
			g_array_append_val(denied, found);
		}
	}
}

gboolean daxc_kernel_fill(DaxcKernel *kernel, const DaxcKernelCarving *carving,
			  const char *name, GArray *denied, GError **error)
{
	const GArray *extents = carving->extents;
	g_autoptr(GError) failure = NULL;
	g_autoptr(GError) undo = NULL;
	guint added;

	if (!daxc_kernel_zeroes(kernel) || fill(kernel, carving, name, &added, &failure))
		return TRUE;
	for (guint i = added; is_of_granules(failure) && i < extents->len; i++)
		find_denied(kernel, name, &g_array_index(extents, DaxcExtent, i),
			    carving->granule, denied);
	daxc_kernel_destroy(kernel, name, NULL, &undo);
	fail(error, failure, undo, name);
	return FALSE;
}

/* ---- colors and zeros that are the kernel's business ---- */

static gboolean knows_colors(const DaxcKernel *kernel)
{
	return (kernel->ops->guarantees & DAXC_GUARANTEE_COLORS) != 0;
}

/* What of a geometry can be told to a kernel: none, or a function. */
static const DaxcCacheDomain *tellable(const DaxcCacheDomain *domain)
{
	return domain && domain->kind != DAXC_GEOMETRY_RANGES ? domain : NULL;
}

static gboolean same_geometry(const DaxcCacheDomain *has, const DaxcCacheDomain *wanted)
{
	if (!wanted || has->colors == 0)
		return !wanted && has->colors == 0;
	return has->kind == wanted->kind && has->granule == wanted->granule &&
	       has->base == wanted->base && has->colors == wanted->colors;
}

gboolean daxc_kernel_enforces(DaxcKernel *kernel, guint region,
			      const DaxcCacheDomain *domain)
{
	DaxcCacheDomain has;

	return knows_colors(kernel) && tellable(domain) &&
	       kernel->ops->geometry(kernel, region, &has, NULL) &&
	       same_geometry(&has, domain);
}

GArray *daxc_kernel_color_owners(DaxcKernel *kernel, guint region,
				 const DaxcCacheDomain *domain, GError **error)
{
	g_autoptr(GArray) owners = NULL;

	if (!daxc_kernel_enforces(kernel, region, domain))
		return g_array_new(FALSE, FALSE, sizeof(DaxcColorOwner));
	owners = kernel->ops->color_owners(kernel, region, error);
	if (!owners || owners->len == domain->colors)
		return g_steal_pointer(&owners);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel says of region %u what cannot be: it has %u colors, and "
		    "its free_granules has %u",
		    region, domain->colors, owners->len);
	return NULL;
}

gboolean daxc_kernel_tell_geometry(DaxcKernel *kernel, guint region,
				   const DaxcCacheDomain *domain, GError **error)
{
	const DaxcCacheDomain *wanted = tellable(domain);
	DaxcCacheDomain has;

	if (!knows_colors(kernel))
		return TRUE;
	if (!kernel->ops->geometry(kernel, region, &has, error))
		return FALSE;
	if (same_geometry(&has, wanted))
		return TRUE;
	if (!kernel->ops->set_geometry(kernel, region, wanted, error) ||
	    !kernel->ops->geometry(kernel, region, &has, error))
		return FALSE;
	if (same_geometry(&has, wanted))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the kernel was told the geometry of region %u and has another one",
		    region);
	return FALSE;
}

gboolean daxc_kernel_scrub(DaxcKernel *kernel, guint region, GError **error)
{
	return !kernel->ops->scrub || kernel->ops->scrub(kernel, region, error);
}

/* ---- zero ---- */

static gboolean check_part(const DaxcInstance *instance, guint64 offset, guint64 size,
			   GError **error)
{
	if (daxc_range_within(offset, size, 0, instance->size) &&
	    offset % instance->align == 0 && size % instance->align == 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "cannot zero %" G_GUINT64_FORMAT
		    " bytes at offset 0x%" G_GINT64_MODIFIER
		    "x of %s: they must be multiples of its align, %" G_GUINT64_FORMAT
		    ", and within its %" G_GUINT64_FORMAT " bytes",
		    size, offset, instance->name, instance->align, instance->size);
	return FALSE;
}

/* Mainline maps whole pages of that size, and so what is beside misaligned ranges. */
static gboolean check_aligned(const DaxcInstance *instance, GError **error)
{
	for (guint i = 0; i < instance->extents->len; i++) {
		const DaxcExtent *extent =
			&g_array_index(instance->extents, DaxcExtent, i);
		g_autofree char *range = extent_format(extent);

		if ((extent->start | extent->size) % instance->align == 0)
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cannot zero %s: its range %s is no multiple of its align, "
			    "%" G_GUINT64_FORMAT ", so that memory of others could be "
			    "zeroed; destroy it (`daxctl destroy-device %s`)",
			    instance->name, range, instance->align, instance->name);
		return FALSE;
	}
	return TRUE;
}

/* What failed is in the machine at its physical address. */
static void say_address(const DaxcInstance *instance, guint64 bad, GError **error)
{
	if (bad < instance->size)
		g_prefix_error(
			error, "physical address 0x%" G_GINT64_MODIFIER "x (in %s): ",
			daxc_extents_address(instance->extents, bad), instance->name);
}

gboolean daxc_kernel_zero(DaxcKernel *kernel, const char *name, guint64 offset,
			  guint64 size, const DaxcScrubOptions *options, guint64 *bad,
			  GError **error)
{
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, error);
	guint64 at = G_MAXUINT64;

	if (!instance)
		return FALSE;
	if (g_strcmp0(instance->driver, kernel->ops->driver) != 0 || !kernel->ops->zero)
		return daxc_kernel_refused(error, DAXC_STEP_ZERO, name, ENXIO);
	if (!check_part(instance, offset, size, error) || !check_aligned(instance, error))
		return FALSE;
	if (kernel->ops->zero(kernel, name, offset, size, options, &at, error))
		return TRUE;
	/* Set with DAXC_ERROR_MEMORY only. */
	say_address(instance, at, error);
	if (bad && at != G_MAXUINT64)
		*bad = at;
	return FALSE;
}
