// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt's qemu hook, for domains that speak of daxcolor (qemu-gate.c keeps
 * the others away): NAME OPERATION SUB-OPERATION EXTRA, domain XML on stdin.
 *
 *   prepare  carves, and so decides whether the guest may start
 *   start    puts the device nodes where QEMU may open them
 *   release  takes everything back, to be zeroed by daxcolor-scrub.service
 *
 * libvirt waits for us and shows what we say on stderr to the user of `prepare`
 * and `start`. It kills a running guest when `reconnect` fails, and can do
 * nothing about a failed `release`: these two always succeed, and log.
 * Calling libvirt from here would be a deadlock.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

#include <daxcolor/daxcolor.h>

#include "hooks/handover.h"
#include "hooks/privileges.h"

/* The gate lets no more than this through. */
#define XML_MAX (16u << 20)

typedef struct {
	DaxcRequest *request;
	const char *domain;
} Hook;

/* One line a message: the journal and syslog both take it, with the guest. */
static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize n,
				  gpointer data)
{
	const Hook *hook = data;

	for (gsize i = 0; i < n; i++) {
		if (strcmp(fields[i].key, "MESSAGE") != 0)
			continue;
		syslog(level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING) ? LOG_WARNING
									    : LOG_INFO,
		       "%s (%s): %s", hook->domain,
		       hook->request ? hook->request->uuid : "no UUID yet",
		       (const char *)fields[i].value);
	}
	return G_LOG_WRITER_HANDLED;
}

static char *read_stdin(gsize *length, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char buffer[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || text->len + (gsize)n > XML_MAX) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "cannot read the domain XML from stdin: %s",
				    n < 0 ? g_strerror(errno) : "too long");
			return NULL;
		}
		g_string_append_len(text, buffer, n);
	}
	*length = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static DaxcHost *open_host(gboolean read_only, GError **error)
{
	const DaxcHostOptions options = {.read_only = read_only};

	return daxc_host_open(&options, error);
}

/* Paths under which libvirt would let a guest use these instances. */
static GStrv device_paths(const GPtrArray *carvings)
{
	GStrv paths = g_new0(char *, carvings->len + 1);

	for (guint i = 0; i < carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(carvings, i);

		paths[i] = g_strdup_printf("/dev/%s", carving->instance);
	}
	return paths;
}

/* What would make the start fail later, with a message of somebody else. A
 * simulated host has no libvirt to look at. */
static gboolean check_start(Hook *hook, DaxcHost *host, const char *const *devices,
			    GError **error)
{
	return daxc_host_is_simulated(host) ||
	       daxc_doctor_check_start(hook->request->emulator, devices, error);
}

static gboolean on_prepare(Hook *hook, GError **error)
{
	g_autoptr(DaxcHost) host = open_host(FALSE, error);
	g_autoptr(GPtrArray) carvings = NULL;
	g_auto(GStrv) devices = NULL;
	g_autoptr(GError) local = NULL;

	if (!host || !check_start(hook, host, NULL, error))
		return FALSE;
	carvings = daxc_host_carve(host, hook->request, error);
	if (!carvings)
		return FALSE;
	devices = device_paths(carvings);
	if (check_start(hook, host, (const char *const *)devices, error))
		return TRUE;
	if (!daxc_host_release(host, hook->request->uuid, &local))
		g_warning("cannot take the carving back: %s", local->message);
	return FALSE;
}

/* libvirt names a domain's memory directory "ID-NAME", with no more than the
 * beginning of a long name. Directories that a crashed host left may have the
 * same id; the one that says most of the name is it. */
static char *find_domain_dir(const Hook *hook, const char *base, GError **error)
{
	g_autofree char *id = g_strdup_printf("%d-", hook->request->live_id);
	g_autofree char *best = NULL;
	g_autoptr(GDir) dir = g_dir_open(base, 0, error);
	const char *entry;

	if (!dir)
		return NULL;
	while ((entry = g_dir_read_name(dir))) {
		if (!g_str_has_prefix(entry, id) ||
		    !g_str_has_prefix(hook->request->name, entry + strlen(id)) ||
		    (best && strlen(best) > strlen(entry)))
			continue;
		g_free(best);
		best = g_strdup(entry);
	}
	if (best)
		return g_build_filename(base, best, NULL);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_NOT_FOUND,
		    "libvirt made no memory directory %s/%s...: is memory_backing_dir in "
		    "qemu.conf newer than the daemon? restart libvirtd",
		    base, id);
	return NULL;
}

static int open_domain_dir(const Hook *hook, GError **error)
{
	g_autofree char *base = daxc_qemu_memory_dir(error);
	g_autofree char *path = base ? find_domain_dir(hook, base, error) : NULL;
	int fd;

	if (!path)
		return -1;
	/* The directory is the QEMU user's, so nothing in it is trusted. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED, "cannot open %s: %s",
			    path, g_strerror(errno));
	return fd;
}

static gboolean make_node(int dir, const char *node, const DaxcInstance *instance,
			  const struct stat *owner, GError **error)
{
	dev_t device = makedev(instance->major, instance->minor);

	if (unlinkat(dir, node, 0) != 0 && errno != ENOENT)
		goto failed;
	if (mknodat(dir, node, S_IFCHR | 0600, device) != 0)
		goto failed;
	if (fchownat(dir, node, owner->st_uid, owner->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
		goto failed;
	return TRUE;
failed:
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot make the device node %s of %s in the domain's memory "
		    "directory: %s",
		    node, instance->name, g_strerror(errno));
	return FALSE;
}

static gboolean write_handover(int dir, GKeyFile *handover, const struct stat *owner,
			       GError **error)
{
	gsize length;
	g_autofree char *text = g_key_file_to_data(handover, &length, NULL);
	int fd;
	gboolean ok;

	if (unlinkat(dir, HANDOVER_FILE, 0) != 0 && errno != ENOENT)
		goto failed;
	fd = openat(dir, HANDOVER_FILE,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0)
		goto failed;
	ok = write(fd, text, length) == (ssize_t)length &&
	     fchown(fd, owner->st_uid, owner->st_gid) == 0;
	if (close(fd) == 0 && ok)
		return TRUE;
failed:
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot write %s in the domain's memory directory: %s", HANDOVER_FILE,
		    g_strerror(errno));
	return FALSE;
}

static gboolean hand_over(int dir, GKeyFile *handover, DaxcHost *host,
			  const DaxcCarving *carving, const struct stat *owner,
			  GError **error)
{
	guint cell = carving->plan->cell;
	g_autofree char *group = g_strdup_printf(HANDOVER_GROUP, cell);
	g_autofree char *node = g_strdup_printf(HANDOVER_NODE, cell);
	g_autoptr(DaxcInstance)
		instance = daxc_host_carving_instance(host, carving, error);

	if (!instance)
		return FALSE;
	g_key_file_set_string(handover, group, HANDOVER_KEY_NODE, node);
	g_key_file_set_string(handover, group, HANDOVER_KEY_INSTANCE, carving->instance);
	g_key_file_set_uint64(handover, group, HANDOVER_KEY_SIZE, carving->plan->size);
	g_key_file_set_uint64(handover, group, HANDOVER_KEY_ALIGN, instance->align);
	return make_node(dir, node, instance, owner, error);
}

static gboolean on_start(Hook *hook, GError **error)
{
	g_autoptr(DaxcHost) host = open_host(TRUE, error);
	g_autoptr(GPtrArray) carvings = NULL;
	g_autoptr(GKeyFile) handover = g_key_file_new();
	struct stat owner;
	gboolean ok = TRUE;
	int dir;

	if (!host)
		return FALSE;
	carvings = daxc_host_find(host, hook->request->uuid, error);
	if (!carvings)
		return FALSE;
	if (carvings->len != hook->request->cells->len) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "the ledger has %u carvings for %u cells: did `prepare` run?",
			    carvings->len, hook->request->cells->len);
		return FALSE;
	}
	dir = open_domain_dir(hook, error);
	if (dir < 0)
		return FALSE;
	if (fstat(dir, &owner) != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot see who owns the domain's memory directory: %s",
			    g_strerror(errno));
		ok = FALSE;
	}
	for (guint i = 0; ok && i < carvings->len; i++)
		ok = hand_over(dir, handover, host, g_ptr_array_index(carvings, i),
			       &owner, error);
	ok = ok && write_handover(dir, handover, &owner, error);
	close(dir);
	return ok;
}

static gboolean on_release(Hook *hook, GError **error)
{
	g_autoptr(DaxcHost) host = open_host(FALSE, error);

	return host && daxc_host_release(host, hook->request->uuid, error);
}

static gboolean on_reconnect(Hook *hook, GError **error)
{
	g_autoptr(DaxcHost) host = open_host(TRUE, error);
	g_autoptr(GPtrArray) carvings = NULL;

	if (!host)
		return FALSE;
	carvings = daxc_host_find(host, hook->request->uuid, error);
	if (!carvings)
		return FALSE;
	if (carvings->len == hook->request->cells->len)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "it runs, but the ledger has %u carvings for its %u cells: see "
		    "`daxcolor list`",
		    carvings->len, hook->request->cells->len);
	return FALSE;
}

/* libvirt took over a QEMU that somebody else started: it is on no colors. */
static gboolean on_attach(Hook *hook, GError **error)
{
	g_warning("attached to a QEMU that libvirt did not start: its memory is not on "
		  "colors until it is restarted");
	return TRUE;
}

static const struct {
	const char *name;
	gboolean (*run)(Hook *hook, GError **error); /* NULL: nothing to do */
	gboolean may_fail;
	/* Metadata may be edited away while the guest runs; what it holds must
	 * come back all the same, so only the UUID is read. */
	gboolean by_uuid;
	gboolean hands_over;
} operations[] = {
	{"prepare", on_prepare, TRUE},
	{"start", on_start, TRUE, .hands_over = TRUE},
	{"started", NULL, FALSE},
	{"stopped", NULL, FALSE},
	{"release", on_release, FALSE, TRUE},
	/* `prepare` follows and does the work; nothing on stdout: XML unchanged. */
	{"migrate", NULL, FALSE},
	{"restore", NULL, FALSE},
	{"reconnect", on_reconnect, FALSE},
	{"attach", on_attach, FALSE},
};

static gboolean read_domain(Hook *hook, gboolean by_uuid, GError **error)
{
	gsize length;
	g_autofree char *xml = read_stdin(&length, error);

	if (!xml)
		return FALSE;
	if (!by_uuid)
		return daxc_domain_read(xml, (gssize)length, &hook->request, error);
	hook->request = daxc_domain_identify(xml, (gssize)length, error);
	return hook->request != NULL;
}

static gboolean run(Hook *hook, gsize operation, GError **error)
{
	if (!operations[operation].run)
		return TRUE;
	if (!hook_drop_privileges(operations[operation].hands_over, error))
		return FALSE;
	if (!read_domain(hook, operations[operation].by_uuid, error))
		return FALSE;
	if (!hook->request)
		return TRUE;
	return operations[operation].run(hook, error);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	Hook hook = {0};
	int status = 0;
	gsize i;

	if (argc < 3) {
		fprintf(stderr,
			"usage: %s DOMAIN OPERATION [SUB-OPERATION [EXTRA]] "
			"<DOMAIN.xml (libvirt calls this)\n",
			argv[0]);
		return 2;
	}
	hook.domain = argv[1];
	openlog("daxcolor", LOG_PID, LOG_DAEMON);
	g_log_set_writer_func(write_log, &hook, NULL);
	for (i = 0; i < G_N_ELEMENTS(operations); i++) {
		if (strcmp(operations[i].name, argv[2]) == 0)
			break;
	}
	/* An operation of a newer libvirt is none that we must prevent. */
	if (i == G_N_ELEMENTS(operations))
		return 0;
	if (!run(&hook, i, &error)) {
		fprintf(stderr, "daxcolor: guest %s: %s\n", hook.domain, error->message);
		g_warning("%s: %s", argv[2], error->message);
		status = operations[i].may_fail ? 1 : 0;
	}
	g_clear_pointer(&hook.request, daxc_request_free);
	return status;
}
