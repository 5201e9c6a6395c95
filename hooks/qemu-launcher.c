// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The <emulator> of our domains: gives QEMU the device nodes that the hook has
 * made, with the alignment that libvirt cannot say, and becomes that QEMU. It
 * runs confined as QEMU does, so all it knows is in the domain's own directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>

#include "handover.h"
#include "launcher-args.h"

/* The hook writes some 100 bytes for each cell. */
#define HANDOVER_MAX 65536

static gboolean fail(GError **error, const char *what, const char *path, int code)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot %s %s: %s", what, path,
		    g_strerror(code));
	return FALSE;
}

static gboolean read_all(int fd, const char *path, GString *text, GError **error)
{
	char buffer[4096];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(error, "look at", path, errno);
	if (!S_ISREG(st.st_mode))
		return fail(error, "read", path, EINVAL);
	while (text->len <= HANDOVER_MAX) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(error, "read", path, errno);
		if (n == 0)
			return TRUE;
		g_string_append_len(text, buffer, n);
	}
	return fail(error, "read", path, EFBIG);
}

static GPtrArray *lookup_handover(const char *directory, gpointer data, GError **error)
{
	g_autofree char *path = g_build_filename(directory, HANDOVER_FILE, NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	gboolean ok;

	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			fail(error, "open", path, errno);
		return NULL;
	}
	ok = read_all(fd, path, text, error);
	close(fd);
	return ok ? launcher_handover_parse(text->str, text->len, directory, error)
		  : NULL;
}

/* Why the node of @carving does not open, and the way out. */
static void explain(const LauncherCarving *carving, int code, GError **error)
{
	g_autofree char *why = NULL;

	switch (code) {
	case EPERM:
		why = g_strdup_printf(
			"the device cgroup forbids it; add \"/dev/%s\" to "
			"cgroup_device_acl in /etc/libvirt/qemu.conf and restart "
			"libvirtd",
			carving->instance);
		break;
	case EACCES:
		why = g_strdup(
			"permission denied; the node must belong to the user that "
			"QEMU runs as, on a file system that is not mounted nodev, "
			"and AppArmor or SELinux must allow it");
		break;
	case ENXIO:
	case ENODEV:
		why = g_strdup("there is no device behind it; the instance has been "
			       "disabled or destroyed since libvirt's hook carved it");
		break;
	case ENOENT:
		why = g_strdup(
			"libvirt's hook has not made it, or somebody has removed it");
		break;
	default:
		why = g_strdup(g_strerror(code));
	}
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "cannot open its memory %s (%s, cell %u): %s; \"daxcolor doctor\" "
		    "knows more",
		    carving->node, carving->instance, carving->cell, why);
}

/* QEMU's own message would be "can't open backing store" for all of these. */
static gboolean check_node(const LauncherCarving *carving, GError **error)
{
	int fd = open(carving->node,
		      O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	gboolean ok;

	if (fd < 0) {
		explain(carving, errno, error);
		return FALSE;
	}
	ok = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
	close(fd);
	if (!ok)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
			    "its memory %s (%s, cell %u) is not a character device, so "
			    "it is not what libvirt's hook has made",
			    carving->node, carving->instance, carving->cell);
	return ok;
}

static gboolean check_nodes(const LauncherArgs *args, GError **error)
{
	for (guint i = 0; i < args->carvings->len; i++) {
		if (check_node(g_ptr_array_index(args->carvings, i), error))
			continue;
		if (args->guest)
			g_prefix_error(error, "guest %s: ", args->guest);
		return FALSE;
	}
	return TRUE;
}

/* Returns only when no QEMU could be executed. */
static gboolean become(char **paths, char **argv, GError **error)
{
	int code = 0;
	guint i;

	for (i = 0; paths[i]; i++) {
		g_free(argv[0]);
		argv[0] = g_strdup(paths[i]);
		execv(paths[i], argv);
		code = errno;
		if (code != ENOENT)
			break;
	}
	return fail(error, "execute", paths[i] ? paths[i] : paths[i - 1], code);
}

static gboolean launch(const char *const *argv, GError **error)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_auto(GStrv) paths = launcher_qemu(argv[0], self, error);
	g_autoptr(LauncherArgs) args = NULL;

	if (!paths)
		return FALSE;
	args = launcher_rewrite(argv, lookup_handover, NULL, error);
	if (!args || !check_nodes(args, error))
		return FALSE;
	return become(paths, args->argv, error);
}

int main(int argc, char **argv)
{
	g_autofree char *name = NULL;
	g_autoptr(GError) error = NULL;

	if (argc < 1)
		return EXIT_FAILURE;
	name = g_path_get_basename(argv[0]);
	launch((const char *const *)argv, &error);
	g_printerr("%s: %s\n", name, error->message);
	return EXIT_FAILURE;
}
