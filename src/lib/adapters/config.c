// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * daxcolor.conf and host descriptions. GLib reads the key file; here each
 * section and key gets its meaning, and what has none is refused: a typo must
 * not lose isolation.
 */
#include "adapters/config.h"

#include <string.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#include "adapters/file.h"
#include "adapters/key-file.h"
#include "adapters/platform.h"

#define MAX_FILE ((gsize)1 << 20)
#define MAX_WAIT 3600u
/* Linux's MAX_NUMNODES is at most 1024. */
#define MAX_NODE 1023u
#define MAX_REGION 65535u
/* x86-64 and arm64 have at most 52 bits of physical address. */
#define MAX_ADDRESS (G_GUINT64_CONSTANT(1) << 52)
#define MAX_DESCRIPTION 200
#define MAX_THREADS 1024u
/* Slower would be no rate but a standstill. */
#define MIN_RATE (G_GUINT64_CONSTANT(1) << 20)

#define DEFAULT_WAIT_MS 30000u
#define DEFAULT_QEMU_CONF "/etc/libvirt/qemu.conf"
#define DEFAULT_ALIGN (G_GUINT64_CONSTANT(1) << 21)

/* SLIT: 10 is a node's distance to itself, less is reserved. */
#define DISTANCE_SELF 10u
#define DISTANCE_MAX 255u

/**
 * Section: where we are in the file.
 * @file, @group: for messages
 * @number: the N of [cache N] and [region N]
 * @name: the NAME of [tenant NAME]
 */
typedef struct {
	const char *file;
	const char *group;
	GKeyFile *keys;
	guint number;
	const char *name;
} Section;

typedef struct {
	const char *name;
	const char *numbered; /* (nullable): what its number is */
	guint max_number;
	gboolean named;
	gboolean in_config;
	gboolean in_host;
	gboolean (*read)(const Section *section, DaxcConfig *config, GError **error);
	const char *const *keys;
} SectionKind;

DaxcConfig *daxc_config_new(void)
{
	DaxcConfig *config = g_new0(DaxcConfig, 1);

	config->zero = DAXC_ZERO_BEFORE_USE;
	config->wait_ms = DEFAULT_WAIT_MS;
	config->qemu_conf = g_strdup(DEFAULT_QEMU_CONF);
	config->bad = g_array_new(FALSE, FALSE, sizeof(DaxcExtent));
	config->keepers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	config->domains =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_cache_domain_free);
	config->regions = g_ptr_array_new_with_free_func(g_free);
	config->distances = g_array_new(FALSE, FALSE, sizeof(guint8));
	return config;
}

void daxc_config_free(DaxcConfig *config)
{
	if (!config)
		return;
	g_free(config->qemu_conf);
	g_free(config->ledger_copy);
	g_array_unref(config->bad);
	g_hash_table_unref(config->keepers);
	g_ptr_array_unref(config->domains);
	g_free(config->description);
	g_ptr_array_unref(config->regions);
	g_array_unref(config->distances);
	g_free(config);
}

/* Fails with "FILE: [SECTION] KEY: WHY"; NULL @key means the whole section. */
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

/* Says where, of an error that a parser of values has set. */
static gboolean blame(const Section *section, const char *key, GError **error)
{
	g_prefix_error(error, "%s: [%s] %s: ", section->file, section->group, key);
	return FALSE;
}

static gboolean has(const Section *section, const char *key)
{
	return g_key_file_has_key(section->keys, section->group, key, NULL);
}

/* Returns: (transfer full) (nullable): a key's text, NULL when it is not there. */
static char *value(const Section *section, const char *key)
{
	char *text = g_key_file_get_value(section->keys, section->group, key, NULL);

	return text ? g_strstrip(text) : NULL;
}

/* The readers leave @result alone when the key is not there. */
static gboolean read_size(const Section *section, const char *key, guint64 *result,
			  GError **error)
{
	g_autofree char *text = value(section, key);

	if (text && !daxc_size_parse(text, result, error))
		return blame(section, key, error);
	return TRUE;
}

static gboolean read_uint(const Section *section, const char *key, guint64 min,
			  guint64 max, guint64 *result, GError **error)
{
	g_autofree char *text = value(section, key);
	guint64 number;

	if (!text)
		return TRUE;
	if (!daxc_uint_parse(text, "the value", max, &number, error))
		return blame(section, key, error);
	if (number < min)
		return refuse(section, key, error, "%s is less than %" G_GUINT64_FORMAT,
			      text, min);
	*result = number;
	return TRUE;
}

/* @names: NULL-terminated; @result: index of the one that is written. */
static gboolean read_choice(const Section *section, const char *key,
			    const char *const *names, guint *result, GError **error)
{
	g_autofree char *text = value(section, key);
	g_autofree char *all = NULL;

	if (!text)
		return TRUE;
	for (guint i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*result = i;
			return TRUE;
		}
	}
	all = g_strjoinv(", ", (char **)names);
	return refuse(section, key, error, "\"%s\" is none of %s", text, all);
}

static gboolean read_bool(const Section *section, const char *key, gboolean *result,
			  GError **error)
{
	static const char *const names[] = {"false", "true", NULL};
	guint choice = *result ? 1 : 0;

	if (!read_choice(section, key, names, &choice, error))
		return FALSE;
	*result = choice == 1;
	return TRUE;
}

/* Text for people, with the escapes of key files. */
static gboolean read_text(const Section *section, const char *key, char **result,
			  GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autofree char *text = NULL;

	if (!has(section, key))
		return TRUE;
	text = g_key_file_get_string(section->keys, section->group, key, &cause);
	/* A wrong escape sets the error and returns text all the same. */
	if (cause)
		return refuse(section, key, error, "%s", cause->message);
	g_strstrip(text);
	if (strlen(text) > MAX_DESCRIPTION)
		return refuse(section, key, error, "is longer than %d bytes",
			      MAX_DESCRIPTION);
	for (const char *at = text; *at; at = g_utf8_next_char(at)) {
		if (!g_unichar_isprint(g_utf8_get_char(at)))
			return refuse(section, key, error,
				      "holds a character that cannot be printed");
	}
	g_free(*result);
	*result = g_steal_pointer(&text);
	return TRUE;
}

static gboolean need(const Section *section, const char *key, GError **error)
{
	if (has(section, key))
		return TRUE;
	return refuse(section, key, error, "is missing");
}

/* One address, or a range of them. */
static gboolean read_bad(const Section *section, const char *text, DaxcExtent *bad,
			 GError **error)
{
	gboolean ok;

	bad->size = 1;
	ok = strchr(text, '-') ? daxc_range_parse(text, &bad->start, &bad->size, error)
			       : daxc_size_parse(text, &bad->start, error);
	if (!ok)
		return blame(section, "bad", error);
	if (bad->start < MAX_ADDRESS && bad->size <= MAX_ADDRESS - bad->start)
		return TRUE;
	return refuse(section, "bad", error, "%s is above 52 bits of physical address",
		      text);
}

static gboolean read_bad_list(const Section *section, DaxcConfig *config, GError **error)
{
	g_autofree char *text = value(section, "bad");
	g_auto(GStrv) items = text ? g_strsplit(text, ";", -1) : NULL;

	for (guint i = 0; items && items[i]; i++) {
		DaxcExtent bad;

		g_strstrip(items[i]);
		/* An empty list, or the separator at the end of one. */
		if (*items[i] == '\0' && !items[i + 1])
			break;
		if (!read_bad(section, items[i], &bad, error))
			return FALSE;
		g_array_append_val(config->bad, bad);
	}
	return TRUE;
}

static gboolean read_zeroing(const Section *section, DaxcConfig *config, GError **error)
{
	guint64 threads = config->zero_threads;

	if (!read_size(section, "zero_rate", &config->zero_rate, error) ||
	    !read_uint(section, "zero_threads", 1, MAX_THREADS, &threads, error) ||
	    !read_bad_list(section, config, error))
		return FALSE;
	if (has(section, "zero_rate") && config->zero_rate < MIN_RATE)
		return refuse(section, "zero_rate", error,
			      "is less than 1 MiB a second; leave it out for no limit");
	config->zero_threads = (guint)threads;
	return TRUE;
}

static gboolean read_tenant(const Section *section, DaxcConfig *config, GError **error)
{
	static const char *const policies[] = {"before-use", "other-tenants", NULL};
	guint policy = 0;

	if (!daxc_tenant_check(section->name, error)) {
		g_prefix_error(error, "%s: [%s]: ", section->file, section->group);
		return FALSE;
	}
	if (!read_choice(section, "zero", policies, &policy, error))
		return FALSE;
	if (policy == 1)
		g_hash_table_add(config->keepers, g_strdup(section->name));
	return TRUE;
}

static gboolean read_daxcolor(const Section *section, DaxcConfig *config, GError **error)
{
	static const char *const policies[] = {
		[DAXC_ZERO_BEFORE_USE] = "before-use",
		[DAXC_ZERO_NEVER] = "never",
		NULL,
	};
	static const char *const kernels[] = {
		[DAXC_KERNEL_AUTO] = "auto",
		[DAXC_KERNEL_DAX_COLOR] = "dax_color",
		[DAXC_KERNEL_MAINLINE] = "mainline",
		NULL,
	};
	guint64 wait = config->wait_ms / 1000;
	guint zero = config->zero;
	guint kernel = config->kernel;

	if (!read_choice(section, "zero", policies, &zero, error) ||
	    !read_choice(section, "kernel", kernels, &kernel, error) ||
	    !read_uint(section, "wait", 0, MAX_WAIT, &wait, error) ||
	    !read_text(section, "qemu_conf", &config->qemu_conf, error) ||
	    !read_text(section, "ledger_copy", &config->ledger_copy, error) ||
	    !read_zeroing(section, config, error))
		return FALSE;
	if (!g_path_is_absolute(config->qemu_conf))
		return refuse(section, "qemu_conf", error,
			      "\"%s\" is not an absolute path", config->qemu_conf);
	if (config->ledger_copy && !g_path_is_absolute(config->ledger_copy))
		return refuse(section, "ledger_copy", error,
			      "\"%s\" is not an absolute path", config->ledger_copy);
	config->zero = (DaxcZeroPolicy)zero;
	config->kernel = (DaxcKernelChoice)kernel;
	config->wait_ms = (guint)wait * 1000;
	return TRUE;
}

/* One "start-end:color". */
static gboolean read_range(const Section *section, const char *text,
			   DaxcColorRange *range, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 2);
	guint64 color;

	if (g_strv_length(parts) != 2)
		return refuse(section, "ranges", error,
			      "\"%s\" is not a range with a color: write them like "
			      "0x100000000-0x13fffffff:0; 0x140000000-0x17fffffff:1",
			      text);
	g_strstrip(parts[0]);
	g_strstrip(parts[1]);
	if (!daxc_range_parse(parts[0], &range->start, &range->size, error) ||
	    !daxc_uint_parse(parts[1], "color", DAXC_COLORS_MAX - 1, &color, error))
		return blame(section, "ranges", error);
	range->color = (guint32)color;
	return TRUE;
}

static gint by_start(gconstpointer a, gconstpointer b)
{
	const DaxcColorRange *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static gboolean read_range_list(const Section *section, DaxcCacheDomain *domain,
				GError **error)
{
	g_autofree char *text = value(section, "ranges");
	g_auto(GStrv) items = g_strsplit(text, ";", -1);

	domain->ranges = g_array_new(FALSE, FALSE, sizeof(DaxcColorRange));
	for (guint i = 0; items[i]; i++) {
		DaxcColorRange range;

		g_strstrip(items[i]);
		/* Lists in key files may end with their separator. */
		if (*items[i] == '\0' && !items[i + 1] && i > 0)
			break;
		if (!read_range(section, items[i], &range, error))
			return FALSE;
		g_array_append_val(domain->ranges, range);
	}
	if (domain->ranges->len == 0)
		return refuse(section, "ranges", error, "is empty");
	g_array_sort(domain->ranges, by_start);
	return TRUE;
}

/* What the keys left open is taken from the ranges themselves. */
static void complete_ranges(DaxcCacheDomain *domain)
{
	guint64 bits = 0;
	guint32 last = 0;

	for (guint i = 0; i < domain->ranges->len; i++) {
		DaxcColorRange *range = &g_array_index(domain->ranges, DaxcColorRange, i);

		bits |= range->start | range->size;
		last = MAX(last, range->color);
	}
	if (domain->granule == 0)
		domain->granule = daxc_granule_for(bits, 0);
	if (domain->colors == 0)
		domain->colors = last + 1;
}

static gboolean check_granule(const Section *section, guint64 granule, GError **error)
{
	g_autofree char *text = NULL;

	if (granule >= DAXC_GRANULE_MIN && granule <= DAXC_GRANULE_MAX &&
	    (granule & (granule - 1)) == 0)
		return TRUE;
	text = daxc_size_format(granule);
	if (has(section, "granule"))
		return refuse(section, "granule", error,
			      "%s is not a power of two from 2 MiB to 1 GiB", text);
	return refuse(section, NULL, error,
		      "sizes and addresses leave a granule of %s, and one below 2 MiB "
		      "cannot be carved: make them multiples of 2 MiB",
		      text);
}

/* Of size, colors and granule, what is not there follows from the others. */
static gboolean complete_formula(const Section *section, DaxcCacheDomain *domain,
				 GError **error)
{
	gboolean sized = has(section, "size");
	guint64 colors;

	if (!sized && (domain->colors == 0 || domain->granule == 0))
		return refuse(section, NULL, error,
			      "give the cache's size, or colors and granule");
	if (sized && domain->cache_size == 0)
		return refuse(section, "size", error, "a cache of 0 bytes has no colors");
	if (domain->granule == 0)
		domain->granule = daxc_granule_for(domain->cache_size, domain->base);
	if (!check_granule(section, domain->granule, error))
		return FALSE;
	if (!sized)
		domain->cache_size = domain->colors * domain->granule;
	if (domain->cache_size % domain->granule != 0)
		return refuse(section, "granule", error, "does not divide the size");
	if (domain->base % domain->granule != 0)
		return refuse(section, "base", error, "is not a multiple of the granule");
	if (domain->colors != 0)
		return TRUE;
	colors = domain->cache_size / domain->granule;
	if (colors > DAXC_COLORS_MAX)
		return refuse(section, "size", error,
			      "makes %" G_GUINT64_FORMAT " colors with this granule, and "
			      "%u is the most: check the size, or give a larger granule",
			      colors, DAXC_COLORS_MAX);
	domain->colors = (guint32)colors;
	return TRUE;
}

static gboolean read_formula(const Section *section, DaxcCacheDomain *domain,
			     GError **error)
{
	if (has(section, "ranges"))
		return refuse(section, "ranges", error,
			      "goes with kind = ranges, but the kind is %s",
			      daxc_geometry_kind_name(domain->kind));
	if (!read_size(section, "base", &domain->base, error))
		return FALSE;
	return complete_formula(section, domain, error);
}

static gboolean read_ranges(const Section *section, DaxcCacheDomain *domain,
			    GError **error)
{
	if (has(section, "base"))
		return refuse(section, "base", error,
			      "goes with kind = rotate or skew: ranges have addresses "
			      "of their own");
	if (!need(section, "ranges", error) || !read_range_list(section, domain, error))
		return FALSE;
	complete_ranges(domain);
	return check_granule(section, domain->granule, error);
}

static gboolean read_cache(const Section *section, DaxcConfig *config, GError **error)
{
	static const char *const kinds[] = {
		[DAXC_GEOMETRY_ROTATE] = "rotate",
		[DAXC_GEOMETRY_SKEW] = "skew",
		[DAXC_GEOMETRY_RANGES] = "ranges",
		NULL,
	};
	g_autoptr(DaxcCacheDomain) domain = g_new0(DaxcCacheDomain, 1);
	g_autoptr(DaxcGeometry) geometry = daxc_geometry_new();
	guint kind = DAXC_GEOMETRY_ROTATE;
	guint64 colors = 0;
	gboolean ok;

	domain->node = (gint)section->number;
	domain->source = DAXC_SOURCE_CONFIG;
	if (!read_choice(section, "kind", kinds, &kind, error) ||
	    !read_size(section, "size", &domain->cache_size, error) ||
	    !read_uint(section, "colors", 1, DAXC_COLORS_MAX, &colors, error) ||
	    !read_size(section, "granule", &domain->granule, error) ||
	    !read_bool(section, "extended_linear", &domain->extended_linear, error))
		return FALSE;
	if (has(section, "granule") && !check_granule(section, domain->granule, error))
		return FALSE;
	domain->kind = (DaxcGeometryKind)kind;
	domain->colors = (guint32)colors;
	ok = domain->kind == DAXC_GEOMETRY_RANGES ? read_ranges(section, domain, error)
						  : read_formula(section, domain, error);
	if (!ok)
		return FALSE;
	/* The core has the last word on what a cache domain is. */
	if (!daxc_geometry_add(geometry, domain, error)) {
		g_prefix_error(error, "%s: [%s]: ", section->file, section->group);
		return FALSE;
	}
	g_ptr_array_add(config->domains, g_steal_pointer(&domain));
	return TRUE;
}

static gboolean read_distance_row(const Section *section, const char *text, guint row,
				  GArray *distances, guint *columns, GError **error)
{
	g_auto(GStrv) items = g_strsplit_set(text, " \t", -1);

	*columns = 0;
	for (guint i = 0; items[i]; i++) {
		guint64 distance;
		guint8 byte;

		if (*items[i] == '\0')
			continue;
		if (!daxc_uint_parse(items[i], "distance", DISTANCE_MAX, &distance,
				     error))
			return blame(section, "distance", error);
		if (distance < DISTANCE_SELF ||
		    (*columns == row && distance != DISTANCE_SELF))
			return refuse(section, "distance", error,
				      "from node %u to node %u it cannot be %s: it is %u "
				      "to the node itself and %u to %u to others",
				      row, *columns, items[i], DISTANCE_SELF,
				      DISTANCE_SELF, DISTANCE_MAX);
		byte = (guint8)distance;
		g_array_append_val(distances, byte);
		(*columns)++;
	}
	return TRUE;
}

static gboolean read_distances(const Section *section, DaxcConfig *config, GError **error)
{
	g_autofree char *text = value(section, "distance");
	g_auto(GStrv) rows = NULL;
	guint n;

	if (!text)
		return TRUE;
	if (g_str_has_suffix(text, ";"))
		text[strlen(text) - 1] = '\0';
	rows = g_strsplit(text, ";", -1);
	n = g_strv_length(rows);
	if (n == 0 || n > MAX_NODE + 1)
		return refuse(section, "distance", error,
			      "has %u rows: write one for each node, 1 to %u", n,
			      MAX_NODE + 1);
	for (guint row = 0; row < n; row++) {
		guint columns;

		if (!read_distance_row(section, rows[row], row, config->distances,
				       &columns, error))
			return FALSE;
		if (columns != n)
			return refuse(section, "distance", error,
				      "row %u has %u numbers, but there are %u rows: "
				      "write a square, like 10 21; 21 10",
				      row, columns, n);
	}
	config->n_nodes = n;
	return TRUE;
}

static gboolean read_host(const Section *section, DaxcConfig *config, GError **error)
{
	return read_text(section, "description", &config->description, error) &&
	       read_distances(section, config, error);
}

static gboolean check_region(const Section *section, const DaxcRegion *region,
			     GError **error)
{
	if (region->align != 4096 && region->align != DAXC_GRANULE_MIN &&
	    region->align != DAXC_GRANULE_MAX)
		return refuse(section, "align", error,
			      "device-dax maps at 4KiB, 2MiB or 1GiB only");
	if (region->size == 0)
		return refuse(section, "size", error, "a region has at least one page");
	if (region->start >= MAX_ADDRESS || region->size > MAX_ADDRESS - region->start)
		return refuse(section, "size", error,
			      "the region ends above 52 bits of physical address");
	if (region->start % region->align != 0)
		return refuse(section, "start", error, "is not a multiple of align");
	if (region->size % region->align != 0)
		return refuse(section, "size", error, "is not a multiple of align");
	return TRUE;
}

static gboolean read_region(const Section *section, DaxcConfig *config, GError **error)
{
	g_autofree DaxcRegion *region = g_new0(DaxcRegion, 1);
	guint64 node = 0;

	region->id = section->number;
	region->align = DEFAULT_ALIGN;
	if (!need(section, "start", error) || !need(section, "size", error) ||
	    !need(section, "node", error))
		return FALSE;
	if (!read_size(section, "start", &region->start, error) ||
	    !read_size(section, "size", &region->size, error) ||
	    !read_size(section, "align", &region->align, error) ||
	    !read_uint(section, "node", 0, MAX_NODE, &node, error) ||
	    !check_region(section, region, error))
		return FALSE;
	region->node = (gint)node;
	region->available = region->size;
	g_ptr_array_add(config->regions, g_steal_pointer(&region));
	return TRUE;
}

static const char *const daxcolor_keys[] = {
	"zero",		"kernel",      "wait", "qemu_conf", "zero_rate",
	"zero_threads", "ledger_copy", "bad",  NULL,
};
static const char *const tenant_keys[] = {"zero", NULL};
static const char *const cache_keys[] = {
	"kind", "size", "colors", "granule", "base", "extended_linear", "ranges", NULL,
};
static const char *const host_keys[] = {"description", "distance", NULL};
static const char *const region_keys[] = {"start", "size", "node", "align", NULL};

static const SectionKind section_kinds[] = {
	{"daxcolor", NULL, 0, FALSE, TRUE, FALSE, read_daxcolor, daxcolor_keys},
	{"tenant", NULL, 0, TRUE, TRUE, FALSE, read_tenant, tenant_keys},
	{"cache", "node", MAX_NODE, FALSE, TRUE, TRUE, read_cache, cache_keys},
	{"host", NULL, 0, FALSE, FALSE, TRUE, read_host, host_keys},
	{"region", "region", MAX_REGION, FALSE, FALSE, TRUE, read_region, region_keys},
};

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

/* Takes "cache 1" apart. A number has one spelling, so that [cache 1] and
 * [cache 01] cannot both be there. */
static const SectionKind *find_kind(Section *section, GError **error)
{
	const char *space = strchr(section->group, ' ');
	gsize length = space ? (gsize)(space - section->group) : strlen(section->group);

	for (gsize i = 0; i < G_N_ELEMENTS(section_kinds); i++) {
		const SectionKind *kind = &section_kinds[i];
		guint64 number;

		if (strlen(kind->name) != length ||
		    strncmp(kind->name, section->group, length) != 0 ||
		    (!kind->numbered && !kind->named) != !space)
			continue;
		section->name = space ? space + 1 : NULL;
		if (!kind->numbered)
			return kind;
		if (!daxc_uint_parse(space + 1, kind->numbered, kind->max_number, &number,
				     error)) {
			g_prefix_error(error, "%s: [%s]: ", section->file,
				       section->group);
			return NULL;
		}
		if (space[1] == '0' && space[2] != '\0') {
			refuse(section, NULL, error, "write [%s %" G_GUINT64_FORMAT "]",
			       kind->name, number);
			return NULL;
		}
		section->number = (guint)number;
		return kind;
	}
	refuse(section, NULL, error,
	       "no such section: there are [daxcolor], [tenant NAME] and [cache NODE] in "
	       "daxcolor.conf, and [host], [region NUMBER] and [cache NODE] in a host "
	       "description");
	return NULL;
}

static gboolean read_section(Section *section, gboolean host, DaxcConfig *config,
			     GError **error)
{
	const SectionKind *kind = find_kind(section, error);

	if (!kind)
		return FALSE;
	if (host && !kind->in_host)
		return refuse(section, NULL, error,
			      "belongs into daxcolor.conf, not into a host description");
	if (!host && !kind->in_config)
		return refuse(section, NULL, error,
			      "belongs into a host description for --simulate, not into "
			      "daxcolor.conf");
	return check_keys(section, kind->keys, error) &&
	       kind->read(section, config, error);
}

static gint by_node(gconstpointer a, gconstpointer b)
{
	const DaxcCacheDomain *left = *(const DaxcCacheDomain *const *)a;
	const DaxcCacheDomain *right = *(const DaxcCacheDomain *const *)b;

	return left->node - right->node;
}

static gint by_id(gconstpointer a, gconstpointer b)
{
	const DaxcRegion *left = *(const DaxcRegion *const *)a;
	const DaxcRegion *right = *(const DaxcRegion *const *)b;

	return (gint)left->id - (gint)right->id;
}

static gint by_address(gconstpointer a, gconstpointer b)
{
	const DaxcRegion *left = *(const DaxcRegion *const *)a;
	const DaxcRegion *right = *(const DaxcRegion *const *)b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static gboolean check_overlap(const char *name, GPtrArray *regions, GError **error)
{
	g_ptr_array_sort(regions, by_address);
	for (guint i = 1; i < regions->len; i++) {
		const DaxcRegion *low = g_ptr_array_index(regions, i - 1);
		const DaxcRegion *high = g_ptr_array_index(regions, i);
		g_autofree char *first = daxc_range_format(low->start, low->size);
		g_autofree char *second = daxc_range_format(high->start, high->size);

		if (low->start + low->size <= high->start)
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%s: [region %u] is %s and [region %u] is %s: regions must "
			    "not overlap",
			    name, low->id, first, high->id, second);
		return FALSE;
	}
	return TRUE;
}

/* A node of a cache that no region has is most likely a typo, and then some
 * region would silently have no colors. */
static gboolean check_nodes(const char *name, const DaxcConfig *config, GError **error)
{
	g_autoptr(GHashTable) nodes = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < config->regions->len; i++) {
		const DaxcRegion *region = g_ptr_array_index(config->regions, i);

		g_hash_table_add(nodes, GINT_TO_POINTER(region->node));
		if (config->n_nodes == 0 || (guint)region->node < config->n_nodes)
			continue;
		g_set_error(
			error, DAXC_ERROR, DAXC_ERROR_INVALID,
			"%s: [region %u] node: there is no node %d, for [host] distance "
			"has nodes 0 to %u",
			name, region->id, region->node, config->n_nodes - 1);
		return FALSE;
	}
	for (guint i = 0; i < config->domains->len; i++) {
		const DaxcCacheDomain *domain = g_ptr_array_index(config->domains, i);

		if (g_hash_table_contains(nodes, GINT_TO_POINTER(domain->node)))
			continue;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%s: [cache %d]: no region has node = %d", name, domain->node,
			    domain->node);
		return FALSE;
	}
	return TRUE;
}

static gboolean check_host(const char *name, DaxcConfig *config, GError **error)
{
	if (config->regions->len == 0) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%s: a host description has at least one region: write "
			    "[region 0] with start, size and node",
			    name);
		return FALSE;
	}
	if (!check_overlap(name, config->regions, error))
		return FALSE;
	g_ptr_array_sort(config->regions, by_id);
	return check_nodes(name, config, error);
}

static gboolean read_sections(const char *name, GKeyFile *keys, gboolean host,
			      DaxcConfig *config, GError **error)
{
	g_auto(GStrv) groups = g_key_file_get_groups(keys, NULL);

	for (guint i = 0; groups[i]; i++) {
		Section section = {.file = name, .group = groups[i], .keys = keys};

		if (!read_section(&section, host, config, error))
			return FALSE;
	}
	g_ptr_array_sort(config->domains, by_node);
	return !host || check_host(name, config, error);
}

DaxcConfig *daxc_config_parse(const char *name, const char *text, gsize length,
			      gboolean host, GError **error)
{
	g_autoptr(DaxcConfig) config = daxc_config_new();
	g_autoptr(GKeyFile) keys = daxc_key_file_parse(name, text, length, error);

	if (!keys || !read_sections(name, keys, host, config, error))
		return NULL;
	return g_steal_pointer(&config);
}

static DaxcConfig *load(const char *path, gboolean host, GError **error)
{
	g_autofree char *text = NULL;
	gsize length;

	if (!daxc_file_read(path, MAX_FILE, &text, &length, error))
		return NULL;
	return daxc_config_parse(path, text, length, host, error);
}

DaxcConfig *daxc_config_load(const char *path, gboolean must_exist, GError **error)
{
	g_autoptr(GError) cause = NULL;
	DaxcConfig *config = load(path, FALSE, &cause);

	if (config)
		return config;
	if (!must_exist && g_error_matches(cause, DAXC_ERROR, DAXC_ERROR_NOT_FOUND))
		return daxc_config_new();
	g_propagate_error(error, g_steal_pointer(&cause));
	return NULL;
}

DaxcConfig *daxc_config_load_host(const char *path, GError **error)
{
	return load(path, TRUE, error);
}
