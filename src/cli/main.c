// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor VERB [OPTION...]: the verbs, the host they work on. */
#include "cli.h"
#include "output.h"
#include "program.h"

static char *config, *state_dir, *simulate;

static const GOptionEntry shared_options[] = {
	{"config", 0, 0, G_OPTION_ARG_FILENAME, &config, "Configuration file", "FILE"},
	{"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &state_dir, "Directory of the ledger",
	 "DIR"},
	{"simulate", 0, 0, G_OPTION_ARG_FILENAME, &simulate,
	 "Work on the host described in FILE; with --state-dir it lasts", "FILE"},
	{NULL},
};

DaxcHost *cli_open(const Cli *cli, gboolean read_only)
{
	DaxcHostOptions options = cli->host;
	GError *error = NULL;
	DaxcHost *host;

	options.read_only = read_only;
	host = daxc_host_open(&options, &error);
	if (!host)
		cli_fail(cli, NULL, error);
	return host;
}

CliStatus cli_show_host(const Cli *cli, DaxcHost *host,
			JsonNode *(*build)(DaxcHost *host, GError **error),
			void (*print)(JsonNode *document))
{
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;

	document = build(host, &error);
	if (!document)
		return cli_fail(cli, NULL, error);
	if (cli->json)
		cli_print_json(document);
	else
		print(document);
	return CLI_DONE;
}

CliStatus cli_look(const Cli *cli, JsonNode *(*build)(DaxcHost *host, GError **error),
		   void (*print)(JsonNode *document))
{
	g_autoptr(DaxcHost) host = cli_open(cli, TRUE);

	return host ? cli_show_host(cli, host, build, print) : CLI_FAILED;
}

static void prepare(Cli *cli)
{
	cli->host.config = config;
	cli->host.state_dir = state_dir;
	cli->host.simulate = simulate;
}

int main(int argc, char **argv)
{
	static const CliVerb *const verbs[] = {
		&cli_regions, &cli_colors,   &cli_map,	 &cli_list,    &cli_show,
		&cli_audit,   &cli_plan,     &cli_carve, &cli_release, &cli_reserve,
		&cli_lend,    &cli_reclaim,  &cli_scrub, &cli_recover, &cli_doctor,
		&cli_enroll,  &cli_unenroll, NULL,
	};
	static const CliProgram daxcolor = {
		.name = "daxcolor",
		.summary = "Gives guests memory on cache colors of their own.",
		.verbs = verbs,
		.options = shared_options,
		.prepare = prepare,
	};

	return cli_main(&daxcolor, argc, argv);
}
