// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device-dax of mainline kernels. Changes go through libdaxctl, but for one that it
 * has no call for; reading is kernel-sysfs.c's.
 */
#include "adapters/kernel-priv.h"

#include <daxctl/libdaxctl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/scrub.h"

#define BUS "/sys/bus/dax"
#define BIND BUS "/drivers/" DAXC_DRIVER_DEVDAX "/bind"
#define REFCNT "/sys/module/" DAXC_DRIVER_DEVDAX "/refcnt"

/**
 * Mainline:
 * @ctx: (nullable): libdaxctl's view. Only names and paths of it are used: its
 *   sizes are those of its first look
 */
typedef struct {
	DaxcKernel kernel;
	struct daxctl_ctx *ctx;
} Mainline;

static const DaxcSysfs bus = {"", DAXC_SYSFS_MAINLINE};

static Mainline *mainline_of(DaxcKernel *kernel)
{
	return (Mainline *)kernel;
}

/* ---- libdaxctl ---- */

/* Its own way is standard error; what matters comes back as an errno. */
static void log_debug(struct daxctl_ctx *ctx, int priority, const char *file, int line,
		      const char *function, const char *format, va_list args)
	G_GNUC_PRINTF(6, 0);
static void log_debug(struct daxctl_ctx *ctx, int priority, const char *file, int line,
		      const char *function, const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);

	g_debug("libdaxctl: %s", g_strchomp(text));
}

static void forget(Mainline *mainline)
{
	g_clear_pointer(&mainline->ctx, daxctl_unref);
}

static gboolean look(Mainline *mainline, GError **error)
{
	int code;

	if (mainline->ctx)
		return TRUE;
	code = daxctl_new(&mainline->ctx);
	if (code < 0) {
		mainline->ctx = NULL;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot start libdaxctl: %s", g_strerror(-code));
		return FALSE;
	}
	daxctl_set_log_fn(mainline->ctx, log_debug);
	return TRUE;
}

static struct daxctl_region *find_region(Mainline *mainline, guint id)
{
	struct daxctl_region *region = daxctl_region_get_first(mainline->ctx);

	while (region && daxctl_region_get_id(region) != (int)id)
		region = daxctl_region_get_next(region);
	return region;
}

static struct daxctl_dev *find_dev(Mainline *mainline, const char *name)
{
	struct daxctl_region *region;
	struct daxctl_dev *dev;
	guint id, number;

	if (!daxc_instance_name_parse(name, &id, &number))
		return NULL;
	region = find_region(mainline, id);
	dev = region ? daxctl_dev_get_first(region) : NULL;
	while (dev && daxctl_dev_get_id(dev) != (int)number)
		dev = daxctl_dev_get_next(dev);
	return dev;
}

static struct daxctl_dev *require_dev(Mainline *mainline, const char *name,
				      GError **error)
{
	struct daxctl_dev *dev = NULL;

	if (mainline->ctx)
		dev = find_dev(mainline, name);
	if (!dev) {
		forget(mainline);
		if (!look(mainline, error))
			return NULL;
		dev = find_dev(mainline, name);
	}
	if (!dev)
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
			"libdaxctl finds no instance %s; is devtmpfs mounted on /dev, "
			"with /dev/%s in it?",
			name, name);
	/* For errno_of(). */
	errno = 0;
	return dev;
}

/* libdaxctl makes ENXIO of most errors of a write, but leaves the write's errno. */
static int errno_of(int result)
{
	return errno ? errno : -result;
}

/* ---- looking ---- */

/*
 * Removing a mapping waits for who is reading its attributes, with the region's lock
 * held for which that reader waits: seen on 6.1, and nothing but a reboot ends it. So
 * ours do not meet. Without the file (who is not root cannot read these attributes)
 * there is no lock.
 */
static int lock_mappings(int how)
{
	int fd;

	g_mkdir_with_parents(DAXC_DEFAULT_RUN_DIR, 0755);
	fd = open(DAXC_DEFAULT_RUN_DIR "/mappings",
		  O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (fd >= 0 && flock(fd, how) != 0 && errno == EINTR)
		;
	return fd;
}

static void unlock_mappings(int fd)
{
	if (fd >= 0)
		close(fd);
}

static GPtrArray *mainline_regions(DaxcKernel *kernel, GError **error)
{
	return daxc_sysfs_regions(&bus, error);
}

static GPtrArray *mainline_instances(DaxcKernel *kernel, GError **error)
{
	int lock = lock_mappings(LOCK_SH);
	GPtrArray *instances = daxc_sysfs_instances(&bus, error);

	unlock_mappings(lock);
	return instances;
}

static DaxcInstance *mainline_instance(DaxcKernel *kernel, const char *name,
				       GError **error)
{
	int lock = lock_mappings(LOCK_SH);
	DaxcInstance *instance = daxc_sysfs_instance(&bus, name, error);

	unlock_mappings(lock);
	return instance;
}

/* The module is pinned by every open file of every instance, in whose hands ever. */
static gboolean nothing_is_open(void)
{
	g_autofree char *text = NULL;

	return g_file_get_contents(REFCNT, &text, NULL, NULL) && strcmp(text, "0\n") == 0;
}

static GPtrArray *mainline_holders(DaxcKernel *kernel, const char *name, GError **error)
{
	if (nothing_is_open())
		return g_ptr_array_new_with_free_func(g_free);
	return daxc_sysfs_holders(&bus, name, error);
}

static GPtrArray *mainline_processes(DaxcKernel *kernel, const GPtrArray *instances,
				     GError **error)
{
	if (nothing_is_open())
		return g_ptr_array_new_with_free_func((GDestroyNotify)daxc_process_free);
	return daxc_sysfs_processes(&bus, instances, error);
}

static gboolean mainline_is_elsewhere(DaxcKernel *kernel, const char *name)
{
	static const DaxcSysfs class = {"", DAXC_SYSFS_DAX_COLOR};
	g_autoptr(DaxcInstance) instance = daxc_sysfs_instance(&class, name, NULL);

	return instance && instance->size > 0;
}

/* ---- steps ---- */

static gboolean mainline_create(DaxcKernel *kernel, guint id, char **name, GError **error)
{
	Mainline *mainline = mainline_of(kernel);
	g_autofree char *what = g_strdup_printf("region %u", id);
	struct daxctl_region *region;
	int result;

	/* libdaxctl lists a region's instances when first asked for one, and once:
	 * that has to come after this. */
	forget(mainline);
	if (!look(mainline, error))
		return FALSE;
	region = find_region(mainline, id);
	if (!region)
		return daxc_kernel_refused(error, DAXC_STEP_CREATE, what, ENODEV);
	errno = 0;
	result = daxctl_region_create_dev(region);
	if (result < 0)
		return daxc_kernel_refused(error, DAXC_STEP_CREATE, what, -result);
	/* libdaxctl only knows the seed, which may be an older one. */
	*name = daxc_sysfs_read(&bus, id, "create", error);
	return *name != NULL;
}

static gboolean mainline_set_align(DaxcKernel *kernel, const char *name, guint64 align,
				   GError **error)
{
	struct daxctl_dev *dev = require_dev(mainline_of(kernel), name, error);
	int result;

	if (!dev)
		return FALSE;
	result = daxctl_dev_set_align(dev, align);
	if (result < 0)
		return daxc_kernel_refused(error, DAXC_STEP_ALIGN, name,
					   errno_of(result));
	return TRUE;
}

static gboolean mainline_add_extent(DaxcKernel *kernel, const char *name,
				    const DaxcExtent *extent, GError **error)
{
	struct daxctl_dev *dev = require_dev(mainline_of(kernel), name, error);
	g_autofree char *range = daxc_range_format(extent->start, extent->size);
	g_autofree char *what = g_strdup_printf("%s to %s", range, name);
	int result;

	if (!dev)
		return FALSE;
	/* The kernel accepts it, and oopses when it is touched. Somebody's new_id or
	 * module load may have bound it: look as late as possible. */
	if (daxctl_dev_is_enabled(dev))
		return daxc_kernel_refused(error, DAXC_STEP_EXTENT, what, EBUSY);
	errno = 0;
	result = daxctl_dev_set_mapping(dev, extent->start,
					extent->start + (extent->size - 1));
	if (result < 0)
		return daxc_kernel_refused(error, DAXC_STEP_EXTENT, what,
					   errno_of(result));
	return TRUE;
}

static gboolean mainline_clear(DaxcKernel *kernel, const char *name, GError **error)
{
	struct daxctl_dev *dev = require_dev(mainline_of(kernel), name, error);
	int result, lock;

	if (!dev)
		return FALSE;
	lock = lock_mappings(LOCK_EX);
	result = daxctl_dev_set_size(dev, 0);
	unlock_mappings(lock);
	if (result < 0)
		return daxc_kernel_refused(error, DAXC_STEP_CLEAR, name,
					   errno_of(result));
	return TRUE;
}

static int write_bind(const char *name)
{
	int fd = open(BIND, O_WRONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		return errno;
	if (write(fd, name, strlen(name)) < 0)
		code = errno;
	close(fd);
	return code;
}

/*
 * Binds this instance and no other, which libdaxctl has no call for: it begins with
 * new_id, at which the driver takes every unbound instance of the host that has
 * memory, even one that somebody is just mapping. Only where the driver does not take
 * it so (ENODEV: on 6.12, when the region was not idle) or is not loaded (ENOENT),
 * libdaxctl has to.
 */
static gboolean mainline_enable(DaxcKernel *kernel, const char *name, GError **error)
{
	Mainline *mainline = mainline_of(kernel);
	int code = write_bind(name);
	struct daxctl_dev *dev;

	if (code == 0)
		return TRUE;
	if (code != ENODEV && code != ENOENT)
		return daxc_kernel_refused(error, DAXC_STEP_ENABLE, name, code);
	dev = require_dev(mainline, name, error);
	if (!dev)
		return FALSE;
	code = daxctl_dev_enable_devdax(dev);
	/* A device that was enabled and is disabled in one context loses its module
	 * reference twice (libdaxctl 76). */
	forget(mainline);
	if (code < 0)
		return daxc_kernel_refused(error, DAXC_STEP_ENABLE, name, -code);
	return TRUE;
}

static gboolean mainline_disable(DaxcKernel *kernel, const char *name, GError **error)
{
	struct daxctl_dev *dev = require_dev(mainline_of(kernel), name, error);
	int result;

	if (!dev)
		return FALSE;
	result = daxctl_dev_disable(dev);
	if (result < 0)
		return daxc_kernel_refused(error, DAXC_STEP_DISABLE, name, -result);
	return TRUE;
}

static gboolean mainline_destroy(DaxcKernel *kernel, const char *name, GError **error)
{
	Mainline *mainline = mainline_of(kernel);
	struct daxctl_dev *dev = require_dev(mainline, name, error);
	int result;

	if (!dev)
		return FALSE;
	result = daxctl_region_destroy_dev(daxctl_dev_get_region(dev), dev);
	forget(mainline);
	if (result < 0)
		return daxc_kernel_refused(error, DAXC_STEP_DELETE, name, -result);
	return TRUE;
}

/* ---- zero ---- */

/* Opens /dev/@name, if that is the instance and not something that is named so. */
static int open_node(const char *name, GError **error)
{
	g_autofree char *path = g_build_filename("/dev", name, NULL);
	guint major, minor;
	struct stat st;
	int fd, code;

	if (!daxc_sysfs_devno(&bus, name, &major, &minor, error))
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	code = errno;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(major, minor))
		return fd;
	if (fd >= 0)
		close(fd);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "cannot open %s: %s; it must be the character device %u:%u", path,
		    fd >= 0 ? "it is something else" : g_strerror(code), major, minor);
	return -1;
}

static gboolean mainline_zero(DaxcKernel *kernel, const char *name, guint64 offset,
			      guint64 size, const DaxcScrubOptions *options, guint64 *bad,
			      GError **error)
{
	g_autoptr(DaxcInstance) instance = mainline_instance(kernel, name, error);
	gboolean ok;
	int fd;

	if (!instance)
		return FALSE;
	fd = open_node(name, error);
	if (fd < 0)
		return FALSE;
	ok = daxc_scrub_fd(fd, offset, size, instance->align, options, bad, error);
	close(fd);
	if (!ok)
		g_prefix_error(error, "cannot zero %s: ", name);
	return ok;
}

static void mainline_free(DaxcKernel *kernel)
{
	forget(mainline_of(kernel));
	g_free(kernel);
}

static const char *const mainline_limits[] = {
	"Root can open, map, resize or unbind an instance while a guest uses it: "
	"the kernel knows no claims, and does not keep others away from it.",
	"When an instance is disabled, memory that a device still reaches by DMA (VFIO) "
	"is not waited for.",
	"The kernel zeroes nothing.",
	"The kernel forgets every instance at reboot.",
	NULL,
};

static const DaxcKernelOps mainline_ops = {
	.name = "mainline",
	.limits = mainline_limits,
	.driver = DAXC_DRIVER_DEVDAX,
	.free = mainline_free,
	.regions = mainline_regions,
	.instances = mainline_instances,
	.instance = mainline_instance,
	.create = mainline_create,
	.set_align = mainline_set_align,
	.add_extent = mainline_add_extent,
	.clear = mainline_clear,
	.enable = mainline_enable,
	.disable = mainline_disable,
	.destroy = mainline_destroy,
	.zero = mainline_zero,
	.holders = mainline_holders,
	.is_elsewhere = mainline_is_elsewhere,
	.processes = mainline_processes,
};

DaxcKernel *daxc_kernel_mainline_new(GError **error)
{
	Mainline *mainline;

	if (!g_file_test(BUS, G_FILE_TEST_IS_DIR)) {
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_UNSUPPORTED,
			"this host has no device-dax (" BUS " is missing): run "
			"`modprobe dax_hmem region_idle=1` and `modprobe device_dax`; "
			"only memory that firmware or the kernel parameter memmap= "
			"reserves for special purpose becomes a dax region");
		return NULL;
	}
	mainline = g_new0(Mainline, 1);
	mainline->kernel.ops = &mainline_ops;
	return &mainline->kernel;
}
