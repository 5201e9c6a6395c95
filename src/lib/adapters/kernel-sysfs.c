// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads device-dax from sysfs. libdaxctl reads it too, but takes what is no number
 * for 0, keeps sizes from its first look, ends a device's mappings at the first
 * missing number, and has no devices whose node is not in /dev: memory in use would
 * look free.
 */
#include "adapters/kernel-priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#define DEVICES "/sys/bus/dax/devices"

typedef struct {
	guint region;
	guint number;
} Name;

/* ---- attributes ---- */

static gboolean bad_attribute(GError **error, const char *path, const char *text,
			      const char *why)
{
	g_autofree char *shown = g_strescape(text, NULL);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL, "%s is \"%.64s\", which is %s",
		    path, shown, why);
	return FALSE;
}

/**
 * read_attribute:
 * @dir: of the instance
 * @attribute: path below @dir
 *
 * Returns: (transfer full): its text without the newline at the end.
 */
static char *read_attribute(const char *dir, const char *attribute, GError **error)
{
	g_autofree char *path = g_build_filename(dir, attribute, NULL);
	g_autoptr(GError) failure = NULL;
	char *text;
	gsize length;

	if (!g_file_get_contents(path, &text, &length, &failure)) {
		gboolean denied =
			g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_ACCES);

		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "cannot read device-dax: %s%s", failure->message,
			    denied ? "; run as root" : "");
		return NULL;
	}
	if (strlen(text) != length) {
		g_free(text);
		bad_attribute(error, path, "", "cut short by a zero byte");
		return NULL;
	}
	if (g_str_has_suffix(text, "\n"))
		text[length - 1] = '\0';
	return text;
}

/* A decimal number, or a hexadecimal one with 0x. */
static gboolean read_number(const char *dir, const char *attribute, guint64 max,
			    guint64 *value, GError **error)
{
	g_autofree char *text = read_attribute(dir, attribute, error);
	g_autofree char *path = NULL;
	gboolean hex;

	if (!text)
		return FALSE;
	hex = g_str_has_prefix(text, "0x");
	if (g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, max,
				       value, NULL))
		return TRUE;
	path = g_build_filename(dir, attribute, NULL);
	return bad_attribute(error, path, text, "no number that it can have");
}

static char *device_dir(const char *root, const char *name)
{
	return g_build_filename(root, DEVICES, name, NULL);
}

/* Only a dynamic region has it. The kernel resolves the link before "..". */
static gboolean is_dynamic(const char *dir)
{
	g_autofree char *create = g_build_filename(dir, "../dax_region/create", NULL);

	return g_file_test(create, G_FILE_TEST_EXISTS);
}

/* ---- instances ---- */

/**
 * Mapping:
 * @number: N of mappingN, which says nothing of the order
 * @offset: in the instance, bytes
 */
typedef struct {
	guint64 number;
	guint64 offset;
	DaxcExtent extent;
} Mapping;

static gint compare_mappings(gconstpointer a, gconstpointer b)
{
	const Mapping *one = a, *two = b;

	return (one->offset > two->offset) - (one->offset < two->offset);
}

static gboolean read_mapping(const char *dir, const char *name, Mapping *mapping,
			     GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	guint64 page = (guint64)sysconf(_SC_PAGESIZE);
	g_autofree char *end_path = NULL;
	g_autofree char *end_text = NULL;
	guint64 end, pages;

	mapping->number = g_ascii_strtoull(name + strlen("mapping"), NULL, 10);
	if (!read_number(path, "start", G_MAXUINT64, &mapping->extent.start, error) ||
	    !read_number(path, "end", G_MAXUINT64 - 1, &end, error) ||
	    !read_number(path, "page_offset", G_MAXUINT64 / page, &pages, error))
		return FALSE;
	if (end < mapping->extent.start) {
		end_path = g_build_filename(path, "end", NULL);
		end_text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", end);
		return bad_attribute(error, end_path, end_text, "below its start");
	}
	mapping->extent.size = end - mapping->extent.start + 1;
	mapping->offset = pages * page;
	return TRUE;
}

/* "mapping0", not the attribute "mapping". */
static gboolean is_mapping(const char *name)
{
	return g_str_has_prefix(name, "mapping") && g_ascii_isdigit(name[7]);
}

static GArray *read_mappings(const char *path, GError **error)
{
	g_autoptr(GArray) mappings = g_array_new(FALSE, FALSE, sizeof(Mapping));
	g_autoptr(GError) failure = NULL;
	g_autoptr(GDir) dir = g_dir_open(path, 0, &failure);
	const char *name;

	if (!dir) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "cannot read device-dax: %s", failure->message);
		return NULL;
	}
	while ((name = g_dir_read_name(dir))) {
		Mapping mapping;

		if (!is_mapping(name))
			continue;
		if (!read_mapping(path, name, &mapping, error))
			return NULL;
		g_array_append_val(mappings, mapping);
	}
	g_array_sort(mappings, compare_mappings);
	return g_steal_pointer(&mappings);
}

static gboolean read_extents(const char *dir, DaxcInstance *instance, GError **error)
{
	g_autoptr(GArray) mappings = read_mappings(dir, error);
	guint64 offset = 0;

	if (!mappings)
		return FALSE;
	for (guint i = 0; i < mappings->len; i++) {
		const Mapping *mapping = &g_array_index(mappings, Mapping, i);

		if (mapping->offset != offset ||
		    mapping->extent.size > G_MAXUINT64 - offset) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
				    "%s/mapping%" G_GUINT64_FORMAT "/page_offset is not "
				    "where the mapping before it ends",
				    dir, mapping->number);
			return FALSE;
		}
		offset += mapping->extent.size;
		g_array_append_val(instance->extents, mapping->extent);
	}
	return TRUE;
}

static gboolean read_driver(const char *dir, char **driver, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "driver", NULL);
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	*driver = NULL;
	if (length < 0 && errno == ENOENT)
		return TRUE;
	if (length < 0) {
		int code = errno;

		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "cannot read device-dax: %s: %s", path, g_strerror(code));
		return FALSE;
	}
	target[length] = '\0';
	*driver = g_path_get_basename(target);
	return TRUE;
}

static gboolean read_devno(const char *dir, guint *major, guint *minor, GError **error)
{
	g_autofree char *text = read_attribute(dir, "dev", error);
	g_auto(GStrv) parts = NULL;
	g_autofree char *path = NULL;
	guint64 first, second;

	if (!text)
		return FALSE;
	parts = g_strsplit(text, ":", 2);
	if (g_strv_length(parts) == 2 &&
	    g_ascii_string_to_unsigned(parts[0], 10, 1, G_MAXUINT32, &first, NULL) &&
	    g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXUINT32, &second, NULL)) {
		*major = (guint)first;
		*minor = (guint)second;
		return TRUE;
	}
	path = g_build_filename(dir, "dev", NULL);
	return bad_attribute(error, path, text, "no device number");
}

static gboolean read_instance(const char *dir, DaxcInstance *instance, GError **error)
{
	if (!read_number(dir, "size", G_MAXUINT64, &instance->size, error) ||
	    !read_number(dir, "align", G_MAXUINT64, &instance->align, error) ||
	    !read_driver(dir, &instance->driver, error) ||
	    !read_extents(dir, instance, error))
		return FALSE;
	if (daxc_extents_size(instance->extents) != instance->size) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "%s/size is %" G_GUINT64_FORMAT
			    ", but the mappings have %" G_GUINT64_FORMAT " bytes",
			    dir, instance->size, daxc_extents_size(instance->extents));
		return FALSE;
	}
	if (g_strcmp0(instance->driver, DAXC_DRIVER_DEVDAX) != 0)
		return TRUE;
	return read_devno(dir, &instance->major, &instance->minor, error);
}

static gboolean no_instance(GError **error, const char *name)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
		    "this host has no instance %s in a region that can be carved", name);
	return FALSE;
}

DaxcInstance *daxc_sysfs_instance(const char *root, const char *name, GError **error)
{
	g_autofree char *dir = device_dir(root, name);
	g_autoptr(GError) failure = NULL;
	g_autoptr(DaxcInstance) instance = NULL;
	guint region, number;

	if (!daxc_instance_name_parse(name, &region, &number) || !is_dynamic(dir)) {
		no_instance(error, name);
		return NULL;
	}
	instance = daxc_instance_new(region, number);
	if (read_instance(dir, instance, &failure))
		return g_steal_pointer(&instance);
	/* It may have gone while we were reading; what it lacks is then no fault. */
	if (!g_file_test(dir, G_FILE_TEST_EXISTS)) {
		no_instance(error, name);
		return NULL;
	}
	g_propagate_error(error, g_steal_pointer(&failure));
	return NULL;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	const Name *one = a, *two = b;

	if (one->region != two->region)
		return one->region > two->region ? 1 : -1;
	return (one->number > two->number) - (one->number < two->number);
}

/* Every instance of a dynamic region; none when the bus is not there. */
static GArray *list_names(const char *root, GError **error)
{
	g_autofree char *path = g_build_filename(root, DEVICES, NULL);
	g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(Name));
	g_autoptr(GError) failure = NULL;
	g_autoptr(GDir) dir = g_dir_open(path, 0, &failure);
	const char *name;

	if (!dir && !g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "cannot read device-dax: %s", failure->message);
		return NULL;
	}
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *device = device_dir(root, name);
		Name parsed;

		if (daxc_instance_name_parse(name, &parsed.region, &parsed.number) &&
		    is_dynamic(device))
			g_array_append_val(names, parsed);
	}
	g_array_sort(names, compare_names);
	return g_steal_pointer(&names);
}

static char *name_format(const Name *name)
{
	return g_strdup_printf("dax%u.%u", name->region, name->number);
}

static GPtrArray *read_all(const char *root, const GArray *names, GError **error)
{
	g_autoptr(GPtrArray) instances =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_instance_free);

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *name = name_format(&g_array_index(names, Name, i));
		g_autoptr(GError) failure = NULL;
		DaxcInstance *instance = daxc_sysfs_instance(root, name, &failure);

		if (instance) {
			g_ptr_array_add(instances, instance);
		} else if (!g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return NULL;
		}
	}
	return g_steal_pointer(&instances);
}

GPtrArray *daxc_sysfs_instances(const char *root, GError **error)
{
	g_autoptr(GArray) names = list_names(root, error);

	return names ? read_all(root, names, error) : NULL;
}

gboolean daxc_sysfs_devno(const char *root, const char *name, guint *major, guint *minor,
			  GError **error)
{
	g_autofree char *dir = device_dir(root, name);

	return read_devno(dir, major, minor, error);
}

/* ---- regions ---- */

/* An empty instance shows where its region begins. */
static gboolean start_from_empty(const char *root, const GPtrArray *instances,
				 guint64 *start, gboolean *found, GError **error)
{
	*found = FALSE;
	for (guint i = 0; i < instances->len && !*found; i++) {
		const DaxcInstance *instance = instances->pdata[i];
		g_autofree char *dir = device_dir(root, instance->name);

		if (instance->size > 0)
			continue;
		if (!read_number(dir, "resource", G_MAXUINT64, start, error))
			return FALSE;
		*found = TRUE;
	}
	return TRUE;
}

/* The lowest and the last byte that instances have. */
static void span(const GPtrArray *instances, guint64 *first, guint64 *last)
{
	*first = G_MAXUINT64;
	*last = 0;
	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = instances->pdata[i];

		for (guint k = 0; k < instance->extents->len; k++) {
			const DaxcExtent *extent =
				&g_array_index(instance->extents, DaxcExtent, k);

			*first = MIN(*first, extent->start);
			*last = MAX(*last, extent->start + (extent->size - 1));
		}
	}
}

/* "  100000000-2ffffffff : Soft Reserved" */
static gboolean parse_iomem(const char *line, guint64 *start, guint64 *end)
{
	char *rest;

	*start = g_ascii_strtoull(line, &rest, 16);
	if (rest == line || *rest != '-')
		return FALSE;
	line = rest + 1;
	*end = g_ascii_strtoull(line, &rest, 16);
	return rest != line && g_str_has_prefix(rest, " : ");
}

/* The one resource that has the region's size and all that its instances have. */
static gboolean start_from_iomem(const char *root, const DaxcRegion *region,
				 guint64 first, guint64 last, guint64 *start)
{
	g_autofree char *path = g_build_filename(root, "/proc/iomem", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	gboolean found = FALSE;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return FALSE;
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		guint64 from, to;

		if (!parse_iomem(g_strchug(lines[i]), &from, &to) || from > first ||
		    to < last || to - from != region->size - 1)
			continue;
		/* The same range may be there twice, one inside the other. */
		if (found && from != *start)
			return FALSE;
		*start = from;
		found = TRUE;
	}
	return found;
}

static gboolean read_start(const char *root, const GPtrArray *instances,
			   DaxcRegion *region, GError **error)
{
	guint64 first, last;
	gboolean found;

	if (!start_from_empty(root, instances, &region->start, &found, error))
		return FALSE;
	if (found)
		return TRUE;
	span(instances, &first, &last);
	if (region->available == 0) {
		region->start = first;
		return TRUE;
	}
	if (start_from_iomem(root, region, first, last, &region->start))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "cannot tell where region %u begins, for none of its instances is "
		    "empty; make an empty one: echo 1 > "
		    "/sys/bus/dax/devices/dax%u.0/../dax_region/create",
		    region->id, region->id);
	return FALSE;
}

/* One node for all of a region; the attribute is missing where there is none. */
static gboolean read_node(const char *dir, gint *node, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "target_node", NULL);
	guint64 value;

	*node = -1;
	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return TRUE;
	if (!read_number(dir, "target_node", G_MAXINT32, &value, error))
		return FALSE;
	*node = (gint)value;
	return TRUE;
}

/* @names: of one region's instances, at least one */
static DaxcRegion *read_region(const char *root, const GArray *names, GError **error)
{
	g_autoptr(DaxcRegion) region = g_new0(DaxcRegion, 1);
	g_autoptr(GPtrArray) instances = read_all(root, names, error);
	g_autofree char *name = name_format(&g_array_index(names, Name, 0));
	g_autofree char *dir = device_dir(root, name);
	guint64 id;

	if (!instances ||
	    !read_number(dir, "../dax_region/id", G_MAXUINT32, &id, error) ||
	    !read_number(dir, "../dax_region/size", G_MAXUINT64, &region->size, error) ||
	    !read_number(dir, "../dax_region/align", G_MAXUINT64, &region->align,
			 error) ||
	    !read_number(dir, "../dax_region/available_size", G_MAXUINT64,
			 &region->available, error) ||
	    !read_node(dir, &region->node, error))
		return NULL;
	region->id = (guint)id;
	if (id != g_array_index(names, Name, 0).region) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "%s/../dax_region/id is %u, but its instance is named %s",
			    dir, region->id, name);
		return NULL;
	}
	if (!read_start(root, instances, region, error))
		return NULL;
	return g_steal_pointer(&region);
}

/* Takes the names of the first region off @names. */
static GArray *take_region(GArray *names)
{
	GArray *taken = g_array_new(FALSE, FALSE, sizeof(Name));
	guint region = g_array_index(names, Name, 0).region;
	guint n = 0;

	while (n < names->len && g_array_index(names, Name, n).region == region)
		n++;
	g_array_append_vals(taken, names->data, n);
	g_array_remove_range(names, 0, n);
	return taken;
}

GPtrArray *daxc_sysfs_regions(const char *root, GError **error)
{
	g_autoptr(GArray) names = list_names(root, error);
	g_autoptr(GPtrArray) regions =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_region_free);

	if (!names)
		return NULL;
	while (names->len > 0) {
		g_autoptr(GArray) of_one = take_region(names);
		DaxcRegion *region = read_region(root, of_one, error);

		if (!region)
			return NULL;
		g_ptr_array_add(regions, region);
	}
	return g_steal_pointer(&regions);
}

char *daxc_sysfs_youngest(const char *root, guint region, GError **error)
{
	g_autofree char *name = g_strdup_printf("dax%u.0", region);
	g_autofree char *dir = device_dir(root, name);

	return read_attribute(dir, "../dax_region/create", error);
}
