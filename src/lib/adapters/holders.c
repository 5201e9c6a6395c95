// SPDX-License-Identifier: LGPL-2.1-or-later
/* Looks through /proc for processes that have a character device open or mapped. */
#define _GNU_SOURCE

#include "adapters/holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <daxcolor/error.h>

/**
 * Search: what to look for in a process, and what was found.
 * @any_minor: every device with that major
 * @first: one find is enough
 * @found: (element-type Find): one for each device
 */
typedef struct {
	guint major;
	guint minor;
	gboolean any_minor;
	gboolean first;
	GArray *found;
} Search;

/**
 * Find: a device that the process has.
 * @link: a name below /proc/PID that leads to it
 */
typedef struct {
	guint minor;
	gboolean open;
	gboolean mapped;
	char link[64];
} Find;

typedef DIR AutoDir;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AutoDir, closedir)

/* The process ended, or closed or unmapped it, while we were looking. */
static gboolean is_over(int code)
{
	return code == ENOENT || code == ESRCH;
}

static char *describe(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid);
	g_autofree char *name = NULL;

	if (!g_file_get_contents(path, &name, NULL, NULL))
		return g_strdup_printf("(%d)", pid);
	return g_strdup_printf("%s (%d)", g_strchomp(name), pid);
}

static gboolean cannot_look(GError **error, pid_t pid, const char *what, int code)
{
	g_autofree char *process = describe(pid);

	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot look into process %s, /proc/%d/%s: %s%s", process, pid, what,
		    g_strerror(code),
		    code == EACCES || code == EPERM
			    ? "; run as root; under AppArmor, the profile that this runs "
			      "in needs the rule \"ptrace (read),\" (the hook: in "
			      "/etc/apparmor.d/local/usr.sbin.libvirtd)"
			    : "");
	return FALSE;
}

static gboolean is_done(const Search *search)
{
	return search->first && search->found->len > 0;
}

static Find *find_of(Search *search, guint minor)
{
	Find find = {.minor = minor};

	for (guint i = 0; i < search->found->len; i++) {
		Find *known = &g_array_index(search->found, Find, i);

		if (known->minor == minor)
			return known;
	}
	g_array_append_val(search->found, find);
	return &g_array_index(search->found, Find, search->found->len - 1);
}

/**
 * look_at:
 * @dir: open directory with magic links to files, "/proc/TID/@where"
 *
 * Follows one of them, without asking a file server that may be gone. It may lead
 * nowhere by now.
 *
 * Returns: FALSE with errno.
 */
static gboolean look_at(int dir, pid_t tid, const char *where, const char *link,
			Search *search)
{
	gboolean mapped = strcmp(where, "map_files") == 0;
	struct statx st;
	Find *find;

	if (statx(dir, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
		return is_over(errno);
	if (!S_ISCHR(st.stx_mode) || st.stx_rdev_major != search->major ||
	    (!search->any_minor && st.stx_rdev_minor != search->minor))
		return TRUE;
	find = find_of(search, st.stx_rdev_minor);
	find->mapped = find->mapped || mapped;
	find->open = find->open || !mapped;
	if (!*find->link)
		g_snprintf(find->link, sizeof(find->link), "/proc/%d/%s/%s", tid, where,
			   link);
	return TRUE;
}

/* Looks through the descriptors of thread @tid. */
static gboolean look_at_open(pid_t tid, Search *search, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", tid);
	g_autoptr(AutoDir) dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return is_over(errno) || cannot_look(error, tid, "fd", errno);
	while (!is_done(search) && (errno = 0, entry = readdir(dir))) {
		if (g_ascii_isdigit(entry->d_name[0]) &&
		    !look_at(dirfd(dir), tid, "fd", entry->d_name, search))
			return cannot_look(error, tid, "fd", errno);
	}
	if (!is_done(search) && errno != 0 && !is_over(errno))
		return cannot_look(error, tid, "fd", errno);
	return TRUE;
}

/**
 * shared_mapping:
 * @line: of /proc/PID/maps
 * @link: (out): its name in /proc/PID/map_files
 *
 * Returns: whether it is a shared mapping of a file: device-dax has no other.
 */
static gboolean shared_mapping(const char *line, char *link, gsize size)
{
	unsigned long start, end, inode;
	char perms[5];

	if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &start, &end, perms, &inode) != 4)
		return FALSE;
	g_snprintf(link, (gulong)size, "%lx-%lx", start, end);
	return perms[3] == 's' && inode != 0;
}

static gboolean look_at_mapped(pid_t tid, Search *search, GError **error)
{
	g_autofree char *maps = g_strdup_printf("/proc/%d/maps", tid);
	g_autofree char *files = g_strdup_printf("/proc/%d/map_files", tid);
	g_autoptr(AutoDir) dir = NULL;
	FILE *lines = fopen(maps, "re");
	g_autofree char *line = NULL;
	gboolean ok = TRUE;
	char link[40];
	size_t size = 0;

	if (!lines)
		return is_over(errno) || cannot_look(error, tid, "maps", errno);
	/* GLib's free() is libc's. */
	while (ok && !is_done(search) && (errno = 0, getline(&line, &size, lines)) > 0) {
		if (!shared_mapping(line, link, sizeof(link)))
			continue;
		if (!dir && !(dir = opendir(files))) {
			ok = is_over(errno) ||
			     cannot_look(error, tid, "map_files", errno);
			break;
		}
		ok = look_at(dirfd(dir), tid, "map_files", link, search) ||
		     cannot_look(error, tid, "map_files", errno);
	}
	if (ok && !is_done(search) && errno != 0 && !is_over(errno))
		ok = cannot_look(error, tid, "maps", errno);
	fclose(lines);
	return ok;
}

/* Have two threads the same (@type) file table or address space? When the kernel
 * cannot tell, no: then both are looked at. */
static gboolean share(pid_t one, pid_t two, int type)
{
	return syscall(SYS_kcmp, one, two, type, 0, 0) == 0;
}

static gboolean look_at_thread(pid_t pid, pid_t tid, Search *search, GError **error)
{
	if ((tid == pid || !share(pid, tid, KCMP_FILES)) &&
	    !look_at_open(tid, search, error))
		return FALSE;
	/* All threads have one address space, but a leader that has exited has none. */
	if (!is_done(search) && (tid == pid || !share(pid, tid, KCMP_VM)))
		return look_at_mapped(tid, search, error);
	return TRUE;
}

static gboolean look_at_process(pid_t pid, Search *search, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
	g_autoptr(AutoDir) dir = opendir(path);
	struct dirent *entry;

	g_array_set_size(search->found, 0);
	if (!dir)
		return is_over(errno) || cannot_look(error, pid, "task", errno);
	while (!is_done(search) && (errno = 0, entry = readdir(dir))) {
		pid_t tid = (pid_t)g_ascii_strtoll(entry->d_name, NULL, 10);

		if (tid > 0 && !look_at_thread(pid, tid, search, error))
			return FALSE;
	}
	if (!is_done(search) && errno != 0 && !is_over(errno))
		return cannot_look(error, pid, "task", errno);
	return TRUE;
}

typedef gboolean (*Look)(pid_t pid, gpointer data, GPtrArray *holders, GError **error);

/* Calls @look for every process but this one. The kernel lists them in order of pid. */
static gboolean look_at_others(Look look, gpointer data, GPtrArray *holders,
			       GError **error)
{
	g_autoptr(AutoDir) proc = opendir("/proc");
	struct dirent *entry;
	guint seen = 0;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)g_ascii_strtoll(entry->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		seen++;
		if (pid != getpid() && !look(pid, data, holders, error))
			return FALSE;
	}
	if (seen > 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "there are no processes in /proc; is it mounted?");
	return FALSE;
}

static gboolean look_for_device(pid_t pid, gpointer data, GPtrArray *holders,
				GError **error)
{
	Search *search = data;

	if (!look_at_process(pid, search, error))
		return FALSE;
	if (search->found->len > 0)
		g_ptr_array_add(holders, describe(pid));
	return TRUE;
}

GPtrArray *daxc_holders(guint major, guint minor, GError **error)
{
	g_autoptr(GPtrArray) holders = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Find));
	Search search = {
		.major = major,
		.minor = minor,
		.first = TRUE,
		.found = found,
	};

	if (!look_at_others(look_for_device, &search, holders, error))
		return NULL;
	return g_steal_pointer(&holders);
}

/* ---- who a process is ---- */

/* Without memory there is no program: it is ending, and about to close its files. */
static gboolean has_program(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/exe", pid);
	char target;

	return readlink(path, &target, 1) >= 0 || !is_over(errno);
}

/* What follows "-uuid" on the command line, as libvirt starts a QEMU. */
static char *find_uuid(const char *arguments, gsize length)
{
	const char *end = arguments + length;
	gboolean next = FALSE;

	for (const char *at = arguments; at < end; at += strlen(at) + 1) {
		if (next && g_uuid_string_is_valid(at))
			return g_ascii_strdown(at, -1);
		next = strcmp(at, "-uuid") == 0;
	}
	return NULL;
}

static gboolean read_uuid(pid_t pid, char **uuid, gboolean *over, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
	g_autofree char *arguments = NULL;
	g_autoptr(GError) failure = NULL;
	gsize length;

	*over = FALSE;
	if (!g_file_get_contents(path, &arguments, &length, &failure)) {
		*over = TRUE;
		return !g_file_test(path, G_FILE_TEST_EXISTS) ||
		       cannot_look(error, pid, "cmdline", EIO);
	}
	*over = length == 0 && !has_program(pid);
	*uuid = find_uuid(arguments, length);
	return TRUE;
}

static char *read_name(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid);
	char *name = NULL;

	if (!g_file_get_contents(path, &name, NULL, NULL))
		return g_strdup("?");
	return g_strchomp(name);
}

static gboolean add_process(pid_t pid, const Search *search, GPtrArray *holders,
			    GError **error)
{
	g_autofree char *uuid = NULL;
	g_autofree char *name = NULL;
	gboolean over;

	if (!read_uuid(pid, &uuid, &over, error))
		return FALSE;
	if (over)
		return TRUE;
	name = read_name(pid);
	for (guint i = 0; i < search->found->len; i++) {
		const Find *find = &g_array_index(search->found, Find, i);
		DaxcProcess *process = g_new0(DaxcProcess, 1);

		process->major = search->major;
		process->minor = find->minor;
		process->pid = pid;
		process->name = g_strdup(name);
		process->open = find->open;
		process->mapped = find->mapped;
		process->path = g_file_read_link(find->link, NULL);
		process->uuid = g_strdup(uuid);
		g_ptr_array_add(holders, process);
	}
	return TRUE;
}

static gboolean look_for_devices(pid_t pid, gpointer data, GPtrArray *holders,
				 GError **error)
{
	Search *search = data;

	return look_at_process(pid, search, error) &&
	       (search->found->len == 0 || add_process(pid, search, holders, error));
}

GPtrArray *daxc_holders_all(guint major, GError **error)
{
	g_autoptr(GPtrArray) holders =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_process_free);
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Find));
	Search search = {.major = major, .any_minor = TRUE, .found = found};

	if (!look_at_others(look_for_devices, &search, holders, error))
		return NULL;
	return g_steal_pointer(&holders);
}

/* ---- what else a guest's process has ---- */

typedef struct {
	const char *uuid;
	const char *const *names;
} Passed;

static gboolean is_named(int dir, const char *link, const char *const *names)
{
	char target[256];
	ssize_t n = readlinkat(dir, link, target, sizeof(target) - 1);

	if (n < 0)
		return FALSE;
	target[n] = '\0';
	for (; *names; names++) {
		if (g_str_has_prefix(target, *names))
			return TRUE;
	}
	return FALSE;
}

static gboolean has_named(pid_t pid, const char *const *names, gboolean *found,
			  GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
	g_autoptr(AutoDir) dir = opendir(path);
	struct dirent *entry;

	*found = FALSE;
	if (!dir)
		return is_over(errno) || cannot_look(error, pid, "fd", errno);
	while (!*found && (errno = 0, entry = readdir(dir)))
		*found = is_named(dirfd(dir), entry->d_name, names);
	return *found || errno == 0 || is_over(errno) ||
	       cannot_look(error, pid, "fd", errno);
}

static gboolean look_for_names(pid_t pid, gpointer data, GPtrArray *holders,
			       GError **error)
{
	const Passed *passed = data;
	g_autofree char *uuid = NULL;
	gboolean over, found;

	if (!read_uuid(pid, &uuid, &over, error))
		return FALSE;
	if (over || g_strcmp0(uuid, passed->uuid) != 0)
		return TRUE;
	if (!has_named(pid, passed->names, &found, error))
		return FALSE;
	if (found)
		g_ptr_array_add(holders, describe(pid));
	return TRUE;
}

GPtrArray *daxc_guest_holders(const char *uuid, const char *const *names, GError **error)
{
	g_autoptr(GPtrArray) holders = g_ptr_array_new_with_free_func(g_free);
	Passed passed = {uuid, names};

	if (!look_at_others(look_for_names, &passed, holders, error))
		return NULL;
	return g_steal_pointer(&holders);
}
