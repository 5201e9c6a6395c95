// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A device-dax without a kernel, for unit tests, --simulate and what-if. It has
 * mainline's manners, the bad ones too: what kernel.c guards against must be
 * possible here. State is in memory or in a key file, and what guests leave in the
 * memory in a sparse file, once somebody asks for that.
 */
#define _GNU_SOURCE /* memfd_create, fallocate */

#include "adapters/kernel-priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#define SIM_VERSION 1
/* The kernel gives device-dax a dynamic major; this is a typical one. */
#define SIM_MAJOR 252
#define ALIGN_4K (G_GUINT64_CONSTANT(1) << 12)
/* Behind the state file's name. */
#define MEMORY_SUFFIX "-memory"

/**
 * SimFailure: a step that will go wrong.
 * @countdown: changing steps before it
 * @code: errno, or 0 for a step that does nothing and says nothing
 */
typedef struct {
	guint countdown;
	int code;
} SimFailure;

typedef struct {
	DaxcInstance *instance;
	char *holder;
} SimInstance;

/**
 * Sim:
 * @regions: (element-type DaxcRegion): by id; available is computed when asked for
 * @instances: (element-type SimInstance): in the order of their making
 * @youngest: (nullable): name of the instance made last
 * @poison: (element-type guint64): addresses of memory that failed
 * @file: (nullable): where the state is between calls
 * @memory: descriptor of the memory, without @file; -1: nobody asked for it yet
 */
typedef struct {
	DaxcKernel kernel;
	GPtrArray *regions;
	GPtrArray *instances;
	char *youngest;
	GArray *poison;
	char *file;
	int memory;
	GArray *failures;
} Sim;

static Sim *sim_of(DaxcKernel *kernel)
{
	return (Sim *)kernel;
}

static void sim_instance_free(gpointer data)
{
	SimInstance *instance = data;

	daxc_instance_free(instance->instance);
	g_free(instance->holder);
	g_free(instance);
}

static DaxcRegion *find_region(const Sim *sim, guint id)
{
	for (guint i = 0; i < sim->regions->len; i++) {
		DaxcRegion *region = sim->regions->pdata[i];

		if (region->id == id)
			return region;
	}
	return NULL;
}

static SimInstance *find(const Sim *sim, const char *name)
{
	for (guint i = 0; i < sim->instances->len; i++) {
		SimInstance *instance = sim->instances->pdata[i];

		if (strcmp(instance->instance->name, name) == 0)
			return instance;
	}
	return NULL;
}

static guint64 available(const Sim *sim, const DaxcRegion *region)
{
	guint64 rest = region->size;

	for (guint i = 0; i < sim->instances->len; i++) {
		const SimInstance *instance = sim->instances->pdata[i];

		if (instance->instance->region == region->id)
			rest -= instance->instance->size;
	}
	return rest;
}

static SimInstance *add_instance(Sim *sim, const DaxcRegion *region, guint number)
{
	SimInstance *instance = g_new0(SimInstance, 1);

	instance->instance = daxc_instance_new(region->id, number);
	instance->instance->align = region->align;
	g_ptr_array_add(sim->instances, instance);
	return instance;
}

/* As dax_hmem with region_idle=1 leaves a region: with an empty seed. */
static void reset(Sim *sim)
{
	g_ptr_array_set_size(sim->instances, 0);
	g_clear_pointer(&sim->youngest, g_free);
	g_array_set_size(sim->poison, 0);
	for (guint i = 0; i < sim->regions->len; i++)
		add_instance(sim, sim->regions->pdata[i], 0);
}

static gboolean minor_is_used(const Sim *sim, guint minor)
{
	for (guint i = 0; i < sim->instances->len; i++) {
		const SimInstance *instance = sim->instances->pdata[i];

		if (instance->instance->major && instance->instance->minor == minor)
			return TRUE;
	}
	return FALSE;
}

static void set_driver(const Sim *sim, SimInstance *instance, const char *driver)
{
	DaxcInstance *data = instance->instance;

	g_free(data->driver);
	data->driver = g_strdup(driver);
	data->major = 0;
	data->minor = 0;
	if (g_strcmp0(driver, DAXC_DRIVER_DEVDAX) != 0)
		return;
	while (minor_is_used(sim, data->minor))
		data->minor++;
	data->major = SIM_MAJOR;
}

static gboolean is_taken(const Sim *sim, guint region, const DaxcExtent *extent)
{
	for (guint i = 0; i < sim->instances->len; i++) {
		const DaxcInstance *other =
			((const SimInstance *)sim->instances->pdata[i])->instance;

		if (other->region != region)
			continue;
		for (guint k = 0; k < other->extents->len; k++) {
			const DaxcExtent *theirs =
				&g_array_index(other->extents, DaxcExtent, k);

			if (extent->start < theirs->start + theirs->size &&
			    theirs->start < extent->start + extent->size)
				return TRUE;
		}
	}
	return FALSE;
}

static gboolean fits(const Sim *sim, guint id, const DaxcExtent *extent)
{
	const DaxcRegion *region = find_region(sim, id);

	return daxc_range_within(extent->start, extent->size, region->start,
				 region->size) &&
	       !is_taken(sim, id, extent);
}

static void append_extent(SimInstance *instance, const DaxcExtent *extent)
{
	g_array_append_vals(instance->instance->extents, extent, 1);
	instance->instance->size += extent->size;
}

/* ---- the state file ---- */

/* Sets @error to what is wrong in the state file. */
static gboolean damaged(const Sim *sim, GError **error, const char *group,
			const char *why)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%s is no state of a simulated kernel: [%s]: %s; delete it to begin "
		    "anew",
		    sim->file, group, why);
	return FALSE;
}

static void save_region(const DaxcRegion *region, GKeyFile *keys)
{
	g_autofree char *group = g_strdup_printf("region %u", region->id);
	g_autofree char *range = daxc_range_format(region->start, region->size);

	g_key_file_set_string(keys, group, "range", range);
	g_key_file_set_integer(keys, group, "node", region->node);
	g_key_file_set_uint64(keys, group, "align", region->align);
}

static void save_instance(const SimInstance *instance, GKeyFile *keys)
{
	const DaxcInstance *data = instance->instance;
	g_autoptr(GPtrArray) ranges = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < data->extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(data->extents, DaxcExtent, i);

		g_ptr_array_add(ranges, daxc_range_format(extent->start, extent->size));
	}
	g_key_file_set_string_list(keys, data->name, "extents",
				   (const char *const *)ranges->pdata, ranges->len);
	g_key_file_set_uint64(keys, data->name, "align", data->align);
	if (data->driver)
		g_key_file_set_string(keys, data->name, "driver", data->driver);
	if (data->major)
		g_key_file_set_uint64(keys, data->name, "minor", data->minor);
	if (data->claimant)
		g_key_file_set_string(keys, data->name, "claimant", data->claimant);
	if (data->claimant)
		g_key_file_set_uint64(keys, data->name, "claims", data->claims);
	if (data->shared)
		g_key_file_set_boolean(keys, data->name, "shared", TRUE);
	if (instance->holder)
		g_key_file_set_string(keys, data->name, "holder", instance->holder);
}

static void save_poison(const Sim *sim, GKeyFile *keys)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < sim->poison->len; i++)
		g_ptr_array_add(texts,
				g_strdup_printf("%" G_GUINT64_FORMAT,
						g_array_index(sim->poison, guint64, i)));
	if (texts->len > 0)
		g_key_file_set_string_list(keys, "sim", "poison",
					   (const char *const *)texts->pdata, texts->len);
}

/* A kernel forgets when power fails, so the file need not survive that: it only
 * must never be seen half-written. */
static gboolean save(Sim *sim, GError **error)
{
	g_autoptr(GKeyFile) keys = NULL;
	g_autoptr(GError) failure = NULL;
	g_autofree char *text = NULL;
	gsize length;

	if (!sim->file)
		return TRUE;
	keys = g_key_file_new();
	g_key_file_set_integer(keys, "sim", "version", SIM_VERSION);
	if (sim->youngest)
		g_key_file_set_string(keys, "sim", "youngest", sim->youngest);
	save_poison(sim, keys);
	for (guint i = 0; i < sim->regions->len; i++)
		save_region(sim->regions->pdata[i], keys);
	for (guint i = 0; i < sim->instances->len; i++)
		save_instance(sim->instances->pdata[i], keys);
	text = g_key_file_to_data(keys, &length, NULL);
	if (g_file_set_contents_full(sim->file, text, (gssize)length,
				     G_FILE_SET_CONTENTS_CONSISTENT, 0600, &failure))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot write the state of the simulated kernel: %s",
		    failure->message);
	return FALSE;
}

static gboolean load_uint(const Sim *sim, GKeyFile *keys, const char *group,
			  const char *key, guint64 max, guint64 *value, GError **error)
{
	g_autofree char *text = g_key_file_get_string(keys, group, key, NULL);
	g_autoptr(GError) failure = NULL;
	g_autofree char *why = NULL;

	if (!text) {
		why = g_strdup_printf("%s is missing", key);
		return damaged(sim, error, group, why);
	}
	if (!daxc_uint_parse(text, key, max, value, &failure))
		return damaged(sim, error, group, failure->message);
	return TRUE;
}

static gboolean check_keys(const Sim *sim, GKeyFile *keys, const char *group,
			   const char *const *known, GError **error)
{
	g_auto(GStrv) names = g_key_file_get_keys(keys, group, NULL, NULL);

	for (guint i = 0; names && names[i]; i++) {
		g_autofree char *why = NULL;

		if (g_strv_contains(known, names[i]))
			continue;
		why = g_strdup_printf("unknown key %s", names[i]);
		return damaged(sim, error, group, why);
	}
	return TRUE;
}

/* The file must be about the regions that we were made with. */
static gboolean check_saved_region(const Sim *sim, GKeyFile *keys,
				   const DaxcRegion *region, GError **error)
{
	static const char *const known[] = {"range", "node", "align", NULL};
	g_autofree char *group = g_strdup_printf("region %u", region->id);
	g_autofree char *range = daxc_range_format(region->start, region->size);
	g_autofree char *text = g_key_file_get_string(keys, group, "range", NULL);
	g_autofree char *node = g_key_file_get_string(keys, group, "node", NULL);
	g_autofree char *is_node = g_strdup_printf("%d", region->node);
	guint64 align;

	if (!text || !node)
		return damaged(sim, error, group, "range or node is missing");
	if (!load_uint(sim, keys, group, "align", G_MAXUINT64, &align, error) ||
	    !check_keys(sim, keys, group, known, error))
		return FALSE;
	if (strcmp(text, range) != 0 || strcmp(node, is_node) != 0 ||
	    align != region->align)
		return damaged(sim, error, group, "it belongs to another host");
	return TRUE;
}

static gboolean load_extents(const Sim *sim, GKeyFile *keys, SimInstance *instance,
			     GError **error)
{
	const char *name = instance->instance->name;
	g_auto(GStrv)
		ranges = g_key_file_get_string_list(keys, name, "extents", NULL, NULL);

	if (!ranges)
		return damaged(sim, error, name, "extents is missing");
	for (guint i = 0; ranges[i]; i++) {
		g_autoptr(GError) failure = NULL;
		g_autofree char *why = NULL;
		DaxcExtent extent;

		if (!daxc_range_parse(ranges[i], &extent.start, &extent.size, &failure))
			return damaged(sim, error, name, failure->message);
		if (!fits(sim, instance->instance->region, &extent)) {
			why = g_strdup_printf("%s is taken or not in the region",
					      ranges[i]);
			return damaged(sim, error, name, why);
		}
		append_extent(instance, &extent);
	}
	return TRUE;
}

static gboolean align_is_valid(guint64 align)
{
	return align == ALIGN_4K || align == DAXC_ALIGN_2M || align == DAXC_ALIGN_1G;
}

static gboolean load_driver(Sim *sim, GKeyFile *keys, SimInstance *instance,
			    GError **error)
{
	DaxcInstance *data = instance->instance;
	guint64 minor;

	data->driver = g_key_file_get_string(keys, data->name, "driver", NULL);
	if (data->driver && data->size == 0)
		return damaged(sim, error, data->name, "a driver without memory");
	if (g_strcmp0(data->driver, DAXC_DRIVER_DEVDAX) != 0)
		return TRUE;
	if (!load_uint(sim, keys, data->name, "minor", G_MAXINT32, &minor, error))
		return FALSE;
	if (minor_is_used(sim, (guint)minor))
		return damaged(sim, error, data->name, "its minor is used twice");
	data->major = SIM_MAJOR;
	data->minor = (guint)minor;
	return TRUE;
}

static gboolean load_claim(Sim *sim, GKeyFile *keys, SimInstance *instance,
			   GError **error)
{
	DaxcInstance *data = instance->instance;
	guint64 claims;

	data->claimant = g_key_file_get_string(keys, data->name, "claimant", NULL);
	if (!data->claimant)
		return TRUE;
	if (!g_uuid_string_is_valid(data->claimant) || data->size == 0)
		return damaged(sim, error, data->name, "its claim cannot be");
	if (!load_uint(sim, keys, data->name, "claims", G_MAXUINT32, &claims, error))
		return FALSE;
	data->claims = (guint)claims;
	data->shared = g_key_file_get_boolean(keys, data->name, "shared", NULL);
	return TRUE;
}

static gboolean load_instance(Sim *sim, GKeyFile *keys, const char *name, GError **error)
{
	static const char *const known[] = {"extents", "align",	 "driver",
					    "minor",   "holder", "claimant",
					    "claims",  "shared", NULL};
	const DaxcRegion *region = NULL;
	SimInstance *instance;
	guint id, number;

	if (daxc_instance_name_parse(name, &id, &number))
		region = find_region(sim, id);
	if (!region)
		return damaged(sim, error, name, "unknown section");
	/* A file has no section twice; seeds are there before it is read. */
	instance = number == 0 ? find(sim, name) : NULL;
	if (!instance)
		instance = add_instance(sim, region, number);
	if (!check_keys(sim, keys, name, known, error) ||
	    !load_uint(sim, keys, name, "align", G_MAXUINT64, &instance->instance->align,
		       error))
		return FALSE;
	if (!align_is_valid(instance->instance->align) &&
	    instance->instance->align != region->align)
		return damaged(sim, error, name, "its align cannot be");
	if (!load_extents(sim, keys, instance, error) ||
	    !load_driver(sim, keys, instance, error) ||
	    !load_claim(sim, keys, instance, error))
		return FALSE;
	instance->holder = g_key_file_get_string(keys, name, "holder", NULL);
	return TRUE;
}

static const DaxcRegion *region_at(const Sim *sim, guint64 address)
{
	for (guint i = 0; i < sim->regions->len; i++) {
		const DaxcRegion *region = sim->regions->pdata[i];

		if (daxc_range_within(address, 1, region->start, region->size))
			return region;
	}
	return NULL;
}

static gboolean load_poison(Sim *sim, GKeyFile *keys, GError **error)
{
	g_auto(GStrv)
		texts = g_key_file_get_string_list(keys, "sim", "poison", NULL, NULL);

	for (guint i = 0; texts && texts[i]; i++) {
		g_autoptr(GError) failure = NULL;
		guint64 address;

		if (!daxc_uint_parse(texts[i], "poison", G_MAXUINT64, &address, &failure))
			return damaged(sim, error, "sim", failure->message);
		if (!region_at(sim, address))
			return damaged(sim, error, "sim", "poison is in no region");
		g_array_append_val(sim->poison, address);
	}
	return TRUE;
}

static gboolean load_header(Sim *sim, GKeyFile *keys, GError **error)
{
	static const char *const known[] = {"version", "youngest", "poison", NULL};
	guint64 version;

	if (!load_uint(sim, keys, "sim", "version", G_MAXUINT64, &version, error) ||
	    !check_keys(sim, keys, "sim", known, error))
		return FALSE;
	if (version != SIM_VERSION)
		return damaged(sim, error, "sim", "written by another daxcolor");
	sim->youngest = g_key_file_get_string(keys, "sim", "youngest", NULL);
	return load_poison(sim, keys, error);
}

static gboolean load_keys(Sim *sim, GKeyFile *keys, GError **error)
{
	g_auto(GStrv) groups = g_key_file_get_groups(keys, NULL);

	reset(sim);
	if (!load_header(sim, keys, error))
		return FALSE;
	for (guint i = 0; i < sim->regions->len; i++)
		if (!check_saved_region(sim, keys, sim->regions->pdata[i], error))
			return FALSE;
	for (guint i = 0; groups[i]; i++) {
		guint64 id;

		if (strcmp(groups[i], "sim") == 0)
			continue;
		if (g_str_has_prefix(groups[i], "region ") &&
		    daxc_uint_parse(groups[i] + strlen("region "), "region", G_MAXUINT,
				    &id, NULL) &&
		    find_region(sim, (guint)id))
			continue;
		if (!load_instance(sim, keys, groups[i], error))
			return FALSE;
	}
	if (sim->youngest && !find(sim, sim->youngest))
		return damaged(sim, error, "sim", "youngest does not exist");
	return TRUE;
}

/* What another process, or this one, left in the file. */
static gboolean load(Sim *sim, GError **error)
{
	g_autoptr(GKeyFile) keys = NULL;
	g_autoptr(GError) failure = NULL;

	if (!sim->file)
		return TRUE;
	keys = g_key_file_new();
	if (g_key_file_load_from_file(keys, sim->file, G_KEY_FILE_NONE, &failure))
		return load_keys(sim, keys, error);
	if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		reset(sim);
		return TRUE;
	}
	if (failure->domain == G_KEY_FILE_ERROR)
		return damaged(sim, error, "sim", failure->message);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot read the state of the simulated kernel, %s: %s", sim->file,
		    failure->message);
	return FALSE;
}

/* ---- steps ---- */

/* Whether the next changing step goes wrong: its errno, 0 for silence, else -1. */
static int next_failure(Sim *sim)
{
	int code = -1;

	for (guint i = sim->failures->len; i-- > 0;) {
		SimFailure *failure = &g_array_index(sim->failures, SimFailure, i);

		if (failure->countdown-- > 0)
			continue;
		code = failure->code;
		g_array_remove_index(sim->failures, i);
	}
	return code;
}

/**
 * begin:
 * @what: what the step is done to
 * @silent: (out): it shall do nothing and report success
 *
 * Every changing step begins with it.
 */
static gboolean begin(Sim *sim, DaxcKernelStep step, const char *what, gboolean *silent,
		      GError **error)
{
	int code;

	if (!load(sim, error))
		return FALSE;
	code = next_failure(sim);
	if (code == DAXC_SIM_DIE)
		raise(SIGKILL);
	*silent = code == 0;
	return code <= 0 || daxc_kernel_refused(error, step, what, code);
}

static SimInstance *require(Sim *sim, const char *name, GError **error)
{
	SimInstance *instance = find(sim, name);

	if (!instance)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			    "this host has no instance %s", name);
	return instance;
}

static GPtrArray *sim_regions(DaxcKernel *kernel, GError **error)
{
	Sim *sim = sim_of(kernel);
	g_autoptr(GPtrArray) regions = NULL;

	if (!load(sim, error))
		return NULL;
	regions = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_region_free);
	for (guint i = 0; i < sim->regions->len; i++) {
		DaxcRegion *region = g_memdup2(sim->regions->pdata[i], sizeof(*region));

		region->available = available(sim, region);
		g_ptr_array_add(regions, region);
	}
	return g_steal_pointer(&regions);
}

static GPtrArray *sim_instances(DaxcKernel *kernel, GError **error)
{
	Sim *sim = sim_of(kernel);
	g_autoptr(GPtrArray) instances = NULL;

	if (!load(sim, error))
		return NULL;
	instances = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_instance_free);
	for (guint i = 0; i < sim->instances->len; i++) {
		const SimInstance *instance = sim->instances->pdata[i];

		g_ptr_array_add(instances, daxc_instance_copy(instance->instance));
	}
	return g_steal_pointer(&instances);
}

static DaxcInstance *sim_instance(DaxcKernel *kernel, const char *name, GError **error)
{
	Sim *sim = sim_of(kernel);
	const SimInstance *instance = NULL;

	if (load(sim, error))
		instance = require(sim, name, error);
	return instance ? daxc_instance_copy(instance->instance) : NULL;
}

static guint lowest_free_number(const Sim *sim, guint region)
{
	for (guint number = 0;; number++) {
		g_autofree char *name = g_strdup_printf("dax%u.%u", region, number);

		if (!find(sim, name))
			return number;
	}
}

static gboolean sim_create(DaxcKernel *kernel, guint id, char **name, GError **error)
{
	Sim *sim = sim_of(kernel);
	g_autofree char *what = g_strdup_printf("region %u", id);
	const DaxcRegion *region = find_region(sim, id);
	const SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_CREATE, what, &silent, error))
		return FALSE;
	if (!region)
		return daxc_kernel_refused(error, DAXC_STEP_CREATE, what, ENODEV);
	if (!silent && available(sim, region) == 0)
		return daxc_kernel_refused(error, DAXC_STEP_CREATE, what, ENOSPC);
	if (!silent) {
		instance = add_instance(sim, region, lowest_free_number(sim, id));
		g_free(sim->youngest);
		sim->youngest = g_strdup(instance->instance->name);
	}
	if (!save(sim, error))
		return FALSE;
	*name = g_strdup(sim->youngest ? sim->youngest : "");
	return TRUE;
}

static gboolean sim_set_align(DaxcKernel *kernel, const char *name, guint64 align,
			      GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_ALIGN, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	if (!align_is_valid(align))
		return daxc_kernel_refused(error, DAXC_STEP_ALIGN, name, EINVAL);
	if (instance->instance->driver)
		return daxc_kernel_refused(error, DAXC_STEP_ALIGN, name, EBUSY);
	for (guint i = 0; i < instance->instance->extents->len; i++)
		if (g_array_index(instance->instance->extents, DaxcExtent, i).size %
		    align)
			return daxc_kernel_refused(error, DAXC_STEP_ALIGN, name, EINVAL);
	instance->instance->align = align;
	return save(sim, error);
}

static gboolean sim_add_extent(DaxcKernel *kernel, const char *name,
			       const DaxcExtent *extent, GError **error)
{
	Sim *sim = sim_of(kernel);
	g_autofree char *range = daxc_range_format(extent->start, extent->size);
	g_autofree char *what = g_strdup_printf("%s to %s", range, name);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_EXTENT, what, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	if (instance->instance->driver)
		return daxc_kernel_refused(error, DAXC_STEP_EXTENT, what, EBUSY);
	if (extent->size % instance->instance->align)
		return daxc_kernel_refused(error, DAXC_STEP_EXTENT, what, ENXIO);
	if (!fits(sim, instance->instance->region, extent))
		return daxc_kernel_refused(error, DAXC_STEP_EXTENT, what, ENOMEM);
	append_extent(instance, extent);
	return save(sim, error);
}

/* Returns: 0, or the errno of a claim of @name. */
static int may_claim(const Sim *sim, const char *name, const char *uuid, gboolean shared)
{
	const SimInstance *instance = find(sim, name);
	const DaxcInstance *data = instance ? instance->instance : NULL;

	if (!data)
		return ENODEV;
	if (data->size == 0)
		return ENXIO;
	if (data->claimant &&
	    (strcmp(data->claimant, uuid) != 0 || data->shared != shared))
		return EBUSY;
	return 0;
}

static gboolean sim_claim(DaxcKernel *kernel, const char *const *names, const char *uuid,
			  gboolean shared, GError **error)
{
	Sim *sim = sim_of(kernel);
	g_autofree char *what = g_strjoinv(" ", (char **)names);
	gboolean silent;

	if (!begin(sim, DAXC_STEP_CLAIM, what, &silent, error))
		return FALSE;
	for (guint i = 0; names[i]; i++) {
		int code = may_claim(sim, names[i], uuid, shared);

		if (code)
			return daxc_kernel_refused(error, DAXC_STEP_CLAIM, names[i],
						   code);
	}
	for (guint i = 0; names[i] && !silent; i++) {
		DaxcInstance *data = find(sim, names[i])->instance;

		g_free(data->claimant);
		data->claimant = g_strdup(uuid);
		data->claims++;
		data->shared = shared;
	}
	return save(sim, error);
}

static gboolean sim_unclaim(DaxcKernel *kernel, const char *name, const char *uuid,
			    guint count, GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	DaxcInstance *data;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_UNCLAIM, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	data = instance->instance;
	if (g_strcmp0(data->claimant, uuid) != 0 || data->claims < count)
		return daxc_kernel_refused(error, DAXC_STEP_UNCLAIM, name, EPERM);
	data->claims -= count;
	if (data->claims == 0) {
		g_clear_pointer(&data->claimant, g_free);
		data->shared = FALSE;
	}
	return save(sim, error);
}

static gboolean sim_clear(DaxcKernel *kernel, const char *name, GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_CLEAR, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	if (instance->instance->driver || instance->instance->claimant)
		return daxc_kernel_refused(error, DAXC_STEP_CLEAR, name, EBUSY);
	g_array_set_size(instance->instance->extents, 0);
	instance->instance->size = 0;
	return save(sim, error);
}

static gboolean sim_enable(DaxcKernel *kernel, const char *name, GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_ENABLE, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	if (instance->instance->driver)
		return daxc_kernel_refused(error, DAXC_STEP_ENABLE, name, EBUSY);
	if (instance->instance->size == 0)
		return daxc_kernel_refused(error, DAXC_STEP_ENABLE, name, ENXIO);
	set_driver(sim, instance, DAXC_DRIVER_DEVDAX);
	return save(sim, error);
}

static gboolean sim_disable(DaxcKernel *kernel, const char *name, GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_DISABLE, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	if (!instance->instance->driver)
		return daxc_kernel_refused(error, DAXC_STEP_DISABLE, name, ENODEV);
	/* Held or claimed or not: the kernel does not ask. */
	set_driver(sim, instance, NULL);
	return save(sim, error);
}

static gboolean sim_destroy(DaxcKernel *kernel, const char *name, GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_DELETE, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance || silent)
		return instance != NULL;
	if (instance->instance->driver || instance->instance->size > 0 ||
	    instance->instance->seed)
		return daxc_kernel_refused(error, DAXC_STEP_DELETE, name, EBUSY);
	if (g_strcmp0(sim->youngest, name) == 0)
		g_clear_pointer(&sim->youngest, g_free);
	g_ptr_array_remove(sim->instances, instance);
	return save(sim, error);
}

/* ---- memory ---- */

static gboolean memory_error(const Sim *sim, const char *what, int code, GError **error)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot %s the memory of the simulated kernel%s%s%s: %s", what,
		    sim->file ? ", " : "", sim->file ? sim->file : "",
		    sim->file ? MEMORY_SUFFIX : "", g_strerror(code));
	return FALSE;
}

static void memory_bounds(const Sim *sim, guint64 *start, guint64 *size)
{
	guint64 end = 0;

	*start = G_MAXUINT64;
	for (guint i = 0; i < sim->regions->len; i++) {
		const DaxcRegion *region = sim->regions->pdata[i];

		*start = MIN(*start, region->start);
		end = MAX(end, region->start + region->size);
	}
	*size = end - *start;
}

/* Returns: a new descriptor, -1 on failure; errno is ENOENT when there is no memory
 * yet and none shall be made. */
static int open_memory(Sim *sim, gboolean make)
{
	g_autofree char *path = NULL;

	if (sim->file) {
		path = g_strconcat(sim->file, MEMORY_SUFFIX, NULL);
		return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0),
			    0600);
	}
	if (sim->memory < 0 && make)
		sim->memory = memfd_create("daxcolor-sim", MFD_CLOEXEC);
	if (sim->memory < 0) {
		errno = make ? errno : ENOENT;
		return -1;
	}
	return fcntl(sim->memory, F_DUPFD_CLOEXEC, 0);
}

static gboolean grow(int fd, guint64 size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return FALSE;
	if ((guint64)st.st_size >= size)
		return TRUE;
	if (size > G_MAXINT64) {
		errno = EFBIG;
		return FALSE;
	}
	return ftruncate(fd, (off_t)size) == 0;
}

static gboolean write_zeros(int fd, guint64 offset, guint64 size)
{
	static const guint8 zeros[65536];

	while (size > 0) {
		ssize_t n = pwrite(fd, zeros, MIN(size, sizeof(zeros)), (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FALSE;
		offset += (guint64)n;
		size -= (guint64)n;
	}
	return TRUE;
}

static gboolean make_zero(int fd, guint64 offset, guint64 size)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)size) == 0)
		return TRUE;
	return errno == EOPNOTSUPP && write_zeros(fd, offset, size);
}

static gboolean is_poisoned(const Sim *sim, guint64 address, guint64 size, guint64 *where)
{
	gboolean found = FALSE;

	*where = 0;
	for (guint i = 0; i < sim->poison->len; i++) {
		guint64 poison = g_array_index(sim->poison, guint64, i);

		if (poison - address >= size || (found && poison >= *where))
			continue;
		*where = poison;
		found = TRUE;
	}
	return found;
}

/**
 * Zeroing:
 * @fd: of the memory; -1: nobody ever wrote to it
 * @base: the lowest address of the memory
 */
typedef struct {
	const Sim *sim;
	const DaxcInstance *instance;
	int fd;
	guint64 base;
} Zeroing;

/* One multiple of the instance's align, which is in one piece. */
static gboolean zero_piece(const Zeroing *zeroing, guint64 offset, guint64 *bad,
			   GError **error)
{
	guint64 size = zeroing->instance->align, poison;
	guint64 address = daxc_extents_address(zeroing->instance->extents, offset);
	gboolean poisoned = is_poisoned(zeroing->sim, address, size, &poison);

	if (poisoned)
		size = poison - address;
	if (zeroing->fd >= 0 && size > 0 &&
	    !make_zero(zeroing->fd, address - zeroing->base, size))
		return memory_error(zeroing->sim, "write", errno, error);
	if (!poisoned)
		return TRUE;
	*bad = offset + size;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_MEMORY,
		    "memory at offset 0x%" G_GINT64_MODIFIER "x is poisoned", *bad);
	return FALSE;
}

static gboolean zero_pieces(const Zeroing *zeroing, guint64 offset, guint64 size,
			    const DaxcScrubOptions *options, guint64 *bad, GError **error)
{
	guint64 align = zeroing->instance->align;

	for (guint64 done = 0; done < size; done += align) {
		if (options && options->proceed &&
		    !options->proceed(done, options->data)) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_CANCELED,
				    "zeroing was stopped after %" G_GUINT64_FORMAT
				    " of %" G_GUINT64_FORMAT " bytes",
				    done, size);
			return FALSE;
		}
		if (!zero_piece(zeroing, offset + done, bad, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean zero_memory(Sim *sim, const DaxcInstance *instance, guint64 offset,
			    guint64 size, const DaxcScrubOptions *options, guint64 *bad,
			    GError **error)
{
	Zeroing zeroing = {sim, instance, open_memory(sim, FALSE), 0};
	guint64 unused;
	gboolean ok;

	if (zeroing.fd < 0 && errno != ENOENT)
		return memory_error(sim, "open", errno, error);
	memory_bounds(sim, &zeroing.base, &unused);
	ok = zero_pieces(&zeroing, offset, size, options, bad, error);
	if (zeroing.fd >= 0)
		close(zeroing.fd);
	return ok;
}

/* Pieces are taken as they are: kernel.c has seen that they are within. */
static gboolean sim_zero(DaxcKernel *kernel, const char *name, guint64 offset,
			 guint64 size, const DaxcScrubOptions *options, guint64 *bad,
			 GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance;
	gboolean silent;

	if (!begin(sim, DAXC_STEP_ZERO, name, &silent, error))
		return FALSE;
	instance = require(sim, name, error);
	if (!instance)
		return FALSE;
	/* What was not written is noticed when it is read back. */
	if (silent)
		return daxc_kernel_refused(error, DAXC_STEP_ZERO, name, EIO);
	if (g_strcmp0(instance->instance->driver, DAXC_DRIVER_DEVDAX) != 0)
		return daxc_kernel_refused(error, DAXC_STEP_ZERO, name, ENXIO);
	return zero_memory(sim, instance->instance, offset, size, options, bad, error);
}

static GPtrArray *sim_holders(DaxcKernel *kernel, const char *name, GError **error)
{
	Sim *sim = sim_of(kernel);
	const SimInstance *instance = NULL;
	GPtrArray *holders;

	if (load(sim, error))
		instance = require(sim, name, error);
	if (!instance)
		return NULL;
	holders = g_ptr_array_new_with_free_func(g_free);
	if (instance->holder)
		g_ptr_array_add(holders, g_strdup(instance->holder));
	return holders;
}

static void set_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

/* "NAME (PID)", and in any order behind it "mapped", a UUID, a path. */
static DaxcProcess *parse_holder(const char *instance, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	DaxcProcess *process = g_new0(DaxcProcess, 1);

	process->instance = g_strdup(instance);
	process->open = TRUE;
	for (guint i = 0; words[i]; i++) {
		if (words[i][0] == '(')
			process->pid = (gint)g_ascii_strtoll(words[i] + 1, NULL, 10);
		else if (words[i][0] == '/')
			set_text(&process->path, words[i]);
		else if (strcmp(words[i], "mapped") == 0)
			process->mapped = TRUE;
		else if (g_uuid_string_is_valid(words[i]))
			set_text(&process->uuid, words[i]);
		else if (words[i][0])
			set_text(&process->name, words[i]);
	}
	if (!process->name)
		process->name = g_strdup("?");
	return process;
}

static GPtrArray *sim_processes(DaxcKernel *kernel, const GPtrArray *instances,
				GError **error)
{
	Sim *sim = sim_of(kernel);
	GPtrArray *processes;

	if (!load(sim, error))
		return NULL;
	processes = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_process_free);
	for (guint i = 0; i < sim->instances->len; i++) {
		const SimInstance *instance = sim->instances->pdata[i];
		g_auto(GStrv) holders = NULL;

		if (!instance->holder)
			continue;
		holders = g_strsplit(instance->holder, ";", -1);
		for (guint k = 0; holders[k]; k++)
			g_ptr_array_add(processes, parse_holder(instance->instance->name,
								holders[k]));
	}
	return processes;
}

static void sim_free(DaxcKernel *kernel)
{
	Sim *sim = sim_of(kernel);

	g_ptr_array_unref(sim->regions);
	g_ptr_array_unref(sim->instances);
	g_array_unref(sim->failures);
	g_array_unref(sim->poison);
	if (sim->memory >= 0)
		close(sim->memory);
	g_free(sim->youngest);
	g_free(sim->file);
	g_free(sim);
}

static const char *const sim_limits[] = {
	"This is a simulation: no memory is behind it.",
	NULL,
};

static const DaxcKernelOps sim_ops = {
	.name = "sim",
	.limits = sim_limits,
	.guarantees = DAXC_GUARANTEE_CLAIMS,
	.driver = DAXC_DRIVER_DEVDAX,
	.free = sim_free,
	.regions = sim_regions,
	.instances = sim_instances,
	.instance = sim_instance,
	.create = sim_create,
	.set_align = sim_set_align,
	.add_extent = sim_add_extent,
	.claim = sim_claim,
	.unclaim = sim_unclaim,
	.clear = sim_clear,
	.enable = sim_enable,
	.disable = sim_disable,
	.destroy = sim_destroy,
	.zero = sim_zero,
	.holders = sim_holders,
	.processes = sim_processes,
};

DaxcKernel *daxc_kernel_sim_new(const GPtrArray *regions, const char *file,
				GError **error)
{
	Sim *sim = g_new0(Sim, 1);
	g_autoptr(DaxcKernel) kernel = &sim->kernel;

	sim->kernel.ops = &sim_ops;
	sim->regions = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_region_free);
	sim->instances = g_ptr_array_new_with_free_func(sim_instance_free);
	sim->failures = g_array_new(FALSE, FALSE, sizeof(SimFailure));
	sim->poison = g_array_new(FALSE, FALSE, sizeof(guint64));
	sim->memory = -1;
	sim->file = g_strdup(file);
	for (guint i = 0; i < regions->len; i++)
		g_ptr_array_add(sim->regions,
				g_memdup2(regions->pdata[i], sizeof(DaxcRegion)));
	reset(sim);
	if (!load(sim, error))
		return NULL;
	return g_steal_pointer(&kernel);
}

void daxc_kernel_sim_fail(DaxcKernel *kernel, guint after, int code)
{
	SimFailure failure = {after, code};

	g_return_if_fail(kernel->ops == &sim_ops);
	g_array_append_val(sim_of(kernel)->failures, failure);
}

gboolean daxc_kernel_sim_hold(DaxcKernel *kernel, const char *name, const char *holder,
			      GError **error)
{
	Sim *sim = sim_of(kernel);
	SimInstance *instance = NULL;

	g_return_val_if_fail(kernel->ops == &sim_ops, FALSE);
	if (load(sim, error))
		instance = require(sim, name, error);
	if (!instance)
		return FALSE;
	g_free(instance->holder);
	instance->holder = g_strdup(holder);
	return save(sim, error);
}

static gboolean check_address(Sim *sim, guint64 address, GError **error)
{
	if (!load(sim, error))
		return FALSE;
	if (region_at(sim, address))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "no region has memory at 0x%" G_GINT64_MODIFIER "x", address);
	return FALSE;
}

int daxc_kernel_sim_memory(DaxcKernel *kernel, guint64 address, guint64 *offset,
			   GError **error)
{
	Sim *sim = sim_of(kernel);
	guint64 start, size;
	int fd;

	g_return_val_if_fail(kernel->ops == &sim_ops, -1);
	if (!check_address(sim, address, error))
		return -1;
	memory_bounds(sim, &start, &size);
	fd = open_memory(sim, TRUE);
	if (fd >= 0 && grow(fd, size)) {
		*offset = address - start;
		return fd;
	}
	memory_error(sim, "make", errno, error);
	if (fd >= 0)
		close(fd);
	return -1;
}

gboolean daxc_kernel_sim_poison(DaxcKernel *kernel, guint64 address, GError **error)
{
	Sim *sim = sim_of(kernel);

	g_return_val_if_fail(kernel->ops == &sim_ops, FALSE);
	if (!check_address(sim, address, error))
		return FALSE;
	g_array_append_val(sim->poison, address);
	return save(sim, error);
}
