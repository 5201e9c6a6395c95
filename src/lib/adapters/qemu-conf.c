// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt's qemu.conf through augeas, which here works on text that we read and
 * write: so the size is bounded, and the file is replaced at once.
 */
#include "adapters/qemu-conf.h"

#include <augeas.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/file.h"

#include <daxcolor/error.h>

#define LENS "Daxcolor_qemu_conf.lns"
#define LENSDIR PKGDATADIR "/lenses"
/* libvirt's own has 40 KiB, nearly all of it comments. */
#define CONF_MAX (1u << 20)
#define DEFAULT_MEMORY_BACKING_DIR "/var/lib/libvirt/qemu/ram"

/* What libvirt allows where neither the file nor a comment in it says more. */
static const char *const default_acl[] = {
	"/dev/null",	"/dev/full", "/dev/zero", "/dev/random",
	"/dev/urandom", "/dev/ptmx", "/dev/kvm",  NULL,
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(augeas, aug_close)

void daxc_qemu_conf_free(DaxcQemuConf *conf)
{
	g_free(conf->memory_backing_dir);
	g_free(conf->user);
	g_strfreev(conf->security_drivers);
	g_strfreev(conf->controllers);
	g_strfreev(conf->device_acl);
	g_free(conf);
}

/* A missing file is an empty one. */
static gboolean read_file(const char *path, char **text, GError **error)
{
	g_autoptr(GError) local = NULL;
	gsize length;

	if (!daxc_file_read(path, CONF_MAX, text, &length, &local)) {
		if (!g_error_matches(local, DAXC_ERROR, DAXC_ERROR_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&local));
			return FALSE;
		}
		*text = g_strdup("");
		return TRUE;
	}
	if (strlen(*text) == length)
		return TRUE;
	g_clear_pointer(text, g_free);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%s is no text: it holds a NUL byte", path);
	return FALSE;
}

static guint line_at(const char *text, guint64 offset)
{
	guint line = 1;

	for (const char *c = text; *c && offset > 0; c++, offset--)
		line += *c == '\n';
	return line;
}

static void set_parse_error(augeas *aug, const char *path, const char *text,
			    GError **error)
{
	const char *message = NULL, *offset = NULL;

	aug_get(aug, "/augeas/text/conf/error/pos", &offset);
	if (offset) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%s, line %u: libvirt's settings are written as name = "
			    "\"value\", "
			    "name = 1 or name = [ \"value\", ... ]",
			    path, line_at(text, g_ascii_strtoull(offset, NULL, 10)));
		return;
	}
	if (aug_get(aug, "/augeas/text/conf/error/message", &message) != 1 || !message)
		message = aug_error_details(aug) ? aug_error_details(aug)
						 : aug_error_message(aug);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "cannot read %s through augeas with the lens in %s: %s", path,
		    LENSDIR, message);
}

/* Returns: the settings in @text as a tree below /conf. */
static augeas *parse(const char *path, const char *text, GError **error)
{
	/* A last line without its end is none to augeas. */
	g_autofree char *whole = g_strconcat(
		text, *text && !g_str_has_suffix(text, "\n") ? "\n" : "", NULL);
	g_autoptr(augeas) aug = aug_init(
		NULL, LENSDIR, AUG_NO_STDINC | AUG_NO_LOAD | AUG_NO_MODL_AUTOLOAD);

	if (!aug) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot start augeas to read %s: out of memory", path);
		return NULL;
	}
	if (aug_set(aug, "/text", whole) != 0 ||
	    aug_text_store(aug, LENS, "/text", "/conf") != 0) {
		set_parse_error(aug, path, whole, error);
		return NULL;
	}
	return g_steal_pointer(&aug);
}

static char *unquote(const char *value)
{
	if (*value == '"' || *value == '\'')
		return g_strndup(value + 1, strlen(value) - 2);
	return g_strdup(value);
}

/* Returns: (nullable): value of the first setting @key: libvirt takes that one. */
static char *get_text(augeas *aug, const char *key)
{
	g_autofree char *node = g_strdup_printf("/conf/%s[1]", key);
	const char *value = NULL;

	if (aug_get(aug, node, &value) != 1 || !value || *value == '[')
		return NULL;
	return unquote(value);
}

/* Returns: (nullable): the values of @key, which may also have just one. */
static GStrv get_list(augeas *aug, const char *key)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *node = g_strdup_printf("/conf/%s[1]", key);
	g_autofree char *values = g_strdup_printf("%s/list/*", node);
	char **matches = NULL;
	const char *value = NULL;
	int n;

	if (aug_get(aug, node, &value) != 1 || !value)
		return NULL;
	if (*value != '[')
		g_ptr_array_add(list, unquote(value));
	n = aug_match(aug, values, &matches);
	for (int i = 0; i < n; i++) {
		if (aug_get(aug, matches[i], &value) == 1 && value)
			g_ptr_array_add(list, unquote(value));
		free(matches[i]);
	}
	free(matches);
	g_ptr_array_add(list, NULL);
	return (GStrv)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}

/* All but ours: a list that somebody has commented out again is no default. */
static void add_quoted(GPtrArray *list, const char *line)
{
	g_auto(GStrv) parts = g_strsplit(line, "\"", -1);
	guint n = g_strv_length(parts);

	for (guint i = 1; i + 1 < n; i += 2) {
		if (!g_str_has_prefix(parts[i], "/dev/dax"))
			g_ptr_array_add(list, g_strdup(parts[i]));
	}
}

/*
 * libvirt's default differs between versions; each ships it as a comment:
 *   #cgroup_device_acl = [
 *   #    "/dev/null", ...
 *   #]
 */
static GStrv commented_acl(const char *text)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	gboolean inside = FALSE;

	for (guint i = 0; lines[i] && !(inside && lines[i][0] != '#'); i++) {
		inside = inside || g_str_has_prefix(lines[i], "#cgroup_device_acl");
		if (!inside)
			continue;
		add_quoted(list, lines[i]);
		if (!strchr(lines[i], ']'))
			continue;
		if (list->len == 0)
			break;
		g_ptr_array_add(list, NULL);
		return (GStrv)g_ptr_array_free(g_steal_pointer(&list), FALSE);
	}
	return g_strdupv((char **)default_acl);
}

static DaxcQemuConf *read_settings(augeas *aug, const char *text)
{
	g_autofree char *dir = get_text(aug, "memory_backing_dir");
	DaxcQemuConf *conf = g_new0(DaxcQemuConf, 1);

	conf->memory_backing_dir = dir ? g_build_filename(dir, "libvirt/qemu", NULL)
				       : g_strdup(DEFAULT_MEMORY_BACKING_DIR);
	conf->user = get_text(aug, "user");
	conf->security_drivers = get_list(aug, "security_driver");
	conf->controllers = get_list(aug, "cgroup_controllers");
	conf->device_acl = get_list(aug, "cgroup_device_acl");
	conf->device_acl_set = conf->device_acl != NULL;
	if (!conf->device_acl)
		conf->device_acl = commented_acl(text);
	return conf;
}

DaxcQemuConf *daxc_qemu_conf_load(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(augeas) aug = NULL;

	if (!read_file(path, &text, error))
		return NULL;
	aug = parse(path, text, error);
	return aug ? read_settings(aug, text) : NULL;
}

gboolean daxc_qemu_conf_uses_devices(const DaxcQemuConf *conf)
{
	return !conf->controllers ||
	       g_strv_contains((const char *const *)conf->controllers, "devices");
}

gboolean daxc_qemu_conf_uses_driver(const DaxcQemuConf *conf, const char *driver)
{
	return !conf->security_drivers ||
	       g_strv_contains((const char *const *)conf->security_drivers, driver);
}

gboolean daxc_qemu_conf_allows(const DaxcQemuConf *conf, const char *device)
{
	return g_strv_contains((const char *const *)conf->device_acl, device);
}

static gboolean append(augeas *aug, const char *device)
{
	g_autofree char *quoted = g_strdup_printf("\"%s\"", device);
	int n = aug_match(aug, "/conf/cgroup_device_acl[1]/list/*", NULL);
	g_autofree char *node =
		g_strdup_printf("/conf/cgroup_device_acl[1]/list/%d", n + 1);

	return aug_set(aug, node, quoted) == 0;
}

/* Returns: how many were added to the tree, -1 when augeas failed. */
static int add_devices(augeas *aug, const char *text, const char *const *devices)
{
	g_auto(GStrv) acl = get_list(aug, "cgroup_device_acl");
	int added = 0;

	if (!acl) {
		acl = commented_acl(text);
		if (aug_set(aug, "/conf/cgroup_device_acl", "[") != 0)
			return -1;
		for (guint i = 0; acl[i]; i++) {
			if (!append(aug, acl[i]))
				return -1;
		}
	}
	for (guint i = 0; devices[i]; i++) {
		if (g_strv_contains((const char *const *)acl, devices[i]))
			continue;
		if (!append(aug, devices[i]))
			return -1;
		added++;
	}
	return added;
}

/* Keeps owner and mode, which are tighter than usual: it may hold passwords. */
static gboolean replace(const char *path, const char *old, const char *new,
			GError **error)
{
	g_autofree char *copy = g_strconcat(path, ".daxcolor-old", NULL);
	struct stat st = {.st_mode = 0600};
	gboolean exists = stat(path, &st) == 0;
	int mode = (int)(st.st_mode & 0777);

	if (exists && !g_file_set_contents_full(
			      copy, old, -1, G_FILE_SET_CONTENTS_CONSISTENT, mode, error))
		return FALSE;
	if (!g_file_set_contents_full(path, new, -1,
				      G_FILE_SET_CONTENTS_CONSISTENT |
					      G_FILE_SET_CONTENTS_DURABLE,
				      mode, error))
		return FALSE;
	if (exists && chown(path, st.st_uid, st.st_gid) != 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot give %s back to its owner %u:%u: %s", path, st.st_uid,
			    st.st_gid, g_strerror(errno));
		return FALSE;
	}
	return TRUE;
}

gboolean daxc_qemu_conf_allow(const char *path, const char *const *devices,
			      gboolean *changed, GError **error)
{
	/* A link stays a link. */
	g_autofree char *real = realpath(path, NULL);
	g_autofree char *text = NULL;
	g_autoptr(augeas) aug = NULL;
	const char *edited = NULL;
	int added;

	if (!read_file(path, &text, error))
		return FALSE;
	aug = parse(path, text, error);
	if (!aug)
		return FALSE;
	added = add_devices(aug, text, devices);
	*changed = added > 0;
	if (added == 0)
		return TRUE;
	if (added < 0 || aug_text_retrieve(aug, LENS, "/text", "/conf", "/new") != 0 ||
	    aug_get(aug, "/new", &edited) != 1 || !edited) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot add to cgroup_device_acl in %s: it must be a list, "
			    "[ \"/dev/null\", ... ]; correct it by hand",
			    path);
		return FALSE;
	}
	return replace(real ? real : path, text, edited, error);
}
