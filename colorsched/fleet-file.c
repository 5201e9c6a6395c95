// SPDX-License-Identifier: GPL-2.0-or-later
/* Fleet descriptions. */
#include "fleet-file.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/file.h"
#include "adapters/key-file.h"

#define MAX_FILE ((gsize)1 << 20)
#define MAX_SECTIONS 4096u

/**
 * Section: where we are in the file.
 * @file, @group: for messages
 * @name: the NAME of [model NAME] and [hosts NAME]
 */
typedef struct {
	const char *file;
	const char *group;
	const char *name;
	GKeyFile *keys;
	SchedFleet *fleet;
	DaxcConfig *(*load_host)(const char *path, GError **error);
} Section;

static gboolean G_GNUC_PRINTF(4, 5) refuse(const Section *section, const char *key,
					   GError **error, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list arguments;

	va_start(arguments, format);
	why = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "%s: [%s]%s%s: %s",
		    section->file, section->group, key ? " " : "", key ? key : "", why);
	return FALSE;
}

static char *value(const Section *section, const char *key)
{
	char *text = g_key_file_get_value(section->keys, section->group, key, NULL);

	return text ? g_strstrip(text) : NULL;
}

static gboolean check_keys(const Section *section, const char *const *known,
			   GError **error)
{
	g_auto(GStrv)
		keys = g_key_file_get_keys(section->keys, section->group, NULL, NULL);

	for (guint i = 0; keys && keys[i]; i++) {
		g_autofree char *all = NULL;

		if (g_strv_contains(known, keys[i]))
			continue;
		all = g_strjoinv(", ", (char **)known);
		return refuse(section, keys[i], error,
			      "no such key; in this section there are %s", all);
	}
	return TRUE;
}

/* Names stand in messages and in the names of hosts. */
static gboolean check_name(const Section *section, GError **error)
{
	g_autoptr(GError) cause = NULL;

	if (daxc_tenant_check(section->name, &cause))
		return TRUE;
	return refuse(section, NULL, error,
		      "the name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a "
		      "letter or digit");
}

/* Models. */

static void add_distances(const DaxcConfig *host, DaxcLayout *layout)
{
	for (guint i = 0; i < host->regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(host->regions, i);

		for (guint from = 0; from < host->n_nodes; from++) {
			if ((guint)region->node >= host->n_nodes)
				continue;
			daxc_layout_set_distance(
				layout, (gint)from, region->node,
				g_array_index(host->distances, guint8,
					      from * host->n_nodes +
						      (guint)region->node));
		}
	}
}

static SchedModel *make_model(const Section *section, const DaxcConfig *host,
			      GError **error)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	DaxcLayout *layout;
	SchedModel *model;

	for (guint i = 0; i < host->domains->len; i++) {
		if (!daxc_geometry_add(geometry, g_ptr_array_index(host->domains, i),
				       error))
			return NULL;
	}
	layout = daxc_layout_new(geometry, host->regions);
	add_distances(host, layout);
	model = sched_model_new(section->name, geometry, layout, error);
	if (!model)
		g_prefix_error(error, "%s: [%s]: ", section->file, section->group);
	return model;
}

static gboolean read_model(const Section *section, GError **error)
{
	static const char *const keys[] = {"host", NULL};
	g_autofree char *host = value(section, "host");
	g_autofree char *directory = g_path_get_dirname(section->file);
	g_autofree char *path = NULL;
	g_autoptr(DaxcConfig) config = NULL;
	SchedModel *model;

	if (!check_keys(section, keys, error) || !check_name(section, error))
		return FALSE;
	if (!host || *host == '\0')
		return refuse(section, "host", error, "is missing");
	path = g_path_is_absolute(host) ? g_strdup(host)
					: g_build_filename(directory, host, NULL);
	config = section->load_host(path, error);
	if (!config) {
		g_prefix_error(error, "%s: [%s] host: ", section->file, section->group);
		return FALSE;
	}
	model = make_model(section, config, error);
	if (!model)
		return FALSE;
	sched_fleet_add_model(section->fleet, model);
	return TRUE;
}

/* Hosts. */

static gboolean read_list(const Section *section, const char *key, char ***list,
			  GError **error)
{
	g_autofree char *text = value(section, key);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) items = text ? g_strsplit(text, ";", -1) : NULL;

	for (guint i = 0; items && items[i]; i++) {
		g_strstrip(items[i]);
		/* An empty list, or the separator at the end of one. */
		if (*items[i] == '\0' && !items[i + 1])
			break;
		if (!daxc_tenant_check(items[i], NULL))
			return refuse(section, key, error,
				      "\"%s\" is no name: write names with ; between "
				      "them",
				      items[i]);
		g_ptr_array_add(names, g_strdup(items[i]));
	}
	g_ptr_array_add(names, NULL);
	*list = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
	return TRUE;
}

static gboolean read_count(const Section *section, guint64 *count, GError **error)
{
	g_autofree char *text = value(section, "count");

	*count = 1;
	if (!text || daxc_uint_parse(text, "the value", SCHED_HOSTS_MAX, count, error))
		return TRUE;
	g_prefix_error(error, "%s: [%s] count: ", section->file, section->group);
	return FALSE;
}

static gboolean read_hosts(const Section *section, GError **error)
{
	static const char *const keys[] = {"model", "count", "aggregates", "traits",
					   NULL};
	g_autofree char *name = value(section, "model");
	g_auto(GStrv) aggregates = NULL;
	g_auto(GStrv) traits = NULL;
	SchedModel *model;
	guint64 count;

	if (!check_keys(section, keys, error) || !check_name(section, error) ||
	    !read_count(section, &count, error) ||
	    !read_list(section, "aggregates", &aggregates, error) ||
	    !read_list(section, "traits", &traits, error))
		return FALSE;
	if (!name)
		return refuse(section, "model", error, "is missing");
	model = sched_fleet_find_model(section->fleet, name);
	if (!model)
		return refuse(section, "model", error, "there is no [model %s]", name);
	if (sched_fleet_add_pool(section->fleet, section->name, model, (guint)count,
				 (const char *const *)aggregates,
				 (const char *const *)traits, error))
		return TRUE;
	g_prefix_error(error, "%s: [%s] count: ", section->file, section->group);
	return FALSE;
}

/* Reads the sections of one kind; others have their turn. */
static gboolean read_kind(Section *section, char **groups, const char *kind,
			  gboolean (*read)(const Section *section, GError **error),
			  GError **error)
{
	gsize length = strlen(kind);

	for (guint i = 0; groups[i]; i++) {
		if (strncmp(groups[i], kind, length) != 0 || groups[i][length] != ' ')
			continue;
		section->group = groups[i];
		section->name = groups[i] + length + 1;
		if (!read(section, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_groups(Section *section, char **groups, GError **error)
{
	for (guint i = 0; groups[i]; i++) {
		section->group = groups[i];
		if (i >= MAX_SECTIONS)
			return refuse(section, NULL, error,
				      "more than %u sections are no fleet", MAX_SECTIONS);
		if (!g_str_has_prefix(groups[i], "model ") &&
		    !g_str_has_prefix(groups[i], "hosts "))
			return refuse(section, NULL, error,
				      "no such section: there are [model NAME] and "
				      "[hosts NAME]");
	}
	return TRUE;
}

SchedFleet *sched_fleet_parse(const char *name, const char *text, gsize length,
			      DaxcConfig *(*load_host)(const char *path, GError **error),
			      GError **error)
{
	g_autoptr(SchedFleet) fleet = sched_fleet_new();
	g_autoptr(GKeyFile) keys = daxc_key_file_parse(name, text, length, error);
	g_auto(GStrv) groups = keys ? g_key_file_get_groups(keys, NULL) : NULL;
	Section section = {
		.file = name, .keys = keys, .fleet = fleet, .load_host = load_host};

	if (!keys || !check_groups(&section, groups, error) ||
	    !read_kind(&section, groups, "model", read_model, error) ||
	    !read_kind(&section, groups, "hosts", read_hosts, error))
		return NULL;
	if (fleet->n_hosts == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%s: there is no [hosts NAME], and so no host", name);
		return NULL;
	}
	sched_fleet_ready(fleet);
	return g_steal_pointer(&fleet);
}

SchedFleet *sched_fleet_load(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	gsize length;

	if (!daxc_file_read(path, MAX_FILE, &text, &length, error))
		return NULL;
	return sched_fleet_parse(path, text, length, daxc_config_load_host, error);
}
