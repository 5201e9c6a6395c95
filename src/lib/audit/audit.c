// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The audit: reads everything, has each part judged, and looks again where
 * somebody was changing things meanwhile.
 */
#include "audit/look.h"

#include <string.h>
#include <sys/utsname.h>

#include <daxcolor/error.h>

/* In a storm of starts the ledger changes all the time: what is found in each of
 * so many looks is no shadow of one of them. */
#define LOOKS 5
#define LOOK_AGAIN_US 20000

/* ---- plain data ---- */

static void node_free(gpointer data)
{
	DaxcAuditNode *node = data;

	g_free(node->path);
	g_free(node);
}

static void audit_instance_free(gpointer data)
{
	DaxcAuditInstance *instance = data;

	daxc_instance_free(instance->instance);
	g_array_unref(instance->colors);
	g_ptr_array_unref(instance->processes);
	g_ptr_array_unref(instance->nodes);
	g_free(instance->uuid);
	g_free(instance->tenant);
	g_free(instance);
}

static void look_clear(DaxcLook *look)
{
	g_clear_pointer(&look->audit, daxc_audit_free);
	g_clear_pointer(&look->carvings, g_ptr_array_unref);
	g_clear_pointer(&look->found, g_ptr_array_unref);
	g_clear_pointer(&look->granules, g_array_unref);
	g_clear_pointer(&look->reservations, g_ptr_array_unref);
	g_clear_pointer(&look->processes, g_ptr_array_unref);
	g_clear_pointer(&look->by_name, g_hash_table_unref);
	g_clear_pointer(&look->by_start, g_hash_table_unref);
	g_clear_pointer(&look->guests, g_hash_table_unref);
	g_clear_pointer(&look->holdings, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DaxcLook, look_clear)

/* ---- reading ---- */

/* In a transaction, which on a ledger that is only read is a snapshot. */
static gboolean read_rows(DaxcLook *look, GError **error)
{
	DaxcLedger *ledger = look->host->ledger;

	look->carvings = daxc_ledger_carvings(ledger, NULL, error);
	look->granules = look->carvings ? daxc_ledger_granules(ledger, error) : NULL;
	look->reservations = look->granules ? daxc_ledger_reservations(ledger, error)
					    : NULL;
	return look->reservations && daxc_ledger_serial(ledger, &look->serial, error);
}

static gboolean read_ledger(DaxcLook *look, GError **error)
{
	g_autoptr(GError) fault = NULL;
	gboolean ok = daxc_ledger_begin(look->host->ledger, &fault);

	ok = ok && read_rows(look, &fault);
	daxc_ledger_rollback(look->host->ledger);
	if (ok)
		return TRUE;
	if (!g_error_matches(fault, DAXC_ERROR, DAXC_ERROR_LEDGER)) {
		g_propagate_error(error, g_steal_pointer(&fault));
		return FALSE;
	}
	if (!look->audit->ledger_fault)
		look->audit->ledger_fault = g_strdup(fault->message);
	g_clear_pointer(&look->carvings, g_ptr_array_unref);
	g_clear_pointer(&look->granules, g_array_unref);
	g_clear_pointer(&look->reservations, g_ptr_array_unref);
	look->reservations = g_ptr_array_new();
	look->carvings = g_ptr_array_new();
	look->granules = g_array_new(FALSE, FALSE, sizeof(DaxcLedgerGranule));
	return TRUE;
}

static void add_instance(DaxcLook *look, DaxcInstance *instance)
{
	DaxcAuditInstance *row = g_new0(DaxcAuditInstance, 1);

	row->instance = instance;
	row->node = daxc_region_node(look->audit->regions, instance->region);
	row->colors = g_array_new(FALSE, FALSE, sizeof(guint32));
	row->processes =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_process_free);
	row->nodes = g_ptr_array_new_with_free_func(node_free);
	g_ptr_array_add(look->audit->instances, row);
	g_hash_table_insert(look->by_name, instance->name, row);
	if (instance->extents->len > 0)
		g_hash_table_insert(
			look->by_start,
			&g_array_index(instance->extents, DaxcExtent, 0).start, row);
}

static gboolean read_kernel(DaxcLook *look, GError **error)
{
	g_autoptr(GPtrArray) instances = NULL;

	if (!daxc_kernel_look(look->host->kernel, &look->audit->regions, &instances,
			      error))
		return FALSE;
	look->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	look->by_start = g_hash_table_new(g_int64_hash, g_int64_equal);
	g_ptr_array_set_free_func(instances, NULL);
	for (guint i = 0; i < instances->len; i++)
		add_instance(look, g_ptr_array_index(instances, i));
	look->processes = daxc_kernel_processes(look->host->kernel, instances, error);
	return look->processes != NULL;
}

static void index_names(DaxcLook *look)
{
	look->guests = g_hash_table_new(g_str_hash, g_str_equal);
	look->holdings = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; look->audit->guests && i < look->audit->guests->len; i++) {
		DaxcGuest *guest = g_ptr_array_index(look->audit->guests, i);

		g_hash_table_insert(look->guests, guest->uuid, guest);
	}
	for (guint i = 0; i < look->carvings->len; i++) {
		DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		look->of_boot += daxc_look_is_of_boot(look, carving);
		if (daxc_look_is_of_boot(look, carving) ||
		    !g_hash_table_contains(look->holdings, carving->uuid))
			g_hash_table_insert(look->holdings, carving->uuid, carving);
	}
}

/* The ledger is read first: what the kernel has more by then is in the making, and
 * was on record before. */
static gboolean read_all(DaxcLook *look, GError **error)
{
	gint64 before, after;

	look->has_note = daxc_run_read_serial(look->host, &look->noted);
	if (!daxc_ledger_version(look->host->ledger, &before, error) ||
	    !read_ledger(look, error) || !read_kernel(look, error) ||
	    !daxc_ledger_version(look->host->ledger, &after, error))
		return FALSE;
	look->changed = before != after;
	index_names(look);
	return TRUE;
}

/* ---- judging ---- */

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

static char **keepers_of(const DaxcConfig *config)
{
	GList *names = g_list_sort(g_hash_table_get_keys(config->keepers), by_name);
	char **keepers = g_new0(char *, g_list_length(names) + 1);
	guint n = 0;

	for (const GList *at = names; at; at = at->next)
		keepers[n++] = g_strdup(at->data);
	g_list_free(names);
	return keepers;
}

static const char *zeroing_of(const DaxcHost *host)
{
	if (daxc_kernel_zeroes(host->kernel))
		return "by-kernel";
	return host->config->zero == DAXC_ZERO_NEVER ? "never" : "before-use";
}

static DaxcAudit *audit_new(DaxcHost *host, GPtrArray *guests)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	DaxcAudit *audit = g_new0(DaxcAudit, 1);
	struct utsname name;

	audit->host = g_strdup(g_get_host_name());
	audit->boot_id = g_strdup(host->boot_id);
	audit->kernel = g_strdup(uname(&name) == 0 ? name.release : "unknown");
	audit->time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
	audit->zeroing = zeroing_of(host);
	audit->keepers = keepers_of(host->config);
	audit->config = g_strdup(host->config_path);
	audit->ledger = g_strdup(host->ledger_path);
	audit->ledger_fault = g_strdup(host->ledger_fault);
	audit->asked = guests != NULL;
	audit->guests = guests ? g_ptr_array_ref(guests) : NULL;
	audit->instances = g_ptr_array_new_with_free_func(audit_instance_free);
	audit->breaches =
		g_ptr_array_new_with_free_func((GDestroyNotify)daxc_breach_free);
	return audit;
}

static gboolean take_look(DaxcLook *look, DaxcHost *host, GPtrArray *guests,
			  GError **error)
{
	look->host = host;
	look->audit = audit_new(host, guests);
	if (!read_all(look, error) || !daxc_look_files(look, error))
		return FALSE;
	daxc_look_explain(look);
	daxc_look_instances(look);
	daxc_look_colors(look);
	daxc_look_processes(look);
	daxc_look_ledger(look);
	daxc_look_guests(look);
	if (!daxc_look_nodes(look, error))
		return FALSE;
	look->audit->carvings = g_ptr_array_ref(look->carvings);
	look->audit->reservations = g_ptr_array_ref(look->reservations);
	return TRUE;
}

static gboolean has_breach(const DaxcAudit *audit, const DaxcBreach *breach)
{
	for (guint i = 0; i < audit->breaches->len; i++) {
		const DaxcBreach *known = g_ptr_array_index(audit->breaches, i);

		if (strcmp(known->code, breach->code) == 0 &&
		    strcmp(known->what, breach->what) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Takes out of @audit what was not there before. */
static void keep_common(DaxcAudit *audit, const DaxcAudit *before)
{
	for (guint i = audit->breaches->len; i-- > 0;) {
		if (!has_breach(before, g_ptr_array_index(audit->breaches, i)))
			g_ptr_array_remove_index(audit->breaches, i);
	}
}

DaxcAudit *daxc_host_audit(DaxcHost *host, GPtrArray *guests, GError **error)
{
	g_autoptr(DaxcAudit) before = NULL;

	for (guint n = 1;; n++) {
		g_auto(DaxcLook) look = {0};

		if (!take_look(&look, host, guests, error))
			return NULL;
		if (before)
			keep_common(look.audit, before);
		if (look.audit->breaches->len == 0 || !look.changed || n == LOOKS)
			return g_steal_pointer(&look.audit);
		g_clear_pointer(&before, daxc_audit_free);
		before = g_steal_pointer(&look.audit);
		g_usleep(LOOK_AGAIN_US);
	}
}
