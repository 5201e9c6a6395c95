// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-driver mainline|dax_color ROUNDS
 *
 * What the kernel's part of a carving costs, by bare writes to sysfs, in the virtual
 * host, with either driver on its memory. Lines of "NAME VALUE", for in-vm.sh to put
 * beside each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dax.h"

#define BUS "/sys/bus/dax/"
#define MOST_ROUNDS 1000

static bool mainline;
static char mainline_path[] = BUS "devices/dax0.0/../dax_region/create";

/* ---- the same for both ---- */

static void write_or_die(const char *path, const char *text)
{
	int code = put(path, text, strlen(text));

	if (code)
		die("%s: %s", path, strerror(code));
}

static void write_device(const char *name, const char *attribute, uint64_t value)
{
	char path[256], text[64];

	snprintf(path, sizeof(path), "%s%s/%s",
		 mainline ? BUS "devices/" : "/sys/class/dax/", name, attribute);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	write_or_die(path, text);
}

static void write_extent(const char *name, uint64_t start, uint64_t size)
{
	char path[256], text[64];

	snprintf(path, sizeof(path), "%s%s/mapping",
		 mainline ? BUS "devices/" : "/sys/class/dax/", name);
	snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64, start, start + size - 1);
	write_or_die(path, text);
}

/* Extents of @extent bytes each, that far apart that they stay what they are. */
static void carve(char name[NAME_SIZE], uint64_t align, uint64_t extent,
		  unsigned int count)
{
	if (mainline) {
		char *text;

		write_or_die(mainline_path, "1");
		text = get(mainline_path);
		snprintf(name, NAME_SIZE, "%s", text);
		free(text);
	} else if (create(name)) {
		die("no instance");
	}
	write_device(name, "align", align);
	for (unsigned int i = 0; i < count; i++)
		write_extent(name, region.start + i * (count > 1 ? 4 * GIB : 0), extent);
	if (mainline)
		write_or_die(BUS "drivers/device_dax/bind", name);
}

static void release(const char *name)
{
	if (mainline)
		write_or_die(BUS "drivers/device_dax/unbind", name);
	write_device(name, "size", 0);
	if (mainline)
		write_or_die(BUS "devices/dax0.0/../dax_region/delete", name);
	else
		discard(name);
}

/* ---- measures ---- */

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

/* On memory that is clean already; what is given back is zeroed before the next round. */
static void carve_and_release(unsigned int rounds)
{
	static double carved[MOST_ROUNDS], released[MOST_ROUNDS];
	char name[NAME_SIZE];

	for (unsigned int i = 0; i < rounds + 1; i++) {
		double t0 = now(), t1, t2;

		carve(name, GIB, GIB, 2);
		t1 = now();
		release(name);
		t2 = now();
		if (!mainline && !settled(120))
			die("memory does not come back");
		if (i == 0)
			continue;
		carved[i - 1] = (t1 - t0) * 1e3;
		released[i - 1] = (t2 - t1) * 1e3;
	}
	printf("carve %.3f\nrelease %.3f\n", median(carved, rounds),
	       median(released, rounds));
}

static uint64_t line_of(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	uint64_t value = 0;
	char line[256];
	size_t length = strlen(key);

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			sscanf(line + length + 1, "%" SCNu64, &value);
	if (file)
		fclose(file);
	return value;
}

static uint64_t available(void)
{
	write_or_die("/proc/sys/vm/drop_caches", "3");
	return line_of("/proc/meminfo", "MemAvailable");
}

static uint64_t difference(uint64_t more, uint64_t less)
{
	return more > less ? more - less : 0;
}

/* For all of the region: memory for struct pages, and page tables of one process that
 * maps it; kB. */
static void memory_for(uint64_t align, const char *of)
{
	uint64_t before = available(), tables;
	char name[NAME_SIZE];
	volatile char *memory;

	carve(name, align, region.size, 1);
	printf("struct-pages-%s %" PRIu64 "\n", of, difference(before, available()));
	tables = line_of("/proc/self/status", "VmPTE");
	memory = map_all(name, region.size);
	for (uint64_t at = 0; at < region.size; at += align)
		memory[at] = 1;
	printf("page-tables-%s %" PRIu64 "\n", of,
	       difference(line_of("/proc/self/status", "VmPTE"), tables));
	munmap((void *)memory, region.size);
	release(name);
	if (!mainline)
		settled(600);
}

/* One GiB, in GiB/s: by a process that has it mapped, and by the kernel when it is given
 * back. */
static void zeroing(void)
{
	char name[NAME_SIZE];
	double start, user, kernel;
	char *memory;

	carve(name, 2 * MIB, GIB, 1);
	memory = map_all(name, GIB);
	madvise(memory, GIB, MADV_POPULATE_WRITE);
	start = now();
	memset(memory, 0, GIB);
	user = now() - start;
	munmap(memory, GIB);
	start = now();
	release(name);
	settled(600);
	kernel = now() - start;
	printf("zero-user %.3f\nzero-kernel %.3f\n", 1 / user, 1 / kernel);
}

static void find_mainline_region(void)
{
	char *text = get(BUS "devices/dax0.0/../dax_region/size");

	region.size = strtoull(text, NULL, 10);
	free(text);
	text = get(BUS "devices/dax0.0/resource");
	region.start = strtoull(text, NULL, 16);
	free(text);
	if (!region.size || !region.start)
		die("there is no region of mainline's");
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;

	if (rounds == 0 || rounds >= MOST_ROUNDS) {
		fprintf(stderr, "usage: bench-driver mainline|dax_color ROUNDS\n");
		return 2;
	}
	mainline = strcmp(argv[1], "mainline") == 0;
	if (mainline)
		find_mainline_region();
	else
		region_open(-1);
	carve_and_release(rounds);
	memory_for(GIB, "1G");
	memory_for(2 * MIB, "2M");
	memory_for(4096, "4K");
	if (!mainline)
		zeroing();
	return 0;
}
