// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Colors and who owns them: asked for by color, size or mapping, nobody gets into another
 * owner's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dax.h"
#include "table.h"

#define RED "11111111-1111-4111-8111-111111111111"
#define BLUE "22222222-2222-4222-8222-222222222222"
#define NOBODY "00000000-0000-0000-0000-000000000000"
#define HOSTILE(who, attribute, what, text, error)                                       \
	{                                                                                \
		attribute ": " what, WRITE, who, attribute, text, 0, error, NULL         \
	}

static const char binary[] = {'1', ' ', '\xff', '\x00', '\x01'};
static const char long_text[5000] = {[0 ... 4999] = '1'};

/* clang-format off */
/* Granules of 4 MiB, 4 colors: color 0 at 0, 16, 32 MiB; color 1 at 4, 20, 36 MiB; and so on. */
static const struct op geometry[] = {
	HOSTILE(0, "geometry", "a newline alone", "\n", EINVAL),
	HOSTILE(0, "geometry", "a kind that is none", "spin 4194304 4 [@0]", EINVAL),
	HOSTILE(0, "geometry", "no numbers", "rotate", EINVAL),
	HOSTILE(0, "geometry", "no base", "rotate 4194304 4", EINVAL),
	HOSTILE(0, "geometry", "a number too many", "rotate 4194304 4 [@0] 1", EINVAL),
	HOSTILE(0, "geometry", "none with numbers", "none 4194304 4 [@0]", EINVAL),
	HOSTILE(0, "geometry", "a granule of 0", "rotate 0 4 [@0]", EINVAL),
	HOSTILE(0, "geometry", "a granule of 1 MiB", "rotate 1048576 4 [@0]", EINVAL),
	HOSTILE(0, "geometry", "a granule of 6 MiB", "rotate 6291456 4 [@0]", EINVAL),
	HOSTILE(0, "geometry", "a granule of 2 GiB", "rotate 2147483648 4 [@0]", EINVAL),
	HOSTILE(0, "geometry", "no colors", "rotate 4194304 0 [@0]", EINVAL),
	HOSTILE(0, "geometry", "less than no colors", "rotate 4194304 -1 [@0]", EINVAL),
	HOSTILE(0, "geometry", "more colors than anybody has", "rotate 4194304 4294967295 [@0]", EINVAL),
	HOSTILE(0, "geometry", "a base that is no multiple of the granule", "rotate 4194304 4 [@2M]", EINVAL),
	HOSTILE(0, "geometry", "a word for a number", "skew 4194304 four [@0]", EINVAL),
	{"geometry: binary", WRITE, 0, "geometry", binary, sizeof(binary), EINVAL, NULL},
	{"geometry: a long text", WRITE, 0, "geometry", long_text, sizeof(long_text), EINVAL, NULL},
	{"is none still", SHOWS, 0, "geometry", "none", 0, 0, NULL},
	{"no granule", SHOWS, 0, "granule", "0", 0, 0, NULL},
	{"no colors", SHOWS, 0, "colors", "0", 0, 0, NULL},
	{"rotate", WRITE, 0, "geometry", "rotate 4194304 4 [@0]\n", 0, 0, NULL},
	{"granule", SHOWS, 0, "granule", "4194304", 0, 0, NULL},
	{"colors", SHOWS, 0, "colors", "4", 0, 0, NULL},
	{"color_base", SHOWS, 0, "color_base", "[@0]", 0, 0, NULL},
	{"skew", WRITE, 0, "geometry", "skew 2097152 3 [@0]", 0, 0, NULL},
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	/* i = 0 1 2 3 4 5 6 7 8: colors 0 1 2 1 2 0 2 0 1 */
	{"colors of skew", WRITE, 'a', "color", "3 1", 0, 0, "a=2M+2M,6M+2M,16M+2M"},
	{"which it shows", SHOWS, 'a', "color", "1", 0, 0, NULL},
	{"geometry while an instance has a size", WRITE, 0, "geometry", "none", 0, EBUSY, NULL},
	{"the same geometry while an instance has a size", WRITE, 0, "geometry", "skew 2097152 3 [@0]", 0, EBUSY, NULL},
	{"give it back", WRITE, 'a', "size", "0", 0, 0, "a="},
	{"none", WRITE, 0, "geometry", "none", 0, 0, NULL},
	{"base above the region's start", WRITE, 0, "geometry", "rotate 4194304 2 [@64M]", 0, 0, NULL},
	{"what has no color is nobody's: size", WRITE, 'a', "size", "2097152", 0, 0, "a=64M+2M"},
	{"what has no color is nobody's: mapping", WRITE, 'a', "mapping", "[0M+2M]", 0, EPERM, NULL},
	{"give it back", WRITE, 'a', "size", "0", 0, 0, "a="},
	{"half of it has no color", WRITE, 'a', "mapping", "[62M+4M]", 0, EPERM, NULL},
};

static const struct op colors[] = {
	{"four colors of 4 MiB", WRITE, 0, "geometry", "rotate 4194304 4 [@0]", 0, 0, NULL},
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	{"create", CREATE, 'b', NULL, NULL, 0, 0, "a= b="},
	{"create", CREATE, 'c', NULL, NULL, 0, 0, "a= b= c="},
	{"create", CREATE, 'd', NULL, NULL, 0, 0, "a= b= c= d="},
	{"it has no colors", SHOWS, 'a', "color", "", 0, 0, NULL},
	{"a is red's", WRITE, 'a', "owner", RED, 0, 0, NULL},
	{"b is blue's", WRITE, 'b', "owner", BLUE, 0, 0, NULL},
	{"c is red's, too", WRITE, 'c', "owner", RED, 0, 0, NULL},
	HOSTILE('a', "color", "a newline alone", "\n", EINVAL),
	HOSTILE('a', "color", "no colors", "1", EINVAL),
	HOSTILE('a', "color", "no colors, with a blank", "1 ", EINVAL),
	HOSTILE('a', "color", "no count", " 0", EINVAL),
	HOSTILE('a', "color", "count 0", "0 0", EINVAL),
	HOSTILE('a', "color", "negative", "-1 0", EINVAL),
	HOSTILE('a', "color", "2^32", "4294967296 0", EINVAL),
	HOSTILE('a', "color", "2^64 + 1", "18446744073709551617 0", EINVAL),
	HOSTILE('a', "color", "a color that does not exist", "1 4", EINVAL),
	HOSTILE('a', "color", "a range that does not exist", "1 2-5", EINVAL),
	HOSTILE('a', "color", "a range that is backwards", "1 2-1", EINVAL),
	HOSTILE('a', "color", "no number after the comma", "1 0,x", EINVAL),
	HOSTILE('a', "color", "a negative color", "1 -1", EINVAL),
	HOSTILE('a', "color", "words", "one red", EINVAL),
	HOSTILE('a', "color", "a word too many", "1 0 1", EINVAL),
	HOSTILE('a', "color", "a huge color", "1 99999999999999999999", EINVAL),
	{"color: binary", WRITE, 'a', "color", binary, sizeof(binary), EINVAL, NULL},
	{"color: a long text", WRITE, 'a', "color", long_text, sizeof(long_text), EINVAL, NULL},
	HOSTILE('a', "color", "more than there are", "513 0", ENOSPC),
	HOSTILE('a', "color", "much more than there are", "4294967295 0-3", ENOSPC),
	{"two of color 0", WRITE, 'a', "color", "2 0", 0, 0, "a=0M+4M,16M+4M b= c= d="},
	{"its colors", SHOWS, 'a', "color", "0", 0, 0, NULL},
	{"another owner: color", WRITE, 'b', "color", "1 0", 0, EPERM, NULL},
	{"another owner: one of two colors", WRITE, 'b', "color", "1 0,1", 0, EPERM, NULL},
	{"another owner: mapping", WRITE, 'b', "mapping", "[32M+2M]", 0, EPERM, NULL},
	{"another owner: mapping that begins in a color of its own", WRITE, 'b', "mapping", "[28M+6M]", 0, EPERM, NULL},
	{"another owner: mapping that ends in a color of its own", WRITE, 'b', "mapping", "[34M+4M]", 0, EPERM, NULL},
	{"another owner: size gets another color", WRITE, 'b', "size", "2097152", 0, 0, "a=0M+4M,16M+4M b=4M+2M c= d="},
	{"nobody: color", WRITE, 'd', "color", "1 1", 0, EPERM, NULL},
	{"nobody: mapping next to it, of the same granule", WRITE, 'd', "mapping", "[6M+2M]", 0, EPERM, NULL},
	{"the same owner's other instance: color", WRITE, 'c', "color", "1 0", 0, 0, "a=0M+4M,16M+4M b=4M+2M c=32M+4M d="},
	{"red: a color of blue's", WRITE, 'c', "color", "1 1", 0, EPERM, NULL},
	{"size takes what is not another's: 2 and 3, not what is behind its end", WRITE, 'a', "size", "16777216", 0, 0, "a=0M+4M,16M+4M,8M+8M b=4M+2M c=32M+4M d="},
	{"its colors", SHOWS, 'a', "color", "0,2-3", 0, 0, NULL},
	{"all colors are somebody's: size", WRITE, 'd', "size", "2097152", 0, ENOSPC, NULL},
	{"all colors are somebody's: color", WRITE, 'd', "color", "1 0-3", 0, EPERM, NULL},
	{"blue takes what it can: behind its end", WRITE, 'b', "size", "6291456", 0, 0, "a=0M+4M,16M+4M,8M+8M b=4M+4M,20M+2M c=32M+4M d="},
	{"blue cannot have all", WRITE, 'b', "size", "4294967296", 0, ENOSPC, NULL},
	{"red gives two colors back", WRITE, 'a', "size", "8388608", 0, 0, "a=0M+4M,16M+4M b=4M+4M,20M+2M c=32M+4M d="},
	{"nobody gets one of them", WRITE, 'd', "color", "1 2", 0, 0, "a=0M+4M,16M+4M b=4M+4M,20M+2M c=32M+4M d=8M+4M"},
	{"it is that instance's now", WRITE, 'b', "color", "1 2", 0, EPERM, NULL},
	{"create", CREATE, 'e', NULL, NULL, 0, 0, "a=0M+4M,16M+4M b=4M+4M,20M+2M c=32M+4M d=8M+4M e="},
	{"another instance of nobody's is another owner", WRITE, 'e', "color", "1 2", 0, EPERM, NULL},
	{"and by mapping", WRITE, 'e', "mapping", "[24M+4M]", 0, EPERM, NULL},
	{"and by size", WRITE, 'e', "size", "4194304", 0, 0, "a=0M+4M,16M+4M b=4M+4M,20M+2M c=32M+4M d=8M+4M e=12M+4M"},
	{"give one color back in part", WRITE, 'a', "size", "0", 0, 0, "a= b=4M+4M,20M+2M c=32M+4M d=8M+4M e=12M+4M"},
	{"it is red's as long as red has some of it", WRITE, 'b', "color", "1 0", 0, EPERM, NULL},
	{"the last of it", WRITE, 'c', "size", "0", 0, 0, "a= b=4M+4M,20M+2M c= d=8M+4M e=12M+4M"},
	{"now it is nobody's", WRITE, 'b', "color", "1 0", 0, 0, "a= b=4M+4M,20M+2M,0M+4M c= d=8M+4M e=12M+4M"},
	{"colors of blue", SHOWS, 'b', "color", "0-1", 0, 0, NULL},
	{"it gives half a granule back", WRITE, 'b', "size", "8388608", 0, 0, "a= b=4M+4M,20M+2M,0M+2M c= d=8M+4M e=12M+4M"},
	{"and keeps the color", WRITE, 'a', "color", "1 0", 0, EPERM, NULL},
	{"part of a granule", WRITE, 'b', "size", "2097152", 0, 0, "a= b=4M+2M c= d=8M+4M e=12M+4M"},
	{"keeps the color", WRITE, 'a', "color", "1 1", 0, EPERM, NULL},
	{"geometry while instances have a size", WRITE, 0, "geometry", "none", 0, EBUSY, NULL},
};

static const struct op choice[] = {
	{"four colors of 4 MiB", WRITE, 0, "geometry", "rotate 4194304 4 [@0]", 0, 0, NULL},
	{"create", CREATE, 'a', NULL, NULL, 0, 0, "a="},
	{"create", CREATE, 'b', NULL, NULL, 0, 0, "a= b="},
	{"both are red's", WRITE, 'a', "owner", RED, 0, 0, NULL},
	{"both are red's", WRITE, 'b', "owner", RED, 0, 0, NULL},
	{"neighbors are one extent", WRITE, 'a', "color", "2 0-1", 0, 0, "a=0M+8M b="},
	{"again", WRITE, 'a', "size", "0", 0, 0, "a= b="},
	{"evenly", WRITE, 'a', "color", "4 1,3", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b="},
	{"one of each", WRITE, 'b', "color", "4 0-3", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b=0M+4M,8M+4M,36M+4M,44M+4M"},
	{"again", WRITE, 'b', "size", "0", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b="},
	{"one of two", WRITE, 'b', "color", "2 0-1", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b=0M+4M,36M+4M"},
	{"more, behind the last", WRITE, 'b', "color", "1 2", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b=0M+4M,36M+4M,8M+4M"},
	{"colors twice in the list", WRITE, 'b', "color", "1 2,2", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b=0M+4M,36M+4M,8M+4M,24M+4M"},
	{"with a newline", WRITE, 'b', "color", "1 3\n", 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b=0M+4M,36M+4M,8M+4M,24M+4M,44M+4M"},
	{"align 1 GiB", CREATE, 'c', NULL, NULL, 0, 0, "a=4M+4M,12M+4M,20M+4M,28M+4M b=0M+4M,36M+4M,8M+4M,24M+4M,44M+4M c="},
	{"align 1 GiB", WRITE, 'c', "align", "1073741824", 0, 0, NULL},
	{"granules that are no multiple of align", WRITE, 'c', "color", "1 0", 0, EINVAL, NULL},
	{"a range that has a color of red's", WRITE, 'c', "mapping", "[1G+1G]", 0, EPERM, NULL},
	{"nor by size", WRITE, 'c', "size", "1073741824", 0, ENOSPC, NULL},
};
/* clang-format on */

static void free_granules_show_owners(void)
{
	char red[NAME_SIZE], nobody[NAME_SIZE], wanted[64];
	char *text;

	region_put("geometry", "rotate 4194304 4 0x%" PRIx64, region.start);
	if (create(red) || create(nobody))
		die("no instances");
	instance_put(red, "owner", "%s", RED);
	instance_put(red, "color", "2 1");
	instance_put(nobody, "color", "1 2");
	text = region_get("free_granules");
	snprintf(wanted, sizeof(wanted), "0 %" PRIu64 " -\n", region.size / (16 * MIB));
	ok(strncmp(text, wanted, strlen(wanted)) == 0,
	   "colors: a color without owner has -");
	snprintf(wanted, sizeof(wanted), "\n1 %" PRIu64 " %s\n",
		 region.size / (16 * MIB) - 2, RED);
	ok(strstr(text, wanted),
	   "colors: free_granules counts what is left, and shows the owner");
	snprintf(wanted, sizeof(wanted), "\n2 %" PRIu64 " -\n",
		 region.size / (16 * MIB) - 1);
	ok(!strstr(text, wanted),
	   "colors: a color that an instance of nobody's has is not free");
	free(text);
	drop(red);
	drop(nobody);
}

/* More lines than fit into a page. */
static void many_colors(void)
{
	char name[NAME_SIZE];

	ok_errno(0,
		 region_put("geometry", "rotate 2097152 1024 0x%" PRIx64, region.start),
		 "colors: 1,024 of them");
	ok(consistent(), "colors: free_granules has a line for each");
	if (create(name))
		die("no instance");
	ok_errno(0, instance_put(name, "color", "%s", "300 0-998"),
		 "colors: 300 granules");
	ok(consistent(), "colors: which are where they should be");
	drop(name);
}

static void find_other_region(struct region *other)
{
	struct region first = region;

	for (int id = 0; id < 8; id++) {
		if (id == (int)first.id || !region_exists(id))
			continue;
		region_open(id);
		*other = region;
		region = first;
		return;
	}
	other->size = 0;
}

/* Colors belong to the cache, not to a region. */
static void two_regions(void)
{
	struct region first = region, second;
	char name[NAME_SIZE], other[NAME_SIZE];
	uint64_t node = region_number("target_node");

	find_other_region(&second);
	region = second;
	if (!second.size || region_number("target_node") != node) {
		region = first;
		return;
	}
	region_put("geometry", "rotate 4194304 4 0x%" PRIx64, second.start);
	ok(region_number("colors") == 4, "colors: one region of a node gets a geometry");
	create(other);
	instance_put(other, "owner", "%s", BLUE);
	ok_errno(0, instance_put(other, "color", "1 1"),
		 "colors: and an owner of color 1");
	region = first;
	ok(region_number("colors") == 4, "colors: the other one has the same");
	ok_errno(EBUSY, region_put("geometry", "none"), "colors: and cannot change it");
	create(name);
	instance_put(name, "owner", "%s", RED);
	ok_errno(EPERM, instance_put(name, "color", "1 1"),
		 "colors: nor give that color to another");
	ok_errno(0, instance_put(name, "color", "1 0"), "colors: but another color");
	region = second;
	ok_errno(EPERM, instance_put(other, "color", "1 0"),
		 "colors: which the first cannot have then");
	drop(other);
	ok(consistent(), "colors: the other region is whole");
	region = first;
	drop(name);
}

void test_colors(void)
{
	RUN_TABLE(geometry);
	RUN_TABLE(colors);
	RUN_TABLE(choice);
	free_granules_show_owners();
	many_colors();
	two_regions();
	ok_errno(0, region_put("geometry", "none"), "colors: no geometry again");
}
