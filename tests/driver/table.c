// SPDX-License-Identifier: GPL-2.0-or-later
#include "table.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dax.h"

/* By letter; "": there is none. And what was deleted last, by capital letter. */
static char names[26][NAME_SIZE];
static char deleted[26][NAME_SIZE];

static char *name_of(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return deleted[letter - 'A'];
	if (letter < 'a' || letter > 'z')
		die("a table names an instance '%c'", letter);
	return names[letter - 'a'];
}

/* "4M" at *@text, which moves on. */
static uint64_t parse_size(const char **text)
{
	char *end;
	uint64_t value = strtoull(*text, &end, 0);

	switch (*end) {
	case 'G':
		value <<= 10;
		/* fall through */
	case 'M':
		value <<= 10;
		/* fall through */
	case 'K':
		value <<= 10;
		end++;
	}
	*text = end;
	return value;
}

static int expand_range(char *to, size_t room, const char **text)
{
	uint64_t start, size;
	int length;

	if (**text == '@') {
		(*text)++;
		length =
			snprintf(to, room, "0x%" PRIx64, region.start + parse_size(text));
	} else {
		start = region.start + parse_size(text);
		(*text)++;
		size = parse_size(text);
		length = snprintf(to, room, "0x%" PRIx64 "-0x%" PRIx64, start,
				  start + size - 1);
	}
	(*text)++;
	return length;
}

static void expand(char *to, size_t room, const char *text)
{
	char *end = to + room;

	while (*text && to < end - 1) {
		if (*text == '{') {
			if (text[1] == '#')
				to += snprintf(to, (size_t)(end - to), "%u", region.id);
			else
				to += snprintf(to, (size_t)(end - to), "%s",
					       name_of(text[1]));
			text += 3;
		} else if (*text == '[') {
			text++;
			to += expand_range(to, (size_t)(end - to), &text);
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* "a=0M+4M,8M+2M b=" */
static void state(char *to, size_t room)
{
	static struct extent list[MAX_EXTENTS];
	char *end = to + room, *begin = to;

	*to = '\0';
	for (char letter = 'a'; letter <= 'z'; letter++) {
		const char *name = name_of(letter);
		int count;

		if (!*name)
			continue;
		to += snprintf(to, (size_t)(end - to), "%s%c=", to == begin ? "" : " ",
			       letter);
		count = extents(name, list);
		if (count < 0)
			to += snprintf(to, (size_t)(end - to), "?");
		for (int i = 0; i < count; i++)
			to += snprintf(to, (size_t)(end - to),
				       "%s%" PRIu64 "M+%" PRIu64 "M", i ? "," : "",
				       (list[i].start - region.start) / MIB,
				       list[i].size / MIB);
	}
}

static int write_value(const struct op *op)
{
	char path[1024], text[8192];

	if (op->who)
		snprintf(path, sizeof(path), "/sys/class/dax/%s/%s", name_of(op->who),
			 op->attribute);
	else
		snprintf(path, sizeof(path), "%s/%s", region.path, op->attribute);
	if (op->length)
		return put(path, op->value, op->length);
	expand(text, sizeof(text), op->value);
	return put(path, text, strlen(text));
}

static int read_value(const struct op *op, bool *same)
{
	char *got, wanted[8192];
	int code;

	errno = 0;
	got = op->who ? instance_get(name_of(op->who), op->attribute)
		      : region_get(op->attribute);
	code = errno;
	expand(wanted, sizeof(wanted), op->value ? op->value : "");
	*same = code || strcmp(got, wanted) == 0;
	if (!*same)
		note("wanted '%s', got '%s'", wanted, got);
	free(got);
	return code;
}

static int take_seed(char letter)
{
	char *text = region_get("seed");

	snprintf(name_of(letter), NAME_SIZE, "%s", text);
	free(text);
	return 0;
}

static int run(const struct op *op, bool *same)
{
	int code;

	*same = true;
	switch (op->kind) {
	case CREATE:
		return create(name_of(op->who));
	case SEED:
		return take_seed(op->who);
	case DELETE:
		code = discard(name_of(op->who));
		if (code == 0) {
			strcpy(deleted[op->who - 'a'], name_of(op->who));
			*name_of(op->who) = '\0';
		}
		return code;
	case WRITE:
		return write_value(op);
	case SHOWS:
		return read_value(op, same);
	}
	return EINVAL;
}

void run_table(const char *name, const struct op *ops, size_t count)
{
	static char before[8192], after[8192];

	memset(names, 0, sizeof(names));
	*before = '\0';
	for (size_t i = 0; i < count; i++) {
		const struct op *op = &ops[i];
		const char *wanted = op->after ? op->after : before;
		bool same, whole;
		int code = run(op, &same);

		state(after, sizeof(after));
		whole = consistent();
		ok(code == op->error && same && whole && strcmp(wanted, after) == 0,
		   "%s %zu: %s: %s", name, i + 1, op->what,
		   op->error ? strerrorname_np(op->error) : "done");
		if (code != op->error)
			note("got %s", code ? strerrorname_np(code) : "success");
		if (strcmp(wanted, after) != 0)
			note("wanted %s, there is %s", wanted, after);
		strcpy(before, after);
	}
	for (char letter = 'a'; letter <= 'z'; letter++)
		if (*name_of(letter))
			drop(name_of(letter));
}
