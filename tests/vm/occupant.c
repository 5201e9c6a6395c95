/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process in a guest's place: occupant DEVICE PATTERN
 *
 * Maps all of a dax device, says how much of it is not zero and how much holds the
 * pattern, fills it with the pattern and dies as a guest does under `kill -9`.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "occupant: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t attribute(const struct stat *device, const char *name)
{
	char path[128];
	uint64_t value;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/%s", major(device->st_rdev),
		 minor(device->st_rdev), name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%" SCNu64, &value) != 1)
		die(path);
	fclose(file);
	return value;
}

/* At an address that is a multiple of @align: device-dax refuses others. */
static uint64_t *map(int fd, uint64_t size, uint64_t align)
{
	char *room =
		mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *memory;

	if (room == MAP_FAILED)
		die("no address space");
	room += (align - (uintptr_t)room % align) % align;
	memory = mmap(room, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

int main(int argc, char **argv)
{
	uint64_t size, pattern, found = 0, used = 0;
	uint64_t *memory;
	struct stat device;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: %s DEVICE PATTERN\n", argv[0]);
		return 2;
	}
	pattern = strtoull(argv[2], NULL, 16);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &device) != 0)
		die(argv[1]);
	size = attribute(&device, "size");
	memory = map(fd, size, attribute(&device, "align"));
	for (uint64_t i = 0; i < size / sizeof(*memory); i++) {
		found += memory[i] == pattern;
		used += memory[i] != 0;
	}
	printf("occupant: %" PRIu64 " words, %" PRIu64 " of the pattern, %" PRIu64
	       " not zero\n",
	       size / sizeof(*memory), found, used);
	fflush(stdout);
	for (uint64_t i = 0; i < size / sizeof(*memory); i++)
		memory[i] = pattern;
	raise(SIGKILL);
	return 1;
}
