/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs of the command share. */
#pragma once

#include <json-glib/json-glib.h>

#include <daxcolor/daxcolor.h>

typedef enum {
	CLI_DONE = 0,
	CLI_FAILED = 1, /* refused or failed; said on stderr */
	CLI_USAGE = 2,
} CliStatus;

/**
 * Cli: what stands before every verb.
 * @verb: its name
 * @host: --config, --state-dir and --simulate
 */
typedef struct {
	const char *verb;
	DaxcHostOptions host;
	gboolean json;
} Cli;

/**
 * CliVerb: one verb; a file each.
 * @arguments: (nullable): as they stand in the usage line
 * @description: what --help says below the options
 * @options: (nullable): its own, ended by { NULL }
 * @least, @most: number of arguments it takes
 * @reports: it prints itself what the library reports on the way
 */
typedef struct {
	const char *name;
	const char *summary;
	const char *arguments;
	const char *description;
	const GOptionEntry *options;
	int least;
	int most;
	gboolean reports;
	CliStatus (*run)(Cli *cli, int argc, char **argv);
} CliVerb;

extern const CliVerb cli_regions;
extern const CliVerb cli_colors;
extern const CliVerb cli_map;
extern const CliVerb cli_list;
extern const CliVerb cli_show;
extern const CliVerb cli_plan;
extern const CliVerb cli_carve;
extern const CliVerb cli_release;
extern const CliVerb cli_reserve;
extern const CliVerb cli_lend;
extern const CliVerb cli_reclaim;
extern const CliVerb cli_scrub;
extern const CliVerb cli_recover;
extern const CliVerb cli_audit;
extern const CliVerb cli_doctor;
extern const CliVerb cli_enroll;
extern const CliVerb cli_unenroll;

/**
 * cli_fail:
 * @what: (nullable): which thing it is about; the verb when NULL
 *
 * Says "daxcolor: WHAT: WHY" on stderr and, with --json, an error document on
 * stdout. Frees @error.
 */
CliStatus cli_fail(const Cli *cli, const char *what, GError *error);

/* Says what is wrong with the command line, and where help is. */
CliStatus cli_usage(const Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same for an option's value that cannot be read. Frees @error. */
CliStatus cli_usage_error(const Cli *cli, GError *error);

/* Returns: (nullable): the host; on NULL the reason was said. */
DaxcHost *cli_open(const Cli *cli, gboolean read_only);

/**
 * cli_show_host:
 * @build: the document that --json prints
 * @print: the same for people
 */
CliStatus cli_show_host(const Cli *cli, DaxcHost *host,
			JsonNode *(*build)(DaxcHost *host, GError **error),
			void (*print)(JsonNode *document));

/* The same for a host that is opened for it: the whole of a verb that only looks. */
CliStatus cli_look(const Cli *cli, JsonNode *(*build)(DaxcHost *host, GError **error),
		   void (*print)(JsonNode *document));
