// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched trace: a trace that is made up, as CSV. */
#include <stdio.h>

#include "colorsched/fleet-file.h"
#include "generator.h"
#include "verbs.h"

static SchedGenerate generate;

static const GOptionEntry options[] = {SCHED_GENERATE_OPTIONS(generate), {NULL}};

static void print_guest(const SchedGuest *guest)
{
	g_autofree char *end = g_strdup_printf("%.3f", guest->end);

	printf("%s,%.3f,%s,%" G_GUINT64_FORMAT "M\n", guest->tenant, guest->start,
	       guest->end < SCHED_NEVER ? end : "", guest->size >> 20);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	GError *error = NULL;
	g_autoptr(SchedFleet) fleet = NULL;
	g_autoptr(SchedTrace) trace = NULL;
	SchedGuest guest;

	if (cli->json)
		return cli_usage(cli, "a trace is CSV: there is no --json of it");
	fleet = sched_fleet_load(argv[0], &error);
	if (!fleet)
		return cli_fail(cli, NULL, error);
	trace = sched_generate(&generate, fleet, &error);
	if (!trace)
		return cli_usage_error(cli, error);
	puts("tenant,start,end,memory");
	while (sched_trace_next(trace, &guest, &error) == SCHED_TRACE_GUEST &&
	       !ferror(stdout))
		print_guest(&guest);
	return error ? cli_fail(cli, NULL, error) : CLI_DONE;
}

const CliVerb sched_trace_verb = {
	.name = "trace",
	.summary =
		"Make up a trace of guests for a fleet, as simulate does, and print it",
	.arguments = "FLEET",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run,
};
