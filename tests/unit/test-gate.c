// SPDX-License-Identifier: GPL-2.0-or-later
/* The hook's gate, as a program: a script stands in for what it hands on to. */
#include "unit.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define OURS "<domain><metadata><daxcolor:memory/></metadata></domain>\n"
#define OTHERS "<domain><name>guest</name></domain>\n"

static char *directory;

/* The script notes its arguments and its input, and ends with @status. */
static char *write_hook(const char *end)
{
	g_autofree char *text = g_strdup_printf("#!/bin/sh\n"
						"printf '%%s|' \"$@\" >'%s/args'\n"
						"cat >'%s/input'\n"
						"%s\n",
						directory, directory, end);
	char *path = g_build_filename(directory, "hook", NULL);

	ck_assert(g_file_set_contents(path, text, -1, NULL));
	ck_assert_int_eq(g_chmod(path, 0700), 0);
	return path;
}

static char *noted(const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, NULL);
	g_unlink(path);
	return text;
}

/* Runs the gate. Returns: its exit status; @err is its standard error. */
static int run_gate(const char *hook, const char *operation, GBytes *xml, char **err)
{
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
		G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
		G_SUBPROCESS_FLAGS_STDERR_PIPE);
	g_autoptr(GSubprocess) gate = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) out = NULL;
	g_autoptr(GBytes) errors = NULL;

	g_subprocess_launcher_setenv(launcher, "DAXCOLOR_QEMU_HOOK", hook, TRUE);
	gate = g_subprocess_launcher_spawn(launcher, &error, GATE, "guest", operation,
					   "begin", "-", NULL);
	unit_assert_no_error(error);
	/* One that reads nothing breaks the pipe: its status tells. */
	g_subprocess_communicate(gate, xml, NULL, &out, &errors, NULL);
	if (out)
		ck_assert_uint_eq(g_bytes_get_size(out), 0);
	if (err)
		*err = g_strndup(g_bytes_get_data(errors, NULL),
				 g_bytes_get_size(errors));
	g_subprocess_wait(gate, NULL, NULL);
	ck_assert(g_subprocess_get_if_exited(gate));
	return g_subprocess_get_exit_status(gate);
}

static int run_text(const char *hook, const char *operation, const char *xml, char **err)
{
	g_autoptr(GBytes) bytes = g_bytes_new(xml, strlen(xml));

	return run_gate(hook, operation, bytes, err);
}

START_TEST(other_peoples_domains_pass)
{
	g_autofree char *hook = write_hook("exit 7");
	g_autofree char *args = NULL;

	ck_assert_int_eq(run_text(hook, "prepare", OTHERS, NULL), 0);
	ck_assert_int_eq(run_text(hook, "prepare", "", NULL), 0);
	ck_assert_int_eq(run_text(hook, "prepare", "<daxco", NULL), 0);
	args = noted("args");
	ck_assert_ptr_null(args);
}
END_TEST

START_TEST(ours_are_handed_on_with_arguments_and_input)
{
	static const char *const operations[] = {"prepare", "start",   "started",
						 "migrate", "restore", "attach",
						 "stopped", "release", "reconnect"};
	g_autofree char *hook = write_hook("exit 0");

	for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
		int status = run_text(hook, operations[i], OURS, NULL);
		g_autofree char *args = noted("args");
		g_autofree char *input = noted("input");
		g_autofree char *expected =
			g_strdup_printf("guest|%s|begin|-|", operations[i]);

		ck_assert_int_eq(status, 0);
		ck_assert_str_eq(args, expected);
		ck_assert_str_eq(input, OURS);
	}
}
END_TEST

START_TEST(whatever_looks_like_ours_is_handed_on)
{
	static const char *const cases[] = {
		"DaxColor",
		"<a xmlns:b='urn:daxcolour:domain:1'/>",
		"<emulator>/usr/bin/daxcolor-qemu-system-x86_64</emulator>",
		"ddaxdaxcol",
		"daxcol",
	};
	g_autofree char *hook = write_hook("exit 7");

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		ck_assert_int_eq(run_text(hook, "start", cases[i], NULL), 7);
}
END_TEST

START_TEST(large_domains_are_handed_on_whole)
{
	gsize size = (16 << 20);
	char *data = g_strnfill(size, 'x');
	g_autoptr(GBytes) xml = NULL;
	g_autofree char *hook = write_hook("exit 3");
	g_autofree char *input = NULL;

	memcpy(data + size - 6, "daxcol", 6);
	xml = g_bytes_new_take(data, size);
	ck_assert_int_eq(run_gate(hook, "prepare", xml, NULL), 3);
	input = noted("input");
	ck_assert_uint_eq(strlen(input), size);
	ck_assert_mem_eq(input, data, size);
}
END_TEST

START_TEST(a_reconnect_never_fails)
{
	static const char *const operations[] = {"reconnect", "stopped", "release"};
	static const char *const ends[] = {"exit 7", "kill -9 $$"};

	for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
		for (gsize j = 0; j < G_N_ELEMENTS(ends); j++) {
			g_autofree char *hook = write_hook(ends[j]);
			g_autofree char *err = NULL;

			ck_assert_int_eq(run_text(hook, operations[i], OURS, &err), 0);
			ck_assert_ptr_nonnull(strstr(err, "qemu-hook ended with"));
		}
	}
}
END_TEST

START_TEST(a_hook_that_is_missing)
{
	g_autofree char *hook = g_build_filename(directory, "absent", NULL);
	g_autofree char *err = NULL;
	g_autofree char *lenient = NULL;

	ck_assert_int_eq(run_text(hook, "prepare", OURS, &err), 1);
	ck_assert_ptr_nonnull(strstr(err, "guest guest, prepare: cannot execute"));
	ck_assert_ptr_nonnull(strstr(err, "install all of daxcolor"));
	ck_assert_int_eq(run_text(hook, "start", OURS, NULL), 1);
	ck_assert_int_eq(run_text(hook, "what-comes-next", OURS, NULL), 1);
	ck_assert_int_eq(run_text(hook, "reconnect", OURS, &lenient), 0);
	ck_assert_ptr_nonnull(strstr(lenient, "cannot execute"));
	ck_assert_int_eq(run_text(hook, "release", OURS, NULL), 0);
	ck_assert_int_eq(run_text(hook, "prepare", OTHERS, NULL), 0);
}
END_TEST

START_TEST(input_without_end)
{
	gsize size = (16 << 20) + 1;
	char *data = g_strnfill(size, 'x');
	g_autoptr(GBytes) xml = g_bytes_new_take(data, size);
	g_autofree char *hook = write_hook("exit 0");
	g_autofree char *err = NULL;

	ck_assert_int_eq(run_gate(hook, "prepare", xml, &err), 1);
	ck_assert_ptr_nonnull(strstr(err, "cannot read the domain's XML"));
	ck_assert_int_eq(run_gate(hook, "reconnect", xml, NULL), 0);
}
END_TEST

START_TEST(called_by_hand)
{
	g_autoptr(GSubprocess) gate = NULL;

	gate = g_subprocess_new(G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL, GATE, NULL);
	ck_assert_ptr_nonnull(gate);
	g_subprocess_wait(gate, NULL, NULL);
	ck_assert_int_eq(g_subprocess_get_exit_status(gate), 2);
}
END_TEST

static void set_up(void)
{
	directory = g_dir_make_tmp("daxcolor-gate-XXXXXX", NULL);
	ck_assert_ptr_nonnull(directory);
}

static void tear_down(void)
{
	g_autofree char *hook = g_build_filename(directory, "hook", NULL);

	g_free(noted("args"));
	g_free(noted("input"));
	g_unlink(hook);
	ck_assert_int_eq(g_rmdir(directory), 0);
	g_clear_pointer(&directory, g_free);
}

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("gate");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, other_peoples_domains_pass);
	tcase_add_test(tcase, ours_are_handed_on_with_arguments_and_input);
	tcase_add_test(tcase, whatever_looks_like_ours_is_handed_on);
	tcase_add_test(tcase, large_domains_are_handed_on_whole);
	tcase_add_test(tcase, a_reconnect_never_fails);
	tcase_add_test(tcase, a_hook_that_is_missing);
	tcase_add_test(tcase, input_without_end);
	tcase_add_test(tcase, called_by_hand);
	return unit_run(suite);
}
