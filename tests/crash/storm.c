// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many guests of many tenants start and stop at once, some of their hooks are killed,
 * and others recover and look meanwhile. README.md says how to run it, also on a
 * real host.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/judge.h"
#include "tests/crash/stage.h"

#define SAMPLES 4096
#define MESSAGE 600
/* What guests write. */
#define PATTERN 0xdc
/* One call in so many is killed, one in so many is followed by a look. */
#define KILL_EVERY 16
#define LOOK_EVERY 4
#define LOOK_PAUSE_US 100000

enum kind {
	PREPARE,
	RELEASE,
	KINDS
};
static const char *const kind_names[KINDS] = {"prepare", "release"};

/**
 * Worker: what one of the processes saw; in memory that all share.
 * @rounds: times that it prepared and released
 * @refusals: the host had no color to give
 * @failures: calls that failed with anything else
 * @breaches: of the invariants
 * @leaks: times that a guest's memory did not hold zeros when it got it
 * @first: the first of either
 * @seconds: of calls that were let run
 */
typedef struct {
	guint64 rounds;
	guint64 refusals;
	guint64 failures;
	guint64 breaches;
	guint64 leaks;
	guint64 kills;
	guint64 looks;
	gboolean over;
	char first[MESSAGE];
	guint64 calls[KINDS];
	gdouble slowest[KINDS];
	gdouble seconds[KINDS][SAMPLES];
} Worker;

static const char *option_build = ".";
static int option_workers = 64;
static int option_tenants = 16;
static int option_seconds = 60;
static int option_wait = 30;
static int option_memory = 4;
static int option_node = 1;
static gboolean option_never_zero;
static gboolean option_real;
static const char *option_daxcolor = "/usr/bin/daxcolor";
static const char *option_gate = "/usr/bin/daxcolor-qemu-hook";
static const char *option_hook = "/usr/libexec/daxcolor/qemu-hook";

static const GOptionEntry options[] = {
	{"build", 0, 0, G_OPTION_ARG_FILENAME, &option_build, "Where make ran", "DIR"},
	{"workers", 0, 0, G_OPTION_ARG_INT, &option_workers, "Guests at once", "N"},
	{"tenants", 0, 0, G_OPTION_ARG_INT, &option_tenants, "Tenants they are of", "N"},
	{"seconds", 0, 0, G_OPTION_ARG_INT, &option_seconds, "How long", "S"},
	{"wait", 0, 0, G_OPTION_ARG_INT, &option_wait,
	 "No call may take longer; the configuration's on a simulated host", "S"},
	{"memory", 0, 0, G_OPTION_ARG_INT, &option_memory, "Of each guest", "MIB"},
	{"node", 0, 0, G_OPTION_ARG_INT, &option_node, "Where it is", "N"},
	{"never-zero", 0, 0, G_OPTION_ARG_NONE, &option_never_zero,
	 "Memory is not zeroed: leaks must be seen, or they would never be", NULL},
	{"real", 0, 0, G_OPTION_ARG_NONE, &option_real,
	 "On this host, with what is installed; no simulation", NULL},
	{"daxcolor", 0, 0, G_OPTION_ARG_FILENAME, &option_daxcolor, "With --real",
	 "FILE"},
	{"gate", 0, 0, G_OPTION_ARG_FILENAME, &option_gate, "With --real", "FILE"},
	{"hook", 0, 0, G_OPTION_ARG_FILENAME, &option_hook, "With --real", "FILE"},
	{NULL},
};

typedef struct {
	Stage *stage;
	Judge *judge; /* (nullable): on a real host there is none */
	char *state;
	Worker *workers;
	gint64 end;
} Storm;

static gboolean goes_on(const Storm *storm)
{
	return g_get_monotonic_time() < storm->end;
}

static void note(Worker *worker, const char *what, const char *text)
{
	if (worker->first[0] == '\0')
		g_snprintf(worker->first, sizeof(worker->first), "%s: %s", what, text);
}

/* ---- one guest ---- */

static void add_sample(Worker *worker, enum kind kind, gdouble seconds)
{
	if (worker->calls[kind] < SAMPLES)
		worker->seconds[kind][worker->calls[kind]] = seconds;
	worker->calls[kind]++;
	worker->slowest[kind] = MAX(worker->slowest[kind], seconds);
}

static gboolean is_refusal(const char *output)
{
	return strstr(output, "free") != NULL && strstr(output, "not done") == NULL;
}

/* Returns: whether the guest runs. */
static gboolean prepare(const Storm *storm, Worker *worker, const StageGuest *guest)
{
	g_autoptr(StageCall) call = stage_call(storm->stage, "hook prepare", guest);
	g_autofree char *output = NULL;
	gdouble seconds;
	int status = stage_run(storm->stage, call, &output, &seconds);

	add_sample(worker, PREPARE, seconds);
	if (status == 0)
		return TRUE;
	if (is_refusal(output)) {
		worker->refusals++;
	} else {
		worker->failures++;
		note(worker, guest->name, output);
	}
	return FALSE;
}

/* It always exits with 0, and says when it could not do it. */
static void release(const Storm *storm, Worker *worker, const StageGuest *guest)
{
	g_autoptr(StageCall) call = stage_call(storm->stage, "hook release", guest);
	g_autofree char *output = NULL;
	gdouble seconds;
	int status = stage_run(storm->stage, call, &output, &seconds);

	add_sample(worker, RELEASE, seconds);
	if (status == 0 && *output == '\0')
		return;
	worker->failures++;
	note(worker, guest->name, output);
}

static void kill_one(const Storm *storm, Worker *worker, const StageGuest *guest,
		     const char *words)
{
	g_autoptr(StageCall) call = stage_call(storm->stage, words, guest);

	if (stage_run_for(storm->stage, call, (gulong)g_random_int_range(1000, 60000)) ==
	    -SIGKILL)
		worker->kills++;
}

static void look(const Storm *storm, Worker *worker, const StageGuest *guest)
{
	static const char *const looks[] = {"list", "show UUID", "colors", "map"};
	const char *words = looks[g_random_int_range(0, G_N_ELEMENTS(looks))];
	g_autoptr(StageCall) call = stage_call(storm->stage, words, guest);
	g_autofree char *output = NULL;

	worker->looks++;
	if (stage_run(storm->stage, call, &output, NULL) == 0)
		return;
	worker->failures++;
	note(worker, words, output);
}

/* What it was given is exactly what it asked for, and holds nobody's bytes; then it
 * writes its own. */
static void check_guest(const Storm *storm, Worker *worker, const StageGuest *guest)
{
	g_autofree char *has = NULL;
	g_autofree char *begin = NULL;

	if (!storm->judge)
		return;
	has = judge_carvings(storm->judge, storm->state, guest->uuid);
	worker->leaks += !judge_is_zero(storm->judge, storm->state, guest->uuid);
	begin = g_strdup_printf("%s 0 %s active ", guest->name, guest->tenant);
	if (g_str_has_prefix(has, begin) &&
	    judge_fill(storm->judge, storm->state, guest->uuid, PATTERN))
		return;
	worker->breaches++;
	note(worker, "was prepared, but has", has);
}

static void round_of(const Storm *storm, Worker *worker, const StageGuest *guest)
{
	gboolean kill_first = g_random_int_range(0, KILL_EVERY) == 0;
	gboolean kill_last = g_random_int_range(0, KILL_EVERY) == 0;
	gboolean runs;

	if (kill_first)
		kill_one(storm, worker, guest, "hook prepare");
	runs = prepare(storm, worker, guest);
	if (runs)
		check_guest(storm, worker, guest);
	if (g_random_int_range(0, LOOK_EVERY) == 0)
		look(storm, worker, guest);
	if (kill_last)
		kill_one(storm, worker, guest, "bare release");
	release(storm, worker, guest);
	worker->rounds += runs;
}

static void work(const Storm *storm, guint index)
{
	Worker *worker = &storm->workers[index];
	guint tenant = index % (guint)option_tenants;
	g_autofree char *name = g_strdup_printf("guest%u", index);
	g_autofree char *tenant_name = g_strdup_printf("tenant%u", tenant);
	g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012u", index);
	const StageGuest guest = {
		.name = name,
		.uuid = uuid,
		.tenant = tenant_name,
		.cells = {(guint)option_memory},
		.nodes = {(guint)option_node},
	};

	while (goes_on(storm))
		round_of(storm, worker, &guest);
}

/* ---- those beside ---- */

static void repeat(const Storm *storm, guint index, const char *words)
{
	Worker *worker = &storm->workers[index];
	g_autoptr(StageCall) call = stage_call(storm->stage, words, NULL);

	while (goes_on(storm)) {
		g_autofree char *output = NULL;

		worker->rounds++;
		if (stage_run(storm->stage, call, &output, NULL) != 0) {
			worker->failures++;
			note(worker, words, output);
		}
		g_usleep(LOOK_PAUSE_US);
	}
}

static void recover(const Storm *storm, guint index)
{
	repeat(storm, index, "recover");
}

static void scrub(const Storm *storm, guint index)
{
	/* What it zeroes before the next guest comes would not be seen. */
	if (!option_never_zero)
		repeat(storm, index, "scrub");
}

static void check(const Storm *storm, guint index)
{
	Worker *worker = &storm->workers[index];

	while (storm->judge && goes_on(storm)) {
		g_autoptr(GPtrArray)
			breaches = judge_look(storm->judge, storm->state, FALSE);

		worker->rounds++;
		worker->breaches += breaches->len;
		if (breaches->len)
			note(worker, "checker", g_ptr_array_index(breaches, 0));
		g_usleep(LOOK_PAUSE_US);
	}
}

/* ---- all of them ---- */

static void (*const beside[])(const Storm *, guint) = {check, recover, scrub};

static guint processes(void)
{
	return (guint)option_workers + G_N_ELEMENTS(beside);
}

static void start(const Storm *storm, guint index)
{
	pid_t child = fork();

	if (child != 0)
		return;
	g_random_set_seed((guint32)getpid());
	if (index < (guint)option_workers)
		work(storm, index);
	else
		beside[index - (guint)option_workers](storm, index);
	storm->workers[index].over = TRUE;
	_exit(0);
}

static gint compare_seconds(gconstpointer a, gconstpointer b)
{
	const gdouble *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

static gdouble percentile(const GArray *sorted, guint percent)
{
	return sorted->len ? g_array_index(sorted, gdouble,
					   (sorted->len - 1) * percent / 100) *
				     1000
			   : 0;
}

static void report_waits(const Storm *storm, enum kind kind)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(gdouble));
	gdouble slowest = 0;
	guint64 calls = 0;

	for (int i = 0; i < option_workers; i++) {
		const Worker *worker = &storm->workers[i];

		g_array_append_vals(all, worker->seconds[kind],
				    (guint)MIN(worker->calls[kind], SAMPLES));
		calls += worker->calls[kind];
		slowest = MAX(slowest, worker->slowest[kind]);
	}
	g_array_sort(all, compare_seconds);
	stage_ok(calls > 0 && slowest < option_wait,
		 "no %s took longer than %d s: of %" G_GUINT64_FORMAT
		 " the median %.0f ms, 90 %% %.0f, 99 %% %.0f, the slowest %.0f",
		 kind_names[kind], option_wait, calls, percentile(all, 50),
		 percentile(all, 90), percentile(all, 99), slowest * 1000);
}

static void report_progress(const Storm *storm)
{
	guint64 least = G_MAXUINT64, most = 0, sum = 0, kills = 0, refusals = 0,
		looks = 0;

	for (int i = 0; i < option_workers; i++) {
		const Worker *worker = &storm->workers[i];

		least = MIN(least, worker->rounds);
		most = MAX(most, worker->rounds);
		sum += worker->rounds;
		kills += worker->kills;
		refusals += worker->refusals;
		looks += worker->looks;
	}
	stage_ok(least > 0,
		 "every guest got its turn: %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
		 " starts each, %.1f a second in all, %" G_GUINT64_FORMAT
		 " killed, %" G_GUINT64_FORMAT " refused, %" G_GUINT64_FORMAT " looks",
		 least, most, (gdouble)sum / option_seconds, kills, refusals, looks);
}

static void report_faults(const Storm *storm)
{
	guint64 failures = 0, breaches = 0, silent = 0, leaks = 0;

	for (guint i = 0; i < processes(); i++) {
		const Worker *worker = &storm->workers[i];

		failures += worker->failures;
		breaches += worker->breaches;
		silent += !worker->over;
		leaks += worker->leaks;
		if (worker->first[0])
			printf("# process %u: %s\n", i, worker->first);
	}
	if (option_never_zero)
		stage_ok(leaks > 0,
			 "without zeroing, guests see others' bytes: %" G_GUINT64_FORMAT
			 " times",
			 leaks);
	else if (storm->judge)
		stage_ok(leaks == 0,
			 "no guest sees another's bytes: %" G_GUINT64_FORMAT " times",
			 leaks);
	stage_ok(failures == 0,
		 "no call failed but for want of colors: %" G_GUINT64_FORMAT, failures);
	stage_ok(breaches == 0 && silent == 0,
		 "0 breaches while it stormed: %" G_GUINT64_FORMAT
		 ", in %" G_GUINT64_FORMAT " looks at everything",
		 breaches, storm->workers[option_workers].rounds);
}

/* Everyone has released, so nothing may be left. */
static void report_rest(const Storm *storm)
{
	g_autoptr(StageCall) call = stage_call(storm->stage, "recover", NULL);
	g_autoptr(StageCall) list = stage_call(storm->stage, "list", NULL);
	g_autofree char *said = NULL;
	g_autofree char *listed = NULL;
	gboolean ok = stage_run(storm->stage, call, &said, NULL) == 0 &&
		      stage_run(storm->stage, list, &listed, NULL) == 0;

	stage_ok(ok && strstr(listed, "No guest holds anything") != NULL,
		 "in the end everything is free");
	if (!storm->judge)
		return;
	g_autoptr(GPtrArray) breaches = judge_look(storm->judge, storm->state, TRUE);
	g_autofree char *instances = judge_instances(storm->judge, storm->state);

	for (guint i = 0; i < breaches->len; i++)
		printf("# %s\n", (char *)g_ptr_array_index(breaches, i));
	stage_ok(breaches->len == 0 && strcmp(instances, "dax0.0 -:\n") == 0,
		 "in the end no instance is left");
}

/* Two colors a tenant and one more; room for twice what the guests of one need. */
static char *host_text(void)
{
	guint colors = 2 * (guint)option_tenants + 1;
	guint each = (guint)(option_workers / option_tenants + 1) *
		     ((guint)option_memory / 2 + 1);

	return g_strdup_printf("[host]\ndescription=a storm\n"
			       "[cache %d]\nsize=%uMiB\n"
			       "[region 0]\nstart=0x140000000\nsize=%uMiB\nnode=%d\n",
			       option_node, 2 * colors, 2 * colors * each, option_node);
}

static void set_up(Storm *storm)
{
	g_autofree char *host = host_text();
	g_autofree char *config =
		g_strdup_printf("[daxcolor]\nwait = %d\nzero = %s\n", option_wait,
				option_never_zero ? "never" : "before-use");

	if (option_real) {
		storm->stage = stage_new_real(option_daxcolor, option_gate, option_hook);
		return;
	}
	storm->stage = stage_new(option_build, host, config);
	storm->judge = judge_new(storm->stage->host);
	storm->state = stage_state(storm->stage, "state");
}

int main(int argc, char **argv)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;
	Storm storm = {0};

	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 2;
	}
	set_up(&storm);
	storm.workers = mmap(NULL, sizeof(Worker) * processes(), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storm.workers == MAP_FAILED)
		return 99;
	storm.end = g_get_monotonic_time() + (gint64)option_seconds * G_USEC_PER_SEC;
	for (guint i = 0; i < processes(); i++)
		start(&storm, i);
	while (wait(NULL) > 0)
		;
	for (int kind = 0; kind < KINDS; kind++)
		report_waits(&storm, kind);
	report_progress(&storm);
	report_faults(&storm);
	report_rest(&storm);
	munmap(storm.workers, sizeof(Worker) * processes());
	g_clear_pointer(&storm.judge, judge_free);
	g_free(storm.state);
	stage_free(storm.stage);
	return stage_status();
}
