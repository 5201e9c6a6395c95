// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes every step that can fail do so, one at a time, and all from one on: steps of
 * the kernel, calls of SQLite's, system calls, allocations; a full and a read-only file
 * system; a clock that goes back. Each time there must be an error that says
 * something, the state before, or one that the next caller repairs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <daxcolor/daxcolor.h>

#include "provision/provision.h"
#include "tests/crash/fault-vfs.h"
#include "tests/crash/judge.h"
#include "tests/crash/stage.h"

#define MESSAGE 1000

static const char host_text[] = "[host]\n"
				"description=two caches\n"
				"[cache 1]\nsize=14MiB\n"
				"[cache 2]\nsize=10MiB\n"
				"[region 0]\nstart=0x140000000\nsize=56MiB\nnode=1\n"
				"[region 1]\nstart=0x180000000\nsize=40MiB\nnode=2\n";
static const char config_text[] = "[daxcolor]\nwait = 1\n";

static const StageGuest anna = {
	"anna",		"00000000-0000-4000-8000-000000000001", "red", {8, 6}, {1, 2},
	{"0,2", "1,3"},
};
static const StageGuest dora = {
	"dora",	      "00000000-0000-4000-8000-000000000004", "green", {8, 4}, {1, 2},
	{"4,6", "1"},
};

static const StageGuest fred = {
	"fred",	      "00000000-0000-4000-8000-000000000006", "gray", {6, 4}, {1, 2},
	{"4,6", "1"},
};
#define PATTERN 0xdc

static gboolean do_carve(DaxcHost *host, GError **error)
{
	g_autofree char *xml = stage_xml(&dora);
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(GPtrArray) carvings = NULL;

	if (!daxc_domain_read(xml, -1, &request, error))
		return FALSE;
	carvings = daxc_host_carve(host, request, error);
	return carvings != NULL;
}

static gboolean do_release(DaxcHost *host, GError **error)
{
	return daxc_host_release(host, dora.uuid, error);
}

static gboolean do_recover(DaxcHost *host, GError **error)
{
	return daxc_host_recover(host, FALSE, NULL, error);
}

static gboolean do_scrub(DaxcHost *host, GError **error)
{
	DaxcScrub scrub = {0};

	return daxc_host_scrub(host, &scrub, error);
}

static gboolean do_reserve(DaxcHost *host, GError **error)
{
	return daxc_host_reserve(host, "gray", 1, 1, NULL, error);
}

/**
 * Operation: a row more is a test more.
 * @prepare: (nullable): words that lead to it, for dora
 * @interrupt: those are killed halfway
 * @run: the operation, in a process of its own
 * @words: the same as a program
 * @forward: it is not taken back but finished later, by whoever comes next, or asked
 *   for again
 * @reports: it succeeds also when something stays, and says so
 * @stride: of faults in the short form
 */
static const struct operation {
	const char *name;
	const char *prepare;
	gboolean interrupt;
	gboolean (*run)(DaxcHost *host, GError **error);
	const char *words;
	gboolean forward;
	gboolean reports;
	guint stride;
} operations[] = {
	{"carve", NULL, FALSE, do_carve, "hook prepare", FALSE, FALSE, 1},
	{"scrub", NULL, FALSE, do_scrub, "scrub", TRUE, FALSE, 9},
	{"reserve", NULL, FALSE, do_reserve, "reserve gray -n 1 -c 1", TRUE, FALSE, 3},
	{"release", "hook prepare", FALSE, do_release, "hook release", TRUE, FALSE, 1},
	{"recover", "hook prepare", TRUE, do_recover, "recover", TRUE, TRUE, 1},
};

static const char *option_build = ".";
static gboolean option_all;
static const char *option_only;

static const GOptionEntry options[] = {
	{"build", 0, 0, G_OPTION_ARG_FILENAME, &option_build, "Where make ran", "DIR"},
	{"all", 0, 0, G_OPTION_ARG_NONE, &option_all, "Every step of everything", NULL},
	{"only", 0, 0, G_OPTION_ARG_STRING, &option_only, "Operations of this name",
	 "NAME"},
	{NULL},
};

/**
 * Outcome: what an operation with a fault in it said; in memory that is shared.
 * @ended: it was there to say it
 * @warning: what GLib said of the code, a GError set twice and the like
 */
typedef struct {
	gboolean ended;
	gboolean fired;
	gboolean ok;
	char message[MESSAGE];
	char warning[MESSAGE];
} Outcome;

/**
 * Run:
 * @ready: the state before the operation, as a directory
 * @state: the one in use
 * @before, @done: in words: before it, and after it went well
 * @steps: of the kernel that it takes
 */
typedef struct {
	Stage *stage;
	Judge *judge;
	const struct operation *op;
	char *ready;
	char *state;
	char *before;
	char *done;
	guint steps;
	Outcome *outcome;
	/* of one kind of fault */
	guint faults;
	guint wrong;
	guint same;
	guint finished;
	guint repaired;
} Run;

/* ---- states ---- */

static char *describe(const Run *run)
{
	g_autofree char *carvings = judge_carvings(run->judge, run->state, NULL);
	g_autofree char *instances = judge_instances(run->judge, run->state);

	return g_strconcat(carvings, instances, NULL);
}

static void call(const Run *run, const char *words, const StageGuest *guest)
{
	g_autoptr(StageCall) program = stage_call(run->stage, words, guest);
	g_autofree char *output = NULL;

	if (stage_run(run->stage, program, &output, NULL) == 0)
		return;
	fprintf(stderr, "tests/crash: %s: %s\n", words, output);
	exit(99);
}

static void kill_halfway(const Run *run, const char *words)
{
	g_autoptr(StageCall) program = stage_call(run->stage, words, &dora);
	g_autofree char *saved = g_strconcat(run->state, "-saved", NULL);
	g_autoptr(Trace) counted = NULL;
	g_autoptr(Trace) killed = NULL;

	stage_copy(run->state, saved);
	counted = stage_trace(run->stage, program, TRACER_COUNT, 0, 0, NULL);
	stage_copy(saved, run->state);
	stage_remove(saved);
	killed = stage_trace(run->stage, program, TRACER_KILL_BEFORE, counted->points / 2,
			     0, NULL);
}

static void set_up(Run *run, const struct operation *op)
{
	run->op = op;
	stage_remove(run->state);
	call(run, "hook prepare", &anna);
	/* Somebody was there before, on dora's colors. */
	call(run, "hook prepare", &fred);
	judge_fill(run->judge, run->state, fred.uuid, PATTERN);
	call(run, "hook release", &fred);
	if (op->prepare && op->interrupt)
		kill_halfway(run, op->prepare);
	else if (op->prepare)
		call(run, op->prepare, &dora);
	stage_copy(run->state, run->ready);
	run->before = describe(run);
	call(run, op->words, &dora);
	run->done = describe(run);
}

static void tear_down(Run *run)
{
	g_clear_pointer(&run->before, g_free);
	g_clear_pointer(&run->done, g_free);
}

/* ---- judging ---- */

static void wrong(Run *run, const char *fault, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
static void wrong(Run *run, const char *fault, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	if (run->wrong++ < 5)
		printf("# %s, %s: %s\n", run->op->name, fault, text);
}

/* For someone at 3 a.m.: of what it speaks. */
static gboolean names_a_thing(const char *message)
{
	static const char *const things[] = {"ledger", "dax", "region",
					     "simulated kernel", "state directory"};

	for (gsize i = 0; i < G_N_ELEMENTS(things); i++) {
		if (strstr(message, things[i]))
			return TRUE;
	}
	return FALSE;
}

static DaxcHost *open_host(const Run *run, GError **error)
{
	const DaxcHostOptions host_options = {
		.config = run->stage->config,
		.simulate = run->stage->host,
		.state_dir = run->state,
	};

	return daxc_host_open(&host_options, error);
}

typedef gboolean Next(DaxcHost *host, GError **error);

/* The next caller, without faults; a process of its own, as always. */
static void run_next(Run *run, const char *fault, Next *next)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		g_autoptr(GError) error = NULL;
		g_autoptr(DaxcHost) host = open_host(run, &error);
		gboolean ok = host && next(host, &error);

		if (!ok)
			wrong(run, fault, "the next caller failed: %s", error->message);
		fflush(stdout);
		_exit(!ok);
	}
	waitpid(child, &status, 0);
	run->wrong += status != 0;
}

static void repair(Run *run, const char *fault, Next *next)
{
	g_autofree char *others = NULL;
	g_autofree char *now = NULL;
	g_autoptr(GPtrArray) breaches = NULL;

	fflush(stdout);
	run_next(run, fault, next);
	breaches = judge_look(run->judge, run->state, TRUE);
	for (guint i = 0; i < breaches->len; i++)
		wrong(run, fault, "after the next caller: %s",
		      (char *)g_ptr_array_index(breaches, i));
	others = judge_carvings(run->judge, run->state, anna.uuid);
	if (!strstr(run->before, others) || !*others)
		wrong(run, fault, "another guest has now: %s", others);
	now = judge_carvings(run->judge, run->state, dora.uuid);
	if (*now && !strstr(run->done, now) && !strstr(run->before, now))
		wrong(run, fault, "after the next caller the guest has: %s", now);
	if (!judge_is_zero(run->judge, run->state, dora.uuid))
		wrong(run, fault, "the guest can read what another wrote");
}

/**
 * assess:
 * @strict: one fault only, so undoing was possible
 */
static void assess(Run *run, const char *fault, gboolean strict)
{
	const Outcome *outcome = run->outcome;
	g_autofree char *now = describe(run);
	gboolean done = strcmp(now, run->done) == 0;
	/* All was done, and the caller knows it only as failed: so it is told to libvirt,
	 * and libvirt releases. */
	gboolean same = strcmp(now, run->before) == 0;
	gboolean denied = done && !same && !outcome->ok && !run->op->forward;

	run->faults++;
	if (!outcome->ended)
		wrong(run, fault, "the process crashed");
	else if (!outcome->ok && !names_a_thing(outcome->message))
		wrong(run, fault, "the error names nothing: \"%s\"", outcome->message);
	if (outcome->warning[0])
		wrong(run, fault, "%s", outcome->warning);
	if (denied && strict)
		wrong(run, fault, "all was done, and it reports \"%s\"",
		      outcome->message);
	else if (same && (done || !outcome->ok))
		run->same++;
	else if (done)
		run->finished++;
	else if (outcome->ok && !run->op->reports)
		wrong(run, fault, "it reports success, and there is:\n%s", now);
	else if (strict && !run->op->forward)
		wrong(run, fault, "not the state before after \"%s\":\n%s",
		      outcome->message, now);
	else
		run->repaired++;
	repair(run, fault, denied ? do_release : do_recover);
}

static void report(Run *run, const char *what)
{
	stage_ok(run->wrong == 0,
		 "%s, %s: %u faults; %u times the state before, %u done, %u finished or "
		 "undone by the next caller",
		 run->op->name, what, run->faults, run->same, run->finished,
		 run->repaired);
	run->faults = run->wrong = run->same = run->finished = run->repaired = 0;
}

/* ---- faults in the library's own process ---- */

/**
 * Fault:
 * @second: (SIM only): steps between the first fault and another; 0: none
 * @stride: of @after, for what is called very often
 */
typedef struct {
	const char *name;
	enum {
		SIM,
		VFS
	} where;
	FaultVfsCall call;
	int code;
	gboolean forever;
	guint second;
	guint stride;
} Fault;

static const Fault faults[] = {
	{"EIO of a kernel step", SIM, 0, EIO, FALSE, 0, 1},
	{"ENOSPC of a kernel step", SIM, 0, ENOSPC, FALSE, 0, 1},
	{"ENOMEM of a kernel step", SIM, 0, ENOMEM, FALSE, 0, 1},
	{"EBUSY of a kernel step", SIM, 0, EBUSY, FALSE, 0, 1},
	{"silence of a kernel step", SIM, 0, 0, FALSE, 0, 1},
	{"EIO of two kernel steps in a row", SIM, 0, EIO, FALSE, 1, 1},
	{"EIO of a kernel step and of the next but one", SIM, 0, EIO, FALSE, 2, 1},
	{"EIO of a kernel step and of the third after it", SIM, 0, EIO, FALSE, 3, 1},
	{"ledger: disk full", VFS, FAULT_WRITE, SQLITE_FULL, FALSE, 0, 1},
	{"ledger: disk full from then on", VFS, FAULT_WRITE, SQLITE_FULL, TRUE, 0, 1},
	{"ledger: write error", VFS, FAULT_WRITE, SQLITE_IOERR_WRITE, FALSE, 0, 1},
	{"ledger: write errors from then on", VFS, FAULT_WRITE, SQLITE_IOERR_WRITE, TRUE,
	 0, 1},
	{"ledger: sync error", VFS, FAULT_SYNC, SQLITE_IOERR_FSYNC, FALSE, 0, 1},
	{"ledger: sync errors from then on", VFS, FAULT_SYNC, SQLITE_IOERR_FSYNC, TRUE, 0,
	 1},
	{"ledger: truncate error", VFS, FAULT_TRUNCATE, SQLITE_IOERR_TRUNCATE, FALSE, 0,
	 1},
	{"ledger: truncate errors from then on", VFS, FAULT_TRUNCATE,
	 SQLITE_IOERR_TRUNCATE, TRUE, 0, 1},
	{"ledger: read error", VFS, FAULT_READ, SQLITE_IOERR_READ, FALSE, 0, 1},
	{"ledger: read errors from then on", VFS, FAULT_READ, SQLITE_IOERR_READ, TRUE, 0,
	 1},
	{"ledger: no size", VFS, FAULT_SIZE, SQLITE_IOERR_FSTAT, FALSE, 0, 1},
	{"ledger: cannot be opened", VFS, FAULT_OPEN, SQLITE_CANTOPEN, FALSE, 0, 1},
	{"ledger: no access", VFS, FAULT_ACCESS, SQLITE_IOERR_ACCESS, FALSE, 0, 1},
	{"ledger: cannot be deleted", VFS, FAULT_DELETE, SQLITE_IOERR_DELETE, FALSE, 0,
	 1},
	{"ledger: lock error", VFS, FAULT_LOCK, SQLITE_IOERR_LOCK, FALSE, 0, 1},
	{"ledger: busy once", VFS, FAULT_LOCK, SQLITE_BUSY, FALSE, 0, 1},
	{"ledger: busy from then on", VFS, FAULT_LOCK, SQLITE_BUSY, TRUE, 0, 9},
	{"ledger: no memory for a read", VFS, FAULT_READ, SQLITE_IOERR_NOMEM, FALSE, 0,
	 1},
	{"ledger: no memory", VFS, FAULT_MEMORY, SQLITE_NOMEM, FALSE, 0, 41},
	{"ledger: no memory from then on", VFS, FAULT_MEMORY, SQLITE_NOMEM, TRUE, 0, 97},
};

static void run_faulty(const Run *run, const Fault *fault, guint after)
{
	Outcome *outcome = run->outcome;
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcHost) host = NULL;

	if (fault->where == VFS)
		fault_vfs_install(fault->call, after, fault->code, fault->forever);
	host = open_host(run, &error);
	if (host && fault->where == SIM) {
		daxc_kernel_sim_fail(host->kernel, after, fault->code);
		if (fault->second)
			daxc_kernel_sim_fail(host->kernel, after + fault->second,
					     fault->code);
	}
	outcome->ok = host && run->op->run(host, &error);
	outcome->fired = fault->where == VFS ? fault_vfs_fired() : after < run->steps;
	if (error)
		g_strlcpy(outcome->message, error->message, MESSAGE);
	outcome->ended = TRUE;
}

static void in_process(Run *run, const Fault *fault, guint after)
{
	pid_t child;

	stage_copy(run->ready, run->state);
	memset(run->outcome, 0, sizeof(*run->outcome));
	child = fork();
	if (child == 0) {
		run_faulty(run, fault, after);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* One fault of this kind after the other, until it comes too late. */
static void run_fault(Run *run, const Fault *fault)
{
	guint stride = option_all ? 1 : fault->stride * run->op->stride;

	for (guint after = 0;; after += stride) {
		g_autofree char *name =
			g_strdup_printf("%s, after %u", fault->name, after);

		in_process(run, fault, after);
		if (run->outcome->ended && !run->outcome->fired)
			break;
		assess(run, name, !fault->forever && !fault->second);
	}
	report(run, fault->name);
}

/* The simulated kernel can tell only by dying how many steps there are. */
static void count_steps(Run *run)
{
	static const Fault death = {.name = "death", .where = SIM, .code = DAXC_SIM_DIE};

	run->steps = G_MAXUINT;
	for (guint after = 0;; after++) {
		in_process(run, &death, after);
		if (run->outcome->ended) {
			run->steps = after;
			return;
		}
	}
}

/* ---- system calls of real programs that fail ---- */

static void fail_call(Run *run, TracerAct act, guint at, int code)
{
	g_autoptr(StageCall) program = stage_call(run->stage, run->op->words, &dora);
	Outcome *outcome = run->outcome;
	g_autofree char *output = NULL;
	g_autofree char *name = NULL;
	g_autoptr(Trace) trace = NULL;

	stage_copy(run->ready, run->state);
	trace = stage_trace(run->stage, program, act, at, code, &output);
	name = g_strdup_printf("%s %s at call %u (%s)", g_strerror(code),
			       act == TRACER_FAIL_ON ? "from then on" : "once", at,
			       trace->what ? trace->what : "not reached");
	memset(outcome, 0, sizeof(*outcome));
	outcome->ended = WIFEXITED(trace->status);
	/* The hook's release exits with 0 always. */
	outcome->ok = outcome->ended && WEXITSTATUS(trace->status) == 0 &&
		      !strstr(output, "daxcolor: ");
	g_strlcpy(outcome->message, output, MESSAGE);
	assess(run, name, act == TRACER_FAIL_ONCE);
}

static void run_calls(Run *run, TracerAct act, int code, const char *what)
{
	g_autoptr(StageCall) program = stage_call(run->stage, run->op->words, &dora);
	g_autoptr(Trace) counted = NULL;
	guint stride = option_all ? 1 : 5 * run->op->stride;

	stage_copy(run->ready, run->state);
	counted = stage_trace(run->stage, program, TRACER_COUNT, 0, 0, NULL);
	for (guint at = 1; at <= counted->points; at += stride)
		fail_call(run, act, at, code);
	report(run, what);
}

/* ---- file systems ---- */

/* As a program, with whatever is wrong around it. */
static void run_program(Run *run)
{
	g_autoptr(StageCall) program = stage_call(run->stage, run->op->words, &dora);
	g_autofree char *output = NULL;
	Outcome *outcome = run->outcome;
	int status = stage_run(run->stage, program, &output, NULL);

	memset(outcome, 0, sizeof(*outcome));
	outcome->ended = status >= 0;
	outcome->ok = status == 0 && !strstr(output, "daxcolor: ");
	g_strlcpy(outcome->message, output, MESSAGE);
}

static gboolean enter_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

#define DISK_KIB 256

static gboolean mount_disk(const Run *run)
{
	g_autofree char *size = g_strdup_printf("size=%dk,mode=700", DISK_KIB);

	g_mkdir_with_parents(run->state, 0700);
	return mount("none", run->state, "tmpfs", 0, size) == 0;
}

/* Fills the disk but for @left bytes. Returns: (transfer full): the file's name. */
static char *fill_disk(const Run *run, gsize left)
{
	char *name = g_build_filename(run->state, "filler", NULL);
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char page[4096] = {0};

	while (write(fd, page, sizeof(page)) == sizeof(page))
		;
	if (ftruncate(fd, MAX(lseek(fd, 0, SEEK_END) - (off_t)left, 0)) != 0)
		exit(99);
	close(fd);
	return name;
}

/* A directory of its own, then the mount, for a mount hides what is there. */
static void copy_onto(const char *from, const char *to)
{
	g_autofree char *command = g_strdup_printf("cp -a '%s'/. '%s'", from, to);

	if (system(command) != 0)
		exit(99);
}

static void run_full_disk(Run *run)
{
	for (gsize left = 0; left <= 120 << 10; left += 4096) {
		g_autofree char *name =
			g_strdup_printf("a disk with %zu KiB left", left >> 10);
		g_autofree char *filler = NULL;

		stage_remove(run->state);
		if (!mount_disk(run))
			exit(98);
		copy_onto(run->ready, run->state);
		filler = fill_disk(run, left);
		run_program(run);
		unlink(filler);
		assess(run, name, FALSE);
		umount(run->state);
	}
	report(run, "a disk that is full");
}

static void run_read_only(Run *run)
{
	static const char name[] = "a read-only state directory";
	Outcome *outcome = run->outcome;

	stage_copy(run->ready, run->state);
	if (mount(run->state, run->state, NULL, MS_BIND, NULL) != 0 ||
	    mount("none", run->state, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
		exit(98);
	run_program(run);
	if (outcome->ok)
		wrong(run, name, "it reports success");
	umount(run->state);
	assess(run, name, TRUE);
	if (run->same != 1)
		wrong(run, name, "something was changed");
	report(run, name);
}

#define NOBODY 65534

static void run_as_nobody(Run *run)
{
	static const char name[] = "a state directory that we may not write";
	pid_t child;
	int status;

	stage_copy(run->ready, run->state);
	chmod(run->stage->dir, 0777);
	chmod(run->state, 0755);
	child = fork();
	if (child == 0) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(98);
		run_program(run);
		_exit(0);
	}
	waitpid(child, &status, 0);
	chmod(run->stage->dir, 0700);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		wrong(run, name, "the test broke");
	if (run->outcome->ok)
		wrong(run, name, "it reports success");
	assess(run, name, TRUE);
	if (run->same != 1)
		wrong(run, name, "something was changed");
	report(run, name);
}

/* Mounts are seen by a process of our own only, and gone with it. */
static void apart(Run *run, void (*test)(Run *), const char *what)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (!enter_mounts())
			_exit(98);
		test(run);
		_exit(stage_status());
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 98)
		printf("skipped - %s, %s: needs root that may mount\n", run->op->name,
		       what);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) > EXIT_FAILURE)
		stage_ok(FALSE, "%s, %s: the test broke", run->op->name, what);
	else if (WEXITSTATUS(status) == EXIT_FAILURE)
		stage_fail();
}

/* ---- the clock ---- */

/* Nothing is decided by the wall clock: one that goes back changes nothing. */
static void run_clock(Run *run)
{
	static const char name[] = "a clock that goes back";
	g_autofree char *library = g_build_filename(option_build, "tests", "crash",
						    ".libs", "clock-back.so", NULL);
	g_autofree char *path = g_canonicalize_filename(library, NULL);
	GStrv env = g_strdupv(run->stage->env);

	run->stage->env = g_environ_setenv(run->stage->env, "LD_PRELOAD", path, TRUE);
	stage_copy(run->ready, run->state);
	run_program(run);
	g_strfreev(run->stage->env);
	run->stage->env = env;
	if (!run->outcome->ok)
		wrong(run, name, "it failed: %s", run->outcome->message);
	assess(run, name, TRUE);
	if (run->finished + run->same != 1)
		wrong(run, name, "it ended otherwise");
	report(run, name);
}

static void run_operation(Run *run, const struct operation *op)
{
	set_up(run, op);
	count_steps(run);
	for (gsize i = 0; i < G_N_ELEMENTS(faults); i++)
		run_fault(run, &faults[i]);
	run_calls(run, TRACER_FAIL_ONCE, EIO, "EIO of a system call");
	run_calls(run, TRACER_FAIL_ONCE, ENOSPC, "ENOSPC of a system call");
	run_calls(run, TRACER_FAIL_ON, ENOSPC, "ENOSPC of all system calls from then on");
	run_calls(run, TRACER_FAIL_ON, EIO, "EIO of all system calls from then on");
	apart(run, run_full_disk, "a disk that is full");
	apart(run, run_read_only, "a read-only state directory");
	if (geteuid() == 0)
		run_as_nobody(run);
	run_clock(run);
	tear_down(run);
}

/* What the library says of its work is not of interest here; what GLib says of the
 * library is. */
static GLogWriterOutput hear(GLogLevelFlags level, const GLogField *fields, gsize n,
			     gpointer data)
{
	Outcome *outcome = data;
	const char *domain = "";
	const char *message = "";

	for (gsize i = 0; i < n; i++) {
		if (strcmp(fields[i].key, "GLIB_DOMAIN") == 0)
			domain = fields[i].value;
		else if (strcmp(fields[i].key, "MESSAGE") == 0)
			message = fields[i].value;
	}
	if ((level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL)) &&
	    strcmp(domain, "daxcolor") != 0)
		g_strlcpy(outcome->warning, message, MESSAGE);
	return G_LOG_WRITER_HANDLED;
}

int main(int argc, char **argv)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Judge) judge = NULL;
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
	run.outcome = mmap(NULL, sizeof(Outcome), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.outcome == MAP_FAILED)
		return 99;
	g_log_set_writer_func(hear, run.outcome, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
		if (!option_only || strcmp(option_only, operations[i].name) == 0)
			run_operation(&run, &operations[i]);
	}
	munmap(run.outcome, sizeof(Outcome));
	stage_free(run.stage);
	g_free(run.state);
	g_free(run.ready);
	return stage_status();
}
