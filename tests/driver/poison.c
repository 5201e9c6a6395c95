// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that fails: who has it mapped is told where, the rest goes on, and nobody gets
 * it any more. What failed here stays bad for as long as the module is loaded.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dax.h"

/* What a process that had it mapped learned. */
struct news {
	bool told;
	int code;
	uint64_t expected;
	uint64_t address;
	int lsb;
	uint64_t strangers; /* pages of the rest that were not as they were */
	int error;
	volatile bool through;
};

static struct news *news; /* shared with the children: by number */

static sigjmp_buf after_signal;
static volatile sig_atomic_t who;

static void on_failure(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	news[who].told = true;
	news[who].code = info->si_code;
	news[who].address = (uintptr_t)info->si_addr;
	news[who].lsb = info->si_addr_lsb;
	siglongjmp(after_signal, 1);
}

static void listen_for_failure(int number)
{
	struct sigaction action = {.sa_sigaction = on_failure,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};

	who = number;
	sigaction(SIGBUS, &action, NULL);
}

static uint64_t others_lost(char *memory, uint64_t size, uint64_t from, uint64_t to)
{
	return strangers(memory, 0, from, 5) + strangers(memory + to, to, size - to, 5);
}

/* Makes the page at @offset fail, as the machine would. */
static void failing_process(const char *name, uint64_t size, uint64_t offset,
			    uint64_t align)
{
	uint64_t unit = align < 4096 ? 4096 : align, from = offset / unit * unit;
	char *memory = map_all(name, size);

	fill(memory, 0, size, 5);
	news[0].expected = (uintptr_t)memory + offset;
	listen_for_failure(0);
	if (sigsetjmp(after_signal, 0) == 0) {
		if (madvise(memory + offset, 4096, MADV_HWPOISON))
			news[0].error = errno;
		/* It may come by and by, or with the next touch. */
		usleep(200000);
		*(volatile char *)(memory + offset);
	}
	catch_faults();
	news[0].strangers = others_lost(memory, size, from, from + unit);
	_exit(0);
}

static void bystander(const char *name, uint64_t size, uint64_t offset, uint64_t align,
		      int ready)
{
	uint64_t from = offset / align * align;
	char *memory = map_all(name, size);

	for (uint64_t at = 0; at < size; at += 4096)
		*(volatile char *)(memory + at);
	news[1].expected = (uintptr_t)memory + offset;
	/* As QEMU does: told at once, not when it comes by. */
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	listen_for_failure(1);
	if (sigsetjmp(after_signal, 0) == 0) {
		if (write(ready, "", 1) != 1)
			_exit(1);
		/* The signal may come a moment after the other process is through. */
		while (!news[0].through)
			usleep(10000);
		sleep(1);
		if (align == 4096)
			*(volatile char *)(memory + offset);
	}
	catch_faults();
	news[1].strangers = others_lost(memory, size, from, from + align);
	_exit(0);
}

static bool right_place(const struct news *of)
{
	return of->told && of->address >> of->lsb == of->expected >> of->lsb;
}

/* Of small pages among larger ones (ABI.md) only who touches what failed is told. */
static bool is_code_of_bystander(int code, uint64_t align)
{
	return code == BUS_MCEERR_AO || (align == 4096 && code == BUS_MCEERR_AR);
}

static void say(const struct news *of)
{
	note("told %d, code %d, at %#" PRIx64 " (lsb %d), expected %#" PRIx64
	     ", error %d",
	     of->told, of->code, of->address, of->lsb, of->expected, of->error);
}

/* Makes a page fail in the second extent of an instance that two processes have mapped.
 */
static void fail_second_extent(const char *name, uint64_t size, uint64_t offset,
			       uint64_t align, const char *of)
{
	pid_t first, second;
	int ready[2];
	char byte;

	memset(news, 0, 2 * sizeof(*news));
	if (pipe(ready))
		die("pipe: %s", strerror(errno));
	second = fork();
	if (second == 0)
		bystander(name, size, offset, align, ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("poison %s: the other process is gone", of);
	first = fork();
	if (first == 0)
		failing_process(name, size, offset, align);
	waitpid(first, NULL, 0);
	news[0].through = true;
	waitpid(second, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	if (!ok(news[0].error == 0 && right_place(&news[0]) &&
			(news[0].code == BUS_MCEERR_AR || news[0].code == BUS_MCEERR_AO),
		"poison %s: who touches it gets SIGBUS, with its address", of))
		say(&news[0]);
	if (!ok(right_place(&news[1]) && is_code_of_bystander(news[1].code, align),
		"poison %s: another process is told, too, with its address", of))
		say(&news[1]);
	ok(news[0].strangers == 0 && news[1].strangers == 0,
	   "poison %s: the rest is as it was for both", of);
}

static bool bad_becomes(uint64_t size)
{
	for (int i = 0; i < 500; i++) {
		if (region_number("bad_size") == size)
			return true;
		usleep(10000);
	}
	note("bad_size %" PRIu64 " instead of %" PRIu64, region_number("bad_size"), size);
	return false;
}

/* @at: offset in the region of the first extent; @retired: what goes with a page. */
static void fail_and_look(uint64_t align, uint64_t unit, uint64_t at, uint64_t retired,
			  const char *of)
{
	const struct extent list[] = {{.start = at, .size = unit},
				      {.start = at + 2 * unit, .size = unit},
				      {.size = 0}};
	/* In the second half of the second extent. */
	uint64_t size = 2 * unit, offset = unit + unit / 2 + 3 * 4096;
	uint64_t place = at + 2 * unit + unit / 2 + 3 * 4096;
	uint64_t granule = place / retired * retired, bad = region_number("bad_size");
	char name[NAME_SIZE], next[NAME_SIZE];
	char *memory;

	make_of(name, align, list);
	fail_second_extent(name, size, offset, align, of);
	ok(consistent(), "poison %s: consistent while it is held", of);
	ok_errno(0, resize(name, 0), "poison %s: size 0", of);
	settled(30);
	ok(bad_becomes(bad + retired), "poison %s: its granule is bad, and nothing else",
	   of);
	ok(consistent(), "poison %s: consistent when it is given back", of);
	create(next);
	ok_errno(EHWPOISON, add(next, granule, 2 * MIB), "poison %s: nobody can have it",
		 of);
	ok_errno(0, add(next, at, unit), "poison %s: the first extent can be had", of);
	ok_errno(0, add(next, granule - 2 * MIB, 2 * MIB),
		 "poison %s: what lies before it, too", of);
	ok_errno(0, add(next, granule + retired, 2 * MIB),
		 "poison %s: and what lies behind it", of);
	memory = map_all(next, unit);
	ok(not_zero(memory, unit) == 0, "poison %s: they are zero", of);
	munmap(memory, unit);
	drop(next);
	drop(name);
}

static void with_colors(void)
{
	region_put("geometry", "rotate 8388608 4 0x%" PRIx64, region.start);
	fail_and_look(2 * MIB, 16 * MIB, 512 * MIB, 8 * MIB, "2 MiB, granules of 8 MiB");
	region_put("geometry", "none");
}

void test_poison(void)
{
	news = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	/* First: what has failed before would go by granules, too. */
	with_colors();
	fail_and_look(4096, 4 * MIB, 64 * MIB, 2 * MIB, "4 KiB");
	fail_and_look(2 * MIB, 4 * MIB, 128 * MIB, 2 * MIB, "2 MiB");
	fail_and_look(GIB, GIB, GIB, 2 * MIB, "1 GiB");
}
