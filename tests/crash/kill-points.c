// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kills a program of ours at every system call that changes what outlives it, lets
 * the next caller come, and looks at what is there: nothing leaked, nothing owned
 * twice, nothing unexplained, nobody else disturbed. README.md says how to run it.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "tests/crash/judge.h"
#include "tests/crash/stage.h"

/* The next caller must be done in this time. */
#define RECOVERY_MAX 2.0

/* Granules of 2 MiB; seven colors in four turns, five colors in four turns. */
/* What guests write. */
#define PATTERN 0xdc

static const char host_text[] = "[host]\n"
				"description=two caches\n"
				"[cache 1]\nsize=14MiB\n"
				"[cache 2]\nsize=10MiB\n"
				"[region 0]\nstart=0x140000000\nsize=56MiB\nnode=1\n"
				"[region 1]\nstart=0x180000000\nsize=40MiB\nnode=2\n";
static const char config_text[] = "[daxcolor]\nwait = 10\n";

#define UUID(n) "00000000-0000-4000-8000-00000000000" n

static const StageGuest guests[] = {
	{"anna", UUID("1"), "red", {8, 6}, {1, 2}, {"0,2", "1,3"}},
	{"bert", UUID("2"), "blue", {6}, {1}, {"1"}},
	{"cora", UUID("3"), "red", {2}, {1}, {NULL}},
	{"dora", UUID("4"), "green", {8, 4}, {1, 2}, {"4,6", "1"}},
	{"emil", UUID("5"), "blue", {4}, {1}, {NULL}},
	{"fred", UUID("6"), "gray", {6, 4}, {1, 2}, {"4,6", "1"}},
};

/* Who is there before every operation but the first ever; fred has left memory that
 * is dirty. */
static const char *const base[] = {
	"hook prepare@anna", "fill@anna",	  "hook prepare@bert",
	"fill@bert",	     "hook prepare@cora", "hook prepare@fred",
	"fill@fred",	     "hook release@fred", NULL,
};

/**
 * Operation: a row more is a test more.
 * @guest: whom it is about: afterwards it has all of its cells or none
 * @empty: on a host that never ran anything
 * @before: steps that lead to it: WORDS@GUEST as for stage_call(); "kill WORDS@GUEST"
 *   is killed halfway; "fill@GUEST" writes into its memory; "boot" is a restart of the
 *   host, "reload" gives an instance another name, "poison" breaks memory
 * @fresh: the guest never wrote anything: if it has memory, that holds zeros
 * @op: what is killed
 * @again: (nullable): is run and killed too, before the next caller
 * @stride: of points in the short form
 */
static const struct operation {
	const char *name;
	const char *guest;
	gboolean empty;
	gboolean fresh;
	const char *before[4];
	const char *op;
	const char *again;
	guint stride;
} operations[] = {
	{
		.name = "carve",
		.guest = "dora",
		.fresh = TRUE,
		.op = "hook prepare@dora",
		.stride = 1,
	},
	{
		.name = "release",
		.guest = "dora",
		.before = {"hook prepare@dora", "fill@dora"},
		.op = "hook release@dora",
		.stride = 1,
	},
	{
		.name = "carve over an earlier run",
		.guest = "dora",
		.before = {"hook prepare@dora", "fill@dora"},
		.op = "hook prepare@dora",
		.stride = 17,
	},
	{
		.name = "carve by command",
		.guest = "dora",
		.op = "carve -@dora",
		.stride = 23,
	},
	{
		.name = "release by command",
		.guest = "dora",
		.before = {"hook prepare@dora", "fill@dora"},
		.op = "release UUID@dora",
		.stride = 23,
	},
	{
		.name = "recover an interrupted carve",
		.guest = "dora",
		.before = {"kill hook prepare@dora"},
		.op = "recover@",
		.stride = 11,
	},
	{
		.name = "recover an interrupted carve, killed twice",
		.guest = "dora",
		.before = {"kill hook prepare@dora"},
		.op = "recover@",
		.again = "recover@",
		.stride = 11,
	},
	{
		.name = "recover an interrupted release",
		.guest = "dora",
		.before = {"hook prepare@dora", "fill@dora", "kill release UUID@dora"},
		.op = "recover@",
		.again = "recover@",
		.stride = 11,
	},
	{
		.name = "the first run ever",
		.guest = "dora",
		.empty = TRUE,
		.fresh = TRUE,
		.op = "hook prepare@dora",
		.stride = 17,
	},
	{
		.name = "the first run after a boot",
		.guest = "dora",
		.before = {"boot"},
		.op = "recover@",
		.stride = 11,
	},
	{
		.name = "carve after a boot",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"boot"},
		.op = "hook prepare@dora",
		.stride = 17,
	},
	{
		.name = "recover --boot",
		.guest = "dora",
		.before = {"reserve gray -n 1 -l 5@", "boot"},
		.op = "recover --boot@",
		.stride = 11,
	},
	{
		.name = "scrub",
		.guest = "dora",
		.fresh = TRUE,
		.op = "scrub@",
		.stride = 11,
	},
	{
		.name = "recover an interrupted scrub",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"kill scrub@"},
		.op = "recover@",
		.again = "scrub@",
		.stride = 11,
	},
	{
		.name = "carve after an interrupted scrub",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"kill scrub@"},
		.op = "hook prepare@dora",
		.stride = 17,
	},
	{
		.name = "carve what was scrubbed",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"scrub@"},
		.op = "hook prepare@dora",
		.stride = 17,
	},
	{
		.name = "recover after a driver was loaded again",
		.guest = "dora",
		.before = {"reload"},
		.op = "recover@",
		.stride = 5,
	},
	{
		.name = "carve on memory that fails",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"poison"},
		.op = "hook prepare@dora",
		.stride = 23,
	},
	{
		.name = "scrub memory that fails",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"poison"},
		.op = "scrub@",
		.stride = 23,
	},
	{
		.name = "reserve",
		.guest = "dora",
		.op = "reserve gray -n 1 -l 5@",
		.stride = 5,
	},
	{
		.name = "lend",
		.guest = "dora",
		.fresh = TRUE,
		.op = "lend 4-6 -n 1@",
		.stride = 11,
	},
	{
		.name = "reclaim",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"lend 4-6 -n 1@"},
		.op = "reclaim 4-6 -n 1@",
		.stride = 11,
	},
	{
		.name = "carve what is lent",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"lend 4-6 -n 1@"},
		.op = "hook prepare@dora",
		.stride = 17,
	},
	{
		.name = "recover an interrupted lending",
		.guest = "dora",
		.fresh = TRUE,
		.before = {"kill lend 4-6 -n 1@"},
		.op = "recover@",
		.again = "recover@",
		.stride = 11,
	},
};

/* Who comes next. */
static const char *const nexts[] = {
	"recover@",
	"hook prepare@emil",
	"release UUID@dora",
	"hook prepare@dora",
};

static const char *option_build = ".";
static gboolean option_all;
static gboolean option_keep;
static const char *option_only;
static int option_point;
static const char *option_side;
static const char *option_next;

static const GOptionEntry options[] = {
	{"build", 0, 0, G_OPTION_ARG_FILENAME, &option_build, "Where make ran", "DIR"},
	{"all", 0, 0, G_OPTION_ARG_NONE, &option_all,
	 "Every point, both sides, every next caller", NULL},
	{"only", 0, 0, G_OPTION_ARG_STRING, &option_only, "One operation", "NAME"},
	{"point", 0, 0, G_OPTION_ARG_INT, &option_point, "One point", "K"},
	{"side", 0, 0, G_OPTION_ARG_STRING, &option_side, "One side of it",
	 "before|after"},
	{"next", 0, 0, G_OPTION_ARG_STRING, &option_next, "One next caller", "CALL"},
	{"keep", 0, 0, G_OPTION_ARG_NONE, &option_keep,
	 "Say where the state is and leave it there", NULL},
	{NULL},
};

typedef struct {
	Stage *stage;
	Judge *judge;
	char *ready; /* states as they are before an operation, and in the middle */
	char *state;
	guint points;
	guint kills;
	guint breaches;
	gdouble slowest;
	gdouble slowest_of_all;
} Run;

static const StageGuest *find_guest(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(guests); i++) {
		if (strcmp(guests[i].name, name) == 0)
			return &guests[i];
	}
	return NULL;
}

/* "WORDS@GUEST" */
static StageCall *call_of(const Run *run, const char *text, const StageGuest **guest)
{
	g_auto(GStrv) parts = g_strsplit(text, "@", 2);
	const StageGuest *who = find_guest(parts[1]);

	if (guest)
		*guest = who;
	return stage_call(run->stage, parts[0], who);
}

/* ---- states to begin with ---- */

static void must(gboolean ok, const char *step, const char *output)
{
	if (ok)
		return;
	fprintf(stderr, "tests/crash: %s: %s\n", step, output);
	exit(99);
}

static guint count_points(Run *run, const char *text)
{
	g_autoptr(StageCall) call = call_of(run, text, NULL);
	g_autofree char *output = NULL;
	g_autoptr(Trace)
		trace = stage_trace(run->stage, call, TRACER_COUNT, 0, 0, &output);

	must(WIFEXITED(trace->status) && WEXITSTATUS(trace->status) == 0, text, output);
	return trace->points;
}

static void kill_halfway(Run *run, const char *text)
{
	g_autofree char *saved = g_strconcat(run->state, "-saved", NULL);
	g_autoptr(StageCall) call = call_of(run, text, NULL);
	g_autoptr(Trace) trace = NULL;
	guint points;

	stage_copy(run->state, saved);
	points = count_points(run, text);
	stage_copy(saved, run->state);
	stage_remove(saved);
	trace = stage_trace(run->stage, call, TRACER_KILL_BEFORE, points / 2, 0, NULL);
	must(trace->hit, text, "it ended before it was killed");
}

static void forget(const Run *run, const char *name)
{
	g_autofree char *path = g_build_filename(run->state, name, NULL);

	g_unlink(path);
}

/* The kernel has forgotten all, /run is empty, the ledger is of another boot; what was
 * in the memory may be there still. */
static void boot(const Run *run)
{
	g_autofree char *file = g_build_filename(run->state, "ledger.db", NULL);
	sqlite3 *db = NULL;
	char *why = NULL;

	forget(run, "simulated-kernel");
	forget(run, "serial");
	forget(run, "scrub");
	must(sqlite3_open(file, &db) == SQLITE_OK, "boot", "cannot open the ledger");
	sqlite3_exec(db,
		     "UPDATE boot SET id = 'earlier';"
		     "UPDATE carving SET boot_id = 'earlier'",
		     NULL, NULL, &why);
	must(!why, "boot", why);
	sqlite3_close(db);
}

/* The kernel numbers instances anew; anna's is another one then. */
static void reload(const Run *run)
{
	g_autofree char *path = g_build_filename(run->state, "simulated-kernel", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) parts = NULL;
	g_autofree char *renamed = NULL;

	must(g_file_get_contents(path, &text, NULL, NULL), "reload", path);
	parts = g_strsplit(text, "[dax0.1]", 2);
	must(parts[0] && parts[1], "reload", "there is no dax0.1");
	renamed = g_strjoinv("[dax0.9]", parts);
	must(g_file_set_contents(path, renamed, -1, NULL), "reload", path);
}

/* The first granules of colors 4 and 6, which dora will ask for. */
static void poison(const Run *run)
{
	const guint64 granule = 2 << 20;
	const guint64 start = 0x140000000;

	for (guint64 at = start; at < start + 7 * granule; at += granule) {
		guint64 color = at / granule % 7;

		if (color == 4 || color == 6)
			must(judge_poison(run->judge, run->state, at + 4096), "poison",
			     "no memory there");
	}
}

static void step(Run *run, const char *text)
{
	g_autoptr(StageCall) call = NULL;
	g_autofree char *output = NULL;
	int status;

	if (strcmp(text, "boot") == 0) {
		boot(run);
		return;
	}
	if (strcmp(text, "reload") == 0) {
		reload(run);
		return;
	}
	if (strcmp(text, "poison") == 0) {
		poison(run);
		return;
	}
	if (g_str_has_prefix(text, "fill@")) {
		const StageGuest *guest = find_guest(text + strlen("fill@"));

		must(judge_fill(run->judge, run->state, guest->uuid, PATTERN), text,
		     "it has no memory");
		return;
	}
	if (g_str_has_prefix(text, "kill ")) {
		kill_halfway(run, text + strlen("kill "));
		return;
	}
	call = call_of(run, text, NULL);
	status = stage_run(run->stage, call, &output, NULL);
	must(status == 0, text, output);
}

static void prepare(Run *run, const struct operation *op)
{
	stage_remove(run->state);
	for (guint i = 0; !op->empty && base[i]; i++)
		step(run, base[i]);
	for (guint i = 0; op->before[i]; i++)
		step(run, op->before[i]);
	stage_copy(run->state, run->ready);
}

/* ---- one point ---- */

/**
 * Point:
 * @k: number of the call, from 1
 * @others: what all other guests must have in the end, by index in guests[]
 */
typedef struct {
	const struct operation *op;
	guint k;
	gboolean after;
	const char *next;
	const char *what;
	char *const *others;
	guint breaches;
} Point;

static void complain(Run *run, Point *point, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void complain(Run *run, Point *point, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	run->breaches++;
	/* All of them would be read by nobody. */
	if (point->breaches++ > 0 || run->breaches > 20)
		return;
	printf("# --only '%s' --point %u --side %s --next '%s' (%s): %s\n",
	       point->op->name, point->k, point->after ? "after" : "before", point->next,
	       point->what ? point->what : "?", text);
}

static guint lines(const char *text)
{
	guint n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static guint cells_of(const StageGuest *guest)
{
	guint n = 0;

	while (guest->cells[n])
		n++;
	return n;
}

/* All its cells, or none; and what the next caller was asked for. */
static void check_guest(Run *run, Point *point, const StageGuest *guest)
{
	g_autofree char *has = judge_carvings(run->judge, run->state, guest->uuid);
	g_autofree char *prepare = g_strconcat("hook prepare@", guest->name, NULL);
	g_autofree char *release = g_strconcat("release UUID@", guest->name, NULL);
	guint n = lines(has);

	if (n != 0 && n != cells_of(guest))
		complain(run, point, "guest %s has %u of %u cells", guest->name, n,
			 cells_of(guest));
	else if (n == 0 && strcmp(point->next, prepare) == 0)
		complain(run, point, "guest %s was prepared and has nothing",
			 guest->name);
	else if (n != 0 && strcmp(point->next, release) == 0)
		complain(run, point, "guest %s was released and has memory", guest->name);
	if ((point->op->fresh || strcmp(point->next, prepare) == 0) &&
	    !judge_is_zero(run->judge, run->state, guest->uuid))
		complain(run, point, "guest %s can read what another wrote", guest->name);
}

static void check(Run *run, Point *point, const StageGuest *caller)
{
	g_autoptr(GPtrArray) breaches = judge_look(run->judge, run->state, TRUE);

	for (guint i = 0; i < breaches->len; i++)
		complain(run, point, "%s", (char *)g_ptr_array_index(breaches, i));
	for (guint i = 0; i < G_N_ELEMENTS(guests); i++) {
		g_autofree char *has = NULL;

		if (strcmp(guests[i].name, point->op->guest) == 0 ||
		    &guests[i] == caller) {
			check_guest(run, point, &guests[i]);
			continue;
		}
		has = judge_carvings(run->judge, run->state, guests[i].uuid);
		if (strcmp(has, point->others[i]) != 0)
			complain(run, point, "guest %s had\n%sand has\n%s",
				 guests[i].name, point->others[i], has);
	}
}

static void kill_again(Run *run, const Point *point)
{
	g_autoptr(StageCall) call = call_of(run, point->op->again, NULL);
	g_autoptr(Trace) trace = stage_trace(run->stage, call, TRACER_KILL_BEFORE,
					     1 + (point->k * 7) % run->points, 0, NULL);

	run->kills += trace->hit;
}

static void kill_at(Run *run, Point *point)
{
	TracerAct act = point->after ? TRACER_KILL_AFTER : TRACER_KILL_BEFORE;
	g_autoptr(StageCall) call = call_of(run, point->op->op, NULL);
	g_autoptr(StageCall) next = NULL;
	g_autoptr(Trace) trace = NULL;
	g_autofree char *output = NULL;
	const StageGuest *caller;
	gdouble seconds;
	int status;

	stage_copy(run->ready, run->state);
	trace = stage_trace(run->stage, call, act, point->k, 0, NULL);
	point->what = trace->what;
	if (!trace->hit)
		complain(run, point, "the point was not reached");
	run->kills += trace->hit;
	if (point->op->again)
		kill_again(run, point);
	next = call_of(run, point->next, &caller);
	status = stage_run(run->stage, next, &output, &seconds);
	if (status != 0)
		complain(run, point, "the next caller failed (%d): %s", status, output);
	run->slowest = MAX(run->slowest, seconds);
	check(run, point, caller);
}

/* ---- one operation ---- */

/* What is there when nothing goes wrong, by guest. */
static void look_undisturbed(Run *run, const struct operation *op, char **others)
{
	stage_copy(run->ready, run->state);
	run->points = count_points(run, op->op);
	step(run, "recover@");
	for (guint i = 0; i < G_N_ELEMENTS(guests); i++)
		others[i] = judge_carvings(run->judge, run->state, guests[i].uuid);
}

static gboolean is_wanted(const Point *point, guint stride)
{
	if (option_point && (guint)option_point != point->k)
		return FALSE;
	if (option_side && (strcmp(option_side, "after") == 0) != point->after)
		return FALSE;
	return option_point || point->k % stride == (point->after ? stride / 2 : 0);
}

/* In the short form each side of each point has one of the callers, in turn; two
 * sides of the same moment have different ones. */
static void kill_side(Run *run, Point *point)
{
	guint turn = point->k + (point->after ? 2 : 0);

	for (guint i = 0; i < G_N_ELEMENTS(nexts); i++) {
		gboolean mine = option_next
					? strcmp(option_next, nexts[i]) == 0
					: option_all || turn % G_N_ELEMENTS(nexts) == i;

		if (!mine)
			continue;
		point->next = nexts[i];
		point->breaches = 0;
		kill_at(run, point);
	}
}

static void run_operation(Run *run, const struct operation *op)
{
	char *others[G_N_ELEMENTS(guests)] = {NULL};
	Point point = {.op = op, .others = others};

	run->kills = 0;
	run->breaches = 0;
	run->slowest = 0;
	prepare(run, op);
	look_undisturbed(run, op, others);
	for (point.k = 1; point.k <= run->points; point.k++) {
		for (int after = 0; after < 2; after++) {
			point.after = after;
			if (is_wanted(&point, option_all ? 1 : op->stride))
				kill_side(run, &point);
		}
	}
	for (guint i = 0; i < G_N_ELEMENTS(guests); i++)
		g_free(others[i]);
	stage_ok(run->breaches == 0 && run->kills > 0,
		 "%s: %u breaches after %u kills at %u calls; the next caller took at "
		 "most %.0f ms",
		 op->name, run->breaches, run->kills, run->points, run->slowest * 1000);
	run->slowest_of_all = MAX(run->slowest_of_all, run->slowest);
}

static void run_all(Run *run)
{
	guint kills = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
		if (option_only && strcmp(option_only, operations[i].name) != 0)
			continue;
		run_operation(run, &operations[i]);
		kills += run->kills;
	}
	stage_ok(kills > 0, "kill points: %u killed", kills);
	stage_ok(run->slowest_of_all < RECOVERY_MAX,
		 "recovery takes less than %.0f s: %.0f ms at most", RECOVERY_MAX,
		 run->slowest_of_all * 1000);
}

int main(int argc, char **argv)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(Judge) judge = NULL;
	g_autoptr(GError) error = NULL;
	Run run = {0};

	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 2;
	}
	run.stage = stage_new(option_build, host_text, config_text);
	judge = judge_new(run.stage->host);
	run.judge = judge;
	run.state = stage_state(run.stage, "state");
	run.ready = g_build_filename(run.stage->dir, "ready", NULL);
	run_all(&run);
	if (option_keep)
		printf("# state: %s; before: %s\n", run.state, run.ready);
	else
		stage_free(run.stage);
	g_free(run.state);
	g_free(run.ready);
	return stage_status();
}
