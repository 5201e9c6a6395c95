// SPDX-License-Identifier: GPL-2.0-or-later
/* colorsched place: a host and colors for a domain, claimed in the engine. */
#include <stdio.h>
#include <string.h>

#include "cli/libvirt.h"
#include "cli/output.h"
#include "cli/request.h"
#include "engine.h"
#include "verbs.h"

/* What the host's name takes the place of. */
#define HOST_MARK "%s"

static char **aggregates, **traits;
static char *cache, *tenant, *define, *spread;

static const GOptionEntry options[] = {
	{"tenant", 't', 0, G_OPTION_ARG_STRING, &tenant,
	 "Who owns the colors (default: as the domain says)", "TENANT"},
	{"aggregate", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &aggregates,
	 "Only hosts in this aggregate; may be said again", "NAME"},
	{"trait", 0, 0, G_OPTION_ARG_STRING_ARRAY, &traits,
	 "Only hosts with this trait; may be said again", "NAME"},
	{"cache", 'c', 0, G_OPTION_ARG_STRING, &cache,
	 "Cache that the colors of each cell make up at least", "SIZE"},
	{"spread", 's', 0, G_OPTION_ARG_STRING, &spread,
	 "On a host that has no guest of this group of the tenant's", "GROUP"},
	{"define", 'd', 0, G_OPTION_ARG_STRING, &define,
	 "Define it there, instead of printing it; like qemu+ssh://%s/system", "URI"},
	{NULL},
};

static void add_part(JsonBuilder *builder, const DaxcCellRequest *cell,
		     const SchedGrantPart *part)
{
	json_builder_begin_object(builder);
	cli_add_number(builder, "cell", cell->id);
	cli_add_signed(builder, "node", part->node);
	cli_add_number(builder, "region", part->region);
	cli_add_number(builder, "size", cell->size);
	cli_add_colors(builder, "colors", part->colors);
	json_builder_end_object(builder);
}

static JsonNode *build(const DaxcRequest *request, const SchedGrant *grant,
		       const char *xml, const char *uri)
{
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", request->name);
	cli_add_text(builder, "uuid", request->uuid);
	cli_add_text(builder, "tenant", request->tenant);
	cli_add_text(builder, "host", grant->host);
	json_builder_set_member_name(builder, "cells");
	json_builder_begin_array(builder);
	for (guint i = 0; i < grant->parts->len; i++)
		add_part(builder, g_ptr_array_index(request->cells, i),
			 &g_array_index(grant->parts, SchedGrantPart, i));
	json_builder_end_array(builder);
	cli_add_text(builder, "xml", xml);
	cli_add_text(builder, "defined", uri);
	json_builder_end_object(builder);
	return cli_built(builder);
}

/* On stderr where the domain itself goes to stdout. */
static void print_text(FILE *stream, const DaxcRequest *request, const SchedGrant *grant)
{
	g_autofree char *host = cli_printable(grant->host);

	fprintf(stream, "%s: on %s\n", request->name, host);
	for (guint i = 0; i < grant->parts->len; i++) {
		const DaxcCellRequest *cell = g_ptr_array_index(request->cells, i);
		const SchedGrantPart *part =
			&g_array_index(grant->parts, SchedGrantPart, i);
		g_autofree char *size = daxc_size_format(cell->size);
		g_autofree char *colors = daxc_color_list_format(part->colors);

		fprintf(stream, "cell %u: %s on node %d, colors %s\n", cell->id, size,
			part->node, colors);
	}
}

/* Returns: (transfer full): the domain, which says now where it goes. */
static char *write_colors(const char *xml, const DaxcRequest *request,
			  const SchedGrant *grant, GError **error)
{
	g_autoptr(DaxcRequest)
		wish = daxc_request_new(request->uuid, request->name, request->tenant);

	for (guint i = 0; i < grant->parts->len; i++) {
		const DaxcCellRequest *cell = g_ptr_array_index(request->cells, i);
		const SchedGrantPart *part =
			&g_array_index(grant->parts, SchedGrantPart, i);
		DaxcCellRequest *granted = daxc_cell_request_new(cell->id, cell->size);

		granted->node = part->node;
		granted->wish = DAXC_WISH_LIST;
		g_array_append_vals(granted->list, part->colors->data, part->colors->len);
		g_ptr_array_add(wish->cells, granted);
	}
	return daxc_domain_enroll(xml, wish, error);
}

/* Defining. */

static gboolean check_template(GError **error)
{
	const char *host = define ? strstr(define, HOST_MARK) : NULL;

	if (!define || (host && !strstr(host + strlen(HOST_MARK), HOST_MARK)))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "--define: %s stands for the host, once: \"%s\"", HOST_MARK, define);
	return FALSE;
}

/* In a URI of libvirt's a name could bring options along, and ssh takes one that begins
 * with "-" for an option. The name comes from the engine. */
static gboolean is_host_name(const char *name)
{
	if (!g_ascii_isalnum(name[0]))
		return FALSE;
	for (const char *c = name; *c; c++) {
		if (!g_ascii_isalnum(*c) && *c != '-' && *c != '.' && *c != '_')
			return FALSE;
	}
	return TRUE;
}

static char *uri_of(const char *host, GError **error)
{
	const char *mark = strstr(define, HOST_MARK);

	if (is_host_name(host))
		return g_strdup_printf("%.*s%s%s", (int)(mark - define), define, host,
				       mark + strlen(HOST_MARK));
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_REFUSED,
		    "the engine says \"%s\", which is no name of a host", host);
	return NULL;
}

/* Returns: (transfer full): the URI. Whoever cannot be reached has defined nothing; of a
 * definition that fails nobody knows what is left of it: @keep. */
static char *define_on(const char *host, const char *xml, gboolean *keep, GError **error)
{
	g_autofree char *uri = uri_of(host, error);
	GVirConnection *connection = uri ? cli_libvirt_open(uri, error) : NULL;

	if (!connection)
		return NULL;
	*keep = !cli_libvirt_define(connection, xml, error);
	g_object_unref(connection);
	if (!*keep)
		return g_steal_pointer(&uri);
	g_prefix_error(error,
		       "its place on %s is kept until `colorsched release`, for %s may "
		       "have it: ",
		       host, uri);
	return NULL;
}

/* What went wrong after the claim; what was claimed is given back. */
static void undo(SchedEngine *engine, const DaxcRequest *request, GError **error)
{
	g_autoptr(GError) cause = NULL;

	if (!sched_engine_release(engine, request->uuid, &cause))
		g_prefix_error(error, "its place is still taken (%s), and ",
			       cause->message);
}

static gboolean check_names(char **names, GError **error)
{
	for (guint i = 0; names && names[i]; i++) {
		if (!daxc_tenant_check(names[i], NULL)) {
			g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
				    "\"%s\" is no name", names[i]);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean read_options(DaxcRequest *request, SchedWant *want, GError **error)
{
	if (cache && !daxc_size_parse(cache, &want->cache, error))
		return FALSE;
	if (!check_names(aggregates, error) || !check_names(traits, error))
		return FALSE;
	if (tenant && !daxc_tenant_check(tenant, error))
		return FALSE;
	if (spread && !daxc_tenant_check(spread, NULL)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID, "\"%s\" is no name",
			    spread);
		return FALSE;
	}
	if (!check_template(error))
		return FALSE;
	if (tenant) {
		g_free(request->tenant);
		request->tenant = g_strdup(tenant);
	}
	want->request = request;
	want->aggregates = (const char *const *)aggregates;
	want->traits = (const char *const *)traits;
	return TRUE;
}

static void print(const Cli *cli, const DaxcRequest *request, const SchedGrant *grant,
		  const char *xml, const char *uri)
{
	g_autoptr(JsonNode) document = NULL;

	if (cli->json) {
		document = build(request, grant, xml, uri);
		cli_print_json(document);
		return;
	}
	print_text(define ? stdout : stderr, request, grant);
	if (!define)
		fputs(xml, stdout);
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(SchedEngine) engine = NULL;
	g_autoptr(SchedGrant) grant = NULL;
	g_autofree char *xml = NULL;
	g_autofree char *placed = NULL;
	g_autofree char *uri = NULL;
	SchedWant want = {0};
	gboolean keep = FALSE;
	GError *error = NULL;
	CliStatus status = cli_request_domain(cli, argv[0], &xml, &request);

	if (status != CLI_DONE)
		return status;
	if (!read_options(request, &want, &error))
		return cli_usage_error(cli, error);
	engine = sched_cli_engine(cli, &status);
	if (!engine)
		return status;
	grant = sched_engine_place(engine, &want, spread, &error);
	if (!grant)
		return cli_fail(cli, request->name, error);
	placed = write_colors(xml, request, grant, &error);
	if (placed && define)
		uri = define_on(grant->host, placed, &keep, &error);
	if (!placed || (define && !uri)) {
		if (!keep)
			undo(engine, request, &error);
		return cli_fail(cli, request->name, error);
	}
	print(cli, request, grant, placed, uri);
	return CLI_DONE;
}

const CliVerb sched_place = {
	.name = "place",
	.summary = "Claim a host and colors for a domain in the engine",
	.arguments = "DOMAIN.xml|-",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run,
};
