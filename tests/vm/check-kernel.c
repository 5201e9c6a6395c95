// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device-dax of a real kernel, and what kernel.c makes of it. Runs as root in the
 * virtual host, with a region 0 of at least 8 GiB that is idle and free:
 *
 *   tests/vm/host --kernel 6.1 -- BUILD/tests/vm/check-kernel [--kmem | --dax-color]
 *
 * Each trap that kernel.c knows of is first shown to be there, by writing to sysfs,
 * then that ours refuses or finds it and that nothing has changed. With --kmem the
 * region becomes RAM at the end, and stays so until the next boot. With --dax-color the
 * region is dax_color's, which has other traps.
 *
 * Prints "ok - ..." and "not ok - ..." lines; exits 1 when something was not ok.
 */
#define _GNU_SOURCE /* vmsplice */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/kernel.h"
#include "core/owner.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)
#define DRIVER "/sys/bus/dax/drivers/device_dax/"
#define REGION "/sys/bus/dax/devices/dax0.0/../dax_region/"

static guint n_failed;
static guint n_passed;

/* Where region 0 begins. */
static guint64 base;
static DaxcKernel *kernel;
static const char *devices = "/sys/bus/dax/devices/";

/* ---- reporting ---- */

G_GNUC_PRINTF(2, 3)
static gboolean ok(gboolean condition, const char *format, ...)
{
	va_list args;

	if (condition)
		n_passed++;
	else
		n_failed++;
	printf("%s - ", condition ? "ok" : "not ok");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return condition;
}

G_GNUC_PRINTF(1, 2)
static void note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static gboolean ok_error(const GError *error, int code, const char *text,
			 const char *what)
{
	gboolean good = error && g_error_matches(error, DAXC_ERROR, code) &&
			strstr(error->message, text);

	ok(good, "%s", what);
	if (!good)
		note("wanted code %d and \"%s\", got code %d: %s", code, text,
		     error ? error->code : -1, error ? error->message : "no error");
	return good;
}

static gboolean ok_no_error(gboolean done, const GError *error, const char *what)
{
	ok(done && !error, "%s", what);
	if (error)
		note("%s", error->message);
	return done;
}

static gboolean is_kernel(const char *series)
{
	struct utsname name;

	if (uname(&name) < 0 || !g_str_has_prefix(name.release, series))
		return FALSE;
	return !g_ascii_isdigit(name.release[strlen(series)]);
}

/* ---- the kernel, by hand ---- */

/* Returns: 0 or the errno of the write. */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		code = errno;
	close(fd);
	return code;
}

static int write_attribute(const char *name, const char *attribute, const char *text)
{
	g_autofree char *path = g_strconcat(devices, name, "/", attribute, NULL);

	return write_file(path, text);
}

static char *read_attribute(const char *name, const char *attribute)
{
	g_autofree char *path = g_strconcat(devices, name, "/", attribute, NULL);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return g_strdup("");
	return g_strchomp(text);
}

static guint64 read_size(const char *name)
{
	g_autofree char *text = read_attribute(name, "size");

	return g_ascii_strtoull(text, NULL, 10);
}

/* All offsets are from the beginning of the region. */
static int write_mapping(const char *name, guint64 offset, guint64 size)
{
	g_autofree char *range = daxc_range_format(base + offset, size);

	return write_attribute(name, "mapping", range);
}

static char *create_by_hand(const char *align)
{
	g_autofree char *name = NULL;

	if (write_file(REGION "create", "1") != 0)
		return NULL;
	name = read_attribute("dax0.0", "../dax_region/create");
	if (write_attribute(name, "align", align) != 0)
		return NULL;
	return g_steal_pointer(&name);
}

static void destroy_by_hand(const char *name)
{
	write_file(DRIVER "unbind", name);
	write_attribute(name, "size", "0");
	write_file(REGION "delete", name);
}

static gboolean exists(const char *name)
{
	g_autofree char *path = g_strconcat(devices, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static char *driver_of(const char *name)
{
	g_autofree char *path = g_strconcat(devices, name, "/driver", NULL);
	g_autofree char *target = g_file_read_link(path, NULL);

	return target ? g_path_get_basename(target) : NULL;
}

/* Everything that sysfs shows of region 0, read by nothing of ours. */
static char *snapshot(void)
{
	g_autofree char *text = NULL;

	if (!g_spawn_command_line_sync("daxctl list -r 0 -RDiM", &text, NULL, NULL, NULL))
		return g_strdup("");
	return g_steal_pointer(&text);
}

static void ok_unchanged(const char *before)
{
	g_autofree char *now = snapshot();

	if (!ok(strcmp(before, now) == 0, "... and nothing has changed"))
		note("before: %s\n# now: %s", before, now);
}

/* ---- ours ---- */

/* "1+1,3+1": offsets in the region and sizes in units of @unit */
static GArray *make_extents(const char *text, guint64 unit)
{
	GArray *extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	for (guint i = 0; parts[i]; i++) {
		DaxcExtent extent;
		char *rest;

		extent.start = base + g_ascii_strtoull(parts[i], &rest, 10) * unit;
		extent.size = g_ascii_strtoull(rest + 1, NULL, 10) * unit;
		g_array_append_val(extents, extent);
	}
	return extents;
}

/* @tenant: (nullable) */
static char *carve_extents(const GArray *extents, guint64 align, const char *tenant,
			   GError **error)
{
	const DaxcKernelCarving asked = {
		.align = align,
		.granule = align,
		.extents = extents,
		.tenant = tenant,
	};
	g_autoptr(GArray) denied = g_array_new(FALSE, FALSE, sizeof(DaxcDenied));
	g_autofree char *name = NULL;

	if (!daxc_kernel_carve(kernel, &asked, &name, error) ||
	    !daxc_kernel_fill(kernel, &asked, name, denied, error))
		return NULL;
	return g_steal_pointer(&name);
}

static char *carve(const char *text, guint64 unit, guint64 align, GError **error)
{
	g_autoptr(GArray) extents = make_extents(text, unit);

	return carve_extents(extents, align, NULL, error);
}

static void ok_refused(const char *text, guint64 unit, guint64 align, int code,
		       const char *message, const char *what)
{
	g_autofree char *before = snapshot();
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve(text, unit, align, &error);

	ok_error(error, code, message, what);
	ok(!name, "... no instance is left");
	ok_unchanged(before);
}

static gboolean destroy_ok(const char *name)
{
	g_autoptr(GError) error = NULL;
	gboolean done = daxc_kernel_destroy(kernel, name, NULL, &error);

	ok_no_error(done, error, "ours destroys it");
	return done;
}

/* ---- memory ---- */

/* Through whatever node: @path is /dev/NAME unless it is said. */
static guint64 *map_node(const char *path, guint64 size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static guint64 *map(const char *name, guint64 size)
{
	g_autofree char *path = g_strconcat("/dev/", name, NULL);

	return map_node(path, size);
}

/* One word in each 4 KiB page says where it is. */
static void write_pattern(guint64 *memory, guint64 size)
{
	for (guint64 offset = 0; offset < size; offset += 4096)
		memory[offset / 8 + 7] = offset + 1;
}

static guint64 count_pattern(const guint64 *memory, guint64 size)
{
	guint64 found = 0;

	for (guint64 offset = 0; offset < size; offset += 4096)
		found += memory[offset / 8 + 7] == offset + 1;
	return found;
}

static guint64 count_nonzero_words(const guint64 *memory, guint64 size)
{
	guint64 found = 0;

	for (guint64 word = 0; word < size / 8; word++)
		found += memory[word] != 0;
	return found;
}

/* KernelPageSize of the mapping at @memory, in kB. */
static guint64 page_size_of(const void *memory)
{
	g_autofree char *start = g_strdup_printf("%lx-", (gulong)memory);
	g_autofree char *text = NULL;
	const char *at;

	if (!g_file_get_contents("/proc/self/smaps", &text, NULL, NULL))
		return 0;
	at = strstr(text, start);
	at = at ? strstr(at, "KernelPageSize:") : NULL;
	return at ? g_ascii_strtoull(at + strlen("KernelPageSize:"), NULL, 10) : 0;
}

/* ---- children that hold an instance ---- */

typedef enum {
	HOLD_OPEN,
	HOLD_MAPPED,
} Hold;

static void be_holder(const char *path, Hold hold, int ready)
{
	guint64 *memory = NULL;
	int fd = -1;

	if (hold == HOLD_OPEN)
		fd = open(path, O_RDWR);
	else
		memory = map_node(path, GIB);
	if (fd < 0 && !memory)
		_exit(1);
	if (memory)
		memory[0] = 1;
	if (write(ready, "x", 1) != 1)
		_exit(1);
	for (;;) {
		pause();
		/* SIGUSR1: touch it. */
		if (memory)
			memory[0]++;
	}
}

static void ignore(int number)
{
}

static pid_t start_holder(const char *path, Hold hold)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		signal(SIGUSR1, ignore);
		be_holder(path, hold, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		note("the child could not get hold of %s", path);
	close(ready[0]);
	return pid;
}

/* Returns: the signal that ended it. */
static int end_holder(pid_t pid, int number)
{
	int status;

	if (number)
		kill(pid, number);
	if (waitpid(pid, &status, 0) != pid)
		return 0;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* ---- what must be true at the start ---- */

static gboolean check_start(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) regions = daxc_kernel_regions(kernel, &error);
	g_autoptr(GPtrArray) instances = daxc_kernel_instances(kernel, &error);
	g_autofree char *resource = read_attribute("dax0.0", "resource");
	const DaxcRegion *region;
	const DaxcInstance *seed;

	if (!ok_no_error(regions && instances, error, "regions and instances are read"))
		return FALSE;
	if (!ok(regions->len > 0 && instances->len > 0, "there is a region"))
		return FALSE;
	region = regions->pdata[0];
	seed = instances->pdata[0];
	base = region->start;
	note("region 0: 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT
	     " bytes, node %d, align %" G_GUINT64_FORMAT,
	     region->start, region->size, region->node, region->align);
	ok(region->id == 0 && base == g_ascii_strtoull(resource, NULL, 16),
	   "it begins where its empty seed says");
	ok(region->node == 1, "it is on node 1");
	ok(seed->seed && strcmp(seed->name, "dax0.0") == 0 && seed->size == 0 &&
		   !seed->driver && seed->major == 0,
	   "an idle region has an empty, unbound seed");
	return ok(region->size >= 8 * GIB && region->available == region->size &&
			  base % GIB == 0,
		  "it has 8 GiB free, on a GiB");
}

/* ---- traps ---- */

static void check_misaligned_start(void)
{
	g_autofree char *name = create_by_hand("0x40000000");

	ok(name && write_mapping(name, 512 * MIB, GIB) == 0 && read_size(name) == GIB,
	   "trap: a misaligned start is accepted");
	destroy_by_hand(name);
	ok_refused("512+1024", MIB, GIB, DAXC_ERROR_INVALID, "multiples of 1 GiB",
		   "ours refuses it");
}

static void check_odd_length(void)
{
	g_autofree char *name = create_by_hand("0x40000000");
	int code = write_mapping(name, GIB, 512 * MIB);

	if (is_kernel("6.1"))
		ok(code == ENXIO, "trap: an odd length is ENXIO on 6.1");
	else if (is_kernel("6.12"))
		ok(code == 0, "trap: an odd length is a success on 6.12");
	else
		note("an odd length: %s", g_strerror(code));
	ok(read_size(name) == 0, "trap: ... and nothing is mapped");
	destroy_by_hand(name);
	ok_refused("1024+512", MIB, GIB, DAXC_ERROR_INVALID, "multiples of 1 GiB",
		   "ours refuses it");
}

/* The step itself, past our checks: what it reports is found by reading back. */
static void check_silent_success_is_found(void)
{
	g_autofree char *name = create_by_hand("0x40000000");
	const DaxcExtent odd = {base + GIB, 512 * MIB};
	g_autoptr(GError) error = NULL;
	gboolean done = kernel->ops->add_extent(kernel, name, &odd, &error);

	if (is_kernel("6.12"))
		ok_no_error(done, error, "trap: libdaxctl reports that success too");
	else
		ok_error(error, DAXC_ERROR_KERNEL, "no multiple of the instance's align",
			 "libdaxctl's ENXIO becomes a sentence");
	destroy_by_hand(name);
}

static void check_overlap(void)
{
	g_autofree char *one = create_by_hand("0x40000000");
	g_autofree char *two = create_by_hand("0x40000000");
	g_autofree char *text = NULL;
	const DaxcExtent same = {base + GIB, GIB};
	g_autoptr(GError) error = NULL;

	ok(write_mapping(one, GIB, 2 * GIB) == 0, "an instance by hand");
	ok(write_mapping(two, 2 * GIB, 2 * GIB) == ENOMEM, "trap: overlap is ENOMEM");
	ok(write_mapping(one, GIB, GIB) == ENOMEM, "trap: a duplicate is ENOMEM");
	ok(write_mapping(two, 0 - GIB, GIB) == ENOMEM, "trap: outside is ENOMEM");
	ok(!kernel->ops->add_extent(kernel, two, &same, &error),
	   "so it is for libdaxctl");
	ok_error(error, DAXC_ERROR_KERNEL, "another instance has part of it",
		 "its errno becomes a sentence");
	text = g_strdup_printf(" of %s", one);
	ok_refused("2+2", GIB, GIB, DAXC_ERROR_REFUSED, text, "ours refuses overlap");
	ok_refused("8+1024", GIB, GIB, DAXC_ERROR_INVALID, "not in region 0",
		   "ours refuses what is outside");
	ok_refused("4+2,5+1", GIB, GIB, DAXC_ERROR_INVALID, "of the same instance",
		   "ours refuses overlap with itself");
	destroy_by_hand(two);
	destroy_by_hand(one);
}

static void check_deletion(void)
{
	g_autofree char *name = create_by_hand("0x40000000");

	ok(write_file(REGION "delete", "dax0.0") == EBUSY,
	   "trap: the seed cannot be deleted");
	ok(write_file(DRIVER "bind", name) == ENXIO, "trap: binding size 0 is ENXIO");
	ok(write_mapping(name, 0, GIB) == 0 && write_file(REGION "delete", name) == EBUSY,
	   "trap: one with memory cannot be deleted");
	ok(write_file(DRIVER "bind", name) == 0, "it can be bound");
	ok(write_file(REGION "delete", name) == EBUSY,
	   "trap: a bound one cannot be deleted");
	ok(write_attribute(name, "size", "0") == EBUSY,
	   "trap: a bound one cannot be emptied");
	ok(write_attribute(name, "align", "0x200000") == EBUSY,
	   "trap: the align of a bound one cannot be changed");
	destroy_ok(name);
	ok(!exists(name), "... and it is gone");
	destroy_ok(name);
	destroy_ok("dax0.0");
	ok(exists("dax0.0"), "... but a seed stays");
}

/* Touching what is mapped so would oops: it is not. */
static void check_mapping_while_bound(void)
{
	g_autofree char *name = create_by_hand("0x40000000");
	const DaxcExtent more = {base + 2 * GIB, GIB};
	g_autofree char *before = NULL;
	g_autoptr(GError) error = NULL;

	ok(write_mapping(name, 0, GIB) == 0 && write_file(DRIVER "bind", name) == 0,
	   "an enabled instance by hand");
	before = snapshot();
	ok(!kernel->ops->add_extent(kernel, name, &more, &error), "ours does not map it");
	ok_error(error, DAXC_ERROR_KERNEL, "bound a driver", "... and says why");
	ok_unchanged(before);
	ok(write_mapping(name, 2 * GIB, GIB) == 0 && read_size(name) == 2 * GIB,
	   "trap: mapping while bound is accepted");
	destroy_ok(name);
}

static void check_full_region(void)
{
	g_autofree char *size = read_attribute("dax0.0", "../dax_region/size");

	ok(write_attribute("dax0.0", "size", size) == 0, "the seed takes all by hand");
	ok(write_file(REGION "create", "1") == ENOSPC, "trap: a full region is ENOSPC");
	ok(write_attribute("dax0.0", "size", "0") == 0, "it is emptied by hand");
}

static void check_names(void)
{
	g_autofree char *one = create_by_hand("0x40000000");
	g_autofree char *two = create_by_hand("0x40000000");
	g_autofree char *three = NULL;

	destroy_by_hand(one);
	three = create_by_hand("0x40000000");
	ok(g_strcmp0(one, three) == 0, "trap: names are reused at once, lowest first");
	destroy_by_hand(two);
	destroy_by_hand(three);
}

static void check_unbinding_while_mapped(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve("2+1", GIB, GIB, &error);
	g_autofree char *path = g_strconcat("/dev/", name, NULL);
	pid_t pid = start_holder(path, HOLD_MAPPED);

	ok(write_file(DRIVER "unbind", name) == 0,
	   "trap: unbinding while mapped succeeds");
	kill(pid, SIGUSR1);
	ok(end_holder(pid, 0) == SIGBUS, "trap: ... and the user gets SIGBUS");
	destroy_ok(name);
}

/* ---- a carving ---- */

static void ok_attribute(const char *name, const char *attribute, const char *expected)
{
	g_autofree char *text = read_attribute(name, attribute);

	if (!ok(strcmp(text, expected) == 0, "%s is %s", attribute, expected))
		note("it is %s", text);
}

static void ok_range(const char *name, const char *mapping, guint64 offset,
		     const char *page_offset)
{
	g_autofree char *start = g_strconcat(mapping, "/start", NULL);
	g_autofree char *end = g_strconcat(mapping, "/end", NULL);
	g_autofree char *pages = g_strconcat(mapping, "/page_offset", NULL);
	g_autofree char *first = g_strdup_printf("%#lx", (gulong)(base + offset));
	g_autofree char *last =
		g_strdup_printf("%#lx", (gulong)(base + offset + GIB - 1));

	ok_attribute(name, start, first);
	ok_attribute(name, end, last);
	ok_attribute(name, pages, page_offset);
}

static void check_carving(void)
{
	gint64 begin = g_get_monotonic_time();
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve("3+1,1+1", GIB, GIB, &error);
	g_autoptr(DaxcInstance) instance = NULL;
	guint64 *memory;

	if (!ok_no_error(name != NULL, error, "two GiB apart are carved"))
		return;
	note("carving took %.1f ms", (double)(g_get_monotonic_time() - begin) / 1e3);
	ok(strcmp(name, "dax0.0") != 0, "the seed is not used");
	ok_attribute(name, "size", "2147483648");
	ok_attribute(name, "align", "1073741824");
	ok_range(name, "mapping0", 3 * GIB, "0x0");
	ok_range(name, "mapping1", GIB, "0x40000");
	instance = daxc_kernel_instance(kernel, name, &error);
	ok(instance && g_strcmp0(instance->driver, daxc_kernel_driver(kernel)) == 0,
	   "it is enabled");
	ok(instance && instance->major > 0, "its device number is known");

	memory = map(name, 2 * GIB);
	if (ok(memory != NULL, "it can be mapped")) {
		memory[0] = 1;
		memory[GIB / 8] = 2;
		ok(page_size_of(memory) == 1048576, "KernelPageSize is 1 GiB");
		munmap(memory, 2 * GIB);
	}
	begin = g_get_monotonic_time();
	destroy_ok(name);
	note("destroying took %.1f ms", (double)(g_get_monotonic_time() - begin) / 1e3);
}

static void check_small_carving(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve("1538+2,1024+510", MIB, 2 * MIB, &error);
	guint64 *memory;

	if (!ok_no_error(name != NULL, error, "2 MiB and 510 MiB apart are carved"))
		return;
	memory = map(name, 512 * MIB);
	if (ok(memory != NULL, "it can be mapped")) {
		memory[0] = 1;
		ok(page_size_of(memory) == 2048, "KernelPageSize is 2 MiB");
		munmap(memory, 512 * MIB);
	}
	destroy_ok(name);
}

static void check_zeroing(void)
{
	const guint64 size = 2 * GIB;
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve("3+1,1+1", GIB, GIB, &error);
	guint64 *memory = name ? map(name, size) : NULL;
	gint64 begin;

	if (!ok(memory != NULL, "a carving for a pattern"))
		return;
	write_pattern(memory, size);
	ok(count_pattern(memory, size) == size / 4096, "the pattern is written");
	munmap(memory, size);
	destroy_ok(name);
	g_free(name);
	name = carve("3+1,1+1", GIB, GIB, &error);
	memory = map(name, size);
	ok(count_pattern(memory, size) == size / 4096,
	   "trap: the next user finds all of it");
	munmap(memory, size);
	begin = g_get_monotonic_time();
	ok_no_error(daxc_kernel_zero(kernel, name, 0, size, NULL, NULL, &error), error,
		    "ours zeroes it");
	note("zeroing 2 GiB took %.0f ms",
	     (double)(g_get_monotonic_time() - begin) / 1e3);
	memory = map(name, size);
	ok(count_nonzero_words(memory, size) == 0, "every word of it is 0");
	munmap(memory, size);
	destroy_ok(name);
	g_clear_error(&error);
	ok(!daxc_kernel_zero(kernel, "dax0.0", 0, GIB, NULL, NULL, &error),
	   "an empty seed is not zeroed");
	ok_error(error, DAXC_ERROR_KERNEL, "not enabled", "... and why is said");
}

/* ---- holders ---- */

static void ok_holders(const char *name, guint expected, pid_t one, pid_t two)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) holders = daxc_kernel_holders(kernel, name, &error);
	g_autofree char *first = g_strdup_printf("check-kernel (%d)", one);
	g_autofree char *second = g_strdup_printf("check-kernel (%d)", two);
	gboolean good = holders && holders->len == expected;

	for (guint i = 0; good && i < expected; i++)
		good = strcmp(holders->pdata[i], first) == 0 ||
		       strcmp(holders->pdata[i], second) == 0;
	ok_no_error(good, error, "exactly those who hold it are found");
}

static void ok_busy(const char *name, pid_t pid)
{
	g_autofree char *who = g_strdup_printf("check-kernel (%d)", pid);
	g_autofree char *before = snapshot();
	g_autoptr(GError) error = NULL;

	ok(!daxc_kernel_destroy(kernel, name, NULL, &error), "ours does not destroy it");
	ok_error(error, DAXC_ERROR_BUSY, who, "... and names the process");
	ok_unchanged(before);
}

static void check_holders(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve("2+1", GIB, GIB, &error);
	g_autofree char *other = carve("5+1", GIB, GIB, &error);
	g_autofree char *path = g_strconcat("/dev/", name, NULL);
	g_autofree char *other_path = g_strconcat("/dev/", other, NULL);
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, &error);
	const char *node = "/dev/check-kernel-node";
	pid_t pid, second;

	if (!ok(instance && other, "two carvings"))
		return;
	ok_holders(name, 0, 0, 0);
	second = start_holder(other_path, HOLD_OPEN);
	ok_holders(name, 0, 0, 0);
	pid = start_holder(path, HOLD_OPEN);
	note("open only");
	ok_holders(name, 1, pid, pid);
	ok_busy(name, pid);
	end_holder(second, SIGKILL);
	end_holder(pid, SIGKILL);
	ok_holders(name, 0, 0, 0);

	note("mapped, and closed");
	pid = start_holder(path, HOLD_MAPPED);
	ok_holders(name, 1, pid, pid);
	ok_busy(name, pid);
	second = start_holder(path, HOLD_OPEN);
	ok_holders(name, 2, pid, second);
	end_holder(second, SIGKILL);
	end_holder(pid, SIGKILL);

	note("mapped through another node that is deleted");
	if (ok(mknod(node, S_IFCHR | 0600, makedev(instance->major, instance->minor)) ==
		       0,
	       "another node")) {
		pid = start_holder(node, HOLD_MAPPED);
		g_unlink(node);
		ok_holders(name, 1, pid, pid);
		ok_busy(name, pid);
		end_holder(pid, SIGKILL);
	}

	if (daxc_kernel_minds_pins(kernel)) {
		destroy_ok(name);
		destroy_ok(other);
		return;
	}
	note("open, and unbound by somebody");
	pid = start_holder(path, HOLD_OPEN);
	ok(write_file(DRIVER "unbind", name) == 0, "unbound by hand");
	ok_busy(name, pid);
	end_holder(pid, SIGKILL);
	destroy_ok(name);
	destroy_ok(other);
}

/* ---- the seed, and regions that were not idle ---- */

static void check_seed(void)
{
	g_autofree char *size = read_attribute("dax0.0", "../dax_region/size");
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	ok(write_attribute("dax0.0", "size", size) == 0, "the seed has the whole region");
	name = carve("3+1,1+1", GIB, GIB, &error);
	ok_no_error(name != NULL, error, "it is emptied for a carving");
	ok(read_size("dax0.0") == 0, "... and is empty");
	if (name)
		destroy_ok(name);
	ok(write_attribute("dax0.0", "size", size) == 0 &&
		   write_file(DRIVER "bind", "dax0.0") == 0,
	   "the seed has the whole region and is bound");
	ok_refused("1+1", GIB, GIB, DAXC_ERROR_REFUSED, "region_idle=1",
		   "it is not unbound for a carving, and the remedy is said");
	destroy_ok("dax0.0");
	ok(read_size("dax0.0") == 0, "... and is empty");
}

/* Makes region 0 again, idle or not. */
static gboolean reload(gboolean idle)
{
	return write_file("/sys/module/dax_hmem/parameters/region_idle",
			  idle ? "1" : "0") == 0 &&
	       write_file("/sys/bus/platform/drivers/hmem/unbind", "hmem.0") == 0 &&
	       write_file("/sys/bus/platform/drivers/hmem/bind", "hmem.0") == 0;
}

/* 6.1 gives all of it to device_dax at once; 6.12 keeps it for kmem, and then
 * device_dax takes an instance only by new_id. */
static void check_region_that_was_not_idle(void)
{
	g_autofree char *driver = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	if (!ok(reload(FALSE), "the region is made again, not idle"))
		return;
	driver = driver_of("dax0.0");
	if (is_kernel("6.1")) {
		ok(g_strcmp0(driver, "device_dax") == 0,
		   "trap: on 6.1, device_dax has all of it");
		ok_refused("1+1", GIB, GIB, DAXC_ERROR_REFUSED, "region_idle=1",
			   "ours leaves it, and says the remedy");
	} else {
		ok(driver == NULL, "trap: it is kept for kmem");
		name = carve("3+1,1+1", GIB, GIB, &error);
		ok_no_error(name != NULL, error, "ours carves it all the same");
		if (name)
			destroy_ok(name);
	}
	ok(reload(TRUE), "the region is made again, idle");
	ok(read_size("dax0.0") == 0, "its seed is empty");
}

/* For good: "cannot be hotremoved until the next reboot". */
static void check_kmem(void)
{
	g_autofree char *size = read_attribute("dax0.0", "../dax_region/size");
	g_autofree char *before = NULL;
	g_autoptr(GError) error = NULL;

	g_spawn_command_line_sync("modprobe kmem", NULL, NULL, NULL, NULL);
	ok(write_attribute("dax0.0", "size", size) == 0 &&
		   write_file("/sys/bus/dax/drivers/kmem/new_id", "dax0.0") == 0,
	   "trap: the region becomes RAM");
	ok_refused("1+1", GIB, GIB, DAXC_ERROR_REFUSED, "blacklist kmem",
		   "ours leaves it, and says the remedy");
	before = snapshot();
	ok(!daxc_kernel_destroy(kernel, "dax0.0", NULL, &error),
	   "ours does not destroy it");
	ok_error(error, DAXC_ERROR_REFUSED, "driver kmem", "... and says why");
	ok_unchanged(before);
}

/* ---- dax_color ---- */

static char *carve_for(const char *text, const char *tenant, GError **error)
{
	g_autoptr(GArray) extents = make_extents(text, MIB);

	return carve_extents(extents, 2 * MIB, tenant, error);
}

static void check_kernel_zeroes(void)
{
	const guint64 size = 64 * MIB;
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve_for("3072+32,1024+32", NULL, &error);
	guint64 *memory = name ? map(name, size) : NULL;

	if (!ok(memory != NULL, "a carving for a pattern"))
		return;
	ok(count_nonzero_words(memory, size) == 0, "it holds zeros");
	write_pattern(memory, size);
	ok(count_pattern(memory, size) == size / 4096, "the pattern is written");
	munmap(memory, size);
	destroy_ok(name);
	g_free(name);
	name = carve_for("3072+32,1024+32", NULL, &error);
	memory = name ? map(name, size) : NULL;
	ok(memory && count_nonzero_words(memory, size) == 0,
	   "the next user finds nothing of it");
	if (memory)
		munmap(memory, size);
	destroy_ok(name);
	ok(!daxc_kernel_zero(kernel, "dax0.0", 0, GIB, NULL, NULL, &error),
	   "there is nothing for us to zero");
}

static void ok_enforced(const DaxcCacheDomain *domain, gboolean wanted, const char *what)
{
	ok(daxc_kernel_enforces(kernel, 0, domain) == wanted, "%s", what);
}

/* Granules of 1 GiB and four colors: color 0 is at 0 and at 4 GiB of the region. */
static void check_owners(void)
{
	const DaxcCacheDomain domain = {
		.node = 1, .granule = GIB, .base = base, .colors = 4};
	const DaxcCacheDomain listed = {
		.node = 1, .kind = DAXC_GEOMETRY_RANGES, .granule = GIB, .colors = 4};
	g_autofree char *uuid = daxc_owner_uuid("red");
	g_autoptr(GArray) owners = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *red = NULL;
	g_autofree char *again = NULL;
	g_autofree char *owner = NULL;

	ok_enforced(&domain, FALSE, "at first the kernel has no geometry");
	ok_no_error(daxc_kernel_tell_geometry(kernel, 0, &domain, &error), error,
		    "it is told one");
	ok_enforced(&domain, TRUE, "it keeps colors apart");
	red = carve_for("0+2", "red", &error);
	again = carve_for("4096+2", "red", &error);
	if (!ok_no_error(red && again, error, "a tenant has memory of a color, twice"))
		return;
	owner = read_attribute(red, "owner");
	ok(strcmp(owner, uuid) == 0, "the owner is the tenant's UUID");
	owners = daxc_kernel_color_owners(kernel, 0, &domain, &error);
	ok(owners && owners->len == 4 &&
		   strcmp(g_array_index(owners, DaxcColorOwner, 0).owner, uuid) == 0 &&
		   g_array_index(owners, DaxcColorOwner, 0).free == 0 &&
		   g_array_index(owners, DaxcColorOwner, 1).owner[0] == '\0' &&
		   g_array_index(owners, DaxcColorOwner, 1).free == 2,
	   "the kernel says whose the colors are");
	ok(!carve_for("4100+2", "blue", &error), "another tenant gets none of it");
	ok_error(error, DAXC_ERROR_REFUSED, "another owner's", "... and why is said");
	g_clear_error(&error);
	ok(!daxc_kernel_tell_geometry(kernel, 0, NULL, &error),
	   "the geometry stays while memory is held");
	ok_error(error, DAXC_ERROR_REFUSED, "stop the guests", "... and why is said");
	g_clear_error(&error);
	destroy_ok(red);
	destroy_ok(again);
	for (guint i = 0; i < 100 && !daxc_kernel_tell_geometry(kernel, 0, &listed, NULL);
	     i++)
		g_usleep(50000);
	ok_enforced(&domain, FALSE, "listed ranges cannot be told: it has none again");
}

static gboolean is_claimed_by(const char *name, const char *uuid)
{
	g_autoptr(DaxcInstance) instance = daxc_kernel_instance(kernel, name, NULL);

	return instance && g_strcmp0(instance->claimant, uuid) == 0;
}

static void check_claims(void)
{
	static const char red[] = "11111111-1111-4111-8111-111111111111";
	static const char blue[] = "22222222-2222-4222-8222-222222222222";
	g_autoptr(GError) error = NULL;
	g_autofree char *one = carve_for("0+8", NULL, &error);
	g_autofree char *other = carve_for("16+8", NULL, &error);
	const char *const both[] = {one, other, NULL}, *const second[] = {other, NULL};
	guint64 *memory, *again;

	if (!ok_no_error(one && other, error, "two carvings"))
		return;
	ok_no_error(daxc_kernel_claim(kernel, second, blue, FALSE, &error), error,
		    "the second is claimed");
	ok(!daxc_kernel_claim(kernel, both, red, FALSE, &error), "both cannot be");
	ok_error(error, DAXC_ERROR_BUSY, "somebody else", "... and why is said");
	g_clear_error(&error);
	ok(is_claimed_by(one, NULL) && is_claimed_by(other, blue),
	   "the first is nobody's");
	ok_no_error(daxc_kernel_destroy(kernel, other, blue, &error), error,
		    "its claimant destroys the second");
	ok_no_error(daxc_kernel_claim(kernel, (const char *const[]){one, NULL}, red,
				      FALSE, &error),
		    error, "the first is claimed");
	memory = map(one, 8 * MIB);
	again = map(one, 8 * MIB);
	ok(memory && !again && errno == EBUSY, "it is opened once");
	if (memory)
		munmap(memory, 8 * MIB);
	ok(!daxc_kernel_destroy(kernel, one, blue, &error), "nobody else destroys it");
	ok_error(error, DAXC_ERROR_BUSY, red, "... and why is said");
	g_clear_error(&error);
	ok(is_claimed_by(one, red), "its claimant has it still");
	ok_no_error(daxc_kernel_destroy(kernel, one, red, &error), error,
		    "its claimant destroys it");
}

/* Returns: the end of a pipe in which pages of the instance are. */
static int pin_page(const char *name, guint64 offset)
{
	char *memory = (char *)map(name, 8 * MIB);
	struct iovec page = {memory ? memory + offset : NULL, 4096};
	int ends[2];

	if (!memory || pipe(ends) < 0)
		return -1;
	memory[offset] = 1;
	ok(vmsplice(ends[1], &page, 1, 0) == 4096, "a page is in a pipe");
	close(ends[1]);
	munmap(memory, 8 * MIB);
	return ends[0];
}

static guint64 quarantined(void)
{
	g_autoptr(GPtrArray) regions = daxc_kernel_regions(kernel, NULL);

	return regions ? ((DaxcRegion *)regions->pdata[0])->quarantined : 0;
}

static void ok_denied(const char *text, guint64 offset)
{
	g_autoptr(GArray) extents = make_extents(text, MIB);
	g_autoptr(GArray) denied = g_array_new(FALSE, FALSE, sizeof(DaxcDenied));
	const DaxcKernelCarving asked = {
		.align = 2 * MIB, .granule = 2 * MIB, .extents = extents};
	g_autofree char *before = snapshot();
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	ok(daxc_kernel_carve(kernel, &asked, &name, &error) &&
		   !daxc_kernel_fill(kernel, &asked, name, denied, &error),
	   "it is not given");
	ok_error(error, DAXC_ERROR_BUSY, "still pinned", "... and why is said");
	ok(denied->len == 1 &&
		   g_array_index(denied, DaxcDenied, 0).start == base + offset &&
		   !g_array_index(denied, DaxcDenied, 0).failed,
	   "... and which granule it is");
	g_usleep(300000);
	ok_unchanged(before);
}

/* Each extent is one granule; a page of the second is kept by somebody. */
static void check_pinned(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = carve_for("0+2,16+2,32+2,48+2", NULL, &error);
	int pipe_end;

	if (!ok_no_error(name != NULL, error, "a carving"))
		return;
	pipe_end = pin_page(name, 2 * MIB + 8192);
	destroy_ok(name);
	g_free(name);
	for (guint i = 0; i < 100 && quarantined() != 2 * MIB; i++)
		g_usleep(50000);
	ok(quarantined() == 2 * MIB, "its memory is quarantined");
	ok_denied("0+2,16+2,32+2,48+2", 16 * MIB);
	close(pipe_end);
	for (guint i = 0; i < 100 && quarantined() > 0; i++)
		g_usleep(50000);
	ok(quarantined() == 0, "when the pipe is gone, it comes back");
	name = carve_for("0+2,16+2,32+2,48+2", NULL, &error);
	if (ok_no_error(name != NULL, error, "... and is given"))
		destroy_ok(name);
}

static void check_dax_color(void)
{
	if (!check_start())
		return;
	check_kernel_zeroes();
	check_carving();
	check_small_carving();
	check_owners();
	check_claims();
	check_pinned();
	check_holders();
}

static void check_all(gboolean with_kmem)
{
	g_autofree char *before = NULL;

	if (!check_start())
		return;
	before = snapshot();
	check_misaligned_start();
	check_odd_length();
	check_silent_success_is_found();
	check_overlap();
	check_deletion();
	check_mapping_while_bound();
	check_full_region();
	check_names();
	check_unbinding_while_mapped();
	check_carving();
	check_small_carving();
	check_zeroing();
	check_holders();
	check_seed();
	check_region_that_was_not_idle();
	note("in the end");
	ok_unchanged(before);
	if (with_kmem)
		check_kmem();
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	gboolean with_kmem = argc == 2 && strcmp(argv[1], "--kmem") == 0;
	gboolean dax_color = argc == 2 && strcmp(argv[1], "--dax-color") == 0;

	if (argc > 1 && !with_kmem && !dax_color) {
		fprintf(stderr, "usage: check-kernel [--kmem | --dax-color]\n");
		return 2;
	}
	if (dax_color)
		devices = "/sys/class/dax/";
	kernel = dax_color ? daxc_kernel_dax_color_new(&error)
			   : daxc_kernel_mainline_new(&error);
	if (ok_no_error(kernel != NULL, error, "this host has device-dax")) {
		if (dax_color)
			check_dax_color();
		else
			check_all(with_kmem);
	}
	daxc_kernel_free(kernel);
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
