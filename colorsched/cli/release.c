// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched release: what a guest had is free again, in the engine. */
#include <stdio.h>

#include "cli/output.h"
#include "engine.h"
#include "verbs.h"

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(SchedEngine) engine = NULL;
	g_autofree char *uuid = g_ascii_strdown(argv[0], -1);
	GError *error = NULL;
	CliStatus status;

	if (!g_uuid_string_is_valid(uuid))
		return cli_usage(cli, "\"%s\" is not a UUID", argv[0]);
	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	if (!sched_engine_release(engine, uuid, &error))
		return cli_fail(cli, NULL, error);
	if (cli->json)
		puts("{}");
	else
		printf("%s: released\n", uuid);
	return CLI_DONE;
}

const CliVerb sched_release = {
	.name = "release",
	.summary = "Give back what a guest has in the engine, when it is gone",
	.arguments = "UUID",
	.least = 1,
	.most = 1,
	.run = run,
};
