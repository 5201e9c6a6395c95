// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Growing and shrinking of what is mapped and in use: what stays keeps its bytes and its
 * offsets, what goes is gone for everybody when the write returns, what comes is zero.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dax.h"

#define MARK UINT64_C(77)

/* ---- step by step, by two processes ---- */

/* A process that has it mapped and answers: a byte in, how many pages of the first @size
 * are lost, out. */
struct witness {
	pid_t pid;
	int ask;
	int answer;
};

static void witness_loop(const char *name, uint64_t room, int ask, int answer)
{
	char *memory = map(name, 0, room, PROT_READ | PROT_WRITE);
	uint64_t size, lost;

	while (memory != MAP_FAILED && read(ask, &size, sizeof(size)) == sizeof(size)) {
		lost = 0;
		for (uint64_t at = 0; at < size; at += 4096)
			lost += try_read(memory + at, NULL).happened;
		if (write(answer, &lost, sizeof(lost)) != sizeof(lost))
			break;
	}
	_exit(0);
}

static struct witness witness_start(const char *name, uint64_t room)
{
	struct witness witness;
	int ask[2], answer[2];

	if (pipe(ask) || pipe(answer))
		die("pipe: %s", strerror(errno));
	witness.pid = fork();
	if (witness.pid == 0) {
		close(ask[1]);
		close(answer[0]);
		witness_loop(name, room, ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	witness.ask = ask[1];
	witness.answer = answer[0];
	return witness;
}

static uint64_t witness_lost(struct witness *witness, uint64_t size)
{
	uint64_t lost = UINT64_MAX;

	if (write(witness->ask, &size, sizeof(size)) != sizeof(size) ||
	    read(witness->answer, &lost, sizeof(lost)) != sizeof(lost))
		note("the witness is gone");
	return lost;
}

static void witness_end(struct witness *witness)
{
	close(witness->ask);
	close(witness->answer);
	waitpid(witness->pid, NULL, 0);
}

static bool all_lost(char *memory, uint64_t from, uint64_t to, uint64_t align)
{
	for (uint64_t at = from; at < to; at += align < MIB ? 64 * KIB : align / 2) {
		struct fault fault = try_read(memory + at, NULL);

		if (!fault.happened || fault.code != BUS_ADRERR ||
		    fault.address != (uintptr_t)memory + at)
			return false;
	}
	return true;
}

static void step_by_step(uint64_t align, uint64_t unit, const char *of)
{
	const struct extent list[] = {{.start = unit, .size = 2 * unit},
				      {.start = 4 * unit, .size = unit},
				      {.size = 0}};
	struct extent before[MAX_EXTENTS], after[MAX_EXTENTS];
	struct witness witness;
	char name[NAME_SIZE];
	char *memory;

	make_of(name, align, list);
	memory = map(name, 0, 5 * unit, PROT_READ | PROT_WRITE);
	if (memory == MAP_FAILED)
		die("resize %s: mmap: %s", of, strerror(errno));
	witness = witness_start(name, 5 * unit);
	fill(memory, 0, 3 * unit, 1);
	ok(witness_lost(&witness, 3 * unit) == 0,
	   "resize %s: another process has all of it", of);
	extents(name, before);

	ok_errno(0, resize(name, 2 * unit),
		 "resize %s: shrink by an extent, while mapped", of);
	ok(all_lost(memory, 2 * unit, 3 * unit, align),
	   "resize %s: what went is SIGBUS, at its address", of);
	ok(witness_lost(&witness, 3 * unit) == unit / 4096,
	   "resize %s: for the other process, too", of);
	ok(strangers(memory, 0, 2 * unit, 1) == 0, "resize %s: what stays is as it was",
	   of);

	ok_errno(0, resize(name, unit), "resize %s: shrink by part of an extent", of);
	ok(all_lost(memory, unit, 3 * unit, align), "resize %s: what went is SIGBUS", of);
	ok(witness_lost(&witness, 3 * unit) == 2 * unit / 4096,
	   "resize %s: for the other process, too", of);
	ok(strangers(memory, 0, unit, 1) == 0, "resize %s: what stays is as it was", of);

	ok_errno(0, resize(name, 4 * unit), "resize %s: grow, while mapped", of);
	ok(not_zero(memory + unit, 3 * unit) == 0,
	   "resize %s: what comes is zero, in the old mapping", of);
	ok(witness_lost(&witness, 4 * unit) == 0,
	   "resize %s: and there for the other process", of);
	ok(strangers(memory, 0, unit, 1) == 0, "resize %s: what was there is as it was",
	   of);
	extents(name, after);
	ok(after[0].start == before[0].start && after[0].offset == 0,
	   "resize %s: where it was", of);
	fill(memory + unit, unit, 3 * unit, 2);

	ok_errno(0, add(name, 7 * unit, unit),
		 "resize %s: one extent more, by mapping, while mapped", of);
	ok(not_zero(memory + 4 * unit, unit) == 0, "resize %s: it is zero, at the end",
	   of);
	ok(strangers(memory + unit, unit, 3 * unit, 2) == 0,
	   "resize %s: the rest is as it was", of);
	ok(consistent(), "resize %s: consistent", of);

	ok_errno(0, resize(name, 0), "resize %s: size 0, while mapped", of);
	ok(all_lost(memory, 0, 5 * unit, align), "resize %s: all of it is SIGBUS", of);
	ok(witness_lost(&witness, 5 * unit) == 5 * unit / 4096,
	   "resize %s: for the other process, too", of);
	ok_errno(0, discard(name), "resize %s: delete, while mapped", of);
	ok(all_lost(memory, 0, 5 * unit, align), "resize %s: as before", of);
	munmap(memory, 5 * unit);
	witness_end(&witness);
	ok(consistent(), "resize %s: consistent when all is gone", of);
}

/* ---- under load ---- */

#define THREADS 4
#define LOAD_UNIT (2 * MIB)
#define LOAD_MAX 16 /* units */
#define LOAD_MIN 2

static struct {
	char name[NAME_SIZE];
	char other[NAME_SIZE];
	char *memory;
	atomic_bool stop;
	atomic_uint_fast64_t wrong;
	atomic_uint_fast64_t touched;
	atomic_uint_fast64_t lost;
	atomic_uint_fast64_t spliced;
	atomic_uint_fast64_t torn; /* readings of mappingN that made no sense */
} load;

/* Each thread has a word of its own in each page. What it reads there is what it wrote,
 * or zero. */
static void *toucher(void *argument)
{
	uint64_t thread = (uintptr_t)argument, random = options.seed * 31 + thread, value,
		 wanted;

	while (!load.stop) {
		uint64_t offset;
		volatile char *at;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		offset = (random >> 33) % (LOAD_MAX * LOAD_UNIT / 4096) * 4096;
		at = load.memory + offset + thread * 64;
		wanted = word_of(thread, offset);
		load.touched++;
		if (try_read(at, &value).happened) {
			load.lost++;
			continue;
		}
		if (value != wanted && value != 0)
			load.wrong++;
		try_write((volatile char *)at, wanted);
	}
	return NULL;
}

/* Takes pages into a pipe and out again: pins that come and go while what they are of
 * goes. */
static void *splicer(void *argument)
{
	uint64_t random = options.seed * 17, page[512];
	int ends[2];

	(void)argument;
	if (pipe(ends))
		return NULL;
	while (!load.stop) {
		struct iovec piece = {.iov_len = 4096};
		uint64_t offset;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		offset = (random >> 33) % (LOAD_MAX * LOAD_UNIT / 4096) * 4096;
		piece.iov_base = load.memory + offset;
		if (vmsplice(ends[1], &piece, 1, 0) != 4096)
			continue;
		if (random & (1 << 20))
			usleep(500);
		if (read(ends[0], page, 4096) != 4096)
			break;
		for (uint64_t thread = 0; thread < THREADS; thread++)
			load.wrong += page[thread * 8] != 0 &&
				      page[thread * 8] != word_of(thread, offset);
		load.spliced++;
	}
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

/* mappingN can be read at any time, and never says nonsense. */
static void *reader(void *argument)
{
	(void)argument;
	while (!load.stop) {
		for (unsigned int i = 0; i < 4; i++) {
			char part[32], *text;
			uint64_t start, end;

			snprintf(part, sizeof(part), "mapping%u/start", i);
			text = instance_get(load.name, part);
			start = strtoull(text, NULL, 16);
			free(text);
			snprintf(part, sizeof(part), "mapping%u/end", i);
			text = instance_get(load.name, part);
			end = strtoull(text, NULL, 16);
			free(text);
			if (start && (start < region.start || start % LOAD_UNIT))
				load.torn++;
			if (end &&
			    (end >= region.start + region.size || (end + 1) % LOAD_UNIT))
				load.torn++;
		}
		usleep(100);
	}
	return NULL;
}

/* Takes what the first one gave back, and looks whether anybody else still gets there. */
static uint64_t other_takes(uint64_t size)
{
	uint64_t bad = 0;
	char *memory;

	if (resize(load.other, size))
		return 0;
	memory = map(load.other, 0, size, PROT_READ | PROT_WRITE);
	if (memory == MAP_FAILED)
		return 1;
	bad += not_zero(memory, size) != 0;
	for (uint64_t at = 0; at < size; at += 4096)
		memset(memory + at, 0xa5, 512);
	for (uint64_t at = 0; at < size; at += 4096)
		for (uint64_t i = 0; i < 512; i++)
			bad += memory[at + i] != (char)0xa5;
	munmap(memory, size);
	return bad + (resize(load.other, 0) != 0);
}

static void under_load(uint64_t align, const char *of)
{
	uint64_t random = options.seed, rounds = 0, bad = 0, errors = 0, kept = 0;
	double end = now() + options.seconds / 5.0;
	pthread_t threads[THREADS + 2];

	memset(&load, 0, sizeof(load));
	make(load.name, align, LOAD_MAX * LOAD_UNIT);
	make(load.other, align, 0);
	load.memory = map_all(load.name, LOAD_MAX * LOAD_UNIT);
	for (uint64_t at = 0; at < LOAD_MIN * LOAD_UNIT; at += 4096)
		*(uint64_t *)(load.memory + at + 2048) = word_of(MARK, at);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, toucher, (void *)i);
	pthread_create(&threads[THREADS], NULL, reader, NULL);
	pthread_create(&threads[THREADS + 1], NULL, splicer, NULL);
	while (now() < end) {
		uint64_t size;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		size = LOAD_MIN + (random >> 33) % (LOAD_MAX - LOAD_MIN + 1);
		errors += resize(load.name, size * LOAD_UNIT) != 0;
		if (size < LOAD_MAX && rounds % 4 == 0)
			bad += other_takes((LOAD_MAX - size) * LOAD_UNIT);
		rounds++;
	}
	load.stop = true;
	for (int i = 0; i < THREADS + 2; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t at = 0; at < LOAD_MIN * LOAD_UNIT; at += 4096)
		kept += *(uint64_t *)(load.memory + at + 2048) != word_of(MARK, at);
	note("%" PRIu64 " resizes, %" PRIu64 " touches, %" PRIu64
	     " of them of what was gone",
	     rounds, (uint64_t)load.touched, (uint64_t)load.lost);
	ok(errors == 0, "resize %s under load: every resize is done", of);
	ok(load.wrong == 0 && load.lost > 0 && load.touched > load.lost,
	   "resize %s under load: threads find what they wrote, zeros or SIGBUS", of);
	ok(bad == 0,
	   "resize %s under load: what went is zero for who gets it, and nobody else "
	   "writes there",
	   of);
	ok(kept == 0, "resize %s under load: what stayed all the time is as it was", of);
	ok(load.spliced > 0, "resize %s under load: pages went through a pipe meanwhile",
	   of);
	ok(load.torn == 0, "resize %s under load: mappingN makes sense at any time", of);
	munmap(load.memory, LOAD_MAX * LOAD_UNIT);
	drop(load.name);
	drop(load.other);
	ok(consistent(), "resize %s under load: consistent afterwards", of);
}

/* ---- what a mapper does to its page tables ---- */

/*
 * Advice that makes the kernel drop a page table entry must not leave one in the
 * processor: 6.1 takes an entry of 2 MiB for a broken table here ("bad pmd") and forgets
 * to flush it.
 */
static void stale(uint64_t align, int advice, const char *of)
{
	char name[NAME_SIZE];
	char *memory;
	unsigned int reached = 0;

	for (int i = 0; i < 20; i++) {
		make(name, align, 4 * MIB);
		memory = map_all(name, 4 * MIB);
		memory[0] = 1;
		memory[2 * MIB] = 1;
		madvise(memory, 4 * MIB, advice);
		resize(name, 0);
		reached += !try_read(memory, NULL).happened;
		reached += !try_read(memory + 2 * MIB, NULL).happened;
		munmap(memory, 4 * MIB);
		discard(name);
	}
	if (!ok(reached == 0, "resize %s: what went cannot be reached", of))
		note("%u of 40 times it was", reached);
}

void test_stale(void)
{
	stale(4096, MADV_COLD, "4 KiB, after MADV_COLD");
	stale(2 * MIB, MADV_COLD, "2 MiB, after MADV_COLD");
	stale(2 * MIB, MADV_PAGEOUT, "2 MiB, after MADV_PAGEOUT");
}

/* ---- killed while it waits for zeros ---- */

static void killed(void)
{
	/* Where no other part has made it clean. */
	const uint64_t start = 4 * GIB, size = 2 * GIB;
	unsigned int interrupted = 0;
	char name[NAME_SIZE];

	make(name, 2 * MIB, 0);
	for (unsigned int i = 0; i < 5; i++) {
		pid_t child = fork();
		uint64_t has;
		int status;

		if (child == 0)
			_exit(add(name, start, size));
		usleep(20000 + 20000 * i);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		has = instance_number(name, "size");
		interrupted += WIFSIGNALED(status) && has == 0;
		ok(has == 0 || has == size,
		   "resize: killed while it waits: all or nothing");
		ok(consistent(), "resize: and everything accounted for");
		resize(name, 0);
	}
	ok(interrupted > 0, "resize: who waits for zeros can be killed");
	drop(name);
}

void test_resize(void)
{
	step_by_step(4096, 2 * MIB, "4 KiB");
	step_by_step(2 * MIB, 2 * MIB, "2 MiB");
	if (options.long_form)
		step_by_step(GIB, GIB, "1 GiB");
	under_load(4096, "4 KiB");
	under_load(2 * MIB, "2 MiB");
	killed();
}
