/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command with verbs: daxcolor is one, colorsched another. */
#pragma once

#include "cli.h"

/**
 * CliProgram:
 * @summary: what --help says first
 * @verbs: ended by NULL
 * @options: (nullable): what all verbs share besides --json and --version, ended by
 *   { NULL }
 * @prepare: (nullable): puts the values of @options into a Cli
 */
typedef struct {
	const char *name;
	const char *summary;
	const CliVerb *const *verbs;
	const GOptionEntry *options;
	void (*prepare)(Cli *cli);
} CliProgram;

/* What main() does. Returns: the exit status. */
int cli_main(const CliProgram *program, int argc, char **argv);
