/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the driver share: its interface (driver/ABI.md) with bare system
 * calls, and one judge of whether all that it shows of a region is one story. Runs as
 * root in the virtual host.
 */
#ifndef TESTS_DRIVER_DAX_H
#define TESTS_DRIVER_DAX_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (KIB << 10)
#define GIB (KIB << 20)

/* Most extents that a test makes of one instance, and most instances of a region. */
#define MAX_EXTENTS 1024
#define MAX_INSTANCES 2048

#define NAME_SIZE 32

struct region {
	unsigned int id;
	uint64_t start;
	uint64_t size;
	uint64_t align;
	char path[640]; /* of its directory dax_region */
};

struct extent {
	uint64_t start;
	uint64_t size;
	uint64_t offset;
};

/* A piece of the region's memory, as its attribute space shows it. */
struct piece {
	uint64_t start;
	uint64_t end; /* exclusive */
	char state[16];
	char holder[NAME_SIZE]; /* "" when it has none */
};

/* Region number @wanted of dax_color, any when it is negative; the program ends when
 * there is none. */
extern struct region region;
void region_open(int wanted);
bool region_exists(int id);

/* ---- reporting ---- */

extern unsigned int failures;
bool ok(bool condition, const char *format, ...) __attribute__((format(printf, 2, 3)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The test cannot go on. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool ok_errno(int expected, int got, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool is_kernel(const char *series);

/* ---- attributes ---- */

/* 0 or the errno of open or write. */
int put(const char *path, const void *text, size_t length);
/* Without the newline at the end; "" and errno when it cannot be read. The caller frees.
 */
char *get(const char *path);
int region_put(const char *attribute, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *region_get(const char *attribute);
uint64_t region_number(const char *attribute);
int instance_put(const char *name, const char *attribute, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
char *instance_get(const char *name, const char *attribute);
uint64_t instance_number(const char *name, const char *attribute);
/* All instances of the region, by number; how many. */
unsigned int instances(char (*names)[NAME_SIZE]);
/* By page offset; how many, or -1 when mappingN are not dense or not consistent. */
int extents(const char *name, struct extent *list);
/* By address; how many. The caller frees. */
unsigned int pieces(struct piece **list);

/* ---- instances ---- */

/* Makes an instance of size 0; errno when there is none. */
int create(char name[NAME_SIZE]);
int discard(const char *name);
/* create, align, size; the program ends when it cannot be had. */
void make(char name[NAME_SIZE], uint64_t align, uint64_t size);
/* The same with extents: @list is of offsets from the start of the region, and sizes;
 * ends with a size of 0. */
void make_of(char name[NAME_SIZE], uint64_t align, const struct extent *list);
/* Adds the extent @offset from the start of the region. */
int add(const char *name, uint64_t offset, uint64_t size);
int resize(const char *name, uint64_t size);
/* size 0, and delete where it is not the seed. */
void drop(const char *name);
int open_instance(const char *name);
/* MAP_FAILED and errno */
void *map(const char *name, uint64_t offset, uint64_t size, int protection);
/* The same, or the end of the program. */
void *map_all(const char *name, uint64_t size);

/* The attribute `faults` in debugfs for this fault size. */
uint64_t faults(const char *name, uint64_t size);

/* Waits until nothing is being zeroed and nothing is quarantined; false after @seconds.
 */
bool settled(unsigned int seconds);
/* Waits until no memory is quarantined. */
bool quarantine_ends(unsigned int seconds);

/*
 * All that the region shows is one story: sizes add up, space has no gaps and agrees with
 * the attributes and with mappingN, there is a seed, free_granules are what space says.
 * Says what is not so.
 */
bool consistent(void);

/* ---- touching ---- */

struct fault {
	bool happened;
	int code;
	uint64_t address;
	int lsb;
};

/* Installs the handler for SIGBUS and SIGSEGV; for each thread's own faults. */
void catch_faults(void);
struct fault try_read(const volatile void *address, uint64_t *value);
struct fault try_write(volatile void *address, uint64_t value);

/* One word for each page of 4 KiB, which says whose it is and where. */
uint64_t word_of(uint64_t owner, uint64_t offset);
void fill(void *memory, uint64_t offset, uint64_t size, uint64_t owner);
/* How many pages do not hold what fill() wrote. */
uint64_t strangers(const void *memory, uint64_t offset, uint64_t size, uint64_t owner);
/* How many bytes, counted in words, are not zero: all of the memory is read. */
uint64_t not_zero(const void *memory, uint64_t size);

double now(void);

/* ---- the parts ---- */

struct options {
	unsigned int seconds;	/* of what is random */
	unsigned int processes; /* in the storm */
	bool long_form;
	uint64_t seed;
	const char *module; /* that claims instances; NULL: there is none */
	const char *file; /* can be made on a file system that takes O_DIRECT; NULL: there
			     is none */
};
extern struct options options;

void test_ops(void);
void test_full(void);
void test_colors(void);
void test_claims(void);
void test_maps(void);
void test_minors(void);
void test_nomem(void);
void test_resize(void);
void test_stale(void);
void test_release(void);
void test_vfio(void);
void test_vhost(void);
void test_poison(void);
void test_storm(void);
void test_kvm(void);

#endif
