// SPDX-License-Identifier: LGPL-2.1-or-later
/* The doctor on libvirt: launcher, hook, qemu.conf, AppArmor, the daemon. */
#include "doctor/private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#define APPARMOR_ENABLED "/sys/module/apparmor/parameters/enabled"
#define APPARMOR_DIR "/etc/apparmor.d"
#define APPARMOR_ABSTRACTION APPARMOR_DIR "/abstractions/libvirt-qemu"
#define APPARMOR_LOCAL APPARMOR_DIR "/local/abstractions/libvirt-qemu"
#define APPARMOR_LINE LAUNCHERS "* rmix,"

/* Instances of a region that qemu.conf is told of: ids are reused lowest first,
 * and .0 is the region's seed, which no guest gets. */
#define FIRST_INSTANCE 1u
#define LAST_INSTANCE 63u

static gboolean is_program(const Doctor *doctor, const char *path)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);
	struct stat st;

	return stat(real, &st) == 0 && S_ISREG(st.st_mode) && access(real, X_OK) == 0;
}

static void not_a_program(const char *what, const char *remedy, DaxcCheck *check)
{
	daxc_doctor_verdict(
		check, DAXC_CHECK_BROKEN,
		g_strdup_printf("%s is not there or cannot be executed", what),
		g_strdup(remedy));
}

static const DaxcQemuConf *qemu_conf(Doctor *doctor)
{
	g_autofree char *path = NULL;

	if (doctor->conf || doctor->conf_error)
		return doctor->conf;
	path = daxc_doctor_path(doctor, doctor->qemu_conf);
	doctor->conf = daxc_qemu_conf_load(path, &doctor->conf_error);
	return doctor->conf;
}

static void conf_unreadable(Doctor *doctor, DaxcCheck *check)
{
	daxc_doctor_verdict(check, DAXC_CHECK_BROKEN,
			    g_strdup(doctor->conf_error->message),
			    g_strdup("correct the file, or run this as root"));
}
static gboolean cgroup_limits_devices(const Doctor *doctor)
{
	g_autofree char *text = daxc_doctor_text(doctor, "/proc/mounts");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

	for (guint i = 0; lines[i]; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 5);

		if (g_strv_length(words) < 4)
			continue;
		if (strcmp(words[2], "cgroup2") == 0)
			return TRUE;
		if (strcmp(words[2], "cgroup") == 0) {
			g_auto(GStrv) options = g_strsplit(words[3], ",", -1);

			if (g_strv_contains((const char *const *)options, "devices"))
				return TRUE;
		}
	}
	return FALSE;
}

static char *instance_path(guint region, guint number)
{
	return g_strdup_printf("/dev/dax%u.%u", region, number);
}

static GStrv paths_of_regions(const Doctor *doctor)
{
	/* dax_color's first is a seed only until somebody uses it. */
	guint first = doctor->dax_color ? 0 : FIRST_INSTANCE;
	guint each = LAST_INSTANCE - first + 1, n = 0;
	GStrv paths = g_new0(char *, doctor->regions->len *each + 1);

	for (guint i = 0; i < doctor->regions->len; i++) {
		guint region = g_array_index(doctor->regions, guint, i);

		for (guint j = first; j <= LAST_INSTANCE; j++)
			paths[n++] = instance_path(region, j);
	}
	return paths;
}

/* Lacking ones of @devices; short, since there are 63 to a region. */
static char *lacking(const DaxcQemuConf *conf, const char *const *devices)
{
	const char *first = NULL;
	guint n = 0;

	for (guint i = 0; devices[i]; i++) {
		if (daxc_qemu_conf_allows(conf, devices[i]))
			continue;
		if (!first)
			first = devices[i];
		n++;
	}
	if (n <= 1)
		return g_strdup(first);
	return g_strdup_printf("%s and %u more", first, n - 1);
}

void daxc_doctor_judge_acl(Doctor *doctor, const char *const *devices, DaxcCheck *check)
{
	const DaxcQemuConf *conf = qemu_conf(doctor);
	g_autofree char *names = NULL;

	if (!conf) {
		conf_unreadable(doctor, check);
		return;
	}
	if (!daxc_qemu_conf_uses_devices(conf) || !cgroup_limits_devices(doctor)) {
		daxc_doctor_ok(check,
			       "libvirt does not limit guests' devices by cgroup here");
		return;
	}
	names = lacking(conf, devices);
	if (!names) {
		daxc_doctor_ok(check, "guests may open the instances");
		return;
	}
	check->fixable = TRUE;
	daxc_doctor_verdict(
		check, DAXC_CHECK_BROKEN,
		g_strdup_printf(
			"cgroup_device_acl in %s lacks %s: the guest's QEMU could "
			"not open it (Operation not permitted)",
			doctor->qemu_conf, names),
		g_strdup("add it there, or " DOCTOR_FIX ", and " RESTART));
}

static void check_acl(Doctor *doctor, DaxcCheck *check)
{
	g_auto(GStrv) devices = paths_of_regions(doctor);

	if (!devices[0]) {
		daxc_doctor_ok(check, "no region, so no instance to allow yet");
		return;
	}
	daxc_doctor_judge_acl(doctor, (const char *const *)devices, check);
}

static gboolean fix_acl(Doctor *doctor, GError **error)
{
	g_auto(GStrv) devices = paths_of_regions(doctor);
	g_autofree char *path = daxc_doctor_path(doctor, doctor->qemu_conf);
	gboolean changed;

	g_clear_pointer(&doctor->conf, daxc_qemu_conf_free);
	return daxc_qemu_conf_allow(path, (const char *const *)devices, &changed, error);
}

/* A rule for our launchers that lets QEMU's profile read, map and inherit them. */
static gboolean allows_launcher(const char *text)
{
	return g_regex_match_simple("^[ \t]*" LAUNCHERS "[^ \t\n]*[ \t]+"
				    "(?=[^,\n]*r)(?=[^,\n]*m)[^,\n]*ix[^,\n]*,",
				    text, G_REGEX_MULTILINE, 0);
}

static gboolean file_allows_launcher(const Doctor *doctor, const char *path)
{
	g_autofree char *text = daxc_doctor_text(doctor, path);

	return text && allows_launcher(text);
}

void daxc_doctor_judge_apparmor(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *enabled = daxc_doctor_text(doctor, APPARMOR_ENABLED);

	if (!enabled || *enabled != 'Y' ||
	    !daxc_doctor_exists(doctor, APPARMOR_ABSTRACTION)) {
		daxc_doctor_ok(check, "AppArmor does not confine guests here");
		return;
	}
	if (file_allows_launcher(doctor, APPARMOR_LOCAL) ||
	    file_allows_launcher(doctor, APPARMOR_ABSTRACTION)) {
		daxc_doctor_ok(check, "guests' profiles allow the launcher");
		return;
	}
	/* Only now: reading qemu.conf costs more than all of the above. */
	if (!qemu_conf(doctor)) {
		conf_unreadable(doctor, check);
		return;
	}
	if (!daxc_qemu_conf_uses_driver(doctor->conf, "apparmor")) {
		daxc_doctor_ok(check,
			       "libvirt does not use AppArmor (security_driver in %s)",
			       doctor->qemu_conf);
		return;
	}
	check->fixable = TRUE;
	daxc_doctor_verdict(check, DAXC_CHECK_BROKEN,
			    g_strdup("AppArmor does not let a guest's profile run the "
				     "launcher: " APPARMOR_LOCAL
				     " lacks the line `" APPARMOR_LINE "`"),
			    g_strdup("add it, or " DOCTOR_FIX
				     "; guests that start from then on have it"));
}

static gboolean fix_apparmor(Doctor *doctor, GError **error)
{
	g_autofree char *path = daxc_doctor_path(doctor, APPARMOR_LOCAL);
	g_autofree char *old = NULL, *new = NULL;

	if (daxc_doctor_exists(doctor, APPARMOR_LOCAL) &&
	    !g_file_get_contents(path, &old, NULL, error))
		return FALSE;
	new = g_strdup_printf("%s%s# daxcolor: the launcher of guests on cache colors.\n"
			      "  " APPARMOR_LINE "\n",
			      old ? old : "",
			      old && *old && !g_str_has_suffix(old, "\n") ? "\n" : "");
	return daxc_doctor_write(doctor, APPARMOR_LOCAL, new, error);
}

/* Returns: (nullable): where @path, a link perhaps, leads to, below the root. */
static char *link_target(const Doctor *doctor, const char *path)
{
	g_autofree char *real = daxc_doctor_path(doctor, path);
	g_autofree char *target = g_file_read_link(real, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	if (!target)
		return g_strdup(path);
	return g_canonicalize_filename(target, dir);
}

static gboolean same_file(const Doctor *doctor, const char *a, const char *b)
{
	g_autofree char *left = daxc_doctor_path(doctor, a),
			*right = daxc_doctor_path(doctor, b);
	struct stat l, r;

	return stat(left, &l) == 0 && stat(right, &r) == 0 && l.st_dev == r.st_dev &&
	       l.st_ino == r.st_ino;
}

static void check_hook(Doctor *doctor, DaxcCheck *check)
{
	g_autofree char *link = daxc_doctor_path(doctor, HOOK_LINK);
	g_autofree char *target = link_target(doctor, HOOK_LINK);
	struct stat st;

	if (!is_program(doctor, GATE) || !is_program(doctor, HOOK)) {
		not_a_program(is_program(doctor, GATE) ? HOOK : GATE,
			      "install daxcolor again", check);
		return;
	}
	if (lstat(link, &st) != 0) {
		check->fixable = TRUE;
		daxc_doctor_verdict(
			check, DAXC_CHECK_BROKEN,
			g_strdup("libvirt has no hook " HOOK_LINK
				 ": guests would start in ordinary memory"),
			g_strdup("link it to " GATE ", or " DOCTOR_FIX ", and " RESTART));
		return;
	}
	if (!same_file(doctor, target, GATE)) {
		check->fixable = S_ISLNK(st.st_mode);
		daxc_doctor_verdict(check, DAXC_CHECK_BROKEN,
				    g_strdup_printf("%s leads to %s and not to our hook",
						    HOOK_LINK, target),
				    g_strdup("replace it by a link to " GATE));
		return;
	}
	daxc_doctor_ok(check, HOOK_LINK " leads to " GATE);
}

static gboolean fix_hook(Doctor *doctor, GError **error)
{
	g_autofree char *link = daxc_doctor_path(doctor, HOOK_LINK);
	g_autofree char *dir = g_path_get_dirname(link);
	struct stat st;

	if (lstat(link, &st) == 0 && S_ISLNK(st.st_mode))
		unlink(link);
	if (g_mkdir_with_parents(dir, 0755) == 0 && symlink(GATE, link) == 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot make the link %s: %s",
		    link, g_strerror(errno));
	return FALSE;
}

/* Start of process @pid in microseconds since the epoch, 0 when it is none of
 * libvirt's. */
static gint64 daemon_start(const Doctor *doctor, guint64 pid)
{
	g_autofree char *dir = g_strdup_printf("/proc/%" G_GUINT64_FORMAT, pid);
	g_autofree char *comm_path = g_build_filename(dir, "comm", NULL);
	g_autofree char *stat_path = g_build_filename(dir, "stat", NULL);
	g_autofree char *comm = daxc_doctor_text(doctor, comm_path);
	g_autofree char *stat = daxc_doctor_text(doctor, stat_path);
	g_autofree char *uptime = daxc_doctor_text(doctor, "/proc/uptime");
	const char *after = stat ? strrchr(stat, ')') : NULL;
	g_auto(GStrv) fields = after ? g_strsplit(after + 1, " ", -1) : NULL;
	double age;

	if (g_strcmp0(comm, "libvirtd") != 0 && g_strcmp0(comm, "virtqemud") != 0)
		return 0;
	/* Field 22 of the line, in ticks after boot; the first after the name is
	 * field 3, and a space stands before it. */
	if (!uptime || !fields || g_strv_length(fields) < 21)
		return 0;
	age = g_ascii_strtod(uptime, NULL) -
	      g_ascii_strtod(fields[20], NULL) / (double)sysconf(_SC_CLK_TCK);
	return g_get_real_time() - (gint64)(age * G_USEC_PER_SEC);
}

static guint64 find_daemon(const Doctor *doctor, gint64 *start)
{
	static const char *const files[] = {"/run/libvirtd.pid", "/run/virtqemud.pid"};

	for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *text = daxc_doctor_text(doctor, files[i]);
		guint64 pid;

		if (!text || !daxc_uint_parse(text, "process id", G_MAXINT, &pid, NULL))
			continue;
		*start = daemon_start(doctor, pid);
		if (*start != 0)
			return pid;
	}
	return 0;
}

/* Changed in place or moved there: a file from a package keeps its old mtime. */
static gboolean newer(const struct stat *st, gint64 start)
{
	gint64 changed = (gint64)st->st_ctim.tv_sec * G_USEC_PER_SEC +
			 st->st_ctim.tv_nsec / 1000;

	/* As exact as a tick of the process's start. */
	return changed > start + G_USEC_PER_SEC / sysconf(_SC_CLK_TCK);
}

static gboolean hook_newer(const Doctor *doctor, gint64 start)
{
	g_autofree char *path = daxc_doctor_path(doctor, HOOK_LINK);
	struct stat st;

	/* The link itself: what it leads to is looked up each time. */
	return lstat(path, &st) == 0 && newer(&st, start);
}

static gboolean conf_newer(const Doctor *doctor, gint64 start)
{
	g_autofree char *path = daxc_doctor_path(doctor, doctor->qemu_conf);
	struct stat st;

	return stat(path, &st) == 0 && newer(&st, start);
}

static void check_daemon(Doctor *doctor, DaxcCheck *check)
{
	gint64 start = 0;
	guint64 pid = find_daemon(doctor, &start);
	gboolean hook, conf;

	if (pid == 0) {
		daxc_doctor_ok(check,
			       "no libvirt daemon runs; it reads all when it starts");
		return;
	}
	hook = hook_newer(doctor, start);
	conf = conf_newer(doctor, start);
	if (!hook && !conf) {
		daxc_doctor_ok(check,
			       "libvirtd (pid %" G_GUINT64_FORMAT
			       ") knows hook and qemu.conf",
			       pid);
		return;
	}
	daxc_doctor_verdict(
		check, hook ? DAXC_CHECK_BROKEN : DAXC_CHECK_WARNING,
		g_strdup_printf("libvirtd (pid %" G_GUINT64_FORMAT
				") has not been restarted since %s changed: it does not "
				"know %s yet",
				pid, hook ? HOOK_LINK : doctor->qemu_conf,
				hook ? "the hook" : "the new settings"),
		g_strdup(RESTART));
}

/* Returns: (nullable): the QEMU that the launcher @emulator executes: its name
 * less the prefix, beside it, else in /usr/bin; NULL when @emulator is none. */
static char *qemu_behind(const Doctor *doctor, const char *emulator)
{
	g_autofree char *dir = g_path_get_dirname(emulator);
	g_autofree char *name = g_path_get_basename(emulator);
	g_autofree char *beside = NULL;

	if (!g_str_has_prefix(name, DAXC_LAUNCHER_PREFIX))
		return NULL;
	beside = g_build_filename(dir, name + strlen(DAXC_LAUNCHER_PREFIX), NULL);
	if (daxc_doctor_exists(doctor, beside))
		return g_steal_pointer(&beside);
	return g_build_filename("/usr/bin", name + strlen(DAXC_LAUNCHER_PREFIX), NULL);
}

static void not_the_launcher(const char *emulator, DaxcCheck *check)
{
	daxc_doctor_verdict(
		check, DAXC_CHECK_BROKEN,
		g_strdup_printf("the emulator %s is not the launcher", emulator),
		g_strdup("`daxcolor enroll` the domain, or write "
			 "<emulator>" DEFAULT_LAUNCHER "</emulator>"));
}

void daxc_doctor_judge_launcher(Doctor *doctor, const char *emulator, DaxcCheck *check)
{
	g_autofree char *qemu = qemu_behind(doctor, emulator);
	g_autofree char *what = NULL;

	if (!qemu) {
		not_the_launcher(emulator, check);
	} else if (!is_program(doctor, emulator)) {
		what = g_strdup_printf("the launcher %s", emulator);
		not_a_program(
			what,
			"install daxcolor again, or correct the domain's <emulator>",
			check);
	} else if (!is_program(doctor, qemu)) {
		what = g_strdup_printf("%s, which the launcher %s executes,", qemu,
				       emulator);
		not_a_program(what, "install QEMU", check);
	} else {
		daxc_doctor_ok(check, "%s executes %s", emulator, qemu);
	}
}

static void check_launcher(Doctor *doctor, DaxcCheck *check)
{
	daxc_doctor_judge_launcher(doctor, DEFAULT_LAUNCHER, check);
}

/* What `systemctl enable` makes, in the directory of whoever wants it. */
static gboolean is_enabled(const Doctor *doctor, const char *unit)
{
	g_autofree char *path = daxc_doctor_path(doctor, "/etc/systemd/system");
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *link = g_build_filename(path, name, unit, NULL);

		if (g_str_has_suffix(name, ".wants") &&
		    g_file_test(link, G_FILE_TEST_IS_SYMLINK))
			return TRUE;
	}
	return FALSE;
}

static void check_units(Doctor *doctor, DaxcCheck *check)
{
	static const char *const units[] = {"daxcolor-recover.service",
					    "daxcolor-scrub.path"};

	if (!daxc_doctor_exists(doctor, "/run/systemd/system")) {
		daxc_doctor_ok(check, "this host does not run systemd: run `daxcolor "
				      "recover --boot` before libvirt starts guests");
		return;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (is_enabled(doctor, units[i]))
			continue;
		daxc_doctor_verdict(
			check, DAXC_CHECK_WARNING,
			g_strdup_printf("%s is not enabled: %s", units[i],
					i == 0 ? "a boot does not begin in order"
					       : "memory is zeroed only when a guest "
						 "waits for it"),
			g_strdup_printf("`systemctl enable --now %s`", units[i]));
		return;
	}
	daxc_doctor_ok(check, "%s and %s are enabled", units[0], units[1]);
}

const DoctorCheck daxc_doctor_libvirt_checks[] = {
	{"launcher", "launcher", ON_SYSTEM, check_launcher},
	{"hook", "libvirt's hook", ON_SYSTEM, check_hook, fix_hook, RESTART},
	{"cgroup-acl", "device cgroup", ON_SYSTEM, check_acl, fix_acl, RESTART},
	{"apparmor", "AppArmor", ON_SYSTEM, daxc_doctor_judge_apparmor, fix_apparmor},
	{"daemon", "libvirt daemon", ON_SYSTEM, check_daemon},
	{"units", "systemd units", ON_SYSTEM, check_units},
	{NULL},
};
