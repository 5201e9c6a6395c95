// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads device-dax from sysfs, mainline's and dax_color's. libdaxctl reads it too,
 * but takes what is no number for 0, keeps sizes from its first look, ends a device's
 * mappings at the first missing number, and has no devices whose node is not in /dev:
 * memory in use would look free.
 */
#include "adapters/kernel-priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/holders.h"

/**
 * Place: where instances and regions of one kind are.
 * @devices: directory of all instances
 * @region: the directory of an instance's region, from the instance
 * @mark: what only regions of this kind have that can be carved
 */
static const struct {
	const char *devices;
	const char *region;
	const char *mark;
} places[] = {
	[DAXC_SYSFS_MAINLINE] = {DAXC_BUS_DEVICES, "../dax_region", "create"},
	[DAXC_SYSFS_DAX_COLOR] = {DAXC_CLASS_DEVICES, "device/dax_region", "geometry"},
};

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

gboolean daxc_sysfs_number(const char *text, guint64 max, guint64 *value)
{
	gboolean hex = g_str_has_prefix(text, "0x");

	return g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, max,
					  value, NULL);
}

static gboolean read_number(const char *dir, const char *attribute, guint64 max,
			    guint64 *value, GError **error)
{
	g_autofree char *text = read_attribute(dir, attribute, error);
	g_autofree char *path = NULL;

	if (!text)
		return FALSE;
	if (daxc_sysfs_number(text, max, value))
		return TRUE;
	path = g_build_filename(dir, attribute, NULL);
	return bad_attribute(error, path, text, "no number that it can have");
}

static char *device_dir(const DaxcSysfs *sysfs, const char *name)
{
	return g_build_filename(sysfs->root, places[sysfs->kind].devices, name, NULL);
}

/* The kernel resolves the instance's link before "..". */
static char *region_dir(const DaxcSysfs *sysfs, const char *name)
{
	return g_build_filename(sysfs->root, places[sysfs->kind].devices, name,
				places[sysfs->kind].region, NULL);
}

static gboolean can_be_carved(const DaxcSysfs *sysfs, const char *name)
{
	g_autofree char *dir = region_dir(sysfs, name);
	g_autofree char *mark = g_build_filename(dir, places[sysfs->kind].mark, NULL);

	return g_file_test(mark, G_FILE_TEST_EXISTS);
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

/* Mainline's is bound to a driver; dax_color's is usable as soon as it has memory. */
static gboolean read_use(const DaxcSysfs *sysfs, const char *dir, DaxcInstance *instance,
			 GError **error)
{
	if (sysfs->kind == DAXC_SYSFS_MAINLINE)
		return read_driver(dir, &instance->driver, error);
	instance->driver = instance->size > 0 ? g_strdup(DAXC_DRIVER_DAX_COLOR) : NULL;
	return TRUE;
}

/* Mainline's is the first one for good; dax_color's is another when it has got memory. */
static gboolean read_seed(const DaxcSysfs *sysfs, DaxcInstance *instance, GError **error)
{
	g_autofree char *dir = NULL;
	g_autofree char *seed = NULL;

	if (sysfs->kind == DAXC_SYSFS_MAINLINE)
		return TRUE;
	dir = region_dir(sysfs, instance->name);
	seed = read_attribute(dir, "seed", error);
	instance->seed = g_strcmp0(seed, instance->name) == 0;
	return seed != NULL;
}

#define NOBODY "00000000-0000-0000-0000-000000000000"

static gboolean read_owner(const DaxcSysfs *sysfs, const char *dir,
			   DaxcInstance *instance, GError **error)
{
	g_autofree char *text = NULL;
	g_autofree char *path = NULL;

	if (sysfs->kind == DAXC_SYSFS_MAINLINE)
		return TRUE;
	text = read_attribute(dir, "owner", error);
	if (!text)
		return FALSE;
	if (g_uuid_string_is_valid(text)) {
		instance->owner = strcmp(text, NOBODY) == 0 ? NULL
							    : g_ascii_strdown(text, -1);
		return TRUE;
	}
	path = g_build_filename(dir, "owner", NULL);
	return bad_attribute(error, path, text, "no UUID");
}

/* "UUID COUNT[ shared]", or "-". */
static gboolean parse_claim(const char *text, DaxcInstance *instance)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	guint64 claims;
	guint n = g_strv_length(words);

	instance->shared = n == 3 && strcmp(words[2], "shared") == 0;
	if ((n != 2 && !instance->shared) || !g_uuid_string_is_valid(words[0]) ||
	    !daxc_sysfs_number(words[1], G_MAXUINT32, &claims) || claims == 0)
		return FALSE;
	instance->claimant = g_ascii_strdown(words[0], -1);
	instance->claims = (guint)claims;
	return TRUE;
}

static gboolean read_claim(const DaxcSysfs *sysfs, const char *dir,
			   DaxcInstance *instance, GError **error)
{
	g_autofree char *text = NULL;
	g_autofree char *path = NULL;

	if (sysfs->kind == DAXC_SYSFS_MAINLINE)
		return TRUE;
	text = read_attribute(dir, "claim", error);
	if (!text || strcmp(text, "-") == 0 || parse_claim(text, instance))
		return text != NULL;
	path = g_build_filename(dir, "claim", NULL);
	return bad_attribute(error, path, text, "no claim");
}

static gboolean read_instance(const DaxcSysfs *sysfs, const char *dir,
			      DaxcInstance *instance, GError **error)
{
	if (!read_number(dir, "size", G_MAXUINT64, &instance->size, error) ||
	    !read_number(dir, "align", G_MAXUINT64, &instance->align, error) ||
	    !read_use(sysfs, dir, instance, error) ||
	    !read_seed(sysfs, instance, error) ||
	    !read_owner(sysfs, dir, instance, error) ||
	    !read_claim(sysfs, dir, instance, error) ||
	    !read_extents(dir, instance, error))
		return FALSE;
	if (daxc_extents_size(instance->extents) != instance->size) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "%s/size is %" G_GUINT64_FORMAT
			    ", but the mappings have %" G_GUINT64_FORMAT " bytes",
			    dir, instance->size, daxc_extents_size(instance->extents));
		return FALSE;
	}
	if (g_strcmp0(instance->driver, DAXC_DRIVER_DEVDAX) != 0 &&
	    g_strcmp0(instance->driver, DAXC_DRIVER_DAX_COLOR) != 0)
		return TRUE;
	return read_devno(dir, &instance->major, &instance->minor, error);
}

static gboolean no_instance(GError **error, const char *name)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
		    "this host has no instance %s in a region that can be carved", name);
	return FALSE;
}

DaxcInstance *daxc_sysfs_instance(const DaxcSysfs *sysfs, const char *name,
				  GError **error)
{
	g_autofree char *dir = device_dir(sysfs, name);
	g_autoptr(GError) failure = NULL;
	g_autoptr(DaxcInstance) instance = NULL;
	guint region, number;

	if (!daxc_instance_name_parse(name, &region, &number) ||
	    !can_be_carved(sysfs, name)) {
		no_instance(error, name);
		return NULL;
	}
	instance = daxc_instance_new(region, number);
	if (read_instance(sysfs, dir, instance, &failure))
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

/* Every instance of a region that can be carved; none when the directory is not there. */
static GArray *list_names(const DaxcSysfs *sysfs, GError **error)
{
	g_autofree char *path =
		g_build_filename(sysfs->root, places[sysfs->kind].devices, NULL);
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
		Name parsed;

		if (daxc_instance_name_parse(name, &parsed.region, &parsed.number) &&
		    can_be_carved(sysfs, name))
			g_array_append_val(names, parsed);
	}
	g_array_sort(names, compare_names);
	return g_steal_pointer(&names);
}

static char *name_format(const Name *name)
{
	return g_strdup_printf("dax%u.%u", name->region, name->number);
}

static GPtrArray *read_all(const DaxcSysfs *sysfs, const GArray *names, GError **error)
{
	g_autoptr(GPtrArray) instances =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_instance_free);

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *name = name_format(&g_array_index(names, Name, i));
		g_autoptr(GError) failure = NULL;
		DaxcInstance *instance = daxc_sysfs_instance(sysfs, name, &failure);

		if (instance) {
			g_ptr_array_add(instances, instance);
		} else if (!g_error_matches(failure, DAXC_ERROR, DAXC_ERROR_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return NULL;
		}
	}
	return g_steal_pointer(&instances);
}

GPtrArray *daxc_sysfs_instances(const DaxcSysfs *sysfs, GError **error)
{
	g_autoptr(GArray) names = list_names(sysfs, error);

	return names ? read_all(sysfs, names, error) : NULL;
}

gboolean daxc_sysfs_devno(const DaxcSysfs *sysfs, const char *name, guint *major,
			  guint *minor, GError **error)
{
	g_autofree char *dir = device_dir(sysfs, name);

	return read_devno(dir, major, minor, error);
}

/* ---- regions ---- */

/* An empty instance shows where its region begins. */
static gboolean start_from_empty(const DaxcSysfs *sysfs, const GPtrArray *instances,
				 guint64 *start, gboolean *found, GError **error)
{
	*found = FALSE;
	for (guint i = 0; i < instances->len && !*found; i++) {
		const DaxcInstance *instance = instances->pdata[i];
		g_autofree char *dir = device_dir(sysfs, instance->name);

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

static gboolean guess_start(const DaxcSysfs *sysfs, const GPtrArray *instances,
			    DaxcRegion *region, GError **error)
{
	guint64 first, last;
	gboolean found;

	if (!start_from_empty(sysfs, instances, &region->start, &found, error))
		return FALSE;
	if (found)
		return TRUE;
	span(instances, &first, &last);
	if (region->available == 0) {
		region->start = first;
		return TRUE;
	}
	if (start_from_iomem(sysfs->root, region, first, last, &region->start))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "cannot tell where region %u begins, for none of its instances is "
		    "empty; make an empty one: echo 1 > "
		    "/sys/bus/dax/devices/dax%u.0/../dax_region/create",
		    region->id, region->id);
	return FALSE;
}

/* What dax_color tells of a region, and mainline does not. */
static gboolean read_account(const char *dir, DaxcRegion *region, GError **error)
{
	region->accounted = TRUE;
	return read_number(dir, "resource", G_MAXUINT64, &region->start, error) &&
	       read_number(dir, "quarantined_size", G_MAXUINT64, &region->quarantined,
			   error) &&
	       read_number(dir, "zeroing_size", G_MAXUINT64, &region->zeroing, error) &&
	       read_number(dir, "dirty_size", G_MAXUINT64, &region->dirty, error) &&
	       read_number(dir, "bad_size", G_MAXUINT64, &region->bad, error);
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

static gboolean read_sizes(const char *dir, DaxcRegion *region, GError **error)
{
	guint64 id;

	if (!read_number(dir, "id", G_MAXUINT32, &id, error) ||
	    !read_number(dir, "size", G_MAXUINT64, &region->size, error) ||
	    !read_number(dir, "align", G_MAXUINT64, &region->align, error) ||
	    !read_number(dir, "available_size", G_MAXUINT64, &region->available, error))
		return FALSE;
	region->id = (guint)id;
	return TRUE;
}

/* Mainline does not tell where a region begins, but for what is in it. */
static gboolean read_rest(const DaxcSysfs *sysfs, const char *dir, const GArray *names,
			  DaxcRegion *region, GError **error)
{
	g_autoptr(GPtrArray) instances = NULL;

	if (sysfs->kind == DAXC_SYSFS_DAX_COLOR)
		return read_account(dir, region, error);
	instances = read_all(sysfs, names, error);
	return instances && guess_start(sysfs, instances, region, error);
}

/* @names: of one region's instances, at least one */
static DaxcRegion *read_region(const DaxcSysfs *sysfs, const GArray *names,
			       GError **error)
{
	g_autoptr(DaxcRegion) region = g_new0(DaxcRegion, 1);
	g_autofree char *name = name_format(&g_array_index(names, Name, 0));
	g_autofree char *device = device_dir(sysfs, name);
	g_autofree char *dir = region_dir(sysfs, name);

	if (!read_sizes(dir, region, error) || !read_node(device, &region->node, error))
		return NULL;
	if (region->id != g_array_index(names, Name, 0).region) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
			    "%s/id is %u, but its instance is named %s", dir, region->id,
			    name);
		return NULL;
	}
	if (!read_rest(sysfs, dir, names, region, error))
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

GArray *daxc_sysfs_region_ids(const DaxcSysfs *sysfs)
{
	g_autoptr(GArray) names = list_names(sysfs, NULL);
	GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; names && i < names->len; i++) {
		guint id = g_array_index(names, Name, i).region;

		if (ids->len == 0 || g_array_index(ids, guint, ids->len - 1) != id)
			g_array_append_val(ids, id);
	}
	return ids;
}

gboolean daxc_sysfs_has_regions(const DaxcSysfs *sysfs)
{
	g_autoptr(GArray) names = list_names(sysfs, NULL);

	return names && names->len > 0;
}

GPtrArray *daxc_sysfs_regions(const DaxcSysfs *sysfs, GError **error)
{
	g_autoptr(GArray) names = list_names(sysfs, error);
	g_autoptr(GPtrArray) regions =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_region_free);

	if (!names)
		return NULL;
	while (names->len > 0) {
		g_autoptr(GArray) of_one = take_region(names);
		DaxcRegion *region = read_region(sysfs, of_one, error);

		if (!region)
			return NULL;
		g_ptr_array_add(regions, region);
	}
	return g_steal_pointer(&regions);
}

/* Any of its instances leads to it; dax_color's first may be gone. */
char *daxc_sysfs_region(const DaxcSysfs *sysfs, guint region, GError **error)
{
	g_autofree char *first = g_strdup_printf("dax%u.0", region);
	g_autoptr(GArray) names = NULL;

	if (can_be_carved(sysfs, first))
		return region_dir(sysfs, first);
	names = list_names(sysfs, error);
	for (guint i = 0; names && i < names->len; i++) {
		const Name *name = &g_array_index(names, Name, i);
		g_autofree char *text = name_format(name);

		if (name->region == region)
			return region_dir(sysfs, text);
	}
	if (names)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "this host has no region %u that can be carved", region);
	return NULL;
}

char *daxc_sysfs_device(const DaxcSysfs *sysfs, const char *name)
{
	return device_dir(sysfs, name);
}

char *daxc_sysfs_read_instance(const DaxcSysfs *sysfs, const char *name,
			       const char *attribute, GError **error)
{
	g_autofree char *dir = device_dir(sysfs, name);

	return read_attribute(dir, attribute, error);
}

char *daxc_sysfs_read(const DaxcSysfs *sysfs, guint region, const char *attribute,
		      GError **error)
{
	g_autofree char *dir = daxc_sysfs_region(sysfs, region, error);

	return dir ? read_attribute(dir, attribute, error) : NULL;
}

/* ---- who has them ---- */

GPtrArray *daxc_sysfs_holders(const DaxcSysfs *sysfs, const char *name, GError **error)
{
	guint major, minor;

	if (!daxc_sysfs_devno(sysfs, name, &major, &minor, error))
		return NULL;
	return daxc_holders(major, minor, error);
}

/* Names by minor, also of instances that are not bound: a device outlives its driver
 * in the processes that have it open. One that has gone meanwhile has none. */
static GHashTable *read_minors(const DaxcSysfs *sysfs, const GPtrArray *instances,
			       guint *major)
{
	GHashTable *names = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < instances->len; i++) {
		const DaxcInstance *instance = instances->pdata[i];
		guint minor = instance->minor;

		if (instance->major != 0)
			*major = instance->major;
		else if (!daxc_sysfs_devno(sysfs, instance->name, major, &minor, NULL))
			continue;
		g_hash_table_insert(names, GUINT_TO_POINTER(minor), instance->name);
	}
	return names;
}

/* Of a static region, which is somebody else's. */
static gboolean is_other_device(const DaxcSysfs *sysfs, const DaxcProcess *process)
{
	g_autofree char *path = g_strdup_printf("%s/sys/dev/char/%u:%u", sysfs->root,
						process->major, process->minor);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* All instances of one kind have one major number. */
GPtrArray *daxc_sysfs_processes(const DaxcSysfs *sysfs, const GPtrArray *instances,
				GError **error)
{
	guint major = 0;
	g_autoptr(GHashTable) names = read_minors(sysfs, instances, &major);
	g_autoptr(GPtrArray) processes = NULL;

	if (major == 0)
		return g_ptr_array_new_with_free_func((GDestroyNotify)daxc_process_free);
	processes = daxc_holders_all(major, error);
	if (!processes)
		return NULL;
	for (guint i = processes->len; i-- > 0;) {
		DaxcProcess *process = processes->pdata[i];

		process->instance = g_strdup(
			g_hash_table_lookup(names, GUINT_TO_POINTER(process->minor)));
		if (!process->instance && is_other_device(sysfs, process))
			g_ptr_array_remove_index(processes, i);
	}
	return g_steal_pointer(&processes);
}
