// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-exec ROUNDS STDIN YARDSTICK COMMAND...
 *
 * Runs YARDSTICK and each COMMAND in turn, ROUNDS times, with STDIN as standard
 * input and output thrown away, and prints each one's median wall time beside
 * the yardstick's. A "COMMAND" is "NAME=program argument ...", split like a
 * shell would; a failing one ends the run.
 */
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
	char *name;
	char **argv;
	gint64 *times; /* microseconds, one a round */
} Command;

static void fail(const char *what, const char *which)
{
	fprintf(stderr, "bench-exec: %s: %s\n", which, what);
	exit(1);
}

static Command command_new(const char *text, guint rounds)
{
	const char *equals = strchr(text, '=');
	Command command = {0};

	if (!equals || !g_shell_parse_argv(equals + 1, NULL, &command.argv, NULL))
		fail("not NAME=COMMAND", text);
	command.name = g_strndup(text, (gsize)(equals - text));
	command.times = g_new0(gint64, rounds);
	return command;
}

static gint64 run_once(const Command *command, const char *input)
{
	gint64 begin = g_get_monotonic_time();
	pid_t child = fork();
	int status;

	if (child == 0) {
		int in = open(input, O_RDONLY);
		int out = open("/dev/null", O_WRONLY);

		if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0)
			_exit(126);
		execvp(command->argv[0], command->argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("cannot run", command->name);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail("failed", command->name);
	return g_get_monotonic_time() - begin;
}

static int by_value(const void *a, const void *b)
{
	gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;

	return (left > right) - (left < right);
}

static double median_ms(const Command *command, guint rounds)
{
	qsort(command->times, rounds, sizeof(*command->times), by_value);
	return (double)command->times[rounds / 2] / 1000;
}

int main(int argc, char **argv)
{
	guint rounds = argc > 4 ? (guint)atoi(argv[1]) : 0;
	guint n = (guint)argc - 3;
	Command *commands;
	double yardstick;

	if (rounds == 0) {
		fprintf(stderr, "usage: bench-exec ROUNDS STDIN NAME=YARDSTICK "
				"NAME=COMMAND...\n");
		return 2;
	}
	commands = g_new0(Command, n);
	for (guint i = 0; i < n; i++)
		commands[i] = command_new(argv[i + 3], rounds);
	for (guint round = 0; round < rounds; round++) {
		for (guint i = 0; i < n; i++)
			commands[i].times[round] = run_once(&commands[i], argv[2]);
	}
	yardstick = median_ms(&commands[0], rounds);
	printf("%-44s %8.2f ms  (yardstick, median of %u)\n", commands[0].name, yardstick,
	       rounds);
	for (guint i = 1; i < n; i++) {
		double median = median_ms(&commands[i], rounds);

		printf("%-44s %8.2f ms  %6.2f times, %+.2f ms\n", commands[i].name,
		       median, median / yardstick, median - yardstick);
	}
	return 0;
}
