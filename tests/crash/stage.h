/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the harnesses play: the programs of a build, a simulated host of small
 * granules, guests, and state directories that are made, copied and looked at.
 */
#pragma once

#include <glib.h>

#include "tests/crash/tracer.h"

G_BEGIN_DECLS

/**
 * StageGuest: a domain; its XML is made from this.
 * @cells: sizes in MiB, 0 ends; of cell i, from the memory of node @nodes[i]
 * @colors: (nullable): "N" colors, or a list "a,b"; of cell i
 */
typedef struct {
	const char *name;
	const char *uuid;
	const char *tenant;
	guint cells[3];
	guint nodes[3];
	const char *colors[3];
} StageGuest;

/**
 * Stage:
 * @dir: ours alone, removed at the end
 * @env: environment of the programs
 * @daxcolor, @gate, @hook: paths of programs; the hook is what the gate executes
 * @host, @config: (nullable): files: host description, configuration; NULL on a real host
 */
typedef struct {
	char *dir;
	char *daxcolor;
	char *gate;
	char *hook;
	char *host;
	char *config;
	GStrv env;
} Stage;

/* Makes a stage with the programs of @build and the host described by @host_text; exits
 * when that is not possible. */
Stage *stage_new(const char *build, const char *host_text, const char *config_text);
/* A stage on the host that we run on, with what is installed there. */
Stage *stage_new_real(const char *daxcolor, const char *gate, const char *hook);
void stage_free(Stage *stage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stage, stage_free)

/* Returns: (transfer full): DIR/NAME, a state directory; the programs use it from now
 * on. It is not made. */
char *stage_state(Stage *stage, const char *name);

/* Makes @to a copy of @from, which is removed before; plain files only. */
void stage_copy(const char *from, const char *to);
void stage_remove(const char *dir);

/* Returns: (transfer full): domain XML as libvirt gives it to a hook. */
char *stage_xml(const StageGuest *guest);

/**
 * StageCall: a program, ready to run.
 * @words: "carve", "release NAME", "recover", ...; "prepare" and "release" of a guest
 *   go through libvirt's hook
 */
typedef struct {
	GStrv argv;
	char *input;
} StageCall;

/* Returns: (transfer full): `daxcolor` with @words as arguments, "@" standing for a
 * domain on standard input; or, for "hook OPERATION", libvirt's hook, and for "bare
 * OPERATION" what its gate executes. @guest is the
 * domain that is meant (nullable for commands that need none). */
StageCall *stage_call(const Stage *stage, const char *words, const StageGuest *guest);
void stage_call_free(StageCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StageCall, stage_call_free)

/**
 * stage_run:
 * @output: (out) (optional) (transfer full): what it said
 * @seconds: (out) (optional): how long it took
 *
 * Returns: its exit status, or minus the signal that ended it.
 */
int stage_run(const Stage *stage, const StageCall *call, char **output, gdouble *seconds);

/* The same, but kills it after @us microseconds if it is not done by then. */
int stage_run_for(const Stage *stage, const StageCall *call, gulong us);

/**
 * stage_trace:
 * @act, @at, @code: see tracer.h
 *
 * The same under ptrace. Returns: (transfer full): what became of it.
 */
Trace *stage_trace(const Stage *stage, const StageCall *call, TracerAct act, guint at,
		   int code, char **output);
void stage_trace_free(Trace *trace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Trace, stage_trace_free)

/* "ok - WHAT", "not ok - WHAT". */
void stage_ok(gboolean ok, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Another process has said "not ok". */
void stage_fail(void);
/* Returns: the exit status of a program that printed these lines. */
int stage_status(void);

G_END_DECLS
