/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options for traces that are made up: what simulate and trace share. */
#pragma once

#include "cli/cli.h"
#include "colorsched/core/fleet.h"
#include "colorsched/sim/trace.h"

/**
 * SchedGenerate: the options as they were written, NULL where they were not.
 */
typedef struct {
	char *load;
	char *days;
	char *tenants;
	char *seed;
} SchedGenerate;

/* Entries of a GOptionEntry array for @options, a static SchedGenerate. */
#define SCHED_GENERATE_OPTIONS(options)                                                  \
	{"load",                                                                         \
	 'l',                                                                            \
	 0,                                                                              \
	 G_OPTION_ARG_STRING,                                                            \
	 &(options).load,                                                                \
	 "Percent of the fleet's memory that guests ask for (default: 80)",              \
	 "PERCENT"},                                                                     \
		{"days",                                                                 \
		 'd',                                                                    \
		 0,                                                                      \
		 G_OPTION_ARG_STRING,                                                    \
		 &(options).days,                                                        \
		 "How long guests arrive (default: 7)",                                  \
		 "DAYS"},                                                                \
		{"tenants",                                                              \
		 't',                                                                    \
		 0,                                                                      \
		 G_OPTION_ARG_STRING,                                                    \
		 &(options).tenants,                                                     \
		 "How many tenants (default: one for 34 guests)",                        \
		 "COUNT"},                                                               \
	{                                                                                \
		"seed", 's', 0, G_OPTION_ARG_STRING, &(options).seed,                    \
			"Another seed, another trace (default: 1)", "NUMBER"             \
	}

/* Whether any of them was written, but for the seed. */
gboolean sched_generate_wished(const SchedGenerate *options);

/* Reads --seed. */
gboolean sched_generate_seed(const SchedGenerate *options, guint32 *seed, GError **error);

/* Returns: (transfer full): a trace for @fleet. Fails with DAXC_ERROR_INVALID. */
SchedTrace *sched_generate(const SchedGenerate *options, const SchedFleet *fleet,
			   GError **error);
