// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each allocation that an operation makes fails once. Then the operation has done
 * nothing, or, where it can do without, all. On the kernel of tests/kasan only.
 *
 * Another instance always has memory of the same GiB: struct pages are there. When the
 * kernel cannot have memory for those it complains, and leaves half of them made.
 */
#include "dax.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAIL_NTH "/proc/thread-self/fail-nth"
/* More allocations than any of these operations makes. */
#define MANY 2000

struct step {
	const char *what;
	const char *attribute; /* of the region when it begins with '/' */
	const char *text;
	const char *undo; /* written to size, or to the attribute of the region; NULL: the
			     instance that it made is deleted */
	bool never_fails;
};

static int fail_nth;

/* Allocations that may wait fail as well as those that may not. */
static bool set_up(void)
{
	static const char *const settings[] = {
		"/sys/kernel/debug/failslab/ignore-gfp-wait",
		"/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait",
	};

	fail_nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		return false;
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (put(settings[i], "N\n", 2) != 0)
			die("cannot write %s", settings[i]);
	}
	put("/sys/kernel/debug/fail_page_alloc/min-order", "0\n", 2);
	put("/sys/kernel/debug/failslab/verbose", "0\n", 2);
	put("/sys/kernel/debug/fail_page_alloc/verbose", "0\n", 2);
	return true;
}

static void fail(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fail_nth, text, length, 0) != length)
		die("cannot write " FAIL_NTH);
}

/* Whether the allocation came that was to fail. */
static bool failed(void)
{
	char text[16] = "";
	bool came;

	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		die("cannot read " FAIL_NTH);
	came = atoi(text) == 0;
	fail(0);
	return came;
}

/* All that an operation may change; what is free may be clean or dirty. The caller frees.
 */
static char *state(void)
{
	static char names[MAX_INSTANCES][NAME_SIZE];
	struct piece *list;
	unsigned int n = pieces(&list), n_names = instances(names);
	char *text = NULL, *geometry = region_get("geometry");
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fprintf(stream, "%s, %" PRIu64 " available", geometry,
		region_number("available_size"));
	for (unsigned int i = 0; i < n; i++) {
		if (list[i].holder[0])
			fprintf(stream, "; %" PRIx64 "-%" PRIx64 " %s %s", list[i].start,
				list[i].end, list[i].state, list[i].holder);
	}
	for (unsigned int i = 0; i < n_names; i++) {
		char *owner = instance_get(names[i], "owner");

		fprintf(stream, "; %s %" PRIu64 " %" PRIu64 " %s", names[i],
			instance_number(names[i], "size"),
			instance_number(names[i], "align"), owner);
		free(owner);
	}
	fclose(stream);
	free(geometry);
	free(list);
	return text;
}

static int open_attribute(const char *name, const char *attribute)
{
	char path[1024];
	int fd;

	if (attribute[0] == '/')
		snprintf(path, sizeof(path), "%s%s", region.path, attribute);
	else
		snprintf(path, sizeof(path), "/sys/class/dax/%s/%s", name, attribute);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die("cannot open %s: %m", path);
	return fd;
}

/* The errno of the write, in which the allocation number @nth failed, if it @came. */
static int attempt(const char *name, const struct step *step, unsigned int nth,
		   bool *came)
{
	int fd = open_attribute(name, step->attribute), error;

	fail(nth);
	error = write(fd, step->text, strlen(step->text)) < 0 ? errno : 0;
	*came = failed();
	close(fd);
	return error;
}

static void undo(const char *name, const struct step *step)
{
	bool of_region = step->attribute[0] == '/';
	int fd;

	if (!step->undo) {
		char *youngest = region_get("create");

		if (discard(youngest) != 0)
			die("cannot delete %s", youngest);
		free(youngest);
		return;
	}
	fd = open_attribute(name, of_region ? step->attribute : "size");
	if (write(fd, step->undo, strlen(step->undo)) < 0)
		die("cannot undo \"%s\": %m", step->what);
	close(fd);
	settled(60);
}

/* Whether another round is of use. */
static bool round_of(const char *name, const struct step *step, unsigned int nth,
		     unsigned int *refused)
{
	char *before = state(), *after;
	bool came;
	int error = attempt(name, step, nth, &came);

	settled(60);
	after = state();
	if (error != 0) {
		++*refused;
		/* The first allocation is for the text of the write. */
		if (!came || error != ENOMEM || (step->never_fails && nth > 1))
			ok(false, "nomem: %s: allocation %u: %s", step->what, nth,
			   strerror(error));
		if (strcmp(before, after) != 0)
			ok(false,
			   "nomem: %s: allocation %u: it failed, but\n# %s\n# became\n# "
			   "%s",
			   step->what, nth, before, after);
	} else if (strcmp(before, after) == 0 && came) {
		ok(false, "nomem: %s: allocation %u: it did nothing, and did not say so",
		   step->what, nth);
	} else {
		undo(name, step);
	}
	free(before);
	free(after);
	if (!consistent())
		ok(false, "nomem: %s: allocation %u: not consistent", step->what, nth);
	return came && nth < MANY;
}

static void run_step(const char *name, const struct step *step)
{
	unsigned int before = failures, refused = 0, nth = 1;

	while (round_of(name, step, nth, &refused))
		nth++;
	ok(failures == before && nth > 1 && nth < MANY &&
		   (refused > 0 || step->never_fails),
	   "nomem: %s: %u allocations, %u of them refuse it", step->what, nth - 1,
	   refused);
}

static void run_steps(const char *name, const struct step *steps)
{
	for (; steps->what; steps++)
		run_step(name, steps);
}

static void test_region(const char *name, const char *geometry)
{
	run_steps(name, (const struct step[]){
				{"create", "/create", "1", NULL, false},
				{"geometry", "/geometry", geometry, "none", false},
				{},
			});
}

/* With other instances in the way, so that what is larger is two extents. */
static void test_sizes(const char *name)
{
	char other[NAME_SIZE], range[64];

	snprintf(range, sizeof(range), "%#" PRIx64 "-%#" PRIx64, region.start + 64 * MIB,
		 region.start + 66 * MIB - 1);
	make_of(other, 2 * MIB,
		(const struct extent[]){{.start = 0, .size = 2 * MIB},
					{.start = 8 * MIB, .size = 2 * MIB},
					{}});
	run_steps(name, (const struct step[]){
				{"size", "size", "6291456", "0", false},
				{"size, in two extents", "size", "8388608", "0", false},
				{"mapping", "mapping", range, "0", false},
				{},
			});
	resize(name, 4 * MIB);
	run_steps(name, (const struct step[]){
				{"one more extent", "mapping", range, "4194304", false},
				{"shrink", "size", "2097152", "4194304", false},
				{"to size 0", "size", "0", "4194304", true},
				{},
			});
	resize(name, 0);
	drop(other);
}

static void test_color(const char *name, const char *geometry)
{
	char other[NAME_SIZE];

	settled(60);
	ok_errno(0, region_put("geometry", "%s", geometry), "nomem: a geometry");
	make_of(other, 2 * MIB,
		(const struct extent[]){{.start = 0, .size = 2 * MIB}, {}});
	run_steps(name, (const struct step[]){
				{"color", "color", "2 1,3", "0", false},
				{},
			});
	drop(other);
	settled(60);
	ok_errno(0, region_put("geometry", "none"), "nomem: no geometry again");
}

void test_nomem(void)
{
	char name[NAME_SIZE], geometry[64];

	if (!set_up()) {
		note("nomem: this kernel cannot make allocations fail");
		return;
	}
	snprintf(geometry, sizeof(geometry), "rotate %" PRIu64 " 4 %" PRIu64, 2 * MIB,
		 region.start);
	if (create(name) != 0)
		die("no instance");
	test_region(name, geometry);
	test_sizes(name);
	test_color(name, geometry);
	drop(name);
}
