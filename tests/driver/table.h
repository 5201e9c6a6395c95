/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of operations: each is done, its errno compared, then the state of all instances
 * of the table and whether the region is consistent.
 */
#ifndef TESTS_DRIVER_TABLE_H
#define TESTS_DRIVER_TABLE_H

#include <stddef.h>

enum kind {
	CREATE, /* an instance, which is @who from now on */
	SEED,	/* the seed is @who from now on */
	DELETE, /* @who */
	WRITE,	/* @value to @attribute of @who; of the region when @who is 0 */
	SHOWS,	/* @attribute of @who, or of the region, reads @value; or reading fails
		   with @error */
};

/**
 * struct op
 * @what: in words
 * @who: letter of an instance
 * @value: text; in it {a} is the name of instance a, {A} what it was before it was
 *deleted, {#} the region's number, [2M+4M] the range of 4 MiB that begins 2 MiB behind
 *the region's start as `mapping` wants it, [@2M] an address as `resource` shows it
 * @length: of @value, when it is not text
 * @error: errno that is expected, 0: success
 * @after: extents of all instances from then on, as in "a=0M+4M,8M+2M b="; NULL: they are
 *as before
 */
struct op {
	const char *what;
	enum kind kind;
	char who;
	const char *attribute;
	const char *value;
	size_t length;
	int error;
	const char *after;
};

/* @name: of the table. Instances that are left at its end are dropped. */
void run_table(const char *name, const struct op *ops, size_t count);

#define RUN_TABLE(table) run_table(#table, table, sizeof(table) / sizeof(*(table)))

#endif
