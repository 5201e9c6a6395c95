// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/config.h"
#include "adapters/kernel.h"
#include "doctor/private.h"

#define LAUNCHER BINDIR "/daxcolor-qemu-system-x86_64"
#define QEMU "/usr/bin/qemu-system-x86_64"
#define QEMU_CONF "/etc/libvirt/qemu.conf"
#define LOCAL "/etc/apparmor.d/local/abstractions/libvirt-qemu"
#define LINE "  " BINDIR "/daxcolor-qemu-system-* rmix,\n"
#define IDLE "/sys/module/dax_hmem/parameters/region_idle"
#define SEED "/sys/bus/dax/devices/dax0.0"
#define MODPROBE "/etc/modprobe.d/daxcolor.conf"
#define DEMO EXAMPLES "/hosts/demo.host"

/* A host below a directory of its own, healthy until a test breaks it. */
static char *root;

static char *at(const char *path)
{
	return g_build_filename(root, path, NULL);
}

static void put(const char *path, const char *text)
{
	g_autofree char *real = at(path);
	g_autofree char *dir = g_path_get_dirname(real);

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
	ck_assert(g_file_set_contents(real, text, -1, NULL));
}

static void put_program(const char *path)
{
	g_autofree char *real = at(path);

	put(path, "#!/bin/sh\n");
	ck_assert_int_eq(g_chmod(real, 0755), 0);
}

static void put_link(const char *path, const char *target)
{
	g_autofree char *real = at(path);
	g_autofree char *dir = g_path_get_dirname(real);

	g_unlink(real);
	ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
	ck_assert_int_eq(symlink(target, real), 0);
}

static void take(const char *path)
{
	g_autofree char *real = at(path);

	ck_assert_int_eq(g_remove(real), 0);
}

/* Every instance that the doctor asks for, of one region. */
static char *acl(void)
{
	GString *text = g_string_new("cgroup_device_acl = [ \"/dev/null\"");

	for (guint i = 1; i <= 63; i++)
		g_string_append_printf(text, ", \"/dev/dax0.%u\"", i);
	g_string_append(text, " ]\n");
	return g_string_free(text, FALSE);
}

static void setup(void)
{
	g_autofree char *conf = acl();
	g_autofree char *config = NULL;

	root = g_dir_make_tmp("daxcolor-XXXXXX", NULL);
	ck_assert_ptr_nonnull(root);
	config = at("/daxcolor.conf");
	put("/daxcolor.conf", "");
	g_setenv("DAXCOLOR_CONFIG", config, TRUE);
	put(IDLE, "Y\n");
	put("/sys/module/device_dax/refcnt", "0\n");
	put(SEED "/target_node", "1\n");
	put("/sys/devices/system/node/node1/memory_side_cache/index1/indexing", "0\n");
	put(MODPROBE, "options dax_hmem region_idle=1\n");
	put("/proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n");
	put(QEMU_CONF, conf);
	put("/sys/module/apparmor/parameters/enabled", "Y\n");
	put("/etc/apparmor.d/abstractions/libvirt-qemu", "  /dev/kvm rw,\n");
	put(LOCAL, "# local\n" LINE);
	put_program(GATE);
	put_program(HOOK);
	put_program(LAUNCHER);
	put_program(QEMU);
	put_link(HOOK_LINK, GATE);
}

static void remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (g_file_test(child, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
			remove_tree(child);
		else
			g_unlink(child);
	}
	g_rmdir(path);
}

static void teardown(void)
{
	remove_tree(root);
	g_free(root);
}

static GPtrArray *run(gboolean fix)
{
	const DaxcDoctorOptions options = {.root = root, .fix = fix};

	return daxc_doctor_run(&options);
}

static GPtrArray *run_simulated(const char *state_dir, gboolean fix)
{
	const DaxcDoctorOptions options = {
		.host = {.simulate = DEMO, .state_dir = state_dir},
		.fix = fix,
	};

	return daxc_doctor_run(&options);
}

static const DaxcCheck *find(const GPtrArray *checks, const char *id)
{
	for (guint i = 0; i < checks->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(checks, i);

		if (strcmp(check->id, id) == 0)
			return check;
	}
	ck_abort_msg("no check \"%s\"", id);
}

/* Only @id is not in order; it says @why, and a remedy. */
static void assert_only(const GPtrArray *checks, const char *id, DaxcCheckStatus status,
			const char *why)
{
	const DaxcCheck *found = find(checks, id);

	for (guint i = 0; i < checks->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(checks, i);

		if (check != found)
			ck_assert_msg(check->status == DAXC_CHECK_OK, "%s: %s", check->id,
				      check->why);
	}
	ck_assert_msg(found->status == status, "%s: %s", id, found->why);
	ck_assert_msg(strstr(found->why, why) != NULL, "\"%s\" lacks \"%s\"", found->why,
		      why);
	ck_assert_ptr_nonnull(found->remedy);
}

static void assert_broken(const char *id, const char *why)
{
	g_autoptr(GPtrArray) checks = run(FALSE);

	assert_only(checks, id, DAXC_CHECK_BROKEN, why);
}

static void assert_warning(const char *id, const char *why)
{
	g_autoptr(GPtrArray) checks = run(FALSE);

	assert_only(checks, id, DAXC_CHECK_WARNING, why);
}

/* --fix repairs @id, and then there is nothing left to repair. */
static void assert_fixable(const char *id)
{
	g_autoptr(GPtrArray) fixed = run(TRUE);
	g_autoptr(GPtrArray) after = run(FALSE);

	ck_assert(find(fixed, id)->fixable);
	ck_assert_msg(find(fixed, id)->fixed, "%s", find(fixed, id)->why);
	for (guint i = 0; i < after->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(after, i);

		ck_assert_msg(check->status == DAXC_CHECK_OK, "%s: %s", check->id,
			      check->why);
		ck_assert_ptr_null(check->remedy);
	}
}

START_TEST(a_healthy_host_has_no_complaint)
{
	g_autoptr(GPtrArray) checks = run(FALSE);

	ck_assert_uint_ge(checks->len, 11);
	for (guint i = 0; i < checks->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(checks, i);

		ck_assert_msg(check->status == DAXC_CHECK_OK, "%s: %s", check->id,
			      check->why);
		ck_assert_ptr_null(check->remedy);
	}
}
END_TEST

START_TEST(a_module_that_is_not_loaded)
{
	take("/sys/module/device_dax/refcnt");
	take("/sys/module/device_dax");
	assert_broken("modules", "device_dax");
}
END_TEST

START_TEST(a_module_may_be_built_in)
{
	g_autoptr(GPtrArray) checks = NULL;

	take("/sys/module/device_dax/refcnt");
	take("/sys/module/device_dax");
	put("/sys/bus/dax/drivers/device_dax/new_id", "");
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "modules")->status, DAXC_CHECK_OK);
}
END_TEST

/* Region @id is dax_color's. */
static void put_own(guint id)
{
	g_autofree char *device = g_strdup_printf("/sys/class/dax/dax%u.0", id);
	g_autofree char *node = g_strconcat(device, "/target_node", NULL);
	g_autofree char *mark = g_strconcat(device, "/device/dax_region/geometry", NULL);

	put(node, "1\n");
	put(mark, "none\n");
	put("/sys/module/dax_color/refcnt", "1\n");
}

static void take_bus(void)
{
	take(SEED "/target_node");
	take(SEED);
	take("/sys/module/device_dax/refcnt");
	take("/sys/module/device_dax");
}

/* device_dax is not needed then. */
START_TEST(all_memory_is_our_drivers)
{
	g_autoptr(GPtrArray) checks = NULL;

	put_own(0);
	take_bus();
	checks = run(FALSE);
	/* Its first instance is no seed for good. */
	assert_only(checks, "cgroup-acl", DAXC_CHECK_BROKEN, "/dev/dax0.0");
	ck_assert_str_eq(find(checks, "modules")->why, "dax_color is loaded");
	ck_assert_str_eq(find(checks, "regions")->why, "1 dax region of dax_color");
	ck_assert_str_eq(find(checks, "cache")->why, "direct-mapped");
}
END_TEST

START_TEST(two_drivers_have_memory)
{
	g_autoptr(GPtrArray) checks = NULL;

	put_own(3);
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "regions")->status, DAXC_CHECK_WARNING);
	ck_assert_str_eq(find(checks, "regions")->why,
			 "region 3 of dax_color is used; region 0 of mainline is not");
	put("/daxcolor.conf", "[daxcolor]\nkernel = mainline\n");
	assert_warning("regions",
		       "region 0 of mainline is used; region 3 of dax_color is not");
}
END_TEST

START_TEST(our_driver_is_wanted_and_has_none)
{
	g_autoptr(GPtrArray) checks = NULL;

	put("/daxcolor.conf", "[daxcolor]\nkernel = dax_color\n");
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "modules")->status, DAXC_CHECK_BROKEN);
	ck_assert_ptr_nonnull(strstr(find(checks, "modules")->why, "not loaded"));
	ck_assert_int_eq(find(checks, "regions")->status, DAXC_CHECK_BROKEN);
	ck_assert_ptr_nonnull(strstr(find(checks, "regions")->remedy, "dax-color-bind"));
}
END_TEST

/* Of kernels before 5.1, and not ours. */
START_TEST(other_devices_of_the_class_are_none)
{
	g_autoptr(GPtrArray) checks = NULL;

	put("/sys/class/dax/dax7.0/device/dax_region/size", "1\n");
	checks = run(FALSE);
	ck_assert_str_eq(find(checks, "regions")->why, "1 dax region");
}
END_TEST

START_TEST(no_region_for_want_of_reserved_memory)
{
	take(SEED "/target_node");
	take(SEED);
	assert_broken("regions", "soft-reserved");
}
END_TEST

START_TEST(no_region_though_memory_is_reserved)
{
	take(SEED "/target_node");
	take(SEED);
	put("/proc/iomem", "100000000-2ffffffff : Soft Reserved\n");
	assert_broken("regions", "no dax region was made");
}
END_TEST

START_TEST(kmem_has_taken_the_region)
{
	put_link(SEED "/driver", "../../drivers/kmem");
	assert_broken("kmem", "dax0.0");
}
END_TEST

START_TEST(a_region_that_went_to_a_driver_whole)
{
	put(IDLE, "N\n");
	put_link(SEED "/driver", "../../drivers/device_dax");
	assert_broken("region-idle", "dax0.0 (device_dax)");
	put(IDLE, "Y\n");
}
END_TEST

START_TEST(region_idle_that_cannot_be_read_is_seen_by_its_effect)
{
	take(IDLE);
	put_link(SEED "/driver", "../../drivers/device_dax");
	assert_broken("region-idle", "dax0.0 (device_dax)");
}
END_TEST

START_TEST(region_idle_that_came_too_late)
{
	put(IDLE, "N\n");
	assert_warning("region-idle", "without region_idle=1");
}
END_TEST

START_TEST(the_next_boot_has_no_region_idle)
{
	take(MODPROBE);
	assert_warning("boot", "region_idle=1");
	assert_fixable("boot");
}
END_TEST

START_TEST(a_comment_does_not_set_region_idle)
{
	put(MODPROBE,
	    "# options dax_hmem region_idle=1\noptions dax_hmem region_idle=0\n");
	assert_warning("boot", "region_idle=1");
}
END_TEST

START_TEST(region_idle_may_be_on_the_command_line)
{
	g_autoptr(GPtrArray) checks = NULL;

	take(MODPROBE);
	put("/proc/cmdline", "root=/dev/vda dax_hmem.region_idle=1\n");
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "boot")->status, DAXC_CHECK_OK);
}
END_TEST

START_TEST(a_cache_that_is_not_direct_mapped)
{
	put("/sys/devices/system/node/node1/memory_side_cache/index1/indexing", "1\n");
	assert_broken("cache", "node 1 is not direct-mapped");
}
END_TEST

START_TEST(the_launcher_is_missing)
{
	take(LAUNCHER);
	assert_broken("launcher", LAUNCHER);
}
END_TEST

START_TEST(the_qemu_behind_the_launcher_is_missing)
{
	take(QEMU);
	assert_broken("launcher", QEMU ", which the launcher");
}
END_TEST

START_TEST(qemu_may_be_elsewhere_than_the_launcher)
{
	g_autoptr(GError) error = NULL;

	put_program("/opt/daxcolor-qemu-system-x86_64");
	ck_assert(daxc_doctor_check_start_in(
		root, QEMU_CONF, "/opt/daxcolor-qemu-system-x86_64", NULL, &error));
	unit_assert_no_error(error);
}
END_TEST

START_TEST(the_hook_is_missing)
{
	take(HOOK_LINK);
	assert_broken("hook", HOOK_LINK);
	assert_fixable("hook");
}
END_TEST

START_TEST(the_hook_leads_elsewhere)
{
	put_link(HOOK_LINK, "/bin/true");
	assert_broken("hook", "leads to /bin/true");
	assert_fixable("hook");
}
END_TEST

START_TEST(a_hook_of_somebody_else_is_not_overwritten)
{
	g_autoptr(GPtrArray) checks = NULL;
	g_autofree char *path = at(HOOK_LINK);
	g_autofree char *text = NULL;

	take(HOOK_LINK);
	put(HOOK_LINK, "#!/bin/sh\n# mine\n");
	checks = run(TRUE);
	ck_assert_int_eq(find(checks, "hook")->status, DAXC_CHECK_BROKEN);
	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	ck_assert_str_eq(text, "#!/bin/sh\n# mine\n");
}
END_TEST

START_TEST(the_gate_cannot_be_executed)
{
	g_autofree char *path = at(GATE);

	ck_assert_int_eq(g_chmod(path, 0644), 0);
	assert_broken("hook", GATE);
}
END_TEST

START_TEST(the_cgroup_keeps_guests_from_instances)
{
	put(QEMU_CONF, "user = \"root\"\n");
	assert_broken("cgroup-acl", "/dev/dax0.1 and 62 more");
	assert_fixable("cgroup-acl");
}
END_TEST

START_TEST(each_region_has_instances_of_its_own)
{
	put("/sys/bus/dax/devices/dax7.0/target_node", "1\n");
	assert_broken("cgroup-acl", "/dev/dax7.1 and 62 more");
	assert_fixable("cgroup-acl");
}
END_TEST

START_TEST(without_the_controller_the_list_does_not_matter)
{
	g_autoptr(GPtrArray) checks = NULL;

	put(QEMU_CONF, "cgroup_controllers = [ \"cpu\" ]\n");
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "cgroup-acl")->status, DAXC_CHECK_OK);

	put(QEMU_CONF, "");
	put("/proc/mounts", "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n");
	g_ptr_array_unref(checks);
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "cgroup-acl")->status, DAXC_CHECK_OK);

	put("/proc/mounts", "cgroup /sys/fs/cgroup/devices cgroup rw,devices 0 0\n");
	g_ptr_array_unref(checks);
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "cgroup-acl")->status, DAXC_CHECK_BROKEN);
}
END_TEST

START_TEST(a_qemu_conf_that_nobody_understands)
{
	put(QEMU_CONF, "user \"root\"\n");
	assert_broken("cgroup-acl", "line 1");
}
END_TEST

START_TEST(apparmor_keeps_guests_from_the_launcher)
{
	g_autofree char *path = at(LOCAL);
	g_autofree char *text = NULL;

	put(LOCAL, "# site\n  /srv/images/** rw,");
	assert_broken("apparmor", LOCAL " lacks the line");
	assert_fixable("apparmor");
	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	ck_assert(g_str_has_prefix(text, "# site\n  /srv/images/** rw,\n"));
	ck_assert(g_str_has_suffix(text, LINE));
}
END_TEST

START_TEST(apparmor_without_a_local_file)
{
	take(LOCAL);
	assert_broken("apparmor", LOCAL);
	assert_fixable("apparmor");
}
END_TEST

START_TEST(apparmor_lines_that_do_not_do)
{
	static const char *const lines[] = {
		"#" LINE,
		"  " BINDIR "/daxcolor-qemu-system-* r,\n",
		"  " BINDIR "/daxcolor-qemu-system-* rmPUx,\n",
		"  " BINDIR "/qemu-system-* rmix,\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		put(LOCAL, lines[i]);
		assert_broken("apparmor", "lacks the line");
	}
	put(LOCAL, BINDIR "/daxcolor-qemu-system-x86_64 mrix,\n");
	{
		g_autoptr(GPtrArray) checks = run(FALSE);

		ck_assert_int_eq(find(checks, "apparmor")->status, DAXC_CHECK_OK);
	}
}
END_TEST

START_TEST(apparmor_that_nobody_uses)
{
	g_autoptr(GPtrArray) checks = NULL;
	g_autofree char *list = acl();
	g_autofree char *conf = g_strconcat("security_driver = \"none\"\n", list, NULL);

	take(LOCAL);
	put(QEMU_CONF, conf);
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "apparmor")->status, DAXC_CHECK_OK);

	put(QEMU_CONF, list);
	put("/sys/module/apparmor/parameters/enabled", "N\n");
	g_ptr_array_unref(checks);
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "apparmor")->status, DAXC_CHECK_OK);
}
END_TEST

/* A daemon with pid 42 that started @age seconds ago, on a host that had just
 * booted then. */
static void put_daemon(const char *age)
{
	put("/run/libvirtd.pid", "42\n");
	put("/proc/42/comm", "libvirtd\n");
	put("/proc/42/stat",
	    "42 (libvirtd (x)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 "
	    "17 0 0 1000 2000\n");
	put("/proc/uptime", age);
}

START_TEST(a_daemon_older_than_the_hook)
{
	put_daemon("3600.00 7000.00\n");
	assert_broken("daemon",
		      "libvirtd (pid 42) has not been restarted since " HOOK_LINK);
}
END_TEST

START_TEST(a_daemon_older_than_qemu_conf)
{
	g_autoptr(GPtrArray) checks = NULL;

	put_daemon("3600.00 7000.00\n");
	take(HOOK_LINK);
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "daemon")->status, DAXC_CHECK_WARNING);
	ck_assert(strstr(find(checks, "daemon")->why, QEMU_CONF));
}
END_TEST

START_TEST(a_daemon_that_knows_everything)
{
	g_autoptr(GPtrArray) checks = NULL;

	put_daemon("-3600.00 7000.00\n");
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "daemon")->status, DAXC_CHECK_OK);
	ck_assert(strstr(find(checks, "daemon")->why, "pid 42"));
}
END_TEST

START_TEST(a_pid_that_is_no_daemon_any_more)
{
	g_autoptr(GPtrArray) checks = NULL;

	put_daemon("3600.00 7000.00\n");
	put("/proc/42/comm", "bash\n");
	checks = run(FALSE);
	ck_assert_int_eq(find(checks, "daemon")->status, DAXC_CHECK_OK);
}
END_TEST

/* A directory for a ledger, below the root. */
static char *state_dir(void)
{
	char *dir = at("/state");

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
	return dir;
}

static void carve(const char *dir)
{
	const DaxcHostOptions options = {.simulate = DEMO, .state_dir = dir};
	g_autoptr(GError) error = NULL;
	g_autoptr(DaxcHost) host = daxc_host_open(&options, &error);
	g_autoptr(DaxcRequest) request =
		daxc_request_new("2f3b1c9a-50a1-4b62-a5d0-1f6ad0d3b7aa", "web1", "acme");
	g_autoptr(GPtrArray) carvings = NULL;

	unit_assert_no_error(error);
	g_ptr_array_add(request->cells, daxc_cell_request_new(0, DAXC_GRANULE_MAX));
	carvings = daxc_host_carve(host, request, &error);
	unit_assert_no_error(error);
}

START_TEST(systemd_does_not_know_of_us)
{
	put("/run/systemd/system/x", "");
	assert_warning("units", "daxcolor-recover.service is not enabled");
	put_link("/etc/systemd/system/libvirtd.service.wants/daxcolor-recover.service",
		 "/usr/lib/systemd/system/daxcolor-recover.service");
	assert_warning("units", "daxcolor-scrub.path is not enabled");
	put_link("/etc/systemd/system/multi-user.target.wants/daxcolor-scrub.path",
		 "/usr/lib/systemd/system/daxcolor-scrub.path");
	g_autoptr(GPtrArray) checks = run(FALSE);

	ck_assert_int_eq(find(checks, "units")->status, DAXC_CHECK_OK);
}
END_TEST

START_TEST(a_simulated_host_has_no_libvirt)
{
	g_autofree char *dir = state_dir();
	g_autoptr(GPtrArray) checks = NULL;

	carve(dir);
	checks = run_simulated(dir, FALSE);
	for (guint i = 0; i < checks->len; i++) {
		const DaxcCheck *check = g_ptr_array_index(checks, i);

		ck_assert_msg(check->status == DAXC_CHECK_OK, "%s: %s", check->id,
			      check->why);
		ck_assert_str_ne(check->id, "hook");
	}
	ck_assert(strstr(find(checks, "agreement")->why, "1 carving,"));
	ck_assert(strstr(find(checks, "geometry")->why, "region 0: 4 colors"));
}
END_TEST

START_TEST(a_host_may_be_simulated_by_the_environment)
{
	const DaxcDoctorOptions options = {.root = root};
	g_autoptr(GPtrArray) checks = NULL;

	g_setenv("DAXCOLOR_SIMULATE", DEMO, TRUE);
	checks = daxc_doctor_run(&options);
	g_unsetenv("DAXCOLOR_SIMULATE");
	ck_assert_str_eq(((DaxcCheck *)g_ptr_array_index(checks, 0))->id, "host");
	ck_assert(strstr(find(checks, "ledger")->why, "in memory"));
}
END_TEST

START_TEST(a_ledger_that_others_can_read)
{
	g_autofree char *dir = state_dir();
	g_autofree char *file = g_build_filename(dir, "ledger.db", NULL);
	g_autoptr(GPtrArray) checks = NULL, fixed = NULL;
	struct stat st;

	carve(dir);
	ck_assert_int_eq(g_chmod(file, 0644), 0);
	checks = run_simulated(dir, FALSE);
	assert_only(checks, "ledger", DAXC_CHECK_WARNING, "mode 644");
	fixed = run_simulated(dir, TRUE);
	ck_assert(find(fixed, "ledger")->fixed);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* What somebody may have put in is not blessed by a change of its mode. */
START_TEST(a_ledger_that_others_can_write)
{
	g_autofree char *dir = state_dir();
	g_autofree char *file = g_build_filename(dir, "ledger.db", NULL);
	g_autoptr(GPtrArray) checks = NULL;
	struct stat st;

	carve(dir);
	ck_assert_int_eq(g_chmod(file, 0666), 0);
	checks = run_simulated(dir, TRUE);
	ck_assert_int_eq(find(checks, "ledger")->status, DAXC_CHECK_BROKEN);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
}
END_TEST

START_TEST(a_ledger_that_is_none)
{
	g_autofree char *dir = state_dir();
	g_autoptr(GPtrArray) checks = NULL;

	put("/state/ledger.db", "this is no database, whatever it is called\n");
	checks = run_simulated(dir, FALSE);
	ck_assert_int_eq(find(checks, "host")->status, DAXC_CHECK_BROKEN);
	ck_assert_ptr_nonnull(find(checks, "host")->remedy);
}
END_TEST

START_TEST(a_carving_without_an_instance)
{
	g_autofree char *dir = state_dir();
	g_autoptr(GPtrArray) checks = NULL;

	carve(dir);
	take("/state/simulated-kernel");
	checks = run_simulated(dir, FALSE);
	assert_only(checks, "agreement", DAXC_CHECK_WARNING, "web1 cell 0 (no instance)");
}
END_TEST

START_TEST(a_carving_that_nobody_has_claimed)
{
	g_autofree char *dir = state_dir();
	g_autofree char *file = g_build_filename(dir, "simulated-kernel", NULL);
	g_autoptr(DaxcConfig) host = daxc_config_load_host(DEMO, NULL);
	g_autoptr(DaxcKernel) kernel = daxc_kernel_sim_new(host->regions, file, NULL);
	g_autoptr(DaxcInstance) instance = NULL;
	g_autoptr(GPtrArray) checks = NULL;

	carve(dir);
	instance = daxc_kernel_instance(kernel, "dax0.1", NULL);
	ck_assert(daxc_kernel_unclaim(kernel, instance, NULL));
	checks = run_simulated(dir, FALSE);
	assert_only(checks, "agreement", DAXC_CHECK_WARNING, "web1 cell 0 (not claimed)");
}
END_TEST

START_TEST(an_instance_that_nobody_knows)
{
	g_autofree char *dir = state_dir();
	g_autofree char *file = g_build_filename(dir, "simulated-kernel", NULL);
	g_autoptr(DaxcConfig) host = daxc_config_load_host(DEMO, NULL);
	g_autoptr(DaxcKernel) kernel = daxc_kernel_sim_new(host->regions, file, NULL);
	g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	const DaxcKernelCarving asked = {.region = 0,
					 .align = DAXC_GRANULE_MAX,
					 .granule = DAXC_GRANULE_MAX,
					 .extents = extents};
	const DaxcExtent extent = {0x100000000, DAXC_GRANULE_MAX};
	g_autoptr(GPtrArray) checks = NULL;
	g_autofree char *name = NULL;

	g_array_append_val(extents, extent);
	ck_assert(daxc_kernel_carve(kernel, &asked, &name, NULL));
	checks = run_simulated(dir, FALSE);
	assert_only(checks, "foreign", DAXC_CHECK_WARNING, "dax0.1 (1 GiB)");
}
END_TEST

static gboolean check_start(const char *emulator, const char *device, GError **error)
{
	const char *const devices[] = {device, NULL};

	return daxc_doctor_check_start_in(root, QEMU_CONF, emulator,
					  device ? devices : NULL, error);
}

static void assert_refused(const char *emulator, const char *device, const char *text)
{
	g_autoptr(GError) error = NULL;

	ck_assert(!check_start(emulator, device, &error));
	unit_assert_error(error, DAXC_ERROR_REFUSED, text);
}

START_TEST(a_start_that_will_do)
{
	g_autoptr(GError) error = NULL;

	ck_assert(check_start(LAUNCHER, "/dev/dax0.1", &error));
	ck_assert(check_start(NULL, NULL, &error));
	unit_assert_no_error(error);
}
END_TEST

START_TEST(a_start_without_the_launcher)
{
	assert_refused(QEMU, NULL, QEMU " is not the launcher");
	take(QEMU);
	assert_refused(LAUNCHER, NULL, "install QEMU");
	take(LAUNCHER);
	assert_refused(LAUNCHER, NULL, "the launcher " LAUNCHER " is not there");
}
END_TEST

START_TEST(a_start_that_apparmor_would_stop)
{
	take(LOCAL);
	assert_refused(LAUNCHER, NULL, "daxcolor doctor --fix");
}
END_TEST

START_TEST(a_start_that_the_cgroup_would_stop)
{
	assert_refused(LAUNCHER, "/dev/dax1.1", "cgroup_device_acl");
	assert_refused(LAUNCHER, "/dev/dax0.64", "/dev/dax0.64");
}
END_TEST

START_TEST(qemu_conf_is_read_only_when_it_matters)
{
	put(QEMU_CONF, "user \"root\"\n");
	ck_assert(check_start(LAUNCHER, NULL, NULL));
	assert_refused(LAUNCHER, "/dev/dax0.1", "line 1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("doctor");
	TCase *tcase = tcase_create("doctor");

	g_setenv("AUGEAS_LENS_LIB", LENSES, TRUE);
	g_unsetenv("DAXCOLOR_SIMULATE");
	g_unsetenv("DAXCOLOR_STATE_DIR");
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_healthy_host_has_no_complaint);
	tcase_add_test(tcase, a_module_that_is_not_loaded);
	tcase_add_test(tcase, a_module_may_be_built_in);
	tcase_add_test(tcase, all_memory_is_our_drivers);
	tcase_add_test(tcase, two_drivers_have_memory);
	tcase_add_test(tcase, our_driver_is_wanted_and_has_none);
	tcase_add_test(tcase, other_devices_of_the_class_are_none);
	tcase_add_test(tcase, no_region_for_want_of_reserved_memory);
	tcase_add_test(tcase, no_region_though_memory_is_reserved);
	tcase_add_test(tcase, kmem_has_taken_the_region);
	tcase_add_test(tcase, a_region_that_went_to_a_driver_whole);
	tcase_add_test(tcase, region_idle_that_cannot_be_read_is_seen_by_its_effect);
	tcase_add_test(tcase, region_idle_that_came_too_late);
	tcase_add_test(tcase, the_next_boot_has_no_region_idle);
	tcase_add_test(tcase, a_comment_does_not_set_region_idle);
	tcase_add_test(tcase, region_idle_may_be_on_the_command_line);
	tcase_add_test(tcase, a_cache_that_is_not_direct_mapped);
	tcase_add_test(tcase, the_launcher_is_missing);
	tcase_add_test(tcase, the_qemu_behind_the_launcher_is_missing);
	tcase_add_test(tcase, qemu_may_be_elsewhere_than_the_launcher);
	tcase_add_test(tcase, the_hook_is_missing);
	tcase_add_test(tcase, the_hook_leads_elsewhere);
	tcase_add_test(tcase, a_hook_of_somebody_else_is_not_overwritten);
	tcase_add_test(tcase, the_gate_cannot_be_executed);
	tcase_add_test(tcase, the_cgroup_keeps_guests_from_instances);
	tcase_add_test(tcase, each_region_has_instances_of_its_own);
	tcase_add_test(tcase, without_the_controller_the_list_does_not_matter);
	tcase_add_test(tcase, a_qemu_conf_that_nobody_understands);
	tcase_add_test(tcase, apparmor_keeps_guests_from_the_launcher);
	tcase_add_test(tcase, apparmor_without_a_local_file);
	tcase_add_test(tcase, apparmor_lines_that_do_not_do);
	tcase_add_test(tcase, apparmor_that_nobody_uses);
	tcase_add_test(tcase, a_daemon_older_than_the_hook);
	tcase_add_test(tcase, a_daemon_older_than_qemu_conf);
	tcase_add_test(tcase, a_daemon_that_knows_everything);
	tcase_add_test(tcase, a_pid_that_is_no_daemon_any_more);
	tcase_add_test(tcase, systemd_does_not_know_of_us);
	tcase_add_test(tcase, a_simulated_host_has_no_libvirt);
	tcase_add_test(tcase, a_host_may_be_simulated_by_the_environment);
	tcase_add_test(tcase, a_ledger_that_others_can_read);
	tcase_add_test(tcase, a_ledger_that_others_can_write);
	tcase_add_test(tcase, a_ledger_that_is_none);
	tcase_add_test(tcase, a_carving_without_an_instance);
	tcase_add_test(tcase, a_carving_that_nobody_has_claimed);
	tcase_add_test(tcase, an_instance_that_nobody_knows);
	tcase_add_test(tcase, a_start_that_will_do);
	tcase_add_test(tcase, a_start_without_the_launcher);
	tcase_add_test(tcase, a_start_that_apparmor_would_stop);
	tcase_add_test(tcase, a_start_that_the_cgroup_would_stop);
	tcase_add_test(tcase, qemu_conf_is_read_only_when_it_matters);
	return unit_run(suite);
}
