// SPDX-License-Identifier: GPL-2.0-or-later
/* daxcolor audit: whether the promises are kept, and a certificate of it. */
#include <stdio.h>

#include "carvings.h"
#include "cli.h"
#include "guests.h"
#include "output.h"

/* A guest that starts or ends while we look is given so long to be done. */
#define LOOKS 5
#define LOOK_AGAIN_US 400000

/* In place of a URI. */
#define NO_LIBVIRT "none"

static char *uri;

static const GOptionEntry options[] = {
	{"connect", 'c', 0, G_OPTION_ARG_FILENAME, &uri,
	 "Which libvirt (default: qemu:///system); none: this host has no libvirt",
	 "URI"},
	{NULL},
};

/**
 * Inquiry: an audit, and what it took.
 * @guests: (nullable): what runs; NULL when that is not known
 * @not_asked: (nullable): why libvirt was not
 */
typedef struct {
	DaxcHost *host;
	DaxcAudit *audit;
	GPtrArray *guests;
	char *not_asked;
} Inquiry;

static void inquiry_clear(Inquiry *inquiry)
{
	g_clear_pointer(&inquiry->audit, daxc_audit_free);
	g_clear_pointer(&inquiry->guests, g_ptr_array_unref);
	g_clear_pointer(&inquiry->not_asked, g_free);
	g_clear_pointer(&inquiry->host, daxc_host_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Inquiry, inquiry_clear)

/* ---- the document ---- */

static void add_processes(JsonBuilder *builder, const GPtrArray *processes)
{
	json_builder_set_member_name(builder, "processes");
	json_builder_begin_array(builder);
	for (guint i = 0; i < processes->len; i++) {
		const DaxcProcess *process = g_ptr_array_index(processes, i);

		json_builder_begin_object(builder);
		cli_add_signed(builder, "pid", process->pid);
		cli_add_text(builder, "name", process->name);
		cli_add_flag(builder, "open", process->open);
		cli_add_flag(builder, "mapped", process->mapped);
		cli_add_text(builder, "path", process->path);
		cli_add_text(builder, "uuid", process->uuid);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void add_nodes(JsonBuilder *builder, const GPtrArray *nodes)
{
	json_builder_set_member_name(builder, "nodes");
	json_builder_begin_array(builder);
	for (guint i = 0; i < nodes->len; i++) {
		const DaxcAuditNode *node = g_ptr_array_index(nodes, i);
		g_autofree char *mode = g_strdup_printf("%04o", node->mode);

		json_builder_begin_object(builder);
		cli_add_text(builder, "path", node->path);
		cli_add_number(builder, "uid", node->uid);
		cli_add_number(builder, "gid", node->gid);
		cli_add_text(builder, "mode", mode);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

/* Which one it is; all of it is among the document's carvings. */
static void add_explanation(JsonBuilder *builder, const DaxcCarving *carving)
{
	json_builder_set_member_name(builder, "carving");
	if (!carving) {
		json_builder_add_null_value(builder);
		return;
	}
	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", carving->name);
	cli_add_text(builder, "uuid", carving->uuid);
	cli_add_number(builder, "cell", carving->plan->cell);
	cli_add_text(builder, "tenant", carving->tenant);
	cli_add_text(builder, "state", daxc_carving_state_name(carving->state));
	json_builder_end_object(builder);
}

static void add_instance(JsonBuilder *builder, const DaxcAuditInstance *row,
			 const DaxcGeometry *geometry)
{
	json_builder_begin_object(builder);
	cli_add_instance_members(builder, row->instance, row->node, geometry);
	cli_add_colors(builder, "colors", row->colors);
	cli_add_text(builder, "uuid", row->uuid);
	cli_add_text(builder, "tenant", row->tenant);
	add_explanation(builder, row->carving);
	add_processes(builder, row->processes);
	add_nodes(builder, row->nodes);
	json_builder_end_object(builder);
}

static void add_region(JsonBuilder *builder, const DaxcRegion *region,
		       const DaxcGeometry *geometry)
{
	json_builder_begin_object(builder);
	cli_add_region_members(builder, region, geometry);
	json_builder_end_object(builder);
}

static void add_guest(JsonBuilder *builder, const DaxcGuest *guest)
{
	json_builder_begin_object(builder);
	cli_add_text(builder, "domain", guest->name);
	cli_add_text(builder, "uuid", guest->uuid);
	cli_add_signed(builder, "id", guest->id);
	cli_add_text(builder, "tenant", guest->tenant);
	cli_add_number(builder, "cell_count", guest->cells);
	json_builder_end_object(builder);
}

static void add_libvirt(JsonBuilder *builder, const Inquiry *inquiry)
{
	json_builder_set_member_name(builder, "libvirt");
	json_builder_begin_object(builder);
	cli_add_flag(builder, "asked", inquiry->not_asked == NULL);
	cli_add_text(builder, "why_not", inquiry->not_asked);
	json_builder_set_member_name(builder, "guests");
	json_builder_begin_array(builder);
	for (guint i = 0; inquiry->guests && i < inquiry->guests->len; i++)
		add_guest(builder, g_ptr_array_index(inquiry->guests, i));
	json_builder_end_array(builder);
	json_builder_end_object(builder);
}

static void add_breach(JsonBuilder *builder, const DaxcBreach *breach)
{
	json_builder_begin_object(builder);
	cli_add_text(builder, "code", breach->code);
	cli_add_text(builder, "what", breach->what);
	cli_add_text(builder, "why", breach->why);
	cli_add_text(builder, "remedy", breach->remedy);
	json_builder_end_object(builder);
}

static void add_header(JsonBuilder *builder, const Inquiry *inquiry)
{
	const DaxcAudit *audit = inquiry->audit;

	cli_add_text(builder, "host", audit->host);
	cli_add_text(builder, "boot_id", audit->boot_id);
	cli_add_text(builder, "time", audit->time);
	cli_add_text(builder, "daxcolor", DAXCOLOR_VERSION);
	cli_add_text(builder, "kernel", audit->kernel);
	cli_add_text(builder, "backend", daxc_host_backend(inquiry->host));
	cli_add_flag(builder, "simulated", daxc_host_is_simulated(inquiry->host));
	cli_add_texts(builder, "limits", daxc_host_limits(inquiry->host));
	cli_add_text(builder, "configuration", audit->config);
	cli_add_text(builder, "zero", audit->zeroing);
	cli_add_texts(builder, "zero_other_tenants", (const char *const *)audit->keepers);
	cli_add_text(builder, "ledger", audit->ledger);
	cli_add_text(builder, "ledger_fault", audit->ledger_fault);
}

static JsonNode *build(const Inquiry *inquiry)
{
	const DaxcAudit *audit = inquiry->audit;
	const DaxcGeometry *geometry = daxc_host_geometry(inquiry->host);
	JsonBuilder *builder = json_builder_new();

	json_builder_begin_object(builder);
	add_header(builder, inquiry);
	add_libvirt(builder, inquiry);
	json_builder_set_member_name(builder, "regions");
	json_builder_begin_array(builder);
	for (guint i = 0; i < audit->regions->len; i++)
		add_region(builder, g_ptr_array_index(audit->regions, i), geometry);
	json_builder_end_array(builder);
	json_builder_set_member_name(builder, "instances");
	json_builder_begin_array(builder);
	for (guint i = 0; i < audit->instances->len; i++)
		add_instance(builder, g_ptr_array_index(audit->instances, i), geometry);
	json_builder_end_array(builder);
	cli_add_carvings(builder, "carvings", audit->carvings, NULL);
	cli_add_reservations(builder, audit->reservations);
	json_builder_set_member_name(builder, "breaches");
	json_builder_begin_array(builder);
	for (guint i = 0; i < audit->breaches->len; i++)
		add_breach(builder, g_ptr_array_index(audit->breaches, i));
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	return cli_built(builder);
}

/* ---- for people ---- */

static void print_breach(const DaxcBreach *breach)
{
	g_autofree char *code = cli_paint(breach->code, "1;31");
	g_autofree char *what = cli_printable(breach->what);
	g_autofree char *why = cli_printable(breach->why);
	g_autofree char *remedy = cli_printable(breach->remedy);

	printf("%s: %s: %s\n  -> %s\n", code, what, why, remedy);
}

static void print_text(const Inquiry *inquiry)
{
	const DaxcAudit *audit = inquiry->audit;
	g_autofree char *regions = cli_count(audit->regions->len, "region");
	g_autofree char *instances = cli_count(audit->instances->len, "instance");
	g_autofree char *carvings = cli_count(audit->carvings->len, "carving");
	g_autofree char *guests = NULL;
	g_autofree char *why = NULL;

	for (guint i = 0; i < audit->breaches->len; i++)
		print_breach(g_ptr_array_index(audit->breaches, i));
	if (audit->breaches->len > 0)
		putchar('\n');
	if (inquiry->guests && !inquiry->not_asked) {
		g_autofree char *running = cli_count(inquiry->guests->len, "guest");

		guests = g_strdup_printf("and %s of libvirt", running);
	} else {
		why = cli_printable(inquiry->not_asked);
		guests = g_strdup_printf("libvirt not asked (%s)", why);
	}
	printf("%s, %s, %s, %u process%s, %s: ", regions, instances, carvings,
	       audit->processes, audit->processes == 1 ? "" : "es", guests);
	if (audit->breaches->len == 0)
		puts("no breach");
	else if (audit->breaches->len == 1)
		puts("1 breach");
	else
		printf("%u breaches\n", audit->breaches->len);
}

/* ---- asking ---- */

static gboolean ask_libvirt(Inquiry *inquiry, GError **error)
{
	g_autoptr(GError) failure = NULL;
	gboolean reached;

	g_clear_pointer(&inquiry->guests, g_ptr_array_unref);
	g_clear_pointer(&inquiry->not_asked, g_free);
	if (daxc_host_is_simulated(inquiry->host) && !uri) {
		inquiry->not_asked = g_strdup("the host is simulated");
		return TRUE;
	}
	/* The administrator says so: then no guest runs, and programs are. */
	if (g_strcmp0(uri, NO_LIBVIRT) == 0) {
		inquiry->not_asked = g_strdup("there is none on this host");
		inquiry->guests = g_ptr_array_new();
		return TRUE;
	}
	inquiry->guests = cli_running_guests(uri, &reached, &failure);
	if (inquiry->guests)
		return TRUE;
	/* Whoever names a libvirt wants it asked. */
	if (reached || uri) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	inquiry->not_asked = g_strdup(failure->message);
	return TRUE;
}

/* Whether all breaches may be a guest just starting or ending. */
static gboolean may_pass(const DaxcAudit *audit)
{
	for (guint i = 0; i < audit->breaches->len; i++) {
		const DaxcBreach *breach = g_ptr_array_index(audit->breaches, i);

		if (!breach->passing)
			return FALSE;
	}
	return audit->breaches->len > 0;
}

static gboolean is_same_run(const DaxcGuest *one, const DaxcGuest *two)
{
	return g_strcmp0(one->uuid, two->uuid) == 0 && one->id == two->id &&
	       one->settled == two->settled;
}

/* Whether the same guests run, each since the same start. */
static gboolean same_guests(const GPtrArray *one, const GPtrArray *two)
{
	if (!one || !two)
		return one == two;
	if (one->len != two->len)
		return FALSE;
	for (guint i = 0; i < one->len; i++) {
		if (!is_same_run(g_ptr_array_index(one, i), g_ptr_array_index(two, i)))
			return FALSE;
	}
	return TRUE;
}

static gboolean audit_once(Inquiry *inquiry, GError **error)
{
	g_clear_pointer(&inquiry->audit, daxc_audit_free);
	inquiry->audit = daxc_host_audit(inquiry->host, inquiry->guests, error);
	return inquiry->audit != NULL;
}

/* A guest that was started again between the two questions has other names and
 * another process than libvirt's answer says. */
static gboolean inquire(Inquiry *inquiry, GError **error)
{
	if (!ask_libvirt(inquiry, error) || !audit_once(inquiry, error))
		return FALSE;
	for (guint n = 1; n < LOOKS && inquiry->audit->breaches->len > 0; n++) {
		g_autoptr(GPtrArray) before = g_steal_pointer(&inquiry->guests);
		gboolean passing = may_pass(inquiry->audit);

		if (passing)
			g_usleep(LOOK_AGAIN_US);
		if (!ask_libvirt(inquiry, error))
			return FALSE;
		if (!passing && same_guests(before, inquiry->guests))
			return TRUE;
		if (!audit_once(inquiry, error))
			return FALSE;
	}
	return TRUE;
}

static CliStatus run(Cli *cli, int argc, char **argv)
{
	g_auto(Inquiry) inquiry = {0};
	g_autoptr(JsonNode) document = NULL;
	GError *error = NULL;

	cli->host.distrust_ledger = TRUE;
	inquiry.host = cli_open(cli, TRUE);
	if (!inquiry.host)
		return CLI_FAILED;
	if (!inquire(&inquiry, &error))
		return cli_fail(cli, NULL, error);
	if (cli->json) {
		document = build(&inquiry);
		cli_print_json(document);
	} else {
		print_text(&inquiry);
	}
	return inquiry.audit->breaches->len == 0 ? CLI_DONE : CLI_FAILED;
}

const CliVerb cli_audit = {
	.name = "audit",
	.summary = "Prove from the kernel's view that tenants are kept apart",
	.description = "Exits with 1 when it finds a breach, or cannot look at "
		       "something. With --json it prints a certificate to file.",
	.options = options,
	.run = run,
};
