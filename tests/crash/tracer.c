// SPDX-License-Identifier: GPL-2.0-or-later
/* A program under ptrace, one system call after the other. */
#define _GNU_SOURCE
#include "tests/crash/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <linux/ptrace.h>
#include <unistd.h>

#define OPTIONS                                                                          \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |                \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* What a call changes: the file behind descriptor arguments[at], the one that the
 * path in arguments[at] names, or, if the flags there say so, what it opens. */
enum subject {
	FD,
	PATH,
	OPEN
};

static const struct call {
	long number;
	const char *name;
	enum subject subject;
	guint at;
	guint flags;   /* OPEN: which argument has them */
	gboolean room; /* a full disk makes it fail */
} calls[] = {
#define CALL(name, ...)                                                                  \
	{                                                                                \
		SYS_##name, #name, __VA_ARGS__                                           \
	}
	CALL(write, FD, 0, 0, TRUE),
	CALL(pwrite64, FD, 0, 0, TRUE),
	CALL(writev, FD, 0, 0, TRUE),
	CALL(pwritev, FD, 0, 0, TRUE),
	CALL(pwritev2, FD, 0, 0, TRUE),
	CALL(fallocate, FD, 0, 0, TRUE),
	CALL(sendfile, FD, 0, 0, TRUE),
	CALL(copy_file_range, FD, 2, 0, TRUE),
	CALL(splice, FD, 2, 0, TRUE),
	CALL(fsync, FD, 0),
	CALL(fdatasync, FD, 0),
	CALL(sync_file_range, FD, 0),
	CALL(ftruncate, FD, 0),
	CALL(fchmod, FD, 0),
	CALL(fchown, FD, 0),
	CALL(fsetxattr, FD, 0),
	CALL(openat, OPEN, 1, 2, TRUE),
	CALL(unlinkat, PATH, 1),
	CALL(renameat, PATH, 1, 0, TRUE),
	CALL(renameat2, PATH, 1, 0, TRUE),
	CALL(mkdirat, PATH, 1, 0, TRUE),
	CALL(mknodat, PATH, 1, 0, TRUE),
	CALL(linkat, PATH, 1, 0, TRUE),
	CALL(symlinkat, PATH, 2, 0, TRUE),
	CALL(fchmodat, PATH, 1),
	CALL(fchownat, PATH, 1),
	CALL(utimensat, PATH, 1),
	CALL(truncate, PATH, 0),
#ifdef __x86_64__
	CALL(open, OPEN, 0, 1, TRUE),
	CALL(creat, PATH, 0, 0, TRUE),
	CALL(rename, PATH, 0, 0, TRUE),
	CALL(unlink, PATH, 0),
	CALL(rmdir, PATH, 0),
	CALL(mkdir, PATH, 0, 0, TRUE),
	CALL(mknod, PATH, 0, 0, TRUE),
	CALL(link, PATH, 0, 0, TRUE),
	CALL(symlink, PATH, 1, 0, TRUE),
	CALL(chmod, PATH, 0),
	CALL(chown, PATH, 0),
	CALL(lchown, PATH, 0),
#endif
#undef CALL
};

/* Most calls are none of these: one look must be enough to know. */
static const struct call *by_number[512];

static void index_calls(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
		g_assert(calls[i].number < (long)G_N_ELEMENTS(by_number));
		by_number[calls[i].number] = &calls[i];
	}
}

/* Returns: (transfer full) (nullable): the string at @address in @pid. */
static char *read_string(pid_t pid, guint64 address)
{
	char text[4096];
	/* Up to the end of the page: the next one may not be there. */
	gsize size = sizeof(text) - address % sizeof(text);
	struct iovec here = {text, sizeof(text)};
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): another process's pointer */
	struct iovec there = {(void *)(guintptr)address, size};
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	if (n > 0 && !memchr(text, '\0', (gsize)n) && (gsize)n < sizeof(text)) {
		struct iovec rest = {text + n, sizeof(text) - (gsize)n};
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		struct iovec after = {(void *)(guintptr)(address + (guint64)n),
				      sizeof(text) - (gsize)n};
		ssize_t more = process_vm_readv(pid, &rest, 1, &after, 1, 0);

		n += MAX(more, 0);
	}
	return n > 0 && memchr(text, '\0', (gsize)n) ? g_strdup(text) : NULL;
}

static char *file_behind(pid_t pid, guint64 fd)
{
	g_autofree char *link =
		g_strdup_printf("/proc/%d/fd/%" G_GUINT64_FORMAT, pid, fd);

	return g_file_read_link(link, NULL);
}

/* Sockets, pipes, memfds and the like have no path; devices keep nothing. */
static gboolean outlives(const char *path)
{
	return path && !strstr(path, ":[") && !g_str_has_prefix(path, "/memfd:") &&
	       !g_str_has_prefix(path, "anon_inode:") &&
	       (!g_str_has_prefix(path, "/dev/") ||
		g_str_has_prefix(path, "/dev/shm/")) &&
	       !g_str_has_prefix(path, "/proc/");
}

/* Returns: (transfer full) (nullable): what the call would change, NULL: nothing. */
static char *subject_of(pid_t pid, const struct call *call, const guint64 *arguments)
{
	g_autofree char *path = NULL;

	if (call->subject == FD && arguments[call->at] <= STDERR_FILENO)
		return NULL;
	if (call->subject == OPEN &&
	    !(arguments[call->flags] & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)))
		return NULL;
	path = call->subject == FD ? file_behind(pid, arguments[call->at])
				   : read_string(pid, arguments[call->at]);
	return outlives(path) ? g_path_get_basename(path) : NULL;
}

/**
 * Tracer:
 * @first: the program itself
 * @pending: (key pid): threads that are in a call which is to be ended by us
 * @full: TRACER_FAIL_ON has begun
 */
typedef struct {
	Trace *trace;
	pid_t first;
	GHashTable *pending;
	gboolean full;
	gboolean broken;
} Tracer;

static void kill_group(pid_t tid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", tid);
	g_autofree char *text = NULL;
	const char *line;
	pid_t group = tid;

	if (g_file_get_contents(path, &text, NULL, NULL)) {
		line = strstr(text, "\nTgid:");
		if (line)
			group = (pid_t)g_ascii_strtoll(line + strlen("\nTgid:"), NULL,
						       10);
	}
	kill(group, SIGKILL);
}

#ifdef __x86_64__
/* A number that no call has: the kernel does nothing then. */
static gboolean skip_call(pid_t tid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
		return FALSE;
	regs.orig_rax = (unsigned long long)-1;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) == 0;
}

static gboolean set_result(pid_t tid, long result)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
		return FALSE;
	regs.rax = (unsigned long long)result;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) == 0;
}
#else
static gboolean skip_call(pid_t tid)
{
	(void)tid;
	errno = ENOTSUP;
	return FALSE;
}

static gboolean set_result(pid_t tid, long result)
{
	(void)result;
	return skip_call(tid);
}
#endif

static void make_fail(Tracer *tracer, pid_t tid)
{
	if (skip_call(tid))
		g_hash_table_add(tracer->pending, GINT_TO_POINTER(tid));
	else
		tracer->broken = TRUE;
}

/* The n-th point was reached, by @tid, at the entry of its call. */
static void act(Tracer *tracer, pid_t tid)
{
	switch (tracer->trace->act) {
	case TRACER_COUNT:
		break;
	case TRACER_KILL_BEFORE:
		kill_group(tid);
		break;
	case TRACER_KILL_AFTER:
		g_hash_table_add(tracer->pending, GINT_TO_POINTER(tid));
		break;
	case TRACER_FAIL_ONCE:
		make_fail(tracer, tid);
		break;
	case TRACER_FAIL_ON:
		tracer->full = TRUE;
		break;
	}
}

/* That needs no room. */
static gboolean opens_existing(pid_t pid, const struct call *call,
			       const guint64 *arguments)
{
	g_autofree char *path = NULL;

	if (call->subject != OPEN)
		return FALSE;
	path = read_string(pid, arguments[call->at]);
	return path && access(path, F_OK) == 0;
}

static void on_entry(Tracer *tracer, pid_t tid, const struct ptrace_syscall_info *info)
{
	Trace *trace = tracer->trace;
	const struct call *call = NULL;
	g_autofree char *subject = NULL;
	guint64 arguments[6];

	if (info->entry.nr < G_N_ELEMENTS(by_number))
		call = by_number[info->entry.nr];
	if (!call)
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(arguments); i++)
		arguments[i] = info->entry.args[i];
	subject = subject_of(tid, call, arguments);
	if (!subject)
		return;
	trace->points++;
	if (trace->points == trace->at) {
		trace->hit = TRUE;
		trace->what = g_strdup_printf("%s %s", call->name, subject);
		act(tracer, tid);
	}
	if (tracer->full && call->room && !opens_existing(tid, call, arguments))
		make_fail(tracer, tid);
}

static void on_exit_of_call(Tracer *tracer, pid_t tid)
{
	if (!g_hash_table_remove(tracer->pending, GINT_TO_POINTER(tid)))
		return;
	if (tracer->trace->act == TRACER_KILL_AFTER)
		kill_group(tid);
	else if (!set_result(tid, -(long)tracer->trace->code))
		tracer->broken = TRUE;
}

static void on_call(Tracer *tracer, pid_t tid)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(tracer, tid, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of_call(tracer, tid);
}

static void on_stop(Tracer *tracer, pid_t tid, int status)
{
	int stopped = WSTOPSIG(status);
	long deliver = 0;

	if (stopped == SYSCALL_STOP)
		on_call(tracer, tid);
	else if (stopped != SIGTRAP && stopped != SIGSTOP)
		deliver = stopped;
	/* One that was killed meanwhile is gone: its end is reported next. */
	ptrace(PTRACE_SYSCALL, tid, NULL, deliver);
}

static void run_child(const Trace *trace)
{
	if (dup2(trace->input, STDIN_FILENO) < 0 ||
	    dup2(trace->output, STDOUT_FILENO) < 0 ||
	    dup2(trace->output, STDERR_FILENO) < 0)
		_exit(126);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(125);
	raise(SIGSTOP);
	execve(trace->argv[0], (char *const *)trace->argv, (char *const *)trace->env);
	_exit(127);
}

static gboolean begin(Tracer *tracer)
{
	int status;

	tracer->first = fork();
	if (tracer->first == 0)
		run_child(tracer->trace);
	if (tracer->first < 0 || waitpid(tracer->first, &status, 0) != tracer->first ||
	    !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, tracer->first, NULL, OPTIONS) != 0 ||
	    ptrace(PTRACE_SYSCALL, tracer->first, NULL, 0) != 0) {
		fprintf(stderr, "ptrace does not work here: %s\n", g_strerror(errno));
		return FALSE;
	}
	return TRUE;
}

static void follow(Tracer *tracer)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return;
		if (WIFSTOPPED(status))
			on_stop(tracer, tid, status);
		else if (tid == tracer->first)
			tracer->trace->status = status;
	}
}

gboolean tracer_run(Trace *trace)
{
	Tracer tracer = {.trace = trace};

	if (!by_number[SYS_write])
		index_calls();
	trace->points = 0;
	trace->hit = FALSE;
	trace->what = NULL;
	tracer.pending = g_hash_table_new(NULL, NULL);
	if (!begin(&tracer))
		tracer.broken = TRUE;
	else
		follow(&tracer);
	g_hash_table_unref(tracer.pending);
	return !tracer.broken;
}
