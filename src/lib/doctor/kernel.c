// SPDX-License-Identifier: LGPL-2.1-or-later
/* The doctor on the kernel: modules, the dax bus, who holds the regions. */
#include "doctor/private.h"

#include <stdio.h>
#include <string.h>

#include <daxcolor/size.h>

#include "adapters/kernel-priv.h"

#define MODPROBE_DIR "/etc/modprobe.d"
#define MODPROBE_FILE MODPROBE_DIR "/daxcolor.conf"
#define MODULES_LOAD_FILE "/etc/modules-load.d/daxcolor.conf"

/* Calls @found for each instance on the dax bus: "daxR.N", driver or NULL. */
typedef void (*InstanceFound)(const char *name, guint region, const char *driver,
			      gpointer data);

static void each_instance(const Doctor *doctor, InstanceFound found, gpointer data)
{
	g_autofree char *path = daxc_doctor_path(doctor, DAXC_BUS_DEVICES);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *link = g_build_filename(path, name, "driver", NULL);
		g_autofree char *target = g_file_read_link(link, NULL);
		g_autofree char *driver = target ? g_path_get_basename(target) : NULL;
		guint region, number;
		char rest;

		if (sscanf(name, "dax%u.%u%c", &region, &number, &rest) == 2)
			found(name, region, driver, data);
	}
}

static gint by_number(gconstpointer a, gconstpointer b)
{
	const guint *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void note_region(const char *name, guint region, const char *driver, gpointer data)
{
	GArray *regions = data;

	for (guint i = 0; i < regions->len; i++) {
		if (g_array_index(regions, guint, i) == region)
			return;
	}
	g_array_append_val(regions, region);
}

static GArray *regions_on_bus(const Doctor *doctor)
{
	GArray *regions = g_array_new(FALSE, FALSE, sizeof(guint));

	each_instance(doctor, note_region, regions);
	g_array_sort(regions, by_number);
	return regions;
}

void daxc_doctor_find_regions(Doctor *doctor)
{
	const DaxcSysfs own = {doctor->root, DAXC_SYSFS_DAX_COLOR};
	GArray *bus = regions_on_bus(doctor);
	GArray *class = daxc_sysfs_region_ids(&own);

	doctor->dax_color = doctor->choice == DAXC_KERNEL_DAX_COLOR ||
			    (doctor->choice == DAXC_KERNEL_AUTO && class->len > 0);
	doctor->regions = doctor->dax_color ? class : bus;
	doctor->unused = doctor->dax_color ? bus : class;
}

static char *list_regions(const GArray *regions)
{
	GString *text = g_string_new(regions->len == 1 ? "region " : "regions ");

	for (guint i = 0; i < regions->len; i++)
		g_string_append_printf(text, "%s%u", i ? ", " : "",
				       g_array_index(regions, guint, i));
	return g_string_free(text, FALSE);
}

static gboolean has_module(const Doctor *doctor, const char *module, const char *driver)
{
	g_autofree char *loaded = g_build_filename("/sys/module", module, NULL);

	/* Built in, it may have its driver only. */
	return daxc_doctor_exists(doctor, loaded) || daxc_doctor_exists(doctor, driver);
}

static void check_own_module(Doctor *doctor, DaxcCheck *check)
{
	if (has_module(doctor, "dax_color", "/sys/bus/platform/drivers/dax_color"))
		daxc_doctor_ok(check, "dax_color is loaded");
	else
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup("not loaded: dax_color, which the configuration wants "
				 "(kernel = dax_color)"),
			g_strdup("`modprobe dax_color`, and give it the memory with "
				 "`dax-color-bind`"));
}

static void check_modules(Doctor *doctor, DaxcCheck *check)
{
	gboolean hmem = has_module(doctor, "dax_hmem", "/sys/bus/platform/drivers/hmem");
	gboolean device =
		has_module(doctor, "device_dax", "/sys/bus/dax/drivers/device_dax");

	if (doctor->dax_color) {
		check_own_module(doctor, check);
		return;
	}
	if (hmem && device) {
		daxc_doctor_ok(check, "dax_hmem and device_dax are loaded");
		return;
	}
	daxc_doctor_verdict(
		check, DAXC_CHECK_BROKEN,
		g_strdup_printf("not loaded: %s%s%s", hmem ? "" : "dax_hmem",
				hmem || device ? "" : ", ", device ? "" : "device_dax"),
		g_strdup(
			"`modprobe dax_hmem region_idle=1`, then `modprobe device_dax`"));
}

/* Both kernel drivers have some, and daxcolor looks at one's only. */
static void judge_unused(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *used = list_regions(doctor->regions);
	g_autofree char *unused = list_regions(doctor->unused);

	daxc_doctor_verdict(
		check, DAXC_CHECK_WARNING,
		g_strdup_printf("%s of %s %s used; %s of %s %s not", used,
				doctor->dax_color ? "dax_color" : "mainline",
				doctor->regions->len == 1 ? "is" : "are", unused,
				doctor->dax_color ? "mainline" : "dax_color",
				doctor->unused->len == 1 ? "is" : "are"),
		g_strdup("give all memory to one of them when no guest runs "
			 "(`dax-color-bind`, or `dax-color-bind --release`)"));
}

static void check_regions(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *iomem = daxc_doctor_text(doctor, "/proc/iomem");
	gboolean reserved = iomem && strstr(iomem, "Soft Reserved");

	if (doctor->regions->len > 0 && doctor->unused->len > 0) {
		judge_unused(doctor, check);
		return;
	}
	if (doctor->regions->len > 0) {
		daxc_doctor_ok(check, "%u dax region%s%s", doctor->regions->len,
			       doctor->regions->len == 1 ? "" : "s",
			       doctor->dax_color ? " of dax_color" : "");
		return;
	}
	if (doctor->dax_color)
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup("dax_color has no memory, and the configuration wants "
				 "it (kernel = dax_color)"),
			g_strdup("give it the memory with `dax-color-bind`, or say "
				 "kernel = auto in daxcolor.conf"));
	else if (reserved)
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup(
				"there is soft-reserved memory (/proc/iomem), but no dax "
				"region was made of it"),
			g_strdup(
				"load dax_hmem; if it is, the reserved range must fill a "
				"whole memory entry of the SRAT (kernels since 6.2 "
				"take no less)"));
	else
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup(
				"no memory of this host is soft-reserved, so there is no "
				"dax region"),
			g_strdup(
				"have the firmware mark it (EFI_MEMORY_SP), or boot with "
				"`nokaslr memmap=SIZE%START-1+0xefffffff`"));
}

static void note_kmem(const char *name, guint region, const char *driver, gpointer data)
{
	if (g_strcmp0(driver, "kmem") == 0)
		g_ptr_array_add(data, g_strdup(name));
}

static gint by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_kmem(Doctor *doctor, DaxcCheck *check)
{
	g_autoptr(GPtrArray) taken = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *names = NULL;

	each_instance(doctor, note_kmem, taken);
	if (taken->len == 0) {
		daxc_doctor_ok(check, "kmem has no region");
		return;
	}
	g_ptr_array_sort(taken, by_text);
	names = daxc_doctor_join(taken);
	daxc_doctor_verdict(
		check, DAXC_CHECK_BROKEN,
		g_strdup_printf(
			"kmem has made %s into ordinary memory of the host, which "
			"takes guests' colors away until the next boot",
			names),
		g_strdup("set region_idle=1 for dax_hmem (" DOCTOR_FIX
			 ") or `blacklist kmem` in " MODPROBE_DIR ", then boot again"));
}

static void note_seed(const char *name, guint region, const char *driver, gpointer data)
{
	if (driver && g_str_has_suffix(name, ".0"))
		g_ptr_array_add(data, g_strdup_printf("%s (%s)", name, driver));
}

static gboolean idle_on_command_line(const Doctor *doctor)
{
	g_autofree char *line = daxc_doctor_text(doctor, "/proc/cmdline");

	return line && (strstr(line, "dax_hmem.region_idle=1") ||
			strstr(line, "dax_hmem.region_idle=Y") ||
			strstr(line, "dax_hmem.region_idle=y"));
}

static void check_region_idle(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *value =
		daxc_doctor_text(doctor, "/sys/module/dax_hmem/parameters/region_idle");
	g_autoptr(GPtrArray) bound = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *names = NULL;

	if (value && *value == 'Y') {
		daxc_doctor_ok(check, "dax_hmem leaves regions to us (region_idle=1)");
		return;
	}
	each_instance(doctor, note_seed, bound);
	if (bound->len == 0 && !value) {
		daxc_doctor_ok(check, "no region is bound to a driver whole");
		return;
	}
	g_ptr_array_sort(bound, by_text);
	names = daxc_doctor_join(bound);
	if (bound->len == 0)
		daxc_doctor_verdict(
			check, DAXC_CHECK_WARNING,
			g_strdup("dax_hmem was loaded without region_idle=1: the next "
				 "region "
				 "that appears is taken whole by a driver"),
			g_strdup("reload it: `modprobe -r device_dax dax_hmem`, then "
				 "`modprobe dax_hmem region_idle=1` and `modprobe "
				 "device_dax`"));
	else
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup_printf(
				"dax_hmem was loaded without region_idle=1, so the "
				"whole region went to one device: %s",
				names),
			g_strdup("with no guest running: `modprobe -r device_dax "
				 "dax_hmem`, "
				 "`modprobe dax_hmem region_idle=1`, `modprobe "
				 "device_dax`; "
				 "or boot again"));
}

/* Whether some file in modprobe.d sets region_idle. */
static gboolean idle_in_modprobe(const Doctor *doctor, const char *dir)
{
	g_autofree char *path = daxc_doctor_path(doctor, dir);
	g_autoptr(GDir) list = g_dir_open(path, 0, NULL);
	const char *name;

	while (list && (name = g_dir_read_name(list))) {
		g_autofree char *file = g_build_filename(path, name, NULL);
		g_autofree char *text = NULL;

		if (g_str_has_suffix(name, ".conf") &&
		    g_file_get_contents(file, &text, NULL, NULL) &&
		    g_regex_match_simple("^[ \t]*options[ \t]+dax_hmem[ \t].*"
					 "\\bregion_idle=[1Yy]",
					 text, G_REGEX_MULTILINE, 0))
			return TRUE;
	}
	return FALSE;
}

static void check_boot(Doctor *doctor, DaxcCheck *check)
{
	if (idle_on_command_line(doctor) || idle_in_modprobe(doctor, MODPROBE_DIR) ||
	    idle_in_modprobe(doctor, "/usr/lib/modprobe.d")) {
		daxc_doctor_ok(check, "region_idle=1 is set for the next boot");
		return;
	}
	check->fixable = TRUE;
	daxc_doctor_verdict(
		check, DAXC_CHECK_WARNING,
		g_strdup("nothing sets region_idle=1 for dax_hmem at the next boot: the "
			 "region may then become ordinary memory"),
		g_strdup("write `options dax_hmem region_idle=1` to " MODPROBE_FILE
			 ", or " DOCTOR_FIX));
}

static gboolean fix_boot(Doctor *doctor, GError **error)
{
	return daxc_doctor_write(
		       doctor, MODPROBE_FILE,
		       "# daxcolor: regions stay free, neither device_dax nor kmem takes "
		       "them whole.\noptions dax_hmem region_idle=1\n",
		       error) &&
	       daxc_doctor_write(doctor, MODULES_LOAD_FILE,
				 "# daxcolor: in this order.\ndax_hmem\ndevice_dax\n",
				 error);
}

static gint node_of_region(const Doctor *doctor, guint region)
{
	g_autofree char *path =
		g_strdup_printf("%s/dax%u.0/%s",
				doctor->dax_color ? DAXC_CLASS_DEVICES : DAXC_BUS_DEVICES,
				region, "target_node");
	g_autofree char *text = daxc_doctor_text(doctor, path);
	guint64 node;

	if (!text || !daxc_uint_parse(text, "node", G_MAXINT, &node, NULL))
		return -1;
	return (gint)node;
}

/* A cache that is not direct-mapped has no colors to give. */
static void check_cache(Doctor *doctor, DaxcCheck *check)
{
	guint caches = 0;

	for (guint i = 0; i < doctor->regions->len; i++) {
		gint node =
			node_of_region(doctor, g_array_index(doctor->regions, guint, i));
		g_autofree char *path =
			g_strdup_printf("/sys/devices/system/node/node%d/"
					"memory_side_cache/index1/indexing",
					node);
		g_autofree char *indexing = node < 0 ? NULL
						     : daxc_doctor_text(doctor, path);

		if (!indexing)
			continue;
		caches++;
		if (strcmp(indexing, "0") == 0)
			continue;
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup_printf(
				"the memory-side cache of node %d is not "
				"direct-mapped: which lines evict each other does "
				"not follow from the address",
				node),
			g_strdup("its memory cannot be partitioned by color; use another "
				 "node, or the platform's direct-mapped mode"));
		return;
	}
	daxc_doctor_ok(check, caches ? "direct-mapped" : "none that sysfs shows");
}

const DoctorCheck daxc_doctor_kernel_checks[] = {
	{"modules", "kernel modules", ON_SYSTEM, check_modules},
	{"regions", "dax regions", ON_SYSTEM, check_regions},
	{"kmem", "kmem", ON_SYSTEM, check_kmem},
	{"region-idle", "region_idle, now", ON_SYSTEM, check_region_idle},
	{"boot", "region_idle, next boot", ON_SYSTEM, check_boot, fix_boot},
	{"cache", "memory-side caches", ON_SYSTEM, check_cache},
	{NULL},
};
