// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the platform says of its memory-side caches: sysfs, and the raw HMAT and
 * SRAT for nodes that are offline, as soft-reserved ones are. Firmware writes
 * these tables, so nothing in them is believed before it is checked.
 */
#include "adapters/platform.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/file.h"

#define NODE_DIR "/sys/devices/system/node"
/* Instances of mainline's, and of dax_color's. */
static const char *const dax_dirs[] = {"/sys/bus/dax/devices", "/sys/class/dax"};
#define TABLE_DIR "/sys/firmware/acpi/tables"

/* A sysfs attribute is one page; HMAT of a thousand domains is a few MiB. */
#define MAX_ATTRIBUTE ((gsize)1 << 16)
#define MAX_TABLE ((gsize)16 << 20)
/* HMAT has four bits for it. */
#define MAX_LEVEL 15u
/* Linux's MAX_NUMNODES is at most 1024. */
#define MAX_NODE 1023u
/* Its NR_CPUS at most 8192. */
#define MAX_CPU 8191u

/* sysfs, memory_side_cache/indexN/indexing (enum cache_indexing of Linux). */
#define INDEXING_DIRECT 0
/* HMAT, cache attributes, bits 11:8. */
#define ASSOCIATIVITY_DIRECT 1
/* Both: how far and near memory share the address space. */
#define MODE_TRANSPARENT 0
#define MODE_EXTENDED_LINEAR 1

/* ACPI 6.5, 5.2.6: the header of every table. */
#define ACPI_LENGTH 4
#define ACPI_REVISION 8
/* 5.2.28: HMAT. */
#define HMAT_HEADER 40
#define HMAT_ENTRY_LENGTH 4
#define HMAT_ENTRY_HEADER 8
#define HMAT_CACHE 2
#define HMAT_CACHE_SIZE 32
/* 5.2.16: SRAT. */
#define SRAT_HEADER 48
#define SRAT_ENTRY_HEADER 2
#define SRAT_MEMORY 1
#define SRAT_MEMORY_SIZE 40
#define SRAT_ENABLED 1

/**
 * Side: one memory-side cache as a source has it, not yet judged.
 * @proximity: HMAT only
 * @level: for messages
 * @direct: direct-mapped
 * @mode: MODE_*
 */
typedef struct {
	guint32 proximity;
	guint level;
	gboolean direct;
	guint64 mode;
	guint64 size;
} Side;

/* One enabled memory affinity structure of SRAT. */
typedef struct {
	guint32 proximity;
	guint64 start;
	guint64 size;
} Memory;

/**
 * Tables: both raw tables.
 * @sides: (element-type Side): by proximity domain
 * @memory: (element-type Memory): by address, no overlap between domains
 */
typedef struct {
	GArray *sides;
	GArray *memory;
} Tables;

static void tables_free(Tables *tables)
{
	g_clear_pointer(&tables->sides, g_array_unref);
	g_clear_pointer(&tables->memory, g_array_unref);
	g_free(tables);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tables, tables_free)

void daxc_cache_domain_free(DaxcCacheDomain *domain)
{
	if (!domain)
		return;
	g_clear_pointer(&domain->ranges, g_array_unref);
	g_free(domain);
}

void daxc_hmat_cache_free(DaxcHmatCache *cache)
{
	if (!cache)
		return;
	daxc_cache_domain_free(cache->domain);
	g_clear_pointer(&cache->memory, g_array_unref);
	g_free(cache);
}

static gboolean G_GNUC_PRINTF(3, 4)
	fail(GError **error, DaxcError code, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error_literal(error, DAXC_ERROR, (gint)code, message);
	return FALSE;
}

/* From here to choose(): what makes a cache one that has colors. */

static gboolean check_side(const Side *side, GError **error)
{
	g_autofree char *size = daxc_size_format(side->size);
	guint64 granule = daxc_granule_for(side->size, 0);

	if (side->mode != MODE_TRANSPARENT && side->mode != MODE_EXTENDED_LINEAR)
		return fail(error, DAXC_ERROR_UNSUPPORTED,
			    "its address mode %" G_GUINT64_FORMAT
			    " is unknown to us, so we "
			    "cannot say which addresses share a slice of it",
			    side->mode);
	if (side->size == 0)
		return fail(error, DAXC_ERROR_INVALID, "its size is 0");
	if (granule < DAXC_GRANULE_MIN)
		return fail(error, DAXC_ERROR_UNSUPPORTED,
			    "its size of %s is not a multiple of 2 MiB, the smallest "
			    "granule that can be carved",
			    size);
	if (side->size / granule > DAXC_COLORS_MAX)
		return fail(error, DAXC_ERROR_UNSUPPORTED,
			    "its size of %s makes more than %u colors", size,
			    DAXC_COLORS_MAX);
	return TRUE;
}

static DaxcCacheDomain *domain_new(const Side *side, gint node, DaxcGeometrySource source)
{
	DaxcCacheDomain *domain = g_new0(DaxcCacheDomain, 1);

	domain->node = node;
	domain->kind = DAXC_GEOMETRY_ROTATE;
	domain->source = source;
	domain->cache_size = side->size;
	domain->granule = daxc_granule_for(side->size, 0);
	domain->colors = (guint32)(side->size / domain->granule);
	domain->extended_linear = side->mode == MODE_EXTENDED_LINEAR;
	return domain;
}

/*
 * Of the caches in front of one node's memory, the one whose colors we take.
 * NULL without an error when there is no cache.
 */
static DaxcCacheDomain *choose(const Side *sides, guint n, gint node,
			       DaxcGeometrySource source, GError **error)
{
	const Side *best = NULL;

	for (guint i = 0; i < n; i++) {
		if (sides[i].direct && (!best || sides[i].size > best->size))
			best = &sides[i];
	}
	if (best)
		return check_side(best, error) ? domain_new(best, node, source) : NULL;
	if (n > 0)
		fail(error, DAXC_ERROR_UNSUPPORTED,
		     "it is not direct-mapped: any address can evict any other, and "
		     "colors would isolate nobody");
	return NULL;
}

/* sysfs. */

static char *node_path(const char *root, gint node, const char *name)
{
	return g_strdup_printf("%s" NODE_DIR "/node%d/%s", root, node, name);
}

/* Reads a number; address_mode is written in hexadecimal, the rest in decimal. */
static gboolean read_number(const char *path, guint64 *number, GError **error)
{
	g_autofree char *text = NULL;
	g_autofree char *shown = NULL;
	gsize length;

	if (!daxc_file_read(path, MAX_ATTRIBUTE, &text, &length, error))
		return FALSE;
	if (strlen(text) == length) {
		gboolean hex = g_str_has_prefix(text, "0x");

		g_strchomp(text);
		if (g_ascii_string_to_unsigned(text + (hex ? 2 : 0), hex ? 16 : 10, 0,
					       G_MAXUINT64, number, NULL))
			return TRUE;
	}
	text[MIN(length, 32)] = '\0';
	shown = g_strescape(text, NULL);
	return fail(error, DAXC_ERROR_INVALID, "%s holds \"%s\" and not a number", path,
		    shown);
}

static gboolean read_attribute(const char *dir, const char *name, guint64 *number,
			       GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return read_number(path, number, error);
}

static gboolean read_side(const char *dir, guint level, Side *side, GError **error)
{
	g_autoptr(GError) cause = NULL;
	guint64 indexing;

	*side = (Side){.level = level, .mode = MODE_TRANSPARENT};
	if (!read_attribute(dir, "indexing", &indexing, error) ||
	    !read_attribute(dir, "size", &side->size, error))
		return FALSE;
	side->direct = indexing == INDEXING_DIRECT;
	/* Kernels before 6.15 do not have it. */
	if (read_attribute(dir, "address_mode", &side->mode, &cause) ||
	    g_error_matches(cause, DAXC_ERROR, DAXC_ERROR_NOT_FOUND))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&cause));
	return FALSE;
}

gboolean daxc_platform_sysfs_cache(const char *root, gint node, DaxcCacheDomain **domain,
				   GError **error)
{
	g_autoptr(GArray) sides = g_array_new(FALSE, FALSE, sizeof(Side));
	g_autoptr(DaxcCacheDomain) found = NULL;
	g_autoptr(GError) cause = NULL;

	*domain = NULL;
	for (guint level = 1; node >= 0 && level <= MAX_LEVEL; level++) {
		g_autofree char *name =
			g_strdup_printf("memory_side_cache/index%u", level);
		g_autofree char *dir = node_path(root, node, name);
		Side side;

		if (!g_file_test(dir, G_FILE_TEST_EXISTS))
			continue;
		if (!read_side(dir, level, &side, error))
			return FALSE;
		g_array_append_val(sides, side);
	}
	found = choose((const Side *)(gpointer)sides->data, sides->len, node,
		       DAXC_SOURCE_SYSFS, &cause);
	if (cause) {
		g_propagate_prefixed_error(error, g_steal_pointer(&cause),
					   "memory-side cache of node %d: ", node);
		return FALSE;
	}
	*domain = g_steal_pointer(&found);
	return TRUE;
}

/* Reads what the kernel writes of a set: "0-1,3", ascending; NULL when it is none. */
static GArray *parse_set(const char *text, guint64 max)
{
	g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
	g_auto(GStrv) runs = g_strsplit(text, ",", -1);
	guint64 next = 0;

	for (guint i = 0; runs[i]; i++) {
		g_auto(GStrv) ends = g_strsplit(runs[i], "-", 2);
		guint64 first, last;

		if (!ends[0] || !daxc_uint_parse(ends[0], "number", max, &first, NULL))
			return NULL;
		last = first;
		if (ends[1] && !daxc_uint_parse(ends[1], "number", max, &last, NULL))
			return NULL;
		if (first < next || first > last)
			return NULL;
		for (next = first; next <= last; next++) {
			guint number = (guint)next;

			g_array_append_val(numbers, number);
		}
	}
	return g_steal_pointer(&numbers);
}

/* Returns: (element-type guint): the set in a file; empty when there is none. */
static GArray *read_set(const char *path, guint64 max)
{
	g_autofree char *text = NULL;
	GArray *numbers = NULL;
	gsize length;

	if (daxc_file_read(path, MAX_ATTRIBUTE, &text, &length, NULL))
		numbers = parse_set(g_strchomp(text), max);
	return numbers ? numbers : g_array_new(FALSE, FALSE, sizeof(guint));
}

GArray *daxc_platform_nodes(const char *root)
{
	g_autofree char *path = g_strdup_printf("%s" NODE_DIR "/online", root);

	return read_set(path, MAX_NODE);
}

static gboolean position_of(const GArray *numbers, guint number, guint *position)
{
	for (*position = 0; *position < numbers->len; (*position)++)
		if (g_array_index(numbers, guint, *position) == number)
			return TRUE;
	return FALSE;
}

guint daxc_platform_distance(const char *root, gint from, gint to)
{
	g_autoptr(GArray) online = daxc_platform_nodes(root);
	g_autofree char *path = node_path(root, from, "distance");
	g_autofree char *row = NULL;
	g_auto(GStrv) distances = NULL;
	guint64 distance;
	gsize length;
	guint position;

	/* A row has a number for each online node, and says nothing of others. Where
	 * node 0 is offline, Linux begins it with a space. */
	if (from < 0 || to < 0 || !position_of(online, (guint)to, &position) ||
	    !daxc_file_read(path, MAX_ATTRIBUTE, &row, &length, NULL))
		return 0;
	distances = g_strsplit(g_strstrip(row), " ", -1);
	if (position >= g_strv_length(distances) ||
	    !daxc_uint_parse(distances[position], "distance", 255, &distance, NULL))
		return 0;
	return (guint)distance;
}

/* CPUs. */

static GArray *node_cpus(const char *root, gint node)
{
	g_autofree char *path = node_path(root, node, "cpulist");

	return read_set(path, MAX_CPU);
}

/* Sets @home to the online node that Linux took for the nearest of @node, which is
 * not online itself: only the dax devices of its memory know. */
static gboolean home_of_device(const char *path, const char *name, gint node, gint *home)
{
	g_autofree char *dir = g_build_filename(path, name, NULL);
	guint64 target, near;

	if (!read_attribute(dir, "target_node", &target, NULL) ||
	    !read_attribute(dir, "numa_node", &near, NULL) || target != (guint64)node ||
	    near > MAX_NODE)
		return FALSE;
	*home = (gint)near;
	return TRUE;
}

static gboolean home_of_any(const char *root, const char *list, gint node, gint *home)
{
	g_autofree char *path = g_strconcat(root, list, NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name = dir ? g_dir_read_name(dir) : NULL;

	while (name && !home_of_device(path, name, node, home))
		name = g_dir_read_name(dir);
	return name != NULL;
}

static gint home_of(const char *root, gint node)
{
	gint home = node;

	for (gsize i = 0; i < G_N_ELEMENTS(dax_dirs); i++) {
		if (home_of_any(root, dax_dirs[i], node, &home))
			break;
	}
	return home;
}

/*
 * Of the nodes that have CPUs, the nearest to @from. Without a distance to go by it
 * is only clear where there is no choice.
 */
static GArray *nearest_cpus(const char *root, gint from, const GArray *online)
{
	g_autoptr(GArray) best = NULL;
	guint best_distance = 0, candidates = 0;

	for (guint i = 0; i < online->len; i++) {
		gint node = (gint)g_array_index(online, guint, i);
		guint distance = daxc_platform_distance(root, from, node);
		g_autoptr(GArray) cpus = node_cpus(root, node);

		if (cpus->len == 0)
			continue;
		candidates++;
		if (best &&
		    (distance == 0 || (best_distance > 0 && distance >= best_distance)))
			continue;
		g_clear_pointer(&best, g_array_unref);
		best = g_steal_pointer(&cpus);
		best_distance = distance;
	}
	if (!best || (best_distance == 0 && candidates > 1))
		return g_array_new(FALSE, FALSE, sizeof(guint));
	return g_steal_pointer(&best);
}

GArray *daxc_platform_cpus(const char *root, gint node)
{
	g_autoptr(GArray) online = daxc_platform_nodes(root);
	g_autoptr(GArray) cpus = node_cpus(root, node);
	guint position;

	if (node >= 0 && cpus->len > 0)
		return g_steal_pointer(&cpus);
	if (node >= 0 && !position_of(online, (guint)node, &position))
		node = home_of(root, node);
	return nearest_cpus(root, node, online);
}

/* The raw tables. */

static guint16 le16(const guint8 *data)
{
	guint16 number;

	memcpy(&number, data, sizeof(number));
	return GUINT16_FROM_LE(number);
}

static guint32 le32(const guint8 *data)
{
	guint32 number;

	memcpy(&number, data, sizeof(number));
	return GUINT32_FROM_LE(number);
}

static guint64 le64(const guint8 *data)
{
	guint64 number;

	memcpy(&number, data, sizeof(number));
	return GUINT64_FROM_LE(number);
}

static gboolean check_table(const char *signature, const guint8 *table, gsize length,
			    gsize header, GError **error)
{
	guint8 sum = 0;

	if (length < header)
		return fail(error, DAXC_ERROR_INVALID,
			    "%s has %" G_GSIZE_FORMAT " bytes, too few for its header",
			    signature, length);
	if (memcmp(table, signature, strlen(signature)) != 0)
		return fail(error, DAXC_ERROR_INVALID, "%s does not begin with its name",
			    signature);
	if (le32(table + ACPI_LENGTH) != length)
		return fail(error, DAXC_ERROR_INVALID,
			    "%s says that it has %u bytes, but has %" G_GSIZE_FORMAT,
			    signature, le32(table + ACPI_LENGTH), length);
	for (gsize i = 0; i < length; i++)
		sum = (guint8)(sum + table[i]);
	if (sum != 0)
		return fail(error, DAXC_ERROR_INVALID, "%s has a wrong checksum",
			    signature);
	return TRUE;
}

static gboolean bad_entry(const char *signature, gsize at, GError **error)
{
	return fail(error, DAXC_ERROR_INVALID,
		    "%s: the structure at offset %" G_GSIZE_FORMAT " has a length that "
		    "cannot be",
		    signature, at);
}

/* 5.2.28.5, Memory Side Cache Information Structure. */
static gboolean read_hmat_cache(const guint8 *entry, guint32 length, GArray *sides)
{
	guint32 attributes;
	Side side;

	if (length < HMAT_CACHE_SIZE ||
	    length - HMAT_CACHE_SIZE < 2 * (guint32)le16(entry + 30))
		return FALSE;
	attributes = le32(entry + 24);
	side = (Side){
		.proximity = le32(entry + 8),
		.level = attributes >> 4 & 0xf,
		.direct = (attributes >> 8 & 0xf) == ASSOCIATIVITY_DIRECT,
		.mode = le16(entry + 28),
		.size = le64(entry + 16),
	};
	/* No levels: the memory has no cache. */
	if ((attributes & 0xf) != 0 && side.level != 0)
		g_array_append_val(sides, side);
	return TRUE;
}

static gint by_proximity(gconstpointer a, gconstpointer b)
{
	const Side *left = a, *right = b;

	if (left->proximity != right->proximity)
		return left->proximity < right->proximity ? -1 : 1;
	return (gint)left->level - (gint)right->level;
}

static gboolean check_sides(const GArray *sides, GError **error)
{
	for (guint i = 0; i < sides->len; i++) {
		const Side *side = &g_array_index(sides, Side, i);

		if (side->proximity > G_MAXINT)
			return fail(error, DAXC_ERROR_INVALID,
				    "HMAT has a cache of proximity domain %u, which "
				    "cannot be",
				    side->proximity);
		if (i > 0 && by_proximity(side, side - 1) == 0)
			return fail(
				error, DAXC_ERROR_INVALID,
				"HMAT has two caches of level %u for proximity domain %u",
				side->level, side->proximity);
	}
	return TRUE;
}

/* Returns: (element-type Side): by proximity domain. */
static GArray *parse_hmat(const guint8 *table, gsize length, GError **error)
{
	g_autoptr(GArray) sides = g_array_new(FALSE, FALSE, sizeof(Side));
	guint32 size;

	if (!check_table("HMAT", table, length, HMAT_HEADER, error))
		return NULL;
	for (gsize at = HMAT_HEADER; at < length; at += size) {
		const guint8 *entry = table + at;
		gboolean ok;

		size = length - at < HMAT_ENTRY_HEADER ? 0
						       : le32(entry + HMAT_ENTRY_LENGTH);
		ok = size >= HMAT_ENTRY_HEADER && size <= length - at;
		if (ok && le16(entry) == HMAT_CACHE)
			ok = read_hmat_cache(entry, size, sides);
		if (!ok) {
			bad_entry("HMAT", at, error);
			return NULL;
		}
	}
	g_array_sort(sides, by_proximity);
	if (!check_sides(sides, error))
		return NULL;
	return g_steal_pointer(&sides);
}

/* 5.2.16.2, Memory Affinity Structure. */
static gboolean read_srat_memory(const guint8 *entry, guint8 revision, GArray *memory,
				 GError **error)
{
	Memory range = {
		.proximity = le32(entry + 2),
		.start = le64(entry + 8),
		.size = le64(entry + 16),
	};

	/* Before ACPI 3.0 only one byte was the domain. */
	if (revision < 2)
		range.proximity &= 0xff;
	if (!(le32(entry + 28) & SRAT_ENABLED) || range.size == 0)
		return TRUE;
	if (range.start > G_MAXUINT64 - range.size)
		return fail(error, DAXC_ERROR_INVALID,
			    "SRAT: the memory at 0x%" G_GINT64_MODIFIER
			    "x ends above the last address",
			    range.start);
	g_array_append_val(memory, range);
	return TRUE;
}

static gint memory_by_address(gconstpointer a, gconstpointer b)
{
	const Memory *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static gboolean check_memory(const GArray *memory, GError **error)
{
	guint64 end = 0;
	guint32 owner = 0;

	for (guint i = 0; i < memory->len; i++) {
		const Memory *range = &g_array_index(memory, Memory, i);

		if (range->start < end && range->proximity != owner)
			return fail(error, DAXC_ERROR_INVALID,
				    "SRAT gives 0x%" G_GINT64_MODIFIER
				    "x to proximity domains %u and %u",
				    range->start, owner, range->proximity);
		if (range->start + range->size > end) {
			end = range->start + range->size;
			owner = range->proximity;
		}
	}
	return TRUE;
}

/* Returns: (element-type Memory): by address. */
static GArray *parse_srat(const guint8 *table, gsize length, GError **error)
{
	g_autoptr(GArray) memory = g_array_new(FALSE, FALSE, sizeof(Memory));
	guint8 size;

	if (!check_table("SRAT", table, length, SRAT_HEADER, error))
		return NULL;
	for (gsize at = SRAT_HEADER; at < length; at += size) {
		const guint8 *entry = table + at;
		gboolean is_memory = entry[0] == SRAT_MEMORY;

		size = length - at < SRAT_ENTRY_HEADER ? 0 : entry[1];
		if (size < SRAT_ENTRY_HEADER || size > length - at ||
		    (is_memory && size < SRAT_MEMORY_SIZE)) {
			bad_entry("SRAT", at, error);
			return NULL;
		}
		if (is_memory &&
		    !read_srat_memory(entry, table[ACPI_REVISION], memory, error))
			return NULL;
	}
	g_array_sort(memory, memory_by_address);
	if (!check_memory(memory, error))
		return NULL;
	return g_steal_pointer(&memory);
}

static Tables *parse_both(const guint8 *hmat, gsize hmat_len, const guint8 *srat,
			  gsize srat_len, GError **error)
{
	g_autoptr(Tables) tables = g_new0(Tables, 1);

	tables->sides = parse_hmat(hmat, hmat_len, error);
	if (!tables->sides)
		return NULL;
	tables->memory = parse_srat(srat, srat_len, error);
	if (!tables->memory)
		return NULL;
	return g_steal_pointer(&tables);
}

/* Number of sides from @first that are of the same proximity domain. */
static guint run_of(const GArray *sides, guint first)
{
	guint32 proximity = g_array_index(sides, Side, first).proximity;
	guint end = first;

	while (end < sides->len && g_array_index(sides, Side, end).proximity == proximity)
		end++;
	return end - first;
}

static GArray *memory_of(const Tables *tables, guint32 proximity)
{
	GArray *extents = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));

	for (guint i = 0; i < tables->memory->len; i++) {
		const Memory *memory = &g_array_index(tables->memory, Memory, i);
		DaxcExtent extent = {memory->start, memory->size};

		if (memory->proximity == proximity)
			g_array_append_val(extents, extent);
	}
	return extents;
}

GPtrArray *daxc_platform_parse_tables(const guint8 *hmat, gsize hmat_len,
				      const guint8 *srat, gsize srat_len, GError **error)
{
	g_autoptr(Tables) tables = parse_both(hmat, hmat_len, srat, srat_len, error);
	GPtrArray *caches;
	guint n;

	if (!tables)
		return NULL;
	caches = g_ptr_array_new_with_free_func((GDestroyNotify)daxc_hmat_cache_free);
	for (guint i = 0; i < tables->sides->len; i += n) {
		const Side *sides = &g_array_index(tables->sides, Side, i);
		DaxcCacheDomain *domain;
		DaxcHmatCache *cache;

		n = run_of(tables->sides, i);
		domain = choose(sides, n, (gint)sides->proximity, DAXC_SOURCE_HMAT, NULL);
		if (!domain)
			continue;
		cache = g_new0(DaxcHmatCache, 1);
		cache->domain = domain;
		cache->memory = memory_of(tables, sides->proximity);
		g_ptr_array_add(caches, cache);
	}
	return caches;
}

/* From here on: regions and their caches. */

/**
 * Search: what daxc_platform_geometry() knows so far.
 * @tables: (nullable): the raw tables, once somebody asked for them
 * @no_tables: the platform has none
 * @cache_of: of each node that was looked up in the tables: the proximity domain
 *   of its cache + 1, or 0 for no cache
 * @node_of: the other direction: proximity domain of a cache -> node
 */
typedef struct {
	const char *root;
	const GPtrArray *configured;
	DaxcGeometry *geometry;
	Tables *tables;
	gboolean no_tables;
	GHashTable *cache_of;
	GHashTable *node_of;
} Search;

/* Reads a table; a platform without it is no error, but FALSE as well. */
static gboolean read_table(const char *root, const char *name, char **data, gsize *length,
			   GError **error)
{
	g_autofree char *path = g_strdup_printf("%s" TABLE_DIR "/%s", root, name);
	g_autoptr(GError) cause = NULL;

	if (daxc_file_read(path, MAX_TABLE, data, length, &cause))
		return TRUE;
	if (!g_error_matches(cause, DAXC_ERROR, DAXC_ERROR_NOT_FOUND))
		g_propagate_error(error, g_steal_pointer(&cause));
	return FALSE;
}

static gboolean load_tables(Search *search, GError **error)
{
	g_autofree char *hmat = NULL;
	g_autofree char *srat = NULL;
	g_autoptr(GError) cause = NULL;
	gsize hmat_len, srat_len;

	if (search->tables || search->no_tables)
		return TRUE;
	if (!read_table(search->root, "HMAT", &hmat, &hmat_len, &cause) ||
	    !read_table(search->root, "SRAT", &srat, &srat_len, &cause)) {
		search->no_tables = TRUE;
		if (!cause)
			return TRUE;
		g_propagate_error(error, g_steal_pointer(&cause));
		return FALSE;
	}
	search->tables = parse_both((const guint8 *)hmat, hmat_len, (const guint8 *)srat,
				    srat_len, error);
	return search->tables != NULL;
}

/*
 * The proximity domain that a region's memory belongs to. Linux numbers nodes
 * in its own way, so addresses are all that connects the two.
 */
static gboolean locate(const Tables *tables, const DaxcRegion *region, gboolean *found,
		       guint32 *proximity, GError **error)
{
	*found = FALSE;
	for (guint i = 0; i < tables->memory->len; i++) {
		const Memory *memory = &g_array_index(tables->memory, Memory, i);

		if (memory->start >= region->start + region->size ||
		    memory->start + memory->size <= region->start)
			continue;
		if (*found && memory->proximity != *proximity)
			return fail(
				error, DAXC_ERROR_INVALID,
				"SRAT divides its memory between proximity domains %u "
				"and %u",
				*proximity, memory->proximity);
		*found = TRUE;
		*proximity = memory->proximity;
	}
	return TRUE;
}

/* The cache of the memory of a region; NULL without an error when it has none. */
static DaxcCacheDomain *table_cache(const Tables *tables, const DaxcRegion *region,
				    guint32 *proximity, GError **error)
{
	g_autoptr(GError) cause = NULL;
	DaxcCacheDomain *domain = NULL;
	gboolean found;
	guint n;

	if (!locate(tables, region, &found, proximity, error) || !found)
		return NULL;
	for (guint i = 0; i < tables->sides->len; i += n) {
		const Side *sides = &g_array_index(tables->sides, Side, i);

		n = run_of(tables->sides, i);
		if (sides->proximity == *proximity)
			domain = choose(sides, n, region->node, DAXC_SOURCE_HMAT, &cause);
	}
	if (cause)
		g_propagate_prefixed_error(
			error, g_steal_pointer(&cause),
			"memory-side cache of proximity domain %u: ", *proximity);
	return domain;
}

/*
 * Two nodes behind one cache would get colors that look apart and are not; so
 * would one node whose memory is partly behind another cache, or none.
 */
static gboolean check_pair(Search *search, gint node, const DaxcCacheDomain *domain,
			   guint32 proximity, gboolean *known, GError **error)
{
	gpointer cache = domain ? GUINT_TO_POINTER(proximity + 1) : NULL;
	gpointer other;

	*known = g_hash_table_lookup_extended(search->cache_of, GINT_TO_POINTER(node),
					      NULL, &other);
	if (*known && other != cache)
		return fail(error, DAXC_ERROR_INVALID,
			    "HMAT and SRAT have it behind another memory-side cache, or "
			    "none, than other memory of this node");
	if (!*known && domain &&
	    g_hash_table_lookup_extended(search->node_of, cache, NULL, &other))
		return fail(
			error, DAXC_ERROR_INVALID,
			"HMAT and SRAT have it behind the memory-side cache of node %d "
			"(proximity domain %u)",
			GPOINTER_TO_INT(other), proximity);
	g_hash_table_insert(search->cache_of, GINT_TO_POINTER(node), cache);
	if (domain)
		g_hash_table_insert(search->node_of, cache, GINT_TO_POINTER(node));
	return TRUE;
}

static gboolean add_from_tables(Search *search, const DaxcRegion *region, GError **error)
{
	g_autoptr(DaxcCacheDomain) domain = NULL;
	g_autoptr(GError) cause = NULL;
	guint32 proximity = 0;
	gboolean known;

	if (!load_tables(search, error))
		return FALSE;
	if (!search->tables)
		return TRUE;
	domain = table_cache(search->tables, region, &proximity, &cause);
	if (cause) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return FALSE;
	}
	if (!check_pair(search, region->node, domain, proximity, &known, error))
		return FALSE;
	return known || !domain || daxc_geometry_add(search->geometry, domain, error);
}

static const DaxcCacheDomain *configured_for(const GPtrArray *configured, gint node)
{
	for (guint i = 0; configured && i < configured->len; i++) {
		const DaxcCacheDomain *domain = g_ptr_array_index(configured, i);

		if (domain->node == node)
			return domain;
	}
	return NULL;
}

static gboolean add_region(Search *search, const DaxcRegion *region, GError **error)
{
	const DaxcCacheDomain *configured =
		configured_for(search->configured, region->node);
	const DaxcCacheDomain *known =
		daxc_geometry_for_node(search->geometry, region->node);
	g_autoptr(DaxcCacheDomain) domain = NULL;

	if (region->node < 0)
		return TRUE;
	if (known && known->source != DAXC_SOURCE_HMAT)
		return TRUE;
	if (configured)
		return daxc_geometry_add(search->geometry, configured, error);
	if (!daxc_platform_sysfs_cache(search->root, region->node, &domain, error))
		return FALSE;
	if (domain)
		return daxc_geometry_add(search->geometry, domain, error);
	return add_from_tables(search, region, error);
}

static void add_context(const DaxcRegion *region, GError **error)
{
	char *message;

	if (!error || !*error)
		return;
	message = g_strdup_printf("region %u (node %d): %s; a [cache %d] section in "
				  "daxcolor.conf overrules what the platform says",
				  region->id, region->node, (*error)->message,
				  region->node);
	g_free((*error)->message);
	(*error)->message = message;
}

DaxcGeometry *daxc_platform_geometry(const char *root, const GPtrArray *configured,
				     const GPtrArray *regions, GError **error)
{
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	g_autoptr(GHashTable) cache_of = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) node_of = g_hash_table_new(NULL, NULL);
	g_autoptr(Tables) tables = NULL;
	Search search = {
		.root = root,
		.configured = configured,
		.geometry = geometry,
		.cache_of = cache_of,
		.node_of = node_of,
	};
	gboolean ok = TRUE;

	for (guint i = 0; ok && i < regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(regions, i);

		ok = add_region(&search, region, error);
		if (!ok)
			add_context(region, error);
	}
	tables = search.tables;
	return ok ? g_steal_pointer(&geometry) : NULL;
}
