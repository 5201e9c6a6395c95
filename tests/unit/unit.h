/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test shares: a main, and assertions on GError. */
#pragma once

#include <check.h>
#include <glib.h>
#include <stdlib.h>

#include <daxcolor/error.h>

/* Asserts that @call failed with @code and that the message holds @text. */
#define unit_assert_error(error, code_, text)                                            \
	do {                                                                             \
		ck_assert_msg((error) != NULL, "no error was set");                      \
		ck_assert_msg(g_error_matches((error), DAXC_ERROR, (code_)),             \
			      "wrong error: %s", (error)->message);                      \
		ck_assert_msg(strstr((error)->message, (text)) != NULL,                  \
			      "message \"%s\" lacks \"%s\"", (error)->message, (text));  \
	} while (0)

#define unit_assert_no_error(error)                                                      \
	ck_assert_msg((error) == NULL, "%s", (error) ? (error)->message : "")

/* Runs @suite in this process, so that sanitizers and debuggers see all of it. */
static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
