// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched VERB [OPTION...] */
#include "cli/program.h"
#include "engine.h"
#include "verbs.h"

int main(int argc, char **argv)
{
	static const CliVerb *const verbs[] = {
		&sched_plan,	   &sched_simulate_verb,
		&sched_trace_verb, &sched_register,
		&sched_hosts,	   &sched_tenants,
		&sched_show,	   &sched_place,
		&sched_release,	   NULL,
	};
	static const CliProgram colorsched = {
		.name = "colorsched",
		.summary = "Places guests by cache color, over a fleet of hosts.",
		.verbs = verbs,
		.options = sched_engine_options,
	};

	return cli_main(&colorsched, argc, argv);
}
