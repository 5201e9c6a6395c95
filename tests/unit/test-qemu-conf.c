// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <augeas.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/qemu-conf.h"

#define DATA TEST_DATA "/qemu-conf/"

static const char *const two[] = {"/dev/dax0.1", "/dev/dax0.2", NULL};

/* A copy of a fixture that may be changed; all in @dir. */
static char *dir;

static char *copy_of(const char *fixture)
{
	g_autofree char *from = g_strconcat(DATA, fixture, NULL);
	g_autofree char *text = NULL;
	char *to = g_build_filename(dir, fixture, NULL);
	gsize length;

	ck_assert(g_file_get_contents(from, &text, &length, NULL));
	ck_assert(g_file_set_contents(to, text, (gssize)length, NULL));
	ck_assert_int_eq(g_chmod(to, 0600), 0);
	return to;
}

static void setup(void)
{
	dir = g_dir_make_tmp("daxcolor-XXXXXX", NULL);
	ck_assert_ptr_nonnull(dir);
}

static void teardown(void)
{
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(list))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		g_unlink(path);
	}
	g_rmdir(dir);
	g_free(dir);
}

static DaxcQemuConf *load(const char *path)
{
	g_autoptr(GError) error = NULL;
	DaxcQemuConf *conf = daxc_qemu_conf_load(path, &error);

	unit_assert_no_error(error);
	return conf;
}

START_TEST(a_missing_file_means_libvirts_defaults)
{
	g_autoptr(DaxcQemuConf) conf = load(DATA "none.conf");

	ck_assert_str_eq(conf->memory_backing_dir, "/var/lib/libvirt/qemu/ram");
	ck_assert_ptr_null(conf->user);
	ck_assert(!conf->device_acl_set);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/kvm"));
	ck_assert(!daxc_qemu_conf_allows(conf, "/dev/dax0.1"));
	ck_assert(daxc_qemu_conf_uses_devices(conf));
	ck_assert(daxc_qemu_conf_uses_driver(conf, "apparmor"));
}
END_TEST

START_TEST(comments_set_nothing_but_say_the_default)
{
	g_autoptr(DaxcQemuConf) conf = load(DATA "shipped.conf");

	ck_assert_ptr_null(conf->user);
	ck_assert_str_eq(conf->memory_backing_dir, "/var/lib/libvirt/qemu/ram");
	ck_assert(!conf->device_acl_set);
	ck_assert_uint_eq(g_strv_length(conf->device_acl), 8);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/userfaultfd"));
	ck_assert(!daxc_qemu_conf_allows(conf, "/dev/infiniband/rdma_cm"));
}
END_TEST

START_TEST(a_list_of_ours_that_is_commented_out_is_no_default)
{
	g_autofree char *path = g_build_filename(dir, "qemu.conf", NULL);
	g_autoptr(DaxcQemuConf) conf = NULL;

	ck_assert(g_file_set_contents(path,
				      "#cgroup_device_acl = [ \"/dev/null\",\n"
				      "#  \"/dev/dax0.1\" ]\n",
				      -1, NULL));
	conf = load(path);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/null"));
	ck_assert(!daxc_qemu_conf_allows(conf, "/dev/dax0.1"));
}
END_TEST

START_TEST(all_that_libvirt_takes_is_read)
{
	g_autoptr(DaxcQemuConf) conf = load(DATA "full.conf");

	ck_assert_str_eq(conf->user, "+64055");
	ck_assert_str_eq(conf->memory_backing_dir, "/srv/guests/libvirt/qemu");
	ck_assert(conf->device_acl_set);
	ck_assert_uint_eq(g_strv_length(conf->device_acl), 3);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/kvm"));
	ck_assert(daxc_qemu_conf_uses_devices(conf));
	ck_assert(daxc_qemu_conf_uses_driver(conf, "apparmor"));
	ck_assert(!daxc_qemu_conf_uses_driver(conf, "none"));
}
END_TEST

START_TEST(a_last_line_needs_no_end)
{
	g_autoptr(DaxcQemuConf) conf = load(DATA "no-newline.conf");

	ck_assert_str_eq(conf->user, "root");
}
END_TEST

START_TEST(controllers_without_devices_keep_guests_from_nothing)
{
	g_autofree char *path = g_build_filename(dir, "qemu.conf", NULL);
	g_autoptr(DaxcQemuConf) conf = NULL;

	ck_assert(g_file_set_contents(path,
				      "cgroup_controllers = [ \"cpu\" ]\n"
				      "security_driver = \"none\"\n",
				      -1, NULL));
	conf = load(path);
	ck_assert(!daxc_qemu_conf_uses_devices(conf));
	ck_assert(!daxc_qemu_conf_uses_driver(conf, "apparmor"));
}
END_TEST

START_TEST(what_libvirt_would_not_read_is_an_error_with_its_line)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(daxc_qemu_conf_load(DATA "broken.conf", &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "broken.conf, line 3:");
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
	g_autofree char *path = g_build_filename(dir, "qemu.conf", NULL);
	g_autofree char *big = g_strnfill((2 << 20) + 1, '\n');
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_set_contents(path, "user = \"a\"\n\0b", 12, NULL));
	ck_assert_ptr_null(daxc_qemu_conf_load(path, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "NUL");
	g_clear_error(&error);

	ck_assert(g_file_set_contents(path, big, -1, NULL));
	ck_assert_ptr_null(daxc_qemu_conf_load(path, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "longer than 1 MiB");
	g_clear_error(&error);

	ck_assert_ptr_null(daxc_qemu_conf_load(dir, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "not a regular file");
}
END_TEST

/* Slow, so the program does without. */
START_TEST(the_lens_is_sound)
{
	augeas *aug = aug_init(NULL, LENSES,
			       AUG_NO_STDINC | AUG_NO_LOAD | AUG_NO_MODL_AUTOLOAD |
				       AUG_TYPE_CHECK);

	ck_assert_ptr_nonnull(aug);
	ck_assert_int_eq(aug_set(aug, "/text", "a = [ \"b\", 'c' ]\n"), 0);
	ck_assert_int_eq(aug_text_store(aug, "Daxcolor_qemu_conf.lns", "/text", "/conf"),
			 0);
	aug_close(aug);
}
END_TEST

START_TEST(allowing_keeps_libvirts_default)
{
	g_autofree char *path = copy_of("shipped.conf");
	g_autofree char *old_path = g_strconcat(path, ".daxcolor-old", NULL);
	g_autofree char *before = NULL, *after = NULL, *old = NULL;
	g_autoptr(DaxcQemuConf) conf = NULL;
	g_autoptr(GError) error = NULL;
	gboolean changed = FALSE;
	struct stat st;

	ck_assert(g_file_get_contents(path, &before, NULL, NULL));
	ck_assert(daxc_qemu_conf_allow(path, two, &changed, &error));
	ck_assert(changed);
	conf = load(path);
	ck_assert_uint_eq(g_strv_length(conf->device_acl), 10);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/userfaultfd"));
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/dax0.2"));
	/* The rest is as it was, the old file is there, nobody else can read it. */
	ck_assert(g_file_get_contents(path, &after, NULL, NULL));
	ck_assert(g_str_has_prefix(after, before));
	ck_assert(g_file_get_contents(old_path, &old, NULL, NULL));
	ck_assert_str_eq(old, before);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(old_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(allowing_adds_only_what_is_missing)
{
	g_autofree char *path = copy_of("full.conf");
	g_autofree char *first = NULL, *second = NULL;
	g_autoptr(DaxcQemuConf) conf = NULL;
	gboolean changed = FALSE;

	ck_assert(daxc_qemu_conf_allow(path, two, &changed, NULL));
	ck_assert(changed);
	conf = load(path);
	ck_assert_uint_eq(g_strv_length(conf->device_acl), 5);
	ck_assert_str_eq(conf->user, "+64055");
	ck_assert(g_file_get_contents(path, &first, NULL, NULL));
	ck_assert(strstr(first, "# a comment after a value") != NULL);
	ck_assert(strstr(first, "empty = []") != NULL);

	ck_assert(daxc_qemu_conf_allow(path, two, &changed, NULL));
	ck_assert(!changed);
	ck_assert(g_file_get_contents(path, &second, NULL, NULL));
	ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(allowing_in_a_broken_file_changes_nothing)
{
	g_autofree char *path = copy_of("broken.conf");
	g_autofree char *before = NULL, *after = NULL;
	g_autoptr(GError) error = NULL;
	gboolean changed;

	ck_assert(g_file_get_contents(path, &before, NULL, NULL));
	ck_assert(!daxc_qemu_conf_allow(path, two, &changed, &error));
	unit_assert_error(error, DAXC_ERROR_INVALID, "line 3");
	ck_assert(g_file_get_contents(path, &after, NULL, NULL));
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(allowing_does_not_make_a_list_of_what_is_none)
{
	g_autofree char *path = g_build_filename(dir, "qemu.conf", NULL);
	g_autofree char *after = NULL;
	g_autoptr(GError) error = NULL;
	gboolean changed;

	ck_assert(g_file_set_contents(path, "cgroup_device_acl = \"/dev/null\"\n", -1,
				      NULL));
	ck_assert(!daxc_qemu_conf_allow(path, two, &changed, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "must be a list");
	ck_assert(g_file_get_contents(path, &after, NULL, NULL));
	ck_assert_str_eq(after, "cgroup_device_acl = \"/dev/null\"\n");
}
END_TEST

START_TEST(allowing_writes_through_a_link)
{
	g_autofree char *path = copy_of("shipped.conf");
	g_autofree char *link = g_build_filename(dir, "link.conf", NULL);
	g_autoptr(DaxcQemuConf) conf = NULL;
	gboolean changed;

	ck_assert_int_eq(symlink("shipped.conf", link), 0);
	ck_assert(daxc_qemu_conf_allow(link, two, &changed, NULL));
	ck_assert(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
	conf = load(path);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/dax0.1"));
}
END_TEST

START_TEST(allowing_makes_a_missing_file)
{
	g_autofree char *path = g_build_filename(dir, "qemu.conf", NULL);
	g_autoptr(DaxcQemuConf) conf = NULL;
	gboolean changed;

	ck_assert(daxc_qemu_conf_allow(path, two, &changed, NULL));
	conf = load(path);
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/dax0.1"));
	ck_assert(daxc_qemu_conf_allows(conf, "/dev/null"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu-conf");
	TCase *tcase = tcase_create("qemu-conf");

	g_setenv("AUGEAS_LENS_LIB", LENSES, TRUE);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_missing_file_means_libvirts_defaults);
	tcase_add_test(tcase, comments_set_nothing_but_say_the_default);
	tcase_add_test(tcase, a_list_of_ours_that_is_commented_out_is_no_default);
	tcase_add_test(tcase, all_that_libvirt_takes_is_read);
	tcase_add_test(tcase, a_last_line_needs_no_end);
	tcase_add_test(tcase, controllers_without_devices_keep_guests_from_nothing);
	tcase_add_test(tcase, what_libvirt_would_not_read_is_an_error_with_its_line);
	tcase_add_test(tcase, what_is_no_text_is_refused);
	tcase_add_test(tcase, the_lens_is_sound);
	tcase_add_test(tcase, allowing_keeps_libvirts_default);
	tcase_add_test(tcase, allowing_adds_only_what_is_missing);
	tcase_add_test(tcase, allowing_in_a_broken_file_changes_nothing);
	tcase_add_test(tcase, allowing_does_not_make_a_list_of_what_is_none);
	tcase_add_test(tcase, allowing_writes_through_a_link);
	tcase_add_test(tcase, allowing_makes_a_missing_file);
	return unit_run(suite);
}
