// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings with faults of 4 KiB, 2 MiB and 1 GiB: what mmap takes, what becomes of them,
 * and everything that needs the struct pages behind them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dax.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* An instance of two extents of the same size with a hole between. */
struct subject {
	char name[NAME_SIZE];
	uint64_t align;
	uint64_t unit; /* at least align */
	uint64_t size;
	const char *of; /* "4K": for what is said */
};

static bool is_mapped(const void *memory)
{
	unsigned char vector;

	return mincore((void *)((uintptr_t)memory & ~UINT64_C(4095)), 4096, &vector) ==
		       0 ||
	       errno != ENOMEM;
}

/* A mapping at an address of our choice: room for it, aligned. */
static char *room_for(uint64_t size, uint64_t align)
{
	char *room =
		mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		die("no address space");
	return room + (align - (uintptr_t)room % align) % align;
}

static int mmap_error(const struct subject *s, void *at, uint64_t size, int protection,
		      int flags, uint64_t offset)
{
	int fd = open_instance(s->name);
	void *memory = mmap(at, size, protection, flags, fd, (off_t)offset);
	int code = memory == MAP_FAILED ? errno : 0;

	close(fd);
	if (memory != MAP_FAILED)
		munmap(memory, size);
	return code;
}

static void what_mmap_takes(const struct subject *s)
{
	char *room = room_for(2 * s->size, s->align);
	char *memory = map(s->name, 0, s->size, PROT_READ | PROT_WRITE);

	ok(memory != MAP_FAILED, "maps %s: mmap anywhere", s->of);
	if (memory == MAP_FAILED)
		die("maps: %s", strerror(errno));
	ok((uintptr_t)memory % s->align == 0,
	   "maps %s: the kernel chooses an aligned address", s->of);
	munmap(memory, s->size);
	ok_errno(0,
		 mmap_error(s, room, s->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, 0),
		 "maps %s: at an aligned address", s->of);
	ok_errno(0, mmap_error(s, NULL, s->size, PROT_READ, MAP_SHARED, 0),
		 "maps %s: PROT_READ, MAP_SHARED", s->of);
	ok_errno(0, mmap_error(s, NULL, s->size, PROT_NONE, MAP_SHARED, 0),
		 "maps %s: PROT_NONE", s->of);
	ok_errno(0,
		 mmap_error(s, NULL, s->align, PROT_READ, MAP_SHARED, s->size - s->align),
		 "maps %s: the last unit", s->of);
	ok_errno(0,
		 mmap_error(s, NULL, s->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED_VALIDATE | MAP_SYNC, 0),
		 "maps %s: MAP_SYNC", s->of);
	ok_errno(EINVAL, mmap_error(s, NULL, s->size, PROT_READ, MAP_PRIVATE, 0),
		 "maps %s: MAP_PRIVATE", s->of);
	ok_errno(EINVAL,
		 mmap_error(s, NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0),
		 "maps %s: MAP_PRIVATE to write", s->of);
	if (s->align > 4096) {
		ok_errno(EINVAL,
			 mmap_error(s, room + 4096, s->size, PROT_READ,
				    MAP_SHARED | MAP_FIXED, 0),
			 "maps %s: a misaligned address", s->of);
		ok_errno(EINVAL,
			 mmap_error(s, NULL, s->align - 4096, PROT_READ, MAP_SHARED, 0),
			 "maps %s: a misaligned length", s->of);
		ok_errno(EINVAL,
			 mmap_error(s, NULL, s->align, PROT_READ, MAP_SHARED, 4096),
			 "maps %s: a misaligned offset", s->of);
	}
	munmap(room, 2 * s->size);
}

/* What lies behind the end of the instance is not there to be touched. */
static void behind_the_end(const struct subject *s)
{
	char *memory = map(s->name, 0, s->size + s->unit, PROT_READ | PROT_WRITE);
	struct fault fault;

	ok(memory != MAP_FAILED, "maps %s: more than there is can be mapped", s->of);
	if (memory == MAP_FAILED)
		return;
	ok(!try_write(memory + s->size - 4096, 1).happened,
	   "maps %s: the last page is there", s->of);
	fault = try_read(memory + s->size, NULL);
	ok(fault.happened && fault.code == BUS_ADRERR &&
		   fault.address == (uintptr_t)memory + s->size,
	   "maps %s: behind it is SIGBUS, at its address", s->of);
	munmap(memory, s->size + s->unit);
	memory = map(s->name, UINT64_C(1) << 50, s->unit, PROT_READ);
	ok(memory != MAP_FAILED && try_read(memory, NULL).happened,
	   "maps %s: a huge offset is SIGBUS when it is touched", s->of);
	if (memory != MAP_FAILED)
		munmap(memory, s->unit);
}

static uint64_t minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_minflt;
}

static uint64_t all_faults(const char *name)
{
	return faults(name, 4096) + faults(name, 2 * MIB) + faults(name, GIB);
}

static void faults_have_the_size(const struct subject *s)
{
	uint64_t step = s->align == 4096 ? 4096 : s->align / 4;
	uint64_t length = s->align == 4096 ? 2 * MIB : s->size;
	uint64_t ours = faults(s->name, s->align), all = all_faults(s->name), minor;
	volatile char *memory = map_all(s->name, s->size);

	minor = minor_faults();
	minor = minor_faults();
	for (uint64_t at = 0; at < length; at += step)
		memory[at] = 1;
	minor = minor_faults() - minor;
	ours = faults(s->name, s->align) - ours;
	all = all_faults(s->name) - all;
	ok(ours == length / s->align && all == ours,
	   "maps %s: exactly one fault for each unit (%" PRIu64 " of %" PRIu64 ")", s->of,
	   ours, length / s->align);
	if (!ok(minor == length / s->align, "maps %s: the process counts as many", s->of))
		note("%" PRIu64, minor);
	munmap((void *)memory, s->size);
}

static uint64_t smaps_of(const void *memory, const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t value = UINT64_MAX, start, end;
	size_t length = strlen(key);
	bool inside = false;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = start <= (uintptr_t)memory && (uintptr_t)memory < end;
		else if (inside && strncmp(line, key, length) == 0 && line[length] == ':')
			sscanf(line + length + 1, "%" SCNu64, &value);
	}
	if (file)
		fclose(file);
	return value;
}

static void smaps_show_it(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);

	try_write(memory, 1);
	ok(smaps_of(memory, "KernelPageSize") == s->align / KIB,
	   "maps %s: smaps' KernelPageSize", s->of);
	munmap(memory, s->size);
}

static void contents_stay(const struct subject *s)
{
	char *first = map_all(s->name, s->size), *second;

	fill(first, 0, s->size, 1);
	ok(strangers(first, 0, s->size, 1) == 0,
	   "maps %s: both extents hold what is written", s->of);
	second = map_all(s->name, s->size);
	ok(strangers(second, 0, s->size, 1) == 0,
	   "maps %s: another mapping sees the same", s->of);
	munmap(first, s->size);
	munmap(second, s->size);
	second = map(s->name, s->size / 2, s->size / 2, PROT_READ | PROT_WRITE);
	ok(second != MAP_FAILED && strangers(second, s->size / 2, s->size / 2, 1) == 0,
	   "maps %s: a mapping of the second extent, too", s->of);
	munmap(second, s->size / 2);
}

/* Exit status of @action in a child, which gets the mapping's address. */
static int in_child(int (*action)(void *, uint64_t), void *memory, uint64_t size)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(action(memory, size));
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int has_no_mapping(void *memory, uint64_t size)
{
	(void)size;
	return is_mapped(memory) || !try_read(memory, NULL).happened;
}

static void fork_and_more(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);

	fill(memory, 0, s->size, 2);
	ok(in_child(has_no_mapping, memory, s->size) == 0,
	   "maps %s: not inherited by fork", s->of);
	ok(strangers(memory, 0, s->size, 2) == 0,
	   "maps %s: and the parent's is as it was", s->of);
	/* Allowed or not: the child must not find what the mapping does not guarantee. */
	madvise(memory, s->size, MADV_DOFORK);
	in_child(has_no_mapping, memory, s->size);
	ok(strangers(memory, 0, s->size, 2) == 0,
	   "maps %s: MADV_DOFORK and fork harm nothing", s->of);
	munmap(memory, s->size);
}

static void protection(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);
	uint64_t value;
	bool denied;
	int code;

	fill(memory, 0, s->size, 3);
	code = mprotect(memory, s->size, PROT_READ) ? errno : 0;
	if (code == 0) {
		ok(try_write(memory, 1).happened,
		   "maps %s: mprotect makes all of it read-only", s->of);
		ok(try_write(memory + s->size - 4096, 1).happened, "maps %s: to the end",
		   s->of);
		ok(!try_read(memory, &value).happened && value == word_of(3, 0),
		   "maps %s: and readable", s->of);
		ok_errno(0, mprotect(memory, s->size, PROT_READ | PROT_WRITE) ? errno : 0,
			 "maps %s: mprotect back", s->of);
	} else {
		/* 6.1's page table walk cannot (FACTS: "bad pud"). */
		ok(s->align == GIB && is_kernel("6.1") && code == EINVAL,
		   "maps %s: mprotect is refused where the kernel cannot: EINVAL", s->of);
	}
	ok(!try_write(memory, word_of(3, 0)).happened, "maps %s: and writable", s->of);
	code = mprotect(memory + s->unit, s->unit, PROT_NONE) ? errno : 0;
	denied = try_read(memory + s->unit, NULL).happened;
	ok(denied == (code == 0), "maps %s: mprotect of a part denies that part", s->of);
	ok(!try_read(memory, NULL).happened &&
		   !try_read(memory + s->unit - 4096, NULL).happened &&
		   (s->size == 2 * s->unit ||
		    !try_read(memory + 2 * s->unit, NULL).happened),
	   "maps %s: and no other", s->of);
	if (code == 0)
		mprotect(memory + s->unit, s->unit, PROT_READ | PROT_WRITE);
	if (s->align > 4096) {
		ok_errno(EINVAL, mprotect(memory, 4096, PROT_READ) ? errno : 0,
			 "maps %s: mprotect of 4 KiB of it", s->of);
		ok_errno(EINVAL, mprotect(memory + 4096, s->align, PROT_READ) ? errno : 0,
			 "maps %s: mprotect from a misaligned address", s->of);
	}
	ok(strangers(memory, 0, s->size, 3) == 0,
	   "maps %s: the contents are as they were", s->of);
	munmap(memory, s->size);
}

/* Moving, growing and shrinking are the kernel's own; none may corrupt. */
static void remap(const struct subject *s)
{
	char *memory = map_all(s->name, s->size), *moved, *place;
	struct fault fault;
	uint64_t value;

	fill(memory, 0, s->size, 4);
	moved = mremap(memory, s->size, 2 * s->size, MREMAP_MAYMOVE);
	ok(moved == MAP_FAILED, "maps %s: mremap does not let it grow", s->of);
	if (moved != MAP_FAILED)
		memory = moved;
	place = room_for(s->size, s->align);
	moved = mremap(memory, s->size, s->size, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	if (moved != MAP_FAILED)
		memory = moved;
	ok(strangers(memory, 0, s->size, 4) == 0,
	   "maps %s: mremap moves it or does not (%s), whole", s->of,
	   moved != MAP_FAILED ? "did" : "did not");
	if (s->align > 4096) {
		place = room_for(s->size + s->align, s->align) + 4096;
		moved = mremap(memory, s->size, s->size, MREMAP_MAYMOVE | MREMAP_FIXED,
			       place);
		if (moved != MAP_FAILED)
			memory = moved;
		fault = try_read(memory, &value);
		ok(moved == MAP_FAILED || fault.happened || value == word_of(4, 0),
		   "maps %s: mremap to a misaligned address harms nothing", s->of);
		if (moved != MAP_FAILED) {
			munmap(memory, s->size);
			memory = map_all(s->name, s->size);
		}
	}
	moved = mremap(memory, s->size, s->size - s->unit, 0);
	ok(moved == memory, "maps %s: mremap shrinks it", s->of);
	ok(strangers(memory, 0, s->size - s->unit, 4) == 0,
	   "maps %s: what is left is whole", s->of);
	ok(!is_mapped(memory + s->size - s->unit), "maps %s: the rest is gone", s->of);
	munmap(memory, s->size);
}

static void partial_unmap(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);

	fill(memory, 0, s->size, 5);
	if (s->align > 4096) {
		ok_errno(EINVAL, munmap(memory + 4096, 4096) ? errno : 0,
			 "maps %s: munmap of 4 KiB of it", s->of);
		ok_errno(EINVAL, munmap(memory, s->align + 4096) ? errno : 0,
			 "maps %s: munmap to a misaligned address", s->of);
	}
	ok_errno(0, munmap(memory + s->unit, s->unit) ? errno : 0,
		 "maps %s: munmap of a part", s->of);
	ok(!is_mapped(memory + s->unit), "maps %s: which is gone", s->of);
	ok(strangers(memory, 0, s->unit, 5) == 0 &&
		   strangers(memory + 2 * s->unit, 2 * s->unit, s->size - 2 * s->unit,
			     5) == 0,
	   "maps %s: the rest is as it was", s->of);
	munmap(memory, s->size);
}

static void advice(const struct subject *s)
{
	static const struct {
		const char *name;
		int advice;
	} all[] = {
		{"MADV_DONTNEED", MADV_DONTNEED},
		{"MADV_HUGEPAGE", MADV_HUGEPAGE},
		{"MADV_WILLNEED", MADV_WILLNEED},
		{"MADV_SEQUENTIAL", MADV_SEQUENTIAL},
		{"MADV_FREE", MADV_FREE},
		{"MADV_REMOVE", MADV_REMOVE},
		{"MADV_COLD", MADV_COLD},
		{"MADV_PAGEOUT", MADV_PAGEOUT},
		{"MADV_MERGEABLE", MADV_MERGEABLE},
		{"MADV_DONTDUMP", MADV_DONTDUMP},
		{"MADV_COLLAPSE", 25},
		{"MADV_WIPEONFORK", MADV_WIPEONFORK},
		{"MADV_POPULATE_READ", 22},
	};
	char *memory = map_all(s->name, s->size);
	uint64_t before;

	before = all_faults(s->name);
	ok_errno(0, madvise(memory, s->size, MADV_POPULATE_WRITE) ? errno : 0,
		 "maps %s: MADV_POPULATE_WRITE", s->of);
	ok(all_faults(s->name) - before == s->size / s->align,
	   "maps %s: populates all of it", s->of);
	fill(memory, 0, s->size, 6);
	for (unsigned int i = 0; i < sizeof(all) / sizeof(*all); i++) {
		/* 6.1 says "bad pmd" to these: part stale. */
		if (is_kernel("6.1") &&
		    (all[i].advice == MADV_COLD || all[i].advice == MADV_PAGEOUT))
			continue;
		madvise(memory, s->size, all[i].advice);
		madvise(memory + s->unit, s->unit, all[i].advice);
		ok(strangers(memory, 0, s->size, 6) == 0, "maps %s: %s harms nothing",
		   s->of, all[i].name);
	}
	munmap(memory, s->size);
}

/* Who wants no large pages gets none of what has no small ones, and never a smaller one.
 */
static void no_huge_pages(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);
	uint64_t all;

	if (s->align == 4096)
		return;
	madvise(memory, s->size, MADV_NOHUGEPAGE);
	all = all_faults(s->name);
	ok(try_read(memory, NULL).happened && all_faults(s->name) == all,
	   "maps %s: SIGBUS after MADV_NOHUGEPAGE, no smaller page", s->of);
	/* Where 1 GiB could be, there is a table now, for as long as the mapping. */
	if (s->align == 2 * MIB) {
		madvise(memory, s->size, MADV_HUGEPAGE);
		ok(!try_read(memory, NULL).happened,
		   "maps %s: as before after MADV_HUGEPAGE", s->of);
	}
	munmap(memory, s->size);
	memory = map_all(s->name, s->size);
	ok(!try_read(memory, NULL).happened, "maps %s: as before in a new mapping",
	   s->of);
	munmap(memory, s->size);
}

static void lock(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);

	ok_errno(0, mlock(memory, s->size) ? errno : 0, "maps %s: mlock", s->of);
	fill(memory, 0, s->size, 7);
	ok_errno(0, munlock(memory, s->size) ? errno : 0, "maps %s: munlock", s->of);
	ok(strangers(memory, 0, s->size, 7) == 0, "maps %s: contents after mlock", s->of);
	munmap(memory, s->size);
}

/* From the instance to a file and back, without the page cache, across the end of an
 * extent. */
static void direct_io(const struct subject *s)
{
	uint64_t length = 64 * KIB, at = s->size / 2 - length / 2;
	char *memory;
	int fd;

	if (!options.file) {
		note("no file for O_DIRECT: --file");
		return;
	}
	fd = open(options.file, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s: %s", options.file, strerror(errno));
	memory = map_all(s->name, s->size);
	fill(memory, 0, s->size, 8);
	ok(pwrite(fd, memory + at, length, 0) == (ssize_t)length,
	   "maps %s: O_DIRECT write from it", s->of);
	memset(memory + at, 0, length);
	ok(pread(fd, memory + at, length, 0) == (ssize_t)length,
	   "maps %s: O_DIRECT read into it", s->of);
	ok(strangers(memory, 0, s->size, 8) == 0, "maps %s: which brings the same back",
	   s->of);
	munmap(memory, s->size);
	/* The first touch is the kernel's own. */
	memory = map_all(s->name, s->size);
	ok(pread(fd, memory + at, length, 0) == (ssize_t)length,
	   "maps %s: O_DIRECT into what is not mapped yet", s->of);
	ok(strangers(memory, 0, s->size, 8) == 0, "maps %s: which is the same", s->of);
	munmap(memory, s->size);
	close(fd);
	unlink(options.file);
}

static void by_others(const struct subject *s)
{
	char *memory = map_all(s->name, s->size);
	char buffer[64 * 1024];
	struct iovec local = {buffer, sizeof(buffer)};
	struct iovec remote = {memory + s->size / 2 - sizeof(buffer) / 2, sizeof(buffer)};
	uint64_t at = s->size / 2 - sizeof(buffer) / 2;
	int pipes[2], fd;
	struct iovec piece = {memory + at, 8192};

	fill(memory, 0, s->size, 9);
	ok(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof(buffer) &&
		   strangers(buffer, at, sizeof(buffer), 9) == 0,
	   "maps %s: process_vm_readv across two extents", s->of);
	ok(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == sizeof(buffer) &&
		   strangers(memory, 0, s->size, 9) == 0,
	   "maps %s: process_vm_writev", s->of);
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	memset(buffer, 0, sizeof(buffer));
	ok(pread(fd, buffer, sizeof(buffer), (off_t)(uintptr_t)remote.iov_base) ==
			   sizeof(buffer) &&
		   strangers(buffer, at, sizeof(buffer), 9) == 0,
	   "maps %s: /proc/PID/mem, as a debugger reads", s->of);
	ok(pwrite(fd, buffer, 4096, (off_t)(uintptr_t)remote.iov_base) == 4096 &&
		   strangers(memory, 0, s->size, 9) == 0,
	   "maps %s: /proc/PID/mem, as a debugger writes", s->of);
	close(fd);
	if (pipe2(pipes, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	ok(vmsplice(pipes[1], &piece, 1, 0) == 8192, "maps %s: vmsplice", s->of);
	ok(read(pipes[0], buffer, 8192) == 8192 && strangers(buffer, at, 8192, 9) == 0,
	   "maps %s: reads the same from the pipe", s->of);
	close(pipes[0]);
	close(pipes[1]);
	munmap(memory, s->size);
}

static void read_all(const char *path)
{
	char *text = get(path);

	free(text);
}

/* Everything that walks page tables on somebody's behalf. */
static void walkers(const struct subject *s)
{
	static const char *const files[] = {"smaps", "smaps_rollup", "numa_maps", "maps"};
	char *memory = map_all(s->name, s->size);
	void *pages[] = {memory, memory + s->size / 2};
	uint64_t entries[512];
	char path[64];
	int status[2], nodes[2] = {0, 0}, fd;

	fill(memory, 0, s->size, 10);
	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		read_all(path);
	}
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	for (uint64_t at = 0; at < s->size; at += s->size / 8)
		if (pread(fd, entries, sizeof(entries),
			  (off_t)(((uintptr_t)memory + at) / 4096 * 8)) < 0)
			note("pagemap: %s", strerror(errno));
	close(fd);
	ok(strangers(memory, 0, s->size, 10) == 0, "maps %s: /proc's walks harm nothing",
	   s->of);
	put("/proc/self/clear_refs", "1", 1);
	put("/proc/self/clear_refs", "4", 1);
	ok(strangers(memory, 0, s->size, 10) == 0, "maps %s: nor does clear_refs", s->of);
	syscall(SYS_move_pages, 0, 2, pages, NULL, status, 0);
	syscall(SYS_move_pages, 0, 2, pages, nodes, status, 2);
	syscall(SYS_mbind, memory, s->size, 2, (unsigned long[]){1}, 64, 6);
	syscall(SYS_migrate_pages, 0, 64, (unsigned long[]){2}, (unsigned long[]){1});
	ok(strangers(memory, 0, s->size, 10) == 0, "maps %s: nor does who moves pages",
	   s->of);
	munmap(memory, s->size);
}

/* A core with all that it may have. */
static void core_dump(const struct subject *s)
{
	pid_t child;
	int status;

	if (s->size > 64 * MIB)
		return;
	put("/proc/sys/kernel/core_pattern", "/tmp/core-of-dax", 16);
	child = fork();
	if (child == 0) {
		struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

		setrlimit(RLIMIT_CORE, &all);
		put("/proc/self/coredump_filter", "0x7f", 4);
		fill(map_all(s->name, s->size), 0, s->size, 11);
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WCOREDUMP(status),
	   "maps %s: who has it mapped can dump core", s->of);
	unlink("/tmp/core-of-dax");
}

static void run_with(uint64_t align, uint64_t unit, uint64_t extent, const char *of)
{
	struct subject s = {.align = align, .unit = unit, .size = 2 * extent, .of = of};
	const struct extent list[] = {{.start = 0, .size = extent},
				      {.start = extent + unit, .size = extent},
				      {.size = 0}};

	make_of(s.name, align, list);
	what_mmap_takes(&s);
	behind_the_end(&s);
	faults_have_the_size(&s);
	smaps_show_it(&s);
	contents_stay(&s);
	fork_and_more(&s);
	protection(&s);
	remap(&s);
	partial_unmap(&s);
	advice(&s);
	no_huge_pages(&s);
	lock(&s);
	direct_io(&s);
	by_others(&s);
	walkers(&s);
	core_dump(&s);
	drop(s.name);
	ok(consistent(), "maps %s: everything is accounted for", of);
}

/* Struct pages are made for a GiB at once, for the pages of whoever comes first. */
static void beside(uint64_t first, uint64_t align, const char *of)
{
	const struct extent list[] = {{.start = 256 * MIB, .size = 2 * MIB}, {.size = 0}};
	char name[NAME_SIZE];

	make_of(name, first, list);
	run_with(align, 2 * MIB, 4 * MIB, of);
	drop(name);
}

void test_maps(void)
{
	run_with(4096, 2 * MIB, 4 * MIB, "4 KiB");
	run_with(2 * MIB, 2 * MIB, 4 * MIB, "2 MiB");
	beside(2 * MIB, 4096, "4 KiB beside 2 MiB");
	beside(4096, 2 * MIB, "2 MiB beside 4 KiB");
	run_with(GIB, GIB, GIB, "1 GiB");
}

/* More instances than a byte has numbers. */
void test_minors(void)
{
	static char names[600][NAME_SIZE];
	unsigned int good = 0, count = sizeof(names) / sizeof(*names);

	for (unsigned int i = 0; i < count; i++)
		make(names[i], 2 * MIB, i % 3 ? 2 * MIB : 4 * MIB);
	for (unsigned int i = 0; i < count; i++) {
		char *memory = map(names[i], 0, 2 * MIB, PROT_READ | PROT_WRITE);

		if (memory == MAP_FAILED)
			continue;
		fill(memory, 0, 2 * MIB, i + 1);
		munmap(memory, 2 * MIB);
	}
	for (unsigned int i = 0; i < count; i++) {
		char *memory = map(names[i], 0, 2 * MIB, PROT_READ | PROT_WRITE);

		if (memory == MAP_FAILED)
			continue;
		good += strangers(memory, 0, 2 * MIB, i + 1) == 0;
		munmap(memory, 2 * MIB);
	}
	ok(good == count,
	   "minors: %u of %u instances are opened, mapped, and nobody else's", good,
	   count);
	ok(consistent(), "minors: consistent with all of them");
	for (unsigned int i = 0; i < count; i++)
		drop(names[i]);
}
