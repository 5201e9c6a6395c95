// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every operation on a region and its instances that geometry has no part in, with what
 * is hostile, and what mainline's device-dax does in its place where that is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dax.h"
#include "table.h"

static const char long_text[5000] = {[0 ... 4999] = '7'};
static const char binary[] = {'\xff', '\xfe', '\x00', '\x01', '\n'};

#define HOSTILE(who, attribute, what, text, error)                                       \
	{                                                                                \
		attribute ": " what, WRITE, who, attribute, text, 0, error, NULL         \
	}
#define BYTES(who, attribute, what, bytes, error)                                        \
	{                                                                                \
		attribute ": " what, WRITE, who, attribute, bytes, sizeof(bytes), error, \
			NULL                                                             \
	}

/* clang-format off */
static const struct op seed_and_create[] = {
	{"there is a seed", SEED, 's', NULL, NULL, 0, 0, "s="},
	{"the region's align", SHOWS, 0, "align", "2097152", 0, 0, NULL},
	{"the region's id", SHOWS, 0, "id", "{#}", 0, 0, NULL},
	{"where the region begins", SHOWS, 0, "resource", "[@0]", 0, 0, NULL},
	{"the seed has no size", SHOWS, 's', "size", "0", 0, 0, NULL},
	{"faults of 2 MiB by default", SHOWS, 's', "align", "2097152", 0, 0, NULL},
	{"what has no extent begins where the region does", SHOWS, 's', "resource", "[@0]", 0, 0, NULL},
	{"nobody's colors by default", SHOWS, 's', "owner", "00000000-0000-0000-0000-000000000000", 0, 0, NULL},
	{"no geometry by default", SHOWS, 0, "geometry", "none", 0, 0, NULL},
	{"the seed cannot be deleted", DELETE, 's', NULL, NULL, 0, EBUSY, NULL},
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a= s="},
	{"create says what it made", SHOWS, 0, "create", "{a}", 0, 0, NULL},
	{"create once more", CREATE, 'b', NULL, NULL, 0, 0, "a= b= s="},
	{"delete what has no size", DELETE, 'a', NULL, NULL, 0, 0, "b= s="},
	{"the lowest number is taken again", CREATE, 'c', NULL, NULL, 0, 0, "b= c= s="},
	{"and shown", SHOWS, 0, "create", "{A}", 0, 0, NULL},
	HOSTILE(0, "create", "0", "0", EINVAL),
	HOSTILE(0, "create", "2", "2", EINVAL),
	HOSTILE(0, "create", "negative", "-1", EINVAL),
	HOSTILE(0, "create", "a word", "one", EINVAL),
	HOSTILE(0, "create", "two words", "1 1", EINVAL),
	HOSTILE(0, "create", "a newline alone", "\n", EINVAL),
	BYTES(0, "create", "binary", binary, EINVAL),
	{"write to what is read only: seed", WRITE, 0, "seed", "{b}", 0, EACCES, NULL},
	{"write to what is read only: available_size", WRITE, 0, "available_size", "0", 0, EACCES, NULL},
	{"read what is write only: delete", SHOWS, 0, "delete", NULL, 0, EACCES, NULL},
	{"read what is write only: mapping", SHOWS, 'b', "mapping", NULL, 0, EACCES, NULL},
	HOSTILE(0, "delete", "what is not there", "dax{#}.999", ENODEV),
	HOSTILE(0, "delete", "another region's", "dax9{#}.0", ENODEV),
	HOSTILE(0, "delete", "the beginning of a name", "dax{#}.", ENODEV),
	HOSTILE(0, "delete", "more than a name", "{b}x", ENODEV),
	HOSTILE(0, "delete", "a path", "../{b}", ENODEV),
	HOSTILE(0, "delete", "a newline alone", "\n", ENODEV),
	BYTES(0, "delete", "binary", binary, ENODEV),
	BYTES(0, "delete", "a long text", long_text, ENODEV),
	{"delete", DELETE, 'b', NULL, NULL, 0, 0, "c= s="},
	HOSTILE(0, "delete", "what is deleted", "{B}", ENODEV),
	{"an attribute of what is deleted", WRITE, 'B', "size", "0", 0, ENOENT, NULL},
};

static const struct op aligns[] = {
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	{"align 4 KiB", WRITE, 'a', "align", "4096", 0, 0, NULL},
	{"which it shows", SHOWS, 'a', "align", "4096", 0, 0, NULL},
	{"align 1 GiB", WRITE, 'a', "align", "1073741824", 0, 0, NULL},
	{"which it shows", SHOWS, 'a', "align", "1073741824", 0, 0, NULL},
	{"a range that is no multiple of 1 GiB", WRITE, 'a', "mapping", "[0M+2M]", 0, EINVAL, NULL},
	{"a misaligned start (mainline takes it)", WRITE, 'a', "mapping", "[2M+1G]", 0, EINVAL, NULL},
	{"a size that is no multiple of 1 GiB", WRITE, 'a', "size", "2097152", 0, EINVAL, NULL},
	HOSTILE('a', "align", "0", "0", EINVAL),
	HOSTILE('a', "align", "1", "1", EINVAL),
	HOSTILE('a', "align", "8 KiB", "8192", EINVAL),
	HOSTILE('a', "align", "4 MiB", "4194304", EINVAL),
	HOSTILE('a', "align", "2 GiB", "2147483648", EINVAL),
	HOSTILE('a', "align", "2^32 + 4096", "4294971392", EINVAL),
	HOSTILE('a', "align", "negative", "-4096", EINVAL),
	HOSTILE('a', "align", "a newline alone", "\n", EINVAL),
	HOSTILE('a', "align", "a word", "huge", EINVAL),
	BYTES('a', "align", "binary", binary, EINVAL),
	{"is still", SHOWS, 'a', "align", "1073741824", 0, 0, NULL},
	{"align 2 MiB, with a newline", WRITE, 'a', "align", "2097152\n", 0, 0, NULL},
	{"take 2 MiB", WRITE, 'a', "mapping", "[0M+2M]", 0, 0, "a=0M+2M"},
	{"align of what has a size", WRITE, 'a', "align", "4096", 0, EBUSY, NULL},
	{"owner of what has a size", WRITE, 'a', "owner", "6e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3e", 0, EBUSY, NULL},
	{"geometry while an instance has a size", WRITE, 0, "geometry", "rotate 2097152 4 [@0]", 0, EBUSY, NULL},
	{"give it back", WRITE, 'a', "size", "0", 0, 0, "a="},
	{"align can be changed again", WRITE, 'a', "align", "4096", 0, 0, NULL},
	{"less than the region's align", WRITE, 'a', "mapping", "[0M+4K]", 0, EINVAL, NULL},
	{"a start that is a multiple of 4 KiB only", WRITE, 'a', "mapping", "[4K+2M]", 0, EINVAL, NULL},
	{"a size that is a multiple of 4 KiB only", WRITE, 'a', "size", "4096", 0, EINVAL, NULL},
	{"2 MiB for faults of 4 KiB", WRITE, 'a', "mapping", "[4M+2M]", 0, 0, "a=4M+2M"},
};

static const struct op mappings[] = {
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	{"create", CREATE, 'b', NULL, NULL, 0, 0, "a= b="},
	{"a range", WRITE, 'a', "mapping", "[4M+2M]", 0, 0, "a=4M+2M b="},
	{"resource is its start", SHOWS, 'a', "resource", "[@4M]", 0, 0, NULL},
	{"start", SHOWS, 'a', "mapping0/start", "[@4M]", 0, 0, NULL},
	{"page_offset", SHOWS, 'a', "mapping0/page_offset", "0x0", 0, 0, NULL},
	{"one more", WRITE, 'a', "mapping", "[16M+4M]", 0, 0, "a=4M+2M,16M+4M b="},
	{"its page_offset", SHOWS, 'a', "mapping1/page_offset", "0x200", 0, 0, NULL},
	{"size", SHOWS, 'a', "size", "6291456", 0, 0, NULL},
	{"the same range", WRITE, 'a', "mapping", "[16M+4M]", 0, EBUSY, NULL},
	{"a range of its own, by another", WRITE, 'b', "mapping", "[4M+2M]", 0, EBUSY, NULL},
	{"an overlap at the end", WRITE, 'b', "mapping", "[2M+4M]", 0, EBUSY, NULL},
	{"an overlap at the start", WRITE, 'b', "mapping", "[18M+4M]", 0, EBUSY, NULL},
	{"all around", WRITE, 'b', "mapping", "[0M+32M]", 0, EBUSY, NULL},
	{"the whole region", WRITE, 'b', "mapping", "[0G+8G]", 0, EBUSY, NULL},
	{"before another's", WRITE, 'b', "mapping", "[2M+2M]", 0, 0, "a=4M+2M,16M+4M b=2M+2M"},
	{"behind the own last extent: it becomes longer", WRITE, 'a', "mapping", "[20M+2M]", 0, 0, "a=4M+2M,16M+6M b=2M+2M"},
	{"behind an extent that is not the last: a new one", WRITE, 'a', "mapping", "[6M+2M]", 0, 0, "a=4M+2M,16M+6M,6M+2M b=2M+2M"},
	{"before the own first extent: a new one", WRITE, 'b', "mapping", "[0M+2M]", 0, 0, "a=4M+2M,16M+6M,6M+2M b=2M+2M,0M+2M"},
	{"misaligned length (6.12 says success)", WRITE, 'b', "mapping", "[32M+1M]", 0, EINVAL, NULL},
	{"misaligned start (mainline takes it)", WRITE, 'b', "mapping", "[33M+2M]", 0, EINVAL, NULL},
	{"one byte less", WRITE, 'b', "mapping", "0x140000000-0x1401ffffe", 0, EINVAL, NULL},
	{"END below START", WRITE, 'b', "mapping", "0x1401fffff-0x140000000", 0, EINVAL, NULL},
	{"outside, below", WRITE, 'b', "mapping", "0x200000-0x3fffff", 0, ERANGE, NULL},
	{"outside, above", WRITE, 'b', "mapping", "[8G+2M]", 0, ERANGE, NULL},
	{"half outside", WRITE, 'b', "mapping", "[8190M+4M]", 0, ERANGE, NULL},
	{"the end of the address space", WRITE, 'b', "mapping", "0xffffffffffe00000-0xffffffffffffffff", 0, ERANGE, NULL},
	HOSTILE('b', "mapping", "all addresses", "0x0-0xffffffffffffffff", ERANGE),
	HOSTILE('b', "mapping", "a newline alone", "\n", EINVAL),
	HOSTILE('b', "mapping", "one number", "0x140000000", EINVAL),
	HOSTILE('b', "mapping", "no end", "0x140000000-", EINVAL),
	HOSTILE('b', "mapping", "no start", "-0x1401fffff", EINVAL),
	HOSTILE('b', "mapping", "a dash", "-", EINVAL),
	HOSTILE('b', "mapping", "three numbers", "0x140000000-0x1401fffff-0x1", EINVAL),
	HOSTILE('b', "mapping", "words", "start-end", EINVAL),
	HOSTILE('b', "mapping", "no hexadecimal digit", "0x14000000g-0x1401fffff", EINVAL),
	HOSTILE('b', "mapping", "more than 64 bits", "0x1000000000000000000-0x10000000000001fffff", EINVAL),
	HOSTILE('b', "mapping", "junk at the end", "[32M+2M]junk", EINVAL),
	BYTES('b', "mapping", "binary", binary, EINVAL),
	BYTES('b', "mapping", "a long text", long_text, EINVAL),
	{"with a newline", WRITE, 'b', "mapping", "[32M+2M]\n", 0, 0, "a=4M+2M,16M+6M,6M+2M b=2M+2M,0M+2M,32M+2M"},
	{"the last 2 MiB of the region", WRITE, 'b', "mapping", "[8190M+2M]", 0, 0, "a=4M+2M,16M+6M,6M+2M b=2M+2M,0M+2M,32M+2M,8190M+2M"},
	{"delete what has a size", DELETE, 'b', NULL, NULL, 0, EBUSY, NULL},
};

static const struct op sizes[] = {
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	{"0 when it is 0", WRITE, 'a', "size", "0", 0, 0, NULL},
	{"the lowest 4 MiB", WRITE, 'a', "size", "4194304", 0, 0, "a=0M+4M"},
	{"the same size again", WRITE, 'a', "size", "4194304", 0, 0, NULL},
	{"create", CREATE, 'b', NULL, NULL, 0, 0, "a=0M+4M b="},
	{"next to it", WRITE, 'b', "size", "2097152", 0, 0, "a=0M+4M b=4M+2M"},
	{"not behind its end: a new extent", WRITE, 'a', "size", "6291456", 0, 0, "a=0M+4M,6M+2M b=4M+2M"},
	{"behind its end", WRITE, 'a', "size", "8388608", 0, 0, "a=0M+4M,6M+4M b=4M+2M"},
	{"a piece far away", WRITE, 'b', "mapping", "[64M+2M]", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+2M"},
	{"first behind its end, not the lowest gap", WRITE, 'b', "size", "8388608", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+6M"},
	{"a neighbor of that", CREATE, 'c', NULL, NULL, 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+6M c="},
	{"with 2 MiB between", WRITE, 'c', "mapping", "[72M+2M]", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+6M c=72M+2M"},
	{"behind its end as far as that goes, then the lowest gap", WRITE, 'b', "size", "14680064", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+8M,10M+4M c=72M+2M"},
	{"delete what has a size", DELETE, 'b', NULL, NULL, 0, EBUSY, NULL},
	{"shrink: part of the last extent", WRITE, 'b', "size", "12582912", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+8M,10M+2M c=72M+2M"},
	{"shrink: the last extent, and part of the one before", WRITE, 'b', "size", "6291456", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+4M c=72M+2M"},
	{"what came back is taken first", WRITE, 'c', "size", "4194304", 0, 0, "a=0M+4M,6M+4M b=4M+2M,64M+4M c=72M+4M"},
	HOSTILE('a', "size", "1", "1", EINVAL),
	HOSTILE('a', "size", "4096", "4096", EINVAL),
	HOSTILE('a', "size", "one byte more than 2 MiB", "2097153", EINVAL),
	HOSTILE('a', "size", "one byte less than it has", "8388607", EINVAL),
	HOSTILE('a', "size", "negative", "-2097152", EINVAL),
	HOSTILE('a', "size", "2^64 - 1", "18446744073709551615", EINVAL),
	HOSTILE('a', "size", "2^64 - 2 MiB", "18446744073707454464", ENOSPC),
	HOSTILE('a', "size", "2^63", "9223372036854775808", ENOSPC),
	HOSTILE('a', "size", "2^64", "18446744073709551616", ERANGE),
	HOSTILE('a', "size", "twice the region", "17179869184", ENOSPC),
	HOSTILE('a', "size", "all of the region, when others have some", "8589934592", ENOSPC),
	HOSTILE('a', "size", "a newline alone", "\n", EINVAL),
	HOSTILE('a', "size", "with a unit", "8M", EINVAL),
	HOSTILE('a', "size", "two numbers", "2097152 2097152", EINVAL),
	HOSTILE('a', "size", "a word", "all", EINVAL),
	BYTES('a', "size", "binary", binary, EINVAL),
	BYTES('a', "size", "a long text", long_text, ERANGE),
	{"0", WRITE, 'b', "size", "0", 0, 0, "a=0M+4M,6M+4M b= c=72M+4M"},
	{"0 again", WRITE, 'b', "size", "0", 0, 0, NULL},
	{"delete it", DELETE, 'b', NULL, NULL, 0, 0, "a=0M+4M,6M+4M c=72M+4M"},
	{"with a newline", WRITE, 'a', "size", "2097152\n", 0, 0, "a=0M+2M c=72M+4M"},
};

static const struct op plant[] = {
	{"the seed", SEED, 's', NULL, NULL, 0, 0, "s="},
	{"gets a size", WRITE, 's', "size", "2097152", 0, 0, "s=0M+2M"},
	{"another is the seed", SEED, 't', NULL, NULL, 0, 0, "s=0M+2M t="},
	{"that cannot be deleted", DELETE, 't', NULL, NULL, 0, EBUSY, NULL},
	{"the old one neither, with its size", DELETE, 's', NULL, NULL, 0, EBUSY, NULL},
	{"the old one gives its memory back", WRITE, 's', "size", "0", 0, 0, "s= t="},
	{"and can be deleted now", DELETE, 's', NULL, NULL, 0, 0, "t="},
	{"a range for the seed", WRITE, 't', "mapping", "[2M+2M]", 0, 0, "t=2M+2M"},
	{"another is the seed again", SEED, 'u', NULL, NULL, 0, 0, "t=2M+2M u="},
};

static const struct op owners[] = {
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	{"an owner", WRITE, 'a', "owner", "6e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3e", 0, 0, NULL},
	{"which it shows", SHOWS, 'a', "owner", "6e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3e", 0, 0, NULL},
	HOSTILE('a', "owner", "a newline alone", "\n", EINVAL),
	HOSTILE('a', "owner", "a word", "me", EINVAL),
	HOSTILE('a', "owner", "a digit less", "6e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3", EINVAL),
	HOSTILE('a', "owner", "a digit more", "6e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3e0", EINVAL),
	HOSTILE('a', "owner", "a digit that is none", "6e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3g", EINVAL),
	HOSTILE('a', "owner", "no dashes", "6e4b9c1a3c5f4c8e9a578d2f0b1c2d3e", EINVAL),
	BYTES('a', "owner", "binary", binary, EINVAL),
	BYTES('a', "owner", "a long text", long_text, EINVAL),
	{"with a newline", WRITE, 'a', "owner", "7e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3e\n", 0, 0, NULL},
	{"which it shows", SHOWS, 'a', "owner", "7e4b9c1a-3c5f-4c8e-9a57-8d2f0b1c2d3e", 0, 0, NULL},
	{"nobody's", WRITE, 'a', "owner", "00000000-0000-0000-0000-000000000000", 0, 0, NULL},
	{"colors without geometry", WRITE, 'a', "color", "1 0", 0, ENODATA, NULL},
	{"free granules without geometry", SHOWS, 0, "free_granules", NULL, 0, ENODATA, NULL},
	HOSTILE(0, "scrub", "0", "0", EINVAL),
	HOSTILE(0, "scrub", "a word", "all", EINVAL),
	HOSTILE(0, "scrub", "a newline alone", "\n", EINVAL),
};

/* On a region of which all can be had. */
static const struct op until_full[] = {
	{"the seed", SEED, 's', NULL, NULL, 0, 0, "s="},
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a= s="},
	{"create", CREATE, 'b', NULL, NULL, 0, 0, "a= b= s="},
	{"all of the region", WRITE, 'a', "size", "268435456", 0, 0, "a=0M+256M b= s="},
	{"nothing is available", SHOWS, 0, "available_size", "0", 0, 0, NULL},
	{"create when it is full", CREATE, 'c', NULL, NULL, 0, ENOSPC, NULL},
	{"2 MiB when it is full", WRITE, 'b', "size", "2097152", 0, ENOSPC, NULL},
	{"2 MiB more when it is full", WRITE, 'a', "size", "270532608", 0, ENOSPC, NULL},
	{"a range when it is full", WRITE, 'b', "mapping", "[0M+2M]", 0, EBUSY, NULL},
	{"give 6 MiB back", WRITE, 'a', "size", "262144000", 0, 0, "a=0M+250M b= s="},
	{"more than that", WRITE, 'b', "size", "8388608", 0, ENOSPC, NULL},
	{"the middle of that", WRITE, 'b', "mapping", "[252M+2M]", 0, 0, "a=0M+250M b=252M+2M s="},
	{"as much as there is, not in one piece", WRITE, 'b', "size", "6291456", 0, 0, "a=0M+250M b=252M+4M,250M+2M s="},
	{"all back", WRITE, 'a', "size", "0", 0, 0, "a= b=252M+4M,250M+2M s="},
	{"all back", WRITE, 'b', "size", "0", 0, 0, "a= b= s="},
	{"it is clean then", SHOWS, 0, "dirty_size", "0", 0, 0, NULL},
	{"align 1 GiB", WRITE, 'a', "align", "1073741824", 0, 0, NULL},
	{"there is no such range", WRITE, 'a', "size", "1073741824", 0, ENOSPC, NULL},
};
/* clang-format on */

/* Others than root read neither addresses nor what belongs to tenants. */
static void modes(void)
{
	static const char *const secret[] = {"resource",
					     "mapping",
					     "color",
					     "owner",
					     "mapping0/start",
					     "mapping0/end",
					     "mapping0/page_offset"};
	static const char *const region_secret[] = {"resource", "geometry", "scrub",
						    "space"};
	char name[NAME_SIZE], path[1024];
	struct stat status;

	make(name, 2 * MIB, 2 * MIB);
	for (unsigned int i = 0; i < sizeof(secret) / sizeof(*secret); i++) {
		snprintf(path, sizeof(path), "/sys/class/dax/%s/%s", name, secret[i]);
		ok(stat(path, &status) == 0 && (status.st_mode & 077) == 0,
		   "ops: %s is root's", secret[i]);
	}
	for (unsigned int i = 0; i < sizeof(region_secret) / sizeof(*region_secret);
	     i++) {
		snprintf(path, sizeof(path), "%s/%s", region.path, region_secret[i]);
		ok(stat(path, &status) == 0 && (status.st_mode & 077) == 0,
		   "ops: the region's %s is root's", region_secret[i]);
	}
	snprintf(path, sizeof(path), "/dev/%s", name);
	ok(stat(path, &status) == 0 && S_ISCHR(status.st_mode) &&
		   (status.st_mode & 07777) == 0600,
	   "ops: the device node is root's");
	drop(name);
}

/* Who has it open when it goes. */
static void deleted_while_open(void)
{
	char name[NAME_SIZE], other[NAME_SIZE];
	void *memory;
	int fd;

	make(name, 2 * MIB, 2 * MIB);
	fd = open_instance(name);
	ok(fd >= 0, "ops: an instance can be opened");
	ok_errno(0, resize(name, 0), "ops: size 0 while it is open");
	memory = mmap(NULL, 2 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	ok(memory == MAP_FAILED && errno == ENXIO,
	   "ops: what has no size cannot be mapped: ENXIO");
	ok_errno(0, discard(name), "ops: delete while it is open");
	memory = mmap(NULL, 2 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	ok(memory == MAP_FAILED && errno == ENXIO,
	   "ops: what is deleted cannot be mapped: ENXIO");
	make(other, 2 * MIB, 2 * MIB);
	ok(strcmp(name, other) != 0 ||
		   mmap(NULL, 2 * MIB, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED,
	   "ops: an old file does not reach a new instance of the same name");
	close(fd);
	drop(other);
	ok(open_instance(name) < 0, "ops: the node of what is deleted is gone");
}

void test_ops(void)
{
	RUN_TABLE(seed_and_create);
	RUN_TABLE(aligns);
	RUN_TABLE(mappings);
	RUN_TABLE(sizes);
	RUN_TABLE(plant);
	RUN_TABLE(owners);
	modes();
	deleted_while_open();
}

/* As long as nobody had any of it. */
static void scrub(void)
{
	char name[NAME_SIZE];
	char *memory;

	ok(region_number("dirty_size") == region.size,
	   "full: all of it is dirty at load");
	ok_errno(0, put("/sys/module/dax_color/parameters/zero_threads", "1", 1),
		 "full: zeroing by one CPU");
	ok_errno(0, region_put("scrub", "1\n"), "full: scrub");
	for (int i = 0; i < 6000 && region_number("dirty_size"); i++)
		usleep(10000);
	ok(settled(60) && region_number("dirty_size") == 0,
	   "full: nothing is dirty then");
	ok(consistent(), "full: consistent after scrub");
	put("/sys/module/dax_color/parameters/zero_threads", "0", 1);
	make(name, 2 * MIB, region.size);
	memory = map_all(name, region.size);
	ok(not_zero(memory, region.size) == 0, "full: and all of it is zero");
	munmap(memory, region.size);
	drop(name);
}

/* For a region of 256 MiB. */
void test_full(void)
{
	scrub();
	RUN_TABLE(until_full);
}
