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

typedef struct {
	guint major;
	guint minor;
} Device;

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

/**
 * is_device:
 * @dir: open directory with magic links to files
 *
 * Follows one of them, without asking a file server that may be gone.
 *
 * Returns: 1, 0, or -1 with errno.
 */
static int is_device(int dir, const char *link, const Device *device)
{
	struct statx st;

	if (statx(dir, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
		return is_over(errno) ? 0 : -1;
	return S_ISCHR(st.stx_mode) && st.stx_rdev_major == device->major &&
	       st.stx_rdev_minor == device->minor;
}

/* Does one of the descriptors of thread @tid lead to @device? */
static gboolean has_open(pid_t tid, const Device *device, gboolean *found, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", tid);
	g_autoptr(AutoDir) dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return is_over(errno) || cannot_look(error, tid, "fd", errno);
	while (!*found && (errno = 0, entry = readdir(dir))) {
		int result;

		if (!g_ascii_isdigit(entry->d_name[0]))
			continue;
		result = is_device(dirfd(dir), entry->d_name, device);
		if (result < 0)
			return cannot_look(error, tid, "fd", errno);
		*found = result > 0;
	}
	if (!*found && errno != 0 && !is_over(errno))
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

static gboolean has_mapped(pid_t tid, const Device *device, gboolean *found,
			   GError **error)
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
	while (ok && !*found && (errno = 0, getline(&line, &size, lines)) > 0) {
		int result;

		if (!shared_mapping(line, link, sizeof(link)))
			continue;
		if (!dir && !(dir = opendir(files))) {
			ok = is_over(errno) ||
			     cannot_look(error, tid, "map_files", errno);
			break;
		}
		result = is_device(dirfd(dir), link, device);
		*found = result > 0;
		ok = result >= 0 || cannot_look(error, tid, "map_files", errno);
	}
	if (ok && !*found && errno != 0 && !is_over(errno))
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

static gboolean thread_holds(pid_t pid, pid_t tid, const Device *device, gboolean *found,
			     GError **error)
{
	if ((tid == pid || !share(pid, tid, KCMP_FILES)) &&
	    !has_open(tid, device, found, error))
		return FALSE;
	/* All threads have one address space, but a leader that has exited has none. */
	if (!*found && (tid == pid || !share(pid, tid, KCMP_VM)))
		return has_mapped(tid, device, found, error);
	return TRUE;
}

static gboolean process_holds(pid_t pid, const Device *device, gboolean *found,
			      GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
	g_autoptr(AutoDir) dir = opendir(path);
	struct dirent *entry;

	*found = FALSE;
	if (!dir)
		return is_over(errno) || cannot_look(error, pid, "task", errno);
	while (!*found && (errno = 0, entry = readdir(dir))) {
		pid_t tid = (pid_t)g_ascii_strtoll(entry->d_name, NULL, 10);

		if (tid > 0 && !thread_holds(pid, tid, device, found, error))
			return FALSE;
	}
	if (!*found && errno != 0 && !is_over(errno))
		return cannot_look(error, pid, "task", errno);
	return TRUE;
}

/* The kernel lists processes in order of pid. */
GPtrArray *daxc_holders(guint major, guint minor, GError **error)
{
	g_autoptr(GPtrArray) holders = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(AutoDir) proc = opendir("/proc");
	Device device = {major, minor};
	struct dirent *entry;
	guint seen = 0;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)g_ascii_strtoll(entry->d_name, NULL, 10);
		gboolean found;

		if (pid <= 0)
			continue;
		seen++;
		if (pid == getpid())
			continue;
		if (!process_holds(pid, &device, &found, error))
			return NULL;
		if (found)
			g_ptr_array_add(holders, describe(pid));
	}
	if (seen == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "there are no processes in /proc; is it mounted?");
		return NULL;
	}
	return g_steal_pointer(&holders);
}
