/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program under ptrace and stops it at its n-th system call that changes
 * what outlives it: to kill it there, or to make that call fail.
 *
 * A point is such a call: what writes, syncs, shortens, makes, renames, removes or
 * opens for writing a file, by any process or thread of the program. What goes to
 * terminals, pipes, sockets, memfds, /dev and /proc is none. Points are numbered
 * from 1 in the order in which the calls are entered.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
	TRACER_COUNT,	    /* nothing is done to it */
	TRACER_KILL_BEFORE, /* SIGKILL instead of the call */
	TRACER_KILL_AFTER,  /* SIGKILL when the call has been done */
	TRACER_FAIL_ONCE,   /* that call is not done and returns an error */
	TRACER_FAIL_ON,	    /* so are all later ones that need room, as on a full disk */
} TracerAct;

/**
 * Trace:
 * @argv, @env: NULL-terminated; argv[0] is a path
 * @input, @output: descriptors: its standard input; its standard output and error
 * @at: the point at which @act is done
 * @code: errno of TRACER_FAIL_*
 * @points: (out): points passed
 * @hit: (out): whether point @at was reached
 * @what: (out) (transfer full) (nullable): the call at point @at: "pwrite64 ledger.db"
 * @status: (out): of the program itself, as waitpid() has it
 */
typedef struct {
	const char *const *argv;
	const char *const *env;
	int input;
	int output;
	TracerAct act;
	guint at;
	int code;
	guint points;
	gboolean hit;
	char *what;
	int status;
} Trace;

/* Returns: FALSE, and says why on stderr, when ptrace does not work here. The caller
 * must have no other children: all that end meanwhile are waited for. */
gboolean tracer_run(Trace *trace);

G_END_DECLS
