// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's arguments, and how the launcher changes them. QEMU reads the values
 * of -object, -machine and -numa as JSON or as key=value lists with doubled
 * commas; both are taken apart with the place of each value kept, so that a
 * change touches nothing but that value.
 */
#include "launcher-args.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include <daxcolor/domain-xml.h>
#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "handover.h"

/* No value of libvirt's is nested deeper; QEMU's own bound is 1024. */
#define JSON_DEPTH_MAX 64
/* QEMU has no more guest cells than this (MAX_NODES). */
#define CELLS_MAX 128
/* device-dax maps nothing smaller than a page. */
#define ALIGN_MIN 4096

/**
 * Param: one key with its value.
 * @value: decoded; a number of JSON's as it is written
 * @start, @end: the value as it is written, in the whole text
 * @string: JSON: it is a string
 */
typedef struct {
	char *key;
	char *value;
	gsize start;
	gsize end;
	gboolean string;
} Param;

/**
 * Params: an option's value, taken apart.
 * @text: the value, the caller's
 * @list: (element-type Param)
 */
typedef struct {
	const char *text;
	gboolean json;
	GArray *list;
} Params;

static void param_clear(gpointer data)
{
	Param *param = data;

	g_free(param->key);
	g_free(param->value);
}

static void params_free(Params *params)
{
	if (!params)
		return;
	g_array_unref(params->list);
	g_free(params);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Params, params_free)

static Params *params_new(const char *text, gboolean json)
{
	Params *params = g_new0(Params, 1);

	params->text = text;
	params->json = json;
	params->list = g_array_new(FALSE, TRUE, sizeof(Param));
	g_array_set_clear_func(params->list, param_clear);
	return params;
}

/* Returns: (transfer none): a new last one, to be filled before the next. */
static Param *params_add(Params *params)
{
	g_array_set_size(params->list, params->list->len + 1);
	return &g_array_index(params->list, Param, params->list->len - 1);
}

/* The last one counts, as for QEMU. */
static const Param *params_find(const Params *params, const char *key)
{
	for (guint i = params->list->len; i > 0; i--) {
		const Param *param = &g_array_index(params->list, Param, i - 1);

		if (strcmp(param->key, key) == 0)
			return param;
	}
	return NULL;
}

static const char *params_get(const Params *params, const char *key)
{
	const Param *param = params_find(params, key);

	return param ? param->value : NULL;
}

/* key=value lists. */

/* Decodes the value at @text, in which two commas stand for one. Returns: the
 * comma that ends it, or the end of the text. */
static const char *scan_value(const char *text, char **value)
{
	GString *decoded = g_string_new(NULL);

	for (; *text; text++) {
		if (*text == ',' && *++text != ',') {
			text--;
			break;
		}
		g_string_append_c(decoded, *text);
	}
	*value = g_string_free(decoded, FALSE);
	return text;
}

/* @implied: (nullable): key of a first value that has none */
static Params *parse_list(const char *text, const char *implied)
{
	Params *params = params_new(text, FALSE);
	const char *at = text;

	while (*at) {
		gsize length = strcspn(at, "=,");
		gboolean keyed = at[length] == '=';

		if (keyed || (at == text && implied)) {
			Param *param = params_add(params);

			param->key = keyed ? g_strndup(at, length) : g_strdup(implied);
			at += keyed ? length + 1 : 0;
			param->start = (gsize)(at - text);
			at = scan_value(at, &param->value);
			param->end = (gsize)(at - text);
		} else {
			/* A switch: "share" is share=on. */
			at += length;
		}
		if (*at == ',')
			at++;
	}
	return params;
}

/* JSON. json-glib decodes, but does not tell where it found a value: these
 * find the members of the outermost object, or NULL where the text is no JSON. */

static const char *skip_space(const char *text)
{
	return text + strspn(text, " \t\r\n");
}

static const char *skip_string(const char *text)
{
	if (*text != '"')
		return NULL;
	for (text++; *text != '"'; text++) {
		if (*text == '\\')
			text++;
		if (*text == '\0')
			return NULL;
	}
	return text + 1;
}

static const char *skip_nested(const char *text)
{
	guint depth = 0;

	do {
		if (*text == '"') {
			text = skip_string(text);
			if (!text)
				return NULL;
			continue;
		}
		if (*text == '{' || *text == '[')
			depth++;
		else if (*text == '}' || *text == ']')
			depth--;
		if (*text == '\0' || depth > JSON_DEPTH_MAX)
			return NULL;
		text++;
	} while (depth > 0);
	return text;
}

static const char *skip_json(const char *text)
{
	gsize length;

	if (*text == '"')
		return skip_string(text);
	if (*text == '{' || *text == '[')
		return skip_nested(text);
	length = strcspn(text, ",:{}[]\" \t\r\n");
	return length > 0 ? text + length : NULL;
}

/* Adds the member at @at. Returns: what is behind it. */
static const char *scan_member(Params *params, const char *at)
{
	const char *end = skip_string(at);
	const char *value;
	Param *param;

	if (!end)
		return NULL;
	param = params_add(params);
	param->key = g_strndup(at + 1, (gsize)(end - at) - 2);
	at = skip_space(end);
	if (*at != ':')
		return NULL;
	value = skip_space(at + 1);
	at = skip_json(value);
	if (!at)
		return NULL;
	param->string = *value == '"';
	param->start = (gsize)(value - params->text);
	param->end = (gsize)(at - params->text);
	return skip_space(at);
}

static gboolean scan_members(Params *params)
{
	const char *at = skip_space(params->text);

	if (*at != '{')
		return FALSE;
	at = skip_space(at + 1);
	while (*at != '}') {
		at = scan_member(params, at);
		if (!at || (*at != ',' && *at != '}'))
			return FALSE;
		if (*at == ',')
			at = skip_space(at + 1);
	}
	return *skip_space(at + 1) == '\0';
}

/* Sets the values. A key that json-glib does not have as it is written (an
 * escape in it), or a second time, is beyond us; libvirt writes neither. */
static gboolean decode_members(Params *params, JsonObject *object)
{
	if (json_object_get_size(object) != params->list->len)
		return FALSE;
	for (guint i = 0; i < params->list->len; i++) {
		Param *param = &g_array_index(params->list, Param, i);
		JsonNode *node = json_object_get_member(object, param->key);

		if (!node)
			return FALSE;
		param->value = param->string ? json_node_dup_string(node)
					     : g_strndup(params->text + param->start,
							 param->end - param->start);
		if (!param->value)
			return FALSE;
	}
	return TRUE;
}

static Params *parse_json(const char *text)
{
	g_autoptr(Params) params = params_new(text, TRUE);
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonNode *root;

	/* First ours, for it bounds the depth. */
	if (!scan_members(params) || !json_parser_load_from_data(parser, text, -1, NULL))
		return NULL;
	root = json_parser_get_root(parser);
	if (!root || !JSON_NODE_HOLDS_OBJECT(root) ||
	    !decode_members(params, json_node_get_object(root)))
		return NULL;
	return g_steal_pointer(&params);
}

/* Returns: (nullable): NULL for JSON that cannot be read. */
static Params *params_parse(const char *text, const char *implied)
{
	return text[0] == '{' ? parse_json(text) : parse_list(text, implied);
}

/* The command line. */

/**
 * MemoryObject: an -object.
 * @index: of its value in argv
 */
typedef struct {
	guint index;
	Params *params;
} MemoryObject;

/**
 * GuestRam: what -machine or -numa names.
 * @id: of the object
 */
typedef struct {
	guint cell;
	char *id;
} GuestRam;

/**
 * CommandLine: as much of QEMU's as we need.
 * @guest: (nullable): from -name guest=, which libvirt always gives
 * @machine: (nullable)
 * @backend: (nullable): -machine memory-backend=
 * @ram: (element-type GuestRam): from -numa
 * @cells: number of -numa node
 * @bare_cells: one of them has memory that is no object (mem=)
 */
typedef struct {
	char *guest;
	char *machine;
	char *backend;
	GArray *ram;
	GArray *objects;
	guint cells;
	gboolean bare_cells;
} CommandLine;

static void object_clear(gpointer data)
{
	MemoryObject *object = data;

	params_free(object->params);
}

static void ram_clear(gpointer data)
{
	GuestRam *ram = data;

	g_free(ram->id);
}

static void command_line_free(CommandLine *line)
{
	g_free(line->guest);
	g_free(line->machine);
	g_free(line->backend);
	g_array_unref(line->ram);
	g_array_unref(line->objects);
	g_free(line);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CommandLine, command_line_free)

static CommandLine *command_line_new(void)
{
	CommandLine *line = g_new0(CommandLine, 1);

	line->ram = g_array_new(FALSE, FALSE, sizeof(GuestRam));
	g_array_set_clear_func(line->ram, ram_clear);
	line->objects = g_array_new(FALSE, FALSE, sizeof(MemoryObject));
	g_array_set_clear_func(line->objects, object_clear);
	return line;
}

static void replace(char **string, const char *value)
{
	if (!value)
		return;
	g_free(*string);
	*string = g_strdup(value);
}

static void read_name(CommandLine *line, const char *text)
{
	/* No implied key: "-name foo" is typed by people. */
	g_autoptr(Params) params = params_parse(text, NULL);

	if (params)
		replace(&line->guest, params_get(params, "guest"));
}

static void read_machine(CommandLine *line, const char *text)
{
	g_autoptr(Params) params = params_parse(text, "type");

	if (!params)
		return;
	replace(&line->machine, params_get(params, "type"));
	replace(&line->backend, params_get(params, "memory-backend"));
}

static void read_numa(CommandLine *line, const char *text)
{
	g_autoptr(Params) params = params_parse(text, "type");
	const char *id, *memdev;
	guint64 cell = line->cells;

	if (!params || g_strcmp0(params_get(params, "type"), "node") != 0)
		return;
	line->cells++;
	id = params_get(params, "nodeid");
	memdev = params_get(params, "memdev");
	/* A number that is none gives a cell that no handover has. */
	if (id && !daxc_uint_parse(id, "nodeid", CELLS_MAX, &cell, NULL))
		cell = G_MAXUINT;
	if (memdev) {
		GuestRam ram = {(guint)cell, g_strdup(memdev)};

		g_array_append_val(line->ram, ram);
	} else if (params_get(params, "mem")) {
		line->bare_cells = TRUE;
	}
}

static void read_object(CommandLine *line, const char *text, guint index)
{
	MemoryObject object = {index, params_parse(text, "qom-type")};

	if (object.params)
		g_array_append_val(line->objects, object);
}

/* QEMU 7.2's options without a value, and those of other releases that we know;
 * any other has one. An unknown one could hide the option behind it: what then
 * is missing (a cell of the handover, an object that -machine names) is refused. */
static gboolean has_value(const char *option)
{
	/* clang-format off */
	static const char *const switches[] = {
		"S", "alt-grab", "async-teardown", "audio-help", "ctrl-grab",
		"curses", "daemonize", "enable-fips", "enable-hax", "enable-kvm",
		"enable-sync-profile", "full-screen", "h", "help", "mem-prealloc",
		"no-acpi", "no-fd-bootchk", "no-frame", "no-hpet", "no-quit",
		"no-reboot", "no-shutdown", "no-user-config", "nodefaults",
		"nodefconfig", "nographic", "old-param", "only-migratable",
		"portrait", "preconfig", "s", "sdl", "semihosting", "singlestep",
		"snapshot", "usb", "version", "win2k-hack", "xen-attach",
		"xen-domid-restrict",
		NULL,
	};
	/* clang-format on */

	return !g_strv_contains(switches, option);
}

static CommandLine *command_line_parse(const char *const *argv)
{
	CommandLine *line = command_line_new();
	guint i = argv[0] ? 1 : 0;

	while (argv[i]) {
		const char *option = argv[i++];

		/* Without "-" it is a disk image. */
		if (option[0] != '-')
			continue;
		option += option[1] == '-' ? 2 : 1;
		if (!has_value(option))
			continue;
		if (!argv[i])
			break;
		if (strcmp(option, "name") == 0)
			read_name(line, argv[i]);
		else if (strcmp(option, "machine") == 0 || strcmp(option, "M") == 0)
			read_machine(line, argv[i]);
		else if (strcmp(option, "numa") == 0)
			read_numa(line, argv[i]);
		else if (strcmp(option, "object") == 0)
			read_object(line, argv[i], i);
		i++;
	}
	if (line->backend) {
		GuestRam ram = {0, g_strdup(line->backend)};

		g_array_prepend_val(line->ram, ram);
	}
	return line;
}

/* Changing an object. */

static char *json_quote(const char *text)
{
	g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);

	return json_to_string(node, FALSE);
}

static char *encode(const Params *params, const char *text)
{
	g_auto(GStrv) parts = NULL;

	if (params->json)
		return json_quote(text);
	parts = g_strsplit(text, ",", -1);
	return g_strjoinv(",,", parts);
}

/* Reads a size as QEMU does in this syntax: JSON has numbers of bytes only. */
static gboolean read_size(const Params *params, const Param *param, guint64 *bytes)
{
	if (!param || param->string)
		return FALSE;
	if (params->json)
		return daxc_uint_parse(param->value, "size", G_MAXUINT64, bytes, NULL);
	return daxc_size_parse(param->value, bytes, NULL);
}

static void put(GString *text, const Param *param, const char *value)
{
	g_string_erase(text, (gssize)param->start, (gssize)(param->end - param->start));
	g_string_insert(text, (gssize)param->start, value);
}

/* Returns: (transfer full): the object's text with @carving's node and align. */
static char *place_object(const Params *params, const LauncherCarving *carving)
{
	const Param *path = params_find(params, "mem-path");
	const Param *align = params_find(params, "align");
	GString *text = g_string_new(params->text);
	g_autofree char *node = encode(params, carving->node);
	g_autofree char *number = NULL;
	g_autofree char *both = NULL;
	guint64 bytes;

	number = g_strdup_printf("%" G_GUINT64_FORMAT, carving->align);
	if (!align) {
		both = g_strdup_printf(params->json ? "%s,\"align\":%s" : "%s,align=%s",
				       node, number);
		put(text, path, both);
		return g_string_free(text, FALSE);
	}
	/* An align that QEMU would refuse is left for it to refuse. */
	if (!read_size(params, align, &bytes) || bytes >= carving->align)
		align = NULL;
	/* From behind, so that the places before stay right. */
	if (align && align->start > path->start)
		put(text, align, number);
	put(text, path, node);
	if (align && align->start < path->start)
		put(text, align, number);
	return g_string_free(text, FALSE);
}

/* Placing guest RAM. */

/**
 * Placing: work in progress.
 * @argv: the new arguments, owned
 * @directory: (nullable): of the handover
 * @handover: (nullable) (element-type LauncherCarving)
 * @placed: by index in @handover
 */
typedef struct {
	const CommandLine *line;
	LauncherLookup lookup;
	gpointer data;
	char **argv;
	char *directory;
	GPtrArray *handover;
	gboolean placed[CELLS_MAX];
} Placing;

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean refuse(GError **error, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, DAXC_ERROR, DAXC_ERROR_REFUSED, what);
	return FALSE;
}

static gboolean find_handover(Placing *work, const char *path, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(path);
	g_autoptr(GError) why = NULL;

	if (work->handover && strcmp(directory, work->directory) == 0)
		return TRUE;
	if (work->handover)
		return refuse(error,
			      "its memory objects are in two directories, %s and %s; "
			      "libvirt puts them in one",
			      work->directory, directory);
	work->handover = work->lookup(directory, work->data, &why);
	work->directory = g_steal_pointer(&directory);
	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	if (work->handover)
		return TRUE;
	return refuse(
		error,
		"there is no %s/" HANDOVER_FILE
		", so libvirt's hook has carved nothing for this guest: see that the "
		"domain has daxcolor's metadata (daxcolor enroll), that the hook is "
		"in " SYSCONFDIR "/libvirt/hooks/qemu.d, and that libvirtd was "
		"restarted since it is; \"daxcolor doctor\" looks for all of it",
		work->directory);
}

static const LauncherCarving *take_carving(Placing *work, guint cell, GError **error)
{
	for (guint i = 0; i < work->handover->len; i++) {
		const LauncherCarving *carving = g_ptr_array_index(work->handover, i);

		if (carving->cell != cell)
			continue;
		if (work->placed[i]) {
			refuse(error, "its command line has memory for cell %u twice",
			       cell);
			return NULL;
		}
		work->placed[i] = TRUE;
		return carving;
	}
	refuse(error, "libvirt's hook has carved nothing for its cell %u (%s/%s)", cell,
	       work->directory, HANDOVER_FILE);
	return NULL;
}

static gboolean check_size(const MemoryObject *object, const LauncherCarving *carving,
			   GError **error)
{
	const Param *param = params_find(object->params, "size");
	g_autofree char *carved = NULL;
	guint64 size;

	if (read_size(object->params, param, &size) && size == carving->size)
		return TRUE;
	carved = daxc_size_format(carving->size);
	return refuse(
		error,
		"cell %u is to have memory of size %s, but libvirt's hook has carved "
		"%s for it (%s)",
		carving->cell, param ? param->value : "unknown", carved,
		carving->instance);
}

static gboolean place_file(Placing *work, const MemoryObject *object, guint cell,
			   GError **error)
{
	const char *path = params_get(object->params, "mem-path");
	const LauncherCarving *carving;

	if (!path)
		return refuse(error, "the memory of its cell %u has no mem-path", cell);
	if (!find_handover(work, path, error))
		return FALSE;
	carving = take_carving(work, cell, error);
	if (!carving || !check_size(object, carving, error))
		return FALSE;
	g_free(work->argv[object->index]);
	work->argv[object->index] = place_object(object->params, carving);
	return TRUE;
}

static const MemoryObject *find_object(const CommandLine *line, const char *id)
{
	for (guint i = 0; i < line->objects->len; i++) {
		const MemoryObject *object =
			&g_array_index(line->objects, MemoryObject, i);

		if (g_strcmp0(params_get(object->params, "id"), id) == 0)
			return object;
	}
	return NULL;
}

/* Must all of its memory be of its colors? */
static gboolean is_ours(const Placing *work)
{
	return work->handover ||
	       (work->line->guest && g_strcmp0(work->line->machine, "none") != 0);
}

#define WAY_OUT                                                                          \
	"run \"daxcolor enroll\" for the domain, or take \"" DAXC_LAUNCHER_PREFIX        \
	"\" out of its <emulator> if it needs no colors of its own"

static gboolean place_files(Placing *work, GError **error)
{
	for (guint i = 0; i < work->line->ram->len; i++) {
		const GuestRam *ram = &g_array_index(work->line->ram, GuestRam, i);
		const MemoryObject *object = find_object(work->line, ram->id);
		const char *type = object ? params_get(object->params, "qom-type") : NULL;

		if (g_strcmp0(type, "memory-backend-file") == 0 &&
		    !place_file(work, object, ram->cell, error))
			return FALSE;
	}
	return TRUE;
}

/* Everything that is not a file, and so was left alone, must be no RAM of ours. */
static gboolean check_others(const Placing *work, GError **error)
{
	const CommandLine *line = work->line;

	if (!is_ours(work))
		return TRUE;
	for (guint i = 0; i < line->ram->len; i++) {
		const GuestRam *ram = &g_array_index(line->ram, GuestRam, i);
		const MemoryObject *object = find_object(line, ram->id);
		const char *type = object ? params_get(object->params, "qom-type") : NULL;

		if (!object)
			return refuse(error,
				      "its memory object %s is not on QEMU's command "
				      "line in a form that the launcher can read",
				      ram->id);
		if (g_strcmp0(type, "memory-backend-file") != 0)
			return refuse(
				error,
				"its memory object %s is a %s and not a file, so it "
				"cannot be of its own colors: " WAY_OUT,
				ram->id, type ? type : "thing of no type");
	}
	if (line->ram->len == 0 || line->bare_cells)
		return refuse(error, "it has memory that is no memory object of QEMU's, "
				     "so it cannot be of its own colors: " WAY_OUT);
	return TRUE;
}

static gboolean check_complete(const Placing *work, GError **error)
{
	for (guint i = 0; work->handover && i < work->handover->len; i++) {
		const LauncherCarving *carving = g_ptr_array_index(work->handover, i);

		if (!work->placed[i])
			return refuse(error,
				      "libvirt's hook has carved %s for cell %u, but the "
				      "command line gives that cell no memory",
				      carving->instance, carving->cell);
	}
	return TRUE;
}

static gboolean place_all(Placing *work, GError **error)
{
	return place_files(work, error) && check_others(work, error) &&
	       check_complete(work, error);
}

static void carving_free(gpointer data)
{
	LauncherCarving *carving = data;

	g_free(carving->node);
	g_free(carving->instance);
	g_free(carving);
}

void launcher_args_free(LauncherArgs *args)
{
	if (!args)
		return;
	g_free(args->guest);
	g_strfreev(args->argv);
	g_ptr_array_unref(args->carvings);
	g_free(args);
}

LauncherArgs *launcher_rewrite(const char *const *argv, LauncherLookup lookup,
			       gpointer data, GError **error)
{
	g_autoptr(CommandLine) line = command_line_parse(argv);
	Placing work = {.line = line, .lookup = lookup, .data = data};
	LauncherArgs *args = NULL;

	work.argv = g_strdupv((char **)argv);
	if (place_all(&work, error)) {
		args = g_new0(LauncherArgs, 1);
		args->guest = g_strdup(line->guest);
		args->argv = g_steal_pointer(&work.argv);
		args->carvings = work.handover
					 ? g_steal_pointer(&work.handover)
					 : g_ptr_array_new_with_free_func(carving_free);
	} else if (line->guest) {
		g_prefix_error(error, "guest %s: ", line->guest);
	}
	g_strfreev(work.argv);
	g_free(work.directory);
	g_clear_pointer(&work.handover, g_ptr_array_unref);
	return args;
}

/* The handover. */

/* Returns: (nullable): the value, which must be there. */
static char *read_key(GKeyFile *file, const char *group, const char *key, GError **error)
{
	char *value = g_key_file_get_value(file, group, key, NULL);

	if (!value)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "[%s] lacks %s", group,
			    key);
	return value;
}

static gboolean read_bytes(GKeyFile *file, const char *group, const char *key,
			   guint64 *bytes, GError **error)
{
	g_autofree char *text = read_key(file, group, key, error);

	return text && daxc_uint_parse(text, key, G_MAXUINT64, bytes, error);
}

static gboolean check_carving(const LauncherCarving *carving, GError **error)
{
	gboolean ok = carving->align >= ALIGN_MIN &&
		      (carving->align & (carving->align - 1)) == 0 && carving->size > 0 &&
		      carving->size % carving->align == 0;

	if (!ok)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "cell %u: size %" G_GUINT64_FORMAT
			    " and align %" G_GUINT64_FORMAT " do not go together",
			    carving->cell, carving->size, carving->align);
	return ok;
}

/* The node is in the handover's own directory, under the name the hook gives. */
static char *read_node(GKeyFile *file, const char *group, guint cell,
		       const char *directory, GError **error)
{
	g_autofree char *name = read_key(file, group, HANDOVER_KEY_NODE, error);
	g_autofree char *expected = g_strdup_printf(HANDOVER_NODE, cell);

	if (!name)
		return NULL;
	if (strcmp(name, expected) == 0)
		return g_build_filename(directory, name, NULL);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "[%s] names the node \"%s\"",
		    group, name);
	return NULL;
}

static gboolean parse_group(const char *group, guint *cell)
{
	g_autofree char *expected = NULL;
	const char *space = strchr(group, ' ');
	guint64 number;

	if (!space || !daxc_uint_parse(space + 1, "cell", CELLS_MAX - 1, &number, NULL))
		return FALSE;
	*cell = (guint)number;
	expected = g_strdup_printf(HANDOVER_GROUP, *cell);
	return strcmp(group, expected) == 0;
}

static LauncherCarving *parse_carving(GKeyFile *file, const char *group,
				      const char *directory, GError **error)
{
	LauncherCarving *carving = g_new0(LauncherCarving, 1);

	if (!parse_group(group, &carving->cell)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "the group [%s] is not known", group);
	} else {
		carving->node = read_node(file, group, carving->cell, directory, error);
		carving->instance = carving->node ? read_key(file, group,
							     HANDOVER_KEY_INSTANCE, error)
						  : NULL;
		if (carving->instance &&
		    read_bytes(file, group, HANDOVER_KEY_SIZE, &carving->size, error) &&
		    read_bytes(file, group, HANDOVER_KEY_ALIGN, &carving->align, error) &&
		    check_carving(carving, error))
			return carving;
	}
	carving_free(carving);
	return NULL;
}

static gboolean parse_carvings(const char *text, gsize length, const char *directory,
			       GPtrArray *carvings, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_auto(GStrv) groups = NULL;

	if (!g_utf8_validate_len(text, length, NULL) ||
	    !g_key_file_load_from_data(file, text, length, G_KEY_FILE_NONE, NULL)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "it is no key file");
		return FALSE;
	}
	groups = g_key_file_get_groups(file, NULL);
	for (guint i = 0; groups[i]; i++) {
		LauncherCarving *carving =
			parse_carving(file, groups[i], directory, error);

		if (!carving)
			return FALSE;
		g_ptr_array_add(carvings, carving);
	}
	if (carvings->len > 0)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "it is empty");
	return FALSE;
}

GPtrArray *launcher_handover_parse(const char *text, gsize length, const char *directory,
				   GError **error)
{
	GPtrArray *carvings = g_ptr_array_new_with_free_func(carving_free);

	if (parse_carvings(text, length, directory, carvings, error))
		return carvings;
	g_prefix_error(error, "%s/" HANDOVER_FILE " is not as libvirt's hook writes it: ",
		       directory);
	g_ptr_array_unref(carvings);
	return NULL;
}

/* Which QEMU. */

char **launcher_qemu(const char *called, const char *self, GError **error)
{
	static const char fallback[] = "/usr/bin";
	const char *known = called[0] ? called : self;
	const char *placed = strchr(called, '/') ? called : self;
	g_autofree char *base = g_path_get_basename(known ? known : "");
	g_autofree char *directory = placed ? g_path_get_dirname(placed) : NULL;
	g_autoptr(GStrvBuilder) paths = g_strv_builder_new();
	const char *name = base + strlen(DAXC_LAUNCHER_PREFIX);
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;

	if (!g_str_has_prefix(base, DAXC_LAUNCHER_PREFIX) || name[0] == '\0') {
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_INVALID,
			"called as \"%s\": its name must be that of the QEMU it stands "
			"for with \"" DAXC_LAUNCHER_PREFIX "\" before it, like "
			"/usr/bin/" DAXC_LAUNCHER_PREFIX "qemu-system-x86_64",
			known ? known : "");
		return NULL;
	}
	second = g_build_filename(fallback, name, NULL);
	if (directory)
		first = g_build_filename(directory, name, NULL);
	if (first && strcmp(first, second) != 0)
		g_strv_builder_add(paths, first);
	g_strv_builder_add(paths, second);
	return g_strv_builder_end(paths);
}
