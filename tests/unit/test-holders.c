// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Holders, with /dev/full in the part of the instance, in a /proc of our own: this
 * machine may have processes that even root cannot look into. Mappings of a device can
 * only be had of a real one: tests/vm/check-kernel.c.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/holders.h"

typedef enum {
	CHILD_PLAIN,	  /* opens it */
	CHILD_THREAD,	  /* a thread with a file table of its own opens it */
	CHILD_LEADERLESS, /* the same, and the first thread has ended */
	CHILD_IDLE,	  /* does not open it */
} ChildKind;

static void say_ready(int ready)
{
	if (write(ready, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void *open_in_thread(void *data)
{
	if (unshare(CLONE_FILES) < 0 || open("/dev/full", O_RDONLY) < 0)
		_exit(1);
	say_ready(GPOINTER_TO_INT(data));
	return NULL;
}

static void be_child(ChildKind kind, int ready)
{
	pthread_t thread;

	if (kind == CHILD_PLAIN && open("/dev/full", O_RDONLY) < 0)
		_exit(1);
	if (kind == CHILD_PLAIN || kind == CHILD_IDLE)
		say_ready(ready);
	if (pthread_create(&thread, NULL, open_in_thread, GINT_TO_POINTER(ready)))
		_exit(1);
	if (kind == CHILD_LEADERLESS)
		pthread_exit(NULL);
	pthread_join(thread, NULL);
	_exit(1);
}

static pid_t start_child(ChildKind kind)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		be_child(kind, ready[1]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static GPtrArray *holders_of_full(void)
{
	g_autoptr(GError) error = NULL;
	struct stat st;
	GPtrArray *holders;

	ck_assert_int_eq(stat("/dev/full", &st), 0);
	holders = daxc_holders(major(st.st_rdev), minor(st.st_rdev), &error);
	unit_assert_no_error(error);
	return holders;
}

static gboolean is_among(const GPtrArray *holders, pid_t pid)
{
	g_autofree char *end = g_strdup_printf("test-holders (%d)", pid);

	for (guint i = 0; i < holders->len; i++)
		if (strstr(holders->pdata[i], end))
			return TRUE;
	return FALSE;
}

static void assert_holds(ChildKind kind, gboolean expected)
{
	pid_t pid = start_child(kind);
	g_autoptr(GPtrArray) during = holders_of_full();
	g_autoptr(GPtrArray) after = NULL;

	end_child(pid);
	ck_assert_int_eq(is_among(during, pid), expected);
	after = holders_of_full();
	ck_assert(!is_among(after, pid));
}

START_TEST(who_has_it_open_is_found)
{
	assert_holds(CHILD_PLAIN, TRUE);
	assert_holds(CHILD_IDLE, FALSE);
}
END_TEST

START_TEST(a_thread_with_a_file_table_of_its_own_is_found)
{
	assert_holds(CHILD_THREAD, TRUE);
	assert_holds(CHILD_LEADERLESS, TRUE);
}
END_TEST

START_TEST(this_process_is_left_out)
{
	int fd = open("/dev/full", O_RDONLY | O_CLOEXEC);
	g_autoptr(GPtrArray) holders = holders_of_full();

	ck_assert(!is_among(holders, getpid()));
	close(fd);
}
END_TEST

/* Who may not look must not report that nobody is there. */
START_TEST(a_process_that_cannot_be_looked_into_is_an_error)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		g_autoptr(GError) error = NULL;

		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		if (daxc_holders(1, 7, &error))
			_exit(3);
		g_clear_error(&error);
		if (daxc_holders_all(1, &error))
			_exit(5);
		_exit(strstr(error->message, "cannot look into process ") &&
				      strstr(error->message, "run as root")
			      ? 0
			      : 4);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

#define MAJOR_OF_MEM 1
#define MINOR_OF_FULL 7
#define MINOR_OF_ZERO 5
#define UUID "00000000-0000-4000-8000-00000000ABCD"

/* A program that was started as libvirt starts a QEMU. */
static pid_t start_qemu(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (dup2(ready[1], 9) != 9 || open("/dev/full", O_RDONLY) < 0 ||
		    open("/dev/full", O_RDONLY) < 0 || open("/dev/zero", O_RDONLY) < 0)
			_exit(1);
		execl("/bin/sh", "sh", "-c", "echo >&9; while :; do sleep 100; done",
		      "qemu", "-uuid", UUID, "-S", NULL);
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static GPtrArray *processes_of_mem(void)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *processes = daxc_holders_all(MAJOR_OF_MEM, &error);

	unit_assert_no_error(error);
	return processes;
}

static const DaxcProcess *process_with(const GPtrArray *processes, pid_t pid, guint minor)
{
	const DaxcProcess *found = NULL;

	for (guint i = 0; i < processes->len; i++) {
		const DaxcProcess *process = processes->pdata[i];

		if (process->pid != pid || process->minor != minor)
			continue;
		ck_assert_msg(!found, "a process is there twice for one device");
		found = process;
	}
	return found;
}

/* Ends all that it has started, too. */
static void end_group(pid_t pid)
{
	g_autofree char *children = NULL;
	g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);

	if (g_file_get_contents(path, &children, NULL, NULL) && atoi(children) > 0)
		kill(atoi(children), SIGKILL);
	end_child(pid);
}

START_TEST(one_pass_finds_every_device_of_every_process)
{
	pid_t qemu = start_qemu();
	pid_t thread = start_child(CHILD_THREAD);
	pid_t idle = start_child(CHILD_IDLE);
	g_autoptr(GPtrArray) processes = processes_of_mem();
	const DaxcProcess *full = process_with(processes, qemu, MINOR_OF_FULL);
	const DaxcProcess *zero = process_with(processes, qemu, MINOR_OF_ZERO);
	const DaxcProcess *other = process_with(processes, thread, MINOR_OF_FULL);

	end_group(qemu);
	end_child(thread);
	end_child(idle);
	ck_assert(full && zero && other);
	ck_assert_uint_eq(full->major, MAJOR_OF_MEM);
	ck_assert(full->open && !full->mapped);
	ck_assert_str_eq(full->name, "sh");
	ck_assert_str_eq(full->path, "/dev/full");
	ck_assert_str_eq(full->uuid, "00000000-0000-4000-8000-00000000abcd");
	ck_assert_str_eq(zero->path, "/dev/zero");
	ck_assert_ptr_null(full->instance);
	ck_assert_ptr_null(other->uuid);
	ck_assert_ptr_null(process_with(processes, idle, MINOR_OF_FULL));
	ck_assert_ptr_null(process_with(processes, getpid(), MINOR_OF_FULL));
}
END_TEST

static guint count_guest_holders(const char *uuid, const char *name)
{
	const char *const names[] = {"anon_inode:[none", name, NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) holders = daxc_guest_holders(uuid, names, &error);

	unit_assert_no_error(error);
	return holders->len;
}

START_TEST(what_a_guests_process_has_is_found_by_name)
{
	const char *uuid = "00000000-0000-4000-8000-00000000abcd";
	const char *other = "00000000-0000-4000-8000-00000000abce";
	pid_t qemu = start_qemu();
	guint found = count_guest_holders(uuid, "/dev/fu");
	guint others = count_guest_holders(other, "/dev/fu");
	guint nothing = count_guest_holders(uuid, "/dev/vfio/");

	end_group(qemu);
	/* Its child has both, too, until it becomes another program. */
	ck_assert_uint_ge(found, 1);
	ck_assert_uint_eq(others, 0);
	ck_assert_uint_eq(nothing, 0);
	ck_assert_uint_eq(count_guest_holders(uuid, "/dev/fu"), 0);
}
END_TEST

static int run_tests(void)
{
	Suite *suite = suite_create("holders");
	TCase *tcase = tcase_create("holders");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, who_has_it_open_is_found);
	tcase_add_test(tcase, a_thread_with_a_file_table_of_its_own_is_found);
	tcase_add_test(tcase, this_process_is_left_out);
	tcase_add_test(tcase, one_pass_finds_every_device_of_every_process);
	tcase_add_test(tcase, what_a_guests_process_has_is_found_by_name);
	tcase_add_test(tcase, a_process_that_cannot_be_looked_into_is_an_error);
	return unit_run(suite);
}

/* For automake: skipped. */
#define SKIPPED 77

static int wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return EXIT_FAILURE;
	return WEXITSTATUS(status);
}

static int skip(const char *what)
{
	fprintf(stderr, "skipped: no %s of our own: %s\n", what, strerror(errno));
	return SKIPPED;
}

/* Process 1 of the namespace. */
static int be_init(void)
{
	pid_t pid;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0)
		return skip("/proc");
	pid = fork();
	if (pid == 0)
		exit(run_tests());
	return wait_for(pid);
}

static int be_outside(void)
{
	pid_t pid;

	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
		return skip("namespaces");
	pid = fork();
	if (pid == 0)
		_exit(be_init());
	return wait_for(pid);
}

/* A leak checker can do its work neither in process 1 nor in the process that has
 * made a namespace: both leave by _exit(). */
int main(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(be_outside());
	return wait_for(pid);
}
