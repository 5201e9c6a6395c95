// SPDX-License-Identifier: GPL-2.0-or-later
/* PROGRAM VERB [OPTION...]: finds the verb, reads the options that all share. */
#include "program.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

static const CliProgram *program;
static gboolean json, version;

static const GOptionEntry own_options[] = {
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

	fprintf(stderr, "%s: %s: %s\n", program->name, thing, why);
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
		fprintf(stderr, "%s: %s: %s: see `%s %s --help`\n", program->name,
			cli->verb, safe, program->name, cli->verb);
	else
		fprintf(stderr, "%s: %s: see `%s --help`\n", program->name, safe,
			program->name);
	return CLI_USAGE;
}

CliStatus cli_usage_error(const Cli *cli, GError *error)
{
	CliStatus status = cli_usage(cli, "%s", error->message);

	g_error_free(error);
	return status;
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
		fprintf(stderr, "%s: %s%s\n", program->name, warning ? "warning: " : "",
			text);
	}
	return G_LOG_WRITER_HANDLED;
}

static char *list_verbs(void)
{
	GString *text = g_string_new("Verbs:");

	for (gsize i = 0; program->verbs[i]; i++)
		g_string_append_printf(text, "\n  %-10s %s", program->verbs[i]->name,
				       program->verbs[i]->summary);
	g_string_append_printf(text, "\n\n`%s VERB --help` says more; so does %s(1).",
			       program->name, program->name);
	return g_string_free(text, FALSE);
}

static void add_shared(GOptionContext *context)
{
	if (program->options)
		g_option_context_add_main_entries(context, program->options, NULL);
	g_option_context_add_main_entries(context, own_options, NULL);
}

/* Reads the options before the verb; @argv is left with the verb first. */
static gboolean parse_shared(int *argc, char ***argv, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new("VERB [ARGUMENT...]");
	g_autofree char *list = list_verbs();

	g_option_context_set_summary(context, program->summary);
	g_option_context_set_description(context, list);
	add_shared(context);
	g_option_context_set_strict_posix(context, TRUE);
	return g_option_context_parse(context, argc, argv, error);
}

static gboolean parse_verb(const CliVerb *verb, int *argc, char ***argv, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(verb->arguments);
	g_autofree char *name = g_strdup_printf("%s %s", program->name, verb->name);

	g_set_prgname(name);
	g_option_context_set_summary(context, verb->summary);
	g_option_context_set_description(context, verb->description);
	if (verb->options)
		g_option_context_add_main_entries(context, verb->options, NULL);
	add_shared(context);
	return g_option_context_parse(context, argc, argv, error);
}

static const CliVerb *find_verb(const char *name)
{
	for (gsize i = 0; program->verbs[i]; i++) {
		if (strcmp(program->verbs[i]->name, name) == 0)
			return program->verbs[i];
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

static void print_version(void)
{
	printf("%s %s\n", program->name, DAXCOLOR_VERSION);
}

static CliStatus run_verb(const CliVerb *verb, int argc, char **argv)
{
	Cli cli = {.verb = verb->name};
	g_autoptr(GError) error = NULL;

	if (!parse_verb(verb, &argc, &argv, &error))
		return cli_usage(&cli, "%s", error->message);
	if (version) {
		print_version();
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
	if (program->prepare)
		program->prepare(&cli);
	return verb->run(&cli, argc, argv);
}

int cli_main(const CliProgram *which, int argc, char **argv)
{
	const Cli none = {0};
	g_autoptr(GError) error = NULL;
	const CliVerb *verb = NULL;
	CliStatus status;

	setlocale(LC_ALL, "");
	program = which;
	g_set_prgname(program->name);
	g_log_set_writer_func(write_log, &verb, NULL);
	if (!parse_shared(&argc, &argv, &error))
		return cli_usage(&none, "%s", error->message);
	if (version) {
		print_version();
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
		fprintf(stderr, "%s: cannot write to stdout\n", program->name);
		return (int)(status == CLI_DONE ? CLI_FAILED : status);
	}
	return status;
}
