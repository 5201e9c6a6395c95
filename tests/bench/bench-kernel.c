// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-kernel ROUNDS
 *
 * In the virtual host, as root: what carving and releasing two dis-contiguous
 * GiB costs the kernel by itself, as bare writes to sysfs, and what it costs
 * through the library (plan, ledger, verification; zeroing is off), in turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/daxcolor.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define BUS "/sys/bus/dax/"

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench-kernel: %s: %s\n", what, why);
	exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(path, g_strerror(errno));
	close(fd);
}

static void put_device(const char *device, const char *attribute, const char *text)
{
	g_autofree char *path = g_strdup_printf(BUS "devices/%s/%s", device, attribute);

	put(path, text);
}

static char *put_region(const char *attribute, const char *text)
{
	g_autofree char *path =
		g_strdup_printf(BUS "devices/dax0.0/../dax_region/%s", attribute);
	char *value = NULL;

	put(path, text);
	if (!g_file_get_contents(path, &value, NULL, NULL))
		value = g_strdup("");
	return g_strchomp(value);
}

/* Granules 0 and 4 of the demo host: one color, twice the cache apart. */
static char *carve_raw(guint64 start)
{
	g_autofree char *first = daxc_range_format(start, GIB);
	g_autofree char *second = daxc_range_format(start + 4 * GIB, GIB);
	char *device = put_region("create", "1");

	put_device(device, "align", "1073741824");
	put_device(device, "mapping", first);
	put_device(device, "mapping", second);
	put(BUS "drivers/device_dax/bind", device);
	return device;
}

static void release_raw(char *device)
{
	put(BUS "drivers/device_dax/unbind", device);
	put_device(device, "size", "0");
	g_free(put_region("delete", device));
	g_free(device);
}

typedef struct {
	const char *name;
	gint64 *times; /* microseconds */
} Row;

static int by_value(const void *a, const void *b)
{
	gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;

	return (left > right) - (left < right);
}

static double median_ms(Row *row, guint rounds)
{
	qsort(row->times, rounds, sizeof(*row->times), by_value);
	return (double)row->times[rounds / 2] / 1000;
}

static void print_pair(Row *raw, Row *ours, guint rounds)
{
	double kernel = median_ms(raw, rounds), library = median_ms(ours, rounds);

	printf("%-44s %8.2f ms  (yardstick, median of %u)\n", raw->name, kernel, rounds);
	printf("%-44s %8.2f ms  %6.2f times\n", ours->name, library, library / kernel);
}

int main(int argc, char **argv)
{
	const DaxcHostOptions options = {.config = getenv("BENCH_CONFIG")};
	guint rounds = argc == 2 ? (guint)atoi(argv[1]) : 0;
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(GPtrArray) regions = NULL;
	g_autoptr(DaxcRequest) request = NULL;
	Row rows[4] = {
		{.name = "carve 2 x 1 GiB: bare sysfs writes"},
		{.name = "carve 2 x 1 GiB: library"},
		{.name = "release 2 x 1 GiB: bare sysfs writes"},
		{.name = "release 2 x 1 GiB: library"},
	};

	if (rounds == 0)
		fail("usage", "bench-kernel ROUNDS");
	for (guint i = 0; i < 4; i++)
		rows[i].times = g_new0(gint64, rounds);
	host = daxc_host_open(&options, &error);
	regions = host ? daxc_host_regions(host, &error) : NULL;
	if (!regions)
		fail("cannot open the host", error->message);
	request = daxc_request_new("00000000-0000-4000-8000-000000000001", "bench",
				   "bench");
	g_ptr_array_add(request->cells, daxc_cell_request_new(0, 2 * GIB));

	for (guint i = 0; i < rounds; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, 0);
		g_autoptr(GPtrArray) carvings = NULL;
		gint64 t0, t1, t2, t3, t4;
		char *device;

		t0 = g_get_monotonic_time();
		device = carve_raw(region->start);
		t1 = g_get_monotonic_time();
		release_raw(device);
		t2 = g_get_monotonic_time();
		carvings = daxc_host_carve(host, request, &error);
		t3 = g_get_monotonic_time();
		if (!carvings || !daxc_host_release(host, request->uuid, &error))
			fail("library", error->message);
		t4 = g_get_monotonic_time();
		rows[0].times[i] = t1 - t0;
		rows[1].times[i] = t3 - t2;
		rows[2].times[i] = t2 - t1;
		rows[3].times[i] = t4 - t3;
	}
	print_pair(&rows[0], &rows[1], rounds);
	print_pair(&rows[2], &rows[3], rounds);
	return 0;
}
