// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many processes that create, grow, shrink, map, touch, fork and delete at random, some
 * of which are killed. Each knows what it wrote where: anything else, but the zeros of a
 * page that is new, is somebody else's.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dax.h"

#define OWNED 4 /* instances of a process */
#define MOST (16 * MIB)
#define PAGES (MOST / 4096)
#define COLORS 64

/* Shared by all processes. */
static struct {
	volatile bool stop;
	uint64_t operations;
	uint64_t refused;
	uint64_t checked; /* pages */
	int creating;	  /* somebody is between writing and reading `create` */
	unsigned int waiting;
	volatile bool leave;
} * shared;

struct owned {
	char name[NAME_SIZE]; /* "": there is none */
	uint64_t align;
	uint64_t size;
	uint64_t serial;	    /* what is written into its pages */
	unsigned char known[PAGES]; /* a page that we have written since we have it */
	char *memory;
};

struct worker {
	unsigned int number;
	uint64_t random;
	uint64_t serials;
	bool colors;
	struct owned own[OWNED];
};

static uint64_t dice(struct worker *w, uint64_t sides)
{
	w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (w->random >> 33) % sides;
}

/* Errors that are nobody's fault. */
static bool is_refusal(struct worker *w, int code)
{
	__atomic_add_fetch(&shared->operations, 1, __ATOMIC_RELAXED);
	if (code)
		__atomic_add_fetch(&shared->refused, 1, __ATOMIC_RELAXED);
	return code == ENOSPC || code == EBUSY || (w->colors && code == EPERM);
}

static void broken(struct worker *w, const struct owned *o, const char *what,
		   uint64_t offset, uint64_t value)
{
	printf("not ok - storm: process %u, %s (align %" PRIu64 ", size %" PRIu64
	       "): %s at %#" PRIx64 ": %#" PRIx64 " instead of %#" PRIx64 "\n",
	       w->number, o->name, o->align, o->size, what, offset, value,
	       word_of(o->serial, offset));
	fflush(stdout);
	_exit(1);
}

static void failed(struct worker *w, const struct owned *o, const char *what, int code)
{
	printf("not ok - storm: process %u, %s: %s: %s\n", w->number, o->name, what,
	       strerror(code));
	fflush(stdout);
	_exit(1);
}

/* @whole: every word of a page that is to be zero */
static void check_page(struct worker *w, struct owned *o, uint64_t offset, bool whole)
{
	const uint64_t *page = (const uint64_t *)(o->memory + offset);

	if (o->known[offset / 4096]) {
		if (page[0] != word_of(o->serial, offset) || page[511] != page[0])
			broken(w, o, "not what was written", offset, page[0]);
	} else {
		for (int i = 0; i < 512; i += whole ? 1 : 73)
			if (page[i])
				broken(w, o, "a new page is not zero", offset, page[i]);
	}
	__atomic_add_fetch(&shared->checked, 1, __ATOMIC_RELAXED);
}

static void write_page(struct owned *o, uint64_t offset)
{
	uint64_t *page = (uint64_t *)(o->memory + offset);

	page[0] = word_of(o->serial, offset);
	page[511] = page[0];
	o->known[offset / 4096] = 1;
}

static void map_owned(struct worker *w, struct owned *o)
{
	if (o->memory || !o->size)
		return;
	o->memory = map(o->name, 0, MOST, PROT_READ | PROT_WRITE);
	if (o->memory == MAP_FAILED) {
		o->memory = NULL;
		failed(w, o, "mmap", errno);
	}
}

static void unmap_owned(struct owned *o)
{
	if (o->memory)
		munmap(o->memory, MOST);
	o->memory = NULL;
}

/* `create` tells the name of the last one: one process at a time. */
static void create_owned(struct worker *w, struct owned *o)
{
	int code;

	while (__atomic_exchange_n(&shared->creating, 1, __ATOMIC_ACQUIRE))
		usleep(200);
	code = create(o->name);
	__atomic_store_n(&shared->creating, 0, __ATOMIC_RELEASE);
	if (!code) {
		o->align = dice(w, 2) ? 4096 : 2 * MIB;
		o->serial = w->number << 12 | (++w->serials & 0xfff);
		code = instance_put(o->name, "align", "%" PRIu64, o->align);
		if (!code && w->colors)
			code = instance_put(o->name, "owner",
					    "%08x-0000-4000-8000-000000000000",
					    w->number + 1);
		if (code)
			failed(w, o, "align or owner", code);
		return;
	}
	*o->name = '\0';
	if (!is_refusal(w, code))
		failed(w, o, "create", code);
}

/* After a change: what is gone is forgotten, for when it comes back it is another page.
 */
static void learn_size(struct worker *w, struct owned *o)
{
	uint64_t size = instance_number(o->name, "size");

	if (size > MOST)
		failed(w, o, "grew by itself", EINVAL);
	if (size < o->size)
		memset(o->known + size / 4096, 0, (o->size - size) / 4096);
	o->size = size;
}

static uint64_t any_size(struct worker *w)
{
	return dice(w, 4) ? 2 * MIB * dice(w, 1 + MOST / (2 * MIB)) / (1 + dice(w, 8)) /
				    (2 * MIB) * (2 * MIB)
			  : 0;
}

static void resize_owned(struct worker *w, struct owned *o)
{
	uint64_t size = any_size(w);
	int code = resize(o->name, size);

	if (!is_refusal(w, code) && code)
		failed(w, o, "size", code);
	learn_size(w, o);
	if (!code && o->size != size)
		failed(w, o, "has another size", EINVAL);
}

static void add_owned(struct worker *w, struct owned *o)
{
	uint64_t size = 2 * MIB * (1 + dice(w, 2)),
		 limit = region.size < GIB ? region.size : GIB;
	int code;

	if (o->size + size > MOST)
		return;
	if (w->colors && dice(w, 2))
		code = instance_put(o->name, "color", "1 %d", (int)dice(w, COLORS));
	else
		code = add(o->name, dice(w, (limit - size) / (2 * MIB)) * 2 * MIB, size);
	if (!is_refusal(w, code) && code)
		failed(w, o, "mapping or color", code);
	learn_size(w, o);
}

static void touch_owned(struct worker *w, struct owned *o)
{
	map_owned(w, o);
	for (int i = 0; o->memory && o->size && i < 64; i++) {
		uint64_t offset = dice(w, o->size / 4096) * 4096;

		check_page(w, o, offset, true);
		write_page(o, offset);
	}
}

/* What was behind the end is not there, whoever has it now. */
static void touch_behind(struct worker *w, struct owned *o)
{
	uint64_t offset;

	map_owned(w, o);
	if (!o->memory || o->size == MOST)
		return;
	offset = o->size + dice(w, (MOST - o->size) / 4096) * 4096;
	if (!try_write(o->memory + offset, UINT64_MAX).happened)
		failed(w, o, "what is behind its end can be written", EINVAL);
}

/* A child has it mapped anew, looks at all of it, and may die of it. */
static void fork_owned(struct worker *w, struct owned *o)
{
	bool kill_it = dice(w, 2);
	useconds_t delay = (useconds_t)dice(w, 3000);
	pid_t child = fork();
	int status;

	if (child == 0) {
		o->memory = NULL;
		map_owned(w, o);
		for (uint64_t offset = 0; offset < o->size; offset += 4096)
			check_page(w, o, offset, false);
		_exit(0);
	}
	if (child < 0)
		return;
	if (kill_it) {
		usleep(delay);
		kill(child, SIGKILL);
	}
	waitpid(child, &status, 0);
	if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
	    !(kill_it && WIFSIGNALED(status)))
		failed(w, o, "its child failed", EIO);
}

/* Somebody who resizes it is killed meanwhile: it is done, or it is not. */
static void kill_resizer(struct worker *w, struct owned *o)
{
	uint64_t before = o->size, size = any_size(w);
	useconds_t delay = (useconds_t)dice(w, 2000);
	pid_t child = fork();

	if (child == 0)
		_exit(resize(o->name, size) != 0);
	if (child < 0)
		return;
	usleep(delay);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	learn_size(w, o);
	if (o->size != size && o->size != before)
		failed(w, o, "half resized", EINVAL);
}

/* Two who resize it at once: one of them is the last. What both leave stays. */
static void two_resizers(struct worker *w, struct owned *o)
{
	uint64_t before = o->size, one = any_size(w), two = any_size(w);
	uint64_t least = one < two ? one : two;
	pid_t child = fork();
	int code;

	if (child == 0)
		_exit(resize(o->name, one) != 0);
	if (child < 0)
		return;
	code = resize(o->name, two);
	is_refusal(w, code);
	waitpid(child, NULL, 0);
	if (least < before)
		memset(o->known + least / 4096, 2, (before - least) / 4096);
	learn_size(w, o);
	if (o->size != one && o->size != two && o->size != before)
		failed(w, o, "neither one's size", EINVAL);
	/* Which of them went and came back again is not known. */
	map_owned(w, o);
	for (uint64_t offset = least; o->memory && offset < o->size; offset += 4096) {
		if (o->known[offset / 4096] != 2)
			continue;
		memset(o->memory + offset, 0, 4096);
		o->known[offset / 4096] = 0;
	}
}

static void delete_owned(struct worker *w, struct owned *o)
{
	int code = o->size ? discard(o->name) : EBUSY;

	if (code != EBUSY)
		failed(w, o, "deleted with a size", code);
	if (dice(w, 2))
		unmap_owned(o);
	code = resize(o->name, 0);
	if (code)
		failed(w, o, "size 0", code);
	code = discard(o->name);
	if (code)
		failed(w, o, "delete", code);
	unmap_owned(o);
	memset(o, 0, sizeof(*o));
}

static void step(struct worker *w)
{
	struct owned *o = &w->own[dice(w, OWNED)];

	if (!*o->name) {
		create_owned(w, o);
		return;
	}
	switch (dice(w, 16)) {
	case 0:
	case 1:
	case 2:
		resize_owned(w, o);
		break;
	case 3:
	case 4:
		add_owned(w, o);
		break;
	case 5:
		unmap_owned(o);
		break;
	case 6:
		touch_behind(w, o);
		break;
	case 7:
		fork_owned(w, o);
		break;
	case 8:
		kill_resizer(w, o);
		break;
	case 9:
		two_resizers(w, o);
		break;
	case 10:
		delete_owned(w, o);
		break;
	default:
		touch_owned(w, o);
	}
}

static void check_all(struct worker *w)
{
	for (int i = 0; i < OWNED; i++) {
		struct owned *o = &w->own[i];

		if (!*o->name)
			continue;
		map_owned(w, o);
		for (uint64_t offset = 0; o->memory && offset < o->size; offset += 4096)
			check_page(w, o, offset, false);
	}
}

static void work(unsigned int number, bool colors)
{
	static struct worker w;

	w.number = number;
	w.colors = colors;
	w.random = options.seed * 1000003 + number;
	while (!shared->stop)
		step(&w);
	check_all(&w);
	__atomic_add_fetch(&shared->waiting, 1, __ATOMIC_RELAXED);
	while (!shared->leave)
		usleep(10000);
	for (int i = 0; i < OWNED; i++)
		if (*w.own[i].name)
			delete_owned(&w, &w.own[i]);
	_exit(0);
}

/* No color is two owners'. */
static void audit_colors(void)
{
	char owner_of[COLORS][64] = {0};
	unsigned int count, conflicts = 0, seen = 0;
	struct piece *list;

	count = pieces(&list);
	for (unsigned int i = 0; i < count; i++) {
		char *owner;

		if (strcmp(list[i].state, "held") != 0)
			continue;
		owner = instance_get(list[i].holder, "owner");
		for (uint64_t at = list[i].start; at < list[i].end; at += 2 * MIB) {
			char *color_owner =
				owner_of[(at - region.start) / (2 * MIB) % COLORS];

			conflicts += *color_owner && strcmp(color_owner, owner) != 0;
			snprintf(color_owner, sizeof(*owner_of), "%s", owner);
			seen++;
		}
		free(owner);
	}
	free(list);
	ok(conflicts == 0 && seen > 0,
	   "storm: none of %u held granules has a color of two owners", seen);
}

static unsigned int finish_storm(const pid_t *workers, unsigned int count)
{
	unsigned int good = 0;

	for (unsigned int i = 0; i < count; i++) {
		int status;

		waitpid(workers[i], &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			good++;
		else
			note("process %u: status %#x", i, (unsigned int)status);
	}
	return good;
}

static void storm(bool colors)
{
	pid_t workers[64];
	unsigned int count = options.processes, good;
	double end = now() + options.seconds;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (colors)
		region_put("geometry", "rotate 2097152 %d 0x%" PRIx64, COLORS,
			   region.start);
	fflush(stdout);
	for (unsigned int i = 0; i < count; i++) {
		workers[i] = fork();
		if (workers[i] == 0)
			work(i, colors);
	}
	while (now() < end)
		usleep(100000);
	shared->stop = true;
	for (end = now() + 120; shared->waiting < count && now() < end;) {
		siginfo_t dead = {0};

		/* A process that failed has said so, and does not come here. */
		if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    dead.si_pid)
			break;
		usleep(10000);
	}
	if (shared->waiting == count) {
		ok(consistent(), "storm: consistent at its end");
		if (colors)
			audit_colors();
	}
	shared->leave = true;
	good = finish_storm(workers, count);
	note("seed %" PRIu64 ": %" PRIu64 " operations, %" PRIu64
	     " of them refused, %" PRIu64 " pages looked at",
	     options.seed, shared->operations, shared->refused, shared->checked);
	ok(good == count && shared->checked > 1000,
	   "storm%s: %u of %u processes found what they wrote",
	   colors ? " with colors" : "", good, count);
	settled(60);
	ok(region_number("available_size") == region.size - region_number("bad_size"),
	   "storm%s: all memory is back", colors ? " with colors" : "");
	if (colors)
		ok_errno(0, region_put("geometry", "none"),
			 "storm: and all colors are free");
	munmap(shared, sizeof(*shared));
}

void test_storm(void)
{
	storm(false);
	storm(true);
}
