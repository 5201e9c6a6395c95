// SPDX-License-Identifier: GPL-2.0-or-later
/* Options that say which engine, and how one is trusted by it. */
#include "engine.h"

#define TIMEOUT 30
#define TIMEOUT_MAX 3600

static char *url, *token_file, *token_command, *ca_file, *timeout;

const GOptionEntry sched_engine_options[] = {
	{"engine", 0, 0, G_OPTION_ARG_STRING, &url,
	 "Where Placement answers (default: $COLORSCHED_ENGINE)", "URL"},
	{"token-file", 0, 0, G_OPTION_ARG_FILENAME, &token_file,
	 "File with the token for it", "FILE"},
	{"token-command", 0, 0, G_OPTION_ARG_STRING, &token_command,
	 "Command that prints the token", "COMMAND"},
	{"ca-file", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
	 "Certificates to trust (default: the system's)", "FILE"},
	{"timeout", 0, 0, G_OPTION_ARG_STRING, &timeout, "For each request (default: 30)",
	 "SECONDS"},
	{NULL},
};

SchedEngine *sched_cli_engine(const Cli *cli, CliStatus *status)
{
	SchedHttpOptions options = {
		.url = url ? url : g_getenv("COLORSCHED_ENGINE"),
		.token_file = token_file,
		.token_command = token_command,
		.ca_file = ca_file,
	};
	guint64 seconds = TIMEOUT;
	GError *error = NULL;
	SchedEngine *engine;

	*status = CLI_FAILED;
	if (!options.url || *options.url == '\0') {
		*status = cli_usage(cli, "say where the engine is: --engine URL, or "
					 "COLORSCHED_ENGINE in the environment");
		return NULL;
	}
	if (token_file && token_command) {
		*status = cli_usage(cli, "either --token-file or --token-command");
		return NULL;
	}
	if (timeout &&
	    !daxc_uint_parse(timeout, "--timeout", TIMEOUT_MAX, &seconds, &error)) {
		*status = cli_usage_error(cli, error);
		return NULL;
	}
	options.timeout = (guint)MAX(seconds, 1);
	engine = sched_engine_open(&options, &error);
	if (!engine)
		*status = cli_fail(cli, NULL, error);
	return engine;
}
