// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daxcolor map: each region as rows of granules. A column is a color, so one
 * sees at a glance who holds what; each tenant is a letter.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "output.h"

#define SYMBOL_NONE ' '
#define SYMBOL_CLEAN '.'
#define SYMBOL_DIRTY '~'
#define SYMBOL_BAD 'x'
#define SYMBOL_FOREIGN '?'
/* Tenants when there are more of them than letters. */
#define SYMBOL_MORE '#'
/* No 'x': it is taken. */
static const char letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwyz0123456789";

/* So many rows that look alike are joined. */
#define JOIN 3u

static gboolean all;

static const GOptionEntry options[] = {
	{"all", 'a', 0, G_OPTION_ARG_NONE, &all, "Draw also rows that repeat", NULL},
	{NULL},
};

/**
 * Tenant: one entry of the legend.
 * @symbol: its letter
 * @guests: names, each once
 * @granules, @bytes: what they hold
 */
typedef struct {
	char *name;
	char symbol;
	GPtrArray *guests;
	guint granules;
	guint64 bytes;
} Tenant;

/**
 * Map: what is drawn.
 * @granules: (element-type DaxcGranuleUse): by address
 * @tenants: (element-type Tenant): in order of address of the first granule
 * @by_name: index + 1 in @tenants
 * @uses: (element-type DaxcColorUse)
 * @seen: which of the symbols without a tenant occur
 */
typedef struct {
	const DaxcGeometry *geometry;
	GPtrArray *regions;
	GArray *granules;
	GPtrArray *carvings;
	GPtrArray *uses;
	GPtrArray *tenants;
	GHashTable *by_name;
	gboolean seen[128];
} Map;

/**
 * Grid: one region.
 * @cells: rows * colors symbols
 * @label: address of each row's first granule
 */
typedef struct {
	const DaxcRegion *region;
	const DaxcCacheDomain *domain;
	guint rows;
	char *cells;
	guint64 *label;
} Grid;

static void tenant_free(gpointer data)
{
	Tenant *tenant = data;

	g_free(tenant->name);
	g_ptr_array_unref(tenant->guests);
	g_free(tenant);
}

static Tenant *tenant_of(Map *map, const char *name)
{
	gpointer found = g_hash_table_lookup(map->by_name, name);
	guint index = map->tenants->len;
	Tenant *tenant;

	if (found)
		return g_ptr_array_index(map->tenants, GPOINTER_TO_UINT(found) - 1);
	tenant = g_new0(Tenant, 1);
	tenant->name = g_strdup(name);
	tenant->symbol =
		(char)(index < sizeof(letters) - 1 ? letters[index] : SYMBOL_MORE);
	tenant->guests = g_ptr_array_new();
	g_ptr_array_add(map->tenants, tenant);
	g_hash_table_insert(map->by_name, tenant->name, GUINT_TO_POINTER(index + 1));
	return tenant;
}

/* The guest's last granule was most often the last one seen, too. */
static void note_guest(Tenant *tenant, const char *name)
{
	for (guint i = tenant->guests->len; i-- > 0;) {
		if (strcmp(g_ptr_array_index(tenant->guests, i), name) == 0)
			return;
	}
	g_ptr_array_add(tenant->guests, (gpointer)name);
}

static const char *state_name(const DaxcGranuleUse *use)
{
	return use->foreign ? "foreign" : daxc_granule_state_name(use->state);
}

static char symbol_of(Map *map, const DaxcGranuleUse *use)
{
	if (use->state == DAXC_GRANULE_BAD)
		return SYMBOL_BAD;
	if (use->tenant)
		return tenant_of(map, use->tenant)->symbol;
	if (use->foreign || use->state == DAXC_GRANULE_HELD)
		return SYMBOL_FOREIGN;
	return use->state == DAXC_GRANULE_CLEAN ? SYMBOL_CLEAN : SYMBOL_DIRTY;
}

static void count_tenants(Map *map)
{
	for (guint i = 0; i < map->granules->len; i++) {
		const DaxcGranuleUse *use =
			&g_array_index(map->granules, DaxcGranuleUse, i);
		Tenant *tenant;

		if (!use->tenant)
			continue;
		tenant = tenant_of(map, use->tenant);
		tenant->granules++;
		tenant->bytes += use->size;
		if (use->name)
			note_guest(tenant, use->name);
	}
	for (guint i = 0; i < map->uses->len; i++) {
		const DaxcColorUse *use = g_ptr_array_index(map->uses, i);

		if (use->tenant)
			tenant_of(map, use->tenant);
	}
}

/*
 * The row of a granule. Rotating colors come once each in every turn. Listed
 * ranges have no turns: there a row is the next granule of each color.
 */
static guint64 row_of(const Grid *grid, const DaxcGranuleUse *use, guint *filled)
{
	const DaxcCacheDomain *domain = grid->domain;

	if (domain->kind == DAXC_GEOMETRY_RANGES)
		return filled[use->color]++;
	return (use->start - domain->base) / domain->granule / domain->colors;
}

static gboolean has_color(const Grid *grid, const DaxcGranuleUse *use)
{
	return use->region == grid->region->id && use->color < grid->domain->colors;
}

static void fill_grid(Map *map, Grid *grid, guint64 first_row)
{
	g_autofree guint *filled = g_new0(guint, grid->domain->colors);

	memset(grid->cells, SYMBOL_NONE, (gsize)grid->rows * grid->domain->colors);
	for (guint i = 0; i < map->granules->len; i++) {
		const DaxcGranuleUse *use =
			&g_array_index(map->granules, DaxcGranuleUse, i);
		guint64 row;
		char symbol;

		if (!has_color(grid, use))
			continue;
		row = row_of(grid, use, filled) - first_row;
		symbol = symbol_of(map, use);
		map->seen[(guchar)symbol] = TRUE;
		grid->cells[row * grid->domain->colors + use->color] = symbol;
		if (grid->label[row] == 0)
			grid->label[row] = use->start;
	}
}

static void grid_init(Map *map, Grid *grid)
{
	g_autofree guint *filled = g_new0(guint, grid->domain->colors);
	guint64 first = G_MAXUINT64, last = 0;

	for (guint i = 0; i < map->granules->len; i++) {
		const DaxcGranuleUse *use =
			&g_array_index(map->granules, DaxcGranuleUse, i);
		guint64 row;

		if (!has_color(grid, use))
			continue;
		row = row_of(grid, use, filled);
		first = MIN(first, row);
		last = MAX(last, row);
	}
	if (first == G_MAXUINT64)
		return;
	grid->rows = (guint)(last - first + 1);
	grid->cells = g_malloc((gsize)grid->rows * grid->domain->colors);
	grid->label = g_new0(guint64, grid->rows);
	fill_grid(map, grid, first);
}

static void grid_clear(Grid *grid)
{
	g_free(grid->cells);
	g_free(grid->label);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Grid, grid_clear)

/* Escape sequence's parameters for a symbol; tenants share six colors. */
static const char *sgr_of(char symbol)
{
	static const char *const colors[] = {"1;32", "1;34", "1;35", "1;36", "1;33", "1"};
	const char *letter = strchr(letters, symbol);

	if (symbol == SYMBOL_BAD || symbol == SYMBOL_FOREIGN)
		return "1;31";
	if (symbol == SYMBOL_CLEAN || symbol == SYMBOL_DIRTY)
		return "2";
	return letter ? colors[(letter - letters) % (gssize)G_N_ELEMENTS(colors)] : NULL;
}

/**
 * Band: as many columns as fit side by side.
 * @label: width of what stands left of the columns
 * @stride: 2 with a space between columns, 1 without, but one after every eighth
 */
typedef struct {
	guint32 first;
	guint32 n;
	guint label;
	guint stride;
} Band;

static void put_gap(const Band *band, guint column)
{
	if (band->stride == 2 || (column > 0 && column % 8 == 0))
		putchar(' ');
}

static void print_symbols(const Band *band, const char *symbols)
{
	guint n = band->n;

	while (n > 0 && symbols[n - 1] == SYMBOL_NONE)
		n--;
	for (guint i = 0; i < n; i++) {
		char text[2] = {symbols[i], '\0'};
		g_autofree char *painted = cli_paint(text, sgr_of(symbols[i]));

		put_gap(band, i);
		fputs(painted, stdout);
	}
	putchar('\n');
}

/* Numbers of the colors, one digit below the other. */
static void print_header(const Band *band)
{
	guint32 unit = 1;

	while ((band->first + band->n - 1) / unit >= 10)
		unit *= 10;
	for (gboolean top = TRUE; unit > 0; unit /= 10, top = FALSE) {
		printf("  %-*s", (int)band->label, top ? "color" : "");
		for (guint i = 0; i < band->n; i++) {
			guint32 color = band->first + i;

			put_gap(band, i);
			if (color < unit && unit > 1)
				putchar(' ');
			else
				printf("%u", color / unit % 10);
		}
		putchar('\n');
	}
}

/* Returns: (transfer full): a symbol for each color of @band. */
static char *owners_of(Map *map, const Grid *grid, const Band *band)
{
	char *owners = g_strnfill(band->n, SYMBOL_CLEAN);

	for (guint i = 0; i < map->uses->len; i++) {
		const DaxcColorUse *use = g_ptr_array_index(map->uses, i);

		if (use->node != grid->domain->node || use->color < band->first ||
		    use->color - band->first >= band->n)
			continue;
		if (use->tenant)
			owners[use->color - band->first] =
				tenant_of(map, use->tenant)->symbol;
		else if (use->foreign)
			owners[use->color - band->first] = SYMBOL_FOREIGN;
	}
	return owners;
}

static gboolean has_only(const char *symbols, guint n, const char *these)
{
	for (guint i = 0; i < n; i++) {
		if (!strchr(these, symbols[i]))
			return FALSE;
	}
	return TRUE;
}

static const char *cells_of(const Grid *grid, const Band *band, guint row)
{
	return grid->cells + (gsize)row * grid->domain->colors + band->first;
}

/* Whether nobody has anything of these colors. */
static gboolean is_free(Map *map, const Grid *grid, const Band *band)
{
	g_autofree char *owners = owners_of(map, grid, band);

	if (!has_only(owners, band->n, ".~"))
		return FALSE;
	for (guint row = 0; row < grid->rows; row++) {
		if (!has_only(cells_of(grid, band, row), band->n, " .~"))
			return FALSE;
	}
	return TRUE;
}

static guint alike(const Grid *grid, const Band *band, guint row)
{
	guint n = 1;

	while (!all && row + n < grid->rows &&
	       memcmp(cells_of(grid, band, row), cells_of(grid, band, row + n),
		      band->n) == 0)
		n++;
	return n;
}

static void print_row(const Grid *grid, const Band *band, guint row)
{
	g_autofree char *label =
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x", grid->label[row]);

	printf("  %-*s", (int)band->label, label);
	print_symbols(band, cells_of(grid, band, row));
}

static void print_band(Map *map, const Grid *grid, const Band *band)
{
	g_autofree char *owners = owners_of(map, grid, band);
	guint n;

	print_header(band);
	printf("  %-*s", (int)band->label, "owner");
	print_symbols(band, owners);
	for (guint row = 0; row < grid->rows; row += n) {
		n = alike(grid, band, row);
		if (has_only(cells_of(grid, band, row), band->n, " "))
			continue;
		if (n < JOIN)
			n = 1;
		print_row(grid, band, row);
		if (n > 1)
			printf("  %-*s ... and %u rows more like this one\n",
			       (int)band->label, "", n - 1);
	}
}

static guint label_width(const Grid *grid)
{
	g_autofree char *widest =
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x", grid->label[grid->rows - 1]);

	return (guint)MAX(strlen(widest), strlen("color")) + 1;
}

/* One line for all of the bands from @band on that nobody has anything of; these
 * are then one band. */
static gboolean print_free_bands(Map *map, const Grid *grid, Band *band, guint32 fit)
{
	Band next = *band;

	if (all || !is_free(map, grid, band))
		return FALSE;
	for (next.first += next.n; next.first < grid->domain->colors;
	     next.first += next.n) {
		next.n = MIN(fit, grid->domain->colors - next.first);
		if (!is_free(map, grid, &next))
			break;
	}
	band->n = next.first - band->first;
	printf("  colors %u-%u: all free\n", band->first, next.first - 1);
	return TRUE;
}

static void print_bands(Map *map, const Grid *grid)
{
	guint32 colors = grid->domain->colors;
	Band band = {.label = label_width(grid), .stride = 2};
	guint room = cli_width() - band.label - 2;
	guint32 fit = room / 2;

	if (colors > fit) {
		band.stride = 1;
		/* Eight columns and the space after them; whole eights only. */
		fit = MAX((room + 1) / 9 * 8, 8);
	}
	for (band.first = 0; band.first < colors; band.first += band.n) {
		band.n = MIN(fit, colors - band.first);
		if (band.first > 0) {
			putchar('\n');
			if (print_free_bands(map, grid, &band, fit))
				continue;
		}
		print_band(map, grid, &band);
	}
}

static void print_region(Map *map, const DaxcRegion *region)
{
	g_auto(Grid) grid = {.region = region};
	g_autofree char *range = daxc_range_format(region->start, region->size);
	g_autofree char *size = daxc_size_format(region->size);
	g_autofree char *granule = NULL, *count = NULL;

	grid.domain = daxc_geometry_for_node(map->geometry, region->node);
	printf("region %u, node %d: %s, %s", region->id, region->node, range, size);
	if (!grid.domain) {
		puts("\n  no memory-side cache is known here, so there are no colors: "
		     "see "
		     "`daxcolor doctor`");
		return;
	}
	granule = daxc_size_format(grid.domain->granule);
	count = cli_count(grid.domain->colors, "color");
	printf(", granules of %s, %s (%s)\n", granule, count,
	       daxc_geometry_kind_name(grid.domain->kind));
	grid_init(map, &grid);
	if (grid.rows == 0)
		puts("  no whole granule lies in it");
	else
		print_bands(map, &grid);
}

static char *guest_names(const Tenant *tenant)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < tenant->guests->len; i++) {
		g_autofree char *name =
			cli_printable(g_ptr_array_index(tenant->guests, i));

		g_string_append_printf(text, "%s%s", i ? ", " : "", name);
	}
	if (text->len == 0)
		g_string_append(text, "no guest");
	return g_string_free(text, FALSE);
}

static void print_symbol(char symbol, const char *text)
{
	char letter[2] = {symbol, '\0'};
	g_autofree char *painted = cli_paint(letter, sgr_of(symbol));

	printf("  %s  %s\n", painted, text);
}

static void print_legend(const Map *map)
{
	static const struct {
		char symbol;
		const char *text;
	} others[] = {
		{SYMBOL_CLEAN, "free"},
		{SYMBOL_DIRTY, "free, zeroed before its next use"},
		{SYMBOL_BAD, "bad: its memory failed"},
		{SYMBOL_FOREIGN, "foreign: an instance that daxcolor does not know"},
	};

	for (guint i = 0; i < map->tenants->len; i++) {
		const Tenant *tenant = g_ptr_array_index(map->tenants, i);
		g_autofree char *guests = guest_names(tenant);
		g_autofree char *granules = cli_count(tenant->granules, "granule");
		g_autofree char *size = daxc_size_format(tenant->bytes);
		g_autofree char *name = cli_printable(tenant->name);
		g_autofree char *line =
			g_strdup_printf("%s: %s; %s, %s", name, guests, granules, size);

		print_symbol(tenant->symbol, line);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		if (map->seen[(guchar)others[i].symbol])
			print_symbol(others[i].symbol, others[i].text);
	}
}

static void print_text(Map *map)
{
	count_tenants(map);
	for (guint i = 0; i < map->regions->len; i++) {
		print_region(map, g_ptr_array_index(map->regions, i));
		putchar('\n');
	}
	print_legend(map);
}

static void add_granule(JsonBuilder *builder, const DaxcGranuleUse *use)
{
	json_builder_begin_object(builder);
	cli_add_number(builder, "start", use->start);
	cli_add_number(builder, "color", use->color);
	cli_add_text(builder, "state", state_name(use));
	cli_add_text(builder, "tenant", use->tenant);
	cli_add_text(builder, "domain", use->name);
	cli_add_text(builder, "instance", use->instance);
	json_builder_end_object(builder);
}

static void add_region(JsonBuilder *builder, const Map *map, const DaxcRegion *region)
{
	const Grid grid = {.region = region,
			   .domain = daxc_geometry_for_node(map->geometry, region->node)};

	json_builder_begin_object(builder);
	cli_add_number(builder, "region", region->id);
	cli_add_signed(builder, "node", region->node);
	cli_add_number(builder, "start", region->start);
	cli_add_number(builder, "size", region->size);
	cli_add_number(builder, "granule", grid.domain ? grid.domain->granule : 0);
	cli_add_number(builder, "color_count", grid.domain ? grid.domain->colors : 0);
	json_builder_set_member_name(builder, "granules");
	json_builder_begin_array(builder);
	for (guint i = 0; grid.domain && i < map->granules->len; i++) {
		const DaxcGranuleUse *use =
			&g_array_index(map->granules, DaxcGranuleUse, i);

		if (has_color(&grid, use))
			add_granule(builder, use);
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
}

static JsonNode *build(const Map *map)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "regions");
	json_builder_begin_array(builder);
	for (guint i = 0; i < map->regions->len; i++)
		add_region(builder, map, g_ptr_array_index(map->regions, i));
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

static void map_clear(Map *map)
{
	g_clear_pointer(&map->regions, g_ptr_array_unref);
	g_clear_pointer(&map->granules, g_array_unref);
	g_clear_pointer(&map->carvings, g_ptr_array_unref);
	g_clear_pointer(&map->uses, g_ptr_array_unref);
	g_clear_pointer(&map->by_name, g_hash_table_unref);
	g_clear_pointer(&map->tenants, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Map, map_clear)

static gboolean map_read(Map *map, DaxcHost *host, GError **error)
{
	map->geometry = daxc_host_geometry(host);
	map->tenants = g_ptr_array_new_with_free_func(tenant_free);
	map->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	map->regions = daxc_host_regions(host, error);
	if (!map->regions || !daxc_host_map(host, &map->granules, &map->carvings, error))
		return FALSE;
	map->uses = daxc_host_colors(host, error);
	return map->uses != NULL;
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcHost) host = cli_open(cli, TRUE);
	g_auto(Map) map = {0};
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;

	if (!host)
		return CLI_FAILED;
	if (!map_read(&map, host, &error))
		return cli_fail(cli, NULL, error);
	if (!cli->json) {
		print_text(&map);
		return CLI_DONE;
	}
	document = build(&map);
	cli_print_json(document);
	return CLI_DONE;
}

const CliVerb cli_map = {
	.name = "map",
	.summary = "Draw regions and granules; a column is a color",
	.options = options,
	.run = run,
};
