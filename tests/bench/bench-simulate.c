// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a simulation takes: ten thousand hosts, a million events, each policy and all
 * of them. The yardstick of the same run is the trace alone: guests are made up, kept
 * while they are there and forgotten, but nobody places them. And what it takes of
 * memory, when there are twice as many guests at once, and when there are twice as many
 * in the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "colorsched/fleet-file.h"
#include "colorsched/sim/simulate.h"

#define EVENTS 1000000.0
#define LOAD 0.95

static const SchedPolicy *const all[] = {
	&sched_policy_first_fit,
	&sched_policy_random,
	&sched_policy_exclusive,
	&sched_policy_pooled,
};

/* What one run came to. */
typedef struct {
	double seconds;
	guint64 events;
	guint64 live;
	long kib;
} Run;

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void die(const char *why)
{
	fprintf(stderr, "bench-simulate: %s\n", why);
	exit(EXIT_FAILURE);
}

/* Days of a trace with so many events: those who are there come, and then as many leave
 * as come. */
static double days_for(const SchedFleet *fleet, double load, double events)
{
	double live = load * (double)fleet->capacity / sched_generated_memory();

	return MAX(events - live, 1) / 2 * sched_generated_life() / live / 86400;
}

static Run simulate(const char *path, double load, double events,
		    const SchedPolicy *const *policies, guint n)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SchedFleet) fleet = sched_fleet_load(path, &error);
	g_autoptr(SchedTrace) trace = NULL;
	g_autoptr(SchedReport) report = NULL;
	SchedGeneratorOptions options = {.seed = 1};
	struct rusage usage;
	double start;
	Run run = {0};

	if (!fleet)
		die(error->message);
	options.memory = load * (double)fleet->capacity;
	options.days = days_for(fleet, load, events);
	trace = sched_trace_generate(&options);
	start = now();
	report = sched_simulate(fleet, trace, policies, n, 1, NULL, &error);
	if (!report)
		die(error->message);
	run.seconds = now() - start;
	run.events = report->events;
	run.live = report->live_most;
	getrusage(RUSAGE_SELF, &usage);
	run.kib = usage.ru_maxrss;
	return run;
}

/* In a process of its own, so that each has a peak of its own. */
static Run measure(const char *path, double load, double events,
		   const SchedPolicy *const *policies, guint n)
{
	int ends[2], status;
	Run run;
	pid_t child;

	fflush(stdout);
	if (pipe(ends) != 0)
		die("no pipe");
	child = fork();
	if (child < 0)
		die("cannot fork");
	if (child == 0) {
		run = simulate(path, load, events, policies, n);
		_exit(write(ends[1], &run, sizeof(run)) != sizeof(run));
	}
	close(ends[1]);
	if (read(ends[0], &run, sizeof(run)) != sizeof(run) ||
	    waitpid(child, &status, 0) != child || status != 0)
		die("a run did not come to its end");
	close(ends[0]);
	return run;
}

static void print_run(const char *what, const Run *run, const Run *yardstick)
{
	printf("%-12s %9" G_GUINT64_FORMAT " %8.2f %9.0f %9.1f %8.1f\n", what,
	       run->events, run->seconds, (double)run->events / run->seconds / 1e3,
	       run->seconds / yardstick->seconds, (double)run->kib / 1024);
}

static void print_times(const char *path)
{
	Run trace = measure(path, LOAD, EVENTS, all, 0), run;

	printf("%-12s %9s %8s %9s %9s %8s\n", "", "events", "cpu s", "1000/s", "/ trace",
	       "MiB");
	print_run("trace alone", &trace, &trace);
	for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
		run = measure(path, LOAD, EVENTS, all + i, 1);
		print_run(all[i]->name, &run, &trace);
	}
	run = measure(path, LOAD, EVENTS, all, G_N_ELEMENTS(all));
	print_run("all", &run, &trace);
}

/* Memory beyond that of a fleet without guests. */
static void print_memory(const char *path)
{
	guint n = G_N_ELEMENTS(all);
	Run none = measure(path, 0.00001, 2, all, n);
	Run half = measure(path, LOAD / 2, EVENTS / 2, all, n);
	Run twice = measure(path, LOAD, EVENTS, all, n);
	Run longer = measure(path, LOAD / 2, EVENTS, all, n);
	double base = (double)(half.kib - none.kib);

	printf("\nmemory for guests, all policies: %.0f B for each of %" G_GUINT64_FORMAT
	       "\n  %.2f times with %.2f times the guests at once\n"
	       "  %.2f times with %.2f times the events and as many at once\n",
	       base * 1024 / (double)half.live, half.live,
	       (double)(twice.kib - none.kib) / base,
	       (double)twice.live / (double)half.live,
	       (double)(longer.kib - none.kib) / base,
	       (double)longer.events / (double)half.events);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: bench-simulate FLEET\n");
		return 2;
	}
	print_times(argv[1]);
	print_memory(argv[1]);
	return 0;
}
