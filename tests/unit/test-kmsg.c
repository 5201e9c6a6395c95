// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages that failed, in the kernel's log and nowhere else. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/kmsg.h"

static GArray *failures_in(const char *log)
{
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;
	int fd = g_file_open_tmp("daxcolor-kmsg-XXXXXX", &path, NULL);
	GArray *found;

	ck_assert_int_eq(write(fd, log, strlen(log)), strlen(log));
	close(fd);
	found = daxc_kmsg_failures(path, &error);
	unit_assert_no_error(error);
	unlink(path);
	return found;
}

START_TEST(each_failed_page_is_found_once)
{
	g_autoptr(GArray) found = failures_in(
		"6,423,5624428,-;Injecting memory failure for pfn 0x240999\n"
		"3,424,5625508,-;Memory failure: 0x240123: Sending SIGBUS to poison:149\n"
		" SUBSYSTEM=x\n"
		"3,425,5625923,-;Memory failure: 0x240123: recovery action for dax page\n"
		"3,426,5625924,c;Memory failure: 0x140000: recovery action: Failed\n");

	ck_assert_uint_eq(found->len, 2);
	ck_assert_uint_eq(g_array_index(found, guint64, 0), 0x140000000);
	ck_assert_uint_eq(g_array_index(found, guint64, 1), 0x240123000);
}
END_TEST

START_TEST(only_the_kernel_is_believed)
{
	static const char *const lies[] = {
		/* root's programs */
		"11,440,1,-;Memory failure: 0x240998: recovery action\n",
		"12,440,1,-;Memory failure: 0x240998: recovery action\n",
		/* the name of a process */
		"3,424,1,-;Memory failure: 0x: Sending SIGBUS to Memory failure: 0x5:\n",
		"6,424,1,-;traps: Memory failure: 0x5: general protection\n",
		" KEY=3,1,1,-;Memory failure: 0x5: x\n",
		/* what is no record, or no page */
		"Memory failure: 0x5: x\n",
		";Memory failure: 0x5: x\n",
		"x3,1,1,-;Memory failure: 0x5: x\n",
		"3,1,1,-;Memory failure: 0x5 x\n",
		"3,1,1,-;Memory failure: 0xg: x\n",
		"3,1,1,-;Memory failure: 0x10000000000: x\n",
		"3,1,1,-;Memory failure: 0xfffffffffffffffffff: x\n",
		"3,1,1,-;Memory failure: 5: x\n",
		"3,1,1,-\n",
		"\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lies); i++) {
		g_autoptr(GArray) found = failures_in(lies[i]);

		ck_assert_msg(found->len == 0, "%s", lies[i]);
	}
}
END_TEST

START_TEST(a_log_that_cannot_be_read_is_an_error)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_kmsg_failures("/nowhere/kmsg", &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "/nowhere/kmsg");
	g_clear_error(&error);
	ck_assert_ptr_null(daxc_kmsg_failures("/proc", &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "/proc");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kmsg");
	TCase *tcase = tcase_create("kmsg");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, each_failed_page_is_found_once);
	tcase_add_test(tcase, only_the_kernel_is_believed);
	tcase_add_test(tcase, a_log_that_cannot_be_read_is_an_error);
	return unit_run(suite);
}
