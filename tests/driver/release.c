// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is given back: the next one finds zeros; and while anybody holds on to a page of
 * it, there is no next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dax.h"

#define VFIO_DEVICE "/sys/bus/pci/devices/0000:00:03.0"
/* Above what an IOMMU keeps for interrupts. */
#define IOVA UINT64_C(0x100000000)
#define OWNER "33333333-3333-4333-8333-333333333333"

/* ---- what the next one finds ---- */

static void fill_all(void *memory, uint64_t size)
{
	memset(memory, 0xd7, size);
}

static void fill_and_die(const char *name, uint64_t size)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		fill_all(map_all(name, size), size);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
}

/* Every byte of the very same addresses. */
static void is_zero_for_the_next(const char *what, const struct extent *list,
				 uint64_t size)
{
	char name[NAME_SIZE];
	char *memory;

	make_of(name, 2 * MIB, list);
	memory = map_all(name, size);
	ok(not_zero(memory, size) == 0, "release: %s: the next one finds zeros", what);
	munmap(memory, size);
	drop(name);
}

static void zeros(void)
{
	static const struct extent list[] = {{.start = 2 * MIB, .size = 4 * MIB},
					     {.start = 8 * MIB, .size = 4 * MIB},
					     {.size = 0}};
	char name[NAME_SIZE];
	char *memory;

	make_of(name, 2 * MIB, list);
	memory = map_all(name, 8 * MIB);
	ok(not_zero(memory, 8 * MIB) == 0,
	   "release: what nobody had since the boot is zero");
	fill_all(memory, 8 * MIB);
	munmap(memory, 8 * MIB);
	drop(name);
	is_zero_for_the_next("size 0", list, 8 * MIB);

	make_of(name, 4096, list);
	fill_and_die(name, 8 * MIB);
	drop(name);
	is_zero_for_the_next("after kill -9", list, 8 * MIB);

	make_of(name, 2 * MIB, list);
	memory = map_all(name, 8 * MIB);
	fill_all(memory, 8 * MIB);
	resize(name, 2 * MIB);
	ok_errno(0, resize(name, 8 * MIB), "release: shrink and grow");
	ok(not_zero(memory + 2 * MIB, 6 * MIB) == 0,
	   "release: shrink and grow: what comes is zero");
	munmap(memory, 8 * MIB);
	drop(name);
	is_zero_for_the_next("shrunk and grown", list, 8 * MIB);
}

/* ---- on its way ---- */

/* Zeroing that takes a while: its progress is seen, who asks for that memory waits,
 * poll() tells its end. */
static void on_its_way(void)
{
	const uint64_t size = 512 * MIB;
	const struct extent list[] = {{.start = GIB, .size = size}, {.size = 0}};
	uint64_t left = UINT64_MAX, before = 0, available;
	unsigned int steps = 0, backwards = 0;
	struct pollfd changed = {.events = POLLPRI};
	char name[NAME_SIZE], path[1024];
	char *memory;

	settled(60);
	make_of(name, 2 * MIB, list);
	snprintf(path, sizeof(path), "%s/available_size", region.path);
	changed.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(changed.fd, path, sizeof(path)) <= 0)
		die("available_size: %s", strerror(errno));
	ok(poll(&changed, 1, 0) == 0,
	   "release: poll() has nothing to tell while nothing comes back");
	available = region_number("available_size");
	memory = map_all(name, size);
	memory[size / 2] = 1;
	munmap(memory, size);
	ok_errno(0, resize(name, 0), "release: 512 MiB");
	ok(region_number("available_size") == available + size ||
		   region_number("quarantined_size") > 0,
	   "release: they are available at once, for who waits");
	while ((left = region_number("zeroing_size")) > 0) {
		steps += left != before;
		backwards += before && left > before;
		before = left;
	}
	ok(steps >= 3 && backwards == 0,
	   "release: zeroing_size shows the progress (%u steps)", steps);
	ok(poll(&changed, 1, 10000) == 1 && (changed.revents & POLLPRI),
	   "release: poll() tells that memory has come back");
	close(changed.fd);
	drop(name);

	make_of(name, 2 * MIB, list);
	memory = map_all(name, size);
	memset(memory + size - 2 * MIB, 0xd7, 2 * MIB);
	munmap(memory, size);
	drop(name);
	make_of(name, 2 * MIB, list);
	ok(region_number("zeroing_size") == 0,
	   "release: who asks for what is being zeroed waits for it");
	memory = map_all(name, size);
	ok(not_zero(memory + size - 2 * MIB, 2 * MIB) == 0, "release: and gets zeros");
	munmap(memory, size);
	drop(name);
	settled(60);
}

/* ---- pins ---- */

/**
 * struct pinner - somebody who holds on to pages
 * @pin: of @size bytes; false when this kernel or host has no such thing
 * @holds: they are still what they were
 */
struct pinner {
	const char *name;
	bool (*pin)(char *memory, uint64_t size);
	bool (*holds)(void);
	void (*unpin)(void);
};

static int pipes[2];

/* Three pages in the middle, over the end of an extent. */
static bool pipe_pin(char *memory, uint64_t size)
{
	struct iovec piece = {memory + size / 2 - 4096, 3 * 4096};

	if (pipe2(pipes, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	return vmsplice(pipes[1], &piece, 1, 0) == 3 * 4096;
}

static bool pipe_holds(void)
{
	char buffer[4096];

	if (read(pipes[0], buffer, sizeof(buffer)) != sizeof(buffer))
		return false;
	for (unsigned int i = 0; i < sizeof(buffer); i++)
		if (buffer[i] != (char)0xd7)
			return false;
	return true;
}

static void pipe_unpin(void)
{
	close(pipes[0]);
	close(pipes[1]);
}

static int ring = -1;

static bool ring_pin(char *memory, uint64_t size)
{
	struct io_uring_params parameters = {0};
	struct iovec piece = {memory, size};

	ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
	if (ring < 0)
		return false;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &piece, 1) == 0)
		return true;
	close(ring);
	return false;
}

static bool ring_holds(void)
{
	return true;
}

static void ring_unpin(void)
{
	close(ring);
}

static int container = -1, group = -1;
static uint64_t vfio_size;

/* What an administrator does who gives a device to a guest: in-vm.sh has bound it to
 * vfio-pci. */
static bool vfio_open(void)
{
	char link[256], path[64];
	ssize_t length = readlink(VFIO_DEVICE "/iommu_group", link, sizeof(link) - 1);

	if (length < 0)
		return false;
	link[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", strrchr(link, '/') + 1);
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	return container >= 0 && group >= 0 &&
	       ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0 &&
	       ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0;
}

static bool vfio_pin(char *memory, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = size,
	};

	vfio_size = size;
	if (container < 0 && !vfio_open())
		return false;
	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) == 0;
}

static bool vfio_holds(void)
{
	return true;
}

static void vfio_unpin(void)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = IOVA, .size = vfio_size};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		die("VFIO_IOMMU_UNMAP_DMA: %s", strerror(errno));
}

static int remove_module(void)
{
	return syscall(SYS_delete_module, "dax_color", O_NONBLOCK) ? errno : 0;
}

/* The neighbors of what is pinned are not held up; what is pinned is nobody's. */
static void while_pinned(const struct pinner *pinner, const char *of,
			 const struct extent *list, uint64_t align)
{
	uint64_t quarantined = region_number("quarantined_size");
	char name[NAME_SIZE];

	ok(quarantined > 0, "release: %s, %s: it is in quarantine", pinner->name, of);
	ok(region_number("zeroing_size") == 0 || settled(0) == false,
	   "release: %s, %s: and not zeroed", pinner->name, of);
	create(name);
	instance_put(name, "align", "%" PRIu64, align);
	ok_errno(EBUSY, add(name, list[0].start, list[0].size),
		 "release: %s, %s: nobody can have it", pinner->name, of);
	instance_put(name, "owner", "%s", OWNER);
	ok_errno(EBUSY, region_put("geometry", "none"),
		 "release: %s, %s: nor change the geometry", pinner->name, of);
	discard(name);
	ok(remove_module() != 0, "release: %s, %s: the module stays", pinner->name, of);
	usleep(300000);
	ok(region_number("quarantined_size") > 0,
	   "release: %s, %s: for as long as that takes", pinner->name, of);
	ok(pinner->holds(), "release: %s, %s: who holds it finds in it what was there",
	   pinner->name, of);
}

static void with_pinner(const struct pinner *pinner, uint64_t align, uint64_t unit,
			const char *of)
{
	const struct extent list[] = {{.start = 0, .size = unit},
				      {.start = 2 * unit, .size = unit},
				      {.size = 0}};
	uint64_t size = 2 * unit;
	char name[NAME_SIZE];
	char *memory;
	double took;

	make_of(name, align, list);
	memory = map_all(name, size);
	fill_all(memory, size);
	if (!pinner->pin(memory, size)) {
		note("no %s with pages of %s here: %s", pinner->name, of,
		     strerror(errno));
		munmap(memory, size);
		drop(name);
		return;
	}
	took = now();
	ok_errno(0, resize(name, 0), "release: %s, %s: size 0", pinner->name, of);
	took = now() - took;
	ok(took < 5, "release: %s, %s: does not wait for who holds it", pinner->name, of);
	ok(try_read(memory, NULL).happened &&
		   try_read(memory + size - 4096, NULL).happened,
	   "release: %s, %s: the mapping is gone", pinner->name, of);
	munmap(memory, size);
	ok_errno(0, discard(name), "release: %s, %s: delete", pinner->name, of);
	while_pinned(pinner, of, list, align);
	pinner->unpin();
	ok(quarantine_ends(10), "release: %s, %s: comes back when it is let go",
	   pinner->name, of);
	is_zero_for_the_next(pinner->name, list, size);
	ok(consistent(), "release: %s, %s: consistent", pinner->name, of);
}

/* Shrinking what is pinned in part: the rest goes on, what goes has to wait. */
static void part_of_it(const struct pinner *pinner)
{
	char name[NAME_SIZE];
	char *memory;

	make(name, 2 * MIB, 8 * MIB);
	memory = map_all(name, 8 * MIB);
	fill_all(memory, 8 * MIB);
	if (!pinner->pin(memory, 8 * MIB)) {
		munmap(memory, 8 * MIB);
		drop(name);
		return;
	}
	ok_errno(0, resize(name, 2 * MIB), "release: %s: shrink what is pinned",
		 pinner->name);
	ok(region_number("quarantined_size") > 0 &&
		   region_number("quarantined_size") <= 6 * MIB,
	   "release: %s: what went is in quarantine", pinner->name);
	ok(!try_write(memory, 1).happened && memory[4096] == (char)0xd7,
	   "release: %s: what stayed is as it was", pinner->name);
	ok_errno(0, resize(name, 8 * MIB), "release: %s: grow again", pinner->name);
	ok(not_zero(memory + 2 * MIB, 6 * MIB) == 0,
	   "release: %s: with other memory, zero", pinner->name);
	ok(region_number("quarantined_size") > 0, "release: %s: it waits all the same",
	   pinner->name);
	ok(pinner->holds(), "release: %s: for who still has it as it was", pinner->name);
	pinner->unpin();
	ok(quarantine_ends(10), "release: %s: and comes back then", pinner->name);
	munmap(memory, 8 * MIB);
	drop(name);
	ok(consistent(), "release: %s: consistent", pinner->name);
}

/* A color stays its owner's until the last of it is free. */
static void color_of_the_pinned(const struct pinner *pinner)
{
	char red[NAME_SIZE], other[NAME_SIZE];
	char *memory;

	region_put("geometry", "rotate 2097152 8 0x%" PRIx64, region.start);
	create(red);
	instance_put(red, "owner", "%s", OWNER);
	ok_errno(0, instance_put(red, "color", "2 5"),
		 "release: %s: two granules of a color", pinner->name);
	memory = map_all(red, 4 * MIB);
	fill_all(memory, 4 * MIB);
	if (pinner->pin(memory, 4 * MIB)) {
		resize(red, 0);
		create(other);
		ok_errno(EPERM, instance_put(other, "color", "1 5"),
			 "release: %s: the color is the old owner's still", pinner->name);
		ok_errno(EPERM, add(other, 2 * MIB * (5 + 16), 2 * MIB),
			 "release: %s: all of it", pinner->name);
		pinner->unpin();
		ok(quarantine_ends(10), "release: %s: let go", pinner->name);
		ok_errno(0, instance_put(other, "color", "1 5"),
			 "release: %s: now it is to be had", pinner->name);
		drop(other);
	}
	munmap(memory, 4 * MIB);
	drop(red);
	settled(10);
	ok_errno(0, region_put("geometry", "none"), "release: %s: no geometry again",
		 pinner->name);
}

static const struct pinner by_pipe = {"vmsplice", pipe_pin, pipe_holds, pipe_unpin};
static const struct pinner by_ring = {"io_uring", ring_pin, ring_holds, ring_unpin};
static const struct pinner by_vfio = {"VFIO", vfio_pin, vfio_holds, vfio_unpin};

static void all_with(const struct pinner *pinner)
{
	with_pinner(pinner, 4096, 4 * MIB, "4 KiB");
	with_pinner(pinner, 2 * MIB, 4 * MIB, "2 MiB");
	part_of_it(pinner);
	color_of_the_pinned(pinner);
}

void test_release(void)
{
	zeros();
	on_its_way();
	all_with(&by_pipe);
	all_with(&by_ring);
	if (options.long_form)
		with_pinner(&by_pipe, GIB, GIB, "1 GiB");
}

void test_vfio(void)
{
	if (!vfio_open())
		die("vfio: no device: %s", strerror(errno));
	all_with(&by_vfio);
	with_pinner(&by_vfio, GIB, GIB, "1 GiB");
}
