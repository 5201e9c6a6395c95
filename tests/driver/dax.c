// SPDX-License-Identifier: GPL-2.0-or-later
#include "dax.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CLASS "/sys/class/dax/"
#define PLATFORM "/sys/bus/platform/drivers/dax_color/"
#define DEBUGFS "/sys/kernel/debug/dax_color/"

struct region region;
unsigned int failures;

/* ---- reporting ---- */

bool ok(bool condition, const char *format, ...)
{
	va_list args;

	if (!condition)
		failures++;
	printf("%s - ", condition ? "ok" : "not ok");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return condition;
}

void note(const char *format, ...)
{
	va_list args;

	printf("#   ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void die(const char *format, ...)
{
	va_list args;

	printf("not ok - ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	exit(1);
}

static const char *error_name(int code)
{
	return code == 0 ? "success" : strerrorname_np(code);
}

bool ok_errno(int expected, int got, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	ok(expected == got, "%s: %s", what, error_name(expected));
	if (expected != got)
		note("got %s", error_name(got));
	return expected == got;
}

bool is_kernel(const char *series)
{
	struct utsname name;
	size_t length = strlen(series);

	return uname(&name) == 0 && strncmp(name.release, series, length) == 0 &&
	       !isdigit(name.release[length]);
}

/* ---- attributes ---- */

int put(const char *path, const void *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int code = 0;
	ssize_t written;

	if (fd < 0)
		return errno;
	written = write(fd, text, length);
	if (written < 0)
		code = errno;
	close(fd);
	return code;
}

char *get(const char *path)
{
	size_t room = 4096, length = 0;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code = fd < 0 ? errno : 0;
	ssize_t got = 0;

	if (!text)
		die("no memory");
	while (fd >= 0 && (got = read(fd, text + length, room - length - 1)) > 0) {
		length += (size_t)got;
		if (room - length < 2048) {
			room *= 2;
			text = realloc(text, room);
			if (!text)
				die("no memory");
		}
	}
	if (got < 0)
		code = errno;
	if (fd >= 0)
		close(fd);
	if (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	errno = code;
	return text;
}

static uint64_t number_at(const char *path)
{
	char *text = get(path), *end;
	uint64_t value = strtoull(text, &end, 0);

	if (end == text || *end)
		die("%s has no number: '%s' (%s)", path, text, strerror(errno));
	free(text);
	return value;
}

static int put_text(const char *path, const char *format, va_list args)
{
	char text[512];
	int length = vsnprintf(text, sizeof(text), format, args);

	return put(path, text, (size_t)length);
}

static void region_path(char path[1024], const char *attribute)
{
	snprintf(path, 1024, "%s/%s", region.path, attribute);
}

static void instance_path(char path[1024], const char *name, const char *attribute)
{
	snprintf(path, 1024, CLASS "%s/%s", name, attribute);
}

int region_put(const char *attribute, const char *format, ...)
{
	char path[1024];
	va_list args;
	int code;

	region_path(path, attribute);
	va_start(args, format);
	code = put_text(path, format, args);
	va_end(args);
	return code;
}

char *region_get(const char *attribute)
{
	char path[1024];

	region_path(path, attribute);
	return get(path);
}

static uint64_t number_of(const struct region *of, const char *attribute)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", of->path, attribute);
	return number_at(path);
}

uint64_t region_number(const char *attribute)
{
	return number_of(&region, attribute);
}

int instance_put(const char *name, const char *attribute, const char *format, ...)
{
	char path[1024];
	va_list args;
	int code;

	instance_path(path, name, attribute);
	va_start(args, format);
	code = put_text(path, format, args);
	va_end(args);
	return code;
}

char *instance_get(const char *name, const char *attribute)
{
	char path[1024];

	instance_path(path, name, attribute);
	return get(path);
}

uint64_t instance_number(const char *name, const char *attribute)
{
	char path[1024];

	instance_path(path, name, attribute);
	return number_at(path);
}

static int by_number(const void *a, const void *b)
{
	unsigned int left, right;

	sscanf(a, "dax%*u.%u", &left);
	sscanf(b, "dax%*u.%u", &right);
	return left < right ? -1 : left > right;
}

unsigned int instances(char (*names)[NAME_SIZE])
{
	DIR *dir = opendir(CLASS);
	unsigned int count = 0, id, number;
	struct dirent *entry;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "dax%u.%u", &id, &number) != 2 ||
		    id != region.id)
			continue;
		if (count == MAX_INSTANCES)
			die("more than %d instances", MAX_INSTANCES);
		snprintf(names[count++], NAME_SIZE, "%.31s", entry->d_name);
	}
	closedir(dir);
	qsort(names, count, sizeof(*names), by_number);
	return count;
}

static bool read_extent(const char *name, unsigned int number, struct extent *extent)
{
	static const char *const parts[] = {"start", "end", "page_offset"};
	uint64_t values[3];

	for (int i = 0; i < 3; i++) {
		char path[1024], *text, *end;

		snprintf(path, sizeof(path), CLASS "%s/mapping%u/%s", name, number,
			 parts[i]);
		text = get(path);
		values[i] = strtoull(text, &end, 16);
		if (end == text || *end) {
			free(text);
			return false;
		}
		free(text);
	}
	extent->start = values[0];
	extent->size = values[1] + 1 - values[0];
	extent->offset = values[2] * 4096;
	return true;
}

static unsigned int count_mappings(const char *name)
{
	unsigned int count = 0, number;
	char path[1024];
	struct dirent *entry;
	DIR *dir;

	instance_path(path, name, "");
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += sscanf(entry->d_name, "mapping%u", &number) == 1;
	closedir(dir);
	return count;
}

int extents(const char *name, struct extent *list)
{
	unsigned int count = count_mappings(name);
	uint64_t offset = 0;

	if (count > MAX_EXTENTS)
		die("%s has more than %d extents", name, MAX_EXTENTS);
	for (unsigned int i = 0; i < count; i++) {
		if (!read_extent(name, i, &list[i]) || list[i].offset != offset)
			return -1;
		offset += list[i].size;
	}
	return (int)count;
}

static bool read_pieces(struct piece **list, unsigned int *count)
{
	char *text = region_get("space"), *line, *rest;
	uint64_t next = region.start;
	unsigned int room = 64;
	bool good = true;

	*count = 0;
	*list = malloc(room * sizeof(**list));
	for (line = strtok_r(text, "\n", &rest); line && good;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct piece *piece;

		if (*count == room) {
			room *= 2;
			*list = realloc(*list, room * sizeof(**list));
		}
		piece = &(*list)[(*count)++];
		memset(piece, 0, sizeof(*piece));
		good = sscanf(line, "0x%" SCNx64 "-0x%" SCNx64 " %15s %31s",
			      &piece->start, &piece->end, piece->state,
			      piece->holder) >= 3 &&
		       piece->start == next;
		next = ++piece->end;
	}
	free(text);
	return good && next == region.start + region.size;
}

/* A read takes a page at most, and what changes between two pages may leave a gap: then
 * again. */
unsigned int pieces(struct piece **list)
{
	unsigned int count;

	for (int i = 0; i < 100; i++) {
		if (read_pieces(list, &count))
			return count;
		if (i < 99)
			free(*list);
	}
	note("space is not whole");
	return count;
}

/* ---- the region ---- */

/* Opens region @wanted; any when it is negative. */
static bool find_region(int wanted)
{
	DIR *dir = opendir(PLATFORM);
	struct region found;
	struct dirent *entry;
	bool there = false;

	while (dir && !there && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(found.path, sizeof(found.path), PLATFORM "%s/dax_region",
			 entry->d_name);
		there = access(found.path, F_OK) == 0 &&
			(wanted < 0 || number_of(&found, "id") == (uint64_t)wanted);
	}
	if (dir)
		closedir(dir);
	if (!there)
		return false;
	found.id = (unsigned int)number_of(&found, "id");
	found.size = number_of(&found, "size");
	found.align = number_of(&found, "align");
	found.start = number_of(&found, "resource");
	region = found;
	return true;
}

void region_open(int wanted)
{
	if (!find_region(wanted))
		die("dax_color has no region");
}

bool region_exists(int id)
{
	struct region now = region;
	bool there = find_region(id);

	region = now;
	return there;
}

/* ---- instances ---- */

int create(char name[NAME_SIZE])
{
	int code = region_put("create", "1");
	char *text;

	if (code)
		return code;
	text = region_get("create");
	snprintf(name, NAME_SIZE, "%s", text);
	free(text);
	return 0;
}

int discard(const char *name)
{
	return region_put("delete", "%s", name);
}

int add(const char *name, uint64_t offset, uint64_t size)
{
	return instance_put(name, "mapping", "0x%" PRIx64 "-0x%" PRIx64,
			    region.start + offset, region.start + offset + size - 1);
}

int resize(const char *name, uint64_t size)
{
	return instance_put(name, "size", "%" PRIu64, size);
}

static void make_empty(char name[NAME_SIZE], uint64_t align)
{
	int code = create(name);

	if (code)
		die("no instance can be made: %s", strerror(code));
	code = instance_put(name, "align", "%" PRIu64, align);
	if (code)
		die("%s: align %" PRIu64 ": %s", name, align, strerror(code));
}

void make(char name[NAME_SIZE], uint64_t align, uint64_t size)
{
	int code;

	make_empty(name, align);
	code = resize(name, size);
	if (code)
		die("%s: size %" PRIu64 ": %s", name, size, strerror(code));
}

void make_of(char name[NAME_SIZE], uint64_t align, const struct extent *list)
{
	make_empty(name, align);
	for (; list->size; list++) {
		int code = add(name, list->start, list->size);

		if (code)
			die("%s: no extent at %#" PRIx64 ": %s", name, list->start,
			    strerror(code));
	}
}

void drop(const char *name)
{
	char *first_seed = region_get("seed");
	int code = resize(name, 0);

	if (code == 0 && strcmp(name, first_seed) != 0)
		code = discard(name);
	free(first_seed);
	if (code)
		die("%s cannot be dropped: %s", name, strerror(code));
}

int open_instance(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

void *map(const char *name, uint64_t offset, uint64_t size, int protection)
{
	int fd = open_instance(name), code;
	void *memory;

	if (fd < 0)
		return MAP_FAILED;
	memory = mmap(NULL, size, protection, MAP_SHARED, fd, (off_t)offset);
	code = errno;
	close(fd);
	errno = code;
	return memory;
}

void *map_all(const char *name, uint64_t size)
{
	void *memory = map(name, 0, size, PROT_READ | PROT_WRITE);

	if (memory == MAP_FAILED)
		die("%s: mmap: %s", name, strerror(errno));
	return memory;
}

uint64_t faults(const char *name, uint64_t size)
{
	char path[1024], *text, *line, *rest;
	uint64_t found = UINT64_MAX, of, count;

	snprintf(path, sizeof(path), DEBUGFS "%s/faults", name);
	text = get(path);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, "%" SCNu64 " %" SCNu64, &of, &count) == 2 && of == size)
			found = count;
	free(text);
	if (found == UINT64_MAX)
		die("%s does not count faults of %" PRIu64, path, size);
	return found;
}

static bool wait_zero(const char *attribute, double end)
{
	while (region_number(attribute) != 0) {
		if (now() > end)
			return false;
		usleep(10000);
	}
	return true;
}

bool quarantine_ends(unsigned int seconds)
{
	return wait_zero("quarantined_size", now() + seconds);
}

/* The last of what is zeroed is free a moment later than zeroing_size says that nothing
 * is left to be done. */
static bool wait_clean(double end)
{
	struct piece *list;
	bool busy;

	do {
		unsigned int count = pieces(&list);

		busy = false;
		for (unsigned int i = 0; i < count; i++)
			busy |= strcmp(list[i].state, "zeroing") == 0;
		free(list);
	} while (busy && now() < end);
	return !busy;
}

bool settled(unsigned int seconds)
{
	double end = now() + seconds;

	return wait_zero("quarantined_size", end) && wait_zero("zeroing_size", end) &&
	       wait_clean(end);
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- one story ---- */

static bool agree(const char *what, uint64_t left, uint64_t right)
{
	if (left != right)
		note("inconsistent: %s: %#" PRIx64 " and %#" PRIx64, what, left, right);
	return left == right;
}

static uint64_t sum_of(const struct piece *list, unsigned int count, const char *state)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++)
		if (strcmp(list[i].state, state) == 0)
			sum += list[i].end - list[i].start;
	return sum;
}

static bool space_is_whole(const struct piece *list, unsigned int count)
{
	static const char *const states[] = {"clean", "dirty",	 "preparing",  "held",
					     "bad",   "zeroing", "quarantined"};
	uint64_t at = region.start;
	bool good = true;

	for (unsigned int i = 0; i < count; i++) {
		bool known = false;

		good &= agree("space has a gap", at, list[i].start);
		at = list[i].end;
		for (unsigned int j = 0; j < sizeof(states) / sizeof(*states); j++)
			known |= strcmp(states[j], list[i].state) == 0;
		if (!known) {
			note("inconsistent: space knows a state '%s'", list[i].state);
			good = false;
		}
		if ((strcmp(list[i].state, "held") == 0) != (list[i].holder[0] != '\0')) {
			note("inconsistent: a piece that is %s is of '%s'", list[i].state,
			     list[i].holder);
			good = false;
		}
	}
	return good & agree("space ends early", at, region.start + region.size);
}

static int by_start(const void *a, const void *b)
{
	const struct extent *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/* What mappingN says of an instance is what space says. */
static bool extents_agree(const char *name, const struct piece *list, unsigned int count)
{
	static struct extent own[MAX_EXTENTS];
	uint64_t align = instance_number(name, "align");
	int n = extents(name, own), at = 0;
	uint64_t size = 0;
	bool good = true;

	if (n < 0) {
		note("inconsistent: mappingN of %s", name);
		return false;
	}
	for (int i = 0; i < n; i++) {
		size += own[i].size;
		good &= agree("start of an extent is not aligned", own[i].start % align,
			      0);
		good &= agree("size of an extent is not aligned", own[i].size % align, 0);
		if (i > 0)
			good &= own[i - 1].start + own[i - 1].size != own[i].start ||
				agree("neighbors are two extents", own[i].start, 0);
	}
	good &= agree("size and extents", instance_number(name, "size"), size);
	good &= agree("resource", instance_number(name, "resource"),
		      n > 0 ? own[0].start : region.start);
	qsort(own, (size_t)n, sizeof(*own), by_start);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t end = list[i].start;

		if (strcmp(list[i].holder, name) != 0)
			continue;
		for (; at < n && own[at].start == end; at++)
			end += own[at].size;
		good &= agree("held piece and extents", end, list[i].end);
	}
	if (at != n) {
		note("inconsistent: %s has extents that space does not have", name);
		good = false;
	}
	return good;
}

static bool is_free(const struct piece *list, unsigned int count, uint64_t start,
		    uint64_t end)
{
	for (unsigned int i = 0; i < count; i++)
		if (list[i].start < end && start < list[i].end &&
		    strcmp(list[i].state, "clean") != 0 &&
		    strcmp(list[i].state, "dirty") != 0 &&
		    strcmp(list[i].state, "zeroing") != 0)
			return false;
	return true;
}

/* The color function, written again from its description. */
static uint64_t color_at(const char *kind, uint64_t address, uint64_t granule,
			 uint64_t colors, uint64_t base)
{
	uint64_t i = (address - base) / granule;

	return strcmp(kind, "skew") == 0 ? (i + i / colors) % colors : i % colors;
}

static bool granules_agree(const struct piece *list, unsigned int count)
{
	char *geometry = region_get("geometry"), kind[16] = "", *text = NULL, *line,
	     *rest;
	uint64_t granule = region_number("granule"), colors = region_number("colors");
	uint64_t base = region_number("color_base"), next = 0;
	uint64_t *free_of = calloc(colors + 1, sizeof(*free_of));
	bool good = true;

	sscanf(geometry, "%15s", kind);
	free(geometry);
	if (strcmp(kind, "none") == 0) {
		good &= agree("granule", granule, 0) & agree("colors", colors, 0);
		text = region_get("free_granules");
		good &= agree("free_granules without geometry", (uint64_t)errno, ENODATA);
		goto out;
	}
	for (uint64_t at = base; at + granule <= region.start + region.size;
	     at += granule)
		if (at >= region.start && is_free(list, count, at, at + granule))
			free_of[color_at(kind, at, granule, colors, base)]++;
	text = region_get("free_granules");
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		uint64_t color, granules;

		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %*s", &color, &granules) != 2 ||
		    color != next || color >= colors) {
			note("inconsistent: free_granules: '%s'", line);
			good = false;
			break;
		}
		good &= agree("free granules of a color", granules, free_of[next++]);
	}
	good &= agree("lines of free_granules", next, colors);
out:
	free(text);
	free(free_of);
	return good;
}

bool consistent(void)
{
	static char names[MAX_INSTANCES][NAME_SIZE];
	char *first_seed = region_get("seed");
	unsigned int n_names, n_pieces;
	bool good = true, seen = false;
	struct piece *space;
	uint64_t held = 0, available;

	if (!settled(60)) {
		note("inconsistent: memory does not come back: %" PRIu64
		     " quarantined, %" PRIu64 " being zeroed",
		     region_number("quarantined_size"), region_number("zeroing_size"));
		good = false;
	}
	n_names = instances(names);
	n_pieces = pieces(&space);
	good &= space_is_whole(space, n_pieces);
	for (unsigned int i = 0; i < n_names; i++) {
		uint64_t size = instance_number(names[i], "size");

		held += size;
		good &= extents_agree(names[i], space, n_pieces);
		if (strcmp(names[i], first_seed) == 0) {
			seen = true;
			good &= agree("size of the seed", size, 0);
		}
	}
	if (!seen) {
		note("inconsistent: the seed is '%s', and there is no such instance",
		     first_seed);
		good = false;
	}
	available = region_number("available_size");
	good &= agree("held", sum_of(space, n_pieces, "held"), held);
	good &= agree("quarantined", sum_of(space, n_pieces, "quarantined"),
		      region_number("quarantined_size"));
	good &= agree("zeroing", sum_of(space, n_pieces, "zeroing"),
		      region_number("zeroing_size"));
	good &= agree("dirty", sum_of(space, n_pieces, "dirty"),
		      region_number("dirty_size"));
	good &= agree("bad", sum_of(space, n_pieces, "bad"), region_number("bad_size"));
	good &= agree("preparing", sum_of(space, n_pieces, "preparing"), 0);
	good &= agree("available", available,
		      sum_of(space, n_pieces, "clean") +
			      sum_of(space, n_pieces, "dirty") +
			      sum_of(space, n_pieces, "zeroing"));
	good &= agree("the sum of all states", region.size,
		      available + held + region_number("quarantined_size") +
			      region_number("bad_size"));
	good &= granules_agree(space, n_pieces);
	free(space);
	free(first_seed);
	return good;
}

/* ---- touching ---- */

static __thread sigjmp_buf *escape;
static __thread struct fault last_fault;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!escape) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	last_fault.happened = true;
	last_fault.code = info->si_code;
	last_fault.address = (uintptr_t)info->si_addr;
	last_fault.lsb = number == SIGBUS ? info->si_addr_lsb : 0;
	siglongjmp(*escape, number);
}

void catch_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static struct fault touch(volatile uint64_t *address, uint64_t *value, bool store)
{
	sigjmp_buf here;

	memset(&last_fault, 0, sizeof(last_fault));
	if (sigsetjmp(here, 0) == 0) {
		escape = &here;
		if (store)
			*address = *value;
		else
			*value = *address;
	}
	escape = NULL;
	return last_fault;
}

struct fault try_read(const volatile void *address, uint64_t *value)
{
	uint64_t dummy;

	return touch((volatile uint64_t *)address, value ? value : &dummy, false);
}

struct fault try_write(volatile void *address, uint64_t value)
{
	return touch(address, &value, true);
}

uint64_t word_of(uint64_t owner, uint64_t offset)
{
	return (owner << 40) ^ (offset >> 12) ^ UINT64_C(0x8000000000000000);
}

void fill(void *memory, uint64_t offset, uint64_t size, uint64_t owner)
{
	char *at = memory;

	for (uint64_t done = 0; done < size; done += 4096)
		*(volatile uint64_t *)(at + done) = word_of(owner, offset + done);
}

uint64_t strangers(const void *memory, uint64_t offset, uint64_t size, uint64_t owner)
{
	const char *at = memory;
	uint64_t count = 0;

	for (uint64_t done = 0; done < size; done += 4096) {
		uint64_t value = 0;

		count += try_read(at + done, &value).happened ||
			 value != word_of(owner, offset + done);
	}
	return count;
}

uint64_t not_zero(const void *memory, uint64_t size)
{
	const uint64_t *words = memory;
	uint64_t count = 0;

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		count += words[i] != 0;
	return count;
}
