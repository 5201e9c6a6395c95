// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor VERB [OPTION...]: finds the verb, reads the options that all share. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "output.h"

static const CliVerb *const verbs[] = {
	&cli_regions, &cli_colors,   &cli_map,	 &cli_list,    &cli_show,
	&cli_audit,   &cli_plan,     &cli_carve, &cli_release, &cli_reserve,
	&cli_lend,    &cli_reclaim,  &cli_scrub, &cli_recover, &cli_doctor,
	&cli_enroll,  &cli_unenroll,
};

static char *config, *state_dir, *simulate;
static gboolean json, version;

static const GOptionEntry shared_options[] = {
	{"config", 0, 0, G_OPTION_ARG_FILENAME, &config, "Configuration file", "FILE"},
	{"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &state_dir, "Directory of the ledger",
	 "DIR"},
	{"simulate", 0, 0, G_OPTION_ARG_FILENAME, &simulate,
	 "Work on the host described in FILE; with --state-dir it lasts", "FILE"},
	{"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print one JSON document", NULL},
	{"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version", NULL},
	{NULL},
};

static const char *error_code_name(const GError *error)
{
	static const char *const names[] = {
		[DAXC_ERROR_INVALID] = "invalid",
		[DAXC_ERROR_REFUSED] = "refused",
		[DAXC_ERROR_BUSY] = "busy",
		[DAXC_ERROR_NOT_FOUND] = "not-found",
		[DAXC_ERROR_UNSUPPORTED] = "unsupported",
		[DAXC_ERROR_KERNEL] = "kernel",
		[DAXC_ERROR_LEDGER] = "ledger",
		[DAXC_ERROR_FAILED] = "failed",
		[DAXC_ERROR_MEMORY] = "memory",
		[DAXC_ERROR_CANCELED] = "canceled",
	};

	if (error->domain == DAXC_ERROR && error->code >= 0 &&
	    (gsize)error->code < G_N_ELEMENTS(names))
		return names[error->code];
	return "failed";
}

static void print_error_document(const char *what, const GError *error)
{
	JsonBuilder *builder = json_builder_new();
	g_autoptr(JsonNode) document = NULL;

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "error");
	json_builder_begin_object(builder);
	cli_add_text(builder, "code", error_code_name(error));
	cli_add_text(builder, "what", what);
	cli_add_text(builder, "why", error->message);
	json_builder_end_object(builder);
	json_builder_end_object(builder);
	document = cli_built(builder);
	cli_print_json(document);
}

CliStatus cli_fail(const Cli *cli, const char *what, GError *error)
{
	g_autofree char *thing = cli_printable(what ? what : cli->verb);
	g_autofree char *why = cli_printable(error->message);

	fprintf(stderr, "daxcolor: %s: %s\n", thing, why);
	if (cli->json)
		print_error_document(what ? what : cli->verb, error);
	g_error_free(error);
	return CLI_FAILED;
}

CliStatus cli_usage(const Cli *cli, const char *format, ...)
{
	g_autofree char *text = NULL, *safe = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	safe = cli_printable(text);
	if (cli->verb)
		fprintf(stderr, "daxcolor: %s: %s: see `daxcolor %s --help`\n", cli->verb,
			safe, cli->verb);
	else
		fprintf(stderr, "daxcolor: %s: see `daxcolor --help`\n", safe);
	return CLI_USAGE;
}

CliStatus cli_usage_error(const Cli *cli, GError *error)
{
	CliStatus status = cli_usage(cli, "%s", error->message);

	g_error_free(error);
	return status;
}

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

/* What the library reports goes where it does not disturb a document. */
static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize n,
				  gpointer data)
{
	const CliVerb *const *verb = data;
	gboolean warning = level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);

	if (!warning && *verb && (*verb)->reports)
		return G_LOG_WRITER_HANDLED;

	for (gsize i = 0; i < n; i++) {
		g_autofree char *text = NULL;

		if (strcmp(fields[i].key, "MESSAGE") != 0 || level >= G_LOG_LEVEL_INFO)
			continue;
		text = cli_printable(fields[i].value);
		fprintf(stderr, "daxcolor: %s%s\n", warning ? "warning: " : "", text);
	}
	return G_LOG_WRITER_HANDLED;
}

static char *list_verbs(void)
{
	GString *text = g_string_new("Verbs:");

	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
		g_string_append_printf(text, "\n  %-10s %s", verbs[i]->name,
				       verbs[i]->summary);
	g_string_append(text,
			"\n\n`daxcolor VERB --help` says more; so does daxcolor(1).");
	return g_string_free(text, FALSE);
}

/* Reads the options before the verb; @argv is left with the verb first. */
static gboolean parse_shared(int *argc, char ***argv, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new("VERB [ARGUMENT...]");
	g_autofree char *list = list_verbs();

	g_option_context_set_summary(context, "Gives guests memory on cache colors of "
					      "their own.");
	g_option_context_set_description(context, list);
	g_option_context_add_main_entries(context, shared_options, NULL);
	g_option_context_set_strict_posix(context, TRUE);
	return g_option_context_parse(context, argc, argv, error);
}

static gboolean parse_verb(const CliVerb *verb, int *argc, char ***argv, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(verb->arguments);
	g_autofree char *name = g_strdup_printf("daxcolor %s", verb->name);

	g_set_prgname(name);
	g_option_context_set_summary(context, verb->summary);
	g_option_context_set_description(context, verb->description);
	if (verb->options)
		g_option_context_add_main_entries(context, verb->options, NULL);
	g_option_context_add_main_entries(context, shared_options, NULL);
	return g_option_context_parse(context, argc, argv, error);
}

static const CliVerb *find_verb(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	}
	return NULL;
}

/* "--" ends the options; GOption leaves it in place. */
static void drop_separator(int *argc, char ***argv)
{
	if (*argc > 0 && strcmp((*argv)[0], "--") == 0) {
		(*argc)--;
		(*argv)++;
	}
}

static CliStatus run_verb(const CliVerb *verb, int argc, char **argv)
{
	Cli cli = {.verb = verb->name};
	g_autoptr(GError) error = NULL;

	if (!parse_verb(verb, &argc, &argv, &error))
		return cli_usage(&cli, "%s", error->message);
	if (version) {
		puts("daxcolor " DAXCOLOR_VERSION);
		return CLI_DONE;
	}
	argc--;
	argv++;
	drop_separator(&argc, &argv);
	if (argc < verb->least)
		return cli_usage(&cli, "%s is missing", verb->arguments);
	if (argc > verb->most)
		return cli_usage(&cli, "unexpected argument \"%s\"", argv[verb->most]);
	cli.json = json;
	cli.host.config = config;
	cli.host.state_dir = state_dir;
	cli.host.simulate = simulate;
	return verb->run(&cli, argc, argv);
}

int main(int argc, char **argv)
{
	const Cli none = {0};
	g_autoptr(GError) error = NULL;
	const CliVerb *verb = NULL;
	CliStatus status;

	setlocale(LC_ALL, "");
	g_set_prgname("daxcolor");
	g_log_set_writer_func(write_log, &verb, NULL);
	if (!parse_shared(&argc, &argv, &error))
		return cli_usage(&none, "%s", error->message);
	if (version) {
		puts("daxcolor " DAXCOLOR_VERSION);
		return CLI_DONE;
	}
	argc--;
	argv++;
	drop_separator(&argc, &argv);
	if (argc < 1)
		return cli_usage(&none, "no verb");
	verb = find_verb(argv[0]);
	if (!verb)
		return cli_usage(&none, "no verb \"%s\"", argv[0]);
	status = run_verb(verb, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("daxcolor: cannot write to stdout\n", stderr);
		return (int)(status == CLI_DONE ? CLI_FAILED : status);
	}
	return status;
}
