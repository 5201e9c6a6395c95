// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The audit of files: who can write what decides about memory, and which device
 * nodes lead to it.
 */
#include "audit/look.h"

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

static gboolean cannot_look(GError **error, const char *path, int code)
{
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot look at %s: %s%s", path,
		    g_strerror(code),
		    code == EACCES || code == EPERM ? "; run as root" : "");
	return FALSE;
}

/* ---- configuration and ledger ---- */

/* On a simulated host all belongs to whoever simulates it. */
static guint rightful_owner(const DaxcLook *look)
{
	return look->host->described ? geteuid() : 0;
}

/* Whether others than root can write what is at @path; FALSE, @why NULL: nothing is
 * there. */
static gboolean find_writer(const DaxcLook *look, const char *path, char **why,
			    GError **error)
{
	struct stat st;
	gboolean sticky;

	*why = NULL;
	if (stat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ||
		       cannot_look(error, path, errno);
	/* In such a directory nobody can replace the files of others. */
	sticky = S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX);
	if (st.st_uid != rightful_owner(look))
		*why = g_strdup_printf("it belongs to user %u", st.st_uid);
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !sticky)
		*why = g_strdup_printf("its mode is %04o", st.st_mode & 07777);
	return TRUE;
}

static gboolean judge_writers(DaxcLook *look, const char *code, const char *file,
			      const char *effect, const char *remedy, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(file);
	const char *paths[] = {dir, file};

	for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autofree char *why = NULL;

		if (!find_writer(look, paths[i], &why, error))
			return FALSE;
		if (!why)
			continue;
		daxc_look_breach(
			look, code, g_strdup(paths[i]),
			g_strdup_printf("%s: others than root can %s", why, effect),
			remedy);
		return TRUE;
	}
	return TRUE;
}

static gboolean judge_ledger_writers(DaxcLook *look, GError **error)
{
	static const char effect[] =
		"write, or replace, the record of who has which memory";
	static const char remedy[] =
		"stop what starts guests, compare `daxcolor list` with what runs, then "
		"\"chown root\" and \"chmod go-w\" it";
	const char *ledger = look->audit->ledger;
	g_autofree char *dir = ledger ? g_path_get_dirname(ledger) : NULL;
	g_autofree char *note = NULL;

	if (!ledger)
		return TRUE;
	if (!judge_writers(look, "ledger-writable", ledger, effect, remedy, error))
		return FALSE;
	if (strcmp(look->host->run_dir, dir) == 0)
		return TRUE;
	note = g_build_filename(look->host->run_dir, "serial", NULL);
	return judge_writers(look, "ledger-writable", note,
			     "make an old copy of the ledger look new", remedy, error);
}

gboolean daxc_look_files(DaxcLook *look, GError **error)
{
	DaxcAudit *audit = look->audit;
	guint before;

	if (!judge_writers(look, "configuration-writable", audit->config,
			   "give colors other places, and switch zeroing off",
			   "look at what is in it, then \"chown root\" and \"chmod "
			   "go-w\" it",
			   error))
		return FALSE;
	before = audit->breaches->len;
	if (!judge_ledger_writers(look, error))
		return FALSE;
	/* What others could write is not read; that is said once. */
	if (audit->ledger_fault && audit->breaches->len == before)
		daxc_look_breach(look, "ledger-damaged",
				 g_strdup(audit->ledger ? audit->ledger : "the ledger"),
				 g_strdup_printf("%s; nothing could be compared with it",
						 audit->ledger_fault),
				 "see what is wrong with it (`daxcolor doctor`), restore "
				 "it, or move it away and run `daxcolor recover`");
	if (look->host->config->zero == DAXC_ZERO_NEVER &&
	    !daxc_kernel_zeroes(look->host->kernel))
		daxc_look_breach(look, "zeroing-off", g_strdup(audit->config),
				 g_strdup("zero=never: every guest can read what the one "
					  "before it left in its memory"),
				 "take zero=never out, and restart the guests that were "
				 "started with it");
	return TRUE;
}

/* ---- device nodes ---- */

/**
 * Nodes: where nodes are looked for.
 * @memory: (nullable): libvirt's directory of memory directories
 * @major: of device-dax; 0 when no instance is bound
 * @by_minor: rows of bound instances
 */
typedef struct {
	DaxcLook *look;
	char *memory;
	guint major;
	GHashTable *by_minor;
} Nodes;

/* Of a guest that libvirt runs also the id is known. */
static gboolean fits_directory(const DaxcLook *look, const char *directory,
			       const DaxcCarving *carving)
{
	const DaxcGuest *guest = g_hash_table_lookup(look->guests, carving->uuid);
	DaxcNode node = {0};

	return g_utf8_validate(directory, -1, NULL) &&
	       daxc_node_read_directory(&node, directory) &&
	       (!guest || guest->id == node.id) &&
	       daxc_node_directory_fits(&node, carving->name);
}

gboolean daxc_look_node_fits(const DaxcLook *look, const char *path,
			     const DaxcCarving *carving)
{
	g_autofree char *file = g_path_get_basename(path);
	g_autofree char *parent = g_path_get_dirname(path);
	g_autofree char *directory = g_path_get_basename(parent);
	g_autofree char *node =
		g_strdup_printf(DAXC_NODE_PREFIX "%u", carving->plan->cell);

	/* So /proc shows what libvirt has taken away already. */
	if (g_str_has_suffix(file, " (deleted)"))
		file[strlen(file) - strlen(" (deleted)")] = '\0';
	return strcmp(file, node) == 0 && fits_directory(look, directory, carving);
}

static void judge_mode(DaxcLook *look, const DaxcAuditInstance *row, const char *path,
		       const struct stat *st, gboolean of_root)
{
	if (!(st->st_mode & 077) && (!of_root || (st->st_uid == 0 && st->st_gid == 0)))
		return;
	daxc_look_breach(
		look, "node-open", g_strdup(path),
		g_strdup_printf("the node of %s is %u:%u, mode %04o, and not %s 0600: "
				"others can open the memory behind it",
				row->instance->name, st->st_uid, st->st_gid,
				st->st_mode & 07777,
				of_root ? "root:root" : "the QEMU user's"),
		of_root ? "\"chown root:root\" and \"chmod 0600\" it, and look for the "
			  "udev rule that did this"
			: "\"chmod 0600\" it, and find out who changed it");
}

static void judge_stray(DaxcLook *look, const DaxcAuditInstance *row, const char *path,
			const struct stat *st)
{
	daxc_look_breach(
		look, "node-stray", g_strdup(path),
		row ? g_strdup_printf("this node leads to %s%s%s, and does not belong "
				      "there: whoever can open it has that memory",
				      row->instance->name,
				      row->carving ? ", the memory of guest " : "",
				      row->carving ? row->carving->name : "")
		    : g_strdup_printf("this node (%u:%u) leads to no instance; whoever "
				      "can open it has the one that gets this number "
				      "next",
				      major(st->st_rdev), minor(st->st_rdev)),
		"remove it, and find out who made it; a directory that a crashed host "
		"left can go as a whole");
}

static void add_node(DaxcAuditInstance *row, const char *path, const struct stat *st)
{
	DaxcAuditNode *node = g_new0(DaxcAuditNode, 1);

	node->path = g_strdup(path);
	node->uid = st->st_uid;
	node->gid = st->st_gid;
	node->mode = st->st_mode & 07777;
	g_ptr_array_add(row->nodes, node);
}

static DaxcAuditInstance *row_behind(const Nodes *nodes, const struct stat *st)
{
	if (nodes->major == 0 || major(st->st_rdev) != nodes->major)
		return NULL;
	return g_hash_table_lookup(nodes->by_minor, GUINT_TO_POINTER(minor(st->st_rdev)));
}

/* One entry of a directory that may change while it is read. */
static gboolean look_at(int dir, const char *name, const char *path, struct stat *st,
			gboolean *found, GError **error)
{
	*found = fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0;
	return *found || errno == ENOENT || cannot_look(error, path, errno);
}

/* In /dev: a node for each instance, of its name. */
static gboolean judge_dev_node(Nodes *nodes, int dir, const char *name, GError **error)
{
	DaxcLook *look = nodes->look;
	g_autofree char *path = g_build_filename(look->host->dev, name, NULL);
	DaxcAuditInstance *named = g_hash_table_lookup(look->by_name, name);
	DaxcAuditInstance *row;
	gboolean found;
	struct stat st;

	if (!look_at(dir, name, path, &st, &found, error))
		return FALSE;
	if (!found || !S_ISCHR(st.st_mode))
		return TRUE;
	row = row_behind(nodes, &st);
	if (row && row != named) {
		judge_stray(look, row, path, &st);
	} else if (row) {
		add_node(row, path, &st);
		judge_mode(look, row, path, &st, TRUE);
	}
	return TRUE;
}

/* Of a carving whose instance was unbound: its device has no number to compare. */
static gboolean is_of_unbound(const DaxcLook *look, const char *path)
{
	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcAuditInstance *row = daxc_look_found(look, i);

		if (row && row->instance->major == 0 &&
		    daxc_look_node_fits(look, path, g_ptr_array_index(look->carvings, i)))
			return TRUE;
	}
	return FALSE;
}

/* In a guest's memory directory: nodes of its own cells only. */
static gboolean judge_guest_node(Nodes *nodes, int dir, const char *name,
				 const char *path, GError **error)
{
	DaxcLook *look = nodes->look;
	DaxcAuditInstance *row;
	gboolean found;
	struct stat st;

	if (!look_at(dir, name, path, &st, &found, error))
		return FALSE;
	if (!found || !S_ISCHR(st.st_mode) ||
	    (major(st.st_rdev) != nodes->major &&
	     !g_str_has_prefix(name, DAXC_NODE_PREFIX)))
		return TRUE;
	row = row_behind(nodes, &st);
	if (!row && is_of_unbound(look, path))
		return TRUE;
	/* Whose it is cannot be told without a ledger. */
	if (row && !row->carving && !daxc_look_has_ledger(look))
		return TRUE;
	if (!row || !row->carving || !daxc_look_node_fits(look, path, row->carving)) {
		judge_stray(look, row, path, &st);
		return TRUE;
	}
	add_node(row, path, &st);
	judge_mode(look, row, path, &st, FALSE);
	return TRUE;
}

static gboolean judge_guest_directory(Nodes *nodes, int parent, const char *name,
				      GError **error)
{
	g_autofree char *path = g_build_filename(nodes->memory, name, NULL);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	g_autoptr(AutoDir) dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
		       cannot_look(error, path, errno);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return cannot_look(error, path, errno);
	}
	while ((errno = 0, entry = readdir(dir))) {
		g_autofree char *node = g_build_filename(path, entry->d_name, NULL);

		if (!judge_guest_node(nodes, fd, entry->d_name, node, error))
			return FALSE;
	}
	return errno == 0 || errno == ENOENT || cannot_look(error, path, errno);
}

static gboolean judge_memory(Nodes *nodes, GError **error)
{
	g_autoptr(AutoDir) dir = opendir(nodes->memory);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT || cannot_look(error, nodes->memory, errno);
	while ((errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] != '.' &&
		    !judge_guest_directory(nodes, dirfd(dir), entry->d_name, error))
			return FALSE;
	}
	return errno == 0 || cannot_look(error, nodes->memory, errno);
}

static gboolean judge_dev(Nodes *nodes, GError **error)
{
	const char *path = nodes->look->host->dev;
	g_autoptr(AutoDir) dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return cannot_look(error, path, errno);
	while ((errno = 0, entry = readdir(dir))) {
		if (!judge_dev_node(nodes, dirfd(dir), entry->d_name, error))
			return FALSE;
	}
	return errno == 0 || cannot_look(error, path, errno);
}

static void index_minors(Nodes *nodes)
{
	const GPtrArray *rows = nodes->look->audit->instances;

	nodes->by_minor = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < rows->len; i++) {
		DaxcAuditInstance *row = g_ptr_array_index(rows, i);

		if (row->instance->major == 0)
			continue;
		nodes->major = row->instance->major;
		g_hash_table_insert(nodes->by_minor,
				    GUINT_TO_POINTER(row->instance->minor), row);
	}
}

gboolean daxc_look_nodes(DaxcLook *look, GError **error)
{
	g_autoptr(DaxcQemuConf) conf = NULL;
	Nodes nodes = {.look = look};
	gboolean ok;

	if (!look->host->dev)
		return TRUE;
	conf = daxc_qemu_conf_load(look->host->config->qemu_conf, error);
	if (!conf)
		return FALSE;
	nodes.memory = conf->memory_backing_dir;
	index_minors(&nodes);
	ok = judge_dev(&nodes, error) && judge_memory(&nodes, error);
	g_hash_table_unref(nodes.by_minor);
	return ok;
}
