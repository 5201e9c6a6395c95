/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What plan and carve are asked for: a domain's XML, or --size and friends. */
#pragma once

#include "cli.h"

/**
 * CliWish: options of plan and carve, as they were written.
 * @uuid, @name: of carve only
 */
typedef struct {
	char *size;
	char *tenant;
	char *node;
	char *count;
	char *list;
	char *uuid;
	char *name;
} CliWish;

/* Entries of a GOptionEntry array for @wish, a static CliWish. */
#define CLI_WISH_OPTIONS(wish)                                                           \
	{                                                                                \
		"size", 's', 0, G_OPTION_ARG_STRING, &(wish).size, "How much, like 3G",  \
		"SIZE"},                                                                 \
		{"tenant",                                                               \
		 't',                                                                    \
		 0,                                                                      \
		 G_OPTION_ARG_STRING,                                                    \
		 &(wish).tenant,                                                         \
		 "Who owns the colors (default: nobody else)",                           \
		 "TENANT"},                                                              \
		{"node",                                                                 \
		 'n',                                                                    \
		 0,                                                                      \
		 G_OPTION_ARG_STRING,                                                    \
		 &(wish).node,                                                           \
		 "Host NUMA node (default: one with room)",                              \
		 "NODE"},                                                                \
		{"colors",                                                               \
		 'c',                                                                    \
		 0,                                                                      \
		 G_OPTION_ARG_STRING,                                                    \
		 &(wish).count,                                                          \
		 "How many colors (default: the fewest that hold it)",                   \
		 "COUNT"},                                                               \
	{                                                                                \
		"color-list", 'l', 0, G_OPTION_ARG_STRING, &(wish).list,                 \
			"Which colors, like 1,3 or 0-3", "LIST"                          \
	}

/**
 * cli_request:
 * @argc, @argv: the arguments: a file of domain XML, "-", or none
 * @request: (out): NULL when the status is not CLI_DONE, and the reason was said
 */
CliStatus cli_request(const Cli *cli, const CliWish *wish, int argc, char **argv,
		      DaxcRequest **request);

/**
 * cli_request_domain:
 * @path: a file of domain XML, or "-"
 * @xml, @request: (out): its text and what it asks for; NULL when the status is not
 *   CLI_DONE, and the reason was said
 */
CliStatus cli_request_domain(const Cli *cli, const char *path, char **xml,
			     DaxcRequest **request);

/* Sets count or list of @cell; either may be NULL, both are refused. */
gboolean cli_set_colors(DaxcCellRequest *cell, const char *count, const char *list,
			GError **error);
