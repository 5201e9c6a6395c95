// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor doctor: what keeps guests from their colors, and the remedy. */
#include <stdio.h>

#include "cli.h"
#include "output.h"

static gboolean fix;

static const GOptionEntry options[] = {
	{"fix", 'f', 0, G_OPTION_ARG_NONE, &fix,
	 "Repair what is ours, and say what is left to do by hand", NULL},
	{NULL},
};

static guint count(const GPtrArray *checks, DaxcCheckStatus status)
{
	guint n = 0;

	for (guint i = 0; i < checks->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(checks, i);

		n += check->status == status;
	}
	return n;
}

static JsonNode *build(const GPtrArray *checks)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "checks");
	json_builder_begin_array(builder);
	for (guint i = 0; i < checks->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(checks, i);

		json_builder_begin_object(builder);
		cli_add_text(builder, "id", check->id);
		cli_add_text(builder, "what", check->what);
		cli_add_text(builder, "status", daxc_check_status_name(check->status));
		cli_add_text(builder, "why", check->why);
		cli_add_text(builder, "remedy", check->remedy);
		cli_add_flag(builder, "fixable", check->fixable);
		cli_add_flag(builder, "fixed", check->fixed);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
	cli_add_number(builder, "broken", count(checks, DAXC_CHECK_BROKEN));
	cli_add_number(builder, "warnings", count(checks, DAXC_CHECK_WARNING));
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_check(const DaxcCheck *check)
{
	static const char *const sgr[] = {
		[DAXC_CHECK_OK] = "32",
		[DAXC_CHECK_WARNING] = "33",
		[DAXC_CHECK_BROKEN] = "1;31",
	};
	g_autofree char *label = g_strdup_printf(
		"%-8s", check->fixed ? "fixed" : daxc_check_status_name(check->status));
	g_autofree char *status = cli_paint(label, sgr[check->status]);
	g_autofree char *why = cli_printable(check->why);

	printf("%s %s: %s\n", status, check->what, why);
	if (check->remedy)
		printf("%9s-> %s\n", "", check->remedy);
}

static void print_text(const GPtrArray *checks)
{
	g_autofree char *warnings =
		cli_count(count(checks, DAXC_CHECK_WARNING), "warning");

	for (guint i = 0; i < checks->len; i++)
		print_check(g_ptr_array_index(checks, i));
	printf("\n%u broken, %s\n", count(checks, DAXC_CHECK_BROKEN), warnings);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	const DaxcDoctorOptions doctor = {.host = cli->host, .fix = fix};
	g_autoptr(GPtrArray) checks = daxc_doctor_run(&doctor);
	g_autoptr(JsonNode) document = build(checks);

	if (cli->json)
		cli_print_json(document);
	else
		print_text(checks);
	return count(checks, DAXC_CHECK_BROKEN) ? CLI_FAILED : CLI_DONE;
}

const CliVerb cli_doctor = {
	.name = "doctor",
	.summary = "Find what keeps guests from their colors, and the remedy",
	.description = "Exits with 1 while anything is broken.",
	.options = options,
	.run = run,
};
