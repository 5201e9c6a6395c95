// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests that are whole, and those that are not. */
#include "unit.h"

#include <daxcolor/geometry.h>
#include <daxcolor/request.h>

#define UUID "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
#define GiB (G_GUINT64_CONSTANT(1) << 30)

static DaxcRequest *new_request(void)
{
	DaxcRequest *request = daxc_request_new(UUID, "web", "acme");

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, 2 * GiB));
	g_ptr_array_add(request->cells, daxc_cell_request_new(3, GiB));
	return request;
}

static DaxcCellRequest *first_cell(DaxcRequest *request)
{
	return g_ptr_array_index(request->cells, 0);
}

static void append_colors(DaxcCellRequest *cell, guint32 one, guint32 other)
{
	cell->wish = DAXC_WISH_LIST;
	g_array_append_val(cell->list, one);
	g_array_append_val(cell->list, other);
}

START_TEST(a_new_request_is_whole)
{
	g_autoptr(DaxcRequest) request = new_request();
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_request_check(request, &error));
	unit_assert_no_error(error);
	ck_assert_uint_eq(daxc_request_size(request), 3 * GiB);
	ck_assert_int_eq(request->live_id, -1);
	ck_assert_int_eq(first_cell(request)->node, DAXC_ANY_NODE);
	ck_assert_uint_eq(first_cell(request)->near->len, 0);
}
END_TEST

START_TEST(a_domain_is_its_own_tenant)
{
	g_autoptr(DaxcRequest) request = daxc_request_new(UUID, "web", NULL);

	ck_assert_str_eq(request->tenant, UUID);
	ck_assert(daxc_tenant_check(request->tenant, NULL));
}
END_TEST

START_TEST(requests_that_are_refused)
{
	const gint below = -2;

#define REFUSE(change, text)                                                             \
	do {                                                                             \
		g_autoptr(DaxcRequest) request = new_request();                          \
		DaxcCellRequest *cell = first_cell(request);                             \
		g_autoptr(GError) error = NULL;                                          \
                                                                                         \
		(void)cell;                                                              \
		change;                                                                  \
		ck_assert(!daxc_request_check(request, &error));                         \
		unit_assert_error(error, DAXC_ERROR_INVALID, text);                      \
	} while (0)

	REFUSE(request->uuid[0] = 'A', "in lower case");
	REFUSE(request->uuid[8] = '0', "not a domain's UUID");
	REFUSE(g_clear_pointer(&request->uuid, g_free), "not a domain's UUID");
	REFUSE(request->name[0] = '\0', "has no name");
	REFUSE(request->tenant[1] = '/', "\"a/me\" is not a tenant's name");
	REFUSE(request->live_id = -2, "-2 is not the id");
	REFUSE(g_ptr_array_set_size(request->cells, 0), "has no cell");
	REFUSE(cell->id = 3, "cell 3 comes after cell 3");
	REFUSE(cell->id = 4, "cell 3 comes after cell 4");
	REFUSE(cell->size = 0, "cell 0: its size of 0 B");
	REFUSE(cell->size += 4096, "is not a multiple of 2 MiB");
	REFUSE(cell->size = -2 * GiB;
	       ((DaxcCellRequest *)request->cells->pdata[1])->size *= 2,
	       "larger than any memory");
	REFUSE(cell->node = -2, "host node below 0");
	REFUSE(g_array_append_val(cell->near, below), "host node below 0");
	REFUSE(cell->wish = DAXC_WISH_COUNT, "it asks for 0 colors");
	REFUSE(cell->wish = DAXC_WISH_COUNT;
	       cell->count = DAXC_COLORS_MAX + 1, "it asks for 65537 colors");
	REFUSE(cell->wish = DAXC_WISH_LIST, "at least one color");
	REFUSE(append_colors(cell, 2, 2), "none twice");
	REFUSE(append_colors(cell, 2, 1), "ascending");
	REFUSE(append_colors(cell, 2, DAXC_COLORS_MAX), "each below 65536");
	REFUSE(cell->wish = 9, "(9) is not known");
#undef REFUSE
}
END_TEST

START_TEST(wishes_that_are_granted)
{
	g_autoptr(DaxcRequest) request = new_request();
	g_autoptr(GError) error = NULL;
	const gint near = 1;

	append_colors(first_cell(request), 0, DAXC_COLORS_MAX - 1);
	g_array_append_val(first_cell(request)->near, near);
	ck_assert(daxc_request_check(request, &error));
	unit_assert_no_error(error);
}
END_TEST

START_TEST(color_lists_go_there_and_back)
{
	static const char *const cases[][2] = {
		{"0", "0"},	    {"1,3", "1,3"},
		{"0-3,8", "0-3,8"}, {"8,3,1-2,0", "0-3,8"},
		{"5-5", "5"},	    {"0-65535", "0-65535"},
		{"65535", "65535"},
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GArray) colors = daxc_color_list_parse(cases[i][0], &error);
		g_autofree char *text = NULL;

		unit_assert_no_error(error);
		text = daxc_color_list_format(colors);
		ck_assert_str_eq(text, cases[i][1]);
	}
}
END_TEST

START_TEST(color_lists_are_ascending)
{
	g_autoptr(GArray) colors = daxc_color_list_parse("8,1-2", NULL);

	ck_assert_uint_eq(colors->len, 3);
	ck_assert_uint_eq(g_array_index(colors, guint32, 0), 1);
	ck_assert_uint_eq(g_array_index(colors, guint32, 1), 2);
	ck_assert_uint_eq(g_array_index(colors, guint32, 2), 8);
}
END_TEST

START_TEST(color_lists_that_are_refused)
{
	static const char *const cases[][2] = {
		{"", "is empty"},
		{",", "color \"\""},
		{"1,", "color \"\""},
		{",1", "color \"\""},
		{"1,,2", "color \"\""},
		{" 1", "color \" 1\""},
		{"1, 2", "color \" 2\""},
		{"-1", "color \"\""},
		{"1-", "color \"\""},
		{"1-2-3", "color \"2-3\""},
		{"3-1", "below its start"},
		{"1,1", "color 1 is named twice"},
		{"0-4,3", "color 3 is named twice"},
		{"65536", "from 0 to 65535"},
		{"0-65536", "from 0 to 65535"},
		{"99999999999999999999", "from 0 to"},
		{"red", "color \"red\""},
		{"0x1", "color \"0x1\""},
		{"1;2", "color \"1;2\""},
		{"+1", "color \"+1\""},
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(daxc_color_list_parse(cases[i][0], &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, cases[i][1]);
	}
}
END_TEST

START_TEST(tenants_have_plain_names)
{
	static const char *const good[] = {"a", "0", "Acme-Corp_2.eu", UUID};
	static const char *const bad[] = {"",	 "-a",	".",	       "..",  "_x", "a b",
					  "a/b", "a\n", "caf\xc3\xa9", "a'b", "a,b"};
	g_autofree char *longest = g_strnfill(64, 'x');
	g_autofree char *longer = g_strnfill(65, 'x');
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(good); i++)
		ck_assert_msg(daxc_tenant_check(good[i], NULL), "%s", good[i]);
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
		ck_assert_msg(!daxc_tenant_check(bad[i], NULL), "%s", bad[i]);
	ck_assert(daxc_tenant_check(longest, NULL));
	ck_assert(!daxc_tenant_check(NULL, NULL));
	ck_assert(!daxc_tenant_check(longer, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "1 to 64");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("request");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, a_new_request_is_whole);
	tcase_add_test(tcase, a_domain_is_its_own_tenant);
	tcase_add_test(tcase, requests_that_are_refused);
	tcase_add_test(tcase, wishes_that_are_granted);
	tcase_add_test(tcase, color_lists_go_there_and_back);
	tcase_add_test(tcase, color_lists_are_ascending);
	tcase_add_test(tcase, color_lists_that_are_refused);
	tcase_add_test(tcase, tenants_have_plain_names);
	return unit_run(suite);
}
