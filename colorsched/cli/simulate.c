// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched simulate: policies side by side. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "colorsched/fleet-file.h"
#include "colorsched/sim/simulate.h"
#include "generator.h"
#include "plot.h"
#include "verbs.h"

static const SchedPolicy *const all_policies[] = {
	&sched_policy_first_fit,
	&sched_policy_random,
	&sched_policy_exclusive,
	&sched_policy_pooled,
};

static SchedGenerate generate;
static char *policies, *plot;

static const GOptionEntry options[] = {
	{"policies", 'p', 0, G_OPTION_ARG_STRING, &policies,
	 "Which, with commas between them (default: all)", "LIST"},
	{"plot", 0, 0, G_OPTION_ARG_FILENAME, &plot, "Draw the run into an SVG file",
	 "FILE"},
	SCHED_GENERATE_OPTIONS(generate),
	{NULL},
};

static void add_conflict(JsonBuilder *builder, const SchedConflict *conflict)
{
	json_builder_set_member_name(builder, "conflict");
	json_builder_begin_object(builder);
	cli_add_number(builder, "samples", conflict->samples);
	cli_add_real(builder, "mean", conflict->mean);
	cli_add_real(builder, "median", conflict->median);
	cli_add_real(builder, "p99", conflict->high);
	cli_add_real(builder, "max", conflict->most);
	cli_add_real(builder, "guests", conflict->touched);
	json_builder_end_object(builder);
}

static void add_result(JsonBuilder *builder, const SchedReport *report, guint index)
{
	const SchedResult *result = &report->result[index];

	json_builder_begin_object(builder);
	cli_add_text(builder, "policy", result->policy->name);
	cli_add_number(builder, "admitted", result->admitted);
	cli_add_number(builder, "refused", report->guests - result->admitted);
	cli_add_real(builder, "memory", result->memory);
	cli_add_number(builder, "used", (guint64)result->used);
	cli_add_number(builder, "held", (guint64)result->held);
	cli_add_number(builder, "stranded", (guint64)result->idle);
	cli_add_number(builder, "stranded_max", result->idle_most);
	cli_add_real(builder, "free_at_refusal", result->free);
	cli_add_real(builder, "colors_per_tenant", result->colors);
	cli_add_number(builder, "colors_per_tenant_max", result->colors_most);
	add_conflict(builder, &result->conflict);
	json_builder_end_object(builder);
}

static JsonNode *build(const SchedReport *report)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_number(builder, "hosts", report->hosts);
	cli_add_number(builder, "capacity", report->capacity);
	cli_add_number(builder, "guests", report->guests);
	cli_add_number(builder, "events", report->events);
	cli_add_number(builder, "guests_max", report->live_most);
	cli_add_real(builder, "seconds", report->end - report->start);
	cli_add_number(builder, "asked", (guint64)report->asked);
	json_builder_set_member_name(builder, "policies");
	json_builder_begin_array(builder);
	for (guint i = 0; i < report->n; i++)
		add_result(builder, report, i);
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

/* Bytes in GiB, as a mean deserves no more. */
static guint64 in_gib(double bytes)
{
	return (guint64)(bytes / (1 << 30) + 0.5) << 30;
}

static void add_row(JsonBuilder *builder, const SchedReport *report,
		    const SchedResult *result)
{
	json_builder_begin_object(builder);
	cli_add_text(builder, "policy", result->policy->name);
	if (report->guests > 0)
		cli_add_real(builder, "admitted",
			     (double)result->admitted / (double)report->guests);
	cli_add_real(builder, "memory", result->memory);
	cli_add_number(builder, "used", in_gib(result->used));
	cli_add_number(builder, "stranded", in_gib(result->idle));
	cli_add_real(builder, "colors", result->colors);
	cli_add_real(builder, "conflict", result->conflict.mean);
	cli_add_real(builder, "p99", result->conflict.high);
	cli_add_real(builder, "touched", result->conflict.touched);
	json_builder_end_object(builder);
}

static void print_text(const SchedReport *report)
{
	static const CliColumn columns[] = {
		{"POLICY", "policy", CLI_TEXT},	    {"ADMITTED", "admitted", CLI_PART},
		{"MEMORY", "memory", CLI_PART},	    {"USED", "used", CLI_SIZE},
		{"STRANDED", "stranded", CLI_SIZE}, {"COLORS", "colors", CLI_MEAN},
		{"CONFLICT", "conflict", CLI_PART}, {"99 %", "p99", CLI_PART},
		{"GUESTS", "touched", CLI_PART},    {NULL},
	};
	g_autofree char *capacity = daxc_size_format(report->capacity);
	JsonBuilder *builder = json_builder_new();
	g_autoptr(JsonNode) rows = NULL;

	printf("%" G_GUINT64_FORMAT " hosts, %s; %" G_GUINT64_FORMAT
	       " guests in %.1f days, at most %" G_GUINT64_FORMAT " at once\n\n",
	       report->hosts, capacity, report->guests,
	       (report->end - report->start) / 86400, report->live_most);
	json_builder_begin_array(builder);
	for (guint i = 0; i < report->n; i++)
		add_row(builder, report, &report->result[i]);
	json_builder_end_array(builder);
	rows = cli_built(builder);
	cli_print_table(json_node_get_array(rows), columns, "");
	puts("\nADMITTED of the guests, MEMORY of what they asked for, over time; "
	     "STRANDED: "
	     "free\nmemory that only one tenant could get; COLORS of a tenant; CONFLICT: "
	     "part of its\ncache that a guest loses to other tenants, on average; 99 % "
	     "of "
	     "guests lose no\nmore than that; GUESTS that lose any");
}

static gboolean on_terminal;

static void show_progress(guint64 events)
{
	fprintf(stderr, "\r%" G_GUINT64_FORMAT " events ", events);
	on_terminal = TRUE;
}

static const SchedPolicy *find_policy(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(all_policies); i++) {
		if (strcmp(all_policies[i]->name, name) == 0)
			return all_policies[i];
	}
	return NULL;
}

/* Returns: how many there are, 0 when one is unknown or there twice. */
static guint read_policies(const SchedPolicy **chosen, GError **error)
{
	g_auto(GStrv) names = g_strsplit(policies, ",", -1);
	guint n = 0;

	for (; names[n]; n++) {
		chosen[n % SCHED_POLICIES_MAX] = find_policy(g_strstrip(names[n]));
		for (guint i = 0; i < n; i++) {
			if (chosen[i] == chosen[n])
				chosen[n] = NULL;
		}
		if (chosen[n])
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "--policies: \"%s\" is none of first-fit, random, exclusive "
			    "and pooled, or is there twice",
			    names[n]);
		return 0;
	}
	return n;
}

static SchedTrace *open_trace(const char *path, GError **error)
{
	FILE *stream;

	if (strcmp(path, "-") == 0)
		return sched_trace_csv(stdin, "standard input");
	stream = fopen(path, "re");
	if (stream)
		return sched_trace_csv(stream, path);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND, "cannot open %s: %s", path,
		    g_strerror(errno));
	return NULL;
}

static CliStatus write_plot(const Cli *cli, const SchedReport *report)
{
	g_autofree char *svg = sched_plot(report);
	GError *error = NULL;

	if (g_file_set_contents(plot, svg, -1, &error))
		return CLI_DONE;
	return cli_fail(cli, plot, error);
}

static CliStatus show(const Cli *cli, const SchedReport *report)
{
	g_autoptr(JsonNode) document = NULL;

	if (cli->json) {
		document = build(report);
		cli_print_json(document);
	} else {
		print_text(report);
	}
	return plot ? write_plot(cli, report) : CLI_DONE;
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	const SchedPolicy *chosen[SCHED_POLICIES_MAX];
	g_autoptr(SchedFleet) fleet = NULL;
	g_autoptr(SchedTrace) trace = NULL;
	g_autoptr(SchedReport) report = NULL;
	guint n = G_N_ELEMENTS(all_policies);
	GError *error = NULL;
	guint32 seed;

	memcpy(chosen, all_policies, sizeof(all_policies));
	if (argc == 2 && sched_generate_wished(&generate))
		return cli_usage(cli,
				 "%s says itself who comes: no --load, --days or "
				 "--tenants beside it",
				 argv[1]);
	if (!sched_generate_seed(&generate, &seed, &error))
		return cli_usage_error(cli, error);
	if (policies)
		n = read_policies(chosen, &error);
	if (error)
		return cli_usage_error(cli, error);
	fleet = sched_fleet_load(argv[0], &error);
	if (!fleet)
		return cli_fail(cli, NULL, error);
	trace = argc == 2 ? open_trace(argv[1], &error)
			  : sched_generate(&generate, fleet, &error);
	if (!trace)
		return argc == 2 ? cli_fail(cli, NULL, error)
				 : cli_usage_error(cli, error);
	report = sched_simulate(fleet, trace, chosen, n, seed,
				isatty(STDERR_FILENO) ? show_progress : NULL, &error);
	if (on_terminal)
		fputs("\r\033[K", stderr);
	return report ? show(cli, report) : cli_fail(cli, NULL, error);
}

const CliVerb sched_simulate_verb = {
	.name = "simulate",
	.summary = "Play a trace on a fleet, by several policies side by side",
	.arguments = "FLEET [TRACE.csv|-]",
	.description = "Without a trace one is made up, with sizes and lifetimes as in "
		       "Azure's public\ntrace; `colorsched trace` prints it. "
		       "colorsched(1) explains policies and figures.",
	.options = options,
	.least = 1,
	.most = 2,
	.run = run,
};
