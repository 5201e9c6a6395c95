// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <daxcolor/size.h>

START_TEST(sizes_that_people_write)
{
	static const struct {
		const char *text;
		guint64 bytes;
	} cases[] = {
		{"0", 0},
		{"4096", 4096},
		{"8G", G_GUINT64_CONSTANT(8) << 30},
		{"8g", G_GUINT64_CONSTANT(8) << 30},
		{"512M", G_GUINT64_CONSTANT(512) << 20},
		{"1GiB", G_GUINT64_CONSTANT(1) << 30},
		{"1gib", G_GUINT64_CONSTANT(1) << 30},
		{"3T", G_GUINT64_CONSTANT(3) << 40},
		{"0x40000000", G_GUINT64_CONSTANT(1) << 30},
		{"16383P", G_GUINT64_CONSTANT(16383) << 50},
		{"18446744073709551615", G_MAXUINT64},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		guint64 bytes = 7;

		ck_assert(daxc_size_parse(cases[i].text, &bytes, &error));
		unit_assert_no_error(error);
		ck_assert_uint_eq(bytes, cases[i].bytes);
	}
}
END_TEST

START_TEST(sizes_that_are_refused)
{
	static const char *const cases[] = {
		"",
		"G",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1 G",
		"1.5G",
		"1GB",
		"1Gi",
		"1iB",
		"0x",
		"0xg",
		"0x1G",
		"16384P",
		"18446744073709551616",
		"0x10000000000000000",
		"1e9",
		"8GG",
		"٨G",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		guint64 bytes = 7;

		ck_assert_msg(!daxc_size_parse(cases[i], &bytes, &error), "%s", cases[i]);
		unit_assert_error(error, DAXC_ERROR_INVALID, "is not a size");
		ck_assert_uint_eq(bytes, 7);
	}
}
END_TEST

START_TEST(sizes_are_printed_exactly)
{
	static const struct {
		guint64 bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{12, "12 B"},
		{1024, "1 KiB"},
		{G_GUINT64_CONSTANT(2) << 30, "2 GiB"},
		{G_GUINT64_CONSTANT(3) << 29, "1.5 GiB"},
		{G_GUINT64_CONSTANT(5) << 28, "1.25 GiB"},
		{(G_GUINT64_CONSTANT(2) << 30) + (2 << 20), "2050 MiB"},
		{G_MAXUINT64, "18446744073709551615 B"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = daxc_size_format(cases[i].bytes);

		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(ranges_go_there_and_back)
{
	g_autofree char *text = daxc_range_format(0x140000000, 0x40000000);
	g_autoptr(GError) error = NULL;
	guint64 start, size;

	ck_assert_str_eq(text, "0x140000000-0x17fffffff");
	ck_assert(daxc_range_parse(text, &start, &size, &error));
	ck_assert_uint_eq(start, 0x140000000);
	ck_assert_uint_eq(size, 0x40000000);
}
END_TEST

START_TEST(ranges_that_are_refused)
{
	static const char *const cases[] = {
		"",
		"0x1",
		"0x2-0x1",
		"1-2",
		"0x1-",
		"0x1-0x2x",
		"0x1--0x2",
		"0x0-0xffffffffffffffff",
		"0x1-0x10000000000000000",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		guint64 start, size;

		ck_assert_msg(!daxc_range_parse(cases[i], &start, &size, &error), "%s",
			      cases[i]);
		unit_assert_error(error, DAXC_ERROR_INVALID, "is not a range");
	}
}
END_TEST

START_TEST(numbers_have_bounds)
{
	g_autoptr(GError) error = NULL;
	guint64 value = 7;

	ck_assert(daxc_uint_parse("15", "cell id", 15, &value, &error));
	ck_assert_uint_eq(value, 15);
	ck_assert(!daxc_uint_parse("16", "cell id", 15, &value, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "cell id \"16\"");
	g_clear_error(&error);
	ck_assert(!daxc_uint_parse("-1", "cell id", 15, &value, &error));
	ck_assert_uint_eq(value, 15);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("size");
	TCase *tcase = tcase_create("size");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, sizes_that_people_write);
	tcase_add_test(tcase, sizes_that_are_refused);
	tcase_add_test(tcase, sizes_are_printed_exactly);
	tcase_add_test(tcase, ranges_go_there_and_back);
	tcase_add_test(tcase, ranges_that_are_refused);
	tcase_add_test(tcase, numbers_have_bounds);
	return unit_run(suite);
}
