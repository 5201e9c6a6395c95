// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor unenroll: takes out of a libvirt domain what enroll put in. */
#include "cli.h"
#include "domain.h"

static CliEdit edit;

static const GOptionEntry options[] = {CLI_EDIT_OPTIONS(edit), {NULL}};

static char *change(const char *xml, const char *uuid, const char *name, gpointer data,
		    GError **error)
{
	return daxc_domain_unenroll(xml, error);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	edit.change = change;
	return cli_edit_domain(cli, argv[0], &edit);
}

const CliVerb cli_unenroll = {
	.name = "unenroll",
	.summary =
		"Take a libvirt domain out again: ordinary memory from its next start on",
	.arguments = "DOMAIN",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run,
};
