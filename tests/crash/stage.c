// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs, guests and state directories for the harnesses. */
#define _GNU_SOURCE
#include "tests/crash/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

static guint failed;

void stage_ok(gboolean ok, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	printf("%s - %s\n", ok ? "ok" : "not ok", text);
	fflush(stdout);
	failed += !ok;
}

void stage_fail(void)
{
	failed++;
}

int stage_status(void)
{
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void G_GNUC_NORETURN give_up(const char *what, const char *why)
{
	fprintf(stderr, "tests/crash: %s: %s\n", what, why);
	exit(99);
}

/* libtool leaves a script where the program is to be, and the program in .libs. */
static char *program(const char *build, const char *name)
{
	g_autofree char *real = g_build_filename(build, ".libs", name, NULL);
	g_autofree char *plain = g_build_filename(build, name, NULL);
	char *path = g_file_test(real, G_FILE_TEST_IS_EXECUTABLE) ? real : plain;

	if (!g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
		give_up(path, "is not there: run make first");
	return g_canonicalize_filename(path, NULL);
}

static char *write_file(const Stage *stage, const char *name, const char *text)
{
	char *path = g_build_filename(stage->dir, name, NULL);
	g_autoptr(GError) error = NULL;

	if (!g_file_set_contents(path, text, -1, &error))
		give_up(path, error->message);
	return path;
}

static void set_env(Stage *stage, const char *name, const char *value)
{
	stage->env = g_environ_setenv(stage->env, name, value, TRUE);
}

Stage *stage_new(const char *build, const char *host_text, const char *config_text)
{
	Stage *stage = g_new0(Stage, 1);
	g_autofree char *libs = g_build_filename(build, ".libs", NULL);
	g_autofree char *library_path = g_canonicalize_filename(libs, NULL);

	stage->dir = g_dir_make_tmp("daxcolor-crash-XXXXXX", NULL);
	if (!stage->dir)
		give_up("a directory for the test", g_strerror(errno));
	stage->daxcolor = program(build, "daxcolor");
	stage->gate = program(build, "daxcolor-qemu-hook");
	stage->hook = program(build, "qemu-hook");
	stage->host = write_file(stage, "test.host", host_text);
	stage->config = write_file(stage, "daxcolor.conf", config_text);
	set_env(stage, "PATH", "/usr/bin:/bin");
	set_env(stage, "LC_ALL", "C");
	set_env(stage, "LD_LIBRARY_PATH", library_path);
	set_env(stage, "DAXCOLOR_QEMU_HOOK", stage->hook);
	set_env(stage, "DAXCOLOR_SIMULATE", stage->host);
	set_env(stage, "DAXCOLOR_CONFIG", stage->config);
	return stage;
}

Stage *stage_new_real(const char *daxcolor, const char *gate, const char *hook)
{
	Stage *stage = g_new0(Stage, 1);

	stage->dir = g_dir_make_tmp("daxcolor-crash-XXXXXX", NULL);
	if (!stage->dir)
		give_up("a directory for the test", g_strerror(errno));
	stage->daxcolor = g_strdup(daxcolor);
	stage->gate = g_strdup(gate);
	stage->hook = g_strdup(hook);
	stage->env = g_get_environ();
	return stage;
}

void stage_free(Stage *stage)
{
	stage_remove(stage->dir);
	g_free(stage->dir);
	g_free(stage->daxcolor);
	g_free(stage->gate);
	g_free(stage->hook);
	g_free(stage->host);
	g_free(stage->config);
	g_strfreev(stage->env);
	g_free(stage);
}

char *stage_state(Stage *stage, const char *name)
{
	char *path = g_build_filename(stage->dir, name, NULL);

	set_env(stage, "DAXCOLOR_STATE_DIR", path);
	return path;
}

void stage_remove(const char *dir)
{
	g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
	const char *name;

	while (entries && (name = g_dir_read_name(entries))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (g_file_test(path, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
			stage_remove(path);
		else
			g_unlink(path);
	}
	g_rmdir(dir);
}

/* Copies what is data; holes stay holes, for memory is mostly holes. */
static gboolean copy_data(int from, int to, off_t size)
{
	off_t start = 0;

	while ((start = lseek(from, start, SEEK_DATA)) >= 0 && start < size) {
		off_t end = lseek(from, start, SEEK_HOLE);

		while (start < end) {
			char buffer[65536];
			size_t step = (size_t)MIN((off_t)sizeof(buffer), end - start);
			ssize_t n = pread(from, buffer, step, start);

			if (n <= 0 || pwrite(to, buffer, (size_t)n, start) != n)
				return FALSE;
			start += n;
		}
	}
	return ftruncate(to, size) == 0;
}

static void copy_file(const char *from, const char *to)
{
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int target = -1;
	struct stat st;

	if (source >= 0 && fstat(source, &st) == 0)
		target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			      st.st_mode & 0777);
	if (target < 0 || !copy_data(source, target, st.st_size))
		give_up(to, g_strerror(errno));
	close(target);
	close(source);
}

void stage_copy(const char *from, const char *to)
{
	g_autoptr(GDir) entries = g_dir_open(from, 0, NULL);
	const char *name;

	stage_remove(to);
	/* What there was before the first run ever: nothing. */
	if (!entries)
		return;
	if (g_mkdir(to, 0700) != 0)
		give_up(to, g_strerror(errno));
	while ((name = g_dir_read_name(entries))) {
		g_autofree char *source = g_build_filename(from, name, NULL);
		g_autofree char *target = g_build_filename(to, name, NULL);

		copy_file(source, target);
	}
}

/* ---- guests ---- */

static void add_wishes(const StageGuest *guest, GString *xml)
{
	for (guint i = 0; guest->cells[i]; i++) {
		const char *colors = guest->colors[i];

		g_string_append_printf(xml, "<daxcolor:cell id='%u' node='%u'", i,
				       guest->nodes[i]);
		if (colors)
			g_string_append_printf(xml, " %s='%s'",
					       strchr(colors, ',') ? "list" : "colors",
					       colors);
		g_string_append(xml, "/>");
	}
}

static void add_cells(const StageGuest *guest, GString *xml)
{
	g_string_append(xml, "<cpu><numa>");
	for (guint i = 0; guest->cells[i]; i++)
		g_string_append_printf(xml, "<cell id='%u' memory='%u' unit='MiB'/>", i,
				       guest->cells[i]);
	g_string_append(xml, "</numa></cpu>");
}

char *stage_xml(const StageGuest *guest)
{
	GString *xml = g_string_new(NULL);
	guint sum = 0;

	for (guint i = 0; guest->cells[i]; i++)
		sum += guest->cells[i];
	g_string_append_printf(xml,
			       "<domain type='kvm' id='1'><name>%s</name><uuid>%s</uuid>"
			       "<metadata><daxcolor:memory "
			       "xmlns:daxcolor='urn:daxcolor:domain:1' tenant='%s'>",
			       guest->name, guest->uuid, guest->tenant);
	add_wishes(guest, xml);
	g_string_append_printf(xml,
			       "</daxcolor:memory></metadata>"
			       "<memory unit='MiB'>%u</memory>"
			       "<memoryBacking><source type='file'/>"
			       "<access mode='shared'/></memoryBacking>",
			       sum);
	if (guest->cells[1])
		add_cells(guest, xml);
	g_string_append(xml, "<os><type arch='x86_64'>hvm</type></os><devices><emulator>"
			     "/usr/bin/daxcolor-qemu-system-x86_64</emulator></devices>"
			     "</domain>\n");
	return g_string_free(xml, FALSE);
}

/* ---- programs ---- */

StageCall *stage_call(const Stage *stage, const char *words, const StageGuest *guest)
{
	StageCall *call = g_new0(StageCall, 1);
	g_auto(GStrv) split = g_strsplit(words, " ", -1);
	gboolean bare = strcmp(split[0], "bare") == 0;
	gboolean hook = bare || strcmp(split[0], "hook") == 0;
	GPtrArray *argv = g_ptr_array_new();

	if (hook) {
		g_ptr_array_add(argv, g_strdup(bare ? stage->hook : stage->gate));
		g_ptr_array_add(argv, g_strdup(guest->name));
	} else {
		g_ptr_array_add(argv, g_strdup(stage->daxcolor));
	}
	for (guint i = hook ? 1 : 0; split[i]; i++) {
		gboolean uuid = strcmp(split[i], "UUID") == 0;

		g_ptr_array_add(argv, g_strdup(uuid ? guest->uuid : split[i]));
	}
	if (hook) {
		g_ptr_array_add(argv, g_strdup("begin"));
		g_ptr_array_add(argv, g_strdup("-"));
	}
	g_ptr_array_add(argv, NULL);
	call->argv = (GStrv)g_ptr_array_free(argv, FALSE);
	call->input = guest ? stage_xml(guest) : g_strdup("");
	return call;
}

void stage_call_free(StageCall *call)
{
	g_strfreev(call->argv);
	g_free(call->input);
	g_free(call);
}

/* A file without a name that holds @text. */
static int file_with(const Stage *stage, const char *text)
{
	g_autofree char *name = g_build_filename(stage->dir, "input-XXXXXX", NULL);
	size_t length = strlen(text);
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd < 0)
		give_up(name, g_strerror(errno));
	g_unlink(name);
	if (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) != 0)
		give_up(name, g_strerror(errno));
	return fd;
}

static char *read_back(int fd)
{
	GString *text = g_string_new(NULL);
	char buffer[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		g_string_append_len(text, buffer, n);
	return g_string_free(text, FALSE);
}

static pid_t begin(const Stage *stage, const StageCall *call, int in, int out)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execve(call->argv[0], call->argv, stage->env);
	_exit(127);
}

static int end_of(pid_t child)
{
	int status = 0;

	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int stage_run(const Stage *stage, const StageCall *call, char **output, gdouble *seconds)
{
	int in = file_with(stage, call->input);
	int out = file_with(stage, "");
	gint64 start = g_get_monotonic_time();
	int status = end_of(begin(stage, call, in, out));

	if (seconds)
		*seconds = (gdouble)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
	if (output)
		*output = read_back(out);
	close(in);
	close(out);
	return status;
}

int stage_run_for(const Stage *stage, const StageCall *call, gulong us)
{
	int in = file_with(stage, call->input);
	int out = file_with(stage, "");
	pid_t child = begin(stage, call, in, out);

	close(in);
	close(out);
	g_usleep(us);
	/* Not waited for yet, so the number is still its own. */
	kill(child, SIGKILL);
	return end_of(child);
}

Trace *stage_trace(const Stage *stage, const StageCall *call, TracerAct act, guint at,
		   int code, char **output)
{
	Trace *trace = g_new0(Trace, 1);

	trace->argv = (const char *const *)call->argv;
	trace->env = (const char *const *)stage->env;
	trace->input = file_with(stage, call->input);
	trace->output = file_with(stage, "");
	trace->act = act;
	trace->at = at;
	trace->code = code;
	if (!tracer_run(trace))
		give_up("tracing", call->argv[0]);
	if (output)
		*output = read_back(trace->output);
	close(trace->input);
	close(trace->output);
	return trace;
}

void stage_trace_free(Trace *trace)
{
	g_free(trace->what);
	g_free(trace);
}
