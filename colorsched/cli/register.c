// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched register: hosts of a described fleet become known to the engine. */
#include <stdio.h>

#include "cli/output.h"
#include "colorsched/fleet-file.h"
#include "engine.h"
#include "verbs.h"

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(SchedFleet) fleet = NULL;
	g_autoptr(SchedEngine) engine = NULL;
	GError *error = NULL;
	CliStatus status;

	fleet = sched_fleet_load(argv[0], &error);
	if (!fleet)
		return cli_fail(cli, NULL, error);
	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	for (guint host = 0; host < fleet->n_hosts; host++) {
		if (!sched_engine_register(engine, fleet, host, &error))
			return cli_fail(cli, NULL, error);
	}
	if (cli->json)
		printf("{ \"hosts\" : %u }\n", fleet->n_hosts);
	else
		printf("%u hosts\n", fleet->n_hosts);
	return CLI_DONE;
}

const CliVerb sched_register = {
	.name = "register",
	.summary = "Make the hosts of a described fleet known to the engine",
	.arguments = "FLEET",
	.least = 1,
	.most = 1,
	.run = run,
};
