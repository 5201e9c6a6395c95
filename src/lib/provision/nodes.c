// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device nodes that the hook makes in libvirt's memory directories,
 * "ID-NAME/daxcolor.cellN". libvirt removes them with the directory; a host that is
 * reset keeps them, and then their numbers may come to mean another guest's memory.
 */
#include "provision/provision.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/qemu-conf.h"

typedef DIR AutoDir;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AutoDir, closedir)

char *daxc_qemu_memory_dir(GError **error)
{
	g_autoptr(DaxcConfig) config = daxc_load_config(NULL, error);
	g_autoptr(DaxcQemuConf)
		conf = config ? daxc_qemu_conf_load(config->qemu_conf, error) : NULL;

	return conf ? g_steal_pointer(&conf->memory_backing_dir) : NULL;
}

/* libvirt's VIR_DOMAIN_SHORT_NAME_MAX. */
#define SHORT_NAME_MAX 20

gboolean daxc_node_directory_fits(const DaxcNode *node, const char *name)
{
	return g_str_has_prefix(name, node->guest) &&
	       (strlen(name) == strlen(node->guest) ||
		g_utf8_strlen(node->guest, -1) >= SHORT_NAME_MAX);
}

gboolean daxc_node_read_directory(DaxcNode *node, const char *directory)
{
	const char *dash = strchr(directory, '-');
	g_autofree char *id = dash ? g_strndup(directory, (gsize)(dash - directory))
				   : NULL;
	guint64 number;

	if (!id || !daxc_uint_parse(id, "id", G_MAXINT, &number, NULL) || !dash[1])
		return FALSE;
	node->id = (gint)number;
	node->guest = dash + 1;
	return TRUE;
}

static gboolean read_node(int dir, const char *name, DaxcNode *node)
{
	guint64 cell;
	struct stat st;

	if (!g_str_has_prefix(name, DAXC_NODE_PREFIX) ||
	    !daxc_uint_parse(name + strlen(DAXC_NODE_PREFIX), "cell", G_MAXUINT, &cell,
			     NULL) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISCHR(st.st_mode))
		return FALSE;
	node->dir = dir;
	node->name = name;
	node->cell = (guint)cell;
	node->major = major(st.st_rdev);
	node->minor = minor(st.st_rdev);
	return TRUE;
}

/* The directory is the QEMU user's: nothing in it is trusted, nor followed. */
static void visit_directory(int base, const char *entry, DaxcNodeVisitor visit,
			    gpointer data)
{
	int fd = openat(base, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	g_autoptr(AutoDir) dir = fd >= 0 ? fdopendir(fd) : NULL;
	DaxcNode node = {0};
	struct dirent *file;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (!daxc_node_read_directory(&node, entry))
		return;
	while ((file = readdir(dir))) {
		if (read_node(fd, file->d_name, &node))
			visit(&node, data);
	}
}

gboolean daxc_visit_nodes(DaxcNodeVisitor visit, gpointer data, GError **error)
{
	g_autofree char *path = daxc_qemu_memory_dir(error);
	g_autoptr(AutoDir) base = path ? opendir(path) : NULL;
	struct dirent *entry;

	if (!path)
		return FALSE;
	if (!base) {
		/* libvirt makes it when the first guest starts. */
		if (errno == ENOENT)
			return TRUE;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot open %s: %s",
			    path, g_strerror(errno));
		return FALSE;
	}
	while ((entry = readdir(base))) {
		if (entry->d_name[0] != '.')
			visit_directory(dirfd(base), entry->d_name, visit, data);
	}
	return TRUE;
}

typedef struct {
	const DaxcSnapshot *snapshot;
	GPtrArray *report;
} Sweep;

/*
 * The node of a running guest leads to exactly what its carving holds. One that
 * leads to an instance which no carving explains is left: it may be a guest's whose
 * record was lost, and the only trace of it.
 */
static gboolean may_stay(const DaxcSnapshot *snapshot, const DaxcNode *node)
{
	for (guint i = 0; i < snapshot->unknown->len; i++) {
		const DaxcInstance *instance = g_ptr_array_index(snapshot->unknown, i);

		if (instance->major == node->major && instance->minor == node->minor)
			return TRUE;
	}
	for (guint i = 0; i < snapshot->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(snapshot->carvings, i);
		const DaxcInstance *instance = g_ptr_array_index(snapshot->found, i);

		if (carving->state == DAXC_CARVING_ACTIVE && instance &&
		    instance->major == node->major && instance->minor == node->minor)
			return carving->plan->cell == node->cell &&
			       daxc_node_directory_fits(node, carving->name);
	}
	return FALSE;
}

static void sweep_node(const DaxcNode *node, gpointer data)
{
	Sweep *sweep = data;

	if (may_stay(sweep->snapshot, node))
		return;
	if (unlinkat(node->dir, node->name, 0) == 0)
		daxc_report(sweep->report,
			    "%d-%s/%s: device node %u:%u that is no running guest's: "
			    "removed",
			    node->id, node->guest, node->name, node->major, node->minor);
	else if (errno != ENOENT)
		g_warning("cannot remove the stale device node %d-%s/%s: %s", node->id,
			  node->guest, node->name, g_strerror(errno));
}

void daxc_sweep_nodes(DaxcHost *host, const DaxcSnapshot *snapshot, GPtrArray *report)
{
	Sweep sweep = {snapshot, report};
	g_autoptr(GError) failure = NULL;

	if (!host->described && !daxc_visit_nodes(sweep_node, &sweep, &failure))
		g_warning("cannot look for stale device nodes: %s", failure->message);
}
