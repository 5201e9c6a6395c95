// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor recover: brings ledger and kernel together, and says what it did. */
#include <stdio.h>

#include "cli.h"
#include "guests.h"
#include "output.h"

static gboolean boot;

static const GOptionEntry options[] = {
	{"boot", 0, 0, G_OPTION_ARG_NONE, &boot,
	 "The host has just booted, and libvirt has started nothing yet", NULL},
	{NULL},
};

static JsonNode *build(const GPtrArray *report)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "done");
	json_builder_begin_array(builder);
	for (guint i = 0; i < report->len; i++)
		json_builder_add_string_value(builder, g_ptr_array_index(report, i));
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

/* Instances that only libvirt can explain now. */
static gboolean adopt(DaxcHost *host, GPtrArray *report, GError **error)
{
	g_autoptr(GPtrArray) foreign = daxc_host_foreign(host, error);
	g_autoptr(GPtrArray) guests = NULL;
	g_autoptr(GPtrArray) adopted = NULL;
	g_autoptr(GError) failure = NULL;
	gboolean reached;

	if (!foreign)
		return FALSE;
	/* Before libvirt has started, nobody runs. */
	if (boot || foreign->len == 0 || daxc_host_is_simulated(host))
		return TRUE;
	guests = cli_running_guests(NULL, &reached, &failure);
	if (!guests)
		g_warning("nobody can say whose the instances are that daxcolor does not "
			  "know: %s",
			  failure->message);
	if (!guests)
		return TRUE;
	if (!daxc_host_adopt(host, guests, &adopted, error))
		return FALSE;
	g_ptr_array_extend_and_steal(report, g_steal_pointer(&adopted));
	return TRUE;
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcHost) host = cli_open(cli, FALSE);
	g_autoptr(GPtrArray) report = NULL;
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;

	if (!host)
		return CLI_FAILED;
	if (!daxc_host_recover(host, boot, &report, &error))
		return cli_fail(cli, NULL, error);
	if (!adopt(host, report, &error))
		return cli_fail(cli, NULL, error);
	document = build(report);
	if (cli->json)
		cli_print_json(document);
	else if (report->len == 0)
		puts("Ledger and kernel agree.");
	for (guint i = 0; !cli->json && i < report->len; i++) {
		g_autofree char *line = cli_printable(g_ptr_array_index(report, i));

		puts(line);
	}
	return CLI_DONE;
}

const CliVerb cli_recover = {
	.name = "recover",
	.summary = "Finish or undo what was interrupted",
	.options = options,
	.reports = TRUE,
	.run = run,
};
