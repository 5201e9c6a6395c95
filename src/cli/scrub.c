// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor scrub: zeroes free memory, so that no guest has to wait for it. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "output.h"

static char *rate;

static const GOptionEntry options[] = {
	{"rate", 'r', 0, G_OPTION_ARG_STRING, &rate,
	 "Zero at most SIZE a second (default: zero_rate of the configuration)", "SIZE"},
	{NULL},
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

/* A guest that needs what we hold asks like this, and so does systemd. */
static void take_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/**
 * Meter: progress on a terminal.
 * @begin: microseconds of the monotonic clock
 * @shown: a line is there
 */
typedef struct {
	gboolean terminal;
	gboolean shown;
	gint64 begin;
} Meter;

static gboolean show_progress(guint64 done, guint64 total, gpointer data)
{
	Meter *meter = data;
	gint64 passed = MAX(g_get_monotonic_time() - meter->begin, 1);
	double gib = (double)done / (1 << 30);
	g_autofree char *all = NULL;

	if (meter->terminal && total > 0) {
		all = daxc_size_format(total);
		fprintf(stderr, "\r%.1f GiB of %s zeroed, %.1f GiB/s, %u%% ", gib, all,
			gib * G_USEC_PER_SEC / (double)passed,
			(guint)(done * 100 / total));
		meter->shown = TRUE;
	}
	return !stop;
}

static JsonNode *build(const DaxcScrub *scrub)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_number(builder, "cleaned", scrub->cleaned);
	cli_add_number(builder, "bad", scrub->bad);
	cli_add_flag(builder, "stopped", scrub->stopped);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void print_text(const DaxcScrub *scrub)
{
	g_autofree char *size = daxc_size_format(scrub->cleaned);
	g_autofree char *bad = cli_count(scrub->bad, "granule");

	if (scrub->cleaned == 0 && !scrub->stopped)
		puts("No free memory was dirty.");
	else
		printf("%s zeroed.%s\n", size,
		       scrub->stopped ? " Stopped: the rest is still dirty." : "");
	if (scrub->bad > 0)
		printf("The memory of %s failed; see `daxcolor colors`.\n", bad);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcHost) host = NULL;
	g_autoptr(JsonNode) document = NULL;
	Meter meter = {
		.terminal = isatty(STDERR_FILENO),
		.begin = g_get_monotonic_time(),
	};
	DaxcScrub scrub = {.progress = show_progress, .data = &meter};
	GError *error = NULL;
	gboolean ok;

	if (rate && !daxc_size_parse(rate, &scrub.rate, &error))
		return cli_usage_error(cli, error);
	take_signals();
	host = cli_open(cli, FALSE);
	if (!host)
		return CLI_FAILED;
	ok = daxc_host_scrub(host, &scrub, &error);
	if (meter.shown)
		fputc('\n', stderr);
	if (!ok)
		return cli_fail(cli, NULL, error);
	document = build(&scrub);
	if (cli->json)
		cli_print_json(document);
	else
		print_text(&scrub);
	return CLI_DONE;
}

const CliVerb cli_scrub = {
	.name = "scrub",
	.summary = "Zero free memory before a guest waits for it",
	.description = "SIGTERM or Ctrl-C stops it; what was zeroed stays clean. "
		       "daxcolor-scrub.service runs it\nafter each guest.",
	.options = options,
	.run = run,
};
